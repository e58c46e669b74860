/* Ticks and checks of an instance: when they are due, and what comes of them.
 * See hosted.h. */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"

#include <string.h>

#define NEVER UINT64_MAX

/* TICK and CHECK are rows: what a runner can be given besides events. */
static const struct kind {
	const char *name;
	const char *wrong, *well; /* for the log, when that changes */
} kinds[MU_TURNS] = {
	[MU_TURN_TICK] = { "tick", "a tick failed", "a tick did well again" },
	[MU_TURN_CHECK] = { "check", "the instance says that not all is well",
	                    "the instance says that all is well again" },
};

/* ---- when ---- */

static uint64_t earliest(const struct mu_hosted *h)
{
	uint64_t at = NEVER;

	for (int k = 0; k < MU_TURNS; k++)
		if (h->turn[k].due_ms < at)
			at = h->turn[k].due_ms;
	return at;
}

static void arm(struct mu_hosted *h)
{
	uint64_t now = mu_loop_now_ms(h->o.loop), at = earliest(h);

	if (at == NEVER)
		mu_timer_disarm(h->turn_timer);
	else
		mu_timer_arm(h->turn_timer, at > now ? at - now : 0, 0);
}

void mu_hosted_turn_timer(void *arg)
{
	mu_hosted_next(arg);
}

static void set_due(struct mu_hosted *h, int k)
{
	uint64_t every = h->turn[k].every_ms;

	h->turn[k].due_ms = every ? mu_loop_now_ms(h->o.loop) + every : NEVER;
}

static void warn_if_vain(const struct mu_hosted *h, int64_t ms, bool has,
                         const char *what)
{
	if (ms && !has)
		mu_log(MU_WARN, MSG(what), KS("instance", h->conf->name));
}

void mu_hosted_turns_begin(struct mu_hosted *h, const struct mu_chan_ready *m)
{
	const struct mu_instance_conf *c = h->conf;

	warn_if_vain(h, c->tick_ms, m->has_tick,
	             "tick_ms has no effect: the plugin has no tick");
	h->wants = m->wants;
	mu_mailbox_want_newest(h->mail, m->wants & MU_WANT_NEWEST);
	h->has_tick = m->has_tick;
	h->turn[MU_TURN_TICK].every_ms = m->has_tick ? (uint64_t)c->tick_ms : 0;
	h->turn[MU_TURN_CHECK].every_ms =
		m->has_check ? (uint64_t)c->check_ms : 0;
	for (int k = 0; k < MU_TURNS; k++)
		set_due(h, k);
	arm(h);
}

void mu_hosted_turns_end(struct mu_hosted *h)
{
	h->turn_out = h->turn_last = false;
	h->has_tick = false;
	h->wants = 0;
	/* The next one may be another plugin. */
	mu_mailbox_want_newest(h->mail, false);
	for (int k = 0; k < MU_TURNS; k++) {
		h->turn[k].due_ms = NEVER;
		h->turn[k].wrong[0] = '\0';
	}
	mu_timer_disarm(h->turn_timer);
}

int mu_hosted_wake(struct mu_hosted *h)
{
	if (!h->has_tick)
		return MU_EPROTO;
	h->turn[MU_TURN_TICK].due_ms = 0;
	mu_hosted_next(h);
	return 0;
}

/* ---- out ---- */

static int put(struct mu_hosted *h, int k)
{
	struct mu_buf *out = mu_pipe_out(h->run->pipe);
	uint64_t seq = ++h->turn_seq;

	if (k == MU_TURN_TICK)
		mu_put_chan_tick(out, &(struct mu_chan_tick){ seq });
	else
		mu_put_chan_check(out, &(struct mu_chan_check){ seq });
	return mu_pipe_send(h->run->pipe);
}

bool mu_hosted_turn_give(struct mu_hosted *h, bool event_waits)
{
	uint64_t now = mu_loop_now_ms(h->o.loop);
	int k = 0, rc;

	/* Each in turn, so that an instance that wakes itself again and again
	 * keeps no event from itself. */
	if (h->turn_last && event_waits) {
		h->turn_last = false;
		arm(h); /* it may be one that the plugin is not given */
		return false;
	}
	while (k < MU_TURNS && h->turn[k].due_ms > now)
		k++;
	if (k == MU_TURNS) {
		arm(h); /* also after a timer that was a little early */
		return false;
	}
	set_due(h, k);
	arm(h);
	rc = put(h, k);
	if (rc == MU_ENOMEM) {
		h->turn[k].due_ms = now + MU_BACKOFF_FIRST_MS;
		arm(h);
		return false;
	}
	if (rc) {
		mu_hosted_pipe_end(h->run, rc);
		return true;
	}
	h->turn_out = h->turn_last = true;
	h->turn_kind = k;
	h->given_ms = now;
	mu_timer_arm(h->timer, (uint64_t)h->conf->deadline_ms, 0);
	return true;
}

const char *mu_hosted_turn_doing(const struct mu_hosted *h)
{
	return h->turn_out ? kinds[h->turn_kind].name : NULL;
}

/* ---- back ---- */

static void tell(const struct mu_hosted *h, const struct kind *kind,
                 const char *wrong)
{
	if (wrong[0])
		mu_log(MU_WARN, MSG(kind->wrong), KS("instance", h->conf->name),
		       KS("reason", wrong));
	else
		mu_log(MU_INFO, MSG(kind->well), KS("instance", h->conf->name));
}

#define BOTH_MAX 100 /* bytes of what is wrong, with a refusal behind it */

void mu_hosted_tell_health(struct mu_hosted *h)
{
	const char *wrong = h->turn[MU_TURN_CHECK].wrong;
	const char *refusal = mu_upgrade_refusal(h->upgrade);
	char text[MU_STATE_MAX];

	if (!wrong[0]) {
		mu_hosted_tell_ready(h);
	} else if (!refusal[0]) {
		mu_hosted_tell(h, "unwell", wrong);
	} else {
		mu_format(text, sizeof text, "%.*s; upgrade refused: %s",
		          BOTH_MAX, wrong, refusal);
		mu_hosted_tell(h, "unwell", text);
	}
}

/* The log hears of it when it is another than before. */
static void note(struct mu_hosted *h, int k, const struct mu_chan_ack *m)
{
	struct mu_hosted_turn *t = &h->turn[k];
	char said[MU_ERR_MSG_MAX] = "";

	if (m->rc)
		mu_format(said, sizeof said, "%.*s (%s)",
		          (int)(m->reason.len < 400 ? m->reason.len : 400),
		          m->reason.at ? m->reason.at : "", mu_err_name(m->rc));
	if (strcmp(said, t->wrong) == 0)
		return;
	mu_format(t->wrong, sizeof t->wrong, "%s", said);
	tell(h, &kinds[k], t->wrong);
	if (k == MU_TURN_CHECK)
		mu_hosted_tell_health(h);
}

bool mu_hosted_turn_is_out(const struct mu_hosted *h)
{
	return h->turn_out;
}

int mu_hosted_turn_ack(struct mu_hosted *h, const struct mu_chan_ack *m)
{
	if (m->seq != h->turn_seq)
		return h->state == HOSTED_ENDING ? 0 : MU_EPROTO;
	h->turn_out = false;
	note(h, h->turn_kind, m);
	return 0;
}
