# Standard input of the main process: every byte, once, in order, and its end.

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

@test "bytes written reach the process in order, whoever writes" {
	local dir=$MNT/containers/web
	OPTIONS=-i run_container web cat
	echo one >"$dir/stdin"
	bash -c "echo two >'$dir/stdin'"
	printf three | tee "$dir/stdin" >/dev/null
	echo >>"$dir/stdin"
	printf 'four\n' | dd of="$dir/stdin" status=none
	wait_line web four
	expect_equal "$(cat "$dir/logs")" $'one\ntwo\nthree\nfour'
}

@test "8 MiB go in and come out byte for byte" {
	local dir=$MNT/containers/web
	head -c 8388608 /dev/urandom >"$SANDBOX/work/bytes"
	OPTIONS=-i run_container web cat
	bounded cp "$SANDBOX/work/bytes" "$dir/stdin"
	ctl_of web closestdin >/dev/null
	expect_equal "$(wait_exit web)" 0
	cmp "$SANDBOX/work/bytes" "$dir/logs"
}

@test "without -i it is EPIPE; before the start and after the end ESRCH" {
	ctl "create --name web $IMAGE sleep 1000" >/dev/null
	expect_errno ESRCH write "$MNT/containers/web/stdin" x
	ctl 'start web' >/dev/null
	expect_errno EPIPE write "$MNT/containers/web/stdin" x
	expect_match "$(cat "$MNT/error")" '^error: .*web'
	ctl 'kill web' >/dev/null
	expect_errno ESRCH write "$MNT/containers/web/stdin" x
}

@test "a process without -i reads the end of its input at once" {
	run_container web cat
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/logs")" ''
}

@test "closestdin lets the process see the end; later writes are EPIPE" {
	OPTIONS=-i run_container web sh -c 'cat; echo over; exec sleep 1000'
	echo last >"$MNT/containers/web/stdin"
	ctl_of web closestdin >/dev/null
	wait_line web over
	expect_equal "$(cat "$MNT/containers/web/logs")" $'last\nover'
	expect_errno EPIPE write "$MNT/containers/web/stdin" x
	run_container none sleep 1000
	expect_errno EPIPE write "$MNT/containers/none/ctl" closestdin
	expect_sentence "closestdin: container 'none' has no stdin; set OpenStdin"
}

@test "with -i alone the input stays open when a writer closes" {
	OPTIONS=-i run_container web sh -c 'cat; echo over'
	echo a >"$MNT/containers/web/stdin"
	echo b >"$MNT/containers/web/stdin"
	wait_line web b
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	expect_equal "$(cat "$MNT/containers/web/logs")" $'a\nb'
}

@test "with -i -a stdin it ends when the last writer closes" {
	OPTIONS='-i -a stdin' run_container web cat
	expect_equal "$(jq .StdinOnce "$MNT/containers/web/config")" true
	exec 5>"$MNT/containers/web/stdin"
	exec 6>"$MNT/containers/web/stdin"
	echo a >&5
	exec 5>&-
	echo b >&6
	wait_line web b
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	exec 6>&-
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/logs")" $'a\nb'
}

@test "when the process does not read, O_NONBLOCK is EAGAIN, and what was taken arrives" {
	local got taken
	OPTIONS=-i run_container web sh -c 'echo ready; while [ ! -e /go ]; do sleep 0.05; done; exec wc -c'
	wait_line web ready
	got=$(bounded "$TRY" writen "$MNT/containers/web/stdin" "$(printf '%01000d' 7)")
	taken=${got#EAGAIN }
	[ "$taken" != "$got" ] || fail "got $got"
	[ "$taken" -gt 0 ]
	: >"$MNT/containers/web/rootfs/go"
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(tail -n 1 "$MNT/containers/web/logs" | tr -d ' ')" "$taken"
}

@test "a write that waits goes on when the process reads" {
	local pid
	OPTIONS=-i run_container web sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exec sha256sum'
	head -c 4000000 /dev/urandom >"$SANDBOX/work/bytes"
	dd if="$SANDBOX/work/bytes" of="$MNT/containers/web/stdin" bs=1M status=none 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	: >"$MNT/containers/web/rootfs/go"
	wait "$pid"
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(cut -d' ' -f1 "$MNT/containers/web/logs")" \
		"$(sha256sum <"$SANDBOX/work/bytes" | cut -d' ' -f1)"
}

@test "a write that waits ends on a signal, and the rest of the input is whole" {
	local pid
	OPTIONS=-i run_container web sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exec tail -c 5'
	head -c 4000000 /dev/zero | dd of="$MNT/containers/web/stdin" bs=4000000 iflag=fullblock \
		status=none 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	kill -KILL "$pid"
	wait "$pid" || :
	: >"$MNT/containers/web/rootfs/go"
	bounded "$TRY" write "$MNT/containers/web/stdin" last1
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(cat "$MNT/containers/web/logs")" last1
}

@test "a write that waits is EPIPE when the container ends meanwhile" {
	local pid
	OPTIONS=-i run_container web sleep 1000
	"$TRY" write "$MNT/containers/web/stdin" "$(head -c 120000 /dev/zero | tr '\0' x)" \
		"$(head -c 120000 /dev/zero | tr '\0' y)" >"$SANDBOX/work/got" 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	ctl 'kill web' >/dev/null
	wait "$pid"
	expect_match "$(cat "$SANDBOX/work/got")" '^EPIPE|^SHORT'
}

@test "many writers at once: no line is torn" {
	local i pids=()
	OPTIONS=-i run_container web cat
	for i in {1..20}; do
		(for _ in 1 2 3 4 5; do
			printf 'line-%0100d\n' "$i" >"$MNT/containers/web/stdin"
		done) 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(grep -cxE 'line-[0-9]{100}' "$MNT/containers/web/logs")" 100
	expect_equal "$(wc -l <"$MNT/containers/web/logs")" 100
}
