/* The bytes of the journal, and what is believed of them. */
#include "logrec.h"

#include "crc.h"
#include "fault.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mu_buf b;
static struct mu_log_head head;
static struct mu_log_scan scan;
static struct mu_log_record rec;
static struct mu_err err;

static void setup(void)
{
	mu_buf_init(&b);
	head = (struct mu_log_head){ .tree_id = -7, .first = 10, .term = 1 };
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	mu_buf_fini(&b);
}

static void put_head(void)
{
	mu_log_head_encode(mu_buf_grow(&b, MU_LOG_HEAD), &head);
}

/* A record, sealed as if `durable` were known. */
static void put(uint64_t index, const char *text, uint64_t durable)
{
	const size_t at = b.len;

	ck_assert_int_eq(mu_log_put(&b, 1, index, text, strlen(text)), 0);
	mu_log_seal(b.data + at, b.len - at, head.crc, durable);
}

static void put_zeros(size_t n)
{
	memset(mu_buf_grow(&b, n), 0, n);
}

static void begin(size_t len)
{
	mu_log_scan(&scan, &head, b.data, len);
}

/* Walk: how many records, and what stands behind them. */
static enum mu_log_found walk(size_t len, unsigned *count)
{
	enum mu_log_found found;

	begin(len);
	*count = 0;
	while ((found = mu_log_next(&scan, &rec)) == MU_LOG_RECORD_FOUND)
		++*count;
	return found;
}

/* ---- heads ---- */

START_TEST(a_head_comes_back)
{
	uint8_t bytes[MU_LOG_HEAD];
	struct mu_log_head back;

	head.first = 0x0102030405060708;
	head.term = 77;
	mu_log_head_encode(bytes, &head);
	ck_assert_int_eq(mu_log_head_decode(bytes, &back, &err), 0);
	ck_assert_int_eq(back.tree_id, -7);
	ck_assert_uint_eq(back.first, head.first);
	ck_assert_uint_eq(back.term, 77);
	ck_assert_uint_eq(back.crc, head.crc);
}
END_TEST

/* The bytes on disk are a promise to later versions. */
START_TEST(version_1_looks_like_this)
{
	static const uint8_t want[MU_LOG_HEAD - 4] = {
		'M',  'U',  'J', 'O', 'U', 'R',  'N',  'L',  1,    0,    0,
		0,    64,   0,   0,   0,   0xf9, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 10,  0,   0,   0,    0,    0,    0,    0,    1,
	};
	static const uint8_t fields[24] = {
		3, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0,
		0, 0, 0, 0, 9, 0, 0, 0, 0,  0, 0, 0
	};
	uint32_t check, crc;
	const uint8_t *r;

	put_head();
	put(10, "abc", 9);
	ck_assert_mem_eq(b.data, want, sizeof want);
	ck_assert_uint_eq(head.crc, mu_crc32c(0, want, sizeof want));
	ck_assert_uint_eq(b.len, MU_LOG_HEAD + 40);
	r = b.data + MU_LOG_HEAD;
	check = mu_crc32c(head.crc, fields, sizeof fields);
	crc = mu_crc32c(check, "abc\0\0\0\0\0", 8);
	ck_assert_mem_eq(r, fields, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(r[4 + i], crc >> 8 * i & 0xff);
		ck_assert_uint_eq(r[12 + i], check >> 8 * i & 0xff);
	}
	ck_assert_mem_eq(r + 8, fields + 4, 4);
	ck_assert_mem_eq(r + 16, fields + 8, 16);
	ck_assert_mem_eq(r + 32, "abc\0\0\0\0\0", 8);
}
END_TEST

START_TEST(each_flipped_bit_of_a_head_is_seen)
{
	uint8_t bytes[MU_LOG_HEAD];
	struct mu_log_head back;

	mu_log_head_encode(bytes, &head);
	for (size_t i = 0; i < sizeof bytes * 8; i++) {
		bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ 1 << i % 8);
		ck_assert_int_ne(mu_log_head_decode(bytes, &back, &err), 0);
		bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ 1 << i % 8);
	}
}
END_TEST

START_TEST(a_newer_head_is_refused_with_its_number)
{
	uint8_t bytes[MU_LOG_HEAD];

	mu_log_head_encode(bytes, &head);
	bytes[8] = 2;
	ck_assert_int_eq(mu_log_head_decode(bytes, &head, &err), MU_EABI);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer muster-broker (format 2"));
	memset(bytes, 0, 8);
	ck_assert_int_eq(mu_log_head_decode(bytes, &head, &err), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "does not begin like"));
}
END_TEST

START_TEST(a_head_without_a_first_index_is_damaged)
{
	uint8_t bytes[MU_LOG_HEAD];

	head.first = 0;
	mu_log_head_encode(bytes, &head);
	ck_assert_int_eq(mu_log_head_decode(bytes, &head, &err), MU_EDATA);
}
END_TEST

/* ---- making records ---- */

START_TEST(a_record_takes_up_a_multiple_of_eight)
{
	ck_assert_uint_eq(mu_log_size(0), 32);
	ck_assert_uint_eq(mu_log_size(1), 40);
	ck_assert_uint_eq(mu_log_size(8), 40);
	ck_assert_uint_eq(mu_log_size(9), 48);
	for (size_t len = 0; len < 40; len++) {
		mu_buf_reset(&b);
		ck_assert_int_eq(mu_log_put(&b, 1, 1,
		                            "0123456789012345678901"
		                            "2345678901234567890",
		                            len),
		                 0);
		ck_assert_uint_eq(b.len, mu_log_size(len));
	}
}
END_TEST

START_TEST(records_come_back_in_order_with_their_bytes)
{
	put_head();
	put(10, "one", 9);
	put(11, "", 9);
	put(12, "a longer one", 11);
	begin(b.len);
	ck_assert_int_eq(mu_log_next(&scan, &rec), MU_LOG_RECORD_FOUND);
	ck_assert_uint_eq(rec.index, 10);
	ck_assert_uint_eq(rec.durable, 9);
	ck_assert_uint_eq(rec.term, 1);
	ck_assert_uint_eq(rec.len, 3);
	ck_assert_mem_eq(rec.bytes, "one", 3);
	ck_assert_int_eq(mu_log_next(&scan, &rec), MU_LOG_RECORD_FOUND);
	ck_assert_uint_eq(rec.index, 11);
	ck_assert_uint_eq(rec.len, 0);
	ck_assert_int_eq(mu_log_next(&scan, &rec), MU_LOG_RECORD_FOUND);
	ck_assert_mem_eq(rec.bytes, "a longer one", 12);
	ck_assert_uint_eq(scan.end, b.len);
	for (int again = 0; again < 3; again++)
		ck_assert_int_eq(mu_log_next(&scan, &rec), MU_LOG_END);
	ck_assert_uint_eq(scan.next, 13);
	ck_assert_uint_eq(scan.durable, 11);
}
END_TEST

START_TEST(as_many_records_fit_as_there_is_room_for)
{
	uint64_t count;
	size_t size;

	for (uint64_t i = 5; i < 9; i++)
		ck_assert_int_eq(mu_log_put(&b, 1, i, "12345678", 8), 0);
	ck_assert_uint_eq(mu_log_first(b.data, &size), 5);
	ck_assert_uint_eq(size, 40);
	for (size_t room = 0; room < 200; room++) {
		const size_t n = room / 40 < 4 ? room / 40 : 4;

		ck_assert_uint_eq(mu_log_fit(b.data, b.len, room, &count),
		                  n * 40);
		ck_assert_uint_eq(count, n);
	}
}
END_TEST

START_TEST(without_memory_a_put_changes_nothing)
{
	size_t len;
	int rc;

	put_head();
	for (unsigned k = 0; k < 40; k++) {
		len = b.len;
		fault_alloc_at(0);
		rc = mu_log_put(&b, 1, 10 + k, "0123456789", 10);
		if (fault_alloc_off()) {
			ck_assert_int_eq(rc, MU_ENOMEM);
			ck_assert_uint_eq(b.len, len);
			rc = mu_log_put(&b, 1, 10 + k, "0123456789", 10);
		}
		ck_assert_int_eq(rc, 0);
	}
	mu_log_seal(b.data + MU_LOG_HEAD, b.len - MU_LOG_HEAD, head.crc, 9);
	ck_assert_int_eq(walk(b.len, &(unsigned){ 0 }), MU_LOG_END);
	ck_assert_uint_eq(scan.next, 50);
}
END_TEST

START_TEST(more_than_a_record_holds_is_refused)
{
	ck_assert_int_eq(mu_log_put(&b, 1, 1, "", (size_t)MU_LOG_BYTES_MAX + 1),
	                 MU_ETOOBIG);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

/* ---- marks ---- */

START_TEST(a_mark_is_stepped_over_and_tells_what_was_durable)
{
	unsigned count;

	put_head();
	put(10, "one", 9);
	mu_log_mark(mu_buf_grow(&b, MU_LOG_RECORD), 1, 10, head.crc);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(scan.durable, 10);
	ck_assert_uint_eq(scan.end, b.len - MU_LOG_RECORD);
	ck_assert_uint_eq(scan.next, 11);
}
END_TEST

START_TEST(a_mark_of_another_index_is_wrong)
{
	unsigned count;

	put_head();
	put(10, "one", 9);
	mu_log_mark(mu_buf_grow(&b, MU_LOG_RECORD), 1, 12, head.crc);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	ck_assert_uint_eq(count, 1);
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(an_empty_segment_ends_at_once)
{
	unsigned count;

	put_head();
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
	put_zeros(4096);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(scan.next, 10);
	ck_assert_uint_eq(scan.end, MU_LOG_HEAD);
}
END_TEST

START_TEST(a_segment_may_end_in_zeros_of_any_length)
{
	unsigned count;

	put_head();
	put(10, "one", 9);
	for (size_t n = 0; n < 100; n++) {
		ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
		ck_assert_uint_eq(count, 1);
		put_zeros(1);
	}
}
END_TEST

/* Batches of two: a record is proof for those of the batch before. */
static void three_batches(void)
{
	put_head();
	put(10, "aaaa", 9);
	put(11, "bbbbbbbbbbbbbb", 9);
	put(12, "cc", 11);
	put(13, "dddddddd", 11);
	put(14, "e", 13);
	put(15, "ffffffffff", 13);
}

START_TEST(each_flipped_bit_is_found_and_only_the_last_batch_may_be_torn)
{
	unsigned count;
	size_t used;

	three_batches();
	used = b.len;
	put_zeros(100);
	for (size_t i = MU_LOG_HEAD * 8; i < b.len * 8; i++) {
		enum mu_log_found found;

		b.data[i / 8] = (uint8_t)(b.data[i / 8] ^ 1 << i % 8);
		found = walk(b.len, &count);
		ck_assert_int_eq(found, count < 4 ? MU_LOG_BAD : MU_LOG_TORN);
		ck_assert_uint_eq(scan.next, 10 + count);
		ck_assert(scan.why != NULL);
		if (i / 8 >= used)
			ck_assert_uint_eq(count, 6);
		else
			ck_assert_uint_lt(count, 6);
		ck_assert_uint_le(scan.at, i / 8);
		b.data[i / 8] = (uint8_t)(b.data[i / 8] ^ 1 << i % 8);
	}
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
}
END_TEST

START_TEST(a_mark_makes_proof_of_the_last_batch_too)
{
	unsigned count;
	size_t used;

	three_batches();
	used = b.len;
	mu_log_mark(mu_buf_grow(&b, MU_LOG_RECORD), 1, 15, head.crc);
	for (size_t i = MU_LOG_HEAD * 8; i < used * 8; i++) {
		b.data[i / 8] = (uint8_t)(b.data[i / 8] ^ 1 << i % 8);
		ck_assert_int_eq(walk(b.len, &count), MU_LOG_BAD);
		b.data[i / 8] = (uint8_t)(b.data[i / 8] ^ 1 << i % 8);
	}
}
END_TEST

/* Cut anywhere, and zeros up to the segment's length or nothing: a crash. */
START_TEST(cut_anywhere_it_is_torn_at_the_first_record_that_is_not_whole)
{
	unsigned count, full;

	three_batches();
	for (size_t len = b.len - 1; len >= MU_LOG_HEAD; len--) {
		enum mu_log_found cut = walk(len, &full);

		ck_assert_int_ne(cut, MU_LOG_BAD);
		b.data[len] = 0;
		/* Filling is zeros anyway: such a record may be whole. */
		ck_assert_int_ne(walk(b.len, &count), MU_LOG_BAD);
		ck_assert_uint_ge(count, full);
		ck_assert_uint_le(scan.end, b.len);
	}
	ck_assert_uint_eq(full, 0);
}
END_TEST

START_TEST(a_hole_of_zeros_with_records_behind_it_is_no_end)
{
	unsigned count;
	uint8_t *at;

	put_head();
	put(10, "aaaa", 9);
	put(11, "bbbb", 9);
	at = b.data + MU_LOG_HEAD;
	memset(at, 0, 40);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	ck_assert_uint_eq(scan.after, 1);
	ck_assert_uint_eq(scan.last, 11);
	put(12, "cccc", 10); /* says that the missing one was durable */
	at = b.data + MU_LOG_HEAD;
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_BAD);
	ck_assert_uint_eq(scan.proof, 10);
	ck_assert_uint_eq(scan.after, 2);
	ck_assert_uint_eq(scan.last, 12);
	ck_assert_ptr_nonnull(strstr(scan.why, "zeros"));
}
END_TEST

START_TEST(the_front_of_a_torn_record_is_proof_too)
{
	unsigned count;

	put_head();
	put(10, "aaaa", 9);
	put(11, "bbbb", 10);
	b.data[MU_LOG_HEAD] ^= 1;
	b.data[b.len - 8] ^= 1;
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_BAD);
	ck_assert_uint_eq(scan.after, 0);
	ck_assert_uint_eq(scan.last, 0);
}
END_TEST

START_TEST(an_index_that_is_not_the_next_is_wrong)
{
	unsigned count;

	put_head();
	put(10, "a", 9);
	put(12, "b", 9);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	ck_assert_ptr_nonnull(strstr(scan.why, "index"));
	ck_assert_uint_eq(count, 1);
	mu_buf_cut(&b, MU_LOG_HEAD);
	put(10, "a", 9);
	put(10, "b", 9);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(a_record_of_another_segment_or_tree_is_none_of_this)
{
	struct mu_log_head other = head;
	uint8_t bytes[MU_LOG_HEAD];
	unsigned count;

	put_head();
	other.first = 9;
	mu_log_head_encode(bytes, &other);
	put(10, "a", 9);
	mu_log_seal(b.data + MU_LOG_HEAD, b.len - MU_LOG_HEAD, other.crc, 9);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	other = head;
	other.tree_id++;
	mu_log_head_encode(bytes, &other);
	mu_log_seal(b.data + MU_LOG_HEAD, b.len - MU_LOG_HEAD, other.crc, 9);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	mu_log_seal(b.data + MU_LOG_HEAD, b.len - MU_LOG_HEAD, head.crc, 9);
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_END);
}
END_TEST

/* A client's bytes may look like a record, but it does not know the seed. */
START_TEST(what_clients_write_is_no_proof)
{
	struct mu_log_head guess = { .tree_id = 1, .first = 10, .term = 1 };
	uint8_t bytes[MU_LOG_HEAD];
	struct mu_buf forged = { 0 };
	unsigned count;

	mu_log_head_encode(bytes, &guess);
	for (uint64_t i = 10; i < 200; i++)
		ck_assert_int_eq(mu_log_put(&forged, 1, i, "", 0), 0);
	mu_log_seal(forged.data, forged.len, guess.crc, 1000);
	put_head();
	ck_assert_int_eq(mu_log_put(&b, 1, 10, forged.data, forged.len), 0);
	mu_log_seal(b.data + MU_LOG_HEAD, b.len - MU_LOG_HEAD, head.crc, 9);
	b.data[MU_LOG_HEAD] ^= 4;
	ck_assert_int_eq(walk(b.len, &count), MU_LOG_TORN);
	ck_assert_uint_eq(scan.proof, 0);
	mu_buf_fini(&forged);
}
END_TEST

START_TEST(fewer_bytes_than_a_head_is_a_bug)
{
	uint8_t bytes[MU_LOG_HEAD] = { 0 };

	fclose(stderr);
	mu_log_scan(&scan, &head, bytes, MU_LOG_HEAD - 1);
}
END_TEST

/* Rubbish of all kinds: it ends, and within the bytes. */
START_TEST(rubbish_never_leads_astray)
{
	uint64_t dice = 88172645463325252u;
	unsigned count;

	for (int round = 0; round < 3000; round++) {
		mu_buf_reset(&b);
		three_batches();
		for (int n = 0; n < 1 + round % 7; n++) {
			dice ^= dice << 13;
			dice ^= dice >> 7;
			dice ^= dice << 17;
			b.data[MU_LOG_HEAD + dice % (b.len - MU_LOG_HEAD)] =
				(uint8_t)(dice >> 40);
		}
		walk(b.len - dice % 50, &count);
		ck_assert_uint_le(count, 6);
		ck_assert_uint_le(scan.at, b.len);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("logrec");
	TCase *t = tcase_create("logrec");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_head_comes_back);
	tcase_add_test(t, version_1_looks_like_this);
	tcase_add_test(t, each_flipped_bit_of_a_head_is_seen);
	tcase_add_test(t, a_newer_head_is_refused_with_its_number);
	tcase_add_test(t, a_head_without_a_first_index_is_damaged);
	tcase_add_test(t, a_record_takes_up_a_multiple_of_eight);
	tcase_add_test(t, records_come_back_in_order_with_their_bytes);
	tcase_add_test(t, as_many_records_fit_as_there_is_room_for);
	tcase_add_test(t, without_memory_a_put_changes_nothing);
	tcase_add_test(t, more_than_a_record_holds_is_refused);
	tcase_add_test(t, a_mark_is_stepped_over_and_tells_what_was_durable);
	tcase_add_test(t, a_mark_of_another_index_is_wrong);
	tcase_add_test(t, an_empty_segment_ends_at_once);
	tcase_add_test(t, a_segment_may_end_in_zeros_of_any_length);
	tcase_add_test(
		t,
		each_flipped_bit_is_found_and_only_the_last_batch_may_be_torn);
	tcase_add_test(t, a_mark_makes_proof_of_the_last_batch_too);
	tcase_add_test(
		t,
		cut_anywhere_it_is_torn_at_the_first_record_that_is_not_whole);
	tcase_add_test(t, a_hole_of_zeros_with_records_behind_it_is_no_end);
	tcase_add_test(t, the_front_of_a_torn_record_is_proof_too);
	tcase_add_test(t, an_index_that_is_not_the_next_is_wrong);
	tcase_add_test(t, a_record_of_another_segment_or_tree_is_none_of_this);
	tcase_add_test(t, what_clients_write_is_no_proof);
	tcase_add_test_raise_signal(t, fewer_bytes_than_a_head_is_a_bug,
	                            SIGABRT);
	tcase_add_test(t, rubbish_never_leads_astray);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
