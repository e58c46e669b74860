/* Replies in the order of requests, whatever they are and however they come: rules
 * 1, 3, 5, 15, 16, 18, 48, 68, 96. */
#include "bed.h"

static void make(uint32_t link, const char *path)
{
	bed_ask(link, MU_OP_CREATE, q_create(path, "x", 0));
}

START_TEST(rule15_a_ping_is_answered_with_its_xid_and_the_last_zxid)
{
	struct bed_reply r;

	bed_send(1, MU_XID_PING, MU_OP_PING, q_none());
	r = bed_reply(1);
	ck_assert_int_eq(r.xid, -2);
	ck_assert_int_eq(r.err, 0);
	ck_assert_int_eq(r.zxid, bed_counts().zxid);
}
END_TEST

START_TEST(a_read_between_two_writes_sees_the_first_and_not_the_second)
{
	bed_hold();
	make(1, "/a");
	bed_ask(1, MU_OP_EXISTS, q_path("/b", false));
	make(1, "/b");
	bed_ask(1, MU_OP_EXISTS, q_path("/b", false));
	bed_release(); /* both in one batch */
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, MU_ENONODE);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

START_TEST(rule5_a_body_comes_only_without_an_error)
{
	struct bed_reply r = bed_do(1, MU_OP_EXISTS, q_path("/", false));

	ck_assert_uint_eq(mu_in_left(&r.body), 68);
	r = bed_do(1, MU_OP_EXISTS, q_path("/none", false));
	ck_assert_int_eq(r.err, MU_ENONODE);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	r = bed_do(1, MU_OP_CREATE, q_create("/", "", 0));
	ck_assert_int_eq(r.err, MU_EEXISTS);
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
}
END_TEST

START_TEST(rule16_replies_keep_the_order_of_requests_errors_included)
{
	static const int32_t errs[] = { 0,           0,
		                        MU_EMARSHAL, MU_EUNIMPLEMENTED,
		                        MU_ENONODE,  MU_EEXISTS };

	bed_hold();
	bed_send(1, 1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_send(1, 2, MU_OP_EXISTS, q_path("/a", false));
	bed_send(1, 3, MU_OP_DELETE, q_none());
	bed_send(1, 4, MU_OP_RECONFIG, q_none());
	bed_send(1, 5, MU_OP_EXISTS, q_path("/b", false));
	bed_send(1, 6, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_quiet(1);
	bed_release();
	for (int32_t i = 0; i < 6; i++)
		bed_want(1, i + 1, errs[i]);
	bed_quiet(1);
}
END_TEST

START_TEST(rule16_a_hundred_writes_and_reads_in_one_piece_keep_their_order)
{
	bed_hold();
	for (int32_t i = 0; i < 200; i++)
		if (i % 2)
			bed_ask(1, MU_OP_GET_DATA, q_path("/a", false));
		else
			bed_ask(1, i ? MU_OP_SET_DATA : MU_OP_CREATE,
			        i ? q_set("/a", "y", i / 2 - 1)
			          : q_create("/a", "x", 0));
	bed_release();
	for (int32_t i = 0; i < 200; i++)
		bed_want(1, i + 1, 0);
	bed_quiet(1);
	ck_assert_int_eq(bed_stat(2, "/a").version, 99);
}
END_TEST

START_TEST(rule68_sync_takes_its_turn)
{
	bed_hold();
	make(1, "/a");
	bed_ask(1, MU_OP_SYNC, q_sync("/"));
	make(1, "/b");
	bed_release();
	for (int32_t i = 0; i < 3; i++)
		bed_want(1, i + 1, 0);
}
END_TEST

START_TEST(rule18_the_last_words_come_in_their_turn)
{
	struct bed_reply r;

	bed_hold();
	make(1, "/a");
	bed_ask(1, 999, q_none());
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false)); /* not read any more */
	bed_ask(1, MU_OP_CREATE, q_create("/b", "", 0));
	bed_release();
	ck_assert_int_eq(bed_reply(1).err, 0);
	r = bed_reply(1);
	ck_assert_int_eq(r.err, MU_EUNIMPLEMENTED);
	ck_assert_int_eq(r.zxid, -1);
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_UNKNOWN_OP));
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/b", false)),
	                 MU_ENONODE);
}
END_TEST

START_TEST(rule48_requests_after_the_close_get_expired)
{
	int32_t close, late;

	bed_hold();
	close = bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	late = bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_release();
	bed_want(1, close, 0);
	bed_want(1, late, MU_EEXPIRED);
	ck_assert(bed_is_closed(1, MU_CLOSE_SESSION_ENDED));
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/a", false)),
	                 MU_ENONODE);
}
END_TEST

START_TEST(records_before_the_response_are_answered_after_it_in_order)
{
	struct mu_connect_request q = bed_hello();

	bed_hold();
	bed_link(3);
	bed_shake(3, &q);
	bed_send(3, 1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_send(3, 2, MU_OP_GET_DATA, q_path("/a", false));
	bed_send(3, 3, MU_OP_CREATE, q_create("/b", "y", 0));
	bed_release();
	ck_assert_int_ne(bed_welcome(3).session, 0);
	bed_want(3, 1, 0);
	ck_assert_int_eq(bed_reply(3).xid, 2);
	bed_want(3, 3, 0);
}
END_TEST

START_TEST(rule1_records_may_come_in_any_pieces)
{
	static const size_t pieces[] = { 1, 3, 7, 64 };

	for (size_t i = 0; i < BED_COUNT(pieces); i++) {
		const uint32_t link = 10 + (uint32_t)i;
		int32_t first;

		bed_in_pieces(pieces[i]);
		bed_connect(link);
		bed_hold();
		first = bed_ask(link, MU_OP_CREATE, q_create("/e", "x", 1));
		bed_ask(link, MU_OP_SET_DATA, q_set("/e", "abc", 0));
		bed_ask(link, MU_OP_GET_DATA, q_path("/e", false));
		bed_ask(link, MU_OP_CLOSE_SESSION, q_none());
		bed_release();
		for (int32_t n = 0; n < 4; n++)
			bed_want(link, first + n, 0);
	}
}
END_TEST

/* A setData of /a that is a record of `len` bytes. */
static uint8_t *record_of(size_t len, int32_t xid)
{
	const size_t fixed =
		8 + 4 + 2 + 4 + 4; /* header, path, data, version */
	char *data = calloc(1, len);
	uint8_t *bytes;

	ck_assert_ptr_nonnull(data);
	memset(data, 'x', len - fixed);
	ck_assert_uint_eq(
		bed_record(xid, MU_OP_SET_DATA, q_set("/a", data, -1), &bytes),
		len);
	free(data);
	return bytes;
}

START_TEST(rule96_the_largest_record_is_taken)
{
	uint8_t *bytes = record_of(MU_PACKET_MAX_DEFAULT, 9);

	bed_make(1, "/a", "");
	bed_receive(1, bytes, MU_PACKET_MAX_DEFAULT);
	free(bytes);
	bed_want(1, 9, 0);
	ck_assert_int_eq(bed_stat(2, "/a").data_len,
	                 MU_PACKET_MAX_DEFAULT - 22);
}
END_TEST

/* ZooKeeper's framing has no other way than to end the link; ours answers. */
START_TEST(rule3_one_byte_more_changes_nothing)
{
	uint8_t *bytes = record_of(MU_PACKET_MAX_DEFAULT + 1, 9);

	bed_make(1, "/a", "");
	bed_oversize(1, bytes, MU_PACKET_MAX_DEFAULT + 1);
	free(bytes);
	if (bed_answers_oversize()) {
		bed_want(1, 9, MU_ETOOBIG);
		ck_assert(bed_is_open(1));
	} else {
		ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
	}
	ck_assert_int_eq(bed_stat(2, "/a").version, 0);
	ck_assert_uint_eq(bed_counts().sessions, 2);
}
END_TEST

TCase *semantics_order(void)
{
	const TTest *const tests[] = {
		rule15_a_ping_is_answered_with_its_xid_and_the_last_zxid,
		a_read_between_two_writes_sees_the_first_and_not_the_second,
		rule5_a_body_comes_only_without_an_error,
		rule16_replies_keep_the_order_of_requests_errors_included,
		rule16_a_hundred_writes_and_reads_in_one_piece_keep_their_order,
		rule1_records_may_come_in_any_pieces,
		rule96_the_largest_record_is_taken,
		rule3_one_byte_more_changes_nothing,
		rule68_sync_takes_its_turn,
		rule18_the_last_words_come_in_their_turn,
		rule48_requests_after_the_close_get_expired,
		records_before_the_response_are_answered_after_it_in_order,
	};

	return bed_case("order", bed_open_two, tests, BED_COUNT(tests));
}
