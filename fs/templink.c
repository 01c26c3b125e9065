/* A short list under one lock, kept for a later engine too: ln's two steps may meet two of them.
 */
#include "fs/templink.h"

#include "fs/kept.h"
#include "fs/node.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLINK_MAX 64

struct templinks {
	struct kept *kept;
	pthread_mutex_t lock; /* guards links */
	struct {
		char *path; /* NULL: free */
		char *target;
	} links[TEMPLINK_MAX];
	int next; /* whose turn it is to make room */
};

static void restore(void *arg, uint64_t number, const char *text, size_t len)
{
	struct templinks *links = arg;
	uint64_t at = number & ~KEPT_KIND_MASK;
	size_t path_len = strlen(text);

	if (at >= TEMPLINK_MAX || path_len >= len)
		return;
	links->links[at].path = strdup(text);
	links->links[at].target = strdup(text + path_len + 1);
	if (links->links[at].path && links->links[at].target)
		return;
	free(links->links[at].path);
	free(links->links[at].target);
	links->links[at].path = links->links[at].target = NULL;
}

int templinks_new(struct kept *kept, struct templinks **ret, struct error *err)
{
	struct templinks *links = calloc(1, sizeof(*links));

	if (!links)
		return error_set(err, ENOMEM, "no memory for passing links");
	links->kept = kept;
	pthread_mutex_init(&links->lock, NULL);
	kept_visit(kept, KEPT_LINKS, restore, links);
	*ret = links;
	return 0;
}

static void keep(struct templinks *links, int at, const char *path, const char *target)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	strbuf_append(&text, path, strlen(path) + 1);
	strbuf_append_str(&text, target);
	if (!text.oom)
		kept_put(links->kept, KEPT_LINKS | (uint64_t)at, text.data, text.len, NULL);
}

void templinks_free(struct templinks *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < TEMPLINK_MAX; i++) {
		free(links->links[i].path);
		free(links->links[i].target);
	}
	pthread_mutex_destroy(&links->lock);
	free(links);
}

static int find_locked(const struct templinks *links, const char *path)
{
	for (int i = 0; i < TEMPLINK_MAX; i++) {
		if (links->links[i].path && strcmp(links->links[i].path, path) == 0)
			return i;
	}
	return -1;
}

static void drop_locked(struct templinks *links, int at)
{
	kept_put(links->kept, KEPT_LINKS | (uint64_t)at, NULL, 0, NULL);
	free(links->links[at].path);
	free(links->links[at].target);
	links->links[at].path = links->links[at].target = NULL;
}

/* A free place. Who made the link that has to go was killed between ln's two steps, unless as many
 * as there are places run at once. */
static int make_room_locked(struct templinks *links)
{
	int at = 0;

	while (at < TEMPLINK_MAX && links->links[at].path)
		at++;
	if (at < TEMPLINK_MAX)
		return at;
	at = links->next;
	links->next = (at + 1) % TEMPLINK_MAX;
	drop_locked(links, at);
	return at;
}

int templinks_add(struct templinks *links, const char *path, const char *target, struct error *err)
{
	auto_free char *path_copy = strdup(path);
	auto_free char *target_copy = strdup(target);
	bool exists;

	if (!path_copy || !target_copy)
		return error_set(err, ENOMEM, "no memory for the link '%s'", path);
	pthread_mutex_lock(&links->lock);
	exists = find_locked(links, path) >= 0;
	if (!exists) {
		int at = make_room_locked(links);

		keep(links, at, path, target);
		links->links[at].path = steal_ptr(&path_copy);
		links->links[at].target = steal_ptr(&target_copy);
	}
	pthread_mutex_unlock(&links->lock);
	return exists ? error_set(err, EEXIST, "the link '%s' exists", path) : 0;
}

bool templinks_has(struct templinks *links, const char *path)
{
	bool found;

	pthread_mutex_lock(&links->lock);
	found = find_locked(links, path) >= 0;
	pthread_mutex_unlock(&links->lock);
	return found;
}

int templinks_read(struct templinks *links, uint64_t key, struct strbuf *out)
{
	int r = -ENOENT;

	pthread_mutex_lock(&links->lock);
	for (int i = 0; i < TEMPLINK_MAX && r < 0; i++) {
		if (links->links[i].path && node_hash_name(links->links[i].path) == key) {
			strbuf_append_str(out, links->links[i].target);
			r = 0;
		}
	}
	pthread_mutex_unlock(&links->lock);
	return r;
}

bool templinks_remove(struct templinks *links, const char *path)
{
	int at;

	pthread_mutex_lock(&links->lock);
	at = find_locked(links, path);
	if (at >= 0)
		drop_locked(links, at);
	pthread_mutex_unlock(&links->lock);
	return at >= 0;
}
