/* The files of a start that tell a container its name and whom to ask: hosts, hostname and
 * resolv.conf in RUN/<12 digits>, each as a detached mount to be put into its root.
 *
 * They are the run's own, written at each start; who shares another container's network shares
 * that one's. The part of hosts about neighbours is network_names.c's.
 */
#include "runtime/network/network_private.h"

#include "base/path.h"
#include "net/hosts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define RESOLV_MAX (64U << 10)
#define EXTRA_HOSTS_MAX 256

/* Of whoever has only a resolver of its own: Docker's choice. */
static const char *const public_servers[] = { "8.8.8.8", "8.8.4.4", NULL };

static const char *const file_names[START_FILE_COUNT] = { "hosts", "hostname", "resolv.conf" };
const char *const start_file_targets[START_FILE_COUNT] = { "/etc/hosts", "/etc/hostname",
							   "/etc/resolv.conf" };

/* "host:address" of ExtraHosts, split in place of a copy. */
static size_t split_extra_hosts(const json_t *list, char **copies, struct hosts_entry *entries)
{
	size_t count = 0, i;
	json_t *item;

	json_array_foreach(list, i, item) {
		const char *text = json_string_value(item);
		char *colon;

		if (!text || count == EXTRA_HOSTS_MAX || !(copies[count] = strdup(text)))
			continue;
		colon = strchr(copies[count], ':');
		if (colon) {
			*colon = '\0';
			entries[count].names = copies[count];
			entries[count].address = colon + 1;
			count++;
		} else {
			free(copies[count]);
		}
	}
	return count;
}

static void render_hosts(struct start_files *files, struct strbuf *out)
{
	const json_t *host = json_object_get(files->effective, "HostConfig");
	char *copies[EXTRA_HOSTS_MAX];
	struct hosts_entry entries[EXTRA_HOSTS_MAX];
	size_t count = split_extra_hosts(json_object_get(host, "ExtraHosts"), copies, entries);
	const char *domain = *files->config->domainname ? files->config->domainname : NULL;
	const json_t *record = files->net->record;
	const char *address = json_get_str(record, "address", NULL);

	hosts_render(out, address, files->hostname, domain, entries, count);
	if (address)
		network_names_append(files->container, record, out);
	while (count > 0)
		free(copies[--count]);
}

/* Strings of a list in HostConfig, borrowed; at most EXTRA_HOSTS_MAX. */
static size_t get_host_strings(const struct start_files *files, const char *key, const char **ret)
{
	const json_t *host = json_object_get(files->effective, "HostConfig");
	size_t count = 0, i;
	json_t *item;

	json_array_foreach(json_object_get(host, key), i, item)
		if (json_is_string(item) && count < EXTRA_HOSTS_MAX)
			ret[count++] = json_string_value(item);
	return count;
}

/* A link in /etc is the host's own; a host without the file is fine. */
static void read_host_file(const char *path, struct strbuf *ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && strbuf_reserve(ret, RESOLV_MAX)) {
		ssize_t len = path_pread_full(fd, ret->data, RESOLV_MAX, 0);

		ret->len = len > 0 ? (size_t)len : 0;
		ret->data[ret->len] = '\0';
	}
}

static void render_resolv(struct start_files *files, struct strbuf *out)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	const char *search[EXTRA_HOSTS_MAX], *options[EXTRA_HOSTS_MAX];
	const char *const *servers = (const char *const *)files->config->dns;
	const struct hosts_resolv asked = {
		.servers = servers,
		.server_count = start_count_strings(servers),
		.search = search,
		.search_count = get_host_strings(files, "DnsSearch", search),
		.options = options,
		.option_count = get_host_strings(files, "DnsOptions", options),
		.keeps_loopback = files->net->is_host,
		.fallback = files->net->is_host || files->net->makes_ns ? NULL : public_servers,
	};

	read_host_file("/etc/resolv.conf", &text);
	/* A resolver on the host's loopback asks others, which a container can ask itself. */
	if (!files->net->is_host && !hosts_has_server(text.data, text.len)) {
		AUTO(strbuf_deinit) struct strbuf behind = STRBUF_INIT;

		read_host_file("/run/systemd/resolve/resolv.conf", &behind);
		if (hosts_has_server(behind.data, behind.len)) {
			text.len = 0;
			strbuf_append(&text, behind.data, behind.len);
		}
	}
	hosts_render_resolv(out, &asked, text.data, text.len);
}

/* A detached mount of the file, to be attached inside the new root. */
static int clone_file(struct start_files *files, int dir_fd, int which, struct error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = (int)syscall(SYS_open_tree, dir_fd, file_names[which],
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	if (fd < 0)
		return error_set_sys(err, errno, "cannot bind %s", file_names[which]);
	files->fds[which] = fd;
	/* Writable otherwise, as Docker's: programs that edit /etc/hosts expect it. */
	if (files->config->readonly_rootfs &&
	    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set_sys(err, errno, "cannot make %s read-only", file_names[which]);
	return 0;
}

/* Those of the container whose network it shares. */
static int share_files(struct start_files *files, struct error *err)
{
	auto_fd int dir_fd = store_open_run_dir(files->net->owner, false, err);
	int ret = dir_fd < 0 ? dir_fd : 0;

	for (int i = 0; ret == 0 && i < START_FILE_COUNT; i++)
		ret = clone_file(files, dir_fd, i, err);
	return ret;
}

int start_files_make(struct start_files *files, struct error *err)
{
	if (files->net->owner)
		return share_files(files, err);
	for (int i = 0; i < START_FILE_COUNT; i++) {
		AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
		int ret;

		if (i == START_FILE_HOSTS)
			render_hosts(files, &text);
		else if (i == START_FILE_HOSTNAME)
			hosts_render_hostname(&text, files->hostname);
		else
			render_resolv(files, &text);
		ret = strbuf_check(&text, err);
		if (ret == 0)
			ret = path_replace_file(files->run_dir_fd, file_names[i],
						strbuf_get_str(&text), text.len, 0644, false, err);
		if (ret == 0)
			ret = clone_file(files, files->run_dir_fd, i, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void start_files_remove(int run_dir_fd)
{
	for (int i = 0; i < START_FILE_COUNT; i++)
		unlinkat(run_dir_fd, file_names[i], 0);
}

void start_files_deinit(struct start_files *files)
{
	for (int i = 0; i < START_FILE_COUNT; i++)
		cleanup_fd(&files->fds[i]);
}
