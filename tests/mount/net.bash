# For tests of the network: an image with a peer that asks and answers, and a client host.
# shellcheck shell=bash
IMAGE=net:1

# net_start [OPTION...]: a sandbox whose containerfs has these options, the image, the client.
net_start() {
	sandbox_start "$@"
	IMAGE=demo:1 import_demo
	"${CC:-cc}" -std=gnu17 -O1 -Wall -static -o "$SANDBOX/netpeer" "$TOP/tests/mount/netpeer.c"
	mkdir "$SANDBOX/net"
	tar -xzf "$SANDBOX/demo.tar.gz" -C "$SANDBOX/net"
	cp "$SANDBOX/netpeer" "$SANDBOX/net/bin/netpeer"
	tar -C "$SANDBOX/net" -cf "$SANDBOX/net.tar" .
	cp "$SANDBOX/net.tar" "$MNT/images/net:1"
	make_client
}

net_end() {
	kill "$(cat "$SANDBOX/client")"
	sandbox_end
}

# Another host, in a network of its own, behind an interface of ours.
make_client() {
	local name=up${INSTANCE:0:6}
	unshare --net sleep infinity 3>&- 4>&- &
	echo $! >"$SANDBOX/client"
	eventually is_apart $!
	ip link add "$name" type veth peer name up0 netns $!
	ip addr add 10.99.7.1/24 dev "$name"
	ip -6 addr add fd99:7::1/64 dev "$name" nodad
	ip link set "$name" up
	in_client sh -c 'ip link set lo up; ip addr add 10.99.7.2/24 dev up0
		ip -6 addr add fd99:7::2/64 dev up0 nodad; ip link set up0 up
		ip route add default via 10.99.7.1; ip -6 route add default via fd99:7::1'
}

is_apart() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

in_client() {
	nsenter --net="/proc/$(cat "$SANDBOX/client")/ns/net" "$@"
}

# in NAME WORD...: in that container, to its end.
in_c() {
	ctl_of "$1" "exec $(quote "${@:2}")"
}

# serve NAME: a container that answers on port 80. Options of run in OPTIONS.
serve() {
	run_container "$1" netpeer serve 80 "$1" && wait_line "$1" serving
}

net_of() {
	field "$MNT/containers/$1/net" "$2"
}

# asks EXPECTED WORD...: what `netpeer ask` prints, here or (first word "client" or a container) there.
asks() {
	local want=$1 where=$2
	case $where in
	here) expect_equal "$("$SANDBOX/netpeer" ask "${@:3}")" "$want" ;;
	client) expect_equal "$(in_client "$SANDBOX/netpeer" ask "${@:3}")" "$want" ;;
	*) expect_equal "$(in_c "$where" netpeer ask "${@:3}")" "$want" ;;
	esac
}
