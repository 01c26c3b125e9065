# The engine, or all of containerfs, is killed or ended at chosen moments: who
# waits sees a pause and no error, nothing is done twice, nothing is lost.
# Random moments under load are in survival_load.bats, ends of all in survival_again.bats.

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
	hold_end
	# A test that failed half way must not take the others along.
	bounded stat "$MNT/info" >/dev/null 2>&1 || mount_start
	look_after
}

teardown_file() {
	sandbox_end
}

# --- who waits -----------------------------------------------------------------------

@test "wait, follow, attach and events sleep through the death of the engine" {
	record_events
	run_cat web
	hold_start wait follow attach log
	hold wait "open r $MNT/containers/web/wait"
	hold follow "open r $MNT/containers/web/follow"
	hold attach "open rw $MNT/containers/web/attach"
	hold_send wait 'read 100'
	hold_send follow 'read 100'
	hold_send attach 'read 100'
	hold_blocked wait is_reading
	hold_blocked follow is_reading
	hold_blocked attach is_reading
	kill_engine
	echo hello >"$MNT/containers/web/stdin"
	expect_answer follow 'OK hello\n'
	expect_answer attach 'OK hello\n'
	kill_engine
	hold attach 'write again' 'OK 6'
	hold follow 'read 100' 'OK again\n'
	hold attach 'read 100' 'OK again\n'
	hold_send follow 'read 100'
	hold_send attach 'read 100'
	hold_blocked follow is_reading
	kill_engine
	ctl 'kill -s TERM web' 'stop -t 0 web'
	expect_answer wait 'OK 137\n'
	expect_answer follow 'OK'
	expect_answer attach 'OK'
	hold wait 'pread 0 100' 'OK 137\n'
	expect_events die web 1
	expect_events start web 1
	expect_events create web 1
	expect_no_gap
	kill "$EVENTS_PID"
}

@test "pollers of all files that wait are woken by the next engine" {
	local name
	run_cat web
	hold_start wait follow attach logs stdout events
	for name in wait follow attach logs stdout; do
		hold "$name" "open r $MNT/containers/web/$name"
	done
	hold events "open r $MNT/events"
	for name in "${!HOLD_PID[@]}"; do
		hold_send "$name" 'poll 20000'
		eventually is_polling "${HOLD_PID[$name]}"
	done
	kill_engine
	kill_engine
	echo x >"$MNT/containers/web/stdin"
	for name in follow attach logs stdout; do
		expect_answer "$name" 'OK IN'
		hold "$name" 'read 10' 'OK x\n'
		hold_send "$name" 'poll 20000'
		eventually is_polling "${HOLD_PID[$name]}"
	done
	kill_engine
	ctl 'kill web'
	expect_answer wait 'OK IN'
	expect_answer events 'OK IN'
	expect_answer follow 'OK IN'
	expect_answer attach 'OK IN'
	echo y >"$SANDBOX/work/none"
	ctl 'start web'
	echo y >"$MNT/containers/web/stdin"
	expect_answer logs 'OK IN'
	expect_answer stdout 'OK IN'
}

# kill_while_down LINE PID...: the engine dies, the line reaches these processes, which end,
# and only then the next engine comes.
kill_while_down() {
	local line=$1 pid
	kill -STOP "$(get_holder)"
	kill_engine_unseen
	shift
	for pid in "$@"; do
		echo "$line" >"/proc/$pid/fd/0"
	done
	for pid in "$@"; do
		eventually gone_or_zombie "$pid"
	done
	kill -CONT "$(get_holder)"
}

@test "what ends while no engine serves is told to those who waited" {
	local name pids=()
	for name in keep gone; do
		OPTIONS="-i$([ "$name" = keep ] || echo ' --rm')" \
			run_container "$name" sh -c 'read x; echo last; echo words >&2; exit 7'
		pids+=("$(field "$MNT/containers/$name/status" Pid)")
		hold_start "$name-follow" "$name-attach" "$name-wait" "$name-later"
		hold "$name-follow" "open r $MNT/containers/$name/follow"
		hold "$name-attach" "open r $MNT/containers/$name/attach"
		hold "$name-wait" "open r $MNT/containers/$name/wait"
		hold "$name-later" "open r $MNT/containers/$name/wait"
		hold_send "$name-wait" 'read 10'
		hold_blocked "$name-wait" is_reading
	done
	kill_while_down go "${pids[@]}"
	for name in keep gone; do
		expect_answer "$name-wait" 'OK 7\n'
		hold "$name-later" 'read 10' 'OK 7\n'
		hold "$name-follow" "save $SANDBOX/work/follow" 'OK 11'
		hold "$name-attach" "save $SANDBOX/work/attach" 'OK 11'
		expect_equal "$(sort "$SANDBOX/work/follow")" $'last\nwords'
		expect_equal "$(sort "$SANDBOX/work/attach")" $'last\nwords'
		rm "$SANDBOX/work/follow" "$SANDBOX/work/attach"
	done
	expect_equal "$(field "$MNT/containers/keep/status" ExitCode)" 7
	expect_equal "$(field "$MNT/containers/keep/status" State)" exited
	expect_equal "$(ls "$MNT/containers")" keep
}

@test "open files of a container that is removed outlive the engine" {
	run_cat web
	hold_start follow wait logs status
	echo one >"$MNT/containers/web/stdin"
	wait_line web one
	hold follow "open r $MNT/containers/web/follow"
	hold wait "open r $MNT/containers/web/wait"
	hold logs "open r $MNT/containers/web/logs"
	hold status "open r $MNT/containers/web/status"
	ctl 'rm -f web'
	kill_engine
	hold wait 'read 10' 'OK 137\n'
	hold follow 'read 10' 'OK one\n'
	hold follow 'read 10' 'OK'
	hold logs 'read 10' 'OK one\n'
	hold status 'read 10' $'OK Name:\tweb\\n'
}

# --- files half read ---------------------------------------------------------------------

@test "a text half read is the same text after the death of the engine" {
	local file
	run_cat web
	hold_start text
	for file in status inspect config; do
		cat "$MNT/containers/web/$file" >"$SANDBOX/work/before"
		hold text "open r $MNT/containers/web/$file"
		hold_send text 'read 20'
		hold_answer text >/dev/null
		ctl 'rename web another'
		kill_engine
		hold text 'seek 0' 'OK 0'
		hold text "save $SANDBOX/work/text" "OK $(stat -c %s "$SANDBOX/work/before")"
		cmp "$SANDBOX/work/before" "$SANDBOX/work/text"
		rm "$SANDBOX/work/before" "$SANDBOX/work/text"
		ctl 'rename another web'
	done
}

@test "logs half read go on without a gap" {
	local file
	run_container web sh -c 'seq 1 20000; seq 1 500 >&2; exec sleep 1000'
	wait_line web 20000
	hold_start log
	eventually is_size 500 lines "$MNT/containers/web/stderr"
	for file in logs stdout stderr logs.json follow; do
		hold log "open r $MNT/containers/web/$file"
		hold_send log 'read 777'
		expect_match "$(hold_answer log)" '^OK '
		hold log 'seek 777' 'OK 777'
		kill_engine
		hold_send log "save $SANDBOX/work/$file"
		if [ "$file" = follow ]; then
			ctl 'kill web'
		fi
		expect_match "$(hold_answer log)" '^OK [0-9]+$'
		cmp <(tail -c +778 "$MNT/containers/web/${file/follow/logs}") "$SANDBOX/work/$file"
		rm "$SANDBOX/work/$file"
	done
	cmp "$MNT/containers/web/stdout" <(seq 1 20000)
}

is_size() {
	[ "$(wc -l <"$3")" -ge "$1" ]
}

@test "a listing half way goes on where it was, with nothing twice or left out" {
	local n
	for n in $(seq 1 60); do
		mkdir "$MNT/containers/many-$n"
	done
	hold_start list
	hold list "opendir $MNT/containers"
	hold_send list 'list 20'
	hold_answer list | tr ' ' '\n' >"$SANDBOX/work/names"
	rmdir "$MNT/containers/many-60"
	kill_engine
	mkdir "$MNT/containers/late"
	hold_send list 'list 10'
	hold_answer list | tr ' ' '\n' >>"$SANDBOX/work/names"
	kill_engine
	hold_send list 'list 0'
	hold_answer list | tr ' ' '\n' >>"$SANDBOX/work/names"
	grep -v '^OK$' "$SANDBOX/work/names" | sort >"$SANDBOX/work/sorted"
	cmp "$SANDBOX/work/sorted" <({
		printf '%s\n' . ..
		seq -f 'many-%g' 1 60
	} | sort)
	hold list close
	expect_equal "$(ls "$MNT/containers" | wc -l)" 60
	rm "$SANDBOX/work/names" "$SANDBOX/work/sorted"
}

# --- half-written lines and objects -----------------------------------------------------

@test "the unfinished line of a long write waits over the death of the engine" {
	hold_start ctl
	hold ctl "open rw $MNT/ctl"
	# A comment fills the write; its last line is the beginning of a command.
	{
		printf '#%04094d\n' 0
		printf 'create --name half'
	} >"$SANDBOX/work/commands"
	hold ctl "copy $SANDBOX/work/commands 0 5000" 'OK 4114'
	expect_equal "$(ls "$MNT/containers")" ''
	kill_engine
	hold ctl "part -way $IMAGE true" "OK $((10 + ${#IMAGE}))"
	expect_equal "$(ls "$MNT/containers")" half-way
	hold_send ctl 'read 100'
	expect_match "$(hold_answer ctl)" '^OK [0-9a-f]{64}.n$'
	# The same, ended by the close.
	hold ctl "open rw $MNT/ctl"
	hold ctl "copy $SANDBOX/work/commands 0 5000" 'OK 4114'
	kill_engine
	kill_engine
	hold ctl close EINVAL
	expect_match "$(cat "$MNT/error")" '^error: create: '
	rm "$SANDBOX/work/commands"
}

@test "a half-written config object waits over the death of the engine" {
	mkdir "$MNT/containers/web"
	hold_start config
	hold config "open w $MNT/containers/web/config"
	hold config 'part {"Hostname": "be' 'OK 16'
	kill_engine
	hold config 'part fore", "Env": ["A=' 'OK 18'
	kill_engine
	hold config 'part b"]}' 'OK 4'
	hold config close
	expect_match "$(tr -d ' \n\t' <"$MNT/containers/web/config")" '"Hostname":"before"'
	expect_match "$(tr -d ' \n\t' <"$MNT/containers/web/config")" '"Env":\["A=b"\]'
	hold config "open w $MNT/containers/web/config"
	hold config 'part {"Hostname": "never"' 'OK 20'
	kill_engine
	hold config close EINVAL
	expect_match "$(tr -d ' \n\t' <"$MNT/containers/web/config")" '"Hostname":"before"'
}

@test "a write that ended inside a quote stays torn" {
	hold_start ctl
	hold ctl "open rw $MNT/ctl"
	hold ctl "write create --name 'torn" EINVAL
	kill_engine
	hold ctl "write create --name whole $IMAGE true" EINVAL
	expect_equal "$(ls "$MNT/containers")" ''
}

# --- replies -----------------------------------------------------------------------------

@test "replies and sentences are there after the death of the engine" {
	local id here
	hold_start ctl
	hold ctl "open rw $MNT/ctl"
	hold_send ctl "write create --name web $IMAGE true"
	expect_match "$(hold_answer ctl)" '^OK'
	echo 'start nope' >"$MNT/ctl" 2>/dev/null || :
	echo 'kill' >"$MNT/containers/web/ctl" 2>/dev/null || :
	kill_engine
	id=$(get_id web)
	hold ctl 'read 100' "OK $id\\n"
	here=$(cat "$MNT/ctl")
	expect_equal "$here" 'error: start: no such container: nope'
	expect_equal "$(cat "$MNT/containers/web/ctl")" "error: kill: container 'web' is not running"
	expect_sentence "kill: container 'web' is not running"
	# Another session has none of its own, so it sees its user's last.
	expect_equal "$(setsid -w cat "$MNT/ctl")" "$here"
	kill_engine
	expect_equal "$(setsid -w cat "$MNT/error")" "error: kill: container 'web' is not running"
	setsid -w sh -c "echo 'start other' >'$MNT/ctl'" 2>/dev/null || :
	kill_engine
	expect_equal "$(cat "$MNT/ctl")" "$here"
	expect_equal "$(setsid -w cat "$MNT/ctl")" 'error: start: no such container: other'
	hold ctl 'pread 0 10' 'OK \n\n\n\n\n\n\n\n\n\n'
}

# --- stdin -------------------------------------------------------------------------------

@test "a blocked write to stdin goes on, and no byte is given twice" {
	OPTIONS=-i run_container web sh -c 'read x; cat'
	hold_start in
	hold in "open w $MNT/containers/web/stdin"
	seq 1 200000 | head -c 1000000 >"$SANDBOX/work/bytes"
	hold_send in "copy $SANDBOX/work/bytes 0 1000000"
	# The pipe takes some of it; the first line ends when it is read.
	kill_engine
	hold_blocked in is_writing || :
	expect_answer in 'OK 1000000'
	kill_engine
	ctl_of web closestdin
	expect_equal "$(wait_exit web)" 0
	cmp <(tail -n +2 "$SANDBOX/work/bytes") "$MNT/containers/web/logs"
	rm "$SANDBOX/work/bytes"
}

@test "a write to stdin that nobody reads waits over two engines" {
	OPTIONS=-i run_container web sh -c 'trap "cat; exit" USR1; while :; do sleep 0.05; done'
	hold_start in
	hold in "open w $MNT/containers/web/stdin"
	seq 1 200000 | head -c 1000000 >"$SANDBOX/work/bytes"
	hold_send in "copy $SANDBOX/work/bytes 0 1000000"
	hold_blocked in is_writing
	kill_engine
	kill_engine
	kill_engine
	hold_blocked in is_writing
	ctl 'kill -s USR1 web'
	expect_answer in 'OK 1000000'
	kill_engine
	hold in close
	ctl_of web closestdin
	expect_equal "$(wait_exit web)" 0
	cmp "$SANDBOX/work/bytes" "$MNT/containers/web/logs"
	rm "$SANDBOX/work/bytes"
}

@test "a write to stdin that waits ends with EPIPE when the container does" {
	OPTIONS=-i run_container web sleep 1000
	hold_start in
	hold in "open w $MNT/containers/web/stdin"
	hold_send in 'fill 1000000'
	hold_blocked in is_writing
	kill_engine
	hold_blocked in is_writing
	ctl 'kill web'
	# What the pipe took is the answer; the next write sees the end.
	expect_match "$(hold_answer in)" '^(OK [0-9]+|EPIPE)$'
	hold in 'write x' ESRCH
}

@test "StdinOnce ends the input when the last writer closes, whoever serves" {
	OPTIONS='-i -a stdin' run_container web sh -c 'cat; echo end'
	hold_start first second
	hold first "open w $MNT/containers/web/stdin"
	hold second "open w $MNT/containers/web/stdin"
	hold first 'write one' 'OK 4'
	kill_engine
	hold first close
	hold second 'write two' 'OK 4'
	kill_engine
	hold second close
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/logs")" $'one\ntwo\nend'
}

# --- commands under way ------------------------------------------------------------------

@test "a stop and a wait under way go on, and are answered once" {
	record_events
	run_container web sh -c 'trap "exit 5" USR1; trap "" TERM; echo up; while :; do sleep 0.05; done'
	wait_line web up
	hold_start stop wait
	hold stop "open rw $MNT/ctl"
	hold wait "open rw $MNT/ctl"
	hold_send wait 'write wait web'
	hold_blocked wait is_writing
	hold_send stop 'write stop -t 1000 web'
	hold_blocked stop is_writing
	kill_engine
	hold_blocked stop is_writing
	kill_engine
	hold_blocked stop is_writing
	kill_engine
	ctl 'kill -s USR1 web'
	expect_answer stop 'OK 17'
	expect_answer wait 'OK 9'
	hold stop 'read 10' 'OK'
	hold wait 'read 10' 'OK 5\n'
	expect_events die web 1
	expect_events stop web 1
	expect_equal "$(grep -c '"signal":"15"' "$EVENTS")" 1
	expect_no_gap
	kill "$EVENTS_PID"
}

@test "the deadline of a stop is kept by the next engine" {
	run_container web sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	wait_line web up
	hold_start stop
	hold stop "open w $MNT/containers/web/ctl"
	hold_send stop 'write stop -t 1'
	hold_blocked stop is_writing
	kill_engine
	expect_answer stop 'OK 10'
	expect_equal "$(wait_exit web)" 137
}

@test "two signals of one write are two signals" {
	run_container web sh -c 'trap "echo hup" HUP; trap "echo usr" USR1; echo up
		while :; do sleep 0.02; done'
	wait_line web up
	printf 'kill -s HUP web\nkill -s USR1 web\n' >"$MNT/ctl"
	wait_line web hup
	wait_line web usr
}

# Every kind of change, killed at once after it was sent: each is done, once.
@test "commands under way are done once, with their reply" {
	local round rounds=8
	record_events
	hold_start ctl
	hold ctl "open rw $MNT/ctl"
	for round in $(seq 1 $rounds); do
		hold_send ctl "write run --name web $IMAGE sh -c 'echo once; exit 3'"
		kill_now
		expect_match "$(hold_answer ctl)" '^OK [0-9]+$'
		hold_send ctl 'read 100'
		expect_match "$(hold_answer ctl)" '^OK [0-9a-f]{64}.n$'
		expect_equal "$(ls "$MNT/containers")" web
		expect_equal "$(wait_exit web)" 3
		expect_equal "$(cat "$MNT/containers/web/logs")" once
		hold_send ctl 'write rename web old'
		kill_now
		expect_answer ctl 'OK 15'
		hold_send ctl 'write start old'
		kill_now
		expect_answer ctl 'OK 10'
		expect_equal "$(wait_exit old)" 3
		expect_equal "$(cat "$MNT/containers/old/logs")" $'once\nonce'
		hold_send ctl 'write rm old'
		kill_now
		expect_answer ctl 'OK 7'
		expect_equal "$(ls "$MNT/containers")" ''
	done
	expect_events create web $rounds
	expect_events start web $rounds
	expect_events start old $rounds
	expect_events die web $rounds
	expect_events die old $rounds
	expect_events rename old $rounds
	expect_events destroy old $rounds
	expect_no_gap
	kill "$EVENTS_PID"
}

@test "mkdir, mv, rmdir, ln and rm under way are done once, without an error" {
	local round job
	for round in $(seq 1 5); do
		mkdir "$MNT/containers/a" 3>&- & job=$!
		kill_now
		wait "$job"
		mv -T "$MNT/containers/a" "$MNT/containers/b" 3>&- & job=$!
		kill_now
		wait "$job"
		expect_equal "$(ls "$MNT/containers")" b
		rmdir "$MNT/containers/b" 3>&- & job=$!
		kill_now
		wait "$job"
		expect_equal "$(ls "$MNT/containers")" ''
		ln -sT "$IMAGE" "$MNT/images/other:$round" 3>&- & job=$!
		kill_now
		wait "$job"
		mv -T "$MNT/images/other:$round" "$MNT/images/moved:$round" 3>&- & job=$!
		kill_now
		wait "$job"
		ctl "tag $IMAGE moved:more" &
		job=$!
		kill_now
		wait "$job"
		expect_equal "$(cd "$MNT/images" && echo [mo]*)" "moved:$round moved:more"
		rm "$MNT/images/moved:$round" 3>&- & job=$!
		kill_now
		wait "$job"
		ctl 'rmi moved:more'
	done
	expect_equal "$(ls "$MNT/images")" "$(printf '%s\nsha256' "$IMAGE")"
}

# --- imports -----------------------------------------------------------------------------

# That is what lies in images/: what was given up is removed behind one's back.
has_images() {
	[ "$(find "$ROOT/images" 2>/dev/null | sort)" = "$1" ]
}

@test "an import by cp that is cut off fails with EIO and leaves nothing" {
	local before half
	before=$(find "$ROOT/images" ! -path "$ROOT/images/tmp/*" | sort)
	eventually has_images "$before"
	half=$(($(stat -c %s "$SANDBOX/demo.tar.gz") / 2))
	hold_start cp
	hold cp "open c $MNT/images/new:1"
	hold_send cp "copy $SANDBOX/demo.tar.gz 0 $half"
	expect_match "$(hold_answer cp)" '^OK '
	kill_engine
	hold cp "copy $SANDBOX/demo.tar.gz $half 10000000" EIO
	expect_sentence 'import: it was cut off before; write it anew'
	hold_send cp close
	expect_match "$(hold_answer cp)" '^(OK|EIO)$'
	expect_equal "$(ls "$MNT/images")" "$(printf '%s\nsha256' "$IMAGE")"
	eventually has_images "$before"
	# The close alone, and then a whole one under the same name.
	hold cp "open c $MNT/images/new:1"
	hold_send cp "copy $SANDBOX/demo.tar.gz 0 $half"
	hold_answer cp >/dev/null
	kill_engine
	hold cp close EIO
	eventually has_images "$before"
	cp "$SANDBOX/demo.tar.gz" "$MNT/images/new:1"
	expect_match "$(cat "$MNT/images/new:1/tags")" new:1
	rm "$MNT/images/new:1"
}

@test "an import by cp at whose end the engine dies is there, or is not" {
	local round job status
	for round in $(seq 1 6); do
		status=0
		cp "$SANDBOX/demo.tar.gz" "$MNT/images/new:1" 3>&- 2>/dev/null & job=$!
		kill_engines 1 $((round * 2000)) $((round * 4000))
		wait "$job" || status=$?
		if [ "$status" = 0 ]; then
			rm "$MNT/images/new:1"
		else
			[ ! -e "$MNT/images/new:1" ] || fail 'cp failed, but there is an image'
		fi
		expect_equal "$(ls "$MNT/images")" "$(printf '%s\nsha256' "$IMAGE")"
	done
}

@test "an import by a command is carried out by the next engine" {
	local fifo=$SANDBOX/work/fifo
	hold_start ctl
	hold ctl "open rw $MNT/ctl"
	hold_send ctl "write import $SANDBOX/demo.tar.gz new:1"
	kill_now
	expect_match "$(hold_answer ctl)" '^OK '
	hold_send ctl 'read 100'
	expect_match "$(hold_answer ctl)" '^OK [0-9a-f]{64}.n$'
	expect_match "$(cat "$MNT/images/new:1/tags")" new:1
	ctl 'rmi new:1'
	[ ! -e "$fifo" ]
}

# --- kills one after the other --------------------------------------------------------------

@test "kills at a distance of 5 ms are a pause" {
	run_cat web
	hold_start wait
	hold wait "open r $MNT/containers/web/wait"
	hold_send wait 'read 10'
	hold_blocked wait is_reading
	kill_engines 4 0 0 1 5000
	hold_blocked wait is_reading
	echo x >"$MNT/containers/web/stdin"
	kill_engines 20 0 5000
	ctl 'kill web'
	expect_answer wait 'OK 137\n'
}
