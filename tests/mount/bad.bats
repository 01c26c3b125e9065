# Bad input at every entrance: commands, configurations, names, archives, calls
# that fit no file. Each is refused with the right number and a sentence that
# names what was wrong, and changes nothing. The commands of tests/bad/commands
# are test_command's; here they go through a real write(2).
# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2030,SC2031,SC2045,SC2154

load lib

setup_file() {
	sandbox_start
	import_demo
	ctl "create --name first $IMAGE true" >/dev/null
	ls "$MNT/containers/first/rootfs/" >/dev/null
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

# repeat COUNT CHARACTER
repeat() {
	printf "%${1}s" '' | tr ' ' "$2"
}

NAME_RULE='allowed is [a-zA-Z0-9][a-zA-Z0-9_.-]*'

# --- commands --------------------------------------------------------------------------

@test "every bad command of the collection is refused, with its sentence, by the mount" {
	local file want sentence target
	ctl "create --name web $IMAGE true" >/dev/null
	take_snapshot | sort >"$SANDBOX/work/then"
	for file in "$TOP"/tests/bad/commands/*; do
		read -r want sentence <"$file"
		target=$(sed -n 2p "$file")
		case $target in ctl | containers/web/ctl) ;; *) fail "$file: target $target" ;; esac
		tail -n +3 "$file" | dd bs=128k iflag=fullblock status=none \
			of="$MNT/$target" conv=notrunc 2>"$SANDBOX/work/dd" && fail "$file was taken"
		grep -q "$(errno_text "$want")" "$SANDBOX/work/dd" ||
			fail "$file: not $want but $(cat "$SANDBOX/work/dd")"
		expect_equal "$(cat "$MNT/error")" "error: $sentence" || fail "$file"
	done
	take_snapshot | sort | cmp - "$SANDBOX/work/then"
}

# As strerror(3) says it.
errno_text() {
	case $1 in
	EINVAL) echo 'Invalid argument' ;;
	ENOENT) echo 'No such file or directory' ;;
	E2BIG) echo 'Argument list too long' ;;
	ENAMETOOLONG) echo 'File name too long' ;;
	ENOTSUP) echo 'Operation not supported' ;;
	ESRCH) echo 'No such process' ;;
	EEXIST) echo 'File exists' ;;
	*) echo "no text for $1" ;;
	esac
}

@test "unknown command, option, image and container" {
	expect_refusal EINVAL "unknown command 'fly'; see MNT/help" fly
	expect_refusal EINVAL "run: unknown option '--fly'" "run --fly $IMAGE"
	expect_refusal ENOENT "run: no such image: nope:1" 'run nope:1'
	expect_refusal ENOENT "start: no such container: nope" 'start nope'
	expect_refusal ENOENT "tag: no such image: nope" 'tag nope x:1'
}

@test "what is not a command at all: zero bytes, torn quotes, no UTF-8" {
	run -1 bash -c "printf 'create --name a\\0b $IMAGE\\n' >'$MNT/ctl'"
	expect_match "$output" 'Invalid argument'
	expect_sentence 'the command holds a NUL byte'
	expect_refusal EINVAL 'the command ends inside a quote' "run 'torn"
	expect_refusal EINVAL 'the command ends inside a quote' "run \"torn"
	expect_errno EINVAL write "$MNT/ctl" $'create --name x \xff\xfe'
	expect_equal "$(iconv -f UTF-8 -t UTF-8 <"$MNT/error" | head -c 14)" 'error: create:'
	expect_equal "$(ls "$MNT/containers")" ""
}

@test "after a torn quote nothing more is taken on that descriptor" {
	local fd
	exec {fd}>"$MNT/ctl"
	expect_failure printf "create --name a 'to" 1>&"$fd"
	expect_failure printf "rn'\n" 1>&"$fd"
	expect_failure printf 'create --name b\n' 1>&"$fd"
	exec {fd}>&-
	expect_equal "$(ls "$MNT/containers")" ""
	expect_errno OK write "$MNT/ctl" "create --name c $IMAGE"
}

@test "lines too long, and files of nothing but newlines" {
	local long
	long=$(repeat 65540 x)
	expect_refusal E2BIG 'the command is longer than 65536 bytes' "$long"
	head -c 1048576 /dev/zero | tr '\0' x >"$SANDBOX/work/lines"
	run -1 bounded dd if="$SANDBOX/work/lines" of="$MNT/ctl" bs=1M conv=notrunc status=none
	expect_match "$output" 'Argument list too long'
	expect_errno OK write "$MNT/ctl" $'\n'
	head -c 1048576 /dev/zero | tr '\0' '\n' >"$SANDBOX/work/lines"
	bounded dd if="$SANDBOX/work/lines" of="$MNT/ctl" bs=1M conv=notrunc status=none
	run -1 bounded dd if=/dev/zero of="$MNT/ctl" bs=1M count=1 conv=notrunc status=none
	run -1 bounded dd if=/dev/urandom of="$MNT/ctl" bs=1M count=1 conv=notrunc status=none
	# In parts: the line is too long whichever way it comes.
	head -c 200000 /dev/zero | tr '\0' x >"$SANDBOX/work/lines"
	run -1 bounded dd if="$SANDBOX/work/lines" of="$MNT/ctl" bs=4096 conv=notrunc status=none
	expect_match "$output" 'Argument list too long'
	expect_equal "$(ls "$MNT/containers")" ""
}

@test "of several commands those before the bad one stand, those after it are not done" {
	expect_errno ENOENT write "$MNT/ctl" \
		"create --name a $IMAGE"$'\nstart nope\n'"create --name b $IMAGE"$'\n'
	expect_equal "$(ls "$MNT/containers")" a
	expect_equal "$(tail -n 1 "$MNT/ctl")" 'error: start: no such container: nope'
	expect_match "$(head -n 1 "$MNT/ctl")" '^[0-9a-f]{64}$'
	# Names are resolved before anything is done.
	expect_errno ENOENT write "$MNT/ctl" 'rm a nope'
	expect_equal "$(ls "$MNT/containers")" a
}

# --- names -------------------------------------------------------------------------------

@test "names of containers" {
	local name
	for name in ..x .hidden 'a b' 'a:b' 'ä' '-a' $'a\nb' $'a\tb' 'a*' $'\x01'; do
		expect_errno EINVAL mkdir "$MNT/containers/$name"
		expect_match "$(cat "$MNT/error")" "^error: create: invalid container name '.*'; allowed"
		expect_equal "$(wc -l <"$MNT/error")" 1
	done
	expect_errno EINVAL mkdir "$MNT/containers/0123456789ab"
	expect_errno EINVAL mkdir "$MNT/containers/$(repeat 64 a)"
	expect_errno ENAMETOOLONG mkdir "$MNT/containers/$(repeat 255 n)"
	expect_sentence "create: container name of 255 bytes is too long; at most 200"
	expect_errno ENAMETOOLONG mkdir "$MNT/containers/$(repeat 256 n)"
	expect_errno OK mkdir "$MNT/containers/$(repeat 200 n)"
	expect_errno OK rmdir "$MNT/containers/$(repeat 200 n)"
	for name in ../x a/b '' . ..; do
		expect_refusal EINVAL "create: --name: invalid container name '$name'; $NAME_RULE" \
			"create --name '$name' $IMAGE"
	done
	expect_equal "$(ls "$MNT/containers")" ""
}

@test "sentences are UTF-8 in one line, whatever they quote" {
	local bytes
	for bytes in $'\xff\xfe' $'\xc3' $'\xed\xa0\x80' $'\xe2\x80' $'\x1b[31mred' $'a\rb'; do
		expect_errno EINVAL mkdir "$MNT/containers/$bytes"
		iconv -f UTF-8 -t UTF-8 "$MNT/error" >/dev/null
		expect_equal "$(LC_ALL=C tr -d '\n' <"$MNT/error" | LC_ALL=C tr -cd '\000-\037\177' | wc -c)" 0
		expect_equal "$(wc -l <"$MNT/error")" 1
	done
}

@test "names of images" {
	local name
	for name in UPPER:1 a:b:c a: :b 'a b:1' '.a:1' 'a:-1' $'a\n:1' $'a:\n1'; do
		expect_errno EINVAL create "$MNT/images/$name"
		expect_match "$(cat "$MNT/error")" "^error: import: "
		expect_errno EINVAL rename "$MNT/images/$IMAGE" "$MNT/images/$name"
		expect_errno EINVAL symlink "$IMAGE" "$MNT/images/$name"
	done
	expect_errno EPERM create "$MNT/images/sha256/x"
	expect_errno EPERM mkdir "$MNT/images/sha256/0123456789ab"
	expect_errno EEXIST create "$MNT/images/$IMAGE"
	expect_errno ENOENT symlink nope "$MNT/images/x:1"
	expect_sentence "tag: no such image: nope"
	# It is listed with :latest behind it, and that is too long for a name.
	expect_errno ENAMETOOLONG create "$MNT/images/$(repeat 255 n)"
	expect_errno ENAMETOOLONG create "$MNT/images/$(repeat 256 n)"
	expect_equal "$(find "$MNT/images" -maxdepth 1 -type l)" "$MNT/images/$IMAGE"
	expect_equal "$(cat "$MNT/images/$IMAGE/tags")" "$IMAGE"
}

@test "what users wrote cannot forge lines in status, ps or logs.json" {
	ctl "create --name web --label \$'k\\nState:\\trunning'=v --hostname web \
-e \$'A=1\\nPid:\\t1' $IMAGE printf '{\"log\":\"forged\"}\\ntwo\\n'" >/dev/null
	expect_equal "$(grep -c ^State: "$MNT/containers/web/status")" 1
	expect_equal "$(grep -c ^Pid: "$MNT/containers/web/status")" 1
	expect_equal "$(wc -l <"$MNT/ps")" 2
	expect_equal "$(LC_ALL=C tr -d '\n' <"$MNT/ps" | LC_ALL=C tr -cd '\000-\037\177' | wc -c)" 0
	jq -e '.Config.Labels | has("k\nState:\trunning")' "$MNT/containers/web/inspect"
	ctl 'start web' >/dev/null
	wait_exit web
	expect_equal "$(jq -j .log "$MNT/containers/web/logs.json")" \
		$'{"log":"forged"}\ntwo'
	expect_equal "$(wc -l <"$MNT/containers/web/logs.json")" 2
	# An Error quotes the program's name.
	expect_errno ENOENT write "$MNT/ctl" "run --name err $IMAGE \$'/no\\nState:\\trunning'"
	expect_equal "$(grep -c ^State: "$MNT/containers/err/status")" 1
	expect_equal "$(wc -l <"$MNT/containers/err/status")" "$(wc -l <"$MNT/containers/web/status")"
	expect_equal "$(wc -l <"$MNT/error")" 1
}

# --- config ----------------------------------------------------------------------------

@test "a bad configuration is refused, with the key or the line, and the old one stays" {
	before='' config=$MNT/containers/web/config
	ctl "create --name web $IMAGE true" >/dev/null
	before=$(cat "$config")
	bad_config '{"Memory": "x"}' 'config: Memory must be a number'
	bad_config '{"Memory": 1}' \
		'config: Memory: minimum memory limit allowed is 512k (524288 bytes), not 1'
	bad_config '{"Memory": 1e99}' 'config: Memory must be a number'
	bad_config '{"Fly": 1}' "config: unknown key 'Fly'"
	bad_config '{"HostConfig": {"Fly": 1}}' ''
	bad_config '[]' 'config: a config is a JSON object: {"Key": value}'
	bad_config 'null' ''
	bad_config '{"Env": ["a\u0000b"]}' 'config: line 1: \u0000 is not allowed in a string'
	bad_config $'{\n"Hostname":\n"a" "b"}' ''
	expect_match "$(cat "$MNT/error")" 'line 3'
	bad_config $'{"Hostname": "\xff"}' ''
	bad_config '{"Hostname": "a\nb"}' "config: Hostname: 'a\\x0ab' is not a host name"
	bad_config '{"Memory":1,"Memory":2}' ''
	bad_config '{' 'config: the JSON object is not complete at its end'
	bad_config '{"Image": "demo:1\nx"}' ''
	bad_config '{"Cmd": [1]}' ''
	bad_config '{"WorkingDir": "relative"}' ''
	bad_config "{\"Hostname\": \"$(repeat 256 n)\"}" ''
	bad_config "$(repeat 200 '{' | sed 's/{/{"a":/g')" ''
	bad_config $'{"Memory": 67108864}{"CpuShares": "x"}' ''
	expect_errno EINVAL write "$MNT/containers/web/ctl" "run $IMAGE"
}

# bad_config TEXT SENTENCE: '' for any one sentence of config.
bad_config() {
	expect_errno EINVAL write "$config" "$1" || return 1
	[ -z "$2" ] || expect_sentence "$2" || return 1
	expect_match "$(cat "$MNT/error")" '^error: config: ' || return 1
	[ "${1%\}\{*}" != "$1" ] || expect_equal "$(cat "$config")" "$before"
}

@test "a huge configuration is refused without harm" {
	ctl "create --name web $IMAGE true" >/dev/null
	{
		printf '{"Labels": {"a": "'
		head -c 20000000 /dev/zero | tr '\0' x
		printf '"}}'
	} >"$SANDBOX/work/config"
	run -1 bounded cp "$SANDBOX/work/config" "$MNT/containers/web/config"
	expect_match "$output" 'too long|too large|Invalid argument'
	expect_match "$(cat "$MNT/error")" '^error: config: '
	run -1 bounded dd if=/dev/zero of="$MNT/containers/web/config" bs=1M count=64 \
		conv=notrunc status=none
	expect_equal "$(field "$MNT/containers/web/status" State)" created
}

# --- archives ----------------------------------------------------------------------------

# Files of a directory that holds none of ours.
list_images() {
	find "$MNT/images" -mindepth 1 -maxdepth 1 ! -name sha256
	ls "$MNT/images/sha256"
	find "$ROOT/images" -xdev -mindepth 1 -maxdepth 3 | sort
}

@test "every bad archive of the collection is refused by cp and leaves nothing" {
	local file name want sentence before
	eventually is_as_before
	before=$(list_images)
	mkdir "$SANDBOX/outside"
	for file in "$TOP"/tests/bad/archives/*.expect; do
		name=${file%.expect}
		{ read -r want && read -r sentence || :; } <"$file"
		archive=$(compgen -G "$name.*" | grep -v '\.expect$')
		if bounded cp "$archive" "$MNT/images/bad:1" 2>"$SANDBOX/work/cp"; then
			[ "$want" = OK ] || fail "$archive was taken"
			rm "$MNT/images/bad:1"
		else
			[ "$want" != OK ] || fail "$archive: $(cat "$MNT/error")"
			grep -q "$(errno_text "$want")" "$SANDBOX/work/cp" ||
				fail "$archive: not $want but $(cat "$SANDBOX/work/cp")"
			# A sentence has a length at which it is cut.
			said=$(cat "$MNT/error")
			[[ $said == "error: import: $sentence" ]] ||
				[[ $said == *... && "error: import: $sentence" == "${said%...}"* ]] ||
				fail "$archive: $said"
		fi
		[ ! -e "$MNT/images/bad:1" ] || fail "$archive left its name"
	done
	eventually is_as_before
	expect_equal "$(list_images)" "$before"
	rmdir "$SANDBOX/outside"
}

@test "an empty file is no image, nor are random bytes" {
	: >"$SANDBOX/work/empty"
	run -1 bounded cp "$SANDBOX/work/empty" "$MNT/images/e:1"
	expect_match "$output" 'Invalid argument'
	expect_sentence 'import: the archive is empty: there are no bytes in it'
	eventually test ! -e "$MNT/images/e:1"
	: >"$MNT/images/e:2"
	eventually test ! -e "$MNT/images/e:2"
	run -1 bounded dd if=/dev/urandom of="$MNT/images/e:3" bs=64k count=16 status=none
	[ ! -e "$MNT/images/e:3" ]
	# Zeros are a tar archive's end: an image without a file.
	bounded dd if=/dev/zero of="$MNT/images/e:4" bs=64k count=16 status=none
	expect_equal "$(ls "$MNT/images/e:4/rootfs/")" ""
	rm "$MNT/images/e:4"
}

@test "TestInterruptedRegister: an import whose writer is killed leaves nothing" {
	local writer feeder
	mkfifo "$SANDBOX/work/feed"
	for _ in {1..5}; do
		bounded cat "$SANDBOX/work/feed" >"$MNT/images/torn:1" 3>&- &
		writer=$!
		exec {feeder}>"$SANDBOX/work/feed"
		head -c 300000 "$SANDBOX/demo.tar.gz" >&"$feeder"
		[ -e "$MNT/images/torn:1" ]
		kill -KILL "$writer" $(pgrep -P "$writer")
		wait "$writer" || :
		exec {feeder}>&-
		eventually test ! -e "$MNT/images/torn:1"
	done
	rm "$SANDBOX/work/feed"
	eventually is_as_before
	cp "$SANDBOX/demo.tar.gz" "$MNT/images/torn:1"
	rm "$MNT/images/torn:1"
}

@test "of two imports to one name the first has it" {
	local feeder pid
	mkfifo "$SANDBOX/work/feed"
	cat "$SANDBOX/work/feed" >"$MNT/images/two:1" 3>&- &
	pid=$!
	exec {feeder}>"$SANDBOX/work/feed"
	head -c 100000 "$SANDBOX/demo.tar.gz" >&"$feeder"
	expect_errno EEXIST create "$MNT/images/two:1"
	run -1 cp --remove-destination "$SANDBOX/demo.tar.gz" "$MNT/images/two:1"
	tail -c +100001 "$SANDBOX/demo.tar.gz" >&"$feeder"
	exec {feeder}>&-
	wait "$pid"
	rm "$SANDBOX/work/feed"
	cmp "$MNT/images/two:1/rootfs/bin/busybox" "$MNT/images/$IMAGE/rootfs/bin/busybox"
	run -1 cp "$SANDBOX/demo.tar.gz" "$MNT/images/two:1"
	rm "$MNT/images/two:1"
}

@test "sparse archives, dd with seek, and a final truncate read as zeros" {
	gunzip -c "$SANDBOX/demo.tar.gz" >"$SANDBOX/work/demo.tar"
	truncate -s +10M "$SANDBOX/work/demo.tar"
	bounded cp --sparse=always "$SANDBOX/work/demo.tar" "$MNT/images/sparse:1"
	expect_equal "$(wc -l <"$MNT/images/sparse:1/rootfs/etc/os-release")" 2
	rm "$MNT/images/sparse:1"
	# Backwards is nothing that a stream can do.
	run -1 bounded bash -c "{ head -c 100000; dd bs=1 seek=0 count=10 conv=notrunc status=none \
of=/dev/stdout; } <'$SANDBOX/demo.tar.gz' >'$MNT/images/back:1'"
	[ ! -e "$MNT/images/back:1" ]
	run -1 bounded dd if="$SANDBOX/demo.tar.gz" of="$MNT/images/seek:1" bs=1M seek=1 status=none
	[ ! -e "$MNT/images/seek:1" ]
}

# --- calls that fit no file ----------------------------------------------------------------

@test "what cannot be done to a file says so" {
	ctl "create --name web $IMAGE true" >/dev/null
	local web=$MNT/containers/web
	expect_errno EACCES open w "$web/status"
	expect_errno EACCES open rw "$web/logs"
	expect_errno EACCES open r "$web/stdin"
	expect_errno EACCES truncate "$web/logs" 0
	expect_errno EPERM create "$MNT/x"
	expect_errno EPERM create "$web/x"
	expect_errno EPERM mkdir "$MNT/x"
	expect_errno EPERM unlink "$MNT/ctl"
	expect_errno EPERM unlink "$web/status"
	expect_errno EPERM rmdir "$MNT/containers"
	expect_errno EPERM rename "$web/status" "$web/x"
	expect_errno EPERM rename "$web" "$MNT/images/web"
	expect_errno EPERM rename "$web" "$MNT/web"
	expect_errno EPERM link "$MNT/ctl" "$MNT/ctl2"
	expect_errno EPERM fifo "$MNT/containers/x"
	expect_errno EPERM symlink x "$MNT/containers/x"
	expect_errno ENOTSUP xattr "$MNT/ctl"
	expect_errno EISDIR open w "$web"
	expect_errno ENOTDIR open r "$web/status/x"
	expect_errno ENOENT open r "$MNT/containers/nope/status"
	expect_errno OK chmod "$web/config"
	expect_errno OK chown "$web/config"
	expect_errno OK utimes "$web/config"
	expect_equal "$(stat -c '%u %g %a' "$web/config")" "0 0 $(stat -c %a "$web/config")"
}

@test "what is written to a stopped one's stdin, or to one without, is refused" {
	ctl "create --name web $IMAGE cat" >/dev/null
	expect_errno ESRCH write "$MNT/containers/web/stdin" hello
	run_container deaf sleep 1000
	expect_errno EPIPE write "$MNT/containers/deaf/stdin" hello
	expect_errno EPIPE write "$MNT/containers/deaf/attach" hello
	expect_errno ESRCH write "$MNT/ctl" 'kill web'
	expect_errno EINVAL write "$MNT/ctl" 'kill -s FLY deaf'
	expect_errno EBUSY rmdir "$MNT/containers/deaf"
	expect_errno EBUSY write "$MNT/ctl" 'rm deaf'
	expect_errno EBUSY write "$MNT/ctl" 'start deaf'
}

# --- damaged state -----------------------------------------------------------------------

@test "a damaged container is listed, says what is wrong, and can be removed" {
	local id damage
	for damage in 'garbage' '' '{"Image": 5}' '{'; do
		id=$(ctl "create --name web $IMAGE true")
		mount_stop
		printf %s "$damage" >"$ROOT/containers/$id/config.json"
		mount_start
		expect_equal "$(ls "$MNT/containers" | wc -l)" 1
		local name
		name=$(ls "$MNT/containers")
		expect_match "$name" "^(web|${id:0:12})$"
		expect_equal "$(field "$MNT/containers/$name/status" State)" exited
		expect_match "$(field "$MNT/containers/$name/status" Error)" config.json
		cat "$MNT/ps" "$MNT/containers/$name/inspect" >/dev/null
		[ "$("$TRY" write "$MNT/containers/$name/ctl" start)" != OK ]
		ctl "rm $name"
		expect_equal "$(ls "$MNT/containers")" ""
	done
	take_snapshot | sort >"$SANDBOX/before"
}

@test "damaged references of images are told, not guessed" {
	mount_stop
	cp "$ROOT/images/refs.json" "$SANDBOX/work/refs.json"
	echo '{"torn' >"$ROOT/images/refs.json"
	run -1 "$BUILD_DIR/containerfs" --root "$ROOT" --run "$RUN" "$MNT"
	expect_match "$output" 'refs\.json.* is damaged .*; put a good copy in its place'
	expect_failure is_mounted
	rm "$ROOT/images/refs.json"
	mkdir "$ROOT/images/refs.json"
	run -1 "$BUILD_DIR/containerfs" --root "$ROOT" --run "$RUN" "$MNT"
	expect_match "$output" 'refs\.json'
	rmdir "$ROOT/images/refs.json"
	cp "$SANDBOX/work/refs.json" "$ROOT/images/refs.json"
	mount_start
	expect_equal "$(run_container web echo fine && wait_exit web)" 0
	expect_equal "$(cat "$MNT/containers/web/logs")" fine
	ctl 'rm web'
	take_snapshot | sort >"$SANDBOX/before"
}
