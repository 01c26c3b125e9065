/* A short list under one lock. It is not kept for a later engine: ln's next step then fails and ln
 * says so, with the old link in place.
 */
#include "fs/templink.h"

#include "fs/node.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLINK_MAX 64

struct templinks {
	pthread_mutex_t lock;
	struct {
		char *path; /* NULL: free */
		char *target;
	} links[TEMPLINK_MAX];
};

struct templinks *templinks_new(void)
{
	struct templinks *links = calloc(1, sizeof(*links));

	if (links)
		pthread_mutex_init(&links->lock, NULL);
	return links;
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

int templinks_add(struct templinks *links, const char *path, const char *target, struct error *err)
{
	auto_free char *path_copy = strdup(path);
	auto_free char *target_copy = strdup(target);
	int r = 0, at = 0;

	if (!path_copy || !target_copy)
		return error_set(err, ENOMEM, "no memory for the link '%s'", path);
	pthread_mutex_lock(&links->lock);
	if (find_locked(links, path) >= 0)
		r = -EEXIST;
	while (r == 0 && at < TEMPLINK_MAX && links->links[at].path)
		at++;
	if (r == 0 && at == TEMPLINK_MAX)
		r = -ENOSPC;
	if (r == 0) {
		links->links[at].path = steal_ptr(&path_copy);
		links->links[at].target = steal_ptr(&target_copy);
	}
	pthread_mutex_unlock(&links->lock);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "the link '%s' exists", path);
	return r < 0 ? error_set(err, -r, "too many links wait to be renamed to a tag") : 0;
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
	if (at >= 0) {
		free(links->links[at].path);
		free(links->links[at].target);
		links->links[at].path = links->links[at].target = NULL;
	}
	pthread_mutex_unlock(&links->lock);
	return at >= 0;
}
