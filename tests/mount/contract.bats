# Promises of the interface that a look from outside found broken.

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

@test "tag onto a taken tag is EEXIST without -f, onto the same image's too" {
	ctl "tag $IMAGE other:1" >/dev/null
	expect_errno EEXIST write "$MNT/ctl" "tag $IMAGE other:1"
	expect_match "$(cat "$MNT/error")" "^error: tag: tag 'other:1' is taken"
	expect_errno EEXIST write "$MNT/ctl" "tag $IMAGE $IMAGE"
	expect_errno OK write "$MNT/ctl" "tag -f $IMAGE other:1"
	ctl 'rmi other:1' >/dev/null
}

@test "an empty archive fails the close, whoever writes it, and frees the name at once" {
	local empty=$SANDBOX/work/empty target=$MNT/images/empty:1
	: >"$empty"
	run cp "$empty" "$target"
	[ "$status" -ne 0 ]
	expect_sentence 'import: the archive is empty: there are no bytes in it'
	run dd "if=$empty" "of=$target" status=none
	expect_match "$output" 'Invalid argument'
	run busybox cp "$empty" "$target"
	expect_match "$output" 'Invalid argument'
	run bash -c 'cat "$1" >"$2"' - "$empty" "$target"
	expect_match "$output" 'Invalid argument'
	run touch "$target"
	[ "$status" -ne 0 ]
	[ ! -L "$target" ]
}

@test "who only passes the descriptor on has not written an empty archive" {
	local target=$MNT/images/passed:1
	"$TOP/tools/busybox-image" "$SANDBOX/work/d.tar.gz"
	(
		sleep 0.1
		cat "$SANDBOX/work/d.tar.gz"
	) >"$target"
	rm "$target"
	python3 - "$SANDBOX/work/d.tar.gz" "$target" <<-'PYTHON'
		import subprocess, sys
		out = open(sys.argv[2], "wb")
		child = subprocess.Popen(["sh", "-c", "sleep 0.1; cat " + sys.argv[1]], stdout=out)
		out.close()
		sys.exit(child.wait())
	PYTHON
	rm "$target"
}

@test "an archive that is one hole is read as zeros: an image without a file" {
	local target=$MNT/images/hole:1
	head -c 10240 /dev/zero >"$SANDBOX/work/zeros"
	cp --sparse=always "$SANDBOX/work/zeros" "$target"
	expect_equal "$(cat "$target/tags")" hole:1
	rm "$target"
	dd "if=$SANDBOX/work/zeros" "of=$target" bs=10240 conv=sparse status=none
	rm "$target"
}

@test "while a command runs, a pread of another thread gives the progress" {
	run_container one sleep 1000
	run_container two sleep 1000
	ctl version >/dev/null
	# Process 1 has no handler: SIGTERM does nothing, and each stop takes its whole second.
	bounded python3 - "$MNT/ctl" >"$SANDBOX/work/seen" <<-'PYTHON'
		import os, sys, threading, time
		fd = os.open(sys.argv[1], os.O_RDWR)
		command = b"stop -t 1 one two\n"
		writer = threading.Thread(target=os.write, args=(fd, command))
		writer.start()
		seen = []
		while not seen or seen[-1] != "one two":
		    text = os.pread(fd, 1000, 0)
		    text = b" ".join(text.split()).decode()
		    if not seen or seen[-1] != text:
		        seen.append(text)
		    time.sleep(0.02)
		writer.join()
		print("|".join(seen[-3:]))
	PYTHON
	expect_equal "$(cat "$SANDBOX/work/seen")" '|one|one two'
}
