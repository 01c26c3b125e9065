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

@test "stats in a format of the user's, of those that run and those that do not" {
	run_container web sleep 1000
	ctl "create --name idle $IMAGE true" >/dev/null
	expect_equal "$(ctl "stats --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' idle")" 'idle -- -- / --'
	expect_match "$(ctl "stats --format 'table {{.Name}}\t{{.CPUPerc}}' web")" $'^NAME +CPU %\nweb +[0-9.]+%$'
	expect_equal "$(ctl 'stats --format json web' | python3 -c \
		'import json, sys; print(sorted(json.load(sys.stdin)))')" \
		"['BlockIO', 'CPUPerc', 'Container', 'ID', 'MemPerc', 'MemUsage', 'Name', 'NetIO', 'PIDs']"
	expect_equal "$(bounded cfs stats -a --format '{{.Name}}' | sort | xargs)" 'idle web'
	expect_errno EINVAL write "$MNT/ctl" "stats --format '{{.Nope}}'"
}

@test "net shows what is configured" {
	ctl "create --name c --expose 53/udp -p 8080:80 --link db:database $IMAGE true" >/dev/null
	expect_equal "$(cat "$MNT/containers/c/net")" $'Mode:\tdefault
IPAddress:\t
IPPrefixLen:\t
Gateway:\t
GlobalIPv6Address:\t
GlobalIPv6PrefixLen:\t
IPv6Gateway:\t
MacAddress:\t
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

@test "TestGetContainersJSON: ps with sizes, labels, filters by age; inspect with sizes" {
	run_container old sh -c 'dd if=/dev/zero of=/f bs=1000 count=5 2>/dev/null; ln /f /g'
	wait_exit old >/dev/null
	OPTIONS='-l team=a' run_container mid true
	wait_exit mid >/dev/null
	run_container new true
	wait_exit new >/dev/null
	expect_equal "$(ctl "ps -a --filter before=mid --format '{{.Names}}'")" old
	expect_equal "$(ctl "ps -a --filter since=mid --format '{{.Names}}'")" new
	expect_equal "$(ctl "ps -a --filter since=old --filter before=new --format '{{.Label \"team\"}} {{.Networks}}'")" 'a default'
	expect_equal "$(ctl "ps -a --filter network=none -q")" ''
	expect_refusal ENOENT 'ps: no such container: nope' 'ps -a --filter since=nope'
	expect_refusal EINVAL "ps: unknown filter 'x=y'; status, exited, name, id, ancestor, label, before, since, volume or network" 'ps --filter x=y'
	expect_match "$(ctl "ps -a --filter name=old --format '{{.Size}}'")" '^5kB \(virtual [0-9.]+MB\)$'
	expect_match "$(ctl 'ps -as' | grep ' new ')" ' 0B \(virtual [0-9.]+MB\)$'
	expect_equal "$(ctl "inspect -s -f '{{.SizeRw}}' old")" 5000
	[ "$(ctl "inspect --size -f '{{.SizeRootFs}}' old")" -gt 1000000 ]
}

# Of the file of events on standard input: a gap first, then numbers without one, to the last rename.
CHECK_EVENTS='
import json, sys
seq, gaps, lines = int(sys.argv[1]), 0, 0
for line in sys.stdin:
    event = json.loads(line)
    lines += 1
    if event["Type"] == "gap":
        assert lines == 1 and set(event) == {"Type", "lost"}, event.keys()
        gaps += 1
        seq += event["lost"]
        continue
    assert event["seq"] == seq, (event["seq"], seq)
    seq += 1
    assert event["Type"] == "container" and event["Action"] == "rename"
    assert len(event["Actor"]["ID"]) == 64 and len(event["Actor"]["Attributes"]["big"]) == 50000
    assert event["timeNano"] // 10**9 == event["time"]
    if event["Actor"]["Attributes"]["name"] == "end":
        break
assert gaps == 1, gaps
'

@test "TestGetEvents: a reader that is too slow gets one gap, and goes on without another" {
	local label seq
	label=$(head -c 50000 /dev/zero | tr '\0' x)
	ctl "create --name c -l big=$label $IMAGE true" >/dev/null
	exec 5<"$MNT/events" 6<"$MNT/events"
	ctl 'rename c b' >/dev/null
	seq=$(bounded head -n 1 <&6 | grep -o '"seq":[0-9]*' | cut -d: -f2)
	# Each is some 50 kB; what is kept is 8 MiB.
	write_once "$(for i in $(seq 150); do echo "rename b a"; echo "rename a b"; done)" >"$MNT/ctl"
	ctl 'rename b end' >/dev/null
	bounded python3 -c "$CHECK_EVENTS" "$seq" <&5
	exec 5<&- 6<&-
	# The older half, which stays: a later test would not have it before.
	rm "$RUN/events.1"
}
