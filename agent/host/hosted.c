#include "hosted_impl.h"

#include "abi.h"
#include "clock.h"
#include "err.h"
#include "log.h"
#include "mem.h"
#include "states.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define HEALTHY_MS 60000u  /* after that long the back-off begins anew */
#define LAST_GASP_MS 1000u /* from a runner's last word to its end */
#define LEAVE_LOOK_MS 20u  /* between looks at a cgroup that must go */
#define LEAVE_LOOKS 50u
#define FILE_LOOK_MS 2000u /* between looks at the plugin's file */

static void start(struct mu_hosted *h);

/* For the host's record. */
void mu_hosted_tell(struct mu_hosted *h, const char *state, const char *reason)
{
	char text[MU_STATE_MAX];

	mu_format(text, sizeof text, "%s%s%s", state, reason[0] ? ": " : "",
	          reason);
	mu_roster_instance(h->o.roster, h->conf->name, text);
}

void mu_hosted_tell_ready(struct mu_hosted *h)
{
	const char *why = mu_upgrade_refusal(h->upgrade);
	char text[MU_STATE_MAX];

	mu_format(text, sizeof text, "upgrade refused: %s", why);
	mu_hosted_tell(h, "ready", why[0] ? text : "");
}

/* ---- the end of a runner ---- */

static void kill_now(struct mu_hosted *h)
{
	if (h->run)
		mu_proc_kill(h->run->proc, SIGKILL);
}

/* It is of no use any more: give it `ms` to go by itself. */
static void ending(struct mu_hosted *h, uint64_t ms)
{
	h->state = HOSTED_ENDING;
	mu_timer_arm(h->timer, ms, 0);
}

static void stopped(struct mu_hosted *h)
{
	if (!mu_hosted_end_cgroup(h) && h->looked++ < LEAVE_LOOKS) {
		h->state = HOSTED_LEAVING;
		mu_timer_arm(h->timer, LEAVE_LOOK_MS, 0);
		return;
	}
	h->state = HOSTED_STOPPED;
	mu_timer_disarm(h->timer);
	if (!h->why[0])
		mu_log(MU_INFO, MSG("instance stopped"),
		       KS("instance", h->conf->name));
	h->o.on_stopped(h->o.arg);
}

static void wait_and_start(struct mu_hosted *h)
{
	uint32_t ms =
		h->refused ? MU_BACKOFF_LAST_MS : mu_backoff_ms(++h->failures);

	mu_log(h->cannot ? MU_ERROR : MU_WARN,
	       MSG(h->cannot ? "the plugin cannot run; trying again"
	                     : "the plugin's process will be started again"),
	       KS("instance", h->conf->name), KS("reason", h->why),
	       KI("in_ms", ms));
	mu_hosted_tell(h, h->cannot ? "refused" : "failed", h->why);
	h->cannot = h->refused = false;
	h->state = HOSTED_WAITING;
	mu_timer_arm(h->timer, ms, 0);
}

/* Started anew because we want that: without a pause. */
static void start_soon(struct mu_hosted *h)
{
	h->state = HOSTED_WAITING;
	mu_timer_arm(h->timer, 0, 0);
}

/* ---- quarantine ---- */

/* Somebody or something says that it may go on. */
static void release(struct mu_hosted *h, const char *because, const char *by)
{
	mu_log(MU_INFO, MSG("instance released from quarantine"),
	       KS("instance", h->conf->name), KS("because", because),
	       KS("by", by));
	mu_quarantine_lift(h->quarantine);
	h->why[0] = '\0'; /* that is over */
	h->failures = 0;
	start_soon(h);
	mu_hosted_tell(h, "starting", "");
}

static void on_released(void *arg, const char *by)
{
	struct mu_hosted *h = arg;

	if (h->state == HOSTED_QUARANTINED)
		release(h, "its alarm was deleted", by[0] ? by : "unknown");
}

/* Only another file may be another plugin. */
static void look_at_file(struct mu_hosted *h)
{
	(void)mu_hosted_end_cgroup(h);
	mu_timer_arm(h->timer, FILE_LOOK_MS, 0);
	mu_upgrade_look(h->upgrade);
}

void mu_hosted_start_now(struct mu_hosted *h, const char *because)
{
	if (h->state == HOSTED_QUARANTINED) {
		mu_alarms_clear(h->o.alarms, h->conf->name);
		release(h, because, "this agent");
		return;
	}
	mu_log(MU_INFO, MSG("the instance is started at once"),
	       KS("instance", h->conf->name), KS("because", because));
	h->failures = 0;
	start_soon(h);
}

static void quarantine(struct mu_hosted *h)
{
	struct mu_alarm alarm = { .since_ms = mu_clock_wall_ms(),
		                  .reason = h->why,
		                  .on_released = on_released,
		                  .arg = h };

	alarm.failures = mu_quarantine_count(h->quarantine, 0);
	mu_log(MU_ERROR,
	       MSG("instance quarantined: it failed too often and is not "
	           "started again; release it with muster plugin release, by "
	           "another plugin file or other settings"),
	       KS("instance", h->conf->name), KS("reason", h->why),
	       KI("failures", alarm.failures),
	       KI("within_s", h->conf->quarantine_window_s));
	h->state = HOSTED_QUARANTINED;
	mu_timer_arm(h->timer, FILE_LOOK_MS, 0);
	mu_hosted_tell(h, "quarantined", h->why);
	if (mu_alarms_raise(h->o.alarms, h->conf->name, &alarm))
		mu_log(MU_ERROR, MSG("no memory for an alarm"),
		       KS("instance", h->conf->name));
}

/* One that says that it cannot run does no harm. */
static bool is_too_much(struct mu_hosted *h)
{
	return !h->cannot &&
	       mu_quarantine_failed(h->quarantine, mu_loop_now_ms(h->o.loop));
}

/* Did it run well for a while? What it was at when it ended does not count. */
static bool was_healthy(const struct mu_hosted *h)
{
	uint64_t until = mu_loop_now_ms(h->o.loop);

	if (mu_hosted_is_busy(h))
		until = h->given_ms;
	return h->ready_ms && until - h->ready_ms >= HEALTHY_MS;
}

void mu_hosted_how(char *out, size_t room, int status, int signum)
{
	if (signum)
		mu_format(out, room, "it was ended by signal %d (%s)", signum,
		          strsignal(signum));
	else
		mu_format(out, room, "it exited with status %d", status);
}

/* Why did it end? Nothing to say if it was asked to and did. */
static void note_end(struct mu_hosted *h, int status, int signum)
{
	char how[100], doing[MU_DOING_MAX];

	mu_hosted_doing(h, doing, sizeof doing);
	if (h->why[0] || (!signum && h->asked && !status))
		return;
	mu_hosted_how(how, sizeof how, status, signum);
	mu_format(h->why, sizeof h->why, "%s %s", how, doing);
}

/* What it printed last often says more than the signal does. */
static void note_last_words(struct mu_hosted *h)
{
	const char *last = mu_printed_last(h->run->printed);
	size_t len = strlen(h->why);

	if (len > 0 && last[0])
		mu_format(h->why + len, sizeof h->why - len,
		          "; it printed last: %s", last);
}

/* It went in peace to make room for one that was gone when it had: that is told,
 * and no failure of this one. */
static bool has_made_room(const struct mu_hosted *h)
{
	return h->asked && !h->why[0];
}

/* What comes after a process that has ended. */
static void follow(struct mu_hosted *h)
{
	if ((h->stop || h->renew) && h->why[0])
		mu_log(MU_WARN, MSG("instance stopped, but not well"),
		       KS("instance", h->conf->name), KS("reason", h->why));
	if (h->stop)
		stopped(h);
	else if (mu_upgrade_take(h->upgrade, h->why))
		return;
	else if (h->renew || has_made_room(h))
		start_soon(h);
	else if (is_too_much(h))
		quarantine(h);
	else
		wait_and_start(h);
	h->renew = false;
}

void mu_hosted_on_exit(void *arg, int status, int signum)
{
	struct mu_hosted_run *r = arg;
	struct mu_hosted *h = r->h;

	if (r != h->run) {
		mu_upgrade_exit(h->upgrade, status, signum);
		return;
	}
	h->gone = true;
	mu_pipe_drain(r->pipe);
	mu_printed_end(r->printed);
	note_end(h, status, signum);
	note_last_words(h);
	mu_hosted_tell_refused(r);
	mu_hosted_call_end(r);
	if (was_healthy(h))
		h->failures = 0;
	h->ready_ms = 0;
	mu_hosted_lost(h);
	h->run = NULL;
	mu_hosted_unspawn(r);
	follow(h);
}

void mu_hosted_wrong(char *out, size_t room, int rc)
{
	if (rc == MU_EFULL)
		mu_format(out, room,
		          "its runner does not read what it is sent");
	else if (rc == MU_EPROTO || rc == MU_ETOOBIG)
		mu_format(out, room, "its runner said what makes no sense: %s",
		          mu_err_text(rc));
	else /* it is not to blame */
		mu_format(out, room, "its channel cannot be used: %s",
		          mu_err_text(rc));
}

void mu_hosted_pipe_end(void *arg, int rc)
{
	struct mu_hosted_run *r = arg;
	struct mu_hosted *h = r->h;

	if (r != h->run) {
		mu_upgrade_pipe_end(h->upgrade, rc);
		return;
	}
	if (rc && !h->why[0])
		mu_hosted_wrong(h->why, sizeof h->why, rc);
	if (rc)
		kill_now(h);
	mu_hosted_call_end(r);
	ending(h, LAST_GASP_MS);
}

/* ---- the start of a runner ---- */

/* Nothing but another object or other settings helps: retrying soon is of no
 * use. */
static bool is_hopeless(const struct mu_hosted *h,
                        const struct mu_chan_ready *m)
{
	char name[NAME_MAX + 1], file[MU_PLUGIN_FILE_MAX];

	if (m->rc == MU_EABI || m->rc == MU_ECONFIG || m->plugin.len == 0)
		return true; /* without a name it was not even loaded */
	mu_format(name, sizeof name, "%.*s", (int)m->plugin.len, m->plugin.at);
	mu_instance_conf_file(h->conf, h->o.agent, file);
	return mu_abi_check_name(name, file, NULL) != 0;
}

int mu_hosted_judge(const struct mu_chan_ready *m, char *why, size_t room)
{
	if (m->version != MU_CHAN_VERSION) {
		mu_format(why, room,
		          "muster-runner speaks version %d of the channel, the "
		          "agent %d; install both of one version",
		          (int)m->version, MU_CHAN_VERSION);
		return MU_EABI;
	}
	if (m->rc)
		mu_format(why, room, "%.*s",
		          (int)(m->reason.len < 400 ? m->reason.len : 400),
		          m->reason.at ? m->reason.at : "");
	return m->rc;
}

void mu_hosted_on_ready(struct mu_hosted *h, const struct mu_chan_ready *m)
{
	if (mu_hosted_judge(m, h->why, sizeof h->why)) {
		h->refused = m->version != MU_CHAN_VERSION || is_hopeless(h, m);
		h->cannot = true; /* told when it has ended */
		ending(h, LAST_GASP_MS);
		return;
	}
	if (h->gone)
		return; /* ready, and dead */
	h->state = HOSTED_READY;
	h->ready_ms = mu_loop_now_ms(h->o.loop);
	mu_timer_disarm(h->timer);
	mu_log(MU_INFO, MSG("instance ready"), KS("instance", h->conf->name),
	       KI("pid", mu_proc_pid(h->run->proc)));
	mu_hosted_tell_ready(h);
	mu_hosted_prologue(h);
	mu_hosted_next(h);
}

void mu_hosted_starts(struct mu_hosted *h, uint64_t limit_ms)
{
	h->why[0] = h->at_stop[0] = '\0';
	h->gone = h->asked = h->cannot = h->refused = false;
	h->state = HOSTED_STARTING;
	mu_timer_arm(h->timer, limit_ms, 0);
}

static void start(struct mu_hosted *h)
{
	struct mu_err err;
	int rc;

	h->why[0] = '\0';
	mu_upgrade_loads(h->upgrade);
	rc = mu_hosted_spawn(h, &h->run, &err);
	if (rc) {
		mu_format(h->why, sizeof h->why, "%s", err.msg);
		wait_and_start(h);
		return;
	}
	mu_hosted_starts(h, (uint64_t)h->conf->deadline_ms);
	mu_hosted_tell(h, "starting", "");
	rc = mu_hosted_say_start(h->run);
	if (rc)
		mu_hosted_pipe_end(h->run, rc);
}

/* Its time is over. */
static void note_late(struct mu_hosted *h)
{
	char doing[MU_DOING_MAX];

	mu_hosted_doing(h, doing, sizeof doing);
	if (h->asked)
		mu_format(
			h->why, sizeof h->why,
			"it did not end in time (stop_grace_ms, %lld ms), %s; "
			"its process group was killed",
			(long long)h->o.agent->stop_grace_ms, doing);
	else if (h->state == HOSTED_STARTING)
		mu_format(h->why, sizeof h->why,
		          "init took longer than deadline_ms, %lld ms; its "
		          "process group was killed",
		          (long long)h->conf->deadline_ms);
	else if (h->state != HOSTED_ENDING)
		mu_format(h->why, sizeof h->why,
		          "%s took longer than deadline_ms, %lld ms, %s; its "
		          "process group was killed",
		          mu_hosted_turn_is_out(h) ? "a call" : "an event",
		          (long long)h->conf->deadline_ms, doing);
}

static void on_timer(void *arg)
{
	struct mu_hosted *h = arg;

	switch (h->state) {
	case HOSTED_WAITING:
		start(h);
		return;
	case HOSTED_QUARANTINED:
		look_at_file(h);
		return;
	case HOSTED_LEAVING:
		stopped(h);
		return;
	default:
		break;
	}
	if (h->state == HOSTED_READY && !mu_hosted_is_busy(h)) {
		mu_hosted_next(h);
		return;
	}
	if (!h->why[0])
		note_late(h);
	kill_now(h);
	if (h->state != HOSTED_STOPPED)
		h->state = HOSTED_ENDING;
}

/* ---- life ---- */

void mu_hosted_ask_to_stop(struct mu_hosted *h)
{
	if (mu_hosted_is_busy(h) || h->state == HOSTED_STARTING)
		mu_hosted_doing(h, h->at_stop, sizeof h->at_stop);
	h->asked = true;
	mu_put_chan_stop(mu_pipe_out(h->run->pipe),
	                 &(struct mu_chan_stop){ .removed = h->removed });
	if (mu_pipe_send(h->run->pipe))
		kill_now(h);
	ending(h, (uint64_t)h->o.agent->stop_grace_ms);
}

void mu_hosted_stop(struct mu_hosted *h, bool removed)
{
	if (h->stop)
		return;
	mu_hosted_keep(h, true);
	h->stop = true;
	h->removed = removed;
	mu_upgrade_drop(h->upgrade);
	if (h->state == HOSTED_WAITING || h->state == HOSTED_QUARANTINED) {
		h->why[0] = '\0'; /* it was told when it ended */
		stopped(h);
		return;
	}
	if (h->state == HOSTED_ENDING)
		return; /* it goes, and is not started again */
	mu_hosted_ask_to_stop(h);
}

void mu_hosted_renew(struct mu_hosted *h)
{
	if (h->stop)
		return;
	mu_log(MU_INFO,
	       MSG("the tree is another; the instance starts anew, and what "
	           "waited for it is dropped"),
	       KS("instance", h->conf->name),
	       KI("dropped", mu_mailbox_count(h->mail)));
	mu_upgrade_drop(h->upgrade); /* so is what the new one has read */
	/* One that waits for its start, or is on its way out, has no memory to
	 * be emptied. */
	if (h->state == HOSTED_READY || h->state == HOSTED_STARTING) {
		h->renew = true;
		mu_hosted_ask_to_stop(h);
	}
	mu_hosted_drop(h);
}

void mu_hosted_look(struct mu_hosted *h)
{
	mu_upgrade_look(h->upgrade);
}

void mu_hosted_reload(struct mu_hosted *h, const char *why)
{
	mu_upgrade_begin(h->upgrade, why);
}

bool mu_hosted_is_stopping(const struct mu_hosted *h)
{
	return h->stop;
}

bool mu_hosted_is_quarantined(const struct mu_hosted *h)
{
	return h->state == HOSTED_QUARANTINED;
}

bool mu_hosted_is_stopped(const struct mu_hosted *h)
{
	return h->state == HOSTED_STOPPED;
}

const struct mu_instance_conf *mu_hosted_conf(const struct mu_hosted *h)
{
	return h->conf;
}

/* A likely slip: the plugin runs and never hears of anything. */
static void warn_if_deaf(const struct mu_instance_conf *c)
{
	if (c->watches == 0 && !c->members && !c->connection)
		mu_log(MU_WARN,
		       MSG("no event can reach the instance: it has neither "
		           "watch nor members nor connection"),
		       KS("instance", c->name));
}

int mu_hosted_new(const struct mu_hosted_options *o, struct mu_hosted **out)
{
	struct mu_hosted *h = mu_alloc(sizeof *h);
	int rc;

	if (!h) {
		mu_instance_conf_free(o->conf);
		return MU_ENOMEM;
	}
	h->o = *o;
	h->conf = o->conf;
	h->mail = mu_mailbox_new((uint32_t)o->conf->queue_max);
	h->prologue = mu_mailbox_new(UINT32_MAX); /* it merges nothing */
	h->quarantine = mu_quarantine_new(
		(uint32_t)o->conf->quarantine_failures,
		(uint64_t)o->conf->quarantine_window_s * 1000);
	rc = h->mail && h->prologue && h->quarantine ? 0 : MU_ENOMEM;
	if (!rc)
		rc = mu_timer_new(o->loop, on_timer, h, &h->timer);
	if (!rc)
		rc = mu_upgrade_new(h, &h->upgrade);
	if (!rc)
		rc = mu_timer_new(o->loop, mu_hosted_turn_timer, h,
		                  &h->turn_timer);
	if (!rc)
		rc = mu_hosted_subscribe(h);
	if (rc) {
		mu_hosted_free(h);
		return rc;
	}
	if (mu_uplink_is_up(o->uplink))
		mu_hosted_link(h, true);
	warn_if_deaf(h->conf);
	mu_hosted_tell(h, "starting", "");
	h->state = HOSTED_WAITING;
	mu_timer_arm(h->timer, 0, 0);
	*out = h;
	return 0;
}

void mu_hosted_free(struct mu_hosted *h)
{
	if (!h)
		return;
	mu_hosted_unsubscribe(h);
	if (h->run)
		mu_ephemerals_end(h->o.ephemerals, h->conf->name);
	mu_ephemerals_settle(h->o.ephemerals, h->conf->name);
	mu_upgrade_free(h->upgrade);
	mu_hosted_unspawn(h->run);
	mu_alarms_forget(h->o.alarms, h);
	mu_free(h->cgroup);
	mu_timer_free(h->timer);
	mu_quarantine_free(h->quarantine);
	mu_timer_free(h->turn_timer);
	mu_mailbox_free(h->mail);
	mu_mailbox_free(h->prologue);
	mu_instance_conf_free(h->conf);
	mu_free(h);
}
