/* From the list of an archive's images to images of the batch: layers are unpacked,
 * manifests made where the archive has none, names given.
 *
 * When an archive has both lists, index.json gives the manifests, byte for byte, and
 * manifest.json the names, as they were written.
 */
#include "graph/archive/archive_private.h"

#include "base/worker.h"
#include "graph/describe.h"

#include <stdlib.h>
#include <string.h>

#define UNPACKERS 2 /* side by side */
#define HUB "docker.io/"
#define HUB_LIBRARY "docker.io/library/"

/* --- lists --------------------------------------------------------------------------------- */

static void archive_image_deinit(struct archive_image *image)
{
	for (size_t i = 0; i < image->name_count; i++)
		free(image->names[i]);
	free(image->names);
	free(image->layers);
}

static void archive_images_deinit(struct archive_images *images)
{
	for (size_t i = 0; i < images->count; i++)
		archive_image_deinit(&images->items[i]);
	free(images->items);
}
DEFINE_AUTO_DEINIT(struct archive_images, archive_images_deinit);

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an archive of images");
}

static struct archive_image *find_image(const struct archive_images *images, const char *config)
{
	for (size_t i = 0; i < images->count; i++)
		if (strcmp(images->items[i].config, config) == 0)
			return &images->items[i];
	return NULL;
}

int archive_images_get(struct archive_images *images, const char *config,
		       struct archive_image **ret, bool *ret_is_new, struct error *err)
{
	struct archive_image *found = find_image(images, config), *grown;

	*ret_is_new = !found;
	if (!found) {
		if (images->count == ARCHIVE_IMAGES_MAX)
			return error_set(err, EINVAL, "more than %d images in an archive",
					 ARCHIVE_IMAGES_MAX);
		grown = reallocarray(images->items, images->count + 1, sizeof(*grown));
		if (!grown)
			return no_memory(err);
		images->items = grown;
		found = &grown[images->count++];
		*found = (struct archive_image){ .layer_count = 0 };
		memcpy(found->config, config, DIGEST_SIZE);
	}
	*ret = found;
	return 0;
}

/* docker.io is where a name without a host comes from: tools write it out, people do not. */
static const char *shorten(const char *name)
{
	if (strncmp(name, HUB_LIBRARY, strlen(HUB_LIBRARY)) == 0)
		return name + strlen(HUB_LIBRARY);
	return strncmp(name, HUB, strlen(HUB)) == 0 ? name + strlen(HUB) : name;
}

int archive_image_add_name(struct archive_image *image, const char *name, struct error *err)
{
	char canonical[GRAPH_NAME_SIZE];
	char **grown;
	int ret = graph_parse_name(shorten(name), canonical, err);

	if (ret < 0)
		return error_wrap(err, ret, "a name in the archive");
	for (size_t i = 0; i < image->name_count; i++)
		if (strcmp(image->names[i], canonical) == 0)
			return 0;
	grown = reallocarray(image->names, image->name_count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(err);
	image->names = grown;
	grown[image->name_count] = strdup(canonical);
	if (!grown[image->name_count])
		return no_memory(err);
	image->name_count++;
	return 0;
}

int archive_image_set_layers(struct archive_image *image, size_t count, struct error *err)
{
	if (count > ARCHIVE_LAYERS_MAX)
		return error_set(err, EINVAL, "an image with more than %d layers",
				 ARCHIVE_LAYERS_MAX);
	image->layers = calloc(count + 1, sizeof(*image->layers));
	if (!image->layers)
		return no_memory(err);
	image->layer_count = count;
	return 0;
}

/* --- layers ---------------------------------------------------------------------------------- */

/* A blob that must be the layer of a diff id; the same pair is unpacked once. */
struct unpacking {
	char diff_id[DIGEST_SIZE];
	struct batch_layer layer; /* its digest from the beginning, the rest afterwards */
};

struct unpackings {
	struct batch *batch;
	struct unpacking *items;
	size_t count;
	pthread_mutex_t lock; /* guards the rest while they are at work */
	size_t next;
	struct error err; /* the first failure */
};

static const struct unpacking *find_unpacking(const struct unpackings *all, const char *digest,
					      const char *diff_id)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i].layer.digest, digest) == 0 &&
		    strcmp(all->items[i].diff_id, diff_id) == 0)
			return &all->items[i];
	return NULL;
}

static int add_unpacking(struct unpackings *all, const char *digest, const char *diff_id,
			 struct error *err)
{
	struct unpacking *grown;

	if (find_unpacking(all, digest, diff_id))
		return 0;
	if (all->count == ARCHIVE_UNPACK_MAX)
		return error_set(err, EINVAL, "more than %d layers in an archive",
				 ARCHIVE_UNPACK_MAX);
	grown = reallocarray(all->items, all->count + 1, sizeof(*grown));
	if (!grown)
		return no_memory(err);
	all->items = grown;
	grown[all->count] = (struct unpacking){ .diff_id = "" };
	memcpy(grown[all->count].diff_id, diff_id, DIGEST_SIZE);
	memcpy(grown[all->count++].layer.digest, digest, DIGEST_SIZE);
	return 0;
}

static void run_unpacker(void *arg)
{
	struct unpackings *all = arg;

	for (;;) {
		struct error err = ERROR_INIT;
		struct unpacking *mine = NULL;

		pthread_mutex_lock(&all->lock);
		if (!all->err.code && all->next < all->count)
			mine = &all->items[all->next++];
		pthread_mutex_unlock(&all->lock);
		if (!mine)
			return;
		if (batch_unpack_blob(all->batch, mine->layer.digest, mine->diff_id, &mine->layer,
				      &err) == 0)
			continue;
		error_wrap(&err, -err.code, "layer sha256:%s", mine->layer.digest);
		pthread_mutex_lock(&all->lock);
		if (!all->err.code)
			all->err = err;
		pthread_mutex_unlock(&all->lock);
	}
}

static int unpack_all(struct unpackings *all, struct error *err)
{
	struct workers *workers = all->count > 1 ? workers_new(UNPACKERS) : NULL;

	pthread_mutex_init(&all->lock, NULL);
	/* Where no further thread can be had this one does it all. */
	for (int i = 1; workers && i < UNPACKERS; i++)
		workers_submit(workers, run_unpacker, all);
	run_unpacker(all);
	workers_free(workers);
	pthread_mutex_destroy(&all->lock);
	if (!all->err.code)
		return 0;
	if (err)
		*err = all->err;
	return -all->err.code;
}

/* --- configs ---------------------------------------------------------------------------------- */

static int read_diff_ids(struct batch *batch, const struct archive_image *image,
			 json_t **ret_config, json_t **ret_list, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	json_t *config auto_json = NULL;
	int ret = batch_read_text(batch, image->config, &text, err);

	if (ret == 0)
		ret = json_parse_text(strbuf_get_str(&text), text.len, &config, err);
	if (ret < 0)
		return error_wrap(err, ret, "image config sha256:%s", image->config);
	*ret_list = json_get_array(json_get_object(config, "rootfs"), "diff_ids");
	if (!*ret_list)
		return error_set(err, EINVAL,
				 "blob sha256:%s is no image config: no rootfs.diff_ids",
				 image->config);
	if (json_array_size(*ret_list) != image->layer_count)
		return error_set(err, EINVAL,
				 "the image has %zu layers where its config sha256:%s has %zu",
				 image->layer_count, image->config, json_array_size(*ret_list));
	*ret_config = steal_ptr(&config);
	return 0;
}

/* Which blob must be which layer. */
static int plan_layers(struct unpackings *all, const struct archive_image *image,
		       const char *platform, struct error *err)
{
	json_t *config auto_json = NULL;
	json_t *list = NULL, *entry;
	size_t i;
	int ret = read_diff_ids(all->batch, image, &config, &list, err);

	if (ret == 0 && platform)
		ret = error_wrap(err, platform_check(platform, config, err), "image %.12s",
				 image->config);
	if (ret < 0)
		return ret;
	json_array_foreach(list, i, entry) {
		const char *text = json_string_value(entry);

		if (!text || strncmp(text, "sha256:", 7) != 0 ||
		    strlen(text + 7) != DIGEST_SIZE - 1)
			return error_set(err, EINVAL, "image config: '%s' is no sha256 digest",
					 text ? text : "");
		ret = add_unpacking(all, image->layers[i], text + 7, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- images --------------------------------------------------------------------------------- */

static const struct batch_layer *find_layer(const struct unpackings *all, const char *digest)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i].layer.digest, digest) == 0)
			return &all->items[i].layer;
	return NULL;
}

/* docker save has no manifest: one is made, of nothing but what the archive holds. */
static int make_manifest(struct unpackings *all, struct archive_image *image, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT, manifest = STRBUF_INIT;
	json_t *layers auto_json = json_array();
	int ret = batch_read_text(all->batch, image->config, &config, err);

	for (size_t i = 0; ret == 0 && i < image->layer_count; i++) {
		const struct batch_layer *layer = find_layer(all, image->layers[i]);

		if (json_array_append_new(layers, describe_layer(layer)) < 0)
			ret = no_memory(err);
	}
	if (ret == 0)
		ret = describe_manifest(&config, layers, &manifest, err);
	if (ret == 0)
		ret = batch_put_text(all->batch, strbuf_get_str(&manifest), manifest.len,
				     image->manifest, err);
	return ret;
}

static int add_image(struct unpackings *all, struct archive_image *image, const char *name,
		     struct strbuf *ids, struct error *err)
{
	char id[GRAPH_ID_SIZE];
	size_t number;
	int ret = *image->manifest ? 0 : make_manifest(all, image, err);

	if (ret == 0)
		ret = batch_add_image(all->batch, image->config, image->manifest, &number, id, err);
	if (ret == 0 && name && *name)
		ret = batch_add_tag(all->batch, number, name, err);
	for (size_t i = 0; ret == 0 && !name && i < image->name_count; i++)
		ret = batch_add_tag(all->batch, number, image->names[i], err);
	if (ret == 0)
		strbuf_appendf(ids, "%s\n", id);
	return ret;
}

static void forget_names(struct archive_images *images)
{
	for (size_t i = 0; i < images->count; i++) {
		for (size_t k = 0; k < images->items[i].name_count; k++)
			free(images->items[i].names[k]);
		images->items[i].name_count = 0;
	}
}

/* The names of those that manifest.json lists too are in there as somebody wrote them. */
static int read_lists(struct batch *batch, const struct sorter *sorter, const char *platform_text,
		      struct archive_images *images, struct error *err)
{
	struct platform platform;
	bool has_index = sorter_find(sorter, "index.json");
	bool has_manifest = sorter_find(sorter, "manifest.json");
	int ret = platform_parse(platform_text, &platform, err);

	if (ret < 0)
		return ret;
	if (!has_index && !has_manifest && !sorter_has_v1(sorter))
		return error_set(err, EINVAL,
				 "the archive of images has neither index.json nor manifest.json");
	if (has_index)
		ret = archive_read_oci(batch, sorter, &platform, platform_text, images, err);
	if (ret == 0 && has_index && has_manifest)
		forget_names(images);
	if (ret == 0 && has_manifest)
		ret = archive_read_docker(sorter, images, err);
	if (!has_index && !has_manifest)
		ret = archive_read_v1(batch, sorter, images, err);
	if (ret == 0 && images->count == 0)
		ret = error_set(err, EINVAL, "the archive holds no image");
	return ret;
}

int archive_add_images(struct batch *batch, const struct sorter *sorter, const char *name,
		       const char *platform, struct strbuf *ret_ids, struct error *err)
{
	AUTO(archive_images_deinit) struct archive_images images = { .count = 0 };
	struct unpackings all = { .batch = batch, .err = ERROR_INIT };
	int ret = read_lists(batch, sorter, platform, &images, err);

	if (ret == 0 && name && images.count > 1)
		ret = error_set(
			err, EINVAL,
			"the archive holds %zu images; the command load takes them all, under "
			"the names in it",
			images.count);
	for (size_t i = 0; ret == 0 && i < images.count; i++)
		ret = plan_layers(&all, &images.items[i], platform, err);
	if (ret == 0)
		ret = unpack_all(&all, err);
	for (size_t i = 0; ret == 0 && i < images.count; i++)
		ret = add_image(&all, &images.items[i], name, ret_ids, err);
	free(all.items);
	return ret;
}
