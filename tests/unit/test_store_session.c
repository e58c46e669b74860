/* Handshake, sessions, expiry: what store.h promises, and rules 6 to 13, 20, 44
 * to 53 of zookeeper-semantics.md. */
#include "store_bed.h"

static struct mu_in shake_raw(uint32_t link, const struct mu_connect_request *q)
{
	bed_link(link);
	bed_shake(link, q);
	return bed_take(link);
}

START_TEST(rule6_the_handshake_has_no_headers_around_it)
{
	struct mu_connect_request q = bed_hello();
	struct mu_in in;

	q.protocol = 0;
	in = shake_raw(1, &q);
	ck_assert_uint_eq(mu_in_left(&in), 37); /* rule 7: with the byte */
	ck_assert_int_eq(mu_get_int(&in), 0);   /* protocol */
	ck_assert_int_eq(mu_get_int(&in), 3000);
	ck_assert_int_ne(mu_get_long(&in), 0);
	ck_assert_uint_eq(mu_get_str(&in).len, 16);
	ck_assert(!mu_get_bool(&in));
}
END_TEST

START_TEST(rule7_the_read_only_byte_is_answered_only_if_it_was_sent)
{
	struct mu_connect_request q = bed_hello();
	struct mu_in in;

	q.protocol = 0;
	q.has_read_only = false;
	in = shake_raw(1, &q);
	ck_assert_uint_eq(mu_in_left(&in), 36);
}
END_TEST

START_TEST(our_client_is_told_the_features_and_the_tree)
{
	struct mu_connect_request q = bed_hello();
	struct mu_connect_response r;

	bed_link(1);
	bed_shake(1, &q);
	r = bed_welcome(1);
	ck_assert_int_eq(r.protocol, MU_FEATURES);
	ck_assert(r.has_tree_id);
	ck_assert_int_eq(r.tree_id, bed.config.tree_id);
}
END_TEST

static int32_t negotiated(uint32_t link, int32_t asked)
{
	struct mu_connect_request q = bed_hello();

	q.timeout_ms = asked;
	bed_link(link);
	bed_shake(link, &q);
	return bed_welcome(link).timeout_ms;
}

START_TEST(rule8_a_timeout_is_clamped_at_both_ends)
{
	ck_assert_int_eq(negotiated(1, 299), 300);
	ck_assert_int_eq(negotiated(2, 300), 300);
	ck_assert_int_eq(negotiated(3, 301), 301);
	ck_assert_int_eq(negotiated(4, 60000), 60000);
	ck_assert_int_eq(negotiated(5, 60001), 60000);
	ck_assert_int_eq(negotiated(6, -1), 300);
}
END_TEST

START_TEST(rule9_a_client_that_saw_the_future_is_cut_without_a_response)
{
	struct mu_connect_request q = bed_hello();

	bed_connect(1);
	q.last_zxid = bed_stats().zxid + 1;
	bed_link(2);
	bed_shake(2, &q);
	bed_quiet(2);
	ck_assert(bed_is_closed(2, MU_CLOSE_AHEAD));
	q.last_zxid = bed_stats().zxid;
	bed_link(3);
	bed_shake(3, &q);
	ck_assert_int_ne(bed_welcome(3).session, 0);
}
END_TEST

START_TEST(rule9_a_broker_that_lost_its_tree_is_not_back_in_time)
{
	struct mu_connect_request q = bed_hello();
	struct mu_store_config config = bed_config();

	bed_connect(1);
	bed_make(1, "/a", "x");
	q.last_zxid = bed_stats().zxid;
	bed_close();
	config.epoch = 2;
	bed_open_with(&config);
	bed_link(1);
	bed_shake(1, &q);
	ck_assert_int_ne(bed_welcome(1).session, 0);
}
END_TEST

static void assert_refused(uint32_t link)
{
	static const uint8_t zeroes[16];
	struct mu_connect_response r;

	r = bed_welcome(link);
	ck_assert_int_eq(r.timeout_ms, 0);
	ck_assert_int_eq(r.session, 0);
	ck_assert_mem_eq(bed.password, zeroes, 16);
	ck_assert(bed_is_closed(link, MU_CLOSE_REFUSED));
}

START_TEST(rule10_an_unknown_session_is_refused_with_zeroes)
{
	bed_resume(1, 0x1234);
	assert_refused(1);
}
END_TEST

START_TEST(rule10_a_wrong_password_is_refused_with_zeroes)
{
	int64_t session = bed_connect(1);

	bed.password[15] ^= 1;
	bed_resume(2, session);
	assert_refused(2);
}
END_TEST

START_TEST(rule10_a_short_or_null_password_is_refused)
{
	struct mu_connect_request q = bed_hello();

	q.session = bed_connect(1);
	bed_link(2);
	bed_shake(2, &q);
	assert_refused(2);
	bed_link(3);
	q.password = (struct mu_str){ "short", 5 };
	bed_shake(3, &q);
	assert_refused(3);
}
END_TEST

START_TEST(rule10_a_session_that_is_closing_is_refused)
{
	int64_t session = bed_connect(1);

	bed.slow = true;
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	bed_resume(2, session);
	assert_refused(2);
}
END_TEST

START_TEST(rule11_passwords_are_what_the_dice_said)
{
	uint8_t first[16];

	bed_connect(1);
	memcpy(first, bed.password, sizeof first);
	bed_connect(2);
	ck_assert_mem_ne(first, bed.password, sizeof first);
}
END_TEST

START_TEST(rule11_without_dice_a_session_is_refused_not_guessable)
{
	struct mu_connect_request q = bed_hello();
	struct mu_buf b = { 0 };

	bed_link(1);
	mu_put_connect_request(&b, &q);
	mu_store_receive(bed.s, 1, b.data, b.len, bed.now);
	mu_buf_fini(&b);
	bed_pump();
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_ENTROPY));
	ck_assert_uint_gt(mu_store_entropy_wanted(bed.s), 0);
	bed_entropy();
	ck_assert_uint_eq(mu_store_entropy_wanted(bed.s), 0);
	ck_assert_int_ne(bed_connect(2), 0);
}
END_TEST

START_TEST(rule12_the_password_is_checked_before_the_old_link_goes)
{
	int64_t session = bed_connect(1);

	bed.password[0] ^= 1;
	bed_resume(2, session);
	ck_assert(bed_is_open(1));
	bed_make(1, "/still-here", "x");
}
END_TEST

START_TEST(rule12_the_right_password_moves_the_session)
{
	int64_t session = bed_connect(1);
	struct mu_connect_response r;

	bed_resume(2, session);
	r = bed_welcome(2);
	ck_assert_int_eq(r.session, session);
	ck_assert_int_eq(r.timeout_ms, 3000);
	ck_assert(bed_is_closed(1, MU_CLOSE_MOVED));
	bed_make(2, "/a", "x");
	bed_ask(1, MU_OP_PING, q_none()); /* to a link that has ended */
	bed_quiet(1);
}
END_TEST

START_TEST(rule12_a_session_may_move_while_its_write_is_in_flight)
{
	int64_t session = bed_connect(1);
	struct bed_reply r;

	bed.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 1));
	bed_resume(2, session);
	bed_welcome(2);
	bed_resume(3, session);
	bed_welcome(3);
	bed_ask(3, MU_OP_GET_DATA, q_path("/a", false));
	bed_quiet(3); /* behind its own write, made on another link */
	bed_durable(bed.logged);
	r = bed_reply(3);
	ck_assert_int_eq(r.err, 0);
	bed_quiet(1);
	bed_quiet(2);
}
END_TEST

START_TEST(rule13_session_ids_hold_broker_and_clock_and_count)
{
	int64_t first = bed_connect(1);

	ck_assert_int_eq(first >> 56, 1);
	ck_assert_int_eq((first >> 16) & 0xffffffffff,
	                 bed.now.wall_ms & 0xffffffffff);
	ck_assert_int_eq(first & 0xffff, 0);
	ck_assert_int_eq(bed_connect(2), first + 1);
}
END_TEST

START_TEST(a_resumed_session_gets_the_timeout_asked_for_now)
{
	int64_t session = bed_connect(1);
	struct mu_connect_request q = bed_hello();

	q.session = session;
	q.timeout_ms = 500;
	q.password = (struct mu_str){ (const char *)bed.password, 16 };
	bed_link(2);
	bed_shake(2, &q);
	ck_assert_int_eq(bed_welcome(2).timeout_ms, 500);
	bed_pass(500);
	ck_assert(bed_is_closed(2, MU_CLOSE_EXPIRED));
}
END_TEST

START_TEST(records_before_the_response_are_answered_after_it_in_order)
{
	struct mu_connect_request q = bed_hello();

	bed.slow = true;
	bed_link(1);
	bed_shake(1, &q);
	bed_send(1, 1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_send(1, 2, MU_OP_GET_DATA, q_path("/a", false));
	bed_send(1, 3, MU_OP_CREATE, q_create("/b", "y", 0));
	bed_quiet(1);
	bed_durable(1);
	ck_assert_int_ne(bed_welcome(1).session, 0);
	bed_quiet(1);
	ck_assert_uint_eq(bed.logged, 3); /* both writes at once */
	bed_durable(2);
	bed_want(1, 1, 0);
	ck_assert_int_eq(bed_reply(1).xid, 2);
	bed_durable(3);
	bed_want(1, 3, 0);
}
END_TEST

START_TEST(a_link_lost_before_its_session_is_made_leaves_a_session)
{
	struct mu_connect_request q = bed_hello();

	bed.slow = true;
	bed_link(1);
	bed_shake(1, &q);
	mu_store_link_lost(bed.s, 1);
	bed_durable(1);
	bed_quiet(1);
	ck_assert_uint_eq(bed_stats().sessions, 1);
	bed.slow = false;
	bed_pass(3000);
	ck_assert_uint_eq(bed_stats().sessions, 0);
}
END_TEST

START_TEST(rule20_close_is_answered_then_the_link_ends)
{
	bed_connect(1);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/e", "x", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert(bed_is_closed(1, MU_CLOSE_SESSION_ENDED));
	ck_assert_uint_eq(bed_stats().sessions, 0);
	ck_assert_uint_eq(bed_stats().ephemerals, 0);
}
END_TEST

START_TEST(rule20_the_ephemerals_are_gone_before_the_reply)
{
	bed_connect(1);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/e", "x", 1)), 0);
	bed_do(1, MU_OP_EXISTS, q_path("/e", true));
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	bed_event(1, MU_NODE_DELETED, "/e");
	bed_want(1, bed.xid, 0);
	bed_quiet(1);
}
END_TEST

START_TEST(rule44_every_request_touches_the_session)
{
	static const int32_t ops[] = { MU_OP_PING, MU_OP_EXISTS, MU_OP_SET_DATA,
		                       MU_OP_GET_ACL, MU_OP_SYNC };

	bed_connect(1);
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		bed_pass(2999);
		bed_ask(1, ops[i], q_none());
		ck_assert(bed_is_open(1));
	}
	bed_pass(2999);
	ck_assert(bed_is_open(1));
	bed_pass(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
}
END_TEST

START_TEST(rule45_a_session_expires_at_its_timeout_and_not_before)
{
	bed_connect(1);
	bed_pass(2999);
	ck_assert_uint_eq(bed_stats().sessions, 1);
	bed_pass(1);
	ck_assert_uint_eq(bed_stats().sessions, 0);
	ck_assert_uint_eq(bed_stats().expired, 1);
	ck_assert_uint_eq(bed_stats().closed[MU_CLOSE_EXPIRED], 1);
}
END_TEST

START_TEST(rule46_a_lost_link_does_not_end_the_session)
{
	int64_t session = bed_connect(1);

	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/e", "x", 1)), 0);
	mu_store_link_lost(bed.s, 1);
	bed_pass(2000);
	ck_assert_uint_eq(bed_stats().ephemerals, 1);
	bed_resume(2, session);
	ck_assert_int_eq(bed_welcome(2).session, session);
	bed_pass(2999);
	ck_assert_uint_eq(bed_stats().ephemerals, 1);
}
END_TEST

START_TEST(rule47_all_ephemerals_go_under_one_zxid)
{
	int64_t before, zxid;

	bed_connect(1);
	bed_connect(2);
	bed_do(1, MU_OP_ADD_WATCH, q_add_watch("/", 1));
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/x", "", 1)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/y", "", 1)), 0);
	bed_event(1, MU_NODE_CREATED, "/x");
	bed_event(1, MU_NODE_CREATED, "/y");
	before = bed_stats().zxid;
	ck_assert_int_eq(bed_err(2, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_eq(bed_stats().zxid, before + 1);
	for (int i = 0; i < 2; i++) {
		struct mu_in in = bed_take(1);
		struct mu_reply_header h;

		ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
		zxid = h.zxid;
		ck_assert_int_eq(zxid, before + 1);
	}
	bed_quiet(1);
}
END_TEST

START_TEST(rule47_creates_in_flight_before_the_close_go_with_it)
{
	bed_connect(1);
	bed.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/e", "x", 1));
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	bed_durable(bed.logged);
	ck_assert_uint_eq(bed_stats().ephemerals, 0);
	bed_want(1, 1, 0);
	bed_want(1, 2, 0);
}
END_TEST

START_TEST(rule48_requests_after_the_close_get_expired)
{
	int32_t close, late;

	bed_connect(1);
	bed.slow = true;
	close = bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	late = bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	ck_assert_uint_eq(bed.logged, 2); /* createSession, closeSession */
	bed_durable(bed.logged);
	bed_want(1, close, 0);
	bed_want(1, late, MU_EEXPIRED);
	ck_assert(bed_is_closed(1, MU_CLOSE_SESSION_ENDED));
}
END_TEST

START_TEST(rule48_requests_while_expiring_get_expired)
{
	bed_connect(1);
	bed.slow = true;
	bed_pass(3000);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/", false)),
	                 MU_EEXPIRED);
	ck_assert(bed_is_open(1)); /* until the expiry is durable */
	bed_durable(bed.logged);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
}
END_TEST

START_TEST(rule48_a_moved_session_ends_the_old_link_without_an_error_reply)
{
	int64_t session = bed_connect(1);

	bed.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_resume(2, session);
	bed_durable(bed.logged);
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_MOVED));
}
END_TEST

START_TEST(rule53_a_new_session_meets_its_predecessors_ephemeral)
{
	int64_t old = bed_connect(1);
	struct mu_stat stat;

	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/m", "x", 1)), 0);
	mu_store_link_lost(bed.s, 1);
	bed_connect(2);
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/m", "x", 1)),
	                 MU_EEXISTS);
	stat = bed_stat(2, "/m");
	ck_assert_int_eq(stat.ephemeral_owner, old);
	mu_buf_reset(&bed.q);
	q_sub(MU_OP_DELETE, "/m", NULL, -1);
	q_sub(MU_OP_CREATE, "/m", "mine", 1);
	ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	bed_pass(2000);
	bed_ask(2, MU_OP_PING, q_none());
	bed_reply(2);
	bed_pass(1500); /* the old session has expired */
	ck_assert_uint_eq(bed_stats().sessions, 1);
	ck_assert_uint_eq(bed_stats().ephemerals, 1);
}
END_TEST

START_TEST(a_link_without_a_handshake_is_cut_in_time)
{
	bed_link(1);
	bed_pass(1999);
	ck_assert(bed_is_open(1));
	bed_link(2);
	bed_pass(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_HANDSHAKE));
	ck_assert(bed_is_open(2));
	bed_pass(1999);
	ck_assert(bed_is_closed(2, MU_CLOSE_HANDSHAKE));
}
END_TEST

START_TEST(a_late_tick_of_two_is_no_stall)
{
	bed_connect(1);
	bed_tick(100);
	ck_assert_uint_eq(bed_stats().stalled_ms, 0);
}
END_TEST

START_TEST(a_stalled_broker_expires_nobody)
{
	bed_connect(1);
	bed_link(2);
	bed_tick(10000);
	ck_assert_uint_eq(bed_stats().stalled_ms, 9950);
	ck_assert(bed_is_open(1));
	ck_assert(bed_is_open(2));
	bed_pass(2949);
	ck_assert(bed_is_open(1));
	ck_assert(bed_is_closed(2, MU_CLOSE_HANDSHAKE));
	bed_pass(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
}
END_TEST

/* What was sent during the stall is read before the tick that would see it: the
 * touch must not count the stall twice. */
START_TEST(a_ping_read_after_a_stall_does_not_gain_the_stall)
{
	bed_connect(1);
	bed.now.mono_ms += 10000;
	bed_ask(1, MU_OP_PING, q_none());
	ck_assert_uint_eq(bed_stats().stalled_ms, 9950);
	bed_pass(2999);
	ck_assert(bed_is_open(1));
	bed_pass(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
}
END_TEST

START_TEST(sessions_have_a_limit)
{
	struct mu_connect_request q = bed_hello();
	int64_t first;

	bed.config.sessions_max = 2;
	ck_assert_int_eq(mu_store_reconfigure(bed.s, &bed.config, NULL), 0);
	first = bed_connect(1);
	bed.slow = true;
	bed_link(2);
	bed_shake(2, &q); /* in flight, and counted */
	bed_link(3);
	bed_shake(3, &q);
	ck_assert(bed_is_closed(3, MU_CLOSE_TOO_MANY));
	bed.slow = false;
	bed_pump();
	bed_welcome(2);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_ne(bed_connect(4), first);
}
END_TEST

START_TEST(links_have_a_limit)
{
	bed.config.links_max = 2;
	ck_assert_int_eq(mu_store_reconfigure(bed.s, &bed.config, NULL), 0);
	bed_link(1);
	bed_link(2);
	ck_assert_int_eq(mu_store_link_open(bed.s, 3, "x", bed.now), MU_EFULL);
	mu_store_link_lost(bed.s, 1);
	bed_link(3);
}
END_TEST

START_TEST(a_bad_handshake_ends_the_link)
{
	bed_link(1);
	bed_receive(1, "short", 5);
	ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
	bed_link(2);
	mu_store_oversize(bed.s, 2, "12345678", 8, bed.now);
	bed_pump();
	ck_assert(bed_is_closed(2, MU_CLOSE_MALFORMED));
}
END_TEST

/* Its protocol number is read as an xid, and what it has seen as the operation:
 * 0 is none that a client may ask for. The session is not touched by it. */
START_TEST(a_second_handshake_on_a_link_is_an_unknown_operation)
{
	struct mu_connect_request q = bed_hello();

	bed_connect(1);
	bed_shake(1, &q);
	bed_want(1, q.protocol, MU_EUNIMPLEMENTED);
	ck_assert(bed_is_closed(1, MU_CLOSE_UNKNOWN_OP));
	ck_assert_uint_eq(bed_stats().sessions, 1);
	ck_assert_uint_eq(bed_stats().logged, 1);
}
END_TEST

START_TEST(unknown_links_are_ignored)
{
	mu_store_link_lost(bed.s, 77);
	bed_receive(77, "12345678", 8);
	mu_store_oversize(bed.s, 77, "12345678", 8, bed.now);
	bed_pump();
	ck_assert_uint_eq(bed.effects, 0);
}
END_TEST

START_TEST(a_link_lost_after_it_ended_is_not_told_again)
{
	struct mu_effect e;

	bed_connect(1);
	bed.now.mono_ms += 50;
	mu_store_receive(bed.s, 1, "?", 1, bed.now);
	mu_store_link_lost(bed.s, 1);
	ck_assert(!mu_store_effect(bed.s, &e));
	bed_link(1);
}
END_TEST

/* The origin in the last command that was logged. */
static struct mu_str last_origin(void)
{
	const struct bed_command *last = &bed.commands[bed.command_count - 1];
	struct mu_command c;

	ck_assert_int_eq(mu_get_command(last->bytes, last->len, &c), 0);
	return c.origin;
}

START_TEST(a_command_says_where_it_came_from)
{
	struct mu_connect_request q = bed_hello();
	char origin[200];

	bed_connect(1);
	ck_assert(mu_str_eq(last_origin(), MU_STR("10.0.0.7:4711")));
	memset(origin, 'o', sizeof origin);
	origin[sizeof origin - 1] = '\0';
	ck_assert_int_eq(mu_store_link_open(bed.s, 2, origin, bed.now), 0);
	bed_shake(2, &q);
	ck_assert_uint_eq(last_origin().len, MU_ORIGIN_MAX - 1);
	ck_assert_int_eq(mu_store_link_open(bed.s, 3, NULL, bed.now), 0);
	bed_shake(3, &q);
	ck_assert_uint_eq(last_origin().len, 0);
}
END_TEST

START_TEST(every_close_reason_has_words)
{
	for (int i = 0; i < MU_CLOSE_COUNT; i++)
		ck_assert_uint_gt(
			strlen(mu_close_word((enum mu_close_reason)i)), 5);
}
END_TEST

START_TEST(a_limit_of_zero_is_refused_by_name)
{
	struct mu_store_config config = bed_config();
	struct mu_store *s;
	struct mu_err err;

	config.reply_max = 0;
	ck_assert_int_eq(mu_store_new(&config, bed.now, &s, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "reply_max"));
	ck_assert_int_eq(mu_store_reconfigure(bed.s, &config, &err), MU_EINVAL);
	config = bed_config();
	config.session_timeout_min_ms = config.session_timeout_max_ms + 1;
	ck_assert_int_eq(mu_store_new(&config, bed.now, &s, &err), MU_EINVAL);
	config = bed_config();
	config.session_timeout_max_ms = (uint32_t)INT32_MAX + 1;
	ck_assert_int_eq(mu_store_new(&config, bed.now, &s, &err), MU_EINVAL);
}
END_TEST

START_TEST(reconfiguring_keeps_what_is_the_stores_own)
{
	struct mu_store_config config = bed_config();
	struct mu_connect_request q = bed_hello();

	config.epoch = 99;
	config.tree_id = 99;
	ck_assert_int_eq(mu_store_reconfigure(bed.s, &config, NULL), 0);
	bed_link(1);
	bed_shake(1, &q);
	ck_assert_int_eq(bed_welcome(1).tree_id, bed.config.tree_id);
	ck_assert_int_eq(bed_stats().zxid >> 32, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule6_the_handshake_has_no_headers_around_it,
		rule7_the_read_only_byte_is_answered_only_if_it_was_sent,
		our_client_is_told_the_features_and_the_tree,
		rule8_a_timeout_is_clamped_at_both_ends,
		rule9_a_client_that_saw_the_future_is_cut_without_a_response,
		rule9_a_broker_that_lost_its_tree_is_not_back_in_time,
		rule10_an_unknown_session_is_refused_with_zeroes,
		rule10_a_wrong_password_is_refused_with_zeroes,
		rule10_a_short_or_null_password_is_refused,
		rule10_a_session_that_is_closing_is_refused,
		rule11_passwords_are_what_the_dice_said,
		rule11_without_dice_a_session_is_refused_not_guessable,
		rule12_the_password_is_checked_before_the_old_link_goes,
		rule12_the_right_password_moves_the_session,
		rule12_a_session_may_move_while_its_write_is_in_flight,
		rule13_session_ids_hold_broker_and_clock_and_count,
		a_resumed_session_gets_the_timeout_asked_for_now,
		records_before_the_response_are_answered_after_it_in_order,
		a_link_lost_before_its_session_is_made_leaves_a_session,
		rule20_close_is_answered_then_the_link_ends,
		rule20_the_ephemerals_are_gone_before_the_reply,
		rule44_every_request_touches_the_session,
		rule45_a_session_expires_at_its_timeout_and_not_before,
		rule46_a_lost_link_does_not_end_the_session,
		rule47_all_ephemerals_go_under_one_zxid,
		rule47_creates_in_flight_before_the_close_go_with_it,
		rule48_requests_after_the_close_get_expired,
		rule48_requests_while_expiring_get_expired,
		rule48_a_moved_session_ends_the_old_link_without_an_error_reply,
		rule53_a_new_session_meets_its_predecessors_ephemeral,
		a_link_without_a_handshake_is_cut_in_time,
		a_late_tick_of_two_is_no_stall,
		a_stalled_broker_expires_nobody,
		a_ping_read_after_a_stall_does_not_gain_the_stall,
		sessions_have_a_limit,
		links_have_a_limit,
		a_bad_handshake_ends_the_link,
		a_second_handshake_on_a_link_is_an_unknown_operation,
		unknown_links_are_ignored,
		a_link_lost_after_it_ended_is_not_told_again,
		a_command_says_where_it_came_from,
		every_close_reason_has_words,
		a_limit_of_zero_is_refused_by_name,
		reconfiguring_keeps_what_is_the_stores_own,
	};

	return bed_run("store: sessions", tests, sizeof tests / sizeof tests[0],
	               bed_open, bed_close);
}
