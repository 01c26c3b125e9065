# images, history, inspect, rmi and prune of several images, by command.

load lib

setup_file() {
	sandbox_start
	import_demo
	# Three images, each a second apart by its own word: demo:1, and two commits of it.
	ctl "run --name c $IMAGE sh -c 'echo 1234567 >/f'" >/dev/null
	wait_exit c >/dev/null
	ctl "commit -c 'LABEL kind=small' c utest:tag1" "commit -c 'LABEL kind=other' c lone:1" >/dev/null
	ctl 'tag utest:tag1 utest/docker:tag2' 'tag utest:tag1 utest:5000/docker:tag3' \
		"commit c lone:1" >/dev/null
	ctl 'rm c'
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

# names OPTION...: the listed ones, in order.
names() {
	ctl "images --format '{{.Repository}}:{{.Tag}}' $*"
}

@test "TestImagesFilter: globs of the repository" {
	expect_equal "$(names "'utest*/*'")" $'utest/docker:tag2\nutest:5000/docker:tag3'
	expect_equal "$(names utest)" utest:tag1
	expect_equal "$(names "'utest*'")" utest:tag1
	expect_equal "$(names "'*5000*/*'")" utest:5000/docker:tag3
	expect_equal "$(names -f 'reference=utest' -f "'reference=*/docker:tag2'")" $'utest/docker:tag2\nutest:tag1'
	expect_equal "$(names nope)" ''
}

@test "filters by tag, time and label, which add up" {
	expect_equal "$(names -f dangling=true)" '<none>:<none>'
	expect_equal "$(names -f dangling=false "'lone'")" lone:1
	expect_equal "$(names -f before=utest:tag1)" demo:1
	expect_equal "$(names -f since=utest:tag1)" $'lone:1\n<none>:<none>'
	expect_equal "$(names -f since=demo:1 -f label=kind -f before=lone:1 -f dangling=true)" '<none>:<none>'
	expect_equal "$(names -f label=kind=small utest)" utest:tag1
	expect_equal "$(names -f label=kind=no)" ''
	expect_refusal ENOENT 'images: no such image: nope' 'images -f since=nope'
	expect_refusal EINVAL "images: unknown filter 'x=y'; dangling, reference, before, since or label" \
		'images -f x=y'
	expect_refusal EINVAL "images: dangling is true or false, not 'maybe'" 'images --filter dangling=maybe'
	expect_failure ctl "images --format '{{.Nope}}' nope" 2>/dev/null
}

@test "columns: digests, ids, formats" {
	local id digest
	id=$(sha256sum <"$MNT/images/lone:1/config" | cut -c 1-64)
	digest=$(sha256sum <"$MNT/images/lone:1/manifest" | cut -c 1-64)
	expect_equal "$(ctl 'images -q lone')" "${id:0:12}"
	expect_equal "$(ctl 'images --no-trunc -q lone:1')" "sha256:$id"
	expect_match "$(ctl 'images --digests lone' | tr -s ' ')" \
		"^REPOSITORY TAG DIGEST IMAGE ID CREATED SIZE"$'\n'"lone 1 sha256:$digest ${id:0:12} "
	expect_equal "$(ctl "images --format 'table {{.ID}}\t{{.Tag}}' lone" | tr -s ' ')" \
		$'IMAGE ID TAG\n'"${id:0:12} 1"
	expect_equal "$(ctl 'images --format json lone' | jq -r .Digest)" "sha256:$digest"
	# Each image's id once, whatever its tags.
	expect_equal "$(ctl 'images -q' | wc -l)" 4
	expect_equal "$(ctl 'images -a -q' | sort -u | wc -l)" 4
}

@test "history and inspect tell of each layer" {
	local json
	expect_equal "$(ctl 'history -q lone:1' | wc -l)" 2
	expect_match "$(ctl 'history --no-trunc lone:1')" "sha256:[0-9a-f]{64} .* sh -c echo 1234567 >/f +8B"
	json=$(ctl 'inspect utest:tag1')
	expect_equal "$(jq -c '.[0] | [.RepoTags, .RootFS.Layers | length]' <<<"$json")" '[3,2]'
	expect_equal "$(jq -r '.[0].Parent' <<<"$json")" "sha256:$(sha256sum <"$MNT/images/$IMAGE/config" | cut -c 1-64)"
	expect_equal "$(jq -r '.[0].Config.Labels.kind' <<<"$json")" small
	expect_equal "$(ctl "inspect -f '{{.Parent}}' $IMAGE")" ''
}

@test "rmi says what went; ids by their beginning; a container's image is refused by name" {
	local id
	ctl "run --name user $IMAGE true" >/dev/null
	wait_exit user >/dev/null
	ctl 'commit user gone:1' 'tag gone:1 gone:2' >/dev/null
	id=$(ctl 'images -q --no-trunc gone:1')
	expect_equal "$(ctl 'rmi gone:1')" 'Untagged: gone:1'
	expect_refusal EBUSY "rmi: image $(ctl 'images -q demo') is used by container 'user'" "rmi -f $IMAGE"
	expect_equal "$(ctl "rmi ${id:7:6}")" $'Untagged: gone:2\n'"Deleted: $id"
	[ ! -e "$MNT/images/sha256/${id:7:12}" ]
	# What others are made of may go: they have its layers themselves.
	ctl 'commit user one:1' 'run --name next one:1 sh -c "echo >/x"' >/dev/null
	wait_exit next >/dev/null
	ctl 'commit next two:1' 'rm next' >/dev/null
	expect_match "$(ctl 'rmi one:1')" $'^Untagged: one:1\nDeleted: sha256:[0-9a-f]*$'
	expect_equal "$(ctl "inspect -f '{{.Parent}}' two:1")" \
		"sha256:$(sha256sum <"$MNT/images/$IMAGE/config" | cut -c 1-64)"
	ctl 'run --name last two:1 cat /x' >/dev/null
	expect_equal "$(wait_exit last)" 0
	ctl 'rm last' 'rm user' 'rmi two:1' >/dev/null
}

@test "prune counts what is freed: layers that others have are not" {
	local dry
	dry=$(ctl 'prune -n')
	expect_match "$dry" $'^image\t[0-9a-f]{12}\t<none>\t0\ntotal\t0$'
	ctl "run --name c $IMAGE sh -c 'echo 123456789 >/g'" >/dev/null
	wait_exit c >/dev/null
	ctl 'commit c big:1' 'rm c' >/dev/null
	expect_match "$(ctl "prune -n -a --filter label!=kind" | grep big)" $'^image\t[0-9a-f]{12}\tbig:1\t10$'
	ctl 'rmi big:1' >/dev/null
}
