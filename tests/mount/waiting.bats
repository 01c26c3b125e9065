# Waiting: who waits delays nobody, ends on a signal, and is told by poll.

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

@test "a thousand blocked cat wait do not slow stat and ls" {
	local before after
	run_container web sleep 1000
	before=$(time_of_looks)
	mkfifo "$SANDBOX/work/stop"
	"$TRY" readers 1000 "$MNT/containers/web/wait" <"$SANDBOX/work/stop" \
		>"$SANDBOX/work/readers" 3>&- &
	exec 6>"$SANDBOX/work/stop"
	DEADLINE=60 eventually grep -q blocked "$SANDBOX/work/readers"
	expect_equal "$(head -n 1 "$SANDBOX/work/readers")" blocked
	after=$(time_of_looks)
	# A hundred looks, in ms; what is slow is slower by far more than noise.
	[ "$after" -lt $((before * 3 + 200)) ] || fail "$before ms before, $after ms with readers"
	ctl 'kill web' >/dev/null
	DEADLINE=60 eventually has_codes 1000
	exec 6>&-
	wait
	expect_equal "$(tail -n 1 "$SANDBOX/work/readers")" 'done 1000'
	rm "$SANDBOX/work/stop"
}

has_codes() {
	[ "$(grep -cx 137 "$SANDBOX/work/readers")" = "$1" ]
}

time_of_looks() {
	local start end i
	start=$(date +%s%N)
	for i in {1..50}; do
		stat "$MNT/containers/web/status" >/dev/null
		ls "$MNT/containers" >/dev/null
	done
	end=$(date +%s%N)
	echo $(((end - start) / 1000000))
}

@test "wait gives the code to all who wait, and at once when it has ended" {
	local pids=() i
	run_container web sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 42'
	for i in 1 2 3; do
		cat "$MNT/containers/web/wait" >"$SANDBOX/work/wait$i" 3>&- &
		pids+=($!)
	done
	wait_blocked is_reading "${pids[2]}"
	: >"$MNT/containers/web/rootfs/go"
	wait "${pids[@]}"
	expect_equal "$(cat "$SANDBOX"/work/wait?)" $'42\n42\n42'
	expect_equal "$(wait_exit web)" 42
}

@test "wait of a created one blocks until it has run" {
	local pid
	ctl "create --name web $IMAGE sh -c 'exit 6'" >/dev/null
	cat "$MNT/containers/web/wait" >"$SANDBOX/work/wait" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	ctl 'start web' >/dev/null
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/wait")" 6
}

@test "an open wait survives rm and gets the code" {
	local pid
	run_container web sleep 1000
	cat "$MNT/containers/web/wait" >"$SANDBOX/work/wait" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	ctl 'rm -f web' >/dev/null
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/wait")" 137
}

@test "kill works while another process's stop waits" {
	local pid
	run_container web sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	wait_line web ready
	bash -c "echo 'stop 1000' >'$MNT/containers/web/ctl'" 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	expect_errno OK write "$MNT/containers/web/ctl" kill
	wait "$pid"
	expect_equal "$(wait_exit web)" 137
}

@test "looking, and commands on others, do not wait for a stop" {
	local pid
	run_container web sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	wait_line web ready
	bash -c "echo 'stop -t 1000 web' >'$MNT/ctl'" 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	bounded cat "$MNT/containers/web/status" "$MNT/ps" "$MNT/ctl" >/dev/null
	bounded ls -lR "$MNT/containers" >/dev/null
	run_container other true
	expect_equal "$(wait_exit other)" 0
	ctl 'kill web' >/dev/null
	wait "$pid"
}

@test "a stop that is interrupted ends with EINTR, and goes on" {
	local pid
	run_container web sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	wait_line web ready
	"$TRY" write "$MNT/containers/web/ctl" 'stop 2' >"$SANDBOX/work/got" 3>&- &
	pid=$!
	wait_blocked is_writing "$pid"
	kill -TERM "$pid" # (SIGINT is ignored in the background of a shell)
	wait "$pid" || :
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	wait_state web exited
	expect_equal "$(wait_exit web)" 137
}

@test "blocked reads of wait, follow, attach and events end on a signal" {
	local name signal pid file
	run_container web sleep 1000
	for name in containers/web/wait containers/web/follow containers/web/attach events; do
		for signal in TERM KILL; do
			file=$MNT/$name
			cat "$file" 3>&- &
			pid=$!
			wait_blocked is_reading "$pid"
			kill "-$signal" "$pid"
			eventually gone "$pid"
			wait "$pid" || :
		done
	done
	expect_equal "$(field "$MNT/containers/web/status" State)" running
}

@test "a stop, SIGSTOP and SIGCONT of a reader lose nothing" {
	local pid
	run_container web sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 9'
	cat "$MNT/containers/web/wait" >"$SANDBOX/work/wait" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	kill -STOP "$pid"
	: >"$MNT/containers/web/rootfs/go"
	wait_state web exited
	kill -CONT "$pid"
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/wait")" 9
}

# poll_of FILE: what poll gives there; "waiting" is in $SANDBOX/work/poll before.
start_poll() {
	: >"$SANDBOX/work/poll" # not what the one before said
	"$TRY" "$1" "$2" 20000 >"$SANDBOX/work/poll" 3>&- &
	poll_pid=$!
	eventually grep -q waiting "$SANDBOX/work/poll"
}

end_poll() {
	wait "$poll_pid"
	expect_match "$(tail -n 1 "$SANDBOX/work/poll")" '^IN'
}

# Both streams have that many lines.
is_settled() {
	[ "$(wc -l <"$MNT/containers/web/stdout") $(wc -l <"$MNT/containers/web/stderr")" = "$1 $1" ]
}

@test "poll: logs, stdout, stderr and follow beyond what was read, attach when something is new" {
	local name lines=1
	OPTIONS=-i run_container web sh -c 'echo x; echo y >&2; exec tee /dev/stderr'
	eventually is_settled 1
	for name in logs stdout stderr; do
		start_poll poll "$MNT/containers/web/$name" # there are bytes
		end_poll
		start_poll pollread "$MNT/containers/web/$name" # there are no more yet
		expect_equal "$(wc -l <"$SANDBOX/work/poll")" 1
		echo more >"$MNT/containers/web/stdin"
		end_poll
		eventually is_settled $((++lines))
	done
	start_poll poll "$MNT/containers/web/follow"
	end_poll
	start_poll poll "$MNT/containers/web/attach"
	expect_equal "$(wc -l <"$SANDBOX/work/poll")" 1
	echo more >"$MNT/containers/web/stdin"
	end_poll
}

@test "poll: wait when the container has stopped, events when there is one" {
	run_container web sleep 1000
	start_poll poll "$MNT/containers/web/wait"
	expect_equal "$(wc -l <"$SANDBOX/work/poll")" 1
	ctl 'kill web' >/dev/null
	end_poll
	start_poll poll "$MNT/events"
	expect_equal "$(wc -l <"$SANDBOX/work/poll")" 1
	ctl 'rm web' >/dev/null
	end_poll
}

@test "500 parked readers of follow hold nobody up, and all see the end" {
	run_container web sh -c 'while [ ! -e /go ]; do sleep 0.05; done; echo bye'
	mkfifo "$SANDBOX/work/stop"
	"$TRY" readers 500 "$MNT/containers/web/follow" <"$SANDBOX/work/stop" \
		>"$SANDBOX/work/readers" 3>&- &
	exec 6>"$SANDBOX/work/stop"
	DEADLINE=60 eventually grep -q blocked "$SANDBOX/work/readers"
	: >"$MNT/containers/web/rootfs/go"
	expect_equal "$(wait_exit web)" 0
	DEADLINE=60 eventually has_lines bye 500
	exec 6>&-
	wait
	expect_equal "$(tail -n 1 "$SANDBOX/work/readers")" 'done 500'
	rm "$SANDBOX/work/stop"
}

has_lines() {
	[ "$(grep -cx "$1" "$SANDBOX/work/readers")" = "$2" ]
}
