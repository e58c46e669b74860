/*
 * tree_load.h - a tree node by node, as a snapshot has it: out in the order in
 * which it can be made again, and in without transactions; private to tree*.c
 * and snapshot*.c.
 */
#ifndef MU_CORE_TREE_LOAD_H
#define MU_CORE_TREE_LOAD_H

#include "tree.h"

/* All of a node that is state, save its place and its trait. */
struct mu_tree_row {
	struct mu_str name;
	const uint8_t *data; /* behind the name's bytes, if read from a tree */
	int32_t data_len;    /* -1: null */
	uint32_t version, creates; /* creates: 0 for an ephemeral */
	int64_t czxid, mzxid, pzxid;
	int64_t ctime, mtime; /* ms */
};

/* What nodes share (tree_node.h): the number that is an owner of rule 69 or a
 * session, an ACL, its version. */
struct mu_tree_shared {
	int64_t owner;
	struct mu_vec acl; /* borrowed */
	uint32_t aversion;
};

/* ---- out ---- */

/* Ids of nodes and of traits are below these. */
uint32_t mu_tree_node_top(const struct mu_tree *t);
uint32_t mu_tree_trait_top(const struct mu_tree *t);

/* The node after `id`, parents first, of siblings the last first; none at the
 * end. Begin with the root. *up: how many levels above `id` its parent is, 0 if
 * that is `id` itself. */
mu_node_id mu_tree_load_next(const struct mu_tree *t, mu_node_id id,
                             uint32_t *up);
/* *trait: its number, 0 for none. */
void mu_tree_row(const struct mu_tree *t, mu_node_id id,
                 struct mu_tree_row *row, uint32_t *trait);
void mu_tree_shared(const struct mu_tree *t, uint32_t trait,
                    struct mu_tree_shared *out);

/* A session's ephemerals from the one that has been there longest, then the next
 * younger; none at the end. */
mu_node_id mu_tree_owned_last(const struct mu_tree *t, int64_t owner);
mu_node_id mu_tree_owned_before(const struct mu_tree *t, mu_node_id id);

/* ---- in ---- */

/* A tree without a node, with room for so many in its table. NULL: memory. */
struct mu_tree *mu_tree_load_new(const uint8_t key[16], uint32_t nodes);

/* Count a use of what nodes are to share. The caller gives it back with
 * mu_tree_load_let_go when all nodes are in. MU_EDATA: nothing is special about
 * it, or it is no ACL; MU_ENOMEM. */
int mu_tree_load_shared(struct mu_tree *t, const struct mu_tree_shared *shared,
                        uint32_t *trait);
void mu_tree_load_let_go(struct mu_tree *t, uint32_t trait);

/* Add a node; the first is the root, of the parent MU_NODE_NONE. They get the ids
 * 1, 2 and so on. MU_ENOMEM. MU_EDATA, with why as a few words: the name is not
 * one, or taken; the parent is ephemeral; something that only rule 73's nodes
 * are, or cannot be. */
int mu_tree_load_node(struct mu_tree *t, mu_node_id parent,
                      const struct mu_tree_row *row, uint32_t trait,
                      const char **why);

/* Put it first among the ephemerals of `owner`. MU_EDATA: there is no such node,
 * it is not one of them, or is there already. */
int mu_tree_load_own(struct mu_tree *t, mu_node_id id, int64_t owner);

/* Is it whole? MU_EDATA, with why: a node of rule 73 is missing, an ephemeral
 * has no session. */
int mu_tree_load_done(const struct mu_tree *t, const char **why);

/* Is this a number that a session may have? */
bool mu_owner_is_session(int64_t owner);
/* Is this a name that a node may have? MU_EDATA: no; MU_ENOMEM. */
int mu_tree_name_check(struct mu_str name);

#endif /* MU_CORE_TREE_LOAD_H */
