/* Platforms. Source: OCI image-spec, image-index.md and config.md; Go's GOOS and GOARCH. */
#include "graph/platform.h"

#include "graph/describe.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static void set_own_variant(struct platform *platform)
{
	struct utsname host;

	/* Go's names: armv7l is arm/v7. */
	if (uname(&host) == 0 && strcmp(platform->architecture, "arm") == 0 &&
	    strncmp(host.machine, "armv", 4) == 0)
		snprintf(platform->variant, sizeof(platform->variant), "v%c", host.machine[4]);
}

static bool copy_part(const char *at, size_t len, char *ret, size_t size)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(ret, at, len);
	ret[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (!((ret[i] >= 'a' && ret[i] <= 'z') || (ret[i] >= '0' && ret[i] <= '9') ||
		      ret[i] == '_' || ret[i] == '-' || ret[i] == '.'))
			return false;
	return true;
}

int platform_parse(const char *text, struct platform *ret, struct error *err)
{
	struct platform platform = { .os = "linux" };
	const char *arch = text ? strchr(text, '/') : NULL;
	const char *variant = arch ? strchr(arch + 1, '/') : NULL;
	bool ok = true;

	if (!text) {
		snprintf(platform.architecture, sizeof(platform.architecture), "%s",
			 describe_architecture());
		set_own_variant(&platform);
	} else if (!arch) {
		ok = copy_part(text, strlen(text), platform.architecture,
			       sizeof(platform.architecture));
	} else {
		ok = copy_part(text, (size_t)(arch - text), platform.os, sizeof(platform.os)) &&
		     copy_part(arch + 1, variant ? (size_t)(variant - arch - 1) : strlen(arch + 1),
			       platform.architecture, sizeof(platform.architecture)) &&
		     (!variant || copy_part(variant + 1, strlen(variant + 1), platform.variant,
					    sizeof(platform.variant)));
	}
	if (!ok)
		return error_set(err, EINVAL, "'%s' is not a platform; OS/ARCH[/VARIANT]", text);
	*ret = platform;
	return 0;
}

int platform_rate(const struct platform *platform, const json_t *described)
{
	const char *variant = json_get_str(described, "variant", "");

	if (strcmp(json_get_str(described, "os", ""), platform->os) != 0 ||
	    strcmp(json_get_str(described, "architecture", ""), platform->architecture) != 0)
		return 0;
	if (strcmp(variant, platform->variant) == 0)
		return 10;
	/* arm64 has always been v8, and x86's levels build upon the plain one. */
	if (!*variant || (!*platform->variant && strcmp(variant, "v8") == 0))
		return 9;
	/* An ARM of version 7 runs what is for 6 and 5, the nearer the better. */
	if (strcmp(platform->architecture, "arm") == 0 && variant[0] == 'v' && variant[1] &&
	    !variant[2] && platform->variant[0] == 'v' && variant[1] < platform->variant[1] &&
	    variant[1] >= '5')
		return variant[1] - '5' + 1;
	return 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

const char *platform_get_text(const struct platform *platform, char ret[PLATFORM_TEXT_SIZE])
{
	snprintf(ret, PLATFORM_TEXT_SIZE, "%s/%s%s%s", platform->os, platform->architecture,
		 *platform->variant ? "/" : "", platform->variant);
	return ret;
}

void platform_render_described(const json_t *described, struct strbuf *out)
{
	const char *variant = json_get_str(described, "variant", "");

	strbuf_appendf(out, "%.20s/%.20s%s%.20s", json_get_str(described, "os", "?"),
		       json_get_str(described, "architecture", "?"), *variant ? "/" : "", variant);
}

int platform_check(const char *text, const json_t *config, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf described = STRBUF_INIT;
	char wanted[PLATFORM_TEXT_SIZE];
	struct platform platform;
	int r = platform_parse(text, &platform, err);

	if (r < 0 || platform_rate(&platform, config) > 0)
		return r;
	platform_render_described(config, &described);
	return error_set(err, ENOENT, "it is for %s and not for %s", strbuf_get_str(&described),
			 platform_get_text(&platform, wanted));
}
