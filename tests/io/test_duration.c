/* Times on the command line: what is one, what is none. Pure; here, where the
 * command line's rooms are at hand. */
#include "duration.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	int64_t ms;
} good[] = {
	{ "0", 0 },
	{ "60", 60000 },
	{ "007", 7000 },
	{ "500ms", 500 },
	{ "60s", 60000 },
	{ "5m", 300000 },
	{ "1h", 3600000 },
	{ "0.5", 500 },
	{ "1.5m", 90000 },
	{ "1.25h", 4500000 },
	{ "1.9ms", 1 },
	{ "0.0009999999999999999999s", 0 },
	{ "0.001000000000000000000009", 1 },
	{ "9223372036854775807ms", INT64_MAX },
	{ "9223372036854775", INT64_C(9223372036854775000) },
	{ "9223372036854775.807s", INT64_MAX },
};

static const char *const bad[] = {
	"",
	" ",
	"s",
	"ms",
	"-1",
	"+1",
	" 1",
	"1 ",
	"1 s",
	"1d",
	"1S",
	"1M",
	"1sec",
	"1s1",
	"1.",
	"1.s",
	".5",
	"1.5.5",
	"1,5",
	"1e3",
	"0x10",
	"5m3s",
	"1h30m",
	"1\n",
	"1msx",
	"nan",
	"inf",
	"--1",
	"9223372036854775808ms",
	"9223372036854775.808s",
	"9223372036854776",
	"2562047788016h",
	"99999999999999999999ms",
};

START_TEST(a_number_with_a_unit_is_a_time_and_one_alone_is_seconds)
{
	int64_t ms = -1;

	ck_assert(duration_parse(good[_i].text, &ms));
	ck_assert_int_eq(ms, good[_i].ms);
}
END_TEST

START_TEST(what_is_no_time_leaves_all_as_it_was)
{
	int64_t ms = 42;

	ck_assert_msg(!duration_parse(bad[_i], &ms), "%s", bad[_i]);
	ck_assert_int_eq(ms, 42);
}
END_TEST

START_TEST(a_time_is_told_in_its_largest_whole_unit_and_read_as_the_same)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0ms" },
		{ 1, "1ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 1001, "1001ms" },
		{ 90000, "90s" },
		{ 300000, "5m" },
		{ 3600000, "1h" },
		{ 5400000, "90m" },
		{ 86400000, "24h" },
		{ INT64_MAX, "9223372036854775807ms" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[DURATION_ROOM];
		int64_t ms;

		duration_text(text, rows[i].ms);
		ck_assert_str_eq(text, rows[i].text);
		ck_assert(duration_parse(text, &ms));
		ck_assert_int_eq(ms, rows[i].ms);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("duration");
	TCase *t = tcase_create("duration");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(
		t, a_number_with_a_unit_is_a_time_and_one_alone_is_seconds, 0,
		COUNT(good));
	tcase_add_loop_test(t, what_is_no_time_leaves_all_as_it_was, 0,
	                    COUNT(bad));
	tcase_add_test(
		t,
		a_time_is_told_in_its_largest_whole_unit_and_read_as_the_same);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
