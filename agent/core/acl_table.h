/*
 * acl_table.h - the ACLs that nodes have, each kept once.
 *
 * Pure. An ACL has a small id and is counted; id 0 is the open ACL
 * (mu_acl_open), which costs nothing. One thread owns a table.
 */
#ifndef MU_CORE_ACL_TABLE_H
#define MU_CORE_ACL_TABLE_H

#include "hash.h"
#include "proto.h"
#include "slab.h"

#define MU_ACL_OPEN 0u

struct mu_acls {
	const uint8_t *key; /* borrowed; for the hash */
	struct mu_slab cells;
	struct mu_table by_bytes;
	uint32_t idle; /* first of the list of those that nobody counts */
};

/* MU_ENOMEM; then good for fini only. key: MU_HASH_KEY bytes that stay. */
int mu_acls_init(struct mu_acls *t, const uint8_t *key);
void mu_acls_fini(struct mu_acls *t);

/* The id of an ACL (copied), counted once more. MU_ENOMEM: unchanged. */
int mu_acls_ref(struct mu_acls *t, const struct mu_vec *acl, uint32_t *id);
/* Count it once less. MU_ACL_OPEN is allowed. */
void mu_acls_unref(struct mu_acls *t, uint32_t id);
/* Free those that nobody counts any more: until then their ids stay good. */
void mu_acls_sweep(struct mu_acls *t);

/* Borrowed until it is swept away. */
struct mu_vec mu_acls_get(const struct mu_acls *t, uint32_t id);

#endif /* MU_CORE_ACL_TABLE_H */
