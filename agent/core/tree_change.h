/* tree_change.h - making and placing nodes; private to tree*.c. */
#ifndef MU_CORE_TREE_CHANGE_H
#define MU_CORE_TREE_CHANGE_H

#include "tree_node.h"

/* A node that stands nowhere yet, with the parent it is meant for. Copies name
 * and data. 0: memory is out. */
mu_node_id mu_tree_node_new(struct mu_tree *t, mu_node_id parent,
                            struct mu_str name, const void *data, int32_t len,
                            int64_t owner, const struct mu_stamp *stamp);

/* Copy a name and data to where a node keeps them. MU_ENOMEM. */
int mu_tree_payload_new(union mu_payload *out, struct mu_str name,
                        const void *data, int32_t len);
/* Free the memory of a node's name and data, if they have any. */
void mu_tree_payload_free(const struct mu_node *n);

/* Put a new node first among its parent's children, and among its owner's. */
void mu_tree_attach(struct mu_tree *t, mu_node_id id);

#endif /* MU_CORE_TREE_CHANGE_H */
