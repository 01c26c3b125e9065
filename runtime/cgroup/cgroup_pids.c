/* Walking groups: the groups below one, and the processes in all of them.
 *
 * A container that was given its cgroup writable can make groups of its own
 * below, so whatever counts, kills or removes looks at the whole tree. Depth is
 * bounded: what lies deeper than DEPTH_MAX is not ours to find, and the removal
 * then says that the group is busy.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define DEPTH_MAX 64

int cgroup_each_child(int group_fd, int (*visit)(void *arg, int group_fd, const char *name),
		      void *arg)
{
	auto_fd int fd = openat(group_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	fd = -1; /* the DIR's now */
	while (ret >= 0 && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			ret = visit(arg, group_fd, entry->d_name);
	return ret;
}

static int append_pid(struct cgroup_pids *pids, pid_t pid)
{
	if (pids->count == pids->cap) {
		size_t cap = pids->cap ? pids->cap * 2 : 64;
		pid_t *grown = reallocarray(pids->pids, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		pids->pids = grown;
		pids->cap = cap;
	}
	pids->pids[pids->count++] = pid;
	return 0;
}

struct walk {
	struct cgroup_pids *pids;
	int depth;
};

static int read_tree(struct walk *walk, int group_fd);

static int visit_child(void *arg, int group_fd, const char *name)
{
	struct walk *walk = arg;
	auto_fd int fd = openat(group_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (fd < 0 || walk->depth == DEPTH_MAX)
		return 0;
	walk->depth++;
	ret = read_tree(walk, fd);
	walk->depth--;
	return ret == -ENOMEM ? ret : 0;
}

static int read_tree(struct walk *walk, int group_fd)
{
	auto_fd int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_file FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	char line[32];
	int ret = 0;

	if (file)
		fd = -1; /* the FILE's now */
	while (file && ret == 0 && fgets(line, sizeof(line), file)) {
		uint64_t pid;

		line[strcspn(line, "\n")] = '\0';
		/* 0: a process of another pid namespace than ours. */
		if (num_parse_u64(line, 1, INT32_MAX, &pid) == 0)
			ret = append_pid(walk->pids, (pid_t)pid);
	}
	if (ret == 0)
		ret = cgroup_each_child(group_fd, visit_child, walk);
	return ret == -ENOMEM ? ret : 0;
}

int cgroup_pids_read(int group_fd, struct cgroup_pids *pids)
{
	struct walk walk = { pids, 0 };

	return read_tree(&walk, group_fd);
}

bool cgroup_pids_has(const struct cgroup_pids *pids, pid_t pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->pids[i] == pid)
			return true;
	return false;
}

void cgroup_pids_deinit(struct cgroup_pids *pids)
{
	free(pids->pids);
	*pids = (struct cgroup_pids){ 0 };
}
