/* What snapfile.h says, on a disk that fails, tears and forgets. */
#include "fake_disk.h"
#include "snapfile.h"
#include "snapshot_kit.h"

#include "crc.h"
#include "err.h"
#include "mem.h"
#include "snapshot_impl.h"

#include <errno.h>

static struct script sample;
static struct mu_disk *disk;
static struct mu_err err;

static void setup(void)
{
	memset(&err, 0, sizeof err);
	disk = fake_disk_new();
	script_open(&sample, kit_store(1));
	say_sample(&sample);
}

static void teardown(void)
{
	ck_assert_uint_eq(fake_disk_descriptors(disk), 0);
	disk->free(disk);
	script_close(&sample);
}

static const char *name_of(uint64_t index)
{
	static char name[MU_SNAPFILE_NAME_MAX];

	mu_snapfile_name(index, name);
	return name;
}

/* One more snapshot, of one more command. Its index. */
static uint64_t more(void)
{
	uint64_t bytes;

	say_set(&sample, "/a", "more");
	ck_assert_msg(mu_snapfile_write(disk, sample.s, &bytes, &err) == 0,
	              "%s", err.msg);
	return mu_store_index(sample.s);
}

/* ---- loading, with what is told meanwhile ---- */

static struct {
	uint64_t reaches; /* the journal has what comes after this */
	uint64_t asked;   /* the last index asked for */
	unsigned passed, progress;
	char why[MU_ERR_MSG_MAX];
	uint64_t done, total;
} told;

static bool on_reaches(void *arg, uint64_t index)
{
	(void)arg;
	told.asked = index;
	return index >= told.reaches;
}

static void on_passed(void *arg, const char *why)
{
	(void)arg;
	told.passed++;
	mu_format(told.why, sizeof told.why, "%s", why);
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	ck_assert_uint_gt(done, told.done);
	told.done = done;
	told.total = total;
	told.progress++;
}

static struct mu_store_config config;

static int load(struct mu_store **out, struct mu_snapshot_info *info)
{
	const struct mu_snapfile_load how = {
		.config = &config,
		.when = kit_now,
		.reaches = on_reaches,
		.passed = on_passed,
		.progress = on_progress,
	};

	config = kit_config(8);
	told.passed = told.progress = 0;
	told.done = told.total = 0;
	told.asked = UINT64_MAX;
	return mu_snapfile_load(disk, &how, out, info, &err);
}

/* A good one of this index is what a start would find. */
static void assert_loads(uint64_t index)
{
	struct mu_snapshot_info info;
	struct mu_store *s;

	ck_assert_msg(load(&s, &info) == 0, "%s", err.msg);
	ck_assert_ptr_nonnull(s);
	mu_store_verify(s);
	ck_assert_uint_eq(mu_store_index(s), index);
	ck_assert_uint_eq(info.index, index);
	mu_store_free(s);
}

static void damage(uint64_t index)
{
	size_t len;
	uint8_t *file = fake_disk_file(disk, name_of(index), &len);

	ck_assert_ptr_nonnull(file);
	file[len / 2] ^= 4;
}

/* ---- names ---- */

START_TEST(a_name_says_the_index)
{
	uint64_t index = 0;

	ck_assert_str_eq(name_of(42), "snapshot-00000000000000000042");
	ck_assert(mu_snapfile_index("snapshot-00000000000000000042", &index));
	ck_assert_uint_eq(index, 42);
	ck_assert(mu_snapfile_index(name_of(UINT64_MAX), &index));
	ck_assert_uint_eq(index, UINT64_MAX);
	ck_assert(!mu_snapfile_index("snapshot-42", &index));
	ck_assert(!mu_snapfile_index("snapshot-0000000000000000004x", &index));
	ck_assert(!mu_snapfile_index("snapshot-00000000000000000042.tmp",
	                             &index));
	ck_assert(!mu_snapfile_index("snapshot-000000000000000000042", &index));
	ck_assert(!mu_snapfile_index("snapshot--0000000000000000042", &index));
	ck_assert(!mu_snapfile_index("journal-00000000000000000042", &index));
}
END_TEST

/* ---- writing and loading ---- */

START_TEST(what_was_written_is_loaded)
{
	uint64_t index = more();
	struct mu_store *s;
	struct mu_snapshot_info info;
	struct bytes a, b;

	ck_assert_int_eq(load(&s, &info), 0);
	a = snapshot_of(sample.s);
	b = snapshot_of(s);
	assert_same_bytes(&a, &b);
	ck_assert_uint_eq(mu_store_index(s), index);
	ck_assert_uint_eq(told.done, a.len);
	ck_assert_uint_eq(told.total, a.len);
	free(a.at);
	free(b.at);
	mu_store_free(s);
	ck_assert_uint_eq(fake_disk_count(disk), 1);
}
END_TEST

START_TEST(without_a_snapshot_there_is_no_store)
{
	struct mu_store *s = sample.s;
	struct mu_snapshot_info info;

	ck_assert_int_eq(load(&s, &info), 0);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(one_of_the_same_index_is_replaced)
{
	uint64_t index = more(), bytes;

	damage(index);
	ck_assert_int_eq(mu_snapfile_write(disk, sample.s, &bytes, &err), 0);
	assert_loads(index);
}
END_TEST

START_TEST(progress_is_told_at_least_every_16_MiB)
{
	const int32_t len = 40 << 20;
	char *data = calloc(1, (size_t)len);

	say_create(&sample, 0, "/big", data, len, 0);
	free(data);
	assert_loads(more());
	ck_assert_uint_ge(told.progress, 3);
	ck_assert_uint_eq(told.done, told.total);
	ck_assert_uint_gt(told.total, (uint64_t)len);
	/* And it was synced as it grew. */
	ck_assert_uint_ge(fake_disk_calls(disk, FAKE_BIT(FAKE_SYNC)), 2);
}
END_TEST

START_TEST(a_write_cut_short_goes_on)
{
	uint64_t bytes;

	for (unsigned k = 0; k < 6; k++) {
		fake_disk_short_at(disk, k, 3);
		say_set(&sample, "/a", "more");
		ck_assert_int_eq(
			mu_snapfile_write(disk, sample.s, &bytes, &err), 0);
		assert_loads(mu_store_index(sample.s));
	}
}
END_TEST

/* ---- failure and crash ---- */

static int want_of(int error)
{
	return error == EIO ? MU_EIO : MU_ENOSPACE;
}

START_TEST(a_call_that_fails_leaves_the_old_one_and_nothing_else)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT, EROFS };
	const unsigned ops = FAKE_BIT(FAKE_CREATE) | FAKE_BIT(FAKE_WRITE) |
	                     FAKE_BIT(FAKE_SYNC) | FAKE_BIT(FAKE_RENAME) |
	                     FAKE_BIT(FAKE_SYNC_DIR);
	uint64_t old = more(), bytes;
	unsigned failures = 0;

	for (unsigned k = 0;; k++) {
		const int error = errors[k % 4];
		int rc;

		say_set(&sample, "/a", "more");
		fake_disk_fail_at(disk, k, ops, error, false);
		rc = mu_snapfile_write(disk, sample.s, &bytes, &err);
		if (!fake_disk_mend(disk)) {
			ck_assert_int_eq(rc, 0);
			break;
		}
		failures++;
		ck_assert_int_eq(rc, want_of(error));
		ck_assert_uint_eq(fake_disk_count(disk), 1);
		assert_loads(old);
	}
	ck_assert_uint_ge(failures, 8);
	assert_loads(mu_store_index(sample.s));
}
END_TEST

START_TEST(a_full_disk_says_so_and_keeps_the_old_one)
{
	uint64_t old = more(), bytes;
	size_t len;

	fake_disk_file(disk, name_of(old), &len);
	fake_disk_space(disk, len + len / 2);
	say_set(&sample, "/a", "more");
	ck_assert_int_eq(mu_snapfile_write(disk, sample.s, &bytes, &err),
	                 MU_ENOSPACE);
	ck_assert_ptr_nonnull(strstr(err.msg, "snapshot-"));
	assert_loads(old);
	fake_disk_mend(disk);
	fake_disk_space(disk, UINT64_MAX);
	assert_loads(more());
}
END_TEST

/* Whatever the crash leaves: the new one whole, or the old one. */
static void crash_at(unsigned k, uint64_t dice, bool *reached)
{
	struct mu_snapfile_taken taken;
	struct mu_disk *d = disk;
	uint64_t old, new;
	struct mu_store *s;
	struct mu_snapshot_info info;
	int rc;

	disk = fake_disk_new();
	old = more();
	say_set(&sample, "/a", "more");
	new = mu_store_index(sample.s);
	fake_disk_dead_at(disk, k);
	rc = mu_snapfile_take(disk, sample.s, 1, &taken, &err);
	*reached = rc != 0;
	fake_disk_crash(disk, dice);
	ck_assert_int_eq(mu_snapfile_clean(disk, &err), 0);
	ck_assert_msg(load(&s, &info) == 0, "call %u: %s", k, err.msg);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(told.passed, 0);
	ck_assert(info.index == new || (info.index == old && rc));
	ck_assert_uint_le(fake_disk_count(disk), 2);
	mu_store_free(s);
	disk->free(disk);
	disk = d;
}

START_TEST(a_crash_at_any_call_leaves_a_good_one)
{
	bool reached = true;

	for (unsigned k = 0; reached; k++) {
		crash_at(k, 0, &reached);
		crash_at(k, FAKE_LOSE_ALL, &reached);
		for (uint64_t dice = 1; dice < 8; dice++)
			crash_at(k, dice * 7919 + k, &reached);
		ck_assert_uint_lt(k, 1000);
	}
}
END_TEST

START_TEST(unfinished_ones_are_removed_at_start_and_nothing_else_is)
{
	fake_disk_put(disk, "snapshot-00000000000000000042.tmp", "x", 1);
	fake_disk_put(disk, "snapshot-00000000000000000043.tmp", "x", 1);
	fake_disk_put(disk, "journal-00000000000000000001.tmp", "x", 1);
	fake_disk_put(disk, "snapshot-notes.tmp", "x", 1);
	fake_disk_put(disk, "snapshot-00000000000000000042.tmp.tmp", "x", 1);
	more();
	ck_assert_int_eq(mu_snapfile_clean(disk, &err), 0);
	ck_assert_uint_eq(fake_disk_count(disk), 4);
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_LIST), EIO, false);
	ck_assert_int_eq(mu_snapfile_clean(disk, &err), MU_EIO);
}
END_TEST

/* ---- damage ---- */

START_TEST(a_damaged_one_is_passed_over_for_the_one_before_it)
{
	uint64_t first = more(), second = more(), third = more();

	damage(third);
	told.reaches = first;
	assert_loads(second);
	ck_assert_uint_eq(told.passed, 1);
	ck_assert_ptr_nonnull(strstr(told.why, name_of(third)));
	ck_assert_ptr_nonnull(strstr(told.why, "damaged"));
	damage(second);
	assert_loads(first);
	ck_assert_uint_eq(told.passed, 2);
}
END_TEST

START_TEST(an_older_one_is_not_taken_where_the_journal_does_not_reach)
{
	uint64_t first = more(), second = more();
	struct mu_snapshot_info info;
	struct mu_store *s;

	damage(second);
	told.reaches = first + 1;
	ck_assert_int_eq(load(&s, &info), MU_EDATA);
	ck_assert_uint_eq(told.asked, first);
	ck_assert_uint_eq(told.passed, 0);
	ck_assert_ptr_nonnull(strstr(err.msg, name_of(second)));
	ck_assert_ptr_nonnull(strstr(err.msg, "does not reach back to "));
	ck_assert_ptr_nonnull(strstr(err.msg, name_of(first)));
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(the_last_one_is_passed_over_for_a_whole_journal)
{
	uint64_t only = more();
	struct mu_snapshot_info info;
	struct mu_store *s;

	damage(only);
	told.reaches = 1;
	ck_assert_int_eq(load(&s, &info), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "its beginning"));
	told.reaches = 0;
	ck_assert_int_eq(load(&s, &info), 0);
	ck_assert_ptr_null(s);
	ck_assert_uint_eq(told.passed, 1);
}
END_TEST

START_TEST(one_that_cannot_be_read_is_as_one_that_is_damaged)
{
	uint64_t first = more(), second = more();
	unsigned passed = 0;

	told.reaches = 0;
	for (unsigned k = 0; k < 3; k++) {
		fake_disk_fail_at(disk, 0,
		                  FAKE_BIT(k == 0   ? FAKE_OPEN
		                           : k == 1 ? FAKE_SIZE
		                                    : FAKE_READ),
		                  EIO, false);
		assert_loads(first);
		passed += told.passed;
		ck_assert_ptr_nonnull(strstr(told.why, name_of(second)));
	}
	ck_assert_uint_eq(passed, 3);
	fake_disk_mend(disk);
	assert_loads(second);
}
END_TEST

/* Its head says another version, and its checksum is right. */
START_TEST(a_newer_version_stops_at_once)
{
	uint64_t second;
	struct mu_snapshot_info info;
	struct mu_store *s;
	uint8_t *file;
	size_t len;

	more();
	second = more();
	file = fake_disk_file(disk, name_of(second), &len);
	file[8]++;
	mu_snap_put32(file + MU_SNAP_CRC_AT,
	              mu_crc32c(0, file, MU_SNAP_CRC_AT));
	told.reaches = 0;
	ck_assert_int_eq(load(&s, &info), MU_EUNIMPLEMENTED);
	ck_assert_uint_eq(told.passed, 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer muster-broker"));
}
END_TEST

START_TEST(one_under_another_name_is_refused)
{
	uint64_t index = more();

	ck_assert_int_eq(disk->rename(disk, name_of(index),
	                              "snapshot-00000000000000000900"),
	                 0);
	ck_assert_int_eq(mu_snapfile_check(disk, 900, NULL, NULL, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "under its name"));
	config = kit_config(1);
	ck_assert_int_eq(mu_snapfile_check(disk, 900, &config, NULL, &err),
	                 MU_EDATA);
}
END_TEST

START_TEST(a_look_finds_what_is_good_and_what_is_not)
{
	uint64_t index = more();
	struct mu_snapshot_info info;

	config = kit_config(1);
	ck_assert_int_eq(mu_snapfile_check(disk, index, NULL, &info, &err), 0);
	ck_assert_uint_eq(info.index, index);
	ck_assert_int_eq(mu_snapfile_check(disk, index, &config, &info, &err),
	                 0);
	ck_assert_int_eq(mu_snapfile_check(disk, 1, NULL, &info, &err),
	                 MU_ENONODE);
	damage(index);
	ck_assert_int_eq(mu_snapfile_check(disk, index, NULL, &info, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, name_of(index)));
}
END_TEST

/* ---- less of them ---- */

static void assert_list(const uint64_t *want, size_t n)
{
	uint64_t *list;
	size_t count;

	ck_assert_int_eq(mu_snapfile_list(disk, &list, &count, &err), 0);
	ck_assert_uint_eq(count, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(list[i], want[i]);
	mu_free(list);
}

START_TEST(the_newest_are_kept_and_the_oldest_of_them_is_told)
{
	uint64_t a = more(), b = more(), c = more(), oldest = 1;

	assert_list((uint64_t[]){ c, b, a }, 3);
	ck_assert_int_eq(mu_snapfile_purge(disk, 3, &oldest, &err), 0);
	ck_assert_uint_eq(oldest, a);
	ck_assert_int_eq(mu_snapfile_purge(disk, 2, &oldest, &err), 0);
	ck_assert_uint_eq(oldest, b);
	assert_list((uint64_t[]){ c, b }, 2);
	/* too few: the journal before them is still needed */
	ck_assert_int_eq(mu_snapfile_purge(disk, 3, &oldest, &err), 0);
	ck_assert_uint_eq(oldest, 0);
	ck_assert_int_eq(mu_snapfile_purge(disk, 0, &oldest, &err), 0);
	ck_assert_uint_eq(oldest, c);
	assert_list((uint64_t[]){ c }, 1);
	ck_assert_int_eq(disk->unlink(disk, name_of(c)), 0);
	ck_assert_int_eq(mu_snapfile_purge(disk, 2, &oldest, &err), 0);
	ck_assert_uint_eq(oldest, 0);
	assert_list(NULL, 0);
}
END_TEST

START_TEST(what_cannot_be_listed_is_not_purged)
{
	uint64_t *list, oldest;
	size_t count;

	more();
	more();
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_LIST), EIO, false);
	ck_assert_int_eq(mu_snapfile_list(disk, &list, &count, &err), MU_EIO);
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_LIST), EIO, false);
	ck_assert_int_eq(mu_snapfile_purge(disk, 1, &oldest, &err), MU_EIO);
	fake_disk_fail_at(disk, 0, FAKE_BIT(FAKE_UNLINK), EIO, false);
	ck_assert_int_eq(mu_snapfile_purge(disk, 1, &oldest, &err), MU_EIO);
	ck_assert_uint_eq(fake_disk_count(disk), 2);
}
END_TEST

/* ---- taking one ---- */

START_TEST(taking_one_writes_checks_and_removes_the_older)
{
	struct mu_snapfile_taken taken;
	uint64_t b;
	size_t len;

	more();
	b = more();
	say_set(&sample, "/a", "more");
	ck_assert_int_eq(mu_snapfile_take(disk, sample.s, 2, &taken, &err), 0);
	ck_assert_uint_eq(taken.index, mu_store_index(sample.s));
	ck_assert_uint_eq(taken.oldest, b);
	fake_disk_file(disk, name_of(taken.index), &len);
	ck_assert_uint_eq(taken.bytes, len);
	assert_list((uint64_t[]){ taken.index, b }, 2);
}
END_TEST

START_TEST(one_that_is_there_and_good_is_not_written_again)
{
	struct mu_snapfile_taken taken;
	uint64_t index = more();
	unsigned before = fake_disk_calls(disk, FAKE_BIT(FAKE_WRITE));

	ck_assert_int_eq(mu_snapfile_take(disk, sample.s, 2, &taken, &err), 0);
	ck_assert_uint_eq(fake_disk_calls(disk, FAKE_BIT(FAKE_WRITE)), before);
	ck_assert_uint_gt(taken.bytes, 0);
	damage(index);
	ck_assert_int_eq(mu_snapfile_take(disk, sample.s, 2, &taken, &err), 0);
	ck_assert_uint_gt(fake_disk_calls(disk, FAKE_BIT(FAKE_WRITE)), before);
	assert_loads(index);
}
END_TEST

static void flip_while_reading(void *arg, enum fake_op op)
{
	size_t len;
	uint8_t *file;

	(void)arg;
	if (op != FAKE_READ)
		return;
	file = fake_disk_file(disk, name_of(mu_store_index(sample.s)), &len);
	file[len / 2] ^= 1;
	fake_disk_before(disk, NULL, NULL);
}

START_TEST(one_that_does_not_read_back_is_removed_and_the_old_stay)
{
	struct mu_snapfile_taken taken;
	uint64_t a = more(), b = more();

	say_set(&sample, "/a", "more");
	fake_disk_before(disk, flip_while_reading, NULL);
	ck_assert_int_eq(mu_snapfile_take(disk, sample.s, 1, &taken, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "does not read back"));
	assert_list((uint64_t[]){ b, a }, 2);
}
END_TEST

START_TEST(what_a_killed_one_left_makes_room_for_the_next)
{
	struct mu_snapfile_taken taken;
	uint64_t a = more();
	size_t len;
	uint8_t *big;

	fake_disk_file(disk, name_of(a), &len);
	big = calloc(1, len * 2);
	fake_disk_put(disk, "snapshot-00000000000000000001.tmp", big, len * 2);
	free(big);
	fake_disk_space(disk, len * 3);
	say_set(&sample, "/a", "more");
	ck_assert_msg(mu_snapfile_take(disk, sample.s, 2, &taken, &err) == 0,
	              "%s", err.msg);
	ck_assert_uint_eq(fake_disk_count(disk), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapfile");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_name_says_the_index);
	tcase_add_test(tc, what_was_written_is_loaded);
	tcase_add_test(tc, without_a_snapshot_there_is_no_store);
	tcase_add_test(tc, one_of_the_same_index_is_replaced);
	tcase_add_test(tc, progress_is_told_at_least_every_16_MiB);
	tcase_add_test(tc, a_write_cut_short_goes_on);
	tcase_add_test(tc,
	               a_call_that_fails_leaves_the_old_one_and_nothing_else);
	tcase_add_test(tc, a_full_disk_says_so_and_keeps_the_old_one);
	tcase_add_test(tc, a_crash_at_any_call_leaves_a_good_one);
	tcase_add_test(
		tc, unfinished_ones_are_removed_at_start_and_nothing_else_is);
	tcase_add_test(tc, a_damaged_one_is_passed_over_for_the_one_before_it);
	tcase_add_test(
		tc, an_older_one_is_not_taken_where_the_journal_does_not_reach);
	tcase_add_test(tc, the_last_one_is_passed_over_for_a_whole_journal);
	tcase_add_test(tc, one_that_cannot_be_read_is_as_one_that_is_damaged);
	tcase_add_test(tc, a_newer_version_stops_at_once);
	tcase_add_test(tc, one_under_another_name_is_refused);
	tcase_add_test(tc, a_look_finds_what_is_good_and_what_is_not);
	tcase_add_test(tc, the_newest_are_kept_and_the_oldest_of_them_is_told);
	tcase_add_test(tc, what_cannot_be_listed_is_not_purged);
	tcase_add_test(tc, taking_one_writes_checks_and_removes_the_older);
	tcase_add_test(tc, one_that_is_there_and_good_is_not_written_again);
	tcase_add_test(tc,
	               one_that_does_not_read_back_is_removed_and_the_old_stay);
	tcase_add_test(tc, what_a_killed_one_left_makes_room_for_the_next);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
