/* Many nodes under one watch, and instances that cannot keep up: the agent goes on
 * living. With the real broker, agents and plugins. */
#include "cluster.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 19000u /* watch_nodes_max is 20,000 */
#define TIMES 3

/* The first event of each is never answered: all others wait. */
#define SLOW(name) \
	"{ name = \"" name "\"; plugin = \"" MU_BUILD \
	"/tests/lies/sleep-event.so\"; memory_max_mb = 0; watch = ( { path = " \
	"\"/w\"; mode = \"subtree\"; } ); }"
#define QUICK \
	"{ name = \"quick\"; plugin = \"log\"; watch = ( { path = " \
	"\"/config\"; } " \
	"); }"
#define LOGGER \
	"instances = ( { name = \"logger\"; plugin = \"log\"; members = " \
	"true; } );"
#define LONG_SESSION "session_timeout_ms = 8000;\n"

static struct cluster c;
static struct cluster_agent a, b;

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
}

static void teardown(void)
{
	cluster_close(&c);
}

/* All of them get this value, by one `muster import`. */
static void import(unsigned value)
{
	const char *file = cluster_file(&c, "nodes.jsonl");
	FILE *f = fopen(file, "we");
	struct run r = { 0 };

	ck_assert_ptr_nonnull(f);
	for (unsigned i = 0; i < NODES; i++)
		fprintf(f, "{\"path\":\"/w/node-%u\",\"data\":\"%u\"}\n", i,
		        value);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(cluster_muster(&r, "import", file, NULL), 0);
	run_free(&r);
}

static void assert_nobody_fell(void)
{
	ck_assert(!file_has(b.log, "failed member=alpha"));
	ck_assert(!file_has(b.log, "left member=alpha"));
	ck_assert(!file_has(a.log, "the worker gives no sign of life"));
	ck_assert(!file_has(a.log, "the session has expired"));
}

START_TEST(what_waits_for_instances_that_hang_holds_up_nobody)
{
	cluster_edit("create", "/config", "0");
	cluster_edit("create", "/w", "");
	import(0);
	cluster_agent_up(&c, &b, "beta", NULL, LOGGER);
	cluster_agent_up(&c, &a, "alpha", LONG_SESSION,
	                 "instances = ( " SLOW("one") ", " SLOW(
				 "two") ", " SLOW("three") ", " QUICK " );");
	cluster_agent_wait_log(&b, "joined member=alpha");
	for (unsigned i = 1; i <= TIMES; i++) {
		import(i);
		cluster_edit("set", "/config", "again");
		cluster_agent_wait_times(&a, "changed path=/config ", i);
	}
	assert_nobody_fell();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent, wide watches");
	TCase *tc = tcase_create("wide");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_waits_for_instances_that_hang_holds_up_nobody);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
