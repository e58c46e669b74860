/* Takes all the memory it can get, and does not look whether it got it. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)self, (void)e, (void)err;
	/* Two GiB at most, should there be no limit. */
	for (int i = 0; i < 2048; i++) {
		volatile char *p = malloc(1u << 20);

		for (size_t at = 0; at < 1u << 20; at += 4096)
			p[at] = 1;
	}
	return 0;
}

PLUGIN("malloc-crash", quiet_init, event, quiet_fini);
