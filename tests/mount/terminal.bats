# Containers on a real terminal: what is typed, its size, leaving it and coming back.
# tests/mount/terminal.py is the terminal.

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	OUT=$BATS_TEST_TMPDIR
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# on_terminal ROWSxCOLS PROGRAM...: with the steps on stdin.
on_terminal() {
	bounded "$TOP/tests/mount/terminal.py" "$@" >"$OUT/shown" 3>&- || { local status=$?; cat "$OUT/shown" >&2; return "$status"; }
}

@test "a shell: its size from the start, job control, Ctrl-C, a full-screen program, its exit code" {
	on_terminal 33x77 cfs run -it --name web "$IMAGE" sh -c 'stty size; exec sh' <<'END'
	raw
	expect 33 77
	expect #
	size 40 120
	send stty size\r
	expect 40 120
	expect #
	# The words of the command are not what it prints.
	send sh -c 'echo u''p; exec sleep 1000'\r
	expect up\r\n
	send \x03
	expect #
	send sh -c 'trap "echo o""n" CONT; echo u''p; while :; do sleep 0.05; done'\r
	expect up\r\n
	send \x1a
	expect Stopped
	expect #
	# The shell says what it puts in the foreground before it has: only the program knows.
	send fg\r
	expect on\r\n
	send \x03
	expect #
	send sh -c 'trap "stty size; exit" WINCH; echo u''p; while :; do sleep 0.05; done'\r
	expect up\r\n
	size 20 60
	expect 20 60
	expect #
	send vi /tmp/new\r
	expect ~
	send i
	expect I /tmp/new
	send hello world
	expect hello world
	send \x1b
	expect - /tmp/new
	send :wq\r
	expect #
	send tty; wc /tmp/new; exit 7\r
	expect /dev/pts/0
	expect 1         2        12
	exit 7
END
	expect_equal "$(cat "$MNT/containers/web/rootfs/tmp/new")" 'hello world'
	# All of it is in stdout, whatever was at the end.
	cmp "$OUT/shown" "$MNT/containers/web/stdout"
	expect_equal "$(cat "$MNT/containers/web/stderr")" ''
}

@test "TestAttachDetach: Ctrl-P Ctrl-Q leaves it running, attach draws it anew" {
	on_terminal 24x80 cfs run -it --name web "$IMAGE" sh -c \
		'trap "stty size" WINCH; while [ "$line" != quit ]; do read -r line && echo "got $line"; done; exit 4' <<'END'
	raw
	send one\r
	expect got one
	# The first alone is the program's.
	send \x10x\x15two\r
	expect got two
	send \x10
	send \x11
	exit 0
END
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	on_terminal 30x90 cfs attach "$(field "$MNT/containers/web/status" Id | cut -c 1-6)" <<'END'
	raw
	expect 30 90
	signal TSTP
	stopped
	cooked
	signal CONT
	raw
	send three\r
	expect got three
	send \x10\x11
	exit 0
END
	on_terminal 30x90 cfs attach --detach-keys x,ctrl-y web <<'END'
	send \x10\x11\x15four\r
	expect got four
	send x\x19
	exit 0
END
	on_terminal 30x90 cfs attach web <<'END'
	raw
	send quit\r
	exit 4
END
	on_terminal 25x81 cfs start -ai web <<'END'
	raw
	send quit\r
	expect got quit
	exit 4
END
}

@test "signals: passed on or not, the terminal is given back; TestRunDisconnectTty: it stays" {
	on_terminal 24x80 cfs run -it --rm --name web "$IMAGE" \
		sh -c 'trap "exit 9" TERM; while :; do sleep 0.05; done' <<'END'
	raw
	signal TERM
	exit 9
END
	on_terminal 24x80 cfs run -it --name web --sig-proxy=false "$IMAGE" sleep 1000 <<'END'
	raw
	signal TERM
	exit 143
END
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	on_terminal 24x80 cfs attach web <<'END'
	raw
	hangup
	exit 129
END
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	# A crash, too.
	on_terminal 24x80 cfs attach web <<'END'
	raw
	signal SEGV
	exit -11
END
	# It ends while the terminal is being read.
	on_terminal 24x80 sh -c 'cfs attach web; echo "code $?"' <<END &
	raw
	send ready
	expect ready
	expect code 137
	exit 0
END
	eventually grep -q ready "$OUT/shown"
	ctl 'kill web' >/dev/null
	wait $!
	grep -q 'code 137' "$OUT/shown"
}

@test "the end of the output is shown, all of it, each time" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		on_terminal 24x80 cfs run -it --rm "$IMAGE" sh -c 'seq 10000; printf end' <<'END'
	exit 0
END
		expect_equal "$(tr -d '\r' <"$OUT/shown" | cksum)" "$(
			{ seq 10000 && printf end; } | cksum
		)"
	done
}

@test "no terminal here, none there" {
	local code=0
	cfs run -it "$IMAGE" sh </dev/null 2>"$OUT/err" || code=$?
	expect_equal "$code $(cat "$OUT/err")" '125 cfs: the input device is not a TTY'
	expect_equal "$(ls "$MNT/containers")" ''
	# -t alone needs none.
	expect_equal "$(cfs run --rm -t "$IMAGE" sh -c 'stty size; test -t 0 && echo yes' </dev/null)" \
		$'24 80\r\nyes\r'
	OPTIONS='-i' run_container plain cat
	expect_refusal ENOTTY "resize: container 'plain' has no terminal" 'resize 40 120' \
		"$MNT/containers/plain/ctl"
	code=0
	cfs attach plain </dev/null >"$OUT/out" &
	wait_line plain x &
	printf x >"$MNT/containers/plain/stdin"
	ctl 'kill plain' >/dev/null
	wait
	# On a terminal without -t nothing is raw, and Ctrl-C is a signal.
	on_terminal 24x80 cfs run -i --rm "$IMAGE" sh -c 'trap "exit 5" INT; echo up; while :; do sleep 0.05; done' <<'END'
	expect up
	cooked
	send \x03
	exit 5
END
}

@test "TestTty: a terminal without cfs" {
	OPTIONS='-i -t -a stdin' run_container web cat
	printf 'hello world' >"$MNT/containers/web/stdin"
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/stdout")" 'hello worldhello world'
	expect_equal "$(cat "$MNT/containers/web/stderr")" ''
	# The size is a key of the configuration, and given before the program runs.
	ctl "create --name sized -t $IMAGE stty size" >/dev/null
	echo '{"HostConfig": {"ConsoleSize": [7, 9]}}' >"$MNT/containers/sized/config"
	ctl 'start sized'
	wait_exit sized
	expect_equal "$(cat "$MNT/containers/sized/stdout")" $'7 9\r'
	expect_errno EINVAL write "$MNT/containers/sized/config" \
		'{"HostConfig": {"ConsoleSize": [7]}}'
	expect_sentence 'config: ConsoleSize: rows and columns are needed, such as [24, 80]'
	expect_errno EINVAL write "$MNT/containers/sized/config" \
		'{"HostConfig": {"ConsoleSize": [7, 70000]}}'
}

@test "resize reaches the program as SIGWINCH" {
	OPTIONS='-t' run_container web sh -c \
		'trap "stty size; exit 3" WINCH; echo up; while :; do sleep 0.05; done'
	wait_line web up
	ctl_of web 'resize 40 120'
	expect_equal "$(wait_exit web)" 3
	expect_equal "$(tail -n 1 "$MNT/containers/web/stdout")" $'40 120\r'
	expect_refusal ESRCH "resize: container 'web' is not running" 'resize 40 120' \
		"$MNT/containers/web/ctl"
}

@test "the engine dies: the terminal goes on" {
	on_terminal 24x80 sh -c 'cfs run -it --rm --name shell "$0" sh' "$IMAGE" <<END &
	raw
	expect #
	send echo o''ne; until [ -e /tmp/go ]; do sleep 0.05; done\r
	expect one\r\n
	expect #
	send echo t''wo; exit 3\r
	expect two
	exit 3
END
	wait_state shell running
	wait_line shell '^one'
	kill_engine
	touch "$MNT/containers/shell/rootfs/tmp/go"
	wait $!
}

@test "exec: on a terminal, with streams apart, exit codes, and no entry left" {
	run_container web sleep 1000
	on_terminal 31x71 cfs exec -it web sh <<'END'
	raw
	expect #
	send stty size\r
	expect 31 71
	send exit 3\r
	exit 3
END
	local code=0
	echo abc | bounded cfs exec -i web sh -c 'cat; echo err >&2; exit 7' >"$OUT/out" 2>"$OUT/err" ||
		code=$?
	expect_equal "$code $(cat "$OUT/out" "$OUT/err")" $'7 abc\nerr'
	code=0
	bounded cfs exec web nosuch 2>"$OUT/err" || code=$?
	expect_equal "$code $(cat "$OUT/err")" "127 cfs: exec: web: cannot execute 'nosuch': not found in PATH"
	# The program sees that size from its first instruction on.
	on_terminal 31x71 cfs exec -it web stty size <<'END'
	expect 31 71
	exit 0
END
	code=0
	bounded cfs exec web /etc/passwd 2>/dev/null || code=$?
	expect_equal "$code" 126
	expect_equal "$(A=5 cfs exec -e A -w /tmp -u 1000 web sh -c 'echo $A; pwd; id -u' 2>&1)" \
		$'5\n/tmp\n1000'
	expect_equal "$(ls "$MNT/containers/web/exec")" ''
}
