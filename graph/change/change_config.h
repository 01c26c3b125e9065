/* Changes of an image's configuration, written as the instructions of a Dockerfile:
 * what `commit -c` and `import -c` take.
 */
#ifndef GRAPH_CHANGE_CHANGE_CONFIG_H
#define GRAPH_CHANGE_CHANGE_CONFIG_H

#include "base/json.h"

/* Apply instructions, one a text, in their order.
 *
 * config   the object "config" of an OCI image config, borrowed and not changed; NULL: an empty one
 * changes  NULL-terminated, or NULL: none
 * ret      a new object; keys that nobody changed are as they were
 *
 * CMD and ENTRYPOINT take a JSON list or a line for the shell (the Shell of config, else /bin/sh -c);
 * ENTRYPOINT drops a Cmd that no change before it has set. ENV and LABEL take K=V... or K REST,
 * EXPOSE PORT[-PORT][/PROTO]..., VOLUME a JSON list or paths, WORKDIR a path (a relative one continues
 * the one before), USER, STOPSIGNAL and ONBUILD the rest of the line. Words know quotes and
 * backslashes; $NAME, ${NAME}, ${NAME:-WORD} and ${NAME:+WORD} are taken from Env as it was before
 * the instruction, but in CMD, ENTRYPOINT and ONBUILD.
 *
 * 0; -EINVAL with a sentence that quotes the instruction; -ENOMEM. Source: Docker's Dockerfile reference. */
int change_config(const json_t *config, char *const *changes, json_t **ret, struct error *err);

#endif
