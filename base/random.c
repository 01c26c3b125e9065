/* Identifiers: see random.h.
 *
 * 256 bits from the kernel, so that two containers, made anywhere, never share
 * one. getrandom(2) gives up to 256 bytes whole once the pool is ready; before
 * that, early at boot, a signal can end its wait, hence the loop.
 */
#include "base/random.h"

#include <stddef.h>
#include <sys/random.h>

void random_id(char ret_id[65])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[32];

	while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		continue;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_id[2 * i] = digits[bytes[i] >> 4];
		ret_id[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_id[64] = '\0';
}
