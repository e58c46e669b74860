/* Sleeps, and does nothing else. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	for (int i = 0; i < 600; i++)
		sleep(1);
	return 0;
}

PLUGIN("sleep-event", quiet_init, event, quiet_fini);
