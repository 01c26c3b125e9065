# Containers with ids of their own (--userns=auto): who they are inside and outside, whose
# their files are in each of these places, and what becomes of all that.
# shellcheck shell=bash disable=SC2016,SC2154

load lib

setup_file() {
	# This file's mounts are its own: the machine's files stay as they are.
	SUBIDS=$(mktemp "${TMPDIR:-/tmp}/subids.XXXXXX")
	export SUBIDS
	give_ids root:300000:131072
	mount --bind "$SUBIDS" /etc/subuid
	mount --bind "$SUBIDS" /etc/subgid
	sandbox_start
	import_demo
	# What its set of capabilities compiles to is kept.
	ctl "run --userns auto --cap-add SYS_ADMIN --cap-add NET_ADMIN --name first $IMAGE true" >/dev/null
	wait_exit first
	ctl 'rm first'
	"${CC:-cc}" -std=gnu17 -O1 -Wall -static -o "$SANDBOX/probe" "$TOP/tests/mount/probe.c"
}

setup() {
	give_ids root:300000:131072
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
	umount /etc/subuid /etc/subgid
	rm -f "$SUBIDS"
}

give_ids() {
	printf '%s\n' "$@" >"$SUBIDS"
}

# start NAME OPTION...: one that waits
start() {
	local name=$1
	shift
	ctl "run --userns=auto --name $name $* $IMAGE sleep 1000" >/dev/null
}

# in_it NAME TEXT: a shell's output in there.
in_it() {
	bounded cfs exec "$1" sh -c "$2"
}

pid_of() {
	field "$MNT/containers/$1/status" Pid
}

map_of() {
	awk '{ print $1, $2, $3 }' "/proc/$(pid_of "$1")/$2"
}

owner() {
	stat -c %u:%g "$@"
}

connects() {
	(exec 5<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

@test "root inside is a subordinate id outside, without power over the machine" {
	local pid
	start web -v "$SANDBOX/probe:/probe:ro"
	pid=$(pid_of web)
	expect_equal "$(map_of web uid_map)" '0 300000 65536'
	expect_equal "$(map_of web gid_map)" '0 300000 65536'
	expect_equal "$(awk '/^Uid|^Gid/ { print $2, $3, $4, $5 }' "/proc/$pid/status")" \
		$'300000 300000 300000 300000\n300000 300000 300000 300000'
	expect_equal "$(in_it web 'id -u; id -g; cat /proc/self/uid_map' | xargs)" '0 0 0 300000 65536'
	for name in user ipc uts net mnt pid cgroup; do
		[ "$(readlink "/proc/$pid/ns/$name")" != "$(readlink "/proc/self/ns/$name")" ] ||
			fail "the $name namespace is the host's"
	done
	expect_equal "$(in_it web '/probe mknod /dev/mine 1 3; /probe mknod /mine 8 0; /probe mount')" \
		$'EPERM\nEPERM\nEPERM'
	# Files of the machine's root that are in reach stay out of it.
	expect_failure in_it web 'echo 1 2>/dev/null >/proc/sys/kernel/panic'
	# What belongs to its own namespaces is its root's all the same.
	in_it web 'echo hi | nc -l -p 80 & until nc 127.0.0.1 80; do :; done 2>/dev/null' | grep -q hi
	in_it web 'echo x >/dev/null && echo x >/dev/shm/x && mkfifo /tmp/p && test -c /dev/urandom'
	in_it web 'mkdir /jail && chroot / true'
}

@test "capabilities that are added count for what is its own, and not for its mounts" {
	start web --cap-add SYS_ADMIN --cap-add NET_ADMIN -v "$SANDBOX/probe:/probe:ro" \
		--network none --sysctl net.core.somaxconn=99 --sysctl kernel.shmmni=77 --sysctl fs.mqueue.msg_max=5
	expect_equal "$(in_it web 'cd /proc/sys; cat net/core/somaxconn kernel/shmmni fs/mqueue/msg_max' |
		xargs)" '99 77 5'
	in_it web 'hostname other && ip link set lo mtu 1500 && ping -c 1 -W 5 127.0.0.1 >/dev/null'
	expect_equal "$(in_it web 'hostname; /probe mount; /probe mknod /mine 8 0')" \
		$'other\nEPERM\nEPERM'
	expect_failure in_it web 'umount /proc/bus 2>/dev/null'
	expect_failure in_it web 'mount -o remount,rw /proc/sys 2>/dev/null'
}

@test "the network on a bridge is the container's own: raw sockets, low ports, interfaces" {
	local pid address
	start web --cap-add NET_ADMIN -p 127.0.0.1:7780:80 -v "$SANDBOX/probe:/probe:ro"
	pid=$(pid_of web)
	address=$(field "$MNT/containers/web/net" IPAddress)
	expect_equal "$(nsenter --net="/proc/$pid/ns/net" ip -4 -o addr show eth0 | awk '{ print $4 }')" \
		"$address/$(field "$MNT/containers/web/net" IPPrefixLen)"
	expect_equal "$(in_it web '/probe raw; ping -c 1 -W 5 "$(ip route | sed -n "s/^default via \([^ ]*\).*/\1/p")" >/dev/null && echo pong')" $'OK\npong'
	in_it web 'ip link set eth0 mtu 1400 && ip addr add 192.0.2.7/32 dev lo'
	bounded cfs exec -u demo web httpd -p 80 -h /tmp
	eventually connects 7780
	# Of two on the bridge each sees the other.
	start two
	in_it two "ping -c 1 -W 5 $address >/dev/null"
	in_it two 'ping -c 1 -W 5 web >/dev/null'
}

@test "files have the container's ids inside, on disk and in every copy, the host's in rootfs" {
	local dir
	start web
	expect_equal "$(in_it web 'stat -c %u:%g / /etc/passwd /home/demo /dev /dev/null /etc/hosts \
		/root | xargs')" '0:0 0:0 1000:1000 0:0 0:0 0:0 0:0'
	in_it web 'echo new >/root/new; chown 7:8 /root/new; echo more >>/home/demo/f; chown demo /etc/passwd
		mkdir /d; touch /d/f; ln -s f /d/l; mkfifo /d/p'
	dir=$ROOT/containers/$(jq -r .Id "$MNT/containers/web/inspect")
	expect_equal "$(owner "$dir/upper" "$dir/upper/root/new" "$dir/upper/etc/passwd" "$dir/upper/d" \
		"$dir/upper/d/f" "$dir/upper/d/l" "$dir/upper/d/p" | xargs)" '0:0 7:8 1000:0 0:0 0:0 0:0 0:0'
	expect_equal "$(owner "$MNT/containers/web/rootfs/root/new")" 300007:300008
	expect_equal "$(owner "$MNT/images/$IMAGE/rootfs/etc/passwd")" 0:0
	# Root of the host has no id in there to make a file with.
	expect_match "$(touch "$MNT/containers/web/rootfs/root/mine" 2>&1)" 'too large'
	expect_equal "$(tar -tvf - --numeric-owner <"$MNT/containers/web/export.tar" |
		awk '$6 ~ /^(root\/new|etc\/passwd|home\/demo\/)$/ { print $6, $2 }' | sort | xargs)" \
		'etc/passwd 1000/0 home/demo/ 1000/1000 root/new 7/8'
	grep -q '/root/new' "$MNT/containers/web/changes"
}

@test "cp brings files in as root's or as owners that are kept, and out as they are inside" {
	start web
	echo text >"$SANDBOX/work/f"
	chown 5:6 "$SANDBOX/work/f"
	bounded cfs cp "$SANDBOX/work/f" web:/root/plain
	bounded cfs cp -a "$SANDBOX/work/f" web:/root/kept
	tar -C "$SANDBOX/work" -c f | bounded cfs cp - web:/tmp
	expect_equal "$(in_it web 'stat -c %u:%g /root/plain /root/kept /tmp/f | xargs')" '0:0 5:6 5:6'
	ctl 'stop -t 0 web'
	bounded cfs cp "$SANDBOX/work/f" web:/root/stopped
	bounded cfs cp -a web:/root/kept "$SANDBOX/work/back"
	expect_equal "$(owner "$SANDBOX/work/back")" 5:6
	expect_equal "$(bounded cfs cp web:/root - | tar -tv --numeric-owner | awk '{ print $6, $2 }' |
		sort | xargs)" 'root/ 0/0 root/kept 5/6 root/plain 0/0 root/stopped 0/0'
	rm -f "$SANDBOX/work/f" "$SANDBOX/work/back"
}

@test "volumes, binds and tmpfs have the container's ids" {
	mkdir "$SANDBOX/work/b"
	echo hi >"$SANDBOX/work/b/f"
	chown 5:6 "$SANDBOX/work/b/f"
	ctl "run --userns=auto --name web -v $SANDBOX/work/b:/b -v vol:/home -v vol2:/x \
		--tmpfs /t:uid=7,gid=8,size=1m $IMAGE sleep 1000" >/dev/null
	expect_equal "$(in_it web 'touch /b/n /x/n; chown 9 /x/n
		stat -c %u:%g /b /b/f /b/n /home/demo /x/n /t | xargs')" \
		'0:0 5:6 0:0 1000:1000 9:0 7:8'
	expect_equal "$(owner "$SANDBOX/work/b/n" "$ROOT/volumes/vol/demo" "$ROOT/volumes/vol2/n" | xargs)" \
		'0:0 1000:1000 9:0'
	# The same volume in one without.
	expect_equal "$(bounded cfs run --rm -v vol:/v "$IMAGE" stat -c %u:%g /v/demo)" 1000:1000
	ctl 'rm -f web'
	rmdir "$MNT/volumes/vol" "$MNT/volumes/vol2"
	rm -r "$SANDBOX/work/b"
}

@test "exec, users, terminals and the small init" {
	start web --init
	expect_equal "$(bounded cfs exec web id -u)" 0
	expect_equal "$(bounded cfs exec -u demo web sh -c 'id -u; echo out >/dev/stdout; cat /proc/self/uid_map' |
		xargs)" '1000 out 0 300000 65536'
	expect_equal "$(bounded cfs exec -t -u demo web sh -c 'stat -c %u:%g $(tty); echo t >/dev/tty' </dev/null |
		tr -d '\r' | xargs)" '1000:5 t'
	expect_equal "$(bounded cfs run --rm --userns=auto -t "$IMAGE" sh -c 'stat -c %u:%g /dev/console $(tty)' \
		</dev/null | tr -d '\r' | xargs)" '0:5 0:5'
	expect_equal "$(bounded cfs run --rm --userns=auto -u 65535:7 "$IMAGE" id -u)" 65535
	expect_failure bounded cfs exec -u 70000 web true
	expect_sentence "exec: user 70000 is beyond the 65536 ids of the container's user namespace"
	ctl 'stop -t 5 web'
	expect_equal "$(field "$MNT/containers/web/status" ExitCode)" 143
}

@test "each container has a range of its own, keeps it, and gives it back" {
	local first
	start one
	start two
	expect_equal "$(map_of one uid_map) $(map_of two uid_map)" '0 300000 65536 0 365536 65536'
	expect_equal "$(jq -c .IDMappings "$MNT/containers/two/inspect")" \
		'{"UidMap":["0:365536:65536"],"GidMap":["0:365536:65536"]}'
	expect_refusal ENOSPC "run: all ranges of 65536 ids that /etc/subuid gives root are in use; add \
one more line like 'root:FIRST:6553600', for a hundred containers" "run --userns=auto $IMAGE true"
	# Through a restart, an engine's death, a stop.
	in_it one 'echo kept >/root/f'
	ctl 'restart -t 0 one'
	kill_engine
	expect_equal "$(map_of one uid_map)" '0 300000 65536'
	expect_equal "$(in_it one 'stat -c %u /root/f; cat /root/f' | xargs)" '0 kept'
	ctl 'stop -t 0 one'
	first=$(jq -c .IDMappings.UidMap "$MNT/containers/one/inspect")
	expect_equal "$first" '["0:300000:65536"]'
	kill_engine
	expect_refusal ENOSPC "run: all ranges of 65536 ids that /etc/subuid gives root are in use; add \
one more line like 'root:FIRST:6553600', for a hundred containers" "run --userns=auto $IMAGE true"
	ctl 'rm one'
	start three
	expect_equal "$(map_of three uid_map)" '0 300000 65536'
}

@test "without ids for it a start says what to add" {
	give_ids alice:100000:65536
	ctl "create --userns=auto --name web $IMAGE true" >/dev/null
	expect_refusal ENOSPC "start: /etc/subuid gives root no ids for user namespaces; add a line like \
'root:1000000:6553600', for a hundred containers" 'start web'
	give_ids containers:700000:65536
	ctl 'start web'
	wait_exit web
	expect_equal "$(jq -r .IDMappings.UidMap[0] "$MNT/containers/web/inspect")" 0:700000:65536
}

@test "ids can be given up and taken while it is stopped" {
	start web
	in_it web 'echo text >/root/f; chown 3:4 /root/f'
	expect_equal "$(owner "$MNT/containers/web/rootfs/root/f")" 300003:300004
	ctl 'stop -t 0 web'
	echo '{"HostConfig":{"UsernsMode":"host"}}' >"$MNT/containers/web/config"
	ctl 'start web'
	expect_equal "$(map_of web uid_map)" '0 0 4294967295'
	expect_equal "$(jq .IDMappings "$MNT/containers/web/inspect")" null
	expect_equal "$(in_it web 'stat -c %u:%g /root/f')" 3:4
	expect_equal "$(owner "$MNT/containers/web/rootfs/root/f")" 3:4
	ctl 'stop -t 0 web'
	echo '{"HostConfig":{"UsernsMode":"auto"}}' >"$MNT/containers/web/config"
	ctl 'start web'
	expect_equal "$(in_it web 'stat -c %u:%g /root/f')" 3:4
	expect_equal "$(map_of web uid_map)" '0 300000 65536'
}
