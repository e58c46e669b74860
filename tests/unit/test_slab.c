/* The contract of agent/core/slab.h. */
#include "slab.h"

#include "fault.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MANY (MU_SLAB_PAGE * 20)

struct cell {
	uint64_t a, b;
};

static struct mu_slab slab;

static void setup(void)
{
	mu_slab_init(&slab, sizeof(struct cell));
}

static void teardown(void)
{
	fault_alloc_off();
	mu_slab_fini(&slab);
}

START_TEST(ids_are_dense_and_never_zero)
{
	for (uint32_t i = 1; i <= MANY; i++)
		ck_assert_uint_eq(mu_slab_new(&slab), i);
	ck_assert_uint_eq(slab.used, MANY);
}
END_TEST

START_TEST(a_new_cell_is_zeroed_also_when_it_was_used_before)
{
	uint32_t id = mu_slab_new(&slab);
	struct cell *c = mu_slab_at(&slab, id);

	ck_assert_uint_eq(c->a | c->b, 0);
	memset(c, 0xff, sizeof *c);
	mu_slab_free(&slab, id);
	ck_assert_uint_eq(mu_slab_new(&slab), id);
	ck_assert_uint_eq(c->a | c->b, 0);
}
END_TEST

START_TEST(cells_never_move)
{
	uint32_t id = mu_slab_new(&slab);
	struct cell *c = mu_slab_at(&slab, id);

	c->a = 42;
	for (uint32_t i = 0; i < MANY; i++)
		mu_slab_new(&slab);
	ck_assert_ptr_eq(mu_slab_at(&slab, id), c);
	ck_assert_uint_eq(c->a, 42);
}
END_TEST

START_TEST(freed_ids_are_given_again_before_new_ones)
{
	uint32_t a = mu_slab_new(&slab), b = mu_slab_new(&slab), c;

	mu_slab_free(&slab, a);
	mu_slab_free(&slab, b);
	ck_assert_uint_eq(slab.used, 0);
	c = mu_slab_new(&slab);
	ck_assert(c == a || c == b);
	c ^= mu_slab_new(&slab);
	ck_assert_uint_eq(c, a ^ b);
	ck_assert_uint_eq(mu_slab_new(&slab), 3);
}
END_TEST

START_TEST(a_refused_page_leaves_the_slab_as_it_was)
{
	for (unsigned k = 0; k < 2; k++) {
		fault_alloc_at(k);
		ck_assert_uint_eq(mu_slab_new(&slab), 0);
		ck_assert(fault_alloc_off());
		ck_assert_uint_eq(slab.used, 0);
	}
	ck_assert_uint_eq(mu_slab_new(&slab), 1);
}
END_TEST

START_TEST(a_slab_may_be_used_again_after_fini)
{
	mu_slab_new(&slab);
	mu_slab_fini(&slab);
	ck_assert_uint_eq(mu_slab_new(&slab), 1);
}
END_TEST

START_TEST(freeing_what_was_never_given_is_a_bug)
{
	mu_slab_new(&slab);
	mu_slab_free(&slab, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slab");
	TCase *c = tcase_create("slab");
	SRunner *r;
	int failed;

	suite_add_tcase(suite, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, ids_are_dense_and_never_zero);
	tcase_add_test(c, a_new_cell_is_zeroed_also_when_it_was_used_before);
	tcase_add_test(c, cells_never_move);
	tcase_add_test(c, freed_ids_are_given_again_before_new_ones);
	tcase_add_test(c, a_refused_page_leaves_the_slab_as_it_was);
	tcase_add_test(c, a_slab_may_be_used_again_after_fini);
	tcase_add_test_raise_signal(c, freeing_what_was_never_given_is_a_bug,
	                            SIGABRT);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
