/* Growing text, and words quoted for the mount, which splits as a shell does. */
#include "cfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void text_append(struct text *t, const char *bytes, size_t len)
{
	if (t->cap - t->len <= len) {
		size_t cap = (t->len + len + 1) * 2;
		char *data = realloc(t->data, cap);
		if (!data)
			fail(CFS_RUN_FAILED, "out of memory");
		t->data = data;
		t->cap = cap;
	}
	if (len > 0)
		memcpy(t->data + t->len, bytes, len);
	t->len += len;
	t->data[t->len] = 0;
}

void text_append_str(struct text *t, const char *str)
{
	text_append(t, str, strlen(str));
}

static bool needs_quotes(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./:=@%+,-";

	return !*word || word[strspn(word, plain)];
}

void text_append_word(struct text *t, const char *word)
{
	if (t->len > 0)
		text_append(t, " ", 1);
	if (!needs_quotes(word)) {
		text_append_str(t, word);
		return;
	}
	text_append(t, "'", 1);
	for (;;) {
		size_t run = strcspn(word, "'");
		text_append(t, word, run);
		if (!word[run])
			break;
		text_append_str(t, "'\\''");
		word += run + 1;
	}
	text_append(t, "'", 1);
}

int text_read(struct text *t, int fd)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n > 0)
			text_append(t, buf, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){ .data = NULL };
}
