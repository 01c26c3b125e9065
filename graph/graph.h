/* The image store: images by digest, layers unpacked once, tags, and the
 * import of archives while they are being written.
 *
 * Readers take an immutable snapshot and never wait. What changes the store
 * does its disk work without a lock that a reader could want, is durable when
 * it returns, and writes its intent down first, so that graph_open() can sweep
 * what a crash left half made.
 *
 * On disk, under ROOT/images: blobs/sha256/<digest> (layers as they came,
 * configs, manifests), layers/<diff id>/ (unpacked, whiteouts in overlay form),
 * refs.json (tags and known images), tmp/ (imports under way; emptied at open).
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/json.h"
#include "graph/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GRAPH_ID_SIZE 65    /* 64 hexadecimal digits and a NUL */
#define GRAPH_NAME_SIZE 512 /* longest tag name with its NUL: Docker allows 255 + 1 + 128 */

struct graph;

/* One image; immutable after publication. */
struct image {
	atomic_int refs;
	char id[GRAPH_ID_SIZE]; /* sha256 of the config blob */
	json_t *config;         /* the OCI image config; read only, borrow while the ref is held */
	char *config_text;      /* the blob itself, byte for byte, NUL-terminated */
	size_t config_len;
	json_t *manifest;    /* OCI image manifest: digests and sizes of the blobs */
	char *manifest_text; /* the blob itself, as config_text */
	size_t manifest_len;
	size_t layer_count;
	char (*diff_ids)[GRAPH_ID_SIZE]; /* lowest first, hex without "sha256:" */
	int64_t *layer_sizes;            /* unpacked, in the same order; size_bytes is their sum */
	int64_t size_bytes;              /* unpacked content, bytes of regular files */
	int64_t created_ns;              /* from the config; 0 when it has none */
	int64_t arrived_ns;              /* when it came into this store */
};

struct image *image_ref(struct image *image);
/* The digest of its manifest, 64 digits: what registries know it by. Borrowed. */
const char *image_get_manifest_digest(const struct image *image);
void image_unref(struct image *image);
DEFINE_AUTO(struct image *, image_unref);

struct tag {
	char *name; /* as listed: always with ":tag" */
	struct image *image;
	int64_t set_ns;
};

/* Directories made by mkdir under images/ that hold no tag yet ("team"), and
 * those that tags imply, are the caller's to derive; only the empty ones are here. */
struct graph_snapshot {
	atomic_int refs;
	size_t image_count;
	struct image **images; /* newest arrival first */
	size_t tag_count;
	struct tag *tags; /* sorted by bytes of name */
	/* What registries call images by: "REPOSITORY@sha256:DIGITS", since a pull or push; sorted. */
	size_t digest_count;
	struct tag *digests;
	size_t folder_count;
	char **folders; /* "team", "localhost:5000/team"; sorted; made by graph_make_folder */
};

struct graph_snapshot *graph_get_snapshot(struct graph *graph); /* a reference, never NULL */
void graph_snapshot_unref(struct graph_snapshot *snapshot);
DEFINE_AUTO(struct graph_snapshot *, graph_snapshot_unref);

struct graph_options {
	const char *root;            /* ROOT/images, made when missing (0700) */
	const struct limits *limits; /* of what comes in; NULL: LIMITS_INIT; copied */
	/* Called (never with a lock of the graph held) after each published change:
	 * action is "tag", "untag", "import", "delete"; name is the tag or "". */
	void (*on_change)(void *arg, const char *action, const char *image_id, const char *name);
	/* Who uses an image besides its tags? NULL, or the name of a container (borrowed
	 * until the next call on this thread). Called without locks of the graph. */
	const char *(*find_user)(void *arg, const char *image_id);
	void *arg;
};

/* Open the store, sweep what was half made. 0 or -errno with a sentence. */
int graph_open(const struct graph_options *options, struct graph **ret, struct error *err);
void graph_close(struct graph *graph);

/* --- references ---------------------------------------------------------- */

/* A tag name as a user writes it, made canonical: ":latest" added when there is
 * no tag (split from the right: "localhost:5000/a" has none). -EINVAL with a
 * sentence when the grammar does not allow it (Docker's reference grammar: lower-case
 * path components, tag [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}; a first component
 * "sha256" is refused; a name of 12 or 64 hexadecimal digits alone is refused),
 * -ENAMETOOLONG. */
int graph_parse_name(const char *text, char ret_name[GRAPH_NAME_SIZE], struct error *err);
/* The same, or "NAME[:TAG]@sha256:DIGITS", whose canonical form is "NAME@sha256:DIGITS": of a name with a digest
 * the tag says nothing. */
int graph_parse_reference(const char *text, char ret_name[GRAPH_NAME_SIZE], struct error *err);

/* Find an image by tag name ("a", "a:1"), what a registry calls it ("a@sha256:..."), "sha256:" + digits,
 * full id, 12 digits or a unique prefix of 4 digits or more (names come first). A new reference.
 * NULL and -ENOENT "no such image: X", or -EINVAL when the prefix is ambiguous. */
struct image *graph_find_image(struct graph *graph, const char *ref, struct error *err);

/* --- changes (may block: worker threads only) ---------------------------- */

/* Point a tag (canonical or not) at an image. -EEXIST when it is taken by
 * another image and !force; already pointing there is success. */
int graph_tag(struct graph *graph, struct image *image, const char *name, bool force,
	      struct error *err);
/* From now on a registry calls the image so: "NAME@sha256:DIGITS", canonical. Nothing is reported.
 * -ENOENT when the image has gone meanwhile. */
int graph_note_digest(struct graph *graph, struct image *image, const char *name,
		      struct error *err);
/* Remove a tag, or what a registry calls an image. The last tag of an image removes the image as well, and so
 * does the last digest of one without a tag, unless a
 * container uses it: then -EBUSY and nothing changes. *ret_deleted (may be NULL).
 * The digests of a repository go with the image's last tag in it. */
int graph_untag(struct graph *graph, const char *name, bool *ret_deleted, struct error *err);
/* Rename a tag, replacing a taken one (whose image stays) unless noreplace (-EEXIST). */
int graph_retag(struct graph *graph, const char *from, const char *to, bool noreplace,
		struct error *err);
/* Remove an image by id along with its one tag; -EBUSY with several tags (unless
 * force: all go) or a user. Layers and blobs that nothing else needs go too. */
int graph_remove_image(struct graph *graph, const char *id, bool force, struct error *err);
/* mkdir/rmdir of a folder of names; the folder disappears with its last tag.
 * -EEXIST, -EINVAL, -ENOTEMPTY, -ENOENT. Cheap. */
int graph_make_folder(struct graph *graph, const char *path, struct error *err);
int graph_remove_folder(struct graph *graph, const char *path, struct error *err);

/* --- import -------------------------------------------------------------- */

struct import;

/* Begin an import: any compression that libarchive reads, around a root file
 * system tar, an OCI image layout or what docker save writes, told apart by content.
 *
 * name  the tag that it gets, or NULL for none; -EINVAL now when it is bad
 * progress bytes are unpacked while they arrive; nothing is visible before finish. */
int graph_import_begin(struct graph *graph, const char *name, struct import **ret,
		       struct error *err);
/* The same of an archive of images, which get the names that it has for them. A root file
 * system is -EINVAL.
 *
 * platform  "os/arch[/variant]", borrowed while the load lives: -ENOENT at its end when an image is for
 *           another; NULL: of several this machine's is taken, one alone whatever it is */
int graph_load_begin(struct graph *graph, const char *platform, struct import **ret,
		     struct error *err);
/* What a user says of the image that a root file system becomes. */
struct import_text {
	/* The comment of its history; NULL: the one of graph_import_finish(). */
	const char *message;
	/* Of its configuration, as graph/change/change_config.h has them; NULL: none. */
	char *const *changes;
	/* "os/arch[/variant]" that it is for; NULL: this machine's. */
	const char *platform;
};
/* Before the first byte; message is borrowed while the import lives. Where anything is said, an archive of images is
 * -EINVAL: it has its own. -EINVAL now when a change or the platform is bad. */
int graph_import_describe(struct import *import, const struct import_text *text, struct error *err);
/* Asked now and then by what takes long at the import's end: -EINTR. */
void graph_import_set_cancel(struct import *import, bool (*is_cancelled)(void *arg), void *arg);
/* Take the next bytes at offset. Sequential; a hole ahead reads as zeros, going
 * back is -EINVAL. Blocks while the unpacker is behind (bounded buffer). An error
 * found by the unpacker is returned by the next write (and by finish). */
int graph_import_write(struct import *import, uint64_t offset, const void *bytes, size_t len,
		       struct error *err);
/* ftruncate on the file: size beyond the bytes so far adds zeros, below is -EINVAL. */
int graph_import_truncate(struct import *import, uint64_t size_bytes, struct error *err);
/* All is here: check, publish, tag. replace: move a taken tag, else -EEXIST.
 * message goes into the history as its comment (NULL: "Imported from -") unless another was described; an
 * archive of images has its own, and must hold one.
 * The import is freed in every case; on failure nothing is left. */
int graph_import_finish(struct import *import, bool replace, const char *message,
			char ret_id[GRAPH_ID_SIZE], struct error *err);
/* The same of a load: taken tags are moved. The images' ids, one a line, are appended. */
int graph_load_finish(struct import *import, struct strbuf *ret_ids, struct error *err);
/* Give up: nothing is left. NULL is fine. Blocks until the unpacker has stopped. */
void graph_import_abort(struct import *import);

/* --- what containers and views need -------------------------------------- */

/* O_PATH descriptor of ROOT/images/layers (borrowed, valid until close). The
 * layer with diff id D is the directory D in it. */
int graph_get_layers_fd(struct graph *graph);

#endif
