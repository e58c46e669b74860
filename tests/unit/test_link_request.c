/* Requests of a link: asked, sent, answered, failed; and brokers that lie. */
#include "link_bed.h"

#include "fault.h"
#include "link_impl.h"
#include "mem.h"

/* ---- asked ---- */

START_TEST(a_request_waits_until_the_link_is_connected)
{
	ask(1);
	go_handshake();
	ask(2);
	ck_assert_str_eq(drain(), "");
	welcome(3000, SESSION);
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0; "
	                          "send sync#1; send sync#2");
}
END_TEST

START_TEST(a_request_carries_its_body)
{
	ask(1);
	go_connected();
	ck_assert_uint_eq(last_record.len, 4);
	ck_assert_mem_eq(last_record.data, "body", 4);
	mu_link_request(l, MU_OP_SYNC, "other", 5, NULL, 2, now);
	drain();
	ck_assert_mem_eq(last_record.data, "other", 5);
}
END_TEST

START_TEST(a_request_may_have_no_body)
{
	go_connected();
	ck_assert_int_eq(mu_link_request(l, MU_OP_SYNC, NULL, 0, NULL, 1, now),
	                 0);
	drain();
	ck_assert_uint_eq(last_record.len, 0);
}
END_TEST

START_TEST(requests_asked_together_share_a_message)
{
	struct mu_link_action a;

	go_connected();
	for (uint64_t i = 0; i < 100; i++)
		ask(i);
	ck_assert(mu_link_action(l, &a));
	ck_assert_int_eq(a.kind, MU_LA_SEND);
	ck_assert_uint_eq(a.len, 100 * (4 + 8 + 4));
	ck_assert(!mu_link_action(l, &a));
}
END_TEST

START_TEST(what_would_pass_64_KiB_begins_a_new_message)
{
	static uint8_t body[MU_LINK_GATHER_MAX];
	struct mu_link_action a;

	go_connected();
	mu_link_request(l, 9, body, sizeof body / 2, NULL, 1, now);
	mu_link_request(l, 9, body, sizeof body / 2 - 24, NULL, 2, now);
	mu_link_request(l, 9, body, 0, NULL, 3, now);
	ck_assert(mu_link_action(l, &a));
	ck_assert_uint_eq(a.len, MU_LINK_GATHER_MAX);
	ck_assert(mu_link_action(l, &a));
	ck_assert_uint_eq(a.len, 12);
}
END_TEST

START_TEST(what_was_taken_is_not_added_to)
{
	struct mu_link_action a;

	go_connected();
	ask(1);
	ck_assert(mu_link_action(l, &a));
	ask(2);
	ck_assert_uint_eq(a.len, 16);
	ck_assert(mu_link_action(l, &a));
	ck_assert_uint_eq(a.len, 16);
}
END_TEST

START_TEST(rule80_outstanding_is_limited)
{
	config.outstanding_max = 3;
	remake();
	ask(1);
	go_connected();
	ask(2);
	ck_assert_int_eq(ask(3), 0);
	ck_assert_int_eq(ask(4), MU_EFULL);
	ck_assert_uint_eq(info().outstanding, 3);
	reply(1, 1, 0);
	ck_assert_int_eq(ask(4), 0);
	ck_assert_int_eq(ask(5), MU_EFULL);
}
END_TEST

START_TEST(a_thousand_may_be_outstanding_by_default)
{
	go_connected();
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(ask(i), 0);
	ck_assert_int_eq(ask(1000), MU_EFULL);
}
END_TEST

START_TEST(rule3_a_request_at_the_packet_limit_goes_and_one_past_does_not)
{
	static uint8_t body[200];

	config.packet_max = 100;
	remake();
	ck_assert_int_eq(mu_link_request(l, 9, body, 92, NULL, 1, now), 0);
	ck_assert_int_eq(mu_link_request(l, 9, body, 93, NULL, 1, now),
	                 MU_ETOOBIG);
	ck_assert_int_eq(mu_link_request(l, 9, body, SIZE_MAX, NULL, 1, now),
	                 MU_ETOOBIG);
	ck_assert_uint_eq(info().outstanding, 1);
}
END_TEST

START_TEST(an_expired_link_takes_no_request)
{
	config.session = SESSION;
	remake();
	go_handshake();
	welcome(0, 0);
	ck_assert_int_eq(ask(1), MU_EEXPIRED);
}
END_TEST

START_TEST(rule15_xids_count_from_1_and_wrap_to_1)
{
	go_connected();
	l->xid = INT32_MAX - 1;
	ask(1);
	ask(2);
	ck_assert_str_eq(drain(), "send sync#2147483647; send sync#1");
}
END_TEST

/* ---- answered ---- */

START_TEST(replies_come_in_the_order_of_the_requests)
{
	go_connected();
	ask(11);
	ask(12);
	drain();
	reply(1, 5, 0);
	reply(2, 6, MU_ENONODE);
	ck_assert_str_eq(drain(), "done 11 0; done 12 -101");
	ck_assert_uint_eq(info().outstanding, 0);
}
END_TEST

START_TEST(done_has_all_of_the_reply)
{
	struct mu_link_action a;
	struct mu_buf b = { 0 };

	go_connected();
	ask(11);
	drain();
	put_reply(&b, 1, 55, 0, "answer");
	feed_free(&b);
	ck_assert(mu_link_action(l, &a));
	ck_assert_int_eq(a.kind, MU_LA_DONE);
	ck_assert_int_eq(a.op, MU_OP_SYNC);
	ck_assert_int_eq(a.zxid, 55);
	ck_assert_uint_eq(a.len, 6);
	ck_assert_mem_eq(a.bytes, "answer", 6);
}
END_TEST

START_TEST(bytes_can_be_taken_over)
{
	struct mu_link_action a;
	struct mu_buf b = { 0 };
	void *own;

	ck_assert_ptr_null(mu_link_take_bytes(l));
	go_connected();
	ask(11);
	drain();
	put_reply(&b, 1, 55, 0, "answer");
	feed_free(&b);
	ck_assert(mu_link_action(l, &a));
	own = mu_link_take_bytes(l);
	ck_assert_ptr_eq(own, a.bytes);
	ck_assert_ptr_null(mu_link_take_bytes(l));
	ck_assert(!mu_link_action(l, &a));
	ck_assert_mem_eq(own, "answer", 6);
	mu_free(own);
}
END_TEST

START_TEST(last_zxid_comes_from_replies_and_never_goes_back)
{
	go_connected();
	ask(1);
	ask(2);
	ask(3);
	reply(1, 50, 0);
	ck_assert_int_eq(info().last_zxid, 50);
	reply(2, -1, MU_EUNIMPLEMENTED);
	ck_assert_int_eq(info().last_zxid, 50);
	reply(3, 51, MU_ENONODE);
	ck_assert_int_eq(info().last_zxid, 51);
}
END_TEST

START_TEST(a_ping_s_zxid_moves_nothing)
{
	go_connected();
	reply(MU_XID_PING, 99, 0);
	ck_assert_int_eq(info().last_zxid, 0);
	ck_assert_str_eq(drain(), "");
}
END_TEST

START_TEST(rule16_a_reply_that_nobody_asked_for_ends_the_link)
{
	static const int32_t xids[] = { 1, 3, 0, MU_XID_AUTH, -77 };

	for (size_t i = 0; i < sizeof xids / sizeof xids[0]; i++) {
		remake();
		go_connected();
		if (i)
			ask(7);
		ask(8);
		if (!i)
			reply(1, 1, 0);
		drain();
		reply(xids[i], 1, 0);
		ck_assert_ptr_nonnull(strstr(drain(), "state idle -2009"));
	}
}
END_TEST

START_TEST(a_reply_before_its_request_was_sent_ends_the_link)
{
	ask(1);
	go_connected();
	mu_link_on_lost(l, now);
	drain();
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	go_connected();
	reply(2, 5, 0);
	mu_link_on_lost(l, now);
	ask(2);
	drain();
	go_up();
	drain();
	reply(3, 5, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2009; done 2 -4");
}
END_TEST

/* ---- failed ---- */

START_TEST(a_lost_link_fails_all_in_order_sent_or_not)
{
	go_connected();
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 5, 0);
	drain();
	ask(2);
	drain();
	ask(3);
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008; done 2 -4; "
	                          "done 3 -4");
	ask(4);
	go_up();
	ask(5);
	mu_link_on_lost(l, now);
	ck_assert_ptr_nonnull(strstr(drain(), "done 4 -4; done 5 -4"));
	ck_assert_uint_eq(info().outstanding, 0);
}
END_TEST

START_TEST(a_link_that_never_opened_takes_no_request_with_it)
{
	ask(1);
	go_opening();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	go_handshake();
	welcome(3000, SESSION);
	ck_assert_ptr_nonnull(strstr(drain(), "send sync#1"));
}
END_TEST

START_TEST(nothing_of_the_old_link_is_sent_on_the_new_one)
{
	go_connected();
	ask(1);
	mu_link_on_lost(l, now);
	ask(2);
	ck_assert_str_eq(drain(), "shut; state idle -2008; done 1 -4");
	go_handshake();
	welcome(3000, SESSION);
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0; "
	                          "send sync#2");
	reply(1, 1, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2009; done 2 -4");
}
END_TEST

START_TEST(free_with_everything_under_way_leaks_nothing)
{
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	ask(2);
	go_connected();
	reply(1, 4, 0);
	ask(3);
	event(5, MU_NODE_DELETED, "/a");
	ck_assert_uint_eq(info().outstanding, 2);
}
END_TEST

/* ---- hostile ---- */

START_TEST(a_truncated_record_ends_the_link_wherever_it_is_cut)
{
	struct mu_buf whole = { 0 };

	put_event(&whole, 5, MU_NODE_CREATED, "/abc");
	for (size_t cut = 1; cut < whole.len; cut++) {
		remake();
		go_connected();
		mu_link_on_message(l, whole.data, cut, now);
		ck_assert_str_eq(drain(), "shut; state idle -2009");
	}
	/* The frame whole, what is in it cut. */
	for (uint8_t len = 0; len < whole.len - 4; len++) {
		uint8_t copy[64];

		memcpy(copy, whole.data, whole.len);
		copy[3] = len;
		remake();
		go_connected();
		mu_link_on_message(l, copy, 4u + len, now);
		ck_assert_str_eq(drain(), "shut; state idle -2009");
	}
	mu_buf_fini(&whole);
}
END_TEST

START_TEST(a_truncated_welcome_ends_the_link)
{
	struct mu_buf whole = { 0 };

	put_welcome(&whole, 3000, SESSION, PASSWORD);
	for (size_t cut = 1; cut < whole.len; cut++) {
		remake();
		go_handshake();
		mu_link_on_message(l, whole.data, cut, now);
		ck_assert_str_eq(drain(), "shut; state idle -2009");
	}
	mu_buf_fini(&whole);
}
END_TEST

START_TEST(a_broker_that_speaks_first_is_cut)
{
	go_opening();
	reply(1, 1, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2009");
}
END_TEST

START_TEST(a_positive_code_ends_the_link)
{
	go_connected();
	ask(1);
	drain();
	reply(1, 1, 5);
	ck_assert_str_eq(drain(), "shut; state idle -2009; done 1 -4");
}
END_TEST

START_TEST(an_event_on_a_bad_path_ends_the_link)
{
	static const char *const bad[] = { "", "a", "/a/", "/a//b", "/\x01" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		remake();
		go_connected();
		event(5, MU_NODE_CREATED, bad[i]);
		ck_assert_str_eq(drain(), "shut; state idle -2009");
	}
}
END_TEST

START_TEST(what_came_whole_before_garbage_counts)
{
	struct mu_buf b = { 0 };

	go_connected();
	ask(1);
	ask(2);
	drain();
	put_reply(&b, 1, 5, 0, "");
	mu_buf_put(&b, "\xff\xff\xff\xff", 4);
	feed_free(&b);
	ck_assert_str_eq(drain(), "done 1 0; shut; state idle -2009; "
	                          "done 2 -4");
}
END_TEST

START_TEST(nothing_behind_the_end_of_a_link_is_read)
{
	struct mu_buf b = { 0 };

	go_connected();
	ask(1);
	drain();
	put_reply(&b, 9, 5, 0, "");
	put_reply(&b, 1, 5, 0, "");
	feed_free(&b);
	ck_assert_str_eq(drain(), "shut; state idle -2009; done 1 -4");
}
END_TEST

/* ---- out of memory ---- */

START_TEST(no_link_is_made_without_memory)
{
	struct mu_link *made = NULL;
	unsigned k = 0;
	int rc;

	do {
		fault_alloc_at(k++);
		rc = mu_link_new(&config, 0, &made);
		ck_assert(rc == 0 || (rc == MU_ENOMEM && !made));
	} while (fault_alloc_off());
	ck_assert_uint_gt(k, 2);
	mu_link_free(made);
}
END_TEST

START_TEST(a_request_refused_for_memory_changes_nothing)
{
	struct mu_link_watch w = { .path = MU_STR("/a") };
	static uint8_t body[5000];

	for (unsigned connected = 0; connected < 2; connected++) {
		unsigned k = 0;
		int rc;

		remake();
		if (connected)
			go_connected();
		ask(1);
		do {
			uint32_t before = info().outstanding;

			fault_alloc_at(k++);
			rc = mu_link_request(l, 9, body, sizeof body, &w, 2,
			                     now);
			ck_assert(rc == 0 || rc == MU_ENOMEM);
			ck_assert_uint_eq(info().outstanding,
			                  before + (rc == 0));
		} while (fault_alloc_off());
		ck_assert_uint_gt(k, 3);
		if (!connected)
			go_connected();
		drain();
		reply(1, 1, 0);
		reply(2, 1, 0);
		ck_assert_str_eq(drain(), "done 1 0; done 2 0");
	}
}
END_TEST

/* Take every action; how many requests ended? Asks for no memory itself. */
static unsigned take_all(void)
{
	struct mu_link_action a;
	unsigned ended = 0;

	while (mu_link_action(l, &a))
		ended += a.kind == MU_LA_DONE;
	return ended;
}

/* Up to three attempts at a link. Returns how many requests ended. */
static unsigned try_to_connect(const struct mu_buf *greeting)
{
	unsigned ended = 0;

	for (int i = 0; i < 3 && info().state != MU_LINK_CONNECTED; i++) {
		while (info().state != MU_LINK_OPENING) {
			tick_at(mu_link_deadline(l));
			ended += take_all();
		}
		mu_link_on_open(l, now);
		if (info().state == MU_LINK_HANDSHAKE)
			feed(greeting);
		ended += take_all();
	}
	return ended;
}

/* The k-th allocation of a whole life is refused: every request that was
 * accepted ends exactly once, and the link comes up all the same. */
START_TEST(memory_refused_anywhere_loses_no_request)
{
	struct mu_buf greeting = { 0 };
	unsigned k = 0;
	int fired;

	put_welcome(&greeting, 3000, SESSION, PASSWORD);
	do {
		unsigned accepted = 0, ended;

		remake();
		fault_alloc_at(k++);
		for (uint64_t i = 0; i < 3; i++)
			accepted += ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA,
			                      i) == 0;
		ended = try_to_connect(&greeting);
		fired = fault_alloc_off();
		ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
		mu_link_on_lost(l, now);
		ended += take_all();
		ck_assert_uint_eq(ended, accepted);
		ck_assert_uint_eq(info().outstanding, 0);
	} while (fired);
	ck_assert_uint_gt(k, 10);
	mu_buf_fini(&greeting);
}
END_TEST

START_TEST(a_reply_without_memory_fails_the_request_and_the_link)
{
	struct mu_buf b = { 0 };

	go_connected();
	ask(1);
	drain();
	put_reply(&b, 1, 5, 0, "answer");
	mu_buf_fini(&l->reqs->done.own);
	fault_alloc_at(0);
	feed(&b);
	ck_assert(fault_alloc_off());
	mu_buf_fini(&b);
	ck_assert_str_eq(drain(), "shut; state idle -2000; done 1 -4");
	ck_assert_int_eq(info().last_zxid, 0);
}
END_TEST

START_TEST(a_ping_without_memory_ends_the_link)
{
	go_connected();
	fault_alloc_at(0);
	tick_at(now + 1000);
	ck_assert(fault_alloc_off());
	ck_assert_str_eq(drain(), "shut; state idle -2000");
	go_connected();
}
END_TEST

START_TEST(a_hello_without_memory_ends_the_link)
{
	for (unsigned k = 0; k < 3; k++) {
		remake();
		go_opening();
		fault_alloc_at(k);
		mu_link_on_open(l, now);
		ck_assert(fault_alloc_off());
		ck_assert_str_eq(drain(), "state handshake 0; shut; "
		                          "state idle -2000");
	}
}
END_TEST

START_TEST(a_close_without_memory_is_unconfirmed)
{
	go_connected();
	fault_alloc_at(0);
	mu_link_close(l, now);
	ck_assert(fault_alloc_off());
	ck_assert_str_eq(drain(), "shut; state closed -2000");
}
END_TEST

START_TEST(what_waited_for_the_link_is_failed_if_it_cannot_be_sent)
{
	struct mu_buf greeting = { 0 };

	put_welcome(&greeting, 3000, SESSION, PASSWORD);
	ask(1);
	ask(2);
	go_handshake();
	fault_alloc_at(0);
	feed(&greeting);
	ck_assert(fault_alloc_off());
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0; shut; "
	                          "state idle -2000; done 1 -4; done 2 -4");
	mu_buf_fini(&greeting);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link_request");
	TCase *asked = bed_case(s, "asked");
	TCase *answered = bed_case(s, "answered");
	TCase *failed = bed_case(s, "failed");
	TCase *hostile = bed_case(s, "hostile");
	TCase *memory = bed_case(s, "memory");

	tcase_add_test(asked, a_request_waits_until_the_link_is_connected);
	tcase_add_test(asked, a_request_carries_its_body);
	tcase_add_test(asked, a_request_may_have_no_body);
	tcase_add_test(asked, requests_asked_together_share_a_message);
	tcase_add_test(asked, what_would_pass_64_KiB_begins_a_new_message);
	tcase_add_test(asked, what_was_taken_is_not_added_to);
	tcase_add_test(asked, rule80_outstanding_is_limited);
	tcase_add_test(asked, a_thousand_may_be_outstanding_by_default);
	tcase_add_test(
		asked,
		rule3_a_request_at_the_packet_limit_goes_and_one_past_does_not);
	tcase_add_test(asked, an_expired_link_takes_no_request);
	tcase_add_test(asked, rule15_xids_count_from_1_and_wrap_to_1);
	tcase_add_test(answered, replies_come_in_the_order_of_the_requests);
	tcase_add_test(answered, done_has_all_of_the_reply);
	tcase_add_test(answered, bytes_can_be_taken_over);
	tcase_add_test(answered,
	               last_zxid_comes_from_replies_and_never_goes_back);
	tcase_add_test(answered, a_ping_s_zxid_moves_nothing);
	tcase_add_test(answered,
	               rule16_a_reply_that_nobody_asked_for_ends_the_link);
	tcase_add_test(answered,
	               a_reply_before_its_request_was_sent_ends_the_link);
	tcase_add_test(failed, a_lost_link_fails_all_in_order_sent_or_not);
	tcase_add_test(failed,
	               a_link_that_never_opened_takes_no_request_with_it);
	tcase_add_test(failed, nothing_of_the_old_link_is_sent_on_the_new_one);
	tcase_add_test(failed, free_with_everything_under_way_leaks_nothing);
	tcase_add_test(hostile,
	               a_truncated_record_ends_the_link_wherever_it_is_cut);
	tcase_add_test(hostile, a_truncated_welcome_ends_the_link);
	tcase_add_test(hostile, a_broker_that_speaks_first_is_cut);
	tcase_add_test(hostile, a_positive_code_ends_the_link);
	tcase_add_test(hostile, an_event_on_a_bad_path_ends_the_link);
	tcase_add_test(hostile, what_came_whole_before_garbage_counts);
	tcase_add_test(hostile, nothing_behind_the_end_of_a_link_is_read);
	tcase_add_test(memory, no_link_is_made_without_memory);
	tcase_add_test(memory, a_request_refused_for_memory_changes_nothing);
	tcase_add_test(memory, memory_refused_anywhere_loses_no_request);
	tcase_add_test(memory,
	               a_reply_without_memory_fails_the_request_and_the_link);
	tcase_add_test(memory, a_ping_without_memory_ends_the_link);
	tcase_add_test(memory, a_hello_without_memory_ends_the_link);
	tcase_add_test(memory, a_close_without_memory_is_unconfirmed);
	tcase_add_test(memory,
	               what_waited_for_the_link_is_failed_if_it_cannot_be_sent);
	return bed_run(s);
}
