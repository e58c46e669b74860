/* The contracts of acl.h, acl_table.h and quota.h, sentence by sentence. */
#include "acl.h"

#include "acl_table.h"
#include "fault.h"
#include "quota.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mu_buf acl, ids, out;
static int32_t acl_count, id_count;

static void setup(void)
{
	acl = ids = out = (struct mu_buf){ 0 };
	acl_count = id_count = 0;
}

static void teardown(void)
{
	fault_alloc_off();
	mu_buf_fini(&acl);
	mu_buf_fini(&ids);
	mu_buf_fini(&out);
}

static void entry(int32_t perms, const char *scheme, const char *id)
{
	struct mu_acl a = { perms, mu_str_of(scheme), mu_str_of(id) };

	mu_put_acl(&acl, &a);
	acl_count++;
}

static struct mu_vec list(void)
{
	return (struct mu_vec){ acl_count, acl.data, acl.len };
}

static void identity(const char *text)
{
	mu_put_str(&ids, mu_str_of(text));
	id_count++;
}

static struct mu_who who(void)
{
	return (struct mu_who){ .identities = { id_count, ids.data, ids.len },
		                .origin = MU_STR("10.0.0.7:4711") };
}

static bool allows(int32_t perms)
{
	struct mu_vec v = list();
	struct mu_who w = who();

	return mu_acl_allows(&v, perms, &w);
}

START_TEST(an_acl_gives_what_an_entry_that_is_meant_gives)
{
	entry(MU_PERM_READ, "world", "anyone");
	entry(MU_PERM_WRITE | MU_PERM_ADMIN, "digest", "u:hash");
	ck_assert(allows(MU_PERM_READ));
	ck_assert(!allows(MU_PERM_WRITE));
	ck_assert(allows(MU_PERM_READ | MU_PERM_WRITE)); /* one of them */
	identity("digest:u:hasH");
	ck_assert(!allows(MU_PERM_WRITE));
	identity("digest:u:hash");
	ck_assert(allows(MU_PERM_WRITE));
	ck_assert(!allows(MU_PERM_CREATE));
	ck_assert(!allows(MU_PERM_DELETE));
}
END_TEST

START_TEST(an_acl_of_no_entries_gives_all)
{
	ck_assert(allows(MU_PERM_ADMIN));
}
END_TEST

START_TEST(rule74_super_may_do_everything)
{
	entry(0, "digest", "u:hash");
	ck_assert(!allows(MU_PERM_READ));
	identity("supervisor:");
	ck_assert(!allows(MU_PERM_READ));
	identity("super:");
	ck_assert(allows(MU_PERM_ADMIN));
}
END_TEST

START_TEST(rule74_the_address_is_an_identity)
{
	entry(MU_PERM_READ, "ip", "10.0.0.0/8");
	ck_assert(allows(MU_PERM_READ));
	mu_buf_reset(&acl);
	acl_count = 0;
	entry(MU_PERM_READ, "ip", "11.0.0.0/8");
	ck_assert(!allows(MU_PERM_READ));
	identity("ip:11.0.0.1"); /* not by saying so */
	ck_assert(!allows(MU_PERM_READ));
}
END_TEST

/* ---- addresses ---- */

START_TEST(rule74_addresses_match_in_the_bits_that_count)
{
	static const struct {
		const char *address, *expr;
		bool valid, matches;
	} rows[] = {
		{ "10.0.0.7", "10.0.0.7", true, true },
		{ "10.0.0.7", "10.0.0.8", true, false },
		{ "10.0.0.7", "10.0.0.0/29", true, true },
		{ "10.0.0.8", "10.0.0.0/29", true, false },
		{ "10.0.0.7", "10.0.0.7/32", true, true },
		{ "10.0.0.7", "10.0.0.7/33", false, false },
		{ "200.1.2.3", "0.0.0.0/0", true, true },
		{ "10.0.0.7", "10.0.0.7/-1", false, false },
		{ "10.0.0.7", "10.0.0.7/", false, false },
		{ "10.0.0.7", "10.0.0", false, false },
		{ "10.0.0.7", "10.0.0.7.1", false, false },
		{ "10.0.0.7", "10.0.0.256", false, false },
		{ "10.0.0.7", "10..0.7", false, false },
		{ "10.0.0.7", "", false, false },
		{ "10.0.0.7", "/8", false, false },
		{ "nonsense", "10.0.0.0/8", true, false },
		{ "::1", "::1", true, true },
		{ "::1", "0:0:0:0:0:0:0:1", true, true },
		{ "fe80::7", "fe80::/10", true, true },
		{ "fec0::7", "fe80::/10", true, false },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true, true },
		{ "1:2:3:4:5:6:7:8", "1:2:3::6:7:8/128", true, false },
		{ "1:2:3:4:5:6:7:8", "1::/129", false, false },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", false, false },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", false, false },
		{ "1:2:3:4:5:6:7:8", "1::2::3", false, false },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", false, false },
		{ "1:2:3:4:5:6:7:8", "12345::", false, false },
		{ "1:2:3:4:5:6:7:8", ":", false, false },
		{ "1:2:3:4:5:6:7:8", "1:::2", false, false },
		{ "abcd::", "ABCD::", true, true },
		{ "::ffff:10.0.0.7", "::ffff:0a00:7", true, true },
		{ "10.0.0.7", "::ffff:10.0.0.7", true, false },
		{ "::1", "::1.2.3", false, false },
		{ "::1", "1.2.3.4::", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_msg(mu_ip_is_valid(mu_str_of(rows[i].expr)) ==
		                      rows[i].valid,
		              "%s", rows[i].expr);
		ck_assert_msg(mu_ip_matches(mu_str_of(rows[i].address),
		                            mu_str_of(rows[i].expr)) ==
		                      rows[i].matches,
		              "%s in %s", rows[i].address, rows[i].expr);
	}
}
END_TEST

START_TEST(the_address_in_an_origin_is_found)
{
	static const char *const rows[][2] = {
		{ "10.0.0.7", "10.0.0.7" },
		{ "tcp:10.0.0.7", "10.0.0.7" },
		{ "tcp:::1", "::1" },
		{ "10.0.0.7:4711", "10.0.0.7" },
		{ "[::1]:4711", "::1" },
		{ "[::1]", "::1" },
		{ "fe80::7", "fe80::7" },
		{ "10.0.0.7 (key)", "10.0.0.7" },
		{ "fe80::7 (key)", "fe80::7" },
		{ "", "" },
		{ "[", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert(mu_str_eq(mu_origin_address(mu_str_of(rows[i][0])),
		                    mu_str_of(rows[i][1])));
}
END_TEST

/* ---- what is kept ---- */

static int fix(struct mu_vec *fixed)
{
	struct mu_vec v = list();
	struct mu_who w = who();

	mu_buf_reset(&out);
	return mu_acl_fix(&v, &w, &out, fixed);
}

START_TEST(rule74_null_and_empty_acls_are_refused)
{
	struct mu_vec fixed, null = { -1, NULL, 0 };
	struct mu_who w = who();

	ck_assert_int_eq(fix(&fixed), MU_EINVALIDACL);
	ck_assert_int_eq(mu_acl_fix(&null, &w, &out, &fixed), MU_EINVALIDACL);
}
END_TEST

START_TEST(rule74_schemes_and_ids_that_are_none_are_refused)
{
	static const struct {
		const char *scheme, *id;
		int want;
	} rows[] = {
		{ "world", "anyone", 0 },
		{ "world", "all", MU_EINVALIDACL },
		{ "world", NULL, MU_EINVALIDACL },
		{ NULL, "anyone", MU_EINVALIDACL },
		{ "digest", "u:hash", 0 },
		{ "digest", ":hash", 0 },
		{ "digest", "u:h:", 0 },
		{ "digest", "u:", MU_EINVALIDACL },
		{ "digest", "u", MU_EINVALIDACL },
		{ "digest", "u:h:x", MU_EINVALIDACL },
		{ "digest", "", MU_EINVALIDACL },
		{ "ip", "10.0.0.0/8", 0 },
		{ "ip", "10.0.0.0/40", MU_EINVALIDACL },
		{ "super", "", MU_EINVALIDACL },
		{ "sasl", "me", MU_EINVALIDACL },
		{ "auth", "", MU_EINVALIDACL }, /* nobody is known */
	};
	struct mu_vec fixed;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		mu_buf_reset(&acl);
		acl_count = 0;
		entry(MU_PERM_ALL, rows[i].scheme, rows[i].id);
		ck_assert_msg(fix(&fixed) == rows[i].want, "row %zu", i);
	}
}
END_TEST

START_TEST(rule74_auth_becomes_the_identities_of_who_asks)
{
	struct mu_vec fixed;
	struct mu_in in;
	struct mu_acl a;

	identity("super:");
	identity("digest:u:1");
	identity("digest:v:2");
	entry(3, "auth", "whatever");
	ck_assert_int_eq(fix(&fixed), 0);
	ck_assert_int_eq(fixed.count, 2);
	in = mu_in_of(fixed.at, fixed.len);
	a = mu_get_acl(&in);
	ck_assert_int_eq(a.perms, 3);
	ck_assert(mu_str_eq(a.scheme, MU_STR("digest")));
	ck_assert(mu_str_eq(a.id, MU_STR("u:1")));
	a = mu_get_acl(&in);
	ck_assert(mu_str_eq(a.id, MU_STR("v:2")));
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

START_TEST(an_entry_said_twice_is_kept_once)
{
	struct mu_vec fixed;

	entry(1, "world", "anyone");
	entry(2, "world", "anyone");
	entry(1, "world", "anyone");
	ck_assert_int_eq(fix(&fixed), 0);
	ck_assert_int_eq(fixed.count, 2);
}
END_TEST

START_TEST(an_acl_has_at_most_so_many_entries)
{
	struct mu_vec fixed;

	for (int i = 0; i < (int)MU_ACL_MAX; i++)
		entry(i + 1, "world", "anyone");
	ck_assert_int_eq(fix(&fixed), 0);
	ck_assert_int_eq(fixed.count, MU_ACL_MAX);
	entry(0, "world", "anyone");
	ck_assert_int_eq(fix(&fixed), MU_EINVALIDACL);
}
END_TEST

START_TEST(identities_count_towards_the_entries)
{
	struct mu_vec fixed;

	identity("digest:u:1");
	identity("digest:u:2");
	for (int i = 0; i < (int)MU_ACL_MAX / 2; i++)
		entry(i + 1, "auth", "");
	ck_assert_int_eq(fix(&fixed), 0);
	entry(0, "world", "anyone");
	ck_assert_int_eq(fix(&fixed), MU_EINVALIDACL);
}
END_TEST

START_TEST(fixing_survives_every_refused_allocation)
{
	struct mu_vec fixed, v;
	struct mu_who w = who();
	int rc = MU_ENOMEM;

	entry(1, "digest", "somebody-with-a-long-name:and-a-long-hash");
	v = list();
	for (unsigned k = 0; rc == MU_ENOMEM; k++) {
		mu_buf_fini(&out);
		fault_alloc_at(k);
		rc = mu_acl_fix(&v, &w, &out, &fixed);
		ck_assert_int_eq(rc == MU_ENOMEM, fault_alloc_off() != 0);
	}
	ck_assert_int_eq(rc, 0);
}
END_TEST

START_TEST(rule76_hashes_are_masked)
{
	struct mu_vec v;
	struct mu_in in;

	entry(1, "digest", "u:hash");
	entry(2, "world", "anyone");
	entry(4, "digest", "x:y:z");
	v = list();
	mu_put_acl_masked(&out, &v);
	in = mu_in_of(out.data, out.len);
	ck_assert_int_eq(mu_get_int(&in), 3);
	ck_assert(mu_str_eq(mu_get_acl(&in).id, MU_STR("u:x")));
	ck_assert(mu_str_eq(mu_get_acl(&in).id, MU_STR("anyone")));
	ck_assert(mu_str_eq(mu_get_acl(&in).id, MU_STR("x:x")));
	ck_assert_uint_eq(mu_in_left(&in), 0);
}
END_TEST

/* ---- digests ---- */

static void count_up(const void *bytes, size_t len, uint8_t hash[20])
{
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(bytes, "u:p", 3);
	for (unsigned i = 0; i < 20; i++)
		hash[i] = (uint8_t)(i * 13);
}

START_TEST(a_digest_is_the_user_and_the_hash_in_base64)
{
	mu_put_digest(&out, MU_STR("u:p"), count_up);
	ck_assert_uint_eq(out.len, 30);
	ck_assert_mem_eq(out.data, "u:AA0aJzRBTltodYKPnKm2w9Dd6vc=", 30);
}
END_TEST

START_TEST(rule72_of_a_digest_the_user_is_shown)
{
	struct mu_acl a = mu_identity_parts(MU_STR("digest:u:hash"));

	ck_assert(mu_str_eq(mu_identity_user(&a), MU_STR("u")));
	a = mu_identity_parts(MU_STR("ip:::1"));
	ck_assert(mu_str_eq(a.scheme, MU_STR("ip")));
	ck_assert(mu_str_eq(mu_identity_user(&a), MU_STR("::1")));
	a = mu_identity_parts(MU_STR("bare"));
	ck_assert(mu_str_eq(a.scheme, MU_STR("bare")));
	ck_assert_uint_eq(a.id.len, 0);
}
END_TEST

/* ---- each kept once ---- */

static const uint8_t key[16] = "0123456789abcde";

START_TEST(an_acl_has_one_id_for_as_long_as_it_is_counted)
{
	struct mu_vec v, back, open = mu_acl_open();
	struct mu_acls t;
	uint32_t a, b, c;

	ck_assert_int_eq(mu_acls_init(&t, key), 0);
	ck_assert_int_eq(mu_acls_ref(&t, &open, &a), 0);
	ck_assert_uint_eq(a, MU_ACL_OPEN);
	mu_acls_unref(&t, a);
	entry(1, "world", "anyone");
	v = list();
	ck_assert_int_eq(mu_acls_ref(&t, &v, &a), 0);
	ck_assert_int_eq(mu_acls_ref(&t, &v, &b), 0);
	ck_assert_uint_eq(a, b);
	entry(2, "world", "anyone");
	v = list();
	ck_assert_int_eq(mu_acls_ref(&t, &v, &c), 0);
	ck_assert_uint_ne(a, c);
	back = mu_acls_get(&t, c);
	ck_assert_int_eq(back.count, 2);
	ck_assert_mem_eq(back.at, v.at, v.len);
	mu_acls_unref(&t, a);
	mu_acls_sweep(&t);
	ck_assert_uint_eq(t.cells.used, 2);
	mu_acls_unref(&t, b);
	ck_assert_int_eq(mu_acls_get(&t, b).count, 1); /* until it is swept */
	mu_acls_sweep(&t);
	ck_assert_uint_eq(t.cells.used, 1);
	/* Counted again before the sweep, it stays. */
	mu_acls_unref(&t, c);
	ck_assert_int_eq(mu_acls_ref(&t, &v, &a), 0);
	ck_assert_uint_eq(a, c);
	mu_acls_sweep(&t);
	ck_assert_uint_eq(t.cells.used, 1);
	mu_acls_unref(&t, c);
	ck_assert_int_eq(mu_acls_ref(&t, &v, &a), 0);
	mu_acls_unref(&t, c); /* in the list once */
	mu_acls_sweep(&t);
	ck_assert_uint_eq(t.cells.used, 0);
	mu_acls_fini(&t);
}
END_TEST

START_TEST(counting_an_acl_survives_every_refused_allocation)
{
	struct mu_acls t;
	struct mu_vec v;
	uint32_t id = 0;
	int rc = MU_ENOMEM;

	entry(1, "world", "anyone");
	v = list();
	ck_assert_int_eq(mu_acls_init(&t, key), 0);
	for (unsigned k = 0; rc == MU_ENOMEM; k++) {
		fault_alloc_at(k);
		rc = mu_acls_ref(&t, &v, &id);
		fault_alloc_off();
		ck_assert_uint_eq(t.cells.used, rc == 0);
	}
	ck_assert_int_eq(rc, 0);
	mu_acls_fini(&t);
}
END_TEST

/* ---- quotas ---- */

static void want_text(const struct mu_quota *q, const char *want)
{
	mu_buf_reset(&out);
	mu_put_quota(&out, q);
	ck_assert_uint_eq(out.len, strlen(want));
	ck_assert_mem_eq(out.data, want, out.len);
}

START_TEST(rule79_the_text_is_zookeepers)
{
	struct mu_quota q = { 4, 5, -1, -1 };

	want_text(&q, "count=4,bytes=5");
	q.bytes = -1;
	q.count_hard = 7;
	want_text(&q, "count=4,bytes=-1=;countHardLimit=7");
	q.bytes_hard = 9;
	want_text(&q, "count=4,bytes=-1=;byteHardLimit=9;countHardLimit=7");
}
END_TEST

START_TEST(rule79_what_can_be_read_of_a_text_is_read)
{
	static const struct {
		const char *text;
		struct mu_quota want;
	} rows[] = {
		{ "count=4,bytes=5", { 4, 5, -1, -1 } },
		{ "count=4,bytes=5=;byteHardLimit=9;countHardLimit=7",
		  { 4, 5, 7, 9 } },
		{ "bytes=5;count=4", { 4, 5, -1, -1 } },
		{ "count=,bytes=", { -1, -1, -1, -1 } },
		{ "count=-3", { -3, -1, -1, -1 } },
		{ "", { -1, -1, -1, -1 } },
		{ NULL, { -1, -1, -1, -1 } },
		{ "count", { -1, -1, -1, -1 } },
		{ ",,;;==", { -1, -1, -1, -1 } },
		{ "count=x4,bytes=9223372036854775807",
		  { -1, INT64_MAX, -1, -1 } },
		{ "count=9223372036854775808", { -1, -1, -1, -1 } },
		{ "other=1,count=2", { 2, -1, -1, -1 } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mu_quota q = mu_quota_parse(mu_str_of(rows[i].text));

		ck_assert_msg(memcmp(&q, &rows[i].want, sizeof q) == 0,
		              "row %zu", i);
	}
}
END_TEST

START_TEST(rule79_limits_hold_at_n_and_not_at_n_plus_one)
{
	struct mu_quota soft = { 3, 10, -1, -1 }, hard = { 1, -1, 3, 10 };
	struct mu_quota none = { -1, -1, -1, -1 }, used = { 2, 8, -1, -1 };

	ck_assert_int_eq(mu_quota_judge(&soft, &used, 1, 2), MU_QUOTA_FITS);
	ck_assert_int_eq(mu_quota_judge(&soft, &used, 2, 0), MU_QUOTA_SOFT);
	ck_assert_int_eq(mu_quota_judge(&soft, &used, 0, 3), MU_QUOTA_SOFT);
	ck_assert_int_eq(mu_quota_judge(&hard, &used, 1, 2), MU_QUOTA_FITS);
	ck_assert_int_eq(mu_quota_judge(&hard, &used, 2, 0), MU_QUOTA_HARD);
	ck_assert_int_eq(mu_quota_judge(&hard, &used, 1, 3), MU_QUOTA_HARD);
	ck_assert_int_eq(mu_quota_judge(&none, &used, 9, 9), MU_QUOTA_FITS);
	used.count = 100;
	used.bytes = 100;
	ck_assert_int_eq(mu_quota_judge(&hard, &used, -1, -1), MU_QUOTA_FITS);
	ck_assert_int_eq(mu_quota_judge(&hard, &used, 0, 0), MU_QUOTA_FITS);
	ck_assert_int_eq(mu_quota_judge(&hard, &used, 0, INT64_MAX),
	                 MU_QUOTA_HARD);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_acl_gives_what_an_entry_that_is_meant_gives,
		an_acl_of_no_entries_gives_all,
		rule74_super_may_do_everything,
		rule74_the_address_is_an_identity,
		rule74_addresses_match_in_the_bits_that_count,
		the_address_in_an_origin_is_found,
		rule74_null_and_empty_acls_are_refused,
		rule74_schemes_and_ids_that_are_none_are_refused,
		rule74_auth_becomes_the_identities_of_who_asks,
		an_entry_said_twice_is_kept_once,
		an_acl_has_at_most_so_many_entries,
		identities_count_towards_the_entries,
		fixing_survives_every_refused_allocation,
		rule76_hashes_are_masked,
		a_digest_is_the_user_and_the_hash_in_base64,
		rule72_of_a_digest_the_user_is_shown,
		an_acl_has_one_id_for_as_long_as_it_is_counted,
		counting_an_acl_survives_every_refused_allocation,
		rule79_the_text_is_zookeepers,
		rule79_what_can_be_read_of_a_text_is_read,
		rule79_limits_hold_at_n_and_not_at_n_plus_one,
	};
	Suite *suite = suite_create("acl");
	TCase *tc = tcase_create("contract");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
