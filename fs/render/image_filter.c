/* A pattern is a shell's, for the repository or for all of the name; a slash is matched by a
 * slash only. What has no name matches no pattern.
 */
#include "fs/render/image_filter.h"

#include "graph/name.h"

#include <fnmatch.h>
#include <string.h>

static const char *get_value(const char *filter, const char *key)
{
	size_t len = strlen(key);

	return strncmp(filter, key, len) == 0 ? filter + len : NULL;
}

/* --- reading ---------------------------------------------------------------------- */

static int read_dangling(struct image_filter *filter, const char *value, struct error *err)
{
	bool is_true = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;

	if (!is_true && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return error_set(err, EINVAL, "dangling is true or false, not '%s'", value);
	if (is_true)
		filter->dangling = true;
	else
		filter->tagged = true;
	return 0;
}

static int find_time(struct graph *graph, const char *name, int64_t *ret_ns, struct error *err)
{
	AUTO(image_unref) struct image *image = graph_find_image(graph, name, err);

	if (!image)
		return -err->code;
	*ret_ns = image->created_ns;
	return 0;
}

static int read_before(struct graph *graph, struct image_filter *filter, const char *name,
		       struct error *err)
{
	int64_t time_ns = 0;
	int r = find_time(graph, name, &time_ns, err);

	if (r == 0 && time_ns < filter->before_ns)
		filter->before_ns = time_ns;
	return r;
}

static int read_since(struct graph *graph, struct image_filter *filter, const char *name,
		      struct error *err)
{
	int64_t time_ns = 0;
	int r = find_time(graph, name, &time_ns, err);

	if (r == 0 && time_ns > filter->since_ns)
		filter->since_ns = time_ns;
	return r;
}

static int read_one(struct graph *graph, struct image_filter *filter, const char *text,
		    struct error *err)
{
	const char *value;

	if ((value = get_value(text, "dangling=")))
		return read_dangling(filter, value, err);
	if ((value = get_value(text, "before=")))
		return read_before(graph, filter, value, err);
	if ((value = get_value(text, "since=")))
		return read_since(graph, filter, value, err);
	if (get_value(text, "reference=")) {
		filter->has_reference = true;
		return 0;
	}
	if (get_value(text, "label="))
		return 0;
	return error_set(err, EINVAL,
			 "unknown filter '%s'; dangling, reference, before, since or label", text);
}

int image_filter_read(struct graph *graph, char *const *filters, struct image_filter *ret,
		      struct error *err)
{
	struct image_filter filter = { .filters = filters,
				       .before_ns = INT64_MAX,
				       .since_ns = INT64_MIN };
	int r = 0;

	for (; r == 0 && filters && *filters; filters++)
		r = read_one(graph, &filter, *filters, err);
	if (r == 0)
		*ret = filter;
	return r;
}

/* --- matching ---------------------------------------------------------------------- */

static bool match_name(const char *name, const char *pattern)
{
	char repository[GRAPH_NAME_SIZE];
	size_t len = name ? name_get_repository_len(name) : 0;

	if (!name)
		return false;
	if (fnmatch(pattern, name, FNM_PATHNAME) == 0)
		return true;
	if (len >= sizeof(repository))
		return false;
	memcpy(repository, name, len);
	repository[len] = '\0';
	return fnmatch(pattern, repository, FNM_PATHNAME) == 0;
}

static bool match_label(const struct image *image, const char *wanted)
{
	json_t *labels = json_get_object(json_get_object(image->config, "config"), "Labels");
	const char *equals = strchr(wanted, '=');
	size_t len = equals ? (size_t)(equals - wanted) : strlen(wanted);
	const char *value = json_string_value(json_object_getn(labels, wanted, len));

	return value && (!equals || strcmp(value, equals + 1) == 0);
}

static bool match_texts(const struct image_filter *filter, const struct image *image,
			const char *name)
{
	bool has_name = !filter->has_reference;

	for (char *const *at = filter->filters; at && *at; at++) {
		const char *label = get_value(*at, "label=");
		const char *pattern = get_value(*at, "reference=");

		if (label && !match_label(image, label))
			return false;
		has_name = has_name || (pattern && match_name(name, pattern));
	}
	return has_name;
}

bool image_filter_match(const struct image_filter *filter, const char *pattern,
			const struct image *image, const char *name)
{
	if (pattern && !match_name(name, pattern))
		return false;
	if (!filter)
		return true;
	bool is_tagged = name && !strchr(name, '@');
	if ((filter->dangling && is_tagged) || (filter->tagged && !is_tagged))
		return false;
	return image->created_ns < filter->before_ns && image->created_ns > filter->since_ns &&
	       match_texts(filter, image, name);
}
