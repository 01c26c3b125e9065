/* Which containers there are, by id, by name and by age.
 *
 * Three sorted arrays under one rwlock that is held for a search or a memmove
 * only: 10,000 entries are 80 KB, a prefix of an id is a range, and no insertion
 * needs memory that was not reserved before. A container is in by_id from the
 * moment its id is taken; it is shown (found, listed) once it is whole on disk.
 * A name is a slot of its own, so that one can be reserved while another is live.
 */
#include "runtime/engine_private.h"

#include "base/num.h"

#include <string.h>

#define KEY_DIGITS 9
#define PREFIX_MIN 4

int table_init(struct table *table)
{
	memset(table, 0, sizeof(*table));
	return pthread_rwlock_init(&table->lock, NULL) ? -ENOMEM : 0;
}

void table_deinit(struct table *table)
{
	for (size_t i = 0; i < table->name_count; i++)
		free(table->names[i].name);
	for (size_t i = 0; i < table->count; i++)
		container_unref(table->by_id[i]);
	free(table->names);
	free(table->by_id);
	free(table->order);
	pthread_rwlock_destroy(&table->lock);
}

/* First index whose id is not below text, compared over len bytes. */
static size_t find_id_locked(const struct table *table, const char *text, size_t len)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strncmp(table->by_id[mid]->id, text, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Index of the name, or where it belongs. */
static bool find_name_locked(const struct table *table, const char *name, size_t *ret)
{
	size_t low = 0, high = table->name_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(table->names[mid].name, name);

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

/* Room for one more container and one more name. */
static int reserve_locked(struct table *table)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		struct container **by_id, **order;

		by_id = reallocarray(table->by_id, capacity, sizeof(struct container *));
		if (!by_id)
			return -ENOMEM;
		table->by_id = by_id;
		order = reallocarray(table->order, capacity, sizeof(struct container *));
		if (!order)
			return -ENOMEM;
		table->order = order;
		table->capacity = capacity;
	}
	if (table->name_count == table->name_capacity) {
		size_t capacity = table->name_capacity ? table->name_capacity * 2 : 64;
		struct name_slot *names =
			reallocarray(table->names, capacity, sizeof(struct name_slot));

		if (!names)
			return -ENOMEM;
		table->names = names;
		table->name_capacity = capacity;
	}
	return 0;
}

static int add_name_locked(struct table *table, struct container *c, const char *name,
			   struct error *err)
{
	struct name_slot slot = { .container = c, .live = false };
	size_t at;

	if (find_name_locked(table, name, &at))
		return error_set(err, EEXIST, "the name '%s' is taken by container %s", name,
				 table->names[at].container->short_id);
	slot.name = strdup(name);
	if (!slot.name)
		return error_set(err, ENOMEM, "no memory for the name '%s'", name);
	memmove(table->names + at + 1, table->names + at,
		(table->name_count - at) * sizeof(struct name_slot));
	table->names[at] = slot;
	table->name_count++;
	return 0;
}

static void remove_name_locked(struct table *table, size_t at)
{
	free(table->names[at].name);
	table->name_count--;
	memmove(table->names + at, table->names + at + 1,
		(table->name_count - at) * sizeof(struct name_slot));
}

static int insert_locked(struct table *table, struct container *c, const char *name,
			 struct error *err)
{
	size_t at = find_id_locked(table, c->id, KEY_DIGITS);
	int ret;

	if (at < table->count && table->by_id[at]->key == c->key)
		return -EALREADY;
	if (reserve_locked(table) < 0)
		return error_set(err, ENOMEM, "no memory for one more container");
	if (name) {
		ret = add_name_locked(table, c, name, err);
		if (ret < 0)
			return ret;
	}
	memmove(table->by_id + at + 1, table->by_id + at,
		(table->count - at) * sizeof(struct container *));
	table->by_id[at] = container_ref(c);
	table->count++;
	return 0;
}

int table_reserve(struct table *table, struct container *c, const char *name, struct error *err)
{
	int ret;

	pthread_rwlock_wrlock(&table->lock);
	ret = insert_locked(table, c, name, err);
	pthread_rwlock_unlock(&table->lock);
	return ret;
}

/* created_ns never changes once the container is listed. */
static int64_t get_created_ns(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	return view->created_ns;
}

void table_show(struct table *table, struct container *c)
{
	int64_t created_ns = get_created_ns(c);
	size_t at = 0, end;

	pthread_rwlock_wrlock(&table->lock);
	/* Behind those that are as old. An engine that starts shows them in the order of their ids. */
	for (end = table->order_count; at < end;) {
		size_t mid = at + (end - at) / 2;

		if (get_created_ns(table->order[mid]) <= created_ns)
			at = mid + 1;
		else
			end = mid;
	}
	memmove(table->order + at + 1, table->order + at,
		(table->order_count - at) * sizeof(struct container *));
	table->order[at] = c;
	table->order_count++;
	c->listed = true;
	for (size_t i = 0; i < table->name_count; i++)
		if (table->names[i].container == c)
			table->names[i].live = true;
	pthread_rwlock_unlock(&table->lock);
}

static void remove_names_locked(struct table *table, const struct container *c, const char *keep)
{
	for (size_t i = table->name_count; i-- > 0;)
		if (table->names[i].container == c &&
		    (!keep || strcmp(table->names[i].name, keep) != 0))
			remove_name_locked(table, i);
}

void table_remove(struct table *table, struct container *c)
{
	size_t at;

	pthread_rwlock_wrlock(&table->lock);
	remove_names_locked(table, c, NULL);
	for (at = 0; c->listed && at < table->order_count; at++) {
		if (table->order[at] != c)
			continue;
		table->order_count--;
		memmove(table->order + at, table->order + at + 1,
			(table->order_count - at) * sizeof(struct container *));
		break;
	}
	c->listed = false;
	at = find_id_locked(table, c->id, sizeof(c->id));
	if (at < table->count && table->by_id[at] == c) {
		table->count--;
		memmove(table->by_id + at, table->by_id + at + 1,
			(table->count - at) * sizeof(struct container *));
		container_unref(c);
	}
	pthread_rwlock_unlock(&table->lock);
}

int table_reserve_name(struct table *table, struct container *c, const char *name,
		       struct error *err)
{
	int ret;

	pthread_rwlock_wrlock(&table->lock);
	if (reserve_locked(table) < 0)
		ret = error_set(err, ENOMEM, "no memory for the name '%s'", name);
	else
		ret = add_name_locked(table, c, name, err);
	pthread_rwlock_unlock(&table->lock);
	return ret;
}

void table_take_name(struct table *table, struct container *c, const char *name)
{
	size_t at;

	pthread_rwlock_wrlock(&table->lock);
	remove_names_locked(table, c, name);
	if (find_name_locked(table, name, &at))
		table->names[at].live = true;
	pthread_rwlock_unlock(&table->lock);
}

void table_drop_name(struct table *table, struct container *c, const char *name)
{
	size_t at;

	pthread_rwlock_wrlock(&table->lock);
	if (find_name_locked(table, name, &at) && table->names[at].container == c)
		remove_name_locked(table, at);
	pthread_rwlock_unlock(&table->lock);
}

int table_copy(struct table *table, struct container ***ret, size_t *ret_count)
{
	struct container **copy;
	size_t count;

	pthread_rwlock_rdlock(&table->lock);
	count = table->order_count;
	copy = calloc(count + 1, sizeof(struct container *));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = container_ref(table->order[i]);
	pthread_rwlock_unlock(&table->lock);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	*ret_count = count;
	return 0;
}

/* --- what others ask -------------------------------------------------------- */

static struct container *find_exact_name_locked(const struct table *table, const char *name)
{
	size_t at;

	if (find_name_locked(table, name, &at) && table->names[at].live)
		return table->names[at].container;
	return NULL;
}

/* The one listed container whose id begins so; -EMLINK when there are several. */
static int find_prefix_locked(const struct table *table, const char *prefix, struct container **ret)
{
	size_t len = strlen(prefix);

	*ret = NULL;
	for (size_t i = find_id_locked(table, prefix, len); i < table->count; i++) {
		if (strncmp(table->by_id[i]->id, prefix, len) != 0)
			break;
		if (!table->by_id[i]->listed)
			continue;
		if (*ret)
			return -EMLINK;
		*ret = table->by_id[i];
	}
	return 0;
}

struct container *engine_find(struct engine *engine, const char *name)
{
	struct table *table = &engine->table;
	struct container *c;

	pthread_rwlock_rdlock(&table->lock);
	c = find_exact_name_locked(table, name);
	if (!c && (num_is_hex(name, 12) || num_is_hex(name, 64)))
		find_prefix_locked(table, name, &c);
	if (c)
		container_ref(c);
	pthread_rwlock_unlock(&table->lock);
	return c;
}

struct container *engine_find_key(struct engine *engine, uint64_t key)
{
	struct table *table = &engine->table;
	struct container *c = NULL;
	size_t low = 0, high;

	pthread_rwlock_rdlock(&table->lock);
	high = table->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (table->by_id[mid]->key < key)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < table->count && table->by_id[low]->key == key &&
	    (table->by_id[low]->listed ||
	     (table->by_id[low]->exec && atomic_load(&table->by_id[low]->exec->shown))))
		c = container_ref(table->by_id[low]);
	pthread_rwlock_unlock(&table->lock);
	return c;
}

struct container *engine_resolve(struct engine *engine, const char *ref, struct error *err)
{
	struct table *table = &engine->table;
	size_t len = strlen(ref);
	struct container *c;
	int ret = 0;

	pthread_rwlock_rdlock(&table->lock);
	c = find_exact_name_locked(table, ref);
	if (!c && len >= PREFIX_MIN && len <= 64 && num_is_hex(ref, (unsigned)len))
		ret = find_prefix_locked(table, ref, &c);
	c = ret < 0 ? NULL : c;
	if (c)
		container_ref(c);
	pthread_rwlock_unlock(&table->lock);
	if (ret < 0)
		error_set(err, EINVAL, "ambiguous: several containers begin with '%s'", ref);
	else if (!c)
		error_set(err, ENOENT, "no such container: %s", ref);
	return c;
}

int engine_list(struct engine *engine, struct container_list *ret)
{
	struct table *table = &engine->table;
	struct container_list list = { .count = 0, .views = NULL };

	pthread_rwlock_rdlock(&table->lock);
	list.views = calloc(table->order_count + 1, sizeof(struct container_view *));
	for (size_t i = table->order_count; list.views && i-- > 0;)
		list.views[list.count++] = container_get_view(table->order[i]);
	pthread_rwlock_unlock(&table->lock);
	if (!list.views)
		return -ENOMEM;
	*ret = list;
	return 0;
}

void container_list_deinit(struct container_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		container_view_unref(list->views[i]);
	free(list->views);
	list->views = NULL;
	list->count = 0;
}
