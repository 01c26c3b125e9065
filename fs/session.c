/* One slot per (user, session, control file); session 0 is "whichever of this user was last". The
 * slots' heads are the truth, the hash table over them is made again at every start. When all
 * slots are taken the one written longest ago is given up.
 */
#include "fs/session.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "fs/slots.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_SLOTS 4096

struct session_key {
	uint64_t key;
	uint64_t sid_start;
	int64_t sid; /* 0: the user's last */
	uint64_t uid;
};

struct session_head {
	struct session_key id;
	uint64_t age; /* counts up with every write */
};

struct entry {
	struct session_key id;
	uint32_t slot;
	UT_hash_handle hh;
};

struct sessions {
	struct slots *slots;
	pthread_mutex_t lock; /* guards all below; nothing else is taken under it */
	struct entry *table;
	uint64_t age;
};

static struct entry *add_entry(struct sessions *s, const struct session_key *id, uint32_t slot)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->id = *id;
	entry->slot = slot;
	HASH_ADD(hh, s->table, id, sizeof(entry->id), entry);
	if (hash_took(entry))
		return entry;
	free(entry);
	return NULL;
}

int sessions_open(int memory_fd, struct sessions **ret, struct error *err)
{
	struct sessions *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, ENOMEM, "no memory for the replies of sessions");
	pthread_mutex_init(&s->lock, NULL);
	r = slots_open(memory_fd, sizeof(struct session_head), SESSION_SLOTS, &s->slots, err);
	if (r < 0) {
		sessions_close(s);
		return r;
	}
	for (uint32_t i = slots_find_next(s->slots, 0); i != SLOTS_NONE;
	     i = slots_find_next(s->slots, i + 1)) {
		struct session_head *head = slots_get_head(s->slots, i);

		/* Killed before it was filled in: nobody's. */
		if (head->age == 0) {
			slots_free(s->slots, i);
			continue;
		}
		if (head->age > s->age)
			s->age = head->age;
		add_entry(s, &head->id, i);
	}
	*ret = s;
	return 0;
}

void sessions_close(struct sessions *s)
{
	struct entry *entry, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->table, entry, next) {
		HASH_DEL(s->table, entry);
		free(entry);
	}
	slots_close(s->slots);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void drop_oldest_locked(struct sessions *s)
{
	struct entry *entry, *next, *oldest = NULL;
	uint64_t age = UINT64_MAX;

	HASH_ITER(hh, s->table, entry, next) {
		struct session_head *head = slots_get_head(s->slots, entry->slot);

		if (head && head->age < age) {
			age = head->age;
			oldest = entry;
		}
	}
	if (!oldest)
		return;
	slots_free(s->slots, oldest->slot);
	HASH_DEL(s->table, oldest);
	free(oldest);
}

static struct entry *find_locked(struct sessions *s, const struct session_key *id)
{
	struct entry *entry = NULL;

	HASH_FIND(hh, s->table, id, sizeof(*id), entry);
	return entry;
}

static void put_locked(struct sessions *s, const struct session_key *id, const void *text,
		       size_t len)
{
	struct entry *entry = find_locked(s, id);
	struct session_head *head;

	if (!entry) {
		uint32_t slot = slots_alloc(s->slots);

		if (slot == SLOTS_NONE) {
			drop_oldest_locked(s);
			slot = slots_alloc(s->slots);
		}
		if (slot == SLOTS_NONE)
			return;
		entry = add_entry(s, id, slot);
		if (!entry) {
			slots_free(s->slots, slot);
			return;
		}
	}
	head = slots_get_head(s->slots, entry->slot);
	head->id = *id;
	head->age = ++s->age;
	slots_put_blob(s->slots, entry->slot, text, len);
}

void sessions_put(struct sessions *s, const struct caller *caller, uint64_t key, const void *text,
		  size_t len)
{
	struct session_key id = { .key = key, .uid = caller->uid };

	pthread_mutex_lock(&s->lock);
	put_locked(s, &id, text, len);
	if (caller->sid) {
		id.sid = caller->sid;
		id.sid_start = caller->sid_start;
		put_locked(s, &id, text, len);
	}
	pthread_mutex_unlock(&s->lock);
}

static bool append_blob(struct sessions *s, uint32_t slot, struct strbuf *out)
{
	size_t len = slots_get_blob_len(s->slots, slot);
	ssize_t got;

	if (!strbuf_reserve(out, len))
		return true;
	got = slots_read_blob(s->slots, slot, out->data + out->len, len, 0);
	if (got > 0)
		out->len += (size_t)got;
	if (out->data)
		out->data[out->len] = '\0';
	return true;
}

bool sessions_get(struct sessions *s, const struct caller *caller, uint64_t key, struct strbuf *out)
{
	struct session_key id = { .key = key, .uid = caller->uid };
	struct entry *entry = NULL;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	if (caller->sid) {
		id.sid = caller->sid;
		id.sid_start = caller->sid_start;
		entry = find_locked(s, &id);
		id.sid = 0;
		id.sid_start = 0;
	}
	if (!entry)
		entry = find_locked(s, &id);
	if (entry)
		found = append_blob(s, entry->slot, out);
	pthread_mutex_unlock(&s->lock);
	return found;
}

void sessions_put_error(struct sessions *s, const struct caller *caller,
			const struct error *failure)
{
	AUTO(strbuf_deinit) struct strbuf line = STRBUF_INIT;

	strbuf_appendf(&line, "error: %s\n", failure->msg);
	if (!line.oom)
		sessions_put(s, caller, SESSION_ERROR, line.data, line.len);
}
