/*
 * cache.h - the last known good state of an instance: the values of what it
 * watches as it last handled them, and the records of the members. A file. Pure.
 *
 *     long tree id, int hash of the brokers' list
 *     int count, and for each source
 *             string path, int mode, long zxid, int n: as of when
 *             int count of nodes, and for each: string path, buffer value, Stat
 *
 * Members are nodes below /members, of a source of mode MU_KEEP_MEMBERS.
 */
#ifndef MU_HOST_CACHE_H
#define MU_HOST_CACHE_H

#include "cursor.h"
#include "proto.h"

/* ---- writing ---- */

struct mu_cache_writer {
	struct mu_buf *b;
	size_t sources_at, nodes_at; /* where the counts stand */
	int32_t sources, nodes;
};

/* Into an empty buffer; whether memory was out says the buffer. */
void mu_cache_begin(struct mu_cache_writer *w, struct mu_buf *b,
                    int64_t tree_id, uint32_t brokers);
void mu_cache_source(struct mu_cache_writer *w, const struct mu_keep_source *s,
                     const struct mu_keep_place *at);
/* A node of the source that was begun last. data.at NULL: no value. */
void mu_cache_node(struct mu_cache_writer *w, struct mu_str path,
                   struct mu_str data, const struct mu_stat *stat);
/* Whole, but for its checksum (mu_sealed_sum). */
void mu_cache_end(struct mu_cache_writer *w);

/* ---- reading ---- */

struct mu_cache_node {
	struct mu_str path, data; /* data.at NULL: no value */
	struct mu_stat stat;
};

/* The nodes of one source, borrowed from the file's bytes; to be walked:
 *     for (rest = part; mu_cache_next(&rest, &node);) ... */
struct mu_cache_part {
	struct mu_keep_place at;
	int32_t count;
	struct mu_in nodes;
};

/* Is it a whole file? All of it is looked at. MU_EDATA with a sentence. */
int mu_cache_check(const void *p, size_t len, int64_t *tree_id,
                   uint32_t *brokers, struct mu_err *err);
/* The part of a source, of a file that was checked. False: there is none. */
bool mu_cache_find(const void *p, size_t len, const struct mu_keep_source *s,
                   struct mu_cache_part *out);
bool mu_cache_next(struct mu_cache_part *rest, struct mu_cache_node *out);

#endif /* MU_HOST_CACHE_H */
