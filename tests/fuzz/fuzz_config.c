/* A configuration's life with outside bytes: a patch on top of nothing and on top of
 * itself, then taken for an image's configuration, decoded, made an
 * environment. fuzz-module: runtime */
#include "runtime/config/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_start(const json_t *effective)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	char **env;

	if (config_decode(effective, false, &config, NULL) < 0)
		return;
	env = config_build_env(&config, "host", "/");
	must(env != NULL);
	for (size_t i = 0; env[i]; i++) {
		must(strchr(env[i], '=') != NULL);
		free(env[i]);
	}
	free(env);
}

static void check_merge(const json_t *asked, const json_t *image)
{
	auto_json json_t *effective = NULL;
	struct error err = ERROR_INIT;
	int r = config_merge_image(asked, image, &effective, &err);

	must(r == -err.code);
	if (r == 0)
		check_start(effective);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *patch = NULL;
	auto_json json_t *image = NULL;
	auto_json json_t *asked = NULL;
	auto_json json_t *again = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (json_parse_text((const char *)data, size, &patch, NULL) < 0)
		return 0;
	check_start(patch);
	image = json_object();
	json_object_set(image, "config", patch);
	r = config_apply(NULL, patch, false, &asked, &err);
	must(r == -err.code);
	if (r < 0) {
		check_merge(image, image);
		return 0;
	}
	/* Written again it changes nothing, so it is allowed while it runs. */
	r = config_apply(asked, asked, true, &again, NULL);
	must(r == 0);
	must(json_equal(asked, again));
	check_merge(asked, image);
	return 0;
}
