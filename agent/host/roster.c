#include "roster.h"

#include "err.h"
#include "log.h"
#include "mem.h"
#include "member.h"
#include "parting.h"
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 1000u
#define RETRY_LAST_MS 30000u
#define TELL_MS 1000u /* from a change of the instances to the record */

enum step {
	STEP_IDLE,
	STEP_PARENT, /* create /members */
	STEP_CHROOT, /* create / , the chroot */
	STEP_WATCH,  /* our node, to see when somebody takes it */
	STEP_FORMER, /* this host had another name: is that node there still? */
	STEP_RENAME, /* it is: delete it and create ours in one */
	STEP_UNNAME, /* ours is not free: delete it all the same */
	STEP_CREATE,
	STEP_READ,    /* it is there: whose is it? */
	STEP_UPDATE,  /* ours: put the record in */
	STEP_REPLACE, /* our ghost's: delete and create in one */
	STEP_TELL,    /* registered; put the record in, for it has changed */
	STEP_DONE,
};

struct mu_roster {
	struct mu_uplink *uplink;
	struct mu_uplink_listener listener;
	struct mu_timer *retry, *tell;
	uint32_t retry_ms;
	struct mu_member self;
	char *path;   /* /members/<name> */
	char *former; /* the node of the name before; NULL: none to see to */
	char *record; /* JSON of self */
	struct mu_states instances;
	bool told; /* the record as it is now is on its way, or there */
	enum step step;
	int64_t held;  /* the session that had the name last; 0: none */
	bool watching; /* the watch stands on this handle */
	int last_rc;   /* that the log has told of */
};

static void take(struct mu_roster *r, enum step step);

static void on_answer(void *owner, uint64_t tag, const struct mu_result *res);

static void again_later(struct mu_roster *r)
{
	r->step = STEP_IDLE;
	r->retry_ms = r->retry_ms ? r->retry_ms * 2 : RETRY_FIRST_MS;
	if (r->retry_ms > RETRY_LAST_MS)
		r->retry_ms = RETRY_LAST_MS;
	mu_timer_arm(r->retry, r->retry_ms, 0);
}

static void trouble(struct mu_roster *r, int rc)
{
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED) {
		r->step = STEP_IDLE; /* the next connection begins anew */
		return;
	}
	if (rc != r->last_rc)
		mu_log(MU_ERROR, MSG("cannot register this host; trying again"),
		       KS("path", r->path),
		       KS("reason", mu_client_strerror(rc)));
	r->last_rc = rc;
	again_later(r);
}

/* ---- asking ---- */

static void ask(struct mu_roster *r, struct mu_uplink_request *q)
{
	int rc;

	q->done = on_answer;
	q->owner = r;
	q->tag = r->step;
	rc = mu_uplink_send(r->uplink, q);
	if (rc)
		trouble(r, rc);
}

/* Delete `old` and create our node, in one. */
static void ask_replace(struct mu_roster *r, enum step step, const char *old,
                        int32_t version)
{
	struct mu_multi_op ops[2] = {
		{ .kind = MU_OPKIND_DELETE,
		  .path = old,
		  .len = -1,
		  .version = version },
		{ .kind = MU_OPKIND_CREATE,
		  .path = r->path,
		  .data = r->record,
		  .len = (int32_t)strlen(r->record),
		  .flags = MU_CREATE_EPHEMERAL },
	};
	struct mu_uplink_request q = { .op = MU_UP_MULTI,
		                       .ops = ops,
		                       .count = 2 };

	r->step = step;
	r->told = true;
	ask(r, &q);
}

static void take(struct mu_roster *r, enum step step)
{
	struct mu_uplink_request q = { .path = r->path,
		                       .data = r->record,
		                       .len = (int32_t)strlen(r->record),
		                       .version = -1 };

	r->step = step;
	switch (step) {
	case STEP_PARENT:
	case STEP_CHROOT:
		q.op = MU_UP_CREATE;
		q.path = step == STEP_PARENT ? "/members" : "/";
		q.data = NULL;
		q.len = -1;
		break;
	case STEP_WATCH:
		q.op = MU_UP_ADD_WATCH;
		q.flags = MU_ADDWATCH_PERSISTENT;
		break;
	case STEP_CREATE:
		q.op = MU_UP_CREATE;
		q.flags = MU_CREATE_EPHEMERAL;
		r->told = true;
		break;
	case STEP_FORMER:
		q.op = MU_UP_GET;
		q.path = r->former;
		break;
	case STEP_UNNAME:
		q.op = MU_UP_DELETE;
		q.path = r->former;
		break;
	case STEP_READ:
		q.op = MU_UP_GET;
		break;
	case STEP_UPDATE:
	case STEP_TELL:
		q.op = MU_UP_SET;
		r->told = true;
		break;
	default:
		return;
	}
	ask(r, &q);
}

/* ---- answers ---- */

static void settled(struct mu_roster *r)
{
	r->held = mu_uplink_session(r->uplink);
	r->step = STEP_DONE;
	r->retry_ms = 0;
	r->last_rc = 0;
	if (!r->told)
		take(r, STEP_TELL); /* it changed meanwhile */
}

static void registered(struct mu_roster *r)
{
	mu_log(MU_INFO, MSG("registered"), KS("path", r->path));
	settled(r);
}

static void refuse(struct mu_roster *r, const struct mu_record *found,
                   int64_t owner)
{
	char session[24];

	snprintf(session, sizeof session, "0x%" PRIx64, (uint64_t)owner);
	if (r->last_rc != MU_EEXISTS)
		mu_log(MU_ERROR,
		       MSG(strcmp(found->member.id, r->self.id) == 0
		                   ? "another agent lives with the name and "
		                     "the "
		                     "id of this host; give it a state_dir of "
		                     "its own, not a copied one"
		                   : "another host answers to this name; give "
		                     "one of the two another name in "
		                     "agent.conf"),
		       KS("path", r->path), KS("holder_id", found->member.id),
		       KS("holder_address", found->member.address),
		       KS("holder_session", session));
	r->last_rc = MU_EEXISTS;
	again_later(r);
}

static void whose(struct mu_roster *r, const struct mu_result *res)
{
	struct mu_str data = { res->len > 0 ? res->data : NULL,
		               res->len > 0 ? (uint32_t)res->len : 0 };
	struct mu_claim_case c = { .own_id = r->self.id,
		                   .session = mu_uplink_session(r->uplink),
		                   .owner = res->stat->ephemeral_owner };
	struct mu_record found;

	mu_record_decode(data, r->self.name, res->stat->czxid, &found);
	c.found_id = found.member.id;
	c.held = r->held == c.session;
	switch (mu_member_claim(&c)) {
	case MU_CLAIM_OURS:
		if (data.len == strlen(r->record) &&
		    memcmp(data.at, r->record, data.len) == 0)
			registered(r);
		else
			take(r, STEP_UPDATE);
		break;
	case MU_CLAIM_GHOST:
		mu_log(MU_INFO, MSG("replacing the node of an earlier session"),
		       KS("path", r->path));
		ask_replace(r, STEP_REPLACE, r->path, res->stat->version);
		break;
	case MU_CLAIM_TAKEN:
		refuse(r, &found, c.owner);
		break;
	}
	mu_record_wipe(&found);
}

static enum step after_watch(const struct mu_roster *r)
{
	return r->former ? STEP_FORMER : STEP_CREATE;
}

static void parent_done(struct mu_roster *r, int rc)
{
	if (rc == MU_ENONODE && r->step == STEP_PARENT)
		take(r, STEP_CHROOT); /* it is the chroot that is missing */
	else if (rc && rc != MU_EEXISTS)
		trouble(r, rc);
	else if (r->step == STEP_CHROOT)
		take(r, STEP_PARENT);
	else
		take(r, r->watching ? after_watch(r) : STEP_WATCH);
}

/* ---- the name before ---- */

static void former_done(struct mu_roster *r)
{
	mu_free(r->former);
	r->former = NULL;
	mu_uplink_forget_former(r->uplink);
}

/* The session outlived the old name, so its node may have done so, too. It is
 * ours to delete only if both session and id say so. */
static void former_read(struct mu_roster *r, const struct mu_result *res)
{
	struct mu_record found;
	struct mu_str data = { 0 };
	bool ours;

	if (res->rc == 0 && res->len > 0)
		data = (struct mu_str){ res->data, (uint32_t)res->len };
	mu_record_decode(data, "", 0, &found);
	ours = res->rc == 0 &&
	       res->stat->ephemeral_owner == mu_uplink_session(r->uplink) &&
	       strcmp(found.member.id, r->self.id) == 0;
	mu_record_wipe(&found);
	if (ours) {
		mu_log(MU_INFO,
		       MSG("this host has another name now; deleting the node "
		           "of the old one"),
		       KS("old", r->former), KS("path", r->path));
		ask_replace(r, STEP_RENAME, r->former, res->stat->version);
		return;
	}
	former_done(r);
	take(r, STEP_CREATE);
}

static void former_answer(struct mu_roster *r, const struct mu_result *res)
{
	if (res->rc == MU_ECONNLOSS || res->rc == MU_EEXPIRED) {
		trouble(r, res->rc);
		return;
	}
	if (r->step == STEP_FORMER && (res->rc == 0 || res->rc == MU_ENONODE)) {
		former_read(r, res);
	} else if (r->step == STEP_RENAME && res->rc == 0) {
		former_done(r);
		registered(r);
	} else if (r->step == STEP_RENAME) {
		take(r, STEP_UNNAME);
	} else if (res->rc && res->rc != MU_ENONODE) {
		trouble(r, res->rc);
	} else {
		former_done(r);
		take(r, STEP_CREATE);
	}
}

static void on_answer(void *owner, uint64_t tag, const struct mu_result *res)
{
	struct mu_roster *r = owner;

	if (tag != r->step || r->step == STEP_DONE)
		return; /* of a connection before this one */
	switch (r->step) {
	case STEP_PARENT:
	case STEP_CHROOT:
		parent_done(r, res->rc);
		return;
	case STEP_WATCH:
		r->watching = res->rc == 0;
		break;
	case STEP_FORMER:
	case STEP_RENAME:
	case STEP_UNNAME:
		former_answer(r, res);
		return;
	case STEP_CREATE:
		if (res->rc == MU_EEXISTS) {
			take(r, STEP_READ);
			return;
		}
		break;
	case STEP_READ:
		if (res->rc == 0) {
			whose(r, res);
			return;
		}
		break;
	default:
		break;
	}
	if (res->rc == 0 && r->step == STEP_WATCH)
		take(r, after_watch(r));
	else if (res->rc == 0 && r->step == STEP_TELL)
		settled(r);
	else if (res->rc == 0)
		registered(r);
	else if (res->rc == MU_ENONODE || res->rc == MU_EBADVERSION)
		take(r, STEP_PARENT); /* it changed under our hands */
	else
		trouble(r, res->rc);
}

/* ---- the link ---- */

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_roster *r = arg;

	if (up->new_handle)
		r->watching = false;
	if (r->former && !mu_uplink_former(r->uplink)) {
		mu_free(r->former); /* it went with its session */
		r->former = NULL;
	}
	mu_timer_disarm(r->retry);
	take(r, STEP_PARENT);
}

static void on_down(void *arg)
{
	struct mu_roster *r = arg;

	r->step = STEP_IDLE;
	mu_timer_disarm(r->retry);
}

static void on_event(void *arg, const struct mu_watch_event *e)
{
	struct mu_roster *r = arg;

	if (e->type != MU_WATCH_DELETED || strcmp(e->path, r->path) != 0)
		return;
	/* A ghost that goes away while we wait for it is welcome, too. */
	if (r->step == STEP_DONE || r->step == STEP_TELL) {
		mu_log(MU_WARN,
		       MSG("the node of this host was deleted; making "
		           "it again"),
		       KS("path", r->path));
		take(r, STEP_PARENT);
	} else if (mu_timer_armed(r->retry)) {
		mu_timer_disarm(r->retry);
		take(r, STEP_PARENT);
	}
}

static void on_retry(void *arg)
{
	struct mu_roster *r = arg;

	if (mu_uplink_is_up(r->uplink))
		take(r, STEP_PARENT);
}

/* ---- the instances ---- */

static void on_tell(void *arg)
{
	struct mu_roster *r = arg;
	char *record = mu_record_encode(&r->self, &r->instances);

	if (!record) {
		mu_timer_arm(r->tell, TELL_MS, 0);
		return;
	}
	free(r->record);
	r->record = record;
	r->told = false;
	if (r->step == STEP_DONE)
		take(r, STEP_TELL);
}

void mu_roster_instance(struct mu_roster *r, const char *instance,
                        const char *state)
{
	bool was = mu_states_is_quarantined(&r->instances, instance);

	if (!mu_states_set(&r->instances, instance, state))
		return;
	/* Its alarm comes and goes at once: the record is to agree with it. */
	if (mu_states_is_quarantined(&r->instances, instance) != was)
		mu_timer_arm(r->tell, 0, 0);
	else if (!mu_timer_armed(r->tell))
		mu_timer_arm(r->tell, TELL_MS, 0);
}

/* ---- life ---- */

static int note_former(struct mu_roster *r)
{
	const char *name = mu_uplink_former(r->uplink);
	size_t room = name ? sizeof "/members/" + strlen(name) : 0;

	if (!name)
		return 0;
	r->former = mu_alloc(room);
	if (!r->former)
		return MU_ENOMEM;
	snprintf(r->former, room, "/members/%s", name);
	return 0;
}

int mu_roster_new(struct mu_loop *loop, struct mu_uplink *uplink,
                  const struct mu_member *self, struct mu_roster **out)
{
	size_t room = sizeof "/members/" + strlen(self->name);
	struct mu_roster *r = mu_alloc(sizeof *r);
	int rc;

	if (!r)
		return MU_ENOMEM;
	r->uplink = uplink;
	r->self = *self;
	r->path = mu_alloc(room);
	r->record = mu_record_encode(self, NULL);
	rc = r->path && r->record ? note_former(r) : MU_ENOMEM;
	if (!rc)
		rc = mu_timer_new(loop, on_retry, r, &r->retry);
	if (!rc)
		rc = mu_timer_new(loop, on_tell, r, &r->tell);
	r->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .on_event = on_event,
		                                   .arg = r };
	mu_uplink_listen(uplink, &r->listener);
	if (rc) {
		mu_roster_free(r);
		return rc;
	}
	snprintf(r->path, room, "/members/%s", self->name);
	if (mu_uplink_is_up(uplink))
		take(r, STEP_PARENT);
	*out = r;
	return 0;
}

void mu_roster_free(struct mu_roster *r)
{
	if (!r)
		return;
	mu_uplink_unlisten(r->uplink, &r->listener);
	mu_uplink_forget(r->uplink, r);
	mu_timer_free(r->retry);
	mu_timer_free(r->tell);
	mu_states_wipe(&r->instances);
	mu_free(r->path);
	mu_free(r->former);
	free(r->record);
	mu_free(r);
}

bool mu_roster_is_registered(const struct mu_roster *r)
{
	return r->step == STEP_DONE || r->step == STEP_TELL;
}

bool mu_roster_was_registered(const struct mu_roster *r)
{
	return r->held != 0;
}

/* ---- last words ---- */

/* Our node as it stands now, which need not be as we last heard. MU_ENONODE:
 * there is none, or it is not of our session. */
static int own_node(struct mu_roster *r, struct mu_client **c,
                    struct mu_stat *stat, uint32_t timeout_ms,
                    struct mu_err *err)
{
	int rc;

	*c = mu_uplink_last_words(r->uplink);
	if (!*c)
		return mu_err(err, MU_ECONNLOSS,
		              "there is no connection to the broker");
	rc = mu_client_exists_sync(*c, r->path, stat, timeout_ms, err);
	if (rc == MU_ENONODE ||
	    (rc == 0 && stat->ephemeral_owner != mu_uplink_session(r->uplink)))
		return mu_err(err, MU_ENONODE, "this host is not registered");
	return rc;
}

int mu_roster_say_leaving(struct mu_roster *r, uint32_t timeout_ms,
                          struct mu_err *err)
{
	struct mu_member m = r->self;
	struct mu_client *c;
	struct mu_stat stat;
	char *text;
	int rc = own_node(r, &c, &stat, timeout_ms, err);

	if (rc)
		return rc;
	m.state = MU_MEMBER_LEAVING;
	text = mu_record_encode(&m, NULL);
	if (!text)
		return mu_err(err, MU_ENOMEM, "out of memory");
	rc = mu_client_set_sync(c, r->path, text, (int32_t)strlen(text),
	                        stat.version, NULL, timeout_ms, err);
	free(text);
	return rc;
}

int mu_roster_leave(struct mu_roster *r, uint32_t timeout_ms,
                    struct mu_err *err)
{
	struct mu_client *c;
	struct mu_stat stat;
	int rc = own_node(r, &c, &stat, timeout_ms, err);

	if (!rc)
		rc = mu_parting_leave(c, r->self.name, &stat, timeout_ms, err);
	else if (rc == MU_ENONODE)
		rc = 0; /* the roll does not have it: there is no more to say */
	if (rc)
		return rc;
	mu_uplink_closed(r->uplink);
	(void)mu_client_close(c, timeout_ms);
	return 0;
}
