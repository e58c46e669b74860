/* Sleeps past every deadline. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	for (;;)
		pause();
	return 0;
}

PLUGIN("endless-event", quiet_init, event, quiet_fini);
