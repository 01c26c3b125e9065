/* From words to a command. One table of verbs gives the parser, the usage texts and
 * the tests; the parser makes a struct and does nothing.
 */
#ifndef FS_COMMAND_COMMAND_H
#define FS_COMMAND_COMMAND_H

#include "base/json.h"
#include "base/strbuf.h"
#include "fs/command/words.h"

#include <stdint.h>

enum verb {
	VERB_COMMIT,
	VERB_CREATE,
	VERB_DIFF,
	VERB_EXEC,
	VERB_HISTORY,
	VERB_IMAGES,
	VERB_IMPORT,
	VERB_INFO,
	VERB_INSPECT,
	VERB_KILL,
	VERB_LOAD,
	VERB_LOGIN,
	VERB_LOGOUT,
	VERB_PAUSE,
	VERB_PORT,
	VERB_PRUNE,
	VERB_PS,
	VERB_PULL,
	VERB_PUSH,
	VERB_RENAME,
	VERB_RESTART,
	VERB_RM,
	VERB_RMI,
	VERB_RUN,
	VERB_START,
	VERB_STATS,
	VERB_STOP,
	VERB_TAG,
	VERB_TOP,
	VERB_UNPAUSE,
	VERB_UPDATE,
	VERB_VERSION,
	VERB_WAIT,
	/* only in a container's ctl */
	VERB_CLOSESTDIN,
	VERB_RESIZE
};

/* May an image come from a registry? */
enum pull_policy { PULL_NEVER, PULL_MISSING, PULL_ALWAYS };

struct command {
	enum verb verb;
	/* create, run: checked and normalised by config_apply(), which takes it as a patch
	 * too; update: a patch for it; else NULL */
	json_t *config;
	/* create, run: --name or NULL; rename: the new name; tag: the new tag; import: the
	 * tag or NULL; commit: the tag or NULL */
	char *name;
	char *platform; /* pull, import, load, create, run: os/arch[/variant], or NULL */
	char *registry, *user, *password; /* login, logout; registry NULL: the default */
	char *image; /* create, run, tag, history, pull, push: the image; images: a pattern or NULL */
	char *source;   /* import, load: path, or URL; port: "80/tcp" or NULL */
	char *message;  /* commit, import: -m, or NULL */
	char *author;   /* commit: -a, or NULL */
	char **changes; /* commit, import: each -c, NULL-terminated, or NULL */
	bool pause;     /* commit: unless --pause=false */
	char **targets; /* names, NULL-terminated; in a container's ctl: empty */
	size_t target_count;
	int signo;             /* kill (9 by default); stop, restart -s (0: configured) */
	int64_t timeout_s;     /* stop, restart: -1 when not given */
	bool remove;           /* run --rm (also in config as AutoRemove) */
	bool detach;           /* run -d: said, though a control file always is */
	enum pull_policy pull; /* create, run: never unless said */
	bool force, volumes;   /* options of rm, rmi, tag, prune */
	bool dry_run;          /* prune -n */
	bool digests;          /* images --digests */
	bool all, quiet, latest, no_trunc, size; /* options of ps, images, history */
	int64_t limit;                           /* ps -n; -1: none */
	char **filters;                          /* ps --filter K=V, NULL-terminated, or NULL */
	char *type;          /* inspect --type: "container" or "image", or NULL */
	char *format;        /* ps, images, stats, inspect --format, or NULL */
	unsigned rows, cols; /* resize */
	unsigned port_count; /* named by -p and --expose: what a few words can make is bounded */
};
void command_deinit(struct command *command);
DEFINE_AUTO_DEINIT(struct command, command_deinit);

/* Parse one non-empty line of words.
 *
 * container  NULL in MNT/ctl; else the container whose ctl it is: its name is left
 *            out of the words, and a command that is not about one container is
 *            -EINVAL
 *
 * -EINVAL with a sentence that quotes the word at fault ("run: unknown option
 * '--nmae'", "unknown command 'foo'; see MNT/help"), -ENOTSUP for the words of cfs
 * (attach cp events export logs save), naming the file to use. Options are Docker's
 * and never abbreviated; those of create and run end at the image. */
int command_parse(const struct words *words, const char *container, struct command *ret,
		  struct error *err);

/* The same in the ctl of an entry of exec/, which is called `name`: run, kill, resize, closestdin. */
int command_parse_exec(const struct words *words, const char *name, struct command *ret,
		       struct error *err);

/* Must a signal to the caller interrupt it (stop restart wait import ...)? */
bool command_is_interruptible(const struct command *command);
const char *verb_get_name(enum verb verb);
/* Usage of all commands (or those of a container's ctl), for `help` and a ctl not written yet. */
void command_render_help(bool in_container, struct strbuf *out);
void command_render_exec_help(struct strbuf *out); /* of those in an entry of exec/ */

#endif
