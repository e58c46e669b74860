/* The keys of broker.conf: rows, the shipped file, and what SIGHUP may take. */
#include "options.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mu_err err;

static int parse(const char *text, struct mu_broker_options *o)
{
	err.msg[0] = '\0';
	return mu_broker_options_parse("test.conf", text, o, &err);
}

START_TEST(without_a_file_there_are_the_defaults)
{
	struct mu_broker_options o;
	struct mu_native_limits l;
	struct mu_store_config c = { 0 };

	ck_assert_int_eq(mu_broker_options_load(NULL, &o, &err), 0);
	ck_assert_uint_eq(o.listen.count, 2);
	ck_assert_str_eq(o.listen.item[0], "tcp://127.0.0.1:7400");
	ck_assert_str_eq(o.data_dir, "/var/lib/muster/broker");
	ck_assert_uint_eq(o.listen_zookeeper.count, 1);
	ck_assert_str_eq(o.listen_zookeeper.item[0], "127.0.0.1:2181");
	ck_assert_uint_eq(o.words.count, 1); /* rule 82 */
	ck_assert_str_eq(o.words.item[0], "srvr");
	ck_assert_int_eq(o.links_per_address_max, 60); /* rule 80 */
	ck_assert_uint_eq(mu_broker_options_tcp(&o).packet_max, 1048575);
	ck_assert_str_eq(o.ready_file, "");
	l = mu_broker_options_native(&o);
	ck_assert_uint_eq(l.outbox_max, 8u << 20);
	ck_assert_uint_eq(l.outbox_stall_ms, 5000);
	ck_assert_uint_eq(l.reply_max, 64u << 20);
	c.epoch = 7;
	mu_broker_options_store(&o, &c);
	ck_assert_uint_eq(c.epoch, 7);
	ck_assert_uint_eq(c.packet_max, 1048575); /* rule 3 */
	ck_assert_uint_eq(c.session_timeout_min_ms, 300);
	ck_assert_uint_eq(c.session_timeout_max_ms, 60000);
	ck_assert_uint_eq(c.outstanding_max, 1000);
	ck_assert_uint_eq(c.tick_ms, 50);
	ck_assert_uint_eq(c.container_check_interval_ms, 60000); /* rule 70 */
	ck_assert(c.ttl_nodes);
	ck_assert(!c.enforce_quota); /* rule 79 */
	ck_assert_str_eq(c.super_digest, "");
	ck_assert_uint_eq(c.path_max, 4096);
	ck_assert_uint_eq(c.session_ephemeral_bytes_max, 128u << 20);
	ck_assert_uint_eq(c.watch_bytes_max, 256u << 20);
	ck_assert_uint_eq(c.subscriptions_per_link_max, 1000);
	ck_assert_uint_eq(c.change_log_max, 100000);
	ck_assert_uint_eq(c.change_log_bytes, 64u << 20);
	mu_broker_options_fini(&o);
}
END_TEST

/* The shipped file with every "# key = value;" uncommented. */
static char *shipped(void)
{
	FILE *f = fopen(MU_SOURCE "/conf/broker.conf", "r");
	char *text = calloc(1, 65536), line[1024];
	const struct mu_conf_row *row;
	char head[64];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f)) {
		ck_assert_msg(line[0] == '#' || line[0] == '\n',
		              "not a comment: %s", line);
		for (row = mu_broker_rows; row->key; row++) {
			snprintf(head, sizeof head, "# %s = ", row->key);
			if (strncmp(line, head, strlen(head)) == 0)
				strcat(text, line + 2);
		}
	}
	fclose(f);
	return text;
}

START_TEST(the_shipped_file_has_every_key_with_its_default)
{
	struct mu_broker_options o, d;
	const struct mu_conf_row *row;
	char *text = shipped(), head[64];

	for (row = mu_broker_rows; row->key; row++) {
		snprintf(head, sizeof head, "%s = ", row->key);
		ck_assert_msg(strstr(text, head) != NULL, "no %s", row->key);
	}
	ck_assert_msg(parse(text, &o) == 0, "%s", err.msg);
	ck_assert_int_eq(mu_broker_options_load(NULL, &d, &err), 0);
	ck_assert_uint_eq(o.listen.count, d.listen.count);
	ck_assert_str_eq(o.listen.item[1], d.listen.item[1]);
	ck_assert_str_eq(o.data_dir, d.data_dir);
	ck_assert_str_eq(o.log_level, d.log_level);
	for (row = mu_broker_rows; row->key; row++) {
		if (row->type == MU_CONF_INT)
			ck_assert_msg(memcmp((char *)&o + row->offset,
			                     (char *)&d + row->offset,
			                     sizeof(int64_t)) == 0,
			              "%s", row->key);
	}
	mu_broker_options_fini(&o);
	mu_broker_options_fini(&d);
	free(text);
}
END_TEST

/* Rows that go into 64 bits; the others are cut to 32. */
static bool is_wide(const char *key)
{
	static const char *const wide[] = { "snapshot_journal_bytes",
		                            "waiting_max",
		                            "max_data",
		                            "watch_bytes_max",
		                            "session_ephemeral_bytes_max",
		                            "change_log_bytes" };

	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (strcmp(key, wide[i]) == 0)
			return true;
	return false;
}

START_TEST(every_row_says_what_it_is)
{
	const struct mu_conf_row *row;

	for (row = mu_broker_rows; row->key; row++) {
		ck_assert_uint_gt(strlen(row->help), 10);
		if (row->type == MU_CONF_INT) {
			ck_assert_uint_gt(strlen(row->unit), 0);
			ck_assert_int_le(row->min, atoll(row->fallback));
			ck_assert_int_ge(row->max, atoll(row->fallback));
			ck_assert(row->max <= UINT32_MAX || is_wide(row->key));
		}
	}
}
END_TEST

START_TEST(the_change_log_is_limited_from_nothing_to_so_much)
{
	struct mu_broker_options o;
	struct mu_store_config c = { 0 };

	ck_assert_int_eq(parse("change_log_max = 0; change_log_bytes = 0; "
	                       "subscriptions_per_link_max = 0;",
	                       &o),
	                 0);
	mu_broker_options_store(&o, &c);
	ck_assert_uint_eq(c.change_log_max, 0);
	ck_assert_uint_eq(c.change_log_bytes, 0);
	ck_assert_uint_eq(c.subscriptions_per_link_max, 0);
	mu_broker_options_fini(&o);
	ck_assert_int_eq(parse("change_log_max = 100000000; "
	                       "change_log_bytes = 1099511627776L; "
	                       "subscriptions_per_link_max = 1000000;",
	                       &o),
	                 0);
	mu_broker_options_store(&o, &c);
	ck_assert_uint_eq(c.change_log_max, 100000000);
	ck_assert_uint_eq(c.change_log_bytes, UINT64_C(1) << 40);
	ck_assert_uint_eq(c.subscriptions_per_link_max, 1000000);
	mu_broker_options_fini(&o);
}
END_TEST

static uint32_t path_max(const char *text)
{
	struct mu_broker_options o;
	struct mu_store_config c = { 0 };

	ck_assert_int_eq(parse(text, &o), 0);
	mu_broker_options_store(&o, &c);
	mu_broker_options_fini(&o);
	return c.path_max;
}

START_TEST(the_longest_path_is_limited_from_so_much_to_so_much)
{
	ck_assert_uint_eq(path_max("path_max = 1024;"), 1024);
	ck_assert_uint_eq(path_max("path_max = 1048576;"), 1048576);
}
END_TEST

static const struct {
	const char *text, *says;
} wrong[] = {
	{ "path_max = 0;", "path_max" },
	{ "path_max = 1023;", "path_max" },
	{ "path_max = 1048577;", "path_max" },
	{ "change_log_max = -1;", "change_log_max" },
	{ "change_log_max = 100000001;", "change_log_max" },
	{ "change_log_bytes = -1;", "change_log_bytes" },
	{ "change_log_bytes = 1099511627777L;", "change_log_bytes" },
	{ "subscriptions_per_link_max = -1;", "subscriptions_per_link_max" },
	{ "subscriptions_per_link_max = 1000001;",
	  "subscriptions_per_link_max" },
	{ "tick_mss = 5;", "tick_mss" },
	{ "\n\ntick_ms = \"x\";", "test.conf:3" },
	{ "tick_ms = 0;", "tick_ms" },
	{ "packet_max = 1023;", "packet_max" },
	{ "listen = [];", "at least one address" },
	{ "listen = [ \"tcp://0.0.0.0:7400\" ];", "0.0.0.0" },
	{ "session_timeout_min_ms = 5000; session_timeout_max_ms = 4999;",
	  "session_timeout_min_ms (5000)" },
	{ "log_level = \"loud\";", "loud" },
	{ "super_digest = \"super\";", "super_digest" },
	{ "listen_zookeeper = [ \"0.0.0.0:2181\" ];", "0.0.0.0" },
	{ "listen_zookeeper = [ \"tcp://127.0.0.1:2181\" ];", "tcp://" },
	{ "listen_zookeeper = \"127.0.0.1\";", "listen_zookeeper" },
	{ "words = [ \"srvr\", \"hash\" ];", "hash" },
	{ "words = [ \"srvrx\" ];", "srvrx" },
	{ "links_per_address_max = -1;", "links_per_address_max" },
	{ "tick_ms = ;", "test.conf:1" },
};

START_TEST(a_wrong_file_is_refused_with_the_place)
{
	struct mu_broker_options o;

	ck_assert_int_eq(parse(wrong[_i].text, &o), MU_ECONFIG);
	ck_assert_msg(strstr(err.msg, wrong[_i].says) != NULL, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, "test.conf") != NULL, "%s", err.msg);
}
END_TEST

static const struct {
	const char *url;
	bool may;
} places[] = {
	{ "tcp://127.0.0.1:7400", true },
	{ "tcp://127.255.3.4:1", true },
	{ "tcp://[::1]:7400", true },
	{ "tcp://localhost:*", true },
	{ "ipc:///run/muster/broker.sock", true },
	{ "tcp://128.0.0.1:7400", false },
	{ "tcp://0.0.0.0:7400", false },
	{ "tcp://*:7400", false },
	{ "tcp://[::]:7400", false },
	{ "tcp://[::1]", false },
	{ "tcp://127.0.0.1", false },
	{ "tcp://127.0.0.1.example.com:7400", false },
	{ "tcp://localhost.example.com:7400", false },
	{ "tcp://eth0:7400", false },
	{ "tcp://127.1:7400", false },
	{ "ipc://relative", false },
	{ "ipc://@abstract", false },
	{ "udp://127.0.0.1:7400", false },
	{ "", false },
};

START_TEST(it_listens_on_loopback_and_ipc_only)
{
	const int rc = mu_broker_may_listen(places[_i].url, &err);

	ck_assert_int_eq(rc, places[_i].may ? 0 : MU_ECONFIG);
	if (rc)
		ck_assert_ptr_nonnull(strstr(err.msg, "keys"));
}
END_TEST

static char kept[256];

static void note_kept(void *arg, const char *key)
{
	(void)arg;
	strcat(kept, key);
	strcat(kept, " ");
}

START_TEST(a_reload_takes_what_may_change_and_names_the_rest)
{
	struct mu_broker_options o, fresh;

	ck_assert_int_eq(parse("", &o), 0);
	ck_assert_int_eq(
		parse("listen = [ \"tcp://127.0.0.1:1\" ]; data_dir = \"/x\";"
	              "packet_max = 2048; log_level = \"debug\"; tick_ms = 7;"
	              "links_max = 3; path_max = 2000;",
	              &fresh),
		0);
	mu_broker_options_reload(&o, &fresh, note_kept, NULL);
	mu_broker_options_fini(&fresh);
	ck_assert_str_eq(kept, "listen data_dir packet_max ");
	ck_assert_uint_eq(o.listen.count, 2);
	ck_assert_str_eq(o.data_dir, "/var/lib/muster/broker");
	ck_assert_int_eq(o.packet_max, 1048575);
	ck_assert_str_eq(o.log_level, "debug");
	ck_assert_int_eq(o.tick_ms, 7);
	ck_assert_int_eq(o.links_max, 3);
	ck_assert_int_eq(o.path_max, 2000);
	mu_broker_options_fini(&o);
}
END_TEST

START_TEST(a_reload_of_the_same_changes_nothing)
{
	struct mu_broker_options o, fresh;

	ck_assert_int_eq(parse("", &o), 0);
	ck_assert_int_eq(parse("tick_ms = 50;", &fresh), 0);
	mu_broker_options_reload(&o, &fresh, note_kept, NULL);
	ck_assert_str_eq(kept, "");
	mu_broker_options_fini(&fresh);
	mu_broker_options_fini(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_options");
	TCase *c = tcase_create("broker_options");
	SRunner *r;
	int failed;

	tcase_add_test(c, without_a_file_there_are_the_defaults);
	tcase_add_test(c, the_shipped_file_has_every_key_with_its_default);
	tcase_add_test(c, every_row_says_what_it_is);
	tcase_add_test(c, the_change_log_is_limited_from_nothing_to_so_much);
	tcase_add_test(c, the_longest_path_is_limited_from_so_much_to_so_much);
	tcase_add_loop_test(c, a_wrong_file_is_refused_with_the_place, 0,
	                    sizeof wrong / sizeof *wrong);
	tcase_add_loop_test(c, it_listens_on_loopback_and_ipc_only, 0,
	                    sizeof places / sizeof *places);
	tcase_add_test(c, a_reload_takes_what_may_change_and_names_the_rest);
	tcase_add_test(c, a_reload_of_the_same_changes_nothing);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
