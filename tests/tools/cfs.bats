# What cfs does without an engine: a directory of plain files stands for the
# mount, so that what is written where can be read back.

setup() {
	cfs=$BUILD_DIR/cfs
	mnt=$(mktemp -d)
	export CONTAINERFS=$mnt
	mkdir -p "$mnt/containers/web" "$mnt/images"
	touch "$mnt/ctl" "$mnt/containers/web/ctl"
	write_log one two three
	echo 0 >"$mnt/containers/web/wait"
	printf 'Name:\tweb\nId:\t%064d\nState:\texited\n' 42 >"$mnt/containers/web/status"
	printf 'stop NAME...\nstopwatch\nstart NAME...\n' >"$mnt/help"
}

# The log of web: a line each second of 2026; those that begin with E are of stderr.
write_log() {
	local dir=$mnt/containers/web
	printf '%s\n' "$@" >"$dir/logs"
	grep -v ^E "$dir/logs" >"$dir/stdout" || :
	grep ^E "$dir/logs" >"$dir/stderr" || :
	awk '{ printf "{\"log\":\"%s\\n\",\"stream\":\"%s\",\"time\":\"2026-01-01T%02d:%02d:%02d.5Z\"}\n",
		$0, /^E/ ? "stderr" : "stdout", NR / 3600, NR / 60 % 60, NR % 60 }' "$dir/logs" \
		>"$dir/logs.json"
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
	[ "$(cat "$mnt/ctl")" = "create --pull missing demo:1" ]
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
	write_log $(seq 50000)
	run_apart "$cfs" logs --tail 20000 web
	[ "$out" = "$(seq 30001 50000)" ]
	printf 'unfinished' >>"$mnt/containers/web/logs"
	[ "$("$cfs" logs --tail 2 web 2>&1)" = $'50000\nunfinished' ]
}

@test "streams apart, in the order of arrival where they are one" {
	write_log one E1 two E2 three
	run_apart "$cfs" logs web
	[ "$out|$err" = $'one\ntwo\nthree|E1\nE2' ]
	[ "$("$cfs" logs web 2>&1)" = $'one\nE1\ntwo\nE2\nthree' ]
	run_apart "$cfs" logs -n 3 web
	[ "$out|$err" = $'two\nthree|E2' ]
	run_apart "$cfs" logs -t -n 2 web
	[ "$out|$err" = '2026-01-01T00:00:05.5Z three|2026-01-01T00:00:04.5Z E2' ]
}

@test "logs between two times" {
	write_log $(seq 20000)
	run_apart "$cfs" logs --since 2026-01-01T01:00:00Z --until 2026-01-01T01:00:03Z web
	[ "$out" = $'3600\n3601\n3602' ]
	run_apart "$cfs" logs --since 2026-01-01T03:00:00+02:00 --until 2026-01-01T01:00:01.5Z -t web
	[ "$out" = $'2026-01-01T01:00:00.5Z 3600\n2026-01-01T01:00:01.5Z 3601' ]
	run_apart "$cfs" logs --until 1767225601 web
	[ "$out" = '' ]
	run_apart "$cfs" logs --until 1767225601.6 web
	[ "$out" = 1 ]
	run_apart "$cfs" logs --since 2026-01-01 -n 1 web
	[ "$out" = 20000 ]
	run_apart "$cfs" logs --since 1h30m20s web
	[ "$out" = "" ]
	for time in yesterday 10x 2026-13-01 '' 99999999999999999999; do
		run_apart "$cfs" logs --since "$time" web
		[ "$code $err" = "1 cfs: logs: '$time' is no time; such as 2026-01-31T15:04:05Z, 1769871845 or 10m" ]
	done
}

@test "logs tells times of pieces of a line once, and shows text as it was" {
	cat >"$mnt/containers/web/logs.json" <<'END'
{"log":"a \"b\" \\ \u00e9\t","stream":"stdout","time":"2026-01-01T00:00:01Z"}
{"log":"E\n","stream":"stderr","time":"2026-01-01T00:00:02Z"}
{"log":"end\r\n","stream":"stdout","time":"2026-01-01T00:00:03Z"}
12 bytes were dropped
END
	run_apart "$cfs" logs -t web
	[ "$out" = $'2026-01-01T00:00:01Z a "b" \\ \u00e9\tend\r\n12 bytes were dropped' ]
	[ "$err" = '2026-01-01T00:00:02Z E' ]
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

# Options as getopt_long(3) is told of them. One is passed on for the mount to refuse.
@test "every option is in the manual and among what --help says" {
	cd "$BATS_TEST_DIRNAME/../.."
	for option in $(grep -hoE '\{ "[a-z-]+", (no|required|optional)_argument' tools/cfs/*.c |
		cut -d '"' -f 2 | sort -u | grep -vx privileged); do
		grep -qe "\*--$option" docs/cfs.1.scd || { echo "not in the manual: $option" && false; }
		grep -qe " --$option" tools/cfs/command.c || { echo "not in --help: $option" && false; }
	done
	[ -z "$(grep -h '^\*[a-z]*\* ' docs/cfs.1.scd | grep -v '\*--help\*\|\*start\*\|\*cp\*' |
		cut -d ' ' -f 1 | grep -vx '\*cfs\*' | sort | uniq -d)" ]
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
