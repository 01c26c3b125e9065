/* Tags, folders, removal, finding, and what is there after a close or a crash.
 *
 * ctest-labels: threads
 */
#include "graph/store.h"
#include "tests/graph/fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* An image with one file of that content. */
static void add_image(struct fixture *fixture, const char *name, const char *content,
		      char ret_id[GRAPH_ID_SIZE])
{
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;

	tar_file(&tar, "file", content);
	tar_end(&tar);
	int ret = import_tar(fixture->graph, name, &tar, ret_id, &err);
	assert_ok(ret, &err);
	fixture->events[0] = '\0';
}

static void assert_tags(struct fixture *fixture, const char *want)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < snapshot->tag_count; i++)
		strbuf_appendf(&text, "%s%s", i ? " " : "", snapshot->tags[i].name);
	assert_string_equal(strbuf_get_str(&text), want);
}

static void assert_folders(struct fixture *fixture, const char *want)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < snapshot->folder_count; i++)
		strbuf_appendf(&text, "%s%s", i ? " " : "", snapshot->folders[i]);
	assert_string_equal(strbuf_get_str(&text), want);
}

static void assert_id(struct fixture *fixture, const char *ref, const char *id)
{
	struct error err = ERROR_INIT;
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, ref, &err);
	assert_string_equal(err.msg, "");
	assert_string_equal(image->id, id);
}

static void assert_missing(struct fixture *fixture, const char *ref, int code, const char *msg)
{
	struct error err = ERROR_INIT;
	assert_null(graph_find_image(fixture->graph, ref, &err));
	assert_int_equal(err.code, code);
	assert_string_equal(err.msg, msg);
}

static void test_finding(void **state)
{
	struct fixture *fixture = *state;
	char id[GRAPH_ID_SIZE], ref[80];

	add_image(fixture, "a:1", "one", id);
	assert_id(fixture, "a:1", id);
	assert_id(fixture, id, id);
	snprintf(ref, sizeof(ref), "sha256:%s", id);
	assert_id(fixture, ref, id);
	snprintf(ref, sizeof(ref), "%.12s", id);
	assert_id(fixture, ref, id);
	snprintf(ref, sizeof(ref), "%.4s", id);
	assert_id(fixture, ref, id);
	assert_missing(fixture, "a", ENOENT, "no such image: a");
	assert_missing(fixture, "", ENOENT, "no such image: ");
	assert_missing(fixture, "sha256:", ENOENT, "no such image: sha256:");
	snprintf(ref, sizeof(ref), "%.3s", id);
	struct error err = ERROR_INIT;
	assert_null(graph_find_image(fixture->graph, ref, &err));
	assert_int_equal(err.code, ENOENT);
}

/* Ids cannot be chosen, so the images are made up. */
static void test_ambiguous(void **state)
{
	struct stored_image one = { .image = { .refs = 1, .id = "abcdef0" } };
	struct stored_image two = { .image = { .refs = 1, .id = "abcdff0" } };
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = snapshot_new(2, 0, 0);
	struct error err = ERROR_INIT;
	(void)state;

	assert_non_null(snapshot);
	snapshot_add_image(snapshot, &one.image);
	snapshot_add_image(snapshot, &two.image);
	assert_null(graph_find_digits(snapshot, "abcd", "abcd", &err));
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.msg, "'abcd' is the beginning of more than one image's id");
	assert_ptr_equal(graph_find_digits(snapshot, "abcdf", "abcdf", NULL), &two.image);
}

#define DIGITS "1111111111111111111111111111111111111111111111111111111111111111"
#define OTHERS "2222222222222222222222222222222222222222222222222222222222222222"

/* "NAME@D NAME@D": of digests the first digit. */
static void assert_digests(struct fixture *fixture, const char *want)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < snapshot->digest_count; i++) {
		const char *name = snapshot->digests[i].name;

		strbuf_appendf(&text, "%s%.*s@%c", i ? " " : "", (int)strcspn(name, "@"), name,
			       strchr(name, '@')[8]);
	}
	assert_string_equal(strbuf_get_str(&text), want);
}

/* What registries call an image finds it, survives, moves, and goes with the repository's last tag. */
static void test_digests(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	add_image(fixture, "r/a:1", "1", one);
	add_image(fixture, NULL, "2", two);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, one, &err);
	assert_ok(graph_tag(fixture->graph, image, "b:1", false, &err), &err);
	fixture->events[0] = '\0';
	assert_ok(graph_note_digest(fixture->graph, image, "r/a@sha256:" DIGITS, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, image, "b@sha256:" DIGITS, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, image, "b@sha256:" OTHERS, &err), &err);
	assert_string_equal(fixture->events, "");
	assert_id(fixture, "r/a:9@sha256:" DIGITS, one);
	assert_missing(fixture, "r/a@sha256:" OTHERS, ENOENT, "no such image: r/a@sha256:" OTHERS);
	graph_close(fixture->graph);
	open_graph(fixture);
	assert_digests(fixture, "b@1 b@2 r/a@1");
	assert_tags(fixture, "b:1 r/a:1");
}

static void test_digests_go(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;
	bool deleted = true;

	add_image(fixture, "r/a:1", "1", one);
	add_image(fixture, NULL, "2", two);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, one, &err);
	struct image *bare AUTO(image_unref) = graph_find_image(fixture->graph, two, &err);
	assert_ok(graph_tag(fixture->graph, image, "b:1", false, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, image, "r/a@sha256:" DIGITS, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, image, "b@sha256:" DIGITS, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, image, "b@sha256:" OTHERS, &err), &err);
	assert_ok(graph_note_digest(fixture->graph, bare, "b@sha256:" OTHERS, &err), &err);
	assert_id(fixture, "b@sha256:" OTHERS, two);
	assert_ok(graph_untag(fixture->graph, "r/a:1", &deleted, &err), &err);
	assert_false(deleted);
	assert_digests(fixture, "b@1 b@2");
	assert_ok(graph_untag(fixture->graph, "b@sha256:" DIGITS, &deleted, &err), &err);
	assert_false(deleted);
	assert_ok(graph_untag(fixture->graph, "b@sha256:" OTHERS, &deleted, &err), &err);
	assert_true(deleted);
	assert_digests(fixture, "");
	assert_tags(fixture, "b:1");
	assert_int_equal(graph_note_digest(fixture->graph, bare, "b@sha256:" OTHERS, &err),
			 -ENOENT);
}

static void test_names_first(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE], name[GRAPH_NAME_SIZE];

	add_image(fixture, NULL, "1", one);
	add_image(fixture, NULL, "2", two);
	snprintf(name, sizeof(name), "%.5s", one);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, two, NULL);
	assert_int_equal(graph_tag(fixture->graph, image, name, false, NULL), 0);
	assert_id(fixture, name, two);
}

static void test_tag(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE], msg[100];
	struct error err = ERROR_INIT;

	add_image(fixture, "one", "1", one);
	add_image(fixture, "two", "2", two);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "one", NULL);
	int ret = graph_tag(fixture->graph, image, "host:5000/x", false, &err);
	assert_ok(ret, &err);
	assert_tags(fixture, "host:5000/x:latest one:latest two:latest");
	assert_string_equal(fixture->events, "tag(host:5000/x:latest) ");
	ret = graph_tag(fixture->graph, image, "one", false, &err);
	assert_ok(ret, &err);
	ret = graph_tag(fixture->graph, image, "two", false, &err);
	snprintf(msg, sizeof(msg), "tag 'two:latest' is taken by image %.12s", two);
	assert_error(ret, &err, EEXIST, msg);
	error_clear(&err);
	ret = graph_tag(fixture->graph, image, "two", true, &err);
	assert_ok(ret, &err);
	assert_id(fixture, "two", one);
	assert_id(fixture, two, two); /* it stays, without a tag */
	ret = graph_tag(fixture->graph, image, "A", false, &err);
	assert_int_equal(ret, -EINVAL);
}

static void test_retag(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	add_image(fixture, "one", "1", one);
	add_image(fixture, "two", "2", two);
	int ret = graph_retag(fixture->graph, "one", "new:1", true, &err);
	assert_ok(ret, &err);
	assert_tags(fixture, "new:1 two:latest");
	assert_string_equal(fixture->events, "untag(one:latest) tag(new:1) ");
	ret = graph_retag(fixture->graph, "new:1", "two", true, &err);
	assert_error(ret, &err, EEXIST, "tag 'two:latest' is taken");
	error_clear(&err);
	ret = graph_retag(fixture->graph, "new:1", "two", false, &err);
	assert_ok(ret, &err);
	assert_tags(fixture, "two:latest");
	assert_id(fixture, "two", one);
	assert_id(fixture, two, two);
	ret = graph_retag(fixture->graph, "two", "two", false, &err);
	assert_ok(ret, &err);
	ret = graph_retag(fixture->graph, "nope", "x", false, &err);
	assert_error(ret, &err, ENOENT, "no such image: nope:latest");
}

static void test_untag(void **state)
{
	struct fixture *fixture = *state;
	char id[GRAPH_ID_SIZE], msg[100];
	struct error err = ERROR_INIT;
	bool deleted = true;

	add_image(fixture, "a", "1", id);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "a", NULL);
	assert_int_equal(graph_tag(fixture->graph, image, "b", false, NULL), 0);
	fixture->events[0] = '\0';
	snprintf(fixture->user, sizeof(fixture->user), "web");
	int ret = graph_untag(fixture->graph, "a", &deleted, &err);
	assert_ok(ret, &err);
	assert_false(deleted);
	ret = graph_untag(fixture->graph, "b", &deleted, &err);
	snprintf(msg, sizeof(msg), "image %.12s is used by container 'web'", id);
	assert_error(ret, &err, EBUSY, msg);
	error_clear(&err);
	assert_tags(fixture, "b:latest");
	fixture->user[0] = '\0';
	ret = graph_untag(fixture->graph, "b", &deleted, &err);
	assert_ok(ret, &err);
	assert_true(deleted);
	assert_string_equal(fixture->events, "untag(a:latest) untag(b:latest) delete() ");
	ret = graph_untag(fixture->graph, "b", NULL, &err);
	assert_error(ret, &err, ENOENT, "no such image: b:latest");
	/* Who holds it may go on reading it. */
	assert_string_equal(image->id, id);
	assert_non_null(strstr(image->config_text, "diff_ids"));
	assert_store_empty(fixture);
}

static void test_remove_image(void **state)
{
	struct fixture *fixture = *state;
	char id[GRAPH_ID_SIZE], bare[GRAPH_ID_SIZE], msg[100];
	struct error err = ERROR_INIT;

	add_image(fixture, "a", "1", id);
	add_image(fixture, NULL, "2", bare);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "a", NULL);
	assert_int_equal(graph_tag(fixture->graph, image, "b", false, NULL), 0);
	fixture->events[0] = '\0';
	int ret = graph_remove_image(fixture->graph, id, false, &err);
	snprintf(msg, sizeof(msg), "image %.12s has 2 tags; remove those first", id);
	assert_error(ret, &err, EBUSY, msg);
	error_clear(&err);
	snprintf(fixture->user, sizeof(fixture->user), "web");
	ret = graph_remove_image(fixture->graph, id, true, &err);
	assert_int_equal(ret, -EBUSY);
	error_clear(&err);
	fixture->user[0] = '\0';
	ret = graph_remove_image(fixture->graph, id, true, &err);
	assert_ok(ret, &err);
	assert_string_equal(fixture->events, "untag(a:latest) untag(b:latest) delete() ");
	ret = graph_remove_image(fixture->graph, bare, false, &err);
	assert_ok(ret, &err);
	ret = graph_remove_image(fixture->graph, bare, false, &err);
	assert_int_equal(ret, -ENOENT);
	assert_store_empty(fixture);
}

static void test_folders(void **state)
{
	struct fixture *fixture = *state;
	char id[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	int ret = graph_make_folder(fixture->graph, "team", &err);
	assert_ok(ret, &err);
	ret = graph_make_folder(fixture->graph, "team", &err);
	assert_error(ret, &err, EEXIST, "folder 'team' exists");
	error_clear(&err);
	ret = graph_make_folder(fixture->graph, "sha256", &err);
	assert_int_equal(ret, -EINVAL);
	error_clear(&err);
	ret = graph_make_folder(fixture->graph, "localhost:5000/team", &err);
	assert_ok(ret, &err);
	assert_folders(fixture, "localhost:5000/team team");
	/* A tag of "localhost" cannot have the name of a folder. */
	char ignored[GRAPH_ID_SIZE];
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	tar_end(&tar);
	ret = import_tar(fixture->graph, "localhost:5000", &tar, ignored, &err);
	assert_error(ret, &err, EEXIST, "'localhost:5000' is a folder");
	error_clear(&err);
	/* With its last tag the folder disappears. */
	add_image(fixture, "team/a", "1", id);
	assert_folders(fixture, "localhost:5000/team");
	ret = graph_remove_folder(fixture->graph, "team", &err);
	assert_error(ret, &err, ENOTEMPTY, "folder 'team' holds images");
	error_clear(&err);
	assert_int_equal(graph_untag(fixture->graph, "team/a", NULL, NULL), 0);
	ret = graph_remove_folder(fixture->graph, "team", &err);
	assert_error(ret, &err, ENOENT, "no such folder: team");
	error_clear(&err);
	ret = graph_remove_folder(fixture->graph, "localhost:5000/team", &err);
	assert_ok(ret, &err);
	assert_folders(fixture, "");
}

static void test_reopen(void **state)
{
	struct fixture *fixture = *state;
	char one[GRAPH_ID_SIZE], two[GRAPH_ID_SIZE];

	add_image(fixture, "a/b:1", "12345", one);
	add_image(fixture, NULL, "1", two);
	assert_int_equal(graph_make_folder(fixture->graph, "team", NULL), 0);
	struct graph_snapshot *before AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	graph_close(fixture->graph);
	open_graph(fixture);
	struct graph_snapshot *after AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	assert_tags(fixture, "a/b:1");
	assert_folders(fixture, "team");
	assert_int_equal(after->tags[0].set_ns, before->tags[0].set_ns);
	assert_int_equal(after->image_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct image *was = before->images[i], *is = after->images[i];
		assert_string_equal(is->id, was->id);
		assert_int_equal(is->size_bytes, was->size_bytes);
		assert_int_equal(is->arrived_ns, was->arrived_ns);
		assert_int_equal(is->created_ns, was->created_ns);
		assert_string_equal(is->config_text, was->config_text);
	}
	/* Newest first. */
	assert_string_equal(after->images[0]->id, two);
}

/* What a crash at any moment can leave behind goes at the next open. */
static void test_after_crash(void **state)
{
	struct fixture *fixture = *state;
	char id[GRAPH_ID_SIZE];

	add_image(fixture, "a", "1", id);
	graph_close(fixture->graph);
	run(fixture,
	    "cd images && mkdir -p tmp/junk/layer/deep/er layers/"
	    "0000000000000000000000000000000000000000000000000000000000000000/half layers/x && "
	    "echo half > tmp/junk/blob && echo x > tmp/file && echo x > .tmp-0123456789abcdef && "
	    "echo x > blobs/sha256/"
	    "1111111111111111111111111111111111111111111111111111111111111111");
	open_graph(fixture);
	assert_tags(fixture, "a:latest");
	auto_fd int fd = open_layer(fixture, "a");
	assert_content(fd, "file", "1");
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	graph_close(fixture->graph);
	assert_int_equal(count_entries(fixture, "images/tmp"), 0);
	assert_int_equal(count_entries(fixture, "images"),
			 5); /* blobs layers refs.json tmp, reserve */
	open_graph(fixture);
}

/* A damaged image is not listed, loses nothing of the others, keeps what it has,
 * and is back when its files are. */
static void test_damaged(void **state)
{
	struct fixture *fixture = *state;
	char good[GRAPH_ID_SIZE], bad[GRAPH_ID_SIZE], command[300];

	add_image(fixture, "good", "1", good);
	add_image(fixture, "bad", "2", bad);
	graph_close(fixture->graph);
	snprintf(command, sizeof(command), "mv images/blobs/sha256/%s away", bad);
	run(fixture, command);
	open_graph(fixture);
	assert_tags(fixture, "good:latest");
	/* A change writes refs.json anew. */
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "good", NULL);
	assert_int_equal(graph_tag(fixture->graph, image, "good:2", false, NULL), 0);
	assert_int_equal(count_entries(fixture, "images/layers"), 2);
	graph_close(fixture->graph);
	snprintf(command, sizeof(command), "echo '{}' > images/blobs/sha256/%s", bad);
	run(fixture, command);
	open_graph(fixture);
	assert_tags(fixture, "good:2 good:latest");
	graph_close(fixture->graph);
	snprintf(command, sizeof(command), "mv away images/blobs/sha256/%s", bad);
	run(fixture, command);
	open_graph(fixture);
	assert_tags(fixture, "bad:latest good:2 good:latest");
	assert_id(fixture, "bad", bad);
}

static void test_damaged_removed(void **state)
{
	struct fixture *fixture = *state;
	char bad[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	add_image(fixture, "bad", "2", bad);
	graph_close(fixture->graph);
	run(fixture, "rm -r images/layers/*");
	open_graph(fixture);
	assert_tags(fixture, "");
	int ret = graph_untag(fixture->graph, "bad", NULL, &err);
	assert_ok(ret, &err);
	ret = graph_untag(fixture->graph, "bad", NULL, &err);
	assert_int_equal(ret, -ENOENT);
	error_clear(&err);
	ret = graph_remove_image(fixture->graph, bad, false, &err);
	assert_ok(ret, &err);
	graph_close(fixture->graph);
	open_graph(fixture);
	assert_store_empty(fixture);
}

static void test_damaged_list(void **state)
{
	struct fixture *fixture = *state;
	struct graph_options options = { .root = fixture->root };
	struct error err = ERROR_INIT;
	struct graph *graph = NULL;
	char id[GRAPH_ID_SIZE], msg[500];

	add_image(fixture, "a", "1", id);
	graph_close(fixture->graph);
	run(fixture, "cp images/refs.json good && echo '{\"version\": 2}' > images/refs.json");
	int ret = graph_open(&options, &graph, &err);
	snprintf(msg, sizeof(msg),
		 "cannot open the image store '%s': images/refs.json is damaged (not a list of "
		 "images of version 1); put a good copy in its place, or move all of images/ away "
		 "to begin anew",
		 fixture->root);
	assert_error(ret, &err, EINVAL, msg);
	assert_null(graph);
	/* Nothing was swept. */
	run(fixture, "mv good images/refs.json");
	open_graph(fixture);
	assert_tags(fixture, "a:latest");
}

/* --- at the same time ------------------------------------------------------------------ */

struct crowd {
	struct fixture *fixture;
	atomic_bool over;
	int number;
};

static void *read_always(void *arg)
{
	struct crowd *crowd = arg;
	while (!atomic_load(&crowd->over)) {
		struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
			graph_get_snapshot(crowd->fixture->graph);
		for (size_t i = 0; i < snapshot->tag_count; i++)
			if (strlen(snapshot->tags[i].image->id) != 64)
				abort();
	}
	return NULL;
}

static void *change_always(void *arg)
{
	struct crowd *crowd = arg;
	struct graph *graph = crowd->fixture->graph;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char id[GRAPH_ID_SIZE], name[32], other[32];

	tar_file(&tar, "file", "shared by all");
	tar_end(&tar);
	snprintf(name, sizeof(name), "n%d", crowd->number);
	snprintf(other, sizeof(other), "o%d", crowd->number);
	for (int i = 0; i < 20; i++)
		if (import_tar(graph, name, &tar, id, NULL) < 0 ||
		    graph_retag(graph, name, other, true, NULL) < 0 ||
		    graph_untag(graph, other, NULL, NULL) < 0)
			return "failed";
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture *fixture = *state;
	struct graph_options options = { .root = fixture->root };
	struct crowd reader = { .fixture = fixture };
	struct crowd writers[3];
	pthread_t read_thread, threads[3];

	graph_close(fixture->graph);
	assert_int_equal(graph_open(&options, &fixture->graph, NULL), 0);
	assert_int_equal(pthread_create(&read_thread, NULL, read_always, &reader), 0);
	for (int i = 0; i < 3; i++) {
		writers[i] = (struct crowd){ .fixture = fixture, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, change_always, &writers[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		void *failure = NULL;
		pthread_join(threads[i], &failure);
		assert_null(failure);
	}
	atomic_store(&reader.over, true);
	pthread_join(read_thread, NULL);
	assert_store_empty(fixture);
}

/* --- killed ----------------------------------------------------------------------------- */

/* Imports, moves and removes until it is killed. */
static void change_until_killed(const struct fixture *fixture)
{
	struct graph_options options = { .root = fixture->root };
	struct graph *graph;

	if (graph_open(&options, &graph, NULL) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
		char id[GRAPH_ID_SIZE], name[32], content[32];
		snprintf(content, sizeof(content), "%u", i % 3);
		snprintf(name, sizeof(name), "n:%u", i % 5);
		tar_file(&tar, "file", content);
		tar_file(&tar, "dir/other", content);
		tar_end(&tar);
		graph_untag(graph, name, NULL, NULL);
		import_tar(graph, name, &tar, id, NULL);
	}
}

/* Whenever the engine dies, what is listed is whole and nothing else is there. */
static void test_killed(void **state)
{
	struct fixture *fixture = *state;

	for (int round = 0; round < 20; round++) {
		graph_close(fixture->graph);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			change_until_killed(fixture);
		usleep((useconds_t)(2000 + round * 3777));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		open_graph(fixture);
		struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
			graph_get_snapshot(fixture->graph);
		for (size_t i = 0; i < snapshot->image_count; i++) {
			auto_fd int fd = open_layer(fixture, snapshot->images[i]->id);
			assert_int_equal(faccessat(fd, "dir/other", R_OK, 0), 0);
			assert_int_equal(faccessat(fd, "file", R_OK, 0), 0);
		}
		assert_true(count_entries(fixture, "images/layers") <= snapshot->image_count);
		assert_true(count_entries(fixture, "images/blobs/sha256") <=
			    3 * snapshot->image_count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_finding),      TEST(test_ambiguous),       TEST(test_names_first),
		TEST(test_digests),      TEST(test_digests_go),      TEST(test_tag),
		TEST(test_retag),        TEST(test_untag),           TEST(test_remove_image),
		TEST(test_folders),      TEST(test_reopen),          TEST(test_after_crash),
		TEST(test_damaged),      TEST(test_damaged_removed), TEST(test_damaged_list),
		TEST(test_many_threads), TEST(test_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
