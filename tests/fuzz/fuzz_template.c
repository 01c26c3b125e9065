/* inspect --format: any bytes as a format over one object; what has no braces comes
 * out as it is. fuzz-module: fs */
#include "fs/render/template.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] =
		"{\"A\":{\"B\":[1],\"C\":\"x\\ny\",\"\":2},\"N\":null,\"T\":true}";
	auto_free char *format = calloc(1, size + 1);
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	auto_json json_t *value = NULL;
	struct error err = ERROR_INIT;
	int r;

	must(format != NULL);
	if (size > 0)
		memcpy(format, data, size);
	must(json_parse_text(text, strlen(text), &value, NULL) == 0);
	r = template_render(format, value, &out, &err);
	must(r == -err.code);
	must(strstr(format, "{{") || (r == 0 && strcmp(strbuf_get_str(&out), format) == 0));
	return 0;
}
