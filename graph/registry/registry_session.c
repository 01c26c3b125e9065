/* Asking a registry: the right scheme, the right password, and redirects that do not carry it away.
 *
 * A loopback registry is asked by plain http whether it wants TLS. Others get https; when certs.d says `insecure`,
 * they are asked by https first, and by http when nobody there speaks TLS: a certificate that is not trusted
 * is no reason for that.
 */
#include "graph/registry/registry_session.h"

#include "base/json.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>

#define STALL_MS 60000
#define CONNECT_MS 30000
#define ASK_TIMES_MAX 3 /* first, with a password, with a newer token */
#define PING_MS 5000    /* a server that speaks plain http may wait for a line that does not come */

/* --- all registries -------------------------------------------------------------------------- */

int registries_open(const struct registries_options *options, struct registries **ret,
		    struct error *err)
{
	struct registries *registries = calloc(1, sizeof(*registries));

	if (!registries)
		return error_set(err, ENOMEM, "out of memory for registries");
	pthread_mutex_init(&registries->lock, NULL);
	registries->graph = options->graph;
	registries->stall_ms = options->stall_ms ? options->stall_ms : STALL_MS;
	registries->root = strdup(options->root);
	registries->default_registry = strdup(options->default_registry);
	if (!registries->root || !registries->default_registry) {
		registries_close(registries);
		return error_set(err, ENOMEM, "out of memory for registries");
	}
	*ret = registries;
	return 0;
}

void registries_close(struct registries *registries)
{
	if (!registries)
		return;
	pthread_mutex_destroy(&registries->lock);
	free(registries->root);
	free(registries->default_registry);
	free(registries);
}

/* --- a session --------------------------------------------------------------------------------- */

void session_close(struct session *session)
{
	if (!session)
		return;
	if (session->authorization)
		explicit_bzero(session->authorization, strlen(session->authorization));
	free(session->authorization);
	for (size_t i = 0; session->scopes[i]; i++)
		free(session->scopes[i]);
	login_deinit(&session->login);
	strbuf_deinit(&session->ca_pem);
	strbuf_deinit(&session->base);
	free(session->cert);
	free(session->key);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

static int add_scope(struct session *session, const char *repository, const char *actions,
		     struct error *err)
{
	size_t count = 0;
	char *scope;

	while (session->scopes[count])
		count++;
	if (count + 1 >= sizeof(session->scopes) / sizeof(session->scopes[0]))
		return 0; /* one more repository to mount from would be convenient, no more */
	if (asprintf(&scope, "repository:%s:%s", repository, actions) < 0)
		return error_set(err, ENOMEM, "out of memory for a token");
	session->scopes[count] = scope;
	return 0;
}

int session_add_scope(struct session *session, const char *repository, struct error *err)
{
	return add_scope(session, repository, "pull", err);
}

static int read_login(struct session *session, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	int ret;

	strbuf_appendf(&path, "%s/registry", session->registries->root);
	ret = strbuf_check(&path, err);
	if (ret < 0)
		return ret;
	auto_fd int dir_fd = open(strbuf_get_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return login_read(dir_fd, session->name->registry, session->name->repository,
			  &session->login, err);
}

static void set_base(struct session *session, const char *scheme)
{
	strbuf_reset(&session->base);
	strbuf_appendf(&session->base, "%s://%s", scheme, session->name->host);
}

struct http *session_new_http(const struct session *session, struct error *err)
{
	struct http *http = http_new(&session->http);

	if (!http)
		error_set(err, ENOMEM, "out of memory for a connection");
	return http;
}

/* Ask whether it is there. */
static int ping(struct session *session, const char *scheme, int *ret_status, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf url = STRBUF_INIT;
	struct http *http AUTO(http_free) = session_new_http(session, err);
	struct http_request request = { .method = "GET",
					.text_max = 1U << 16,
					.deadline_ms = PING_MS };
	int ret;

	if (!http)
		return -ENOMEM;
	set_base(session, scheme);
	strbuf_appendf(&url, "%s/v2/", strbuf_get_str(&session->base));
	ret = strbuf_check(&url, err);
	request.url = strbuf_get_str(&url);
	if (ret == 0)
		ret = http_perform(http, &request, &answer, err);
	*ret_status = answer.status;
	return ret;
}

static bool has_port(const char *host)
{
	const char *bracket = strrchr(host, ']');

	return strchr(bracket ? bracket : host, ':') != NULL;
}

/* Whoever wants TLS answers a plain request at once, by an alert, status 400 or a redirect; the other way round many a server
 * waits for the end of a line. */
static int try_plain(struct session *session, bool *ret_is_plain, struct error *err)
{
	int status = 0;
	int ret = ping(session, "http", &status, err);

	*ret_is_plain = ret == 0 ? status != 400 && status / 100 != 3 : ret == -ETIMEDOUT;
	return ret;
}

static int try_tls(struct session *session, bool *ret_is_plain, struct error *err)
{
	int status = 0;
	int ret = ping(session, "https", &status, err);

	*ret_is_plain =
		ret == -EPROTO || ret == -ECONNRESET || ret == -ECONNREFUSED || ret == -ETIMEDOUT;
	return ret;
}

/* https, or plain http where that is good enough and https is not spoken. */
static int choose_scheme(struct session *session, struct error *err)
{
	struct error inner = ERROR_INIT;
	bool is_plain = false;
	int ret = 0;

	/* Without a port https and http are two servers. */
	if (session->name->is_loopback && has_port(session->name->host))
		ret = try_plain(session, &is_plain, &inner);
	else if (session->name->is_loopback || session->is_insecure)
		ret = try_tls(session, &is_plain, &inner);
	if (ret == -EINTR || ret == -ENOMEM)
		return error_set(err, -ret, "%s", inner.msg);
	set_base(session, is_plain ? "http" : "https");
	return strbuf_check(&session->base, err);
}

int session_open(struct registries *registries, const struct registry_name *name,
		 const char *actions, struct login *login, bool (*is_cancelled)(void *arg),
		 void *arg, struct session **ret, struct error *err)
{
	struct session *session AUTO(session_close) = NULL;
	struct session *made = calloc(1, sizeof(*made));
	int r = 0;

	if (!made)
		return error_set(err, ENOMEM, "out of memory for a registry");
	pthread_mutex_init(&made->lock, NULL);
	session = made;
	session->registries = registries;
	session->name = name;
	if (login)
		session->login = (struct login){ .text = steal_ptr(&login->text) };
	else
		r = read_login(session, err);
	if (r == 0 && actions)
		r = add_scope(session, name->repository, actions, err);
	if (r == 0)
		r = session_read_certs(session, err);
	if (r < 0)
		return r;
	session->http = (struct http_options){
		.ca_pem = session->ca_pem.len ? strbuf_get_str(&session->ca_pem) : NULL,
		.cert = session->cert,
		.key = session->key,
		.no_verify = session->is_insecure,
		.ca_place = "ROOT/registry/certs.d/HOST:PORT/ca.crt",
		.stall_ms = registries->stall_ms,
		.connect_ms = registries->stall_ms < CONNECT_MS ? registries->stall_ms : CONNECT_MS,
		.is_cancelled = is_cancelled,
		.arg = arg,
	};
	r = choose_scheme(session, err);
	if (r == 0)
		*ret = steal_ptr(&session);
	return r;
}

/* --- asking --------------------------------------------------------------------------------------- */

static char *dup_authorization(struct session *session, unsigned *ret_generation)
{
	char *ret;

	pthread_mutex_lock(&session->lock);
	ret = session->authorization ? strdup(session->authorization) : NULL;
	*ret_generation = session->generation;
	pthread_mutex_unlock(&session->lock);
	return ret;
}

/* One question with the redirects behind it. */
static int ask_once(struct session *session, struct http *http, struct http_request request,
		    struct http_answer *answer, char **inout_url, unsigned *ret_generation,
		    struct error *err)
{
	auto_free char *authorization = dup_authorization(session, ret_generation);
	int ret;

	request.authorization = authorization;
	ret = http_follow(http, &request, strbuf_get_str(&session->base), session->is_insecure,
			  answer, inout_url, err);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	return ret;
}

/* The address of a path, or of where the registry said that something goes on. */
static int make_url(const struct session *session, const char *url, char **ret, struct error *err)
{
	const char *base = strbuf_get_str(&session->base);

	if (*url != '/' && http_is_tls(base) && !http_is_tls(url) && !session->is_insecure)
		return error_set(err, EACCES, "it leads from https to '%.100s'", url);
	if (asprintf(ret, "%s%s", *url == '/' ? base : "", url) < 0) {
		*ret = NULL;
		return error_set(err, ENOMEM, "out of memory for an address");
	}
	return 0;
}

/* What an answer wants before it is one. Somebody else behind a redirect must not have the password. */
static int authorize(struct session *session, struct http *http, const struct http_answer *answer,
		     const char *url, unsigned generation, struct error *err)
{
	if (!http_is_same_origin(url, strbuf_get_str(&session->base)))
		return error_set(err, EACCES, "it leads to '%.100s', which wants a password", url);
	return session_authorize(session, http, strbuf_get_str(&answer->challenges), generation,
				 err);
}

int session_ask(struct session *session, struct http *http, const struct http_request *request,
		struct http_answer *answer, char **ret_url, struct error *err)
{
	for (int times = 1;; times++) {
		auto_free char *url = NULL;
		unsigned generation = 0;
		int ret = make_url(session, request->url, &url, err);

		if (ret == 0)
			ret = ask_once(session, http, *request, answer, &url, &generation, err);
		if (ret < 0)
			return ret;
		if (answer->status != 401) {
			if (ret_url)
				*ret_url = steal_ptr(&url);
			return 0;
		}
		if (times == ASK_TIMES_MAX)
			return session_refuse(session, answer, "it", err);
		ret = authorize(session, http, answer, url, generation, err);
		if (ret < 0)
			return ret;
	}
}

/* --- refusals --------------------------------------------------------------------------------------- */

/* What the registry says itself, if it says anything: {"errors": [{"code", "message"}]}. */
static void append_message(const struct http_answer *answer, struct strbuf *out)
{
	json_t *object auto_json = NULL;
	json_t *first;
	const char *message;

	if (json_parse_text(strbuf_get_str(&answer->text), answer->text.len, &object, NULL) < 0)
		return;
	first = json_array_get(json_get_array(object, "errors"), 0);
	message = json_get_str(first, "message", NULL);
	if (!message || !*message)
		message = json_get_str(first, "code", NULL);
	if (message && *message)
		strbuf_appendf(out, ": %.160s", message);
}

int session_refuse(const struct session *session, const struct http_answer *answer,
		   const char *what, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;

	if (answer->status == 401) {
		if (session->login.text)
			return error_set(err, EACCES,
					 "wrong user name or password, or not allowed");
		return error_set(err, EACCES, "it wants a user name and password; use login");
	}
	append_message(answer, &message);
	if (answer->status == 404)
		return error_set(err, ENOENT, "there is no %s%s", what, strbuf_get_str(&message));
	return error_set(err, http_get_errno(answer->status), "%s: status %d%s", what,
			 answer->status, strbuf_get_str(&message));
}
