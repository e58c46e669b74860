#include "quota_log.h"

#include "log.h"

#define EVERY_MS 60000u

void mu_quota_log_tick(struct mu_quota_log *q, const struct mu_store *store,
                       uint64_t now_ms)
{
	struct mu_store_stats stats;

	if (now_ms < q->next_ms)
		return;
	mu_store_stats(store, &stats);
	if (stats.quota_soft == q->soft && stats.quota_hard == q->hard)
		return;
	mu_log(MU_WARN, MSG("writes went past a quota"),
	       KS("path", stats.quota_path),
	       KI("warned", (int64_t)(stats.quota_soft - q->soft)),
	       KI("refused", (int64_t)(stats.quota_hard - q->hard)));
	q->soft = stats.quota_soft;
	q->hard = stats.quota_hard;
	q->next_ms = now_ms + EVERY_MS;
}
