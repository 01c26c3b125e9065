# Shims that are ready before anybody asks for a container (docs/start.md): used, made again, of
# one engine alone, and nobody's when they are of no use.

load lib

setup_file() {
	sandbox_start
	import_demo
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

engine() {
	field "$MNT/info" Pid
}

# Pids of this engine's spare shims, one a line.
list_spares() {
	ps -o pid= -o comm= --ppid "$(engine)" | sed -n 's/^ *\([0-9]*\) cfs-spare$/\1/p'
}

has_two_spares() {
	[ "$(list_spares | wc -l)" = 2 ]
}

# Two for containers on a network of their own, by a start of one.
fill_stock() {
	run_container first true
	wait_exit first >/dev/null
	ctl 'rm first' >/dev/null
	eventually has_two_spares
}

shim_of() {
	ps -o ppid= "$(field "$MNT/containers/$1/status" Pid)" | tr -d ' '
}

namespace_of() {
	readlink "/proc/$1/ns/$2"
}

@test "a start takes a shim that is there, and another is made" {
	local spares
	fill_stock
	spares=$(list_spares)
	run_container web sleep 1000
	grep -qx "$(shim_of web)" <<<"$spares"
	eventually has_two_spares
	expect_match "$(ps -o args= "$(shim_of web)")" "^containerfs-shim $(field "$MNT/containers/web/status" Id | cut -c1-12)$"
	ctl 'rm -f web' >/dev/null
}

@test "the container has its namespaces to itself, and its cgroup for a root" {
	local pid shim kind
	fill_stock
	run_container web sh -c 'cat /proc/self/cgroup; hostname; echo ready; exec sleep 1000'
	wait_line web ready
	pid=$(field "$MNT/containers/web/status" Pid)
	shim=$(shim_of web)
	for kind in mnt uts ipc net pid cgroup; do
		[ "$(namespace_of "$pid" $kind)" != "$(namespace_of "$(engine)" $kind)" ]
	done
	for kind in uts ipc net pid cgroup; do
		expect_equal "$(namespace_of "$shim" $kind)" "$(namespace_of "$(engine)" $kind)"
	done
	[ "$(namespace_of "$shim" mnt)" != "$(namespace_of "$pid" mnt)" ]
	# Nothing of the host's, nor another's control group.
	expect_equal "$(sed '/ready/d; $d' "$MNT/containers/web/logs" | grep -vc ':/$')" 1
	expect_equal "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)" 3
	ctl 'rm -f web' >/dev/null
}

@test "shims that were killed in stock: a start makes its own" {
	fill_stock
	list_spares | xargs kill -KILL
	run_container web sleep 1000
	has_state web running
	ctl 'rm -f web' >/dev/null
	eventually has_two_spares
}

spares_have_gone() {
	local pid
	for pid in $1; do
		[ ! -e "/proc/$pid" ] || return 1
	done
}

@test "kill -9 of the engine: its stock goes, and the next engine makes its own" {
	local spares
	fill_stock
	run_container web sleep 1000
	eventually has_two_spares
	spares=$(list_spares)
	kill_engine
	eventually spares_have_gone "$spares"
	has_state web running
	expect_equal "$(list_spares)" ""
	fill_stock
	ctl 'rm -f web' >/dev/null
}

@test "an unmount leaves no shim in stock, and the next mount begins without" {
	local spares
	fill_stock
	spares=$(list_spares)
	mount_stop
	spares_have_gone "$spares"
	mount_start
	echo 0 >"$SANDBOX/kills"
	expect_equal "$(list_spares)" ""
	readlink "$MNT/images/$IMAGE/rootfs" >/dev/null # as import_demo left it
}

@test "the end of a run holds nothing: descriptors do not grow" {
	local before name
	fill_stock
	before=$(find "/proc/$(engine)/fd" | wc -l)
	for name in a b c d e f; do
		run_container "$name" sh -c 'echo x >/file'
		wait_exit "$name" >/dev/null
		ctl "start $name" >/dev/null
		wait_exit "$name" >/dev/null
		ctl "rm $name" >/dev/null
	done
	eventually has_two_spares
	few_descriptors() {
		[ "$(find "/proc/$(engine)/fd" | wc -l)" -le "$((before + 4))" ]
	}
	eventually few_descriptors
}
