# Random walks over all files of a mount, with odd calls and odd arguments, while
# containers come and go. The engine lives on, its log has no bug, and when all is
# removed nothing is left. WALK_SEED, WALK_STEPS repeat or lengthen one.
# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2030,SC2031,SC2045,SC2154

load lib

setup_file() {
	sandbox_start
	import_demo
	"${CC:-cc}" -std=gnu17 -O1 -Wno-unused-result -o "$SANDBOX/walk" "$TOP/tests/mount/walk.c"
	ctl "create --name first $IMAGE true" >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
	ctl 'rm first'
}

setup() {
	look_before
}

teardown() {
	remove_images
	remove_volumes
	look_after
}

teardown_file() {
	sandbox_end
}

# Tags that the walk made.
remove_images() {
	local tag
	find "$MNT/images" -type l ! -path '*/sha256/*' ! -name "$IMAGE" -print0 |
		while IFS= read -r -d '' tag; do
			rm "$tag"
		done
	find "$MNT/images" -mindepth 1 -depth -type d ! -path '*/sha256*' -exec rmdir {} + ||
		:
}

remove_volumes() {
	local name
	for name in $(ls "$MNT/containers"); do
		ctl "rm -f $name" >/dev/null
	done
	find "$MNT/volumes" -mindepth 1 -maxdepth 1 -exec rm -r {} +
}

# walk SEED STEPS WALKERS
walk() {
	local pid
	pid=$(field "$MNT/info" Pid)
	echo "seed $1"
	timeout --signal=KILL 240 "$SANDBOX/walk" "$MNT" "$@" >/dev/null
	expect_equal "$(field "$MNT/info" Pid)" "$pid"
	expect_equal "$(field "$MNT/info" Restarts)" 0
	bounded ls -lR "$MNT/images" >/dev/null
	bounded cat "$MNT/ps" "$MNT"/containers/*/status "$MNT"/containers/*/inspect >/dev/null
	# A container still comes and goes as ever.
	ctl "run --name after $IMAGE echo fine" >/dev/null
	expect_equal "$(wait_exit after)" 0
	expect_equal "$(cat "$MNT/containers/after/logs")" fine
}

@test "one walker" {
	walk "${WALK_SEED:-1}" "${WALK_STEPS:-4000}" 1
}

@test "four walkers at once" {
	walk "${WALK_SEED:-2}" "${WALK_STEPS:-3000}" 4
}

@test "four walkers, another way each time" {
	walk "${WALK_SEED:-$RANDOM}" "${WALK_STEPS:-3000}" 4
}
