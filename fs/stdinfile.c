/* The writing side of stdin and attach. Bytes go to the shim under the request's number, so that a request
 * sent again by the kernel gives no byte twice. Writers of one container stand in line: the first
 * one's bytes are all taken before the next one's begin.
 *
 * An input is owned by its queue until it is answered. Whoever holds the queue's `busy` (one worker at a time)
 * offers the first input; a signal takes one out that is not being offered.
 */
#include "fs/files.h"

#include "base/hash.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct queue;

struct input {
	struct parked parked;
	struct queue *queue;
	struct handle *handle;
	struct caller caller;
	struct input *next;
	char *data;
	size_t len;
	size_t taken;
	bool nonblocking;
	bool is_parked;
	bool waited;      /* it ran before: what ends the process now is the end of stdin */
	bool interrupted; /* by a signal that came while it was being offered */
	bool finished;    /* out of the queue: who took it out answers it, no signal does */
};

struct queue {
	uint64_t key;
	struct fs *fs;
	struct input *first;
	bool busy;
	bool missed; /* a wake-up came while the first input was being offered */
	UT_hash_handle hh;
};

struct inputs {
	pthread_mutex_t
		lock;        /* guards the table, the queues, and is_parked to finished of inputs */
	struct queue *table; /* of containers with waiting input */
};

struct inputs *inputs_new(void)
{
	struct inputs *inputs = calloc(1, sizeof(*inputs));

	if (inputs)
		pthread_mutex_init(&inputs->lock, NULL);
	return inputs;
}

void inputs_free(struct inputs *inputs)
{
	struct queue *queue, *next;

	if (!inputs)
		return;
	HASH_ITER(hh, inputs->table, queue, next) {
		HASH_DEL(inputs->table, queue);
		free(queue);
	}
	pthread_mutex_destroy(&inputs->lock);
	free(inputs);
}

static void input_free(struct input *input)
{
	if (!input)
		return;
	handle_unref(input->handle);
	free(input->data);
	free(input);
}

static void drop_input(struct parked *parked)
{
	input_free((struct input *)parked);
}

static struct queue *get_queue_locked(struct inputs *inputs, struct fs *fs, uint64_t key)
{
	struct queue *queue = NULL;

	HASH_FIND(hh, inputs->table, &key, sizeof(key), queue);
	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->key = key;
	queue->fs = fs;
	HASH_ADD(hh, inputs->table, key, sizeof(queue->key), queue);
	if (hash_took(queue))
		return queue;
	free(queue);
	return NULL;
}

static void remove_locked(struct queue *queue, struct input *input)
{
	struct input **at;

	for (at = &queue->first; *at && *at != input; at = &(*at)->next)
		;
	if (*at)
		*at = input->next;
}

/* The answer to one that has left the queue. */
static void answer(struct input *input, ssize_t result, struct error *err)
{
	struct fs *fs = input->handle->fs;

	if (result >= 0) {
		fuse_reply_write(input->parked.req, (size_t)result);
		return;
	}
	if (err->code)
		fs_note_error(fs, &input->caller, err);
	fuse_reply_err(input->parked.req, (int)-result);
}

static void pump(void *arg);

/* Give the turn to a worker; busy is set. When none is to be had the bytes go out from here. */
static void start_pump(struct queue *queue)
{
	if (workers_submit(queue->fs->workers, pump, queue) < 0)
		pump(queue);
}

/* Offer the input's bytes. True: it is finished with *ret_result. */
static bool offer(struct input *input, ssize_t *ret_result, struct error *err)
{
	struct container *c = input->handle->container;
	ssize_t r = c ? container_write_stdin(c, input->parked.number, input->data, input->len, err)
		      : error_set(err, ESRCH, "stdin: the container has been removed");

	if (r == -ESRCH && (input->waited || input->taken > 0)) {
		error_clear(err);
		r = error_set(err, EPIPE, "stdin: the container has ended");
	}
	*ret_result = r;
	if (r < 0) {
		/* What was taken before the end is the answer; the next write sees the end. */
		if (input->taken > 0)
			*ret_result = (ssize_t)input->taken;
		return true;
	}
	input->taken = (size_t)r;
	if (input->taken == input->len)
		return true;
	if (input->nonblocking && r == 0)
		*ret_result = error_set(err, EAGAIN, "stdin: the process does not read");
	return input->nonblocking;
}

/* The first input is finished: out of the queue, answered, gone. */
static void finish_first(struct inputs *inputs, struct queue *queue, ssize_t result,
			 struct error *err)
{
	struct input *input;
	bool was_parked;

	pthread_mutex_lock(&inputs->lock);
	input = queue->first;
	queue->first = input->next;
	input->finished = true;
	was_parked = input->is_parked;
	pthread_mutex_unlock(&inputs->lock);
	if (was_parked)
		park_remove(queue->fs->park, &input->parked);
	answer(input, result, err);
	input_free(input);
}

enum pause { PAUSE_PARKED, PAUSE_AGAIN, PAUSE_INTERRUPTED };

/* The process does not read: the input waits with the turn given back. What came while it was being
 * offered is seen to first. */
static enum pause park_first(struct inputs *inputs, struct queue *queue)
{
	enum pause pause = PAUSE_PARKED;
	struct input *input;
	bool add = false;

	pthread_mutex_lock(&inputs->lock);
	input = queue->first;
	input->waited = true;
	if (input->interrupted) {
		pause = PAUSE_INTERRUPTED;
	} else if (queue->missed) {
		pause = PAUSE_AGAIN;
	} else {
		add = !input->is_parked;
		input->is_parked = true;
		queue->busy = false;
	}
	queue->missed = false;
	pthread_mutex_unlock(&inputs->lock);
	/* Parking tries it once more, so room made meanwhile is seen. */
	if (add)
		park_add(queue->fs->park, &input->parked);
	return pause;
}

static void pump(void *arg)
{
	struct queue *queue = arg;
	struct inputs *inputs = queue->fs->inputs;

	for (;;) {
		struct error err = ERROR_INIT;
		struct input *input;
		ssize_t result;

		pthread_mutex_lock(&inputs->lock);
		input = queue->first;
		if (!input) {
			HASH_DEL(inputs->table, queue);
			pthread_mutex_unlock(&inputs->lock);
			free(queue);
			return;
		}
		pthread_mutex_unlock(&inputs->lock);
		if (!offer(input, &result, &err)) {
			enum pause pause = park_first(inputs, queue);

			if (pause == PAUSE_PARKED)
				return;
			if (pause == PAUSE_AGAIN)
				continue;
			result = input->taken > 0 ? (ssize_t)input->taken : -EINTR;
		}
		finish_first(inputs, queue, result, &err);
	}
}

/* On the waker's thread the turn is only given away: who is finished with a parked input waits until the
 * waker lets go of it. Without a thread the next wake-up tries again. */
static void hand_on(struct queue *queue)
{
	struct inputs *inputs = queue->fs->inputs;

	if (workers_submit(queue->fs->workers, pump, queue) == 0)
		return;
	pthread_mutex_lock(&inputs->lock);
	queue->busy = false;
	pthread_mutex_unlock(&inputs->lock);
}

/* Woken, because there may be room; or a signal. */
static bool try_input(struct parked *parked, bool interrupted)
{
	struct input *input = (struct input *)parked;
	struct queue *queue = input->queue;
	struct inputs *inputs = queue->fs->inputs;
	bool offered, leave, go_on;
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&inputs->lock);
	/* While it is being offered the worker decides, and looks at these before it rests. */
	offered = queue->busy && queue->first == input;
	queue->missed |= offered;
	input->interrupted |= offered && interrupted;
	leave = interrupted && !offered && !input->finished;
	if (leave)
		remove_locked(queue, input);
	go_on = !queue->busy && (leave || queue->first == input);
	if (go_on)
		queue->busy = true;
	pthread_mutex_unlock(&inputs->lock);
	if (go_on)
		hand_on(queue);
	if (leave)
		answer(input, input->taken > 0 ? (ssize_t)input->taken : -EINTR, &err);
	return leave;
}

static struct input *make_input(fuse_req_t req, struct handle *handle, const char *bytes,
				size_t len, bool nonblocking)
{
	struct input *input = calloc(1, sizeof(*input));

	if (!input)
		return NULL;
	input->data = malloc(len ? len : 1);
	if (!input->data) {
		free(input);
		return NULL;
	}
	memcpy(input->data, bytes, len);
	input->len = len;
	input->nonblocking = nonblocking;
	input->waited = channel_is_resent();
	input->handle = handle_ref(handle);
	fs_read_caller(req, &input->caller);
	input->parked = (struct parked){
		.key = node_get_key(handle->head->node),
		.number = channel_get_unique(),
		.req = req,
		.tid = input->caller.tid,
		.signals = CALLER_ANY_SIGNAL,
		.try = try_input,
		.drop = drop_input,
		.busy = true, /* its turn may come, and end, before it has been parked */
	};
	return input;
}

/* At the end of the line. -EAGAIN when it must not wait. */
static int enqueue(struct inputs *inputs, struct input *input, struct queue **ret_start,
		   bool *ret_park)
{
	struct fs *fs = input->handle->fs;
	struct queue *queue;
	struct input **at;

	pthread_mutex_lock(&inputs->lock);
	queue = get_queue_locked(inputs, fs, input->parked.key);
	if (!queue || (queue->first && input->nonblocking)) {
		pthread_mutex_unlock(&inputs->lock);
		return queue ? -EAGAIN : -ENOMEM;
	}
	input->queue = queue;
	*ret_park = queue->first != NULL;
	input->is_parked = *ret_park;
	for (at = &queue->first; *at; at = &(*at)->next)
		;
	*at = input;
	if (!queue->busy && !*ret_park) {
		queue->busy = true;
		*ret_start = queue;
	}
	pthread_mutex_unlock(&inputs->lock);
	return 0;
}

void stdinfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		     bool nonblocking)
{
	struct input *input = make_input(req, handle, bytes, len, nonblocking);
	struct queue *queue = NULL;
	bool park = false;
	int r = input ? enqueue(handle->fs->inputs, input, &queue, &park) : -ENOMEM;

	if (r < 0) {
		fuse_reply_err(req, -r);
		input_free(input);
		return;
	}
	if (park)
		park_add(handle->fs->park, &input->parked);
	else if (queue)
		start_pump(queue);
}

void stdinfile_open(struct handle *handle)
{
	if (handle->container && (handle->head->open_flags & O_ACCMODE) != O_RDONLY)
		container_open_stdin(handle->container);
}

void stdinfile_release(struct handle *handle)
{
	if (handle->container && (handle->head->open_flags & O_ACCMODE) != O_RDONLY)
		container_release_stdin(handle->container, handle->head->run);
}
