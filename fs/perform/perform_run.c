/* create, run and import: what makes something and replies with its id.
 *
 * run is a create and a start that is whole or nothing: a container that could not
 * be started is removed again, except when it is its program that is missing;
 * then it stays, exited with 127 or 126, so that it can be looked into (with --rm
 * it goes as well). Why it failed is noted before the removal: an engine that
 * comes after us must neither start it again nor call it a success.
 */
#include "fs/perform/perform_private.h"

#include "base/log.h"
#include "base/num.h"
#include "runtime/ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_LEN 64
#define FAILED " failed " /* behind the id in a note; then the code and the sentence */

/* --- create and run -------------------------------------------------------- */

/* Is the image here? It is fetched first when the command says so. */
static int check_image(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(image_unref) struct image *image = NULL;
	int ret = perform_fetch_image(job, err);

	if (ret < 0)
		return ret;
	image = graph_find_image(job->context->graph, command->image, err);
	return image ? 0 : -err->code;
}

/* Remove what was made, under a ticket of its own: the note of the command's stays. */
static void remove_failed(struct container *c)
{
	struct error err = ERROR_INIT;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	if (!container_is_removed(c) && container_remove(c, &ticket, true, true, &err) < 0)
		log_warn("a container that did not start stays: %s", err.msg);
	ticket_deinit(&ticket);
}

/* The start failed with err. */
static void take_back(const struct job *job, struct container *c, const struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	if (view->state == CONTAINER_EXITED && !job->command->remove)
		return;
	/* The sentence may be longer than a note; its beginning says most. */
	ticket_note(job->context->ticket, "%s" FAILED "%d %.100s", view->id, err->code, err->msg);
	remove_failed(c);
}

/* Did an earlier engine fail to start it? Then finish the removal and fail likewise. */
static bool find_failure(const struct job *job, int *ret, struct error *err)
{
	const char *note = job->context->ticket->note;
	AUTO(container_unref) struct container *c = NULL;
	char id[ID_LEN + 1], code_text[8] = "";
	const char *sentence;
	uint64_t code;

	if (!perform_was_begun(job) || strlen(note) < ID_LEN ||
	    strncmp(note + ID_LEN, FAILED, strlen(FAILED)) != 0)
		return false;
	memcpy(id, note, ID_LEN);
	id[ID_LEN] = '\0';
	note += ID_LEN + strlen(FAILED);
	sentence = strchrnul(note, ' ');
	if ((size_t)(sentence - note) < sizeof(code_text))
		memcpy(code_text, note, (size_t)(sentence - note));
	if (num_parse_u64(code_text, 1, 4095, &code) < 0)
		code = EIO;
	c = engine_find(job->context->engine, id);
	if (c)
		remove_failed(c);
	*ret = error_set(err, (int)code, "%s", *sentence ? sentence + 1 : sentence);
	return true;
}

static int start(const struct job *job, struct container *c, struct error *err)
{
	int ret = container_start(c, job->context->ticket, err);

	if (ret == 0)
		return 0;
	take_back(job, c, err);
	return ret;
}

int perform_create(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	const struct perform_context *context = job->context;
	AUTO(container_unref) struct container *c = NULL;
	AUTO(container_view_unref) struct container_view *view = NULL;
	bool is_run = command->verb == VERB_RUN;
	int ret;

	if (find_failure(job, &ret, err))
		return ret;
	ret = perform_was_begun(job) ? 0 : check_image(job, err);
	if (ret < 0)
		return ret;
	/* What goes at its end need not outlive a power cut. */
	ret = engine_create(context->engine, context->ticket, command->name, command->config,
			    !is_run && !command->remove, &c, err);
	if (ret < 0)
		return ret;
	if (is_run)
		ret = start(job, c, err);
	if (ret < 0)
		return ret;
	view = container_get_view(c);
	strbuf_appendf(job->reply, "%s\n", view->id);
	return 0;
}
