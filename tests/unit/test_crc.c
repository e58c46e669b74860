/* CRC-32C, against the RFC's examples and against the plain way. */
#include "crc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	while (len-- > 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

START_TEST(the_examples_of_rfc_3720)
{
	static const uint8_t read10[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
		0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
		0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0,
	};
	uint8_t b[32];

	ck_assert_uint_eq(mu_crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, sizeof b);
	ck_assert_uint_eq(mu_crc32c(0, b, sizeof b), 0x8a9136aa);
	memset(b, 0xff, sizeof b);
	ck_assert_uint_eq(mu_crc32c(0, b, sizeof b), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		b[i] = i;
	ck_assert_uint_eq(mu_crc32c(0, b, sizeof b), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(mu_crc32c(0, b, sizeof b), 0x113fdb5c);
	ck_assert_uint_eq(mu_crc32c(0, read10, sizeof read10), 0xd9963a56);
}
END_TEST

START_TEST(nothing_changes_nothing)
{
	ck_assert_uint_eq(mu_crc32c(0, "", 0), 0);
	ck_assert_uint_eq(mu_crc32c(0xe3069283, "x", 0), 0xe3069283);
}
END_TEST

START_TEST(each_length_at_each_offset_is_as_bit_by_bit)
{
	uint8_t b[320];

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)(i * 167 + (i >> 3));
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len <= 300; len++)
			ck_assert_uint_eq(mu_crc32c(5, b + at, len),
			                  bit_by_bit(5, b + at, len));
	}
}
END_TEST

START_TEST(it_may_be_made_in_pieces)
{
	const char *text = "what was written, and what was written behind it";
	const size_t len = strlen(text);
	const uint32_t whole = mu_crc32c(0, text, len);

	for (size_t i = 0; i <= len; i++)
		ck_assert_uint_eq(
			mu_crc32c(mu_crc32c(0, text, i), text + i, len - i),
			whole);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crc");
	TCase *t = tcase_create("crc");
	SRunner *r;
	int failed;

	tcase_add_test(t, the_examples_of_rfc_3720);
	tcase_add_test(t, nothing_changes_nothing);
	tcase_add_test(t, each_length_at_each_offset_is_as_bit_by_bit);
	tcase_add_test(t, it_may_be_made_in_pieces);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
