/* Plugins of each revision of muster/plugin.h, on hosts of each: they run, without
 * what the other does not know, or are refused with the right reason. See
 * tests/abi/README. */
#include "fake_agent.h"

#include "../abi/host.h"
#include "../abi/pins.h"

#include <muster/client.h>

#include "../abi/pins_client.h"

#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *built(const char *revision, const char *what)
{
	static char path[2][4096];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof path[0], "%s/tests/abi/%s/%s.so", MU_BUILD,
	         revision, what);
	return out;
}

static void *symbol(const char *file, const char *name)
{
	void *dso = dlopen(file, RTLD_NOW | RTLD_LOCAL), *at;

	ck_assert_msg(dso != NULL, "%s", dlerror());
	at = dlsym(dso, name);
	ck_assert_msg(at != NULL, "%s has no %s", file, name);
	return at;
}

static char said[65536];

static int put(const char *plugin_file, const char *host)
{
	abi_host_fn *fn;
	void *at = symbol(built(host, "host"), "abi_host");

	memcpy(&fn, &at, sizeof fn);
	said[0] = '\0';
	return fn(symbol(plugin_file, "mu_plugin"), said, sizeof said);
}

static void ck_said(const char *text, bool yes)
{
	ck_assert_msg((strstr(said, text) != NULL) == yes, "\"%s\" %s in: %s",
	              text, yes ? "is not" : "is", said);
}

/* ---- plugins on hosts ---- */

/* What both know is there; -1: the plugin does not ask. */
static const struct {
	const char *plugin, *host;
	int create, author, tick, dream;
} matrix[] = {
	{ "1", "1", -1, 0, 0, -1 },         { "1", "2", -1, 0, 0, -1 },
	{ "1", "future", -1, 0, 0, -1 },    { "2", "1", 0, 0, 0, -1 },
	{ "2", "2", 1, 1, 1, -1 },          { "2", "future", 1, 1, 1, -1 },
	{ "future", "1", 0, 0, 0, 0 },      { "future", "2", 1, 1, 1, 0 },
	{ "future", "future", 1, 1, 1, 1 },
};

START_TEST(each_revision_runs_on_each_with_what_both_know)
{
	int create = matrix[_i].create, dream = matrix[_i].dream;

	ck_assert_int_eq(put(built(matrix[_i].plugin, "abi"), matrix[_i].host),
	                 0);
	ck_said("init it on here, setting none\n", true);
	ck_said("event 3 /create value, self 1\n", true);
	ck_said("event 13 /members/web1 , self 1\nmember web1 up 80\n", true);
	ck_said("fini, self 1\n", true);
	ck_said("has create 1 wake 1\nwoken\n", create == 1);
	ck_said("has create 0 wake 0\n", create == 0);
	ck_said("made /made\nevent gave 0\n", create == 1);
	ck_said("event gave -6\n", create == 0); /* MU_EUNIMPLEMENTED */
	ck_said("by 2 0x1f 'web1'\n", matrix[_i].author);
	ck_said("tick\ncheck gave -2001\n", matrix[_i].tick);
	ck_said("has dream 1\n", dream == 1);
	ck_said("member has dream 0\n", dream == 0);
	ck_said("event has dream 0\n", dream == 0);
}
END_TEST

static const char *const revisions[] = { "1", "2", "future" };

START_TEST(another_abi_is_refused_both_ways)
{
	ck_assert_int_eq(put(built("other", "abi"), revisions[_i]), MU_EABI);
	ck_assert_int_eq(put(built(revisions[_i], "abi"), "other"), MU_EABI);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(put(built("other", "abi"), "other"), 0);
}
END_TEST

/* The plugins that we ship, and the one of the tests that has all there is. */
START_TEST(todays_plugins_run_on_older_hosts)
{
	static const char *const mine[] = { "log", NULL };

	for (const char *const *p = mine; *p; p++) {
		ck_assert_int_eq(put(fake_plugin(*p), revisions[_i]), 0);
		ck_said("event gave 0\n", true);
		ck_said("web1", true);
	}
	ck_assert_int_eq(put(fake_lie("ticker"), revisions[_i]), 0);
	ck_said("has create 0 wake 0\n", _i == 0);
	ck_said("event 3 flags 0 /create by", true);
}
END_TEST

/* ---- plugins on today's runner ---- */

static struct fake_agent a;

static void start(const char *plugin, const struct fake_answer *answers)
{
	const struct mu_setting rows[] = { FAKE_STR("text", "some") };
	struct fake_options o = { .plugin_file = built(plugin, "abi"),
		                  .settings = rows,
		                  .setting_count = COUNT(rows),
		                  .answers = answers };

	fake_start(&a, &o);
}

static struct mu_chan_event whole_event(const char *path)
{
	struct mu_chan_event e = { .type = MU_EVENT_MEMBER_FAILED,
		                   .data = MU_STR("value"),
		                   .has_member = true,
		                   .name = MU_STR("web1"),
		                   .state = MU_STR("up"),
		                   .port = 80,
		                   .cause = 2,
		                   .author_session = 0x1f,
		                   .author = MU_STR("web1") };

	e.path = mu_str_of(path);
	return e;
}

START_TEST(the_runner_takes_a_plugin_of_each_revision)
{
	static const struct fake_answer answers[] = {
		{ .op = MU_CALL_CREATE, .path = "/made" }, { 0 }
	};
	bool knows = _i > 0;

	start(revisions[_i], answers);
	ck_assert_msg(fake_ready(&a) == 0, "%s", a.ready.reason);
	ck_assert(a.ready.has_tick == knows && a.ready.has_check == knows);
	ck_assert_uint_eq(a.ready.wants & MU_WANT_GAP, knows);
	ck_assert(fake_logged(&a, "init test on host1, setting some\n"));
	ck_assert(fake_logged(&a, "has create 1 wake 1\n") == knows);
	ck_assert(fake_logged(&a, "has dream 0\n") == (_i == 2));
	ck_assert_int_eq(fake_event(&a, whole_event("/create")), 0);
	ck_assert(fake_logged(&a, "event 13 /create value, self 1\n"));
	ck_assert(fake_logged(&a, "member web1 up 80\n"));
	ck_assert(fake_logged(&a, "by 2 0x1f 'web1'\n") == knows);
	ck_assert_uint_eq(a.create.count, knows);
	if (knows) {
		ck_assert(fake_wake_comes(&a));
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_TICK), 0);
		ck_assert_int_eq(fake_turn(&a, MU_CHAN_CHECK), MU_EIO);
		ck_assert_str_eq(a.ack.reason, "not well");
	}
	fake_remove(&a);
	ck_assert(fake_logged(&a, "is removed 1\n") == knows);
	fake_fini(&a);
}
END_TEST

START_TEST(the_runner_refuses_another_abi_and_says_which)
{
	start("other", NULL);
	ck_assert_int_eq(fake_ready(&a), MU_EABI);
	ck_assert_str_eq(a.ready.reason,
	                 "it was built for plugin ABI 2, this agent has 1; "
	                 "build it with this agent's muster/plugin.h");
	ck_assert(!fake_logged(&a, "init"));
	fake_drain(&a);
	ck_assert_int_eq(fake_exit(&a), 3 << 8);
	fake_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("abi_matrix");
	TCase *tc = tcase_create("matrix");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_revision_runs_on_each_with_what_both_know,
	                    0, (int)COUNT(matrix));
	tcase_add_loop_test(tc, another_abi_is_refused_both_ways, 0,
	                    (int)COUNT(revisions));
	tcase_add_loop_test(tc, todays_plugins_run_on_older_hosts, 0,
	                    (int)COUNT(revisions));
	tcase_add_loop_test(tc, the_runner_takes_a_plugin_of_each_revision, 0,
	                    (int)COUNT(revisions));
	tcase_add_test(tc, the_runner_refuses_another_abi_and_says_which);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
