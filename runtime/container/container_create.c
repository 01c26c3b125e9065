/* Making a container: a name and an id taken in the table, then the disk, then
 * the listing.
 *
 * Intent first, for both who may ask again: the ticket notes the id before there
 * is anything, and "<id> made" once there is; the disk holds .new-<id> until all
 * is in it. A create that an earlier engine began is recognised by its id and
 * not repeated, even if the container has come and gone since (--rm).
 */
#include "runtime/volume/volume_private.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>

#define ID_LEN 64

/* The id in the note of an earlier engine: what follows it, or NULL for none. */
static const char *find_noted_id(const struct ticket *ticket, char ret_id[ID_LEN + 1])
{
	if (!ticket->resumed || strlen(ticket->note) < ID_LEN)
		return NULL;
	memcpy(ret_id, ticket->note, ID_LEN);
	ret_id[ID_LEN] = '\0';
	return num_is_hex(ret_id, ID_LEN) ? ticket->note + ID_LEN : NULL;
}

/* What stands for a container that was made, and is gone. */
static struct container *make_tombstone(struct engine *engine, const char *id)
{
	struct container *c = container_new(engine, id);

	if (c) {
		c->removed = true;
		c->view->state = CONTAINER_EXITED;
	}
	return c;
}

static bool has_nonzero_key(const char *id)
{
	return strncmp(id, "000000000", 9) != 0;
}

/* Take an id that is free, the noted one if there is one, and the name. */
static int reserve(struct engine *engine, const char *noted_id, const char *name,
		   struct container **ret, struct error *err)
{
	AUTO(container_unref) struct container *c = NULL;
	char id[ID_LEN + 1];
	int failure;

	do {
		container_unref(c);
		if (noted_id)
			snprintf(id, sizeof(id), "%s", noted_id);
		else
			random_id(id);
		noted_id = NULL;
		c = has_nonzero_key(id) ? container_new(engine, id) : NULL;
		if (has_nonzero_key(id) && !c)
			return error_set(err, ENOMEM, "no memory for one more container");
		failure = c ? table_reserve(&engine->table, c, name, err) : -EALREADY;
	} while (failure == -EALREADY);
	if (failure < 0)
		return failure;
	*ret = steal_ptr(&c);
	return 0;
}

/* Nobody sees it yet, so no lock is needed. */
static int fill(struct container *c, const char *name, const json_t *config, struct error *err)
{
	struct container_view *view = c->view;

	view->has_name = name != NULL;
	if (name)
		snprintf(view->name, sizeof(view->name), "%s", name);
	view->created_ns = view->changed_ns = clock_now_ns();
	view->state = CONTAINER_CREATED;
	view->config = json_deep_copy(config);
	if (!view->config)
		return error_set(err, ENOMEM, "no memory for the configuration");
	if (c->engine->log_opts &&
	    config_make_log_defaults(c->engine->log_opts, &c->log_defaults, err) < 0)
		return -ENOMEM;
	image_note(c, view);
	return volume_decide_new(c, view, err);
}

static int create(struct engine *engine, struct ticket *ticket, const char *noted_id,
		  const char *name, const json_t *config, bool durable, struct container **ret,
		  struct error *err)
{
	AUTO(container_unref) struct container *c = NULL;
	int failure;

	if (name && config_check_name(name, err) < 0)
		return err ? -err->code : -EINVAL;
	failure = reserve(engine, noted_id, name, &c, err);
	if (failure < 0)
		return failure;
	ticket_note(ticket, "%s", c->id);
	failure = fill(c, name, config, err);
	if (failure == 0)
		failure = store_make(c, durable, err);
	if (failure < 0) {
		table_remove(&engine->table, c);
		return failure;
	}
	ticket_note(ticket, "%s made", c->id);
	table_show(&engine->table, c);
	container_notify(c);
	container_emit(c, "create", NULL, NULL);
	*ret = steal_ptr(&c);
	return 0;
}

int engine_create(struct engine *engine, struct ticket *ticket, const char *name,
		  const json_t *config, bool durable, struct container **ret, struct error *err)
{
	char noted_id[ID_LEN + 1];
	const char *noted = find_noted_id(ticket, noted_id);
	struct container *c = noted ? engine_find(engine, noted_id) : NULL;

	if (!c && noted && *noted) {
		c = make_tombstone(engine, noted_id);
		if (!c)
			return error_set(err, ENOMEM, "no memory");
	}
	if (c) {
		*ret = c;
		return 0;
	}
	return create(engine, ticket, noted ? noted_id : NULL, name, config, durable, ret, err);
}
