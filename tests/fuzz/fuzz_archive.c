/* What may be an archive of images, as entries: NAME, a NUL, the content, a NUL, and so on. They
 * are told apart, and what index.json and manifest.json say is believed or refused. Beyond what
 * the sanitizers see: a failure has a sentence, success an id, and nothing is in the store.
 */
#include "base/path.h"
#include "graph/archive/archive.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* The fate of all entries, or a negative errno. */
static int feed(const struct unpack_watch *watch, const char *at, const char *end,
		struct error *err)
{
	int fate = UNPACK_WATCHED;

	while (at < end && fate >= 0 && fate != UNPACK_ALONE) {
		const char *content = memchr(at, 0, (size_t)(end - at));
		struct unpack_item item = { .path = at, .is_file = true };

		if (!content)
			break;
		content++;
		size_t len = strnlen(content, (size_t)(end - content));
		/* "> target" is a link. */
		if (len > 2 && memcmp(content, "> ", 2) == 0 && content + len < end) {
			item.is_file = false;
			item.link = content + 2;
		}
		fate = watch->begin(watch->arg, &item, err);
		if (item.is_file && len > 0 && fate >= 0 && fate != UNPACK_ALONE)
			fate = watch->data(watch->arg, content, len, 0, err);
		if (fate >= 0 && fate != UNPACK_ALONE)
			fate = watch->end(watch->arg, item.is_file ? (int64_t)len : 0, err);
		at = content + len + 1;
	}
	return fate < 0 ? fate : 0;
}

static int run(struct graph *graph, const char *bytes, size_t size, struct error *err)
{
	struct batch *batch AUTO(batch_free) = NULL;
	struct sorter *sorter AUTO(sorter_free) = NULL;
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	bool has_images = false;
	int ret = batch_new(graph, &batch, err);

	must(ret == 0);
	sorter = sorter_new(batch, SORT_ANY);
	must(sorter);
	struct unpack_watch watch = sorter_get_watch(sorter);
	ret = feed(&watch, bytes, bytes + size, err);
	if (ret == 0)
		ret = sorter_judge(sorter, &has_images, err);
	if (ret == 0 && has_images)
		ret = archive_add_images(batch, sorter, NULL, NULL, &ids, err);
	must(ret != 0 || !has_images || ids.len >= GRAPH_ID_SIZE);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/fuzz-archive-XXXXXX";
	struct graph_options options = { .root = dir };
	struct graph *graph = NULL;
	struct error err = ERROR_INIT;

	if (!mkdtemp(dir))
		return 0;
	must(graph_open(&options, &graph, &err) == 0);
	int ret = run(graph, (const char *)data, size, &err);
	must(ret == 0 ? !err.code : err.code == -ret && *err.msg);
	struct graph_snapshot *snapshot = graph_get_snapshot(graph);
	must(snapshot->image_count == 0);
	graph_snapshot_unref(snapshot);
	graph_close(graph);
	must(path_remove_tree(AT_FDCWD, dir) == 0);
	return 0;
}
