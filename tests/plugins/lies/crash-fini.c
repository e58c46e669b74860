/* Crashes in fini. */
#include "lie.h"

static void fini(void *self)
{
	(void)self;
	*(volatile int *)8 = 1;
}

PLUGIN("crash-fini", quiet_init, quiet_event, fini);
