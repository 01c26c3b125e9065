/* Subordinate ids: what /etc/subuid and /etc/subgid say, and a free part of it.
 *
 * Source: subuid(5).
 */
#ifndef RUNTIME_SECURITY_SUBID_H
#define RUNTIME_SECURITY_SUBID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More entries of ours than this are not looked at. */
#define SUBID_ENTRIES_MAX 64

struct subid_range {
	uint32_t first;
	uint32_t count;
};

/* The ranges that the file gives to root or to `containers`, in its order. Lines that make no
 * sense are skipped, as by newuidmap(1); the host's root itself is taken out of a range.
 *
 * text  may hold any byte
 *
 * How many; 0: none. */
size_t subid_parse(const char *text, size_t len, struct subid_range ret[SUBID_ENTRIES_MAX]);

/* The lowest `count` ids in a row inside one of `given` that touch none of `used`, by the order
 * of `given`. False: there are none. */
bool subid_pick(const struct subid_range *given, size_t given_count, const struct subid_range *used,
		size_t used_count, uint32_t count, uint32_t *ret_first);

#endif
