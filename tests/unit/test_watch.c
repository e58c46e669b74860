/* The contract of agent/core/watch.h; rules 29 to 35 and 41. */
#include "watch.h"

#include "fault.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MAX 1000u

static const uint8_t key[16] = "0123456789abcde";
static struct mu_watches *w;

static void setup(void)
{
	w = mu_watches_new(key, MAX);
	ck_assert_ptr_nonnull(w);
}

static void teardown(void)
{
	fault_alloc_off();
	mu_watches_free(w);
}

static void add(uint32_t link, const char *path, unsigned kinds)
{
	ck_assert_int_eq(mu_watches_add(w, link, mu_str_of(path), kinds), 0);
}

static unsigned held(uint32_t link, const char *path)
{
	return mu_watches_held(w, link, mu_str_of(path));
}

/* Trigger, and compare who was told: links in order, as digits. */
static void assert_tells(const char *path, enum mu_node_event event,
                         const char *want)
{
	const uint32_t *links;
	size_t n = mu_watches_trigger(w, mu_str_of(path), event, &links);
	char got[16] = "";

	ck_assert_uint_lt(n, sizeof got);
	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + links[i]);
	ck_assert_str_eq(got, want);
}

#define CREATED MU_NODE_CREATED
#define DELETED MU_NODE_DELETED
#define CHANGED MU_NODE_DATA_CHANGED
#define CHILDREN MU_NODE_CHILDREN_CHANGED

/* One watch of `kind` on /a/b: which event at which path tells it, and is it
 * there afterwards? */
static const struct {
	unsigned kind;
	const char *path;
	enum mu_node_event event;
	bool told, kept;
} matrix[] = {
	{ MU_WATCH_DATA, "/a/b", CREATED, true, false },
	{ MU_WATCH_DATA, "/a/b", DELETED, true, false },
	{ MU_WATCH_DATA, "/a/b", CHANGED, true, false },
	{ MU_WATCH_DATA, "/a/b", CHILDREN, false, true },
	{ MU_WATCH_DATA, "/a/b/c", CREATED, false, true },
	{ MU_WATCH_DATA, "/a", CHANGED, false, true },
	{ MU_WATCH_CHILD, "/a/b", CREATED, false, true },
	{ MU_WATCH_CHILD, "/a/b", DELETED, true, false },
	{ MU_WATCH_CHILD, "/a/b", CHANGED, false, true },
	{ MU_WATCH_CHILD, "/a/b", CHILDREN, true, false },
	{ MU_WATCH_PERSISTENT, "/a/b", CREATED, true, true },
	{ MU_WATCH_PERSISTENT, "/a/b", DELETED, true, true },
	{ MU_WATCH_PERSISTENT, "/a/b", CHANGED, true, true },
	{ MU_WATCH_PERSISTENT, "/a/b", CHILDREN, true, true },
	{ MU_WATCH_PERSISTENT, "/a/b/c", CREATED, false, true },
	{ MU_WATCH_RECURSIVE, "/a/b", CREATED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b", DELETED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b", CHANGED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b", CHILDREN, false, true },
	{ MU_WATCH_RECURSIVE, "/a/b/c", CREATED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b/c/d", DELETED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b/c/d", CHANGED, true, true },
	{ MU_WATCH_RECURSIVE, "/a/b/c", CHILDREN, false, true },
	{ MU_WATCH_RECURSIVE, "/a", CHANGED, false, true },
	{ MU_WATCH_RECURSIVE, "/a/bc", CHANGED, false, true },
	{ MU_WATCH_RECURSIVE, "/", DELETED, false, true },
};

/* rules 30, 33, 34 */
START_TEST(rule30_each_kind_hears_of_its_events)
{
	add(1, "/a/b", matrix[_i].kind);
	assert_tells(matrix[_i].path, matrix[_i].event,
	             matrix[_i].told ? "1" : "");
	ck_assert_uint_eq(held(1, "/a/b"),
	                  matrix[_i].kept ? matrix[_i].kind : 0);
	ck_assert_uint_eq(mu_watches_count(w), matrix[_i].kept);
	ck_assert_uint_eq(mu_watches_path_count(w), matrix[_i].kept);
}
END_TEST

START_TEST(rule29_a_watch_needs_no_node)
{
	add(1, "/not/there", MU_WATCH_DATA);
	assert_tells("/not/there", CREATED, "1");
}
END_TEST

START_TEST(rule30_delete_tells_each_watcher_once)
{
	add(1, "/a", MU_WATCH_DATA | MU_WATCH_CHILD);
	add(2, "/a", MU_WATCH_CHILD);
	assert_tells("/a", DELETED, "12");
	assert_tells("/a", DELETED, "");
	ck_assert_uint_eq(mu_watches_count(w), 0);
}
END_TEST

START_TEST(rule31_a_one_shot_asked_for_twice_fires_once)
{
	add(1, "/a", MU_WATCH_DATA);
	add(1, "/a", MU_WATCH_DATA);
	ck_assert_uint_eq(mu_watches_count(w), 1);
	assert_tells("/a", CHANGED, "1");
	assert_tells("/a", CHANGED, "");
}
END_TEST

START_TEST(rule33_a_link_is_told_once_however_many_kinds_match)
{
	add(1, "/", MU_WATCH_RECURSIVE);
	add(1, "/a", MU_WATCH_RECURSIVE | MU_WATCH_PERSISTENT);
	add(1, "/a/b", MU_WATCH_DATA | MU_WATCH_RECURSIVE);
	assert_tells("/a/b", CHANGED, "1");
	ck_assert_uint_eq(held(1, "/a/b"), MU_WATCH_RECURSIVE);
}
END_TEST

START_TEST(rule33_a_link_whose_last_one_shot_went_is_told_once)
{
	add(1, "/a", MU_WATCH_DATA);
	add(1, "/", MU_WATCH_RECURSIVE);
	assert_tells("/a", CHANGED, "1");
	assert_tells("/a", CHANGED, "1");
	ck_assert_uint_eq(mu_watches_count(w), 1);
}
END_TEST

START_TEST(rule33_persistent_watches_stay)
{
	add(1, "/a", MU_WATCH_PERSISTENT);
	add(2, "/a", MU_WATCH_RECURSIVE);
	for (int i = 0; i < 3; i++)
		assert_tells("/a", CHANGED, "12");
}
END_TEST

START_TEST(rule34_a_recursive_watch_on_the_root_hears_of_all_but_children)
{
	add(1, "/", MU_WATCH_RECURSIVE);
	assert_tells("/", CHANGED, "1");
	assert_tells("/a", CREATED, "1");
	assert_tells("/a/b/c/d", DELETED, "1");
	assert_tells("/a", CHILDREN, "");
	assert_tells("/", CHILDREN, "");
}
END_TEST

START_TEST(rule35_persistent_and_recursive_on_one_path_are_both_kept)
{
	add(1, "/a", MU_WATCH_RECURSIVE);
	add(1, "/a", MU_WATCH_PERSISTENT);
	ck_assert_uint_eq(held(1, "/a"),
	                  MU_WATCH_RECURSIVE | MU_WATCH_PERSISTENT);
	assert_tells("/a", CHILDREN, "1");
	assert_tells("/a/b", CREATED, "1");
	ck_assert_int_eq(
		mu_watches_remove(w, 1, MU_STR("/a"), MU_WATCH_PERSISTENT), 0);
	assert_tells("/a", CHILDREN, "");
	assert_tells("/a/b", CREATED, "1");
}
END_TEST

START_TEST(links_are_told_in_order_of_registration_and_then_upwards)
{
	add(5, "/", MU_WATCH_RECURSIVE);
	add(4, "/a", MU_WATCH_RECURSIVE);
	add(3, "/a/b", MU_WATCH_DATA);
	add(1, "/a/b", MU_WATCH_PERSISTENT);
	add(2, "/a/b", MU_WATCH_DATA);
	assert_tells("/a/b", CHANGED, "31245");
	add(3, "/a/b", MU_WATCH_DATA);
	assert_tells("/a/b", CHANGED, "1345");
}
END_TEST

START_TEST(a_remove_takes_the_named_kinds_only)
{
	add(1, "/a", MU_WATCH_DATA | MU_WATCH_CHILD);
	ck_assert_int_eq(mu_watches_remove(w, 1, MU_STR("/a"), MU_WATCH_DATA),
	                 0);
	ck_assert_uint_eq(held(1, "/a"), MU_WATCH_CHILD);
	ck_assert_int_eq(mu_watches_remove(w, 1, MU_STR("/a"),
	                                   MU_WATCH_DATA | MU_WATCH_CHILD),
	                 0);
	ck_assert_uint_eq(held(1, "/a"), 0);
	ck_assert_uint_eq(mu_watches_path_count(w), 0);
}
END_TEST

START_TEST(rule40_removing_what_is_not_there_is_no_watcher)
{
	add(1, "/a", MU_WATCH_DATA);
	ck_assert_int_eq(mu_watches_remove(w, 1, MU_STR("/a"), MU_WATCH_CHILD),
	                 MU_ENOWATCHER);
	ck_assert_int_eq(mu_watches_remove(w, 2, MU_STR("/a"), MU_WATCH_DATA),
	                 MU_ENOWATCHER);
	ck_assert_int_eq(mu_watches_remove(w, 1, MU_STR("/b"), MU_WATCH_DATA),
	                 MU_ENOWATCHER);
	ck_assert_uint_eq(held(1, "/a"), MU_WATCH_DATA);
	add(2, "/b", MU_WATCH_DATA);
	ck_assert_uint_eq(held(2, "/a"), 0);
	ck_assert_uint_eq(held(1, "/b"), 0);
}
END_TEST

START_TEST(rule41_a_link_takes_all_its_watches_along)
{
	add(1, "/a", MU_WATCH_DATA);
	add(1, "/b", MU_WATCH_RECURSIVE);
	add(2, "/a", MU_WATCH_CHILD);
	add(1, "/c", MU_WATCH_PERSISTENT);
	ck_assert_uint_eq(mu_watches_link_count(w, 1), 3);
	mu_watches_drop_link(w, 1);
	ck_assert_uint_eq(mu_watches_link_count(w, 1), 0);
	ck_assert_uint_eq(mu_watches_count(w), 1);
	ck_assert_uint_eq(mu_watches_path_count(w), 1);
	assert_tells("/b/x", CREATED, "");
	assert_tells("/a", DELETED, "2");
	mu_watches_drop_link(w, 1);
	mu_watches_drop_link(w, 9);
}
END_TEST

START_TEST(the_middle_one_of_a_path_may_go)
{
	add(1, "/a", MU_WATCH_PERSISTENT);
	add(2, "/a", MU_WATCH_PERSISTENT);
	add(3, "/a", MU_WATCH_PERSISTENT);
	mu_watches_drop_link(w, 2);
	assert_tells("/a", CHANGED, "13");
	mu_watches_drop_link(w, 3);
	add(4, "/a", MU_WATCH_PERSISTENT);
	assert_tells("/a", CHANGED, "14");
	mu_watches_drop_link(w, 1);
	assert_tells("/a", CHANGED, "4");
}
END_TEST

START_TEST(the_path_is_copied)
{
	char path[] = "/abc";

	add(1, path, MU_WATCH_DATA);
	path[1] = 'x';
	assert_tells("/abc", CHANGED, "1");
}
END_TEST

START_TEST(the_limit_can_be_reached_and_not_passed)
{
	for (uint32_t link = 1; link <= MAX; link++)
		add(link, "/a", MU_WATCH_DATA);
	ck_assert_int_eq(
		mu_watches_add(w, MAX + 1, MU_STR("/a"), MU_WATCH_DATA),
		MU_EFULL);
	ck_assert_int_eq(mu_watches_add(w, 1, MU_STR("/b"), MU_WATCH_DATA),
	                 MU_EFULL);
	ck_assert_uint_eq(mu_watches_path_count(w), 1);
	ck_assert_uint_eq(mu_watches_count(w), MAX);
	/* One more kind of what is there is no registration more. */
	add(1, "/a", MU_WATCH_CHILD);
	mu_watches_drop_link(w, 1);
	add(MAX + 1, "/a", MU_WATCH_DATA);
}
END_TEST

START_TEST(many_links_on_one_path_are_each_told)
{
	const uint32_t *links;

	for (uint32_t link = 1; link <= MAX; link++)
		add(link, "/a", MU_WATCH_DATA);
	fault_alloc_at(0);
	ck_assert_uint_eq(mu_watches_trigger(w, MU_STR("/a"), CHANGED, &links),
	                  MAX);
	ck_assert(!fault_alloc_off());
	for (uint32_t i = 0; i < MAX; i++)
		if (links[i] != i + 1)
			ck_abort_msg("link %u is missing", i + 1);
	ck_assert_uint_eq(mu_watches_count(w), 0);
}
END_TEST

START_TEST(an_add_without_memory_changes_nothing)
{
	unsigned k = 0;
	int rc;

	do {
		fault_alloc_at(k++);
		rc = mu_watches_add(w, 1, MU_STR("/a"), MU_WATCH_RECURSIVE);
		ck_assert_int_eq(fault_alloc_off(), rc != 0);
		ck_assert(rc == 0 || rc == MU_ENOMEM);
		ck_assert_uint_eq(mu_watches_count(w), rc == 0);
		ck_assert_uint_eq(mu_watches_path_count(w), rc == 0);
		ck_assert_uint_eq(mu_watches_link_count(w, 1), rc == 0);
		if (rc) {
			assert_tells("/a", CHANGED, "");
			/* So that what was gained is swept again. */
			teardown();
			setup();
		}
	} while (rc);
	ck_assert_uint_gt(k, 8);
	assert_tells("/a", CHANGED, "1");
}
END_TEST

START_TEST(an_add_beside_others_without_memory_leaves_them)
{
	unsigned k = 0;
	int rc;

	add(1, "/a", MU_WATCH_PERSISTENT);
	add(2, "/b", MU_WATCH_PERSISTENT);
	do {
		fault_alloc_at(k++);
		rc = mu_watches_add(w, 2, MU_STR("/c"), MU_WATCH_DATA);
		ck_assert_int_eq(fault_alloc_off(), rc != 0);
		ck_assert_uint_eq(mu_watches_link_count(w, 2), rc ? 1 : 2);
	} while (rc);
	assert_tells("/a", CHANGED, "1");
	assert_tells("/b", CHANGED, "2");
	assert_tells("/c", CHANGED, "2");
}
END_TEST

START_TEST(a_table_may_be_refused_memory_at_every_step)
{
	struct mu_watches *v = NULL;
	unsigned k = 0;

	while (!v) {
		fault_alloc_at(k++);
		v = mu_watches_new(key, 1);
		ck_assert_int_eq(fault_alloc_off(), !v);
	}
	ck_assert_uint_gt(k, 6);
	mu_watches_free(v);
	mu_watches_free(NULL);
}
END_TEST

START_TEST(a_watch_without_a_kind_is_a_bug)
{
	mu_watches_add(w, 1, MU_STR("/a"), 0);
}
END_TEST

/* Against the plainest table: kinds by link and path. */
#define LINKS 6
#define PATHS 8

static const char *const paths[PATHS] = { "/",    "/a",     "/b",     "/a/a",
	                                  "/a/b", "/a/b/c", "/b/a/c", "/ab" };
static unsigned model[LINKS][PATHS];

static void model_trigger(unsigned p, enum mu_node_event event)
{
	static const unsigned tells[] = { 0, 1 | 4 | 8, 15, 1 | 4 | 8, 2 | 4 };
	static const unsigned uses[] = { 0, 1, 3, 1, 2 };
	const uint32_t *links;
	size_t n = mu_watches_trigger(w, mu_str_of(paths[p]), event, &links);
	unsigned want = 0, got = 0;

	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(got >> links[i] & 1, 0);
		got |= 1u << links[i];
	}
	for (unsigned l = 0; l < LINKS; l++)
		for (unsigned q = 0; q < PATHS; q++) {
			bool above = p != q &&
			             mu_path_is_within(mu_str_of(paths[p]),
			                               mu_str_of(paths[q]));

			if ((p == q && (model[l][q] & tells[event])) ||
			    (above && event != CHILDREN &&
			     (model[l][q] & MU_WATCH_RECURSIVE)))
				want |= 1u << (l + 1);
			if (p == q)
				model[l][q] &= ~uses[event];
		}
	ck_assert_uint_eq(got, want);
}

static void model_step(void)
{
	unsigned l = (unsigned)rand() % LINKS, p = (unsigned)rand() % PATHS;
	unsigned kinds = 1 + (unsigned)rand() % 15;
	struct mu_str path = mu_str_of(paths[p]);
	int rc;

	switch (rand() % 8) {
	case 0:
		rc = mu_watches_remove(w, l + 1, path, kinds);
		ck_assert_int_eq(rc, model[l][p] & kinds ? 0 : MU_ENOWATCHER);
		model[l][p] &= ~kinds;
		break;
	case 1:
		mu_watches_drop_link(w, l + 1);
		memset(model[l], 0, sizeof model[l]);
		break;
	case 2:
	case 3:
	case 4:
		model_trigger(p, (enum mu_node_event)(1 + rand() % 4));
		break;
	default:
		add(l + 1, paths[p], kinds);
		model[l][p] |= kinds;
	}
}

START_TEST(watches_do_as_the_model_does)
{
	srand(5);
	for (int i = 0; i < 5000; i++) {
		uint32_t count = 0;
		bool same = true;

		model_step();
		for (uint32_t l = 0; l < LINKS; l++)
			for (unsigned p = 0; p < PATHS; p++) {
				same &= held(l + 1, paths[p]) == model[l][p];
				count += model[l][p] != 0;
			}
		ck_assert(same && mu_watches_count(w) == count);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *c = tcase_create("watch");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, rule30_each_kind_hears_of_its_events, 0,
	                    (int)(sizeof matrix / sizeof matrix[0]));
	tcase_add_test(c, rule29_a_watch_needs_no_node);
	tcase_add_test(c, rule30_delete_tells_each_watcher_once);
	tcase_add_test(c, rule31_a_one_shot_asked_for_twice_fires_once);
	tcase_add_test(c, rule33_a_link_is_told_once_however_many_kinds_match);
	tcase_add_test(c, rule33_a_link_whose_last_one_shot_went_is_told_once);
	tcase_add_test(c, rule33_persistent_watches_stay);
	tcase_add_test(
		c,
		rule34_a_recursive_watch_on_the_root_hears_of_all_but_children);
	tcase_add_test(
		c, rule35_persistent_and_recursive_on_one_path_are_both_kept);
	tcase_add_test(
		c, links_are_told_in_order_of_registration_and_then_upwards);
	tcase_add_test(c, a_remove_takes_the_named_kinds_only);
	tcase_add_test(c, rule40_removing_what_is_not_there_is_no_watcher);
	tcase_add_test(c, rule41_a_link_takes_all_its_watches_along);
	tcase_add_test(c, the_middle_one_of_a_path_may_go);
	tcase_add_test(c, the_path_is_copied);
	tcase_add_test(c, the_limit_can_be_reached_and_not_passed);
	tcase_add_test(c, many_links_on_one_path_are_each_told);
	tcase_add_test(c, an_add_without_memory_changes_nothing);
	tcase_add_test(c, an_add_beside_others_without_memory_leaves_them);
	tcase_add_test(c, a_table_may_be_refused_memory_at_every_step);
	tcase_add_test_raise_signal(c, a_watch_without_a_kind_is_a_bug,
	                            SIGABRT);
	tcase_add_test(c, watches_do_as_the_model_does);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
