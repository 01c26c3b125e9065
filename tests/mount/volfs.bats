# volumes/NAME: real directories. What is asked of the mount is asked of a native
# directory too, and the answers compared.

load lib
load survival

setup_file() {
	sandbox_start
	build_helpers
	import_demo
}

setup() {
	look_before
	V=$MNT/volumes
	D=$ROOT/volumes
}

teardown() {
	hold_end
	bounded stat "$MNT/info" >/dev/null 2>&1 || mount_start
	find "$V" -mindepth 1 -maxdepth 1 -exec timeout "$DEADLINE" rm -r {} +
	look_after
}

teardown_file() {
	sandbox_end
}

# --- the volumes -----------------------------------------------------------------------

@test "mkdir makes a volume, rmdir removes it with what is in it" {
	mkdir "$V/data" "$V/a.b-c_1"
	expect_equal "$(ls "$V")" "a.b-c_1
data"
	expect_equal "$(stat -c '%F %a %u %g' "$V/data")" "directory 755 0 0"
	echo x >"$V/data/x"
	expect_equal "$(cat "$D/data/x")" x
	rmdir "$V/data"
	expect_failure stat "$V/data" 2>/dev/null
	expect_failure ls "$D/data" 2>/dev/null
	# A new one is a new one.
	mkdir "$V/data"
	expect_equal "$(ls -A "$V/data")" ""
	touch "$V/data/y"
	rm -r "$V/data"
	expect_equal "$(ls "$V")" a.b-c_1
}

@test "what is refused in volumes has a sentence" {
	mkdir "$V/data" "$V/other"
	touch "$V/data/f"
	expect_errno EEXIST mkdir "$V/data"
	expect_errno EINVAL mkdir "$V/-x"
	expect_errno EINVAL mkdir "$V/0123456789ab"
	expect_errno ENOENT rmdir "$V/none"
	expect_failure touch "$V/file" 2>/dev/null
	expect_sentence "create: 'file' is none of what can be made or removed here"
	expect_failure ln -s x "$V/link" 2>/dev/null
	expect_sentence "ln: 'link' is none of what can be made or removed here"
	run -1 mv -T "$V/data" "$V/renamed"
	expect_match "$output" "Operation not permitted"
	expect_sentence "mv: 'data' cannot be moved there"
	run -1 mv "$V/data/f" "$V/f"
	expect_match "$output" "Operation not permitted"
	run -1 ln "$V/data/f" "$V/other/f"
	expect_match "$output" "cross-device"
	expect_equal "$(find "$V" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')" "data data/f other "
}

@test "moving between two volumes copies and removes" {
	mkdir "$V/one" "$V/two"
	mkdir "$V/one/d"
	echo text >"$V/one/d/f"
	chown 5:6 "$V/one/d/f"
	mv "$V/one/d" "$V/two/"
	expect_equal "$(cat "$D/two/d/f") $(stat -c %u:%g "$D/two/d/f")" "text 5:6"
	expect_equal "$(ls "$D/one")" ""
}

# --- POSIX -------------------------------------------------------------------------------

@test "system calls give what they give in a native directory" {
	mkdir "$V/data" "$ROOT/native"
	(cd "$ROOT/native" && bounded python3 "$TOP/tests/mount/posix.py") >"$SANDBOX/native" 2>&1
	(cd "$V/data" && bounded python3 "$TOP/tests/mount/posix.py") >"$SANDBOX/volume" 2>&1
	rm -r "$ROOT/native"
	diff "$SANDBOX/native" "$SANDBOX/volume"
	expect_equal "$(grep -c '^---' "$SANDBOX/volume")" 5
	expect_failure grep Traceback "$SANDBOX/volume"
}

@test "cp -a, tar, rsync, find and du agree with the directory behind" {
	mkdir "$V/data"
	cd "$V/data"
	mkdir -p tree/a/b tree/empty
	seq 1000 >tree/a/f
	ln tree/a/f tree/a/b/g
	ln -s ../a/f tree/link
	truncate -s 1M tree/hole
	touch tree/a/b/old
	chown -h 3:4 tree/a/b/old tree/link
	# rsync takes times of the same second for the same.
	find tree -exec touch -hd 2001-02-03T04:05:06.789 {} +
	setfattr -n user.x -v y tree/a/f 2>/dev/null || python3 -c 'import os; os.setxattr("tree/a/f", "user.x", b"y")'
	# rsync leaves times alone that differ by less than a second.
	find tree -depth -exec touch -h -d 2001-02-03T04:05:06.789 {} +
	cp -a tree copy
	mkdir tar && tar --xattrs -cf - tree | tar --xattrs -C tar -xf -
	rsync -aHXS tree/ sync/
	look() {
		(cd "$1" && find . -printf '%P %y %m %U %G %n %s %t %l\n' | grep -v '^ ' | sort)
	}
	look tree >"$SANDBOX/look"
	for other in copy tar/tree sync "$D/data/tree" "$D/data/copy" "$D/data/sync"; do
		look "$other" | diff "$SANDBOX/look" - || fail "$other differs"
	done
	expect_equal "$(python3 -c 'import os; print(os.getxattr("sync/a/f", "user.x"))')" "b'y'"
	expect_equal "$(du -s copy | cut -f1)" "$(du -s "$D/data/copy" | cut -f1)"
	find . -type f -exec cat {} + | cmp - <(cd "$D/data" && find . -type f -exec cat {} +)
	cd /
}

@test "what is done behind is seen at once, and what is done here is seen behind" {
	mkdir "$V/data"
	for i in $(seq 50); do
		echo "$i" >"$D/data/f"
		expect_equal "$(cat "$V/data/f")" "$i"
		echo "$i" >>"$V/data/g"
		expect_equal "$(tail -n 1 "$D/data/g")" "$i"
		touch "$D/data/new$i"
		[ -e "$V/data/new$i" ]
		mv -f "$D/data/new$i" "$D/data/moved"
		expect_failure [ -e "$V/data/new$i" ]
	done
	# An open file that grows, and is removed, behind.
	hold_start grow
	hold grow "open rw $V/data/f"
	echo more >>"$D/data/f"
	hold grow "seek 3" "OK 3"
	hold grow "read 100" 'OK more\n'
	rm "$D/data/f"
	hold grow "write last" "OK 5"
	hold grow "pread 8 100" 'OK last\n'
}

# --- hostile processes ----------------------------------------------------------------------

@test "links, pipes and devices that come and go under a name lead nowhere" {
	mkdir "$V/data"
	echo secret >"$SANDBOX/secret"
	# shellcheck disable=SC2016
	timeout "$DEADLINE" bash -c 'cd "$0" && while :; do
		ln -sf "$1" x; rm -f x; mkfifo x; rm -f x; mknod x c 1 3; rm -f x; echo fine >x; ln -f x y
		mkdir d; mv -T d e; ln -sfn "$2" d; rm -f d; rmdir e
	done' "$D/data" "$SANDBOX/secret" "$SANDBOX" 2>/dev/null 3>&- &
	local swapper=$!
	bounded python3 - "$V/data" "$SANDBOX/secret" <<-'END'
		import os, sys
		os.chdir(sys.argv[1])
		for i in range(500):
		    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC):
		        try:
		            fd = os.open("x", flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
		        except OSError:
		            continue
		        if flags == os.O_RDONLY:
		            assert b"secret" not in os.read(fd, 100)
		        else:
		            try:
		                os.write(fd, b"mine\n")
		            except OSError:
		                pass
		        os.close(fd)
		    try:
		        fd = os.open("d", os.O_DIRECTORY | os.O_NOFOLLOW)
		        assert "secret" not in os.listdir(fd)
		        os.close(fd)
		        os.rmdir("d")
		    except OSError:
		        pass
	END
	kill "$swapper"
	wait "$swapper" 2>/dev/null || :
	expect_equal "$(cat "$SANDBOX/secret")" secret
	bounded rm -rf "$V/data"
}

@test "a pipe without a writer holds up its reader alone" {
	mkdir "$V/data"
	mkfifo "$D/data/pipe"
	bounded cat "$V/data/pipe" >"$SANDBOX/work/out" 3>&- &
	local reader=$!
	bounded ls -l "$V/data" >/dev/null
	# The kernel keeps one pipe for each of the two names' file systems.
	# shellcheck disable=SC2016
	bounded bash -c 'echo through >"$0"' "$V/data/pipe"
	wait "$reader"
	expect_equal "$(cat "$SANDBOX/work/out")" through
}

# --- the engine's death --------------------------------------------------------------------

@test "open files, removed ones, listings and the working directory survive" {
	mkdir "$V/data" "$V/data/many"
	for i in $(seq 200); do
		echo "$V/data/many/name-$i"
	done | xargs touch
	hold_start file gone list
	hold file "open c $V/data/file"
	hold file "write one" "OK 4"
	echo kept >"$V/data/gone"
	hold gone "open rw $V/data/gone"
	rm "$D/data/gone"
	hold list "opendir $V/data/many"
	hold_send list "list 20"
	read -r -a begin <<<"$(hold_answer list)"
	cd "$V/data/many"
	local inode i
	inode=$(stat -c %i name-7)
	for i in 1 2 3; do
		kill_now
		hold file "write two" "OK 4"
		echo "$i" >"new$i"
	done
	expect_equal "$(stat -c %i name-7)" "$inode"
	expect_equal "$(pwd -P)" "$V/data/many"
	cd /
	expect_equal "$(tr '\n' ' ' <"$D/data/file")" "one two two two "
	hold gone "pread 0 100" 'OK kept\n'
	hold gone "write more" "OK 5"
	hold gone "size" "OK 5"
	hold_send list "list 0"
	read -r -a end <<<"$(hold_answer list)"
	expect_equal "$(printf '%s\n' "${begin[@]:1}" "${end[@]:1}" | grep -c name-)" 200
	expect_equal "$(printf '%s\n' "${begin[@]:1}" "${end[@]:1}" | grep name- | sort -u | wc -l)" 200
}

@test "what makes, moves and removes is done once, however often the engine is killed" {
	mkdir "$V/data"
	# shellcheck disable=SC2016
	bounded bash -c 'cd "$0" && for i in $(seq 150); do
		mkdir "d$i" && echo "$i" >>log && (set -C; echo "$i" >"f$i") && ln "f$i" "l$i" &&
			ln -s "f$i" "s$i" && mv -T "d$i" "e$i" && rm "f$i" "s$i" && rmdir "e$i" || exit 1
	done' "$V/data" 2>"$SANDBOX/work/failed" 3>&- &
	local worker=$!
	kill_engines 6 1000 60000
	wait "$worker" || fail "$(cat "$SANDBOX/work/failed")"
	seq 150 | diff - "$D/data/log"
	expect_equal "$(find "$D/data" -name 'l*' | wc -l)" 151
	expect_equal "$(find "$D/data" -mindepth 1 -not -name 'l*' | wc -l)" 0
}
