# Containers on the bridge: addresses, published ports, names and links, and what is left when
# an engine, a relay or a start dies. All packets stay in the network of this file, and in that
# of a client host which it makes.

load lib
load net

setup_file() { net_start; }
setup() { look_before; }
teardown() { look_after; }
teardown_file() { net_end; }

hosts_of() {
	in_c "$1" cat /etc/hosts
}

has_name() {
	grep -q "^$2$(printf '\t').*\b$3\b" "$RUN/$(field "$MNT/containers/$1/status" Id | cut -c 1-12)/hosts"
}

@test "TestContainerNetwork: eth0, addresses, gateway; net, inspect and info say the same" {
	local id address gateway
	id=$(ctl "run --name web --hostname www --domainname example.org $IMAGE sleep 1000")
	address=$(net_of web IPAddress) gateway=$(net_of web Gateway)
	expect_match "$(in_c web ip -4 -o addr show eth0)" " $address/$(net_of web IPPrefixLen) "
	expect_match "$(in_c web ip link show eth0)" "UP,LOWER_UP.*ether $(net_of web MacAddress) "
	expect_match "$(in_c web ip -6 -o addr show eth0)" " $(net_of web GlobalIPv6Address)/$(net_of web GlobalIPv6PrefixLen) "
	expect_match "$(in_c web ip route)" "^default via $gateway dev eth0"
	in_c web ping -c 1 -W 3 127.0.0.1 >/dev/null
	in_c web ping -c 1 -W 3 "$gateway" >/dev/null
	in_c web ping -c 1 -W 3 www.example.org >/dev/null
	expect_match "$(hosts_of web)" $'^127.0.0.1\tlocalhost\n'
	has_name web "$address" www
	has_name web "$address" web
	has_name web "$address" "${id:0:12}"
	expect_equal "$(net_of web Mode)" bridge
	expect_equal "$(jq -r '.NetworkSettings | [.IPAddress, .Gateway, .Networks.bridge.IPAddress, .MacAddress] | join(" ")' \
		"$MNT/containers/web/inspect")" "$address $gateway $address $(net_of web MacAddress)"
	expect_equal "$(jq -r .NetworkSettings.IPPrefixLen "$MNT/containers/web/inspect")" "$(net_of web IPPrefixLen)"
	expect_match "$(field "$MNT/info" Bridge)" "^cf-$INSTANCE"
	expect_equal "$(field "$MNT/info" Subnet)" "$gateway/$(net_of web IPPrefixLen)"
	expect_match "$(field "$MNT/info" Forwarding)" '^IPv4'
	[ "$(field "$MNT/containers/web/stats" NetSent)" -gt 0 ]
	ctl 'kill web'
	expect_equal "$(net_of web IPAddress)$(jq -r .NetworkSettings.IPAddress "$MNT/containers/web/inspect")" ''
	expect_equal "$(jq -c .NetworkSettings.Ports "$MNT/containers/web/inspect")" '{}'
}

@test "TestOnlyLoopbackExistsWhenUsingDisableNetworkOption; host, none and another's network" {
	mkdir "$MNT/containers/only"
	echo "{\"Image\": \"$IMAGE\", \"Cmd\": [\"ip\", \"addr\", \"show\"], \"NetworkDisabled\": true}" \
		>"$MNT/containers/only/config"
	ctl 'start only'
	expect_equal "$(wait_exit only)" 0
	expect_equal "$(grep -c '^[0-9]' "$MNT/containers/only/logs")" 1
	expect_match "$(cat "$MNT/containers/only/logs")" '^1: lo: <LOOPBACK,UP'
	OPTIONS='--net none' run_container none sh -c 'ls /sys/class/net; tail -n 1 /etc/hosts; sleep 1000'
	wait_line none 127.0.1.1
	expect_equal "$(head -n 1 "$MNT/containers/none/logs")" lo
	expect_equal "$(net_of none Mode)" none
	OPTIONS='--net host' run_container host sh -c 'readlink /proc/self/ns/net; hostname; sleep 1000'
	wait_line host "$(hostname)"
	expect_equal "$(head -n 1 "$MNT/containers/host/logs")" "$(readlink /proc/self/ns/net)"

	serve web
	OPTIONS='--net container:web' run_container guest sleep 1000
	expect_equal "$(in_c guest ip addr show eth0)" "$(in_c web ip addr show eth0)"
	expect_equal "$(in_c guest hostname)$(hosts_of guest)" "$(in_c web hostname)$(hosts_of web)"
	asks "web 127.0.0.1" guest tcp 127.0.0.1 80
	expect_refusal EINVAL "run: PortBindings cannot be with NetworkMode 'container:web': only a container on the bridge publishes ports" \
		"run --net container:web -p 80:80 $IMAGE true"
	expect_refusal EINVAL "run: Hostname cannot be with NetworkMode 'container:web': it is that container's" \
		"run --net container:web -h box $IMAGE true"
	expect_refusal EINVAL "run: Links cannot be with NetworkMode 'none': only a container on the bridge has neighbours" \
		"run --net none --link web:w $IMAGE true"
	ctl 'kill web'
	expect_refusal ESRCH "run: cannot share the network of container 'web': it is not running" \
		"run --net container:web $IMAGE true"
	expect_refusal ENOENT "run: no such container: nope" "run --net container:nope $IMAGE true"
	asks 'connect: Connection refused' guest tcp 127.0.0.1 80 || :
	expect_equal "$(in_c guest hostname)" "$(field "$MNT/containers/web/status" Id | cut -c 1-12)"
}

@test "TestAllocateTCPPortLocalhost, TestAllocateUDPPortLocalhost; from the world, a neighbour and itself" {
	local gateway address
	OPTIONS='-p 5555:80 -p 5555:80/udp' serve web
	OPTIONS= serve other
	address=$(net_of web IPAddress) gateway=$(net_of web Gateway)
	for protocol in tcp udp; do
		# The host by its loopback addresses, by the bridge's, and by the container's.
		asks "web $gateway" here $protocol 127.0.0.1 5555
		expect_match "$("$SANDBOX/netpeer" ask $protocol ::1 5555)" '^web '
		asks "web $gateway" here $protocol "$address" 80
		expect_match "$("$SANDBOX/netpeer" ask $protocol "$gateway" 5555)" '^web '
		# Another host keeps its address.
		asks 'web 10.99.7.2' client $protocol 10.99.7.1 5555
		asks 'web fd99:7::2' client $protocol fd99:7::1 5555
		# A neighbour, directly and by the host; the container by its own port.
		asks "web $(net_of other IPAddress)" other $protocol "$address" 80
		expect_match "$(in_c other netpeer ask $protocol 10.99.7.1 5555)" '^web '
		expect_match "$(in_c web netpeer ask $protocol 10.99.7.1 5555)" '^web '
	done
	# The other way: a container reaches the world.
	in_client "$SANDBOX/netpeer" serve 7777 world >"$SANDBOX/work/world" 3>&- &
	local world=$!
	eventually grep -q serving "$SANDBOX/work/world"
	asks 'world 10.99.7.1' web tcp 10.99.7.2 7777
	kill "$world"
	# Free when stop has answered.
	ctl 'stop -t 0 web'
	expect_match "$("$SANDBOX/netpeer" ask tcp 127.0.0.1 5555)" refused
	"$SANDBOX/netpeer" take 0.0.0.0 5555 >"$SANDBOX/work/taken" 3>&- &
	eventually grep -q taken "$SANDBOX/work/taken"
	expect_refusal EADDRINUSE 'start: host port 5555/tcp is taken by another program' 'start web'
	kill $!
	wait $! || :
	ctl 'start web'
	wait_line web serving
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5555
}

@test "forms of ports: addresses, ranges, automatic ones; port, ps and inspect show them" {
	local auto
	OPTIONS='-p 127.0.0.1:5601:80 -p [::1]:5602:80 -p 5610-5611:90-91/udp -p 81 --expose 99' serve a
	auto=$(ctl 'port a 81' | sed -n 's/^0\.0\.0\.0://p')
	[ "$auto" -ge 49153 ]
	expect_equal "$(ctl 'port a')" "80/tcp -> 127.0.0.1:5601
80/tcp -> [::1]:5602
81/tcp -> 0.0.0.0:$auto
81/tcp -> [::]:$auto
90/udp -> 0.0.0.0:5610
90/udp -> [::]:5610
91/udp -> 0.0.0.0:5611
91/udp -> [::]:5611"
	expect_equal "$(ctl_of a 'port 90/udp')" $'0.0.0.0:5610\n[::]:5610'
	expect_equal "$(cfs port a 80)" $'127.0.0.1:5601\n[::1]:5602'
	expect_refusal ENOENT "port: no public port '99/tcp' published for container 'a'" 'port a 99'
	expect_refusal EINVAL "port: 'x' is not a port from 1 to 65535" 'port a x'
	expect_equal "$(grep -e '->' "$MNT/containers/a/net")" "$(ctl 'port a')"
	expect_equal "$(ctl "ps --format {{.Ports}}")" \
		"127.0.0.1:5601->80/tcp, [::1]:5602->80/tcp, 0.0.0.0:$auto->81/tcp, [::]:$auto->81/tcp, 0.0.0.0:5610-5611->90-91/udp, [::]:5610-5611->90-91/udp, 99/tcp"
	expect_equal "$(jq -c '.NetworkSettings.Ports | .["80/tcp"], .["99/tcp"]' "$MNT/containers/a/inspect")" \
		$'[{"HostIp":"127.0.0.1","HostPort":"5601"},{"HostIp":"::1","HostPort":"5602"}]\nnull'
	asks "a $(net_of a Gateway)" here tcp 127.0.0.1 5601
	expect_match "$("$SANDBOX/netpeer" ask tcp ::1 5602)" '^a '
	expect_match "$(in_client "$SANDBOX/netpeer" ask tcp 10.99.7.1 5601)" '^connect: '

	# Taken ones have an owner; of a range the first free one is taken; other addresses are free.
	expect_refusal EADDRINUSE "run: host port 5610/udp is taken by container 'a'" "run --name b -p 5610:1/udp $IMAGE true"
	[ ! -e "$MNT/containers/b" ] || ctl 'rm b'
	OPTIONS='-p 5610-5620:53/udp -p 127.0.0.2:5601:80 -P --expose 7/udp' run_container b sleep 1000
	expect_equal "$(ctl 'port b 53/udp')" $'0.0.0.0:5612\n[::]:5612'
	expect_equal "$(ctl 'port b 80')" 127.0.0.2:5601
	expect_match "$(ctl 'port b 7/udp')" '^0.0.0.0:(49[1-9]|5|6)[0-9]+'
	expect_refusal ENOTSUP 'run: 5/sctp: sctp cannot be published, tcp and udp can' "run -p 5:5/sctp $IMAGE true"
	expect_errno EBUSY write "$MNT/containers/a/config" '{"HostConfig": {"PortBindings": null}}'
	# What was got is a wish, and not written into config.
	ctl 'restart -t 0 a'
	expect_equal "$(ctl 'port a 81')" "0.0.0.0:$auto"$'\n'"[::]:$auto"
	expect_equal "$(jq -c '.HostConfig.PortBindings["81/tcp"]' "$MNT/containers/a/config")" '[{"HostIp":"","HostPort":""}]'
	ctl 'rename a c'
	expect_refusal EADDRINUSE "run: host port 5610/udp is taken by container 'c'" "run -p 5610:1/udp $IMAGE true"
}

@test "TestLinkEnv, TestLinkNew: variables, an alias that follows, and refusals" {
	local address env
	expect_refusal ENOENT 'run: no such container: db' "run --link db:d $IMAGE true"
	OPTIONS='-e PASSWORD=gordon=x -e HOME=/nope --expose 6379 --expose 6380/udp --expose 7000 -p 7000' serve db
	address=$(net_of db IPAddress)
	OPTIONS='--link db:my-docker -e MY_DOCKER_ENV_X=mine' run_container web sleep 1000
	env=$(in_c web env | grep MY_DOCKER | sort)
	expect_equal "$env" "MY_DOCKER_ENV_PASSWORD=gordon=x
MY_DOCKER_ENV_X=mine
MY_DOCKER_NAME=/web/my-docker
MY_DOCKER_PORT=tcp://$address:6379
MY_DOCKER_PORT_6379_TCP=tcp://$address:6379
MY_DOCKER_PORT_6379_TCP_ADDR=$address
MY_DOCKER_PORT_6379_TCP_PORT=6379
MY_DOCKER_PORT_6379_TCP_PROTO=tcp
MY_DOCKER_PORT_6380_UDP=udp://$address:6380
MY_DOCKER_PORT_6380_UDP_ADDR=$address
MY_DOCKER_PORT_6380_UDP_PORT=6380
MY_DOCKER_PORT_6380_UDP_PROTO=udp
MY_DOCKER_PORT_7000_TCP=tcp://$address:7000
MY_DOCKER_PORT_7000_TCP_ADDR=$address
MY_DOCKER_PORT_7000_TCP_PORT=7000
MY_DOCKER_PORT_7000_TCP_PROTO=tcp"
	expect_equal "$(tr '\0' '\n' <"/proc/$(field "$MNT/containers/web/status" Pid)/environ" | grep MY_DOCKER | sort)" "$env"
	expect_equal "$(grep Link: "$MNT/containers/web/net")" $'Link:\tdb:my-docker'
	in_c web ping -c 1 -W 3 my-docker >/dev/null
	# Another address, another name: the alias and the names follow, in the file that is mounted.
	ctl 'restart -t 0 db'
	expect_failure test "$(net_of db IPAddress)" = "$address"
	has_name web "$(net_of db IPAddress)" my-docker
	expect_failure has_name web "$address" my-docker
	ctl 'rename db sql'
	in_c web ping -c 1 -W 3 sql >/dev/null
	in_c web ping -c 1 -W 3 my-docker >/dev/null
	expect_failure has_name web '.*' db
	ctl 'kill sql'
	expect_failure has_name web '.*' my-docker
	expect_failure has_name web '.*' sql
	expect_refusal ESRCH "run: cannot link to a non running container: 'sql'" "run --name x --link sql:d $IMAGE true"
	expect_refusal EINVAL "start: cannot link to itself: 'self'" "$(ctl "create --name self --link self:me $IMAGE true" >/dev/null; echo start self)"
	OPTIONS='--net none' run_container alone sleep 1000
	expect_refusal EINVAL "run: cannot link to container 'alone': it is not on the bridge" "run --link alone:a $IMAGE true"
}

@test "names come and go; what a container writes into its hosts file stays" {
	OPTIONS='--add-host far:192.0.2.9' run_container one sleep 1000
	in_c one sh -c 'echo 192.0.2.1 mine >>/etc/hosts'
	run_container two sleep 1000
	in_c one ping -c 1 -W 3 two >/dev/null
	in_c two ping -c 1 -W 3 one >/dev/null
	in_c two ping -c 1 -W 3 "$(field "$MNT/containers/one/status" Id | cut -c 1-12)" >/dev/null
	kill_engine
	ctl 'kill two'
	expect_failure has_name one '.*' two
	has_name one 192.0.2.9 far
	expect_equal "$(in_c one tail -n 1 /etc/hosts)" '192.0.2.1 mine'
	OPTIONS='--dns 192.0.2.5 --dns-search a.example --dns-option ndots:3' run_container dns sleep 1000
	expect_equal "$(in_c dns cat /etc/resolv.conf)" $'nameserver 192.0.2.5\nsearch a.example\noptions ndots:3'
	# Not a word in the hosts file can be forged by a host's name.
	expect_errno EINVAL write "$MNT/ctl" "create -h \$'a\\nb' $IMAGE true"
}

@test "kill -9 of the engine, of the relay and of a shim: ports and addresses go on, or are free" {
	local before relay
	OPTIONS='-p 5555:80 -p 5556' serve web
	before=$(cat "$MNT/containers/web/net")
	kill_engine
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5555
	expect_equal "$(cat "$MNT/containers/web/net")" "$before"
	expect_match "$("$SANDBOX/netpeer" ask tcp ::1 5555)" '^web '
	# The next one's addresses and ports are others.
	OPTIONS='-p 80' serve next
	expect_failure test "$(net_of next IPAddress)" = "$(net_of web IPAddress)"
	expect_refusal EADDRINUSE "run: host port 5555/tcp is taken by container 'web'" "run -p 5555:1 $IMAGE true"

	relay=$(list_relays)
	kill -KILL "$relay"
	eventually gone "$relay"
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5555
	kill_engine
	eventually test -n "$(bounded cat "$MNT/info" >/dev/null; list_relays)"
	expect_match "$("$SANDBOX/netpeer" ask tcp ::1 5555)" '^web '

	kill -KILL "$(cut -d' ' -f1 "$RUN/$(field "$MNT/containers/web/status" Id | cut -c 1-12)/shim.pid")"
	expect_equal "$(wait_exit web)" 137
	expect_match "$("$SANDBOX/netpeer" ask tcp 127.0.0.1 5555)" refused
	kill_engine
	ctl 'start web'
	expect_match "$(ctl 'port web 5556')" "$(sed -n 's/^5556.*0.0:\(.*\)/\1/p' <<<"$before")"
}

list_relays() {
	local pid
	for pid in $(list_own_pids); do
		[[ $(readlink "/proc/$pid/exe") != *containerfs-relay* ]] || echo "$pid"
	done
}

@test "a start that fails leaves nothing, at whatever step" {
	local command
	OPTIONS='-p 5600:80' serve web
	for command in "-p 5601:80 $IMAGE /nope" "-p 5601:80 -w /etc/passwd/x $IMAGE true" \
		"-p 5601:80 -p 5600:81 $IMAGE true" "-p 5601:80 --sysctl net.no.such=1 $IMAGE true" \
		"-p 5601:80 -p 5602:81 -p 5601:82 $IMAGE true" "-p 5601:80 -u nobody-here $IMAGE true" \
		"-p 5601:80 -v /nope/no:/x $IMAGE true" "-p 5601:80 --link web:w --link nope:n $IMAGE true"; do
		expect_failure test "$(bounded "$TRY" write "$MNT/ctl" "run --rm $command")" = OK
		"$SANDBOX/netpeer" take 0.0.0.0 5601 >"$SANDBOX/work/taken" 3>&- &
		eventually grep -q taken "$SANDBOX/work/taken"
		kill $!
		wait $! || :
	done
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5600
	# The engine dies in the middle of starts.
	for command in 1 2 3; do
		(ctl "run --name late$command -p 561$command:80 $IMAGE sleep 1000" >/dev/null 2>&1 || :) 3>&- &
		sleep 0.00"$command"
		kill_engine
		wait $!
	done
	for command in 1 2 3; do
		eventually_settled "late$command" "561$command"
	done
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5600
}

# It runs and has the port, or it does not and the port is free.
eventually_settled() {
	if [ "$(field "$MNT/containers/$1/status" State 2>/dev/null)" = running ]; then
		expect_equal "$(ctl "port $1 80" | head -n 1)" "0.0.0.0:$2"
	else
		expect_match "$("$SANDBOX/netpeer" ask tcp 127.0.0.1 "$2")" refused
	fi
}

@test "umount: ports go on; two mounts with bridges of their own, side by side" {
	OPTIONS='-p 5555:80' serve web
	mount_stop
	echo 0 >"$SANDBOX/kills"
	expect_match "$("$SANDBOX/netpeer" ask tcp 127.0.0.1 5555)" '^web '
	expect_match "$("$SANDBOX/netpeer" ask tcp ::1 5555)" '^web '
	mount_start
	expect_equal "$(ctl 'port web' | head -n 1)" '80/tcp -> 0.0.0.0:5555'
	readlink "$MNT/images/demo:1/rootfs" >/dev/null # made by the first look, taken away by the end

	mkdir "$SANDBOX/mnt2" "$SANDBOX/root/second"
	containerfs --root "$ROOT/second" --run "$SANDBOX/run2" --bridge "cf-${INSTANCE:0:5}b" \
		--subnet 10.77.0.0/24 "$SANDBOX/mnt2" 3>&- 4>&-
	cp "$SANDBOX/net.tar" "$SANDBOX/mnt2/images/net:1"
	talk "$SANDBOX/mnt2/ctl" "run --name web2 -p 5556:80 net:1 netpeer serve 80 second" >/dev/null
	grep -qm1 serving "$SANDBOX/mnt2/containers/web2/follow"
	expect_equal "$(field "$SANDBOX/mnt2/containers/web2/net" IPAddress)" 10.77.0.2
	asks 'second 10.77.0.1' here tcp 127.0.0.1 5556
	asks 'second 10.99.7.2' client tcp 10.99.7.1 5556
	asks "web 10.99.7.2" client tcp 10.99.7.1 5555
	expect_errno EADDRINUSE write "$SANDBOX/mnt2/ctl" 'run -p 5555:80 net:1 true'
	talk "$SANDBOX/mnt2/ctl" 'rm -f web2' >/dev/null
	local holder
	holder=$(field "$SANDBOX/mnt2/info" Holder)
	umount "$SANDBOX/mnt2"
	eventually gone "$holder"
	remove_instance_groups "$(get_instance "$ROOT/second")"
	asks "web $(net_of web Gateway)" here tcp 127.0.0.1 5555
	rm -r "$SANDBOX/mnt2" "$ROOT/second" "$SANDBOX/run2"
	expect_failure containerfs --root "$ROOT/x" --run "$SANDBOX/run3" --subnet 10.1.2.3/33 "$SANDBOX/work" 2>"$SANDBOX/work/err"
	expect_match "$(cat "$SANDBOX/work/err")" '10.1.2.3/33'
	rm -rf "$ROOT/x" "$SANDBOX/run3"
}

@test "TestReloadContainerLinks: after the machine was restarted, the one linked to starts first" {
	OPTIONS='--restart always' serve db
	OPTIONS='--restart always --link db:db' run_container web sleep 1000
	mount_stop
	echo 0 >"$SANDBOX/kills"
	local file
	for file in "$RUN"/*/shim.pid; do
		kill -KILL "$(cut -d' ' -f1 "$file")"
	done
	eventually nobody_lives
	find "$RUN" -mindepth 1 -maxdepth 1 ! -name rootfs.empty -exec rm -r {} +
	sed -i 's/"boot": *"[^"]*"/"boot":"another"/' "$ROOT"/containers/*/state.json
	mount_start
	wait_state web running
	expect_equal "$(for file in db web; do
		echo "$(field "$MNT/containers/$file/status" Started) $file"
	done | sort | sed 's/.* //' | tr '\n' ' ')" 'db web '
	has_name web "$(net_of db IPAddress)" db
	expect_match "$(in_c web env)" "DB_PORT|DB_NAME=/web/db"
	readlink "$MNT/images/demo:1/rootfs" >/dev/null # made by the first look, taken away by the end
}

nobody_lives() {
	[ -z "$(list_own_pids)" ]
}
