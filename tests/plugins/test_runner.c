/* The runner: what it gives a plugin that behaves, and what its agent. */
#include "child.h"
#include "fake_agent.h"
#include "program.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake_agent a;

static void start(const char *file, const struct fake_answer *answers)
{
	struct fake_options o = { .plugin_file = file, .answers = answers };

	fake_start(&a, &o);
}

static void start_ready(const char *file, const struct fake_answer *answers)
{
	start(file, answers);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
}

static struct mu_chan_event event_of(uint32_t type, const char *path)
{
	struct mu_chan_event e = { .type = type };

	e.path = mu_str_of(path);
	return e;
}

static int event(const char *path)
{
	return fake_event(&a, event_of(MU_EVENT_CHANGED, path));
}

START_TEST(ready_tells_version_and_name)
{
	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(a.ready.version, MU_CHAN_VERSION);
	ck_assert_str_eq(a.ready.plugin, "probe");
	ck_assert_str_eq(a.ready.reason, "");
	fake_stop(&a);
}
END_TEST

START_TEST(the_host_says_who_it_is_and_leads_a_group)
{
	struct fake_options o = { .plugin_file = fake_lie("probe"),
		                  .instance = "one",
		                  .member = "hostX" };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert(
		fake_logged(&a, "<2> init one on hostX abi 1 size 1 pgrp 1\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(stop_calls_fini_and_ends_well)
{
	start_ready(fake_lie("probe"), NULL);
	fake_put_stop(&a);
	fake_drain(&a);
	ck_assert(fake_logged(&a, "<2> fini\n"));
	ck_assert_int_eq(fake_exit(&a), 0);
	fake_fini(&a);
}
END_TEST

START_TEST(an_agent_that_ends_takes_the_runner_with_it)
{
	start_ready(fake_lie("probe"), NULL);
	fake_hang_up(&a);
	ck_assert_int_eq(fake_exit(&a), 0);
	fake_fini(&a);
}
END_TEST

START_TEST(an_agent_that_ends_before_start_is_no_trouble)
{
	struct fake_options o = { .plugin_file = fake_lie("probe") };

	fake_start(&a, &o);
	fake_hang_up(&a);
	/* START may have been read before: then READY is lost. */
	(void)fake_exit(&a);
	fake_fini(&a);
}
END_TEST

START_TEST(an_event_arrives_whole)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/x");

	e.flags = MU_EVENT_AGAIN | MU_EVENT_OVERFLOW;
	e.count = 3;
	e.attempt = 2;
	e.zxid = INT64_C(0x100000002);
	e.n = 4;
	e.data = MU_STR("new");
	e.old_data = MU_STR("older");
	e.has_stat = true;
	e.stat.version = 9;
	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "event 3 flags 5 count 3 zxid 4294967298 n 4 "
	                          "attempt 2 path /x data new 3 old older 5 "
	                          "stat 9\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(no_value_is_not_an_empty_value)
{
	struct mu_chan_event e = event_of(MU_EVENT_DELETED, "/x");

	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "data  -1 old  -1 stat -1\n"));
	e.data = MU_STR("");
	e.old_data = MU_STR("");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "data  0 old  0 stat -1\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_member_arrives_whole)
{
	struct mu_chan_event e = event_of(MU_EVENT_MEMBER_FAILED, "/members/w");

	e.has_member = true;
	e.name = MU_STR("w");
	e.id = MU_STR("1f");
	e.address = MU_STR("10.0.0.1");
	e.version = MU_STR("0.1");
	e.boot_id = MU_STR("boot");
	e.state = MU_STR("up");
	e.port = 80;
	e.started_ms = 12;
	e.czxid = 13;
	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(fake_event(&a, e), 0);
	/* labels were null: texts of a member never are. */
	ck_assert(fake_logged(
		&a, "member w|1f|10.0.0.1|80|0.1|boot|up||12|13 size 1\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_large_event_arrives)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/x");
	size_t len = 3u << 20;
	char *big = malloc(len);

	ck_assert_ptr_nonnull(big);
	memset(big, 'b', len);
	e.old_data = (struct mu_str){ big, (uint32_t)len };
	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_int_eq(event("/small"), 0);
	ck_assert(fake_logged(&a, "path /small"));
	free(big);
	fake_stop(&a);
}
END_TEST

START_TEST(settings_are_typed)
{
	const struct mu_setting rows[] = {
		FAKE_STR("text", "hello"),
		FAKE_NUM("list", MU_SETTING_COUNT, 2),
		FAKE_STR("list[0]", "zero"),
		FAKE_NUM("list[1]", MU_SETTING_INT, INT64_C(5000000000)),
		FAKE_NUM("yes", MU_SETTING_BOOL, 1),
		{ .key = MU_STR("half"),
		  .type = MU_SETTING_FLOAT,
		  .text = MU_STR("0.5") },
	};
	struct fake_options o = { .plugin_file = fake_lie("probe"),
		                  .settings = rows,
		                  .setting_count = COUNT(rows) };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(event("/do/settings"), 0);
	ck_assert(fake_logged(&a, "str hello int 5000000000 bool 1 float 0.5 "
	                          "whole 5e+09 count 2\n"));
	ck_assert(fake_logged(&a, "absent - -5 1 -1 -1\n"));
	ck_assert(fake_logged(&a, "mistyped - -5 1 -1 -1\n"));
	fake_stop(&a);
}
END_TEST

static void start_with_settings(const struct mu_setting *rows, size_t count)
{
	struct fake_options o = { .plugin_file = fake_lie("probe"),
		                  .settings = rows,
		                  .setting_count = count };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
}

/* How often `text` stands in the log. */
static unsigned times_logged(const char *text)
{
	const char *at = (const char *)a.logs.data;
	unsigned n = 0;

	while (at && (at = strstr(at, text))) {
		n++;
		at++;
	}
	return n;
}

START_TEST(a_setting_nobody_read_is_a_warning_with_a_suggestion)
{
	const struct mu_setting rows[] = {
		FAKE_NUM("get_in_intt", MU_SETTING_BOOL, 1),
		FAKE_STR("quite_another", "x"),
	};

	start_with_settings(rows, COUNT(rows));
	ck_assert(fake_logged(&a, "<1> setting \"get_in_intt\" was not read by "
	                          "probe in init, and probably has no effect: "
	                          "did you mean \"get_in_init\"?\n"));
	ck_assert(fake_logged(&a,
	                      "<1> setting \"quite_another\" was not read by "
	                      "probe in init, and probably has no "
	                      "effect\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(of_a_list_nobody_read_there_is_one_warning)
{
	const struct mu_setting rows[] = {
		FAKE_NUM("l", MU_SETTING_COUNT, 2),
		FAKE_STR("l[0]", "x"),
		FAKE_STR("l[1].deep", "x"),
		FAKE_STR("group.deep", "x"),
	};

	start_with_settings(rows, COUNT(rows));
	ck_assert_uint_eq(times_logged("was not read"), 2);
	ck_assert(fake_logged(&a, "setting \"l\" was"));
	ck_assert(fake_logged(&a, "setting \"group.deep\" was"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_setting_that_was_read_is_no_warning)
{
	const struct mu_setting rows[] = { FAKE_NUM("get_in_init",
		                                    MU_SETTING_BOOL, 0) };

	start_with_settings(rows, COUNT(rows));
	ck_assert_uint_eq(times_logged("<1>"), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_setting_of_another_type_is_a_warning)
{
	const struct mu_setting rows[] = { FAKE_STR("get_in_init", "yes") };

	start_with_settings(rows, COUNT(rows));
	ck_assert(fake_logged(&a,
	                      "<1> setting \"get_in_init\" is a text, not a "
	                      "boolean: it has no effect, the default is "
	                      "used\n"));
	ck_assert_uint_eq(times_logged("<1>"), 1);
	fake_stop(&a);
}
END_TEST

START_TEST(a_type_is_warned_of_once_in_an_event_too)
{
	const struct mu_setting rows[] = { FAKE_STR("odd", "0.5") };

	start_with_settings(rows, COUNT(rows));
	ck_assert_int_eq(event("/do/odd"), 0);
	ck_assert_int_eq(event("/do/odd"), 0);
	ck_assert_uint_eq(times_logged("\"odd\" is a text, not a number: it"),
	                  1);
	fake_stop(&a);
}
END_TEST

START_TEST(a_whole_number_does_for_a_float)
{
	const struct mu_setting rows[] = { FAKE_NUM("odd", MU_SETTING_INT, 3) };

	start_with_settings(rows, COUNT(rows));
	ck_assert_int_eq(event("/do/odd"), 0);
	ck_assert_uint_eq(times_logged("\"odd\" is"), 0);
	fake_stop(&a);
}
END_TEST

/* One type that fits is enough: settings_are_typed asks for all as others. */
START_TEST(one_type_that_fits_is_enough)
{
	const struct mu_setting rows[] = { FAKE_STR("text", "x") };

	start_with_settings(rows, COUNT(rows));
	ck_assert_int_eq(event("/do/settings"), 0);
	ck_assert(fake_logged(&a, "mistyped - -5"));
	ck_assert_uint_eq(times_logged("\"text\" is"), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_nul_stands_behind_data)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a", .text = "value" }, { 0 }
	};
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/do/ends");

	start_ready(fake_lie("probe"), answers);
	e.data = MU_STR("new"); /* then the -1 of null old data */
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "behind data 0 old -1 got 0\n"));
	e.data = (struct mu_str){ NULL, 0 };
	e.old_data = MU_STR("old");
	e.has_stat = true; /* then its mark */
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "behind data -1 old 0 got 0\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(get_reads_a_node)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a", .text = "value" }, { 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get"), 0);
	ck_assert(fake_logged(&a, "get: 0"));
	ck_assert(fake_logged(&a, "data value len 5 version 7\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(get_works_in_init)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a", .text = "early" }, { 0 }
	};
	const struct mu_setting rows[] = { FAKE_NUM("get_in_init",
		                                    MU_SETTING_BOOL, 1) };
	struct fake_options o = { .plugin_file = fake_lie("probe"),
		                  .settings = rows,
		                  .setting_count = COUNT(rows),
		                  .answers = answers };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert(fake_logged(&a, "data early len 5"));
	fake_stop(&a);
}
END_TEST

START_TEST(null_data_has_length_minus_one)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a" }, { 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get"), 0);
	ck_assert(fake_logged(&a, "data  len -1"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_refused_call_gives_code_and_reason)
{
	static const struct fake_answer answers[] = { { .op = MU_CALL_GET,
		                                        .path = "/a",
		                                        .rc = MU_ENOAUTH,
		                                        .text = "go away" },
		                                      { 0 } };

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get"), MU_ENOAUTH);
	ck_assert(fake_logged(&a, "get: -102 go away\n"));
	ck_assert_str_eq(a.ack.reason, "event returned -102 (MU_ENOAUTH) and "
	                               "left no reason in err");
	fake_stop(&a);
}
END_TEST

START_TEST(an_answer_that_comes_late_is_skipped)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/late", .late = true },
		{ .op = MU_CALL_GET, .path = "/a", .text = "in time" },
		{ 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get-twice"), 0);
	ck_assert(fake_logged(&a, "get: -7 /late: the deadline passed\n"));
	ck_assert(fake_logged(&a, "data in time"));
	fake_stop(&a);
}
END_TEST

START_TEST(children_come_sorted)
{
	static const char *const names[] = { "b", "a10", "a1", NULL };
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_CHILDREN, .path = "/a", .names = names }, { 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/children"), 0);
	ck_assert(fake_logged(&a, "child 0 a1\n"));
	ck_assert(fake_logged(&a, "child 1 a10\n"));
	ck_assert(fake_logged(&a, "child 2 b\n"));
	ck_assert(!fake_logged(&a, "child 3"));
	fake_stop(&a);
}
END_TEST

START_TEST(no_children_are_no_trouble)
{
	static const char *const names[] = { NULL };
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_CHILDREN, .path = "/a", .names = names }, { 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/children"), 0);
	ck_assert(fake_logged(&a, "children: 0"));
	ck_assert(!fake_logged(&a, "child 0"));
	fake_stop(&a);
}
END_TEST

START_TEST(what_get_lent_survives_a_set)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a", .text = "lent" },
		{ .op = MU_CALL_SET, .path = "/b" },
		{ 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/set"), 0);
	ck_assert(fake_logged(&a, "still lent\n"));
	ck_assert_uint_eq(a.set.count, 1);
	ck_assert_str_eq(a.set.data, "new");
	ck_assert_int_eq(a.set.version, 4);
	fake_stop(&a);
}
END_TEST

START_TEST(a_report_goes_out_in_one_line)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/do/report");

	start_ready(fake_lie("probe"), NULL);
	e.zxid = MU_REPORT_REJECTED;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_uint_eq(a.report.count, 1);
	ck_assert_str_eq(a.report.path, "/a");
	ck_assert_str_eq(a.report.reason, "two lines");
	ck_assert_str_eq(a.report.digest, "");
	ck_assert_int_eq(a.report.state, MU_REPORT_REJECTED);
	ck_assert_int_eq(a.report.zxid, 5);
	ck_assert_int_eq(a.report.version, 6);
	e.zxid = MU_REPORT_FAILED + 1;
	ck_assert_int_eq(fake_event(&a, e), MU_EINVAL);
	e.zxid = -1;
	ck_assert_int_eq(fake_event(&a, e), MU_EINVAL);
	ck_assert_uint_eq(a.report.count, 1);
	fake_stop(&a);
}
END_TEST

START_TEST(a_log_line_is_one_line_of_two_kib)
{
	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(event("/do/log"), 0);
	ck_assert(fake_logged(&a, "<3> long yyy"));
	ck_assert(fake_logged(&a, "<0> two lines\n"));
	ck_assert_uint_lt(a.logs.len, 2300);
	ck_assert_uint_gt(a.logs.len, 2047);
	fake_stop(&a);
}
END_TEST

START_TEST(stop_while_waiting_is_honoured_after_the_callback)
{
	static const struct fake_answer answers[] = { { .op = MU_CALL_GET,
		                                        .path = "/a",
		                                        .text = "last",
		                                        .stop_first = true },
		                                      { 0 } };

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get"), 0);
	ck_assert(fake_logged(&a, "data last"));
	fake_drain(&a);
	ck_assert(fake_logged(&a, "fini"));
	ck_assert_int_eq(fake_exit(&a), 0);
	fake_fini(&a);
}
END_TEST

START_TEST(an_end_while_waiting_is_honoured_after_the_callback)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_GET, .path = "/a", .hang_up = true }, { 0 }
	};

	start_ready(fake_lie("probe"), answers);
	ck_assert_int_eq(event("/do/get"), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), 0);
	fake_fini(&a);
}
END_TEST

START_TEST(another_channel_version_is_refused)
{
	struct fake_options o = { .plugin_file = fake_lie("probe"),
		                  .version = 99 };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), MU_EABI);
	ck_assert_ptr_nonnull(strstr(a.ready.reason, "version 99"));
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 3 << 8);
	fake_fini(&a);
}
END_TEST

START_TEST(a_frame_that_makes_no_sense_ends_the_runner)
{
	static const char frame[8] = { 0, 0, 0, 4, 0, 0, 0, 99 };

	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(send(a.fd, frame, sizeof frame, MSG_NOSIGNAL), 8);
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 4 << 8);
	ck_assert(fake_said(&a, "does not decode"));
	fake_fini(&a);
}
END_TEST

/* ---- what came with revision 2 ---- */

static void start_ticker(const struct mu_setting *rows, size_t count,
                         const struct fake_answer *answers)
{
	struct fake_options o = { .plugin_file = fake_lie("ticker"),
		                  .settings = rows,
		                  .setting_count = count,
		                  .answers = answers };

	fake_start(&a, &o);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
}

START_TEST(ready_tells_what_the_plugin_has)
{
	start_ticker(NULL, 0, NULL);
	ck_assert_uint_eq(a.ready.wants, MU_WANT_GAP);
	ck_assert(a.ready.has_tick && a.ready.has_check);
	ck_assert(fake_logged(&a, "has create 1 wake 1\n"));
	fake_stop(&a);
	start_ready(fake_lie("probe"), NULL);
	ck_assert_uint_eq(a.ready.wants, 0);
	ck_assert(!a.ready.has_tick && !a.ready.has_check);
	fake_stop(&a);
}
END_TEST

START_TEST(an_event_says_who_did_it)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/x");

	start_ticker(NULL, 0, NULL);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "event 3 flags 0 /x by 0 0x0 ''\n"));
	e.type = MU_EVENT_GAP;
	e.flags = MU_EVENT_STALE;
	e.cause = 2;
	e.author_session = 0x1f;
	e.author = MU_STR("web3");
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "event 30 flags 8 /x by 2 0x1f 'web3'\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_tick_is_a_call_like_any_other)
{
	static const struct fake_answer answers[] = { { .op = MU_CALL_GET,
		                                        .path = "/a",
		                                        .rc = MU_ENOAUTH,
		                                        .text = "go away" },
		                                      { 0 } };
	const struct mu_setting rows[] = { FAKE_NUM("get_in_tick",
		                                    MU_SETTING_BOOL, 1) };

	start_ticker(rows, COUNT(rows), answers);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), MU_ENOAUTH);
	ck_assert(fake_logged(&a, "tick 1\n"));
	ck_assert_str_eq(a.ack.reason, "go away");
	ck_assert_int_eq(event("/x"), 0);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), MU_ENOAUTH);
	ck_assert(fake_logged(&a, "tick 2\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(a_check_says_what_is_wrong_in_one_line)
{
	start_ticker(NULL, 0, NULL);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), 0);
	ck_assert_str_eq(a.ack.reason, "");
	ck_assert_int_eq(event("/do/ill"), 0);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EIO);
	ck_assert_str_eq(a.ack.reason, "not well");
	fake_stop(&a);
}
END_TEST

START_TEST(a_tick_or_check_that_the_plugin_has_not_makes_no_sense)
{
	static const int32_t types[] = { MU_CHAN_TICK, MU_CHAN_CHECK };

	start_ready(fake_lie("probe"), NULL);
	ck_assert_int_eq(fake_turn(&a, types[_i]), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), 4 << 8);
	fake_fini(&a);
}
END_TEST

START_TEST(wake_in_an_event_is_said_once)
{
	start_ticker(NULL, 0, NULL);
	ck_assert_int_eq(event("/do/wake"), 0);
	ck_assert(fake_wake_comes(&a));
	/* Until there is a tick, further ones count with it. */
	ck_assert_int_eq(event("/do/wake"), 0);
	ck_assert_int_eq(event("/x"), 0);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
	ck_assert_int_eq(event("/x"), 0);
	ck_assert_uint_eq(a.wakes, 1);
	ck_assert_int_eq(event("/do/wake"), 0);
	ck_assert(fake_wake_comes(&a));
	fake_stop(&a);
	ck_assert_uint_eq(a.wakes, 2);
}
END_TEST

START_TEST(wake_in_init_is_said_after_ready)
{
	const struct mu_setting rows[] = { FAKE_NUM("wake_in_init",
		                                    MU_SETTING_BOOL, 1) };

	start_ticker(rows, COUNT(rows), NULL);
	ck_assert(fake_wake_comes(&a));
	fake_stop(&a);
}
END_TEST

START_TEST(wake_in_a_tick_asks_for_the_next_one)
{
	const struct mu_setting rows[] = { FAKE_NUM("wake_in_tick",
		                                    MU_SETTING_BOOL, 1) };

	start_ticker(rows, COUNT(rows), NULL);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
	ck_assert(fake_wake_comes(&a));
	fake_stop(&a);
}
END_TEST

START_TEST(wake_is_heard_in_a_signal_handler)
{
	start_ticker(NULL, 0, NULL);
	ck_assert_int_eq(event("/do/wake-signal"), 0);
	ck_assert(fake_wake_comes(&a));
	fake_stop(&a);
}
END_TEST

START_TEST(wake_is_heard_while_the_runner_waits_for_its_agent)
{
	char dir[256], fifo[300];
	int fd;

	dir_make(dir, sizeof dir);
	snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	start_ticker((struct mu_setting[]){ FAKE_STR("fifo", fifo) }, 1, NULL);
	ck_assert_int_eq(event("/do/wake-later"), 0);
	ck_assert_uint_eq(a.wakes, 0);
	fd = open(fifo, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert(fake_wake_comes(&a));
	close(fd);
	fake_stop(&a);
	dir_remove(dir);
}
END_TEST

START_TEST(create_and_remove_ask_the_agent)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_CREATE, .path = "/e/a" },
		{ .op = MU_CALL_CREATE,
		  .path = "/e/b",
		  .rc = MU_EEXISTS,
		  .text = "there already" },
		{ .op = MU_CALL_DELETE, .path = "/e/a" },
		{ 0 }
	};

	start_ticker(NULL, 0, answers);
	ck_assert_int_eq(event("/do/create"), 0);
	ck_assert_str_eq(a.create.path, "/e/a");
	ck_assert_str_eq(a.create.data, "mine");
	ck_assert_uint_eq(a.create.flags, MU_PLUGIN_EPHEMERAL);
	ck_assert_int_eq(event("/do/create-null"), MU_EEXISTS);
	ck_assert_str_eq(a.ack.reason, "there already");
	ck_assert_uint_eq(a.create.flags, 0);
	ck_assert(a.create.null);
	ck_assert_int_eq(event("/do/remove"), 0);
	ck_assert_str_eq(a.removal.path, "/e/a");
	ck_assert_int_eq(a.removal.version, 3);
	ck_assert(a.removal.null);
	fake_stop(&a);
}
END_TEST

START_TEST(a_create_that_makes_no_sense_is_refused_here)
{
	static const char *const paths[] = { "/do/create-odd",
		                             "/do/create-nowhere",
		                             "/do/create-nothing" };
	static const char *const words[] = { "flags 6", "missing", "missing" };

	start_ticker(NULL, 0, NULL);
	ck_assert_int_eq(event(paths[_i]), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(a.ack.reason, words[_i]));
	ck_assert_uint_eq(a.create.count, 0);
	fake_stop(&a);
}
END_TEST

/* The runner does not look at its channel inside of a callback: only the signal
 * can end it there. */
START_TEST(the_runner_dies_with_its_parent)
{
	int note[2];
	pid_t middle, runner = 0;

	ck_assert_int_eq(pipe(note), 0);
	middle = child_fork();
	if (middle == 0) {
		start(fake_lie("endless-event"), NULL);
		if (fake_ready(&a) == 0)
			fake_send(&a, event_of(MU_EVENT_CHANGED, "/x"));
		(void)!write(note[1], &a.pid, sizeof a.pid);
		_exit(0);
	}
	ck_assert_int_eq(read(note[0], &runner, sizeof runner), sizeof runner);
	ck_assert_int_eq(waitpid(middle, NULL, 0), middle);
	ck_assert_int_gt(runner, 0);
	ck_assert(fake_group_is_gone(runner));
	close(note[0]);
	close(note[1]);
}
END_TEST

/* ---- by hand ---- */

static int run_by_hand(const char *arg, char *out, size_t room)
{
	char command[600];
	size_t n;
	FILE *p;

	snprintf(command, sizeof command, "%s/muster-runner %s 2>&1 3<&-",
	         MU_BUILD, arg);
	p = popen(command, "r");
	ck_assert_ptr_nonnull(p);
	n = fread(out, 1, room - 1, p);
	out[n] = '\0';
	return pclose(p);
}

START_TEST(by_hand_it_says_who_starts_it)
{
	char out[1000];

	ck_assert_int_eq(run_by_hand("", out, sizeof out), 2 << 8);
	ck_assert_ptr_nonnull(
		strstr(out, "muster-runner is started by muster-agent"));
	ck_assert_int_eq(run_by_hand("--help", out, sizeof out), 0);
	ck_assert_ptr_nonnull(strstr(out, "/etc/muster/conf.d"));
	ck_assert_ptr_nonnull(strstr(out, "muster plugin run"));
	ck_assert_int_eq(run_by_hand("--version", out, sizeof out), 0);
	ck_assert_ptr_nonnull(strstr(out, MU_VERSION));
}
END_TEST

static void add_honest(TCase *tc)
{
	tcase_add_test(tc, ready_tells_version_and_name);
	tcase_add_test(tc, the_host_says_who_it_is_and_leads_a_group);
	tcase_add_test(tc, stop_calls_fini_and_ends_well);
	tcase_add_test(tc, an_agent_that_ends_takes_the_runner_with_it);
	tcase_add_test(tc, an_agent_that_ends_before_start_is_no_trouble);
	tcase_add_test(tc, an_event_arrives_whole);
	tcase_add_test(tc, no_value_is_not_an_empty_value);
	tcase_add_test(tc, a_member_arrives_whole);
	tcase_add_test(tc, a_large_event_arrives);
	tcase_add_test(tc, settings_are_typed);
	tcase_add_test(tc,
	               a_setting_nobody_read_is_a_warning_with_a_suggestion);
	tcase_add_test(tc, of_a_list_nobody_read_there_is_one_warning);
	tcase_add_test(tc, a_setting_that_was_read_is_no_warning);
	tcase_add_test(tc, a_setting_of_another_type_is_a_warning);
	tcase_add_test(tc, a_type_is_warned_of_once_in_an_event_too);
	tcase_add_test(tc, a_whole_number_does_for_a_float);
	tcase_add_test(tc, one_type_that_fits_is_enough);
	tcase_add_test(tc, a_nul_stands_behind_data);
	tcase_add_test(tc, get_reads_a_node);
	tcase_add_test(tc, get_works_in_init);
	tcase_add_test(tc, null_data_has_length_minus_one);
	tcase_add_test(tc, a_refused_call_gives_code_and_reason);
	tcase_add_test(tc, an_answer_that_comes_late_is_skipped);
	tcase_add_test(tc, children_come_sorted);
	tcase_add_test(tc, no_children_are_no_trouble);
	tcase_add_test(tc, what_get_lent_survives_a_set);
	tcase_add_test(tc, a_report_goes_out_in_one_line);
	tcase_add_test(tc, a_log_line_is_one_line_of_two_kib);
	tcase_add_test(tc, stop_while_waiting_is_honoured_after_the_callback);
	tcase_add_test(tc, an_end_while_waiting_is_honoured_after_the_callback);
	tcase_add_test(tc, another_channel_version_is_refused);
	tcase_add_test(tc, a_frame_that_makes_no_sense_ends_the_runner);
	tcase_add_test(tc, the_runner_dies_with_its_parent);
	tcase_add_test(tc, by_hand_it_says_who_starts_it);
}

static void add_revision_2(TCase *tc)
{
	tcase_add_test(tc, ready_tells_what_the_plugin_has);
	tcase_add_test(tc, an_event_says_who_did_it);
	tcase_add_test(tc, a_tick_is_a_call_like_any_other);
	tcase_add_test(tc, a_check_says_what_is_wrong_in_one_line);
	tcase_add_loop_test(
		tc, a_tick_or_check_that_the_plugin_has_not_makes_no_sense, 0,
		2);
	tcase_add_test(tc, wake_in_an_event_is_said_once);
	tcase_add_test(tc, wake_in_init_is_said_after_ready);
	tcase_add_test(tc, wake_in_a_tick_asks_for_the_next_one);
	tcase_add_test(tc, wake_is_heard_in_a_signal_handler);
	tcase_add_test(tc, wake_is_heard_while_the_runner_waits_for_its_agent);
	tcase_add_test(tc, create_and_remove_ask_the_agent);
	tcase_add_loop_test(tc, a_create_that_makes_no_sense_is_refused_here, 0,
	                    3);
}

int main(void)
{
	Suite *s = suite_create("runner");
	TCase *tc = tcase_create("runner");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	add_honest(tc);
	add_revision_2(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
