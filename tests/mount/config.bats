# config: what was asked for, merged in as JSON, whole or not at all.

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

config() {
	jq -c "${2:-.}" "$MNT/containers/$1/config"
}

# expect_bad TEXT REGEX [ERRNO]: refused, the sentence says so, the old config stays.
expect_bad() {
	local before
	before=$(cat "$MNT/containers/web/config")
	expect_errno "${3:-EINVAL}" write "$MNT/containers/web/config" "$1"
	expect_match "$(cat "$MNT/error")" "^error: .*$2"
	expect_equal "$(cat "$MNT/containers/web/config")" "$before"
}

@test "what was asked for is shown: options of create, by Docker's names" {
	ctl "create --name web -m 64m -c 512 -e A=b -w /tmp -u demo -h box -l x=y -i --pids-limit 50 \
		--entrypoint sh $IMAGE -c true" >/dev/null
	expect_equal "$(config web '[.Memory, .CpuShares, .Env, .WorkingDir, .User, .Hostname, .Labels,
		.OpenStdin, .Image, .Entrypoint, .Cmd, .HostConfig.PidsLimit]')" \
		"[67108864,512,[\"A=b\"],\"/tmp\",\"demo\",\"box\",{\"x\":\"y\"},true,\"$IMAGE\",[\"sh\"],[\"-c\",\"true\"],50]"
}

@test "an object is merged in: a key left out keeps its value, null removes it" {
	ctl "create --name web -m 64m -e A=b $IMAGE true" >/dev/null
	echo '{"CpuShares": 2, "Labels": {"a": "1", "b": "2"}}' >"$MNT/containers/web/config"
	expect_equal "$(config web '[.Memory, .CpuShares, .Env]')" '[67108864,2,["A=b"]]'
	echo '{"Memory": null, "Labels": {"a": null, "c": "3"}}' >"$MNT/containers/web/config"
	expect_equal "$(config web '[.Memory, .Labels]')" '[null,{"b":"2","c":"3"}]'
}

@test "limits are taken in Config or in HostConfig and shown in Config" {
	ctl "create --name web $IMAGE true" >/dev/null
	echo '{"HostConfig": {"Memory": 33554432, "Dns": ["10.0.0.1"], "PidsLimit": 9}}' \
		>"$MNT/containers/web/config"
	expect_equal "$(config web '[.Memory, .Dns, .HostConfig.PidsLimit, .HostConfig.Memory]')" \
		'[33554432,["10.0.0.1"],9,null]'
}

@test "it may come in several writes, and takes effect when it is complete" {
	ctl "create --name web $IMAGE true" >/dev/null
	exec 5>"$MNT/containers/web/config"
	printf '{"CpuShares":' >&5
	expect_equal "$(config web .CpuShares)" null
	printf ' 77}' >&5
	expect_equal "$(config web .CpuShares)" 77
	exec 5>&-
	printf '{\n  "CpuShares": 78\n}\n' >"$MNT/containers/web/config"
	expect_equal "$(config web .CpuShares)" 78
	printf '{"CpuShares": 79}' | dd of="$MNT/containers/web/config" bs=1 status=none
	expect_equal "$(config web .CpuShares)" 79
}

@test "an object that never becomes complete fails the close" {
	ctl "create --name web $IMAGE true" >/dev/null
	expect_errno EINVAL write "$MNT/containers/web/config" '{"CpuShares":'
	expect_match "$(cat "$MNT/error")" '^error: '
	expect_equal "$(config web .CpuShares)" null
	run cp <(printf '{"CpuShares":') "$MNT/containers/web/config"
	[ "$status" -ne 0 ]
}

@test "what is wrong is EINVAL, naming line or key" {
	ctl "create --name web $IMAGE true" >/dev/null
	expect_bad '{"Memroy": 1}' Memroy
	expect_bad '{"Memory": "much"}' 'Memory.*number'
	expect_bad '{"Memory": 1000}' 'memory|Memory'
	expect_bad '{"Tty": 1}' Tty
	expect_bad '{"Env": "A=b"}' Env
	expect_bad '{"Cmd": [1]}' Cmd
	expect_bad '{"HostConfig": {"Nope": 1}}' Nope
	expect_bad '{"HostConfig": 3}' HostConfig
	expect_bad '{"a": }' 'line 1'
	expect_bad $'{\n"CpuShares" 3}' 'line 2'
	expect_bad '[1]' object
	expect_bad '"text"' object
	expect_bad '{"Memory": 67108864, "Memory": 1}' line
	expect_bad '{"StopSignal": "NOPE"}' NOPE
	expect_bad '{"Image": "NOT A NAME"}' 'NOT A NAME'
	expect_bad "$(printf '[%.0s' {1..100000})" 'nested|deep'
}

@test "on a running container limits apply at once" {
	local pid
	OPTIONS='-m 64m' run_container web sleep 1000
	pid=$(field "$MNT/containers/web/status" Pid)
	echo '{"Memory": 33554432, "CpuShares": 100, "HostConfig": {"PidsLimit": 33}}' \
		>"$MNT/containers/web/config"
	expect_equal "$(config web '[.Memory, .CpuShares, .HostConfig.PidsLimit]')" '[33554432,100,33]'
	expect_equal "$(limit_of "$pid" memory memory.limit_in_bytes memory.max)" 33554432
	expect_equal "$(limit_of "$pid" pids pids.max pids.max)" 33
	expect_equal "$(jq .Config.Memory "$MNT/containers/web/inspect")" 33554432
	ctl 'update -m 48m web' >/dev/null
	expect_equal "$(limit_of "$pid" memory memory.limit_in_bytes memory.max)" 50331648
}

# limit_of PID CONTROLLER V1FILE V2FILE: what the kernel has.
limit_of() {
	local group
	group=$(awk -F: -v c="$2" '$2 ~ "(^|,)" c "(,|$)" { print $3 }' "/proc/$1/cgroup")
	if [ -n "$group" ]; then
		cat "/sys/fs/cgroup/$2$group/$3"
	else
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/$4"
	fi
}

@test "what cannot change while it runs is EBUSY, unless it has that value" {
	OPTIONS='-e A=b -h box' run_container web sleep 1000
	expect_bad '{"Env": ["A=c"]}' Env EBUSY
	expect_bad '{"Memory": 67108864, "Hostname": "other"}' Hostname EBUSY
	expect_bad '{"HostConfig": {"Privileged": true}}' Privileged EBUSY
	expect_errno OK write "$MNT/containers/web/config" '{"Env": ["A=b"], "Hostname": "box", "Tty": false}'
	ctl 'kill web' >/dev/null
	expect_errno OK write "$MNT/containers/web/config" '{"Env": ["A=c"]}'
	expect_equal "$(config web .Env)" '["A=c"]'
}

@test "config read back can be written back" {
	ctl "create --name web -m 64m -e A=b -l x=y $IMAGE sh -c 'exit 3'" >/dev/null
	cp "$MNT/containers/web/config" "$SANDBOX/work/config"
	cp "$SANDBOX/work/config" "$MNT/containers/web/config"
	cmp "$SANDBOX/work/config" "$MNT/containers/web/config"
	mkdir "$MNT/containers/clone"
	cp "$SANDBOX/work/config" "$MNT/containers/clone/config"
	ctl 'start clone' >/dev/null
	expect_equal "$(wait_exit clone)" 3
	ctl 'start web' >/dev/null
	wait_exit web >/dev/null
	cp "$SANDBOX/work/config" "$MNT/containers/web/config"
}

@test "an unknown image is accepted; the start fails with ENOENT" {
	mkdir "$MNT/containers/web"
	echo '{"Image": "nope:1", "Cmd": ["true"]}' >"$MNT/containers/web/config"
	expect_errno ENOENT write "$MNT/containers/web/ctl" start
	expect_match "$(cat "$MNT/error")" 'nope:1'
}

@test "without a command and without an image a start is refused" {
	mkdir "$MNT/containers/web"
	expect_errno EINVAL write "$MNT/containers/web/ctl" start ||
		expect_errno ENOENT write "$MNT/containers/web/ctl" start
	expect_match "$(cat "$MNT/error")" '^error: start: '
}

@test "what comes from the image is merged at the start, and not written into config" {
	ctl "create --name web $IMAGE sh -c 'echo \$PATH'" >/dev/null
	expect_equal "$(config web .Env)" null
	ctl 'start web' >/dev/null
	wait_exit web >/dev/null
	expect_equal "$(cat "$MNT/containers/web/logs")" \
		/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	expect_equal "$(config web .Env)" null
}
