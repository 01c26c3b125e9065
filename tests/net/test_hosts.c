/* The exact text of the three files. */
#include "net/hosts.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <string.h>

#define LOCAL                                                                                      \
	"127.0.0.1\tlocalhost\n"                                                                   \
	"::1\tlocalhost ip6-localhost ip6-loopback\n"                                              \
	"fe00::\tip6-localnet\n"                                                                   \
	"ff00::\tip6-mcastprefix\n"                                                                \
	"ff02::1\tip6-allnodes\n"                                                                  \
	"ff02::2\tip6-allrouters\n"

static void expect_hosts(const char *want, const char *address, const char *host,
			 const char *domain, const struct hosts_entry *extra, size_t count)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	hosts_render(&out, address, host, domain, extra, count);
	assert_string_equal(strbuf_get_str(&out), want);
}

static void test_hosts(void **state)
{
	const struct hosts_entry extra[] = { { "10.0.0.9", "db db.local" }, { "::2", "six" } };
	const struct hosts_entry forged[] = { { "10.0.0.9\n1.1.1.1", "db\n127.0.0.1\tbank" } };

	(void)state;
	expect_hosts(LOCAL "127.0.1.1\tweb\n", NULL, "web", NULL, NULL, 0);
	expect_hosts(LOCAL "172.17.0.2\tweb\n", "172.17.0.2", "web", "", NULL, 0);
	expect_hosts(LOCAL "172.17.0.2\tweb.example.org web\n", "172.17.0.2", "web", "example.org",
		     NULL, 0);
	expect_hosts(LOCAL "172.17.0.2\tweb\n10.0.0.9\tdb db.local\n::2\tsix\n", "172.17.0.2",
		     "web", NULL, extra, 2);
	expect_hosts(LOCAL "127.0.1.1\tw?eb\n10.0.0.9?1.1.1.1\tdb?127.0.0.1?bank\n", NULL, "w\neb",
		     NULL, forged, 1);
	expect_hosts(LOCAL, NULL, "", NULL, NULL, 0);
}

static void test_hostname(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	(void)state;
	hosts_render_hostname(&out, "web");
	assert_string_equal(strbuf_get_str(&out), "web\n");
}

static void expect_resolv(const char *want, const char *host_text, size_t host_len)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	hosts_render_resolv(&out, &(struct hosts_resolv){ 0 }, host_text, host_len);
	assert_string_equal(strbuf_get_str(&out), want);
}

#define NONE "# no name server: the host's are on its own loopback; say which with Dns\n"

static void test_resolv_host(void **state)
{
	static const char text[] = "# Generated\n"
				   "; nameserver 9.9.9.9\n"
				   "domain old.example\n"
				   "search a.example\tb.example  c.example\n"
				   "nameserver 127.0.0.53\n"
				   "  nameserver   10.0.0.1 # first\n"
				   "nameserver 127.1.2.3\n"
				   "nameserver ::1\n"
				   "nameserver 0.0.0.0\n"
				   "nameserver ::ffff:127.0.0.1\n"
				   "nameserver fe80::1%eth0\n"
				   "nameserver 2001:db8::1\n"
				   "nameserver nonsense\n"
				   "nameserver\n"
				   "unknown 1.2.3.4\n"
				   "options ndots:2 edns0\n"
				   "options timeout:1";

	(void)state;
	expect_resolv("nameserver 10.0.0.1\n"
		      "nameserver 2001:db8::1\n"
		      "search a.example b.example c.example\n"
		      "options ndots:2 edns0 timeout:1\n",
		      text, sizeof(text) - 1);
	expect_resolv(NONE, "", 0);
	expect_resolv(NONE, NULL, 0);
	expect_resolv(NONE "search x\n", "nameserver 127.0.0.53\ndomain x y\n", 33);
	expect_resolv("nameserver 1.1.1.1\nsearch a?b\n",
		      "nameserver 1.1.1.1\nsearch a\rb\nnameserver 8.8.8\0.8\n", 50);
}

static void test_resolv_given(void **state)
{
	static const char *const servers[] = { "8.8.8.8", "2001:db8::2" };
	static const char *const search[] = { "one.example", "two.example" };
	static const char *const options[] = { "ndots:1", "rotate" };
	static const char host[] = "nameserver 10.0.0.1\nsearch h.example\noptions ndots:3\n";
	struct hosts_resolv asked = {
		.servers = servers, .server_count = 2, .search = search, .search_count = 2
	};
	struct hosts_resolv few = { .servers = servers, .server_count = 1 };
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	(void)state;
	hosts_render_resolv(&out, &asked, host, sizeof(host) - 1);
	assert_string_equal(strbuf_get_str(&out),
			    "nameserver 8.8.8.8\nnameserver 2001:db8::2\n"
			    "search one.example two.example\noptions ndots:3\n");
	strbuf_reset(&out);
	hosts_render_resolv(&out, &few, host, sizeof(host) - 1);
	assert_string_equal(strbuf_get_str(&out),
			    "nameserver 8.8.8.8\nsearch h.example\noptions ndots:3\n");
	strbuf_reset(&out);
	few.options = options;
	few.option_count = 2;
	hosts_render_resolv(&out, &few, host, sizeof(host) - 1);
	assert_string_equal(strbuf_get_str(&out), "nameserver 8.8.8.8\nsearch h.example\n"
						  "options ndots:1 rotate\n");
}

static void test_resolv_nobody(void **state)
{
	static const char *const fallback[] = { "8.8.8.8", "8.8.4.4", NULL };
	static const char local[] = "nameserver 127.0.0.53\nsearch h.example\n";
	struct hosts_resolv asked = { .fallback = fallback };
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	(void)state;
	assert_false(hosts_has_server(local, sizeof(local) - 1));
	assert_true(hosts_has_server("nameserver 1.1.1.1", 18));
	hosts_render_resolv(&out, &asked, local, sizeof(local) - 1);
	assert_string_equal(strbuf_get_str(&out),
			    "nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch h.example\n");
	strbuf_reset(&out);
	asked.keeps_loopback = true;
	hosts_render_resolv(&out, &asked, local, sizeof(local) - 1);
	assert_string_equal(strbuf_get_str(&out), "nameserver 127.0.0.53\nsearch h.example\n");
}

static void test_resolv_huge(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 20000; i++)
		strbuf_append_str(&text, "nameserver 10.0.0.1\noptions x\n");
	hosts_render_resolv(&out, &(struct hosts_resolv){ 0 }, text.data, text.len);
	assert_in_range(out.len, 100, 65536);
}

static int attempt(void *arg)
{
	static const char host[] = "nameserver 10.0.0.1\nsearch h.example\noptions ndots:3\n";
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	(void)arg;
	hosts_render(&out, NULL, "web", "example", NULL, 0);
	hosts_render_resolv(&out, &(struct hosts_resolv){ 0 }, host, sizeof(host) - 1);
	return strbuf_check(&out, NULL);
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt, NULL) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),         cmocka_unit_test(test_hostname),
		cmocka_unit_test(test_resolv_host),   cmocka_unit_test(test_resolv_given),
		cmocka_unit_test(test_resolv_nobody), cmocka_unit_test(test_resolv_huge),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
