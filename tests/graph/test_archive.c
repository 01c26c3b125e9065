/* Archives of images: told apart by content, taken whole or not at all.
 *
 * ctest-labels: threads
 */
#include "tests/graph/archive_maker.h"
#include "tests/graph/fixture.h"

#include "graph/archive/archive.h"
#include "graph/describe.h"

static struct error last;

static int import_all(struct fixture *fixture, const char *name, const struct strbuf *tar,
		      char id[GRAPH_ID_SIZE])
{
	last = (struct error)ERROR_INIT;
	return import_tar(fixture->graph, name, tar, id, &last);
}

/* An import that must fail, and leave nothing. */
static void refuse(struct fixture *fixture, const struct strbuf *tar, int code,
		   const char *sentence)
{
	char id[GRAPH_ID_SIZE];

	assert_int_equal(import_all(fixture, "bad", tar, id), -code);
	if (!strstr(last.msg, sentence))
		print_message("'%s' where '%s' was expected\n", last.msg, sentence);
	assert_non_null(strstr(last.msg, sentence));
	assert_store_empty(fixture);
}

static void check_image(struct fixture *fixture, const char *name, const char *id,
			const char *content)
{
	struct error err = ERROR_INIT;
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, name, &err);

	assert_string_equal(err.msg, "");
	assert_string_equal(image->id, id);
	auto_fd int fd = open_layer(fixture, name);
	assert_content(fd, "file", content);
}

static void test_oci(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct made_image made;
	char id[GRAPH_ID_SIZE];

	make_image(&made, "me", "hello");
	tar_dir(&tar, "./");
	tar_oci(&tar, &made, "");
	assert_int_equal(import_all(fixture, "demo", &tar, id), 0);
	assert_string_equal(id, made.id);
	assert_string_equal(fixture->events, "import(demo:latest) tag(demo:latest) ");
	check_image(fixture, "demo", made.id, "hello");
	/* The three blobs of the image; index.json and oci-layout are none of it. */
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
	/* The manifest is the archive's, byte for byte. */
	char path[120], digest[DIGEST_SIZE];
	get_digest(&made.manifest, digest);
	snprintf(path, sizeof(path), "images/blobs/sha256/%s", digest);
	assert_content(fixture->fd, path, strbuf_get_str(&made.manifest));
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "demo", NULL);
	assert_string_equal(image->manifest_text, strbuf_get_str(&made.manifest));
	assert_string_equal(image_get_manifest_digest(image), digest);
	/* Again under another name: the same image. */
	assert_int_equal(import_all(fixture, "again", &tar, id), 0);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	assert_int_equal(graph_untag(fixture->graph, "demo", NULL, NULL), 0);
	check_image(fixture, "again", made.id, "hello");
	assert_int_equal(graph_untag(fixture->graph, "again", NULL, NULL), 0);
	assert_store_empty(fixture);
	made_image_deinit(&made);
}

static void test_index_first_and_compressed(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct made_image made;
	char id[GRAPH_ID_SIZE];

	make_image(&made, "me", "first");
	tar_index(&tar, &made.manifest, "");
	tar_file(&tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	tar_dir(&tar, "blobs");
	tar_dir(&tar, "blobs/sha256");
	tar_image_blobs(&tar, &made);
	tar_end(&tar);
	auto_fd int fd = openat(fixture->fd, "x.tar", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(path_write_all(fd, tar.data, tar.len), 0);
	static const char *const tools[] = { "gzip", "bzip2", "xz", "zstd -q" };
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		char command[64];
		struct strbuf bytes AUTO(strbuf_deinit) = STRBUF_INIT;

		snprintf(command, sizeof(command), "%s -c x.tar >x.packed", tools[i]);
		run(fixture, command);
		assert_int_equal(path_read_file(fixture->fd, "x.packed", 1 << 20, &bytes, NULL), 0);
		assert_int_equal(import_all(fixture, "packed", &bytes, id), 0);
		check_image(fixture, "packed", made.id, "first");
		assert_int_equal(graph_untag(fixture->graph, "packed", NULL, NULL), 0);
	}
	assert_store_empty(fixture);
	made_image_deinit(&made);
}

static void test_names(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, ids = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf index = STRBUF_INIT;
	struct made_image a, b;
	struct error err = ERROR_INIT;

	make_image(&a, "a", "of a");
	make_image(&b, "b", "of b");
	tar_image_blobs(&tar, &a);
	tar_image_blobs(&tar, &b);
	strbuf_append_str(&index, "{\"manifests\":[");
	append_descriptor(&index, &a.manifest,
			  ",\"annotations\":{\"io.containerd.image.name\":"
			  "\"docker.io/library/a:1\"}");
	strbuf_append_str(&index, ",");
	append_descriptor(&index, &a.manifest,
			  ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"host:5/a\"}");
	strbuf_append_str(&index, ",");
	append_descriptor(&index, &b.manifest,
			  ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}");
	strbuf_append_str(&index, "]}");
	tar_bytes(&tar, "index.json", &index);
	tar_end(&tar);
	assert_ok(load_bytes(fixture->graph, &tar, &ids, &err), &err);
	char want[2 * GRAPH_ID_SIZE + 1];
	snprintf(want, sizeof(want), "%s\n%s\n", a.id, b.id);
	assert_string_equal(strbuf_get_str(&ids), want);
	assert_string_equal(fixture->events, "load(a:1) load() tag(a:1) tag(host:5/a:latest) ");
	check_image(fixture, "a:1", a.id, "of a");
	check_image(fixture, "host:5/a:latest", a.id, "of a");
	check_image(fixture, b.id, b.id, "of b");
	/* One name is not enough for two. */
	char id[GRAPH_ID_SIZE];
	assert_int_equal(import_all(fixture, "c", &tar, id), -EINVAL);
	assert_non_null(strstr(last.msg, "holds 2 images; the command load"));
	made_image_deinit(&a);
	made_image_deinit(&b);
}

/* Of two platforms ours; alone, another's is wanted. */
static void test_platforms(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, inner = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf alone = STRBUF_INIT;
	struct made_image ours, other;
	char more[128], id[GRAPH_ID_SIZE];

	make_image(&ours, "ours", "ours");
	make_image(&other, "other", "other");
	tar_image_blobs(&tar, &ours);
	strbuf_append_str(&inner, "{\"manifests\":[");
	/* What is not chosen need not be there. */
	append_descriptor(&inner, &other.manifest,
			  ",\"platform\":{\"os\":\"linux\",\"architecture\":\"vax\"}");
	strbuf_append_str(&inner, ",");
	snprintf(more, sizeof(more), ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}",
		 describe_architecture());
	append_descriptor(&inner, &ours.manifest, more);
	strbuf_append_str(&inner, "]}");
	tar_blob(&tar, &inner);
	tar_index(&tar, &inner, "");
	tar_end(&tar);
	assert_int_equal(import_all(fixture, "list", &tar, id), 0);
	check_image(fixture, "list", ours.id, "ours");
	tar_oci(&alone, &other, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"vax\"}");
	assert_int_equal(import_all(fixture, "vax", &alone, id), 0);
	check_image(fixture, "vax", other.id, "other");
	made_image_deinit(&ours);
	made_image_deinit(&other);
}

static int load_for(struct fixture *fixture, const char *platform, const struct strbuf *tar,
		    struct strbuf *ids)
{
	struct import *import;

	last = (struct error)ERROR_INIT;
	assert_ok(graph_load_begin(fixture->graph, platform, &import, &last), &last);
	assert_ok(graph_import_write(import, 0, tar->data, tar->len, &last), &last);
	return graph_load_finish(import, ids, &last);
}

/* Asked for by name: that one, or none. */
static void test_platform_asked(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, inner = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	struct made_image six, seven;
	struct import *import;

	make_image_of(&six, "\"architecture\":\"arm\",\"variant\":\"v6\"", "six", "six");
	make_image_of(&seven, "\"architecture\":\"arm\",\"variant\":\"v7\"", "seven", "seven");
	tar_image_blobs(&tar, &six);
	tar_image_blobs(&tar, &seven);
	strbuf_append_str(&inner, "{\"manifests\":[");
	append_descriptor(
		&inner, &six.manifest,
		",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"}");
	strbuf_append_str(&inner, ",");
	append_descriptor(
		&inner, &seven.manifest,
		",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}");
	strbuf_append_str(&inner, "]}");
	tar_blob(&tar, &inner);
	tar_index(&tar, &inner, "");
	tar_end(&tar);
	assert_int_equal(load_for(fixture, "linux/arm/v7", &tar, &ids), 0);
	assert_memory_equal(strbuf_get_str(&ids), seven.id, 64);
	strbuf_reset(&ids);
	/* An older one than there is a newer image for. */
	assert_int_equal(load_for(fixture, "linux/arm/v6", &tar, &ids), 0);
	assert_memory_equal(strbuf_get_str(&ids), six.id, 64);
	assert_int_equal(load_for(fixture, "linux/vax", &tar, &ids), -ENOENT);
	assert_non_null(strstr(last.msg, "no image for linux/vax"));
	error_clear(&last);
	assert_int_equal(graph_load_begin(fixture->graph, "a b", &import, &last), -EINVAL);
	made_image_deinit(&six);
	made_image_deinit(&seven);
}

static void test_docker_save(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, ids = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf list = STRBUF_INIT;
	struct made_image made;
	struct error err = ERROR_INIT;
	char first[64 + 32], second[64 + 32], config[DIGEST_SIZE + 8], path[160];

	/* Two layers, the same one, which is there once: the second is a link. */
	make_image(&made, "me", "docker");
	strbuf_deinit(&made.config);
	made.config = (struct strbuf)STRBUF_INIT;
	make_config(&made.config, "me", (const char *const[]){ made.diff_id, made.diff_id, NULL });
	get_digest(&made.config, made.id);
	snprintf(first, sizeof(first), "%064d/layer.tar", 1);
	snprintf(second, sizeof(second), "%064d/layer.tar", 2);
	snprintf(config, sizeof(config), "%s.json", made.id);
	snprintf(path, sizeof(path), "../%s", first);
	tar_header(&tar, '2', second, 0777, path, 0);
	snprintf(path, sizeof(path), "%064d/VERSION", 1);
	tar_file(&tar, path, "1.0");
	tar_bytes(&tar, first, &made.layer);
	tar_bytes(&tar, config, &made.config);
	strbuf_appendf(&list,
		       "[{\"Config\":\"%s\",\"RepoTags\":[\"a:1\",\"docker.io/team/b:2\"],"
		       "\"Layers\":[\"%s\",\"%s\"]}]",
		       config, first, second);
	tar_bytes(&tar, "manifest.json", &list);
	tar_file(&tar, "repositories", "{}");
	tar_end(&tar);
	assert_ok(load_bytes(fixture->graph, &tar, &ids, &err), &err);
	assert_memory_equal(strbuf_get_str(&ids), made.id, 64);
	assert_string_equal(fixture->events, "load(a:1) tag(a:1) tag(team/b:2) ");
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "team/b:2", &err);
	assert_int_equal(image->layer_count, 2);
	assert_int_equal(image->size_bytes, 12);
	assert_string_equal(json_get_str(image->manifest, "mediaType", ""), MEDIA_MANIFEST);
	assert_string_equal(image->config_text, strbuf_get_str(&made.config));
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	made_image_deinit(&made);
}

/* A layer that has something in a directory without an entry for it shows the one below. */
static void test_implied_directories(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, upper = STRBUF_INIT;
	struct made_image made;
	char diff_id[DIGEST_SIZE], id[GRAPH_ID_SIZE];
	struct stat st;

	make_image(&made, "me", "x");
	strbuf_reset(&made.layer);
	tar_header(&made.layer, '5', "./", 0711, NULL, 0);
	tar_header(&made.layer, '5', "tmp/", 01777, NULL, 0);
	tar_header(&made.layer, '5', "a/", 0750, NULL, 0);
	tar_header(&made.layer, '5', "a/b/", 0700, NULL, 0);
	tar_end(&made.layer);
	tar_file(&upper, "tmp/new", "new");
	tar_file(&upper, "a/b/.wh.gone", "");
	tar_file(&upper, "a/c/d/file", "");
	tar_header(&upper, '5', "a/c/", 0701, NULL, 0);
	tar_end(&upper);
	get_digest(&made.layer, made.diff_id);
	get_digest(&upper, diff_id);
	strbuf_reset(&made.config);
	strbuf_reset(&made.manifest);
	make_config(&made.config, "me", (const char *const[]){ made.diff_id, diff_id, NULL });
	make_manifest(&made.manifest, &made.config,
		      (const struct strbuf *const[]){ &made.layer, &upper, NULL });
	tar_blob(&tar, &upper);
	tar_oci(&tar, &made, "");
	assert_int_equal(import_all(fixture, "two", &tar, id), 0);
	auto_fd int fd = openat(graph_get_layers_fd(fixture->graph), diff_id,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const struct {
		const char *path;
		mode_t mode;
	} wanted[] = { { ".", 0711 },   { "tmp", 01777 }, { "a", 0750 },
		       { "a/b", 0700 }, { "a/c", 0701 },  { "a/c/d", 0755 } };
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_int_equal(fstatat(fd, wanted[i].path, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, wanted[i].mode);
		if (wanted[i].mode == 0755)
			continue;
		assert_int_equal(st.st_uid, 12);
		assert_int_equal(st.st_mtime, 1700000000);
	}
	made_image_deinit(&made);
}

/* What looks like an archive of images until it does not. */
static void test_root_file_systems(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, plain = STRBUF_INIT;
	char id[GRAPH_ID_SIZE], digits[DIGEST_SIZE + 8];
	struct error err = ERROR_INIT;

	tar_dir(&tar, "./");
	tar_file(&tar, "./manifest.json", "[{\"Config\":\"x\",\"Layers\":[]}]");
	tar_file(&tar, "./index.json", "{\"manifests\":[]}");
	tar_file(&tar, "./oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	snprintf(digits, sizeof(digits), "%064d.json", 7);
	tar_file(&tar, digits, "{}");
	tar_file(&tar, "./file", "of a root");
	tar_header(&tar, '1', "./link", 0644, "manifest.json", 0);
	tar_end(&tar);
	assert_int_equal(import_all(fixture, "root", &tar, id), 0);
	auto_fd int fd = open_layer(fixture, "root");
	assert_content(fd, "file", "of a root");
	assert_content(fd, "manifest.json", "[{\"Config\":\"x\",\"Layers\":[]}]");
	assert_content(fd, "link", "[{\"Config\":\"x\",\"Layers\":[]}]");
	assert_content(fd, digits, "{}");
	/* The blob is the archive as it came. */
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "root", &err);
	char digest[DIGEST_SIZE];
	get_digest(&tar, digest);
	assert_string_equal(image->diff_ids[0], digest);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	/* Nothing but such a name. */
	tar_file(&plain, "manifest.json", "[]");
	tar_end(&plain);
	assert_int_equal(import_all(fixture, "list", &plain, id), 0);
	/* load wants images. */
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	assert_int_equal(load_bytes(fixture->graph, &tar, &ids, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "the archive holds a root file system and no images; import it");
	err = (struct error)ERROR_INIT;
	assert_int_equal(load_bytes(fixture->graph, &plain, &ids, &err), -EINVAL);
}

/* --- what is wrong ---------------------------------------------------------------------- */

static void test_wrong_digests(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, config = STRBUF_INIT;
	struct made_image made;
	char name[DIGEST_SIZE + 16];

	make_image(&made, "me", "hello");
	/* A blob that is not what it is called. */
	snprintf(name, sizeof(name), "blobs/sha256/%s", made.id);
	tar_bytes(&tar, name, &made.layer);
	tar_end(&tar);
	refuse(fixture, &tar, EBADMSG, made.id);
	assert_non_null(strstr(last.msg, made.diff_id));
	/* A layer that is not its config's. */
	strbuf_reset(&tar);
	make_config(&config, "me", (const char *const[]){ made.id, NULL });
	strbuf_deinit(&made.config);
	made.config = config;
	config = (struct strbuf)STRBUF_INIT;
	strbuf_reset(&made.manifest);
	make_manifest(&made.manifest, &made.config,
		      (const struct strbuf *const[]){ &made.layer, NULL });
	tar_oci(&tar, &made, "");
	refuse(fixture, &tar, EBADMSG, made.id);
	assert_non_null(strstr(last.msg, made.diff_id));
	/* A config of docker save, called after another. */
	strbuf_reset(&tar);
	snprintf(name, sizeof(name), "%s.json", made.diff_id);
	tar_bytes(&tar, name, &made.config);
	strbuf_appendf(&config, "[{\"Config\":\"%s\",\"Layers\":[]}]", name);
	tar_bytes(&tar, "manifest.json", &config);
	tar_end(&tar);
	refuse(fixture, &tar, EBADMSG, made.diff_id);
	made_image_deinit(&made);
}

static void test_wrong_sizes(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, index = STRBUF_INIT;
	struct made_image made;
	char digest[DIGEST_SIZE];

	make_image(&made, "me", "hello");
	tar_image_blobs(&tar, &made);
	get_digest(&made.manifest, digest);
	strbuf_appendf(&index, "{\"manifests\":[{\"digest\":\"sha256:%s\",\"size\":7}]}", digest);
	tar_bytes(&tar, "index.json", &index);
	tar_end(&tar);
	refuse(fixture, &tar, EBADMSG, "bytes where 7 were expected");
	made_image_deinit(&made);
}

/* Each text in the place of index.json, beside the blobs of an image. */
static void test_bad_indexes(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "", "'index.json' of the archive: " },
		{ "{", "'index.json' of the archive: " },
		{ "[]", "the archive holds no image" },
		{ "{\"manifests\":[]}", "the archive holds no image" },
		{ "{\"manifests\":[7]}", "'' is no sha256 digest" },
		{ "{\"manifests\":[{\"digest\":\"sha512:00\"}]}", "'sha512:00' is no sha256" },
		{ "{\"manifests\":[{\"digest\":\"sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000\"}]}",
		  "the archive has no blob sha256:0000" },
	};
	struct made_image made;

	make_image(&made, "me", "hello");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;

		tar_image_blobs(&tar, &made);
		tar_file(&tar, "index.json", cases[i].text);
		tar_end(&tar);
		refuse(fixture, &tar, EINVAL, cases[i].sentence);
	}
	AUTO(strbuf_deinit) struct strbuf none = STRBUF_INIT;
	tar_image_blobs(&none, &made);
	tar_end(&none);
	refuse(fixture, &none, EINVAL, "has neither index.json nor manifest.json");
	made_image_deinit(&made);
}

/* An index in an index in an index. */
static void test_deep_indexes(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, inner = STRBUF_INIT;
	struct made_image made;

	make_image(&made, "me", "hello");
	tar_image_blobs(&tar, &made);
	strbuf_append(&inner, strbuf_get_str(&made.manifest), made.manifest.len);
	for (int i = 0; i <= ARCHIVE_INDEX_DEPTH_MAX; i++) {
		AUTO(strbuf_deinit) struct strbuf outer = STRBUF_INIT;

		strbuf_append_str(&outer, "{\"manifests\":[");
		append_descriptor(&outer, &inner, "");
		strbuf_append_str(&outer, "]}");
		tar_blob(&tar, &outer);
		strbuf_reset(&inner);
		strbuf_append(&inner, strbuf_get_str(&outer), outer.len);
	}
	tar_index(&tar, &inner, "");
	tar_end(&tar);
	refuse(fixture, &tar, EINVAL, "indexes in indexes");
	made_image_deinit(&made);
}

/* Each text in the place of manifest.json, beside a config and a layer. */
static void test_bad_lists(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *list, *sentence;
	} cases[] = {
		{ "[{\"Config\":\"none\",\"Layers\":[]}]", "the archive has no config 'none'" },
		{ "{}", "manifest.json: it is no list" },
		{ "[]", "the archive holds no image" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"../../etc/passwd\"]}]",
		  "the archive has no layer '../../etc/passwd'" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[7]}]", "the archive has no layer ''" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[]}]", "0 layers where its config" },
		{ "[{\"Config\":\"config.json\",\"Layers\":[\"l\"],\"RepoTags\":[\"UPPER\"]}]",
		  "a name in the archive: " },
		{ "[{\"Config\":\"l\",\"Layers\":[]}]", "image config sha256:" },
		{ "[{\"Config\":\"loop\",\"Layers\":[]}]", "the archive has no config 'loop'" },
	};
	struct made_image made;
	char name[DIGEST_SIZE + 16];

	make_image(&made, "me", "hello");
	snprintf(name, sizeof(name), "%s.json", made.id);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;

		tar_bytes(&tar, name, &made.config);
		tar_bytes(&tar, "config.json", &made.config);
		tar_bytes(&tar, "l", &made.layer);
		tar_header(&tar, '2', "loop", 0777, "loop", 0);
		tar_file(&tar, "manifest.json", cases[i].list);
		tar_end(&tar);
		refuse(fixture, &tar, EINVAL, cases[i].sentence);
	}
	made_image_deinit(&made);
}

/* Cut off anywhere, it leaves nothing. */
static void test_cut_off(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct made_image made;

	make_image(&made, "me", "hello");
	tar_oci(&tar, &made, "");
	for (size_t len = 700; len < tar.len - 512; len += 777) {
		struct strbuf part = { .data = tar.data, .len = len };

		refuse(fixture, &part, EINVAL, "cut off");
	}
	made_image_deinit(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_oci),
		TEST(test_index_first_and_compressed),
		TEST(test_names),
		TEST(test_platforms),
		TEST(test_platform_asked),
		TEST(test_docker_save),
		TEST(test_implied_directories),
		TEST(test_root_file_systems),
		TEST(test_wrong_digests),
		TEST(test_wrong_sizes),
		TEST(test_bad_indexes),
		TEST(test_deep_indexes),
		TEST(test_bad_lists),
		TEST(test_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
