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
	struct mu_sub *sub; /* NULL: nobody wants to hear */
	struct mu_timer *retry;
	bool failing; /* the log has said so */
};

/* ---- left or failed ---- */

static void on_left(void *owner, uint64_t tag, const struct mu_result *r);

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
	ask(m);
}

/* ---- what the mirror says ---- */

static int on_change(void *arg, const struct mu_mirror_event *e)
{
	struct mu_members *m = arg;
	struct mu_roll_change c = { .type = e->type,
		                    .flags = e->flags,
		                    .count = e->count,
		                    .zxid = e->zxid,
		                    .n = e->n,
		                    .exact = e->exact,
		                    .past = e->past,
		                    .cause = e->cause,
		                    .session = e->session,
		                    .origin = e->origin };
	const struct mu_stat *stat = e->stat ? e->stat : e->last;
	struct mu_record record;
	struct mu_str name = mu_path_name(e->path);
	char *text;
	int rc;

	if (e->type == MU_EVENT_CHILDREN ||
	    mu_str_eq(e->path, MU_STR("/members")))
		return 0;
	text = mu_alloc((size_t)name.len + 1);
	if (!text)
		return MU_ENOMEM;
	memcpy(text, name.at, name.len);
	mu_record_decode(e->stat ? e->data : e->old_data, text,
	                 stat ? stat->czxid : 0, &record);
	c.member = &record.member;
	rc = mu_roll_change(m->roll, &c);
	mu_record_wipe(&record);
	mu_free(text);
	if (!rc)
		ask(m);
	return rc;
}

static void on_forget(void *arg)
{
	struct mu_members *m = arg;

	mu_roll_forget(m->roll);
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
	m->roll = mu_roll_new(o->fn, o->arg);
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
		.arg = m,
	};

	(void)from;
	*resumes = false;
	return m->sub ? 0 : mu_sub_new(&o, &m->sub);
}

const struct mu_member *mu_members_next(const struct mu_members *m,
                                        const struct mu_member *after)
{
	return mu_roll_next(m->roll, after);
}
