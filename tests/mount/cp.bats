# cfs cp, and what else passes whole files: docker cp's meanings, and no way out of a root.

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	OUT=$BATS_TEST_TMPDIR
	cd "$OUT" || return 1
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

refused() {
	local want=$1
	shift
	expect_equal "$(cfs cp "$@" 2>&1 || echo "code $?")" "cfs: cp: $want
code 1"
}

@test "from a running container and back: names, members, links, owners" {
	run_container web sh -c 'mkdir -p /d/sub; echo x >/d/f; echo y >/d/sub/g; ln -s /d/f /link
		ln -s /d /dirlink; mkfifo /d/pipe; chmod 640 /d/f; chown 1000:1000 /d/f; echo up; sleep 1000'
	wait_line web up
	cfs cp web:/d .
	expect_equal "$(find d -printf '%P %y %m %U\n' | sort)" \
		$' d 755 0\nf f 640 0\npipe p 644 0\nsub d 755 0\nsub/g f 644 0'
	cfs cp web:/d new
	diff -r --no-dereference -x pipe d new
	mkdir into
	cfs cp web:/d/. into
	diff -r -x pipe d into
	cfs cp web:/link . && expect_equal "$(readlink link)" /d/f
	cfs cp -L web:/link followed && expect_equal "$(cat followed)" x
	cfs cp -a web:d/f kept && expect_equal "$(stat -c '%u:%g %a' kept)" '1000:1000 640'
	cfs cp web:/d/sub/../f - | tar x -O | cmp - followed

	echo host >h
	chown 1000 h
	cfs cp h web:/d/sub/
	cfs cp h web:/named
	cfs cp h web:/dirlink
	cfs cp into web:/tree
	cfs cp into web:/tree
	cfs cp into/. web:/tree
	expect_equal "$(cd "$MNT/containers/web/rootfs" && find d/h d/sub/h named tree | sort | tr '\n' ' ')" \
		'd/h d/sub/h named tree tree/f tree/into tree/into/f tree/into/pipe tree/into/sub tree/into/sub/g tree/pipe tree/sub tree/sub/g '
	expect_equal "$(stat -c %u "$MNT/containers/web/rootfs/named")" 0
	tar c h d | cfs cp - web:/d/sub
	expect_equal "$(stat -c %u "$MNT/containers/web/rootfs/d/sub/h")" 1000
	cfs cp h web:/link
	expect_equal "$(readlink "$MNT/containers/web/rootfs/link") $(cat "$MNT/containers/web/rootfs/d/f")" \
		'/d/f host'

	refused "'web:/named' is not a directory" into web:/named
	refused "cannot open the directory of 'web:/no/x': No such file or directory" h web:/no/x
	refused "cannot open the directory 'web:/no/': No such file or directory" h web:/no/
	refused "cannot find 'web:/no': No such file or directory" web:/no .
	refused "cannot find 'no': No such file or directory" no web:/
	mkdir d2 && echo >d2/sub
	refused "cannot replace a directory by 'd2/./sub', which is none" d2/. web:/d
	refused 'one of the two must be in a container, as NAME:PATH' h into
	expect_match "$(cfs cp nosuch:/x . 2>&1)" 'no such container: nosuch'
}

@test "links of a container stay in it, stopped or running" {
	local secret=$OUT/secret name
	echo secret >"$secret"
	run_container web sh -c "ln -s / /root0; ln -s ../../../../../../.. /up; ln -s $OUT /outside
		ln -s $secret /file; echo up; sleep 1000"
	wait_line web up
	for name in running stopped; do
		expect_failure cfs cp -L web:/file got 2>/dev/null
		expect_failure cfs cp web:/outside/secret got 2>/dev/null
		expect_failure cfs cp "web:/up$secret" got 2>/dev/null
		expect_failure cfs cp "web:/proc/1/root$secret" got 2>/dev/null
		[ ! -e got ]
		expect_failure cfs cp secret web:/outside/new 2>/dev/null
		[ ! -e new ]
		# Into a directory of the container that is there, whatever links to it.
		cfs cp secret web:/up/root0/up/tmp/
		cmp secret "$MNT/containers/web/rootfs/tmp/secret"
		rm "$MNT/containers/web/rootfs/tmp/secret"
		# An archive that names what lies behind a link, replaces the link.
		mkdir -p evil/outside
		echo evil >evil/outside/secret
		expect_failure tar_in evil 2>/dev/null
		expect_equal "$(cat "$secret")" secret
		rm -r evil
		ctl 'stop -t 0 web'
	done
}

tar_in() {
	tar c -C "$1" . | cfs cp - web:/
}

@test "a whole root, and export" {
	run_container web sh -c 'echo mine >/tmp/mine; echo up; sleep 1000'
	wait_line web up
	cfs cp web:/ all
	expect_equal "$(cat all/tmp/mine) $(ls all/proc all/sys | tr -d '\n')" 'mine all/proc:all/sys:'
	cfs export web >whole.tar
	cfs export -o named.tar web
	expect_equal "$(tar xOf named.tar tmp/mine)" mine
	expect_equal "$(tar tf whole.tar | sort | cksum)" "$(tar tf named.tar | sort | cksum)"
	expect_equal "$(cfs stats --no-stream web | awk 'NR == 2 { print $2 }')" web
	expect_match "$(cfs top web)" 'sleep 1000'
}

@test "events: filtered, and until a time" {
	cfs events --until 2020-01-01 >none
	[ ! -s none ]
	cfs events -f type=container -f event=start -f event=die --filter container=web >got 3>&- 4>&- &
	local pid=$!
	wait_blocked is_reading "$pid"
	cfs run --rm --name other "$IMAGE" true
	cfs run --rm --name web "$IMAGE" true
	eventually grep -q '"die"' got
	kill "$pid"
	wait "$pid" || :
	expect_equal "$(sed 's/.*"Action":"\([a-z]*\)".*/\1/' got | tr '\n' ' ')" 'start die '
	expect_match "$(cfs events -f colour=red 2>&1)" "'colour=red' is no filter"
}
