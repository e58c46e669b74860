/* Who is at the other end of a link: its identities, and the auth packets that
 * add to them. Rules 74, 77, 97. */
#include "store_impl.h"

#include "mem.h"

#include <string.h>

struct mu_who mu_peer_who(const struct mu_peer *p)
{
	return (struct mu_who){
		.identities = { p->id_count, p->ids.data, p->ids.len },
		.origin = mu_str_of(p->origin),
	};
}

bool mu_peer_may(const struct mu_peer *p, const struct mu_vec *acl,
                 int32_t perms)
{
	struct mu_who who = mu_peer_who(p);

	return mu_acl_allows(acl, perms, &who);
}

static bool is_known(const struct mu_peer *p, struct mu_str identity)
{
	struct mu_in in = mu_in_of(p->ids.data, p->ids.len);

	for (int32_t i = 0; i < p->id_count; i++)
		if (mu_str_eq(mu_get_str(&in), identity))
			return true;
	return false;
}

/* Add what stands in `b`, unless the link has it. */
static int add_identity(struct mu_peer *p, const struct mu_buf *b)
{
	struct mu_str id = { (const char *)b->data, (uint32_t)b->len };
	size_t before = p->ids.len;

	if (mu_buf_failed(b))
		return MU_ENOMEM;
	if (is_known(p, id))
		return 0;
	if (p->id_count >= (int32_t)MU_IDENTITIES_MAX ||
	    before + b->len > MU_IDENTITY_BYTES)
		return MU_EFULL;
	mu_put_str(&p->ids, id);
	if (!mu_buf_failed(&p->ids)) {
		p->id_count++;
		return 0;
	}
	mu_buf_cut(&p->ids, before);
	p->ids.failed = false;
	return MU_ENOMEM;
}

/* Compared to the end, so that the time it takes does not tell where they
 * differ. */
static bool same_secret(struct mu_str a, struct mu_str b)
{
	unsigned differ = a.len != b.len;

	for (uint32_t i = 0; i < a.len && i < b.len; i++)
		differ |= (unsigned)(a.at[i] ^ b.at[i]);
	return !differ;
}

/* The digest of the credentials; where it is the super user's, that too. */
static int add_digest(struct mu_store *s, struct mu_peer *p,
                      struct mu_str credentials)
{
	static const struct mu_str scheme = { "digest:", 7 };
	struct mu_str super = mu_str_of(s->config.super_digest);
	struct mu_buf b = { 0 };
	struct mu_buf is_super = { 0 };
	struct mu_str id;
	int err;

	mu_buf_put(&b, scheme.at, scheme.len);
	mu_put_digest(&b, credentials, s->config.sha1);
	id = (struct mu_str){ (const char *)b.data, (uint32_t)b.len };
	err = add_identity(p, &b);
	if (!err && super.len) {
		id.at += scheme.len;
		id.len -= scheme.len;
		mu_buf_put(&is_super, "super:", 6);
		if (same_secret(id, super))
			err = add_identity(p, &is_super);
	}
	mu_buf_fini(&is_super);
	mu_buf_fini(&b);
	return err;
}

static int add_auth(struct mu_store *s, struct mu_peer *p,
                    const struct mu_auth_packet *q)
{
	/* The address is known, whatever is said of it. */
	if (mu_str_eq(q->scheme, MU_STR("ip")))
		return 0;
	if (!mu_str_eq(q->scheme, MU_STR("digest")) || !s->config.sha1)
		return MU_EAUTHFAILED;
	return add_digest(s, p, q->auth);
}

void mu_auth(struct mu_store *s, struct mu_peer *p,
             const struct mu_request_header *h, struct mu_in *in)
{
	struct mu_auth_packet q;
	int err = mu_get_auth(in, &q) ? MU_EAUTHFAILED : add_auth(s, p, &q);

	if (err == MU_ENOMEM) {
		mu_peer_end(s, p, MU_CLOSE_MEMORY);
		return;
	}
	mu_reply(s, p, h->xid, 0, err ? MU_EAUTHFAILED : 0, NULL);
	if (err)
		mu_peer_end(s, p, MU_CLOSE_AUTH);
}
