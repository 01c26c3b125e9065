# For the tests of survival: programs that keep files open over the death of an
# engine (hold.c), and engines that die (killer.c). Loaded after lib.
# shellcheck shell=bash disable=SC2034

build_helpers() {
	local name
	for name in hold killer; do
		"${CC:-cc}" -std=gnu17 -O1 -Wall -o "$SANDBOX/$name" "$TOP/tests/mount/$name.c"
	done
}

get_holder() {
	cat "$SANDBOX/holder"
}

# count_kills NUMBER: check_engine expects as many restarts.
count_kills() {
	echo $(($(cat "$SANDBOX/kills") + $1)) >"$SANDBOX/kills"
}

# kill_engines COUNT [MIN_US MAX_US [EVERY SHORT_US]]: at random times, to the end.
kill_engines() {
	"$SANDBOX/killer" "$(get_holder)" "$1" "${@:2}" 3>&- || return 1
	count_kills "$1"
}

# At once, without asking the mount for the engine's pid. Returns when the next one serves: five that die
# before that within ten seconds end the connection.
kill_now() {
	kill_engines 1 0 0 1 0
	bounded stat "$MNT/info" >/dev/null
}

# A container that runs until it is told otherwise, and prints what it gets.
run_cat() {
	OPTIONS=-i run_container "$1" cat
}

gone_or_zombie() {
	[[ ! -e /proc/$1/stat || $(cat "/proc/$1/stat" 2>/dev/null) == *') Z '* ]]
}

# --- programs that keep a file open ------------------------------------------------

declare -gA HOLD_IN HOLD_OUT HOLD_PID

# hold_start NAME...
hold_start() {
	local name in out
	for name in "$@"; do
		mkfifo "$SANDBOX/work/$name.in" "$SANDBOX/work/$name.out"
		"$SANDBOX/hold" <"$SANDBOX/work/$name.in" >"$SANDBOX/work/$name.out" 3>&- &
		HOLD_PID[$name]=$!
		exec {in}>"$SANDBOX/work/$name.in" {out}<"$SANDBOX/work/$name.out"
		HOLD_IN[$name]=$in HOLD_OUT[$name]=$out
		rm "$SANDBOX/work/$name.in" "$SANDBOX/work/$name.out"
	done
}

# hold_send NAME LINE: without waiting for the answer.
hold_send() {
	printf '%s\n' "$2" >&"${HOLD_IN[$1]}"
}

# hold_answer NAME: prints it.
hold_answer() {
	local line
	read -r -t "$DEADLINE" -u "${HOLD_OUT[$1]}" line || fail "no answer from $1" || return 1
	printf '%s\n' "$line"
}

# hold NAME LINE [ANSWER]: sends, waits, and compares (OK).
hold() {
	hold_send "$1" "$2" && expect_answer "$1" "${3-OK}" "$2"
}

# expect_answer NAME ANSWER [LINE]
expect_answer() {
	local got
	got=$(hold_answer "$1") || return 1
	[ "$got" = "$2" ] || fail "$1: ${3-}: '$got' instead of '$2'"
}

hold_end() {
	local name fd
	for name in "${!HOLD_PID[@]}"; do
		fd=${HOLD_IN[$name]} && exec {fd}>&-
		fd=${HOLD_OUT[$name]} && exec {fd}<&-
		kill -KILL "${HOLD_PID[$name]}" 2>/dev/null || :
		wait "${HOLD_PID[$name]}" 2>/dev/null || :
	done
	HOLD_IN=() HOLD_OUT=() HOLD_PID=()
}

# The holder of a file sleeps in read, or write.
hold_blocked() {
	wait_blocked "$2" "${HOLD_PID[$1]}"
}

is_polling() {
	case $(cat "/proc/$1/wchan" 2>/dev/null) in
	*poll*) return 0 ;;
	*) [[ $(cat "/proc/$1/syscall" 2>/dev/null) == "7 "* ]] ;;
	esac
}

# --- events ---------------------------------------------------------------------------

# Record all events from now on in a file.
record_events() {
	EVENTS=$SANDBOX/work/events
	stdbuf -o0 cat "$MNT/events" >"$EVENTS" 3>&- &
	EVENTS_PID=$!
	wait_blocked is_reading "$EVENTS_PID"
}

# count_events ACTION NAME
count_events() {
	grep -c "\"Action\":\"$1\".*\"name\":\"$2\"" "$EVENTS" || :
}

has_event() {
	[ "$(count_events "$1" "$2")" -ge 1 ]
}

# expect_events ACTION NAME COUNT: waits for the first, then none is too many.
expect_events() {
	[ "$3" = 0 ] || eventually has_event "$1" "$2" || return 1
	expect_equal "$1 of $2: $(count_events "$1" "$2")" "$1 of $2: $3"
}

# Every number once, in order, none left out.
expect_no_gap() {
	if grep -q '"gap"' "$EVENTS"; then
		fail "events were lost"
		return 1
	fi
	sed -n 's/.*"seq":\([0-9]*\)}$/\1/p' "$EVENTS" |
		awk 'NR > 1 && $1 != last + 1 { print "event " $1 " follows " last; bad = 1 }
			{ last = $1 } END { exit bad }'
}

# --- what is on the disk ------------------------------------------------------------------

get_id() {
	field "$MNT/containers/$1/status" Id
}

# Both processes, at once; the containers run on.
kill_both() {
	local holder engine
	holder=$(get_holder)
	engine=$(field "$MNT/info" Pid)
	kill -STOP "$holder"
	kill -KILL "$engine" "$holder"
	eventually gone "$holder"
	eventually gone "$engine"
	echo 0 >"$SANDBOX/kills"
}

# Umount, and wait until the locks are free.
end_mount() {
	umount "$MNT"
	wait_ended
}

wait_ended() {
	flock -w "$DEADLINE" "$ROOT/lock" true
	echo 0 >"$SANDBOX/kills"
}

# The engine killed while the holder sleeps: nobody serves.
kill_engine_unseen() {
	local engine
	engine=$(pgrep -P "$(get_holder)" -x containerfs)
	kill -KILL "$engine"
	count_kills 1
}

# A mount that is ended takes the home of its root file systems along, and makes it again when it is
# wanted: no trace to look for.
eval "take_whole_$(declare -f take_snapshot)"
take_snapshot() {
	take_whole_take_snapshot | grep -v " $RUN/rootfs\(\.empty\)\?\( \|$\)"
}
