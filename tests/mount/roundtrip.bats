# A root file system of more than 10,000 of this machine's files, dressed with all that is hard
# to keep, on every way that images have: import, commit, save, load, push, pull. Contents,
# owners, modes, times, attributes and hard links are compared name by name after each.
# shellcheck disable=SC2012,SC2164

load lib
load registry

TREE=$TOP/tests/mount/tree.py

setup_file() {
	sandbox_start
	registry_start plain
	cd "$SANDBOX/work"
	mkdir tree
	find /usr/bin /usr/sbin /usr/lib /usr/share /usr/include -xdev \
		\( -type d -o -type l -o -type f -size -40k \) 2>/dev/null |
		LC_ALL=C sort | head -n 13000 | sed 's|^/||' >list
	tar -C / --no-recursion --ignore-failed-read --verbatim-files-from -T list -cf - | tar -C tree -xf -
	python3 "$TREE" dress tree
	python3 "$TREE" describe tree >want
}

setup() {
	look_before
}

teardown() {
	ctl 'prune -f -a' >/dev/null
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

# expect_tree DIR WANT: a file of lines that describe it.
expect_tree() {
	python3 "$TREE" describe "$1/" >got
	cmp got "$2" || {
		diff got "$2" | head -n 20 >&2
		false
	}
}

@test "import, commit, save, load, push and pull keep everything" {
	local name id
	cd "$SANDBOX/work"
	[ "$(wc -l <want)" -gt 10000 ]
	tar -C tree --format=posix --sparse --xattrs --xattrs-include='*' -cf tree.tar .
	cp tree.tar "$MNT/images/base:1"
	expect_tree "$MNT/images/base:1/rootfs" want

	# Both layers: what was there, and what a container made of it.
	ctl 'create --name web base:1 true' >/dev/null
	python3 "$TREE" change "$MNT/containers/web/rootfs/"
	python3 "$TREE" describe "$MNT/containers/web/rootfs/" >want.changed
	expect_failure cmp -s want want.changed
	name=$(registry_name plain)/changed:1
	id=$(ctl "commit web $name")
	ctl 'rm web'
	expect_tree "$MNT/images/$name/rootfs" want.changed

	ctl "push $name" >/dev/null
	cp "$MNT/images/$name/image.tar" saved.tar
	ctl "rmi $name" 'rmi base:1' >/dev/null
	expect_equal "$(find "$ROOT/images/layers" "$ROOT/images/blobs/sha256" -mindepth 1 | wc -l)" 0

	expect_equal "$(ctl "load $PWD/saved.tar")" "$id"
	expect_tree "$MNT/images/$name/rootfs" want.changed
	cmp saved.tar "$MNT/images/$name/image.tar"
	ctl "rmi $name" >/dev/null

	ctl "pull $name" >/dev/null
	expect_equal "$(sha256sum <"$MNT/images/$name/config")" "$id  -"
	expect_tree "$MNT/images/$name/rootfs" want.changed
	ctl "rmi $name" >/dev/null
}

@test "what a container exports is imported as it was" {
	cd "$SANDBOX/work"
	cp tree.tar "$MNT/images/base:1"
	ctl 'create --name web base:1 true' >/dev/null
	cat "$MNT/containers/web/export.tar" >"$MNT/images/again:1"
	expect_tree "$MNT/images/again:1/rootfs" want
	ctl 'rm web' 'rmi base:1' 'rmi again:1' >/dev/null
}
