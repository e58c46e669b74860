/* Fails with a number that is no code, and says nothing. */
#include "lie.h"

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)h, (void)self, (void)err;
	return 42;
}

PLUGIN("nonsense-init", init, quiet_event, quiet_fini);
