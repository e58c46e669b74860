#include "applied.h"

#include "clock.h"
#include "json.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 5000u

enum step {
	STEP_NONE,
	STEP_SET,
	STEP_TOP,    /* create /applied */
	STEP_PARENT, /* create /applied/<instance> */
	STEP_CREATE,
	STEP_REMOVE,
};

struct slot {
	struct slot *next;
	struct mu_applied *a;
	enum step step;           /* under way */
	uint32_t wanted, written; /* numbers of reports */
	uint32_t sending;
	bool removing; /* its instance is no more: the node is to go */
	char *text;    /* the newest report */
	size_t parent_len;
	char path[]; /* /applied/<instance>/<member> */
};

struct mu_applied {
	struct mu_uplink *uplink;
	struct mu_uplink_listener listener;
	struct mu_timer *retry;
	const char *member;
	struct slot *slots;
};

static const char *const state_word[] = {
	[MU_REPORT_APPLIED] = "applied",
	[MU_REPORT_REJECTED] = "rejected",
	[MU_REPORT_FAILED] = "failed",
};

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r);

/* ---- writing ---- */

static void retry_later(struct slot *s, int rc)
{
	s->step = STEP_NONE;
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED)
		return; /* on_up writes it again */
	mu_log(MU_ERROR, MSG("cannot write a report; trying again"),
	       KS("path", s->path), KS("reason", mu_client_strerror(rc)));
	mu_timer_arm(s->a->retry, RETRY_MS, 0);
}

static void take(struct slot *s, enum step step)
{
	struct mu_uplink_request q = { .op = MU_UP_CREATE,
		                       .path = s->path,
		                       .len = -1,
		                       .version = -1,
		                       .done = on_answer,
		                       .owner = s,
		                       .tag = step };
	char *parent = NULL;
	int rc;

	s->step = step;
	if (step == STEP_REMOVE)
		q.op = MU_UP_DELETE;
	if (step == STEP_TOP)
		q.path = "/applied";
	if (step == STEP_PARENT) {
		parent = mu_alloc(s->parent_len + 1);
		if (!parent) {
			retry_later(s, MU_ENOMEM);
			return;
		}
		memcpy(parent, s->path, s->parent_len);
		q.path = parent;
	}
	if (step == STEP_SET || step == STEP_CREATE) {
		q.op = step == STEP_SET ? MU_UP_SET : MU_UP_CREATE;
		q.data = s->text;
		q.len = (int32_t)strlen(s->text);
		s->sending = s->wanted;
	}
	rc = mu_uplink_send(s->a->uplink, &q);
	mu_free(parent);
	if (rc)
		retry_later(s, rc);
}

static void write_slot(struct slot *s)
{
	if (s->step != STEP_NONE || !mu_uplink_is_up(s->a->uplink))
		return;
	if (s->removing)
		take(s, STEP_REMOVE);
	else if (s->text && s->written != s->wanted)
		take(s, STEP_SET);
}

static void removed(struct slot *s, int rc)
{
	s->step = STEP_NONE;
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED)
		return; /* on_up does it again */
	if (rc && rc != MU_ENONODE)
		mu_log(MU_WARN,
		       MSG("the report of an instance that is no more cannot "
		           "be deleted; delete its node by hand"),
		       KS("path", s->path),
		       KS("reason", mu_client_strerror(rc)));
	s->removing = false;
	write_slot(s); /* it may be back by now */
}

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct slot *s = owner;
	bool made = r->rc == 0 || r->rc == MU_EEXISTS;

	if (tag != s->step)
		return;
	if (s->step == STEP_REMOVE)
		removed(s, r->rc);
	else if (s->step == STEP_SET && r->rc == MU_ENONODE)
		take(s, STEP_TOP);
	else if (s->step == STEP_TOP && made)
		take(s, STEP_PARENT);
	else if (s->step == STEP_PARENT && made)
		take(s, STEP_CREATE);
	else if (s->step == STEP_CREATE && r->rc == MU_EEXISTS)
		take(s, STEP_SET);
	else if (r->rc) {
		retry_later(s, r->rc);
	} else {
		s->step = STEP_NONE;
		s->written = s->sending;
		write_slot(s);
	}
}

/* ---- the link ---- */

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_applied *a = arg;

	for (struct slot *s = a->slots; s; s = s->next) {
		if (up->new_tree)
			s->written = s->wanted - 1;
		/* There is nothing of it in another tree. */
		s->removing = s->removing && !up->lost_tree;
		s->step = STEP_NONE;
		write_slot(s);
	}
}

static void on_down(void *arg)
{
	struct mu_applied *a = arg;

	for (struct slot *s = a->slots; s; s = s->next)
		s->step = STEP_NONE;
}

static void on_retry(void *arg)
{
	struct mu_applied *a = arg;

	for (struct slot *s = a->slots; s; s = s->next)
		write_slot(s);
}

/* ---- reports ---- */

static char *encode(const struct mu_chan_report *r)
{
	struct mu_json *o = mu_json_object();
	char *text = NULL;
	int rc;

	rc = mu_json_set_data(o, "path", r->path.at, (int32_t)r->path.len);
	rc = rc ? rc : mu_json_set_int(o, "zxid", r->zxid);
	rc = rc ? rc : mu_json_set_int(o, "version", r->version);
	rc = rc ? rc
	        : mu_json_set_data(o, "digest", r->digest.at,
	                           (int32_t)r->digest.len);
	rc = rc ? rc : mu_json_set_str(o, "state", state_word[r->state]);
	rc = rc ? rc
	        : mu_json_set_data(o, "reason", r->reason.at,
	                           (int32_t)r->reason.len);
	rc = rc ? rc : mu_json_set_int(o, "at", mu_clock_wall_ms());
	if (!rc)
		text = mu_json_text(o);
	mu_json_free(o);
	return text;
}

static struct slot *find(const struct mu_applied *a, const char *instance)
{
	size_t parent_len = strlen("/applied/") + strlen(instance);
	struct slot *s = a->slots;

	while (s && (s->parent_len != parent_len ||
	             memcmp(s->path + parent_len - strlen(instance), instance,
	                    strlen(instance)) != 0))
		s = s->next;
	return s;
}

static struct slot *slot_of(struct mu_applied *a, const char *instance)
{
	size_t room =
		sizeof "/applied//" + strlen(instance) + strlen(a->member);
	size_t parent_len = strlen("/applied/") + strlen(instance);
	struct slot *s = find(a, instance);

	if (s)
		return s;
	s = mu_alloc(sizeof *s + room);
	if (!s)
		return NULL;
	s->a = a;
	s->parent_len = parent_len;
	snprintf(s->path, room, "/applied/%s/%s", instance, a->member);
	s->next = a->slots;
	a->slots = s;
	return s;
}

int mu_applied_report(struct mu_applied *a, const char *instance,
                      const struct mu_chan_report *r)
{
	struct mu_chan_report whole = *r;
	struct slot *s;
	char *text;

	if (r->path.len > MU_REPORT_TEXT_MAX ||
	    r->digest.len > MU_REPORT_TEXT_MAX ||
	    r->reason.len > MU_REPORT_TEXT_MAX)
		return MU_ETOOBIG;
	if (r->state < 0 || r->state > MU_REPORT_FAILED)
		return MU_EPROTO;
	if (!whole.path.at)
		whole.path = MU_STR("");
	if (!whole.digest.at)
		whole.digest = MU_STR("");
	if (!whole.reason.at)
		whole.reason = MU_STR("");
	s = slot_of(a, instance);
	text = s ? encode(&whole) : NULL;
	if (!text)
		return MU_ENOMEM;
	free(s->text);
	s->text = text;
	s->wanted++;
	write_slot(s);
	return 0;
}

void mu_applied_remove(struct mu_applied *a, const char *instance)
{
	/* It may have been reported by an agent before this one. */
	struct slot *s = slot_of(a, instance);

	if (!s) {
		mu_log(MU_WARN,
		       MSG("the report of an instance that is no more cannot "
		           "be deleted; delete its node by hand"),
		       KS("instance", instance),
		       KS("reason", mu_client_strerror(MU_ENOMEM)));
		return;
	}
	free(s->text);
	s->text = NULL;
	s->removing = true;
	s->step = STEP_NONE; /* requests go in order: answers do not matter */
	write_slot(s);
}

int mu_applied_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const char *member, struct mu_applied **out)
{
	struct mu_applied *a = mu_alloc(sizeof *a);
	int rc;

	if (!a)
		return MU_ENOMEM;
	a->uplink = uplink;
	a->member = member;
	rc = mu_timer_new(loop, on_retry, a, &a->retry);
	if (rc) {
		mu_free(a);
		return rc;
	}
	a->listener.on_up = on_up;
	a->listener.on_down = on_down;
	a->listener.arg = a;
	mu_uplink_listen(uplink, &a->listener);
	*out = a;
	return 0;
}

void mu_applied_free(struct mu_applied *a)
{
	if (!a)
		return;
	mu_uplink_unlisten(a->uplink, &a->listener);
	while (a->slots) {
		struct slot *s = a->slots;

		a->slots = s->next;
		mu_uplink_forget(a->uplink, s);
		free(s->text);
		mu_free(s);
	}
	mu_timer_free(a->retry);
	mu_free(a);
}
