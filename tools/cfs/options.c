/* The options of run and create.
 *
 * What they mean is the engine's business. Here is known only which take a
 * value, so that the words behind them are found, and the few that are the
 * caller's side: -d, -i, -a, -e K, --env-file, --cidfile. All others are passed
 * on as they were written.
 */
#include "cfs.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row an option of Docker's create; without a letter the row's number
 * behind CHAR_MAX stands for it. A flag may be given as --flag=false. */
struct row {
	char letter;
	bool takes_value;
	const char *name;
};

static const struct row rows[] = {
	{ 'a', true, "attach" },
	{ 'i', false, "interactive" },
	{ 't', false, "tty" },
	{ 'd', false, "detach" },
	{ 0, true, "detach-keys" },
	{ 0, false, "sig-proxy" },
	{ 0, false, "rm" },
	{ 0, true, "name" },
	{ 'e', true, "env" },
	{ 0, true, "env-file" },
	{ 'l', true, "label" },
	{ 0, true, "label-file" },
	{ 'u', true, "user" },
	{ 'w', true, "workdir" },
	{ 'h', true, "hostname" },
	{ 0, true, "domainname" },
	{ 'm', true, "memory" },
	{ 0, true, "memory-swap" },
	{ 0, true, "memory-reservation" },
	{ 0, true, "cpus" },
	{ 'c', true, "cpu-shares" },
	{ 0, true, "pids-limit" },
	{ 'v', true, "volume" },
	{ 0, true, "volumes-from" },
	{ 0, true, "tmpfs" },
	{ 0, true, "mount" },
	{ 0, true, "entrypoint" },
	{ 0, true, "stop-signal" },
	{ 0, true, "stop-timeout" },
	{ 0, true, "pull" },
	{ 0, true, "cidfile" },
	{ 0, true, "network" },
	{ 0, true, "net" },
	{ 0, true, "restart" },
	{ 0, false, "privileged" },
	{ 0, true, "cap-add" },
	{ 0, true, "cap-drop" },
	{ 0, true, "security-opt" },
	{ 0, false, "read-only" },
	{ 0, true, "ulimit" },
	{ 0, true, "sysctl" },
	{ 0, false, "init" },
	{ 0, true, "expose" },
	{ 'p', true, "publish" },
	{ 'P', false, "publish-all" },
	{ 0, true, "link" },
	{ 0, true, "add-host" },
	{ 0, true, "dns" },
	{ 0, true, "dns-option" },
	{ 0, true, "dns-opt" },
	{ 0, true, "dns-search" },
	{ 0, true, "log-driver" },
	{ 0, true, "log-opt" },
	{ 0, true, "userns" },
	{ 0, true, "group-add" },
	{ 0, true, "device" },
	{ 0, true, "device-cgroup-rule" },
	{ 0, true, "shm-size" },
	{ 0, true, "ip" },
	{ 0, true, "pid" },
	{ 0, true, "ipc" },
	{ 0, true, "uts" },
	{ 0, true, "cgroupns" },
	{ 0, true, "platform" },
	{ 0, true, "runtime" },
	{ 0, true, "oom-score-adj" },
	{ 0, false, "oom-kill-disable" },
	{ 0, true, "cpu-period" },
	{ 0, true, "cpu-quota" },
	{ 0, true, "cpuset-cpus" },
	{ 0, true, "cpuset-mems" },
	{ 0, true, "gpus" },
	{ 0, true, "health-cmd" },
	{ 0, false, "no-healthcheck" },
	{ 0, true, "volume-driver" },
	{ 0, false, "quiet" },
	{ 0, false, "help" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define ROW_BASE 256

/* What getopt_long() wants, made from the rows. */
struct tables {
	char letters[3 * ROWS + 3];
	struct option names[ROWS + 1];
};

static void make_tables(struct tables *t)
{
	size_t n = 0;

	t->letters[n++] = '+'; /* the first other word is the image */
	t->letters[n++] = ':'; /* we say what is wrong */
	for (size_t i = 0; i < ROWS; i++) {
		t->names[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].takes_value ? required_argument : optional_argument,
			.val = ROW_BASE + (int)i,
		};
		if (!rows[i].letter)
			continue;
		t->letters[n++] = rows[i].letter;
		if (rows[i].takes_value)
			t->letters[n++] = ':';
	}
	t->letters[n] = 0;
	t->names[ROWS] = (struct option){ .name = NULL };
}

static const struct row *find_row(int val)
{
	for (size_t i = 0; i < ROWS; i++)
		if (val == ROW_BASE + (int)i || (rows[i].letter && val == rows[i].letter))
			return &rows[i];
	return NULL;
}

static bool is_row(const struct row *row, const char *name)
{
	return strcmp(row->name, name) == 0;
}

int options_parse_flag(const char *text, bool *ret)
{
	static const char *const words[] = { "false", "False", "FALSE", "f", "F", "0",
					     "true",  "True",  "TRUE",  "t", "T", "1" };

	for (size_t i = 0; i < 12; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret = i >= 6;
			return 0;
		}
	}
	return -1;
}

/* -e K takes ours; a variable that we do not have is left out. */
void options_add_env(struct text *words, const char *setting)
{
	const char *ours = strchr(setting, '=') ? "" : getenv(setting);
	struct text full = { .data = NULL };

	if (!ours)
		return;
	text_append_str(&full, setting);
	if (!strchr(setting, '=')) {
		text_append(&full, "=", 1);
		text_append_str(&full, ours);
	}
	text_append_word(words, "-e");
	text_append_word(words, full.data);
	text_free(&full);
}

static void add_label(struct text *words, const char *setting)
{
	text_append_word(words, "-l");
	text_append_word(words, setting);
}

/* Lines K=V or K; blank ones and those that begin with # are skipped. */
static bool add_file(struct text *words, const char *path,
		     void (*add)(struct text *words, const char *setting))
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!file)
		return false;
	while ((len = getline(&line, &cap, file)) >= 0) {
		const char *setting = line + strspn(line, " \t");
		line[strcspn(line, "\r\n")] = 0;
		if (*setting && *setting != '#')
			add(words, setting);
	}
	bool whole = !ferror(file);
	free(line);
	fclose(file);
	return whole;
}

bool options_add_env_file(struct text *words, const char *path)
{
	return add_file(words, path, options_add_env);
}

/* In lower case, which is how the mount wants it. */
static int add_attach(struct options *o, const char *stream)
{
	char lower[8] = { 0 };

	for (size_t i = 0; i < sizeof(lower) - 1 && stream[i]; i++)
		lower[i] = (char)(stream[i] | 0x20);
	o->attach_given = true;
	if (strcmp(lower, "stdin") == 0)
		o->attach_stdin = true;
	else if (strcmp(lower, "stdout") == 0)
		o->attach_stdout = true;
	else if (strcmp(lower, "stderr") == 0)
		o->attach_stderr = true;
	else
		return -1;
	text_append_word(&o->words, "-a");
	text_append_word(&o->words, lower);
	return 0;
}

/* Pass an option on in the form in which it was written. */
static void add_option(struct text *words, const struct row *row, bool by_name, const char *value)
{
	struct text word = { .data = NULL };

	if (by_name) {
		text_append_str(&word, "--");
		text_append_str(&word, row->name);
	} else {
		text_append(&word, "-", 1);
		text_append(&word, &row->letter, 1);
	}
	if (value && !row->takes_value) {
		text_append(&word, "=", 1);
		text_append_str(&word, value);
	}
	text_append_word(words, word.data);
	if (row->takes_value)
		text_append_word(words, value);
	text_free(&word);
}

/* What a parse has so far, and what is wrong. */
struct parsing {
	struct options *o;
	struct text files; /* settings out of files, which options override */
	char *problem;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parsing *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->problem, p->size, fmt, args);
	va_end(args);
	return -1;
}

static int take_file(struct parsing *p, const struct row *row)
{
	bool env = is_row(row, "env-file");

	if (!add_file(&p->files, optarg, env ? options_add_env : add_label))
		return refuse(p, "cannot read '%s': %s", optarg, describe_errno(errno));
	return 0;
}

/* A flag: ours, or to be passed on in the mount's own words. */
static int take_flag(struct parsing *p, const struct row *row, bool by_name)
{
	struct options *o = p->o;
	bool flag = true;

	if (optarg && options_parse_flag(optarg, &flag) < 0)
		return refuse(p, "option '--%s' is true or false, not '%s'", row->name, optarg);
	if (is_row(row, "detach")) {
		o->detach = flag;
	} else if (is_row(row, "sig-proxy")) {
		o->no_sig_proxy = !flag;
	} else {
		if (is_row(row, "interactive"))
			o->stdin_open = flag;
		else if (is_row(row, "tty"))
			o->tty = flag;
		else if (is_row(row, "rm"))
			o->remove = flag;
		add_option(&o->words, row, by_name,
			   flag && !optarg ? NULL
			   : flag          ? "true"
					   : "false");
	}
	return 0;
}

static int take_attach(struct parsing *p)
{
	if (add_attach(p->o, optarg) < 0)
		return refuse(p, "no such stream: '%s'; use stdin, stdout or stderr", optarg);
	return 0;
}

static int take_option(struct parsing *p, const struct row *row, bool by_name)
{
	struct options *o = p->o;

	if (is_row(row, "help"))
		return 1;
	if (!row->takes_value)
		return take_flag(p, row, by_name);
	if (is_row(row, "env-file") || is_row(row, "label-file"))
		return take_file(p, row);
	if (is_row(row, "attach"))
		return take_attach(p);
	if (is_row(row, "cidfile"))
		o->cidfile = optarg;
	else if (is_row(row, "env"))
		options_add_env(&o->words, optarg);
	else if (!is_row(row, "detach-keys"))
		add_option(&o->words, row, by_name, optarg);
	else if (detach_keys_parse(optarg, &o->keys) < 0)
		return refuse(p, "'%s' are no keys to detach with", optarg);
	return 0;
}

static void describe_problem(int val, char *const *argv, char *ret_problem, size_t size)
{
	const char *word = argv[optind - 1];
	bool by_name = strncmp(word, "--", 2) == 0;
	const char *what = val == ':' ? "option needs a value" : "no such option";

	if (by_name || !optopt || optopt >= ROW_BASE)
		snprintf(ret_problem, size, "%s: '%s'", what, word);
	else
		snprintf(ret_problem, size, "%s: '-%c'", what, optopt);
}

/* env's settings go first, so that -e has the last word. */
static void join_words(struct options *o, struct text *env, char *const *rest)
{
	struct text all = *env;

	*env = (struct text){ .data = NULL };
	if (o->words.len > 0) {
		if (all.len > 0)
			text_append(&all, " ", 1);
		text_append(&all, o->words.data, o->words.len);
	}
	for (; *rest; rest++)
		text_append_word(&all, *rest);
	text_free(&o->words);
	o->words = all;
}

static int parse_all(struct parsing *p, int argc, char **argv)
{
	struct tables tables;
	int result = 0;

	make_tables(&tables);
	optind = 0; /* glibc: begin anew, the '+' is looked at again */
	while (result == 0) {
		int index = -1;
		int val = getopt_long(argc, argv, tables.letters, tables.names, &index);
		if (val == -1)
			break;
		const struct row *row = find_row(val);
		if (!row) {
			describe_problem(val, argv, p->problem, p->size);
			result = -1;
		} else {
			result = take_option(p, row, index >= 0);
		}
	}
	if (result == 0 && optind >= argc)
		return refuse(p, "an image is needed");
	return result;
}

int options_parse(struct options *options, int argc, char **argv, char *ret_problem, size_t size)
{
	struct parsing p = { .o = options, .problem = ret_problem, .size = size };

	detach_keys_parse(DETACH_KEYS, &options->keys);
	int result = parse_all(&p, argc, argv);
	if (result == 0)
		join_words(options, &p.files, argv + optind);
	text_free(&p.files);
	return result;
}
