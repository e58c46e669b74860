/*
 * snapshot_impl.h - the bytes of a snapshot that snapshot_write.c and
 * snapshot_load.c agree on; nobody else includes it.
 */
#ifndef MU_CORE_SNAPSHOT_IMPL_H
#define MU_CORE_SNAPSHOT_IMPL_H

#include "jute.h"
#include "snapshot.h"

#define MU_SNAP_MAGIC "mustersn" /* 8 bytes */
#define MU_SNAP_BLOCK_HEAD 16u
#define MU_SNAP_CRC_AT (MU_SNAPSHOT_HEAD - 4) /* in all versions */

enum mu_snap_kind {
	MU_SNAP_RECORDS = 0x6b636c62, /* "blck" */
	MU_SNAP_END = 0x73646e65,     /* "ends" */
};

enum mu_snap_record {
	MU_SNAP_TRAIT = 1,
	MU_SNAP_NODE = 2,
	MU_SNAP_SESSION = 3,
	MU_SNAP_OWNED = 4,
};

/* A block's head: u32 kind, u32 len, u32 CRC of the payload, u32 CRC of these. */

static inline void mu_snap_put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void mu_snap_put64(uint8_t *p, uint64_t v)
{
	mu_snap_put32(p, (uint32_t)v);
	mu_snap_put32(p + 4, (uint32_t)(v >> 32));
}

static inline uint32_t mu_snap_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t mu_snap_get64(const uint8_t *p)
{
	return mu_snap_get32(p) | (uint64_t)mu_snap_get32(p + 4) << 32;
}

/* The counts, as head and end have them. */
#define MU_SNAP_COUNTS 32u /* bytes */
void mu_snap_put_counts(uint8_t *p, const struct mu_snapshot_info *info);

/* The end's payload: the counts and the CRC of all heads. */
#define MU_SNAP_END_LEN (MU_SNAP_COUNTS + 4u)

void mu_snap_put_head(uint8_t head[MU_SNAPSHOT_HEAD],
                      const struct mu_snapshot_info *info);

#endif /* MU_CORE_SNAPSHOT_IMPL_H */
