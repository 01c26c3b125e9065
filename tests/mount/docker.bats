# Docker's own tests of a container's life and streams, by their names: what each asserts, with plain
# tools on the files of a mount. Where the mount differs from Docker on purpose, the mount's rule is
# what is asserted. Those of other subjects are in the file of the subject.
# shellcheck shell=bash disable=SC2016

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	OUT=$BATS_TEST_TMPDIR
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

logs_of() {
	cat "$MNT/containers/$1/logs"
}

# again NAME: its next run, to the end; its exit code.
again() {
	ctl "start $1" >/dev/null
	wait_exit "$1"
}

# start_readers NAME COUNT: that many wait for output to come.
start_readers() {
	local i
	readers=()
	for ((i = 0; i < $2; i++)); do
		head -n 1 "$MNT/containers/$1/attach" >"$OUT/read$i" 3>&- &
		readers+=("$!")
	done
	for i in "${readers[@]}"; do
		wait_blocked is_reading "$i"
	done
}

# end_readers TEXT: all of them had that.
end_readers() {
	local i
	wait "${readers[@]}"
	for i in "${!readers[@]}"; do
		expect_equal "$(cat "$OUT/read$i")" "$1"
	done
}

# --- runs and their ends ------------------------------------------------------------------

@test "TestRun, TestRunExit, TestExitCode, TestPostContainersWait: and the same after the engine's death" {
	run_container yes true
	run_container no false
	run_container killed sleep 1000
	ctl 'kill -s KILL killed' >/dev/null
	local name codes=''
	for name in yes no killed; do
		codes+="$(wait_exit "$name") "
	done
	expect_equal "$codes" '0 1 137 '
	expect_equal "$(ctl 'wait yes killed no')" $'0\n137\n1'
	kill_engine
	expect_equal "$(ctl 'wait yes killed no')" $'0\n137\n1'
	expect_equal "$(status_of killed State) $(status_of killed ExitCode)" 'exited 137'
	# A number of an earlier run does not outlive the next one's start.
	echo '{"Cmd": ["true"]}' >"$MNT/containers/no/config"
	expect_equal "$(again no)" 0
}

@test "TestOutput, TestEntrypoint, TestEntrypointNoCmd: bytes as they were written, none added" {
	run_container plain echo -n foobar
	OPTIONS='--entrypoint echo' run_container words -n foobar
	mkdir "$MNT/containers/none"
	echo "{\"Image\": \"$IMAGE\", \"Entrypoint\": [\"echo\", \"foobar\"]}" >"$MNT/containers/none/config"
	expect_equal "$(again none)" 0
	wait_exit plain >/dev/null
	wait_exit words >/dev/null
	expect_equal "$(stat -c %s "$MNT/containers/plain/stdout") $(logs_of plain)" '6 foobar'
	expect_equal "$(stat -c %s "$MNT/containers/words/stdout") $(logs_of words)" '6 foobar'
	expect_equal "$(logs_of none)" foobar
	expect_equal "$(jq -c '[.Path, .Args]' "$MNT/containers/none/inspect")" '["echo",["foobar"]]'
}

@test "TestStart, TestPostContainersStart: a second start fails, and the container is unaffected" {
	local pid
	OPTIONS=-i run_container web cat
	pid=$(status_of web Pid)
	expect_refusal EBUSY "start: container 'web' is already running" 'start web'
	expect_equal "$(status_of web State) $(status_of web Pid)" "running $pid"
	echo alive >"$MNT/containers/web/stdin"
	wait_line web alive
	ctl_of web closestdin >/dev/null
	expect_equal "$(wait_exit web)" 0
}

@test "TestKill, TestKillDifferentUser, TestPostContainersKill: dead when it has answered; twice is ESRCH" {
	local pid
	OPTIONS='-i -u daemon' run_container web cat
	pid=$(status_of web Pid)
	expect_equal "$(awk '$1 == "Uid:" { print $2 }' "/proc/$pid/status")" 1
	ctl 'kill web' >/dev/null
	[ ! -e "/proc/$pid" ]
	expect_equal "$(status_of web State) $(wait_exit web)" 'exited 137'
	expect_refusal ESRCH "kill: container 'web' is not running" 'kill web'
}

@test "TestPostContainersStop, TestPostContainersRestart, TestCreateStartRestartStopStartKillRm, TestCreateRm, TestDeleteContainers" {
	ctl "create --name web $IMAGE sleep 1000" >/dev/null
	expect_equal "$(ls "$MNT/containers")" web
	ctl 'start web' 'restart -t 0 web' >/dev/null
	expect_equal "$(status_of web State)" running
	ctl 'stop -t 0 web' >/dev/null
	expect_equal "$(status_of web State)" exited
	ctl 'stop web' 'start web' 'kill web' 'rm web' >/dev/null
	expect_equal "$(ls "$MNT/containers")" ''
	ctl "create --name web $IMAGE true" 'rm web' >/dev/null
	expect_refusal ENOENT 'rm: no such container: web' 'rm web'
}

@test "TestMultipleContainers: two run, one is killed, the other runs on" {
	run_container one sleep 1000
	run_container two sleep 1000
	expect_equal "$(ctl "ps --format '{{.Names}}'" | sort | xargs)" 'one two'
	ctl 'kill one' >/dev/null
	expect_equal "$(status_of one State) $(status_of two State)" 'exited running'
	expect_equal "$(ctl "ps --format '{{.Names}}'")" two
}

@test "TestDestroy, TestDestroyWithInitLayer, TestRunAutoRemove: nothing is left, and a second time is ENOENT" {
	local id
	id=$(ctl "create --name web $IMAGE sh -c 'echo >/f'")
	expect_equal "$(again web)" 0
	[ -n "$(find "$ROOT" "$RUN" -xdev -path "*$id*" -print -quit)" ]
	rmdir "$MNT/containers/web"
	expect_errno ENOENT rmdir "$MNT/containers/web"
	expect_refusal ENOENT "rm: no such container: ${id:0:12}" "rm ${id:0:12}"
	eventually test -z "$(find "$ROOT" "$RUN" -xdev -path "*$id*" -print -quit)"
	expect_failure grep -q "$id" /proc/self/mountinfo
	cfs run --rm --name web "$IMAGE" true
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "TestRestore, TestRestartGhost: the engine dies; who runs, runs on, with log, input and exit code" {
	OPTIONS=-i run_container web sh -c 'cat; exit 5'
	ctl "create --name still $IMAGE true" >/dev/null
	run_container kept sleep 1000
	echo before >"$MNT/containers/web/stdin"
	wait_line web before
	kill_engine
	expect_equal "$(status_of web State) $(status_of still State)" 'running created'
	echo after >"$MNT/containers/web/stdin"
	ctl_of web closestdin >/dev/null
	expect_equal "$(wait_exit web) $(logs_of web | xargs)" '5 before after'
	# There are no ghosts: it can be killed, started, and is one of the others.
	ctl 'kill kept' 'start kept' >/dev/null
	expect_equal "$(status_of kept State)" running
}

# --- streams ------------------------------------------------------------------------------

@test "TestMultipleAttachRestart, TestReattachAfterDisconnect: each reader has all from when it came, in each run" {
	OPTIONS=-i run_container web sh -c 'while read -r line; do echo "$line"; done'
	start_readers web 3
	echo hello >"$MNT/containers/web/stdin"
	end_readers hello
	expect_equal "$(status_of web State)" running
	ctl 'stop -t 0 web' 'start web' >/dev/null
	start_readers web 3
	echo hello >"$MNT/containers/web/stdin"
	end_readers hello
	expect_equal "$(logs_of web | xargs)" 'hello hello'
}

@test "TestRestart: the output once, and twice" {
	ctl "create --name web $IMAGE echo -n foobar" >/dev/null
	again web >/dev/null
	expect_equal "$(logs_of web)" foobar
	ctl 'restart web' >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(logs_of web)" foobarfoobar
}

@test "TestStdin, TestRestartStdin, TestPostContainersAttach: its end is the process's, and each run has its own" {
	OPTIONS='-i -a stdin' run_container web cat
	printf 'hello world' >"$MNT/containers/web/stdin"
	expect_equal "$(wait_exit web) $(logs_of web)" '0 hello world'
	ctl 'start web' >/dev/null
	printf ', hello' >"$MNT/containers/web/attach"
	expect_equal "$(wait_exit web) $(logs_of web)" '0 hello world, hello'
	# A start that failed takes no input along.
	echo '{"Cmd": ["/nonsense"]}' >"$MNT/containers/web/config"
	expect_errno ENOENT write "$MNT/ctl" 'start web'
	echo '{"Cmd": ["cat"]}' >"$MNT/containers/web/config"
	ctl 'start web' >/dev/null
	printf . >"$MNT/containers/web/stdin"
	expect_equal "$(wait_exit web) $(logs_of web)" '0 hello world, hello.'
}

@test "TestPostContainersAttachStderr, TestWriteBroadcaster, TestBufReader: streams apart, a reader that goes is nobody's loss" {
	OPTIONS=-i run_container web sh -c 'while read -r line; do echo "$line" >&2; done'
	start_readers web 2
	exec 6<"$MNT/containers/web/attach" # and never reads
	echo one >"$MNT/containers/web/stdin"
	end_readers one
	echo two >"$MNT/containers/web/stdin" # nobody is there any more
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	exec 6<&-
	expect_equal "$(xargs <"$MNT/containers/web/stderr")$(cat "$MNT/containers/web/stdout")" 'one two'
}

@test "TestRunDisconnect, TestAttachDisconnect, TestRunDetach: closing a reader never kills; the end of its input does end cat" {
	OPTIONS=-i run_container web cat
	start_readers web 1
	kill -KILL "${readers[@]}"
	wait "${readers[@]}" || :
	echo still >"$MNT/containers/web/stdin"
	wait_line web still
	expect_equal "$(status_of web State)" running
	# With StdinOnce the one who leaves, however, is the end of it.
	OPTIONS='-i -a stdin' run_container once cat
	exec 5<>"$MNT/containers/once/attach"
	echo hello >&5
	expect_equal "$(bounded head -n 1 <&5)" hello
	exec 5>&-
	expect_equal "$(wait_exit once)" 0
}

@test "TestGetContainersByName, TestGetInfo, TestGetVersion, TestLogEvent: what is told of it" {
	local count
	exec 5<"$MNT/events"
	count=$(field "$MNT/info" Containers)
	run_container web true
	wait_exit web >/dev/null
	expect_equal "$(jq -r '.Name, .Id' "$MNT/containers/web/inspect" | xargs)" "web $(status_of web Id)"
	expect_equal "$(field "$MNT/info" Containers)" $((count + 1))
	grep -q '^Version:	.' "$MNT/version"
	expect_equal "$(bounded head -n 3 <&5 | jq -r '.Action + " " + .Actor.Attributes.name' | xargs)" \
		'create web start web die web'
	exec 5<&-
}
