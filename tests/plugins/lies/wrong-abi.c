/* Built for an ABI that is not ours. */
#include "lie.h"

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI + 1,
	.size = sizeof(struct mu_plugin),
	.name = "wrong-abi",
	.init = quiet_init,
	.event = quiet_event,
	.fini = quiet_fini,
};
