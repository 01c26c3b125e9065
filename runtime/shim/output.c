/* From the container's stdout and stderr to its log.
 *
 * One buffer serves both: a chunk is read only when the one before is on disk,
 * so a full disk is felt by the container as a full pipe and nothing is lost.
 * At the end the pipes are read up to what was in them when process 1 was
 * reaped: somebody outside may hold them open and write for ever.
 */
#include "runtime/shim/shim.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Fewer bytes are not worth a wake-up: the producer is given time to add some.
 * But only one that goes on and on: what comes now and then is read at once, as
 * is what alternates between stdout and stderr, whose order would be lost. */
#define SHORT_READ (SHIM_CHUNK / 4)
#define STREAK 16
#define STREAK_GAP_NS 1000000
/* A terminal gives 4 KiB a read and holds less than this in all its buffers. */
#define TERMINAL_MOST (256U << 10)

/* One read of a pipe, or of a terminal as often as it has something.
 * Returns a count, 0 at the end of file, -errno. */
static ssize_t read_chunk(const struct shim *shim, int fd, size_t most)
{
	size_t len = 0;
	ssize_t n;
	do {
		n = read(fd, shim->chunk + len, most - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && shim->tty && len < most);
	if (len > 0)
		return (ssize_t)len;
	return n < 0 ? -errno : n;
}

/* Take up to `most` bytes of stream i. Returns the count, 0 when there is
 * nothing now or never more (then it is closed). */
static size_t take(struct shim *shim, unsigned i, size_t most)
{
	ssize_t n = read_chunk(shim, shim->out_fds[i], most);
	if (n > 0) {
		shim->chunk_used = true;
		if (shim->discard)
			return (size_t)n;
		logfiles_put(&shim->logs, shim->chunk, (size_t)n, i == 0 ? LOG_STDOUT : LOG_STDERR);
		logfiles_flush(&shim->logs);
		return (size_t)n;
	}
	if (n != -EAGAIN && n != -EINTR) {
		close(shim->out_fds[i]);
		shim->out_fds[i] = -1;
	}
	return 0;
}

/* Note a chunk that has just come. True when it is the next of a streak of
 * short ones from one stream. */
static bool is_streak(struct shim *shim, int64_t before_ns, unsigned before_stream)
{
	const struct log_record *last = &shim->logs.last;
	if (last->stream != before_stream || last->length >= SHORT_READ ||
	    last->time_ns - before_ns > STREAK_GAP_NS)
		shim->streak = 0;
	else if (shim->streak < STREAK)
		shim->streak++;
	return shim->streak == STREAK;
}

bool output_take(struct shim *shim, const struct pollfd polled[2])
{
	bool nap = false;
	for (unsigned i = 0; i < 2; i++) {
		int64_t before_ns = shim->logs.last.time_ns;
		unsigned before_stream = shim->logs.last.stream;
		if (shim->out_fds[i] < 0 || polled[i].revents == 0 ||
		    logfiles_is_pending(&shim->logs))
			continue;
		if (take(shim, i, SHIM_CHUNK) > 0)
			nap = is_streak(shim, before_ns, before_stream);
	}
	return nap && !logfiles_is_pending(&shim->logs);
}

void output_set_end(struct shim *shim)
{
	for (unsigned i = 0; i < 2; i++) {
		int left = 0;
		if (shim->out_fds[i] < 0)
			continue;
		if (shim->tty)
			shim->out_left[i] = TERMINAL_MOST;
		else if (ioctl(shim->out_fds[i], FIONREAD, &left) == 0)
			shim->out_left[i] = (uint64_t)left;
	}
}

bool output_finish(struct shim *shim)
{
	for (unsigned i = 0; i < 2; i++) {
		while (shim->out_fds[i] >= 0 && shim->out_left[i] > 0) {
			if (!logfiles_flush(&shim->logs))
				return false;
			size_t most =
				shim->out_left[i] < SHIM_CHUNK ? shim->out_left[i] : SHIM_CHUNK;
			size_t n = take(shim, i, most);
			shim->out_left[i] = n > 0 ? shim->out_left[i] - n : 0;
		}
	}
	return logfiles_flush(&shim->logs);
}

void output_trim(struct shim *shim)
{
	if (logfiles_is_pending(&shim->logs))
		return;
	madvise(shim->chunk, SHIM_CHUNK, MADV_DONTNEED);
	madvise(shim->packet, SHIM_STDIN_CHUNK, MADV_DONTNEED);
	shim->chunk_used = false;
}
