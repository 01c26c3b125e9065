# Certificates of both sides, addresses, proxies, and files of passwords that others wrote or read: with Debian's
# docker-registry, skopeo and podman.

load lib
load registry

setup_file() {
	sandbox_make
	certificates_make
	htpasswd -Bbn me sesame >"$SANDBOX/work/htpasswd"
	registry_start plain
	registry_start tls 'tls: {certificate: DIR/../server.pem, key: DIR/../server.key}' \
		"auth: {htpasswd: {realm: r, path: $SANDBOX/work/htpasswd}}"
	registry_start mutual 'tls: {certificate: DIR/../server.pem, key: DIR/../server.key, clientcas: [DIR/../ca.pem]}'
	ADDRESS='[::1]' registry_start six
	proxy_start
	local proxy
	proxy=http://127.0.0.1:$(cat "$SANDBOX/work/proxy-port")
	http_proxy=$proxy https_proxy=$proxy no_proxy=direct.test mount_start
	import_demo
	CERTS=$ROOT/registry/certs.d
	export CERTS
}

setup() {
	look_before
}

teardown() {
	rm -rf "$ROOT/registry"
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

# A root, and by it a server's certificate and a client's, in work/.
certificates_make() {
	local work=$SANDBOX/work name
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=root \
		-keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
	for name in server client; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
			-keyout "$work/$name.key" -out "$work/$name.csr" 2>/dev/null
		openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 2 -out "$work/$name.pem" \
			-extfile <(echo 'subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1,IP:::1') 2>/dev/null
	done
}

# It leads registry.test:5000 to the plain registry, registry.test:443 to the one with TLS.
proxy_start() {
	mkdir -p "$(registry_dir proxy)"
	python3 "$TOP/tests/mount/proxy.py" "$SANDBOX/work/proxy-log" \
		"registry.test:5000=127.0.0.1:$(cat "$(registry_dir plain)/port")" \
		"registry.test:443=127.0.0.1:$(cat "$(registry_dir tls)/port")" \
		>"$SANDBOX/work/proxy-port" 3>&- 4>&- &
	echo $! >"$(registry_dir proxy)/pid"
	eventually test -s "$SANDBOX/work/proxy-port"
}

# trust REGISTRY: its root in certs.d, as Docker lays it out.
trust() {
	mkdir -p "$CERTS/$1"
	cp "$SANDBOX/work/ca.pem" "$CERTS/$1/ca.crt"
}

@test "a registry that wants a certificate of ours gets the one in certs.d, and without one refuses" {
	local name
	name=$(registry_name mutual)
	trust "$name"
	ctl "tag $IMAGE $name/a:1"
	expect_errno ECONNRESET write "$MNT/ctl" "push $name/a:1"
	expect_match "$(cat "$MNT/error")" "registry $name: .*certificate"
	cp "$SANDBOX/work/client.pem" "$CERTS/$name/client.cert"
	expect_refusal ENOENT "push: '$name/a:1' at registry $name: '$CERTS/$name/client.key' belongs to a certificate: No such file or directory" \
		"push $name/a:1"
	cp "$SANDBOX/work/client.key" "$CERTS/$name/client.key"
	ctl "push $name/a:1" "pull $name/a:1" "rmi $name/a:1" >/dev/null
}

@test "an address for a name, also of IPv6" {
	local port name
	port=$(cat "$(registry_dir tls)/port")
	name=127.0.0.1:$port
	trust "$name"
	echo sesame | cfs login -u me --password-stdin "$name"
	ctl "tag $IMAGE $name/b:1" "push $name/b:1" "rmi $name/b:1" "pull -q $name/b:1" "rmi $name/b:1" >/dev/null
	name=[::1]:$(cat "$(registry_dir six)/port")
	ctl "tag $IMAGE $name/c:1" "push $name/c:1" "rmi $name/c:1" "pull -q $name/c:1" "rmi $name/c:1" >/dev/null
}

@test "a name that its certificate has not is refused; so is plain http to a host that is not loopback" {
	trust registry.test
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other \
		-keyout /dev/null -out "$CERTS/registry.test/ca.crt" 2>/dev/null
	expect_errno EACCES write "$MNT/ctl" 'pull registry.test/a'
	expect_match "$(cat "$MNT/error")" 'registry registry.test: its certificate is not trusted: '
	: >"$SANDBOX/work/proxy-log"
	expect_errno ECONNRESET write "$MNT/ctl" 'pull registry.test:5000/a'
	expect_failure grep -q '^GET' "$SANDBOX/work/proxy-log"
}

@test "proxies of the environment: plain, by CONNECT with passwords, and not for whom no_proxy names" {
	local name
	name=$(registry_name plain)
	ctl "tag $IMAGE $name/d:1" "push $name/d:1" "rmi $name/d:1" >/dev/null
	# Loopback is asked directly.
	expect_failure grep -q localhost "$SANDBOX/work/proxy-log"
	mkdir -p "$CERTS/registry.test:5000"
	touch "$CERTS/registry.test:5000/insecure"
	ctl "pull -q registry.test:5000/d:1" "rmi registry.test:5000/d:1" >/dev/null
	expect_match "$(cat "$SANDBOX/work/proxy-log")" 'GET registry.test:5000'
	name=$(registry_name tls)
	trust "$name"
	trust registry.test
	ctl "login -u me -p sesame $name" "tag $IMAGE $name/d:1" "push $name/d:1" "rmi $name/d:1" >/dev/null
	expect_errno EACCES write "$MNT/ctl" 'pull registry.test/d:1'
	ctl 'login -u me -p sesame registry.test' 'pull -q registry.test/d:1' 'rmi registry.test/d:1' >/dev/null
	expect_match "$(cat "$SANDBOX/work/proxy-log")" 'CONNECT registry.test:443'
	expect_errno EHOSTUNREACH write "$MNT/ctl" 'pull direct.test/d:1'
	expect_failure grep -q direct.test "$SANDBOX/work/proxy-log"
	expect_failure grep -rq 'sesame\|c2VzYW1l' "$SANDBOX/work/proxy-log" "$RUN/log"
}

@test "skopeo reads our file of passwords, and we podman's" {
	local name
	name=$(registry_name tls)
	trust "$name"
	ctl "tag $IMAGE $name/e:1" "login -u me -p sesame $name" "push $name/e:1" "rmi $name/e:1" >/dev/null
	skopeo inspect --tls-verify=false --authfile "$ROOT/registry/config.json" "docker://$name/e:1" >/dev/null
	ctl "logout $name"
	expect_failure skopeo inspect --tls-verify=false --authfile "$ROOT/registry/config.json" "docker://$name/e:1" 2>/dev/null
	podman login --tls-verify=false --authfile "$ROOT/registry/config.json" -u me --password-stdin "$name" <<<sesame >/dev/null
	ctl "pull -q $name/e:1" "rmi $name/e:1" "logout $name" >/dev/null
	expect_equal "$(jq -c .auths "$ROOT/registry/config.json")" '{}'
}

@test "a wrong password is EACCES and keeps the right one; it stands nowhere but in the file" {
	local name pid=
	name=$(registry_name tls)
	trust "$name"
	ctl "login -u me -p sesame $name" >/dev/null
	expect_failure cfs login -u me --password-stdin "$name" <<<'open wide' 2>"$SANDBOX/work/said"
	expect_match "$(cat "$SANDBOX/work/said" "$MNT/error")" 'wrong user name or password'
	expect_equal "$(jq -r ".auths[\"$name\"].auth" "$ROOT/registry/config.json" | base64 -d)" me:sesame
	expect_failure grep -rqF -e sesame -e 'open wide' -e c2VzYW1l "$SANDBOX/work/said" "$MNT/error" "$MNT/ctl" "$RUN/log" "$RUN/events"
	for pid in $(list_own_pids); do
		expect_failure grep -qzF sesame "/proc/$pid/cmdline" "/proc/$pid/environ"
	done
	rm "$SANDBOX/work/said"
}
