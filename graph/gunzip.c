/* libarchive 3.6 decodes gzip without looking at the checksum and the length in
 * its trailer, so a flipped bit would come through as a file's content. zlib
 * checks both when it reads the wrapper itself.
 *
 * The decoder is always in one of three places: inside a member, between
 * members (at the start and behind each trailer), or in the padding of zeros
 * that tapes and block devices leave at the end.
 */
#include "graph/gunzip.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define OUT_SIZE (256 * 1024)

enum place { PLACE_BETWEEN, PLACE_MEMBER, PLACE_PADDING };

struct gunzip {
	const struct source *source;
	z_stream stream;
	enum place place;
	bool input_ended;
	unsigned char out[OUT_SIZE];
};

bool gunzip_detect(const void *bytes, size_t len)
{
	return len >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

struct gunzip *gunzip_new(const struct source *source)
{
	struct gunzip *gunzip = calloc(1, sizeof(*gunzip));
	if (!gunzip)
		return NULL;
	gunzip->source = source;
	/* 15: the largest window; 16: a gzip wrapper and nothing else. */
	if (inflateInit2(&gunzip->stream, 15 + 16) != Z_OK) {
		free(gunzip);
		return NULL;
	}
	return gunzip;
}

void gunzip_free(struct gunzip *gunzip)
{
	if (!gunzip)
		return;
	inflateEnd(&gunzip->stream);
	free(gunzip);
}

/* More input, unless there is some. 0 at the end of it. */
static ssize_t fill(struct gunzip *gunzip, struct error *err)
{
	const void *bytes;

	if (gunzip->stream.avail_in)
		return 1;
	if (gunzip->input_ended)
		return 0;
	ssize_t got = gunzip->source->read(gunzip->source->arg, &bytes, err);
	if (got <= 0) {
		gunzip->input_ended = got == 0;
		return got;
	}
	/* Spans of a source are far below 4 GiB; zlib counts in unsigned. */
	gunzip->stream.next_in = (unsigned char *)(uintptr_t)bytes;
	gunzip->stream.avail_in = (unsigned)got;
	return 1;
}

static int begin_member(struct gunzip *gunzip, struct error *err)
{
	if (*gunzip->stream.next_in == 0) {
		gunzip->place = PLACE_PADDING;
		return 0;
	}
	if (*gunzip->stream.next_in != 0x1f)
		return error_set(err, EINVAL, "garbage after the end of the gzip data");
	inflateReset(&gunzip->stream);
	gunzip->place = PLACE_MEMBER;
	return 0;
}

static int skip_padding(struct gunzip *gunzip, struct error *err)
{
	z_stream *stream = &gunzip->stream;
	for (; stream->avail_in; stream->avail_in--, stream->next_in++)
		if (*stream->next_in)
			return error_set(err, EINVAL, "garbage after the end of the gzip data");
	return 0;
}

static int inflate_some(struct gunzip *gunzip, struct error *err)
{
	int ret = inflate(&gunzip->stream, Z_NO_FLUSH);

	switch (ret) {
	case Z_OK:
	case Z_BUF_ERROR: /* it wants more input or more room: both come */
		return 0;
	case Z_STREAM_END:
		gunzip->place = PLACE_BETWEEN;
		return 0;
	case Z_MEM_ERROR:
		return error_set(err, ENOMEM, "out of memory for gzip data");
	default:
		return error_set(err, EINVAL, "damaged gzip data: %s",
				 gunzip->stream.msg ? gunzip->stream.msg : "unknown error");
	}
}

ssize_t gunzip_read(void *arg, const void **ret_bytes, struct error *err)
{
	struct gunzip *gunzip = arg;

	gunzip->stream.next_out = gunzip->out;
	gunzip->stream.avail_out = OUT_SIZE;
	while (gunzip->stream.avail_out) {
		ssize_t got = fill(gunzip, err);
		if (got < 0)
			return got;
		if (got == 0 && gunzip->place == PLACE_MEMBER)
			return error_set(err, EINVAL, "the gzip data is cut off");
		if (got == 0)
			break;
		int ret = gunzip->place == PLACE_BETWEEN   ? begin_member(gunzip, err)
			  : gunzip->place == PLACE_PADDING ? skip_padding(gunzip, err)
							   : inflate_some(gunzip, err);
		if (ret < 0)
			return ret;
	}
	*ret_bytes = gunzip->out;
	return OUT_SIZE - (ssize_t)gunzip->stream.avail_out;
}
