/* Who is restarted, and after what pause. */
#include "tests/test.h"

#include "runtime/restart_policy.h"

#include <string.h>

static struct restart_policy parse(const char *object)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_json json_t *config = NULL;
	struct error err = ERROR_INIT;

	strbuf_appendf(&text, "{\"HostConfig\": {\"RestartPolicy\": %s}}", object);
	assert_ok(json_parse_text(strbuf_get_str(&text), text.len, &config, &err), &err);
	return restart_policy_get(config);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(parse("{}").kind, RESTART_NO);
	assert_int_equal(parse("{\"Name\": \"no\"}").kind, RESTART_NO);
	assert_int_equal(parse("{\"Name\": \"always\"}").kind, RESTART_ALWAYS);
	assert_int_equal(parse("{\"Name\": \"unless-stopped\"}").kind, RESTART_UNLESS_STOPPED);
	assert_int_equal(parse("{\"Name\": \"on-failure\", \"MaximumRetryCount\": 3}").kind,
			 RESTART_ON_FAILURE);
	assert_int_equal(parse("{\"Name\": \"on-failure\", \"MaximumRetryCount\": 3}").max, 3);
	assert_int_equal(restart_policy_get(NULL).kind, RESTART_NO);
}

static void test_who_is_restarted(void **state)
{
	const struct restart_policy no = { RESTART_NO, 0 }, always = { RESTART_ALWAYS, 0 };
	const struct restart_policy thrice = { RESTART_ON_FAILURE, 3 };
	const struct restart_policy ever = { RESTART_ON_FAILURE, 0 };
	const struct restart_policy unless = { RESTART_UNLESS_STOPPED, 0 };

	(void)state;
	assert_false(restart_policy_wants(&no, 1, 0));
	assert_true(restart_policy_wants(&always, 0, 1000));
	assert_true(restart_policy_wants(&unless, 0, 1000));
	assert_false(restart_policy_wants(&thrice, 0, 0));
	assert_true(restart_policy_wants(&thrice, 1, 2));
	assert_false(restart_policy_wants(&thrice, 1, 3));
	assert_true(restart_policy_wants(&ever, 137, 1000000));
	assert_true(restart_policy_wants_at_boot(&always, true));
	assert_true(restart_policy_wants_at_boot(&unless, false));
	assert_false(restart_policy_wants_at_boot(&unless, true));
	assert_false(restart_policy_wants_at_boot(&ever, false));
	assert_false(restart_policy_wants_at_boot(&no, false));
}

static void test_pauses_double_up_to_a_minute(void **state)
{
	int64_t delay = 0;

	(void)state;
	for (int64_t want = RESTART_DELAY_MIN_NS; want < RESTART_DELAY_MAX_NS; want *= 2) {
		delay = restart_policy_next_delay(delay, 0);
		assert_int_equal(delay, want);
	}
	delay = restart_policy_next_delay(delay, 0);
	assert_int_equal(delay, RESTART_DELAY_MAX_NS);
	delay = restart_policy_next_delay(delay, RESTART_GOOD_RUN_NS - 1);
	assert_int_equal(delay, RESTART_DELAY_MAX_NS);
	assert_int_equal(restart_policy_next_delay(delay, RESTART_GOOD_RUN_NS),
			 RESTART_DELAY_MIN_NS);
	/* What a damaged file may hold. */
	assert_int_equal(restart_policy_next_delay(-5, 0), RESTART_DELAY_MIN_NS);
	assert_int_equal(restart_policy_next_delay(INT64_MAX, 0), RESTART_DELAY_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_who_is_restarted),
		cmocka_unit_test(test_pauses_double_up_to_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
