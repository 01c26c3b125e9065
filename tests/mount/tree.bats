# The tree: every file's type, mode and size; what the usual readers see; what may not be done.

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

ROOT_TEXTS='help error info version ps'
CONTAINER_TEXTS='status inspect'
CONTAINER_LOGS='logs stdout stderr logs.json'
IMAGE_TEXTS='config history layers manifest size tags'

# check_type PATH TYPE MODE
check_type() {
	expect_equal "$1 $(stat -c '%F %a' "$1" | sed 's/empty //')" "$1 $2 $3"
}

# In one open: what stat says, what fstat says, what a read gives.
check_size() {
	local got stat_size fstat_size len
	got=$(bounded "$TRY" size "$1") || fail "$1 cannot be read" || return 1
	read -r stat_size fstat_size len <<<"$got"
	[ "$stat_size" = "$len" ] && [ "$fstat_size" = "$len" ] || fail "$1: sizes $got"
}

some_container() {
	run_container web sh -c 'echo out; echo err >&2; printf "no newline"; exec sleep 1000'
	eventually grep -q 'no newline' "$MNT/containers/web/stdout"
	eventually grep -q err "$MNT/containers/web/stderr"
}

@test "the root lists its files, each with type and mode" {
	local name
	for name in ctl help error events info version ps containers images; do
		ls -A "$MNT" | grep -qx "$name" || fail "no $name"
	done
	check_type "$MNT" directory 700
	check_type "$MNT/ctl" 'regular file' 600
	for name in $ROOT_TEXTS events; do
		check_type "$MNT/$name" 'regular file' 400
	done
	check_type "$MNT/containers" directory 700
	check_type "$MNT/images" directory 700
	check_type "$MNT/images/sha256" directory 700
}

@test "a container's directory lists its files, each with type and mode" {
	local dir=$MNT/containers/web name
	some_container
	for name in config ctl status inspect stdin logs stdout stderr logs.json follow attach wait \
		rootfs root; do
		ls -A "$dir" | grep -qx "$name" || fail "no $name"
	done
	for name in $CONTAINER_TEXTS $CONTAINER_LOGS follow wait; do
		check_type "$dir/$name" 'regular file' 400
	done
	for name in config ctl attach; do
		check_type "$dir/$name" 'regular file' 600
	done
	check_type "$dir/stdin" 'regular file' 200
	check_type "$dir/rootfs" 'symbolic link' 777
	check_type "$dir/root" 'symbolic link' 777
	expect_equal "$(readlink "$dir/root")" "/proc/$(field "$dir/status" Pid)/root"
}

@test "an image's directory lists its files, each with type and mode" {
	local name dir
	dir=$MNT/images/$(readlink "$MNT/images/$IMAGE")
	for name in config history size tags rootfs; do
		ls -A "$dir" | grep -qx "$name" || fail "no $name"
	done
	for name in config history size tags; do
		check_type "$dir/$name" 'regular file' 400
	done
	check_type "$dir/rootfs" 'symbolic link' 777
}

@test "everything belongs to root, and find and ls -lR come to an end" {
	some_container
	bounded ls -lR "$MNT" >"$SANDBOX/work/ls"
	bounded find "$MNT" -xdev -printf '%u:%g %p\n' >"$SANDBOX/work/find"
	grep -v '^root:root ' "$SANDBOX/work/find" && fail 'somebody owns a file'
	grep -q "containers/web/logs$" "$SANDBOX/work/find"
}

@test "inode numbers are stable, and one for each file" {
	local before
	some_container
	before=$(cd "$MNT" && find . -xdev -printf '%i %p\n' | sort)
	expect_equal "$(cd "$MNT" && find . -xdev -printf '%i %p\n' | sort)" "$before"
	expect_equal "$(awk '{ print $1 }' <<<"$before" | sort | uniq -d)" ''
}

@test "st_size is what a read gives, of all files that have a text" {
	local name file
	some_container
	expect_errno ENOENT write "$MNT/ctl" 'start nope' # error has a text
	for name in $ROOT_TEXTS ctl; do
		check_size "$MNT/$name"
	done
	for name in $CONTAINER_TEXTS $CONTAINER_LOGS config ctl; do
		check_size "$MNT/containers/web/$name"
	done
	for name in $IMAGE_TEXTS; do
		file=$MNT/images/$IMAGE/$name
		if [ -e "$file" ]; then
			check_size "$file"
		fi
	done
}

@test "what is not known before it is read has the size that was promised" {
	local name
	some_container
	for name in follow attach stdin; do
		expect_equal "$name $(stat -c %s "$MNT/containers/web/$name")" "$name 0"
	done
	expect_equal "$(stat -c %s "$MNT/events")" 0
	expect_equal "$(stat -c %s "$MNT/containers/web/wait")" 4
}

# Every reader must give what cat gives.
check_readers() {
	local file=$1 out=$SANDBOX/work/out want=$SANDBOX/work/want
	cat "$file" >"$want"
	check_reader() {
		"$@" >"$out" </dev/null || fail "$*: failed" || return 1
		cmp "$want" "$out" || fail "$*: another text"
	}
	check_reader head -c 100000000 "$file"
	check_reader tail -c +1 "$file"
	check_reader bash -c 'grep -a "" "$1" | head -c "$2"' - "$file" "$(stat -c %s "$want")" # no newline of its own
	check_reader sed -n p "$file"
	check_reader less -f "$file"
	check_reader dd if="$file" status=none
	check_reader dd if="$file" status=none bs=7
	check_reader busybox cat "$file"
	check_reader bash -c 'cat <"$1"' - "$file"
	expect_equal "$(wc -c <"$file")" "$(wc -c <"$want")"
	expect_equal "$(wc -l "$file" | cut -d' ' -f1)" "$(wc -l <"$want")"
	rm -rf "$SANDBOX/work/copy" && mkdir "$SANDBOX/work/copy"
	cp "$file" "$SANDBOX/work/copy/cp"
	busybox cp "$file" "$SANDBOX/work/copy/busybox"
	rsync "$file" "$SANDBOX/work/copy/rsync"
	tar -C "${file%/*}" -cf - "${file##*/}" | tar -xO >"$SANDBOX/work/copy/tar"
	for out in "$SANDBOX"/work/copy/*; do
		cmp "$want" "$out" || fail "$out has another text"
	done
	rm -rf "$SANDBOX/work/copy"
}

@test "all readers agree on the files of the root" {
	local name
	expect_errno ENOENT write "$MNT/ctl" 'start nope'
	for name in help error info version; do
		check_readers "$MNT/$name"
	done
}

@test "all readers agree on the files of a container and its image" {
	local name
	some_container
	for name in config status inspect stdout stderr logs.json; do
		check_readers "$MNT/containers/web/$name"
	done
	for name in config size tags; do
		check_readers "$MNT/images/$IMAGE/$name"
	done
}

@test "a shell reads lines" {
	local key value
	{
		IFS=$'\t' read -r key value
		expect_equal "$key" Name:
		expect_equal "$value" web
		IFS=$'\t' read -r key value
		expect_equal "$key" Id:
		expect_match "$value" '^[0-9a-f]{64}$'
	} < <(some_container && exec cat "$MNT/containers/web/status")
}

@test "read-only files refuse to be opened for writing, to root too" {
	local name
	some_container
	for name in $ROOT_TEXTS events; do
		expect_errno EACCES open w "$MNT/$name"
		expect_errno EACCES open rw "$MNT/$name"
	done
	for name in $CONTAINER_TEXTS $CONTAINER_LOGS follow wait; do
		expect_errno EACCES open w "$MNT/containers/web/$name"
		expect_errno EACCES open rw "$MNT/containers/web/$name"
	done
	for name in config history size tags; do
		expect_errno EACCES open w "$MNT/images/$IMAGE/$name"
	done
	expect_errno EACCES open r "$MNT/containers/web/stdin"
}

@test "chmod, chown and touch of files that can be written succeed and change nothing" {
	local name before
	some_container
	for name in ctl containers/web/ctl containers/web/config containers/web/stdin \
		containers/web/attach; do
		before=$(stat -c '%a %u %g %Y' "$MNT/$name")
		expect_errno OK chmod "$MNT/$name"
		expect_errno OK chown "$MNT/$name"
		expect_errno OK utimes "$MNT/$name"
		touch "$MNT/$name"
		expect_equal "$name $(stat -c '%a %u %g %Y' "$MNT/$name")" "$name $before"
	done
}

@test "names that are not ours cannot be made or removed" {
	local dir
	some_container
	for dir in . containers/web images/sha256 "images/$IMAGE"; do
		expect_errno EPERM create "$MNT/$dir/foreign"
		expect_errno EPERM mkdir "$MNT/$dir/foreign"
		expect_errno EPERM symlink x "$MNT/$dir/foreign"
		expect_errno EPERM fifo "$MNT/$dir/foreign"
	done
	expect_errno EPERM create "$MNT/containers/foreign"
	expect_errno EPERM symlink web "$MNT/containers/foreign"
	expect_errno EPERM unlink "$MNT/help"
	expect_errno EPERM unlink "$MNT/containers/web/status"
	expect_errno EPERM rmdir "$MNT/containers"
	expect_errno EPERM rmdir "$MNT/images"
	expect_errno EPERM link "$MNT/help" "$MNT/other"
	[ -s "$MNT/error" ]
}

@test "a move between directories is EPERM, never EXDEV" {
	some_container
	expect_errno EPERM rename "$MNT/containers/web" "$MNT/images/web"
	expect_errno EPERM rename "$MNT/images/$IMAGE" "$MNT/containers/demo"
	expect_errno EPERM rename "$MNT/help" "$MNT/images/help"
	expect_errno EPERM rename "$MNT/help" "$MNT/hilfe"
	expect_errno EPERM swap "$MNT/containers/web" "$MNT/images/$IMAGE"
	[ -d "$MNT/containers/web" ] && [ -L "$MNT/images/$IMAGE" ]
}

@test "12 and 64 digits lead to the listed name, and are not listed" {
	local id dir
	some_container
	id=$(field "$MNT/containers/web/status" Id)
	expect_equal "$(readlink "$MNT/containers/$id")" web
	expect_equal "$(readlink "$MNT/containers/${id:0:12}")" web
	expect_equal "$(field "$MNT/containers/${id:0:12}/status" Name)" web
	expect_equal "$(ls "$MNT/containers")" web
	[ ! -e "$MNT/containers/${id:0:11}" ]
	id=$(sha256sum <"$MNT/images/$IMAGE/config" | cut -d' ' -f1)
	dir=$MNT/images/sha256
	expect_equal "$(readlink "$dir/$id")" "${id:0:12}"
	expect_equal "$(ls "$dir")" "${id:0:12}"
}

@test "a container without a name is called by its 12 digits" {
	local id
	id=$(ctl "create $IMAGE true")
	expect_match "$id" '^[0-9a-f]{64}$'
	expect_equal "$(ls "$MNT/containers")" "${id:0:12}"
	[ ! -L "$MNT/containers/${id:0:12}" ]
	expect_equal "$(readlink "$MNT/containers/$id")" "${id:0:12}"
	expect_equal "$(field "$MNT/containers/$id/status" Name)" "${id:0:12}"
}

@test "one open sees one snapshot, and its size" {
	local size
	some_container
	exec 5<"$MNT/containers/web/status"
	size=$(stat -Lc %s /proc/self/fd/5)
	ctl 'kill web' >/dev/null
	expect_equal "$(field "$MNT/containers/web/status" State)" exited
	expect_equal "$(stat -Lc %s /proc/self/fd/5)" "$size"
	cat <&5 >"$SANDBOX/work/old"
	exec 5<&-
	expect_equal "$(field "$SANDBOX/work/old" State)" running
	expect_equal "$(stat -c %s "$SANDBOX/work/old")" "$size"
}

# Is the second time (seconds since 1970) the first (a text), or at most 2 s later?
is_soon_after() {
	local first
	first=$(date -d "$1" +%s.%N)
	awk -v a="$first" -v b="$2" 'BEGIN { exit !(b >= a - 1e-5 && b <= a + 2) }' ||
		fail "$2 is not soon after $first"
}

@test "mtime of a container and its status is the last change of its state, of logs the last output" {
	local dir=$MNT/containers/web created stopped
	ctl "create --name web $IMAGE sh -c 'echo x; sleep 1000'" >/dev/null
	created=$(stat -c %.9Y "$dir/status")
	expect_equal "$(stat -c %.9Y "$dir")" "$created"
	ctl 'start web' >/dev/null
	wait_line web x
	is_soon_after "$(field "$dir/status" Started)" "$(stat -c %.9Y "$dir/status")"
	expect_equal "$(date -u -r "$dir/logs" +%FT%T.%NZ)" "$(jq -r .time "$dir/logs.json")"
	ctl 'kill web' >/dev/null
	stopped=$(stat -c %.9Y "$dir")
	is_soon_after "$(field "$dir/status" Finished)" "$stopped"
	[ "${stopped/./}" -gt "${created/./}" ]
}

@test "old containers are found by find and removed by rmdir, running ones answer EBUSY" {
	ctl "create --name old $IMAGE true" >/dev/null
	run_container busy sleep 1000
	expect_equal "$(find "$MNT/containers" -mindepth 1 -maxdepth 1 -mtime +7)" ''
	run find "$MNT/containers" -mindepth 1 -maxdepth 1 -mmin -60 -exec rmdir {} +
	[ "$status" -ne 0 ]
	expect_match "$output" 'Device or resource busy'
	expect_equal "$(ls "$MNT/containers")" busy
}

@test "info and version are lines of a key, a colon, a tab and a value" {
	local file
	for file in info version; do
		grep -vP '^[A-Za-z0-9]+:\t' "$MNT/$file" && fail "$file has another line"
	done
	for key in Version Pid Holder Root Run Mount Kernel Containers Images Restarts Seamless; do
		field "$MNT/info" "$key" >/dev/null || fail "no $key"
	done
	expect_equal "$(field "$MNT/info" Root)" "$ROOT"
	kill -0 "$(field "$MNT/info" Pid)"
}

@test "help names every command" {
	local name
	for name in create history images import info inspect kill pause ps rename restart rm rmi run unpause \
		start stop tag update version wait; do
		grep -qw "^ *$name" "$MNT/help" || fail "no $name"
	done
}

@test "a line of JSON for each event from the open on" {
	local pid
	head -n 4 "$MNT/events" >"$SANDBOX/work/events" 3>&- &
	pid=$!
	wait_blocked is_reading "$pid"
	run_container web true
	wait_exit web >/dev/null
	ctl 'rm web' >/dev/null
	wait "$pid"
	expect_equal "$(jq -r '.Type + " " + .Action + " " + .Actor.Attributes.name' \
		"$SANDBOX/work/events")" "container create web
container start web
container die web
container destroy web"
	expect_equal "$(jq -s 'map(.seq) | . == (sort | unique)' "$SANDBOX/work/events")" true
	jq -e '.time and .timeNano and (.Actor.ID | length == 64)' "$SANDBOX/work/events" >/dev/null
}

@test "ps is the table of all containers" {
	some_container
	ctl "create --name idle $IMAGE true" >/dev/null
	expect_equal "$(head -n 1 "$MNT/ps" | tr -s ' ')" \
		'CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES'
	expect_equal "$(awk 'NR > 1 { print $NF }' "$MNT/ps")" 'idle
web'
	expect_match "$(grep web "$MNT/ps")" ' Up (Less than a second|[0-9]+ seconds?) '
	expect_match "$(grep idle "$MNT/ps")" ' Created '
	expect_equal "$(ctl ps | awk 'NR > 1 { print $NF }')" web
	expect_equal "$(ctl 'ps -aq' | wc -l)" 2
}
