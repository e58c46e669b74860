#include "plugins.h"

#include "dirwatch.h"
#include "err.h"
#include "identity.h"
#include "log.h"
#include "mem.h"
#include "reload.h"
#include "unheard.h"

#include <string.h>

/* Between looks at the plugins' files: what the watch of their directories cannot
 * tell of, a file behind a symbolic link among it, is noticed by these. */
#define FILES_MS 5000u
/* Beyond stop_grace_ms, for the kernel to end what was killed. */
#define KILLED_MS 2000u

struct place {
	struct place *next;
	struct mu_hosted *hosted;
	struct mu_instance_conf *then; /* to start when this one has stopped */
};

struct mu_plugins {
	struct mu_plugins_options o;
	struct mu_uplink_listener listener;
	struct mu_members *members;
	struct mu_applied *applied;
	struct mu_ephemerals *ephemerals;
	struct mu_alarms *alarms;
	struct mu_keep *keep;
	/* The members were read, and told up to there; for whoever comes later.
	 */
	bool members_ready;
	struct mu_keep_place members_at;
	struct mu_reload *reload; /* NULL while there is no instance */
	struct mu_dirwatch
		*files;        /* likewise, or where there is none to be had */
	struct mu_timer *look; /* at all files */
	struct mu_timer *sweep;
	struct mu_timer *give_up; /* waiting for those that cannot be killed */
	struct place *places;
	bool stopping;
};

/* One has stopped, maybe inside a call of ours: see to it in the next turn. */
static void on_one_stopped(void *arg)
{
	struct mu_plugins *p = arg;

	mu_timer_arm(p->sweep, 0, 0);
}

/* The members may have been read long ago. */
static void tell_newcomer(const struct mu_plugins *p, struct mu_hosted *h)
{
	if (!p->members_ready)
		return;
	mu_hosted_members_ready(h, false);
	if (p->members_at.known)
		mu_hosted_members_position(h, p->members_at.zxid,
		                           p->members_at.n);
}

/* ---- files, and wishes, to upgrade ---- */

static void look_at_files(void *arg)
{
	struct mu_plugins *p = arg;

	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_look(at->hosted);
}

static void on_reload(void *arg, const char *instance, const char *why)
{
	struct mu_plugins *p = arg;

	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted &&
		    strcmp(mu_hosted_conf(at->hosted)->name, instance) == 0)
			mu_hosted_reload(at->hosted, why);
}

static int watch_dir_of(struct mu_plugins *p, const char *file,
                        struct mu_err *err)
{
	char dir[MU_PLUGIN_FILE_MAX];
	char *slash;

	mu_format(dir, sizeof dir, "%s", file);
	slash = strrchr(dir, '/');
	if (!slash)
		return 0;
	slash[slash == dir] = '\0';
	return mu_dirwatch_add(p->files, dir, err);
}

/* Without it, files are looked at from time to time only. */
static void watch_files(struct mu_plugins *p, const struct mu_instance_conf *c)
{
	char file[MU_PLUGIN_FILE_MAX];
	struct mu_err err;
	int rc = 0;

	if (!p->files)
		rc = mu_dirwatch_new(p->o.loop, look_at_files, p, &p->files,
		                     &err);
	if (!rc) {
		mu_instance_conf_file(c, p->o.agent, file);
		rc = watch_dir_of(p, file, &err);
	}
	if (rc)
		mu_log(MU_WARN, MSG("another file of a plugin is noticed late"),
		       KS("instance", c->name), KS("reason", err.msg),
		       KI("within_ms", FILES_MS));
	if (!mu_timer_armed(p->look))
		mu_timer_arm(p->look, FILES_MS, FILES_MS);
}

static int hear_wishes(struct mu_plugins *p)
{
	struct mu_reload_options o = {
		.loop = p->o.loop,
		.uplink = p->o.uplink,
		.limits = { (uint32_t)p->o.agent->watch_nodes_max,
		            (uint32_t)p->o.agent->watch_queue_max,
		            (size_t)p->o.agent->watch_bytes_max },
		.host = p->o.agent->name,
		.fn = on_reload,
		.arg = p,
	};

	return p->reload ? 0 : mu_reload_new(&o, &p->reload);
}

/* ---- instances ---- */

static void say_unheard(void *arg, const char *text)
{
	const struct mu_instance_conf *c = arg;

	mu_log(MU_WARN, MSG("an instance does not watch what it is to follow"),
	       KS("instance", c->name), KS("reason", text));
}

static int host(struct mu_plugins *p, struct mu_instance_conf *conf,
                struct mu_hosted **out)
{
	struct mu_hosted_options o = { .loop = p->o.loop,
		                       .uplink = p->o.uplink,
		                       .members = p->members,
		                       .applied = p->applied,
		                       .ephemerals = p->ephemerals,
		                       .alarms = p->alarms,
		                       .roster = p->o.roster,
		                       .keep = p->keep,
		                       .agent = p->o.agent,
		                       .conf = conf,
		                       .on_stopped = on_one_stopped,
		                       .arg = p };
	int rc;

	/* Of one before it, be it of an agent before this one. */
	mu_alarms_clear(p->alarms, conf->name);
	mu_applied_begin(p->applied, conf->name);
	mu_unheard_each(conf, say_unheard, conf);
	rc = mu_hosted_new(&o, out);
	if (rc) {
		mu_log(MU_ERROR, MSG("an instance cannot be started"),
		       KS("reason", mu_err_text(rc)));
		return rc;
	}
	tell_newcomer(p, *out);
	watch_files(p, mu_hosted_conf(*out));
	if (hear_wishes(p))
		mu_log(MU_ERROR,
		       MSG("the agent will not hear of muster plugin reload"),
		       KS("reason", mu_err_text(MU_ENOMEM)));
	return 0;
}

static void add(struct mu_plugins *p, struct mu_instance_conf *conf)
{
	struct place **end = &p->places;
	struct place *at = mu_alloc(sizeof *at);

	if (!at) {
		mu_log(MU_ERROR, MSG("an instance cannot be started"),
		       KS("reason", mu_err_text(MU_ENOMEM)));
		mu_instance_conf_free(conf);
		return;
	}
	if (host(p, conf, &at->hosted)) {
		mu_free(at);
		return;
	}
	while (*end)
		end = &(*end)->next;
	*end = at;
}

/* What one plugin has put in force is nothing that another one could report on. */
static bool is_other_plugin(const struct mu_plugins *p,
                            const struct mu_instance_conf *now,
                            const struct mu_instance_conf *then)
{
	char a[MU_PLUGIN_FILE_MAX], b[MU_PLUGIN_FILE_MAX];

	mu_instance_conf_file(now, p->o.agent, a);
	mu_instance_conf_file(then, p->o.agent, b);
	return strcmp(a, b) != 0;
}

/* False: nothing takes the place of the one that stopped. */
static bool follow(struct mu_plugins *p, struct place *at)
{
	struct mu_instance_conf *then = at->then;
	const char *name = mu_hosted_conf(at->hosted)->name;

	if (!p->stopping &&
	    (!then || is_other_plugin(p, mu_hosted_conf(at->hosted), then)))
		mu_applied_remove(p->applied, name);
	if (!then && !p->stopping) {
		mu_alarms_clear(p->alarms, name);
		mu_roster_instance(p->o.roster, name, NULL);
	}
	mu_hosted_free(at->hosted);
	at->hosted = NULL;
	at->then = NULL;
	if (p->stopping) {
		mu_instance_conf_free(then);
		return false;
	}
	return then && host(p, then, &at->hosted) == 0;
}

/* Does the configuration have it? */
static bool is_configured(void *arg, const char *name)
{
	const struct mu_plugins *p = arg;

	for (const struct place *at = p->places; at; at = at->next)
		if (at->hosted &&
		    strcmp(mu_hosted_conf(at->hosted)->name, name) == 0)
			return at->then || !mu_hosted_is_stopping(at->hosted);
	return false;
}

static void on_sweep(void *arg)
{
	struct mu_plugins *p = arg;
	struct place **link = &p->places;
	bool gone = false;

	while (*link) {
		struct place *at = *link;

		if (!mu_hosted_is_stopped(at->hosted) || follow(p, at)) {
			link = &at->next;
			continue;
		}
		*link = at->next;
		mu_free(at);
		gone = true;
	}
	if (gone && !p->stopping)
		mu_keep_only(p->keep, is_configured, p);
	if (p->stopping && !p->places && !mu_ephemerals_is_busy(p->ephemerals))
		p->o.on_stopped(p->o.arg);
}

/* Nodes of runners that have ended are gone: somebody may wait for that. */
static void on_gone(void *arg)
{
	struct mu_plugins *p = arg;

	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_call_again(at->hosted);
	if (p->stopping)
		mu_timer_arm(p->sweep, 0, 0);
}

/* ---- a new configuration ---- */

static struct mu_instance_conf *take_conf(struct mu_instance_confs *confs,
                                          const char *name)
{
	for (size_t i = 0; i < confs->count; i++) {
		struct mu_instance_conf *c = confs->at[i];

		if (c && strcmp(c->name, name) == 0) {
			confs->at[i] = NULL;
			return c;
		}
	}
	return NULL;
}

static void exchange(struct place *at, struct mu_instance_conf *c)
{
	const struct mu_instance_conf *now = mu_hosted_conf(at->hosted);

	/* One that is on its way out already has a successor, or gets one. */
	if (c && !at->then && mu_instance_conf_eq(now, c) &&
	    !mu_hosted_is_stopping(at->hosted)) {
		mu_instance_conf_free(c);
		return;
	}
	mu_log(MU_INFO,
	       MSG(c ? "instance changed; starting it anew"
	             : "instance removed; stopping it"),
	       KS("instance", now->name));
	if (c && mu_hosted_is_quarantined(at->hosted))
		mu_log(MU_INFO, MSG("instance released from quarantine"),
		       KS("instance", now->name),
		       KS("because", "its settings have changed"),
		       KS("by", "this agent"));
	mu_instance_conf_free(at->then);
	at->then = c;
	mu_hosted_stop(at->hosted, !c);
}

void mu_plugins_apply(struct mu_plugins *p, struct mu_instance_confs *confs)
{
	for (struct place *at = p->places; at; at = at->next)
		exchange(at,
		         take_conf(confs, mu_hosted_conf(at->hosted)->name));
	for (size_t i = 0; i < confs->count; i++) {
		struct mu_instance_conf *c = confs->at[i];

		confs->at[i] = NULL;
		if (c)
			add(p, c);
	}
	mu_instance_confs_wipe(confs);
	look_at_files(p);
	mu_keep_only(p->keep, is_configured, p);
	mu_ephemerals_only(p->ephemerals, is_configured, p);
}

/* The kernel holds them; the agent has a word to say, and must not be held. */
static void on_give_up(void *arg)
{
	struct mu_plugins *p = arg;

	for (struct place *at = p->places; at; at = at->next)
		mu_log(MU_ERROR,
		       MSG("the process of an instance was killed and does not "
		           "end; the agent ends without it"),
		       KS("instance", mu_hosted_conf(at->hosted)->name));
	if (p->places)
		p->o.on_stopped(p->o.arg);
}

void mu_plugins_stop(struct mu_plugins *p, bool for_good)
{
	uint64_t grace_ms = (uint64_t)p->o.agent->stop_grace_ms;

	p->stopping = true;
	if (!for_good)
		mu_ephemerals_stay(p->ephemerals);
	for (struct place *at = p->places; at; at = at->next)
		mu_hosted_stop(at->hosted, false);
	mu_timer_arm(p->sweep, 0, 0);
	mu_timer_arm(p->give_up, grace_ms + KILLED_MS, 0);
}

/* ---- what concerns all ---- */

static void on_member(void *arg, const struct mu_roll_event *e)
{
	struct mu_plugins *p = arg;

	if (e->exact && !e->held)
		p->members_at = (struct mu_keep_place){ true, e->zxid, e->n };
	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_member(at->hosted, e);
}

static void on_members_ready(void *arg, bool quiet)
{
	struct mu_plugins *p = arg;

	p->members_ready = true;
	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_members_ready(at->hosted, quiet);
}

static void on_members_position(void *arg, int64_t zxid, int32_t n)
{
	struct mu_plugins *p = arg;

	p->members_at = (struct mu_keep_place){ true, zxid, n };
	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_members_position(at->hosted, zxid, n);
}

static void on_members_gap(void *arg, const struct mu_mirror_event *gap)
{
	struct mu_plugins *p = arg;

	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_members_gap(at->hosted, gap);
}

static void tell_link(struct mu_plugins *p, bool up)
{
	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted)
			mu_hosted_link(at->hosted, up);
}

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_plugins *p = arg;

	if (up->lost_tree) {
		p->members_ready = false;
		p->members_at.known = false;
	}
	for (struct place *at = p->places; at; at = at->next)
		if (at->hosted &&
		    (up->lost_tree ||
		     mu_hosted_is_foreign(at->hosted, up->tree_id))) {
			mu_applied_begin(p->applied,
			                 mu_hosted_conf(at->hosted)->name);
			mu_hosted_renew(at->hosted);
		}
	mu_keep_tree(p->keep, up->tree_id);
	tell_link(p, true);
}

static void on_down(void *arg)
{
	tell_link(arg, false);
}

int mu_plugins_new(const struct mu_plugins_options *o, struct mu_plugins **out)
{
	struct mu_plugins *p = mu_alloc(sizeof *p);
	struct mu_members_options members = {
		.loop = o->loop,
		.uplink = o->uplink,
		.limits = { (uint32_t)o->agent->watch_nodes_max,
		            (uint32_t)o->agent->watch_queue_max,
		            (size_t)o->agent->watch_bytes_max },
		.fn = on_member,
		.on_ready = on_members_ready,
		.on_position = on_members_position,
		.on_gap = on_members_gap,
		.arg = p,
	};
	struct mu_keep_options keep = {
		.loop = o->loop,
		.state_dir = o->agent->state_dir,
		.brokers = mu_brokers_hash(o->agent->broker_urls),
	};
	int rc;

	if (!p)
		return MU_ENOMEM;
	p->o = *o;
	p->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .arg = p };
	/* First, so that CONNECTED comes before what the connection brings. */
	mu_uplink_listen(o->uplink, &p->listener);
	rc = mu_timer_new(o->loop, on_sweep, p, &p->sweep);
	if (!rc)
		rc = mu_timer_new(o->loop, on_give_up, p, &p->give_up);
	if (!rc)
		rc = mu_timer_new(o->loop, look_at_files, p, &p->look);
	if (!rc)
		rc = mu_applied_new(o->loop, o->uplink, o->agent->name,
		                    &p->applied);
	if (!rc)
		rc = mu_ephemerals_new(
			&(struct mu_ephemerals_options){ o->loop, o->uplink,
		                                         o->agent->runtime_dir,
		                                         on_gone, p },
			&p->ephemerals);
	if (!rc)
		rc = mu_alarms_new(o->loop, o->uplink, o->agent->name,
		                   &p->alarms);
	if (!rc)
		rc = mu_keep_new(&keep, &p->keep);
	if (!rc)
		rc = mu_members_new(&members, &p->members);
	if (rc) {
		mu_plugins_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void mu_plugins_free(struct mu_plugins *p)
{
	if (!p)
		return;
	while (p->places) {
		struct place *at = p->places;

		p->places = at->next;
		mu_hosted_free(at->hosted);
		mu_instance_conf_free(at->then);
		mu_free(at);
	}
	mu_uplink_unlisten(p->o.uplink, &p->listener);
	mu_reload_free(p->reload);
	mu_dirwatch_free(p->files);
	mu_timer_free(p->look);
	mu_timer_free(p->give_up);
	mu_members_free(p->members);
	mu_applied_free(p->applied);
	mu_ephemerals_free(p->ephemerals);
	mu_alarms_free(p->alarms);
	mu_keep_free(p->keep);
	if (p->sweep)
		mu_timer_free(p->sweep);
	mu_free(p);
}
