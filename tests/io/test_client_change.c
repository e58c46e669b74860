/* Subscriptions through the client library, on both carriers, against a broker
 * that says what the test wants. Over a real one: test_client_subscribe.c. */
#include "client_bed.h"

static const struct mu_stat stat = { .mzxid = 200, .version = 3 };
static struct mu_subscribe what;

static void on_change(struct mu_client *cc, const struct mu_change *e,
                      void *arg)
{
	char text[256];

	ck_assert_ptr_eq(cc, c);
	ck_assert_ptr_eq(arg, &broker);
	ck_assert_uint_eq(e->size, sizeof *e);
	ck_assert_int_eq(e->stat->mzxid, stat.mzxid);
	mu_format(text, sizeof text,
	          "change %d %s type %d %lld.%d after %lld.%d by %s of %s %llx "
	          "data %.*s%s len",
	          (int)e->id, e->path, (int)e->type, (long long)e->zxid,
	          (int)e->n, (long long)e->prev_zxid, (int)e->prev_n,
	          mu_client_cause_word(e->cause), e->origin,
	          (unsigned long long)e->session, e->len < 0 ? 0 : e->len,
	          e->len < 0 ? "" : (const char *)e->data,
	          e->whole ? "" : " not whole");
	hear("%s %lld", text, e->len);
}

static void on_subscribed(struct mu_client *cc, const struct mu_result *r,
                          void *arg)
{
	const struct mu_subscribed *s = r->subscribed;
	char text[128];

	ck_assert_ptr_eq(cc, c);
	ck_assert_ptr_eq(arg, &broker);
	ck_assert_uint_eq(r->size, sizeof *r);
	if (r->rc) {
		ck_assert_ptr_null(s);
		hear("%s %lld", "refused", r->rc);
		return;
	}
	ck_assert_uint_eq(s->size, sizeof *s);
	mu_format(text, sizeof text, "state %d at %lld.%d gap %lld-%lld",
	          (int)s->state, (long long)s->zxid, (int)s->n,
	          (long long)s->from, (long long)s->to);
	hear("%s", text, 0);
}

static struct mu_change_event a_change(int64_t zxid, const char *path)
{
	return (struct mu_change_event){
		.id = 7,
		.type = MU_NODE_DATA_CHANGED,
		.zxid = zxid,
		.n = 2,
		.prev_zxid = zxid - 1,
		.prev_n = INT32_MAX,
		.path = mu_str_of(path),
		.cause = MU_BY_CLOSE,
		.session = 0x99,
		.origin = MU_STR("web1"),
		.stat = stat,
		.whole = true,
		.data = MU_STR("value"),
	};
}

static void setup_with(int32_t features)
{
	broker.features = features;
	broker.subscribed = (struct mu_subscribe_reply){
		.state = MU_SUBSCRIBED_LIVE, .zxid = 150, .n = INT32_MAX
	};
	options.on_change = on_change;
	what = (struct mu_subscribe){ .size = sizeof what,
		                      .id = 7,
		                      .path = "/a",
		                      .mode = MU_SUBSCRIBE_SUBTREE,
		                      .zxid = 140,
		                      .n = 3 };
}

static void setup_ours_native(void)
{
	setup_native();
	setup_with(MU_FEATURES_SUBSCRIBE);
}

static void setup_ours_tcp(void)
{
	setup_tcp();
	setup_with(MU_FEATURES_SUBSCRIBE);
}

static int subscribe(void)
{
	return mu_client_subscribe(c, &what, on_subscribed, &broker);
}

/* ---- asked ---- */

START_TEST(subscribe_asks_from_a_position_and_brings_how_it_stands)
{
	go_connected("");
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0 at 150.2147483647 gap 0-0"));
	ck_assert_str_eq(broker.log,
	                 "hello; subscribe /a id 7 mode 2 from 140.3");
}
END_TEST

START_TEST(from_now_is_a_position_of_which_n_does_not_count)
{
	go_connected("");
	what.zxid = -1;
	what.n = -4711;
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
	ck_assert_ptr_nonnull(strstr(broker.log, "from -1.2147483647"));
}
END_TEST

START_TEST(more_and_gap_are_told_as_they_are)
{
	go_connected("");
	broker.subscribed = (struct mu_subscribe_reply){
		.state = MU_SUBSCRIBED_MORE, .zxid = 145, .n = 9
	};
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 1 at 145.9 gap 0-0"));
	broker.subscribed =
		(struct mu_subscribe_reply){ .state = MU_SUBSCRIBED_GAP,
		                             .zxid = 190,
		                             .n = INT32_MAX,
		                             .from = 140,
		                             .to = 170 };
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 2 at 190.2147483647 gap 140-170"));
}
END_TEST

START_TEST(an_argument_that_cannot_be_is_refused_at_once)
{
	struct mu_subscribe good = what;

	go_connected("");
	ck_assert_int_eq(mu_client_subscribe(c, NULL, on_done, "x"), MU_EINVAL);
	what.size--;
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what = good;
	what.path = NULL;
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what.path = "a";
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what = good;
	what.mode = (enum mu_subscribe_mode)(MU_SUBSCRIBE_SUBTREE + 1);
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what.mode = (enum mu_subscribe_mode)(-1);
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what = good;
	what.zxid = -2;
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	what.zxid = 0;
	what.n = -1;
	ck_assert_int_eq(subscribe(), MU_EINVAL);
	ck_assert_str_eq(broker.log, "hello");
	what.n = 0;
	what.mode = MU_SUBSCRIBE_EXACT;
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
}
END_TEST

START_TEST(what_the_broker_refuses_has_no_state)
{
	go_connected("");
	what.path = "/bad";
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("refused -103"));
}
END_TEST

START_TEST(an_answer_that_cannot_be_is_a_protocol_error)
{
	static const struct mu_subscribe_reply wrong[] = {
		{ .state = -1 },
		{ .state = MU_SUBSCRIBED_GAP + 1 },
		{ .n = -1 },
	};

	go_connected("");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		heard[0] = '\0';
		broker.subscribed = wrong[i];
		ck_assert_int_eq(subscribe(), 0);
		UNTIL(was_heard("refused -2009"));
	}
	heard[0] = '\0';
	broker.cut = true;
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("refused -2009"));
}
END_TEST

START_TEST(unsubscribe_says_whether_there_was_one)
{
	go_connected("");
	ck_assert_int_eq(mu_client_unsubscribe(c, 7, on_done, "off"), 0);
	ck_assert_int_eq(mu_client_unsubscribe(c, 404, on_done, "none"), 0);
	UNTIL(was_heard("off=0; none=-121"));
	ck_assert_str_eq(broker.log,
	                 "hello; unsubscribe id 7; unsubscribe id 404");
}
END_TEST

START_TEST(nobody_needs_to_hear_the_answer)
{
	go_connected("");
	ck_assert_int_eq(mu_client_subscribe(c, &what, NULL, NULL), 0);
	ck_assert_int_eq(mu_client_unsubscribe(c, 7, NULL, NULL), 0);
	UNTIL(strstr(broker.log, "unsubscribe"));
}
END_TEST

/* ---- where it cannot be asked ---- */

START_TEST(a_server_with_fewer_features_is_unimplemented_at_once)
{
	broker.features = _i;
	go_connected("");
	ck_assert_int_eq(subscribe(), MU_EUNIMPLEMENTED);
	ck_assert_int_eq(mu_client_unsubscribe(c, 7, on_done, "x"),
	                 MU_EUNIMPLEMENTED);
	ck_assert_int_eq(mu_client_sync(c, "/a", on_done, "sync"), 0);
	UNTIL(was_heard("sync=0"));
	ck_assert_str_eq(broker.log, "hello; sync /a");
}
END_TEST

START_TEST(without_a_connection_it_is_lost_at_once)
{
	make("");
	ck_assert_int_eq(subscribe(), MU_ECONNLOSS);
	ck_assert_int_eq(mu_client_unsubscribe(c, 7, on_done, "x"),
	                 MU_ECONNLOSS);
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
}
END_TEST

START_TEST(a_closed_handle_says_so)
{
	start_thread();
	make("");
	ck_assert_int_eq(mu_client_wait(c, CLIENT_PATIENCE_MS, &err), 0);
	ck_assert_int_eq(mu_client_close(c, CLIENT_PATIENCE_MS), 0);
	ck_assert_int_eq(subscribe(), MU_ECLOSED);
}
END_TEST

/* ---- told ---- */

START_TEST(a_change_is_told_with_all_that_it_has)
{
	struct mu_change_event e = a_change(160, "/a/b");

	go_connected("");
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("change 7 /a/b type 3 160.2 after 159.2147483647 by "
	                "close of web1 99 data value len 5"));
	e.data = (struct mu_str){ 0 };
	e.origin = (struct mu_str){ 0 };
	e.cause = MU_BY_TTL;
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("by ttl of  99 data  len -1"));
	e.whole = false;
	e.cause = 4711;
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("by unknown of  99 data  not whole len -1"));
	e.whole = true;
	e.data = (struct mu_str){ "", 0 };
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("data  len 0"));
}
END_TEST

START_TEST(what_catching_up_tells_comes_before_the_answer)
{
	struct mu_change_event e = a_change(141, "/a");

	go_connected("");
	fake_broker_put_change(&broker.caught_up, &e);
	e.zxid = 142;
	fake_broker_put_change(&broker.caught_up, &e);
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
	ck_assert(strstr(heard, "141.2") < strstr(heard, "142.2"));
	ck_assert(strstr(heard, "142.2") < strstr(heard, "state 0"));
}
END_TEST

START_TEST(a_chroot_is_put_before_the_path_and_taken_off_the_changes)
{
	struct mu_change_event e = a_change(160, "/team/a/b");

	go_connected("/team");
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
	ck_assert_ptr_nonnull(strstr(broker.log, "subscribe /team/a id 7"));
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("change 7 /a/b type"));
	e.path = MU_STR("/team");
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("change 7 / type"));
}
END_TEST

START_TEST(without_on_change_nobody_is_told_and_nothing_breaks)
{
	struct mu_change_event e = a_change(160, "/a");

	options.on_change = NULL;
	go_connected("");
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
	fake_broker_change(&broker, &e);
	ck_assert_int_eq(mu_client_sync(c, "/a", on_done, "sync"), 0);
	UNTIL(was_heard("sync=0"));
	ck_assert(!was_heard("change"));
}
END_TEST

START_TEST(a_broken_change_ends_the_link)
{
	struct mu_change_event e = a_change(160, "/a");

	go_connected("");
	e.type = 9;
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("connecting -2009"));
	ck_assert(!was_heard("change 7"));
}
END_TEST

/* ---- the connection goes ---- */

START_TEST(the_library_does_not_subscribe_again)
{
	go_connected("");
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(was_heard("state 0"));
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("connecting"));
	UNTIL(info().state == MU_CLIENT_CONNECTED);
	ck_assert_int_eq(mu_client_sync(c, "/a", on_done, "sync"), 0);
	UNTIL(was_heard("sync=0"));
	ck_assert_str_eq(broker.log,
	                 "hello; subscribe /a id 7 mode 2 from 140.3; "
	                 "resume; sync /a");
}
END_TEST

static void again_on_state(struct mu_client *cc, enum mu_client_state state,
                           int why, void *arg)
{
	(void)arg, (void)why;
	hear("%s", state == MU_CLIENT_CONNECTED ? "up" : "down", 0);
	if (state == MU_CLIENT_CONNECTED)
		ck_assert_int_eq(
			mu_client_subscribe(cc, &what, on_subscribed, &broker),
			0);
	else if (state == MU_CLIENT_CONNECTING)
		ck_assert_int_eq(
			mu_client_subscribe(cc, &what, on_subscribed, &broker),
			MU_ECONNLOSS);
}

START_TEST(on_state_is_the_place_to_subscribe_again)
{
	struct mu_change_event e = a_change(160, "/a");

	options.on_state = again_on_state;
	make("");
	UNTIL(was_heard("up; state 0 at 150"));
	fake_broker_change(&broker, &e);
	UNTIL(was_heard("160.2"));
	heard[0] = '\0';
	what.zxid = 160;
	what.n = 2;
	broker.subscribed.zxid = 165;
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("down; up; state 0 at 165"));
	ck_assert_ptr_nonnull(strstr(broker.log, "resume; subscribe /a id 7 "
	                                         "mode 2 from 160.2"));
}
END_TEST

/* What was sent and not answered: it may stand or not, and is gone either way. */
START_TEST(a_subscribe_without_an_answer_ends_with_the_link)
{
	go_connected("");
	broker.hold = true;
	ck_assert_int_eq(subscribe(), 0);
	UNTIL(strstr(broker.log, "held"));
	fake_broker_goodbye(&broker);
	UNTIL(was_heard("refused -4"));
}
END_TEST

/* ---- callers of before ---- */

START_TEST(options_of_before_on_change_are_taken_as_they_were)
{
	struct mu_change_event e = a_change(160, "/a");
	/* Not a byte more: what is behind is not the library's to look at. */
	const uint32_t len = offsetof(struct mu_client_options, on_change);
	struct mu_client_options *old = malloc(len);
	static char url[512];

	ck_assert_ptr_nonnull(old);
	mu_format(url, sizeof url, "%s", broker.url);
	options.size = len;
	options.brokers = url;
	memcpy(old, &options, len);
	ck_assert_int_eq(mu_client_new(old, &c, &err), 0);
	free(old);
	UNTIL(was_heard("connected 0"));
	fake_broker_change(&broker, &e);
	fake_broker_event(&broker, MU_NODE_CREATED, "/a");
	ck_assert_int_eq(mu_client_sync(c, "/a", on_done, "sync"), 0);
	UNTIL(was_heard("sync=0"));
	ck_assert_str_eq(heard, "connected 0; sync=0");
}
END_TEST

START_TEST(options_of_no_known_size_are_refused)
{
	const uint32_t old = offsetof(struct mu_client_options, on_change);
	const uint32_t wrong[] = { 0, 4, old - 1, old + 1, sizeof options - 1 };

	options.brokers = "tcp://127.0.0.1:1";
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		options.size = wrong[i];
		ck_assert_int_eq(mu_client_new(&options, &c, &err), MU_EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "options.size"));
	}
	ck_assert_ptr_null(c);
}
END_TEST

static void add_both(Suite *s, const char *name, void (*up)(void))
{
	TCase *tc = client_case(s, name, up);

	tcase_add_test(tc,
	               subscribe_asks_from_a_position_and_brings_how_it_stands);
	tcase_add_test(tc, from_now_is_a_position_of_which_n_does_not_count);
	tcase_add_test(tc, more_and_gap_are_told_as_they_are);
	tcase_add_test(tc, an_argument_that_cannot_be_is_refused_at_once);
	tcase_add_test(tc, what_the_broker_refuses_has_no_state);
	tcase_add_test(tc, an_answer_that_cannot_be_is_a_protocol_error);
	tcase_add_test(tc, unsubscribe_says_whether_there_was_one);
	tcase_add_test(tc, nobody_needs_to_hear_the_answer);
	tcase_add_loop_test(
		tc, a_server_with_fewer_features_is_unimplemented_at_once, 0,
		MU_FEATURES_SUBSCRIBE);
	tcase_add_test(tc, without_a_connection_it_is_lost_at_once);
	tcase_add_test(tc, a_closed_handle_says_so);
	tcase_add_test(tc, a_change_is_told_with_all_that_it_has);
	tcase_add_test(tc, what_catching_up_tells_comes_before_the_answer);
	tcase_add_test(
		tc, a_chroot_is_put_before_the_path_and_taken_off_the_changes);
	tcase_add_test(tc, without_on_change_nobody_is_told_and_nothing_breaks);
	tcase_add_test(tc, a_broken_change_ends_the_link);
	tcase_add_test(tc, the_library_does_not_subscribe_again);
	tcase_add_test(tc, on_state_is_the_place_to_subscribe_again);
	tcase_add_test(tc, a_subscribe_without_an_answer_ends_with_the_link);
	tcase_add_test(tc, options_of_before_on_change_are_taken_as_they_were);
	tcase_add_test(tc, options_of_no_known_size_are_refused);
}

int main(void)
{
	Suite *s = suite_create("client, changes");

	add_both(s, "native", setup_ours_native);
	add_both(s, "tcp", setup_ours_tcp);
	return client_run(s);
}
