/* Speaks in init already of all that a process can which waits for its place: a
 * log, a report, a node, a wake; and waits for a file in between. */
#include "lie.h"

#define WAIT_MS 300u

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	struct mu_report r = { .path = "/w",
		               .zxid = 1,
		               .version = 1,
		               .digest = "d",
		               .state = MU_REPORT_APPLIED,
		               .reason = "" };

	*self = (void *)h;
	(void)h->report(h, &r, err);
	h->log(h, MU_INFO, "a newcomer has reported");
	while (access(h->setting_str(h, "wait_for", "/"), F_OK))
		usleep(1000);
	(void)h->create(h, "/e/newcomer", "mine", 4, MU_PLUGIN_EPHEMERAL,
	                WAIT_MS, err);
	h->wake(h);
	return 0;
}

static int tick(void *self, struct mu_err *err)
{
	(void)self, (void)err;
	return 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "newcomer",
	.init = init,
	.event = quiet_event,
	.fini = quiet_fini,
	.tick = tick,
};
