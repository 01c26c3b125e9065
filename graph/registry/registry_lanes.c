/* Side by side, and again. Three lanes: what Docker takes; a registry answers no faster to more. */
#include "graph/registry/registry_lanes.h"

#include "base/worker.h"

#include <string.h>
#include <time.h>

#define LANES 3
#define BACK_OFF_MS 100U
#define SLEEP_MS 50
#define RETRY_AFTER_MAX_S 20

struct lanes {
	struct session *session;
	size_t count;
	int (*work)(void *arg, struct http *http, size_t index, struct error *err);
	void *arg;
	atomic_bool *stop;
	atomic_size_t next;
	pthread_mutex_t lock; /* guards err */
	struct error err;     /* the first */
};

static void note_failure(struct lanes *lanes, const struct error *err)
{
	pthread_mutex_lock(&lanes->lock);
	if (!lanes->err.code)
		lanes->err = *err;
	pthread_mutex_unlock(&lanes->lock);
	atomic_store(lanes->stop, true);
}

static void *run_lane(void *arg)
{
	struct lanes *lanes = arg;
	struct error err = ERROR_INIT;
	struct http *http AUTO(http_free) = session_new_http(lanes->session, &err);
	size_t index;

	if (!http)
		note_failure(lanes, &err);
	while (!atomic_load(lanes->stop) &&
	       (index = atomic_fetch_add(&lanes->next, 1)) < lanes->count) {
		if (lanes->work(lanes->arg, http, index, &err) < 0)
			note_failure(lanes, &err);
	}
	return NULL;
}

int lanes_run(struct session *session, size_t count,
	      int (*work)(void *arg, struct http *http, size_t index, struct error *err), void *arg,
	      atomic_bool *stop, struct error *err)
{
	struct lanes lanes = {
		.session = session, .count = count, .work = work, .arg = arg, .stop = stop
	};
	pthread_t threads[LANES - 1];
	size_t begun = 0;

	pthread_mutex_init(&lanes.lock, NULL);
	atomic_init(&lanes.next, 0);
	/* Fewer threads are slower, no more. */
	while (begun < LANES - 1 && begun + 1 < count &&
	       worker_start_thread(&threads[begun], run_lane, &lanes) == 0)
		begun++;
	if (count)
		run_lane(&lanes);
	while (begun > 0)
		pthread_join(threads[--begun], NULL);
	pthread_mutex_destroy(&lanes.lock);
	if (!lanes.err.code)
		return 0;
	if (err)
		*err = lanes.err;
	return -lanes.err.code;
}

bool lanes_may_retry(int ret, int status)
{
	if (ret < 0)
		return ret == -ECONNRESET || ret == -ETIMEDOUT || ret == -ECONNREFUSED ||
		       ret == -EHOSTUNREACH;
	return status == 408 || status == 429 || (status >= 500 && status != 501);
}

int lanes_back_off(const struct session *session, unsigned failures,
		   const struct http_answer *answer, struct error *err)
{
	unsigned left_ms = BACK_OFF_MS << (2 * (failures - 1));
	const struct timespec step = { .tv_nsec = SLEEP_MS * 1000000L };

	if (answer->retry_after_s >= 0)
		left_ms = 1000U * (unsigned)(answer->retry_after_s < RETRY_AFTER_MAX_S
						     ? answer->retry_after_s
						     : RETRY_AFTER_MAX_S);
	for (; left_ms > 0; left_ms -= left_ms < SLEEP_MS ? left_ms : SLEEP_MS) {
		if (session->http.is_cancelled && session->http.is_cancelled(session->http.arg))
			return error_set(err, EINTR, "interrupted");
		nanosleep(&step, NULL);
	}
	return 0;
}
