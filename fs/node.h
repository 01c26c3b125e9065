/* Node numbers: computed from what they name, never counted, so that an engine that
 * has just started understands a number it never gave out.
 *
 *   bits 63..28  key     which object: 36 bits of a container's or image's id, or a hash of a name
 *   bits 27..8   serial  which lookup: a control file gets a new number for each, for the kernel holds a
 *                        node's lock for a whole WRITE; 0 for directories, links and inode numbers
 *   bits  7..0   kind    which row of the tree's table
 *
 * The root is key 0, serial 0, kind 1: FUSE_ROOT_ID.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <stdint.h>

enum node_kind {
	NODE_NONE,
	NODE_ROOT, /* must be 1 */
	NODE_CTL,
	NODE_HELP,
	NODE_ERROR,
	NODE_EVENTS,
	NODE_INFO,
	NODE_VERSION,
	NODE_PS,
	NODE_CONTAINERS,
	NODE_CONTAINER,
	NODE_CONTAINER_LINK12, /* containers/<12 digits> -> name */
	NODE_CONTAINER_LINK64,
	NODE_C_CONFIG,
	NODE_C_CTL,
	NODE_C_STATUS,
	NODE_C_INSPECT,
	NODE_C_STDIN,
	NODE_C_LOGS,
	NODE_C_STDOUT,
	NODE_C_STDERR,
	NODE_C_LOGS_JSON,
	NODE_C_FOLLOW,
	NODE_C_ATTACH,
	NODE_C_WAIT,
	NODE_C_ROOTFS,
	NODE_C_ROOT,
	NODE_C_CHANGES,
	NODE_C_EXPORT,
	NODE_C_TOP,
	NODE_C_STATS,
	NODE_C_NET,
	NODE_C_EXEC, /* containers/NAME/exec: the container's key, */
	NODE_EXEC,   /* and an entry in it: its own */
	NODE_X_CTL,
	NODE_X_STATUS,
	NODE_X_STDIN,
	NODE_X_STDOUT,
	NODE_X_STDERR,
	NODE_X_FOLLOW,
	NODE_X_ATTACH,
	NODE_X_WAIT,
	NODE_IMAGES,
	NODE_FOLDER, /* images/team */
	NODE_TAG,
	NODE_TEMP_LINK, /* a link made under a name that is no tag, before it is renamed (ln -f) */
	NODE_IMPORT,    /* an import being written */
	NODE_SHA256,
	NODE_IMAGE,
	NODE_IMAGE_LINK64,
	NODE_I_CONFIG,
	NODE_I_MANIFEST,
	NODE_I_HISTORY,
	NODE_I_LAYERS,
	NODE_I_SIZE,
	NODE_I_TAGS,
	NODE_I_ARCHIVE,
	NODE_I_ROOTFS,
	NODE_VOLUMES,
	NODE_VOLUME, /* volumes/NAME in a listing, and its inode number */
	NODE_INSIDE, /* a volume's directory and all below it: fs/volfs/volfs.h */
	NODE_KIND_COUNT
};

#define NODE_KEY_BITS 36
#define NODE_SERIAL_MAX ((1U << 20) - 1)

static inline uint64_t node_make(enum node_kind kind, uint64_t key, uint32_t serial)
{
	return key << 28 | (uint64_t)(serial & NODE_SERIAL_MAX) << 8 | (uint64_t)kind;
}

static inline enum node_kind node_get_kind(uint64_t node)
{
	unsigned kind = (unsigned)(node & 0xff);

	return kind < NODE_KIND_COUNT ? (enum node_kind)kind : NODE_NONE;
}

static inline uint64_t node_get_key(uint64_t node)
{
	return node >> 28;
}

/* What stat shows: the same for every lookup of one file. */
static inline uint64_t node_get_ino(uint64_t node)
{
	return node & ~((uint64_t)NODE_SERIAL_MAX << 8);
}

/* The key of something known by its name (a tag, a folder). FNV-1a, folded to 36 bits. */
uint64_t node_hash_name(const char *name);
/* The key of an image or container: the first 9 digits of its id. */
uint64_t node_key_of_id(const char *id);

#endif
