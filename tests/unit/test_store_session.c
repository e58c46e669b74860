/* Handshake, sessions, expiry: what store.h promises, and rules 6 to 13, 20, 44
 * to 53 of zookeeper-semantics.md. */
#include "store_bed.h"

START_TEST(our_client_is_told_the_features_and_the_tree)
{
	struct mu_connect_request q = bed_hello();
	struct mu_connect_response r;

	bed_link(1);
	bed_shake(1, &q);
	r = bed_welcome(1);
	ck_assert_int_eq(r.protocol, MU_FEATURES);
	ck_assert(r.has_tree_id);
	ck_assert_int_eq(r.tree_id, store.config.tree_id);
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

START_TEST(rule10_a_session_that_is_closing_is_refused)
{
	int64_t session = bed_connect(1);

	store.slow = true;
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	bed_resume(2, session);
	bed_want_refused(2);
}
END_TEST

START_TEST(rule11_without_dice_a_session_is_refused_not_guessable)
{
	struct mu_connect_request q = bed_hello();
	struct mu_buf b = { 0 };

	bed_link(1);
	mu_put_connect_request(&b, &q);
	mu_store_receive(store.s, 1, b.data, b.len, store.now);
	mu_buf_fini(&b);
	bed_pump();
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_ENTROPY));
	ck_assert_uint_gt(mu_store_entropy_wanted(store.s), 0);
	bed_entropy();
	ck_assert_uint_eq(mu_store_entropy_wanted(store.s), 0);
	ck_assert_int_ne(bed_connect(2), 0);
}
END_TEST

START_TEST(rule12_a_session_may_move_while_its_write_is_in_flight)
{
	int64_t session = bed_connect(1);
	struct bed_reply r;

	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 1));
	bed_resume(2, session);
	bed_welcome(2);
	bed_resume(3, session);
	bed_welcome(3);
	bed_ask(3, MU_OP_GET_DATA, q_path("/a", false));
	bed_quiet(3); /* behind its own write, made on another link */
	bed_durable(store.logged);
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
	                 store.now.wall_ms & 0xffffffffff);
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

	store.slow = true;
	bed_link(1);
	bed_shake(1, &q);
	bed_send(1, 1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_send(1, 2, MU_OP_GET_DATA, q_path("/a", false));
	bed_send(1, 3, MU_OP_CREATE, q_create("/b", "y", 0));
	bed_quiet(1);
	bed_durable(1);
	ck_assert_int_ne(bed_welcome(1).session, 0);
	bed_quiet(1);
	ck_assert_uint_eq(store.logged, 3); /* both writes at once */
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

	store.slow = true;
	bed_link(1);
	bed_shake(1, &q);
	bed_lost(1);
	bed_durable(1);
	bed_quiet(1);
	ck_assert_uint_eq(bed_stats().sessions, 1);
	store.slow = false;
	bed_pass(3000);
	ck_assert_uint_eq(bed_stats().sessions, 0);
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
	bed_lost(1);
	bed_pass(2000);
	ck_assert_uint_eq(bed_stats().ephemerals, 1);
	bed_resume(2, session);
	ck_assert_int_eq(bed_welcome(2).session, session);
	bed_pass(2999);
	ck_assert_uint_eq(bed_stats().ephemerals, 1);
}
END_TEST

START_TEST(rule48_requests_after_the_close_get_expired)
{
	int32_t close, late;

	bed_connect(1);
	store.slow = true;
	close = bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	late = bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	ck_assert_uint_eq(store.logged, 2); /* createSession, closeSession */
	bed_durable(store.logged);
	bed_want(1, close, 0);
	bed_want(1, late, MU_EEXPIRED);
	ck_assert(bed_is_closed(1, MU_CLOSE_SESSION_ENDED));
}
END_TEST

START_TEST(rule48_requests_while_expiring_get_expired)
{
	bed_connect(1);
	store.slow = true;
	bed_pass(3000);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path("/", false)),
	                 MU_EEXPIRED);
	ck_assert(bed_is_open(1)); /* until the expiry is durable */
	bed_durable(store.logged);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
}
END_TEST

START_TEST(rule48_a_moved_session_ends_the_old_link_without_an_error_reply)
{
	int64_t session = bed_connect(1);

	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_resume(2, session);
	bed_durable(store.logged);
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_MOVED));
}
END_TEST

START_TEST(rule53_a_new_session_meets_its_predecessors_ephemeral)
{
	int64_t old = bed_connect(1);
	struct mu_stat stat;

	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/m", "x", 1)), 0);
	bed_lost(1);
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

/* The clock without stalls steps back when one is seen: a link that came just
 * before that has not waited for ages. */
START_TEST(a_link_that_came_in_a_stall_is_not_cut_for_it)
{
	store.now.mono_ms += 90;
	bed_link(1);
	bed_tick(20);
	ck_assert_uint_eq(bed_stats().stalled_ms, 60);
	ck_assert(bed_is_open(1));
	bed_pass(1999);
	ck_assert(bed_is_open(1));
	bed_pass(41);
	ck_assert(bed_is_closed(1, MU_CLOSE_HANDSHAKE));
}
END_TEST

/* What was sent during the stall is read before the tick that would see it: the
 * touch must not count the stall twice. */
START_TEST(a_ping_read_after_a_stall_does_not_gain_the_stall)
{
	bed_connect(1);
	store.now.mono_ms += 10000;
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
	struct mu_connect_response refused;
	int64_t first;

	store.config.sessions_max = 2;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	first = bed_connect(1);
	store.slow = true;
	bed_link(2);
	bed_shake(2, &q); /* in flight, and counted */
	bed_link(3);
	bed_shake(3, &q);
	refused = bed_welcome(3); /* ours asks for features, and is told */
	ck_assert_int_eq(refused.protocol, MU_EFULL);
	ck_assert_int_eq(refused.timeout_ms, 0);
	ck_assert_int_eq(refused.session, 0);
	ck_assert(bed_is_closed(3, MU_CLOSE_TOO_MANY));
	q.protocol = 0; /* a ZooKeeper client would take it for expired */
	bed_link(5);
	bed_shake(5, &q);
	bed_quiet(5);
	ck_assert(bed_is_closed(5, MU_CLOSE_TOO_MANY));
	store.slow = false;
	bed_pump();
	bed_welcome(2);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_ne(bed_connect(4), first);
}
END_TEST

START_TEST(links_have_a_limit)
{
	store.config.links_max = 2;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	bed_link(1);
	bed_link(2);
	ck_assert_int_eq(mu_store_link_open(store.s, 3, "x", store.now),
	                 MU_EFULL);
	bed_lost(1);
	bed_link(3);
}
END_TEST

START_TEST(a_bad_handshake_ends_the_link)
{
	bed_link(1);
	bed_receive(1, "short", 5);
	ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
	bed_link(2);
	mu_store_oversize(store.s, 2, "12345678", 8, store.now);
	bed_pump();
	ck_assert(bed_is_closed(2, MU_CLOSE_MALFORMED));
}
END_TEST

START_TEST(unknown_links_are_ignored)
{
	bed_lost(77);
	bed_receive(77, "12345678", 8);
	mu_store_oversize(store.s, 77, "12345678", 8, store.now);
	bed_pump();
	ck_assert_uint_eq(store.effects, 0);
}
END_TEST

START_TEST(a_link_lost_after_it_ended_is_not_told_again)
{
	struct mu_effect e;

	bed_connect(1);
	store.now.mono_ms += 50;
	mu_store_receive(store.s, 1, "?", 1, store.now);
	bed_lost(1);
	ck_assert(!mu_store_effect(store.s, &e));
	bed_link(1);
}
END_TEST

/* The origin in the last command that was logged. */
static struct mu_str last_origin(void)
{
	const struct store_command *last =
		&store.commands[store.command_count - 1];
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
	ck_assert_int_eq(mu_store_link_open(store.s, 2, origin, store.now), 0);
	bed_shake(2, &q);
	ck_assert_uint_eq(last_origin().len, MU_ORIGIN_MAX - 1);
	ck_assert_int_eq(mu_store_link_open(store.s, 3, NULL, store.now), 0);
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
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, &err), MU_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "reply_max"));
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, &err),
	                 MU_EINVAL);
	config = bed_config();
	config.session_timeout_min_ms = config.session_timeout_max_ms + 1;
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, &err), MU_EINVAL);
	config = bed_config();
	config.session_timeout_max_ms = (uint32_t)INT32_MAX + 1;
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, &err), MU_EINVAL);
}
END_TEST

START_TEST(reconfiguring_keeps_what_is_the_stores_own)
{
	struct mu_store_config config = bed_config();
	struct mu_connect_request q = bed_hello();

	config.epoch = 99;
	config.tree_id = 99;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	bed_link(1);
	bed_shake(1, &q);
	ck_assert_int_eq(bed_welcome(1).tree_id, store.config.tree_id);
	ck_assert_int_eq(bed_stats().zxid >> 32, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		our_client_is_told_the_features_and_the_tree,
		rule9_a_broker_that_lost_its_tree_is_not_back_in_time,
		rule10_a_session_that_is_closing_is_refused,
		rule11_without_dice_a_session_is_refused_not_guessable,
		rule12_a_session_may_move_while_its_write_is_in_flight,
		rule13_session_ids_hold_broker_and_clock_and_count,
		a_resumed_session_gets_the_timeout_asked_for_now,
		records_before_the_response_are_answered_after_it_in_order,
		a_link_lost_before_its_session_is_made_leaves_a_session,
		rule44_every_request_touches_the_session,
		rule45_a_session_expires_at_its_timeout_and_not_before,
		rule46_a_lost_link_does_not_end_the_session,
		rule48_requests_after_the_close_get_expired,
		rule48_requests_while_expiring_get_expired,
		rule48_a_moved_session_ends_the_old_link_without_an_error_reply,
		rule53_a_new_session_meets_its_predecessors_ephemeral,
		a_link_without_a_handshake_is_cut_in_time,
		a_late_tick_of_two_is_no_stall,
		a_stalled_broker_expires_nobody,
		a_link_that_came_in_a_stall_is_not_cut_for_it,
		a_ping_read_after_a_stall_does_not_gain_the_stall,
		sessions_have_a_limit,
		links_have_a_limit,
		a_bad_handshake_ends_the_link,
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
