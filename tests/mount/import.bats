# The command import: from the web, with a configuration, a message and a platform; what is shown
# meanwhile; interrupted, and with an engine that dies.

load lib

setup_file() {
	sandbox_start --image-limit size=20m --image-limit files=1000 \
		--image-limit depth=20 --image-limit path=300
	import_demo
	export GATE=$SANDBOX/work/gate
	WEB=http://127.0.0.1:$(web_start plain)
	export WEB
}

setup() {
	look_before
}

teardown() {
	local name
	for name in "$MNT"/images/new:*; do
		[ ! -L "$name" ] || rm "$name"
	done
	ctl prune >/dev/null # what lost its tag
	rm -f "$GATE"
	look_after
}

teardown_file() {
	local file
	for file in "$SANDBOX"/work/web-*.pid; do
		kill "$(cat "$file")"
	done
	sandbox_end
}

# web_start NAME [CERTIFICATE KEY]: serves the image's archive; prints the port.
web_start() {
	local name=$1
	shift
	python3 "$TOP/tests/mount/web.py" "$SANDBOX/demo.tar.gz" "$GATE" "$@" \
		>"$SANDBOX/work/web-$name" 3>&- 4>&- &
	echo $! >"$SANDBOX/work/web-$name.pid"
	eventually test -s "$SANDBOX/work/web-$name"
	cat "$SANDBOX/work/web-$name"
}

has_no_rubbish() {
	[ -z "$(ls "$ROOT/images/tmp")" ]
}

expect_nothing() {
	has_no_rubbish
	[ ! -e "$MNT/images/new:1" ]
}

config_of() {
	jq -c "$2" "$MNT/images/$1/config"
}

@test "import takes an address of the web: with a length, without, in pieces, behind redirects" {
	local path id
	for path in file unsaid chunked to/ "to/${WEB#http://}"; do
		id=$(ctl "import $WEB/$path new:1")
		expect_match "$id" '^[0-9a-f]{64}$'
		expect_equal "$(sha256sum <"$MNT/images/new:1/config")" "$id  -"
		expect_equal "$(cat "$MNT/images/new:1/layers")" "$(cat "$MNT/images/$IMAGE/layers")"
		ctl 'rmi new:1' >/dev/null
	done
	id=$(cfs import "HTTP://${WEB#http://}/file" new:1)
	expect_equal "$(sha256sum <"$MNT/images/new:1/config")" "$id  -"
	ctl "import $WEB/file?token=hush new:1" >/dev/null
	# Nothing that may be secret is in the history.
	expect_match "$(tail -n 1 "$MNT/images/new:1/history")" " Imported from $WEB/file$"
	ctl "import http://me:sesame@${WEB#http://}/secret new:1" >/dev/null
	expect_match "$(tail -n 1 "$MNT/images/new:1/history")" " Imported from $WEB/secret$"
	expect_failure grep -r 'sesame\|hush' "$RUN/log" "$ROOT/images/refs.json"
}

@test "what goes wrong on the web has its number and says so, and nothing stays" {
	local dead
	expect_refusal ENOENT "import: $WEB/nope: there is no such file: status 404" "import $WEB/nope new:1"
	expect_refusal EACCES "import: $WEB/secret: it is not for everybody: status 401" "import $WEB/secret new:1"
	expect_refusal EACCES "import: $WEB/status/403: it is not for everybody: status 403" "import $WEB/status/403 new:1"
	expect_errno ECONNRESET write "$MNT/ctl" "import $WEB/status/500 new:1"
	expect_errno EINVAL write "$MNT/ctl" "import $WEB/status/400 new:1"
	expect_errno ECONNRESET write "$MNT/ctl" "import $WEB/short new:1"
	expect_match "$(cat "$MNT/error")" "^error: import: $WEB/short: it broke off"
	expect_errno EINVAL write "$MNT/ctl" "import $WEB/cut new:1"
	expect_errno EINVAL write "$MNT/ctl" "import $WEB/empty new:1"
	expect_nothing
	expect_refusal EINVAL "import: $WEB/loop: it leads in circles, by 5 redirects" "import $WEB/loop new:1"
	# Nobody on the web opens files of ours, or speaks with what is no web server.
	for dead in file ftp gopher; do
		expect_refusal EINVAL "import: $WEB/scheme/$dead: it leads to '$dead:///$SANDBOX/demo.tar.gz', which is no web address" \
			"import $WEB/scheme/$dead new:1"
	done
	expect_refusal ECONNREFUSED 'import: http://127.0.0.1:1/x: cannot connect: Connection refused' 'import http://127.0.0.1:1/x new:1'
	expect_errno EHOSTUNREACH write "$MNT/ctl" 'import http://no-such-host.invalid/x new:1'
	expect_errno EINVAL write "$MNT/ctl" 'import http:// new:1'
	expect_errno EINVAL write "$MNT/ctl" 'import http://[::1/x new:1'
	expect_errno EINVAL write "$MNT/ctl" 'import ftp://127.0.0.1/x new:1'
	expect_errno EINVAL write "$MNT/ctl" "import $WEB/file New:1"
	expect_nothing
}

@test "https: the system's roots are believed, nobody else; a password stays with its host; no way back to http" {
	local dir=$SANDBOX/work/tls port roots=/etc/ssl/certs/ca-certificates.crt
	mkdir "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
	port=$(web_start tls "$dir/cert" "$dir/key")
	expect_errno EACCES write "$MNT/ctl" "import https://127.0.0.1:$port/file new:1"
	expect_match "$(cat "$MNT/error")" "^error: import: https://127.0.0.1:$port/file: its certificate is not trusted: "
	expect_errno ECONNRESET write "$MNT/ctl" "import https://${WEB#http://}/file new:1"
	expect_nothing
	# The engine that is started now sees one root more.
	cat "$roots" "$dir/cert" >"$dir/roots"
	mount --bind "$dir/roots" "$roots"
	kill_engine
	ctl "import https://127.0.0.1:$port/file new:1" >/dev/null
	expect_refusal EACCES "import: https://127.0.0.1:$port/to/${WEB#http://}: it leads from https to '$WEB/file'" \
		"import https://127.0.0.1:$port/to/${WEB#http://} new:1"
	umount "$roots"
	kill_engine
	rm -f "$GATE.log"
	ctl "import http://me:sesame@${WEB#http://}/to/localhost:${WEB##*:} new:1" >/dev/null
	expect_equal "$(cut -d' ' -f2- "$GATE.log")" "Basic $(printf me:sesame | base64)"
	rm "$GATE.log"
}

@test "how far it is can be read meanwhile; interrupted, nothing is left" {
	local pid
	python3 - "$MNT/ctl" "import $WEB/gate new:1" "$GATE" >"$SANDBOX/work/seen" <<-'END'
		import os, sys, threading, time
		fd = os.open(sys.argv[1], os.O_RDWR)
		command = (sys.argv[2] + "\n").encode()
		def look():
		    text = b""
		    while b"\nImporting " not in text:
		        text = os.pread(fd, 65536, len(command))
		        time.sleep(0.02)
		    print(text.decode(), end="", flush=True)
		    open(sys.argv[3], "w").close()
		threading.Thread(target=look, daemon=True).start()
		os.write(fd, command)
		print(os.read(fd, 65536).decode(), end="")
	END
	expect_match "$(cat "$SANDBOX/work/seen")" "^Downloading from $WEB/gate"$'\n'"Importing [0-9]+/$(stat -c %s "$SANDBOX/demo.tar.gz")"$'\n[0-9a-f]{64}$'
	rm "$GATE" "$MNT/images/new:1" "$SANDBOX/work/seen"
	eventually has_no_rubbish
	# Ctrl-C.
	expect_equal "$(timeout -s INT 0.5 "$TRY" write "$MNT/ctl" "import $WEB/gate new:1" || echo $?)" 124
	expect_nothing
	"$TRY" write "$MNT/ctl" "import $WEB/gate new:1" >/dev/null 3>&- 4>&- &
	pid=$!
	eventually compgen -G "$ROOT/images/tmp/*/new-*" >/dev/null
	kill -KILL "$pid"
	eventually has_no_rubbish
	expect_nothing
}

@test "cfs shows a bar on a terminal, and prints the id alone" {
	local id
	touch "$GATE"
	id=$(script -qec "cfs import '$WEB/gate' new:1" /dev/null </dev/null | tee "$SANDBOX/work/shown" | tail -n 1 | tr -d '\r')
	expect_match "$id" '[0-9a-f]{64}$'
	id=$(cfs import --message 'from a pipe' - new:1 < <(cat "$SANDBOX/demo.tar.gz"))
	expect_match "$(tail -n 1 "$MNT/images/new:1/history")" ' from a pipe$'
	cfs import - <"$SANDBOX/demo.tar.gz" >/dev/null
	ctl prune >/dev/null
	rm "$SANDBOX/work/shown"
}

@test "an engine that dies in the middle: the next one does it; of a pipe nothing comes twice" {
	local pid
	(echo "import $WEB/gate new:1" >"$MNT/ctl") &
	pid=$!
	eventually compgen -G "$ROOT/images/tmp/*" >/dev/null
	kill_engine
	touch "$GATE"
	wait "$pid"
	expect_match "$(cat "$MNT/images/new:1/tags")" '^new:1$'
	rm "$MNT/images/new:1"
	mkfifo "$SANDBOX/work/pipe"
	"$TRY" write "$MNT/ctl" "import $SANDBOX/work/pipe new:1" >"$SANDBOX/work/errno" 3>&- 4>&- &
	pid=$!
	exec 9>"$SANDBOX/work/pipe"
	head -c 5000 "$SANDBOX/demo.tar.gz" >&9
	eventually compgen -G "$ROOT/images/tmp/*/new-*" >/dev/null
	kill_engine
	wait "$pid"
	exec 9>&-
	expect_equal "$(cat "$SANDBOX/work/errno")" EIO
	expect_match "$(cat "$MNT/error")" 'the engine ended while it read a pipe; nothing was imported$'
	eventually expect_nothing
	rm "$SANDBOX/work/pipe" "$SANDBOX/work/errno"
}

@test "--platform of create, run and load; a program of another machine's names that" {
	local own
	own=linux/$(config_of "$IMAGE" .architecture | tr -d '"')
	mkdir -p "$SANDBOX/work/noise/bin"
	echo noise >"$SANDBOX/work/noise/bin/noise"
	chmod 755 "$SANDBOX/work/noise/bin/noise"
	tar -C "$SANDBOX/work/noise" -cf "$SANDBOX/work/noise.tar" .
	ctl "import --platform linux/vax $SANDBOX/work/noise.tar new:1" >/dev/null
	expect_refusal ENOEXEC "run: cannot execute '/bin/noise': Exec format error; the image says that it is for linux/vax and not for $own" \
		'run --name c new:1 /bin/noise'
	expect_equal "$(field "$MNT/containers/c/status" ExitCode)" 126
	expect_refusal ENOENT "create: image 'new:1': it is for linux/vax and not for $own" "create --platform $own new:1 x"
	expect_refusal EINVAL "run: image 'new:1': 'A B' is not a platform; OS/ARCH[/VARIANT]" "run --platform 'A B' new:1 x"
	ctl 'create --platform linux/vax --name d new:1 x' "create --platform $own --name e $IMAGE true" 'rm c d e' >/dev/null
	cp "$MNT/images/new:1/image.tar" "$SANDBOX/work/image.tar"
	ctl 'rmi new:1' >/dev/null
	expect_errno ENOENT write "$MNT/ctl" "load --platform $own $SANDBOX/work/image.tar"
	expect_match "$(cat "$MNT/error")" " it is for linux/vax and not for $own\$"
	expect_nothing
	cfs load --platform linux/vax -i "$SANDBOX/work/image.tar" >/dev/null
	[ -e "$MNT/images/new:1" ]
	rm -r "$SANDBOX/work/noise" "$SANDBOX/work/noise.tar" "$SANDBOX/work/image.tar"
}

# refuse_archive ERRNO SENTENCE: of work/bomb.
refuse_archive() {
	expect_errno "$1" write "$MNT/ctl" "import $SANDBOX/work/bomb new:1"
	expect_match "$(cat "$MNT/error")" "$2\$"
	expect_failure cp "$SANDBOX/work/bomb" "$MNT/images/new:1" 2>/dev/null
	expect_nothing
}

@test "an archive of more bytes, files, depth or path than --image-limit allows is refused" {
	local tree=$SANDBOX/work/tree
	mkdir "$tree"
	cd "$tree"
	truncate -s 30M zeros
	tar -cz zeros >../bomb
	[ "$(stat -c %s ../bomb)" -lt 100000 ]
	refuse_archive EINVAL 'the archive is larger than 20971520 bytes'
	tar -c zeros >../bomb
	refuse_archive EINVAL 'the archive is larger than 20971520 bytes'
	rm zeros
	seq -f f%g 1001 | xargs touch
	tar -c . >../bomb
	refuse_archive EINVAL 'more than 1000 entries'
	rm -r "$tree"/*
	mkdir -p a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a
	tar -c a >../bomb
	refuse_archive EINVAL 'more than 20 directories deep'
	rm -r a
	mkdir -p "$(printf %0160d 1)/$(printf %0160d 2)"
	tar -c ./* >../bomb
	refuse_archive ENAMETOOLONG 'the path is longer than 300 bytes'
	cd /
	rm -r "$tree" "$SANDBOX/work/bomb"
}

@test "-c, -m and --platform say what the image is" {
	ctl "import -m 'as I said' -c 'CMD [\"echo\", \"changed\"]' --change 'ENV A=b C=\$A' -c 'EXPOSE 80' --platform linux/arm/v7 $SANDBOX/demo.tar.gz new:1" >/dev/null
	expect_equal "$(config_of new:1 '[.os, .architecture, .variant]')" '["linux","arm","v7"]'
	expect_equal "$(config_of new:1 .config.Cmd)" '["echo","changed"]'
	expect_equal "$(config_of new:1 .config.ExposedPorts)" '{"80/tcp":{}}'
	expect_equal "$(config_of new:1 '.history[0].comment')" '"as I said"'
	ctl "import -c 'ENTRYPOINT [\"echo\"]' -c 'CMD [\"this\"]' -c 'ENV LIKE=it' $SANDBOX/demo.tar.gz new:2" >/dev/null
	expect_equal "$(config_of new:2 '[.os, .variant]')" '["linux",null]'
	ctl 'run --name c new:2' >/dev/null
	wait_exit c >/dev/null
	expect_equal "$(cat "$MNT/containers/c/stdout")" this
	ctl 'rm c'
	# Before the archive is read, however long it is.
	expect_errno EINVAL write "$MNT/ctl" "import -c 'RUN x' /nonexistent new:3"
	expect_match "$(cat "$MNT/error")" '^error: import: .*RUN'
	expect_errno EINVAL write "$MNT/ctl" "import --platform 'A B' $SANDBOX/demo.tar.gz new:3"
	cp "$MNT/images/$IMAGE/image.tar" "$SANDBOX/work/image.tar"
	for option in "-m x" "-c 'USER x'" '--platform linux/arm64'; do
		expect_errno EINVAL write "$MNT/ctl" "import $option $SANDBOX/work/image.tar new:3"
		expect_match "$(cat "$MNT/error")" 'the archive holds images, which have a message, a configuration and a platform of their own'
	done
	[ ! -e "$MNT/images/new:3" ]
	rm "$SANDBOX/work/image.tar"
}
