# A container's life: create, start, stop, kill, restart, rename, rm, and its exit code.

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

status_of() {
	field "$MNT/containers/$1/status" "$2"
}

# What a command in a container says.
output_of() {
	local id
	# shellcheck disable=SC2086
	id=$(ctl "create ${OPTIONS:-} $IMAGE $(quote "$@")") || return 1
	ctl "start $id" >/dev/null || return 1
	wait_exit "$id" >/dev/null
	cat "$MNT/containers/$id/logs"
}

@test "created, running, exited: status tells" {
	local pid
	ctl "create --name web $IMAGE sleep 1000" >/dev/null
	expect_equal "$(status_of web State) $(status_of web Pid) $(status_of web ExitCode)" 'created 0 0'
	expect_equal "$(status_of web Image)" "$IMAGE"
	expect_equal "$(status_of web Started)" 0001-01-01T00:00:00Z
	ctl 'start web' >/dev/null
	pid=$(status_of web Pid)
	expect_equal "$(status_of web State)" running
	expect_equal "$(tr '\0' ' ' <"/proc/$pid/cmdline")" 'sleep 1000 '
	ctl 'kill web' >/dev/null
	expect_equal "$(status_of web State) $(status_of web Pid) $(status_of web ExitCode)" 'exited 0 137'
	expect_equal "$(status_of web Error)" ''
	[ ! -e "/proc/$pid" ]
	[[ $(status_of web Finished) > $(status_of web Started) ]]
}

@test "exit codes: the program's own, 128+n by signal n" {
	local code
	for code in 0 1 3 255; do
		run_container "e$code" sh -c "exit $code"
		expect_equal "$(wait_exit "e$code")" "$code"
		expect_equal "$(status_of "e$code" ExitCode)" "$code"
	done
	run_container term sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
	wait_line term ready
	ctl 'kill -s TERM term' >/dev/null
	expect_equal "$(wait_exit term)" 7
	run_container hup sleep 1000
	ctl 'kill -s KILL hup' >/dev/null
	expect_equal "$(wait_exit hup)" 137
}

@test "a program that is not there fails the start: ENOENT, 127" {
	expect_errno ENOENT write "$MNT/ctl" "run --name gone $IMAGE /no/such/program"
	expect_match "$(cat "$MNT/error")" '^error: run: .*/no/such/program'
	expect_equal "$(status_of gone State) $(status_of gone ExitCode)" 'exited 127'
	expect_match "$(status_of gone Error)" '/no/such/program'
	expect_equal "$(wait_exit gone)" 127
}

@test "a program that cannot be executed fails the start: EACCES, 126" {
	expect_errno EACCES write "$MNT/ctl" "run --name no $IMAGE /etc/passwd"
	expect_equal "$(status_of no State) $(status_of no ExitCode)" 'exited 126'
	expect_match "$(status_of no Error)" '/etc/passwd'
}

@test "with --rm nothing is left, of a missing program either" {
	ctl "run --rm --name web $IMAGE true" >/dev/null
	eventually [ ! -e "$MNT/containers/web" ]
	expect_errno ENOENT write "$MNT/ctl" "run --rm --name web $IMAGE /no/such/program"
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "stop sends SIGTERM, then kills; of a stopped one it succeeds" {
	run_container soft sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
	run_container hard sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
	wait_line soft ready
	wait_line hard ready
	ctl 'stop soft' >/dev/null
	expect_equal "$(status_of soft State) $(status_of soft ExitCode)" 'exited 9'
	ctl_of hard 'stop 0' >/dev/null
	expect_equal "$(status_of hard State) $(status_of hard ExitCode)" 'exited 137'
	ctl 'stop soft hard' >/dev/null
}

@test "stop uses StopSignal and StopTimeout" {
	OPTIONS='--stop-signal USR1 --stop-timeout 0' run_container web \
		sh -c 'trap "exit 5" USR1; echo ready; while :; do sleep 0.1; done'
	wait_line web ready
	ctl 'stop -t 10 web' >/dev/null
	expect_equal "$(status_of web ExitCode)" 5
	OPTIONS='--stop-timeout 0' run_container deaf sh -c 'trap "" TERM; echo ready; sleep 1000'
	wait_line deaf ready
	ctl 'stop deaf' >/dev/null
	expect_equal "$(status_of deaf ExitCode)" 137
}

@test "restart -s ends it by another signal" {
	run_container web sh -c 'trap "echo usr; exit 5" USR1; echo up; while :; do sleep 0.1; done'
	wait_line web up
	ctl 'restart -s USR1 web' >/dev/null
	wait_line web usr
	expect_refusal EINVAL "restart: -s: unknown signal 'NOPE'" 'restart -s NOPE web'
}

@test "restart runs it again, and its output is appended" {
	local first
	run_container web sh -c 'echo run; exec sleep 1000'
	wait_line web run
	first=$(status_of web Pid)
	ctl 'restart -t 0 web' >/dev/null
	[ "$(status_of web Pid)" != "$first" ]
	expect_equal "$(status_of web State) $(status_of web Restarts)" 'running 0'
	eventually grep -qz $'^run\nrun\n$' "$MNT/containers/web/logs"
}

@test "start again after an end" {
	ctl "create --name web $IMAGE sh -c 'echo x; exit 4'" >/dev/null
	for _ in 1 2 3; do
		ctl 'start web' >/dev/null
		expect_equal "$(wait_exit web)" 4
	done
	expect_equal "$(cat "$MNT/containers/web/logs")" $'x\nx\nx'
}

@test "mkdir creates, rmdir removes, mv -T renames" {
	mkdir "$MNT/containers/web"
	expect_equal "$(status_of web State)" created
	expect_equal "$(cat "$MNT/containers/web/config")" '{}'
	expect_errno EEXIST mkdir "$MNT/containers/web"
	echo "{\"Image\": \"$IMAGE\", \"Cmd\": [\"sleep\", \"1000\"]}" >"$MNT/containers/web/config"
	echo start >"$MNT/containers/web/ctl"
	expect_equal "$(status_of web State)" running
	mv -T "$MNT/containers/web" "$MNT/containers/other"
	expect_equal "$(status_of other Name)" other
	[ ! -e "$MNT/containers/web" ]
	expect_errno EBUSY rmdir "$MNT/containers/other"
	echo kill >"$MNT/containers/other/ctl"
	rmdir "$MNT/containers/other"
	expect_equal "$(ls "$MNT/containers")" ''
	expect_errno ENOENT rmdir "$MNT/containers/other"
	expect_errno EINVAL mkdir "$MNT/containers/-bad"
	expect_errno EINVAL mkdir "$MNT/containers/0123456789ab"
	expect_sentence "$(sed 's/^error: //' "$MNT/error")"
}

@test "a taken name is EEXIST, also for mv" {
	mkdir "$MNT/containers/a" "$MNT/containers/b"
	expect_errno EEXIST rename "$MNT/containers/a" "$MNT/containers/b"
	run mv -T "$MNT/containers/a" "$MNT/containers/b"
	[ "$status" -ne 0 ]
	expect_equal "$(ls "$MNT/containers")" $'a\nb'
	expect_errno EINVAL rename "$MNT/containers/a" "$MNT/containers/bad name"
}

@test "rm refuses a running one; rm -f ends it" {
	local pid
	run_container web sleep 1000
	pid=$(status_of web Pid)
	expect_errno EBUSY write "$MNT/ctl" 'rm web'
	expect_equal "$(status_of web State)" running
	ctl 'rm -f web' >/dev/null
	[ ! -e "$MNT/containers/web" ]
	eventually [ ! -e "/proc/$pid" ]
}

@test "wait gives the code, of several in order" {
	run_container a sh -c 'exit 3'
	run_container b sh -c 'exit 4'
	expect_equal "$(ctl 'wait a b')" $'3\n4'
	expect_equal "$(ctl_of a wait)" 3
}

@test "the environment is Docker's, the image's and the user's" {
	OPTIONS="--name env -h box -e A=1 -e B='two words' -e EMPTY=" output_of env >"$SANDBOX/work/env"
	sort "$SANDBOX/work/env" >"$SANDBOX/work/sorted"
	expect_equal "$(cat "$SANDBOX/work/sorted")" 'A=1
B=two words
EMPTY=
HOME=/root
HOSTNAME=box
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
}

@test "users, directories, entry points, host names" {
	OPTIONS='-u demo' expect_equal "$(OPTIONS='-u demo' output_of sh -c 'id -u; id -g; echo $HOME')" \
		$'1000\n1000\n/home/demo'
	expect_equal "$(OPTIONS='-u 7:8' output_of sh -c 'id -u; id -g; echo $HOME')" $'7\n8\n/'
	expect_equal "$(OPTIONS='-w /tmp' output_of pwd)" /tmp
	expect_equal "$(OPTIONS='-w /not/there/yet' output_of pwd)" /not/there/yet
	expect_equal "$(OPTIONS='--entrypoint echo' output_of a b)" 'a b'
	expect_equal "$(OPTIONS='-h box' output_of hostname)" box
	expect_errno EINVAL write "$MNT/ctl" "run -u nobody-of-that-name $IMAGE true"
	expect_match "$(cat "$MNT/error")" nobody-of-that-name
}

@test "it is process 1, sees only its own processes, and without a network has only loopback" {
	expect_equal "$(output_of sh -c 'echo $$')" 1
	expect_equal "$(output_of sh -c 'ls -d /proc/[0-9]* | wc -l')" 3
	expect_equal "$(OPTIONS='--net none' output_of ls /sys/class/net)" lo
}

@test "/dev, /proc and /sys are as Docker has them" {
	expect_equal "$(output_of sh -c 'for d in null zero full random urandom tty; do
		[ -c /dev/$d ] || echo no $d; done; ls -l /dev/fd /dev/stdin | wc -l
		echo x > /dev/null; [ -d /dev/shm ] && [ -d /dev/pts ] && [ -d /dev/mqueue ] && echo dirs')" \
		$'2\ndirs'
	expect_equal "$(output_of sh -c 'echo 1 2>/dev/null >/proc/sys/kernel/sysrq || echo refused')" refused
	expect_equal "$(output_of sh -c 'for f in kcore keys timer_list sched_debug; do
		[ ! -e /proc/$f ] || cat /proc/$f; done; ls /proc/scsi /sys/firmware 2>/dev/null | grep -v ":$"')" ''
	expect_equal "$(output_of sh -c 'touch /sys/x 2>/dev/null || echo refused')" refused
	expect_equal "$(output_of sh -c 'mknod /tmp/sda b 8 0 && cat /tmp/sda 2>&1 | tail -n 1')" \
		"cat: can't open '/tmp/sda': Operation not permitted"
	expect_equal "$(output_of sh -c 'mount -t tmpfs none /tmp 2>/dev/null || echo refused; grep CapEff /proc/self/status')" \
		"$(printf 'refused\nCapEff:\t00000000a80425fb')"
}

@test "memory, cpu shares and pids have limits" {
	OPTIONS='-m 32m' run_container oom sh -c 'exec tail /dev/zero'
	expect_equal "$(wait_exit oom)" 137
	expect_equal "$(status_of oom OOMKilled)" yes
	OPTIONS='--pids-limit 8' run_container fork sh -c 'i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; echo all'
	wait_exit fork >/dev/null
	grep -q fork "$MNT/containers/fork/stderr"
	expect_errno EINVAL write "$MNT/ctl" "run -m 1k $IMAGE true"
}

@test "rootfs is readable and writable in every state, and shows what the container sees" {
	local dir=$MNT/containers/web
	ctl "create --name web $IMAGE sh -c 'cat /before; echo inside >/inside; exec sleep 1000'" >/dev/null
	echo outside >"$dir/rootfs/before"
	ctl 'start web' >/dev/null
	wait_line web outside
	eventually [ -s "$dir/rootfs/inside" ]
	expect_equal "$(cat "$dir/rootfs/inside")" inside
	echo live >"$dir/rootfs/tmp/live"
	expect_equal "$(cat "$dir/root/tmp/live")" live
	expect_equal "$(ls "$dir/rootfs/proc")" ''
	[ -e "$dir/root/proc/1" ]
	ctl 'kill web' >/dev/null
	expect_equal "$(cat "$dir/rootfs/inside")" inside
	[ ! -e "$MNT/images/$IMAGE/rootfs/inside" ]
}

@test "inspect is one JSON object with Docker's names" {
	OPTIONS='-m 64m -l a=b' run_container web sh -c 'sleep 1000'
	local file=$MNT/containers/web/inspect path
	expect_equal "$(jq -r .Id "$file")" "$(status_of web Id)"
	expect_equal "$(jq -r .Name "$file")" web
	expect_equal "$(jq -c '[.Path, .Args]' "$file")" '["sh",["-c","sleep 1000"]]'
	expect_equal "$(jq -r .State.Status "$file")" running
	expect_equal "$(jq -r .State.Pid "$file")" "$(status_of web Pid)"
	expect_equal "$(jq -r .Image "$file")" "sha256:$(sha256sum <"$MNT/images/$IMAGE/config" | cut -d' ' -f1)"
	expect_equal "$(jq -r .Config.Memory "$file")" 67108864
	expect_equal "$(jq -c .Config.Labels "$file")" '{"a":"b"}'
	expect_match "$(jq -r .NetworkSettings.IPAddress "$file")" '^[0-9]+(\.[0-9]+){3}$'
	for path in LogPath HostsPath HostnamePath ResolvConfPath GraphDriver.Data.MergedDir; do
		[ -e "$(jq -r ".$path" "$file")" ] || fail "$path"
	done
	cmp "$(jq -r .LogPath "$file")" "$MNT/containers/web/logs.json"
	expect_equal "$(jq -r .HostConfig.LogConfig.Type "$file")" json-file
}

@test "inspect --format: what the manual of docker inspect shows" {
	OPTIONS='-p 127.0.0.1:0:80 -l a.b=c' run_container web sleep 1000
	local file=$MNT/containers/web/inspect
	expect_equal "$(cfs inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web)" \
		"$(jq -r .NetworkSettings.IPAddress "$file")"
	expect_equal "$(cfs inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' web)" \
		"$(jq -r '.NetworkSettings.Ports["80/tcp"][0].HostPort' "$file")"
	expect_match "$(cfs inspect -f '{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}' web)" \
		'^80/tcp -> [0-9]+$'
	expect_equal "$(cfs inspect -f '{{index .Config.Labels "a.b"}} {{if .State.Running}}up{{else}}down{{end}}' web)" 'c up'
	expect_equal "$(cfs inspect --type image -f '{{join .RepoTags ","}}' "$IMAGE")" "$IMAGE"
	expect_refusal ENOENT "inspect: no such image: web" 'inspect --type image web'
	expect_refusal ENOENT "inspect: no such container: $IMAGE" "inspect --type container $IMAGE"
}

@test "what answered is seen by all: no EBUSY after stop, wait or kill" {
	local how
	for how in 'stop -t 0' kill; do
		run_container web sleep 1000
		ctl "$how web" >/dev/null
		rmdir "$MNT/containers/web"
	done
	run_container web true
	wait_exit web >/dev/null
	rmdir "$MNT/containers/web"
}

@test "32 runs at once all succeed" {
	local i pids=()
	for i in {1..32}; do
		ctl "run --name r$i $IMAGE sh -c 'echo $i; exit $i'" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in {1..32}; do
		expect_equal "$(wait_exit "r$i")" "$i"
		expect_equal "$(cat "$MNT/containers/r$i/logs")" "$i"
	done
}

@test "200 containers come and go, and nothing is left" {
	local i
	for i in {1..200}; do
		echo "run --name cycle $IMAGE true" >"$MNT/ctl"
		cat "$MNT/containers/cycle/wait" >/dev/null
		rmdir "$MNT/containers/cycle"
	done
}
