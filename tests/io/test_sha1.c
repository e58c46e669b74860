/* SHA-1, and the digest identities that are made with it (rule 74). */
#include "acl.h"
#include "sha1.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(the_hash_is_the_standards)
{
	static const uint8_t abc[20] = { 0xa9, 0x99, 0x3e, 0x36, 0x47,
		                         0x06, 0x81, 0x6a, 0xba, 0x3e,
		                         0x25, 0x71, 0x78, 0x50, 0xc2,
		                         0x6c, 0x9c, 0xd0, 0xd8, 0x9d };
	static const uint8_t none[4] = { 0xda, 0x39, 0xa3, 0xee };
	uint8_t hash[20];

	mu_sha1("abc", 3, hash);
	ck_assert_mem_eq(hash, abc, 20);
	mu_sha1(NULL, 0, hash);
	ck_assert_mem_eq(hash, none, 4);
}
END_TEST

static void want_digest(const char *credentials, const char *want)
{
	struct mu_buf b = { 0 };

	mu_put_digest(&b, mu_str_of(credentials), mu_sha1);
	ck_assert_uint_eq(b.len, strlen(want));
	ck_assert_mem_eq(b.data, want, b.len);
	mu_buf_fini(&b);
}

START_TEST(rule74_a_digest_is_the_one_that_zookeeper_makes)
{
	want_digest("u:p", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=");
	want_digest("super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sha1");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, the_hash_is_the_standards);
	tcase_add_test(tc, rule74_a_digest_is_the_one_that_zookeeper_makes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
