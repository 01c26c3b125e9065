/* JSON from outside: what is taken renders to a text that means the same, and
 * merging it with itself never breaks anything. fuzz-module: base */
#include "base/json.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	auto_json json_t *value = NULL;
	auto_json json_t *again = NULL;
	auto_json json_t *merged = NULL;
	int r = json_parse_text((const char *)data, size, &value, &err);

	must((r == 0) == (value != NULL));
	if (r < 0) {
		must(err.code == -r && strncmp(err.msg, "line ", 5) == 0);
		return 0;
	}
	must(json_render(value, 0, &text, &err) == 0);
	must(json_parse_text(text.data, text.len, &again, &err) == 0);
	must(json_equal(value, again));
	merged = json_merge_patch(value, again);
	must(merged);
	return 0;
}
