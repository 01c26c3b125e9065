/* Which volumes there are: ROOT/volumes and its image in memory.
 *
 *   ROOT/volumes/NAME            the data itself
 *   ROOT/volumes/.trash-<id>     one that was removed and is being deleted
 *
 * A volume comes into being by one mkdir and ceases to be by one rename, so that
 * a crash leaves nothing between the two; what the trash holds is deleted by a
 * worker, or by the next engine's start. The sorted array is held under a rwlock
 * for a search, a copy or a memmove only: looking never waits for a disk.
 *
 * Whoever changes a volume has claimed its name first, so that what lies on disk
 * and what the array says change as one for all who claim.
 */
#include "runtime/volume/volume_private.h"

#include "base/log.h"
#include "base/num.h"
#include "base/path.h"
#include "base/random.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define VOLUME_MODE 0755
#define TRASH_PREFIX ".trash-"
#define TRASH_TRIES 5
#define NS_PER_S INT64_C(1000000000)

struct claim {
	struct claim *next;
	char name[256];
};

struct volumes {
	int fd;
	pthread_rwlock_t lock; /* guards the two below */
	struct volume_info **sorted;
	size_t count;
	pthread_mutex_t claim_lock; /* guards the claims */
	pthread_cond_t released;
	struct claim *claims;
};

/* --- the array ---------------------------------------------------------------- */

static bool find_locked(const struct volumes *volumes, const char *name, size_t *ret)
{
	size_t low = 0, high = volumes->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(volumes->sorted[mid]->name, name);

		if (!order) {
			*ret = mid;
			return true;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret = low;
	return false;
}

/* The time of birth, where the file system keeps it. */
static int64_t read_created_ns(int dir_fd, const char *name)
{
	struct statx st;
	struct statx_timestamp time;

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME, &st) < 0)
		return 0;
	time = st.stx_mask & STATX_BTIME ? st.stx_btime : st.stx_ctime;
	return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static int insert(struct volumes *volumes, const char *name)
{
	struct volume_info *info = calloc(1, sizeof(*info));
	struct volume_info **sorted;
	size_t at;

	if (!info)
		return -ENOMEM;
	snprintf(info->name, sizeof(info->name), "%s", name);
	info->created_ns = read_created_ns(volumes->fd, name);
	info->anonymous = num_is_hex(name, 64);
	pthread_rwlock_wrlock(&volumes->lock);
	sorted = reallocarray(volumes->sorted, volumes->count + 1, sizeof(struct volume_info *));
	if (sorted) {
		volumes->sorted = sorted;
		find_locked(volumes, name, &at);
		memmove(sorted + at + 1, sorted + at,
			(volumes->count - at) * sizeof(struct volume_info *));
		sorted[at] = info;
		volumes->count++;
	}
	pthread_rwlock_unlock(&volumes->lock);
	if (sorted)
		return 0;
	free(info);
	return -ENOMEM;
}

static void take_out(struct volumes *volumes, const char *name)
{
	size_t at;

	pthread_rwlock_wrlock(&volumes->lock);
	if (find_locked(volumes, name, &at)) {
		free(volumes->sorted[at]);
		volumes->count--;
		memmove(volumes->sorted + at, volumes->sorted + at + 1,
			(volumes->count - at) * sizeof(struct volume_info *));
	}
	pthread_rwlock_unlock(&volumes->lock);
}

/* --- claims ------------------------------------------------------------------- */

static bool is_claimed_locked(const struct volumes *volumes, const char *name)
{
	for (const struct claim *claim = volumes->claims; claim; claim = claim->next)
		if (!strcmp(claim->name, name))
			return true;
	return false;
}

int volumes_claim(struct volumes *volumes, const char *name, struct error *err)
{
	struct claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return error_set(err, ENOMEM, "no memory for volume '%s'", name);
	snprintf(claim->name, sizeof(claim->name), "%s", name);
	pthread_mutex_lock(&volumes->claim_lock);
	while (is_claimed_locked(volumes, name))
		pthread_cond_wait(&volumes->released, &volumes->claim_lock);
	claim->next = volumes->claims;
	volumes->claims = claim;
	pthread_mutex_unlock(&volumes->claim_lock);
	return 0;
}

void volumes_release(struct volumes *volumes, const char *name)
{
	struct claim *claim = NULL;

	pthread_mutex_lock(&volumes->claim_lock);
	for (struct claim **at = &volumes->claims; *at && !claim; at = &(*at)->next) {
		if (strcmp((*at)->name, name) != 0)
			continue;
		claim = *at;
		*at = claim->next;
		break;
	}
	pthread_cond_broadcast(&volumes->released);
	pthread_mutex_unlock(&volumes->claim_lock);
	free(claim);
}

/* --- the directory ------------------------------------------------------------ */

int volumes_make(struct engine *engine, const char *name, bool durable, struct error *err)
{
	struct volumes *volumes = engine->volumes;

	if (engine_find_volume(engine, name, NULL))
		return 0;
	if (mkdirat(volumes->fd, name, VOLUME_MODE) < 0)
		return error_set_sys(err, errno, "cannot make volume '%s'", name);
	/* Whatever our umask is. */
	if (fchmodat(volumes->fd, name, VOLUME_MODE, 0) < 0 ||
	    (durable && fsync(volumes->fd) < 0)) {
		int code = errno;

		unlinkat(volumes->fd, name, AT_REMOVEDIR);
		return error_set_sys(err, code, "cannot make volume '%s'", name);
	}
	if (insert(volumes, name) < 0) {
		unlinkat(volumes->fd, name, AT_REMOVEDIR);
		return error_set(err, ENOMEM, "no memory for volume '%s'", name);
	}
	if (engine->on_volume && atomic_load(&engine->is_open))
		engine->on_volume(engine->arg, name);
	return 1;
}

struct trash {
	struct volumes *volumes;
	char entry[sizeof(TRASH_PREFIX) + 64];
};

static void empty_trash(void *arg)
{
	struct trash *trash = arg;
	int ret = -EAGAIN;

	/* Who still writes into it can make one removal fall short. */
	for (int i = 0; ret < 0 && i < TRASH_TRIES; i++)
		ret = path_remove_tree(trash->volumes->fd, trash->entry);
	if (ret < 0)
		log_warn("cannot remove volumes/%s: %s", trash->entry, strerrordesc_np(-ret));
	free(trash);
}

static void sweep(struct engine *engine, struct volumes *volumes, const char *entry)
{
	struct trash *trash = malloc(sizeof(*trash));

	/* Without memory the next start does it. */
	if (!trash)
		return;
	trash->volumes = volumes;
	snprintf(trash->entry, sizeof(trash->entry), "%s", entry);
	if (workers_submit(engine->workers, empty_trash, trash) < 0)
		empty_trash(trash);
}

int volumes_drop(struct engine *engine, const char *name, struct error *err)
{
	struct volumes *volumes = engine->volumes;
	char entry[sizeof(TRASH_PREFIX) + 64] = TRASH_PREFIX;

	if (!engine_find_volume(engine, name, NULL))
		return error_set(err, ENOENT, "no such volume: %s", name);
	random_id(entry + strlen(TRASH_PREFIX));
	if (renameat(volumes->fd, name, volumes->fd, entry) < 0 && errno != ENOENT)
		return error_set_sys(err, errno, "cannot remove volume '%s'", name);
	take_out(volumes, name);
	sweep(engine, volumes, entry);
	if (engine->on_volume && atomic_load(&engine->is_open))
		engine->on_volume(engine->arg, name);
	return 0;
}

/* --- looking ------------------------------------------------------------------ */

bool engine_find_volume(struct engine *engine, const char *name, struct volume_info *ret)
{
	struct volumes *volumes = engine->volumes;
	bool found;
	size_t at;

	pthread_rwlock_rdlock(&volumes->lock);
	found = find_locked(volumes, name, &at);
	if (found && ret)
		*ret = *volumes->sorted[at];
	pthread_rwlock_unlock(&volumes->lock);
	return found;
}

int engine_list_volumes(struct engine *engine, struct volume_list *ret)
{
	struct volumes *volumes = engine->volumes;
	struct volume_list list;

	pthread_rwlock_rdlock(&volumes->lock);
	list.count = volumes->count;
	list.infos = calloc(list.count + 1, sizeof(struct volume_info));
	for (size_t i = 0; list.infos && i < list.count; i++)
		list.infos[i] = *volumes->sorted[i];
	pthread_rwlock_unlock(&volumes->lock);
	if (!list.infos)
		return -ENOMEM;
	*ret = list;
	return 0;
}

void volume_list_deinit(struct volume_list *list)
{
	free(list->infos);
	*list = (struct volume_list){ .count = 0, .infos = NULL };
}

int engine_open_volume(struct engine *engine, const char *name, struct error *err)
{
	int fd = -1;

	errno = ENOENT;
	if (engine_find_volume(engine, name, NULL))
		fd = openat(engine->volumes->fd, name,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return error_set(err, ENOENT, "no such volume: %s", name);
	return error_set_sys(err, errno, "cannot open volume '%s'", name);
}

int volumes_get_dir_fd(const struct volumes *volumes)
{
	return volumes->fd;
}

/* --- opening ------------------------------------------------------------------ */

static bool is_volume(int dir_fd, const char *name)
{
	struct stat st;

	return (num_is_hex(name, 64) || config_check_volume_name(name, NULL) == 0) &&
	       fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int load(struct engine *engine, struct volumes *volumes, struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	int ret = path_list_dir(volumes->fd, &list, err);

	for (size_t i = 0; ret == 0 && i < list.count; i++) {
		const char *entry = list.names[i];

		if (!strncmp(entry, TRASH_PREFIX, strlen(TRASH_PREFIX)))
			sweep(engine, volumes, entry);
		else if (volume_recover_fill(volumes->fd, entry))
			continue;
		else if (!is_volume(volumes->fd, entry))
			log_warn("%s/volumes/%s is none of ours; left alone", engine->root, entry);
		else if (insert(volumes, entry) < 0)
			ret = error_set(err, ENOMEM, "no memory for volume '%s'", entry);
	}
	return ret;
}

int volumes_new(struct engine *engine, int root_fd, struct volumes **ret, struct error *err)
{
	struct volumes *volumes = calloc(1, sizeof(*volumes));
	int failure;

	if (!volumes)
		return error_set(err, ENOMEM, "no memory for the volumes");
	pthread_rwlock_init(&volumes->lock, NULL);
	pthread_mutex_init(&volumes->claim_lock, NULL);
	pthread_cond_init(&volumes->released, NULL);
	/* The engine owns it from here on: a sweep may be at work in it. */
	*ret = volumes;
	volumes->fd = path_open_dir(root_fd, "volumes", 0700, err);
	failure = volumes->fd < 0 ? volumes->fd : load(engine, volumes, err);
	return failure;
}

void volumes_free(struct volumes *volumes)
{
	if (!volumes)
		return;
	for (size_t i = 0; i < volumes->count; i++)
		free(volumes->sorted[i]);
	free(volumes->sorted);
	if (volumes->fd >= 0)
		close(volumes->fd);
	pthread_cond_destroy(&volumes->released);
	pthread_mutex_destroy(&volumes->claim_lock);
	pthread_rwlock_destroy(&volumes->lock);
	free(volumes);
}
