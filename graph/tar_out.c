/* Facts of libarchive 3.6 that shaped this:
 * - It converts names from the locale's character set, and calls what cannot be converted
 *   "hdrcharset=BINARY", at which GNU tar warns. So the thread runs in a UTF-8 locale: then it
 *   happens to names only that are no UTF-8.
 * - Extended attributes are written twice unless told otherwise; everybody reads SCHILY's.
 * - Of a sparse file it wants all bytes, and leaves the holes out itself.
 * - It writes seconds and the fraction one behind the other, also of times before 1970, which
 *   are a negative whole: a quarter before -3 is -4 and 0.75 in a struct timespec.
 * - archive_errno() may be -1, so a failure of the output is kept here.
 * - An archive that has failed, by archive_write_fail() too, leaves its buffers behind when it is freed.
 *   So it hears of no failure of the output before it is given up: then the output fails, so that the
 *   end which the free would write goes nowhere.
 */
#include "graph/tar_out.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdlib.h>

#define BLOCK_BYTES 65536
/* What tar pads an archive to. */
#define LAST_BLOCK_BYTES 10240

struct tar_out {
	struct archive *archive;
	locale_t locale, before;
	int (*write)(void *arg, const void *bytes, size_t len);
	void *arg;
	int failure; /* of write, negative */
	bool given_up;
};

static la_ssize_t pass_on(struct archive *archive, void *arg, const void *bytes, size_t len)
{
	struct tar_out *out = arg;

	if (out->given_up) {
		archive_set_error(archive, ECANCELED, "a half archive has no end");
		return -1;
	}
	if (out->failure == 0)
		out->failure = out->write(out->arg, bytes, len);
	return (la_ssize_t)len;
}

void tar_out_free(struct tar_out *out)
{
	if (!out)
		return;
	out->given_up = true;
	if (out->archive)
		archive_write_free(out->archive);
	if (out->locale) {
		uselocale(out->before);
		freelocale(out->locale);
	}
	free(out);
}

struct tar_out *tar_out_new(int (*write)(void *arg, const void *bytes, size_t len), void *arg)
{
	AUTO(tar_out_free) struct tar_out *out = calloc(1, sizeof(*out));

	if (!out)
		return NULL;
	out->write = write;
	out->arg = arg;
	out->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	out->archive = archive_write_new();
	if (!out->locale || !out->archive)
		return NULL;
	out->before = uselocale(out->locale);
	archive_write_set_format_pax(out->archive);
	archive_write_set_options(out->archive, "pax:xattrheader=SCHILY");
	archive_write_set_bytes_per_block(out->archive, BLOCK_BYTES);
	archive_write_set_bytes_in_last_block(out->archive, LAST_BLOCK_BYTES);
	if (archive_write_open(out->archive, out, NULL, pass_on, NULL) != ARCHIVE_OK)
		return NULL;
	return steal_ptr(&out);
}

/* Warnings are about character sets. */
static int check(struct tar_out *out, la_ssize_t ret, struct error *err)
{
	const char *text = archive_error_string(out->archive);

	if (out->failure < 0)
		return out->failure;
	if (ret >= 0 || ret == ARCHIVE_WARN)
		return 0;
	return error_set(err, EIO, "cannot write the archive: %s", text ? text : "unknown error");
}

/* Within the last second of 1969 there would have to be a "-0": that loses its fraction. */
static void put_time(struct archive_entry *entry, const struct timespec *time)
{
	if (time->tv_sec < -1 && time->tv_nsec > 0)
		archive_entry_set_mtime(entry, time->tv_sec + 1, 1000000000 - time->tv_nsec);
	else
		archive_entry_set_mtime(entry, time->tv_sec, time->tv_sec < 0 ? 0 : time->tv_nsec);
}

static void put_attributes(struct archive_entry *entry, const struct tar_entry *from)
{
	archive_entry_copy_stat(entry, &from->st);
	put_time(entry, &from->st.st_mtim);
	/* They say when somebody looked, and when it was copied. */
	archive_entry_unset_atime(entry);
	archive_entry_unset_ctime(entry);
	archive_entry_copy_pathname(entry, from->path);
	if (from->link)
		archive_entry_copy_symlink(entry, from->link);
	if (from->hard_link)
		archive_entry_copy_hardlink(entry, from->hard_link);
	if (from->hard_link || !S_ISREG(from->st.st_mode))
		archive_entry_set_size(entry, 0);
	for (size_t i = 0; i < from->xattr_count; i++)
		archive_entry_xattr_add_entry(entry, from->xattrs[i].name, from->xattrs[i].value,
					      from->xattrs[i].len);
	for (size_t i = 0; i < from->extent_count; i++)
		archive_entry_sparse_add_entry(entry, from->extents[i].offset,
					       from->extents[i].len);
}

int tar_out_add(struct tar_out *out, const struct tar_entry *entry, struct error *err)
{
	struct archive_entry *made = archive_entry_new();
	int ret;

	if (!made)
		return error_set_sys(err, ENOMEM, "cannot write the archive");
	put_attributes(made, entry);
	ret = archive_write_header(out->archive, made);
	archive_entry_free(made);
	return check(out, ret, err);
}

int tar_out_write(struct tar_out *out, const void *bytes, size_t len, struct error *err)
{
	return check(out, archive_write_data(out->archive, bytes, len), err);
}

int tar_out_finish(struct tar_out *out, struct error *err)
{
	return check(out, archive_write_close(out->archive), err);
}

/* --- one header ---------------------------------------------------------------- */

struct header {
	struct strbuf *text;
	bool is_whole; /* it has no content, and no end */
};

static la_ssize_t append(struct archive *archive, void *arg, const void *bytes, size_t len)
{
	struct header *header = arg;

	if (header->is_whole) {
		archive_set_error(archive, ECANCELED, "nothing follows a header");
		return -1;
	}
	strbuf_append(header->text, bytes, len);
	return (la_ssize_t)len;
}

static int render(struct archive *archive, struct archive_entry *made, struct header *header,
		  struct error *err)
{
	const char *text;

	archive_write_set_format_pax_restricted(archive);
	archive_write_set_bytes_per_block(archive, 0); /* nothing is held back */
	if (archive_write_open(archive, header, NULL, append, NULL) == ARCHIVE_OK &&
	    archive_write_header(archive, made) == ARCHIVE_OK)
		return strbuf_check(header->text, err);
	text = archive_error_string(archive);
	return error_set(err, EIO, "cannot make an archive: %s", text ? text : "unknown error");
}

int tar_out_render_header(const struct tar_entry *entry, struct strbuf *ret, struct error *err)
{
	struct archive *archive = archive_write_new();
	struct archive_entry *made = archive_entry_new();
	struct header header = { .text = ret };
	int r;

	if (!archive || !made) {
		r = error_set_sys(err, ENOMEM, "cannot make an archive");
	} else {
		put_attributes(made, entry);
		r = render(archive, made, &header, err);
		header.is_whole = true;
	}
	if (archive)
		archive_write_free(archive);
	archive_entry_free(made);
	return r;
}
