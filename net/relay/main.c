/* The loop. Started with the numbers of two descriptors: the listening control socket, and
 * the first engine's connection.
 */
#include "net/relay/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUND 64
#define SILENCE_MS 15000 /* between two looks for silent ones */

struct relay relay = { .epoll_fd = -1 };

/* Objects that ended in this round of events. */
static struct watch *late;

void relay_free_later(struct watch *watch)
{
	watch->next_late = late;
	late = watch;
}

static void free_late(void)
{
	while (late) {
		struct watch *next = late->next_late;

		free(late);
		late = next;
	}
}

static bool control(int op, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(relay.epoll_fd, op, watch->fd, &event) == 0;
}

bool relay_watch(struct watch *watch, uint32_t events)
{
	return control(EPOLL_CTL_ADD, watch, events);
}

bool relay_rewatch(struct watch *watch, uint32_t events)
{
	return control(EPOLL_CTL_MOD, watch, events);
}

void relay_unwatch(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	control(EPOLL_CTL_DEL, watch, 0);
	close(watch->fd);
	watch->fd = -1;
}

time_t relay_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

socklen_t relay_get_len(const struct sockaddr_in6 *address)
{
	return address->sin6_family == AF_INET6 ? (socklen_t)sizeof(struct sockaddr_in6)
						: (socklen_t)sizeof(struct sockaddr_in);
}

static void serve_round(void)
{
	struct epoll_event events[ROUND];
	int count = epoll_wait(relay.epoll_fd, events, ROUND, udp_has_any() ? SILENCE_MS : -1);

	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		/* Ended by an earlier event of this round. */
		if (watch->fd >= 0)
			watch->fn(watch, events[i].events);
	}
	free_late();
	udp_forget(NULL);
}

/* A few descriptors a connection; the hard limit is meant for such programs. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static struct watch door = { .fn = control_accept };
	sigset_t none;

	if (argc != 3) /* the second is for who lists processes: whose we are */
		return 2;
	door.fd = (int)strtol(argv[1], NULL, 10);
	/* The engine's thread blocked all signals for the spawn. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	setsid();
	prctl(PR_SET_NAME, "cfs-relay", 0, 0, 0);
	raise_limit();
	relay.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (relay.epoll_fd < 0 || !relay_watch(&door, EPOLLIN))
		return 1;
	control_accept(&door, EPOLLIN); /* the one who started us is waiting */
	while (relay.connected > 0 || relay.listeners)
		serve_round();
	return 0;
}
