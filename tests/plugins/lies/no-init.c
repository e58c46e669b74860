/* Has no init. */
#include "lie.h"

PLUGIN("no-init", NULL, quiet_event, quiet_fini);
