/* What a supervisor decides, move by move; what its configuration may hold; what
 * it hears from a worker. */
#include "agent_conf.h"
#include "agent_options.h"
#include "lifeline.h"
#include "notify.h"
#include "program.h"
#include "supervision.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mu_supervision s;

static void setup(void)
{
	mu_supervision_init(&s, 3, 1000);
}

static void assert_move(enum mu_supervision_event event,
                        enum mu_supervision_action action,
                        enum mu_supervision_state state)
{
	ck_assert_int_eq(mu_supervision_step(&s, event), action);
	ck_assert_int_eq(s.state, state);
}

static void assert_end(int status, uint64_t now_ms,
                       enum mu_supervision_action action,
                       enum mu_supervision_state state)
{
	ck_assert_int_eq(mu_supervision_ended(&s, status, now_ms), action);
	ck_assert_int_eq(s.state, state);
}

static void be_ready(void)
{
	assert_move(MU_SV_READY, MU_SV_NOTHING, MU_SV_RUNNING);
}

static void come_again(void)
{
	assert_move(MU_SV_DUE, MU_SV_START, MU_SV_STARTING);
	be_ready();
}

/* ---- a worker that ends ---- */

START_TEST(one_that_ends_is_started_again_at_once_and_then_after_pauses)
{
	mu_supervision_init(&s, 5, 60000);
	be_ready();
	assert_end(-SIGSEGV, 5000, MU_SV_WAIT, MU_SV_WAITING);
	ck_assert_uint_eq(s.pause_ms, 0);
	come_again();
	assert_end(1, 5100, MU_SV_WAIT, MU_SV_WAITING);
	ck_assert_uint_eq(s.pause_ms, 100);
	come_again();
	assert_end(-SIGKILL, 5200, MU_SV_WAIT, MU_SV_WAITING);
	ck_assert_uint_eq(s.pause_ms, 200);
	ck_assert_uint_eq(mu_supervision_failures(&s, 5200), 3);
}
END_TEST

START_TEST(it_is_given_up_after_failures_max_ends_within_the_window)
{
	be_ready();
	for (uint64_t ms = 100; ms <= 200; ms += 100) {
		assert_end(-SIGSEGV, ms, MU_SV_WAIT, MU_SV_WAITING);
		come_again();
	}
	/* The first of the three is just within it. */
	assert_end(-SIGSEGV, 1099, MU_SV_PART, MU_SV_PARTING);
	ck_assert_int_eq(s.asked, MU_SV_HOPELESS);
	assert_move(MU_SV_PARTED, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GAVE_UP);
}
END_TEST

START_TEST(ends_outside_of_the_window_do_not_count)
{
	be_ready();
	for (uint64_t ms = 100; ms <= 200; ms += 100) {
		assert_end(-SIGSEGV, ms, MU_SV_WAIT, MU_SV_WAITING);
		come_again();
	}
	assert_end(-SIGSEGV, 1100, MU_SV_WAIT, MU_SV_WAITING);
	ck_assert_uint_eq(s.pause_ms, 100);
	come_again();
	assert_end(-SIGSEGV, 5000, MU_SV_WAIT, MU_SV_WAITING);
	ck_assert_uint_eq(s.pause_ms, 0);
}
END_TEST

START_TEST(the_largest_number_of_ends_is_counted)
{
	mu_supervision_init(&s, MU_RESTARTS_MAX, 1000);
	be_ready();
	/* More than the ring holds, slowly. */
	for (uint64_t i = 1; i < MU_RESTARTS_MAX * 2; i++) {
		assert_end(-SIGSEGV, i * 1000, MU_SV_WAIT, MU_SV_WAITING);
		come_again();
	}
	/* And then fast: the last slow one is in the window, too. */
	for (uint32_t i = 0; i < MU_RESTARTS_MAX - 2; i++) {
		assert_end(-SIGSEGV, MU_RESTARTS_MAX * 2000, MU_SV_WAIT,
		           MU_SV_WAITING);
		come_again();
	}
	assert_end(-SIGSEGV, MU_RESTARTS_MAX * 2000, MU_SV_WAIT, MU_SV_WAITING);
	come_again();
	assert_end(-SIGSEGV, MU_RESTARTS_MAX * 2000, MU_SV_PART, MU_SV_PARTING);
}
END_TEST

START_TEST(with_a_wrong_configuration_it_is_given_up_at_once)
{
	be_ready();
	assert_end(-SIGSEGV, 1, MU_SV_WAIT, MU_SV_WAITING);
	assert_move(MU_SV_DUE, MU_SV_START, MU_SV_STARTING);
	assert_end(MU_AGENT_CONFIG, 2, MU_SV_PART, MU_SV_PARTING);
	assert_move(MU_SV_PARTED, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GAVE_UP);
}
END_TEST

static const int refusals[] = { MU_AGENT_FAILED, MU_AGENT_CONFIG };

START_TEST(the_first_one_that_cannot_start_ends_the_agent_with_its_code)
{
	assert_end(refusals[_i], 1, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, refusals[_i]);
}
END_TEST

START_TEST(the_first_one_that_crashes_before_it_is_ready_is_tried_again)
{
	assert_end(-SIGSEGV, 1, MU_SV_WAIT, MU_SV_WAITING);
	assert_move(MU_SV_DUE, MU_SV_START, MU_SV_STARTING);
	assert_end(-SIGSEGV, 2, MU_SV_WAIT, MU_SV_WAITING);
	assert_move(MU_SV_DUE, MU_SV_START, MU_SV_STARTING);
	assert_end(-SIGSEGV, 3, MU_SV_PART, MU_SV_PARTING);
}
END_TEST

START_TEST(one_that_ends_on_purpose_ends_the_agent)
{
	be_ready();
	assert_end(0, 1, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GOOD);
}
END_TEST

/* ---- a worker that hangs ---- */

START_TEST(one_that_is_silent_is_killed_and_started_again_once_it_is_gone)
{
	be_ready();
	assert_move(MU_SV_SILENT, MU_SV_KILL, MU_SV_KILLING);
	assert_move(MU_SV_READY, MU_SV_NOTHING, MU_SV_KILLING);
	assert_move(MU_SV_RELOAD, MU_SV_NOTHING, MU_SV_KILLING);
	assert_end(-SIGKILL, 1, MU_SV_WAIT, MU_SV_WAITING);
	come_again();
}
END_TEST

START_TEST(one_that_cannot_be_killed_is_given_up)
{
	assert_move(MU_SV_SILENT, MU_SV_KILL, MU_SV_KILLING);
	assert_move(MU_SV_SILENT, MU_SV_PART, MU_SV_PARTING);
	assert_move(MU_SV_PARTED, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GAVE_UP);
}
END_TEST

/* ---- signals ---- */

static const enum mu_supervision_event endings[] = { MU_SV_END, MU_SV_LEAVE };

START_TEST(a_signal_goes_to_the_worker_and_its_end_is_ours)
{
	be_ready();
	assert_move(MU_SV_RELOAD, MU_SV_PASS, MU_SV_RUNNING);
	assert_move(endings[_i], MU_SV_PASS, MU_SV_STOPPING);
	assert_move(MU_SV_RELOAD, MU_SV_NOTHING, MU_SV_STOPPING);
	assert_end(0, 1, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GOOD);
}
END_TEST

START_TEST(what_a_worker_that_crashed_at_its_end_did_not_say_is_said_for_it)
{
	be_ready();
	assert_move(endings[_i], MU_SV_PASS, MU_SV_STOPPING);
	assert_end(-SIGSEGV, 1, MU_SV_PART, MU_SV_PARTING);
	ck_assert_int_eq(s.asked, endings[_i]);
	assert_move(MU_SV_PARTED, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GOOD);
}
END_TEST

START_TEST(a_signal_in_a_pause_is_obeyed_without_a_worker)
{
	be_ready();
	assert_end(-SIGSEGV, 1, MU_SV_WAIT, MU_SV_WAITING);
	assert_move(MU_SV_RELOAD, MU_SV_NOTHING, MU_SV_WAITING);
	assert_move(endings[_i], MU_SV_PART, MU_SV_PARTING);
	ck_assert_int_eq(s.asked, endings[_i]);
	assert_move(MU_SV_DUE, MU_SV_NOTHING, MU_SV_PARTING);
	assert_move(MU_SV_END, MU_SV_NOTHING, MU_SV_PARTING);
	assert_move(MU_SV_PARTED, MU_SV_EXIT, MU_SV_OVER);
	ck_assert_int_eq(s.code, MU_AGENT_GOOD);
}
END_TEST

START_TEST(one_that_hangs_at_its_end_is_killed_and_not_started_again)
{
	be_ready();
	assert_move(endings[_i], MU_SV_PASS, MU_SV_STOPPING);
	assert_move(MU_SV_SILENT, MU_SV_KILL, MU_SV_KILLING);
	assert_end(-SIGKILL, 1, MU_SV_PART, MU_SV_PARTING);
	ck_assert_int_eq(s.asked, endings[_i]);
}
END_TEST

START_TEST(a_signal_while_it_is_killed_is_remembered)
{
	be_ready();
	assert_move(MU_SV_SILENT, MU_SV_KILL, MU_SV_KILLING);
	assert_move(endings[_i], MU_SV_NOTHING, MU_SV_KILLING);
	assert_end(-SIGKILL, 1, MU_SV_PART, MU_SV_PARTING);
	ck_assert_int_eq(s.asked, endings[_i]);
}
END_TEST

START_TEST(leaving_is_more_than_ending)
{
	be_ready();
	assert_move(MU_SV_END, MU_SV_PASS, MU_SV_STOPPING);
	assert_move(MU_SV_LEAVE, MU_SV_PASS, MU_SV_STOPPING);
	assert_move(MU_SV_END, MU_SV_PASS, MU_SV_STOPPING);
	ck_assert_int_eq(s.asked, MU_SV_LEAVE);
}
END_TEST

/* ---- configuration ---- */

static const struct {
	const char *text;
	bool good;
} limits[] = {
	{ "watchdog_ms = 0;", true },
	{ "watchdog_ms = 1;", false },
	{ "watchdog_ms = 999;", false },
	{ "watchdog_ms = 1000;", true },
	{ "watchdog_ms = 600000;", true },
	{ "watchdog_ms = 600001;", false },
	{ "restart_failures = 0;", false },
	{ "restart_failures = 1;", true },
	{ "restart_failures = 100;", true },
	{ "restart_failures = 101;", false },
	{ "restart_window_s = 0;", false },
	{ "restart_window_s = 1;", true },
	{ "restart_window_s = 86400;", true },
	{ "restart_window_s = 86401;", false },
};

static int load(const char *text, struct mu_agent_conf *conf)
{
	char path[] = "/tmp/muster-conf.XXXXXX";
	struct mu_err err;
	int fd = mkstemp(path), rc;

	ck_assert_int_ge(fd, 0);
	close(fd);
	file_write_text(path, text);
	rc = mu_agent_conf_load(path, conf, &err);
	unlink(path);
	return rc;
}

START_TEST(its_keys_have_limits)
{
	struct mu_agent_conf conf;

	ck_assert_int_eq(load(limits[_i].text, &conf),
	                 limits[_i].good ? 0 : MU_ECONFIG);
	mu_agent_conf_wipe(&conf);
}
END_TEST

static const struct {
	const char *text;
	int64_t silence_max_ms;
	bool slow; /* the session may end first, and the user is told */
} watchdogs[] = {
	{ "", 1500, false },
	{ "watchdog_ms = 0;", 1500, false },
	{ "session_timeout_ms = 300;", 1000, false },
	{ "session_timeout_ms = 2000;", 1000, false },
	{ "session_timeout_ms = 2002;", 1001, false },
	{ "session_timeout_ms = 19998;", 9999, false },
	{ "session_timeout_ms = 20000;", 10000, false },
	{ "session_timeout_ms = 3600000;", 10000, false },
	{ "watchdog_ms = 1000;", 1000, false },
	{ "watchdog_ms = 1999;", 1999, false },
	{ "watchdog_ms = 2000;", 2000, true },
	{ "watchdog_ms = 10000;", 10000, true },
	{ "watchdog_ms = 600000; session_timeout_ms = 3600000;", 600000,
	  false },
	{ "watchdog_ms = 1000; session_timeout_ms = 300;", 1000, true },
};

START_TEST(its_watchdog_is_half_of_the_session_within_limits_or_what_was_set)
{
	struct mu_agent_conf conf;
	char text[MU_ERR_MSG_MAX] = "";

	ck_assert_int_eq(load(watchdogs[_i].text, &conf), 0);
	ck_assert_int_eq(conf.silence_max_ms, watchdogs[_i].silence_max_ms);
	ck_assert_int_eq(
		mu_agent_conf_is_slow_to_kill(&conf, text, sizeof text),
		watchdogs[_i].slow);
	if (watchdogs[_i].slow) {
		ck_assert_ptr_nonnull(strstr(text, "watchdog_ms"));
		ck_assert_ptr_nonnull(strstr(text, "session_timeout_ms"));
	}
	mu_agent_conf_wipe(&conf);
}
END_TEST

/* ---- what it hears ---- */

static void stop_loop(void *arg)
{
	mu_loop_stop(arg);
}

START_TEST(a_loop_that_turns_beats_and_other_words_come_in_between)
{
	struct mu_lifeline *line;
	struct mu_timer *t;
	struct mu_loop *l;
	char words[64] = "";
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(mu_loop_new(&l, NULL), 0);
	ck_assert_int_eq(mu_lifeline_new(l, fd[1], 5, &line), 0);
	ck_assert_int_eq(mu_timer_new(l, stop_loop, l, &t), 0);
	mu_lifeline_say(line, MU_LIFELINE_READY);
	mu_timer_arm(t, 50, 0);
	mu_loop_run(l);
	ck_assert_int_gt(read(fd[0], words, sizeof words - 1), 2);
	ck_assert_int_eq(words[0], 'r');
	ck_assert_str_eq(words + 1 + strspn(words + 1, "b"), "");
	/* Nobody reads: nothing waits, and nothing is lost but beats. */
	for (int i = 0; i < 100000; i++)
		mu_lifeline_say(line, MU_LIFELINE_BEAT);
	mu_lifeline_free(line);
	mu_timer_free(t);
	mu_loop_free(l);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(the_service_managers_watchdog_is_for_the_process_that_it_names)
{
	char pid[16];

	ck_assert_uint_eq(mu_notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "20000000", 1);
	ck_assert_uint_eq(mu_notify_watchdog_ms(), 20000);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	ck_assert_uint_eq(mu_notify_watchdog_ms(), 20000);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_uint_eq(mu_notify_watchdog_ms(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervision");
	TCase *tc = tcase_create("io");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(
		tc,
		one_that_ends_is_started_again_at_once_and_then_after_pauses);
	tcase_add_test(
		tc, it_is_given_up_after_failures_max_ends_within_the_window);
	tcase_add_test(tc, ends_outside_of_the_window_do_not_count);
	tcase_add_test(tc, the_largest_number_of_ends_is_counted);
	tcase_add_test(tc, with_a_wrong_configuration_it_is_given_up_at_once);
	tcase_add_loop_test(
		tc,
		the_first_one_that_cannot_start_ends_the_agent_with_its_code, 0,
		2);
	tcase_add_test(
		tc,
		the_first_one_that_crashes_before_it_is_ready_is_tried_again);
	tcase_add_test(tc, one_that_ends_on_purpose_ends_the_agent);
	tcase_add_test(
		tc,
		one_that_is_silent_is_killed_and_started_again_once_it_is_gone);
	tcase_add_test(tc, one_that_cannot_be_killed_is_given_up);
	tcase_add_loop_test(tc, a_signal_goes_to_the_worker_and_its_end_is_ours,
	                    0, 2);
	tcase_add_loop_test(
		tc,
		what_a_worker_that_crashed_at_its_end_did_not_say_is_said_for_it,
		0, 2);
	tcase_add_loop_test(tc, a_signal_in_a_pause_is_obeyed_without_a_worker,
	                    0, 2);
	tcase_add_loop_test(
		tc, one_that_hangs_at_its_end_is_killed_and_not_started_again,
		0, 2);
	tcase_add_loop_test(tc, a_signal_while_it_is_killed_is_remembered, 0,
	                    2);
	tcase_add_test(tc, leaving_is_more_than_ending);
	tcase_add_loop_test(tc, its_keys_have_limits, 0,
	                    sizeof limits / sizeof *limits);
	tcase_add_loop_test(
		tc,
		its_watchdog_is_half_of_the_session_within_limits_or_what_was_set,
		0, sizeof watchdogs / sizeof *watchdogs);
	tcase_add_test(tc,
	               a_loop_that_turns_beats_and_other_words_come_in_between);
	tcase_add_test(
		tc,
		the_service_managers_watchdog_is_for_the_process_that_it_names);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
