/* Child processes: what they are given, how they end, what they leave. */
#include "proc.h"

#include "loop.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_mem.c"

static struct mu_loop *loop;
static struct mu_proc *proc;
static struct mu_err err;
static int exits, status, signum;

static void setup(void)
{
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	proc = NULL;
	exits = status = signum = 0;
}

static void teardown(void)
{
	mu_proc_free(proc);
	mu_loop_free(loop);
}

static void on_exit_stop(void *arg, int exit_status, int exit_signum)
{
	ck_assert_ptr_eq(arg, &exits);
	exits++;
	status = exit_status;
	signum = exit_signum;
	mu_loop_stop(loop);
}

static int start_with(const char *script, const char *const *env, int channel)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct mu_proc_options o = {
		argv, env, channel, on_exit_stop, &exits, 0
	};

	return mu_proc_start(loop, &o, &proc, &err);
}

/* Start, wait for its end, and give back what it wrote to its stderr. */
static const char *output_of(const char *script, const char *const *env,
                             int channel)
{
	static char text[4096];
	int out[2], kept = dup(STDERR_FILENO);
	size_t len = 0;
	ssize_t n;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_ge(dup2(out[1], STDERR_FILENO), 0);
	ck_assert_int_eq(start_with(script, env, channel), 0);
	ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
	close(kept);
	close(out[1]);
	mu_loop_run(loop);
	while ((n = read(out[0], text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(out[0]);
	return text;
}

/* Wait until a pid is no more (or a zombie that somebody else reaps). */
static bool is_gone(long pid)
{
	char name[64], line[256], *state;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%ld/stat", pid);
	f = fopen(name, "r");
	if (!f)
		return true;
	if (!fgets(line, sizeof line, f))
		line[0] = '\0';
	fclose(f);
	state = strrchr(line, ')');
	return !state || state[2] == 'Z' || state[2] == 'X';
}

static void wait_gone(long pid)
{
	for (int i = 0; i < 5000 && !is_gone(pid); i++)
		poll(NULL, 0, 1);
	ck_assert(is_gone(pid));
}

START_TEST(a_child_that_exits_is_told_once_with_its_status)
{
	ck_assert_int_eq(start_with("exit 7", NULL, -1), 0);
	ck_assert_int_gt(mu_proc_pid(proc), 1);
	mu_loop_run(loop);
	ck_assert_int_eq(exits, 1);
	ck_assert_int_eq(status, 7);
	ck_assert_int_eq(signum, 0);
}
END_TEST

START_TEST(a_child_that_is_killed_is_told_with_the_signal)
{
	ck_assert_int_eq(start_with("exec sleep 1000", NULL, -1), 0);
	mu_proc_kill(proc, SIGTERM);
	mu_loop_run(loop);
	ck_assert_int_eq(exits, 1);
	ck_assert_int_eq(signum, SIGTERM);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_an_error_with_its_name_and_reason)
{
	const char *argv[] = { "/no/such/program", NULL };
	struct mu_proc_options o = { argv, NULL, -1, on_exit_stop, &exits, 0 };

	ck_assert_int_eq(mu_proc_start(loop, &o, &proc, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/no/such/program"));
	ck_assert_ptr_nonnull(strstr(err.msg, "no such file"));
	ck_assert_ptr_null(proc);
	mu_loop_run(loop);
	ck_assert_int_eq(exits, 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_file_that_may_not_be_run_is_an_error)
{
	const char *argv[] = { "/etc/passwd", NULL };
	struct mu_proc_options o = { argv, NULL, -1, on_exit_stop, &exits, 0 };

	ck_assert_int_eq(mu_proc_start(loop, &o, &proc, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "permission denied"));
}
END_TEST

START_TEST(without_memory_nothing_is_started)
{
	fault_alloc_at(0);
	ck_assert_int_eq(start_with("exit 0", NULL, -1), MU_ENOMEM);
	fault_alloc_off();
	ck_assert_ptr_null(proc);
}
END_TEST

START_TEST(stdin_is_empty_and_stdout_and_stderr_are_our_stderr)
{
	ck_assert_str_eq(output_of("cat; readlink /proc/self/fd/0; echo out; "
	                           "echo err >&2",
	                           NULL, -1),
	                 "/dev/null\nout\nerr\n");
}
END_TEST

#define LIST_FDS \
	"i=0; while [ $i -lt 99 ]; do [ -e /proc/$$/fd/$i ] && echo $i; " \
	"i=$((i + 1)); done; "

START_TEST(no_other_descriptor_is_open)
{
	/* Of ours, and without the flag that closes it. */
	int mine = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(mine, 3);
	ck_assert_str_eq(output_of(LIST_FDS, NULL, -1), "0\n1\n2\n");
	close(mine);
}
END_TEST

START_TEST(the_channel_is_descriptor_3)
{
	int pair[2];
	char got[16] = "";

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_str_eq(output_of(LIST_FDS "echo hello >&3", NULL, pair[1]),
	                 "0\n1\n2\n3\n");
	ck_assert_int_eq(read(pair[0], got, sizeof got - 1), 6);
	ck_assert_str_eq(got, "hello\n");
	/* The child's end is still ours, and the child has no other. */
	ck_assert_int_eq(close(pair[1]), 0);
	ck_assert_int_eq(read(pair[0], got, sizeof got), 0);
	close(pair[0]);
}
END_TEST

START_TEST(the_environment_is_the_one_given_or_else_ours)
{
	const char *env[] = { "MU_A=1", NULL };

	setenv("MU_B", "2", 1);
	ck_assert_str_eq(output_of("echo $MU_A-$MU_B", env, -1), "1-\n");
	mu_proc_free(proc);
	ck_assert_str_eq(output_of("echo $MU_A-$MU_B", NULL, -1), "-2\n");
}
END_TEST

START_TEST(the_child_leads_a_group_and_has_no_blocked_or_ignored_signal)
{
	unsigned long long blocked, ignored;
	int pid, group, session;
	sigset_t mask;
	const char *got;

	sigfillset(&mask);
	sigdelset(&mask, SIGCHLD);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	got = output_of("echo $$; cut -d' ' -f5,6 /proc/$$/stat; exec grep -E "
	                "'Sig(Blk|Ign)' /proc/self/status",
	                NULL, -1);
	ck_assert_int_eq(sscanf(got, "%d %d %d SigBlk: %llx SigIgn: %llx", &pid,
	                        &group, &session, &blocked, &ignored),
	                 5);
	ck_assert_int_eq(pid, mu_proc_pid(proc));
	ck_assert_int_eq(group, pid);
	ck_assert_int_eq(session, pid);
	ck_assert_uint_eq(blocked, 0);
	/* 32 and 33 belong to the C library; whoever started us may have left
	 * them ignored. */
	ck_assert_uint_eq(ignored & 0x7fffffff, 0);
}
END_TEST

/* A grandchild whose pid comes over the channel. */
static long start_with_grandchild(const char *then)
{
	char script[256], text[32] = "";
	int pair[2];
	ssize_t n;

	snprintf(script, sizeof script, "sleep 1000 3>&- & echo $! >&3; %s",
	         then);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(start_with(script, NULL, pair[1]), 0);
	n = read(pair[0], text, sizeof text - 1);
	ck_assert_int_gt(n, 1);
	close(pair[0]);
	close(pair[1]);
	ck_assert(!is_gone(atol(text)) || strcmp(then, "wait") != 0);
	return atol(text);
}

START_TEST(a_signal_reaches_the_whole_group)
{
	long grandchild = start_with_grandchild("wait");

	mu_proc_kill(proc, SIGTERM);
	mu_loop_run(loop);
	ck_assert_int_eq(signum, SIGTERM);
	wait_gone(grandchild);
}
END_TEST

START_TEST(what_a_child_leaves_behind_is_killed_at_its_exit)
{
	long grandchild = start_with_grandchild("exit 3");

	mu_loop_run(loop);
	ck_assert_int_eq(status, 3);
	wait_gone(grandchild);
}
END_TEST

START_TEST(a_running_child_that_is_let_go_is_killed_and_reaped_in_silence)
{
	long grandchild = start_with_grandchild("wait");
	long child = mu_proc_pid(proc);

	mu_proc_free(proc);
	proc = NULL;
	mu_loop_free(loop);
	loop = NULL;
	ck_assert_int_eq(exits, 0);
	ck_assert_int_eq(kill((pid_t)child, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	wait_gone(grandchild);
}
END_TEST

static void stop(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

START_TEST(a_child_that_is_let_go_is_reaped_by_a_loop_that_runs_on)
{
	struct mu_timer *t;
	long child;

	ck_assert_int_eq(start_with("exec sleep 1000", NULL, -1), 0);
	child = mu_proc_pid(proc);
	mu_proc_free(proc);
	proc = NULL;
	ck_assert_int_eq(mu_timer_new(loop, stop, NULL, &t), 0);
	for (int i = 0; i < 1000 && kill((pid_t)child, 0) == 0; i++) {
		mu_timer_arm(t, 5, 0);
		mu_loop_run(loop);
	}
	ck_assert_int_eq(kill((pid_t)child, 0), -1);
	ck_assert_int_eq(exits, 0);
	mu_timer_free(t);
}
END_TEST

static void on_exit_free(void *arg, int exit_status, int exit_signum)
{
	(void)arg, (void)exit_status, (void)exit_signum;
	exits++;
	mu_proc_free(proc);
	proc = NULL;
}

START_TEST(a_child_may_be_let_go_in_its_own_callback)
{
	const char *argv[] = { "/bin/true", NULL };
	struct mu_proc_options o = { argv, NULL, -1, on_exit_free, NULL, 0 };

	ck_assert_int_eq(mu_proc_start(loop, &o, &proc, &err), 0);
	mu_loop_run(loop);
	ck_assert_int_eq(exits, 1);
	ck_assert_ptr_null(proc);
}
END_TEST

START_TEST(a_signal_after_the_exit_goes_nowhere)
{
	ck_assert_int_eq(start_with("exit 0", NULL, -1), 0);
	mu_loop_run(loop);
	mu_proc_kill(proc, SIGKILL);
	ck_assert_int_eq(exits, 1);
	mu_proc_free(NULL);
}
END_TEST

static void count_exit(void *arg, int exit_status, int exit_signum)
{
	(void)arg, (void)exit_signum;
	status += exit_status;
	if (++exits == 20)
		mu_loop_stop(loop);
}

START_TEST(many_children_are_each_told_once)
{
	const char *argv[] = { "/bin/sh", "-c", "exit 2", NULL };
	struct mu_proc_options o = { argv, NULL, -1, count_exit, NULL, 0 };
	struct mu_proc *many[20];

	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(mu_proc_start(loop, &o, &many[i], &err), 0);
	mu_loop_run(loop);
	ck_assert_int_eq(exits, 20);
	ck_assert_int_eq(status, 40);
	for (int i = 0; i < 20; i++)
		mu_proc_free(many[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("proc");
	TCase *t = tcase_create("proc");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, a_child_that_exits_is_told_once_with_its_status);
	tcase_add_test(t, a_child_that_is_killed_is_told_with_the_signal);
	tcase_add_test(
		t,
		a_file_that_is_not_there_is_an_error_with_its_name_and_reason);
	tcase_add_test(t, a_file_that_may_not_be_run_is_an_error);
	tcase_add_test(t, without_memory_nothing_is_started);
	tcase_add_test(t, stdin_is_empty_and_stdout_and_stderr_are_our_stderr);
	tcase_add_test(t, no_other_descriptor_is_open);
	tcase_add_test(t, the_channel_is_descriptor_3);
	tcase_add_test(t, the_environment_is_the_one_given_or_else_ours);
	tcase_add_test(
		t,
		the_child_leads_a_group_and_has_no_blocked_or_ignored_signal);
	tcase_add_test(t, a_signal_reaches_the_whole_group);
	tcase_add_test(t, what_a_child_leaves_behind_is_killed_at_its_exit);
	tcase_add_test(
		t,
		a_running_child_that_is_let_go_is_killed_and_reaped_in_silence);
	tcase_add_test(t,
	               a_child_that_is_let_go_is_reaped_by_a_loop_that_runs_on);
	tcase_add_test(t, a_child_may_be_let_go_in_its_own_callback);
	tcase_add_test(t, a_signal_after_the_exit_goes_nowhere);
	tcase_add_test(t, many_children_are_each_told_once);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
