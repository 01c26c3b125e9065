/* The grammar of image names, folders and ids; text only, no store. */
#ifndef GRAPH_NAME_H
#define GRAPH_NAME_H

#include "graph/digest.h"
#include "graph/graph.h"

/* A folder of names ("team", "localhost:5000/team") as graph_make_folder() takes
 * it: components without a tag. 0, -EINVAL or -ENAMETOOLONG with a sentence. */
int name_check_folder(const char *path, struct error *err);

/* "NAME[:TAG]@sha256:DIGITS" in two: NAME:TAG, canonical, and the digits; "" without an '@'. */
int name_split_digest(const char *text, char ret_name[GRAPH_NAME_SIZE],
		      char ret_digest[DIGEST_SIZE], struct error *err);
/* How long the repository of a canonical name is, with a tag or a digest. */
size_t name_get_repository_len(const char *name);

/* Does name lie in folder ("team" holds "team/a:1" and "team/sub", not itself)? */
bool name_is_below(const char *name, const char *folder);

/* How long the host of a registry is that a name begins with, without its '/'; 0: there is none. Docker's
 * rule: a first component that has a '.', a ':' or an upper-case letter in it, or is "localhost". */
size_t name_get_host_len(const char *name);

#endif
