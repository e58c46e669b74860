/* Opens files and forgets them, until it cannot open one that it needs. */
#include "lie.h"

#include <fcntl.h>

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	for (int i = 0; i < 100000; i++)
		if (open("/dev/null", O_RDONLY) < 0) {
			perror("cannot open what I need");
			abort();
		}
	return 0;
}

PLUGIN("fd-crash", quiet_init, event, quiet_fini);
