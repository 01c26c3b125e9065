/* What the parts of the command parser share. Private to command*.c. */
#ifndef FS_COMMAND_COMMAND_PRIVATE_H
#define FS_COMMAND_COMMAND_PRIVATE_H

#include "fs/command/command.h"
#include "fs/options.h"

/* One command being parsed: its row, its words without options, its result. */
struct verb_row;
struct parse {
	const struct verb_row *row;
	const char *container; /* as given to command_parse() */
	char *const *operands; /* NULL-terminated */
	size_t count;
	struct command *command;
};

/* A row of the one table of verbs. */
struct verb_row {
	enum verb verb;
	const char *name;
	const char *usage;      /* words behind the name in MNT/ctl; NULL: only in a container's */
	const char *usage_here; /* the same in a container's ctl; NULL: not about one container */
	const char *summary;
	const struct option_table *options;
	bool options_first; /* what follows the first operand is not ours */
	bool has_config;    /* the options make a patch */
	bool interruptible;
	int (*take_operands)(const struct parse *p, struct error *err);
};

/* command.c: the row of a word, NULL: none; a command by its row; its usage. */
const struct verb_row *command_find_row(const char *name);
int command_parse_row(const struct verb_row *row, const struct words *words, const char *container,
		      struct command *ret, struct error *err);
void command_render_row(const struct verb_row *row, bool in_container, struct strbuf *out);

/* command_commit.c */
extern const struct option_table command_commit_options;
int command_take_commit(const struct parse *p, struct error *err);

/* command_exec.c */
int command_take_exec(const struct parse *p, struct error *err);

/* command_run.c */
extern const struct option_table command_exec_options;
extern const struct option_table command_exec_run_options;
extern const struct option_table command_create_options;
extern const struct option_table command_run_options;
extern const struct option_table command_update_options;
int command_take_create(const struct parse *p, struct error *err);
int command_take_update(const struct parse *p, struct error *err);

/* command_json.c: putting text into a configuration. All take 0 or -EINVAL/-ENOMEM. */
/* Give value (taken over; NULL: no memory) to a key. */
int command_set_json(struct command *command, bool host, const char *key, json_t *value,
		     struct error *err);
int command_set_text(struct command *command, bool host, const char *key, const char *text,
		     struct error *err);
int command_append_text(struct command *command, bool host, const char *key, const char *text,
			struct error *err);
/* Give value (taken over) to a member of a key that is an object. */
int command_set_member(struct command *command, bool host, const char *key, const char *member,
		       json_t *value, struct error *err);
/* That member itself, a list or an object, made empty when missing; borrowed. */
int command_get_member(struct command *command, bool host, const char *key, const char *member,
		       bool list, json_t **ret, struct error *err);
/* Append value (taken over) to a key that is a list. */
int command_append_json(struct command *command, bool host, const char *key, json_t *value,
			struct error *err);
/* A JSON string; -EINVAL when the bytes are not UTF-8. */
int command_make_text(const char *text, json_t **ret, struct error *err);

/* command_values.c: options whose value has a grammar of its own. For struct option_spec. */
int command_take_publish(void *target, const struct option_spec *spec, const char *value,
			 struct error *err);
int command_take_expose(void *target, const struct option_spec *spec, const char *value,
			struct error *err);
int command_take_mount(void *target, const struct option_spec *spec, const char *value,
		       struct error *err);
int command_take_ulimit(void *target, const struct option_spec *spec, const char *value,
			struct error *err);
int command_take_device(void *target, const struct option_spec *spec, const char *value,
			struct error *err);
int command_take_restart_policy(void *target, const struct option_spec *spec, const char *value,
				struct error *err);

/* command_import.c */
extern const struct option_table command_import_options;
extern const struct option_table command_load_options;
int command_take_import(const struct parse *p, struct error *err);
int command_take_load(const struct parse *p, struct error *err);

/* command_registry.c */
extern const struct option_table command_login_options;
extern const struct option_table command_pull_options;
extern const struct option_table command_push_options;
int command_take_login(const struct parse *p, struct error *err);
int command_take_logout(const struct parse *p, struct error *err);
int command_take_transfer(const struct parse *p, struct error *err); /* pull, push */
void command_deinit_login(struct command *command); /* its strings; wipes the password */

/* command_args.c */
extern const struct option_table command_no_options;
extern const struct option_table command_history_options;
extern const struct option_table command_images_options;
extern const struct option_table command_inspect_options;
extern const struct option_table command_kill_options;
extern const struct option_table command_prune_options;
extern const struct option_table command_ps_options;
extern const struct option_table command_stats_options;
extern const struct option_table command_rm_options;
extern const struct option_table command_rmi_options;
extern const struct option_table command_stop_options;
extern const struct option_table command_tag_options;
/* Between min and max words; what is missing is called by its name. */
int command_check_count(const struct parse *p, size_t min, size_t max, const char *missing,
			struct error *err);
/* A copy of the word at index, for a member of the command. */
int command_copy_word(const struct parse *p, size_t index, char **member, struct error *err);
/* The first `count` words are the targets. */
int command_copy_targets(const struct parse *p, size_t count, struct error *err);
int command_take_none(const struct parse *p, struct error *err);
int command_take_targets(const struct parse *p, struct error *err);
int command_take_one(const struct parse *p, struct error *err);  /* exactly one name */
int command_take_some(const struct parse *p, struct error *err); /* any number of names */
int command_take_stop(const struct parse *p, struct error *err);
int command_take_kill(const struct parse *p, struct error *err);
int command_take_rename(const struct parse *p, struct error *err);
int command_take_port(const struct parse *p, struct error *err);
int command_take_tag(const struct parse *p, struct error *err);
int command_take_history(const struct parse *p, struct error *err);
int command_take_images(const struct parse *p, struct error *err);
int command_take_resize(const struct parse *p, struct error *err);
/* For struct option_spec: a bool or a string of the command at spec->offset. */
int command_take_flag(void *target, const struct option_spec *spec, const char *value,
		      struct error *err);
int command_take_string(void *target, const struct option_spec *spec, const char *value,
			struct error *err);
/* One more of a list, NULL-terminated or NULL. */
int command_take_word(void *target, const struct option_spec *spec, const char *value,
		      struct error *err);
/* -EINVAL with the usage: "no image given; usage: run ..." */
int command_refuse_usage(const struct parse *p, const char *what, struct error *err);

#endif
