# Archives of images: what umoci, skopeo and podman write is taken as what it is, and what
# image.tar gives they take.
# shellcheck disable=SC2030,SC2031

load lib

setup_file() {
	sandbox_start
	import_demo
	make_layouts
}

setup() {
	look_before
}

teardown() {
	look_after
}

teardown_file() {
	sandbox_end
}

# Everything that is hard to keep in one tree.
fill_tree() {
	local tree=$1
	mkdir -p "$tree"/{etc,dev,bin,gone,opaque/old,"a dir",deep/er/still}
	echo hello >"$tree/etc/hello"
	ln "$tree/etc/hello" "$tree/a dir/hard"
	ln -s /etc/hello "$tree/etc/soft"
	echo odd >"$tree/a dir/"$'new\nline \xff\'"'
	echo long >"$tree/deep/$(printf 'n%.0s' {1..250})"
	truncate -s 4M "$tree/sparse" && echo end >>"$tree/sparse"
	echo su >"$tree/bin/su" && chmod 4755 "$tree/bin/su"
	mknod "$tree/dev/null" c 1 3
	mkfifo "$tree/fifo"
	chown 1234:5678 "$tree/a dir"
	setcap cap_net_raw+ep "$tree/bin/su"
	setfattr -n user.note -v $'some\nvalue' "$tree/etc/hello"
	echo gone >"$tree/gone/file"
	echo old >"$tree/opaque/old/file"
	echo file >"$tree/becomes-dir"
	touch -d 2001-02-03T04:05:06Z "$tree/etc/hello"
}

# A second layer of all that whiteouts are for.
change_tree() {
	local tree=$1
	rm -r "$tree/gone" "$tree/opaque" "$tree/becomes-dir" "$tree/etc/soft"
	mkdir "$tree/opaque" "$tree/becomes-dir"
	echo new >"$tree/opaque/new"
	echo inside >"$tree/becomes-dir/inside"
	chmod 700 "$tree/deep"
	echo more >>"$tree/etc/hello"
}

# oci: a layout with the tags one (a layer) and two (two); single.tar, docker.tar: two alone.
make_layouts() {
	cd "$SANDBOX/work"
	umoci init --layout oci
	umoci new --image oci:one
	umoci unpack --image oci:one bundle
	fill_tree bundle/rootfs
	umoci repack --refresh-bundle --image oci:one bundle
	change_tree bundle/rootfs
	umoci repack --image oci:two bundle
	umoci unpack --image oci:two want
	tar -C oci -cf both.tar .
	skopeo copy -q oci:oci:two oci-archive:single.tar
	skopeo copy -q oci:oci:two docker-archive:docker.tar:team/two:1
	skopeo inspect --raw --config oci:oci:two | sha256sum | cut -d' ' -f1 >id
	skopeo inspect --raw --config oci:oci:one | sha256sum | cut -d' ' -f1 >id-one
}

# What of a tree must be kept, as lines: but for directories' link counts and sizes.
describe() {
	(cd "$1" && find . -printf '%P\0%y\0%m\0%U\0%G\0%T@\0%l\n' -type f -printf '%P\0%s\0%n\n' |
		tr '\0' '|' | LC_ALL=C sort
	find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
	getfattr -dhR -m 'user\|security.capability' . 2>/dev/null) | sha256sum
}

has_no_rubbish() {
	[ -z "$(ls "$ROOT/images/tmp")" ]
}

list_store() {
	(cd "$ROOT/images" && find blobs layers -maxdepth 2 | sort)
}

@test "an OCI archive and a docker archive of one image are the same image" {
	cd "$SANDBOX/work"
	local id
	id=$(cat id)
	cp single.tar "$MNT/images/single:1"
	cp docker.tar "$MNT/images/docker:1"
	expect_equal "$(readlink "$MNT/images/single:1")" "sha256/${id:0:12}"
	expect_equal "$(readlink "$MNT/images/docker:1")" "sha256/${id:0:12}"
	expect_equal "$(sha256sum <"$MNT/images/single:1/config" | cut -d' ' -f1)" "$id"
	expect_equal "$(sha256sum <"$MNT/images/single:1/manifest" | cut -d' ' -f1)" \
		"$(tar -xOf single.tar index.json | jq -r '.manifests[0].digest[7:]')"
	expect_equal "$(cat "$MNT/images/single:1/tags")" $'docker:1\nsingle:1'
	expect_equal "$(wc -l <"$MNT/images/single:1/layers")" 2
	expect_equal "$(describe "$MNT/images/single:1/rootfs/")" "$(describe want/rootfs)"
	rm "$MNT/images/single:1" "$MNT/images/docker:1"
	# The lowest layer has nothing to hide, and the history a size for each.
	gzip -c docker.tar >"$MNT/images/docker:2"
	expect_equal "$(describe "$MNT/images/docker:2/rootfs/")" "$(describe want/rootfs)"
	expect_equal "$(tail -n +2 "$MNT/images/docker:2/history" | wc -l)" 2
	[ -z "$(find "$MNT/images/docker:2/rootfs/" -name '.wh.*')" ]
	rm "$MNT/images/docker:2"
}

@test "load takes the images of an archive under their names, and tells it" {
	local events
	cd "$SANDBOX/work"
	expect_failure cp both.tar "$MNT/images/both:1" 2>/dev/null
	expect_match "$(cat "$MNT/error")" 'the archive holds 2 images; the command load takes them all'
	exec {events}<"$MNT/events"
	expect_equal "$(ctl "load $PWD/both.tar" | sort)" "$(sort id id-one)"
	expect_equal "$(ctl "load -i $PWD/docker.tar")" "$(cat id)"
	expect_equal "$(head -n 4 <&"$events" | jq -r '.Action' | tr '\n' ' ')" 'load load load tag '
	expect_equal "$(cat "$MNT/images/team/two:1/tags")" team/two:1
	# Of umoci's there is a tag without a name: the images are there without one.
	expect_equal "$(ctl "history -q $(cat id-one)" | wc -l)" 1
	# A taken name moves.
	skopeo copy -q oci:oci:one docker-archive:other.tar:team/two:1
	expect_equal "$(ctl "load $PWD/other.tar")" "$(cat id-one)"
	expect_equal "$(sha256sum <"$MNT/images/team/two:1/config" | cut -d' ' -f1)" "$(cat id-one)"
	ctl "rmi $(cat id) team/two:1" >/dev/null
	expect_refusal EINVAL 'load: the archive holds a root file system and no images; import it' \
		"load $SANDBOX/demo.tar.gz"
}

@test "image.tar is an archive that skopeo, podman and load take, the same each time" {
	local id tar
	cd "$SANDBOX/work"
	id=$(ctl "load $PWD/docker.tar")
	ctl "tag $id again:1" >/dev/null
	tar=$MNT/images/again:1/image.tar
	busybox cp "$tar" saved.tar
	expect_equal "$(stat -c %s "$tar")" "$(stat -c %s saved.tar)"
	expect_equal "$(tar -tf saved.tar | sort -u | wc -l)" "$(tar -tf saved.tar | wc -l)"
	expect_equal "$(tail -c 5000 "$tar" | md5sum)" "$(tail -c 5000 saved.tar | md5sum)"
	expect_equal "$(dd if="$tar" bs=777 skip=2 count=5 status=none | md5sum)" \
		"$(dd if=saved.tar bs=777 skip=2 count=5 status=none | md5sum)"
	expect_equal "$(skopeo inspect --raw --config docker-archive:saved.tar:again:1 |
		sha256sum | cut -d' ' -f1)" "$id"
	skopeo copy -q oci-archive:saved.tar:team/two:1 oci:back:two
	umoci unpack --image back:two back.bundle
	expect_equal "$(describe back.bundle/rootfs)" "$(describe want/rootfs)"
	# podman has it under both names, and gives it back.
	podman() { command podman --root "$PWD/podman" --runroot "$PWD/run" --storage-driver vfs "$@"; }
	podman load -q <"$tar" >/dev/null
	expect_equal "$(podman images --no-trunc --format '{{.ID}}' | sort -u)" "sha256:$id"
	expect_equal "$(podman images --format x | wc -l)" 2
	podman save -q -o podman.tar again:1
	ctl "rmi again:1 team/two:1" >/dev/null
	expect_equal "$(ctl "load $PWD/podman.tar")" "$id"
	expect_equal "$(cat "$MNT/images/localhost/again:1/tags")" localhost/again:1
	ctl "rmi localhost/again:1" >/dev/null
	# From its own archive it is what it was, to the byte.
	expect_equal "$(ctl "load $PWD/saved.tar")" "$id"
	cmp "$tar" saved.tar
	expect_equal "$(describe "$MNT/images/again:1/rootfs/")" "$(describe want/rootfs)"
	# cfs does the same with words, and joins several images.
	cfs save -o joined.tar again:1 "$IMAGE"
	expect_equal "$(tar -tf joined.tar | sort -u | wc -l)" "$(tar -tf joined.tar | wc -l)"
	ctl "rmi again:1 team/two:1" >/dev/null
	expect_equal "$(cfs load <joined.tar | head -n 1)" "$id"
	cfs save again:1 | cmp - saved.tar
	ctl "rmi again:1 team/two:1" >/dev/null
	podman rmi -af >/dev/null
}

@test "an open image.tar survives the image and the engine" {
	local id a b
	cd "$SANDBOX/work"
	id=$(ctl "load $PWD/docker.tar")
	cat "$MNT/images/team/two:1/image.tar" >saved.tar
	exec {a}<"$MNT/images/team/two:1/image.tar" {b}<"$MNT/images/team/two:1/image.tar"
	expect_equal "$(head -c 3000 <&"$a" | md5sum)" "$(head -c 3000 saved.tar | md5sum)"
	kill_engine
	cat <&"$a" >rest.tar
	expect_equal "$(tail -c +3001 saved.tar | md5sum)" "$(md5sum <rest.tar)"
	ctl "rmi team/two:1" >/dev/null
	expect_failure [ -e "$MNT/images/sha256/${id:0:12}" ]
	cmp - saved.tar <&"$b"
	exec {a}<&- {b}<&-
	expect_errno EACCES write "$MNT/images/$IMAGE/image.tar" x
}

@test "what is damaged is refused, and nothing of it stays" {
	local before name offset
	cd "$SANDBOX/work"
	before=$(list_store)
	while read -r offset name; do
		cp single.tar bad.tar
		printf '\xfe' | dd of=bad.tar bs=1 seek="$offset" conv=notrunc status=none
		expect_failure cp bad.tar "$MNT/images/bad:1" 2>/dev/null
		expect_match "$(cat "$MNT/error")" "$name.* has the digest sha256:[0-9a-f]{64} where sha256:"
	done < <(python3 -c '
import tarfile
for m in tarfile.open("single.tar"):
    if m.isfile() and m.name.startswith("blobs/sha256/"):
        print(m.offset_data + m.size // 2, m.name[13:])')
	head -c -3000 docker.tar >short.tar
	expect_failure cp short.tar "$MNT/images/bad:1" 2>/dev/null
	expect_match "$(cat "$MNT/error")" 'cut off'
	expect_equal "$(list_store)" "$before"
	expect_failure [ -e "$MNT/images/bad:1" ]
}

@test "an engine killed in the middle of a load leaves nothing, and the next load works" {
	local before fd
	cd "$SANDBOX/work"
	before=$(list_store)
	mkfifo pipe
	"$TRY" write "$MNT/ctl" "load $PWD/pipe" >errno &
	exec {fd}>pipe
	head -c 100000 single.tar >&"$fd"
	kill_engine
	# The first part is lost, and nobody is to take the rest for all.
	wait $!
	expect_equal "$(cat errno)" EIO
	exec {fd}>&-
	eventually has_no_rubbish
	expect_equal "$(list_store)" "$before"
	expect_equal "$(ctl "load $PWD/docker.tar")" "$(cat id)"
	ctl "rmi team/two:1" >/dev/null
}
