/* Disks that are full, read-only, broken, or lied to: what the broker still does,
 * what it says, and what is there after the next start. */
#include "crash_bed.h"
#include "crash_writer.h"
#include "logrec.h"

#include <muster/client.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL \
	"journal_segment_bytes = 65536;\n" \
	"snapshot_interval_s = 0;\n"
#define SHORT_TIMEOUT_MS 1500u

static struct crash_bed bed;
static struct crash_writer w;

static void check_well(const char *doing)
{
	ck_assert_msg(!w.why[0], "%s: %s", doing, w.why);
}

static void start(void)
{
	ck_assert_msg(crash_bed_start(&bed), "the broker did not start");
}

/* A broker with something in it, and writers that are attached. */
static void open_all(const char *more)
{
	crash_bed_open(&bed, true, false, more);
	start();
	crash_writer_open(&w, bed.k.ipc, 7);
	crash_writer_connect(&w, &bed.k.broker);
	crash_writer_run(&w, &bed.k.broker, 120, 0);
	check_well("before");
}

static void close_all(void)
{
	crash_writer_close(&w);
	crash_bed_close(&bed);
}

/* Start again and look at everything. */
static void again_all_is_well(void)
{
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	start();
	crash_writer_connect(&w, &bed.k.broker);
	check_well("resumed");
	crash_writer_check(&w, &bed.k.broker);
	check_well("looked at");
	w.may_refuse = false;
	crash_writer_run(&w, &bed.k.broker, 60, 0);
	check_well("written to");
	crash_writer_check(&w, &bed.k.broker);
	check_well("looked at again");
}

static bool log_has(const char *text)
{
	return file_has(bed.k.log, text);
}

static void check_log(const char *text)
{
	ck_assert_msg(file_comes_to_have(bed.k.log, text, WAIT_MS),
	              "no \"%s\" in the log", text);
}

/* ---- another client, with a short timeout --------------------------------------- */

struct other {
	struct mu_client *c;
	bool expired;
	unsigned events;
};

static void on_state(struct mu_client *c, enum mu_client_state state, int why,
                     void *arg)
{
	(void)c, (void)why;
	if (state == MU_CLIENT_EXPIRED)
		((struct other *)arg)->expired = true;
}

static void on_event(struct mu_client *c, const struct mu_watch_event *e,
                     void *arg)
{
	(void)c, (void)e;
	((struct other *)arg)->events++;
}

static void other_open(struct other *o)
{
	struct mu_client_options how = { .size = sizeof how,
		                         .brokers = bed.k.ipc,
		                         .timeout_ms = SHORT_TIMEOUT_MS,
		                         .on_state = on_state,
		                         .on_event = on_event,
		                         .arg = o };
	struct mu_err err;

	memset(o, 0, sizeof *o);
	ck_assert_int_eq(mu_client_new(&how, &o->c, &err), 0);
	ck_assert_msg(mu_client_wait(o->c, WAIT_MS, &err) == 0, "%s", err.msg);
}

static int set(struct other *o, const char *path, const char *text)
{
	return mu_client_set_sync(o->c, path, text, (int32_t)strlen(text), -1,
	                          NULL, WAIT_MS, NULL);
}

static bool can_write(void *arg)
{
	return set(arg, "/other", "again") == 0;
}

/* ---- no space, and the like ----------------------------------------------------------- */

static const struct {
	int error, code;
	uint32_t mask;
} troubles[] = {
	{ ENOSPC, MU_ENOSPACE, CRASH_GROWS },
	{ EDQUOT, MU_ENOSPACE, CRASH_GROWS },
	{ EROFS, MU_ENOSPACE, CRASH_CHANGES },
	{ EIO, MU_EIO, CRASH_CHANGES },
};

/* Longer than the session's timeout: it is kept by what it reads and by pings. */
static void read_for_two_timeouts(struct other *o)
{
	const int64_t until = now_ms() + 2 * SHORT_TIMEOUT_MS;
	struct mu_value v;

	while (now_ms() < until) {
		ck_assert_int_eq(
			mu_client_get_sync(o->c, "/other", &v, WAIT_MS, NULL),
			0);
		ck_assert_int_eq(v.len, 5);
		mu_value_free(&v);
	}
	ck_assert(!o->expired);
}

START_TEST(writes_are_refused_while_all_else_goes_on)
{
	struct other o;
	struct mu_stat st;

	open_all(SMALL);
	other_open(&o);
	ck_assert_int_eq(mu_client_create_sync(o.c, "/other", "first", 5, 0,
	                                       NULL, 0, WAIT_MS, NULL),
	                 0);
	ck_assert_int_eq(mu_client_create_sync(o.c, "/alive", NULL, -1,
	                                       MU_CREATE_EPHEMERAL, NULL, 0,
	                                       WAIT_MS, NULL),
	                 0);
	crash_now(&bed.c, CRASH_FAIL, troubles[_i].mask, troubles[_i].error);
	w.may_refuse = true;
	ck_assert_int_eq(mu_client_add_watch_sync(o.c, "/other",
	                                          MU_ADDWATCH_PERSISTENT,
	                                          WAIT_MS, NULL),
	                 0);
	ck_assert_int_eq(set(&o, "/other", "never"), troubles[_i].code);
	crash_writer_run(&w, &bed.k.broker, 100, 0);
	check_well("in trouble");
	ck_assert_uint_gt(w.refusals, 0);
	ck_assert_int_eq(w.last_refusal, troubles[_i].code);
	crash_writer_check(&w, &bed.k.broker);
	check_well("read in trouble");
	read_for_two_timeouts(&o);
	ck_assert_uint_eq(o.events, 0);
	/* Space is back: nobody restarts anything. */
	crash_now(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert(wait_for(can_write, &o, WAIT_MS));
	ck_assert_uint_ge(o.events, 1);
	ck_assert_int_eq(
		mu_client_exists_sync(o.c, "/alive", &st, WAIT_MS, NULL), 0);
	w.may_refuse = false;
	crash_writer_run(&w, &bed.k.broker, 100, 0);
	check_well("after the trouble");
	ck_assert_uint_gt(w.acks, 0);
	mu_client_free(o.c);
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL), 128 + SIGKILL);
	again_all_is_well();
	close_all();
}
END_TEST

/* What was refused is not there after the next start either, whenever the broker
 * dies and whatever the disk has of it. */
START_TEST(what_was_refused_stays_so_over_a_crash_in_the_trouble)
{
	struct dice d = { (uint64_t)_i };

	open_all(SMALL);
	for (int round = 0; round < 4; round++) {
		crash_now(&bed.c, CRASH_FAIL,
		          round % 2 ? CRASH_GROWS : CRASH_CHANGES,
		          troubles[_i].error);
		w.may_refuse = true;
		crash_writer_run(&w, &bed.k.broker, 40, 0);
		check_well("in trouble");
		ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL),
		                 128 + SIGKILL);
		if (round > 1)
			crash_lose_power(&bed.c, dice(&d));
		again_all_is_well();
	}
	close_all();
}
END_TEST

/* Only what makes files grow is refused: there is room in the segment, until there
 * is none. */
START_TEST(a_disk_that_fills_up_between_segments)
{
	open_all(SMALL);
	crash_now(&bed.c, CRASH_FAIL,
	          CRASH_BIT(CRASH_OPEN) | CRASH_BIT(CRASH_ALLOCATE), ENOSPC);
	w.may_refuse = true;
	for (int i = 0; i < 20 && w.refusals == 0; i++)
		crash_writer_run(&w, &bed.k.broker, 100, 0);
	check_well("filling");
	ck_assert_int_eq(w.last_refusal, MU_ENOSPACE);
	crash_now(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	for (int i = 0; i < 1000 && w.acks == 0; i++)
		crash_writer_run(&w, &bed.k.broker, 10, 0);
	check_well("after it");
	ck_assert_uint_gt(w.acks, 0);
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL), 128 + SIGKILL);
	again_all_is_well();
	close_all();
}
END_TEST

/* The dead are found when their end can be written. */
START_TEST(a_session_that_dies_in_the_trouble_ends_after_it)
{
	struct other o, eye;
	struct mu_stat st;

	open_all(SMALL);
	other_open(&o);
	other_open(&eye);
	ck_assert_int_eq(mu_client_create_sync(o.c, "/mortal", NULL, -1,
	                                       MU_CREATE_EPHEMERAL, NULL, 0,
	                                       WAIT_MS, NULL),
	                 0);
	ck_assert_int_eq(mu_client_create_sync(eye.c, "/other", "first", 5, 0,
	                                       NULL, 0, WAIT_MS, NULL),
	                 0);
	crash_now(&bed.c, CRASH_FAIL, CRASH_GROWS, ENOSPC);
	ck_assert_int_eq(set(&eye, "/other", "never"), MU_ENOSPACE);
	mu_client_free(o.c);
	read_for_two_timeouts(&eye);
	ck_assert_int_eq(
		mu_client_exists_sync(eye.c, "/mortal", &st, WAIT_MS, NULL), 0);
	crash_now(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	for (int64_t until = now_ms() + WAIT_MS;
	     mu_client_exists_sync(eye.c, "/mortal", &st, WAIT_MS, NULL) == 0;)
		ck_assert_int_lt(now_ms(), until);
	mu_client_free(eye.c);
	close_all();
}
END_TEST

/* Where nothing can be written there is no start, and a sentence. */
START_TEST(a_start_without_room_says_so)
{
	crash_bed_open(&bed, false, false, SMALL);
	crash_now(&bed.c, CRASH_FAIL, troubles[_i].mask, troubles[_i].error);
	ck_assert(!crash_bed_start(&bed));
	ck_assert_int_eq(crash_bed_end(&bed), 1);
	ck_assert(log_has(strerror(troubles[_i].error)));
	ck_assert(log_has(bed.data));
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	start();
	crash_bed_close(&bed);
}
END_TEST

/* ---- writes that are cut short ------------------------------------------------------------- */

START_TEST(short_writes_damage_nothing)
{
	open_all(SMALL);
	w.may_refuse = true;
	for (uint32_t bytes = 1; bytes < 4000; bytes = bytes * 3 + 1) {
		crash_now(&bed.c, CRASH_SHORT, CRASH_BIT(CRASH_WRITE), 0);
		bed.c.plan->bytes = bytes;
		crash_writer_run(&w, &bed.k.broker, 60, 0);
		check_well("written short");
		ck_assert_uint_gt(bed.c.plan->hits, 0);
	}
	crash_writer_check(&w, &bed.k.broker);
	check_well("read");
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL), 128 + SIGKILL);
	again_all_is_well();
	close_all();
}
END_TEST

/* ---- a sync that fails ------------------------------------------------------------------------ */

/* The file's or the directory's, the k-th; then the power goes, or does not. */
START_TEST(a_failed_sync_ends_the_broker_and_nothing_is_lost)
{
	const uint32_t mask =
		_i % 2 ? CRASH_BIT(CRASH_SYNC) : CRASH_BIT(CRASH_SYNC_DIR);
	struct dice d = { (uint64_t)_i };

	open_all(SMALL);
	w.may_refuse = true;
	for (int round = 0; round < 3; round++) {
		crash_now(&bed.c, CRASH_FAIL, mask, EIO);
		bed.c.plan->lasts = 0;
		bed.c.plan->at = dice_below(&d, _i % 2 ? 4 : 2);
		for (int i = 0;
		     i < 50 && crash_writer_run(&w, &bed.k.broker, 100, 0); i++)
			continue;
		check_well("failing");
		ck_assert_int_eq(crash_bed_end(&bed), 1);
		ck_assert_uint_eq(bed.c.plan->hits, 1);
		check_log("the broker must stop");
		check_log("fdatasync");
		if (round > 0)
			crash_lose_power(&bed.c, dice(&d));
		again_all_is_well();
	}
	close_all();
}
END_TEST

/* ---- damaged files -------------------------------------------------------------------------- */

static char names[64][64];

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The files whose names begin so, in order; none that is being written, or was when
 * the broker ended. */
static size_t files_of(const char *start_of_name)
{
	DIR *d = opendir(bed.data);
	size_t count = 0;

	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) && count < 64;)
		if (strncmp(e->d_name, start_of_name, strlen(start_of_name)) ==
		            0 &&
		    !strstr(e->d_name, ".tmp"))
			snprintf(names[count++], sizeof names[0], "%.63s",
			         e->d_name);
	closedir(d);
	qsort(names, count, sizeof names[0], by_name);
	return count;
}

static void path_in_data(char out[256], const char *name)
{
	snprintf(out, 256, "%.180s/%.64s", bed.data, name);
}

static void xor_byte(const char *name, off_t at, uint8_t with)
{
	char path[256];
	uint8_t byte;
	int fd;

	path_in_data(path, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= with;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static off_t size_of(const char *name)
{
	char path[256];
	struct stat st;

	path_in_data(path, name);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/* It does not start, and says all of these. */
static void check_refuses(const char *a, const char *b, const char *c)
{
	unlink(bed.k.log);
	ck_assert(!crash_bed_start(&bed));
	ck_assert_int_eq(crash_bed_end(&bed), 1);
	check_log(a);
	check_log(b);
	check_log(c);
}

static void stop_broker(void)
{
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGTERM), 0);
	crash_arm(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
}

/* In the first segment, and in the last one's beginning: that was durable. */
START_TEST(a_flipped_bit_in_the_journal_stops_the_start)
{
	char whole[64];
	size_t count;
	off_t at, end;

	open_all(SMALL);
	do {
		crash_writer_run(&w, &bed.k.broker, 60, 0);
		check_well("filled");
		count = files_of("journal-");
	} while (count < 3);
	crash_writer_run(&w, &bed.k.broker, 60, 0);
	stop_broker();
	count = files_of("journal-");
	ck_assert_uint_ge(count, 2);
	strcpy(whole, names[_i % 2 ? count - 1 : 0]);
	/* In the head of the first record, in its bytes; further on, but not in
	 * the mark at the end. */
	end = size_of(whole) - (off_t)MU_LOG_RECORD;
	ck_assert_int_gt(end, 2000);
	for (at = MU_LOG_HEAD + 1; at < end && at < 6000; at += 977) {
		xor_byte(whole, at, 0x10);
		check_refuses(whole, "offset", "--repair");
		xor_byte(whole, at, 0x10);
	}
	again_all_is_well();
	close_all();
}
END_TEST

START_TEST(a_damaged_head_of_a_segment_stops_the_start)
{
	open_all(SMALL);
	for (int i = 0; i < 4; i++)
		crash_writer_run(&w, &bed.k.broker, 120, 0);
	stop_broker();
	ck_assert_uint_ge(files_of("journal-"), 2);
	xor_byte(names[0], 24, 1);
	check_refuses(names[0], "damaged head", "--repair");
	xor_byte(names[0], 24, 1);
	/* Its version lies behind the magic. */
	xor_byte(names[0], 8, MU_LOG_VERSION ^ (MU_LOG_VERSION + 1));
	check_refuses(names[0], "newer muster-broker", "install that version");
	xor_byte(names[0], 8, MU_LOG_VERSION ^ (MU_LOG_VERSION + 1));
	again_all_is_well();
	close_all();
}
END_TEST

START_TEST(a_missing_segment_stops_the_start)
{
	char path[256], aside[256];

	open_all(SMALL);
	for (int i = 0; i < 5; i++)
		crash_writer_run(&w, &bed.k.broker, 120, 0);
	stop_broker();
	ck_assert_uint_ge(files_of("journal-"), 3);
	path_in_data(path, names[1]);
	path_in_data(aside, "aside");
	ck_assert_int_eq(rename(path, aside), 0);
	check_refuses(names[0], "missing", "--repair");
	ck_assert_int_eq(rename(aside, path), 0);
	again_all_is_well();
	close_all();
}
END_TEST

START_TEST(a_torn_tail_is_cut_and_said)
{
	open_all(SMALL);
	crash_now(&bed.c, CRASH_TEAR, CRASH_BIT(CRASH_WRITE), 0);
	bed.c.plan->bytes = 41 + (uint32_t)_i * 13;
	ck_assert(!crash_writer_run(&w, &bed.k.broker, 60, 0));
	check_well("torn");
	ck_assert_int_eq(crash_bed_end(&bed), 128 + SIGKILL);
	again_all_is_well();
	ck_assert(log_has("it was cut off"));
	close_all();
}
END_TEST

/* So many snapshots, and the journal does not go back to its beginning. */
static bool are_taken(size_t snapshots)
{
	return files_of("snapshot-") >= snapshots && files_of("journal-") > 0 &&
	       strcmp(names[0], "journal-00000000000000000001") != 0;
}

/* All but the oldest so many; the same again mends them. Stopped right behind a
 * snapshot, the broker may have one more than it keeps. */
static void damage_snapshots(size_t but)
{
	for (size_t i = but, count = files_of("snapshot-"); i < count; i++)
		xor_byte(names[i], size_of(names[i]) / 2, 4);
}

/* With one kept it stops; with two the older one and the journal are enough. */
START_TEST(a_damaged_snapshot_is_found)
{
	const size_t kept = 1 + (size_t)_i;
	char more[256], newest[64];

	snprintf(more, sizeof more,
	         SMALL "snapshot_journal_bytes = 65536;\n"
	               "snapshots_keep = %zu;\n",
	         kept);
	open_all(more);
	for (int i = 0; i < 200 && !are_taken(kept); i++)
		crash_writer_run(&w, &bed.k.broker, 60, 0);
	check_well("filled");
	ck_assert(are_taken(kept));
	stop_broker();
	damage_snapshots(kept - 1);
	strcpy(newest, names[files_of("snapshot-") - 1]);
	if (kept == 1) {
		check_refuses(newest, "byte", "does not reach back");
		damage_snapshots(0);
		unlink(bed.k.log); /* there were two, maybe */
	}
	again_all_is_well();
	ck_assert(log_has("a snapshot is passed over") == (kept == 2));
	close_all();
}
END_TEST

static bool is_a_snapshot(void *arg)
{
	(void)arg;
	return files_of("snapshot-") > 0;
}

/* Nobody who writes is told: only a snapshot's child has the trouble. */
START_TEST(a_snapshot_that_cannot_be_written_harms_nobody_and_is_tried_again)
{
	static const uint32_t masks[] = { CRASH_GROWS, CRASH_BIT(CRASH_SYNC),
		                          CRASH_BIT(CRASH_RENAME) };

	open_all(SMALL "snapshot_journal_bytes = 65536;\n");
	bed.c.plan->who = CRASH_CHILD;
	crash_now(&bed.c, CRASH_FAIL, masks[_i], ENOSPC);
	for (int i = 0; i < 200 && bed.c.plan->hits == 0; i++)
		crash_writer_run(&w, &bed.k.broker, 60, 0);
	check_well("written while the snapshot fails");
	ck_assert_uint_gt(bed.c.plan->hits, 0);
	check_log("snapshot");
	crash_now(&bed.c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert(wait_for(is_a_snapshot, NULL, WAIT_MS));
	ck_assert_int_eq(program_stop(&bed.k.broker, SIGKILL), 128 + SIGKILL);
	crash_wait_child(&bed.c);
	crash_lose_power(&bed.c, (uint64_t)_i);
	again_all_is_well();
	close_all();
}
END_TEST

/* ---- no room in memory ------------------------------------------------------------------------ */

START_TEST(a_full_tree_refuses_what_adds_and_takes_deletes)
{
	struct other o;
	char path[64], data[8192];
	int rc = 0, made = 0, i;

	crash_bed_open(&bed, false, false, "max_data = 1048576;\n");
	start();
	other_open(&o);
	memset(data, 'x', sizeof data);
	for (; rc == 0 && made < 1000; made += rc == 0) {
		snprintf(path, sizeof path, "/n%d", made);
		rc = mu_client_create_sync(o.c, path, data, sizeof data, 0,
		                           NULL, 0, WAIT_MS, NULL);
	}
	ck_assert_int_eq(rc, MU_EMAXDATA);
	ck_assert_int_gt(made, 64);
	ck_assert_int_lt(made, 129);
	ck_assert_int_eq(set(&o, "/n0", "small"), 0);
	for (i = 1; i < 4; i++) {
		snprintf(path, sizeof path, "/n%d", i);
		ck_assert_int_eq(
			mu_client_delete_sync(o.c, path, -1, WAIT_MS, NULL), 0);
	}
	ck_assert_int_eq(mu_client_create_sync(o.c, "/again", data, sizeof data,
	                                       0, NULL, 0, WAIT_MS, NULL),
	                 0);
	mu_client_free(o.c);
	crash_bed_close(&bed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disk_trouble");
	TCase *tc = tcase_create("disk_trouble");
	const int all = (int)(sizeof troubles / sizeof troubles[0]);
	SRunner *r;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, writes_are_refused_while_all_else_goes_on, 0,
	                    all);
	tcase_add_loop_test(
		tc, what_was_refused_stays_so_over_a_crash_in_the_trouble, 0,
		all);
	tcase_add_test(tc, a_disk_that_fills_up_between_segments);
	tcase_add_test(tc, a_session_that_dies_in_the_trouble_ends_after_it);
	tcase_add_loop_test(tc, a_start_without_room_says_so, 0, all);
	tcase_add_test(tc, short_writes_damage_nothing);
	tcase_add_loop_test(
		tc, a_failed_sync_ends_the_broker_and_nothing_is_lost, 0, 4);
	tcase_add_loop_test(tc, a_flipped_bit_in_the_journal_stops_the_start, 0,
	                    2);
	tcase_add_test(tc, a_damaged_head_of_a_segment_stops_the_start);
	tcase_add_test(tc, a_missing_segment_stops_the_start);
	tcase_add_loop_test(tc, a_torn_tail_is_cut_and_said, 0, 3);
	tcase_add_loop_test(tc, a_damaged_snapshot_is_found, 0, 2);
	tcase_add_loop_test(
		tc,
		a_snapshot_that_cannot_be_written_harms_nobody_and_is_tried_again,
		0, 3);
	tcase_add_test(tc, a_full_tree_refuses_what_adds_and_takes_deletes);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
