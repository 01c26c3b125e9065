/* Strict numbers: the whole string, in range, or an error. Nothing else in the
 * tree turns text into a number.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

/* What a digit of base 16 or less is worth, in either case; 99: none. */
int num_get_digit(char c);

/* Decimal digits only (a leading '-' for i64). 0, -EINVAL or -ERANGE;
 * *ret untouched on failure. */
int num_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
int num_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret);
/* As u64, in another base (8 or 16), no prefix. */
int num_parse_base(const char *text, unsigned base, uint64_t max, uint64_t *ret);
/* A size as Docker writes it: digits (a decimal fraction is allowed), then one
 * of b k m g t in either case (binary multiples), then an optional b or ib:
 * "512m", "1.5g", "64KiB". Source: docker/go-units RAMInBytes. */
int num_parse_size(const char *text, uint64_t *ret_bytes);
/* Docker's durations, "1h30m", "10s", "1.5s", "200ms"; a bare number is seconds. */
int num_parse_duration(const char *text, int64_t *ret_ns);

/* True for exactly len lower-case hexadecimal digits and nothing behind. */
bool num_is_hex(const char *text, unsigned len);

#endif
