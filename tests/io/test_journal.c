/* The journal that keeps the epoch and nothing else. */
#include "journal.h"

#include "files.h"
#include "mem.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault_mem.c"
#include "program.h"

static char dir[64], data[80], epoch[96];
static struct mu_err err;
static struct mu_journal *j;

static void setup(void)
{
	dir_make(dir, sizeof dir);
	snprintf(data, sizeof data, "%s/data", dir);
	snprintf(epoch, sizeof epoch, "%s/epoch", data);
	memset(&err, 0, sizeof err);
	j = NULL;
}

static void teardown(void)
{
	dir_remove(dir);
}

static void open_good(uint32_t want)
{
	ck_assert_msg(mu_journal_memory_open(data, &j, &err) == 0, "%s",
	              err.msg);
	ck_assert_uint_eq(j->epoch, want);
}

static void write_epoch(const char *text, size_t len)
{
	ck_assert_int_eq(mu_dir_make(data, 0700, &err), 0);
	ck_assert_int_eq(mu_file_replace(epoch, text, len, 0600, &err), 0);
}

static void assert_refused(int code, const char *word)
{
	memset(&err, 0, sizeof err);
	ck_assert_int_eq(mu_journal_memory_open(data, &j, &err), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.msg, word) != NULL, "no '%s' in: %s", word,
	              err.msg);
	ck_assert_ptr_null(j);
}

START_TEST(the_first_epoch_is_1_and_it_grows_with_each_start)
{
	for (uint32_t n = 1; n <= 5; n++) {
		open_good(n);
		j->close(j);
	}
}
END_TEST

START_TEST(it_says_that_commands_are_not_kept)
{
	open_good(1);
	ck_assert(!j->keeps);
	ck_assert_int_eq(j->fd(j), -1);
	j->close(j);
}
END_TEST

START_TEST(commands_are_durable_after_the_flush_and_not_before)
{
	open_good(1);
	ck_assert_uint_eq(j->durable(j), 0);
	ck_assert_int_eq(j->append(j, 1, "a", 1, &err), 0);
	ck_assert_int_eq(j->append(j, 2, "bc", 2, &err), 0);
	ck_assert_uint_eq(j->durable(j), 0);
	ck_assert_int_eq(j->flush(j, &err), 0);
	ck_assert_uint_eq(j->durable(j), 2);
	ck_assert_int_eq(j->append(j, 3, "", 0, &err), 0);
	ck_assert_uint_eq(j->durable(j), 2);
	ck_assert_int_eq(j->flush(j, &err), 0);
	ck_assert_uint_eq(j->durable(j), 3);
	j->close(j);
}
END_TEST

START_TEST(a_gap_in_the_indexes_is_a_bug)
{
	open_good(1);
	teardown(); /* this process does not come back */
	fclose(stderr);
	j->append(j, 2, "a", 1, &err);
}
END_TEST

START_TEST(a_second_broker_is_kept_out_and_the_epoch_stays)
{
	struct mu_journal *first;

	open_good(1);
	first = j;
	j = NULL;
	assert_refused(MU_EFULL, "lock");
	first->close(first);
	open_good(2);
	j->close(j);
}
END_TEST

/* The bytes on disk are a promise to later versions. */
START_TEST(the_file_of_version_1_looks_like_this)
{
	char *text;
	size_t len;

	open_good(1);
	j->close(j);
	ck_assert_int_eq(mu_file_read(epoch, 100, &text, &len, &err), 0);
	ck_assert_str_eq(text, "muster-epoch 1\n1\ncrc32 4ddaedd0\n");
	mu_free(text);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
	char *text;
	size_t len;

	open_good(1);
	j->close(j);
	j = NULL;
	ck_assert_int_eq(mu_file_read(epoch, 100, &text, &len, &err), 0);
	for (size_t i = 0; i < len * 8; i++) {
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		write_epoch(text, len);
		ck_assert_int_eq(mu_journal_memory_open(data, &j, &err),
		                 MU_EDATA);
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
	}
	mu_free(text);
}
END_TEST

START_TEST(every_shortened_file_is_seen)
{
	const char *good = "muster-epoch 1\n1\ncrc32 4ddaedd0\n";

	for (size_t len = 0; len < strlen(good); len++) {
		write_epoch(good, len);
		assert_refused(MU_EDATA, "is damaged");
	}
	write_epoch(good, strlen(good));
	open_good(2);
	j->close(j);
}
END_TEST

START_TEST(damage_is_told_with_what_to_do)
{
	write_epoch("rubbish\n", 8);
	assert_refused(MU_EDATA, epoch);
	assert_refused(MU_EDATA, "put it back from a backup, or delete it");
	ck_assert_int_eq(unlink(epoch), 0);
	open_good(1);
	j->close(j);
}
END_TEST

START_TEST(a_file_that_goes_on_too_long_is_damaged)
{
	char text[600];

	memset(text, '1', sizeof text);
	write_epoch(text, sizeof text);
	assert_refused(MU_EDATA, "is damaged");
	write_epoch("muster-epoch 1\n1\ncrc32 4ddaedd0\n\n", 33);
	assert_refused(MU_EDATA, "is damaged");
}
END_TEST

START_TEST(a_newer_format_is_refused_with_its_number)
{
	write_epoch("muster-epoch 2\nwhatever\n", 24);
	assert_refused(MU_EDATA, "newer muster-broker (format 2");
	write_epoch("muster-epoch 0\n1\n", 17);
	assert_refused(MU_EDATA, "is damaged");
}
END_TEST

START_TEST(the_last_epoch_is_used_and_then_no_more)
{
	const char *last = "muster-epoch 1\n2147483646\ncrc32 6ee5a067\n";

	write_epoch(last, strlen(last));
	open_good(INT32_MAX);
	j->close(j);
	j = NULL;
	assert_refused(MU_EDATA, "cannot grow any more");
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_an_error_that_names_it)
{
	ck_assert_int_eq(mu_file_replace(data, "x", 1, 0600, &err), 0);
	assert_refused(MU_EIO, data);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	char name[5000];

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	ck_assert_int_eq(mu_journal_memory_open(name, &j, &err), MU_EIO);
}
END_TEST

START_TEST(the_old_epoch_stands_when_the_new_one_cannot_be_written)
{
	open_good(1);
	j->close(j);
	j = NULL;
	ck_assert_int_eq(unlink(epoch), 0);
	ck_assert_int_eq(mkdir(epoch, 0700), 0);
	assert_refused(MU_EIO, epoch);
	ck_assert_int_eq(rmdir(epoch), 0);
	open_good(1);
	j->close(j);
}
END_TEST

START_TEST(without_memory_it_does_not_open_and_the_epoch_stays)
{
	unsigned k = 0;
	int rc;

	open_good(1);
	j->close(j);
	do {
		j = NULL;
		fault_alloc_at(k++);
		rc = mu_journal_memory_open(data, &j, &err);
		if (fault_alloc_off())
			ck_assert_int_eq(rc, MU_ENOMEM);
	} while (rc);
	ck_assert_uint_gt(k, 2);
	ck_assert_uint_eq(j->epoch, 2);
	j->close(j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("memory");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60); /* hundreds of fsyncs */
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_first_epoch_is_1_and_it_grows_with_each_start);
	tcase_add_test(t, it_says_that_commands_are_not_kept);
	tcase_add_test(t, commands_are_durable_after_the_flush_and_not_before);
	tcase_add_test_raise_signal(t, a_gap_in_the_indexes_is_a_bug, SIGABRT);
	tcase_add_test(t, a_second_broker_is_kept_out_and_the_epoch_stays);
	tcase_add_test(t, the_file_of_version_1_looks_like_this);
	tcase_add_test(t, every_flipped_bit_is_seen);
	tcase_add_test(t, every_shortened_file_is_seen);
	tcase_add_test(t, damage_is_told_with_what_to_do);
	tcase_add_test(t, a_file_that_goes_on_too_long_is_damaged);
	tcase_add_test(t, a_newer_format_is_refused_with_its_number);
	tcase_add_test(t, the_last_epoch_is_used_and_then_no_more);
	tcase_add_test(
		t, a_directory_that_cannot_be_made_is_an_error_that_names_it);
	tcase_add_test(t, a_name_that_is_too_long_is_refused);
	tcase_add_test(t,
	               the_old_epoch_stands_when_the_new_one_cannot_be_written);
	tcase_add_test(t, without_memory_it_does_not_open_and_the_epoch_stays);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
