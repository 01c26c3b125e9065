/* Both ends of a measured connection.
 *
 *	net serve PORT                 takes connections by TCP over both families, reads each to its end
 *	net flow ADDRESS PORT MS       one stream for so long: MB/s
 *	net connect ADDRESS PORT MS    a connection, a byte and its end, one after another: of them a second
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1U << 17)
static char chunk[CHUNK];

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void serve(int port)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), off = 0, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 512) < 0)
		die("serve");
	puts("serving");
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		while (peer >= 0 && recv(peer, chunk, CHUNK, 0) > 0)
			;
		close(peer);
	}
}

static int connect_to(const char *address, int port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		die(address);
	if (connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6)) < 0)
		die("connect");
	return fd;
}

/* The end of what was sent has come to the other side when its own end comes. */
static void finish(int fd)
{
	shutdown(fd, SHUT_WR);
	while (recv(fd, chunk, 1, 0) > 0)
		;
	close(fd);
}

static void flow(const char *address, int port, int64_t us)
{
	int64_t begin = now_us(), sent = 0;
	int fd = connect_to(address, port);

	while (now_us() - begin < us) {
		ssize_t len = send(fd, chunk, CHUNK, MSG_NOSIGNAL);

		if (len < 0)
			die("send");
		sent += len;
	}
	finish(fd);
	printf("%.0f\n", (double)sent / (double)(now_us() - begin));
}

/* It ends the connection by a reset when all is said, so that no address waits for its like. */
static void connect_often(const char *address, int port, int64_t us)
{
	const struct linger at_once = { .l_onoff = 1 };
	int64_t begin = now_us(), count = 0;

	for (; now_us() - begin < us; count++) {
		int fd = connect_to(address, port);

		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			die("send");
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		finish(fd);
	}
	printf("%.0f\n", (double)count * 1e6 / (double)(now_us() - begin));
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve((int)strtol(argv[2], NULL, 10));
	if (argc != 5)
		return 2;
	if (strcmp(argv[1], "flow") == 0)
		flow(argv[2], (int)strtol(argv[3], NULL, 10), strtoll(argv[4], NULL, 10) * 1000);
	else
		connect_often(argv[2], (int)strtol(argv[3], NULL, 10),
			      strtoll(argv[4], NULL, 10) * 1000);
	return 0;
}
