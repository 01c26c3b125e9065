/* An image to a registry: its blobs side by side, then the manifest that names them, byte for byte as it is. */
#include "graph/registry/registry_push.h"

#include "base/path.h"
#include "graph/describe.h"

#include <string.h>

#define MANIFEST_MS 120000

static void push_deinit(struct push *push)
{
	session_close(push->session);
	transfer_deinit(&push->transfer);
	image_unref(push->image);
	for (size_t i = 0; i < MOUNTS_MAX; i++)
		free(push->mounts[i]);
}
DEFINE_AUTO_DEINIT(struct push, push_deinit);

/* --- where blobs may be already ---------------------------------------------------------------------- */

static bool shares_blob(const struct image *image, const struct image *other)
{
	const struct stored_image *a = stored_image_of(image), *b = stored_image_of(other);

	for (size_t i = 0; i < image->layer_count; i++)
		for (size_t k = 0; k < other->layer_count; k++)
			if (strcmp(a->blobs[i], b->blobs[k]) == 0)
				return true;
	return false;
}

static int add_mount(struct push *push, const struct registry_name *from, struct error *err)
{
	size_t i = 0;

	for (; i < MOUNTS_MAX && push->mounts[i]; i++)
		if (strcmp(push->mounts[i], from->repository) == 0)
			return 0;
	if (i == MOUNTS_MAX)
		return 0;
	push->mounts[i] = strdup(from->repository);
	if (!push->mounts[i])
		return error_set(err, ENOMEM, "out of memory for a push");
	return session_add_scope(push->session, from->repository, err);
}

/* Tags of ours that lead to the same registry and share a layer with the image. */
static int find_mounts(struct push *push, struct error *err)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(push->registries->graph);
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < snapshot->tag_count; i++) {
		struct registry_name other;

		if (registry_name_parse(snapshot->tags[i].name, push->registries->default_registry,
					&other, NULL) < 0 ||
		    strcmp(other.registry, push->name.registry) != 0 ||
		    strcmp(other.repository, push->name.repository) == 0 ||
		    !shares_blob(push->image, snapshot->tags[i].image))
			continue;
		ret = add_mount(push, &other, err);
	}
	return ret;
}

/* --- the manifest --------------------------------------------------------------------------------------- */

static const char *get_media_type(const struct image *image)
{
	const char *config =
		json_get_str(json_get_object(image->manifest, "config"), "mediaType", "");

	/* OCI's may leave it out. */
	return json_get_str(image->manifest, "mediaType",
			    strstr(config, "docker")
				    ? "application/vnd.docker.distribution.manifest.v2+json"
				    : MEDIA_MANIFEST);
}

static int send_manifest(struct push *push, struct http *http, size_t *ret_size, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	struct http_request request = { .method = "PUT",
					.content_type = get_media_type(push->image),
					.text_max = 1U << 16,
					.deadline_ms = MANIFEST_MS };
	int ret = path_read_file(push->registries->graph->blobs_fd,
				 stored_image_of(push->image)->manifest_digest, BLOB_TEXT_MAX,
				 &text, err);

	if (ret < 0)
		return ret;
	strbuf_appendf(&path, "/v2/%s/manifests/%s", push->name.repository, push->name.tag);
	ret = strbuf_check(&path, err);
	if (ret < 0)
		return ret;
	request.url = strbuf_get_str(&path);
	request.body = strbuf_get_str(&text);
	request.body_len = text.len;
	ret = session_ask(push->session, http, &request, &answer, NULL, err);
	if (ret < 0)
		return ret;
	if (answer.status / 100 != 2)
		return session_refuse(push->session, &answer, "manifest", err);
	*ret_size = text.len;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------- */

static const char *get_blob_digest(const void *arg, size_t index)
{
	return stored_image_of(((const struct push *)arg)->image)->blobs[index];
}

static int send_image(struct push *push, size_t *ret_size, struct error *err)
{
	struct http *http AUTO(http_free) = NULL;
	size_t count = push->image->layer_count + 1; /* and the config */
	int ret = session_open(push->registries, &push->name, "pull,push", NULL,
			       transfer_is_stopped, &push->transfer, &push->session, err);

	if (ret == 0)
		ret = find_mounts(push, err);
	if (ret == 0 && progress_set_layers(push->transfer.progress, push->image->layer_count,
					    get_blob_digest, push) < 0)
		ret = error_set(err, ENOMEM, "out of memory for a push");
	if (ret == 0)
		ret = lanes_run(push->session, count, push_blob, push, &push->transfer.stop, err);
	if (ret < 0)
		return ret;
	http = session_new_http(push->session, err);
	return http ? send_manifest(push, http, ret_size, err) : -ENOMEM;
}

/* The registry knows it by its digest now. That somebody has removed it here meanwhile is no failure of the push. */
static int note_digest(struct push *push, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	int ret;

	registry_name_append_digest(&push->name, stored_image_of(push->image)->manifest_digest,
				    &name);
	ret = strbuf_check(&name, err);
	if (ret == 0)
		ret = graph_note_digest(push->registries->graph, push->image, strbuf_get_str(&name),
					err);
	if (ret == -ENOENT)
		error_clear(err);
	return ret == -ENOENT ? 0 : ret;
}

static int run_push(void *arg, struct error *err)
{
	struct push *push = arg;
	size_t size = 0;
	int ret;

	progress_set_title(push->transfer.progress, "The push refers to repository [%s/%s]",
			   push->name.registry, push->name.repository);
	ret = send_image(push, &size, err);
	if (ret == 0)
		ret = note_digest(push, err);
	if (ret < 0)
		return error_wrap(err, ret, "'%s' at registry %s", push->name.text,
				  push->name.registry);
	progress_add_end(push->transfer.progress, "%s: digest: sha256:%s size: %zu", push->name.tag,
			 stored_image_of(push->image)->manifest_digest, size);
	return 0;
}

static int prepare(struct push *push, const char *name, struct error *err)
{
	int ret = registry_name_parse(name, push->registries->default_registry, &push->name, err);

	if (ret < 0)
		return ret;
	if (*push->name.digest)
		return error_set(err, EINVAL, "'%s' names a digest; push a tag", name);
	push->image = graph_find_image(push->registries->graph, push->name.listed, err);
	if (!push->image)
		return -err->code;
	return transfer_init(&push->transfer, run_push, push, err);
}

int registries_push(struct registries *registries, const char *name,
		    const struct registry_watch *watch, bool quiet, struct strbuf *lines,
		    struct error *err)
{
	AUTO(push_deinit) struct push push = { .registries = registries };
	int ret = prepare(&push, name, err);

	if (ret == 0)
		ret = transfer_start(&push.transfer, err);
	if (ret < 0)
		return ret;
	ret = transfer_wait(&push.transfer, watch, err);
	transfer_end(&push.transfer);
	if (ret < 0)
		return ret;
	graph_report(registries->graph, "push", push.image->id, push.name.listed);
	if (quiet)
		strbuf_appendf(lines, "sha256:%s\n", stored_image_of(push.image)->manifest_digest);
	else
		progress_render(push.transfer.progress, lines);
	return 0;
}
