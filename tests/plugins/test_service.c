/* The shipped plugin service, in a real runner: processes that are no children
 * of it, a unit of a systemctl of the test's, commands of its own. */
#include "child.h"
#include "plugin_bed.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char pid_file[256];

static const struct fake_answer good[] = {
	{ .op = MU_CALL_CREATE, .path = "/services/test/host1" },
	{ .op = MU_CALL_DELETE, .path = "/services/test/host1" },
	{ 0 }
};

static void setup(void)
{
	dir_setup();
	ck_assert_int_eq(chdir(dir), 0); /* the instance's own directory */
	snprintf(pid_file, sizeof pid_file, "%s/x.pid", dir);
}

static void teardown(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	dir_teardown();
}

static void start_answered(const struct fake_answer *answers)
{
	start_well("service", (struct fake_options){ .answers = answers });
	ck_assert(a.ready.has_tick && a.ready.has_check);
}

/* Give the ticks that it asks for until it has made, and taken away, so many. */
static void tick_until(unsigned made, unsigned removed)
{
	int64_t limit = now_ms() + FAKE_WAIT_MS;

	while (a.create.count < made || a.removal.count < removed) {
		ck_assert_msg(now_ms() < limit, "made %u, taken away %u",
		              a.create.count, a.removal.count);
		ck_assert(fake_wake_comes(&a));
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
	}
	ck_assert_uint_eq(a.create.count, made);
	ck_assert_uint_eq(a.removal.count, removed);
}

static void tick_until_logged(const char *text)
{
	int64_t limit = now_ms() + FAKE_WAIT_MS;

	while (!fake_logged(&a, text)) {
		ck_assert_msg(now_ms() < limit, "no '%s' in the log", text);
		ck_assert(fake_wake_comes(&a));
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
	}
}

/* Someone else's process, which ends by itself in a while at the latest. */
static pid_t start_other(void)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		execlp("sleep", "sleep", "300", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void end_other(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void write_pid(pid_t pid)
{
	char text[32];

	snprintf(text, sizeof text, "%d\n", (int)pid);
	file_write_text(pid_file, text);
}

/* The number in the file in which the plugin keeps that of its command. */
static pid_t kept_pid(void)
{
	int pid = 0;

	sscanf(fake_read("service.pid"), "%d", &pid);
	ck_assert_int_gt(pid, 0);
	return pid;
}

/* ---- what lives has a node ---- */

START_TEST(the_process_of_a_pid_file_has_a_node_until_it_ends)
{
	pid_t pid = start_other();
	char text[32];

	write_pid(pid);
	set_str("pid_file", pid_file);
	set_str("address", "10.0.0.7");
	set_num("port", MU_SETTING_INT, 80);
	start_answered(good);
	tick_until(1, 0);
	ck_assert_str_eq(a.create.path, "/services/test/host1");
	ck_assert_uint_eq(a.create.flags, MU_PLUGIN_EPHEMERAL);
	snprintf(text, sizeof text, "\"pid\": %d}", (int)pid);
	ck_assert_msg(strstr(a.create.data,
	                     "{\"host\": \"host1\", \"address\": \"10.0.0.7\", "
	                     "\"port\": 80, ") == a.create.data,
	              "%s", a.create.data);
	ck_assert_ptr_nonnull(strstr(a.create.data, text));
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), 0);
	end_other(pid);
	tick_until(1, 1);
	ck_assert_str_eq(a.removal.path, "/services/test/host1");
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EGONE);
	fake_stop(&a);
}
END_TEST

START_TEST(a_new_number_in_the_pid_file_is_followed)
{
	pid_t one = start_other(), two = start_other();

	write_pid(one);
	set_str("pid_file", pid_file);
	set_num("poll_ms", MU_SETTING_INT, 20);
	start_answered(good);
	tick_until(1, 0);
	end_other(one);
	tick_until(1, 1);
	write_pid(two);
	tick_until(2, 1);
	end_other(two);
	tick_until(2, 2);
	fake_stop(&a);
}
END_TEST

/* As after the clock was set forward, by years, when all this ran already. */
START_TEST(a_pid_file_that_looks_older_than_its_process_is_believed)
{
	struct timespec long_ago[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	pid_t pid = start_other();

	write_pid(pid);
	ck_assert_int_eq(utimensat(AT_FDCWD, pid_file, long_ago, 0), 0);
	set_str("pid_file", pid_file);
	set_num("restart", MU_SETTING_BOOL, 1);
	set_str("start", "echo > second");
	for (int i = 0; i < 2; i++) {
		start_answered(good);
		tick_until(1, 0);
		fake_kill(&a);
		fake_fini(&a);
	}
	ck_assert_int_ne(access("second", F_OK), 0);
	end_other(pid);
}
END_TEST

/* The same number of a process that started at another time, or as early in
 * another life of the host. */
START_TEST(a_number_that_is_another_process_s_by_now_is_not_believed)
{
	char boot[64], rest[128], text[256];
	pid_t pid = start_other();
	unsigned long long started;
	int seen;

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(good);
	tick_until(1, 0);
	fake_kill(&a);
	fake_fini(&a);
	ck_assert_int_eq(sscanf(fake_read("service.seen"),
	                        "%d %llu %63s %127[^\n]", &seen, &started, boot,
	                        rest),
	                 4);
	ck_assert_int_eq(seen, pid);
	snprintf(text, sizeof text, "%d %llu %s %s\n", seen,
	         started - (_i == 0), _i == 1 ? "another" : boot, rest);
	file_write_text("service.seen", text);
	start_answered(good);
	tick_until_logged("is older than process");
	ck_assert_uint_eq(a.create.count, 0);
	write_pid(pid); /* the time is another */
	tick_until(1, 1);
	end_other(pid);
	fake_stop(&a);
}
END_TEST

/* Someone else's process of this number; false: we may not choose. */
static bool start_other_as(pid_t number)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
		                   .set_tid = (uintptr_t)&number,
		                   .set_tid_size = 1 };
	long pid = syscall(SYS_clone3, &args, sizeof args);

	if (pid == 0) {
		execlp("sleep", "sleep", "300", (char *)NULL);
		_exit(127);
	}
	ck_assert(pid == number || errno == EPERM || errno == ENOSYS);
	return pid == number;
}

/* Of a process that was the service, and of one that had ended before. */
START_TEST(the_next_process_of_a_number_is_not_the_service)
{
	unsigned made = _i == 0;
	pid_t pid = start_other();

	write_pid(pid);
	if (!made)
		end_other(pid);
	set_str("pid_file", pid_file);
	start_answered(good);
	if (made) {
		tick_until(1, 0);
		end_other(pid);
		tick_until(1, 1);
	} else {
		tick_until_logged("the service does not run: no process");
	}
	if (start_other_as(pid)) {
		for (int i = 0; i < 3; i++) {
			ck_assert(fake_wake_comes(&a));
			ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
		}
		ck_assert_uint_eq(a.create.count, made);
		write_pid(pid);
		tick_until(made + 1, a.removal.count);
		end_other(pid);
	}
	fake_stop(&a);
}
END_TEST

START_TEST(a_unit_s_main_process_is_asked_for_again_after_it_ended)
{
	pid_t one = start_other(), two = start_other();
	char text[600], tool[256];

	snprintf(tool, sizeof tool, "%s/systemctl", dir);
	snprintf(text, sizeof text,
	         "#!/bin/sh\n"
	         "[ \"$*\" = 'show --property=MainPID --value web.service' ] "
	         "|| exit 9\n"
	         "cat %s\n",
	         pid_file);
	file_write_text(tool, text);
	ck_assert_int_eq(chmod(tool, 0755), 0);
	write_pid(one);
	set_str("unit", "web.service");
	set_str("systemctl", tool);
	start_answered(good);
	tick_until(1, 0);
	write_pid(two); /* as systemd, which is faster than we are */
	end_other(one);
	tick_until(2, 1);
	end_other(two);
	file_write_text(pid_file, "0\n");
	tick_until(2, 2);
	fake_stop(&a);
}
END_TEST

/* ---- commands ---- */

static void set_sleeper(void)
{
	set_num("command", MU_SETTING_COUNT, 2);
	set_str("command[0]", "sleep");
	set_str("command[1]", "300");
}

/* A command that is kept running; its number. */
static pid_t start_sleeper(void)
{
	set_sleeper();
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	tick_until(1, 0);
	return kept_pid();
}

START_TEST(a_command_is_started_and_started_again_when_it_ends)
{
	pid_t first;

	set_sleeper();
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	tick_until(1, 0);
	first = kept_pid();
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	tick_until(2, 1);
	ck_assert_int_ne(kept_pid(), first);
	ck_assert(fake_logged(&a, "was ended by signal 9 (Killed)"));
	ck_assert_int_eq(kill(kept_pid(), SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(one_that_does_not_stay_is_started_no_more_often_than_allowed)
{
	char text[64];

	set_num("command", MU_SETTING_COUNT, 3);
	set_str("command[0]", "sh");
	set_str("command[1]", "-c");
	set_str("command[2]", "echo ran >> ran; exit 3");
	set_num("restart", MU_SETTING_BOOL, 1);
	set_num("restart_max", MU_SETTING_INT, 3);
	start_answered((const struct fake_answer[]){
		{ .op = MU_CALL_CREATE, .path = "/services/test/host1" },
		{ .op = MU_CALL_DELETE, .path = "/services/test/host1" },
		{ 0 } });
	tick_until_logged("it was started 3 times in 600 s (restart_max");
	for (int i = 0; i < 3; i++) {
		ck_assert(fake_wake_comes(&a));
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
	}
	snprintf(text, sizeof text, "%s", fake_read("ran"));
	ck_assert_str_eq(text, "ran\nran\nran\n");
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EGONE);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_outlives_its_runner_and_is_found_again)
{
	pid_t pid = start_sleeper();

	fake_kill(&a);
	fake_fini(&a);
	ck_assert_int_eq(kill(pid, 0), 0);
	start_answered(good);
	tick_until(1, 0);
	ck_assert_int_eq(kept_pid(), pid);
	ck_assert(!fake_logged(&a, "started"));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	tick_until(2, 1);
	ck_assert_int_eq(kill(kept_pid(), SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

/* Have a tick given, and do not wait for what comes of it. */
static void put_tick(void)
{
	struct mu_buf b = { 0 };

	mu_put_chan_tick(&b, &(struct mu_chan_tick){ ++a.seq });
	ck_assert_int_eq(send(a.fd, b.data, b.len, MSG_NOSIGNAL),
	                 (ssize_t)b.len);
	mu_buf_fini(&b);
}

/* Let it go on until it stops for this event of ptrace: true; false: it ended. */
static bool goes_on_to(pid_t pid, int event)
{
	int status = 0, signum;

	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		if (status >> 16 == event)
			return true;
		signum = status >> 16 ? 0 : WSTOPSIG(status);
		ck_assert_int_eq(ptrace(PTRACE_CONT, pid, NULL, (long)signum),
		                 0);
	}
	return false;
}

/* Have the runner start its command: it and its child are stopped at the fork. */
static pid_t stop_at_fork(void)
{
	long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC |
	               PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	unsigned long child = 0;

	ck_assert(fake_wake_comes(&a));
	ck_assert_int_eq(ptrace(PTRACE_SEIZE, a.pid, NULL, options), 0);
	put_tick();
	ck_assert(goes_on_to(a.pid, PTRACE_EVENT_FORK));
	ck_assert_int_eq(ptrace(PTRACE_GETEVENTMSG, a.pid, NULL, &child), 0);
	return (pid_t)child;
}

/* Let the runner go on until it has called write() so often. */
static void let_write(int times)
{
	struct __ptrace_syscall_info info;
	int status;
	bool writes = false;

	while (times > 0) {
		ck_assert_int_eq(ptrace(PTRACE_SYSCALL, a.pid, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(a.pid, &status, __WALL), a.pid);
		ck_assert(WIFSTOPPED(status));
		if (ptrace(PTRACE_GET_SYSCALL_INFO, a.pid, sizeof info, &info) <
		    0)
			continue;
		if (info.op == PTRACE_SYSCALL_INFO_EXIT && writes)
			times--;
		writes = info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		         info.entry.nr == SYS_write;
	}
}

static void kill_runner_only(void)
{
	ck_assert_int_eq(kill(a.pid, SIGKILL), 0);
	ck_assert(WIFSIGNALED(fake_exit(&a)));
}

/* Killed at the fork, after the note, after the word to begin. */
START_TEST(of_a_runner_killed_at_a_start_there_is_no_command_that_is_not_known)
{
	bool begun;
	pid_t child;

	set_sleeper();
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	child = stop_at_fork();
	let_write(_i);
	kill_runner_only();
	begun = goes_on_to(child, PTRACE_EVENT_EXEC);
	ck_assert_msg(!begun || access("service.pid", F_OK) == 0,
	              "a command runs that nobody knows of");
	ck_assert(!begun || kept_pid() == child);
	if (begun)
		ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	fake_fini(&a);
	start_answered(good);
	tick_until(1, 0);
	ck_assert_int_eq(kept_pid() == child, begun);
	ck_assert_int_eq(kill(kept_pid(), SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_is_noted_before_it_begins)
{
	pid_t child;

	set_sleeper();
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	child = stop_at_fork();
	ck_assert_int_eq(ptrace(PTRACE_CONT, a.pid, NULL, NULL), 0);
	ck_assert(goes_on_to(child, PTRACE_EVENT_EXEC));
	ck_assert_int_eq(kept_pid(), child);
	kill_runner_only();
	ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	fake_fini(&a);
	start_answered(good);
	tick_until(1, 0);
	ck_assert(!fake_logged(&a, "started"));
	ck_assert_int_eq(kept_pid(), child);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_that_ends_before_it_is_held_is_waited_for)
{
	pid_t child;
	char text[100];

	set_num("command", MU_SETTING_COUNT, 3);
	set_str("command[0]", "sh");
	set_str("command[1]", "-c");
	set_str("command[2]", "exit 3");
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	child = stop_at_fork();
	let_write(2);
	ck_assert(!goes_on_to(child, -1));
	ck_assert_int_eq(ptrace(PTRACE_DETACH, a.pid, NULL, NULL), 0);
	ck_assert_int_eq(fake_ack(&a, FAKE_WAIT_MS), 0);
	ck_assert_msg(kill(child, 0) < 0 && errno == ESRCH, "a zombie");
	snprintf(text, sizeof text, "sh: process %d exited with status 3",
	         (int)child);
	ck_assert(fake_logged(&a, text));
	ck_assert_uint_eq(a.create.count, 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_whose_number_cannot_be_kept_does_not_begin)
{
	ck_assert_int_eq(symlink("/dev/full", "service.pid"), 0);
	set_num("command", MU_SETTING_COUNT, 3);
	set_str("command[0]", "sh");
	set_str("command[1]", "-c");
	set_str("command[2]", "echo > ran");
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	tick_until_logged("cannot start it: sh is not started, for its number "
	                  "cannot be kept in service.pid: No space left");
	ck_assert(!fake_logged(&a, "<2> started"));
	ck_assert_int_ne(access("ran", F_OK), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_is_ended_with_an_instance_that_is_removed)
{
	pid_t pid;

	set_num("command", MU_SETTING_COUNT, 3);
	set_str("command[0]", "sh");
	set_str("command[1]", "-c");
	set_str("command[2]", "sleep 300 & echo > both; wait");
	set_num("restart", MU_SETTING_BOOL, 1);
	start_answered(good);
	tick_until(1, 0);
	ck_assert(fake_file_comes("both"));
	pid = kept_pid();
	fake_remove(&a);
	ck_assert(fake_group_is_gone(pid)); /* its own children too */
	ck_assert_int_ne(access("service.pid", F_OK), 0);
	ck_assert(fake_logged(&a, "<2> the command, process "));
	ck_assert(fake_logged(&a, " is ended"));
	fake_fini(&a);
}
END_TEST

START_TEST(a_command_that_does_not_heed_is_killed)
{
	pid_t pid;

	set_num("command", MU_SETTING_COUNT, 3);
	set_str("command[0]", "sh");
	set_str("command[1]", "-c");
	set_str("command[2]",
	        "trap '' TERM; echo > deaf; while :; do sleep 300; done");
	set_num("restart", MU_SETTING_BOOL, 1);
	set_num("stop_ms", MU_SETTING_INT, 100);
	start_answered(good);
	tick_until(1, 0);
	ck_assert(fake_file_comes("deaf"));
	pid = kept_pid();
	fake_remove(&a);
	ck_assert(fake_group_is_gone(pid));
	ck_assert(fake_logged(&a, "did not end within stop_ms, 100 ms"));
	fake_fini(&a);
}
END_TEST

START_TEST(a_command_lives_on_where_another_process_follows)
{
	pid_t pid = start_sleeper();

	fake_stop(&a);
	ck_assert_int_eq(kill(pid, 0), 0);
	/* And one that runs no more is nothing to end. */
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(fake_group_is_gone(pid));
	start_answered((const struct fake_answer[]){ { 0 } });
	fake_remove(&a);
	ck_assert(!fake_logged(&a, "the command"));
	fake_fini(&a);
}
END_TEST

START_TEST(a_command_is_ended_when_another_takes_its_place)
{
	pid_t pid = start_sleeper();

	fake_stop(&a);
	reset_str("command[1]", "301");
	start_answered(good);
	tick_until(1, 0);
	ck_assert(fake_group_is_gone(pid));
	ck_assert(fake_logged(&a, "<2> the command, process "));
	ck_assert_int_ne(kept_pid(), pid);
	ck_assert_int_eq(kill(kept_pid(), SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(a_command_is_ended_when_a_pid_file_takes_its_place)
{
	pid_t other = start_other(), pid = start_sleeper();

	fake_stop(&a);
	unset_all();
	set_str("pid_file", pid_file);
	write_pid(other);
	start_answered(good);
	tick_until(1, 0);
	ck_assert(fake_group_is_gone(pid));
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
	end_other(other);
	fake_stop(&a);
}
END_TEST

/* It would leave nothing that runs. */
START_TEST(where_nothing_may_be_started_a_command_is_not_ended)
{
	pid_t pid = start_sleeper();

	fake_stop(&a);
	unset_all();
	set_sleeper();
	reset_str("command[1]", "301");
	start_answered(good);
	tick_until(1, 0);
	ck_assert_int_eq(kept_pid(), pid);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

/* As versions before this one wrote it. */
START_TEST(a_command_of_which_the_line_is_not_known_is_the_one)
{
	unsigned long long started;
	char text[64];
	pid_t pid = start_sleeper();

	fake_stop(&a);
	ck_assert_int_eq(sscanf(fake_read("service.pid"), "%*d %llu", &started),
	                 1);
	snprintf(text, sizeof text, "%d %llu\n", (int)pid, started);
	file_write_text("service.pid", text);
	reset_str("command[1]", "301");
	start_answered(good);
	tick_until(1, 0);
	ck_assert_int_eq(kept_pid(), pid);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	fake_stop(&a);
}
END_TEST

START_TEST(what_the_plugin_has_not_started_it_does_not_end)
{
	pid_t other = start_other();

	set_str("pid_file", pid_file);
	write_pid(other);
	start_answered(good);
	tick_until(1, 0);
	fake_remove(&a);
	ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
	end_other(other);
	fake_fini(&a);
}
END_TEST

START_TEST(without_restart_nothing_is_started)
{
	set_sleeper();
	start_answered(good);
	tick_until_logged(
		"the service does not run: sleep was not started, "
		"for `restart` is false; write restart = true; beside "
		"`command`");
	ck_assert_int_ne(access("service.pid", F_OK), 0);
	ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EGONE);
	ck_assert_ptr_nonnull(strstr(a.ack.reason, "write restart = true;"));
	fake_stop(&a);
}
END_TEST

/* ---- the node ---- */

START_TEST(a_node_of_an_older_session_is_taken_away_first)
{
	static const struct fake_answer held[] = {
		{ .op = MU_CALL_CREATE,
		  .path = "/services/test/host1",
		  .rc = MU_EEXISTS,
		  .text = "there" },
		{ .op = MU_CALL_GET,
		  .path = "/services/test/host1",
		  .text = "" },
		{ .op = MU_CALL_GET, .path = "/members/host1", .text = "" },
		{ .op = MU_CALL_DELETE, .path = "/services/test/host1" },
		{ 0 }
	};
	pid_t pid = start_other();

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(held);
	tick_until(2, 1);
	ck_assert(fake_logged(&a, "cannot make /services/test/host1"));
	end_other(pid);
	fake_stop(&a);
}
END_TEST

START_TEST(no_broker_yet_is_no_trouble_and_hides_none)
{
	static const struct fake_answer away[] = {
		{ .op = MU_CALL_CREATE,
		  .path = "/services/test/host1",
		  .rc = MU_ECONNLOSS,
		  .text = "lost" },
		{ 0 }
	};
	static const struct fake_answer refused[] = {
		{ .op = MU_CALL_CREATE,
		  .path = "/services/test/host1",
		  .rc = MU_ENOAUTH,
		  .text = "not yours" },
		{ 0 }
	};
	pid_t pid = start_other();

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(away);
	tick_until(2, 0);
	ck_assert(fake_logged(&a, "<2> cannot make /services/test/host1 before "
	                          "there is a broker; trying again\n"));
	a.answers = refused;
	tick_until(3, 0);
	ck_assert(fake_logged(&a, "<1> cannot make /services/test/host1: not "
	                          "yours; trying again\n"));
	end_other(pid);
	fake_stop(&a);
}
END_TEST

START_TEST(the_parents_are_made)
{
	static const struct fake_answer bare[] = {
		{ .op = MU_CALL_CREATE, .path = "/services" },
		{ .op = MU_CALL_CREATE, .path = "/services/test" },
		{ 0 }
	};
	pid_t pid = start_other();

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(bare);
	tick_until(4, 0);
	ck_assert_str_eq(a.create.path, "/services/test/host1");
	end_other(pid);
	fake_stop(&a);
}
END_TEST

START_TEST(a_new_session_of_the_agent_has_the_node_made_again)
{
	struct mu_chan_event e = { .type = MU_EVENT_CONNECTED,
		                   .flags = MU_EVENT_RENEWED,
		                   .path = MU_STR("") };
	pid_t pid = start_other();

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(good);
	tick_until(1, 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	tick_until(2, 0);
	end_other(pid);
	fake_stop(&a);
}
END_TEST

START_TEST(a_node_that_cannot_be_taken_away_now_is_later)
{
	static const struct fake_answer deaf[] = {
		{ .op = MU_CALL_CREATE, .path = "/services/test/host1" },
		{ .op = MU_CALL_DELETE,
		  .path = "/services/test/host1",
		  .rc = MU_ECONNLOSS,
		  .text = "no broker" },
		{ 0 }
	};
	pid_t pid = start_other();

	write_pid(pid);
	set_str("pid_file", pid_file);
	start_answered(deaf);
	tick_until(1, 0);
	end_other(pid);
	tick_until(1, 1);
	a.answers = good;
	tick_until(1, 2);
	fake_stop(&a);
}
END_TEST

/* ---- settings ---- */

static const struct {
	const char *key[2], *value[2], *say;
} wrong[] = {
	{ { "poll_ms" }, { "x" }, "poll_ms" },
	{ { "unit", "stop_ms" }, { "a", "x" }, "stop_ms" },
	{ { NULL }, { NULL }, "set one of unit, pid_file and command" },
	{ { "unit", "pid_file" }, { "a", "/b" }, "not several" },
	{ { "pid_file" }, { "b.pid" }, "must be absolute" },
	{ { "unit", "start" }, { "a", "b" }, "start goes with pid_file" },
	{ { "unit", "output" }, { "a", "/b" }, "output goes with command" },
	{ { "unit", "service" }, { "a", "a/b" }, "without a slash" },
	{ { "unit", "service" }, { "a", "" }, "1 to 255 bytes" },
	{ { "unit", "address" }, { "a", "\"" }, "has a quote" },
};

START_TEST(wrong_settings_are_refused_with_their_key)
{
	for (int i = 0; i < 2 && wrong[_i].key[i]; i++)
		set_str(wrong[_i].key[i], wrong[_i].value[i]);
	start_plugin("service", (struct fake_options){ 0 });
	assert_refused(wrong[_i].say);
}
END_TEST

START_TEST(restart_with_a_pid_file_needs_to_know_how)
{
	set_str("pid_file", "/x");
	set_num("restart", MU_SETTING_BOOL, 1);
	start_plugin("service", (struct fake_options){ 0 });
	assert_refused("needs start");
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, the_process_of_a_pid_file_has_a_node_until_it_ends);
	tcase_add_test(tc, a_new_number_in_the_pid_file_is_followed);
	tcase_add_test(
		tc, a_pid_file_that_looks_older_than_its_process_is_believed);
	tcase_add_loop_test(
		tc, a_number_that_is_another_process_s_by_now_is_not_believed,
		0, 2);
	tcase_add_loop_test(tc, the_next_process_of_a_number_is_not_the_service,
	                    0, 2);
	tcase_add_test(tc,
	               a_unit_s_main_process_is_asked_for_again_after_it_ended);
	tcase_add_test(tc, a_command_is_started_and_started_again_when_it_ends);
	tcase_add_test(
		tc,
		one_that_does_not_stay_is_started_no_more_often_than_allowed);
	tcase_add_test(tc, a_command_outlives_its_runner_and_is_found_again);
	tcase_add_loop_test(
		tc,
		of_a_runner_killed_at_a_start_there_is_no_command_that_is_not_known,
		0, 3);
	tcase_add_test(tc, a_command_is_noted_before_it_begins);
	tcase_add_test(tc, a_command_that_ends_before_it_is_held_is_waited_for);
	tcase_add_test(tc,
	               a_command_whose_number_cannot_be_kept_does_not_begin);
	tcase_add_test(tc, a_command_is_ended_with_an_instance_that_is_removed);
	tcase_add_test(tc, a_command_that_does_not_heed_is_killed);
	tcase_add_test(tc, a_command_lives_on_where_another_process_follows);
	tcase_add_test(tc, a_command_is_ended_when_another_takes_its_place);
	tcase_add_test(tc, a_command_is_ended_when_a_pid_file_takes_its_place);
	tcase_add_test(tc, where_nothing_may_be_started_a_command_is_not_ended);
	tcase_add_test(tc, a_command_of_which_the_line_is_not_known_is_the_one);
	tcase_add_test(tc, what_the_plugin_has_not_started_it_does_not_end);
	tcase_add_test(tc, without_restart_nothing_is_started);
	tcase_add_test(tc, a_node_of_an_older_session_is_taken_away_first);
	tcase_add_test(tc, no_broker_yet_is_no_trouble_and_hides_none);
	tcase_add_test(tc, the_parents_are_made);
	tcase_add_test(tc, a_new_session_of_the_agent_has_the_node_made_again);
	tcase_add_test(tc, a_node_that_cannot_be_taken_away_now_is_later);
	tcase_add_loop_test(tc, wrong_settings_are_refused_with_their_key, 0,
	                    sizeof wrong / sizeof wrong[0]);
	tcase_add_test(tc, restart_with_a_pid_file_needs_to_know_how);
}

int main(void)
{
	Suite *s = suite_create("service");
	TCase *tc = tcase_create("service");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
