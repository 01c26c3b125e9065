/* Putting the words of a command into the JSON of a configuration.
 *
 * A word may hold any bytes, a configuration only UTF-8. jansson refuses others
 * but says no more than that it failed, as it does when memory runs out, so the
 * bytes are looked at here first.
 */
#include "fs/command/command_private.h"

#include <string.h>

#define HOST_CONFIG "HostConfig"

static int no_memory(struct error *err)
{
	return error_set_sys(err, ENOMEM, "cannot read the command");
}

/* Bytes of the character at text, 0 when it is none. Source: RFC 3629. */
static size_t get_char_len(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, second_min, second_max;
		size_t len;
	} ranges[] = {
		{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i = 0;

	while (i < 9 && (text[0] < ranges[i].first || text[0] > ranges[i].last))
		i++;
	if (i == 9)
		return 0;
	if (ranges[i].len > 1 && (text[1] < ranges[i].second_min || text[1] > ranges[i].second_max))
		return 0;
	for (size_t at = 2; at < ranges[i].len; at++) {
		if ((text[at] & 0xc0) != 0x80)
			return 0;
	}
	return ranges[i].len;
}

static int check_utf8(const char *text, struct error *err)
{
	for (const char *at = text; *at;) {
		size_t len = get_char_len((const unsigned char *)at);

		if (len == 0)
			return error_set(err, EINVAL, "'%s' is not valid UTF-8", text);
		at += len;
	}
	return 0;
}

int command_make_text(const char *text, json_t **ret, struct error *err)
{
	json_t *value;
	int r = check_utf8(text, err);

	if (r < 0)
		return r;
	value = json_string(text);
	if (!value)
		return no_memory(err);
	*ret = value;
	return 0;
}

/* The object that holds the keys of that place, made when missing; NULL: no memory. */
static json_t *get_place(struct command *command, bool host)
{
	json_t *object;

	if (!command->config)
		command->config = json_object();
	if (!host)
		return command->config;
	object = json_object_get(command->config, HOST_CONFIG);
	if (!object && json_object_set_new(command->config, HOST_CONFIG, json_object()) == 0)
		object = json_object_get(command->config, HOST_CONFIG);
	return object;
}

int command_set_json(struct command *command, bool host, const char *key, json_t *value,
		     struct error *err)
{
	return json_object_set_new(get_place(command, host), key, value) < 0 ? no_memory(err) : 0;
}

int command_set_text(struct command *command, bool host, const char *key, const char *text,
		     struct error *err)
{
	json_t *value = NULL;
	int ret = command_make_text(text, &value, err);

	return ret < 0 ? ret : command_set_json(command, host, key, value, err);
}

/* The value of a key that is a list or an object, made empty when missing. */
static json_t *get_container(struct command *command, bool host, const char *key, bool list)
{
	json_t *place = get_place(command, host);
	json_t *value = json_object_get(place, key);

	if (value)
		return value;
	if (json_object_set_new(place, key, list ? json_array() : json_object()) < 0)
		return NULL;
	return json_object_get(place, key);
}

int command_append_json(struct command *command, bool host, const char *key, json_t *value,
			struct error *err)
{
	json_t *list = get_container(command, host, key, true);

	return json_array_append_new(list, value) < 0 ? no_memory(err) : 0;
}

int command_append_text(struct command *command, bool host, const char *key, const char *text,
			struct error *err)
{
	json_t *value = NULL;
	int ret = command_make_text(text, &value, err);

	return ret < 0 ? ret : command_append_json(command, host, key, value, err);
}

int command_set_member(struct command *command, bool host, const char *key, const char *member,
		       json_t *value, struct error *err)
{
	json_t *object = get_container(command, host, key, false);
	int ret = check_utf8(member, err);

	if (ret < 0) {
		json_decref(value);
		return ret;
	}
	return json_object_set_new(object, member, value) < 0 ? no_memory(err) : 0;
}

int command_get_member(struct command *command, bool host, const char *key, const char *member,
		       bool list, json_t **ret, struct error *err)
{
	json_t *object = get_container(command, host, key, false);
	json_t *value = json_object_get(object, member);
	int r;

	if (!object)
		return no_memory(err);
	if (!value) {
		value = list ? json_array() : json_object();
		r = command_set_member(command, host, key, member, value, err);
		if (r < 0)
			return r;
	}
	*ret = value;
	return 0;
}
