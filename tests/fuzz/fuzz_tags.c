/* Lists of tags and Link headers of a server: whatever they say, what comes out are names of the repository that was
 * asked for, and a target without brackets. */
#include "graph/graph.h"
#include "graph/registry/registry_tags.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define LOCAL "localhost:5000/team/app"

static void check_names(char *names)
{
	for (char *name = strsep(&names, "\n"); name && *name; name = strsep(&names, "\n")) {
		char canonical[GRAPH_NAME_SIZE];

		must(graph_parse_name(name, canonical, NULL) == 0);
		must(strcmp(name, canonical) == 0);
		must(strncmp(name, LOCAL ":", strlen(LOCAL) + 1) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (tags_parse(text, size, LOCAL, &names, NULL) == 0 && names.data)
		check_names(names.data);
	if (tags_find_next(text, &target))
		must(target.len < size && !strpbrk(strbuf_get_str(&target), "<>"));
	free(text);
	return 0;
}
