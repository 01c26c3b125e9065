# Docker's own tests of what a container is made from, by their names: names and ids, users, rights,
# limits, the words of create, paths that lead out. See docker.bats.
# shellcheck shell=bash disable=SC2016

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	OUT=$BATS_TEST_TMPDIR
	cd "$OUT" || return
	look_before
}

teardown() {
	cd /
	look_after
}

teardown_file() {
	sandbox_end
}

# inside SCRIPT: what it says in a container of its own, made with OPTIONS.
inside() {
	run_container in sh -c "$1" || return 1
	wait_exit in >/dev/null
	cat "$MNT/containers/in/logs"
	ctl 'rm in'
}

# --- ids and names ------------------------------------------------------------------------

@test "TestIDFormat, TestRandomContainerName, TestTruncIndex: 64 digits, called by 12, found by 4" {
	local id name
	id=$(ctl "create $IMAGE true")
	expect_match "$id" '^[0-9a-f]{64}$'
	expect_equal "$(ls "$MNT/containers")" "${id:0:12}"
	for name in "$id" "${id:0:12}" "${id:0:4}" "${id:0:40}"; do
		expect_equal "$(ctl "inspect -f '{{.Id}}' $name")" "$id"
	done
	expect_refusal ENOENT "start: no such container: ${id:0:3}" "start ${id:0:3}"
	# A listing's names and the whole id are paths; prefixes are for commands.
	expect_equal "$(readlink "$MNT/containers/$id")" "${id:0:12}"
	expect_errno ENOENT open r "$MNT/containers/${id:0:11}/status"
	# A digit that is wrong at the end is no prefix.
	expect_errno ENOENT write "$MNT/ctl" "start ${id:0:63}$(tr 0-9a-f 1-9a-f0 <<<"${id:63}")"
}

@test "TestContainerNameValidation, TestDefaultContainerName, TestGetFullName: names, and none twice" {
	local name
	for name in a abc-123_AAA.1 0 9lives "$(printf 'n%0100d' 0)"; do
		ctl "create --name $name $IMAGE true" >/dev/null
		expect_equal "$(field "$MNT/containers/$name/status" Name)" "$name"
		expect_equal "$(ctl "inspect -f '{{.Name}}' $name")" "$name"
		ctl "rm $name"
	done
	for name in "''" -a .a _a a/b 'a b' 'a:b' 'ä' $'\001asdf' 0123456789ab; do
		expect_errno EINVAL write "$MNT/ctl" "create --name=$(quote "$name") $IMAGE true" || fail "$name"
	done
	ctl "create --name web $IMAGE true" >/dev/null
	expect_errno EEXIST write "$MNT/ctl" "create --name web $IMAGE true"
	expect_match "$(cat "$MNT/error")" "^error: create: .*'?web'?"
	expect_equal "$(ls "$MNT/containers")" web
	# What failed holds no name: it can be taken.
	expect_errno EINVAL write "$MNT/ctl" "create --name free -m 1 $IMAGE true"
	ctl "create --name free $IMAGE true" >/dev/null
}

@test "TestRuntimeCreate, TestPostContainersCreate: listed, found; without a command or an image refused" {
	local id
	id=$(ctl "create --name web $IMAGE ls -al")
	expect_equal "$(ls "$MNT/containers")" web
	expect_equal "$(field "$MNT/containers/web/status" State)" created
	expect_equal "$(ctl 'ps -aq --no-trunc')" "$id"
	expect_equal "$(jq -c '[.Path, .Args]' "$MNT/containers/web/inspect")" '["ls",["-al"]]'
	expect_errno EINVAL write "$MNT/ctl" 'create'
	ctl "create --name bare $IMAGE" >/dev/null
	expect_errno EINVAL write "$MNT/ctl" 'start bare'
	expect_sentence "start: container 'bare': no command specified"
	expect_equal "$(field "$MNT/containers/bare/status" State)" created
	expect_errno ENOENT write "$MNT/ctl" 'create --name no nothere:1 true'
	[ ! -e "$MNT/containers/no" ]
}

@test "TestImagesFilter: shell globs, and by a name of images" {
	local name
	for name in utest/docker:tag2 utest:tag1 utest:5000/docker:tag3; do
		ctl "tag $IMAGE $name" >/dev/null
	done
	expect_equal "$(cd "$MNT/images" && echo utest*)" 'utest utest:5000 utest:tag1'
	expect_equal "$(cd "$MNT/images" && echo utest*/*:*)" 'utest/docker:tag2 utest:5000/docker:tag3'
	expect_equal "$(cd "$MNT/images" && echo *5000*/*)" 'utest:5000/docker:tag3'
	expect_equal "$(ctl 'images utest' | tail -n +2 | awk '{ print $1 ":" $2 }')" utest:tag1
	ctl 'rmi utest/docker:tag2' 'rmi utest:tag1' 'rmi utest:5000/docker:tag3' >/dev/null
	expect_equal "$(cd "$MNT/images" && echo utest*)" 'utest*'
}

# --- inside -------------------------------------------------------------------------------

@test "TestUser: by name and number, from the container's own passwd; an unknown one has a reason" {
	local user
	for user in root 0; do
		expect_match "$(OPTIONS="-u $user" inside id)" '^uid=0\(root\) gid=0\(root\)'
	done
	for user in daemon 1; do
		expect_match "$(OPTIONS="-u $user" inside id)" '^uid=1\(daemon\) gid=1\(daemon\)'
	done
	expect_errno EINVAL write "$MNT/ctl" "run --name in -u unknownuser $IMAGE id"
	expect_match "$(cat "$MNT/error")" '^error: run: .*unknownuser'
}

@test "TestRunWorkdir, TestRunWorkdirExists, TestCpuShares: it just runs" {
	expect_equal "$(OPTIONS='-w /foo/bar -c 1000' inside pwd)" /foo/bar
	expect_equal "$(OPTIONS='-w /proc' inside pwd)" /proc
}

@test "TestPrivilegedCanMknod, TestPrivilegedCanMount, TestPrivilegedCannotMknod, TestPrivilegedCannotMount" {
	local script='mknod /tmp/fuse c 10 229 && echo made; : </tmp/fuse && echo used
		mount -t tmpfs none /mnt && echo mounted; :'
	expect_equal "$(OPTIONS=--privileged inside "mkdir /mnt; ($script) 2>/dev/null" | xargs)" 'made used mounted'
	# It can be made without, as today's Docker has it, but is of no use.
	expect_equal "$(inside "mkdir /mnt; ($script) 2>/dev/null")" made
	expect_equal "$(OPTIONS='--cap-drop MKNOD' inside "mkdir /mnt; ($script) 2>/dev/null")" ''
}

@test "TestRunWithTooLowMemoryLimit, TestLXCConfig, TestRAMInBytes: from 512k on, in k, m and g" {
	local size
	expect_refusal EINVAL 'create: Memory: minimum memory limit allowed is 512k (524288 bytes), not 524287' \
		"create -m 524287 $IMAGE true"
	for size in 524288 512k 512K 512kb; do
		ctl "create --name web -m $size $IMAGE true" >/dev/null
		expect_equal "$(jq .Memory "$MNT/containers/web/config")" 524288
		ctl 'rm web'
	done
	for size in '' hello -5 32x 1kbb 99999999999999999999; do
		expect_errno EINVAL write "$MNT/ctl" "create --memory='$size' $IMAGE true" || fail "$size"
	done
	expect_equal "$(ls "$MNT/containers")" ''
	OPTIONS='-m 64m' run_container web sleep 1000
	expect_equal "$(field "$MNT/containers/web/stats" MemoryLimit)" 67108864
	expect_refusal EINVAL 'create: MemorySwap (memory and swap) 1048576 is less than Memory 2097152' \
		"create -m 2m --memory-swap 1m $IMAGE true"
}

# The nodes of /dev besides terminals and the usual six, as this machine or a container has them.
LIST_DEVICES='cd /dev; find . \( -name pts -o -name shm -o -name mqueue -o -name hugepages \) -prune -o \( -type b -o -type c \) \
	! -name console ! -name ptmx -exec stat -c "%n %F %t:%T %a %u:%g" {} + |
	grep -vE "^\./(full|null|random|tty|urandom|zero) " | sort'

@test "a privileged container has the devices of the machine, and may write to /sys" {
	expect_equal "$(OPTIONS=--privileged inside "$LIST_DEVICES")" "$(sh -c "$LIST_DEVICES")"
	expect_equal "$(OPTIONS=--privileged inside 'cd /dev; stat -c "%n %a" full null random tty urandom zero' | xargs)" \
		'full 666 null 666 random 666 tty 666 urandom 666 zero 666'
	expect_equal "$(OPTIONS=--privileged inside 'grep -cE "^(sysfs|cgroup) .* rw," /proc/mounts')" 2
	expect_equal "$(inside 'grep -cE "^(sysfs|cgroup) .* rw," /proc/mounts')" 0
	# A node of its own: the machine's keeps its mode.
	expect_equal "$(OPTIONS=--privileged inside 'chmod 600 /dev/full; stat -c %a /dev/full')$(stat -c %a /dev/full)" 600666
	# Not with a /dev of its own.
	mkdir dev
	OPTIONS="--privileged -v $OUT/dev:/dev" inside true
	[ ! -e dev/full ]
}

# --- words of create ----------------------------------------------------------------------

@test "TestParseRunVolumes: what is a volume and what is none" {
	local words
	ctl "create --name web -v /tmp -v /var -v $SANDBOX:/hostTmp -v $SANDBOX/work:/hostVar:ro $IMAGE true" >/dev/null
	expect_equal "$(jq -c .Volumes "$MNT/containers/web/config")" '{"/tmp":{},"/var":{}}'
	expect_equal "$(jq -c .HostConfig.Binds "$MNT/containers/web/config")" \
		"[\"$SANDBOX:/hostTmp\",\"$SANDBOX/work:/hostVar:ro\"]"
	for words in / /:/ /tmp: /tmp:ro /tmp:: : :: :/tmp /tmp:/tmp:rw:x // /./ /tmp:// /tmp:/./ /tmp:. /tmp:/a:RW; do
		expect_errno EINVAL write "$MNT/ctl" "create -v $words $IMAGE true" || fail "$words"
	done
	expect_equal "$(ls "$MNT/containers")" web
}

@test "TestParseRunLinks, TestParseNetworkOptsPrivateOnly, TestParseNetworkOptsPublic, TestParseNetworkOptsUdp" {
	local words
	ctl "create --name web --link a:b -p 192.168.1.100::80 -p 192.168.1.100:8080:81 \
		-p 192.168.1.100::82/udp -p 83 $IMAGE true" >/dev/null
	expect_equal "$(jq -c '.HostConfig.Links' "$MNT/containers/web/config")" '["a:b"]'
	expect_equal "$(jq -cS '.HostConfig.PortBindings' "$MNT/containers/web/config")" \
		'{"80/tcp":[{"HostIp":"192.168.1.100","HostPort":""}],"81/tcp":[{"HostIp":"192.168.1.100","HostPort":"8080"}],"82/udp":[{"HostIp":"192.168.1.100","HostPort":""}],"83/tcp":[{"HostIp":"","HostPort":""}]}'
	expect_equal "$(jq -cS '.ExposedPorts' "$MNT/containers/web/config")" '{"80/tcp":{},"81/tcp":{},"82/udp":{},"83/tcp":{}}'
	for words in '-p 0' '-p 65536' '-p 80/icmp' '-p x:80' '-p 1.2.3:80:80' '-p 80:' '-p :::' \
		'--expose 1:2' '--expose 0' '--link a:b:c' '--link :b' "--link ''" '--dns 1.2.3' '--dns x'; do
		expect_errno EINVAL write "$MNT/ctl" "create $words $IMAGE true" || fail "$words"
	done
}

@test "TestMergeConfig, TestCompareConfig: what the image says is not the container's to change" {
	ctl "create --name web -e A=1 --expose 80 $IMAGE true" >/dev/null
	local before
	before=$(sha256sum <"$MNT/images/$IMAGE/config")
	echo '{"Env": ["A=2", "B=3"], "ExposedPorts": {"81/tcp": {}}}' >"$MNT/containers/web/config"
	ctl "create --name other $IMAGE true" >/dev/null
	expect_equal "$(sha256sum <"$MNT/images/$IMAGE/config")" "$before"
	expect_equal "$(jq -c '[.Env, .ExposedPorts]' "$MNT/containers/other/config")" '[null,null]'
	expect_equal "$(jq -c '[.Env, .ExposedPorts]' "$MNT/containers/web/config")" \
		'[["A=2","B=3"],{"80/tcp":{},"81/tcp":{}}]'
	# Written as it is, it is the same.
	before=$(cat "$MNT/containers/web/config")
	echo "$before" >"$MNT/containers/web/config"
	expect_equal "$(cat "$MNT/containers/web/config")" "$before"
}

# --- paths that lead out ------------------------------------------------------------------

@test "TestFollowSymLinkNormal, TestFollowSymLinkRelative, TestFollowSymLinkUnderLinkedDir and others: loops, dots" {
	local place
	# Links of all kinds in a container's root; each way of ours into it stays there and comes to an end.
	run_container web sh -c 'mkdir -p /a/b /real; echo in >/real/f; ln -s /real /abs; ln -s b/../../real /a/rel
		ln -s ../../../../../../real /a/up; ln -s /loop2 /loop1; ln -s loop1 /loop2; ln -s . /dot; ln -s self/x /self
		ln -s '"$OUT"' /out'
	wait_exit web >/dev/null
	for place in /abs/f /a/rel/f /a/up/f /dot/dot/a/../abs/f /a/b/../../../../real/f; do
		expect_equal "$(cfs cp "web:$place" - | tar -xO)" in || fail "$place"
	done
	for place in /loop1 /loop2/x /self/f; do
		expect_failure bounded cfs cp "web:$place/" "$OUT/got" 2>/dev/null
	done
	expect_failure cfs cp web:/out/. "$OUT/got" 2>/dev/null
	# A working directory, too.
	for place in /abs /a/rel /a/up; do
		echo "{\"Cmd\": [\"pwd\", \"-P\"], \"WorkingDir\": \"$place\"}" >"$MNT/containers/web/config"
		ctl 'start web' >/dev/null
		wait_exit web >/dev/null
	done
	expect_equal "$(tail -n 3 "$MNT/containers/web/logs" | xargs)" '/real /real /real'
	for place in /loop1 /self/f; do
		echo "{\"WorkingDir\": \"$place\"}" >"$MNT/containers/web/config"
		expect_errno ELOOP write "$MNT/ctl" 'start web'
		echo "{\"WorkingDir\": \"/\", \"HostConfig\": {\"Binds\": [\"$OUT:$place\"]}}" >"$MNT/containers/web/config"
		expect_errno ELOOP write "$MNT/ctl" 'start web'
		echo '{"HostConfig": {"Binds": null}}' >"$MNT/containers/web/config"
	done
	expect_equal "$(ls "$OUT")" ''
}
