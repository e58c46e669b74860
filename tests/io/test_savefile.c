/* A file that appears whole or not at all. */
#include "savefile.h"

#include "program.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_mem.c"

static char dir[64], path[96];
static struct mu_err err;
static struct mu_savefile *s;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/file", dir);
	umask(022);
}

static void teardown(void)
{
	dir_remove(dir);
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* "." and ".." */
}

static void begin(bool replace, const char *text)
{
	int rc = mu_savefile_open(path, replace, 0640, &s, &err);

	ck_assert_msg(rc == 0, "%s", err.msg);
	ck_assert_int_eq(write(mu_savefile_fd(s), text, strlen(text)),
	                 (ssize_t)strlen(text));
}

static void assert_holds(const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "rb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(got, 1, sizeof got - 1, f), strlen(text));
	ck_assert_str_eq(got, text);
	fclose(f);
}

START_TEST(it_takes_its_name_at_the_commit)
{
	struct stat st;

	begin(false, "new");
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(mu_savefile_commit(s, &err), 0);
	assert_holds("new");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(given_up_nothing_is_left)
{
	begin(false, "new");
	mu_savefile_abort(s);
	ck_assert_uint_eq(entries(), 0);
	mu_savefile_abort(NULL);
}
END_TEST

START_TEST(what_is_there_is_replaced_only_if_it_may_be)
{
	begin(false, "old");
	ck_assert_int_eq(mu_savefile_commit(s, &err), 0);
	ck_assert_int_eq(mu_savefile_open(path, false, 0600, &s, &err),
	                 MU_EEXISTS);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	begin(true, "new");
	assert_holds("old");
	ck_assert_int_eq(mu_savefile_commit(s, &err), 0);
	assert_holds("new");
	begin(true, "never");
	mu_savefile_abort(s);
	assert_holds("new");
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(what_came_meanwhile_is_not_replaced_either)
{
	FILE *f;

	begin(false, "mine");
	f = fopen(path, "wb");
	fputs("theirs", f);
	fclose(f);
	ck_assert_int_eq(mu_savefile_commit(s, &err), MU_EEXISTS);
	assert_holds("theirs");
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(what_cannot_be_is_told)
{
	char longer[5000];

	ck_assert_int_eq(mu_savefile_open(dir, true, 0600, &s, &err), MU_EIO);
	snprintf(path, sizeof path, "%s/", dir);
	ck_assert_int_eq(mu_savefile_open(path, true, 0600, &s, &err), MU_EIO);
	snprintf(path, sizeof path, "%s/no/file", dir);
	ck_assert_int_eq(mu_savefile_open(path, true, 0600, &s, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "No such file or directory"));
	memset(longer, 'a', sizeof longer);
	longer[300] = '\0';
	ck_assert_int_eq(mu_savefile_open(longer, true, 0600, &s, &err),
	                 MU_EIO);
	longer[300] = 'a';
	longer[4999] = '\0';
	ck_assert_int_eq(mu_savefile_open(longer, true, 0600, &s, &err),
	                 MU_EIO);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_savefile_open("x", true, 0600, &s, &err),
	                 MU_ENOMEM);
	ck_assert(fault_alloc_off());
	ck_assert_uint_eq(entries(), 0);
	ck_assert_int_eq(fault_alloc_live(), 0);
}
END_TEST

START_TEST(what_is_no_ordinary_file_is_not_replaced)
{
	char home[] = "/tmp/mu-savefile-XXXXXX", fifo[64];
	struct mu_savefile *f;
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(home));
	snprintf(fifo, sizeof fifo, "%s/pipe", home);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(mu_savefile_open(fifo, true, 0600, &f, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "no ordinary file"));
	ck_assert_int_eq(stat(fifo, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(unlink(fifo), 0);
	ck_assert_int_eq(rmdir(home), 0);
}
END_TEST

START_TEST(a_path_without_a_slash_is_of_this_directory)
{
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mu_savefile_open("here", false, 0600, &s, &err), 0);
	ck_assert_int_eq(mu_savefile_commit(s, &err), 0);
	snprintf(path, sizeof path, "%s/here", dir);
	assert_holds("");
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
	Suite *all = suite_create("savefile");
	TCase *t = tcase_create("contract");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, it_takes_its_name_at_the_commit);
	tcase_add_test(t, given_up_nothing_is_left);
	tcase_add_test(t, what_is_there_is_replaced_only_if_it_may_be);
	tcase_add_test(t, what_came_meanwhile_is_not_replaced_either);
	tcase_add_test(t, what_cannot_be_is_told);
	tcase_add_test(t, what_is_no_ordinary_file_is_not_replaced);
	tcase_add_test(t, a_path_without_a_slash_is_of_this_directory);
	suite_add_tcase(all, t);
	r = srunner_create(all);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
