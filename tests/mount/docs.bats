# The examples of the documents do what they say: the README's session, those of the man pages, and
# tools/quickstart on this build.

load lib
load registry

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	cd "$BATS_TEST_TMPDIR" || return
	cp "$SANDBOX/demo.tar.gz" rootfs.tar.gz
	echo '<p>hello' | tee x >index.html
}

teardown() {
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

# The blocks of code of a file, those with a line that matches: lines between fences.
blocks() {
	awk -v want="$2" '
		/^[ \t]*```/ {
			if (inside && text ~ want)
				printf "%s", text
			inside = !inside
			text = ""
			next
		}
		inside { sub(/^\t/, ""); text = text $0 "\n" }' "$TOP/$1"
}

# run_line LINE: by a shell of its own session. One that wants a terminal (-it) gets one, whose user
# leaves the shell at its prompt.
run_line() {
	if [[ $1 == *' -it '* ]]; then
		bounded "$TOP/tests/mount/terminal.py" 24x80 bash -c "$1" <<-'END' 3>&-
			expect / #
			send exit\r
			exit 0
		END
	else
		bounded bash -c "$1" </dev/null 2>&1
	fi
}

# Each line as a user has it; MNT and /cf are this mount. What waits for ever is cut short. After a
# line that fails stands its exit code in parentheses.
play() {
	local line
	sed -e "s|\<MNT/|$MNT/|g" -e 's/^tail -f/timeout 1 &/' -e 's/^cfs logs -f/timeout 1 &/' \
		-e "s|\([ =]\)/cf/|\1$MNT/|g" -e "s|\([ =]\)containers/|\1$MNT/containers/|g" |
		while IFS= read -r line; do
			echo "\$ $line"
			run_line "$line" || echo "($?)"
		done
}

@test "README: a session" {
	local said
	said=$(blocks README.md 'rootfs.tar.gz' | sed -e 's/demo:1/doc:1/' -e 's/echo stop >/echo stop 1 >/' | play)
	echo "$said"
	cfs rmi doc:1
	expect_match "$said" 'State:[[:space:]]running'
	expect_match "$said" 'write error: No such file or directory'
	expect_match "$said" '# error: start: no such container: nope
error: start: no such container: nope$'
	# tail is cut short, and the start fails; nothing else does.
	expect_equal "$(grep -o '^([0-9]*)$' <<<"$said" | tr '\n' ' ')" '(124) (1) '
	expect_equal "$(ls "$MNT/containers")" ''
}

@test "README: the command line" {
	local said
	said=$(blocks README.md 'cfs exec' | play)
	echo "$said"
	expect_match "$said" 'out
err
\(3\)'
	expect_match "$said" 'Up .* web'
	# logs -f is cut short.
	expect_equal "$(grep -o '^([0-9]*)$' <<<"$said" | tr '\n' ' ')" '(3) (124) '
}

@test "README: registries" {
	local said
	echo sesame >password
	htpasswd -Bni me <password >"$SANDBOX/work/htpasswd"
	PORT=5000 registry_start closed '' "auth: {htpasswd: {realm: r, path: $SANDBOX/work/htpasswd}}"
	said=$(blocks README.md 'cfs login' | play)
	echo "$said"
	expect_match "$said" 'Login Succeeded'
	expect_match "$said" 'Status: Downloaded newer image for localhost:5000/team/demo:1'
	expect_match "$said" 'hello'
	expect_equal "$(grep -c '^([0-9]*)$' <<<"$said")" 0
	expect_equal "$(jq -c .auths "$ROOT/registry/config.json")" '{}'
	cfs rmi localhost:5000/team/demo:1
	rm -r "$ROOT/registry" "$SANDBOX/work/htpasswd"
}

@test "cfs(1)" {
	local said
	run_container web sh -c 'echo one; echo two; exec sleep 1000'
	said=$(blocks docs/cfs.1.scd 'cfs run' | play)
	echo "$said"
	expect_match "$said" 'out
err
\(3\)'
	expect_match "$said" './index.html'
	expect_match "$said" 'one
two'
	expect_equal "$(grep -o '^([0-9]*)$' <<<"$said" | tr '\n' ' ')" '(3) (124) '
}

@test "containerfs(5): a setting, a wait for a line, a reply" {
	local said
	run_container web sh -c 'echo ready; sleep 1000'
	said=$(blocks docs/containerfs.5.scd '^echo .*Memory|^grep -qm1' | play)
	echo "$said"
	expect_equal "$(grep -c '^([0-9]*)$' <<<"$said")" 0
	expect_match "$(cat "$MNT/containers/web/config")" '"Memory": 268435456'
	cfs rm -f web
	said=$(blocks docs/containerfs.5.scd 'exec 3<>|start nope' | play)
	echo "$said"
	expect_match "$said" '[0-9a-f]{64}'
	expect_match "$said" 'error: start: no such container: nope$'
}

@test "containerfs(5): file operations" {
	local said id
	cp rootfs.tar.gz "$MNT/images/new:1"
	id=$(basename "$(readlink "$MNT/images/new:1")")
	said=$(cd "$MNT" && blocks docs/containerfs.5.scd '^mkdir containers/web' |
		grep -v 'rmdir images' | sed -e 's/    .*//' -e "s|sha256/ID|sha256/$id|" \
		-e "s|cp rootfs|cp $BATS_TEST_TMPDIR/rootfs|" -e "s|^rmdir containers/web|& \&\& mkdir containers/a|" |
		(cd "$MNT" && while IFS= read -r line; do
			echo "\$ $line"
			bounded bash -c "$line" 2>&1 || echo "($?)"
		done))
	echo "$said"
	# ln -sT meets the tag that cp has made, which the page says, and cp put the archive under it.
	expect_equal "$(grep -o '^([0-9]*)$' <<<"$said" | tr '\n' ' ')" '(1) '
	expect_match "$said" 'File exists'
	cfs rm b
	cfs rmi new:1
	find "$MNT/images/sha256" -mindepth 1 -maxdepth 1 | while read -r image; do
		[ -s "$image/tags" ] || rmdir "$image"
	done
}

@test "tools/busybox-image and quickstart: every line that it shows works" {
	local said
	# Its lines on this mount, without what it installs and builds.
	said=$(sed -n '/^show_all 3<</,/^TEXT$/p' "$TOP/tools/quickstart" | sed -e '1d' -e '$d' -e '/^#/d' \
		-e 's|\$work/x|x|' -e '/^kill -9/d' -e 's/echo stop >/echo stop 1 >/' | play)
	echo "$said"
	expect_match "$said" 'tick 0'
	expect_match "$said" '<p>hello'
	expect_match "$said" 'out
err
3'
	expect_equal "$(grep -c '^([0-9]*)$' <<<"$said")" 0
}

@test "containerfs-commands(5) has every command and every option of help, and no other" {
	local page=$TOP/docs/containerfs-commands.5.scd word
	for word in $(grep -o '^[a-z]*' "$MNT/help"); do
		grep -q "^\*$word\*\|^\*info\*, \*$word\*" "$page" || fail "no command $word"
	done
	expect_equal "$(grep -o '\*--[a-z-]*\*' "$page" | tr -d '*' | grep -vx -e -- | sort -u)" \
		"$(grep -o '^ .* --[a-z-]*' "$MNT/help" | grep -o -e '--[a-z-]*' | sort -u)"
}
