/* A scratch directory for tests: see test.h. It is made below $TMPDIR or /tmp
 * and removed with path_remove_tree(), which has its own test.
 */
#include "tests/test.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int test_make_dir(char ret_path[64])
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	if (!tmp || snprintf(ret_path, 64, "%s/test-XXXXXX", tmp) >= 64)
		snprintf(ret_path, 64, "/tmp/test-XXXXXX");
	assert_non_null(mkdtemp(ret_path));
	fd = open(ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void test_remove_dir(int fd, const char *path)
{
	close(fd);
	assert_int_equal(path_remove_tree(AT_FDCWD, path), 0);
}
