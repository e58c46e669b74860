/* Works, but for values that begin with "bad"; says its last words without an
 * end of line. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)err;
	if (e->data_len >= 3 && memcmp(e->data, "bad", 3) == 0) {
		fputs("a full line\nthis value kills me", stdout);
		fflush(stdout);
		abort();
	}
	h->log(h, MU_INFO, "got %.*s count %u flags %u",
	       e->data_len > 0 ? e->data_len : 0,
	       e->data ? (const char *)e->data : "", e->count, e->flags);
	return 0;
}

PLUGIN("bad-value", quiet_init, event, quiet_fini);
