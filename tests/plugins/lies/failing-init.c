/* Cannot start, and says why. */
#include "lie.h"

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)h, (void)self;
	snprintf(err->msg, sizeof err->msg, "the moon is\nnot full");
	return MU_ECONFIG;
}

static void fini(void *self)
{
	(void)self;
	abort(); /* must not be called after a failed init */
}

PLUGIN("failing-init", init, quiet_event, fini);
