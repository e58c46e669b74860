/* Leaks descriptors until there are no more. */
#include "lie.h"

#include <fcntl.h>

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	int got = 0;

	while (got < 100000 && open("/dev/null", O_RDONLY) >= 0)
		got++;
	h->log(h, MU_INFO, "opened %d", got);
	return 0;
}

PLUGIN("fd-leak", quiet_init, event, quiet_fini);
