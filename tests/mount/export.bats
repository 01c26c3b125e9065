# The file export.tar: Docker's TestGetContainersExport, and what a stream of a living root file
# system is asked for.

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	E=$MNT/containers/c/export.tar
	W=$BATS_TEST_TMPDIR
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# What an archive keeps of the files in a directory; links are counted of files alone.
list_files() {
	(cd "$1" && find . -mindepth 1 -printf '%p %y %m %U %G %l %T@\n' -type f -printf '%n\n' | sort)
}

@test "TestGetContainersExport: a running container's files, by every reader" {
	# shellcheck disable=SC2016
	run_container c sh -c '
		echo new >/test; ln /test /test2; ln -s /x /link; mkfifo /fifo; mknod /null c 1 3; chown 7:8 /test
		: >"/$(printf "a\nb")"; : >"/$(printf "\377x")"; : >/ü; chmod 4711 /null
		d=; for i in 1 2 3 4 5; do d=$d/$(printf %0200d $i); mkdir $d; done; : >$d/deep
		dd if=/dev/zero of=/sparse bs=1 count=1 seek=50000000 2>/dev/null
		dd if=/dev/urandom of=/big bs=1M count=5 2>/dev/null
		echo ready; sleep 1000'
	wait_line c ready
	setfattr -n user.test -v value "$MNT/containers/c/rootfs/test"
	cat "$E" >"$W/a.tar"
	tar tf "$W/a.tar" >"$W/list" 2>/dev/null
	grep -qx test "$W/list"
	grep -qx 'a\\nb' "$W/list"
	grep -qx '\\377x' "$W/list"
	expect_equal "$(grep -c /deep "$W/list")" 1
	expect_equal "$(grep -c '^proc/.\|^dev/.\|^sys/.' "$W/list")" 0
	[ "$(stat -c %s "$W/a.tar")" -lt 20000000 ]
	[ "$(stat -c %s "$E")" -gt "$(stat -c %s "$W/a.tar")" ]
	cp "$E" "$W/b.tar" && cmp "$W/a.tar" "$W/b.tar"
	dd "if=$E" bs=64k status=none | cmp - "$W/a.tar"
	busybox cat "$E" | cmp - "$W/a.tar"
	expect_equal "$(sha256sum <"$E")" "$(sha256sum <"$W/a.tar")"
	expect_equal "$(wc -c <"$E")" "$(stat -c %s "$W/a.tar")"
	expect_equal "$(tar tf "$E" 2>/dev/null | sha256sum)" "$(sha256sum <"$W/list")"
	expect_equal "$(tar t <"$E" 2>/dev/null | sha256sum)" "$(sha256sum <"$W/list")"
	mkdir "$W/x"
	tar xpf "$E" -C "$W/x" --xattrs --same-owner 2>/dev/null
	expect_equal "$(list_files "$W/x")" "$(list_files "$MNT/containers/c/rootfs/")"
	cmp "$W/x/big" "$MNT/containers/c/rootfs/big"
	expect_equal "$(stat -c '%s %b' "$W/x/sparse" | awk '{ print $1, $2 < 1000 }')" '50000001 1'
	expect_equal "$(getfattr --only-values -n user.test "$W/x/test" 2>/dev/null)" value
	# And back: the image has what the container had.
	cp "$E" "$MNT/images/exp:1"
	expect_equal "$(cat "$MNT/images/exp:1/rootfs/test")" new
	ctl 'rmi exp:1' >/dev/null
}

@test "the size is never too small, and not much too large" {
	local size real
	# shellcheck disable=SC2016
	run_container c sh -c '
		d=; for i in 1 2 3 4 5 6 7 8; do d=$d/$(printf %0200d $i); mkdir $d; done
		for i in $(seq 500); do : >$d/$i; ln -s /$(printf %0300d $i) /l$i; done
		dd if=/dev/zero of=/sparse bs=1 count=1 seek=50000000000 2>/dev/null
		dd if=/dev/zero of=/holes bs=1 count=1 seek=1000000 2>/dev/null; ln /holes /more
		for i in 1 2 3 4; do dd if=/dev/zero of=/zeros$i bs=1M count=$i 2>/dev/null; done'
	wait_exit c >/dev/null
	size=$(stat -c %s "$E") real=$(wc -c <"$E")
	[ "$size" -gt "$real" ]
	[ "$size" -lt $((real + 16 * 1024 * 1024)) ] || fail "$size for $real"
	OPTIONS=--rm run_container r sleep 1000
	size=$(stat -c %s "$MNT/containers/r/export.tar")
	[ "$size" -lt $((100 * 1024 * 1024)) ] || fail "$size for a container that runs"
	mkdir "$MNT/containers/none"
	[ "$(stat -c %s "$MNT/containers/none/export.tar")" -lt $((2 * 1024 * 1024)) ]
}

@test "each open is an archive of its own; who closes early ends the work; nobody seeks" {
	run_container c sh -c 'dd if=/dev/urandom of=/big bs=1M count=20 2>/dev/null'
	expect_equal "$(wait_exit c)" 0
	local i
	exec 5<"$E" 6<"$E"
	{
		head -c 3000000 <&5
		head -c 1000000 <&6 >"$W/six"
		cat <&5
	} >"$W/five"
	cat <&6 >>"$W/six"
	exec 5<&- 6<&-
	cmp "$W/five" "$W/six"
	for i in 1 2 3 4 5; do head -c 1000 "$E" >"$W/head.$i"; done
	cmp "$W/head.1" "$W/head.5"
	python3 - "$E" <<-'PYTHON'
		import errno, os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		for call in (lambda: os.lseek(fd, 0, os.SEEK_SET), lambda: os.pread(fd, 10, 0)):
		    try:
		        call()
		        sys.exit("no error")
		    except OSError as error:
		        assert error.errno == errno.ESPIPE, error
	PYTHON
	expect_errno EACCES write "$E" x
}

@test "an engine's death is EIO for who was reading, and the next open is whole" {
	run_container c sh -c 'dd if=/dev/urandom of=/big bs=1M count=20 2>/dev/null'
	expect_equal "$(wait_exit c)" 0
	exec 5<"$E"
	head -c 100000 <&5 >/dev/null
	kill_engine
	run cat <&5
	exec 5<&-
	[ "$status" = 1 ]
	expect_match "$output" 'Input/output error'
	expect_sentence 'export: the engine was killed while the archive was made'
	tar tf "$E" big >/dev/null
}

@test "a container that never ran has its image's files; one without an image tells why" {
	ctl "create --name c $IMAGE true" >/dev/null
	tar tf "$E" bin/busybox >/dev/null
	ctl 'rm c' >/dev/null
	mkdir "$MNT/containers/c"
	run cat "$E"
	[ "$status" = 1 ]
	expect_match "$(cat "$MNT/error")" '^error: export: rootfs: .*has no image'
}

@test "export tells an event" {
	ctl "create --name c $IMAGE true" >/dev/null
	exec 6<"$MNT/events"
	cat "$E" >/dev/null
	expect_match "$(bounded head -n 1 <&6)" '"Action":"export".*"name":"c"'
	exec 6<&-
}
