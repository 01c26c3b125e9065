/* An image of a container: what it runs with, and what it wrote.
 *
 * The turn is held while it is decided what is copied and the processes are stopped, not
 * while it is copied, so that only rm and start of the container must be looked for
 * afterwards: one that was removed meanwhile lacks files that nobody saw go.
 */
#include "runtime/engine_private.h"

#include "graph/change/change_config.h"
#include "graph/commit.h"

#include <string.h>

/* What is copied, and what the image says. */
struct copy {
	struct image *image;
	json_t *config;
	struct strbuf created_by;
	int upper_fd, lower_fd;
	uint64_t hold;
};

static void copy_deinit(struct copy *copy)
{
	image_unref(copy->image);
	json_decref(copy->config);
	strbuf_deinit(&copy->created_by);
	if (copy->upper_fd >= 0)
		close(copy->upper_fd);
	if (copy->lower_fd >= 0)
		close(copy->lower_fd);
}
DEFINE_AUTO_DEINIT(struct copy, copy_deinit);

static void append_words(struct strbuf *out, const json_t *list)
{
	const json_t *word;
	size_t i;

	json_array_foreach(list, i, word) {
		if (out->len > 0)
			strbuf_append_char(out, ' ');
		strbuf_append_str(out, json_string_value(word));
	}
}

static int make_texts(struct container *c, const struct container_commit *commit, struct copy *copy,
		      struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	const json_t *base = json_get_object(copy->image->config, "config");
	auto_json json_t *config = NULL, *effective = NULL;
	/* In force since the last start, or what a start would put in force. */
	int r = view->run ? 0 : effective_of(c, copy->image, view->config, &effective, err);

	if (!effective)
		effective = json_incref(view->effective);
	if (r == 0)
		r = config_make_image(effective, base, &config, err);
	if (r == 0)
		r = change_config(config, commit->changes, &copy->config, err);
	if (r < 0)
		return r;
	append_words(&copy->created_by, json_get_array(effective, "Entrypoint"));
	append_words(&copy->created_by, json_get_array(effective, "Cmd"));
	return strbuf_check(&copy->created_by, err);
}

static int begin_in_turn(struct container *c, const struct container_commit *commit,
			 struct copy *copy, struct error *err)
{
	int r = container_check(c, false, err);

	if (r < 0)
		return r;
	copy->image = image_of_container(c, err);
	if (!copy->image)
		return -err->code;
	r = make_texts(c, commit, copy, err);
	if (r == 0 && commit->pause)
		r = pause_hold(c, &copy->hold, err);
	return r;
}

static int begin(struct container *c, struct ticket *ticket, const struct container_commit *commit,
		 struct copy *copy, struct error *err)
{
	struct turn turn;
	int r = container_take_turn(c, &turn, ticket, err);

	if (r == 0) {
		r = begin_in_turn(c, commit, copy, err);
		container_leave_turn(c, &turn);
	}
	if (r == 0)
		r = container_open_layers(c, &copy->upper_fd, &copy->lower_fd, err);
	return r;
}

static int check_ticket(void *arg, struct error *err)
{
	if (ticket_is_cancelled(arg))
		return error_set(err, EINTR, "interrupted; no image was made");
	return 0;
}

static int note_id(void *arg, const char *id)
{
	ticket_note(arg, "%s", id);
	return 0;
}

static int publish(struct container *c, struct ticket *ticket,
		   const struct container_commit *wanted, const struct copy *copy,
		   struct commit *commit, char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	const struct commit_text text = { .image = copy->image,
					  .config = copy->config,
					  .created_by = strbuf_get_str(&copy->created_by),
					  .comment = wanted->message,
					  .author = wanted->author };
	int r = container_check(c, false, err);

	if (r == 0)
		r = check_ticket(ticket, err);
	if (r == 0)
		r = commit_publish(commit, &text, wanted->name, note_id, ticket, ret_id, err);
	if (r == 0)
		container_emit(c, "commit", "imageID", ret_id);
	return r;
}

/* Had an engine that died published it? */
static bool was_published(struct container *c, const struct ticket *ticket,
			  char ret_id[GRAPH_ID_SIZE])
{
	AUTO(image_unref) struct image *image = NULL;

	if (!ticket->resumed || strlen(ticket->note) != GRAPH_ID_SIZE - 1)
		return false;
	image = graph_find_image(c->engine->graph, ticket->note, NULL);
	if (image)
		memcpy(ret_id, image->id, GRAPH_ID_SIZE);
	return image != NULL;
}

int container_commit(struct container *c, struct ticket *ticket,
		     const struct container_commit *wanted, char ret_id[GRAPH_ID_SIZE],
		     struct error *err)
{
	AUTO(copy_deinit)
	struct copy copy = { .created_by = STRBUF_INIT, .upper_fd = -1, .lower_fd = -1 };
	AUTO(commit_free) struct commit *commit = NULL;
	char name[GRAPH_NAME_SIZE];
	int r = 0;

	if (was_published(c, ticket, ret_id))
		return 0;
	if (wanted->name)
		r = graph_parse_name(wanted->name, name, err);
	if (r == 0)
		r = begin(c, ticket, wanted, &copy, err);
	if (r == 0)
		r = commit_read(c->engine->graph, copy.upper_fd, copy.lower_fd,
				container_get_made_paths(), check_ticket, ticket, &commit, err);
	pause_release(c, copy.hold);
	return r < 0 ? r : publish(c, ticket, wanted, &copy, commit, ret_id, err);
}
