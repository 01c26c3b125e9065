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

# --- limits -----------------------------------------------------------------

@test "the OOM killer's work is told at once, once, also when only a child was killed" {
	local dir
	# tail keeps a line that never ends.
	OPTIONS='-m 16m --memory-swap 16m' run_container alive sh -c \
		'tail /dev/zero; echo child $?; exec sleep 1000'
	OPTIONS='-m 16m --memory-swap 16m' run_container later sh -c \
		'while [ ! -e /go ]; do sleep 0.01; done; exec tail /dev/zero'
	OPTIONS='-m 16m --memory-swap 16m' run_container fine sleep 1000
	wait_line alive 'child 137'
	eventually has_oom alive
	expect_equal "$(status_of alive State) $(status_of fine OOMKilled)" 'running no'
	grep -q '"OOMKilled": *true' "$MNT/containers/alive/inspect"
	dir=$(readlink "$MNT/containers/later/rootfs")
	kill -STOP "$(cat "$SANDBOX/holder")"
	kill_engine
	touch "$dir/go"
	eventually gone_shim later
	kill -CONT "$(cat "$SANDBOX/holder")"
	expect_equal "$(wait_exit later) $(status_of later OOMKilled)" '137 yes'
	expect_equal "$(status_of alive OOMKilled)" yes
	ctl 'kill alive fine' >/dev/null
	expect_equal "$(status_of alive OOMKilled) $(status_of fine OOMKilled)" 'yes no'
	expect_equal "$(actions_of alive)" 'create start oom kill die '
	expect_equal "$(actions_of later)" 'create start oom die '
	ctl 'start alive' >/dev/null
	wait_line alive 'child 137'
	eventually has_oom alive
	ctl 'update -m 32m --memory-swap 32m alive' >/dev/null
}

has_oom() {
	[ "$(status_of "$1" OOMKilled)" = yes ]
}

# Its exit record is there: the shim's last deed.
gone_shim() {
	compgen -G "$RUN/*/exit.json" >/dev/null
}

@test "a limit below what is in use is refused, and config and kernel stay as they were" {
	local before
	OPTIONS='-m 64m --memory-swap 64m' run_container web sh -c \
		'x=$(dd if=/dev/zero bs=1M count=24 2>/dev/null | tr "\0" x); echo ready; while :; do sleep 1; done'
	wait_line web ready
	before=$(cat "$MNT/containers/web/config")
	expect_refusal EBUSY 'update: memory cannot be limited to 8388608: more is in use' \
		'update -m 8m --memory-swap 8m web'
	expect_equal "$(cat "$MNT/containers/web/config")" "$before"
	ctl 'update -m 128m --memory-swap 128m web' 'update -m 96m --memory-swap 128m web' >/dev/null
	expect_refusal EINVAL 'update: MemorySwap (memory and swap) 134217728 is less than Memory 268435456' \
		'update -m 256m web'
	expect_equal "$(status_of web State) $(status_of web OOMKilled)" 'running no'
}

# --- ulimits, sysctls, resolv.conf --------------------------------------------

# What a script says in a container made with OPTIONS.
inside() {
	local id
	# shellcheck disable=SC2086
	id=$(ctl "create ${OPTIONS:-} $IMAGE sh -c $(quote "$1")") || return 1
	ctl "start $id" >/dev/null || return 1
	wait_exit "$id" >/dev/null
	cat "$MNT/containers/$id/logs"
}

# None above what this machine lets root have, who may lack CAP_SYS_RESOURCE.
@test "every ulimit is what was asked for, seen from inside" {
	local name options='' limits
	for name in as=8000000000:9000000000 core=0 cpu=100:200 data=7000000000 fsize=1000000 locks=64:65 \
		memlock=65536 msgqueue=8192:8193 nice=0 nofile=100:200 nproc=50:60 rss=123456789 rtprio=0 \
		rttime=500000 sigpending=77 stack=4194304:-1; do
		options+=" --ulimit $name"
	done
	limits=$(OPTIONS=$options inside 'cat /proc/self/limits' | sed 's/   */|/g')
	for name in 'address space|8000000000|9000000000' 'core file size|0|0' 'cpu time|100|200' \
		'data size|7000000000|7000000000' 'file size|1000000|1000000' 'file locks|64|65' \
		'locked memory|65536|65536' 'msgqueue size|8192|8193' 'nice priority|0|0' 'open files|100|200' \
		'processes|50|60' 'resident set|123456789|123456789' 'realtime priority|0|0' \
		'realtime timeout|500000|500000' 'pending signals|77|77' 'stack size|4194304|unlimited'; do
		grep -q "^Max $name|" <<<"$limits" || fail "not $name: $limits"
	done
	expect_match "$(OPTIONS='--ulimit cpu=-1' inside 'cat /proc/self/limits')" \
		'Max cpu time +unlimited +unlimited'
	expect_errno EPERM write "$MNT/ctl" "run --ulimit nofile=2000000000 $IMAGE true"
	expect_sentence "run: cannot set the limit 'nofile' (ulimit): Operation not permitted"
}

@test "sysctls of its own namespaces are set, and the host's are not" {
	local before
	before=$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_default_ttl)
	OPTIONS='--sysctl kernel.msgmax=4321 --sysctl net.ipv4.ip_default_ttl=77 --sysctl fs.mqueue.msg_max=9'
	expect_equal "$(OPTIONS="$OPTIONS --sysctl kernel.shm_rmid_forced=1" inside 'cd /proc/sys
		cat kernel/msgmax net/ipv4/ip_default_ttl fs/mqueue/msg_max kernel/shm_rmid_forced' | tr '\n' ' ')" \
		'4321 77 9 1 '
	expect_equal "$(OPTIONS='--sysctl "kernel.sem=200 300 40 50"' inside \
		'cat /proc/sys/kernel/sem' | tr '\t' ' ')" '200 300 40 50'
	expect_equal "$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward \
		/proc/sys/net/ipv4/ip_default_ttl)" "$before"
	expect_refusal EINVAL "run: cannot set sysctl 'kernel.msgmax' to 'much': Invalid argument" \
		"run --sysctl kernel.msgmax=much $IMAGE true"
	expect_refusal ENOTSUP "run: this kernel has no sysctl 'net.no.such'" "run --sysctl net.no.such=1 $IMAGE true"
	expect_refusal EINVAL "create: Sysctls: 'kernel.hostname' is not a container's own" \
		"create --sysctl kernel.hostname=x $IMAGE true"
	expect_refusal EINVAL "create: Sysctls: 'net.core.somaxconn' is the host's with NetworkMode 'host'" \
		"create --net host --sysctl net.core.somaxconn=5 $IMAGE true"
}

@test "the options of resolv.conf are those that were asked for" {
	expect_equal "$(OPTIONS='--dns 10.1.2.3 --dns-option ndots:2 --dns-opt rotate --dns-search a.example' \
		inside 'cat /etc/resolv.conf')" \
		"$(printf 'nameserver 10.1.2.3\nsearch a.example\noptions ndots:2 rotate')"
}

# --- init -----------------------------------------------------------------------

@test "init: process 1 is a small one of ours, and the program its child" {
	local pid
	OPTIONS=--init run_container web sh -c 'read -r pid name state parent group session tty tpgid rest \
		</proc/self/stat; echo "$$ $parent $group $session"; cat /proc/1/comm; tr -d "\0" </proc/1/cmdline
				readlink /proc/1/exe || echo hidden; (sh -c "echo \$\$ >/orphan" &); while [ ! -s /orphan ]; do :; done
		while [ -d "/proc/$(cat /orphan)" ]; do sleep 0.01; done; echo reaped; exec sleep 1000'
	wait_line web reaped
	expect_equal "$(tail -n +2 "$MNT/containers/web/stdout")" "$(printf 'init\ninithidden\nreaped')"
	expect_match "$(head -n 1 "$MNT/containers/web/stdout")" '^2 [0-9]+ [0-9]+ 1$'
	pid=$(status_of web Pid)
	expect_equal "$(cat "/proc/$pid/comm")" init
	expect_equal "$(readlink /proc/"$pid"/fd/* | sort | uniq -c | tr -s ' ')" ' 3 /dev/null'
	expect_equal "$(grep '^Cap\|^Seccomp:\|^NoNewPrivs' "/proc/$pid/status")" \
		"$(grep '^Cap\|^Seccomp:\|^NoNewPrivs' "/proc/$(pgrep -P "$pid")/status")"
	# Nothing catches it: without an init it would have to be killed.
	ctl 'stop -t 60 web' >/dev/null
	expect_equal "$(status_of web ExitCode)" 143
}

@test "init: signals are handed on, and it ends as the program does" {
	local name
	OPTIONS=--init run_container web sh -c 'for s in HUP USR1 USR2 WINCH TERM; do trap "echo got $s" $s; done
		trap "exit 7" INT; echo ready; while :; do sleep 0.01; done'
	wait_line web ready
	for name in HUP USR1 USR2 WINCH TERM; do
		ctl "kill -s $name web" >/dev/null
		wait_line web "got $name"
	done
	ctl 'kill -s INT web' >/dev/null
	expect_equal "$(wait_exit web)" 7
	OPTIONS=--init run_container nine sh -c 'kill -9 $$'
	expect_equal "$(wait_exit nine)" 137
	OPTIONS=--init run_container still sleep 1000
	ctl 'kill still' >/dev/null
	expect_equal "$(status_of still ExitCode)" 137
	expect_errno ENOENT write "$MNT/ctl" "run --init --name gone $IMAGE /no/such/program"
	expect_equal "$(status_of gone State) $(status_of gone ExitCode)" 'exited 127'
	expect_errno EAGAIN write "$MNT/ctl" "run --init --pids-limit 1 $IMAGE true"
}

@test "init: stdin and stdout are the program's alone, and with a terminal it is in front" {
	OPTIONS='--init -i' run_container web sh -c 'exec <&-; echo closed; exec sleep 1000'
	wait_line web closed
	expect_errno EPIPE write "$MNT/containers/web/stdin" x
	expect_equal "$(OPTIONS='--init -t' inside 'read -r pid name state parent group session tty tpgid rest \
		</proc/$$/stat; [ $group = $tpgid ] && tty' | tr -d '\r')" /dev/pts/0
}
