/* The calls of a real directory: what the journal leans on. */
#include "disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_mem.c"
#include "program.h"

static char dir[64];
static struct mu_disk *d;
static struct mu_err err;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	ck_assert_int_eq(mu_disk_open(dir, &d, &err), 0);
}

static void teardown(void)
{
	d->free(d);
	dir_remove(dir);
}

static int create(const char *name)
{
	const int fd = d->create(d, name);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(a_file_is_made_once_with_mode_0640)
{
	char path[100];
	struct stat st;
	mode_t old = umask(0);
	int fd = create("a");

	umask(old);
	ck_assert_int_eq(d->create(d, "a"), -EEXIST);
	snprintf(path, sizeof path, "%s/a", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	d->close(d, fd);
}
END_TEST

START_TEST(what_was_written_is_read_where_it_was_written)
{
	char bytes[16];
	int fd = create("a");

	ck_assert_int_eq(d->write(d, fd, "hello", 5, 3), 5);
	ck_assert_int_eq(d->size(d, fd), 8);
	ck_assert_int_eq(d->sync(d, fd), 0);
	d->close(d, fd);
	fd = d->open(d, "a", false);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(d->read(d, fd, bytes, sizeof bytes, 0), 8);
	ck_assert_mem_eq(bytes, "\0\0\0hello", 8);
	ck_assert_int_eq(d->read(d, fd, bytes, 2, 4), 2);
	ck_assert_mem_eq(bytes, "el", 2);
	ck_assert_int_eq(d->read(d, fd, bytes, sizeof bytes, 8), 0);
	ck_assert_int_eq(d->write(d, fd, "x", 1, 0), -EBADF);
	d->close(d, fd);
	ck_assert_int_eq(d->open(d, "b", true), -ENOENT);
}
END_TEST

START_TEST(room_is_taken_filled_with_zeros_and_cut_again)
{
	char bytes[100], zeros[100] = { 0 };
	int fd = create("a");

	ck_assert_int_eq(d->write(d, fd, "x", 1, 0), 1);
	ck_assert_int_eq(d->allocate(d, fd, 300000), 0);
	ck_assert_int_eq(d->size(d, fd), 300000);
	ck_assert_int_eq(d->read(d, fd, bytes, 100, 299900), 100);
	ck_assert_mem_eq(bytes, zeros, 100);
	ck_assert_int_eq(d->read(d, fd, bytes, 1, 0), 1);
	ck_assert_int_eq(bytes[0], 'x');
	ck_assert_int_eq(d->truncate(d, fd, 10), 0);
	ck_assert_int_eq(d->size(d, fd), 10);
	d->close(d, fd);
}
END_TEST

START_TEST(names_are_renamed_over_others_and_removed)
{
	char bytes[4];
	int fd = create("a");

	ck_assert_int_eq(d->write(d, fd, "new", 3, 0), 3);
	d->close(d, fd);
	d->close(d, create("b"));
	ck_assert_int_eq(d->rename(d, "a", "b"), 0);
	ck_assert_int_eq(d->rename(d, "a", "b"), -ENOENT);
	ck_assert_int_eq(d->sync_dir(d), 0);
	fd = d->open(d, "b", false);
	ck_assert_int_eq(d->read(d, fd, bytes, 4, 0), 3);
	d->close(d, fd);
	ck_assert_int_eq(d->unlink(d, "b"), 0);
	ck_assert_int_eq(d->unlink(d, "b"), -ENOENT);
}
END_TEST

static int count(void *arg, const char *name)
{
	int *seen = arg;

	*seen |= 1 << (name[0] - 'a');
	return strlen(name) == 1 ? 0 : -1;
}

static int stop(void *arg, const char *name)
{
	(void)name;
	++*(int *)arg;
	return 7;
}

START_TEST(each_name_is_listed_until_it_is_enough)
{
	int seen = 0, calls = 0;

	for (char name[2] = "a"; name[0] < 'f'; name[0]++)
		d->close(d, create(name));
	ck_assert_int_eq(d->list(d, count, &seen), 0);
	ck_assert_int_eq(seen, 31);
	ck_assert_int_eq(d->list(d, stop, &calls), 7);
	ck_assert_int_eq(calls, 1);
	seen = 0;
	ck_assert_int_eq(d->list(d, count, &seen), 0); /* from the start */
	ck_assert_int_eq(seen, 31);
}
END_TEST

START_TEST(it_goes_on_when_the_directory_is_renamed)
{
	char other[80];
	int fd;

	snprintf(other, sizeof other, "%s-moved", dir);
	ck_assert_int_eq(rename(dir, other), 0);
	fd = create("a");
	d->close(d, fd);
	ck_assert_int_eq(d->sync_dir(d), 0);
	ck_assert_int_eq(rename(other, dir), 0);
	fd = d->open(d, "a", false);
	ck_assert_int_ge(fd, 0);
	d->close(d, fd);
}
END_TEST

/* What the system says comes through, and a short write is told as such. */
START_TEST(a_limit_of_the_file_size_is_a_short_write_and_then_an_error)
{
	struct rlimit limit = { 1000, 1000 };
	char bytes[2000] = { 0 };
	int fd = create("a");

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(d->write(d, fd, bytes, sizeof bytes, 0), 1000);
	ck_assert_int_eq(d->write(d, fd, bytes, sizeof bytes, 1000), -EFBIG);
	ck_assert_int_eq(d->allocate(d, fd, 5000), -EFBIG);
	d->close(d, fd);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_an_error_that_names_it)
{
	struct mu_disk *none = NULL;

	ck_assert_int_eq(mu_disk_open("/nonexistent/d", &none, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/d"));
	fault_alloc_at(0);
	ck_assert_int_eq(mu_disk_open(dir, &none, &err), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk");
	TCase *t = tcase_create("disk");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_file_is_made_once_with_mode_0640);
	tcase_add_test(t, what_was_written_is_read_where_it_was_written);
	tcase_add_test(t, room_is_taken_filled_with_zeros_and_cut_again);
	tcase_add_test(t, names_are_renamed_over_others_and_removed);
	tcase_add_test(t, each_name_is_listed_until_it_is_enough);
	tcase_add_test(t, it_goes_on_when_the_directory_is_renamed);
	tcase_add_test(
		t, a_limit_of_the_file_size_is_a_short_write_and_then_an_error);
	tcase_add_test(t,
	               a_directory_that_is_not_there_is_an_error_that_names_it);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
