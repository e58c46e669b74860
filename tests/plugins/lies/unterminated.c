/* Fills the whole message, without an end. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	memset(err->msg, 'x', sizeof err->msg);
	err->code = 12345;
	return MU_EIO;
}

PLUGIN("unterminated", quiet_init, event, quiet_fini);
