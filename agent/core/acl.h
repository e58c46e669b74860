/*
 * acl.h - who may do what to a node. Rules 28, 74 to 78, 97.
 *
 * Pure. An ACL is a vector of {int perms, string scheme, string id} as it came
 * over the wire (proto.h). Whoever asks is known by identities, strings of the
 * form "scheme:id": "digest:user:hash", "super:", and by the address in its
 * origin, which is its identity of the scheme ip.
 *
 *     world   the id "anyone": everybody
 *     digest  "user:base64(SHA-1(user:password))", equal to an identity
 *     ip      an address, v4 or v6, with or without "/bits"
 *     auth    in a request only: stands for the identities of who asks
 *
 * Whoever has an identity of the scheme super may do everything.
 */
#ifndef MU_CORE_ACL_H
#define MU_CORE_ACL_H

#include "proto.h"

enum mu_perm {
	MU_PERM_READ = 1,
	MU_PERM_WRITE = 2,
	MU_PERM_CREATE = 4,
	MU_PERM_DELETE = 8,
	MU_PERM_ADMIN = 16,
};

#define MU_ACL_MAX 256u         /* entries of one ACL */
#define MU_IDENTITIES_MAX 32u   /* of one link, besides its address */
#define MU_IDENTITY_BYTES 4096u /* of one link's identities, all together */

struct mu_acl {
	int32_t perms;
	struct mu_str scheme, id;
};

/* The next entry of an ACL that decoded. */
struct mu_acl mu_get_acl(struct mu_in *in);
void mu_put_acl(struct mu_buf *b, const struct mu_acl *a);

/* Who asks. */
struct mu_who {
	struct mu_vec identities; /* of strings */
	struct mu_str origin;     /* "10.0.0.7", "tcp:10.0.0.7", "[::1]:4" */
};

/* Does `acl` give one of `perms` to `who`? An ACL of no entries gives all. */
bool mu_acl_allows(const struct mu_vec *acl, int32_t perms,
                   const struct mu_who *who);

/*
 * The ACL of a request as it will be kept: entries said twice once, `auth`
 * replaced by the identities of `who`. Appended to `out`, into which *fixed
 * then points: it is good until `out` changes. Errors, where what was
 * appended must not be used: MU_EINVALIDACL (null, empty, more than
 * MU_ACL_MAX, a scheme or an id that is none, `auth` without an identity),
 * MU_ENOMEM.
 */
int mu_acl_fix(const struct mu_vec *acl, const struct mu_who *who,
               struct mu_buf *out, struct mu_vec *fixed);

/* Append an ACL as one sees it who may not change it: the hashes of digests
 * are replaced by "x" (rule 76). */
void mu_put_acl_masked(struct mu_buf *b, const struct mu_vec *acl);

/* How the SHA-1 of some bytes is made: a function of the shell. */
typedef void mu_sha1_fn(const void *bytes, size_t len, uint8_t hash[20]);

/* Append "user:base64(SHA-1(user:password))" for the credentials
 * "user:password"; the user is all up to the first ':'. */
void mu_put_digest(struct mu_buf *b, struct mu_str credentials,
                   mu_sha1_fn *sha1);

/* An identity "scheme:id" in its two parts; without a ':' the id is empty. */
struct mu_acl mu_identity_parts(struct mu_str identity);

/* The name that whoAmI shows for an id: of a digest the user alone. */
struct mu_str mu_identity_user(const struct mu_acl *identity);

/* The address in an origin: without brackets, port and what may follow. */
struct mu_str mu_origin_address(struct mu_str origin);

/* Is `expr` ("10.0.0.0/8", "fe80::/10", "10.0.0.7") well formed? */
bool mu_ip_is_valid(struct mu_str expr);
/* Is the address `address` in it? */
bool mu_ip_matches(struct mu_str address, struct mu_str expr);

#endif /* MU_CORE_ACL_H */
