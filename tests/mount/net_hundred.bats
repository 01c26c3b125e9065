# A hundred containers with published ports, which come, go and come again while the engine is
# killed now and then: each port leads to its container, and nothing of them stays.

load lib
load net
COUNT=100

setup_file() { net_start; }
setup() { look_before; }
teardown() { look_after; }
teardown_file() { net_end; }

# all_answer PATH...: each port leads to its own container, by tcp; a few by ::1 and udp too.
all_answer() {
	local i
	for i in $(seq "$COUNT"); do
		eventually leads tcp 127.0.0.1 "$i"
	done
	for i in 1 $((COUNT / 2)) "$COUNT"; do
		leads tcp ::1 "$i"
		leads udp 127.0.0.1 "$i"
		asks "n$i 10.99.7.2" client tcp 10.99.7.1 $((6000 + i))
	done
}

leads() {
	[[ $("$SANDBOX/netpeer" ask "$1" "$2" $((6000 + $3))) == "n$3 "* ]]
}

# Its own list of words is as long as all names.
names() {
	seq -f n%g -s' ' "$COUNT"
}

count_rules() {
	nft -j list table inet "containerfs-$INSTANCE" |
		jq '[.nftables[] | .map? | select(.name == "any4" or .name == "any6") | .elem // [] | .[]] | length'
}

@test "a hundred with ports at once: started, restarted, removed, and the engine killed meanwhile" {
	local i pids=() kills
	for i in $(seq "$COUNT"); do
		ctl "run --name n$i -p $((6000 + i)):80 -p $((6000 + i)):80/udp $IMAGE netpeer serve 80 n$i" \
			>/dev/null 3>&- &
		pids+=($!)
		[ $((i % 40)) != 20 ] || kill_engine
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	expect_equal "$(cat "$MNT"/containers/n*/net | sed -n 's/^IPAddress:.//p' | sort -u | wc -l)" "$COUNT"
	expect_equal "$(count_rules)" $((4 * COUNT))
	all_answer
	for i in 1 "$COUNT"; do
		eventually all_names "n$i"
	done

	ctl "restart -t 0 $(names)" >/dev/null 3>&- &
	pids=$!
	sleep 0.5
	kill_engine
	wait "$pids"
	expect_equal "$(count_rules)" $((4 * COUNT))
	all_answer

	ctl "rm -f $(names)" >/dev/null 3>&- &
	pids=$!
	sleep 0.2
	kill_engine
	wait "$pids"
	expect_equal "$(ls "$MNT/containers")" ''
	for i in 1 $((COUNT / 2)) "$COUNT"; do
		expect_match "$("$SANDBOX/netpeer" ask tcp 127.0.0.1 $((6000 + i)))" refused
	done
}

all_names() {
	[ "$(in_c "$1" cat /etc/hosts | grep -c $'\tn[0-9]* ')" = "$COUNT" ]
}
