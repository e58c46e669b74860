/* Which plugins the agent takes, and which it turns away. */
#include "abi.h"

#include <check.h>
#include <string.h>

static int init_stub(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)h, (void)self, (void)err;
	return 0;
}

static int event_stub(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	return 0;
}

static void fini_stub(void *self)
{
	(void)self;
}

static int tick_stub(void *self, struct mu_err *err)
{
	(void)self, (void)err;
	return 0;
}

/* sizeof(struct mu_plugin) in revision 1. */
#define SIZE_1 offsetof(struct mu_plugin, wants)

static struct mu_plugin p, got, untouched;
static struct mu_err err;

static void setup(void)
{
	p = (struct mu_plugin){ .abi = MU_PLUGIN_ABI,
		                .size = sizeof p,
		                .name = "good",
		                .help = "help",
		                .init = init_stub,
		                .event = event_stub,
		                .fini = fini_stub,
		                .wants = MU_WANT_GAP,
		                .tick = tick_stub,
		                .check = tick_stub };
	memset(&untouched, 0xee, sizeof untouched);
	memcpy(&got, &untouched, sizeof got);
	memset(&err, 0, sizeof err);
}

static void assert_refused(size_t room, int code, const char *word)
{
	ck_assert_int_eq(mu_abi_adopt(&p, room, &got, &err), code);
	ck_assert_int_eq(err.code, code);
	ck_assert_ptr_nonnull(strstr(err.msg, word));
	ck_assert_mem_eq(&got, &untouched, sizeof got);
}

START_TEST(a_good_plugin_is_taken)
{
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, &err), 0);
	ck_assert_str_eq(got.name, "good");
	ck_assert_str_eq(got.help, "help");
	ck_assert(got.init == init_stub);
	ck_assert(got.event == event_stub);
	ck_assert(got.fini == fini_stub);
	ck_assert_int_eq(err.code, 0);
}
END_TEST

START_TEST(an_unknown_room_is_no_obstacle)
{
	ck_assert_int_eq(mu_abi_adopt(&p, 0, &got, &err), 0);
}
END_TEST

START_TEST(help_may_be_null)
{
	p.help = NULL;
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, &err), 0);
	ck_assert_ptr_null(got.help);
}
END_TEST

START_TEST(a_plugin_from_the_future_is_taken)
{
	struct {
		struct mu_plugin v1;
		void *added[2];
	} future = { p, { &future, &future } };

	future.v1.size = sizeof future;
	ck_assert_int_eq(mu_abi_adopt(&future, sizeof future, &got, &err), 0);
	ck_assert(got.fini == fini_stub);
}
END_TEST

START_TEST(a_constant_that_is_not_aligned_is_read)
{
	char bytes[sizeof p + 1];

	memcpy(bytes + 1, &p, sizeof p);
	ck_assert_int_eq(mu_abi_adopt(bytes + 1, sizeof p, &got, &err), 0);
	ck_assert_str_eq(got.name, "good");
}
END_TEST

START_TEST(an_older_abi_is_refused)
{
	p.abi--;
	assert_refused(sizeof p, MU_EABI, "ABI 0");
}
END_TEST

START_TEST(a_newer_abi_is_refused)
{
	p.abi++;
	assert_refused(sizeof p, MU_EABI, "ABI 2");
}
END_TEST

START_TEST(a_struct_one_byte_short_is_refused)
{
	p.size = SIZE_1 - 1;
	assert_refused(sizeof p, MU_EABI, "at least");
	p.size = 8;
	assert_refused(sizeof p, MU_EABI, "at least");
}
END_TEST

/* What stands behind it is somebody else's, and not looked at. */
START_TEST(a_plugin_of_the_first_revision_is_taken_without_what_is_new)
{
	p.size = SIZE_1;
	ck_assert_int_eq(mu_abi_adopt(&p, SIZE_1, &got, &err), 0);
	ck_assert_uint_eq(got.size, SIZE_1);
	ck_assert(got.fini == fini_stub);
	ck_assert_uint_eq(got.wants, 0);
	ck_assert(got.tick == NULL);
	ck_assert(got.check == NULL);
}
END_TEST

START_TEST(a_plugin_of_this_revision_brings_all_it_has)
{
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, &err), 0);
	ck_assert_uint_eq(got.wants, MU_WANT_GAP);
	ck_assert(got.tick == tick_stub);
	ck_assert(got.check == tick_stub);
}
END_TEST

START_TEST(what_is_new_may_be_left_out)
{
	p.wants = 0;
	p.tick = p.check = NULL;
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, &err), 0);
}
END_TEST

START_TEST(a_size_between_two_revisions_is_refused)
{
	for (p.size = SIZE_1 + 1; p.size < sizeof p; p.size++)
		assert_refused(sizeof p, MU_EABI, "no published");
}
END_TEST

START_TEST(a_size_of_nothing_is_refused)
{
	p.size = 0;
	assert_refused(0, MU_EABI, "0 bytes");
}
END_TEST

START_TEST(a_size_one_beyond_what_is_readable_is_refused)
{
	p.size = sizeof p + 1;
	assert_refused(sizeof p, MU_EABI, "are there");
}
END_TEST

START_TEST(a_symbol_that_is_too_small_is_refused)
{
	assert_refused(sizeof p - 1, MU_EABI, "are there");
}
END_TEST

START_TEST(a_symbol_smaller_than_the_first_two_fields_is_not_read)
{
	char bytes[7]; /* ASan would see a read beyond the seventh */

	memcpy(bytes, &p, sizeof bytes);
	ck_assert_int_eq(mu_abi_adopt(bytes, sizeof bytes, &got, &err),
	                 MU_EABI);
	ck_assert_ptr_nonnull(strstr(err.msg, "7 bytes"));
}
END_TEST

START_TEST(a_size_says_which_revision_it_is_of)
{
	ck_assert_uint_eq(mu_abi_revision(0), 0);
	ck_assert_uint_eq(mu_abi_revision(SIZE_1 - 1), 0);
	ck_assert_uint_eq(mu_abi_revision(SIZE_1), 1);
	ck_assert_uint_eq(mu_abi_revision(SIZE_1 + 1), 0);
	ck_assert_uint_eq(mu_abi_revision(sizeof p), MU_PLUGIN_REVISION);
	ck_assert_uint_eq(mu_abi_revision(sizeof p + 1),
	                  MU_PLUGIN_REVISION + 1);
}
END_TEST

START_TEST(no_init_is_refused)
{
	p.init = NULL;
	assert_refused(sizeof p, MU_EINVAL, "no init");
}
END_TEST

START_TEST(no_event_is_refused)
{
	p.event = NULL;
	assert_refused(sizeof p, MU_EINVAL, "no event");
}
END_TEST

START_TEST(no_fini_is_refused)
{
	p.fini = NULL;
	assert_refused(sizeof p, MU_EINVAL, "no fini");
}
END_TEST

START_TEST(no_name_is_refused)
{
	p.name = NULL;
	assert_refused(sizeof p, MU_EINVAL, "name");
}
END_TEST

static const char *const bad_names[] = {
	"",           "Bad",     "a/b",
	"under_line", "a b",     "123456789012345678901234567890123",
	"a\n",        "\xc3\xa4"
};

START_TEST(a_bad_name_is_refused)
{
	p.name = bad_names[_i];
	assert_refused(sizeof p, MU_EINVAL, "name");
}
END_TEST

START_TEST(a_name_of_32_bytes_is_taken)
{
	p.name = "abcdefghijklmnopqrstuvwxyz-01289";
	ck_assert_uint_eq(strlen(p.name), MU_PLUGIN_NAME_MAX);
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, &err), 0);
}
END_TEST

START_TEST(a_null_err_is_allowed)
{
	p.abi = 0;
	ck_assert_int_eq(mu_abi_adopt(&p, sizeof p, &got, NULL), MU_EABI);
}
END_TEST

START_TEST(a_plugin_is_called_as_its_file)
{
	ck_assert_int_eq(mu_abi_check_name("log", "/usr/lib/x/log.so", &err),
	                 0);
	ck_assert_int_eq(mu_abi_check_name("log", "log.so", &err), 0);
}
END_TEST

static const char *const other_files[] = { "/x/logs.so",  "/x/lo.so",
	                                   "/x/log",      "/log.so/x.so",
	                                   "/x/log.so.1", "" };

START_TEST(another_file_name_is_refused)
{
	ck_assert_int_eq(mu_abi_check_name("log", other_files[_i], &err),
	                 MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "itself log"));
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("abi");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_good_plugin_is_taken);
	tcase_add_test(tc, an_unknown_room_is_no_obstacle);
	tcase_add_test(tc, help_may_be_null);
	tcase_add_test(tc, a_plugin_from_the_future_is_taken);
	tcase_add_test(tc, a_constant_that_is_not_aligned_is_read);
	tcase_add_test(tc, an_older_abi_is_refused);
	tcase_add_test(tc, a_newer_abi_is_refused);
	tcase_add_test(tc, a_struct_one_byte_short_is_refused);
	tcase_add_test(
		tc,
		a_plugin_of_the_first_revision_is_taken_without_what_is_new);
	tcase_add_test(tc, a_plugin_of_this_revision_brings_all_it_has);
	tcase_add_test(tc, what_is_new_may_be_left_out);
	tcase_add_test(tc, a_size_between_two_revisions_is_refused);
	tcase_add_test(tc, a_size_says_which_revision_it_is_of);
	tcase_add_test(tc, a_size_of_nothing_is_refused);
	tcase_add_test(tc, a_size_one_beyond_what_is_readable_is_refused);
	tcase_add_test(tc, a_symbol_that_is_too_small_is_refused);
	tcase_add_test(tc,
	               a_symbol_smaller_than_the_first_two_fields_is_not_read);
	tcase_add_test(tc, no_init_is_refused);
	tcase_add_test(tc, no_event_is_refused);
	tcase_add_test(tc, no_fini_is_refused);
	tcase_add_test(tc, no_name_is_refused);
	tcase_add_loop_test(tc, a_bad_name_is_refused, 0, COUNT(bad_names));
	tcase_add_test(tc, a_name_of_32_bytes_is_taken);
	tcase_add_test(tc, a_null_err_is_allowed);
	tcase_add_test(tc, a_plugin_is_called_as_its_file);
	tcase_add_loop_test(tc, another_file_name_is_refused, 0,
	                    COUNT(other_files));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
