/* zstd in pieces of any size, and every way in which bytes can be wrong. */
#include "zst.h"

#include "buf.h"
#include "mem.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fault_mem.c"

static struct mu_buf packed, plain;
static struct mu_err err;
static unsigned char *data; /* partly random, so that it is of some length */
#define DATA_BYTES 400000u

static void setup(void)
{
	uint32_t x = 1;

	data = malloc(DATA_BYTES);
	for (size_t i = 0; i < DATA_BYTES; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = i % 5 ? (unsigned char)(x >> 24) : 'a';
	}
	mu_buf_init(&packed);
	mu_buf_init(&plain);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	mu_buf_fini(&packed);
	mu_buf_fini(&plain);
	free(data);
}

static int put(void *arg, const void *p, size_t len)
{
	mu_buf_put(arg, p, len);
	return 0;
}

static int unwilling(void *arg, const void *p, size_t len)
{
	(void)arg, (void)p, (void)len;
	return MU_EIO;
}

/* All of it in pieces of `step`; what the first failure gave. */
static int feed(struct mu_zst *z, const void *p, size_t len, size_t step,
                struct mu_buf *out)
{
	const char *at = p;
	int rc = 0;

	while (len > 0 && rc == 0) {
		size_t n = len < step ? len : step;

		rc = mu_zst_feed(z, at, n, put, out, &err);
		at += n;
		len -= n;
	}
	return rc ? rc : mu_zst_done(z, put, out, &err);
}

static int pack(size_t len, size_t step)
{
	struct mu_zst *z;
	int rc;

	mu_buf_reset(&packed);
	ck_assert_int_eq(mu_zst_pack_new(len, &z), 0);
	rc = feed(z, data, len, step, &packed);
	mu_zst_free(z);
	return rc;
}

static int unpack(size_t step)
{
	struct mu_zst *z;
	int rc;

	mu_buf_reset(&plain);
	ck_assert_int_eq(mu_zst_unpack_new(&z), 0);
	rc = feed(z, packed.data, packed.len, step, &plain);
	mu_zst_free(z);
	return rc;
}

static const size_t sizes[] = { 0, 1, 17, 65536, 131072, DATA_BYTES };
static const size_t steps[] = { 1000, 65536, DATA_BYTES };
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

START_TEST(what_was_packed_is_unpacked_in_pieces_of_any_size)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		ck_assert_int_eq(pack(sizes[_i], steps[i]), 0);
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			ck_assert_int_eq(unpack(steps[k]), 0);
			ck_assert_uint_eq(plain.len, sizes[_i]);
			ck_assert(sizes[_i] == 0 ||
			          memcmp(plain.data, data, sizes[_i]) == 0);
		}
	}
	if (sizes[_i] == 17)
		ck_assert_int_eq(unpack(1), 0);
}
END_TEST

START_TEST(a_frame_tells_how_much_is_in_it)
{
	uint64_t total = 99;
	size_t head;

	ck_assert_int_eq(pack(sizes[_i], 4096), 0);
	head = packed.len < MU_ZST_HEAD ? packed.len : MU_ZST_HEAD;
	ck_assert_int_eq(mu_zst_total(packed.data, head, &total, &err), 0);
	ck_assert_uint_eq(total, sizes[_i]);
}
END_TEST

START_TEST(text_that_packs_well_packs_well)
{
	memset(data, 'a', DATA_BYTES);
	ck_assert_int_eq(pack(DATA_BYTES, 4096), 0);
	ck_assert_uint_lt(packed.len, DATA_BYTES / 100);
}
END_TEST

START_TEST(more_or_less_than_was_told_is_refused)
{
	struct mu_zst *z;

	ck_assert_int_eq(mu_zst_pack_new(10, &z), 0);
	ck_assert_int_eq(mu_zst_feed(z, data, 11, put, &packed, &err),
	                 MU_EDATA);
	ck_assert_str_eq(err.msg, "more bytes than were told");
	mu_zst_free(z);
	ck_assert_int_eq(mu_zst_pack_new(10, &z), 0);
	ck_assert_int_eq(mu_zst_feed(z, data, 9, put, &packed, &err), 0);
	ck_assert_int_eq(mu_zst_done(z, put, &packed, &err), MU_EDATA);
	ck_assert_str_eq(err.msg, "fewer bytes than were told");
	mu_zst_free(z);
}
END_TEST

START_TEST(every_prefix_is_refused)
{
	struct mu_zst *z;
	size_t whole;

	ck_assert_int_eq(pack(700, 700), 0);
	whole = packed.len;
	for (size_t n = 0; n < whole; n++) {
		mu_buf_cut(&plain, 0);
		ck_assert_int_eq(mu_zst_unpack_new(&z), 0);
		ck_assert_int_eq(feed(z, packed.data, n, 100, &plain),
		                 MU_EDATA);
		mu_zst_free(z);
	}
}
END_TEST

START_TEST(every_flipped_bit_is_found)
{
	unsigned char *bytes;

	ck_assert_int_eq(pack(700, 700), 0);
	bytes = packed.data;
	for (size_t i = 0; i < packed.len * 8; i++) {
		bool same;

		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		/* A bit of the head may say what says nothing; the bytes are
		 * the same then. */
		same = unpack(64) == 0;
		if (same)
			ck_assert_msg(plain.len == 700 &&
			                      memcmp(plain.data, data, 700) ==
			                              0,
			              "bit %zu", i);
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
	}
}
END_TEST

START_TEST(what_is_behind_the_end_is_refused)
{
	ck_assert_int_eq(pack(700, 700), 0);
	mu_buf_put(&packed, "x", 1);
	ck_assert_int_eq(unpack(1), MU_EDATA);
	ck_assert_int_eq(unpack(1 << 20), MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "behind the end"));
}
END_TEST

START_TEST(what_is_no_frame_is_refused)
{
	uint64_t total;

	ck_assert_int_eq(
		mu_zst_total("{\"path\":\"/\",\"data", 18, &total, &err),
		MU_EDATA);
	ck_assert_str_eq(err.msg, "not a file of zstd");
	ck_assert_int_eq(mu_zst_total("", 0, &total, &err), MU_EDATA);
	mu_buf_put(&packed, "{\"path\":\"/\",\"data", 18);
	ck_assert_int_eq(unpack(18), MU_EDATA);
	/* A frame, of one empty block, that says nothing of its length. */
	ck_assert_int_eq(mu_zst_total("\x28\xb5\x2f\xfd\x00\x58\x01\0\0", 9,
	                              &total, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "does not tell"));
}
END_TEST

START_TEST(what_the_sink_gives_ends_the_call)
{
	struct mu_zst *z;

	ck_assert_int_eq(pack(DATA_BYTES, 65536), 0);
	ck_assert_int_eq(mu_zst_unpack_new(&z), 0);
	ck_assert_int_eq(
		mu_zst_feed(z, packed.data, packed.len, unwilling, NULL, &err),
		MU_EIO);
	mu_zst_free(z);
	ck_assert_int_eq(mu_zst_pack_new(10, &z), 0);
	ck_assert_int_eq(mu_zst_feed(z, data, 10, put, &plain, &err), 0);
	ck_assert_int_eq(mu_zst_done(z, unwilling, NULL, &err), MU_EIO);
	mu_zst_free(z);
}
END_TEST

START_TEST(without_memory_nothing_is_made)
{
	struct mu_zst *z = NULL;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_zst_pack_new(1, &z), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	fault_alloc_at(0);
	ck_assert_int_eq(mu_zst_unpack_new(&z), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	ck_assert_ptr_null(z);
	mu_zst_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("zst");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc,
	                    what_was_packed_is_unpacked_in_pieces_of_any_size,
	                    0, SIZES);
	tcase_add_loop_test(tc, a_frame_tells_how_much_is_in_it, 0, SIZES);
	tcase_add_test(tc, text_that_packs_well_packs_well);
	tcase_add_test(tc, more_or_less_than_was_told_is_refused);
	tcase_add_test(tc, every_prefix_is_refused);
	tcase_add_test(tc, every_flipped_bit_is_found);
	tcase_add_test(tc, what_is_behind_the_end_is_refused);
	tcase_add_test(tc, what_is_no_frame_is_refused);
	tcase_add_test(tc, what_the_sink_gives_ends_the_call);
	tcase_add_test(tc, without_memory_nothing_is_made);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
