/* The verbs of volumes: made by hand, removed, pruned.
 *
 * A removal looks for users under the claim of the name. A container that comes to
 * name the volume after that look makes it again at its start, as it makes any that
 * is missing; one that starts meanwhile was named before.
 */
#include "runtime/volume/volume_private.h"

#include "base/num.h"

#include <string.h>

/* What the note of a ticket says once the deed is about to be done. */
#define NOTE_MAKING "volume: making"
#define NOTE_REMOVING "volume: removing"

static bool is_noted(const struct ticket *ticket, const char *note)
{
	return ticket->resumed && !strcmp(ticket->note, note);
}

static int create_claimed(struct engine *engine, struct ticket *ticket, const char *name,
			  struct error *err)
{
	int ret;

	if (engine_find_volume(engine, name, NULL)) {
		/* An engine that died made it for this very request. */
		if (is_noted(ticket, NOTE_MAKING))
			return 0;
		return error_set(err, EEXIST, "there is a volume '%s' already", name);
	}
	ticket_note(ticket, NOTE_MAKING);
	ret = volumes_make(engine, name, true, err);
	return ret < 0 ? ret : 0;
}

int engine_create_volume(struct engine *engine, struct ticket *ticket, const char *name,
			 struct error *err)
{
	int ret = config_check_volume_name(name, err);

	if (ret == 0)
		ret = volumes_claim(engine->volumes, name, err);
	if (ret < 0)
		return ret;
	ret = create_claimed(engine, ticket, name, err);
	volumes_release(engine->volumes, name);
	return ret;
}

static int remove_claimed(struct engine *engine, struct ticket *ticket, const char *name,
			  struct error *err)
{
	char user[CONTAINER_NAME_SIZE];

	if (!engine_find_volume(engine, name, NULL) && is_noted(ticket, NOTE_REMOVING))
		return 0;
	if (engine_find_volume(engine, name, NULL) &&
	    volume_find_user(engine, name, NULL, NULL, user))
		return error_set(err, EBUSY, "volume '%s' is used by container '%s'", name, user);
	ticket_note(ticket, NOTE_REMOVING);
	return volumes_drop(engine, name, err);
}

int engine_remove_volume(struct engine *engine, struct ticket *ticket, const char *name,
			 struct error *err)
{
	int ret;

	if (strlen(name) >= sizeof(((struct volume_info *)0)->name))
		return error_set(err, ENOENT, "no such volume: %s", name);
	ret = volumes_claim(engine->volumes, name, err);
	if (ret < 0)
		return ret;
	ret = remove_claimed(engine, ticket, name, err);
	volumes_release(engine->volumes, name);
	return ret;
}

/* One of them. 1: it is unused, and gone unless dry_run. */
static int prune_one(struct engine *engine, const char *name, const struct volume_prune *prune,
		     struct error *err)
{
	char user[CONTAINER_NAME_SIZE];
	int ret = volumes_claim(engine->volumes, name, err);

	if (ret < 0)
		return ret;
	if (engine_find_volume(engine, name, NULL) &&
	    !volume_find_user(engine, name, prune->dry_run ? prune->is_gone : NULL, prune->arg,
			      user)) {
		ret = prune->dry_run ? 0 : volumes_drop(engine, name, err);
		ret = ret < 0 ? ret : 1;
	}
	volumes_release(engine->volumes, name);
	return ret;
}

int engine_prune_volumes(struct engine *engine, struct ticket *ticket,
			 const struct volume_prune *prune, struct error *err)
{
	AUTO(volume_list_deinit) struct volume_list list = { .count = 0, .infos = NULL };
	struct error first = ERROR_INIT;

	if (engine_list_volumes(engine, &list) < 0)
		return error_set(err, ENOMEM, "no memory for the list of volumes");
	for (size_t i = 0; i < list.count; i++) {
		const struct volume_info *info = &list.infos[i];
		struct error cause = ERROR_INIT;
		int ret;

		if (ticket_is_cancelled(ticket))
			return error_set(err, EINTR, "interrupted; volume '%s' is the next",
					 info->name);
		if (!prune->all && !info->anonymous)
			continue;
		ret = prune_one(engine, info->name, prune, &cause);
		if (ret > 0)
			prune->tell(prune->arg, info->name);
		if (ret < 0 && !first.code)
			first = cause;
	}
	return first.code ? error_set(err, first.code, "%s", first.msg) : 0;
}
