/* What the files of change_config.h share. Private to them. */
#ifndef GRAPH_CHANGE_CHANGE_PRIVATE_H
#define GRAPH_CHANGE_CHANGE_PRIVATE_H

#include "graph/change/change_config.h"

struct change {
	json_t *config; /* a private copy */
	bool has_cmd;   /* a change has set it */
};

int change_no_memory(struct error *err);
/* Takes value; NULL: no memory. */
int change_set(json_t *object, const char *key, json_t *value, struct error *err);
/* A copy of all, or NULL: jansson's own loses members in silence when memory runs out. */
json_t *change_copy(const json_t *config);
/* The object or list of that name, made when missing; borrowed, NULL: no memory. */
json_t *change_get_member(json_t *config, const char *key, bool is_list);
/* Takes value; NULL: no memory. */
int change_set_member(json_t *config, const char *key, const char *name, json_t *value,
		      struct error *err);
/* What the len bytes of text say, instead of what is in out. */
int change_expand(const json_t *config, const char *text, size_t len, struct strbuf *out,
		  struct error *err);
/* A list of strings in JSON: 1; 0: it is something else, a line of words. */
int change_parse_list(const char *line, json_t **ret, struct error *err);

/* change_sets.c: instructions. line: behind the name and blanks, not empty. */
int change_apply_env(struct change *change, const char *line, struct error *err);
int change_apply_label(struct change *change, const char *line, struct error *err);
int change_apply_expose(struct change *change, const char *line, struct error *err);
int change_apply_volume(struct change *change, const char *line, struct error *err);

#endif
