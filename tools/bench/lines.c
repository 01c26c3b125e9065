/* Lines of 64 bytes to standard output, and on standard error how many MB/s were taken.
 *
 *	lines MIB BYTES
 *
 * BYTES in a write: 64 is a program that does not buffer, 4096 one that does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 64U
#define MOST 65536U

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static char buf[MOST];
	size_t total = argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	size_t each = argc > 2 ? strtoul(argv[2], NULL, 10) : LINE;
	double start = now();

	if (total == 0 || each == 0 || each > MOST)
		return 2;
	memset(buf, 'x', sizeof(buf));
	for (size_t i = LINE - 1; i < sizeof(buf); i += LINE)
		buf[i] = '\n';
	for (size_t done = 0; done < total;) {
		ssize_t n = write(STDOUT_FILENO, buf, each);

		if (n < 0)
			return 1;
		done += (size_t)n;
	}
	fprintf(stderr, "%.1f\n", (double)total / (now() - start) / 1e6);
	return 0;
}
