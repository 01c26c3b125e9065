/* A log whose files hold any bytes, as a damaged disk gives them: every read is an error or some
 * bytes, and mending leaves a log that can be read. fuzz-module: runtime */
#include "base/path.h"
#include "runtime/log/logview.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = { "log", "log.index", "log.1", "log.1.index" };

/* The first bytes say how the rest is divided. */
static void make_files(int dir_fd, const uint8_t *data, size_t size)
{
	size_t at = 4;

	for (size_t i = 0; i < 4; i++) {
		size_t left = size > at ? size - at : 0;
		size_t len = i == 3 ? left : left * data[i] / 256;

		if (data[i] == 0 && i != 3)
			continue;
		int fd = openat(dir_fd, names[i], O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
		must(fd >= 0 && path_write_all(fd, data + at, len) == 0);
		close(fd);
		at += len;
	}
}

static void look(int dir_fd, bool mended)
{
	static char buf[70000];

	for (int kind = LOGVIEW_ALL; kind <= LOGVIEW_JSON; kind++) {
		AUTO(logview_close) struct logview *view = NULL;
		uint64_t size = 0, oldest = 0, end = 0;

		if (logview_open(dir_fd, (enum logview_kind)kind, &view, NULL) < 0) {
			must(!mended);
			continue;
		}
		logview_get_oldest(view, &oldest, NULL);
		logview_get_size(view, &size, NULL);
		logview_get_mtime_ns(view);
		logview_find_run_end(view, 1, &end, NULL);
		logview_read(view, oldest, buf, sizeof(buf), NULL);
		logview_read(view, oldest + (size - oldest) / 2, buf, 100, NULL);
		logview_read(view, size - 1, buf, sizeof(buf), NULL);
		logview_read(view, UINT64_MAX - 5, buf, sizeof(buf), NULL);
	}
}

static char path[] = "/tmp/fuzz_logindex.XXXXXX";

static void remove_directory(void)
{
	path_remove_tree(AT_FDCWD, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir_fd = -1;

	if (size < 4)
		return 0;
	if (dir_fd < 0) {
		must(mkdtemp(path) != NULL);
		dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(dir_fd >= 0);
		atexit(remove_directory);
	}
	make_files(dir_fd, data, size);
	look(dir_fd, false);
	if (logview_repair(dir_fd, 1, 1, NULL) == 0)
		look(dir_fd, true);
	for (size_t i = 0; i < 4; i++)
		unlinkat(dir_fd, names[i], 0);
	return 0;
}
