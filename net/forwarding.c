/* Files below /proc/sys/net. A host that forwards IPv6 no longer listens to routers, and
 * loses the default route that it has from one, unless accept_ra is 2.
 */
#include "net/forwarding.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define SETTINGS "/proc/sys/net/"

/* 1 when it was changed, 0 when it was so. */
static int change(const char *path, char value, struct error *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	char has = 0;

	if (fd < 0)
		return error_set_sys(err, errno, "cannot open %s", path);
	if (pread(fd, &has, 1, 0) == 1 && has == value)
		return 0;
	if (pwrite(fd, &value, 1, 0) != 1)
		return error_set_sys(err, errno, "cannot set %s to %c", path, value);
	return 1;
}

static int set(const char *path, char value, struct error *err)
{
	int ret = change(path, value, err);

	if (ret > 0)
		log_info("%s is now %c, for containers on a bridge", path, value);
	return ret < 0 ? ret : 0;
}

/* 1 or 0; 0 too when there is no such setting: a kernel without IPv6, an interface that has gone. */
static int is(const char *path, char value, struct error *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char has = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || pread(fd, &has, 1, 0) < 0)
		return error_set_sys(err, errno, "cannot read %s", path);
	return has == value;
}

int forwarding_host_has_ipv6(struct error *err)
{
	int ret = is(SETTINGS "ipv6/conf/all/disable_ipv6", '0', err);

	/* New interfaces have the default's setting. */
	return ret <= 0 ? ret : is(SETTINGS "ipv6/conf/default/disable_ipv6", '0', err);
}

static int keep_listening_to_routers(struct error *err)
{
	auto_dir DIR *dir = opendir(SETTINGS "ipv6/conf");
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return error_set_sys(err, errno, "cannot list " SETTINGS "ipv6/conf");
	while (ret == 0 && (entry = readdir(dir))) {
		char path[PATH_MAX];

		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), SETTINGS "ipv6/conf/%s/accept_ra", entry->d_name);
		ret = is(path, '1', err);
		if (ret > 0)
			ret = set(path, '2', err);
	}
	return ret;
}

static int set_up_ipv6(struct error *err)
{
	static const char all[] = SETTINGS "ipv6/conf/all/forwarding";
	int ret = is(all, '1', err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = keep_listening_to_routers(err);
	return ret < 0 ? ret : set(all, '1', err);
}

int forwarding_set_up(const char *bridge, bool with_ipv6, struct error *err)
{
	char path[128];
	int ret = set(SETTINGS "ipv4/ip_forward", '1', err);

	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), SETTINGS "ipv4/conf/%s/route_localnet", bridge);
	ret = change(path, '1', err); /* it goes with the bridge */
	if (ret < 0)
		return ret;
	return with_ipv6 ? set_up_ipv6(err) : 0;
}
