/* What a container's configuration says to an image made of it: the part that does not
 * depend on the machine. The other way round is config_merge.c's.
 */
#include "runtime/config/config.h"

/* Docker commits these of a container. */
static const char *const image_keys[] = { "Cmd",         "Entrypoint", "Env",        "ExposedPorts",
					  "Healthcheck", "Labels",     "StopSignal", "User",
					  "Volumes",     "WorkingDir" };

static bool is_empty(const json_t *value)
{
	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value))
		return json_string_length(value) == 0;
	return (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

int config_make_image(const json_t *effective, const json_t *image_config, json_t **ret,
		      struct error *err)
{
	auto_json json_t *patch = json_object();
	json_t *made;

	if (!patch)
		return error_set_sys(err, ENOMEM, "cannot make the image's configuration");
	for (size_t i = 0; i < sizeof(image_keys) / sizeof(image_keys[0]); i++) {
		json_t *value = json_object_get(effective, image_keys[i]);

		if (json_object_set_new(patch, image_keys[i],
					is_empty(value) ? json_null() : json_incref(value)) < 0)
			return error_set_sys(err, ENOMEM, "cannot make the image's configuration");
	}
	/* Objects are replaced, not merged: their members are all there already. */
	auto_json json_t *base =
		image_config ? json_copy((json_t *)(uintptr_t)image_config) : json_object();

	for (size_t i = 0; base && i < sizeof(image_keys) / sizeof(image_keys[0]); i++)
		json_object_del(base, image_keys[i]);
	made = base ? json_merge_patch(base, patch) : NULL;
	if (!made)
		return error_set_sys(err, ENOMEM, "cannot make the image's configuration");
	*ret = made;
	return 0;
}
