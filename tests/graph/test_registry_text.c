/* What registries say, and what they are called: text only. */
#include "base/path.h"
#include "graph/registry/registry_challenge.h"
#include "graph/registry/registry_login.h"
#include "graph/registry/registry_manifest.h"
#include "graph/registry/registry_name.h"
#include "graph/registry/registry_tags.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define D1 "1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "2222222222222222222222222222222222222222222222222222222222222222"

static void test_names(void **state)
{
	static const struct {
		const char *text, *registry, *host, *repository, *tag, *digest, *listed;
		bool loopback;
	} cases[] = {
		{ "busybox", "docker.io", "registry-1.docker.io", "library/busybox", "latest", "",
		  "busybox:latest", false },
		{ "a/b:1", "docker.io", "registry-1.docker.io", "a/b", "1", "", "a/b:1", false },
		{ "index.docker.io/x", "docker.io", "registry-1.docker.io", "library/x", "latest",
		  "", "index.docker.io/x:latest", false },
		{ "localhost:5000/a:2", "localhost:5000", "localhost:5000", "a", "2", "",
		  "localhost:5000/a:2", true },
		{ "127.0.0.1:5000/a", "127.0.0.1:5000", "127.0.0.1:5000", "a", "latest", "",
		  "127.0.0.1:5000/a:latest", true },
		{ "[::1]:5000/a", "[::1]:5000", "[::1]:5000", "a", "latest", "",
		  "[::1]:5000/a:latest", true },
		{ "127.evil.org/a", "127.evil.org", "127.evil.org", "a", "latest", "",
		  "127.evil.org/a:latest", false },
		{ "localhost.evil.org/a", "localhost.evil.org", "localhost.evil.org", "a", "latest",
		  "", "localhost.evil.org/a:latest", false },
		{ "r.io/a@sha256:" D1, "r.io", "r.io", "a", "", D1, "", false },
		{ "r.io/a:3@sha256:" D1, "r.io", "r.io", "a", "", D1, "", false },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		struct registry_name name;
		int ret = registry_name_parse(cases[i].text, "docker.io", &name, &err);

		assert_ok(ret, &err);
		assert_string_equal(name.registry, cases[i].registry);
		assert_string_equal(name.host, cases[i].host);
		assert_string_equal(name.repository, cases[i].repository);
		assert_string_equal(name.tag, cases[i].tag);
		assert_string_equal(name.digest, cases[i].digest);
		assert_string_equal(name.listed, cases[i].listed);
		assert_int_equal(name.is_loopback, cases[i].loopback);
	}
}

static void test_bad_names(void **state)
{
	static const char *const bad[] = { "a@sha256:12", ("a@md5:" D1), "A", "", "a@", "a b" };
	struct registry_name name;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(registry_name_parse(bad[i], "docker.io", &name, &err), -EINVAL);
		assert_true(err.msg[0]);
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *text, *registry;
	} cases[] = {
		{ NULL, "docker.io" },      { "https://index.docker.io/v1/", "docker.io" },
		{ "registry", "registry" }, { "registry:5000", "registry:5000" },
		{ "http://r.io/", "r.io" }, { "[::1]:5", "[::1]:5" },
		{ "../x", NULL },           { "a b", NULL },
		{ "user@host.io", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		struct registry_name name;
		int ret = registry_name_parse_host(cases[i].text, "docker.io", &name, &err);

		assert_int_equal(ret, cases[i].registry ? 0 : -EINVAL);
		if (ret == 0)
			assert_string_equal(name.registry, cases[i].registry);
	}
}

/* --- WWW-Authenticate ------------------------------------------------------------------- */

static void check_challenge(const char *text, enum challenge_scheme scheme, const char *realm,
			    const char *service, const char *scope)
{
	AUTO(challenge_deinit) struct challenge challenge = { .scheme = CHALLENGE_NONE };

	assert_int_equal(challenge_parse(text, &challenge), 0);
	assert_int_equal(challenge.scheme, scheme);
	if (scheme != CHALLENGE_BEARER)
		return;
	assert_string_equal(challenge.realm, realm);
	assert_string_equal(challenge.service ? challenge.service : "-", service);
	assert_string_equal(challenge.scope ? challenge.scope : "-", scope);
}

static void test_challenges(void **state)
{
	(void)state;
	check_challenge(
		"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
		CHALLENGE_BEARER, "https://a/t", "s", "repository:x:pull,push");
	check_challenge("bearer  REALM = https://a , Service=s", CHALLENGE_BEARER, "https://a", "s",
			"-");
	check_challenge("Basic realm=\"x, Bearer realm=y\"", CHALLENGE_BASIC, NULL, NULL, NULL);
	check_challenge("Basic realm=\"x\", Bearer realm=\"y\"", CHALLENGE_BEARER, "y", "-", "-");
	check_challenge("Negotiate, Bearer realm=\"a \\\"b\\\"\",Basic", CHALLENGE_BEARER,
			"a \"b\"", "-", "-");
	check_challenge("Bearer service=\"no realm\"", CHALLENGE_NONE, NULL, NULL, NULL);
	check_challenge("Digest nonce=\"x\"", CHALLENGE_NONE, NULL, NULL, NULL);
	check_challenge("Bearer realm=\"open", CHALLENGE_BEARER, "open", "-", "-");
	check_challenge("", CHALLENGE_NONE, NULL, NULL, NULL);
	check_challenge("===", CHALLENGE_NONE, NULL, NULL, NULL);
}

static int sweep_challenge(void *arg)
{
	AUTO(challenge_deinit) struct challenge challenge = { .scheme = CHALLENGE_NONE };

	(void)arg;
	return challenge_parse("Basic, Bearer realm=\"r\",service=\"s\",scope=\"x\"", &challenge);
}

/* --- manifests ----------------------------------------------------------------------------- */

#define DOCKER "application/vnd.docker."
#define OCI "application/vnd.oci.image."
#define CONFIG(type)                                                                               \
	"\"config\":{\"mediaType\":\"" type "\",\"size\":7,\"digest\":\"sha256:" D1 "\"}"
#define LAYER(type, size)                                                                          \
	"{\"mediaType\":\"" type "\",\"size\":" size ",\"digest\":\"sha256:" D2 "\"}"
#define WHOLE(config, layers) "{\"schemaVersion\":2," CONFIG(config) ",\"layers\":[" layers "]}"
#define DOCKER_CONFIG DOCKER "container.image.v1+json"
#define DOCKER_LAYER DOCKER "image.rootfs.diff.tar.gzip"

static void test_manifests(void **state)
{
	static const char *const good[] = {
		WHOLE(DOCKER_CONFIG, LAYER(DOCKER_LAYER, "9")),
		WHOLE(OCI "config.v1+json", LAYER(OCI "layer.v1.tar+zstd", "9")),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		AUTO(manifest_deinit) struct manifest manifest = { .is_index = false };
		struct error err = ERROR_INIT;
		int ret = manifest_parse(good[i], strlen(good[i]), &manifest, &err);

		assert_ok(ret, &err);
		assert_false(manifest.is_index);
		assert_string_equal(manifest.config.digest, D1);
		assert_int_equal(manifest.config.size, 7);
		assert_int_equal(manifest.layer_count, 1);
		assert_string_equal(manifest.layers[0].digest, D2);
		assert_int_equal(manifest.layers[0].size, 9);
	}
}

static void test_bad_manifests(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *sentence;
	} cases[] = {
		{ "{", EINVAL, NULL },
		{ "[]", EINVAL, "its manifest is none" },
		{ "{\"schemaVersion\":1}", ENOTSUP,
		  "its manifest has Docker's schema 1, which is given up everywhere; push it anew "
		  "with a newer tool" },
		{ "{\"schemaVersion\":2}", EINVAL, "its manifest names no config" },
		{ WHOLE("application/vnd.cncf.helm.config.v1+json", ""), ENOTSUP,
		  "it is no image but 'application/vnd.cncf.helm.config.v1+json'" },
		{ WHOLE(DOCKER_CONFIG, LAYER(DOCKER "image.rootfs.foreign.diff.tar.gzip", "1")),
		  ENOTSUP, "it has a foreign layer, which registries do not keep" },
		{ WHOLE(DOCKER_CONFIG, LAYER("text/plain", "1")), ENOTSUP,
		  "it has a layer of the unknown type 'text/plain'" },
		{ WHOLE(DOCKER_CONFIG, LAYER(DOCKER_LAYER, "-1")), EINVAL,
		  "its layer has no sensible size" },
		{ WHOLE(DOCKER_CONFIG, LAYER(DOCKER_LAYER, "\"9\"")), EINVAL,
		  "its layer has no sensible size" },
		{ WHOLE(DOCKER_CONFIG, "7"), EINVAL, "its layer has no sha256 digest" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct manifest manifest;
		struct error err = ERROR_INIT;
		int ret = manifest_parse(cases[i].text, strlen(cases[i].text), &manifest, &err);

		assert_int_equal(ret, -cases[i].code);
		if (cases[i].sentence)
			assert_string_equal(err.msg, cases[i].sentence);
	}
}

static int sweep_manifest(void *arg)
{
	static const char text[] = WHOLE(DOCKER_CONFIG, LAYER(DOCKER_LAYER, "9"));
	AUTO(manifest_deinit) struct manifest manifest = { .is_index = false };

	(void)arg;
	return manifest_parse(text, strlen(text), &manifest, NULL);
}

static void test_no_memory(void **state)
{
	(void)state;
	alloc_sweep(sweep_challenge, NULL);
	alloc_sweep(sweep_manifest, NULL);
}

/* --- platforms ---------------------------------------------------------------------------------- */

#define ENTRY(last, os, arch, variant)                                                             \
	"{\"size\":1,\"digest\":\"sha256:111111111111111111111111111111111111111111111111111111"   \
	"111111111" last "\",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch             \
	"\"" variant "}}"

static void choose(const char *platform_text, const char *want)
{
	/* clang-format off */
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":["
		ENTRY("0", "linux", "amd64", "") ","
		ENTRY("1", "linux", "arm", ",\"variant\":\"v5\"") ","
		ENTRY("2", "linux", "arm", ",\"variant\":\"v6\"") ","
		ENTRY("3", "linux", "arm64", ",\"variant\":\"v8\"") ","
		ENTRY("4", "unknown", "unknown", "") ","
		ENTRY("5", "windows", "amd64", "") "]}";
	/* clang-format on */
	AUTO(manifest_deinit) struct manifest manifest = { .is_index = false };
	struct error err = ERROR_INIT;
	struct platform platform;
	struct manifest_blob blob;
	int ret = manifest_parse(text, strlen(text), &manifest, &err);

	assert_ok(ret, &err);
	assert_true(manifest.is_index);
	ret = platform_parse(platform_text, &platform, &err);
	assert_ok(ret, &err);
	ret = manifest_choose(&manifest, &platform, &blob, &err);
	if (want) {
		assert_ok(ret, &err);
		assert_string_equal(blob.digest + 63, want);
		return;
	}
	assert_error(ret, &err, ENOENT,
		     "it has no image for linux/s390x; there is: linux/amd64 linux/arm/v5 "
		     "linux/arm/v6 linux/arm64/v8 windows/amd64");
}

static void test_platforms(void **state)
{
	(void)state;
	choose("linux/amd64", "0");
	choose("amd64", "0");
	choose("linux/arm/v7", "2");
	choose("linux/arm/v6", "2");
	choose("linux/arm/v5", "1");
	choose("linux/arm64", "3");
	choose("windows/amd64", "5");
	choose("linux/s390x", NULL);
}

/* --- passwords ------------------------------------------------------------------------------------- */

static void test_logins(void **state)
{
	AUTO(login_deinit) struct login login = { .text = NULL };
	AUTO(login_deinit) struct login found = { .text = NULL };
	struct error err = ERROR_INIT;
	char path[64], file[128];
	int fd = test_make_dir(path);
	struct stat st;
	int ret;

	(void)state;
	assert_ok(login_read(fd, "r.io", "", &found, &err), &err);
	assert_null(found.text);
	assert_ok(login_make("me", "p:w \xc3\xa4", &login, &err), &err);
	assert_ok(login_write(fd, "r.io", &login, &err), &err);
	assert_ok(login_write(fd, "docker.io", &login, &err), &err);
	assert_ok(login_read(fd, "r.io", "", &found, &err), &err);
	assert_string_equal(found.text, "me:p:w \xc3\xa4");
	login_deinit(&found);
	snprintf(file, sizeof(file), "%s/config.json", path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(login_write(fd, "r.io", NULL, &err), &err);
	assert_ok(login_write(fd, "r.io", NULL, &err), &err);
	assert_ok(login_read(fd, "r.io", "", &found, &err), &err);
	assert_null(found.text);
	assert_ok(login_read(fd, "docker.io", "library/x", &found, &err), &err);
	assert_string_equal(found.text, "me:p:w \xc3\xa4");
	assert_int_equal(login_make("a:b", "x", &found, NULL), -EINVAL);
	assert_int_equal(login_make("a", "", &found, NULL), -EINVAL);
	/* What cannot be read is not quoted. */
	FILE *out = fopen(file, "w");
	fputs("{\"auths\":{\"r.io\":{\"auth\":\"c2VjcmV0\"}, secret", out);
	fclose(out);
	login_deinit(&found);
	ret = login_read(fd, "r.io", "", &found, &err);
	assert_error(ret, &err, EINVAL, "registry/config.json cannot be read");
	test_remove_dir(fd, path);
}

/* Files of Docker's and podman's. */
static void test_foreign_logins(void **state)
{
	static const char text[] =
		"{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"YTpo\"},"
		" \"http://r.io:5/v2/\": {\"auth\": \"YTo1\"}, \"r.io\": {\"auth\": \"YTpy\"},"
		" \"r.io/team\": {\"auth\": \"YTp0\"}, \"r.io/team/x\": {\"auth\": \"YTp4\"},"
		" \"kept.io\": {}}, \"credsStore\": \"x\"}";
	static const struct {
		const char *registry, *repository, *login; /* NULL: none */
	} cases[] = {
		{ "docker.io", "library/busybox", "a:h" },
		{ "r.io:5", "a", "a:5" },
		{ "r.io", "", "a:r" },
		{ "r.io", "teams", "a:r" },
		{ "r.io", "team", "a:t" },
		{ "r.io", "team/y", "a:t" },
		{ "r.io", "team/x", "a:x" },
		{ "kept.io", "a", NULL },
		{ "r.i", "o", NULL },
	};
	AUTO(login_deinit) struct login found = { .text = NULL };
	AUTO(strbuf_deinit) struct strbuf left = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char path[64];
	int fd = test_make_dir(path);

	(void)state;
	assert_ok(path_replace_file(fd, "config.json", text, strlen(text), 0600, false, &err),
		  &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(login_read(fd, cases[i].registry, cases[i].repository, &found, &err),
			  &err);
		assert_int_equal(found.text == NULL, cases[i].login == NULL);
		if (found.text)
			assert_string_equal(found.text, cases[i].login);
		login_deinit(&found);
	}
	assert_ok(login_write(fd, "docker.io", NULL, &err), &err);
	assert_ok(login_write(fd, "r.io:5", NULL, &err), &err);
	assert_ok(path_read_file(fd, "config.json", 4096, &left, &err), &err);
	assert_null(strstr(left.data, "docker.io"));
	assert_null(strstr(left.data, "r.io:5"));
	assert_non_null(strstr(left.data, "r.io/team/x"));
	assert_non_null(strstr(left.data, "credsStore"));
	test_remove_dir(fd, path);
}

static void test_tags(void **state)
{
	static const struct {
		const char *text, *names;
		int ret;
	} cases[] = {
		{ "{\"tags\": [\"1\", \"latest\"]}", "r.io/a:1\nr.io/a:latest\n", 0 },
		{ "{\"tags\": null}", "", 0 },
		{ "{\"tags\": []}", "", 0 },
		{ "{\"tags\": [7]}", "", -EINVAL },
		{ "{\"tags\": [\"a/b\"]}", "", -EINVAL },
		{ "{\"tags\": [\"\"]}", "", -EINVAL },
		{ "{\"tags\": {}}", "", -EINVAL },
		{ "{}", "", -EINVAL },
		{ "[", "", -EINVAL },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
		struct error err = ERROR_INIT;

		assert_int_equal(
			tags_parse(cases[i].text, strlen(cases[i].text), "r.io/a", &names, &err),
			cases[i].ret);
		assert_string_equal(strbuf_get_str(&names), cases[i].names);
		assert_int_equal(err.code, -cases[i].ret);
	}
}

static int attempt_tags(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;

	return tags_parse(arg, strlen(arg), "r.io/a", &names, NULL);
}

static void test_tags_without_memory(void **state)
{
	char text[] = "{\"tags\": [\"1\", \"2\"]}";
	(void)state;

	assert_true(alloc_sweep(attempt_tags, text) > 0);
}

static void test_links(void **state)
{
	static const struct {
		const char *link, *target; /* NULL: there is none */
	} cases[] = {
		{ "</v2/a/tags/list?last=2&n=2>; rel=\"next\"", "/v2/a/tags/list?last=2&n=2" },
		{ "<a>; rel=prev, <b>; x=y; rel=next", "b" },
		{ "<a>;rel=next,<b>; rel=prev", "a" },
		{ "<a>; rel=nextish", NULL },
		{ "<a>", NULL },
		{ "a; rel=next", NULL },
		{ "", NULL },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;

		assert_int_equal(tags_find_next(cases[i].link, &target), cases[i].target != NULL);
		assert_string_equal(strbuf_get_str(&target),
				    cases[i].target ? cases[i].target : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_logins),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tags_without_memory),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_bad_manifests),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
