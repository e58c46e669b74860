/* Rule 1, and the contract of agent/core/jute.h sentence by sentence. */
#include "jute.h"

#include "fault.h"

#include <check.h>
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

static void assert_bytes(const void *want, size_t len)
{
	ck_assert_uint_eq(b.len, len);
	ck_assert_mem_eq(b.data, want, len);
}

static struct mu_in written(void)
{
	return mu_in_of(b.data, b.len);
}

START_TEST(rule1_an_int_is_four_bytes_big_endian)
{
	mu_put_int(&b, 0x01020304);
	mu_put_int(&b, -2);
	assert_bytes("\1\2\3\4\xff\xff\xff\xfe", 8);
}
END_TEST

START_TEST(rule1_a_long_is_eight_bytes_big_endian)
{
	mu_put_long(&b, 0x0102030405060708);
	mu_put_long(&b, -2);
	assert_bytes("\1\2\3\4\5\6\7\10\xff\xff\xff\xff\xff\xff\xff\xfe", 16);
}
END_TEST

START_TEST(rule1_a_bool_is_one_byte)
{
	mu_put_bool(&b, true);
	mu_put_bool(&b, false);
	assert_bytes("\1\0", 2);
}
END_TEST

START_TEST(rule1_a_string_is_its_length_and_its_bytes)
{
	mu_put_str(&b, MU_STR("/a"));
	assert_bytes("\0\0\0\2/a", 6);
}
END_TEST

START_TEST(rule1_null_has_length_minus_one)
{
	mu_put_str(&b, (struct mu_str){ NULL, 0 });
	mu_put_data(&b, NULL, -1);
	assert_bytes("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}
END_TEST

START_TEST(rule1_empty_is_not_null)
{
	struct mu_in in;
	struct mu_str s;

	mu_put_str(&b, MU_STR(""));
	mu_put_data(&b, NULL, 0);
	assert_bytes("\0\0\0\0\0\0\0\0", 8);
	in = written();
	s = mu_get_str(&in);
	ck_assert_ptr_nonnull(s.at);
	ck_assert_uint_eq(s.len, 0);
	/* at the very end of the bytes too */
	s = mu_get_str(&in);
	ck_assert_ptr_nonnull(s.at);
	ck_assert(mu_in_ok(&in));
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

/* Rule 2: what Java would write as surrogates passes as the bytes it is; the
 * check of paths is where 4-byte characters are refused. */
START_TEST(rule2_bytes_of_strings_pass_unchanged)
{
	struct mu_in in;
	struct mu_str s;

	mu_put_str(&b, MU_STR("\xf0\x9f\x90\x98\xed\xa0\xbd\xff"));
	in = written();
	s = mu_get_str(&in);
	ck_assert_uint_eq(s.len, 8);
	ck_assert_mem_eq(s.at, "\xf0\x9f\x90\x98\xed\xa0\xbd\xff", 8);
}
END_TEST

START_TEST(numbers_come_back_as_they_were)
{
	static const int64_t v[] = { 0,         1,         -1,       INT32_MAX,
		                     INT32_MIN, INT64_MAX, INT64_MIN };
	struct mu_in in;

	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		mu_put_long(&b, v[i]);
		mu_put_int(&b, (int32_t)v[i]);
	}
	in = written();
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		ck_assert_int_eq(mu_get_long(&in), v[i]);
		ck_assert_int_eq(mu_get_int(&in), (int32_t)v[i]);
	}
	ck_assert(mu_in_ok(&in));
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

START_TEST(any_byte_but_zero_is_true)
{
	struct mu_in in = mu_in_of("\0\1\xff", 3);

	ck_assert(!mu_get_bool(&in));
	ck_assert(mu_get_bool(&in));
	ck_assert(mu_get_bool(&in));
}
END_TEST

START_TEST(a_string_is_borrowed_from_the_input)
{
	static const char bytes[] = "\0\0\0\3abc";
	struct mu_in in = mu_in_of(bytes, 7);

	ck_assert_ptr_eq(mu_get_str(&in).at, bytes + 4);
}
END_TEST

START_TEST(after_the_first_bad_read_all_are_zero)
{
	struct mu_in in = mu_in_of("\0\0\0\7\1\1\1", 7);

	ck_assert_int_eq(mu_get_int(&in), 7);
	ck_assert_int_eq(mu_get_int(&in), 0);
	ck_assert(!mu_in_ok(&in));
	/* three bytes are still there, and stay untouched */
	ck_assert(!mu_get_bool(&in));
	ck_assert_int_eq(mu_get_long(&in), 0);
	ck_assert_int_eq(mu_get_count(&in, 1), 0);
	ck_assert_ptr_null(mu_get_str(&in).at);
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert(!mu_in_ok(&in));
}
END_TEST

START_TEST(no_bytes_at_all_are_an_input)
{
	struct mu_in in = mu_in_of(NULL, 0);

	ck_assert(mu_in_ok(&in));
	ck_assert_uint_eq(mu_in_left(&in), 0);
	ck_assert(!mu_get_bool(&in));
	ck_assert(!mu_in_ok(&in));
}
END_TEST

static void assert_bad_string(const char *bytes, size_t len)
{
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_str s = mu_get_str(&in);

	ck_assert(!mu_in_ok(&in));
	ck_assert_ptr_null(s.at);
	ck_assert_uint_eq(s.len, 0);
}

START_TEST(a_string_longer_than_what_is_left_is_bad)
{
	struct mu_in in = mu_in_of("\0\0\0\3abc", 7);

	ck_assert_uint_eq(mu_get_str(&in).len, 3);
	assert_bad_string("\0\0\0\4abc", 7);
	assert_bad_string("\x7f\xff\xff\xff"
	                  "abc",
	                  7);
	assert_bad_string("\0\0\0", 3);
}
END_TEST

START_TEST(a_length_below_minus_one_is_bad)
{
	struct mu_in in = mu_in_of("\xff\xff\xff\xff", 4);

	ck_assert_ptr_null(mu_get_str(&in).at);
	ck_assert(mu_in_ok(&in));
	assert_bad_string("\xff\xff\xff\xfe", 4);
	assert_bad_string("\x80\0\0\0", 4);
}
END_TEST

START_TEST(a_count_must_fit_in_what_is_left)
{
	struct mu_in fits = mu_in_of("\0\0\0\2........", 12);
	struct mu_in over = mu_in_of("\0\0\0\2.......", 11);
	struct mu_in huge = mu_in_of("\x7f\xff\xff\xff........", 12);

	ck_assert_int_eq(mu_get_count(&fits, 4), 2);
	ck_assert(mu_in_ok(&fits));
	ck_assert_int_eq(mu_get_count(&over, 4), 0);
	ck_assert(!mu_in_ok(&over));
	ck_assert_int_eq(mu_get_count(&huge, 1), 0);
	ck_assert(!mu_in_ok(&huge));
}
END_TEST

START_TEST(a_count_of_minus_one_is_null_and_below_is_bad)
{
	struct mu_in null = mu_in_of("\xff\xff\xff\xff", 4);
	struct mu_in below = mu_in_of("\xff\xff\xff\xfe", 4);

	ck_assert_int_eq(mu_get_count(&null, 4), -1);
	ck_assert(mu_in_ok(&null));
	ck_assert_int_eq(mu_get_count(&below, 4), 0);
	ck_assert(!mu_in_ok(&below));
}
END_TEST

START_TEST(a_patch_overwrites_four_bytes_in_place)
{
	mu_put_int(&b, 0);
	mu_put_bool(&b, true);
	mu_put_int(&b, 0);
	mu_patch_int(&b, 5, 0x01020304);
	assert_bytes("\0\0\0\0\1\1\2\3\4", 9);
}
END_TEST

START_TEST(running_out_of_memory_is_remembered_by_the_buffer)
{
	fault_alloc_at(0);
	mu_put_int(&b, 1);
	ck_assert(fault_alloc_off());
	mu_put_long(&b, 1);
	mu_put_bool(&b, true);
	mu_put_str(&b, MU_STR("abc"));
	mu_put_data(&b, "abc", 3);
	mu_patch_int(&b, 0, 1);
	ck_assert(mu_buf_failed(&b));
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jute");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rule1_an_int_is_four_bytes_big_endian);
	tcase_add_test(tc, rule1_a_long_is_eight_bytes_big_endian);
	tcase_add_test(tc, rule1_a_bool_is_one_byte);
	tcase_add_test(tc, rule1_a_string_is_its_length_and_its_bytes);
	tcase_add_test(tc, rule1_null_has_length_minus_one);
	tcase_add_test(tc, rule1_empty_is_not_null);
	tcase_add_test(tc, rule2_bytes_of_strings_pass_unchanged);
	tcase_add_test(tc, numbers_come_back_as_they_were);
	tcase_add_test(tc, any_byte_but_zero_is_true);
	tcase_add_test(tc, a_string_is_borrowed_from_the_input);
	tcase_add_test(tc, after_the_first_bad_read_all_are_zero);
	tcase_add_test(tc, no_bytes_at_all_are_an_input);
	tcase_add_test(tc, a_string_longer_than_what_is_left_is_bad);
	tcase_add_test(tc, a_length_below_minus_one_is_bad);
	tcase_add_test(tc, a_count_must_fit_in_what_is_left);
	tcase_add_test(tc, a_count_of_minus_one_is_null_and_below_is_bad);
	tcase_add_test(tc, a_patch_overwrites_four_bytes_in_place);
	tcase_add_test(tc, running_out_of_memory_is_remembered_by_the_buffer);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
