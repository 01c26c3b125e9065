# commit: Docker's TestCommit, TestCommitRun, TestCommitAutoRun and TestDiff, and what a
# copy of a running container's files asks for.

load lib

setup_file() {
	sandbox_start
	import_demo
	export EVENTS=$SANDBOX/work/events
}

setup() {
	look_before
}

teardown() {
	local name
	for name in $(ls "$MNT/containers"); do
		ctl "rm -fv $name"
	done
	for name in "$MNT"/images/new:*; do
		[ ! -L "$name" ] || rm "$name"
	done
	ctl prune >/dev/null # what lost its tag
	look_after
}

teardown_file() {
	sandbox_end
}

# What a program prints that runs in a new container of an image.
output_of() {
	ctl "run --name out $1" >/dev/null
	expect_equal "$(wait_exit out)" 0 || cat "$MNT/containers/out/logs" >&2 || return
	cat "$MNT/containers/out/stdout"
	expect_equal "$(cat "$MNT/containers/out/changes")" '' || return
	ctl 'rm -v out'
}

# The last layer's archive, as it would be sent to others.
last_layer() {
	local blob
	blob=$(grep -o '"digest":"sha256:[0-9a-f]*"' "$MNT/images/$1/manifest" | tail -n 1)
	gzip -dc "$ROOT/images/blobs/sha256/${blob:17:64}"
}

list_files() {
	(cd "$1" && find . -mindepth 1 ! -name resolv.conf ! -path './proc*' ! -path './sys*' ! -path './dev*' \
		-printf '%p %y %m %U %G %l %T@\n' -type f -printf '%p %n %s\n' | sort)
}

@test "TestCommit, TestCommitRun: the files are there, and the history says how" {
	local id
	OPTIONS='-e KEPT=yes --label k=v -w /srv' run_container c sh -c 'echo hello >/world'
	wait_exit c >/dev/null
	id=$(ctl "commit -m 'a message' -a 'An Author <a@example.org>' c new:1")
	expect_match "$id" '^[0-9a-f]{64}$'
	expect_equal "$(readlink "$MNT/images/new:1")" "sha256/${id:0:12}"
	expect_equal "$(sha256sum <"$MNT/images/new:1/config")" "$id  -"
	expect_equal "$(head -n 1 "$MNT/images/new:1/layers")" "$(cat "$MNT/images/$IMAGE/layers")"
	expect_equal "$(wc -l <"$MNT/images/new:1/layers")" 2
	expect_equal "$(tail -n 1 "$MNT/images/new:1/layers")" "sha256:$(last_layer new:1 | sha256sum | cut -c 1-64)"
	expect_match "$(sed -n 2p "$MNT/images/new:1/history")" \
		"^${id:0:12} .* ago +sh -c echo hello >/world +6B +a message\$"
	expect_equal "$(output_of "new:1 sh -c 'cat /world; echo \$KEPT; pwd'")" $'hello\nyes\n/srv'
	expect_equal "$(output_of new:1)" ''
	expect_match "$(ctl 'inspect new:1')" '"Author": "An Author <a@example.org>"'
	# Without a name it has none; of the old image nothing has changed.
	id=$(ctl_of c commit)
	expect_match "$(cat "$MNT/images/sha256/${id:0:12}/tags")" '^$'
	rmdir "$MNT/images/sha256/${id:0:12}"
	ctl "run --name old $IMAGE cat /world" >/dev/null
	expect_equal "$(wait_exit old)" 1
}

@test "TestCommitAutoRun: changes of the configuration" {
	run_container c sh -c 'echo hello >/world'
	wait_exit c >/dev/null
	ctl_of c "commit -c 'CMD [\"cat\", \"/world\"]' -c 'ENV A=1 B=2' --change 'LABEL k=v' -c 'WORKDIR /tmp' new:1" >/dev/null
	expect_equal "$(output_of new:1)" hello
	expect_equal "$(output_of "new:1 sh -c 'echo \$A\$B; pwd'")" $'12\n/tmp'
	expect_refusal EINVAL "commit: change 'RUN ls': unknown instruction; CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR" \
		"commit -c 'RUN ls' c new:2"
	expect_refusal EINVAL "commit: invalid image name 'New': 'New' must be lower-case letters and digits, separated by '.', '_', '__' or '-'" \
		'commit c New'
	expect_refusal ENOENT 'commit: no such container: nope' 'commit nope new:2'
	expect_refusal EINVAL "commit: unexpected word 'x'" 'commit c new:2 x'
	[ ! -e "$MNT/images/new:2" ]
	# A taken tag moves.
	ctl 'commit c new:1' >/dev/null
	expect_equal "$(grep -c 'A=1' "$MNT/images/new:1/config")" 0
}

@test "TestDiff: no change is left, whatever there was; all attributes are kept" {
	# shellcheck disable=SC2016
	run_container base sh -c 'mkdir -p /d/sub /e/sub /g; echo 1 >/d/f; echo >/d/sub/f; echo >/e/f; echo >/g/old; echo same >/g/same'
	wait_exit base >/dev/null
	ctl 'commit base new:base' >/dev/null
	# shellcheck disable=SC2016
	ctl "run --name c -v /vol new:base sh -c '
		rm /etc/passwd; rm -r /d; mkdir /d; echo >/d/new; rm -r /e; echo file >/e; chmod 711 /
		mkfifo /fifo; mknod /null c 1 3; chown 7:8 /fifo; chmod 4711 /null; ln -s /x /link; echo x >/vol/x
		echo a >/a; ln /a /b; mkdir /sub; ln /a /sub/c; chmod 2750 /sub; chown 5:6 /sub; touch -d @1000000001 /sub
		rm -r /g; mkdir /g; echo same >/g/same; touch -r /etc/group /g/same
		: >\"/\$(printf \"\\377\\nx\")\"; : >/ü; touch -d @1234567890.5 /a; : >/\$(printf %0251d 1)
		d=; for i in 1 2 3 4 5; do d=\$d/\$(printf %0200d \$i); mkdir \$d; done; : >\$d/deep
		dd if=/dev/zero of=/sparse bs=1 count=1 seek=50000000 2>/dev/null
		echo ready; sleep 1000'" >/dev/null
	wait_line c ready
	setfattr -n user.test -v value "$MNT/containers/c/rootfs/a"
	ctl 'commit c new:1' >/dev/null
	expect_equal "$(field "$MNT/containers/c/status" State)" running
	diff <(list_files "$MNT/images/new:1/rootfs/") <(list_files "$MNT/containers/c/rootfs/")
	expect_equal "$(getfattr --absolute-names --only-values -n user.test "$MNT/images/new:1/rootfs/a")" value
	expect_equal "$(stat -c %a "$MNT/images/new:1/rootfs/")" 711
	expect_equal "$(ls -A "$MNT/images/new:1/rootfs/vol")" ''
	[ "$(du -k "$MNT/images/new:1/rootfs/sparse" | cut -f 1)" -lt 1000 ]
	expect_equal "$(last_layer new:1 | tar t 2>/dev/null | grep '\.wh\.\|^e$')" $'d/.wh.f\nd/.wh.sub\ne\netc/.wh.passwd\ng/.wh.old'
	expect_equal "$(output_of 'new:1 sh -c "ls /d; cat /e /b"')" $'new\nfile\na'
	# Nothing more to commit: no further layer, and a step that says so.
	ctl 'run --name again new:1 true' >/dev/null
	wait_exit again >/dev/null
	ctl 'commit again new:2' >/dev/null
	cmp "$MNT/images/new:1/layers" "$MNT/images/new:2/layers"
	expect_match "$(sed -n 2p "$MNT/images/new:2/history")" ' true +0B *$'
}

@test "names that mean removals cannot be committed" {
	run_container c sh -c ': >/etc/.wh.passwd'
	wait_exit c >/dev/null
	expect_refusal EINVAL "commit: '/etc/.wh.passwd' cannot be in an image: there, names that begin with .wh. mean removals" \
		'commit c new:1'
	[ ! -e "$MNT/images/new:1" ]
}

# events_of COMMAND...: actions of container c and the images, while that is done.
events_of() {
	local fd status=0
	exec {fd}<"$MNT/events"
	ctl "$@" >/dev/null || status=1
	timeout 5 sed -u '/"tag"/q' <&"$fd" | grep -o '"Type":"[a-z]*","Action":"[a-z]*"' | tr -d '\n'
	exec {fd}<&-
	return "$status"
}

@test "paused while it is read, unless asked not to; what the user paused stays so" {
	run_container c sleep 1000
	expect_equal "$(events_of 'commit c new:1' | tr -d '"' | sed 's/Type:\([a-z]*\),Action:/ \1-/g')" \
		' container-pause container-unpause image-tag'
	expect_equal "$(events_of 'commit -p=false c new:2' | tr -d '"' | sed 's/Type:\([a-z]*\),Action:/ \1-/g')" ' image-tag'
	ctl 'pause c'
	expect_equal "$(events_of 'commit --pause c new:3' | tr -d '"' | sed 's/Type:\([a-z]*\),Action:/ \1-/g')" ' image-tag'
	has_state c paused
	kill_engine
	has_state c paused
	ctl 'unpause c'
}

# A container whose files take a while to copy.
run_large() {
	run_container c sh -c 'dd if=/dev/urandom of=/big bs=1M count=32 2>/dev/null; echo ready; exec sleep 1000'
	wait_line c ready
}

@test "an engine killed meanwhile: the container goes on, and the image is made, once" {
	local pid before
	run_large
	before=$(find "$MNT/images/sha256" -mindepth 1 -maxdepth 1 | wc -l)
	ctl 'commit c new:1' >"$SANDBOX/work/id" &
	pid=$!
	wait_state c paused
	kill_engine
	wait "$pid"
	has_state c running
	expect_equal "$(readlink "$MNT/images/new:1")" "sha256/$(cut -c 1-12 "$SANDBOX/work/id")"
	expect_equal "$(find "$MNT/images/sha256" -mindepth 1 -maxdepth 1 | wc -l)" $((before + 1))
	cmp "$MNT/images/new:1/rootfs/big" "$MNT/containers/c/rootfs/big"
}

@test "interrupted: nothing is left, and the container goes on" {
	local pid
	run_large
	"$TRY" write "$MNT/ctl" 'commit c new:1' >"$SANDBOX/work/errno" &
	pid=$!
	wait_state c paused
	kill -TERM "$pid"
	wait "$pid" || :
	wait_state c running
	[ ! -e "$MNT/images/new:1" ]
	eventually is_empty "$ROOT/images/tmp"
}

is_empty() {
	[ -z "$(ls -A "$1")" ]
}
