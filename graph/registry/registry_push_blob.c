/* One blob on its way out: not at all when the registry has it, by its name when another of its repositories
 * does, else as a stream, which after a broken connection goes on where the registry says that it was.
 * Source: OCI distribution-spec, "Pushing a blob in chunks".
 */
#include "graph/registry/registry_push.h"

#include "base/num.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX (1U << 16)
#define ASK_MS 120000

struct upload {
	struct push *push;
	struct http *http;
	size_t index;
	const char *digest;
	int fd;
	uint64_t size;
	uint64_t done;  /* the registry has so many */
	char *location; /* where the next bytes go; NULL: not begun */
};

static int ask(const struct upload *upload, const struct http_request *request,
	       struct http_answer *answer, struct error *err)
{
	struct http_request whole = *request;

	whole.text_max = TEXT_MAX;
	return session_ask(upload->push->session, upload->http, &whole, answer, NULL, err);
}

/* --- is it there? ------------------------------------------------------------------------------- */

/* 1: yes. */
static int ask_for_blob(const struct upload *upload, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	struct http_request request = { .method = "HEAD", .deadline_ms = ASK_MS };
	int ret;

	strbuf_appendf(&path, "/v2/%s/blobs/sha256:%s", upload->push->name.repository,
		       upload->digest);
	ret = strbuf_check(&path, err);
	request.url = strbuf_get_str(&path);
	if (ret == 0)
		ret = ask(upload, &request, &answer, err);
	return ret < 0 ? ret : answer.status == 200;
}

/* --- an upload -------------------------------------------------------------------------------------- */

/* The answer says where it goes on. */
static int take_location(struct upload *upload, const char *asked, const struct http_answer *answer,
			 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf base = STRBUF_INIT;
	char *next = NULL;
	int ret;

	if (!answer->location.len)
		return error_set(err, EINVAL, "it does not say where the upload goes on");
	if (*asked == '/')
		strbuf_append_str(&base, strbuf_get_str(&upload->push->session->base));
	strbuf_append_str(&base, asked);
	ret = strbuf_check(&base, err);
	if (ret == 0)
		ret = http_resolve(strbuf_get_str(&base), strbuf_get_str(&answer->location), &next,
				   err);
	if (ret < 0)
		return ret;
	free(upload->location);
	upload->location = next;
	return 0;
}

/* Begin one, or have it mounted from a repository: 1. from may be NULL. */
static int begin(struct upload *upload, const char *from, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	struct http_request request = { .method = "POST", .deadline_ms = ASK_MS };
	int ret;

	strbuf_appendf(&path, "/v2/%s/blobs/uploads/", upload->push->name.repository);
	if (from) {
		strbuf_appendf(&path, "?mount=sha256:%s", upload->digest);
		if (!path.data || http_append_query(&path, "from", from) < 0)
			return error_set(err, ENOMEM, "out of memory for an address");
	}
	ret = strbuf_check(&path, err);
	request.url = strbuf_get_str(&path);
	request.body = "";
	if (ret == 0)
		ret = ask(upload, &request, &answer, err);
	if (ret < 0)
		return ret;
	if (from && answer.status == 201)
		return 1;
	if (answer.status != 202)
		return from ? 0 : session_refuse(upload->push->session, &answer, "upload", err);
	upload->done = 0;
	return take_location(upload, request.url, &answer, err);
}

static void on_sent(void *arg, uint64_t bytes)
{
	struct upload *upload = arg;

	upload->done += bytes;
	progress_set_done(upload->push->transfer.progress, upload->index, upload->done);
}

/* All that is left, as one stream. */
static int send_rest(struct upload *upload, struct http_answer *answer, struct error *err)
{
	char range[64];
	struct http_request request = { .method = "PATCH",
					.url = upload->location,
					.content_type = "application/octet-stream",
					.body_fd = upload->fd,
					.body_offset = (off_t)upload->done,
					.body_len = upload->size - upload->done,
					.on_sent = on_sent,
					.arg = upload };
	int ret;

	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, upload->done, upload->size - 1);
	if (upload->done)
		request.content_range = range;
	if (upload->done == upload->size)
		return 0;
	ret = ask(upload, &request, answer, err);
	if (ret < 0 || answer->status / 100 != 2)
		return ret;
	return take_location(upload, upload->location, answer, err);
}

static int finish(struct upload *upload, struct http_answer *answer, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf url = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf digest = STRBUF_INIT;
	struct http_request request = { .method = "PUT",
					.content_type = "application/octet-stream",
					.body = "" };

	strbuf_append_str(&url, upload->location);
	strbuf_appendf(&digest, "sha256:%s", upload->digest);
	if (url.oom || digest.oom ||
	    http_append_query(&url, "digest", strbuf_get_str(&digest)) < 0 || url.oom)
		return error_set(err, ENOMEM, "out of memory for an address");
	request.url = strbuf_get_str(&url);
	return ask(upload, &request, answer, err);
}

/* After a failure: how far did it come? What the registry has forgotten begins anew. */
static int look_again(struct upload *upload, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	struct http_request request = { .method = "GET",
					.url = upload->location,
					.deadline_ms = ASK_MS };
	const char *last;
	uint64_t number;
	int ret = ask(upload, &request, &answer, err);

	if (ret < 0)
		return ret;
	last = strchr(strbuf_get_str(&answer.range), '-');
	if (answer.status != 204 || !last ||
	    num_parse_u64(last + 1, 0, upload->size - 1, &number) < 0) {
		free(steal_ptr(&upload->location));
		return 0;
	}
	/* "0-0" is nothing, or one byte: it is sent once more, and the registry would refuse it. */
	upload->done = number ? number + 1 : 0;
	if (number == 0)
		free(steal_ptr(&upload->location));
	else if (answer.location.len)
		ret = take_location(upload, upload->location, &answer, err);
	return ret;
}

static int try_once(struct upload *upload, struct http_answer *answer, struct error *err)
{
	int ret = upload->location ? 0 : begin(upload, NULL, err);

	if (ret == 0)
		ret = send_rest(upload, answer, err);
	if (ret == 0 && (answer->status == 0 || answer->status / 100 == 2))
		ret = finish(upload, answer, err);
	return ret;
}

static int upload_all(struct upload *upload, struct error *err)
{
	for (unsigned failures = 1;; failures++) {
		AUTO(http_answer_deinit) struct http_answer answer = { .retry_after_s = -1 };
		struct error failure = ERROR_INIT;
		int ret = try_once(upload, &answer, &failure);

		if (ret == 0 && answer.status == 201)
			return 0;
		if (failures == LANES_TRIES_MAX || !lanes_may_retry(ret, answer.status)) {
			if (ret == 0)
				return session_refuse(upload->push->session, &answer, "upload",
						      err);
			*err = failure;
			return ret;
		}
		ret = lanes_back_off(upload->push->session, failures, &answer, err);
		if (ret < 0)
			return ret;
		if (upload->location && look_again(upload, NULL) < 0)
			free(steal_ptr(&upload->location));
	}
}

/* --- one blob ------------------------------------------------------------------------------------------ */

/* 1: some other repository of the registry had it. */
static int mount_blob(struct upload *upload, const char **ret_from, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < MOUNTS_MAX && upload->push->mounts[i]; i++) {
		*ret_from = upload->push->mounts[i];
		ret = begin(upload, *ret_from, err);
		/* An upload that it began instead will do. */
		if (ret == 0 && upload->location)
			return 0;
	}
	return ret;
}

static int send_blob(struct upload *upload, struct error *err)
{
	struct push *push = upload->push;
	char state[80];
	const char *from = NULL;
	int ret = ask_for_blob(upload, err);

	if (ret > 0)
		progress_set_state(push->transfer.progress, upload->index, "Layer already exists",
				   0);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = mount_blob(upload, &from, err);
	if (ret > 0) {
		snprintf(state, sizeof(state), "Mounted from %.60s", from);
		progress_set_state(push->transfer.progress, upload->index, state, 0);
	}
	if (ret != 0)
		return ret < 0 ? ret : 0;
	progress_set_state(push->transfer.progress, upload->index, "Pushing", upload->size);
	ret = upload_all(upload, err);
	if (ret == 0)
		progress_set_state(push->transfer.progress, upload->index, "Pushed", 0);
	return ret;
}

int push_blob(void *arg, struct http *http, size_t index, struct error *err)
{
	struct push *push = arg;
	struct upload upload = { .push = push,
				 .http = http,
				 .index = index,
				 .digest = stored_image_of(push->image)->blobs[index] };
	auto_fd int fd = openat(push->registries->graph->blobs_fd, upload.digest,
				O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot open blob sha256:%.12s", upload.digest);
	upload.fd = fd;
	upload.size = (uint64_t)st.st_size;
	ret = send_blob(&upload, err);
	free(upload.location);
	return error_wrap(err, ret, "blob sha256:%.12s", upload.digest);
}
