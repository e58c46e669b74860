#include "members.h"

#include "log.h"
#include "mem.h"
#include "record.h"

#include <stdio.h>
#include <string.h>

#define RETRY_MS 1000u

struct mu_members {
	struct mu_members_options o;
	struct mu_uplink_listener listener;
	struct mu_roll *roll;
	struct mu_sub *sub;       /* NULL: nobody wants to hear */
	struct mu_mirror_at had;  /* all up to there was given to the roll */
	struct mu_mirror_at said; /* and the listener knows so */
	struct mu_mirror_at from; /* where the past that is told begins */
	int64_t read_zxid;        /* and ends; -1: it has */
	struct mu_timer *retry;
	bool failing; /* the log has said so */
};

/* ---- left or failed ---- */

static void on_left(void *owner, uint64_t tag, const struct mu_result *r);
static void tell_position(struct mu_members *m);

/* It is not known yet: no answer but the broker's makes a member failed. */
static void ask_again(struct mu_members *m, int rc)
{
	mu_roll_ask_again(m->roll);
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED)
		return; /* on_up asks */
	if (!m->failing)
		mu_log(MU_ERROR,
		       MSG("cannot ask whether a member left or failed; events "
		           "of members wait for that"),
		       KS("reason", mu_client_strerror(rc)));
	m->failing = true;
	mu_timer_arm(m->retry, RETRY_MS, 0);
}

static void ask(void *arg)
{
	struct mu_members *m = arg;
	const char *name =
		mu_uplink_is_up(m->o.uplink) ? mu_roll_question(m->roll) : NULL;
	struct mu_uplink_request q = { .op = MU_UP_GET,
		                       .done = on_left,
		                       .owner = m };
	size_t room;
	char *path;
	int rc = MU_ENOMEM;

	if (!name)
		return;
	room = sizeof "/left/" + strlen(name);
	path = mu_alloc(room);
	if (path) {
		snprintf(path, room, "/left/%s", name);
		q.path = path;
		rc = mu_uplink_send(m->o.uplink, &q);
		mu_free(path);
	}
	if (rc)
		ask_again(m, rc);
}

static void on_left(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct mu_members *m = owner;
	struct mu_str left = { 0 };

	(void)tag;
	if (r->rc && r->rc != MU_ENONODE) {
		ask_again(m, r->rc);
		return;
	}
	m->failing = false;
	if (r->rc == 0 && r->len > 0)
		left = (struct mu_str){ r->data, (uint32_t)r->len };
	mu_roll_answer(m->roll, left);
	tell_position(m);
	ask(m);
}

/* ---- how far we are ---- */

static bool is_behind(struct mu_mirror_at a, struct mu_mirror_at b)
{
	return a.zxid != b.zxid ? a.zxid > b.zxid : a.n > b.n;
}

static void tell_gap(struct mu_members *m, const struct mu_roll_event *from)
{
	struct mu_mirror_event e = { .type = MU_MIRROR_GAP,
		                     .count = from->count,
		                     .zxid = from->zxid,
		                     .n = from->n,
		                     .path = MU_STR("/members") };

	if (m->o.on_gap)
		m->o.on_gap(m->o.arg, &e);
}

static void on_roll(void *arg, const struct mu_roll_event *e)
{
	struct mu_members *m = arg;

	if (e->type == MU_EVENT_GAP) {
		tell_gap(m, e);
		return;
	}
	if (e->exact && !e->held)
		m->said = (struct mu_mirror_at){ e->zxid, e->n };
	m->o.fn(m->o.arg, e);
}

/* Many a change makes no event of members, and some wait for an answer. */
static void tell_position(struct mu_members *m)
{
	if (mu_roll_is_waiting(m->roll) || !is_behind(m->had, m->said))
		return;
	m->said = m->had;
	if (m->o.on_position)
		m->o.on_position(m->o.arg, m->had.zxid, m->had.n);
	if (m->read_zxid >= 0 && m->had.zxid >= m->read_zxid) {
		mu_roll_forget_past(m->roll);
		m->read_zxid = -1;
	}
}

static void on_position(void *arg, int64_t zxid, int32_t n)
{
	struct mu_members *m = arg;

	m->had = (struct mu_mirror_at){ zxid, n };
	tell_position(m);
}

/* ---- what the mirror says ---- */

/* A member's record, as its node has it. */
static int decode(struct mu_str path, struct mu_str data,
                  const struct mu_stat *stat, char **name,
                  struct mu_record *out)
{
	struct mu_str last = mu_path_name(path);

	*name = mu_alloc((size_t)last.len + 1);
	if (!*name)
		return MU_ENOMEM;
	memcpy(*name, last.at, last.len);
	mu_record_decode(data, *name, stat ? stat->czxid : 0, out);
	return 0;
}

static bool is_member(const struct mu_mirror_event *e)
{
	return e->type != MU_EVENT_CHILDREN &&
	       !mu_str_eq(e->path, MU_STR("/members"));
}

static int change(struct mu_members *m, const struct mu_mirror_event *e)
{
	struct mu_roll_change c = { .type = e->type,
		                    .flags = e->flags,
		                    .count = e->count,
		                    .zxid = e->zxid,
		                    .n = e->n,
		                    .exact = e->exact,
		                    .past = e->past,
		                    .held = e->held,
		                    .cause = e->cause,
		                    .session = e->session,
		                    .origin = e->origin };
	struct mu_record record;
	char *name;
	int rc = decode(e->path, e->stat ? e->data : e->old_data,
	                e->stat ? e->stat : e->last, &name, &record);

	if (rc)
		return rc;
	c.member = &record.member;
	rc = mu_roll_change(m->roll, &c);
	mu_record_wipe(&record);
	mu_free(name);
	return rc;
}

/* In its order: comings and goings of before may wait for an answer. */
static int gap(struct mu_members *m, const struct mu_mirror_event *e)
{
	const struct mu_member nobody = { .size = sizeof nobody };
	struct mu_roll_change c = { .type = MU_EVENT_GAP,
		                    .count = e->count,
		                    .zxid = e->zxid,
		                    .n = e->n,
		                    .member = &nobody };

	return mu_roll_change(m->roll, &c);
}

static int on_change(void *arg, const struct mu_mirror_event *e)
{
	struct mu_members *m = arg;
	int rc = 0;

	if (e->type == MU_MIRROR_GAP)
		rc = gap(m, e);
	else if (is_member(e))
		rc = change(m, e);
	if (rc)
		return rc;
	if (e->exact && !e->held)
		m->had = (struct mu_mirror_at){ e->zxid, e->n };
	tell_position(m);
	ask(m);
	return 0;
}

static int put_in(void *arg, const struct mu_mirror_event *e)
{
	struct mu_members *m = arg;
	struct mu_record record;
	char *name;
	int rc;

	if (!is_member(e))
		return 0;
	rc = decode(e->path, e->data, e->stat, &name, &record);
	if (rc)
		return rc;
	rc = mu_roll_put(m->roll, &record.member);
	mu_record_wipe(&record);
	mu_free(name);
	return rc;
}

static void on_ready(void *arg, bool quiet)
{
	struct mu_members *m = arg;
	int rc = quiet ? mu_sub_present(m->sub, put_in, m) : 0;

	if (quiet)
		m->read_zxid = mu_uplink_zxid(m->o.uplink);
	if (rc)
		mu_log(MU_ERROR,
		       MSG("not all members could be taken on the roll; they "
		           "will be heard of when they change"),
		       KS("reason", mu_client_strerror(rc)));
	if (m->o.on_ready)
		m->o.on_ready(m->o.arg, quiet);
}

static void on_forget(void *arg)
{
	struct mu_members *m = arg;

	mu_roll_forget(m->roll);
	m->had.zxid = -1;
	m->said.zxid = -1;
	m->from.zxid = -1;
	m->read_zxid = -1;
}

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	(void)up;
	ask(arg);
}

int mu_members_new(const struct mu_members_options *o, struct mu_members **out)
{
	struct mu_members *m = mu_alloc(sizeof *m);
	int rc;

	if (!m)
		return MU_ENOMEM;
	m->o = *o;
	m->had.zxid = -1;
	m->said.zxid = -1;
	m->from.zxid = -1;
	m->read_zxid = -1;
	m->roll = mu_roll_new(on_roll, m);
	rc = m->roll ? mu_timer_new(o->loop, ask, m, &m->retry) : MU_ENOMEM;
	if (rc) {
		mu_roll_free(m->roll);
		mu_free(m);
		return rc;
	}
	m->listener.on_up = on_up;
	m->listener.arg = m;
	mu_uplink_listen(o->uplink, &m->listener);
	*out = m;
	return 0;
}

void mu_members_free(struct mu_members *m)
{
	if (!m)
		return;
	mu_uplink_unlisten(m->o.uplink, &m->listener);
	mu_uplink_forget(m->o.uplink, m);
	mu_sub_free(m->sub);
	mu_timer_free(m->retry);
	mu_roll_free(m->roll);
	mu_free(m);
}

/* The past is told from there, unless it is from before already. */
static void begin_at(struct mu_members *m, const struct mu_sub_position *from)
{
	struct mu_mirror_at at = { from->zxid, from->n };

	if (m->from.zxid >= 0 && !is_behind(m->from, at))
		return;
	m->from = at;
	mu_roll_forget_past(m->roll);
}

int mu_members_want(struct mu_members *m, const struct mu_sub_position *from,
                    bool *resumes)
{
	struct mu_sub_options o = {
		.loop = m->o.loop,
		.uplink = m->o.uplink,
		.limits = m->o.limits,
		.path = "/members",
		.mode = MU_MIRROR_CHILDREN,
		.who = "members",
		.fn = on_change,
		.on_forget = on_forget,
		.on_ready = on_ready,
		.on_position = on_position,
		.from = from,
		.arg = m,
	};

	if (m->sub) {
		*resumes = from && mu_sub_rewind(m->sub, from);
		if (*resumes)
			begin_at(m, from);
		return 0;
	}
	*resumes = from != NULL;
	if (from)
		begin_at(m, from);
	return mu_sub_new(&o, &m->sub);
}

int mu_members_was(struct mu_members *m, const struct mu_sub_position *from,
                   const struct mu_member *member)
{
	if (from->zxid != m->from.zxid || from->n != m->from.n)
		return 0;
	return mu_roll_put_past(m->roll, member);
}

const struct mu_member *mu_members_next(const struct mu_members *m,
                                        const struct mu_member *after)
{
	return mu_roll_next(m->roll, after);
}
