# A pull while it runs: what a terminal shows of it, who shares it, who interrupts it.

load lib
load registry

setup_file() {
	sandbox_start
	import_demo
	python3 "$TOP/tests/mount/oci.py" "$SANDBOX/work/oci" "$SANDBOX/demo.tar.gz" >"$SANDBOX/work/id"
	odd_start
}

setup() {
	look_before
	odd_open
	: >"$SANDBOX/work/odd-log"
}

teardown() {
	rm -f "$SANDBOX/work/odd-log.gate"
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

open_gate() {
	touch "$SANDBOX/work/odd-log.gate"
}

# How often a blob of that mood was asked for.
count_blobs() {
	grep -c "/v2/$1/blobs/" "$SANDBOX/work/odd-log"
}

# The other half is missing of all that is under way.
is_half_done() {
	[ "$(count_blobs "$1")" -ge "$2" ]
}

# on_terminal ROWSxCOLS MOOD: cfs pull there, what is typed from stdin; its frames go to work/frames.
on_terminal() {
	bounded "$TOP/tests/mount/terminal.py" "$1" cfs pull "$ODD/$2:1" >"$SANDBOX/work/frames" 3>&-
}

# The largest frame but the last, as "LINES COLUMNS": a frame is what is drawn before the cursor goes up again.
measure_frames() {
	python3 - "$SANDBOX/work/frames" <<-'END'
		import re, sys
		text = open(sys.argv[1], newline="").read().replace("\r\n", "\n")
		frames = [re.sub(r"\x1b\[[JK]", "", frame).split("\n")[:-1] for frame in re.split(r"\x1b\[\d+A\r", text)]
		print(max((len(frame) for frame in frames[:-1]), default=0), max(len(line) for frame in frames for line in frame))
	END
}

@test "a terminal: a bar for each layer, no line wider than it, and as many as it is high" {
	on_terminal 10x60 stairs <<-'END' &
		expect Downloading [
		exit 0
	END
	pid=$!
	eventually grep -q 'Downloading \[=.*>.* 51.2kB/102.4kB' "$SANDBOX/work/frames"
	open_gate
	wait "$pid"
	read -r lines columns < <(measure_frames)
	expect_equal "$lines" 9
	[ "$columns" -lt 60 ]
	# All of it at the end, though it scrolls.
	expect_equal "$(grep -c ': Pull complete' <(sed 's/.*\x1b\[[0-9]*A//' "$SANDBOX/work/frames" | tail -n 45))" 40
	expect_match "$(tail -n 2 "$SANDBOX/work/frames")" "$ODD/stairs:1"
	ctl "rmi $ODD/stairs:1" >/dev/null
	rm "$SANDBOX/work/frames"
}

@test "a narrow terminal: counts without a bar, or nothing but the words" {
	open_gate
	for size in 5x30 3x12 24x1; do
		on_terminal "$size" stairs <<<'exit 0'
		read -r _ columns < <(measure_frames)
		[ "$columns" -lt "${size#*x}" ] || [ "$columns" = 1 ]
		ctl "rmi $ODD/stairs:1" >/dev/null
	done
	rm "$SANDBOX/work/frames"
}

@test "Ctrl-C at a terminal ends a pull and leaves nothing" {
	on_terminal 24x80 waits <<-'END'
		expect Downloading
		send \x03
		exit -2
	END
	[ ! -e "$MNT/images/$ODD" ]
	rm "$SANDBOX/work/frames"
}

@test "without a terminal: a line when the words of one change, no control characters" {
	open_gate
	lines=$(cfs pull "$ODD/stairs:1")
	expect_match "$lines" $'^1: Pulling from stairs\n'
	expect_equal "$(grep -c ': Pull complete$' <<<"$lines")" 40
	expect_failure grep -q $'\x1b\|/102' <<<"$lines"
	ctl "rmi $ODD/stairs:1" >/dev/null
}

@test "two pulls of one image share the work; one is interrupted and the other goes on" {
	local one two
	(echo "pull $ODD/waits:1" >"$MNT/ctl") 2>/dev/null &
	one=$!
	(echo "pull $ODD/waits:1" >"$MNT/ctl") &
	two=$!
	wait_blocked is_writing "$one"
	wait_blocked is_writing "$two"
	kill -TERM "$one"
	wait "$one" || :
	[ ! -e "$MNT/images/$ODD" ]
	open_gate
	wait "$two"
	expect_equal "$(sha256sum <"$MNT/images/$ODD/waits:1/config" | cut -d' ' -f1)" "$(cat "$SANDBOX/work/id")"
	# The config and two layers; the lowest is here.
	expect_equal "$(count_blobs waits)" 3
	ctl "rmi $ODD/waits:1" >/dev/null
}

@test "kill -9 of the engine in the middle: the pull goes on, nothing of the first try is left" {
	local pid
	(echo "pull $ODD/waits:1" >"$MNT/ctl") &
	pid=$!
	eventually is_half_done waits 2
	kill_engine
	eventually is_half_done waits 4
	open_gate
	wait "$pid"
	expect_equal "$(ls "$ROOT/images/tmp")" ''
	expect_equal "$(sha256sum <"$MNT/images/$ODD/waits:1/config" | cut -d' ' -f1)" "$(cat "$SANDBOX/work/id")"
	ctl "rmi $ODD/waits:1" >/dev/null
}
