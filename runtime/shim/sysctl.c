/* The kernel's parameters of the container's own namespaces.
 *
 * Written by the child itself, since whose parameter a file of /proc/sys shows is decided
 * by the namespaces of who opens it; through the host's procfs, which is all there: the
 * container's may be covered or read-only. The names were checked by the engine
 * (config_check_sysctl()) to be of those that belong to namespaces.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <string.h>

#define PATH_SIZE 256

/* "net.core.somaxconn" as "sys/net/core/somaxconn"; 0 or -ENAMETOOLONG. */
static int make_path(const char *name, char path[PATH_SIZE])
{
	size_t len = strlen(name);
	if (len + sizeof("sys/") > PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(path, "sys/", 4);
	memcpy(path + 4, name, len + 1);
	for (char *at = path + 4; *at; at++)
		if (*at == '.')
			*at = '/';
	return 0;
}

static int set_one(int proc_fd, const char *name, const char *value, struct error *err)
{
	char path[PATH_SIZE];
	size_t len = strlen(value);
	if (make_path(name, path) < 0)
		return error_set(err, EINVAL, "the name of sysctl '%.40s...' is too long", name);
	int fd = kernel_open_in(proc_fd, path, O_WRONLY, 0);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOTSUP, "this kernel has no sysctl '%s'", name);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot set sysctl '%s'", name);
	ssize_t n = write(fd, value, len);
	int code = n < 0 ? errno : EINVAL;
	close(fd);
	if (n != (ssize_t)len)
		return error_set_sys(err, code, "cannot set sysctl '%s' to '%s'", name, value);
	return 0;
}

int sysctl_set_all(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	for (uint32_t i = 0; i + 1 < plan->header->sysctls.count; i += 2) {
		int r = set_one(box->proc_fd, plan_get_str(plan, plan->sysctls[i]),
				plan_get_str(plan, plan->sysctls[i + 1]), err);
		if (r < 0)
			return r;
	}
	return 0;
}
