# The program containerfs: its words, its sentences, its beginning and its end.
# What an engine's death does to the mount is test_holder's; here the real one.
bats_require_minimum_version 1.5.0

setup() {
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/holder-XXXXXX")
	root=$scratch/root run=$scratch/run mnt=$scratch/mnt
	mkdir "$mnt"
	program=$BUILD_DIR/containerfs
}

teardown() {
	if [ -s "$root/lock" ]; then
		kill "$(head -1 "$root/lock")" 2>/dev/null || true
		wait_free "$root" || true
	fi
	while umount -l "$mnt" 2>/dev/null; do :; done
	rm -rf --one-file-system "$scratch"
}

start() {
	"$program" --root "$root" --run "$run" "$@"
}

# Nobody holds the lock: holder and engine have gone.
wait_free() {
	flock -w 10 "$1/lock" true
}

mounts_here() {
	awk -v mnt="$mnt" '$5 == mnt' /proc/self/mountinfo | wc -l
}

@test "help and version" {
	run -0 "$program" --help
	[[ ${lines[0]} == "Usage: containerfs [OPTION]... [SOURCE] MNT" ]]
	run -0 "$program" --version
	[[ $output == "containerfs "[0-9]* ]]
}

@test "wrong words are refused with a sentence" {
	run -1 "$program"
	[ "$output" = "containerfs: the directory to mount on is missing; see containerfs --help" ]
	run -1 "$program" --nmae "$mnt"
	[ "$output" = "containerfs: option '--nmae' is unknown or takes no value; see containerfs --help" ]
	run -1 start -o colour=red "$mnt"
	[ "$output" = "containerfs: unknown option '-o colour=red'; see containerfs --help" ]
	run -1 start "$mnt/none"
	[ "$output" = "containerfs: the mount point '$mnt/none' does not exist; make the directory first" ]
	run -1 "$program" --root "$mnt/root" --run "$run" "$mnt"
	[ "$output" = "containerfs: the root directory '$mnt/root' lies in the mount point '$mnt'" ]
	[ "$(mounts_here)" = 0 ]
	[ -z "$(ls -A "$mnt")" ]
}

@test "nobody but root mounts" {
	chmod 711 "$scratch"
	cp "$program" "$scratch/copy"
	run -1 setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/copy" /mnt
	[ "$output" = "containerfs: only root can mount a container engine; use sudo or su" ]
}

@test "the mount answers when the command returns, and umount ends it" {
	run -0 start my-source "$mnt"
	[ -z "$output" ]
	[ "$(findmnt -no SOURCE,FSTYPE "$mnt" | tr -s ' ')" = "my-source fuse.containerfs" ]
	[ "$(stat -c '%a %u' "$mnt")" = "700 0" ]
	[ "$(stat -c %a "$root")" = 700 ]
	[ "$(stat -c %a "$run")" = 700 ]
	kill -0 "$(head -1 "$root/lock")"
	umount "$mnt"
	wait_free "$root"
	[ "$(mounts_here)" = 0 ]
}

@test "nothing of a shell's descriptors is kept" {
	run -0 timeout 20 bash -c "echo \$('$program' --root '$root' --run '$run' '$mnt' 9>&1)"
	umount "$mnt"
}

@test "SIGTERM ends it, and it starts again at once" {
	start "$mnt"
	kill "$(head -1 "$root/lock")"
	start "$mnt"
	stat "$mnt"
	[ "$(mounts_here)" = 1 ]
	fusermount3 -u "$mnt"
	wait_free "$root"
}

@test "a second one on the same root is refused" {
	start "$mnt"
	mkdir "$scratch/other"
	run -1 "$program" --root "$root" --run "$scratch/run2" "$scratch/other"
	[ "$output" = "containerfs: another containerfs (pid $(head -1 "$root/lock")) uses root '$root'" ]
	stat "$mnt"
}

@test "holder and engine killed: the dead mount is replaced" {
	start "$mnt"
	kill -9 "$(head -1 "$root/lock")"
	start "$mnt"
	stat "$mnt"
	[ "$(mounts_here)" = 1 ]
}

@test "a group is let in" {
	start -o gid=tty,rw,noauto,x-systemd.automount "$mnt"
	[ "$(stat -c '%a %G' "$mnt")" = "770 tty" ]
	[ "$(stat -c '%a %G' "$run")" = "710 tty" ]
}

@test "mount -t fuse.containerfs" {
	# mount(8) looks for helpers here and nowhere else; another test makes one too.
	helper=/sbin/mount.fuse.containerfs
	exec {lock}</sbin
	flock "$lock"
	if [ -e "$helper" ]; then
		ln -s "$program" "$scratch/mount.fuse.containerfs"
		"$scratch/mount.fuse.containerfs" my-source "$mnt" -o "rw,root=$root,run=$run"
	else
		ln -s "$program" "$helper"
		status=0
		mount -t fuse.containerfs -o "root=$root,run=$run" my-source "$mnt" || status=$?
		rm "$helper"
		[ "$status" = 0 ]
	fi
	exec {lock}<&-
	[ "$(findmnt -no SOURCE "$mnt")" = my-source ]
	umount "$mnt"
}

@test "in the foreground it logs to standard error, and Ctrl-C ends it" {
	"$program" -f --root "$root" --run "$run" "$mnt" 2>"$scratch/stderr" 3>&- &
	pid=$!
	for _ in $(seq 200); do
		[ "$(mounts_here)" = 1 ] && break
		sleep 0.05
	done
	stat "$mnt"
	kill -INT "$pid"
	wait "$pid"
	grep "mounted on '$mnt'" "$scratch/stderr"
	grep "mounted on '$mnt'" "$run/log"
	[ "$(mounts_here)" = 0 ]
}
