/* muster-agent as its user meets it: what it says when something is wrong, what
 * becomes of what it left in the tree, and a tree that is another. With the real
 * broker, runner and plugins. */
#include "cluster.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIE(file, more) \
	"instances = ( { name = \"one\"; plugin = \"" MU_BUILD \
	"/tests/lies/" file ".so\"; " more \
	"watch = ( { path = \"/do\"; mode = \"subtree\"; } ); } );"
#define NONE "instances = ( );"

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

/* ---- another tree ---- */

START_TEST(an_instance_that_no_event_can_reach_is_said_to_be_one)
{
	cluster_agent_up(
		&c, &a, "alpha", NULL,
		"instances = ( { name = \"deaf\"; plugin = \"log\"; },\n"
		"  { name = \"hears\"; plugin = \"log\"; members = true; } );");
	cluster_agent_wait_log(&a, "no event can reach the instance");
	cluster_agent_wait_times(&a, "instance ready", 2);
	ck_assert_uint_eq(file_count(a.log, "no event can reach"), 1);
}
END_TEST

START_TEST(a_broker_with_another_tree_makes_instances_start_anew)
{
	char *log, *at;

	ONLY_NATIVE("a ZooKeeper keeps its tree");
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &b, "beta", NULL, NULL);
	cluster_agent_up(&c, &a, "alpha", NULL,
	                 LIE("probe", "members = true; connection = true; "));
	cluster_edit("create", "/do/old", "x");
	cluster_agent_wait_log(&a, "path /do/old data x ");
	cluster_agent_wait_log(&a, "member beta|");
	cluster_agent_stop(&b, SIGKILL);
	cluster_broker_lose_tree(&c);
	cluster_agent_wait_log(&a,
	                       "the tree is another; the instance starts anew");
	cluster_agent_wait_times(&a, "init one on alpha", 2);
	cluster_edit("create", "/do", "new");
	cluster_edit("create", "/do/fresh", "y");
	cluster_agent_wait_log(&a, "path /do/fresh data y ");
	log = file_read(a.log, NULL);
	at = strstr(log, "the tree is another");
	ck_assert_ptr_nonnull(strstr(at, "msg=fini"));
	at = strstr(at, "init one on alpha");
	ck_assert_ptr_nonnull(at);
	/* Nothing of the old tree, and the present one from its beginning. */
	ck_assert_ptr_nonnull(strstr(at, "event 20 "));
	ck_assert_ptr_nonnull(strstr(at, "member alpha|"));
	ck_assert_ptr_null(strstr(at, "/do/old"));
	ck_assert_ptr_null(strstr(at, "member beta|"));
	free(log);
	ck_assert(!file_has(a.log, "event 21 flags 1"));
	ck_assert(!file_has(a.log, "will be started again"));
	ck_assert_uint_eq(file_count(a.log, "the tree is another;"), 1);
}
END_TEST

START_TEST(a_connection_that_comes_back_with_the_same_tree_restarts_nothing)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 4000;\n",
	                 LIE("probe", "connection = true; "));
	cluster_agent_wait_log(&a, "event 20 ");
	program_signal(&c.broker, SIGSTOP);
	cluster_agent_wait_log(&a, "event 21 ");
	program_signal(&c.broker, SIGCONT);
	cluster_agent_wait_times(&a, "event 20 ", 2);
	ck_assert_uint_eq(file_count(a.log, "init one on alpha"), 1);
}
END_TEST

/* ---- another name ---- */

START_TEST(a_renamed_host_leaves_no_node_of_its_old_name)
{
	struct run r;

	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;\n",
	                 NULL);
	cluster_agent_stop(&a, SIGTERM);
	cluster_agent_conf(&a, "gamma", c.url, "session_timeout_ms = 60000;\n");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "msg=registered path=/members/gamma");
	ck_assert(file_has(a.log, "resumed=yes"));
	ck_assert(file_has(a.log, "deleting the node of the old one"));
	ck_assert_int_ne(cluster_muster(&r, "get", "/members/alpha", NULL), 0);
	run_free(&r);
	/* The new name is kept: the next start renames nothing. */
	cluster_agent_stop(&a, SIGTERM);
	cluster_agent_start(&a);
	cluster_agent_wait_times(&a, "msg=registered path=/members/gamma", 2);
	ck_assert_uint_eq(file_count(a.log, "deleting the node"), 1);
	cluster_wait_for_node("/members/gamma");
}
END_TEST

START_TEST(a_renamed_host_gives_up_its_old_name_even_if_the_new_one_is_taken)
{
	cluster_agent_up(&c, &b, "gamma", NULL, NULL);
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;\n",
	                 NULL);
	cluster_agent_stop(&a, SIGTERM);
	cluster_agent_conf(&a, "gamma", c.url, "session_timeout_ms = 60000;\n");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "another host answers to this name");
	cluster_wait_node("/members/alpha", NULL);
	cluster_wait_for_node("/members/gamma");
}
END_TEST

START_TEST(a_renamed_host_leaves_a_node_that_is_not_its_own)
{
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;\n",
	                 NULL);
	cluster_agent_stop(&a, SIGKILL);
	cluster_edit("set", "/members/alpha", "{\"id\":\"of another\"}");
	cluster_agent_conf(&a, "gamma", c.url, "session_timeout_ms = 60000;\n");
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, "msg=registered path=/members/gamma");
	cluster_wait_for_node("/members/alpha");
	ck_assert(!file_has(a.log, "deleting the node"));
}
END_TEST

/* ---- no broker ---- */

START_TEST(an_agent_without_a_broker_says_so_once_and_names_the_url)
{
	char url[64], said[128];
	uint16_t port;

	ports_free(&port, 1);
	snprintf(url, sizeof url, "tcp://127.0.0.1:%u", (unsigned)port);
	snprintf(said, sizeof said,
	         "reason=\"cannot connect to %s; is muster-broker running "
	         "there?",
	         url);
	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_conf(&a, "alpha", url, "session_timeout_ms = 600;\n");
	cluster_agent_start(&a);
	cluster_agent_wait_log(
		&a, "msg=\"no broker can be reached; trying again\"");
	ck_assert(file_has(a.log, said));
	/* Once, whatever is tried from now on. */
	cluster_agent_stop(&a, SIGTERM);
	ck_assert_uint_eq(file_count(a.log, "no broker can be reached"), 1);
	/* It was on no roll: there is nobody who had to be told. */
	ck_assert(!file_has(a.log, "the others could not be told"));
}
END_TEST

START_TEST(one_that_was_on_the_roll_says_that_the_others_could_not_be_told)
{
	cluster_agent_up(&c, &a, "alpha", NULL, NULL);
	cluster_broker_stop(&c, SIGTERM);
	cluster_agent_wait_log(&a, "the connection to the broker was lost");
	cluster_agent_stop(&a, SIGTERM);
	ck_assert(file_has(a.log, "the others could not be told"));
}
END_TEST

START_TEST(another_timeout_than_the_one_asked_for_is_told)
{
	ONLY_NATIVE("its limits are muster-broker's");
	cluster_broker_stop(&c, SIGTERM);
	cluster_broker_conf(&c, false, "session_timeout_max_ms = 5000;\n");
	cluster_broker_start(&c);
	cluster_agent_up(&c, &a, "alpha", "session_timeout_ms = 60000;\n",
	                 NULL);
	cluster_agent_wait_log(&a,
	                       "the broker does not grant session_timeout_ms");
	ck_assert(file_has(a.log, "asked_ms=60000 granted_ms=5000"));
}
END_TEST

/* ---- what instances were doing ---- */

static const struct {
	const char *instances, *said;
} doings[] = {
	{ LIE("crash-event", ""), ") while it handled present /do, zxid 0x" },
	{ LIE("crash-init", ""), ") in init\"" },
	{ LIE("exit-event", ""), " while it handled present /do, zxid 0x" },
	{ LIE("endless-event", "deadline_ms = 200; "),
	  "200 ms, while it handled present /do, zxid 0x" },
};

START_TEST(the_end_of_a_plugin_names_what_it_was_doing)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", NULL, doings[_i].instances);
	cluster_agent_wait_log(&a, doings[_i].said);
}
END_TEST

START_TEST(a_crash_in_fini_is_a_warning)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", NULL, LIE("crash-fini", ""));
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_instances(&a, "i.conf", NONE);
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(
		&a, "level=warn prog=muster-agent msg=\"instance stopped, but "
		    "not well\" "
		    "instance=one reason=\"it was ended by signal 11 "
		    "(Segmentation fault) in fini\"");
}
END_TEST

START_TEST(an_instance_that_is_killed_past_its_grace_is_a_warning)
{
	cluster_edit("create", "/do", "");
	cluster_agent_up(&c, &a, "alpha", "stop_grace_ms = 100;\n",
	                 LIE("endless-event", ""));
	cluster_agent_wait_log(&a, "instance ready");
	cluster_agent_instances(&a, "i.conf", NONE);
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(
		&a, "level=warn prog=muster-agent msg=\"instance stopped, but "
		    "not well\"");
	ck_assert(file_has(a.log, "it did not end in time (stop_grace_ms, 100 "
	                          "ms), while it handled present /do, zxid "));
}
END_TEST

static const char *const hopeless[] = { "failing-init", "other-name", "no-init",
	                                "wrong-abi", "not-there" };

START_TEST(a_plugin_that_cannot_run_is_told_in_one_line_and_tried_in_60_s)
{
	char text[512];

	snprintf(text, sizeof text,
	         "instances = ( { name = \"one\"; plugin = \"%s/tests/lies/"
	         "%s.so\"; members = true; } );",
	         MU_BUILD, hopeless[_i]);
	cluster_agent_up(&c, &a, "alpha", NULL, text);
	cluster_agent_wait_log(&a, "in_ms=60000");
	ck_assert(file_has(a.log, "the plugin cannot run; trying again"));
	ck_assert_uint_eq(file_count(a.log, "instance=one"), 1);
}
END_TEST

/* ---- instances that go ---- */

START_TEST(what_a_removed_instance_reported_is_deleted)
{
	char text[1024];
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	snprintf(text, sizeof text,
	         "instances = ( { name = \"motd\"; plugin = \"config-file\"; "
	         "watch = ( { path = \"/config\"; } ); settings : { path = "
	         "\"/config\"; file = \"%s/motd\"; }; } );",
	         a.dir);
	cluster_agent_instances(&a, "i.conf", text);
	cluster_edit("create", "/config", "one");
	cluster_agent_start(&a);
	cluster_wait_for_node("/applied/motd/alpha");
	cluster_agent_instances(&a, "i.conf", NONE);
	program_signal(&a.program, SIGHUP);
	cluster_wait_node("/applied/motd/alpha", NULL);
	/* It comes back, and reports as if nothing had been. */
	cluster_agent_instances(&a, "i.conf", text);
	program_signal(&a.program, SIGHUP);
	cluster_wait_for_node("/applied/motd/alpha");
	/* An agent that ends takes nothing away. */
	cluster_agent_stop(&a, SIGTERM);
	ck_assert_int_eq(cluster_muster(&r, "get", "/applied/motd/alpha", NULL),
	                 0);
	run_free(&r);
}
END_TEST

/* ---- configuration ---- */

static const struct {
	const char *more, *instances, *said;
} wrong[] = {
	{ "log_level = \"verbosely\";\n", NULL,
	  "it must be error, warn, info or debug" },
	{ "labels = { role = \"web\"; port = 8080; };\n", NULL,
	  "labels may hold texts only: port is not a text in quotes" },
	{ "labels = { at = { room = \"1\"; }; };\n", NULL,
	  "labels may hold texts only: at.room lies in a group or a list" },
	{ "session_timeout_ms = 299;\n", NULL, "299 is out of range" },
	{ "runner = \"/is/not/there\";\n", NULL,
	  "runner: /is/not/there is not there" },
	{ "plugin_dir = \"/is/not/there\";\n", NULL,
	  "plugin_dir: /is/not/there is not there" },
	{ "", "instances = ( { name = \"a\"; plugin = \"none\"; } );",
	  "none.so is not there" },
	{ "",
	  "instances = ( { name = \"a\"; plugin = \"log\"; watch = \"/x\"; } "
	  ");",
	  "write watch = ( { path = \"/x\"; mode = \"exact\"; } );" },
	{ "",
	  "instances = ( { name = \"a\"; plugin = \"log\"; watch = ( \"/x\" ); "
	  "} );",
	  "write watch = ( { path = \"/x\"; mode = \"exact\"; } );" },
};

START_TEST(check_config_says_what_is_wrong_and_ends_with_2)
{
	struct run r;

	cluster_agent_init(&c, &a, "alpha", wrong[_i].more);
	if (wrong[_i].instances)
		cluster_agent_instances(&a, "i.conf", wrong[_i].instances);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 2);
	ck_assert_msg(strstr(r.err, wrong[_i].said) != NULL, "%s", r.err);
	ck_assert_uint_eq(r.out_len, 0);
	run_free(&r);
}
END_TEST

START_TEST(a_broker_url_that_is_none_is_refused_by_check_and_start_alike)
{
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	cluster_agent_conf(&a, "alpha", "http://127.0.0.1", "");
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 2);
	ck_assert_msg(strstr(r.err, "agent.conf: brokers: ") != NULL, "%s",
	              r.err);
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "-c", a.conf, NULL),
	                 2);
	ck_assert_ptr_nonnull(strstr(r.err, "agent.conf: brokers: "));
	run_free(&r);
}
END_TEST

START_TEST(check_config_says_ok)
{
	struct run r;

	cluster_agent_init(&c, &a, "alpha", "session_timeout_ms = 300;\n");
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	ck_assert_ptr_nonnull(strstr(r.out, "/agent.conf: ok\n"));
	ck_assert_uint_eq(r.err_len, 0);
	run_free(&r);
}
END_TEST

START_TEST(a_configuration_that_is_not_there_ends_with_2)
{
	struct run r;

	ck_assert_int_eq(cluster_run(&r, "muster-agent", "-c",
	                             "/is/not/there.conf", NULL),
	                 2);
	ck_assert_ptr_nonnull(strstr(r.err, "there is no file"));
	run_free(&r);
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             "/is/not/there.conf", NULL),
	                 2);
	run_free(&r);
}
END_TEST

START_TEST(a_conf_dir_that_is_not_there_is_told)
{
	const char *said = "conf_dir /is/not/there is not there: no plugins";
	struct run r;

	cluster_agent_init(&c, &a, "alpha", NULL);
	snprintf(a.conf_d, sizeof a.conf_d, "/is/not/there");
	cluster_agent_conf(&a, "alpha", c.url, "");
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	ck_assert_msg(strstr(r.err, said) != NULL, "%s", r.err);
	run_free(&r);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, said);
	cluster_agent_wait_log(&a, "msg=registered");
}
END_TEST

START_TEST(a_watchdog_that_outlasts_the_session_is_told)
{
	const char *said = "watchdog_ms is 10000, which is not less than two "
			   "thirds of session_timeout_ms (3000)";
	struct run r;

	cluster_agent_init(&c, &a, "alpha",
	                   "watchdog_ms = 10000; session_timeout_ms = 3000;\n");
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	ck_assert_msg(strstr(r.err, said) != NULL, "%s", r.err);
	run_free(&r);
	cluster_agent_start(&a);
	cluster_agent_wait_log(&a, said);
	cluster_agent_wait_log(&a, "msg=registered");
	cluster_agent_conf(&a, "alpha", c.url, "session_timeout_ms = 3000;\n");
	ck_assert_int_eq(cluster_run(&r, "muster-agent", "--check-config", "-c",
	                             a.conf, NULL),
	                 0);
	ck_assert_str_eq(r.err, "");
	run_free(&r);
}
END_TEST

START_TEST(sighup_names_the_keys_that_wait_for_a_start)
{
	cluster_agent_up(&c, &a, "alpha", NULL, NONE);
	cluster_agent_conf(
		&a, "alpha", c.url,
		"port = 80; labels = { role = \"web\"; }; log_level = "
		"\"debug\";\n");
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_log(&a, "configuration read again");
	ck_assert(file_has(a.log, "takes effect at the next start\" key=port"));
	ck_assert(
		file_has(a.log, "takes effect at the next start\" key=labels"));
	ck_assert_uint_eq(file_count(a.log, "takes effect at the next start"),
	                  2);
	/* log_level is in force at once. */
	cluster_agent_conf(&a, "alpha", c.url,
	                   "port = 81; log_level = \"warn\";\n");
	program_signal(&a.program, SIGHUP);
	cluster_agent_wait_times(
		&a, "takes effect at the next start\" key=port", 2);
	cluster_agent_stop(&a, SIGTERM);
	ck_assert(!file_has(a.log, "msg=ending"));
}
END_TEST

/* ---- */

int main(void)
{
	Suite *s = suite_create("agent_user");
	TCase *tc = tcase_create("system");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(tc, cluster_backend_up, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 90);
	tcase_add_test(tc,
	               an_instance_that_no_event_can_reach_is_said_to_be_one);
	tcase_add_test(tc,
	               a_broker_with_another_tree_makes_instances_start_anew);
	tcase_add_test(
		tc,
		a_connection_that_comes_back_with_the_same_tree_restarts_nothing);
	tcase_add_test(tc, a_renamed_host_leaves_no_node_of_its_old_name);
	tcase_add_test(
		tc,
		a_renamed_host_gives_up_its_old_name_even_if_the_new_one_is_taken);
	tcase_add_test(tc, a_renamed_host_leaves_a_node_that_is_not_its_own);
	tcase_add_test(
		tc, an_agent_without_a_broker_says_so_once_and_names_the_url);
	tcase_add_test(
		tc,
		one_that_was_on_the_roll_says_that_the_others_could_not_be_told);
	tcase_add_test(tc, another_timeout_than_the_one_asked_for_is_told);
	tcase_add_loop_test(tc, the_end_of_a_plugin_names_what_it_was_doing, 0,
	                    sizeof doings / sizeof *doings);
	tcase_add_test(tc, a_crash_in_fini_is_a_warning);
	tcase_add_test(tc,
	               an_instance_that_is_killed_past_its_grace_is_a_warning);
	tcase_add_loop_test(
		tc,
		a_plugin_that_cannot_run_is_told_in_one_line_and_tried_in_60_s,
		0, sizeof hopeless / sizeof *hopeless);
	tcase_add_test(tc, what_a_removed_instance_reported_is_deleted);
	tcase_add_loop_test(tc, check_config_says_what_is_wrong_and_ends_with_2,
	                    0, sizeof wrong / sizeof *wrong);
	tcase_add_test(
		tc,
		a_broker_url_that_is_none_is_refused_by_check_and_start_alike);
	tcase_add_test(tc, check_config_says_ok);
	tcase_add_test(tc, a_configuration_that_is_not_there_ends_with_2);
	tcase_add_test(tc, a_conf_dir_that_is_not_there_is_told);
	tcase_add_test(tc, a_watchdog_that_outlasts_the_session_is_told);
	tcase_add_test(tc, sighup_names_the_keys_that_wait_for_a_start);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
