/* Has all that came with revision 2, and tells what it is given of it. */
#include "lie.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#define WAIT_MS 10000u

static const struct mu_host *host;
static bool ill;
static int ticks;

static void *wake_thrice(void *arg)
{
	for (int i = 0; i < 3; i++)
		host->wake(host);
	return arg;
}

/* Until somebody opens the other end of the FIFO. */
static void *wake_later(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return wake_thrice(NULL);
}

static int run(void *(*fn)(void *), const char *arg, bool join)
{
	pthread_t t;

	if (pthread_create(&t, NULL, fn, (void *)arg) != 0)
		return MU_ESYSTEM;
	if (join)
		pthread_join(t, NULL);
	else
		pthread_detach(t);
	return 0;
}

static void on_signal(int signum)
{
	(void)signum;
	host->wake(host);
}

static int change(const struct mu_event *e, struct mu_err *err)
{
	if ((e->flags & MU_EVENT_AGAIN) && host->setting_int(host, "once", 0))
		return 0;
	if (e->type == MU_EVENT_DELETED)
		return 0; /* an order is given when its node comes */
	if (strcmp(e->path, "/do/create") == 0)
		return host->create(host, "/e/a", "mine", 4,
		                    MU_PLUGIN_EPHEMERAL, WAIT_MS, err);
	if (strcmp(e->path, "/do/create-null") == 0)
		return host->create(host, "/e/b", NULL, -1, 0, WAIT_MS, err);
	if (strcmp(e->path, "/do/create-odd") == 0)
		return host->create(host, "/e/b", NULL, -1, 6, WAIT_MS, err);
	if (strcmp(e->path, "/do/create-nowhere") == 0)
		return host->create(host, NULL, NULL, -1, 0, WAIT_MS, err);
	if (strcmp(e->path, "/do/create-nothing") == 0)
		return host->create(host, "/e/b", NULL, 1, 0, WAIT_MS, err);
	if (strcmp(e->path, "/do/remove") == 0)
		return host->remove(host, "/e/a", 3, WAIT_MS, err);
	return 0;
}

/* As many as it is told to, with each connection. */
static int make_crowd(struct mu_err *err)
{
	long long n = host->setting_int(host, "crowd", 0);
	char path[64];
	int rc = 0;

	for (long long i = 0; i < n && rc == 0; i++) {
		snprintf(path, sizeof path, "/e/%lld", i);
		rc = host->create(host, path, "mine", 4, MU_PLUGIN_EPHEMERAL,
		                  WAIT_MS, err);
	}
	if (n && rc == 0)
		host->log(host, MU_INFO, "the crowd is there");
	return rc;
}

/* One whose path has so many bytes. */
static int make_long(struct mu_err *err)
{
	long long len = host->setting_int(host, "path_bytes", 0);
	char path[4096];
	int rc;

	if (len < 4 || len >= (long long)sizeof path)
		return 0;
	memset(path, 'x', (size_t)len);
	memcpy(path, "/e/", 3);
	path[len] = '\0';
	rc = host->create(host, path, "mine", 4, MU_PLUGIN_EPHEMERAL, WAIT_MS,
	                  err);
	if (rc == 0)
		host->log(host, MU_INFO, "the long one is there");
	return rc;
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	bool known = MU_HAS(e, struct mu_event, author);
	const char *p = e->path;

	(void)self;
	host->log(host, MU_INFO, "event %u flags %u %s by %d 0x%llx '%s'",
	          e->type, e->flags, p, known ? e->cause : 0,
	          known ? (unsigned long long)e->author_session : 0,
	          known ? e->author : "");
	if (e->type == MU_EVENT_PRESENT)
		return 0; /* it was done */
	if (e->type == MU_EVENT_CONNECTED &&
	    host->setting_int(host, "path_bytes", 0))
		return make_long(err);
	if (e->type == MU_EVENT_CONNECTED)
		return make_crowd(err);
	ill = strcmp(p, "/do/ill") == 0 || (ill && strcmp(p, "/do/well") != 0);
	if (strcmp(p, "/do/wake") == 0)
		return run(wake_thrice, NULL, true);
	if (strcmp(p, "/do/wake-later") == 0)
		return run(wake_later, host->setting_str(host, "fifo", ""),
		           false);
	if (strcmp(p, "/do/wake-signal") == 0) {
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
	}
	if (strcmp(p, "/do/crash") == 0 && e->attempt == 1)
		abort();
	return change(e, err);
}

static int tick(void *self, struct mu_err *err)
{
	const void *data;
	int32_t len;

	(void)self;
	host->log(host, MU_INFO, "tick %d", ++ticks);
	if (host->setting_bool(host, "hang", false))
		for (;;)
			pause();
	if (host->setting_bool(host, "wake_in_tick", false) && ticks == 1)
		host->wake(host);
	if (host->setting_bool(host, "wake_for_ever", false))
		host->wake(host);
	if (!host->setting_bool(host, "get_in_tick", false))
		return 0;
	return host->get(host, "/a", &data, &len, NULL, WAIT_MS, err);
}

static int check(void *self, struct mu_err *err)
{
	(void)self;
	if (!ill && !host->setting_bool(host, "ill", false))
		return 0;
	snprintf(err->msg, sizeof err->msg, "not\nwell");
	return MU_EIO;
}

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)err;
	host = h;
	*self = NULL;
	h->log(h, MU_INFO, "has create %d wake %d",
	       MU_HAS(h, struct mu_host, create),
	       MU_HAS(h, struct mu_host, wake));
	(void)h->setting_str(h, "fifo", "");
	(void)h->setting_bool(h, "hang", false);
	(void)h->setting_bool(h, "ill", false);
	(void)h->setting_bool(h, "get_in_tick", false);
	(void)h->setting_bool(h, "wake_in_tick", false);
	(void)h->setting_bool(h, "wake_for_ever", false);
	(void)h->setting_int(h, "crowd", 0);
	if (h->setting_bool(h, "wake_in_init", false))
		h->wake(h);
	return h->setting_bool(h, "create_in_init", false)
	               ? h->create(h, "/e/init", "mine", 4, MU_PLUGIN_EPHEMERAL,
	                           WAIT_MS, err)
	               : 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "ticker",
	.init = init,
	.event = event,
	.fini = quiet_fini,
	.wants = MU_WANT_GAP,
	.tick = tick,
	.check = check,
};
