/* The journal with its thread: order, what is durable, trouble and its end. */
#include "journal.h"

#include "fake_disk.h"
#include "files.h"
#include "program.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS 60000

static struct mu_disk *disk;
static void (*disk_free)(struct mu_disk *);
static struct mu_journal *j;
static struct mu_journal_config config;
static struct mu_journal_stats stats;
static struct mu_err err;
static uint64_t last; /* of the replay */

/* ---- a gate before the disk's syncs ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool closed, arrived;

static void on_call(void *arg, enum fake_op op)
{
	(void)arg;
	if (op != FAKE_SYNC)
		return;
	pthread_mutex_lock(&gate);
	arrived = true;
	pthread_cond_broadcast(&moved);
	while (closed)
		pthread_cond_wait(&moved, &gate);
	pthread_mutex_unlock(&gate);
}

static void gate_set(bool shut)
{
	pthread_mutex_lock(&gate);
	closed = shut;
	arrived = false;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&gate);
}

static void gate_wait(void)
{
	pthread_mutex_lock(&gate);
	while (!arrived)
		pthread_cond_wait(&moved, &gate);
	pthread_mutex_unlock(&gate);
}

/* The journal frees the disk that it owns; what it held is looked at after. */
static void keep(struct mu_disk *d)
{
	(void)d;
}

static void setup(void)
{
	disk = fake_disk_new();
	disk_free = disk->free;
	disk->free = keep;
	fake_disk_before(disk, on_call, NULL);
	memset(&config, 0, sizeof config);
	config.segments.tree_id = 5;
	config.segments.segment_bytes = 1 << 16;
	memset(&err, 0, sizeof err);
	closed = arrived = false;
	j = NULL;
}

static void teardown(void)
{
	disk_free(disk);
}

static int on_command(void *arg, uint64_t index, const void *bytes, size_t len,
                      struct mu_err *e)
{
	char want[32];

	(void)arg, (void)e;
	ck_assert_uint_eq(index, last + 1);
	snprintf(want, sizeof want, "command %lu", (unsigned long)index);
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_mem_eq(bytes, want, len);
	last = index;
	return 0;
}

static int open_any(uint64_t after)
{
	last = after;
	return mu_journal_open(disk, &config, after, on_command, NULL, &j,
	                       &err);
}

static void open_good(uint64_t after)
{
	ck_assert_msg(open_any(after) == 0, "%s", err.msg);
	ck_assert_uint_eq(j->durable(j), last);
}

static int append(uint64_t index)
{
	char text[32];

	snprintf(text, sizeof text, "command %lu", (unsigned long)index);
	return j->append(j, index, text, strlen(text), &err);
}

static void append_good(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i <= to; i++)
		ck_assert_msg(append(i) == 0, "%s", err.msg);
}

static bool readable(int ms)
{
	struct pollfd p = { j->fd(j), POLLIN, 0 };

	return poll(&p, 1, ms) == 1;
}

static void wait_durable(uint64_t index)
{
	uint64_t durable;

	while ((durable = j->durable(j)) < index)
		ck_assert_msg(readable(DEADLINE_MS), "only %lu are durable",
		              (unsigned long)durable);
	ck_assert_uint_eq(durable, index);
}

/* The descriptor tells of news; what it is about is asked for each time. */
static void wait_trouble(int want)
{
	while (j->trouble(j, &err) != want) {
		ck_assert_msg(readable(DEADLINE_MS), "trouble stays %d",
		              j->trouble(j, &err));
		j->durable(j);
	}
}

static void close_it(void)
{
	j->close(j);
	j = NULL;
	ck_assert_uint_eq(fake_disk_descriptors(disk), 0);
}

static void again(uint64_t after)
{
	close_it();
	fake_disk_crash(disk, FAKE_LOSE_ALL);
	open_good(after);
}

/* ---- the good days ---- */

START_TEST(it_keeps_commands_in_order_over_a_restart)
{
	open_good(0);
	ck_assert(j->keeps);
	for (uint64_t i = 1; i <= 2000; i++) {
		append_good(i, i);
		if (i % 37 == 0)
			ck_assert_int_eq(j->flush(j, &err), 0);
	}
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(2000);
	again(0);
	ck_assert_uint_eq(last, 2000);
	append_good(2001, 2001);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(2001);
	again(1500);
	ck_assert_uint_eq(last, 2001);
	j->stats(j, &stats);
	ck_assert_uint_eq(stats.found.records, 501);
	close_it();
}
END_TEST

START_TEST(nothing_is_durable_before_its_sync_and_the_descriptor_tells)
{
	open_good(0);
	append_good(1, 1);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(1);
	gate_set(true);
	append_good(2, 3);
	ck_assert_int_eq(j->flush(j, &err), 0);
	gate_wait();
	ck_assert_uint_eq(j->durable(j), 1);
	ck_assert(!readable(0));
	/* the next batch gathers meanwhile */
	append_good(4, 9);
	ck_assert_int_eq(j->flush(j, &err), 0);
	j->stats(j, &stats);
	ck_assert_uint_gt(stats.waiting_bytes, 8 * 32);
	ck_assert_uint_eq(j->durable(j), 1);
	gate_set(false);
	wait_durable(9);
	ck_assert(!readable(0));
	j->stats(j, &stats);
	ck_assert_uint_eq(stats.waiting_bytes, 0);
	ck_assert_uint_eq(stats.batches, 3);
	ck_assert_uint_ge(stats.sync_max_us, stats.sync_last_us);
	close_it();
}
END_TEST

START_TEST(without_a_flush_nothing_is_written)
{
	open_good(0);
	append_good(1, 5);
	j->purge(j, 1); /* wakes the thread for something else */
	ck_assert(!readable(50));
	ck_assert_uint_eq(j->durable(j), 0);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(5);
	close_it();
}
END_TEST

START_TEST(close_waits_for_what_was_flushed)
{
	open_good(0);
	append_good(1, 100);
	ck_assert_int_eq(j->flush(j, &err), 0);
	again(0);
	ck_assert_uint_eq(last, 100);
	close_it();
}
END_TEST

START_TEST(settle_waits_until_all_is_durable)
{
	open_good(0);
	ck_assert_uint_eq(j->settle(j), 0);
	append_good(1, 100);
	ck_assert_uint_eq(j->settle(j), 100);
	append_good(101, 101);
	ck_assert_uint_eq(j->settle(j), 101);
	close_it();
}
END_TEST

START_TEST(purge_removes_what_is_not_needed)
{
	config.segments.segment_bytes = MU_SEGMENT_BYTES_MIN;
	open_good(0);
	for (uint64_t i = 1; i <= 500; i += 5) {
		append_good(i, i + 4);
		ck_assert_int_eq(j->flush(j, &err), 0);
		wait_durable(i + 4);
	}
	j->stats(j, &stats);
	ck_assert_uint_gt(stats.segments, 4);
	ck_assert_uint_eq(stats.disk_bytes,
	                  stats.segments * MU_SEGMENT_BYTES_MIN);
	ck_assert_uint_eq(stats.first, 1);
	j->purge(j, 400);
	append_good(501, 501);
	again(400); /* close does what was asked for, or leaves more */
	ck_assert_uint_ge(last, 500);
	close_it();
}
END_TEST

START_TEST(no_more_waits_than_may)
{
	unsigned n = 0;

	config.waiting_max = 1000;
	open_good(0);
	append_good(1, 1);
	ck_assert_uint_eq(j->settle(j), 1);
	gate_set(true);
	while (append(2 + n) == 0)
		n++;
	ck_assert_int_eq(err.code, MU_EFULL);
	ck_assert_ptr_nonnull(strstr(err.msg, "(waiting_max)"));
	ck_assert_uint_ge(n, 15);
	ck_assert_uint_le(n, 25);
	ck_assert_int_eq(j->flush(j, &err), 0);
	gate_wait();
	ck_assert_int_eq(append(2 + n), MU_EFULL);
	j->stats(j, &stats);
	ck_assert_uint_le(stats.waiting_bytes, stats.waiting_max);
	gate_set(false);
	ck_assert_uint_eq(j->settle(j), 1 + n);
	append_good(2 + n, 2 + n);
	close_it();
}
END_TEST

START_TEST(one_command_larger_than_the_limit_is_taken_alone)
{
	config.waiting_max = 130;
	open_good(0);
	ck_assert_int_eq(j->append(j, 1, stats.found.torn_file, 40, &err), 0);
	ck_assert_int_eq(append(2), 0);
	ck_assert_int_eq(append(3), MU_EFULL);
	close_it();
	config.waiting_max = 10;
	disk->unlink(disk, "journal-00000000000000000001");
	open_good(0);
	append_good(1, 1);
	ck_assert_int_eq(append(2), MU_EFULL);
	ck_assert_uint_eq(j->settle(j), 1);
	append_good(2, 2);
	close_it();
}
END_TEST

START_TEST(a_gap_in_the_indexes_is_a_bug)
{
	open_good(0);
	fclose(stderr);
	append(2);
}
END_TEST

/* ---- the bad days ---- */

START_TEST(what_a_full_disk_refuses_is_begun_again)
{
	open_good(0);
	append_good(1, 3);
	ck_assert_uint_eq(j->settle(j), 3);
	fake_disk_fail_at(disk, 0,
	                  FAKE_BIT(FAKE_WRITE) | FAKE_BIT(FAKE_ALLOCATE),
	                  ENOSPC, true);
	append_good(4, 6);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_trouble(MU_ENOSPACE);
	ck_assert_ptr_nonnull(strstr(err.msg, strerror(ENOSPC)));
	ck_assert_uint_eq(j->durable(j), 3);
	/* who has not noticed is told */
	ck_assert_int_eq(append(7), MU_ENOSPACE);
	ck_assert_int_eq(j->flush(j, &err), MU_ENOSPACE);
	ck_assert_uint_eq(j->settle(j), 3);
	/* and tries again, in vain */
	append_good(4, 4);
	ck_assert_int_eq(j->flush(j, &err), 0);
	ck_assert_uint_eq(j->settle(j), 3);
	ck_assert_int_eq(j->trouble(j, &err), MU_ENOSPACE);
	/* space comes back: noticed without a write */
	fake_disk_mend(disk);
	wait_trouble(0);
	append_good(4, 9);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(9);
	again(0);
	ck_assert_uint_eq(last, 9);
	close_it();
}
END_TEST

START_TEST(an_append_at_durable_plus_1_begins_again_too)
{
	open_good(0);
	append_good(1, 3);
	ck_assert_uint_eq(j->settle(j), 3);
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_WRITE), EIO, false);
	append_good(4, 6);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_trouble(MU_EIO);
	append_good(4, 5);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_durable(5);
	wait_trouble(0);
	again(0);
	ck_assert_uint_eq(last, 5);
	close_it();
}
END_TEST

START_TEST(what_gathered_behind_a_failed_batch_is_lost_with_it)
{
	open_good(0);
	append_good(1, 1);
	ck_assert_uint_eq(j->settle(j), 1);
	gate_set(true);
	append_good(2, 2);
	ck_assert_int_eq(j->flush(j, &err), 0);
	gate_wait();
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_WRITE), EIO, false);
	append_good(3, 4);
	ck_assert_int_eq(j->flush(j, &err), 0);
	gate_set(false);
	wait_trouble(MU_EIO);
	ck_assert_uint_eq(j->settle(j), 2);
	append_good(3, 3);
	ck_assert_uint_eq(j->settle(j), 3);
	again(0);
	ck_assert_uint_eq(last, 3);
	close_it();
}
END_TEST

START_TEST(a_failed_sync_ends_it_for_good)
{
	unsigned calls;

	open_good(0);
	append_good(1, 1);
	ck_assert_uint_eq(j->settle(j), 1);
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_SYNC), EIO, false);
	append_good(2, 2);
	ck_assert_int_eq(j->flush(j, &err), 0);
	wait_trouble(MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "fdatasync"));
	calls = fake_disk_calls(disk, FAKE_ALL);
	ck_assert_uint_eq(j->settle(j), 1);
	ck_assert_int_eq(append(2), MU_EDATA);
	ck_assert_int_eq(j->flush(j, &err), MU_EDATA);
	j->purge(j, 1);
	ck_assert_int_eq(j->trouble(j, &err), MU_EDATA);
	close_it();
	ck_assert_uint_eq(fake_disk_calls(disk, FAKE_ALL), calls);
}
END_TEST

START_TEST(damage_stops_the_start_and_gives_the_disk_back)
{
	size_t len;

	open_good(0);
	append_good(1, 3);
	ck_assert_uint_eq(j->settle(j), 3);
	close_it(); /* orderly: marked */
	fake_disk_file(disk, "journal-00000000000000000001", &len)[110] ^= 1;
	ck_assert_int_eq(open_any(0), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "journal-00000000000000000001"));
	ck_assert_ptr_null(j);
	ck_assert_uint_eq(fake_disk_descriptors(disk), 0);
}
END_TEST

/* The thread is no target for the loop's signals. */
START_TEST(the_thread_blocks_all_signals)
{
	sigset_t usr1;
	int got;

	open_good(0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	kill(getpid(), SIGUSR1);
	append_good(1, 1);
	ck_assert_uint_eq(j->settle(j), 1); /* the thread runs, unhurt */
	ck_assert_int_eq(sigwait(&usr1, &got), 0);
	ck_assert_int_eq(got, SIGUSR1);
	close_it();
}
END_TEST

/* ---- a real directory ---- */

static char dir[64];

static void dir_setup(void)
{
	setup();
	dir_make(dir, sizeof dir);
}

static void dir_teardown(void)
{
	teardown();
	dir_remove(dir);
}

static void dir_open(uint64_t after)
{
	last = after;
	ck_assert_msg(mu_journal_disk_open(dir, &config, after, on_command,
	                                   NULL, &j, &err) == 0,
	              "%s", err.msg);
}

START_TEST(in_a_real_directory_commands_come_back)
{
	int64_t tree_id = 1;

	ck_assert_int_eq(mu_journal_tree_id(dir, &tree_id, &err), 0);
	ck_assert_int_eq(tree_id, 0);
	dir_open(0);
	append_good(1, 5000);
	ck_assert_uint_eq(j->settle(j), 5000);
	j->close(j);
	ck_assert_int_eq(mu_journal_tree_id(dir, &tree_id, &err), 0);
	ck_assert_int_eq(tree_id, 5);
	dir_open(10);
	ck_assert_uint_eq(last, 5000);
	j->close(j);
}
END_TEST

START_TEST(no_directory_is_an_error_that_names_it)
{
	ck_assert_int_eq(mu_journal_disk_open("/nonexistent/d", &config, 0,
	                                      on_command, NULL, &j, &err),
	                 MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/d"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal on disk");
	TCase *t = tcase_create("thread"), *real = tcase_create("directory");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 90);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, it_keeps_commands_in_order_over_a_restart);
	tcase_add_test(
		t, nothing_is_durable_before_its_sync_and_the_descriptor_tells);
	tcase_add_test(t, without_a_flush_nothing_is_written);
	tcase_add_test(t, close_waits_for_what_was_flushed);
	tcase_add_test(t, settle_waits_until_all_is_durable);
	tcase_add_test(t, purge_removes_what_is_not_needed);
	tcase_add_test(t, no_more_waits_than_may);
	tcase_add_test(t, one_command_larger_than_the_limit_is_taken_alone);
	tcase_add_test_raise_signal(t, a_gap_in_the_indexes_is_a_bug, SIGABRT);
	tcase_add_test(t, what_a_full_disk_refuses_is_begun_again);
	tcase_add_test(t, an_append_at_durable_plus_1_begins_again_too);
	tcase_add_test(t, what_gathered_behind_a_failed_batch_is_lost_with_it);
	tcase_add_test(t, a_failed_sync_ends_it_for_good);
	tcase_add_test(t, damage_stops_the_start_and_gives_the_disk_back);
	tcase_add_test(t, the_thread_blocks_all_signals);
	suite_add_tcase(s, t);
	tcase_set_timeout(real, 90);
	tcase_add_checked_fixture(real, dir_setup, dir_teardown);
	tcase_add_test(real, in_a_real_directory_commands_come_back);
	tcase_add_test(real, no_directory_is_an_error_that_names_it);
	suite_add_tcase(s, real);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
