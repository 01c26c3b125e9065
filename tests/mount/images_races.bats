# Many do the same or the opposite with one image at once: everybody gets what could have happened
# one after the other, and the store is whole at the end.
# shellcheck disable=SC2030,SC2031,SC2154

load lib
load full
load registry
load store

setup_file() {
	sandbox_start_big 2000000 200
}

setup() {
	look_before
}

teardown() {
	remove_tags big:1 same:1 "$REMOTE" made:{1..5} {a..d}:1
	ctl prune >/dev/null
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

expect_image() {
	expect_equal "$(find "$MNT/images/$1/rootfs/many/" -type f | wc -l)" 200
	cmp "$MNT/images/$1/rootfs/random" "$SANDBOX/work/tree/random"
}

# Those of them that are there.
remove_tags() {
	local name
	for name in "$@"; do
		[ ! -L "$MNT/images/$name" ] || ctl "rmi $name" >/dev/null
	done
}

# client ERRNOS COMMAND...: in the background; each ends well, or with one of these.
client() {
	(
		local allowed=" OK $1 " command got
		shift
		for command in "$@"; do
			got=$(bounded "$TRY" write "$MNT/ctl" "$command")
			[[ $allowed == *" $got "* ]] || fail "$command: $got"
		done
	) 3>&- &
	CLIENTS+=($!)
}

end_clients() {
	local pid
	for pid in "${CLIENTS[@]}"; do
		wait "$pid" || fail "client $pid failed"
	done
	CLIENTS=()
}

@test "the same layer imported under several names at once is kept once, for all of them" {
	local round name
	CLIENTS=()
	for round in $(seq 5); do
		for name in a:1 b:1 c:1; do
			client '' "import $SANDBOX/work/big.tar.gz $name"
		done
		cp "$SANDBOX/work/big.tar.gz" "$MNT/images/d:1"
		end_clients
		expect_store
		expect_equal "$(cat "$MNT"/images/[a-d]:1/layers | sort -u | wc -l)" 1
		for name in a:1 b:1 c:1; do
			ctl "rmi $name" >/dev/null
			expect_image d:1
		done
		ctl 'rmi d:1' >/dev/null
		expect_store
	done
	[ "$round" = 5 ]
}

@test "load, rmi and prune of one image at once" {
	local round loads=()
	run_container keep sleep 1000 # prune takes neither it nor its image
	CLIENTS=()
	for round in $(seq 6); do
		loads+=("load $SANDBOX/work/saved.tar")
	done
	client '' "${loads[@]}"
	client '' "${loads[@]}"
	client 'ENOENT' "${loads[@]//load*/rmi big:1}" "${loads[@]//load*/rmi big:1}"
	client '' "${loads[@]//load*/prune -a}" "${loads[@]//load*/prune}"
	end_clients
	expect_store
	[ ! -e "$MNT/images/big:1" ] || expect_image big:1
	ctl "load $SANDBOX/work/saved.tar" >/dev/null
	expect_image big:1
	ctl 'rmi big:1' >/dev/null
	expect_store
	[ "$round" = 6 ]
}

@test "pulls of one image, imports of its layer, rmi and prune at once" {
	local round pulls=()
	run_container keep sleep 1000 # prune takes neither it nor its image
	CLIENTS=()
	for round in $(seq 5); do
		pulls+=("pull $REMOTE")
	done
	client '' "${pulls[@]}"
	client '' "${pulls[@]}"
	client '' "${pulls[@]//pull*/import $SANDBOX/work/big.tar.gz same:1}"
	client 'ENOENT' "${pulls[@]//pull*/rmi $REMOTE}" "${pulls[@]//pull*/rmi same:1}"
	client '' "${pulls[@]//pull*/prune -a}"
	end_clients
	expect_store
	ctl "pull $REMOTE" >/dev/null
	expect_image "$REMOTE"
	[ "$round" = 5 ]
}

@test "commits of one container and rmi of what they made at once" {
	local round commits=()
	run_container web sleep 1000
	cp -r "$SANDBOX/work/tree/." "$MNT/containers/web/rootfs/"
	CLIENTS=()
	for round in $(seq 5); do
		commits+=("commit web made:$round")
	done
	client '' "${commits[@]}"
	client '' "${commits[@]}"
	client 'ENOENT' "rmi made:1" "rmi made:2" "rmi made:1"
	client '' prune prune prune
	end_clients
	ctl "commit web made:1" >/dev/null
	expect_image made:1
	expect_store
	[ "$round" = 5 ]
}
