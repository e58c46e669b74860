/* broker/datacheck.h: a data directory, looked at and mended. */
#include "child.h"
#include "data_kit.h"

#include "crc.h"
#include "datacheck.h"
#include "epoch.h"
#include "restore.h"
#include "snapshot_impl.h"

#include <signal.h>
#include <sys/wait.h>

#define OTHER_TREE 99

static struct script sample;
static struct mu_err err;
static char *out, *complaint; /* of the last call */

static void setup(void)
{
	memset(&err, 0, sizeof err);
	out = complaint = NULL;
	kit_dir_make();
	script_open(&sample, kit_store(1));
	say_sample(&sample);
}

static void teardown(void)
{
	script_close(&sample);
	free(out);
	free(complaint);
	kit_dir_remove();
}

static int repair_or_check(int (*call)(void))
{
	int rc, kept_out = kit_listen(STDOUT_FILENO);
	int kept_err = kit_listen(STDERR_FILENO);

	free(out);
	free(complaint);
	rc = call();
	complaint = kit_hear(STDERR_FILENO, kept_err);
	out = kit_hear(STDOUT_FILENO, kept_out);
	return rc;
}

static int check_alone(void)
{
	return mu_check_data(kit_dir, false, stdout);
}

static int check_running(void)
{
	return mu_check_data(kit_dir, true, stdout);
}

static int repair_no(void)
{
	return mu_repair_data(kit_dir, false);
}

static int repair_yes(void)
{
	return mu_repair_data(kit_dir, true);
}

#define CHECK() repair_or_check(check_alone)
#define REPAIR() repair_or_check(repair_no)
#define REPAIR_YES() repair_or_check(repair_yes)

static bool has_bad_line(void)
{
	char *copy = strdup(out), *rest = copy, *line;
	bool bad = false;

	while ((line = strsep(&rest, "\n")))
		bad = bad || mu_check_line_is_bad(line);
	free(copy);
	return bad;
}

static void assert_good(void)
{
	int rc = CHECK();

	ck_assert_msg(rc == 0, "%s%s", out, complaint);
	ck_assert(!has_bad_line());
	ck_assert_str_eq(complaint, "");
	kit_says(out, ": good\n");
}

static void assert_damaged(const char *file, const char *word)
{
	char line[300];
	int rc = CHECK();

	ck_assert_msg(rc == 1, "%s%s", out, complaint);
	snprintf(line, sizeof line, "%s: DAMAGED: ", file);
	kit_says(out, line);
	kit_says(out, word);
	kit_says(out, ": damaged\n");
	ck_assert(has_bad_line());
}

/* The first segment of several, with a bit turned in its third record. */
static void spoil_journal(void)
{
	char name[256];

	ck_assert_uint_ge(kit_count("journal-", name), 1);
	kit_spoil(name, 64 + 300, 4);
}

static unsigned long sum_of_all(void)
{
	char command[300], line[64] = "";
	FILE *f;

	snprintf(command, sizeof command,
	         "cd '%s' && ls | grep -v lock | xargs cat | cksum", kit_dir);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
	pclose(f);
	return strtoul(line, NULL, 10);
}

/* Long enough for several segments of the least size. */
static void long_journal(void)
{
	char path[32], data[300];

	memset(data, 'd', sizeof data);
	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof path, "/long%d", i);
		say_create(&sample, 0, path, data, sizeof data, 0);
	}
	kit_journal(&sample, 77, 1, sample.count);
	ck_assert_uint_ge(kit_count("journal-", NULL), 3);
}

/* The journal's n-th file, by name. */
static void segment(unsigned n, char out_name[256])
{
	struct dirent **list;
	int count = scandir(kit_dir, &list, NULL, alphasort);
	unsigned seen = 0;

	out_name[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (strncmp(list[i]->d_name, "journal-", 8) == 0 && seen++ == n)
			strcpy(out_name, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	ck_assert_str_ne(out_name, "");
}

/* ---- check ---- */

START_TEST(a_good_directory_is_said_to_be)
{
	uint32_t e;

	ck_assert_int_eq(mu_epoch_raise(kit_dir, 0, &e, &err), 0);
	kit_journal(&sample, 77, 1, sample.count);
	assert_good();
	kit_says(out, "no snapshot yet");
	kit_says(out, "commands 1 to ");
	kit_snapshot(sample.s);
	assert_good();
	kit_says(out, "nodes");
}
END_TEST

START_TEST(an_empty_directory_is_good)
{
	assert_good();
	kit_says(out, "no commands");
}
END_TEST

START_TEST(a_check_changes_nothing)
{
	unsigned long before;

	long_journal();
	spoil_journal();
	kit_snapshot(sample.s);
	before = sum_of_all();
	ck_assert_int_eq(CHECK(), 1);
	ck_assert_int_eq(REPAIR(), 1);
	ck_assert_uint_eq(sum_of_all(), before);
}
END_TEST

START_TEST(what_is_no_directory_is_told)
{
	kit_dir_remove();
	ck_assert_int_eq(CHECK(), 1);
	kit_says(complaint, "is no directory");
	ck_assert_int_eq(REPAIR(), 1);
	kit_says(complaint, "is no directory");
	ck_assert_int_eq(access(kit_dir, F_OK), -1); /* nor made */
	kit_dir_make();
}
END_TEST

START_TEST(a_torn_end_is_good_and_said)
{
	char name[256];
	off_t size;
	uint8_t zeros[64] = { 0 };
	int fd;

	kit_journal(&sample, 77, 1, sample.count);
	segment(0, name);
	size = kit_size(name);
	/* The mark of a finished segment, and half of the last record. */
	ck_assert_int_eq(truncate(kit_path(name), size - 32 - 20), 0);
	fd = open(kit_path(name), O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, zeros, sizeof zeros), sizeof zeros);
	close(fd);
	assert_good();
	kit_says(out, "ends in the middle of a write");
	ck_assert_int_eq(REPAIR(), 0);
	kit_says(out, "nothing to mend");
}
END_TEST

START_TEST(a_flipped_bit_in_the_journal_is_found)
{
	char name[256];

	long_journal();
	segment(1, name);
	kit_spoil(name, kit_size(name) / 2, 1);
	assert_damaged("journal", name);
}
END_TEST

START_TEST(a_missing_segment_is_found)
{
	char name[256];

	long_journal();
	segment((unsigned)_i, name);
	ck_assert_int_eq(unlink(kit_path(name)), 0);
	assert_damaged("journal", "missing");
}
END_TEST

START_TEST(a_missing_snapshot_is_found)
{
	kit_journal(&sample, 77, 12, sample.count);
	assert_damaged("journal", "commands 1 to 11 are missing");
}
END_TEST

START_TEST(a_damaged_snapshot_is_found)
{
	char name[MU_SNAPFILE_NAME_MAX];

	kit_snapshot(sample.s);
	mu_snapfile_name(sample.count, name);
	kit_spoil_snapshot(sample.count);
	assert_damaged(name, "byte");
}
END_TEST

START_TEST(a_newer_version_is_named)
{
	char name[MU_SNAPFILE_NAME_MAX];
	uint8_t head[MU_SNAPSHOT_HEAD];
	int fd;

	kit_snapshot(sample.s);
	mu_snapfile_name(sample.count, name);
	fd = open(kit_path(name), O_RDWR);
	ck_assert_int_eq(pread(fd, head, sizeof head, 0), sizeof head);
	head[8]++;
	mu_snap_put32(head + MU_SNAP_CRC_AT,
	              mu_crc32c(0, head, MU_SNAP_CRC_AT));
	ck_assert_int_eq(pwrite(fd, head, sizeof head, 0), sizeof head);
	close(fd);
	assert_damaged(name, "newer muster-broker");
}
END_TEST

/* Its head says so, and its checksum is right. */
static void make_newer(const char *name)
{
	uint8_t head[MU_LOG_HEAD];
	int fd = open(kit_path(name), O_RDWR);

	ck_assert_int_eq(pread(fd, head, sizeof head, 0), sizeof head);
	head[8]++;
	mu_snap_put32(head + 60, mu_crc32c(0, head, 60));
	ck_assert_int_eq(pwrite(fd, head, sizeof head, 0), sizeof head);
	close(fd);
}

/* No cut mends that. */
START_TEST(a_newer_journal_is_named_and_not_repaired)
{
	unsigned long before;
	char name[256];

	kit_journal(&sample, 77, 1, sample.count);
	segment(0, name);
	make_newer(name);
	before = sum_of_all();
	assert_damaged("journal", "newer");
	ck_assert_int_eq(REPAIR_YES(), 1);
	kit_says(complaint, "newer");
	ck_assert_uint_eq(sum_of_all(), before);
}
END_TEST

START_TEST(a_journal_of_another_tree_than_the_snapshot_is_found)
{
	kit_snapshot(sample.s);
	kit_journal(&sample, OTHER_TREE, 1, sample.count);
	assert_damaged("journal", "another tree");
}
END_TEST

START_TEST(a_damaged_epoch_is_found)
{
	uint32_t e;

	ck_assert_int_eq(mu_epoch_raise(kit_dir, 0, &e, &err), 0);
	kit_spoil("epoch", 15, 1);
	assert_damaged("epoch", "damaged");
}
END_TEST

START_TEST(a_backup_that_waits_is_said_or_found_bad)
{
	struct bytes b = snapshot_of(sample.s);
	struct mu_store_config c = kit_config(1);
	char name[MU_SNAPFILE_NAME_MAX], inside[128];
	struct mu_snapshot_info info;
	int fd;

	ck_assert_int_eq(mu_restore_begin(kit_dir, &fd, &err), 0);
	ck_assert_int_eq(write(fd, b.at, b.len), (ssize_t)b.len);
	close(fd);
	ck_assert_int_eq(mu_restore_end(kit_dir, &c, &info, &err), 0);
	assert_good();
	kit_says(out, "a backup waits");
	mu_snapfile_name(sample.count, name);
	snprintf(inside, sizeof inside, "restore/%s", name);
	kit_spoil(inside, kit_size(inside) / 2, 1);
	assert_damaged("restore", name);
	free(b.at);
}
END_TEST

START_TEST(a_directory_where_a_broker_is_at_work_is_let_alone)
{
	int fd;

	ck_assert_int_eq(mu_data_lock(kit_dir, &fd, &err), 0);
	ck_assert_int_eq(CHECK(), 1);
	kit_says(complaint, "a broker is at work");
	kit_says(complaint, "muster broker verify");
	ck_assert_int_eq(REPAIR_YES(), 1);
	kit_says(complaint, "a broker is at work");
	ck_assert_int_eq(repair_or_check(check_running), 0); /* its own */
	close(fd);
	assert_good();
}
END_TEST

/* ---- what a broker's own child sees ---- */

/* All that goes wrong is on `out`, which the broker reads. */
START_TEST(the_brokers_child_says_all_in_its_report)
{
	long_journal();
	spoil_journal();
	ck_assert_int_eq(repair_or_check(check_running), 1);
	ck_assert(has_bad_line());
	ck_assert_str_eq(complaint, "");
	kit_dir_remove();
	ck_assert_int_eq(repair_or_check(check_running), 1);
	ck_assert(has_bad_line());
	kit_says(out, "cannot be checked");
	ck_assert_str_eq(complaint, "");
	kit_dir_make();
}
END_TEST

/* A writer beside it: new segments, old ones and snapshots that go. */
static void write_and_purge(int ready)
{
	const struct mu_segments_config how = { .segment_bytes =
		                                        MU_SEGMENT_BYTES_MIN,
		                                .tree_id = 77 };
	struct mu_disk *d = kit_disk(kit_dir);
	struct mu_buf b = { 0 };
	struct mu_segments *s;
	uint64_t oldest;

	if (mu_segments_open(d, &how, &s, &err) ||
	    mu_segments_replay(s, 0, kit_ignore, NULL, &err))
		_exit(1);
	for (;;) {
		uint64_t next = mu_segments_durable(s) + 1;

		say_set(&sample, "/a", "0123456789012345678901234567890123");
		mu_buf_reset(&b);
		if (mu_log_put(&b, 1, next, sample.command.data,
		               sample.command.len) ||
		    mu_segments_write(s, b.data, b.len, &err))
			_exit(2);
		if (next % 10)
			continue;
		kit_snapshot(sample.s);
		if (mu_snapfile_purge(d, 1, &oldest, &err) ||
		    mu_segments_purge(s, oldest, &err) ||
		    (ready >= 0 && write(ready, "", 1) != 1))
			_exit(3);
		if (ready >= 0)
			close(ready);
		ready = -1;
	}
}

START_TEST(what_a_broker_writes_meanwhile_is_no_damage)
{
	int fds[2];
	pid_t pid;
	char byte;

	kit_journal(&sample, 77, 1, sample.count);
	ck_assert_int_eq(pipe(fds), 0);
	pid = child_fork();
	if (pid == 0)
		write_and_purge(fds[1]);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	for (int i = 0; i < 200; i++) {
		int rc = repair_or_check(check_running);

		ck_assert_msg(rc == 0, "%s%s", out, complaint);
	}
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0); /* still writing */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
}
END_TEST

/* ---- repair ---- */

START_TEST(a_good_journal_needs_no_repair)
{
	unsigned long before;

	kit_journal(&sample, 77, 1, sample.count);
	before = sum_of_all();
	ck_assert_int_eq(REPAIR_YES(), 0);
	kit_says(out, "nothing to mend");
	ck_assert_uint_eq(sum_of_all(), before);
}
END_TEST

START_TEST(repair_says_what_is_lost_and_does_it_when_told_to)
{
	unsigned files;
	char name[256];

	long_journal();
	files = kit_count("journal-", NULL);
	segment(1, name);
	kit_spoil(name, kit_size(name) / 2, 1);
	ck_assert_int_eq(REPAIR(), 1);
	kit_says(out, name);
	kit_says(out, "a cut there loses command");
	kit_says(out, "nothing was changed");
	kit_says(out, "--yes");
	ck_assert_uint_eq(kit_count("lost-journal-", NULL), 0);
	ck_assert_uint_eq(kit_count("journal-", NULL), files);
	ck_assert_int_eq(REPAIR_YES(), 0);
	kit_says(out, "cut. Start the broker");
	ck_assert_uint_eq(kit_count("lost-journal-", NULL), files - 1);
	ck_assert_uint_eq(kit_count("journal-", NULL), 2);
	assert_good();
	ck_assert_int_eq(REPAIR_YES(), 0); /* once is enough */
	ck_assert_uint_eq(kit_count("lost-journal-", NULL), files - 1);
}
END_TEST

START_TEST(a_gap_is_repaired_by_putting_what_is_behind_it_aside)
{
	char name[256];

	long_journal();
	segment(1, name);
	ck_assert_int_eq(unlink(kit_path(name)), 0);
	ck_assert_int_eq(REPAIR(), 1);
	ck_assert_int_eq(REPAIR_YES(), 0);
	ck_assert_uint_eq(kit_count("journal-", NULL), 1);
	assert_good();
}
END_TEST

START_TEST(a_damaged_head_is_repaired)
{
	char name[256];

	long_journal();
	segment(1, name);
	kit_spoil(name, 20, 1);
	assert_damaged("journal", name);
	ck_assert_int_eq(REPAIR_YES(), 0);
	assert_good();
}
END_TEST

/* One that no cut can mend. */
START_TEST(a_command_that_nobody_knows_is_told_and_not_cut)
{
	struct script strange = { .count = 1 };
	const uint32_t len = 4;
	unsigned long before;

	mu_buf_put(&strange.all, &len, sizeof len);
	mu_buf_put(&strange.all, "????", 4);
	kit_journal(&strange, 77, 1, 1);
	before = sum_of_all();
	assert_damaged("journal", "command 1");
	ck_assert_int_eq(REPAIR_YES(), 1);
	kit_says(complaint, "command 1");
	ck_assert_uint_eq(sum_of_all(), before);
	mu_buf_fini(&strange.all);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("datacheck");
	TCase *t = tcase_create("datacheck");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_good_directory_is_said_to_be);
	tcase_add_test(t, an_empty_directory_is_good);
	tcase_add_test(t, a_check_changes_nothing);
	tcase_add_test(t, what_is_no_directory_is_told);
	tcase_add_test(t, a_torn_end_is_good_and_said);
	tcase_add_test(t, a_flipped_bit_in_the_journal_is_found);
	tcase_add_loop_test(t, a_missing_segment_is_found, 0, 2);
	tcase_add_test(t, a_missing_snapshot_is_found);
	tcase_add_test(t, a_damaged_snapshot_is_found);
	tcase_add_test(t, a_newer_version_is_named);
	tcase_add_test(t, a_newer_journal_is_named_and_not_repaired);
	tcase_add_test(t, a_journal_of_another_tree_than_the_snapshot_is_found);
	tcase_add_test(t, a_damaged_epoch_is_found);
	tcase_add_test(t, a_backup_that_waits_is_said_or_found_bad);
	tcase_add_test(t, a_directory_where_a_broker_is_at_work_is_let_alone);
	tcase_add_test(t, the_brokers_child_says_all_in_its_report);
	tcase_add_test(t, what_a_broker_writes_meanwhile_is_no_damage);
	tcase_add_test(t, a_good_journal_needs_no_repair);
	tcase_add_test(t, repair_says_what_is_lost_and_does_it_when_told_to);
	tcase_add_test(t, a_gap_is_repaired_by_putting_what_is_behind_it_aside);
	tcase_add_test(t, a_damaged_head_is_repaired);
	tcase_add_test(t, a_command_that_nobody_knows_is_told_and_not_cut);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
