/* The relay is started with its control socket listening and us already in its queue, so that
 * no word about readiness is needed. A dead one left its socket file, which refuses.
 */
#include "net/relayclient.h"

#include "base/program.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define SOCKET_NAME "relay.sock"
#define ANSWER_MS 10000
#define QUEUE 8
#define REST_MS 100 /* it ends at once */

extern const char relay_image_start[], relay_image_end[];

struct relayclient {
	int run_fd;   /* borrowed */
	int image_fd; /* sealed at the first start, -1 before */
	int fd;       /* connected, or -1 */
	pid_t pid;    /* of the one that was started here and not waited for yet; 0: none */
};

int relayclient_new(int run_fd, struct relayclient **ret, struct error *err)
{
	struct relayclient *client = calloc(1, sizeof(*client));

	if (!client)
		return error_set(err, ENOMEM, "no memory for the relay of ports");
	*client = (struct relayclient){ .run_fd = run_fd, .image_fd = -1, .fd = -1 };
	*ret = client;
	return 0;
}

void relayclient_free(struct relayclient *client)
{
	if (!client)
		return;
	cleanup_fd(&client->image_fd);
	cleanup_fd(&client->fd);
	free(client);
}

/* Names of sockets are short: by way of the directory's descriptor. */
static struct sockaddr_un get_name(const struct relayclient *client)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/" SOCKET_NAME,
		 client->run_fd);
	return name;
}

static int connect_to(const struct relayclient *client)
{
	struct sockaddr_un name = get_name(client);
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* One that ends leaves its name to whoever started it. */
static void reap(struct relayclient *client, int timeout_ms)
{
	auto_fd int pidfd = client->pid ? (int)syscall(SYS_pidfd_open, client->pid, 0) : -1;
	struct pollfd waiting = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0)
		poll(&waiting, 1, timeout_ms);
	if (client->pid && waitpid(client->pid, NULL, WNOHANG) != 0)
		client->pid = 0;
}

/* The listening end, 0600. */
static int make_door(const struct relayclient *client, struct error *err)
{
	struct sockaddr_un name = get_name(client);
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set_sys(err, errno, "cannot make the relay's socket");
	unlinkat(client->run_fd, SOCKET_NAME, 0);
	/* RUN is 0700: nobody comes between bind and chmod. */
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    fchmodat(client->run_fd, SOCKET_NAME, 0600, 0) < 0 || listen(fd, QUEUE) < 0)
		return error_set_sys(err, errno, "cannot set up the relay's socket");
	return steal_fd(&fd);
}

static int run_relay(struct relayclient *client, int door, struct error *err)
{
	char number[16], link[40], run[PATH_MAX] = "";
	char *argv[4] = { (char *)"containerfs-relay", number, run };
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct program_spawn spawn = { .argv = argv, .fds = &door, .fd_count = 1 };
	pid_t pid;

	if (client->image_fd < 0)
		client->image_fd = program_seal("containerfs-relay", relay_image_start,
						(size_t)(relay_image_end - relay_image_start), err);
	if (client->image_fd < 0)
		return client->image_fd;
	if (null < 0)
		return error_set_sys(err, errno, "cannot open '/dev/null'");
	snprintf(number, sizeof(number), "%d", door);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", client->run_fd);
	if (readlink(link, run, sizeof(run) - 1) < 0)
		run[0] = '\0';
	spawn.image_fd = client->image_fd;
	spawn.null_fd = null;
	reap(client, REST_MS); /* one that could not be run is about to end */
	pid = program_start(&spawn);
	if (pid > 0)
		client->pid = pid;
	return pid < 0 ? error_set_sys(err, (int)-pid, "cannot start the relay of ports") : 0;
}

static int start(struct relayclient *client, struct error *err)
{
	auto_fd int door = make_door(client, err);
	int ret;

	if (door < 0)
		return door;
	ret = connect_to(client);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot connect to the relay of ports");
	client->fd = ret;
	return run_relay(client, door, err);
}

/* False: there is none. */
static bool find(struct relayclient *client)
{
	int fd;

	if (client->fd >= 0)
		return true;
	fd = connect_to(client);
	if (fd >= 0)
		client->fd = fd;
	return fd >= 0;
}

static int send_request(int socket_fd, const struct relay_request *request, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room = { .bytes = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)request, .iov_len = sizeof(*request) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = room.bytes;
		message.msg_controllen = sizeof(room.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* -EPIPE: the relay has gone. */
static int exchange(struct relayclient *client, const struct relay_request *request, int fd,
		    int64_t *ret_answer)
{
	struct pollfd waiting = { .fd = client->fd, .events = POLLIN };
	int ret = send_request(client->fd, request, fd);
	ssize_t len;

	if (ret < 0)
		return ret == -ECONNRESET ? -EPIPE : ret;
	do
		ret = poll(&waiting, 1, ANSWER_MS);
	while (ret < 0 && errno == EINTR);
	if (ret <= 0)
		return ret == 0 ? -ETIMEDOUT : -errno;
	len = recv(client->fd, ret_answer, sizeof(*ret_answer), 0);
	return len == (ssize_t)sizeof(*ret_answer) ? 0 : -EPIPE;
}

int64_t relayclient_ask(struct relayclient *client, const struct relay_request *request, int fd,
			struct error *err)
{
	int64_t answer = 0;
	int ret;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (!find(client)) {
			if (request->op != RELAY_OP_ADD)
				return 0;
			ret = start(client, err);
			if (ret < 0)
				return ret;
		}
		ret = exchange(client, request, fd, &answer);
		if (ret == 0)
			break;
		close(steal_fd(&client->fd));
		if (ret != -EPIPE)
			return error_set_sys(err, -ret, "the relay of ports does not answer");
	}
	if (ret < 0)
		return error_set(err, EIO, "the relay of ports ends as soon as it is asked");
	if (answer < 0)
		return error_set_sys(err, (int)-answer, "the relay of ports refuses");
	return answer;
}

void relayclient_rest(struct relayclient *client)
{
	if (client->fd >= 0)
		close(steal_fd(&client->fd));
	unlinkat(client->run_fd, SOCKET_NAME, 0);
	reap(client, REST_MS);
}
