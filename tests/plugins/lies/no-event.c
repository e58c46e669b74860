/* Has no event. */
#include "lie.h"

PLUGIN("no-event", quiet_init, NULL, quiet_fini);
