/* The engine's process: everything between the holder's descriptors and the end of the mount. */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include "base/error.h"
#include "graph/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What lives as long as the mount, kept by the holder. */
struct server_memory {
	int fuse_fd;            /* mounted */
	int init_fd;            /* fs/channel.h */
	int handles_fd;         /* fs/slots.h */
	int requests_fd;        /* fs/slots.h */
	int sessions_fd;        /* fs/slots.h */
	int names_fd;           /* fs/kept.h */
	int volumes_fd;         /* fs/volfs/volfs.h: files of volumes, */
	int keepers_fd;         /* and who keeps them open */
	uint32_t engine_number; /* 1 for the first engine of this mount, then 2, ... */
	int64_t mounted_ns;     /* CLOCK_REALTIME */
	bool can_resend;        /* Linux 6.9 or later: a killed engine is not noticed */
	bool crashed;           /* the engine before died by itself: a request may be why */
};

struct server_options {
	const char *root, *run, *mnt; /* absolute */
	const char *source;           /* first column of the mount table */
	const char *bridge, *subnet, *registry;
	bool isolated;         /* containers do not reach each other */
	char *const *log_opts; /* "max-size=10m", NULL-terminated */
	struct limits image_limits;
	gid_t gid;         /* of all files; 0 */
	mode_t group_bits; /* 0: the mount is root's; 0770 with -o gid= */
	pid_t holder_pid;
};

/* Serve until the mount has gone or SIGTERM. Single-threaded when called (the holder has just forked);
 * installs signalfd handling of SIGTERM itself.
 *
 * ready_fd  a byte 'R' is written when the mount answers (clients may be waiting already)
 * Returns the exit status: SERVER_UNMOUNTED (the kernel ended the mount), SERVER_TERMINATED (SIGTERM: the holder
 * unmounts), or SERVER_FAILED with the sentence in err (start-up only). */
enum { SERVER_UNMOUNTED = 0, SERVER_TERMINATED = 3, SERVER_FAILED = 4 };
int server_run(const struct server_options *options, const struct server_memory *memory,
	       int ready_fd, struct error *err);

#endif
