/* Writes to standard output. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	printf("line on standard output\n");
	fflush(stdout);
	return write(3, "what is on 3?", 13) < 0 ? 0 : MU_ESYSTEM;
}

PLUGIN("stdout-event", quiet_init, event, quiet_fini);
