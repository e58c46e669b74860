/* What is written for people: the plugin that the README shows is one, at most 40
 * lines, compiled as the README says, loaded by a real runner, told of a failed
 * member. And the heads of the shipped plugins, which are installed as texts. */
#include "fake_agent.h"
#include "program.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE "```c plugin\n"

static char dir[256];

static void setup(void)
{
	dir_make(dir, sizeof dir);
}

static void teardown(void)
{
	dir_remove(dir);
}

/* Copy the plugin out of the README; its number of lines. */
static unsigned plugin_write(const char *to)
{
	FILE *in = fopen(MU_SOURCE "/README.md", "r");
	FILE *out = fopen(to, "w");
	bool inside = false;
	unsigned lines = 0;
	char line[512];

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	while (fgets(line, sizeof line, in)) {
		if (inside && strncmp(line, "```", 3) == 0)
			break;
		if (inside) {
			fputs(line, out);
			lines++;
		}
		inside = inside || strcmp(line, FENCE) == 0;
	}
	fclose(in);
	fclose(out);
	return lines;
}

static void plugin_build(char *so, size_t room)
{
	char source[300], command[1200];
	unsigned lines;

	snprintf(source, sizeof source, "%s/census.c", dir);
	snprintf(so, room, "%s/census.so", dir);
	lines = plugin_write(source);
	ck_assert_uint_gt(lines, 10);
	ck_assert_uint_le(lines, 40);
	snprintf(command, sizeof command,
	         "cc -Wall -Wextra -Werror -shared -fPIC -I%s/include -o %s %s",
	         MU_SOURCE, so, source);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(the_plugin_of_the_readme_counts_failed_members)
{
	struct fake_agent a;
	char so[300];
	struct fake_options o = { .plugin_file = so };
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .path = MU_STR("/members/web1"),
		                   .has_member = true,
		                   .name = MU_STR("web1") };

	plugin_build(so, sizeof so);
	fake_start(&a, &o);
	ck_assert_int_eq(fake_ready(&a), 0);
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "<1> web1 failed; 1 so far\n"));
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(fake_logged(&a, "<1> web1 failed; 2 so far\n"));
	e.type = MU_EVENT_MEMBER_JOINED;
	ck_assert_int_eq(fake_event(&a, e), 0);
	ck_assert(!fake_logged(&a, "3 so far"));
	fake_stop(&a);
	fake_fini(&a);
}
END_TEST

static const char *const shipped[] = { "config-file", "exec",     "log",
	                               "service",     "template", "webhook" };

/* Of headers there is muster/plugin.h, of the sources nothing. */
START_TEST(the_text_of_a_shipped_plugin_names_nothing_that_is_not_installed)
{
	static const char *const not_there[] = { "plugins/", "agent/", "below)",
		                                 ".c ", "fileset.h" };
	char path[400], line[512], text[16384] = "";
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/plugins/%s/%s.c", MU_SOURCE,
	         shipped[_i], shipped[_i]);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) && strcmp(line, " */\n") != 0)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s",
		                        line);
	fclose(f);
	ck_assert_uint_lt(len, sizeof text - 1);
	ck_assert_ptr_nonnull(strstr(text, shipped[_i]));
	for (size_t i = 0; i < sizeof not_there / sizeof not_there[0]; i++)
		ck_assert_msg(!strstr(text, not_there[i]), "\"%s\" in %s",
		              not_there[i], path);
	for (const char *at = text; (at = strstr(at, ".h ")); at++)
		ck_assert(at - text >= 13 &&
		          strncmp(at - 13, "muster/plugin", 13) == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("readme");
	TCase *tc = tcase_create("plugin");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_plugin_of_the_readme_counts_failed_members);
	tcase_add_loop_test(
		tc,
		the_text_of_a_shipped_plugin_names_nothing_that_is_not_installed,
		0, (int)(sizeof shipped / sizeof shipped[0]));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
