/* login and logout: a password is tried before it is kept. */
#include "graph/registry/registry_session.h"

#include "base/path.h"

#include <fcntl.h>
#include <string.h>

#define TEXT_MAX (1U << 16)
#define ASK_MS 120000

/* ROOT/registry, made when it is missing. */
static int open_dir(struct registries *registries, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	int ret;

	strbuf_appendf(&path, "%s/registry", registries->root);
	ret = strbuf_check(&path, err);
	return ret < 0 ? ret : path_open_dir(AT_FDCWD, strbuf_get_str(&path), 0700, err);
}

static int keep(struct registries *registries, const char *registry, const struct login *login,
		struct error *err)
{
	auto_fd int dir_fd = open_dir(registries, err);
	int ret;

	if (dir_fd < 0)
		return dir_fd;
	pthread_mutex_lock(&registries->lock);
	ret = login_write(dir_fd, registry, login, err);
	pthread_mutex_unlock(&registries->lock);
	return ret;
}

/* /v2/ is there for asking who may come in. */
static int try_login(struct session *session, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	const struct http_request request = {
		.method = "GET", .url = "/v2/", .text_max = TEXT_MAX, .deadline_ms = ASK_MS
	};
	struct http *http AUTO(http_free) = session_new_http(session, err);
	int ret = http ? session_ask(session, http, &request, &answer, NULL, err) : -ENOMEM;

	if (ret == 0 && answer.status / 100 != 2)
		ret = session_refuse(session, &answer, "login", err);
	return ret;
}

int registries_login(struct registries *registries, const char *registry, const char *user,
		     const char *password, const struct registry_watch *watch, struct error *err)
{
	AUTO(login_deinit) struct login login = { .text = NULL };
	AUTO(login_deinit) struct login copy = { .text = NULL };
	struct session *session AUTO(session_close) = NULL;
	struct registry_name name;
	int ret = registry_name_parse_host(registry, registries->default_registry, &name, err);

	if (ret == 0)
		ret = login_make(user, password, &login, err);
	if (ret == 0)
		ret = login_make(user, password, &copy, err);
	if (ret < 0)
		return ret;
	ret = session_open(registries, &name, NULL, &copy, watch->is_cancelled, watch->arg,
			   &session, err);
	if (ret == 0)
		ret = try_login(session, err);
	if (ret < 0)
		return error_wrap(err, ret, "registry %s", name.registry);
	return keep(registries, name.registry, &login, err);
}

int registries_logout(struct registries *registries, const char *registry, struct error *err)
{
	struct registry_name name;
	int ret = registry_name_parse_host(registry, registries->default_registry, &name, err);

	return ret < 0 ? ret : keep(registries, name.registry, NULL, err);
}
