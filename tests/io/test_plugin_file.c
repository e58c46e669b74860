/* agent/io/elffile.h, agent/io/dirwatch.h: how another file of a plugin is
 * noticed, and told from one that is not whole yet. */
#include "dirwatch.h"
#include "elffile.h"
#include "fault_mem.c"
#include "program.h"

#include <muster/types.h>

#include <check.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128];
static struct mu_err err;

/* This program, as the shared object that it is not quite. */
static char *object_of(size_t *len)
{
	char *object = file_read("/proc/self/exe", len);

	ck_assert_ptr_nonnull(object);
	object[offsetof(Elf64_Ehdr, e_type)] = ET_DYN;
	return object;
}

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(path, sizeof path, "%s/plugin.so", dir);
}

static void teardown(void)
{
	dir_remove(dir);
}

/* ---- a whole object ---- */

static void check_refused(int rc, const char *why)
{
	ck_assert_int_eq(mu_elffile_check(path, &err), rc);
	ck_assert_msg(strstr(err.msg, path) && strstr(err.msg, why), "%s",
	              err.msg);
}

START_TEST(a_shared_object_of_this_machine_is_taken)
{
	size_t len;
	char *object = object_of(&len);

	file_write(path, object, len);
	ck_assert_int_eq(mu_elffile_check(path, &err), 0);
	free(object);
}
END_TEST

START_TEST(what_is_not_there_or_no_file_cannot_be_read)
{
	check_refused(MU_EIO, "cannot be read");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	check_refused(MU_EIO, "cannot be read");
}
END_TEST

START_TEST(an_object_that_lacks_its_last_byte_is_not_whole)
{
	size_t len;
	char *object = object_of(&len);

	file_write(path, object, len);
	ck_assert_int_eq(mu_elffile_check(path, &err), 0);
	file_write(path, object, len - 1);
	check_refused(MU_EINVAL, "not whole");
	/* As long as it will be, but empty: a linker may begin so. */
	memset(object, 0, len);
	file_write(path, object, len);
	check_refused(MU_EINVAL, "no ELF file");
	file_write(path, object, 0);
	check_refused(MU_EINVAL, "no ELF file");
	free(object);
}
END_TEST

START_TEST(headers_that_speak_of_something_else_are_refused)
{
	static const struct {
		size_t at;
		unsigned char value;
		const char *why;
	} cases[] = {
		{ offsetof(Elf64_Ehdr, e_type), ET_EXEC, "no shared object" },
		{ offsetof(Elf64_Ehdr, e_type), ET_REL, "no shared object" },
		{ EI_CLASS, sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64,
		  "another kind of machine" },
		{ offsetof(Elf64_Ehdr, e_machine), 0xfe,
		  "another kind of machine" },
		{ sizeof(void *) == 8 ? offsetof(Elf64_Ehdr, e_shoff) + 7
		                      : offsetof(Elf32_Ehdr, e_shoff) + 3,
		  0x7f, "not whole" },
		{ sizeof(void *) == 8 ? offsetof(Elf64_Ehdr, e_phoff) + 7
		                      : offsetof(Elf32_Ehdr, e_phoff) + 3,
		  0xff, "not whole" },
	};
	size_t len;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *object = object_of(&len);

		object[cases[i].at] = (char)cases[i].value;
		file_write(path, object, len);
		check_refused(MU_EINVAL, cases[i].why);
		free(object);
	}
}
END_TEST

/* ---- a directory ---- */

static struct mu_loop *loop;
static struct mu_timer *late;
static unsigned heard;

static void on_change(void *arg)
{
	(void)arg;
	heard++;
	mu_loop_stop(loop);
}

static void on_late(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

/* How often it is heard, until the first time or for so long. */
static unsigned hear_for(uint32_t ms)
{
	heard = 0;
	mu_timer_arm(late, ms, 0);
	mu_loop_run(loop);
	return heard;
}

static struct mu_dirwatch *watch(void)
{
	struct mu_dirwatch *w;

	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, on_late, NULL, &late), 0);
	ck_assert_int_eq(mu_dirwatch_new(loop, on_change, NULL, &w, &err), 0);
	ck_assert_int_eq(mu_dirwatch_add(w, dir, &err), 0);
	return w;
}

static void unwatch(struct mu_dirwatch *w)
{
	mu_dirwatch_free(w);
	mu_timer_free(late);
	mu_loop_free(loop);
}

START_TEST(what_is_made_written_or_moved_there_is_heard_of)
{
	struct mu_dirwatch *w = watch();
	char beside[140];

	snprintf(beside, sizeof beside, "%s.new", path);
	file_write_text(beside, "x");
	ck_assert_uint_ge(hear_for(WAIT_MS), 1);
	ck_assert_int_eq(rename(beside, path), 0);
	ck_assert_uint_ge(hear_for(WAIT_MS), 1);
	file_write_text(path, "y");
	ck_assert_uint_ge(hear_for(WAIT_MS), 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(hear_for(50), 0);
	unwatch(w);
}
END_TEST

START_TEST(a_directory_that_was_added_twice_is_heard_of_once)
{
	struct mu_dirwatch *w = watch();

	ck_assert_int_eq(mu_dirwatch_add(w, dir, &err), 0);
	ck_assert_int_eq(symlink("nowhere", path), 0);
	ck_assert_uint_eq(hear_for(WAIT_MS), 1);
	ck_assert_uint_eq(hear_for(50), 0);
	unwatch(w);
}
END_TEST

START_TEST(what_is_no_directory_cannot_be_watched)
{
	struct mu_dirwatch *w = watch();

	ck_assert_int_eq(mu_dirwatch_add(w, path, &err), MU_EIO);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	file_write_text(path, "x");
	ck_assert_int_eq(mu_dirwatch_add(w, path, &err), MU_EIO);
	mu_dirwatch_free(NULL);
	unwatch(w);
}
END_TEST

START_TEST(without_memory_nothing_is_watched)
{
	struct mu_dirwatch *w = NULL;
	unsigned k = 0;
	long before;
	int rc;

	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	before = fault_alloc_live();
	do {
		fault_alloc_at(k++);
		rc = mu_dirwatch_new(loop, on_change, NULL, &w, &err);
		if (rc) {
			ck_assert_int_eq(rc, MU_ENOMEM);
			ck_assert_int_eq(fault_alloc_live(), before);
		}
	} while (fault_alloc_off());
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(k, 1);
	mu_dirwatch_free(w);
	mu_loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plugin_file");
	TCase *t = tcase_create("plugin_file");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_shared_object_of_this_machine_is_taken);
	tcase_add_test(t, what_is_not_there_or_no_file_cannot_be_read);
	tcase_add_test(t, an_object_that_lacks_its_last_byte_is_not_whole);
	tcase_add_test(t, headers_that_speak_of_something_else_are_refused);
	tcase_add_test(t, what_is_made_written_or_moved_there_is_heard_of);
	tcase_add_test(t, a_directory_that_was_added_twice_is_heard_of_once);
	tcase_add_test(t, what_is_no_directory_cannot_be_watched);
	tcase_add_test(t, without_memory_nothing_is_watched);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
