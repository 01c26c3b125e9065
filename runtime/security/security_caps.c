/* Capabilities by name, and the sets to start from.
 *
 * A set is a mask, bit n for capability n. Names come from libcap, so that they
 * are those of capabilities(7) on this system; what a kernel has beyond them is
 * part of ALL but cannot be named.
 */
#include "runtime/security/security.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>

#define BIT(cap) (UINT64_C(1) << (cap))
/* "cap_checkpoint_restore" is the longest so far. */
#define NAME_SIZE 32

uint64_t security_default_caps(void)
{
	return BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) |
	       BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
	       BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
	       BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);
}

uint64_t security_all_caps(void)
{
	cap_t have = cap_get_proc();
	uint64_t caps = 0;

	/* cap_max_bits() is the kernel's count, read from the bounding set. */
	for (cap_value_t cap = 0; have && cap < cap_max_bits() && cap < 64; cap++) {
		cap_flag_value_t permitted = CAP_CLEAR;

		if (cap_get_flag(have, cap, CAP_PERMITTED, &permitted) == 0 &&
		    permitted == CAP_SET && cap_get_bound(cap) == 1)
			caps |= BIT(cap);
	}
	cap_free(have);
	return caps;
}

/* "NET_ADMIN", "cap_net_admin" to its bit; ALL to all that are known. */
static int parse_name(const char *name, bool *ret_all, uint64_t *ret_bit, struct error *err)
{
	char full[NAME_SIZE + 4] = "cap_";
	size_t prefix = strncasecmp(name, "cap_", 4) == 0 ? 4 : 0, len = strlen(name + prefix);
	cap_value_t cap;

	*ret_all = strcasecmp(name, "all") == 0;
	*ret_bit = 0;
	if (*ret_all)
		return 0;
	for (size_t i = 0; i <= len && len < NAME_SIZE; i++)
		full[4 + i] = (char)tolower((unsigned char)name[prefix + i]);
	/* libcap would take a number too, and stop at a comma. */
	if (len == 0 || len >= NAME_SIZE || full[strspn(full, "abcdefghijklmnopqrstuvwxyz_")] ||
	    cap_from_name(full, &cap) < 0 || cap < 0 || cap > 63)
		return error_set(err, EINVAL, "unknown capability '%s'", name);
	*ret_bit = BIT(cap);
	return 0;
}

static int parse_list(const char *const *names, size_t count, bool *ret_all, uint64_t *ret_mask,
		      struct error *err)
{
	*ret_all = false;
	*ret_mask = 0;
	for (size_t i = 0; i < count; i++) {
		bool all;
		uint64_t bit;
		int ret = parse_name(names[i], &all, &bit, err);

		if (ret < 0)
			return ret;
		*ret_all |= all;
		*ret_mask |= bit;
	}
	return 0;
}

static int check_available(uint64_t added, uint64_t available, struct error *err)
{
	for (cap_value_t cap = 0; cap < 64; cap++) {
		char *name;

		if (!(added & ~available & BIT(cap)))
			continue;
		name = cap_to_name(cap);
		error_set(err, ENOTSUP, "capability '%s' cannot be given; containerfs lacks it",
			  name ? name : "?");
		cap_free(name);
		return -ENOTSUP;
	}
	return 0;
}

/* As Docker: adding ALL begins with all and takes the dropped ones away; dropping
 * ALL leaves what is added; else what is both added and dropped is added. */
int security_parse_caps(const char *const *add, size_t add_count, const char *const *drop,
			size_t drop_count, uint64_t *inout_caps, struct error *err)
{
	uint64_t added, dropped, caps, available = security_all_caps();
	bool add_all, drop_all;
	int ret = parse_list(add, add_count, &add_all, &added, err);

	if (ret == 0)
		ret = parse_list(drop, drop_count, &drop_all, &dropped, err);
	if (ret == 0 && !add_all)
		ret = check_available(added, available, err);
	if (ret < 0)
		return ret;
	if (add_all)
		caps = available & ~dropped;
	else if (drop_all)
		caps = added;
	else
		caps = (*inout_caps & ~dropped) | added;
	*inout_caps = caps;
	return 0;
}
