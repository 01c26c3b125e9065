# The bridge and the machine that it is on: a firewall of somebody else, ranges and names that are
# taken, an uplink with a small MTU, a kernel without IPv6; and what is left of it all: nothing.

load lib
load net

setup_file() { net_start; }
setup() { look_before; }
teardown() {
	nft delete table inet fw 2>/dev/null || :
	look_after
}
teardown_file() { net_end; }

# other DIRECTORY OPTION...: a mount of its own, with the image.
other() {
	mkdir "$SANDBOX/$1"
	containerfs --root "$ROOT/$1" --run "$SANDBOX/$1.run" "${@:2}" "$SANDBOX/$1" 3>&- 4>&-
	cp "$SANDBOX/net.tar" "$SANDBOX/$1/images/$IMAGE"
}

# End it; its containers are gone.
end_other() {
	local holder
	holder=$(field "$SANDBOX/$1/info" Holder)
	umount "$SANDBOX/$1"
	eventually gone "$holder"
	remove_instance_groups "$(get_instance "$ROOT/$1")"
	rm -r "${SANDBOX:?}/$1" "$ROOT/$1" "$SANDBOX/$1.run"
}

# refuses_to_start NAME ERRNO SENTENCE: `run` in that mount.
refuses_to_start() {
	expect_errno "$2" write "$SANDBOX/$1/ctl" "run --name x $IMAGE true"
	expect_match "$(cat "$SANDBOX/$1/error")" "$3"
	talk "$SANDBOX/$1/ctl" 'rm -f x' >/dev/null 2>&1 || :
}

is_listed() {
	ip link show "$1" >/dev/null 2>&1
}

@test "another's firewall is not touched, and a published port obeys it" {
	local before
	nft -f - <<-'END'
		table inet fw {
			chain forward { type filter hook forward priority 10; policy drop;
				ct state established,related accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
			}
			chain input { type filter hook input priority 0; policy drop;
				iifname "lo" accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
				ct state established,related accept
			}
		}
	END
	before=$(nft list table inet fw)
	OPTIONS='-p 5555:80 -p 5555:80/udp' serve web
	for protocol in tcp udp; do
		expect_failure in_client "$SANDBOX/netpeer" ask $protocol 10.99.7.1 5555 300
		expect_failure in_client "$SANDBOX/netpeer" ask $protocol fd99:7::1 5555 300
		asks "web $(net_of web Gateway)" here $protocol 127.0.0.1 5555
	done
	nft insert rule inet fw forward tcp dport 80 accept
	asks 'web 10.99.7.2' client tcp 10.99.7.1 5555
	asks 'web fd99:7::2' client tcp fd99:7::1 5555
	expect_failure in_client "$SANDBOX/netpeer" ask udp 10.99.7.1 5555 300
	kill_engine
	ctl 'restart -t 0 web'
	wait_line web serving
	asks 'web 10.99.7.2' client tcp 10.99.7.1 5555
	nft delete rule inet fw forward handle "$(nft -a list chain inet fw forward | sed -n 's/.*dport 80 accept # handle //p')"
	ctl 'rm -f web'
	expect_equal "$(nft list table inet fw)" "$before"
	nft delete table inet fw
}

@test "ranges and names that are taken are refused in words; a bridge that was there stays" {
	run_container web sleep 1000
	# Of this mount's own network.
	other two --subnet "$(net_of web Gateway)/24"
	refuses_to_start two EADDRINUSE "^error: run: the network 'cf-[0-9a-f]*': [0-9.]*/24 overlaps [0-9.]*/[0-9]*, which this host uses; give another range with --subnet\$"
	end_other two
	ip route add 10.66.1.0/24 via 10.99.7.2
	ip route add 10.0.0.0/8 via 10.99.7.2
	other two --subnet 10.66.0.0/16
	refuses_to_start two EADDRINUSE "10.66.0.0/16 overlaps 10.66.1.0/24"
	end_other two
	# A way to a larger range is no obstacle.
	other two --subnet 10.67.0.0/24
	expect_equal "$(talk "$SANDBOX/two/ctl" "run --rm $IMAGE true" | wc -c)" 65
	end_other two
	ip route del 10.66.1.0/24
	ip route del 10.0.0.0/8

	ip link add "dummy${INSTANCE:0:4}" type veth peer name "other${INSTANCE:0:4}"
	other two --bridge "dummy${INSTANCE:0:4}"
	refuses_to_start two EEXIST "interface 'dummy${INSTANCE:0:4}' is no bridge; use another name"
	end_other two
	ip link del "dummy${INSTANCE:0:4}"

	ip link add "br${INSTANCE:0:4}" type bridge
	ip addr add 10.68.0.9/24 dev "br${INSTANCE:0:4}"
	other two --bridge "br${INSTANCE:0:4}"
	talk "$SANDBOX/two/ctl" "run --name x -p 5558:80 $IMAGE netpeer serve 80 x" >/dev/null
	expect_equal "$(field "$SANDBOX/two/containers/x/net" Gateway)" 10.68.0.9
	bounded grep -qm1 serving "$SANDBOX/two/containers/x/follow"
	asks 'x 10.68.0.9' here tcp 127.0.0.1 5558
	talk "$SANDBOX/two/ctl" 'rm -f x' >/dev/null
	end_other two
	is_listed "br${INSTANCE:0:4}"
	ip link del "br${INSTANCE:0:4}"
}

@test "the uplink's MTU; a kernel without IPv6; and nothing is left" {
	local routes
	routes=$(ip route | grep -v "$INSTANCE")
	ip link set "up${INSTANCE:0:6}" mtu 1400
	ip route add default via 10.99.7.2
	echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
	other two
	talk "$SANDBOX/two/ctl" "run --name x -p 5559:80 -p 5559:80/udp $IMAGE netpeer serve 80 x" >/dev/null
	bounded grep -qm1 serving "$SANDBOX/two/containers/x/follow"
	expect_match "$(nsenter --net="/proc/$(field "$SANDBOX/two/containers/x/status" Pid)/ns/net" ip link show eth0)" ' mtu 1400 '
	expect_equal "$(field "$SANDBOX/two/containers/x/net" GlobalIPv6Address)" ''
	expect_equal "$(talk "$SANDBOX/two/ctl" 'port x 80')" 0.0.0.0:5559
	for protocol in tcp udp; do
		asks "x $(field "$SANDBOX/two/containers/x/net" Gateway)" here $protocol 127.0.0.1 5559
		asks 'x 10.99.7.2' client $protocol 10.99.7.1 5559
	done
	talk "$SANDBOX/two/ctl" 'rm -f x' >/dev/null
	end_other two
	echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
	ip -6 addr add fd99:7::1/64 dev "up${INSTANCE:0:6}" nodad
	ip route del default
	ip link set "up${INSTANCE:0:6}" mtu 1500
	expect_equal "$(ip route | grep -v "$INSTANCE")" "$routes"
}
