/* What a configuration says of a mount, as text, taken apart: one grammar for
 * checking and for doing. No I/O.
 *
 *   Binds   SOURCE:TARGET[:MODE]; in SOURCE and TARGET "\:" is a colon
 *   Mounts  {"Type", "Source", "Target", "ReadOnly", "BindOptions", "VolumeOptions", "TmpfsOptions"}
 *   Tmpfs   TARGET to options
 *
 * Source: docker-run(1); moby, volume/mounts/linux_parser.go.
 */
#ifndef RUNTIME_CONFIG_MOUNTSPEC_H
#define RUNTIME_CONFIG_MOUNTSPEC_H

#include "base/cleanup.h"
#include "base/json.h"

#include <stdbool.h>

enum mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };
const char *mount_type_get_name(enum mount_type type); /* "bind" */

struct mountspec {
	enum mount_type type;
	char *source; /* absolute path; a volume's name, "" for a new anonymous one; "" */
	char *target; /* absolute, without "." "..", double or last slashes; never "/" */
	char *mode;   /* as written in a bind: "ro,z"; else "" */
	bool read_only, no_copy;
	const char *propagation; /* static; "" when not given */
	unsigned long flags;     /* a tmpfs's: MS_* */
	char *data;              /* a tmpfs's: "size=1m,mode=755"; else "" */
};
void mountspec_deinit(struct mountspec *spec);
DEFINE_AUTO_DEINIT(struct mountspec, mountspec_deinit);
/* clang-format off */
#define MOUNTSPEC_INIT { .source = NULL }
/* clang-format on */

/* Each 0, -EINVAL with a sentence that quotes the text, or -ENOMEM. */
int mountspec_parse_bind(const char *text, struct mountspec *ret, struct error *err);
int mountspec_parse_tmpfs(const char *target, const char *options, struct mountspec *ret,
			  struct error *err);
int mountspec_parse_mount(const json_t *mount, struct mountspec *ret, struct error *err);
/* A target alone: an anonymous volume. */
int mountspec_parse_volume(const char *target, struct mountspec *ret, struct error *err);
/* CONTAINER[:ro|rw]; ret_ref is the caller's. */
int mountspec_parse_from(const char *text, char **ret_ref, bool *ret_read_only, struct error *err);
/* The path of a mount point in its one form, the caller's; -EINVAL: not absolute, the root, /proc or
 * below it. */
int mountspec_clean_target(const char *text, char **ret, struct error *err);
/* Does an absolute path name the root, by its text? */
bool mountspec_is_root(const char *path);

#endif
