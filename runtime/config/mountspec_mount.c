/* An object of Mounts, with the fields of Docker's API. A field that means nothing
 * for the type is refused: to drop it would promise what does not happen.
 */
#include "runtime/config/mountspec.h"

#include "base/num.h"
#include "runtime/config/config.h"
#include "runtime/config/config_value.h"

#include <string.h>
#include <sys/mount.h>

static int get_bool(const json_t *object, const char *name, bool *ret, struct error *err)
{
	const json_t *item = json_object_get(object, name);

	if (item && !json_is_boolean(item))
		return error_set(err, EINVAL, "%s must be true or false", name);
	*ret = json_is_true(item);
	return 0;
}

static int parse_type(const char *text, enum mount_type *ret, struct error *err)
{
	for (enum mount_type type = MOUNT_BIND; type <= MOUNT_TMPFS; type++) {
		if (!strcmp(text, mount_type_get_name(type))) {
			*ret = type;
			return 0;
		}
	}
	return error_set(err, EINVAL, "unknown Type '%s'; bind, volume or tmpfs", text);
}

static int check_source(enum mount_type type, const char *source, struct error *err)
{
	if (type == MOUNT_BIND && *source != '/')
		return error_set(err, EINVAL, "the Source '%s' of a bind is not an absolute path",
				 source);
	if (type == MOUNT_BIND && mountspec_is_root(source))
		return error_set(err, EINVAL, "the Source '%s' is the root of the host", source);
	if (type == MOUNT_VOLUME && *source && !num_is_hex(source, 64) &&
	    config_check_volume_name(source, NULL) < 0)
		return error_set(err, EINVAL, "the Source '%s' is not a volume's name", source);
	if (type == MOUNT_TMPFS && *source)
		return error_set(err, EINVAL, "a tmpfs has no Source");
	return 0;
}

/* The object of options of this type; the other types' must not be there. */
static int get_options(const json_t *mount, enum mount_type type, const json_t **ret,
		       struct error *err)
{
	static const char *const names[] = { "BindOptions", "VolumeOptions", "TmpfsOptions" };

	for (enum mount_type i = MOUNT_BIND; i <= MOUNT_TMPFS; i++) {
		const json_t *options = json_object_get(mount, names[i]);

		if (options && !json_is_object(options))
			return error_set(err, EINVAL, "%s must be an object", names[i]);
		if (options && i != type && json_object_size(options) > 0)
			return error_set(err, EINVAL, "%s are not for Type '%s'", names[i],
					 mount_type_get_name(type));
	}
	*ret = json_object_get(mount, names[type]);
	return 0;
}

static int take_bind_options(const json_t *options, struct mountspec *spec, struct error *err)
{
	static const char *const members[] = { "Propagation", NULL };
	static const char *const words[] = { "",        "private", "rprivate", "shared",
					     "rshared", "slave",   "rslave" };
	const char *text = "";
	int ret = config_check_members(options, members, err);

	if (ret == 0)
		ret = config_get_text(options, "Propagation", &text, err);
	for (size_t i = 0; ret == 0 && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(words[i], text)) {
			spec->propagation = words[i];
			return 0;
		}
	}
	return ret < 0 ? ret : error_set(err, EINVAL, "unknown Propagation '%s'", text);
}

static int take_volume_options(const json_t *options, struct mountspec *spec, struct error *err)
{
	static const char *const members[] = { "NoCopy", NULL };
	int ret = config_check_members(options, members, err);

	return ret < 0 ? ret : get_bool(options, "NoCopy", &spec->no_copy, err);
}

static int take_tmpfs_options(const json_t *options, struct mountspec *spec, struct error *err)
{
	static const char *const members[] = { "SizeBytes", "Mode", NULL };
	AUTO(strbuf_deinit) struct strbuf data = STRBUF_INIT;
	const json_t *size = json_object_get(options, "SizeBytes");
	const json_t *mode = json_object_get(options, "Mode");
	int ret = config_check_members(options, members, err);

	if (ret < 0)
		return ret;
	if (size && (!json_is_integer(size) || json_integer_value(size) < 0))
		return error_set(err, EINVAL, "SizeBytes must be a size");
	if (mode && (!json_is_integer(mode) || json_integer_value(mode) < 0 ||
		     json_integer_value(mode) > 07777))
		return error_set(err, EINVAL, "Mode must be a mode, 0 to 4095");
	if (json_integer_value(size) > 0)
		strbuf_appendf(&data, "size=%" JSON_INTEGER_FORMAT, json_integer_value(size));
	if (mode)
		strbuf_appendf(&data, "%smode=%llo", data.len ? "," : "",
			       (unsigned long long)json_integer_value(mode));
	free(spec->data);
	spec->data = data.oom ? NULL : strdup(strbuf_get_str(&data));
	return spec->data ? 0 : error_set(err, ENOMEM, "no memory for a tmpfs");
}

static int take_options(const json_t *options, struct mountspec *spec, struct error *err)
{
	if (!options)
		return 0;
	if (spec->type == MOUNT_BIND)
		return take_bind_options(options, spec, err);
	if (spec->type == MOUNT_VOLUME)
		return take_volume_options(options, spec, err);
	return take_tmpfs_options(options, spec, err);
}

static int set_texts(struct mountspec *spec, const char *source, const char *target,
		     struct error *err)
{
	int ret = error_wrap(err, mountspec_clean_target(target, &spec->target, err), "Target");

	if (ret < 0)
		return ret;
	spec->source = strdup(source);
	spec->mode = strdup("");
	spec->data = strdup("");
	return spec->source && spec->mode && spec->data
		       ? 0
		       : error_set(err, ENOMEM, "no memory for '%s'", target);
}

int mountspec_parse_mount(const json_t *mount, struct mountspec *ret, struct error *err)
{
	static const char *const members[] = { "Type",         "Source",      "Target",
					       "ReadOnly",     "BindOptions", "VolumeOptions",
					       "TmpfsOptions", NULL };
	AUTO(mountspec_deinit) struct mountspec spec = { .propagation = "" };
	const char *type = "", *source = "", *target = "";
	const json_t *options = NULL;
	int failure = config_check_members(mount, members, err);

	if (failure == 0)
		failure = config_get_text(mount, "Type", &type, err);
	if (failure == 0)
		failure = config_get_text(mount, "Source", &source, err);
	if (failure == 0)
		failure = config_get_text(mount, "Target", &target, err);
	if (failure == 0)
		failure = parse_type(type, &spec.type, err);
	if (failure == 0)
		failure = check_source(spec.type, source, err);
	if (failure == 0)
		failure = get_bool(mount, "ReadOnly", &spec.read_only, err);
	if (failure == 0)
		failure = get_options(mount, spec.type, &options, err);
	if (failure == 0)
		failure = set_texts(&spec, source, target, err);
	if (failure == 0)
		failure = take_options(options, &spec, err);
	if (failure < 0)
		return failure;
	if (spec.type == MOUNT_TMPFS)
		spec.flags = MS_NOEXEC | MS_NOSUID | MS_NODEV | (spec.read_only ? MS_RDONLY : 0);
	*ret = spec;
	spec = (struct mountspec)MOUNTSPEC_INIT;
	return 0;
}
