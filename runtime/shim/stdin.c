/* Bytes towards process 1, and the memory of what was already done.
 *
 * An engine that takes over from a killed one repeats the requests that had no
 * answer. Each has a number; here it is known how much of it was done.
 */
#include "runtime/shim/shim.h"

#include <errno.h>
#include <termios.h>
#include <unistd.h>

const int64_t *numbers_find(const struct shim_numbers *numbers, uint64_t number)
{
	if (number == 0)
		return NULL;
	/* From the newest on: a repeated one is nearly always the last. */
	for (unsigned i = 1; i <= SHIM_NUMBERS; i++) {
		unsigned at = (numbers->next + SHIM_NUMBERS - i) % SHIM_NUMBERS;
		if (numbers->items[at].number == number)
			return &numbers->items[at].result;
		if (numbers->items[at].number == 0)
			break; /* never used */
	}
	return NULL;
}

void numbers_set(struct shim_numbers *numbers, uint64_t number, int64_t result)
{
	int64_t *known = (int64_t *)numbers_find(numbers, number);
	if (known) {
		*known = result;
	} else if (number != 0) {
		numbers->items[numbers->next].number = number;
		numbers->items[numbers->next].result = result;
		numbers->next = (numbers->next + 1) % SHIM_NUMBERS;
	}
}

/* Announce that nobody reads any more. */
static void lose_stdin(struct shim *shim)
{
	close(shim->stdin_fd);
	shim->stdin_fd = -1;
	server_send_all(shim, SHIM_MESSAGE_STDIN_GONE);
}

int64_t stdin_give(struct shim *shim, struct shim_connection *from,
		   const struct shim_request *request, const char *bytes, size_t len)
{
	const int64_t *known = numbers_find(&shim->numbers, request->number);
	/* Without a number the engine's word counts for what was taken before. */
	uint64_t taken = known ? (uint64_t)*known : request->number ? 0 : request->offset;
	if (shim->ended)
		return -ESRCH;
	if (shim->stdin_fd < 0)
		return -EPIPE;
	if (taken < request->offset)
		return (int64_t)taken; /* there is a gap: begin again here */
	size_t at = taken - request->offset < len ? (size_t)(taken - request->offset) : len;
	while (at < len) {
		ssize_t n = write(shim->stdin_fd, bytes + at, len - at);
		if (n < 0 && errno == EPIPE) {
			lose_stdin(shim);
			return -EPIPE;
		}
		if (n <= 0) {
			from->wants_stdin = true;
			break;
		}
		at += (size_t)n;
		taken += (uint64_t)n;
		shim->stdin_partial = bytes[at - 1] != '\n' && bytes[at - 1] != '\r';
	}
	numbers_set(&shim->numbers, request->number, (int64_t)taken);
	return (int64_t)taken;
}

int64_t stdin_close(struct shim *shim)
{
	struct termios settings;
	if (!shim->open_stdin)
		return -EPIPE;
	if (shim->stdin_fd < 0)
		return 0;
	/* A terminal has no end: its reader is told by the character for that, of which an
	 * unfinished line takes one. */
	if (shim->tty && tcgetattr(shim->stdin_fd, &settings) == 0) {
		bool twice = shim->stdin_partial && (settings.c_lflag & ICANON);
		char ends[2] = { (char)settings.c_cc[VEOF], (char)settings.c_cc[VEOF] };
		if (write(shim->stdin_fd, ends, twice ? 2 : 1) < 0)
			return -errno;
	}
	close(shim->stdin_fd);
	shim->stdin_fd = -1;
	return 0;
}

bool stdin_is_wanted(const struct shim *shim)
{
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++)
		if (shim->connections[i].fd >= 0 && shim->connections[i].wants_stdin)
			return true;
	return false;
}

void stdin_handle(struct shim *shim, short revents)
{
	if (shim->stdin_fd < 0 || revents == 0)
		return;
	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		lose_stdin(shim);
	else
		server_send_all(shim, SHIM_MESSAGE_STDIN_READY);
}
