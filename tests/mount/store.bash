# Is the store of images whole? Loaded after lib.
# shellcheck shell=bash

# What the listed images are made of, and nothing else, is in the store, under its own digest; every tag leads
# to an image; nothing is under way.
expect_store() {
	eventually is_nothing_under_way || return 1
	list_needed >"$SANDBOX/work/needed"
	list_kept >"$SANDBOX/work/kept"
	diff "$SANDBOX/work/needed" "$SANDBOX/work/kept" >&2 || fail "the store is not what its images need" || return 1
	[ -z "$(find "$MNT/images" -type l ! -xtype d)" ] || fail "a tag leads nowhere"
}

is_nothing_under_way() {
	[ -z "$(ls "$ROOT/images/tmp")" ]
}

list_needed() {
	local dir
	for dir in "$MNT"/images/sha256/*/; do
		[ -e "$dir" ] || continue
		sha256sum <"$dir/config" | sed 's/ .*//; s/^/blob /'
		sha256sum <"$dir/manifest" | sed 's/ .*//; s/^/blob /'
		jq -r '.layers[].digest | "blob " + .[7:]' "$dir/manifest"
		sed 's/^sha256://; s/^/layer /' "$dir/layers"
	done | sort -u
}

list_kept() {
	{
		(cd "$ROOT/images/blobs/sha256" && find . -type f -exec sha256sum {} +) |
			awk '{ print "blob " ($2 == "./" $1 ? $1 : $2 " has other content") }'
		find "$ROOT/images/layers" -mindepth 1 -maxdepth 1 -printf 'layer %f\n'
	} | sort -u
}
