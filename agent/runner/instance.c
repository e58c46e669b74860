#include "instance.h"

#include "abi.h"
#include "asked.h"
#include "dso.h"
#include "err.h"
#include "limits.h"
#include "text.h"

#include <string.h>

int mu_instance_load(struct mu_instance *i, const char *file,
                     struct mu_err *err)
{
	const void *raw;
	size_t room;
	int rc;

	rc = mu_dso_load(file, "mu_plugin", &raw, &room, err);
	if (rc)
		return rc;
	rc = mu_abi_adopt(raw, room, &i->plugin, err);
	if (rc)
		return rc;
	rc = mu_abi_check_name(i->plugin.name, file, err);
	if (rc == 0 && i->plugin.tick)
		rc = mu_hostcalls_hear_wake(&i->calls, err);
	return rc;
}

static bool is_status(int code)
{
	switch (code) {
#define STATUS_CASE(name, number, text) case name:
		MU_STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
		return true;
	default:
		return false;
	}
}

/* Make the answer of a callback fit to be passed on. */
static int settle(int rc, const char *callback, struct mu_err *err)
{
	struct mu_err said = *err;

	if (rc == 0)
		return 0;
	said.msg[sizeof said.msg - 1] = '\0';
	mu_text_clean(said.msg);
	if (!is_status(rc))
		return mu_err(err, MU_ESYSTEM,
		              "%s returned %d, which is no MU_E code%s%.400s",
		              callback, rc, said.msg[0] ? ": " : "", said.msg);
	if (!said.msg[0])
		return mu_err(err, rc,
		              "%s returned %d (%s) and left no reason in err",
		              callback, rc, mu_err_name(rc));
	return mu_err(err, rc, "%s", said.msg);
}

static void enter(struct mu_instance *i, struct mu_err *err)
{
	memset(err, 0, sizeof *err);
	mu_limits_allow_cpu(i->cpu_max_s);
	mu_hostcalls_enter(&i->calls);
}

/* Before a callback is left: what its settings were asked for in vain. */
static void warn_mistyped(struct mu_instance *i)
{
	const struct mu_host *h = &i->calls.host;
	char line[MU_ERR_MSG_MAX];

	while (mu_asked_mistyped(i->calls.settings, line, sizeof line))
		h->log(h, MU_WARN, "%s", line);
}

static void warn_unread(struct mu_instance *i)
{
	const struct mu_host *h = &i->calls.host;
	char line[MU_ERR_MSG_MAX];

	while (mu_asked_unread(i->calls.settings, i->plugin.name, line,
	                       sizeof line))
		h->log(h, MU_WARN, "%s", line);
}

int mu_instance_start(struct mu_instance *i, struct mu_err *err)
{
	int rc;

	enter(i, err);
	rc = i->plugin.init(&i->calls.host, &i->self, err);
	warn_mistyped(i);
	if (rc == 0)
		warn_unread(i);
	mu_hostcalls_leave(&i->calls);
	return settle(rc, "init", err);
}

void mu_instance_end(struct mu_instance *i)
{
	struct mu_err unused;

	enter(i, &unused);
	i->plugin.fini(i->self);
	mu_hostcalls_leave(&i->calls);
}

static int32_t data_len(struct mu_str s)
{
	return s.at ? (int32_t)s.len : -1;
}

static struct mu_member member_of(const struct mu_chan_event *e)
{
	return (struct mu_member){
		.size = sizeof(struct mu_member),
		.name = mu_text_end(e->name),
		.id = mu_text_end(e->id),
		.address = mu_text_end(e->address),
		.port = e->port,
		.version = mu_text_end(e->version),
		.boot_id = mu_text_end(e->boot_id),
		.started_ms = e->started_ms,
		.state = mu_text_end(e->state),
		.labels = mu_text_end(e->labels),
		.czxid = e->czxid,
	};
}

int mu_instance_event(struct mu_instance *i, const struct mu_chan_event *e,
                      struct mu_err *err)
{
	struct mu_member member = member_of(e);
	struct mu_event event = {
		.size = sizeof event,
		.type = e->type,
		.flags = e->flags,
		.count = e->count,
		.zxid = e->zxid,
		.n = e->n,
		.attempt = e->attempt,
		.path = mu_text_end(e->path),
		.data = e->data.at,
		.data_len = data_len(e->data),
		.old_data = e->old_data.at,
		.old_len = data_len(e->old_data),
		.stat = e->has_stat ? &e->stat : NULL,
		.member = e->has_member ? &member : NULL,
		.cause = e->cause,
		.author_session = e->author_session,
		.author = mu_text_end(e->author),
	};
	int rc;

	(void)mu_text_end(e->data);
	(void)mu_text_end(e->old_data);
	enter(i, err);
	rc = i->plugin.event(i->self, &event, err);
	warn_mistyped(i);
	mu_hostcalls_leave(&i->calls);
	return settle(rc, "event", err);
}

/* A call without anything to hand over. */
static int call(struct mu_instance *i, int (*fn)(void *, struct mu_err *),
                const char *name, struct mu_err *err)
{
	int rc;

	enter(i, err);
	rc = fn(i->self, err);
	warn_mistyped(i);
	mu_hostcalls_leave(&i->calls);
	return settle(rc, name, err);
}

int mu_instance_tick(struct mu_instance *i, struct mu_err *err)
{
	/* Who called wake until now is heard by this one. */
	(void)mu_hostcalls_take_wake(&i->calls);
	return call(i, i->plugin.tick, "tick", err);
}

int mu_instance_check(struct mu_instance *i, struct mu_err *err)
{
	return call(i, i->plugin.check, "check", err);
}
