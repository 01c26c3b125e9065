/* A file of zeros beside refs.json. Without it (the disk was full when it was wanted) a removal
 * fails as any other change does; it is tried for again with each change.
 */
#include "graph/reserve.h"

#include <fcntl.h>

#define RESERVE_NAME "reserve"
/* refs.json of some hundred images, and a directory for what goes. */
#define RESERVE_BYTES (256 << 10)

void reserve_take(struct graph *graph)
{
	if (graph->has_reserve)
		return;
	auto_fd int fd = openat(graph->dir_fd, RESERVE_NAME,
				O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	graph->has_reserve = fallocate(fd, 0, 0, RESERVE_BYTES) == 0;
	if (!graph->has_reserve)
		unlinkat(graph->dir_fd, RESERVE_NAME, 0);
}

bool reserve_give(struct graph *graph)
{
	graph->has_reserve = false;
	return unlinkat(graph->dir_fd, RESERVE_NAME, 0) == 0;
}
