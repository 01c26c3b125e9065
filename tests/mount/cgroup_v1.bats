# The whole engine on a machine that has only version 1 of cgroups: a mount namespace in which
# version 2 is not mounted. Everything of a test happens in there.
#
# Where the controllers are version 2's there is nothing to look at: that is tests/guest's part.

load lib

setup_file() {
	sandbox_make
	export V1=
	grep -q ' - cgroup .*\bmemory\b' /proc/self/mountinfo || return 0
	unshare --mount --propagation private bash -c '
		umount --all --types cgroup2
		echo ready >"$SANDBOX/ready"
		exec sleep 10000' 3>&- 4>&- &
	V1=$!
	eventually test -e "$SANDBOX/ready"
	in_v1 mount_start
	in_v1 import_demo
}

teardown_file() {
	local status=0
	if [ -n "$V1" ]; then
		in_v1 check_engine || status=1
		in_v1 sandbox_kill || status=1
		kill "$V1"
	fi
	sandbox_end || status=1
	return "$status"
}

setup() {
	[ -z "$V1" ] || in_v1 look_before
}

teardown() {
	[ -z "$V1" ] || in_v1 look_after
}

# in_v1 FUNCTION ARG...: with all functions and variables that there are here.
in_v1() {
	{
		declare -p TOP BUILD_DIR DEADLINE IMAGE READ_CALL WRITE_CALL
		declare -f
	} >"$SANDBOX/functions"
	nsenter --mount --target "$V1" bash -c '. "$SANDBOX/functions"; set -e; "$@"' bash "$@" 3>&- 4>&-
}

# A test of this file: its function, where there is a version 1.
test_v1() {
	if [ -n "$V1" ]; then
		in_v1 "$@"
	fi
}

status_of() {
	field "$MNT/containers/$1/status" "$2"
}

# group_of NAME CONTROLLER: its directory; empty when the container is in none of ours.
group_of() {
	local path
	path=$(awk -F: -v name="$2" '$2 == name { print $3 }' "/proc/$(status_of "$1" Pid)/cgroup")
	[[ $path != */containerfs/* ]] ||
		echo "$(awk -v name="$2" '$(NF - 2) == "cgroup" && $NF ~ name "$" { print $5; exit }' \
			/proc/self/mountinfo)$path"
}

test_limits() {
	local memory cpu pids
	expect_equal "$(field "$MNT/info" Cgroup)" v1
	OPTIONS='-m 64m --memory-swap 96m --cpu-shares 512 --cpus 0.5 --pids-limit 20' \
		run_container web sleep 1000
	memory=$(group_of web memory) cpu=$(group_of web cpu) pids=$(group_of web pids)
	expect_equal "$(cat "$memory/memory.limit_in_bytes")" 67108864
	expect_equal "$(cat "$memory/memory.memsw.limit_in_bytes")" 100663296
	expect_equal "$(cat "$cpu/cpu.shares")" 512
	expect_equal "$(cat "$cpu/cpu.cfs_quota_us")" 50000
	expect_equal "$(cat "$pids/pids.max")" 20
	ctl 'update -m 32m --memory-swap 32m --pids-limit 30 --cpu-shares 100 web' >/dev/null
	expect_equal "$(cat "$memory/memory.limit_in_bytes")" 33554432
	expect_equal "$(cat "$memory/memory.memsw.limit_in_bytes")" 33554432
	expect_equal "$(cat "$pids/pids.max")" 30
	expect_equal "$(cat "$cpu/cpu.shares")" 100
	# What it was not in when it began it joins when there is something to limit.
	run_container free sleep 1000
	expect_equal "$(group_of free cpu)" ''
	echo '{"HostConfig": {"NanoCpus": 250000000}}' >"$MNT/containers/free/config"
	expect_equal "$(cat "$(group_of free cpu)/cpu.cfs_quota_us")" 25000
	ctl 'rm -f web free' >/dev/null
	[ ! -e "$memory" ] && [ ! -e "$cpu" ] && [ ! -e "$pids" ]
}

test_oom() {
	OPTIONS='-m 16m --memory-swap 16m' run_container oom sh -c 'x=aaaaaaaa; while :; do x=$x$x; done'
	expect_equal "$(wait_exit oom)" 137
	expect_equal "$(status_of oom OOMKilled)" yes
	run_container fine true
	expect_equal "$(wait_exit fine)" 0
	expect_equal "$(status_of fine OOMKilled)" no
}

test_devices() {
	run_container devices sh -c 'mknod /kmsg c 1 11; head -c 1 /kmsg; head -c 4 /dev/urandom | wc -c'
	expect_equal "$(wait_exit devices)" 0
	expect_equal "$(cat "$MNT/containers/devices/stdout")" 4
	expect_match "$(cat "$MNT/containers/devices/stderr")" 'kmsg: Operation not permitted'
	OPTIONS="--device-cgroup-rule 'a 10:229 rm'" run_container fuse \
		sh -c 'mknod /fuse c 10 229; (exec 3</fuse) && echo opened; exec 3>/fuse'
	expect_equal "$(wait_exit fuse)" 1
	expect_match "$(cat "$MNT/containers/fuse/logs")" '^opened'
}

# Without cgroup.kill: many processes, some in a group of their own, are gone when kill returns.
test_kill() {
	local freezer
	run_container many sh -c 'i=0; while [ $i -lt 60 ]; do sleep 1000 & i=$((i + 1)); done; echo all; wait'
	wait_line many all
	freezer=$(group_of many freezer)
	expect_equal "$(wc -l <"$freezer/cgroup.procs")" 61
	ctl 'kill many' >/dev/null
	expect_equal "$(wait_exit many)" 137
	expect_equal "$(cat "$freezer/cgroup.procs" 2>/dev/null)" ''
	ctl 'start many' >/dev/null
	wait_line many all
	ctl 'stop -t 0 many' >/dev/null
	expect_equal "$(status_of many State)" exited
}

test_pause() {
	local freezer
	run_container web sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done'
	wait_line web ready
	freezer=$(group_of web freezer)
	ctl 'pause web' >/dev/null
	expect_equal "$(status_of web State) $(cat "$freezer/freezer.state")" 'paused FROZEN'
	kill_engine
	expect_equal "$(status_of web State)" paused
	expect_errno EBUSY write "$MNT/ctl" 'pause web'
	ctl 'unpause web' >/dev/null
	expect_equal "$(status_of web State) $(cat "$freezer/freezer.state")" 'running THAWED'
	ctl 'pause web' 'stop web' >/dev/null
	expect_equal "$(status_of web ExitCode)" 7
	run_container killed sleep 1000
	ctl 'pause killed' 'rm -f killed' >/dev/null
}

test_killed_engine() {
	local memory
	OPTIONS='-i -m 64m' run_container echo sh -c 'while read -r x; do echo "got $x"; done; exit 5'
	memory=$(group_of echo memory)
	kill_engine
	echo one >"$MNT/containers/echo/stdin"
	wait_line echo 'got one'
	ctl 'update -m 48m echo' >/dev/null
	expect_equal "$(cat "$memory/memory.limit_in_bytes")" 50331648
	kill_engine
	ctl_of echo closestdin
	expect_equal "$(wait_exit echo)" 5
}

@test "limits are in force, change at once, and go with the container" {
	test_v1 test_limits
}

@test "the OOM killer's work is told" {
	test_v1 test_oom
}

@test "devices are refused by the devices controller" {
	test_v1 test_devices
}

@test "kill and stop reach every process" {
	test_v1 test_kill
}

@test "a paused container is frozen by the freezer, also after an engine's death" {
	test_v1 test_pause
}

@test "a killed engine is not noticed" {
	test_v1 test_killed_engine
}
