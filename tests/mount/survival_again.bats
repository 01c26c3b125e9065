# What the next one finds: all of containerfs is killed or ended and mounted again,
# shims are killed, half-made and damaged things lie about.

load lib
load survival

setup_file() {
	sandbox_start
	build_helpers
	import_demo
}

setup() {
	look_before
}

teardown() {
	hold_end
	# A test that failed half way must not take the others along.
	bounded stat "$MNT/info" >/dev/null 2>&1 || mount_start
	look_after
}

teardown_file() {
	sandbox_end
}

# --- an ended shim ------------------------------------------------------------------------------

@test "a shim killed with -9 takes its container along" {
	local pid id
	run_container web sh -c 'sleep 1000 & setsid sleep 1000 & echo up; wait'
	wait_line web up
	id=$(get_id web)
	hold_start wait follow
	hold wait "open r $MNT/containers/web/wait"
	hold follow "open r $MNT/containers/web/follow"
	hold_send wait 'read 10'
	pid=$(head -n 1 "$RUN/${id:0:12}/shim.pid" | cut -d' ' -f1)
	kill -KILL "$pid"
	expect_answer wait 'OK 137\n'
	expect_equal "$(field "$MNT/containers/web/status" State)" exited
	expect_equal "$(field "$MNT/containers/web/status" Error)" \
		'the shim was killed, and the container was ended with it'
	hold follow "save $SANDBOX/work/follow" 'OK 3'
	rm "$SANDBOX/work/follow"
	list_own_groups | while read -r group; do
		expect_equal "$(find "$group" -name cgroup.procs -path "*$id*" -exec cat {} +)" ''
	done
	# The same with no engine to see it.
	ctl 'start web'
	pid=$(head -n 1 "$RUN/${id:0:12}/shim.pid" | cut -d' ' -f1)
	kill -STOP "$(get_holder)"
	kill_engine_unseen
	kill -KILL "$pid"
	eventually gone_or_zombie "$pid"
	kill -CONT "$(get_holder)"
	expect_equal "$(wait_exit web)" 137
	expect_match "$(field "$MNT/containers/web/status" Error)" 'shim was killed'
	rmdir "$MNT/containers/web"
}

# --- holder and engine killed, or ended -----------------------------------------------------------

# What must be the same after all of containerfs went and came again.
describe() {
	local name
	for name in "$@"; do
		grep -v '^Pid:' "$MNT/containers/$name/status"
		cat "$MNT/containers/$name/config" "$MNT/containers/$name/logs" \
			"$MNT/containers/$name/logs.json"
	done
}

# Containers of all kinds, and what they are.
make_all_kinds() {
	mkdir "$MNT/containers/made"
	run_container ended sh -c 'echo bye; exit 9'
	expect_equal "$(wait_exit ended)" 9
	ctl "run --name missing $IMAGE /no/such" 2>/dev/null || :
	OPTIONS=-i run_container runs cat
	echo first >"$MNT/containers/runs/stdin"
	wait_line runs first
	OPTIONS='-i -e A=b' run_container leaves sh -c 'read x; printf unfinished; exit 11'
	OPTIONS='-i --rm' run_container goes sh -c 'read x'
	run_container talks sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'
	wait_line talks 1
	KINDS='made ended missing runs'
	describe $KINDS >"$SANDBOX/work/described"
	PID_RUNS=$(field "$MNT/containers/runs/status" Pid)
	PID_LEAVES=$(field "$MNT/containers/leaves/status" Pid)
	PID_GOES=$(field "$MNT/containers/goes/status" Pid)
}

# While containerfs is away.
let_two_end() {
	local pid
	for pid in "$PID_LEAVES" "$PID_GOES"; do
		echo go >"/proc/$pid/fd/0"
		eventually gone_or_zombie "$pid"
	done
}

check_all_kinds() {
	expect_equal "$(ls "$MNT/containers" | tr '\n' ' ')" 'ended leaves made missing runs talks '
	describe $KINDS | diff "$SANDBOX/work/described" -
	expect_equal "$(field "$MNT/containers/runs/status" Pid)" "$PID_RUNS"
	expect_equal "$(wait_exit leaves)" 11
	expect_equal "$(field "$MNT/containers/leaves/status" State)" exited
	expect_equal "$(field "$MNT/containers/leaves/status" Error)" ''
	expect_equal "$(cat "$MNT/containers/leaves/logs")" unfinished
	expect_equal "$(field "$MNT/containers/missing/status" ExitCode)" 127
	echo second >"$MNT/containers/runs/stdin"
	wait_line runs second
	expect_equal "$(cat "$MNT/containers/runs/logs")" $'first\nsecond'
	ctl 'kill talks'
	seq 1 "$(tail -n 1 "$MNT/containers/talks/logs")" | cmp - "$MNT/containers/talks/logs"
	ctl 'start ended' 'restart -t 0 runs'
	expect_equal "$(wait_exit ended)" 9
	expect_equal "$(cat "$MNT/containers/ended/logs")" $'bye\nbye'
	rm "$SANDBOX/work/described"
}

@test "holder and engine killed: the dead mount is replaced, and all is found" {
	make_all_kinds
	kill_both
	let_two_end
	expect_errno ENOTCONN open r "$MNT"
	mount_start
	expect_equal "$(awk -v mnt="$MNT" '$5 == mnt' /proc/self/mountinfo | wc -l)" 1
	check_all_kinds
}

@test "SIGTERM: the containers run on and are found" {
	make_all_kinds
	kill -TERM "$(get_holder)"
	wait_ended
	is_mounted && fail 'it is still mounted'
	let_two_end
	mount_start
	check_all_kinds
}

@test "umount: the containers run on and are found" {
	make_all_kinds
	end_mount
	let_two_end
	mount_start
	check_all_kinds
}

@test "fusermount3 -u: the containers run on and are found" {
	make_all_kinds
	fusermount3 -u "$MNT"
	wait_ended
	let_two_end
	mount_start
	check_all_kinds
}

@test "who waits when it is ended cleanly is told, and nothing stays" {
	run_cat web
	hold_start wait stop
	hold wait "open r $MNT/containers/web/wait"
	hold_send wait 'read 10'
	hold stop "open w $MNT/ctl"
	hold_send stop 'write wait web'
	hold_blocked wait is_reading
	hold_blocked stop is_writing
	kill -TERM "$(get_holder)"
	wait_ended
	expect_match "$(hold_answer wait)" '^E[A-Z]+$'
	expect_match "$(hold_answer stop)" '^E[A-Z]+$'
	hold_end
	mount_start
	expect_equal "$(field "$MNT/containers/web/status" State)" running
}

@test "a second one on the same root or run is refused, and waits for one that ends" {
	local holder
	mkdir "$SANDBOX/work/other"
	holder=$(get_holder)
	run -1 containerfs --root "$ROOT" --run "$SANDBOX/work/run" "$SANDBOX/work/other"
	expect_equal "$output" \
		"containerfs: another containerfs (pid $holder) uses root '$ROOT'"
	run -1 containerfs --root "$SANDBOX/work/root" --run "$RUN" "$SANDBOX/work/other"
	expect_equal "$output" \
		"containerfs: another containerfs (pid $holder) uses run directory '$RUN'"
	run -1 containerfs --root "$SANDBOX/work/root" --run "$SANDBOX/work/run" "$MNT"
	expect_equal "$output" "containerfs: a containerfs is mounted on '$MNT' already"
	# Asleep, the old one cannot end before the new one waits for it.
	kill -STOP "$holder"
	kill -TERM "$holder"
	mount_start 3>&- &
	eventually is_waiting_for_lock
	kill -CONT "$holder"
	wait "$!"
	echo 0 >"$SANDBOX/kills"
	[ "$(get_holder)" != "$holder" ]
	ls "$MNT" >/dev/null
	rm -rf "$SANDBOX/work"/*
}

# A third process, besides holder and engine, has the lock's file open.
is_waiting_for_lock() {
	local pid count=0
	for pid in $(pgrep -x containerfs); do
		if find "/proc/$pid/fd" -lname "$ROOT/lock" 2>/dev/null | grep -q .; then
			count=$((count + 1))
		fi
	done
	[ "$count" -ge 3 ]
}

# --- sweeping ------------------------------------------------------------------------------------

ID=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

@test "half-made things are swept at start" {
	local group groups=()
	run_cat web
	take_snapshot | grep -v "/state\.json " | sort >"$SANDBOX/work/before"
	end_mount
	mkdir -p "$ROOT/containers/.new-$ID" "$ROOT/containers/.trash-$ID/upper/a" \
		"$ROOT/images/tmp/half/rootfs" "$RUN/${ID:0:12}" "$RUN/rootfs/$ID"
	echo x >"$ROOT/containers/.new-$ID/config.json"
	echo x >"$ROOT/containers/.trash-$ID/upper/a/b"
	echo x >"$ROOT/images/tmp/half/rootfs/x"
	echo '1 1 1' >"$RUN/${ID:0:12}/shim.pid"
	mount -t tmpfs containerfs-test "$RUN/rootfs/$ID"
	while read -r group; do
		mkdir -p "$group/$ID"
		groups+=("$group/$ID")
	done < <(list_own_groups)
	[ "${#groups[@]}" -gt 0 ]
	# Somebody runs in there still.
	sleep 1000 3>&- &
	echo "$!" >"${groups[0]}/cgroup.procs"
	mount_start
	wait "$!" || :
	for group in "${groups[@]}"; do
		eventually test ! -e "$group"
	done
	eventually is_as_described || diff "$SANDBOX/work/before" "$SANDBOX/work/after"
	expect_equal "$(ls "$MNT/containers")" web
	rm "$SANDBOX/work/before" "$SANDBOX/work/after"
}

is_as_described() {
	take_snapshot | grep -v "/state\.json " | sort >"$SANDBOX/work/after"
	cmp -s "$SANDBOX/work/before" "$SANDBOX/work/after"
}

@test "what is not ours in containers/ is left alone" {
	mkdir "$ROOT/containers/mine"
	kill_engine
	expect_equal "$(ls "$MNT/containers")" ''
	[ -d "$ROOT/containers/mine" ]
	grep -q 'mine is none of ours' "$RUN/log"
	rmdir "$ROOT/containers/mine"
}

# --- damage ----------------------------------------------------------------------------------------

# damage FILE TEXT PATTERN [NAME]: a container with this file is listed, exited, with an Error that fits.
damage() {
	local id file=$1 text=$2 name=${4:-web}
	ctl "create --name web $IMAGE true" >/dev/null
	id=$(get_id web)
	[ "$name" = web ] || name=${id:0:12}
	case $text in
	none) rm -f "$ROOT/containers/$id/$file" ;;
	dir) rm -f "$ROOT/containers/$id/$file" && mkdir "$ROOT/containers/$id/$file" ;;
	*) printf '%s' "$text" >"$ROOT/containers/$id/$file" ;;
	esac
	rm -f "$RUN/${id:0:12}/$file"
	kill_engine
	expect_equal "$(ls "$MNT/containers")" "$name"
	expect_equal "$(field "$MNT/containers/$name/status" State)" exited
	expect_match "$(field "$MNT/containers/$name/status" Error)" "$3"
	expect_match "$("$TRY" write "$MNT/ctl" "start $name")" '^E[A-Z]+$'
	rmdir "$MNT/containers/$name"
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "a container with damaged files is listed with an Error that names the file, and can be removed" {
	damage config.json '{"Hostname": "x"' 'config\.json'
	damage config.json '' 'config\.json'
	damage config.json '[]' 'config\.json'
	damage config.json '{"NoSuchKey": 1}' 'config\.json'
	damage config.json none 'config\.json'
	damage config.json dir 'config\.json'
	damage meta.json '{"id": ' 'meta\.json' short
	damage meta.json '' 'meta\.json' short
	damage meta.json none 'meta\.json' short
	damage meta.json '{"id": "0123", "name": "other"}' 'meta\.json' short
	damage state.json '{"state": ' 'state\.json'
	damage state.json dir 'state\.json'
}

@test "a running container whose files are damaged is shown, and rm -f ends it" {
	local id pid
	run_cat web
	id=$(get_id web)
	pid=$(field "$MNT/containers/web/status" Pid)
	echo '{' >"$ROOT/containers/$id/config.json"
	kill_engine
	expect_equal "$(field "$MNT/containers/web/status" State)" exited
	expect_match "$(field "$MNT/containers/web/status" Error)" 'config\.json'
	# It runs on, and when the file is well again it is found.
	kill -0 "$pid"
	echo '{"Image": "demo:1", "Cmd": ["cat"], "OpenStdin": true}' >"$ROOT/containers/$id/config.json"
	kill_engine
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	expect_equal "$(field "$MNT/containers/web/status" Pid)" "$pid"
	echo '{' >"$ROOT/containers/$id/config.json"
	kill_engine
	ctl 'rm web'
	eventually gone "$pid"
}

@test "two containers of one name are both listed" {
	local id
	ctl "create --name web $IMAGE true" >/dev/null
	id=$(get_id web)
	cp -r "$ROOT/containers/$id" "$ROOT/containers/$ID"
	sed -i "s/$id/$ID/" "$ROOT/containers/$ID/meta.json"
	kill_engine
	expect_equal "$(ls "$MNT/containers" | wc -l)" 2
	expect_match "$(cat "$MNT/containers/${ID:0:12}/status" "$MNT/containers/${id:0:12}/status")" \
		"Error:	meta.json: the name 'web' is taken"
}

@test "with a damaged list of images it does not start, and says so; containers run on" {
	run_cat web
	cp "$ROOT/images/refs.json" "$SANDBOX/work/refs.json"
	end_mount
	echo '{' >"$ROOT/images/refs.json"
	run -1 containerfs --root "$ROOT" --run "$RUN" "$MNT"
	expect_match "$output" '^containerfs: .*images/refs\.json is damaged .*line 2'
	cp "$SANDBOX/work/refs.json" "$ROOT/images/refs.json"
	mount_start
	expect_match "$(ls "$MNT/images")" "$IMAGE"
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	rm "$SANDBOX/work/refs.json"
}

# --- other ways to mount ---------------------------------------------------------------------------------

@test "-o gid lets a group in" {
	end_mount
	chmod 711 "$SANDBOX"
	mount_start -o gid=tty
	expect_equal "$(stat -c '%a %G' "$MNT")" '770 tty'
	ctl "create --name web $IMAGE true" >/dev/null
	as_group tty cat "$MNT/containers/web/status" >/dev/null
	as_group tty sh -c "echo 'run --name mine -i $IMAGE cat' >'$MNT/ctl'"
	as_group tty sh -c "echo hello >'$MNT/containers/mine/stdin'"
	as_group tty grep -qm1 hello "$MNT/containers/mine/follow"
	as_group tty ls "$MNT/containers/mine/rootfs/bin/busybox" >/dev/null
	as_group tty mkdir "$MNT/containers/theirs"
	as_group tty rmdir "$MNT/containers/theirs"
	run ! as_group nogroup ls "$MNT"
	kill_engine
	as_group tty cat "$MNT/containers/web/status" >/dev/null
	run ! as_group nogroup cat "$MNT/info"
	ctl 'rm -f mine'
	end_mount
	mount_start
	chmod 700 "$SANDBOX"
	expect_equal "$(stat -c '%a %G' "$MNT")" '700 root'
	run ! as_group tty ls "$MNT"
}

as_group() {
	timeout "$DEADLINE" setpriv --reuid nobody --regid "$1" --clear-groups "${@:2}"
}

@test "mount -t fuse.containerfs, with the program linked for mount(8)" {
	local helper=/sbin/mount.fuse.containerfs lock
	end_mount
	# holder.bats makes the same link.
	exec {lock}</sbin
	flock "$lock"
	[ ! -e "$helper" ] || helper=
	[ -z "$helper" ] || ln -s "$BUILD_DIR/containerfs" "$helper"
	status=0
	mount -t fuse.containerfs -o "root=$ROOT,run=$RUN,gid=tty" some-name "$MNT" 3>&- || status=$?
	[ -z "$helper" ] || rm "$helper"
	exec {lock}<&-
	[ "$status" = 0 ]
	field "$MNT/info" Holder >"$SANDBOX/holder"
	expect_equal "$(findmnt -no SOURCE,FSTYPE "$MNT" | tr -s ' ')" 'some-name fuse.containerfs'
	expect_equal "$(stat -c %G "$MNT")" tty
	run_container web true
	expect_equal "$(wait_exit web)" 0
	kill_engine
	expect_equal "$(wait_exit web)" 0
	end_mount
	mount_start
	expect_equal "$(field "$MNT/containers/web/status" State)" exited
}
