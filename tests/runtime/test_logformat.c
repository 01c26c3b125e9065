/* logformat_json_size() against a renderer that is slow and plain. */
#include "runtime/log/logformat.h"
#include "tests/test.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAME "{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.123456789Z\"}\n"

/* Length of the well-formed character at bytes, 0 when there is none. */
static size_t get_char_len(const unsigned char *bytes, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = bytes[0] < 0x80             ? 1
		      : (bytes[0] & 0xe0) == 0xc0 ? 2
		      : (bytes[0] & 0xf0) == 0xe0 ? 3
		      : (bytes[0] & 0xf8) == 0xf0 ? 4
						  : 0;
	if (want == 0 || want > len)
		return 0;
	uint32_t point = want == 1 ? bytes[0] : bytes[0] & (0xffU >> (want + 1));
	for (size_t i = 1; i < want; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3fU);
	}
	if (point < least[want] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return want;
}

static size_t render_size(const unsigned char *bytes, size_t len)
{
	size_t size = 0;
	bool open = false;
	for (size_t i = 0; i < len;) {
		size_t n = get_char_len(bytes + i, len - i);
		if (!open)
			size += strlen(FRAME);
		open = bytes[i] != '\n';
		if (n == 0)
			size += strlen("\\ufffd");
		else if (n > 1)
			size += n;
		else if (strchr("\"\\\n\t\r\b\f", bytes[i]) && bytes[i])
			size += 2;
		else
			size += bytes[i] < 0x20 || bytes[i] == 0x7f ? strlen("\\u0000") : 1;
		i += n ? n : 1;
	}
	return size;
}

static void assert_size(const void *bytes, size_t len)
{
	/* Exactly as long as told: a read beyond is seen by the sanitizers. */
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	assert_int_equal(logformat_json_size(copy, len, LOG_STDOUT), render_size(bytes, len));
	assert_int_equal(logformat_json_size(copy, len, LOG_STDERR), render_size(bytes, len));
	free(copy);
}

static void test_known_sizes(void **state)
{
	(void)state;
	assert_int_equal(logformat_json_size("", 0, LOG_STDOUT), 0);
	assert_int_equal(logformat_json_size("a", 1, LOG_STDOUT), strlen(FRAME) + 1);
	assert_int_equal(logformat_json_size("a\n", 2, LOG_STDOUT), strlen(FRAME) + 3);
	assert_int_equal(logformat_json_size("a\nb", 3, LOG_STDERR), 2 * strlen(FRAME) + 4);
	assert_int_equal(logformat_json_size("\n\n", 2, LOG_STDERR), 2 * strlen(FRAME) + 4);
	assert_int_equal(logformat_json_size("\0", 1, LOG_STDOUT), strlen(FRAME) + 6);
	assert_int_equal(logformat_json_size("\x7f\"\\\t", 4, LOG_STDOUT), strlen(FRAME) + 12);
	assert_int_equal(logformat_json_size("\xc3\xa9", 2, LOG_STDOUT), strlen(FRAME) + 2);
	assert_int_equal(logformat_json_size("\xc3", 1, LOG_STDOUT), strlen(FRAME) + 6);
	assert_int_equal(logformat_json_size("\xed\xa0\x80", 3, LOG_STDOUT), strlen(FRAME) + 18);
}

/* Every one, two and three bytes long text, after 0 to 8 plain ones would be too
 * many: all of two bytes at each offset within a word. */
static void test_all_pairs(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 65536; pair++) {
		unsigned char text[10];
		memset(text, 'x', sizeof(text));
		size_t at = pair % 9;
		text[at] = (unsigned char)pair;
		text[at + 1] = (unsigned char)(pair >> 8);
		assert_size(text, sizeof(text));
		assert_size(text, at + 2);
	}
}

/* Random text of several tastes: any bytes, bytes at the borders of UTF-8's
 * ranges, ASCII, continuations and leads. */
static unsigned char pick(int taste)
{
	static const unsigned char border[] = {
		0xe0, 0xed, 0xf0, 0xf4, 0xc3, 0xe2, 0x80, 0x90, 0xa0, 0xbf, 0x8f, 0x9f, '\n', 'a',
	};
	unsigned value = (unsigned)random();
	if (taste == 0)
		return (unsigned char)value;
	if (taste == 1)
		return border[value % sizeof(border)];
	if (taste == 2)
		return (unsigned char)(value % 128);
	return (unsigned char)(value % 3 ? 0x80 + (value >> 8) % 64 : 0xc0 + (value >> 8) % 64);
}

static void test_random(void **state)
{
	static unsigned char text[5000];
	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)random() % (round % 100 ? 80 : sizeof(text));
		for (size_t i = 0; i < len; i++)
			text[i] = pick(round % 4);
		assert_size(text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_sizes),
		cmocka_unit_test(test_all_pairs),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
