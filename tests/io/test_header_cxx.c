/* What an outsider includes compiles by itself, as C11 and as C++17, with all
 * warnings on. */
#include "err.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARNINGS "-Wall -Wextra -Wpedantic -Werror -fsyntax-only"

static char dir[] = "/tmp/muster-test-XXXXXX";

static const char *const headers[] = { "types.h", "client.h", "plugin.h" };

static const struct {
	const char *compiler;
	const char *suffix;
} languages[] = {
	{ "cc -std=c11", "c" },
	{ "c++ -std=c++17", "cpp" },
};

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void write_source(const char *file, const char *header)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "#include <muster/%s>\n#include <muster/%s>\n", header,
	        header);
	fprintf(f, "int main(void) { return MU_OK; }\n");
	ck_assert_int_eq(fclose(f), 0);
}

/* The exit status of a compiler on a source with this header, twice. */
static int compile(size_t language, const char *header)
{
	char file[128], command[512];
	int status;

	mu_format(file, sizeof file, "%s/t.%s", dir,
	          languages[language].suffix);
	write_source(file, header);
	mu_format(command, sizeof command, "%s %s -I%s/include %s",
	          languages[language].compiler, WARNINGS, MU_SOURCE, file);
	status = system(command);
	unlink(file);
	return status;
}

START_TEST(a_public_header_compiles_by_itself)
{
	size_t language = (size_t)_i % 2, header = (size_t)_i / 2;
	int status = compile(language, headers[header]);

	rmdir(dir);
	ck_assert_msg(status == 0, "%s: %s", languages[language].compiler,
	              headers[header]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("header_cxx");
	TCase *tc = tcase_create("headers");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_public_header_compiles_by_itself, 0, 6);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
