/* Changes of an image's configuration, one a line: what is accepted is an object that
 * can be written and read again; what is refused says why. fuzz-module: graph */
#include "graph/change/change_config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	AUTO(strbuf_deinit) struct strbuf written = STRBUF_INIT;
	auto_json json_t *got = NULL, *again = NULL;
	struct error err = ERROR_INIT;
	char *lines[LINES_MAX + 1];
	size_t count = 0;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *at = text; at && count < LINES_MAX;) {
		lines[count++] = at;
		at = strchr(at, '\n');
		if (at)
			*at++ = '\0';
	}
	lines[count] = NULL;
	if (change_config(NULL, lines, &got, &err) < 0) {
		must(err.code && *err.msg && !got);
		return 0;
	}
	must(json_is_object(got));
	must(json_render(got, 0, &written, NULL) == 0);
	must(json_parse_text(written.data, written.len, &again, NULL) == 0);
	must(json_equal(got, again));
	return 0;
}
