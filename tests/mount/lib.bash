# For tests on a real mount: a sandbox of its own for each test file, helpers, and
# a look at the machine before and after each test.
#
#	load lib
#	setup_file() { sandbox_start; import_demo; }
#	setup() { look_before; }
#	teardown() { look_after; }
#	teardown_file() { sandbox_end; }
#
# A sandbox is a directory with root, run directory and mount point; nothing of
# it is shared with another mount, and all that is looked at is this sandbox's, so
# that files run side by side. look_after removes the containers that the test
# left and fails if mounts, control groups, links, processes or files are not as
# before. sandbox_end fails if the daemon's log has a bug in it, if the engine
# died without a test having killed it (kill_engine), or if something stays.
#
# What may hang, hangs for DEADLINE seconds: every command that touches the mount
# in here ends by itself. It is no measure of speed: the machine may be busy.
# shellcheck shell=bash disable=SC2034

bats_require_minimum_version 1.5.0

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$TOP/tests/mount/groups.bash"
: "${BUILD_DIR:=$TOP/build}"
export BUILD_DIR
DEADLINE=${DEADLINE:-60}
IMAGE=demo:1

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# --- the sandbox ---------------------------------------------------------------

# The directories. Sockets lie below run: the path must be short.
sandbox_make() {
	SANDBOX=$(mktemp -d "${TMPDIR:-/tmp}/cf.XXXXXX")
	MNT=$SANDBOX/mnt ROOT=$SANDBOX/root RUN=$SANDBOX/run
	TRY=$SANDBOX/try
	INSTANCE=$(get_instance "$ROOT") HIERARCHIES=$(list_hierarchies)
	export SANDBOX MNT ROOT RUN TRY INSTANCE HIERARCHIES CONTAINERFS=$MNT PATH=$BUILD_DIR:$PATH
	mkdir "$MNT" "$SANDBOX/work"
	"${CC:-cc}" -std=gnu17 -O1 -Wall -o "$TRY" "$TOP/tests/mount/try.c"
	# An upper directory of an overlay cannot lie on an overlay.
	if [ "$(stat -f -c %T "$SANDBOX")" = overlayfs ]; then
		mkdir "$ROOT"
		mount -t tmpfs containerfs-test "$ROOT"
	fi
	echo 0 >"$SANDBOX/kills"
}

# Start containerfs with further options; returns when the mount answers.
mount_start() {
	local report=log_path=$SANDBOX/report
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}$report \
		UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}$report \
		TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}$report \
		"$BUILD_DIR/containerfs" --root "$ROOT" --run "$RUN" "$@" "$MNT" 3>&- 4>&-
	field "$MNT/info" Holder >"$SANDBOX/holder"
	[ -n "$(list_own_groups)" ] || fail "no control group of $INSTANCE, the instance of $ROOT"
}

# End it cleanly, and wait until it has gone.
mount_stop() {
	local holder
	holder=$(cat "$SANDBOX/holder")
	umount "$MNT"
	eventually gone "$holder"
}

sandbox_start() {
	sandbox_make
	mount_start "$@"
}

# The image that tests use, imported as a user would.
import_demo() {
	"$TOP/tools/busybox-image" "$SANDBOX/demo.tar.gz"
	cp "$SANDBOX/demo.tar.gz" "$MNT/images/$IMAGE"
	# What the first start of all keeps for the others is there before anybody looks.
	ctl "run --name first $IMAGE true" >/dev/null
	wait_exit first >/dev/null
	readlink "$MNT/containers/first/rootfs" "$MNT/images/$IMAGE/rootfs" >/dev/null
	ctl 'rm first' >/dev/null
}

# Everything away, whatever the state; fails when the log or the state was bad.
sandbox_end() {
	local status=0
	[ -n "${SANDBOX:-}" ] || return 0
	check_engine || status=1
	sandbox_kill || status=1
	check_log || status=1
	check_gone || status=1
	if [ "$status" != 0 ]; then
		tail -n 20 "$RUN/log" >&2
	fi
	sandbox_remove || status=1
	return "$status"
}

# The engine was restarted as often as tests killed it.
check_engine() {
	local restarts expected
	is_mounted || return 0
	restarts=$(field "$MNT/info" Restarts) || fail "the mount does not answer" || return 1
	expected=$(cat "$SANDBOX/kills")
	[ "$restarts" = "$expected" ] ||
		fail "the engine was restarted $restarts times, $expected were meant"
}

check_log() {
	local bad=0
	if [ -e "$RUN/log" ] && grep -n 'bug:\|assert\|Sanitizer\|runtime error' "$RUN/log" >&2; then
		bad=1
	fi
	if compgen -G "$SANDBOX/report.*" >/dev/null; then
		cat "$SANDBOX"/report.* >&2
		bad=1
	fi
	[ "$bad" = 0 ] || fail "the log or a sanitizer tells of a bug"
}

# Nothing stays but what the sandbox began with.
check_gone() {
	local left
	# The kernel takes an interface away some time after its last user.
	eventually is_network_gone || :
	left=$({
		list_network
		list_mounts $(list_own_pids) | grep -v ' containerfs-test$'
		list_own_groups
	})
	[ -z "$left" ] || fail "left over: $left"
}

is_mounted() {
	awk -v mnt="$MNT" '$5 == mnt && / - fuse\.containerfs / { found = 1 } END { exit !found }' \
		/proc/self/mountinfo
}

# Containers, then the mount, then what did not go by itself.
sandbox_kill() {
	local name holder pid status=0
	if is_mounted; then
		for name in $(bounded ls "$MNT/containers"); do
			bounded "$TRY" write "$MNT/ctl" "rm -f $name" >/dev/null || status=1
		done
		umount "$MNT" || status=1
	fi
	holder=$(cat "$SANDBOX/holder" 2>/dev/null) || holder=
	if [ -n "$holder" ] && ! eventually gone "$holder"; then
		echo "the holder $holder does not end" >&2
		status=1
	fi
	for pid in $(list_own_pids); do
		echo "left over: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" >&2
		kill -KILL "$pid" 2>/dev/null || :
		status=1
	done
	return "$status"
}

# Mounts below it, newest first; groups that it made; its directory.
sandbox_remove() {
	local path
	while read -r path; do
		umount -l "$path" 2>/dev/null || :
	done < <(awk -v dir="$SANDBOX/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | tac)
	remove_instance_groups "$INSTANCE" || :
	rm -rf --one-file-system "$SANDBOX"
}

# --- processes and groups of the sandbox ------------------------------------------

gone() {
	! kill -0 "$1" 2>/dev/null
}

list_own_groups() {
	list_instance_groups "$INSTANCE"
}

# Holder, engine and its helpers, whose command line names the sandbox; shims, which hold files below
# it; whoever is in a control group of a container.
list_own_pids() {
	local link groups
	{
		while read -r link; do
			link=${link#/proc/}
			is_ours "${link%/exe}"
		done < <(find /proc/[0-9]*/exe \( -lname "$BUILD_DIR/containerfs*" -o \
			-lname '/memfd:containerfs-shim*' -o -lname '/memfd:containerfs-relay*' \) \
			2>/dev/null)
		mapfile -t groups < <(list_own_groups)
		[ "${#groups[@]}" = 0 ] ||
			find "${groups[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null || :
	} | sort -un
}

# is_ours PID: prints the number of such a process if it is.
is_ours() {
	local words
	{ mapfile -d '' -t words <"/proc/$1/cmdline"; } 2>/dev/null || return 0
	case "${words[*]}" in
	*"$SANDBOX/"*) echo "$1" ;;
	containerfs-shim* | containerfs-relay*)
		if find "/proc/$1/fd" -lname "$SANDBOX/*" 2>/dev/null | grep -q .; then
			echo "$1"
		fi
		;;
	esac
}

# --- before and after ----------------------------------------------------------------

# What a test must leave as it was, as lines. An image's own root file system, which whoever looked
# at it had mounted, goes with the image or when it was idle: it is no container's.
# (A subshell without the trap by which bats follows each command, which takes most of the time.)
take_snapshot() (
	trap - DEBUG
	list_all | grep -avF "$(sha256sum "$MNT"/images/sha256/*/config | sed "s|^|$RUN/rootfs/|; s| .*||")"
)

list_all() {
	local pid name pids groups
	mapfile -t pids < <(list_own_pids)
	mapfile -t groups < <(list_own_groups)
	list_mounts "${pids[@]}"
	[ "${#groups[@]}" = 0 ] ||
		find "${groups[@]}" -mindepth 1 -type d -printf 'cgroup %p\n' 2>/dev/null || :
	# The network of this sandbox is the one in which it was mounted. The bridge goes a while after the
	# last container, and with it what waits for the next: sandbox_end looks for these.
	list_links "$(<"$SANDBOX/holder")" | grep -v "^link cf-\?${INSTANCE:0:5}" || :
	for pid in "${pids[@]}"; do
		{ read -r name <"/proc/$pid/comm"; } 2>/dev/null || name=gone
		echo "process $name"
	done
	find "$ROOT" "$RUN" -xdev \( -path "$RUN/requests*" -o -path "$RUN/handles*" \
		-o -path "$RUN/sessions*" \) -prune -o -printf 'file %p %y %m\n' 2>/dev/null
}

# list_links PID: the interfaces of that process's network.
list_links() {
	local name
	while read -r name _; do
		[[ $name != *: ]] || echo "link ${name%:}"
	done 2>/dev/null <"/proc/$1/net/dev" || :
}

# The bridge of this sandbox, interfaces on it, and its table of rules, if they are there.
list_network() {
	list_links self | grep "^link cf-\?${INSTANCE:0:5}" || :
	nft list tables 2>/dev/null | grep "containerfs-$INSTANCE" || :
}

is_network_gone() {
	[ -z "$(list_network)" ]
}

# list_mounts PID...: what is mounted below the sandbox, or of it elsewhere: here and in each mount
# namespace that one of these processes is in.
list_mounts() {
	local pid other spaces=(self)
	for pid in "$@"; do
		for other in "${spaces[@]}"; do
			[[ ! "/proc/$pid/ns/mnt" -ef "/proc/$other/ns/mnt" ]] || continue 2
		done
		spaces+=("$pid")
	done
	for pid in "${spaces[@]}"; do
		awk -v dir="$SANDBOX/" '
			index($0, dir) { for (i = 7; $i != "-"; i++); print "mount", $5, $(i + 2) }' \
			"/proc/$pid/mountinfo" 2>/dev/null || :
	done
}

look_before() {
	take_snapshot | sort >"$SANDBOX/before"
}

is_as_before() {
	take_snapshot | sort >"$SANDBOX/after"
	cmp -s "$SANDBOX/before" "$SANDBOX/after"
}

# Remove what the test made in containers/; then all must be as before. Slow parts of a removal are
# done behind its back, so it is looked at again until it is.
look_after() {
	local name
	for name in $(bounded ls "$MNT/containers"); do
		expect_errno OK write "$MNT/ctl" "rm -f $name" ||
			[ ! -e "$MNT/containers/$name" ] || return 1 # gone by --rm meanwhile is well
	done
	for name in $(jobs -p); do
		kill "$name" 2>/dev/null || :
	done
	if ! eventually is_as_before; then
		diff "$SANDBOX/before" "$SANDBOX/after" >&2
		fail "the test left something behind, or took it away"
	fi
}

# --- waiting ---------------------------------------------------------------------------

# A command that must not hang.
bounded() {
	timeout --signal=KILL "$DEADLINE" "$@"
}

# Until the command succeeds, at most DEADLINE seconds: for what nothing tells the end of.
eventually() {
	local end=$((SECONDS + DEADLINE))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "not within $DEADLINE s: $*" || return 1
		sleep 0.02
	done
}

has_state() {
	[ "$(field "$MNT/containers/$1/status" State)" = "$2" ]
}

# wait_state NAME STATE
wait_state() {
	eventually has_state "$1" "$2"
}

# wait_line NAME TEXT: until the log has it, by follow, which waits.
wait_line() {
	bounded grep -qm1 -- "$2" "$MNT/containers/$1/follow" ||
		fail "no '$2' in the output of $1"
}

# wait_exit NAME: its exit code, when it has one.
wait_exit() {
	bounded cat "$MNT/containers/$1/wait"
}

# Is the process asleep in read(2)? Source: proc(5).
is_reading() {
	[[ $(cat "/proc/$1/syscall" 2>/dev/null) == "$READ_CALL "* ]]
}
case $(uname -m) in
x86_64) READ_CALL=0 WRITE_CALL=1 ;;
*) READ_CALL=63 WRITE_CALL=64 ;;
esac

is_writing() {
	[[ $(cat "/proc/$1/syscall" 2>/dev/null) == "$WRITE_CALL "* ]]
}

# wait_blocked is_reading|is_writing PID: it sleeps in that call, seen twice.
wait_blocked() {
	eventually "$1" "$2"
	sleep 0.05
	"$1" "$2" || fail "process $2 does not wait"
}

# --- talking to the mount ----------------------------------------------------------------

# The value of a 'Key:<tab>value' line.
field() {
	awk -F '\t' -v key="$2:" '$1 == key { print $2; found = 1 } END { exit !found }' "$1"
}

# ctl COMMAND...: each on its own descriptor, as one write; prints the reply; the sentence when it
# fails. ctl_of NAME COMMAND: in that container's ctl.
ctl() {
	talk "$MNT/ctl" "$@"
}

ctl_of() {
	local name=$1
	shift
	talk "$MNT/containers/$name/ctl" "$@"
}

# write_once COMMAND: it and a newline in one write(2); a shell's printf makes one of each line.
write_once() {
	printf '%s\n' "$1" | dd bs=1M iflag=fullblock status=none 2>/dev/null
}

talk() {
	local file=$1 command fd status=0
	shift
	for command in "$@"; do
		exec {fd}<>"$file" || return 1
		write_once "$command" >&"$fd" || status=1
		cat <&"$fd" || status=1
		exec {fd}>&-
		[ "$status" = 0 ] || fail "refused: $command" || return 1
	done
}

# The reply of this session's last command, as `echo` users read it.
reply() {
	cat "${1:-$MNT}/ctl"
}

# expect_errno NAME CALL ARG...: a call of try ends with that errno ("OK": none).
expect_errno() {
	local want=$1 got
	shift
	got=$(bounded "$TRY" "$@") || fail "try $* did not end" || return 1
	[ "$got" = "$want" ] || {
		echo "try $*: $got instead of $want" >&2
		bounded cat "$MNT/error" >&2
		return 1
	}
}

# expect_refusal NAME SENTENCE COMMAND [CTL]: number and sentence, in the reply and in error.
expect_refusal() {
	local want=$1 sentence="error: $2" file=${4:-$MNT/ctl}
	expect_errno "$want" write "$file" "$3" &&
		expect_equal "$(tail -n 1 "$file")" "$sentence" &&
		expect_equal "$(cat "$MNT/error")" "$sentence"
}

# expect_sentence SENTENCE: of the last failure of this session, wherever it was.
expect_sentence() {
	expect_equal "$(cat "$MNT/error")" "error: $1"
}

# The command fails (a bare `!` fails no test).
expect_failure() {
	if "$@"; then
		fail "it did not fail: $*"
	fi
}

expect_equal() {
	[ "$1" = "$2" ] || {
		printf 'got:      %s\nexpected: %s\n' "$1" "$2" >&2
		return 1
	}
}

expect_match() {
	[[ $1 =~ $2 ]] || {
		printf 'got:               %s\nexpected to match: %s\n' "$1" "$2" >&2
		return 1
	}
}

# run_container NAME WORD...: detached, from the image of the tests. Options of run in OPTIONS.
run_container() {
	local name=$1
	shift
	ctl "run --name $name ${OPTIONS:-} $IMAGE $(quote "$@")" >/dev/null
}

# Words as the ctl splits them again.
quote() {
	local word
	for word in "$@"; do
		printf "'%s' " "${word//\'/\'\\\'\'}"
	done
}

# kill -9 of the process that serves; the next look waits for the new one.
kill_engine() {
	kill -KILL "$(field "$MNT/info" Pid)"
	echo $(($(cat "$SANDBOX/kills") + 1)) >"$SANDBOX/kills"
}
