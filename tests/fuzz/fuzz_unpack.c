/* Archives of arbitrary bytes, in spans of different lengths, unpacked into a scratch
 * directory. Beyond what the sanitizers see: success comes with a digest, failure
 * with a sentence, and no entry has the name of the directory beside the layer.
 */
#include "base/path.h"
#include "graph/unpack.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct input {
	const uint8_t *data;
	size_t left;
	size_t step;
};

static ssize_t read_input(void *arg, const void **ret_bytes, struct error *err)
{
	struct input *input = arg;
	size_t len = input->left < input->step ? input->left : input->step;

	(void)err;
	*ret_bytes = input->data;
	input->data += len;
	input->left -= len;
	input->step = input->step * 3 + 1;
	return (ssize_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/fuzz-unpack-XXXXXX";
	struct input input = { .data = data, .left = size, .step = 1 + size % 600 };
	struct source source = { .read = read_input, .arg = &input };
	const struct limits limits = LIMITS_INIT;
	struct unpack_result result = { .diff_id = "" };
	struct error err = ERROR_INIT;
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };

	if (!mkdtemp(dir))
		return 0;
	auto_fd int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int layer = path_open_dir(parent, "layer", 0755, NULL);
	int ret = unpack_archive(&source, NULL, &limits, layer, &result, &err);
	if (ret < 0)
		must(err.code == -ret && *err.msg);
	else
		must(!err.code && result.size_bytes >= 0 &&
		     (!*result.compression || strlen(result.diff_id) == 64));
	strbuf_deinit(&result.implied);
	must(path_list_dir(parent, &list, NULL) == 0 && list.count == 1);
	must(path_remove_tree(AT_FDCWD, dir) == 0);
	return 0;
}
