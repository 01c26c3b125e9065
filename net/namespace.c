/* A thread of its own makes the namespaces: to make one is to enter it (unshare(2)), and
 * nobody else's /proc/sys/net should change under them. It goes back at once, for the one
 * that it is in lives on. The stock is refilled after each taking.
 *
 * As in Docker, every user in there may listen on low ports and ping (by ICMP sockets).
 *
 * Of an engine that dies the stock goes by itself: nobody else has descriptors of it.
 */
#include "net/namespace.h"

#include "net/link.h"

#include "base/log.h"
#include "base/random.h"
#include "base/worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define STOCK_MAX 3U

/* Somebody who waits for one to be made. */
struct order {
	struct order *next;
	bool is_empty;    /* without a pair */
	int ns_fd;        /* one that is there, -1: a new one */
	const char *link; /* for that one */
	bool done;
	int ret;
	struct namespace made;
	struct error err;
};

struct namespaces {
	char prefix[IFNAMSIZ];
	struct netlink *host; /* of the thread, as the next */
	int home_fd;          /* the engine's own namespace */
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t work, done;
	bool started, ending;
	int bridge_index;
	unsigned mtu;
	unsigned generation; /* of the bridge: what was made for another is let go */
	struct namespace stock[STOCK_MAX];
	unsigned stock_count;
	bool refill;
	struct order *orders;
};

void namespace_deinit(struct namespace *namespace)
{
	netlink_close(namespace->inside);
	if (namespace->fd >= 0)
		close(namespace->fd);
	*namespace = (struct namespace){ .fd = -1 };
}

/* --- making (the thread) -------------------------------------------------------------- */

static int open_current(struct error *err)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? error_set_sys(err, errno, "cannot open a network namespace") : fd;
}

/* Of the namespace that this thread is in. */
static int set_default(const char *path, const char *value, struct error *err)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return error_set_sys(err, errno, "cannot set %s to '%s'", path, value);
	return 0;
}

static int set_defaults(struct error *err)
{
	int ret = set_default("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", err);

	return ret < 0 ? ret
		       : set_default("/proc/sys/net/ipv4/ping_group_range", "0 2147483647", err);
}

/* Enter a new one, or the one of ns_fd, and leave it again. */
static int make_empty(struct namespaces *all, int ns_fd, struct namespace *made, struct error *err)
{
	int ret = ns_fd < 0 ? unshare(CLONE_NEWNET) : setns(ns_fd, CLONE_NEWNET);

	if (ret < 0)
		return error_set_sys(err, errno, "cannot %s a network namespace",
				     ns_fd < 0 ? "make" : "enter");
	made->fd = open_current(err);
	ret = made->fd < 0 ? made->fd : set_defaults(err);
	if (ret == 0)
		ret = netlink_open(&made->inside, err);
	if (setns(all->home_fd, CLONE_NEWNET) < 0 && ret == 0)
		ret = error_set_sys(err, errno, "cannot leave a network namespace");
	return ret;
}

void namespaces_name_link(const struct namespaces *all, char ret[IFNAMSIZ])
{
	char digits[65];

	random_id(digits);
	snprintf(ret, IFNAMSIZ, "%.7s%.8s", all->prefix, digits);
}

static int make_pair(struct namespaces *all, int bridge_index, unsigned mtu, struct namespace *made,
		     struct error *err)
{
	int ret = link_make_pair(all->host, made->link, bridge_index, made->fd, mtu, err);

	if (ret == 0)
		ret = link_find_eth0(made->inside, &made->eth0_index, err);
	return ret;
}

static int make_one(struct namespaces *all, const struct order *order, int bridge_index,
		    unsigned mtu, struct namespace *ret, struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	int r;

	if (!order->is_empty && bridge_index == 0)
		return error_set(err, ENETDOWN, "there is no bridge");
	if (order->link)
		snprintf(made.link, sizeof(made.link), "%s", order->link);
	else if (!order->is_empty)
		namespaces_name_link(all, made.link);
	r = make_empty(all, order->ns_fd, &made, err);
	if (r == 0 && !order->is_empty)
		r = make_pair(all, bridge_index, mtu, &made, err);
	if (r < 0)
		return r;
	*ret = made;
	made = (struct namespace){ .fd = -1 };
	return 0;
}

static void serve_order(struct namespaces *all, struct order *order)
{
	int bridge_index = all->bridge_index;
	unsigned mtu = all->mtu;

	all->orders = order->next;
	pthread_mutex_unlock(&all->lock);
	order->ret = make_one(all, order, bridge_index, mtu, &order->made, &order->err);
	pthread_mutex_lock(&all->lock);
	order->done = true;
	pthread_cond_broadcast(&all->done);
}

static void refill(struct namespaces *all)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	unsigned generation = all->generation, mtu = all->mtu;
	const struct order order = { .ns_fd = -1 };
	int bridge_index = all->bridge_index;
	struct error err = ERROR_INIT;
	int ret;

	pthread_mutex_unlock(&all->lock);
	ret = make_one(all, &order, bridge_index, mtu, &made, &err);
	pthread_mutex_lock(&all->lock);
	if (generation != all->generation)
		return;
	if (ret < 0) {
		log_warn("no network namespace in stock: %s", err.msg);
		all->refill = false; /* the next taking tries again */
		return;
	}
	all->stock[all->stock_count++] = made;
	made = (struct namespace){ .fd = -1 };
}

static void *run(void *arg)
{
	struct namespaces *all = arg;

	pthread_mutex_lock(&all->lock);
	while (!all->ending) {
		if (all->orders)
			serve_order(all, all->orders);
		else if (all->refill && all->bridge_index && all->stock_count < STOCK_MAX)
			refill(all);
		else
			pthread_cond_wait(&all->work, &all->lock);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

/* --- the stock -------------------------------------------------------------------------- */

static int start_thread(struct namespaces *all, struct error *err)
{
	int r = worker_start_thread(&all->thread, run, all);

	if (r < 0)
		return error_set_sys(err, -r, "cannot start the network's thread");
	all->started = true;
	return 0;
}

int namespaces_new(const char *prefix, struct namespaces **ret, struct error *err)
{
	struct namespaces *all AUTO(namespaces_free) = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return error_set(err, ENOMEM, "no memory for the network");
	snprintf(all->prefix, sizeof(all->prefix), "%s", prefix);
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->work, NULL);
	pthread_cond_init(&all->done, NULL);
	r = all->home_fd = open_current(err);
	if (r >= 0)
		r = netlink_open(&all->host, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&all);
	return 0;
}

static void empty_stock(struct namespaces *all)
{
	for (unsigned i = 0; i < all->stock_count; i++)
		namespace_deinit(&all->stock[i]);
	all->stock_count = 0;
	all->refill = false;
}

void namespaces_free(struct namespaces *all)
{
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->ending = true;
	pthread_cond_broadcast(&all->work);
	pthread_mutex_unlock(&all->lock);
	if (all->started)
		pthread_join(all->thread, NULL);
	empty_stock(all);
	netlink_close(all->host);
	if (all->home_fd >= 0)
		close(all->home_fd);
	pthread_cond_destroy(&all->work);
	pthread_cond_destroy(&all->done);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void namespaces_set_bridge(struct namespaces *all, int bridge_index, unsigned mtu)
{
	pthread_mutex_lock(&all->lock);
	all->bridge_index = bridge_index;
	all->mtu = mtu;
	all->generation++;
	empty_stock(all);
	pthread_mutex_unlock(&all->lock);
}

/* lock held. */
static int place_order(struct namespaces *all, struct order *order, struct namespace *ret,
		       struct error *err)
{
	struct order **at = &all->orders;

	while (*at)
		at = &(*at)->next;
	*at = order;
	pthread_cond_signal(&all->work);
	while (!order->done)
		pthread_cond_wait(&all->done, &all->lock);
	if (order->ret < 0)
		return error_set(err, order->err.code, "%s", order->err.msg);
	*ret = order->made;
	return 0;
}

static int take(struct namespaces *all, struct order *order, struct namespace *ret,
		struct error *err)
{
	bool stocked = !order->is_empty && order->ns_fd < 0;
	int r = 0;

	order->made.fd = -1;
	order->err = (struct error)ERROR_INIT;
	pthread_mutex_lock(&all->lock);
	if (!all->started)
		r = start_thread(all, err);
	if (r == 0 && stocked && all->stock_count > 0)
		*ret = all->stock[--all->stock_count];
	else if (r == 0)
		r = place_order(all, order, ret, err);
	if (r == 0 && stocked) {
		all->refill = true;
		pthread_cond_signal(&all->work);
	}
	pthread_mutex_unlock(&all->lock);
	return r;
}

int namespaces_take(struct namespaces *all, struct namespace *ret, struct error *err)
{
	struct order order = { .ns_fd = -1 };

	return take(all, &order, ret, err);
}

int namespaces_fit(struct namespaces *all, int ns_fd, const char *link, struct namespace *ret,
		   struct error *err)
{
	struct order order = { .ns_fd = ns_fd, .link = link };

	return take(all, &order, ret, err);
}

int namespaces_make_empty(struct namespaces *all, struct namespace *ret, struct error *err)
{
	struct order order = { .ns_fd = -1, .is_empty = true };

	return take(all, &order, ret, err);
}
