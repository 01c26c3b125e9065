# Starts on the bridge of which any step fails, or at which the engine dies: see fault.c and
# fault_start.py. In a range of few addresses, so that one that is lost is missed.

load lib
load net

setup_file() {
	export FAULT_FILE=$BATS_FILE_TMPDIR/fault
	cc -std=gnu17 -O1 -Wall -shared -fPIC -o "$FAULT_FILE.so" "$TOP/tests/mount/fault.c"
	truncate -s 4096 "$FAULT_FILE"
	echo root:300000:131072 >"$BATS_FILE_TMPDIR/subids"
	mount --bind "$BATS_FILE_TMPDIR/subids" /etc/subuid
	mount --bind "$BATS_FILE_TMPDIR/subids" /etc/subgid
	LD_PRELOAD=$FAULT_FILE.so net_start --icc=false --subnet 10.95.0.0/29
}
setup() {
	look_before
	OPTIONS='--expose 80' serve db
}
teardown() { look_after; }
teardown_file() {
	net_end
	umount /etc/subuid /etc/subgid
}

# sweep OPTION... -- WORD...: of fault_start.py, and more words of run.
sweep() {
	local option=()
	while [ "$1" != -- ]; do
		option+=("$1")
		shift
	done
	python3 "$TOP/tests/mount/fault_start.py" "${option[@]}" "$MNT" "$RUN" "$ROOT/containers" -- \
		-p 5601:80 -p 5601:80/udp -p 81 --link db:db "${@:2}" "$IMAGE" sleep 1000 \
		>"$SANDBOX/work/sweep" || fail "$(tail -n 1 "$SANDBOX/work/sweep")"
}

@test "ports and links: every call to the kernel fails in turn" {
	sweep --
	# It would not have tried much otherwise. (The stock of namespaces may be filled after the answer.)
	grep -q nft_run "$SANDBOX/work/sweep"
	[ "$(tail -n 1 "$SANDBOX/work/sweep")" -gt 60 ]
	asks "db $(net_of db Gateway)" here tcp "$(net_of db IPAddress)" 80
}

@test "the bridge is made anew, and ids of its own: every call to the kernel fails in turn" {
	sweep --fresh "$(field "$MNT/info" Bridge)" -- --userns=auto
	grep -q clone3 "$SANDBOX/work/sweep"
}

@test "the engine dies at every call to the kernel" {
	sweep --kill --
	echo $(($(cat "$SANDBOX/kills") + $(tail -n 1 "$SANDBOX/work/sweep"))) >"$SANDBOX/kills"
	asks "db $(net_of db Gateway)" here tcp "$(net_of db IPAddress)" 80
}
