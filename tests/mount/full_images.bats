# Images on a full disk: whatever runs out of room, of bytes or of inodes, at whatever point, is
# ENOSPC with a sentence and leaves the store as it was, to the byte; and it works when there is room.
# shellcheck disable=SC2030,SC2031,SC2154

load lib
load full
load registry

setup_file() {
	local i
	sandbox_make
	full_mount "$ROOT" 48m
	mount_start
	import_demo
	registry_start plain
	export NAME=big:1 REMOTE
	REMOTE=$(registry_name plain)/big:1
	cd "$SANDBOX/work" || return
	mkdir -p tree/many
	head -c 3000000 /dev/urandom >tree/random
	for i in $(seq 300); do
		head -c 3000 "$BUILD_DIR/containerfs" >"tree/many/$i"
	done
	tar -C tree -czf big.tar.gz .
	cp big.tar.gz "$MNT/images/$NAME"
	cp "$MNT/images/$NAME/image.tar" saved.tar
	ctl "tag $NAME $REMOTE" "push $REMOTE" "rmi $NAME" "rmi $REMOTE" >/dev/null
	eventually is_swept
}

setup() {
	look_before
}

teardown() {
	make_room
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

is_swept() {
	[ -z "$(ls "$ROOT/images/tmp")" ]
}

# What is used of the disk, and each file of the store.
measure_store() {
	df --output=used,iused -B 1 "$ROOT" | tail -n 1
	find "$ROOT/images" -printf '%p %y %s\n' | sort
}

is_store_as_before() {
	measure_store | cmp -s - "$SANDBOX/work/store"
}

# Do, and say "OK" or the errno.
import_file() {
	"$TRY" write "$MNT/ctl" "import $SANDBOX/work/big.tar.gz $NAME"
}
copy_file() {
	if cp "$SANDBOX/work/big.tar.gz" "$MNT/images/$NAME" 2>"$SANDBOX/work/said"; then
		echo OK
	elif grep -q 'No space left on device$' "$SANDBOX/work/said"; then
		echo ENOSPC
	else
		cat "$SANDBOX/work/said"
	fi
}
load_file() {
	"$TRY" write "$MNT/ctl" "load $SANDBOX/work/saved.tar"
}
pull_name() {
	"$TRY" write "$MNT/ctl" "pull $REMOTE"
}
commit_web() {
	"$TRY" write "$MNT/ctl" "commit web $NAME"
}

# try_once FUNCTION: with the room that there is. Counts in CAME and FAILED.
try_once() {
	local got
	got=$(bounded_function "$1")
	case $got in
	OK)
		CAME=$((CAME + 1))
		expect_match "$(ls "$MNT/images/$NAME/rootfs/")" random
		ctl "rmi $NAME" >/dev/null
		;;
	ENOSPC)
		FAILED=$((FAILED + 1))
		expect_no_space
		[ ! -e "$MNT/images/$NAME" ]
		;;
	*) fail "$1: $got" ;;
	esac
}

# A function in a subshell that ends by itself: each writes through a program that may hang.
bounded_function() {
	export -f "${1?}"
	bounded bash -c "$1"
}

# The same with more and more room, and then with more and more inodes.
try_rooms() {
	local room inodes
	CAME=0 FAILED=0
	eventually is_swept
	measure_store >"$SANDBOX/work/store"
	for room in 0 4 40 400 1000 2000 2900 3200 3600 4200 5000 5600 6400 9000 16000; do
		leave_room "$ROOT" "$room"
		try_once "$1"
		make_room
		eventually is_store_as_before
	done
	[ "$FAILED" -ge 5 ]
	[ "$CAME" -ge 1 ]
	CAME=0 FAILED=0
	for inodes in 0 1 2 3 5 8 30 305 310 315 320 400; do
		mount -o "remount,nr_inodes=$(($(df --output=iused "$ROOT" | tail -n 1) + inodes))" "$ROOT"
		try_once "$1"
		mount -o remount,nr_inodes=100k "$ROOT"
		eventually is_store_as_before
	done
	[ "$FAILED" -ge 5 ]
	[ "$CAME" -ge 1 ]
	# With room again, all of it.
	expect_equal "$("$1")" OK
	ctl "rmi $NAME" >/dev/null
	eventually is_store_as_before
}

@test "import by cp" {
	try_rooms copy_file
}

@test "import by a command" {
	try_rooms import_file
}

@test "load" {
	try_rooms load_file
}

@test "pull" {
	NAME=$REMOTE
	try_rooms pull_name
}

@test "commit; and what a container writes" {
	ctl "create --name web $IMAGE true" >/dev/null
	cp -r "$SANDBOX/work/tree/." "$MNT/containers/web/rootfs/"
	try_rooms commit_web
	ctl 'rm web'
	# The program sees the full disk, and nobody else is harmed.
	run_container web sh -c 'dd if=/dev/zero of=/big bs=64k 2>&1 | grep -o "No space.*"; rm /big; echo again >/small'
	expect_equal "$(wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/stdout")" 'No space left on device'
	expect_equal "$(cat "$MNT/containers/web/rootfs/small")" again
	ctl 'rm web'
}

@test "save needs no room in the store" {
	cp "$SANDBOX/work/big.tar.gz" "$MNT/images/$NAME"
	fill "$ROOT"
	cmp <(tar -xOf "$MNT/images/$NAME/image.tar" manifest.json | jq -r '.[0].RepoTags[0]') <(echo "$NAME")
	expect_equal "$(cfs save "$NAME" | sha256sum)" "$(sha256sum <"$MNT/images/$NAME/image.tar")"
	run -125 cfs save -o "$ROOT/saved" "$NAME"
	expect_match "$output" 'No space left on device'
	expect_equal "$(find "$ROOT" -name 'saved*')" ''
	make_room
	ctl "rmi $NAME" >/dev/null
}

@test "rmi works on a full disk, and frees it" {
	eventually is_swept
	measure_store >"$SANDBOX/work/store"
	cp "$SANDBOX/work/big.tar.gz" "$MNT/images/one:1"
	ctl 'tag one:1 two:1' >/dev/null
	fill "$ROOT"
	expect_errno OK write "$MNT/ctl" 'rmi one:1'
	expect_errno OK unlink "$MNT/images/two:1"
	eventually is_swept
	make_room
	# The next change has its reserve again.
	expect_equal "$(copy_file)" OK
	ctl "rmi $NAME" >/dev/null
	eventually is_store_as_before
}
