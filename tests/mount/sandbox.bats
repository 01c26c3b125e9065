# What a container sees and may do, looked at from inside; and what an image or a
# container made to be hostile cannot do to the machine.
# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2030,SC2031,SC2045,SC2154

load lib

setup_file() {
	sandbox_start
	import_demo
	"${CC:-cc}" -std=gnu17 -O1 -Wall -static -o "$SANDBOX/probe" "$TOP/tests/mount/probe.c"
	# An image with the probe, and with files that are somebody's.
	mkdir "$SANDBOX/probed"
	tar -xzf "$SANDBOX/demo.tar.gz" -C "$SANDBOX/probed"
	cp "$SANDBOX/probe" "$SANDBOX/probed/bin/probe"
	install -m 4755 "$SANDBOX/probe" "$SANDBOX/probed/bin/probe-suid"
	tar -C "$SANDBOX/probed" -cf "$SANDBOX/probed.tar" .
	cp "$SANDBOX/probed.tar" "$MNT/images/probed:1"
	ctl 'create --name first probed:1' >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
	ctl 'rm first'
	# Of each set of capabilities the compiled policy is kept.
	for options in '--cap-drop ALL' '--cap-drop ALL --cap-add CHOWN' '--cap-add NET_ADMIN' \
		'--cap-add SYS_ADMIN'; do
		ctl "run --name first $options probed:1 true" >/dev/null
		wait_exit first
		ctl 'rm first'
	done
}

setup() {
	IMAGE=probed:1
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# inside WORD...: its output, run to its end in a container of its own; OPTIONS as in lib.
inside() {
	run_container in "$@" || return 1
	wait_exit in >/dev/null
	cat "$MNT/containers/in/logs"
	ctl 'rm in'
}

inside_sh() {
	inside sh -c "$1"
}

# --- who and where ---------------------------------------------------------------------

@test "process 1 is the program, alone in its pid namespace" {
	expect_equal "$(inside_sh 'echo $$')" 1
	expect_equal "$(inside_sh 'echo /proc/[0-9]*')" /proc/1
	expect_equal "$(inside readlink /proc/1/exe)" /bin/busybox
	expect_equal "$(inside_sh 'tr "\0" " " </proc/1/cmdline; :' | cut -c 1-6)" 'sh -c '
	expect_equal "$(inside_sh 'ps | grep -c "[c]ontainerfs"')" 0
}

@test "no namespace but the user's is the host's" {
	local name
	for name in cgroup ipc mnt net pid uts; do
		[ "$(inside readlink "/proc/self/ns/$name")" != "$(readlink "/proc/self/ns/$name")" ] ||
			fail "the $name namespace is the host's"
	done
}

@test "orphans become children of process 1, and its end is the end of all" {
	expect_equal "$(inside_sh '(sleep 1000 & echo $! >/tmp/p); grep PPid /proc/$(cat /tmp/p)/status')" \
		$'PPid:\t1'
}

@test "hostname, hosts and resolv.conf are the container's own" {
	local id
	OPTIONS='--hostname box' expect_equal "$(OPTIONS='--hostname box' inside hostname)" box
	expect_equal "$(OPTIONS='--hostname box' inside cat /etc/hostname)" box
	expect_match "$(OPTIONS='--hostname box' inside cat /etc/hosts)" \
		$'^127\\.0\\.0\\.1\tlocalhost\n.*[0-9.]+\tbox($|\n)'
	expect_equal "$(OPTIONS='--dns 192.0.2.7 --dns 192.0.2.8' inside cat /etc/resolv.conf)" \
		$'nameserver 192.0.2.7\nnameserver 192.0.2.8'
	id=$(ctl "run --name who $IMAGE hostname")
	wait_exit who
	expect_equal "$(cat "$MNT/containers/who/logs")" "${id:0:12}"
	# Written to, as programs do; the image and the host keep theirs.
	expect_equal "$(inside_sh 'echo 192.0.2.1 more >>/etc/hosts && tail -n 1 /etc/hosts')" \
		"192.0.2.1 more"
	expect_equal "$(cat "$MNT/images/$IMAGE/rootfs/etc/hosts")" $'127.0.0.1\tlocalhost'
	expect_failure grep -q '192.0.2.1 more' /etc/hosts
}

@test "the environment is exactly what was asked for" {
	local want
	# Docker's own test of it.
	want=$(printf '%s\n' FALSE=true HOME=/root HOSTNAME=testing \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		$'TRICKY=tri\nck\ny' TRUE=false | sort)
	ctl "run --name env --hostname testing -e FALSE=true -e TRUE=false \
-e \$'TRICKY=tri\\nck\\ny\\n' $IMAGE /bin/env" >/dev/null
	expect_equal "$(wait_exit env)" 0
	expect_equal "$(grep -v '^$' "$MNT/containers/env/stdout" | sort)" "$want"
	expect_equal "$(OPTIONS='-e A=1 -e A=2 -e PATH=/bin' inside_sh 'echo $A $PATH')" '2 /bin'
}

@test "users by name, by number, and unknown ones" {
	expect_equal "$(inside_sh 'id -u; id -g; id -G; echo $HOME')" $'0\n0\n0\n/root'
	expect_equal "$(OPTIONS='-u demo' inside_sh 'id -u; id -g; id -G; echo $HOME')" \
		$'1000\n1000\n1000 10\n/home/demo'
	expect_equal "$(OPTIONS='-u 1000' inside_sh 'id -u; id -g; echo $HOME')" \
		$'1000\n1000\n/home/demo'
	expect_equal "$(OPTIONS='-u 4242' inside_sh 'id -u; id -g; echo $HOME')" $'4242\n0\n/'
	expect_equal "$(OPTIONS='-u 4242:33' inside_sh 'id -u; id -g')" $'4242\n33'
	expect_equal "$(OPTIONS='-u demo:www-data' inside_sh 'id -u; id -g')" $'1000\n33'
	expect_errno EINVAL write "$MNT/ctl" "run --name in -u nobodyhere $IMAGE true"
	expect_match "$(cat "$MNT/error")" "nobodyhere"
	[ ! -e "$MNT/containers/in" ]
	expect_errno EINVAL write "$MNT/ctl" "run --name in -u demo:nogrouphere $IMAGE true"
	expect_match "$(cat "$MNT/error")" "nogrouphere"
}

@test "who is not root has no capability, and no way to one but setuid programs" {
	expect_equal "$(OPTIONS='-u demo' inside_sh 'grep -E "Cap(Prm|Eff)" /proc/self/status')" \
		$'CapPrm:\t0000000000000000\nCapEff:\t0000000000000000'
	expect_equal "$(OPTIONS='-u demo' inside probe-suid euid)" 0
	expect_equal "$(OPTIONS='-u demo --security-opt no-new-privileges' \
		inside probe-suid euid)" 1000
	expect_equal "$(OPTIONS='--security-opt no-new-privileges' \
		inside grep NoNewPrivs /proc/self/status)" $'NoNewPrivs:\t1'
	expect_equal "$(inside grep NoNewPrivs /proc/self/status)" $'NoNewPrivs:\t0'
}

@test "the working directory is made when it is missing" {
	expect_equal "$(inside pwd)" /
	expect_equal "$(OPTIONS='-w /etc' inside pwd)" /etc
	expect_equal "$(OPTIONS='-w /new/er/dir' inside_sh 'pwd; stat -c "%u %a" .')" \
		$'/new/er/dir\n0 755'
	expect_errno ENOTDIR write "$MNT/ctl" "run --name in -w /etc/passwd $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "run --name in -w relative $IMAGE true"
}

# --- what is mounted ---------------------------------------------------------------------

@test "the mounts are Docker's" {
	inside cat /proc/self/mounts | cut -d ' ' -f 2,3,4 >"$SANDBOX/work/mounts"
	is_mounted_as / overlay rw
	is_mounted_as /proc proc rw,nosuid,nodev,noexec
	is_mounted_as /dev tmpfs rw,nosuid
	is_mounted_as /dev/pts devpts rw,nosuid,noexec
	is_mounted_as /dev/shm tmpfs rw,nosuid,nodev,noexec
	is_mounted_as /dev/mqueue mqueue rw,nosuid,nodev,noexec
	is_mounted_as /sys sysfs ro,nosuid,nodev,noexec
	is_mounted_as /proc/sys proc ro,nosuid,nodev,noexec
	is_mounted_as /proc/irq proc ro,nosuid,nodev,noexec
	is_mounted_as /proc/bus proc ro,nosuid,nodev,noexec
	# Nothing of the host's besides.
	expect_equal "$(cut -d ' ' -f 1 "$SANDBOX/work/mounts" |
		grep -vE '^/($|proc|sys|dev|etc/(hosts|hostname|resolv\.conf)$)')" ""
	expect_failure grep -q fuse "$SANDBOX/work/mounts"
}

is_mounted_as() {
	grep -q "^$1 $2 $3" "$SANDBOX/work/mounts" ||
		fail "$1 is not $2 with $3: $(grep "^$1 " "$SANDBOX/work/mounts")"
}

@test "what tells of the host is masked, what would change it is read-only" {
	local path
	for path in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts; do
		[ ! -e "$path" ] || expect_equal "$(inside_sh "head -c 100 $path | wc -c")" 0
	done
	for path in /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
		[ ! -e "$path" ] || expect_equal "$(inside_sh "ls $path | wc -l")" 0
	done
	expect_match "$(inside_sh 'echo 1 >/proc/sys/vm/drop_caches')" 'Read-only file system'
	expect_match "$(inside_sh 'echo b >/proc/sysrq-trigger')" \
		'Read-only file system|nonexistent|No such file|Input/output'
	expect_match "$(inside_sh 'echo 0 >/sys/kernel/mm/ksm/run')" \
		'Read-only file system|nonexistent'
	expect_match "$(inside mkdir /sys/fs/cgroup/x)" 'Read-only file system'
	expect_match "$(inside_sh 'echo x >/proc/1/oom_score_adj; echo -1000 >/proc/1/oom_score_adj')" \
		'Invalid argument.*Permission denied'
}

@test "a masked path cannot be uncovered" {
	expect_match "$(inside umount /proc/keys)" 'Operation not permitted|Permission denied'
	expect_match "$(inside mount -o remount,rw /proc/sys)" 'not permitted|denied'
}

@test "/dev has the usual devices and no others" {
	expect_equal "$(inside_sh 'cd /dev && stat -c "%n %F %t:%T %a" full null random tty urandom zero')" \
"full character special file 1:7 666
null character special file 1:3 666
random character special file 1:8 666
tty character special file 5:0 666
urandom character special file 1:9 666
zero character special file 1:5 666"
	expect_equal "$(inside_sh 'find /dev -type b -o -type c | sort | tr "\n" " "')" \
		"/dev/full /dev/null /dev/pts/ptmx /dev/random /dev/tty /dev/urandom /dev/zero "
	expect_equal "$(inside_sh 'cd /dev; for i in fd stdin stdout stderr ptmx; do readlink $i; done')" \
		$'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx'
	# Two streams have no order among each other.
	expect_equal "$(inside_sh 'echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/null; head -c 3 /dev/zero | wc -c' | sort)" \
		$'3\nerr\nout'
}

@test "devices that were not given can be made, as Docker has it, and not used" {
	local disk
	disk=$(lsblk -dnro MAJ:MIN | head -n 1)
	expect_equal "$(inside_sh 'probe mknod /tmp/null 1 3; probe open /tmp/null')" $'OK\nOK'
	expect_equal "$(inside_sh 'probe mknod /tmp/mem 1 1; probe open /tmp/mem')" $'OK\nEPERM'
	expect_equal "$(inside_sh 'probe mknod /tmp/fuse 10 229; probe open /tmp/fuse')" \
		$'OK\nEPERM'
	expect_equal "$(inside_sh "mknod /tmp/disk b ${disk%:*} ${disk#*:}; probe open /tmp/disk")" \
		EPERM
}

# --- what is allowed ---------------------------------------------------------------------

@test "the capabilities are Docker's 14, and can be added and dropped" {
	expect_equal "$(inside_sh 'grep -E "Cap(Prm|Eff|Bnd|Amb|Inh)" /proc/self/status | cut -f 2 | tr "\n" " "')" \
		"0000000000000000 00000000a80425fb 00000000a80425fb 00000000a80425fb 0000000000000000 "
	expect_equal "$(OPTIONS='--cap-drop ALL' inside_sh 'grep CapEff /proc/self/status')" \
		$'CapEff:\t0000000000000000'
	expect_equal "$(OPTIONS='--cap-drop ALL --cap-add CHOWN' inside_sh 'grep CapEff /proc/self/status')" \
		$'CapEff:\t0000000000000001'
	expect_equal "$(OPTIONS='--cap-add NET_ADMIN' inside_sh 'grep CapEff /proc/self/status')" \
		$'CapEff:\t00000000a80435fb'
	expect_errno EINVAL write "$MNT/ctl" "run --cap-add FLYING $IMAGE true"
	expect_match "$(cat "$MNT/error")" FLYING
}

@test "system calls outside of the policy are refused" {
	expect_equal "$(inside grep -E '^Seccomp:' /proc/self/status)" $'Seccomp:\t2'
	expect_equal "$(inside probe keyctl)" EPERM
	expect_equal "$(inside probe userns)" EPERM
	expect_equal "$(inside probe mountns)" EPERM
	expect_equal "$(inside probe mount)" EPERM
	expect_equal "$(inside probe bpf)" EPERM
	expect_equal "$(inside probe reboot)" EPERM
	expect_equal "$(inside probe settime)" EPERM
	expect_equal "$(inside probe swapon)" EPERM
	expect_equal "$(inside probe ptrace)" OK
	expect_match "$(inside unshare -m true)" 'not permitted'
	expect_match "$(OPTIONS='--cap-add SYS_ADMIN' inside_sh 'probe mountns; probe mount')" $'OK\nOK'
}

@test "no descriptor of ours is open, and none leads out" {
	expect_equal "$(inside probe fds)" end
	expect_equal "$(OPTIONS=-i inside probe fds </dev/null)" end
	expect_equal "$(inside_sh 'ls -l /proc/1/fd 2>/dev/null | grep -c /tmp/')" 0
	expect_equal "$(inside_sh 'cat /proc/1/cwd/../../../../etc/hostname | wc -c')" 13
	expect_equal "$(inside readlink /proc/1/exe)" /bin/busybox
}

@test "without a network only lo is there, and it is up" {
	local OPTIONS='--net none'
	expect_equal "$(inside_sh 'ls /sys/class/net')" lo
	expect_match "$(inside ip addr show lo)" 'LOOPBACK,UP'
	expect_equal "$(inside_sh 'echo hello | nc -l -p 7 127.0.0.1 >/tmp/got & sleep 0.2; nc 127.0.0.1 7 </dev/null')" hello
}

@test "limits are lines that kill, refuse and weigh" {
	ctl "run --name fat -m 32m --memory-swap 32m $IMAGE probe eat 200" >/dev/null
	expect_equal "$(wait_exit fat)" 137
	expect_equal "$(field "$MNT/containers/fat/status" OOMKilled)" yes
	expect_equal "$(OPTIONS='-m 64m' inside probe eat 20)" OK
	ctl "run --name lean -m 64m $IMAGE probe eat 10" >/dev/null
	expect_equal "$(wait_exit lean)" 0
	expect_equal "$(field "$MNT/containers/lean/status" OOMKilled)" no
	expect_equal "$(OPTIONS='--pids-limit 10' inside probe forks 100)" "9 EAGAIN"
	expect_equal "$(OPTIONS='--pids-limit 1' inside probe forks 5)" "0 EAGAIN"
}

# The group's file of version 1 or the one of version 2, whichever is there.
group_value() {
	local path group
	group=$(grep -E "$2" "/proc/$(field "$MNT/containers/$1/status" Pid)/cgroup" | head -n 1 |
		cut -d : -f 3)
	path=$(find /sys/fs/cgroup -path "*$group/$3" -print -quit)
	cat "$path"
}

@test "limits are what was asked for, and change while it runs" {
	[ -e /sys/fs/cgroup/cgroup.controllers ] && skip_v2=1
	OPTIONS='-m 64m --cpu-shares 512 --pids-limit 50' run_container web sleep 1000
	[ -z "${skip_v2:-}" ] || return 0
	expect_equal "$(group_value web :memory: memory.limit_in_bytes)" 67108864
	expect_equal "$(group_value web ':(cpu|cpu,cpuacct):' cpu.shares)" 512
	expect_equal "$(group_value web :pids: pids.max)" 50
	echo '{"Memory": 134217728, "CpuShares": 256, "HostConfig": {"PidsLimit": 60}}' \
		>"$MNT/containers/web/config"
	expect_equal "$(group_value web :memory: memory.limit_in_bytes)" 134217728
	expect_equal "$(group_value web ':(cpu|cpu,cpuacct):' cpu.shares)" 256
	expect_equal "$(group_value web :pids: pids.max)" 60
}

@test "a read-only root file system cannot be written" {
	expect_match "$(OPTIONS=--read-only inside touch /x)" 'Read-only file system'
	expect_match "$(OPTIONS=--read-only inside_sh 'echo x >/etc/hosts')" 'Read-only file system'
	expect_equal "$(OPTIONS=--read-only inside_sh 'echo x >/dev/shm/x; cat /dev/shm/x')" x
}

# --- hostile --------------------------------------------------------------------------

# hostile NAME: what is in $SANDBOX/evil becomes an image, with busybox in /bin.
make_evil() {
	rm -rf "$SANDBOX/work/evil"
	mkdir -p "$SANDBOX/work/evil/bin" "$SANDBOX/work/outside"
	cp "$SANDBOX/probed/bin/busybox" "$SANDBOX/probed/bin/probe" "$SANDBOX/work/evil/bin/"
	for applet in sh ls cat true pwd touch mkdir hostname readlink id sleep; do
		ln -s busybox "$SANDBOX/work/evil/bin/$applet"
	done
}

import_evil() {
	tar -C "$SANDBOX/work/evil" -cf "$SANDBOX/work/evil.tar" .
	cp "$SANDBOX/work/evil.tar" "$MNT/images/evil:1"
	find "$SANDBOX/work/outside" >"$SANDBOX/work/outside.before"
	stat -c '%n %i %Y %Z' /etc /etc/hosts /etc/passwd /proc/sys /dev /dev/null /tmp/../etc/hostname \
		>"$SANDBOX/work/host.before" 2>/dev/null || :
}

# Started or refused: the host is as it was.
try_evil() {
	"$TRY" write "$MNT/ctl" "run --name evil $* evil:1 true" >"$SANDBOX/work/evil.said"
	if [ "$(cat "$SANDBOX/work/evil.said")" = OK ]; then
		wait_exit evil
	fi
	if [ -e "$MNT/containers/evil" ]; then
		ls -l "$MNT/containers/evil/rootfs/" >/dev/null
		ctl 'rm -f evil'
	fi
	rm "$MNT/images/evil:1"
	find "$SANDBOX/work/outside" | cmp - "$SANDBOX/work/outside.before"
	stat -c '%n %i %Y %Z' /etc /etc/hosts /etc/passwd /proc/sys /dev /dev/null /tmp/../etc/hostname \
		2>/dev/null | cmp - "$SANDBOX/work/host.before"
	rm -rf "$SANDBOX/work/evil" "$SANDBOX/work/evil.tar" "$SANDBOX/work/outside"
}

@test "links of an image that point out of it lead nowhere" {
	local up=../../../../../../../../../.. name
	for name in etc proc sys dev tmp; do
		make_evil
		ln -s "$up$SANDBOX/work/outside" "$SANDBOX/work/evil/$name"
		import_evil
		try_evil
		make_evil
		ln -s "$SANDBOX/work/outside" "$SANDBOX/work/evil/$name"
		import_evil
		try_evil -w "/$name/deep/er"
	done
	for name in hosts hostname resolv.conf passwd group; do
		make_evil
		mkdir "$SANDBOX/work/evil/etc"
		ln -s "$up/etc/$name" "$SANDBOX/work/evil/etc/$name"
		import_evil
		try_evil -u root
	done
}

@test "odd things where files are expected do no harm" {
	local name kind
	for name in etc/hosts etc/resolv.conf etc/passwd dev/null dev/pts proc/sys; do
		for kind in directory fifo link-to-self device; do
			make_evil
			mkdir -p "$(dirname "$SANDBOX/work/evil/$name")"
			case $kind in
			directory) mkdir "$SANDBOX/work/evil/$name" ;;
			fifo) mkfifo "$SANDBOX/work/evil/$name" ;;
			link-to-self) ln -s "${name##*/}" "$SANDBOX/work/evil/$name" ;;
			device) mknod "$SANDBOX/work/evil/$name" c 1 5 ;;
			esac
			import_evil
			try_evil
		done
	done
}

@test "a link at the working directory or the program leads nowhere" {
	make_evil
	mkdir "$SANDBOX/work/outside/prog"
	cp "$SANDBOX/probed/bin/busybox" "$SANDBOX/work/outside/prog/leak"
	ln -s "$SANDBOX/work/outside/prog/leak" "$SANDBOX/work/evil/leak"
	ln -s ../../../../../../../.. "$SANDBOX/work/evil/up"
	import_evil
	expect_errno ENOENT write "$MNT/ctl" "run --name evil evil:1 /leak"
	ctl 'rm evil'
	expect_equal "$(IMAGE=evil:1 OPTIONS='-w /up' inside pwd)" /
	try_evil
}

@test "a huge or endless passwd does not stop the start of others" {
	make_evil
	mkdir "$SANDBOX/work/evil/etc"
	truncate -s 1G "$SANDBOX/work/evil/etc/passwd"
	tar -C "$SANDBOX/work/evil" -cSf "$SANDBOX/work/evil.tar" .
	cp "$SANDBOX/work/evil.tar" "$MNT/images/evil:1"
	bounded "$TRY" write "$MNT/ctl" "run --name evil -u somebody evil:1 true" &
	expect_equal "$(inside echo fine)" fine
	wait $!
	[ ! -e "$MNT/containers/evil" ] || ctl 'rm -f evil'
	rm "$MNT/images/evil:1"
	rm -rf "$SANDBOX/work/evil" "$SANDBOX/work/evil.tar" "$SANDBOX/work/outside"
}

@test "setuid programs and devices in a rootfs have no power on the host" {
	run_container web sleep 1000
	local rootfs=$MNT/containers/web/rootfs options fd
	options=$(findmnt -no OPTIONS --target "$(readlink -f "$rootfs/")")
	expect_match "$options" nosuid
	expect_match "$options" nodev
	# The way there is root's alone; whoever gets the descriptor still gains nothing.
	exec {fd}<"$rootfs/bin/probe-suid"
	expect_equal "$(setpriv --reuid 65534 --clear-groups "/proc/self/fd/$fd" euid)" 65534
	exec {fd}<&-
	ctl "run --name maker $IMAGE probe mknod /tmp/null 1 3" >/dev/null
	wait_exit maker
	[ -c "$MNT/containers/maker/rootfs/tmp/null" ]
	expect_errno EACCES open rw "$MNT/containers/maker/rootfs/tmp/null"
	[ "$(cat "$MNT/containers/web/rootfs/etc/os-release")" ]
	expect_equal "$(ls -A "$rootfs/proc")$(ls -A "$rootfs/sys")" ""
}

@test "links that a container makes do not lead the host astray" {
	run_container web sh -c 'ln -s /etc/shadow /tmp/a; ln -sf /etc /tmp/b; rm /etc/passwd;
ln -s /proc/1/root/etc/passwd /etc/passwd; echo made; sleep 1000'
	wait_line web made
	# Found by name, it is only a link; who follows it does so knowingly.
	expect_equal "$(readlink "$MNT/containers/web/rootfs/tmp/a")" /etc/shadow
	ctl 'restart -t 0 web' >/dev/null
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	ctl 'stop -t 0 web'
	# Its passwd is a link to the host's when followed from outside.
	echo '{"User": "demo"}' >"$MNT/containers/web/config"
	expect_errno EINVAL write "$MNT/ctl" 'start web'
}

@test "a container cannot see or reach mounts of the host" {
	mkdir "$SANDBOX/work/secret"
	mount -t tmpfs secret "$SANDBOX/work/secret"
	echo secret >"$SANDBOX/work/secret/file"
	run_container web sleep 1000
	expect_failure grep -q "$SANDBOX/work" "/proc/$(field "$MNT/containers/web/status" Pid)/mountinfo"
	expect_equal "$(OPTIONS='--cap-add SYS_ADMIN' inside_sh \
		"cat $SANDBOX/work/secret/file 2>&1 | grep -c secret$")" 0
	umount "$SANDBOX/work/secret"
	rmdir "$SANDBOX/work/secret"
	# Nothing that a container mounts comes out either.
	expect_equal "$(OPTIONS='--cap-add SYS_ADMIN' inside_sh 'probe mount; touch /tmp/in')" OK
	expect_failure grep -q "$SANDBOX.*/tmp " /proc/self/mountinfo
}
