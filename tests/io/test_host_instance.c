/* What an instance is fenced in with, one thing at a time: its environment, its
 * user, its cgroup, what it prints, how often it may fail, how it is told of. */
#include "account.h"
#include "agent_conf.h"
#include "cgroup.h"
#include "child.h"
#include "environment.h"
#include "err.h"
#include "json.h"
#include "loop.h"
#include "printed.h"
#include "program.h"
#include "quarantine.h"
#include "states.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_mem.c"

static struct mu_err err;

/* ---- quarantine.h ---- */

START_TEST(as_many_failures_as_allowed_within_the_window_are_too_many)
{
	struct mu_quarantine *q = mu_quarantine_new(3, 1000);

	ck_assert_ptr_nonnull(q);
	ck_assert(!mu_quarantine_failed(q, 100));
	ck_assert(!mu_quarantine_failed(q, 600));
	ck_assert(!mu_quarantine_is_on(q));
	ck_assert_uint_eq(mu_quarantine_count(q, 600), 2);
	/* The first is just within, at 1,000 ms. */
	ck_assert(mu_quarantine_failed(q, 1100));
	ck_assert(mu_quarantine_is_on(q));
	ck_assert_uint_eq(mu_quarantine_count(q, 99999), 3);
	ck_assert(mu_quarantine_failed(q, 99999));
	mu_quarantine_free(q);
}
END_TEST

START_TEST(five_failures_in_ten_minutes_are_too_many_unless_configured)
{
	struct mu_instance_confs all = { 0 };
	const struct mu_instance_conf *one;
	struct mu_quarantine *q;

	ck_assert_int_eq(
		mu_instance_confs_parse("i.conf",
	                                "instances = ( { name = \"a\"; "
	                                "plugin = \"log\"; } );",
	                                &all, &err),
		0);
	one = all.at[0];
	ck_assert_int_eq(one->quarantine_failures, 5);
	ck_assert_int_eq(one->quarantine_window_s, 600);
	q = mu_quarantine_new((uint32_t)one->quarantine_failures,
	                      (uint64_t)one->quarantine_window_s * 1000);
	for (uint64_t i = 0; i < 5; i++) /* in ten minutes and a bit */
		ck_assert(!mu_quarantine_failed(q, i * 150001));
	mu_quarantine_lift(q);
	for (uint64_t i = 0; i < 4; i++)
		ck_assert(!mu_quarantine_failed(q, i * 150000));
	ck_assert(mu_quarantine_failed(q, 600000));
	mu_quarantine_free(q);
	mu_instance_confs_wipe(&all);
}
END_TEST

START_TEST(failures_beyond_the_window_do_not_count)
{
	struct mu_quarantine *q = mu_quarantine_new(3, 1000);

	for (uint64_t ms = 100; ms < 100000; ms += 501)
		ck_assert(!mu_quarantine_failed(q, ms));
	ck_assert(!mu_quarantine_is_on(q));
	mu_quarantine_free(q);
}
END_TEST

START_TEST(who_was_released_begins_anew)
{
	struct mu_quarantine *q = mu_quarantine_new(2, 1000);

	ck_assert(!mu_quarantine_failed(q, 1));
	ck_assert(mu_quarantine_failed(q, 2));
	mu_quarantine_lift(q);
	ck_assert(!mu_quarantine_is_on(q));
	ck_assert_uint_eq(mu_quarantine_count(q, 2), 0);
	ck_assert(!mu_quarantine_failed(q, 3));
	ck_assert(mu_quarantine_failed(q, 4));
	mu_quarantine_free(q);
}
END_TEST

START_TEST(one_failure_may_be_too_many_and_none_is_never)
{
	struct mu_quarantine *one = mu_quarantine_new(1, 1000);
	struct mu_quarantine *never = mu_quarantine_new(0, 1000);

	ck_assert(mu_quarantine_failed(one, 5));
	for (uint64_t ms = 0; ms < 100; ms++)
		ck_assert(!mu_quarantine_failed(never, ms));
	mu_quarantine_free(one);
	mu_quarantine_free(never);
	mu_quarantine_free(NULL);
	fault_alloc_at(0);
	ck_assert_ptr_null(mu_quarantine_new(3, 1000));
}
END_TEST

/* ---- states.h ---- */

static const char *states_text(const struct mu_states *s)
{
	static char text[4096];
	struct mu_json *o = mu_states_json(s);
	char *t = mu_json_text(o);

	snprintf(text, sizeof text, "%s", t);
	free(t);
	mu_json_free(o);
	return text;
}

START_TEST(states_are_told_in_the_order_of_their_names)
{
	struct mu_states s = { NULL };

	ck_assert(mu_states_set(&s, "web", "ready"));
	ck_assert(mu_states_set(&s, "a", "starting"));
	ck_assert(mu_states_set(&s, "motd", "ready"));
	ck_assert_str_eq(states_text(&s), "{\"a\":\"starting\","
	                                  "\"motd\":\"ready\","
	                                  "\"web\":\"ready\"}");
	ck_assert(!mu_states_set(&s, "motd", "ready"));
	ck_assert(mu_states_set(&s, "motd", "failed: x"));
	ck_assert(!mu_states_set(&s, "none", NULL));
	ck_assert(mu_states_set(&s, "a", NULL));
	ck_assert_str_eq(states_text(&s),
	                 "{\"motd\":\"failed: x\",\"web\":\"ready\"}");
	mu_states_wipe(&s);
	ck_assert_str_eq(states_text(&s), "{}");
}
END_TEST

START_TEST(a_long_state_is_cut_between_characters)
{
	struct mu_states s = { NULL };
	char text[MU_STATE_MAX + 10];

	memset(text, 'x', sizeof text);
	text[MU_STATE_MAX - 1] = '\0';
	ck_assert(mu_states_set(&s, "a", text));
	ck_assert_uint_eq(strlen(s.first->text), MU_STATE_MAX - 1);
	/* A character of two bytes where there is room for one. */
	memcpy(text + MU_STATE_MAX - 2, "\xc3\xa4", 3);
	ck_assert(mu_states_set(&s, "a", text));
	ck_assert_uint_eq(strlen(s.first->text), MU_STATE_MAX - 2);
	mu_states_wipe(&s);
}
END_TEST

START_TEST(without_memory_no_state_is_taken)
{
	struct mu_states s = { NULL };

	fault_alloc_at(0);
	ck_assert(!mu_states_set(&s, "a", "ready"));
	ck_assert_ptr_null(s.first);
}
END_TEST

/* ---- environment.h ---- */

static const char *value_of(char **env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (; *env; env++) {
		if (strncmp(*env, name, len) != 0 || (*env)[len] != '=')
			continue;
		ck_assert_ptr_null(found); /* once */
		found = *env + len + 1;
	}
	return found;
}

START_TEST(only_what_is_usual_and_what_is_named_is_passed_on)
{
	char *items[] = { (char *)(uintptr_t) "A=1", (char *)(uintptr_t) "B",
		          (char *)(uintptr_t) "TZ=UTC",
		          (char *)(uintptr_t) "NOT_THERE" };
	struct mu_conf_list more = { items, 4 };
	struct mu_account none = { .uid = geteuid() };
	char **env;

	setenv("TZ", "Asia/Tokyo", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("B", "two", 1);
	setenv("HOME", "/home/of/the/agent", 1);
	setenv("LD_PRELOAD", "", 1);
	setenv("NOTIFY_SOCKET", "/x", 1);
	env = mu_environment_new(&none, &more);
	ck_assert_ptr_nonnull(env);
	ck_assert_str_eq(value_of(env, "A"), "1");
	ck_assert_str_eq(value_of(env, "B"), "two");
	ck_assert_str_eq(value_of(env, "TZ"), "UTC");
	ck_assert_str_eq(value_of(env, "LANG"), "C.UTF-8");
	ck_assert_str_eq(value_of(env, "HOME"), "/home/of/the/agent");
	ck_assert_ptr_null(value_of(env, "NOTIFY_SOCKET"));
	ck_assert_ptr_null(value_of(env, "LD_PRELOAD"));
	ck_assert_ptr_null(value_of(env, "NOT_THERE"));
	mu_free(env);
}
END_TEST

START_TEST(a_user_of_its_own_has_a_home_of_its_own)
{
	struct mu_account a = { .name = "web", .home = "/srv/web" };
	struct mu_conf_list none = { NULL, 0 };
	char **env;

	unsetenv("PATH");
	setenv("USER", "root", 1);
	env = mu_environment_new(&a, &none);
	ck_assert_str_eq(value_of(env, "HOME"), "/srv/web");
	ck_assert_str_eq(value_of(env, "USER"), "web");
	ck_assert_str_eq(value_of(env, "LOGNAME"), "web");
	ck_assert_ptr_nonnull(strstr(value_of(env, "PATH"), "/usr/bin"));
	mu_free(env);
}
END_TEST

START_TEST(a_user_without_a_name_has_nobodys_home)
{
	struct mu_account a = { .uid = geteuid() + 4711, .gid = 4711 };
	struct mu_conf_list none = { NULL, 0 };
	char **env;

	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	env = mu_environment_new(&a, &none);
	ck_assert_ptr_null(value_of(env, "HOME"));
	ck_assert_ptr_null(value_of(env, "USER"));
	ck_assert_ptr_null(value_of(env, "LOGNAME"));
	mu_free(env);
}
END_TEST

START_TEST(an_environment_without_memory_is_none)
{
	struct mu_account a = { .name = "web", .home = "/srv/web" };
	struct mu_conf_list none = { NULL, 0 };
	char **env = NULL;
	int k = 0;

	while (!env && k < 100) {
		fault_alloc_at((unsigned)k++);
		env = mu_environment_new(&a, &none);
	}
	fault_alloc_off();
	ck_assert_int_gt(k, 1);
	ck_assert_ptr_nonnull(env);
	mu_free(env);
}
END_TEST

/* ---- account.h ---- */

START_TEST(users_and_groups_are_found_by_name_and_number)
{
	struct mu_account a;

	ck_assert_int_eq(mu_account_find("", "", &a, &err), 0);
	ck_assert_uint_eq(a.uid, geteuid());
	ck_assert_uint_eq(a.gid, getegid());
	ck_assert_str_eq(a.name, "");
	ck_assert_int_eq(mu_account_find("daemon", "", &a, &err), 0);
	ck_assert_uint_eq(a.uid, 1);
	ck_assert_uint_eq(a.gid, 1);
	ck_assert_str_eq(a.name, "daemon");
	ck_assert_int_eq(mu_account_find("1", "nogroup", &a, &err), 0);
	ck_assert_uint_eq(a.uid, 1);
	ck_assert_uint_eq(a.gid, 65534);
	ck_assert_str_eq(a.name, "daemon");
	ck_assert_int_eq(mu_account_find("3999999999", "7", &a, &err), 0);
	ck_assert_uint_eq(a.uid, 3999999999u);
	ck_assert_uint_eq(a.gid, 7);
	ck_assert_str_eq(a.name, "");
}
END_TEST

static const char *const nobodies[][2] = {
	{ "no-such-user", "" }, { "3999999999", "" }, { "", "no-such-group" },
	{ "4294967295", "7" },  { "12x", "7" },       { "-1", "7" },
};

START_TEST(a_user_that_is_not_there_is_an_error)
{
	struct mu_account a;

	ck_assert_int_eq(
		mu_account_find(nobodies[_i][0], nobodies[_i][1], &a, &err),
		MU_ECONFIG);
}
END_TEST

/* ---- cgroup.h, on a directory that is none ---- */

START_TEST(a_cgroup_is_made_by_a_few_small_files)
{
	char dir[] = "/tmp/mu-cgroup-XXXXXX", path[200];
	char *text;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/one", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/one/pids.max", dir);
	file_write_text(path, "");
	ck_assert_int_eq(mu_cgroup_make(dir, "one", 17, &err), 0);
	text = file_read(path, NULL);
	ck_assert_str_eq(text, "17");
	free(text);
	snprintf(path, sizeof path, "%s/one/cgroup.procs", dir);
	ck_assert_int_eq(mu_cgroup_add(dir, "one", 4711, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "No such file"));
	file_write_text(path, "");
	ck_assert_int_eq(mu_cgroup_add(dir, "one", 4711, &err), 0);
	ck_assert_uint_eq(mu_cgroup_refused(dir, "one"), 0);
	snprintf(path, sizeof path, "%s/one/pids.events", dir);
	file_write_text(path, "max 12\n");
	ck_assert_uint_eq(mu_cgroup_refused(dir, "one"), 12);
	dir_remove(dir);
	ck_assert_int_eq(mu_cgroup_make(dir, "one", 17, &err), MU_EIO);
	ck_assert(mu_cgroup_end(dir, "one")); /* it is not there */
}
END_TEST

START_TEST(the_agent_leaves_a_cgroup_that_is_its_own)
{
	char dir[] = "/tmp/mu-cgroup-XXXXXX", path[300], at[200], pid[32];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* The root of all has no type. */
	snprintf(at, sizeof at, "%s", dir);
	ck_assert_int_eq(mu_cgroup_leave(at, &err), 0);
	ck_assert_str_eq(at, dir);
	snprintf(path, sizeof path, "%s/cgroup.type", dir);
	file_write_text(path, "domain\n");
	/* Somebody else is in it. */
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	snprintf(pid, sizeof pid, "%ld\n1\n", (long)getpid());
	file_write_text(path, pid);
	ck_assert_int_eq(mu_cgroup_leave(at, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "process 1 is in "));
	snprintf(path, sizeof path, "%s/muster-agent", dir);
	ck_assert_int_ne(access(path, F_OK), 0);
	/* None is: it is left for the leaf, where the next one is found. */
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	file_write_text(path, "");
	ck_assert_int_eq(mu_cgroup_leave(at, &err), 0);
	ck_assert_str_eq(at, dir);
	snprintf(at, sizeof at, "%s/muster-agent", dir);
	snprintf(path, sizeof path, "%s/cgroup.type", at);
	file_write_text(path, "domain\n");
	ck_assert_int_eq(mu_cgroup_leave(at, &err), 0);
	ck_assert_str_eq(at, dir);
	dir_remove(dir);
}
END_TEST

START_TEST(a_process_that_has_just_ended_is_no_stranger_in_a_cgroup)
{
	char dir[] = "/tmp/mu-cgroup-XXXXXX", path[300], at[200], number[32];
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(at, sizeof at, "%s", dir);
	snprintf(path, sizeof path, "%s/cgroup.type", dir);
	file_write_text(path, "domain\n");
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	snprintf(number, sizeof number, "%ld\n", (long)pid);
	file_write_text(path, number);
	/* It stays in this file, which no kernel keeps: so it is to be moved. */
	ck_assert_int_eq(mu_cgroup_leave(at, &err), MU_EIO);
	ck_assert_ptr_null(strstr(err.msg, "not the agent's"));
	ck_assert_ptr_nonnull(strstr(err.msg, "cannot be moved"));
	dir_remove(dir);
}
END_TEST

START_TEST(what_is_in_a_cgroup_is_limited_and_killed)
{
	char base[512];
	pid_t pid;
	int started;

	if (mu_cgroup_find(base, sizeof base, &err)) {
		printf("SKIPPED: %s: %s\n", __func__, err.msg);
		return;
	}
	ck_assert_int_eq(mu_cgroup_make(base, "muster-test", 1, &err), 0);
	pid = child_fork();
	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_eq(mu_cgroup_add(base, "muster-test", pid, &err), 0);
	(void)mu_cgroup_end(base, "muster-test");
	started = 0;
	while (waitpid(pid, &started, 0) < 0)
		continue;
	ck_assert(WIFSIGNALED(started) && WTERMSIG(started) == SIGKILL);
	ck_assert(mu_cgroup_end(base, "muster-test"));
}
END_TEST

/* ---- printed.h ---- */

static struct mu_loop *loop;
static struct mu_printed *printed;
static int theirs, kept_stderr;
static char log_file[] = "/tmp/mu-printed-XXXXXX";

/* The log goes to a file meanwhile. */
static void open_printed(uint32_t lines_max)
{
	const struct mu_printed_limits limits = { .printed = lines_max,
		                                  .said = 2 };
	int fd = mkstemp(log_file);

	ck_assert_int_ge(fd, 0);
	kept_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(
		mu_printed_new(loop, "one", &limits, &printed, &theirs, &err),
		0);
}

static void say(const char *text)
{
	ck_assert_int_eq(write(theirs, text, strlen(text)),
	                 (ssize_t)strlen(text));
}

/* The end of the process; what the log has then. */
static const char *end_printed(void)
{
	static char text[65536];
	char *all;

	close(theirs);
	mu_printed_end(printed);
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	all = file_read(log_file, NULL);
	snprintf(text, sizeof text, "%s", all);
	free(all);
	unlink(log_file);
	return text;
}

static void close_printed(void)
{
	mu_printed_free(printed);
	mu_loop_free(loop);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

START_TEST(each_line_is_a_line_of_the_log)
{
	const char *log;

	open_printed(100);
	say("first\nsec");
	say("ond line\n\nwithout end");
	log = end_printed();
	ck_assert_ptr_nonnull(
		strstr(log, "level=info msg=first instance=one from=output\n"));
	ck_assert_ptr_nonnull(strstr(log, "msg=\"second line\" instance=one"));
	ck_assert_ptr_nonnull(strstr(log, "msg=\"\" instance=one"));
	ck_assert_ptr_nonnull(strstr(log, "msg=\"without end\" instance=one"));
	ck_assert_str_eq(mu_printed_last(printed), "without end");
	ck_assert_uint_eq(count(log, "\n"), 4);
	close_printed();
}
END_TEST

START_TEST(at_the_limit_all_lines_are_logged)
{
	const char *log;

	open_printed(3);
	say("a\nb\nc\n");
	log = end_printed();
	ck_assert_uint_eq(count(log, "from=output"), 3);
	ck_assert_uint_eq(count(log, "dropped"), 0);
	close_printed();
}
END_TEST

START_TEST(what_a_plugin_logs_has_a_limit_of_its_own)
{
	const char *log;

	open_printed(1);
	for (int i = 0; i < 5; i++)
		mu_printed_say(printed, MU_WARN, "said");
	/* What would not be logged does not count. */
	mu_printed_say(printed, MU_DEBUG, "said");
	say("a\n");
	log = end_printed();
	ck_assert_uint_eq(count(log, "level=warn msg=said instance=one\n"), 2);
	ck_assert_ptr_nonnull(strstr(log, "logs too much"));
	ck_assert_ptr_nonnull(strstr(log, "instance=one dropped_lines=3 "
	                                  "logged_per_s=2\n"));
	ck_assert_uint_eq(count(log, "from=output"), 1);
	ck_assert_uint_eq(count(log, "prints too much"), 0);
	close_printed();
}
END_TEST

START_TEST(one_line_past_the_limit_is_dropped_and_told)
{
	const char *log;

	open_printed(3);
	say("a\nb\nc\nd\n");
	log = end_printed();
	ck_assert_uint_eq(count(log, "from=output"), 3);
	ck_assert_ptr_nonnull(strstr(log, "instance=one dropped_lines=1 "
	                                  "logged_per_s=3\n"));
	ck_assert_str_eq(mu_printed_last(printed), "d");
	close_printed();
}
END_TEST

START_TEST(a_line_at_its_limit_is_one_and_a_longer_one_is_broken)
{
	char text[MU_PRINTED_LINE_MAX + 3];
	const char *log;

	memset(text, 'x', sizeof text);
	text[MU_PRINTED_LINE_MAX] = '\n';
	text[MU_PRINTED_LINE_MAX + 1] = '\0';
	open_printed(100);
	say(text);
	text[MU_PRINTED_LINE_MAX] = 'y';
	text[MU_PRINTED_LINE_MAX + 1] = '\n';
	text[MU_PRINTED_LINE_MAX + 2] = '\0';
	say(text);
	log = end_printed();
	ck_assert_uint_eq(count(log, "from=output"), 3);
	ck_assert_ptr_nonnull(strstr(log, "msg=y instance=one"));
	close_printed();
}
END_TEST

START_TEST(a_nul_and_an_escape_forge_no_line)
{
	const char *log;

	open_printed(100);
	ck_assert_int_eq(write(theirs, "a\0b\x1b[31m\n", 9), 9);
	log = end_printed();
	ck_assert_ptr_nonnull(strstr(log, "msg=\"a b\\x1b[31m\" instance=one"));
	close_printed();
}
END_TEST

static void stop_loop(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

/* A child that writes as fast as it can; the loop has time for others. */
START_TEST(a_flood_leaves_the_loop_its_time)
{
	struct mu_timer *t;
	const char *log;
	unsigned logged;
	pid_t pid;

	open_printed(5);
	pid = child_fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			if (write(theirs, "flood\nflood\nflood\n", 18) < 0)
				_exit(0);
	}
	ck_assert_int_eq(mu_timer_new(loop, stop_loop, NULL, &t), 0);
	mu_timer_arm(t, 1500, 0);
	mu_loop_run(loop);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0)
		continue;
	log = end_printed();
	logged = count(log, "from=output");
	ck_assert_uint_ge(logged, 5);
	ck_assert_uint_lt(logged, 5 * 60);
	ck_assert_uint_ge(count(log, "dropped_lines="), 1);
	mu_timer_free(t);
	close_printed();
}
END_TEST

START_TEST(without_memory_there_is_no_pipe)
{
	static const struct mu_printed_limits limits = { 5, 5 };
	int before, after, k = 0, rc;

	before = dup(0);
	close(before);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	do {
		fault_alloc_at((unsigned)k++);
		rc = mu_printed_new(loop, "one", &limits, &printed, &theirs,
		                    &err);
	} while (rc == MU_ENOMEM && k < 100);
	fault_alloc_off();
	ck_assert_int_eq(rc, 0);
	ck_assert_int_gt(k, 3);
	close(theirs);
	close_printed();
	after = dup(0);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("host_instance");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_test(
		tc, as_many_failures_as_allowed_within_the_window_are_too_many);
	tcase_add_test(
		tc,
		five_failures_in_ten_minutes_are_too_many_unless_configured);
	tcase_add_test(tc, failures_beyond_the_window_do_not_count);
	tcase_add_test(tc, who_was_released_begins_anew);
	tcase_add_test(tc, one_failure_may_be_too_many_and_none_is_never);
	tcase_add_test(tc, states_are_told_in_the_order_of_their_names);
	tcase_add_test(tc, a_long_state_is_cut_between_characters);
	tcase_add_test(tc, without_memory_no_state_is_taken);
	tcase_add_test(tc, only_what_is_usual_and_what_is_named_is_passed_on);
	tcase_add_test(tc, a_user_of_its_own_has_a_home_of_its_own);
	tcase_add_test(tc, a_user_without_a_name_has_nobodys_home);
	tcase_add_test(tc, an_environment_without_memory_is_none);
	tcase_add_test(tc, users_and_groups_are_found_by_name_and_number);
	tcase_add_loop_test(tc, a_user_that_is_not_there_is_an_error, 0,
	                    (int)(sizeof nobodies / sizeof nobodies[0]));
	tcase_add_test(tc, a_cgroup_is_made_by_a_few_small_files);
	tcase_add_test(tc, the_agent_leaves_a_cgroup_that_is_its_own);
	tcase_add_test(
		tc, a_process_that_has_just_ended_is_no_stranger_in_a_cgroup);
	tcase_add_test(tc, what_is_in_a_cgroup_is_limited_and_killed);
	tcase_add_test(tc, each_line_is_a_line_of_the_log);
	tcase_add_test(tc, at_the_limit_all_lines_are_logged);
	tcase_add_test(tc, one_line_past_the_limit_is_dropped_and_told);
	tcase_add_test(tc, what_a_plugin_logs_has_a_limit_of_its_own);
	tcase_add_test(tc,
	               a_line_at_its_limit_is_one_and_a_longer_one_is_broken);
	tcase_add_test(tc, a_nul_and_an_escape_forge_no_line);
	tcase_add_test(tc, a_flood_leaves_the_loop_its_time);
	tcase_add_test(tc, without_memory_there_is_no_pipe);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
