/* The size of a chunk in logs.json, for the running totals of log.index.
 *
 * Every byte of output passes here, so it has to keep up with the copying:
 * eight ASCII bytes at a time, where only those that are escaped or end a line
 * are looked at singly; then whole two- and three-byte characters; what is
 * neither goes through a state machine, which has no branch to mispredict.
 *
 * A size is the length of the chunk plus what each byte adds to it. Invariant
 * of all three ways: they begin and end between two characters. Shared with
 * the static shim: nothing but libc.
 */
#include "runtime/log/logformat.h"

#include <stdbool.h>
#include <string.h>

#define REPEAT(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGH_BITS REPEAT(0x80U)

/* {"log":"","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}\n */
#define OBJECT_SIZE 69U
#define ESCAPED_SHORT 1U /* \n for one byte */
#define ESCAPED_LONG 5U  /* \u00xx or \ufffd for one byte */

/* Bytes given to the state machine at once. */
#define STEP_LEAST 8U
#define STEP_MOST 1024U

/* clang-format off: tables */
/* What an ASCII byte adds to its own length; nothing for the others. */
static const uint8_t ascii_cost[256] = {
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	/* \b */ ESCAPED_SHORT,
	/* \t */ ESCAPED_SHORT,
	/* \n */ ESCAPED_SHORT + OBJECT_SIZE,
	5,
	/* \f */ ESCAPED_SHORT,
	/* \r */ ESCAPED_SHORT,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	5,
	['"'] = ESCAPED_SHORT,
	['\\'] = ESCAPED_SHORT,
	[127] = ESCAPED_LONG,
};

/* Source of the ranges: Unicode, table 3-7 (well-formed UTF-8 byte sequences). */
enum byte_class {
	CLASS_ASCII,
	CLASS_80, /* 80-8f */
	CLASS_90, /* 90-9f */
	CLASS_A0, /* a0-bf */
	CLASS_BAD,
	CLASS_LEAD2,
	CLASS_E0,
	CLASS_LEAD3,
	CLASS_ED,
	CLASS_F0,
	CLASS_LEAD4,
	CLASS_F4,
	CLASS_COUNT
};

#define TIMES4(class) (class), (class), (class), (class)
#define TIMES16(class) TIMES4(class), TIMES4(class), TIMES4(class), TIMES4(class)

static const uint8_t byte_class[256] = {
	/* 00 */ TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	/* 40 */ TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	TIMES16(CLASS_ASCII),
	/* 80 */ TIMES16(CLASS_80),
	TIMES16(CLASS_90),
	TIMES16(CLASS_A0),
	TIMES16(CLASS_A0),
	/* c0 */ CLASS_BAD,
	CLASS_BAD,
	CLASS_LEAD2,
	CLASS_LEAD2,
	/* c4 */ TIMES4(CLASS_LEAD2),
	TIMES4(CLASS_LEAD2),
	TIMES4(CLASS_LEAD2),
	/* d0 */ TIMES16(CLASS_LEAD2),
	/* e0 */ CLASS_E0,
	CLASS_LEAD3,
	CLASS_LEAD3,
	CLASS_LEAD3,
	/* e4 */ TIMES4(CLASS_LEAD3),
	TIMES4(CLASS_LEAD3),
	/* ec */ CLASS_LEAD3,
	CLASS_ED,
	CLASS_LEAD3,
	CLASS_LEAD3,
	/* f0 */ CLASS_F0,
	CLASS_LEAD4,
	CLASS_LEAD4,
	CLASS_LEAD4,
	/* f4 */ CLASS_F4,
	CLASS_BAD,
	CLASS_BAD,
	CLASS_BAD,
	/* f8 */ TIMES4(CLASS_BAD),
	TIMES4(CLASS_BAD),
};
/* clang-format on */

/* Named by what has been seen and what may follow. */
enum utf8_state {
	STATE_START,
	STATE_LAST1, /* one byte seen, any one continuation ends it */
	STATE_AFTER_E0,
	STATE_LAST2, /* one seen, any two end it */
	STATE_AFTER_ED,
	STATE_AFTER_F0,
	STATE_LAST3, /* one seen, any three end it */
	STATE_AFTER_F4,
	STATE_SECOND_OF_3, /* two of three seen */
	STATE_SECOND_OF_4, /* two of four seen */
	STATE_THIRD_OF_4,  /* three of four seen */
	STATE_COUNT
};

static const uint8_t bytes_seen[STATE_COUNT] = {
	[STATE_LAST1] = 1,      [STATE_AFTER_E0] = 1,    [STATE_LAST2] = 1,
	[STATE_AFTER_ED] = 1,   [STATE_AFTER_F0] = 1,    [STATE_LAST3] = 1,
	[STATE_AFTER_F4] = 1,   [STATE_SECOND_OF_3] = 2, [STATE_SECOND_OF_4] = 2,
	[STATE_THIRD_OF_4] = 3,
};

struct step {
	uint8_t next;
	uint8_t cost;
};

/* After a byte that does not fit, the bytes seen before it are replaced one by
 * one and the byte begins anew: none of those seen, but the first, can begin a
 * character, so nothing is ever read twice. */
#define LEADS(seen)                                                                                \
	[CLASS_ASCII] = { STATE_START, ESCAPED_LONG * (seen) },                                    \
	[CLASS_BAD] = { STATE_START, ESCAPED_LONG * ((seen) + 1) },                                \
	[CLASS_LEAD2] = { STATE_LAST1, ESCAPED_LONG * (seen) },                                    \
	[CLASS_E0] = { STATE_AFTER_E0, ESCAPED_LONG * (seen) },                                    \
	[CLASS_LEAD3] = { STATE_LAST2, ESCAPED_LONG * (seen) },                                    \
	[CLASS_ED] = { STATE_AFTER_ED, ESCAPED_LONG * (seen) },                                    \
	[CLASS_F0] = { STATE_AFTER_F0, ESCAPED_LONG * (seen) },                                    \
	[CLASS_LEAD4] = { STATE_LAST3, ESCAPED_LONG * (seen) },                                    \
	[CLASS_F4] = { STATE_AFTER_F4, ESCAPED_LONG * (seen) }
#define FITS(class, state) [class] = { (state), 0 }
#define WRONG(class, seen) [class] = { STATE_START, ESCAPED_LONG * ((seen) + 1) }
#define ALL_FIT(state) FITS(CLASS_80, state), FITS(CLASS_90, state), FITS(CLASS_A0, state)

static const struct step steps[STATE_COUNT][CLASS_COUNT] = {
	[STATE_START] = { LEADS(0), WRONG(CLASS_80, 0), WRONG(CLASS_90, 0), WRONG(CLASS_A0, 0) },
	[STATE_LAST1] = { LEADS(1), ALL_FIT(STATE_START) },
	[STATE_AFTER_E0] = { LEADS(1), WRONG(CLASS_80, 1), WRONG(CLASS_90, 1),
			     FITS(CLASS_A0, STATE_SECOND_OF_3) },
	[STATE_LAST2] = { LEADS(1), ALL_FIT(STATE_SECOND_OF_3) },
	[STATE_AFTER_ED] = { LEADS(1), FITS(CLASS_80, STATE_SECOND_OF_3),
			     FITS(CLASS_90, STATE_SECOND_OF_3), WRONG(CLASS_A0, 1) },
	[STATE_AFTER_F0] = { LEADS(1), WRONG(CLASS_80, 1), FITS(CLASS_90, STATE_SECOND_OF_4),
			     FITS(CLASS_A0, STATE_SECOND_OF_4) },
	[STATE_LAST3] = { LEADS(1), ALL_FIT(STATE_SECOND_OF_4) },
	[STATE_AFTER_F4] = { LEADS(1), FITS(CLASS_80, STATE_SECOND_OF_4), WRONG(CLASS_90, 1),
			     WRONG(CLASS_A0, 1) },
	[STATE_SECOND_OF_3] = { LEADS(2), ALL_FIT(STATE_START) },
	[STATE_SECOND_OF_4] = { LEADS(2), ALL_FIT(STATE_THIRD_OF_4) },
	[STATE_THIRD_OF_4] = { LEADS(3), ALL_FIT(STATE_START) },
};

/* The high bit of each byte that is below 0x20, '"', '\\', DEL or not ASCII. */
static inline uint64_t find_special(uint64_t word)
{
	uint64_t low = word & ~HIGH_BITS;
	uint64_t plain = (low + REPEAT(0x60U)) & ((low ^ REPEAT('"')) + REPEAT(0x7fU)) &
			 ((low ^ REPEAT('\\')) + REPEAT(0x7fU)) &
			 ((low ^ REPEAT(0x7fU)) + REPEAT(0x7fU)) & ~word;
	return ~plain & HIGH_BITS;
}

/* As many whole words of ASCII as there are. */
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end,
				       size_t *cost)
{
	while (end - at >= 8) {
		uint64_t word, special;
		memcpy(&word, at, sizeof(word));
		if (word & HIGH_BITS)
			break;
		for (special = find_special(word); special; special &= special - 1) {
			unsigned shift = (unsigned)__builtin_ctzll(special) - 7;
			*cost += ascii_cost[(word >> shift) & 0x7f];
		}
		at += 8;
	}
	return at;
}

/* As many well-formed characters of two and three bytes as there are, but the
 * leads e0 and ed, which allow less behind them. */
static const unsigned char *skip_common(const unsigned char *at, const unsigned char *end)
{
	while (end - at >= 3) {
		if (at[0] >= 0xe1 && at[0] <= 0xef && at[0] != 0xed && (at[1] & 0xc0) == 0x80 &&
		    (at[2] & 0xc0) == 0x80)
			at += 3;
		else if (at[0] >= 0xc2 && at[0] <= 0xdf && (at[1] & 0xc0) == 0x80)
			at += 2;
		else
			break;
	}
	return at;
}

/* Any bytes: at least `least` of them (or all), and then to a character's end. */
static const unsigned char *step_through(const unsigned char *at, const unsigned char *end,
					 size_t least, size_t *cost)
{
	const unsigned char *stop = (size_t)(end - at) > least ? at + least : end;
	unsigned state = STATE_START;
	for (; at < end && (at < stop || state != STATE_START); at++) {
		struct step step = steps[state][byte_class[*at]];
		*cost += (size_t)step.cost + ascii_cost[*at];
		state = step.next;
	}
	*cost += (size_t)ESCAPED_LONG * bytes_seen[state];
	return at;
}

size_t logformat_json_size(const char *chunk, size_t len, unsigned stream)
{
	const unsigned char *at = (const unsigned char *)chunk;
	const unsigned char *end = at + len;
	size_t size = len;
	size_t least = STEP_LEAST;
	(void)stream; /* "stdout" and "stderr" are of one length */
	while (at < end) {
		const unsigned char *before = at;
		at = skip_ascii(at, end, &size);
		at = skip_common(at, end);
		if ((size_t)(at - before) >= STEP_LEAST)
			continue;
		before = at;
		size_t before_size = size;
		at = step_through(at, end, least, &size);
		/* No text: try the quick ways again ever more seldom. */
		if (size - before_size < (size_t)(at - before))
			least = STEP_LEAST;
		else if (least < STEP_MOST)
			least *= 2;
	}
	if (len > 0 && chunk[len - 1] != '\n')
		size += OBJECT_SIZE;
	return size;
}
