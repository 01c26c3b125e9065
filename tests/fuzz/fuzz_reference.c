/* Image names: what is accepted is canonical, short enough, and stays what it is. */
#include "graph/name.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[GRAPH_NAME_SIZE], again[GRAPH_NAME_SIZE];
	struct error err = ERROR_INIT;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (graph_parse_name(text, name, &err) == 0) {
		bool is_reserved =
			strncmp(name, "sha256/", 7) == 0 || strncmp(name, "sha256:", 7) == 0;
		must(!is_reserved && strrchr(name, ':') && !strstr(name, "/../"));
		must(graph_parse_name(name, again, NULL) == 0 && strcmp(name, again) == 0);
	} else {
		must(err.code && *err.msg);
	}
	name_check_folder(text, NULL);
	free(text);
	return 0;
}
