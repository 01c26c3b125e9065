/* Options of create and run whose value is a small language of its own: ports,
 * mounts, limits, policies. The grammar is Docker's; the values that come out are
 * checked with the rest of the configuration.
 */
#include "fs/command/command_private.h"

#include "base/num.h"
#include "runtime/config/portspec.h"
#include "runtime/security/device_rule.h"

#include <stdio.h>
#include <string.h>

/* --- ports ---------------------------------------------------------------- */

/* A range of a few bytes names thousands of ports, and a command has room for
 * thousands of ranges. One protocol's worth is more than anybody publishes. */
#define PORTS_MAX 65536

static int count_ports(struct command *command, const struct portspec *ports, struct error *err)
{
	command->port_count += ports->last - ports->first + 1;
	if (command->port_count > PORTS_MAX)
		return error_set(err, EINVAL, "more than %d ports in one command", PORTS_MAX);
	return 0;
}

/* [ADDRESS:][HOSTPORT:]PORT[/PROTOCOL], taken apart. */
struct publish {
	char *address;                  /* "" when not given */
	char *host;                     /* "" when not given */
	char *port;                     /* with the protocol */
	unsigned host_first, host_last; /* 0: any */
	struct portspec spec;
};

/* Cut at the last colon; what is behind it, or NULL. */
static char *cut_last(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

/* Take text apart in place. False when it has too many parts. */
static bool split_publish(char *text, struct publish *ret)
{
	size_t len;

	*ret = (struct publish){ .address = text + strlen(text) };
	ret->host = ret->address;
	ret->port = cut_last(text);
	if (!ret->port) {
		ret->port = text;
		return true;
	}
	ret->host = cut_last(text);
	if (!ret->host) {
		ret->host = text;
		return true;
	}
	ret->address = text;
	len = strlen(text);
	if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
		text[len - 1] = '\0';
		ret->address++;
		return true;
	}
	/* More colons are an IPv6 address without its brackets, or nonsense. */
	return strchr(text, ':') == NULL;
}

/* Ports of host and container must go together. */
static int check_publish(struct publish *publish, struct error *err)
{
	unsigned ports, hosts;
	int ret = portspec_parse(publish->port, &publish->spec, err);

	if (ret < 0 || *publish->host == '\0' || strcmp(publish->host, "0") == 0)
		return ret;
	if (portspec_parse_range(publish->host, strlen(publish->host), &publish->host_first,
				 &publish->host_last) < 0)
		return error_set(err, EINVAL, "'%s' is not a port from 1 to 65535", publish->host);
	ports = publish->spec.last - publish->spec.first;
	hosts = publish->host_last - publish->host_first;
	if (ports != 0 && ports != hosts)
		return error_set(err, EINVAL, "the ranges %s and %s differ in length",
				 publish->host, publish->port);
	return 0;
}

/* The host's side of one port: one port of a range, a range to choose from, or "". */
static void render_host_port(const struct publish *publish, unsigned offset, char ret_text[16])
{
	if (publish->host_first == 0)
		ret_text[0] = '\0';
	else if (publish->spec.first == publish->spec.last &&
		 publish->host_first != publish->host_last)
		snprintf(ret_text, 16, "%u-%u", publish->host_first, publish->host_last);
	else
		snprintf(ret_text, 16, "%u", publish->host_first + offset);
}

static int expose_port(struct command *command, const char *port, struct error *err)
{
	return command_set_member(command, false, "ExposedPorts", port, json_object(), err);
}

static int publish_port(struct command *command, const struct publish *publish, unsigned offset,
			struct error *err)
{
	json_t *binding, *bindings;
	char port[PORTSPEC_SIZE], host_port[16];
	int ret;

	portspec_render(&publish->spec, publish->spec.first + offset, port);
	render_host_port(publish, offset, host_port);
	ret = expose_port(command, port, err);
	if (ret == 0)
		ret = command_get_member(command, true, "PortBindings", port, true, &bindings, err);
	if (ret < 0)
		return ret;
	binding = json_pack("{s:s, s:s}", "HostIp", publish->address, "HostPort", host_port);
	if (json_array_append_new(bindings, binding) < 0)
		return error_set_sys(err, ENOMEM, "cannot publish %s", port);
	return 0;
}

int command_take_publish(void *target, const struct option_spec *spec, const char *value,
			 struct error *err)
{
	auto_free char *copy = strdup(value);
	struct publish publish;
	int ret;

	(void)spec;
	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot publish '%s'", value);
	if (!split_publish(copy, &publish))
		return error_set(err, EINVAL, "'%s' is not [ADDRESS:][HOSTPORT:]PORT[/PROTOCOL]",
				 value);
	ret = check_publish(&publish, err);
	if (ret == 0)
		ret = count_ports(target, &publish.spec, err);
	for (unsigned i = 0; ret == 0 && i <= publish.spec.last - publish.spec.first; i++)
		ret = publish_port(target, &publish, i, err);
	return ret;
}

int command_take_expose(void *target, const struct option_spec *spec, const char *value,
			struct error *err)
{
	struct portspec ports;
	char port[PORTSPEC_SIZE];
	int ret = portspec_parse(value, &ports, err);

	(void)spec;
	if (ret == 0)
		ret = count_ports(target, &ports, err);
	for (unsigned i = 0; ret == 0 && i <= ports.last - ports.first; i++) {
		portspec_render(&ports, ports.first + i, port);
		ret = expose_port(target, port, err);
	}
	return ret;
}

/* --- limits and policies -------------------------------------------------- */

/* A number, -1 for none. */
static int parse_limit(const char *text, json_t **ret, struct error *err)
{
	int64_t number;

	if (num_parse_i64(text, -1, INT64_MAX, &number) < 0)
		return error_set(err, EINVAL, "'%s' is not a limit; a number, or -1 for none",
				 text);
	*ret = json_integer(number);
	return *ret ? 0 : error_set_sys(err, ENOMEM, "cannot take '%s'", text);
}

int command_take_ulimit(void *target, const struct option_spec *spec, const char *value,
			struct error *err)
{
	auto_json json_t *name = NULL;
	auto_json json_t *soft = NULL;
	auto_json json_t *hard = NULL;
	auto_free char *copy = strdup(value);
	char *soft_text, *hard_text;
	int ret;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	soft_text = strchr(copy, '=');
	if (!soft_text)
		return error_set(err, EINVAL, "'%s' is not NAME=SOFT[:HARD]", value);
	*soft_text++ = '\0';
	hard_text = strchr(soft_text, ':');
	if (hard_text)
		*hard_text++ = '\0';
	ret = command_make_text(copy, &name, err);
	if (ret == 0)
		ret = parse_limit(soft_text, &soft, err);
	if (ret == 0)
		ret = parse_limit(hard_text ? hard_text : soft_text, &hard, err);
	if (ret < 0)
		return ret;
	return command_append_json(
		target, spec->host, spec->key,
		json_pack("{s:O, s:O, s:O}", "Name", name, "Soft", soft, "Hard", hard), err);
}

int command_take_restart_policy(void *target, const struct option_spec *spec, const char *value,
				struct error *err)
{
	auto_json json_t *name = NULL;
	auto_free char *copy = strdup(value);
	int64_t retries = 0;
	char *count;
	int ret;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	count = strchr(copy, ':');
	if (count)
		*count++ = '\0';
	if (count && num_parse_i64(count, 0, INT32_MAX, &retries) < 0)
		return error_set(err, EINVAL, "'%s' has no number of retries behind the colon",
				 value);
	ret = command_make_text(copy, &name, err);
	if (ret < 0)
		return ret;
	/* Both members: a count that an earlier policy had must not stay. */
	return command_set_json(
		target, spec->host, spec->key,
		json_pack("{s:O, s:I}", "Name", name, "MaximumRetryCount", (json_int_t)retries),
		err);
}

/* --- devices -------------------------------------------------------------- */

int command_take_device(void *target, const struct option_spec *spec, const char *value,
			struct error *err)
{
	auto_json json_t *path = NULL;
	auto_json json_t *inside = NULL;
	auto_free char *copy = strdup(value);
	char *words[3] = { NULL, NULL, NULL }, *rest = copy;
	size_t count = 0;
	int ret;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	while (count < 3 && rest)
		words[count++] = strsep(&rest, ":");
	/* Without a path in the container. */
	if (count == 2 && device_access_parse(words[1]) != 0) {
		words[2] = words[1];
		words[1] = NULL;
	}
	if (rest || (words[2] && device_access_parse(words[2]) == 0))
		return error_set(err, EINVAL, "'%s' is not HOST[:PATH][:rwm]", value);
	ret = command_make_text(words[0], &path, err);
	if (ret == 0)
		ret = command_make_text(words[1] ? words[1] : words[0], &inside, err);
	if (ret < 0)
		return ret;
	return command_append_json(target, spec->host, spec->key,
				   json_pack("{s:O, s:O, s:s}", "PathOnHost", path,
					     "PathInContainer", inside, "CgroupPermissions",
					     words[2] ? words[2] : "rwm"),
				   err);
}

/* --- mounts --------------------------------------------------------------- */

struct mount_field {
	const char *name;
	const char *options; /* the member of the mount that holds it, or NULL */
	const char *member;
	enum { FIELD_TEXT, FIELD_BOOL, FIELD_SIZE, FIELD_MODE } kind;
};

static const struct mount_field mount_fields[] = {
	{ "type", NULL, "Type", FIELD_TEXT },
	{ "source", NULL, "Source", FIELD_TEXT },
	{ "src", NULL, "Source", FIELD_TEXT },
	{ "target", NULL, "Target", FIELD_TEXT },
	{ "destination", NULL, "Target", FIELD_TEXT },
	{ "dst", NULL, "Target", FIELD_TEXT },
	{ "readonly", NULL, "ReadOnly", FIELD_BOOL },
	{ "ro", NULL, "ReadOnly", FIELD_BOOL },
	{ "bind-propagation", "BindOptions", "Propagation", FIELD_TEXT },
	{ "volume-nocopy", "VolumeOptions", "NoCopy", FIELD_BOOL },
	{ "tmpfs-size", "TmpfsOptions", "SizeBytes", FIELD_SIZE },
	{ "tmpfs-mode", "TmpfsOptions", "Mode", FIELD_MODE },
};

/* text NULL: a word without a value, which only a yes or no can be. */
static int make_field(const struct mount_field *field, const char *text, json_t **ret,
		      struct error *err)
{
	uint64_t number;

	if (field->kind == FIELD_BOOL) {
		if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return error_set(err, EINVAL, "field '%s' is true or false", field->name);
		*ret = json_boolean(!text || strcmp(text, "true") == 0);
		return 0;
	}
	if (!text)
		return error_set(err, EINVAL, "field '%s' needs a value", field->name);
	if (field->kind == FIELD_TEXT)
		return command_make_text(text, ret, err);
	if ((field->kind == FIELD_SIZE ? num_parse_size(text, &number)
				       : num_parse_base(text, 8, 07777, &number)) < 0 ||
	    number > INT64_MAX)
		return error_set(err, EINVAL, "field '%s': '%s' is not a %s", field->name, text,
				 field->kind == FIELD_SIZE ? "size" : "mode");
	*ret = json_integer((json_int_t)number);
	return 0;
}

static int put_field(json_t *mount, const struct mount_field *field, json_t *value,
		     struct error *err)
{
	json_t *place = field->options ? json_object_get(mount, field->options) : mount;

	if (!place) {
		place = json_object();
		if (json_object_set_new(mount, field->options, place) < 0)
			place = NULL;
	}
	if (json_object_set_new(place, field->member, value) < 0)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", field->name);
	return 0;
}

/* One "key=value" or "key" of --mount. */
static int take_mount_field(json_t *mount, char *word, struct error *err)
{
	char *text = strchr(word, '=');
	json_t *value = NULL;
	size_t i = 0;
	int ret;

	if (text)
		*text++ = '\0';
	while (i < sizeof(mount_fields) / sizeof(mount_fields[0]) &&
	       strcmp(mount_fields[i].name, word) != 0)
		i++;
	if (i == sizeof(mount_fields) / sizeof(mount_fields[0]))
		return error_set(err, EINVAL, "unknown field '%s'", word);
	ret = make_field(&mount_fields[i], text, &value, err);
	return ret < 0 ? ret : put_field(mount, &mount_fields[i], value, err);
}

int command_take_mount(void *target, const struct option_spec *spec, const char *value,
		       struct error *err)
{
	auto_json json_t *mount = json_pack("{s:s}", "Type", "volume");
	auto_free char *copy = strdup(value);
	char *rest = copy, *field;
	int ret = 0;

	if (!mount || !copy)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	while (ret == 0 && (field = strsep(&rest, ",")))
		ret = take_mount_field(mount, field, err);
	if (ret < 0)
		return ret;
	return command_append_json(target, spec->host, spec->key, steal_ptr(&mount), err);
}
