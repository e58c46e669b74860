/* JSON read: a line of many, data that is text or base64, arrays and members. */
#include "json.h"

#include "mem.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_mem.c"

static struct mu_err err;

static struct mu_json *parsed(const char *text)
{
	struct mu_json *j = NULL;
	int rc = mu_json_parse_line(text, strlen(text), &j, &err);

	ck_assert_msg(rc == 0, "%s", err.msg);
	return j;
}

START_TEST(a_line_that_is_no_json_is_told_with_its_column)
{
	struct mu_json *j;

	ck_assert_int_eq(mu_json_parse_line("{\"a\":}", 6, &j, &err), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "not valid JSON: column 6"));
	ck_assert_ptr_null(strstr(err.msg, "line"));
}
END_TEST

START_TEST(a_line_may_be_longer_than_other_texts)
{
	const size_t len = (1 << 20) + 2;
	char *big = malloc(len);
	struct mu_json *j;

	memset(big, ' ', len);
	big[0] = '7';
	ck_assert_int_eq(mu_json_parse(big, len, &j, &err), MU_EDATA);
	ck_assert_int_eq(mu_json_parse_line(big, len, &j, &err), 0);
	mu_json_free(j);
	free(big);
}
END_TEST

/* Bytes of every length up to some come back as mu_json_set_data wrote them. */
START_TEST(data_comes_back_as_it_was_set)
{
	unsigned char bytes[64];

	for (int32_t len = -1; len < 40; len++) {
		struct mu_json *o = mu_json_object();
		void *got = bytes;
		int32_t got_len = -7;

		for (int i = 0; i < len; i++)
			bytes[i] = (unsigned char)(_i ? 'a' + i % 26
			                              : 255 - i * 7);
		ck_assert_int_eq(mu_json_set_data(o, "d", bytes, len), 0);
		ck_assert_int_eq(mu_json_get_data(o, "d", &got, &got_len, &err),
		                 0);
		ck_assert_int_eq(got_len, len);
		if (len < 0)
			ck_assert_ptr_null(got);
		else
			ck_assert(memcmp(got, bytes, (size_t)len) == 0 &&
			          ((char *)got)[len] == '\0');
		mu_free(got);
		mu_json_free(o);
	}
}
END_TEST

static const struct {
	const char *text;
	int rc;
	const char *says;
} bad[] = {
	{ "{}", MU_ENONODE, "there is no \"d\"" },
	{ "{\"d\":1}", MU_EDATA, "\"d\" is neither text nor null" },
	{ "{\"d\":[]}", MU_EDATA, "\"d\" is neither text nor null" },
	{ "{\"d\":null,\"d_base64\":\"\"}", MU_EDATA, "do not go together" },
	{ "{\"d_base64\":null}", MU_EDATA, "\"d_base64\" is not base64" },
	{ "{\"d_base64\":\"AAA\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"AAA=AAAA\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"AA=A\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"A===\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"====\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"AB==\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"AAB=\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"AA-_\"}", MU_EDATA, "not base64" },
	{ "{\"d_base64\":\"A A=\"}", MU_EDATA, "not base64" },
};

START_TEST(data_that_is_none_is_told)
{
	struct mu_json *o = parsed(bad[_i].text);
	void *got = &err;
	int32_t len;

	ck_assert_int_eq(mu_json_get_data(o, "d", &got, &len, &err),
	                 bad[_i].rc);
	ck_assert_msg(strstr(err.msg, bad[_i].says) != NULL, "%s", err.msg);
	mu_json_free(o);
}
END_TEST

START_TEST(data_without_memory_is_an_error)
{
	struct mu_json *o = parsed("{\"d\":\"x\"}");
	void *got;
	int32_t len;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_json_get_data(o, "d", &got, &len, &err), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	mu_json_free(o);
}
END_TEST

START_TEST(an_object_in_an_object_is_read_by_its_key)
{
	struct mu_json *o = parsed("{\"in\":{\"k\":7},\"a\":[],\"b\":null}");

	ck_assert_int_eq(mu_json_get_int(mu_json_get_object(o, "in"), "k", 0),
	                 7);
	ck_assert_ptr_null(mu_json_get_object(o, "a"));
	ck_assert_ptr_null(mu_json_get_object(o, "b"));
	ck_assert_ptr_null(mu_json_get_object(o, "c"));
	mu_json_free(o);
}
END_TEST

START_TEST(arrays_are_read_by_place)
{
	struct mu_json *o = parsed("{\"a\":[\"x\",{\"k\":7}],\"b\":null}");
	const struct mu_json *a = mu_json_get_array(o, "a");

	ck_assert_uint_eq(mu_json_count(a), 2);
	ck_assert_str_eq(mu_json_text_of(mu_json_at(a, 0)), "x");
	ck_assert_ptr_null(mu_json_text_of(mu_json_at(a, 1)));
	ck_assert_int_eq(mu_json_get_int(mu_json_at(a, 1), "k", 0), 7);
	ck_assert_ptr_null(mu_json_at(a, 2));
	ck_assert_ptr_null(mu_json_get_array(o, "b"));
	ck_assert_ptr_null(mu_json_get_array(o, "c"));
	ck_assert(mu_json_has(o, "b"));
	ck_assert(!mu_json_has(o, "c"));
	mu_json_free(o);
}
END_TEST

static int note(void *arg, const char *key, const struct mu_json *v)
{
	char *out = arg;

	strcat(out, key);
	strcat(out, mu_json_text_of(v) ? "=text " : " ");
	return strcmp(key, "stop") == 0 ? MU_EFULL : 0;
}

START_TEST(members_are_walked_in_their_order)
{
	struct mu_json *o = parsed("{\"z\":1,\"a\":\"t\",\"stop\":2,\"x\":3}");
	char keys[64] = "";

	ck_assert_int_eq(mu_json_each(o, note, keys), MU_EFULL);
	ck_assert_str_eq(keys, "z a=text stop ");
	mu_json_free(o);
	o = parsed("{}");
	ck_assert_int_eq(mu_json_each(o, note, keys), 0);
	mu_json_free(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json_read");
	TCase *t = tcase_create("json");
	SRunner *r;
	int failed;

	tcase_add_test(t, a_line_that_is_no_json_is_told_with_its_column);
	tcase_add_test(t, a_line_may_be_longer_than_other_texts);
	tcase_add_loop_test(t, data_comes_back_as_it_was_set, 0, 2);
	tcase_add_loop_test(t, data_that_is_none_is_told, 0,
	                    (int)(sizeof bad / sizeof *bad));
	tcase_add_test(t, data_without_memory_is_an_error);
	tcase_add_test(t, an_object_in_an_object_is_read_by_its_key);
	tcase_add_test(t, arrays_are_read_by_place);
	tcase_add_test(t, members_are_walked_in_their_order);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
