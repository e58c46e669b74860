/* Handshake and sessions: rules 6 to 12, 20, 47, 48. */
#include "bed.h"

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
	ck_assert_int_eq(mu_get_int(&in), bed.timeout_ms);
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
	q.last_zxid = bed_counts().zxid + 1;
	bed_link(2);
	bed_shake(2, &q);
	bed_quiet(2);
	ck_assert(bed_is_closed(2, MU_CLOSE_AHEAD));
	q.last_zxid = bed_counts().zxid;
	bed_link(3);
	bed_shake(3, &q);
	ck_assert_int_ne(bed_welcome(3).session, 0);
}
END_TEST

START_TEST(rule10_an_unknown_session_is_refused_with_zeroes)
{
	bed_resume(1, 0x1234);
	bed_want_refused(1);
}
END_TEST

START_TEST(rule10_a_wrong_password_is_refused_with_zeroes)
{
	int64_t session = bed_connect(1);

	bed.password[15] ^= 1;
	bed_resume(2, session);
	bed_want_refused(2);
}
END_TEST

START_TEST(rule10_a_short_or_null_password_is_refused)
{
	struct mu_connect_request q = bed_hello();

	q.session = bed_connect(1);
	bed_link(2);
	bed_shake(2, &q);
	bed_want_refused(2);
	bed_link(3);
	q.password = (struct mu_str){ "short", 5 };
	bed_shake(3, &q);
	bed_want_refused(3);
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
	ck_assert_int_eq(r.timeout_ms, bed.timeout_ms);
	ck_assert(bed_is_closed(1, MU_CLOSE_MOVED));
	bed_make(2, "/a", "x");
	bed_ask(1, MU_OP_PING, q_none()); /* to a link that has ended */
	bed_quiet(1);
}
END_TEST

START_TEST(rule20_close_is_answered_then_the_link_ends)
{
	bed_connect(1);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/e", "x", 1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert(bed_is_closed(1, MU_CLOSE_SESSION_ENDED));
	ck_assert_uint_eq(bed_counts().sessions, 0);
	ck_assert_uint_eq(bed_counts().ephemerals, 0);
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
	before = bed_counts().zxid;
	ck_assert_int_eq(bed_err(2, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_eq(bed_counts().zxid, before + 1);
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
	bed_hold();
	bed_ask(1, MU_OP_CREATE, q_create("/e", "x", 1));
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	bed_release();
	ck_assert_uint_eq(bed_counts().ephemerals, 0);
	bed_want(1, 1, 0);
	bed_want(1, 2, 0);
}
END_TEST

/* Its protocol number is read as an xid, and what it has seen as the operation:
 * 0 is none that a client may ask for. The session is not touched by it. */
START_TEST(a_second_handshake_on_a_link_is_an_unknown_operation)
{
	struct mu_connect_request q = bed_hello();
	int64_t zxid;

	bed_connect(1);
	zxid = bed_counts().zxid;
	bed_shake(1, &q);
	bed_want(1, q.protocol, MU_EUNIMPLEMENTED);
	ck_assert(bed_is_closed(1, MU_CLOSE_UNKNOWN_OP));
	ck_assert_uint_eq(bed_counts().sessions, 1);
	ck_assert_int_eq(bed_counts().zxid, zxid);
}
END_TEST

START_TEST(a_bad_handshake_ends_the_link)
{
	bed_link(1);
	bed_receive(1, "short", 5);
	ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
}
END_TEST

START_TEST(our_client_is_told_the_features_and_the_tree)
{
	struct mu_connect_request q = bed_hello();
	struct mu_connect_response r, other;

	bed_link(1);
	bed_shake(1, &q);
	r = bed_welcome(1);
	ck_assert_int_eq(r.protocol, MU_FEATURES);
	ck_assert(r.has_tree_id);
	bed_link(2);
	bed_shake(2, &q);
	other = bed_welcome(2);
	ck_assert(other.has_tree_id);
	ck_assert_int_eq(other.tree_id, r.tree_id);
}
END_TEST

START_TEST(rule10_a_session_that_was_closed_is_refused)
{
	int64_t session = bed_connect(1);

	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	bed_resume(2, session);
	bed_want_refused(2);
}
END_TEST

START_TEST(rule13_session_ids_hold_broker_and_count)
{
	int64_t first = bed_connect(1);

	ck_assert_int_eq(first >> 56, 1);
	ck_assert_int_eq(first & 0xffff, 0);
	ck_assert_int_eq(bed_connect(2), first + 1);
}
END_TEST

TCase *semantics_session(void)
{
	const TTest *const tests[] = {
		rule6_the_handshake_has_no_headers_around_it,
		rule7_the_read_only_byte_is_answered_only_if_it_was_sent,
		rule8_a_timeout_is_clamped_at_both_ends,
		rule9_a_client_that_saw_the_future_is_cut_without_a_response,
		rule10_an_unknown_session_is_refused_with_zeroes,
		rule10_a_wrong_password_is_refused_with_zeroes,
		rule10_a_short_or_null_password_is_refused,
		rule11_passwords_are_what_the_dice_said,
		rule12_the_password_is_checked_before_the_old_link_goes,
		rule12_the_right_password_moves_the_session,
		rule20_close_is_answered_then_the_link_ends,
		rule20_the_ephemerals_are_gone_before_the_reply,
		rule47_all_ephemerals_go_under_one_zxid,
		rule47_creates_in_flight_before_the_close_go_with_it,
		a_second_handshake_on_a_link_is_an_unknown_operation,
		a_bad_handshake_ends_the_link,
		our_client_is_told_the_features_and_the_tree,
		rule10_a_session_that_was_closed_is_refused,
		rule13_session_ids_hold_broker_and_count,
	};

	return bed_case("sessions", bed_open, tests, BED_COUNT(tests));
}
