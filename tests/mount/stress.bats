# Much at once and much in a row: long output, many readers and writers, many
# containers, the same name from many sides. Nothing may be lost, be left over,
# grow, or delay what has nothing to do with it.
# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2030,SC2031,SC2045,SC2154

DEADLINE=${DEADLINE:-60}
load lib

setup_file() {
	sandbox_start
	import_demo
	# The first look at a rootfs makes the place for all of them.
	ctl "create --name first $IMAGE true" >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
	ctl 'rm first'
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

# A stream in which every byte lost, doubled or moved shows.
LONG_COMMAND='seq 1 5000000 | head -c 33554432'
LONG_BYTES=33554432

sum() {
	sha256sum | cut -d ' ' -f 1
}

# quick MS COMMAND...: it ends within that time, once at least in several tries, for the machine
# may be busy. A sanitizer takes its share.
quick() {
	local limit=$1 before after
	shift
	[ -z "${SANITIZE:-}" ] || limit=$((limit * 5))
	for _ in {1..8}; do
		before=${EPOCHREALTIME/[.,]/}
		bounded "$@" >/dev/null || fail "failed: $*" || return 1
		after=${EPOCHREALTIME/[.,]/}
		[ $(((after - before) / 1000)) -gt "$limit" ] || return 0
	done
	fail "$* took $(((after - before) / 1000)) ms, more than $limit"
}

engine_pid() {
	field "$MNT/info" Pid
}

is_line_count() {
	[ "$(wc -l <"$1")" = "$2" ]
}

# --- long output -----------------------------------------------------------------------

# 1 MiB, then a nap, to the end of file.
read_slowly() {
	local part=$SANDBOX/work/part
	while dd bs=1M count=1 iflag=fullblock status=none of="$part" && [ -s "$part" ]; do
		cat "$part"
		sleep 0.03
	done
}

@test "32 MiB arrive byte by byte, whoever reads or does not, and can be read from any place" {
	local want fd i at pids=() file=$SANDBOX/work/want
	seq 1 5000000 | head -c $LONG_BYTES >"$file"
	want=$(sum <"$file")
	ctl "create --name big $IMAGE sh -c '$LONG_COMMAND'" >/dev/null
	for i in 1 2 3; do
		bounded cat "$MNT/containers/big/follow" | sum >"$SANDBOX/work/sum$i" &
		pids+=($!)
	done
	read_slowly <"$MNT/containers/big/follow" | sum >"$SANDBOX/work/sum4" &
	pids+=($!)
	exec {fd}<"$MNT/containers/big/follow"
	ctl 'start big' >/dev/null
	expect_equal "$(wait_exit big)" 0
	wait "${pids[@]}"
	for i in 1 2 3 4; do
		expect_equal "$(cat "$SANDBOX/work/sum$i")" "$want"
	done
	expect_equal "$(sum <&"$fd")" "$want"
	exec {fd}<&-
	for i in logs stdout follow; do
		expect_equal "$(sum <"$MNT/containers/big/$i")" "$want"
	done
	expect_equal "$(stat -c %s "$MNT/containers/big/logs")" $LONG_BYTES
	expect_equal "$(stat -c %s "$MNT/containers/big/stdout")" $LONG_BYTES
	expect_equal "$(stat -c %s "$MNT/containers/big/stderr")" 0
	expect_equal "$(wc -c <"$MNT/containers/big/stderr")" 0
	for at in 1 4095 65536 1048577 16777215 33554431; do
		cmp <(tail -c +$((at + 1)) "$file" | head -c 100000) \
			<(dd if="$MNT/containers/big/stdout" iflag=skip_bytes,count_bytes \
				skip=$at count=100000 bs=64k status=none)
	done
	expect_equal "$(tail -n 1 "$MNT/containers/big/logs")" \
		"$(tail -n 1 "$file")"
	expect_equal "$(tail -c +$((LONG_BYTES + 1)) "$MNT/containers/big/logs" | wc -c)" 0
}

@test "two long streams stay apart, and together they are logs" {
	ctl "run --name two $IMAGE sh -c 'seq 1 1000000 & seq 2000001 3000000 >&2; wait'" >/dev/null
	expect_equal "$(wait_exit two)" 0
	expect_equal "$(sum <"$MNT/containers/two/stdout")" "$(seq 1 1000000 | sum)"
	expect_equal "$(sum <"$MNT/containers/two/stderr")" "$(seq 2000001 3000000 | sum)"
	expect_equal "$(stat -c %s "$MNT/containers/two/logs")" \
		$((6888896 + 8000000))
	# Chunks of one may end inside a line; as bytes nothing is lost.
	expect_equal "$(tr -cd '\n' <"$MNT/containers/two/logs" | wc -c)" 2000000
}

@test "every line of a long log is in logs.json, in order" {
	command -v jq >/dev/null || fail "jq is missing"
	ctl "run --name many $IMAGE seq 1 100000" >/dev/null
	expect_equal "$(wait_exit many)" 0
	expect_equal "$(jq -j .log <"$MNT/containers/many/logs.json" | sum)" \
		"$(seq 1 100000 | sum)"
	expect_equal "$("$TRY" size "$MNT/containers/many/logs.json" | tr ' ' '\n' | sort -u | wc -l)" 1
}

# --- many in a row -----------------------------------------------------------------------

cycle() {
	ctl "run --name $1 $IMAGE true" >/dev/null
	expect_equal "$(wait_exit "$1")" 0
	ctl "rm $1"
}

# What the engine holds: descriptors, and kB of memory.
count_fds() {
	find "/proc/$(engine_pid)/fd" -mindepth 1 2>/dev/null | wc -l
}

memory_kb() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(engine_pid)/status"
}

has_few_fds() {
	[ "$(count_fds)" -le "$1" ]
}

@test "120 containers in a row leave nothing behind" {
	local i fds memory
	for ((i = 0; i < 40; i++)); do
		cycle "c$i"
	done
	eventually is_as_before
	fds=$(count_fds) memory=$(memory_kb)
	for ((i = 40; i < 120; i++)); do
		cycle "c$i"
	done
	eventually is_as_before
	eventually has_few_fds "$fds"
	# A sanitizer keeps what was freed for a while.
	[ -n "${SANITIZE:-}" ] || [ "$(memory_kb)" -le $((memory + 1024)) ] ||
		fail "memory grew from $memory kB to $(memory_kb) kB in 80 containers"
}

@test "80 commands that fail leave nothing behind" {
	local i fds
	ctl "create --name a $IMAGE true" >/dev/null
	cycle b
	fds=$(count_fds)
	look_before
	for ((i = 0; i < 20; i++)); do
		expect_errno ENOENT write "$MNT/ctl" "run --name x$i none:1 true"
		expect_errno EEXIST write "$MNT/ctl" "run --name a $IMAGE true"
		expect_errno EINVAL write "$MNT/ctl" "run --memory much $IMAGE true"
		expect_errno EEXIST mkdir "$MNT/containers/a"
	done
	expect_equal "$(ls "$MNT/containers")" a
	eventually is_as_before
	eventually has_few_fds "$fds"
	ctl 'rm a'
	take_snapshot | sort >"$SANDBOX/before"
}

@test "25 programs that are missing leave nothing but their container" {
	local i fds
	cycle b
	fds=$(count_fds)
	for ((i = 0; i < 25; i++)); do
		expect_errno ENOENT write "$MNT/ctl" "run --name x $IMAGE /none"
		expect_equal "$(field "$MNT/containers/x/status" ExitCode)" 127
		ctl 'rm x'
	done
	eventually is_as_before
	eventually has_few_fds "$fds"
}

# --- many at once -----------------------------------------------------------------------

@test "32 runs at once all succeed" {
	local i pids=()
	for ((i = 0; i < 32; i++)); do
		(
			ctl "run --name r$i $IMAGE sh -c 'echo I am $i; exit $i'" >/dev/null
			expect_equal "$(wait_exit "r$i")" "$i"
		) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for ((i = 0; i < 32; i++)); do
		expect_equal "$(cat "$MNT/containers/r$i/logs")" "I am $i"
		expect_equal "$(field "$MNT/containers/r$i/status" ExitCode)" "$i"
	done
	bounded rmdir "$MNT"/containers/r*
}

@test "32 that run are stopped and removed at once" {
	local i pids=()
	for ((i = 0; i < 32; i++)); do
		run_container "r$i" sleep 1000
	done
	for ((i = 0; i < 32; i++)); do
		expect_errno OK write "$MNT/ctl" "rm -f r$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	expect_equal "$(ls "$MNT/containers")" ""
}

has_one_size() {
	[ "$("$TRY" size "$1" | tr ' ' '\n' | sort -u | wc -l)" = 1 ]
}

@test "among a thousand containers everything is quick" {
	local id
	bounded mkdir "$MNT"/containers/m{0001..1000}
	quick 500 ls "$MNT/containers"
	quick 1000 ls -l "$MNT/containers"
	quick 1000 cat "$MNT/ps"
	quick 100 cat "$MNT/containers/m0777/status"
	quick 100 cat "$MNT/info"
	quick 3000 grep -h '^State:' "$MNT"/containers/m*/status
	expect_equal "$(ls "$MNT/containers" | wc -l)" 1000
	expect_equal "$(ls -U "$MNT/containers" | sort -u | wc -l)" 1000
	expect_equal "$(field "$MNT/info" Containers)" 1000
	# By name and opened are two texts: the words for an age change meanwhile.
	eventually has_one_size "$MNT/ps"
	id=$(field "$MNT/containers/m0500/status" Id)
	expect_equal "$(readlink "$MNT/containers/${id:0:12}")" m0500
	ctl "run --name among $IMAGE true" >/dev/null
	quick 500 cat "$MNT/containers/among/wait"
	bounded rmdir "$MNT"/containers/*
	expect_equal "$(ls "$MNT/containers")" ""
}

@test "a listing read while it changes has every steady name once" {
	local i
	mkdir "$MNT"/containers/steady{001..300}
	(
		for i in {1..100}; do
			mkdir "$MNT/containers/brief$i"
			rmdir "$MNT/containers/brief$i"
		done
	) &
	while kill -0 $! 2>/dev/null; do
		expect_equal "$(ls -U "$MNT/containers" | grep -c steady)" 300
		expect_equal "$(ls -U "$MNT/containers" | sort | uniq -d)" ""
	done
	wait $!
	rmdir "$MNT"/containers/steady*
}

@test "300 readers of follow all see the line, and delay nobody" {
	local fd
	ctl "run --name quiet -i $IMAGE sh -c 'read line; echo said \$line; sleep 1000'" >/dev/null
	mkfifo "$SANDBOX/work/go"
	"$TRY" readers 300 "$MNT/containers/quiet/follow" \
		<"$SANDBOX/work/go" >"$SANDBOX/work/said" 3>&- &
	exec {fd}>"$SANDBOX/work/go"
	eventually grep -q blocked "$SANDBOX/work/said"
	quick 200 stat "$MNT/containers/quiet"
	quick 300 ls -l "$MNT/containers/quiet"
	echo hello >"$MNT/containers/quiet/stdin"
	eventually said_to_all
	exec {fd}>&-
	wait $!
	rm "$SANDBOX/work/go"
	expect_equal "$(tail -n 1 "$SANDBOX/work/said")" "done 300"
}

said_to_all() {
	[ "$(grep -c 'said hello' "$SANDBOX/work/said")" = 300 ]
}

@test "writers on one stdin do not mix their lines" {
	local i pids=()
	ctl "run --name sink -i $IMAGE cat" >/dev/null
	for i in {1..8}; do
		seq -f "writer $i says %06g" 2000 | while read -r line; do
			echo "$line"
		done >"$MNT/containers/sink/stdin" &
		pids+=($!)
	done
	wait "${pids[@]}"
	ctl_of sink closestdin
	expect_equal "$(wait_exit sink)" 0
	for i in {1..8}; do
		cmp <(seq -f "writer $i says %06g" 2000) \
			<(grep "^writer $i " "$MNT/containers/sink/stdout")
	done
	expect_equal "$(wc -l <"$MNT/containers/sink/stdout")" 16000
}

@test "what goes through stdin comes out whole" {
	ctl "run --name echo -i $IMAGE cat" >/dev/null
	seq 1 2000000 >"$SANDBOX/work/in"
	bounded cp "$SANDBOX/work/in" "$MNT/containers/echo/stdin"
	ctl_of echo closestdin
	expect_equal "$(wait_exit echo)" 0
	cmp "$SANDBOX/work/in" "$MNT/containers/echo/stdout"
}

# --- the same name from many sides -----------------------------------------------------

# race COUNT CALL ARG...: that call of try by so many at once; how each ended, counted.
race() {
	local count=$1 i
	shift
	for ((i = 0; i < count; i++)); do
		bounded "$TRY" "$@" &
	done | sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }'
}

@test "of many who make or remove one name exactly one wins" {
	local i
	for i in {1..8}; do
		expect_equal "$(race 8 mkdir "$MNT/containers/prize")" "7 EEXIST, 1 OK"
		expect_equal "$(race 8 rmdir "$MNT/containers/prize")" "7 ENOENT, 1 OK"
		expect_equal "$(race 6 write "$MNT/ctl" "create --name prize $IMAGE true")" \
			"5 EEXIST, 1 OK"
		expect_equal "$(race 6 write "$MNT/ctl" "rm prize")" "5 ENOENT, 1 OK"
	done
	for i in {1..5}; do
		expect_equal "$(race 6 write "$MNT/ctl" "run --name prize $IMAGE sleep 1000")" \
			"5 EEXIST, 1 OK"
		expect_equal "$(field "$MNT/containers/prize/status" State)" running
		ctl 'rm -f prize'
	done
}

@test "of many who rename to one name exactly one wins" {
	local i
	for _ in {1..8}; do
		mkdir "$MNT"/containers/from{1..6}
		for i in {1..6}; do
			"$TRY" rename "$MNT/containers/from$i" "$MNT/containers/to" &
		done | sort | uniq -c | tr -s ' \n' ' ' >"$SANDBOX/work/race"
		expect_equal "$(cat "$SANDBOX/work/race")" " 5 EEXIST 1 OK "
		expect_equal "$(ls "$MNT/containers" | wc -l)" 6
		expect_equal "$(field "$MNT/containers/to/status" Name)" to
		rmdir "$MNT"/containers/*
	done
}

@test "of many who start one container exactly one wins" {
	local i
	ctl "create --name prize $IMAGE sleep 1000" >/dev/null
	for i in {1..5}; do
		expect_equal "$(race 6 write "$MNT/containers/prize/ctl" start | tr -d '[:digit:]')" \
			" EBUSY,  OK"
		expect_equal "$(field "$MNT/containers/prize/status" State)" running
		ctl 'kill prize'
	done
}

# Steps over few names, whatever comes of them.
meddle() {
	local i name names=(a b c d)
	RANDOM=$1
	for ((i = 0; i < 60; i++)); do
		name=${names[RANDOM % 4]}
		case $((RANDOM % 8)) in
		0 | 1) "$TRY" mkdir "$MNT/containers/$name" ;;
		2) "$TRY" rmdir "$MNT/containers/$name" ;;
		3) "$TRY" rename "$MNT/containers/$name" "$MNT/containers/${names[RANDOM % 4]}" ;;
		4) "$TRY" write "$MNT/ctl" "run --name $name $IMAGE sleep 1000" ;;
		5) "$TRY" write "$MNT/ctl" "rm -f $name" ;;
		6) "$TRY" write "$MNT/ctl" "run --rm --name $name $IMAGE true" ;;
		7) "$TRY" write "$MNT/containers/$name/ctl" kill ;;
		esac
	done | sort | uniq -c
}

@test "many meddle with the same names: every container is whole" {
	local i name pids=()
	for i in {1..8}; do
		meddle "$i" >"$SANDBOX/work/meddle$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$SANDBOX"/work/meddle*
	# Every outcome is one that a single user could have had.
	expect_equal "$(cat "$SANDBOX"/work/meddle* |
		grep -v ' \(OK\|EEXIST\|ENOENT\|EBUSY\|ESRCH\|EINVAL\|ESTALE\)$')" ""
	for name in $(ls "$MNT/containers"); do
		expect_match "$(field "$MNT/containers/$name/status" State)" 'created|running|exited'
		expect_equal "$(field "$MNT/containers/$name/status" Error)" ""
		expect_equal "$(field "$MNT/containers/$name/status" Name)" "$name"
		jq . "$MNT/containers/$name/inspect" >/dev/null
		jq . "$MNT/containers/$name/config" >/dev/null
		# One that mkdir made has no image yet.
		jq -e '.Image // "" == ""' "$MNT/containers/$name/config" >/dev/null ||
			bounded ls "$MNT/containers/$name/rootfs/" >/dev/null
		ctl "rm -f $name"
	done
}

@test "many tag and untag one image: it stays, each tag whole" {
	local i target
	target=$(readlink "$MNT/images/$IMAGE")
	for _ in {1..8}; do
		expect_equal "$(race 6 symlink "$target" "$MNT/images/prize:1")" "5 EEXIST, 1 OK"
		expect_equal "$(race 6 unlink "$MNT/images/prize:1")" "5 ENOENT, 1 OK"
	done
	for i in {1..20}; do
		ln -sfn "$target" "$MNT/images/t$i:1" &
	done
	wait
	expect_equal "$(wc -l <"$MNT/images/$IMAGE/tags")" 21
	rm "$MNT"/images/t*:1
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "$IMAGE"
}

@test "logs that are looked at while their container goes leave nothing on the disk" {
	local i
	for i in {1..4}; do
		while [ ! -e "$SANDBOX/work/enough" ]; do
			stat "$MNT"/containers/*/{logs,stdout,logs.json}
		done >/dev/null 2>&1 3>&- &
	done
	for i in {1..20}; do
		cycle "seen$i"
	done
	touch "$SANDBOX/work/enough"
	wait
	rm "$SANDBOX/work/enough"
	cycle last
	eventually is_as_before
}

# --- over time ---------------------------------------------------------------------------

@test "tail -f goes on over restarts" {
	local tail i
	ctl "create --name up $IMAGE sh -c 'echo up; exec sleep 1000'" >/dev/null
	tail -n +1 -s 0.05 -f "$MNT/containers/up/logs" >"$SANDBOX/work/tail" 3>&- &
	tail=$!
	ctl 'start up' >/dev/null
	eventually is_line_count "$SANDBOX/work/tail" 1
	for i in 2 3 4; do
		ctl 'restart -t 0 up' >/dev/null
		eventually is_line_count "$SANDBOX/work/tail" "$i"
	done
	kill "$tail"
	wait "$tail" || :
	expect_equal "$(sort -u "$SANDBOX/work/tail")" up
}

@test "events are complete and in order" {
	local fd i action
	exec {fd}<"$MNT/events"
	for i in {1..40}; do
		cycle "e$i"
	done
	ctl "create --name last $IMAGE true" >/dev/null
	bounded sed '/"last"/q' <&"$fd" >"$SANDBOX/work/events"
	exec {fd}<&-
	for action in create start die destroy; do
		expect_equal "$(grep -v '"last"' "$SANDBOX/work/events" |
			grep -c "\"Action\":\"$action\"")" 40
	done
	# seq has no gap.
	jq -s -e '[.[].seq] | . == [range(.[0]; .[0] + length)]' "$SANDBOX/work/events"
	jq -s -r '.[] | select(.Actor.Attributes.name == "e7") | .Action' \
		"$SANDBOX/work/events" >"$SANDBOX/work/e7"
	expect_equal "$(tr '\n' ' ' <"$SANDBOX/work/e7")" "create start die destroy "
}

@test "who reads events too slowly is told how many were lost, and goes on" {
	local fd other last first lost kept i
	# Events that are long, for what is kept of them is bounded in bytes.
	ctl "create --name a --label big=$(head -c 30000 /dev/zero | tr '\0' x) $IMAGE" >/dev/null
	exec {fd}<"$MNT/events" {other}<"$MNT/events"
	ctl 'tag demo:1 mark:1' 'rmi mark:1'
	IFS= read -r first <&"$other"
	exec {other}<&-
	for ((i = 0; i < 200; i++)); do
		echo rename a b
		echo rename b a
	done >"$SANDBOX/work/commands"
	bounded dd if="$SANDBOX/work/commands" of="$MNT/ctl" bs=64k conv=notrunc status=none
	ctl 'rm a'
	bounded sed '/"destroy"/q' <&"$fd" >"$SANDBOX/work/events"
	exec {fd}<&-
	expect_equal "$(grep -c '"gap"' "$SANDBOX/work/events")" 1
	lost=$(grep '"gap"' "$SANDBOX/work/events" | jq .lost)
	kept=$(grep -vc '"gap"' "$SANDBOX/work/events")
	last=$(tail -n 1 "$SANDBOX/work/events" | jq .seq)
	expect_equal $((lost + kept)) $((last - $(jq .seq <<<"$first") + 1))
	# The older half of what is kept has a file of its own now.
	take_snapshot | sort >"$SANDBOX/before"
}

@test "events can be read byte by byte" {
	local fd line
	exec {fd}<"$MNT/events"
	mkdir "$MNT/containers/a"
	rmdir "$MNT/containers/a"
	# As the shell reads what it cannot seek in.
	IFS= read -r line <&"$fd"
	expect_equal "$(jq -r .Action <<<"$line")" create
	expect_equal "$(dd bs=7 count=1 status=none <&"$fd")" '{"Type"'
	bounded grep -qm1 '"destroy"' <&"$fd"
	exec {fd}<&-
}
