/* Crashes in event. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	*(volatile int *)8 = 1;
	return 0;
}

PLUGIN("crash-event", quiet_init, event, quiet_fini);
