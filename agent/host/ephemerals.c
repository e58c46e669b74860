#include "ephemerals.h"

#include "ephemerals_file.h"
#include "err.h"
#include "log.h"
#include "mem.h"

#include <string.h>

#define AT_ONCE 16u /* deletions under way */
#define RETRY_MS 1000u

enum step {
	STEP_HELD, /* its runner lives */
	STEP_WAIT, /* to be deleted */
	STEP_READ, /* is it still ours? */
	STEP_DELETE,
};

#define OF_BEFORE 4u /* besides enum mu_ephemerals_of: left over */

struct held {
	struct held *next;
	struct mu_ephemerals *e;
	enum step step;
	unsigned of;          /* while held: of these runners */
	bool asked;           /* its create has not been answered */
	bool may_be;          /* it was made, or that is not known */
	int64_t czxid;        /* 0: not known */
	const char *instance; /* behind the path */
	char path[];
};

struct mu_ephemerals {
	struct mu_ephemerals_options o;
	struct mu_uplink_listener listener;
	struct mu_timer *retry;
	struct held *all;
	size_t count;
	int64_t session; /* that they are of */
	bool stay;       /* nothing is deleted any more */
	struct mu_ephemerals_file *file;
};

static void go_on(struct mu_ephemerals *e);

/* ---- the list ---- */

static struct held *find(const struct mu_ephemerals *e, const char *instance,
                         const char *path)
{
	for (struct held *h = e->all; h; h = h->next)
		if (h->step == STEP_HELD && strcmp(h->path, path) == 0 &&
		    strcmp(h->instance, instance) == 0)
			return h;
	return NULL;
}

static void drop(struct mu_ephemerals *e, struct held *h)
{
	struct held **link = &e->all;

	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	e->count--;
	mu_uplink_forget(e->o.uplink, h);
	mu_free(h);
}

static struct held *held_new(struct mu_ephemerals *e, const char *instance,
                             const char *path)
{
	size_t len = strlen(path) + 1, name = strlen(instance) + 1;
	struct held *h = mu_alloc(sizeof *h + len + name);

	if (!h)
		return NULL;
	memcpy(h->path, path, len);
	memcpy(h->path + len, instance, name);
	h->instance = h->path + len;
	h->e = e;
	h->next = e->all;
	e->all = h;
	e->count++;
	return h;
}

/* ---- the file ---- */

static void rewrite(struct mu_ephemerals *e)
{
	mu_ephemerals_file_begin(e->file, e->session);
	for (const struct held *h = e->all; h; h = h->next)
		mu_ephemerals_file_add(e->file, h->instance, h->path);
	mu_ephemerals_file_end(e->file);
}

/* h is in the list. */
static void note_added(struct mu_ephemerals *e, const struct held *h)
{
	if (mu_ephemerals_file_is_open(e->file))
		mu_ephemerals_file_add(e->file, h->instance, h->path);
	else
		rewrite(e);
}

/* What the agent before this one left. */
static int on_left(void *arg, const char *instance, const char *path, bool add)
{
	struct mu_ephemerals *e = arg;
	struct held *h = find(e, instance, path);

	if (add && !h && !held_new(e, instance, path))
		return MU_ENOMEM;
	if (!add && h)
		drop(e, h);
	return 0;
}

static void load(struct mu_ephemerals *e)
{
	struct mu_err err;
	int rc = mu_ephemerals_file_load(e->o.runtime_dir, &e->session, on_left,
	                                 e, &err);

	if (rc && rc != MU_ENONODE)
		mu_log(MU_WARN,
		       MSG("which nodes plugins have made cannot be read; "
		           "those "
		           "of before go with the session"),
		       KS("reason", err.msg));
	/* They are there, whatever becomes of a request to make them again. */
	for (struct held *h = e->all; h; h = h->next) {
		h->of = OF_BEFORE;
		h->may_be = true;
	}
}

/* ---- held ---- */

bool mu_ephemerals_is_left(const struct mu_ephemerals *e, const char *instance,
                           const char *path, enum mu_ephemerals_of of)
{
	const struct held *h = find(e, instance, path);

	return h && !(h->of & of) &&
	       (h->of &
	        (of == MU_OF_NEXT ? MU_OF_THIS | OF_BEFORE : OF_BEFORE));
}

int mu_ephemerals_add(struct mu_ephemerals *e, const char *instance,
                      const char *path, enum mu_ephemerals_of of)
{
	struct held *h = find(e, instance, path);
	unsigned count = 0;

	if (strlen(path) > MU_EPHEMERALS_PATH_MAX)
		return MU_ETOOBIG;
	for (struct held *x = e->all; x; x = x->next) {
		if (x->step != STEP_HELD && strcmp(x->path, path) == 0)
			return MU_EAGAIN;
		count += x->step == STEP_HELD &&
		         strcmp(x->instance, instance) == 0;
	}
	if (!h && count >= MU_EPHEMERALS_MAX)
		return MU_EFULL;
	if (!h) {
		h = held_new(e, instance, path);
		if (!h)
			return MU_ENOMEM;
		note_added(e, h);
	}
	h->of = (h->of & ~OF_BEFORE) | of;
	/* The answer to the one before it never came. */
	h->may_be = h->may_be || h->asked;
	h->asked = true;
	return 0;
}

/* Out of the list, and out of the file. */
static void forget(struct mu_ephemerals *e, struct held *h)
{
	size_t lines;

	if (!mu_ephemerals_file_is_open(e->file))
		rewrite(e);
	lines = mu_ephemerals_file_remove(e->file, h->instance, h->path);
	drop(e, h);
	if (lines > 2 * e->count + MU_EPHEMERALS_MAX)
		rewrite(e);
}

/* The broker did not say what became of the request. */
static bool is_unknown(int rc)
{
	return rc == MU_ECONNLOSS || rc == MU_ETIMEDOUT || rc == MU_EEXPIRED;
}

void mu_ephemerals_made(struct mu_ephemerals *e, const char *instance,
                        const char *path, int rc, int64_t czxid)
{
	struct held *h = find(e, instance, path);

	if (!h)
		return;
	h->asked = false;
	h->may_be = h->may_be || rc == 0 || is_unknown(rc);
	if (rc == 0)
		h->czxid = czxid;
	if (!h->may_be)
		forget(e, h);
}

void mu_ephemerals_removed(struct mu_ephemerals *e, const char *instance,
                           const char *path)
{
	struct held *h = find(e, instance, path);

	if (h)
		forget(e, h);
}

/* ---- away with it ---- */

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r);

static int ask(struct held *h, enum step step, int32_t version)
{
	struct mu_uplink_request q = { .op = step == STEP_READ ? MU_UP_GET
		                                               : MU_UP_DELETE,
		                       .path = h->path,
		                       .len = -1,
		                       .version = version,
		                       .done = on_answer,
		                       .owner = h,
		                       .tag = step };
	int rc = mu_uplink_send(h->e->o.uplink, &q);

	h->step = rc ? STEP_WAIT : step;
	return rc;
}

static void gone(struct held *h)
{
	struct mu_ephemerals *e = h->e;

	forget(e, h);
	go_on(e);
	e->o.on_gone(e->o.arg);
}

/* Once more: when the link is up, or soon. */
static void later(struct held *h, int rc)
{
	h->step = STEP_WAIT;
	if (rc != MU_ECONNLOSS && rc != MU_EEXPIRED)
		mu_timer_arm(h->e->retry, RETRY_MS, 0);
}

/* Another instance may have made the node of this path since. */
static bool is_somebodys(const struct held *h, const struct mu_stat *stat)
{
	const struct mu_ephemerals *e = h->e;

	if (stat->ephemeral_owner != e->session)
		return true;
	if (h->czxid)
		return stat->czxid != h->czxid;
	for (const struct held *x = e->all; x; x = x->next)
		if (x != h && x->step == STEP_HELD &&
		    strcmp(x->path, h->path) == 0)
			return true;
	return false;
}

static void give_up(struct held *h, int rc)
{
	mu_log(MU_ERROR,
	       MSG("the node of a plugin that has ended cannot be deleted; it "
	           "goes with the agent's session"),
	       KS("instance", h->instance), KS("path", h->path),
	       KS("reason", mu_client_strerror(rc)));
	gone(h);
}

static void on_read(struct held *h, const struct mu_result *r)
{
	int rc = r->rc;

	if (rc == MU_ENONODE || (!rc && r->stat && is_somebodys(h, r->stat)))
		gone(h);
	else if (rc == MU_ENOAUTH)
		give_up(h, rc);
	else if (rc || !r->stat)
		later(h, rc ? rc : MU_EPROTO);
	else if ((rc = ask(h, STEP_DELETE, r->stat->version)))
		later(h, rc);
}

static void read_again(struct held *h)
{
	int rc = ask(h, STEP_READ, -1);

	if (rc)
		later(h, rc);
}

static void on_answer(void *owner, uint64_t tag, const struct mu_result *r)
{
	struct held *h = owner;

	if ((enum step)tag != h->step)
		return;
	if (h->step == STEP_READ)
		on_read(h, r);
	else if (r->rc == 0 || r->rc == MU_ENONODE)
		gone(h);
	else if (r->rc == MU_EBADVERSION) /* somebody set it meanwhile */
		read_again(h);
	else if (r->rc == MU_ENOAUTH)
		give_up(h, r->rc);
	else
		later(h, r->rc);
}

/* Begin with those that wait, a few at a time. */
static void go_on(struct mu_ephemerals *e)
{
	unsigned busy = 0;

	if (!mu_uplink_is_up(e->o.uplink))
		return;
	for (struct held *h = e->all; h; h = h->next)
		busy += h->step > STEP_WAIT;
	for (struct held *h = e->all; h && busy < AT_ONCE; h = h->next) {
		int rc;

		if (h->step != STEP_WAIT)
			continue;
		rc = ask(h, STEP_READ, -1);
		if (rc)
			later(h, rc);
		busy += rc == 0;
	}
}

/* These runners are no more. */
static void leave(struct mu_ephemerals *e, const char *instance, unsigned of)
{
	for (struct held *h = e->all; h; h = h->next) {
		if (h->step != STEP_HELD || strcmp(h->instance, instance) != 0)
			continue;
		h->of &= ~of;
		if (h->of == 0 && e->stay)
			h->of = OF_BEFORE;
		else if (h->of == 0)
			h->step = STEP_WAIT;
	}
	go_on(e);
}

void mu_ephemerals_end(struct mu_ephemerals *e, const char *instance)
{
	leave(e, instance, MU_OF_THIS);
}

void mu_ephemerals_end_next(struct mu_ephemerals *e, const char *instance)
{
	leave(e, instance, MU_OF_NEXT);
}

void mu_ephemerals_pass(struct mu_ephemerals *e, const char *instance)
{
	for (struct held *h = e->all; h; h = h->next)
		if (h->step == STEP_HELD && strcmp(h->instance, instance) == 0)
			h->of = h->of & MU_OF_NEXT ? MU_OF_THIS : OF_BEFORE;
}

void mu_ephemerals_settle(struct mu_ephemerals *e, const char *instance)
{
	leave(e, instance, OF_BEFORE);
}

bool mu_ephemerals_has_left(const struct mu_ephemerals *e, const char *instance)
{
	for (const struct held *h = e->all; h; h = h->next)
		if (h->step == STEP_HELD && h->of & OF_BEFORE &&
		    strcmp(h->instance, instance) == 0)
			return true;
	return false;
}

void mu_ephemerals_only(struct mu_ephemerals *e,
                        bool (*is_known)(void *arg, const char *instance),
                        void *arg)
{
	for (struct held *h = e->all; h; h = h->next)
		if (h->step == STEP_HELD && h->of == OF_BEFORE &&
		    !is_known(arg, h->instance))
			h->step = STEP_WAIT;
	go_on(e);
}

void mu_ephemerals_stay(struct mu_ephemerals *e)
{
	e->stay = true;
}

bool mu_ephemerals_is_busy(const struct mu_ephemerals *e)
{
	for (const struct held *h = e->all; h; h = h->next)
		if (h->step != STEP_HELD)
			return mu_uplink_is_up(e->o.uplink);
	return false;
}

/* ---- the link ---- */

static void on_up(void *arg, const struct mu_uplink_up *up)
{
	struct mu_ephemerals *e = arg;
	bool any = e->all != NULL;

	/* Another session, or another tree: there is nothing left of them. */
	while (e->all && (up->session != e->session || up->lost_tree))
		drop(e, e->all);
	if (up->session != e->session || up->lost_tree) {
		e->session = up->session;
		if (any || mu_ephemerals_file_is_open(e->file))
			rewrite(e);
	}
	go_on(e);
	if (any)
		e->o.on_gone(e->o.arg);
}

static void on_down(void *arg)
{
	struct mu_ephemerals *e = arg;
	bool any = e->all != NULL;

	for (struct held *h = e->all; h; h = h->next)
		if (h->step > STEP_WAIT) {
			mu_uplink_forget(e->o.uplink, h);
			h->step = STEP_WAIT;
		}
	if (any)
		e->o.on_gone(e->o.arg);
}

static void on_retry(void *arg)
{
	go_on(arg);
}

/* ---- life ---- */

int mu_ephemerals_new(const struct mu_ephemerals_options *o,
                      struct mu_ephemerals **out)
{
	struct mu_ephemerals *e = mu_alloc(sizeof *e);
	int rc;

	if (!e)
		return MU_ENOMEM;
	e->o = *o;
	rc = mu_timer_new(o->loop, on_retry, e, &e->retry);
	if (!rc)
		rc = mu_ephemerals_file_new(o->runtime_dir, &e->file);
	if (rc) {
		mu_timer_free(e->retry);
		mu_free(e);
		return rc;
	}
	load(e);
	e->listener = (struct mu_uplink_listener){ .on_up = on_up,
		                                   .on_down = on_down,
		                                   .arg = e };
	mu_uplink_listen(o->uplink, &e->listener);
	*out = e;
	return 0;
}

void mu_ephemerals_free(struct mu_ephemerals *e)
{
	if (!e)
		return;
	mu_uplink_unlisten(e->o.uplink, &e->listener);
	while (e->all)
		drop(e, e->all);
	mu_ephemerals_file_free(e->file);
	mu_timer_free(e->retry);
	mu_free(e);
}
