# What is shown of containers: top, stats, net, and what prune takes away.

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

@test "TestGetContainersTop: two processes, as ps shows them on this machine" {
	run_container c sh -c 'sleep 1000 & echo ready; wait'
	wait_line c ready
	local said pid
	pid=$(field "$MNT/containers/c/status" Pid)
	eventually grep -q 'sleep 1000$' "$MNT/containers/c/top"
	said=$(cat "$MNT/containers/c/top")
	expect_equal "$(head -n 1 <<<"$said" | tr -s ' ')" 'UID PID PPID C STIME TTY TIME CMD'
	expect_equal "$(wc -l <<<"$said")" 3
	expect_match "$(sed -n 2p <<<"$said")" "^root +$pid +[0-9]+ +0 +[0-9:]+ +\? +00:00:00 +sh -c sleep 1000 & echo ready; wait\$"
	expect_equal "$(sed -n 3p <<<"$said" | awk '{ print $3 }')" "$pid"
	expect_equal "$(ctl 'top c' | awk '{ print $2 }')" "$(awk '{ print $2 }' <<<"$said")"
	expect_equal "$(ctl_of c top | wc -l)" 3
	expect_equal "$(ctl 'stats c' | head -n 1 | tr -s ' ')" \
		'CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS'
	ctl 'kill c' >/dev/null
	expect_equal "$(cat "$MNT/containers/c/top" "$MNT/containers/c/stats")" ''
	expect_refusal ESRCH "top: container 'c' is not running" 'top c'
	expect_refusal ENOENT 'top: no such container: nope' 'top nope'
	expect_equal "$(ctl stats | wc -l)" 1
	expect_match "$(ctl 'stats -a' | tail -n 1)" ' c +-- +-- / -- '
}

@test "a command line with a newline is one line of top" {
	run_container c sh -c 'echo ready; sleep 1000; :' $'x\nroot 1 1 0'
	wait_line c ready
	grep -q '^root.* sh -c echo ready; sleep 1000; : x\\nroot 1 1 0$' "$MNT/containers/c/top"
	expect_equal "$(grep -c '' "$MNT/containers/c/top")" 3
}

@test "stats: nine numbers of one moment" {
	OPTIONS='-m 64m' run_container c sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo ready; sleep 1000'
	wait_line c ready
	cp "$MNT/containers/c/stats" "$SANDBOX/work/stats"
	expect_equal "$(cut -d: -f1 "$SANDBOX/work/stats" | tr '\n' ' ')" \
		'Memory MemoryPeak MemoryLimit CpuNanos Pids BlockRead BlockWritten NetReceived NetSent '
	expect_equal "$(grep -cP '^[A-Za-z]+:\t[0-9]+$' "$SANDBOX/work/stats")" 9
	expect_equal "$(field "$SANDBOX/work/stats" MemoryLimit)" 67108864
	expect_equal "$(field "$SANDBOX/work/stats" Pids)" 1
	[ "$(field "$SANDBOX/work/stats" CpuNanos)" -gt 1000000 ]
	[ "$(field "$SANDBOX/work/stats" Memory)" -gt 10000 ]
	[ "$(field "$SANDBOX/work/stats" MemoryPeak)" -ge "$(field "$SANDBOX/work/stats" Memory)" ]
	exec 5<"$MNT/containers/c/stats"
	expect_equal "$(stat -Lc %s /proc/self/fd/5)" "$(wc -c <&5)"
	exec 5<&-
}

@test "net shows what is configured" {
	ctl "create --name c --expose 53/udp -p 8080:80 --link db:database $IMAGE true" >/dev/null
	expect_equal "$(cat "$MNT/containers/c/net")" $'Mode:\tdefault
IPAddress:\t
Gateway:\t
80/tcp -> 0.0.0.0:8080
53/udp
Link:\tdb:database'
}

@test "prune lists first and takes what is stopped and unused" {
	run_container up sleep 1000
	run_container down sh -c 'echo 12345 >/f'
	wait_exit down >/dev/null
	OPTIONS='-l keep=1' run_container kept true
	wait_exit kept >/dev/null
	"$TOP/tools/busybox-image" "$SANDBOX/work/d.tar.gz"
	cp "$SANDBOX/work/d.tar.gz" "$MNT/images/other:1"
	local id down
	id=$(basename "$(readlink "$MNT/images/other:1")")
	down=$(field "$MNT/containers/down/status" Id)
	local line=$'container\t'${down:0:12}$'\tdown\t6'
	expect_equal "$(ctl 'prune -n --filter label!=keep')" "$line"$'\ntotal\t6'
	[ -d "$MNT/containers/down" ]
	expect_equal "$(ctl 'prune --filter label!=keep')" "$line"$'\ntotal\t6'
	[ ! -e "$MNT/containers/down" ]
	[ -d "$MNT/containers/up" ]
	expect_equal "$(ctl 'prune --filter until=24h')" $'total\t0'
	expect_refusal EINVAL "prune: unknown filter 'nope=1'; until, label or label!" 'prune --filter nope=1'
	expect_match "$(ctl 'prune -n -a')" $'container\t[0-9a-f]{12}\tkept\t0\n'
	if [ "$id" != "$(basename "$(readlink "$MNT/images/$IMAGE")")" ]; then
		expect_match "$(ctl 'prune -a')" $'\nimage\t'"$id"$'\tother:1\t[0-9]+\ntotal\t'
	else
		ctl 'rmi other:1' prune >/dev/null
	fi
	[ -L "$MNT/images/$IMAGE" ]
	expect_equal "$(ls "$MNT/containers")" up
}
