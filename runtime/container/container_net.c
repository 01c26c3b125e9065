/* A container's place on the network, from the start of a run to its end.
 *
 * What a run holds (a lease, ports of the host) is written into state.json together with the
 * intent to launch, before the shim is there: so an engine that dies at any moment leaves
 * either something that its successor adopts, because the run goes on, or something that
 * nobody has, which network_recover() sweeps away. The namespace itself belongs to the
 * processes in it.
 *
 * A record is given up once: whoever takes it out of the container (c->lock) gives back what
 * it tells of. The ports that were got stay as a wish for the next start (last_ports); config
 * is never changed by them.
 */
#include "runtime/network/network_private.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONTAINER_MODE "container:"
#define OWNERS_MAX 16 /* of a network that is shared with one that shares it with... */

/* --- deciding -------------------------------------------------------------------- */

static const char *get_mode(const json_t *effective)
{
	const char *mode =
		json_get_str(json_get_object(effective, "HostConfig"), "NetworkMode", "");

	if (json_get_bool(effective, "NetworkDisabled", false))
		return "none";
	return *mode && strcmp(mode, "default") != 0 ? mode : "bridge";
}

static bool is_shared(const char *mode)
{
	return strncmp(mode, CONTAINER_MODE, strlen(CONTAINER_MODE)) == 0;
}

/* Only a bridge has ports and neighbours. With the host's network all ports are the host's already:
 * as in Docker, bindings mean nothing there. */
static int check_without_bridge(const json_t *effective, const char *mode, struct error *err)
{
	json_t *host = json_get_object(effective, "HostConfig");

	if (network_wish_is_any(effective) && strcmp(mode, "host") != 0)
		return error_set(
			err, EINVAL,
			"PortBindings cannot be with NetworkMode '%s': only a container on "
			"the bridge publishes ports",
			mode);
	if (json_array_size(json_get_array(host, "Links")) > 0)
		return error_set(err, EINVAL,
				 "Links cannot be with NetworkMode '%s': only a container on the "
				 "bridge has neighbours",
				 mode);
	return 0;
}

static int refuse_stopped(const char *name, struct error *err)
{
	return error_set(err, ESRCH,
			 "cannot share the network of container '%s': it is not running", name);
}

/* Whose network it is in the end: the files are that one's. */
static struct container *find_owner(struct container *sharer)
{
	struct container *at = container_ref(sharer);

	for (int i = 0; i < OWNERS_MAX; i++) {
		AUTO(container_view_unref) struct container_view *view = container_get_view(at);
		const char *id = json_get_str(view->network, "owner", NULL);
		struct container *next = id ? engine_find(at->engine, id) : NULL;

		if (!next)
			break;
		container_unref(at);
		at = next;
	}
	return at;
}

static int open_shared(struct container *c, const char *name, struct start_net *net,
		       struct error *err)
{
	AUTO(container_unref) struct container *sharer = engine_resolve(c->engine, name, err);
	AUTO(container_view_unref) struct container_view *view = NULL;
	AUTO(container_view_unref) struct container_view *again = NULL;
	char path[40];

	if (!sharer)
		return -err->code;
	if (sharer == c)
		return error_set(err, EINVAL, "NetworkMode '" CONTAINER_MODE "%s' is itself", name);
	view = container_get_view(sharer);
	if (!container_view_is_live(view) || view->pid <= 0)
		return refuse_stopped(name, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)view->pid);
	net->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Still the same run: the number was its own. */
	again = container_get_view(sharer);
	if (net->ns_fd < 0 || !container_view_is_live(again) || again->run != view->run)
		return refuse_stopped(name, err);
	net->owner = find_owner(sharer);
	return 0;
}

static int decide_shared(struct container *c, const json_t *effective, const char *mode,
			 struct start_net *net, struct error *err)
{
	const char *name = mode + strlen(CONTAINER_MODE);

	if (*json_get_str(effective, "Hostname", ""))
		return error_set(err, EINVAL,
				 "Hostname cannot be with NetworkMode '%s': it is that container's",
				 mode);
	return open_shared(c, name, net, err);
}

int start_net_decide(struct container *c, const json_t *effective, struct start_net *ret,
		     struct error *err)
{
	const char *mode = get_mode(effective);
	int failure;

	if (strcmp(mode, "bridge") == 0)
		return network_link_check(c, effective, err);
	failure = check_without_bridge(effective, mode, err);
	if (failure < 0)
		return failure;
	if (is_shared(mode))
		return decide_shared(c, effective, mode, ret, err);
	ret->is_host = strcmp(mode, "host") == 0;
	ret->makes_ns = !ret->is_host;
	return 0;
}

void start_net_deinit(struct start_net *net)
{
	cleanup_fd(&net->ns_fd);
	container_unref(net->owner);
	json_decref(net->record);
	net->owner = NULL;
	net->record = NULL;
}

/* --- taking ------------------------------------------------------------------------ */

static void set_record(struct container *c, json_t *record, bool held)
{
	json_t *ports = json_get_array(record, "ports");

	pthread_mutex_lock(&c->lock);
	json_decref(c->network);
	c->network = record;
	c->network_is_held = held;
	if (json_array_size(ports) > 0) {
		json_decref(c->last_ports);
		c->last_ports = json_incref(ports);
	}
	pthread_mutex_unlock(&c->lock);
}

static json_t *get_record(struct container *c)
{
	json_t *record;

	pthread_mutex_lock(&c->lock);
	record = json_incref(c->network);
	pthread_mutex_unlock(&c->lock);
	return record;
}

static json_t *get_last_ports(struct container *c)
{
	json_t *ports;

	pthread_mutex_lock(&c->lock);
	ports = json_incref(c->last_ports);
	pthread_mutex_unlock(&c->lock);
	return ports;
}

/* All that is published of the lease's owner. *ret is a heap array. */
static int publish(struct container *c, const json_t *effective, const struct network_lease *lease,
		   struct network_port **ret, size_t *ret_count, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	auto_json json_t *last = get_last_ports(c);
	struct network_publication publication = { .id = c->id,
						   .owner = view->name,
						   .lease = lease };
	auto_free struct network_wish *wishes = NULL;
	auto_free struct network_port *preferred = NULL;
	int failure = network_wish_collect(effective, &wishes, &publication.count, err);

	*ret = NULL;
	*ret_count = 0;
	if (failure < 0 || publication.count == 0)
		return failure;
	preferred = network_record_get_ports(last, &publication.preferred_count);
	if (!preferred)
		return error_set(err, ENOMEM, "no memory for ports");
	publication.wishes = wishes;
	publication.preferred = preferred;
	return network_publish(c->engine->network, &publication, ret, ret_count, err);
}

static json_t *make_record(struct container *c, const json_t *effective,
			   const struct network_lease *lease, const struct network_port *ports,
			   size_t count, struct error *err)
{
	struct network_facts facts;
	json_t *record;

	network_get_facts(c->engine->network, &facts);
	record = network_record_new(facts.bridge, lease, ports, count);
	if (!record ||
	    json_object_set_new(record, "exposed", network_wish_list_exposed(effective)) < 0) {
		json_decref(record);
		error_set(err, ENOMEM, "no memory for the network");
		return NULL;
	}
	return record;
}

static int take_bridge(struct container *c, const json_t *effective, struct start_net *net,
		       struct error *err)
{
	struct network *network = c->engine->network;
	auto_free struct network_port *ports = NULL;
	auto_json json_t *record = NULL;
	struct network_lease lease;
	size_t count = 0;
	int ret = net->is_late ? network_reserve(network, &lease, err)
			       : network_join(network, &lease, &net->ns_fd, err);

	if (ret < 0)
		return ret;
	ret = publish(c, effective, &lease, &ports, &count, err);
	if (ret == 0) {
		record = make_record(c, effective, &lease, ports, count, err);
		ret = record ? network_link_add(c, effective, record, err) : -ENOMEM;
	}
	if (ret < 0) {
		network_withdraw(network, c->id);
		network_leave(network, &lease);
		return ret;
	}
	net->record = json_incref(record);
	set_record(c, steal_ptr(&record), true);
	ret = network_isolation_refresh(c->engine, err);
	if (ret < 0)
		network_release(c);
	return ret;
}

int start_net_take(struct container *c, const json_t *effective, struct start_net *net,
		   struct error *err)
{
	const char *mode = get_mode(effective);
	json_t *record;

	if (strcmp(mode, "bridge") == 0)
		return take_bridge(c, effective, net, err);
	record = net->owner ? json_pack("{s:s, s:s}", "mode", mode, "owner", net->owner->id)
			    : json_pack("{s:s}", "mode", mode);
	if (!record)
		return error_set(err, ENOMEM, "no memory for the network");
	net->record = json_incref(record);
	set_record(c, record, false);
	return 0;
}

int start_net_connect(struct container *c, pid_t pid, struct start_net *net, struct error *err)
{
	struct network_lease lease;
	char path[40];

	if (!network_record_get_lease(net->record, &lease))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	net->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (net->ns_fd < 0)
		return error_set_sys(err, errno, "cannot open the network of a user namespace");
	return network_connect(c->engine->network, &lease, net->ns_fd, err);
}

/* --- giving back ---------------------------------------------------------------------- */

bool network_release(struct container *c)
{
	struct error err = ERROR_INIT;
	struct network_lease lease;
	json_t *record;
	bool held, had_lease;

	pthread_mutex_lock(&c->lock);
	record = steal_ptr(&c->network);
	held = c->network_is_held;
	c->network_is_held = false;
	pthread_mutex_unlock(&c->lock);
	had_lease = network_record_get_lease(record, &lease);
	if (had_lease) {
		/* First of all: the address may be another's soon. */
		if (network_isolation_refresh(c->engine, &err) < 0)
			log_warn("links of container %s: %s", c->short_id, err.msg);
		network_withdraw(c->engine->network, c->id);
		if (held)
			network_leave(c->engine->network, &lease);
	}
	json_decref(record);
	return had_lease;
}

void network_follow_name(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	network_rename(c->engine->network, c->id, view->name);
	network_tell_neighbours(c);
}

void network_tell_neighbours(struct container *c)
{
	auto_json json_t *record = get_record(c);

	if (*json_get_str(record, "address", ""))
		network_names_refresh(c->engine);
}

/* --- who sees it ------------------------------------------------------------------------ */

void network_show_locked(struct container *c, struct container_view *view, bool live)
{
	json_decref(view->network);
	view->network = live ? json_incref(c->network) : NULL;
}

static bool is_on(const char *setting)
{
	auto_fd int fd = open(setting, O_RDONLY | O_CLOEXEC);
	char digit = '0';

	return fd >= 0 && read(fd, &digit, 1) == 1 && digit != '0';
}

void network_fill_facts(struct engine *engine, struct engine_facts *ret)
{
	struct network_facts facts;
	char text[INET6_ADDRSTRLEN];

	network_get_facts(engine->network, &facts);
	ret->forwards = is_on("/proc/sys/net/ipv4/ip_forward");
	ret->forwards6 = is_on("/proc/sys/net/ipv6/conf/all/forwarding");
	ret->bridge = facts.bridge;
	ret->isolated = engine->isolation != NULL;
	ret->subnet[0] = ret->subnet6[0] = '\0';
	if (facts.gateways.prefix_len > 0 &&
	    inet_ntop(AF_INET, &facts.gateways.address, text, sizeof(text)))
		snprintf(ret->subnet, sizeof(ret->subnet), "%.15s/%u", text,
			 facts.gateways.prefix_len);
	if (facts.gateways.prefix6_len > 0 &&
	    inet_ntop(AF_INET6, &facts.gateways.address6, text, sizeof(text)))
		snprintf(ret->subnet6, sizeof(ret->subnet6), "%s/%u", text,
			 facts.gateways.prefix6_len);
}

/* --- over an engine's death ---------------------------------------------------------------- */

void network_load(struct container *c, const json_t *state)
{
	json_t *record = json_get_object(state, "network"), *ports = json_get_array(state, "ports");

	c->network = json_incref(record);
	c->last_ports = json_incref(ports);
}

int network_store_locked(const struct container *c, json_t *state)
{
	if (c->network && json_object_set(state, "network", c->network) < 0)
		return -ENOMEM;
	return c->last_ports ? json_object_set(state, "ports", c->last_ports) : 0;
}

void network_load_damaged(struct container *c)
{
	auto_fd int run_dir_fd = store_open_run_dir(c, false, NULL);
	auto_json json_t *state = NULL;

	if (run_dir_fd >= 0 && json_read_file(run_dir_fd, "state.json", &state, NULL) == 0 &&
	    !strcmp(json_get_str(state, "boot", ""), c->engine->boot_id))
		network_load(c, state);
}

/* --- the engine's ----------------------------------------------------------------------------- */

int network_open_engine(struct engine *engine, const struct engine_options *options,
			struct error *err)
{
	struct network_options wanted = { .run_fd = engine->run_fd,
					  .bridge = options->bridge,
					  .subnet = options->subnet,
					  .instance = options->instance,
					  .isolated = options->isolated };
	char name[IFNAMSIZ];

	/* Two engines of one machine must not meet on a bridge. */
	snprintf(name, sizeof(name), "cf-%.12s", options->instance);
	if (!wanted.bridge)
		wanted.bridge = name;
	engine->names = network_names_new();
	if (options->isolated)
		engine->isolation = network_isolation_new();
	if (!engine->names || (options->isolated && !engine->isolation))
		return error_set(err, ENOMEM, "no memory for the network");
	return network_open(&wanted, &engine->network, err);
}
