/* Command text to words, by the rules of a POSIX shell (IEEE 1003.1, XCU 2.2 and
 * 2.3) and the $'...' that its 2024 edition took from ksh.
 *
 * Only quoting is the shell's here: no expansion, no operators, so that ';', '|'
 * and '*' are letters like any other. A word never grows by being unquoted: the
 * longest escape of n bytes stands for fewer than n. So the words of a line fit
 * into one block of the line's size, which is allocated once, behind the
 * array of pointers, when their number is known.
 */
#include "fs/command/words.h"

#include "base/num.h"

#include <stdint.h>
#include <string.h>

struct splitter {
	const char *at, *end; /* what is left of the text; a NUL byte ends no text */
	char *out;            /* where the next byte goes */
	size_t count;         /* words finished */
	bool in_word;
	bool in_quote; /* the text ended inside a quote */
};

/* What became of the line: all the scanners below return this or -EINVAL. */
enum scan { SCAN_ON, SCAN_LINE_END, SCAN_TEXT_END };

static void put(struct splitter *s, char c)
{
	*s->out++ = c;
	s->in_word = true;
}

static void end_word(struct splitter *s)
{
	if (!s->in_word)
		return;
	*s->out++ = '\0';
	s->count++;
	s->in_word = false;
}

static int end_in_quote(struct splitter *s)
{
	s->in_quote = true;
	return SCAN_TEXT_END;
}

/* '...': s->at is behind the opening quote. */
static int scan_single(struct splitter *s)
{
	s->in_word = true;
	while (s->at < s->end) {
		char c = *s->at++;

		if (c == '\'')
			return SCAN_ON;
		put(s, c);
	}
	return end_in_quote(s);
}

/* "...": a backslash is one only before what it can quote there. */
static int scan_double(struct splitter *s)
{
	s->in_word = true;
	while (s->at < s->end) {
		char c = *s->at++;

		if (c == '"')
			return SCAN_ON;
		if (c == '\\' && s->at < s->end && memchr("$`\"\\\n", *s->at, 5)) {
			c = *s->at++;
			if (c == '\n')
				continue;
		}
		put(s, c);
	}
	return end_in_quote(s);
}

/* --- $'...' --------------------------------------------------------------- */

/* Up to max digits of a base; the number of digits found. */
static unsigned scan_digits(struct splitter *s, unsigned base, unsigned max, uint32_t *ret)
{
	unsigned count = 0;

	*ret = 0;
	while (count < max && s->at < s->end && num_get_digit(*s->at) < (int)base) {
		*ret = *ret * base + (uint32_t)num_get_digit(*s->at++);
		count++;
	}
	return count;
}

static int put_byte(struct splitter *s, uint32_t value, struct error *err)
{
	if ((value & 0xff) == 0)
		return error_set(err, EINVAL, "an escape stands for a NUL byte");
	put(s, (char)(value & 0xff));
	return SCAN_ON;
}

/* A code point as UTF-8. */
static int put_code_point(struct splitter *s, uint32_t code, struct error *err)
{
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return error_set(err, EINVAL, "an escape stands for U+%04X, which is no character",
				 (unsigned)code);
	if (code < 0x80)
		return put_byte(s, code, err);
	if (code >= 0x10000) {
		put(s, (char)(0xf0 | code >> 18));
		put(s, (char)(0x80 | (code >> 12 & 0x3f)));
	} else if (code >= 0x800) {
		put(s, (char)(0xe0 | code >> 12));
	}
	if (code >= 0x800)
		put(s, (char)(0x80 | (code >> 6 & 0x3f)));
	else
		put(s, (char)(0xc0 | code >> 6));
	put(s, (char)(0x80 | (code & 0x3f)));
	return SCAN_ON;
}

/* \xHH, \uHHHH, \UHHHHHHHH: letter is the one behind the backslash. Without
 * digits the escape is none. */
static int scan_hex_escape(struct splitter *s, char letter, struct error *err)
{
	unsigned max = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
	uint32_t value;

	if (scan_digits(s, 16, max, &value) == 0) {
		put(s, '\\');
		put(s, letter);
		return SCAN_ON;
	}
	return letter == 'x' ? put_byte(s, value, err) : put_code_point(s, value, err);
}

/* An escape of one letter that stands for one byte. */
static char find_letter_escape(char letter)
{
	static const char letters[] = "abefnrtvE\\'\"?";
	static const char bytes[] = "\a\b\033\f\n\r\t\v\033\\'\"?";
	const char *found = letter ? strchr(letters, letter) : NULL;

	return found ? bytes[found - letters] : '\0';
}

/* s->at is behind a backslash within $'...', and not at the end. */
static int scan_escape(struct splitter *s, struct error *err)
{
	char letter = *s->at++;
	char byte = find_letter_escape(letter);
	uint32_t value;

	if (byte) {
		put(s, byte);
		return SCAN_ON;
	}
	if (letter == 'x' || letter == 'u' || letter == 'U')
		return scan_hex_escape(s, letter, err);
	if (letter >= '0' && letter <= '7') {
		s->at--;
		scan_digits(s, 8, 3, &value);
		return put_byte(s, value, err);
	}
	if (letter == 'c' && s->at < s->end) {
		letter = *s->at++;
		return put_byte(s, letter == '?' ? 0x7f : (uint32_t)letter & 0x1f, err);
	}
	put(s, '\\');
	put(s, letter);
	return SCAN_ON;
}

static int scan_dollar(struct splitter *s, struct error *err)
{
	int ret = SCAN_ON;

	s->in_word = true;
	while (ret == SCAN_ON && s->at < s->end) {
		char c = *s->at++;

		if (c == '\'')
			return SCAN_ON;
		if (c != '\\')
			put(s, c);
		else if (s->at < s->end)
			ret = scan_escape(s, err);
	}
	return ret < 0 ? ret : end_in_quote(s);
}

/* --- a line --------------------------------------------------------------- */

static void skip_comment(struct splitter *s)
{
	const char *newline = memchr(s->at, '\n', (size_t)(s->end - s->at));

	s->at = newline ? newline : s->end;
}

/* One step outside quotes. */
static int scan_plain(struct splitter *s, struct error *err)
{
	char c = *s->at++;

	switch (c) {
	case '\n':
		return SCAN_LINE_END;
	case ' ':
	case '\t':
		end_word(s);
		return SCAN_ON;
	case '\'':
		return scan_single(s);
	case '"':
		return scan_double(s);
	case '\\':
		/* Before the end of all text it is a letter, as in dash. */
		if (s->at == s->end)
			put(s, c);
		else if (*s->at == '\n')
			s->at++;
		else
			put(s, *s->at++);
		return SCAN_ON;
	case '$':
		if (s->at < s->end && *s->at == '\'') {
			s->at++;
			return scan_dollar(s, err);
		}
		break;
	case '#':
		if (!s->in_word) {
			skip_comment(s);
			return SCAN_ON;
		}
		break;
	default:
		break;
	}
	put(s, c);
	return SCAN_ON;
}

static int scan_line(struct splitter *s, struct error *err)
{
	int ret = SCAN_ON;

	while (ret == SCAN_ON && s->at < s->end)
		ret = scan_plain(s, err);
	return ret == SCAN_ON ? SCAN_TEXT_END : ret;
}

/* The words in text, NUL behind each, as an array in the same block. */
static int collect(const char *text, const char *end, size_t count, struct words *ret,
		   struct error *err)
{
	size_t array_size = (count + 1) * sizeof(char *);
	size_t text_size = (size_t)(end - text);
	char **argv = malloc(array_size + text_size);
	char *word;

	if (!argv)
		return error_set_sys(err, ENOMEM, "cannot split the command");
	word = memcpy((char *)argv + array_size, text, text_size);
	for (size_t i = 0; i < count; i++) {
		argv[i] = word;
		word += strlen(word) + 1;
	}
	argv[count] = NULL;
	ret->argv = argv;
	ret->count = count;
	return 1;
}

/* Does the line, as far as it goes, break a bound? */
static int check_line(const char *text, size_t len, struct error *err)
{
	if (len > COMMAND_MAX)
		return error_set(err, E2BIG, "the command is longer than %d bytes", COMMAND_MAX);
	if (memchr(text, '\0', len))
		return error_set(err, EINVAL, "the command holds a NUL byte");
	return 0;
}

int words_split(const char *text, size_t len, bool at_end, struct words *ret, size_t *ret_consumed,
		bool *ret_in_quote, struct error *err)
{
	/* One byte more than a command shows that it is too long. */
	size_t window = len <= COMMAND_MAX + 1 ? len : COMMAND_MAX + 2;
	auto_free char *buffer = malloc(window + 1);
	struct splitter s = { .at = text, .end = text + window, .out = buffer };
	int end, r;

	*ret_in_quote = false;
	if (!buffer)
		return error_set_sys(err, ENOMEM, "cannot split the command");
	end = scan_line(&s, err);
	if (end < 0)
		return end;
	r = check_line(text, (size_t)(s.at - text) - (end == SCAN_LINE_END), err);
	if (r < 0)
		return r;
	if (end == SCAN_TEXT_END && !at_end)
		return 0;
	*ret_in_quote = s.in_quote;
	if (s.in_quote)
		return error_set(err, EINVAL, "the command ends inside a quote");
	end_word(&s);
	r = collect(buffer, s.out, s.count, ret, err);
	if (r == 1)
		*ret_consumed = (size_t)(s.at - text);
	return r;
}

void words_deinit(struct words *words)
{
	free(words->argv);
	words->argv = NULL;
	words->count = 0;
}
