#include "client_impl.h"

#include "bug.h"
#include "clock.h"
#include "err.h"
#include "mem.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* No longer than this between two looks; keeps an int from overflowing. */
#define PAUSE_MAX_MS (60u * 60u * 1000u)

/* ---- the carrier ---- */

static const struct {
	const char *scheme;
	const struct mu_driver_ops *ops;
} carriers[] = {
	{ "tcp://", &mu_driver_zmq },
	{ "ipc://", &mu_driver_zmq },
	{ "zookeeper://", &mu_driver_zookeeper },
};

static const struct mu_driver_ops *carrier_for(const char *url)
{
	for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++)
		if (mu_str_starts(mu_str_of(url),
		                  mu_str_of(carriers[i].scheme)))
			return carriers[i].ops;
	return NULL;
}

static int open_carrier(struct mu_client *c, struct mu_err *err)
{
	const char *url = c->brokers.url[c->host];
	struct epoll_event e = { .events = EPOLLIN };
	int rc;

	c->ops = carrier_for(url);
	MU_BUG_ON(!c->ops); /* url.c lets no other scheme through */
	rc = c->ops->open(url, &c->driver, err);
	if (rc)
		return rc;
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->ops->fd(c->driver), &e) == 0)
		return 0;
	mu_client_drop_carrier(c);
	return mu_err(err, MU_EIO, "cannot watch the connection to %s", url);
}

void mu_client_drop_carrier(struct mu_client *c)
{
	if (!c->driver)
		return;
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->ops->fd(c->driver), NULL);
	c->ops->close(c->driver);
	c->driver = NULL;
	c->up = c->lost = false;
}

/* The link has no use for what the carrier brings now. */
static void tell_lost(struct mu_client *c)
{
	const char *why = c->driver ? c->ops->why(c->driver) : "";

	if (why[0]) {
		mu_format(c->why[c->host], MU_ERR_MSG_MAX, "%s", why);
		c->why_told = true;
	}
	c->lost = false;
	mu_link_on_lost(c->link, mu_clock_mono_ms());
}

static void read_one(struct mu_client *c)
{
	const void *bytes = NULL;
	size_t len = 0;
	int rc = c->ops->recv(c->driver, &bytes, &len);

	if (rc == MU_EAGAIN)
		return;
	if (rc)
		tell_lost(c);
	else
		mu_link_on_message(c->link, bytes, len, mu_clock_mono_ms());
}

/* One thing that the carrier has to say; false when it is silent. What came
 * before a loss is heard before it. */
static bool hear(struct mu_client *c)
{
	unsigned events;

	if (!c->driver)
		return false;
	events = c->ops->events(c->driver);
	if (events & MU_DRIVER_LOST)
		c->lost = true;
	if ((events & MU_DRIVER_UP) && !c->up) {
		c->up = true;
		mu_link_on_open(c->link, mu_clock_mono_ms());
		return true;
	}
	if (events & MU_DRIVER_READABLE)
		read_one(c);
	else if (c->lost)
		tell_lost(c);
	else
		return events != 0;
	return true;
}

static void flush(struct mu_client *c)
{
	if (c->driver && c->ops->is_parked(c->driver) &&
	    c->ops->flush(c->driver))
		tell_lost(c);
}

/* ---- what the link wants done ---- */

static void do_open(struct mu_client *c, const struct mu_link_action *a)
{
	struct mu_err err = { 0, "out of memory" };

	c->host = c->order[a->host];
	c->why_told = false;
	if (!open_carrier(c, &err))
		return;
	mu_format(c->why[c->host], MU_ERR_MSG_MAX, "%s", err.msg);
	c->why_told = true;
	mu_link_on_lost(c->link, mu_clock_mono_ms());
}

static void do_send(struct mu_client *c, const struct mu_link_action *a)
{
	if (c->driver && c->ops->send(c->driver, a->bytes, a->len))
		tell_lost(c);
}

static void do_shut(struct mu_client *c, const struct mu_link_action *a)
{
	(void)a;
	mu_client_drop_carrier(c);
}

static void tell_state(struct mu_client *c, enum mu_client_state state, int why)
{
	if (state == c->state)
		return;
	c->state = state;
	c->end = why;
	if (c->options.on_state)
		c->options.on_state(c, state, why, c->options.arg);
}

static void do_state(struct mu_client *c, const struct mu_link_action *a)
{
	enum mu_link_state before = c->link_state;

	c->link_state = a->state;
	switch (a->state) {
	case MU_LINK_IDLE:
		mu_client_note(c, before, a->rc);
		tell_state(c, MU_CLIENT_CONNECTING, a->rc);
		break;
	case MU_LINK_CONNECTED:
		tell_state(c, MU_CLIENT_CONNECTED, 0);
		break;
	case MU_LINK_EXPIRED:
		tell_state(c, MU_CLIENT_EXPIRED, a->rc);
		break;
	case MU_LINK_CLOSED:
		tell_state(c, MU_CLIENT_CLOSED, a->rc);
		break;
	default:
		break; /* a step on the way */
	}
}

static void do_event(struct mu_client *c, const struct mu_link_action *a)
{
	struct mu_watch_event e = {
		.size = sizeof e,
		.type = (enum mu_watch_event_type)a->event,
		.path = mu_client_strip(c->brokers.chroot, a->path.at),
		.zxid = a->zxid,
	};

	if (c->options.on_event)
		c->options.on_event(c, &e, c->options.arg);
}

static void do_change(struct mu_client *c, const struct mu_link_action *a)
{
	const struct mu_change_event *e = a->change;
	const struct mu_change change = {
		.size = sizeof change,
		.id = e->id,
		.type = (enum mu_watch_event_type)e->type,
		.zxid = e->zxid,
		.n = e->n,
		.prev_zxid = e->prev_zxid,
		.prev_n = e->prev_n,
		.path = mu_client_strip(c->brokers.chroot, e->path.at),
		.cause = e->cause,
		.session = e->session,
		.origin = e->origin.at,
		.stat = &e->stat,
		.data = e->data.at,
		.len = e->data.at ? (int32_t)e->data.len : -1,
		.whole = e->whole,
	};

	if (c->options.on_change)
		c->options.on_change(c, &change, c->options.arg);
}

static void do_done(struct mu_client *c, const struct mu_link_action *a)
{
	mu_call_done(c, a);
}

static void (*const act[])(struct mu_client *c,
                           const struct mu_link_action *a) = {
	[MU_LA_OPEN] = do_open,     [MU_LA_SEND] = do_send,
	[MU_LA_SHUT] = do_shut,     [MU_LA_STATE] = do_state,
	[MU_LA_EVENT] = do_event,   [MU_LA_DONE] = do_done,
	[MU_LA_CHANGE] = do_change,
};

/* The bytes are taken over first: a callback may well come back here, and the
 * link then hands out the next action. */
static bool act_once(struct mu_client *c)
{
	struct mu_link_action a;
	void *bytes;

	if (!mu_link_action(c->link, &a))
		return false;
	bytes = mu_link_take_bytes(c->link);
	act[a.kind](c, &a);
	mu_free(bytes);
	return true;
}

/* ---- the loop ---- */

void mu_client_poke(struct mu_client *c)
{
	uint64_t one = 1;

	c->work = true;
	if (c->awake)
		return;
	c->awake = write(c->wake, &one, sizeof one) == sizeof one;
}

static void calm(struct mu_client *c)
{
	uint64_t count;

	c->work = false;
	if (c->awake && read(c->wake, &count, sizeof count) == sizeof count)
		c->awake = false;
}

/* Time is told only when all that came was heard: after a long pause of this
 * process the truth may lie unread in the socket. */
static bool turn(struct mu_client *c, unsigned *budget)
{
	while (*budget && (act_once(c) || hear(c)))
		--*budget;
	if (!*budget)
		return false;
	flush(c);
	mu_link_tick(c->link, mu_clock_mono_ms());
	--*budget;
	return act_once(c);
}

int mu_client_process(struct mu_client *c)
{
	unsigned budget = MU_CLIENT_BUDGET;

	calm(c);
	c->depth++;
	while (turn(c, &budget))
		;
	c->depth--;
	if (!budget)
		mu_client_poke(c);
	if (c->state == MU_CLIENT_EXPIRED)
		return MU_EEXPIRED;
	return c->state == MU_CLIENT_CLOSED ? MU_ECLOSED : 0;
}

int mu_client_timeout_ms(const struct mu_client *c)
{
	uint64_t now = mu_clock_mono_ms();
	uint64_t by = mu_link_deadline(c->link);

	if (c->work || by <= now)
		return 0;
	by -= now;
	if (c->driver && c->ops->is_parked(c->driver) &&
	    by > MU_CLIENT_RETRY_MS)
		by = MU_CLIENT_RETRY_MS;
	return by > PAUSE_MAX_MS ? (int)PAUSE_MAX_MS : (int)by;
}

void mu_client_pause(struct mu_client *c, uint64_t until_ms)
{
	struct pollfd p = { .fd = c->epoll, .events = POLLIN };
	uint64_t now = mu_clock_mono_ms();
	int most = mu_client_timeout_ms(c);

	if (until_ms <= now)
		return;
	if (until_ms - now < (uint64_t)most)
		most = (int)(until_ms - now);
	(void)poll(&p, 1, most); /* a signal just means to look again */
}
