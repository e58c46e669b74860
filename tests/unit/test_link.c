/* The life of a link: its states, its times, its end. */
#include "link_bed.h"

#include "err.h"

#include <signal.h>

/* ---- the way up ---- */

START_TEST(nothing_is_done_before_the_first_tick)
{
	ck_assert_int_eq(info().state, MU_LINK_IDLE);
	ck_assert_uint_eq(mu_link_deadline(l), now);
	ck_assert_str_eq(drain(), "");
}
END_TEST

START_TEST(the_first_tick_opens_the_first_host)
{
	config.hosts = 3;
	config.first_host = 2;
	remake();
	tick_at(now);
	ck_assert_str_eq(drain(), "open 2; state opening 0");
	ck_assert_uint_eq(info().host, 2);
}
END_TEST

START_TEST(rule6_an_open_link_says_hello_with_what_is_known)
{
	config.session = SESSION;
	config.last_zxid = 99;
	memcpy(config.password, PASSWORD, 16);
	remake();
	go_opening();
	mu_link_on_open(l, now);
	ck_assert_str_eq(drain(), "state handshake 0; hello 99 4660; "
	                          "timeout 3000");
}
END_TEST

START_TEST(rule8_the_answered_timeout_is_the_one_in_use)
{
	go_handshake();
	welcome(900, SESSION);
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0");
	ck_assert_uint_eq(info().timeout_ms, 900);
	ck_assert_uint_eq(mu_link_deadline(l), now + 300);
}
END_TEST

START_TEST(info_tells_all_of_the_session)
{
	ck_assert_uint_eq(info().timeout_ms, 0);
	go_connected();
	ck_assert_int_eq(info().session, SESSION);
	ck_assert_mem_eq(info().password, PASSWORD, 16);
	ck_assert_int_eq(info().features, 1);
	ck_assert_int_eq(info().tree_id, 77);
	ck_assert(!info().resumed);
}
END_TEST

START_TEST(a_second_link_resumes_the_session)
{
	go_connected();
	mu_link_on_lost(l, now);
	drain();
	go_opening();
	mu_link_on_open(l, now);
	ck_assert_ptr_nonnull(strstr(drain(), "hello 0 4660"));
	welcome((int32_t)TIMEOUT, SESSION);
	ck_assert(info().resumed);
}
END_TEST

START_TEST(a_zookeeper_has_no_features_and_no_tree)
{
	struct mu_buf b = { 0 };
	size_t at = mu_frame_begin(&b);

	mu_put_connect_response(&b, &(struct mu_connect_response){
					    .timeout_ms = 3000,
					    .session = SESSION,
					    .password = { PASSWORD, 16 },
				    });
	mu_frame_end(&b, at);
	go_handshake();
	feed_free(&b);
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
	ck_assert_int_eq(info().features, 0);
	ck_assert_int_eq(info().tree_id, 0);
}
END_TEST

START_TEST(welcome_and_what_follows_may_share_a_message)
{
	struct mu_buf b = { 0 };

	go_handshake();
	put_welcome(&b, 3000, SESSION, PASSWORD);
	put_reply(&b, MU_XID_PING, 1, 0, "");
	feed_free(&b);
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}
END_TEST

/* ---- the way down ---- */

START_TEST(a_refused_connect_tries_the_next_host_at_once)
{
	config.hosts = 2;
	remake();
	go_opening();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	ck_assert_uint_eq(mu_link_deadline(l), now);
	tick_at(now);
	ck_assert_str_eq(drain(), "open 1; state opening 0");
}
END_TEST

START_TEST(rule49_after_a_round_there_is_a_pause_of_at_most_a_third)
{
	uint64_t longest = 0;

	config.timeout_ms = 1500;
	remake();
	for (int i = 0; i < 200; i++) {
		go_opening();
		mu_link_on_lost(l, now);
		drain();
		ck_assert_uint_le(mu_link_deadline(l), now + 500);
		if (mu_link_deadline(l) - now > longest)
			longest = mu_link_deadline(l) - now;
	}
	ck_assert_uint_gt(longest, 400);
}
END_TEST

START_TEST(rule49_the_pause_is_at_most_a_second)
{
	uint64_t longest = 0;

	config.timeout_ms = 60000;
	remake();
	for (int i = 0; i < 200; i++) {
		go_opening();
		mu_link_on_lost(l, now);
		drain();
		if (mu_link_deadline(l) - now > longest)
			longest = mu_link_deadline(l) - now;
	}
	ck_assert_uint_le(longest, 1000);
	ck_assert_uint_gt(longest, 800);
}
END_TEST

START_TEST(two_seeds_pause_differently)
{
	uint64_t due[2];

	for (unsigned i = 0; i < 2; i++) {
		config.seed = i;
		remake();
		go_opening();
		mu_link_on_lost(l, now);
		drain();
		due[i] = mu_link_deadline(l) - now;
	}
	ck_assert_uint_ne(due[0], due[1]);
}
END_TEST

START_TEST(no_link_is_opened_before_the_old_one_s_actions_are_taken)
{
	config.hosts = 2;
	remake();
	go_connected();
	mu_link_on_lost(l, now);
	tick_at(now);
	tick_at(now + 1);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	tick_at(now);
	ck_assert_str_eq(drain(), "open 1; state opening 0");
}
END_TEST

START_TEST(rule49_a_connect_has_its_share_of_the_timeout)
{
	config.hosts = 3;
	remake();
	go_opening();
	ck_assert_uint_eq(mu_link_deadline(l), now + 1000);
	tick_at(now + 999);
	ck_assert_str_eq(drain(), "");
	tick_at(now + 1);
	ck_assert_str_eq(drain(), "shut; state idle -7");
}
END_TEST

START_TEST(a_connect_has_200_ms_at_least)
{
	config.hosts = 100;
	remake();
	go_opening();
	ck_assert_uint_eq(mu_link_deadline(l), now + 200);
}
END_TEST

START_TEST(the_answer_to_hello_counts_into_the_share)
{
	go_opening();
	now += 1000;
	mu_link_on_open(l, now);
	drain();
	ck_assert_uint_eq(mu_link_deadline(l), now + 2000);
	tick_at(now + 2000);
	ck_assert_str_eq(drain(), "shut; state idle -7");
}
END_TEST

START_TEST(rule9_a_goodbye_without_an_answer_goes_to_the_next_host)
{
	config.hosts = 2;
	config.last_zxid = 500;
	remake();
	go_handshake();
	mu_link_on_message(l, "", 0, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	tick_at(now);
	ck_assert_str_eq(drain(), "open 1; state opening 0");
}
END_TEST

START_TEST(a_goodbye_ends_the_link)
{
	go_connected();
	ask(1);
	drain();
	mu_link_on_message(l, "", 0, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008; done 1 -4");
}
END_TEST

START_TEST(rule10_a_timeout_of_0_means_expired)
{
	config.session = SESSION;
	remake();
	go_handshake();
	welcome(0, 0);
	ck_assert_str_eq(drain(), "shut; state expired -112");
	ck_assert_uint_eq(mu_link_deadline(l), UINT64_MAX);
	tick_at(now + 100000);
	ck_assert_str_eq(drain(), "");
}
END_TEST

/* A broker without room has not forgotten our session. */
START_TEST(a_refusal_with_a_reason_keeps_the_session)
{
	static const int rows[][2] = {
		{ MU_EFULL, MU_EFULL },
		{ MU_ETHROTTLED, MU_ETHROTTLED },
		{ MU_ENOSPACE, MU_ENOSPACE },
		{ MU_EIO, MU_EIO },
		{ -1, MU_EPROTO },
		{ INT32_MIN, MU_EPROTO },
	};
	struct mu_buf b = { 0 };
	size_t at = mu_frame_begin(&b);
	char want[64];

	mu_put_connect_response(&b, &(struct mu_connect_response){
					    .protocol = rows[_i][0],
					    .password = { PASSWORD, 16 },
				    });
	mu_frame_end(&b, at);
	config.session = SESSION;
	remake();
	go_handshake();
	feed_free(&b);
	mu_format(want, sizeof want, "shut; state idle %d", rows[_i][1]);
	ck_assert_str_eq(drain(), want);
	ck_assert_int_eq(info().session, SESSION);
}
END_TEST

START_TEST(a_refused_new_session_is_tried_again)
{
	go_handshake();
	welcome(0, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2004");
	go_connected();
}
END_TEST

START_TEST(a_welcome_that_does_not_fit_ends_the_link)
{
	static const struct {
		int64_t session;
		const char *password;
	} bad[] = { { 0, PASSWORD },
		    { SESSION + 1, PASSWORD },
		    { SESSION, "short" },
		    { SESSION, PASSWORD "x" } };

	config.session = SESSION;
	for (size_t i = 0; i < 4; i++) {
		struct mu_buf b = { 0 };

		remake();
		go_handshake();
		put_welcome(&b, 3000, bad[i].session, bad[i].password);
		feed_free(&b);
		ck_assert_str_eq(drain(), "shut; state idle -2009");
	}
}
END_TEST

START_TEST(a_lost_link_is_lost_in_every_state)
{
	go_opening();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	go_handshake();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	go_connected();
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 5, 0);
	mu_link_on_lost(l, now);
	drain();
	go_up();
	ck_assert_int_eq(info().state, MU_LINK_REARMING);
	drain();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
}
END_TEST

START_TEST(what_a_late_carrier_brings_is_ignored_until_the_shut_is_taken)
{
	go_connected();
	mu_link_on_lost(l, now);
	mu_link_on_lost(l, now);
	mu_link_on_open(l, now);
	welcome(3000, SESSION);
	reply(1, 1, 0);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
}
END_TEST

START_TEST(feeding_a_link_that_was_shut_is_a_bug)
{
	go_connected();
	mu_link_on_lost(l, now);
	drain();
	mu_link_on_message(l, "", 0, now);
}
END_TEST

START_TEST(opening_twice_is_a_bug)
{
	go_handshake();
	mu_link_on_open(l, now);
}
END_TEST

START_TEST(losing_what_was_never_opened_is_a_bug)
{
	mu_link_on_lost(l, now);
}
END_TEST

START_TEST(a_link_that_breaks_soon_is_not_hammered)
{
	go_connected();
	mu_link_on_message(l, "", 0, now + 999);
	drain();
	ck_assert_uint_gt(mu_link_deadline(l), now + 999);
	go_connected();
	mu_link_on_message(l, "", 0, now + 1000);
	drain();
	ck_assert_uint_eq(mu_link_deadline(l), now + 1000);
}
END_TEST

/* ---- time ---- */

START_TEST(rule49_a_ping_goes_out_after_a_third_without_sending)
{
	go_connected();
	ck_assert_uint_eq(mu_link_deadline(l), now + 1000);
	tick_at(now + 999);
	ck_assert_str_eq(drain(), "");
	tick_at(now + 1);
	ck_assert_str_eq(drain(), "send ping#-2");
	tick_at(now);
	ck_assert_str_eq(drain(), "");
}
END_TEST

START_TEST(rule44_a_request_makes_the_ping_wait)
{
	go_connected();
	now += 900;
	ask(1);
	drain();
	tick_at(now + 999);
	ck_assert_str_eq(drain(), "");
	tick_at(now + 1);
	ck_assert_str_eq(drain(), "send ping#-2");
}
END_TEST

START_TEST(rule49_a_silent_link_is_lost_after_two_thirds)
{
	go_connected();
	tick_at(now + 1999);
	drain();
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
	tick_at(now + 1);
	ck_assert_str_eq(drain(), "shut; state idle -7");
}
END_TEST

START_TEST(any_message_ends_the_silence)
{
	go_connected();
	now += 1900;
	reply(MU_XID_PING, 1, 0);
	tick_at(now + 1999);
	drain();
	ck_assert_int_eq(info().state, MU_LINK_CONNECTED);
}
END_TEST

START_TEST(rule49_a_session_not_heard_of_is_expired_after_four_thirds)
{
	uint64_t heard;

	config.hosts = 1;
	remake();
	go_connected();
	heard = now;
	mu_link_on_lost(l, now);
	ask(7);
	drain();
	while (info().state != MU_LINK_EXPIRED) {
		ck_assert_uint_le(mu_link_deadline(l), heard + 4000);
		tick_at(mu_link_deadline(l));
		drain();
	}
	ck_assert_uint_eq(now, heard + 4000);
	ck_assert_ptr_nonnull(strstr(said, "state expired -7; done 7 -112"));
}
END_TEST

/* Until the broker says so or four thirds are over, nobody knows: IDLE keeps the
 * session and asks for it again. */
START_TEST(rule50_disconnected_is_not_expired)
{
	go_connected();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state idle -2008");
	go_up();
	ck_assert_str_eq(drain(), "state rearming 0; state connected 0");
	ck_assert(info().resumed);
	mu_link_on_lost(l, now);
	drain();
	tick_at(now + 3999);
	ck_assert_ptr_null(strstr(drain(), "expired"));
	ck_assert_int_eq(info().session, SESSION);
	tick_at(now + 1);
	ck_assert_ptr_nonnull(strstr(drain(), "state expired"));
}
END_TEST

START_TEST(rule49_also_while_the_answer_to_hello_is_out)
{
	go_connected();
	now += 1900;
	mu_link_on_lost(l, now);
	drain();
	go_handshake();
	tick_at(5000);
	ck_assert_ptr_nonnull(strstr(drain(), "state expired -7"));
}
END_TEST

START_TEST(rule49_after_a_long_pause_the_session_is_expired_at_once)
{
	go_connected();
	ask(1);
	drain();
	tick_at(now + 4000);
	ck_assert_str_eq(drain(), "shut; state idle -7; done 1 -4; "
	                          "state expired -7");
}
END_TEST

START_TEST(without_a_session_nothing_expires)
{
	for (int i = 0; i < 50; i++) {
		tick_at(mu_link_deadline(l));
		drain();
	}
	ck_assert_uint_gt(now, 20000);
	ck_assert_int_lt((int)info().state, (int)MU_LINK_EXPIRED);
}
END_TEST

/* ---- close ---- */

START_TEST(rule20_close_goes_out_behind_what_is_queued)
{
	go_connected();
	ask(1);
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "send sync#1; send closeSession#2");
	ck_assert_int_eq(ask(2), MU_ECLOSED);
	reply(1, 5, 0);
	reply(2, 6, 0);
	ck_assert_str_eq(drain(), "done 1 0; shut; state closed 0");
	ck_assert_int_eq(ask(3), MU_ECLOSED);
}
END_TEST

START_TEST(close_twice_is_close_once)
{
	go_connected();
	mu_link_close(l, now);
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "send closeSession#1");
	reply(1, 1, 0);
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "shut; state closed 0");
}
END_TEST

START_TEST(a_link_lost_while_closing_is_closed_unconfirmed)
{
	go_connected();
	ask(1);
	mu_link_close(l, now);
	drain();
	mu_link_on_lost(l, now);
	ck_assert_str_eq(drain(), "shut; state closed -2008; done 1 -4");
}
END_TEST

/* A broker whose journal did not take the close has not closed the session. */
START_TEST(a_close_that_was_refused_is_closed_unconfirmed)
{
	go_connected();
	mu_link_close(l, now);
	drain();
	reply(1, 10, MU_EIO);
	ck_assert_str_eq(drain(), "shut; state closed -2001");
}
END_TEST

START_TEST(a_silent_link_while_closing_is_closed_unconfirmed)
{
	go_connected();
	mu_link_close(l, now);
	drain();
	tick_at(now + 2000);
	ck_assert_str_eq(drain(), "shut; state closed -7");
}
END_TEST

START_TEST(rule46_close_without_a_link_is_closed_at_once)
{
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "state closed 0");
	remake();
	go_opening();
	ask(1);
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "shut; state closed 0; done 1 -4");
	remake();
	go_handshake();
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "shut; state closed -4");
}
END_TEST

START_TEST(rule46_close_while_rearming_is_closed_at_once)
{
	go_connected();
	ask_watch(MU_OP_GET_DATA, "/a", MU_LW_DATA, 1);
	reply(1, 5, 0);
	mu_link_on_lost(l, now);
	drain();
	go_up();
	drain();
	mu_link_close(l, now);
	ck_assert_str_eq(drain(), "shut; state closed -4");
}
END_TEST

START_TEST(states_have_words)
{
	ck_assert_str_eq(mu_link_state_word(MU_LINK_REARMING), "rearming");
	ck_assert_str_eq(mu_link_state_word((enum mu_link_state)99), "unknown");
}
END_TEST

START_TEST(free_takes_null)
{
	mu_link_free(NULL);
}
END_TEST

START_TEST(defaults_stand_in_for_zeros)
{
	config.timeout_ms = 0;
	remake();
	go_opening();
	mu_link_on_open(l, now);
	ck_assert_ptr_nonnull(strstr(drain(), "timeout 3000"));
}
END_TEST

START_TEST(a_huge_timeout_is_asked_as_the_largest_int)
{
	config.timeout_ms = UINT32_MAX;
	remake();
	go_opening();
	mu_link_on_open(l, now);
	ck_assert_ptr_nonnull(strstr(drain(), "timeout 2147483647"));
}
END_TEST

START_TEST(a_timeout_of_1_ms_does_not_divide_to_nothing)
{
	go_handshake();
	welcome(1, SESSION);
	drain();
	ck_assert_uint_gt(mu_link_deadline(l), now);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link");
	TCase *up = bed_case(s, "up");
	TCase *down = bed_case(s, "down");
	TCase *time = bed_case(s, "time");
	TCase *close = bed_case(s, "close");

	tcase_add_test(up, nothing_is_done_before_the_first_tick);
	tcase_add_test(up, the_first_tick_opens_the_first_host);
	tcase_add_test(up, rule6_an_open_link_says_hello_with_what_is_known);
	tcase_add_test(up, rule8_the_answered_timeout_is_the_one_in_use);
	tcase_add_test(up, info_tells_all_of_the_session);
	tcase_add_test(up, a_second_link_resumes_the_session);
	tcase_add_test(up, a_zookeeper_has_no_features_and_no_tree);
	tcase_add_test(up, welcome_and_what_follows_may_share_a_message);
	tcase_add_test(up, defaults_stand_in_for_zeros);
	tcase_add_test(up, a_huge_timeout_is_asked_as_the_largest_int);
	tcase_add_test(up, a_timeout_of_1_ms_does_not_divide_to_nothing);
	tcase_add_test(down, a_refused_connect_tries_the_next_host_at_once);
	tcase_add_test(
		down, rule49_after_a_round_there_is_a_pause_of_at_most_a_third);
	tcase_add_test(down, rule49_the_pause_is_at_most_a_second);
	tcase_add_test(down, two_seeds_pause_differently);
	tcase_add_test(
		down, no_link_is_opened_before_the_old_one_s_actions_are_taken);
	tcase_add_test(down, rule49_a_connect_has_its_share_of_the_timeout);
	tcase_add_test(down, a_connect_has_200_ms_at_least);
	tcase_add_test(down, the_answer_to_hello_counts_into_the_share);
	tcase_add_test(down,
	               rule9_a_goodbye_without_an_answer_goes_to_the_next_host);
	tcase_add_test(down, a_goodbye_ends_the_link);
	tcase_add_test(down, rule10_a_timeout_of_0_means_expired);
	tcase_add_loop_test(down, a_refusal_with_a_reason_keeps_the_session, 0,
	                    6);
	tcase_add_test(down, a_refused_new_session_is_tried_again);
	tcase_add_test(down, a_welcome_that_does_not_fit_ends_the_link);
	tcase_add_test(down, a_lost_link_is_lost_in_every_state);
	tcase_add_test(
		down,
		what_a_late_carrier_brings_is_ignored_until_the_shut_is_taken);
	tcase_add_test_raise_signal(down, feeding_a_link_that_was_shut_is_a_bug,
	                            SIGABRT);
	tcase_add_test_raise_signal(down, opening_twice_is_a_bug, SIGABRT);
	tcase_add_test_raise_signal(down, losing_what_was_never_opened_is_a_bug,
	                            SIGABRT);
	tcase_add_test(down, a_link_that_breaks_soon_is_not_hammered);
	tcase_add_test(time,
	               rule49_a_ping_goes_out_after_a_third_without_sending);
	tcase_add_test(time, rule44_a_request_makes_the_ping_wait);
	tcase_add_test(time, rule49_a_silent_link_is_lost_after_two_thirds);
	tcase_add_test(time, any_message_ends_the_silence);
	tcase_add_test(
		time,
		rule49_a_session_not_heard_of_is_expired_after_four_thirds);
	tcase_add_test(time, rule50_disconnected_is_not_expired);
	tcase_add_test(time, rule49_also_while_the_answer_to_hello_is_out);
	tcase_add_test(
		time, rule49_after_a_long_pause_the_session_is_expired_at_once);
	tcase_add_test(time, without_a_session_nothing_expires);
	tcase_add_test(close, rule20_close_goes_out_behind_what_is_queued);
	tcase_add_test(close, close_twice_is_close_once);
	tcase_add_test(close, a_link_lost_while_closing_is_closed_unconfirmed);
	tcase_add_test(close, a_close_that_was_refused_is_closed_unconfirmed);
	tcase_add_test(close,
	               a_silent_link_while_closing_is_closed_unconfirmed);
	tcase_add_test(close, rule46_close_without_a_link_is_closed_at_once);
	tcase_add_test(close, rule46_close_while_rearming_is_closed_at_once);
	tcase_add_test(close, states_have_words);
	tcase_add_test(close, free_takes_null);
	return bed_run(s);
}
