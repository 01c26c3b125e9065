# The whole engine on pure cgroup v2 and the oldest kernel that we support. The guest is
# booted once, engine_v2.sh runs in it, and each test here reads what came of one of its own.

setup_file() {
	local work=$BATS_FILE_TMPDIR
	"${CC:-cc}" -std=gnu17 -O1 -o "$work/try" "$BATS_TEST_DIRNAME/../mount/try.c"
	"$BATS_TEST_DIRNAME/../../tools/busybox-image" "$work/demo.tar.gz"
	"$BATS_TEST_DIRNAME/run" -f "$BUILD_DIR/containerfs:/tests/containerfs" \
		-f "$BUILD_DIR/cfs:/tests/cfs" -f "$BUILD_DIR/tests/test_launch:/tests/test_launch" \
		-f "$work/try:/tests/try" -f "$work/demo.tar.gz:/demo.tar.gz" \
		-f "$BATS_TEST_DIRNAME/engine_v2.sh:/tests/engine_v2.sh" -t 380 \
		-- sh /tests/engine_v2.sh >"$work/output" || true
}

# What the guest said of this test: all since the one before.
guest_said_ok() {
	awk -v name="$1" '
		/^(not )?ok / { if ($NF == name) exit; text = ""; next }
		{ text = text $0 "\n" }
		END { printf "%s", text }' "$BATS_FILE_TMPDIR/output"
	grep -qx "ok $1" "$BATS_FILE_TMPDIR/output"
}

@test "the mount is there, and info says what this kernel cannot" {
	guest_said_ok mount
}

@test "an image comes by cp, a container runs, its output, code and status are there" {
	guest_said_ok run
}

@test "limits are in force, and update and config change them" {
	guest_said_ok limits
}

@test "the OOM killer's work is told" {
	guest_said_ok oom
}

@test "pause, restarts, init, and limits that do not fit" {
	guest_said_ok health
}

@test "devices are allowed and refused by the program on the group" {
	guest_said_ok devices
}

@test "stop, kill, rename and rm" {
	guest_said_ok stop_and_kill
}

@test "rootfs is read and written in every state" {
	guest_said_ok rootfs
}

@test "attach reads and writes at once; options other than limits" {
	guest_said_ok attach_and_options
}

@test "a killed engine: errors for those waiting, a new mount at once, containers run on" {
	guest_said_ok killed_engine
}

@test "no mount, group or process is left after umount" {
	guest_said_ok nothing_left
}

@test "the shim and its launcher" {
	guest_said_ok launch
}
