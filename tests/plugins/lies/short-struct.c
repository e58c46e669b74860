/* Says that its struct ends before fini. */
#include "lie.h"

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = offsetof(struct mu_plugin, fini),
	.name = "short-struct",
	.init = quiet_init,
	.event = quiet_event,
	.fini = quiet_fini,
};
