/* Containers whose ids are others on the host (--userns=auto).
 *
 * Outside of such a container its files have the host's ids, and only who has one of these can
 * make files there. The mount tells which ids they are, in the container's inspect.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534U

/* ["0:BASE:SIZE"] */
static bool parse_map(const char *value, unsigned *ret_base, unsigned *ret_size)
{
	const char *at = value ? strstr(value, "\"0:") : NULL;
	char *end;

	if (!at)
		return false;
	unsigned long base = strtoul(at + 3, &end, 10);
	if (*end != ':')
		return false;
	unsigned long size = strtoul(end + 1, &end, 10);
	if (*end != '"' || base > UINT32_MAX || size > UINT32_MAX)
		return false;
	*ret_base = (unsigned)base;
	*ret_size = (unsigned)size;
	return true;
}

struct ids ids_read(int dir_fd)
{
	struct ids ids = { .size = 0 };
	struct text inspect = { .data = NULL };
	unsigned size;
	int fd = openat(dir_fd, "inspect", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || text_read(&inspect, fd) < 0)
		fail_sys(CFS_FAILED, "cannot read the container's inspect");
	close(fd);
	const char *maps = json_member(inspect.data, "IDMappings");
	if (!maps || !parse_map(json_member(maps, "UidMap"), &ids.uid_base, &size) ||
	    !parse_map(json_member(maps, "GidMap"), &ids.gid_base, &ids.size))
		ids.size = 0;
	text_free(&inspect);
	return ids;
}

unsigned ids_to_host(unsigned id, unsigned base, const struct ids *ids)
{
	if (ids->size == 0)
		return id;
	return base + (id < ids->size ? id : NOBODY);
}

unsigned ids_from_host(unsigned id, unsigned base, const struct ids *ids)
{
	if (ids->size == 0)
		return id;
	return id - base < ids->size ? id - base : NOBODY;
}

void ids_take(const struct ids *ids)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (ids->size == 0)
		return;
	setfsgid(ids->gid_base);
	setfsuid(ids->uid_base);
	/* The kernel takes some away with the user. */
	if (syscall(SYS_capget, &header, data) < 0)
		return;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	syscall(SYS_capset, &header, data);
}
