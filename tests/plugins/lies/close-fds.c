/* Closes all descriptors that it thinks are its own. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	h->log(h, MU_INFO, "still here");
	return 0;
}

PLUGIN("close-fds", quiet_init, event, quiet_fini);
