/* Records are found by the request's number: the kernel counts numbers up and never reuses one on a
 * connection, and a request sent again carries its old one. A request that was at work in two engines
 * that died by themselves is poison and answered EIO; a kill from outside is nobody's fault.
 */
#include "fs/work.h"

#include "fs/slots.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_SLOTS 65536
#define STATE_WORKING 1
#define STATE_DONE 2
#define DEATHS_MAX 2
#define COMMAND_SHIFT 43 /* requests are counted in twos: 2^43 of them are years */

struct requests {
	struct slots *slots;
	pthread_mutex_t lock; /* guards the rest */
	struct work *first;   /* under way */
	uint32_t *left;       /* slots that a former engine left, SLOTS_NONE where claimed */
	size_t left_count;
};

int requests_open(int memory_fd, struct requests **ret, struct error *err)
{
	struct requests *requests = calloc(1, sizeof(*requests));
	int r;

	if (!requests)
		return error_set(err, ENOMEM, "no memory for the record of requests");
	pthread_mutex_init(&requests->lock, NULL);
	r = slots_open(memory_fd, sizeof(struct work_record), REQUEST_SLOTS, &requests->slots, err);
	if (r == 0) {
		requests->left = calloc(REQUEST_SLOTS, sizeof(*requests->left));
		if (!requests->left)
			r = error_set(err, ENOMEM, "no memory for the record of requests");
	}
	if (r < 0) {
		requests_close(requests);
		return r;
	}
	for (uint32_t slot = slots_find_next(requests->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(requests->slots, slot + 1))
		requests->left[requests->left_count++] = slot;
	*ret = requests;
	return 0;
}

void requests_close(struct requests *requests)
{
	if (!requests)
		return;
	slots_close(requests->slots);
	free(requests->left);
	pthread_mutex_destroy(&requests->lock);
	free(requests);
}

/* The slot that a former engine recorded this number in, or SLOTS_NONE. */
static uint32_t claim_left(struct requests *requests, uint64_t number)
{
	uint32_t slot = SLOTS_NONE;

	pthread_mutex_lock(&requests->lock);
	for (size_t i = 0; i < requests->left_count && slot == SLOTS_NONE; i++) {
		struct work_record *record;

		if (requests->left[i] == SLOTS_NONE)
			continue;
		record = slots_get_head(requests->slots, requests->left[i]);
		if (record && record->number == number) {
			slot = requests->left[i];
			requests->left[i] = SLOTS_NONE;
		}
	}
	pthread_mutex_unlock(&requests->lock);
	return slot;
}

static void save_note(struct ticket *ticket)
{
	struct work *work = ticket->owner;

	/* Emptied first: a note must never be taken for another command's. We can be killed in between, so the
	 * compiler must not make one store of these. */
	if (work->record->note_command != work->record->commands)
		work->record->note[0] = '\0';
	atomic_signal_fence(memory_order_seq_cst);
	work->record->note_command = work->record->commands;
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(work->record->note, ticket->note, sizeof(work->record->note));
}

struct work *work_new(fuse_req_t req, size_t size, void (*run)(struct work *work),
		      void (*answer)(struct work *work, int result))
{
	struct work *work = calloc(1, size);

	if (!work) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	work->fs = fs_of(req);
	work->req = req;
	work->slot = SLOTS_NONE;
	work->run = run;
	work->answer = answer;
	fs_read_caller(req, &work->caller);
	work->number = channel_get_unique();
	ticket_init(&work->ticket, work->number, channel_is_resent());
	work->ticket.save = save_note;
	work->ticket.owner = work;
	return work;
}

static void work_free(struct work *work)
{
	if (work->release)
		work->release(work);
	handle_unref(work->handle);
	free(work->name);
	free(work->data);
	ticket_deinit(&work->ticket);
	free(work);
}

void work_refuse(struct work *work)
{
	fs_note_error(work->fs, &work->caller, &work->err);
	fuse_reply_err(work->req, work->err.code);
	work_free(work);
}

static bool keep(struct work *work, const void *kept)
{
	if (kept)
		return true;
	error_set(&work->err, ENOMEM, "no memory for a request");
	work_refuse(work);
	return false;
}

bool work_keep_name(struct work *work, const char *name)
{
	work->name = strdup(name);
	return keep(work, work->name);
}

bool work_keep_data(struct work *work, const void *bytes, size_t len)
{
	work->data = malloc(len + 1);
	if (!keep(work, work->data))
		return false;
	memcpy(work->data, bytes, len);
	work->data[len] = '\0';
	work->len = len;
	return true;
}

/* Give it a record, or find the one that it has. */
static int take_record(struct work *work)
{
	struct requests *requests = work->fs->requests;

	work->slot = work->ticket.resumed ? claim_left(requests, work->number) : SLOTS_NONE;
	if (work->slot != SLOTS_NONE) {
		work->record = slots_get_head(requests->slots, work->slot);
		memcpy(work->ticket.note, work->record->note, sizeof(work->ticket.note));
		work->resumed = true;
		work->first_command = work->record->commands;
		return 0;
	}
	/* Sent again, but no engine had begun it. */
	work->ticket.resumed = false;
	work->slot = slots_alloc(requests->slots);
	if (work->slot == SLOTS_NONE)
		return error_set(&work->err, EAGAIN, "%d changes are under way: wait for some",
				 REQUEST_SLOTS);
	work->record = slots_get_head(requests->slots, work->slot);
	work->record->number = work->number;
	work->record->state = STATE_WORKING;
	return 0;
}

static void link_work(struct work *work)
{
	struct requests *requests = work->fs->requests;

	pthread_mutex_lock(&requests->lock);
	work->next = requests->first;
	if (work->next)
		work->next->prev = work;
	requests->first = work;
	pthread_mutex_unlock(&requests->lock);
}

static void unlink_work(struct work *work)
{
	struct requests *requests = work->fs->requests;

	pthread_mutex_lock(&requests->lock);
	if (work->prev)
		work->prev->next = work->next;
	else if (requests->first == work)
		requests->first = work->next;
	if (work->next)
		work->next->prev = work->prev;
	pthread_mutex_unlock(&requests->lock);
}

void requests_cancel_all(struct requests *requests)
{
	pthread_mutex_lock(&requests->lock);
	for (struct work *work = requests->first; work; work = work->next)
		ticket_cancel(&work->ticket);
	pthread_mutex_unlock(&requests->lock);
}

static void run_work(void *arg)
{
	struct work *work = arg;

	/* The kernel lets one write after the other in, but not a close by another process. */
	if (work->handle && atomic_exchange(&work->handle->at_work, true)) {
		error_set(&work->err, EBUSY,
			  "another write or close of this descriptor is under way");
		work_done(work, -EBUSY);
		return;
	}
	work->has_turn = work->handle != NULL;
	work->run(work);
}

static void send_answer(struct work *work, int result)
{
	if (result < 0)
		fuse_reply_err(work->req, -result);
	else
		work->answer(work, result);
}

void work_start(struct work *work)
{
	if (take_record(work) < 0) {
		work_refuse(work);
		return;
	}
	if (work->ticket.resumed && work->record->state == STATE_DONE) {
		/* A ctl's write may still owe its handle the reply: run() sees to it. */
		if (!work->handle) {
			send_answer(work, work->record->result);
			slots_free(work->fs->requests->slots, work->slot);
			work_free(work);
			return;
		}
	} else if (work->ticket.resumed && work->fs->memory->crashed &&
		   ++work->record->deaths >= DEATHS_MAX) {
		error_set(&work->err, EIO, "the request was given up: the engine died of it twice");
		work_done(work, -EIO);
		return;
	}
	link_work(work);
	if (workers_submit(work->fs->workers, run_work, work) < 0) {
		error_set(&work->err, EAGAIN, "no thread is free for the request");
		work_done(work, -EAGAIN);
	}
}

void work_start_file(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		     uint64_t offset, uint64_t owner, void (*run)(struct work *work),
		     void (*answer)(struct work *work, int result))
{
	struct work *work = work_new(req, sizeof(*work), run, answer);

	if (!work)
		return;
	work->handle = handle_ref(handle);
	work->offset = offset;
	work->owner = owner;
	if (!bytes || work_keep_data(work, bytes, len))
		work_start(work);
}

bool work_was_done(const struct work *work)
{
	return work->record->state == STATE_DONE;
}

void work_begin_command(struct work *work, uint32_t command)
{
	struct ticket *ticket = &work->ticket;
	bool again = work->resumed && command == work->first_command;

	/* Two signals of one write are two signals: the shim tells them apart by this. */
	ticket->number = work->number | (uint64_t)command << COMMAND_SHIFT;
	ticket->resumed = again;
	ticket->note[0] = '\0';
	if (again && work->record->note_command == command)
		memcpy(ticket->note, work->record->note, sizeof(ticket->note));
}

void work_set_done(struct work *work, int result)
{
	work->record->result = result;
	atomic_signal_fence(memory_order_seq_cst);
	work->record->state = STATE_DONE;
}

uint32_t work_give_record(struct work *work)
{
	uint32_t record = work->slot;

	work->slot = SLOTS_NONE;
	return record;
}

void work_end_record(struct fs *fs, uint32_t record)
{
	slots_free(fs->requests->slots, record);
}

void work_done(struct work *work, int result)
{
	if (result < 0 && work->err.code)
		fs_note_error(work->fs, &work->caller, &work->err);
	work_set_done(work, result);
	unlink_work(work);
	/* Before the answer: the next write follows it. */
	if (work->has_turn)
		atomic_store(&work->handle->at_work, false);
	send_answer(work, result);
	slots_free(work->fs->requests->slots, work->slot);
	work_free(work);
}

static bool try_interrupt(struct parked *parked, bool interrupted)
{
	struct work *work = (struct work *)((char *)parked - offsetof(struct work, watch));

	if (interrupted)
		ticket_cancel(&work->ticket);
	return false;
}

static void drop_watch(struct parked *parked)
{
	(void)parked; /* the work goes on; it is answered by its worker */
}

void work_allow_interrupt(struct work *work)
{
	work->watch = (struct parked){
		.key = PARK_NOTHING,
		.number = work->number,
		.req = work->req,
		.tid = work->caller.tid,
		.signals = CALLER_END_SIGNALS,
		.try = try_interrupt,
		.drop = drop_watch,
	};
	park_add(work->fs->park, &work->watch);
}

void work_end_interrupt(struct work *work)
{
	park_remove(work->fs->park, &work->watch);
}

void work_answer_ok(struct work *work, int result)
{
	(void)result;
	fuse_reply_err(work->req, 0);
}

void work_answer_write(struct work *work, int result)
{
	fuse_reply_write(work->req, (size_t)result);
}
