# The file changes and the command diff: Docker's TestDiff, TestChangesDirsEmpty,
# TestChangesDirsMutated and TestGetContainersChanges, and what an overlay makes of them.

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# changes_of WORD...: of a container that ran these words.
changes_of() {
	run_container c "$@"
	expect_equal "$(wait_exit c)" 0 || return
	cat "$MNT/containers/c/changes"
}

@test "TestChangesDirsEmpty: what was only looked at is no change" {
	expect_equal "$(changes_of sh -c 'ls -lR / >/dev/null 2>&1; : >>/etc/passwd; exec 3<>/etc/passwd')" ''
	expect_equal "$(ctl 'diff c')" ''
}

@test "TestChangesDirsMutated: A, C and D, sorted by bytes" {
	expect_equal "$(changes_of sh -c '
		mkdir /a /a/b; echo >/a/b/f; echo >/a-b; rm /etc/passwd; echo x >/etc/new; echo y >>/etc/group')" \
		'A /a
A /a-b
A /a/b
A /a/b/f
C /etc
C /etc/group
A /etc/new
D /etc/passwd'
	expect_equal "$(ctl 'diff c')" "$(cat "$MNT/containers/c/changes")"
	expect_equal "$(ctl_of c diff)" "$(cat "$MNT/containers/c/changes")"
}

@test "a removed directory is one D; a replaced one is C, and D for each old child" {
	run_container base sh -c 'mkdir -p /d/sub /e/sub; echo >/d/f; echo >/d/sub/f; echo >/e/f'
	wait_exit base >/dev/null
	tar -C "$MNT/containers/base/rootfs" -cf "$SANDBOX/work/base.tar" .
	cp "$SANDBOX/work/base.tar" "$MNT/images/base:1"
	ctl "run --name c base:1 sh -c 'rm -r /d /e; mkdir /d; echo >/d/new'" >/dev/null
	wait_exit c >/dev/null
	expect_equal "$(cat "$MNT/containers/c/changes")" 'C /d
D /d/f
A /d/new
D /d/sub
D /e'
	ctl 'rm c' >/dev/null
	ctl "run --name c base:1 sh -c 'rm -r /d; echo >/d; chmod 700 /e; ln -s /etc /d.link'" >/dev/null
	wait_exit c >/dev/null
	expect_equal "$(cat "$MNT/containers/c/changes")" 'C /d
A /d.link
D /d/f
D /d/sub
C /e'
	ctl 'rm c' 'rm base' 'rmi base:1' >/dev/null
}

@test "names of any bytes are one line each" {
	# shellcheck disable=SC2016
	expect_equal "$(changes_of sh -c '
		n=$(printf "a\nD x"); : >"/$n"; : >"/back\\slash"; : >"/$(printf "\377")"; : >"/ü"')" \
		'A /a\nD x
A /back\\slash
A /ü
A /\xff'
}

@test "TestDiff: of a running container, one that never ran, and through rootfs; the sizes agree" {
	ctl "create --name c $IMAGE sh -c 'echo >/one; read x; echo >/two'" >/dev/null
	expect_equal "$(cat "$MNT/containers/c/changes")" ''
	echo >"$MNT/containers/c/rootfs/zero"
	expect_equal "$(cat "$MNT/containers/c/changes")" 'A /zero'
	ctl 'rm c' >/dev/null
	run_container c sh -c 'echo >/one; echo ready; sleep 1000'
	wait_line c ready
	expect_equal "$(cat "$MNT/containers/c/changes")" 'A /one'
	[ "$(stat -c %s "$MNT/containers/c/changes")" -ge 7 ]
	expect_equal "$(stat -Lc %s /dev/stdin <"$MNT/containers/c/changes")" 7
	expect_equal "$(busybox cat "$MNT/containers/c/changes")" 'A /one'
	cp "$MNT/containers/c/changes" "$SANDBOX/work/changes"
	expect_equal "$(cat "$SANDBOX/work/changes")" 'A /one'
	# What was opened stays as it was, also when the engine dies meanwhile.
	exec 5<"$MNT/containers/c/changes"
	echo >"$MNT/containers/c/rootfs/later"
	kill_engine
	expect_equal "$(cat <&5)" 'A /one'
	exec 5<&-
	expect_equal "$(cat "$MNT/containers/c/changes")" $'A /later\nA /one'
}

@test "diff refuses what it does not know" {
	expect_refusal ENOENT 'diff: no such container: nope' 'diff nope'
	expect_errno EINVAL write "$MNT/ctl" diff
}
