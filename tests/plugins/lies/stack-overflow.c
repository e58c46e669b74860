/* Runs out of stack. */
#include "lie.h"

static int deeper(int n)
{
	volatile char frame[4096];

	frame[n % 4096] = (char)n;
	return n > 0 ? deeper(n + 1) + frame[n % 4096] : 0;
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	return deeper(1);
}

PLUGIN("stack-overflow", quiet_init, event, quiet_fini);
