/* Its name is not legal. */
#include "lie.h"

PLUGIN("Bad_Name", quiet_init, quiet_event, quiet_fini);
