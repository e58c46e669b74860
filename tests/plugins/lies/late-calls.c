/* Calls its host after the callback has ended: from an exit handler. */
#include "lie.h"

static const struct mu_host *host;

static void late(void)
{
	struct mu_err err = { 0, "" };
	int rc = host->set(host, "/a", "x", 1, -1, 1000, &err);

	host->log(host, MU_ERROR, "too late");
	fprintf(stderr, "late set: %d: %s\n", rc, err.msg);
}

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)self, (void)err;
	host = h;
	return atexit(late) ? MU_ESYSTEM : 0;
}

PLUGIN("late-calls", init, quiet_event, quiet_fini);
