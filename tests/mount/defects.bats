# What Docker's first engine got wrong and no other file has a test of: see docs/defects.md. And that
# the tests which that page names exist.
# shellcheck shell=bash disable=SC2016

load lib

setup_file() {
	sandbox_start
	import_demo
}

setup() {
	look_before
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	cd /
	look_after
}

teardown_file() {
	sandbox_end
}

# sh_in NAME SCRIPT: run to its end under OPTIONS, its output; the container stays.
sh_in() {
	run_container "$1" sh -c "$2" || return 1
	wait_exit "$1" >/dev/null
	cat "$MNT/containers/$1/logs"
}

# Each row of the page names tests as `FILE: words of its title` or `FILE: function`, or says in the
# page's words whom it concerns instead. Prints what is wrong.
CHECK_PAGE='
import pathlib, re, sys
top = pathlib.Path(sys.argv[1])
wanted = [f"{letter}{n:02}" for letter, count in (("X", 31), ("D", 55), ("P", 39)) for n in range(1, count + 1)]
titles = {}
for path in (top / "tests").glob("*/*"):
    if path.suffix in (".bats", ".c"):
        pattern = r"^@test \"(.*)\" \{$" if path.suffix == ".bats" else r"^static void (test_\w+)\(void \*\*state\)"
        titles.setdefault(path.name, []).extend(re.findall(pattern, path.read_text(), re.M))
numbers = []
for line in (top / "docs/defects.md").read_text().splitlines():
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) < 3 or not re.fullmatch("[XDP][0-9]+", cells[1]):
        continue
    numbers.append(cells[1])
    tests = re.findall("`([^`:]+): ([^`]+)`", cells[-2])
    if len(cells) != 6 or not tests and not re.search(r"source only", cells[-2]):
        print("shows nothing:", line)
    for name, words in tests:
        if not any(words == title if name.endswith(".c") else words in title for title in titles.get(name, [])):
            print("no such test:", name, words)
if numbers != wanted:
    print("numbers:", set(wanted).symmetric_difference(numbers))
'

@test "docs/defects.md: every number is there once, and every test that it names" {
	expect_equal "$(python3 -c "$CHECK_PAGE" "$TOP")" ''
}

@test "a terminal without an input is a controlling one, with a size in bounds" {
	local size
	OPTIONS=-t expect_equal "$(OPTIONS=-t sh_in tty 'tty; : </dev/tty && echo controls' | tr -d '\r' | xargs)" \
		'/dev/pts/0 controls'
	OPTIONS=-t run_container web sleep 1000
	for size in '0 80' '24 0' '65536 80' '24 65536' '-1 80' '24' '1 2 3' 'x 80'; do
		expect_errno EINVAL write "$MNT/containers/web/ctl" "resize $size" || fail "$size"
	done
	ctl_of web 'resize 65535 65535'
}

@test "attach: the end of its input leaves the answer, and one that has ended is at its end" {
	OPTIONS=-i run_container web sh -c 'read -r line; : >/read
		while [ ! -e /go ]; do sleep 0.02; done; echo "got $line"; exit 3'
	cfs attach web <<<'one' >got 3>&- &
	local pid=$! code=0
	# Its input has ended when the answer comes.
	eventually test -e "$MNT/containers/web/rootfs/read"
	: >"$MNT/containers/web/rootfs/go"
	wait "$pid" || code=$?
	expect_equal "$code $(cat got)" '3 got one'
	expect_equal "$(bounded cat "$MNT/containers/web/attach")" ''
}

@test "each line of hosts has an address; the host's name servers are those of the start" {
	local first
	expect_equal "$(OPTIONS='--network none' sh_in none 'grep -cvE "^[0-9a-f:.]+	[a-z0-9]" /etc/hosts')" 0
	first=$(OPTIONS='--network host' sh_in web 'cat /etc/resolv.conf')
	echo 'nameserver 192.0.2.55' >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf
	ctl 'start web' >/dev/null
	wait_exit web >/dev/null
	umount /etc/resolv.conf
	expect_equal "$(cat "$MNT/containers/web/logs")" "$first"$'\nnameserver 192.0.2.55'
}

@test "a bind's source may be a link" {
	mkdir dir
	echo inside >dir/file
	ln -s dir todir
	ln -s dir/file tofile
	OPTIONS="-v $PWD/todir:/a -v $PWD/tofile:/b" expect_equal \
		"$(OPTIONS="-v $PWD/todir:/a -v $PWD/tofile:/b" sh_in web 'cat /a/file /b; echo new >/a/new' | xargs)" 'inside inside'
	expect_equal "$(cat dir/new)" new
}

@test "what is kept of containers is root's alone" {
	OPTIONS='-e SECRET=1' run_container web sleep 1000
	expect_equal "$(stat -c %a "$ROOT/containers" "$ROOT/images" "$ROOT/volumes" | xargs)" '700 700 700'
	# The secret can be read nowhere, not even by somebody who came past the directories.
	expect_equal "$(grep -rl SECRET=1 "$ROOT/containers" "$RUN" 2>/dev/null | xargs -r stat -c %a | sort -u)" 600
	expect_errno EACCES open rw "$MNT/containers/web/status"
	expect_equal "$(stat -c %a "$MNT")" 700
}

@test "sizes that cannot be known are an error, and no number" {
	local dir
	ctl "create --name web $IMAGE true" >/dev/null
	dir=$ROOT/containers/$(field "$MNT/containers/web/status" Id)
	mv "$dir/meta.json" meta.json
	kill_engine
	expect_failure ctl "inspect -s -f '{{.SizeRw}}' web" 2>/dev/null
	mv meta.json "$dir/meta.json"
	kill_engine
}
