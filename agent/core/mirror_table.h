/* mirror_table.h - the nodes a mirror holds, by path. Pure; for mirror*.c. */
#ifndef MU_CORE_MIRROR_TABLE_H
#define MU_CORE_MIRROR_TABLE_H

#include "path.h"

struct mu_mirror_node {
	struct mu_mirror_node *next; /* of the same slot */
	uint32_t hash;
	uint32_t len; /* of path */
	bool kept;    /* of a reading: could not be read, leave as held */
	bool ghost;   /* created and gone unread: nobody was told of it */
	bool quiet;   /* read, and nobody was told of it */
	bool past;    /* the last that was told of it is older than it */
	int32_t at_n; /* with at_zxid: changes up to there are in it */
	int64_t at_zxid;
	bool counts;     /* it was read for a change, whose event stands for */
	uint32_t ahead;  /* so many more that are yet to come */
	uint32_t unseen; /* changes that were not told for it was gone */
	int64_t gone_zxid;  /* a read found it gone as of then, and no event has
	                       said so yet; 0: none. See mirror_unseen.c */
	struct mu_str data; /* owned; at NULL: null data */
	struct mu_stat stat;
	char path[];
};

struct mu_mirror_table {
	struct mu_mirror_node *
		*slot; /* slots of them, a power of two, or NULL */
	uint32_t slots, count;
	size_t bytes; /* of all values */
};

/* A node that stands in no table; data is copied. NULL: memory is out. */
struct mu_mirror_node *mu_mirror_node_new(struct mu_str path,
                                          struct mu_str data,
                                          const struct mu_stat *stat);
void mu_mirror_node_free(struct mu_mirror_node *n);

struct mu_mirror_node *mu_mirror_table_find(const struct mu_mirror_table *t,
                                            struct mu_str path);
/* Make sure that one more node fits: MU_ENOMEM. */
int mu_mirror_table_reserve(struct mu_mirror_table *t);
/* Put a node in, after reserve; the one of the same path is freed. */
void mu_mirror_table_put(struct mu_mirror_table *t, struct mu_mirror_node *n);
/* Take a node, which is in the table, out; it is the caller's. */
void mu_mirror_table_take(struct mu_mirror_table *t, struct mu_mirror_node *n);
void mu_mirror_table_clear(struct mu_mirror_table *t);

/* Visit: NULL begins; NULL at the end. No change meanwhile. */
struct mu_mirror_node *mu_mirror_table_next(const struct mu_mirror_table *t,
                                            const struct mu_mirror_node *n);

#endif /* MU_CORE_MIRROR_TABLE_H */
