/* Muster on a real ensemble of three: an agent and the command line go on while
 * one server is killed and an edit goes through. */
#include "cluster.h"
#include "zk_server.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS 3
#define TICK_MS 200
#define EDIT_LIMIT_MS 60000 /* an election on a busy machine lies in it */

static struct zk_server servers[SERVERS];
static struct cluster c;
static struct cluster_agent a;

static void setup(void)
{
	zk_ensemble_start(servers, SERVERS, TICK_MS);
	cluster_open(&c);
	snprintf(c.url, sizeof c.url,
	         "zookeeper://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u/roll",
	         (unsigned)servers[0].port, (unsigned)servers[1].port,
	         (unsigned)servers[2].port);
	ck_assert_int_eq(setenv("MUSTER_BROKER", c.url, 1), 0);
}

static void teardown(void)
{
	cluster_close(&c);
	for (int i = 0; i < SERVERS; i++)
		zk_server_free(&servers[i]);
}

/* ---- helpers ---- */

static void start_agent(void)
{
	char text[512];

	cluster_agent_init(&c, &a, "alpha", "session_timeout_ms = 20000;\n");
	snprintf(text, sizeof text,
	         "instances = ( { name = \"page\"; plugin = \"config-file\"; "
	         "watch = ( { path = \"/config/page\"; } ); settings : { "
	         "path = \"/config/page\"; file = \"%s/page\"; }; } );\n",
	         a.dir);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_agent_start(&a);
	ck_assert(file_comes_to_have(a.log, "msg=registered", WAIT_MS));
}

static void wait_page(const char *text)
{
	char path[CLUSTER_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/page", a.dir);
	ck_assert_msg(file_comes_to_have(path, text, EDIT_LIMIT_MS),
	              "%s has no \"%s\"", path, text);
}

static struct zk_server *server_in(const char *mode)
{
	char is[16];

	for (int i = 0; i < SERVERS; i++) {
		zk_server_mode(&servers[i], is);
		if (strcmp(is, mode) == 0)
			return &servers[i];
	}
	ck_abort_msg("no server is %s", mode);
}

/* What the line behind `word` says, of `muster stat PATH`. */
static void stay_of(const char *path, char out[64])
{
	struct run r;
	const char *at;

	ck_assert_int_eq(cluster_muster(&r, "stat", "-t", "60", path, NULL), 0);
	at = strstr(r.out, "cZxid");
	ck_assert_ptr_nonnull(at);
	snprintf(out, 64, "%.*s", (int)strcspn(at, "\n"), at);
	run_free(&r);
}

static void edit_start(struct program *p, const char *text)
{
	const char *argv[] = { cluster_program("muster"),
		               "set",
		               "--create",
		               "-t",
		               "60",
		               "/config/page",
		               text,
		               NULL };
	char log[CLUSTER_PATH_MAX + 16];

	snprintf(log, sizeof log, "%s/edit.log", c.dir);
	program_start(p, argv, log, log);
}

/* An edit whose connection was lost under way may or may not have been made:
 * it is made again, as a person would. */
static void edit(const char *text)
{
	struct program p;

	edit_start(&p, text);
	if (program_wait(&p, EDIT_LIMIT_MS) == 0)
		return;
	edit_start(&p, text);
	ck_assert_int_eq(program_wait(&p, EDIT_LIMIT_MS), 0);
}

/* ---- */

static const char *const victims[] = { "leader", "follower" };

START_TEST(an_edit_arrives_though_a_server_is_killed_under_it)
{
	struct zk_server *victim = server_in(victims[_i]);
	struct program p;
	char stay[64], now[64];

	start_agent();
	edit("one");
	wait_page("one");
	stay_of("/members/alpha", stay);
	edit_start(&p, "two");
	zk_server_stop(victim, SIGKILL);
	if (program_wait(&p, EDIT_LIMIT_MS) != 0)
		edit("two");
	wait_page("two");
	/* The session has outlived the server: nobody saw the host leave. */
	stay_of("/members/alpha", now);
	ck_assert_str_eq(now, stay);
	/* Two of three are enough, and the third comes back. */
	edit("three");
	wait_page("three");
	zk_server_again(victim);
	edit("four");
	wait_page("four");
	ck_assert(program_is_running(&a.program));
}
END_TEST

static bool serves(void *arg)
{
	char mode[16];

	zk_server_mode(arg, mode);
	return mode[0] != '\0';
}

/* Whichever server the agent is on, its end is not the agent's. */
START_TEST(each_server_may_go_in_its_turn)
{
	char stay[64], now[64], text[32];

	start_agent();
	edit("begin");
	wait_page("begin");
	stay_of("/members/alpha", stay);
	for (int i = 0; i < SERVERS; i++) {
		zk_server_stop(&servers[i], SIGKILL);
		snprintf(text, sizeof text, "without %d", i);
		edit(text);
		wait_page(text);
		zk_server_again(&servers[i]);
		ck_assert(wait_for(serves, &servers[i], EDIT_LIMIT_MS));
	}
	stay_of("/members/alpha", now);
	ck_assert_str_eq(now, stay);
	ck_assert(!file_has(a.log, "the session has expired"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ensemble");
	TCase *tc = tcase_create("ensemble");
	SRunner *sr;
	int failed;

	if (!zk_is_installed("an agent on a ZooKeeper ensemble"))
		return ZK_SKIP_EXIT;
	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc, an_edit_arrives_though_a_server_is_killed_under_it, 0, 2);
	tcase_add_test(tc, each_server_may_go_in_its_turn);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
