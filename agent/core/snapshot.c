/* snapshot.c - what a snapshot says of itself: its head. */
#include "snapshot_impl.h"

#include "crc.h"
#include "err.h"
#include "store_impl.h"

#include <string.h>

void mu_snap_put_counts(uint8_t *p, const struct mu_snapshot_info *info)
{
	mu_snap_put64(p, info->nodes);
	mu_snap_put64(p + 8, info->ephemerals);
	mu_snap_put64(p + 16, info->sessions);
	mu_snap_put64(p + 24, info->tree_bytes);
}

void mu_snapshot_info_of(const struct mu_store *s, struct mu_snapshot_info *out)
{
	*out = (struct mu_snapshot_info){
		.version = MU_SNAPSHOT_VERSION,
		.tree_id = s->config.tree_id,
		.index = s->applied,
		.term = 1,
		.zxid = s->zxid,
		.changes = mu_changelog_of(s->changes, s->zxid),
		.wall_ms = s->applied_ms,
		.next_session = s->applied_session,
		.nodes = mu_tree_count(s->tree) - 1,
		.ephemerals = mu_tree_ephemerals(s->tree),
		.sessions = mu_sessions_count(s->sessions),
		.tree_bytes = mu_tree_bytes(s->tree),
	};
}

void mu_snap_put_head(uint8_t head[MU_SNAPSHOT_HEAD],
                      const struct mu_snapshot_info *info)
{
	memset(head, 0, MU_SNAPSHOT_HEAD);
	memcpy(head, MU_SNAP_MAGIC, 8);
	mu_snap_put32(head + 8, info->version);
	mu_snap_put64(head + 16, (uint64_t)info->tree_id);
	mu_snap_put64(head + 24, info->index);
	mu_snap_put64(head + 32, info->term);
	mu_snap_put64(head + 40, (uint64_t)info->zxid);
	mu_snap_put64(head + 48, (uint64_t)info->wall_ms);
	mu_snap_put64(head + 56, (uint64_t)info->next_session);
	mu_snap_put_counts(head + 64, info);
	/* 0 where it was written by who did not know of it. */
	mu_snap_put32(head + 96, (uint32_t)info->changes + 1);
	mu_snap_put32(head + MU_SNAP_CRC_AT,
	              mu_crc32c(0, head, MU_SNAP_CRC_AT));
}

static void get_counts(const uint8_t *p, struct mu_snapshot_info *info)
{
	info->nodes = mu_snap_get64(p);
	info->ephemerals = mu_snap_get64(p + 8);
	info->sessions = mu_snap_get64(p + 16);
	info->tree_bytes = mu_snap_get64(p + 24);
}

static void get_head(const uint8_t *head, struct mu_snapshot_info *out)
{
	out->tree_id = (int64_t)mu_snap_get64(head + 16);
	out->index = mu_snap_get64(head + 24);
	out->term = mu_snap_get64(head + 32);
	out->zxid = (int64_t)mu_snap_get64(head + 40);
	out->wall_ms = (int64_t)mu_snap_get64(head + 48);
	out->next_session = (int64_t)mu_snap_get64(head + 56);
	get_counts(head + 64, out);
	out->changes = (int32_t)(mu_snap_get32(head + 96) - 1);
}

#define HALF (INT64_MAX / 2)

/* What would let a later number run over. */
static bool is_absurd(const struct mu_snapshot_info *i)
{
	return i->zxid < 0 || i->zxid > HALF || i->wall_ms < 0 ||
	       i->wall_ms > HALF || i->next_session < 0 ||
	       i->next_session > HALF || i->index > HALF || i->nodes < 4 ||
	       i->nodes >= UINT32_MAX || i->ephemerals >= i->nodes ||
	       i->changes < -1 || i->sessions >= UINT32_MAX;
}

int mu_snapshot_head(const uint8_t head[MU_SNAPSHOT_HEAD],
                     struct mu_snapshot_info *out, struct mu_err *err)
{
	if (memcmp(head, MU_SNAP_MAGIC, 8) != 0)
		return mu_err(err, MU_EDATA, "it does not begin as a snapshot");
	if (mu_snap_get32(head + MU_SNAP_CRC_AT) !=
	    mu_crc32c(0, head, MU_SNAP_CRC_AT))
		return mu_err(err, MU_EDATA,
		              "its first %u bytes are damaged (checksum)",
		              MU_SNAPSHOT_HEAD);
	out->version = mu_snap_get32(head + 8);
	if (out->version > MU_SNAPSHOT_VERSION)
		return mu_err(err, MU_EUNIMPLEMENTED,
		              "it was written by a newer muster-broker (format "
		              "%u, this one knows %u): install that version",
		              (unsigned)out->version, MU_SNAPSHOT_VERSION);
	get_head(head, out);
	if (out->version == 0 || is_absurd(out))
		return mu_err(err, MU_EDATA,
		              "its head says what no snapshot can");
	return 0;
}
