/* Takes all the memory it can get, and writes to it. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	size_t got = 0;
	char *p;

	/* One GiB at most, should there be no limit. */
	while (got < 1024 && (p = malloc(1u << 20))) {
		memset(p, 1, 1u << 20);
		got++;
	}
	snprintf(err->msg, sizeof err->msg, "malloc refused after %zu MiB",
	         got);
	return got < 1024 ? MU_ENOMEM : 0;
}

PLUGIN("malloc-bomb", quiet_init, event, quiet_fini);
