/* Memory that outlives the engine: numbered slots in a memfd that the holder
 * keeps.
 *
 * Each slot has a small head, mapped, so that a plain assignment is already
 * kept when the engine is killed at the next instruction, and a blob of any
 * length up to SLOTS_BLOB_MAX in the sparse part of the same file. A new mount
 * starts with new, empty memory. */
#ifndef FS_SLOTS_H
#define FS_SLOTS_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOTS_BLOB_MAX (16U << 20)
#define SLOTS_NONE UINT32_MAX

struct slots;

/* An empty memfd for slots_open(). Descriptor or -errno. */
int slots_new_memory(const char *name, struct error *err);
/* fd         borrowed for the life
 * head_size  bytes of one head, a multiple of 8, the same at every open
 * max        number of slots, the same at every open; used ones are found again */
int slots_open(int fd, size_t head_size, uint32_t max, struct slots **ret, struct error *err);
void slots_close(struct slots *slots); /* the memory stays */
DEFINE_AUTO(struct slots *, slots_close);

/* Thread-safe. A zeroed head, or SLOTS_NONE when all are taken. */
uint32_t slots_alloc(struct slots *slots);
/* Gives the blob's memory back (hole punched if it had more than a page). */
void slots_free(struct slots *slots, uint32_t slot);
/* The mapped head of a used slot; NULL for a number that is none or not used. */
void *slots_get_head(struct slots *slots, uint32_t slot);
/* The next used slot from `from` on, or SLOTS_NONE. */
uint32_t slots_find_next(struct slots *slots, uint32_t from);
/* 0 or -errno (-E2BIG). The blob is replaced whole or not at all, also when we
 * are killed in here. */
int slots_put_blob(struct slots *slots, uint32_t slot, const void *bytes, size_t len);
size_t slots_get_blob_len(struct slots *slots, uint32_t slot);
/* As pread(2) within the blob. */
ssize_t slots_read_blob(struct slots *slots, uint32_t slot, void *buf, size_t len, uint64_t offset);

#endif
