/* What a runner says, and what it asks of the broker. See hosted.h. */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MAX_MS 3600000u
#define UNANSWERED_MAX 16u /* requests of a process at the broker */

static char *text_of(struct mu_str s)
{
	char *text = mu_alloc((size_t)s.len + 1);

	if (text && s.at)
		memcpy(text, s.at, s.len);
	return text;
}

/* ---- calls ---- */

static void call_over(struct mu_hosted_run *r)
{
	r->call.id = 0;
	mu_free(r->call.path);
	r->call.path = NULL;
	mu_buf_fini(&r->call.waits);
	mu_timer_disarm(r->call.timer);
}

static void answer(struct mu_hosted_run *r, const struct mu_chan_result *m)
{
	struct mu_buf *out = mu_pipe_out(r->pipe);
	size_t before = out->len;
	int rc;

	call_over(r);
	mu_put_chan_result(out, m);
	if (!mu_buf_failed(out) && out->len - before > MU_CHAN_FRAME_MAX) {
		struct mu_chan_result big = { .id = m->id, .rc = MU_ETOOBIG };

		mu_buf_cut(out, before);
		big.reason = mu_str_of(mu_err_text(MU_ETOOBIG));
		mu_put_chan_result(out, &big);
	}
	rc = mu_pipe_send(r->pipe);
	if (rc == MU_EFULL)
		mu_hosted_pipe_end(r, rc);
	else if (rc && rc != MU_EGONE)
		mu_log(MU_ERROR, MSG("an answer to a plugin was lost"),
		       KS("instance", r->h->conf->name),
		       KS("reason", mu_err_text(rc)));
}

static void answer_code(struct mu_hosted_run *r, int rc)
{
	struct mu_chan_result m = { .id = r->call.id, .rc = rc };

	m.reason = mu_str_of(rc ? mu_err_text(rc) : NULL);
	answer(r, &m);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void answer_names(struct mu_hosted_run *r, const struct mu_result *a)
{
	struct mu_chan_result m = { .id = r->call.id };
	const char **names = mu_alloc((a->count + 1) * sizeof *names);
	struct mu_buf b;

	if (!names) {
		answer_code(r, MU_ENOMEM);
		return;
	}
	mu_buf_init(&b);
	for (size_t i = 0; i < a->count; i++)
		names[i] = a->children[i];
	qsort(names, a->count, sizeof *names, by_name);
	for (size_t i = 0; i < a->count; i++)
		mu_put_str(&b, mu_str_of(names[i]));
	m.names = (struct mu_vec){ (int32_t)a->count, b.data, b.len };
	if (a->stat)
		m.stat = *a->stat;
	if (mu_buf_failed(&b))
		answer_code(r, MU_ENOMEM);
	else
		answer(r, &m);
	mu_buf_fini(&b);
	mu_free(names);
}

static enum mu_ephemerals_of who(const struct mu_hosted_run *r)
{
	return r == r->h->run ? MU_OF_THIS : MU_OF_NEXT;
}

/* How it went may change what the instance holds. */
static void note_held(struct mu_hosted_run *r, int rc, int64_t czxid)
{
	const char *name = r->h->conf->name;

	if (r->call.ephemeral)
		mu_ephemerals_made(r->h->o.ephemerals, name, r->call.path, rc,
		                   czxid);
	if (r->call.op == MU_CALL_DELETE && (rc == 0 || rc == MU_ENONODE))
		mu_ephemerals_removed(r->h->o.ephemerals, name, r->call.path);
}

static void on_result(void *owner, uint64_t tag, const struct mu_result *a);

static int send_on(struct mu_hosted_run *r, const struct mu_uplink_request *q)
{
	int rc = mu_uplink_send(r->h->o.uplink, q);

	r->call.unanswered += rc == 0;
	return rc;
}

/* The node is there, made by a process of the instance before this one: it is
 * made this one's. */
static bool make_it_ours(struct mu_hosted_run *r)
{
	struct mu_in in = mu_in_of(r->call.waits.data, r->call.waits.len);
	struct mu_uplink_request q = { .op = MU_UP_SET,
		                       .path = r->call.path,
		                       .version = -1,
		                       .done = on_result,
		                       .owner = r,
		                       .tag = r->call.id };
	struct mu_chan_call m;

	r->call.inherits = false;
	if (mu_get_chan_call(&in, &m))
		return false;
	q.data = m.data.at;
	q.len = m.data.at ? (int32_t)m.data.len : -1;
	return send_on(r, &q) == 0;
}

static void on_result(void *owner, uint64_t tag, const struct mu_result *a)
{
	struct mu_hosted_run *r = owner;
	struct mu_chan_result m = { .id = tag };

	r->call.unanswered--;
	/* Too late. */
	if (r->call.id == 0 || tag != r->call.id)
		return;
	if (a->rc == MU_EEXISTS && r->call.inherits && make_it_ours(r))
		return;
	note_held(r, a->rc, !a->rc && a->stat ? a->stat->czxid : 0);
	if (a->rc) {
		answer_code(r, a->rc);
		return;
	}
	if (r->call.op == MU_CALL_CHILDREN) {
		answer_names(r, a);
		return;
	}
	if (r->call.op == MU_CALL_GET && a->len >= 0)
		m.data = (struct mu_str){ a->data ? a->data : "",
			                  (uint32_t)a->len };
	if (a->stat)
		m.stat = *a->stat;
	answer(r, &m);
}

void mu_hosted_call_timeout(void *arg)
{
	struct mu_hosted_run *r = arg;

	if (r->call.id)
		answer_code(r, MU_ETIMEDOUT);
}

void mu_hosted_call_end(struct mu_hosted_run *r)
{
	call_over(r);
	mu_uplink_forget(r->h->o.uplink, r);
	r->call.unanswered = 0;
}

/* What of it cannot be, be it that nobody but a hostile runner asks for it. */
static int check_call(const struct mu_chan_call *m)
{
	/* A path with a NUL in it would reach the library as another path. */
	if (!m->path.at || memchr(m->path.at, '\0', m->path.len))
		return MU_EINVAL;
	/* What is to be remembered must be good before it is sent. */
	if (m->op == MU_CALL_CREATE && mu_path_check(m->path, NULL))
		return MU_EINVAL;
	if (m->op == MU_CALL_CREATE &&
	    m->flags & ~(uint32_t)MU_PLUGIN_EPHEMERAL)
		return MU_EINVAL;
	return 0;
}

static int send_ephemeral(struct mu_hosted_run *r, struct mu_uplink_request *q)
{
	struct mu_ephemerals *e = r->h->o.ephemerals;
	const char *name = r->h->conf->name;
	int rc;

	q->flags = MU_CREATE_EPHEMERAL;
	if (!mu_uplink_is_up(r->h->o.uplink))
		return MU_ECONNLOSS;
	r->call.inherits = mu_ephemerals_is_left(e, name, r->call.path, who(r));
	rc = mu_ephemerals_add(e, name, r->call.path, who(r));
	if (rc)
		return rc;
	rc = send_on(r, q);
	if (rc)
		note_held(r, MU_EAGAIN, 0);
	return rc;
}

static int send_call(struct mu_hosted_run *r, const struct mu_chan_call *m)
{
	static const enum mu_uplink_op ops[] = {
		[MU_CALL_GET] = MU_UP_GET,
		[MU_CALL_CHILDREN] = MU_UP_CHILDREN,
		[MU_CALL_SET] = MU_UP_SET,
		[MU_CALL_CREATE] = MU_UP_CREATE,
		[MU_CALL_DELETE] = MU_UP_DELETE,
	};
	struct mu_uplink_request q = { .op = ops[m->op],
		                       .path = r->call.path,
		                       .data = m->data.at,
		                       .len = m->data.at ? (int32_t)m->data.len
		                                         : -1,
		                       .version = m->version,
		                       .done = on_result,
		                       .owner = r,
		                       .tag = m->id };

	/* Those that it gave up on are with the broker still, beside what all
	 * others ask. */
	if (r->call.unanswered >= UNANSWERED_MAX)
		return MU_EFULL;
	return r->call.ephemeral ? send_ephemeral(r, &q) : send_on(r, &q);
}

/* The call that `record` is; it is kept if it cannot be sent yet, or may have to
 * be put in other words. */
static void try_call(struct mu_hosted_run *r, const struct mu_chan_call *m,
                     struct mu_str record)
{
	int rc = send_call(r, m);

	r->call.unsent = rc == MU_EAGAIN;
	if (rc && rc != MU_EAGAIN) {
		answer_code(r, rc);
		return;
	}
	if (r->call.waits.len || (!r->call.unsent && !r->call.inherits))
		return;
	mu_buf_put(&r->call.waits, record.at, record.len);
	if (!mu_buf_failed(&r->call.waits))
		return;
	r->call.inherits = false;
	if (r->call.unsent)
		answer_code(r, MU_ENOMEM);
}

void mu_hosted_run_call_again(struct mu_hosted_run *r)
{
	struct mu_str record = { (const char *)r->call.waits.data,
		                 (uint32_t)r->call.waits.len };
	struct mu_in in = mu_in_of(record.at, record.len);
	struct mu_chan_call m;

	if (r->call.id && r->call.unsent && mu_get_chan_call(&in, &m) == 0)
		try_call(r, &m, record);
}

void mu_hosted_call_again(struct mu_hosted *h)
{
	if (h->run)
		mu_hosted_run_call_again(h->run);
	mu_upgrade_call_again(h->upgrade);
}

int mu_hosted_call(struct mu_hosted_run *r, struct mu_in *in)
{
	struct mu_str record = { (const char *)in->at,
		                 (uint32_t)mu_in_left(in) };
	struct mu_chan_call m;
	uint32_t ms;
	int rc = mu_get_chan_call(in, &m);

	if (rc || m.id <= r->call.last)
		return MU_EPROTO;
	/* One at a time: the time of the one before was over there a little
	 * sooner than here. */
	call_over(r);
	r->call.last = m.id;
	r->call.id = m.id;
	r->call.op = m.op;
	r->call.ephemeral =
		m.op == MU_CALL_CREATE && m.flags & MU_PLUGIN_EPHEMERAL;
	r->call.inherits = r->call.unsent = false;
	ms = m.timeout_ms < CALL_MAX_MS ? m.timeout_ms : CALL_MAX_MS;
	rc = check_call(&m);
	if (rc == 0) {
		r->call.path = text_of(m.path);
		rc = r->call.path ? 0 : MU_ENOMEM;
	}
	if (rc) {
		answer_code(r, rc);
		return 0;
	}
	mu_timer_arm(r->call.timer, ms, 0);
	try_call(r, &m, record);
	return 0;
}

/* ---- the other frames ---- */

static int take_log(struct mu_hosted_run *r, struct mu_in *in)
{
	struct mu_chan_log m;
	char *text;

	if (mu_get_chan_log(in, &m) || m.level < MU_ERROR || m.level > MU_DEBUG)
		return MU_EPROTO;
	text = text_of(m.text);
	if (text)
		mu_printed_say(r->printed, (enum mu_level)m.level, text);
	mu_free(text);
	return 0;
}

int mu_hosted_report(struct mu_hosted *h, struct mu_in *in)
{
	struct mu_chan_report m;
	int rc;

	if (mu_get_chan_report(in, &m))
		return MU_EPROTO;
	rc = mu_applied_report(h->o.applied, h->conf->name, &m);
	if (rc == MU_EPROTO)
		return rc;
	if (rc)
		mu_log(MU_ERROR, MSG("a report was not taken"),
		       KS("instance", h->conf->name),
		       KS("reason", mu_err_text(rc)));
	return 0;
}

static int take_ack(struct mu_hosted *h, struct mu_in *in)
{
	bool is_event = !mu_hosted_turn_is_out(h);
	struct mu_chan_ack m;
	char *reason;

	if (mu_get_chan_ack(in, &m) || mu_hosted_ack(h, &m))
		return MU_EPROTO;
	if (m.rc && is_event) {
		reason = text_of(m.reason);
		mu_log(MU_WARN,
		       MSG("an event was not handled; it will be "
		           "given again"),
		       KS("instance", h->conf->name), KS("reason", reason),
		       KS("code", mu_err_name(m.rc)));
		mu_free(reason);
	}
	mu_hosted_next(h);
	return 0;
}

static int take_ready(struct mu_hosted *h, struct mu_in *in)
{
	struct mu_chan_ready m;

	if (h->state == HOSTED_ENDING) {
		/* It was asked to stop in init, which has ended well. */
		if (mu_get_chan_ready(in, &m) == 0 && m.rc == 0)
			h->at_stop[0] = '\0';
		return 0;
	}
	if (h->state != HOSTED_STARTING || mu_get_chan_ready(in, &m))
		return MU_EPROTO;
	if (m.version == MU_CHAN_VERSION && m.rc == 0)
		mu_hosted_turns_begin(h, &m);
	mu_hosted_on_ready(h, &m);
	return 0;
}

static int take_wake(struct mu_hosted *h, const struct mu_in *in)
{
	if (mu_get_chan_end(in))
		return MU_EPROTO;
	return h->state == HOSTED_READY ? mu_hosted_wake(h) : 0;
}

/* Of one that waits for its place, only what it cannot do without now. */
static int next_frame(struct mu_hosted_run *r, struct mu_in *in, int32_t type)
{
	switch (type) {
	case MU_CHAN_READY:
		return mu_upgrade_ready(r->h->upgrade, in);
	case MU_CHAN_REPORT:
		return mu_upgrade_report(r->h->upgrade, in);
	case MU_CHAN_WAKE:
		return mu_upgrade_wake(r->h->upgrade, in);
	default:
		return MU_EPROTO;
	}
}

static int frame(struct mu_hosted *h, struct mu_in *in, int32_t type)
{
	switch (type) {
	case MU_CHAN_READY:
		return take_ready(h, in);
	case MU_CHAN_ACK:
		return take_ack(h, in);
	case MU_CHAN_REPORT:
		return mu_hosted_report(h, in);
	case MU_CHAN_WAKE:
		return take_wake(h, in);
	default:
		return MU_EPROTO;
	}
}

int mu_hosted_frame(void *arg, struct mu_str record)
{
	struct mu_hosted_run *r = arg;
	struct mu_in in = mu_in_of(record.at, record.len);
	int32_t type = mu_chan_type(&in);

	if (type == MU_CHAN_LOG)
		return take_log(r, &in);
	if (type == MU_CHAN_CALL)
		return mu_hosted_call(r, &in);
	return r == r->h->run ? frame(r->h, &in, type)
	                      : next_frame(r, &in, type);
}
