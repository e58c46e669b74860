/* broker/snapshots.h, with real children. */
#include "child.h"
#include "snapshots.h"
#include "snapshot_kit.h"

#include "clock.h"
#include "err.h"
#include "mem.h"
#include "program.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 60000u

/* What the child is to do, and what it did; in memory that both see. */
enum deed { GOOD, DIE, HANG, NO_DISK, FULL };
static struct shared {
	enum deed deed;
	unsigned bad_left; /* so many times; then GOOD */
	pid_t pid;
	unsigned descriptors;
	int nice;
	bool signals_blocked;
	bool hangs;
} * shared;

static char dir[64];
static struct script sample;
static struct mu_loop *loop;
static struct mu_timer *ticker;
static struct mu_snapshots *snapshots;
static struct mu_snapshots_config config;
static struct mu_err err;
static uint64_t journal_bytes, end_of_wait_ms;

static struct {
	unsigned ended, purged;
	uint64_t numbers[64];
	struct mu_snapshots_end last;
	char why[MU_ERR_MSG_MAX];
	uint64_t upto;
} told;

/* ---- in the child ---- */

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		return 99;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	closedir(d);
	return n;
}

static void look_around(void)
{
	sigset_t blocked;

	shared->pid = getpid();
	shared->descriptors = count_descriptors();
	shared->nice = nice(0);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	shared->signals_blocked = sigismember(&blocked, SIGTERM) &&
	                          sigismember(&blocked, SIGCHLD);
}

static ssize_t write_full(struct mu_disk *d, int fd, const void *p, size_t len,
                          uint64_t at)
{
	(void)d;
	(void)fd;
	(void)p;
	(void)len;
	(void)at;
	return -ENOSPC;
}

static int open_disk(void *arg, struct mu_disk **out, struct mu_err *e)
{
	const enum deed deed = shared->bad_left ? shared->deed : GOOD;
	int rc;

	(void)arg;
	look_around();
	if (shared->bad_left)
		shared->bad_left--;
	if (deed == DIE)
		raise(SIGKILL);
	if (deed == NO_DISK)
		return mu_err(e, MU_EIO, "there is no disk");
	while (deed == HANG) {
		shared->hangs = true;
		pause();
	}
	rc = mu_disk_open(dir, out, e);
	if (!rc && deed == FULL)
		(*out)->write = write_full;
	return rc;
}

static void will_fail(enum deed deed, unsigned times)
{
	shared->deed = deed;
	shared->bad_left = times;
}

/* ---- around it ---- */

static void on_purge(void *arg, uint64_t upto)
{
	(void)arg;
	told.purged++;
	told.upto = upto;
}

static void on_ended(void *arg, const struct mu_snapshots_end *end)
{
	(void)arg;
	told.numbers[told.ended++] = end->number;
	told.last = *end;
	mu_format(told.why, sizeof told.why, "%s", end->why);
}

static void on_tick(void *arg)
{
	(void)arg;
	mu_snapshots_turn(snapshots, journal_bytes);
	mu_loop_stop(loop);
}

static struct mu_snapshots_status status(void)
{
	struct mu_snapshots_status st;

	mu_snapshots_status(snapshots, &st);
	return st;
}

/* One turn or a few of the loop. */
static void turn(void)
{
	ck_assert_uint_lt(mu_clock_mono_ms(), end_of_wait_ms);
	mu_loop_run(loop);
}

#define UNTIL(condition) \
	do { \
		end_of_wait_ms = mu_clock_mono_ms() + DEADLINE_MS; \
		while (!(condition)) \
			turn(); \
	} while (0)

static void begin(uint64_t restored)
{
	ck_assert_int_eq(mu_snapshots_new(loop, &config, sample.s, restored,
	                                  &snapshots, &err),
	                 0);
	mu_timer_arm(ticker, 1, 1);
}

static void setup(void)
{
	memset(&told, 0, sizeof told);
	journal_bytes = 0;
	snapshots = NULL;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(shared != MAP_FAILED);
	dir_make(dir, sizeof dir);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, on_tick, NULL, &ticker), 0);
	script_open(&sample, kit_store(1));
	say_sample(&sample);
	config = (struct mu_snapshots_config){
		.dir = dir,
		.keep = 2,
		.retry_min_ms = 1,
		.retry_max_ms = 4,
		.disk_open = open_disk,
		.purge = on_purge,
		.ended = on_ended,
	};
}

static void teardown(void)
{
	mu_snapshots_free(snapshots);
	mu_timer_free(ticker);
	mu_loop_free(loop);
	script_close(&sample);
	dir_remove(dir);
	munmap(shared, sizeof *shared);
}

static void assert_good(uint64_t index)
{
	struct mu_disk *d;

	ck_assert_int_eq(mu_disk_open(dir, &d, &err), 0);
	ck_assert_msg(mu_snapfile_check(d, index, NULL, NULL, &err) == 0, "%s",
	              err.msg);
	d->free(d);
}

static size_t count_files(void)
{
	struct mu_disk *d;
	uint64_t *list;
	size_t count;

	ck_assert_int_eq(mu_disk_open(dir, &d, &err), 0);
	ck_assert_int_eq(mu_snapfile_list(d, &list, &count, &err), 0);
	mu_free(list);
	d->free(d);
	return count;
}

static void write_more(void)
{
	say_set(&sample, "/a", "more");
}

static uint64_t index_now(void)
{
	return mu_store_index(sample.s);
}

/* ---- the tests ---- */

START_TEST(one_that_is_asked_for_is_taken)
{
	struct mu_snapshots_status st;
	uint64_t number;

	begin(0);
	number = mu_snapshots_ask(snapshots);
	ck_assert_uint_eq(told.ended, 0); /* told in a later turn */
	UNTIL(told.ended);
	ck_assert_uint_eq(told.last.number, number);
	ck_assert_msg(told.last.rc == 0, "%s", told.why);
	ck_assert_str_eq(told.why, "");
	ck_assert_uint_eq(told.last.index, index_now());
	assert_good(index_now());
	st = status();
	ck_assert_uint_eq(st.taken, 1);
	ck_assert_uint_eq(st.failed, 0);
	ck_assert_uint_eq(st.index, index_now());
	ck_assert_uint_eq(st.bytes, told.last.bytes);
	ck_assert_uint_gt(st.bytes, 500);
	ck_assert_uint_gt(st.fork_us, 0);
	ck_assert_uint_ge(st.fork_us_max, st.fork_us);
	ck_assert_int_gt(st.wall_ms, 0);
	ck_assert_str_eq(st.trouble, "");
	ck_assert(!st.running);
}
END_TEST

START_TEST(it_has_the_state_of_the_moment_of_the_fork)
{
	uint64_t then = index_now();

	begin(0);
	mu_snapshots_ask(snapshots);
	UNTIL(status().running || told.ended);
	write_more();
	UNTIL(told.ended);
	ck_assert_uint_eq(told.last.index, then);
	assert_good(then);
}
END_TEST

START_TEST(the_child_has_nothing_of_the_brokers)
{
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	begin(0);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended);
	ck_assert_uint_le(shared->descriptors, 3);
	ck_assert(shared->signals_blocked);
	ck_assert(shared->nice > nice(0) || nice(0) == 19);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

START_TEST(the_brokers_own_signals_are_as_they_were)
{
	sigset_t before, after;

	pthread_sigmask(SIG_BLOCK, NULL, &before);
	begin(0);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	for (int i = 1; i < 32; i++)
		ck_assert_int_eq(sigismember(&before, i),
		                 sigismember(&after, i));
}
END_TEST

START_TEST(older_ones_are_removed_and_the_journal_is_told)
{
	uint64_t second = 0;

	begin(0);
	for (unsigned i = 0; i < 3; i++) {
		write_more();
		if (i == 1)
			second = index_now();
		mu_snapshots_ask(snapshots);
		UNTIL(told.ended == i + 1);
		ck_assert_int_eq(told.last.rc, 0);
	}
	ck_assert_uint_eq(count_files(), 2);
	ck_assert_uint_eq(told.purged, 3);
	ck_assert_uint_eq(told.upto, second);
}
END_TEST

START_TEST(a_child_that_is_killed_is_a_failure)
{
	struct mu_snapshots_status st;

	begin(0);
	will_fail(DIE, 1);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended);
	ck_assert_int_eq(told.last.rc, MU_ESYSTEM);
	ck_assert_ptr_nonnull(strstr(told.why, "signal 9"));
	st = status();
	ck_assert_uint_eq(st.failed, 1);
	ck_assert_uint_eq(st.taken, 0);
	ck_assert_str_eq(st.trouble, told.why);
	ck_assert_uint_eq(told.purged, 0);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended == 2);
	ck_assert_int_eq(told.last.rc, 0);
	ck_assert_str_eq(status().trouble, "");
	ck_assert_uint_eq(status().retry_ms, 0);
	assert_good(index_now());
}
END_TEST

START_TEST(a_full_disk_is_a_failure_that_leaves_nothing)
{
	begin(0);
	will_fail(FULL, 1);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended);
	ck_assert_int_eq(told.last.rc, MU_ENOSPACE);
	ck_assert_ptr_nonnull(strstr(told.why, strerror(ENOSPC)));
	ck_assert_uint_eq(count_files(), 0);
	will_fail(NO_DISK, 1);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended == 2);
	ck_assert_int_eq(told.last.rc, MU_EIO);
	ck_assert_str_eq(told.why, "there is no disk");
}
END_TEST

START_TEST(those_who_ask_while_one_is_at_work_share_the_next)
{
	uint64_t first, second, third;

	begin(0);
	first = mu_snapshots_ask(snapshots);
	ck_assert_uint_eq(mu_snapshots_ask(snapshots), first);
	UNTIL(status().running || told.ended);
	write_more();
	second = mu_snapshots_ask(snapshots);
	third = mu_snapshots_ask(snapshots);
	ck_assert_uint_eq(second, first + 1);
	ck_assert_uint_eq(third, second);
	UNTIL(told.ended == 2);
	ck_assert_uint_eq(told.numbers[0], first);
	ck_assert_uint_eq(told.numbers[1], second);
	ck_assert_uint_eq(told.last.index, index_now());
	for (int i = 0; i < 20; i++)
		turn();
	ck_assert_uint_eq(told.ended, 2);
}
END_TEST

START_TEST(without_a_change_the_last_one_is_checked_again)
{
	uint64_t bytes;

	begin(0);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended == 1);
	bytes = told.last.bytes;
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended == 2);
	ck_assert_int_eq(told.last.rc, 0);
	ck_assert_uint_eq(told.last.bytes, bytes);
	ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(one_is_taken_when_the_journal_has_grown_by_so_much)
{
	config.journal_bytes = 1000;
	begin(0);
	journal_bytes = 999;
	for (int i = 0; i < 20; i++) {
		end_of_wait_ms = UINT64_MAX;
		turn();
		ck_assert(!status().running);
	}
	journal_bytes = 1000;
	UNTIL(told.ended == 1);
	write_more();
	journal_bytes = 1999;
	for (int i = 0; i < 20; i++) {
		turn();
		ck_assert(!status().running);
	}
	journal_bytes = 2000;
	UNTIL(told.ended == 2);
	ck_assert_uint_eq(told.last.index, index_now());
}
END_TEST

START_TEST(one_is_taken_after_so_long_if_anything_changed)
{
	config.interval_ms = 30;
	begin(index_now()); /* nothing has changed since that one */
	end_of_wait_ms = UINT64_MAX;
	for (uint64_t until = mu_clock_mono_ms() + 90;
	     mu_clock_mono_ms() < until;)
		turn();
	ck_assert_uint_eq(told.ended, 0);
	write_more();
	UNTIL(told.ended == 1);
	ck_assert_int_eq(told.last.rc, 0);
	for (uint64_t until = mu_clock_mono_ms() + 90;
	     mu_clock_mono_ms() < until;)
		turn();
	ck_assert_uint_eq(told.ended, 1);
	write_more();
	UNTIL(told.ended == 2);
	assert_good(index_now());
}
END_TEST

START_TEST(a_failure_is_tried_again_after_a_pause_that_grows)
{
	uint64_t pause_ms = 0;

	config.journal_bytes = 1;
	config.retry_min_ms = 10;
	config.retry_max_ms = 25;
	begin(0);
	will_fail(FULL, 4);
	journal_bytes = 1;
	UNTIL(told.ended == 1);
	ck_assert_uint_le(status().retry_ms, 10);
	UNTIL(told.ended == 4);
	pause_ms = status().retry_ms;
	ck_assert_uint_le(pause_ms, 25);
	UNTIL(told.ended == 5);
	ck_assert_int_eq(told.last.rc, 0);
	ck_assert_uint_eq(status().failed, 4);
	ck_assert_uint_eq(status().taken, 1);
	assert_good(index_now());
}
END_TEST

START_TEST(a_child_that_takes_too_long_is_killed)
{
	config.stuck_ms = 20;
	begin(0);
	will_fail(HANG, 1);
	mu_snapshots_ask(snapshots);
	UNTIL(told.ended);
	ck_assert_int_eq(told.last.rc, MU_ESYSTEM);
	ck_assert_ptr_nonnull(strstr(told.why, "longer than 20 ms"));
}
END_TEST

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

START_TEST(closing_ends_a_child_that_is_at_work)
{
	begin(0);
	will_fail(HANG, 1);
	mu_snapshots_ask(snapshots);
	UNTIL(shared->hangs);
	ck_assert(!is_gone(shared->pid));
	mu_snapshots_free(snapshots);
	snapshots = NULL;
	ck_assert(is_gone(shared->pid));
	ck_assert_uint_eq(told.ended, 0);
}
END_TEST

/* A broker of its own, whose end is sudden. */
START_TEST(the_brokers_end_ends_the_child)
{
	int how = 0;
	pid_t broker;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	broker = child_fork();
	if (broker == 0) {
		begin(0);
		will_fail(HANG, 1);
		mu_snapshots_ask(snapshots);
		UNTIL(shared->hangs);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(broker, &how, 0), broker);
	ck_assert(WIFEXITED(how));
	/* It is ours now; without its promise this would wait for ever. */
	ck_assert_int_eq(waitpid(shared->pid, &how, 0), shared->pid);
	ck_assert(WIFSIGNALED(how));
	ck_assert_int_eq(WTERMSIG(how), SIGKILL);
}
END_TEST

static atomic_bool busy;

static void *allocate(void *arg)
{
	while (atomic_load(&busy))
		free(malloc(1 + (size_t)(rand() % 5000)));
	return arg;
}

START_TEST(other_threads_may_be_anywhere_when_it_forks)
{
	pthread_t thread[2];

	config.stuck_ms = 10000;
	begin(0);
	atomic_store(&busy, true);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, allocate, NULL), 0);
	for (unsigned i = 0; i < 10; i++) {
		write_more();
		mu_snapshots_ask(snapshots);
		UNTIL(told.ended == i + 1);
		ck_assert_msg(told.last.rc == 0, "%s", told.why);
	}
	atomic_store(&busy, false);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}
END_TEST

START_TEST(limits_that_make_no_sense_are_refused)
{
	struct mu_snapshots_config c = config;

	c.keep = 0;
	ck_assert_int_eq(
		mu_snapshots_new(loop, &c, sample.s, 0, &snapshots, &err),
		MU_EINVAL);
	c = config;
	c.retry_min_ms = 0;
	ck_assert_int_eq(
		mu_snapshots_new(loop, &c, sample.s, 0, &snapshots, &err),
		MU_EINVAL);
	begin(0);
	c = config;
	c.retry_max_ms = c.retry_min_ms - 1;
	ck_assert_int_eq(mu_snapshots_reconfigure(snapshots, &c, &err),
	                 MU_EINVAL);
	c = config;
	c.journal_bytes = 10;
	ck_assert_int_eq(mu_snapshots_reconfigure(snapshots, &c, &err), 0);
	journal_bytes = 10;
	UNTIL(told.ended == 1);
	mu_snapshots_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshots");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, one_that_is_asked_for_is_taken);
	tcase_add_test(tc, it_has_the_state_of_the_moment_of_the_fork);
	tcase_add_test(tc, the_child_has_nothing_of_the_brokers);
	tcase_add_test(tc, the_brokers_own_signals_are_as_they_were);
	tcase_add_test(tc, older_ones_are_removed_and_the_journal_is_told);
	tcase_add_test(tc, a_child_that_is_killed_is_a_failure);
	tcase_add_test(tc, a_full_disk_is_a_failure_that_leaves_nothing);
	tcase_add_test(tc, those_who_ask_while_one_is_at_work_share_the_next);
	tcase_add_test(tc, without_a_change_the_last_one_is_checked_again);
	tcase_add_test(tc, one_is_taken_when_the_journal_has_grown_by_so_much);
	tcase_add_test(tc, one_is_taken_after_so_long_if_anything_changed);
	tcase_add_test(tc, a_failure_is_tried_again_after_a_pause_that_grows);
	tcase_add_test(tc, a_child_that_takes_too_long_is_killed);
	tcase_add_test(tc, closing_ends_a_child_that_is_at_work);
	tcase_add_test(tc, the_brokers_end_ends_the_child);
	tcase_add_test(tc, other_threads_may_be_anywhere_when_it_forks);
	tcase_add_test(tc, limits_that_make_no_sense_are_refused);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
