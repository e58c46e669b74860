/* Forks; the child speaks on the channel and stays, the parent exits. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	if (fork() == 0) {
		h->log(h, MU_INFO, "from the child");
		for (;;)
			pause();
	}
	if (e->type == MU_EVENT_DELETED)
		_exit(9);
	return 0;
}

PLUGIN("fork-event", quiet_init, event, quiet_fini);
