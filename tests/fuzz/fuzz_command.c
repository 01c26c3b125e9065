/* Commands: the first byte chooses the control file, the rest is what is written
 * to it. A command that is taken has what its verb needs; a configuration that
 * came out can be applied again and says the same. fuzz-module: fs */
#include "fs/command/command.h"
#include "runtime/config/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_config(const struct command *command)
{
	auto_json json_t *again = NULL;
	int r;

	if (command->verb != VERB_CREATE && command->verb != VERB_RUN)
		return;
	r = config_apply(NULL, command->config, false, &again, NULL);
	must(r == 0);
	must(json_equal(again, command->config));
}

static void check_command(const struct words *words, const char *container)
{
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	struct error err = ERROR_INIT;
	int r = command_parse(words, container, &command, &err);

	must(r == -err.code);
	if (r < 0) {
		must(err.msg[0] != '\0' && !strchr(err.msg, '\n'));
		return;
	}
	must(strcmp(verb_get_name(command.verb), words->argv[0]) == 0);
	must(command.timeout_s >= -1);
	must(!container || command.target_count == 0);
	check_config(&command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *container = size > 0 && data[0] == 'c' ? "web" : NULL;
	size_t at = 1;

	while (at < size) {
		AUTO(words_deinit) struct words words = { .argv = NULL };
		size_t consumed = 0;
		bool in_quote;

		if (words_split((const char *)data + at, size - at, true, &words, &consumed,
				&in_quote, NULL) != 1)
			break;
		must(consumed > 0);
		check_command(&words, container);
		at += consumed;
	}
	return 0;
}
