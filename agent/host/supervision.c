#include "supervision.h"

#include "agent_options.h"
#include "bug.h"
#include "mailbox.h"

/* What is not in the table means nothing: a signal for a worker that is about to
 * end, news of one that has. */
static const struct row {
	enum mu_supervision_state state;
	enum mu_supervision_event event;
	enum mu_supervision_state next;
	enum mu_supervision_action action;
} rows[] = {
	{ MU_SV_STARTING, MU_SV_READY, MU_SV_RUNNING, MU_SV_NOTHING },
	{ MU_SV_STARTING, MU_SV_ENDED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_STARTING, MU_SV_REFUSED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_STARTING, MU_SV_FAILED, MU_SV_WAITING, MU_SV_WAIT },
	{ MU_SV_STARTING, MU_SV_HOPELESS, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_STARTING, MU_SV_SILENT, MU_SV_KILLING, MU_SV_KILL },
	{ MU_SV_STARTING, MU_SV_END, MU_SV_STOPPING, MU_SV_PASS },
	{ MU_SV_STARTING, MU_SV_LEAVE, MU_SV_STOPPING, MU_SV_PASS },
	{ MU_SV_STARTING, MU_SV_RELOAD, MU_SV_STARTING, MU_SV_PASS },

	{ MU_SV_RUNNING, MU_SV_ENDED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_RUNNING, MU_SV_FAILED, MU_SV_WAITING, MU_SV_WAIT },
	{ MU_SV_RUNNING, MU_SV_HOPELESS, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_RUNNING, MU_SV_SILENT, MU_SV_KILLING, MU_SV_KILL },
	{ MU_SV_RUNNING, MU_SV_END, MU_SV_STOPPING, MU_SV_PASS },
	{ MU_SV_RUNNING, MU_SV_LEAVE, MU_SV_STOPPING, MU_SV_PASS },
	{ MU_SV_RUNNING, MU_SV_RELOAD, MU_SV_RUNNING, MU_SV_PASS },

	/* Told to end, it is not started again, however it ends; what it did
	 * not get to say is said for it. */
	{ MU_SV_STOPPING, MU_SV_ENDED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_STOPPING, MU_SV_REFUSED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_STOPPING, MU_SV_FAILED, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_STOPPING, MU_SV_HOPELESS, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_STOPPING, MU_SV_SILENT, MU_SV_KILLING, MU_SV_KILL },
	{ MU_SV_STOPPING, MU_SV_END, MU_SV_STOPPING, MU_SV_PASS },
	{ MU_SV_STOPPING, MU_SV_LEAVE, MU_SV_STOPPING, MU_SV_PASS },

	{ MU_SV_KILLING, MU_SV_ENDED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_KILLING, MU_SV_REFUSED, MU_SV_OVER, MU_SV_EXIT },
	{ MU_SV_KILLING, MU_SV_FAILED, MU_SV_WAITING, MU_SV_WAIT },
	{ MU_SV_KILLING, MU_SV_HOPELESS, MU_SV_PARTING, MU_SV_PART },
	/* The kernel holds it: there can be no other beside it. */
	{ MU_SV_KILLING, MU_SV_SILENT, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_KILLING, MU_SV_END, MU_SV_KILLING, MU_SV_NOTHING },
	{ MU_SV_KILLING, MU_SV_LEAVE, MU_SV_KILLING, MU_SV_NOTHING },

	{ MU_SV_WAITING, MU_SV_DUE, MU_SV_STARTING, MU_SV_START },
	{ MU_SV_WAITING, MU_SV_END, MU_SV_PARTING, MU_SV_PART },
	{ MU_SV_WAITING, MU_SV_LEAVE, MU_SV_PARTING, MU_SV_PART },

	{ MU_SV_PARTING, MU_SV_PARTED, MU_SV_OVER, MU_SV_EXIT },
};

void mu_supervision_init(struct mu_supervision *s, uint32_t failures_max,
                         uint64_t window_ms)
{
	MU_BUG_ON(failures_max < 1 || failures_max > MU_RESTARTS_MAX);
	*s = (struct mu_supervision){ .state = MU_SV_STARTING,
		                      .asked = MU_SV_HOPELESS,
		                      .failures_max = failures_max,
		                      .window_ms = window_ms };
}

static const struct row *row_of(const struct mu_supervision *s,
                                enum mu_supervision_event event)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].state == s->state && rows[i].event == event)
			return &rows[i];
	return NULL;
}

static bool is_asked(const struct mu_supervision *s)
{
	return s->asked != MU_SV_HOPELESS;
}

enum mu_supervision_action mu_supervision_step(struct mu_supervision *s,
                                               enum mu_supervision_event event)
{
	const struct row *r;

	/* One that was to end is not started again: killed or not. */
	if (event == MU_SV_FAILED && is_asked(s))
		event = MU_SV_HOPELESS;
	r = row_of(s, event);
	if (!r)
		return MU_SV_NOTHING;
	/* The first word stands, but leaving is more than ending. */
	if (event == MU_SV_LEAVE || (event == MU_SV_END && !is_asked(s)))
		s->asked = event;
	if (event == MU_SV_READY)
		s->was_ready = true;
	if (r->action == MU_SV_PART)
		s->code = is_asked(s) ? MU_AGENT_GOOD : MU_AGENT_GAVE_UP;
	s->state = r->next;
	return r->action;
}

/* ---- failures ---- */

uint32_t mu_supervision_failures(const struct mu_supervision *s,
                                 uint64_t now_ms)
{
	uint32_t kept =
		s->failed < MU_RESTARTS_MAX ? s->failed : MU_RESTARTS_MAX;
	uint32_t n = 0;

	for (uint32_t i = 0; i < kept; i++)
		if (now_ms - s->failed_ms[i] < s->window_ms)
			n++;
	return n;
}

/* With a wrong configuration the next one would fare no better. */
static enum mu_supervision_event what_end(struct mu_supervision *s, int status,
                                          uint64_t now_ms)
{
	uint32_t n;

	if (status == MU_AGENT_GOOD)
		return MU_SV_ENDED;
	if (status > 0 && !s->was_ready) {
		s->code = status;
		return MU_SV_REFUSED;
	}
	s->failed_ms[s->failed++ % MU_RESTARTS_MAX] = now_ms;
	n = mu_supervision_failures(s, now_ms);
	s->pause_ms = mu_backoff_ms(n - 1);
	if (status == MU_AGENT_CONFIG || n >= s->failures_max)
		return MU_SV_HOPELESS;
	return MU_SV_FAILED;
}

enum mu_supervision_action mu_supervision_ended(struct mu_supervision *s,
                                                int status, uint64_t now_ms)
{
	return mu_supervision_step(s, what_end(s, status, now_ms));
}
