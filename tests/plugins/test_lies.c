/*
 * How each lie a plugin can tell ends: in a sentence, or in the end of its
 * runner, never in a test that hangs.
 */
#include "fake_agent.h"
#include "program.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake_agent a;

static void start(const char *file)
{
	struct fake_options o = { .plugin_file = file };

	fake_start(&a, &o);
}

static void start_ready(const char *file)
{
	start(file);
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

static void assert_refused(const char *file, int code, const char *word)
{
	start(file);
	ck_assert_int_eq(fake_ready(&a), code);
	ck_assert_msg(strstr(a.ready.reason, word) != NULL, "%s",
	              a.ready.reason);
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 3 << 8);
	fake_fini(&a);
}

/* ---- lies that are refused ---- */

static const struct {
	const char *lie;
	int code;
	const char *word;
} refused[] = {
	{ "wrong-abi", MU_EABI, "plugin ABI 2" },
	{ "short-struct", MU_EABI, "bytes" },
	{ "cut-struct", MU_EABI, "no published muster/plugin.h" },
	{ "size-lie", MU_EABI, "are there" },
	{ "no-symbol", MU_EABI, "no symbol mu_plugin" },
	{ "function-symbol", MU_EABI, "function" },
	{ "tiny-symbol", MU_EABI, "3 bytes" },
	{ "undefined", MU_EIO, "nobody_has_this" },
	{ "bad-name", MU_EINVAL, "name" },
	{ "no-name", MU_EINVAL, "name" },
	{ "other-name", MU_EINVAL, "exec" },
	{ "no-init", MU_EINVAL, "no init" },
	{ "no-event", MU_EINVAL, "no event" },
	{ "no-fini", MU_EINVAL, "no fini" },
	{ "failing-init", MU_ECONFIG, "the moon is not full" },
	{ "nonsense-init", MU_ESYSTEM, "init returned 42" },
	{ "is-not-there", MU_EIO, "No such file" },
};

START_TEST(a_lie_is_refused_with_a_sentence)
{
	assert_refused(fake_lie(refused[_i].lie), refused[_i].code,
	               refused[_i].word);
}
END_TEST

START_TEST(what_is_not_elf_is_refused)
{
	char dir[200], file[300];
	FILE *f;

	dir_make(dir, sizeof dir);
	snprintf(file, sizeof file, "%s/text.so", dir);
	f = fopen(file, "w");
	fputs("#!/bin/sh\n", f);
	fclose(f);
	assert_refused(file, MU_EIO, "cannot load");
	dir_remove(dir);
}
END_TEST

START_TEST(a_truncated_plugin_is_refused)
{
	char dir[200], file[300], command[5000];

	dir_make(dir, sizeof dir);
	snprintf(file, sizeof file, "%s/probe.so", dir);
	snprintf(command, sizeof command, "head -c 8192 %s > %s",
	         fake_lie("probe"), file);
	ck_assert_int_eq(system(command), 0);
	assert_refused(file, MU_EIO, file);
	dir_remove(dir);
}
END_TEST

/* ---- lies that end the runner ---- */

static void assert_dies_at_start(const char *lie, int signum)
{
	start(fake_lie(lie));
	ck_assert_int_eq(fake_ready(&a), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), signum);
	fake_fini(&a);
}

static void assert_dies_of_event(const char *lie, int signum)
{
	start_ready(fake_lie(lie));
	ck_assert_int_eq(event("/x"), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a) & ~0x80, signum);
	fake_fini(&a);
}

START_TEST(a_crash_in_a_constructor_ends_the_runner)
{
	assert_dies_at_start("crash-constructor", SIGSEGV);
}
END_TEST

START_TEST(a_crash_in_init_ends_the_runner)
{
	assert_dies_at_start("crash-init", SIGSEGV);
}
END_TEST

START_TEST(a_crash_in_event_ends_the_runner)
{
	assert_dies_of_event("crash-event", SIGSEGV);
}
END_TEST

START_TEST(an_abort_in_event_ends_the_runner)
{
	assert_dies_of_event("abort-event", SIGABRT);
}
END_TEST

START_TEST(a_stack_overflow_ends_the_runner)
{
	assert_dies_of_event("stack-overflow", SIGSEGV);
}
END_TEST

START_TEST(an_exit_in_event_shows_as_no_ack)
{
	assert_dies_of_event("exit-event", 0);
}
END_TEST

START_TEST(a_crash_in_fini_ends_the_runner)
{
	start_ready(fake_lie("crash-fini"));
	fake_put_stop(&a);
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), SIGSEGV);
	fake_fini(&a);
}
END_TEST

START_TEST(burning_the_cpu_ends_the_runner)
{
	struct fake_options o = { .plugin_file = fake_lie("cpu-burn"),
		                  .cpu_max_s = 1 };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(event("/x"), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a), SIGXCPU);
	fake_fini(&a);
}
END_TEST

START_TEST(one_past_its_deadline_is_killed_with_its_group)
{
	pid_t group;

	start_ready(fake_lie("endless-event"));
	fake_send(&a, event_of(MU_EVENT_CHANGED, "/x"));
	ck_assert_int_eq(fake_ack(&a, 100), FAKE_TIMEOUT);
	group = a.pid;
	fake_kill(&a);
	ck_assert(fake_group_is_gone(group));
	fake_fini(&a);
}
END_TEST

START_TEST(what_was_forked_dies_with_the_group)
{
	pid_t group;

	start_ready(fake_lie("fork-event"));
	ck_assert_int_eq(event("/x"), 0);
	group = a.pid;
	fake_kill(&a);
	ck_assert(fake_group_is_gone(group));
	/* The child holds a copy of the channel, but is not heard on it. */
	ck_assert(!fake_logged(&a, "from the child"));
	fake_fini(&a);
}
END_TEST

START_TEST(a_fork_that_outlives_its_runner_does_not_hide_the_end)
{
	pid_t group;

	start_ready(fake_lie("fork-event"));
	group = a.pid;
	fake_send(&a, event_of(MU_EVENT_DELETED, "/x"));
	/* No end of file, for the child has the channel: waitpid tells. */
	ck_assert_int_eq(fake_exit(&a), 9 << 8);
	ck_assert_int_eq(kill(-group, SIGKILL), 0);
	ck_assert(fake_group_is_gone(group));
	fake_drain(&a);
	fake_fini(&a);
}
END_TEST

/* ---- lies that are borne ---- */

#if !HAS_ASAN /* which needs more memory than any limit */
START_TEST(a_malloc_bomb_meets_its_limit)
{
	struct fake_options o = { .plugin_file = fake_lie("malloc-bomb"),
		                  .memory_max_mb = 100 };
	int mb = 0;

	fake_start(&a, &o);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
	ck_assert_int_eq(event("/x"), MU_ENOMEM);
	ck_assert_int_eq(sscanf(a.ack.reason, "malloc refused after %d", &mb),
	                 1);
	ck_assert_int_gt(mb, 0);
	ck_assert_int_lt(mb, 100);
	fake_fini(&a);
}
END_TEST
#endif

#if !HAS_ASAN
/* Up to the least memory with which a plugin loads, one MiB at a time. */
START_TEST(too_little_memory_to_load_names_the_setting)
{
	unsigned told = 0;
	bool loads = false;

	for (uint32_t mb = 1; mb <= 64 && !loads; mb++) {
		struct fake_options o = { .plugin_file = fake_lie("probe"),
			                  .memory_max_mb = mb };
		char key[64];
		int rc;

		fake_start(&a, &o);
		rc = fake_ready(&a);
		loads = rc == 0;
		snprintf(key, sizeof key, "memory_max_mb = %u ", mb);
		ck_assert_int_ne(rc, FAKE_GONE);
		ck_assert_msg(loads || strstr(a.ready.reason, key),
		              "with %u MiB: %s", mb, a.ready.reason);
		told += !loads;
		fake_fini(&a);
	}
	ck_assert(loads);
	ck_assert_uint_ge(told, 1);
}
END_TEST
#endif

START_TEST(a_descriptor_leak_meets_its_limit)
{
	struct fake_options o = { .plugin_file = fake_lie("fd-leak"),
		                  .files_max = 20 };
	int opened = 0;

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(event("/x"), 0);
	/* 0 to 2 are taken, and what our own parents leaked; the channel is
	 * above the limit. */
	ck_assert_int_eq(
		sscanf((const char *)a.logs.data, "<2> opened %d", &opened), 1);
	ck_assert_int_ge(opened, 1);
	ck_assert_int_le(opened, 17);
	ck_assert_int_eq(event("/x"), 0);
	ck_assert(fake_logged(&a, "opened 0\n"));
	fake_fini(&a); /* a sanitizer cannot end without descriptors */
}
END_TEST

/* ---- who it is ---- */

#define OWN_USER "games" /* is on each Debian, and runs nothing */

/* A directory that another user may look into, with the lie in it. */
static const char *copied(const char *lie, char *dir, size_t room)
{
	static char file[300];
	char command[1000];

	dir_make(dir, room);
	snprintf(file, sizeof file, "%s/%s.so", dir, lie);
	snprintf(command, sizeof command, "chmod 755 %s && cp %s %s", dir,
	         fake_lie(lie), file);
	ck_assert_int_eq(system(command), 0);
	return file;
}

START_TEST(user_directory_and_limits_stand_before_the_first_code_runs)
{
	char dir[200], want[600];
	struct fake_options o = { .user = OWN_USER,
		                  .processes_max = 40,
		                  .files_max = 50,
		                  .work_dir = dir };

	if (!is_root(__func__))
		return;
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it would trace */
	o.plugin_file = copied("who", dir, sizeof dir);
	fake_start(&a, &o);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
	for (int i = 0; i < 2; i++) {
		snprintf(want, sizeof want,
		         "%s uid 5 gid 60 groups '60 ' umask 022 processes 40 "
		         "files 50 priv 1 caps 0000000000000000 bound "
		         "0000000000000000 cwd %s\n",
		         i ? "now" : "early", dir);
		ck_assert_msg(fake_logged(&a, want), "%s", want);
	}
	fake_stop(&a);
	dir_remove(dir);
}
END_TEST

START_TEST(one_process_past_the_limit_of_a_user_is_refused)
{
	char dir[200];
	/* The runner itself is one of them. */
	struct fake_options o = { .user = OWN_USER, .processes_max = 20 };
	int n = 0;

	if (!is_root(__func__))
		return;
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	o.plugin_file = copied("fork-bomb", dir, sizeof dir);
	fake_start(&a, &o);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
	fake_send(&a, event_of(MU_EVENT_CHANGED, "/x"));
	for (int i = 0; i < 200 && !fake_logged(&a, "fork refused"); i++)
		ck_assert_int_eq(fake_ack(&a, 100), FAKE_TIMEOUT);
	ck_assert_int_eq(sscanf((const char *)a.logs.data,
	                        "<2> fork refused after %d", &n),
	                 1);
	ck_assert_int_lt(n, 100); /* with those that others were trying */
	fake_kill(&a);
	fake_fini(&a);
	dir_remove(dir);
}
END_TEST

static const struct {
	const char *user, *group, *work_dir;
	int code;
	const char *said;
} nowhere[] = {
	{ "nobody-has-this-name", "", "", MU_ECONFIG,
	  "there is no user 'nobody-has-this-name' on this host" },
	{ "", "no-such-group", "", MU_ECONFIG,
	  "there is no group 'no-such-group' on this host" },
	{ "", "", "/not/there", MU_EIO,
	  "cannot work in the directory /not/there: No such file" },
};

START_TEST(a_user_or_a_directory_that_is_not_there_is_refused)
{
	struct fake_options o = { .plugin_file = fake_lie("crash-constructor"),
		                  .user = nowhere[_i].user,
		                  .group = nowhere[_i].group,
		                  .work_dir = nowhere[_i].work_dir };

	fake_start(&a, &o);
	/* And its constructor has not run. */
	ck_assert_int_eq(fake_ready(&a), nowhere[_i].code);
	ck_assert_ptr_nonnull(strstr(a.ready.reason, nowhere[_i].said));
	fake_drain(&a);
	fake_exit(&a);
	fake_fini(&a);
}
END_TEST

START_TEST(closing_low_descriptors_does_not_hit_the_channel)
{
	start_ready(fake_lie("close-fds"));
	ck_assert_int_eq(event("/x"), 0);
	ck_assert_int_eq(event("/x"), 0);
	ck_assert(fake_logged(&a, "still here"));
	fake_put_stop(&a);
	fake_drain(&a);
	fake_exit(&a); /* a sanitizer wants its standard error back */
	fake_fini(&a);
}
END_TEST

START_TEST(standard_output_is_standard_error)
{
	start_ready(fake_lie("stdout-event"));
	/* And the channel is not on descriptor 3 any more. */
	ck_assert_int_eq(event("/x"), 0);
	ck_assert(fake_said(&a, "line on standard output\n"));
	fake_stop(&a);
}
END_TEST

START_TEST(what_was_printed_before_a_crash_is_seen)
{
	start_ready(fake_lie("print-crash"));
	ck_assert_int_eq(event("/x"), FAKE_GONE);
	ck_assert_int_eq(fake_exit(&a) & ~0x80, SIGABRT);
	ck_assert(fake_said(&a, "about to crash\n"));
	fake_fini(&a);
}
END_TEST

START_TEST(an_init_without_a_word_is_told_as_such)
{
	const struct mu_setting row = FAKE_NUM("in_init", MU_SETTING_BOOL, 1);
	struct fake_options o = { .plugin_file = fake_lie("speechless"),
		                  .settings = &row,
		                  .setting_count = 1 };

	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), MU_ESYSTEM);
	ck_assert_str_eq(a.ready.reason, "init returned -1 (MU_ESYSTEM) and "
	                                 "left no reason in err");
	fake_drain(&a);
	fake_exit(&a);
	fake_fini(&a);
}
END_TEST

START_TEST(an_event_without_a_word_is_told_as_such)
{
	start_ready(fake_lie("speechless"));
	ck_assert_int_eq(event("/x"), MU_EDATA);
	ck_assert_str_eq(a.ack.reason, "event returned -3 (MU_EDATA) and left "
	                               "no reason in err");
	fake_stop(&a);
}
END_TEST

START_TEST(a_message_without_an_end_is_cut)
{
	start_ready(fake_lie("unterminated"));
	ck_assert_int_eq(event("/x"), MU_EIO);
	ck_assert_uint_eq(strlen(a.ack.reason), MU_ERR_MSG_MAX - 1);
	fake_stop(&a);
}
END_TEST

static const int nonsense[] = {
	1, 42, INT32_MAX, -9, -1999, -99999, INT32_MIN
};

START_TEST(a_code_that_is_none_becomes_esystem)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/x");
	char number[32];

	e.zxid = nonsense[_i];
	snprintf(number, sizeof number, "returned %d,", nonsense[_i]);
	start_ready(fake_lie("nonsense-codes"));
	ck_assert_int_eq(fake_event(&a, e), MU_ESYSTEM);
	ck_assert_ptr_nonnull(strstr(a.ack.reason, number));
	ck_assert_ptr_nonnull(strstr(a.ack.reason, "tab here [31m"));
	ck_assert_ptr_null(strchr(a.ack.reason, '\x1b'));
	fake_stop(&a);
}
END_TEST

START_TEST(a_code_of_ours_is_passed_on)
{
	struct mu_chan_event e = event_of(MU_EVENT_CHANGED, "/x");

	start_ready(fake_lie("nonsense-codes"));
	e.zxid = MU_EPROTO;
	ck_assert_int_eq(fake_event(&a, e), MU_EPROTO);
	ck_assert_str_eq(a.ack.reason, "tab here [31m");
	e.zxid = 0;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert_str_eq(a.ack.reason, "");
	fake_stop(&a);
}
END_TEST

START_TEST(calls_from_a_thread_are_refused)
{
	char want[64];

	snprintf(want, sizeof want, "get %d report %d\n", MU_EINVAL, MU_EINVAL);
	start_ready(fake_lie("thread-calls"));
	ck_assert_int_eq(event("/x"), 0);
	ck_assert(fake_logged(&a, want));
	ck_assert(!fake_logged(&a, "from a thread"));
	ck_assert(fake_said(&a, "from another thread: refused"));
	ck_assert_uint_eq(a.report.count, 0);
	fake_stop(&a);
}
END_TEST

START_TEST(calls_after_the_callback_are_refused)
{
	start_ready(fake_lie("late-calls"));
	fake_put_stop(&a);
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 0);
	ck_assert(fake_said(&a, "late set: -8: the host may be called only"));
	ck_assert(!fake_logged(&a, "too late"));
	ck_assert_uint_eq(a.set.count, 0);
	fake_fini(&a);
}
END_TEST

static void add_lies(TCase *tc)
{
	tcase_add_loop_test(tc, a_lie_is_refused_with_a_sentence, 0,
	                    (int)COUNT(refused));
	tcase_add_test(tc, what_is_not_elf_is_refused);
	tcase_add_test(tc, a_truncated_plugin_is_refused);
	tcase_add_test(tc, a_crash_in_a_constructor_ends_the_runner);
	tcase_add_test(tc, a_crash_in_init_ends_the_runner);
	tcase_add_test(tc, a_crash_in_event_ends_the_runner);
	tcase_add_test(tc, an_abort_in_event_ends_the_runner);
	tcase_add_test(tc, a_stack_overflow_ends_the_runner);
	tcase_add_test(tc, an_exit_in_event_shows_as_no_ack);
	tcase_add_test(tc, a_crash_in_fini_ends_the_runner);
	tcase_add_test(tc, burning_the_cpu_ends_the_runner);
	tcase_add_test(tc, one_past_its_deadline_is_killed_with_its_group);
	tcase_add_test(tc, what_was_forked_dies_with_the_group);
	tcase_add_test(tc,
	               a_fork_that_outlives_its_runner_does_not_hide_the_end);
#if !HAS_ASAN
	tcase_add_test(tc, a_malloc_bomb_meets_its_limit);
	tcase_add_test(tc, too_little_memory_to_load_names_the_setting);
#endif
	tcase_add_test(tc, a_descriptor_leak_meets_its_limit);
	tcase_add_test(
		tc, user_directory_and_limits_stand_before_the_first_code_runs);
	tcase_add_test(tc, one_process_past_the_limit_of_a_user_is_refused);
	tcase_add_loop_test(tc,
	                    a_user_or_a_directory_that_is_not_there_is_refused,
	                    0, (int)COUNT(nowhere));
	tcase_add_test(tc, closing_low_descriptors_does_not_hit_the_channel);
	tcase_add_test(tc, standard_output_is_standard_error);
	tcase_add_test(tc, what_was_printed_before_a_crash_is_seen);
	tcase_add_test(tc, an_init_without_a_word_is_told_as_such);
	tcase_add_test(tc, an_event_without_a_word_is_told_as_such);
	tcase_add_test(tc, a_message_without_an_end_is_cut);
	tcase_add_loop_test(tc, a_code_that_is_none_becomes_esystem, 0,
	                    (int)COUNT(nonsense));
	tcase_add_test(tc, a_code_of_ours_is_passed_on);
	tcase_add_test(tc, calls_from_a_thread_are_refused);
	tcase_add_test(tc, calls_after_the_callback_are_refused);
}

int main(void)
{
	Suite *s = suite_create("lies");
	TCase *tc = tcase_create("lies");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	add_lies(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
