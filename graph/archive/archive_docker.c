/* manifest.json of docker save: a list of images, each with the paths of its config and
 * layers in the archive and its tags. What the archive's paths are called does not
 * matter here: digests are of the content.
 */
#include "graph/archive/archive_private.h"

#include <string.h>

static int take_layers(const struct sorter *sorter, json_t *entry, struct archive_image *image,
		       struct error *err)
{
	json_t *layers = json_get_array(entry, "Layers");
	size_t i;
	json_t *path;
	int ret = archive_image_set_layers(image, json_array_size(layers), err);

	if (ret < 0)
		return ret;
	json_array_foreach(layers, i, path) {
		const char *text = json_string_value(path);
		const char *digest = text ? sorter_find(sorter, text) : NULL;

		if (!digest)
			return error_set(err, EINVAL,
					 "manifest.json: the archive has no layer '%s'",
					 text ? text : "");
		memcpy(image->layers[i], digest, DIGEST_SIZE);
	}
	return 0;
}

static int take_names(json_t *entry, struct archive_image *image, struct error *err)
{
	size_t i;
	json_t *name;
	int ret = 0;

	json_array_foreach(json_get_array(entry, "RepoTags"), i, name) {
		if (ret == 0 && json_is_string(name))
			ret = archive_image_add_name(image, json_string_value(name), err);
	}
	return ret;
}

static int take_image(const struct sorter *sorter, json_t *entry, struct archive_images *images,
		      struct error *err)
{
	const char *path = json_get_str(entry, "Config", "");
	const char *config = sorter_find(sorter, path);
	struct archive_image *image;
	bool is_new;
	int ret;

	if (!config)
		return error_set(err, EINVAL, "manifest.json: the archive has no config '%s'",
				 path);
	ret = archive_images_get(images, config, &image, &is_new, err);
	if (ret == 0 && is_new)
		ret = take_layers(sorter, entry, image, err);
	return ret < 0 ? ret : take_names(entry, image, err);
}

int archive_read_docker(const struct sorter *sorter, struct archive_images *images,
			struct error *err)
{
	json_t *list auto_json = NULL;
	size_t i;
	json_t *entry;
	int ret = sorter_read_json(sorter, "manifest.json", &list, err);

	if (ret < 0)
		return ret;
	if (!json_is_array(list))
		return error_set(err, EINVAL, "manifest.json: it is no list");
	json_array_foreach(list, i, entry) {
		ret = take_image(sorter, entry, images, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}
