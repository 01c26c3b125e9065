/* Programs that are part of ours: their bytes in a sealed memfd, so that nothing on disk has
 * to be found or trusted, and who gets hold of one cannot change it.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* name: as it shows in /proc (memfd:name). A descriptor, or -errno with a sentence. */
int program_seal(const char *name, const void *bytes, size_t size, struct error *err);

struct program_spawn {
	int image_fd;   /* from program_seal() */
	int null_fd;    /* becomes 0, 1 and 2 */
	char **argv;    /* NULL-terminated; the environment is empty */
	const int *fds; /* to be inherited, under their own numbers; all others are not */
	size_t fd_count;
};
/* Run it as a child, spawned with vfork(2): a fork would copy the page tables of a large
 * engine. Its pid, or -errno. */
pid_t program_start(const struct program_spawn *spawn);

#endif
