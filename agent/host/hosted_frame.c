/* What a runner says, and what it asks of the broker. See hosted.h. */
#include "hosted_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MAX_MS 3600000u

static char *text_of(struct mu_str s)
{
	char *text = mu_alloc((size_t)s.len + 1);

	if (text && s.at)
		memcpy(text, s.at, s.len);
	return text;
}

/* ---- calls ---- */

static void call_over(struct mu_hosted *h)
{
	h->call_id = 0;
	mu_free(h->call_path);
	h->call_path = NULL;
	mu_buf_fini(&h->call_waits);
	mu_timer_disarm(h->call_timer);
}

static void answer(struct mu_hosted *h, const struct mu_chan_result *m)
{
	struct mu_buf *out = mu_pipe_out(h->pipe);
	size_t before = out->len;
	int rc;

	call_over(h);
	mu_put_chan_result(out, m);
	if (!mu_buf_failed(out) && out->len - before > MU_CHAN_FRAME_MAX) {
		struct mu_chan_result big = { .id = m->id, .rc = MU_ETOOBIG };

		mu_buf_cut(out, before);
		big.reason = mu_str_of(mu_err_text(MU_ETOOBIG));
		mu_put_chan_result(out, &big);
	}
	rc = mu_pipe_send(h->pipe);
	if (rc && rc != MU_EGONE)
		mu_log(MU_ERROR, MSG("an answer to a plugin was lost"),
		       KS("instance", h->conf->name),
		       KS("reason", mu_err_text(rc)));
}

static void answer_code(struct mu_hosted *h, int rc)
{
	struct mu_chan_result m = { .id = h->call_id, .rc = rc };

	m.reason = mu_str_of(rc ? mu_err_text(rc) : NULL);
	answer(h, &m);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void answer_names(struct mu_hosted *h, const struct mu_result *r)
{
	struct mu_chan_result m = { .id = h->call_id };
	const char **names = mu_alloc((r->count + 1) * sizeof *names);
	struct mu_buf b;

	if (!names) {
		answer_code(h, MU_ENOMEM);
		return;
	}
	mu_buf_init(&b);
	for (size_t i = 0; i < r->count; i++)
		names[i] = r->children[i];
	qsort(names, r->count, sizeof *names, by_name);
	for (size_t i = 0; i < r->count; i++)
		mu_put_str(&b, mu_str_of(names[i]));
	m.names = (struct mu_vec){ (int32_t)r->count, b.data, b.len };
	if (r->stat)
		m.stat = *r->stat;
	if (mu_buf_failed(&b))
		answer_code(h, MU_ENOMEM);
	else
		answer(h, &m);
	mu_buf_fini(&b);
	mu_free(names);
}

/* How it went may change what the instance holds. */
static void note_held(struct mu_hosted *h, int rc, int64_t czxid)
{
	const char *name = h->conf->name;

	if (h->call_ephemeral)
		mu_ephemerals_made(h->o.ephemerals, name, h->call_path, rc,
		                   czxid);
	if (h->call_op == MU_CALL_DELETE && (rc == 0 || rc == MU_ENONODE))
		mu_ephemerals_removed(h->o.ephemerals, name, h->call_path);
}

static void on_result(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_hosted *h = owner;
	struct mu_chan_result m = { .id = tag };

	/* Too late, or of a runner before this one. */
	if (h->call_id == 0 || tag != h->call_id || !h->pipe)
		return;
	note_held(h, r->rc, !r->rc && r->stat ? r->stat->czxid : 0);
	if (r->rc) {
		answer_code(h, r->rc);
		return;
	}
	if (h->call_op == MU_CALL_CHILDREN) {
		answer_names(h, r);
		return;
	}
	if (h->call_op == MU_CALL_GET && r->len >= 0)
		m.data = (struct mu_str){ r->data ? r->data : "",
			                  (uint32_t)r->len };
	if (r->stat)
		m.stat = *r->stat;
	answer(h, &m);
}

void mu_hosted_call_timeout(void *arg)
{
	struct mu_hosted *h = arg;

	mu_uplink_forget(h->o.uplink, h);
	if (h->call_id && h->pipe)
		answer_code(h, MU_ETIMEDOUT);
}

void mu_hosted_call_end(struct mu_hosted *h)
{
	call_over(h);
	mu_uplink_forget(h->o.uplink, h);
}

void mu_hosted_call_fini(struct mu_hosted *h)
{
	if (h->conf && h->o.ephemerals && h->proc)
		mu_ephemerals_end(h->o.ephemerals, h->conf->name);
	mu_free(h->call_path);
	mu_buf_fini(&h->call_waits);
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

static int send_call(struct mu_hosted *h, const struct mu_chan_call *m)
{
	static const enum mu_uplink_op ops[] = {
		[MU_CALL_GET] = MU_UP_GET,
		[MU_CALL_CHILDREN] = MU_UP_CHILDREN,
		[MU_CALL_SET] = MU_UP_SET,
		[MU_CALL_CREATE] = MU_UP_CREATE,
		[MU_CALL_DELETE] = MU_UP_DELETE,
	};
	struct mu_uplink_request q = { .op = ops[m->op],
		                       .path = h->call_path,
		                       .data = m->data.at,
		                       .len = m->data.at ? (int32_t)m->data.len
		                                         : -1,
		                       .version = m->version,
		                       .done = on_result,
		                       .owner = h,
		                       .tag = m->id };
	int rc;

	if (!h->call_ephemeral)
		return mu_uplink_send(h->o.uplink, &q);
	q.flags = MU_CREATE_EPHEMERAL;
	if (!mu_uplink_is_up(h->o.uplink))
		return MU_ECONNLOSS;
	rc = mu_ephemerals_add(h->o.ephemerals, h->conf->name, h->call_path);
	if (rc)
		return rc;
	rc = mu_uplink_send(h->o.uplink, &q);
	if (rc)
		note_held(h, MU_EAGAIN, 0);
	return rc;
}

/* The call that `record` is; it waits if it cannot be sent yet. */
static void try_call(struct mu_hosted *h, const struct mu_chan_call *m,
                     struct mu_str record)
{
	int rc = send_call(h, m);

	if (rc == 0)
		mu_buf_fini(&h->call_waits);
	else if (rc != MU_EAGAIN)
		answer_code(h, rc);
	if (rc != MU_EAGAIN || h->call_waits.len)
		return;
	mu_buf_put(&h->call_waits, record.at, record.len);
	if (mu_buf_failed(&h->call_waits))
		answer_code(h, MU_ENOMEM);
}

void mu_hosted_call_again(struct mu_hosted *h)
{
	struct mu_str record = { (const char *)h->call_waits.data,
		                 (uint32_t)h->call_waits.len };
	struct mu_in in = mu_in_of(record.at, record.len);
	struct mu_chan_call m;

	if (record.len && h->call_id && mu_get_chan_call(&in, &m) == 0)
		try_call(h, &m, record);
}

int mu_hosted_call(struct mu_hosted *h, struct mu_in *in)
{
	struct mu_str record = { (const char *)in->at,
		                 (uint32_t)mu_in_left(in) };
	struct mu_chan_call m;
	uint32_t ms;
	int rc = mu_get_chan_call(in, &m);

	if (rc || m.id == 0 || h->call_id)
		return MU_EPROTO; /* one at a time */
	h->call_id = m.id;
	h->call_op = m.op;
	h->call_ephemeral =
		m.op == MU_CALL_CREATE && m.flags & MU_PLUGIN_EPHEMERAL;
	ms = m.timeout_ms < CALL_MAX_MS ? m.timeout_ms : CALL_MAX_MS;
	rc = check_call(&m);
	if (rc == 0) {
		h->call_path = text_of(m.path);
		rc = h->call_path ? 0 : MU_ENOMEM;
	}
	if (rc) {
		answer_code(h, rc);
		return 0;
	}
	mu_timer_arm(h->call_timer, ms, 0);
	try_call(h, &m, record);
	return 0;
}

/* ---- the other frames ---- */

static int take_log(struct mu_hosted *h, struct mu_in *in)
{
	struct mu_chan_log m;
	char *text;

	if (mu_get_chan_log(in, &m) || m.level < MU_ERROR || m.level > MU_DEBUG)
		return MU_EPROTO;
	text = text_of(m.text);
	if (text)
		mu_log((enum mu_level)m.level, MSG(text),
		       KS("instance", h->conf->name));
	mu_free(text);
	return 0;
}

static int take_report(struct mu_hosted *h, struct mu_in *in)
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

int mu_hosted_frame(void *arg, struct mu_str record)
{
	struct mu_hosted *h = arg;
	struct mu_in in = mu_in_of(record.at, record.len);

	switch (mu_chan_type(&in)) {
	case MU_CHAN_READY:
		return take_ready(h, &in);
	case MU_CHAN_ACK:
		return take_ack(h, &in);
	case MU_CHAN_LOG:
		return take_log(h, &in);
	case MU_CHAN_CALL:
		return mu_hosted_call(h, &in);
	case MU_CHAN_REPORT:
		return take_report(h, &in);
	case MU_CHAN_WAKE:
		return take_wake(h, &in);
	default:
		return MU_EPROTO;
	}
}
