/* Fails without a word: in init if its setting says so, else in event. */
#include "lie.h"

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)err;
	*self = (void *)h;
	return h->setting_bool(h, "in_init", false) ? MU_ESYSTEM : 0;
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	return MU_EDATA;
}

PLUGIN("speechless", init, event, quiet_fini);
