/* Feeds files to a fuzzer where there is no libFuzzer, so that the corpus is a
 * regression test under every compiler. Arguments are files and directories of
 * files; none at all, or an empty directory, is a failure.
 *
 * Each input lies in memory of exactly its size: a sanitizer sees one byte too
 * far.
 */
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int run_file(int dir_fd, const char *name)
{
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	auto_free uint8_t *data = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		return -1;
	}
	data = malloc((size_t)st.st_size);
	if ((!data && st.st_size > 0) || read(fd, data, (size_t)st.st_size) != st.st_size) {
		perror(name);
		return -1;
	}
	/* Before it runs: a crash shall be known by its input. */
	printf("%s\n", name);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	return 1;
}

/* Number of inputs run, or -1. */
static int run_path(const char *path)
{
	auto_dir DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return run_file(AT_FDCWD, path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(dirfd(dir), entry->d_name) < 0)
			return -1;
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int count = run_path(argv[i]);

		if (count <= 0) {
			fprintf(stderr, "%s: no input\n", argv[i]);
			return 1;
		}
		total += count;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
