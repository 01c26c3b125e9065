/* cfs: containerfs from the command line.
 *
 * A client of files: words become writes and reads in the mount, and what the
 * words mean is the mount's business. Nothing is linked but libc. A program of
 * one task: what fails says so and ends it (fail()).
 */
#ifndef TOOLS_CFS_H
#define TOOLS_CFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit codes besides the container's own. */
#define CFS_FAILED 1        /* the mount said no */
#define CFS_RUN_FAILED 125  /* the same for run, create, start -a, attach */
#define CFS_CANNOT_EXEC 126 /* the container's program cannot be executed */
#define CFS_NO_PROGRAM 127  /* the container's program is not there */
#define CFS_SIGNAL_BASE 128 /* plus the signal that ended the container */

/* ---- say.c ---- */

/* Print "cfs: " and the sentence to stderr and exit. */
__attribute__((noreturn, format(printf, 2, 3))) void fail(int exit_code, const char *fmt, ...);
/* The same with ": " and the text of errno behind. */
__attribute__((noreturn, format(printf, 2, 3))) void fail_sys(int exit_code, const char *fmt, ...);

/* The text of an errno. */
const char *describe_errno(int code);

/* ---- text.c: bytes that grow; out of memory ends the program ---- */

struct text {
	char *data; /* NUL-terminated once something was appended */
	size_t len;
	size_t cap;
};

void text_append(struct text *t, const char *bytes, size_t len);
void text_append_str(struct text *t, const char *str);
/* Append one word and a blank before it unless t is empty, quoted so that a
 * POSIX shell's splitting gives the word back; any byte but NUL. */
void text_append_word(struct text *t, const char *word);
/* Append all that is to be read: 0 or -errno. */
int text_read(struct text *t, int fd);
void text_free(struct text *t);

/* ---- json.c ---- */

/* The value of a member of an object, NULL when there is none; points into object.
 * Names that need escapes are not found. */
const char *json_member(const char *object, const char *name);
/* Append the text of a value that is a string; false when it is none. */
bool json_append_text(const char *value, struct text *out);
bool json_is_true(const char *value);

/* ---- times.c ---- */

int64_t time_now(void);
/* Nanoseconds since 1970 of an RFC 3339 time, of seconds since 1970, or of a duration
 * such as 1h30m before now. -1 when it is none. */
int time_parse(const char *text, int64_t *ret);

/* ---- tail.c ---- */

off_t tail_get_size(int fd);
/* Offset at which the last lines of a file begin. */
off_t tail_find_lines(int fd, unsigned long lines);

/* A file that grows, line by line. */
struct lines {
	int fd;
	off_t offset; /* at which the next line begins */
	struct text buf;
	size_t start; /* of the next line in buf */
	size_t seen;  /* of its bytes: no newline */
};

void lines_begin(struct lines *lines, int fd, off_t offset);
/* The next whole line without its newline, borrowed until the next call; false when there is
 * none yet. */
bool lines_next(struct lines *lines, char **ret_line);

/* ---- mount.c ---- */

/* The mount as a directory descriptor: $CONTAINERFS, else the first
 * fuse.containerfs of /proc/self/mountinfo whose ctl can be reached. Ends the
 * program with exit_code when there is none. */
int mount_open(int exit_code);
/* The same, -1 and errno when there is none. */
int mount_open_quietly(void);
/* Undo mountinfo's \ooo in place. Source: proc_pid_mountinfo(5). */
void mount_unescape(char *path);
/* Directory containers/NAME as a descriptor. A unique prefix of an id of 4
 * digits or more will do. Ends the program when there is none. */
int mount_open_container(int mnt_fd, const char *name, int exit_code);
/* The whole of a file of it, freed by the caller; NULL and errno. */
char *mount_read_file(int dir_fd, const char *name);
/* Is a key of containers/NAME's config true? */
bool mount_is_set(int dir_fd, const char *key);

/* ---- ctl.c ---- */

#define ID_DIGITS 64

/* Write one command (no newline at its end) to a control file opened read-write
 * and collect its reply. 0, or -errno with reply's error line made *ret_sentence
 * ("error: " taken off; what stood before it stays in reply). The caller frees
 * the sentence. fd stays open. */
int ctl_do(int fd, const char *command, struct text *reply, char **ret_sentence);
/* Open, do, print the reply to stdout; a failure is printed and ends the
 * program with exit_code. */
void ctl_run(int mnt_fd, const char *command, int exit_code);
/* Where the id stands that a reply ends with, in a line of its own; -1 when it ends otherwise. */
ssize_t ctl_find_id(const struct text *reply);
/* Is its last line the sentence of an error? */
bool ctl_has_sentence(const struct text *reply);

/* ---- progress.c ---- */

/* As ctl_do(), and what the reply says meanwhile is shown on out, as lines or, on a terminal, redrawn; with_reply: then
 * the reply itself too. Without it what ends with an id is the reply, and is not shown. */
int ctl_do_shown(int fd, const char *command, FILE *out, bool with_reply, struct text *reply,
		 char **ret_sentence);
/* After a failed file operation: MNT/error, else the text of code. */
__attribute__((noreturn)) void fail_from_mount(int mnt_fd, int code, const char *what,
					       int exit_code);

/* ---- terminal.c: the caller's terminal, which is stdin ---- */

bool terminal_is_there(void);
/* Bytes as they are typed, none echoed; undone at every exit. */
void terminal_make_raw(void);
void terminal_restore(void);
/* Of the first of our streams that is a terminal and knows. */
bool terminal_get_size(unsigned *ret_rows, unsigned *ret_cols);

#define DETACH_KEYS_MAX 16
#define DETACH_KEYS "ctrl-p,ctrl-q" /* unless said: Docker's */

struct detach_keys {
	unsigned char bytes[DETACH_KEYS_MAX];
	size_t count;
	size_t held; /* of them were typed; all: leave */
};

/* "ctrl-p,ctrl-q", "a,b". -1 when it is no such list. Source: docker-attach(1). */
int detach_keys_parse(const char *text, struct detach_keys *ret);
/* Copy what was typed but the keys, which may come in parts; what began like them
 * and was not is given with what follows. Stops when all were typed. out has room for
 * len + DETACH_KEYS_MAX bytes. Returns the bytes put there. */
size_t detach_keys_filter(struct detach_keys *keys, const char *in, size_t len, char *out);

/* ---- options.c: what run and create take ---- */

struct options {
	bool detach;
	bool stdin_open;   /* -i */
	bool attach_given; /* any -a */
	bool attach_stdin;
	bool attach_stdout;
	bool attach_stderr;
	bool tty;    /* -t */
	bool remove; /* --rm */
	bool no_sig_proxy;
	const char *cidfile; /* borrowed from argv */
	struct detach_keys keys;
	struct text words; /* options for the engine and the words behind them, quoted */
};

/* argv[0] is the command. Returns 0; 1 for --help; -1 after a wrong option,
 * whose sentence is in ret_problem (size bytes). Environment variables named by
 * -e K are filled in from ours, --env-file is read and becomes -e. */
int options_parse(struct options *options, int argc, char **argv, char *ret_problem, size_t size);

/* ---- input.c ---- */

/* Pass our stdin to the file stdin of dir_fd until either ends. keys: those that
 * detach, or NULL. close_it: the end of ours is told to ctl. Returns the descriptor that tells of them, -1 when nothing can. */
int input_begin(int dir_fd, bool close_it, const struct detach_keys *keys);

/* Append -e for a setting K=V, or for K with our own value; nothing when we have none. */
void options_add_env(struct text *words, const char *setting);
/* The same for the lines of a file. False and errno when it cannot be read. */
bool options_add_env_file(struct text *words, const char *path);
/* Docker's words for true and false; -1 for others. */
int options_parse_flag(const char *text, bool *ret);

/* ---- join.c ---- */

/* Values of --detach-keys and of a flag, NULL for one without; end the program when wrong. */
void join_take_keys(const char *command, const char *text, struct detach_keys *ret);
bool join_take_flag(const char *command, const char *name, const char *text);

/* ---- session.c: the caller's terminal or pipes joined to a container ---- */

struct session {
	int dir_fd;        /* containers/NAME, or its exec/ENTRY */
	const char *start; /* what its ctl is told when all is open; NULL: it runs */
	bool ours;     /* made for this: it goes when it cannot start, ends when nobody reads it */
	bool remove;   /* it goes when it ends: see that it is gone */
	bool entry;    /* an exec entry */
	bool from_now; /* leave out the output that is there already */
	bool redraw;   /* a program on the terminal is to draw itself anew */
	bool with_stdin;
	bool with_stdout;
	bool with_stderr;
	bool with_signals;
	bool tty;                       /* it has a terminal: our size is its size */
	const struct detach_keys *keys; /* those that detach from a terminal */
};

/* Pass streams and signals until the container has stopped, or the keys were typed.
 * Returns what cfs is to exit with; ret_detached may be NULL. */
int session_run(const struct session *session, bool *ret_detached);
/* Only start it; a failure ends the program as session_run() would. */
void session_start(const struct session *session);
/* End the program unless stdin can be the terminal that is wanted. */
void session_check_terminal(bool tty, bool with_stdin, int exit_code);

/* ---- ids.c: a container with ids of its own ---- */

/* What its ids from 0 on are on the host. */
struct ids {
	unsigned uid_base, gid_base;
	unsigned size; /* 0: they are the host's */
};

/* Those of the container whose directory it is. */
struct ids ids_read(int dir_fd);
/* From a container's ids to the host's, and back; ids that it has not become 65534. */
unsigned ids_to_host(unsigned id, unsigned base, const struct ids *ids);
unsigned ids_from_host(unsigned id, unsigned base, const struct ids *ids);
/* Make files as its root from now on, which nobody else can there. */
void ids_take(const struct ids *ids);

/* ---- tree.c: copies; what fails ends the program ---- */

/* Whose the copies are to be. */
struct owners {
	bool keep;           /* else ours, or of the root of where they go to */
	struct ids from, to; /* of the two sides */
};

/* Copy what is called from in from_fd as to_fd's to. name: what it is in sentences. */
void tree_copy(int from_fd, const char *from, int to_fd, const char *to, const char *name,
	       const struct owners *owners);
/* All that is in from_fd, which is closed. */
void tree_copy_members(int from_fd, int to_fd, const char *name, const struct owners *owners);

/* ---- commands; each returns the exit code ---- */

/* argv[0] is the command's name, ours or the mount's. */
int command_do(int argc, char **argv);
void command_print_usage(FILE *out);

int command_run(int argc, char **argv);
int command_create(int argc, char **argv);
int command_start(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_cp(int argc, char **argv);
int command_export(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_events(int argc, char **argv);
int command_login(int argc, char **argv);
int command_transfer(int argc, char **argv); /* pull, push */
/* The value of -o; the words behind the options begin at optind. */
const char *files_take_output(int argc, char **argv);
/* A tar stream to stdout, or (path) to a new file that appears when it is whole and check, if
 * not NULL, has returned. */
int files_write_archive(int fd, const char *command, const char *path, void (*check)(void));

/* ---- import.c ---- */

int command_load(int argc, char **argv);
int command_import(int argc, char **argv);

/* ---- archive.c ---- */

int command_save(int argc, char **argv);
/* How a command is used, on stdout: ours, else the mount's line about it. */
int command_help(const char *name);
/* Any other word: to MNT/ctl as it is. */
int command_pass(int argc, char **argv);

/* ---- copy.c ---- */

/* Write all; ends the program when stdout or stderr does not take it. */
void copy_out(int out_fd, const char *bytes, size_t len);
/* The same terminal, or 2>&1? */
bool copy_is_one_file(int fd, int other_fd);
/* From in_fd to stdout until end of file; 0 or -errno of the read. */
int copy_to_stdout(int in_fd);

#endif
