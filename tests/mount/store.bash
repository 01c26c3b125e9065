# A store that much is done to, and is it whole? Loaded after lib, full and registry.
# shellcheck shell=bash

# A sandbox and a registry for an image of this many random bytes and small files, of which the mount holds nothing:
# it is $REMOTE there, and big.tar.gz and (as an archive of images) saved.tar in $SANDBOX/work.
sandbox_start_big() {
	local i
	sandbox_make
	full_mount "$ROOT" 256m # where a sync costs nothing
	mount_start
	import_demo
	registry_start plain
	export REMOTE
	REMOTE=$(registry_name plain)/big:1
	cd "$SANDBOX/work" || return
	mkdir -p tree/many
	head -c "$1" /dev/urandom >tree/random
	for i in $(seq "$2"); do
		echo "$i" >"tree/many/$i"
	done
	tar -C tree -czf big.tar.gz .
	cp big.tar.gz "$MNT/images/big:1"
	cp "$MNT/images/big:1/image.tar" saved.tar
	ctl "tag big:1 $REMOTE" "push $REMOTE" "rmi big:1" "rmi $REMOTE" >/dev/null
	expect_store
}

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
