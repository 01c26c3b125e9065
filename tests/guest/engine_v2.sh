#!/bin/sh
# In the guest (tests/guest/engine_v2.bats starts it): the whole engine on pure
# version 2 of cgroups and the oldest kernel. Each test_X below says "ok X" or
# "not ok X" after what it had to complain about; they build on one another.
#
# The shell is busybox's. Times are generous: the machine is emulated.
# The tests are called by name, and their shell is not the one that is checked for.
# shellcheck disable=SC2002,SC2009,SC2010,SC2016,SC2086,SC2154,SC2181,SC2317
set -u

MNT=/mnt/c ROOT=/cf/root RUN=/cf/run
CTL=$MNT/ctl
PATH=/tests:$PATH
export CONTAINERFS=$MNT

fail() {
	echo "$*"
	exit 1
}

expect() {
	[ "$1" = "$2" ] || fail "got '$1' instead of '$2'${3:+ ($3)}"
}

field() {
	sed -n "s/^$2:	//p" "$1"
}

# ctl COMMAND: prints the reply; fails as the command does.
ctl() {
	ctl_status=0
	exec 3<>"$CTL"
	printf '%s\n' "$1" 2>/dev/null >&3 || ctl_status=1
	cat <&3
	exec 3>&-
	return "$ctl_status"
}

# shell COMMAND SCRIPT: of the demo image; the reply is in /tmp/reply.
shell() {
	ctl "$1 demo:1 sh -c '$2'" >/tmp/reply
}

c() {
	echo "$MNT/containers/$1/$2"
}

state() {
	field "$(c "$1" status)" State
}

# within SECONDS COMMAND...: until it succeeds.
within() {
	end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" 2>/dev/null; do
		[ "$(now_ms)" -lt "$end" ] || fail "not in time: $*"
		usleep 20000
	done
}

now_ms() {
	sed 's/ .*//; s/\.//; s/$/0/' /proc/uptime
}

answers() {
	read -r _ <"$MNT/version"
}

has_exited() {
	! kill -0 "$1"
}

# The only group of a container, at its path in the tree.
group_of() {
	echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(field "$(c "$1" status)" Pid)/cgroup")"
}

# --- the tests -------------------------------------------------------------------

test_mount() {
	mkdir -p "$MNT"
	containerfs --root "$ROOT" --run "$RUN" "$MNT"
	expect "$(field "$MNT/info" Cgroup)" v2
	case $(field "$MNT/info" Kernel) in
	6.1.*) ;;
	*) fail "another kernel" ;;
	esac
	expect "$(field "$MNT/info" Seamless)" \
		"no; before Linux 6.9 a killed engine means errors for those waiting, and a new mount"
	expect "$(field "$MNT/info" Restarts)" 0
}

test_run() {
	cp /demo.tar.gz "$MNT/images/demo:1"
	shell 'run --name first -e A=b' 'echo out; echo err >&2; echo $A; exit 7'
	id=$(cat /tmp/reply)
	expect "$(cat "$(c first wait)")" 7
	expect "$(cat "$(c first stdout)" | tr '\n' ' ')" "out b "
	expect "$(cat "$(c first stderr)")" err
	expect "$(wc -c <"$(c first logs)")" 10
	expect "$(field "$(c first status)" Id)" "$id"
	expect "$(state first)" exited
	expect "$(field "$(c first status)" OOMKilled)" no
	grep -q "\"$id\"" "$(c first inspect)"
	expect "$(ctl 'ps -aq')" "$(echo "$id" | cut -c 1-12)"
	expect "$(try write "$CTL" 'run --name none demo:1 /nope')" ENOENT
	expect "$(field "$(c none status)" ExitCode)" 127
	ctl 'rm first none'
	expect "$(cfs run --rm demo:1 cat /etc/hostname | wc -l)" 1
}

test_limits() {
	options='-m 64m --memory-swap 96m --cpu-shares 512 --cpus 0.5 --pids-limit 20'
	ctl "run --name limits $options demo:1 sleep 1000" >/dev/null
	group=$(group_of limits)
	expect "$(cat "$group/memory.max")" 67108864
	expect "$(cat "$group/memory.swap.max")" 33554432
	expect "$(cat "$group/cpu.weight")" 20
	expect "$(cat "$group/cpu.max")" "50000 100000"
	expect "$(cat "$group/pids.max")" 20
	ctl 'update -m 32m --memory-swap 32m --pids-limit 30 --cpu-shares 1024 limits' >/dev/null
	expect "$(cat "$group/memory.max")" 33554432 update
	expect "$(cat "$group/memory.swap.max")" 0 update
	expect "$(cat "$group/pids.max")" 30 update
	expect "$(cat "$group/cpu.weight")" 39 update
	echo '{"Memory": 134217728, "MemorySwap": -1}' >"$(c limits config)"
	expect "$(cat "$group/memory.max")" 134217728 config
	expect "$(cat "$group/memory.swap.max")" max config
	ctl 'rm -f limits'
	options='--cpu-period 50000 --cpu-quota 20000 --memory-reservation 8m --cpuset-cpus 0'
	ctl "run --name limits $options demo:1 sleep 1000" >/dev/null
	group=$(group_of limits)
	expect "$(cat "$group/cpu.max")" "20000 50000"
	expect "$(cat "$group/memory.low")" 8388608
	expect "$(cat "$group/cpuset.cpus")" 0
	echo '{"HostConfig": {"CpusetCpus": null, "CpusetMems": "0"}}' >"$(c limits config)"
	expect "$(cat "$group/cpuset.cpus.effective")" "$(cat /sys/fs/cgroup/cpuset.cpus.effective)"
	expect "$(cat "$group/cpuset.mems")" 0
	ctl 'rm -f limits'
	[ ! -e "$group" ] || fail "the group is left"
	# The limit of processes holds.
	shell 'run --name many --pids-limit 5' 'for i in 1 2 3 4 5 6 7 8; do sleep 100 & done'
	cat "$(c many wait)" >/dev/null
	grep -q "can't fork" "$(c many stderr)"
	ctl 'rm many'
}

test_oom() {
	shell 'run --name oom -m 16m --memory-swap 16m' 'x=aaaaaaaa; while :; do x=$x$x; done'
	expect "$(cat "$(c oom wait)")" 137
	expect "$(field "$(c oom status)" OOMKilled)" yes
	expect "$(field "$(c oom status)" ExitCode)" 137
	ctl 'rm oom'
}

# Pause by version 2's own freezer, whose leaf also limits; what only a child did; a limit that
# does not fit; init; a policy.
test_health() {
	shell 'run --name web --init -m 64m --memory-swap 64m' 'tail /dev/zero; echo child $?
		x=$(dd if=/dev/zero bs=1M count=16 2>/dev/null | tr "\\0" x); echo ready
		trap "exit 7" TERM; while :; do sleep 0.1; done'
	grep -qm1 ready "$(c web follow)"
	group=$(group_of web)
	expect "$(head -n 1 "$(c web stdout)")" 'child 137'
	within 10 has_oom web
	expect "$(state web)" running
	if ctl 'update -m 8m --memory-swap 8m web' >/tmp/reply; then
		fail 'a limit below what is in use was taken'
	fi
	expect "$(cat /tmp/reply)" 'error: update: memory cannot be limited to 8388608: more is in use'
	expect "$(cat "$group/memory.max")" 67108864
	ctl 'pause web'
	expect "$(state web) $(grep frozen "$group/cgroup.events")" 'paused frozen 1'
	ctl 'unpause web'
	expect "$(state web) $(grep frozen "$group/cgroup.events")" 'running frozen 0'
	ctl 'pause web'
	ctl 'stop -t 60 web'
	expect "$(state web) $(cat "$(c web wait)")" 'exited 7'
	shell 'run --name again --restart on-failure:2' 'echo run; exit 3'
	expect "$(grep -c run "$(c again follow)")" 3
	expect "$(state again) $(field "$(c again status)" Restarts)" 'exited 2'
	ctl 'rm web again'
}

has_oom() {
	[ "$(field "$(c "$1" status)" OOMKilled)" = yes ]
}

test_devices() {
	shell 'run --name devices' 'mknod /kmsg c 1 11; head -c 1 /kmsg; mknod /null c 1 3; echo $?
		head -c 4 /dev/urandom | wc -c; echo x >/null; echo $?'
	expect "$(cat "$(c devices wait)")" 0
	expect "$(tr '\n' ' ' <"$(c devices stdout)")" "0 4 0 "
	grep -q 'kmsg.*Operation not permitted' "$(c devices stderr)"
	ctl 'rm devices'
	shell "run --name devices --device-cgroup-rule 'a 10:229 rm'" \
		'mknod /fuse c 10 229; (exec 3</fuse) && echo opened; exec 3>/fuse'
	expect "$(cat "$(c devices wait)")" 1
	expect "$(cat "$(c devices stdout)")" opened
	ctl 'rm devices'
}

test_stop_and_kill() {
	shell 'run --name web' 'trap "echo term; exit 3" TERM; echo up; while :; do sleep 0.1; done'
	grep -qm1 up "$(c web follow)"
	pid=$(field "$(c web status)" Pid)
	kill -0 "$pid"
	echo 'stop 20' >"$(c web ctl)"
	expect "$(state web)" exited
	expect "$(cat "$(c web wait)")" 3
	echo start >"$(c web ctl)"
	expect "$(state web)" running
	expect "$(try rmdir "$MNT/containers/web")" EBUSY
	ctl 'kill -s USR1 web'
	within 5 expect "$(state web)" running
	ctl 'kill web'
	expect "$(cat "$(c web wait)")" 137
	expect "$(try write "$(c web ctl)" kill)" ESRCH
	mv -T "$MNT/containers/web" "$MNT/containers/web2"
	rmdir "$MNT/containers/web2"
	[ ! -e "$MNT/containers/web2" ]
}

test_rootfs() {
	shell 'create --name files' 'cat /etc/mine; echo inside >/etc/theirs; sleep 1000'
	echo outside >"$(c files rootfs)/etc/mine"
	expect "$(cat "$(c files rootfs)/etc/hostname")" demo
	ctl 'start files' >/dev/null
	grep -qm1 outside "$(c files follow)"
	within 5 [ -s "$(c files rootfs)/etc/theirs" ]
	expect "$(cat "$(c files rootfs)/etc/theirs")" inside
	echo live >"$(c files rootfs)/live"
	expect "$(cat "$(c files root)/live")" live
	ctl 'kill files'
	expect "$(cat "$(c files rootfs)/live")" live
	cp "$MNT/images/demo:1/rootfs/etc/hostname" /tmp/hostname
	if (echo x >"$MNT/images/demo:1/rootfs/x") 2>/dev/null; then
		fail "an image was written to"
	fi
	ctl 'rm files'
}

# One descriptor can be read and written at once, and options that are not limits.
test_attach_and_options() {
	shell 'run -i --name cat' 'read -r x; echo "<$x>"; exec cat'
	exec 4<>"$(c cat attach)"
	cat <&4 >/tmp/attached &
	attached=$!
	usleep 300000
	echo first >&4
	within 5 grep -q '^<first>$' /tmp/attached
	echo second >&4
	within 5 grep -q '^second$' /tmp/attached
	exec 4>&-
	ctl 'kill cat'
	wait "$attached"
	options='--read-only --cap-drop ALL --security-opt no-new-privileges -u 1000:1000 -w /tmp'
	shell "run --name options $options" \
		'echo x >/x || echo read-only; pwd; id -u
		grep "NoNewPrivs\|CapEff" /proc/self/status'
	cat "$(c options wait)" >/dev/null
	expect "$(tr '\n\t' '  ' <"$(c options stdout)")" \
		"read-only /tmp 1000 CapEff: 0000000000000000 NoNewPrivs: 1 "
	shell 'run --name privileged --privileged' 'grep CapEff /proc/self/status; ls /dev/fuse
		mkdir /x; mount -t tmpfs x /x && echo mounted; mount | grep -c "cgroup.*rw"'
	cat "$(c privileged wait)"
	grep -q mounted "$(c privileged stdout)"
	ctl 'rm cat options privileged'
}

# Whoever waits gets an error and no hang, the next mount is there within a second
# (of a machine that is not emulated), and containers have not noticed.
test_killed_engine() {
	shell 'run -i --name echo' 'while read -r x; do echo got $x; done; exit 5'
	shell 'run --name ends' 'sleep 0.5; echo last; exit 9'
	shell 'run --name stuck' 'trap : TERM; while :; do sleep 1; done'
	echo one >"$(c echo stdin)"
	grep -qm1 'got one' "$(c echo follow)"
	for file in wait follow attach; do
		cat "$(c echo $file)" >/dev/null 2>"/tmp/$file" &
		eval "$file=$!"
	done
	cat "$MNT/events" >/dev/null 2>/tmp/events &
	events=$!
	try write "$(c stuck ctl)" 'stop 100' >/tmp/stop &
	stop=$!
	usleep 300000
	for waiting in $wait $follow $attach $events $stop; do
		kill -0 "$waiting" || fail "somebody does not wait"
	done

	holder=$(field "$MNT/info" Holder)
	kill -9 "$(field "$MNT/info" Pid)"
	killed=$(now_ms)
	until answers 2>/dev/null; do usleep 5000; done
	took=$(($(now_ms) - killed))
	echo "the new mount answers after $took ms"
	[ "$took" -lt 15000 ] || fail "that is too long even here"
	for waiting in $wait $follow $attach $events $stop; do
		within 2 has_exited "$waiting"
		wait "$waiting" && [ "$waiting" != "$stop" ] && fail "a wait ended without an error"
	done
	cat /tmp/wait /tmp/stop
	grep -q 'aborted\|not connected' /tmp/wait
	grep -q 'ECONNABORTED\|ENOTCONN' /tmp/stop

	expect "$(field "$MNT/info" Holder)" "$holder"
	expect "$(grep -c " $MNT fuse" /proc/mounts)" 1
	expect "$(state echo)" running
	expect "$(cat "$(c ends wait)")" 9
	expect "$(cat "$(c ends logs)")" last
	echo two >"$(c echo stdin)"
	grep -qm1 'got two' "$(c echo follow)"
	expect "$(cat "$(c echo logs)" | tr '\n' ' ')" "got one got two "
	ctl 'kill stuck'
	expect "$(cat "$(c stuck wait)")" 137

	# Once more, and again as soon as it answers.
	kill -9 "$(field "$MNT/info" Pid)"
	within 2 answers
	kill -9 "$(field "$MNT/info" Pid)"
	within 2 answers
	expect "$(cat "$(c echo logs)" | wc -l)" 2
	echo 'closestdin' >"$(c echo ctl)"
	expect "$(cat "$(c echo wait)")" 5
	ctl 'rm echo ends stuck'
	expect "$(ls "$MNT/containers")" ""
}

# Mounts and groups are as before; with the mount the processes go.
test_nothing_left() {
	holder=$(field "$MNT/info" Holder)
	umount "$MNT"
	within 5 has_exited "$holder"
	expect "$(cat /proc/mounts)" "$(cat /tmp/mounts)"
	expect "$(find /sys/fs/cgroup -name 'containerfs*')" ""
	expect "$(ps | grep -v grep | grep -c 'containerfs\|shim')" 0
	if grep -n 'bug:\|assert' "$RUN/log"; then
		fail "the log tells of a bug"
	fi
	# What the next engine on it takes over.
	expect "$(cd "$RUN" && ls | grep -v '^seccomp-.*\.bpf$' | tr '\n' ' ')" "events lock log rootfs "
}

# 64 MiB of output take longer here than that test waits.
test_launch() {
	/tests/test_launch test_much_output
}

cat /proc/mounts >/tmp/mounts
failures=0
for name in mount run limits oom health devices stop_and_kill rootfs attach_and_options killed_engine nothing_left \
	launch; do
	(
		set -e
		"test_$name"
	) >/tmp/output 2>&1
	if [ "$?" = 0 ]; then
		echo "ok $name"
	else
		failures=1
		cat /tmp/output
		cat "$MNT/error" 2>/dev/null
		tail -n 5 "$RUN/log"
		for left in "$MNT"/containers/*; do
			ctl "rm -f ${left##*/}" 2>/dev/null
		done
		echo "not ok $name"
	fi
done
exit "$failures"
