/* Names and passwords for registries, kept as Docker keeps them: {"auths": {REGISTRY: {"auth": BASE64}}} in
 * config.json, 0600. A file of Docker's or podman's can be put in its place: "https://REGISTRY/v1/" and
 * "REGISTRY/TEAM" are understood. Private to graph/.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_LOGIN_H
#define GRAPH_REGISTRY_REGISTRY_LOGIN_H

#include "base/cleanup.h"
#include "base/error.h"

/* "user:password", wiped when freed; NULL: none is known. */
struct login {
	char *text;
};
void login_deinit(struct login *login);
DEFINE_AUTO_DEINIT(struct login, login_deinit);

/* -ENOMEM, or -EINVAL when the user's name has a colon or either is empty. */
int login_make(const char *user, const char *password, struct login *ret, struct error *err);
/* The value of an Authorization header; heap, to be wiped by its owner; NULL: no memory. */
char *login_dup_basic(const struct login *login);

/* dir_fd: the directory of config.json; -1: there is none yet. A file that cannot be read is an error.
 * repository: of an entry for a part of the registry ("host/team", as podman has them) the longest that covers it
 * is taken; "": only one for all of it. */
int login_read(int dir_fd, const char *registry, const char *repository, struct login *ret,
	       struct error *err);
/* Durable. login NULL: forget it; that there is none is no failure. */
int login_write(int dir_fd, const char *registry, const struct login *login, struct error *err);

#endif
