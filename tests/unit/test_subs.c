/* The contract of agent/core/subs.h. */
#include "subs.h"

#include "err.h"
#include "fault.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[16] = "0123456789abcde";
static struct mu_subs *t;

static void setup(void)
{
	t = mu_subs_new(key);
	ck_assert_ptr_nonnull(t);
}

static void teardown(void)
{
	fault_alloc_off();
	mu_subs_free(t);
}

#define EXACT MU_SUBSCRIBE_EXACT
#define CHILDREN MU_SUBSCRIBE_CHILDREN
#define SUBTREE MU_SUBSCRIBE_SUBTREE
#define CREATED MU_NODE_CREATED
#define DELETED MU_NODE_DELETED
#define CHANGED MU_NODE_DATA_CHANGED
#define CHILDREN_CHANGED MU_NODE_CHILDREN_CHANGED

static struct mu_sub *add(uint32_t link, int32_t id, const char *path,
                          enum mu_subscribe_mode mode)
{
	struct mu_sub *s;

	ck_assert_int_eq(mu_subs_add(t, link, id, mu_str_of(path), mode, &s),
	                 0);
	return s;
}

/* Who is to be told, as "link.id link.id". */
static const char *match(const char *path, enum mu_node_event event)
{
	static char text[400];
	struct mu_subs_walk w;
	const struct mu_sub *s;
	size_t len = 0;

	text[0] = '\0';
	mu_subs_match(t, mu_str_of(path), event, &w);
	while ((s = mu_subs_next(&w)))
		len += mu_format(text + len, sizeof text - len, "%s%u.%d",
		                 len ? " " : "", (unsigned)s->link, s->id);
	ck_assert_ptr_null(mu_subs_next(&w));
	return text;
}

START_TEST(an_added_subscription_is_as_it_was_asked_for)
{
	const struct mu_sub *s = add(7, -3, "/a", CHILDREN);

	ck_assert_uint_eq(s->link, 7);
	ck_assert_int_eq(s->id, -3);
	ck_assert_int_eq(s->mode, CHILDREN);
	ck_assert_int_eq(s->prev_zxid, 0);
	ck_assert_ptr_eq(mu_subs_find(t, 7, -3), s);
	ck_assert_ptr_null(mu_subs_find(t, 7, 3));
	ck_assert_ptr_null(mu_subs_find(t, 8, -3));
	ck_assert_uint_eq(mu_subs_count(t), 1);
	ck_assert_uint_eq(mu_subs_link_count(t, 7), 1);
	ck_assert_uint_eq(mu_subs_link_count(t, 8), 0);
}
END_TEST

START_TEST(a_number_in_use_is_the_callers_fault)
{
	struct mu_sub *s;

	add(1, 1, "/a", EXACT);
	mu_subs_add(t, 1, 1, MU_STR("/b"), EXACT, &s);
}
END_TEST

/* Each mode on /a/b: is it told of this event of that path? */
static const struct {
	const char *path;
	enum mu_node_event event;
	bool told[3];
} fits[] = {
	{ "/a/b", CREATED, { true, true, true } },
	{ "/a/b", DELETED, { true, true, true } },
	{ "/a/b", CHANGED, { true, true, true } },
	{ "/a/b", CHILDREN_CHANGED, { true, true, true } },
	{ "/a/b/c", CREATED, { false, true, true } },
	{ "/a/b/c", DELETED, { false, true, true } },
	{ "/a/b/c", CHANGED, { false, true, true } },
	{ "/a/b/c", CHILDREN_CHANGED, { false, false, false } },
	{ "/a/b/c/d", CREATED, { false, false, true } },
	{ "/a/b/c/d", DELETED, { false, false, true } },
	{ "/a/b/c/d", CHANGED, { false, false, true } },
	{ "/a/b/c/d", CHILDREN_CHANGED, { false, false, false } },
	{ "/a/b/c/d/e/f", CHANGED, { false, false, true } },
	{ "/a", CREATED, { false, false, false } },
	{ "/a", CHILDREN_CHANGED, { false, false, false } },
	{ "/", CHILDREN_CHANGED, { false, false, false } },
	{ "/a/bc", CREATED, { false, false, false } },
	{ "/a/bc/d", CREATED, { false, false, false } },
	{ "/b", CREATED, { false, false, false } },
};

START_TEST(each_mode_is_told_what_it_says)
{
	const struct mu_str top = MU_STR("/a/b");

	for (int32_t mode = 0; mode < 3; mode++)
		add(1, mode, "/a/b", (enum mu_subscribe_mode)mode);
	for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
		char want[20] = "";
		size_t len = 0;

		for (int mode = 0; mode < 3; mode++) {
			ck_assert_int_eq(
				mu_sub_fits((enum mu_subscribe_mode)mode, top,
			                    fits[i].event,
			                    mu_str_of(fits[i].path)),
				fits[i].told[mode]);
			if (fits[i].told[mode])
				len += mu_format(want + len, sizeof want - len,
				                 "%s1.%d", len ? " " : "",
				                 mode);
		}
		ck_assert_str_eq(match(fits[i].path, fits[i].event), want);
	}
}
END_TEST

START_TEST(the_root_has_children_and_a_subtree_too)
{
	add(1, 1, "/", EXACT);
	add(1, 2, "/", CHILDREN);
	add(1, 3, "/", SUBTREE);
	ck_assert_str_eq(match("/", CHANGED), "1.1 1.2 1.3");
	ck_assert_str_eq(match("/", CHILDREN_CHANGED), "1.1 1.2 1.3");
	ck_assert_str_eq(match("/a", CREATED), "1.2 1.3");
	ck_assert_str_eq(match("/a/b", CREATED), "1.3");
	ck_assert_str_eq(match("/a/b", CHILDREN_CHANGED), "");
}
END_TEST

START_TEST(the_path_itself_comes_first_then_its_parent_then_those_above)
{
	add(1, 1, "/", SUBTREE);
	add(2, 1, "/a", SUBTREE);
	add(3, 1, "/a/b", CHILDREN);
	add(4, 1, "/a/b/c", EXACT);
	add(5, 1, "/a/b", SUBTREE);
	add(6, 1, "/a/b/c", EXACT);
	ck_assert_str_eq(match("/a/b/c", CHANGED), "4.1 6.1 3.1 5.1 2.1 1.1");
}
END_TEST

START_TEST(what_is_removed_is_not_told)
{
	struct mu_sub *s = add(1, 1, "/a", EXACT);

	add(2, 1, "/a", EXACT);
	add(3, 1, "/a", EXACT);
	mu_subs_remove(t, mu_subs_find(t, 2, 1));
	ck_assert_str_eq(match("/a", CHANGED), "1.1 3.1");
	mu_subs_remove(t, s);
	ck_assert_str_eq(match("/a", CHANGED), "3.1");
	mu_subs_remove(t, mu_subs_find(t, 3, 1));
	ck_assert_str_eq(match("/a", CHANGED), "");
	ck_assert_uint_eq(mu_subs_count(t), 0);
	add(2, 1, "/a", SUBTREE);
	ck_assert_str_eq(match("/a/x", CHANGED), "2.1");
}
END_TEST

START_TEST(a_link_that_goes_takes_its_own)
{
	for (int32_t id = 0; id < 50; id++)
		add(1, id, id % 2 ? "/a" : "/b",
		    (enum mu_subscribe_mode)(id % 3));
	add(2, 1, "/a", EXACT);
	ck_assert_uint_eq(mu_subs_link_count(t, 1), 50);
	mu_subs_drop_link(t, 1);
	mu_subs_drop_link(t, 1);
	mu_subs_drop_link(t, 9);
	ck_assert_uint_eq(mu_subs_link_count(t, 1), 0);
	ck_assert_uint_eq(mu_subs_count(t), 1);
	ck_assert_ptr_null(mu_subs_find(t, 1, 7));
	ck_assert_str_eq(match("/a", CHANGED), "2.1");
	ck_assert_str_eq(match("/b", CHANGED), "");
}
END_TEST

START_TEST(what_a_link_is_told_is_added_up_for_each_transaction)
{
	struct mu_sub *a = add(1, 1, "/a", EXACT);
	struct mu_sub *b = add(1, 2, "/b", EXACT);
	struct mu_sub *c = add(2, 1, "/a", EXACT);

	ck_assert_uint_eq(mu_subs_add_told(t, a, 7, 100), 100);
	ck_assert_uint_eq(mu_subs_add_told(t, b, 7, 10), 110);
	ck_assert_uint_eq(mu_subs_add_told(t, c, 7, 1), 1);
	ck_assert_uint_eq(mu_subs_add_told(t, b, 8, 5), 5);
	mu_subs_remove(t, a);
	ck_assert_uint_eq(mu_subs_add_told(t, b, 8, 5), 10);
}
END_TEST

START_TEST(one_link_may_subscribe_to_one_path_often)
{
	add(1, 1, "/a", EXACT);
	add(1, 2, "/a", EXACT);
	add(1, 3, "/a", SUBTREE);
	ck_assert_str_eq(match("/a", CHANGED), "1.1 1.2 1.3");
}
END_TEST

/* ---- against a plain list ---- */

#define MODEL 400

static struct {
	bool is;
	const char *path;
	enum mu_subscribe_mode mode;
} model[MODEL]; /* link = 1 + i % 7, id = i */

static const char *const paths[] = { "/",      "/a",     "/a/b",    "/a/b/c",
	                             "/a/bb",  "/b",     "/b/b",    "/b/b/b",
	                             "/b/b/a", "/a/b/d", "/a/b/c/d" };
#define PATHS (sizeof paths / sizeof paths[0])

static void check_model(struct mu_str path, enum mu_node_event event)
{
	static uint32_t seen[MODEL];
	static uint32_t round;
	struct mu_subs_walk w;
	const struct mu_sub *s;
	unsigned left = 0;

	round++;
	for (int32_t i = 0; i < MODEL; i++)
		left += model[i].is &&
		        mu_sub_fits(model[i].mode, mu_str_of(model[i].path),
		                    event, path);
	mu_subs_match(t, path, event, &w);
	while ((s = mu_subs_next(&w))) {
		ck_assert_uint_ne(seen[s->id], round);
		seen[s->id] = round;
		ck_assert(model[s->id].is);
		ck_assert_uint_eq(s->link, 1 + (uint32_t)s->id % 7);
		ck_assert(mu_sub_fits(model[s->id].mode,
		                      mu_str_of(model[s->id].path), event,
		                      path));
		left--;
	}
	ck_assert_uint_eq(left, 0);
}

START_TEST(all_that_fit_are_found_and_no_others)
{
	uint32_t seed = 9;

	for (unsigned step = 0; step < 6000; step++) {
		int32_t i;
		uint32_t link;

		seed = seed * 1664525 + 1013904223;
		i = (int32_t)((seed >> 8) % MODEL);
		link = 1 + (uint32_t)i % 7;
		if (model[i].is) {
			mu_subs_remove(t, mu_subs_find(t, link, i));
		} else {
			model[i].path = paths[(seed >> 4) % PATHS];
			model[i].mode =
				(enum mu_subscribe_mode)((seed >> 20) % 3);
			add(link, i, model[i].path, model[i].mode);
		}
		model[i].is = !model[i].is;
		if (step % 500 == 499) {
			mu_subs_drop_link(t, 3);
			for (i = 2; i < MODEL; i += 7)
				model[i].is = false;
		}
		if (step % 5 == 0)
			check_model(mu_str_of(paths[step % PATHS]),
			            (enum mu_node_event)(1 + step / 5 % 4));
	}
}
END_TEST

START_TEST(memory_refused_anywhere_leaves_all_as_it_was)
{
	unsigned k = 0;
	bool reached = true;

	add(1, 1, "/a", EXACT);
	for (; reached; k++) {
		/* A fresh table each time: nothing is there to be had again. */
		struct mu_subs *kept = t;
		struct mu_sub *s = NULL;
		int err;

		t = mu_subs_new(key);
		ck_assert_ptr_nonnull(t);
		fault_alloc_at(k);
		err = mu_subs_add(t, 1, 1, MU_STR("/a"), SUBTREE, &s);
		reached = fault_alloc_off();
		if (err) {
			ck_assert(reached);
			ck_assert_int_eq(err, MU_ENOMEM);
			ck_assert_uint_eq(mu_subs_count(t), 0);
			ck_assert_uint_eq(mu_subs_link_count(t, 1), 0);
			ck_assert_str_eq(match("/a", CHANGED), "");
			add(1, 1, "/a", SUBTREE);
		}
		ck_assert_str_eq(match("/a/b", CHANGED), "1.1");
		mu_subs_free(t);
		t = kept;
	}
	ck_assert_uint_ge(k, 3);
	reached = true;
	for (k = 0; reached; k++) {
		struct mu_subs *other;

		fault_alloc_at(k);
		other = mu_subs_new(key);
		reached = fault_alloc_off();
		ck_assert_int_eq(other == NULL, reached);
		mu_subs_free(other);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_added_subscription_is_as_it_was_asked_for,
		each_mode_is_told_what_it_says,
		the_root_has_children_and_a_subtree_too,
		the_path_itself_comes_first_then_its_parent_then_those_above,
		what_is_removed_is_not_told,
		a_link_that_goes_takes_its_own,
		what_a_link_is_told_is_added_up_for_each_transaction,
		one_link_may_subscribe_to_one_path_often,
		all_that_fit_are_found_and_no_others,
		memory_refused_anywhere_leaves_all_as_it_was,
	};
	Suite *s = suite_create("subs");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_test_raise_signal(tc, a_number_in_use_is_the_callers_fault,
	                            SIGABRT);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
