/* How containers on the bridge find each other by name: a part of each one's hosts file, which
 * is kept right while it runs.
 *
 * A resolver would have to hold port 53 of an address of the host's, where others have theirs,
 * and to pass on all other questions; a hosts file needs nobody who answers. The part lies
 * between two lines of its own, and what a container writes around them stays. The file is
 * changed in place, since it is mounted; one whose part is as it should be is not touched.
 *
 * Each start, end and rename of a container on the bridge is a reason to look at all files.
 * Whoever finds nobody at it does it for all who wait. That takes some ten microseconds a
 * file, so that with many of them nobody waits: a worker does it, at most ten times a second.
 */
#include "runtime/network/network_private.h"

#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_BEGIN "# containers on this network\n"
#define PART_END "# end of containers\n"
#define HOSTS_MAX (1U << 20)
#define WAIT_FOR_MOST 64 /* containers whose files are seen to before the answer */
#define PAUSE_US 100000

struct network_names {
	pthread_mutex_t lock; /* guards all */
	pthread_cond_t changed;
	uint64_t wanted, done;
	bool busy, queued;
};

struct network_names *network_names_new(void)
{
	struct network_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	pthread_mutex_init(&names->lock, NULL);
	pthread_cond_init(&names->changed, NULL);
	return names;
}

void network_names_free(struct network_names *names)
{
	if (!names)
		return;
	pthread_cond_destroy(&names->changed);
	pthread_mutex_destroy(&names->lock);
	free(names);
}

/* --- text ------------------------------------------------------------------------------ */

/* Who is there; views are the list's. */
struct neighbours {
	struct container_list list;
	struct strbuf lines; /* of all by their names */
};

static void neighbours_deinit(struct neighbours *neighbours)
{
	container_list_deinit(&neighbours->list);
	strbuf_deinit(&neighbours->lines);
}
DEFINE_AUTO_DEINIT(struct neighbours, neighbours_deinit);

static const char *get_address(const struct container_view *view)
{
	return container_view_is_live(view) ? json_get_str(view->network, "address", "") : "";
}

static void append_names(struct strbuf *out, const char *address, const struct container_view *view)
{
	strbuf_appendf(out, "%s\t%s", address, view->name);
	if (view->has_name)
		strbuf_appendf(out, " %.12s", view->id);
	strbuf_append_char(out, '\n');
}

/* Oldest first: who comes is added at the end. Without memory nobody is there. */
static void collect(struct engine *engine, struct neighbours *ret)
{
	if (engine_list(engine, &ret->list) < 0)
		ret->list.count = 0;
	for (size_t i = ret->list.count; i > 0; i--) {
		const struct container_view *view = ret->list.views[i - 1];
		const char *address = get_address(view);

		if (*address)
			append_names(&ret->lines, address, view);
	}
}

static const char *find_address(const struct neighbours *neighbours, const char *id)
{
	for (size_t i = 0; i < neighbours->list.count; i++)
		if (strcmp(neighbours->list.views[i]->id, id) == 0)
			return get_address(neighbours->list.views[i]);
	return "";
}

/* Aliases come first: they are this container's own words. */
static void append_part(struct strbuf *out, const struct neighbours *neighbours,
			const json_t *record)
{
	json_t *link;
	size_t i;

	strbuf_append_str(out, PART_BEGIN);
	json_array_foreach(json_get_array(record, "links"), i, link) {
		const char *address = find_address(neighbours, json_get_str(link, "id", ""));

		if (*address)
			strbuf_appendf(out, "%s\t%s\n", address, json_get_str(link, "alias", ""));
	}
	strbuf_append(out, neighbours->lines.data, neighbours->lines.len);
}

void network_names_append(struct container *c, const json_t *record, struct strbuf *out)
{
	AUTO(neighbours_deinit)
	struct neighbours neighbours = { .lines = STRBUF_INIT };
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	collect(c->engine, &neighbours);
	append_part(out, &neighbours, record);
	append_names(out, json_get_str(record, "address", ""), view);
	strbuf_append_str(out, PART_END);
	out->oom = out->oom || neighbours.lines.oom;
}

/* --- files ------------------------------------------------------------------------------ */

static int read_hosts(int fd, struct strbuf *ret)
{
	struct stat st;
	ssize_t len;

	/* One that large was blown up by the container: it has what it wants. */
	if (fstat(fd, &st) < 0 || st.st_size > HOSTS_MAX)
		return -EFBIG;
	if (!strbuf_reserve(ret, (size_t)st.st_size))
		return -ENOMEM;
	len = path_pread_full(fd, ret->data, (size_t)st.st_size, 0);
	if (len < 0)
		return (int)len;
	ret->len = (size_t)len;
	ret->data[len] = '\0';
	return 0;
}

/* The text with its part replaced; false: nothing is to be changed. */
static bool replace_part(const struct strbuf *before, const struct strbuf *part, struct strbuf *ret)
{
	char *begin = memmem(before->data, before->len, PART_BEGIN, strlen(PART_BEGIN));
	size_t left = begin ? before->len - (size_t)(begin - before->data) : 0;
	char *end = begin ? memmem(begin, left, PART_END, strlen(PART_END)) : NULL;

	if (!end || ((size_t)(end - begin) == part->len && !memcmp(begin, part->data, part->len)))
		return false;
	strbuf_append(ret, before->data, (size_t)(begin - before->data));
	strbuf_append(ret, part->data, part->len);
	strbuf_append(ret, end, left - (size_t)(end - begin));
	return !ret->oom;
}

static void rewrite(struct engine *engine, const struct neighbours *neighbours,
		    const struct container_view *view)
{
	AUTO(strbuf_deinit) struct strbuf before = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf part = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf after = STRBUF_INIT;
	char path[32];

	snprintf(path, sizeof(path), "%.12s/hosts", view->id);
	auto_fd int fd = openat(engine->run_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	/* It has ended meanwhile. */
	if (fd < 0 || read_hosts(fd, &before) < 0)
		return;
	append_part(&part, neighbours, view->network);
	if (part.oom || !replace_part(&before, &part, &after))
		return;
	if (pwrite(fd, after.data, after.len, 0) != (ssize_t)after.len ||
	    (after.len < before.len && ftruncate(fd, (off_t)after.len) < 0))
		log_warn("hosts of container %.12s: %s", view->id, strerrordesc_np(errno));
}

static void rewrite_all(struct engine *engine)
{
	AUTO(neighbours_deinit)
	struct neighbours neighbours = { .lines = STRBUF_INIT };

	collect(engine, &neighbours);
	for (size_t i = 0; !neighbours.lines.oom && i < neighbours.list.count; i++)
		if (*get_address(neighbours.list.views[i]))
			rewrite(engine, &neighbours, neighbours.list.views[i]);
}

/* --- when --------------------------------------------------------------------------------- */

static void refresh_now(struct engine *engine)
{
	struct network_names *names = engine->names;
	uint64_t mine;

	pthread_mutex_lock(&names->lock);
	mine = ++names->wanted;
	while (names->done < mine) {
		uint64_t upto;

		if (names->busy) {
			pthread_cond_wait(&names->changed, &names->lock);
			continue;
		}
		names->busy = true;
		upto = names->wanted;
		pthread_mutex_unlock(&names->lock);
		rewrite_all(engine);
		pthread_mutex_lock(&names->lock);
		names->busy = false;
		names->done = upto;
		pthread_cond_broadcast(&names->changed);
	}
	pthread_mutex_unlock(&names->lock);
}

static void refresh_job(void *arg)
{
	struct engine *engine = arg;

	usleep(PAUSE_US);
	pthread_mutex_lock(&engine->names->lock);
	engine->names->queued = false;
	pthread_mutex_unlock(&engine->names->lock);
	refresh_now(engine);
}

static bool queue(struct engine *engine)
{
	struct network_names *names = engine->names;
	bool first;

	pthread_mutex_lock(&names->lock);
	first = !names->queued;
	names->queued = true;
	pthread_mutex_unlock(&names->lock);
	if (!first || workers_submit(engine->workers, refresh_job, engine) == 0)
		return true;
	pthread_mutex_lock(&names->lock);
	names->queued = false;
	pthread_mutex_unlock(&names->lock);
	return false;
}

void network_names_refresh(struct engine *engine)
{
	struct network_facts facts;

	network_get_facts(engine->network, &facts);
	if (facts.leases <= WAIT_FOR_MOST || !queue(engine))
		refresh_now(engine);
}
