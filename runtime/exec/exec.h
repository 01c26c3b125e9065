/* Further processes in a container that runs.
 *
 * An exec is a struct container of its own kind: it has a key, a state, runs, a log,
 * a shim and an exit code as a container has, and what runtime/engine.h says of these
 * (container_get_view, container_get_exit, container_write_stdin, container_kill,
 * container_resize, container_close_stdin, container_wait...) works on it as well.
 * No listing of containers shows it, no event tells of it. It lives in
 * RUN/<12 digits of its container>/exec/<12 digits>, log included: until it or its
 * container is removed, or the machine is restarted.
 */
#ifndef RUNTIME_EXEC_EXEC_H
#define RUNTIME_EXEC_EXEC_H

#include "runtime/engine.h"

/* At most so many entries in one container, and so many commands. */
#define EXEC_MAX 1024
/* The command's reply holds so much of the output's end. */
#define EXEC_OUTPUT_MAX (1U << 20)

bool container_is_exec(const struct container *c);

/* Make an entry that can be started. Quick.
 *
 * name  as a container's
 * ret   a reference; once created by an engine that died, the same again
 *
 * -ESRCH the container does not run, -EEXIST, -EINVAL, -ENAMETOOLONG, -EAGAIN too many. */
int exec_create(struct container *c, struct ticket *ticket, const char *name,
		struct container **ret, struct error *err);
/* Start it. It may have run before: its output is then appended to.
 *
 * wanted  Cmd, and if they are there Env (more of it) Tty OpenStdin User WorkingDir
 *
 * -EBUSY it runs, or the container is paused; -ESRCH the container does not run; -ENOENT, -EACCES,
 * -ENOEXEC of the program (then it has exited with 127 or 126) or the directory; -EINVAL user;
 * -EAGAIN limit of processes. */
int exec_start(struct container *exec, struct ticket *ticket, const json_t *wanted,
	       struct error *err);
/* End it and remove it. -EBUSY: it runs in a paused container. */
int exec_remove(struct container *exec, struct ticket *ticket, struct error *err);

/* Run a process that nobody else sees to its end.
 *
 * detach    return when it runs; its output is not kept
 * output    the end of its output is appended
 * progress  NULL, or called with arg now and then while it runs, when output has what there is
 *
 * 0 with its exit code; failures as of exec_start(); -EINTR: it was ended. */
int exec_run(struct container *c, struct ticket *ticket, const json_t *wanted, bool detach,
	     struct strbuf *output, void (*progress)(void *arg), void *arg, int *ret_code,
	     struct error *err);

/* A counted reference to the entry of that name, or NULL. Never blocks. */
struct container *exec_find(struct container *c, const char *name);
/* The name of an entry, borrowed from it. */
const char *exec_get_name(const struct container *exec);
/* The entries, oldest first: each a reference, heap array. 0 or -ENOMEM. */
int exec_list(struct container *c, struct container ***ret, size_t *ret_count);

#endif
