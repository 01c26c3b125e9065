/* Mounts as text: what is accepted has a source and a target of their one form, and
 * says the same when its target is written again.
 *
 * fuzz-module: runtime
 */
#include "runtime/config/mountspec.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check(const struct mountspec *spec)
{
	auto_free char *again = NULL;

	must(spec->source && spec->target && spec->mode && spec->data && spec->propagation);
	must(spec->target[0] == '/' && spec->target[1] && !strstr(spec->target, "//"));
	must(!strstr(spec->target, "/../") && strncmp(spec->target, "/proc/", 6) != 0);
	must(mountspec_clean_target(spec->target, &again, NULL) == 0);
	must(strcmp(again, spec->target) == 0);
	must(spec->type != MOUNT_BIND || !mountspec_is_root(spec->source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	AUTO(mountspec_deinit) struct mountspec bind = MOUNTSPEC_INIT;
	AUTO(mountspec_deinit) struct mountspec tmpfs = MOUNTSPEC_INIT;
	AUTO(mountspec_deinit) struct mountspec mount = MOUNTSPEC_INIT;
	auto_json json_t *object = NULL;
	struct error err = ERROR_INIT;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (mountspec_parse_bind(text, &bind, &err) == 0)
		check(&bind);
	else
		must(err.code && *err.msg);
	if (mountspec_parse_tmpfs("/t", text, &tmpfs, NULL) == 0)
		check(&tmpfs);
	if (json_parse_text(text, size, &object, NULL) == 0 && json_is_object(object) &&
	    mountspec_parse_mount(object, &mount, NULL) == 0)
		check(&mount);
	return 0;
}
