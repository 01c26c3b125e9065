/* Both ends of an exchange, for tests of the network.
 *
 *	netpeer serve PORT [NAME]          answers whoever asks, by TCP and UDP, IPv4 and IPv6, with
 *	                                   "NAME ADDRESS": its own name and where the question came from
 *	netpeer ask tcp|udp ADDRESS PORT [MS]
 *	                                   prints the answer, which it waits for 3 s or so long; exits
 *	                                   with 1 and says why there is none
 *	netpeer take ADDRESS PORT          has that TCP port until it is killed; says "taken" when it has
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_MS "3000"

struct name {
	struct sockaddr_storage address;
	socklen_t len;
};

static struct name make_name(const char *text, int port)
{
	struct name name = { .len = 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&name.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name.address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		name.len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		name.len = sizeof(*v6);
	} else {
		fprintf(stderr, "no address: %s\n", text);
		exit(2);
	}
	return name;
}

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

static int open_server(int type, int port)
{
	struct name name = make_name("::", port);
	int fd = socket(AF_INET6, type, 0), off = 0, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&name.address, name.len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 128) < 0))
		exit(fail("server"));
	return fd;
}

static int render(const char *name, const struct sockaddr_in6 *peer, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &peer->sin6_addr, text, sizeof(text));
	return snprintf(out, size, "%s %s\n", name,
			strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text);
}

static int serve(int port, const char *name)
{
	struct pollfd fds[2] = { { .fd = open_server(SOCK_STREAM, port), .events = POLLIN },
				 { .fd = open_server(SOCK_DGRAM, port), .events = POLLIN } };
	char text[300];

	puts("serving");
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0) {
		struct sockaddr_in6 peer;
		socklen_t len = sizeof(peer);
		int fd;

		if (fds[0].revents &&
		    (fd = accept(fds[0].fd, (struct sockaddr *)&peer, &len)) >= 0) {
			if (write(fd, text, (size_t)render(name, &peer, text, sizeof(text))) < 0)
				fail("write");
			close(fd);
		}
		len = sizeof(peer);
		if (fds[1].revents &&
		    recvfrom(fds[1].fd, text, sizeof(text), 0, (struct sockaddr *)&peer, &len) >= 0)
			sendto(fds[1].fd, text, (size_t)render(name, &peer, text, sizeof(text)), 0,
			       (struct sockaddr *)&peer, len);
	}
	return 1;
}

static int ask(const char *protocol, const char *address, int port, long wait_ms)
{
	struct name name = make_name(address, port);
	int type = strcmp(protocol, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	struct timeval limit = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	int fd = socket(name.address.ss_family, type, 0);
	char text[300];
	ssize_t len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&name.address, name.len) < 0)
		return fail("connect");
	if (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0)
		return fail("send");
	len = recv(fd, text, sizeof(text), 0);
	if (len <= 0)
		return fail("recv");
	fwrite(text, 1, (size_t)len, stdout);
	return 0;
}

static int take(const char *address, int port)
{
	struct name name = make_name(address, port);
	int fd = socket(name.address.ss_family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&name.address, name.len) < 0 || listen(fd, 1) < 0)
		return fail("take");
	puts("taken");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return serve((int)strtol(argv[2], NULL, 10), argc > 3 ? argv[3] : "server");
	if (argc >= 5 && strcmp(argv[1], "ask") == 0)
		return ask(argv[2], argv[3], (int)strtol(argv[4], NULL, 10),
			   strtol(argc > 5 ? argv[5] : WAIT_MS, NULL, 10));
	if (argc == 4 && strcmp(argv[1], "take") == 0)
		return take(argv[2], (int)strtol(argv[3], NULL, 10));
	return 2;
}
