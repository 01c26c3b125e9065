# Output: every byte, in order; the files of the log; follow and attach.

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

# bytes_of NAME: what the log holds after the end.
bytes_of() {
	wait_exit "$1" >/dev/null
	cat "$MNT/containers/$1/logs"
}

@test "stdout and stderr are kept apart, and together in logs" {
	local dir=$MNT/containers/web
	run_container web sh -c 'echo out; echo err >&2'
	wait_exit web >/dev/null
	expect_equal "$(cat "$dir/stdout")" out
	expect_equal "$(cat "$dir/stderr")" err
	expect_equal "$(sort "$dir/logs")" $'err\nout'
}

@test "logs has both in the order of arrival" {
	run_container web sh -c 'for i in 1 2 3 4 5; do echo o$i; sleep 0.05; echo e$i >&2; sleep 0.05; done'
	expect_equal "$(bytes_of web | tr '\n' ' ')" 'o1 e1 o2 e2 o3 e3 o4 e4 o5 e5 '
}

@test "the last unfinished line before the exit is not lost, nor is any byte" {
	run_container web sh -c 'printf "a\nlast"; printf "\0\377\r\033[1m" >&2'
	wait_exit web >/dev/null
	expect_equal "$(od -An -c "$MNT/containers/web/stdout" | tr -s ' ')" ' a \n l a s t'
	expect_equal "$(od -An -tx1 "$MNT/containers/web/stderr")" ' 00 ff 0d 1b 5b 31 6d'
	run_container kill sh -c 'printf unfinished; kill -9 $$'
	expect_equal "$(bytes_of kill)" unfinished
}

@test "logs.json has an object a line, as Docker's json-file driver" {
	local file=$MNT/containers/web/logs.json
	run_container web sh -c 'echo one; sleep 0.1; printf two; sleep 0.1; echo " é \"q\" \\" >&2'
	wait_exit web >/dev/null
	expect_equal "$(jq -r '.stream + " " + (.log | @json)' "$file")" 'stdout "one\n"
stdout "two"
stderr " é \"q\" \\\n"'
	jq -e '.time | test("^[0-9-]+T[0-9:]+\\.[0-9]{9}Z$")' "$file" >/dev/null
	expect_equal "$(jq -rs 'map(.log) | add' "$file")" "$(cat "$MNT/containers/web/logs")"
}

@test "64 MiB come through byte for byte" {
	local want
	want=$(seq -w 9000000 | head -c 67108864 | sha256sum)
	run_container web sh -c 'seq -w 9000000 | head -c 67108864'
	expect_equal "$(DEADLINE=100 wait_exit web)" 0
	expect_equal "$(sha256sum <"$MNT/containers/web/logs")" "$want"
	expect_equal "$(stat -c %s "$MNT/containers/web/stdout")" 67108864
	expect_equal "$(bounded cat "$MNT/containers/web/follow" | sha256sum)" "$want"
}

@test "one open has the bytes up to its end, and more when there are more" {
	local dir=$MNT/containers/web
	OPTIONS=-i run_container web cat
	echo first >"$dir/stdin"
	eventually grep -q first "$dir/logs"
	exec 5<"$dir/logs"
	expect_equal "$(cat <&5)" first
	expect_equal "$(cat <&5)" '' # a read at the end gives 0
	echo second >"$dir/stdin"
	eventually grep -q second "$dir/logs"
	expect_equal "$(cat <&5)" second
	exec 5<&-
	expect_equal "$(tail -c 7 "$dir/logs")" second
	expect_equal "$(dd if="$dir/logs" bs=1 skip=6 count=3 status=none)" sec
}

has_open() {
	readlink "/proc/$1/fd/"* | grep -qxF "$2"
}

@test "tail -f and busybox tail -f see what comes" {
	local pid tail
	OPTIONS=-i run_container web cat
	for tail in 'tail' 'busybox tail'; do
		$tail -n 0 -f "$MNT/containers/web/logs" >"$SANDBOX/work/tail" 3>&- &
		pid=$!
		# It must have looked at the end before there is more.
		eventually has_open "$pid" "$MNT/containers/web/logs"
		sleep 0.2
		echo "for $tail" >"$MNT/containers/web/stdin"
		eventually grep -qx "for $tail" "$SANDBOX/work/tail"
		kill "$pid"
		wait "$pid" || :
	done
}

@test "follow gives all from the oldest byte, waits, and ends with the run" {
	local pid
	OPTIONS=-i run_container web sh -c 'echo ready; cat; echo over'
	wait_line web ready
	cat "$MNT/containers/web/follow" >"$SANDBOX/work/follow" 3>&- &
	pid=$!
	eventually grep -q ready "$SANDBOX/work/follow"
	wait_blocked is_reading "$pid"
	echo more >"$MNT/containers/web/stdin"
	eventually grep -q more "$SANDBOX/work/follow"
	ctl_of web closestdin >/dev/null
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/follow")" $'ready\nmore\nover'
	expect_equal "$(bounded cat "$MNT/containers/web/follow")" $'ready\nmore\nover'
}

@test "follow of a created one waits until it runs, and ends with it" {
	local pid
	ctl "create --name web $IMAGE echo hello" >/dev/null
	cat "$MNT/containers/web/follow" >"$SANDBOX/work/follow" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	ctl 'start web' >/dev/null
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/follow")" hello
}

@test "attach gives output from the open on, and ends at the exit" {
	local pid
	OPTIONS=-i run_container web sh -c 'echo before; cat'
	wait_line web before
	cat "$MNT/containers/web/attach" >"$SANDBOX/work/attach" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	echo after >"$MNT/containers/web/stdin"
	eventually grep -q after "$SANDBOX/work/attach"
	ctl_of web closestdin >/dev/null
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/attach")" after
	expect_equal "$(bounded cat "$MNT/containers/web/attach")" ''
}

@test "attach carries both ways on one descriptor" {
	OPTIONS=-i run_container web sh -c 'while read -r line; do echo "got $line"; done'
	exec 5<>"$MNT/containers/web/attach"
	echo one >&5
	IFS= read -r -t "$DEADLINE" line <&5
	expect_equal "$line" 'got one'
	echo two >&5
	IFS= read -r -t "$DEADLINE" line <&5
	expect_equal "$line" 'got two'
	exec 5>&-
}

@test "a new run's output is appended; follow and wait are of the run they began in" {
	ctl "create --name web $IMAGE sh -c 'echo run; exit 3'" >/dev/null
	ctl 'start web' >/dev/null
	wait_exit web >/dev/null
	ctl 'start web' >/dev/null
	expect_equal "$(wait_exit web)" 3
	expect_equal "$(cat "$MNT/containers/web/logs")" $'run\nrun'
	expect_equal "$(jq -s length "$MNT/containers/web/logs.json")" 2
}

@test "an open log survives the removal and can be read to its end" {
	run_container web echo text
	wait_exit web >/dev/null
	exec 5<"$MNT/containers/web/logs"
	ctl 'rm web' >/dev/null
	expect_equal "$(cat <&5)" text
	exec 5<&-
}

@test "many readers of one log, and a stuck one, hold nobody up" {
	local i pids=()
	run_container web sh -c 'seq 200000; sleep 1000'
	exec 5<"$MNT/containers/web/follow" # opened, and never read
	for i in {1..8}; do
		grep -qm1 '^200000$' "$MNT/containers/web/follow" 3>&- 5<&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	expect_equal "$(tail -n 1 "$MNT/containers/web/logs")" 200000
	exec 5<&-
}

@test "a reader of a pipe that is full does not stop the container" {
	run_container web sh -c 'seq 500000; echo done >&2'
	sleep 1000 <"$MNT/containers/web/follow" 3>&- &
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(tail -n 1 "$MNT/containers/web/stdout")" 500000
}
