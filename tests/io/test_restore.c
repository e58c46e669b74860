/* broker/restore.h: a backup takes the place of what is there, or does not. */
#include "data_kit.h"

#include "crc.h"
#include "epoch.h"
#include "program.h"
#include "restore.h"
#include "snapshot_impl.h"
#include "tree.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#define EPOCH_OLD 7u    /* of the directory */
#define EPOCH_BACKUP 1u /* of the script's zxids */
#define OLD_TREE 78     /* of what the directory holds */

static struct script sample;
static struct bytes backup;
static struct mu_store_config config;
static struct mu_snapshot_info info;
static struct mu_err err;

static void setup(void)
{
	memset(&err, 0, sizeof err);
	kit_dir_make();
	config = kit_config(1);
	script_open(&sample, kit_store(1));
	say_sample(&sample);
	backup = snapshot_of(sample.s);
}

static void teardown(void)
{
	script_close(&sample);
	free(backup.at);
	kit_dir_remove();
}

static uint32_t epoch(void)
{
	uint32_t e;

	ck_assert_int_eq(mu_epoch_look(kit_dir, &e, &err), 0);
	return e;
}

static void upload(const void *p, size_t len)
{
	int fd;

	ck_assert_msg(mu_restore_begin(kit_dir, &fd, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	close(fd);
}

static int end(void)
{
	return mu_restore_end(kit_dir, &config, &info, &err);
}

static void restore(void)
{
	upload(backup.at, backup.len);
	ck_assert_msg(end() == 0, "%s", err.msg);
}

/* What the snapshots of the directory say; fails if one is bad. */
static unsigned snapshots(struct mu_snapshot_info *newest)
{
	struct mu_disk *d = kit_disk(kit_dir);
	uint64_t *list;
	size_t count;

	ck_assert_int_eq(mu_snapfile_list(d, &list, &count, &err), 0);
	if (count)
		ck_assert_msg(mu_snapfile_check(d, list[0], &config, newest,
		                                &err) == 0,
		              "%s", err.msg);
	mu_free(list);
	d->free(d);
	return (unsigned)count;
}

static bool finish(void)
{
	bool done;

	ck_assert_msg(mu_restore_finish(kit_dir, &done, &err) == 0, "%s",
	              err.msg);
	ck_assert(!kit_has("restore"));
	ck_assert(!kit_has("restore.tmp"));
	return done;
}

/* ---- the whole way ---- */

START_TEST(a_backup_becomes_the_only_tree_and_another_one)
{
	struct mu_snapshot_info now;

	restore();
	ck_assert_uint_eq(info.index, sample.count);
	ck_assert(!kit_has("restore.tmp"));
	ck_assert_uint_eq(kit_count("snapshot-", NULL), 0);
	ck_assert(finish());
	ck_assert_uint_eq(snapshots(&now), 1);
	ck_assert_uint_eq(now.index, sample.count);
	ck_assert_int_eq(now.zxid, info.zxid);
	ck_assert_uint_eq(now.nodes, info.nodes);
	ck_assert_uint_eq(now.sessions, info.sessions);
	ck_assert_int_ne(now.tree_id, info.tree_id);
	ck_assert_int_ne(now.tree_id, 0);
	ck_assert(!finish()); /* once */
}
END_TEST

/* Even a broker that was started often since the backup saw no epoch so late. */
START_TEST(the_epoch_leaps_over_all_that_the_backed_up_tree_may_reach)
{
	restore();
	ck_assert(finish());
	ck_assert_uint_ge(epoch(), EPOCH_BACKUP + MU_RESTORE_EPOCHS);
}
END_TEST

START_TEST(an_epoch_that_is_higher_grows_all_the_same)
{
	uint32_t e;

	ck_assert_int_eq(mu_epoch_raise(kit_dir, 5000, &e, &err), 0);
	restore();
	ck_assert(finish());
	ck_assert_uint_gt(epoch(), 5000);
}
END_TEST

START_TEST(two_restores_of_a_backup_are_two_trees)
{
	struct mu_snapshot_info a, b;

	restore();
	ck_assert(finish());
	ck_assert_uint_eq(snapshots(&a), 1);
	restore();
	ck_assert(finish());
	ck_assert_uint_eq(snapshots(&b), 1);
	ck_assert_int_ne(a.tree_id, b.tree_id);
}
END_TEST

/* A backup taken before the first command. */
START_TEST(an_empty_tree_may_be_restored)
{
	struct mu_store *empty = kit_store(1);
	struct bytes b = snapshot_of(empty);
	struct mu_snapshot_info now;
	bool waits;

	upload(b.at, b.len);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(mu_restore_look(kit_dir, &waits, &err), 0);
	ck_assert(waits);
	ck_assert(finish());
	ck_assert_uint_eq(snapshots(&now), 1);
	ck_assert_uint_eq(now.index, 0);
	mu_store_free(empty);
	free(b.at);
}
END_TEST

START_TEST(what_came_before_it_is_dropped)
{
	upload("half of another", 15);
	restore();
	restore(); /* and one that waits */
	ck_assert(finish());
	ck_assert_uint_eq(kit_count("snapshot-", NULL), 1);
}
END_TEST

/* ---- a crash at each step ---- */

/* Of another tree: a snapshot and a journal that goes on from it. */
static void old_tree(void)
{
	struct mu_store_config c = kit_config(2);
	struct mu_store *s;
	struct script old;
	uint32_t e;

	c.tree_id = OLD_TREE;
	ck_assert_int_eq(mu_store_new(&c, kit_now, &s, &err), 0);
	script_open(&old, s);
	say_session(&old, 0x200, 4000);
	say_create(&old, 0, "/old", "1", 1, 0);
	kit_snapshot(s);
	say_create(&old, 0, "/old/er", "2", 1, 0);
	kit_journal(&old, OLD_TREE, 3, 3);
	script_close(&old);
	ck_assert_int_eq(mu_epoch_raise(kit_dir, EPOCH_OLD, &e, &err), 0);
}

static void remove_state(const char *prefix)
{
	char name[256];

	while (kit_count(prefix, name))
		ck_assert_int_eq(unlink(kit_path(name)), 0);
}

enum step {
	BYTES_COME,
	NOT_YET_PLACED,
	PLACED,
	EPOCH_RAISED,
	SNAPSHOT_GONE,
	ALL_GONE,
	MOVED,
	BOTH_AND_MOVED,
	DONE,
	STEPS
};

/* The directory as a crash at that step leaves it. */
static void leave_at(enum step step)
{
	char name[256], from[400];
	uint32_t e;

	upload(backup.at, backup.len / (step == BYTES_COME ? 2 : 1));
	if (step == BYTES_COME)
		return;
	ck_assert_int_eq(end(), 0);
	if (step == NOT_YET_PLACED)
		ck_assert_int_eq(
			rename(kit_path("restore"), kit_path("restore.tmp")),
			0);
	if (step >= EPOCH_RAISED)
		ck_assert_int_eq(mu_epoch_raise(kit_dir, 1025, &e, &err), 0);
	if (step >= SNAPSHOT_GONE)
		remove_state("snapshot-");
	if (step >= ALL_GONE)
		remove_state("journal-");
	if (step < MOVED)
		return;
	mu_snapfile_name(sample.count, name);
	snprintf(from, sizeof from, "%s/%s", kit_path("restore"), name);
	ck_assert_int_eq(rename(from, kit_path(name)), 0);
	if (step == BOTH_AND_MOVED)
		upload("more", 4);
	if (step == DONE)
		ck_assert_int_eq(rmdir(kit_path("restore")), 0);
}

START_TEST(a_crash_at_any_step_leaves_one_tree_whole)
{
	struct mu_snapshot_info now;

	old_tree();
	leave_at((enum step)_i);
	ck_assert(finish() == (_i >= PLACED && _i < MOVED));
	ck_assert_uint_eq(snapshots(&now), 1);
	if (_i < PLACED) {
		ck_assert_int_eq(now.tree_id, OLD_TREE);
		ck_assert_uint_eq(now.index, 2);
		ck_assert_uint_eq(kit_count("journal-", NULL), 1);
		ck_assert_uint_eq(epoch(), EPOCH_OLD);
	} else {
		ck_assert_uint_eq(now.index, sample.count);
		ck_assert_int_ne(now.tree_id, OLD_TREE);
		ck_assert_int_ne(now.tree_id, info.tree_id);
		ck_assert_uint_eq(kit_count("journal-", NULL), 0);
		ck_assert_uint_ge(epoch(), EPOCH_BACKUP + MU_RESTORE_EPOCHS);
	}
	ck_assert(!finish());
}
END_TEST

/* Files that are none of a tree's are let alone. */
START_TEST(what_is_none_of_the_trees_stays)
{
	int fd = open(kit_path("lost-journal-1"), O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	old_tree();
	restore();
	ck_assert(finish());
	ck_assert(kit_has("lost-journal-1"));
	ck_assert(kit_has("epoch"));
	ck_assert_uint_eq(kit_count("journal-", NULL), 0);
}
END_TEST

START_TEST(a_look_changes_nothing)
{
	bool waits = true;

	ck_assert_int_eq(mu_restore_look(kit_dir, &waits, &err), 0);
	ck_assert(!waits);
	restore();
	ck_assert_int_eq(mu_restore_look(kit_dir, &waits, &err), 0);
	ck_assert(waits);
	ck_assert(kit_has("restore"));
	ck_assert(finish());
}
END_TEST

/* ---- what is refused ---- */

static void assert_refused(int code, const char *word)
{
	memset(&err, 0, sizeof err);
	ck_assert_int_eq(end(), code);
	kit_says(err.msg, word);
	ck_assert(!kit_has("restore"));
	ck_assert(!kit_has("restore.tmp"));
	ck_assert_uint_eq(kit_count("snapshot-", NULL), 0);
	ck_assert(!finish());
}

START_TEST(damaged_bytes_are_refused_and_nothing_is_left)
{
	for (size_t at = 0; at < backup.len; at += 97) {
		backup.at[at] ^= 0x20;
		upload(backup.at, backup.len);
		assert_refused(MU_EDATA, "");
		backup.at[at] ^= 0x20;
	}
}
END_TEST

START_TEST(bytes_that_are_missing_or_too_many_are_refused)
{
	static const size_t lens[] = { 0, 1, MU_SNAPSHOT_HEAD, 300 };
	uint8_t *more = calloc(1, backup.len + 1);

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		upload(backup.at, lens[i]);
		assert_refused(MU_EDATA, "");
	}
	upload(backup.at, backup.len - 1);
	assert_refused(MU_EDATA, "");
	memcpy(more, backup.at, backup.len);
	upload(more, backup.len + 1);
	assert_refused(MU_EDATA, "");
	free(more);
}
END_TEST

static void seal_head(void)
{
	mu_snap_put32(backup.at + MU_SNAP_CRC_AT,
	              mu_crc32c(0, backup.at, MU_SNAP_CRC_AT));
}

START_TEST(a_newer_version_is_refused_with_a_sentence)
{
	backup.at[8]++;
	seal_head();
	upload(backup.at, backup.len);
	assert_refused(MU_EUNIMPLEMENTED, "newer muster-broker");
}
END_TEST

/* It would be taken, and no broker would ever start again. */
START_TEST(an_epoch_behind_which_there_are_no_more_is_refused)
{
	struct script late;
	struct bytes b;

	script_open(&late, kit_store(1));
	late.zxid = (int64_t)((1 << 30) - (_i ? 500 : 2000)) << 32;
	say_create(&late, 0, "/late", "", 0, 0);
	b = snapshot_of(late.s);
	upload(b.at, b.len);
	if (_i) {
		assert_refused(MU_EDATA, "epoch");
	} else {
		ck_assert_int_eq(end(), 0);
		ck_assert(finish());
	}
	free(b.at);
	script_close(&late);
}
END_TEST

START_TEST(bytes_that_do_not_come_leave_nothing)
{
	upload(backup.at, 100);
	ck_assert(kit_has("restore.tmp"));
	mu_restore_drop(kit_dir);
	ck_assert(!kit_has("restore.tmp"));
	mu_restore_drop(kit_dir);
}
END_TEST

static void spoil_what_waits(void)
{
	char name[MU_SNAPFILE_NAME_MAX], inside[128];

	mu_snapfile_name(sample.count, name);
	snprintf(inside, sizeof inside, "restore/%s", name);
	kit_spoil(inside, kit_size(inside) / 2, 1);
}

/* It went bad after it was accepted: the old tree stays as it is, and the sentence
 * says how to go on. */
START_TEST(one_that_went_bad_while_it_waited_stops_the_start)
{
	struct mu_snapshot_info now;
	bool done, waits;

	old_tree();
	restore();
	spoil_what_waits();
	ck_assert_int_eq(mu_restore_look(kit_dir, &waits, &err), MU_EDATA);
	ck_assert_int_eq(mu_restore_finish(kit_dir, &done, &err), MU_EDATA);
	ck_assert(!done);
	kit_says(err.msg, "snapshot-0");
	kit_says(err.msg, "remove");
	kit_says(err.msg, "/restore");
	ck_assert_uint_eq(snapshots(&now), 1);
	ck_assert_int_eq(now.tree_id, OLD_TREE);
	ck_assert_uint_eq(kit_count("journal-", NULL), 1);
	ck_assert_uint_eq(epoch(), EPOCH_OLD);
	ck_assert(kit_has("restore"));
}
END_TEST

START_TEST(no_room_is_told_and_leaves_nothing)
{
	struct rlimit before, less;
	int rc;

	upload(backup.at, backup.len);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = before;
	less.rlim_cur = backup.len / 2;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &less), 0);
	rc = end();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(rc, MU_ENOSPACE);
	ck_assert(!kit_has("restore.tmp"));
	ck_assert(!kit_has("restore"));
}
END_TEST

START_TEST(a_place_that_cannot_be_is_refused)
{
	char far[PATH_MAX + 8];
	int fd = -7;
	bool done;

	memset(far, 'x', sizeof far - 1);
	far[0] = '/';
	far[sizeof far - 1] = '\0';
	ck_assert_int_eq(mu_restore_begin(far, &fd, &err), MU_EIO);
	ck_assert_int_eq(mu_restore_begin("/dev/null", &fd, &err), MU_EIO);
	ck_assert_int_eq(mu_restore_finish(far, &done, &err), MU_EIO);
	ck_assert_int_eq(mu_restore_end(far, &config, &info, &err), MU_EIO);
}
END_TEST

/* ---- nothing is left open ---- */

START_TEST(descriptors_are_closed_on_all_ways)
{
	const unsigned before = process_descriptors(getpid());
	bool done;

	restore();
	ck_assert(finish());
	upload("rubbish", 7);
	ck_assert_int_ne(end(), 0);
	restore();
	spoil_what_waits();
	ck_assert_int_eq(mu_restore_finish(kit_dir, &done, &err), MU_EDATA);
	ck_assert_int_eq(mu_restore_look(kit_dir, &done, &err), MU_EDATA);
	ck_assert_uint_eq(process_descriptors(getpid()), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("restore");
	TCase *t = tcase_create("restore");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_backup_becomes_the_only_tree_and_another_one);
	tcase_add_test(
		t, the_epoch_leaps_over_all_that_the_backed_up_tree_may_reach);
	tcase_add_test(t, an_epoch_that_is_higher_grows_all_the_same);
	tcase_add_test(t, two_restores_of_a_backup_are_two_trees);
	tcase_add_test(t, an_empty_tree_may_be_restored);
	tcase_add_test(t, what_came_before_it_is_dropped);
	tcase_add_loop_test(t, a_crash_at_any_step_leaves_one_tree_whole, 0,
	                    STEPS);
	tcase_add_test(t, what_is_none_of_the_trees_stays);
	tcase_add_test(t, a_look_changes_nothing);
	tcase_add_test(t, damaged_bytes_are_refused_and_nothing_is_left);
	tcase_add_test(t, bytes_that_are_missing_or_too_many_are_refused);
	tcase_add_test(t, a_newer_version_is_refused_with_a_sentence);
	tcase_add_loop_test(
		t, an_epoch_behind_which_there_are_no_more_is_refused, 0, 2);
	tcase_add_test(t, bytes_that_do_not_come_leave_nothing);
	tcase_add_test(t, one_that_went_bad_while_it_waited_stops_the_start);
	tcase_add_test(t, no_room_is_told_and_leaves_nothing);
	tcase_add_test(t, a_place_that_cannot_be_is_refused);
	tcase_add_test(t, descriptors_are_closed_on_all_ways);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
