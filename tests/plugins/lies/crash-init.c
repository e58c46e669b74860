/* Crashes in init. */
#include "lie.h"

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)h, (void)self, (void)err;
	*(volatile int *)8 = 1;
	return 0;
}

PLUGIN("crash-init", init, quiet_event, quiet_fini);
