/* The contract of agent/core/changelog.h. */
#include "changelog.h"

#include "err.h"
#include "fault.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024u
#define PLENTY (1024u * KIB)

static struct mu_changelog *l;
static struct mu_buf b;

static void setup(void)
{
	mu_buf_init(&b);
	l = mu_changelog_new();
	ck_assert_ptr_nonnull(l);
	mu_changelog_limit(l, 10, PLENTY);
}

static void teardown(void)
{
	fault_alloc_off();
	mu_changelog_free(l);
	mu_buf_fini(&b);
}

static void note(enum mu_node_event type, const char *path,
                 const struct mu_vec *acl)
{
	size_t begin = mu_noted_begin(&b, type, acl);

	mu_put_str(&b, mu_str_of(path));
	mu_put_str(&b, MU_STR("rest"));
	mu_noted_end(&b, begin);
}

/* A transaction of so many changes to /<zxid>.<n>. */
static void add(int64_t zxid, uint32_t count)
{
	mu_buf_reset(&b);
	for (uint32_t n = 0; n < count; n++) {
		char path[32];

		mu_format(path, sizeof path, "/%d.%u", (int)zxid, (unsigned)n);
		note(MU_NODE_CREATED, path, NULL);
	}
	mu_changelog_add(l, zxid, count, b.data, b.len);
}

/* What a walk from (zxid, n) finds, as "5.0 5.1 7.0". */
static const char *walked(int64_t zxid, int32_t n)
{
	static char text[400];
	struct mu_changelog_walk w;
	struct mu_noted c;
	size_t len = 0;

	text[0] = '\0';
	mu_changelog_seek(l, zxid, n, &w);
	while (mu_changelog_next(&w, &c)) {
		char path[32];

		mu_format(path, sizeof path, "/%d.%d", (int)w.zxid, w.n);
		ck_assert(mu_str_eq(c.path, mu_str_of(path)));
		len += mu_format(text + len, sizeof text - len, "%s%s",
		                 len ? " " : "", path + 1);
	}
	return text;
}

static void assert_floor(int64_t zxid, int32_t n)
{
	int32_t floor_n;

	ck_assert_int_eq(mu_changelog_floor(l, &floor_n), zxid);
	ck_assert_int_eq(floor_n, n);
	ck_assert(mu_changelog_reaches(l, zxid, n));
	ck_assert(mu_changelog_reaches(l, zxid + 1, -1));
	ck_assert(mu_changelog_reaches(l, zxid, MU_CHANGE_N_END));
	ck_assert(!mu_changelog_reaches(l, zxid - 1, MU_CHANGE_N_END));
	if (n >= 0)
		ck_assert(!mu_changelog_reaches(l, zxid, n - 1));
}

/* ---- one change ---- */

START_TEST(a_noted_change_comes_back_as_it_was)
{
	const struct mu_vec acl = { 1, (const uint8_t *)"entry", 5 };
	struct mu_in walk;
	struct mu_noted c;

	note(MU_NODE_DELETED, "/a", NULL);
	note(MU_NODE_DATA_CHANGED, "/b", &acl);
	walk = mu_in_of(b.data, b.len);
	ck_assert(mu_noted_next(&walk, &c));
	ck_assert_int_eq(c.type, MU_NODE_DELETED);
	ck_assert(c.open);
	ck_assert(mu_str_eq(c.path, MU_STR("/a")));
	ck_assert_uint_eq(c.tail.len, 4 + 2 + 4 + 4);
	ck_assert_mem_eq(c.tail.at, "\0\0\0\2/a\0\0\0\4rest", 14);
	ck_assert(mu_noted_next(&walk, &c));
	ck_assert_int_eq(c.type, MU_NODE_DATA_CHANGED);
	ck_assert(!c.open);
	ck_assert_int_eq(c.acl.count, 1);
	ck_assert_uint_eq(c.acl.len, 5);
	ck_assert_mem_eq(c.acl.at, "entry", 5);
	ck_assert(mu_str_eq(c.path, MU_STR("/b")));
	ck_assert(!mu_noted_next(&walk, &c));
}
END_TEST

START_TEST(an_acl_without_entries_is_not_an_open_one)
{
	const struct mu_vec acl = { 0, (const uint8_t *)"", 0 };
	struct mu_in walk;
	struct mu_noted c;

	note(MU_NODE_CREATED, "/a", &acl);
	walk = mu_in_of(b.data, b.len);
	ck_assert(mu_noted_next(&walk, &c));
	ck_assert(!c.open);
	ck_assert_int_eq(c.acl.count, 0);
}
END_TEST

/* ---- walking ---- */

START_TEST(an_empty_log_has_all_behind_its_beginning)
{
	assert_floor(0, -1);
	ck_assert_str_eq(walked(0, -1), "");
	ck_assert_str_eq(walked(99, 3), "");
	ck_assert_uint_eq(mu_changelog_count(l), 0);
	ck_assert_uint_eq(mu_changelog_bytes(l), 0);
}
END_TEST

START_TEST(a_walk_gives_all_behind_a_position_in_order)
{
	add(5, 2);
	add(7, 1);
	add(8, 3);
	ck_assert_str_eq(walked(0, -1), "5.0 5.1 7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(5, -1), "5.0 5.1 7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(5, 0), "5.1 7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(5, 1), "7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(5, MU_CHANGE_N_END), "7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(6, 0), "7.0 8.0 8.1 8.2");
	ck_assert_str_eq(walked(8, 1), "8.2");
	ck_assert_str_eq(walked(8, 2), "");
	ck_assert_str_eq(walked(8, 7), "");
	ck_assert_str_eq(walked(9, -1), "");
}
END_TEST

START_TEST(at_its_end_a_walk_stays_where_it_was)
{
	struct mu_changelog_walk w;
	struct mu_noted c;

	add(5, 2);
	mu_changelog_seek(l, 4, 9, &w);
	ck_assert_int_eq(w.zxid, 4);
	ck_assert_int_eq(w.n, 9);
	while (mu_changelog_next(&w, &c))
		;
	ck_assert_int_eq(w.zxid, 5);
	ck_assert_int_eq(w.n, 1);
	ck_assert(!mu_changelog_next(&w, &c));
	ck_assert_int_eq(w.zxid, 5);
	ck_assert_int_eq(w.n, 1);
}
END_TEST

START_TEST(a_transaction_without_changes_is_nothing)
{
	add(5, 1);
	mu_changelog_add(l, 6, 0, NULL, 0);
	ck_assert_uint_eq(mu_changelog_count(l), 1);
	ck_assert_str_eq(walked(5, 0), "");
	assert_floor(0, -1);
}
END_TEST

/* ---- limits ---- */

START_TEST(as_many_changes_as_may_be_are_held_and_not_one_more)
{
	for (int64_t zxid = 1; zxid <= 10; zxid++)
		add(zxid, 1);
	ck_assert_uint_eq(mu_changelog_count(l), 10);
	assert_floor(0, -1);
	add(11, 1);
	ck_assert_uint_eq(mu_changelog_count(l), 10);
	assert_floor(1, 0);
	ck_assert_str_eq(walked(1, 0),
	                 "2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 10.0 11.0");
}
END_TEST

START_TEST(whole_transactions_go)
{
	add(1, 4);
	add(2, 6);
	assert_floor(0, -1);
	add(3, 1);
	assert_floor(1, 3);
	ck_assert_str_eq(walked(1, 3), "2.0 2.1 2.2 2.3 2.4 2.5 3.0");
	add(4, 9);
	assert_floor(2, 5);
	ck_assert_uint_eq(mu_changelog_count(l), 10);
}
END_TEST

START_TEST(one_transaction_may_fill_it_and_one_that_is_larger_empties_it)
{
	add(1, 10);
	ck_assert_uint_eq(mu_changelog_count(l), 10);
	assert_floor(0, -1);
	add(2, 11);
	ck_assert_uint_eq(mu_changelog_count(l), 0);
	ck_assert_uint_eq(mu_changelog_bytes(l), 0);
	assert_floor(2, 10);
	add(3, 1);
	assert_floor(2, 10);
	ck_assert_str_eq(walked(2, 10), "3.0");
}
END_TEST

START_TEST(bytes_are_limited_to_the_byte)
{
	uint64_t one;

	add(1, 1);
	one = mu_changelog_bytes(l);
	ck_assert_uint_gt(one, b.len);
	mu_changelog_limit(l, 10, 3 * one);
	add(2, 1);
	add(3, 1);
	ck_assert_uint_eq(mu_changelog_bytes(l), 3 * one);
	assert_floor(0, -1);
	mu_changelog_limit(l, 10, 3 * one - 1);
	ck_assert_uint_eq(mu_changelog_bytes(l), 2 * one);
	assert_floor(1, 0);
	add(4, 1);
	ck_assert_uint_eq(mu_changelog_bytes(l), 2 * one);
	assert_floor(2, 0);
	mu_changelog_limit(l, 10, one - 1);
	add(5, 1);
	ck_assert_uint_eq(mu_changelog_count(l), 0);
	assert_floor(5, 0);
}
END_TEST

START_TEST(a_log_of_nothing_still_knows_where_it_is)
{
	ck_assert(mu_changelog_keeps(l));
	mu_changelog_limit(l, 0, PLENTY);
	ck_assert(!mu_changelog_keeps(l));
	add(4, 2);
	ck_assert_uint_eq(mu_changelog_count(l), 0);
	assert_floor(4, 1);
	mu_changelog_limit(l, 10, 0);
	ck_assert(!mu_changelog_keeps(l));
	add(5, 1);
	assert_floor(5, 0);
	mu_changelog_limit(l, 10, PLENTY);
	add(6, 1);
	assert_floor(5, 0);
	ck_assert_str_eq(walked(5, 0), "6.0");
}
END_TEST

START_TEST(a_lower_limit_holds_at_once)
{
	add(1, 2);
	add(2, 2);
	add(3, 2);
	mu_changelog_limit(l, 4, PLENTY);
	ck_assert_uint_eq(mu_changelog_count(l), 4);
	assert_floor(1, 1);
	mu_changelog_limit(l, 3, PLENTY);
	ck_assert_uint_eq(mu_changelog_count(l), 2);
	assert_floor(2, 1);
}
END_TEST

START_TEST(it_begins_where_it_is_told_to)
{
	add(1, 2);
	mu_changelog_start(l, 40, MU_CHANGE_N_END);
	ck_assert_uint_eq(mu_changelog_count(l), 0);
	ck_assert(!mu_changelog_reaches(l, 40, 6));
	ck_assert(mu_changelog_reaches(l, 40, MU_CHANGE_N_END));
	mu_changelog_start(l, 40, 6);
	assert_floor(40, 6);
	add(41, 1);
	ck_assert_str_eq(walked(40, 6), "41.0");
}
END_TEST

START_TEST(it_knows_how_much_the_last_transaction_changed)
{
	ck_assert_int_eq(mu_changelog_of(l, 0), 0);
	add(5, 3);
	ck_assert_int_eq(mu_changelog_of(l, 5), 3);
	ck_assert_int_eq(mu_changelog_of(l, 6), 0);
	ck_assert_int_eq(mu_changelog_of(l, 4), -1);
	mu_changelog_start(l, 9, 1);
	ck_assert_int_eq(mu_changelog_of(l, 9), 2);
	mu_changelog_start(l, 9, MU_CHANGE_N_END);
	ck_assert_int_eq(mu_changelog_of(l, 9), -1);
	ck_assert_int_eq(mu_changelog_of(l, 10), 0);
	mu_changelog_limit(l, 0, 0);
	add(11, 2);
	ck_assert_int_eq(mu_changelog_of(l, 11), 2);
}
END_TEST

/* ---- a model: a plain list of all that was ever added ---- */

START_TEST(it_is_the_end_of_what_was_added)
{
	static int64_t zxids[4000];
	static uint32_t counts[4000];
	uint32_t seed = 4;
	int64_t zxid = 0;

	mu_changelog_limit(l, 300, PLENTY);
	for (unsigned i = 0; i < 4000; i++) {
		struct mu_changelog_walk w;
		struct mu_noted c;
		int64_t from;
		int32_t n;
		unsigned at = i + 1;
		uint32_t held = 0;

		seed = seed * 1664525 + 1013904223;
		zxid += 1 + (seed >> 20) % 3;
		zxids[i] = zxid;
		counts[i] = 1 + (seed >> 24) % 5;
		add(zxid, counts[i]);
		if (i % 37)
			continue;
		while (at > 0 && held + counts[at - 1] <= 300)
			held += counts[--at];
		ck_assert_uint_eq(mu_changelog_count(l), held);
		from = mu_changelog_floor(l, &n);
		ck_assert_int_eq(from, at ? zxids[at - 1] : 0);
		mu_changelog_seek(l, from, n, &w);
		for (; at <= i; at++)
			for (uint32_t k = 0; k < counts[at]; k++) {
				ck_assert(mu_changelog_next(&w, &c));
				ck_assert_int_eq(w.zxid, zxids[at]);
				ck_assert_int_eq(w.n, (int32_t)k);
			}
		ck_assert(!mu_changelog_next(&w, &c));
	}
}
END_TEST

/* ---- memory ---- */

START_TEST(memory_refused_makes_it_begin_anew_and_say_so)
{
	bool reached = true;

	for (unsigned k = 0; reached; k++) {
		struct mu_changelog *kept = l;

		l = mu_changelog_new();
		ck_assert_ptr_nonnull(l);
		mu_changelog_limit(l, 1000, PLENTY);
		for (int64_t zxid = 1; zxid < 64; zxid++)
			add(zxid, 1);
		fault_alloc_at(k);
		for (int64_t zxid = 64; zxid < 67; zxid++) {
			int64_t floor = 0;

			add(zxid, 1);
			floor = mu_changelog_floor(l, NULL);
			ck_assert_uint_eq(mu_changelog_count(l),
			                  (uint32_t)(zxid - floor));
		}
		reached = fault_alloc_off();
		ck_assert(!reached || mu_changelog_floor(l, NULL) >= 64);
		add(67, 1);
		ck_assert_str_eq(walked(66, 0), "67.0");
		mu_changelog_free(l);
		l = kept;
	}
	fault_alloc_at(0);
	ck_assert_ptr_null(mu_changelog_new());
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_noted_change_comes_back_as_it_was,
		an_acl_without_entries_is_not_an_open_one,
		an_empty_log_has_all_behind_its_beginning,
		a_walk_gives_all_behind_a_position_in_order,
		at_its_end_a_walk_stays_where_it_was,
		a_transaction_without_changes_is_nothing,
		as_many_changes_as_may_be_are_held_and_not_one_more,
		whole_transactions_go,
		one_transaction_may_fill_it_and_one_that_is_larger_empties_it,
		bytes_are_limited_to_the_byte,
		a_log_of_nothing_still_knows_where_it_is,
		a_lower_limit_holds_at_once,
		it_begins_where_it_is_told_to,
		it_knows_how_much_the_last_transaction_changed,
		it_is_the_end_of_what_was_added,
		memory_refused_makes_it_begin_anew_and_say_so,
	};
	Suite *s = suite_create("changelog");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
