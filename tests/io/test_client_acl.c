/* The client library's ACLs, as they come in a reply, and what it refuses to ask.
 * That they go there and back is in the system test of export. */
#include "acl.h"
#include "client_impl.h"

#include "fault_mem.c"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mu_buf body;

static void entry(int32_t perms, struct mu_str scheme, struct mu_str id)
{
	mu_put_acl(&body, &(struct mu_acl){ perms, scheme, id });
}

/* A reply of two entries. */
static void setup(void)
{
	const struct mu_stat st = { .aversion = 4, .version = 2 };

	mu_buf_init(&body);
	mu_put_int(&body, 2);
	entry(MU_ACL_READ | MU_ACL_WRITE, mu_str_of("world"),
	      mu_str_of("anyone"));
	entry(MU_ACL_ALL, mu_str_of("ip"), mu_str_of(""));
	mu_put_stat(&body, &st);
}

static void teardown(void)
{
	mu_buf_fini(&body);
}

/* From memory of exactly this length, so that reading past it is seen. */
static int decode(size_t len, struct mu_reply *out)
{
	void *copy = malloc(len ? len : 1);
	int rc;

	memcpy(copy, body.data, len);
	rc = mu_reply_decode(MU_OP_GET_ACL, 0, "", copy, len, out);
	free(copy);
	return rc;
}

START_TEST(a_reply_has_the_entries_and_the_stat)
{
	struct mu_reply r;

	ck_assert_int_eq(decode(body.len, &r), 0);
	ck_assert_uint_eq(r.result.count, 2);
	ck_assert_int_eq(r.result.acl[0].rights, MU_ACL_READ | MU_ACL_WRITE);
	ck_assert_str_eq(r.result.acl[0].scheme, "world");
	ck_assert_str_eq(r.result.acl[0].id, "anyone");
	ck_assert_int_eq(r.result.acl[1].rights, MU_ACL_ALL);
	ck_assert_str_eq(r.result.acl[1].scheme, "ip");
	ck_assert_str_eq(r.result.acl[1].id, "");
	ck_assert_int_eq(r.result.stat->aversion, 4);
	mu_free(r.memory);
}
END_TEST

START_TEST(a_reply_that_is_cut_off_is_none)
{
	struct mu_reply r;

	for (size_t len = 0; len < body.len; len++) {
		ck_assert_int_eq(decode(len, &r), MU_EPROTO);
		ck_assert_ptr_null(r.result.acl);
		ck_assert_ptr_null(r.memory);
	}
}
END_TEST

START_TEST(an_entry_that_is_no_text_is_none)
{
	const struct mu_stat st = { 0 };
	struct mu_reply r;

	mu_buf_reset(&body);
	mu_put_int(&body, 1);
	entry(31, (struct mu_str){ "a\0b", 3 }, mu_str_of("x"));
	mu_put_stat(&body, &st);
	ck_assert_int_eq(decode(body.len, &r), MU_EPROTO);
	mu_buf_reset(&body);
	mu_put_int(&body, 1);
	entry(31, mu_str_of("world"), (struct mu_str){ 0 });
	mu_put_stat(&body, &st);
	ck_assert_int_eq(decode(body.len, &r), MU_EPROTO);
	ck_assert_ptr_null(r.memory);
}
END_TEST

START_TEST(a_reply_without_memory_is_an_error)
{
	struct mu_reply r;

	fault_alloc_at(0);
	ck_assert_int_eq(decode(body.len, &r), MU_ENOMEM);
	ck_assert(fault_alloc_off());
}
END_TEST

static struct mu_client *client(void)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = "tcp://127.0.0.1:1" };
	struct mu_client *c;
	struct mu_err err;

	ck_assert_int_eq(mu_client_new(&o, &c, &err), 0);
	return c;
}

static const struct mu_acl_entry halves[] = { { 31, "world", NULL },
	                                      { 31, NULL, "anyone" } };

START_TEST(what_makes_no_node_is_not_asked)
{
	static const struct {
		unsigned flags;
		int64_t ttl_ms;
	} wrong[] = {
		{ MU_CREATE_CONTAINER | MU_CREATE_SEQUENTIAL, 0 },
		{ MU_CREATE_CONTAINER | MU_CREATE_EPHEMERAL, 0 },
		{ MU_CREATE_CONTAINER, 5 },
		{ MU_CREATE_EPHEMERAL, 5 },
		{ 8, 0 },
	};
	struct mu_create_options o = { .size = sizeof o,
		                       .path = "/a",
		                       .len = -1 };
	struct mu_client *c = client();

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		o.flags = wrong[i].flags;
		o.ttl_ms = wrong[i].ttl_ms;
		ck_assert_int_eq(mu_client_create_with(c, &o, NULL, NULL),
		                 MU_EINVAL);
	}
	o.flags = MU_CREATE_SEQUENTIAL;
	o.ttl_ms = 5;
	ck_assert_int_eq(mu_client_create_with(c, &o, NULL, NULL), 0);
	o.size = 8;
	ck_assert_int_eq(mu_client_create_with(c, &o, NULL, NULL), MU_EINVAL);
	o.size = sizeof o;
	o.path = "a";
	ck_assert_int_eq(mu_client_create_with(c, &o, NULL, NULL), MU_EINVAL);
	o.path = "/a";
	for (size_t i = 0; i < 2; i++) {
		o.acl = &halves[i];
		o.acl_count = 1;
		ck_assert_int_eq(mu_client_create_with(c, &o, NULL, NULL),
		                 MU_EINVAL);
		ck_assert_int_eq(mu_client_set_acl(c, "/a", &halves[i], 1, -1,
		                                   NULL, NULL),
		                 MU_EINVAL);
	}
	ck_assert_int_eq(mu_client_get_acl(c, "", NULL, NULL), MU_EINVAL);
	ck_assert_int_eq(mu_client_set_acl(c, "/a", NULL, 1, -1, NULL, NULL),
	                 MU_EINVAL);
	mu_client_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client_acl");
	TCase *t = tcase_create("contract");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_reply_has_the_entries_and_the_stat);
	tcase_add_test(t, a_reply_that_is_cut_off_is_none);
	tcase_add_test(t, an_entry_that_is_no_text_is_none);
	tcase_add_test(t, a_reply_without_memory_is_an_error);
	tcase_add_test(t, what_makes_no_node_is_not_asked);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
