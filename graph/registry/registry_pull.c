/* Pulls as callers see them: work on a thread of its own, for one caller or several. Who asks for what is under
 * way already waits for that; who is interrupted leaves; the last to leave ends the
 * work and takes it away.
 */
#include "graph/registry/registry_pull.h"

#include <string.h>

static void pull_free(struct pull *pull)
{
	batch_free(pull->batch);
	session_close(pull->session);
	manifest_deinit(&pull->manifest);
	strbuf_deinit(&pull->manifest_text);
	strbuf_deinit(&pull->config_text);
	transfer_deinit(&pull->transfer);
	free(pull->diff_ids);
	free(pull->key);
	free(pull);
}
DEFINE_AUTO(struct pull *, pull_free);

static int run_pull(void *arg, struct error *err)
{
	struct pull *pull = arg;
	int ret = error_wrap(err, pull_image(pull, pull->id, err), "'%s' at registry %s",
			     pull->name.text, pull->name.registry);

	/* Its room on the disk is free when the caller hears of a failure. */
	batch_free(steal_ptr(&pull->batch));
	return ret;
}

static int make_pull(struct registries *registries, const struct pull_options *options,
		     struct pull **ret, struct error *err)
{
	struct pull *pull AUTO(pull_free) = calloc(1, sizeof(*pull));
	int r;

	if (!pull)
		return error_set(err, ENOMEM, "out of memory for a pull");
	pull->registries = registries;
	pull->has_platform = options->platform != NULL;
	if (asprintf(&pull->key, "%s\n%s", options->name,
		     options->platform ? options->platform : "") < 0)
		pull->key = NULL;
	r = pull->key ? 0 : error_set(err, ENOMEM, "out of memory for a pull");
	if (r == 0)
		r = registry_name_parse(options->name, registries->default_registry, &pull->name,
					err);
	if (r == 0)
		r = platform_parse(options->platform, &pull->platform, err);
	if (r == 0)
		r = transfer_init(&pull->transfer, run_pull, pull, err);
	if (r == 0)
		*ret = steal_ptr(&pull);
	return r;
}

static struct pull *find_same_locked(struct registries *registries, const char *key)
{
	for (struct pull *pull = registries->pulls; pull; pull = pull->next)
		if (strcmp(pull->key, key) == 0 && !transfer_is_done(&pull->transfer))
			return pull;
	return NULL;
}

/* Take part in the same one that is under way, or begin. made is taken. */
static int join_or_start(struct registries *registries, struct pull *made, struct pull **ret,
			 struct error *err)
{
	struct pull *found;
	int r = 0;

	pthread_mutex_lock(&registries->lock);
	found = find_same_locked(registries, made->key);
	if (found) {
		found->waiting++;
	} else {
		r = transfer_start(&made->transfer, err);
		if (r == 0) {
			made->waiting = 1;
			made->next = registries->pulls;
			registries->pulls = made;
		}
	}
	pthread_mutex_unlock(&registries->lock);
	*ret = found ? found : made;
	if (found || r < 0)
		pull_free(made);
	return r;
}

static void leave(struct registries *registries, struct pull *pull)
{
	bool is_last;

	pthread_mutex_lock(&registries->lock);
	is_last = --pull->waiting == 0;
	for (struct pull **at = &registries->pulls; is_last && *at; at = &(*at)->next) {
		if (*at == pull) {
			*at = pull->next;
			break;
		}
	}
	pthread_mutex_unlock(&registries->lock);
	if (!is_last)
		return;
	transfer_end(&pull->transfer);
	pull_free(pull);
}

int registries_pull(struct registries *registries, const struct pull_options *options,
		    const struct registry_watch *watch, struct strbuf *lines,
		    char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct pull *pull = NULL;
	int ret = make_pull(registries, options, &pull, err);

	if (ret == 0)
		ret = join_or_start(registries, pull, &pull, err);
	if (ret < 0)
		return ret;
	ret = transfer_wait(&pull->transfer, watch, err);
	if (ret == 0) {
		memcpy(ret_id, pull->id, GRAPH_ID_SIZE);
		if (lines)
			progress_render(pull->transfer.progress, lines);
	}
	leave(registries, pull);
	return ret;
}
