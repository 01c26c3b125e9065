/* Which container has which range of ids.
 *
 * A range is a container's from the first time that its files are mounted until it is
 * removed, and is kept beside its configuration. Those of this mount's containers never
 * overlap; with other engines on the machine nothing is agreed.
 */
#ifndef RUNTIME_SECURITY_USERNS_TABLE_H
#define RUNTIME_SECURITY_USERNS_TABLE_H

#include "runtime/security/userns.h"

struct userns_table;
struct userns_table *userns_table_new(void); /* NULL: no memory */
void userns_table_free(struct userns_table *table);

/* The range of a container, chosen and kept (dir_fd: its directory) when it has none yet.
 * Thread-safe; for one id the caller has the container's turn.
 *
 * -ENOSPC: no entry for us in /etc/subuid or /etc/subgid, or nothing left in them; the sentence
 * tells what to add. */
int userns_table_claim(struct userns_table *table, const char *id, int dir_fd, struct id_range *ret,
		       struct error *err);
/* The one that it has. False, and size 0: none. */
bool userns_table_find(struct userns_table *table, const char *id, struct id_range *ret);
/* It has none from now on; nothing kept is fine. */
int userns_table_forget(struct userns_table *table, const char *id, int dir_fd, struct error *err);
/* The container has gone, its range is free. */
void userns_table_drop(struct userns_table *table, const char *id);
/* Take the range in that an earlier engine kept; *ret stays as it is when nothing was kept.
 * -EIO, -ENOMEM. */
int userns_table_load(struct userns_table *table, const char *id, int dir_fd, struct id_range *ret,
		      struct error *err);

#endif
