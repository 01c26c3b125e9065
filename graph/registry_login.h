/* Names and passwords for registries, kept as Docker keeps them: {"auths": {REGISTRY: {"auth": BASE64}}} in
 * config.json, 0600. Private to graph/.
 */
#ifndef GRAPH_REGISTRY_LOGIN_H
#define GRAPH_REGISTRY_LOGIN_H

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

/* dir_fd: the directory of config.json; -1: there is none yet. A file that cannot be read is an error. */
int login_read(int dir_fd, const char *registry, struct login *ret, struct error *err);
/* Durable. login NULL: forget it; that there is none is no failure. */
int login_write(int dir_fd, const char *registry, const struct login *login, struct error *err);

#endif
