/*
 * hash.h - a keyed hash, and a chained table over 32-bit ids.
 *
 * Pure. The table stores ids only: the links of its chains lie in the things
 * that it holds (see slab.h), and so do their keys. It grows by linear hashing:
 * an insert splits at most one bucket, so no call is ever long, and inserting
 * cannot fail: where memory for more buckets is refused, chains get longer
 * until it is there again.
 *
 * To look something up, walk the chain:
 *
 *     for (id = mu_table_first(t, hash); id; id = cell(id)->next)
 *             if (key of cell(id) is mine)
 *                     return id;
 */
#ifndef MU_CORE_HASH_H
#define MU_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MU_HASH_KEY 16u /* bytes */

/* SipHash-1-3 of the 8 bytes of `extra` followed by p[0..len): who does not
 * know the key cannot make names that fall together. */
uint64_t mu_hash(const uint8_t key[MU_HASH_KEY], uint64_t extra, const void *p,
                 size_t len);

/* What the table asks of the things it holds. */
struct mu_table_ops {
	/* The hash of the thing's key, the same at every call. */
	uint64_t (*hash)(const void *arg, uint32_t id);
	/* Where the thing keeps the link of its chain. */
	uint32_t *(*next)(const void *arg, uint32_t id);
};

struct mu_table {
	uint32_t **segment; /* owned; MU_TABLE_SEGMENT heads of chains each */
	uint32_t segments;  /* allocated */
	uint32_t room;      /* slots in segment[] */
	uint32_t buckets;   /* in use, at least MU_TABLE_SEGMENT */
	uint32_t top_mask;  /* least 2^k - 1 that is not below buckets - 1 */
	uint32_t count;     /* ids held */
	const struct mu_table_ops *ops;
	const void *arg; /* for ops */
};

#define MU_TABLE_SEGMENT 1024u /* buckets */

/* An empty table; after MU_ENOMEM it is good for mu_table_fini
 * and mu_table_each only. */
int mu_table_init(struct mu_table *t, const struct mu_table_ops *ops,
                  const void *arg);
void mu_table_fini(struct mu_table *t);

/* Make an empty table as large as `n` ids want it, or as memory allows: it grows
 * no less afterwards. */
void mu_table_reserve(struct mu_table *t, uint32_t n);

/* The first id of the chain in which `hash` lies; 0: none. */
uint32_t mu_table_first(const struct mu_table *t, uint64_t hash);

/* Hold `id`, whose key has `hash`. Equal keys are the caller's to avoid. */
void mu_table_insert(struct mu_table *t, uint64_t hash, uint32_t id);

/* Let go of `id`, which must be held. */
void mu_table_remove(struct mu_table *t, uint64_t hash, uint32_t id);

/* Visit all ids, in no promised order. `each` must not insert or remove. */
void mu_table_each(const struct mu_table *t,
                   void (*each)(void *arg, uint32_t id), void *arg);

#endif /* MU_CORE_HASH_H */
