/* Prints what it is about to do, as one does to find a fault, and crashes. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	printf("about to crash\n");
	abort();
}

PLUGIN("print-crash", quiet_init, event, quiet_fini);
