/* Tar archives made by hand, block by block, so that a test says exactly what is in
 * them; and an import of bytes in one call.
 */
#ifndef TESTS_GRAPH_TAR_MAKER_H
#define TESTS_GRAPH_TAR_MAKER_H

#include "base/strbuf.h"
#include "graph/graph.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define TAR_BLOCK 512

/* Digits in front of a NUL that is there already. */
static inline void tar_octal(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

/* A ustar header; name may be 100 bytes long. */
static inline void tar_header(struct strbuf *tar, char type, const char *name, unsigned mode,
			      const char *link, uint64_t size)
{
	char block[TAR_BLOCK] = { 0 };
	unsigned sum = 0;

	memcpy(block, name, strlen(name) < 100 ? strlen(name) : 100);
	tar_octal(block + 100, 8, mode);
	tar_octal(block + 108, 8, 12);
	tar_octal(block + 116, 8, 34);
	tar_octal(block + 124, 12, size);
	tar_octal(block + 136, 12, 1700000000);
	memset(block + 148, ' ', 8);
	block[156] = type;
	if (link)
		memcpy(block + 157, link, strnlen(link, 100));
	memcpy(block + 257,
	       "ustar\0"
	       "00",
	       8);
	tar_octal(block + 329, 8, 0);
	tar_octal(block + 337, 8, 0);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)block[i];
	block[154] = 0;
	tar_octal(block + 148, 7, sum);
	strbuf_append(tar, block, TAR_BLOCK);
}

static inline void tar_data(struct strbuf *tar, const void *data, size_t len)
{
	static const char zeros[TAR_BLOCK];
	strbuf_append(tar, data, len);
	strbuf_append(tar, zeros, (TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK);
}

static inline void tar_file(struct strbuf *tar, const char *name, const char *text)
{
	tar_header(tar, '0', name, 0644, NULL, strlen(text));
	tar_data(tar, text, strlen(text));
}

static inline void tar_dir(struct strbuf *tar, const char *name)
{
	tar_header(tar, '5', name, 0755, NULL, 0);
}

/* A pax header with one record for the entry that follows; value may hold any
 * byte. */
static inline void tar_pax(struct strbuf *tar, const char *key, const void *value, size_t len)
{
	AUTO(strbuf_deinit) struct strbuf record = STRBUF_INIT;
	size_t fixed = strlen(key) + len + 3; /* blank, '=', newline */
	size_t total = fixed + 1;
	char digits[24];

	while (fixed + (size_t)snprintf(digits, sizeof(digits), "%zu", total) != total)
		total = fixed + strlen(digits);
	strbuf_appendf(&record, "%zu %s=", total, key);
	strbuf_append(&record, value, len);
	strbuf_append_char(&record, '\n');
	tar_header(tar, 'x', "pax", 0644, NULL, record.len);
	tar_data(tar, record.data, record.len);
}

static inline void tar_end(struct strbuf *tar)
{
	static const char zeros[2 * TAR_BLOCK];
	strbuf_append(tar, zeros, sizeof(zeros));
}

/* Import bytes in writes of step. 0 or the first failure. */
static inline int import_bytes(struct graph *graph, const char *name, const void *bytes, size_t len,
			       size_t step, char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct import *import;
	int ret = graph_import_begin(graph, name, &import, err);
	if (ret < 0)
		return ret;
	for (size_t at = 0; at < len; at += step) {
		size_t part = len - at < step ? len - at : step;
		ret = graph_import_write(import, at, (const char *)bytes + at, part, err);
		if (ret < 0) {
			graph_import_abort(import);
			return ret;
		}
	}
	return graph_import_finish(import, false, NULL, ret_id, err);
}

static inline int import_tar(struct graph *graph, const char *name, const struct strbuf *tar,
			     char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	return import_bytes(graph, name, tar->data, tar->len, 100000, ret_id, err);
}

#endif
