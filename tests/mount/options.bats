# The words of create, run and update: what each makes of the configuration, and what is refused.

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

# expect_config NAME EXPRESSION: Python, with c for the config and h for its HostConfig.
expect_config() {
	python3 -c 'import json, sys
c = json.load(open(sys.argv[1]))
h = c.get("HostConfig", {})
for line in sys.argv[2].strip().splitlines():
    if not eval(line):
        sys.exit(f"not so: {line.strip()}\nin: {json.dumps(c, indent=1)}")' \
		"$MNT/containers/$1/config" "$2"
}

@test "every option sets its key" {
	ctl "create --name web -a stdin -i -t -e A=1 --env B='x y' -e C= -u 1:2 -w /tmp \
		-h host.dom.ain -m 64m --memory-swap 1g --cpus 1.5 -c 512 --pids-limit 99 -v /anon \
		-v /etc:/host:ro --tmpfs /t:size=1m --mount type=tmpfs,dst=/m -l a=b --label c \
		--privileged=false --cap-add NET_ADMIN --cap-drop all --security-opt no-new-privileges \
		--read-only --ulimit nofile=10:20 --ulimit core=-1 --sysctl net.ipv4.ip_forward=1 \
		--init --stop-signal INT --stop-timeout 3 --restart on-failure:5 --log-opt max-size=1m \
		--log-opt max-file=2 --entrypoint /bin/sh --expose 80 --expose 90-91/udp \
		-p 127.0.0.1:8080:80 -p 53/udp -P --dns 1.1.1.1 --dns-search dom --network none \
		--add-host db:10.0.0.1 $IMAGE -c true" >/dev/null
	expect_config web '
		c["OpenStdin"] and c["Tty"] and c["StdinOnce"] and c["AttachStdin"]
		c["Env"] == ["A=1", "B=x y", "C="] and c["User"] == "1:2" and c["WorkingDir"] == "/tmp"
		c["Hostname"] == "host" and c["Domainname"] == "dom.ain"
		c["Memory"] == 64 << 20 and c["MemorySwap"] == 1 << 30 and c["CpuShares"] == 512
		h["NanoCpus"] == 1500000000 and h["PidsLimit"] == 99
		c["Volumes"] == {"/anon": {}} and h["Binds"] == ["/etc:/host:ro"]
		h["Tmpfs"] == {"/t": "size=1m"} and h["Mounts"][0]["Target"] == "/m"
		c["Labels"] == {"a": "b", "c": ""} and not h.get("Privileged")
		h["CapAdd"] == ["NET_ADMIN"] and h["CapDrop"] == ["all"]
		h["SecurityOpt"] == ["no-new-privileges"] and h["ReadonlyRootfs"] and h["Init"]
		h["Ulimits"][0] == {"Name": "nofile", "Soft": 10, "Hard": 20}
		h["Ulimits"][1] == {"Name": "core", "Soft": -1, "Hard": -1}
		h["Sysctls"] == {"net.ipv4.ip_forward": "1"}
		c["StopSignal"] == "INT" and c["StopTimeout"] == 3
		h["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 5}
		h["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "2"}
		c["Entrypoint"] == ["/bin/sh"] and c["Cmd"] == ["-c", "true"]
		sorted(c["ExposedPorts"]) == ["53/udp", "80/tcp", "90/udp", "91/udp"]
		h["PortBindings"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
		h["PortBindings"]["53/udp"] == [{"HostIp": "", "HostPort": ""}] and h["PublishAllPorts"]
		c["Dns"] == ["1.1.1.1"] and h["DnsSearch"] == ["dom"]
		h["NetworkMode"] == "none" and h["ExtraHosts"] == ["db:10.0.0.1"]'
}

@test "sizes in k m g b, flags in Docker's words, letters joined" {
	local size
	for size in 1048576 1048576b 1024k 1024K 1m 1M 1mb; do
		ctl "create --name web -m $size $IMAGE" >/dev/null || fail "refused: $size"
		expect_config web 'c["Memory"] == 1 << 20'
		ctl 'rm web'
	done
	ctl "create --name web -it -m1g --init=1 --read-only=F --tty=TRUE $IMAGE" >/dev/null
	expect_config web '
		c["Tty"] and c["OpenStdin"] and c["Memory"] == 1 << 30
		h["Init"] and not h.get("ReadonlyRootfs")'
	ctl 'update -m 2g --cpus .5 --restart always web'
	expect_config web 'c["Memory"] == 2 << 30 and h["NanoCpus"] == 500000000 and h["RestartPolicy"]["Name"] == "always"'
}

@test "TestParseRunAttach: which streams, and what excludes what" {
	ctl "create --name web -a STDOUT -a stderr $IMAGE" >/dev/null
	expect_config web 'c["AttachStdout"] and c["AttachStderr"] and not c.get("StdinOnce")'
	expect_refusal EINVAL "run: -a and -d cannot be used together" "run -a stdout -d $IMAGE"
	expect_refusal EINVAL "run: AutoRemove and RestartPolicy 'always' cannot be used together" \
		"run --rm --restart always $IMAGE"
	expect_refusal EINVAL "create: -a: 'stdlog' is not stdin, stdout or stderr" "create -a stdlog $IMAGE"
}

@test "what is refused, and why" {
	local command sentence
	while IFS='|' read -r command sentence; do
		expect_refusal EINVAL "create: $sentence" "create $command $IMAGE"
	done <<'END'
-m 5|Memory: minimum memory limit allowed is 512k (524288 bytes), not 5
-m five|-m: 'five' is not a size like 512m
--cpus x|--cpus: 'x' is not a number of CPUs like 1.5
--memory-swap 1g|MemorySwap needs Memory to be set too
-e NAME|-e: 'NAME' has no value, and there is no environment to take it from; write NAME=VALUE
--init=maybe|option '--init=maybe' is true or false
--shm-size 1x|--shm-size: '1x' is not a size like 512m
--cpus 1 --cpu-quota 5000|NanoCpus and CpuQuota cannot both be set; one is said in terms of the other
--cpuset-cpus 0-|CpusetCpus: '0-' is not a list like 0-2,5
--oom-score-adj 1001|OomScoreAdj: 1001 is not from -1000 to 1000
--memory-reservation 1k|MemoryReservation: 1024 is not 0 or at least 512k (524288 bytes)
--device /dev/null:/x|Devices: '/x' is not below /dev of the container
--device /dev/null:/dev/x:y|--device: '/dev/null:/dev/x:y' is not HOST[:PATH][:rwm]
--device-cgroup-rule x|DeviceCgroupRules: 'x' is not a rule like 'c 1:3 rwm'
--group-add a:b|GroupAdd: 'a:b' is not a group's name or number
--nam web|unknown option '--nam'
--sysctl x|--sysctl: 'x' is not NAME=VALUE
--log-opt colour=red|--log-opt: unknown option 'colour'; max-size or max-file
--ulimit nofile|--ulimit: 'nofile' is not NAME=SOFT[:HARD]
--pull sometimes|--pull: 'sometimes' is not never, missing or always
END
	expect_refusal ENOTSUP \
		"create: --cidfile: '/tmp/x' is not written from a control file; its reply is the id" \
		"create --cidfile /tmp/x $IMAGE"
}

@test "TestRunHostname, TestRunWorkdir, TestEnv: seen from inside" {
	expect_equal "$(cfs run --rm -h foo.bar "$IMAGE" sh -c 'hostname; domainname 2>/dev/null || cat /proc/sys/kernel/domainname')" \
		$'foo\nbar'
	expect_equal "$(cfs run --rm -w /foo/bar "$IMAGE" pwd)" /foo/bar
	expect_equal "$(env TRUE=yes cfs run --rm -h foobar -e FALSE=true -e TRUE -e TRICKY=$'tri\ncky\n' \
		"$IMAGE" env | sort)" "$(sort <<'END'
FALSE=true
HOME=/root
HOSTNAME=foobar
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
TRICKY=tri
TRUE=yes
cky

END
)"
	expect_equal "$(cfs run --rm -t "$IMAGE" sh -c 'echo $TERM')" $'xterm\r'
	printf 'A=1\n# no\nB\n' >"$OUT/env"
	printf 'x=y\nz\n' >"$OUT/labels"
	B=two cfs create --name web --env-file "$OUT/env" -e A=2 --label-file "$OUT/labels" "$IMAGE" >/dev/null
	expect_config web '
		c["Env"] == ["A=1", "B=two", "A=2"] or c["Env"] == ["A=2", "B=two"] or c["Env"] == ["B=two", "A=2"]
		c["Labels"] == {"x": "y", "z": ""}'
}

@test "TestRunCidFile" {
	local id
	cfs run --cidfile "$OUT/cid" --name web "$IMAGE" true
	id=$(cat "$OUT/cid")
	expect_equal "$(stat -c %s "$OUT/cid") $id" "64 $(field "$MNT/containers/web/status" Id)"
	cfs rm web
	expect_failure cfs create --cidfile "$OUT/new" --nmae x "$IMAGE" 2>/dev/null
	[ ! -e "$OUT/new" ]
	expect_failure cfs create --cidfile "$OUT/new" -m 1 "$IMAGE" 2>/dev/null
	[ ! -e "$OUT/new" ]
}

@test "TestRunAttachStdin, TestAttachDisconnect: input's end, and readers that go" {
	cfs run -i -a stdin --name web "$IMAGE" sh -c 'echo hello; cat' <<<'hi there' >"$OUT/out"
	expect_equal "$(cat "$OUT/out")" ''
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/logs")" $'hello\nhi there'
	OPTIONS='-i' run_container keep cat
	cfs attach keep <&- >"$OUT/out" 2>&1 3>&- &
	local pid=$!
	eventually test -e "/proc/$pid"
	kill -KILL "$pid"
	wait "$pid" || :
	expect_equal "$(field "$MNT/containers/keep/status" State)" running
	expect_match "$(cfs attach web 2>&1)" "container 'web' is not running; start it first"
	# Any number of readers, each from where it came.
	local i pids=()
	for i in 1 2 3; do
		cat "$MNT/containers/keep/attach" >"$OUT/read$i" 3>&- &
		pids+=("$!")
	done
	for i in "${pids[@]}"; do
		wait_blocked is_reading "$i"
	done
	echo hello >"$MNT/containers/keep/stdin"
	ctl_of keep closestdin
	wait "${pids[@]}"
	for i in 1 2 3; do
		expect_equal "$(cat "$OUT/read$i")" hello
	done
}

# group_file NAME CONTROLLER FILE [FILE2]: of the container's group in version 1, or FILE2 in version 2.
group_file() {
	local group
	group=$(awk -F: -v name="$2" '$2 == name || $2 ~ "(^|,)" name "(,|$)" { print $3 }' \
		"/proc/$(field "$MNT/containers/$1/status" Pid)/cgroup")
	if [ -n "$group" ]; then
		cat "$(awk -v name="$2" '$(NF - 2) == "cgroup" && $NF ~ "(^|,)" name "(,|$)" { print $5; exit }' \
			/proc/self/mountinfo)$group/$3"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(field "$MNT/containers/$1/status" Pid)/cgroup")/$4"
	fi
}

@test "--shm-size: /dev/shm is as large, 64 MiB without" {
	expect_equal "$(cfs run --rm --shm-size 3m "$IMAGE" stat -f -c '%b %S' /dev/shm)" "768 4096"
	expect_equal "$(cfs run --rm "$IMAGE" stat -f -c '%b %S' /dev/shm)" "16384 4096"
	expect_equal "$(cfs run --rm --shm-size 1m --read-only "$IMAGE" \
		sh -c 'head -c 2m /dev/zero >/dev/shm/x 2>/dev/null; stat -c %s /dev/shm/x')" 1048576
	run_container web sleep 1000
	expect_errno EBUSY write "$MNT/containers/web/config" '{"HostConfig": {"ShmSize": 1048576}}'
	expect_match "$(cat "$MNT/error")" 'ShmSize cannot change while the container runs'
}

@test "--group-add: names of the container's /etc/group and numbers, for exec too" {
	expect_equal "$(cfs run --rm --group-add wheel --group-add 77 "$IMAGE" id -G)" "0 10 77"
	expect_equal "$(cfs run --rm -u demo:www-data --group-add tty "$IMAGE" id -G)" "33 5"
	expect_equal "$(cfs run --rm -u demo --group-add wheel "$IMAGE" id -G)" "1000 10"
	OPTIONS='--group-add wheel' run_container web sleep 1000
	expect_equal "$(cfs exec -u 5:6 web id -G)" "6 10"
	expect_refusal EINVAL "run: no group 'nosuch' in the container's /etc/group" \
		"run --rm --group-add nosuch $IMAGE true"
}

@test "--oom-score-adj: of process 1 and of exec" {
	OPTIONS='--oom-score-adj 321' run_container web sleep 1000
	expect_equal "$(cat "/proc/$(field "$MNT/containers/web/status" Pid)/oom_score_adj")" 321
	expect_equal "$(cfs exec web cat /proc/self/oom_score_adj)" 321
}

@test "--cpuset-cpus, --cpuset-mems: from the start and live" {
	local all
	all=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
	expect_equal "$(cfs run --rm --cpuset-cpus 0 --cpuset-mems 0 "$IMAGE" \
		grep _allowed_list /proc/self/status)" $'Cpus_allowed_list:\t0\nMems_allowed_list:\t0'
	run_container web sleep 1000
	ctl 'update --cpuset-cpus 0 web' >/dev/null
	expect_equal "$(cfs exec web sed -n 's/^Cpus_allowed_list:\t//p' /proc/1/status)" 0
	echo '{"HostConfig": {"CpusetCpus": null}}' >"$MNT/containers/web/config"
	expect_equal "$(cfs exec web sed -n 's/^Cpus_allowed_list:\t//p' /proc/1/status)" "$all"
	expect_refusal EINVAL "update: processors 0,999 are not all there; this machine has $all" \
		'update --cpuset-cpus 0,999 web'
	expect_refusal EINVAL "run: processors 999 are not all there; this machine has $all" \
		"run --rm --cpuset-cpus 999 $IMAGE true"
}

@test "--cpu-period, --cpu-quota, --memory-reservation: in force and live" {
	OPTIONS='--cpu-period 50000 --cpu-quota 20000 --memory-reservation 8m' run_container web sleep 1000
	expect_match "$(group_file web cpu cpu.cfs_period_us cpu.max)" '50000$'
	expect_match "$(group_file web cpu cpu.cfs_quota_us cpu.max)" '^20000'
	expect_equal "$(group_file web memory memory.soft_limit_in_bytes memory.low)" 8388608
	ctl 'update --cpu-quota 30000 --memory-reservation 16m web' >/dev/null
	expect_match "$(group_file web cpu cpu.cfs_quota_us cpu.max)" '^30000'
	expect_equal "$(group_file web memory memory.soft_limit_in_bytes memory.low)" 16777216
	expect_refusal EINVAL \
		"update: NanoCpus and CpuPeriod cannot both be set; one is said in terms of the other" \
		'update --cpus 1 web'
	echo '{"HostConfig": {"CpuPeriod": 0, "CpuQuota": 0, "NanoCpus": 500000000}}' >"$MNT/containers/web/config"
	expect_match "$(group_file web cpu cpu.cfs_period_us cpu.max)" '100000$'
	expect_match "$(group_file web cpu cpu.cfs_quota_us cpu.max)" '^50000'
}

@test "--device: the node, what may be done with it, a directory of them" {
	mkdir "$OUT/nodes"
	mknod -m 640 "$OUT/nodes/fuse" c 10 229
	chown 5:6 "$OUT/nodes/fuse"
	mknod -m 600 "$OUT/nodes/loop" b 7 0
	ln -s nodes/fuse "$OUT/link"
	expect_equal "$(cfs run --rm --device "$OUT/link:/dev/a/f:r" "$IMAGE" \
		sh -c 'stat -c "%F %a %u:%g %t,%T" /dev/a/f; (exec 3</dev/a/f) && echo opened
			(exec 3>/dev/a/f) 2>&1; stat -c %a /dev/null')" \
		$'character special file 640 5:6 a,e5\nopened\nsh: can\'t create /dev/a/f: Operation not permitted\n666'
	expect_equal "$(cfs run --rm --device "$OUT/nodes:/dev/all" "$IMAGE" sh -c 'cd /dev; echo all/*')" \
		'all/fuse all/loop'
	# A rule without a node, for one made inside.
	expect_equal "$(cfs run --rm --device-cgroup-rule 'c 10:229 r' "$IMAGE" \
		sh -c 'mknod /f c 10 229; (exec 3</f) && echo opened; ls /dev/fuse 2>&1')" \
		$'opened\nls: /dev/fuse: No such file or directory'
	expect_refusal EINVAL "run: '/etc/passwd' is not a device" \
		"run --rm --device /etc/passwd:/dev/x $IMAGE true"
	expect_refusal ENOENT "run: no device '/dev/nope' on the host: No such file or directory" \
		"run --rm --device /dev/nope $IMAGE true"
	expect_refusal EINVAL "run: the device '/dev/null' cannot be made: /dev is a volume" \
		"run --rm -v $OUT/nodes:/dev --device /dev/null $IMAGE true"
}

# ns NAME KIND: which namespace process 1 is in.
ns() {
	readlink "/proc/$(field "$MNT/containers/$1/status" Pid)/ns/$2"
}

@test "--ipc: private, shareable, another container's, the host's, none" {
	OPTIONS='--ipc shareable --shm-size 5m' run_container donor sh -c 'echo hi >/dev/shm/x; echo ok; exec sleep 1000'
	wait_line donor ok
	OPTIONS='--ipc container:donor' run_container joined sleep 1000
	expect_equal "$(ns joined ipc)" "$(ns donor ipc)"
	expect_equal "$(cfs exec joined sh -c 'cat /dev/shm/x; echo ho >/dev/shm/y; stat -f -c %b /dev/shm')" $'hi\n1280'
	expect_equal "$(cfs exec donor cat /dev/shm/y)" ho
	# It lives on without the other one; a start does not.
	ctl 'stop -t 0 donor' >/dev/null
	expect_equal "$(cfs exec joined cat /dev/shm/x)" hi
	ctl 'stop -t 0 joined' >/dev/null
	expect_refusal ESRCH "start: IpcMode: container 'donor' is not running" 'start joined'
	run_container alone sleep 1000
	expect_refusal EINVAL "run: IpcMode: that of container 'alone' is not shared; it needs IpcMode 'shareable'" \
		"run --rm --ipc container:alone $IMAGE true"
	expect_refusal ENOENT "run: IpcMode: no such container: nope" "run --rm --ipc container:nope $IMAGE true"
	[ "$(ns alone ipc)" != "$(readlink /proc/self/ns/ipc)" ]
	OPTIONS='--ipc host' run_container host sleep 1000
	expect_equal "$(ns host ipc)" "$(readlink /proc/self/ns/ipc)"
	expect_equal "$(cfs run --rm --ipc host "$IMAGE" stat -c %d /dev/shm)" "$(stat -c %d /dev/shm)"
	expect_equal "$(cfs run --rm --ipc none "$IMAGE" ls /dev/shm 2>&1)" 'ls: /dev/shm: No such file or directory'
}

@test "--pid: another container's processes, and what ends with them" {
	run_container donor sleep 1000
	OPTIONS='--pid container:donor' run_container joined sh -c 'echo $$; exec sleep 2000'
	expect_equal "$(ns joined pid)" "$(ns donor pid)"
	wait_line joined 2
	expect_match "$(cfs exec joined ps)" '1 root .*sleep 1000'
	expect_match "$(cfs exec donor ps)" '2 root .*sleep 2000'
	# The shim is none of them, and nothing of the host is open there.
	expect_equal "$(cfs exec donor sh -c 'ls /proc/2/fd' | tr '\n' ' ')" '0 1 2 '
	expect_equal "$(cfs run --rm -t --pid container:donor "$IMAGE" sh -c 'tty; echo $(($$ > 2))')" \
		$'/dev/pts/0\r\n1\r'
	ctl 'kill donor' >/dev/null
	expect_equal "$(wait_exit joined)" 137
	expect_refusal ESRCH "start: PidMode: container 'donor' is not running" 'start joined'
}

@test "--pid host, --uts host: the host's processes and name" {
	local pid
	OPTIONS='--pid host --uts host' run_container host sh -c 'sleep 3000 & hostname; wait'
	pid=$(field "$MNT/containers/host/status" Pid)
	wait_line host "$(hostname)"
	expect_equal "$(ns host pid) $(ns host uts)" \
		"$(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/uts)"
	expect_equal "$(cfs exec host sh -c "tr '\\0' ' ' </proc/$pid/cmdline; cat /etc/hostname")" \
		"sh -c sleep 3000 & hostname; wait $(hostname)"
	# All of it ends with the first process.
	kill_engine
	ctl 'kill host' >/dev/null
	expect_equal "$(wait_exit host)" 137
	eventually gone_sleepers 3000
	expect_refusal EINVAL "run: Hostname cannot be with UTSMode 'host': it is the host's" \
		"run --rm --uts host -h x $IMAGE true"
}

gone_sleepers() {
	! grep -qsx "sleep.$1." /proc/[0-9]*/cmdline
}
