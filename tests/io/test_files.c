/* Small files: read whole, replaced whole, or left alone. */
#include "child.h"
#include "files.h"

#include "mem.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault_mem.c"
#include "program.h"

static char dir[64];
static struct mu_err err;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	dir_remove(dir);
}

/* A path in the directory of this test; good until the fourth call after. */
static const char *in_dir(const char *name)
{
	static char path[4][512];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text)
{
	ck_assert_int_eq(
		mu_file_replace(in_dir(name), text, strlen(text), 0644, &err),
		0);
}

static void assert_holds(const char *name, const char *text)
{
	char *got;
	size_t len;

	ck_assert_int_eq(mu_file_read(in_dir(name), 1 << 20, &got, &len, &err),
	                 0);
	ck_assert_str_eq(got, text);
	ck_assert_uint_eq(len, strlen(text));
	mu_free(got);
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void assert_told(int code, const char *word)
{
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.msg, word) != NULL, "no '%s' in: %s", word,
	              err.msg);
}

/* ---- read ------------------------------------------------------------------- */

START_TEST(a_file_is_read_with_a_nul_after_it)
{
	char *got;
	size_t len;

	ck_assert_int_eq(mu_file_replace(in_dir("f"), "a\0b", 3, 0600, &err),
	                 0);
	ck_assert_int_eq(mu_file_read(in_dir("f"), 3, &got, &len, &err), 0);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(got, "a\0b\0", 4);
	mu_free(got);
}
END_TEST

START_TEST(an_empty_file_is_read_as_no_bytes)
{
	put("f", "");
	assert_holds("f", "");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told_apart)
{
	char *got;
	size_t len;

	ck_assert_int_eq(mu_file_read(in_dir("none"), 10, &got, &len, &err),
	                 MU_ENONODE);
	assert_told(MU_ENONODE, in_dir("none"));
}
END_TEST

START_TEST(a_path_through_a_file_and_a_directory_are_refused)
{
	char *got;
	size_t len;

	put("f", "x");
	ck_assert_int_eq(mu_file_read(in_dir("f/g"), 10, &got, &len, &err),
	                 MU_EIO);
	assert_told(MU_EIO, "f/g");
	ck_assert_int_eq(mu_file_read(dir, 10, &got, &len, &err), MU_EIO);
	assert_told(MU_EIO, dir);
}
END_TEST

START_TEST(one_byte_over_the_limit_is_too_big)
{
	char *got;
	size_t len;

	put("f", "12345");
	ck_assert_int_eq(mu_file_read(in_dir("f"), 5, &got, &len, &err), 0);
	mu_free(got);
	ck_assert_int_eq(mu_file_read(in_dir("f"), 4, &got, &len, &err),
	                 MU_ETOOBIG);
	assert_told(MU_ETOOBIG, "4 bytes");
}
END_TEST

/* Such files say that they have 0 bytes. */
START_TEST(a_file_that_hides_its_size_is_read_whole)
{
	char *got;
	size_t len;

	ck_assert_int_eq(
		mu_file_read("/proc/self/status", 65536, &got, &len, &err), 0);
	ck_assert_ptr_nonnull(strstr(got, "Threads:"));
	ck_assert_uint_eq(len, strlen(got));
	mu_free(got);
	ck_assert_int_eq(mu_file_read("/dev/zero", 65536, &got, &len, &err),
	                 MU_ETOOBIG);
}
END_TEST

START_TEST(a_large_file_is_read_whole)
{
	size_t n = 300000, len;
	char *big = malloc(n), *got;

	ck_assert_ptr_nonnull(big);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)(i * 7 + i / 255);
	ck_assert_int_eq(mu_file_replace(in_dir("f"), big, n, 0600, &err), 0);
	ck_assert_int_eq(mu_file_read(in_dir("f"), n, &got, &len, &err), 0);
	ck_assert_uint_eq(len, n);
	ck_assert_mem_eq(got, big, n);
	mu_free(got);
	free(big);
}
END_TEST

START_TEST(a_read_without_memory_fails_until_there_is_some)
{
	char *got;
	size_t len;
	unsigned k = 0;
	int rc;

	put("f", "some bytes");
	do {
		fault_alloc_at(k++);
		rc = mu_file_read(in_dir("f"), 100, &got, &len, &err);
		if (fault_alloc_off())
			ck_assert_int_eq(rc, MU_ENOMEM);
	} while (rc);
	ck_assert_uint_gt(k, 1);
	ck_assert_str_eq(got, "some bytes");
	mu_free(got);
}
END_TEST

/* ---- replace ---------------------------------------------------------------- */

START_TEST(a_file_is_made_and_then_replaced)
{
	put("f", "old");
	put("f", "the new one");
	assert_holds("f", "the new one");
	ck_assert_int_eq(entries(dir), 1);
}
END_TEST

START_TEST(the_mode_is_exactly_the_one_asked_for)
{
	struct stat st;

	umask(077);
	ck_assert_int_eq(mu_file_replace(in_dir("f"), "x", 1, 0664, &err), 0);
	ck_assert_int_eq(stat(in_dir("f"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0664);
	ck_assert_int_eq(mu_file_replace(in_dir("f"), "x", 1, 0400, &err), 0);
	ck_assert_int_eq(stat(in_dir("f"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0400);
}
END_TEST

START_TEST(a_reader_of_the_old_file_keeps_the_old_bytes)
{
	char got[8] = "";
	int fd;

	put("f", "old");
	fd = open(in_dir("f"), O_RDONLY);
	put("f", "new");
	ck_assert_int_eq(read(fd, got, sizeof got), 3);
	ck_assert_str_eq(got, "old");
	close(fd);
}
END_TEST

START_TEST(a_name_without_a_directory_stands_in_the_present_one)
{
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mu_file_replace("f", "here", 4, 0600, &err), 0);
	assert_holds("f", "here");
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_symbolic_link_is_replaced_and_its_target_left_alone)
{
	struct stat st;

	put("target", "old");
	ck_assert_int_eq(symlink(in_dir("target"), in_dir("link")), 0);
	put("link", "new");
	assert_holds("target", "old");
	assert_holds("link", "new");
	ck_assert_int_eq(lstat(in_dir("link"), &st), 0);
	ck_assert(S_ISREG(st.st_mode));
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error_that_names_it)
{
	ck_assert_int_eq(mu_file_replace(in_dir("no/f"), "x", 1, 0600, &err),
	                 MU_EIO);
	assert_told(MU_EIO, in_dir("no"));
	ck_assert_int_eq(entries(dir), 0);
}
END_TEST

START_TEST(a_path_through_a_file_is_an_error)
{
	put("f", "x");
	ck_assert_int_eq(mu_file_replace(in_dir("f/g"), "x", 1, 0600, &err),
	                 MU_EIO);
	assert_holds("f", "x");
}
END_TEST

START_TEST(a_name_that_is_a_directory_is_refused_and_nothing_stays_behind)
{
	ck_assert_int_eq(mkdir(in_dir("d"), 0700), 0);
	ck_assert_int_eq(mu_file_replace(in_dir("d"), "x", 1, 0600, &err),
	                 MU_EIO);
	ck_assert_int_eq(mu_file_replace(in_dir("d/"), "x", 1, 0600, &err),
	                 MU_EIO);
	ck_assert_int_eq(entries(dir), 1);
	ck_assert_int_eq(entries(in_dir("d")), 0);
}
END_TEST

START_TEST(a_name_at_the_limit_of_the_file_system_is_taken_and_not_one_past)
{
	char name[257];

	memset(name, 'n', 255);
	name[255] = '\0';
	put(name, "x");
	assert_holds(name, "x");
	strcpy(name + 255, "n");
	ck_assert_int_eq(mu_file_replace(in_dir(name), "x", 1, 0600, &err),
	                 MU_EIO);
	ck_assert_int_eq(entries(dir), 1);
}
END_TEST

/* The disk takes 1,000 bytes and then no more: first a short write, then an
 * error. */
START_TEST(a_disk_that_fills_up_leaves_the_old_file_and_no_other)
{
	struct rlimit small = { 1000, RLIM_INFINITY };
	char big[5000];

	memset(big, 'x', sizeof big);
	put("f", "old");
	ck_assert_ptr_ne((void *)signal(SIGXFSZ, SIG_IGN), (void *)SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(mu_file_replace(in_dir("f"), big, 1001, 0600, &err),
	                 MU_EIO);
	assert_told(MU_EIO, in_dir("f"));
	assert_holds("f", "old");
	ck_assert_int_eq(entries(dir), 1);
	ck_assert_int_eq(mu_file_replace(in_dir("f"), big, 1000, 0600, &err),
	                 0);
}
END_TEST

/* ---- directories ------------------------------------------------------------ */

START_TEST(a_directory_is_made_with_all_above_it)
{
	struct stat st;

	umask(022);
	ck_assert_int_eq(mu_dir_make(in_dir("a//b/c/"), 0750, &err), 0);
	ck_assert_int_eq(stat(in_dir("a/b/c"), &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0750);
	ck_assert_int_eq(stat(in_dir("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0750);
}
END_TEST

START_TEST(a_directory_that_is_there_is_left_as_it_is)
{
	struct stat st;

	ck_assert_int_eq(mkdir(in_dir("d"), 0711), 0);
	ck_assert_int_eq(mu_dir_make(in_dir("d"), 0700, &err), 0);
	ck_assert_int_eq(stat(in_dir("d"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0711);
	ck_assert_int_eq(mu_dir_make("/", 0700, &err), 0);
}
END_TEST

START_TEST(a_directory_in_place_of_a_file_is_refused)
{
	put("f", "x");
	ck_assert_int_eq(mu_dir_make(in_dir("f"), 0700, &err), MU_EIO);
	assert_told(MU_EIO, in_dir("f"));
	ck_assert_int_eq(mu_dir_make(in_dir("f/g"), 0700, &err), MU_EIO);
	ck_assert_int_eq(mu_dir_make("", 0700, &err), MU_EIO);
	assert_holds("f", "x");
}
END_TEST

START_TEST(a_directory_name_that_is_too_long_is_refused)
{
	char name[5000];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	name[0] = '/';
	ck_assert_int_eq(mu_dir_make(name, 0700, &err), MU_EIO);
}
END_TEST

/* ---- locks ------------------------------------------------------------------ */

START_TEST(a_second_lock_is_refused_and_names_the_holder)
{
	int a, b;
	char pid[32];

	ck_assert_int_eq(mu_file_lock(in_dir("lock"), &a, &err), 0);
	ck_assert_int_eq(mu_file_lock(in_dir("lock"), &b, &err), MU_EFULL);
	snprintf(pid, sizeof pid, "process %d holds", (int)getpid());
	assert_told(MU_EFULL, pid);
	close(a);
	ck_assert_int_eq(mu_file_lock(in_dir("lock"), &b, &err), 0);
	close(b);
}
END_TEST

START_TEST(a_lock_ends_with_its_process)
{
	int fd, status;
	pid_t child = child_fork();

	if (child == 0)
		_exit(mu_file_lock(in_dir("lock"), &fd, &err) ? 1 : 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(mu_file_lock(in_dir("lock"), &fd, &err), 0);
	close(fd);
}
END_TEST

START_TEST(a_lock_is_not_inherited_by_a_program_that_is_started)
{
	int fd;

	ck_assert_int_eq(mu_file_lock(in_dir("lock"), &fd, &err), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	ck_assert_int_eq(mu_file_lock(in_dir("no/lock"), &fd, &err), MU_EIO);
	assert_told(MU_EIO, "no/lock");
}
END_TEST

static TCase *tests(void)
{
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_is_read_with_a_nul_after_it);
	tcase_add_test(t, an_empty_file_is_read_as_no_bytes);
	tcase_add_test(t, a_file_that_is_not_there_is_told_apart);
	tcase_add_test(t, a_path_through_a_file_and_a_directory_are_refused);
	tcase_add_test(t, one_byte_over_the_limit_is_too_big);
	tcase_add_test(t, a_file_that_hides_its_size_is_read_whole);
	tcase_add_test(t, a_large_file_is_read_whole);
	tcase_add_test(t, a_read_without_memory_fails_until_there_is_some);
	tcase_add_test(t, a_file_is_made_and_then_replaced);
	tcase_add_test(t, the_mode_is_exactly_the_one_asked_for);
	tcase_add_test(t, a_reader_of_the_old_file_keeps_the_old_bytes);
	tcase_add_test(t, a_name_without_a_directory_stands_in_the_present_one);
	tcase_add_test(t,
	               a_symbolic_link_is_replaced_and_its_target_left_alone);
	tcase_add_test(t,
	               a_directory_that_is_not_there_is_an_error_that_names_it);
	tcase_add_test(t, a_path_through_a_file_is_an_error);
	tcase_add_test(
		t,
		a_name_that_is_a_directory_is_refused_and_nothing_stays_behind);
	tcase_add_test(
		t,
		a_name_at_the_limit_of_the_file_system_is_taken_and_not_one_past);
	tcase_add_test(t,
	               a_disk_that_fills_up_leaves_the_old_file_and_no_other);
	tcase_add_test(t, a_directory_is_made_with_all_above_it);
	tcase_add_test(t, a_directory_that_is_there_is_left_as_it_is);
	tcase_add_test(t, a_directory_in_place_of_a_file_is_refused);
	tcase_add_test(t, a_directory_name_that_is_too_long_is_refused);
	tcase_add_test(t, a_second_lock_is_refused_and_names_the_holder);
	tcase_add_test(t, a_lock_ends_with_its_process);
	tcase_add_test(t, a_lock_is_not_inherited_by_a_program_that_is_started);
	return t;
}

int main(void)
{
	Suite *s = suite_create("files");
	SRunner *r;
	int failed;

	suite_add_tcase(s, tests());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
