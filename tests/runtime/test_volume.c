/* Volumes: made, found, refused, removed, pruned, found again.
 *
 * ctest-labels: threads
 */
#include "engine_fixture.h"

#include "runtime/volume/volume.h"

#define ANONYMOUS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int make_volume(struct fixture *f, const char *name, struct error *err)
{
	struct ticket ticket;
	int ret;

	error_clear(err);
	ticket_init(&ticket, 0, false);
	ret = engine_create_volume(f->engine, &ticket, name, err);
	ticket_deinit(&ticket);
	return ret;
}

static int remove_volume(struct fixture *f, const char *name, struct error *err)
{
	struct ticket ticket;
	int ret;

	error_clear(err);
	ticket_init(&ticket, 0, false);
	ret = engine_remove_volume(f->engine, &ticket, name, err);
	ticket_deinit(&ticket);
	return ret;
}

static void test_make_and_remove(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct volume_info info;
	struct stat st;

	expect_ok(make_volume(f, "data", &err), &err);
	expect_error(make_volume(f, "data", &err), &err, EEXIST,
		     "there is a volume 'data' already");
	assert_int_equal(make_volume(f, "a/b", &err), -EINVAL);
	assert_int_equal(make_volume(f, "..", &err), -EINVAL);
	assert_int_equal(make_volume(f, ANONYMOUS, &err), -EINVAL);
	assert_true(engine_find_volume(f->engine, "data", &info));
	assert_string_equal(info.name, "data");
	assert_false(info.anonymous);
	assert_true(info.created_ns > INT64_C(1600000000000000000));
	auto_fd int fd = engine_open_volume(f->engine, "data", &err);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	run_shell("mkdir -p %s/volumes/data/a/b; echo x > %s/volumes/data/a/b/c", f->root, f->root);
	expect_ok(remove_volume(f, "data", &err), &err);
	expect_error(remove_volume(f, "data", &err), &err, ENOENT, "no such volume: data");
	error_clear(&err);
	expect_error(engine_open_volume(f->engine, "data", &err), &err, ENOENT,
		     "no such volume: data");
	assert_false(engine_find_volume(f->engine, "data", NULL));
}

/* A request that an engine began and died in is not done twice, and not refused. */
static void test_resumed(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct ticket ticket;

	ticket_init(&ticket, 1, false);
	expect_ok(engine_create_volume(f->engine, &ticket, "data", &err), &err);
	ticket.resumed = true;
	expect_ok(engine_create_volume(f->engine, &ticket, "data", &err), &err);
	ticket_deinit(&ticket);
	ticket_init(&ticket, 2, false);
	expect_ok(engine_remove_volume(f->engine, &ticket, "data", &err), &err);
	ticket.resumed = true;
	expect_ok(engine_remove_volume(f->engine, &ticket, "data", &err), &err);
	ticket_deinit(&ticket);
}

static void test_found_again(void **state)
{
	struct fixture *f = *state;
	AUTO(volume_list_deinit) struct volume_list list = { .count = 0, .infos = NULL };
	struct error err = ERROR_INIT;
	struct volume_info before, after;

	expect_ok(make_volume(f, "b", &err), &err);
	expect_ok(make_volume(f, "a", &err), &err);
	assert_true(engine_find_volume(f->engine, "b", &before));
	close_engine(f);
	run_shell("mkdir %s/volumes/" ANONYMOUS " %s/volumes/.trash-x; touch %s/volumes/file",
		  f->root, f->root, f->root);
	open_engine(f);
	assert_int_equal(engine_list_volumes(f->engine, &list), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.infos[0].name, ANONYMOUS);
	assert_true(list.infos[0].anonymous);
	assert_string_equal(list.infos[1].name, "a");
	assert_string_equal(list.infos[2].name, "b");
	assert_true(engine_find_volume(f->engine, "b", &after));
	assert_int_equal(before.created_ns, after.created_ns);
	for (size_t i = 0; i < list.count; i++)
		expect_ok(remove_volume(f, list.infos[i].name, &err), &err);
	close_engine(f); /* the trash has been emptied */
	run_shell("rm %s/volumes/file; [ -z \"$(ls -A %s/volumes)\" ]", f->root, f->root);
	open_engine(f);
}

static void collect(void *arg, const char *name)
{
	strbuf_appendf(arg, "%s ", name);
}

/* The one that a prune in earnest would have removed before. */
static bool is_unlucky(void *arg, const struct container_view *view)
{
	(void)arg;
	return strcmp(view->name, "a") == 0;
}

static void prune(struct fixture *f, bool dry_run, bool all, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	expect_ok(engine_prune_volumes(f->engine, &ticket,
				       &(struct volume_prune){ .all = all,
							       .dry_run = dry_run,
							       .is_gone = is_unlucky,
							       .tell = collect,
							       .arg = &names },
				       &err),
		  &err);
	ticket_deinit(&ticket);
	assert_string_equal(strbuf_get_str(&names), expected);
}

static void remove_it(struct container *c)
{
	struct error err = ERROR_INIT;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	expect_ok(container_remove(c, &ticket, false, false, &err), &err);
	ticket_deinit(&ticket);
}

static void test_users_and_prune(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;

	close_engine(f);
	run_shell("mkdir %s/volumes/" ANONYMOUS, f->root);
	open_engine(f);
	expect_ok(make_volume(f, "unused", &err), &err);
	expect_ok(make_volume(f, "bound", &err), &err);
	expect_ok(make_volume(f, "mounted", &err), &err);
	AUTO(container_unref)
	struct container *a =
		create(f, "a", "{\"Image\": \"i\", \"HostConfig\": {\"Binds\": [\"bound:/x\"]}}");
	AUTO(container_unref)
	struct container *b =
		create(f, "b",
		       "{\"Image\": \"i\", \"HostConfig\": {\"Mounts\": [{\"Type\": \"volume\", "
		       "\"Source\": \"mounted\", \"Target\": \"/x\"}]}}");
	expect_error(remove_volume(f, "bound", &err), &err, EBUSY,
		     "volume 'bound' is used by container 'a'");
	expect_error(remove_volume(f, "mounted", &err), &err, EBUSY,
		     "volume 'mounted' is used by container 'b'");
	prune(f, true, false, ANONYMOUS " ");
	prune(f, true, true, ANONYMOUS " bound unused ");
	prune(f, false, false, ANONYMOUS " ");
	prune(f, false, false, "");
	remove_it(a);
	prune(f, false, true, "bound unused ");
	remove_it(b);
	expect_ok(remove_volume(f, "mounted", &err), &err);
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_engine, teardown_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_make_and_remove),
		ENGINE_TEST(test_resumed),
		ENGINE_TEST(test_found_again),
		ENGINE_TEST(test_users_and_prune),
	};

	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
