/* The config of an image, a NUL, and its manifest: an image or refused with a
 * sentence. What is made of one can be written and read again. */
#include "fs/render/render.h"
#include "graph/describe.h"
#include "graph/platform.h"
#include "graph/store.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* A step more, as commit makes it. */
static void try_step(const struct image *image)
{
	const struct describe_step step = { .layer_count = image->layer_count,
					    .created_by = "sh",
					    .comment = "c" };
	AUTO(strbuf_deinit) struct strbuf written = STRBUF_INIT;
	auto_json json_t *next = NULL, *again = NULL, *layers = describe_layers(image->manifest);
	struct error err = ERROR_INIT;

	must(layers && json_array_size(layers) == image->layer_count);
	if (describe_step(image->config, &step, &next, &err) < 0) {
		must(err.code && *err.msg);
		return;
	}
	must(json_render(next, 0, &written, NULL) == 0);
	must(json_parse_text(written.data, written.len, &again, NULL) == 0);
}

static void try_image(struct image *image)
{
	AUTO(strbuf_deinit) struct strbuf history = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int r = platform_check("linux/arm/v7", image->config, &err);

	must(r == 0 || (r == -ENOENT && *err.msg));
	must(strlen(image->id) == DIGEST_SIZE - 1);
	for (size_t i = 0; i < image->layer_count; i++)
		must(strlen(image->diff_ids[i]) == DIGEST_SIZE - 1);
	render_history(image, true, false, 0, &history);
	must(!history.oom);
	try_step(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = memchr(text, 0, size);
	size_t len = end ? (size_t)(end - text) : size;
	struct error err = ERROR_INIT;
	struct image *image = NULL;
	int r = stored_image_new(text, len, end ? end + 1 : "", end ? size - len - 1 : 0, &image,
				 &err);

	must(r == 0 ? !err.code : err.code == -r && *err.msg);
	if (image) {
		try_image(image);
		image_unref(image);
	}
	return 0;
}
