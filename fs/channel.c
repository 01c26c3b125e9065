/* The FUSE connection and its loop: see channel.h.
 *
 * libfuse decodes requests and makes replies; reading is done here, so that a
 * request's raw header is known to the handler that libfuse calls, and so that
 * the receive buffers are ours: a thread that is killed while the kernel copies
 * a request into a page that is not there makes the kernel answer that request
 * with EIO (every other early kill did). The buffers are therefore populated and
 * locked, and the pages of a reply are touched before it is written.
 *
 * Taking over: the INIT request of the first engine is fed to libfuse again, so
 * that it negotiates what the kernel already believes, and the reply is kept
 * instead of sent. It is sent only when the kernel asks once more: the engine
 * before died between keeping the request and answering it. After every start
 * FUSE_NOTIFY_RESEND makes the kernel queue again what a dead engine had read.
 *
 * Loop threads block in read(2), where one request wakes one thread. They are
 * stopped by a signal without effect, sent again until each has ended: it may
 * come just before the read.
 */
#include "fs/channel.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/worker.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* Linux 6.9 include/uapi/linux/fuse.h; Debian 12's headers are older. */
#define NOTIFY_RESEND 7
#define UNIQUE_RESEND (UINT64_C(1) << 63)

/* The same; the kernel can read and write a file of ours by itself. The place of max_stack_depth in struct
 * fuse_init_out is unused[0] in older headers. Its value is how deep file systems may lie upon each other
 * with ours on top (FILESYSTEM_MAX_STACK_DEPTH): an overlay below us is fine. */
#define INIT_PASSTHROUGH2 (1U << 5) /* bit 37, in flags2 */
#define STACK_DEPTH 2

/* max_write as libfuse 3.14 offers it by itself (256 pages), and its room for
 * headers (FUSE_BUFFER_HEADER_SIZE of its lib/fuse_lowlevel.c). */
#define BUFFER_SIZE ((1U << 20) + 4096U)
/* Ignored by default and used by nobody: one that is late does no harm. */
#define KICK_SIGNAL SIGURG
#define KICK_EVERY_NS 2000000
#define INIT_MAX 4096 /* bytes of an INIT request or reply: 104 and 80 today */

struct message {
	size_t len;
	/* The kernel copies it in and out as structures of 8 byte members. */
	_Alignas(8) char bytes[INIT_MAX];
};

struct channel {
	int init_fd;
	int fuse_fd; /* our own duplicate, closed by libfuse */
	struct fuse_session *session;
	bool taken_over;
	atomic_bool can_pass_through;
	struct message init_reply; /* of the synthetic INIT; written before the loop */
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stopping, or a thread has ended */
	unsigned running;       /* guarded by lock, as the two below */
	int result;
	struct error error;
};

struct loop {
	struct channel *channel;
	pthread_t thread;
	void *buffer;
	bool ended; /* guarded by the channel's lock */
};

/* What this thread is dispatching: libfuse hands neither the number nor the
 * poll handle to handlers, and gives hooks the handlers' userdata. */
static _Thread_local const struct fuse_in_header *current_request;
static _Thread_local struct channel *current_channel;
static _Thread_local struct message *reply_catcher;
static _Thread_local int reply_fd = -1; /* channel_set_reply_fd() */

/* The kernel's locks order a reply, and all before it, before the requests read after it: that is how
 * two requests on one descriptor follow each other. ThreadSanitizer must be told. */
#ifdef __has_feature
#define HAS_TSAN_FEATURE __has_feature(thread_sanitizer)
#else
#define HAS_TSAN_FEATURE 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_TSAN_FEATURE
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static char kernel;
#define NOTE_REPLY() __tsan_release(&kernel)
#define NOTE_REQUEST() __tsan_acquire(&kernel)
#else
#define NOTE_REPLY() ((void)0)
#define NOTE_REQUEST() ((void)0)
#endif

static void touch_pages(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++) {
		const volatile char *bytes = iov[i].iov_base;

		for (size_t at = 0; at < iov[i].iov_len; at += 4096)
			(void)bytes[at];
	}
}

static ssize_t catch_reply(struct message *message, const struct iovec *iov, int count)
{
	message->len = 0;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > sizeof(message->bytes) - message->len) {
			errno = EINVAL;
			return -1;
		}
		memcpy(message->bytes + message->len, iov[i].iov_base, iov[i].iov_len);
		message->len += iov[i].iov_len;
	}
	return (ssize_t)message->len;
}

/* libfuse 3.14 knows neither of the two. Both or none: see fs/volfs/volfs_backing.c. */
static void extend_init_reply(struct iovec *iov, int count, struct channel *channel)
{
	const struct fuse_init_in *in = (const void *)(current_request + 1);
	struct fuse_init_out *out;

	if (count != 2 || iov[1].iov_len < sizeof(*out) ||
	    current_request->len < sizeof(*current_request) + sizeof(*in) ||
	    !(in->flags & FUSE_INIT_EXT) || !(in->flags & FUSE_HANDLE_KILLPRIV_V2) ||
	    !(in->flags2 & INIT_PASSTHROUGH2))
		return;
	out = iov[1].iov_base;
	out->flags |= FUSE_INIT_EXT | FUSE_HANDLE_KILLPRIV_V2;
	out->flags2 |= INIT_PASSTHROUGH2;
	out->unused[0] = STACK_DEPTH;
	atomic_store(&channel->can_pass_through, true);
}

static ssize_t send_reply(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	if (current_request && current_request->opcode == FUSE_INIT && current_channel)
		extend_init_reply(iov, count, current_channel);
	if (reply_catcher)
		return catch_reply(reply_catcher, iov, count);
	touch_pages(iov, count);
	NOTE_REPLY();
	return writev(reply_fd >= 0 ? reply_fd : fd, iov, count);
}

/* libfuse wants one; the loop does not go through it. */
static ssize_t receive(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

__attribute__((format(printf, 2, 0))) static void log_libfuse(enum fuse_log_level level,
							      const char *fmt, va_list args)
{
	char line[400];

	if (level > FUSE_LOG_WARNING || vsnprintf(line, sizeof(line), fmt, args) < 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	log_warn("%s", line);
}

static void process(struct channel *channel, void *bytes, size_t len)
{
	struct fuse_buf buf = { .mem = bytes, .size = len };

	current_request = bytes;
	current_channel = channel;
	fuse_session_process_buf(channel->session, &buf);
	current_request = NULL;
}

/* Give libfuse the INIT request of the mount's first engine. */
static int replay_init(struct channel *channel, size_t len, struct error *err)
{
	struct message request = { .len = len };
	const struct fuse_in_header *in =
		(const struct fuse_in_header *)(const void *)request.bytes;
	const struct fuse_out_header *out;

	if (len < sizeof(*in) || len > sizeof(request.bytes) ||
	    path_pread_full(channel->init_fd, request.bytes, len, 0) != (ssize_t)len ||
	    in->len != len || in->opcode != FUSE_INIT)
		return error_set(err, EIO, "the kept INIT request of the mount is damaged");

	reply_catcher = &channel->init_reply;
	process(channel, request.bytes, len);
	reply_catcher = NULL;
	out = (const struct fuse_out_header *)(const void *)channel->init_reply.bytes;
	if (channel->init_reply.len < sizeof(*out) || out->error != 0)
		return error_set(err, EIO, "cannot agree with the kernel about FUSE again");
	channel->taken_over = true;
	return 0;
}

static int make_session(struct channel *channel, int fuse_fd, const struct fuse_lowlevel_ops *ops,
			size_t ops_size, void *userdata, struct error *err)
{
	static const struct fuse_custom_io io = { .writev = send_reply, .read = receive };
	char name[] = "containerfs";
	char *argv[] = { name, NULL };
	struct fuse_args args = { .argc = 1, .argv = argv };
	auto_fd int own_fd = fcntl(fuse_fd, F_DUPFD_CLOEXEC, 3);

	if (own_fd < 0)
		return error_set_sys(err, errno, "cannot use the FUSE descriptor");
	fuse_set_log_func(log_libfuse);
	channel->session = fuse_session_new(&args, ops, ops_size, userdata);
	fuse_opt_free_args(&args);
	if (!channel->session)
		return error_set_sys(err, ENOMEM, "cannot make a FUSE session");
	if (fuse_session_custom_io(channel->session, &io, own_fd) != 0)
		return error_set_sys(err, ENOMEM, "cannot make a FUSE session");
	channel->fuse_fd = steal_fd(&own_fd);
	return 0;
}

DEFINE_AUTO(struct channel *, channel_close);

int channel_open(int fuse_fd, int init_fd, const struct fuse_lowlevel_ops *ops, size_t ops_size,
		 void *userdata, struct channel **ret, struct error *err)
{
	AUTO(channel_close) struct channel *channel = calloc(1, sizeof(*channel));
	pthread_condattr_t attr;
	struct stat st;
	int r;

	if (!channel)
		return error_set_sys(err, ENOMEM, "cannot open the FUSE connection");
	channel->init_fd = init_fd;
	pthread_mutex_init(&channel->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&channel->changed, &attr);
	pthread_condattr_destroy(&attr);

	r = make_session(channel, fuse_fd, ops, ops_size, userdata, err);
	if (r < 0)
		return r;
	if (fstat(init_fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the kept INIT request");
	if (st.st_size > 0)
		r = replay_init(channel, (size_t)st.st_size, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&channel);
	return 0;
}

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->session)
		fuse_session_destroy(channel->session);
	pthread_cond_destroy(&channel->changed);
	pthread_mutex_destroy(&channel->lock);
	free(channel);
}

/* --- the loop ------------------------------------------------------------- */

static void end_loops(struct channel *channel, int result, const struct error *error)
{
	pthread_mutex_lock(&channel->lock);
	if (result < 0 && channel->result == 0) {
		channel->result = result;
		channel->error = *error;
	}
	atomic_store(&channel->stopping, true);
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

void channel_stop(struct channel *channel)
{
	end_loops(channel, 0, NULL);
}

/* The first request of a mount. Kept before it is answered: an engine that finds
 * nothing kept must be able to rely on the kernel asking (again). */
static int keep_init(struct channel *channel, const struct fuse_in_header *in, struct error *err)
{
	int r = path_pwrite_all(channel->init_fd, in, in->len, 0);

	if (r < 0)
		return error_set_sys(err, -r, "cannot keep the mount's INIT request");
	return 0;
}

/* The kernel has not got the answer that an engine before us owed it. */
static void answer_init_again(struct channel *channel, uint64_t unique)
{
	struct message reply = channel->init_reply;
	struct fuse_out_header *out = (struct fuse_out_header *)(void *)reply.bytes;

	out->unique = unique;
	if (write(channel->fuse_fd, reply.bytes, reply.len) < 0)
		log_warn("cannot answer the kernel's INIT request (errno %d)", errno);
}

static int dispatch(struct channel *channel, void *bytes, size_t len, struct error *err)
{
	const struct fuse_in_header *in = bytes;

	if (len < sizeof(*in) || in->len != len)
		return error_set(err, EIO, "a request of %zu bytes came from the kernel", len);
	if (in->opcode == FUSE_INIT && channel->taken_over) {
		answer_init_again(channel, in->unique);
		return 0;
	}
	if (in->opcode == FUSE_INIT) {
		int r = keep_init(channel, in, err);

		if (r < 0)
			return r;
	}
	process(channel, bytes, len);
	return 0;
}

/* ENOENT is a request that was taken back while it was read; EINTR also the
 * kick; ENODEV says that the mount has gone or was aborted. */
static int serve(struct loop *loop, struct error *err)
{
	struct channel *channel = loop->channel;

	while (!atomic_load(&channel->stopping)) {
		ssize_t n = read(channel->fuse_fd, loop->buffer, BUFFER_SIZE);
		int r;

		if (n < 0 && errno == ENODEV)
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			return error_set_sys(err, errno, "cannot read requests from the kernel");
		if (n < 0)
			continue;
		NOTE_REQUEST();
		r = dispatch(channel, loop->buffer, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void *run_loop(void *arg)
{
	struct loop *loop = arg;
	struct error err = ERROR_INIT;
	sigset_t kick;
	int r;

	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	r = serve(loop, &err);

	end_loops(loop->channel, r, &err);
	pthread_mutex_lock(&loop->channel->lock);
	loop->ended = true;
	loop->channel->running--;
	pthread_cond_broadcast(&loop->channel->changed);
	pthread_mutex_unlock(&loop->channel->lock);
	return NULL;
}

static void do_nothing(int signo)
{
	(void)signo;
}

static int start_loop(struct channel *channel, struct loop *loop)
{
	loop->channel = channel;
	loop->ended = true;
	loop->buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (loop->buffer == MAP_FAILED) {
		loop->buffer = NULL;
		return -ENOMEM;
	}
	/* Where locking is not allowed, swapping is all that could hurt. */
	(void)mlock(loop->buffer, BUFFER_SIZE);
	/* After a fork (a sanitizer makes one of each vfork) the pages would be there, but to be copied at the
	 * next write to them: as bad as not there. */
	(void)madvise(loop->buffer, BUFFER_SIZE, MADV_DONTFORK);
	return worker_start_thread(&loop->thread, run_loop, loop);
}

static int start_loops(struct channel *channel, struct loop *loops, unsigned threads,
		       unsigned *ret_started, struct error *err)
{
	struct sigaction action = { .sa_handler = do_nothing };

	sigaction(KICK_SIGNAL, &action, NULL);
	pthread_mutex_lock(&channel->lock);
	for (*ret_started = 0; *ret_started < threads; ++*ret_started) {
		struct loop *loop = &loops[*ret_started];
		int r = start_loop(channel, loop);

		if (r < 0) {
			pthread_mutex_unlock(&channel->lock);
			return error_set_sys(err, -r, "cannot start the threads of the mount");
		}
		loop->ended = false;
		channel->running++;
	}
	pthread_mutex_unlock(&channel->lock);
	return 0;
}

static void kick_locked(struct loop *loops, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!loops[i].ended)
			pthread_kill(loops[i].thread, KICK_SIGNAL);
}

static void wait_loops(struct channel *channel, struct loop *loops, unsigned count)
{
	pthread_mutex_lock(&channel->lock);
	while (channel->running > 0) {
		struct timespec until;

		if (!atomic_load(&channel->stopping)) {
			pthread_cond_wait(&channel->changed, &channel->lock);
			continue;
		}
		kick_locked(loops, count);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += KICK_EVERY_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&channel->changed, &channel->lock, &until);
	}
	pthread_mutex_unlock(&channel->lock);
	for (unsigned i = 0; i < count; i++)
		pthread_join(loops[i].thread, NULL);
}

/* A kernel before 6.9 does not know this one (EINVAL): the holder does not let
 * an engine take over there. A first engine asks too: one before it may have
 * died with the INIT request in its hands, and not kept it yet. */
static int ask_resend(struct channel *channel, struct error *err)
{
	struct fuse_out_header out = { .len = sizeof(out), .error = NOTIFY_RESEND };

	if (write(channel->fuse_fd, &out, sizeof(out)) < 0 && channel->taken_over &&
	    errno != ENODEV)
		return error_set_sys(err, errno, "cannot have the mount's requests sent again");
	return 0;
}

int channel_run(struct channel *channel, unsigned threads, void (*on_ready)(void *arg), void *arg,
		struct error *err)
{
	auto_free struct loop *loops = calloc(threads ? threads : 1, sizeof(*loops));
	unsigned started = 0;
	int r;

	if (!loops || threads == 0)
		return error_set_sys(err, threads ? ENOMEM : EINVAL, "cannot serve the mount");
	if (on_ready)
		on_ready(arg);
	r = ask_resend(channel, err);
	if (r == 0)
		r = start_loops(channel, loops, threads, &started, err);
	if (r < 0)
		channel_stop(channel);
	wait_loops(channel, loops, started);
	for (unsigned i = 0; i < threads; i++)
		if (loops[i].buffer)
			munmap(loops[i].buffer, BUFFER_SIZE);
	if (r == 0 && channel->result < 0)
		r = error_set(err, channel->error.code, "%s", channel->error.msg);
	return r;
}

bool channel_was_taken_over(const struct channel *channel)
{
	return channel->taken_over;
}

/* --- inside a handler ----------------------------------------------------- */

uint64_t channel_get_unique(void)
{
	return current_request ? current_request->unique & ~UNIQUE_RESEND : 0;
}

const void *channel_get_request_body(void)
{
	return current_request ? current_request + 1 : NULL;
}

bool channel_can_pass_through(const struct channel *channel)
{
	return atomic_load(&channel->can_pass_through);
}

bool channel_is_resent(void)
{
	return current_request && (current_request->unique & UNIQUE_RESEND);
}

uint64_t channel_get_poll_kh(void)
{
	const struct fuse_poll_in *in = (const void *)(current_request + 1);

	if (!current_request || current_request->opcode != FUSE_POLL ||
	    !(in->flags & FUSE_POLL_SCHEDULE_NOTIFY))
		return 0;
	return in->kh;
}

void channel_set_reply_fd(int fd)
{
	reply_fd = fd;
}

/* --- to the kernel -------------------------------------------------------- */

int channel_notify_poll(struct channel *channel, uint64_t kh)
{
	struct {
		struct fuse_out_header header;
		struct fuse_notify_poll_wakeup_out wakeup;
	} out = {
		.header = { .len = sizeof(out), .error = FUSE_NOTIFY_POLL },
		.wakeup = { .kh = kh },
	};

	return write(channel->fuse_fd, &out, sizeof(out)) < 0 ? -errno : 0;
}

struct fuse_session *channel_get_session(struct channel *channel)
{
	return channel->session;
}
