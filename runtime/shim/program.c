/* Executing the program: the search of execvp(3) with the container's PATH, and
 * sentences that say what is missing.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <limits.h>
#include <string.h>

/* What Docker gives a container that sets none. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *get_path(char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return DEFAULT_PATH;
}

/* The kernel says ENOENT for a script or a dynamic program that is there but
 * whose interpreter is not. */
static int refuse(const char *path, int code, struct error *err)
{
	if (code == ENOENT && faccessat(AT_FDCWD, path, F_OK, 0) == 0)
		return error_set(err, code, "cannot execute '%s': its interpreter is missing",
				 path);
	return error_set_sys(err, code, "cannot execute '%s'", path);
}

/* Try dir/name. Returns the errno of a failure that ends the search, EACCES to
 * be remembered, or 0: not there. */
static int try_in(const char *dir, size_t dir_len, char *const *argv, char *const *env,
		  struct error *err)
{
	char path[PATH_MAX];
	size_t name_len = strlen(argv[0]);
	size_t at = 0;
	if (dir_len + name_len + 2 > sizeof(path))
		return 0;
	if (dir_len > 0) { /* empty means the working directory */
		memcpy(path, dir, dir_len);
		path[dir_len] = '/';
		at = dir_len + 1;
	}
	memcpy(path + at, argv[0], name_len + 1);
	/* Asking first is cheaper than an execve that fails, and tells a missing
	 * program from a missing interpreter. */
	if (faccessat(AT_FDCWD, path, F_OK, 0) < 0)
		return errno == EACCES ? EACCES : 0;
	execve(path, argv, env);
	int code = errno;
	if (code != EACCES && code != ENOTDIR)
		refuse(path, code, err);
	return code == ENOTDIR ? 0 : code;
}

int program_execute(char *const *argv, char *const *env, struct error *err)
{
	bool denied = false;
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, env);
		return refuse(argv[0], errno, err);
	}
	if (argv[0][0] == '\0')
		return error_set(err, ENOENT, "cannot execute '': the name is empty");
	for (const char *dir = get_path(env);;) {
		const char *end = strchrnul(dir, ':');
		int code = try_in(dir, (size_t)(end - dir), argv, env, err);
		if (code == EACCES)
			denied = true;
		else if (code > 0)
			return -code;
		if (*end == '\0')
			break;
		dir = end + 1;
	}
	if (denied)
		return error_set_sys(err, EACCES, "cannot execute '%s'", argv[0]);
	return error_set(err, ENOENT, "cannot execute '%s': not found in PATH", argv[0]);
}
