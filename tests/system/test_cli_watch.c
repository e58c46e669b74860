/*
 * test_cli_watch.c - `muster watch`: it runs in the background while others
 * change the tree, through restarts of its broker. A broker for each test.
 */
#include "fake_broker.h"
#include "json.h"
#include "last_run.h"
#include "relay.h"

#include <muster/client.h>

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cluster cluster;
static struct program watch;
static struct program relay; /* what the watch is connected through */
static uint16_t relay_port;
static struct fake_broker fake;

#define LINES_MAX 64

static void up(void)
{
	cluster_open(&cluster);
	cluster_broker_conf(&cluster, true, NULL);
	cluster_broker_start(&cluster);
}

static void down(void)
{
	program_stop(&watch, SIGKILL);
	program_stop(&relay, SIGKILL);
	run_free(&r);
	cluster_close(&cluster);
}

/* Its output has the text, now or soon. */
static void ck_comes(const char *text)
{
	ck_assert_msg(file_comes_to_have(watch.out, text, WAIT_MS),
	              "no \"%s\" in \"%s\"", text, file_read(watch.out, NULL));
}

static void ck_said(const char *text)
{
	ck_assert_msg(file_comes_to_have(watch.err, text, WAIT_MS),
	              "no \"%s\" in \"%s\"", text, file_read(watch.err, NULL));
}

/* Set /probe to new values until the watch shows one: it is armed then. */
static bool shows_a_probe(void *arg)
{
	(void)arg;
	ck_assert_int_eq(MUSTER("set", "-c", "/probe", "x"), 0);
	return file_has(watch.out, "/probe");
}

/* Start `muster watch ARGUMENT...`; the paths must cover /probe. */
static void watch_start(const char *const *args)
{
	const char *argv[16] = { cluster_program("muster"), "watch" };
	char out[CLUSTER_PATH_MAX + 16], err[CLUSTER_PATH_MAX + 16];

	for (size_t i = 0; args[i]; i++)
		argv[i + 2] = args[i];
	snprintf(out, sizeof out, "%s/watch.out", cluster.dir);
	snprintf(err, sizeof err, "%s/watch.err", cluster.dir);
	program_start(&watch, argv, out, err);
}
#define WATCH(...) watch_start((const char *const[]){ __VA_ARGS__, NULL })

static void watch_all(void)
{
	WATCH("-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
}

/* Where a watch does not cover /probe: the broker knows of it once the watch
 * shows a change of its own path. */
static bool shows_its_path(void *arg)
{
	const char *path = arg;

	ck_assert_int_eq(MUSTER("set", "-c", path, "probe"), 0);
	return file_has(watch.out, path);
}

static void watch_path(char *path)
{
	WATCH(path);
	ck_assert(wait_for(shows_its_path, path, WAIT_MS));
}

/* ---- a connection that can be cut ---------------------------------------------- */

static void relay_on(void)
{
	const char *at = strrchr(cluster.tcp, ':');
	uint16_t to = cluster.port;

	if (!to)
		to = (uint16_t)strtoul(at + 1, NULL, 10);
	relay_start(&relay, &relay_port, to);
}

static void relay_off(void)
{
	ck_assert_int_eq(program_stop(&relay, SIGTERM), 0);
}

/* After a restart the broker may have another port. */
static void restart_behind_relay(int signum)
{
	program_stop(&relay, SIGTERM);
	cluster_broker_restart(&cluster, signum);
	relay_on();
}

/* `muster watch OPTION... /cut` through a relay, which has shown a change. */
static void watch_cut(const char *option)
{
	char url[64], path[] = "/cut";

	relay_port = 0;
	relay_on();
	snprintf(url, sizeof url, "%s://127.0.0.1:%u",
	         cluster.port ? "zookeeper" : "tcp", (unsigned)relay_port);
	WATCH("--broker", url, option, path);
	ck_assert(wait_for(shows_its_path, path, WAIT_MS));
}

static void broker_with(const char *more)
{
	cluster_broker_conf(&cluster, true, more);
	cluster_broker_restart(&cluster, SIGTERM);
}

static void set_cut(int i)
{
	char value[16];

	snprintf(value, sizeof value, "%d", i);
	ck_assert_int_eq(MUSTER("set", "/cut", value), 0);
}

/* ---- what is printed ---------------------------------------------------------- */

START_TEST(created_changed_and_deleted_are_lines)
{
	watch_all();
	ck_assert_int_eq(MUSTER("create", "/w", "abc"), 0);
	ck_assert_int_eq(MUSTER("set", "/w", "abcd"), 0);
	ck_comes("created   /w  version ");
	ck_comes("changed   /w  version 1, 4 bytes\n");
	ck_assert_int_eq(MUSTER("rm", "/w"), 0);
	ck_comes("deleted   /w\n");
	ck_assert(!file_has(watch.out, "\033"));
	ck_assert_uint_eq(file_count(watch.err, "\n"), 0);
}
END_TEST

START_TEST(a_node_that_is_not_there_yet_can_be_watched)
{
	char path[] = "/later";

	watch_path(path);
	ck_comes("  /later");
	ck_assert_int_eq(MUSTER("rm", "/later"), 0);
	ck_comes("deleted   /later\n");
}
END_TEST

START_TEST(without_recursive_children_are_told_as_a_number)
{
	char path[] = "/parent";

	watch_path(path);
	ck_assert_int_eq(MUSTER("create", "/parent/a", "1"), 0);
	ck_comes("children  /parent  1 children\n");
	ck_assert_int_eq(MUSTER("set", "/parent/a", "2"), 0);
	ck_assert_int_eq(MUSTER("rm", "/parent/a"), 0);
	ck_comes("children  /parent  0 children\n");
	ck_assert(!file_has(watch.out, "/parent/a"));
}
END_TEST

START_TEST(recursive_tells_of_the_nodes_below)
{
	watch_all();
	ck_assert_int_eq(MUSTER("create", "-p", "/deep/er/est", "1"), 0);
	ck_comes("created   /deep  ");
	ck_comes("created   /deep/er  ");
	ck_comes("created   /deep/er/est  ");
}
END_TEST

START_TEST(json_is_an_object_a_line)
{
	char *all, *line, *rest;
	unsigned lines = 0;

	WATCH("--json", "-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	ck_assert_int_eq(MUSTER("create", "/j", "abc"), 0);
	ck_comes("\"event\":\"created\",\"path\":\"/j\"");
	ck_assert_int_eq(MUSTER("rm", "/j"), 0);
	ck_comes("\"event\":\"deleted\",\"path\":\"/j\"");
	ck_assert(file_has(watch.out, "\"data\":\"abc\",\"version\":0}"));
	all = file_read(watch.out, NULL);
	for (line = strtok_r(all, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct mu_json *j;

		ck_assert_int_eq(mu_json_parse(line, strlen(line), &j, NULL),
		                 0);
		if (cluster_backend() != CLUSTER_ZOOKEEPER) /* rule 25 */
			ck_assert_int_gt(mu_json_get_int(j, "zxid", 0), 0);
		ck_assert_int_gt(mu_json_get_int(j, "time", 0), 0);
		mu_json_free(j);
		lines++;
	}
	free(all);
	ck_assert_uint_ge(lines, 3);
}
END_TEST

START_TEST(long_lines_tell_the_cause_and_the_author)
{
	ONLY_NATIVE("a ZooKeeper does not tell who changed a node");
	WATCH("-l", "-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	ck_assert_int_eq(MUSTER("create", "/l", "abc"), 0);
	ck_comes("created   /l  version 0, 3 bytes  zxid 0x");
	ck_comes(", request, session 0x");
}
END_TEST

START_TEST(json_tells_the_cause_and_the_author)
{
	ONLY_NATIVE("a ZooKeeper does not tell who changed a node");
	WATCH("--json", "-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	ck_assert_int_eq(MUSTER("create", "/l", "abc"), 0);
	ck_comes("\"path\":\"/l\",\"zxid\":");
	ck_comes(",\"n\":0,\"cause\":\"request\",\"session\":");
	ck_comes(",\"origin\":\"");
}
END_TEST

/* The first of the two was never to be read by anybody. */
START_TEST(a_long_value_is_read_unless_it_was_replaced)
{
	static char one[5000], two[6000];
	const struct mu_multi_op ops[] = {
		{ MU_OPKIND_CREATE, "/long", one, sizeof one, -1, 0 },
		{ MU_OPKIND_SET, "/long", two, sizeof two, -1, 0 },
		{ MU_OPKIND_CREATE, "/next", "short", 5, -1, 0 },
	};
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = cluster.url };
	struct mu_client *c;

	ONLY_NATIVE("a ZooKeeper tells of no value");
	memset(one, '1', sizeof one);
	memset(two, '2', sizeof two);
	WATCH("--json", "-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	ck_assert_int_eq(mu_client_new(&o, &c, NULL), 0);
	ck_assert_int_eq(mu_client_multi_sync(c, ops, 3, NULL, WAIT_MS, NULL),
	                 0);
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	ck_comes("\"data\":\"short\",\"version\":0}");
	ck_assert(file_has(watch.out, ",\"data_length\":5000,\"version\":0}"));
	ck_assert(file_has(watch.out, "22222222\",\"version\":1}"));
	ck_assert(!file_has(watch.out, "11111111"));
}
END_TEST

/* Far more at once than may be asked about at a time. */
START_TEST(many_changes_at_once_are_told_in_their_order)
{
	enum { MANY = 2000, BATCH = 500 };
	static char paths[MANY][32];
	static struct mu_multi_op ops[BATCH];
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = cluster.url };
	struct mu_client *c;
	char *all, *at;

	watch_all();
	ck_assert_int_eq(mu_client_new(&o, &c, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(paths[i], sizeof paths[i], "/m%04d", i);
		ops[i % BATCH] = (struct mu_multi_op){ .kind = MU_OPKIND_CREATE,
			                               .path = paths[i],
			                               .len = -1 };
		if (i % BATCH == BATCH - 1)
			ck_assert_int_eq(mu_client_multi_sync(c, ops, BATCH,
			                                      NULL, WAIT_MS,
			                                      NULL),
			                 0);
	}
	mu_client_close(c, WAIT_MS);
	mu_client_free(c);
	ck_comes(paths[MANY - 1]);
	all = at = file_read(watch.out, NULL);
	for (int i = 0; i < MANY; i++) {
		at = strstr(at, paths[i]);
		ck_assert_msg(at != NULL, "%s is missing or too early",
		              paths[i]);
	}
	free(all);
}
END_TEST

/* ---- when it ends ----------------------------------------------------------------- */

START_TEST(it_ends_after_as_many_events_as_asked)
{
	unsigned lines;
	char *all;

	WATCH("-n", "3", "-r", "/");
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	MUSTER("set", "/probe", "2");
	MUSTER("set", "/probe", "3");
	ck_assert_int_eq(program_wait(&watch, WAIT_MS), 0);
	lines = file_count(watch.out, "\n");
	ck_assert_uint_eq(lines, 3);
	all = file_read(watch.err, NULL);
	ck_assert_str_eq(all, "");
	free(all);
}
END_TEST

START_TEST(it_ends_with_0_when_it_is_stopped)
{
	watch_all();
	ck_assert_int_eq(program_stop(&watch, _i ? SIGTERM : SIGINT), 0);
}
END_TEST

START_TEST(it_ends_when_its_reader_goes)
{
	/* head takes one line; the next change then ends the watch. */
	const char *argv[] = { "sh", "-c", "\"$0\" watch -r / | head -n 1",
		               cluster_program("muster"), NULL };
	char out[CLUSTER_PATH_MAX + 16];

	snprintf(out, sizeof out, "%s/watch.out", cluster.dir);
	program_start(&watch, argv, out, out);
	ck_assert(wait_for(shows_a_probe, NULL, WAIT_MS));
	for (int i = 0; i < 400 && program_is_running(&watch); i++)
		MUSTER("set", "/probe", "again");
	ck_assert(!program_is_running(&watch));
}
END_TEST

/* ---- when the broker goes ------------------------------------------------------------ */

START_TEST(it_survives_a_restart_of_the_broker_and_says_so)
{
	ONLY_NATIVE("a ZooKeeper is not started again");
	watch_all();
	cluster_broker_restart(&cluster, _i ? SIGKILL : SIGTERM);
	ck_said("muster watch: disconnected");
	ck_said("connected again; nothing was missed");
	ck_assert_int_eq(MUSTER("create", "/after", "v"), 0);
	ck_comes("created   /after");
	ck_assert(!file_has(watch.err, "starting a new one"));
	ck_assert(!file_has(watch.out, "gap"));
	ck_assert_int_eq(program_stop(&watch, SIGTERM), 0);
}
END_TEST

START_TEST(it_survives_the_loss_of_the_tree_and_says_so)
{
	ONLY_NATIVE("a ZooKeeper keeps its tree");
	watch_all();
	cluster_broker_lose_tree(&cluster);
	ck_said("muster watch: disconnected");
	ck_said("starting a new one");
	if (cluster_backend() != CLUSTER_ZOOKEEPER)
		ck_comes("gap       /  the broker has another tree: all may "
		         "have changed\n");
	for (int i = 0; i < 400 && !file_has(watch.out, "/back"); i++) {
		ck_assert_int_eq(MUSTER("set", "-c", "/back", "v"), 0);
		file_comes_to_have(watch.out, "/back", 50);
	}
	ck_comes("  /back  version ");
	ck_assert_int_eq(program_stop(&watch, SIGTERM), 0);
}
END_TEST

/* A stopped process answers nobody, and then goes on where it was. */
START_TEST(it_goes_on_in_the_same_session_after_a_silence)
{
	watch_all();
	program_signal(&cluster.broker, SIGSTOP);
	ck_said("muster watch: disconnected");
	program_signal(&cluster.broker, SIGCONT);
	ck_said(cluster_backend() == CLUSTER_ZOOKEEPER
	                ? "connected again; changes in between were not seen"
	                : "connected again; nothing was missed");
	ck_assert_int_eq(MUSTER("create", "/after", "v"), 0);
	ck_comes("created   /after");
}
END_TEST

START_TEST(it_can_be_stopped_while_the_broker_is_away)
{
	watch_all();
	cluster_broker_stop(&cluster, SIGKILL);
	ck_said("muster watch: disconnected");
	ck_assert_int_eq(program_stop(&watch, SIGINT), 0);
}
END_TEST

/* ---- nothing is missed ------------------------------------------------------------------ */

/* What is shown of /cut behind the probe: 0, 1, 2 and so on, and nothing else. */
static void ck_shown_once(int count)
{
	char *all = file_read(watch.out, NULL), *line, *rest;
	int next = 0;

	for (line = strtok_r(all, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct mu_json *j;
		char *data;

		ck_assert_int_eq(mu_json_parse(line, strlen(line), &j, NULL),
		                 0);
		data = mu_json_get_text(j, "data");
		mu_json_free(j);
		ck_assert_msg(data != NULL, "%s", line);
		if (strcmp(data, "\"probe\"") != 0)
			ck_assert_int_eq(strtol(data + 1, NULL, 10), next++);
		free(data);
	}
	free(all);
	ck_assert_int_eq(next, count);
}

START_TEST(each_change_is_shown_once_through_cuts_and_restarts)
{
	enum { MANY = 60 };

	ONLY_NATIVE("a ZooKeeper has no subscriptions");
	watch_cut("--json");
	for (int i = 0; i < MANY; i++) {
		if (i % 10 == 3)
			relay_off();
		if (i % 10 == 6)
			relay_on();
		if (i == 28 || i == 48)
			restart_behind_relay(i == 28 ? SIGKILL : SIGTERM);
		set_cut(i);
	}
	ck_comes("\"data\":\"59\"");
	ck_shown_once(MANY);
	ck_assert(!file_has(watch.err, "not seen"));
}
END_TEST

START_TEST(it_goes_on_in_a_new_session_behind_the_last_change)
{
	ONLY_NATIVE("a ZooKeeper has no subscriptions");
	broker_with("session_timeout_max_ms = 1000;\n");
	watch_cut("--json");
	set_cut(0);
	ck_comes("\"data\":\"0\"");
	relay_off();
	ck_said("starting a new one");
	set_cut(1);
	set_cut(2);
	relay_on();
	ck_comes("\"data\":\"2\"");
	ck_said("connected again; nothing was missed");
	ck_shown_once(3);
}
END_TEST

START_TEST(what_the_broker_cannot_tell_any_more_is_a_gap)
{
	ONLY_NATIVE("a ZooKeeper has no subscriptions");
	broker_with("change_log_max = 2;\n");
	watch_cut(_i ? "--json" : "--long");
	relay_off();
	ck_said("disconnected");
	for (int i = 0; i < 4; i++)
		set_cut(i);
	relay_on();
	if (_i)
		ck_comes("\"event\":\"gap\",\"path\":\"/cut\",\"from\":");
	else
		ck_comes("gap       /cut  changes of the zxids 0x");
	ck_said("connected again; changes may be missing");
	ck_assert_uint_eq(file_count(watch.out, "gap"), 1);
	set_cut(12345);
	ck_comes(_i ? "\"data\":\"12345\"" : ", 5 bytes  zxid 0x");
	ck_assert(!file_has(watch.out, "\"data\":\"3\""));
}
END_TEST

/* ---- brokers of another kind -------------------------------------------------------------- */

static bool fake_was_asked(void *what)
{
	while (fake_broker_turn(&fake))
		;
	return strstr(fake.log, what) != NULL;
}

static bool fake_brought(void *what)
{
	while (fake_broker_turn(&fake))
		;
	return file_has(watch.out, what) || file_has(watch.err, what);
}

#define ck_asked(what) ck_assert(wait_for(fake_was_asked, what, WAIT_MS))
#define ck_brought(what) ck_assert(wait_for(fake_brought, what, WAIT_MS))

static void watch_fake(void)
{
	char url[CLUSTER_PATH_MAX + 16];

	snprintf(url, sizeof url, "ipc://%s/fake.sock", cluster.dir);
	fake_broker_open(&fake, url);
	fake.subscribed = (struct mu_subscribe_reply){
		.state = MU_SUBSCRIBED_LIVE, .zxid = 150, .n = INT32_MAX
	};
	WATCH("--broker", url, "/a");
	ck_asked("subscribe /a id 1 mode 0 from -1.2147483647");
}

static void fake_change(int64_t zxid, int64_t prev_zxid, int32_t prev_n)
{
	fake_broker_change(&fake, &(struct mu_change_event){
					  .id = 1,
					  .type = MU_WATCH_DATA_CHANGED,
					  .zxid = zxid,
					  .prev_zxid = prev_zxid,
					  .prev_n = prev_n,
					  .path = MU_STR("/a"),
					  .stat = { .version = (int)zxid },
					  .whole = true });
}

START_TEST(a_change_behind_another_than_the_last_one_is_a_gap)
{
	ONLY_NATIVE("the broker of this test speaks for itself");
	watch_fake();
	fake_change(151, 150, INT32_MAX);
	ck_brought("changed   /a  version 151");
	ck_assert(!file_has(watch.out, "gap"));
	fake_change(159, 157, 0);
	ck_brought("gap       /a  changes of the zxids 0x97 to 0x9d may be "
	           "missing\n");
	ck_brought("changed   /a  version 159");
	fake_broker_close(&fake);
}
END_TEST

START_TEST(a_next_broker_without_subscriptions_is_watched)
{
	ONLY_NATIVE("the broker of this test speaks for itself");
	watch_fake();
	fake_change(151, 150, INT32_MAX);
	ck_brought("changed   /a  version 151");
	fake.features = 1;
	fake_broker_goodbye(&fake);
	ck_asked("resume; addWatch /a persistent");
	ck_brought("connected again; changes in between were not seen");
	fake_broker_event(&fake, MU_WATCH_DATA_CHANGED, "/a");
	ck_brought("changed   /a  version 3, 5 bytes\n");
	fake_broker_close(&fake);
}
END_TEST

START_TEST(a_subscription_that_is_refused_ends_it_with_a_reason)
{
	char url[CLUSTER_PATH_MAX + 16];

	ONLY_NATIVE("the broker of this test speaks for itself");
	snprintf(url, sizeof url, "ipc://%s/fake.sock", cluster.dir);
	fake_broker_open(&fake, url);
	WATCH("--broker", url, "/missing");
	ck_brought("muster watch: no such node");
	ck_asked("close");
	ck_assert_int_eq(program_wait(&watch, WAIT_MS), 2);
	fake_broker_close(&fake);
}
END_TEST

/* ---- all ------------------------------------------------------------------------------- */

int main(void)
{
	Suite *s = suite_create("cli_watch");
	TCase *t = tcase_create("watch");
	SRunner *sr;
	int failed;

	tcase_add_unchecked_fixture(t, cluster_backend_up, NULL);
	tcase_add_checked_fixture(t, up, down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, created_changed_and_deleted_are_lines);
	tcase_add_test(t, a_node_that_is_not_there_yet_can_be_watched);
	tcase_add_test(t, without_recursive_children_are_told_as_a_number);
	tcase_add_test(t, recursive_tells_of_the_nodes_below);
	tcase_add_test(t, json_is_an_object_a_line);
	tcase_add_test(t, many_changes_at_once_are_told_in_their_order);
	tcase_add_test(t, it_ends_after_as_many_events_as_asked);
	tcase_add_loop_test(t, it_ends_with_0_when_it_is_stopped, 0, 2);
	tcase_add_test(t, it_ends_when_its_reader_goes);
	tcase_add_test(t, it_survives_the_loss_of_the_tree_and_says_so);
	tcase_add_loop_test(t, it_survives_a_restart_of_the_broker_and_says_so,
	                    0, 2);
	tcase_add_test(t, it_goes_on_in_the_same_session_after_a_silence);
	tcase_add_test(t, it_can_be_stopped_while_the_broker_is_away);
	tcase_add_test(t, long_lines_tell_the_cause_and_the_author);
	tcase_add_test(t, json_tells_the_cause_and_the_author);
	tcase_add_test(t, a_long_value_is_read_unless_it_was_replaced);
	tcase_add_test(t, each_change_is_shown_once_through_cuts_and_restarts);
	tcase_add_test(t, it_goes_on_in_a_new_session_behind_the_last_change);
	tcase_add_loop_test(t, what_the_broker_cannot_tell_any_more_is_a_gap, 0,
	                    2);
	tcase_add_test(t, a_change_behind_another_than_the_last_one_is_a_gap);
	tcase_add_test(t, a_next_broker_without_subscriptions_is_watched);
	tcase_add_test(t, a_subscription_that_is_refused_ends_it_with_a_reason);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
