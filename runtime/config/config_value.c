/* Checks of the texts in a configuration: names, addresses, references, words.
 *
 * A text that later enters a line-oriented file (hosts, resolv.conf) or a
 * system call has its grammar enforced here, so that nothing behind this has
 * to wonder. Sentences quote the text; the caller names the key.
 */
#include "runtime/config/config_value.h"

#include "base/num.h"
#include "graph/graph.h"
#include "runtime/cgroup/cpulist.h"
#include "runtime/config/config.h"
#include "runtime/config/mountspec.h"
#include "runtime/config/portspec.h"
#include "runtime/security/device_rule.h"

#include <arpa/inet.h>
#include <string.h>

#define NAME_MAX_BYTES 200 /* a container's: leaves room in the listing's 255 */
#define UTS_MAX_BYTES 64   /* __NEW_UTS_LEN of the kernel */
#define DOMAIN_MAX_BYTES 253

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(const char *text, size_t len)
{
	return strlen(text) == len && strspn(text, "0123456789abcdefABCDEF") == len;
}

/* [a-zA-Z0-9][a-zA-Z0-9_.-]* over len bytes. */
static bool is_name(const char *text, size_t len)
{
	if (len == 0 || !is_alnum(text[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!is_alnum(text[i]) && !memchr("_.-", text[i], 3))
			return false;
	}
	return true;
}

int config_check_volume_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (!is_name(name, len) || is_hex(name, 12) || is_hex(name, 64))
		return error_set(err, EINVAL,
				 "invalid volume name '%s'; allowed is [a-zA-Z0-9][a-zA-Z0-9_.-]*, "
				 "but not 12 or 64 hexadecimal digits",
				 name);
	if (len > NAME_MAX_BYTES)
		return error_set(err, ENAMETOOLONG,
				 "volume name of %zu bytes is too long; at most %d", len,
				 NAME_MAX_BYTES);
	return 0;
}

int config_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (!is_name(name, len))
		return error_set(err, EINVAL,
				 "invalid container name '%s'; allowed is "
				 "[a-zA-Z0-9][a-zA-Z0-9_.-]*",
				 name);
	if (is_hex(name, 12) || is_hex(name, 64))
		return error_set(err, EINVAL,
				 "invalid container name '%s': %zu hexadecimal digits are an id",
				 name, len);
	if (len > NAME_MAX_BYTES)
		return error_set(err, ENAMETOOLONG,
				 "container name of %zu bytes is too long; at most %d", len,
				 NAME_MAX_BYTES);
	return 0;
}

static int check_host(const char *text, size_t max, struct error *err)
{
	size_t len = strlen(text);

	if (len > max)
		return error_set(err, EINVAL, "'%s' has %zu bytes; at most %zu", text, len, max);
	if (!is_name(text, len) || text[len - 1] == '-' || text[len - 1] == '.' ||
	    strstr(text, ".."))
		return error_set(err, EINVAL, "'%s' is not a host name", text);
	return 0;
}

int config_check_hostname(const char *text, struct error *err)
{
	return check_host(text, UTS_MAX_BYTES, err);
}

int config_check_domain(const char *text, struct error *err)
{
	return check_host(text, UTS_MAX_BYTES, err);
}

int config_check_search(const char *text, struct error *err)
{
	return strcmp(text, ".") == 0 ? 0 : check_host(text, DOMAIN_MAX_BYTES, err);
}

int config_check_one_line(const char *text, struct error *err)
{
	if (*text == '\0')
		return error_set(err, EINVAL, "holds an empty text");
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return error_set(err, EINVAL, "'%s' holds a blank or control character",
					 text);
	}
	return 0;
}

int config_check_nonempty(const char *text, struct error *err)
{
	return *text ? 0 : error_set(err, EINVAL, "holds an empty name");
}

int config_check_user(const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');

	if (colon && strchr(colon + 1, ':'))
		return error_set(err, EINVAL, "'%s' is not USER or USER:GROUP", text);
	return config_check_one_line(text, err);
}

int config_check_group(const char *text, struct error *err)
{
	if (*text == '\0' || strpbrk(text, ":,"))
		return error_set(err, EINVAL, "'%s' is not a group's name or number", text);
	return config_check_one_line(text, err);
}

int config_check_cpuset(const char *text, struct error *err)
{
	struct cpulist list;

	if (cpulist_parse(text, &list) < 0)
		return error_set(err, EINVAL, "'%s' is not a list like 0-2,5", text);
	return 0;
}

int config_check_device_rule(const char *text, struct error *err)
{
	struct device_rule rule;

	if (device_rule_parse(text, &rule) < 0)
		return error_set(err, EINVAL, "'%s' is not a rule like 'c 1:3 rwm'", text);
	return 0;
}

int config_check_env(const char *text, struct error *err)
{
	if (*text == '\0' || *text == '=')
		return error_set(err, EINVAL, "'%s' has no name", text);
	return 0;
}

int config_check_address(const char *text, struct error *err)
{
	unsigned char binary[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, text, binary) != 1 && inet_pton(AF_INET6, text, binary) != 1)
		return error_set(err, EINVAL, "'%s' is not an IP address", text);
	return 0;
}

/* An id or the beginning of one. Checked before names: most ids are also the
 * grammar's names. */
static bool is_image_id(const char *text)
{
	size_t len;

	if (strncmp(text, "sha256:", 7) == 0)
		text += 7;
	len = strlen(text);
	return len >= 4 && len <= 64 && strspn(text, "0123456789abcdef") == len;
}

int config_check_image(const char *text, struct error *err)
{
	char name[GRAPH_NAME_SIZE];

	return is_image_id(text) ? 0 : graph_parse_reference(text, name, err);
}

int config_check_directory(const char *text, struct error *err)
{
	if (*text != '/')
		return error_set(err, EINVAL, "'%s' is not an absolute path", text);
	return 0;
}

int config_check_signal(const char *text, struct error *err)
{
	int signo;

	return signal_parse(text, &signo, err);
}

int config_check_port(const char *text, struct error *err)
{
	struct portspec spec;
	int ret = portspec_parse(text, &spec, err);

	if (ret == 0 && spec.first != spec.last)
		return error_set(err, EINVAL, "'%s' is a range; one port a member", text);
	return ret;
}

int config_check_mount_point(const char *text, struct error *err)
{
	auto_free char *path = NULL;

	return mountspec_clean_target(text, &path, err);
}

int config_check_bind(const char *text, struct error *err)
{
	AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;

	return mountspec_parse_bind(text, &spec, err);
}

int config_check_volumes_from(const char *text, struct error *err)
{
	size_t len = strcspn(text, ":");

	if (!is_name(text, len) ||
	    (text[len] && strcmp(text + len, ":ro") != 0 && strcmp(text + len, ":rw") != 0))
		return error_set(err, EINVAL, "'%s' is not CONTAINER, CONTAINER:ro or CONTAINER:rw",
				 text);
	return 0;
}

int config_check_link(const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');

	if (!colon || !is_name(text, (size_t)(colon - text)) ||
	    !is_name(colon + 1, strlen(colon + 1)))
		return error_set(err, EINVAL, "'%s' is not CONTAINER:ALIAS", text);
	return 0;
}

int config_check_extra_host(const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');
	unsigned char binary[sizeof(struct in6_addr)];

	/* The name ends at the first colon; the rest may be an IPv6 address. */
	if (!colon || !is_name(text, (size_t)(colon - text)) ||
	    (inet_pton(AF_INET, colon + 1, binary) != 1 &&
	     inet_pton(AF_INET6, colon + 1, binary) != 1))
		return error_set(err, EINVAL, "'%s' is not HOST:ADDRESS", text);
	return 0;
}

int config_check_security_opt(const char *text, struct error *err)
{
	/* Of AppArmor and SELinux only the wish for none: there is none. */
	static const char *const known[] = {
		"no-new-privileges",       "no-new-privileges:true",  "no-new-privileges=true",
		"no-new-privileges:false", "no-new-privileges=false", "seccomp=unconfined",
		"seccomp:unconfined",      "apparmor=unconfined",     "apparmor:unconfined",
		"label=disable",           "label:disable",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i]) == 0)
			return 0;
	}
	return error_set(err, EINVAL,
			 "unknown option '%s'; no-new-privileges or seccomp=unconfined", text);
}

/* Those that belong to a container's own namespaces: any other would change the
 * host. Source: namespaces(7), and the list of docker run --sysctl. */
int config_check_sysctl(const char *text, struct error *err)
{
	static const char *const known[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	if (strchr(text, '/') || strstr(text, ".."))
		return error_set(err, EINVAL, "'%s' is not a name like net.core.somaxconn", text);
	if (strncmp(text, "net.", 4) == 0 || strncmp(text, "fs.mqueue.", 10) == 0)
		return config_check_one_line(text, err);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i]) == 0)
			return 0;
	}
	return error_set(err, EINVAL, "'%s' is not a container's own", text);
}

/* Is it one of the words (NULL-terminated), or that of a container? */
static bool is_mode(const char *text, const char *const *known)
{
	for (; *known; known++)
		if (strcmp(text, *known) == 0)
			return true;
	return strncmp(text, "container:", 10) == 0 && is_name(text + 10, strlen(text + 10));
}

int config_check_network(const char *text, struct error *err)
{
	static const char *const known[] = { "default", "bridge", "none", "host", NULL };

	if (is_mode(text, known))
		return 0;
	return error_set(err, EINVAL,
			 "unknown network '%s'; default, bridge, none, host or container:NAME",
			 text);
}

int config_check_ipc(const char *text, struct error *err)
{
	static const char *const known[] = { "private", "shareable", "none", "host", NULL };

	if (is_mode(text, known))
		return 0;
	return error_set(err, EINVAL,
			 "unknown mode '%s'; private, shareable, none, host or container:NAME",
			 text);
}

int config_check_pid(const char *text, struct error *err)
{
	static const char *const known[] = { "private", "host", NULL };

	if (is_mode(text, known))
		return 0;
	return error_set(err, EINVAL, "unknown mode '%s'; private, host or container:NAME", text);
}

int config_check_uts(const char *text, struct error *err)
{
	if (strcmp(text, "private") == 0 || strcmp(text, "host") == 0)
		return 0;
	return error_set(err, EINVAL, "unknown mode '%s'; private or host", text);
}

int config_check_userns(const char *text, struct error *err)
{
	if (strcmp(text, "host") == 0 || strcmp(text, "auto") == 0)
		return 0;
	return error_set(err, EINVAL, "unknown user namespace '%s'; host or auto", text);
}
