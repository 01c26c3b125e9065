/* Numbered slots in a memfd: see slots.h.
 *
 * Layout: one page with the shape; a state byte for each slot; where each blob
 * is and the room of its two places; the heads; then, at a page, max times two
 * places of SLOTS_BLOB_MAX bytes for the blobs, of which only what was written
 * takes memory. All but the blobs is mapped.
 *
 * The writer can be killed between any two instructions, so the order of the
 * stores is the transaction: a slot becomes used after its head was zeroed, a
 * blob is written to its other place and then the one word that says where and
 * how long it is changes, and a slot being freed is neither used nor free until
 * its memory was given back; slots_open() finishes that.
 *
 * alloc_lock guards the step from free to used; whoever frees owns the slot. A
 * blob's length and room are guarded by one of blob_locks. What heads mean, and
 * who may change them when, is the caller's.
 */
#include "fs/slots.h"

#include "base/path.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC 0x736c6f7473303031U /* "slots001" */
#define PAGE 4096U                /* of the layout; a larger machine page only wastes some */
#define BLOB_LOCKS 16U

enum state { FREE, USED, FREEING };

struct shape {
	_Atomic uint64_t magic; /* set last: without it the memory is new */
	uint64_t head_size;
	uint64_t max;
};

struct blob {
	_Atomic uint32_t where; /* length, and in the highest bit the place */
	uint32_t room[2];       /* bytes from its places' start that may have memory */
};
#define SECOND_PLACE (UINT32_C(1) << 31)

struct slots {
	int fd;
	size_t head_size;
	uint32_t max;
	uint64_t blobs_at; /* offset in the file */
	char *map;
	atomic_uchar *states;
	struct blob *blobs;
	char *heads;
	pthread_mutex_t alloc_lock;
	uint32_t next; /* where to look first; guarded by alloc_lock */
	pthread_mutex_t blob_locks[BLOB_LOCKS];
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

int slots_new_memory(const char *name, struct error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return error_set_sys(err, errno, "cannot make the memory '%s'", name);
	return fd;
}

/* Where the parts lie. The size of the mapped part is blobs_at. */
static void lay_out(struct slots *s, uint64_t *ret_blobs, uint64_t *ret_heads)
{
	*ret_blobs = round_up(PAGE + s->max, sizeof(uint64_t));
	*ret_heads = round_up(*ret_blobs + s->max * sizeof(struct blob), sizeof(uint64_t));
	s->blobs_at = round_up(*ret_heads + (uint64_t)s->max * s->head_size, PAGE);
}

static int map_memory(struct slots *s, struct error *err)
{
	uint64_t blobs, heads;
	struct stat st;
	off_t size;

	lay_out(s, &blobs, &heads);
	size = (off_t)(s->blobs_at + (uint64_t)s->max * 2 * SLOTS_BLOB_MAX);
	if (fstat(s->fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the memory of slots");
	if (st.st_size != 0 && st.st_size != size)
		return error_set(err, EINVAL, "the memory of slots has another layout");
	if (st.st_size == 0 && ftruncate(s->fd, size) < 0)
		return error_set_sys(err, errno, "cannot size the memory of slots");

	s->map = mmap(NULL, s->blobs_at, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return error_set_sys(err, errno, "cannot map the memory of slots");
	}
	s->states = (atomic_uchar *)(s->map + PAGE);
	s->blobs = (struct blob *)(void *)(s->map + blobs);
	s->heads = s->map + heads;
	return 0;
}

static int check_shape(struct slots *s, struct error *err)
{
	struct shape *shape = (struct shape *)(void *)s->map;

	if (atomic_load(&shape->magic) == 0) {
		shape->head_size = s->head_size;
		shape->max = s->max;
		atomic_store(&shape->magic, MAGIC);
	}
	if (atomic_load(&shape->magic) != MAGIC || shape->head_size != s->head_size ||
	    shape->max != s->max)
		return error_set(err, EINVAL, "the memory of slots has another layout");
	return 0;
}

static unsigned get_place(uint32_t where)
{
	return where >> 31;
}

static off_t get_blob_offset(const struct slots *s, uint32_t slot, unsigned place)
{
	return (off_t)(s->blobs_at + ((uint64_t)slot * 2 + place) * SLOTS_BLOB_MAX);
}

/* Give memory back from an offset in one place to the end of its room. */
static void trim_blob(struct slots *s, uint32_t slot, unsigned place, uint32_t from)
{
	struct blob *blob = &s->blobs[slot];
	uint64_t start = round_up(from, PAGE);
	uint64_t end = round_up(blob->room[place], PAGE);

	if (end > start)
		fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  get_blob_offset(s, slot, place) + (off_t)start, (off_t)(end - start));
	blob->room[place] = from;
}

/* One page is kept for the next user, most blobs are smaller than that. */
static void trim_large(struct slots *s, uint32_t slot, unsigned place)
{
	if (s->blobs[slot].room[place] > PAGE)
		trim_blob(s, slot, place, 0);
}

/* The slot is FREEING: nobody else has it. */
static void finish_free(struct slots *s, uint32_t slot)
{
	pthread_mutex_t *lock = &s->blob_locks[slot % BLOB_LOCKS];

	pthread_mutex_lock(lock);
	atomic_store(&s->blobs[slot].where, 0);
	trim_large(s, slot, 0);
	trim_large(s, slot, 1);
	pthread_mutex_unlock(lock);
	atomic_store(&s->states[slot], FREE);
}

/* The first slot from there on that is not free, or a number beyond the last one. Eight at a time: most of a
 * million are free. */
static uint32_t skip_free(const struct slots *s, uint32_t slot)
{
	while (slot < s->max) {
		if (slot % 8 == 0 && s->max - slot >= 8 &&
		    __atomic_load_n((const uint64_t *)(const void *)&s->states[slot],
				    __ATOMIC_SEQ_CST) == 0)
			slot += 8;
		else if (atomic_load(&s->states[slot]) == FREE)
			slot++;
		else
			break;
	}
	return slot;
}

int slots_open(int fd, size_t head_size, uint32_t max, struct slots **ret, struct error *err)
{
	AUTO(slots_close) struct slots *s = NULL;
	int r;

	if (head_size == 0 || head_size % 8 != 0 || max == 0 || max == SLOTS_NONE)
		return error_set(err, EINVAL, "slots of %zu bytes, %u of them, cannot be",
				 head_size, max);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set_sys(err, ENOMEM, "cannot open slots");
	s->fd = fd;
	s->head_size = head_size;
	s->max = max;
	pthread_mutex_init(&s->alloc_lock, NULL);
	for (unsigned i = 0; i < BLOB_LOCKS; i++)
		pthread_mutex_init(&s->blob_locks[i], NULL);

	r = map_memory(s, err);
	if (r == 0)
		r = check_shape(s, err);
	if (r < 0)
		return r;
	for (uint32_t slot = skip_free(s, 0); slot < max; slot = skip_free(s, slot + 1)) {
		if (atomic_load(&s->states[slot]) == FREEING)
			finish_free(s, slot);
		/* Whoever held a freed one may be told of it late: not again soon. */
		if (atomic_load(&s->states[slot]) == USED)
			s->next = slot + 1 < max ? slot + 1 : 0;
	}
	*ret = steal_ptr(&s);
	return 0;
}

void slots_close(struct slots *s)
{
	if (!s)
		return;
	if (s->map)
		munmap(s->map, s->blobs_at);
	for (unsigned i = 0; i < BLOB_LOCKS; i++)
		pthread_mutex_destroy(&s->blob_locks[i]);
	pthread_mutex_destroy(&s->alloc_lock);
	free(s);
}

static uint32_t find_free_locked(struct slots *s)
{
	for (uint32_t i = 0; i < s->max; i++) {
		uint32_t slot = s->next;

		s->next = slot + 1 < s->max ? slot + 1 : 0;
		if (atomic_load(&s->states[slot]) == FREE)
			return slot;
	}
	return SLOTS_NONE;
}

uint32_t slots_alloc(struct slots *s)
{
	uint32_t slot;

	pthread_mutex_lock(&s->alloc_lock);
	slot = find_free_locked(s);
	if (slot != SLOTS_NONE) {
		memset(s->heads + slot * s->head_size, 0, s->head_size);
		atomic_store(&s->states[slot], USED);
	}
	pthread_mutex_unlock(&s->alloc_lock);
	return slot;
}

static bool is_used(struct slots *s, uint32_t slot)
{
	return slot < s->max && atomic_load(&s->states[slot]) == USED;
}

void slots_free(struct slots *s, uint32_t slot)
{
	unsigned char used = USED;

	/* Two threads that free one slot: one of them does. */
	if (slot < s->max && atomic_compare_exchange_strong(&s->states[slot], &used, FREEING))
		finish_free(s, slot);
}

void *slots_get_head(struct slots *s, uint32_t slot)
{
	return is_used(s, slot) ? s->heads + slot * s->head_size : NULL;
}

uint32_t slots_find_next(struct slots *s, uint32_t from)
{
	for (uint32_t slot = skip_free(s, from); slot < s->max; slot = skip_free(s, slot + 1))
		if (is_used(s, slot))
			return slot;
	return SLOTS_NONE;
}

int slots_put_blob(struct slots *s, uint32_t slot, const void *bytes, size_t len)
{
	pthread_mutex_t *lock = &s->blob_locks[slot % BLOB_LOCKS];
	struct blob *blob;
	unsigned old, place;
	int r;

	if (!is_used(s, slot))
		return -EINVAL;
	if (len > SLOTS_BLOB_MAX)
		return -E2BIG;

	blob = &s->blobs[slot];
	pthread_mutex_lock(lock);
	old = get_place(atomic_load(&blob->where));
	place = !old;
	if (blob->room[place] < len)
		blob->room[place] = (uint32_t)len;
	r = path_pwrite_all(s->fd, bytes, len, get_blob_offset(s, slot, place));
	if (r == 0)
		atomic_store(&blob->where, (uint32_t)len | (place ? SECOND_PLACE : 0));
	trim_blob(s, slot, place, r == 0 ? (uint32_t)len : 0);
	if (r == 0)
		trim_large(s, slot, old);
	pthread_mutex_unlock(lock);
	return r;
}

size_t slots_get_blob_len(struct slots *s, uint32_t slot)
{
	return is_used(s, slot) ? atomic_load(&s->blobs[slot].where) & ~SECOND_PLACE : 0;
}

ssize_t slots_read_blob(struct slots *s, uint32_t slot, void *buf, size_t len, uint64_t offset)
{
	pthread_mutex_t *lock = &s->blob_locks[slot % BLOB_LOCKS];
	ssize_t n = 0;
	uint32_t where;
	size_t have;

	if (!is_used(s, slot))
		return -EINVAL;
	pthread_mutex_lock(lock);
	where = atomic_load(&s->blobs[slot].where);
	have = where & ~SECOND_PLACE;
	if (offset < have) {
		if (len > have - offset)
			len = (size_t)(have - offset);
		n = path_pread_full(s->fd, buf, len,
				    get_blob_offset(s, slot, get_place(where)) + (off_t)offset);
	}
	pthread_mutex_unlock(lock);
	return n;
}
