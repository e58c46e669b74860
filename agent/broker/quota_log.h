/* quota_log.h - the log lines about quotas: one a minute at most, for a client
 * that is past a soft limit may write a hundred thousand times a second. */
#ifndef MU_BROKER_QUOTA_LOG_H
#define MU_BROKER_QUOTA_LOG_H

#include "store.h"

struct mu_quota_log {        /* zeroed at the start */
	uint64_t soft, hard; /* as told last */
	uint64_t next_ms;    /* not before */
};

/* Tell of what came since the last call that told, if it is time to. */
void mu_quota_log_tick(struct mu_quota_log *q, const struct mu_store *store,
                       uint64_t now_ms);

#endif /* MU_BROKER_QUOTA_LOG_H */
