# kill -9 of the engine at any moment of an import, a load, a commit, a pull: a command is carried
# out by the next engine, a cp fails or has come, and nothing half-made is left in the store.
# shellcheck disable=SC2030,SC2031,SC2154

load lib
load full
load registry
load store
load survival

ROUNDS=6

setup_file() {
	sandbox_start_big 8000000 1500
	build_helpers
}

setup() {
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

# expect_image NAME: all of it.
expect_image() {
	expect_equal "$(find "$MNT/images/$1/rootfs/many/" -type f | wc -l)" 1500
	cmp "$MNT/images/$1/rootfs/random" "$SANDBOX/work/tree/random"
}

# try_kills NAME COMMAND...: each round another moment of it.
try_kills() {
	local name=$1 round job took
	shift
	took=$EPOCHREALTIME
	"$@"
	took=$((${EPOCHREALTIME/./} - ${took/./}))
	expect_image "$name"
	ctl "rmi $name" >/dev/null
	for round in $(seq 0 "$ROUNDS"); do
		"$@" 2>/dev/null &
		job=$!
		kill_engines 1 $((took * round / ROUNDS)) $((took * (round + 1) / ROUNDS))
		if wait "$job"; then
			CAME=$((CAME + 1))
			expect_image "$name"
			expect_store
			ctl "rmi $name" >/dev/null
		else
			FAILED=$((FAILED + 1))
			[ ! -e "$MNT/images/$name" ]
		fi
		expect_store
	done
}

# The command is done, once, whoever does it.
try_command() {
	CAME=0 FAILED=0
	try_kills "$1" ctl "$2" >/dev/null
	expect_equal "$FAILED" 0
}

@test "import by cp: it is there, or it failed" {
	CAME=0 FAILED=0
	try_kills big:1 cp "$SANDBOX/work/big.tar.gz" "$MNT/images/big:1"
	[ "$FAILED" -ge 1 ]
}

@test "import by a command" {
	try_command big:1 "import $SANDBOX/work/big.tar.gz big:1"
}

@test "load" {
	try_command big:1 "load $SANDBOX/work/saved.tar"
}

@test "pull" {
	try_command "$REMOTE" "pull $REMOTE"
}

@test "commit" {
	ctl "create --name web $IMAGE true" >/dev/null
	cp -r "$SANDBOX/work/tree/." "$MNT/containers/web/rootfs/"
	try_command big:1 'commit web big:1'
	ctl 'rm web'
}
