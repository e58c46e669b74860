/* broker/data.h: from the files of the data directory to a store. */
#include "data_kit.h"

#include "data.h"
#include "epoch.h"
#include "restore.h"
#include "tree.h"

#define OTHER_TREE 99

static struct script sample;
static struct mu_broker_options options;
static struct mu_store_config config;
static struct mu_data data;
static struct mu_err err;
static char *said; /* the log of the last open */

static void conf(const char *durability)
{
	char text[600];

	snprintf(text, sizeof text,
	         "data_dir = \"%s\";\ndurability = \"%s\";\n"
	         "journal_segment_bytes = 65536;\n",
	         kit_dir, durability);
	mu_broker_options_fini(&options);
	ck_assert_msg(mu_broker_options_parse("test", text, &options, &err) ==
	                      0,
	              "%s", err.msg);
}

static void setup(void)
{
	memset(&err, 0, sizeof err);
	memset(&options, 0, sizeof options);
	said = NULL;
	kit_dir_make();
	conf("disk");
	script_open(&sample, kit_store(1));
	say_sample(&sample);
}

static void teardown(void)
{
	script_close(&sample);
	mu_broker_options_fini(&options);
	free(said);
	kit_dir_remove();
}

static int data_open(void)
{
	int rc, kept = kit_listen(STDERR_FILENO);

	free(said);
	memset(&err, 0, sizeof err);
	config = (struct mu_store_config){ .hash_key = { 3 } };
	mu_broker_options_store(&options, &config);
	rc = mu_data_open(&options, &config, &data, &err);
	said = kit_hear(STDERR_FILENO, kept);
	return rc;
}

static void open_good(void)
{
	int rc = data_open();

	ck_assert_msg(rc == 0, "%s", err.msg);
	mu_store_verify(data.store);
}

static void assert_refused(int code, const char *word)
{
	ck_assert_int_eq(data_open(), code);
	kit_says(err.msg, word);
	ck_assert_ptr_null(data.store);
	ck_assert_ptr_null(data.journal);
	ck_assert_int_eq(data.lock_fd, -1);
}

/* The store that came out has what the sample's has. */
static void assert_whole(void)
{
	struct mu_store_stats a, b;

	mu_store_stats(sample.s, &a);
	mu_store_stats(data.store, &b);
	ck_assert_uint_eq(b.applied, a.applied);
	ck_assert_uint_eq(b.nodes, a.nodes);
	ck_assert_uint_eq(b.ephemerals, a.ephemerals);
	ck_assert_uint_eq(b.sessions, a.sessions);
	ck_assert_uint_eq(b.tree_bytes, a.tree_bytes);
	ck_assert_int_gt(b.zxid, a.zxid);
}

/* A store that stopped at that command, with its snapshot written. */
static void snapshot_at(uint32_t command)
{
	struct script part;
	const uint8_t *at = sample.all.data;
	uint32_t len;

	script_open(&part, kit_store(2));
	for (uint32_t i = 0; i < command; i++, at += sizeof len + len) {
		memcpy(&len, at, sizeof len);
		ck_assert_int_eq(mu_store_replay(part.s, at + sizeof len, len),
		                 0);
	}
	kit_snapshot(part.s);
	script_close(&part);
}

/* ---- what is there ---- */

START_TEST(an_empty_directory_gives_an_empty_tree_of_its_own)
{
	int64_t tree;

	open_good();
	ck_assert_uint_eq(mu_tree_count(mu_store_tree(data.store)), 5);
	tree = mu_store_tree_id(data.store);
	ck_assert_int_ne(tree, 0);
	ck_assert_int_eq(config.tree_id, tree);
	ck_assert_uint_eq(config.epoch, 1);
	ck_assert(data.journal->keeps);
	ck_assert_uint_eq(data.snapshot, 0);
	ck_assert_uint_eq(data.replayed, 0);
	mu_data_close(&data);
}
END_TEST

START_TEST(a_directory_that_is_missing_is_made)
{
	kit_dir_remove();
	open_good();
	ck_assert(kit_has("epoch"));
	mu_data_close(&data);
}
END_TEST

START_TEST(a_journal_alone_is_replayed)
{
	kit_journal(&sample, 77, 1, sample.count);
	open_good();
	ck_assert_int_eq(mu_store_tree_id(data.store), 77);
	ck_assert_uint_eq(data.replayed, sample.count);
	assert_whole();
	mu_data_close(&data);
}
END_TEST

START_TEST(a_snapshot_alone_is_read)
{
	kit_snapshot(sample.s);
	open_good();
	ck_assert_int_eq(mu_store_tree_id(data.store), 77);
	ck_assert_uint_eq(data.snapshot, sample.count);
	ck_assert_uint_eq(data.replayed, 0);
	assert_whole();
	mu_data_close(&data);
}
END_TEST

/* Wherever the snapshot stands in the journal. */
START_TEST(the_journal_goes_on_where_the_snapshot_ends)
{
	snapshot_at((uint32_t)_i);
	kit_journal(&sample, 77, (uint64_t)_i / 2 + 1, sample.count);
	open_good();
	ck_assert_uint_eq(data.snapshot, (uint64_t)_i);
	ck_assert_uint_eq(data.replayed, sample.count - (uint64_t)_i);
	assert_whole();
	mu_data_close(&data);
}
END_TEST

START_TEST(a_snapshot_newer_than_the_journal_is_enough)
{
	kit_journal(&sample, 77, 1, 5);
	kit_snapshot(sample.s);
	open_good();
	assert_whole();
	mu_data_close(&data);
}
END_TEST

/* What it appends comes back, behind what was there. */
START_TEST(it_goes_on_where_it_stopped)
{
	const uint64_t next = sample.count + 1;
	int64_t tree;

	kit_journal(&sample, 77, 1, sample.count);
	open_good();
	tree = mu_store_tree_id(data.store);
	say_create(&sample, 0, "/late", "", 0, 0);
	ck_assert_int_eq(data.journal->append(data.journal, next,
	                                      sample.command.data,
	                                      sample.command.len, &err),
	                 0);
	ck_assert_uint_eq(data.journal->settle(data.journal), next);
	mu_data_close(&data);
	open_good();
	ck_assert_uint_eq(mu_store_index(data.store), next);
	ck_assert_int_eq(mu_store_tree_id(data.store), tree);
	assert_whole();
	mu_data_close(&data);
}
END_TEST

START_TEST(what_was_not_finished_is_removed)
{
	char name[MU_SNAPFILE_NAME_MAX + 8];
	int fd;

	mu_snapfile_name(7, name);
	strcat(name, ".tmp");
	fd = open(kit_path(name), O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	open_good();
	ck_assert(!kit_has(name));
	mu_data_close(&data);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(a_damaged_snapshot_is_passed_over_where_the_journal_reaches)
{
	snapshot_at(10);
	snapshot_at(20);
	kit_spoil_snapshot(20);
	kit_journal(&sample, 77, _i ? 11 : 1, sample.count);
	if (!_i)
		kit_spoil_snapshot(10);
	open_good();
	kit_says(said, "a snapshot is passed over");
	ck_assert_uint_eq(data.snapshot, _i ? 10 : 0);
	assert_whole();
	mu_data_close(&data);
}
END_TEST

START_TEST(a_damaged_snapshot_stops_the_start_where_it_does_not)
{
	char name[MU_SNAPFILE_NAME_MAX];

	snapshot_at(10);
	snapshot_at(20);
	kit_spoil_snapshot(20);
	if (_i)
		kit_journal(&sample, 77, 12, sample.count);
	mu_snapfile_name(20, name);
	assert_refused(MU_EDATA, name);
	kit_says(err.msg, "does not reach back");
	ck_assert(kit_has(name));
}
END_TEST

START_TEST(commands_missing_behind_the_snapshot_stop_the_start)
{
	snapshot_at(10);
	kit_journal(&sample, 77, 12, sample.count);
	assert_refused(MU_EDATA, "11");
}
END_TEST

START_TEST(a_journal_of_another_tree_stops_the_start)
{
	snapshot_at(10);
	kit_journal(&sample, OTHER_TREE, 11, sample.count);
	assert_refused(MU_EDATA, "another tree");
}
END_TEST

START_TEST(a_damaged_epoch_stops_the_start)
{
	open_good();
	mu_data_close(&data);
	kit_spoil("epoch", 15, 1);
	assert_refused(MU_EDATA, "epoch");
}
END_TEST

START_TEST(a_command_that_nobody_knows_stops_the_start)
{
	struct script strange = { .count = 1 };
	const uint32_t len = 4;

	mu_buf_put(&strange.all, &len, sizeof len);
	mu_buf_put(&strange.all, "????", 4);
	kit_journal(&strange, 77, 1, 1);
	assert_refused(MU_EDATA, "command 1");
	kit_says(err.msg, "another version");
	mu_buf_fini(&strange.all);
}
END_TEST

START_TEST(a_second_broker_is_refused)
{
	struct mu_data first;

	if (_i)
		conf("memory");
	open_good();
	first = data;
	conf("disk");
	assert_refused(MU_EFULL, "lock");
	conf("memory");
	assert_refused(MU_EFULL, "lock");
	mu_data_close(&first);
	open_good();
	mu_data_close(&data);
}
END_TEST

/* ---- epochs and sessions ---- */

START_TEST(each_start_is_a_new_epoch)
{
	for (uint32_t n = 1; n < 5; n++) {
		struct mu_store_stats st;

		open_good();
		ck_assert_uint_eq(config.epoch, n);
		mu_store_stats(data.store, &st);
		ck_assert_int_ge(st.zxid, (int64_t)n << 32);
		mu_data_close(&data);
	}
}
END_TEST

/* The file is lost, or was put back from an old copy: the tree knows better. */
START_TEST(no_epoch_of_the_tree_comes_again)
{
	struct script late;
	uint32_t e;

	script_open(&late, kit_store(1));
	late.zxid = INT64_C(41) << 32;
	say_create(&late, 0, "/late", "", 0, 0);
	if (_i < 2)
		kit_journal(&late, 77, 1, 1);
	else
		kit_snapshot(late.s);
	if (_i == 1)
		ck_assert_int_eq(mu_epoch_raise(kit_dir, 3, &e, &err), 0);
	open_good();
	ck_assert_uint_eq(config.epoch, 42);
	mu_data_close(&data);
	script_close(&late);
}
END_TEST

/* Expired sessions would be logged as commands. */
static unsigned logged_until(uint64_t from_ms, uint64_t to_ms)
{
	struct mu_effect fx;
	unsigned count = 0;

	for (uint64_t t = from_ms; t < to_ms; t += 10) {
		mu_store_tick(data.store,
		              (struct mu_when){ t, mu_clock_wall_ms() });
		while (mu_store_effect(data.store, &fx))
			count += fx.kind == MU_FX_LOG;
	}
	return count;
}

/* The shortest of the sample's is 700 ms. */
START_TEST(sessions_have_a_full_timeout_from_the_start)
{
	uint64_t before, after;

	if (_i)
		kit_snapshot(sample.s);
	else
		kit_journal(&sample, 77, 1, sample.count);
	before = mu_clock_mono_ms();
	open_good();
	after = mu_clock_mono_ms();
	ck_assert_uint_eq(logged_until(after, before + 700), 0);
	/* How long the start took may be taken for a stall of the broker. */
	ck_assert_uint_ge(
		logged_until(after > before + 700 ? after : before + 700,
	                     after + 2000 + 2 * (after - before)),
		1);
	mu_data_close(&data);
}
END_TEST

/* ---- a restore that waits ---- */

START_TEST(a_backup_that_waits_takes_the_place_of_all)
{
	struct bytes b = snapshot_of(sample.s);
	struct mu_store_config c = kit_config(1);
	struct mu_snapshot_info info;
	int fd;

	kit_journal(&sample, OTHER_TREE, 1, 3);
	ck_assert_int_eq(mu_restore_begin(kit_dir, &fd, &err), 0);
	ck_assert_int_eq(write(fd, b.at, b.len), (ssize_t)b.len);
	close(fd);
	ck_assert_int_eq(mu_restore_end(kit_dir, &c, &info, &err), 0);
	open_good();
	kit_says(said, "a backup was restored");
	ck_assert_uint_gt(config.epoch, MU_RESTORE_EPOCHS);
	ck_assert_int_ne(config.tree_id, OTHER_TREE);
	ck_assert_int_ne(config.tree_id, 77);
	assert_whole();
	mu_data_close(&data);
	open_good(); /* and its journal is of the same tree */
	assert_whole();
	mu_data_close(&data);
	free(b.at);
}
END_TEST

/* ---- nothing is kept ---- */

START_TEST(in_memory_the_tree_is_empty_and_the_epoch_grows)
{
	conf("memory");
	for (uint32_t n = 1; n < 4; n++) {
		open_good();
		ck_assert_uint_eq(config.epoch, n);
		ck_assert(!data.journal->keeps);
		ck_assert_uint_eq(mu_tree_count(mu_store_tree(data.store)), 5);
		ck_assert_ptr_null(strstr(said, "left unread"));
		mu_data_close(&data);
	}
}
END_TEST

START_TEST(in_memory_a_tree_that_is_there_is_left_with_a_warning)
{
	char name[256];

	if (_i)
		kit_snapshot(sample.s);
	else
		kit_journal(&sample, 77, 1, sample.count);
	conf("memory");
	open_good();
	kit_says(said, "left unread");
	ck_assert_uint_eq(mu_tree_count(mu_store_tree(data.store)), 5);
	mu_data_close(&data);
	ck_assert_uint_ge(kit_count(_i ? "snapshot-" : "journal-", name), 1);
	conf("disk");
	open_good();
	assert_whole();
	mu_data_close(&data);
}
END_TEST

START_TEST(closing_what_was_never_opened_is_fine)
{
	struct mu_data none = { .lock_fd = -1 };

	mu_data_close(&none);
	ck_assert_int_eq(none.lock_fd, -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("data");
	TCase *t = tcase_create("data");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, an_empty_directory_gives_an_empty_tree_of_its_own);
	tcase_add_test(t, a_directory_that_is_missing_is_made);
	tcase_add_test(t, a_journal_alone_is_replayed);
	tcase_add_test(t, a_snapshot_alone_is_read);
	tcase_add_loop_test(t, the_journal_goes_on_where_the_snapshot_ends, 1,
	                    28);
	tcase_add_test(t, a_snapshot_newer_than_the_journal_is_enough);
	tcase_add_test(t, it_goes_on_where_it_stopped);
	tcase_add_test(t, what_was_not_finished_is_removed);
	tcase_add_loop_test(
		t, a_damaged_snapshot_is_passed_over_where_the_journal_reaches,
		0, 2);
	tcase_add_loop_test(
		t, a_damaged_snapshot_stops_the_start_where_it_does_not, 0, 2);
	tcase_add_test(t, commands_missing_behind_the_snapshot_stop_the_start);
	tcase_add_test(t, a_journal_of_another_tree_stops_the_start);
	tcase_add_test(t, a_damaged_epoch_stops_the_start);
	tcase_add_test(t, a_command_that_nobody_knows_stops_the_start);
	tcase_add_loop_test(t, a_second_broker_is_refused, 0, 2);
	tcase_add_test(t, each_start_is_a_new_epoch);
	tcase_add_loop_test(t, no_epoch_of_the_tree_comes_again, 0, 3);
	tcase_add_loop_test(t, sessions_have_a_full_timeout_from_the_start, 0,
	                    2);
	tcase_add_test(t, a_backup_that_waits_takes_the_place_of_all);
	tcase_add_test(t, in_memory_the_tree_is_empty_and_the_epoch_grows);
	tcase_add_loop_test(
		t, in_memory_a_tree_that_is_there_is_left_with_a_warning, 0, 2);
	tcase_add_test(t, closing_what_was_never_opened_is_fine);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
