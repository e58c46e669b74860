/*
 * tree.h - the nodes, in memory.
 *
 * Pure: no I/O, no clock, no locks, no globals. The caller numbers the
 * transactions and tells the time, so the same calls make the same tree on
 * every machine and in every test. One thread owns a tree for its whole life.
 *
 * A node costs at most 120 bytes besides its name and data, allocator included
 * (measured by tests/bench). Lookup is by keyed hash of (parent, name); create,
 * delete and exists are O(1) however many siblings there are; the table grows a
 * few buckets at a time, so that no single call is long.
 *
 * Changes are made inside a transaction: mu_tree_begin, changes, then
 * mu_tree_commit or mu_tree_rollback. A change that fails leaves the tree as
 * it was before that change; rollback undoes all since begin and cannot fail,
 * nor can commit. Reads inside a transaction see its changes.
 *
 * The tree checks what keeps it whole (parents, names that are taken, children
 * of a node that goes, children of ephemerals). Versions, modes, permissions
 * and quotas are the business of command.c. The special nodes of rule 73
 * (/zookeeper, /zookeeper/quota, /zookeeper/config) are made by mu_tree_new.
 */
#ifndef MU_CORE_TREE_H
#define MU_CORE_TREE_H

#include "proto.h"

struct mu_tree;

/* 32-bit handle of a node. 0: none. The root is MU_NODE_ROOT. A handle dies
 * with its node and may then be given to another. */
typedef uint32_t mu_node_id;
#define MU_NODE_NONE 0u
#define MU_NODE_ROOT 1u
#define MU_NODE_QUOTA 3u /* /zookeeper/quota, which stays too */

/* Rule 69: what an owner is that is no session. A container's, and the high
 * byte of one with a time to live, whose low 40 bits are the ms. */
#define MU_OWNER_CONTAINER INT64_MIN
#define MU_OWNER_TTL (-(INT64_C(1) << 56))
#define MU_TTL_MAX_MS ((INT64_C(1) << 40) - 1) /* rule 99 */
bool mu_owner_is_mortal(int64_t owner);        /* one of these two */

/* How a transaction stamps what it changes. */
struct mu_stamp {
	int64_t zxid;
	int64_t time_ms; /* wall clock; 48 bits of it are kept */
};

/* A tree with the root and the special nodes of rule 73; key: 16 random bytes
 * for the hash of names. NULL when memory is out. */
struct mu_tree *mu_tree_new(const uint8_t key[16]);
void mu_tree_free(struct mu_tree *t); /* NULL is allowed */

/* Find a node by path (legal, see path.h). MU_NODE_NONE if it is not there. */
mu_node_id mu_tree_find(const struct mu_tree *t, struct mu_str path);

/* Find a child by name. */
mu_node_id mu_tree_child(const struct mu_tree *t, mu_node_id parent,
                         struct mu_str name);

/* Walk the children, in no promised order: first, then next of each until
 * MU_NODE_NONE. Do not change the tree meanwhile. */
mu_node_id mu_tree_first(const struct mu_tree *t, mu_node_id parent);
mu_node_id mu_tree_next(const struct mu_tree *t, mu_node_id child);

mu_node_id mu_tree_parent(const struct mu_tree *t, mu_node_id id);
struct mu_str mu_tree_name(const struct mu_tree *t, mu_node_id id); /*borrowed*/

/* Append the full path of a node to `out` (see buf.h for running out). */
struct mu_buf;
void mu_tree_path(const struct mu_tree *t, mu_node_id id, struct mu_buf *out);

/* The data: *len is -1 for null (rule 62), else bytes. Borrowed until the node
 * changes or its transaction ends. */
const uint8_t *mu_tree_data(const struct mu_tree *t, mu_node_id id,
                            int32_t *len);

/* All of ZooKeeper's fields; cversion as reported (rule 56), ephemeral_owner 0
 * for containers and TTL nodes (rule 51). */
void mu_tree_stat(const struct mu_tree *t, mu_node_id id, struct mu_stat *stat);

/* Just the fields that decisions are made by. */
int64_t mu_tree_owner(const struct mu_tree *t, mu_node_id id); /* raw owner */
int32_t mu_tree_version(const struct mu_tree *t, mu_node_id id);
int32_t mu_tree_creates(const struct mu_tree *t, mu_node_id id); /* rule 57 */
int64_t mu_tree_mzxid(const struct mu_tree *t, mu_node_id id);
int64_t mu_tree_pzxid(const struct mu_tree *t, mu_node_id id);
int64_t mu_tree_czxid(const struct mu_tree *t, mu_node_id id);
int64_t mu_tree_mtime(const struct mu_tree *t, mu_node_id id); /* ms */
uint32_t mu_tree_children(const struct mu_tree *t, mu_node_id id);

/* The ACL, borrowed until it is changed, and its version (rule 78). open: it is
 * OPEN_ACL_UNSAFE, which needs no check. */
struct mu_vec mu_tree_acl(const struct mu_tree *t, mu_node_id id);
bool mu_tree_is_open(const struct mu_tree *t, mu_node_id id);
int32_t mu_tree_aversion(const struct mu_tree *t, mu_node_id id);

/* The ACL by a number, which is good until the next transaction begins, also if
 * its last node has gone; 0: open. */
uint32_t mu_tree_acl_id(const struct mu_tree *t, mu_node_id id);
struct mu_vec mu_tree_acl_at(const struct mu_tree *t, uint32_t acl);

/* The node after `id` in a walk through all below `top`, parents first; none at
 * the end. Begin with `top` itself. */
mu_node_id mu_tree_walk(const struct mu_tree *t, mu_node_id id, mu_node_id top);

/* Containers and nodes with a time to live stand in slots from 1 on: how many
 * slots there are, and the node in one (MU_NODE_NONE: it is empty). Good
 * outside a transaction. */
uint32_t mu_tree_mortal_slots(const struct mu_tree *t);
mu_node_id mu_tree_mortal_at(const struct mu_tree *t, uint32_t slot);

uint32_t mu_tree_count(const struct mu_tree *t); /* rule 73: 5 when empty */
uint64_t mu_tree_bytes(const struct mu_tree *t); /* names and data, bytes */
/* What the nodes take in memory, bytes, with MU_NODE_COST for each besides its
 * name and data. */
#define MU_NODE_COST 120u
uint64_t mu_tree_memory(const struct mu_tree *t);
uint32_t mu_tree_ephemerals(const struct mu_tree *t); /* of all sessions */

/* The ephemerals of one session, in no promised order: calls `each` until it
 * returns non-zero, and returns that (0 if it never does). `each` must not
 * change the tree. */
int mu_tree_owned(const struct mu_tree *t, int64_t owner,
                  int (*each)(void *arg, mu_node_id id), void *arg);
uint32_t mu_tree_owned_count(const struct mu_tree *t, int64_t owner);
uint64_t mu_tree_owned_bytes(const struct mu_tree *t,
                             int64_t owner); /* of their paths */

/* Open a transaction. One at a time. */
void mu_tree_begin(struct mu_tree *t);
void mu_tree_commit(struct mu_tree *t);
void mu_tree_rollback(struct mu_tree *t);

/*
 * Add a child. name and data are copied; len -1 with data NULL is null data.
 * owner: a session id for an ephemeral, 0 for a persistent node, or the values
 * of rule 69. The parent's count of creates grows by one, its pzxid becomes
 * stamp->zxid. *id is written on success.
 *
 * Errors: MU_EEXISTS, MU_ENOCHILDREN (the parent is ephemeral), MU_ENOMEM.
 */
int mu_tree_create(struct mu_tree *t, mu_node_id parent, struct mu_str name,
                   const void *data, int32_t len, int64_t owner,
                   const struct mu_stamp *stamp, mu_node_id *id);

/* Remove a node; the parent's pzxid becomes stamp->zxid. Errors: MU_ENOTEMPTY,
 * MU_ENOMEM (no room to note how to undo it). Never the root. */
int mu_tree_delete(struct mu_tree *t, mu_node_id id,
                   const struct mu_stamp *stamp);

/* Replace the data; the version grows by one and wraps (rule 55). Error:
 * MU_ENOMEM. */
int mu_tree_set(struct mu_tree *t, mu_node_id id, const void *data, int32_t len,
                const struct mu_stamp *stamp);

/* The same for a text that the broker itself keeps (rule 79): version, mzxid and
 * mtime stay. Error: MU_ENOMEM. */
int mu_tree_put_text(struct mu_tree *t, mu_node_id id, const void *data,
                     int32_t len);

/* Give a node an ACL (copied; of one entry or more) and its version. Nothing
 * else of the node changes. Error: MU_ENOMEM. */
int mu_tree_put_acl(struct mu_tree *t, mu_node_id id, const struct mu_vec *acl,
                    int32_t aversion);

/* For tests: check every promise the structure makes to itself; MU_BUG_ON on
 * the first that does not hold. O(nodes). */
void mu_tree_verify(const struct mu_tree *t);

#endif /* MU_CORE_TREE_H */
