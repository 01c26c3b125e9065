# What Docker's first engine got wrong about ports and links: see docs/defects.md.

load lib

setup_file() {
	sandbox_start
	import_demo
	# The first port of all brings the relay, which stays.
	ctl "run --name first -p 80 $IMAGE true" >/dev/null
	wait_exit first >/dev/null
	ctl 'rm first'
}

setup() {
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

address_of() {
	field "$MNT/containers/$1/net" IPAddress
}

@test "ports and links: config keeps what was asked, published is exposed, a linker's hosts follow" {
	local before client
	mkdir "$MNT/containers/web"
	echo "{\"Image\": \"$IMAGE\", \"Cmd\": [\"sleep\", \"1000\"], \"Env\": [\"OPT=a=b\"],
		\"ExposedPorts\": {\"81/tcp\": {}},
		\"HostConfig\": {\"PortBindings\": {\"80/tcp\": [{\"HostPort\": \"\"}]}}}" >"$MNT/containers/web/config"
	before=$(cat "$MNT/containers/web/config")
	ctl 'start web' >/dev/null
	# An automatic port is no demand, and one that is exposed only is not published.
	expect_match "$(cat "$MNT/containers/web/net")" $'\n80/tcp -> 0\\.0\\.0\\.0:[1-9][0-9]+\n'
	grep -qx 81/tcp "$MNT/containers/web/net"
	expect_equal "$(jq -c '.NetworkSettings.Ports["81/tcp"]' "$MNT/containers/web/inspect")" null
	expect_equal "$(cat "$MNT/containers/web/config")" "$before"
	OPTIONS='--link web:db' run_container client sleep 1000
	client=$MNT/containers/client
	expect_equal "$(tr '\0' '\n' <"/proc/$(field "$client/status" Pid)/environ" | grep ^DB_ENV_OPT)" DB_ENV_OPT=a=b
	expect_equal "$(awk '$2 == "db" { print $1 }' "$client/root/etc/hosts")" "$(address_of web)"
	# It comes back with another address.
	before=$(address_of web)
	ctl 'stop -t 0 web' >/dev/null
	expect_equal "$(address_of web)" ''
	run_container other sleep 1000
	ctl 'start web' >/dev/null
	[ "$(address_of web)" != "$before" ]
	expect_equal "$(awk '$2 == "db" { print $1 }' "$client/root/etc/hosts")" "$(address_of web)"
}
