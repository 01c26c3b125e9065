# Registries that lie, break off, never end, lead elsewhere: each gives an errno and one sentence, and leaves nothing
# in the store, no file descriptor and no thread.

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
}

teardown() {
	look_after
}

teardown_file() {
	registry_end
	sandbox_end
}

# count_engine fd|task: its open files, its threads.
count_engine() {
	find "/proc/$(field "$MNT/info" Pid)/$1" -mindepth 1 -maxdepth 1 | wc -l
}

# Lines of MOOD ERRNO SENTENCE from stdin: a pull of that mood is refused so; of the sentence behind the registry's name a
# regular expression.
expect_refusals() {
	local mood errno sentence
	while read -r mood errno sentence; do
		expect_errno "$errno" write "$MNT/ctl" "pull $ODD/$mood:1" || fail "$mood" || return 1
		expect_match "$(cat "$MNT/error")" \
			"^error: pull: '$ODD/$mood:1' at registry $ODD: $sentence\$" || fail "$mood" || return 1
		[ ! -e "$MNT/images/$ODD/$mood:1" ] || fail "$mood left a name" || return 1
		expect_equal "$(ls "$ROOT/images/tmp")" '' || fail "$mood left files" || return 1
	done
}

@test "manifests that are none, or two things, or of something else" {
	expect_refusals <<-'END'
		json EINVAL its manifest: .*
		html EINVAL its manifest: .*
		empty EINVAL its manifest: .*
		list EINVAL its manifest is none
		deep EINVAL its manifest: .*
		both EINVAL its manifest is an index as well
		type EINVAL its manifest says to be 'application/vnd\.oci\.image\.index\.v1\+json' and is none
		schema1 ENOTSUP its manifest has Docker's schema 1, .*
		chart ENOTSUP it is no image but 'application/vnd\.cncf\.helm\.config\.v1\+json'
		foreign ENOTSUP it has a foreign layer, which registries do not keep
		negative EINVAL its layer has no sensible size
		gigantic EINVAL its layer has no sensible size
		climbs EINVAL its layer has no sha256 digest
		many EINVAL its manifest has no sensible list of layers
		fewer EINVAL its manifest has 2 layers where its config has 3
		swapped EBADMSG layer sha256:[0-9a-f]{12}: .* sha256:[0-9a-f]{64} .* sha256:[0-9a-f]{64} .*
		large E2BIG its answer is longer than 8388608 bytes
		endless E2BIG its answer is longer than 8388608 bytes
		headers E2BIG its headers do not end
		circle EBADMSG its manifest has the digest sha256:[0-9a-f]{64} where sha256:0{64} was expected
	END
}

@test "layers with wrong bytes, too few, too many, without end" {
	expect_refusals <<-'END'
		flipped EBADMSG layer sha256:[0-9a-f]{12}: .* has the digest sha256:[0-9a-f]{64} where sha256:[0-9a-f]{64} was expected
		short EBADMSG layer sha256:[0-9a-f]{12}: it has [0-9]+ bytes where the manifest says [0-9]+
		long EBADMSG layer sha256:[0-9a-f]{12}: it is longer than the [0-9]+ bytes that the manifest says
		pours EBADMSG layer sha256:[0-9a-f]{12}: it is longer than the [0-9]+ bytes that the manifest says
		chunks EBADMSG layer sha256:[0-9a-f]{12}: it is longer than the [0-9]+ bytes that the manifest says
		cut-other EBADMSG layer sha256:[0-9a-f]{12}: it sends another part than was asked for
		cut-changed EBADMSG layer sha256:[0-9a-f]{12}: .* has the digest sha256:[0-9a-f]{64} where sha256:[0-9a-f]{64} was expected
		no-range EINVAL layer sha256:[0-9a-f]{12}: blob: status 416
		gone ENOENT layer sha256:[0-9a-f]{12}: there is no blob
	END
}

@test "redirects: in circles, to a file; another host gets no password, nor may it ask for one" {
	expect_refusals <<-'END'
		loop EINVAL it leads in circles, by 5 redirects
		file EINVAL it leads to 'file:///etc/passwd', which is no web address
		away-asks EACCES layer sha256:[0-9a-f]{12}: it leads to 'http://127\.0\.0\.1:[0-9]+/asks/.*, which wants a password
	END
	# The first asks by name; so the password is there when it leads away.
	ctl "login -u me -p sesame $ODD" >/dev/null
	expect_errno EACCES write "$MNT/ctl" "pull $ODD/away-asks:1"
	expect_equal "$(ctl "pull -q $ODD/away:1")" "$(cat "$SANDBOX/work/id")"
	ctl "rmi $ODD/away:1" "logout $ODD" >/dev/null
	expect_equal "$(grep '^2 ' "$SANDBOX/work/odd-log" | grep -vc ' -$')" 0
	rm -r "$ROOT/registry"
}

@test "passwords and tokens: who asks again and again, in rubbish, or to have them sent elsewhere" {
	local wants='it wants a user name and password; use login'
	expect_refusals <<-END
		password EACCES $wants
		never EACCES $wants
		rubbish EACCES $wants
		again EACCES $wants
		forbidden EACCES such image: status 403: not.*for.*you
		huge-token E2BIG the token: its answer is longer than [0-9]+ bytes
		json-token EINVAL the token that it gives is not JSON
		line-token EINVAL its answer has no token
		no-token EINVAL its answer has no token
		file-realm EINVAL it sends us for a token to 'file:///etc/passwd'
	END
	# What it says itself is one line, and nothing for a terminal to obey.
	expect_errno EACCES write "$MNT/ctl" "pull $ODD/forbidden:1"
	expect_equal "$(LC_ALL=C grep -c '[^ -~]' "$MNT/error")" 0
	expect_equal "$(wc -l <"$MNT/error")" 1
	expect_equal "$(ctl "pull -q $ODD/bearer:1")" "$(cat "$SANDBOX/work/id")"
	ctl "login -u me -p sesame $ODD" >/dev/null
	expect_refusals <<-'END'
		never EACCES wrong user name or password, or not allowed
		again EACCES wrong user name or password, or not allowed
		clear-realm EACCES it wants the password to be sent in the clear, to 'http://192\.0\.2\.1/token'
	END
	ctl "pull -q $ODD/password:1" "pull -q $ODD/away-realm:1" >/dev/null
	ctl "rmi $ODD/bearer:1 $ODD/password:1 $ODD/away-realm:1" "logout $ODD" >/dev/null
	rm -r "$ROOT/registry"
}

@test "who is busy or ill is asked again, and who stays so is given up" {
	local mood
	for mood in busy ill cut-once; do
		expect_equal "$(ctl "pull -q $ODD/$mood:1")" "$(cat "$SANDBOX/work/id")"
		ctl "rmi $ODD/$mood:1" >/dev/null
	done
	expect_refusals <<-'END'
		dead ECONNRESET such image: status 503
		always-busy EAGAIN such image: status 429
		status EINVAL such image: status 418
		silent-end ECONNRESET it broke off: .*
		no-http EINVAL it does not speak HTTP: .*
		cut-always ECONNRESET layer sha256:[0-9a-f]{12}: it broke off: .*
	END
}

@test "lists of tags: all pages; one that never ends, or is none" {
	local mood errno sentence
	expect_equal "$(ctl "pull -a -q $ODD/pages" | sort -u)" "$(cat "$SANDBOX/work/id")"
	expect_equal "$(cat "$MNT/images/$ODD/pages:1/tags")" "$(printf "$ODD/pages:%d\n" 1 2 3 4)"
	ctl "rmi $ODD/pages:1 $ODD/pages:2 $ODD/pages:3 $ODD/pages:4" >/dev/null
	while read -r mood errno sentence; do
		expect_refusal "$errno" "pull: '$ODD/$mood' at registry $ODD: $sentence" "pull -a $ODD/$mood"
	done <<-'END'
		endless-tags E2BIG its list of tags has more than 300 pages
		bad-tags EINVAL its list of tags has '../../x', which is none
		no-tags ENOENT it has no tags
		file-tags EINVAL it leads to 'file:///etc/passwd', which is no web address
		nowhere ENOENT there is no such repository: NAME_UNKNOWN
	END
}

@test "one that drips can be interrupted at once" {
	local pid
	(echo "pull $ODD/drip:1" >"$MNT/ctl") 2>/dev/null &
	pid=$!
	eventually grep -q ' /v2/drip/' "$SANDBOX/work/odd-log"
	kill -TERM "$pid"
	wait "$pid" || :
	eventually is_empty "$ROOT/images/tmp"
	[ ! -e "$MNT/images/$ODD" ]
}

is_empty() {
	[ -z "$(ls "$1")" ]
}

# Workers come and go by themselves, so a few more are no leak.
@test "thirty times: no descriptor and no thread stays" {
	local fds threads mood
	fds=$(count_engine fd) threads=$(count_engine task)
	for mood in flipped pours chunks loop huge-token endless; do
		for _ in 1 2 3 4 5; do
			expect_match "$("$TRY" write "$MNT/ctl" "pull $ODD/$mood:1")" '^(EBADMSG|EINVAL|E2BIG)$'
		done
	done
	[ "$(count_engine fd)" -lt $((fds + 10)) ]
	[ "$(count_engine task)" -lt $((threads + 10)) ]
}
