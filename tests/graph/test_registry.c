/* Pull and push against a server that misbehaves: what is broken is mended or told, nothing of it stays.
 * ctest-labels: threads
 */
#include "graph/digest.h"
#include "graph/registry/registry.h"
#include "tests/graph/fake_registry.h"
#include "tests/graph/fixture.h"

#include <stdlib.h>

#define FILE_BYTES 700000

/* What the server does, besides serving one image as team/app:1. */
enum mood {
	MOOD_GOOD,
	MOOD_BREAKS,       /* in the middle of a layer, once */
	MOOD_NO_RANGE,     /* likewise, and does not know Range */
	MOOD_WRONG_BYTES,  /* one byte of the layer is another */
	MOOD_ENDLESS,      /* the layer does not end */
	MOOD_SHORT,        /* the layer is shorter than its manifest says */
	MOOD_WRONG_TOLD,   /* the manifest is not the one that the header tells */
	MOOD_WRONG_CONFIG, /* the config is another */
	MOOD_AWAY,         /* layers lie on another host */
	MOOD_TOKEN,        /* wants a token */
	MOOD_BASIC,        /* wants a password */
	MOOD_SILENT,       /* says nothing to the question for the manifest */
	MOOD_ILL,          /* 503, twice, then well */
	MOOD_WAITS,        /* with the config until it is told to go on */
	MOOD_PUSH_BREAKS,  /* in the middle of an upload, once */
};

struct blob_text {
	struct strbuf text;
	char digest[DIGEST_SIZE];
};

struct stage {
	struct fixture *fixture;
	struct fake_registry fake, away;
	struct registries *registries;
	struct blob_text layer, config, manifest;
	char name[100];
	enum mood mood;
	atomic_int faults; /* made so far */
	atomic_bool go_on;
	atomic_bool leaked;   /* a password was seen where it does not belong */
	struct strbuf upload; /* what came in */
	atomic_bool cancelled;
	atomic_int shown;
};

static void finish_blob(struct blob_text *blob)
{
	assert_int_equal(digest_compute(blob->text.data, blob->text.len, blob->digest, NULL), 0);
}

static void make_image(struct stage *stage)
{
	char *bytes = malloc(FILE_BYTES);

	for (size_t i = 0; i < FILE_BYTES; i++)
		bytes[i] = (char)(i * 2654435761U >> 13);
	tar_header(&stage->layer.text, '0', "file", 0644, NULL, FILE_BYTES);
	strbuf_append(&stage->layer.text, bytes, FILE_BYTES);
	while (stage->layer.text.len % TAR_BLOCK)
		strbuf_append_char(&stage->layer.text, '\0');
	for (int i = 0; i < 2 * TAR_BLOCK; i++)
		strbuf_append_char(&stage->layer.text, '\0');
	free(bytes);
	finish_blob(&stage->layer);
	strbuf_appendf(&stage->config.text,
		       "{\"os\":\"linux\",\"architecture\":\"x\",\"rootfs\":{\"type\":\"layers\","
		       "\"diff_ids\":[\"sha256:%s\"]}}",
		       stage->layer.digest);
	finish_blob(&stage->config);
	strbuf_appendf(
		&stage->manifest.text,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":"
		"\"application/"
		"vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		stage->config.digest, stage->config.text.len, stage->layer.digest,
		stage->layer.text.len);
	finish_blob(&stage->manifest);
}

/* --- the server ----------------------------------------------------------------------------- */

static bool is_first_fault(struct stage *stage)
{
	return atomic_fetch_add(&stage->faults, 1) == 0;
}

static bool send_text(int fd, const struct strbuf *text)
{
	return fake_reply(fd, "200 OK", "", text->data, text->len);
}

/* The beginning of a layer, with the length of the whole. */
static bool break_off(int fd, const struct strbuf *text, size_t len)
{
	char head[100];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			 text->len);

	send(fd, head, (size_t)n, MSG_NOSIGNAL);
	send(fd, text->data, len, MSG_NOSIGNAL);
	return false;
}

static bool send_endless(int fd)
{
	static char zeros[65536];
	static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";

	send(fd, head, strlen(head), MSG_NOSIGNAL);
	while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0) {
	}
	return false;
}

static bool send_range(struct stage *stage, int fd, size_t offset)
{
	const struct strbuf *text = &stage->layer.text;
	char headers[100];

	snprintf(headers, sizeof(headers), "Content-Range: bytes %zu-%zu/%zu\r\n", offset,
		 text->len - 1, text->len);
	return fake_reply(fd, "206 Partial Content", headers, text->data + offset,
			  text->len - offset);
}

static bool send_layer(struct stage *stage, int fd, const struct fake_request *request)
{
	const struct strbuf *text = &stage->layer.text;
	char range[40], away[200];

	fake_get_header(request, "Range: bytes=", range, sizeof(range));
	switch (stage->mood) {
	case MOOD_BREAKS:
		return is_first_fault(stage) ? break_off(fd, text, 300000)
					     : send_range(stage, fd, strtoul(range, NULL, 10));
	case MOOD_NO_RANGE:
		return is_first_fault(stage) ? break_off(fd, text, 300000) : send_text(fd, text);
	case MOOD_SHORT:
		return fake_reply(fd, "200 OK", "", text->data, text->len / 2);
	case MOOD_ENDLESS:
		return send_endless(fd);
	case MOOD_AWAY:
		snprintf(away, sizeof(away), "Location: http://127.0.0.1:%u/far\r\n",
			 stage->away.port);
		return fake_reply(fd, "307 Temporary Redirect", away, "", 0);
	case MOOD_WRONG_BYTES: {
		AUTO(strbuf_deinit) struct strbuf wrong = STRBUF_INIT;

		strbuf_append(&wrong, text->data, text->len);
		wrong.data[3] ^= 1; /* of a name: the header's sum is wrong too */
		return send_text(fd, &wrong);
	}
	default:
		return send_text(fd, text);
	}
}

static bool send_manifest(struct stage *stage, int fd)
{
	char headers[200];

	if (stage->mood == MOOD_SILENT)
		while (!atomic_load(&stage->go_on))
			usleep(1000);
	snprintf(headers, sizeof(headers), "Docker-Content-Digest: sha256:%s\r\n",
		 stage->mood == MOOD_WRONG_TOLD ? stage->config.digest : stage->manifest.digest);
	if (stage->mood == MOOD_ILL && atomic_fetch_add(&stage->faults, 1) < 2)
		return fake_reply(fd, "503 Unavailable", "Retry-After: 0\r\n", "", 0);
	return fake_reply(fd, "200 OK", headers, stage->manifest.text.data,
			  stage->manifest.text.len);
}

static bool send_config(struct stage *stage, int fd)
{
	AUTO(strbuf_deinit) struct strbuf wrong = STRBUF_INIT;

	while (stage->mood == MOOD_WAITS && !atomic_load(&stage->go_on))
		usleep(1000);
	if (stage->mood != MOOD_WRONG_CONFIG)
		return send_text(fd, &stage->config.text);
	strbuf_append(&wrong, stage->config.text.data, stage->config.text.len);
	wrong.data[2] = 'O';
	return send_text(fd, &wrong);
}

/* Is the request one that may pass? Else it was answered. */
static bool check_password(struct stage *stage, int fd, const struct fake_request *request,
			   bool *ret_go_on)
{
	char value[200], challenge[300] = "WWW-Authenticate: Basic realm=\"r\"\r\n";
	bool is_token = strncmp(request->line, "GET /token?", 11) == 0;

	fake_get_header(request, "Authorization: ", value, sizeof(value));
	if (stage->mood != MOOD_TOKEN && stage->mood != MOOD_BASIC)
		return true;
	if (is_token && strcmp(value, "Basic bWU6c2VjcmV0") == 0) {
		static const char token[] = "{\"token\":\"let-me-in\"}";
		assert_non_null(strstr(request->line, "service=here"));
		assert_non_null(strstr(request->line, "scope=repository%3Ateam%2Fapp%3Apull"));
		*ret_go_on = fake_reply(fd, "200 OK", "", token, strlen(token));
		return false;
	}
	if (strcmp(value, stage->mood == MOOD_TOKEN ? "Bearer let-me-in" : "Basic bWU6c2VjcmV0") ==
	    0)
		return true;
	if (stage->mood == MOOD_TOKEN && !is_token)
		snprintf(challenge, sizeof(challenge),
			 "WWW-Authenticate: Bearer "
			 "realm=\"http://localhost:%u/token\",service=\"here\"\r\n",
			 stage->fake.port);
	*ret_go_on = fake_reply(fd, "401 Unauthorized", challenge, "", 0);
	return false;
}

static bool answer_upload(struct stage *stage, int fd, const struct fake_request *request)
{
	char headers[200], range[60];

	snprintf(headers, sizeof(headers), "Location: /up/1?x=y\r\nRange: 0-%zu\r\n",
		 stage->upload.len ? stage->upload.len - 1 : 0);
	if (strncmp(request->line, "POST ", 5) == 0)
		return fake_reply(fd, "202 Accepted", headers, "", 0);
	if (strncmp(request->line, "GET ", 4) == 0)
		return fake_reply(fd, "204 No Content", headers, "", 0);
	if (strncmp(request->line, "PUT ", 4) == 0)
		return fake_reply(fd, "201 Created", "", "", 0);
	if (request->body.len == stage->config.text.len) /* beside the layer */
		return fake_reply(fd, "202 Accepted", headers, "", 0);
	fake_get_header(request, "Content-Range: ", range, sizeof(range));
	if (stage->mood == MOOD_PUSH_BREAKS && request->body.len > 100000 &&
	    is_first_fault(stage)) {
		strbuf_append(&stage->upload, request->body.data, 100000);
		return false;
	}
	if (*range)
		assert_int_equal(strtoul(range, NULL, 10), 100000);
	strbuf_append(&stage->upload, request->body.data, request->body.len);
	return fake_reply(fd, "202 Accepted", headers, "", 0);
}

static bool answer(struct fake_registry *fake, int fd, const struct fake_request *request)
{
	struct stage *stage = fake->arg;
	bool go_on = true;

	if (!check_password(stage, fd, request, &go_on))
		return go_on;
	if (strstr(request->line, "/uploads/") || strstr(request->line, " /up/")) {
		pthread_mutex_lock(&fake->lock);
		go_on = answer_upload(stage, fd, request);
		pthread_mutex_unlock(&fake->lock);
		return go_on;
	}
	if (strncmp(request->line, "PUT /v2/team/app/manifests/", 27) == 0)
		return fake_reply(fd, "201 Created", "", "", 0);
	if (strcmp(request->line, "GET /v2/team/app/manifests/1") == 0)
		return send_manifest(stage, fd);
	if (strncmp(request->line, "GET ", 4) == 0 && strstr(request->line, stage->config.digest))
		return send_config(stage, fd);
	if (strncmp(request->line, "GET ", 4) == 0 && strstr(request->line, stage->layer.digest))
		return send_layer(stage, fd, request);
	if (strcmp(request->line, "GET /v2/") == 0)
		return fake_reply(fd, "200 OK", "", "{}", 2);
	return fake_reply(fd, "404 Not Found", "", "", 0);
}

static bool answer_away(struct fake_registry *fake, int fd, const struct fake_request *request)
{
	struct stage *stage = fake->arg;

	if (strcasestr(request->head, "Authorization:"))
		atomic_store(&stage->leaked, true);
	return send_text(fd, &stage->layer.text);
}

/* --- the stage ----------------------------------------------------------------------------------- */

static void begin(struct stage *stage, struct fixture *fixture, enum mood mood)
{
	struct registries_options options = { .root = fixture->path,
					      .default_registry = "docker.io",
					      .graph = fixture->graph,
					      .stall_ms = mood == MOOD_SILENT ? 300 : 20000 };
	struct error err = ERROR_INIT;

	memset(stage, 0, sizeof(*stage));
	stage->fixture = fixture;
	stage->mood = mood;
	make_image(stage);
	fake_start(&stage->fake, answer, stage);
	fake_start(&stage->away, answer_away, stage);
	snprintf(stage->name, sizeof(stage->name), "localhost:%u/team/app:1", stage->fake.port);
	assert_ok(registries_open(&options, &stage->registries, &err), &err);
}

static void end(struct stage *stage)
{
	atomic_store(&stage->go_on, true);
	fake_end(&stage->fake);
	fake_end(&stage->away);
	registries_close(stage->registries);
	strbuf_deinit(&stage->layer.text);
	strbuf_deinit(&stage->config.text);
	strbuf_deinit(&stage->manifest.text);
	strbuf_deinit(&stage->upload);
}

static bool is_cancelled(void *arg)
{
	return atomic_load(&((struct stage *)arg)->cancelled);
}

static void show(void *arg, const struct strbuf *lines)
{
	assert_true(lines->len > 0);
	atomic_fetch_add(&((struct stage *)arg)->shown, 1);
}

static int pull(struct stage *stage, struct strbuf *lines, struct error *err)
{
	const struct pull_options options = { .name = stage->name };
	const struct registry_watch watch = { is_cancelled, show, stage };
	char id[GRAPH_ID_SIZE] = "";
	int ret = registries_pull(stage->registries, &options, &watch, lines, id, err);

	if (ret == 0)
		assert_string_equal(id, stage->config.digest);
	return ret;
}

static void check_pulled(struct fixture *fixture, enum mood mood)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct stage stage;
	struct image *image;

	begin(&stage, fixture, mood);
	assert_ok(pull(&stage, &lines, &err), &err);
	assert_non_null(strstr(lines.data, ": Pull complete\n"));
	assert_non_null(strstr(lines.data, stage.manifest.digest));
	image = graph_find_image(fixture->graph, stage.name, &err);
	assert_non_null(image);
	assert_int_equal(image->size_bytes, FILE_BYTES);
	image_unref(image);
	assert_false(atomic_load(&stage.leaked));
	assert_ok(graph_untag(fixture->graph, stage.name, NULL, &err), &err);
	end(&stage);
}

/* sentence: what is behind "'NAME' at registry HOST: ", with the digests where %L, %M, %C stand. */
static void check_refused(struct fixture *fixture, enum mood mood, int code, const char *fmt)
{
	AUTO(strbuf_deinit) struct strbuf want = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct stage stage;
	int ret;

	begin(&stage, fixture, mood);
	strbuf_appendf(&want, "'%s' at registry localhost:%u: ", stage.name, stage.fake.port);
	for (; *fmt; fmt++) {
		if (*fmt != '%')
			strbuf_append_char(&want, *fmt);
		else if (*++fmt == 'l')
			strbuf_append(&want, stage.layer.digest, 12);
		else if (*fmt == 'L')
			strbuf_append_str(&want, stage.layer.digest);
		else if (*fmt == 'M')
			strbuf_append_str(&want, stage.manifest.digest);
		else if (*fmt == 'C')
			strbuf_append_str(&want, stage.config.digest);
		else if (*fmt == 'n')
			strbuf_appendf(&want, "%zu", stage.layer.text.len);
		else if (*fmt == 'h')
			strbuf_appendf(&want, "%zu", stage.layer.text.len / 2);
	}
	ret = pull(&stage, NULL, &err);
	assert_int_equal(ret, -code);
	/* Of a digest that is computed only the beginning is known. */
	if (strncmp(err.msg, want.data, want.len) != 0)
		assert_string_equal(err.msg, want.data);
	assert_store_empty(fixture);
	end(&stage);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void test_pull(void **state)
{
	struct fixture *fixture = *state;

	check_pulled(fixture, MOOD_GOOD);
	check_pulled(fixture, MOOD_BREAKS);
	check_pulled(fixture, MOOD_NO_RANGE);
	check_pulled(fixture, MOOD_ILL);
	check_pulled(fixture, MOOD_AWAY);
}

static void test_lies(void **state)
{
	struct fixture *fixture = *state;

	check_refused(fixture, MOOD_WRONG_BYTES, EBADMSG,
		      "layer sha256:%l: a blob has the digest sha256:");
	check_refused(fixture, MOOD_ENDLESS, EBADMSG,
		      "layer sha256:%l: it is longer than the %n bytes that the manifest says");
	check_refused(fixture, MOOD_WRONG_TOLD, EBADMSG,
		      "its manifest has the digest sha256:%M where sha256:%C was expected");
	check_refused(fixture, MOOD_WRONG_CONFIG, EBADMSG, "its config has the digest sha256:");
	check_refused(fixture, MOOD_SILENT, ETIMEDOUT, "it sent nothing for 0 seconds");
}

static void test_short(void **state)
{
	check_refused(*state, MOOD_SHORT, EBADMSG,
		      "layer sha256:%l: it has %h bytes where the manifest says %n");
}

static void test_passwords(void **state)
{
	struct fixture *fixture = *state;
	static const enum mood moods[] = { MOOD_TOKEN, MOOD_BASIC };

	for (size_t i = 0; i < 2; i++) {
		const struct registry_watch watch = { NULL, NULL, NULL };
		struct error err = ERROR_INIT;
		char host[40];
		struct stage stage;

		begin(&stage, fixture, moods[i]);
		snprintf(host, sizeof(host), "localhost:%u", stage.fake.port);
		assert_int_equal(pull(&stage, NULL, &err), -EACCES);
		error_clear(&err);
		assert_int_equal(
			registries_login(stage.registries, host, "me", "wrong", &watch, &err),
			-EACCES);
		assert_null(strstr(err.msg, "wrong user name or password") ? NULL : err.msg);
		error_clear(&err);
		if (moods[i] == MOOD_BASIC)
			assert_ok(registries_login(stage.registries, host, "me", "secret", &watch,
						   &err),
				  &err);
		end(&stage);
	}
}

static void test_cancel(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct stage stage;

	begin(&stage, fixture, MOOD_WAITS);
	atomic_store(&stage.cancelled, true);
	assert_int_equal(pull(&stage, NULL, &err), -EINTR);
	assert_store_empty(fixture);
	end(&stage);
}

static void *pull_also(void *arg)
{
	struct error err = ERROR_INIT;

	return pull(arg, NULL, &err) == 0 ? arg : NULL;
}

static void test_share(void **state)
{
	struct fixture *fixture = *state;
	struct stage stage;
	pthread_t threads[3];
	void *ret;

	begin(&stage, fixture, MOOD_WAITS);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, pull_also, &stage);
	/* Each shows what there is when it has begun. */
	while (atomic_load(&stage.shown) < 3)
		usleep(1000);
	atomic_store(&stage.go_on, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		assert_ptr_equal(ret, &stage);
	}
	assert_int_equal(fake_count(&stage.fake, "GET /v2/team/app/blobs/"), 2);
	assert_int_equal(fake_count(&stage.fake, "GET /v2/team/app/manifests/"), 1);
	end(&stage);
}

static void test_push(void **state)
{
	struct fixture *fixture = *state;
	const struct registry_watch watch = { NULL, NULL, NULL };
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct stage stage;

	begin(&stage, fixture, MOOD_PUSH_BREAKS);
	assert_ok(pull(&stage, NULL, &err), &err);
	assert_ok(registries_push(stage.registries, stage.name, &watch, false, &lines, &err), &err);
	assert_non_null(strstr(lines.data, ": Pushed\n1: digest: sha256:"));
	/* Whole, though it came in two parts. */
	assert_int_equal(stage.upload.len, stage.layer.text.len);
	assert_memory_equal(stage.upload.data, stage.layer.text.data, stage.upload.len);
	assert_int_equal(fake_count(&stage.fake, "PUT /v2/team/app/manifests/1"), 1);
	/* The config, and the layer in two parts. */
	assert_int_equal(fake_count(&stage.fake, "PATCH "), 3);
	end(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pull, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_share, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_push, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
