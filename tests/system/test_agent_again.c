/* muster-agent after something ended: a runner, a broker, a connection, another
 * agent. With the real broker, runner and plugins. */
#include "cluster.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE(more) \
	"instances = ( { name = \"probe\"; plugin = \"" MU_BUILD \
	"/tests/lies/probe.so\"; " more \
	"watch = ( { path = \"/do\"; mode = \"subtree\"; } ); } );"

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

/* ---- helpers ---- */

/* The texts stand in the log in this order, behind the first `after`. */
static void assert_order(const struct cluster_agent *x, const char *after,
                         const char *const *texts)
{
	char *log = file_read(x->log, NULL), *at;

	ck_assert_ptr_nonnull(log);
	at = strstr(log, after);
	ck_assert_msg(at != NULL, "no '%s'", after);
	for (; *texts; texts++) {
		at = strstr(at, *texts);
		ck_assert_msg(at != NULL, "no '%s' in its place", *texts);
	}
	free(log);
}

/* ---- a broker that was away ---- */

/* Longer than the sessions' timeout: who was away was the broker, not they. */
START_TEST(a_broker_that_was_away_for_long_is_no_failure_of_anyone)
{
	static const char logger[] =
		"instances = ( { name = \"logger\"; plugin = \"log\"; "
		"members = true; watch = ( { path = \"/config\"; } ); } );";
	char *log, *at, session[64];

	ONLY_NATIVE("a ZooKeeper is not stopped here");
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 1000;\n",
	                 logger);
	cluster_agent_up(&c, &b, "beta", "session_timeout_ms = 1000;\n",
	                 logger);
	cluster_agent_wait_log(&a, "member=beta");
	log = file_read(a.log, NULL);
	at = strstr(log, "session=0x");
	ck_assert_ptr_nonnull(at);
	snprintf(session, sizeof session,
	         "%.*s resumed=", (int)strcspn(at, " "), at);
	free(log);
	cluster_broker_stop(&c, SIGKILL);
	cluster_agent_wait_log(&a, "asking for it again");
	cluster_agent_wait_log(&b, "asking for it again");
	cluster_broker_start(&c);
	cluster_agent_wait_times(&a, "msg=connected broker", 2);
	cluster_agent_wait_times(&b, "msg=connected broker", 2);
	ck_assert_uint_eq(file_count(a.log, session), 2);
	cluster_edit("create", "/config", "after");
	cluster_agent_wait_log(&a, "path=/config ");
	cluster_agent_wait_log(&b, "path=/config ");
	ck_assert(!file_has(a.log, "failed member"));
	ck_assert(!file_has(b.log, "failed member"));
	ck_assert(!file_has(a.log, "left member"));
	ck_assert_uint_eq(file_count(a.log, "\"instance ready\""), 1);
}
END_TEST

/* ---- a runner that was started again ---- */

START_TEST(a_new_runner_is_given_the_present_state_and_then_the_event_again)
{
	static const char *const order[] = {
		"init probe",
		"event 20 ",        /* connected */
		"event 0 flags 0 ", /* present */
		" attempt 1 path /do data ",
		"event 0 flags 0 ",
		" attempt 1 path /do/b data B ",
		"event 0 flags 0 ",
		" path /do/crash data ",
		"member alpha|",
		"member beta|",
		"event 1 flags 1 ", /* created, AGAIN */
		" attempt 2 path /do/crash ",
		"event 4 flags 0 ", /* what was queued */
		NULL
	};

	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &b, "beta", NULL, NULL);
	cluster_agent_up(&c, &a, "alpha", NULL,
	                 PROBE("members = true; connection = true; "));
	cluster_agent_wait_log(&a, "member beta|");
	cluster_edit("create", "/do/b", "B");
	cluster_agent_wait_log(&a, "event 1 flags 0 count 1");
	cluster_edit("create", "/do/crash", "");
	cluster_agent_wait_log(&a, "attempt 2 path /do/crash ");
	/* Behind it in the same transaction's wake. */
	cluster_agent_wait_times(&a, "event 4 flags 0 ", 2);
	assert_order(&a, "will be started again", order);
	/* The first start had nothing to be told again. */
	ck_assert_uint_eq(file_count(a.log, "member beta|"), 2);
}
END_TEST

START_TEST(a_value_that_kills_as_present_is_tried_with_a_growing_pause)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", NULL, PROBE(""));
	cluster_edit("create", "/do/poison", "p");
	cluster_agent_wait_log(&a, "attempt 1 path /do/poison ");
	ck_assert_int_eq(kill(cluster_agent_runner(&a, "probe"), SIGKILL), 0);
	/* The plugin can tell, and gives up at the fourth. */
	cluster_agent_wait_log(&a, "in_ms=100");
	cluster_agent_wait_log(&a, "in_ms=200");
	cluster_agent_wait_log(&a, "in_ms=400");
	cluster_agent_wait_log(&a, "in_ms=800");
	cluster_agent_wait_log(&a, "attempt 2 path /do/poison ");
	cluster_agent_wait_log(&a, "attempt 4 path /do/poison ");
	cluster_edit("set", "/do/poison", "q");
	cluster_agent_wait_log(&a, "path /do/poison data q ");
	ck_assert(!file_has(a.log, "in_ms=1600"));
}
END_TEST

START_TEST(a_present_that_is_refused_yields_to_a_newer_value)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", NULL, PROBE(""));
	cluster_edit("create", "/do/refuse", "bad");
	cluster_agent_wait_log(&a, "path /do/refuse data bad ");
	ck_assert_int_eq(kill(cluster_agent_runner(&a, "probe"), SIGKILL), 0);
	cluster_agent_wait_log(&a, "attempt 3 path /do/refuse data bad ");
	cluster_edit("set", "/do/refuse", "good");
	cluster_agent_wait_log(&a, "path /do/refuse data good ");
}
END_TEST

START_TEST(a_runner_that_handled_nothing_leaves_nothing_to_tell_again)
{
	cluster_edit("create", "/do", "");
	cluster_edit("create", "/do/poison", "p");
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"probe\"; plugin = \"" MU_BUILD
		"/tests/lies/probe.so\"; "
		"watch = ( { path = \"/do/poison\"; } ); } );");
	cluster_agent_wait_log(&a, "attempt 4 path /do/poison ");
	cluster_edit("set", "/do/poison", "q");
	cluster_agent_wait_log(&a, "path /do/poison data q ");
	/* One delivery with its four attempts, not two. */
	ck_assert_uint_eq(file_count(a.log, "attempt 1 path /do/poison data p"),
	                  1);
	ck_assert_uint_eq(file_count(a.log, "attempt 4 path /do/poison "), 1);
}
END_TEST

START_TEST(a_call_under_way_is_answered_before_an_instance_stops)
{
	cluster_edit("create", "/a", "A");
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;\n",
	                 PROBE(""));
	cluster_edit("create", "/do/ask", "");
	cluster_agent_wait_log(&a, "data A len 1");
	program_signal(&c.broker, SIGSTOP);
	ck_assert_int_eq(kill(cluster_agent_runner(&a, "probe"), SIGKILL), 0);
	cluster_agent_wait_times(&a, "asking", 2);
	cluster_agent_instances(&a, "i.conf", "instances = ( );");
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "instance removed");
	program_signal(&c.broker, SIGCONT);
	cluster_agent_wait_times(&a, "data A len 1", 2);
	cluster_agent_wait_log(&a, "instance stopped");
	ck_assert(file_has(a.log, "msg=fini"));
}
END_TEST

START_TEST(two_instances_watch_one_path_each_in_its_own_mode)
{
	cluster_edit("create", "/config", "");
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"one\"; plugin = \"log\"; "
		"watch = ( { path = \"/config\"; mode = \"exact\"; } ); }, "
		"{ name = \"all\"; plugin = \"log\"; "
		"watch = ( { path = \"/config\"; mode = \"subtree\"; } ); } "
		");");
	cluster_agent_wait_times(&a, "present path=/config ", 2);
	cluster_edit("create", "/config/x", "");
	cluster_agent_wait_log(&a, "created path=/config/x ");
	cluster_agent_wait_times(&a, "children path=/config ", 2);
	cluster_edit("create", "/config/x/y", "");
	cluster_agent_wait_log(&a, "created path=/config/x/y ");
	cluster_edit("set", "/config", "v");
	cluster_agent_wait_times(&a, "changed path=/config ", 2);
	ck_assert_uint_eq(file_count(a.log, "created path=/config/x "), 1);
}
END_TEST

START_TEST(events_that_wait_outlive_a_broker_that_lost_its_tree)
{
	ONLY_NATIVE("a ZooKeeper keeps its tree");
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"slow\"; plugin = \"exec\"; "
		"queue_max = 2; watch = ( { path = \"/config\"; } ); settings "
		": "
		"{ "
		"events = [ \"present\", \"created\", \"changed\" ]; command = "
		"\"sleep 0.1; echo $MUSTER_EVENT value=$(cat)\"; }; } );");
	cluster_edit("create", "/config", "x");
	for (int i = 0; i < 10; i++)
		cluster_edit("set", "/config", "y");
	cluster_broker_lose_tree(&c);
	cluster_agent_wait_log(&a, "the broker came back with another tree");
	cluster_edit("create", "/config", "after");
	cluster_agent_wait_log(&a, "value=after");
	ck_assert(program_is_running(&a.program));
}
END_TEST

static void config_file(char *out, size_t room, const char *name,
                        const char *end)
{
	snprintf(
		out, room,
		"{ name = \"%s\"; plugin = \"config-file\"; watch = ( { path = "
		"\"/config\"; } ); settings : { path = \"/config\"; file = "
		"\"%s/%s\"; }; }%s",
		name, a.dir, name, end);
}

START_TEST(what_a_removed_instance_reported_goes_into_no_other_tree)
{
	char kept[512], gone[512], text[1100];
	struct run r;

	ONLY_NATIVE("a ZooKeeper keeps its tree");
	cluster_agent_init(&c, &a, "alpha", NULL);
	config_file(kept, sizeof kept, "kept", "");
	config_file(gone, sizeof gone, "gone", ", ");
	snprintf(text, sizeof text, "instances = ( %s%s );", gone, kept);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_edit("create", "/config", "one");
	cluster_agent_start(&a);
	cluster_wait_for_node("/applied/gone/alpha");
	cluster_wait_for_node("/applied/kept/alpha");
	snprintf(text, sizeof text, "instances = ( %s );", kept);
	cluster_agent_instances(&a, "i.conf", text);
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "\"instance stopped\" instance=gone");
	cluster_broker_lose_tree(&c);
	cluster_wait_for_node("/applied/kept/alpha");
	ck_assert_int_ne(cluster_muster(&r, "stat", "/applied/gone", NULL), 0);
	run_free(&r);
}
END_TEST

/* ---- ends of an agent ---- */

START_TEST(leave_without_a_broker_fails_with_a_sentence)
{
	struct run r;

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "the connection to the broker was lost");
	ck_assert_int_eq(
		cluster_run(&r, "muster-agent", "--leave", "-c", a.conf, NULL),
		1);
	ck_assert_msg(strstr(r.err, "could not be told that it left: there is "
	                            "no connection to the broker") != NULL,
	              "%s", r.err);
	run_free(&r);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 0);
	/* What was said of that end says nothing of the next. */
	cluster_broker_start(&c);
	cluster_agent_start(&a);
	cluster_agent_wait_times(&a, "msg=registered", 2);
	ck_assert_int_eq(
		cluster_run(&r, "muster-agent", "--leave", "-c", a.conf, NULL),
		0);
	run_free(&r);
	ck_assert_int_eq(program_wait(&a.program, WAIT_MS), 0);
	cluster_wait_node("/members/alpha", NULL);
}
END_TEST

START_TEST(leave_of_a_host_that_has_no_place_on_the_roll_is_well)
{
	struct run r;

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_agent_init(&c, &b, "beta", NULL);
	cluster_agent_conf(&b, "alpha", c.url, "");
	cluster_agent_start(&b);
	cluster_agent_wait_log(&b, "another host answers to this name");
	ck_assert_int_eq(
		cluster_run(&r, "muster-agent", "--leave", "-c", b.conf, NULL),
		0);
	run_free(&r);
	program_wait(&b.program, WAIT_MS);
	/* The other one's node is untouched. */
	ck_assert_int_eq(cluster_muster(&r, "get", "/members/alpha", NULL), 0);
	ck_assert_ptr_nonnull(strstr(r.out, "\"up\""));
	run_free(&r);
	ck_assert_uint_eq(file_count(a.log, "msg=registered"), 1);
}
END_TEST

START_TEST(a_copied_state_directory_makes_no_war_for_the_name)
{
	char from[256], to[256], *id;

	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_agent_init(&c, &b, "beta", NULL);
	cluster_agent_conf(&b, "alpha", c.url, "");
	snprintf(from, sizeof from, "%s/identity", a.state);
	snprintf(to, sizeof to, "%s/identity", b.state);
	id = file_read(from, NULL);
	ck_assert_ptr_nonnull(id);
	file_write_text(to, id);
	free(id);
	cluster_agent_start(&b);
	cluster_agent_wait_log(&b, "replacing the node of an earlier session");
	cluster_agent_wait_log(&b, "msg=registered");
	cluster_agent_wait_log(&a,
	                       "another agent lives with the name and the id");
	ck_assert(!file_has(a.log, "replacing the node"));
	ck_assert_uint_eq(file_count(b.log, "msg=registered"), 1);
	cluster_agent_stop(&b, SIGUSR2);
	cluster_agent_wait_times(&a, "msg=registered", 2);
}
END_TEST

/* ---- */

int main(void)
{
	Suite *s = suite_create("agent_again");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc,
	               a_broker_that_was_away_for_long_is_no_failure_of_anyone);
	tcase_add_test(
		tc,
		a_new_runner_is_given_the_present_state_and_then_the_event_again);
	tcase_add_test(
		tc,
		a_value_that_kills_as_present_is_tried_with_a_growing_pause);
	tcase_add_test(tc, a_present_that_is_refused_yields_to_a_newer_value);
	tcase_add_test(
		tc, a_runner_that_handled_nothing_leaves_nothing_to_tell_again);
	tcase_add_test(tc,
	               a_call_under_way_is_answered_before_an_instance_stops);
	tcase_add_test(tc, two_instances_watch_one_path_each_in_its_own_mode);
	tcase_add_test(tc,
	               events_that_wait_outlive_a_broker_that_lost_its_tree);
	tcase_add_test(
		tc, what_a_removed_instance_reported_goes_into_no_other_tree);
	tcase_add_test(tc, leave_without_a_broker_fails_with_a_sentence);
	tcase_add_test(tc,
	               leave_of_a_host_that_has_no_place_on_the_roll_is_well);
	tcase_add_test(tc, a_copied_state_directory_makes_no_war_for_the_name);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
