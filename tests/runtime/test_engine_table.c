/* Containers by name, id and prefix; rename and update; the list.
 *
 * ctest-labels: threads
 */
#include "engine_fixture.h"

/* --- names and lookups ------------------------------------------------------ */

static int try_create(struct fixture *f, const char *name, struct error *err)
{
	auto_json json_t *config = make_config(SLEEP);
	AUTO(container_unref) struct container *c = NULL;
	struct ticket ticket;
	int ret;

	ticket_init(&ticket, 0, false);
	ret = engine_create(f->engine, &ticket, name, config, false, &c, err);
	ticket_deinit(&ticket);
	return ret;
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *a = create(f, "a", SLEEP);
	AUTO(container_unref) struct container *none = create(f, NULL, SLEEP);
	AUTO(container_view_unref) struct container_view *view = container_get_view(a);
	AUTO(container_view_unref) struct container_view *other = container_get_view(none);
	char expected[200], digits[13];

	snprintf(digits, sizeof(digits), "%.12s", view->id);
	snprintf(expected, sizeof(expected), "the name 'a' is taken by container %s", digits);
	expect_error(try_create(f, "a", &err), &err, EEXIST, expected);
	error_clear(&err);
	assert_int_equal(try_create(f, "a/b", &err), -EINVAL);
	error_clear(&err);
	assert_int_equal(try_create(f, "0123456789ab", &err), -EINVAL);
	assert_false(other->has_name);
	assert_int_equal(strncmp(other->name, other->id, 12), 0);
	assert_int_equal(strlen(other->name), 12);
}

static void expect_found(struct container *found, const struct container *c)
{
	assert_ptr_equal(found, c);
	container_unref(found);
}

static void test_lookups(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *c = create(f, "web", SLEEP);
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	char digits[65];

	expect_found(engine_find(f->engine, "web"), c);
	expect_found(engine_find(f->engine, view->id), c);
	expect_found(engine_find_key(f->engine, view->key), c);
	snprintf(digits, sizeof(digits), "%.12s", view->id);
	expect_found(engine_find(f->engine, digits), c);
	digits[5] = '\0';
	assert_null(engine_find(f->engine, digits));
	expect_found(engine_resolve(f->engine, digits, &err), c);
	digits[3] = '\0';
	assert_null(engine_resolve(f->engine, digits, &err));
	assert_int_equal(err.code, ENOENT);
	error_clear(&err);
	assert_null(engine_resolve(f->engine, "nope", &err));
	assert_string_equal(err.msg, "no such container: nope");
}

static void test_rename(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *a = create(f, "a", SLEEP);
	AUTO(container_unref) struct container *b = create(f, "b", SLEEP);
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	assert_int_equal(container_rename(a, &ticket, "b", &err), -EEXIST);
	error_clear(&err);
	expect_ok(container_rename(a, &ticket, "c", &err), &err);
	assert_null(engine_find(f->engine, "a"));
	expect_found(engine_find(f->engine, "c"), a);
	expect_ok(container_rename(b, &ticket, "a", &err), &err);
	expect_error(container_rename(b, &ticket, "a", &err), &err, EEXIST,
		     "the container is called 'a' already");
	ticket_deinit(&ticket);
	close_engine(f);
	container_unref(steal_ptr(&a));
	open_engine(f);
	a = engine_find(f->engine, "c");
	assert_non_null(a);
}

/* --- update ----------------------------------------------------------------- */

static int update(struct container *c, const char *text, struct error *err)
{
	auto_json json_t *patch = NULL;
	struct ticket ticket;
	int ret;

	assert_int_equal(json_parse_text(text, strlen(text), &patch, NULL), 0);
	ticket_init(&ticket, 0, false);
	ret = container_update(c, &ticket, patch, err);
	ticket_deinit(&ticket);
	return ret;
}

static int64_t get_asked(struct container *c, const char *key)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	return json_get_int(view->config, key, 0);
}

static void test_update(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);

	expect_ok(update(c, "{\"Memory\":67108864}", &err), &err);
	assert_int_equal(get_asked(c, "Memory"), 67108864);
	expect_ok(update(c, "{\"Memory\":134217728,\"CpuShares\":512}", &err), &err);
	assert_int_equal(update(c, "{\"Tty\":true,\"Memory\":77108864}", &err), -EBUSY);
	assert_non_null(strstr(err.msg, "Tty"));
	assert_int_equal(get_asked(c, "Memory"), 134217728);
	error_clear(&err);
	assert_int_equal(update(c, "{\"Memroy\":1}", &err), -EINVAL);
	error_clear(&err);
	must(c, KILL);
	expect_ok(update(c, "{\"Cmd\":[\"sh\",\"-c\",\"exit 6\"]}", &err), &err);
	must(c, START);
	assert_int_equal(wait_code(c), 6);
}

/* --- the list --------------------------------------------------------------- */

static void *create_same(void *arg)
{
	struct error err = ERROR_INIT;

	*(int *)arg = try_create(&fixture, "same", &err);
	return NULL;
}

static void test_one_name_at_once(void **state)
{
	pthread_t threads[8];
	int rets[8], made = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, create_same, &rets[i]);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		made += rets[i] == 0;
		assert_true(rets[i] == 0 || rets[i] == -EEXIST);
	}
	assert_int_equal(made, 1);
}

static void test_list_and_facts(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *a = create(f, "a", SLEEP);
	AUTO(container_unref) struct container *b = run(f, "b", SLEEP);
	AUTO(container_list_deinit) struct container_list list = { .count = 0 };
	struct engine_facts facts;

	assert_int_equal(engine_list(f->engine, &list), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(state_of(a), CONTAINER_CREATED);
	assert_int_equal(state_of(b), CONTAINER_RUNNING);
	assert_string_equal(list.views[0]->name, "b"); /* newest first */
	engine_get_facts(f->engine, &facts);
	assert_int_equal(facts.containers, 2);
	assert_int_equal(facts.running, 1);
	assert_non_null(engine_find_image_user(f->engine, f->image_id));
	assert_null(engine_find_image_user(f->engine, "x"));
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_engine, teardown_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_names),
		ENGINE_TEST(test_lookups),
		ENGINE_TEST(test_rename),
		ENGINE_TEST(test_update),
		ENGINE_TEST(test_one_name_at_once),
		ENGINE_TEST(test_list_and_facts),
	};

	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
