/* A user's name to numbers, by the container's own passwd and group files.
 *
 * The files belong to the container: they may be huge, binary, links to anywhere
 * or devices. They are opened below its root only, looked at before they are
 * opened for reading, and read up to a bound; lines that make no sense are skipped.
 * As in Docker, the first entry that has the word as its name or its number wins,
 * and a number needs no entry.
 *
 * Source: passwd(5), group(5); Docker's reference of USER.
 */
#include "runtime/security/user.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "base/path.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (1 << 20)
/* As the kernel's and Docker's bound; (uid_t)-1 means "no change" to system calls. */
#define ID_MAX INT32_MAX

/* A piece of text that is not NUL-terminated. */
struct span {
	const char *text;
	size_t len;
};

static bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.text, text, span.len) == 0;
}

/* Cut off what is before the next sep; false when nothing is left. */
static bool span_next(struct span *rest, char sep, struct span *ret)
{
	const char *end;

	if (!rest->text)
		return false;
	end = memchr(rest->text, sep, rest->len);
	*ret = (struct span){ rest->text, end ? (size_t)(end - rest->text) : rest->len };
	rest->len -= ret->len + (end != NULL);
	rest->text = end ? end + 1 : NULL;
	return true;
}

static bool span_to_id(struct span span, uint32_t *ret)
{
	char text[16];
	uint64_t value;

	if (span.len == 0 || span.len >= sizeof(text) || memchr(span.text, '\0', span.len))
		return false;
	memcpy(text, span.text, span.len);
	text[span.len] = '\0';
	if (num_parse_u64(text, 0, ID_MAX, &value) < 0)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* The fields of one line; false when there are fewer than wanted. */
static bool split_line(struct span line, struct span *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!span_next(&line, ':', &fields[i]))
			return false;
	return true;
}

static void copy_home(struct span home, char *ret, size_t size)
{
	bool is_usable = home.len > 0 && home.len < size && home.text[0] == '/' &&
			 !memchr(home.text, '\0', home.len);

	snprintf(ret, size, "%.*s", is_usable ? (int)home.len : 1, is_usable ? home.text : "/");
}

/* Find a user by word; ret_name is where the entry has its name. */
static bool find_user(struct span passwd, const char *word, struct user *user,
		      struct span *ret_name)
{
	uint32_t wanted = 0, uid, gid;
	bool is_number = *word == '\0' || span_to_id((struct span){ word, strlen(word) }, &wanted);
	struct span line, f[6];

	while (span_next(&passwd, '\n', &line)) {
		if (!split_line(line, f, 6) || f[0].len == 0 || !span_to_id(f[2], &uid) ||
		    !span_to_id(f[3], &gid))
			continue;
		if (!(is_number && uid == wanted) && !(*word && span_is(f[0], word)))
			continue;
		user->uid = uid;
		user->gid = gid;
		copy_home(f[5], user->home, sizeof(user->home));
		*ret_name = f[0];
		return true;
	}
	user->uid = wanted;
	return is_number;
}

static bool find_group(struct span group, const char *word, gid_t *ret)
{
	uint32_t wanted = 0, gid;
	bool is_number = span_to_id((struct span){ word, strlen(word) }, &wanted);
	struct span line, f[3];

	while (span_next(&group, '\n', &line)) {
		if (!split_line(line, f, 3) || f[0].len == 0 || !span_to_id(f[2], &gid))
			continue;
		if ((is_number && gid == wanted) || span_is(f[0], word)) {
			*ret = gid;
			return true;
		}
	}
	*ret = wanted;
	return is_number;
}

static bool lists_member(struct span members, struct span name)
{
	struct span member;

	while (span_next(&members, ',', &member))
		if (member.len == name.len && memcmp(member.text, name.text, name.len) == 0)
			return true;
	return false;
}

static bool has_group(const struct user *user, gid_t gid)
{
	if (user->gid == gid)
		return true;
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

/* One more, unless it is there; -E2BIG: no room. */
static int add_group(struct user *user, gid_t gid)
{
	if (has_group(user, gid))
		return 0;
	if (user->group_count == USER_GROUPS_MAX)
		return -E2BIG;
	user->groups[user->group_count++] = gid;
	return 0;
}

static int refuse_groups(const char *spec, struct error *err)
{
	return error_set(err, E2BIG, "user '%s' is in more than %d groups", spec, USER_GROUPS_MAX);
}

static int refuse_group(const char *name, struct error *err)
{
	return error_set(err, EINVAL, "no group '%s' in the container's /etc/group", name);
}

static int add_groups(struct span group, struct span name, struct user *user, const char *spec,
		      struct error *err)
{
	struct span line, f[4];
	uint32_t gid;

	while (span_next(&group, '\n', &line)) {
		if (!split_line(line, f, 4) || f[0].len == 0 || !span_to_id(f[2], &gid))
			continue;
		if (!lists_member(f[3], name))
			continue;
		if (add_group(user, gid) < 0)
			return refuse_groups(spec, err);
	}
	return 0;
}

/* Those that were asked for besides. */
static int add_more(struct span group, const char *const *more, struct user *user, const char *spec,
		    struct error *err)
{
	gid_t gid;

	for (; more && *more; more++) {
		if (!find_group(group, *more, &gid))
			return refuse_group(*more, err);
		if (add_group(user, gid) < 0)
			return refuse_groups(spec, err);
	}
	return 0;
}

int user_resolve_text(const char *passwd, size_t passwd_len, const char *group, size_t group_len,
		      const char *spec, const char *const *more, struct user *ret,
		      struct error *err)
{
	struct user user = { .home = "/" };
	const char *colon = strchr(spec, ':');
	size_t word_len = colon ? (size_t)(colon - spec) : strlen(spec);
	auto_free char *word = strndup(spec, word_len);
	struct span name = { "", 0 };
	int result = 0;

	if (!word)
		return error_set(err, ENOMEM, "no memory for user '%s'", spec);
	if (colon && colon[1] == '\0')
		return error_set(err, EINVAL, "no group behind the colon of user '%s'", spec);
	if (!find_user((struct span){ passwd, passwd_len }, word, &user, &name))
		return error_set(err, EINVAL, "no user '%s' in the container's /etc/passwd", word);
	if (colon) {
		if (!find_group((struct span){ group, group_len }, colon + 1, &user.gid))
			return refuse_group(colon + 1, err);
	} else if (name.len > 0) {
		result = add_groups((struct span){ group, group_len }, name, &user, spec, err);
	}
	if (result == 0)
		result = add_more((struct span){ group, group_len }, more, &user, spec, err);
	if (result == 0)
		*ret = user;
	return result;
}

/* O_PATH first: merely opening a device or a fifo can have effects. */
static int read_file(int root_fd, const char *path, struct strbuf *text, struct error *err)
{
	auto_fd int fd = path_open_in_root(root_fd, path, O_PATH, 0);
	char self[40];
	struct stat st;
	int ret;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd == -ELOOP)
		return error_set(err, EINVAL, "the container's /%s is a loop of links", path);
	if (fd < 0)
		return error_set_sys(err, -fd, "cannot open the container's /%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "the container's /%s is not a regular file", path);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ret = open(self, O_RDONLY | O_CLOEXEC);
	if (ret < 0)
		return error_set_sys(err, errno, "cannot open the container's /%s", path);
	close(fd);
	fd = ret;
	if (!strbuf_reserve(text, FILE_MAX_BYTES + 1))
		return error_set(err, ENOMEM, "no memory for the container's /%s", path);
	ret = (int)path_pread_full(fd, text->data, FILE_MAX_BYTES + 1, 0);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot read the container's /%s", path);
	if (ret > FILE_MAX_BYTES)
		return error_set(err, EINVAL, "the container's /%s is larger than %d bytes", path,
				 FILE_MAX_BYTES);
	text->len = (size_t)ret;
	return 0;
}

int user_resolve(int root_fd, const char *spec, const char *const *more, struct user *ret,
		 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf passwd = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf group = STRBUF_INIT;
	int result = read_file(root_fd, "etc/passwd", &passwd, err);

	if (result == 0)
		result = read_file(root_fd, "etc/group", &group, err);
	if (result < 0)
		return result;
	return user_resolve_text(passwd.data, passwd.len, group.data, group.len, spec, more, ret,
				 err);
}
