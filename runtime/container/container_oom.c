/* OOMKilled while the container runs, and the event "oom", once for each run.
 *
 * Only containers with a limit of memory are watched, by a descriptor of theirs in
 * the monitor's epoll. Whoever was not (or whose engine was dead meanwhile) is asked
 * at the end of the run, when the group is still there: see container_exit.c.
 */
#include "runtime/engine_private.h"

#include <string.h>

/* Was it told of this run, by whatever engine? */
static bool was_told(const struct container *c)
{
	static const char *const actions[] = { "start", "oom", NULL };

	return events_find_last(c->engine->events, c->id, actions) == 1;
}

void oom_tell(struct container *c)
{
	if (!was_told(c))
		container_emit(c, "oom", NULL, NULL);
}

static void oom_job(void *arg)
{
	struct container *c = arg;
	struct container_view *view = container_edit(c);
	bool news = container_view_is_live(view) && !view->oom_killed && !c->ending;

	view->oom_killed = view->oom_killed || news;
	container_swap(c, view);
	if (!news)
		return;
	oom_tell(c);
	store_save_state(c);
	container_notify(c);
}

void oom_watch(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	bool is_priority;
	int fd;

	if (c->exec || json_get_int(view->effective, "Memory", 0) <= 0)
		return;
	fd = cgroup_watch_oom(c->engine->cgroups, c->id, &is_priority);
	if (fd < 0)
		return; /* it has ended, and is asked then */
	pthread_mutex_lock(&c->lock);
	if (c->oom_fd >= 0 || c->view->run != view->run || c->ending) {
		close(fd);
		fd = -1;
	} else {
		c->oom_fd = fd;
		c->oom_is_priority = is_priority;
		monitor_watch_oom(c->engine->monitor, c->key, view->run, fd, is_priority);
	}
	pthread_mutex_unlock(&c->lock);
	/* Before it was watched, by another engine. */
	if (fd >= 0 && !view->oom_killed && cgroup_was_oom(c->engine->cgroups, c->id))
		engine_submit(c, oom_job);
}

void oom_unwatch(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->oom_fd >= 0)
		close(c->oom_fd); /* and it leaves the epoll */
	c->oom_fd = -1;
	pthread_mutex_unlock(&c->lock);
}

void oom_on_event(struct container *c, uint64_t run)
{
	bool killed = false;

	pthread_mutex_lock(&c->lock);
	if (c->oom_fd >= 0 && c->view->run == run) {
		killed = cgroup_take_oom(c->oom_fd, c->oom_is_priority);
		/* Of version 2 it may have been another of the file's numbers. One kill is enough. */
		if (!killed)
			monitor_rearm_oom(c->engine->monitor, c->key, run, c->oom_fd,
					  c->oom_is_priority);
	}
	pthread_mutex_unlock(&c->lock);
	if (killed)
		engine_submit(c, oom_job);
}
