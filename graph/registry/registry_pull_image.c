/* An image from a registry: manifest, config, layers, and then all of it into the store at once. Each text is
 * asked by its digest for what it is before it is believed; nothing is visible before the end.
 */
#include "graph/registry/registry_pull.h"

#include "base/num.h"

#include <string.h>

#define TEXT_MS 120000
#define INDEXES_MAX 3 /* an index may name an index */

/* --- texts ------------------------------------------------------------------------------------- */

int pull_text(struct pull *pull, struct http *http, const char *path, size_t max, const char *what,
	      struct http_answer *answer, struct error *err)
{
	struct http_request request = { .method = "GET",
					.url = path,
					.accept = MANIFEST_ACCEPT,
					.text_max = max,
					.deadline_ms = TEXT_MS };

	for (unsigned failures = 1;; failures++) {
		struct error failure = ERROR_INIT;
		int ret = session_ask(pull->session, http, &request, answer, NULL, &failure);

		if (ret == 0 && answer->status == 200)
			return 0;
		/* Who is not there now was not there before. */
		if (failures == LANES_TRIES_MAX || !lanes_may_retry(ret, answer->status) ||
		    (ret < 0 && ret != -ECONNRESET)) {
			if (ret == 0)
				return session_refuse(pull->session, answer, what, err);
			*err = failure;
			return ret;
		}
		ret = lanes_back_off(pull->session, failures, answer, err);
		if (ret < 0)
			return ret;
	}
}

static int check_text(const char *what, const struct http_answer *answer, const char *want,
		      char ret_digest[DIGEST_SIZE], struct error *err)
{
	int ret = digest_compute(strbuf_get_str(&answer->text), answer->text.len, ret_digest, err);

	if (ret == 0 && *want && strcmp(want, ret_digest) != 0)
		return error_set(err, EBADMSG,
				 "%s has the digest sha256:%s where sha256:%s was expected", what,
				 ret_digest, want);
	return ret;
}

/* The manifest or index of that digest, or (digest "") of the tag. */
static int read_manifest(struct pull *pull, struct http *http, const char *digest,
			 struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	const char *want = digest;
	int ret;

	strbuf_appendf(&path, "/v2/%s/manifests/%s%s", pull->name.repository,
		       *digest ? "sha256:" : "", *digest ? digest : pull->name.tag);
	ret = strbuf_check(&path, err);
	if (ret == 0)
		ret = pull_text(pull, http, strbuf_get_str(&path), BLOB_TEXT_MAX, "such image",
				&answer, err);
	if (ret < 0)
		return ret;
	/* Of a tag the registry tells what it means to send. */
	const char *told = strbuf_get_str(&answer.digest);
	if (!*want && strncmp(told, "sha256:", 7) == 0 && num_is_hex(told + 7, DIGEST_SIZE - 1))
		want = told + 7;
	ret = check_text("its manifest", &answer, want, pull->manifest_digest, err);
	manifest_deinit(&pull->manifest);
	if (ret == 0)
		ret = manifest_parse(strbuf_get_str(&answer.text), answer.text.len, &pull->manifest,
				     err);
	if (ret < 0)
		return ret;
	strbuf_reset(&pull->manifest_text);
	strbuf_append(&pull->manifest_text, answer.text.data, answer.text.len);
	return strbuf_check(&pull->manifest_text, err);
}

/* Through indexes to the manifest of the platform. */
static int find_manifest(struct pull *pull, struct http *http, struct error *err)
{
	struct manifest_blob chosen;
	int ret = read_manifest(pull, http, pull->name.digest, err);

	if (ret < 0)
		return ret;
	memcpy(pull->first_digest, pull->manifest_digest, DIGEST_SIZE);
	for (int depth = 0; ret == 0 && pull->manifest.is_index; depth++) {
		if (depth == INDEXES_MAX)
			return error_set(err, EINVAL, "its indexes lead in circles");
		ret = manifest_choose(&pull->manifest, &pull->platform, &chosen, err);
		if (ret == 0)
			ret = read_manifest(pull, http, chosen.digest, err);
		if (ret == 0 && pull->manifest_text.len != chosen.size)
			return error_set(err, EBADMSG,
					 "its manifest has %zu bytes where its index says %llu",
					 pull->manifest_text.len, (unsigned long long)chosen.size);
	}
	return ret;
}

static int fetch_config(struct pull *pull, struct http *http, struct error *err)
{
	const struct manifest_blob *config = &pull->manifest.config;
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	char digest[DIGEST_SIZE];
	int ret;

	strbuf_appendf(&path, "/v2/%s/blobs/sha256:%s", pull->name.repository, config->digest);
	ret = strbuf_check(&path, err);
	if (ret == 0)
		ret = pull_text(pull, http, strbuf_get_str(&path), (size_t)config->size, "config",
				&answer, err);
	if (ret == -E2BIG || (ret == 0 && answer.text.len != config->size)) {
		error_clear(err);
		return error_set(err, EBADMSG,
				 "its config has not the %llu bytes that its manifest says",
				 (unsigned long long)config->size);
	}
	if (ret == 0)
		ret = check_text("its config", &answer, config->digest, digest, err);
	if (ret == 0)
		ret = batch_put_text(pull->batch, answer.text.data, answer.text.len, digest, err);
	return ret;
}

static int read_config(struct pull *pull, struct http *http, struct error *err)
{
	const struct manifest_blob *config = &pull->manifest.config;
	int ret = 0;

	if (config->size > BLOB_TEXT_MAX)
		return error_set(err, EINVAL, "its config is longer than %u bytes", BLOB_TEXT_MAX);
	if (!batch_has_blob(pull->batch, config->digest))
		ret = fetch_config(pull, http, err);
	if (ret == 0)
		ret = batch_read_text(pull->batch, config->digest, &pull->config_text, err);
	if (ret == 0 && pull->config_text.len != config->size)
		return error_set(err, EBADMSG,
				 "its config has %zu bytes where its manifest says %llu",
				 pull->config_text.len, (unsigned long long)config->size);
	return ret;
}

/* --- what they say ------------------------------------------------------------------------------- */

static int take_diff_ids(struct pull *pull, const json_t *config, struct error *err)
{
	const json_t *list = json_get_array(json_get_object(config, "rootfs"), "diff_ids");
	size_t count = pull->manifest.layer_count;

	if (json_array_size(list) != count)
		return error_set(err, EINVAL,
				 "its manifest has %zu layers where its config has %zu", count,
				 json_array_size(list));
	pull->diff_ids = calloc(count + 1, sizeof(*pull->diff_ids));
	if (!pull->diff_ids)
		return error_set(err, ENOMEM, "out of memory for its layers");
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || strncmp(text, "sha256:", 7) != 0 ||
		    !num_is_hex(text + 7, DIGEST_SIZE - 1))
			return error_set(err, EINVAL, "its config has a layer without a sha256");
		memcpy(pull->diff_ids[i], text + 7, DIGEST_SIZE);
	}
	return 0;
}

static int judge_config(struct pull *pull, struct error *err)
{
	json_t *config auto_json = NULL;
	int ret = json_parse_text(strbuf_get_str(&pull->config_text), pull->config_text.len,
				  &config, err);

	if (ret < 0)
		return error_wrap(err, ret, "its config");
	if (pull->has_platform && platform_rate(&pull->platform, config) == 0)
		return error_set(err, ENOENT, "it is for %.30s/%.30s, not for %s/%s",
				 json_get_str(config, "os", "?"),
				 json_get_str(config, "architecture", "?"), pull->platform.os,
				 pull->platform.architecture);
	return take_diff_ids(pull, config, err);
}

static const char *get_layer_digest(const void *arg, size_t index)
{
	return ((const struct pull *)arg)->manifest.layers[index].digest;
}

/* --- into the store --------------------------------------------------------------------------------- */

/* The image, if what was asked for leads to this very one already. */
static struct image *find_same(struct pull *pull, const char *digest_name, const char *id)
{
	struct image *image AUTO(image_unref) =
		graph_find_image(pull->registries->graph,
				 *pull->name.listed ? pull->name.listed : digest_name, NULL);

	if (!image || strcmp(image->id, id) != 0 ||
	    strcmp(stored_image_of(image)->manifest_digest, pull->manifest_digest) != 0)
		return NULL;
	return steal_ptr(&image);
}

static int add_names(struct pull *pull, size_t image, const char *digest_name, struct error *err)
{
	int ret = batch_add_tag(pull->batch, image, digest_name, err);

	if (ret == 0 && *pull->name.listed)
		ret = batch_add_tag(pull->batch, image, pull->name.listed, err);
	return ret;
}

static int publish(struct pull *pull, char ret_id[GRAPH_ID_SIZE], bool *ret_is_new,
		   struct error *err)
{
	struct image *same AUTO(image_unref) = NULL;
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	char digest[DIGEST_SIZE];
	size_t image = 0;
	int ret = batch_put_text(pull->batch, strbuf_get_str(&pull->manifest_text),
				 pull->manifest_text.len, digest, err);

	if (ret == 0)
		ret = batch_add_image(pull->batch, pull->manifest.config.digest, digest, &image,
				      ret_id, err);
	registry_name_append_digest(&pull->name, pull->first_digest, &name);
	if (ret == 0)
		ret = strbuf_check(&name, err);
	if (ret < 0)
		return ret;
	same = find_same(pull, strbuf_get_str(&name), ret_id);
	*ret_is_new = !same;
	if (same) {
		ret = graph_note_digest(pull->registries->graph, same, strbuf_get_str(&name), err);
		if (ret == 0)
			graph_report(pull->registries->graph, "pull", ret_id, pull->name.listed);
		return ret;
	}
	ret = add_names(pull, image, strbuf_get_str(&name), err);
	return ret < 0 ? ret : batch_publish(pull->batch, true, "pull", err);
}

static int fetch(struct pull *pull, struct http *http, struct error *err)
{
	struct registries *registries = pull->registries;
	int ret = find_manifest(pull, http, err);

	if (ret == 0)
		ret = batch_new(registries->graph, &pull->batch, err);
	if (ret == 0)
		ret = read_config(pull, http, err);
	if (ret == 0)
		ret = judge_config(pull, err);
	if (ret < 0)
		return ret;
	if (progress_set_layers(pull->transfer.progress, pull->manifest.layer_count,
				get_layer_digest, pull) < 0)
		return error_set(err, ENOMEM, "out of memory for its layers");
	return lanes_run(pull->session, pull->manifest.layer_count, pull_layer, pull,
			 &pull->transfer.stop, err);
}

int pull_image(struct pull *pull, char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	const struct registry_name *name = &pull->name;
	struct http *http AUTO(http_free) = NULL;
	bool is_new = false;
	int ret;

	progress_set_title(pull->transfer.progress, "%s%s: Pulling from %s",
			   *name->tag ? "" : "sha256:", *name->tag ? name->tag : name->digest,
			   name->repository);
	ret = session_open(pull->registries, name, "pull", NULL, transfer_is_stopped,
			   &pull->transfer, &pull->session, err);
	if (ret < 0)
		return ret;
	http = session_new_http(pull->session, err);
	ret = http ? fetch(pull, http, err) : -ENOMEM;
	if (ret == 0 && transfer_is_stopped(&pull->transfer))
		ret = error_set(err, EINTR, "interrupted; nothing was pulled");
	if (ret == 0)
		ret = publish(pull, ret_id, &is_new, err);
	if (ret < 0)
		return ret;
	const char *shown = *name->listed ? name->listed : name->text;
	progress_add_end(pull->transfer.progress, "Digest: sha256:%s", pull->first_digest);
	progress_add_end(pull->transfer.progress, "Status: %s %s",
			 is_new ? "Downloaded newer image for" : "Image is up to date for", shown);
	progress_add_end(pull->transfer.progress, "%s", shown);
	return 0;
}
