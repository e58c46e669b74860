/* The checker of histories: it passes what could have been, and says of each
 * thing that could not have been what is wrong. */
#include "linear.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define A 1u
#define B 2u
#define STEM 3u
#define SEQ 4u
#define PARENT 5u

static struct linear l;
static char why[256];

static const char *name(const void *arg, uint32_t path)
{
	static const char *const names[] = { "?",  "/a",           "/b",
		                             "/q", "/q0000000001", "/p" };

	(void)arg;
	return names[path];
}

static void setup(void)
{
	linear_init(&l);
	why[0] = '\0';
}

static void teardown(void)
{
	linear_fini(&l);
}

/* ---- a language for histories ---- */

static size_t ask_in(uint32_t request, enum linear_kind kind, uint32_t path,
                     uint64_t value)
{
	struct linear_op op = { .kind = kind,
		                .request = request,
		                .path = path,
		                .write = kind != LINEAR_READ,
		                .value = value };

	return linear_ask(&l, &op);
}

static size_t ask(enum linear_kind kind, uint32_t path, uint64_t value)
{
	return ask_in(linear_request(&l), kind, path, value);
}

static struct linear_shown shown(int64_t czxid, int64_t mzxid, int32_t version,
                                 uint64_t value)
{
	return (struct linear_shown){ .exists = true,
		                      .has_value = true,
		                      .has_stat = true,
		                      .value = value,
		                      .version = version,
		                      .czxid = czxid,
		                      .mzxid = mzxid };
}

static void create(uint32_t path, int64_t zxid, uint64_t value)
{
	struct linear_shown s = shown(zxid, zxid, 0, value);

	linear_answer(&l, ask(LINEAR_CREATE, path, value), LINEAR_CREATE, zxid,
	              &s);
}

static void set(uint32_t path, int64_t czxid, int64_t zxid, int32_t version,
                uint64_t value)
{
	struct linear_shown s = shown(czxid, zxid, version, value);

	linear_answer(&l, ask(LINEAR_SET, path, value), LINEAR_SET, zxid, &s);
}

static void delete (uint32_t path, int64_t zxid)
{
	linear_answer(&l, ask(LINEAR_DELETE, path, 0), LINEAR_DELETE, zxid,
	              NULL);
}

static void get(uint32_t path, int64_t zxid, struct linear_shown s)
{
	linear_answer(&l, ask(LINEAR_READ, path, 0), LINEAR_READ, zxid, &s);
}

static void get_nothing(uint32_t path, int64_t zxid)
{
	struct linear_shown s = { .exists = false };

	get(path, zxid, s);
}

static void good(void)
{
	ck_assert_msg(linear_check(&l, name, NULL, why), "%s", why);
}

static void bad(const char *words)
{
	ck_assert_msg(!linear_check(&l, name, NULL, why), "it is passed");
	ck_assert_msg(strstr(why, words), "\"%s\" instead of \"%s\"", why,
	              words);
}

/* ---- what could have been ---- */

START_TEST(an_empty_history_is_good)
{
	good();
}
END_TEST

START_TEST(a_register_that_is_made_set_read_and_deleted_is_good)
{
	get_nothing(A, 1);
	create(A, 2, 100);
	get(A, 2, shown(2, 2, 0, 100));
	set(A, 2, 3, 1, 101);
	get(A, 4, shown(2, 3, 1, 101));
	delete (A, 5);
	get_nothing(A, 5);
	create(A, 6, 102);
	get(A, 7, shown(6, 6, 0, 102));
	good();
}
END_TEST

START_TEST(an_answer_may_come_late_and_be_ordered_early)
{
	size_t early, late;
	struct linear_shown s = shown(2, 2, 0, 100), t = shown(2, 3, 1, 101);

	create(A, 2, 100);
	early = ask(LINEAR_READ, A, 0);
	late = ask(LINEAR_SET, A, 101);
	linear_answer(&l, late, LINEAR_SET, 3, &t);
	linear_answer(&l, early, LINEAR_READ, 2, &s);
	good();
}
END_TEST

START_TEST(an_unanswered_write_may_have_happened_or_not)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	ask(LINEAR_SET, A, 102);
	get(A, 5, shown(2, 4, 1, 102));
	get(A, 6, shown(2, 4, 1, 102));
	ask(LINEAR_DELETE, A, 0);
	get_nothing(A, 8);
	ask(LINEAR_CREATE, A, 103);
	get(A, 10, shown(9, 9, 0, 103));
	good();
}
END_TEST

START_TEST(an_unanswered_write_may_happen_between_two_that_were_answered)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	set(A, 2, 5, 2, 102);
	good();
}
END_TEST

START_TEST(who_only_hears_that_it_exists_need_not_have_seen_what_was_set)
{
	struct linear_shown there = { .exists = true };

	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	get(A, 5, there);
	get(A, 6, shown(2, 4, 1, 101));
	good();
}
END_TEST

START_TEST(an_ephemeral_node_may_go_by_itself)
{
	struct linear_shown s = shown(2, 2, 0, 100);

	create(A, 2, 100);
	s.owner = 7;
	get(A, 3, s);
	get_nothing(A, 4);
	good();
}
END_TEST

START_TEST(a_reset_takes_everything_and_is_nobodys_fault)
{
	create(A, 2, 100);
	linear_reset(&l, 10);
	get_nothing(A, 11);
	create(A, 12, 101);
	good();
}
END_TEST

START_TEST(an_unanswered_sequential_create_explains_a_node_with_a_number)
{
	struct linear_op make = { .kind = LINEAR_CREATE,
		                  .request = linear_request(&l),
		                  .path = STEM,
		                  .parent = PARENT,
		                  .write = true,
		                  .value = 100 };
	struct linear_op look = { .kind = LINEAR_READ,
		                  .request = linear_request(&l),
		                  .path = SEQ,
		                  .stem = STEM };
	struct linear_shown s = shown(2, 2, 0, 100);

	linear_ask(&l, &make);
	linear_answer(&l, linear_ask(&l, &look), LINEAR_READ, 3, &s);
	good();
}
END_TEST

START_TEST(both_halves_of_an_unanswered_multi_are_good)
{
	uint32_t multi;

	create(A, 2, 100);
	create(B, 3, 101);
	multi = linear_request(&l);
	ask_in(multi, LINEAR_SET, A, 102);
	ask_in(multi, LINEAR_SET, B, 103);
	get(A, 4, shown(2, 4, 1, 102));
	get(B, 4, shown(3, 4, 1, 103));
	good();
}
END_TEST

/* ---- what could not ---- */

START_TEST(a_read_that_misses_what_was_answered_before_it_was_asked_is_found)
{
	create(A, 2, 100);
	get(A, 5, shown(2, 2, 0, 100));
	get(A, 4, shown(2, 2, 0, 100));
	bad("had been told before it was asked");
}
END_TEST

START_TEST(two_writes_with_one_zxid_are_found)
{
	struct linear_shown a = shown(2, 2, 0, 100), b = shown(2, 2, 0, 101);
	size_t one = ask(LINEAR_CREATE, A, 100);
	size_t two = ask(LINEAR_CREATE, B, 101);

	linear_answer(&l, one, LINEAR_CREATE, 2, &a);
	linear_answer(&l, two, LINEAR_CREATE, 2, &b);
	bad("are both answered with 2");
}
END_TEST

START_TEST(an_acknowledged_create_that_is_lost_is_found)
{
	create(A, 2, 100);
	get_nothing(A, 4);
	bad("nobody has deleted it");
}
END_TEST

START_TEST(an_acknowledged_delete_that_is_lost_is_found)
{
	create(A, 2, 100);
	delete (A, 3);
	get(A, 4, shown(2, 2, 0, 100));
	bad("it was made before, and not seen");
}
END_TEST

START_TEST(an_acknowledged_set_that_is_lost_is_found_by_the_next_read)
{
	create(A, 2, 100);
	set(A, 2, 3, 1, 101);
	get(A, 4, shown(2, 2, 0, 100));
	bad("its version went back");
}
END_TEST

START_TEST(an_acknowledged_set_that_is_lost_is_found_by_the_next_set)
{
	create(A, 2, 100);
	set(A, 2, 3, 1, 101);
	set(A, 2, 4, 1, 102);
	bad("its version went back");
}
END_TEST

START_TEST(what_was_read_and_taken_back_is_found)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	get(A, 4, shown(2, 3, 1, 101));
	get(A, 5, shown(2, 2, 0, 100));
	bad("its version went back");
}
END_TEST

START_TEST(a_value_that_nobody_wrote_is_found)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	get(A, 4, shown(2, 3, 1, 999));
	bad("nobody has set it to this");
}
END_TEST

START_TEST(a_node_that_nobody_made_is_found)
{
	ask(LINEAR_CREATE, A, 100);
	get(A, 4, shown(3, 3, 0, 101));
	bad("nobody has made it");
}
END_TEST

START_TEST(a_write_that_failed_and_happened_is_found)
{
	struct linear_shown there = { .exists = true };
	size_t at;

	create(A, 2, 100);
	at = ask(LINEAR_SET, A, 101);
	linear_answer(&l, at, LINEAR_READ, 3, &there); /* a bad version */
	get(A, 4, shown(2, 3, 1, 101));
	bad("nobody has set it so often");
}
END_TEST

START_TEST(an_unanswered_write_that_happened_twice_is_found)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	ask(LINEAR_SET, A, 102);
	get(A, 4, shown(2, 3, 1, 101));
	get(A, 6, shown(2, 5, 2, 101));
	bad("nobody has set it to this");
}
END_TEST

START_TEST(an_unanswered_write_that_is_seen_before_it_was_asked_is_found)
{
	create(A, 2, 100);
	get(A, 5, shown(2, 4, 1, 101));
	ask(LINEAR_SET, A, 101);
	bad("nobody has set it so often");
}
END_TEST

START_TEST(an_unanswered_write_that_happened_before_it_was_asked_is_found)
{
	create(A, 2, 100);
	get_nothing(B, 9);
	ask(LINEAR_SET, A, 101);
	get(A, 10, shown(2, 8, 1, 101));
	bad("nobody has set it to this");
}
END_TEST

START_TEST(two_values_of_one_version_are_found)
{
	create(A, 2, 100);
	get(A, 3, shown(2, 2, 0, 100));
	get(A, 4, shown(2, 2, 0, 101));
	bad("one version has two values");
}
END_TEST

START_TEST(one_version_set_at_two_moments_is_found)
{
	create(A, 2, 100);
	get(A, 4, shown(2, 3, 0, 100));
	bad("set at two moments");
}
END_TEST

START_TEST(a_read_that_says_an_older_write_was_not_there_is_found)
{
	create(A, 2, 100);
	ask(LINEAR_SET, A, 101);
	get(A, 5, shown(2, 2, 0, 100));
	get(A, 6, shown(2, 4, 1, 101));
	bad("it was set before, and not seen");
}
END_TEST

START_TEST(a_create_of_what_is_there_is_found)
{
	create(A, 2, 100);
	create(A, 3, 101);
	bad("nobody has deleted it");
}
END_TEST

START_TEST(a_delete_of_what_is_not_there_is_found)
{
	delete (A, 3);
	bad("nobody has made it");
}
END_TEST

START_TEST(half_an_unanswered_multi_is_found)
{
	uint32_t multi;

	create(A, 2, 100);
	create(B, 3, 101);
	multi = linear_request(&l);
	ask_in(multi, LINEAR_SET, A, 102);
	ask_in(multi, LINEAR_SET, B, 103);
	get(A, 4, shown(2, 4, 1, 102));
	get(B, 4, shown(3, 3, 0, 101));
	bad("happened at 4 to /a, but not to /b");
}
END_TEST

START_TEST(a_sequential_number_that_comes_again_is_found)
{
	struct linear_op make = { .kind = LINEAR_CREATE,
		                  .path = STEM,
		                  .parent = PARENT,
		                  .write = true };

	for (int64_t zxid = 2; zxid <= 4; zxid += 2) {
		struct linear_shown s = shown(zxid, zxid, 0, 0);
		struct linear_op *op;

		make.request = linear_request(&l);
		op = linear_answer(&l, linear_ask(&l, &make), LINEAR_CREATE,
		                   zxid, &s);
		op->number = 1;
		op->path = zxid == 2 ? SEQ : B;
	}
	bad("is given number 1, after 1");
}
END_TEST

static const TTest **const tests[] = {
	&an_empty_history_is_good,
	&a_register_that_is_made_set_read_and_deleted_is_good,
	&an_answer_may_come_late_and_be_ordered_early,
	&an_unanswered_write_may_have_happened_or_not,
	&an_unanswered_write_may_happen_between_two_that_were_answered,
	&who_only_hears_that_it_exists_need_not_have_seen_what_was_set,
	&an_ephemeral_node_may_go_by_itself,
	&a_reset_takes_everything_and_is_nobodys_fault,
	&an_unanswered_sequential_create_explains_a_node_with_a_number,
	&both_halves_of_an_unanswered_multi_are_good,
	&a_read_that_misses_what_was_answered_before_it_was_asked_is_found,
	&two_writes_with_one_zxid_are_found,
	&an_acknowledged_create_that_is_lost_is_found,
	&an_acknowledged_delete_that_is_lost_is_found,
	&an_acknowledged_set_that_is_lost_is_found_by_the_next_read,
	&an_acknowledged_set_that_is_lost_is_found_by_the_next_set,
	&what_was_read_and_taken_back_is_found,
	&a_value_that_nobody_wrote_is_found,
	&a_node_that_nobody_made_is_found,
	&a_write_that_failed_and_happened_is_found,
	&an_unanswered_write_that_happened_twice_is_found,
	&an_unanswered_write_that_is_seen_before_it_was_asked_is_found,
	&an_unanswered_write_that_happened_before_it_was_asked_is_found,
	&two_values_of_one_version_are_found,
	&one_version_set_at_two_moments_is_found,
	&a_read_that_says_an_older_write_was_not_there_is_found,
	&a_create_of_what_is_there_is_found,
	&a_delete_of_what_is_not_there_is_found,
	&half_an_unanswered_multi_is_found,
	&a_sequential_number_that_comes_again_is_found,
};

int main(void)
{
	Suite *suite = suite_create("linear");
	SRunner *runner = srunner_create(suite);
	TCase *t = tcase_create("histories");
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(t, *tests[i]);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
