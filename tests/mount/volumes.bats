# Volumes, binds and tmpfs as a container sees them: Docker's own tests by their names,
# and what Docker's tests do not ask.
# shellcheck shell=bash disable=SC2016,SC2154

load lib

setup_file() {
	sandbox_start
	import_demo
	# An image whose /hello is somebody's and has all sorts of files, with links that
	# lead where nothing may be mounted.
	mkdir "$SANDBOX/rich"
	tar -xzf "$SANDBOX/demo.tar.gz" -C "$SANDBOX/rich"
	(
		cd "$SANDBOX/rich" || exit 1
		mkdir -p hello/local empty deep/a
		echo hello >hello/local/world
		ln hello/local/world hello/hard
		ln -s /etc/passwd hello/link
		mknod -m 640 hello/null c 1 3
		mkfifo hello/pipe
		truncate -s 3M hello/sparse
		chown -R 1:1 hello
		chmod 4750 hello/hard
		chmod 1770 hello empty
		chown 2:2 empty
		touch -d 2001-02-03T04:05:06Z hello/hard hello empty
		setfattr -n user.note -v text hello/local
		ln -s /proc procs
		ln -s proc/self/attr attr
		ln -s ../../../../../../../srv/inner out
		ln -s /nowhere/yet dangling
		echo below >deep/a/below
		mkdir data
		ln -s /hello data/hello
	)
	tar -C "$SANDBOX/rich" --xattrs --numeric-owner -cf "$SANDBOX/rich.tar" .
	cp "$SANDBOX/rich.tar" "$MNT/images/rich:1"
	ctl 'create --name first rich:1' >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
	ctl 'rm first'
	mkdir "$SANDBOX/src"
}

setup() {
	IMAGE=rich:1
	OPTIONS=
	find "$SANDBOX/src" -mindepth 1 -delete
	look_before
}

teardown() {
	local name
	for name in $(bounded ls "$MNT/containers"); do
		ctl "rm -fv $name" || return 1
	done
	for name in $(bounded ls "$MNT/volumes"); do
		rmdir "$MNT/volumes/$name" || return 1
	done
	look_after
}

teardown_file() {
	sandbox_end
}

# sh_in NAME SCRIPT: run to its end under OPTIONS, its output; the container stays.
sh_in() {
	run_container "$1" sh -c "$2" || return 1
	wait_exit "$1" >/dev/null
	cat "$MNT/containers/$1/logs"
}

# A path as Mounts of inspect has it: mount NAME DESTINATION FIELD
mount_of() {
	python3 -c '
import json, sys
for m in json.load(open(sys.argv[1]))["Mounts"]:
    if m["Destination"] == sys.argv[2]:
        print(m[sys.argv[3]])' "$MNT/containers/$1/inspect" "$2" "$3"
}

volumes() {
	ls "$MNT/volumes"
}

# --- Docker's own -----------------------------------------------------------------------

@test "TestCreateVolume, TestRestartWithVolumes: an anonymous volume, kept over restarts" {
	local name
	OPTIONS='-v /var/lib/data' expect_equal \
		"$(OPTIONS='-v /var/lib/data' sh_in c 'echo $((`cat /var/lib/data/n 2>/dev/null` + 1)) >/var/lib/data/n; cat /var/lib/data/n')" 1
	name=$(volumes)
	expect_match "$name" '^[0-9a-f]{64}$'
	expect_equal "$(mount_of c /var/lib/data Name)" "$name"
	expect_equal "$(mount_of c /var/lib/data RW)" True
	ctl 'start c'
	wait_exit c
	expect_equal "$(cat "$MNT/containers/c/logs")" $'1\n2'
	kill_engine
	ctl 'start c'
	wait_exit c
	expect_equal "$(tail -n 1 "$MNT/containers/c/logs")" 3
	expect_equal "$(volumes)" "$name"
	expect_equal "$(mount_of c /var/lib/data Name)" "$name"
}

@test "TestCopyVolumeContent, TestCopyVolumeUidGid: a fresh volume is what the image has there" {
	local list='cd /hello; stat -c "%n %A %u %g %h %s %Y %b" . local local/world hard link null pipe sparse; readlink link; cat local/world; getfattr --only-values -n user.note local 2>/dev/null'
	sh_in plain "$list" >"$SANDBOX/work/plain"
	OPTIONS='-v /hello' sh_in anonymous "$list" >"$SANDBOX/work/anonymous"
	OPTIONS='-v data:/hello' sh_in named "$list" >"$SANDBOX/work/named"
	grep -v '^\. ' "$SANDBOX/work/plain" >"$SANDBOX/work/plain.below"
	for kind in anonymous named; do
		grep -v '^\. ' "$SANDBOX/work/$kind" | diff "$SANDBOX/work/plain.below" -
		grep '^\. ' "$SANDBOX/work/$kind" | grep -q '^\. drwxrwx--T 1 1'
	done
	expect_equal "$(OPTIONS='-v /hello' sh_in c 'find /hello -name world; stat -c %Y /hello')" $'/hello/local/world\n981173106'
	expect_equal "$(getfattr --only-values -n user.note "$ROOT/volumes/data/local")" text
	# An empty directory's owner and mode; nothing at all is root's; ro is filled as well.
	expect_equal "$(OPTIONS='-v /empty -v new:/brand/new -v ro:/hello:ro' sh_in d 'stat -c "%A %u %g" /empty /brand/new; cat /hello/local/world; touch /hello/x || echo ro')" \
		$'drwxrwx--T 2 2\ndrwxr-xr-x 0 0\nhello\nro' 2>/dev/null ||
		expect_match "$(cat "$MNT/containers/d/logs")" $'drwxrwx--T 2 2\ndrwxr-xr-x 0 0\nhello\n.*ro'
	# Not with nocopy, not what has something in it, not again at a second start.
	expect_equal "$(OPTIONS='-v bare:/hello:nocopy -v new:/deep' sh_in e 'ls /hello; echo x >/deep/x; rm /deep/a/below; ls /deep')" $'a\nx' ||
		return 1
	expect_equal "$(OPTIONS='-v new:/hello' sh_in f 'ls /hello')" $'a\nx'
	ctl 'run --name g -v own:/deep rich:1 rm -r /deep/a' >/dev/null
	wait_exit g
	ctl 'start g'
	expect_equal "$(wait_exit g)" 1
	expect_equal "$(ls "$ROOT/volumes/own")" ''
}

@test "TestBindMounts, TestRunErrorBind*: ro, rw, a file; illegal ones are refused" {
	echo from-host >"$SANDBOX/src/file"
	mkdir "$SANDBOX/src/dir"
	expect_equal "$(OPTIONS="-v $SANDBOX/src:/mnt/a:ro -v $SANDBOX/src/dir:/mnt/b -v $SANDBOX/src/file:/etc/motd -v $SANDBOX/src/file:/brand/new/file:ro" \
		sh_in c 'cat /mnt/a/file /etc/motd /brand/new/file; (echo x >/mnt/a/x) 2>/dev/null || echo ro; (echo x >/brand/new/file) 2>/dev/null || echo ro; echo inside >/mnt/b/x; echo changed >/etc/motd')" \
		$'from-host\nfrom-host\nfrom-host\nro\nro'
	expect_equal "$(cat "$SANDBOX/src/dir/x" "$SANDBOX/src/file")" $'inside\nchanged'
	expect_equal "$(mount_of c /mnt/a Mode) $(mount_of c /mnt/a RW) $(mount_of c /mnt/a Propagation) $(mount_of c /mnt/a Source)" \
		"ro False rprivate $SANDBOX/src"
	expect_equal "$(ls "$SANDBOX/src")" $'dir\nfile'
	local bad
	for bad in '/' '/:/' '/tmp:' '/tmp:ro' '/tmp::' ':' '::' '/tmp:/a:ro:x' '/tmp:.' '/tmp:x' '/:/a' \
		'/tmp:/a:r0' '/tmp:/a:ro,rw' '/tmp:/a:nocopy' 'vol:/a:rshared' '/tmp:/proc' '/tmp:/proc/sys/x' \
		'0123456789ab:/a' 'a/b:/c' '/tmp:/a/..'; do
		expect_errno EINVAL write "$MNT/ctl" "run -v $bad rich:1 true" || fail "$bad"
	done
	expect_refusal ENOENT "run: the bind's source '$SANDBOX/src/nope' does not exist" \
		"run --name no -v $SANDBOX/src/nope:/a rich:1 true"
	expect_refusal EINVAL "run: Binds: two mounts for '/a'" \
		"run --name no -v $SANDBOX/src:/a -v data:/a/ rich:1 true"
	expect_refusal EINVAL "run: VolumesFrom: 'c:x' is not CONTAINER, CONTAINER:ro or CONTAINER:rw" \
		"run --name no --volumes-from c:x rich:1 true"
	expect_equal "$(ls "$MNT/containers")" c
	# A file where a directory is, and the other way round.
	expect_errno ENOTDIR write "$MNT/ctl" "run --rm -v $SANDBOX/src/file:/etc rich:1 true"
	# A colon in a path.
	mkdir "$SANDBOX/src/a:b"
	expect_equal "$(OPTIONS="-v '$SANDBOX/src/a\\:b:/x\\:y'" sh_in d 'ls -d /x:y')" /x:y
}

@test "TestFollowSymLink*: a destination is found inside the root alone, and never in /proc" {
	echo host >"$SANDBOX/src/file"
	OPTIONS="-v $SANDBOX/src:/out -v $SANDBOX/src:/dangling/deep" expect_equal \
		"$(OPTIONS="-v $SANDBOX/src:/out -v $SANDBOX/src:/dangling/deep -v $SANDBOX/src:/data/hello/local" sh_in c \
			'cat /srv/inner/file /nowhere/yet/deep/file /hello/local/file')" $'host\nhost\nhost'
	[ ! -e /srv/inner ] && [ ! -e /nowhere ]
	local place
	for place in /procs /procs/sys /attr /procs/self/ns; do
		expect_errno EINVAL write "$MNT/ctl" "run --name no -v $SANDBOX/src:$place rich:1 true" || fail "$place"
		expect_errno EINVAL write "$MNT/ctl" "run --name no --tmpfs $place rich:1 true" || fail "$place"
		expect_errno EINVAL write "$MNT/ctl" "run --rm -v $place rich:1 true" || fail "$place"
	done
	expect_equal "$(ls "$MNT/containers")" c
}

@test "TestFromVolumesInReadonlyMode, TestVolumesFromReadonlyMount, TestMultipleVolumesFrom, TestVolumesFromWithVolumes" {
	OPTIONS='-v /test' sh_in one 'echo -n bar >/test/foo'
	OPTIONS='-v /other' sh_in two 'echo -n baz >/other/foo'
	OPTIONS="-v $SANDBOX/src:/src:ro" sh_in three true
	# Its own anonymous volume in the same place gives way; its own bind does not.
	expect_equal "$(OPTIONS='--volumes-from one --volumes-from two -v /test' sh_in c 'cat /test/foo /other/foo')" barbaz
	expect_equal "$(mount_of c /test Name)" "$(mount_of one /test Name)"
	expect_equal "$(OPTIONS="--volumes-from one -v $SANDBOX/src:/test" sh_in d 'ls /test')" ''
	expect_equal "$(OPTIONS='--volumes-from one:ro' sh_in e 'cat /test/foo; (echo x >/test/x) 2>/dev/null || echo ro')" barro
	expect_equal "$(OPTIONS='--volumes-from three:rw' sh_in f '(echo x >/src/x) 2>/dev/null || echo ro')" ro
	expect_equal "$(OPTIONS='--volumes-from c:rw' sh_in chain 'echo x >/test/x; ls /test /other' | xargs)" '/other: foo /test: foo x'
	# One that has never run: its volume is filled from its own image.
	ctl 'create --name data -v /hello rich:1' >/dev/null
	expect_equal "$(IMAGE=demo:1 OPTIONS='--volumes-from data' sh_in g 'cat /hello/local/world')" hello
	expect_refusal ENOENT 'run: VolumesFrom: no such container: nope' 'run --volumes-from nope rich:1 true'
	# The one that it came from may go.
	ctl 'rm -v data' 'start g'
	wait_exit g
	expect_equal "$(cat "$MNT/containers/g/logs")" $'hello\nhello'
	expect_equal "$(cat "$MNT/containers/g/status" | grep -c '^Error:.$')" 1
}

@test "TestCreateRmVolumes: rm -v takes anonymous volumes that nobody else uses, and --rm too" {
	local dry
	OPTIONS='-v /a -v named:/b' sh_in c 'echo x >/a/x'
	expect_equal "$(volumes | wc -l)" 2
	ctl 'create --name user --volumes-from c rich:1 true' 'rm -v c' >/dev/null
	expect_equal "$(volumes | wc -l)" 2
	ctl 'start user'
	wait_exit user
	expect_equal "$(ls "$ROOT/volumes/$(mount_of user /a Name)")" x
	ctl 'rm -v user'
	expect_equal "$(volumes)" named
	OPTIONS='-v /a' sh_in c true
	expect_equal "$(volumes | wc -l)" 2
	dry=$(ctl 'prune -n --volumes')
	expect_equal "$(wc -l <<<"$dry") $(volumes | wc -l)" '3 2'
	expect_equal "$(ctl 'prune --volumes')" "$dry"
	expect_equal "$(volumes)" named
	ctl 'run --rm --name r -v /a -v named:/b rich:1 true' >/dev/null
	eventually test ! -e "$MNT/containers/r"
	eventually expect_equal "$(volumes)" named
	expect_errno ENOENT write "$MNT/ctl" 'run --name bad -v /a -v named:/b rich:1 nonsense'
	ctl 'rm -v bad'
	expect_equal "$(volumes)" named
}

@test "nested, in the order of depth; --read-only; tmpfs with its options; --mount of each type" {
	mkdir "$SANDBOX/src/sub"
	expect_equal "$(OPTIONS="-v /top/mid/low -v $SANDBOX/src:/top/mid -v /top --read-only --tmpfs /run:size=64k,mode=700 --tmpfs /scratch:exec" \
		sh_in c 'for d in /top /top/mid /top/mid/low /run /scratch; do echo $d >$d/name; done; cat /top/name /top/mid/name /top/mid/low/name; touch /x 2>/dev/null || echo ro; grep -E " /(run|scratch) " /proc/mounts | sort -k 2 | cut -d " " -f 2-4 | sed "s/,inode64//"; stat -c %a /run; dd if=/dev/zero of=/run/big bs=1k count=100 2>/dev/null || echo full')" \
		$'/top\n/top/mid\n/top/mid/low\nro\n/run tmpfs rw,nosuid,nodev,noexec,relatime,size=64k,mode=700\n/scratch tmpfs rw,nosuid,nodev,relatime\n700\nfull'
	expect_equal "$(ls "$SANDBOX/src")" $'low\nname\nsub'
	expect_equal "$(OPTIONS="--mount type=bind,src=$SANDBOX/src,dst=/a,readonly --mount source=named,target=/hello,volume-nocopy --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 --mount type=volume,dst=/deep" \
		sh_in d 'ls /a /hello /deep/a; touch /a/x 2>/dev/null || echo ro; stat -c %a /t; df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2' | xargs)" \
		'/a: low name sub /deep/a: below /hello: ro 1770 1024'
	expect_equal "$(OPTIONS='--tmpfs /dev/shm:size=1m -v shm:/dev/mqueue' sh_in e 'touch /dev/shm/x /dev/mqueue/y; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2')" 1024
	expect_equal "$(ls "$ROOT/volumes/shm")" y
	expect_errno EINVAL write "$MNT/ctl" 'run --tmpfs /t:bogus=1 rich:1 true'
	expect_errno EINVAL write "$MNT/ctl" 'run --mount type=nfs,dst=/a rich:1 true'
	expect_errno EINVAL write "$MNT/ctl" 'run --mount type=bind,src=/,dst=/a rich:1 true'
}

@test "sources below the mount mean the directory behind it; nothing else of it can be bound" {
	OPTIONS='-v data:/v' sh_in c 'mkdir /v/sub; echo in-volume >/v/sub/f; echo in-root >/f; ln -s /etc /v/out'
	expect_equal "$(OPTIONS="-v $MNT/containers/c/rootfs:/r:ro -v $MNT/containers/c/rootfs/f:/f2" sh_in d 'cat /r/f /f2')" $'in-root\nin-root'
	ln -s "$MNT/containers/c" "$SANDBOX/src/link"
	expect_equal "$(OPTIONS="-v $SANDBOX/src/link/rootfs:/r" sh_in e 'cat /r/f')" in-root
	local bad
	for bad in '' /ctl /containers /containers/c /containers/c/ctl /containers/c/root /images /volumes /help \
		/containers/../ctl /volumes/../ctl; do
		expect_errno EINVAL write "$MNT/ctl" "run --rm -v $MNT$bad:/x rich:1 true" || fail "$bad"
	done
	mkdir "$SANDBOX/src/other"
	mount --bind "$MNT/containers" "$SANDBOX/src/other"
	expect_errno EINVAL write "$MNT/ctl" "run --rm -v $SANDBOX/src/other/c/rootfs:/x rich:1 true"
	umount "$SANDBOX/src/other"
	expect_errno ENOENT write "$MNT/ctl" "run --rm -v $MNT/volumes/nope:/x rich:1 true"
	expect_errno ENOENT write "$MNT/ctl" "run --rm -v $MNT/containers/nope/rootfs:/x rich:1 true"
	# What a container has laid in its volume leads nowhere but in it.
	expect_errno ENOENT write "$MNT/ctl" "run --rm -v $MNT/volumes/data/out/passwd:/x rich:1 true"
	expect_equal "$(OPTIONS="-v $MNT/volumes/data/sub:/x" sh_in f 'cat /x/f')" in-volume
	ctl 'rm c'
	expect_errno EBUSY rmdir "$MNT/volumes/data"
	ctl "create --name self -v $MNT/containers/self/rootfs:/x rich:1 true" >/dev/null
	expect_refusal EINVAL "start: '$MNT/containers/self/rootfs' is the container's own root file system" \
		'start self'
}

@test "propagation: none unless asked; a slave sees the host's mounts, a shared one gives its own" {
	local d=$SANDBOX/src/prop
	mkdir "$d"
	mount -t tmpfs prop "$d"
	mount --make-shared "$d"
	mkdir "$d/late" "$d/own"
	for mode in rprivate rslave rshared; do
		ctl "run --name $mode --privileged -v $d:/p:$mode rich:1 sh -c 'mount -t tmpfs own-$mode /p/own; echo up; exec sleep 1000'" >/dev/null
		wait_line "$mode" up
	done
	expect_equal "$(awk -v d="$d/own" '$5 == d { print $NF ~ /x/, $(NF-1) }' /proc/self/mountinfo | cut -d ' ' -f 2)" own-rshared
	umount "$d/own"
	mount -t tmpfs late "$d/late"
	touch "$d/late/seen"
	expect_equal "$(for c in rprivate rslave rshared; do ls "/proc/$(field "$MNT/containers/$c/status" Pid)/root/p/late"; echo .; done | xargs)" '. seen . seen .'
	expect_errno EINVAL write "$MNT/ctl" "run --name no -v $d:/p:rshared -v /p/below rich:1 true"
	mount --make-private "$d"
	expect_errno EINVAL write "$MNT/ctl" "run --name no -v $d:/p:rshared rich:1 true"
	expect_errno EINVAL write "$MNT/ctl" "run --name no -v $d:/p:slave rich:1 true"
	ctl 'rm -f rprivate rslave rshared'
	umount "$d/late" "$d"
}

@test "a volume that is used cannot go; volumes outlive all that dies" {
	expect_equal "$(OPTIONS='-v data:/v' sh_in c 'echo kept >/v/f')" ''
	expect_errno EBUSY rmdir "$MNT/volumes/data"
	kill_engine
	expect_errno EBUSY rmdir "$MNT/volumes/data"
	ctl 'rm -v c'
	expect_equal "$(cat "$MNT/volumes/data/f")" kept
}

@test "killed while a volume is being filled: it is filled, or filled again, never half" {
	local i n
	mkdir "$SANDBOX/work/many"
	for ((i = 0; i < 3000; i++)); do echo "$i" >"$SANDBOX/work/many/$i"; done
	mkdir -p "$SANDBOX/work/big/many" && cp -r "$SANDBOX/rich/bin" "$SANDBOX/work/big/"
	mv "$SANDBOX/work/many" "$SANDBOX/work/big/"
	tar -C "$SANDBOX/work/big" -cf "$SANDBOX/work/big.tar" .
	cp "$SANDBOX/work/big.tar" "$MNT/images/big:1"
	for ((i = 0; i < 6; i++)); do
		ctl "create --name k$i -v k$i:/many big:1 sh -c 'ls /many | wc -l; cat /many/2999'" >/dev/null
		"$TRY" write "$MNT/ctl" "start k$i" >/dev/null &
		eventually compgen -G "$ROOT/volumes/*k$i" >/dev/null
		sleep "0.0$((i * 13 % 10))"
		kill_engine
		wait "$!"
		eventually grep -q . "$MNT/containers/k$i/logs" 2>/dev/null || { ctl "start k$i"; wait_exit "k$i"; }
		wait_exit "k$i" >/dev/null
		expect_equal "$(cat "$MNT/containers/k$i/logs")" $'3000\n2999'
	done
	expect_equal "$(find "$ROOT/volumes" -maxdepth 1 -name '.*' | wc -l)" 0
	rm -rf "$SANDBOX/work/big" "$SANDBOX/work/big.tar"
	for ((i = 0; i < 6; i++)); do ctl "rm k$i"; done
	rm "$MNT/images/big:1"
}
