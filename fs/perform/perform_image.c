/* rmi and tag: commands that take names of images.
 *
 * A word that is a tag's name removes that tag; any other way to say an image (an
 * id, the beginning of one) removes the image with its tag. The store knows no
 * tickets, so the note is the number of the name at work.
 */
#include "fs/perform/perform_private.h"

#include "base/num.h"
#include "runtime/ticket.h"

#include <string.h>

struct doomed {
	char tag[GRAPH_NAME_SIZE]; /* "": the image itself */
	char id[GRAPH_ID_SIZE];    /* "": gone since an earlier engine began */
};

/* The tag, or what a registry calls an image. */
static const struct tag *find_tag(const struct graph_snapshot *snapshot, const char *name)
{
	bool is_digest = strchr(name, '@') != NULL;
	const struct tag *tags = is_digest ? snapshot->digests : snapshot->tags;
	size_t count = is_digest ? snapshot->digest_count : snapshot->tag_count;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(tags[i].name, name) == 0)
			return &tags[i];
	}
	return NULL;
}

static int resolve(struct graph *graph, const char *word, struct doomed *ret, struct error *err)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(graph);
	AUTO(image_unref) struct image *image = NULL;
	const struct tag *tag = NULL;

	*ret = (struct doomed){ .tag = "" };
	if (graph_parse_reference(word, ret->tag, NULL) == 0)
		tag = find_tag(snapshot, ret->tag);
	if (tag) {
		memcpy(ret->id, tag->image->id, sizeof(ret->id));
		return 0;
	}
	ret->tag[0] = '\0';
	image = graph_find_image(graph, word, err);
	if (!image)
		return -err->code;
	memcpy(ret->id, image->id, sizeof(ret->id));
	return 0;
}

/* Where an earlier engine was. */
static size_t find_begun(const struct job *job)
{
	uint64_t begun = 0;

	if (perform_was_begun(job))
		num_parse_u64(job->context->ticket->note, 0, job->command->target_count, &begun);
	return (size_t)begun;
}

static int resolve_all(const struct job *job, struct doomed *doomed, size_t begun,
		       struct error *err)
{
	for (size_t i = begun; i < job->command->target_count; i++) {
		int ret = resolve(job->context->graph, job->command->targets[i], &doomed[i], err);

		if (ret == 0)
			continue;
		if (ret != -ENOENT || i != begun || !perform_was_begun(job))
			return ret;
		error_clear(err);
	}
	return 0;
}

static void tell_untagged(const struct job *job, const char *name)
{
	strbuf_appendf(job->reply, "Untagged: %s\n", name);
}

static void tell_deleted(const struct job *job, const char *id)
{
	strbuf_appendf(job->reply, "Deleted: sha256:%s\n", id);
}

/* With all its tags, as they were before. */
static int remove_image(const struct job *job, const char *id, struct error *err)
{
	struct graph *graph = job->context->graph;
	AUTO(graph_snapshot_unref) struct graph_snapshot *before = graph_get_snapshot(graph);
	int r = graph_remove_image(graph, id, job->command->force, err);

	for (size_t i = 0; r == 0 && i < before->tag_count; i++)
		if (strcmp(before->tags[i].image->id, id) == 0)
			tell_untagged(job, before->tags[i].name);
	if (r == 0)
		tell_deleted(job, id);
	return r;
}

static int remove_one(const struct job *job, const struct doomed *doomed, struct error *err)
{
	bool deleted = false;
	int r;

	if (doomed->id[0] == '\0')
		return 0;
	if (!doomed->tag[0])
		return remove_image(job, doomed->id, err);
	r = graph_untag(job->context->graph, doomed->tag, &deleted, err);
	if (r == 0)
		tell_untagged(job, doomed->tag);
	if (r == 0 && deleted)
		tell_deleted(job, doomed->id);
	return r;
}

/* Of what an engine removed that died before it could say so only the name is known. */
static void tell_gone(const struct job *job, const char *word)
{
	char name[GRAPH_NAME_SIZE];

	if (graph_parse_reference(word, name, NULL) == 0)
		tell_untagged(job, name);
}

int perform_rmi(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	auto_free struct doomed *doomed = calloc(command->target_count, sizeof(*doomed));
	size_t begun = find_begun(job);
	int ret;

	if (!doomed)
		return error_set_sys(err, ENOMEM, "cannot look up the names");
	ret = resolve_all(job, doomed, begun, err);
	for (size_t i = 0; i < begun && ret == 0; i++)
		tell_gone(job, command->targets[i]);
	for (size_t i = begun; ret == 0 && i < command->target_count; i++) {
		ticket_note(job->context->ticket, "%zu", i);
		ret = remove_one(job, &doomed[i], err);
		if (ret == 0 && doomed[i].id[0] == '\0')
			tell_gone(job, command->targets[i]);
	}
	return ret;
}

/* The image that a tag points to, to compare only; NULL when there is no such tag. */
static const struct image *find_tagged(struct graph *graph, const char *name)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(graph);
	char canonical[GRAPH_NAME_SIZE];
	const struct tag *tag = NULL;

	if (graph_parse_name(name, canonical, NULL) == 0)
		tag = find_tag(snapshot, canonical);
	return tag ? tag->image : NULL;
}

int perform_tag(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(image_unref)
	struct image *image = graph_find_image(job->context->graph, command->image, err);

	if (!image)
		return -err->code;
	const struct image *tagged = find_tagged(job->context->graph, command->name);
	if (perform_was_begun(job) && tagged == image)
		return 0;
	/* Only a free one is noted: what is taken when an engine resumes was made by the one before. */
	if (!tagged)
		ticket_note(job->context->ticket, "tag");
	else if (tagged == image && !command->force)
		return error_set(err, EEXIST, "tag '%s' is taken by this image", command->name);
	return graph_tag(job->context->graph, image, command->name, command->force, err);
}
