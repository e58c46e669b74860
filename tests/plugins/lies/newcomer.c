/* Speaks in init already of all that a process can which waits for its place: a
 * log, a report, a node, a wake; and waits for a file in between, and at
 * its end for another. */
#include "lie.h"

#define WAIT_MS 300u

static const char *end_for;

static void wait_for(const char *file)
{
	while (access(file, F_OK))
		usleep(1000);
}

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	struct mu_report r = { .path = "/w",
		               .zxid = 1,
		               .version = 1,
		               .digest = "d",
		               .state = MU_REPORT_APPLIED,
		               .reason = "" };

	*self = (void *)h;
	end_for = h->setting_str(h, "end_for", "/");
	(void)h->report(h, &r, err);
	h->log(h, MU_INFO, "a newcomer has reported");
	wait_for(h->setting_str(h, "wait_for", "/"));
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

static void fini(void *self)
{
	(void)self;
	wait_for(end_for);
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "newcomer",
	.init = init,
	.event = quiet_event,
	.fini = fini,
	.tick = tick,
};
