/* The ranges in use, in one list under one lock: there are as many as containers that want
 * one. A range is in the list before it is on disk, so nobody else is given it meanwhile, and
 * on disk before anything is made with it.
 */
#include "runtime/security/userns_table.h"

#include "base/json.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "runtime/security/subid.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define FILE_NAME "userns.json"
#define SUBID_BYTES_MAX (1U << 20)
#define ID_SIZE 65

struct row {
	char id[ID_SIZE];
	struct id_range range;
};

struct userns_table {
	pthread_mutex_t lock;
	struct row *rows; /* guarded by lock */
	size_t count, capacity;
};

/* What may be given out: read each time, as the administrator may change it. */
struct supply {
	struct subid_range uids[SUBID_ENTRIES_MAX], gids[SUBID_ENTRIES_MAX];
	size_t uid_count, gid_count;
};

struct userns_table *userns_table_new(void)
{
	struct userns_table *table = calloc(1, sizeof(*table));

	if (table)
		pthread_mutex_init(&table->lock, NULL);
	return table;
}

void userns_table_free(struct userns_table *table)
{
	if (!table)
		return;
	pthread_mutex_destroy(&table->lock);
	free(table->rows);
	free(table);
}

/* --- the list ------------------------------------------------------------------- */

static struct row *find_locked(struct userns_table *table, const char *id)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].id, id) == 0)
			return &table->rows[i];
	return NULL;
}

static int add_locked(struct userns_table *table, const char *id, const struct id_range *range,
		      struct error *err)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 16;
		struct row *grown = reallocarray(table->rows, capacity, sizeof(*grown));

		if (!grown)
			return error_set(err, ENOMEM, "no memory for one more range of ids");
		table->rows = grown;
		table->capacity = capacity;
	}
	snprintf(table->rows[table->count].id, ID_SIZE, "%s", id);
	table->rows[table->count++].range = *range;
	return 0;
}

bool userns_table_find(struct userns_table *table, const char *id, struct id_range *ret)
{
	const struct row *row;

	pthread_mutex_lock(&table->lock);
	row = find_locked(table, id);
	*ret = row ? row->range : (struct id_range){ .size = 0 };
	pthread_mutex_unlock(&table->lock);
	return ret->size > 0;
}

void userns_table_drop(struct userns_table *table, const char *id)
{
	struct row *row;

	pthread_mutex_lock(&table->lock);
	row = find_locked(table, id);
	if (row)
		*row = table->rows[--table->count];
	pthread_mutex_unlock(&table->lock);
}

int userns_table_forget(struct userns_table *table, const char *id, int dir_fd, struct error *err)
{
	if (unlinkat(dir_fd, FILE_NAME, 0) < 0 && errno != ENOENT)
		return error_set_sys(err, errno, "cannot remove " FILE_NAME);
	userns_table_drop(table, id);
	return 0;
}

/* --- choosing ------------------------------------------------------------------- */

/* No file is an empty one. */
static int read_entries(const char *path, struct subid_range *ret, size_t *ret_count,
			struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error cause = ERROR_INIT;
	int failure = path_read_file(AT_FDCWD, path, SUBID_BYTES_MAX, &text, &cause);

	if (failure < 0 && failure != -ENOENT)
		return error_set(err, -failure, "%s", cause.msg);
	*ret_count = failure < 0 ? 0 : subid_parse(text.data, text.len, ret);
	return 0;
}

static int read_supply(struct supply *ret, struct error *err)
{
	int failure = read_entries("/etc/subuid", ret->uids, &ret->uid_count, err);

	if (failure == 0)
		failure = read_entries("/etc/subgid", ret->gids, &ret->gid_count, err);
	return failure;
}

static int refuse(const char *path, size_t entries, struct error *err)
{
	if (entries == 0)
		return error_set(err, ENOSPC,
				 "%s gives root no ids for user namespaces; add a line like "
				 "'root:1000000:6553600', for a hundred containers",
				 path);
	return error_set(err, ENOSPC,
			 "all ranges of %u ids that %s gives root are in use; add one more line "
			 "like 'root:FIRST:6553600', for a hundred containers",
			 USERNS_SIZE, path);
}

static int choose_locked(struct userns_table *table, const struct supply *supply,
			 struct id_range *ret, struct error *err)
{
	auto_free struct subid_range *used = calloc(table->count + 1, sizeof(*used));
	struct id_range range = { .size = USERNS_SIZE };

	if (!used)
		return error_set(err, ENOMEM, "no memory to choose a range of ids");
	for (size_t i = 0; i < table->count; i++)
		used[i] = (struct subid_range){ table->rows[i].range.uid_base,
						table->rows[i].range.size };
	if (!subid_pick(supply->uids, supply->uid_count, used, table->count, range.size,
			&range.uid_base))
		return refuse("/etc/subuid", supply->uid_count, err);
	for (size_t i = 0; i < table->count; i++)
		used[i].first = table->rows[i].range.gid_base;
	if (!subid_pick(supply->gids, supply->gid_count, used, table->count, range.size,
			&range.gid_base))
		return refuse("/etc/subgid", supply->gid_count, err);
	*ret = range;
	return 0;
}

static int store(int dir_fd, const struct id_range *range, struct error *err)
{
	auto_json json_t *object =
		json_pack("{s:I,s:I,s:I}", "UidBase", (json_int_t)range->uid_base, "GidBase",
			  (json_int_t)range->gid_base, "Size", (json_int_t)range->size);

	if (!object)
		return error_set(err, ENOMEM, "no memory for a range of ids");
	/* After a loss of power nothing runs with the range, and any other will do. */
	return json_replace_file(dir_fd, FILE_NAME, object, 0600, false, err);
}

int userns_table_claim(struct userns_table *table, const char *id, int dir_fd, struct id_range *ret,
		       struct error *err)
{
	struct supply supply;
	struct id_range range;
	int failure;

	if (userns_table_find(table, id, ret))
		return 0;
	failure = read_supply(&supply, err);
	if (failure < 0)
		return failure;
	pthread_mutex_lock(&table->lock);
	failure = choose_locked(table, &supply, &range, err);
	if (failure == 0)
		failure = add_locked(table, id, &range, err);
	pthread_mutex_unlock(&table->lock);
	if (failure < 0)
		return failure;
	failure = store(dir_fd, &range, err);
	if (failure < 0)
		userns_table_drop(table, id);
	else
		*ret = range;
	return failure;
}

/* --- from an earlier engine --------------------------------------------------------- */

static bool read_base(const json_t *object, const char *key, uint32_t *ret)
{
	int64_t value = json_get_int(object, key, 0);

	*ret = (uint32_t)value;
	return value > 0 && value <= (int64_t)UINT32_MAX - USERNS_SIZE;
}

int userns_table_load(struct userns_table *table, const char *id, int dir_fd, struct id_range *ret,
		      struct error *err)
{
	auto_json json_t *object = NULL;
	struct error cause = ERROR_INIT;
	struct id_range range = { .size = USERNS_SIZE };
	int failure = json_read_file(dir_fd, FILE_NAME, &object, &cause);

	if (failure == -ENOENT)
		return 0;
	if (failure < 0)
		return error_set(err, cause.code, "%s", cause.msg);
	if (!json_is_object(object) || json_get_int(object, "Size", 0) != USERNS_SIZE ||
	    !read_base(object, "UidBase", &range.uid_base) ||
	    !read_base(object, "GidBase", &range.gid_base))
		return error_set(err, EIO, FILE_NAME " holds no range of ids");
	pthread_mutex_lock(&table->lock);
	failure = find_locked(table, id) ? 0 : add_locked(table, id, &range, err);
	pthread_mutex_unlock(&table->lock);
	if (failure == 0)
		*ret = range;
	return failure;
}
