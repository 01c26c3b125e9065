/* Which containers `ps` shows: its --filter KEY=VALUE, -a, -n and -l.
 *
 * As docker does it: several filters of one key are alternatives, except labels,
 * which must all be there; different keys must all be met. A key that speaks of
 * states looks at all containers, and so does a number of newest ones.
 */
#include "fs/render/render_private.h"

#include "base/num.h"

#include <string.h>

#define ID_LEN 64
#define DIGEST "sha256:"

/* Most filters look at one container alone. */
#define UNUSED_LIST __attribute__((unused)) const struct container_list *list

/* --- one filter ---------------------------------------------------------------- */

static int check_status(UNUSED_LIST, const char *value, struct error *err)
{
	static const char *const names[] = { "created", "running",  "paused", "restarting",
					     "exited",  "removing", "dead" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0)
			return 0;
	}
	return error_set(err, EINVAL,
			 "unknown status '%s'; created, running, paused, restarting or exited",
			 value);
}

static bool match_status(UNUSED_LIST, const struct container_view *view, const char *value)
{
	return strcmp(container_state_get_name(view->state), value) == 0;
}

static int check_exited(UNUSED_LIST, const char *value, struct error *err)
{
	int64_t code;

	if (num_parse_i64(value, INT32_MIN, INT32_MAX, &code) < 0)
		return error_set(err, EINVAL, "'%s' is not an exit code", value);
	return 0;
}

static bool match_exited(UNUSED_LIST, const struct container_view *view, const char *value)
{
	int64_t code;

	return view->state == CONTAINER_EXITED &&
	       num_parse_i64(value, INT32_MIN, INT32_MAX, &code) == 0 && view->exit_code == code;
}

/* A part of the name; ^ and $ anchor it, a leading slash is docker's. */
static bool match_name(UNUSED_LIST, const struct container_view *view, const char *value)
{
	size_t name_len = strlen(view->name), len;
	bool at_start = *value == '^';
	bool at_end;

	value += at_start;
	value += *value == '/';
	len = strlen(value);
	at_end = len > 0 && value[len - 1] == '$';
	len -= at_end;
	if (len > name_len)
		return false;
	for (size_t at = at_end ? name_len - len : 0; at + len <= name_len; at++) {
		if (memcmp(view->name + at, value, len) == 0)
			return at == 0 || !at_start;
		if (at_start)
			return false;
	}
	return false;
}

static bool match_id(UNUSED_LIST, const struct container_view *view, const char *value)
{
	return strncmp(view->id, value, strlen(value)) == 0;
}

/* The same reference, ":latest" said or not. */
static bool is_same_image(const char *written, const char *value)
{
	static const char latest[] = ":latest";
	size_t len = strlen(value), written_len = strlen(written);
	const char *rest;

	if (written_len < len)
		return is_same_image(value, written);
	rest = written + len;
	return strncmp(written, value, len) == 0 && (*rest == '\0' || strcmp(rest, latest) == 0);
}

static bool match_ancestor(UNUSED_LIST, const struct container_view *view, const char *value)
{
	size_t len;

	if (is_same_image(json_get_str(view->config, "Image", ""), value))
		return true;
	if (strncmp(value, DIGEST, strlen(DIGEST)) == 0)
		value += strlen(DIGEST);
	len = strlen(value);
	return len >= 4 && len <= ID_LEN && strncmp(view->image_id, value, len) == 0;
}

static bool match_label(UNUSED_LIST, const struct container_view *view, const char *value)
{
	json_t *labels = json_get_object(view->effective, "Labels");
	const char *equals = strchr(value, '=');
	const char *name;
	json_t *item;

	json_object_foreach(labels, name, item) {
		size_t len = strlen(name);
		const char *text = json_string_value(item);

		if (!equals && strcmp(name, value) == 0)
			return true;
		if (equals && len == (size_t)(equals - value) && memcmp(name, value, len) == 0)
			return text && strcmp(text, equals + 1) == 0;
	}
	return false;
}

/* The container that a filter names: its name, or an id's first 4 digits or more. */
static const struct container_view *find_named(const struct container_list *list, const char *value)
{
	const struct container_view *found = NULL;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->views[i]->name, value) == 0)
			return list->views[i];
		if (strlen(value) >= 4 && strncmp(list->views[i]->id, value, strlen(value)) == 0)
			found = list->views[i];
	}
	return found;
}

static int check_named(const struct container_list *list, const char *value, struct error *err)
{
	return find_named(list, value) ? 0 : error_set(err, ENOENT, "no such container: %s", value);
}

static bool match_before(const struct container_list *list, const struct container_view *view,
			 const char *value)
{
	const struct container_view *other = find_named(list, value);

	return other && view->created_ns < other->created_ns;
}

static bool match_since(const struct container_list *list, const struct container_view *view,
			const char *value)
{
	const struct container_view *other = find_named(list, value);

	return other && view->created_ns > other->created_ns;
}

/* The name of a volume or a source, or where it is mounted. */
static bool match_volume(UNUSED_LIST, const struct container_view *view, const char *value)
{
	json_t *host = json_get_object(view->effective, "HostConfig"), *bind;
	size_t i, len = strlen(value);

	if (json_object_get(json_get_object(view->effective, "Volumes"), value))
		return true;
	json_array_foreach(json_get_array(host, "Binds"), i, bind) {
		const char *text = json_string_value(bind);
		const char *target = text ? strchr(text, ':') : NULL;

		if (!target)
			continue;
		if (len == (size_t)(target - text) && memcmp(text, value, len) == 0)
			return true;
		if (strcspn(target + 1, ":") == len && memcmp(target + 1, value, len) == 0)
			return true;
	}
	return false;
}

static bool match_network(UNUSED_LIST, const struct container_view *view, const char *value)
{
	json_t *host = json_get_object(view->effective, "HostConfig");
	const char *mode = json_get_str(host, "NetworkMode", "");

	if (json_get_bool(view->effective, "NetworkDisabled", false))
		mode = "none";
	return strcmp(*mode ? mode : "default", value) == 0;
}

/* --- all of them ---------------------------------------------------------------- */

static const struct filter_key {
	const char *name;
	bool (*match)(const struct container_list *list, const struct container_view *view,
		      const char *value);
	/* NULL: any value will do */
	int (*check)(const struct container_list *list, const char *value, struct error *err);
	bool every;  /* all of this key must match */
	bool states; /* speaks of all states */
} filter_keys[] = {
	{ "status", match_status, check_status, .states = true },
	{ "exited", match_exited, check_exited, .states = true },
	{ "name", match_name, NULL, .every = false },
	{ "id", match_id, NULL, .every = false },
	{ "ancestor", match_ancestor, NULL, .every = false },
	{ "label", match_label, NULL, .every = true },
	{ "before", match_before, check_named, .every = true },
	{ "since", match_since, check_named, .every = true },
	{ "volume", match_volume, NULL, .every = false },
	{ "network", match_network, NULL, .every = false },
};
#define KEY_COUNT (sizeof(filter_keys) / sizeof(filter_keys[0]))

/* The value if the filter "KEY=VALUE" is of this key, else NULL. */
static const char *get_value(const struct filter_key *key, const char *filter)
{
	size_t len = strlen(key->name);

	return strncmp(filter, key->name, len) == 0 && filter[len] == '=' ? filter + len + 1 : NULL;
}

static int check_filter(const struct container_list *list, const char *filter, struct error *err)
{
	if (!strchr(filter, '='))
		return error_set(err, EINVAL, "filter '%s' is not KEY=VALUE", filter);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		const char *value = get_value(&filter_keys[i], filter);

		if (value)
			return filter_keys[i].check ? filter_keys[i].check(list, value, err) : 0;
	}
	return error_set(err, EINVAL,
			 "unknown filter '%s'; status, exited, name, id, ancestor, label, before, "
			 "since, volume or network",
			 filter);
}

int render_filter_check(const struct container_list *list, char *const *filters, struct error *err)
{
	int r = 0;

	for (; r == 0 && filters && *filters; filters++)
		r = check_filter(list, *filters, err);
	return r;
}

static bool match_key(const struct container_list *list, const struct filter_key *key,
		      char *const *filters, const struct container_view *view)
{
	bool any = false, matched = false;

	for (; *filters; filters++) {
		const char *value = get_value(key, *filters);

		if (!value)
			continue;
		any = true;
		matched = key->match(list, view, value);
		if (matched != key->every)
			break;
	}
	return matched || !any;
}

static bool speaks_of_states(char *const *filters)
{
	for (; *filters; filters++) {
		for (size_t i = 0; i < KEY_COUNT; i++) {
			if (filter_keys[i].states && get_value(&filter_keys[i], *filters))
				return true;
		}
	}
	return false;
}

bool render_filter_match(const struct container_list *list, const struct render_ps_options *options,
			 const struct container_view *view)
{
	bool alive = view->state != CONTAINER_CREATED && view->state != CONTAINER_EXITED;
	static char *const none[] = { NULL };
	char *const *filters = options->filters ? options->filters : none;

	if (!alive && !options->all && !options->latest && options->limit <= 0 &&
	    !speaks_of_states(filters))
		return false;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (!match_key(list, &filter_keys[i], filters, view))
			return false;
	}
	return true;
}
