/* The client library over both carriers, against a broker that says what the test
 * wants. */
#include "client_bed.h"

#include <signal.h>

/* ---- a handle ---- */

START_TEST(an_application_from_the_future_is_served)
{
	struct {
		struct mu_client_options o;
		void *added;
	} future = { options, NULL };
	struct {
		struct mu_client_info i;
		long added;
	} all = { .added = 7 };

	future.o.size = sizeof future;
	future.o.brokers = broker.url;
	ck_assert_int_eq(mu_client_new(&future.o, &c, &err), 0);
	all.i.size = sizeof all;
	mu_client_info(c, &all.i);
	ck_assert_uint_eq(all.i.size, sizeof all.i);
	ck_assert_int_eq(all.added, 0);
}
END_TEST

START_TEST(an_application_from_the_past_gets_what_it_knows)
{
	struct mu_client_info i;

	make("");
	memset(&i, 0xee, sizeof i);
	i.size = offsetof(struct mu_client_info, session);
	mu_client_info(c, &i);
	ck_assert_uint_eq(i.size, offsetof(struct mu_client_info, session));
	ck_assert_int_eq(i.state, MU_CLIENT_CONNECTING);
	ck_assert_int_eq(((unsigned char *)&i.session)[0], 0xee);
}
END_TEST

START_TEST(a_session_starts_and_info_tells_of_it)
{
	go_connected("");
	ck_assert_str_eq(heard, "connected 0");
	ck_assert_int_eq(info().session, 0x77);
	ck_assert_uint_eq(info().timeout_ms, 3000);
	/* A ZooKeeper is known by its answer. */
	ck_assert_int_eq(info().features, broker.z ? MU_FEATURES : 0);
	ck_assert_int_eq(info().tree_id, broker.z ? 9 : 0);
	ck_assert(!info().resumed);
	ck_assert_str_eq(info().broker, broker.url);
	ck_assert_str_eq(broker.log, "hello");
}
END_TEST

START_TEST(a_session_is_resumed_by_its_id)
{
	options.session = 0x1234;
	go_connected("");
	ck_assert_str_eq(broker.log, "resume");
	ck_assert_int_eq(info().session, 0x1234);
	ck_assert(info().resumed);
}
END_TEST

START_TEST(rule10_an_expired_session_is_told_and_all_calls_say_so)
{
	options.session = 0x1234;
	broker.refuse = true;
	make("");
	UNTIL(was_heard("expired -112"));
	ck_assert_int_eq(mu_client_process(c), MU_EEXPIRED);
	ck_assert_int_eq(mu_client_get(c, "/a", false, on_done, "x"),
	                 MU_EEXPIRED);
	ck_assert_int_eq(mu_client_wait(c, 1000, &err), MU_EEXPIRED);
	ck_assert_int_eq(mu_client_close(c, 1000), MU_EEXPIRED);
	ck_assert_int_gt(mu_client_timeout_ms(c), 1000);
}
END_TEST

START_TEST(free_takes_null_and_calls_no_callback)
{
	mu_client_free(NULL);
	broker.hold = true;
	go_connected("");
	ck_assert_int_eq(mu_client_get(c, "/a", false, on_done, "x"), 0);
	UNTIL(broker.messages > 1);
	mu_client_free(c);
	c = NULL;
	ck_assert_str_eq(heard, "connected 0");
}
END_TEST

static bool was_left(void)
{
	return broker.goodbyes > 0;
}

START_TEST(free_says_goodbye)
{
	go_connected("");
	mu_client_free(c);
	c = NULL;
	broker_until(was_left);
	ck_assert_uint_eq(broker.goodbyes, 1);
}
END_TEST

static void free_inside(struct mu_client *cc, const struct mu_result *r,
                        void *arg)
{
	(void)r, (void)arg;
	mu_client_free(cc);
}

START_TEST(free_inside_a_callback_is_a_bug)
{
	go_connected("");
	mu_client_get(c, "/a", false, free_inside, NULL);
	UNTIL(false);
}
END_TEST

START_TEST(the_descriptor_is_readable_once_something_was_asked)
{
	struct pollfd p = { .events = POLLIN };

	go_connected("");
	UNTIL(mu_client_timeout_ms(c) > 0);
	p.fd = mu_client_fd(c);
	mu_client_get(c, "/a", false, NULL, NULL);
	ck_assert_int_eq(mu_client_timeout_ms(c), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	mu_client_process(c);
	ck_assert_int_gt(mu_client_timeout_ms(c), 0);
}
END_TEST

START_TEST(an_idle_client_waits)
{
	struct pollfd p = { .events = POLLIN };

	go_connected("");
	UNTIL(mu_client_timeout_ms(c) > 100);
	p.fd = mu_client_fd(c);
	ck_assert_int_eq(poll(&p, 1, 50), 0);
}
END_TEST

/* ---- links ---- */

START_TEST(a_lost_link_fails_requests_and_comes_back)
{
	go_connected("");
	broker.hold = true;
	mu_client_get(c, "/a", false, on_done, "get");
	UNTIL(strstr(broker.log, "held"));
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("get="));
	ck_assert_str_eq(heard, "connected 0; connecting -2008; get=-4");
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	ck_assert_ptr_nonnull(strstr(broker.log, "resume"));
	ck_assert(info().resumed);
}
END_TEST

START_TEST(watches_are_armed_again)
{
	go_connected("");
	mu_client_get(c, "/a", true, on_done, "get");
	mu_client_add_watch(c, "/b", MU_ADDWATCH_RECURSIVE, on_done, "add");
	UNTIL(was_heard("add=0"));
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("connecting -2008; connected 0"));
	ck_assert_ptr_nonnull(strstr(broker.log, "resume; setWatches2"));
	fake_broker_event(&broker, MU_NODE_DATA_CHANGED, "/a");
	fake_broker_event(&broker, MU_NODE_CREATED, "/b/c");
	fake_broker_event(&broker, MU_NODE_CREATED, "/not-watched");
	fake_broker_event(&broker, MU_NODE_CREATED, "/b/d");
	UNTIL(was_heard("event /b/d"));
	ck_assert_ptr_nonnull(
		strstr(heard, "event /a 3; event /b/c 1; event /b/d 1"));
}
END_TEST

START_TEST(the_next_broker_of_the_list_is_tried)
{
	char urls[300];

	mu_format(urls, sizeof urls, "%s,%s", dead_url(), broker.url);
	options.brokers = urls;
	for (int i = 0; i < 5; i++) { /* wherever the list is begun */
		ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
		UNTIL(info().state == MU_CLIENT_CONNECTED);
		ck_assert_str_eq(info().broker, broker.url);
		mu_client_free(c);
	}
	c = NULL;
}
END_TEST

START_TEST(what_was_asked_before_the_first_connection_is_answered)
{
	make("");
	ck_assert_int_eq(mu_client_get(c, "/a", false, on_done, "get"), 0);
	UNTIL(was_heard("get="));
	ck_assert_str_eq(heard, "connected 0; get=0");
}
END_TEST

START_TEST(a_silent_broker_is_left_and_pinged_before)
{
	broker.timeout_ms = 600;
	go_connected("");
	ck_assert_uint_eq(info().timeout_ms, 600);
	broker.mute = true;
	UNTIL(was_heard("connecting -7"));
	ck_assert_ptr_nonnull(strstr(broker.log, "held"));
}
END_TEST

/* A reader that has stopped: the link ends when the outbox is full, and never
 * holds more. */
START_TEST(a_broker_that_stops_reading_costs_the_link)
{
	static char data[1000000];

	broker.timeout_ms = 60000; /* not the silence, however slow we are */
	go_connected("");
	for (int i = 0; i < 900 && !was_heard("connecting"); i++) {
		ck_assert_int_eq(mu_client_set(c, "/a", data, sizeof data, -1,
		                               NULL, NULL),
		                 0);
		mu_client_process(c);
	}
	ck_assert(was_heard("connected 0; connecting -2008"));
}
END_TEST

static bool was_asked(void)
{
	return strstr(broker.log, "getData") != NULL;
}

/* What came before the end is heard before it. */
START_TEST(an_answer_just_before_the_end_counts)
{
	go_connected("");
	mu_client_get(c, "/a", false, on_done, "get");
	mu_client_process(c);
	broker_until(was_asked);
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("connecting"));
	ck_assert_str_eq(heard, "connected 0; get=0; connecting -2008");
}
END_TEST

/* Rules 9 and 80: no answer, then the end. */
START_TEST(rule9_a_server_that_closes_without_a_word_is_left_for_the_next)
{
	char urls[600];
	struct fake_broker mute;

	fake_broker_open(&mute,
	                 broker.z ? "tcp://127.0.0.1:*" : "zookeeper://");
	mute.leave = true;
	fake_broker_start(&mute);
	mu_format(urls, sizeof urls, "%s,%s", mute.url, broker.url);
	options.brokers = urls;
	ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	ck_assert_str_eq(info().broker, broker.url);
	fake_broker_stop(&mute);
	fake_broker_close(&mute);
}
END_TEST

/* ---- requests ---- */

static struct mu_result got;
static char got_path[64], got_data[64], got_names[64];
static struct mu_stat got_stat;

static void on_result(struct mu_client *cc, const struct mu_result *r,
                      void *arg)
{
	(void)cc, (void)arg;
	got = *r;
	if (r->path)
		mu_format(got_path, sizeof got_path, "%s", r->path);
	if (r->data)
		mu_format(got_data, sizeof got_data, "%.*s", r->len,
		          (const char *)r->data);
	if (r->stat)
		got_stat = *r->stat;
	for (size_t i = 0; r->children && i < r->count; i++)
		strcat(got_names, r->children[i]);
	hear("%s=%lld", "result", r->rc);
}

START_TEST(get_brings_data_and_stat)
{
	go_connected("");
	mu_client_get(c, "/a", false, on_result, NULL);
	UNTIL(was_heard("result=0"));
	ck_assert_str_eq(got_data, "hello");
	ck_assert_int_eq(got.len, 5);
	ck_assert_int_eq(got_stat.version, 3);
	ck_assert_int_eq(got.zxid, 101);
	ck_assert_int_eq(info().last_zxid, 101);
	ck_assert_str_eq(broker.log, "hello; getData /a");
}
END_TEST

START_TEST(rule62_null_data_is_told_apart_from_none)
{
	go_connected("");
	mu_client_get(c, "/null", false, on_result, NULL);
	UNTIL(was_heard("result=0"));
	ck_assert_int_eq(got.len, -1);
	ck_assert_ptr_null(got.data);
}
END_TEST

START_TEST(children_brings_names_and_stat)
{
	go_connected("");
	mu_client_children(c, "/a", true, on_result, NULL);
	UNTIL(was_heard("result=0"));
	ck_assert_str_eq(got_names, "bca");
	ck_assert_uint_eq(got.count, 3);
	ck_assert_int_eq(got_stat.num_children, 3);
	ck_assert_str_eq(broker.log, "hello; getChildren2 /a watch");
}
END_TEST

START_TEST(create_brings_the_path_as_made)
{
	go_connected("");
	mu_client_create(c, "/a/b-", "x", 1,
	                 MU_CREATE_EPHEMERAL | MU_CREATE_SEQUENTIAL, on_result,
	                 NULL);
	UNTIL(was_heard("result=0"));
	ck_assert_str_eq(got_path, "/a/b-0000000007");
	ck_assert_int_eq(got_stat.czxid, 5);
	ck_assert_str_eq(broker.log, "hello; create2 /a/b- mode 3 len 1");
}
END_TEST

START_TEST(each_request_says_what_was_asked)
{
	go_connected("");
	mu_client_set(c, "/a", "xy", 2, 7, on_done, "set");
	mu_client_set(c, "/a", NULL, -1, -1, on_done, "null");
	mu_client_set(c, "/a", NULL, 0, -1, on_done, "empty");
	mu_client_delete(c, "/a", 3, on_done, "delete");
	mu_client_exists(c, "/a/missing", true, on_done, "exists");
	mu_client_sync(c, "/a", on_done, "sync");
	mu_client_add_watch(c, "/a", MU_ADDWATCH_PERSISTENT, on_done, "add");
	UNTIL(was_heard("add="));
	ck_assert_str_eq(heard, "connected 0; set=0; null=0; empty=0; "
	                        "delete=0; exists=-101; sync=0; add=0");
	ck_assert_str_eq(broker.log,
	                 "hello; setData /a len 2 version 7; "
	                 "setData /a len -1 version -1; "
	                 "setData /a len 0 version -1; delete /a version 3; "
	                 "exists /a/missing watch; sync /a; "
	                 "addWatch /a persistent");
}
END_TEST

START_TEST(a_bad_argument_is_refused_at_once)
{
	struct mu_multi_op op = { .kind = (enum mu_op_kind)9, .path = "/a" };

	make("");
	ck_assert_int_eq(mu_client_get(c, NULL, 0, NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_get(c, "a", 0, NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_exists(c, "/a/", 0, NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_sync(c, "", NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_delete(c, "//", -1, NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_add_watch(c, "x", 0, NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_add_watch(c, "/x", 2, NULL, NULL),
	                 MU_EINVAL);
	ck_assert_int_eq(mu_client_create(c, "/a", "x", 1, 4, NULL, NULL),
	                 MU_EINVAL);
	ck_assert_int_eq(mu_client_create(c, "/a/", "x", 1, 0, NULL, NULL),
	                 MU_EINVAL);
	ck_assert_int_eq(mu_client_set(c, "/a", NULL, 1, -1, NULL, NULL),
	                 MU_EINVAL);
	ck_assert_int_eq(mu_client_set(c, "/a", "x", -2, -1, NULL, NULL),
	                 MU_EINVAL);
	ck_assert_int_eq(mu_client_multi(c, &op, 1, NULL, NULL), MU_EINVAL);
}
END_TEST

START_TEST(rule3_data_over_the_packet_limit_is_refused)
{
	static char data[1048575];

	make("");
	ck_assert_int_eq(
		mu_client_set(c, "/a", data, sizeof data, -1, NULL, NULL),
		MU_ETOOBIG);
	/* header 8, path 4 + 2, length 4, version 4 */
	ck_assert_int_eq(
		mu_client_set(c, "/a", data, sizeof data - 21, -1, NULL, NULL),
		MU_ETOOBIG);
	ck_assert_int_eq(
		mu_client_set(c, "/a", data, sizeof data - 22, -1, NULL, NULL),
		0);
}
END_TEST

static struct mu_op_result ops_got[4];

static void on_multi(struct mu_client *cc, const struct mu_result *r, void *arg)
{
	(void)cc, (void)arg;
	ck_assert_ptr_nonnull(r->results);
	ck_assert_uint_eq(r->count, 4);
	memcpy(ops_got, r->results, sizeof ops_got);
	if (r->results[0].path)
		mu_format(got_path, sizeof got_path, "%s", r->results[0].path);
	if (r->results[1].stat)
		got_stat = *r->results[1].stat;
	hear("%s=%lld", "multi", r->rc);
}

static const struct mu_multi_op four[] = {
	{ .kind = MU_OPKIND_CREATE, .path = "/new", .data = "x", .len = 1 },
	{ .kind = MU_OPKIND_SET, .path = "/a", .len = -1, .version = 4 },
	{ .kind = MU_OPKIND_CHECK, .path = "/c", .version = 5 },
	{ .kind = MU_OPKIND_DELETE, .path = "/d", .version = -1 },
};

START_TEST(rule65_a_multi_brings_each_result)
{
	go_connected("/team");
	mu_client_multi(c, four, 4, on_multi, NULL);
	UNTIL(was_heard("multi=0"));
	ck_assert_str_eq(got_path, "/new");
	ck_assert_int_eq(got_stat.version, 3);
	ck_assert_ptr_null(ops_got[2].path);
	ck_assert_ptr_null(ops_got[3].stat);
	ck_assert_str_eq(broker.log,
	                 "hello; multi; create2 /team/new mode 0 len 1; "
	                 "setData /team/a len -1 version 4; "
	                 "check /team/c version 5; "
	                 "delete /team/d version -1");
}
END_TEST

START_TEST(rule64_a_failed_multi_says_which_operation)
{
	struct mu_multi_op ops[4];

	memcpy(ops, four, sizeof ops);
	ops[2].path = "/bad";
	go_connected("");
	mu_client_multi(c, ops, 4, on_multi, NULL);
	UNTIL(was_heard("multi=-103"));
	ck_assert_int_eq(ops_got[0].rc, 0);
	ck_assert_int_eq(ops_got[1].rc, 0);
	ck_assert_int_eq(ops_got[2].rc, MU_EBADVERSION);
	ck_assert_int_eq(ops_got[3].rc, MU_EROLLEDBACK);
}
END_TEST

START_TEST(rule65_an_empty_multi_is_legal)
{
	go_connected("");
	mu_client_multi(c, NULL, 0, on_done, "multi");
	UNTIL(was_heard("multi=0"));
}
END_TEST

START_TEST(a_chroot_is_put_before_paths_and_taken_off_again)
{
	go_connected("/team");
	mu_client_create(c, "/a", NULL, -1, 0, on_result, NULL);
	mu_client_children(c, "/", true, on_done, "root");
	mu_client_add_watch(c, "/", MU_ADDWATCH_RECURSIVE, on_done, "add");
	UNTIL(was_heard("add=0"));
	ck_assert_str_eq(got_path, "/a");
	ck_assert_str_eq(broker.log,
	                 "hello; create2 /team/a mode 0 len -1; "
	                 "getChildren2 /team watch; addWatch /team recursive");
	fake_broker_event(&broker, MU_NODE_CHILDREN_CHANGED, "/team");
	fake_broker_event(&broker, MU_NODE_CREATED, "/team/a/b");
	UNTIL(was_heard("event /a/b 1"));
	ck_assert(was_heard("event / 4"));
}
END_TEST

START_TEST(rule58_a_name_may_be_a_number_alone)
{
	go_connected("/team");
	mu_client_create(c, "/", NULL, -1, MU_CREATE_SEQUENTIAL, on_result,
	                 NULL);
	UNTIL(was_heard("result=0"));
	ck_assert_str_eq(got_path, "/0000000007");
	ck_assert_ptr_nonnull(strstr(broker.log, "create2 /team/ mode 2"));
}
END_TEST

START_TEST(a_reply_that_is_cut_short_is_a_protocol_error)
{
	go_connected("");
	broker.cut = true;
	mu_client_get(c, "/a", false, on_done, "get");
	mu_client_children(c, "/a", false, on_done, "children");
	mu_client_create(c, "/a", NULL, -1, 0, on_done, "create");
	mu_client_set(c, "/a", NULL, -1, -1, on_done, "set");
	mu_client_multi(c, four, 4, on_done, "multi");
	UNTIL(was_heard("multi="));
	ck_assert_str_eq(heard, "connected 0; get=-2009; children=-2009; "
	                        "create=-2009; set=-2009; multi=-2009");
	ck_assert_int_eq(info().state, MU_CLIENT_CONNECTED);
}
END_TEST

static void ask_again(struct mu_client *cc, const struct mu_result *r,
                      void *arg)
{
	(void)arg;
	hear("%s=%lld", "first", r->rc);
	ck_assert_int_eq(mu_client_get(cc, "/b", false, on_done, "second"), 0);
}

START_TEST(a_callback_may_ask)
{
	go_connected("");
	mu_client_get(c, "/a", false, ask_again, NULL);
	UNTIL(was_heard("first=0; second=0"));
}
END_TEST

/* Where ZooKeeper's one event thread would stand still (rule 42). */
static void ask_and_wait(struct mu_client *cc, const struct mu_result *r,
                         void *arg)
{
	struct mu_value v;

	(void)arg;
	ck_assert_int_eq(r->len, 5);
	ck_assert_int_eq(mu_client_get_sync(cc, "/b", &v, 5000, &err), 0);
	mu_value_free(&v);
	ck_assert_mem_eq(r->data, "hello", 5); /* still ours */
	hear("%s=%lld", "outer", r->rc);
}

START_TEST(rule42_a_callback_may_wait_for_a_reply_of_its_own)
{
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	mu_client_get(c, "/a", false, ask_and_wait, NULL);
	mu_client_get(c, "/c", false, on_done, "behind");
	UNTIL(was_heard("outer=0"));
	ck_assert(was_heard("behind=0; outer=0"));
}
END_TEST

/* ---- synchronous ---- */

START_TEST(get_sync_copies_the_value)
{
	struct mu_value v;

	ck_assert_int_eq(mu_client_get_sync(c, "/a", &v, 5000, &err), 0);
	ck_assert_int_eq(v.len, 5);
	ck_assert_mem_eq(v.data, "hello", 5);
	ck_assert_int_eq(v.stat.version, 3);
	mu_value_free(&v);
	ck_assert_int_eq(mu_client_get_sync(c, "/null", &v, 5000, &err), 0);
	ck_assert_int_eq(v.len, -1);
	ck_assert_ptr_null(v.data);
	mu_value_free(&v);
}
END_TEST

START_TEST(a_failed_sync_call_says_what_and_why)
{
	struct mu_value v;

	ck_assert_int_eq(mu_client_get_sync(c, "/missing", &v, 5000, &err),
	                 MU_ENONODE);
	ck_assert_str_eq(err.msg, "get /missing: no such node");
	ck_assert_int_eq(mu_client_get_sync(c, "x", &v, 5000, NULL), MU_EINVAL);
}
END_TEST

START_TEST(children_sync_sorts_by_byte)
{
	struct mu_names n;

	ck_assert_int_eq(mu_client_children_sync(c, "/a", &n, 5000, &err), 0);
	ck_assert_uint_eq(n.count, 3);
	ck_assert_str_eq(n.names[0], "a");
	ck_assert_str_eq(n.names[1], "b");
	ck_assert_str_eq(n.names[2], "c");
	ck_assert_int_eq(n.stat.num_children, 3);
	mu_names_free(&n);
	ck_assert_uint_eq(n.count, 0);
}
END_TEST

START_TEST(a_sentence_about_a_long_path_still_says_what_is_wrong)
{
	struct mu_value v = { 0 };
	static char path[5000];

	memset(path, 'a', sizeof path - 1);
	path[0] = '/';
	memcpy(path + sizeof path - 9, "/missing", 8);
	ck_assert_int_eq(mu_client_get_sync(c, path, &v, 5000, &err),
	                 MU_ENONODE);
	ck_assert_ptr_nonnull(strstr(err.msg, "aaa...: no such node"));
	ck_assert_mem_eq(err.msg, "get /aaa", 8);
}
END_TEST

START_TEST(create_sync_gives_the_path_as_made)
{
	char made[16];

	ck_assert_int_eq(mu_client_create_sync(c, "/a", "x", 1, 0, made,
	                                       sizeof made, 5000, &err),
	                 0);
	ck_assert_str_eq(made, "/a");
	ck_assert_int_eq(mu_client_create_sync(c, "/abcd", "x", 1,
	                                       MU_CREATE_SEQUENTIAL, made, 16,
	                                       5000, &err),
	                 0);
	ck_assert_str_eq(made, "/abcd0000000007");
	ck_assert_int_eq(mu_client_create_sync(c, "/abcde", "x", 1,
	                                       MU_CREATE_SEQUENTIAL, made, 16,
	                                       5000, &err),
	                 MU_ETOOBIG);
	ck_assert_int_eq(
		mu_client_create_sync(c, "/a", "x", 1, 0, NULL, 0, 5000, &err),
		0);
}
END_TEST

START_TEST(the_other_sync_calls_do_as_they_say)
{
	struct mu_stat stat = { 0 };

	ck_assert_int_eq(mu_client_exists_sync(c, "/a", &stat, 5000, &err), 0);
	ck_assert_int_eq(stat.version, 3);
	ck_assert_int_eq(
		mu_client_set_sync(c, "/a", "x", 1, -1, NULL, 5000, &err), 0);
	ck_assert_int_eq(
		mu_client_set_sync(c, "/bad", "x", 1, 1, &stat, 5000, &err),
		MU_EBADVERSION);
	ck_assert_int_eq(mu_client_delete_sync(c, "/a", -1, 5000, &err), 0);
	ck_assert_int_eq(mu_client_sync_sync(c, "/a", 5000, &err), 0);
	ck_assert_int_eq(mu_client_add_watch_sync(
				 c, "/a", MU_ADDWATCH_PERSISTENT, 5000, &err),
	                 0);
}
END_TEST

START_TEST(multi_sync_says_which_operation_failed)
{
	struct mu_multi_op ops[4];
	size_t failed = 99;

	memcpy(ops, four, sizeof ops);
	ck_assert_int_eq(mu_client_multi_sync(c, ops, 4, &failed, 5000, &err),
	                 0);
	ck_assert_uint_eq(failed, 99);
	ops[2].path = "/bad";
	ck_assert_int_eq(mu_client_multi_sync(c, ops, 4, &failed, 5000, &err),
	                 MU_EBADVERSION);
	ck_assert_uint_eq(failed, 2);
	ck_assert_str_eq(err.msg, "multi: the version does not match");
}
END_TEST

START_TEST(a_sync_call_that_is_too_late_is_forgotten)
{
	struct mu_value v;

	broker.hold = true;
	ck_assert_int_eq(mu_client_wait(c, 5000, &err), 0);
	ck_assert_int_eq(mu_client_get_sync(c, "/a", &v, 30, &err),
	                 MU_ETIMEDOUT);
	ck_assert_str_eq(err.msg, "get /a: no answer within 30 ms");
	ck_assert_int_eq(mu_client_close(c, 50), MU_ETIMEDOUT);
	ck_assert_int_eq(info().state, MU_CLIENT_CLOSED);
}
END_TEST

START_TEST(wait_gives_0_when_connected)
{
	ck_assert_int_eq(mu_client_wait(c, 5000, &err), 0);
	ck_assert_int_eq(mu_client_wait(c, 0, &err), 0);
}
END_TEST

/* ---- close ---- */

START_TEST(rule20_close_is_confirmed_by_the_broker)
{
	ck_assert_int_eq(mu_client_wait(c, 5000, &err), 0);
	mu_client_get(c, "/a", false, on_done, "get");
	ck_assert_int_eq(mu_client_close(c, 5000), 0);
	ck_assert_str_eq(heard, "connected 0; get=0; closed 0");
	fake_broker_stop(&broker);
	threaded = false;
	ck_assert_ptr_nonnull(strstr(broker.log, "close"));
	ck_assert_int_eq(mu_client_process(c), MU_ECLOSED);
	ck_assert_int_eq(mu_client_sync(c, "/", NULL, NULL), MU_ECLOSED);
	ck_assert_int_eq(mu_client_wait(c, 10, &err), MU_ECLOSED);
	ck_assert_int_eq(mu_client_close(c, 10), 0);
}
END_TEST

START_TEST(an_unconfirmed_close_is_closed_all_the_same)
{
	broker.hold = true;
	go_connected("");
	ck_assert_int_eq(mu_client_close(c, 20), MU_ETIMEDOUT);
	ck_assert_int_eq(info().state, MU_CLIENT_CLOSED);
	ck_assert_int_eq(mu_client_process(c), MU_ECLOSED);
}
END_TEST

START_TEST(close_without_a_connection_does_not_wait)
{
	uint64_t before = mu_clock_mono_ms();

	options.session = 5;
	options.brokers = dead_url();
	ck_assert_int_eq(mu_client_new(&options, &c, &err), 0);
	ck_assert_int_eq(mu_client_close(c, 60000), MU_ECONNLOSS);
	ck_assert_uint_lt(mu_clock_mono_ms() - before, 5000);
	ck_assert_str_eq(heard, "closed -4");
}
END_TEST

static void add_handle(TCase *tc)
{
	tcase_add_test(tc, an_application_from_the_future_is_served);
	tcase_add_test(tc, an_application_from_the_past_gets_what_it_knows);
	tcase_add_test(tc, a_session_starts_and_info_tells_of_it);
	tcase_add_test(tc, a_session_is_resumed_by_its_id);
	tcase_add_test(tc,
	               rule10_an_expired_session_is_told_and_all_calls_say_so);
	tcase_add_test(tc, free_takes_null_and_calls_no_callback);
	tcase_add_test(tc, free_says_goodbye);
	tcase_add_test_raise_signal(tc, free_inside_a_callback_is_a_bug,
	                            SIGABRT);
	tcase_add_test(tc, the_descriptor_is_readable_once_something_was_asked);
	tcase_add_test(tc, an_idle_client_waits);
}

static void add_links(TCase *tc)
{
	tcase_add_test(tc, a_lost_link_fails_requests_and_comes_back);
	tcase_add_test(tc, watches_are_armed_again);
	tcase_add_test(tc, an_answer_just_before_the_end_counts);
	tcase_add_test(
		tc,
		rule9_a_server_that_closes_without_a_word_is_left_for_the_next);
	tcase_add_test(tc, the_next_broker_of_the_list_is_tried);
	tcase_add_test(tc,
	               what_was_asked_before_the_first_connection_is_answered);
	tcase_add_test(tc, a_silent_broker_is_left_and_pinged_before);
	tcase_add_test(tc, a_broker_that_stops_reading_costs_the_link);
	tcase_add_test(tc, an_unconfirmed_close_is_closed_all_the_same);
	tcase_add_test(tc, close_without_a_connection_does_not_wait);
}

static void add_requests(TCase *tc)
{
	tcase_add_test(tc, get_brings_data_and_stat);
	tcase_add_test(tc, rule62_null_data_is_told_apart_from_none);
	tcase_add_test(tc, children_brings_names_and_stat);
	tcase_add_test(tc, create_brings_the_path_as_made);
	tcase_add_test(tc, each_request_says_what_was_asked);
	tcase_add_test(tc, a_bad_argument_is_refused_at_once);
	tcase_add_test(tc, rule3_data_over_the_packet_limit_is_refused);
	tcase_add_test(tc, rule65_a_multi_brings_each_result);
	tcase_add_test(tc, rule64_a_failed_multi_says_which_operation);
	tcase_add_test(tc, rule65_an_empty_multi_is_legal);
	tcase_add_test(tc, a_chroot_is_put_before_paths_and_taken_off_again);
	tcase_add_test(tc, rule58_a_name_may_be_a_number_alone);
	tcase_add_test(tc, a_reply_that_is_cut_short_is_a_protocol_error);
	tcase_add_test(tc, a_callback_may_ask);
}

static void add_sync(TCase *tc)
{
	tcase_add_test(tc, rule42_a_callback_may_wait_for_a_reply_of_its_own);
	tcase_add_test(tc, get_sync_copies_the_value);
	tcase_add_test(tc, a_failed_sync_call_says_what_and_why);
	tcase_add_test(tc, children_sync_sorts_by_byte);
	tcase_add_test(tc,
	               a_sentence_about_a_long_path_still_says_what_is_wrong);
	tcase_add_test(tc, create_sync_gives_the_path_as_made);
	tcase_add_test(tc, the_other_sync_calls_do_as_they_say);
	tcase_add_test(tc, multi_sync_says_which_operation_failed);
	tcase_add_test(tc, a_sync_call_that_is_too_late_is_forgotten);
	tcase_add_test(tc, wait_gives_0_when_connected);
	tcase_add_test(tc, rule20_close_is_confirmed_by_the_broker);
}

int main(void)
{
	Suite *s = suite_create("client");

	add_handle(client_case(s, "handle, native", setup_native));
	add_links(client_case(s, "links, native", setup_native));
	add_requests(client_case(s, "requests, native", setup_native));
	add_sync(client_case(s, "sync, native", setup_native_threaded));
	add_handle(client_case(s, "handle, tcp", setup_tcp));
	add_links(client_case(s, "links, tcp", setup_tcp));
	add_requests(client_case(s, "requests, tcp", setup_tcp));
	add_sync(client_case(s, "sync, tcp", setup_tcp_threaded));
	return client_run(s);
}
