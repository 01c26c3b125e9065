/* One layer on its way in: it is stored, hashed, decompressed and unpacked while it arrives. A connection
 * that breaks is made anew, and the layer goes on where it was; the digest at the end is over all.
 */
#include "graph/registry/registry_pull.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct layer_fetch {
	struct pull *pull;
	size_t index;
	const struct manifest_blob *blob;
	struct intake *intake;
	uint64_t done;
	/* Of the try that is under way. */
	bool has_begun;
	uint64_t skip; /* of its bytes we have these */
};

/* --- bytes ---------------------------------------------------------------------------------- */

/* "bytes N-M/L": does it begin where we wanted? */
static bool begins_at(const char *range, uint64_t offset)
{
	char digits[24] = "";
	uint64_t first;
	size_t len;

	if (strncmp(range, "bytes ", 6) != 0)
		return false;
	len = strspn(range + 6, "0123456789");
	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, range + 6, len);
	return num_parse_u64(digits, 0, UINT64_MAX, &first) == 0 && first == offset;
}

static int begin_try(struct layer_fetch *fetch, const struct http_answer *answer, struct error *err)
{
	fetch->has_begun = true;
	fetch->skip = 0;
	if (answer->status != 206)
		fetch->skip = fetch->done;
	else if (!begins_at(strbuf_get_str(&answer->content_range), fetch->done))
		return error_set(err, EBADMSG, "it sends another part than was asked for");
	return 0;
}

static int take_bytes(void *arg, const struct http_answer *answer, const void *bytes, size_t len,
		      struct error *err)
{
	struct layer_fetch *fetch = arg;
	const char *at = bytes;
	int ret = fetch->has_begun ? 0 : begin_try(fetch, answer, err);
	size_t skip = len < fetch->skip ? len : (size_t)fetch->skip;

	if (ret < 0)
		return ret;
	fetch->skip -= skip;
	at += skip;
	len -= skip;
	if (len > fetch->blob->size - fetch->done)
		return error_set(err, EBADMSG,
				 "it is longer than the %" PRIu64 " bytes that the manifest says",
				 fetch->blob->size);
	ret = len ? intake_write(fetch->intake, at, len, err) : 0;
	if (ret < 0)
		return ret;
	fetch->done += len;
	progress_set_done(fetch->pull->transfer.progress, fetch->index, fetch->done);
	return 0;
}

/* --- tries ------------------------------------------------------------------------------------- */

static int try_once(struct layer_fetch *fetch, struct http *http, struct http_answer *answer,
		    struct error *err)
{
	struct pull *pull = fetch->pull;
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	char range[40];
	struct http_request request = { .method = "GET", .sink = take_bytes, .arg = fetch };
	int ret;

	strbuf_appendf(&path, "/v2/%s/blobs/sha256:%s", pull->name.repository, fetch->blob->digest);
	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", fetch->done);
	request.url = strbuf_get_str(&path);
	request.range = fetch->done ? range : NULL;
	fetch->has_begun = false;
	ret = strbuf_check(&path, err);
	return ret < 0 ? ret : session_ask(pull->session, http, &request, answer, NULL, err);
}

/* Its last try ended without all. */
static int give_up(const struct layer_fetch *fetch, const struct http_answer *answer,
		   struct error *err)
{
	if (answer->status / 100 != 2)
		return session_refuse(fetch->pull->session, answer, "blob", err);
	return error_set(err, EBADMSG, "it has %" PRIu64 " bytes where the manifest says %" PRIu64,
			 fetch->done, fetch->blob->size);
}

static int fetch_all(struct layer_fetch *fetch, struct http *http, struct error *err)
{
	unsigned failures = 0;

	do {
		AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
		struct error failure = ERROR_INIT;
		uint64_t before = fetch->done;
		int ret = try_once(fetch, http, &answer, &failure);
		bool is_good = ret == 0 && answer.status / 100 == 2;

		if (is_good && fetch->done == fetch->blob->size)
			return 0;
		failures = fetch->done > before ? 1 : failures + 1;
		if ((is_good || lanes_may_retry(ret, answer.status)) &&
		    failures < LANES_TRIES_MAX) {
			ret = lanes_back_off(fetch->pull->session, failures, &answer, err);
			if (ret < 0)
				return ret;
			continue;
		}
		if (ret == 0)
			return give_up(fetch, &answer, err);
		*err = failure;
		return ret;
	} while (true);
}

static int fetch_layer(struct pull *pull, struct http *http, size_t index, struct error *err)
{
	struct layer_fetch fetch = { .pull = pull,
				     .index = index,
				     .blob = &pull->manifest.layers[index] };
	struct intake *intake AUTO(intake_abort) = NULL;
	struct batch_layer layer;
	int ret = intake_begin(pull->batch, &intake, err);

	if (ret < 0)
		return ret;
	intake_expect_digest(intake);
	fetch.intake = intake;
	progress_set_state(pull->transfer.progress, index, "Downloading", fetch.blob->size);
	ret = fetch_all(&fetch, http, err);
	if (ret < 0)
		return ret;
	progress_set_state(pull->transfer.progress, index, "Extracting", 0);
	return intake_finish(steal_ptr(&intake), fetch.blob->digest, pull->diff_ids[index], &layer,
			     err);
}

/* --- what is there ---------------------------------------------------------------------------------- */

/* That a blob and a layer are there does not tell that the one holds the other; an image that has both does. */
static bool is_known(struct pull *pull, const char *digest, const char *diff_id)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(pull->registries->graph);

	for (size_t i = 0; i < snapshot->image_count; i++) {
		const struct image *image = snapshot->images[i];
		const struct stored_image *stored = stored_image_of(image);

		for (size_t k = 0; k < image->layer_count; k++)
			if (strcmp(image->diff_ids[k], diff_id) == 0 &&
			    strcmp(stored->blobs[k], digest) == 0)
				return true;
	}
	return false;
}

static int check_size(struct pull *pull, const struct manifest_blob *blob, struct error *err)
{
	auto_fd int fd = batch_open_blob(pull->batch, blob->digest, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at it");
	if ((uint64_t)st.st_size != blob->size)
		return error_set(err, EBADMSG, "it has %lld bytes where the manifest says %" PRIu64,
				 (long long)st.st_size, blob->size);
	return 0;
}

static int take_layer(struct pull *pull, struct http *http, size_t index, struct error *err)
{
	const struct manifest_blob *blob = &pull->manifest.layers[index];
	const char *diff_id = pull->diff_ids[index];
	struct batch_layer layer;
	int ret;

	if (!batch_has_blob(pull->batch, blob->digest)) {
		ret = fetch_layer(pull, http, index, err);
		if (ret == 0)
			progress_set_state(pull->transfer.progress, index, "Pull complete", 0);
		return ret;
	}
	ret = check_size(pull, blob, err);
	if (ret == 0 &&
	    !(batch_has_layer(pull->batch, diff_id, NULL) && is_known(pull, blob->digest, diff_id)))
		ret = batch_unpack_blob(pull->batch, blob->digest, diff_id, &layer, err);
	if (ret == 0)
		progress_set_state(pull->transfer.progress, index, "Already exists", 0);
	return ret;
}

int pull_layer(void *arg, struct http *http, size_t index, struct error *err)
{
	struct pull *pull = arg;

	return error_wrap(err, take_layer(pull, http, index, err), "layer sha256:%.12s",
			  pull->manifest.layers[index].digest);
}
