/* See device_rule.h. */
#include "runtime/security/device_rule.h"

#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	char letter;
	unsigned access;
} letters[] = { { 'r', DEVICE_READ }, { 'w', DEVICE_WRITE }, { 'm', DEVICE_MKNOD } };

unsigned device_access_parse(const char *text)
{
	unsigned access = 0;

	for (; *text; text++) {
		unsigned one = 0;

		for (size_t i = 0; i < 3; i++)
			if (*text == letters[i].letter)
				one = letters[i].access;
		if (one == 0 || access & one)
			return 0;
		access |= one;
	}
	return access;
}

/* A number that ends at `end`, or "*". */
static bool take_number(const char **text, char end, uint64_t max, int32_t *ret)
{
	size_t len = strcspn(*text, (char[]){ end, '\0' });
	char word[12];
	uint64_t number;

	if (len == 0 || len >= sizeof(word) || (*text)[len] != end)
		return false;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len + 1;
	*ret = -1;
	if (strcmp(word, "*") == 0)
		return true;
	if (num_parse_u64(word, 0, max, &number) < 0)
		return false;
	*ret = (int32_t)number;
	return true;
}

int device_rule_parse(const char *text, struct device_rule *ret)
{
	struct device_rule rule = { .type = *text };

	if (*text == '\0' || !strchr("abc", *text) || text[1] != ' ')
		return -EINVAL;
	text += 2;
	if (!take_number(&text, ':', DEVICE_MAJOR_MAX, &rule.major) ||
	    !take_number(&text, ' ', DEVICE_MINOR_MAX, &rule.minor))
		return -EINVAL;
	rule.access = device_access_parse(text);
	if (rule.access == 0)
		return -EINVAL;
	*ret = rule;
	return 0;
}

static void render_number(int32_t number, char ret[12])
{
	if (number < 0)
		snprintf(ret, 12, "*");
	else
		snprintf(ret, 12, "%d", (int)number);
}

void device_rule_render(const struct device_rule *rule, char type, char ret[DEVICE_RULE_SIZE])
{
	char major[12], minor[12], access[4];
	size_t len = 0;

	render_number(rule->major, major);
	render_number(rule->minor, minor);
	for (size_t i = 0; i < 3; i++)
		if (rule->access & letters[i].access)
			access[len++] = letters[i].letter;
	access[len] = '\0';
	snprintf(ret, DEVICE_RULE_SIZE, "%c %s:%s %s", type, major, minor, access);
}
