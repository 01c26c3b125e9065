/* Options of a tmpfs: flags of the mount, and what the file system itself takes.
 *
 * A tmpfs is noexec, nosuid and nodev unless its options say otherwise, as
 * Docker's. Source: docker-run(1) --tmpfs; tmpfs(5), mount(8).
 */
#include "runtime/config/mountspec.h"

#include "base/num.h"
#include "runtime/config/config_value.h"

#include <string.h>
#include <sys/mount.h>

#define DEFAULT_FLAGS (MS_NOEXEC | MS_NOSUID | MS_NODEV)

static const struct flag_word {
	const char *word;
	unsigned long set, clear;
} flag_words[] = {
	{ "defaults", 0, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "ro", MS_RDONLY, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noexec", MS_NOEXEC, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nosuid", MS_NOSUID, 0 },
	{ "dev", 0, MS_NODEV },
	{ "nodev", MS_NODEV, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME },
	{ "diratime", 0, MS_NODIRATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
};

static bool apply_flag(const char *word, unsigned long *flags)
{
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
		if (strcmp(flag_words[i].word, word) != 0)
			continue;
		*flags = (*flags & ~flag_words[i].clear) | flag_words[i].set;
		return true;
	}
	return false;
}

/* "50%" or a size; what the kernel reads need not be what we do ("1.5g"). */
static bool append_size(struct strbuf *out, const char *name, const char *text)
{
	size_t len = strlen(text);
	uint64_t number;

	if (len > 1 && len <= 4 && text[len - 1] == '%') {
		char digits[4] = "";

		memcpy(digits, text, len - 1);
		if (num_parse_u64(digits, 1, 100, &number) < 0)
			return false;
		strbuf_appendf(out, "%s=%llu%%", name, (unsigned long long)number);
		return true;
	}
	if (num_parse_size(text, &number) < 0)
		return false;
	strbuf_appendf(out, "%s=%llu", name, (unsigned long long)number);
	return true;
}

static bool append_number(struct strbuf *out, const char *name, const char *text)
{
	uint64_t number;

	if (strcmp(name, "mode") == 0) {
		if (num_parse_base(text, 8, 07777, &number) < 0)
			return false;
		strbuf_appendf(out, "mode=%llo", (unsigned long long)number);
		return true;
	}
	/* The last number is no id: it is how a call says "leave it". */
	if (num_parse_u64(text, 0, UINT32_MAX - 1, &number) < 0)
		return false;
	strbuf_appendf(out, "%s=%llu", name, (unsigned long long)number);
	return true;
}

/* "name=value" */
static bool append_value(struct strbuf *out, const char *option)
{
	static const char *const sizes[] = { "size", "nr_blocks", "nr_inodes", NULL };
	static const char *const numbers[] = { "mode", "uid", "gid", NULL };
	const char *value = strchrnul(option, '=');
	size_t len = (size_t)(value - option);

	if (out->len > 0)
		strbuf_append_char(out, ',');
	for (const char *const *name = sizes; *value && *name; name++)
		if (strlen(*name) == len && !memcmp(*name, option, len))
			return append_size(out, *name, value + 1);
	for (const char *const *name = numbers; *value && *name; name++)
		if (strlen(*name) == len && !memcmp(*name, option, len))
			return append_number(out, *name, value + 1);
	return false;
}

static int take_options(const char *options, struct mountspec *spec, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf data = STRBUF_INIT;
	auto_free char *copy = strdup(options);
	char *rest = copy, *option;

	if (!copy)
		return error_set(err, ENOMEM, "no memory for '%s'", options);
	while (*options && (option = strsep(&rest, ","))) {
		if (!apply_flag(option, &spec->flags) && !append_value(&data, option))
			return error_set(err, EINVAL, "'%s': unknown option or value '%s'",
					 spec->target, option);
	}
	spec->data = !data.oom ? strdup(strbuf_get_str(&data)) : NULL;
	return spec->data ? 0 : error_set(err, ENOMEM, "no memory for '%s'", options);
}

int mountspec_parse_tmpfs(const char *target, const char *options, struct mountspec *ret,
			  struct error *err)
{
	AUTO(mountspec_deinit)
	struct mountspec spec = { .type = MOUNT_TMPFS, .propagation = "", .flags = DEFAULT_FLAGS };
	int failure = mountspec_clean_target(target, &spec.target, err);

	if (failure == 0)
		failure = take_options(options, &spec, err);
	if (failure < 0)
		return failure;
	spec.read_only = (spec.flags & MS_RDONLY) != 0;
	spec.source = strdup("");
	spec.mode = strdup("");
	if (!spec.source || !spec.mode)
		return error_set(err, ENOMEM, "no memory for '%s'", target);
	*ret = spec;
	spec = (struct mountspec)MOUNTSPEC_INIT;
	return 0;
}
