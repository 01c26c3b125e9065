# More promises of the interface that a look from outside found broken.

load lib
load survival

setup_file() {
	sandbox_start
	build_helpers
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

@test "a container without an image can be listed, and its rootfs leads nowhere" {
	mkdir "$MNT/containers/bare"
	ls -lR "$MNT/containers" >/dev/null
	expect_equal "$(readlink "$MNT/containers/bare/rootfs")" \
		"$RUN/rootfs/$(field "$MNT/containers/bare/status" Id)"
	expect_failure ls "$MNT/containers/bare/rootfs/"
	expect_sentence "rootfs: container 'bare' has no image; set Image in its config"
	echo "{\"Image\": \"$IMAGE\"}" >"$MNT/containers/bare/config"
	ls "$MNT/containers/bare/rootfs/bin/sh"
}

@test "what cannot be opened or changed is named by its path" {
	mkdir "$MNT/containers/web"
	expect_errno EACCES open w "$MNT/containers/web/status"
	expect_sentence "'containers/web/status' is read-only"
	expect_errno EACCES open r "$MNT/containers/web/stdin"
	expect_sentence "'containers/web/stdin' is write-only"
	expect_errno EACCES open rw "$MNT/images/$IMAGE/size"
	expect_match "$(cat "$MNT/error")" "'images/sha256/[0-9a-f]{12}/size' is read-only"
	expect_errno EACCES open w "$MNT/ps"
	expect_sentence "'ps' is read-only"
	expect_errno EPERM utimes "$MNT/containers/web"
	expect_sentence "owner, mode, times and size of 'containers/web' cannot be changed"
	expect_errno EPERM chmod "$MNT/containers/web/logs"
	expect_sentence "owner, mode, times and size of 'containers/web/logs' cannot be changed"
}

@test "the event of a resize has both sizes" {
	OPTIONS=-t run_container web sleep 1000
	exec 4<"$MNT/events"
	ctl_of web 'resize 40 120'
	expect_match "$(bounded head -n 1 <&4)" '"height":"40","width":"120"'
	exec 4<&-
}

@test "--init starts with as few descriptors as the program may have" {
	expect_errno OK write "$MNT/ctl" "run --rm --init --ulimit nofile=3 $IMAGE true"
}

@test "a policy restarts what is due while the next engine is only beginning" {
	local mounted i
	for i in 1 2 3 4 5 6; do
		ctl "run --name r$i --restart always $IMAGE false" >/dev/null
	done
	mounted=$(field "$MNT/info" Mounted)
	for i in 1 2 3 4 5 6; do
		kill_engine
		field "$MNT/containers/r$i/status" Restarts >/dev/null
	done
	expect_equal "$(field "$MNT/info" Mounted)" "$mounted"
	expect_failure grep 'killed by signal 11' "$RUN/log"
}

@test "a volume made while engines die is made once" {
	bounded python3 - "$MNT/volumes" <<-'PYTHON' &
		import os, sys
		for i in range(400):
		    os.mkdir("%s/v%d" % (sys.argv[1], i))
		    os.rmdir("%s/v%d" % (sys.argv[1], i))
	PYTHON
	kill_engines 60 1000 9000
	wait $!
	expect_equal "$(ls "$MNT/volumes")" ''
}
