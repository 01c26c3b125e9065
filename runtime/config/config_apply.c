/* Taking a change of a container's configuration: normalise, merge, check, compare.
 *
 * A patch is first brought into the one form that is stored: keys that two
 * places may hold live in Config, a port is "80/tcp", a command is a list.
 * Then it is merged (RFC 7396), and the result, which is small, is checked as a
 * whole, so that nothing that was stored earlier has to be trusted either.
 * Nothing that the machine lacks is judged here: what was asked for is kept as it
 * was asked for.
 */
#include "runtime/config/config.h"

#include "runtime/config/config_schema.h"
#include "runtime/config/portspec.h"

#include <string.h>

#define HOST_CONFIG "HostConfig"

static int no_memory(struct error *err)
{
	return error_set_sys(err, ENOMEM, "cannot change the configuration");
}

/* --- normalising a patch -------------------------------------------------- */

/* A copy of an object with its members' names as full port names. */
static json_t *normalise_ports(json_t *object)
{
	auto_json json_t *copy = json_object();
	char name[PORTSPEC_SIZE];
	struct portspec spec;
	const char *port;
	json_t *value;

	json_object_foreach(object, port, value) {
		/* One that is wrong is named by the check of the whole. */
		bool ok = portspec_parse(port, &spec, NULL) == 0 && spec.first == spec.last;

		if (ok)
			portspec_render(&spec, spec.first, name);
		if (json_object_set(copy, ok ? name : port, value) < 0)
			return NULL;
	}
	return steal_ptr(&copy);
}

/* Another policy than on-failure has no count: one that was kept from before goes. */
static json_t *normalise_restart_policy(json_t *object)
{
	auto_json json_t *copy = json_object(); /* json_copy() passes over a lack of memory */
	const char *name = json_get_str(object, "Name", NULL);

	if (json_object_update(copy, object) < 0)
		return NULL;
	if (name && strcmp(name, "on-failure") != 0 &&
	    !json_object_get(object, "MaximumRetryCount") &&
	    json_object_set_new(copy, "MaximumRetryCount", json_null()) < 0)
		return NULL;
	return steal_ptr(&copy);
}

/* The value in its stored form, as a new reference; NULL: no memory. */
static json_t *normalise_value(const struct config_key *key, json_t *value)
{
	if (key->ports && json_is_object(value))
		return normalise_ports(value);
	if (key->type == CONFIG_ARGV)
		return config_make_argv(value);
	if (strcmp(key->name, "RestartPolicy") == 0 && json_is_object(value))
		return normalise_restart_policy(value);
	return json_incref(value);
}

static int refuse_key(const char *name, unsigned place, struct error *err)
{
	unsigned other = place ^ (CONFIG_TOP | CONFIG_HOST);

	if (!config_key_find(name, other))
		return error_set(err, EINVAL, "unknown key '%s'", name);
	return error_set(err, EINVAL, "unknown key '%s' %s; it belongs %s", name,
			 place == CONFIG_TOP ? "outside " HOST_CONFIG : "in " HOST_CONFIG,
			 place == CONFIG_TOP ? "in " HOST_CONFIG : "outside");
}

/* Move the members of one place of a patch to where they are kept. */
static int sort_keys(json_t *object, unsigned place, json_t *top, json_t *host, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		const struct config_key *key = config_key_find(name, place);
		json_t *home, *twin;

		if (place == CONFIG_TOP && strcmp(name, HOST_CONFIG) == 0)
			continue;
		if (!key)
			return refuse_key(name, place, err);
		home = config_key_home(key) == CONFIG_TOP ? top : host;
		twin = json_object_get(home, name);
		if (twin && !json_equal(twin, value))
			return error_set(err, EINVAL,
					 "%s is given twice, outside and in " HOST_CONFIG, name);
		if (json_object_set_new(home, name, normalise_value(key, value)) < 0)
			return no_memory(err);
	}
	return 0;
}

/* The patch in stored form. */
static int normalise_patch(const json_t *patch, json_t **ret, struct error *err)
{
	auto_json json_t *top = json_object();
	auto_json json_t *host = json_object();
	json_t *written = json_object_get(patch, HOST_CONFIG);
	int r;

	if (!top || !host)
		return no_memory(err);
	if (!json_is_object(patch))
		return error_set(err, EINVAL, "a configuration must be a JSON object");
	if (written && !json_is_object(written) && !json_is_null(written))
		return error_set(err, EINVAL, HOST_CONFIG " must be an object");
	r = sort_keys((json_t *)patch, CONFIG_TOP, top, host, err);
	if (r == 0 && json_is_object(written))
		r = sort_keys(written, CONFIG_HOST, top, host, err);
	if (r < 0)
		return r;
	if (json_object_set(top, HOST_CONFIG, json_is_null(written) ? written : host) < 0)
		return no_memory(err);
	*ret = steal_ptr(&top);
	return 0;
}

/* --- checking the whole --------------------------------------------------- */

static json_t *get_value(const json_t *config, const struct config_key *key)
{
	if (config_key_home(key) == CONFIG_HOST)
		config = json_object_get(config, HOST_CONFIG);
	return json_object_get(config, key->name);
}

/* A new object with the keys in the table's order, every value checked. */
static int rebuild(const json_t *merged, json_t **ret, struct error *err)
{
	auto_json json_t *top = json_object();
	auto_json json_t *host = json_object();
	int r;

	if (!top || !host)
		return no_memory(err);
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		json_t *home = config_key_home(key) == CONFIG_TOP ? top : host;
		json_t *value = get_value(merged, key);

		if (!value)
			continue;
		r = config_key_check(key, value, err);
		if (r < 0)
			return r;
		if (json_object_set(home, key->name, value) < 0)
			return no_memory(err);
	}
	if (json_object_size(host) > 0 && json_object_set(top, HOST_CONFIG, host) < 0)
		return no_memory(err);
	*ret = steal_ptr(&top);
	return 0;
}

static bool is_mode(const json_t *host, const char *key, const char *mode)
{
	return strncmp(json_get_str(host, key, ""), mode, strlen(mode)) == 0;
}

/* In a namespace of the host's they would be the host's. */
static int check_sysctls(const json_t *host, struct error *err)
{
	json_t *sysctls = json_get_object(host, "Sysctls");
	const char *name;
	json_t *value;

	json_object_foreach(sysctls, name, value) {
		const char *key = strncmp(name, "net.", 4) == 0 ? "NetworkMode" : "IpcMode";

		if (is_mode(host, key, "host"))
			return error_set(err, EINVAL, "Sysctls: '%s' is the host's with %s 'host'",
					 name, key);
	}
	return 0;
}

/* As Docker: what has the host's rights, or its namespaces, has the host's ids; and so has what is another
 * container's. */
static int check_userns(const json_t *host, struct error *err)
{
	static const struct {
		const char *key, *mode;
	} shared[] = {
		{ "NetworkMode", "host" }, { "IpcMode", "host" },       { "IpcMode", "container:" },
		{ "PidMode", "host" },     { "PidMode", "container:" }, { "UTSMode", "host" },
	};

	if (!is_mode(host, "UsernsMode", "auto"))
		return 0;
	if (json_get_bool(host, "Privileged", false))
		return error_set(err, EINVAL,
				 "Privileged and UsernsMode 'auto' cannot be used together");
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (is_mode(host, shared[i].key, shared[i].mode))
			return error_set(err, EINVAL,
					 "%s '%s' and UsernsMode 'auto' cannot be used together",
					 shared[i].key, json_get_str(host, shared[i].key, ""));
	return 0;
}

static int check_shared(const json_t *config, const json_t *host, struct error *err)
{
	static const char *const names[] = { "Hostname", "Domainname" };

	for (size_t i = 0; i < 2 && is_mode(host, "UTSMode", "host"); i++)
		if (*json_get_str(config, names[i], ""))
			return error_set(err, EINVAL,
					 "%s cannot be with UTSMode 'host': it is the host's",
					 names[i]);
	if (is_mode(host, "PidMode", "container:") && json_get_bool(host, "Init", false))
		return error_set(err, EINVAL,
				 "Init cannot be with PidMode '%s': process 1 is that container's",
				 json_get_str(host, "PidMode", ""));
	return 0;
}

static int check_memory(const json_t *config, const json_t *host, struct error *err)
{
	int64_t memory = json_get_int(config, "Memory", 0);
	int64_t swap = json_get_int(config, "MemorySwap", 0);
	int64_t reservation = json_get_int(host, "MemoryReservation", 0);

	if (swap > 0 && memory == 0)
		return error_set(err, EINVAL, "MemorySwap needs Memory to be set too");
	if (swap > 0 && swap < memory)
		return error_set(err, EINVAL,
				 "MemorySwap (memory and swap) %lld is less than Memory %lld",
				 (long long)swap, (long long)memory);
	if (memory > 0 && reservation > memory)
		return error_set(err, EINVAL, "MemoryReservation %lld is more than Memory %lld",
				 (long long)reservation, (long long)memory);
	return 0;
}

/* Both ways to say how much of the processors: as Docker, one of them. */
static int check_cpu(const json_t *host, struct error *err)
{
	static const char *const names[] = { "CpuPeriod", "CpuQuota" };

	for (size_t i = 0; i < 2 && json_get_int(host, "NanoCpus", 0) > 0; i++)
		if (json_get_int(host, names[i], 0) != 0)
			return error_set(err, EINVAL,
					 "NanoCpus and %s cannot both be set; one is said in "
					 "terms of the other",
					 names[i]);
	return 0;
}

/* What no key alone shows. */
static int check_together(const json_t *config, struct error *err)
{
	const json_t *host = json_object_get(config, HOST_CONFIG);
	const json_t *policy = json_get_object(host, "RestartPolicy");
	const char *policy_name = json_get_str(policy, "Name", "");
	int ret = check_memory(config, host, err);

	if (ret == 0)
		ret = check_cpu(host, err);
	if (ret < 0)
		return ret;
	if (json_get_bool(host, "AutoRemove", false) && *policy_name &&
	    strcmp(policy_name, "no") != 0)
		return error_set(err, EINVAL,
				 "AutoRemove and RestartPolicy '%s' cannot be used together",
				 policy_name);
	ret = check_userns(host, err);
	if (ret == 0)
		ret = check_shared(config, host, err);
	return ret < 0 ? ret : check_sysctls(host, err);
}

/* Is there a key that differs and must not while the container runs? */
static int check_live(const json_t *old, const json_t *new, struct error *err)
{
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		json_t *before = get_value(old, key);
		json_t *after = get_value(new, key);

		if (key->live || (before && json_equal(before, after)))
			continue;
		if (config_key_is_default(key, before) && config_key_is_default(key, after))
			continue;
		return error_set(err, EBUSY, "%s cannot change while the container runs",
				 key->name);
	}
	return 0;
}

int config_apply(const json_t *asked, const json_t *patch, bool running, json_t **ret,
		 struct error *err)
{
	auto_json json_t *stored_form = NULL;
	auto_json json_t *merged = NULL;
	auto_json json_t *config = NULL;
	int r = normalise_patch(patch, &stored_form, err);

	if (r < 0)
		return r;
	merged = json_merge_patch(asked, stored_form);
	if (!merged)
		return no_memory(err);
	r = rebuild(merged, &config, err);
	if (r == 0)
		r = check_together(config, err);
	if (r == 0 && running)
		r = check_live(asked, config, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&config);
	return 0;
}
