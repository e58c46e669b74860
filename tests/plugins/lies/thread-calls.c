/* Calls its host from a thread. */
#include "lie.h"

#include <pthread.h>

static const struct mu_host *host;
static int get_rc, report_rc;

static void *work(void *arg)
{
	struct mu_report r = { .path = "/a", .digest = "", .reason = "" };
	struct mu_err err;
	const void *data;
	int32_t len;

	host->log(host, MU_ERROR, "from a thread");
	get_rc = host->get(host, "/a", &data, &len, NULL, 1000, &err);
	report_rc = host->report(host, &r, &err);
	return arg;
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;

	(void)h, (void)e, (void)err;
	pthread_t t;

	host = h;
	if (pthread_create(&t, NULL, work, NULL) != 0)
		return MU_ESYSTEM;
	pthread_join(t, NULL);
	h->log(h, MU_INFO, "get %d report %d", get_rc, report_rc);
	return 0;
}

PLUGIN("thread-calls", quiet_init, event, quiet_fini);
