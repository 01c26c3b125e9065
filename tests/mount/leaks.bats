# A long day of an engine: every kind of verb, those that fail among them, over and over. What it
# holds afterwards, in descriptors, threads, memory, files and all else, is what it held before.
# ctest-labels: threads

load lib
load registry

DAY=${DAY:-5} # rounds of some 50 verbs each

setup_file() {
	sandbox_start
	import_demo
	registry_start plain
	yes containerfs | head -c 3000000 >"$SANDBOX/work/junk"
	head -c 400000 "$SANDBOX/demo.tar.gz" >"$SANDBOX/work/torn.tar.gz"
	# The bridge stays for as long as something is on it.
	ctl "run --name base $IMAGE sleep 100000" >/dev/null
	eventually compgen -G "$ROOT/containers/*/state.json" >/dev/null
}

setup() {
	look_before
}

teardown_file() {
	registry_end
	sandbox_end
}

list_fds() {
	find "/proc/$(field "$MNT/info" "$1")/fd" -mindepth 1 -printf '%l\n' 2>/dev/null |
		sed 's/:\[[0-9]*\]$//; s/ (deleted)$//' | sort
}

# count_of Pid|Holder KEY: of that process's status, as Threads or VmRSS (kB).
count_of() {
	awk -v key="$2:" '$1 == key { print $2 }' "/proc/$(field "$MNT/info" "$1")/status"
}

has_fds_of_before() {
	local name
	for name in Pid Holder; do
		list_fds "$name" >"$SANDBOX/work/now.$name"
		cmp -s "$SANDBOX/work/now.$name" "$SANDBOX/work/fds.$name" || return
	done
}

# Threads that wait for jobs end when there were none for a while.
has_few_threads() {
	[ "$(count_of Pid Threads)" -le "$1" ]
}

# --- what is done in a round ---------------------------------------------------------------

# A reader that is killed while it waits.
read_and_leave() {
	cat "$1" >"$SANDBOX/work/left" 3>&- &
	wait_blocked is_reading $!
	kill -TERM $!
	wait $! 2>/dev/null || :
}

use_container() {
	local dir=$MNT/containers/web
	OPTIONS='-i -v data:/data -p 127.0.0.1::80' run_container web \
		sh -c 'echo up; read x; echo got $x >&2; exec sleep 1000'
	wait_line web up
	echo hello >"$dir/stdin"
	wait_line web 'got hello'
	ctl 'exec web true' 'stats web' 'top web' 'port web' 'pause web' 'unpause web' >/dev/null
	expect_errno EREMOTEIO write "$MNT/ctl" 'exec web false'
	expect_errno ENOENT write "$MNT/ctl" 'exec web nope'
	expect_errno EBUSY write "$MNT/ctl" 'rm web'
	mkdir "$dir/exec/more"
	talk "$dir/exec/more/ctl" 'run -i -t cat'
	read_and_leave "$dir/exec/more/attach"
	rmdir "$dir/exec/more"
	read_and_leave "$dir/follow"
	read_and_leave "$dir/attach"
	read_and_leave "$dir/wait"
	read_and_leave "$MNT/events"
	tail -n 5 "$dir/logs" "$dir/logs.json" "$dir/stderr" >/dev/null
	echo x >"$dir/rootfs/tmp/x"
	head -c 100000 "$dir/export.tar" >/dev/null
	cat "$dir/export.tar" >/dev/null
	ctl 'commit web made:1' 'rename web gone' 'restart -t 0 gone' 'stop -t 0 gone' 'diff gone' >/dev/null
	ctl 'rm gone' 'rmi made:1' >/dev/null
	rmdir "$MNT/volumes/data"
}

fail_to_run() {
	expect_errno ENOENT write "$MNT/ctl" 'run none:1 true'
	expect_errno EINVAL write "$MNT/ctl" "run --memory much $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "run --net no-such-net $IMAGE true"
	expect_errno ENOENT write "$MNT/ctl" "run --name bad $IMAGE /none"
	expect_errno EACCES write "$MNT/ctl" "run --name worse $IMAGE /etc"
	expect_errno ENOENT write "$MNT/ctl" "run --name no-bind -v /no/such/dir:/x:ro $IMAGE /none"
	ctl 'rm bad worse' >/dev/null
	expect_errno EINVAL write "$MNT/containers/base/config" '{"Memory": "much"}'
}

# As it comes, by command, and what cannot be one: nothing of it stays.
import_images() {
	cp "$SANDBOX/demo.tar.gz" "$MNT/images/more:1"
	head -c 100000 "$MNT/images/more:1/image.tar" >/dev/null
	cat "$MNT/images/more:1/image.tar" >"$SANDBOX/work/image.tar"
	ls "$MNT/images/more:1/rootfs/" >/dev/null
	ctl 'tag more:1 more:2' 'rmi more:1 more:2' "load $SANDBOX/work/image.tar" 'rmi more:1' >/dev/null
	expect_failure cp "$SANDBOX/work/junk" "$MNT/images/junk:1" 2>/dev/null
	expect_failure cp "$SANDBOX/work/torn.tar.gz" "$MNT/images/torn:1" 2>/dev/null
	expect_errno ENOENT write "$MNT/ctl" 'import /no/such.tar some:1'
	expect_failure ls "$MNT/images/junk:1" "$MNT/images/torn:1" 2>/dev/null
}

move_images() {
	local name
	name=$(registry_name plain)/team/app:1
	ctl "tag $IMAGE $name" "push $name" "rmi $name" "pull $name" "rmi $name" >/dev/null
	expect_errno ENOENT write "$MNT/ctl" "pull ${name%:1}:none"
	expect_errno ECONNREFUSED write "$MNT/ctl" 'pull localhost:1/team/app:1'
}

round() {
	use_container
	fail_to_run
	import_images
	move_images
}

# --- the day -------------------------------------------------------------------------------

@test "after a long day the engine and the holder hold what they held before" {
	local i name memory threads
	round
	round
	eventually is_as_before || diff "$SANDBOX/before" "$SANDBOX/after"
	for name in Pid Holder; do
		list_fds "$name" >"$SANDBOX/work/fds.$name"
	done
	memory=$(count_of Pid VmRSS) threads=$(count_of Pid Threads)
	for ((i = 0; i < DAY; i++)); do
		round
	done
	eventually is_as_before || diff "$SANDBOX/before" "$SANDBOX/after"
	eventually has_fds_of_before || {
		diff "$SANDBOX/work/fds.Pid" "$SANDBOX/work/now.Pid"
		diff "$SANDBOX/work/fds.Holder" "$SANDBOX/work/now.Holder"
		fail "descriptors stay open"
	}
	eventually has_few_threads "$threads"
	# A sanitizer keeps what was freed for a while.
	[ -n "${SANITIZE:-}" ] || [ "$(count_of Pid VmRSS)" -le $((memory + 4096)) ] ||
		fail "memory grew from $memory kB to $(count_of Pid VmRSS) kB in $DAY rounds"
}
