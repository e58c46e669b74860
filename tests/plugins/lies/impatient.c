/* Asks again as soon as it was told that time is over, and tells how it went. */
#include "lie.h"

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;
	uint32_t ms = (uint32_t)h->setting_int(h, "wait_ms", 0);
	const void *data;
	int32_t len;
	unsigned full = 0;
	int rc;

	alarm(120); /* should nobody stop it */
	h->log(h, MU_INFO, "asking");
	do {
		rc = h->get(h, e->path, &data, &len, NULL, ms, err);
		full += rc == MU_EFULL;
		if (full == 50 && rc == MU_EFULL)
			h->log(h, MU_INFO, "full, 50 times");
		if (rc == MU_EFULL)
			usleep(1000);
	} while (rc == 0 || rc == MU_ETIMEDOUT || rc == MU_EFULL);
	return rc;
}

PLUGIN("impatient", quiet_init, event, quiet_fini);
