/* io/forked.h: children with our memory. */
#include "child.h"
#include "forked.h"

#include "clock.h"
#include "err.h"
#include "loop.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 60000u

/* In memory that both see. */
static struct shared {
	_Atomic bool begun;
	_Atomic pid_t pid;
	char text[32];
	unsigned descriptors;
	int nice;
	bool signals_blocked;
} * shared;

static struct mu_loop *loop;
static struct mu_timer *ticker;
static struct mu_forked *child;
static struct mu_err err;
static uint64_t held_us;
static unsigned ended;
static int last_status;

static void on_tick(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

static void on_ended(void *arg, int status)
{
	(void)arg;
	ended++;
	last_status = status;
}

#define UNTIL(condition) \
	do { \
		uint64_t end_ = mu_clock_mono_ms() + DEADLINE_MS; \
		while (!(condition)) { \
			ck_assert_uint_lt(mu_clock_mono_ms(), end_); \
			mu_loop_run(loop); \
		} \
	} while (0)

static void setup(void)
{
	ended = 0;
	last_status = -1000;
	child = NULL;
	memset(&err, 0, sizeof err);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(shared != MAP_FAILED);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, on_tick, NULL, &ticker), 0);
	mu_timer_arm(ticker, 1, 1);
}

static void teardown(void)
{
	mu_forked_free(child);
	mu_timer_free(ticker);
	mu_loop_free(loop);
	munmap(shared, sizeof *shared);
}

static void start(int (*work)(void *arg), int keep_fd, void *arg)
{
	const struct mu_forked_options o = { work, keep_fd, on_ended, arg };

	ck_assert_msg(mu_forked_start(loop, &o, &child, &held_us, &err) == 0,
	              "%s", err.msg);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

/* ---- what children do ---- */

static int give(void *arg)
{
	return *(const int *)arg;
}

static int hang(void *arg)
{
	(void)arg;
	shared->pid = getpid();
	shared->begun = true;
	while (shared->begun)
		pause();
	return 0;
}

static int die(void *arg)
{
	(void)arg;
	raise(SIGKILL);
	return 0;
}

static int copy_text(void *arg)
{
	strcpy(shared->text, arg);
	return 0;
}

static int look_around(void *arg)
{
	DIR *d = opendir("/proc/self/fd");
	sigset_t blocked;

	(void)arg;
	if (!d)
		return 1;
	for (struct dirent *e; (e = readdir(d));)
		shared->descriptors +=
			e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	shared->nice = getpriority(PRIO_PROCESS, 0);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	shared->signals_blocked = sigismember(&blocked, SIGTERM) &&
	                          sigismember(&blocked, SIGCHLD);
	return 0;
}

static int write_to_3(void *arg)
{
	(void)arg;
	return write(3, "report", 6) == 6 ? 0 : 1;
}

/* ---- the tests ---- */

START_TEST(its_exit_status_is_told_once)
{
	static const int codes[] = { 0, 1, 77, 254 };
	int code = codes[_i];

	start(give, -1, &code);
	ck_assert_uint_eq(ended, 0);
	UNTIL(ended);
	ck_assert_int_eq(last_status, code);
	mu_loop_run(loop);
	mu_loop_run(loop);
	ck_assert_uint_eq(ended, 1);
}
END_TEST

START_TEST(a_signal_that_ended_it_is_told_as_a_negative)
{
	start(die, -1, NULL);
	UNTIL(ended);
	ck_assert_int_eq(last_status, -SIGKILL);
}
END_TEST

START_TEST(it_has_our_memory_as_it_was)
{
	char text[32] = "before";

	start(copy_text, -1, text);
	strcpy(text, "after");
	UNTIL(ended);
	ck_assert_str_eq(shared->text, "before");
}
END_TEST

START_TEST(it_has_no_descriptor_of_ours_and_blocks_signals_and_is_nice)
{
	int fds[20];

	for (int i = 0; i < 20; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	start(look_around, -1, NULL);
	UNTIL(ended);
	ck_assert_int_eq(last_status, 0);
	ck_assert_uint_le(shared->descriptors, 3);
	ck_assert(shared->signals_blocked);
	ck_assert_int_ge(shared->nice, 10);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
}
END_TEST

/* Whatever its number is. */
START_TEST(the_descriptor_that_it_is_given_is_3_there)
{
	int file = memfd_create("report", MFD_CLOEXEC), high = file;
	char text[16] = "";

	ck_assert_int_ge(file, 0);
	if (_i == 1) {
		high = fcntl(file, F_DUPFD_CLOEXEC, 200);
		close(file);
	}
	start(write_to_3, high, NULL);
	UNTIL(ended);
	ck_assert_int_eq(last_status, 0);
	ck_assert_int_eq(pread(high, text, sizeof text, 0), 6);
	ck_assert_str_eq(text, "report");
	close(high);
}
END_TEST

START_TEST(our_own_signals_are_as_they_were)
{
	sigset_t before, after;
	int code = 0;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	start(give, -1, &code);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert(sigismember(&after, SIGUSR2));
	ck_assert(!sigismember(&after, SIGTERM));
	UNTIL(ended);
}
END_TEST

START_TEST(one_that_is_killed_is_told)
{
	start(hang, -1, NULL);
	UNTIL(shared->begun);
	mu_forked_kill(child);
	UNTIL(ended);
	ck_assert_int_eq(last_status, -SIGKILL);
	mu_forked_kill(child); /* nobody is there any more */
	ck_assert(is_gone(shared->pid));
}
END_TEST

START_TEST(freeing_ends_it_and_it_is_not_told)
{
	start(hang, -1, NULL);
	UNTIL(shared->begun);
	mu_forked_free(child);
	child = NULL;
	ck_assert(is_gone(shared->pid));
	mu_loop_run(loop);
	mu_loop_run(loop);
	ck_assert_uint_eq(ended, 0);
	mu_forked_free(NULL);
}
END_TEST

static void free_it(void *arg, int status)
{
	on_ended(arg, status);
	mu_forked_free(child);
	child = NULL;
}

START_TEST(it_may_be_freed_where_its_end_is_told)
{
	int code = 5;
	const struct mu_forked_options o = { give, -1, free_it, &code };

	ck_assert_int_eq(mu_forked_start(loop, &o, &child, &held_us, &err), 0);
	UNTIL(ended);
	ck_assert_int_eq(last_status, 5);
	ck_assert_ptr_null(child);
}
END_TEST

/* Its end must never be taken for a good one. */
START_TEST(where_somebody_else_waited_for_it_the_status_is_not_known)
{
	int code = 0;

	start(give, -1, &code);
	while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
		;
	UNTIL(ended);
	ck_assert_int_eq(last_status, 255);
}
END_TEST

START_TEST(without_a_descriptor_to_watch_it_nothing_is_left)
{
	const struct mu_forked_options o = { hang, -1, on_ended, NULL };
	struct rlimit before, none;
	int rc, spare = dup(0);

	ck_assert_int_ge(spare, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)spare; /* all below are taken */
	for (int fd; (fd = dup(0)) >= 0 && fd < spare;)
		;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = mu_forked_start(loop, &o, &child, &held_us, &err);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(rc, MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "watched"));
	ck_assert_ptr_null(child);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	mu_loop_run(loop);
	ck_assert_uint_eq(ended, 0);
}
END_TEST

START_TEST(our_end_is_its_end)
{
	pid_t pid;
	int how;

	/* The orphan comes to us. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = child_fork();
	if (pid == 0) {
		start(hang, -1, NULL);
		while (!shared->begun)
			mu_loop_run(loop);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &how, 0), pid);
	ck_assert(WIFSIGNALED(how));
	UNTIL(waitpid(-1, &how, WNOHANG) == shared->pid ||
	      is_gone(shared->pid));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("forked");
	TCase *t = tcase_create("forked");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, its_exit_status_is_told_once, 0, 4);
	tcase_add_test(t, a_signal_that_ended_it_is_told_as_a_negative);
	tcase_add_test(t, it_has_our_memory_as_it_was);
	tcase_add_test(
		t, it_has_no_descriptor_of_ours_and_blocks_signals_and_is_nice);
	tcase_add_loop_test(t, the_descriptor_that_it_is_given_is_3_there, 0,
	                    2);
	tcase_add_test(t, our_own_signals_are_as_they_were);
	tcase_add_test(t, one_that_is_killed_is_told);
	tcase_add_test(t, freeing_ends_it_and_it_is_not_told);
	tcase_add_test(t, it_may_be_freed_where_its_end_is_told);
	tcase_add_test(
		t, where_somebody_else_waited_for_it_the_status_is_not_known);
	tcase_add_test(t, without_a_descriptor_to_watch_it_nothing_is_left);
	tcase_add_test(t, our_end_is_its_end);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
