/*
 * snapshot.h - a store's state as a stream of bytes, and back.
 *
 * Pure. What is written depends on the commands that were applied and on nothing
 * else: not on the hash key, on memory, on links, or on the store having come
 * out of a snapshot itself. So two stores that applied the same commands give
 * the same bytes, and a store that was restored goes on as the one that was
 * written would have: children and the ephemerals of a session are in the same
 * order. What is logged and not yet applied is not in it; the journal has it.
 *
 * Layout; fixed numbers are little endian, `num` is LEB128 of a 64-bit number:
 *
 *     head     MU_SNAPSHOT_HEAD bytes: magic, version, what struct
 *              mu_snapshot_info says, CRC32C of these
 *     blocks   u32 kind, u32 len, u32 CRC32C of the payload, u32 CRC32C of
 *              these; payload: whole records, together at most
 *              MU_SNAPSHOT_BLOCK bytes, or one that is longer
 *     end      a block of its own kind: the counts again, and the CRC32C of the
 *              head and of all blocks' heads, and so of all
 *
 * Records: a byte that says which, then
 *
 *     trait    owner, ACL and ACL version of the nodes that name it; numbered
 *              from 1 in the order of coming; before the first that names it
 *     node     how many levels up from the one before its parent is, the
 *              fields of struct mu_node, name, data. Parents first; of children
 *              the last in the list first, so that each is put in front
 *     session  id, timeout, password, origin; in the order of ids
 *     owned    which nodes (counted from 1 in the order of coming) are the
 *              ephemerals of the session before it; the last in the list first
 */
#ifndef MU_CORE_SNAPSHOT_H
#define MU_CORE_SNAPSHOT_H

#include "store.h"

#define MU_SNAPSHOT_VERSION 1u
#define MU_SNAPSHOT_HEAD 128u    /* bytes */
#define MU_SNAPSHOT_BLOCK 65536u /* bytes of payload */

struct mu_snapshot_info {
	uint32_t version;
	int64_t tree_id;
	uint64_t index; /* of the last command in it; 0: none */
	uint64_t term;  /* of that command; 1 today */
	int64_t zxid;
	int32_t changes;      /* made by that transaction; -1: not known */
	int64_t wall_ms;      /* of that command */
	int64_t next_session; /* 0: none given yet */
	uint64_t nodes;       /* the root and special ones included */
	uint64_t ephemerals, sessions;
	uint64_t tree_bytes; /* names and data */
};

/* Takes bytes in their order; other than 0 ends the writing. */
typedef int mu_sink_fn(void *arg, const void *bytes, size_t len);

/* Write it all. All memory that it needs (4 bytes for each node if there are
 * ephemerals, 20 for each session, a block) is taken before the first call of
 * `sink`: MU_ENOMEM, nothing was written. Else 0, or what the sink gave. */
int mu_snapshot_write(const struct mu_store *s, mu_sink_fn *sink, void *arg);

/* What a snapshot of s would say of itself now. */
void mu_snapshot_info_of(const struct mu_store *s,
                         struct mu_snapshot_info *out);

/* Decode a head alone. MU_EDATA: it is none, or damaged. MU_EUNIMPLEMENTED: a
 * newer version. */
int mu_snapshot_head(const uint8_t head[MU_SNAPSHOT_HEAD],
                     struct mu_snapshot_info *out, struct mu_err *err);

/*
 * Reading, in pieces of any size. Nothing in the bytes is trusted: what does not
 * fit is MU_EDATA, with where it stands. After an error only free may follow.
 */
struct mu_snapload;

/* config: limits and hash key of the store that is made; tree id and zxid come
 * from the bytes, the epoch with mu_store_begin. NULL: only check, which takes
 * no memory for a tree and does not see what takes one to see (a name twice, a
 * child of an ephemeral). total: how many bytes are to come, to make room at
 * once; 0: not known. MU_ENOMEM. */
int mu_snapload_new(const struct mu_store_config *config, struct mu_when when,
                    uint64_t total, struct mu_snapload **out,
                    struct mu_err *err);
void mu_snapload_free(struct mu_snapload *l); /* NULL is allowed */

/* The next bytes. MU_EDATA; MU_EUNIMPLEMENTED: a newer version; MU_ENOMEM;
 * MU_EINVAL: of the config, as mu_store_new. */
int mu_snapload_feed(struct mu_snapload *l, const void *bytes, size_t len,
                     struct mu_err *err);

/* There are no more. *store (NULL where there was no config; may be NULL then)
 * is the caller's: its sessions have the timeouts that they were made with, and
 * mu_store_replay or mu_store_begin come next. MU_EDATA: something is missing. */
int mu_snapload_done(struct mu_snapload *l, struct mu_store **store,
                     struct mu_err *err);

/* What the head said; NULL before it was fed. Borrowed from l. */
const struct mu_snapshot_info *mu_snapload_info(const struct mu_snapload *l);

#endif /* MU_CORE_SNAPSHOT_H */
