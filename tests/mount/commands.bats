# Commands: words, lines, replies, errors, each with its errno and its sentence.

load lib

setup_file() {
	sandbox_start
	cat "$MNT/ctl" >"$SANDBOX/work/first"
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

# What a container's process got as its words, one a line.
words_of() {
	local id
	id=$(ctl "create $IMAGE printf '<%s>\\n' $1") || return 1
	ctl "start $id" >/dev/null
	wait_exit "$id" >/dev/null
	cat "$MNT/containers/$id/logs"
}

@test "words are split as a shell splits them" {
	expect_equal "$(words_of "a  b	c")" $'<a>\n<b>\n<c>'
	expect_equal "$(words_of "'a  b' \"c d\" e\\ f")" $'<a  b>\n<c d>\n<e f>'
	expect_equal "$(words_of "''\"\" x'y'\"z\"")" $'<>\n<xyz>'
	expect_equal "$(words_of "\$'a\\tb\\x41\\101\\'' # a comment")" $'<a\tbAA\'>'
	expect_equal "$(words_of 'a#b "#c"')" $'<a#b>\n<#c>'
	expect_equal "$(words_of "'a\\n' \"\\\"\\\\\"")" $'<a\\n>\n<"\\>'
}

@test "nothing is expanded" {
	# shellcheck disable=SC2016
	expect_equal "$(words_of '$HOME * ~ `id` $(id) {a,b} "$x"')" \
		$'<$HOME>\n<*>\n<~>\n<`id`>\n<$(id)>\n<{a,b}>\n<$x>'
}

@test "a newline in quotes belongs to the word if the quote closes in the same write" {
	expect_equal "$(words_of $'"a\nb" \'c\nd\'')" $'<a\nb>\n<c\nd>'
}

@test "a write that ends in a quote is EINVAL, and every later one on that descriptor" {
	exec 5>"$MNT/ctl"
	printf "create --name torn %s 'a\n" "$IMAGE" >&5 && fail 'taken'
	expect_match "$(cat "$MNT/error")" '^error: .*quote'
	printf 'create --name torn %s true\n' "$IMAGE" >&5 && fail 'taken'
	exec 5>&-
	[ ! -e "$MNT/containers/torn" ]
	expect_errno OK write "$MNT/ctl" "create --name torn $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "create --name 'x"
}

@test "comments and empty lines are no commands" {
	ctl '# nothing' '' '   ' $'\n\n# a\n' >/dev/null
	expect_equal "$(ctl $'# a\nversion\n\n#b' | head -c 8)" Version:
}

@test "several commands in one write, in order; the last newline may be missing" {
	expect_errno OK write "$MNT/ctl" "create --name a $IMAGE true
create --name b $IMAGE true"
	expect_equal "$(ls "$MNT/containers")" $'a\nb'
	expect_equal "$(reply)" "$(field "$MNT/containers/a/status" Id)
$(field "$MNT/containers/b/status" Id)"
}

@test "the first that fails ends a write: those before it stand, those after it are not done" {
	expect_errno ENOENT write "$MNT/ctl" "create --name a $IMAGE true
start nope
create --name c $IMAGE true
"
	expect_equal "$(ls "$MNT/containers")" a
	expect_equal "$(reply)" "$(field "$MNT/containers/a/status" Id)
error: start: no such container: nope"
	expect_sentence 'start: no such container: nope'
}

@test "several names are resolved first: one unknown, nothing is done" {
	ctl "create --name a $IMAGE true" "create --name b $IMAGE true" >/dev/null
	expect_refusal ENOENT 'rm: no such container: nope' 'rm a nope b'
	expect_equal "$(ls "$MNT/containers")" $'a\nb'
	run_container busy sleep 1000
	expect_errno EBUSY write "$MNT/ctl" 'rm a busy b'
	expect_equal "$(ls "$MNT/containers")" $'b\nbusy'
	expect_match "$(reply)" $'^a\nerror: rm: .*busy'
}

@test "the unfinished last line of a long write waits for the next one, or for the close" {
	local label
	label=$(printf '%05000d' 7)
	# The first alone is no command: it would make a container without an image, EINVAL.
	expect_errno OK write "$MNT/ctl" "create --name long -l a=$label" "8 $IMAGE true
"
	expect_equal "$(jq -r .Labels.a "$MNT/containers/long/config")" "${label}8"
	expect_errno OK write "$MNT/ctl" "create --name close -l a=$label $IMAGE true"
	[ -d "$MNT/containers/close" ]
}

@test "a command is at most 64 KiB" {
	local long
	long=$(printf '%070000d' 7)
	expect_errno E2BIG write "$MNT/ctl" "create --name big -l a=$long $IMAGE true
"
	expect_match "$(cat "$MNT/error")" '^error: '
	[ ! -e "$MNT/containers/big" ]
	long=$(printf '%060000d' 7)
	expect_errno OK write "$MNT/ctl" "create --name big -l a=$long $IMAGE true
"
}

@test "a NUL byte is no part of a command" {
	printf 'create --name a\0b %s true\n' "$IMAGE" >"$MNT/ctl" && fail 'taken'
	expect_match "$(cat "$MNT/error")" '^error: .*NUL'
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "the reply is read from the same descriptor, to end of file, and again" {
	local id
	exec 5<>"$MNT/ctl"
	echo "create --name web $IMAGE true" >&5
	id=$(cat <&5)
	expect_match "$id" '^[0-9a-f]{64}$'
	expect_equal "$(cat <&5)" ''
	echo 'inspect web' >&5
	expect_equal "$(jq -r '.[0].Id' <&5)" "$id"
	exec 5>&-
	expect_equal "$(reply | jq -r '.[0].Id')" "$id"
	expect_equal "$(reply | jq -r '.[0].Id')" "$id"
}

@test "dash and busybox sh read a reply from the same descriptor" {
	local shell
	for shell in dash 'busybox sh'; do
		# shellcheck disable=SC2016
		expect_match "$($shell -c 'exec 3<>"$1"; echo version >&3; read -r line <&3; echo "$line"' \
			- "$MNT/ctl")" '^Version:'
	done
}

@test "Python's r+ writes and reads" {
	expect_match "$(python3 -c 'import sys
with open(sys.argv[1], "r+") as f:
    f.write("version\n")
    f.flush()
    print(f.read())' "$MNT/ctl")" '^Version:'
}

@test "sed, tee, dd and >> write commands too" {
	echo "create --name a $IMAGE true" | tee "$MNT/ctl" >/dev/null
	echo "create --name b $IMAGE true" | dd of="$MNT/ctl" status=none
	echo "create --name c $IMAGE true" >>"$MNT/ctl"
	printf 'create --name d %s true\n' "$IMAGE" | sed -n "w $MNT/ctl"
	busybox sh -c "echo 'create --name e $IMAGE true' > '$MNT/ctl'"
	expect_equal "$(ls "$MNT/containers")" $'a\nb\nc\nd\ne'
}

@test "a reply belongs to a session; one that has not written sees its user's last" {
	ctl version >/dev/null
	setsid -w bash -c "echo 'ps -q' > '$MNT/ctl'; cat '$MNT/ctl'; echo 'start nope' > '$MNT/ctl'
		cat '$MNT/ctl'" >"$SANDBOX/work/other" 2>/dev/null || :
	expect_equal "$(cat "$SANDBOX/work/other")" 'error: start: no such container: nope'
	expect_match "$(reply)" '^Version:'
	expect_equal "$(setsid -w cat "$MNT/ctl")" 'error: start: no such container: nope'
	echo version >"$MNT/ctl"
	expect_match "$(setsid -w cat "$MNT/ctl")" '^Version:'
}

@test "sentences belong to a session" {
	expect_errno ENOENT write "$MNT/ctl" 'start mine'
	setsid -w bash -c "echo 'start theirs' > '$MNT/ctl'" 2>/dev/null || :
	expect_sentence 'start: no such container: mine'
	ctl version >/dev/null
	expect_sentence 'start: no such container: mine' # success does not clear it
}

@test "before the first command a ctl gives the usage, after one without a reply nothing" {
	expect_equal "$(cat "$SANDBOX/work/first")" "$(cat "$MNT/help")"
	ctl "tag $IMAGE other:1" >/dev/null
	expect_equal "$(reply)" ''
	expect_equal "$(stat -c %s "$MNT/ctl")" 0
	ctl 'rmi other:1' >/dev/null
	ctl "create --name web $IMAGE true" >/dev/null
	grep -qw start "$MNT/containers/web/ctl"
}

@test "in a container's ctl its name is left out, and other commands are EINVAL" {
	run_container web sleep 1000
	expect_errno EINVAL write "$MNT/containers/web/ctl" "run $IMAGE true"
	expect_match "$(cat "$MNT/containers/web/ctl")" '^error: run: '
	expect_errno EINVAL write "$MNT/containers/web/ctl" images
	expect_errno EINVAL write "$MNT/containers/web/ctl" 'rm web'
	ctl_of web 'kill TERM' 'kill' 'rename other' >/dev/null
	expect_equal "$(ls "$MNT/containers")" other
	ctl_of other rm >/dev/null
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "a unique prefix of an id of 4 digits will do, and names come first" {
	local id
	id=$(ctl "create --name web $IMAGE true")
	expect_equal "$(ctl "inspect ${id:0:4}" | jq -r ".[0].Name")" web
	expect_errno ENOENT write "$MNT/ctl" "inspect ${id:0:3}"
	ctl "create --name ${id:0:4} $IMAGE true" >/dev/null
	expect_equal "$(ctl "inspect ${id:0:4}" | jq -r ".[0].Name")" "${id:0:4}"
	[ ! -e "$MNT/containers/${id:0:5}" ]
}

@test "ENOENT: what is not there" {
	expect_refusal ENOENT 'start: no such container: nope' 'start nope'
	expect_refusal ENOENT 'stop: no such container: nope' 'stop nope'
	expect_refusal ENOENT 'rmi: no such image: nope' 'rmi nope'
	expect_refusal ENOENT 'tag: no such image: nope:1' 'tag nope:1 other'
	expect_errno ENOENT write "$MNT/ctl" 'run nope:1 true'
	expect_match "$(cat "$MNT/error")" '^error: run: .*nope:1'
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "EEXIST: a name or a tag is taken" {
	local id
	id=$(ctl "create --name web $IMAGE true")
	expect_errno EEXIST write "$MNT/ctl" "create --name web $IMAGE true"
	expect_match "$(cat "$MNT/error")" "^error: create: .*'web'.*${id:0:12}"
	expect_errno EEXIST write "$MNT/ctl" "run --name web $IMAGE true"
	ctl "create --name other $IMAGE true" >/dev/null
	expect_errno EEXIST write "$MNT/ctl" 'rename other web'
	expect_equal "$(ls "$MNT/containers")" $'other\nweb'
}

@test "EBUSY: the wrong state" {
	run_container web sleep 1000
	expect_errno EBUSY write "$MNT/ctl" 'rm web'
	expect_match "$(cat "$MNT/error")" "^error: rm: .*web"
	expect_errno EBUSY write "$MNT/ctl" 'start web'
	expect_errno EBUSY rmdir "$MNT/containers/web"
	expect_errno EBUSY write "$MNT/ctl" "rmi $IMAGE"
	expect_match "$(cat "$MNT/error")" "^error: rmi: .*web"
}

@test "EINVAL: bad commands, options and values, quoted in the sentence" {
	expect_errno EINVAL write "$MNT/ctl" 'nonsense'
	expect_match "$(cat "$MNT/error")" "^error: .*nonsense"
	expect_refusal EINVAL "run: unknown option '--nmae'" "run --nmae web $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" 'run'
	expect_errno EINVAL write "$MNT/ctl" 'run --name'
	expect_errno EINVAL write "$MNT/ctl" "run --memory 5q $IMAGE true"
	expect_match "$(cat "$MNT/error")" "5q"
	expect_errno EINVAL write "$MNT/ctl" "create --name -bad $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "create --name a/b $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" "create --name 0123456789ab $IMAGE true"
	expect_errno EINVAL write "$MNT/ctl" 'create UPPER:1 true'
	expect_errno EINVAL write "$MNT/ctl" 'stop -t -1 web'
	expect_errno EINVAL write "$MNT/ctl" "create -e =x $IMAGE true"
	ctl "create --name web $IMAGE true" >/dev/null
	expect_errno EINVAL write "$MNT/ctl" 'stop --time=-1 web'
	expect_errno EINVAL write "$MNT/containers/web/ctl" 'stop -1'
	expect_errno EINVAL write "$MNT/ctl" 'kill -s NOPE web'
	expect_errno EINVAL write "$MNT/ctl" 'ps --filter x'
	expect_equal "$(ls "$MNT/containers")" web
}

@test "ENAMETOOLONG: a name that no listing can show" {
	local long
	long=$(printf 'a%0300d' 7)
	expect_errno ENAMETOOLONG write "$MNT/ctl" "create --name $long $IMAGE true"
	expect_errno ENAMETOOLONG mkdir "$MNT/containers/$long"
}

@test "ENOTSUP: the words of cfs name the file to use, in both kinds of ctl" {
	local word
	ctl "create --name web $IMAGE true" >/dev/null
	for word in attach cp events export logs save; do
		expect_errno ENOTSUP write "$MNT/ctl" "$word web"
		expect_match "$(cat "$MNT/error")" "^error: $word: "
		expect_errno ENOTSUP write "$MNT/containers/web/ctl" "$word"
	done
	expect_errno ENOTSUP write "$MNT/ctl" 'logs web'
	expect_match "$(cat "$MNT/error")" 'containers/.*/logs'
}

@test "ESRCH: what does not run" {
	ctl "create --name web $IMAGE true" >/dev/null
	expect_errno ESRCH write "$MNT/ctl" 'kill web'
	expect_match "$(cat "$MNT/error")" "^error: kill: .*web"
	expect_errno ESRCH write "$MNT/containers/web/stdin" x
	expect_errno OK write "$MNT/ctl" 'stop web'
}

@test "parallel commands on descriptors of their own do not mix up their replies" {
	local i pids=()
	for i in {1..16}; do
		ctl "create --name p$i $IMAGE true" >"$SANDBOX/work/reply$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in {1..16}; do
		expect_equal "$(cat "$SANDBOX/work/reply$i")" "$(field "$MNT/containers/p$i/status" Id)"
	done
}
