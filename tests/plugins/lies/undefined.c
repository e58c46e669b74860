/* Needs a function that nobody has. */
#include "lie.h"

extern int nobody_has_this(void);

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	return nobody_has_this();
}

PLUGIN("undefined", quiet_init, event, quiet_fini);
