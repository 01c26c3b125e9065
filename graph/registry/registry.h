/* Images between machines: pull, push and login, by the OCI distribution protocol.
 *
 * All of them block, on worker threads; they ask `watch` ten times a second whether the caller has gone, and
 * show it how far they are. Errors of all: -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET, -ETIMEDOUT (the
 * registry), -EACCES (password, certificate), -ENOENT (no such image), -EBADMSG (a digest), -EINVAL (names,
 * rubbish in an answer), -ENOTSUP, -EINTR, and what the disk gives; each with one
 * sentence that names the image and the registry.
 *
 * ROOT/registry/config.json (0600) has passwords; ROOT/registry/certs.d/HOST:PORT/ or else
 * /etc/containerfs/certs.d/HOST:PORT/ may have *.crt (roots that are trusted besides the system's), NAME.cert
 * with NAME.key (ours), and a file `insecure` (plain http and any certificate will do).
 */
#ifndef GRAPH_REGISTRY_REGISTRY_H
#define GRAPH_REGISTRY_REGISTRY_H

#include "graph/graph.h"

#include "base/strbuf.h"

struct registries;

struct registries_options {
	const char *root;             /* ROOT */
	const char *default_registry; /* of names without a host */
	struct graph *graph;          /* borrowed */
	unsigned stall_ms; /* a registry that is silent for so long is given up; 0: a minute */
};

int registries_open(const struct registries_options *options, struct registries **ret,
		    struct error *err);
/* Nothing is under way any more. NULL is fine. */
void registries_close(struct registries *registries);
DEFINE_AUTO(struct registries *, registries_close);

struct registry_watch {
	bool (*is_cancelled)(void *arg);
	/* The lines of the reply as they stand; on the caller's thread, a few times a second. May be NULL. */
	void (*show)(void *arg, const struct strbuf *lines);
	void *arg;
};

struct pull_options {
	const char *name;     /* NAME[:TAG][@DIGEST] */
	const char *platform; /* "os/arch[/variant]"; NULL: this machine's */
};
/* Fetch an image, publish it, tag it as it was called. Who asks for the same at once waits for one work; it ends when
 * the last one who asked has gone.
 * lines  the reply as Docker's: a line for each layer, digest, status; appended also on failure. May be NULL. */
int registries_pull(struct registries *registries, const struct pull_options *options,
		    const struct registry_watch *watch, struct strbuf *lines,
		    char ret_id[GRAPH_ID_SIZE], struct error *err);

/* What tags a repository has: "NAME:TAG\n" each, as the registry lists them, appended to names.
 * repository: without a tag. -E2BIG: the list does not end. */
int registries_list_tags(struct registries *registries, const char *repository,
			 const struct registry_watch *watch, struct strbuf *names,
			 struct error *err);

/* Send an image to where its tag leads. lines: as above; with quiet the digest of its manifest alone. */
int registries_push(struct registries *registries, const char *name,
		    const struct registry_watch *watch, bool quiet, struct strbuf *lines,
		    struct error *err);

/* Try a name and password, and keep them. registry NULL: the default. */
int registries_login(struct registries *registries, const char *registry, const char *user,
		     const char *password, const struct registry_watch *watch, struct error *err);
/* Forget them; that there were none is no failure. */
int registries_logout(struct registries *registries, const char *registry, struct error *err);

#endif
