/* Says a size that ends in the middle of a field: of no published header. */
#include "lie.h"

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = offsetof(struct mu_plugin, tick) + 4,
	.name = "cut-struct",
	.init = quiet_init,
	.event = quiet_event,
	.fini = quiet_fini,
};
