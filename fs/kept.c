/* A hash table from numbers to slots of fs/slots.h, made again from the slots at each start. The number lies
 * in the slot's head and is set after its text: a slot without one was being filled when an engine died.
 */
#include "fs/kept.h"

#include "base/hash.h"

#include "fs/slots.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_SLOTS 65536

/* A head of zeros is a slot that holds nothing yet; so numbers are stored with their bits turned. */
struct kept_head {
	uint64_t turned;
};

struct entry {
	uint64_t number;
	uint32_t slot;
	UT_hash_handle hh;
};

struct kept {
	struct slots *slots;
	pthread_mutex_t lock; /* guards the table */
	struct entry *table;
};

static bool add_entry(struct kept *kept, uint64_t number, uint32_t slot)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return false;
	entry->number = number;
	entry->slot = slot;
	HASH_ADD(hh, kept->table, number, sizeof(entry->number), entry);
	if (hash_took(entry))
		return true;
	free(entry);
	return false;
}

static void restore(struct kept *kept, uint32_t slot)
{
	const struct kept_head *head = slots_get_head(kept->slots, slot);

	if (head->turned == 0 || !add_entry(kept, ~head->turned, slot))
		slots_free(kept->slots, slot);
}

int kept_open(int memory_fd, struct kept **ret, struct error *err)
{
	AUTO(kept_close) struct kept *kept = calloc(1, sizeof(*kept));
	int r;

	if (!kept)
		return error_set(err, ENOMEM, "no memory for kept names");
	pthread_mutex_init(&kept->lock, NULL);
	r = slots_open(memory_fd, sizeof(struct kept_head), KEPT_SLOTS, &kept->slots, err);
	if (r < 0)
		return r;
	for (uint32_t slot = slots_find_next(kept->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(kept->slots, slot + 1))
		restore(kept, slot);
	*ret = steal_ptr(&kept);
	return 0;
}

void kept_close(struct kept *kept)
{
	struct entry *entry, *next;

	if (!kept)
		return;
	HASH_ITER(hh, kept->table, entry, next) {
		HASH_DEL(kept->table, entry);
		free(entry);
	}
	slots_close(kept->slots);
	pthread_mutex_destroy(&kept->lock);
	free(kept);
}

/* Heap, ends with a NUL; NULL: no memory. */
static char *read_text(struct kept *kept, uint32_t slot, size_t *ret_len)
{
	size_t len = slots_get_blob_len(kept->slots, slot);
	char *text = malloc(len + 1);
	ssize_t got = text ? slots_read_blob(kept->slots, slot, text, len, 0) : -1;

	if (got < 0) {
		free(text);
		return NULL;
	}
	text[got] = '\0';
	*ret_len = (size_t)got;
	return text;
}

static void put_new_locked(struct kept *kept, uint64_t number, const void *text, size_t len)
{
	uint32_t slot = slots_alloc(kept->slots);
	struct kept_head *head;

	if (slot == SLOTS_NONE)
		return;
	head = slots_get_head(kept->slots, slot);
	if (slots_put_blob(kept->slots, slot, text, len) < 0 || !add_entry(kept, number, slot))
		slots_free(kept->slots, slot);
	else
		head->turned = ~number;
}

static void replace_locked(struct kept *kept, struct entry *entry, const void *text, size_t len)
{
	if (text && slots_put_blob(kept->slots, entry->slot, text, len) == 0)
		return;
	HASH_DEL(kept->table, entry);
	slots_free(kept->slots, entry->slot);
	free(entry);
}

bool kept_put(struct kept *kept, uint64_t number, const void *text, size_t len, char **ret_old)
{
	auto_free char *old = NULL;
	struct entry *entry = NULL;
	size_t old_len = 0;
	bool same;

	pthread_mutex_lock(&kept->lock);
	HASH_FIND(hh, kept->table, &number, sizeof(number), entry);
	if (entry)
		old = read_text(kept, entry->slot, &old_len);
	same = old && text && old_len == len && memcmp(old, text, len) == 0;
	if (entry && !same)
		replace_locked(kept, entry, text, len);
	else if (!entry && text)
		put_new_locked(kept, number, text, len);
	pthread_mutex_unlock(&kept->lock);
	if (!old || same)
		return false;
	if (ret_old)
		*ret_old = steal_ptr(&old);
	return true;
}

char *kept_dup(struct kept *kept, uint64_t number)
{
	struct entry *entry = NULL;
	char *text = NULL;
	size_t len;

	pthread_mutex_lock(&kept->lock);
	HASH_FIND(hh, kept->table, &number, sizeof(number), entry);
	if (entry)
		text = read_text(kept, entry->slot, &len);
	pthread_mutex_unlock(&kept->lock);
	return text;
}

void kept_visit(struct kept *kept, uint64_t kind,
		void (*fn)(void *arg, uint64_t number, const char *text, size_t len), void *arg)
{
	struct entry *entry, *next;

	pthread_mutex_lock(&kept->lock);
	HASH_ITER(hh, kept->table, entry, next) {
		auto_free char *text = NULL;
		size_t len;

		if ((entry->number & KEPT_KIND_MASK) != kind)
			continue;
		text = read_text(kept, entry->slot, &len);
		if (text)
			fn(arg, entry->number, text, len);
	}
	pthread_mutex_unlock(&kept->lock);
}
