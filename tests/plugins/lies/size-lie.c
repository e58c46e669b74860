/* Says that it has more bytes than there are. */
#include "lie.h"

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = 1u << 30,
	.name = "size-lie",
	.init = quiet_init,
	.event = quiet_event,
	.fini = quiet_fini,
};
