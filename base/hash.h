/* uthash, told not to end the process when there is no memory for a table.
 *
 * After HASH_ADD an entry is in the table, or nothing has changed and hash_took() is
 * false: the caller frees the entry and fails. Source: uthash's user guide, "Out of
 * memory".
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Is this entry, with its handle hh, in its table? Only after HASH_ADD. */
#define hash_took(entry) ((entry)->hh.tbl != NULL)

#endif
