/* outbox and idmap: order, limits, sharing, and memory that is refused. */
#include "idmap.h"
#include "outbox.h"

#include <muster/types.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "fault_mem.c" /* linked in place of mem.c */

static const struct mu_outbox_limits wide = { 1 << 20, 1 << 21 };

/* Where messages go: takes `room` of them. */
struct sink {
	struct mu_buf bytes;
	unsigned messages, room;
	const void *last;
	int full; /* what it says then */
};

static int sink_send(void *arg, struct mu_zmsg *m)
{
	struct sink *s = arg;

	if (s->messages == s->room)
		return s->full ? s->full : MU_EAGAIN;
	s->messages++;
	s->last = mu_zmsg_data(m);
	mu_buf_put(&s->bytes, mu_zmsg_data(m), mu_zmsg_len(m));
	return 0;
}

static int put(struct mu_outbox *o, char c, size_t len)
{
	char *p = malloc(len);
	int rc;

	memset(p, c, len);
	rc = mu_outbox_put(o, &wide, p, len);
	free(p);
	return rc;
}

static int flush(struct mu_outbox *o, struct sink *s)
{
	unsigned sent = 0, before = s->messages;
	int rc = mu_outbox_flush(o, sink_send, s, &sent);

	ck_assert_uint_eq(sent, s->messages - before);
	return rc;
}

START_TEST(small_records_leave_as_one_message)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 9 };

	ck_assert_int_eq(mu_outbox_put(&o, &wide, "one,", 4), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &wide, "two,", 4), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &wide, "three", 5), 0);
	ck_assert_uint_eq(o.bytes, 13);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 1);
	ck_assert_uint_eq(s.bytes.len, 13);
	ck_assert_int_eq(memcmp(s.bytes.data, "one,two,three", 13), 0);
	ck_assert_uint_eq(o.bytes, 0);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(a_gathered_message_has_a_limit)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 9 };

	ck_assert_int_eq(put(&o, 'a', MU_OUTBOX_GATHER - 1), 0);
	ck_assert_int_eq(put(&o, 'b', 1), 0);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 1);
	ck_assert_int_eq(put(&o, 'a', MU_OUTBOX_GATHER), 0);
	ck_assert_int_eq(put(&o, 'b', 1), 0);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 3);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(order_is_kept_between_small_large_and_shared)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 9 };
	struct mu_zmsg m;
	const uint8_t *at;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, "SSSS", 4), 0);
	ck_assert_int_eq(put(&o, 'a', 3), 0);
	ck_assert_int_eq(put(&o, 'L', MU_OUTBOX_GATHER + 1), 0);
	ck_assert_int_eq(put(&o, 'b', 3), 0);
	ck_assert_int_eq(mu_outbox_share(&o, &wide, &m), 0);
	ck_assert_int_eq(put(&o, 'c', 3), 0);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 5);
	at = s.bytes.data;
	ck_assert_int_eq(memcmp(at, "aaaL", 4), 0);
	ck_assert_int_eq(memcmp(at + 3 + MU_OUTBOX_GATHER, "LbbbSSSSccc", 11),
	                 0);
	mu_zmsg_fini(&m);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(what_is_not_taken_stays_in_order_and_more_gathers_behind_it)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 1 };
	int i;

	for (i = 0; i < 20; i++)
		ck_assert_int_eq(put(&o, (char)('A' + i), MU_OUTBOX_GATHER + 1),
		                 0);
	ck_assert_int_eq(flush(&o, &s), MU_EAGAIN);
	ck_assert_uint_eq(s.messages, 1);
	ck_assert_uint_eq(o.bytes, 19 * (MU_OUTBOX_GATHER + 1));
	for (i = 20; i < 26; i++)
		ck_assert_int_eq(put(&o, (char)('A' + i), 1), 0);
	s.room = 99;
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 21);
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(
			s.bytes.data[(size_t)i * (MU_OUTBOX_GATHER + 1)],
			'A' + i);
	ck_assert_int_eq(
		memcmp(s.bytes.data + 20 * (MU_OUTBOX_GATHER + 1), "UVWXYZ", 6),
		0);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(a_gathered_message_that_is_not_taken_still_gathers)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 0 };

	ck_assert_int_eq(put(&o, 'a', 1), 0);
	ck_assert_int_eq(flush(&o, &s), MU_EAGAIN);
	ck_assert_int_eq(put(&o, 'b', 1), 0);
	ck_assert_uint_eq(o.bytes, 2);
	s.room = 9;
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_uint_eq(s.messages, 1);
	ck_assert_int_eq(memcmp(s.bytes.data, "ab", 2), 0);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(an_error_of_the_carrier_comes_back)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 0, .full = MU_EGONE };

	ck_assert_int_eq(put(&o, 'a', MU_OUTBOX_GATHER + 1), 0);
	ck_assert_int_eq(flush(&o, &s), MU_EGONE);
	ck_assert_uint_eq(o.bytes, MU_OUTBOX_GATHER + 1);
	mu_outbox_fini(&o);
	ck_assert_uint_eq(o.bytes, 0);
}
END_TEST

START_TEST(the_limit_is_met_and_not_passed)
{
	const struct mu_outbox_limits limits = { 100, 100 };
	struct mu_outbox o = { 0 };
	struct mu_zmsg m;
	char p[101] = "";

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, p, 50), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 50), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 51), MU_EFULL);
	ck_assert_uint_eq(o.bytes, 50);
	ck_assert_int_eq(mu_outbox_share(&o, &limits, &m), 0);
	ck_assert_uint_eq(o.bytes, 100);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1), MU_EFULL);
	ck_assert_int_eq(mu_outbox_share(&o, &limits, &m), MU_EFULL);
	ck_assert_uint_eq(o.bytes, 100);
	mu_zmsg_fini(&m);
	mu_outbox_fini(&o);
}
END_TEST

START_TEST(a_large_reply_goes_when_nothing_waits)
{
	const struct mu_outbox_limits limits = { 100, 1000 };
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 9 };
	char p[1001] = "";

	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1001), MU_EFULL);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1000), MU_EFULL);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1000), 0);
	ck_assert_int_eq(mu_outbox_put(&o, &limits, p, 1), MU_EFULL);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

START_TEST(shared_bytes_are_not_copied)
{
	struct mu_outbox a = { 0 }, b = { 0 };
	struct sink s = { .room = 9 }, t = { .room = 9 };
	char p[2000] = "";
	struct mu_zmsg m;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, p, sizeof p), 0);
	ck_assert_int_eq(mu_outbox_share(&a, &wide, &m), 0);
	ck_assert_int_eq(mu_outbox_share(&b, &wide, &m), 0);
	ck_assert_int_eq(flush(&a, &s), 0);
	ck_assert_int_eq(flush(&b, &t), 0);
	ck_assert_ptr_eq(s.last, t.last);
	ck_assert_ptr_eq(s.last, mu_zmsg_data(&m));
	mu_zmsg_fini(&m);
	mu_outbox_fini(&a);
	mu_outbox_fini(&b);
	mu_buf_fini(&s.bytes);
	mu_buf_fini(&t.bytes);
}
END_TEST

START_TEST(an_emptied_outbox_keeps_next_to_nothing)
{
	struct mu_outbox o = { 0 };
	struct sink s = { .room = 99 };
	int i;

	for (i = 0; i < 30; i++)
		ck_assert_int_eq(put(&o, 'x', 9000), 0);
	ck_assert_int_eq(flush(&o, &s), 0);
	ck_assert_ptr_null(o.ring);
	ck_assert_uint_le(o.gather.room, 512);
	mu_outbox_fini(&o);
	mu_buf_fini(&s.bytes);
}
END_TEST

/* Small, large and shared, each with every allocation refused once. */
START_TEST(without_memory_nothing_is_appended)
{
	struct mu_outbox o = { 0 };
	struct mu_zmsg m;
	size_t before, len = _i == 0 ? 100 : MU_OUTBOX_GATHER + 1;
	unsigned k, refused = 0;
	int rc = MU_ENOMEM;

	mu_zmsg_init(&m);
	ck_assert_int_eq(mu_zmsg_copy_in(&m, "shared", 6), 0);
	ck_assert_int_eq(put(&o, 'x', 60), 0);
	for (k = 0; rc; k++) {
		before = o.bytes;
		fault_alloc_at(k);
		rc = _i == 2 ? mu_outbox_share(&o, &wide, &m)
		             : put(&o, 'y', len);
		refused += fault_alloc_off() ? 1 : 0;
		if (!rc)
			break;
		ck_assert_int_eq(rc, MU_ENOMEM);
		ck_assert_uint_eq(o.bytes, before);
	}
	ck_assert_uint_ge(refused, 1);
	ck_assert_uint_eq(o.bytes, 60 + (_i == 2 ? 6 : len));
	mu_zmsg_fini(&m);
	mu_outbox_fini(&o);
}
END_TEST

/* ---- idmap -------------------------------------------------------------------- */

#define IDS 5000u

static char values[IDS];

START_TEST(the_map_finds_what_was_set_and_nothing_else)
{
	struct mu_idmap m = { 0 };
	uint32_t i, step = _i ? 4096 : 1; /* neighbours; same low bits */

	ck_assert_ptr_null(mu_idmap_find(&m, 1));
	for (i = 0; i < IDS; i++)
		ck_assert_int_eq(mu_idmap_set(&m, i * step, &values[i]), 0);
	ck_assert_uint_eq(m.count, IDS);
	for (i = 0; i < IDS; i += 2)
		mu_idmap_drop(&m, i * step);
	for (i = 0; i < IDS; i++)
		ck_assert_ptr_eq(mu_idmap_find(&m, i * step),
		                 i % 2 ? &values[i] : NULL);
	ck_assert_uint_eq(m.count, IDS / 2);
	mu_idmap_drop(&m, 0); /* again: ignored */
	ck_assert_uint_eq(m.count, IDS / 2);
	mu_idmap_fini(&m);
}
END_TEST

START_TEST(ids_that_come_and_go_do_not_make_the_map_grow)
{
	struct mu_idmap m = { 0 };
	size_t room = 0;
	uint32_t i;

	for (i = 1; i < 100000; i++) {
		ck_assert_int_eq(mu_idmap_set(&m, i, &values[0]), 0);
		if (i > 40)
			mu_idmap_drop(&m, i - 40);
		if (i == 41)
			room = m.room;
	}
	ck_assert_uint_eq(m.count, 40);
	ck_assert_uint_eq(m.room, room);
	mu_idmap_fini(&m);
}
END_TEST

START_TEST(replacing_a_value_needs_no_memory)
{
	struct mu_idmap m = { 0 };
	uint32_t i;

	for (i = 0; i < 48; i++) /* as full as it gets */
		ck_assert_int_eq(mu_idmap_set(&m, i, &values[i]), 0);
	fault_alloc_at(0);
	for (i = 0; i < 48; i++)
		ck_assert_int_eq(mu_idmap_set(&m, i, &values[1]), 0);
	ck_assert_int_eq(fault_alloc_off(), 0);
	fault_alloc_at(0);
	ck_assert_int_eq(mu_idmap_set(&m, 48, &values[1]), MU_ENOMEM);
	ck_assert_int_eq(fault_alloc_off(), 1);
	ck_assert_ptr_null(mu_idmap_find(&m, 48));
	ck_assert_ptr_eq(mu_idmap_find(&m, 47), &values[1]);
	mu_idmap_fini(&m);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		small_records_leave_as_one_message,
		a_gathered_message_has_a_limit,
		order_is_kept_between_small_large_and_shared,
		what_is_not_taken_stays_in_order_and_more_gathers_behind_it,
		a_gathered_message_that_is_not_taken_still_gathers,
		an_error_of_the_carrier_comes_back,
		the_limit_is_met_and_not_passed,
		a_large_reply_goes_when_nothing_waits,
		shared_bytes_are_not_copied,
		an_emptied_outbox_keeps_next_to_nothing,
		ids_that_come_and_go_do_not_make_the_map_grow,
		replacing_a_value_needs_no_memory,
	};
	Suite *s = suite_create("outbox");
	TCase *c = tcase_create("outbox");
	SRunner *r;
	size_t i;
	int failed;

	for (i = 0; i < sizeof tests / sizeof *tests; i++)
		tcase_add_test(c, tests[i]);
	tcase_add_loop_test(c, without_memory_nothing_is_appended, 0, 3);
	tcase_add_loop_test(c, the_map_finds_what_was_set_and_nothing_else, 0,
	                    2);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
