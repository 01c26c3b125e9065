# Kills of the engine at random moments, while several clients at once run,
# stop, remove and rename containers, write to stdin, follow logs and make tags. Nobody
# sees an error, nothing is lost, nothing is done twice.
#
# SEED repeats the times of the kills; a slow build (sanitizers) gets more time between
# them, for five engines that die before they have served end the connection.

load lib
load survival

setup_file() {
	sandbox_start
	build_helpers
	import_demo
}

setup() {
	look_before
	stop_file=$SANDBOX/work/stop
	: "${MIN_US:=$([ -z "${SANITIZE:-}" ] && echo 1000 || echo 20000)}"
	: "${MAX_US:=$([ -z "${SANITIZE:-}" ] && echo 250000 || echo 900000)}"
	: "${KILLS:=$([ -z "${SANITIZE:-}" ] && echo 60 || echo 20)}"
	DEADLINE=60
}

teardown() {
	touch "$stop_file"
	hold_end
	bounded stat "$MNT/info" >/dev/null 2>&1 || mount_start
	look_after
	rm -rf "$SANDBOX/work"/*
}

teardown_file() {
	sandbox_end
}

# --- clients: each works in a loop until told to stop, and ends with an error at the first wrong thing ---

# client NAME FUNCTION ARG...: in the background, its output in a file.
client() {
	local name=$1
	shift
	(
		set -eE
		trap 'echo "client '"$name"' failed: $BASH_COMMAND (line $LINENO)"' ERR
		"$@"
	) >"$SANDBOX/work/client.$name" 2>&1 3>&- &
	CLIENTS+=("$name:$!")
}

end_clients() {
	local entry status=0
	touch "$stop_file"
	for entry in "${CLIENTS[@]}"; do
		if ! wait "${entry#*:}"; then
			echo "--- ${entry%%:*}"
			tail -n 20 "$SANDBOX/work/client.${entry%%:*}"
			status=1
		fi
	done >&2
	CLIENTS=()
	[ "$status" = 0 ] && return
	grep -v "was killed by signal 9\|no such container: no-such\|'/no/such'\|'talks' is running" \
		"$RUN/log" | tail -n 40 >&2
	fail 'a client saw an error'
}

goes_on() {
	[ ! -e "$stop_file" ]
}

# run, wait, logs, rm by command; then the same with file operations.
client_cycle() {
	local prefix=$1 n=0 name id code
	while goes_on; do
		n=$((n + 1)) name=$prefix-$n code=$((n % 100))
		id=$(ctl "run --name $name $IMAGE sh -c 'echo out $n; echo err $n >&2; exit $code'")
		expect_match "$id" '^[0-9a-f]{64}$'
		expect_equal "$(cat "$MNT/containers/$name/wait")" "$code"
		expect_equal "$(cat "$MNT/containers/$name/stdout")" "out $n"
		expect_equal "$(cat "$MNT/containers/$name/stderr")" "err $n"
		expect_equal "$(field "$MNT/containers/$name/status" Id)" "$id"
		expect_equal "$(field "$MNT/containers/$name/status" ExitCode)" "$code"
		if [ $((n % 2)) = 0 ]; then
			rmdir "$MNT/containers/$name"
		else
			ctl "rm $name"
		fi
		[ ! -e "$MNT/containers/$name" ]
		echo "$name" >>"$SANDBOX/work/done.$prefix"
	done
}

# start, stop and kill of the same container again and again.
client_stop() {
	local n=0
	ctl "create --name stopped $IMAGE sh -c 'trap \"exit 5\" TERM; echo up; while :; do sleep 0.01; done'" >/dev/null
	while goes_on; do
		n=$((n + 1))
		ctl 'start stopped'
		expect_equal "$(field "$MNT/containers/stopped/status" State)" running
		eventually has_lines "$n" "$MNT/containers/stopped/logs"
		if [ $((n % 3)) = 0 ]; then
			echo kill >"$MNT/containers/stopped/ctl"
			expect_equal "$(cat "$MNT/containers/stopped/wait")" 137
		else
			echo 'stop -t 30' >"$MNT/containers/stopped/ctl"
			expect_equal "$(cat "$MNT/containers/stopped/wait")" 5
		fi
		expect_equal "$(field "$MNT/containers/stopped/status" State)" exited
	done
	echo "$n" >"$SANDBOX/work/done.stopped"
}

has_lines() {
	[ "$(wc -l <"$2")" -ge "$1" ]
}

# mkdir, config, mv, rmdir; ln, mv, rm of tags; tag and rmi.
client_names() {
	local n=0 a b
	while goes_on; do
		n=$((n + 1)) a=names-a$n b=names-b$n
		mkdir "$MNT/containers/$a"
		echo '{"Image": "demo:1", "Cmd": ["true"]}' >"$MNT/containers/$a/config"
		mv -T "$MNT/containers/$a" "$MNT/containers/$b"
		[ ! -e "$MNT/containers/$a" ]
		ctl "rename $b $a"
		expect_match "$(tr -d ' \n\t' <"$MNT/containers/$a/config")" '"Cmd":\["true"\]'
		rmdir "$MNT/containers/$a"
		ln -sT "$IMAGE" "$MNT/images/names:$n"
		ln -sfn "../images/$IMAGE" "$MNT/images/names:$n"
		mv -T "$MNT/images/names:$n" "$MNT/images/other:$n"
		ctl "tag other:$n names/deep:$n" "rmi names/deep:$n"
		rm "$MNT/images/other:$n"
	done
	echo "$n" >"$SANDBOX/work/done.names"
}

# What fails must fail likewise, and its sentence be there.
client_refused() {
	local got
	while goes_on; do
		expect_errno ENOENT write "$MNT/ctl" 'start no-such'
		expect_equal "$(cat "$MNT/error")" 'error: start: no such container: no-such'
		got=$("$TRY" write "$MNT/ctl" "run --name refused --rm $IMAGE /no/such")
		expect_equal "$got" ENOENT
		[ ! -e "$MNT/containers/refused" ]
		expect_errno EBUSY rmdir "$MNT/containers/talks"
		ls -l "$MNT" "$MNT/containers/talks" "$MNT/images/sha256" >/dev/null
		ls "$MNT/images" "$MNT/containers" >/dev/null
		cat "$MNT/ps" "$MNT/info" "$MNT/help" "$MNT/containers/talks/inspect" >/dev/null
	done
}

# Numbered lines to stdin, by many short writes and one long pipe.
client_stdin() {
	local from=1
	while goes_on; do
		seq "$from" $((from + 999)) >"$MNT/containers/eats/stdin"
		from=$((from + 1000))
		seq "$from" $((from + 19999)) | cat >"$MNT/containers/eats/stdin"
		from=$((from + 20000))
	done
	echo $((from - 1)) >"$SANDBOX/work/done.stdin"
}

# --- the tests ------------------------------------------------------------------------------------------

@test "many kills under load: no error, nothing lost, nothing twice" {
	local name n total=0
	CLIENTS=()
	record_events
	run_container talks sh -c 'i=0; while :; do i=$((i+1)); echo $i; [ $((i % 50)) != 0 ] || sleep 0.01; done'
	OPTIONS=-i run_container eats cat
	(exec cat "$MNT/containers/talks/follow" >"$SANDBOX/work/follow" 3>&-) &
	FOLLOW=$!
	(exec cat "$MNT/containers/talks/wait" >"$SANDBOX/work/wait" 3>&-) &
	WAIT=$!
	hold_start attach
	hold attach "open r $MNT/containers/eats/attach"
	hold_send attach "save $SANDBOX/work/attach"
	client one client_cycle one
	client two client_cycle two
	client stop client_stop
	client names client_names
	client refused client_refused
	client stdin client_stdin
	kill_engines "$KILLS" "$MIN_US" "$MAX_US" 33 5000
	end_clients
	ctl 'kill talks'
	# The bytes of stdin, each once, in order.
	seq 1 "$(cat "$SANDBOX/work/done.stdin")" >"$SANDBOX/work/expected"
	ctl_of eats closestdin
	expect_equal "$(wait_exit eats)" 0
	cmp "$SANDBOX/work/expected" "$MNT/containers/eats/logs"
	expect_match "$(hold_answer attach)" '^OK [0-9]+$'
	cmp "$SANDBOX/work/expected" "$SANDBOX/work/attach"
	# The output that was followed all the time, and its end.
	wait "$FOLLOW"
	wait "$WAIT"
	expect_equal "$(cat "$SANDBOX/work/wait")" 137
	cmp "$SANDBOX/work/follow" "$MNT/containers/talks/logs"
	n=$(tail -n 1 "$SANDBOX/work/follow")
	[ "$n" -gt 1000 ]
	seq 1 "$n" | cmp - "$SANDBOX/work/follow"
	# The events: each once, none left out.
	expect_events die eats 1
	expect_no_gap
	for name in one two; do
		total=$((total + $(wc -l <"$SANDBOX/work/done.$name")))
		expect_once "$SANDBOX/work/done.$name"
	done
	n=$(cat "$SANDBOX/work/done.stopped")
	expect_equal "$(count_events start stopped)" "$n"
	expect_equal "$(count_events die stopped)" "$n"
	expect_equal "$(count_events stop stopped)" $((n - n / 3))
	expect_equal "$(count_events create stopped)" 1
	kill "$EVENTS_PID"
	echo "# $total cycles, $n stops, $(cat "$SANDBOX/work/done.names") rounds of names," \
		"$(wc -l <"$SANDBOX/work/expected") lines of stdin" >&3
	expect_equal "$(ls "$MNT/containers" | tr '\n' ' ')" 'eats stopped talks '
	expect_equal "$(ls "$MNT/images")" "$(printf '%s\nsha256' "$IMAGE")"
}

# Each container named in a file: made, started, ended and removed once.
expect_once() {
	sed -n 's/.*"Action":"\(create\|start\|die\|destroy\)".*"name":"\([^"]*\)".*/\1 \2/p' "$EVENTS" |
		sort >"$SANDBOX/work/told"
	while read -r name; do
		printf '%s\n' "create $name" "die $name" "destroy $name" "start $name"
	done <"$1" | sort >"$SANDBOX/work/wanted"
	grep " ${1##*.}-" "$SANDBOX/work/told" | diff "$SANDBOX/work/wanted" - | head -n 20
	[ "${PIPESTATUS[1]}" = 0 ]
}

@test "20 MB through stdin while engines die: every byte once" {
	local lines=2500000
	[ -z "${SANITIZE:-}" ] || lines=1000000
	OPTIONS=-i run_container eats sh -c 'cat | sha256sum'
	seq 1 "$lines" >"$SANDBOX/work/bytes"
	(exec cat "$SANDBOX/work/bytes" >"$MNT/containers/eats/stdin" 3>&-) &
	PUMP=$!
	while kill -0 "$PUMP" 2>/dev/null; do
		kill_engines 5 "$MIN_US" "$((MIN_US * 2))"
	done
	wait "$PUMP"
	ctl_of eats closestdin
	expect_equal "$(wait_exit eats)" 0
	expect_equal "$(cut -d' ' -f1 "$MNT/containers/eats/logs")" \
		"$(sha256sum <"$SANDBOX/work/bytes" | cut -d' ' -f1)"
	echo "# $(stat -c %s "$SANDBOX/work/bytes") bytes, $(cat "$SANDBOX/kills") kills so far" >&3
}

@test "imports while engines die: each is there, or failed and left nothing" {
	local round status good=0 bad=0 job
	for round in $(seq 1 12); do
		status=0
		cp "$SANDBOX/demo.tar.gz" "$MNT/images/new:$round" 2>/dev/null 3>&- &
		job=$!
		kill_engines 1 0 150000
		wait "$job" || status=$?
		if [ "$status" = 0 ]; then
			good=$((good + 1))
			[ -e "$MNT/images/new:$round/rootfs/bin/busybox" ]
			rm "$MNT/images/new:$round"
		else
			bad=$((bad + 1))
			[ ! -e "$MNT/images/new:$round" ]
		fi
		ctl "import $SANDBOX/demo.tar.gz made:$round" >"$SANDBOX/work/id" &
		job=$!
		kill_engines 1 0 150000
		wait "$job"
		expect_match "$(cat "$SANDBOX/work/id")" '^[0-9a-f]{64}$'
		expect_equal "$(cat "$MNT/images/made:$round/tags")" "made:$round"
		rm "$MNT/images/made:$round"
	done
	expect_equal "$(ls "$MNT/images")" "$(printf '%s\nsha256' "$IMAGE")"
	echo "# $good imports came, $bad were cut off" >&3
}
