# Images between machines, against Debian's docker-registry and skopeo: plain, with passwords, with TLS.

load lib
load registry

setup_file() {
	sandbox_start
	import_demo
	python3 "$TOP/tests/mount/oci.py" "$SANDBOX/work/oci" "$SANDBOX/demo.tar.gz" >"$SANDBOX/work/id"
	registry_start plain
	skopeo_copy "oci:$SANDBOX/work/oci:demo" "docker://$(registry_name plain)/team/app:1"
	skopeo_copy --all "oci:$SANDBOX/work/oci:multi" "docker://$(registry_name plain)/multi:1"
}

setup() {
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

skopeo_copy() {
	skopeo copy -q --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$@"
}

get_id() {
	sha256sum <"$MNT/images/$1/config" | cut -d' ' -f1
}

@test "pull: an image of three compressions keeps its id and runs; its lines are Docker's" {
	local name id lines digest
	name=$(registry_name plain)/team/app:1 id=$(cat "$SANDBOX/work/id")
	lines=$(ctl "pull $name")
	expect_match "$lines" '^1: Pulling from team/app'
	# Its lowest layer is that of the image that is here.
	expect_equal "$(grep -c ': Already exists$' <<<"$lines")" 1
	expect_equal "$(grep -c ': Pull complete$' <<<"$lines")" 2
	expect_match "$lines" $'\nDigest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for '"$name"$'\n'"$name"$'$'
	expect_equal "$(get_id "$name")" "$id"
	expect_equal "$(readlink "$MNT/images/$name")" "../../sha256/${id:0:12}"
	# As it came, byte for byte.
	digest=$(sed -n 's/^Digest: sha256://p' <<<"$lines")
	expect_equal "$(sha256sum <"$ROOT/images/blobs/sha256/$digest" | cut -d' ' -f1)" "$digest"
	expect_equal "$(ctl "run --name a $name" | wc -c)" 65
	expect_equal "$(wait_exit a)" 0
	expect_equal "$(cat "$MNT/containers/a/stdout")" two
	[ ! -e "$MNT/images/$name/rootfs/etc/hostname" ]
	lines=$(ctl "pull $name")
	expect_equal "$(grep -c ': Already exists$' <<<"$lines")" 3
	expect_match "$lines" "Status: Image is up to date for $name"
	expect_equal "$(ctl "pull -q $name")" "$id"
	ctl 'rm a' "rmi $name"
}

@test "pull: the platform's entry of an index, another one, none; by digest it has no tag" {
	local name id digest machine
	name=$(registry_name plain)/multi:1 id=$(cat "$SANDBOX/work/id")
	machine=$(sed -n 's/.*"architecture": "\([^"]*\)".*/\1/p' "$SANDBOX/work/oci/blobs/sha256/$id")
	expect_equal "$(ctl "pull -q $name")" "$id"
	digest=$(ctl "pull $name" | sed -n 's/^Digest: //p')
	ctl "rmi $name"
	[ ! -e "$MNT/images/sha256/${id:0:12}" ]
	expect_equal "$(ctl "pull -q ${name%:1}@$digest")" "$id"
	expect_equal "$(cat "$MNT/images/sha256/${id:0:12}/tags")" ""
	rmdir "$MNT/images/sha256/${id:0:12}"
	ctl "pull --platform linux/other $name" >/dev/null
	expect_match "$(cat "$MNT/images/$name/config")" '"architecture": "other"'
	ctl "rmi $name"
	expect_refusal ENOENT "pull: '$name' at registry ${name%/*}: it has no image for linux/s390; there is: linux/other linux/$machine" \
		"pull --platform linux/s390 $name"
	expect_refusal EINVAL "pull: 'linux/' is not a platform; OS/ARCH[/VARIANT]" "pull --platform linux/ $name"
}

@test "what the registry calls an image: RepoDigests and --digests after pull and push, and names by it" {
	local name digest other
	name=$(registry_name plain)/team/app
	digest=$(ctl "pull $name:1" | sed -n 's/^Digest: //p')
	expect_equal "$(ctl "inspect $name:1" | jq -c '.[0].RepoDigests')" "[\"$name@$digest\"]"
	expect_match "$(ctl "images --digests $name" | tail -n 1 | tr -s ' ')" "^$name 1 $digest "
	other=$(registry_name plain)/copy
	ctl "tag $name:1 $other:2" "push $other:2" >/dev/null
	expect_equal "$(ctl "inspect $name@$digest" | jq -c '.[0].RepoDigests')" \
		"[\"$other@$digest\",\"$name@$digest\"]"
	expect_equal "$(ctl "rmi $other:2")" "Untagged: $other:2"
	expect_equal "$(ctl "inspect $name:1" | jq -c '.[0].RepoDigests')" "[\"$name@$digest\"]"
	ctl "run --name a $name:7@$digest" >/dev/null
	expect_equal "$(wait_exit a)" 0
	expect_equal "$(field "$MNT/containers/a/status" Image)" "$name:7@$digest"
	expect_refusal EBUSY "rmi: image $(cut -c 1-12 "$SANDBOX/work/id") is used by container 'a'" "rmi $name:1"
	ctl 'rm a' >/dev/null
	# Of an index it is the index that has the name.
	other=$(ctl "pull $(registry_name plain)/multi:1" | sed -n 's/^Digest: //p')
	expect_match "$(ctl "inspect $name:1" | jq -c '.[0].RepoDigests')" "/multi@$other\""
	ctl "rmi $(registry_name plain)/multi:1" "rmi $name:1" >/dev/null
	# Without a tag: the repository is known, and the name of its digest is its last.
	ctl "pull -q $name@$digest" >/dev/null
	expect_match "$(ctl "images $name" | tail -n 1 | tr -s ' ')" "^$name <none> $(cut -c 1-12 "$SANDBOX/work/id") "
	expect_equal "$(ctl "images -q -f dangling=true $name")" "$(cut -c 1-12 "$SANDBOX/work/id")"
	expect_equal "$(ctl "rmi $name@$digest")" "Untagged: $name@$digest"$'\n'"Deleted: sha256:$(cat "$SANDBOX/work/id")"
}

@test "push: skopeo reads what went out, blobs are sent once, and it comes back the same" {
	local name id lines
	name=$(registry_name plain) id=$(get_id "$IMAGE")
	ctl "tag $IMAGE $name/out/a:1" "tag $IMAGE $name/out/b:2"
	lines=$(ctl "push $name/out/a:1")
	expect_match "$lines" "^The push refers to repository \[$name/out/a\]"
	expect_match "$lines" $': Pushed\n1: digest: sha256:[0-9a-f]{64} size: [0-9]+$'
	expect_match "$(ctl "push $name/out/a:1")" ': Layer already exists'
	expect_match "$(ctl "push $name/out/b:2")" ': Mounted from out/a'
	expect_match "$(ctl "push -q $name/out/b:2")" '^sha256:[0-9a-f]{64}$'
	skopeo_copy "docker://$name/out/b:2" "dir:$SANDBOX/work/dir"
	expect_equal "$(sha256sum <"$SANDBOX/work/dir/$id" | cut -d' ' -f1)" "$id"
	rm -r "$SANDBOX/work/dir"
	ctl "rmi $name/out/a:1 $name/out/b:2" >/dev/null
	expect_equal "$(ctl "pull -q $name/out/b:2")" "$id"
	ctl "rmi $name/out/b:2"
	expect_refusal ENOENT "push: no such image: $name/nope:latest" "push $name/nope"
}

@test "all tags of a name at once, there and back; not of a name with a tag" {
	local name id lines
	name=$(registry_name plain)/all id=$(get_id "$IMAGE")
	ctl "tag $IMAGE $name:1" "tag $IMAGE $name:two" "tag $IMAGE $name-other:1" >/dev/null
	lines=$(ctl "push -a $name")
	expect_equal "$(grep -c ': digest: sha256:' <<<"$lines")" 2
	expect_match "$(ctl "push -a -q $name" | sort -u)" '^sha256:[0-9a-f]{64}$'
	ctl "rmi $name:1 $name:two $name-other:1" >/dev/null
	lines=$(cfs pull -a "$name")
	expect_equal "$(grep -c '^Status: Downloaded newer image for' <<<"$lines")" 2
	expect_equal "$(get_id "$name:1") $(get_id "$name:two")" "$id $id"
	expect_refusal EINVAL "pull: '$name:1' names one image, and -a means all tags" "pull -a $name:1"
	expect_refusal EINVAL "push: '$name:1' names one image, and -a means all tags" "push --all-tags $name:1"
	expect_refusal ENOENT "push: no such image: $name-other, with any tag" "push -a $name-other"
	ctl "rmi $name:1 $name:two" >/dev/null
}

@test "run and create: --pull missing, always, never" {
	local name id
	name=$(registry_name plain)/team/app:1 id=$(cat "$SANDBOX/work/id")
	expect_refusal ENOENT "run: no such image: $name" "run $name"
	expect_refusal ENOENT "create: no such image: $name" "create --pull never $name"
	expect_equal "$(ctl "run --name a --pull missing $name" | wc -c)" 65
	ctl "create --name b --pull always $name" >/dev/null
	expect_equal "$(wait_exit a)" 0
	ctl 'rm a b' >/dev/null
	ctl "run --name a --pull missing ${name%:1}@$(ctl "pull $name" | sed -n 's/^Digest: //p')" >/dev/null
	expect_equal "$(wait_exit a)" 0
	ctl 'rm a' "rmi $name"
}

@test "what is not there, and who does not answer" {
	local name
	name=$(registry_name plain)
	expect_refusal ENOENT "pull: '$name/nope' at registry $name: there is no such image: manifest unknown" "pull $name/nope"
	expect_refusal ECONNREFUSED "pull: 'localhost:1/a' at registry localhost:1: cannot connect: Connection refused" \
		'pull localhost:1/a'
	expect_refusal EINVAL "pull: invalid image name 'A': 'A' must be lower-case letters and digits, separated by '.', '_', '__' or '-'" 'pull A'
	expect_errno EHOSTUNREACH write "$MNT/ctl" 'pull no-such-host.invalid/a'
	expect_errno EINVAL write "$MNT/ctl" 'pull'
	expect_errno EINVAL write "$MNT/ctl" 'pull a b'
}

# --- passwords and certificates -------------------------------------------------------

@test "login: a password is tried, kept by itself, used, and forgotten; it is in no log" {
	local name
	htpasswd -Bbn me sesame >"$SANDBOX/work/htpasswd"
	registry_start closed '' "auth: {htpasswd: {realm: r, path: $SANDBOX/work/htpasswd}}"
	name=$(registry_name closed)
	ctl "tag $IMAGE $name/a:1"
	expect_errno EACCES write "$MNT/ctl" "push $name/a:1"
	expect_match "$(cat "$MNT/error")" 'blob sha256:[0-9a-f]{12}: it wants a user name and password; use login$'
	expect_refusal EACCES "pull: '$name/a:1' at registry $name: it wants a user name and password; use login" "pull $name/a:1"
	expect_refusal EACCES "login: registry $name: wrong user name or password, or not allowed" "login -u me -p wrong $name"
	[ ! -e "$ROOT/registry" ]
	expect_equal "$(ctl "login -u me -p sesame $name")" 'Login Succeeded'
	expect_equal "$(stat -c '%a' "$ROOT/registry" "$ROOT/registry/config.json" | tr '\n' ' ')" '700 600 '
	expect_equal "$(jq -r ".auths[\"$name\"].auth" "$ROOT/registry/config.json" | base64 -d)" me:sesame
	ctl "push $name/a:1" "pull $name/a:1" "rmi $name/a:1" "logout $name" >/dev/null
	expect_refusal EACCES "pull: '$name/a:1' at registry $name: it wants a user name and password; use login" "pull $name/a:1"
	echo sesame | cfs login -u me --password-stdin "$name"
	cfs pull -q "$name/a:1" >/dev/null
	ctl "rmi $name/a:1"
	cfs logout "$name"
	expect_refusal EINVAL 'login: no password given; usage: login -u USER -p PASSWORD [REGISTRY]' "login -u me $name"
	expect_failure grep -r 'sesame\|c2VzYW1l' "$RUN/log" "$RUN/events" "$RUN/requests" "$RUN/handles" "$RUN/sessions"
	rm -r "$ROOT/registry"
}

@test "TLS: a certificate of nobody's is refused, one with its root in certs.d is not" {
	local name dir certs
	dir=$(registry_dir tls)
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
		-addext subjectAltName=DNS:localhost -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
	registry_start tls 'tls: {certificate: DIR/cert, key: DIR/key}'
	name=$(registry_name tls) certs=$ROOT/registry/certs.d/$(registry_name tls)
	ctl "tag $IMAGE $name/a:1"
	expect_errno EACCES write "$MNT/ctl" "push $name/a:1"
	expect_match "$(cat "$MNT/error")" "^error: push: '$name/a:1' at registry $name: .*its certificate is not trusted"
	mkdir -p "$certs"
	cp "$dir/cert" "$certs/ca.crt"
	ctl "push $name/a:1" >/dev/null
	rm "$certs/ca.crt"
	touch "$certs/insecure"
	ctl "pull $name/a:1" "rmi $name/a:1" >/dev/null
	rm -r "$ROOT/registry"
}

# --- while it runs -------------------------------------------------------------------------

slow_start() {
	rm -f "$SANDBOX/work/gate" "$SANDBOX/work/port"
	python3 "$TOP/tests/mount/slow_registry.py" "$SANDBOX/work/oci" "$SANDBOX/work/gate" >"$SANDBOX/work/port" 3>&- 4>&- &
	eventually test -s "$SANDBOX/work/port"
	SLOW=localhost:$(cat "$SANDBOX/work/port")/a:1
}

@test "a pull shows how far it is; one that is interrupted leaves nothing" {
	local pid id command status=0
	slow_start
	id=$(cat "$SANDBOX/work/id")
	command="pull $SLOW"
	python3 - "$MNT/ctl" "$command" <<-'END' &
		import os, sys, threading, time
		fd = os.open(sys.argv[1], os.O_RDWR)
		command = (sys.argv[2] + "\n").encode()
		def look():
		    while b": Downloading 1" not in os.pread(fd, 65536, len(command)):
		        time.sleep(0.02)
		    os._exit(7)
		threading.Thread(target=look, daemon=True).start()
		os.write(fd, command)
	END
	pid=$!
	# It ends when it has seen that, and its write with it.
	wait "$pid" || status=$?
	expect_equal "$status" 7
	[ ! -e "$MNT/images/${SLOW%/*}" ]
	(echo "pull $SLOW" >"$MNT/ctl") 2>/dev/null &
	pid=$!
	touch "$SANDBOX/work/gate"
	wait "$pid"
	expect_equal "$(get_id "$SLOW")" "$id"
	ctl "rmi $SLOW"
	rm "$SANDBOX/work/gate"
	# Ctrl-C.
	expect_equal "$(timeout -s INT 1 "$TRY" write "$MNT/ctl" "pull $SLOW" || echo $?)" 124
	[ ! -e "$MNT/images/${SLOW%/*}" ]
}

@test "an engine that dies in the middle of a pull: the next one does it" {
	local pid
	slow_start
	(echo "pull $SLOW" >"$MNT/ctl") &
	pid=$!
	eventually compgen -G "$ROOT/images/tmp/*/new-*" >/dev/null
	kill_engine
	touch "$SANDBOX/work/gate"
	wait "$pid"
	expect_equal "$(get_id "$SLOW")" "$(cat "$SANDBOX/work/id")"
	ctl "rmi $SLOW"
	rm "$SANDBOX/work/gate"
}

@test "cfs: run fetches what is missing; pull's lines, as they change" {
	local name lines
	name=$(registry_name plain)/team/app:1
	expect_equal "$(cfs run --rm "$name" 2>"$SANDBOX/work/err")" two
	ctl "rmi $name"
	expect_failure cfs run --rm --pull never "$name" 2>/dev/null
	lines=$(cfs pull "$name")
	expect_match "$lines" $'^1: Pulling from team/app\n'
	expect_equal "$(tail -n 1 <<<"$lines")" "$name"
	expect_equal "$(grep -c ': Pull complete$' <<<"$lines")" 2
	ctl "rmi $name"
	rm "$SANDBOX/work/err"
}
