# Containers that do not reach each other (icc=false), but by links and published ports.

load lib
load net

setup_file() {
	# Frames between containers pass by the chains of IP on some hosts, and not on others.
	[ ! -e /proc/sys/net/bridge ] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
	net_start -o icc=false
}
setup() { look_before; }
teardown() { look_after; }
teardown_file() { net_end; }

# refuses FROM TO: nothing of TO's port 80 is to be had in FROM, by no protocol.
refuses() {
	local protocol address
	for protocol in tcp udp; do
		for address in "$(net_of "$2" IPAddress)" "$(net_of "$2" GlobalIPv6Address)"; do
			expect_failure in_c "$1" netpeer ask "$protocol" "$address" 80 300 2>/dev/null
		done
	done
}

# answers FROM TO PROTOCOL...: by both families, and TO sees FROM's own addresses.
answers() {
	local protocol
	for protocol in "${@:3}"; do
		asks "$2 $(net_of "$1" IPAddress)" "$1" "$protocol" "$(net_of "$2" IPAddress)" 80
		asks "$2 $(net_of "$1" GlobalIPv6Address)" "$1" "$protocol" \
			"$(net_of "$2" GlobalIPv6Address)" 80
	done
}

# How many links are open: elements of the bridge's set.
count_open() {
	nft -j list set bridge "containerfs-$INSTANCE" link4 | jq '[.nftables[].set.elem? // [] | .[]] | length'
}

@test "neighbours are out of reach; links open what their target exposes, and follow it" {
	local address
	expect_equal "$(field "$MNT/info" Icc)" no
	OPTIONS='--expose 80 --expose 80/udp' serve db
	OPTIONS='--expose 80/udp' serve clock
	OPTIONS='--link db:db --link clock:time' serve web
	serve other
	expect_equal "$(count_open)" 3
	answers web db tcp udp
	answers web clock udp
	expect_failure in_c web netpeer ask tcp "$(net_of clock IPAddress)" 80 300
	refuses other db
	refuses db web
	refuses web other
	refuses other web
	# The host, and the world behind it.
	in_c other ping -c 1 -W 3 "$(net_of other Gateway)" >/dev/null
	in_c other ping -c 1 -W 3 10.99.7.2 >/dev/null
	asks "db $(net_of db Gateway)" here tcp "$(net_of db IPAddress)" 80

	# It comes back with another address; the old one is closed.
	address=$(net_of db IPAddress)
	ctl 'restart -t 0 db'
	wait_line db serving
	expect_failure test "$(net_of db IPAddress)" = "$address"
	answers web db tcp udp
	refuses other db
	ctl 'stop -t 0 db'
	expect_equal "$(count_open)" 1
	ctl 'start db'
	expect_equal "$(count_open)" 3
	ctl 'rm -f web'
	expect_equal "$(count_open)" 0
	refuses other db
}

@test "published ports are reached from outside, by the host and by neighbours" {
	OPTIONS='-p 5555:80 -p 5555:80/udp' serve web
	serve other
	for protocol in tcp udp; do
		asks 'web 10.99.7.2' client $protocol 10.99.7.1 5555
		asks 'web fd99:7::2' client $protocol fd99:7::1 5555
		asks "web $(net_of web Gateway)" here $protocol 127.0.0.1 5555
		expect_match "$("$SANDBOX/netpeer" ask $protocol ::1 5555)" '^web '
		expect_match "$(in_c other netpeer ask $protocol 10.99.7.1 5555)" '^web '
		expect_match "$(in_c other netpeer ask $protocol fd99:7::1 5555)" '^web '
		expect_match "$(in_c web netpeer ask $protocol 10.99.7.1 5555)" '^web '
	done
	refuses other web
}

@test "a refused start opens nothing; kill -9 of the engine, umount and another icc" {
	OPTIONS='--expose 80' serve db
	expect_errno ENOENT write "$MNT/ctl" "run --rm --link db:db $IMAGE /nope"
	expect_equal "$(count_open)" 0
	OPTIONS='--link db:db' serve web
	serve other
	kill_engine
	expect_equal "$(field "$MNT/info" Icc)" no
	answers web db tcp
	refuses other db
	ctl 'restart -t 0 db'
	wait_line db serving
	answers web db tcp
	mount_stop
	mount_start --icc
	echo 0 >"$SANDBOX/kills"
	answers other db tcp udp
	expect_equal "$(nft list tables | grep -c "containerfs-$INSTANCE")" 1
	mount_stop
	mount_start --icc=false
	answers web db tcp
	refuses other db
	readlink "$MNT/images/demo:1/rootfs" >/dev/null # made by the first look, taken away by the end
	expect_failure containerfs --icc=maybe "$SANDBOX/work" 2>"$SANDBOX/work/err"
	expect_match "$(cat "$SANDBOX/work/err")" "'maybe' is neither true nor false"
}
