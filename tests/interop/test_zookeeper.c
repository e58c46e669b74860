/* The client library against a real ZooKeeper: what the link machine takes for
 * granted of one, rule by rule. A relay before the server makes the faults. */
#include "relay.h"
#include "zk_server.h"

#include <muster/client.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 100
#define PACKET_MAX 1048575 /* jute.maxbuffer (rule 96) */

static struct zk_server server;
static struct program relay;
static uint16_t relay_port;
static char direct[64], relayed[64];
static struct mu_client *c;
static struct mu_client_options options;
static struct mu_err err;
static char heard[8192]; /* what the callbacks were told */

static void server_up(void)
{
	zk_server_start(&server, TICK_MS, NULL);
	snprintf(direct, sizeof direct, "zookeeper://127.0.0.1:%u",
	         (unsigned)server.port);
}

static void server_down(void)
{
	zk_server_free(&server);
}

static void hear(const char *word, const char *what, long long n)
{
	size_t len = strlen(heard);

	snprintf(heard + len, sizeof heard - len, "%s%s%s%lld", len ? "; " : "",
	         word, what, n);
}

static void on_state(struct mu_client *cc, enum mu_client_state state, int why,
                     void *arg)
{
	static const char *const words[] = { "connecting", "connected",
		                             "expired", "closed" };

	(void)cc, (void)arg;
	hear(words[state], " ", why);
}

static void on_event(struct mu_client *cc, const struct mu_watch_event *e,
                     void *arg)
{
	(void)cc, (void)arg;
	hear("event ", e->path, e->type);
	ck_assert_int_eq(e->zxid, -1); /* rule 25: 3.8 does not tell */
}

static void setup(void)
{
	relay_port = 0;
	relay_start(&relay, &relay_port, server.port);
	snprintf(relayed, sizeof relayed, "zookeeper://127.0.0.1:%u",
	         (unsigned)relay_port);
	options = (struct mu_client_options){ .size = sizeof options,
		                              .brokers = relayed,
		                              .timeout_ms = 6000,
		                              .on_state = on_state,
		                              .on_event = on_event };
	heard[0] = '\0';
}

static void teardown(void)
{
	mu_client_free(c);
	c = NULL;
	program_stop(&relay, SIGKILL);
}

static struct mu_client_info info(void)
{
	struct mu_client_info i = { .size = sizeof i };

	mu_client_info(c, &i);
	return i;
}

static void make(void)
{
	ck_assert_msg(mu_client_new(&options, &c, &err) == 0, "%s", err.msg);
}

static void connect_it(void)
{
	make();
	ck_assert_msg(mu_client_wait(c, WAIT_MS, &err) == 0, "%s", err.msg);
}

static bool turn_until_heard(void *arg)
{
	struct pollfd p = { mu_client_fd(c), POLLIN, 0 };
	int wait = mu_client_timeout_ms(c);

	(void)poll(&p, 1, wait < 20 ? wait : 20);
	mu_client_process(c);
	return strstr(heard, arg) != NULL;
}

/* No connection, and before long for this reason. */
static void wait_in_vain(const char *reason)
{
	bool told = false;

	for (int left = WAIT_MS; left > 0 && !told; left -= 500) {
		ck_assert_int_eq(mu_client_wait(c, 500, &err), MU_ETIMEDOUT);
		told = strstr(err.msg, reason) != NULL;
	}
	ck_assert_msg(told, "%s", err.msg);
}

static void wait_heard(char *text)
{
	ck_assert_msg(wait_for(turn_until_heard, text, WAIT_MS),
	              "no \"%s\" in \"%s\"", text, heard);
}

#define OK(call) ck_assert_msg((call) == 0, #call ": %s", err.msg)

static void put(const char *path, const char *text)
{
	OK(mu_client_create_sync(c, path, text, (int32_t)strlen(text), 0, NULL,
	                         0, WAIT_MS, &err));
}

/* As another client does it, while ours is cut off. */
static void elsewhere(const char *verb, const char *path, const char *value)
{
	const char *argv[] = {
		MU_BUILD "/muster", "-b", direct, verb, path, value, NULL
	};
	struct run r = { .argv = argv };

	run(&r);
	ck_assert_msg(r.exit == 0, "%s %s: %s", verb, path, r.err);
	run_free(&r);
}

static void cut(void)
{
	program_stop(&relay, SIGTERM);
	wait_heard("connecting");
}

static void mend(void)
{
	relay_start(&relay, &relay_port, server.port);
	heard[0] = '\0';
	wait_heard("connected 0");
}

/* ---- sessions ---- */

START_TEST(rule7_a_zookeeper_says_that_it_is_one)
{
	connect_it();
	ck_assert_int_eq(info().features, 0);
	ck_assert_int_eq(info().tree_id, 0);
	ck_assert_int_ne(info().session, 0);
	ck_assert(!info().resumed);
}
END_TEST

static const struct {
	uint32_t asked, given;
} timeouts[] = {
	{ 1, 2 * TICK_MS }, { 2 * TICK_MS, 2 * TICK_MS }, { 4321, 4321 },
	{ 120000, 120000 }, { UINT32_MAX, 120000 },
};

START_TEST(rule8_the_timeout_is_what_the_server_answers)
{
	options.timeout_ms = timeouts[_i].asked;
	connect_it();
	ck_assert_uint_eq(info().timeout_ms, timeouts[_i].given);
}
END_TEST

static void resume(void)
{
	struct mu_client_info was = info();

	mu_client_free(c);
	options.session = was.session;
	memcpy(options.password, was.password, sizeof was.password);
	options.last_zxid = was.last_zxid;
	make();
}

START_TEST(a_session_is_resumed_with_its_ephemerals)
{
	struct mu_stat stat;
	int64_t session;

	connect_it();
	session = info().session;
	OK(mu_client_create_sync(c, "/resumed", "", 0, MU_CREATE_EPHEMERAL,
	                         NULL, 0, WAIT_MS, &err));
	resume();
	OK(mu_client_wait(c, WAIT_MS, &err));
	ck_assert(info().resumed);
	ck_assert_int_eq(info().session, session);
	OK(mu_client_exists_sync(c, "/resumed", &stat, WAIT_MS, &err));
	ck_assert_int_eq(stat.ephemeral_owner, session);
}
END_TEST

START_TEST(rule20_close_takes_the_ephemerals_along)
{
	struct mu_stat stat;

	connect_it();
	OK(mu_client_create_sync(c, "/closed", "", 0, MU_CREATE_EPHEMERAL, NULL,
	                         0, WAIT_MS, &err));
	ck_assert_int_eq(mu_client_close(c, WAIT_MS), 0);
	mu_client_free(c);
	connect_it();
	ck_assert_int_eq(
		mu_client_exists_sync(c, "/closed", &stat, WAIT_MS, NULL),
		MU_ENONODE);
}
END_TEST

START_TEST(rule9_a_server_behind_us_closes_without_a_word)
{
	options.last_zxid = INT64_MAX;
	make();
	wait_in_vain("may be behind");
}
END_TEST

START_TEST(rule10_a_session_nobody_knows_has_expired)
{
	options.session = 0x1234;
	make();
	wait_heard("expired -112");
}
END_TEST

START_TEST(rule10_a_wrong_password_is_as_good_as_no_session)
{
	connect_it();
	resume();
	mu_client_free(c);
	options.password[0] ^= 1;
	make();
	wait_heard("expired -112");
}
END_TEST

START_TEST(rule49_a_silent_server_is_left_and_the_session_goes_on)
{
	int64_t from;

	options.timeout_ms = 9000;
	connect_it();
	program_signal(&relay, SIGSTOP);
	from = now_ms();
	wait_heard("connecting -7");
	ck_assert_int_ge(now_ms() - from, 2700);
	ck_assert_int_le(now_ms() - from, 8900); /* it could still go on */
	program_signal(&relay, SIGCONT);
	wait_heard("connecting -7; connected 0");
	ck_assert(info().resumed);
}
END_TEST

START_TEST(rule49_pings_keep_an_idle_session)
{
	int64_t until;

	options.timeout_ms = 300;
	connect_it();
	until = now_ms() + 1500;
	while (now_ms() < until)
		(void)turn_until_heard("connecting");
	ck_assert_str_eq(heard, "connected 0");
}
END_TEST

START_TEST(rule45_a_session_that_was_away_too_long_has_expired)
{
	options.timeout_ms = 300;
	connect_it();
	program_signal(&relay, SIGSTOP);
	wait_heard("expired");
	program_signal(&relay, SIGCONT);
}
END_TEST

/* The server closes whom it has no place for, without a word. */
START_TEST(rule80_too_many_connections_are_told_in_words)
{
	struct zk_server small;
	struct mu_client *first;

	zk_server_start(&small, TICK_MS, "maxClientCnxns=1\n");
	snprintf(relayed, sizeof relayed, "zookeeper://127.0.0.1:%u",
	         (unsigned)small.port);
	connect_it();
	first = c;
	make();
	wait_in_vain("too many connections");
	mu_client_free(first);
	OK(mu_client_wait(c, WAIT_MS, &err));
	zk_server_free(&small);
}
END_TEST

/* ---- watches ---- */

static void done(struct mu_client *cc, const struct mu_result *r, void *arg)
{
	(void)cc;
	hear(arg, "=", r->rc);
}

START_TEST(rule98_the_reply_of_add_watch_fits)
{
	connect_it();
	OK(mu_client_add_watch_sync(c, "/recursive", MU_ADDWATCH_RECURSIVE,
	                            WAIT_MS, &err));
	OK(mu_client_add_watch_sync(c, "/persistent", MU_ADDWATCH_PERSISTENT,
	                            WAIT_MS, &err));
	put("/recursive", "");
	put("/recursive/x", "");
	put("/persistent", "");
	put("/persistent/x", "");
	wait_heard("event /recursive1; event /recursive/x1; "
	           "event /persistent1; event /persistent4");
}
END_TEST

/* Rule 35: 3.8 keeps one mode a path, and a one-shot watch ends a lasting one;
 * the link machine makes good for it. */
START_TEST(rule35_watches_of_all_modes_live_on_one_path)
{
	const enum mu_addwatch_mode first =
		_i ? MU_ADDWATCH_RECURSIVE : MU_ADDWATCH_PERSISTENT;
	const char *path = _i ? "/modes1" : "/modes0";
	char below[32], wanted[128];

	connect_it();
	put(path, "");
	mu_client_add_watch(c, path, first, NULL, NULL);
	mu_client_add_watch(c, path, 1 - first, NULL, NULL);
	mu_client_get(c, path, true, NULL, NULL);
	mu_client_children(c, path, true, done, "children");
	wait_heard("children=0");
	for (int round = 0; round < 3; round++) {
		heard[0] = '\0';
		snprintf(below, sizeof below, "%s/%d", path, round);
		snprintf(wanted, sizeof wanted,
		         "event %s1; event %s4; event %s3", below, path, path);
		elsewhere("create", below, NULL);
		elsewhere("set", path, "x");
		wait_heard(wanted);
		ck_assert_str_eq(heard, wanted);
		if (round == 1) {
			cut();
			mend();
		}
	}
}
END_TEST

/* Rules 37 and 39: what one-shot watches missed is told on the next link. */
START_TEST(rule37_what_one_shot_watches_missed_is_told)
{
	connect_it();
	put("/m", "");
	put("/m/data", "old");
	put("/m/gone", "");
	mu_client_get(c, "/m/data", true, done, "get");
	mu_client_get(c, "/m/gone", true, done, "get");
	mu_client_exists(c, "/m/new", true, done, "exists");
	mu_client_children(c, "/m", true, done, "children");
	wait_heard("children=0");
	cut();
	elsewhere("set", "/m/data", "new");
	elsewhere("rm", "/m/gone", NULL);
	elsewhere("create", "/m/new", NULL);
	mend();
	ck_assert(info().resumed);
	wait_heard("/m/data3");
	wait_heard("/m/gone2");
	wait_heard("/m/new1");
	wait_heard("/m4");
}
END_TEST

/* Rule 38: with a persistent watch it is setWatches2; what it missed is not
 * told, what comes is. */
START_TEST(rule38_watches_of_all_kinds_are_armed_again)
{
	connect_it();
	put("/all", "");
	put("/all/x", "");
	OK(mu_client_add_watch_sync(c, "/all", MU_ADDWATCH_RECURSIVE, WAIT_MS,
	                            &err));
	mu_client_exists(c, "/all-new", true, done, "exists");
	wait_heard("exists=-101");
	cut();
	elsewhere("set", "/all/x", "missed");
	mend();
	ck_assert(!strstr(heard, "event"));
	elsewhere("set", "/all/x", "seen");
	elsewhere("create", "/all-new", NULL);
	wait_heard("event /all/x3; event /all-new1");
}
END_TEST

START_TEST(many_watches_are_armed_again_in_batches)
{
	static char paths[6000][64];

	options.timeout_ms = 60000;
	connect_it();
	for (int i = 0; i < 6000; i++) {
		snprintf(paths[i], sizeof paths[i],
		         "/a-rather-long-name-of-a-node-not-there-%05d", i);
		while (mu_client_exists(c, paths[i], true, NULL, NULL) ==
		       MU_EFULL)
			(void)turn_until_heard("x");
	}
	while (mu_client_sync(c, "/", done, "last") == MU_EFULL)
		(void)turn_until_heard("x");
	wait_heard("last=0");
	cut();
	elsewhere("create", paths[5999], NULL);
	mend();
	wait_heard("-059991");
	elsewhere("create", paths[0], NULL);
	wait_heard("-000001");
}
END_TEST

/* Rule 32: the event, then the reply that shows its effect. */
START_TEST(rule32_our_own_change_is_told_before_its_reply)
{
	connect_it();
	put("/own", "");
	mu_client_get(c, "/own", true, done, "get");
	mu_client_set(c, "/own", "x", 1, -1, done, "set");
	wait_heard("get=0; event /own3; set=0");
}
END_TEST

/* ---- requests ---- */

START_TEST(every_request_is_understood)
{
	struct mu_value v;
	struct mu_names n;
	struct mu_stat stat;
	char made[64];

	connect_it();
	OK(mu_client_create_sync(c, "/req", "abc", 3, 0, made, sizeof made,
	                         WAIT_MS, &err));
	ck_assert_str_eq(made, "/req");
	OK(mu_client_create_sync(c, "/req/s-", NULL, -1, MU_CREATE_SEQUENTIAL,
	                         made, sizeof made, WAIT_MS, &err));
	ck_assert_str_eq(made, "/req/s-0000000000");
	OK(mu_client_get_sync(c, made, &v, WAIT_MS, &err));
	ck_assert_int_eq(v.len, -1);
	mu_value_free(&v);
	OK(mu_client_children_sync(c, "/req", &n, WAIT_MS, &err));
	ck_assert_uint_eq(n.count, 1);
	ck_assert_int_eq(n.stat.data_len, 3);
	mu_names_free(&n);
	OK(mu_client_set_sync(c, "/req", "x", 1, 0, &stat, WAIT_MS, &err));
	ck_assert_int_eq(stat.version, 1);
	ck_assert_int_eq(
		mu_client_set_sync(c, "/req", "x", 1, 0, NULL, WAIT_MS, NULL),
		MU_EBADVERSION);
	ck_assert_int_eq(mu_client_delete_sync(c, "/req", -1, WAIT_MS, NULL),
	                 MU_ENOTEMPTY);
	OK(mu_client_delete_sync(c, made, 0, WAIT_MS, &err));
	OK(mu_client_sync_sync(c, "/req", WAIT_MS, &err));
}
END_TEST

START_TEST(rule64_a_multi_is_all_or_nothing)
{
	struct mu_multi_op ops[3] = {
		{ .kind = MU_OPKIND_CREATE, .path = "/multi", .len = -1 },
		{ .kind = MU_OPKIND_SET, .path = "/multi", .version = 0 },
		{ .kind = MU_OPKIND_CHECK, .path = "/multi", .version = 7 },
	};
	size_t failed = 99;

	connect_it();
	ck_assert_int_eq(
		mu_client_multi_sync(c, ops, 3, &failed, WAIT_MS, NULL),
		MU_EBADVERSION);
	ck_assert_uint_eq(failed, 2);
	ops[2].version = 1;
	OK(mu_client_multi_sync(c, ops, 3, &failed, WAIT_MS, &err));
}
END_TEST

START_TEST(a_thousand_requests_at_once_are_answered_in_order)
{
	connect_it();
	for (int i = 0; i < 999; i++)
		ck_assert_int_eq(mu_client_get(c, "/", false, NULL, NULL), 0);
	mu_client_get(c, "/none", false, done, "last");
	wait_heard("last=-101");
	ck_assert_str_eq(heard, "connected 0; last=-101");
}
END_TEST

/* A record of 1,048,575 bytes: header 8, path 4 + 6, length 4, version 4. */
START_TEST(rule96_the_largest_packet_goes_and_a_larger_one_is_refused_here)
{
	static char data[PACKET_MAX];
	int32_t most = PACKET_MAX - 8 - 4 - 6 - 4 - 4;
	struct mu_value v;

	connect_it();
	put("/large", "");
	ck_assert_int_eq(mu_client_set_sync(c, "/large", data, most + 1, -1,
	                                    NULL, WAIT_MS, NULL),
	                 MU_ETOOBIG);
	OK(mu_client_set_sync(c, "/large", data, most, -1, NULL, WAIT_MS,
	                      &err));
	OK(mu_client_get_sync(c, "/large", &v, WAIT_MS, &err));
	ck_assert_int_eq(v.len, most);
	mu_value_free(&v);
	ck_assert_str_eq(heard, "connected 0");
}
END_TEST

/* Rule 3: the reply is larger than what ZooKeeper's own clients take. */
START_TEST(rule3_a_listing_of_many_megabytes_arrives)
{
	enum { MANY = 20000, BATCH = 1000 };
	static char paths[BATCH][128];
	static struct mu_multi_op ops[BATCH];
	struct mu_names n;

	options.timeout_ms = 60000;
	connect_it();
	put("/many", "");
	for (int i = 0; i < MANY; i++) {
		snprintf(paths[i % BATCH], sizeof paths[0], "/many/%0100d", i);
		ops[i % BATCH] = (struct mu_multi_op){ .kind = MU_OPKIND_CREATE,
			                               .path = paths[i % BATCH],
			                               .len = -1 };
		if (i % BATCH == BATCH - 1)
			OK(mu_client_multi_sync(c, ops, BATCH, NULL, WAIT_MS,
			                        &err));
	}
	OK(mu_client_children_sync(c, "/many", &n, WAIT_MS, &err));
	ck_assert_uint_eq(n.count, MANY);
	mu_names_free(&n);
}
END_TEST

START_TEST(a_chroot_that_is_not_there_is_no_node)
{
	strcat(relayed, "/no-such-root");
	connect_it();
	ck_assert_int_eq(mu_client_create_sync(c, "/a", "", 0, 0, NULL, 0,
	                                       WAIT_MS, NULL),
	                 MU_ENONODE);
	OK(mu_client_create_sync(c, "/", "", 0, 0, NULL, 0, WAIT_MS, &err));
	OK(mu_client_create_sync(c, "/a", "", 0, 0, NULL, 0, WAIT_MS, &err));
}
END_TEST

static void add_sessions(TCase *tc)
{
	tcase_add_test(tc, rule7_a_zookeeper_says_that_it_is_one);
	tcase_add_loop_test(tc, rule8_the_timeout_is_what_the_server_answers, 0,
	                    (int)(sizeof timeouts / sizeof timeouts[0]));
	tcase_add_test(tc, a_session_is_resumed_with_its_ephemerals);
	tcase_add_test(tc, rule20_close_takes_the_ephemerals_along);
	tcase_add_test(tc, rule9_a_server_behind_us_closes_without_a_word);
	tcase_add_test(tc, rule10_a_session_nobody_knows_has_expired);
	tcase_add_test(tc, rule10_a_wrong_password_is_as_good_as_no_session);
	tcase_add_test(tc,
	               rule49_a_silent_server_is_left_and_the_session_goes_on);
	tcase_add_test(tc, rule49_pings_keep_an_idle_session);
	tcase_add_test(tc, rule45_a_session_that_was_away_too_long_has_expired);
	tcase_add_test(tc, rule80_too_many_connections_are_told_in_words);
}

static void add_the_rest(TCase *tc)
{
	tcase_add_test(tc, rule98_the_reply_of_add_watch_fits);
	tcase_add_loop_test(tc, rule35_watches_of_all_modes_live_on_one_path, 0,
	                    2);
	tcase_add_test(tc, rule37_what_one_shot_watches_missed_is_told);
	tcase_add_test(tc, rule38_watches_of_all_kinds_are_armed_again);
	tcase_add_test(tc, many_watches_are_armed_again_in_batches);
	tcase_add_test(tc, rule32_our_own_change_is_told_before_its_reply);
	tcase_add_test(tc, every_request_is_understood);
	tcase_add_test(tc, rule64_a_multi_is_all_or_nothing);
	tcase_add_test(tc, a_thousand_requests_at_once_are_answered_in_order);
	tcase_add_test(
		tc,
		rule96_the_largest_packet_goes_and_a_larger_one_is_refused_here);
	tcase_add_test(tc, rule3_a_listing_of_many_megabytes_arrives);
	tcase_add_test(tc, a_chroot_that_is_not_there_is_no_node);
}

int main(void)
{
	Suite *s = suite_create("client on ZooKeeper");
	TCase *tc = tcase_create("zookeeper");
	SRunner *sr;
	int failed;

	if (!zk_is_installed("our client on a real ZooKeeper"))
		return ZK_SKIP_EXIT;
	tcase_set_timeout(tc, 90);
	tcase_add_unchecked_fixture(tc, server_up, server_down);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_sessions(tc);
	add_the_rest(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
