/* Loading shared objects, and what is no shared object. */
#include "dso.h"

#include "fake_agent.h"
#include "mem.h"
#include "program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[200], file[300], source[300];
static const void *at;
static size_t room;
static struct mu_err err;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(file, sizeof file, "%s/it.so", dir);
	snprintf(source, sizeof source, "%s/it.c", dir);
	at = NULL;
	room = 99;
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	dir_remove(dir);
}

static void write_file(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void compile(const char *text, const char *options)
{
	char command[1000];

	write_file(source, text, strlen(text));
	snprintf(command, sizeof command, "cc -shared -fPIC %s -o %s %s",
	         options, file, source);
	ck_assert_int_eq(system(command), 0);
}

static void assert_refused(const char *path, int code, const char *word)
{
	ck_assert_int_eq(mu_dso_load(path, "thing", &at, &room, &err), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.msg, word) != NULL, "%s", err.msg);
	ck_assert_ptr_null(at);
	ck_assert_uint_eq(room, 99);
}

START_TEST(an_object_is_found_with_its_size)
{
	compile("const int thing[3] = { 7, 8, 9 };", "");
	ck_assert_int_eq(mu_dso_load(file, "thing", &at, &room, &err), 0);
	ck_assert_uint_eq(room, 3 * sizeof(int));
	ck_assert_int_eq(((const int *)at)[2], 9);
	ck_assert_int_eq(err.code, 0);
}
END_TEST

START_TEST(the_size_need_not_be_asked_for)
{
	compile("const int thing = 7;", "");
	ck_assert_int_eq(mu_dso_load(file, "thing", &at, NULL, &err), 0);
	ck_assert_int_eq(*(const int *)at, 7);
}
END_TEST

START_TEST(a_second_name_for_an_object_will_do)
{
	compile("const int base = 7;\n"
	        "extern const int thing __attribute__((alias(\"base\")));",
	        "");
	ck_assert_int_eq(mu_dso_load(file, "thing", &at, &room, &err), 0);
	ck_assert_int_eq(*(const int *)at, 7);
	ck_assert(room == 0 || room == sizeof(int));
}
END_TEST

START_TEST(a_file_that_is_not_there_is_refused)
{
	assert_refused(file, MU_EIO, "No such file");
	ck_assert_ptr_nonnull(strstr(err.msg, file));
}
END_TEST

START_TEST(a_name_without_a_directory_is_refused)
{
	assert_refused("libc.so.6", MU_EIO, "directory");
}
END_TEST

START_TEST(a_directory_is_refused)
{
	assert_refused(dir, MU_EIO, "not a file");
}
END_TEST

START_TEST(a_text_is_refused)
{
	write_file(file, "echo I am a plugin\n", 19);
	assert_refused(file, MU_EIO, "cannot load");
	ck_assert_ptr_nonnull(strstr(err.msg, file));
}
END_TEST

START_TEST(an_empty_file_is_refused)
{
	write_file(file, "", 0);
	assert_refused(file, MU_EIO, "cannot load");
}
END_TEST

/* Cut at every sixteenth of its length: never a crash, always a sentence. */
START_TEST(a_file_cut_short_is_refused)
{
	char *bytes;
	long len;
	FILE *f;

	compile("const char thing[20000] = { 1 };", "-s");
	f = fopen(file, "r");
	ck_assert_ptr_nonnull(f);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	bytes = mu_alloc((size_t)len);
	ck_assert_uint_eq(fread(bytes, 1, (size_t)len, f), (size_t)len);
	fclose(f);
	/* The section headers at the very end are not needed to load it. */
	write_file(file, bytes, (size_t)(len * _i / 16));
	mu_free(bytes);
	assert_refused(file, MU_EIO, file);
}
END_TEST

START_TEST(a_missing_symbol_is_refused)
{
	compile("const int another = 7;", "");
	assert_refused(file, MU_EABI, "no symbol thing");
}
END_TEST

START_TEST(a_hidden_symbol_is_refused)
{
	compile("const int thing = 7;", "-fvisibility=hidden");
	assert_refused(file, MU_EABI, "no symbol thing");
}
END_TEST

START_TEST(a_function_is_refused)
{
	compile("void thing(void) { }", "");
	assert_refused(file, MU_EABI, "function");
}
END_TEST

START_TEST(a_thread_local_object_is_refused)
{
	compile("__thread int thing = 7;", "");
	assert_refused(file, MU_EABI, "not a constant");
}
END_TEST

START_TEST(an_undefined_symbol_is_refused)
{
	compile("extern int nobody(void);\n"
	        "int (*const thing)(void) = nobody;\nint f(void);\n"
	        "int f(void) { return nobody(); }",
	        "");
	assert_refused(file, MU_EIO, "nobody");
}
END_TEST

START_TEST(a_null_err_is_allowed)
{
	ck_assert_int_eq(mu_dso_load(file, "thing", &at, &room, NULL), MU_EIO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dso");
	TCase *tc = tcase_create("load");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_object_is_found_with_its_size);
	tcase_add_test(tc, the_size_need_not_be_asked_for);
	tcase_add_test(tc, a_second_name_for_an_object_will_do);
	tcase_add_test(tc, a_file_that_is_not_there_is_refused);
	tcase_add_test(tc, a_name_without_a_directory_is_refused);
	tcase_add_test(tc, a_directory_is_refused);
	tcase_add_test(tc, a_text_is_refused);
	tcase_add_test(tc, an_empty_file_is_refused);
	tcase_add_loop_test(tc, a_file_cut_short_is_refused, 1, 13);
	tcase_add_test(tc, a_missing_symbol_is_refused);
	tcase_add_test(tc, a_hidden_symbol_is_refused);
	tcase_add_test(tc, a_function_is_refused);
	tcase_add_test(tc, a_thread_local_object_is_refused);
	tcase_add_test(tc, an_undefined_symbol_is_refused);
	tcase_add_test(tc, a_null_err_is_allowed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
