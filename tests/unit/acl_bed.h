/* acl_bed.h - requests with ACLs, for tests on top of store_bed.h. */
#ifndef MU_TEST_ACL_BED_H
#define MU_TEST_ACL_BED_H

#include "store_bed.h"

/* An ACL of one entry, good until the next. */
static inline struct mu_vec acl_of(int32_t perms, const char *scheme,
                                   const char *id)
{
	static struct mu_buf b;
	struct mu_acl a = { perms, mu_str_of(scheme), mu_str_of(id) };

	mu_buf_reset(&b);
	mu_put_acl(&b, &a);
	return (struct mu_vec){ 1, b.data, b.len };
}

static inline const struct mu_buf *q_create_acl(const char *path,
                                                struct mu_vec acl)
{
	struct mu_create_request r = bed_create_request(path, "x", 0);

	r.acl = acl;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, MU_OP_CREATE, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_set_acl(const char *path,
                                             struct mu_vec acl, int32_t version)
{
	struct mu_set_acl_request r = { mu_str_of(path), acl, version };

	mu_buf_reset(&bed.q);
	mu_put_set_acl(&bed.q, &r);
	return &bed.q;
}

static inline const struct mu_buf *q_auth(const char *scheme, const char *auth)
{
	struct mu_auth_packet r = { 0, mu_str_of(scheme), mu_str_of(auth) };

	mu_buf_reset(&bed.q);
	mu_put_auth(&bed.q, &r);
	return &bed.q;
}

/* Say who one is; the reply's code. */
static inline int bed_auth(uint32_t link, const char *scheme, const char *auth)
{
	struct bed_reply r;

	bed_send(link, MU_XID_AUTH, MU_OP_AUTH, q_auth(scheme, auth));
	r = bed_reply(link);
	ck_assert_int_eq(r.xid, MU_XID_AUTH);
	ck_assert_int_eq(r.zxid, 0); /* rule 95 */
	ck_assert_uint_eq(mu_in_left(&r.body), 0);
	return r.err;
}

static inline void bed_guard(uint32_t link, const char *path, struct mu_vec acl)
{
	ck_assert_int_eq(bed_err(link, MU_OP_SET_ACL, q_set_acl(path, acl, -1)),
	                 0);
}

#endif
