# What is done to the processes of a container that runs: pause, limits, the OOM killer, init.

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

# A container that counts as fast as it can, into a file of its own.
start_counting() {
	run_container "$1" sh -c 'echo ready; i=0; while :; do i=$((i + 1)); echo $i >/count; done'
	wait_line "$1" ready
}

count_of() {
	cat "$MNT/containers/$1/rootfs/count"
}

# No step in the time in which thousands are made; the file may be cut short, but does not change.
stands_still() {
	local before
	before=$(count_of "$1")
	sleep 0.05
	expect_equal "$(count_of "$1")" "$before"
}

goes_on() {
	[ "$(count_of "$1")" != "$2" ]
}

# actions_of NAME: those of its events so far, in one line.
actions_of() {
	sed -n "s/.*\"Action\":\"\([a-z]*\)\".*\"name\":\"$1\".*/\1/p" "$RUN"/events* | tr '\n' ' '
}

# --- pause ------------------------------------------------------------------

@test "pause: all processes stand still, and unpause lets them go on" {
	local before
	start_counting web
	ctl 'pause web' >/dev/null
	expect_equal "$(status_of web State)" paused
	grep -q '"Paused": *true' "$MNT/containers/web/inspect"
	grep -q 'Paused:	1' "$MNT/info"
	stands_still web
	before=$(count_of web)
	ctl_of web unpause >/dev/null
	expect_equal "$(status_of web State)" running
	eventually goes_on web "$before"
	expect_equal "$(actions_of web)" 'create start pause unpause '
}

@test "pause of a paused one and unpause of a running one: EBUSY; of a stopped one: ESRCH" {
	run_container web sleep 1000
	expect_refusal EBUSY "unpause: container 'web' is not paused" 'unpause web'
	ctl_of web pause >/dev/null
	expect_refusal EBUSY "pause: container 'web' is already paused" 'pause web'
	expect_errno EBUSY write "$MNT/ctl" 'start web'
	expect_errno EBUSY write "$MNT/ctl" 'rm web'
	ctl 'kill web' >/dev/null
	expect_refusal ESRCH "pause: container 'web' is not running" 'pause web'
	expect_refusal ESRCH "unpause: container 'web' is not running" 'unpause web'
	expect_refusal ENOENT 'pause: no such container: nope' 'pause nope'
}

@test "stop, kill, restart and rm -f work on a paused one" {
	local script='trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done'
	for name in stop kill term again; do
		run_container $name sh -c "$script"
		wait_line $name ready
	done
	ctl 'pause stop kill term again' >/dev/null
	ctl 'stop stop' >/dev/null
	expect_equal "$(status_of stop State) $(status_of stop ExitCode)" 'exited 7'
	expect_equal "$(actions_of stop)" 'create start pause kill unpause die stop '
	ctl 'kill kill' >/dev/null
	expect_equal "$(status_of kill State) $(status_of kill ExitCode)" 'exited 137'
	ctl 'kill -s TERM term' >/dev/null
	expect_equal "$(wait_exit term)" 7
	ctl 'restart -t 5 again' >/dev/null
	expect_equal "$(status_of again State)" running
	ctl 'pause again' 'rm -f again' >/dev/null
	[ ! -e "$MNT/containers/again" ]
}

@test "a killed engine finds who is paused and who is not" {
	local before
	start_counting still
	start_counting goes
	ctl 'pause still goes' 'unpause goes' >/dev/null
	kill_engine
	expect_equal "$(status_of still State) $(status_of goes State)" 'paused running'
	stands_still still
	before=$(count_of still)
	ctl 'unpause still' >/dev/null
	eventually goes_on still "$before"
	expect_equal "$(actions_of still)" 'create start pause unpause '
}

# The engine dies in the middle of each of many pauses: whatever was reached, status and the kernel
# agree, and the one who asked was answered.
@test "an engine that is killed while it pauses leaves no wrong state" {
	local verb state i
	start_counting torn
	for i in 1 2 3 4 5 6; do
		state=$(status_of torn State)
		verb=pause
		if [ "$state" = paused ]; then
			verb=unpause
		fi
		ctl "$verb torn" >/dev/null &
		kill_engine
		wait "$!"
		state=$(status_of torn State)
		if [ "$verb" = pause ]; then
			expect_equal "$state" paused
			stands_still torn
		else
			expect_equal "$state" running
			eventually goes_on torn "$(count_of torn)"
		fi
	done
	expect_equal "$(actions_of torn)" 'create start pause unpause pause unpause pause unpause '
}
