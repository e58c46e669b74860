/* JSON in and out. */
#include "json.h"

#include "mem.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault_mem.c"

static struct mu_json *o;
static struct mu_err err;

static void setup(void)
{
	o = mu_json_object();
	ck_assert_ptr_nonnull(o);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	mu_json_free(o);
}

static void assert_text(const struct mu_json *j, const char *want)
{
	char *text = mu_json_text(j);

	ck_assert_str_eq(text, want);
	free(text);
}

static void parse(const char *text)
{
	mu_json_free(o);
	o = NULL;
	ck_assert_msg(mu_json_parse(text, strlen(text), &o, &err) == 0, "%s",
	              err.msg);
}

static void assert_not_parsed(const char *text, size_t len, const char *word)
{
	struct mu_json *j = NULL;

	ck_assert_int_eq(mu_json_parse(text, len, &j, &err), MU_EDATA);
	ck_assert_int_eq(err.code, MU_EDATA);
	ck_assert_msg(strstr(err.msg, word) != NULL, "no '%s' in: %s", word,
	              err.msg);
	ck_assert_ptr_null(j);
}

START_TEST(a_copied_value_is_both_the_object_s_and_the_caller_s)
{
	struct mu_json *host = mu_json_object(), *v = mu_json_object();
	char *text;

	ck_assert_int_eq(mu_json_set_int(v, "a", 1), 0);
	ck_assert_int_eq(mu_json_set_copy(host, "v", v), 0);
	ck_assert_int_eq(mu_json_set_int(v, "a", 2), 0);
	text = mu_json_text(host);
	ck_assert_str_eq(text, "{\"v\":{\"a\":1}}");
	free(text);
	ck_assert_int_eq(mu_json_get_int(v, "a", 0), 2);
	mu_json_free(v);
	mu_json_free(host);
}
END_TEST

START_TEST(keys_stay_in_the_order_in_which_they_were_set)
{
	ck_assert_int_eq(mu_json_set_str(o, "z", "text"), 0);
	ck_assert_int_eq(mu_json_set_int(o, "a", INT64_MIN), 0);
	ck_assert_int_eq(mu_json_set_bool(o, "m", true), 0);
	ck_assert_int_eq(mu_json_set_bool(o, "b", false), 0);
	assert_text(o, "{\"z\":\"text\",\"a\":-9223372036854775808,"
	               "\"m\":true,\"b\":false}");
}
END_TEST

START_TEST(arrays_and_objects_nest)
{
	struct mu_json *a = mu_json_array(), *in = mu_json_object();

	ck_assert_int_eq(mu_json_add_str(a, "x"), 0);
	ck_assert_int_eq(mu_json_set_int(in, "n", 1), 0);
	ck_assert_int_eq(mu_json_add(a, in), 0);
	ck_assert_int_eq(mu_json_set(o, "list", a), 0);
	assert_text(o, "{\"list\":[\"x\",{\"n\":1}]}");
}
END_TEST

START_TEST(a_chain_on_no_object_needs_one_check)
{
	ck_assert_int_eq(mu_json_set_str(NULL, "k", "v"), MU_ENOMEM);
	ck_assert_int_eq(mu_json_set_int(NULL, "k", 1), MU_ENOMEM);
	ck_assert_int_eq(mu_json_set_bool(NULL, "k", true), MU_ENOMEM);
	ck_assert_int_eq(mu_json_set_data(NULL, "k", "v", 1), MU_ENOMEM);
	ck_assert_int_eq(mu_json_set(NULL, "k", mu_json_object()), MU_ENOMEM);
	ck_assert_int_eq(mu_json_set(o, "k", NULL), MU_ENOMEM);
	ck_assert_int_eq(mu_json_add(NULL, mu_json_array()), MU_ENOMEM);
	ck_assert_int_eq(mu_json_add_str(NULL, "v"), MU_ENOMEM);
	ck_assert_ptr_null(mu_json_text(NULL));
	mu_json_free(NULL);
}
END_TEST

START_TEST(data_that_is_text_goes_out_as_text)
{
	ck_assert_int_eq(mu_json_set_data(o, "a", "Z\xc3\xbcrich\n", 8), 0);
	ck_assert_int_eq(mu_json_set_data(o, "b", NULL, 0), 0);
	ck_assert_int_eq(mu_json_set_data(o, "c", NULL, -1), 0);
	ck_assert_int_eq(mu_json_set_data(o, "d", "abcd", 2), 0);
	assert_text(o, "{\"a\":\"Z\xc3\xbcrich\\n\",\"b\":\"\",\"c\":null,"
	               "\"d\":\"ab\"}");
}
END_TEST

START_TEST(data_that_is_not_text_goes_out_as_base64)
{
	static const struct {
		const char *bytes;
		int32_t len;
		const char *want;
	} row[] = {
		{ "\xff", 1, "{\"k_base64\":\"/w==\"}" },
		{ "\xff\xfe", 2, "{\"k_base64\":\"//4=\"}" },
		{ "\xff\xfe\xfd", 3, "{\"k_base64\":\"//79\"}" },
		{ "\0abc", 4, "{\"k_base64\":\"AGFiYw==\"}" },
		{ "a\0", 2, "{\"k_base64\":\"YQA=\"}" },
		{ "\xc3", 1, "{\"k_base64\":\"ww==\"}" },
		{ "\xc0\x80", 2, "{\"k_base64\":\"wIA=\"}" },
		{ "\xe0\x80\x80", 3, "{\"k_base64\":\"4ICA\"}" },
		{ "\xed\xa0\x80", 3, "{\"k_base64\":\"7aCA\"}" },
		{ "\xf0\x80\x80\x80", 4, "{\"k_base64\":\"8ICAgA==\"}" },
		{ "\xf4\x90\x80\x80", 4, "{\"k_base64\":\"9JCAgA==\"}" },
		{ "\xe2\x82\xac", 2, "{\"k_base64\":\"4oI=\"}" },
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct mu_json *j = mu_json_object();

		ck_assert_int_eq(
			mu_json_set_data(j, "k", row[i].bytes, row[i].len), 0);
		assert_text(j, row[i].want);
		mu_json_free(j);
	}
}
END_TEST

START_TEST(data_without_memory_is_an_error)
{
	for (unsigned k = 0; k < 2; k++) {
		fault_alloc_at(k);
		ck_assert_int_eq(mu_json_set_data(o, "k", "\xff", 1),
		                 MU_ENOMEM);
		ck_assert(fault_alloc_off());
	}
	fault_alloc_at(0);
	ck_assert_int_eq(mu_json_set_str(o, "k", "\xff"), MU_ENOMEM);
	fault_alloc_off();
	assert_text(o, "{}");
}
END_TEST

START_TEST(a_text_for_people_is_made_valid)
{
	ck_assert_int_eq(mu_json_set_str(o, "k",
	                                 "a\xff"
	                                 "b\xc3\xbc\xe2\x82"),
	                 0);
	assert_text(o, "{\"k\":\"a?b\xc3\xbc??\"}");
}
END_TEST

START_TEST(what_was_written_is_read_back)
{
	parse("{ \"s\": \"\\u00fc\", \"n\": -5, \"l\": [1, \"x\"], "
	      "\"r\": 1.5, \"z\": null }");
	ck_assert(mu_json_is_object(o));
	ck_assert_str_eq(mu_json_get_str(o, "s", "f"), "\xc3\xbc");
	ck_assert_int_eq(mu_json_get_int(o, "n", 1), -5);
	ck_assert_str_eq(mu_json_get_str(o, "n", "f"), "f");
	ck_assert_str_eq(mu_json_get_str(o, "none", "f"), "f");
	ck_assert_ptr_null(mu_json_get_str(o, "z", NULL));
	ck_assert_int_eq(mu_json_get_int(o, "s", 7), 7);
	ck_assert_int_eq(mu_json_get_int(o, "r", 7), 7);
	ck_assert_int_eq(mu_json_get_int(NULL, "r", 7), 7);
}
END_TEST

START_TEST(a_member_is_given_as_text)
{
	char *text;

	parse("{ \"l\": [ 1, { \"b\": 2, \"a\": 3 } ], \"s\": \"x\" }");
	text = mu_json_get_text(o, "l");
	ck_assert_str_eq(text, "[1,{\"b\":2,\"a\":3}]");
	free(text);
	text = mu_json_get_text(o, "s");
	ck_assert_str_eq(text, "\"x\"");
	free(text);
	ck_assert_ptr_null(mu_json_get_text(o, "none"));
}
END_TEST

START_TEST(a_value_need_not_be_an_object)
{
	parse("[1]");
	ck_assert(!mu_json_is_object(o));
	ck_assert_int_eq(mu_json_get_int(o, "k", 7), 7);
	parse("\"x\"");
	assert_text(o, "\"x\"");
	ck_assert(!mu_json_is_object(NULL));
}
END_TEST

START_TEST(what_is_not_json_is_told_with_its_line)
{
	assert_not_parsed("{\n\"a\": ,\n}", 10, "line 2");
	assert_not_parsed("", 0, "line 1");
	assert_not_parsed("{} x", 4, "end of file expected");
	assert_not_parsed("{\"a\":1,\"a\":2}", 13, "duplicate");
	assert_not_parsed("\"\xff\"", 3, "line 1");
	assert_not_parsed("\"\\u0000\"", 8, "line 1");
	assert_not_parsed("99999999999999999999", 20, "too big integer");
}
END_TEST

START_TEST(every_prefix_of_a_text_is_refused)
{
	const char *text = "{\"a\":[1,true,null,\"\\u00fc\"],\"b\":{\"c\":1}}";
	struct mu_json *j = NULL;

	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(mu_json_parse(text, len, &j, &err), MU_EDATA);
	parse(text);
}
END_TEST

START_TEST(size_is_limited_to_1_mib)
{
	size_t max = 1 << 20;
	char *big = malloc(max + 1);

	ck_assert_ptr_nonnull(big);
	memset(big, ' ', max + 1);
	big[0] = '1';
	mu_json_free(o);
	ck_assert_int_eq(mu_json_parse(big, max, &o, &err), 0);
	assert_not_parsed(big, max + 1, "larger than 1048576 bytes");
	free(big);
}
END_TEST

START_TEST(depth_is_limited)
{
	char deep[100000];

	memset(deep, '[', sizeof deep);
	assert_not_parsed(deep, sizeof deep, "depth");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *t = tcase_create("json");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_copied_value_is_both_the_object_s_and_the_caller_s);
	tcase_add_test(t, keys_stay_in_the_order_in_which_they_were_set);
	tcase_add_test(t, arrays_and_objects_nest);
	tcase_add_test(t, a_chain_on_no_object_needs_one_check);
	tcase_add_test(t, data_that_is_text_goes_out_as_text);
	tcase_add_test(t, data_that_is_not_text_goes_out_as_base64);
	tcase_add_test(t, data_without_memory_is_an_error);
	tcase_add_test(t, a_text_for_people_is_made_valid);
	tcase_add_test(t, what_was_written_is_read_back);
	tcase_add_test(t, a_member_is_given_as_text);
	tcase_add_test(t, a_value_need_not_be_an_object);
	tcase_add_test(t, what_is_not_json_is_told_with_its_line);
	tcase_add_test(t, every_prefix_of_a_text_is_refused);
	tcase_add_test(t, size_is_limited_to_1_mib);
	tcase_add_test(t, depth_is_limited);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
