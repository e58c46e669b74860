/* Aborts in event. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	abort();
}

PLUGIN("abort-event", quiet_init, event, quiet_fini);
