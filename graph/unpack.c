/* libarchive's reader, and the only file that sees it. Two readers are stacked:
 *
 *     source -> decoder (format "raw", all filters; gzip is our own) -> tar bytes
 *     -> tar reader (format tar alone) -> layer.h
 *
 * What is compressed is decoded, and hashed for the diff id, on a thread of its own.
 *
 * Facts of libarchive 3.6 that shaped this:
 * - Its gzip filter does not verify checksums (see gunzip.c); filters that run a
 *   program (lzop, lrzip, grzip) are not enabled: the engine never forks.
 * - Names of pax headers are converted to the locale's character set and, in a
 *   UTF-8 one, normalised: another name than the archive's. When a conversion fails
 *   the bytes are taken as they are, with a warning. So the thread runs in the C
 *   locale here, where each name that is not ASCII fails, and warnings are ignored.
 * - The end of the input at a header is taken for the end of the archive; what lies
 *   behind the end is not looked at. Both are checked here by counting bytes.
 * - Of times before 1970 the fraction of a second is not taken as negative.
 * - archive_errno() can be -1 or 0, and the text NULL.
 */
#include "graph/unpack.h"

#include "base/path.h"
#include "graph/gunzip.h"
#include "graph/layer.h"
#include "graph/read_ahead.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TAR_BLOCK 512
#define UNKNOWN_FORMAT EILSEQ /* what archive_errno() is when no format fits */
#define XATTRS_MAX 256        /* of one entry */
#define DECODED_SIZE (256 * 1024)

DEFINE_AUTO(struct archive *, archive_read_free);

/* What has passed between two stages. */
struct tap {
	const struct source *from;
	int64_t total, bytes_max;
	int64_t data_end; /* behind the last byte that is not zero */
	struct error err; /* first failure of from: libarchive cannot carry it */
};

struct decoder {
	struct tap tap; /* compressed bytes */
	struct gunzip *gunzip;
	struct archive *archive;
	bool is_plain;
	/* The first span, looked at before it is known who reads it. */
	const struct source *source;
	const void *first;
	ssize_t first_len;
	char bytes[DECODED_SIZE];
};

/* --- from libarchive's errors to ours --------------------------------------- */

static int fail_archive(struct archive *archive, const struct tap *tap, const char *what,
			struct error *err)
{
	const char *text = archive_error_string(archive);
	int code = archive_errno(archive);

	if (tap->err.code) {
		if (err)
			*err = tap->err;
		return -tap->err.code;
	}
	if (code == ENOMEM)
		return error_set(err, ENOMEM, "out of memory for an archive");
	return error_set(err, EINVAL, "%s: %s", what, text ? text : "unknown error");
}

/* Warnings are about character sets. ARCHIVE_RETRY is not less: it means that a
 * header was damaged and that the reader could look for the next. */
static bool is_usable(int ret)
{
	return ret == ARCHIVE_OK || ret == ARCHIVE_WARN;
}

/* --- taps -------------------------------------------------------------------- */

static ssize_t read_tap(struct archive *archive, void *arg, const void **ret_bytes)
{
	struct tap *tap = arg;
	ssize_t got = tap->from->read(tap->from->arg, ret_bytes, &tap->err);

	if (got < 0) {
		archive_set_error(archive, (int)-got, "the input failed");
		return -1;
	}
	const char *bytes = *ret_bytes;
	ssize_t end = got;
	while (end && !bytes[end - 1])
		end--;
	if (end)
		tap->data_end = tap->total + end;
	tap->total += got;
	if (tap->total > tap->bytes_max) {
		error_set(&tap->err, EINVAL, "the archive is larger than %lld bytes",
			  (long long)tap->bytes_max);
		return -1;
	}
	return got;
}

/* Read what the reader left, so that it is looked at. */
static int drain_tap(struct archive *archive, struct tap *tap)
{
	const void *bytes;
	ssize_t got;

	while ((got = read_tap(archive, tap, &bytes)) > 0)
		;
	return (int)got;
}

/* --- the decoder --------------------------------------------------------------- */

/* The source again, with the span that was looked at in front. */
static ssize_t read_from_first(void *arg, const void **ret_bytes, struct error *err)
{
	struct decoder *decoder = arg;
	ssize_t len = decoder->first_len;

	if (!len)
		return decoder->source->read(decoder->source->arg, ret_bytes, err);
	*ret_bytes = decoder->first;
	decoder->first_len = 0;
	return len;
}

static void enable_filters(struct archive *archive)
{
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_compress(archive);
	archive_read_support_filter_lz4(archive);
	archive_read_support_filter_lzip(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_format_raw(archive);
}

static int open_filters(struct decoder *decoder, struct error *err)
{
	struct archive_entry *entry;

	decoder->archive = archive_read_new();
	if (!decoder->archive)
		return error_set(err, ENOMEM, "out of memory for an archive");
	enable_filters(decoder->archive);
	if (archive_read_open(decoder->archive, &decoder->tap, NULL, read_tap, NULL) !=
		    ARCHIVE_OK ||
	    !is_usable(archive_read_next_header(decoder->archive, &entry)))
		return fail_archive(decoder->archive, &decoder->tap, "damaged compressed data",
				    err);
	decoder->is_plain = archive_filter_code(decoder->archive, 0) == ARCHIVE_FILTER_NONE;
	return 0;
}

static int check_compressed_end(struct decoder *decoder, struct error *err)
{
	if (drain_tap(decoder->archive, &decoder->tap) < 0)
		return fail_archive(decoder->archive, &decoder->tap, "cannot read the archive",
				    err);
	/* Without a filter the tar reader does this. */
	if (!decoder->is_plain &&
	    decoder->tap.data_end > archive_filter_bytes(decoder->archive, -1))
		return error_set(err, EINVAL, "garbage after the end of the compressed data");
	return 0;
}

static ssize_t read_decoded(void *arg, const void **ret_bytes, struct error *err)
{
	struct decoder *decoder = arg;

	if (decoder->gunzip)
		return gunzip_read(decoder->gunzip, ret_bytes, err);
	ssize_t got = archive_read_data(decoder->archive, decoder->bytes, sizeof(decoder->bytes));
	if (got < 0)
		return fail_archive(decoder->archive, &decoder->tap, "damaged compressed data",
				    err);
	if (got == 0)
		return check_compressed_end(decoder, err);
	*ret_bytes = decoder->bytes;
	return got;
}

static void decoder_free(struct decoder *decoder)
{
	gunzip_free(decoder->gunzip);
	archive_read_free(decoder->archive);
	free(decoder);
}
DEFINE_AUTO(struct decoder *, decoder_free);

static void name_compression(const struct decoder *decoder, char *ret, size_t size)
{
	const char *name = "";
	if (decoder->gunzip)
		name = "gzip";
	else if (!decoder->is_plain)
		name = archive_filter_name(decoder->archive, 0);
	/* libarchive's "compress (.Z)" */
	snprintf(ret, size, "%.*s", (int)strcspn(name, " "), name);
}

/* from: where the decoder reads, which must live as long as it. */
static int decoder_open(struct decoder *decoder, const struct source *source,
			const struct source *from, struct error *err)
{
	decoder->source = source;
	decoder->tap.from = from;
	decoder->first_len = source->read(source->arg, &decoder->first, err);
	if (decoder->first_len < 0)
		return (int)decoder->first_len;
	if (decoder->first_len == 0)
		return error_set(err, EINVAL, "the archive is empty: there are no bytes in it");
	if (!gunzip_detect(decoder->first, (size_t)decoder->first_len))
		return open_filters(decoder, err);
	decoder->gunzip = gunzip_new(from);
	return decoder->gunzip ? 0 : error_set(err, ENOMEM, "out of memory for gzip data");
}

/* --- one entry -------------------------------------------------------------------- */

static int take_xattrs(struct archive_entry *from, struct layer_entry *entry,
		       struct layer_xattr xattrs[XATTRS_MAX], struct error *err)
{
	if (archive_entry_xattr_reset(from) > XATTRS_MAX)
		return error_set(err, EINVAL, "entry '%s': more than %d attributes", entry->path,
				 XATTRS_MAX);
	entry->xattrs = xattrs;
	entry->xattr_count = 0;
	for (;;) {
		struct layer_xattr next;
		if (archive_entry_xattr_next(from, &next.name, &next.value, &next.len) !=
		    ARCHIVE_OK)
			return 0;
		if (next.name)
			xattrs[entry->xattr_count++] = next;
	}
}

/* "-3.25" comes as -3 and a quarter of a second. */
static struct timespec take_time(time_t seconds, long ns)
{
	struct timespec time = { .tv_sec = seconds, .tv_nsec = ns };

	if (ns < 0 || ns > 999999999)
		time.tv_nsec = 0;
	if (seconds < 0 && time.tv_nsec > 0) {
		time.tv_sec = seconds - 1;
		time.tv_nsec = 1000000000 - ns;
	}
	return time;
}

static int take_entry(struct archive_entry *from, struct layer_entry *entry, struct error *err)
{
	int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);

	entry->path = archive_entry_pathname(from);
	if (!entry->path || !*entry->path)
		return error_set(err, EINVAL, "an entry of the archive has no name");
	/* The highest number means "leave as it is" to the kernel. */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return error_set(err, EINVAL, "entry '%s': impossible owner %lld:%lld", entry->path,
				 (long long)uid, (long long)gid);
	entry->uid = (uid_t)uid;
	entry->gid = (gid_t)gid;
	entry->target = archive_entry_symlink(from);
	entry->mode = (archive_entry_filetype(from) & S_IFMT) | (archive_entry_perm(from) & 07777);
	entry->rdev = archive_entry_rdev(from);
	entry->size_bytes = archive_entry_size(from);
	if (entry->size_bytes < 0)
		return error_set(err, EINVAL, "entry '%s': impossible size", entry->path);
	entry->mtime = take_time(archive_entry_mtime(from), archive_entry_mtime_nsec(from));
	return 0;
}

static int fail_tar(struct archive *tar, const struct tap *tap, const char *path, struct error *err)
{
	int ret = fail_archive(tar, tap, "damaged or cut off tar archive", err);
	return tap->err.code ? ret : error_wrap(err, ret, "entry '%s'", path);
}

/* Who looks on, and what became of the entry at hand. */
struct watching {
	const struct unpack_watch *watch; /* NULL: nobody */
	int fate;
};

/* A fate is final for the entry, or for all. */
static int note_fate(struct watching *watching, int fate)
{
	if (fate < 0)
		return fate;
	watching->fate = fate;
	if (fate == UNPACK_ALONE)
		watching->watch = NULL;
	return 0;
}

static int show_data(struct watching *watching, const void *bytes, size_t len, int64_t offset,
		     struct error *err)
{
	const struct unpack_watch *watch = watching->watch;

	if (!watch || !len)
		return 0;
	return note_fate(watching, watch->data(watch->arg, bytes, len, offset, err));
}

/* fd -1: only read over it, which finds what is cut off. */
static int copy_data(struct archive *tar, const struct tap *tap, const struct layer_entry *entry,
		     int fd, struct watching *watching, struct error *err)
{
	for (;;) {
		const void *bytes;
		size_t len;
		la_int64_t offset;
		int ret = archive_read_data_block(tar, &bytes, &len, &offset);
		if (ret == ARCHIVE_EOF)
			return 0;
		if (!is_usable(ret))
			return fail_tar(tar, tap, entry->path, err);
		if (offset < 0 || offset > entry->size_bytes ||
		    len > (uint64_t)(entry->size_bytes - offset))
			return error_set(err, EINVAL, "entry '%s': data beyond its size",
					 entry->path);
		ret = show_data(watching, bytes, len, offset, err);
		if (ret < 0)
			return ret;
		if (fd < 0 || !len)
			continue;
		ret = path_pwrite_all(fd, bytes, len, offset);
		if (ret < 0)
			return error_set_sys(err, ret == -EFBIG ? EINVAL : -ret,
					     "entry '%s': cannot write its content", entry->path);
	}
}

static int begin_watched(struct archive_entry *from, const struct layer_entry *entry,
			 struct watching *watching, struct error *err)
{
	const struct unpack_watch *watch = watching->watch;
	struct unpack_item item = {
		.path = entry->path,
		.link = entry->target,
		.hard_link = archive_entry_hardlink(from),
		.is_dir = S_ISDIR(entry->mode),
	};

	watching->fate = UNPACK_ALONE;
	if (!watch)
		return 0;
	item.is_file = S_ISREG(entry->mode) && !item.hard_link;
	return note_fate(watching, watch->begin(watch->arg, &item, err));
}

static int end_watched(const struct layer_entry *entry, struct watching *watching,
		       struct error *err)
{
	const struct unpack_watch *watch = watching->watch;

	if (!watch)
		return 0;
	return note_fate(watching, watch->end(watch->arg, entry->size_bytes, err));
}

static int unpack_entry(struct archive *tar, const struct tap *tap, struct archive_entry *from,
			const struct layer_entry *entry, struct layer *layer,
			struct watching *watching, struct error *err)
{
	const char *hard_link = archive_entry_hardlink(from);
	auto_fd int fd = -1;
	int ret = begin_watched(from, entry, watching, err);

	if (ret == 0 && watching->fate != UNPACK_TAKEN)
		ret = hard_link ? layer_add_hard_link(layer, entry->path, hard_link, err)
				: layer_add(layer, entry, &fd, err);
	/* A hard link may carry the content again: that of the file it names. */
	if (ret == 0 && !hard_link)
		ret = copy_data(tar, tap, entry, fd, watching, err);
	if (ret == 0 && fd >= 0)
		ret = layer_finish_file(layer, entry, fd, err);
	if (ret == 0 && !is_usable(archive_read_data_skip(tar)))
		ret = fail_tar(tar, tap, entry->path, err);
	return ret < 0 ? ret : end_watched(entry, watching, err);
}

static int take_and_unpack(struct archive *tar, const struct tap *tap, struct archive_entry *from,
			   struct layer *layer, struct watching *watching, struct error *err)
{
	struct layer_xattr xattrs[XATTRS_MAX];
	struct layer_entry entry = { .path = NULL };
	int ret = take_entry(from, &entry, err);

	if (ret == 0)
		ret = take_xattrs(from, &entry, xattrs, err);
	return ret < 0 ? ret : unpack_entry(tar, tap, from, &entry, layer, watching, err);
}

/* --- the archive ------------------------------------------------------------------- */

/* at: where the last entry ended. */
static int check_tar_end(struct archive *tar, struct tap *tap, int64_t at, struct error *err)
{
	int64_t end = archive_filter_bytes(tar, -1);

	if (drain_tap(tar, tap) < 0)
		return fail_archive(tar, tap, "damaged or cut off tar archive", err);
	if (end - at < TAR_BLOCK)
		return error_set(err, EINVAL, "the tar archive is cut off: its end is missing");
	if (tap->data_end > end)
		return error_set(err, EINVAL, "garbage after the end of the tar archive");
	return 0;
}

static int unpack_tar(struct archive *tar, struct tap *tap, struct read_ahead *ahead,
		      struct layer *layer, const struct unpack_watch *watch, struct error *err)
{
	struct watching watching = { .watch = watch };

	for (;;) {
		struct archive_entry *entry;
		int64_t at = archive_filter_bytes(tar, -1);
		int ret = archive_read_next_header(tar, &entry);
		if (ret == ARCHIVE_EOF)
			return check_tar_end(tar, tap, at, err);
		if (!is_usable(ret))
			return fail_archive(tar, tap, "damaged or cut off tar archive", err);
		ret = take_and_unpack(tar, tap, entry, layer, &watching, err);
		if (ret < 0)
			return ret;
		/* No layer comes of it: nobody asks for its digest. */
		if (watching.fate == UNPACK_TAKEN && ahead)
			read_ahead_drop_digest(ahead);
	}
}

/* ahead: NULL where the decoder has nothing to do. */
static int unpack_decoded(struct decoder *decoder, struct read_ahead *ahead, struct layer *layer,
			  const struct unpack_watch *watch, struct error *err)
{
	struct source decoded = { .read = ahead ? read_ahead_read : read_decoded,
				  .arg = ahead ? (void *)ahead : decoder };
	struct tap tap = { .from = &decoded,
			   .bytes_max = decoder->tap.bytes_max,
			   .err = ERROR_INIT };
	struct archive *tar AUTO(archive_read_free) = archive_read_new();

	if (!tar)
		return error_set(err, ENOMEM, "out of memory for an archive");
	archive_read_support_format_tar(tar);
	/* Opening looks at the first header already. */
	if (archive_read_open(tar, &tap, NULL, read_tap, NULL) != ARCHIVE_OK) {
		if (!tap.err.code && archive_errno(tar) == UNKNOWN_FORMAT)
			return error_set(err, EINVAL,
					 "not a tar archive, nor one compressed in a known way");
		return fail_archive(tar, &tap, "cannot read the archive", err);
	}
	return unpack_tar(tar, &tap, ahead, layer, watch, err);
}

static void stop_source(void *arg)
{
	const struct decoder *decoder = arg;

	if (decoder->source->stop)
		decoder->source->stop(decoder->source->arg);
}

static int unpack_in_c_locale(const struct source *source, const struct unpack_watch *watch,
			      const struct limits *limits, int layer_fd, struct unpack_result *ret,
			      struct error *err)
{
	struct layer *layer AUTO(layer_free) = layer_new(layer_fd, limits);
	struct decoder *decoder AUTO(decoder_free) = calloc(1, sizeof(*decoder));
	struct unpack_result result = { .diff_id = "" };
	AUTO(strbuf_deinit) struct strbuf implied = STRBUF_INIT;
	struct source from = { .read = read_from_first, .arg = decoder };
	struct source decoded = { .read = read_decoded, .stop = stop_source, .arg = decoder };
	struct read_ahead *ahead AUTO(read_ahead_free) = NULL; /* ends before what it reads */

	if (!layer || !decoder)
		return error_set(err, ENOMEM, "out of memory for an archive");
	decoder->tap.bytes_max = limits->bytes;
	int r = decoder_open(decoder, source, &from, err);
	if (r == 0 && !decoder->is_plain)
		r = read_ahead_new(&decoded, &ahead, err);
	if (r == 0)
		r = unpack_decoded(decoder, ahead, layer, watch, err);
	if (r == 0)
		r = layer_finish(layer, &result.size_bytes, err);
	if (r == 0)
		r = layer_append_implied(layer, &implied, err);
	if (r == 0 && ahead)
		r = read_ahead_get_digest(ahead, result.diff_id, err);
	if (r < 0)
		return r;
	name_compression(decoder, result.compression, sizeof(result.compression));
	*ret = result;
	ret->implied = implied;
	implied = (struct strbuf)STRBUF_INIT;
	return 0;
}

int unpack_archive(const struct source *source, const struct unpack_watch *watch,
		   const struct limits *limits, int layer_fd, struct unpack_result *ret,
		   struct error *err)
{
	locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!locale)
		return error_set(err, ENOMEM, "out of memory for an archive");
	locale_t before = uselocale(locale);
	int r = unpack_in_c_locale(source, watch, limits, layer_fd, ret, err);
	uselocale(before);
	freelocale(locale);
	return r;
}
