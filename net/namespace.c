/* A thread of its own makes the namespaces: to make one is to enter it (unshare(2)), and
 * nobody else's /proc/sys/net should change under them. It goes back at once, for the one
 * that it is in lives on. The stock is refilled after each taking.
 *
 * Of an engine that dies the stock goes by itself: nobody else has descriptors of it.
 */
#include "net/namespace.h"

#include "net/link.h"

#include "base/log.h"
#include "base/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STOCK_MAX 3U

/* Somebody who waits for one to be made. */
struct order {
	struct order *next;
	bool is_empty; /* without a pair */
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

static int make_empty(struct namespaces *all, struct namespace *made, struct error *err)
{
	int ret;

	if (unshare(CLONE_NEWNET) < 0)
		return error_set_sys(err, errno, "cannot make a network namespace");
	made->fd = open_current(err);
	ret = made->fd < 0 ? made->fd : netlink_open(&made->inside, err);
	if (setns(all->home_fd, CLONE_NEWNET) < 0 && ret == 0)
		ret = error_set_sys(err, errno, "cannot leave a new network namespace");
	return ret;
}

static int make_pair(struct namespaces *all, int bridge_index, unsigned mtu, struct namespace *made,
		     struct error *err)
{
	char digits[65];
	int ret;

	random_id(digits);
	snprintf(made->link, sizeof(made->link), "%.7s%.8s", all->prefix, digits);
	ret = link_make_pair(all->host, made->link, bridge_index, made->fd, mtu, err);
	if (ret == 0)
		ret = link_find_eth0(made->inside, &made->eth0_index, err);
	return ret;
}

static int make_one(struct namespaces *all, bool is_empty, int bridge_index, unsigned mtu,
		    struct namespace *ret, struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	int r;

	if (!is_empty && bridge_index == 0)
		return error_set(err, ENETDOWN, "there is no bridge");
	r = make_empty(all, &made, err);
	if (r == 0 && !is_empty)
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
	order->ret = make_one(all, order->is_empty, bridge_index, mtu, &order->made, &order->err);
	pthread_mutex_lock(&all->lock);
	order->done = true;
	pthread_cond_broadcast(&all->done);
}

static void refill(struct namespaces *all)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	unsigned generation = all->generation, mtu = all->mtu;
	int bridge_index = all->bridge_index;
	struct error err = ERROR_INIT;
	int ret;

	pthread_mutex_unlock(&all->lock);
	ret = make_one(all, false, bridge_index, mtu, &made, &err);
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
	sigset_t everything, before;
	int code;

	sigfillset(&everything);
	pthread_sigmask(SIG_SETMASK, &everything, &before);
	code = pthread_create(&all->thread, NULL, run, all);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code)
		return error_set_sys(err, code, "cannot start the network's thread");
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

static int order_one(struct namespaces *all, bool is_empty, struct namespace *ret,
		     struct error *err)
{
	struct order order = { .is_empty = is_empty, .made.fd = -1, .err = ERROR_INIT };
	struct order **at = &all->orders;

	while (*at)
		at = &(*at)->next;
	*at = &order;
	pthread_cond_signal(&all->work);
	while (!order.done)
		pthread_cond_wait(&all->done, &all->lock);
	if (order.ret < 0)
		return error_set(err, order.err.code, "%s", order.err.msg);
	*ret = order.made;
	return 0;
}

static int take(struct namespaces *all, bool is_empty, struct namespace *ret, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&all->lock);
	if (!all->started)
		r = start_thread(all, err);
	if (r == 0 && !is_empty && all->stock_count > 0)
		*ret = all->stock[--all->stock_count];
	else if (r == 0)
		r = order_one(all, is_empty, ret, err);
	if (r == 0 && !is_empty) {
		all->refill = true;
		pthread_cond_signal(&all->work);
	}
	pthread_mutex_unlock(&all->lock);
	return r;
}

int namespaces_take(struct namespaces *all, struct namespace *ret, struct error *err)
{
	return take(all, false, ret, err);
}

int namespaces_make_empty(struct namespaces *all, struct namespace *ret, struct error *err)
{
	return take(all, true, ret, err);
}
