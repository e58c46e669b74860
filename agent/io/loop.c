#include "loop.h"

#include "bug.h"
#include "err.h"
#include "loop_uv.h"
#include "mem.h"

#define DYING_MAX_MS 2000u /* how long mu_loop_free waits for dying processes */

struct mu_timer {
	uv_timer_t uv; /* first: see mu_uv_close */
	mu_loop_fn *fn;
	void *arg;
};

struct mu_poll {
	uv_poll_t uv;
	void (*fn)(void *arg, int events);
	void *arg;
};

struct mu_signal {
	uv_signal_t uv;
	mu_loop_fn *fn;
	void *arg;
};

struct mu_after {
	uv_prepare_t prepare;
	uv_idle_t idle;
	unsigned open; /* how many of the two */
	mu_loop_fn *fn;
	void *arg;
};

int mu_uv_status(int uv_rc)
{
	if (uv_rc == 0)
		return 0;
	return uv_rc == UV_ENOMEM ? MU_ENOMEM : MU_EIO;
}

static void on_closed(uv_handle_t *h)
{
	mu_free(h);
}

void mu_uv_close(uv_handle_t *h)
{
	uv_close(h, on_closed);
}

/* ---- the loop --------------------------------------------------------------- */

int mu_loop_new(struct mu_loop **out, struct mu_err *err)
{
	struct mu_loop *l = mu_alloc(sizeof *l);
	int rc;

	if (!l)
		return mu_err(err, MU_ENOMEM,
		              "no memory left for an event loop");
	rc = uv_loop_init(&l->uv);
	if (rc) {
		mu_free(l);
		return mu_err(err, mu_uv_status(rc),
		              "cannot make an event loop: %s", uv_strerror(rc));
	}
	*out = l;
	return 0;
}

struct census {
	unsigned live;  /* still somebody's */
	unsigned dying; /* processes let go: without a reference, see proc.c */
};

static void count(uv_handle_t *h, void *arg)
{
	struct census *c = arg;

	if (uv_is_closing(h))
		return;
	if (h->type == UV_PROCESS && !uv_has_ref(h))
		c->dying++;
	else
		c->live++;
}

static unsigned dying(struct mu_loop *l)
{
	struct census c = { 0, 0 };

	uv_walk(&l->uv, count, &c);
	return c.dying;
}

static void on_deadline(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static void close_dying(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (h->type == UV_PROCESS && !uv_is_closing(h))
		mu_uv_close(h);
}

/* They were sent SIGKILL; one that hangs in the kernel all the same is left for
 * init to reap. */
static void reap_dying(struct mu_loop *l)
{
	uv_timer_t deadline;
	bool late = false;

	if (!dying(l))
		return;
	MU_BUG_ON(uv_timer_init(&l->uv, &deadline) != 0);
	deadline.data = &late;
	uv_update_time(&l->uv);
	MU_BUG_ON(uv_timer_start(&deadline, on_deadline, DYING_MAX_MS, 0) != 0);
	while (!late && dying(l))
		uv_run(&l->uv, UV_RUN_ONCE);
	uv_walk(&l->uv, close_dying, NULL);
	uv_close((uv_handle_t *)&deadline, NULL);
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

void mu_loop_free(struct mu_loop *l)
{
	struct census c = { 0, 0 };

	if (!l)
		return;
	MU_BUG_ON(l->running);
	uv_walk(&l->uv, count, &c);
	MU_BUG_ON(c.live > 0);
	reap_dying(l);
	while (uv_loop_close(&l->uv) == UV_EBUSY)
		uv_run(&l->uv, UV_RUN_NOWAIT);
	mu_free(l);
}

void mu_loop_run(struct mu_loop *l)
{
	MU_BUG_ON(l->running);
	l->running = true;
	uv_run(&l->uv, UV_RUN_DEFAULT);
	l->running = false;
}

void mu_loop_stop(struct mu_loop *l)
{
	uv_stop(&l->uv);
}

uint64_t mu_loop_now_ms(const struct mu_loop *l)
{
	return uv_now(&l->uv);
}

/* ---- timers ----------------------------------------------------------------- */

int mu_timer_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                 struct mu_timer **out)
{
	struct mu_timer *t = mu_alloc(sizeof *t);

	if (!t)
		return MU_ENOMEM;
	MU_BUG_ON(uv_timer_init(&l->uv, &t->uv) != 0);
	t->uv.data = l;
	t->fn = fn;
	t->arg = arg;
	*out = t;
	return 0;
}

static void on_timer(uv_timer_t *uv)
{
	struct mu_timer *t = (struct mu_timer *)uv;
	struct mu_loop *l = uv->data;

	l->in_timers = true;
	t->fn(t->arg); /* may free t */
	l->in_timers = false;
}

void mu_timer_arm(struct mu_timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
	struct mu_loop *l = t->uv.data;

	/* Between runs libuv's time stands still. */
	if (!l->running)
		uv_update_time(&l->uv);
	/* libuv goes on until no timer is due: one that armed itself with no
	 * delay would keep all else from running. */
	if (l->in_timers && delay_ms == 0)
		delay_ms = 1;
	MU_BUG_ON(uv_timer_start(&t->uv, on_timer, delay_ms, repeat_ms) != 0);
}

void mu_timer_disarm(struct mu_timer *t)
{
	uv_timer_stop(&t->uv);
}

bool mu_timer_armed(const struct mu_timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->uv);
}

void mu_timer_free(struct mu_timer *t)
{
	if (t)
		mu_uv_close((uv_handle_t *)&t->uv);
}

/* ---- descriptors ------------------------------------------------------------ */

int mu_poll_new(struct mu_loop *l, int fd, void (*fn)(void *arg, int events),
                void *arg, struct mu_poll **out)
{
	struct mu_poll *p = mu_alloc(sizeof *p);
	int rc;

	if (!p)
		return MU_ENOMEM;
	rc = uv_poll_init(&l->uv, &p->uv, fd);
	if (rc) {
		mu_free(p);
		return mu_uv_status(rc);
	}
	p->fn = fn;
	p->arg = arg;
	*out = p;
	return 0;
}

/* At an error libuv has stopped watching, and says only that there is one. */
static void on_poll(uv_poll_t *uv, int status, int events)
{
	struct mu_poll *p = (struct mu_poll *)uv;
	int told = 0;

	if (status < 0)
		told = MU_POLL_READ | MU_POLL_WRITE;
	if (events & UV_READABLE)
		told |= MU_POLL_READ;
	if (events & UV_WRITABLE)
		told |= MU_POLL_WRITE;
	p->fn(p->arg, told); /* may free p */
}

void mu_poll_set(struct mu_poll *p, int events)
{
	int uv_events = (events & MU_POLL_READ ? UV_READABLE : 0) |
	                (events & MU_POLL_WRITE ? UV_WRITABLE : 0);

	MU_BUG_ON(uv_poll_start(&p->uv, uv_events, on_poll) != 0);
}

void mu_poll_free(struct mu_poll *p)
{
	if (p)
		mu_uv_close((uv_handle_t *)&p->uv);
}

/* ---- signals ---------------------------------------------------------------- */

static void on_signal(uv_signal_t *uv, int signum)
{
	struct mu_signal *s = (struct mu_signal *)uv;

	(void)signum;
	s->fn(s->arg); /* may free s */
}

int mu_signal_new(struct mu_loop *l, int signum, mu_loop_fn *fn, void *arg,
                  struct mu_signal **out)
{
	struct mu_signal *s = mu_alloc(sizeof *s);
	int rc;

	if (!s)
		return MU_ENOMEM;
	rc = uv_signal_init(&l->uv, &s->uv);
	if (rc) {
		mu_free(s);
		return mu_uv_status(rc);
	}
	s->fn = fn;
	s->arg = arg;
	rc = uv_signal_start(&s->uv, on_signal, signum);
	if (rc) {
		mu_signal_free(s);
		return mu_uv_status(rc);
	}
	*out = s;
	return 0;
}

void mu_signal_free(struct mu_signal *s)
{
	if (s)
		mu_uv_close((uv_handle_t *)&s->uv);
}

/* ---- once each turn --------------------------------------------------------- */

int mu_after_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                 struct mu_after **out)
{
	struct mu_after *a = mu_alloc(sizeof *a);

	if (!a)
		return MU_ENOMEM;
	MU_BUG_ON(uv_prepare_init(&l->uv, &a->prepare) != 0);
	MU_BUG_ON(uv_idle_init(&l->uv, &a->idle) != 0);
	a->prepare.data = a;
	a->idle.data = a;
	a->open = 2;
	a->fn = fn;
	a->arg = arg;
	*out = a;
	return 0;
}

static void on_prepare(uv_prepare_t *uv)
{
	struct mu_after *a = uv->data;

	a->fn(a->arg); /* may free a */
}

/* An active idle handle is what keeps libuv from waiting. */
static void on_idle(uv_idle_t *uv)
{
	(void)uv;
}

void mu_after_set(struct mu_after *a, bool on, bool spin)
{
	if (on)
		MU_BUG_ON(uv_prepare_start(&a->prepare, on_prepare) != 0);
	else
		uv_prepare_stop(&a->prepare);
	if (on && spin)
		MU_BUG_ON(uv_idle_start(&a->idle, on_idle) != 0);
	else
		uv_idle_stop(&a->idle);
}

/* The memory goes with the last of the two. */
static void on_after_closed(uv_handle_t *h)
{
	struct mu_after *a = h->data;

	if (--a->open == 0)
		mu_free(a);
}

void mu_after_free(struct mu_after *a)
{
	if (!a)
		return;
	uv_close((uv_handle_t *)&a->prepare, on_after_closed);
	uv_close((uv_handle_t *)&a->idle, on_after_closed);
}
