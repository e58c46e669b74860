/* The shipped plugin log: each event is a line. */
#include "fake_agent.h"

#include <check.h>
#include <string.h>

static struct fake_agent a;

static void start(const char *level)
{
	const struct mu_setting rows[] = { FAKE_STR("level",
		                                    level ? level : "") };
	struct fake_options o = { .plugin_file = fake_plugin("log"),
		                  .settings = rows,
		                  .setting_count = level ? 1 : 0 };

	fake_start(&a, &o);
}

START_TEST(a_change_is_a_line_without_the_data)
{
	struct mu_chan_event e = { .type = MU_EVENT_CHANGED,
		                   .path = MU_STR("/config/x"),
		                   .zxid = 0x10,
		                   .data = MU_STR("secret"),
		                   .has_stat = true,
		                   .stat = { .version = 3 } };

	start(NULL);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(
		&a,
		"<2> changed path=/config/x zxid=0x10 version=3 bytes=6\n"));
	ck_assert(!fake_logged(&a, "secret"));
	fake_stop(&a);
}
END_TEST

START_TEST(flags_and_count_are_told)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/x"),
		                   .flags = MU_EVENT_AGAIN |
		                            MU_EVENT_COALESCED |
		                            MU_EVENT_OVERFLOW | MU_EVENT_STALE |
		                            MU_EVENT_RENEWED,
		                   .count = 4 };

	start(NULL);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a,
	                      "deleted path=/x zxid=0x0 bytes=-1 again "
	                      "coalesced overflow stale renewed count=4\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(who_did_it_is_told)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/x"),
		                   .cause = MU_BY_EXPIRY,
		                   .author_session = 0x1f,
		                   .author = MU_STR("web3") };

	start(NULL);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "deleted path=/x zxid=0x0 bytes=-1 "
	                          "cause=expiry session=0x1f author=web3\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(what_the_broker_did_has_a_cause_and_no_author)
{
	struct mu_chan_event e = { .type = MU_EVENT_DELETED,
		                   .path = MU_STR("/x"),
		                   .cause = MU_BY_TTL };

	start(NULL);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a,
	                      "deleted path=/x zxid=0x0 bytes=-1 cause=ttl\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_member_is_a_line)
{
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .path = MU_STR("/members/web1"),
		                   .zxid = 17,
		                   .has_member = true,
		                   .name = MU_STR("web1"),
		                   .address = MU_STR("10.0.0.1"),
		                   .state = MU_STR("up"),
		                   .port = 80 };

	start("debug");
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "<3> failed member=web1 address=10.0.0.1 "
	                          "port=80 state=up zxid=0x11\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_connection_is_a_line)
{
	struct mu_chan_event e = { .type = MU_EVENT_DISCONNECTED,
		                   .path = MU_STR("") };

	start("warn");
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "<1> disconnected\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(an_unknown_level_is_refused)
{
	start("loud");
	ck_assert_int_eq(fake_ready(&a), MU_ECONFIG);
	ck_assert_ptr_nonnull(strstr(a.ready.reason, "\"loud\""));
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 3 << 8);
	fake_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("lines");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_change_is_a_line_without_the_data);
	tcase_add_test(tc, flags_and_count_are_told);
	tcase_add_test(tc, who_did_it_is_told);
	tcase_add_test(tc, what_the_broker_did_has_a_cause_and_no_author);
	tcase_add_test(tc, a_member_is_a_line);
	tcase_add_test(tc, a_connection_is_a_line);
	tcase_add_test(tc, an_unknown_level_is_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
