/* agent/host/ephemerals_file.h: which nodes instances hold, across a crash. */
#include "ephemerals_file.h"

#include "program.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128], told[1024];
static struct mu_ephemerals_file *f;
static struct mu_err err;
static int64_t session;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/ephemerals", dir);
	ck_assert_int_eq(mu_ephemerals_file_new(dir, &f), 0);
}

static void teardown(void)
{
	mu_ephemerals_file_free(f);
	dir_remove(dir);
}

static int on_line(void *arg, const char *instance, const char *node, bool add)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof told - len, "%c%s|%s;", add ? '+' : '-',
	         instance, node);
	return *(int *)arg;
}

static int load(void)
{
	int give = 0;

	told[0] = '\0';
	session = 0;
	return mu_ephemerals_file_load(dir, &session, on_line, &give, &err);
}

static void put(const char *text)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

START_TEST(what_was_added_and_removed_is_told_in_order)
{
	ck_assert(!mu_ephemerals_file_is_open(f));
	mu_ephemerals_file_begin(f, -2);
	ck_assert_uint_eq(mu_ephemerals_file_add(f, "web", "/s/a"), 1);
	mu_ephemerals_file_end(f);
	ck_assert(mu_ephemerals_file_is_open(f));
	ck_assert_uint_eq(mu_ephemerals_file_add(f, "db", "/s/with space"), 2);
	ck_assert_uint_eq(mu_ephemerals_file_remove(f, "web", "/s/a"), 3);
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(session, -2);
	ck_assert_str_eq(told, "+web|/s/a;+db|/s/with space;-web|/s/a;");
}
END_TEST

START_TEST(writing_it_anew_forgets_what_was)
{
	mu_ephemerals_file_begin(f, 1);
	mu_ephemerals_file_add(f, "web", "/a");
	mu_ephemerals_file_end(f);
	mu_ephemerals_file_begin(f, 2);
	mu_ephemerals_file_end(f);
	ck_assert_uint_eq(mu_ephemerals_file_add(f, "web", "/b"), 1);
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(session, 2);
	ck_assert_str_eq(told, "+web|/b;");
}
END_TEST

START_TEST(no_file_is_no_node)
{
	ck_assert_int_eq(load(), MU_ENONODE);
}
END_TEST

START_TEST(a_line_that_was_not_ended_is_passed_over)
{
	put("muster-ephemerals 1\ns1f\n+web /a\n+web /b");
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(session, 31);
	ck_assert_str_eq(told, "+web|/a;");
}
END_TEST

static const char *const bad[] = { "",
	                           "muster-ephemerals 2\ns1\n",
	                           "muster-ephemerals 1\ns1x\n",
	                           "muster-ephemerals 1\n*web /a\n",
	                           "muster-ephemerals 1\n+web\n",
	                           "muster-ephemerals 1\n\n" };

START_TEST(what_is_not_ours_is_an_error)
{
	put(bad[_i]);
	ck_assert_int_eq(load(), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
}
END_TEST

START_TEST(an_error_of_the_listener_ends_it)
{
	int give = MU_ENOMEM;

	put("muster-ephemerals 1\ns1\n+web /a\n+web /b\n");
	ck_assert_int_eq(
		mu_ephemerals_file_load(dir, &session, on_line, &give, &err),
		MU_ENOMEM);
	ck_assert_str_eq(told, "+web|/a;");
}
END_TEST

/* The old one stays, and the caller goes on. */
START_TEST(a_file_that_cannot_be_written_is_no_trouble)
{
	char fresh[160];

	put("muster-ephemerals 1\ns1\n+web /a\n");
	snprintf(fresh, sizeof fresh, "%s.new", path);
	ck_assert_int_eq(mkdir(fresh, 0700), 0);
	mu_ephemerals_file_begin(f, 2);
	mu_ephemerals_file_end(f);
	ck_assert(!mu_ephemerals_file_is_open(f));
	mu_ephemerals_file_add(f, "web", "/b");
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(told, "+web|/a;");
	rmdir(fresh);
	mu_ephemerals_file_begin(f, 2);
	mu_ephemerals_file_end(f);
	ck_assert(mu_ephemerals_file_is_open(f));
}
END_TEST

START_TEST(behind_half_a_line_nothing_is_written)
{
	struct rlimit limit;

	mu_ephemerals_file_begin(f, 1);
	mu_ephemerals_file_add(f, "web", "/a");
	mu_ephemerals_file_end(f);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	limit.rlim_cur = 40; /* the disk is full in the middle of it */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	mu_ephemerals_file_add(f, "web", "/a/path/that/is/too/long/for/it");
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	mu_ephemerals_file_add(f, "web", "/b");
	ck_assert(!mu_ephemerals_file_is_open(f));
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(told, "+web|/a;");
	mu_ephemerals_file_begin(f, 1);
	mu_ephemerals_file_add(f, "web", "/b");
	mu_ephemerals_file_end(f);
	mu_ephemerals_file_add(f, "web", "/c");
	ck_assert(mu_ephemerals_file_is_open(f));
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(told, "+web|/b;+web|/c;");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ephemerals_file");
	TCase *tc = tcase_create("file");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_added_and_removed_is_told_in_order);
	tcase_add_test(tc, writing_it_anew_forgets_what_was);
	tcase_add_test(tc, no_file_is_no_node);
	tcase_add_test(tc, a_line_that_was_not_ended_is_passed_over);
	tcase_add_loop_test(tc, what_is_not_ours_is_an_error, 0,
	                    (int)(sizeof bad / sizeof *bad));
	tcase_add_test(tc, an_error_of_the_listener_ends_it);
	tcase_add_test(tc, a_file_that_cannot_be_written_is_no_trouble);
	tcase_add_test(tc, behind_half_a_line_nothing_is_written);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
