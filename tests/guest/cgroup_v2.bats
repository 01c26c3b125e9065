# The unit tests that depend most on the kernel, once more on pure cgroup v2 and the
# oldest kernel that we support.

# Run programs of the build tree in the guest, one after the other; nothing of theirs may
# be left there.
in_guest() {
	local program files=()
	for program; do
		files+=(-f "$BUILD_DIR/tests/$program:/tests/$program")
	done
	# shellcheck disable=SC2016 # expanded by the guest's shell
	"$BATS_TEST_DIRNAME/run" "${files[@]}" -- sh -c '
		mounts=$(cat /proc/mounts)
		for program; do
			"/tests/$program" || exit
		done
		[ "$mounts" = "$(cat /proc/mounts)" ] || { echo "mounts are left"; exit 1; }
		[ -z "$(find /sys/fs/cgroup -name "containerfs*")" ] || { echo "groups are left"; exit 1; }
	' sh "$@"
}

@test "the guest is what it should be" {
	run "$BATS_TEST_DIRNAME/run" -- sh -c 'uname -r; cat /sys/fs/cgroup/cgroup.controllers; exit 7'
	[ "$status" = 7 ]
	[[ "${lines[0]}" == 6.1.* ]]
	[[ "${lines[1]}" == *memory*pids* ]]
}

@test "control groups, root file systems and filters" {
	in_guest test_cgroup test_rootfs test_security
}
