/* One registry for the time of one command: where it is, how it is spoken to, who we are. Private to graph/.
 *
 * Threads of one command share a session; each has an http of its own.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_SESSION_H
#define GRAPH_REGISTRY_REGISTRY_SESSION_H

#include "graph/http/http.h"
#include "graph/registry/registry.h"
#include "graph/registry/registry_challenge.h"
#include "graph/registry/registry_login.h"
#include "graph/registry/registry_name.h"

#include <pthread.h>

struct pull;

struct registries {
	struct graph *graph;
	char *root;
	char *default_registry;
	unsigned stall_ms;
	pthread_mutex_t lock; /* guards pulls, and the writing of config.json */
	struct pull *pulls;   /* under way */
};

struct session {
	struct registries *registries;
	const struct registry_name *name; /* borrowed */
	struct http_options http;
	struct strbuf ca_pem;
	char *cert, *key;
	bool is_insecure;   /* somebody put the file there */
	struct strbuf base; /* "https://host" */
	struct login login;
	/* What is asked of a token: "repository:x:pull" and more of the kind, NULL-terminated. */
	char *scopes[4];
	pthread_mutex_t lock; /* guards the rest */
	unsigned generation;  /* of authorization */
	char *authorization;  /* value of the header, or NULL */
};

/* Finds out how it is spoken to. actions: "pull", "pull,push", or NULL for none.
 * login: NULL for the one that is kept, else taken over.
 * name, is_cancelled and arg are borrowed while the session lives. */
int session_open(struct registries *registries, const struct registry_name *name,
		 const char *actions, struct login *login, bool (*is_cancelled)(void *arg),
		 void *arg, struct session **ret, struct error *err);
void session_close(struct session *session);
DEFINE_AUTO(struct session *, session_close);
/* A token is also to open another repository's blobs. Before the threads begin. */
int session_add_scope(struct session *session, const char *repository, struct error *err);
/* For one thread; NULL and a sentence when memory ran out. */
struct http *session_new_http(const struct session *session, struct error *err);

/* Ask. request->url is a path behind the base ("/v2/...") or a whole address; the password goes to the
 * registry alone. Redirects of GET and HEAD are followed. Any status is success but 401 (-EACCES).
 * ret_url (may be NULL): who answered in the end, heap. */
int session_ask(struct session *session, struct http *http, const struct http_request *request,
		struct http_answer *answer, char **ret_url, struct error *err);
/* A status that is no success as an error; what: the object ("manifest 1.2 of localhost:5000/x"). */
int session_refuse(const struct session *session, const struct http_answer *answer,
		   const char *what, struct error *err);

/* registry_token.c: make the authorization that the answer wants. generation: that of the one it refused. */
int session_authorize(struct session *session, struct http *http, const char *challenges,
		      unsigned generation, struct error *err);
/* registry_certs.c: what certs.d has about the host. */
int session_read_certs(struct session *session, struct error *err);

#endif
