# Further processes in a container: the command, and the entries of exec/.
# ctest-labels: threads

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	dir=$MNT/containers/web
	exec=$dir/exec
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# A container that ends with 3 when it is stopped, and tells when it is up.
run_web() {
	run_container web sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.05; done'
	wait_line web up
}

# An entry, started: start_exec NAME WORDS-OF-RUN
start_exec() {
	mkdir "$exec/$1"
	talk "$exec/$1/ctl" "run $2"
}

# No directory of an exec is left once its command was answered for a while.
no_execs() {
	[ -z "$(find "$RUN"/*/exec -mindepth 1 2>/dev/null)" ]
}

@test "the command replies with the output, and the exit code is a failure of its own" {
	run_web
	expect_equal "$(ctl "exec web echo 'a  b'")" 'a  b'
	expect_equal "$(ctl_of web 'exec sh -c "echo out; echo err >&2"')" $'out\nerr'
	expect_refusal EREMOTEIO 'exec: web: exit code 7' 'exec web sh -c "printf torn; exit 7"'
	expect_equal "$(reply)" $'torn\nerror: exec: web: exit code 7'
	expect_refusal EREMOTEIO 'exec: web: exit code 143' 'exec web sh -c "kill -TERM \$\$"'
	expect_refusal ENOENT "exec: web: cannot execute 'nope': not found in PATH" 'exec web nope'
	expect_refusal EACCES "exec: web: cannot execute '/etc/passwd': Permission denied" \
		'exec web /etc/passwd'
	expect_refusal ENOENT \
		"exec: web: cannot enter the working directory '/no/such': No such file or directory" \
		'exec -w /no/such web true'
	expect_refusal EINVAL "exec: web: no user 'nope' in the container's /etc/passwd" \
		'exec -u nope web true'
	expect_refusal ENOENT 'exec: no such container: nope' 'exec nope true'
	expect_refusal EINVAL 'exec: no command given; usage: exec [OPTION]... NAME COMMAND [ARG]...' \
		'exec web'
	expect_refusal EINVAL "exec: unknown option '--nope'" 'exec --nope web true'
	expect_equal "$(ctl 'exec -i web cat')" '' # its input is at its end
	# The last MiB.
	ctl 'exec web sh -c "seq 400000"' >"$SANDBOX/work/out"
	expect_equal "$(stat -c %s "$SANDBOX/work/out")" 1048576
	seq 400000 | tail -c 1048576 | cmp - "$SANDBOX/work/out"
	ctl 'exec web touch /tmp/x' >/dev/null
	until echo 'exec web test -e /tmp/x' >"$MNT/ctl"; do :; done
	# What is started and forgotten.
	expect_equal "$(ctl 'exec -d web sh -c "seq 100000; echo y >/tmp/y"')" ''
	eventually test -e "$dir/rootfs/tmp/y"
	eventually no_execs
}

@test "it is in the container: namespaces, groups, rights, environment, user" {
	local ours theirs what first further
	OPTIONS='-e A=1 -w /tmp --cap-drop chown --security-opt no-new-privileges --ulimit nofile=77' run_web
	first='for n in mnt pid ipc uts net cgroup user; do readlink /proc/1/ns/$n; done
		cat /proc/1/cgroup; grep -E "^(Cap|Seccomp:|NoNewPrivs|Groups)" /proc/1/status
		grep files /proc/1/limits; cat /proc/1/oom_score_adj'
	further=${first//\/1\//\/self\/}
	expect_equal "$(ctl "exec web sh -c $(quote "$further")")" "$(ctl "exec web sh -c $(quote "$first")")"
	expect_match "$(ctl 'exec web cat /proc/self/status')" 'Seccomp:.2'
	expect_equal "$(ctl 'exec -e A=2 -e B=3 web sh -c "echo \$A \$B \$HOME \$TERM; pwd; hostname"')" \
		"$(printf '2 3 /root\n/tmp\n%s' "$(field "$dir/status" Id | cut -c1-12)")"
	expect_equal "$(ctl 'exec -u nobody -w / web sh -c "id -u; pwd; grep CapEff /proc/self/status"')" \
		$'65534\n/\nCapEff:\t0000000000000000'
	# Nothing of the host's is open, and nothing else is there than the container's.
	expect_equal "$(ctl 'exec web sh -c "ls /proc/self/fd"')" $'0\n1\n2\n3'
	expect_equal "$(ctl 'exec web readlink /proc/self/fd/0')" /dev/null
	expect_match "$(ctl 'exec web readlink /proc/self/exe')" '^/bin/'
	# The host's groups too: it is where process 1 is.
	start_exec x 'sleep 1000'
	ours=$(field "$exec/x/status" Pid) theirs=$(field "$dir/status" Pid)
	for what in cgroup ns/mnt; do
		if [ "$what" = cgroup ]; then
			cmp "/proc/$ours/cgroup" "/proc/$theirs/cgroup"
		else
			expect_equal "$(readlink "/proc/$ours/$what")" "$(readlink "/proc/$theirs/$what")"
		fi
	done
}

@test "what a privileged one may do its execs may; nothing of it leaks" {
	OPTIONS=--privileged run_web
	expect_equal "$(ctl 'exec web grep -E "CapEff|Seccomp:" /proc/self/status')" \
		"$(ctl 'exec web grep -E "CapEff|Seccomp:" /proc/1/status')"
	expect_equal "$(ctl 'exec web ls /proc/self/fd')" $'0\n1\n2\n3'
}

@test "an entry has a life of its own" {
	run_web
	expect_equal "$(ls "$exec")" ''
	mkdir "$exec/x"
	expect_equal "$(ls "$exec" "$exec/x" | tr '\n' ' ')" \
		"$exec: x  $exec/x: attach ctl follow status stderr stdin stdout wait "
	expect_errno EEXIST mkdir "$exec/x"
	expect_errno EINVAL mkdir "$exec/a b"
	expect_errno EPERM rename "$exec/x" "$exec/y"
	expect_equal "$(field "$exec/x/status" State)" created
	expect_match "$(cat "$exec/x/ctl")" '^run '
	expect_refusal ESRCH "kill: container 'web/exec/x' is not running" kill "$exec/x/ctl"
	expect_errno ESRCH write "$exec/x/ctl" closestdin
	expect_errno ESRCH write "$exec/x/ctl" 'resize 1 2'
	expect_errno ESRCH write "$exec/x/stdin" a
	expect_errno EINVAL write "$exec/x/ctl" 'start'
	expect_errno EINVAL write "$exec/x/ctl" 'run'
	cat "$exec/x/wait" >"$SANDBOX/work/code" &
	local waiter=$!
	wait_blocked is_reading "$waiter"
	talk "$exec/x/ctl" 'run -i sh -c "echo go; cat; echo end >&2; exit 5"'
	expect_errno EBUSY write "$exec/x/ctl" 'run true'
	expect_equal "$(field "$exec/x/status" State)" running
	expect_equal "$(field "$exec/x/status" Command)" 'sh -c echo go; cat; echo end >&2; exit 5'
	echo data >"$exec/x/stdin"
	bounded grep -qm1 data "$exec/x/follow"
	echo more >"$exec/x/attach"
	talk "$exec/x/ctl" closestdin
	wait "$waiter"
	expect_equal "$(cat "$SANDBOX/work/code")" 5
	expect_equal "$(cat "$exec/x/stdout")" $'go\ndata\nmore'
	expect_equal "$(cat "$exec/x/stderr")" end
	expect_equal "$(dd if="$exec/x/follow" status=none)" $'go\ndata\nmore\nend'
	expect_equal "$(cat "$exec/x/attach")" ''
	expect_equal "$(field "$exec/x/status" State) $(field "$exec/x/status" ExitCode)" 'exited 5'
	expect_errno ESRCH write "$exec/x/stdin" a
	# Once more, and a program that is not there.
	talk "$exec/x/ctl" 'run sh -c "echo again; exec sleep 1000"'
	expect_errno EPIPE write "$exec/x/stdin" a
	bounded grep -qm1 again "$exec/x/follow"
	talk "$exec/x/ctl" 'kill TERM'
	expect_equal "$(bounded cat "$exec/x/wait")" 143
	expect_errno ENOENT write "$exec/x/ctl" 'run nope'
	expect_equal "$(field "$exec/x/status" ExitCode)" 127
	expect_match "$(field "$exec/x/status" Error)" 'nope'
	# rmdir ends it, and an open wait gets the code.
	talk "$exec/x/ctl" 'run sleep 1000'
	cat "$exec/x/wait" >"$SANDBOX/work/code" &
	waiter=$!
	wait_blocked is_reading "$waiter"
	rmdir "$exec/x"
	wait "$waiter"
	expect_equal "$(cat "$SANDBOX/work/code")" 137
	expect_equal "$(ls "$exec")" ''
	expect_failure rmdir "$exec/x"
	expect_equal "$(field "$dir/status" State)" running
	eventually no_execs
}

@test "a terminal with job control, its size, attach" {
	run_web
	start_exec t '-it sh'
	exec {tty}<>"$exec/t/attach"
	talk "$exec/t/ctl" 'resize 41 121'
	printf 'tty; stty size; echo $TERM; sleep 1000\n' >&"$tty"
	bounded grep -qm1 '41 121' "$exec/t/follow"
	eventually grep -q xterm "$exec/t/stdout"
	sleep_runs() { ctl 'exec web pidof sleep' | grep -q .; }
	printf '\003echo back-$?\n' >&"$tty" # Ctrl-C ends sleep, not the shell
	bounded grep -qm1 'back-130' "$exec/t/follow"
	printf 'exit 9\n' >&"$tty"
	expect_equal "$(bounded cat "$exec/t/wait")" 9
	exec {tty}>&-
	expect_errno ENOTTY write "$dir/ctl" 'resize 1 2'
}

@test "the container ends: so do they, and what they left can be read" {
	run_web
	start_exec a 'sh -c "echo here; exec sleep 1000"'
	bounded grep -qm1 here "$exec/a/follow"
	ctl 'exec web sleep 1000' >/dev/null 2>&1 &
	eventually ctl 'exec web sh -c "pidof sleep | grep \" \""' >/dev/null
	ctl 'stop web' >/dev/null
	expect_equal "$(field "$exec/a/status" State) $(field "$exec/a/status" ExitCode)" 'exited 137'
	expect_equal "$(cat "$exec/a/stdout")" here
	wait || :
	expect_errno ESRCH mkdir "$exec/b"
	expect_sentence "exec: container 'web' is not running"
	expect_refusal ESRCH "exec: container 'web' is not running" 'exec web true'
	expect_errno ESRCH write "$exec/a/ctl" 'run true'
	ctl 'start web' >/dev/null
	talk "$exec/a/ctl" 'run echo new'
	expect_equal "$(bounded cat "$exec/a/wait")" 0
	expect_equal "$(cat "$exec/a/stdout")" $'here\nnew'
	ctl 'pause web' >/dev/null
	expect_refusal EBUSY "exec: container 'web' is paused; unpause it" 'exec web true'
	ctl 'unpause web' >/dev/null
	start_exec c 'sleep 1000'
	ctl 'rm -f web' >/dev/null
}

@test "the engine is killed: nothing is lost, nothing is done twice" {
	local pid
	run_web
	start_exec a '-i sh -c "echo one; cat; exit 6"'
	start_exec b 'sh -c "sleep 0.2; exit 4"'
	mkdir "$exec/c"
	cat "$exec/a/wait" >"$SANDBOX/work/code" &
	pid=$!
	(ctl 'exec web sh -c "echo x >>/tmp/times; sleep 1; echo done; exit 8"' >"$SANDBOX/work/reply" 2>&1 ||
		:) &
	eventually test -s "$dir/rootfs/tmp/times"
	kill_engine
	eventually test -e "$MNT/info"
	kill_engine
	expect_equal "$(ls "$exec" | tr '\n' ' ')" 'a b c '
	expect_equal "$(bounded cat "$exec/b/wait")" 4
	expect_equal "$(field "$exec/c/status" State)" created
	echo two >"$exec/a/stdin"
	talk "$exec/a/ctl" closestdin
	wait "$pid"
	expect_equal "$(cat "$SANDBOX/work/code")" 6
	expect_equal "$(cat "$exec/a/stdout")" $'one\ntwo'
	wait || :
	expect_equal "$(head -n 2 "$SANDBOX/work/reply")" $'done\nerror: exec: web: exit code 8'
	expect_equal "$(cat "$dir/rootfs/tmp/times")" x
	rmdir "$exec/a" "$exec/b" "$exec/c"
	eventually no_execs
}

@test "interrupted, the process is ended" {
	run_web
	bounded "$TRY" write "$MNT/ctl" 'exec web sleep 1234' >"$SANDBOX/work/said" &
	eventually ctl 'exec web pidof sleep' >/dev/null
	eventually pkill -INT -f "$TRY write $MNT/ctl exec web sleep 1234"
	wait || :
	no_sleep() { ! ctl 'exec web pgrep -f "sleep 1234"' >/dev/null 2>&1; }
	eventually no_sleep
	eventually no_execs
}

@test "fifty at once" {
	local i
	run_web
	for i in {1..50}; do
		mkdir "$exec/n$i"
		echo "run sh -c 'exit $i'" >"$exec/n$i/ctl" &
	done
	wait
	for i in {1..50}; do
		expect_equal "$(bounded cat "$exec/n$i/wait")" "$i"
	done
	rmdir "$exec"/n*
	for i in {1..50}; do
		ctl "exec web sh -c 'echo $i'" >"$SANDBOX/work/o$i" &
	done
	wait
	for i in {1..50}; do
		expect_equal "$(cat "$SANDBOX/work/o$i")" "$i"
	done
	eventually no_execs
}

@test "a full container says so" {
	OPTIONS='--pids-limit 1' run_container web sleep 1000
	expect_refusal EAGAIN "exec: web: the container's limit of processes is reached" 'exec web true'
	expect_equal "$(field "$dir/status" State)" running
}

@test "what a command has said so far can be seen meanwhile" {
	run_web
	bounded python3 - "$MNT/ctl" "$dir/rootfs/tmp/go" <<-'EOF'
		import os, sys, threading, time
		fd = os.open(sys.argv[1], os.O_RDWR)
		command = b'exec web sh -c "echo first; until test -e /tmp/go; do sleep 0.05; done; echo last"\n'
		writer = threading.Thread(target=os.write, args=(fd, command))
		writer.start()
		while os.pread(fd, 100, len(command)) != b'first\n':
		    time.sleep(0.02)
		open(sys.argv[2], 'w').close()
		writer.join()
		assert os.pread(fd, 100, len(command)) == b'first\nlast\n'
	EOF
}

@test "a killed shim takes its process along, and the container runs on" {
	run_web
	start_exec x 'sleep 1000'
	kill -KILL "$(awk '{ print $4 }' "/proc/$(field "$exec/x/status" Pid)/stat")"
	expect_equal "$(bounded cat "$exec/x/wait")" 137
	expect_match "$(field "$exec/x/status" Error)" 'shim'
	expect_equal "$(ctl 'exec web echo on')" on
	talk "$exec/x/ctl" 'run echo again'
	expect_equal "$(bounded cat "$exec/x/wait")" 0
}
