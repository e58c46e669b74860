/*
 * tree_node.h - how a tree lies in memory; private to tree*.c and their tests.
 *
 * Nodes are cells of a slab and name each other by 32-bit ids. A node that is
 * deleted within a transaction is *detached*: taken out of the table and of its
 * lists, but its cell, with its own links untouched, waits for the end of the
 * transaction. Undoing in exactly the reverse order puts it back between the
 * neighbours that it had.
 */
#ifndef MU_CORE_TREE_NODE_H
#define MU_CORE_TREE_NODE_H

#include "acl_table.h"
#include "hash.h"
#include "slab.h"
#include "tree.h"

#define MU_NEAR 8u /* bytes */

/* The name of a node, and its data right behind it: up to MU_NEAR bytes lie in
 * the node itself, more of them in memory of their own. */
union mu_payload {
	uint8_t near[MU_NEAR];
	uint8_t *far; /* owned */
};

struct mu_node {
	uint32_t hash_next; /* chain in the table of (parent, name) */
	mu_node_id parent;
	mu_node_id sib_next, sib_prev;
	union {
		/* Of a node that may have children. */
		struct {
			mu_node_id first; /* child */
			uint32_t children;
			uint32_t creates; /* stored cversion, rule 56 */
		};
		/* Of an ephemeral, which may not: its session's others. */
		struct {
			mu_node_id own_next, own_prev;
		};
	};
	uint32_t trait; /* of struct mu_trait; 0: nothing special */
	uint32_t version;
	uint32_t name_len; /* bytes */
	int32_t data_len;  /* bytes; -1: null */
	/* Times in ms, 48 bits of each: see mu_time_join. */
	uint32_t ctime_low, mtime_low;
	int16_t ctime_high, mtime_high;
	union mu_payload payload;
	int64_t czxid, mzxid, pzxid;
};

/* Of the 120 bytes that a node may cost, 88 are its cell, 3 the buckets of the
 * table, and up to 23 what the allocator takes for a payload that is far. */
_Static_assert(sizeof(struct mu_node) <= 88, "a node's cell is too big");

static inline size_t mu_payload_len(uint32_t name_len, int32_t data_len)
{
	return name_len + (data_len < 0 ? 0 : (size_t)data_len);
}

/* The name's first byte. Good until the payload changes. */
static inline const uint8_t *mu_node_payload(const struct mu_node *n)
{
	return mu_payload_len(n->name_len, n->data_len) <= MU_NEAR
	               ? n->payload.near
	               : n->payload.far;
}

/* 48 bits reach from 4,460 years before 1970 to as many after; times beyond
 * are moved to the nearer end. */
#define MU_TIME_MAX ((INT64_C(1) << 47) - 1)

static inline int64_t mu_time_clamp(int64_t ms)
{
	if (ms > MU_TIME_MAX)
		return MU_TIME_MAX;
	return ms < -MU_TIME_MAX ? -MU_TIME_MAX : ms;
}

static inline int64_t mu_time_join(int16_t high, uint32_t low)
{
	return high * (INT64_C(1) << 32) + low;
}

static inline int16_t mu_time_high(int64_t ms)
{
	return (int16_t)(mu_time_clamp(ms) >> 32);
}

static inline uint32_t mu_time_low(int64_t ms)
{
	return (uint32_t)mu_time_clamp(ms);
}

/* A value of ephemeralOwner, once for all nodes that have it. */
struct mu_owner {
	int64_t value;
	uint32_t hash_next;
	uint32_t refs;    /* traits with this owner */
	uint32_t count;   /* attached ephemerals of it */
	mu_node_id first; /* of these */
	uint64_t bytes;   /* of their paths */
};

/* What most nodes have not: an owner, an ACL that is not open, an ACL that was
 * changed. Once for all nodes that have the same, so that it costs a node's
 * cell no more than a number, and a plain node nothing. */
struct mu_trait {
	uint32_t hash_next;
	uint32_t refs;  /* nodes, detached ones included, and undo entries */
	uint32_t owner; /* of struct mu_owner; 0: persistent */
	uint32_t acl;   /* in tree.acls */
	uint32_t aversion;
};

/* A container, or a node with a time to live. */
struct mu_mortal {
	uint32_t hash_next;
	mu_node_id node; /* 0: the cell is free */
};

enum mu_undo_kind {
	MU_UNDO_CREATE,
	MU_UNDO_DELETE,
	MU_UNDO_SET,
	MU_UNDO_TRAIT
};

/* What a change has replaced. */
struct mu_undo {
	enum mu_undo_kind kind;
	mu_node_id id;
	int64_t zxid; /* CREATE, DELETE: the parent's pzxid. SET: mzxid */
	int64_t mtime;
	union mu_payload payload; /* SET: owned */
	int32_t data_len;
	uint32_t version;
	uint32_t trait; /* TRAIT: counted */
};

struct mu_tree {
	uint8_t key[MU_HASH_KEY];
	struct mu_slab nodes, owners, traits, mortals;
	struct mu_table by_name, by_owner, by_trait, by_mortal;
	struct mu_acls acls;
	uint32_t count; /* attached nodes */
	uint32_t ephemerals;
	uint64_t bytes;       /* names and data of attached nodes */
	bool open;            /* a transaction is */
	struct mu_undo *undo; /* owned; in the order of the changes */
	size_t undos, undo_room;
};

static inline struct mu_node *mu_tree_node(const struct mu_tree *t,
                                           mu_node_id id)
{
	return mu_slab_at(&t->nodes, id);
}

static inline struct mu_trait *mu_tree_trait(const struct mu_tree *t,
                                             uint32_t trait)
{
	return mu_slab_at(&t->traits, trait);
}

/* The owner of a node, of struct mu_owner; 0: none. */
static inline uint32_t mu_node_owner(const struct mu_tree *t,
                                     const struct mu_node *n)
{
	return n->trait ? mu_tree_trait(t, n->trait)->owner : 0;
}

/* An ephemeral belongs to a session. The other owners of rule 69, containers
 * and nodes with a time to live, belong to nobody and may have children. */
bool mu_tree_is_ephemeral(const struct mu_tree *t, const struct mu_node *n);

/* A tree without a single node, as mu_tree_load_node wants it (tree.c). */
struct mu_tree *mu_tree_bare(const uint8_t key[16]);

/* The next version: it grows by one, and wraps past -1 to 0 (rule 55). */
static inline uint32_t mu_version_next(uint32_t version)
{
	return version + 1 == UINT32_MAX ? 0 : version + 1;
}

/* ---- owners (tree_owner.c) ---- */

int mu_tree_owners_init(struct mu_tree *t);
void mu_tree_owners_fini(struct mu_tree *t);

/* Count one more trait of the owner `value` (not 0), making its record if there
 * is none. MU_ENOMEM. */
int mu_tree_owner_ref(struct mu_tree *t, int64_t value, uint32_t *owner);
/* And one less; the last takes the record along. 0 is allowed. */
void mu_tree_owner_unref(struct mu_tree *t, uint32_t owner);

int64_t mu_tree_owner_value(const struct mu_tree *t, uint32_t owner);

/* Put an ephemeral first among those of its session, or take it out; other
 * nodes are let alone. back: put it where it was before it was taken out. */
void mu_tree_own(struct mu_tree *t, mu_node_id id);
/* Does it stand among them? */
bool mu_tree_is_owned(const struct mu_tree *t, mu_node_id id);
void mu_tree_own_back(struct mu_tree *t, mu_node_id id);
void mu_tree_disown(struct mu_tree *t, mu_node_id id);

/* ---- traits and mortals (tree_trait.c) ---- */

int mu_tree_traits_init(struct mu_tree *t);
void mu_tree_traits_fini(struct mu_tree *t);

/* Count one more use of the trait of these three, making it if there is none.
 * *trait is 0 where nothing is special. MU_ENOMEM: unchanged. */
int mu_tree_trait_ref(struct mu_tree *t, int64_t owner,
                      const struct mu_vec *acl, uint32_t aversion,
                      uint32_t *trait);
/* Count one more use of a trait that is there. */
void mu_tree_trait_again(struct mu_tree *t, uint32_t trait);
/* And one less; 0 is allowed. */
void mu_tree_trait_unref(struct mu_tree *t, uint32_t trait);

/* Enter a node with a mortal owner into the list of them (MU_ENOMEM), and take
 * it out; other nodes are let alone. */
int mu_tree_mortal_add(struct mu_tree *t, mu_node_id id);
void mu_tree_mortal_drop(struct mu_tree *t, mu_node_id id);

#endif /* MU_CORE_TREE_NODE_H */
