/* cfs COMMAND ...: what comes before the command's own words. */
#include "cfs.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A file of the mount must not become stdout because that was closed. */
static void open_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	open_streams();
	if (argc < 2) {
		command_print_usage(stderr);
		return CFS_FAILED;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("cfs " CONTAINERFS_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return command_do(1, (char *[]){ (char *)(uintptr_t) "help", NULL });
	if (argv[1][0] == '-')
		fail(CFS_FAILED, "no such option: '%s'; see 'cfs help'", argv[1]);
	if (argc > 2 && strcmp(argv[2], "--help") == 0)
		return command_help(argv[1]);

	int code = command_do(argc - 1, argv + 1);
	if (fflush(stdout) != 0)
		fail_sys(CFS_FAILED, "cannot write stdout");
	return code;
}
