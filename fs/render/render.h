/* The texts of generated files and of the tables that commands reply with.
 * From immutable views to text: no locks, no I/O. A failed allocation is found by
 * strbuf_check() at the caller's end. Values from outside are escaped where they
 * enter a line; JSON is escaped by jansson.
 */
#ifndef FS_RENDER_RENDER_H
#define FS_RENDER_RENDER_H

#include "graph/graph.h"
#include "runtime/engine.h"

/* The facts of one engine that `info`, `version` show. */
struct render_info {
	const char *root, *run, *mnt, *registry;
	const char *cgroup_mode;
	pid_t pid, holder_pid;
	uint32_t engine_number; /* times that the serving process was started for this mount */
	bool seamless;          /* a killed engine is not noticed (Linux 6.9 or later) */
	int64_t mounted_ns;
	size_t containers, running, paused, images;
	const char *bridge;
	bool isolated;                /* containers do not reach each other */
	char subnet[64], subnet6[64]; /* "": no bridge is there now */
	bool forwards, forwards6;     /* the host passes packets on */
};

/* containers/X/status, INTERFACE section 6: 'Key:<tab>value' lines in that order. Image is as the user wrote it. */
void render_status(const struct container_view *view, struct strbuf *out);
/* containers/X/exec/Y/status: those of a container's that it has, and Command. */
void render_exec_status(const struct container_view *view, struct strbuf *out);
/* Where files are that an object's text names. */
struct render_places {
	const char *run, *mnt;
};
/* containers/X/inspect: one indented JSON object with Docker's field names (Id, Created, Path, Args, State{...},
 * Image, Name without a slash, RestartCount, HostConfig, Config, NetworkSettings...). */
void render_inspect(const struct container_view *view, const struct render_places *places,
		    struct strbuf *out);
/* containers/X/net: 'Key:<tab>value' lines of mode and addresses, then a line for each port, '80/tcp -> 0.0.0.0:8080'
 * (no arrow: exposed only), then one for each link. Of one that does not run, what is configured (port 0: any free one). */
void render_net(const struct container_view *view, struct strbuf *out);
/* Docker's port: a line '80/tcp -> 0.0.0.0:8080' for each port that is published, or of one ("80/tcp") where it
 * is, '0.0.0.0:8080'. False: none is. */
bool render_append_port(const struct container_view *view, const char *port, struct strbuf *out);
/* containers/X/config: what was asked for, indented. */
void render_config(const struct container_view *view, struct strbuf *out);
void render_image_inspect(const struct image *image, const struct graph_snapshot *snapshot,
			  struct strbuf *out);
/* Newest first; `docker history` columns IMAGE CREATED "CREATED BY" SIZE COMMENT; quiet: ids only. */
void render_history(const struct image *image, bool quiet, bool no_trunc, int64_t now_ns,
		    struct strbuf *out);
void render_image_tags(const struct image *image, const struct graph_snapshot *snapshot,
		       struct strbuf *out); /* one a line, sorted */
void render_image_layers(const struct image *image,
			 struct strbuf *out); /* diff ids, lowest first, "sha256:..." */

struct render_ps_options {
	bool all, quiet, latest, no_trunc, size;
	int64_t limit; /* -1: none */
	char *const *
		filters; /* "status=running", "name=", "id=", "ancestor=", "label=K[=V]", "exited=N"; or NULL */
	const char *format; /* "{{.ID}}\t{{.Names}}" with Docker's column names, "json", or NULL */
	/* Bytes that the container itself wrote and with its image's: for SIZE. NULL: not known here, shown
	 * as "N/A". False: not known for this one. */
	bool (*get_sizes)(void *arg, const struct container_view *view, int64_t *ret_own,
			  int64_t *ret_all);
	void *arg;
};
/* Docker's table: CONTAINER ID, IMAGE, COMMAND, CREATED, STATUS, PORTS, NAMES. The file `ps` is all=true.
 * Columns of a format: ID Image Command CreatedAt RunningFor Status Ports Names State Size Labels; "json" or
 * "{{json .}}" is an object a line; "table " in front aligns and adds headings; \t and \n are read.
 * Filters of one key are alternatives (labels must all be there), keys add up; status and exited look at
 * all containers. -EINVAL on a bad filter or format; -ENOMEM. */
int render_ps(const struct container_list *list, const struct render_ps_options *options,
	      int64_t now_ns, struct strbuf *out, struct error *err);

/* One line of `stats`. */
struct render_stats_row {
	const struct container_view *view;
	bool is_alive; /* else no number is shown */
	struct container_stats stats;
	/* The look before: processor time then, and how long ago it was. */
	uint64_t first_cpu_ns;
	int64_t first_ns, passed_ns;
};
struct render_stats_options {
	bool no_trunc;
	const char *format; /* as of render_ps_options, or NULL */
};
/* docker stats --no-stream: CONTAINER ID, NAME, CPU %, MEM USAGE / LIMIT, MEM %, NET I/O, BLOCK I/O, PIDS.
 * -EINVAL: a bad format; -ENOMEM. */
int render_stats(const struct render_stats_row *rows, size_t count,
		 const struct render_stats_options *options, struct strbuf *out, struct error *err);

struct image_filter;
struct render_images_options {
	bool all, quiet, no_trunc, digests;
	const char *pattern;               /* glob over repository[:tag], or NULL */
	const struct image_filter *filter; /* or NULL */
	/* "{{.Repository}}:{{.Tag}}" with Docker's column names (see render_ps()), or NULL */
	const char *format;
};
/* REPOSITORY TAG "IMAGE ID" CREATED SIZE; newest first, then by tag. -EINVAL on a bad format; -ENOMEM. */
int render_images(const struct graph_snapshot *snapshot,
		  const struct render_images_options *options, int64_t now_ns, struct strbuf *out,
		  struct error *err);

void render_info(const struct render_info *info, struct strbuf *out);
void render_version(struct strbuf *out);

#endif
