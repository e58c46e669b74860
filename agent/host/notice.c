#include "notice.h"

#include "err.h"
#include "log.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 5000u
#define BY_ROOM 160u

enum step {
	STEP_NONE,
	STEP_WATCH, /* first, so that no deletion goes unseen */
	STEP_LOOK,  /* what stands there? */
	STEP_SET,
	STEP_TOP,    /* create /a */
	STEP_PARENT, /* create /a/b */
	STEP_CREATE,
	STEP_REMOVE,
};

struct slot {
	struct slot *next;
	struct mu_notices *n;
	enum step step; /* under way */
	char *text;     /* what it is to say; NULL: it is to go */
	uint32_t wanted, written, sending; /* numbers of texts */
	bool watched;                      /* on this connection */
	bool unsure; /* written; but does it stand still? */
	int refused; /* for what, as the log was told; 0: for nothing */
	struct mu_uplink_listener listener; /* of its subscription */
	void (*on_deleted)(void *arg, const char *by);
	char *(*on_found)(void *arg, const char *text, struct mu_str was);
	void *arg;
	char path[];
};

struct mu_notices {
	struct mu_uplink *uplink;
	struct mu_uplink_listener listener;
	struct mu_timer *retry;
	const char *what;
	bool streams; /* the broker tells who did what */
	struct slot *slots;
};

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r);

/* ---- slots ---- */

static struct slot *find(const struct mu_notices *n, const char *path)
{
	struct slot *s = n->slots;

	while (s && strcmp(s->path, path) != 0)
		s = s->next;
	return s;
}

static void on_change(void *arg, const struct mu_change *c);

static struct slot *slot_of(struct mu_notices *n, const char *path)
{
	struct slot *s = find(n, path);

	if (s)
		return s;
	s = mu_alloc(sizeof *s + strlen(path) + 1);
	if (!s)
		return NULL;
	s->n = n;
	memcpy(s->path, path, strlen(path) + 1);
	s->next = n->slots;
	n->slots = s;
	s->listener.on_change = on_change;
	s->listener.arg = s;
	mu_uplink_listen(n->uplink, &s->listener);
	return s;
}

/* What is told under its number from now on is nobody's. */
static void unsubscribe(struct slot *s)
{
	struct mu_uplink_request q = { .op = MU_UP_UNSUBSCRIBE,
		                       .subscription =
		                               s->listener.subscription };

	if (q.subscription && mu_uplink_is_up(s->n->uplink))
		(void)mu_uplink_send(s->n->uplink, &q);
	s->listener.subscription = 0;
}

static void drop(struct slot *s)
{
	struct slot **link = &s->n->slots;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	unsubscribe(s);
	mu_uplink_unlisten(s->n->uplink, &s->listener);
	mu_uplink_forget(s->n->uplink, s);
	free(s->text);
	mu_free(s);
}

static bool stands(const struct slot *s)
{
	return s->text && s->written == s->wanted;
}

/* ---- asking ---- */

/* Once for each reason, for it is tried for as long as the reason stands. */
static void log_refused(struct slot *s, int rc)
{
	if (s->refused == rc)
		return;
	s->refused = rc;
	mu_log(MU_ERROR,
	       MSG(s->text ? "a node cannot be written; trying again"
	                   : "a node cannot be taken away; trying again"),
	       KS("what", s->n->what), KS("path", s->path),
	       KS("reason", mu_client_strerror(rc)));
}

static void retry_later(struct slot *s, int rc)
{
	s->step = STEP_NONE;
	if (rc == MU_ECONNLOSS || rc == MU_EEXPIRED)
		return; /* on_up begins again */
	log_refused(s, rc);
	/* One that fails time and again must keep no other waiting. */
	if (!mu_timer_armed(s->n->retry))
		mu_timer_arm(s->n->retry, RETRY_MS, 0);
}

static void log_well(struct slot *s)
{
	if (s->refused)
		mu_log(MU_INFO, MSG("a node is written again"),
		       KS("what", s->n->what), KS("path", s->path));
	s->refused = 0;
}

/* The node above, or the one above that. */
static size_t above(const struct slot *s, enum step step)
{
	const char *end = step == STEP_TOP ? strchr(s->path + 1, '/')
	                                   : strrchr(s->path, '/');

	return (size_t)(end - s->path);
}

static int send(struct slot *s, struct mu_uplink_request *q)
{
	char *parent;
	int rc;

	if (s->step != STEP_TOP && s->step != STEP_PARENT)
		return mu_uplink_send(s->n->uplink, q);
	parent = mu_alloc(above(s, s->step) + 1);
	if (!parent)
		return MU_ENOMEM;
	memcpy(parent, s->path, above(s, s->step));
	q->path = parent;
	rc = mu_uplink_send(s->n->uplink, q);
	mu_free(parent);
	return rc;
}

/* A subscription where there is one, for it tells who it was. */
static void watch_by(struct slot *s, struct mu_uplink_request *q)
{
	q->flags = MU_ADDWATCH_PERSISTENT;
	if (!s->n->streams)
		return;
	s->listener.subscription = mu_uplink_new_subscription(s->n->uplink);
	q->op = MU_UP_SUBSCRIBE;
	q->flags = MU_SUBSCRIBE_EXACT;
	q->zxid = -1;
	q->subscription = s->listener.subscription;
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
		watch_by(s, &q);
	if (step == STEP_SET || step == STEP_CREATE) {
		q.data = s->text;
		q.len = (int32_t)strlen(s->text);
		s->sending = s->wanted;
	}
	rc = send(s, &q);
	if (rc)
		retry_later(s, rc);
}

/* What is to be done next for it. */
static void work(struct slot *s)
{
	if (s->step != STEP_NONE || !mu_uplink_is_up(s->n->uplink))
		return;
	if (!s->text)
		take(s, STEP_REMOVE);
	else if (s->on_deleted && !s->watched)
		take(s, STEP_WATCH);
	else if (stands(s) ? s->unsure : s->on_found != NULL)
		take(s, STEP_LOOK);
	else if (!stands(s))
		take(s, STEP_SET);
	else
		log_well(s);
}

/* ---- answers ---- */

static void deleted(struct slot *s, const char *by)
{
	void (*fn)(void *arg, const char *by) = s->on_deleted;
	void *arg = s->arg;

	drop(s);
	if (fn)
		fn(arg, by);
}

static void found(struct slot *s, const struct mu_result *r)
{
	struct mu_str was = { 0 };
	char *text;

	if (r->rc == 0 && r->len > 0)
		was = (struct mu_str){ r->data, (uint32_t)r->len };
	text = s->on_found(s->arg, s->text, was);
	s->on_found = NULL;
	if (!text)
		return;
	free(s->text);
	s->text = text;
}

/* Perhaps it was put anew while this was asked. */
static void looked(struct slot *s, const struct mu_result *r)
{
	bool gone = stands(s) && s->unsure && r->rc == MU_ENONODE;

	s->unsure = false;
	if (gone) {
		deleted(s, "");
		return;
	}
	if (!stands(s) && s->on_found)
		found(s, r);
	work(s);
}

static void removed(struct slot *s, int rc)
{
	bool in_vain = rc == MU_ENOTEMPTY || rc == MU_ENOAUTH;

	if (in_vain)
		mu_log(MU_WARN,
		       MSG("a node cannot be taken away; delete it by hand"),
		       KS("what", s->n->what), KS("path", s->path),
		       KS("reason", mu_client_strerror(rc)));
	else if (rc && rc != MU_ENONODE) {
		retry_later(s, rc);
		return;
	}
	drop(s);
}

static void written(struct slot *s)
{
	s->written = s->sending;
	s->unsure = false;
	work(s);
}

/* The answer to the last step of writing. */
static void next(struct slot *s, enum step step, int rc)
{
	bool made = rc == 0 || rc == MU_EEXISTS;

	if (step == STEP_SET && rc == MU_ENONODE)
		take(s, STEP_TOP);
	else if (step == STEP_TOP && made)
		take(s, STEP_PARENT);
	else if (step == STEP_PARENT && made)
		take(s, STEP_CREATE);
	else if (step == STEP_CREATE && rc == MU_EEXISTS)
		take(s, STEP_SET);
	else if (rc)
		retry_later(s, rc);
	else
		written(s);
}

/* Put while it was being taken away, or the other way round: what came of that
 * does not matter any more. */
static bool is_overtaken(const struct slot *s, enum step step)
{
	return (step == STEP_REMOVE) == (s->text != NULL);
}

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct slot *s = owner;
	enum step step = s->step;

	if (tag != step)
		return; /* of a connection before this one */
	s->step = STEP_NONE;
	if (is_overtaken(s, step)) {
		work(s);
	} else if (step == STEP_REMOVE) {
		removed(s, r->rc);
	} else if (step == STEP_LOOK && (r->rc == 0 || r->rc == MU_ENONODE)) {
		looked(s, r);
	} else if (step == STEP_WATCH && r->rc == 0) {
		/* Unless it was given up while this was asked. */
		s->watched = !s->n->streams || s->listener.subscription;
		work(s);
	} else {
		next(s, step, r->rc);
	}
}

/* ---- the link ---- */

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_notices *n = arg;

	n->streams = up->streams;
	for (struct slot *s = n->slots, *then; s; s = then) {
		then = s->next;
		s->step = STEP_NONE;
		s->watched = false;
		s->listener.subscription = 0; /* it went with its link */
		s->unsure = s->on_deleted != NULL && stands(s);
		if (up->new_tree)
			s->written = s->wanted - 1;
		if (!s->text && up->lost_tree)
			drop(s); /* there is nothing of it in another tree */
		else
			work(s);
	}
}

static void on_down(void *arg)
{
	struct mu_notices *n = arg;

	for (struct slot *s = n->slots; s; s = s->next)
		s->step = STEP_NONE;
}

static void on_event(void *arg, const struct mu_watch_event *e)
{
	struct mu_notices *n = arg;
	struct slot *s = e->type == MU_WATCH_DELETED ? find(n, e->path) : NULL;

	if (s && s->on_deleted && stands(s))
		deleted(s, "");
}

static void on_change(void *arg, const struct mu_change *c)
{
	struct slot *s = arg;
	char by[BY_ROOM];

	if (c->type != MU_WATCH_DELETED || !s->on_deleted || !stands(s))
		return;
	mu_format(by, sizeof by, "%.100s session 0x%llx",
	          c->origin ? c->origin : "", (unsigned long long)c->session);
	deleted(s, by);
}

static void on_retry(void *arg)
{
	struct mu_notices *n = arg;

	for (struct slot *s = n->slots; s; s = s->next)
		work(s);
}

/* ---- from outside ---- */

int mu_notices_put(struct mu_notices *n, const struct mu_notice *notice)
{
	struct slot *s = slot_of(n, notice->path);

	if (!s)
		return MU_ENOMEM;
	if (!s->text)
		s->refused = 0; /* that was its removal */
	free(s->text);
	s->text = notice->text;
	s->wanted++;
	s->on_deleted = notice->on_deleted;
	s->on_found = notice->on_found;
	s->arg = notice->arg;
	work(s);
	return 0;
}

int mu_notices_remove(struct mu_notices *n, const char *path)
{
	struct slot *s = slot_of(n, path);

	if (!s)
		return MU_ENOMEM;
	if (s->text)
		s->refused = 0;
	free(s->text);
	s->text = NULL;
	unsubscribe(s);
	s->watched = false;
	s->on_deleted = NULL;
	s->on_found = NULL;
	work(s);
	return 0;
}

void mu_notices_forget(struct mu_notices *n, const void *arg)
{
	for (struct slot *s = n->slots; s; s = s->next)
		if (s->arg == arg) {
			s->on_deleted = NULL;
			s->on_found = NULL;
		}
}

size_t mu_notices_count(const struct mu_notices *n)
{
	size_t count = 0;

	for (const struct slot *s = n->slots; s; s = s->next)
		count++;
	return count;
}

/* ---- life ---- */

int mu_notices_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const char *what, struct mu_notices **out)
{
	struct mu_notices *n = mu_alloc(sizeof *n);
	int rc;

	if (!n)
		return MU_ENOMEM;
	n->uplink = uplink;
	n->what = what;
	rc = mu_timer_new(loop, on_retry, n, &n->retry);
	if (rc) {
		mu_free(n);
		return rc;
	}
	n->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .on_event = on_event,
		                                   .arg = n };
	mu_uplink_listen(uplink, &n->listener);
	*out = n;
	return 0;
}

void mu_notices_free(struct mu_notices *n)
{
	if (!n)
		return;
	mu_uplink_unlisten(n->uplink, &n->listener);
	while (n->slots)
		drop(n->slots);
	mu_timer_free(n->retry);
	mu_free(n);
}
