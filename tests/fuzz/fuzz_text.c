/* The small parsers of text (numbers, sizes, durations, times) and the escapes:
 * results are in range, escaped text is one harmless line. fuzz-module: base */
#include "base/clock.h"
#include "base/error.h"
#include "base/num.h"
#include "base/strbuf.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_numbers(const char *text)
{
	uint64_t size;
	int64_t ns, number;

	if (num_parse_size(text, &size) == 0)
		must(size <= INT64_MAX);
	if (num_parse_duration(text, &ns) == 0)
		must(ns >= 0);
	if (num_parse_i64(text, -1000, 1000, &number) == 0)
		must(number >= -1000 && number <= 1000);
	if (num_parse_base(text, 8, 07777, &size) == 0)
		must(size <= 07777);
}

static void check_time(const char *text)
{
	char back[CLOCK_TEXT_SIZE];
	int64_t ns, again;

	if (clock_parse(text, &ns) < 0)
		return;
	clock_render(ns, back);
	must(clock_parse(back, &again) == 0 && again == ns);
}

static bool is_harmless(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void check_escapes(const char *bytes, size_t len, const char *text)
{
	AUTO(strbuf_deinit) struct strbuf escaped = STRBUF_INIT;
	struct error err = ERROR_INIT;

	strbuf_append_escaped(&escaped, bytes, len);
	must(!escaped.oom && escaped.len >= len && strlen(strbuf_get_str(&escaped)) == escaped.len);
	must(is_harmless(strbuf_get_str(&escaped)));
	error_set(&err, EINVAL, "%s", text);
	error_wrap(&err, -EINVAL, "%s", text);
	must(is_harmless(err.msg) && strlen(err.msg) < sizeof(err.msg));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);

	must(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_numbers(text);
	check_time(text);
	check_escapes(text, size, text);
	return 0;
}
