/* The contract of agent/core/buf.h. */
#include "buf.h"

#include "fault.h"
#include "mem.h"

#include <check.h>
#include <muster/types.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct mu_buf b;

static void setup(void)
{
	mu_buf_init(&b);
}

static void teardown(void)
{
	mu_buf_fini(&b);
}

START_TEST(an_empty_buffer_owns_nothing)
{
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	ck_assert(!mu_buf_failed(&b));
}
END_TEST

START_TEST(what_is_put_lies_in_order)
{
	mu_buf_put(&b, "ab", 2);
	mu_buf_put(&b, NULL, 0);
	mu_buf_put(&b, "\0c", 2);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "ab\0c", 4);
}
END_TEST

START_TEST(a_buffer_grows_past_its_first_room)
{
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t byte = (uint8_t)i;

		mu_buf_put(&b, &byte, 1);
	}
	ck_assert_uint_eq(b.len, 10000);
	for (unsigned i = 0; i < 10000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)i);
}
END_TEST

START_TEST(grown_bytes_are_the_callers_to_fill)
{
	uint8_t *p = mu_buf_grow(&b, 100);

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', 100);
	ck_assert_uint_eq(b.len, 100);
	ck_assert_uint_eq(b.data[99], 'x');
}
END_TEST

START_TEST(reserved_bytes_need_no_memory_later)
{
	ck_assert_int_eq(mu_buf_reserve(&b, 1000), 0);
	fault_alloc_at(0);
	ck_assert_ptr_nonnull(mu_buf_grow(&b, 1000));
	ck_assert(!fault_alloc_off());
}
END_TEST

START_TEST(a_refused_allocation_is_remembered)
{
	mu_buf_put(&b, "ab", 2);
	fault_alloc_at(0);
	ck_assert_ptr_null(mu_buf_grow(&b, 1000));
	ck_assert(fault_alloc_off());
	ck_assert(mu_buf_failed(&b));
	mu_buf_put(&b, "c", 1);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_int_eq(mu_buf_reserve(&b, 1), MU_ENOMEM);
}
END_TEST

START_TEST(a_size_that_cannot_be_is_out_of_memory)
{
	ck_assert_int_eq(mu_buf_reserve(&b, SIZE_MAX), MU_ENOMEM);
	ck_assert(mu_buf_failed(&b));
}
END_TEST

START_TEST(a_reset_forgets_contents_and_failure_and_keeps_the_memory)
{
	mu_buf_put(&b, "ab", 2);
	ck_assert_int_eq(mu_buf_reserve(&b, SIZE_MAX), MU_ENOMEM);
	mu_buf_reset(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_gt(b.room, 0);
	ck_assert(!mu_buf_failed(&b));
	mu_buf_put(&b, "c", 1);
	ck_assert_mem_eq(b.data, "c", 1);
}
END_TEST

START_TEST(a_drop_takes_the_first_bytes_away)
{
	mu_buf_put(&b, "abcdef", 6);
	mu_buf_drop(&b, 2);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "cdef", 4);
	mu_buf_drop(&b, 0);
	mu_buf_drop(&b, 4);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

START_TEST(a_cut_takes_the_last_bytes_away)
{
	mu_buf_put(&b, "abcdef", 6);
	mu_buf_cut(&b, 6);
	mu_buf_cut(&b, 1);
	ck_assert_uint_eq(b.len, 1);
	ck_assert_mem_eq(b.data, "a", 1);
}
END_TEST

START_TEST(taken_bytes_are_the_callers)
{
	uint8_t *p;

	mu_buf_put(&b, "abc", 3);
	ck_assert_uint_eq(mu_buf_take(&b, &p), 3);
	ck_assert_mem_eq(p, "abc", 3);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	mu_free(p);
}
END_TEST

START_TEST(dropping_more_than_there_is_is_a_bug)
{
	mu_buf_put(&b, "a", 1);
	mu_buf_drop(&b, 2);
}
END_TEST

START_TEST(cutting_to_more_than_there_is_is_a_bug)
{
	mu_buf_put(&b, "a", 1);
	mu_buf_cut(&b, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("buf");
	TCase *c = tcase_create("buf");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, an_empty_buffer_owns_nothing);
	tcase_add_test(c, what_is_put_lies_in_order);
	tcase_add_test(c, a_buffer_grows_past_its_first_room);
	tcase_add_test(c, grown_bytes_are_the_callers_to_fill);
	tcase_add_test(c, reserved_bytes_need_no_memory_later);
	tcase_add_test(c, a_refused_allocation_is_remembered);
	tcase_add_test(c, a_size_that_cannot_be_is_out_of_memory);
	tcase_add_test(
		c, a_reset_forgets_contents_and_failure_and_keeps_the_memory);
	tcase_add_test(c, a_drop_takes_the_first_bytes_away);
	tcase_add_test(c, a_cut_takes_the_last_bytes_away);
	tcase_add_test(c, taken_bytes_are_the_callers);
	tcase_add_test_raise_signal(c, dropping_more_than_there_is_is_a_bug,
	                            SIGABRT);
	tcase_add_test_raise_signal(c, cutting_to_more_than_there_is_is_a_bug,
	                            SIGABRT);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
