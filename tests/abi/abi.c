/*
 * A plugin that uses all that its muster/plugin.h has, and asks MU_HAS for what
 * came after the first release. Built with each revision; see README.
 */
#include <muster/plugin.h>

#include "pins.h"

#include <stdio.h>
#include <string.h>

static const struct mu_host *host;

static int init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)err;
	host = h;
	*self = &host;
	h->log(h, MU_INFO, "init %s on %s, setting %s", h->instance, h->member,
	       h->setting_str(h, "text", "none"));
#ifdef MU_PLUGIN_REVISION
	h->log(h, MU_INFO, "has create %d wake %d",
	       MU_HAS(h, struct mu_host, create),
	       MU_HAS(h, struct mu_host, wake));
	if (MU_HAS(h, struct mu_host, wake))
		h->wake(h);
#endif
#ifdef ABI_FUTURE
	h->log(h, MU_INFO, "has dream %d", MU_HAS(h, struct mu_host, dream));
#endif
	return 0;
}

static void on_member(const struct mu_member *m)
{
	host->log(host, MU_INFO, "member %s %s %u", m->name, m->state, m->port);
#ifdef ABI_FUTURE
	host->log(host, MU_INFO, "member has dream %d",
	          MU_HAS(m, struct mu_member, dream));
#endif
}

static int event(void *self, const struct mu_event *e, struct mu_err *err)
{
	(void)err;
	host->log(host, MU_INFO, "event %u %s %.*s, self %d", e->type, e->path,
	          e->data_len > 0 ? e->data_len : 0,
	          e->data ? (const char *)e->data : "", self == &host);
	if (e->member)
		on_member(e->member);
#ifdef MU_PLUGIN_REVISION
	if (MU_HAS(e, struct mu_event, author))
		host->log(host, MU_INFO, "by %d 0x%llx '%s'", e->cause,
		          (unsigned long long)e->author_session, e->author);
	if (strcmp(e->path, "/create") == 0)
		return MU_HAS(host, struct mu_host, create)
		               ? host->create(host, "/made", NULL, -1,
		                              MU_PLUGIN_EPHEMERAL, 1000, err)
		               : MU_EUNIMPLEMENTED;
#endif
#ifdef ABI_FUTURE
	host->log(host, MU_INFO, "event has dream %d",
	          MU_HAS(e, struct mu_event, dream));
#endif
	return 0;
}

static void fini(void *self)
{
#ifdef MU_PLUGIN_REVISION
	if (MU_HAS(host, struct mu_host, is_removed))
		host->log(host, MU_INFO, "is removed %d",
		          host->is_removed(host));
#endif
	host->log(host, MU_INFO, "fini, self %d", self == &host);
}

#ifdef MU_PLUGIN_REVISION
static int tick(void *self, struct mu_err *err)
{
	(void)self, (void)err;
	host->log(host, MU_INFO, "tick");
	return 0;
}

static int check(void *self, struct mu_err *err)
{
	(void)self;
	snprintf(err->msg, sizeof err->msg, "not well");
	return MU_EIO;
}
#endif

#ifdef ABI_FUTURE
static int dream(void *self)
{
	(void)self;
	return 0;
}
#endif

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "abi",
	.init = init,
	.event = event,
	.fini = fini,
#ifdef MU_PLUGIN_REVISION
	.tick = tick,
	.check = check,
#endif
#ifdef ABI_FUTURE
	.wants = MU_WANT_GAP | MU_WANT_DREAM,
	.dream = dream,
#elif defined(MU_PLUGIN_REVISION)
	.wants = MU_WANT_GAP,
#endif
};
