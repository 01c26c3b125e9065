# The command line on a real mount: streams, exit codes, signals, and nothing left behind.
# What it does without an engine is in tests/tools/cfs.bats.

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	# Of the test, not of the sandbox, which must be as before.
	OUT=$BATS_TEST_TMPDIR
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# Standard output, standard error and the exit code apart.
apart() {
	code=0
	bounded "$@" >"$OUT/out" 2>"$OUT/err" || code=$?
	out=$(cat "$OUT/out")
	err=$(cat "$OUT/err")
}

expect_apart() {
	expect_equal "$code|$out|$err" "$1|$2|$3"
}

# Start cfs in the background, where a shell has it ignore INT and QUIT. Its pid in $pid.
in_background() {
	"$@" <&0 >"$OUT/out" 2>"$OUT/err" 3>&- 4>&- &
	pid=$!
}

expect_nothing_left() {
	expect_equal "$(ls "$MNT/containers")" ''
}

# --- run in the foreground -----------------------------------------------------------

@test "streams are kept apart and the exit code is the container's" {
	apart cfs run --rm "$IMAGE" sh -c 'echo out; echo err >&2; exit 3'
	expect_apart 3 out err
	apart cfs run --name kept "$IMAGE" sh -c 'exit 255'
	expect_apart 255 '' ''
	expect_equal "$(field "$MNT/containers/kept/status" ExitCode)" 255
	apart cfs run --rm "$IMAGE" sh -c 'sh -c "kill -TERM \$\$"; exit $?'
	expect_apart 143 '' Terminated
}

@test "125, 126, 127: whose fault it was" {
	apart cfs run --rm localhost:1/no true
	expect_apart 125 '' \
		"cfs: create: no such image: localhost:1/no, and it could not be pulled: 'localhost:1/no' at registry localhost:1: cannot connect: Connection refused"
	apart cfs run --rm -m 1 "$IMAGE" true
	[ "$code" = 125 ]
	apart cfs run -u nosuch "$IMAGE" true
	expect_apart 125 '' "cfs: start: no user 'nosuch' in the container's /etc/passwd"
	expect_nothing_left
	apart cfs run --rm "$IMAGE" /etc/passwd
	expect_apart 126 '' "cfs: start: cannot execute '/etc/passwd': Permission denied"
	apart cfs run --rm "$IMAGE" nosuch
	expect_apart 127 '' "cfs: start: cannot execute 'nosuch': not found in PATH"
	expect_nothing_left
	apart cfs run --name kept "$IMAGE" nosuch
	[ "$code" = 127 ]
	expect_equal "$(field "$MNT/containers/kept/status" ExitCode)" 127
}

@test "128+n when a signal ended it" {
	in_background cfs run --rm --name web "$IMAGE" sleep 1000
	wait_state web running
	cfs kill web
	code=0
	wait "$pid" || code=$?
	[ "$code" = 137 ]
}

@test "options reach the container" {
	apart env KEPT='x y' cfs run --rm -e KEPT -e GIVEN=1 -e NOT_THERE "$IMAGE" \
		sh -c 'echo "$KEPT|$GIVEN|${NOT_THERE-unset}"'
	expect_apart 0 'x y|1|unset' ''
	apart cfs run --rm -w /tmp "$IMAGE" pwd
	expect_apart 0 /tmp ''
	apart cfs run --rm -u demo "$IMAGE" id -u
	expect_apart 0 1000 ''
	apart cfs run --rm --entrypoint echo "$IMAGE" a "b  'c" ''
	expect_apart 0 "a b  'c " ''
	apart cfs create --name web -m 64m --cpu-shares 512 "$IMAGE" true
	apart cfs inspect web
	expect_match "$out" '"Memory": 67108864'
	expect_match "$out" '"CpuShares": 512'
	apart cfs run --rm --cidfile "$OUT/cid" "$IMAGE" true
	expect_match "$(cat "$OUT/cid")" '^[0-9a-f]{64}$'
	apart cfs run --cidfile "$OUT/cid" "$IMAGE" true
	expect_apart 125 '' "cfs: cannot create the cid file '$OUT/cid': File exists"
}

@test "100 MB through cat, byte for byte" {
	head -c 100000000 /dev/urandom >"$OUT/big"
	bounded cfs run --rm -i "$IMAGE" cat <"$OUT/big" | cmp - "$OUT/big"
	expect_nothing_left
}

@test "stdin: its end is passed, and who does not read is no hindrance" {
	apart cfs run --rm -i "$IMAGE" sh -c 'cat; echo end' </dev/null
	expect_apart 0 end ''
	code=0
	head -c 10000000 /dev/zero | bounded cfs run --rm -i "$IMAGE" true || code=${PIPESTATUS[1]}
	[ "$code" = 0 ]
	# Nothing comes, and the container ends: so does cfs.
	mkfifo "$OUT/silent"
	exec {fd}<>"$OUT/silent"
	apart cfs run --rm -i "$IMAGE" sh -c 'exit 4' <"$OUT/silent"
	exec {fd}>&-
	expect_apart 4 '' ''
	# Without -i it is not read.
	echo hello >"$OUT/hello"
	exec {fd}<"$OUT/hello"
	apart cfs run --rm "$IMAGE" cat <&"$fd"
	expect_apart 0 '' ''
	expect_equal "$(cat <&"$fd")" hello
	exec {fd}<&-
}

@test "a stream that is closed, full, or read by nobody" {
	code=0
	bounded cfs run --rm "$IMAGE" echo hi >&- 2>"$OUT/err" || code=$?
	expect_equal "$code$(cat "$OUT/err")" 0
	code=0
	bounded cfs run --rm "$IMAGE" echo hi >/dev/full 2>"$OUT/err" || code=$?
	expect_equal "$code $(cat "$OUT/err")" '125 cfs: cannot write stdout: No space left on device'
	# What is run for a pipe ends with it.
	bounded cfs run --rm "$IMAGE" yes | head -n 1 >"$OUT/out"
	expect_equal "${PIPESTATUS[0]} $(cat "$OUT/out")" '141 y'
	eventually expect_nothing_left
}

@test "the signals that cfs gets are the container's" {
	local name trap
	for name in HUP INT QUIT TERM USR1 USR2 ALRM WINCH; do
		trap="trap 'echo got $name; exit 9' $name; echo ready; while :; do sleep 0.05; done"
		in_background cfs run --rm --name web "$IMAGE" sh -c "$trap"
		wait_state web running
		wait_line web ready
		kill -s "$name" "$pid"
		code=0
		wait "$pid" || code=$?
		expect_equal "$code $(tail -n 1 "$OUT/out")" "9 got $name"
		eventually expect_nothing_left
	done
}

@test "nohup holds, and kill -9 of cfs leaves the container" {
	in_background nohup cfs run --rm --name web "$IMAGE" sh -c 'sleep 0.5; echo done'
	wait_state web running
	kill -HUP "$pid"
	wait "$pid"
	expect_equal "$(tail -n 1 "$OUT/out")" 'done'
	in_background cfs run --rm --name web "$IMAGE" sleep 1000
	wait_state web running
	kill -KILL "$pid"
	wait "$pid" || :
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	cfs stop -t 0 web
	eventually expect_nothing_left
}

@test "--rm: 200 times in a row nothing is left and no output lost" {
	local i
	for i in $(seq 200); do
		apart cfs run --rm --name web "$IMAGE" sh -c "echo out$i; echo err$i >&2; exit 7"
		expect_apart 7 "out$i" "err$i"
	done
	expect_nothing_left
}

@test "--rm: no sentence tells of a failure that was none" {
	local i
	expect_refusal ENOENT 'start: no such container: nope' 'start nope'
	for i in {1..20}; do
		cfs run --rm "$IMAGE" true
	done
	expect_sentence 'start: no such container: nope'
}

@test "--rm: 16 at once" {
	local i pids=()
	seq 5000 >"$OUT/numbers"
	for i in $(seq 16); do
		bounded cfs run --rm -i "$IMAGE" cat <"$OUT/numbers" >"$OUT/$i" 3>&- &
		pids+=("$!")
	done
	wait "${pids[@]}"
	for i in $(seq 16); do
		cmp "$OUT/numbers" "$OUT/$i"
	done
	expect_nothing_left
}

@test "the engine dies in the middle: a pause" {
	local i
	seq 200000 >"$OUT/numbers"
	in_background cfs run --rm -i "$IMAGE" sh -c 'cat; sleep 1; echo end; exit 4' <"$OUT/numbers"
	for i in 1 2 3 4 5; do
		sleep 0.1
		kill_engine
	done
	code=0
	wait "$pid" || code=$?
	expect_equal "$code$(cat "$OUT/err")" 4
	(cat "$OUT/numbers" && echo end) | cmp - "$OUT/out"
	eventually expect_nothing_left
}

@test "the engine dies again and again: short runs with --rm lose nothing" {
	local i
	(
		while [ ! -e "$OUT/stop" ]; do
			sleep "0.$((RANDOM % 9 + 1))"
			kill_engine
		done
	) 3>&- &
	for i in $(seq 100); do
		apart cfs run --rm "$IMAGE" sh -c "echo out$i; echo err$i >&2; exit 7"
		expect_apart 7 "out$i" "err$i"
	done
	: >"$OUT/stop"
	wait
	expect_nothing_left
}

# --- the other commands ---------------------------------------------------------------

@test "detached: its id, its log, its exit code" {
	apart cfs run -d --name web "$IMAGE" sh -c 'echo one; echo two >&2; exit 6'
	expect_match "$out" '^[0-9a-f]{64}$'
	apart cfs wait web
	expect_apart 0 6 ''
	apart cfs logs web
	expect_apart 0 one two
	expect_equal "$(cfs logs web 2>&1)" $'one\ntwo'
	apart cfs logs --tail 1 "$(field "$MNT/containers/web/status" Id | cut -c 1-5)"
	expect_apart 0 '' two
	apart cfs run -d --pull never nosuch true
	expect_apart 125 '' 'cfs: create: no such image: nosuch'
}

@test "logs -f ends with the container, attach passes what comes from now on" {
	apart cfs run -d -i --name web "$IMAGE" sh -c 'echo before; cat; exit 5'
	wait_line web before
	in_background cfs logs -f web
	mkfifo "$OUT/in"
	bounded cfs attach web <"$OUT/in" >"$OUT/attached" 3>&- &
	exec {fd}>"$OUT/in"
	echo hello >&"$fd"
	wait_line web hello
	echo closestdin >"$MNT/containers/web/ctl"
	wait "$pid"
	expect_equal "$(cat "$OUT/out")" $'before\nhello'
	code=0
	wait $! || code=$?
	exec {fd}>&-
	expect_equal "$code $(cat "$OUT/attached")" '5 hello'
}

@test "start -a passes the output of this run only" {
	cfs create --name web "$IMAGE" sh -c 'echo run; exit 2' >/dev/null
	apart cfs start -a web
	expect_apart 2 run ''
	apart cfs start -a web
	expect_apart 2 run ''
	apart cfs logs web
	expect_apart 0 $'run\nrun' ''
}

@test "start, stop, kill, restart, rename, rm, ps" {
	apart cfs create --name web "$IMAGE" sleep 1000
	apart cfs start web
	expect_apart 0 '' ''
	apart cfs restart -t 0 web
	expect_apart 0 '' ''
	apart cfs ps
	expect_match "$out" "^CONTAINER ID.*NAMES.*\"sleep 1000\".* web$"
	apart cfs stop -t 0 web
	expect_apart 0 '' ''
	apart cfs kill web
	expect_apart 1 '' "cfs: kill: container 'web' is not running"
	apart cfs rename web shop
	expect_apart 0 '' ''
	apart cfs rm nosuch
	expect_apart 1 '' 'cfs: rm: no such container: nosuch'
	apart cfs rm shop
	expect_apart 0 '' ''
}

@test "images: import, tag, rmi" {
	apart cfs import "$SANDBOX/demo.tar.gz" team/shop:1
	expect_match "$code $out$err" '^0 [0-9a-f]{64}$'
	expect_match "$(tail -n 1 "$MNT/images/team/shop:1/history")" "Imported from $SANDBOX/demo.tar.gz$"
	apart cfs import - team/shop:1 <"$SANDBOX/demo.tar.gz"
	expect_match "$code $out$err" '^0 [0-9a-f]{64}$'
	apart cfs tag team/shop:1 other:2
	expect_apart 0 '' ''
	apart cfs run --rm other:2 echo hi
	expect_apart 0 hi ''
	apart cfs import "$OUT/nosuch" a:1
	expect_apart 1 '' "cfs: cannot open '$OUT/nosuch': No such file or directory"
	: >"$OUT/empty"
	apart cfs import "$OUT/empty" a:1
	expect_match "$code $err" '^1 cfs: import: '
	apart cfs import "$OUT" a:1
	expect_apart 1 '' "cfs: import: '$OUT' is a directory; its tar archive is wanted"
	echo text >"$OUT/text"
	apart cfs import "$OUT/text" a:1
	expect_match "$code $err" '^1 cfs: import: '
	[ ! -e "$MNT/images/a:1" ]
	cfs rmi team/shop:1 other:2
	# The two that lost their tags.
	for id in $(cfs images -q --filter dangling=true 2>/dev/null || cfs images -q); do
		[ -n "$(cat "$MNT/images/sha256/$id/tags")" ] || rmdir "$MNT/images/sha256/$id"
	done
}

@test "events are told as they come" {
	in_background cfs events
	eventually test -e "/proc/$pid/fd/1"
	sleep 0.2
	cfs run --rm --name web "$IMAGE" true
	eventually grep -q '"Action":"destroy"' "$OUT/out"
	kill "$pid"
	wait "$pid" || :
	expect_equal "$(sed 's/.*"Action":"\([a-z]*\)".*/\1/' "$OUT/out" | tr '\n' ' ')" \
		'create start die destroy '
}

@test "help, and errors on stderr" {
	apart cfs stop --help
	expect_match "$out" '^usage: cfs stop .*--time'
	apart cfs help
	expect_match "$out" 'Make a container and start it'
	apart cfs nosuch
	expect_match "$code $err" "^1 cfs: unknown command 'nosuch'"
	apart env CONTAINERFS=/nonexistent cfs run "$IMAGE" true
	expect_apart 125 '' \
		"cfs: no containerfs at '/nonexistent' (\$CONTAINERFS): No such file or directory"
	apart cfs version
	expect_match "$out" '^Version:'
	apart cfs info
	expect_match "$out" 'Pid:'
}
