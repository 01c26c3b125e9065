/* commit_read() and commit_publish(): an upper directory as a layer, and what the new image
 * says of itself. As root: whiteouts are devices. ctest-labels: threads
 */
#include "graph/commit.h"
#include "tests/graph/fixture.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* The image "base:1" of one file. */
static struct image *import_base(struct fixture *fixture)
{
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct import *import;
	char id[GRAPH_ID_SIZE];
	struct image *image;

	tar_file(&tar, "file", "old");
	tar_end(&tar);
	assert_ok(graph_import_begin(fixture->graph, "base:1", &import, &err), &err);
	assert_ok(graph_import_write(import, 0, tar.data, tar.len, &err), &err);
	assert_ok(graph_import_finish(import, false, "imported", id, &err), &err);
	image = graph_find_image(fixture->graph, id, &err);
	assert_non_null(image);
	return image;
}

static int open_at(const struct fixture *fixture, const char *name)
{
	int fd = openat(fixture->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int commit_dirs(struct fixture *fixture, const char *upper, const char *lower,
		       struct commit **ret, struct error *err)
{
	static const char *const made[] = { "/proc", NULL };
	auto_fd int upper_fd = open_at(fixture, upper), lower_fd = open_at(fixture, lower);

	return commit_read(fixture->graph, upper_fd, lower_fd, made, NULL, NULL, ret, err);
}

static int note_id(void *arg, const char *id)
{
	memcpy(arg, id, GRAPH_ID_SIZE);
	return 0;
}

/* An image of the directories; a reference. */
static struct image *make_image(struct fixture *fixture, struct image *base, const char *upper,
				const char *lower, const char *name)
{
	AUTO(commit_free) struct commit *commit = NULL;
	auto_json json_t *config = json_pack("{s:[s]}", "Cmd", "ls");
	struct commit_text text = { .image = base,
				    .config = config,
				    .created_by = "ls",
				    .comment = "why",
				    .author = "who" };
	char id[GRAPH_ID_SIZE], noted[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;
	struct image *image;

	assert_ok(commit_dirs(fixture, upper, lower, &commit, &err), &err);
	assert_ok(commit_publish(commit, &text, name, note_id, noted, id, &err), &err);
	assert_string_equal(id, noted);
	image = graph_find_image(fixture->graph, id, &err);
	assert_non_null(image);
	return image;
}

/* The paths in a layer's archive, as tar lists them. */
static void assert_archive(const struct fixture *fixture, const struct image *image,
			   const char *want)
{
	AUTO(strbuf_deinit) struct strbuf command = STRBUF_INIT;
	const json_t *layers = json_get_array(image->manifest, "layers");
	const json_t *layer = json_array_get(layers, json_array_size(layers) - 1);

	assert_string_equal(json_get_str(layer, "mediaType", ""),
			    "application/vnd.oci.image.layer.v1.tar+gzip");
	strbuf_appendf(&command,
		       "gzip -dc images/blobs/sha256/%s >layer.tar && tar tf layer.tar >list && "
		       "[ \"$(sha256sum <layer.tar)\" = '%s  -' ]",
		       json_get_str(layer, "digest", "") + strlen("sha256:"),
		       image->diff_ids[image->layer_count - 1]);
	run(fixture, strbuf_get_str(&command));
	assert_content(fixture->fd, "list", want);
}

static void test_layer(void **state)
{
	struct fixture *fixture = *state;
	AUTO(image_unref) struct image *base = import_base(fixture), *image = NULL;
	auto_fd int upper = -1, layer = -1;
	struct stat st, other;
	char value[8];

	run(fixture, "mkdir -p lower/dir/sub lower/dir2 lower/was/in lower/kept upper/dir "
		     "upper/new upper/dir2 "
		     "upper/proc upper/kept && echo x >lower/file && echo x >lower/dir/old && echo "
		     "1 >lower/kept/a && "
		     "echo changed >upper/file && echo a >upper/new/a && ln upper/new/a upper/b && "
		     "ln -s a upper/new/link && mkfifo upper/pipe && echo now >upper/was && "
		     "mknod upper/dir/old c 0 0 && chown 5:6 upper/b && touch -d @1000.5 upper/b");
	upper = open_at(fixture, "upper/dir2");
	assert_int_equal(fsetxattr(upper, "trusted.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(fsetxattr(upper, "user.mine", "1", 1, 0), 0);
	image = make_image(fixture, base, "upper", "lower", "new:1");
	assert_archive(fixture, image,
		       "b\ndir/\ndir/.wh.old\ndir2/\nfile\nnew/\nnew/a\nnew/link\npipe\nwas\n");

	assert_int_equal(image->layer_count, 2);
	assert_string_equal(image->diff_ids[0], base->diff_ids[0]);
	assert_int_equal(image->layer_sizes[1], 8 + 2 + 4);
	layer = openat(graph_get_layers_fd(fixture->graph), image->diff_ids[1],
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_content(layer, "new/a", "a\n");
	assert_int_equal(fstatat(layer, "dir/old", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(fstatat(layer, "b", &st, 0), 0);
	assert_int_equal(fstatat(layer, "new/a", &other, 0), 0);
	assert_true(st.st_ino == other.st_ino && st.st_uid == 5 && st.st_gid == 6);
	assert_true(st.st_mtim.tv_sec == 1000 && st.st_mtim.tv_nsec == 500000000);
	auto_fd int dir2 = openat(layer, "dir2", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(dir2, "user.mine", value, sizeof(value)), 1);
	assert_int_equal(fgetxattr(dir2, "trusted.overlay.opaque", value, sizeof(value)), -1);
	assert_string_equal(fixture->events,
			    "import(base:1) tag(base:1) commit(new:1) tag(new:1) ");
}

static void test_texts(void **state)
{
	struct fixture *fixture = *state;
	AUTO(image_unref) struct image *base = import_base(fixture), *image = NULL, *same = NULL;
	const json_t *history, *step;

	run(fixture, "mkdir lower upper empty && echo x >upper/file");
	image = make_image(fixture, base, "upper", "lower", NULL);
	history = json_get_array(image->config, "history");
	assert_int_equal(json_array_size(history), 2);
	step = json_array_get(history, 1);
	assert_string_equal(json_get_str(step, "created_by", ""), "ls");
	assert_string_equal(json_get_str(step, "comment", ""), "why");
	assert_string_equal(json_get_str(step, "author", ""), "who");
	assert_false(json_get_bool(step, "empty_layer", false));
	assert_string_equal(json_get_str(image->config, "author", ""), "who");
	assert_string_equal(json_get_str(image->config, "architecture", ""),
			    json_get_str(base->config, "architecture", "?"));
	assert_int_equal(
		json_array_size(json_get_array(json_get_object(image->config, "config"), "Cmd")),
		1);

	/* Nothing changed: a step without a layer. */
	same = make_image(fixture, image, "empty", "lower", "same:1");
	assert_int_equal(same->layer_count, 2);
	history = json_get_array(same->config, "history");
	assert_int_equal(json_array_size(history), 3);
	assert_true(json_get_bool(json_array_get(history, 2), "empty_layer", false));
	assert_int_equal(count_entries(fixture, "images/layers"), 2);
}

/* Bytes of which most must be compressed in several blocks. */
static void test_large(void **state)
{
	struct fixture *fixture = *state;
	AUTO(image_unref) struct image *base = import_base(fixture), *image = NULL;

	run(fixture, "mkdir lower upper && head -c 3000000 /dev/urandom >upper/random && "
		     "seq 300000 >upper/text && truncate -s 5000000 upper/hole");
	image = make_image(fixture, base, "upper", "lower", "new:1");
	assert_archive(fixture, image, "hole\nrandom\ntext\n");
	run(fixture, "mkdir out && tar xf layer.tar -C out && diff -r out upper");
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	struct commit *commit = NULL;
	struct error err = ERROR_INIT;

	run(fixture, "mkdir -p lower upper/a && touch upper/a/.wh.x");
	assert_error(commit_dirs(fixture, "upper", "lower", &commit, &err), &err, EINVAL,
		     "'/a/.wh.x' cannot be in an image: there, names that begin with .wh. mean "
		     "removals");
	assert_null(commit);
	assert_store_empty(fixture);
}

static int refuse(void *arg, struct error *err)
{
	unsigned *left = arg;

	return (*left)-- == 0 ? error_set(err, EINTR, "enough") : 0;
}

static void test_interrupted(void **state)
{
	struct fixture *fixture = *state;
	auto_fd int upper = -1;

	run(fixture, "mkdir upper && head -c 1000000 /dev/urandom >upper/file");
	upper = open_at(fixture, "upper");
	for (unsigned left = 0; left < 8; left++) {
		struct commit *commit = NULL;
		struct error err = ERROR_INIT;
		unsigned count = left;

		assert_error(
			commit_read(fixture->graph, upper, -1, NULL, refuse, &count, &commit, &err),
			&err, EINTR, "enough");
	}
	assert_store_empty(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_layer),   TEST(test_texts),       TEST(test_large),
		TEST(test_refused), TEST(test_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
