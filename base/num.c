/* Strict numbers: see num.h.
 *
 * Every parser reads the whole string or fails, skips no blanks, takes no plus
 * sign, and computes in integers only, so that a size or a time never changes
 * in its last digits. Fractions keep nine digits, enough for nanoseconds.
 */
#include "base/num.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define FRACTION_DIGITS 9
#define FRACTION_ONE 1000000000u

/* A decimal number with a fraction, as far as a text had digits. */
struct decimal {
	uint64_t whole;
	uint64_t fraction; /* in units of 10^-9 */
};

int num_get_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read digits from *text and move it behind them. */
static int read_digits(const char **text, unsigned base, uint64_t *ret)
{
	const char *at = *text;
	uint64_t value = 0;
	bool overflow = false;

	if (num_get_digit(*at) >= (int)base)
		return -EINVAL;
	for (; num_get_digit(*at) < (int)base; at++) {
		overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)num_get_digit(*at), &value);
	}
	*text = at;
	*ret = value;
	return overflow ? -ERANGE : 0;
}

int num_parse_base(const char *text, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	int r = read_digits(&text, base, &value);

	if (*text)
		return -EINVAL;
	if (r < 0)
		return r;
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int num_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	int r = num_parse_base(text, 10, max, &value);

	if (r < 0)
		return r;
	if (value < min)
		return -ERANGE;
	*ret = value;
	return 0;
}

int num_parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = text[0] == '-';
	uint64_t limit = (uint64_t)INT64_MAX + negative;
	uint64_t value = 0;
	int64_t number;
	int r = num_parse_base(text + negative, 10, limit, &value);

	if (r < 0)
		return r;
	/* -(value - 1) - 1 so that the smallest number does not overflow. */
	number = negative && value > 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
	if (number < min || number > max)
		return -ERANGE;
	*ret = number;
	return 0;
}

/* Read "12" or "12.5" from *text and move it behind. */
static int read_decimal(const char **text, struct decimal *ret)
{
	struct decimal number = { .whole = 0, .fraction = 0 };
	uint64_t unit = FRACTION_ONE / 10;
	int r = is_digit(**text) ? read_digits(text, 10, &number.whole) : -EINVAL;

	if (r == -EINVAL)
		return r;
	if (**text == '.') {
		(*text)++;
		if (!is_digit(**text))
			return -EINVAL;
		for (; is_digit(**text); (*text)++, unit /= 10)
			number.fraction += unit * (uint64_t)num_get_digit(**text);
	}
	*ret = number;
	return r;
}

/* number times unit into *ret, at most INT64_MAX: Docker's sizes and times are
 * signed numbers of 64 bits. A fraction is below 10^9 and units are below 2^42,
 * so that neither product of part overflows. */
static int scale(struct decimal number, uint64_t unit, uint64_t *ret)
{
	uint64_t whole, part;

	part = unit / FRACTION_ONE * number.fraction +
	       unit % FRACTION_ONE * number.fraction / FRACTION_ONE;
	if (__builtin_mul_overflow(number.whole, unit, &whole) ||
	    __builtin_add_overflow(whole, part, &whole) || whole > INT64_MAX)
		return -ERANGE;
	*ret = whole;
	return 0;
}

/* The factor of a size's unit, 0 when it is none. */
static uint64_t get_size_unit(const char *unit)
{
	static const char letters[] = "kmgt";
	const char *letter;

	if (unit[0] == '\0')
		return 1;
	if (unit[0] == 'b' || unit[0] == 'B')
		return unit[1] == '\0';
	letter = strchr(letters, unit[0] | 0x20);
	if (!letter)
		return 0;
	unit++;
	if ((unit[0] == 'i' || unit[0] == 'I') && unit[1] != '\0')
		unit++;
	if ((unit[0] == 'b' || unit[0] == 'B') && unit[1] == '\0')
		unit++;
	return unit[0] == '\0' ? UINT64_C(1) << (10 * (letter - letters + 1)) : 0;
}

int num_parse_size(const char *text, uint64_t *ret_bytes)
{
	struct decimal number;
	uint64_t unit;
	int r = read_decimal(&text, &number);

	if (r == -EINVAL)
		return r;
	unit = get_size_unit(text);
	if (unit == 0)
		return -EINVAL;
	return r < 0 ? r : scale(number, unit, ret_bytes);
}

/* The unit at *text in nanoseconds, moving behind it; 0 when it is none. */
static uint64_t read_time_unit(const char **text)
{
	/* Longer names first: "m" is also how "ms" begins. U+00B5 and U+03BC
	 * are both the sign of micro. */
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\xc2\xb5s", 1000 },
		{ "\xce\xbcs", 1000 },
		{ "ms", 1000000 },
		{ "s", 1000000000 },
		{ "m", UINT64_C(60000000000) },
		{ "h", UINT64_C(3600000000000) },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*text, units[i].name, len) == 0) {
			*text += len;
			return units[i].ns;
		}
	}
	return 0;
}

int num_parse_duration(const char *text, int64_t *ret_ns)
{
	uint64_t sum = 0;
	bool too_large = false;
	bool first = true;

	do {
		struct decimal number;
		uint64_t unit, part = 0;
		int r = read_decimal(&text, &number);

		if (r == -EINVAL)
			return r;
		unit = first && *text == '\0' ? FRACTION_ONE : read_time_unit(&text);
		if (unit == 0)
			return -EINVAL;
		too_large |= r < 0 || scale(number, unit, &part) < 0;
		sum += part;
		too_large |= sum > INT64_MAX;
		if (too_large)
			sum = 0;
		first = false;
	} while (*text);

	if (too_large)
		return -ERANGE;
	*ret_ns = (int64_t)sum;
	return 0;
}

bool num_is_hex(const char *text, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (!is_digit(text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	return text[len] == '\0';
}
