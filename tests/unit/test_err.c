/* The contract of agent/core/err.h and of the status list in types.h. */
#include "err.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const int codes[] = {
#define CODE(name, number, text) name,
	MU_STATUS_MAP(CODE)
#undef CODE
};
#define CODES (sizeof codes / sizeof codes[0])

START_TEST(an_error_carries_its_code_and_sentence)
{
	struct mu_err err = { 0 };

	ck_assert_int_eq(mu_err(&err, MU_ENONODE, "no %s in %d", "x", 7),
	                 MU_ENONODE);
	ck_assert_int_eq(err.code, MU_ENONODE);
	ck_assert_str_eq(err.msg, "no x in 7");
}
END_TEST

START_TEST(a_null_error_record_loses_the_sentence_and_not_the_code)
{
	ck_assert_int_eq(mu_err(NULL, MU_EIO, "lost"), MU_EIO);
}
END_TEST

START_TEST(a_long_sentence_is_cut_to_fit)
{
	char text[MU_ERR_MSG_MAX + 1];
	struct mu_err err;

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	mu_err(&err, MU_EIO, "%s", text);
	ck_assert_uint_eq(strlen(err.msg), MU_ERR_MSG_MAX - 1);
	/* One that just fits is whole. */
	text[MU_ERR_MSG_MAX - 1] = '\0';
	mu_err(&err, MU_EIO, "%s", text);
	ck_assert_str_eq(err.msg, text);
}
END_TEST

START_TEST(rule21_api_errors_have_zookeepers_numbers)
{
	ck_assert_int_eq(MU_ENONODE, -101);
	ck_assert_int_eq(MU_EBADVERSION, -103);
	ck_assert_int_eq(MU_ENOCHILDREN, -108);
	ck_assert_int_eq(MU_EEXISTS, -110);
	ck_assert_int_eq(MU_ENOTEMPTY, -111);
	ck_assert_int_eq(MU_EEXPIRED, -112);
	ck_assert_int_eq(MU_EINVAL, -8);
	ck_assert_int_eq(MU_EMARSHAL, -5);
}
END_TEST

START_TEST(every_status_is_negative_and_has_a_number_of_its_own)
{
	for (size_t i = 0; i < CODES; i++) {
		ck_assert_int_lt(codes[i], 0);
		for (size_t k = 0; k < i; k++)
			ck_assert_int_ne(codes[i], codes[k]);
	}
}
END_TEST

START_TEST(every_status_has_a_name_and_a_sentence_without_a_full_stop)
{
	for (size_t i = 0; i < CODES; i++) {
		const char *text = mu_err_text(codes[i]);

		ck_assert(strncmp(mu_err_name(codes[i]), "MU_E", 4) == 0);
		ck_assert_str_ne(mu_err_name(codes[i]), "MU_E?");
		ck_assert_uint_gt(strlen(text), 0);
		ck_assert_int_ne(text[strlen(text) - 1], '.');
	}
	ck_assert_str_eq(mu_err_name(MU_ENONODE), "MU_ENONODE");
	ck_assert_str_eq(mu_err_text(MU_ENONODE), "no such node");
}
END_TEST

START_TEST(zero_is_ok)
{
	ck_assert_str_eq(mu_err_name(0), "MU_OK");
	ck_assert_str_eq(mu_err_text(0), "done");
}
END_TEST

START_TEST(an_unknown_status_has_words_too)
{
	ck_assert_str_eq(mu_err_name(-9999), "MU_E?");
	ck_assert_ptr_nonnull(mu_err_text(-9999));
	ck_assert_str_eq(mu_err_name(1), "MU_E?");
}
END_TEST

START_TEST(format_returns_what_it_wrote)
{
	char out[8];

	ck_assert_uint_eq(mu_format(out, sizeof out, "%d", 1234567), 7);
	ck_assert_str_eq(out, "1234567");
}
END_TEST

START_TEST(format_cuts_what_does_not_fit)
{
	char out[8];

	ck_assert_uint_eq(mu_format(out, sizeof out, "%d", 12345678), 7);
	ck_assert_str_eq(out, "1234567");
	ck_assert_uint_eq(mu_format(out, 1, "x"), 0);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(formatting_into_no_room_is_a_bug)
{
	char out[1];

	mu_format(out, 0, "x");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("err");
	TCase *c = tcase_create("err");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);

	tcase_add_test(c, an_error_carries_its_code_and_sentence);
	tcase_add_test(c,
	               a_null_error_record_loses_the_sentence_and_not_the_code);
	tcase_add_test(c, a_long_sentence_is_cut_to_fit);
	tcase_add_test(c, rule21_api_errors_have_zookeepers_numbers);
	tcase_add_test(c, every_status_is_negative_and_has_a_number_of_its_own);
	tcase_add_test(
		c, every_status_has_a_name_and_a_sentence_without_a_full_stop);
	tcase_add_test(c, zero_is_ok);
	tcase_add_test(c, an_unknown_status_has_words_too);
	tcase_add_test(c, format_returns_what_it_wrote);
	tcase_add_test(c, format_cuts_what_does_not_fit);
	tcase_add_test_raise_signal(c, formatting_into_no_room_is_a_bug,
	                            SIGABRT);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
