/* Files whose text, or size alone, takes a look at the disk or at processes. What would make the text
 * on a thread that receives requests makes it here, on a worker: the lookup (of one that
 * is lazy, the open), and whatever asks for a node that was given out by an engine that
 * died. The request is not recorded as done: done again, it gives as good an answer.
 */
#include "fs/files.h"

#include "fs/ops.h"

#include <string.h>

struct report_work {
	struct work work;
	struct fuse_entry_param entry;
	struct stat st;
	unsigned flags;
	struct handle *handle;
};

static struct report_work *report_new(fuse_req_t req, uint64_t node, void (*run)(struct work *work),
				      void (*answer)(struct work *work, int result))
{
	struct report_work *report =
		(struct report_work *)work_new(req, sizeof(*report), run, answer);

	if (!report)
		return NULL;
	report->work.parent = node;
	report->work.ticket.resumed = false; /* safe to do again */
	return report;
}

/* --- lookup ---------------------------------------------------------------------- */

static void answer_entry(struct work *work, int result)
{
	struct report_work *report = (struct report_work *)work;
	struct fs *fs = work->fs;

	(void)result;
	if (fuse_reply_entry(work->req, &report->entry) == -ENOENT)
		nodes_forget(fs->nodes, report->entry.ino);
}

static void run_look_up(struct work *work)
{
	struct report_work *report = (struct report_work *)work;

	work_done(work, ops_look_up(work->fs, work->parent, work->name, &work->caller,
				    &report->entry, &work->err));
}

void reportfile_look_up(fuse_req_t req, uint64_t parent, const char *name)
{
	struct report_work *report = report_new(req, parent, run_look_up, answer_entry);

	if (report && work_keep_name(&report->work, name))
		work_start(&report->work);
}

/* --- attributes ------------------------------------------------------------------- */

static void answer_attributes(struct work *work, int result)
{
	(void)result;
	fuse_reply_attr(work->req, &((struct report_work *)work)->st, 0);
}

static void run_stat(struct work *work)
{
	struct report_work *report = (struct report_work *)work;

	work_done(work, nodes_stat(work->fs, work->parent, &work->caller, &report->st, &work->err));
}

void reportfile_stat(fuse_req_t req, uint64_t node)
{
	struct report_work *report = report_new(req, node, run_stat, answer_attributes);

	if (report)
		work_start(&report->work);
}

/* --- open --------------------------------------------------------------------------- */

static void answer_open(struct work *work, int result)
{
	(void)result;
	ops_answer_open(work->req, ((struct report_work *)work)->handle);
}

static void release_handle(struct work *work)
{
	handle_unref(((struct report_work *)work)->handle);
}

/* The text is there from now on; the rest is as of every file. */
static void run_open(struct work *work)
{
	struct report_work *report = (struct report_work *)work;
	AUTO(node_text_unref)
	struct node_text *text = nodes_get(work->fs, work->parent, &work->caller, &work->err);
	int r = text ? 0 : -work->err.code;

	if (r == 0)
		r = ops_make_handle(work->fs, work->parent, report->flags, &work->caller,
				    work->number, &report->handle, &work->err);
	work_done(work, r);
}

void reportfile_open(fuse_req_t req, uint64_t node, int flags)
{
	struct report_work *report = report_new(req, node, run_open, answer_open);

	if (!report)
		return;
	report->flags = (unsigned)flags;
	report->work.release = release_handle;
	work_start(&report->work);
}
