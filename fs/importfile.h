/* Names of images that are being written. */
#ifndef FS_IMPORTFILE_H
#define FS_IMPORTFILE_H

#include <stdbool.h>

struct imports;

/* Is an image of this full name being written? */
bool imports_has(struct imports *imports, const char *path);

#endif
