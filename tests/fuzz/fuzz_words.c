/* Command text as it is written to a control file: what is taken is within the
 * text, ends behind a newline or at the end, and no word holds more bytes than
 * the line. fuzz-module: fs */
#include "fs/command/words.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_split(const char *text, size_t len, bool at_end)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t consumed = 0, bytes = 0;
	bool in_quote = false;
	int r = words_split(text, len, at_end, &words, &consumed, &in_quote, &err);

	must((r < 0) == (err.code != 0));
	must(!in_quote || (r == -EINVAL && at_end));
	must(!(at_end && r == 0));
	if (r != 1) {
		must(words.argv == NULL);
		return;
	}
	must(consumed <= len && consumed <= COMMAND_MAX + 1);
	must(consumed == len || text[consumed - 1] == '\n');
	for (size_t i = 0; i < words.count; i++)
		bytes += strlen(words.argv[i]);
	must(words.argv[words.count] == NULL);
	must(bytes <= consumed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_split((const char *)data, size, true);
	check_split((const char *)data, size, false);
	return 0;
}
