/* Has no fini. */
#include "lie.h"

PLUGIN("no-fini", quiet_init, quiet_event, NULL);
