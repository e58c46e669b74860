/* Segments on a disk that fails, tears, forgets and dies, at each of its calls. */
#include "segments_bed.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct segments_bed b;

static void assert_says(const char *word)
{
	ck_assert_msg(strstr(b.err.msg, word) != NULL, "no '%s' in: %s", word,
	              b.err.msg);
}

static void open_good(void)
{
	ck_assert_msg(bed_open(&b, 0) == 0, "%s", b.err.msg);
}

/* All that was said to be durable is there, as it was said; nothing is there
 * that was never written. */
static void assert_kept(uint64_t durable, uint64_t attempted,
                        const uint32_t *said)
{
	ck_assert_uint_ge(b.last, durable);
	ck_assert_uint_le(b.last, attempted);
	for (uint64_t i = 1; i <= durable; i++)
		ck_assert_uint_eq(b.found[i], said[i]);
}

/* What came back stays, whatever comes next. */
static void go_on(uint64_t seed)
{
	uint32_t found[BED_INDEXES];
	const uint64_t last = b.last;

	memcpy(found, b.found, sizeof found);
	bed_close(&b);
	fake_disk_crash(b.disk, FAKE_LOSE_ALL);
	open_good();
	assert_kept(last, last, found);
	memcpy(b.wrote, b.found, sizeof b.wrote);
	ck_assert_int_eq(bed_write(&b, 1), 0);
	ck_assert_int_eq(bed_write(&b, 7), 0);
	bed_close(&b);
	fake_disk_crash(b.disk, seed);
	open_good();
	assert_kept(last + 8, last + 8, b.wrote);
}

/* Batches of several sizes over some segments, with a purge and a repair of
 * trouble in between. Ends with the first error that does not end. */
static void work(void)
{
	static const unsigned counts[] = { 1, 3, 1, 30, 2, 9, 1, 1, 60, 4, 1 };
	int refused = 0;

	for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
		const int rc = bed_write(&b, counts[i]);

		if (rc == MU_EDATA || (rc && ++refused > 3))
			return;
		if (rc && mu_segments_mend(b.s, &b.err) == MU_EDATA)
			return;
	}
	mu_segments_finish(b.s, &b.err);
}

START_TEST(dead_at_any_call_nothing_durable_is_lost)
{
	const uint64_t seeds[] = { 0, FAKE_LOSE_ALL, 1, 2, 3 };
	bool dead = true;
	unsigned k;

	for (k = 0; dead; k++) {
		for (unsigned i = 0; i < sizeof seeds / sizeof *seeds; i++) {
			const uint64_t seed =
				seeds[i] && seeds[i] != FAKE_LOSE_ALL
					? seeds[i] + k * 8
					: seeds[i];

			bed_init(&b);
			fake_disk_dead_at(b.disk, k);
			if (bed_open(&b, 0) == 0)
				work();
			dead = fake_disk_mend(b.disk);
			bed_close(&b);
			fake_disk_crash(b.disk, seed);
			open_good();
			assert_kept(b.durable, b.attempted, b.wrote);
			go_on(seed);
			bed_fini(&b);
		}
	}
	ck_assert_uint_gt(k, 60);
}
END_TEST

/* A start that dies in the middle of mending what the death before left. */
START_TEST(dead_at_any_call_of_the_start_nothing_durable_is_lost)
{
	for (uint64_t seed = 1; seed < 12; seed++) {
		bool dead = true;

		for (unsigned k = 0; dead; k++) {
			bed_init(&b);
			open_good();
			fake_disk_dead_at(b.disk, 20 + (unsigned)seed * 3);
			work();
			bed_close(&b);
			fake_disk_crash(b.disk, seed);
			fake_disk_dead_at(b.disk, k);
			if (bed_open(&b, 0) == 0)
				ck_assert_uint_ge(b.last, b.durable);
			dead = fake_disk_mend(b.disk);
			bed_close(&b);
			fake_disk_crash(b.disk, seed + k);
			open_good();
			assert_kept(b.durable, b.attempted, b.wrote);
			go_on(seed);
			bed_fini(&b);
		}
	}
}
END_TEST

static const int errors[] = { ENOSPC, EDQUOT, EROFS, EIO, EACCES };
#define WRITING \
	(FAKE_BIT(FAKE_CREATE) | FAKE_BIT(FAKE_WRITE) | \
	 FAKE_BIT(FAKE_ALLOCATE) | FAKE_BIT(FAKE_TRUNCATE) | \
	 FAKE_BIT(FAKE_RENAME))

/* One call fails: that batch is not durable, and the next one is again. */
START_TEST(after_any_refused_call_the_next_write_is_taken)
{
	for (unsigned e = 0; e < sizeof errors / sizeof *errors; e++) {
		bool came = true;

		for (unsigned k = 0; came; k++) {
			bed_init(&b);
			open_good();
			fake_disk_fail_at(b.disk, k, WRITING, errors[e], false);
			work();
			came = fake_disk_mend(b.disk);
			ck_assert_int_eq(bed_write(&b, 5), 0);
			bed_close(&b);
			fake_disk_crash(b.disk, k);
			open_good();
			assert_kept(b.durable, b.durable, b.wrote);
			go_on(k);
			bed_fini(&b);
		}
	}
}
END_TEST

START_TEST(each_error_has_its_code)
{
	for (unsigned e = 0; e < sizeof errors / sizeof *errors; e++) {
		const int want = errors[e] == EIO || errors[e] == EACCES
		                         ? MU_EIO
		                         : MU_ENOSPACE;

		bed_init(&b);
		open_good();
		ck_assert_int_eq(bed_write(&b, 1), 0);
		fake_disk_fail_at(b.disk, 0, WRITING, errors[e], true);
		ck_assert_int_eq(bed_write(&b, 2), want);
		assert_says(strerror(errors[e]));
		assert_says("journal-0");
		ck_assert_int_eq(mu_segments_mend(b.s, &b.err), want);
		ck_assert_int_eq(bed_write(&b, 2), want);
		ck_assert_uint_eq(b.durable, 1);
		fake_disk_mend(b.disk);
		ck_assert_int_eq(mu_segments_mend(b.s, &b.err), 0);
		ck_assert_int_eq(bed_write(&b, 3), 0);
		ck_assert_uint_eq(b.durable, 4);
		bed_fini(&b);
	}
}
END_TEST

static ssize_t (*write_whole)(struct mu_disk *, int, const void *, size_t,
                              uint64_t);

/* All but the last byte reaches the file before the disk says no; once. */
static ssize_t write_refused(struct mu_disk *d, int fd, const void *p,
                             size_t len, uint64_t at)
{
	d->write = write_whole;
	write_whole(d, fd, p, len - 1, at);
	return -ENOSPC;
}

/* Refused is refused: where the disk lets us take it back, it does not return
 * with the next start, even if only the process died. */
START_TEST(a_refused_batch_does_not_come_back)
{
	for (unsigned n = 2; n < 12; n++) {
		bed_init(&b);
		open_good();
		ck_assert_int_eq(bed_write(&b, 1), 0);
		write_whole = b.disk->write;
		b.disk->write = write_refused;
		ck_assert_int_eq(bed_write(&b, n), MU_ENOSPACE);
		bed_close(&b);
		fake_disk_crash(b.disk, 0);
		open_good();
		ck_assert_uint_eq(b.last, 1);
		bed_fini(&b);
	}
}
END_TEST

START_TEST(a_short_write_is_gone_on_with)
{
	for (size_t len = 1; len < 200; len++) {
		bed_init(&b);
		b.config.segment_bytes = 1 << 16;
		open_good();
		ck_assert_int_eq(bed_write(&b, 1), 0);
		fake_disk_short_at(b.disk, 0, len);
		ck_assert_int_eq(bed_write(&b, 3), 0);
		ck_assert(fake_disk_mend(b.disk));
		bed_close(&b);
		fake_disk_crash(b.disk, FAKE_LOSE_ALL);
		open_good();
		assert_kept(4, 4, b.wrote);
		bed_fini(&b);
	}
}
END_TEST

START_TEST(a_write_that_takes_nothing_is_refused)
{
	bed_init(&b);
	open_good();
	ck_assert_int_eq(bed_write(&b, 1), 0);
	fake_disk_short_at(b.disk, 0, 0);
	ck_assert_int_eq(bed_write(&b, 3), MU_EIO);
	ck_assert_int_eq(bed_write(&b, 3), 0);
	bed_fini(&b);
}
END_TEST

START_TEST(a_full_disk_keeps_what_it_has_and_space_is_noticed)
{
	bed_init(&b);
	open_good();
	fake_disk_space(b.disk, 5 * MU_SEGMENT_BYTES_MIN);
	while (bed_write(&b, 2) == 0)
		;
	ck_assert_int_eq(b.err.code, MU_ENOSPACE);
	ck_assert_uint_gt(b.durable, 50);
	for (int again = 0; again < 3; again++)
		ck_assert_int_eq(bed_write(&b, 2), MU_ENOSPACE);
	ck_assert_int_eq(mu_segments_mend(b.s, &b.err), MU_ENOSPACE);
	ck_assert_int_eq(mu_segments_purge(b.s, 40, &b.err), 0);
	ck_assert_int_eq(mu_segments_mend(b.s, &b.err), 0);
	ck_assert_int_eq(bed_write(&b, 2), 0);
	bed_fini(&b);
}
END_TEST

/* ---- a sync that fails ---- */

START_TEST(after_a_failed_sync_nothing_is_ever_written_again)
{
	const unsigned syncs = FAKE_BIT(FAKE_SYNC) | FAKE_BIT(FAKE_SYNC_DIR);
	bool came = true;
	unsigned k;

	for (k = 0; came; k++) {
		unsigned calls;

		bed_init(&b);
		open_good();
		fake_disk_fail_at(b.disk, k, syncs, EIO, false);
		work();
		came = fake_disk_mend(b.disk);
		if (came) {
			calls = fake_disk_calls(b.disk, FAKE_ALL);
			ck_assert_int_eq(bed_write(&b, 1), MU_EDATA);
			assert_says("fdatasync of");
			ck_assert_int_eq(mu_segments_mend(b.s, &b.err),
			                 MU_EDATA);
			ck_assert_int_eq(mu_segments_finish(b.s, &b.err),
			                 MU_EDATA);
			ck_assert_int_eq(mu_segments_purge(b.s, 9, &b.err),
			                 MU_EDATA);
			ck_assert_uint_eq(fake_disk_calls(b.disk, FAKE_ALL),
			                  calls);
		}
		bed_close(&b);
		/* The process alone: what it reads then, and says, must be
		 * on the disk before the next crash. */
		fake_disk_crash(b.disk, 0);
		open_good();
		assert_kept(b.durable, b.attempted, b.wrote);
		go_on(k);
		bed_fini(&b);
	}
	ck_assert_uint_gt(k, 15);
}
END_TEST

START_TEST(a_failed_sync_of_the_start_stops_it)
{
	bed_init(&b);
	open_good();
	ck_assert_int_eq(bed_write(&b, 1), 0);
	bed_close(&b);
	fake_disk_fail_at(b.disk, 0, FAKE_BIT(FAKE_SYNC), EIO, false);
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	bed_fini(&b);
}
END_TEST

/* ---- at random ---- */

static uint64_t roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice;
}

/* Many lives in one directory, each ended by a crash somewhere. */
START_TEST(many_lives_end_in_a_crash_and_nothing_durable_is_lost)
{
	uint64_t dice = 0x9e3779b97f4a7c15u * (uint64_t)(_i + 1);

	bed_init(&b);
	open_good();
	for (int life = 0; life < 25 && b.durable < BED_INDEXES - 300; life++) {
		const uint64_t trouble = roll(&dice) % 4;

		if (trouble == 0)
			fake_disk_dead_at(b.disk, (unsigned)(roll(&dice) % 60));
		else if (trouble == 1)
			fake_disk_fail_at(b.disk, (unsigned)(roll(&dice) % 40),
			                  FAKE_ALL, ENOSPC, roll(&dice) % 2);
		else if (trouble == 2)
			fake_disk_fail_at(b.disk, (unsigned)(roll(&dice) % 10),
			                  FAKE_BIT(FAKE_SYNC), EIO, false);
		for (uint64_t n = roll(&dice) % 20; n > 0; n--) {
			if (bed_write(&b, 1 + (unsigned)(roll(&dice) % 9)) ==
			    MU_EDATA)
				break;
		}
		bed_close(&b);
		fake_disk_crash(b.disk, roll(&dice));
		open_good();
		assert_kept(b.durable, b.attempted, b.wrote);
		memcpy(b.wrote, b.found, sizeof b.wrote);
		b.durable = b.attempted = b.last;
	}
	bed_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segments, crash");
	TCase *t = tcase_create("crash");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, dead_at_any_call_nothing_durable_is_lost);
	tcase_add_test(t,
	               dead_at_any_call_of_the_start_nothing_durable_is_lost);
	tcase_add_test(t, after_any_refused_call_the_next_write_is_taken);
	tcase_add_test(t, each_error_has_its_code);
	tcase_add_test(t, a_refused_batch_does_not_come_back);
	tcase_add_test(t, a_short_write_is_gone_on_with);
	tcase_add_test(t, a_write_that_takes_nothing_is_refused);
	tcase_add_test(t, a_full_disk_keeps_what_it_has_and_space_is_noticed);
	tcase_add_test(t, after_a_failed_sync_nothing_is_ever_written_again);
	tcase_add_test(t, a_failed_sync_of_the_start_stops_it);
	tcase_add_loop_test(
		t, many_lives_end_in_a_crash_and_nothing_durable_is_lost, 0,
		40);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
