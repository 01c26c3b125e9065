/* What an administrator says about one registry: a directory as Docker's certs.d. */
#include "graph/registry/registry_session.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SYSTEM_DIR "/etc/containerfs/certs.d"
#define CERT_MAX (1U << 20)

static bool has_ending(const char *name, const char *ending)
{
	size_t len = strlen(name), end = strlen(ending);

	return len > end && strcmp(name + len - end, ending) == 0;
}

/* NAME.cert and NAME.key, as paths: libcurl reads them. */
static int take_pair(struct session *session, const char *dir, const char *name, struct error *err)
{
	int stem = (int)(strlen(name) - strlen(".cert"));

	if (session->cert)
		return 0;
	if (asprintf(&session->cert, "%s/%s", dir, name) < 0)
		session->cert = NULL;
	if (asprintf(&session->key, "%s/%.*s.key", dir, stem, name) < 0)
		session->key = NULL;
	if (!session->cert || !session->key)
		return error_set(err, ENOMEM, "out of memory for a certificate");
	if (access(session->key, R_OK) < 0)
		return error_set_sys(err, errno, "'%s' belongs to a certificate", session->key);
	return 0;
}

static int take_file(struct session *session, int dir_fd, const char *dir, const char *name,
		     struct error *err)
{
	if (strcmp(name, "insecure") == 0)
		session->is_insecure = true;
	if (has_ending(name, ".cert"))
		return take_pair(session, dir, name, err);
	if (!has_ending(name, ".crt"))
		return 0;
	/* Links are usual here: the directory is root's. */
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open '%s/%s'", dir, name);
	if (!strbuf_reserve(&session->ca_pem, CERT_MAX))
		return error_set(err, ENOMEM, "out of memory for a certificate");
	ssize_t got = path_pread_full(fd, session->ca_pem.data + session->ca_pem.len, CERT_MAX, 0);
	if (got < 0)
		return error_set_sys(err, (int)-got, "cannot read '%s/%s'", dir, name);
	session->ca_pem.len += (size_t)got;
	strbuf_append_char(&session->ca_pem, '\n');
	return strbuf_check(&session->ca_pem, err);
}

/* 1 when the directory is there. */
static int read_dir(struct session *session, const char *parent, struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	AUTO(strbuf_deinit) struct strbuf dir = STRBUF_INIT;
	int ret;

	/* A host has no slash and no '..': it passed the grammar of names. */
	strbuf_appendf(&dir, "%s/%s", parent, session->name->registry);
	ret = strbuf_check(&dir, err);
	if (ret < 0)
		return ret;
	auto_fd int fd = open(strbuf_get_str(&dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", strbuf_get_str(&dir));
	ret = path_list_dir(fd, &list, err);
	for (size_t i = 0; ret == 0 && i < list.count; i++)
		ret = take_file(session, fd, strbuf_get_str(&dir), list.names[i], err);
	return ret < 0 ? ret : 1;
}

int session_read_certs(struct session *session, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf ours = STRBUF_INIT;
	int ret;

	strbuf_appendf(&ours, "%s/registry/certs.d", session->registries->root);
	ret = strbuf_check(&ours, err);
	if (ret == 0)
		ret = read_dir(session, strbuf_get_str(&ours), err);
	if (ret == 0)
		ret = read_dir(session, SYSTEM_DIR, err);
	return ret < 0 ? ret : 0;
}
