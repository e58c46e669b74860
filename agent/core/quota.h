/*
 * quota.h - the text of the nodes zookeeper_limits and zookeeper_stats, and
 * what a limit says to a change. Rule 79.
 *
 * Pure. The text is ZooKeeper's StatsTrack: "count=4,bytes=5", with hard limits
 * "count=4,bytes=5=;byteHardLimit=9;countHardLimit=7"; -1, or nothing, is no
 * limit. Where a hard limit is set, the soft one of that kind is not looked at.
 */
#ifndef MU_CORE_QUOTA_H
#define MU_CORE_QUOTA_H

#include "buf.h"
#include "path.h"

#define MU_QUOTA_LIMITS MU_STR("zookeeper_limits")
#define MU_QUOTA_STATS MU_STR("zookeeper_stats")
#define MU_QUOTA_PATH_MAX \
	128u /* bytes of a path in a log, with the final NUL */

struct mu_quota {
	int64_t count, bytes;
	int64_t count_hard, bytes_hard;
};

/* What of the text can be read; -1 elsewhere. Null text is allowed. */
struct mu_quota mu_quota_parse(struct mu_str text);

/* Append the text. */
void mu_put_quota(struct mu_buf *b, const struct mu_quota *q);

enum mu_quota_verdict {
	MU_QUOTA_FITS,
	MU_QUOTA_SOFT, /* past a soft limit: a warning */
	MU_QUOTA_HARD, /* past a hard one: refused, where quotas are enforced */
};

/* What `limits` says to adding so many nodes and bytes to what is `used`. What
 * does not change is not looked at, nor is a limit past which it takes away. */
enum mu_quota_verdict mu_quota_judge(const struct mu_quota *limits,
                                     const struct mu_quota *used, int64_t count,
                                     int64_t bytes);

#endif /* MU_CORE_QUOTA_H */
