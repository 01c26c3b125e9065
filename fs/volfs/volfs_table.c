/* Nodes, open files and requests under way, in slots that outlive the engine (fs/slots.h). A node is one inode:
 * found by device and inode number, which are nobody else's as long as its descriptor is open. Its number is
 * the slot and a generation that is never given twice.
 *
 * The kernel knows a node from the reply to a lookup until it has forgotten all its lookups, and sends no
 * request for it after that; so a descriptor that a request found is open until that request is answered. An
 * engine that dies between counting a lookup and answering it counts it twice: the node stays until the
 * mount ends, which costs a descriptor and no more.
 */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#define SLOTS_MAX 1000000U
#define INDEX_BITS 24

static struct volfs_record *get_record(struct volfs *volfs, uint64_t slot, enum volfs_type type)
{
	struct volfs_record *record;

	if (slot >= SLOTS_MAX)
		return NULL;
	record = slots_get_head(volfs->slots, (uint32_t)slot);
	return record && record->type == type ? record : NULL;
}

static void set_type(struct volfs_record *record, enum volfs_type type)
{
	__atomic_store_n(&record->type, type, __ATOMIC_SEQ_CST);
}

/* --- nodes -------------------------------------------------------------------------- */

/* 24 bits of index and the low 12 of the generation are the key, the other 20 the serial. */
static uint64_t make_number(uint32_t slot, uint32_t generation)
{
	return node_make(NODE_INSIDE, slot | (uint64_t)(generation & 0xfff) << INDEX_BITS,
			 generation >> 12);
}

struct volfs_node *volfs_find_node(struct volfs *volfs, uint64_t number)
{
	uint32_t slot = (uint32_t)(node_get_key(number) & ((1U << INDEX_BITS) - 1));
	struct volfs_record *record = get_record(volfs, slot, VOLFS_NODE);

	return record && make_number(slot, record->node.generation) == number ? &record->node
									      : NULL;
}

int volfs_get_node_fd(struct volfs *volfs, uint64_t number)
{
	const struct volfs_node *node = volfs_find_node(volfs, number);

	return node ? volfs_get_fd(node->ref) : -ESTALE;
}

static bool add_entry_locked(struct volfs *volfs, uint32_t slot, const struct volfs_node *node)
{
	struct volfs_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return false;
	entry->id.dev = node->dev;
	entry->id.ino = node->ino;
	entry->slot = slot;
	HASH_ADD(hh, volfs->table, id, sizeof(entry->id), entry);
	if (hash_took(entry))
		return true;
	free(entry);
	return false;
}

static struct volfs_entry *find_entry_locked(struct volfs *volfs, uint64_t dev, uint64_t ino)
{
	struct volfs_entry id = { .id = { dev, ino } }, *entry = NULL;

	HASH_FIND(hh, volfs->table, &id.id, sizeof(id.id), entry);
	return entry;
}

/* The node of an inode that is known already, counted once more. */
static bool find_again(struct volfs *volfs, const struct stat *st, uint64_t *ret_number)
{
	struct volfs_entry *entry;

	pthread_mutex_lock(&volfs->lock);
	entry = find_entry_locked(volfs, st->st_dev, st->st_ino);
	if (entry) {
		struct volfs_record *record = get_record(volfs, entry->slot, VOLFS_NODE);

		record->node.lookups++;
		*ret_number = make_number(entry->slot, record->node.generation);
	}
	pthread_mutex_unlock(&volfs->lock);
	return entry != NULL;
}

static void fill_node(struct volfs *volfs, struct volfs_node *node, int fd, const struct stat *st,
		      uint32_t volume, uint64_t shown_ino)
{
	*node = (struct volfs_node){
		.ref = volfs_make_ref(volfs_keeper_get_number(volfs->keeper), fd),
		.dev = st->st_dev,
		.ino = st->st_ino,
		.lookups = 1,
		.shown_ino = shown_ino,
		.mode = st->st_mode,
		.generation = volfs_keeper_count(volfs->keeper),
	};
	node->volume = volume ? volume : node->generation;
}

/* A node of its own for that descriptor, which is taken, unless another thread was quicker. */
static int add_node(struct volfs *volfs, int fd, const struct stat *st, uint32_t volume,
		    uint64_t shown_ino, uint64_t *ret_number)
{
	uint32_t slot = slots_alloc(volfs->slots);
	struct volfs_record *record = slots_get_head(volfs->slots, slot);
	struct volfs_entry *entry;
	bool added = false;

	if (!record) {
		close(fd);
		return -ENFILE;
	}
	fill_node(volfs, &record->node, fd, st, volume, shown_ino);
	pthread_mutex_lock(&volfs->lock);
	entry = find_entry_locked(volfs, st->st_dev, st->st_ino);
	if (!entry && (added = add_entry_locked(volfs, slot, &record->node))) {
		*ret_number = make_number(slot, record->node.generation);
		set_type(record, VOLFS_NODE);
	}
	pthread_mutex_unlock(&volfs->lock);
	if (added)
		return 0;
	slots_free(volfs->slots, slot);
	close(fd);
	return entry && find_again(volfs, st, ret_number) ? 0 : -ENOMEM;
}

int volfs_look_up_at(struct volfs *volfs, int dir_fd, const char *name, uint32_t volume,
		     uint64_t shown_ino, uint64_t *ret_number, struct stat *ret_st)
{
	int fd;

	/* What is known needs no descriptor: its own says that the inode number is still its. */
	if (fstatat(dir_fd, name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (find_again(volfs, ret_st, ret_number))
		return 0;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstatat(fd, "", ret_st, AT_EMPTY_PATH) < 0) {
		int code = errno;

		close(fd);
		return -code;
	}
	return add_node(volfs, fd, ret_st, volume, shown_ino, ret_number);
}

int volfs_look_up_open(struct volfs *volfs, int file_fd, uint32_t volume, uint64_t *ret_number,
		       struct stat *ret_st)
{
	char path[VOLFS_PROC_SIZE];
	int fd;

	if (fstat(file_fd, ret_st) < 0)
		return -errno;
	if (find_again(volfs, ret_st, ret_number))
		return 0;
	volfs_make_path(file_fd, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return add_node(volfs, fd, ret_st, volume, 0, ret_number);
}

void volfs_forget_node(struct volfs *volfs, uint64_t number, uint64_t count)
{
	struct volfs_node *node = volfs_find_node(volfs, number);
	struct volfs_entry *entry = NULL;
	int fd = -1;

	if (!node)
		return;
	pthread_mutex_lock(&volfs->lock);
	node->lookups -= count < node->lookups ? count : node->lookups;
	if (node->lookups == 0)
		entry = find_entry_locked(volfs, node->dev, node->ino);
	if (entry) {
		fd = volfs_get_fd(node->ref);
		HASH_DEL(volfs->table, entry);
		slots_free(volfs->slots, entry->slot);
	}
	pthread_mutex_unlock(&volfs->lock);
	if (fd >= 0)
		close(fd);
	free(entry);
}

/* --- open files ------------------------------------------------------------------------ */

int volfs_add_file(struct volfs *volfs, uint64_t node, uint64_t request, int fd, int flags,
		   uint64_t *ret_fh)
{
	uint32_t slot = slots_alloc(volfs->slots);
	struct volfs_record *record = slots_get_head(volfs->slots, slot);

	if (!record) {
		close(fd);
		return -ENFILE;
	}
	record->file = (struct volfs_file){
		.ref = volfs_make_ref(volfs_keeper_get_number(volfs->keeper), fd),
		.number = request,
		.node = node,
		.flags = (uint32_t)flags,
	};
	set_type(record, VOLFS_FILE);
	*ret_fh = slot;
	return 0;
}

struct volfs_file *volfs_find_file(struct volfs *volfs, uint64_t fh)
{
	struct volfs_record *record = get_record(volfs, fh, VOLFS_FILE);

	return record ? &record->file : NULL;
}

uint64_t volfs_find_opened(struct volfs *volfs, uint64_t request)
{
	for (uint32_t slot = slots_find_next(volfs->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(volfs->slots, slot + 1)) {
		const struct volfs_file *file = volfs_find_file(volfs, slot);

		if (file && file->number == request)
			return slot;
	}
	return UINT64_MAX;
}

void volfs_remove_file(struct volfs *volfs, uint64_t fh)
{
	const struct volfs_file *file = volfs_find_file(volfs, fh);
	int fd;

	if (!file)
		return;
	volfs_unpass_file(volfs, file);
	fd = volfs_get_fd(file->ref);
	slots_free(volfs->slots, (uint32_t)fh);
	close(fd);
}

/* --- requests ---------------------------------------------------------------------------- */

static uint32_t find_deed(struct volfs *volfs, uint64_t request)
{
	for (uint32_t slot = slots_find_next(volfs->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(volfs->slots, slot + 1)) {
		const struct volfs_record *record = get_record(volfs, slot, VOLFS_REQUEST);

		if (record && record->deed.number == request)
			return slot;
	}
	return SLOTS_NONE;
}

struct volfs_deed *volfs_get_deed(struct volfs *volfs, uint64_t request, bool resent,
				  uint32_t *ret_slot)
{
	struct timespec now;
	struct volfs_record *record;
	uint32_t slot = resent ? find_deed(volfs, request) : SLOTS_NONE;

	if (slot != SLOTS_NONE) {
		*ret_slot = slot;
		return &get_record(volfs, slot, VOLFS_REQUEST)->deed;
	}
	slot = slots_alloc(volfs->slots);
	record = slots_get_head(volfs->slots, slot);
	if (!record)
		return NULL;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	record->deed = (struct volfs_deed){
		.number = request,
		.began_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
	};
	set_type(record, VOLFS_REQUEST);
	*ret_slot = slot;
	return &record->deed;
}

/* --- beginning and end ---------------------------------------------------------------------- */

int volfs_table_open(struct volfs *volfs, int memory_fd, struct error *err)
{
	pthread_mutex_init(&volfs->lock, NULL);
	pthread_mutex_init(&volfs->backing_lock, NULL);
	return slots_open(memory_fd, sizeof(struct volfs_record), SLOTS_MAX, &volfs->slots, err);
}

static bool fetch(struct volfs *volfs, uint64_t *ref)
{
	int fd = volfs_keeper_fetch(volfs->keeper, *ref);

	if (fd < 0)
		return false;
	__atomic_store_n(ref, volfs_make_ref(volfs_keeper_get_number(volfs->keeper), fd),
			 __ATOMIC_SEQ_CST);
	return true;
}

static bool restore(struct volfs *volfs, uint32_t slot)
{
	struct volfs_record *record = slots_get_head(volfs->slots, slot);
	bool is_added;

	switch (record->type) {
	case VOLFS_NODE:
		if (!fetch(volfs, &record->node.ref))
			return false;
		pthread_mutex_lock(&volfs->lock);
		is_added = add_entry_locked(volfs, slot, &record->node);
		pthread_mutex_unlock(&volfs->lock);
		return is_added;
	case VOLFS_FILE:
		return fetch(volfs, &record->file.ref);
	case VOLFS_REQUEST:
		return true;
	default:
		return false;
	}
}

void volfs_table_take_over(struct volfs *volfs)
{
	for (uint32_t slot = slots_find_next(volfs->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(volfs->slots, slot + 1))
		if (!restore(volfs, slot))
			slots_free(volfs->slots, slot);
	volfs_keeper_end_former(volfs->keeper);
}

void volfs_table_close(struct volfs *volfs)
{
	struct volfs_entry *entry, *next;

	HASH_ITER(hh, volfs->table, entry, next) {
		HASH_DEL(volfs->table, entry);
		free(entry);
	}
	slots_close(volfs->slots);
	pthread_mutex_destroy(&volfs->backing_lock);
	pthread_mutex_destroy(&volfs->lock);
}
