/* Keys of node numbers. The layout is in the header; this is only hashing. */
#include "fs/node.h"

#include "base/num.h"

uint64_t node_hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a, 64 bits: offset basis and prime */

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint64_t)(unsigned char)*p) * 0x100000001b3U;
	return (hash >> NODE_KEY_BITS ^ hash) & ((UINT64_C(1) << NODE_KEY_BITS) - 1);
}

uint64_t node_key_of_id(const char *id)
{
	char digits[10] = { 0 };
	uint64_t key = 0;

	for (unsigned i = 0; i < 9 && id[i]; i++)
		digits[i] = id[i];
	if (num_parse_base(digits, 16, UINT64_MAX, &key) < 0)
		return 0;
	return key;
}
