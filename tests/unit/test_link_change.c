/* Change events and the requests about subscriptions, on the link: told in their
 * place, of this link alone, and whole. */
#include "link_bed.h"

#include "fault.h"
#include "mem.h"

#define LONGEST 4096

static const struct mu_stat stat = { .czxid = 1, .mzxid = 2, .version = 3 };
static char data[LONGEST];

static struct mu_change_event a_change(int32_t n, const char *path)
{
	return (struct mu_change_event){
		.id = 7,
		.type = MU_NODE_DATA_CHANGED,
		.zxid = 20,
		.n = n,
		.prev_zxid = 19,
		.prev_n = 4,
		.path = mu_str_of(path),
		.cause = MU_BY_EXPIRY,
		.session = 0x99,
		.origin = MU_STR("web1"),
		.stat = stat,
		.whole = true,
		.data = MU_STR("value"),
	};
}

static void put_change(struct mu_buf *b, const struct mu_change_event *e,
                       int32_t err)
{
	size_t at = mu_frame_begin(b);

	mu_put_reply_header(b, MU_XID_CHANGE, 20, err);
	mu_put_change_event(b, e);
	mu_frame_end(b, at);
}

static void change(const struct mu_change_event *e)
{
	struct mu_buf b = { 0 };

	put_change(&b, e, 0);
	feed_free(&b);
}

static void change_at(int32_t n, const char *path)
{
	struct mu_change_event e = a_change(n, path);

	change(&e);
}

static int ask_op(int32_t op, uint64_t cookie)
{
	return mu_link_request(l, op, "body", 4, NULL, cookie, now);
}

static void setup(void)
{
	bed_setup();
	bed_features = MU_FEATURES_SUBSCRIBE;
	memset(data, 'x', sizeof data);
	go_connected();
}

/* The next action, which must be a change. */
static const struct mu_change_event *told(void)
{
	static struct mu_link_action a;

	ck_assert(mu_link_action(l, &a));
	ck_assert_int_eq(a.kind, MU_LA_CHANGE);
	ck_assert_int_eq(a.zxid, 20);
	return a.change;
}

static void ck_same_stat(const struct mu_stat *s)
{
	struct mu_buf a = { 0 }, b = { 0 };

	mu_put_stat(&a, &stat);
	mu_put_stat(&b, s);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_eq(a.data, b.data, a.len);
	mu_buf_fini(&a);
	mu_buf_fini(&b);
}

/* ---- what is told ---- */

START_TEST(a_change_is_told_with_all_that_it_has)
{
	struct mu_change_event sent = a_change(5, "/a");
	const struct mu_change_event *e;

	change(&sent);
	e = told();
	ck_assert_int_eq(e->id, 7);
	ck_assert_int_eq(e->type, MU_NODE_DATA_CHANGED);
	ck_assert_int_eq(e->zxid, 20);
	ck_assert_int_eq(e->n, 5);
	ck_assert_int_eq(e->prev_zxid, 19);
	ck_assert_int_eq(e->prev_n, 4);
	ck_assert_str_eq(e->path.at, "/a");
	ck_assert_int_eq(e->cause, MU_BY_EXPIRY);
	ck_assert_int_eq(e->session, 0x99);
	ck_assert_str_eq(e->origin.at, "web1");
	ck_same_stat(&e->stat);
	ck_assert(e->whole);
	ck_assert(mu_str_eq(e->data, MU_STR("value")));
	ck_assert_str_eq(drain(), "");
}
END_TEST

START_TEST(null_data_empty_data_and_data_left_out_are_three_things)
{
	struct mu_change_event e = a_change(0, "/a");

	e.data = (struct mu_str){ 0 };
	change(&e);
	ck_assert_ptr_null(told()->data.at);
	e.data = (struct mu_str){ "", 0 };
	change(&e);
	ck_assert_ptr_nonnull(told()->data.at);
	e.data = (struct mu_str){ 0 };
	e.whole = false;
	change(&e);
	ck_assert(!told()->whole);
	e = a_change(0, "/a");
	e.data = (struct mu_str){ data, LONGEST };
	change(&e);
	ck_assert_mem_eq(told()->data.at, data, LONGEST);
}
END_TEST

START_TEST(an_origin_that_is_not_known_is_an_empty_text)
{
	struct mu_change_event e = a_change(0, "/a");

	e.origin = (struct mu_str){ 0 };
	change(&e);
	ck_assert_str_eq(told()->origin.at, "");
}
END_TEST

START_TEST(a_cause_of_a_later_broker_is_passed_on)
{
	struct mu_change_event e = a_change(0, "/a");

	e.cause = 4711;
	change(&e);
	ck_assert_int_eq(told()->cause, 4711);
}
END_TEST

START_TEST(what_was_told_can_be_kept)
{
	const struct mu_change_event *e;
	void *memory;

	change_at(1, "/kept");
	e = told();
	memory = mu_link_take_bytes(l);
	change_at(2, "/b");
	ck_assert_str_eq(drain(), "change /b 7 2");
	ck_assert_str_eq(e->path.at, "/kept");
	ck_assert(mu_str_eq(e->data, MU_STR("value")));
	mu_free(memory);
}
END_TEST

START_TEST(no_watch_asks_for_a_change_and_none_is_spent)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 10, 0);
	drain();
	change_at(0, "/a");
	change_at(0, "/b");
	ck_assert_str_eq(drain(), "change /a 7 0; change /b 7 0");
	ck_assert_uint_eq(info().watches, 1);
	event(21, MU_NODE_DATA_CHANGED, "/a");
	ck_assert_str_eq(drain(), "event /a 3");
}
END_TEST

START_TEST(changes_events_and_replies_keep_their_order)
{
	struct mu_change_event e = a_change(1, "/a");
	struct mu_buf b = { 0 };

	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 10, 0);
	ask(2);
	ask(3);
	drain();
	put_change(&b, &e, 0);
	put_reply(&b, 2, 20, 0, "");
	put_event(&b, 20, MU_NODE_DATA_CHANGED, "/a");
	e.n = 2;
	put_change(&b, &e, 0);
	put_reply(&b, 3, 20, 0, "");
	feed_free(&b);
	ck_assert_str_eq(drain(), "change /a 7 1; done 2 0; event /a 3; "
	                          "change /a 7 2; done 3 0");
}
END_TEST

START_TEST(rule17_a_change_does_not_move_last_zxid)
{
	change_at(0, "/a");
	ck_assert_int_eq(info().last_zxid, 0);
}
END_TEST

START_TEST(a_change_is_a_sign_of_life)
{
	tick_at(now + TIMEOUT / 3);
	drain();
	change_at(0, "/a");
	tick_at(now + TIMEOUT / 3);
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}
END_TEST

/* ---- what ends the link ---- */

static void ck_broken(const char *what)
{
	ck_assert_msg(strcmp(drain(), "shut; state idle -2009") == 0, "%s: %s",
	              what, said);
	go_connected();
}

START_TEST(a_change_that_cannot_be_ends_the_link)
{
	static const struct mu_str paths[] = {
		{ NULL, 0 }, { "", 0 }, { "a", 1 }, { "/a/", 3 }, { "/\0b", 3 }
	};
	struct mu_change_event e;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		e = a_change(0, "/a");
		e.path = paths[i];
		change(&e);
		ck_broken("path");
	}
	for (int32_t type = 0; type <= 5; type += 5) {
		e = a_change(0, "/a");
		e.type = type;
		change(&e);
		ck_broken("type");
	}
	change_at(-1, "/a");
	ck_broken("n");
	e = a_change(0, "/a");
	e.cause = -1;
	change(&e);
	ck_broken("cause");
	e = a_change(0, "/a");
	e.origin = (struct mu_str){ "w\0b", 3 };
	change(&e);
	ck_broken("origin");
	e = a_change(0, "/a");
	e.whole = false;
	change(&e);
	ck_broken("data that is not whole");
}
END_TEST

START_TEST(a_change_with_an_error_ends_the_link)
{
	struct mu_change_event e = a_change(0, "/a");
	struct mu_buf b = { 0 };

	put_change(&b, &e, MU_ENONODE);
	feed_free(&b);
	ck_broken("err");
}
END_TEST

START_TEST(a_change_that_is_cut_short_anywhere_ends_the_link)
{
	struct mu_change_event e = a_change(0, "/a");
	struct mu_buf whole = { 0 };

	mu_put_change_event(&whole, &e);
	for (size_t len = 0; len < whole.len; len++) {
		struct mu_buf b = { 0 };
		size_t at = mu_frame_begin(&b);

		mu_put_reply_header(&b, MU_XID_CHANGE, 20, 0);
		mu_buf_put(&b, whole.data, len);
		mu_frame_end(&b, at);
		feed_free(&b);
		ck_broken("cut");
	}
	mu_buf_fini(&whole);
}
END_TEST

/* What is behind the record is a later broker's. */
START_TEST(rule96_more_than_the_record_is_no_harm)
{
	struct mu_change_event e = a_change(3, "/a");
	struct mu_buf b = { 0 };
	size_t at = mu_frame_begin(&b);

	mu_put_reply_header(&b, MU_XID_CHANGE, 20, 0);
	mu_put_change_event(&b, &e);
	mu_put_long(&b, 4711);
	mu_frame_end(&b, at);
	feed_free(&b);
	ck_assert_str_eq(drain(), "change /a 7 3");
}
END_TEST

START_TEST(a_server_without_subscriptions_tells_of_no_change)
{
	for (bed_features = 0; bed_features < MU_FEATURES_SUBSCRIBE;
	     bed_features++) {
		mu_link_on_lost(l, now);
		drain();
		go_connected();
		change_at(0, "/a");
		ck_assert_str_eq(drain(), "shut; state idle -2009");
		go_connected();
	}
}
END_TEST

START_TEST(a_change_is_no_answer_to_a_handshake_or_to_setwatches)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 10, 0);
	mu_link_on_lost(l, now);
	drain();
	go_handshake();
	change_at(0, "/a");
	ck_assert_str_eq(drain(), "shut; state idle -2009");
	go_up();
	drain();
	ck_assert_int_eq(info().state, MU_LINK_REARMING);
	change_at(0, "/a");
	ck_assert_str_eq(drain(), "shut; state idle -2009");
}
END_TEST

/* ---- of this link alone ---- */

START_TEST(nothing_of_an_old_link_is_told_on_a_new_one)
{
	struct mu_change_event e = a_change(1, "/a");
	struct mu_buf b = { 0 };

	ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 1), 0);
	drain();
	put_change(&b, &e, 0);
	put_reply(&b, 9, 20, 0, ""); /* nobody asked: the link is lost */
	e.n = 2;
	put_change(&b, &e, 0);
	feed_free(&b);
	change_at(3, "/a"); /* late: nobody has shut it yet */
	ck_assert_str_eq(drain(), "change /a 7 1; shut; state idle -2009; "
	                          "done 1 -4");
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0");
	ck_assert_uint_eq(info().outstanding, 0);
}
END_TEST

START_TEST(a_subscription_waits_for_no_other_link)
{
	static const int32_t ops[] = { MU_OP_SUBSCRIBE, MU_OP_UNSUBSCRIBE };

	for (size_t i = 0; i < 2; i++) {
		mu_link_on_lost(l, now);
		drain();
		ck_assert_int_eq(ask_op(ops[i], 1), MU_ECONNLOSS);
		go_opening();
		ck_assert_int_eq(ask_op(ops[i], 1), MU_ECONNLOSS);
		mu_link_on_open(l, now);
		drain();
		ck_assert_int_eq(ask_op(ops[i], 1), MU_ECONNLOSS);
		ck_assert_uint_eq(info().outstanding, 0);
		welcome((int32_t)TIMEOUT, SESSION);
		drain();
		ck_assert_int_eq(ask_op(ops[i], 1), 0);
		ck_assert_str_eq(drain(),
		                 i ? "send unsubscribe#2" : "send subscribe#1");
		reply((int32_t)i + 1, 10, 0);
		ck_assert_str_eq(drain(), "done 1 0");
	}
}
END_TEST

/* ... and where armed watches are still to be confirmed, neither. */
START_TEST(a_subscription_is_not_taken_while_watches_are_armed)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 10, 0);
	mu_link_on_lost(l, now);
	drain();
	go_up();
	drain();
	ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 2), MU_ECONNLOSS);
	reply(MU_XID_SET_WATCHES, 20, 0);
	ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 2), 0);
}
END_TEST

START_TEST(a_server_without_subscriptions_is_not_asked)
{
	for (bed_features = 0; bed_features < MU_FEATURES_SUBSCRIBE;
	     bed_features++) {
		mu_link_on_lost(l, now);
		drain();
		go_connected();
		ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 1), MU_EUNIMPLEMENTED);
		ck_assert_int_eq(ask_op(MU_OP_UNSUBSCRIBE, 1),
		                 MU_EUNIMPLEMENTED);
		ck_assert_str_eq(drain(), "");
		ck_assert_uint_eq(info().outstanding, 0);
	}
}
END_TEST

START_TEST(the_end_of_the_session_comes_before_all_other_reasons)
{
	mu_link_close(l, now);
	ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 1), MU_ECLOSED);
	drain();
	change_at(0, "/a"); /* on its way still */
	ck_assert_str_eq(drain(), "change /a 7 0");
	remake();
	go_connected();
	mu_link_on_lost(l, now);
	drain();
	go_handshake();
	welcome(0, 0);
	drain();
	ck_assert_int_eq(ask_op(MU_OP_SUBSCRIBE, 1), MU_EEXPIRED);
}
END_TEST

/* ---- out of memory ---- */

START_TEST(a_change_without_memory_ends_the_link)
{
	struct mu_change_event e = a_change(0, "/a");
	struct mu_buf b = { 0 };
	long live;

	put_change(&b, &e, 0);
	for (unsigned k = 0; k < 2; k++) {
		live = fault_alloc_live();
		fault_alloc_at(k);
		feed(&b);
		ck_assert(fault_alloc_off());
		ck_assert_int_eq(fault_alloc_live(), live);
		ck_assert_str_eq(drain(), "shut; state idle -2000");
		go_connected();
	}
	fault_alloc_at(2);
	feed(&b);
	ck_assert(!fault_alloc_off());
	ck_assert_str_eq(drain(), "change /a 7 0");
	mu_buf_fini(&b);
}
END_TEST

static TCase *change_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, bed_teardown);
	suite_add_tcase(s, tc);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("link_change");
	TCase *tells = change_case(s, "told");
	TCase *ends = change_case(s, "ends");
	TCase *alone = change_case(s, "this link");

	tcase_add_test(tells, a_change_is_told_with_all_that_it_has);
	tcase_add_test(tells,
	               null_data_empty_data_and_data_left_out_are_three_things);
	tcase_add_test(tells, an_origin_that_is_not_known_is_an_empty_text);
	tcase_add_test(tells, a_cause_of_a_later_broker_is_passed_on);
	tcase_add_test(tells, what_was_told_can_be_kept);
	tcase_add_test(tells, no_watch_asks_for_a_change_and_none_is_spent);
	tcase_add_test(tells, changes_events_and_replies_keep_their_order);
	tcase_add_test(tells, rule17_a_change_does_not_move_last_zxid);
	tcase_add_test(tells, a_change_is_a_sign_of_life);
	tcase_add_test(ends, a_change_that_cannot_be_ends_the_link);
	tcase_add_test(ends, a_change_with_an_error_ends_the_link);
	tcase_add_test(ends, a_change_that_is_cut_short_anywhere_ends_the_link);
	tcase_add_test(ends, rule96_more_than_the_record_is_no_harm);
	tcase_add_test(ends, a_server_without_subscriptions_tells_of_no_change);
	tcase_add_test(ends,
	               a_change_is_no_answer_to_a_handshake_or_to_setwatches);
	tcase_add_test(alone, nothing_of_an_old_link_is_told_on_a_new_one);
	tcase_add_test(alone, a_subscription_waits_for_no_other_link);
	tcase_add_test(alone,
	               a_subscription_is_not_taken_while_watches_are_armed);
	tcase_add_test(alone, a_server_without_subscriptions_is_not_asked);
	tcase_add_test(alone,
	               the_end_of_the_session_comes_before_all_other_reasons);
	tcase_add_test(alone, a_change_without_memory_ends_the_link);
	return bed_run(s);
}
