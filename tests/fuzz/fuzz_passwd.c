/* A container's passwd and group files, and the host's resolv.conf: three parts
 * separated by 0xff, the user asked for, passwd, group; the whole is taken for a
 * resolv.conf too. fuzz-module: runtime */
#include "net/hosts.h"
#include "runtime/security/user.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_user(const char *spec, const char *const *more, const uint8_t *passwd,
		       size_t passwd_len, const uint8_t *group, size_t group_len)
{
	struct error err = ERROR_INIT;
	struct user user;
	int ret = user_resolve_text((const char *)passwd, passwd_len, (const char *)group,
				    group_len, spec, more, &user, &err);

	must(ret == -err.code);
	if (ret < 0) {
		must(ret == -EINVAL || ret == -E2BIG || ret == -ENOMEM);
		return;
	}
	must(ret == 0);
	must(user.uid <= INT32_MAX && user.gid <= INT32_MAX);
	must(user.group_count <= USER_GROUPS_MAX);
	must(user.home[0] == '/' && strlen(user.home) < sizeof(user.home));
	for (size_t i = 0; i < user.group_count; i++)
		must(user.groups[i] != user.gid);
}

/* Each line is one that we write, whatever the host's file holds. */
static void check_resolv(const uint8_t *data, size_t size)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	char *save = NULL;

	hosts_render_resolv(&out, &(struct hosts_resolv){ 0 }, (const char *)data, size);
	must(!out.oom && strlen(out.data) == out.len);
	for (char *line = strtok_r(out.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		must(strncmp(line, "nameserver ", 11) == 0 || strncmp(line, "search ", 7) == 0 ||
		     strncmp(line, "options ", 8) == 0 || *line == '#');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *passwd = size ? memchr(data, 0xff, size) : NULL;
	const uint8_t *group = NULL;
	size_t spec_len = passwd ? (size_t)(passwd - data) : 0, left = size - spec_len;
	char *spec = malloc(spec_len + 1);

	must(spec != NULL);
	if (spec_len > 0)
		memcpy(spec, data, spec_len);
	spec[spec_len] = '\0';
	if (passwd) {
		passwd++;
		left--;
		group = memchr(passwd, 0xff, left);
	}
	if (group) {
		size_t passwd_len = (size_t)(group - passwd), group_len = left - passwd_len - 1;

		check_user(spec, NULL, passwd, passwd_len, group + 1, group_len);
		check_user("", (const char *[]){ spec, "5", NULL }, passwd, passwd_len, group + 1,
			   group_len);
	} else {
		check_user(spec, NULL, passwd, passwd ? left : 0, NULL, 0);
	}
	free(spec);
	check_resolv(data, size);
	return 0;
}
