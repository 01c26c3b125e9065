/* Progress. One lock, held for a few instructions or one rendering; counts are the only thing that
 * changes often.
 */
#include "graph/registry/registry_progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define DIGITS 12

struct layer_line {
	char digits[DIGITS + 1];
	char state[80];
	uint64_t done, total;
};

struct progress {
	pthread_mutex_t lock; /* guards the rest */
	struct strbuf title, end;
	size_t count;
	struct layer_line *layers;
};

struct progress *progress_new(void)
{
	struct progress *progress = calloc(1, sizeof(*progress));

	if (progress)
		pthread_mutex_init(&progress->lock, NULL);
	return progress;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	pthread_mutex_destroy(&progress->lock);
	strbuf_deinit(&progress->title);
	strbuf_deinit(&progress->end);
	free(progress->layers);
	free(progress);
}

void progress_set_title(struct progress *progress, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	pthread_mutex_lock(&progress->lock);
	strbuf_reset(&progress->title);
	strbuf_vappendf(&progress->title, fmt, args);
	strbuf_append_char(&progress->title, '\n');
	pthread_mutex_unlock(&progress->lock);
	va_end(args);
}

void progress_add_end(struct progress *progress, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	pthread_mutex_lock(&progress->lock);
	strbuf_vappendf(&progress->end, fmt, args);
	strbuf_append_char(&progress->end, '\n');
	pthread_mutex_unlock(&progress->lock);
	va_end(args);
}

int progress_set_layers(struct progress *progress, size_t count,
			const char *(*get_digest)(const void *arg, size_t index), const void *arg)
{
	struct layer_line *layers = calloc(count + 1, sizeof(*layers));

	if (!layers)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		snprintf(layers[i].digits, sizeof(layers[i].digits), "%s", get_digest(arg, i));
		snprintf(layers[i].state, sizeof(layers[i].state), "Waiting");
	}
	pthread_mutex_lock(&progress->lock);
	free(progress->layers);
	progress->layers = layers;
	progress->count = count;
	pthread_mutex_unlock(&progress->lock);
	return 0;
}

void progress_set_state(struct progress *progress, size_t layer, const char *state, uint64_t total)
{
	struct layer_line *line = &progress->layers[layer];

	if (layer >= progress->count)
		return;
	pthread_mutex_lock(&progress->lock);
	snprintf(line->state, sizeof(line->state), "%s", state);
	line->done = 0;
	line->total = total;
	pthread_mutex_unlock(&progress->lock);
}

void progress_set_done(struct progress *progress, size_t layer, uint64_t done)
{
	if (layer >= progress->count)
		return;
	pthread_mutex_lock(&progress->lock);
	progress->layers[layer].done = done;
	pthread_mutex_unlock(&progress->lock);
}

void progress_render(struct progress *progress, struct strbuf *out)
{
	pthread_mutex_lock(&progress->lock);
	strbuf_append(out, progress->title.data, progress->title.len);
	for (size_t i = 0; i < progress->count; i++) {
		const struct layer_line *line = &progress->layers[i];

		strbuf_appendf(out, "%s: %s", line->digits, line->state);
		if (line->total)
			strbuf_appendf(out, " %" PRIu64 "/%" PRIu64, line->done, line->total);
		strbuf_append_char(out, '\n');
	}
	strbuf_append(out, progress->end.data, progress->end.len);
	pthread_mutex_unlock(&progress->lock);
}
