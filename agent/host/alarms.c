#include "alarms.h"

#include "json.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 5000u
#define TOP "/alarms"
#define PARENT TOP "/quarantine"

enum step {
	STEP_NONE,
	STEP_WATCH, /* first, so that no deletion goes unseen */
	STEP_LOOK,  /* it stood when the connection broke: does it still? */
	STEP_SET,
	STEP_TOP,    /* create /alarms */
	STEP_PARENT, /* create /alarms/quarantine */
	STEP_CREATE,
	STEP_REMOVE,
};

struct slot {
	struct slot *next;
	struct mu_alarms *a;
	enum step step; /* under way */
	char *text;     /* what it is to say; NULL: it is to go */
	bool standing;  /* the node is there, and ours */
	bool gone;      /* there is none, as far as we know */
	void (*on_released)(void *arg);
	void *arg;
	char *instance; /* into path */
	char path[];
};

struct mu_alarms {
	struct mu_uplink *uplink;
	struct mu_uplink_listener listener;
	struct mu_timer *retry;
	const char *host;
	struct slot *slots;
};

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r);

/* ---- asking ---- */

static void retry_later(struct slot *s, int rc)
{
	s->step = STEP_NONE;
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED)
		return; /* on_up begins again */
	mu_log(MU_ERROR,
	       MSG(s->text ? "cannot raise an alarm; trying again"
	                   : "cannot take back an alarm; trying again"),
	       KS("path", s->path), KS("reason", mu_client_strerror(rc)));
	mu_timer_arm(s->a->retry, RETRY_MS, 0);
}

static void take(struct slot *s, enum step step)
{
	static const enum mu_uplink_op ops[] = {
		[STEP_WATCH] = MU_UP_ADD_WATCH, [STEP_LOOK] = MU_UP_GET,
		[STEP_SET] = MU_UP_SET,         [STEP_TOP] = MU_UP_CREATE,
		[STEP_PARENT] = MU_UP_CREATE,   [STEP_CREATE] = MU_UP_CREATE,
		[STEP_REMOVE] = MU_UP_DELETE,
	};
	struct mu_uplink_request q = { .op = ops[step],
		                       .path = s->path,
		                       .len = -1,
		                       .version = -1,
		                       .done = on_answer,
		                       .owner = s,
		                       .tag = step };
	int rc;

	s->step = step;
	if (step == STEP_WATCH)
		q.flags = MU_ADDWATCH_PERSISTENT;
	else if (step == STEP_TOP)
		q.path = TOP;
	else if (step == STEP_PARENT)
		q.path = PARENT;
	if (step == STEP_SET || step == STEP_CREATE) {
		q.data = s->text;
		q.len = (int32_t)strlen(s->text);
	}
	rc = mu_uplink_send(s->a->uplink, &q);
	if (rc)
		retry_later(s, rc);
}

/* What is to be done next for it. */
static void work(struct slot *s)
{
	if (s->step != STEP_NONE || !mu_uplink_is_up(s->a->uplink))
		return;
	if (s->text && !s->standing)
		take(s, STEP_WATCH);
	else if (!s->text && !s->gone)
		take(s, STEP_REMOVE);
}

/* ---- answers ---- */

static void released(struct slot *s)
{
	s->standing = false;
	s->gone = true;
	free(s->text);
	s->text = NULL;
	if (s->on_released)
		s->on_released(s->arg);
}

static void stands(struct slot *s)
{
	s->step = STEP_NONE;
	s->standing = true;
	work(s);
}

static void removed(struct slot *s)
{
	s->step = STEP_NONE;
	s->gone = !s->text; /* else it was raised again meanwhile */
	work(s);
}

static void looked(struct slot *s, int rc)
{
	s->step = STEP_NONE;
	if (rc == MU_ENONODE)
		released(s);
}

/* Raised while something of the time before was under way, or the other way
 * round: what that was does not matter any more. */
static bool is_overtaken(const struct slot *s)
{
	return (s->step == STEP_REMOVE) == (s->text != NULL);
}

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct slot *s = owner;
	bool made = r->rc == 0 || r->rc == MU_EEXISTS;

	if (tag != s->step)
		return;
	if (is_overtaken(s)) {
		s->step = STEP_NONE;
		work(s);
	} else if (s->step == STEP_REMOVE &&
	           (r->rc == 0 || r->rc == MU_ENONODE)) {
		removed(s);
	} else if (s->step == STEP_LOOK &&
	           (r->rc == 0 || r->rc == MU_ENONODE)) {
		looked(s, r->rc);
	} else if (s->step == STEP_SET && r->rc == MU_ENONODE) {
		take(s, STEP_TOP);
	} else if (s->step == STEP_TOP && made) {
		take(s, STEP_PARENT);
	} else if (s->step == STEP_PARENT && made) {
		take(s, STEP_CREATE);
	} else if (s->step == STEP_CREATE && r->rc == MU_EEXISTS) {
		take(s, STEP_SET);
	} else if (r->rc) {
		retry_later(s, r->rc);
	} else if (s->step == STEP_WATCH) {
		take(s, s->standing ? STEP_LOOK : STEP_SET);
	} else {
		stands(s);
	}
}

/* ---- the link ---- */

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_alarms *a = arg;

	for (struct slot *s = a->slots; s; s = s->next) {
		s->step = STEP_NONE;
		if (up->lost_tree) {
			s->standing = false;
			s->gone = !s->text;
		}
		if (s->standing)
			take(s, STEP_WATCH); /* and look */
		else
			work(s);
	}
}

static void on_down(void *arg)
{
	struct mu_alarms *a = arg;

	for (struct slot *s = a->slots; s; s = s->next)
		s->step = STEP_NONE;
}

static void on_event(void *arg, const struct mu_watch_event *e)
{
	struct mu_alarms *a = arg;

	if (e->type != MU_WATCH_DELETED)
		return;
	for (struct slot *s = a->slots; s; s = s->next)
		if (s->standing && s->text && strcmp(e->path, s->path) == 0) {
			released(s);
			return;
		}
}

static void on_retry(void *arg)
{
	struct mu_alarms *a = arg;

	for (struct slot *s = a->slots; s; s = s->next)
		work(s);
}

/* ---- from the instances ---- */

static struct slot *find(const struct mu_alarms *a, const char *instance)
{
	size_t len = strlen(instance);
	struct slot *s = a->slots;

	while (s && (strncmp(s->instance, instance, len) != 0 ||
	             s->instance[len] != '@'))
		s = s->next;
	return s;
}

static struct slot *slot_of(struct mu_alarms *a, const char *instance)
{
	size_t room = sizeof PARENT "/@" + strlen(instance) + strlen(a->host);
	struct slot *s = find(a, instance);

	if (s)
		return s;
	s = mu_alloc(sizeof *s + room);
	if (!s)
		return NULL;
	s->a = a;
	snprintf(s->path, room, PARENT "/%s@%s", instance, a->host);
	s->instance = s->path + strlen(PARENT "/");
	s->next = a->slots;
	a->slots = s;
	return s;
}

static char *encode(const struct mu_alarms *a, const char *instance,
                    const struct mu_alarm *alarm)
{
	struct mu_json *o = mu_json_object();
	char *text = NULL;
	int rc;

	rc = mu_json_set_str(o, "instance", instance);
	rc = rc ? rc : mu_json_set_str(o, "host", a->host);
	rc = rc ? rc : mu_json_set_int(o, "since", alarm->since_ms);
	rc = rc ? rc : mu_json_set_int(o, "failures", alarm->failures);
	rc = rc ? rc
	        : mu_json_set_data(o, "reason", alarm->reason,
	                           (int32_t)strlen(alarm->reason));
	if (!rc)
		text = mu_json_text(o);
	mu_json_free(o);
	return text;
}

int mu_alarms_raise(struct mu_alarms *a, const char *instance,
                    const struct mu_alarm *alarm)
{
	struct slot *s = slot_of(a, instance);
	char *text = s ? encode(a, instance, alarm) : NULL;

	if (!text)
		return MU_ENOMEM;
	free(s->text);
	s->text = text;
	s->on_released = alarm->on_released;
	s->arg = alarm->arg;
	s->standing = s->gone = false;
	work(s);
	return 0;
}

void mu_alarms_clear(struct mu_alarms *a, const char *instance)
{
	struct slot *s = slot_of(a, instance);

	if (!s) {
		mu_log(MU_WARN,
		       MSG("an alarm of the agent before may be left; delete "
		           "its node by hand"),
		       KS("instance", instance),
		       KS("reason", mu_client_strerror(MU_ENOMEM)));
		return;
	}
	free(s->text);
	s->text = NULL;
	s->standing = false;
	work(s);
}

void mu_alarms_forget(struct mu_alarms *a, const void *arg)
{
	for (struct slot *s = a->slots; s; s = s->next)
		if (s->arg == arg)
			s->on_released = NULL;
}

/* ---- life ---- */

int mu_alarms_new(struct mu_loop *loop, struct mu_uplink *uplink,
                  const char *host, struct mu_alarms **out)
{
	struct mu_alarms *a = mu_alloc(sizeof *a);
	int rc;

	if (!a)
		return MU_ENOMEM;
	a->uplink = uplink;
	a->host = host;
	rc = mu_timer_new(loop, on_retry, a, &a->retry);
	if (rc) {
		mu_free(a);
		return rc;
	}
	a->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .on_event = on_event,
		                                   .arg = a };
	mu_uplink_listen(uplink, &a->listener);
	*out = a;
	return 0;
}

void mu_alarms_free(struct mu_alarms *a)
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
