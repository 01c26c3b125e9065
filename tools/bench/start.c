/* Time from start to exit of one program, in several ways, side by side.
 *
 *	start [-n ROUNDS] [-p PAUSE_MS] [-m MNT -i IMAGE] NAME=COMMAND...
 *
 * Every round tries every way once, so that what the machine does meanwhile hits
 * all alike; PAUSE_MS of idleness go before each try. A command is split at
 * blanks and spawned; the way of the mount is a write of `run` to MNT/ctl and a
 * read of its `wait`. The first row is what the others are compared with.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAYS_MAX 16
#define WORDS_MAX 64
#define WARM_ROUNDS 3 /* not counted: caches, first mounts */

extern char **environ;

struct way {
	const char *name;
	char *argv[WORDS_MAX]; /* NULL first: the way of the mount, with these options of run */
	const char *options;
	int64_t *times_ns;
};

struct bench {
	struct way ways[WAYS_MAX];
	size_t count;
	unsigned rounds;
	unsigned pause_ms;
	const char *mnt;
	const char *image;
};

static __attribute__((noreturn, format(printf, 1, 2))) void give_up(const char *fmt, ...)
{
	va_list args;

	fputs("start: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t try_command(const struct way *way)
{
	pid_t pid;
	int status;

	int64_t begin = now_ns();
	int r = posix_spawnp(&pid, way->argv[0], NULL, NULL, way->argv, environ);
	if (r != 0 || waitpid(pid, &status, 0) != pid)
		give_up("%s cannot be spawned: %s", way->name, strerrordesc_np(r));
	int64_t end = now_ns();
	if (status != 0)
		give_up("%s ended with status %d", way->name, status);
	return end - begin;
}

static void write_command(int fd, const char *verb, const char *rest)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s %s\n", verb, rest);

	if (write(fd, line, (size_t)n) != n)
		give_up("%s %s: %s", verb, rest, strerrordesc_np(errno));
}

static int64_t try_mount(const struct bench *b, const struct way *way, unsigned round)
{
	char path[512];
	char name[64];
	char words[256];
	char code[16] = "";

	snprintf(name, sizeof(name), "bench-%ld-%u", (long)getpid(), round);
	snprintf(words, sizeof(words), "--name %s %s %s true", name, way->options, b->image);
	snprintf(path, sizeof(path), "%s/ctl", b->mnt);

	int64_t begin = now_ns();
	int ctl_fd = open(path, O_RDWR | O_CLOEXEC);
	if (ctl_fd < 0)
		give_up("cannot open %s: %s", path, strerrordesc_np(errno));
	write_command(ctl_fd, "run", words);
	snprintf(path, sizeof(path), "%s/containers/%s/wait", b->mnt, name);
	int wait_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (wait_fd < 0 || read(wait_fd, code, sizeof(code) - 1) < 0)
		give_up("cannot read %s: %s", path, strerrordesc_np(errno));
	int64_t end = now_ns();

	if (strcmp(code, "0\n") != 0)
		give_up("true exited with %s", code);
	write_command(ctl_fd, "rm", name);
	close(wait_fd);
	close(ctl_fd);
	return end - begin;
}

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void run_rounds(struct bench *b)
{
	struct timespec pause = { .tv_sec = b->pause_ms / 1000,
				  .tv_nsec = b->pause_ms % 1000 * 1000000L };

	for (unsigned round = 0; round < b->rounds + WARM_ROUNDS; round++) {
		for (size_t i = 0; i < b->count; i++) {
			const struct way *way = &b->ways[i];
			if (b->pause_ms)
				nanosleep(&pause, NULL);
			int64_t ns = way->argv[0] ? try_command(way) : try_mount(b, way, round);
			if (round >= WARM_ROUNDS)
				way->times_ns[round - WARM_ROUNDS] = ns;
		}
	}
}

static void print_table(struct bench *b)
{
	double base = 0;

	printf("%-28s %10s %10s %8s\n", "", "median ms", "p99 ms", "ratio");
	for (size_t i = 0; i < b->count; i++) {
		int64_t *times = b->ways[i].times_ns;
		qsort(times, b->rounds, sizeof(*times), compare_times);
		double median = (double)times[b->rounds / 2] / 1e6;
		double p99 = (double)times[(b->rounds - 1) * 99 / 100] / 1e6;
		if (i == 0)
			base = median;
		printf("%-28s %10.3f %10.3f %8.1f\n", b->ways[i].name, median, p99, median / base);
	}
}

static void add_way(struct bench *b, char *spec)
{
	if (b->count == WAYS_MAX)
		give_up("more than %d ways", WAYS_MAX);
	struct way *way = &b->ways[b->count++];
	size_t n = 0;

	way->name = strsep(&spec, "=");
	for (char *word; spec && (word = strsep(&spec, " "));)
		if (*word && n < WORDS_MAX - 1)
			way->argv[n++] = word;
	way->times_ns = calloc(b->rounds, sizeof(*way->times_ns));
	if (!way->times_ns)
		give_up("out of memory");
}

/* A write of run, a read of wait. */
static const struct {
	const char *name, *options;
} mount_ways[] = {
	{ "containerfs, no network", "--net none" },
	{ "containerfs", "" },
	{ "containerfs, a port published", "-p 48080:80" },
};

static void add_mount_way(struct bench *b, const char *name, const char *options)
{
	char spec[1] = "";

	add_way(b, spec);
	b->ways[b->count - 1].name = name;
	b->ways[b->count - 1].options = options;
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = 200 };
	int c;

	while ((c = getopt(argc, argv, "n:p:m:i:")) != -1) {
		if (c == 'n')
			b.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			b.pause_ms = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'm')
			b.mnt = optarg;
		else if (c == 'i')
			b.image = optarg;
		else
			return 1;
	}
	if (b.rounds == 0 || (b.mnt && !b.image))
		give_up("rounds, and an image with a mount, are needed");
	for (int i = optind; i < argc; i++)
		add_way(&b, argv[i]);
	for (size_t i = 0; b.mnt && i < sizeof(mount_ways) / sizeof(mount_ways[0]); i++)
		add_mount_way(&b, mount_ways[i].name, mount_ways[i].options);
	run_rounds(&b);
	print_table(&b);
	return 0;
}
