/* import and load: an archive of the host, what comes out of a pipe, or a file of the web becomes images.
 *
 * How far it is can be seen in the reply meanwhile: "Importing DONE/TOTAL", with "?" for a
 * total that nobody knows. For a later engine the ticket's note tells how long the reply was before; it is
 * longer when all was published. Then nothing is left to do; else it is done anew, for of a
 * batch that was not published nothing is left.
 */
#include "fs/perform/perform_private.h"

#include "base/clock.h"
#include "base/num.h"
#include "graph/http/download.h"
#include "runtime/ticket.h"

#include <inttypes.h>
#include <string.h>

#define STEP_BYTES (1024 * 1024)
#define SHOW_EVERY_NS 100000000LL

DEFINE_AUTO(struct import *, graph_import_abort);

/* --- bytes ------------------------------------------------------------------- */

/* The archive's bytes on their way. */
struct feed {
	const struct job *job;
	struct import *import;
	uint64_t done, total; /* total 0: not known */
	int64_t shown_ns;
};

static void show(const struct feed *feed, const char *state)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	const char *source = feed->job->command->source;

	if (download_is_url(source)) {
		strbuf_append_str(&lines, "Downloading from ");
		download_render_name(source, &lines);
		strbuf_append_char(&lines, '\n');
	}
	strbuf_appendf(&lines, "%s %" PRIu64 "/", state, feed->done);
	if (feed->total)
		strbuf_appendf(&lines, "%" PRIu64 "\n", feed->total);
	else
		strbuf_append_str(&lines, "?\n");
	perform_show_lines((void *)(uintptr_t)feed->job, &lines);
}

static int take_bytes(void *arg, const void *bytes, size_t len, uint64_t total, struct error *err)
{
	struct feed *feed = arg;
	int64_t now_ns = clock_monotonic_ns();
	int ret = graph_import_write(feed->import, feed->done, bytes, len, err);

	if (ret < 0)
		return ret;
	feed->done += len;
	feed->total = total;
	if (now_ns - feed->shown_ns > SHOW_EVERY_NS) {
		feed->shown_ns = now_ns;
		show(feed, "Importing");
	}
	return 0;
}

static int feed_file(struct feed *feed, const struct archive_source *source, struct error *err)
{
	auto_free char *buf = malloc(STEP_BYTES);
	ssize_t got = buf ? 1 : error_set_sys(err, ENOMEM, "cannot import");

	while (got > 0) {
		got = archive_source_read(feed->job, source, buf, STEP_BYTES, err);
		if (got > 0 && take_bytes(feed, buf, (size_t)got, source->size_bytes, err) < 0)
			return -err->code;
	}
	return (int)got;
}

static bool is_cancelled(void *arg)
{
	const struct feed *feed = arg;

	return ticket_is_cancelled(feed->job->context->ticket);
}

static int feed_url(struct feed *feed, struct error *err)
{
	return download_run(&(struct download){ .url = feed->job->command->source,
						.is_cancelled = is_cancelled,
						.take = take_bytes,
						.arg = feed },
			    err);
}

/* --- the deed ------------------------------------------------------------------ */

static int begin(const struct job *job, struct import **ret, struct error *err)
{
	AUTO(graph_import_abort) struct import *import = NULL;
	const struct command *command = job->command;
	struct graph *graph = job->context->graph;
	bool is_load = command->verb == VERB_LOAD;
	int r = is_load ? graph_load_begin(graph, command->platform, &import, err)
			: graph_import_begin(graph, command->name, &import, err);

	if (r == 0 && !is_load)
		r = graph_import_describe(import,
					  &(struct import_text){ .message = command->message,
								 .changes = command->changes,
								 .platform = command->platform },
					  err);
	if (r < 0)
		return r;
	graph_import_set_cancel(import, perform_is_cancelled, (void *)(uintptr_t)job);
	*ret = steal_ptr(&import);
	return 0;
}

/* from: what the image's history says that it came from. */
static int finish(const struct feed *feed, struct import *import_owned, const struct strbuf *from,
		  struct strbuf *ids, struct error *err)
{
	AUTO(graph_import_abort) struct import *import = import_owned;
	AUTO(strbuf_deinit) struct strbuf comment = STRBUF_INIT;
	char id[GRAPH_ID_SIZE];
	int r;

	show(feed, "Storing");
	if (feed->job->command->verb == VERB_LOAD)
		return graph_load_finish(steal_ptr(&import), ids, err);
	strbuf_append_str(&comment, "Imported from ");
	strbuf_append_escaped(&comment, from->data, from->len);
	r = strbuf_check(&comment, err);
	if (r == 0)
		r = graph_import_finish(steal_ptr(&import), true, strbuf_get_str(&comment), id,
					err);
	if (r == 0)
		strbuf_appendf(ids, "%s\n", id);
	return r;
}

static int import_source(const struct job *job, struct strbuf *ids, struct error *err)
{
	AUTO(archive_source_deinit) struct archive_source source = { .fd = -1 };
	AUTO(graph_import_abort) struct import *import = NULL;
	AUTO(strbuf_deinit) struct strbuf from = STRBUF_INIT;
	struct feed feed = { .job = job };
	bool is_url = download_is_url(job->command->source);
	int r = begin(job, &import, err);

	if (r == 0 && !is_url)
		r = archive_source_open(job, &source, err);
	if (r < 0)
		return r;
	feed.import = import;
	if (is_url)
		download_render_name(job->command->source, &from);
	else
		strbuf_append_str(&from, source.name);
	r = is_url ? feed_url(&feed, err) : feed_file(&feed, &source, err);
	return r < 0 ? r : finish(&feed, steal_ptr(&import), &from, ids, err);
}

/* Had an earlier engine come to the reply? */
static bool was_answered(const struct job *job)
{
	uint64_t before;

	return perform_was_begun(job) &&
	       num_parse_u64(job->context->ticket->note, 0, UINT64_MAX, &before) == 0 &&
	       job->reply->len > before;
}

int perform_import(const struct job *job, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	const struct perform_context *context = job->context;
	int r;

	if (was_answered(job))
		return 0;
	if (!perform_was_begun(job))
		ticket_note(context->ticket, "%zu", job->reply->len);
	r = import_source(job, &ids, err);
	if (r == 0)
		r = strbuf_check(&ids, err);
	if (r < 0)
		return r;
	strbuf_append(job->reply, ids.data, ids.len);
	if (context->keep_reply)
		context->keep_reply(context->arg);
	return 0;
}
