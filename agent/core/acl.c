/* ACLs: what they allow, and what of them is kept. */
#include "acl.h"

#include <string.h>

#define SHA1_LEN 20u

struct mu_acl mu_get_acl(struct mu_in *in)
{
	struct mu_acl a;

	a.perms = mu_get_int(in);
	a.scheme = mu_get_str(in);
	a.id = mu_get_str(in);
	return a;
}

void mu_put_acl(struct mu_buf *b, const struct mu_acl *a)
{
	mu_put_int(b, a->perms);
	mu_put_str(b, a->scheme);
	mu_put_str(b, a->id);
}

struct mu_acl mu_identity_parts(struct mu_str identity)
{
	struct mu_acl parts = { 0, identity, MU_STR("") };

	for (uint32_t i = 0; i < identity.len; i++)
		if (identity.at[i] == ':') {
			parts.scheme.len = i;
			parts.id.at = identity.at + i + 1;
			parts.id.len = identity.len - i - 1;
			break;
		}
	return parts;
}

struct mu_str mu_identity_user(const struct mu_acl *identity)
{
	if (!mu_str_eq(identity->scheme, MU_STR("digest")))
		return identity->id;
	return mu_identity_parts(identity->id).scheme;
}

/* ---- what an ACL allows ---- */

static bool is_super(const struct mu_who *who)
{
	struct mu_in in = mu_in_of(who->identities.at, who->identities.len);

	for (int32_t i = 0; i < who->identities.count; i++)
		if (mu_str_starts(mu_get_str(&in), MU_STR("super:")))
			return true;
	return false;
}

static bool is_world(const struct mu_acl *a)
{
	return mu_str_eq(a->scheme, MU_STR("world")) &&
	       mu_str_eq(a->id, MU_STR("anyone"));
}

static bool has_identity(const struct mu_who *who, const struct mu_acl *a)
{
	struct mu_in in = mu_in_of(who->identities.at, who->identities.len);

	for (int32_t i = 0; i < who->identities.count; i++) {
		struct mu_acl own = mu_identity_parts(mu_get_str(&in));

		if (mu_str_eq(own.scheme, a->scheme) &&
		    mu_str_eq(own.id, a->id))
			return true;
	}
	return false;
}

static bool is_meant(const struct mu_acl *a, const struct mu_who *who)
{
	if (is_world(a))
		return true;
	if (mu_str_eq(a->scheme, MU_STR("ip")))
		return mu_ip_matches(mu_origin_address(who->origin), a->id);
	return has_identity(who, a);
}

bool mu_acl_allows(const struct mu_vec *acl, int32_t perms,
                   const struct mu_who *who)
{
	struct mu_in in = mu_in_of(acl->at, acl->len);

	if (acl->count <= 0 || is_super(who))
		return true;
	for (int32_t i = 0; i < acl->count; i++) {
		struct mu_acl a = mu_get_acl(&in);

		if ((a.perms & perms) && is_meant(&a, who))
			return true;
	}
	return false;
}

/* ---- what is kept of the ACL of a request ---- */

/* "user:hash", as ZooKeeper splits it: colons at the end do not count, and of
 * others there is one. */
static bool digest_is_valid(struct mu_str id)
{
	uint32_t colons = 0;

	while (id.len && id.at[id.len - 1] == ':')
		id.len--;
	for (uint32_t i = 0; i < id.len; i++)
		colons += id.at[i] == ':';
	return colons == 1;
}

static bool is_valid(const struct mu_acl *a)
{
	if (is_world(a))
		return true;
	if (mu_str_eq(a->scheme, MU_STR("digest")))
		return digest_is_valid(a->id);
	return mu_str_eq(a->scheme, MU_STR("ip")) && mu_ip_is_valid(a->id);
}

static bool same(const struct mu_acl *a, const struct mu_acl *b)
{
	return a->perms == b->perms && mu_str_eq(a->scheme, b->scheme) &&
	       mu_str_eq(a->id, b->id);
}

/* Does the entry stand among the first n of the ACL too? */
static bool is_repeated(const struct mu_vec *acl, int32_t n,
                        const struct mu_acl *a)
{
	struct mu_in in = mu_in_of(acl->at, acl->len);

	while (n-- > 0) {
		struct mu_acl earlier = mu_get_acl(&in);

		if (same(&earlier, a))
			return true;
	}
	return false;
}

/* The identities that prove something: an address, and super, do not. */
static int put_identities(const struct mu_who *who, int32_t perms,
                          struct mu_buf *out)
{
	struct mu_in in = mu_in_of(who->identities.at, who->identities.len);
	int count = 0;

	for (int32_t i = 0; i < who->identities.count; i++) {
		struct mu_acl a = mu_identity_parts(mu_get_str(&in));

		if (!mu_str_eq(a.scheme, MU_STR("digest")))
			continue;
		a.perms = perms;
		mu_put_acl(out, &a);
		count++;
	}
	return count;
}

int mu_acl_fix(const struct mu_vec *acl, const struct mu_who *who,
               struct mu_buf *out, struct mu_vec *fixed)
{
	struct mu_in in = mu_in_of(acl->at, acl->len);
	size_t from = out->len;
	int32_t count = 0;

	if (acl->count <= 0 || acl->count > (int32_t)MU_ACL_MAX)
		return MU_EINVALIDACL;
	for (int32_t i = 0; i < acl->count; i++) {
		struct mu_acl a = mu_get_acl(&in);
		int n = 1;

		if (is_repeated(acl, i, &a))
			continue;
		if (mu_str_eq(a.scheme, MU_STR("auth")))
			n = put_identities(who, a.perms, out);
		else if (is_valid(&a))
			mu_put_acl(out, &a);
		else
			return MU_EINVALIDACL;
		count += n;
		if (n == 0 || count > (int32_t)MU_ACL_MAX)
			return MU_EINVALIDACL;
	}
	if (mu_buf_failed(out))
		return MU_ENOMEM;
	*fixed = (struct mu_vec){ count, out->data + from, out->len - from };
	return 0;
}

void mu_put_acl_masked(struct mu_buf *b, const struct mu_vec *acl)
{
	struct mu_in in = mu_in_of(acl->at, acl->len);

	mu_put_int(b, acl->count);
	for (int32_t i = 0; i < acl->count; i++) {
		struct mu_acl a = mu_get_acl(&in);
		struct mu_str user = mu_identity_user(&a);

		if (user.len == a.id.len) {
			mu_put_acl(b, &a);
			continue;
		}
		mu_put_int(b, a.perms);
		mu_put_str(b, a.scheme);
		mu_put_int(b, (int32_t)(user.len + 2));
		mu_buf_put(b, user.at, user.len);
		mu_buf_put(b, ":x", 2);
	}
}

/* ---- digests ---- */

static void put_base64(struct mu_buf *b, const uint8_t *p, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16;
		char four[4] = { '=', '=', '=', '=' };

		if (n > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			bits |= p[i + 2];
		for (size_t k = 0; k <= n; k++)
			four[k] = letters[bits >> (18 - 6 * k) & 63];
		mu_buf_put(b, four, sizeof four);
	}
}

void mu_put_digest(struct mu_buf *b, struct mu_str credentials,
                   mu_sha1_fn *sha1)
{
	struct mu_str user = mu_identity_parts(credentials).scheme;
	uint8_t hash[SHA1_LEN];

	sha1(credentials.at, credentials.len, hash);
	mu_buf_put(b, user.at, user.len);
	mu_buf_put(b, ":", 1);
	put_base64(b, hash, sizeof hash);
}
