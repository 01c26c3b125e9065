/* What the parts of perform share. Private to perform*.c. */
#ifndef FS_PERFORM_PRIVATE_H
#define FS_PERFORM_PRIVATE_H

#include "fs/perform.h"

struct job {
	const struct perform_context *context;
	const struct command *command;
	struct strbuf *reply;
};

/* Each carries one kind of command out: 0, or -errno with a sentence without the command's word. */
int perform_create(const struct job *job, struct error *err); /* create, run */
int perform_commit(const struct job *job, struct error *err);
int perform_import(const struct job *job, struct error *err);
int perform_containers(const struct job *job,
		       struct error *err); /* all that take containers' names */
int perform_exec(const struct job *job, struct error *err);
int perform_rmi(const struct job *job, struct error *err);
int perform_tag(const struct job *job, struct error *err);
int perform_pull(const struct job *job, struct error *err);
int perform_push(const struct job *job, struct error *err);
int perform_login(const struct job *job, struct error *err);
int perform_logout(const struct job *job, struct error *err);
int perform_ps(const struct job *job, struct error *err);
int perform_images(const struct job *job, struct error *err);
int perform_diff(const struct job *job, struct error *err);
int perform_port(const struct job *job, struct error *err);
int perform_top(const struct job *job, struct error *err);
int perform_stats(const struct job *job, struct error *err);
int perform_prune(const struct job *job, struct error *err);
int perform_history(const struct job *job, struct error *err);
int perform_inspect(const struct job *job, struct error *err);
int perform_info(const struct job *job, struct error *err);
int perform_version(const struct job *job, struct error *err);

/* perform_registry.c: fetch the image that create or run needs, as --pull says; its lines are shown and
 * taken back. Its id is *ret_id, "" when nothing was fetched. */
int perform_fetch_image(const struct job *job, struct error *err);

/* Append a name to the reply when the command had several. */
void perform_append_name(const struct job *job, const char *name);
/* Has an earlier engine begun this command, and come as far as to note something? */
bool perform_was_begun(const struct job *job);

#endif
