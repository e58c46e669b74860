/* muster-agent and what its plugins got with revision 2: ticks, checks, nodes
 * they make. With the real broker, runner and a plugin that has all of it. */
#include "cluster.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKER(more, settings) \
	"instances = ( { name = \"ticker\"; plugin = \"" MU_BUILD \
	"/tests/lies/ticker.so\"; connection = true; " more \
	" watch = ( { path = \"/do\"; mode = \"subtree\"; } ); settings : " \
	"{ " settings " }; } );"

/* Nothing of its own accord. */
#define QUIET TICKER("check_ms = 0;", "")
/* And what it was ordered before is not done again. */
#define ONCE TICKER("check_ms = 0;", "once = 1;")

static struct cluster c;
static struct cluster_agent a, b;

static void setup(void)
{
	cluster_open(&c);
	cluster_broker_start(&c);
	cluster_edit("create", "/do", NULL);
	cluster_edit("create", "/e", NULL);
}

static void teardown(void)
{
	cluster_close(&c);
}

/* ---- helpers ---- */

static void start(const char *more, const char *instances)
{
	cluster_agent_init(&c, &a, "alpha", more);
	cluster_agent_instances(&a, "i.conf", instances);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_wait_log(&a, "msg=registered");
}

/* Have the plugin do what the name of the node says; it has when this returns. */
static void order(const char *path)
{
	char said[200];

	cluster_edit("create", path, NULL);
	snprintf(said, sizeof said, "%s by ", path);
	cluster_agent_wait_log(&a, said);
}

/* ---- tick ---- */

START_TEST(ticks_come_every_tick_ms)
{
	start(NULL, TICKER("tick_ms = 20;", ""));
	cluster_agent_wait_log(&a, "msg=\"tick 5\" instance=ticker");
	order("/do/x"); /* events pass between them */
	cluster_agent_wait_times(&a, "msg=\"tick 6\"", 1);
}
END_TEST

START_TEST(without_tick_ms_a_tick_comes_when_it_was_asked_for)
{
	start(NULL, QUIET);
	order("/do/x");
	ck_assert(!file_has(a.log, "\"tick 1\""));
	order("/do/wake");
	cluster_agent_wait_times(&a, "\"tick 1\"", 1);
	order("/do/wake-signal");
	cluster_agent_wait_times(&a, "\"tick 2\"", 1);
}
END_TEST

START_TEST(wake_in_init_is_heard)
{
	start(NULL, TICKER("check_ms = 0;", "wake_in_init = true;"));
	cluster_agent_wait_times(&a, "\"tick 1\"", 1);
}
END_TEST

START_TEST(who_wakes_itself_for_ever_hears_events_all_the_same)
{
	/* It logs each tick, and none of its lines may be dropped. */
	start(NULL,
	      TICKER("tick_ms = 10; check_ms = 10; log_lines_max = 1000000;",
	             "wake_for_ever = true;"));
	cluster_agent_wait_times(&a, "\"tick 100\"", 1);
	order("/do/x");
	order("/do/ill"); /* and checks */
	cluster_agent_wait_times(&a, "not all is well\" instance=ticker", 1);
}
END_TEST

/* Each is due before the one before it has ended; a gap, which this plugin does
 * not want, waits between two of them. */
START_TEST(ticks_go_on_over_an_event_that_the_plugin_is_not_given)
{
	char said[32];

	ONLY_NATIVE("it restarts the broker");
	cluster_broker_stop(&c, SIGTERM);
	cluster_broker_conf(&c, false, "change_log_max = 0;\n");
	cluster_broker_start(&c);
	start(NULL, "instances = ( { name = \"slow\"; plugin = \"" MU_BUILD
	            "/tests/lies/slow-ticks.so\"; connection = true; "
	            "tick_ms = 1; watch = ( { path = \"/do\"; } ); } );");
	cluster_agent_wait_times(&a, "msg=\"tick ", 3);
	cluster_broker_restart(&c, SIGKILL);
	cluster_agent_wait_log(&a, "does not know any more what was changed");
	snprintf(said, sizeof said, "\"tick %u\"",
	         file_count(a.log, "msg=\"tick ") + 20);
	cluster_agent_wait_times(&a, said, 1);
}
END_TEST

START_TEST(a_tick_that_fails_again_and_again_is_logged_once)
{
	start(NULL, TICKER("tick_ms = 10;", "get_in_tick = true;"));
	cluster_agent_wait_times(&a, "\"tick 10\"", 1);
	/* Before the broker is reached it fails for another reason. */
	cluster_agent_wait_times(
		&a, "a tick failed\" instance=ticker reason=\"no such node", 1);
	cluster_edit("create", "/a", "now");
	cluster_agent_wait_times(&a, "a tick did well again\" instance=ticker",
	                         1);
	ck_assert_uint_eq(
		file_count(a.log,
	                   "a tick failed\" instance=ticker reason=\"no such"),
		1);
}
END_TEST

START_TEST(a_tick_that_hangs_is_killed_and_the_instance_goes_on)
{
	start(NULL,
	      TICKER("tick_ms = 100; deadline_ms = 300;", "hang = true;"));
	cluster_agent_wait_log(&a, "a call took longer than deadline_ms, 300 "
	                           "ms, in tick; its process group was killed");
	cluster_agent_wait_times(&a, "instance ready", 2);
}
END_TEST

START_TEST(tick_ms_without_a_tick_is_a_warning)
{
	start(NULL, "instances = ( { name = \"l\"; plugin = \"log\"; "
	            "tick_ms = 10; connection = true; } );");
	cluster_agent_wait_log(&a, "tick_ms has no effect: the plugin has no "
	                           "tick");
}
END_TEST

/* ---- check ---- */

static bool member_says(void *arg)
{
	struct run r;
	bool says = cluster_muster(&r, "get", "/members/alpha", NULL) == 0 &&
	            strstr(r.out, arg) != NULL;

	run_free(&r);
	return says;
}

START_TEST(a_check_is_logged_and_shown_when_it_changes)
{
	start(NULL, TICKER("check_ms = 10;", ""));
	order("/do/x");
	ck_assert(!file_has(a.log, "all is well"));
	order("/do/ill");
	cluster_agent_wait_times(
		&a,
		"not all is well\" instance=ticker reason=\"not well "
		"(MU_EIO)\"",
		1);
	ck_assert(wait_for(member_says,
	                   (char[]){ "\"ticker\":\"unwell: not well "
	                             "(MU_EIO)\"" },
	                   WAIT_MS));
	order("/do/well");
	cluster_agent_wait_times(&a, "all is well again\" instance=ticker", 1);
	ck_assert(wait_for(member_says, (char[]){ "\"ticker\":\"ready\"" },
	                   WAIT_MS));
	ck_assert_uint_eq(file_count(a.log, "not all is well"), 1);
}
END_TEST

/* ---- create, remove ---- */

START_TEST(a_plugin_makes_and_removes_nodes)
{
	start(NULL, QUIET);
	order("/do/create-null");
	cluster_wait_for_node("/e/b");
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	/* version 3: it must be set three times. */
	for (int i = 0; i < 3; i++)
		cluster_edit("set", "/e/a", "yours");
	order("/do/remove");
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(what_was_made_goes_with_the_runner_that_made_it)
{
	start(NULL, ONCE);
	order("/do/create-null");
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_edit("set", "/e/a", "yours"); /* it is the same node still */
	kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
	cluster_agent_wait_log(&a, "signal 9");
	cluster_wait_node("/e/a", NULL);
	/* What is not ephemeral stays. */
	cluster_wait_for_node("/e/b");
	cluster_agent_wait_times(&a, "instance ready", 2);
}
END_TEST

START_TEST(what_was_made_goes_with_an_instance_that_is_removed)
{
	start(NULL, QUIET);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_instances(&a, "i.conf", "instances = ( );");
	program_signal(&a.program, SIGHUP);
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(what_was_made_goes_when_the_broker_was_away_at_that_moment)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	start("session_timeout_ms = 20000;\n", ONCE);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_broker_stop(&c, SIGKILL);
	cluster_agent_wait_log(&a, "connection to the broker was lost");
	kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
	cluster_agent_wait_log(&a, "signal 9");
	cluster_agent_wait_times(&a, "instance ready", 2);
	cluster_broker_start(&c);
	cluster_wait_node("/e/a", NULL);
}
END_TEST

/* The next agent takes up the session, and the nodes are of no runner. */
START_TEST(what_was_made_goes_after_a_crash_of_the_agent)
{
	start("session_timeout_ms = 20000;\n", ONCE);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_stop(&a, SIGKILL);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "resumed=yes");
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(what_was_made_goes_with_the_session_of_an_agent_that_is_stopped)
{
	start("session_timeout_ms = 6000;\n", QUIET);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_stop(&a, SIGTERM);
	ck_assert(cluster_node_is("/e/a", "mine"));
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(what_was_made_goes_at_once_when_the_agent_leaves)
{
	start("session_timeout_ms = 60000;\n", QUIET);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_stop(&a, SIGUSR2);
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(what_an_instance_made_that_is_no_more_goes_with_the_next_agent)
{
	start("session_timeout_ms = 60000;\n", QUIET);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_stop(&a, SIGTERM);
	cluster_agent_instances(&a, "i.conf", "instances = ( );");
	cluster_agent_start(&a);
	cluster_wait_node("/e/a", NULL);
}
END_TEST

/* By the same process's successor: restarted, and crashed. */
START_TEST(what_is_made_again_after_a_restart_of_the_agent_never_goes)
{
	struct run r;
	char czxid[2][64];

	start("session_timeout_ms = 60000;\n",
	      TICKER("check_ms = 0;", "create_in_init = true;"));
	for (int i = 0; i < 4; i++) {
		char *at;

		cluster_wait_node("/e/init", "mine");
		ck_assert_int_eq(
			cluster_muster(&r, "stat", "/e/init", "--json", NULL),
			0);
		at = strstr(r.out, "\"czxid\"");
		ck_assert_ptr_nonnull(at);
		snprintf(czxid[i > 0], sizeof czxid[0], "%.*s",
		         (int)strcspn(at, ",}"), at);
		run_free(&r);
		ck_assert(i == 0 || strcmp(czxid[0], czxid[1]) == 0);
		cluster_edit("set", "/e/init", "the old one");
		cluster_agent_stop(&a, i % 2 ? SIGKILL : SIGTERM);
		cluster_agent_start(&a);
	}
	cluster_wait_node("/e/init", "mine");
}
END_TEST

/* The new runner asks for it before the old one's is gone. */
START_TEST(after_a_crash_of_the_agent_it_can_be_made_anew)
{
	start("session_timeout_ms = 20000;\n",
	      TICKER("check_ms = 0;", "create_in_init = true;"));
	for (int i = 0; i < 3; i++) {
		cluster_wait_node("/e/init", "mine");
		cluster_edit("set", "/e/init", "the old one");
		cluster_agent_stop(&a, SIGKILL);
		cluster_agent_start(&a);
	}
	cluster_wait_node("/e/init", "mine");
}
END_TEST

/* What goes takes a while. Who wants the same again waits for that, and is not
 * told that it is there. */
START_TEST(who_makes_it_anew_waits_until_the_old_one_is_gone)
{
	start("session_timeout_ms = 20000;\n",
	      TICKER("check_ms = 0;", "crowd = 900;"));
	cluster_agent_wait_times(&a, "the crowd is there", 1);
	cluster_agent_stop(&a, SIGKILL);
	cluster_agent_start(&a);
	cluster_agent_wait_times(&a, "the crowd is there", 2);
	ck_assert(!file_has(a.log, "the node exists already"));
	cluster_wait_node("/e/0", "mine");
	cluster_wait_node("/e/899", "mine");
}
END_TEST

START_TEST(one_more_than_the_limit_is_refused)
{
	start(NULL, TICKER("check_ms = 0;", "crowd = 1001;"));
	cluster_agent_wait_log(&a, "MU_EFULL");
	cluster_wait_node("/e/999", "mine");
	ck_assert(!file_has(a.log, "the crowd is there"));
	cluster_wait_node("/e/1000", NULL);
}
END_TEST

START_TEST(a_path_of_one_byte_more_than_the_limit_is_refused)
{
	start(NULL, _i ? TICKER("check_ms = 0;", "path_bytes = 1025;")
	               : TICKER("check_ms = 0;", "path_bytes = 1024;"));
	cluster_agent_wait_log(&a, _i ? "code=MU_ETOOBIG"
	                              : "the long one is there");
	ck_assert_int_eq(file_has(a.log, "the long one is there"), !_i);
}
END_TEST

START_TEST(after_an_outage_it_can_be_made_anew)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	start("session_timeout_ms = 20000;\n",
	      TICKER("check_ms = 0;", "create_in_init = true;"));
	cluster_wait_node("/e/init", "mine");
	cluster_edit("set", "/e/init", "the old one");
	cluster_broker_stop(&c, SIGKILL);
	cluster_agent_wait_log(&a, "connection to the broker was lost");
	kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
	cluster_agent_wait_log(&a, "the plugin cannot run");
	cluster_broker_start(&c);
	cluster_wait_node("/e/init", "mine");
}
END_TEST

/* It is another's, though the path is the same. */
START_TEST(what_another_made_since_is_left_alone)
{
	start(NULL, QUIET);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_edit("rm", "/e/a", NULL);
	cluster_edit("create", "/e/a", "another's");
	kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
	cluster_agent_wait_log(&a, "signal 9");
	cluster_agent_wait_times(&a, "instance ready", 2);
	order("/do/x"); /* behind what the agent asks the broker */
	cluster_wait_node("/e/a", "another's");
}
END_TEST

START_TEST(a_new_runner_can_make_it_anew_at_once)
{
	unsigned refused;

	start(NULL, TICKER("check_ms = 0;", "create_in_init = true;"));
	cluster_wait_node("/e/init", "mine");
	/* The first init may have come before the broker. */
	refused = file_count(a.log, "the plugin cannot run");
	for (unsigned i = 2; i < 4; i++) {
		kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
		cluster_agent_wait_times(&a, "instance ready", i);
		ck_assert(cluster_node_is("/e/init", "mine"));
	}
	ck_assert_uint_eq(file_count(a.log, "the plugin cannot run"), refused);
}
END_TEST

/* ---- another session ---- */

START_TEST(after_an_expiry_connected_says_that_it_is_another_session)
{
	/* Its runner may be killed before it could say that it had done it. */
	start("session_timeout_ms = 500;\n", ONCE);
	order("/do/create");
	cluster_wait_node("/e/a", "mine");
	cluster_agent_wait_log(&a, "event 20 flags 0 ");
	/* Stopped, it is not heard of; another agent sees it fail. */
	cluster_agent_init(&c, &b, "beta", "session_timeout_ms = 500;\n");
	cluster_agent_instances(&b, "i.conf",
	                        "instances = ( { name = \"l\"; plugin = "
	                        "\"log\"; members = true; } );");
	cluster_agent_start(&b);
	cluster_agent_wait_log(&b, "member=alpha");
	cluster_agent_freeze(&a);
	cluster_agent_wait_log(&b, "failed member");
	cluster_wait_node("/e/a", NULL);
	cluster_agent_thaw(&a);
	cluster_agent_wait_log(&a, "event 20 flags 16 ");
	cluster_agent_wait_times(&a, "instance ready", 1);
	ck_assert_uint_eq(file_count(a.log, "instance ready"), 1);
	/* It can be made again, and goes again. */
	cluster_edit("rm", "/do/create", NULL);
	cluster_edit("create", "/do/create", NULL);
	cluster_wait_node("/e/a", "mine");
	kill(cluster_agent_runner(&a, "ticker"), SIGKILL);
	cluster_wait_node("/e/a", NULL);
}
END_TEST

START_TEST(the_same_session_again_is_no_other_one)
{
	ONLY_NATIVE("a ZooKeeper is not stopped here");
	start("session_timeout_ms = 20000;\n", QUIET);
	cluster_broker_restart(&c, SIGKILL);
	cluster_agent_wait_times(&a, "event 20 flags 0 ", 2);
	ck_assert(!file_has(a.log, "event 20 flags 16"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent_tick");
	TCase *tc = tcase_create("revision 2");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ticks_come_every_tick_ms);
	tcase_add_test(tc, without_tick_ms_a_tick_comes_when_it_was_asked_for);
	tcase_add_test(tc, wake_in_init_is_heard);
	tcase_add_test(tc, who_wakes_itself_for_ever_hears_events_all_the_same);
	tcase_add_test(tc,
	               ticks_go_on_over_an_event_that_the_plugin_is_not_given);
	tcase_add_test(tc, a_tick_that_fails_again_and_again_is_logged_once);
	tcase_add_test(tc,
	               a_tick_that_hangs_is_killed_and_the_instance_goes_on);
	tcase_add_test(tc, tick_ms_without_a_tick_is_a_warning);
	tcase_add_test(tc, a_check_is_logged_and_shown_when_it_changes);
	tcase_add_test(tc, a_plugin_makes_and_removes_nodes);
	tcase_add_test(tc, what_was_made_goes_with_the_runner_that_made_it);
	tcase_add_test(tc, what_was_made_goes_with_an_instance_that_is_removed);
	tcase_add_test(
		tc, what_was_made_goes_when_the_broker_was_away_at_that_moment);
	tcase_add_test(tc, what_was_made_goes_after_a_crash_of_the_agent);
	tcase_add_test(tc, what_was_made_goes_at_once_when_the_agent_leaves);
	tcase_add_test(
		tc,
		what_an_instance_made_that_is_no_more_goes_with_the_next_agent);
	tcase_add_test(
		tc, what_is_made_again_after_a_restart_of_the_agent_never_goes);
	tcase_add_test(
		tc,
		what_was_made_goes_with_the_session_of_an_agent_that_is_stopped);
	tcase_add_test(tc, after_a_crash_of_the_agent_it_can_be_made_anew);
	tcase_add_test(tc, who_makes_it_anew_waits_until_the_old_one_is_gone);
	tcase_add_test(tc, one_more_than_the_limit_is_refused);
	tcase_add_loop_test(
		tc, a_path_of_one_byte_more_than_the_limit_is_refused, 0, 2);
	tcase_add_test(tc, after_an_outage_it_can_be_made_anew);
	tcase_add_test(tc, what_another_made_since_is_left_alone);
	tcase_add_test(tc, a_new_runner_can_make_it_anew_at_once);
	tcase_add_test(
		tc, after_an_expiry_connected_says_that_it_is_another_session);
	tcase_add_test(tc, the_same_session_again_is_no_other_one);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
