/* Writes to its standard output without end. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	alarm(120); /* should nobody stop it */
	for (unsigned long i = 0;; i++)
		printf("flood line %lu of a plugin that cannot be quiet\n", i);
	return 0;
}

PLUGIN("flood", quiet_init, event, quiet_fini);
