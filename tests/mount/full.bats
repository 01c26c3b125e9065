# A full disk. What needs room fails with ENOSPC and a sentence and leaves nothing
# half-made; a container whose log has no room waits and loses nothing; what needs
# no room (kill, stop, rm) goes on working.
# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2030,SC2031,SC2045,SC2154

load lib
load full

setup_file() {
	sandbox_make
	full_mount "$ROOT" 48m
	full_mount "$RUN" 16m
	mount_start
	import_demo
}

setup() {
	# The first look at a rootfs makes the place for all of them.
	ctl "create --name first $IMAGE true" >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
	ctl 'rm first'
	look_before
}

teardown() {
	make_room
	look_after
}

teardown_file() {
	sandbox_end
}

@test "an import" {
	# One that is not in the store yet.
	head -c 4000000 /dev/urandom >"$SANDBOX/work/random"
	tar -C "$SANDBOX/work" -cf "$SANDBOX/work/random.tar" random
	fill "$ROOT"
	run -1 bounded cp "$SANDBOX/work/random.tar" "$MNT/images/big:1"
	expect_match "$output" 'No space left on device'
	expect_no_space
	[ ! -e "$MNT/images/big:1" ]
	make_room
	eventually is_as_before
	cp "$SANDBOX/work/random.tar" "$MNT/images/big:1"
	rm "$MNT/images/big:1"
}

@test "an import that runs out in the middle" {
	local size
	tar -C "$SANDBOX/work" -cf "$SANDBOX/work/random.tar" random
	for size in 1 2 3 5 7; do
		leave_room "$ROOT" $((size << 10))
		if ! bounded cp "$SANDBOX/work/random.tar" "$MNT/images/big:1" 2>/dev/null; then
			expect_no_space
			[ ! -e "$MNT/images/big:1" ]
		else
			rm "$MNT/images/big:1"
		fi
		make_room
		eventually is_as_before
	done
}

@test "create, run, mkdir, config, tag, rename" {
	local before
	ctl "create --name web $IMAGE true" >/dev/null
	before=$(cat "$MNT/containers/web/config")
	take_snapshot | sort >"$SANDBOX/work/then"
	fill "$ROOT"
	expect_errno ENOSPC mkdir "$MNT/containers/new"
	expect_no_space
	expect_errno ENOSPC write "$MNT/ctl" "create --name new $IMAGE true"
	expect_no_space
	expect_errno ENOSPC write "$MNT/ctl" "run --name new $IMAGE true"
	expect_no_space
	expect_errno ENOSPC write "$MNT/containers/web/config" '{"Memory": 67108864}'
	expect_no_space
	expect_errno ENOSPC write "$MNT/ctl" "tag $IMAGE other:1"
	expect_no_space
	expect_errno ENOSPC symlink "$IMAGE" "$MNT/images/other:1"
	expect_errno ENOSPC rename "$MNT/containers/web" "$MNT/containers/bew"
	expect_equal "$(ls "$MNT/containers")" web
	expect_equal "$(ls "$MNT/images")" $'demo:1\nsha256'
	expect_equal "$(cat "$MNT/containers/web/config")" "$before"
	make_room
	eventually same_as_then
	ctl 'rm web'
}

same_as_then() {
	take_snapshot | sort | cmp -s - "$SANDBOX/work/then"
}

@test "rm and umount need no room" {
	ctl "create --name web $IMAGE true" >/dev/null
	run_container runs sleep 1000
	fill "$ROOT"
	ctl 'kill runs'
	expect_equal "$(wait_exit runs)" 137
	ctl 'rm runs' 'rm web'
	expect_equal "$(ls "$MNT/containers")" ""
	mount_stop
	mount_start
	expect_equal "$(ls "$MNT/containers")" ""
	make_room
	take_snapshot | sort >"$SANDBOX/before"
}

@test "a log: the container waits, and nothing is lost when there is room" {
	run_container writer sh -c 'seq 1 7000000; echo end'
	eventually is_full
	# It waits, and everything else answers.
	expect_equal "$(field "$MNT/containers/writer/status" State)" running
	head -c 1000 "$MNT/containers/writer/logs" | cmp - <(seq 1 7000000 | head -c 1000)
	ls -l "$MNT/containers" >/dev/null
	sleep 0.3
	expect_equal "$(field "$MNT/containers/writer/status" State)" running
	mount -o remount,size=128m "$ROOT"
	expect_equal "$(wait_exit writer)" 0
	cmp "$MNT/containers/writer/logs" <(seq 1 7000000; echo end)
	ctl 'rm writer'
	eventually has_shrunk
	mount -o remount,size=48m "$ROOT"
}

has_shrunk() {
	[ "$(df --output=used -B 1M "$ROOT" | tail -n 1)" -lt 40 ]
}

@test "a log: the engine may be killed meanwhile" {
	run_container writer sh -c 'seq 1 7000000; echo end'
	eventually is_full
	kill_engine
	expect_equal "$(field "$MNT/containers/writer/status" State)" running
	mount -o remount,size=128m "$ROOT"
	expect_equal "$(wait_exit writer)" 0
	cmp "$MNT/containers/writer/logs" <(seq 1 7000000; echo end)
	ctl 'rm writer'
	eventually has_shrunk
	mount -o remount,size=48m "$ROOT"
}

@test "a log that has reached its bounds needs no more room" {
	# Its segments come to 8 MiB; all the rest of the disk is taken then.
	OPTIONS='-i --log-opt max-size=4m --log-opt max-file=2' run_container writer sh -c \
		'seq 1 1500000; read -r line; seq 1500001 3000000'
	eventually grep -qx 1500000 "$MNT/containers/writer/logs"
	fill "$ROOT"
	rm "$ROOT/ballast2" "$ROOT/ballast3"
	truncate -s -5M "$ROOT/ballast" # a segment, for the newest is not full
	echo >"$MNT/containers/writer/stdin"
	expect_equal "$(wait_exit writer)" 0
	expect_equal "$(tail -n 1 "$MNT/containers/writer/logs")" 3000000
	cmp "$MNT/containers/writer/logs" \
		<(seq "$(head -n 1 "$MNT/containers/writer/logs")" 3000000)
	make_room
	ctl 'rm writer'
}

@test "a log: kill, stop and rm -f work on one that waits" {
	run_container one sh -c 'trap "" TERM; yes'
	eventually is_full
	ctl 'kill one'
	expect_equal "$(field "$MNT/containers/one/status" State)" exited
	expect_equal "$(wait_exit one)" 137
	ctl 'rm one'
	run_container two yes
	eventually is_full
	ctl 'stop -t 1 two'
	expect_equal "$(field "$MNT/containers/two/status" State)" exited
	ctl 'rm two'
	run_container three yes
	eventually is_full
	ctl 'rm -f three'
	expect_equal "$(ls "$MNT/containers")" ""
}

@test "an ending that finds the disk full is told all the same" {
	ctl "run --name web -i $IMAGE sh -c 'read line; echo bye; exit 3'" >/dev/null
	fill "$ROOT"
	echo >"$MNT/containers/web/stdin"
	expect_equal "$(wait_exit web)" 3
	expect_equal "$(field "$MNT/containers/web/status" ExitCode)" 3
	kill_engine
	expect_equal "$(field "$MNT/containers/web/status" ExitCode)" 3
	make_room
	eventually grep -q bye "$MNT/containers/web/logs"
}

@test "the run directory" {
	run_container web sh -c 'echo up; exec sleep 1000'
	wait_line web up
	fill "$RUN"
	# The message tells; what runs goes on and can be ended.
	[ "$("$TRY" write "$MNT/ctl" "run --name new $IMAGE true")" != OK ]
	[ -s "$MNT/error" ]
	ls -l "$MNT/containers/web" >/dev/null
	expect_equal "$(field "$MNT/containers/web/status" State)" running
	ctl 'kill web'
	expect_equal "$(wait_exit web)" 137
	make_room
	ctl 'rm -f web'
	[ ! -e "$MNT/containers/new" ] || ctl 'rm -f new'
	expect_equal "$(run_container web echo fine && wait_exit web)" 0
}
