/* A directory made for another user, in places that he has a hand in. */
#include "child.h"
#include "err.h"
#include "program.h"
#include "userdir.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIS 65533u   /* nobody needs to know him */
#define OTHER 65532u /* likewise */
#define PATH_ROOM 300

static char top[100];
static struct mu_err err;

static void setup(void)
{
	dir_make(top, sizeof top);
	ck_assert_int_eq(chmod(top, 0755), 0);
}

static void teardown(void)
{
	dir_remove(top);
}

static const char *at(const char *name)
{
	static char path[4][PATH_ROOM];
	static unsigned i;

	snprintf(path[++i % 4], PATH_ROOM, "%s/%s", top, name);
	return path[i % 4];
}

static void make(const char *name, uint32_t uid)
{
	ck_assert_int_eq(mkdir(at(name), 0755), 0);
	ck_assert_int_eq(chown(at(name), uid, uid), 0);
}

static void point(const char *name, const char *where, uint32_t uid)
{
	ck_assert_int_eq(symlink(where, at(name)), 0);
	ck_assert_int_eq(lchown(at(name), uid, uid), 0);
}

static int make_his(const char *name)
{
	memset(&err, 0, sizeof err);
	return mu_userdir_make(at(name), HIS, HIS, &err);
}

static void assert_is(const char *name, uint32_t uid)
{
	struct stat st;

	ck_assert_msg(lstat(at(name), &st) == 0, "%s is not there", name);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_gid, uid);
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

START_TEST(where_nobody_has_a_hand_the_last_one_is_given_away)
{
	ck_assert_int_eq(make_his("some/where/"), 0);
	assert_is("some", 0);
	assert_is("some/where", HIS);
}
END_TEST

START_TEST(one_that_is_there_is_left_as_it_is)
{
	make("there", OTHER);
	ck_assert_int_eq(make_his("there"), 0);
	assert_is("there", OTHER);
}
END_TEST

START_TEST(below_his_own_all_is_made_as_himself)
{
	make("his", HIS);
	ck_assert_int_eq(make_his("his/some/where"), 0);
	assert_is("his/some", HIS);
	assert_is("his/some/where", HIS);
	ck_assert_uint_eq(geteuid(), 0);
	make("his/ours", 0); /* root has its rights again */
}
END_TEST

/* Who owns what lies above can put in its place what he likes. */
START_TEST(what_is_ours_below_his_own_is_not_safe)
{
	make("his", HIS);
	make("his/ours", 0);
	ck_assert_int_eq(make_his("his/ours/new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "Permission denied"));
	ck_assert(!is_there("his/ours/new"));
}
END_TEST

START_TEST(below_somebody_elses_he_has_his_own_rights)
{
	make("other", OTHER);
	ck_assert_int_eq(make_his("other/new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "Permission denied"));
	ck_assert(!is_there("other/new"));
}
END_TEST

START_TEST(a_sticky_directory_is_nobodys_to_exchange)
{
	make("tmp", 0);
	ck_assert_int_eq(chmod(at("tmp"), 01777), 0);
	ck_assert_int_eq(make_his("tmp/new"), 0);
	assert_is("tmp/new", HIS);
	make("open", 0);
	ck_assert_int_eq(chmod(at("open"), 0777), 0);
	ck_assert_int_eq(make_his("open/some/where"), 0);
	assert_is("open/some", HIS);
}
END_TEST

START_TEST(a_link_of_ours_is_followed)
{
	make("real", 0);
	point("link", at("real"), 0);
	point("short", "./link", 0);
	ck_assert_int_eq(make_his("short/some/where"), 0);
	assert_is("real/some", 0);
	assert_is("real/some/where", HIS);
}
END_TEST

START_TEST(a_link_of_his_is_not)
{
	make("real", 0);
	make("his", HIS);
	point("his/link", at("real"), HIS);
	ck_assert_int_eq(make_his("his/link/new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "a link on the way"));
	make("tmp", 0);
	ck_assert_int_eq(chmod(at("tmp"), 01777), 0);
	point("tmp/link", at("real"), HIS);
	ck_assert_int_eq(make_his("tmp/link/new"), MU_EIO);
	ck_assert(!is_there("real/new"));
}
END_TEST

START_TEST(links_in_a_circle_end)
{
	point("a", "b", 0);
	point("b", "a", 0);
	ck_assert_int_eq(make_his("a/new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "symbolic links"));
}
END_TEST

START_TEST(a_file_on_the_way_is_an_error)
{
	FILE *f = fopen(at("file"), "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_eq(make_his("file/new"), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "Not a directory"));
}
END_TEST

START_TEST(a_name_or_a_way_that_is_too_long_is_an_error)
{
	char name[5000];

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	ck_assert_int_eq(make_his(name), MU_EIO);
	memset(name, '/', sizeof name);
	name[sizeof name - 1] = '\0';
	ck_assert_int_eq(mu_userdir_make(name, HIS, HIS, &err), MU_EIO);
	name[4095] = '\0';
	ck_assert_int_eq(mu_userdir_make(name, HIS, HIS, &err), 0);
}
END_TEST

/* His own directory, and a link to ours, by turns under one name. */
static void exchange(void)
{
	char mine[PATH_ROOM], link[PATH_ROOM], name[PATH_ROOM];

	if (setgid(HIS) || setuid(HIS))
		_exit(1);
	strcpy(mine, at("his/mine"));
	strcpy(link, at("his/link"));
	strcpy(name, at("his/name"));
	(void)mkdir(mine, 0755);
	(void)symlink(at("real"), link);
	for (;;) {
		(void)rename(mine, name);
		(void)rename(name, mine);
		(void)rename(link, name);
		(void)rename(name, link);
	}
}

START_TEST(who_exchanges_names_meanwhile_gains_nothing)
{
	pid_t pid;

	make("real", 0);
	make("real/there", 0);
	make("his", HIS);
	pid = child_fork();
	if (pid == 0)
		exchange();
	for (int i = 0; i < 3000; i++) {
		(void)make_his("his/name/new");
		(void)make_his("his/name/there");
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!is_there("real/new"));
	assert_is("real", 0);
	assert_is("real/there", 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("userdir");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	if (getuid()) {
		puts("SKIPPED: userdir: only root makes directories for "
		     "others");
		return 0;
	}
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, where_nobody_has_a_hand_the_last_one_is_given_away);
	tcase_add_test(tc, one_that_is_there_is_left_as_it_is);
	tcase_add_test(tc, below_his_own_all_is_made_as_himself);
	tcase_add_test(tc, what_is_ours_below_his_own_is_not_safe);
	tcase_add_test(tc, below_somebody_elses_he_has_his_own_rights);
	tcase_add_test(tc, a_sticky_directory_is_nobodys_to_exchange);
	tcase_add_test(tc, a_link_of_ours_is_followed);
	tcase_add_test(tc, a_link_of_his_is_not);
	tcase_add_test(tc, links_in_a_circle_end);
	tcase_add_test(tc, a_file_on_the_way_is_an_error);
	tcase_add_test(tc, a_name_or_a_way_that_is_too_long_is_an_error);
	tcase_add_test(tc, who_exchanges_names_meanwhile_gains_nothing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
