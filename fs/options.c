/* getopt_long(3) made strict and safe for threads.
 *
 * It keeps its place in globals, so one lock of this module covers a whole
 * command; what runs under it only moves text about. It would also take an
 * abbreviation of a long option, which breaks scripts on the day another option
 * begins alike: such a word is unknown here, as in Docker.
 */
#include "fs/options.h"

#include <assert.h>
#include <getopt.h>
#include <pthread.h>
#include <string.h>

#define LONG_BASE 256 /* values of long options: above every letter */

static pthread_mutex_t getopt_lock = PTHREAD_MUTEX_INITIALIZER;

struct parser {
	const struct option_table *table;
	char letters[2 * OPTIONS_MAX + 3];
	struct option longs[OPTIONS_MAX + 1];
	void *target;
	char **operands;
	size_t operand_count;
	const char *word; /* the one being looked at */
};

/* Translate the table. The ':' asks to be told of a missing value; '-' hands
 * out operands in their place, '+' ends at the first. Both leave argv as it is. */
static void translate(struct parser *p, bool first_only)
{
	char *letter = p->letters;

	*letter++ = first_only ? '+' : '-';
	*letter++ = ':';
	for (size_t i = 0; i < p->table->count; i++) {
		const struct option_spec *spec = &p->table->specs[i];

		p->longs[i].name = spec->name;
		p->longs[i].has_arg = spec->value ? required_argument : optional_argument;
		p->longs[i].val = LONG_BASE + (int)i;
		if (!spec->letter)
			continue;
		*letter++ = spec->letter;
		if (spec->value)
			*letter++ = ':';
	}
	*letter = '\0';
}

static const struct option_spec *find_letter(const struct option_table *table, int letter)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->specs[i].letter == letter)
			return &table->specs[i];
	}
	return NULL;
}

/* The option that getopt_long() found, NULL for a word that only begins like one. */
static const struct option_spec *find_spec(const struct parser *p, int found)
{
	const struct option_spec *spec;

	if (found < LONG_BASE)
		return find_letter(p->table, found);
	spec = &p->table->specs[found - LONG_BASE];
	if (strlen(spec->name) != strcspn(p->word + 2, "="))
		return NULL;
	return spec;
}

static int refuse_unknown(const struct parser *p, int letter, struct error *err)
{
	if (strncmp(p->word, "--", 2) == 0)
		return error_set(err, EINVAL, "unknown option '%.*s'", (int)strcspn(p->word, "="),
				 p->word);
	if (strlen(p->word) == 2 || letter <= ' ' || letter > '~')
		return error_set(err, EINVAL, "unknown option '%s'", p->word);
	return error_set(err, EINVAL, "unknown option '-%c' in '%s'", letter, p->word);
}

/* "true" or "false" for any word of Docker's for them; NULL for others. Source: Go's
 * strconv.ParseBool. */
static const char *read_flag(const char *value)
{
	static const char *const words[2][6] = {
		{ "false", "False", "FALSE", "f", "F", "0" },
		{ "true", "True", "TRUE", "t", "T", "1" },
	};

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 6; j++)
			if (strcmp(value, words[i][j]) == 0)
				return words[i][0];
	return NULL;
}

static int take_option(struct parser *p, const struct option_spec *spec, bool is_long,
		       const char *value, struct error *err)
{
	int ret;

	if (!spec->value && value && !(value = read_flag(value)))
		return error_set(err, EINVAL, "option '%s' is true or false", p->word);
	ret = spec->take(p->target, spec, value ? value : "true", err);
	if (is_long)
		return error_wrap(err, ret, "--%s", spec->name);
	return error_wrap(err, ret, "-%c", spec->letter);
}

/* What getopt_long() said of p->word. */
static int handle(struct parser *p, int found, struct error *err)
{
	const struct option_spec *spec;

	if (found == 1) {
		p->operands[p->operand_count++] = optarg;
		return 0;
	}
	if (found == '?')
		return refuse_unknown(p, optopt, err);
	if (found == ':') {
		if (optopt >= LONG_BASE && !find_spec(p, optopt))
			return refuse_unknown(p, 0, err);
		return error_set(err, EINVAL, "option '%s' needs a value", p->word);
	}
	spec = find_spec(p, found);
	if (!spec)
		return refuse_unknown(p, 0, err);
	return take_option(p, spec, found >= LONG_BASE, optarg, err);
}

/* A flag's letter with its value, as Docker has it and getopt has not: -p=false. NULL: another word. */
static const struct option_spec *find_flag_with_value(const struct parser *p, int found)
{
	const struct option_spec *spec;

	if (found >= LONG_BASE || found <= ' ' || p->word[0] != '-' || p->word[1] != found ||
	    p->word[2] != '=')
		return NULL;
	spec = find_letter(p->table, found);
	return spec && !spec->value ? spec : NULL;
}

static int parse_locked(struct parser *p, char *const *argv, size_t argc, struct error *err)
{
	const struct option_spec *flag;
	int ret = 0;

	opterr = 0;
	optind = 0; /* glibc: begin anew, with the modes read again */
	while (ret == 0) {
		int at = optind > 0 ? optind : 1, found;

		p->word = argv[at];
		found = getopt_long((int)argc, argv, p->letters, p->longs, NULL);
		if (found == -1)
			break;
		flag = find_flag_with_value(p, found);
		if (!flag) {
			ret = handle(p, found, err);
			continue;
		}
		ret = take_option(p, flag, false, p->word + 3, err);
		/* Begin anew behind the word, which the first of a list is taken for. */
		argv += at;
		argc -= (size_t)at;
		optind = 0;
	}
	for (size_t i = (size_t)optind; ret == 0 && i < argc; i++)
		p->operands[p->operand_count++] = argv[i];
	return ret;
}

int options_parse(char *const *argv, size_t argc, const struct option_table *table, bool first_only,
		  void *target, char ***ret_operands, size_t *ret_count, struct error *err)
{
	auto_free char **operands = calloc(argc + 1, sizeof(*operands));
	struct parser p = { .table = table, .target = target, .operands = operands };
	int ret;

	assert(table->count <= OPTIONS_MAX);
	if (!operands)
		return error_set_sys(err, ENOMEM, "cannot read the options");
	translate(&p, first_only);
	pthread_mutex_lock(&getopt_lock);
	ret = parse_locked(&p, argv, argc, err);
	pthread_mutex_unlock(&getopt_lock);
	if (ret < 0)
		return ret;
	*ret_operands = steal_ptr(&operands);
	*ret_count = p.operand_count;
	return 0;
}

void options_render(const struct option_table *table, struct strbuf *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option_spec *spec = &table->specs[i];

		if (spec->hidden)
			continue;
		if (spec->letter)
			strbuf_appendf(out, "    -%c, --%s", spec->letter, spec->name);
		else
			strbuf_appendf(out, "        --%s", spec->name);
		if (spec->value)
			strbuf_appendf(out, " %s", spec->value);
		strbuf_append_char(out, '\n');
	}
}
