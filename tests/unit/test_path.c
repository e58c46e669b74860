/* The contract of agent/core/path.h, sentence by sentence; rules 58 and 59. */
#include "path.h"

#include "err.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mu_err err;

static int check(const char *text)
{
	return mu_path_check(mu_str_of(text), &err);
}

static const char *const legal[] = {
	"/",
	"/a",
	"/a/b",
	"/...",
	"/.a",
	"/a.",
	"/a/..b",
	"/a b",
	"/~",
	"/\xc2\xa0",     /* U+00A0: one past the C1 controls */
	"/\xc3\xa9",     /* two bytes */
	"/\xe2\x82\xac", /* three bytes */
	"/\xed\x9f\xbf", /* U+D7FF: one before the surrogates */
	"/\xef\xa4\x80", /* U+F900: one past the private area */
	"/\xef\xbf\xaf", /* U+FFEF: one before the specials */
	"/ ",
};

START_TEST(rule59_a_legal_path_is_accepted)
{
	ck_assert_msg(check(legal[_i]) == 0, "%s: %s", legal[_i], err.msg);
	ck_assert_int_eq(mu_path_check(mu_str_of(legal[_i]), NULL), 0);
}
END_TEST

#define BAD(text, says) \
	{ \
		text, sizeof(text) - 1, says \
	}

/* `says`: a word that the sentence must have. */
static const struct {
	const char *at;
	uint32_t len;
	const char *says;
} illegal[] = {
	BAD("", "empty"), BAD("a", "start"), BAD("a/b", "start"),
	BAD("//", "last '/'"), BAD("/a/", "last '/'"), BAD("/a//", "last '/'"),
	BAD("//a", "empty part"), BAD("/a//b", "empty part"), BAD("/.", "'.'"),
	BAD("/..", "'..'"), BAD("/a/.", "'.'"), BAD("/./a", "'.'"),
	BAD("/a/../b", "'..'"), BAD("/\0", "U+0000"), BAD("/a\0b", "U+0000"),
	BAD("/a\x01", "U+0001"), BAD("/a\x1f", "U+001F"),
	BAD("/a\x7f", "U+007F"), BAD("/a\xc2\x80", "U+0080"),
	BAD("/a\xc2\x9f", "U+009F"), BAD("/a\xee\x80\x80", "U+E000"),
	BAD("/a\xef\xa3\xbf", "U+F8FF"), BAD("/a\xef\xbf\xb0", "U+FFF0"),
	BAD("/a\xef\xbf\xbf", "U+FFFF"), BAD("/a\xf0\x90\x80\x80", "U+10000"),
	BAD("/a\xf0\x9f\x98\x80", "U+1F600"),
	BAD("/a\xf4\x8f\xbf\xbf", "U+10FFFF"),
	/* not UTF-8 */
	BAD("/a\x80", "0x80"), BAD("/a\xff", "0xFF"),
	BAD("/a\xf8\x88\x80\x80\x80", "0xF8"), BAD("/a\xc3", "0xC3"),
	BAD("/a\xe2\x82", "0xE2"), BAD("/a\xc3/", "0xC3"),
	BAD("/a\xe2\x82/", "0xE2"),
	BAD("/a\xc0\xaf", "0xC0"),         /* overlong '/' */
	BAD("/a\xc1\xbf", "0xC1"),         /* overlong */
	BAD("/a\xe0\x9f\xbf", "0xE0"),     /* overlong */
	BAD("/a\xf0\x8f\xbf\xbf", "0xF0"), /* overlong */
	BAD("/a\xf4\x90\x80\x80", "0xF4"), /* past U+10FFFF */
	BAD("/a\xed\xa0\x80", "0xED"),     /* first surrogate */
	BAD("/a\xed\xbf\xbf", "0xED"),     /* last surrogate */
};

START_TEST(rule59_an_illegal_path_is_refused_with_what_is_wrong)
{
	struct mu_str path = { illegal[_i].at, illegal[_i].len };

	ck_assert_int_eq(mu_path_check(path, &err), MU_EINVAL);
	ck_assert_int_eq(err.code, MU_EINVAL);
	ck_assert_msg(strstr(err.msg, illegal[_i].says), "'%s' lacks '%s'",
	              err.msg, illegal[_i].says);
	ck_assert_int_eq(mu_path_check(path, NULL), MU_EINVAL);
}
END_TEST

START_TEST(rule59_every_control_character_is_refused)
{
	char text[] = "/ab";

	for (int c = 0; c < 0x80; c++) {
		int want = c < 0x20 || c == 0x7f ? MU_EINVAL : 0;

		text[2] = (char)c;
		if (c == '/')
			continue;
		ck_assert_int_eq(
			mu_path_check((struct mu_str){ text, 3 }, NULL), want);
	}
}
END_TEST

START_TEST(a_null_path_is_refused)
{
	ck_assert_int_eq(mu_path_check(mu_str_of(NULL), &err), MU_EINVAL);
}
END_TEST

START_TEST(a_character_cut_by_the_end_is_not_read_past_it)
{
	/* Exact memory, so that ASan sees one byte too many. */
	char *p = malloc(3);

	memcpy(p, "/\xe2\x82", 3);
	ck_assert_int_eq(mu_path_check((struct mu_str){ p, 3 }, &err),
	                 MU_EINVAL);
	free(p);
}
END_TEST

START_TEST(a_sentence_says_where_the_fault_is)
{
	check("/config/a//b");
	ck_assert_ptr_nonnull(strstr(err.msg, "byte 10"));
	ck_assert_ptr_nonnull(strstr(err.msg, "'/config/a/'"));
}
END_TEST

START_TEST(a_sentence_about_a_long_path_is_not_cut)
{
	char text[2000];

	memset(text, 'x', sizeof text);
	text[0] = '/';
	for (size_t i = 1; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	memcpy(text + sizeof text - 3, "/.", 3);
	ck_assert_int_eq(check(text), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "from the root"));
	ck_assert_ptr_nonnull(strstr(err.msg, "after '\xc3\xa9"));
}
END_TEST

static const struct {
	const char *path;
	int want;
} sequential[] = {
	{ "/", 0 },
	{ "/a", 0 },
	{ "/a/", 0 },
	{ "/a/b", 0 },
	{ "/a/.", 0 },
	{ "/a/..", 0 },
	{ "", MU_EINVAL },
	{ "a", MU_EINVAL },
	{ "//", MU_EINVAL },
	{ "/a//", MU_EINVAL },
	{ "/a//b", MU_EINVAL },
	{ "/../b", MU_EINVAL },
	{ "/./", MU_EINVAL },
	{ "/a\x01", MU_EINVAL },
};

START_TEST(rule58_a_path_is_judged_as_it_will_be_with_its_number)
{
	ck_assert_int_eq(
		mu_path_check_sequential(mu_str_of(sequential[_i].path), &err),
		sequential[_i].want);
}
END_TEST

static void assert_str(struct mu_str s, const char *want)
{
	ck_assert_uint_eq(s.len, strlen(want));
	ck_assert_mem_eq(s.at, want, s.len);
}

START_TEST(the_parent_of_a_path_is_all_but_its_last_part)
{
	assert_str(mu_path_parent(MU_STR("/a")), "/");
	assert_str(mu_path_parent(MU_STR("/a/b")), "/a");
	assert_str(mu_path_parent(MU_STR("/a/b/cc")), "/a/b");
}
END_TEST

START_TEST(the_name_of_a_path_is_its_last_part)
{
	assert_str(mu_path_name(MU_STR("/")), "");
	assert_str(mu_path_name(MU_STR("/a")), "a");
	assert_str(mu_path_name(MU_STR("/a/bc")), "bc");
}
END_TEST

START_TEST(the_depth_of_a_path_is_the_number_of_its_parts)
{
	ck_assert_uint_eq(mu_path_depth(MU_STR("/")), 0);
	ck_assert_uint_eq(mu_path_depth(MU_STR("/a")), 1);
	ck_assert_uint_eq(mu_path_depth(MU_STR("/a/b")), 2);
}
END_TEST

static const struct {
	const char *path, *top;
	bool want;
} within[] = {
	{ "/", "/", true },       { "/a", "/", true },
	{ "/a", "/a", true },     { "/a/b", "/a", true },
	{ "/ab", "/a", false },   { "/a", "/a/b", false },
	{ "/", "/a", false },     { "/b", "/a", false },
	{ "/a/b/c", "/a", true }, { "/a/bc", "/a/b", false },
};

START_TEST(a_path_is_within_itself_and_what_is_above_it)
{
	ck_assert_int_eq(mu_path_is_within(mu_str_of(within[_i].path),
	                                   mu_str_of(within[_i].top)),
	                 within[_i].want);
}
END_TEST

START_TEST(steps_take_one_part_after_the_other)
{
	struct mu_str path = MU_STR("/a/bc"), part;

	ck_assert(mu_path_step(&path, &part));
	assert_str(part, "a");
	assert_str(path, "/bc");
	ck_assert(mu_path_step(&path, &part));
	assert_str(part, "bc");
	ck_assert(!mu_path_step(&path, &part));
}
END_TEST

START_TEST(the_root_has_no_part_to_step_to)
{
	struct mu_str path = MU_STR("/"), part;

	ck_assert(!mu_path_step(&path, &part));
}
END_TEST

START_TEST(strings_are_equal_byte_for_byte)
{
	ck_assert(mu_str_eq(MU_STR("ab"), MU_STR("ab")));
	ck_assert(!mu_str_eq(MU_STR("ab"), MU_STR("ac")));
	ck_assert(!mu_str_eq(MU_STR("ab"), MU_STR("a")));
	ck_assert(mu_str_eq(MU_STR(""), mu_str_of("")));
}
END_TEST

START_TEST(the_null_string_equals_only_itself)
{
	ck_assert(mu_str_eq(mu_str_of(NULL), mu_str_of(NULL)));
	ck_assert(!mu_str_eq(mu_str_of(NULL), MU_STR("")));
	ck_assert(!mu_str_eq(MU_STR(""), mu_str_of(NULL)));
}
END_TEST

START_TEST(a_string_starts_with_its_beginnings)
{
	ck_assert(mu_str_starts(MU_STR("abc"), MU_STR("ab")));
	ck_assert(mu_str_starts(MU_STR("abc"), MU_STR("abc")));
	ck_assert(mu_str_starts(MU_STR("abc"), MU_STR("")));
	ck_assert(mu_str_starts(mu_str_of(NULL), mu_str_of(NULL)));
	ck_assert(!mu_str_starts(MU_STR("abc"), MU_STR("bc")));
	ck_assert(!mu_str_starts(MU_STR("ab"), MU_STR("abc")));
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

int main(void)
{
	Suite *s = suite_create("path");
	TCase *c = tcase_create("path");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_loop_test(c, rule59_a_legal_path_is_accepted, 0,
	                    COUNT(legal));
	tcase_add_loop_test(
		c, rule59_an_illegal_path_is_refused_with_what_is_wrong, 0,
		COUNT(illegal));
	tcase_add_test(c, rule59_every_control_character_is_refused);
	tcase_add_test(c, a_null_path_is_refused);
	tcase_add_test(c, a_character_cut_by_the_end_is_not_read_past_it);
	tcase_add_test(c, a_sentence_says_where_the_fault_is);
	tcase_add_test(c, a_sentence_about_a_long_path_is_not_cut);
	tcase_add_loop_test(
		c, rule58_a_path_is_judged_as_it_will_be_with_its_number, 0,
		COUNT(sequential));
	tcase_add_test(c, the_parent_of_a_path_is_all_but_its_last_part);
	tcase_add_test(c, the_name_of_a_path_is_its_last_part);
	tcase_add_test(c, the_depth_of_a_path_is_the_number_of_its_parts);
	tcase_add_loop_test(c, a_path_is_within_itself_and_what_is_above_it, 0,
	                    COUNT(within));
	tcase_add_test(c, steps_take_one_part_after_the_other);
	tcase_add_test(c, the_root_has_no_part_to_step_to);
	tcase_add_test(c, strings_are_equal_byte_for_byte);
	tcase_add_test(c, the_null_string_equals_only_itself);
	tcase_add_test(c, a_string_starts_with_its_beginnings);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
