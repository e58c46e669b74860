/* The chain of segments: what is written comes back, whatever else happens. */
#include "err.h"
#include "logrec.h"
#include "segments_bed.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_mem.c"

#define FIRST "journal-00000000000000000001"

static struct segments_bed b;
static struct mu_segments_found found;
static struct mu_segments_stats stats;
static struct mu_segments_damage damage;

static void setup(void)
{
	bed_init(&b);
}

static void teardown(void)
{
	bed_close(&b);
	ck_assert_uint_eq(fake_disk_descriptors(b.disk), 0);
	bed_fini(&b);
}

static void open_good(uint64_t after)
{
	ck_assert_msg(bed_open(&b, after) == 0, "%s", b.err.msg);
}

static void write_good(unsigned count)
{
	ck_assert_msg(bed_write(&b, count) == 0, "%s", b.err.msg);
}

static void again(uint64_t after)
{
	bed_close(&b);
	fake_disk_crash(b.disk, FAKE_LOSE_ALL);
	open_good(after);
}

static void assert_says(const char *word)
{
	ck_assert_msg(strstr(b.err.msg, word) != NULL, "no '%s' in: %s", word,
	              b.err.msg);
}

static uint64_t segment_count(void)
{
	mu_segments_stats(b.s, &stats);
	return stats.segments;
}

/* The name of the n-th segment, by age. */
static const char *name_of(unsigned n)
{
	static char name[MU_SEGMENT_NAME_MAX];
	unsigned seen = 0;
	size_t len;

	for (unsigned i = 1; i < BED_INDEXES; i++) {
		snprintf(name, sizeof name, "journal-%020u", i);
		if (fake_disk_file(b.disk, name, &len) && seen++ == n)
			return name;
	}
	ck_abort_msg("there is no segment %u", n);
}

/* ---- opening and writing ---- */

START_TEST(an_empty_directory_gives_an_empty_journal_and_stays_empty)
{
	open_good(0);
	ck_assert_uint_eq(mu_segments_durable(b.s), 0);
	ck_assert_uint_eq(fake_disk_count(b.disk), 0);
	mu_segments_found(b.s, &found);
	ck_assert_uint_eq(found.segments, 0);
	ck_assert_uint_eq(found.first, 0);
	ck_assert_int_eq(mu_segments_tree_id(b.s), 42);
}
END_TEST

START_TEST(what_was_written_comes_back_in_order)
{
	open_good(0);
	for (unsigned n = 1; n < 20; n++)
		write_good(n);
	ck_assert_uint_gt(segment_count(), 5);
	again(0);
	ck_assert_uint_eq(b.last, b.durable);
	ck_assert_uint_eq(b.replayed, b.durable);
	mu_segments_found(b.s, &found);
	ck_assert_uint_eq(found.records, b.durable);
	ck_assert_uint_eq(found.first, 1);
	ck_assert_str_eq(found.torn_file, "");
}
END_TEST

START_TEST(only_what_lies_above_after_is_given)
{
	open_good(0);
	write_good(100);
	for (uint64_t after = 0; after <= 100; after++) {
		again(after);
		ck_assert_uint_eq(b.replayed, 100 - after);
		ck_assert_uint_eq(b.last, 100);
	}
}
END_TEST

START_TEST(a_batch_is_one_write_and_one_sync)
{
	unsigned writes, syncs;

	b.config.segment_bytes = 1 << 20;
	open_good(0);
	write_good(1); /* makes the segment, and zeros behind the record */
	for (unsigned n = 1; n < 10; n++) {
		writes = fake_disk_calls(b.disk, FAKE_BIT(FAKE_WRITE));
		syncs = fake_disk_calls(b.disk, FAKE_BIT(FAKE_SYNC));
		write_good(n);
		ck_assert_uint_eq(fake_disk_calls(b.disk, FAKE_BIT(FAKE_WRITE)),
		                  writes + 1);
		ck_assert_uint_eq(fake_disk_calls(b.disk, FAKE_BIT(FAKE_SYNC)),
		                  syncs + 1);
	}
	mu_segments_stats(b.s, &stats);
	ck_assert_uint_eq(stats.writes, 10);
	ck_assert_uint_gt(stats.bytes, 45 * 32);
}
END_TEST

START_TEST(a_segment_has_all_its_room_from_the_start)
{
	size_t len;

	b.config.segment_bytes = 123456;
	open_good(0);
	write_good(1);
	ck_assert_ptr_nonnull(fake_disk_file(b.disk, FIRST, &len));
	ck_assert_uint_eq(len, 123456);
	mu_segments_stats(b.s, &stats);
	ck_assert_uint_eq(stats.disk_bytes, 123456);
}
END_TEST

START_TEST(a_record_larger_than_a_segment_gets_one_of_its_own_size)
{
	const size_t len = 3 * MU_SEGMENT_BYTES_MIN;
	struct mu_buf r = { 0 };
	uint8_t *bytes = calloc(1, len);
	size_t size;

	open_good(0);
	ck_assert_int_eq(mu_log_put(&r, 1, 1, bytes, len), 0);
	ck_assert_int_eq(mu_segments_write(b.s, r.data, r.len, &b.err), 0);
	ck_assert_ptr_nonnull(fake_disk_file(b.disk, FIRST, &size));
	ck_assert_uint_eq(size, MU_LOG_HEAD + mu_log_size(len) + MU_LOG_RECORD);
	write_good(3);
	again(1);
	ck_assert_uint_eq(b.last, 4);
	mu_buf_fini(&r);
	free(bytes);
}
END_TEST

START_TEST(each_start_begins_a_new_segment_and_cuts_the_last)
{
	size_t len;

	open_good(0);
	write_good(2);
	again(0);
	ck_assert_ptr_nonnull(fake_disk_file(b.disk, FIRST, &len));
	ck_assert_uint_lt(len, 500);
	ck_assert_uint_eq(segment_count(), 1);
	write_good(1);
	ck_assert_uint_eq(segment_count(), 2);
	ck_assert_str_eq(name_of(1), "journal-00000000000000000003");
	again(0);
	ck_assert_uint_eq(b.last, 3);
}
END_TEST

START_TEST(starts_without_a_write_make_no_files)
{
	open_good(0);
	write_good(2);
	for (int n = 0; n < 5; n++)
		again(0);
	ck_assert_uint_eq(segment_count(), 1);
	ck_assert_uint_eq(fake_disk_count(b.disk), 1);
}
END_TEST

START_TEST(an_empty_segment_gives_its_name_to_the_next)
{
	open_good(0);
	ck_assert_int_eq(mu_segments_mend(b.s, &b.err), 0); /* makes one */
	ck_assert_uint_eq(segment_count(), 1);
	again(0);
	write_good(3);
	ck_assert_uint_eq(segment_count(), 1);
	again(0);
	ck_assert_uint_eq(b.last, 3);
}
END_TEST

START_TEST(a_finished_segment_is_cut_and_the_next_write_begins_another)
{
	size_t len;

	open_good(0);
	write_good(2);
	ck_assert_int_eq(mu_segments_finish(b.s, &b.err), 0);
	ck_assert_ptr_nonnull(fake_disk_file(b.disk, FIRST, &len));
	ck_assert_uint_lt(len, 500);
	write_good(1);
	ck_assert_uint_eq(segment_count(), 2);
	again(0);
	ck_assert_uint_eq(b.last, 3);
}
END_TEST

START_TEST(unfinished_files_are_removed_and_strangers_left_alone)
{
	fake_disk_put(b.disk, FIRST ".tmp", "x", 1);
	fake_disk_put(b.disk, "journal-2", "x", 1);
	fake_disk_put(b.disk, FIRST ".old", "x", 1);
	fake_disk_put(b.disk, "journal-99999999999999999999", "x", 1);
	fake_disk_put(b.disk, "epoch", "x", 1);
	fake_disk_put(b.disk, "snapshot-1.tmp", "x", 1);
	open_good(0);
	ck_assert_uint_eq(fake_disk_count(b.disk), 5);
}
END_TEST

START_TEST(to_look_changes_nothing)
{
	unsigned writes;
	size_t len;

	open_good(0);
	write_good(3);
	bed_close(&b);
	fake_disk_put(b.disk, FIRST ".tmp", "x", 1);
	writes = fake_disk_calls(b.disk, FAKE_BIT(FAKE_WRITE) |
	                                         FAKE_BIT(FAKE_TRUNCATE) |
	                                         FAKE_BIT(FAKE_SYNC));
	b.config.look_only = true;
	open_good(0);
	ck_assert_uint_eq(b.last, 3);
	ck_assert_uint_eq(
		fake_disk_calls(b.disk, FAKE_BIT(FAKE_WRITE) |
	                                        FAKE_BIT(FAKE_TRUNCATE) |
	                                        FAKE_BIT(FAKE_SYNC)),
		writes);
	ck_assert_uint_eq(fake_disk_count(b.disk), 2);
	fake_disk_file(b.disk, FIRST, &len);
	ck_assert_uint_eq(len, MU_SEGMENT_BYTES_MIN);
}
END_TEST

START_TEST(the_tree_id_is_that_of_the_files)
{
	open_good(0);
	write_good(1);
	bed_close(&b);
	b.config.tree_id = 0;
	open_good(0);
	ck_assert_int_eq(mu_segments_tree_id(b.s), 42);
	bed_close(&b);
	b.config.tree_id = 43;
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	ck_assert_ptr_null(b.s);
	assert_says(FIRST);
	assert_says("another tree");
}
END_TEST

START_TEST(a_tree_id_may_be_given_before_the_first_write)
{
	b.config.tree_id = 0;
	open_good(0);
	ck_assert_int_eq(mu_segments_tree_id(b.s), 0);
	mu_segments_set_tree_id(b.s, -9);
	write_good(1);
	again(0);
	ck_assert_int_eq(mu_segments_tree_id(b.s), -9);
}
END_TEST

static void on_progress(void *arg, uint64_t done, uint64_t all)
{
	uint64_t *seen = arg;

	ck_assert_uint_le(seen[0], done);
	ck_assert_uint_le(done, all);
	seen[0] = done;
	seen[1] = all;
	seen[2]++;
}

START_TEST(progress_is_told_up_to_all)
{
	uint64_t seen[3] = { 0 };

	open_good(0);
	write_good(200);
	b.config.progress = on_progress;
	b.config.progress_arg = seen;
	again(0);
	ck_assert_uint_gt(seen[2], 3);
	ck_assert_uint_eq(seen[0], seen[1]);
}
END_TEST

static int say_no(void *arg, uint64_t index, const void *p, size_t len,
                  struct mu_err *err)
{
	(void)arg, (void)p, (void)len;
	return index == 3 ? mu_err(err, MU_EPROTO, "not that one") : 0;
}

START_TEST(what_each_says_ends_the_replay)
{
	open_good(0);
	write_good(5);
	bed_close(&b);
	ck_assert_int_eq(mu_segments_open(b.disk, &b.config, &b.s, &b.err), 0);
	ck_assert_int_eq(mu_segments_replay(b.s, 0, say_no, NULL, &b.err),
	                 MU_EPROTO);
	assert_says("not that one");
	ck_assert(!mu_segments_damage(b.s, &damage));
}
END_TEST

START_TEST(a_write_that_is_not_the_next_is_a_bug)
{
	struct mu_buf r = { 0 };

	open_good(0);
	fclose(stderr);
	mu_log_put(&r, 1, 2, "a", 1);
	mu_segments_write(b.s, r.data, r.len, &b.err);
}
END_TEST

/* ---- a snapshot before the journal, and none ---- */

START_TEST(a_journal_that_begins_too_late_is_refused)
{
	open_good(50);
	write_good(3);
	bed_close(&b);
	ck_assert_int_eq(bed_open(&b, 49), MU_EDATA);
	assert_says("begins with index 51");
	assert_says("from 50 on");
	ck_assert(!mu_segments_damage(b.s, &damage));
	bed_close(&b);
	open_good(50);
	ck_assert_uint_eq(b.last, 53);
}
END_TEST

START_TEST(a_snapshot_that_is_ahead_of_the_journal_is_gone_on_from)
{
	open_good(0);
	write_good(5);
	again(20);
	ck_assert_uint_eq(b.replayed, 0);
	write_good(2);
	ck_assert_str_eq(name_of(1), "journal-00000000000000000021");
	again(20);
	ck_assert_uint_eq(b.last, 22);
	bed_close(&b);
	ck_assert_int_eq(bed_open(&b, 3), MU_EDATA); /* 6 to 20 are missing */
	assert_says("ends with index 5");
	assert_says("begins with 21");
}
END_TEST

/* ---- purge ---- */

START_TEST(purge_removes_whole_segments_and_never_the_last)
{
	uint64_t before;

	open_good(0);
	for (int n = 0; n < 40; n++)
		write_good(3);
	before = segment_count();
	for (uint64_t upto = 0; upto <= 119; upto++) {
		ck_assert_int_eq(mu_segments_purge(b.s, upto, &b.err), 0);
		segment_count();
		ck_assert_uint_le(stats.first, upto + 1);
	}
	ck_assert_int_eq(mu_segments_purge(b.s, UINT64_MAX - 1, &b.err), 0);
	ck_assert_uint_gt(before, 5);
	ck_assert_uint_eq(segment_count(), 1);
	ck_assert_uint_eq(fake_disk_count(b.disk), 1);
	again(119);
	ck_assert_uint_eq(b.last, 120);
	write_good(3);
}
END_TEST

START_TEST(a_purge_that_fails_keeps_the_rest_in_order)
{
	open_good(0);
	for (int n = 0; n < 40; n++)
		write_good(3);
	fake_disk_fail_at(b.disk, 2, FAKE_BIT(FAKE_UNLINK), EIO, false);
	ck_assert_int_eq(mu_segments_purge(b.s, 120, &b.err), MU_EIO);
	segment_count();
	write_good(1);
	again(stats.first - 1);
	ck_assert_uint_eq(b.last, 121);
	ck_assert_int_eq(mu_segments_purge(b.s, 120, &b.err), 0);
	ck_assert_uint_le(segment_count(), 2);
}
END_TEST

/* ---- damage ---- */

START_TEST(a_torn_tail_of_the_last_segment_is_cut_and_told)
{
	size_t len;

	b.config.segment_bytes = 1 << 16;
	open_good(0);
	write_good(4);
	write_good(1);
	bed_close(&b);
	fake_disk_file(b.disk, FIRST, &len)[800] ^= 1; /* in the fifth */
	open_good(0);
	ck_assert_uint_eq(b.last, 4);
	mu_segments_found(b.s, &found);
	ck_assert_str_eq(found.torn_file, FIRST);
	ck_assert_uint_eq(found.torn_index, 5);
	ck_assert_uint_gt(found.torn_bytes, 0);
	write_good(1);
	again(0);
	ck_assert_uint_eq(b.last, 5);
	ck_assert_uint_eq(b.found[5], b.wrote[5]);
	mu_segments_found(b.s, &found);
	ck_assert_str_eq(found.torn_file, "");
}
END_TEST

/* Each bit of every segment: what a later record knew to be durable is never
 * taken for a torn tail, and nothing else is ever believed. */
START_TEST(no_flipped_bit_is_believed)
{
	unsigned bad = 0, torn = 0;

	open_good(0);
	for (int n = 0; n < 12; n++)
		write_good(3);
	ck_assert_uint_eq(segment_count(), 2);
	bed_close(&b);
	for (unsigned n = 0; n < 2; n++) {
		char name[MU_SEGMENT_NAME_MAX];
		size_t len;

		strcpy(name, name_of(n));
		fake_disk_file(b.disk, name, &len);
		for (size_t i = 0; i<len * 8; i += i> 1024 ? 13u : 1u) {
			struct mu_disk *whole = b.disk;
			int rc;

			b.disk = fake_disk_copy(whole);
			fake_disk_file(b.disk, name, &len)[i / 8] ^=
				(uint8_t)(1 << i % 8);
			rc = bed_open(&b, 0);
			if (rc == 0 && b.last < 36) {
				ck_assert_uint_ge(b.last, 33);
				ck_assert_uint_eq(n, 1);
				torn++;
			}
			if (rc) {
				ck_assert_int_eq(rc, MU_EDATA);
				assert_says(name);
				bad++;
			}
			bed_close(&b);
			b.disk->free(b.disk);
			b.disk = whole;
		}
	}
	ck_assert_uint_gt(bad, 1000);
	ck_assert_uint_gt(torn, 100);
}
END_TEST

START_TEST(after_an_orderly_end_not_even_the_last_batch_is_taken_for_torn)
{
	size_t len;

	open_good(0);
	write_good(3);
	ck_assert_int_eq(mu_segments_finish(b.s, &b.err), 0);
	bed_close(&b);
	fake_disk_file(b.disk, FIRST, &len);
	for (size_t i = MU_LOG_HEAD * 8; i < (len - MU_LOG_RECORD) * 8; i++) {
		fake_disk_file(b.disk, FIRST, &len)[i / 8] ^=
			(uint8_t)(1 << i % 8);
		ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
		bed_close(&b);
		fake_disk_file(b.disk, FIRST, &len)[i / 8] ^=
			(uint8_t)(1 << i % 8);
	}
	open_good(0);
	ck_assert_uint_eq(b.last, 3);
}
END_TEST

START_TEST(cut_at_each_byte_the_last_segment_gives_what_is_whole)
{
	size_t used = MU_LOG_HEAD;
	uint8_t bytes[512];

	open_good(0);
	write_good(9); /* one batch: nothing in it is proof of anything */
	for (uint64_t i = 1; i <= 9; i++)
		used += mu_log_size(bed_command(i, 1, bytes));
	ck_assert_uint_eq(segment_count(), 1);
	bed_close(&b);
	for (size_t len = MU_LOG_HEAD; len <= used; len++) {
		struct mu_disk *whole = b.disk;
		size_t end = MU_LOG_HEAD;

		b.disk = fake_disk_copy(whole);
		fake_disk_cut(b.disk, FIRST, len);
		open_good(0);
		for (uint64_t i = 1; i <= b.last; i++)
			end += mu_log_size(bed_command(i, 1, bytes));
		ck_assert_uint_le(end, len);
		ck_assert_uint_gt(
			end + mu_log_size(bed_command(b.last + 1, 1, bytes)),
			len);
		write_good(1);
		again(0);
		ck_assert_uint_eq(b.last, b.durable);
		bed_close(&b);
		b.disk->free(b.disk);
		b.disk = whole;
	}
}
END_TEST

START_TEST(a_file_shorter_than_a_head_is_damage)
{
	open_good(0);
	write_good(1);
	bed_close(&b);
	for (size_t len = 0; len < MU_LOG_HEAD; len++) {
		fake_disk_cut(b.disk, FIRST, len);
		ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
		assert_says("offset 0, index 1");
		bed_close(&b);
	}
}
END_TEST

START_TEST(a_newer_version_is_refused_and_no_repair_offered)
{
	size_t len;

	open_good(0);
	write_good(1);
	bed_close(&b);
	fake_disk_file(b.disk, FIRST, &len)[8] = 9;
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	assert_says("newer muster-broker (format 9");
	ck_assert_ptr_null(b.s);
}
END_TEST

START_TEST(a_missing_segment_is_a_gap)
{
	open_good(0);
	for (int n = 0; n < 40; n++)
		write_good(3);
	ck_assert_uint_gt(segment_count(), 4);
	ck_assert_int_eq(b.disk->unlink(b.disk, name_of(2)), 0);
	bed_close(&b);
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	assert_says("commands are missing");
	assert_says("--repair");
	ck_assert(mu_segments_damage(b.s, &damage));
	ck_assert_uint_eq(damage.last, 120);
	ck_assert_uint_eq(damage.files, stats.segments - 3);
	ck_assert_uint_lt(damage.records, 120);
}
END_TEST

/* ---- repair ---- */

static void damage_at(unsigned segment, size_t offset)
{
	size_t len;

	fake_disk_file(b.disk, name_of(segment), &len)[offset] ^= 1;
}

START_TEST(repair_tells_what_is_lost_and_cuts_there)
{
	unsigned files;

	open_good(0);
	for (int n = 0; n < 40; n++)
		write_good(3);
	files = (unsigned)segment_count();
	bed_close(&b);
	damage_at(2, 1000);
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	ck_assert(mu_segments_damage(b.s, &damage));
	ck_assert_str_eq(damage.file, name_of(2));
	ck_assert_uint_eq(damage.index, b.last + 1);
	ck_assert_uint_eq(damage.files, files - 3);
	ck_assert_uint_eq(damage.last, 120);
	ck_assert_uint_eq(damage.records, 120 - damage.index);
	ck_assert_msg(mu_segments_repair(b.s, &b.err) == 0, "%s", b.err.msg);
	ck_assert_uint_eq(fake_disk_count(b.disk), files + 1);
	again(0);
	ck_assert_uint_eq(b.last, damage.index - 1);
	ck_assert_uint_eq(segment_count(), 3);
	write_good(5);
	again(0);
	ck_assert_uint_eq(b.last, damage.index + 4);
}
END_TEST

START_TEST(repair_of_a_damaged_head_leaves_an_empty_segment)
{
	open_good(0);
	for (int n = 0; n < 20; n++)
		write_good(3);
	bed_close(&b);
	damage_at(1, 20);
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	ck_assert(mu_segments_damage(b.s, &damage));
	ck_assert_uint_eq(damage.offset, 0);
	ck_assert_uint_eq(damage.last, 60);
	ck_assert_uint_eq(damage.records, 60 - damage.index + 1);
	ck_assert_int_eq(mu_segments_repair(b.s, &b.err), 0);
	again(0);
	ck_assert_uint_eq(b.last, damage.index - 1);
	write_good(2);
	again(0);
	ck_assert_uint_eq(b.last, damage.index + 1);
}
END_TEST

START_TEST(repair_of_the_only_head_leaves_nothing)
{
	b.config.tree_id = 7;
	open_good(0);
	write_good(3);
	bed_close(&b);
	damage_at(0, 20);
	b.config.tree_id = 0;
	ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
	ck_assert(mu_segments_damage(b.s, &damage));
	ck_assert_uint_eq(damage.records, 3);
	ck_assert_int_eq(mu_segments_repair(b.s, &b.err), 0);
	again(0);
	ck_assert_uint_eq(b.last, 0);
	ck_assert_uint_eq(segment_count(), 0);
	ck_assert_int_eq(mu_segments_tree_id(b.s), 0);
	ck_assert_uint_eq(fake_disk_count(b.disk), 1);
}
END_TEST

START_TEST(repair_may_be_ended_anywhere_and_done_again)
{
	bool came = true;

	open_good(0);
	for (int n = 0; n < 20; n++)
		write_good(3);
	bed_close(&b);
	damage_at(1, 1000);
	for (unsigned k = 0; came; k++) {
		struct mu_disk *whole = b.disk;
		uint64_t index;

		b.disk = fake_disk_copy(whole);
		ck_assert_int_eq(bed_open(&b, 0), MU_EDATA);
		ck_assert(mu_segments_damage(b.s, &damage));
		index = damage.index;
		fake_disk_dead_at(b.disk, k);
		mu_segments_repair(b.s, &b.err);
		came = fake_disk_mend(b.disk);
		bed_close(&b);
		fake_disk_crash(b.disk, k + 1);
		if (bed_open(&b, 0) == MU_EDATA) {
			ck_assert(mu_segments_damage(b.s, &damage));
			ck_assert_uint_eq(damage.index, index);
			ck_assert_int_eq(mu_segments_repair(b.s, &b.err), 0);
		}
		again(0);
		ck_assert_uint_eq(b.last, index - 1);
		bed_close(&b);
		b.disk->free(b.disk);
		b.disk = whole;
	}
}
END_TEST

START_TEST(without_memory_nothing_is_lost)
{
	unsigned k = 0;
	int rc;

	open_good(0);
	write_good(100);
	bed_close(&b);
	do {
		fault_alloc_at(k++);
		rc = bed_open(&b, 0);
		if (fault_alloc_off())
			ck_assert_int_eq(rc, MU_ENOMEM);
		if (rc)
			bed_close(&b);
	} while (rc);
	ck_assert_uint_gt(k, 3);
	ck_assert_uint_eq(b.last, 100);
	for (int n = 0; n < 30; n++) {
		struct mu_buf r = { 0 };
		uint64_t next = mu_segments_durable(b.s) + 1;
		uint8_t bytes[512];
		size_t len = bed_command(next, 1, bytes);

		ck_assert_int_eq(mu_log_put(&r, 1, next, bytes, len), 0);
		fault_alloc_at(0);
		rc = mu_segments_write(b.s, r.data, r.len, &b.err);
		if (fault_alloc_off())
			ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert_uint_eq(mu_segments_durable(b.s),
		                  rc ? next - 1 : next);
		mu_buf_fini(&r);
	}
	ck_assert_uint_gt(mu_segments_durable(b.s), 120);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("segments");
	TCase *t = tcase_create("segments");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(
		t, an_empty_directory_gives_an_empty_journal_and_stays_empty);
	tcase_add_test(t, what_was_written_comes_back_in_order);
	tcase_add_test(t, only_what_lies_above_after_is_given);
	tcase_add_test(t, a_batch_is_one_write_and_one_sync);
	tcase_add_test(t, a_segment_has_all_its_room_from_the_start);
	tcase_add_test(t,
	               a_record_larger_than_a_segment_gets_one_of_its_own_size);
	tcase_add_test(t, each_start_begins_a_new_segment_and_cuts_the_last);
	tcase_add_test(t, starts_without_a_write_make_no_files);
	tcase_add_test(t, an_empty_segment_gives_its_name_to_the_next);
	tcase_add_test(
		t, a_finished_segment_is_cut_and_the_next_write_begins_another);
	tcase_add_test(t,
	               unfinished_files_are_removed_and_strangers_left_alone);
	tcase_add_test(t, to_look_changes_nothing);
	tcase_add_test(t, the_tree_id_is_that_of_the_files);
	tcase_add_test(t, a_tree_id_may_be_given_before_the_first_write);
	tcase_add_test(t, progress_is_told_up_to_all);
	tcase_add_test(t, what_each_says_ends_the_replay);
	tcase_add_test_raise_signal(t, a_write_that_is_not_the_next_is_a_bug,
	                            SIGABRT);
	tcase_add_test(t, a_journal_that_begins_too_late_is_refused);
	tcase_add_test(t,
	               a_snapshot_that_is_ahead_of_the_journal_is_gone_on_from);
	tcase_add_test(t, purge_removes_whole_segments_and_never_the_last);
	tcase_add_test(t, a_purge_that_fails_keeps_the_rest_in_order);
	tcase_add_test(t, a_torn_tail_of_the_last_segment_is_cut_and_told);
	tcase_add_test(t, no_flipped_bit_is_believed);
	tcase_add_test(
		t,
		after_an_orderly_end_not_even_the_last_batch_is_taken_for_torn);
	tcase_add_test(t,
	               cut_at_each_byte_the_last_segment_gives_what_is_whole);
	tcase_add_test(t, a_file_shorter_than_a_head_is_damage);
	tcase_add_test(t, a_newer_version_is_refused_and_no_repair_offered);
	tcase_add_test(t, a_missing_segment_is_a_gap);
	tcase_add_test(t, repair_tells_what_is_lost_and_cuts_there);
	tcase_add_test(t, repair_of_a_damaged_head_leaves_an_empty_segment);
	tcase_add_test(t, repair_of_the_only_head_leaves_nothing);
	tcase_add_test(t, repair_may_be_ended_anywhere_and_done_again);
	tcase_add_test(t, without_memory_nothing_is_lost);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
