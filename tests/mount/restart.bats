# Restart policies. The containers count their runs in a file of their own.

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

status_of() {
	field "$MNT/containers/$1/status" "$2"
}

# run_policy NAME POLICY SCRIPT: $n is the number of the run.
run_policy() {
	OPTIONS="--restart $2" run_container "$1" sh -c "echo >>/runs; n=\$(wc -l </runs); echo run \$n; $3"
}

runs_of() {
	wc -l <"$MNT/containers/$1/rootfs/runs"
}

@test "on-failure: until it succeeds; follow goes on, wait and attach end with their run" {
	local attach wait
	run_policy web on-failure 'while [ ! -e /go ]; do sleep 0.01; done; [ $n = 3 ] || exit 9'
	wait_line web 'run 1'
	cat "$MNT/containers/web/attach" >"$SANDBOX/attach" &
	attach=$!
	cat "$MNT/containers/web/wait" >"$SANDBOX/wait" &
	wait=$!
	wait_blocked is_reading "$attach"
	wait_blocked is_reading "$wait"
	touch "$MNT/containers/web/rootfs/go"
	bounded cat "$MNT/containers/web/follow" >"$SANDBOX/follow"
	wait "$attach"
	wait "$wait"
	expect_equal "$(cat "$SANDBOX/attach" "$SANDBOX/wait")" 9
	expect_equal "$(cat "$SANDBOX/follow")" "$(printf 'run 1\nrun 2\nrun 3')"
	expect_equal "$(status_of web State) $(status_of web ExitCode) $(status_of web Restarts)" \
		'exited 0 2'
	expect_equal "$(runs_of web)" 3
	expect_equal "$(grep -c '"Action":"die".*"name":"web"' "$RUN/events")" 3
	grep -q '"RestartCount": *2' "$MNT/containers/web/inspect"
}

@test "on-failure:N: at most so often, and a start by hand counts anew" {
	run_policy web on-failure:2 'exit 4'
	bounded cat "$MNT/containers/web/follow" >/dev/null
	expect_equal "$(status_of web State) $(status_of web ExitCode) $(status_of web Restarts)" \
		'exited 4 2'
	ctl 'start web' >/dev/null
	bounded cat "$MNT/containers/web/follow" >/dev/null
	expect_equal "$(runs_of web) $(status_of web Restarts)" '6 2'
}

@test "restarting: the failure's code is shown, the pause doubles, and stop ends it with follow" {
	local follow
	run_policy web always '[ $n -gt 5 ] && exec sleep 1000; exit 9'
	bounded cat "$MNT/containers/web/follow" >/dev/null &
	follow=$!
	# The pause after this run is 1.6 s long, time enough for all that follows.
	wait_line web 'run 5'
	wait_state web restarting
	expect_equal "$(status_of web ExitCode) $(status_of web Pid)" '9 0'
	expect_refusal EBUSY "rm: container 'web' is restarting; stop it or use rm -f" 'rm web'
	expect_refusal ESRCH "pause: container 'web' is not running" 'pause web'
	expect_refusal ESRCH "kill: container 'web' is not running" 'kill -s USR1 web'
	grep -q '"Restarting": *true' "$MNT/containers/web/inspect"
	ctl 'stop web' >/dev/null
	expect_equal "$(status_of web State) $(status_of web ExitCode)" 'exited 9'
	wait "$follow"
	expect_equal "$(runs_of web)" 5
}

@test "restarting: kill and rm -f end it, start does not wait for it" {
	for name in kill rm start; do
		run_policy $name always '[ $n = 6 ] && exec sleep 1000; exit 9'
	done
	for name in kill rm start; do
		wait_line $name 'run 5'
		wait_state $name restarting
	done
	ctl 'kill kill' >/dev/null
	expect_equal "$(status_of kill State)" exited
	ctl 'rm -f rm' >/dev/null
	[ ! -e "$MNT/containers/rm" ]
	ctl 'start start' >/dev/null
	expect_equal "$(status_of start State) $(status_of start Restarts)" 'running 0'
}

@test "what its user ended stays ended: stop, kill, and the signal of a stop" {
	for name in stop kill term; do
		run_policy $name unless-stopped 'trap "exit 3" TERM; echo ready; while :; do sleep 0.01; done'
		wait_line $name ready
	done
	ctl 'stop stop' 'kill kill' 'kill -s TERM term' >/dev/null
	wait_exit term >/dev/null
	kill_engine
	for name in stop kill term; do
		expect_equal "$(status_of $name State) $(runs_of $name)" 'exited 1'
	done
}

@test "a killed engine goes on with the pause, and restarts what ended meanwhile" {
	local pid
	run_policy web on-failure '[ $n = 7 ] || exit 9'
	run_policy ends always 'sleep 1000'
	wait_line web 'run 3'
	wait_line ends 'run 1'
	pid=$(status_of ends Pid)
	kill -STOP "$(cat "$SANDBOX/holder")"
	kill_engine
	kill -KILL "$pid"
	kill -CONT "$(cat "$SANDBOX/holder")"
	bounded cat "$MNT/containers/web/follow" >/dev/null
	expect_equal "$(status_of web Restarts) $(runs_of web)" '6 7'
	wait_line ends 'run 2'
	expect_equal "$(status_of ends Restarts)" 1
}

@test "an engine that is killed while a stop ends the pause leaves it ended" {
	local i
	run_policy web always 'exit 9'
	for i in 1 2 3 4; do
		wait_state web restarting
		ctl "$([ $((i % 2)) = 0 ] && echo kill || echo stop) web" >/dev/null &
		kill_engine
		wait "$!"
		expect_equal "$(status_of web State)" exited
		ctl 'start web' >/dev/null
	done
}

@test "a missing program counts as a failed run" {
	run_policy web on-failure:3 'mv /bin/sh /bin/gone; exit 9'
	bounded cat "$MNT/containers/web/follow" >/dev/null
	expect_equal "$(status_of web State) $(status_of web ExitCode) $(status_of web Restarts)" \
		'exited 127 3'
	expect_match "$(status_of web Error)" "'sh'"
}

@test "config and update change it live; with --rm it is refused" {
	run_policy web no 'while [ ! -e /go ]; do sleep 0.01; done; rm /go; exit 1'
	wait_line web 'run 1'
	echo '{"HostConfig": {"RestartPolicy": {"Name": "always"}}}' >"$MNT/containers/web/config"
	touch "$MNT/containers/web/rootfs/go"
	wait_line web 'run 2'
	ctl 'update --restart no web' >/dev/null
	touch "$MNT/containers/web/rootfs/go"
	expect_equal "$(wait_exit web)" 1
	expect_equal "$(status_of web State) $(runs_of web)" 'exited 2'
	expect_errno EINVAL write "$MNT/ctl" "run --rm --restart always $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "create --restart sometimes $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "create --restart always:3 $IMAGE true"
}

@test "a restart that cannot even begin is put off, and status says why" {
	run_policy web always 'exit 9'
	# Not while it runs.
	eventually set_sysctls web '{"net.no.such": "1"}'
	eventually has_error web "this kernel has no sysctl 'net.no.such'"
	expect_equal "$(status_of web State) $(status_of web ExitCode)" 'restarting 9'
	set_sysctls web null
	wait_line web "run $(($(runs_of web) + 1))"
	ctl 'rm -f web' >/dev/null
}

set_sysctls() {
	{ echo "{\"HostConfig\": {\"Sysctls\": $2}}" >"$MNT/containers/$1/config"; } 2>/dev/null
}

has_error() {
	[ "$(status_of "$1" Error)" = "$2" ]
}

@test "the policy taken away during the pause ends it" {
	run_policy web always 'exit 9'
	wait_line web 'run 4'
	wait_state web restarting
	ctl 'update --restart on-failure:1 web' >/dev/null
	expect_equal "$(status_of web State)" exited
}

@test "a restart by hand is none of the policy's" {
	run_policy web always 'trap "exit 0" TERM; while :; do sleep 0.01; done'
	wait_line web 'run 1'
	ctl 'restart web' >/dev/null
	wait_line web 'run 2'
	expect_equal "$(status_of web Restarts) $(status_of web State)" '0 running'
}

# A power cut: nothing of RUN is left, the processes are gone, the machine has another boot id.
@test "after the machine was started again: always, and unless-stopped if not stopped" {
	local name file
	for name in always unless stopped failure none; do
		run_policy $name "$(sed 's/unless\|stopped/unless-stopped/; s/failure/on-failure/; s/none/no/' \
			<<<"$name")" 'exec sleep 1000'
		wait_line $name 'run 1'
	done
	ctl 'stop -t 0 stopped' >/dev/null
	mount_stop
	for file in "$RUN"/*/shim.pid; do
		kill -KILL "$(cut -d' ' -f1 "$file")"
	done
	eventually nobody_lives
	find "$RUN" -mindepth 1 -maxdepth 1 ! -name rootfs.empty -exec rm -r {} +
	sed -i 's/"boot": *"[^"]*"/"boot":"another"/' "$ROOT"/containers/*/state.json
	mount_start
	echo 0 >"$SANDBOX/kills"
	wait_line always 'run 2'
	wait_line unless 'run 2'
	for name in stopped failure none; do
		expect_equal "$name $(status_of $name State) $(runs_of $name)" "$name exited 1"
	done
	expect_match "$(status_of none Error)" 'the machine was restarted'
	expect_equal "$(status_of always State) $(status_of always Error)" 'running '
	# Made by the first look, and taken away by the end.
	readlink "$MNT/images/$IMAGE/rootfs" >/dev/null
}

nobody_lives() {
	[ -z "$(list_own_groups | while read -r group; do
		find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null
	done)" ]
}
