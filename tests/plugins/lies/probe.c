/* The one that does not lie: does what the event's path says, and tells. */
#include "lie.h"

#define WAIT_MS 10000u

static void say(const struct mu_host *h, const char *what, int rc,
                const struct mu_err *err)
{
	h->log(h, MU_INFO, "%s: %d %s", what, rc, rc ? err->msg : "");
}

static int do_get(const struct mu_host *h, const char *path, uint32_t wait_ms)
{
	struct mu_err err = { 0, "" };
	struct mu_stat stat = { 0 };
	const void *data;
	int32_t len;
	int rc = h->get(h, path, &data, &len, &stat, wait_ms, &err);

	say(h, "get", rc, &err);
	if (rc == 0)
		h->log(h, MU_INFO, "data %.*s len %d version %d",
		       len < 0 ? 0 : len, len < 0 ? "" : (const char *)data,
		       len, stat.version);
	return rc;
}

static int do_children(const struct mu_host *h, const char *path)
{
	struct mu_err err = { 0, "" };
	const char *const *names;
	size_t count;
	int rc = h->children(h, path, &names, &count, WAIT_MS, &err);

	say(h, "children", rc, &err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		h->log(h, MU_INFO, "child %zu %s", i, names[i]);
	return rc;
}

/* What get lent must survive a set. */
static int do_get_and_set(const struct mu_host *h)
{
	struct mu_err err = { 0, "" };
	const void *data;
	int32_t len;
	int rc = h->get(h, "/a", &data, &len, NULL, WAIT_MS, &err);

	if (rc == 0)
		rc = h->set(h, "/b", "new", 3, 4, WAIT_MS, &err);
	say(h, "set", rc, &err);
	if (rc == 0)
		h->log(h, MU_INFO, "still %.*s", len, (const char *)data);
	return rc;
}

static int do_report(const struct mu_host *h, int state)
{
	struct mu_report r = { .path = "/a",
		               .zxid = 5,
		               .version = 6,
		               .digest = NULL,
		               .state = (enum mu_report_state)state,
		               .reason = "two\nlines" };
	struct mu_err err = { 0, "" };
	int rc = h->report(h, &r, &err);

	say(h, "report", rc, &err);
	return rc;
}

static int do_settings(const struct mu_host *h)
{
	h->log(h, MU_INFO, "str %s int %lld bool %d float %g whole %g count %d",
	       h->setting_str(h, "text", "-"),
	       (long long)h->setting_int(h, "list[1]", -5),
	       h->setting_bool(h, "yes", false),
	       h->setting_float(h, "half", -1),
	       h->setting_float(h, "list[1]", -1), h->setting_count(h, "list"));
	h->log(h, MU_INFO, "absent %s %lld %d %g %d",
	       h->setting_str(h, "a", "-"),
	       (long long)h->setting_int(h, "a", -5),
	       h->setting_bool(h, "a", true), h->setting_float(h, "a", -1),
	       h->setting_count(h, "a"));
	h->log(h, MU_INFO, "mistyped %s %lld %d %g %d",
	       h->setting_str(h, "yes", "-"),
	       (long long)h->setting_int(h, "text", -5),
	       h->setting_bool(h, "list[1]", true),
	       h->setting_float(h, "text", -1), h->setting_count(h, "text"));
	return 0;
}

/* A NUL behind the last byte: of an event's data, and of what get lends. */
static int do_ends(const struct mu_host *h, const struct mu_event *e)
{
	struct mu_err err = { 0, "" };
	const char *now = e->data, *old = e->old_data;
	const void *data = "";
	int32_t len = 0;
	int rc = h->get(h, "/a", &data, &len, NULL, WAIT_MS, &err);

	h->log(h, MU_INFO, "behind data %d old %d got %d",
	       now ? now[e->data_len] : -1, old ? old[e->old_len] : -1,
	       ((const char *)data)[len]);
	return rc;
}

static void do_member(const struct mu_host *h, const struct mu_event *e)
{
	const struct mu_member *m = e->member;

	h->log(h, MU_INFO, "member %s|%s|%s|%u|%s|%s|%s|%s|%lld|%lld size %d",
	       m->name, m->id, m->address, m->port, m->version, m->boot_id,
	       m->state, m->labels, (long long)m->started_ms,
	       (long long)m->czxid, m->size == sizeof *m);
}

static void do_log(const struct mu_host *h)
{
	char text[5000];

	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	h->log(h, (enum mu_level)99, "long %s", text);
	h->log(h, (enum mu_level) - 3, "two\nlines\n");
}

static void tell(const struct mu_host *h, const struct mu_event *e)
{
	h->log(h, MU_INFO,
	       "event %u flags %u count %u zxid %lld n %d attempt %u path %s "
	       "data %.*s %d old %.*s %d stat %d",
	       e->type, e->flags, e->count, (long long)e->zxid, e->n,
	       e->attempt, e->path, e->data_len > 0 ? e->data_len : 0,
	       e->data ? (const char *)e->data : "", e->data_len,
	       e->old_len > 0 ? e->old_len : 0,
	       e->old_data ? (const char *)e->old_data : "", e->old_len,
	       e->stat ? e->stat->version : -1);
}

/* Past AGAIN_MAX attempts it passes over what harms it. */
#define AGAIN_MAX 3u

/* Harm, for the tests of what comes after it. */
static int harm(const struct mu_event *e)
{
	bool present = e->type == MU_EVENT_PRESENT;

	if (strcmp(e->path, "/do/crash") == 0 && !present && e->attempt == 1)
		abort();
	if (strcmp(e->path, "/do/poison") == 0 && present &&
	    e->attempt <= AGAIN_MAX)
		abort();
	return strcmp(e->path, "/do/refuse") == 0 && present ? MU_ESYSTEM : 0;
}

static int probe_event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct mu_host *h = self;
	const char *p = e->path;

	(void)err;
	if (e->member)
		do_member(h, e);
	else if (strcmp(p, "/do/get") == 0)
		return do_get(h, "/a", WAIT_MS);
	else if (strcmp(p, "/do/ask") == 0) {
		h->log(h, MU_INFO, "asking");
		return do_get(h, "/a", WAIT_MS);
	} else if (strcmp(p, "/do/get-twice") == 0)
		return do_get(h, "/late", 50) == MU_ETIMEDOUT
		               ? do_get(h, "/a", WAIT_MS)
		               : MU_ESYSTEM;
	else if (strcmp(p, "/do/children") == 0)
		return do_children(h, "/a");
	else if (strcmp(p, "/do/set") == 0)
		return do_get_and_set(h);
	else if (strcmp(p, "/do/report") == 0)
		return do_report(h, (int)e->zxid);
	else if (strcmp(p, "/do/settings") == 0)
		return do_settings(h);
	else if (strcmp(p, "/do/ends") == 0)
		return do_ends(h, e);
	else if (strcmp(p, "/do/odd") == 0)
		(void)h->setting_float(h, "odd", 1);
	else if (strcmp(p, "/do/log") == 0)
		do_log(h);
	else
		tell(h, e);
	return harm(e);
}

static int probe_init(const struct mu_host *h, void **self, struct mu_err *err)
{
	(void)err;
	*self = (void *)h;
	h->log(h, MU_INFO, "init %s on %s abi %u size %d pgrp %d", h->instance,
	       h->member, h->abi, h->size == sizeof *h, getpgrp() == getpid());
	if (h->setting_bool(h, "get_in_init", false))
		return do_get(h, "/a", WAIT_MS);
	return 0;
}

static void probe_fini(void *self)
{
	const struct mu_host *h = self;

	h->log(h, MU_INFO, "fini");
}

PLUGIN("probe", probe_init, probe_event, probe_fini);
