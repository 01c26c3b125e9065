/* Kills engines:  killer HOLDER COUNT MIN_US MAX_US [EVERY SHORT_US]
 *
 * COUNT times: wait for the child of the holder that is an engine (it has the holder's
 * program and leads a session; shims are its children too), until it has answered a stat of
 * $MNT/info, and for a random time between MIN and MAX; then kill -9 it. With EVERY,
 * each EVERY-th engine is not waited for: it lives for SHORT_US. (Five that have not
 * served within ten seconds end the connection.) The last one killed has a successor
 * when this ends. SEED in the environment repeats a sequence.
 */
#define _GNU_SOURCE 1
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void sleep_us(long us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

/* An engine leads a session; what is left of a dead one's helper does not. */
static int is_engine(long pid)
{
	return getsid((pid_t)pid) == pid;
}

static int read_exe(long pid, char ret[PATH_MAX])
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	len = readlink(path, ret, PATH_MAX - 1);
	if (len < 0)
		return -1;
	ret[len] = '\0';
	return 0;
}

/* The engine's pid; 0: there is none, -1: no holder. */
static long find_engine(long holder)
{
	char path[96], exe[PATH_MAX], other[PATH_MAX];
	long pid, found = 0;
	FILE *children;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", holder, holder);
	children = fopen(path, "r");
	if (!children || read_exe(holder, exe) < 0)
		return -1;
	while (fscanf(children, "%ld", &pid) == 1)
		if (read_exe(pid, other) == 0 && strcmp(exe, other) == 0 && is_engine(pid))
			found = pid;
	fclose(children);
	return found;
}

static long wait_engine(long holder, long previous)
{
	for (int i = 0; i < 100000; i++) {
		long pid = find_engine(holder);

		if (pid < 0)
			break;
		if (pid > 0 && pid != previous)
			return pid;
		sleep_us(200);
	}
	fprintf(stderr, "killer: no engine follows %ld\n", previous);
	exit(1);
}

/* Returns when an engine has answered. */
static void wait_served(void)
{
	const char *mnt = getenv("MNT");
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/info", mnt ? mnt : "");
	if (stat(path, &st) < 0)
		perror("killer: the mount's info");
}

int main(int argc, char **argv)
{
	long args[6] = { 0 }, engine = 0;
	const char *seed = getenv("SEED");

	if (argc < 5 || argc > 7) {
		fputs("usage: killer HOLDER COUNT MIN_US MAX_US [EVERY SHORT_US]\n", stderr);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		args[i - 1] = strtol(argv[i], NULL, 10);
	srandom(seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL));
	for (long i = 1; i <= args[1]; i++) {
		int is_short = args[4] && i % args[4] == 0;

		engine = wait_engine(args[0], engine);
		if (!is_short)
			wait_served();
		sleep_us(is_short ? args[5] : args[2] + random() % (args[3] - args[2] + 1));
		if (kill((pid_t)engine, SIGKILL) < 0) {
			perror("killer");
			return 1;
		}
	}
	wait_engine(args[0], engine);
	return 0;
}
