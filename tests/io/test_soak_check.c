/* The checker of the soak says what is wrong with a record, and nothing of one
 * that is well: faults are planted in a record that is. */
#include "soak_check.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

static struct soak_journal *j;
static struct soak_found found;
static char record[4096];
static const struct soak_scope all = { .top = "/s", .members = true };

static void wrote(const char *path, unsigned type, int64_t zxid, int32_t n,
                  const char *value)
{
	struct soak_entry e = { .type = type,
		                .zxid = zxid,
		                .n = n,
		                .len = value ? (int32_t)strlen(value) : -1 };

	e.digest = soak_digest(value, e.len);
	soak_journal_put(j, path, &e);
}

static void begin(void)
{
	struct soak_line l = { .start = true, .pid = 7 };
	size_t len = strlen(record);

	soak_line_put(record + len, sizeof record - len, &l);
}

static void told(const char *path, unsigned type, unsigned flags,
                 unsigned count, int64_t zxid, int32_t n, const char *value)
{
	struct soak_line l = { .pid = 7,
		               .n = n,
		               .zxid = zxid,
		               .type = type,
		               .flags = flags,
		               .count = count,
		               .len = value ? (int)strlen(value) : -1,
		               .mzxid = zxid,
		               .czxid = zxid };
	size_t len = strlen(record);

	l.digest = soak_digest(value, l.len);
	snprintf(l.path, sizeof l.path, "%s", path);
	soak_line_put(record + len, sizeof record - len, &l);
}

static void set(int64_t zxid, int32_t n, const char *value)
{
	told("/s/a", MU_EVENT_CHANGED, 0, 1, zxid, n, value);
}

/* /s and /s/a were there; then /s/a changed, twice in one transaction, and again,
 * /s/b came, and went with a session of which nobody knows when it ended. */
static void setup(void)
{
	j = soak_journal_new();
	record[0] = '\0';
	wrote("/s", MU_EVENT_CREATED, 1, 0, "top");
	wrote("/s/a", MU_EVENT_CREATED, 2, 0, "one");
	wrote("/s/a", MU_EVENT_CHANGED, 3, 0, "two");
	wrote("/s/a", MU_EVENT_CHANGED, 3, 1, "three");
	wrote("/s/b", MU_EVENT_CREATED, 4, 0, "b");
	wrote("/s", MU_EVENT_CHILDREN, 4, 1, NULL);
	wrote("/s/a", MU_EVENT_CHANGED, 5, 0, "four");
	wrote("/s/b", MU_EVENT_DELETED, -1, -1, NULL);
	begin();
	told("/s", MU_EVENT_PRESENT, 0, 1, 1, 0, "top");
	told("/s/a", MU_EVENT_PRESENT, 0, 1, 2, 0, "one");
}

static void teardown(void)
{
	soak_journal_free(j);
}

static void b_comes(void)
{
	told("/s/b", MU_EVENT_CREATED, 0, 1, 4, 0, "b");
	told("/s", MU_EVENT_CHILDREN, 0, 1, 4, 1, NULL);
}

static void b_goes(void)
{
	told("/s/b", MU_EVENT_DELETED, 0, 1, 6, 2, NULL);
}

/* So many of this fault, and none of another. */
static void assert_found(enum soak_fault fault, unsigned count)
{
	soak_check(j, record, &all, &found);
	for (int i = 0; i < SOAK_FAULTS; i++)
		ck_assert_msg(found.fault[i] == (i == (int)fault ? count : 0),
		              "%s: %u; %s", soak_fault_word((enum soak_fault)i),
		              found.fault[i], found.why[0]);
	ck_assert(soak_is_well(&found) == (count == 0));
	ck_assert_uint_eq(found.whys,
	                  count < SOAK_WHY_MAX ? count : SOAK_WHY_MAX);
}

/* ---- what is well ---- */

START_TEST(a_record_of_all_changes_in_order_is_well)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 0);
	ck_assert_uint_eq(found.events, 8);
	ck_assert_uint_eq(found.lives, 1);
	ck_assert_uint_eq(found.present, 2);
}
END_TEST

START_TEST(a_new_life_may_tell_again_what_it_says_it_tells_again)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	begin();
	told("/s", MU_EVENT_PRESENT, 0, 1, 1, 0, "top");
	told("/s/a", MU_EVENT_PRESENT, 0, 1, 3, 0, "three");
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_AGAIN, 1, 3, 1, "three");
	told("/s/b", MU_EVENT_CREATED, MU_EVENT_AGAIN, 1, 4, 0, "b");
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 0);
	ck_assert_uint_eq(found.again, 2);
}
END_TEST

START_TEST(a_count_stands_for_what_it_counts)
{
	b_comes();
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_OVERFLOW, 3, 5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 0);
	ck_assert_uint_eq(found.counted, 2);
	ck_assert_uint_eq(found.overflows, 1);
}
END_TEST

START_TEST(a_gap_stands_for_what_was_read_behind_it)
{
	told("/s", MU_EVENT_GAP, 0, 1, 2, 0, NULL);
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_COALESCED, 1, 5, 0, "four");
	assert_found(SOAK_LOST, 0);
	/* Two of /s/a; /s/b and the children of /s twice. */
	ck_assert_uint_eq(found.in_gaps, 5);
	ck_assert_uint_eq(found.gaps, 1);
}
END_TEST

/* ---- what is not ---- */

START_TEST(a_change_that_is_missing_is_lost)
{
	set(3, 0, "two");
	b_comes();
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 1);
}
END_TEST

START_TEST(what_is_missing_at_the_end_is_lost_and_the_state_is_wrong)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	b_goes();
	soak_check(j, record, &all, &found);
	ck_assert_uint_eq(found.fault[SOAK_LOST], 1);
	ck_assert_uint_eq(found.fault[SOAK_STATE], 1);
}
END_TEST

START_TEST(a_count_that_is_too_small_hides_nothing)
{
	b_comes();
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_OVERFLOW, 2, 5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 1);
}
END_TEST

START_TEST(a_gap_hides_nothing_that_was_not_read_behind_it)
{
	told("/s", MU_EVENT_GAP, 0, 1, 2, 0, NULL);
	b_comes();
	/* "three" was not told of. */
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 1);
}
END_TEST

START_TEST(a_gap_that_is_over_hides_nothing)
{
	told("/s", MU_EVENT_GAP, 0, 1, 2, 0, NULL);
	set(3, 0, "two");
	b_comes();
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 1);
}
END_TEST

START_TEST(one_change_told_twice_is_doubled)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	begin();
	told("/s", MU_EVENT_PRESENT, 0, 1, 1, 0, "top");
	told("/s/a", MU_EVENT_PRESENT, 0, 1, 5, 0, "four");
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_DOUBLED, 1);
}
END_TEST

START_TEST(one_change_told_twice_in_one_life_is_doubled_whatever_it_says)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_AGAIN, 1, 5, 0, "four");
	b_goes();
	assert_found(SOAK_DOUBLED, 1);
}
END_TEST

START_TEST(two_that_changed_places_are_out_of_order)
{
	set(3, 0, "two");
	set(3, 1, "three");
	told("/s", MU_EVENT_CHILDREN, 0, 1, 4, 1, NULL);
	told("/s/b", MU_EVENT_CREATED, 0, 1, 4, 0, "b");
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_DISORDER, 1);
}
END_TEST

START_TEST(what_nobody_wrote_is_invented)
{
	set(3, 0, "two");
	set(3, 1, "three");
	told("/s/c", MU_EVENT_CREATED, 0, 1, 3, 2, "c");
	set(3, 3, "five");
	b_comes();
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_INVENTED, 2);
}
END_TEST

START_TEST(another_value_or_type_is_wrong)
{
	set(3, 0, "two");
	set(3, 1, "thre");
	b_comes();
	told("/s/a", MU_EVENT_CREATED, 0, 1, 5, 0, "four");
	b_goes();
	assert_found(SOAK_WRONG, 2);
}
END_TEST

START_TEST(what_was_read_again_without_a_gap_is_unsaid)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	told("/s/a", MU_EVENT_CHANGED, MU_EVENT_COALESCED, 1, 5, 0, "four");
	b_goes();
	assert_found(SOAK_UNSAID, 1);
}
END_TEST

START_TEST(an_end_that_nobody_knew_has_one_name_for_all)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	b_goes();
	assert_found(SOAK_LOST, 0);
	/* Another instance heard of it under another. */
	strstr(record, "event 7 6 2")[8] = '7';
	soak_check(j, record, &all, &found);
	ck_assert(!soak_is_well(&found));
}
END_TEST

START_TEST(a_record_with_half_a_line_is_spoilt)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	b_goes();
	strcat(record, "event 7 8");
	assert_found(SOAK_SPOILT, 1);
}
END_TEST

START_TEST(what_more_lines_can_mend_is_unfinished_and_nothing_else)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	soak_check(j, record, &all, &found);
	ck_assert(soak_is_unfinished(&found));
	set(5, 0, "four");
	strcat(record, "event 7 8");
	soak_check(j, record, &all, &found);
	ck_assert(soak_is_unfinished(&found));
	record[strlen(record) - strlen("event 7 8")] = '\0';
	b_goes();
	soak_check(j, record, &all, &found);
	ck_assert(!soak_is_unfinished(&found));
	ck_assert(soak_is_well(&found));
	set(5, 0, "four");
	set(7, 0, "five");
	soak_check(j, record, &all, &found);
	ck_assert(!soak_is_unfinished(&found));
	ck_assert(!soak_is_well(&found));
}
END_TEST

/* ---- members ---- */

START_TEST(a_member_that_left_did_not_fail)
{
	set(3, 0, "two");
	set(3, 1, "three");
	b_comes();
	set(5, 0, "four");
	b_goes();
	wrote("/members/m", MU_EVENT_MEMBER_JOINED, 7, 0, NULL);
	wrote("/members/m", MU_EVENT_MEMBER_LEFT, 8, 1, NULL);
	told("/members/m", MU_EVENT_MEMBER_JOINED, 0, 1, 7, 0, NULL);
	told("/members/m", MU_EVENT_MEMBER_FAILED, 0, 1, 8, 1, NULL);
	assert_found(SOAK_WRONG, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("checker of the soak");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
#define T(test) tcase_add_test(tc, test)
	T(a_record_of_all_changes_in_order_is_well);
	T(a_new_life_may_tell_again_what_it_says_it_tells_again);
	T(a_count_stands_for_what_it_counts);
	T(a_gap_stands_for_what_was_read_behind_it);
	T(a_change_that_is_missing_is_lost);
	T(what_is_missing_at_the_end_is_lost_and_the_state_is_wrong);
	T(a_count_that_is_too_small_hides_nothing);
	T(a_gap_hides_nothing_that_was_not_read_behind_it);
	T(a_gap_that_is_over_hides_nothing);
	T(one_change_told_twice_is_doubled);
	T(one_change_told_twice_in_one_life_is_doubled_whatever_it_says);
	T(two_that_changed_places_are_out_of_order);
	T(what_nobody_wrote_is_invented);
	T(another_value_or_type_is_wrong);
	T(what_was_read_again_without_a_gap_is_unsaid);
	T(an_end_that_nobody_knew_has_one_name_for_all);
	T(a_record_with_half_a_line_is_spoilt);
	T(what_more_lines_can_mend_is_unfinished_and_nothing_else);
	T(a_member_that_left_did_not_fail);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
