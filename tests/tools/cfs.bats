# What cfs does without an engine: a directory of plain files stands for the
# mount, so that what is written where can be read back.

setup() {
	cfs=$BUILD_DIR/cfs
	mnt=$(mktemp -d)
	export CONTAINERFS=$mnt
	mkdir -p "$mnt/containers/web" "$mnt/images"
	touch "$mnt/ctl" "$mnt/containers/web/ctl"
	printf 'one\ntwo\nthree\n' >"$mnt/containers/web/logs"
	cp "$mnt/containers/web/logs" "$mnt/containers/web/follow"
	printf 'Name:\tweb\nId:\t%064d\n' 42 >"$mnt/containers/web/status"
	printf 'stop NAME...\nstopwatch\nstart NAME...\n' >"$mnt/help"
}

teardown() {
	rm -rf "$mnt"
}

# Standard output, standard error and the exit code apart.
run_apart() {
	code=0
	"$@" >"$mnt/out" 2>"$mnt/err" || code=$?
	out=$(cat "$mnt/out")
	err=$(cat "$mnt/err")
}

@test "a word of the mount goes to its ctl, quoted, in one line" {
	run_apart "$cfs" stop -t 5 web "it's a" ''
	[ "$code" = 0 ]
	[ "$(cat "$mnt/ctl")" = "stop -t 5 web 'it'\\''s a' ''" ]
}

@test "a newline in an argument stays in its quotes" {
	run_apart "$cfs" anything $'a\nb'
	[ "$(cat "$mnt/ctl")" = $'anything \'a\nb\'' ]
}

@test "without a mount commands fail with 1, run and create with 125" {
	export CONTAINERFS=/nonexistent
	run_apart "$cfs" ps
	[ "$code" = 1 ]
	[ "$err" = "cfs: no containerfs at '/nonexistent' (\$CONTAINERFS): No such file or directory" ]
	for command in run create attach; do
		run_apart "$cfs" $command demo:1
		[ "$code" = 125 ]
	done
}

@test "a wrong option is 125 and nothing is written" {
	run_apart "$cfs" run --nmae web demo:1
	[ "$code" = 125 ]
	[ "$err" = "cfs: run: no such option: '--nmae'; see 'cfs run --help'" ]
	[ ! -s "$mnt/ctl" ]
	run_apart "$cfs" run
	[ "$code" = 125 ]
	[ "$err" = "cfs: run: an image is needed; see 'cfs run --help'" ]
	run_apart "$cfs" run -d -a stdout demo:1
	[ "$code" = 125 ]
	[ "$err" = "cfs: run: -a and -d exclude each other" ]
}

@test "a command without an id as its reply leaves no cid file" {
	run_apart "$cfs" create --cidfile "$mnt/cid" demo:1
	[ "$code" = 125 ]
	[ ! -e "$mnt/cid" ]
	[ "$(cat "$mnt/ctl")" = "create demo:1" ]
}

@test "a cid file that exists is refused before anything is made" {
	echo keep >"$mnt/cid"
	run_apart "$cfs" create --cidfile "$mnt/cid" demo:1
	[ "$code" = 125 ]
	[ "$err" = "cfs: cannot create the cid file '$mnt/cid': File exists" ]
	[ "$(cat "$mnt/cid")" = keep ]
	[ ! -s "$mnt/ctl" ]
}

@test "logs, their tail, and the same of follow" {
	run_apart "$cfs" logs web
	[ "$out" = $'one\ntwo\nthree' ]
	run_apart "$cfs" logs --tail 2 web
	[ "$out" = $'two\nthree' ]
	run_apart "$cfs" logs --tail 0 web
	[ "$out" = "" ]
	run_apart "$cfs" logs --tail 9 web
	[ "$out" = $'one\ntwo\nthree' ]
	run_apart "$cfs" logs -f --tail 1 web
	[ "$out" = three ]
	run_apart "$cfs" logs --tail x web
	[ "$code" = 1 ]
	[ "$err" = "cfs: logs: 'x' is no number of lines" ]
}

@test "the tail of a log of many blocks" {
	seq 100000 >"$mnt/containers/web/logs"
	run_apart "$cfs" logs --tail 50000 web
	[ "$out" = "$(seq 50001 100000)" ]
	printf 'unfinished' >>"$mnt/containers/web/logs"
	run_apart "$cfs" logs --tail 2 web
	[ "$out" = $'100000\nunfinished' ]
}

@test "a container is found by a prefix of its id" {
	run_apart "$cfs" logs 0000
	[ "$out" = $'one\ntwo\nthree' ]
	run_apart "$cfs" logs 000
	[ "$code" = 1 ]
	[ "$err" = "cfs: no such container: 000" ]
	mkdir "$mnt/containers/other"
	cp "$mnt/containers/web/status" "$mnt/containers/other/status"
	run_apart "$cfs" logs 0000
	[ "$code" = 1 ]
}

@test "help: ours, the mount's line about one command, and none" {
	run_apart "$cfs" run --help
	[ "$code" = 0 ]
	[[ "$out" == "usage: cfs run "* ]]
	run_apart "$cfs" stop --help
	[ "$out" = "usage: cfs stop NAME..." ]
	run_apart "$cfs" help
	[[ "$out" == *"stopwatch"* ]]
	run_apart "$cfs" nothing --help
	[ "$code" = 1 ]
	[ "$err" = "cfs: no such command: 'nothing'; see 'cfs help'" ]
	run_apart "$cfs"
	[ "$code" = 1 ]
	[ -z "$out" ]
}

@test "output that cannot be written is an error" {
	code=0
	"$cfs" logs web >/dev/full 2>"$mnt/err" || code=$?
	[ "$code" != 0 ]
	[ "$(cat "$mnt/err")" = "cfs: cannot write stdout: No space left on device" ]
}

@test "the busybox image is the same each time and has what a program expects" {
	make=$BATS_TEST_DIRNAME/../../tools/busybox-image
	"$make" "$mnt/a.tar.gz"
	(umask 077 && "$make" "$mnt/b.tar.gz")
	cmp "$mnt/a.tar.gz" "$mnt/b.tar.gz"
	list=$(tar tvf "$mnt/a.tar.gz")
	[[ "$list" == *" ./bin/sh -> busybox"* ]]
	[[ "$list" == *"drwxrwxrwt 0/0 "*" ./tmp/"* ]]
	[[ "$list" == *"drwxr-xr-x 1000/1000 "*" ./home/demo/"* ]]
}
