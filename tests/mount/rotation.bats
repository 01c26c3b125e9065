# Logs that are bounded: what is kept, what a reader sees of what is dropped, and
# that none of it depends on the engine's life.
# shellcheck shell=bash disable=SC2012,SC2030,SC2031,SC2154

load lib

# Small bounds: 64 KiB in segments of 16.
SMALL='--log-opt max-size=16k --log-opt max-file=4'
DROPPED='bytes of this file were dropped by rotation'

setup_file() {
	sandbox_make
	mount_start --log-opt max-size=1m --log-opt max-file=2
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

log_dir() {
	echo "$ROOT/containers/$(jq -r .Id "$MNT/containers/$1/inspect")"
}

# start_writer: a container `web` that writes the lines 1..N when N is written to
# its stdin, and then goes on from there at the next N.
start_writer() {
	OPTIONS="-i $SMALL" run_container web sh -c \
		'n=1; while read -r to; do seq $n $to; n=$((to + 1)); done'
}

# write_to N: and wait until it is in the log.
write_to() {
	echo "$1" >"$MNT/containers/web/stdin"
	eventually last_line_is "$1"
}

last_line_is() {
	[ "$(tail -n 1 "$MNT/containers/web/logs")" = "$1" ]
}

# The kept lines are the last ones, whole, in order and without a hole.
expect_kept() {
	local file=$1 last=$2 first
	first=$(head -n 1 "$file")
	cmp "$file" <(seq "$first" "$last")
}

@test "the newest output is kept within the bounds, whole lines of it" {
	local dir
	OPTIONS=$SMALL run_container web seq 1 50000
	expect_equal "$(wait_exit web)" 0
	dir=$(log_dir web)
	expect_equal "$(find "$dir" -name 'log*' ! -name '*.index' | wc -l)" 4
	[ "$(find "$dir" -name 'log*' ! -name '*.index' -printf '%s\n' |
		sort -n | tail -n 1)" -le 16384 ]
	expect_kept "$MNT/containers/web/logs" 50000
	[ "$(stat -c %s "$MNT/containers/web/logs")" -gt 49152 ]
	expect_equal "$(stat -c %s "$MNT/containers/web/logs")" "$(wc -c <"$MNT/containers/web/logs")"
	cmp "$MNT/containers/web/logs" "$MNT/containers/web/stdout"
	cmp "$MNT/containers/web/logs" "$MNT/containers/web/follow"
	cmp "$MNT/containers/web/logs" <(jq -j .log "$MNT/containers/web/logs.json")
	expect_equal "$(stat -c %s "$MNT/containers/web/logs.json")" \
		"$(wc -c <"$MNT/containers/web/logs.json")"
	expect_equal "$(wc -c <"$MNT/containers/web/stderr")" 0
	expect_equal "$(tail -n 3 "$MNT/containers/web/logs")" $'49998\n49999\n50000'
	expect_equal "$(tail -c 100 "$MNT/containers/web/logs")" "$(seq 1 50000 | tail -c 100)"
	# A new run's output is appended to what is kept.
	ctl 'start web'
	wait_exit web >/dev/null
	expect_kept "$MNT/containers/web/logs" 50000
}

@test "bounds are taken from the mount when a container is created, and are its own then" {
	local dir=$MNT/containers
	ctl "create --name plain $IMAGE true" "create --name own --log-opt max-file=7 $IMAGE true" >/dev/null
	mkdir "$dir/empty"
	expect_equal "$(jq -c .HostConfig.LogConfig.Config "$dir/plain/inspect")" \
		'{"max-size":"1m","max-file":"2"}'
	expect_equal "$(jq -c .HostConfig.LogConfig.Config "$dir/empty/inspect")" \
		'{"max-size":"1m","max-file":"2"}'
	expect_equal "$(cat "$dir/empty/config")" '{}'
	expect_equal "$(jq -cS .HostConfig.LogConfig.Config "$dir/own/config")" '{"max-file":"7"}'
	expect_equal "$(jq -cS .HostConfig.LogConfig.Config "$dir/own/inspect")" \
		'{"max-file":"7","max-size":"1m"}'
	mount_stop
	mount_start --log-opt max-size=2m
	expect_equal "$(jq -c .HostConfig.LogConfig.Config "$dir/plain/inspect")" \
		'{"max-size":"1m","max-file":"2"}'
	ctl "create --name later $IMAGE true" >/dev/null
	expect_equal "$(jq -c .HostConfig.LogConfig.Config "$dir/later/inspect")" \
		'{"max-size":"2m","max-file":"4"}'
	# They can be changed while it does not run.
	echo '{"HostConfig":{"LogConfig":{"Type":"local","Config":{"max-size":"0"}}}}' >"$dir/later/config"
	expect_equal "$(jq -cS .HostConfig.LogConfig "$dir/later/inspect")" \
		'{"Config":{"max-file":"4","max-size":"0"},"Type":"local"}'
	ctl 'start later'
	expect_equal "$(wait_exit later)" 0
	ctl 'update --log-opt max-size=3m later'
	expect_equal "$(jq -r .HostConfig.LogConfig.Config.\"max-size\" "$dir/later/config")" 3m
	ctl 'rm plain own empty later'
	# The place of root file systems was looked at before, and went with the mount.
	take_snapshot | sort >"$SANDBOX/before"
}

@test "bad bounds are refused with a sentence" {
	expect_refusal EINVAL "create: --log-opt: max-size 'lots' is not a size" \
		"create --log-opt max-size=lots $IMAGE true"
	expect_refusal EINVAL "create: --log-opt: unknown option 'tag'; max-size or max-file" \
		"create --log-opt tag=x $IMAGE true"
	expect_refusal EINVAL "create: LogConfig: log type 'none': a container always has its log; bound it by max-size and max-file" \
		"create --log-driver none $IMAGE true"
	ctl "run --name web -i $IMAGE cat" >/dev/null
	expect_errno EBUSY write "$MNT/containers/web/config" \
		'{"HostConfig":{"LogConfig":{"Config":{"max-size":"5m"}}}}'
	run -1 containerfs --root "$ROOT.x" --run "$RUN.x" --log-opt max-size=x "$SANDBOX/work"
	expect_match "$output" "log-opt.*max-size 'x' is not a size"
	run -1 containerfs --root "$ROOT.x" --run "$RUN.x" --log-opt colour=red "$SANDBOX/work"
	expect_match "$output" "log-opt.*unknown option 'colour'"
}

@test "one reader sees every byte, however often the log is rotated meanwhile" {
	local pids=() pid i to=0
	start_writer
	cat "$MNT/containers/web/follow" >"$SANDBOX/work/follow" 3>&- &
	pids+=($!)
	tail -n +1 -f "$MNT/containers/web/logs" >"$SANDBOX/work/tail" 3>&- &
	pid=$!
	exec 5<"$MNT/containers/web/logs"
	exec 6<"$MNT/containers/web/logs.json"
	for i in {1..25}; do
		write_to $((to += 1500))
		cat <&5 >>"$SANDBOX/work/logs"
		cat <&6 >>"$SANDBOX/work/json"
		eventually has_lines follow "$to"
		eventually has_lines tail "$to"
		[ $((i % 8)) != 5 ] || kill_engine
	done
	cmp "$SANDBOX/work/logs" <(seq 1 "$to")
	cmp <(jq -j .log "$SANDBOX/work/json") <(seq 1 "$to")
	ctl_of web closestdin >/dev/null
	wait "${pids[@]}"
	kill "$pid"
	wait "$pid" || :
	cmp "$SANDBOX/work/follow" <(seq 1 "$to")
	cmp "$SANDBOX/work/tail" <(seq 1 "$to")
	exec 5<&- 6<&-
}

has_lines() {
	[ "$(wc -l <"$SANDBOX/work/$1")" -ge "$2" ]
}

@test "what was dropped before a reader came to it is one line with the number of bytes" {
	local fd size before
	start_writer
	write_to 1000
	exec 5<"$MNT/containers/web/logs" 6<"$MNT/containers/web/logs.json" 7<"$MNT/containers/web/stdout"
	exec 8<"$MNT/containers/web/follow"
	# One that is read, one in the middle of a line, one not yet begun.
	expect_equal "$(head -c 10 <&5 | tr '\n' ' ')" '1 2 3 4 5 '
	dd bs=50 count=1 <&6 status=none >"$SANDBOX/work/json"
	expect_equal "$(dd bs=1 count=18 status=none <&8 | tail -n 1)" 9
	before=$(stat -L -c %s /dev/fd/5)
	write_to 50000
	# Its size only grows.
	[ "$(stat -L -c %s /dev/fd/5)" -gt "$before" ]
	kill_engine
	[ "$(stat -L -c %s /dev/fd/5)" -ge "$(seq 1 50000 | wc -c)" ]
	ctl_of web closestdin >/dev/null
	wait_exit web >/dev/null
	for fd in 5 7 8; do
		cat <&"$fd" >"$SANDBOX/work/$fd"
		expect_equal "$(grep -c "$DROPPED" "$SANDBOX/work/$fd")" 1
		expect_match "$(head -n 1 "$SANDBOX/work/$fd")" '^\[[0-9]+ bytes'
		tail -n +2 "$SANDBOX/work/$fd" >"$SANDBOX/work/kept"
		expect_kept "$SANDBOX/work/kept" 50000
	done
	check_size 5 10
	check_size 7 0
	check_size 8 18
	# logs.json is an object a line: the one that was cut too.
	cat <&6 >>"$SANDBOX/work/json"
	jq -c . "$SANDBOX/work/json" >/dev/null
	expect_equal "$(jq -r .log "$SANDBOX/work/json" | grep -c "$DROPPED")" 1
	expect_match "$(sed -n 2p "$SANDBOX/work/json")" "$DROPPED"
	cmp <(tail -n +3 "$SANDBOX/work/json" | jq -j .log) <(tail -n +2 "$SANDBOX/work/5")
	# At the end there is nothing more, and what was read can be read again.
	expect_equal "$(cat <&5)" ''
	exec 5<&- 6<&- 7<&- 8<&-
}

# check_size FD READ: the line, what was read before it and what is kept are all there was.
check_size() {
	local lost
	lost=$(sed -n '1s/^\[\([0-9]*\) .*/\1/p' "$SANDBOX/work/$1")
	expect_equal $((lost + $2 + $(tail -n +2 "$SANDBOX/work/$1" | wc -c))) "$(seq 1 50000 | wc -c)"
}

@test "one who goes back finds the line again, and the same bytes behind it" {
	run_python <<-'EOF'
		import os, subprocess
		mnt = os.environ['MNT'] + '/containers/web/'
		def write_to(n):
		    open(mnt + 'stdin', 'w').write('%d\n' % n)
		    while not os.popen('tail -n 1 %slogs' % mnt).read() == '%d\n' % n:
		        pass
		write_to(1000)
		fd = os.open(mnt + 'logs', os.O_RDONLY)
		assert os.pread(fd, 100, 0).startswith(b'1\n2\n')
		write_to(30000)
		text = os.pread(fd, 60, 4)
		line = b'bytes of this file were dropped by rotation]\n'
		head = text.split(b'\n')[1] + b'\n'
		assert head.endswith(line), text
		rest = os.pread(fd, 100000, 4)
		assert rest.startswith(text)
		at = 4 + len(b'\n' + head)
		numbers = rest[len(head) + 1:].split(b'\n')
		assert numbers[-2] == b'30000', numbers[-3:]
		assert os.pread(fd, 30, at) == rest[at - 4:at + 26]
		assert os.pread(fd, 5, at + 100) == rest[at + 96:at + 101]
		again = os.pread(fd, 100000, 0)
		assert again.split(b'\n')[0].endswith(line[:-1])
		assert again.split(b'\n')[1] == numbers[0]
	EOF
}

run_python() {
	start_writer
	timeout "$DEADLINE" python3 -
}

@test "poll waits for what comes after a rotation, as after any read" {
	start_writer
	write_to 20000
	timeout "$DEADLINE" python3 - <<-'EOF'
		import os, select
		mnt = os.environ['MNT'] + '/containers/web/'
		target = 20000
		def read(fd):
		    try:
		        return os.read(fd, 65536)
		    except BlockingIOError:
		        return b''
		for name in 'logs', 'stdout', 'follow':
		    fd = os.open(mnt + name, os.O_RDONLY | os.O_NONBLOCK)
		    poll = select.poll()
		    poll.register(fd, select.POLLIN)
		    while read(fd):
		        pass
		    assert not poll.poll(0), name
		    target += 20000
		    with open(mnt + 'stdin', 'w') as stdin:
		        stdin.write('%d\n' % target)
		    got = b''
		    while not got.endswith(b'\n%d\n' % target):
		        assert poll.poll(10000), name
		        got += read(fd)
		    assert not poll.poll(0), name
		    os.close(fd)
	EOF
}
