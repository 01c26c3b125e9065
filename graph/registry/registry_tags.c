/* Lists of tags. A list that never ends is given up; a name in it is believed when it passes the grammar of names,
 * since it becomes one here.
 */
#include "graph/registry/registry_tags.h"

#include "base/json.h"
#include "graph/registry/registry_session.h"

#include <string.h>
#include <strings.h>

#define PAGES_MAX 300
#define PAGE_BYTES_MAX (8U << 20)
#define NAMES_BYTES_MAX (8U << 20)
#define PAGE_MS 120000

/* --- text ------------------------------------------------------------------------------------------ */

static int add_name(const char *local, const char *tag, struct strbuf *names, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	char canonical[GRAPH_NAME_SIZE];
	int ret;

	strbuf_appendf(&name, "%s:%s", local, tag);
	ret = strbuf_check(&name, err);
	if (ret == 0 && strpbrk(tag, "/:@"))
		ret = error_set(err, EINVAL, "its list of tags has '%.130s', which is none", tag);
	if (ret == 0)
		ret = graph_parse_name(strbuf_get_str(&name), canonical, err);
	if (ret == 0)
		strbuf_appendf(names, "%s\n", canonical);
	return ret < 0 ? ret : strbuf_check(names, err);
}

int tags_parse(const char *text, size_t len, const char *local, struct strbuf *names,
	       struct error *err)
{
	json_t *object auto_json = NULL;
	int ret = json_parse_text(text, len, &object, err);
	const json_t *list = json_object_get(object, "tags");

	if (ret < 0)
		return error_wrap(err, ret, "its list of tags");
	if (!json_is_array(list) && !json_is_null(list))
		return error_set(err, EINVAL, "its list of tags is none");
	for (size_t i = 0; ret == 0 && i < json_array_size(list); i++) {
		const char *tag = json_string_value(json_array_get(list, i));

		ret = tag ? add_name(local, tag, names, err)
			  : error_set(err, EINVAL, "its list of tags has one that is no text");
	}
	return ret;
}

/* Do the parameters behind a target, up to the next target, say rel=next? */
static bool is_next(const char *parameters, size_t len)
{
	static const char rel[] = "rel=";

	for (size_t i = 0; i + strlen(rel) < len; i++) {
		const char *at = parameters + i;

		if (strncasecmp(at, rel, strlen(rel)) != 0)
			continue;
		at += strlen(rel);
		at += *at == '"';
		if (strncasecmp(at, "next", 4) == 0 && strchr("\";, \t", at[4]))
			return true;
	}
	return false;
}

bool tags_find_next(const char *link, struct strbuf *target)
{
	for (const char *at = strchr(link, '<'); at; at = strchr(at, '<')) {
		size_t len = strcspn(++at, "<>");
		const char *parameters = at + len;

		/* An address has no bracket in it. */
		if (*parameters == '>' && is_next(parameters, strcspn(parameters, "<"))) {
			strbuf_append(target, at, len);
			return true;
		}
		at = parameters;
	}
	return false;
}

/* --- the pages -------------------------------------------------------------------------------------- */

/* *inout_url: heap, the page's; then the next one's, or NULL. */
static int read_page(struct session *session, struct http *http, char **inout_url,
		     struct strbuf *names, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	struct http_request request = { .method = "GET",
					.url = *inout_url,
					.accept = "application/json",
					.text_max = PAGE_BYTES_MAX,
					.deadline_ms = PAGE_MS };
	auto_free char *answered = NULL;
	int ret = session_ask(session, http, &request, &answer, &answered, err);

	if (ret == 0 && answer.status != 200)
		ret = session_refuse(session, &answer, "such repository", err);
	if (ret == 0)
		ret = tags_parse(strbuf_get_str(&answer.text), answer.text.len,
				 session->name->local, names, err);
	if (ret < 0)
		return ret;
	if (names->len > NAMES_BYTES_MAX)
		return error_set(err, E2BIG, "it lists more tags than %u bytes hold",
				 NAMES_BYTES_MAX);
	free(steal_ptr(inout_url));
	if (!tags_find_next(strbuf_get_str(&answer.link), &target))
		return 0;
	ret = strbuf_check(&target, err);
	return ret < 0 ? ret : http_resolve(answered, strbuf_get_str(&target), inout_url, err);
}

static int read_pages(struct session *session, struct strbuf *names, struct error *err)
{
	struct http *http AUTO(http_free) = session_new_http(session, err);
	auto_free char *url = NULL;
	int ret = http ? 0 : -ENOMEM;

	if (ret == 0 && asprintf(&url, "/v2/%s/tags/list", session->name->repository) < 0)
		return error_set(err, ENOMEM, "out of memory for an address");
	for (int pages = 0; ret == 0 && url; pages++) {
		if (pages == PAGES_MAX)
			return error_set(err, E2BIG, "its list of tags has more than %d pages",
					 PAGES_MAX);
		ret = read_page(session, http, &url, names, err);
	}
	if (ret == 0 && names->len == 0)
		return error_set(err, ENOENT, "it has no tags");
	return ret;
}

int registries_list_tags(struct registries *registries, const char *repository,
			 const struct registry_watch *watch, struct strbuf *names,
			 struct error *err)
{
	struct session *session AUTO(session_close) = NULL;
	struct registry_name name;
	int ret = registry_name_parse(repository, registries->default_registry, &name, err);

	if (ret < 0)
		return ret;
	ret = session_open(registries, &name, "pull", NULL, watch->is_cancelled, watch->arg,
			   &session, err);
	if (ret == 0)
		ret = read_pages(session, names, err);
	return error_wrap(err, ret, "'%s' at registry %s", repository, name.registry);
}
