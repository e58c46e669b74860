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

/* A subscriber, as both languages read it. */
static const char subscriber[] =
	"#include <muster/client.h>\n"
	"static void on_change(struct mu_client *c,\n"
	"  const struct mu_change *e, void *arg)\n"
	"{\n"
	"  (void)c, (void)arg;\n"
	"  if (e->cause == MU_BY_EXPIRY && e->whole && e->stat->version)\n"
	"    (void)mu_client_cause_word(e->cause);\n"
	"}\n"
	"static void on_done(struct mu_client *c,\n"
	"  const struct mu_result *r, void *arg)\n"
	"{\n"
	"  struct mu_subscribe s = { sizeof(struct mu_subscribe), 1,\n"
	"    \"/a\", MU_SUBSCRIBE_SUBTREE, -1, 0 };\n"
	"  if (!r->rc && r->subscribed->state == MU_SUBSCRIBED_MORE)\n"
	"    s.zxid = r->subscribed->zxid, s.n = r->subscribed->n;\n"
	"  (void)mu_client_subscribe(c, &s, on_done, arg);\n"
	"  (void)mu_client_unsubscribe(c, s.id, on_done, arg);\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"  struct mu_client_options o;\n"
	"  o.on_change = on_change;\n"
	"  on_done(0, 0, 0);\n"
	"  return o.on_change ? MU_OK : 1;\n"
	"}\n";

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void write_source(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* The exit status of a compiler on this source. */
static int compile(size_t language, const char *text)
{
	char file[128], command[512];
	int status;

	mu_format(file, sizeof file, "%s/t.%s", dir,
	          languages[language].suffix);
	write_source(file, text);
	mu_format(command, sizeof command, "%s %s -I%s/include %s",
	          languages[language].compiler, WARNINGS, MU_SOURCE, file);
	status = system(command);
	unlink(file);
	return status;
}

START_TEST(a_public_header_compiles_by_itself)
{
	size_t language = (size_t)_i % 2, header = (size_t)_i / 2;
	char text[256];
	int status;

	mu_format(text, sizeof text,
	          "#include <muster/%s>\n#include <muster/%s>\n"
	          "int main(void) { return MU_OK; }\n",
	          headers[header], headers[header]);
	status = compile(language, text);
	rmdir(dir);
	ck_assert_msg(status == 0, "%s: %s", languages[language].compiler,
	              headers[header]);
}
END_TEST

START_TEST(a_subscriber_is_the_same_in_both_languages)
{
	int status = compile((size_t)_i, subscriber);

	rmdir(dir);
	ck_assert_msg(status == 0, "%s", languages[_i].compiler);
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
	tcase_add_loop_test(tc, a_subscriber_is_the_same_in_both_languages, 0,
	                    2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
