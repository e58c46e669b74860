/* Burns the CPU. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	for (volatile unsigned long i = 0;; i++)
		;
	return 0;
}

PLUGIN("cpu-burn", quiet_init, event, quiet_fini);
