# Registries of Debian's docker-registry on loopback, for one test file: each on a free port, ended by its number.
# shellcheck shell=bash disable=SC2034

# registry_start NAME [HTTP [TOP]]: further lines of its configuration, in http and at the top; DIR in them is
# its directory, which registry_dir prints. It listens on ADDRESS (127.0.0.1) and PORT (a free one).
registry_start() {
	local dir port
	dir=$(registry_dir "$1")
	port=${PORT:-}
	[ -n "$port" ] || port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	mkdir -p "$dir/store"
	cat >"$dir/config.yml" <<-END
		version: 0.1
		log: {level: warn, accesslog: {disabled: true}}
		storage: {filesystem: {rootdirectory: $dir/store}, delete: {enabled: true}}
		http:
		  addr: "${ADDRESS:-127.0.0.1}:$port"
		  ${2//DIR/$dir}
		${3//DIR/$dir}
	END
	docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 3>&- 4>&- &
	echo $! >"$dir/pid"
	echo "$port" >"$dir/port"
	eventually is_listening "${ADDRESS:-127.0.0.1}" "$port"
}

is_listening() {
	local address=${1#[}
	(: <>"/dev/tcp/${address%]}/$2") 2>/dev/null
}

registry_dir() {
	echo "$SANDBOX/work/registry-$1"
}

# registry_name NAME: as it begins the names of images.
registry_name() {
	echo "localhost:$(cat "$(registry_dir "$1")/port")"
}

# A registry that misbehaves (odd_registry.py), for the image of work/oci; its requests are in work/odd-log.
odd_start() {
	mkdir -p "$(registry_dir odd)"
	python3 "$TOP/tests/mount/odd_registry.py" "$SANDBOX/work/oci" "$SANDBOX/work/odd-log" \
		>"$SANDBOX/work/odd-ports" 3>&- 4>&- &
	echo $! >"$(registry_dir odd)/pid"
	eventually test -s "$SANDBOX/work/odd-ports"
}

# ODD is the registry's name, AWAY the address of the second server that belongs to it.
odd_open() {
	read -r ODD AWAY <"$SANDBOX/work/odd-ports"
	ODD=localhost:$ODD AWAY=127.0.0.1:$AWAY
}

registry_end() {
	local file
	for file in "$SANDBOX"/work/registry-*/pid; do
		[ ! -e "$file" ] || kill "$(cat "$file")" 2>/dev/null || :
	done
}
