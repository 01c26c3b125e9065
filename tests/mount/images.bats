# Images: archives copied in, tags as links, what a bad archive leaves (nothing).

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

# A small root file system of its own in $SANDBOX/work/tree, with everything that is hard to keep.
make_tree() {
	local tree=$SANDBOX/work/tree
	rm -rf "$tree"
	mkdir -p "$tree/etc" "$tree/dev" "$tree/a dir"
	echo hello >"$tree/etc/hello"
	ln "$tree/etc/hello" "$tree/etc/hard"
	ln -s /etc/hello "$tree/etc/soft"
	echo odd >"$tree/a dir/"$'new\nline \xff\'"'
	truncate -s 8M "$tree/sparse" && echo end >>"$tree/sparse"
	echo su >"$tree/su" && chmod 4755 "$tree/su"
	mknod "$tree/dev/null" c 1 3
	mkfifo "$tree/fifo"
	chown 1234:5678 "$tree/a dir"
	touch -d 2001-02-03T04:05:06.123456789Z "$tree/etc/hello"
	setcap cap_net_raw+ep "$tree/su"
}

# What of a tree must be kept, as lines.
describe() {
	(cd "$1" && find . -printf '%P %y %m %U %G %s %n %l %T@\n' |
		grep -av '^ ' | sed 's/ d \([0-7]*\) \([0-9]* [0-9]*\) [0-9]* [0-9]* / d \1 \2 /' | sort)
}

list_images() {
	(cd "$MNT/images" && find . | sort)
}

@test "an archive copied in is an image: a link, a directory, an id" {
	local id
	id=$(sha256sum <"$MNT/images/$IMAGE/config" | cut -d' ' -f1)
	expect_equal "$(readlink "$MNT/images/$IMAGE")" "sha256/${id:0:12}"
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "$IMAGE"
	expect_match "$(cat "$MNT/images/$IMAGE/size")" '^[1-9][0-9]*$'
	expect_match "$(tail -n 1 "$MNT/images/$IMAGE/history")" "^${id:0:12} .*Imported from -$"
	expect_equal "$(jq -r .rootfs.type "$MNT/images/$IMAGE/config")" layers
	[ -x "$MNT/images/$IMAGE/rootfs/bin/busybox" ]
}

@test "every compression that there is gives the same files" {
	local suffix command
	make_tree
	tar -C "$SANDBOX/work/tree" --xattrs --xattrs-include='*' -cf "$SANDBOX/work/source" .
	while read -r suffix command; do
		$command <"$SANDBOX/work/source" >"$SANDBOX/work/t.$suffix"
		cp "$SANDBOX/work/t.$suffix" "$MNT/images/packed:$suffix"
		expect_equal "$(describe "$MNT/images/packed:$suffix/rootfs/")" \
			"$(describe "$SANDBOX/work/tree")"
		rm "$MNT/images/packed:$suffix"
	done <<'COMMANDS'
tar cat
gz gzip
bz2 bzip2
xz xz
zst zstd
lz4 lz4
COMMANDS
}

@test "hard links, sparse files, devices, setuid, capabilities and odd names are kept" {
	local rootfs
	make_tree
	tar -C "$SANDBOX/work/tree" --xattrs --xattrs-include='*' --sparse -czf "$SANDBOX/work/t.tgz" .
	cp "$SANDBOX/work/t.tgz" "$MNT/images/hard:1"
	rootfs=$MNT/images/hard:1/rootfs
	expect_equal "$(stat -c %i "$rootfs/etc/hello")" "$(stat -c %i "$rootfs/etc/hard")"
	expect_equal "$(cat "$rootfs/a dir/"$'new\nline \xff\'"')" odd
	expect_equal "$(stat -c '%t %T %F' "$rootfs/dev/null")" '1 3 character special file'
	expect_equal "$(getcap "$rootfs/su" | sed 's/.* //')" cap_net_raw=ep
	cmp "$rootfs/sparse" "$SANDBOX/work/tree/sparse"
	[ "$(stat -c %b "$rootfs/sparse")" -lt 1000 ]
	rm "$MNT/images/hard:1"
}

@test "tee, dd, cat and busybox cp import too, and cp of a sparse archive" {
	make_tree
	tar -C "$SANDBOX/work/tree" -cf "$SANDBOX/work/t.tar" .
	tee "$MNT/images/by:tee" <"$SANDBOX/work/t.tar" >/dev/null
	dd if="$SANDBOX/work/t.tar" of="$MNT/images/by:dd" bs=777 status=none
	cat "$SANDBOX/work/t.tar" >"$MNT/images/by:cat"
	busybox cp "$SANDBOX/work/t.tar" "$MNT/images/by:busybox"
	cp --sparse=always "$SANDBOX/work/t.tar" "$MNT/images/by:sparse"
	for name in tee dd cat busybox sparse; do
		cmp "$MNT/images/by:$name/rootfs/sparse" "$SANDBOX/work/tree/sparse"
		rm "$MNT/images/by:$name"
	done
}

@test "programs that give a copy its mode, owner and times believe that they did" {
	local name
	make_tree
	tar -C "$SANDBOX/work/tree" -cf "$SANDBOX/work/t.tar" .
	install -m 600 -o 1 "$SANDBOX/work/t.tar" "$MNT/images/by:install"
	python3 -c 'import shutil, sys; shutil.copy2(*sys.argv[1:])' "$SANDBOX/work/t.tar" "$MNT/images/by:copy2"
	cp -p "$SANDBOX/work/t.tar" "$MNT/images/by:cp"
	for name in install copy2 cp; do
		expect_equal "$(stat -Lc %a:%u "$MNT/images/by:$name")" 700:0
		rm "$MNT/images/by:$name"
	done
}

@test "an archive that is cut off fails, and leaves nothing" {
	local before len
	before=$(list_images)
	len=$(stat -c %s "$SANDBOX/demo.tar.gz")
	for part in 1 100 $((len / 2)) $((len - 1)); do
		head -c "$part" "$SANDBOX/demo.tar.gz" >"$SANDBOX/work/cut"
		run cp "$SANDBOX/work/cut" "$MNT/images/cut:1"
		[ "$status" -ne 0 ] || fail "$part of $len bytes were taken"
		expect_match "$(cat "$MNT/error")" '^error: '
		expect_equal "$(list_images)" "$before"
	done
}

@test "a corrupt archive, an empty file and what is no archive fail, and leave nothing" {
	local before name
	before=$(list_images)
	: >"$SANDBOX/work/empty"
	head -c 100000 /dev/urandom >"$SANDBOX/work/noise"
	echo 'just a text' >"$SANDBOX/work/text"
	cp "$SANDBOX/demo.tar.gz" "$SANDBOX/work/flipped"
	printf 'XXXXXXXX' | dd of="$SANDBOX/work/flipped" bs=1 seek=200000 conv=notrunc status=none
	for name in noise text flipped empty; do
		run cp "$SANDBOX/work/$name" "$MNT/images/bad:$name"
		[ "$status" -ne 0 ] || fail "$name was taken"
		expect_match "$output" 'Invalid argument'
		expect_match "$(cat "$MNT/error")" '^error: '
		expect_equal "$(list_images)" "$before"
	done
}

@test "an import whose writer is killed leaves nothing" {
	local before pid
	before=$(list_images)
	mkfifo "$SANDBOX/work/fifo"
	cat "$SANDBOX/work/fifo" >"$MNT/images/killed:1" 3>&- &
	pid=$!
	exec 6>"$SANDBOX/work/fifo"
	head -c 300000 "$SANDBOX/demo.tar.gz" >&6
	wait_blocked is_reading "$pid"
	kill -KILL "$pid"
	exec 6>&-
	rm "$SANDBOX/work/fifo"
	eventually [ ! -e "$MNT/images/killed:1" ]
	[ ! -L "$MNT/images/killed:1" ]
	expect_equal "$(list_images)" "$before"
}

@test "an import onto a taken name is refused, and changes nothing" {
	local before
	before=$(list_images)
	run cp "$SANDBOX/demo.tar.gz" "$MNT/images/$IMAGE"
	[ "$status" -ne 0 ]
	expect_equal "$(list_images)" "$before"
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "$IMAGE"
}

@test "ln -sT is a tag, EEXIST when it is taken; by id, by name and by path" {
	local id
	id=$(readlink "$MNT/images/$IMAGE")
	ln -sT "$id" "$MNT/images/by-id:1"
	ln -sT "$IMAGE" "$MNT/images/by-name:1"
	ln -sT "$MNT/images/$IMAGE" "$MNT/images/by-path:1"
	ln -sT "$id" "$MNT/images/no-tag"
	for name in by-id:1 by-name:1 by-path:1 no-tag:latest; do
		expect_equal "$(readlink "$MNT/images/$name")" "$id"
	done
	expect_errno EEXIST symlink "$id" "$MNT/images/by-id:1"
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "by-id:1
by-name:1
by-path:1
$IMAGE
no-tag:latest"
	expect_errno ENOENT symlink sha256/000000000000 "$MNT/images/nope:1"
	rm "$MNT"/images/by-*:1 "$MNT/images/no-tag"
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "$IMAGE"
}

# A second image, from one file.
import_other() {
	mkdir -p "$SANDBOX/work/other" && date +%N >"$SANDBOX/work/other/file"
	tar -C "$SANDBOX/work/other" -c . >"$SANDBOX/work/other.tar"
	cp "$SANDBOX/work/other.tar" "$MNT/images/$1"
}

@test "ln -sfn and mv -T move a tag that is taken; the image that loses it stays" {
	local old new
	import_other old:1
	import_other new:1
	old=$(readlink "$MNT/images/old:1") new=$(readlink "$MNT/images/new:1")
	ln -sfn "$MNT/images/new:1" "$MNT/images/old:1"
	expect_equal "$(readlink "$MNT/images/old:1")" "$new"
	[ -d "$MNT/images/$old" ]
	expect_equal "$(cat "$MNT/images/$old/tags")" ''
	rmdir "$MNT/images/$old"
	[ ! -e "$MNT/images/$old" ]
	mv -T "$MNT/images/old:1" "$MNT/images/moved:1"
	[ ! -L "$MNT/images/old:1" ]
	mv -T "$MNT/images/moved:1" "$MNT/images/new:1"
	expect_equal "$(cat "$MNT/images/$new/tags")" new:1
	rm "$MNT/images/new:1"
	[ ! -e "$MNT/images/$new" ]
}

@test "rm of the last tag removes the image, unless a container uses it" {
	local id
	import_other last:1
	id=$(readlink "$MNT/images/last:1")
	ctl 'create --name user last:1 /file' >/dev/null
	expect_errno EBUSY unlink "$MNT/images/last:1"
	expect_match "$(cat "$MNT/error")" user
	[ -L "$MNT/images/last:1" ]
	expect_errno EBUSY rmdir "$MNT/images/$id"
	ctl 'rm user' >/dev/null
	rm "$MNT/images/last:1"
	[ ! -e "$MNT/images/$id" ]
}

@test "rmdir by id takes its one tag along; with several it is EBUSY" {
	local id
	import_other one:1
	id=$(readlink "$MNT/images/one:1")
	ctl 'tag one:1 two:1' >/dev/null
	expect_errno EBUSY rmdir "$MNT/images/$id"
	rm "$MNT/images/two:1"
	rmdir "$MNT/images/$id"
	[ ! -L "$MNT/images/one:1" ] && [ ! -e "$MNT/images/$id" ]
}

@test "a name without a tag is :latest, listed so, and resolves as written too" {
	import_other plain
	expect_equal "$(ls "$MNT/images" | grep plain)" plain:latest
	expect_equal "$(cat "$MNT/images/plain/tags")" plain:latest
	ctl 'tag plain:latest other' 'rmi plain' >/dev/null
	expect_equal "$(ls "$MNT/images" | grep 'plain\|other')" other:latest
	rm "$MNT/images/other"
}

@test "a slash in a name is a directory, which goes with its last tag" {
	mkdir "$MNT/images/team"
	import_other team/app:1
	expect_match "$(readlink "$MNT/images/team/app:1")" '^\.\./sha256/[0-9a-f]{12}$'
	[ -d "$MNT/images/team/app:1/" ]
	ctl 'tag team/app:1 localhost:5000/a/b:2' >/dev/null
	expect_equal "$(readlink "$MNT/images/localhost:5000/a/b:2" | cut -c1-13)" ../../sha256/
	expect_equal "$(cat "$MNT/images/team/app:1/tags")" $'localhost:5000/a/b:2\nteam/app:1'
	rm "$MNT/images/localhost:5000/a/b:2"
	[ ! -e "$MNT/images/localhost:5000" ]
	rm "$MNT/images/team/app:1"
	[ ! -e "$MNT/images/team" ]
}

@test "names that the grammar does not allow are EINVAL" {
	local name
	for name in UPPER:1 'a:b c' -a:1 a..b:1 a:; do
		expect_errno EINVAL symlink "$IMAGE" "$MNT/images/$name"
		expect_errno EINVAL write "$MNT/ctl" "tag $IMAGE '$name'"
	done
	expect_errno EINVAL write "$MNT/ctl" "tag $IMAGE sha256/x:1"
	expect_errno EINVAL mkdir "$MNT/images/a b"
	expect_errno ENAMETOOLONG write "$MNT/ctl" "tag $IMAGE $(printf '%0300d' 0):1"
	[ "$(ls "$MNT/images" | sort | tr '\n' ' ')" = "$IMAGE sha256 " ]
}

@test "the command import replies with the id and moves a tag that is taken" {
	local first second
	first=$(ctl "import $SANDBOX/demo.tar.gz moved:1")
	expect_match "$first" '^[0-9a-f]{64}$'
	expect_equal "$(sha256sum <"$MNT/images/moved:1/config" | cut -d' ' -f1)" "$first"
	make_tree
	tar -C "$SANDBOX/work/tree" -cf "$SANDBOX/work/t.tar" .
	second=$(ctl "import -m 'by hand' $SANDBOX/work/t.tar moved:1")
	expect_equal "$(sha256sum <"$MNT/images/moved:1/config" | cut -d' ' -f1)" "$second"
	expect_match "$(tail -n 1 "$MNT/images/moved:1/history")" 'by hand$'
	ctl "rmi moved:1" >/dev/null
	if [ -e "$MNT/images/sha256/$first" ]; then
		rmdir "$MNT/images/sha256/${first:0:12}"
	fi
	expect_errno ENOENT write "$MNT/ctl" "import /nonexistent.tar x:1"
}

@test "an image's root file system is read-only" {
	run touch "$MNT/images/$IMAGE/rootfs/new"
	[ "$status" -ne 0 ]
	expect_match "$output" 'Read-only file system'
}

@test "images lists tags, newest first" {
	import_other newer:1
	expect_equal "$(ctl images | head -n 1 | tr -s ' ')" 'REPOSITORY TAG IMAGE ID CREATED SIZE'
	expect_equal "$(ctl images | awk 'NR > 1 { print $1 ":" $2 }')" "newer:1
$IMAGE"
	expect_equal "$(ctl 'images -q newer')" "$(readlink "$MNT/images/newer:1" | cut -d/ -f2)"
	rm "$MNT/images/newer:1"
}

@test "two imports at once do not mix" {
	local first second
	make_tree
	tar -C "$SANDBOX/work/tree" -cf "$SANDBOX/work/t.tar" .
	cp "$SANDBOX/work/t.tar" "$MNT/images/par:1" &
	first=$!
	cp "$SANDBOX/demo.tar.gz" "$MNT/images/par:2" &
	second=$!
	wait "$first" && wait "$second"
	[ -e "$MNT/images/par:1/rootfs/su" ] && [ -e "$MNT/images/par:2/rootfs/bin/busybox" ]
	rm "$MNT/images/par:1" "$MNT/images/par:2"
}

# What the kernel has kept under a tag's name is not what was moved there.
@test "a tag that was moved onto another is at once what it was, under its new name" {
	local round
	ctl "tag $IMAGE team/b:1" >/dev/null
	for round in $(seq 20); do
		ctl "tag $IMAGE a:$round" >/dev/null
		readlink "$MNT/images/a:$round" "$MNT/images/team/b:1" >/dev/null
		mv -T "$MNT/images/a:$round" "$MNT/images/team/b:1"
		expect_equal "$(readlink "$MNT/images/team/b:1")" "../$(readlink "$MNT/images/$IMAGE")"
	done
	ctl 'rmi team/b:1' >/dev/null
}
