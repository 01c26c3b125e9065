/* The event log: RUN/events and the generation before it, RUN/events.1.
 *
 * Each line carries its number, and lines lie in the order of their numbers; a
 * number that no line has is one that was lost (a full disk, a damaged line).
 * In memory lies one mark per line that can still be read, so a read finds its
 * place by binary search and copies whole lines with one pread(2). Marks are
 * published after their bytes are written: readers never see half a line.
 *
 * emit_lock orders the writers and guards what only they use; lock guards the
 * marks and the two generations, and no I/O happens under it. A generation is
 * counted, so that a reader keeps the file that rotation drops.
 */
#include "runtime/event.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#define EVENT_FILE "events"
#define EVENT_FILE_OLD "events.1"
/* Two of these are what a reader may be behind: some 40,000 events. */
#define EVENT_FILE_MAX_BYTES (4U << 20)
#define EVENT_MARKS_FIRST 64

struct event_mark {
	uint64_t seq;
	uint64_t actor; /* hash of the object's id: to find one's among all without reading them */
	uint32_t offset;
	uint32_t len; /* newline included */
};

struct generation {
	unsigned refs; /* guarded by events->lock */
	int fd;
	uint32_t size_bytes; /* of whole lines */
	struct event_mark *marks;
	size_t count;
	size_t cap;
};

struct events {
	int dir_fd;
	void (*on_event)(void *arg);
	void *arg;
	pthread_mutex_t emit_lock;
	bool complained; /* guarded by emit_lock: one line in our log per full disk */
	pthread_mutex_t lock;
	struct generation *current; /* guarded by lock; changed under both */
	struct generation *previous;
	uint64_t next_seq;
};

static void generation_free(struct generation *gen)
{
	if (!gen)
		return;
	if (gen->fd >= 0)
		close(gen->fd);
	free(gen->marks);
	free(gen);
}
DEFINE_AUTO(struct generation *, generation_free);

static bool generation_reserve(struct generation *gen)
{
	if (gen->count < gen->cap)
		return true;
	size_t cap = gen->cap ? gen->cap * 2 : EVENT_MARKS_FIRST;
	struct event_mark *marks = reallocarray(gen->marks, cap, sizeof(*marks));
	if (!marks)
		return false;
	gen->marks = marks;
	gen->cap = cap;
	return true;
}

/* The number at the end of a line, "...,"seq":17}" and the newline at end. */
static bool line_get_seq(const char *line, size_t len, uint64_t *ret_seq)
{
	static const char key[] = "\"seq\":";
	size_t digits = 0;

	if (len < sizeof(key) + 2 || line[len - 2] != '}')
		return false;
	while (digits < 20 && digits < len - 2 && line[len - 3 - digits] >= '0' &&
	       line[len - 3 - digits] <= '9')
		digits++;
	size_t start = len - 2 - digits;
	if (digits == 0 || start < sizeof(key) - 1 ||
	    memcmp(line + start - (sizeof(key) - 1), key, sizeof(key) - 1) != 0)
		return false;

	char text[21] = { 0 };
	memcpy(text, line + start, digits);
	return num_parse_u64(text, 1, UINT64_MAX - 1, ret_seq) == 0;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_id(const char *id, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325U;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)id[i]) * 0x100000001b3U;
	return hash;
}

/* Of the object that a line is about. */
static uint64_t hash_actor(const char *line, size_t len)
{
	static const char key[] = "\"Actor\":{\"ID\":\"";
	const char *id = memmem(line, len, key, sizeof(key) - 1);
	const char *end;

	if (!id)
		return 0;
	id += sizeof(key) - 1;
	end = memchr(id, '"', len - (size_t)(id - line));
	return end ? hash_id(id, (size_t)(end - id)) : 0;
}

/* Mark every line that bears a number above *inout_last; others are as lost. */
static bool generation_index(struct generation *gen, const struct strbuf *text,
			     uint64_t *inout_last)
{
	size_t at = 0;
	const char *newline;

	while (at < text->len && (newline = memchr(text->data + at, '\n', text->len - at))) {
		size_t len = (size_t)(newline + 1 - (text->data + at));
		uint64_t seq;

		if (line_get_seq(text->data + at, len, &seq) && seq > *inout_last) {
			if (!generation_reserve(gen))
				return false;
			gen->marks[gen->count++] =
				(struct event_mark){ .seq = seq,
						     .actor = hash_actor(text->data + at, len),
						     .offset = (uint32_t)at,
						     .len = (uint32_t)len };
			*inout_last = seq;
		}
		at += len;
	}
	gen->size_bytes = (uint32_t)at;
	return true;
}

/* Open one file, cut a torn last line, and index it. */
static int generation_open(int dir_fd, const char *name, int flags, uint64_t *inout_last,
			   struct generation **ret, struct error *err)
{
	AUTO(generation_free) struct generation *gen = calloc(1, sizeof(*gen));
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	if (!gen)
		return error_set_sys(err, ENOMEM, "cannot open '%s'", name);
	gen->refs = 1;
	gen->fd = openat(dir_fd, name, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (gen->fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", name);

	int r = path_read_file(dir_fd, name, 2 * EVENT_FILE_MAX_BYTES, &text, err);
	if (r < 0)
		return r;
	if (!generation_index(gen, &text, inout_last))
		return error_set_sys(err, ENOMEM, "cannot read '%s'", name);
	if (gen->size_bytes < text.len && ftruncate(gen->fd, gen->size_bytes) < 0)
		return error_set_sys(err, errno, "cannot cut the torn last line of '%s'", name);
	*ret = steal_ptr(&gen);
	return 0;
}

static int open_generations(struct events *events, struct error *err)
{
	uint64_t last = 0;
	struct error old_err = ERROR_INIT;

	/* Without the older generation a reader sees a gap and goes on. */
	int r = generation_open(events->dir_fd, EVENT_FILE_OLD, 0, &last, &events->previous,
				&old_err);
	if (r == -ENOMEM)
		return error_set(err, ENOMEM, "%s", old_err.msg);
	if (r < 0 && r != -ENOENT)
		log_warn("events: %s", old_err.msg);
	r = generation_open(events->dir_fd, EVENT_FILE, O_CREAT, &last, &events->current, err);
	if (r < 0)
		return r;
	events->next_seq = last + 1;
	return 0;
}

int events_open(int dir_fd, void (*on_event)(void *arg), void *arg, struct events **ret,
		struct error *err)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return error_set_sys(err, ENOMEM, "cannot open the events");
	events->dir_fd = dir_fd;
	events->on_event = on_event;
	events->arg = arg;
	pthread_mutex_init(&events->emit_lock, NULL);
	pthread_mutex_init(&events->lock, NULL);
	int r = open_generations(events, err);
	if (r < 0) {
		events_close(events);
		return error_wrap(err, r, "events");
	}
	*ret = events;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	generation_free(events->current);
	generation_free(events->previous);
	pthread_mutex_destroy(&events->lock);
	pthread_mutex_destroy(&events->emit_lock);
	free(events);
}

static void generation_unref_locked(struct generation *gen)
{
	if (gen && --gen->refs == 0)
		generation_free(gen);
}

/* A new current generation; a crash between the two steps leaves only
 * events.1, whose numbers the next open continues. Caller holds emit_lock. */
static int rotate(struct events *events, struct error *err)
{
	AUTO(generation_free) struct generation *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return error_set_sys(err, ENOMEM, "cannot begin a new event file");
	fresh->refs = 1;
	fresh->fd = -1;
	if (renameat(events->dir_fd, EVENT_FILE, events->dir_fd, EVENT_FILE_OLD) < 0 &&
	    errno != ENOENT)
		return error_set_sys(err, errno, "cannot rename '%s'", EVENT_FILE);
	fresh->fd = openat(events->dir_fd, EVENT_FILE,
			   O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fresh->fd < 0)
		return error_set_sys(err, errno, "cannot create '%s'", EVENT_FILE);

	pthread_mutex_lock(&events->lock);
	struct generation *dropped = events->previous;
	events->previous = events->current;
	events->current = steal_ptr(&fresh);
	generation_unref_locked(dropped);
	pthread_mutex_unlock(&events->lock);
	return 0;
}

/* NULL when memory ran out or a string is not UTF-8. */
static json_t *event_to_json(const char *type, const char *action, const char *id,
			     json_t *attributes, uint64_t seq)
{
	int64_t now_ns = clock_now_ns();

	return json_pack("{s:s, s:s, s:{s:s, s:o}, s:I, s:I, s:I}", "Type", type, "Action", action,
			 "Actor", "ID", id, "Attributes", attributes, "time",
			 (json_int_t)(now_ns / 1000000000), "timeNano", (json_int_t)now_ns, "seq",
			 (json_int_t)seq);
}

/* One line; attributes that make it too long are cut down to the name. */
static int render_event(const char *type, const char *action, const char *id,
			const json_t *attributes, uint64_t seq, struct strbuf *line,
			struct error *err)
{
	for (int brief = 0; brief < 2; brief++) {
		const char *name = json_get_str(attributes, "name", NULL);
		json_t *shown = attributes && !brief ? json_copy((json_t *)(uintptr_t)attributes)
				: name && brief      ? json_pack("{s:s}", "name", name)
						     : json_object();
		auto_json json_t *event = event_to_json(type, action, id, shown, seq);

		if (!event)
			return error_set(err, ENOMEM, "no memory or no UTF-8 in %s %s", type,
					 action);
		strbuf_reset(line);
		int r = json_render(event, 0, line, err);
		if (r < 0)
			return r;
		strbuf_append_char(line, '\n');
		if (line->len <= EVENT_LINE_MAX_BYTES)
			break;
	}
	return strbuf_check(line, err);
}

/* Append the line to the current file, or leave it as it was. */
static int append_line(struct events *events, uint64_t seq, const struct strbuf *line,
		       struct error *err)
{
	if (events->current->size_bytes + line->len > EVENT_FILE_MAX_BYTES) {
		int r = rotate(events, err);
		if (r < 0)
			return r;
	}
	struct generation *gen = events->current;
	pthread_mutex_lock(&events->lock);
	bool room = generation_reserve(gen);
	pthread_mutex_unlock(&events->lock);
	if (!room)
		return error_set_sys(err, ENOMEM, "cannot index '%s'", EVENT_FILE);

	int r = path_pwrite_all(gen->fd, line->data, line->len, gen->size_bytes);
	if (r < 0) {
		(void)!ftruncate(gen->fd, gen->size_bytes);
		return error_set_sys(err, -r, "cannot write '%s'", EVENT_FILE);
	}
	pthread_mutex_lock(&events->lock);
	gen->marks[gen->count++] = (struct event_mark){ .seq = seq,
							.actor = hash_actor(line->data, line->len),
							.offset = gen->size_bytes,
							.len = (uint32_t)line->len };
	gen->size_bytes += (uint32_t)line->len;
	pthread_mutex_unlock(&events->lock);
	return 0;
}

void events_emit(struct events *events, const char *type, const char *action, const char *id,
		 const json_t *attributes)
{
	AUTO(strbuf_deinit) struct strbuf line = STRBUF_INIT;
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&events->emit_lock);
	/* Only written with both locks held: no need of the second to read it. */
	uint64_t seq = events->next_seq;
	int r = render_event(type, action, id, attributes, seq, &line, &err);
	if (r == 0)
		r = append_line(events, seq, &line, &err);
	bool complain = r < 0 && !events->complained;
	events->complained = r < 0;
	pthread_mutex_lock(&events->lock);
	events->next_seq = seq + 1;
	pthread_mutex_unlock(&events->lock);
	pthread_mutex_unlock(&events->emit_lock);

	if (complain)
		log_warn("events: an event was lost: %s", err.msg);
	if (events->on_event)
		events->on_event(events->arg);
}

uint64_t events_get_next(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t next = events->next_seq;
	pthread_mutex_unlock(&events->lock);
	return next;
}

/* Index of the first mark numbered seq or later; count when there is none. */
static size_t generation_search(const struct generation *gen, uint64_t seq)
{
	size_t low = 0;
	size_t high = gen->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (gen->marks[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What one read copies: lines that follow each other in file and number. */
struct span {
	struct generation *gen; /* referenced; NULL for none */
	uint32_t offset;
	uint32_t len;
	uint32_t first_len; /* of the first line, also when nothing fits */
	uint64_t first_seq;
	uint64_t next_seq;
};

static struct span find_span_locked(struct events *events, uint64_t seq, size_t room)
{
	struct generation *gens[] = { events->previous, events->current };
	struct span span = { .first_seq = events->next_seq, .next_seq = events->next_seq };

	for (size_t g = 0; g < 2 && !span.gen; g++) {
		size_t at = gens[g] ? generation_search(gens[g], seq) : 0;
		if (!gens[g] || at == gens[g]->count)
			continue;
		const struct event_mark *mark = &gens[g]->marks[at];
		span = (struct span){ .gen = gens[g],
				      .offset = mark->offset,
				      .first_len = mark->len,
				      .first_seq = mark->seq,
				      .next_seq = mark->seq };
		for (; at < gens[g]->count && mark->seq == span.next_seq &&
		       mark->offset == span.offset + span.len && span.len + mark->len <= room;
		     at++, mark++) {
			span.len += mark->len;
			span.next_seq++;
		}
		span.gen->refs++;
	}
	return span;
}

ssize_t events_read(struct events *events, uint64_t *inout_seq, char *buf, size_t len)
{
	uint64_t seq = *inout_seq ? *inout_seq : 1;
	char gap[64];
	size_t gap_len = 0;

	pthread_mutex_lock(&events->lock);
	struct span span = find_span_locked(events, seq, len);
	if (span.first_seq > seq) {
		/* The gap's line is short: looking again with less room is all. */
		gap_len = (size_t)snprintf(gap, sizeof(gap), "{\"Type\":\"gap\",\"lost\":%llu}\n",
					   (unsigned long long)(span.first_seq - seq));
		seq = span.first_seq;
		generation_unref_locked(span.gen);
		span = find_span_locked(events, seq, gap_len < len ? len - gap_len : 0);
	}
	pthread_mutex_unlock(&events->lock);

	ssize_t r = 0;
	if (gap_len > len || (gap_len == 0 && span.gen && span.len == 0))
		r = -EMSGSIZE;
	else if (span.len > 0)
		r = path_pread_full(span.gen->fd, buf + gap_len, span.len, span.offset);
	if (r >= 0 && (size_t)r < span.len)
		r = -EIO;
	if (r >= 0) {
		memcpy(buf, gap, gap_len);
		r += (ssize_t)gap_len;
		*inout_seq = span.len > 0 ? span.next_seq : seq;
	}
	pthread_mutex_lock(&events->lock);
	generation_unref_locked(span.gen);
	pthread_mutex_unlock(&events->lock);
	return r;
}

/* --- what was told ---------------------------------------------------------- */

/* The index of the line's action (any: 0 without actions), -1: another one, or another object. */
static int match_line(const char *line, size_t len, const char *actor, const char *const actions[])
{
	static const char key[] = "\"Action\":\"";
	const char *found = memmem(line, len, actor, strlen(actor));
	const char *action = found ? memmem(line, len, key, sizeof(key) - 1) : NULL;

	if (!action || !actions)
		return action ? 0 : -1;
	action += sizeof(key) - 1;
	for (int i = 0; actions[i]; i++) {
		size_t size = strlen(actions[i]);

		if (size < (size_t)(line + len - action) && action[size] == '"' &&
		    memcmp(action, actions[i], size) == 0)
			return i;
	}
	return -1;
}

static int find_last_in(const struct generation *gen, const char *id, const char *actor,
			const char *const actions[], char **ret_line)
{
	uint64_t hash = hash_id(id, strlen(id));
	int found = -1;

	for (size_t i = gen->count; i > 0 && found < 0; i--) {
		const struct event_mark *mark = &gen->marks[i - 1];
		auto_free char *line = mark->actor == hash ? malloc(mark->len + 1U) : NULL;

		if (!line ||
		    path_pread_full(gen->fd, line, mark->len, mark->offset) != (ssize_t)mark->len)
			continue;
		line[mark->len] = '\0';
		found = match_line(line, mark->len, actor, actions);
		if (found >= 0 && ret_line)
			*ret_line = strndup(line, mark->len - 1);
	}
	return found;
}

static int find_last(struct events *events, const char *id, const char *const actions[],
		     char **ret_line)
{
	char actor[160];
	int found;

	snprintf(actor, sizeof(actor), "\"Actor\":{\"ID\":\"%s\"", id);
	/* Both generations stay as they are while nobody emits. */
	pthread_mutex_lock(&events->emit_lock);
	found = find_last_in(events->current, id, actor, actions, ret_line);
	if (found < 0 && events->previous)
		found = find_last_in(events->previous, id, actor, actions, ret_line);
	pthread_mutex_unlock(&events->emit_lock);
	return found;
}

int events_find_last(struct events *events, const char *id, const char *const actions[])
{
	return find_last(events, id, actions, NULL);
}

char *events_dup_last(struct events *events, const char *id)
{
	char *line = NULL;

	find_last(events, id, NULL, &line);
	return line;
}

int64_t events_get_time_ns(struct events *events)
{
	struct stat st = { .st_size = 0 };
	int r;

	pthread_mutex_lock(&events->emit_lock);
	r = fstat(events->current->fd, &st);
	pthread_mutex_unlock(&events->emit_lock);
	return r < 0 || st.st_size == 0
		       ? 0
		       : st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}
