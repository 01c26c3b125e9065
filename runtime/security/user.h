/* Who runs in a container: names resolved in the container's own files. */
#ifndef RUNTIME_SECURITY_USER_H
#define RUNTIME_SECURITY_USER_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 64

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX]; /* supplementary, the primary not repeated */
	size_t group_count;
	char home[256]; /* from passwd, else "/" */
};

/* spec     "", "name", "uid", "name:group", "uid:gid", ...; "" is root
 * more     groups besides, names or numbers, NULL-terminated; NULL: none
 * root_fd  the container's root; etc/passwd and etc/group are opened inside it
 *          only (path_open_in_root), missing files are empty ones, each read is bounded (1 MiB)
 *
 * A bare uid need not be in passwd (gid 0 then). With an explicit group no supplementary groups but
 * those of `more`, as Docker; a number of these need not be in group either.
 * -EINVAL "no user 'x' in the container's /etc/passwd"; so are files that are no
 * regular ones, larger than the bound, or reached through too many links. */
int user_resolve(int root_fd, const char *spec, const char *const *more, struct user *ret,
		 struct error *err);

/* The same from the text of the two files, which may hold any byte. A user in more than
 * USER_GROUPS_MAX groups is -E2BIG. */
int user_resolve_text(const char *passwd, size_t passwd_len, const char *group, size_t group_len,
		      const char *spec, const char *const *more, struct user *ret,
		      struct error *err);

#endif
