/* Crashes while it is loaded. */
#include "lie.h"

__attribute__((constructor)) static void crash(void)
{
	*(volatile int *)8 = 1;
}

PLUGIN("crash-constructor", quiet_init, quiet_event, quiet_fini);
