# A full ROOT or RUN: small file systems of their own, filled and emptied. Loaded after lib.
# shellcheck shell=bash disable=SC2154

# full_mount DIR SIZE: in the place of the sandbox's directory.
full_mount() {
	! mountpoint -q "$1" || umount "$1"
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2,mode=700" containerfs-test "$1"
}

# Not a byte more; MARGIN pages stay free.
fill() {
	local dir=$1
	dd if=/dev/zero of="$dir/ballast" bs=64k status=none 2>/dev/null || :
	dd if=/dev/zero of="$dir/ballast2" bs=1 status=none 2>/dev/null || :
	if dd if=/dev/zero of="$dir/ballast3" bs=1 count=1 status=none 2>/dev/null; then
		fail "there is still room in $dir"
	fi
}

make_room() {
	rm -f "$ROOT"/ballast* "$RUN"/ballast*
}

# leave_room DIR KIB: a full one, but for so much.
leave_room() {
	fill "$1"
	truncate -s -"$2K" "$1/ballast"
}

is_full() {
	[ "$(stat -f -c %a "$ROOT")" -lt "${1:-16}" ]
}

expect_no_space() {
	expect_match "$(cat "$MNT/error")" "^error: .*No space left on device"
	expect_equal "$(wc -l <"$MNT/error")" 1
}
