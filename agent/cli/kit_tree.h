/*
 * kit_tree.h - a tree in memory that stands for the broker's while a plugin is
 * tried out: values and Stats, no ACLs, and one session, which its ephemerals
 * are of. Sorted by path.
 */
#ifndef MU_CLI_KIT_TREE_H
#define MU_CLI_KIT_TREE_H

#include "chan.h"

struct kit_node {
	char *path;
	void *data;          /* NULL: null data */
	int32_t len;         /* -1: null data */
	struct mu_stat stat; /* data_len and num_children are kept */
};

struct kit_tree {
	struct kit_node *node;
	size_t count, room;
	int64_t zxid; /* the last that was heard of */
};

void kit_tree_fini(struct kit_tree *t);
/* Borrowed until the next change; NULL. */
struct kit_node *kit_tree_find(const struct kit_tree *t, const char *path);
/* Make or replace a node; what is missing above it comes with null data. data NULL
 * and len -1: null. MU_ENOMEM: parents may have come. */
int kit_tree_put(struct kit_tree *t, const char *path, const void *data,
                 int32_t len, const struct mu_stat *stat);
/* A node with all below it. */
void kit_tree_remove(struct kit_tree *t, const char *path);

/* Answer a CALL as a broker would: a RESULT is put to `out`. Returns the code that
 * it holds. */
int kit_tree_answer(struct kit_tree *t, const struct mu_chan_call *call,
                    struct mu_buf *out);

#endif /* MU_CLI_KIT_TREE_H */
