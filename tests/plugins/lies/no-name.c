/* Has no name. */
#include "lie.h"

PLUGIN(NULL, quiet_init, quiet_event, quiet_fini);
