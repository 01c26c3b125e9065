/* Commands that are a file read or written: events, export. */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- events ------------------------------------------------------------ */

#define FILTERS_MAX 32

/* What is wanted: of filters with one key any, of different keys all. */
struct events {
	const char *filters[FILTERS_MAX]; /* "key=value" */
	size_t count;
	int64_t until;
};

static bool has_text(const char *value, const char *wanted, bool prefix)
{
	struct text text = { .data = NULL };
	bool has = json_append_text(value, &text) && text.data &&
		   (prefix ? strncmp(text.data, wanted, strlen(wanted))
			   : strcmp(text.data, wanted)) == 0;

	text_free(&text);
	return has;
}

static bool has_label(const char *attributes, const char *label)
{
	char *name = strdup(label);
	char *value = name ? strchr(name, '=') : NULL;

	if (value)
		*value++ = 0;
	const char *found = name ? json_member(attributes, name) : NULL;
	bool has = found && (!value || has_text(found, value, false));
	free(name);
	return has;
}

static bool matches(const char *event, const char *filter)
{
	const char *value = strchr(filter, '=') + 1;
	const char *actor = json_member(event, "Actor");
	const char *attributes = json_member(actor, "Attributes");

	if (strncmp(filter, "type=", 5) == 0)
		return has_text(json_member(event, "Type"), value, false);
	if (strncmp(filter, "event=", 6) == 0)
		return has_text(json_member(event, "Action"), value, false);
	if (strncmp(filter, "label=", 6) == 0)
		return has_label(attributes, value);
	if (strncmp(filter, "image=", 6) == 0)
		return has_text(json_member(attributes, "image"), value, false) ||
		       has_text(json_member(attributes, "name"), value, false);
	return has_text(json_member(attributes, "name"), value, false) ||
	       (strlen(value) >= 4 && has_text(json_member(actor, "ID"), value, true));
}

static bool is_wanted(const struct events *events, const char *event)
{
	for (size_t i = 0; i < events->count; i++) {
		size_t key = strcspn(events->filters[i], "=") + 1;
		bool any = false;
		for (size_t j = 0; j < events->count && !any; j++)
			any = strncmp(events->filters[i], events->filters[j], key) == 0 &&
			      matches(event, events->filters[j]);
		if (!any)
			return false;
	}
	return true;
}

static void add_filter(struct events *events, const char *filter)
{
	static const char *const keys[] = { "type=", "event=", "label=", "image=", "container=" };
	bool known = false;

	for (size_t i = 0; i < 5; i++)
		known = known || strncmp(filter, keys[i], strlen(keys[i])) == 0;
	if (!known)
		fail(CFS_FAILED,
		     "events: '%s' is no filter; use type=, event=, container=, image= "
		     "or label=",
		     filter);
	if (events->count == FILTERS_MAX)
		fail(CFS_FAILED, "events: more than %d filters", FILTERS_MAX);
	events->filters[events->count++] = filter;
}

/* Until then something can come. */
static bool wait_for_event(int fd, int64_t until)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	while (until != INT64_MAX) {
		int64_t left = (until - time_now()) / 1000000 + 1;
		if (left <= 0)
			return false;
		int n = poll(&polled, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			break;
		if (n < 0 && errno != EINTR)
			fail_sys(CFS_FAILED, "cannot wait for events");
	}
	return true;
}

static void print_events(const struct events *events, int fd)
{
	struct text rest = { .data = NULL };
	char buf[16384];
	char *end;

	while (wait_for_event(fd, events->until)) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return;
		if (n < 0 && errno != EINTR)
			fail_sys(CFS_FAILED, "cannot read 'events'");
		text_append(&rest, buf, n > 0 ? (size_t)n : 0);
		while ((end = memchr(rest.data, '\n', rest.len))) {
			size_t len = (size_t)(end + 1 - rest.data);
			*end = 0;
			bool wanted = is_wanted(events, rest.data);
			*end = '\n';
			if (wanted)
				copy_out(STDOUT_FILENO, rest.data, len);
			memmove(rest.data, rest.data + len, rest.len - len);
			rest.len -= len;
		}
	}
}

int command_events(int argc, char **argv)
{
	static const struct option names[] = {
		{ "filter", required_argument, NULL, 'f' },
		{ "until", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct events events = { .until = INT64_MAX };
	int c;

	while ((c = getopt_long(argc, argv, "f:", names, NULL)) != -1) {
		if (c == '?')
			return CFS_FAILED;
		if (c == 'f')
			add_filter(&events, optarg);
		else if (time_parse(optarg, &events.until) < 0)
			fail(CFS_FAILED, "events: '%s' is no time", optarg);
	}
	if (optind < argc)
		fail(CFS_FAILED, "events: no such option or word: '%s'", argv[optind]);
	int fd = openat(mount_open(CFS_FAILED), "events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'events'");
	print_events(&events, fd);
	return 0;
}

/* ---- export ------------------------------------------------------------ */

/* A file that is not whole goes, however this ends: every failure is an exit. */
static const char *unfinished;

static void remove_unfinished(void)
{
	if (unfinished)
		unlink(unfinished);
}

int files_write_archive(int fd, const char *command, const char *path, void (*check)(void))
{
	struct text spare = { .data = NULL };

	if (!path && isatty(STDOUT_FILENO))
		fail(CFS_FAILED, "%s: a tar stream is nothing for a terminal; use -o FILE",
		     command);
	if (path) {
		text_append_str(&spare, path);
		text_append_str(&spare, ".cfs-part");
		int out_fd = open(spare.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (out_fd < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
			fail_sys(CFS_FAILED, "%s: cannot create '%s'", command, spare.data);
		close(out_fd);
		unfinished = spare.data;
		atexit(remove_unfinished);
	}
	errno = -copy_to_stdout(fd);
	if (errno)
		fail_sys(CFS_FAILED, "%s: cannot read the archive", command);
	if (check)
		check();
	if (path && rename(spare.data, path) < 0)
		fail_sys(CFS_FAILED, "%s: cannot create '%s'", command, path);
	unfinished = NULL;
	text_free(&spare);
	return 0;
}

const char *files_take_output(int argc, char **argv)
{
	static const struct option names[] = {
		{ "output", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "o:", names, NULL)) != -1) {
		if (c == '?')
			exit(CFS_FAILED);
		path = optarg;
	}
	return path;
}

int command_export(int argc, char **argv)
{
	const char *path = files_take_output(argc, argv);

	if (argc - optind != 1)
		fail(CFS_FAILED, "export: one name is needed; see 'cfs export --help'");
	int dir_fd = mount_open_container(mount_open(CFS_FAILED), argv[optind], CFS_FAILED);
	int fd = openat(dir_fd, "export.tar", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'export.tar'");
	return files_write_archive(fd, "export", path, NULL);
}
