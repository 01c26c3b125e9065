/* An HTTP server on loopback that misbehaves as a test tells it: a thread, one connection after the other
 * is served by a thread of its own, each request is answered by the test's function.
 */
#ifndef TESTS_GRAPH_FAKE_REGISTRY_H
#define TESTS_GRAPH_FAKE_REGISTRY_H

#include "base/strbuf.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_request {
	char line[1024]; /* "GET /v2/..." */
	char head[8192]; /* all of it */
	struct strbuf body;
};

struct fake_registry {
	int fd;
	unsigned port;
	pthread_t thread;
	atomic_bool stop;
	atomic_int running;
	/* Writes the answer to fd. False: the connection is closed. */
	bool (*answer)(struct fake_registry *fake, int fd, const struct fake_request *request);
	pthread_mutex_t lock; /* guards log */
	struct strbuf log;    /* lines of the requests */
	void *arg;
};

struct fake_connection {
	struct fake_registry *fake;
	int fd;
};

/* The value of a header, "" when there is none; name with ": " behind. */
static inline void fake_get_header(const struct fake_request *request, const char *name, char *ret,
				   size_t size)
{
	const char *at = strcasestr(request->head, name);

	*ret = '\0';
	if (at)
		snprintf(ret, size, "%.*s", (int)strcspn(at + strlen(name), "\r\n"),
			 at + strlen(name));
}

/* Up to the empty line. False at the end. */
static inline bool fake_read_head(int fd, struct fake_request *request)
{
	size_t len = 0;

	while (len + 1 < sizeof(request->head)) {
		if (read(fd, request->head + len, 1) != 1)
			return false;
		request->head[++len] = '\0';
		if (request->head[0] == 0x16) /* TLS is not spoken here */
			return false;
		if (len >= 4 && memcmp(request->head + len - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	snprintf(request->line, sizeof(request->line), "%.*s", (int)strcspn(request->head, "\r\n"),
		 request->head);
	char *version = strstr(request->line, " HTTP/");
	if (version)
		*version = '\0';
	return true;
}

static inline void *fake_serve(void *arg)
{
	struct fake_connection connection = *(struct fake_connection *)arg;
	struct fake_registry *fake = connection.fake;
	bool go_on = true;
	char text[32];

	free(arg);
	while (go_on) {
		struct fake_request request = { .body = STRBUF_INIT };

		if (!fake_read_head(connection.fd, &request))
			break;
		fake_get_header(&request, "Content-Length: ", text, sizeof(text));
		for (long left = strtol(text, NULL, 10); left > 0; left--) {
			char c;

			if (read(connection.fd, &c, 1) != 1)
				break;
			strbuf_append_char(&request.body, c);
		}
		pthread_mutex_lock(&fake->lock);
		strbuf_appendf(&fake->log, "%s\n", request.line);
		pthread_mutex_unlock(&fake->lock);
		go_on = fake->answer(fake, connection.fd, &request);
		strbuf_deinit(&request.body);
	}
	close(connection.fd);
	atomic_fetch_sub(&fake->running, 1);
	return NULL;
}

static inline void *fake_accept(void *arg)
{
	struct fake_registry *fake = arg;

	for (;;) {
		struct fake_connection *connection = malloc(sizeof(*connection));
		pthread_t thread;

		connection->fake = fake;
		connection->fd = accept(fake->fd, NULL, NULL);
		if (connection->fd < 0 || atomic_load(&fake->stop)) {
			if (connection->fd >= 0)
				close(connection->fd);
			free(connection);
			return NULL;
		}
		atomic_fetch_add(&fake->running, 1);
		pthread_create(&thread, NULL, fake_serve, connection);
		pthread_detach(thread);
	}
}

static inline void fake_start(struct fake_registry *fake,
			      bool (*answer)(struct fake_registry *fake, int fd,
					     const struct fake_request *request),
			      void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	memset(fake, 0, sizeof(*fake));
	pthread_mutex_init(&fake->lock, NULL);
	fake->answer = answer;
	fake->arg = arg;
	fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->fd, 16), 0);
	getsockname(fake->fd, (struct sockaddr *)&address, &len);
	fake->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_accept, fake), 0);
}

/* Clients have closed their connections. */
static inline void fake_end(struct fake_registry *fake)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)fake->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	atomic_store(&fake->stop, true);
	connect(fd, (struct sockaddr *)&address, sizeof(address));
	pthread_join(fake->thread, NULL);
	close(fd);
	close(fake->fd);
	while (atomic_load(&fake->running))
		usleep(1000);
	strbuf_deinit(&fake->log);
	pthread_mutex_destroy(&fake->lock);
}

/* How many requests began so. */
static inline unsigned fake_count(struct fake_registry *fake, const char *begin)
{
	unsigned count = 0;

	pthread_mutex_lock(&fake->lock);
	for (const char *at = fake->log.data; at && *at; at = strchr(at, '\n') + 1)
		count += strncmp(at, begin, strlen(begin)) == 0;
	pthread_mutex_unlock(&fake->lock);
	return count;
}

/* A whole answer. headers: lines, each with \r\n, or "". */
static inline bool fake_reply(int fd, const char *status, const char *headers, const void *body,
			      size_t len)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	strbuf_appendf(&out, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, len);
	strbuf_append(&out, body, len);
	return send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

#endif
