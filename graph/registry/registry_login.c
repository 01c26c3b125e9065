/* config.json of registries. No sentence has anything of its content: it holds passwords.
 *
 * Members that we do not know (credential helpers of another tool's file) stay as they are.
 */
#include "graph/registry/registry_login.h"

#include "base/json.h"
#include "base/path.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "config.json"
/* What Docker calls its own in this file. */
#define DOCKER_HUB "docker.io"
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"
#define TEXT_MAX 8192
#define KEY_SIZE 800 /* a host and a repository */

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void login_deinit(struct login *login)
{
	wipe(steal_ptr(&login->text));
}

int login_make(const char *user, const char *password, struct login *ret, struct error *err)
{
	char *text = NULL;

	if (!*user || strchr(user, ':'))
		return error_set(err, EINVAL, "a user's name is not empty and has no colon");
	if (!*password)
		return error_set(err, EINVAL, "no password given");
	if (strlen(user) + strlen(password) + 2 > TEXT_MAX)
		return error_set(err, EINVAL, "the user's name or the password is too long");
	if (asprintf(&text, "%s:%s", user, password) < 0)
		return error_set(err, ENOMEM, "out of memory for a password");
	ret->text = text;
	return 0;
}

/* --- base64 ------------------------------------------------------------------------------- */

static char *dup_encoded(const char *prefix, const char *text)
{
	size_t len = strlen(text), skip = strlen(prefix);
	char *out = malloc(skip + (len + 2) / 3 * 4 + 1);

	if (!out)
		return NULL;
	memcpy(out, prefix, skip);
	EVP_EncodeBlock((unsigned char *)out + skip, (const unsigned char *)text, (int)len);
	return out;
}

char *login_dup_basic(const struct login *login)
{
	return dup_encoded("Basic ", login->text);
}

/* NULL: it is none, or no memory. */
static char *dup_decoded(const char *text)
{
	size_t len = strlen(text);
	char *out = len && len % 4 == 0 && len <= 2 * (size_t)TEXT_MAX ? malloc(len) : NULL;
	int size;

	if (!out)
		return NULL;
	size = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
	if (size < 0) {
		free(out);
		return NULL;
	}
	/* The library counts the padding's zero bytes. */
	out[size] = '\0';
	return out;
}

/* --- the file -------------------------------------------------------------------------------- */

static const char *get_key(const char *registry)
{
	return strcmp(registry, DOCKER_HUB) == 0 ? DOCKER_HUB_KEY : registry;
}

static int read_file(int dir_fd, json_t **ret, struct error *err)
{
	struct error inner = ERROR_INIT;
	int r = dir_fd < 0 ? -ENOENT : json_read_file(dir_fd, FILE_NAME, ret, &inner);

	if (r == 0 && json_is_object(*ret))
		return 0;
	if (r == -ENOENT) {
		*ret = json_object();
		return *ret ? 0 : error_set(err, ENOMEM, "out of memory for passwords");
	}
	/* Its own sentence could quote a password. */
	return error_set(err, r < 0 ? -r : EINVAL, "registry/" FILE_NAME " cannot be read");
}

/* The registry, or part of one, that a key means: "https://index.docker.io/v1/" is docker.io, "http://host:5/v2/" is
 * host:5, "host/team" stays. */
static void read_key(const char *key, char *ret, size_t size)
{
	static const char *const endings[] = { "/", "/v1", "/v2" };
	const char *scheme = strstr(key, "://");
	size_t len;

	snprintf(ret, size, "%s", scheme ? scheme + 3 : key);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		len = strlen(ret);
		if (len > strlen(endings[i]) &&
		    strcmp(ret + len - strlen(endings[i]), endings[i]) == 0)
			ret[len - strlen(endings[i])] = '\0';
	}
	if (strcmp(ret, "index." DOCKER_HUB) == 0 || strcmp(ret, "registry-1." DOCKER_HUB) == 0)
		snprintf(ret, size, "%s", DOCKER_HUB);
}

/* The entry that covers most of what is asked for; NULL: none. */
static json_t *find_entry(json_t *file, const char *registry, const char *repository)
{
	char wanted[2 * KEY_SIZE], covered[KEY_SIZE];
	json_t *entry, *best = NULL;
	const char *key;
	size_t best_len = 0;

	snprintf(wanted, sizeof(wanted), "%s%s%s", registry, *repository ? "/" : "", repository);
	json_object_foreach(json_get_object(file, "auths"), key, entry) {
		read_key(key, covered, sizeof(covered));
		size_t len = strlen(covered);
		if (len > best_len && json_object_get(entry, "auth") &&
		    strncmp(wanted, covered, len) == 0 &&
		    (wanted[len] == '/' || wanted[len] == '\0')) {
			best = entry;
			best_len = len;
		}
	}
	return best;
}

int login_read(int dir_fd, const char *registry, const char *repository, struct login *ret,
	       struct error *err)
{
	json_t *file auto_json = NULL;
	const char *encoded;
	int r = read_file(dir_fd, &file, err);

	if (r < 0)
		return r;
	encoded = json_get_str(find_entry(file, registry, repository), "auth", NULL);
	ret->text = encoded ? dup_decoded(encoded) : NULL;
	if (encoded && (!ret->text || !strchr(ret->text, ':'))) {
		login_deinit(ret);
		return error_set(err, EINVAL,
				 "registry/" FILE_NAME " has no password for %s; log in again",
				 registry);
	}
	return 0;
}

/* All that stands for the whole registry, however it is written. True when there was something. */
static bool drop_entries(json_t *file, const char *registry)
{
	json_t *auths = json_get_object(file, "auths");
	char covered[KEY_SIZE];
	const char *key;
	void *next;
	json_t *entry;
	bool found = false;

	json_object_foreach_safe(auths, next, key, entry) {
		read_key(key, covered, sizeof(covered));
		if (strcmp(covered, registry) == 0) {
			found = true;
			json_object_del(auths, key);
		}
	}
	return found;
}

static int set_entry(json_t *file, const char *registry, const struct login *login)
{
	json_t *auths = json_get_object(file, "auths");
	char *encoded;
	int r;

	if (!auths) {
		auths = json_object();
		if (json_object_set_new(file, "auths", auths) < 0)
			return -ENOMEM;
	}
	encoded = dup_encoded("", login->text);
	if (!encoded)
		return -ENOMEM;
	r = json_object_set_new(auths, get_key(registry), json_pack("{s:s}", "auth", encoded));
	wipe(encoded);
	return r < 0 ? -ENOMEM : 0;
}

int login_write(int dir_fd, const char *registry, const struct login *login, struct error *err)
{
	json_t *file auto_json = NULL;
	bool found;
	int r = read_file(dir_fd, &file, err);

	if (r < 0)
		return r;
	found = drop_entries(file, registry);
	if (!login && !found)
		return 0;
	if (login && set_entry(file, registry, login) < 0)
		return error_set(err, ENOMEM, "out of memory for a password");
	return json_replace_file(dir_fd, FILE_NAME, file, 0600, true, err);
}
