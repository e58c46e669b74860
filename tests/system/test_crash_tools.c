/* What the crash tests lean on: the shim that kills and tears, the loss of power
 * that is played, and the model that must see each lie of a broker. */
#include "cluster.h"
#include "crash_writer.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the shim, under a shell ---------------------------------------------------- */

static char dir[64], work[96], data[96];
static struct crash c;

static void open_dirs(bool notes)
{
	dir_make(dir, sizeof dir);
	snprintf(work, sizeof work, "%s/work", dir);
	snprintf(data, sizeof data, "%s/data", dir);
	ck_assert_int_eq(mkdir(work, 0700), 0);
	ck_assert_int_eq(mkdir(data, 0700), 0);
	crash_open(&c, data, work, notes);
}

static void close_dirs(void)
{
	crash_close(&c);
	dir_remove(dir);
}

/* The exit code of a shell in the data directory. */
static int sh(const char *text)
{
	const char *argv[] = { "sh", "-c", text, NULL };
	struct run r = { .argv = argv };
	char here[4096];
	int code;

	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	ck_assert_int_eq(chdir(data), 0);
	crash_preload(&c, true);
	run(&r);
	crash_preload(&c, false);
	ck_assert_int_eq(chdir(here), 0);
	code = r.exit;
	run_free(&r);
	return code;
}

static bool holds(const char *name, const char *text)
{
	char path[160];
	char *all;
	bool is;

	snprintf(path, sizeof path, "%s/%s", data, name);
	all = file_read(path, NULL);
	is = text ? all && strcmp(all, text) == 0 : !all;
	free(all);
	return is;
}

START_TEST(calls_that_change_the_directory_are_numbered)
{
	open_dirs(false);
	crash_arm(&c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert_int_eq(sh("echo a > f; mv f g; sync -d g; sync . ;"
	                    "truncate -s 1 g; mkdir d; rm g;"
	                    "echo b > ../elsewhere; cat ../elsewhere"),
	                 0);
	/* >, truncate, >> */
	ck_assert_uint_eq(c.plan->of[CRASH_OPEN], 2);
	ck_assert_uint_eq(c.plan->of[CRASH_WRITE], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_RENAME], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_SYNC], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_SYNC_DIR], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_TRUNCATE], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_MKDIR], 1);
	ck_assert_uint_eq(c.plan->of[CRASH_UNLINK], 1);
	ck_assert_uint_eq(c.plan->calls, 9);
	close_dirs();
}
END_TEST

/* "echo a > f; echo b > g" is open, write, open, write. */
START_TEST(a_program_is_killed_before_or_after_a_call)
{
	for (uint32_t at = 0; at < 4; at++) {
		open_dirs(false);
		crash_arm(&c, CRASH_KILL_BEFORE, CRASH_ALL, at);
		ck_assert_int_eq(sh("echo a > f; echo b > g"), 128 + SIGKILL);
		ck_assert(holds("f", at == 0 ? NULL : at == 1 ? "" : "a\n"));
		ck_assert(holds("g", at < 3 ? NULL : ""));
		ck_assert_uint_eq(c.plan->hits, 1);
		close_dirs();
		open_dirs(false);
		crash_arm(&c, CRASH_KILL_AFTER, CRASH_ALL, at);
		ck_assert_int_eq(sh("echo a > f; echo b > g"), 128 + SIGKILL);
		ck_assert(holds("f", at == 0 ? "" : "a\n"));
		ck_assert(holds("g", at < 2 ? NULL : at == 2 ? "" : "b\n"));
		close_dirs();
	}
}
END_TEST

START_TEST(a_write_is_torn_at_any_byte)
{
	static const char *const left[] = { "", "1", "12", "123" };

	for (uint32_t bytes = 0; bytes < 4; bytes++) {
		open_dirs(false);
		crash_arm(&c, CRASH_TEAR, CRASH_BIT(CRASH_WRITE), 0);
		c.plan->bytes = bytes;
		ck_assert_int_eq(sh("echo 1234567 > f; echo b > g"),
		                 128 + SIGKILL);
		ck_assert(holds("f", left[bytes]));
		ck_assert(holds("g", NULL));
		ck_assert(strstr(crash_hit(&c), "tear, kill: write f"));
		close_dirs();
	}
}
END_TEST

START_TEST(a_call_fails_once_or_until_told_otherwise)
{
	open_dirs(false);
	crash_arm(&c, CRASH_FAIL, CRASH_BIT(CRASH_WRITE), 1);
	c.plan->error = ENOSPC;
	ck_assert_int_eq(sh("echo a > f; echo b > g; echo c > h"), 0);
	ck_assert(holds("f", "a\n") && holds("g", "") && holds("h", "c\n"));
	crash_now(&c, CRASH_FAIL, CRASH_BIT(CRASH_WRITE), ENOSPC);
	ck_assert_int_ne(sh("echo a > i; echo b > k"), 0);
	ck_assert(holds("i", "") && holds("k", ""));
	crash_now(&c, CRASH_COUNT, CRASH_ALL, 0);
	ck_assert_int_eq(sh("echo a > i"), 0);
	ck_assert(holds("i", "a\n"));
	close_dirs();
}
END_TEST

/* The shell writes the rest. */
START_TEST(a_write_is_short)
{
	open_dirs(false);
	crash_arm(&c, CRASH_SHORT, CRASH_BIT(CRASH_WRITE), 0);
	c.plan->bytes = 2;
	ck_assert_int_eq(sh("echo 1234567 > f"), 0);
	ck_assert(holds("f", "1234567\n"));
	ck_assert_uint_eq(c.plan->of[CRASH_WRITE], 2);
	close_dirs();
}
END_TEST

/* ---- the loss of power ------------------------------------------------------------ */

START_TEST(what_was_synced_outlives_a_loss_of_power)
{
	for (uint64_t seed = 0; seed < 12; seed++) {
		open_dirs(true);
		ck_assert_int_eq(sh("echo old > f; sync -d f; sync .; mv f g;"
		                    "sync .; echo new > h; sync -d h; sync ."),
		                 0);
		crash_lose_power(&c, seed);
		ck_assert(holds("g", "old\n"));
		ck_assert(holds("f", NULL));
		ck_assert(holds("h", "new\n"));
		close_dirs();
	}
}
END_TEST

/* Kept by some seeds, lost by others, and nothing but the two or a torn one. */
START_TEST(what_was_not_synced_may_be_lost)
{
	unsigned kept = 0, lost = 0, renamed = 0, torn = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		open_dirs(true);
		ck_assert_int_eq(sh("echo old > f; echo 1 > g; sync -d f;"
		                    "sync -d g; sync .; echo newer >> f;"
		                    "mv g h; echo x > n; rm -f none"),
		                 0);
		crash_lose_power(&c, seed);
		kept += holds("f", "old\nnewer\n");
		lost += holds("f", "old\n");
		torn += holds("f", "old\nne") || holds("f", "old\nnew");
		renamed += holds("h", "1\n");
		ck_assert(holds("g", "1\n") != holds("h", "1\n"));
		/* Nothing is left to be lost. */
		ck_assert_uint_eq(crash_lose_power(&c, seed).lost, 0);
		close_dirs();
	}
	ck_assert_uint_gt(kept, 0);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_gt(torn, 0);
	ck_assert_uint_gt(renamed, 0);
	ck_assert_uint_lt(renamed, 40);
}
END_TEST

START_TEST(removed_and_replaced_files_come_back)
{
	unsigned back = 0, replaced = 0;

	for (uint64_t seed = 0; seed < 16; seed++) {
		open_dirs(true);
		ck_assert_int_eq(sh("echo 1 > f; echo 2 > g; echo 3 > h;"
		                    "sync -d f g h; sync .; mv f g; rm h;"
		                    "truncate -s 1 g"),
		                 0);
		crash_lose_power(&c, seed);
		back += holds("h", "3\n");
		replaced += holds("f", NULL);
		ck_assert(holds("f", NULL)
		                  ? holds("g", "1") || holds("g", "1\n")
		                  : holds("g", "2\n"));
		close_dirs();
	}
	ck_assert_uint_gt(back, 0);
	ck_assert_uint_lt(back, 16);
	ck_assert_uint_gt(replaced, 0);
}
END_TEST

/* A killed program's bytes are read by the next, and can still be lost. */
START_TEST(bytes_stay_unsynced_over_a_restart)
{
	unsigned lost = 0;

	for (uint64_t seed = 0; seed < 10; seed++) {
		open_dirs(true);
		ck_assert_int_eq(sh("echo old > f; sync -d f; sync ."), 0);
		crash_arm(&c, CRASH_KILL_AFTER, CRASH_BIT(CRASH_WRITE), 0);
		ck_assert_int_eq(sh("echo newer >> f"), 128 + SIGKILL);
		crash_arm(&c, CRASH_COUNT, CRASH_ALL, 0);
		ck_assert_int_eq(sh("cat f"), 0);
		crash_lose_power(&c, seed);
		lost += holds("f", "old\n");
		close_dirs();
	}
	ck_assert_uint_gt(lost, 0);
}
END_TEST

/* ---- the model ----------------------------------------------------------------------- */

static struct crash_model model;
static struct crash_seen seen[CRASH_NODES];
static struct crash_view view;
static char why[CRASH_WHY];

static struct crash_op op_of(uint32_t id, enum crash_part_kind kind,
                             const char *name)
{
	struct crash_op op = { .id = id, .session = 7, .parts = 1 };

	op.part[0].kind = kind;
	op.part[0].version = -1;
	op.part[0].len = CRASH_DATA_MIN;
	snprintf(op.part[0].name, sizeof op.part[0].name, "%s", name);
	return op;
}

static void add_part(struct crash_op *op, enum crash_part_kind kind,
                     const char *name)
{
	struct crash_op other = op_of(0, kind, name);

	op->multi = true;
	op->part[op->parts++] = other.part[0];
}

/* What a broker shows that did all that the model says. */
static void show(const struct crash_model *m)
{
	view = (struct crash_view){ .seen = seen };
	for (size_t i = 0; i < m->count; i++) {
		const struct crash_node *n = &m->node[i];
		struct crash_seen *s = &seen[view.count++];

		*s = (struct crash_seen){ .in_queue = n->in_queue,
			                  .op = n->op,
			                  .part = n->part,
			                  .len = n->len };
		snprintf(s->name, sizeof s->name, "%s",
		         n->name[0] ? n->name : "s0-0000000009");
		s->stat.version = n->version;
		s->stat.ephemeral_owner = n->owner;
		s->stat.czxid = n->czxid ? n->czxid : m->last_zxid + 9;
		s->stat.mzxid = n->mzxid ? n->mzxid : m->last_zxid + 9;
		view.folder.num_children += !n->in_queue;
	}
	view.folder.cversion =
		(int32_t)(2 * m->creates) - view.folder.num_children;
}

/* Known to be done: a (version 1), b, the ephemeral e, one in the queue. */
static void begin(void)
{
	struct crash_op op;

	memset(&model, 0, sizeof model);
	op = op_of(1, PART_CREATE, "a");
	ck_assert_int_eq(crash_model_apply(&model, &op), 0);
	op = op_of(2, PART_SET, "a");
	ck_assert_int_eq(crash_model_apply(&model, &op), 0);
	op = op_of(3, PART_CREATE, "b");
	ck_assert_int_eq(crash_model_apply(&model, &op), 0);
	op = op_of(4, PART_CREATE, "e");
	op.part[0].ephemeral = true;
	ck_assert_int_eq(crash_model_apply(&model, &op), 0);
	op = op_of(5, PART_CREATE, "s0-");
	op.part[0].in_queue = true;
	ck_assert_int_eq(crash_model_apply(&model, &op), 0);
	show(&model);
	ck_assert_int_eq(crash_model_resolve(&model, NULL, 0, &view, why), 0);
}

static void check_refused(const struct crash_op *unknown, size_t count,
                          const char *sentence)
{
	const struct crash_model before = model;

	ck_assert_int_eq(
		crash_model_resolve(&model, unknown, count, &view, why), -1);
	ck_assert_msg(strstr(why, sentence) != NULL, "%s", why);
	ck_assert_mem_eq(&before, &model, sizeof model);
}

START_TEST(the_model_sees_a_lost_write)
{
	for (size_t i = 0; i < 4; i++) {
		begin();
		show(&model);
		seen[i] = seen[--view.count];
		check_refused(NULL, 0, "is not there");
	}
}
END_TEST

START_TEST(the_model_sees_a_set_taken_back)
{
	begin();
	show(&model);
	seen[0].op = 1;
	check_refused(NULL, 0, "should have the data of request 2");
	show(&model);
	seen[0].stat.version = 0;
	check_refused(NULL, 0, "should have version 1, not 0");
	show(&model);
	seen[0].damaged = true;
	check_refused(NULL, 0, "damaged");
	show(&model);
	seen[0].stat.mzxid--;
	check_refused(NULL, 0, "mzxid");
	show(&model);
	seen[2].stat.ephemeral_owner = 8;
	check_refused(NULL, 0, "should belong to session 7, not 8");
}
END_TEST

START_TEST(the_model_sees_what_nobody_wrote_and_what_is_there_twice)
{
	begin();
	show(&model);
	seen[view.count] = seen[1];
	strcpy(seen[view.count++].name, "c");
	check_refused(NULL, 0, "should not be there");
	show(&model);
	seen[view.count] = seen[3];
	strcpy(seen[view.count++].name, "s0-0000000010");
	check_refused(NULL, 0, "should not be there");
	show(&model);
	view.folder.cversion += 2;
	check_refused(NULL, 0, "creates");
}
END_TEST

START_TEST(the_model_sees_half_a_multi)
{
	struct crash_op op = op_of(6, PART_CREATE, "m1");
	struct crash_model whole;

	begin();
	add_part(&op, PART_CREATE, "m2");
	whole = model;
	ck_assert_int_eq(crash_model_apply(&whole, &op), 0);
	show(&whole);
	ck_assert_uint_eq(view.count, 6);
	view.count = 5;
	check_refused(&op, 1, "m1");
	/* Whole, or not at all. */
	show(&model);
	ck_assert_int_eq(crash_model_resolve(&model, &op, 1, &view, why), 0);
	show(&whole);
	ck_assert_int_eq(crash_model_resolve(&model, &op, 1, &view, why), 1);
}
END_TEST

START_TEST(the_model_sees_a_request_done_before_an_earlier_one)
{
	struct crash_op op[2] = { op_of(6, PART_SET, "a"),
		                  op_of(7, PART_SET, "b") };
	struct crash_model one;

	begin();
	one = model;
	ck_assert_int_eq(crash_model_apply(&one, &op[1]), 0);
	show(&one);
	check_refused(op, 2, "b");
	one = model;
	ck_assert_int_eq(crash_model_apply(&one, &op[0]), 0);
	show(&one);
	ck_assert_int_eq(crash_model_resolve(&model, op, 2, &view, why), 1);
}
END_TEST

START_TEST(the_model_sees_that_something_read_is_taken_back)
{
	struct crash_op op = op_of(6, PART_SET, "a");

	begin();
	show(&model);
	model.witnessed = 6;
	check_refused(&op, 1, "data of request 6");
}
END_TEST

START_TEST(only_nodes_of_dead_sessions_may_be_gone)
{
	struct crash_op late = op_of(6, PART_CREATE, "f");

	late.part[0].ephemeral = true;
	begin();
	crash_model_end_session(&model, 7, false);
	show(&model);
	ck_assert_int_eq(crash_model_resolve(&model, &late, 1, &view, why), 0);
	ck_assert_uint_eq(model.count, 4);
	show(&model);
	seen[2] = seen[--view.count];
	view.folder.num_children--;
	view.folder.cversion++;
	ck_assert_int_eq(crash_model_resolve(&model, &late, 1, &view, why), 0);
	ck_assert_uint_eq(model.count, 3);
	/* Once gone it stays so. */
	begin();
	crash_model_end_session(&model, 7, true);
	ck_assert_uint_eq(model.count, 3);
	ck_assert_ptr_null(crash_model_find(&model, "e", false));
}
END_TEST

START_TEST(requests_get_the_codes_of_the_tree)
{
	struct crash_op op;

	begin();
	op = op_of(6, PART_CREATE, "a");
	ck_assert_int_eq(crash_model_apply(&model, &op), MU_EEXISTS);
	op = op_of(6, PART_SET, "none");
	ck_assert_int_eq(crash_model_apply(&model, &op), MU_ENONODE);
	op = op_of(6, PART_DELETE, "a");
	op.part[0].version = 5;
	ck_assert_int_eq(crash_model_apply(&model, &op), MU_EBADVERSION);
	op = op_of(6, PART_DELETE, "a");
	add_part(&op, PART_CHECK, "none");
	ck_assert_int_eq(crash_model_apply(&model, &op), MU_ENONODE);
	ck_assert_ptr_nonnull(crash_model_find(&model, "a", false));
}
END_TEST

START_TEST(data_say_who_wrote_them_and_that_they_are_whole)
{
	struct crash_op op = op_of(12, PART_SET, "a");
	char bytes[CRASH_DATA_MAX];
	struct crash_seen s = { .damaged = true };

	op.part[0].len = 1000;
	crash_data(3, &op, 0, bytes);
	ck_assert(crash_data_parse(bytes, 1000, &s));
	ck_assert(s.slot == 3 && s.op == 12 && s.part == 0 && s.len == 1000);
	for (size_t i = 0; i < 1000; i++) {
		bytes[i] ^= 1;
		if (crash_data_parse(bytes, 1000, &s))
			ck_assert(s.slot != 3 || s.op != 12 || s.part != 0);
		bytes[i] ^= 1;
	}
	ck_assert(!crash_data_parse(bytes, 10, &s));
	ck_assert(!crash_data_parse(NULL, -1, &s));
}
END_TEST

/* ---- the writers ------------------------------------------------------------------------- */

/* A broker that keeps nothing is found out. */
START_TEST(the_writers_find_out_a_broker_that_loses_everything)
{
	static struct crash_writer w;
	struct cluster k;

	cluster_open(&k);
	cluster_broker_conf(&k, false, "durability = \"memory\";\n");
	cluster_broker_start(&k);
	crash_writer_open(&w, k.ipc, 1);
	ck_assert(crash_writer_connect(&w, &k.broker));
	ck_assert_msg(crash_writer_run(&w, &k.broker, 400, 0), "%s", w.why);
	ck_assert_msg(crash_writer_check(&w, &k.broker), "%s", w.why);
	ck_assert_uint_ge(w.total_acks, 400);
	ck_assert(!crash_writer_run(&w, &k.broker, 400, 100));
	ck_assert_str_eq(w.why, "");
	ck_assert_int_eq(program_wait(&k.broker, WAIT_MS), 128 + SIGKILL);
	cluster_broker_start(&k);
	ck_assert(!crash_writer_connect(&w, &k.broker) ||
	          !crash_writer_check(&w, &k.broker));
	ck_assert_str_ne(w.why, "");
	crash_writer_close(&w);
	cluster_close(&k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crash_tools");
	TCase *shim = tcase_create("shim"), *tree = tcase_create("model");
	SRunner *r;
	int failed;

	tcase_add_unchecked_fixture(tree, cluster_backend_up, NULL);
	tcase_set_timeout(shim, 60);
	tcase_set_timeout(tree, 60);
	tcase_add_test(shim, calls_that_change_the_directory_are_numbered);
	tcase_add_test(shim, a_program_is_killed_before_or_after_a_call);
	tcase_add_test(shim, a_write_is_torn_at_any_byte);
	tcase_add_test(shim, a_call_fails_once_or_until_told_otherwise);
	tcase_add_test(shim, a_write_is_short);
	tcase_add_test(shim, what_was_synced_outlives_a_loss_of_power);
	tcase_add_test(shim, what_was_not_synced_may_be_lost);
	tcase_add_test(shim, removed_and_replaced_files_come_back);
	tcase_add_test(shim, bytes_stay_unsynced_over_a_restart);
	tcase_add_test(tree, the_model_sees_a_lost_write);
	tcase_add_test(tree, the_model_sees_a_set_taken_back);
	tcase_add_test(
		tree, the_model_sees_what_nobody_wrote_and_what_is_there_twice);
	tcase_add_test(tree, the_model_sees_half_a_multi);
	tcase_add_test(tree,
	               the_model_sees_a_request_done_before_an_earlier_one);
	tcase_add_test(tree, the_model_sees_that_something_read_is_taken_back);
	tcase_add_test(tree, only_nodes_of_dead_sessions_may_be_gone);
	tcase_add_test(tree, requests_get_the_codes_of_the_tree);
	tcase_add_test(tree, data_say_who_wrote_them_and_that_they_are_whole);
	tcase_add_test(tree,
	               the_writers_find_out_a_broker_that_loses_everything);
	suite_add_tcase(suite, shim);
	suite_add_tcase(suite, tree);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
