/* Each tick lasts longer than the time to the next one; does not want to hear of
 * gaps. */
#include "lie.h"

#include <time.h>

static const struct mu_host *host;
static int ticks;

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)err;
	host->log(host, MU_INFO, "event %u %s", e->type, e->path);
	return 0;
}

static int tick(void *self, struct mu_err *err)
{
	(void)self, (void)err;
	host->log(host, MU_INFO, "tick %d", ++ticks);
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	return 0;
}

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)err;
	host = h;
	*self = NULL;
	return 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "slow-ticks",
	.init = init,
	.event = event,
	.fini = quiet_fini,
	.tick = tick,
};
