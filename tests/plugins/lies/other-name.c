/* Calls itself something else than its file. */
#include "lie.h"

PLUGIN("exec", quiet_init, quiet_event, quiet_fini);
