/* A hash table from node number to text, under one lock that is never held while a text is made.
 * Every entry is one lookup of the kernel's, so one FORGET ends it.
 */
#include "fs/nodes.h"

#include "base/hash.h"

#include "fs/files.h"
#include "fs/names.h"
#include "fs/tree.h"
#include "graph/image_tar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What stat says of a text that is not made yet: a million changes. Never too little, and
 * little enough for who copies that many zeros behind the text. */
#define LAZY_SIZE (64 << 20)

struct entry {
	uint64_t node;
	struct node_text *text;
	struct entry *dropped; /* the next one, of those that were taken out */
	UT_hash_handle hh;
};

struct nodes {
	pthread_mutex_t lock; /* guards table */
	struct entry *table;
	atomic_uint serial;
};

struct node_text *node_text_ref(struct node_text *text)
{
	atomic_fetch_add(&text->refs, 1);
	return text;
}

void node_text_unref(struct node_text *text)
{
	if (!text || atomic_fetch_sub(&text->refs, 1) != 1)
		return;
	free(text->text);
	image_tar_free(text->archive);
	if (text->log)
		logview_close(text->log);
	container_unref(text->container);
	free(text);
}

struct nodes *nodes_new(void)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));
	unsigned start = 0;

	if (!nodes)
		return NULL;
	/* Not from 1: a former engine's numbers may still be alive in the kernel. */
	if (getrandom(&start, sizeof(start), 0) != (ssize_t)sizeof(start))
		start = 1;
	atomic_init(&nodes->serial, start);
	pthread_mutex_init(&nodes->lock, NULL);
	return nodes;
}

void nodes_free(struct nodes *nodes)
{
	struct entry *entry, *next;

	if (!nodes)
		return;
	HASH_ITER(hh, nodes->table, entry, next) {
		HASH_DEL(nodes->table, entry);
		node_text_unref(entry->text);
		free(entry);
	}
	pthread_mutex_destroy(&nodes->lock);
	free(nodes);
}

uint64_t nodes_number(struct nodes *nodes, uint64_t entry_node)
{
	uint32_t serial;

	do {
		serial = atomic_fetch_add(&nodes->serial, 1) & NODE_SERIAL_MAX;
	} while (serial == 0);
	return node_make(node_get_kind(entry_node), node_get_key(entry_node), serial);
}

static enum logview_kind get_log_kind(enum node_kind kind)
{
	switch (tree_get_role(kind)) {
	case NODE_C_STDOUT:
		return LOGVIEW_STDOUT;
	case NODE_C_STDERR:
		return LOGVIEW_STDERR;
	case NODE_C_LOGS_JSON:
		return LOGVIEW_JSON;
	default:
		return LOGVIEW_ALL;
	}
}

static int open_log(struct fs *fs, uint64_t node, struct node_text *text, struct error *err)
{
	text->container = engine_find_key(fs->engine, node_get_key(node));
	if (!text->container) /* a file that was open when a former engine died */
		text->container = engine_find_removed(fs->engine, node_get_key(node));
	if (!text->container)
		return error_set(err, ENOENT, "the container has been removed");
	int r = logview_open(container_get_dir_fd(text->container),
			     get_log_kind(node_get_kind(node)), &text->log, err);
	if (r == 0)
		atomic_store(&text->log_start, logview_get_base(text->log));
	return r;
}

void node_text_extend(struct node_text *text, uint64_t log_start)
{
	unsigned long long start = atomic_load(&text->log_start);

	/* Modulo 2^64: see runtime/log/logreader.c. */
	while ((int64_t)(log_start - start) < 0 &&
	       !atomic_compare_exchange_weak(&text->log_start, &start, log_start))
		;
}

static int render(struct fs *fs, const struct tree_row *row, uint64_t node,
		  const struct caller *caller, struct node_text *text, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	int r = row->render(fs, node_get_key(node), caller, &out, err);

	if (r < 0)
		return r;
	text->len = out.len;
	text->text = strbuf_steal(&out);
	return text->text ? 0 : error_set(err, ENOMEM, "no memory for a text");
}

static int make_text(struct fs *fs, uint64_t node, const struct caller *caller,
		     struct node_text **ret, struct error *err)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	AUTO(node_text_unref) struct node_text *text = NULL;
	int r;

	if (!row || (row->class != FILE_LOG && !row->render))
		return error_set(err, ESTALE, "this file is known no more; look it up again");
	text = calloc(1, sizeof(*text));
	if (!text)
		return error_set(err, ENOMEM, "no memory for a text");
	atomic_init(&text->refs, 1);
	r = row->class == FILE_LOG ? open_log(fs, node, text, err)
				   : render(fs, row, node, caller, text, err);
	if (r == 0 && row->class == FILE_ARCHIVE)
		r = archivefile_make(fs, node, text, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&text);
	return 0;
}

/* The entry's text if it is there already, else `text` goes in. A reference either way. */
static struct node_text *publish(struct nodes *nodes, uint64_t node, struct node_text *text)
{
	struct entry *entry = NULL, *fresh = calloc(1, sizeof(*fresh));
	struct node_text *result;

	if (!fresh)
		return NULL;
	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->table, &node, sizeof(node), entry);
	if (!entry) {
		fresh->node = node;
		fresh->text = text;
		HASH_ADD(hh, nodes->table, node, sizeof(fresh->node), fresh);
		if (hash_took(fresh)) {
			entry = steal_ptr(&fresh);
			node_text_ref(text);
		}
	}
	result = entry ? node_text_ref(entry->text) : NULL;
	pthread_mutex_unlock(&nodes->lock);
	free(fresh);
	return result;
}

static struct node_text *find(struct nodes *nodes, uint64_t node)
{
	struct node_text *text = NULL;
	struct entry *entry = NULL;

	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->table, &node, sizeof(node), entry);
	if (entry)
		text = node_text_ref(entry->text);
	pthread_mutex_unlock(&nodes->lock);
	return text;
}

struct node_text *nodes_get(struct fs *fs, uint64_t node, const struct caller *caller,
			    struct error *err)
{
	AUTO(node_text_unref) struct node_text *text = find(fs->nodes, node);
	struct node_text *result;

	if (text)
		return steal_ptr(&text);
	if (make_text(fs, node, caller, &text, err) < 0)
		return NULL;
	result = publish(fs->nodes, node, text);
	if (!result)
		error_set(err, ENOMEM, "no memory for a text");
	return result;
}

bool nodes_need_worker(struct nodes *nodes, uint64_t node)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	AUTO(node_text_unref) struct node_text *text = NULL;

	if (!row || row->class != FILE_REPORT)
		return false;
	text = find(nodes, node);
	return !text;
}

int nodes_look_up(struct fs *fs, uint64_t entry_node, const struct caller *caller,
		  uint64_t *ret_node, struct error *err)
{
	uint64_t node = nodes_number(fs->nodes, entry_node);
	AUTO(node_text_unref) struct node_text *text = nodes_get(fs, node, caller, err);

	if (!text)
		return -err->code;
	*ret_node = node;
	return 0;
}

struct node_text *nodes_put_reply(struct nodes *nodes, uint64_t node, const void *bytes, size_t len,
				  uint64_t pad)
{
	AUTO(node_text_unref) struct node_text *text = calloc(1, sizeof(*text));
	struct node_text *old = NULL;
	struct entry *entry = NULL;

	if (!text)
		return NULL;
	atomic_init(&text->refs, 1);
	text->text = malloc(len + 1);
	if (!text->text)
		return NULL;
	if (len)
		memcpy(text->text, bytes, len);
	text->text[len] = '\0';
	text->len = len;
	text->pad = pad;
	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->table, &node, sizeof(node), entry);
	if (entry) {
		old = entry->text;
		entry->text = node_text_ref(text);
	}
	pthread_mutex_unlock(&nodes->lock);
	node_text_unref(old);
	return entry ? steal_ptr(&text) : publish(nodes, node, text);
}

size_t node_text_read(const struct node_text *text, uint64_t offset, void *buf, size_t len)
{
	uint64_t end = text->pad + text->len;
	size_t done = 0;

	if (offset >= end)
		return 0;
	if (len > end - offset)
		len = (size_t)(end - offset);
	if (offset < text->pad) {
		done = text->pad - offset < len ? (size_t)(text->pad - offset) : len;
		memset(buf, '\n', done);
	}
	if (done < len)
		memcpy((char *)buf + done, text->text + (offset + done - text->pad), len - done);
	return len;
}

static void stat_log(const struct node_text *text, struct stat *st)
{
	uint64_t size = 0;
	int64_t time_ns = logview_get_mtime_ns(text->log);

	if (logview_get_size(text->log, &size, NULL) == 0)
		st->st_size = (off_t)(size - atomic_load(&text->log_start));
	if (time_ns) {
		st->st_mtim.tv_sec = time_ns / 1000000000;
		st->st_mtim.tv_nsec = time_ns % 1000000000;
		st->st_ctim = st->st_mtim;
	}
}

/* A container that was removed while its log is open has no other attributes left. */
static int stat_object(struct fs *fs, uint64_t node, const struct node_text *text, struct stat *ret)
{
	int r = tree_stat(fs, node, ret);

	if (r != -ENOENT || !text)
		return r;
	*ret = (struct stat){ .st_ino = node_get_ino(node),
			      .st_mode = tree_get_row(node_get_kind(node))->mode,
			      .st_nlink = 0,
			      .st_gid = fs->options->gid,
			      .st_blksize = 4096 };
	return 0;
}

int nodes_stat(struct fs *fs, uint64_t node, const struct caller *caller, struct stat *ret,
	       struct error *err)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	AUTO(node_text_unref) struct node_text *text = NULL;
	int r;

	if (!row)
		return -ESTALE;
	if (tree_is_lazy(row)) {
		text = find(fs->nodes, node);
	} else if (row->render || row->class == FILE_LOG) {
		text = nodes_get(fs, node, caller, err);
		if (!text)
			return -err->code;
	}
	r = stat_object(fs, node, text, ret);
	if (r < 0)
		return r;
	if (text && text->log)
		stat_log(text, ret);
	else if (text && row->class == FILE_ARCHIVE)
		ret->st_size = text->archive ? (off_t)image_tar_get_size(text->archive) : 0;
	else if (text)
		ret->st_size = (off_t)(text->pad + text->len);
	else if (tree_is_lazy(row))
		ret->st_size = LAZY_SIZE;
	else if (row->class == FILE_EXPORT)
		ret->st_size = exportfile_estimate(fs, node_get_key(node));
	ret->st_blocks = (ret->st_size + 511) / 512;
	return 0;
}

void nodes_forget(struct nodes *nodes, uint64_t node)
{
	struct entry *entry = NULL;

	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->table, &node, sizeof(node), entry);
	if (entry)
		HASH_DEL(nodes->table, entry);
	pthread_mutex_unlock(&nodes->lock);
	if (!entry)
		return;
	node_text_unref(entry->text);
	free(entry);
}

/* Whoever has it open has a reference. */
static bool is_abandoned(const struct node_text *text)
{
	return text->container && atomic_load(&text->refs) == 1 &&
	       container_is_removed(text->container);
}

void nodes_drop_removed(struct nodes *nodes)
{
	struct entry *entry, *next, *dropped = NULL;

	pthread_mutex_lock(&nodes->lock);
	HASH_ITER(hh, nodes->table, entry, next) {
		if (!is_abandoned(entry->text))
			continue;
		HASH_DEL(nodes->table, entry);
		entry->dropped = dropped;
		dropped = entry;
	}
	pthread_mutex_unlock(&nodes->lock);
	for (entry = dropped; entry; entry = next) {
		next = entry->dropped;
		node_text_unref(entry->text);
		free(entry);
	}
}

void nodes_drop_if_removed(struct nodes *nodes, uint64_t node)
{
	struct entry *entry = NULL;
	bool dropped;

	pthread_mutex_lock(&nodes->lock);
	HASH_FIND(hh, nodes->table, &node, sizeof(node), entry);
	dropped = entry && is_abandoned(entry->text);
	pthread_mutex_unlock(&nodes->lock);
	if (dropped)
		nodes_forget(nodes, node);
}
