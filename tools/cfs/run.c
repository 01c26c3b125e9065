/* create and run, start and attach: the commands that know the caller's side.
 *
 * run is create and start: between the two everything is opened that the
 * container will write to.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void parse_options(struct options *options, int argc, char **argv)
{
	char problem[300];
	int r = options_parse(options, argc, argv, problem, sizeof(problem));

	if (r > 0)
		exit(command_help(argv[0]));
	if (r < 0)
		fail(CFS_RUN_FAILED, "%s: %s; see 'cfs %s --help'", argv[0], problem, argv[0]);
}

/* The file must be new: it is what a script takes the id from. */
static int open_cidfile(const char *path)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;

	if (path && fd < 0)
		fail_sys(CFS_RUN_FAILED, "cannot create the cid file '%s'", path);
	return fd;
}

static void write_cidfile(int fd, const char *path, const char *id)
{
	if (fd < 0)
		return;
	if (write(fd, id, ID_DIGITS) != ID_DIGITS || close(fd) < 0)
		fail_sys(CFS_RUN_FAILED, "cannot write the cid file '%s'", path);
}

/* The id is the reply's last line; warnings may stand before it. */
static bool take_id(const struct text *reply, char ret_id[ID_DIGITS + 1])
{
	ssize_t start = ctl_find_id(reply);

	if (start < 0)
		return false;
	if (start > 0)
		copy_out(STDERR_FILENO, reply->data, (size_t)start);
	memcpy(ret_id, reply->data + start, ID_DIGITS);
	ret_id[ID_DIGITS] = 0;
	return true;
}

/* Make the container; more is put before the options. */
static void create(int mnt_fd, const struct options *o, const char *more,
		   char ret_id[ID_DIGITS + 1])
{
	struct text command = { .data = NULL };
	struct text reply = { .data = NULL };
	char *sentence = NULL;

	int cid_fd = open_cidfile(o->cidfile);
	text_append_str(&command, "create --pull missing ");
	text_append_str(&command, more);
	text_append_str(&command, o->words.data);
	int fd = openat(mnt_fd, "ctl", O_RDWR | O_CLOEXEC);
	int r = fd < 0 ? -errno : ctl_do_shown(fd, command.data, stderr, false, &reply, &sentence);
	bool made = r == 0 && take_id(&reply, ret_id);
	if (!made && cid_fd >= 0)
		unlink(o->cidfile);
	errno = -r;
	if (fd < 0)
		fail_sys(CFS_RUN_FAILED, "cannot open 'ctl'");
	if (sentence)
		fail(CFS_RUN_FAILED, "%s", sentence);
	if (r < 0)
		fail_sys(CFS_RUN_FAILED, "create");
	if (!made)
		fail(CFS_RUN_FAILED, "create: the reply has no id");
	write_cidfile(cid_fd, o->cidfile, ret_id);
	close(fd);
	text_free(&command);
	text_free(&reply);
}

int command_create(int argc, char **argv)
{
	struct options o = { .detach = false };
	char id[ID_DIGITS + 1];

	parse_options(&o, argc, argv);
	if (o.detach)
		fail(CFS_RUN_FAILED, "create: no such option: '-d'; see 'cfs create --help'");
	create(mount_open(CFS_RUN_FAILED), &o, "", id);
	text_free(&o.words);
	printf("%s\n", id);
	return 0;
}

/* What run was told about the two sides. */
static struct session make_session(const struct options *o, int dir_fd)
{
	return (struct session){
		.dir_fd = dir_fd,
		.start = "start",
		.ours = true,
		.remove = o->remove,
		.with_stdin = o->stdin_open && (!o->attach_given || o->attach_stdin),
		.with_stdout = !o->attach_given || o->attach_stdout,
		.with_stderr = !o->attach_given || o->attach_stderr,
		.with_signals = !o->no_sig_proxy,
		.tty = o->tty,
		.keys = &o->keys,
	};
}

/* In the foreground the caller's end of file is the container's; a terminal has none, and
 * who detaches from it leaves it open. */
static const char *choose_streams(const struct options *o)
{
	if (o->detach || !o->stdin_open || o->attach_given)
		return "";
	return o->tty ? "" : "-a stdin -a stdout -a stderr ";
}

int command_run(int argc, char **argv)
{
	struct options o = { .detach = false };
	char id[ID_DIGITS + 1];

	parse_options(&o, argc, argv);
	if (o.detach && o.attach_given)
		fail(CFS_RUN_FAILED, "run: -a and -d exclude each other");
	struct session session = make_session(&o, -1);
	if (!o.detach)
		session_check_terminal(o.tty, session.with_stdin, CFS_RUN_FAILED);

	int mnt_fd = mount_open(CFS_RUN_FAILED);
	create(mnt_fd, &o, choose_streams(&o), id);
	text_free(&o.words);
	session.dir_fd = mount_open_container(mnt_fd, id, CFS_RUN_FAILED);
	if (!o.detach)
		return session_run(&session, NULL);
	session_start(&session);
	printf("%s\n", id);
	return 0;
}
