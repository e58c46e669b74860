#include "uplink_impl.h"

#include "err.h"
#include "log.h"
#include "mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FEATURES_SUBSCRIBE 2   /* from which on a broker has subscriptions */
#define RETRY_MS 1000u         /* after a handle could not be made */
#define TROUBLE_FIRST_MS 1000u /* without a broker, until the log tells why */
#define TROUBLE_AGAIN_MS 60000u

static void begin(struct mu_uplink *u);

/* ---- listeners ---- */

void mu_uplink_listen(struct mu_uplink *u, struct mu_uplink_listener *l)
{
	struct mu_uplink_listener **p = &u->listeners;

	while (*p)
		p = &(*p)->next;
	l->next = NULL;
	*p = l;
}

void mu_uplink_unlisten(struct mu_uplink *u, struct mu_uplink_listener *l)
{
	struct mu_uplink_listener **p = &u->listeners;

	while (*p && *p != l)
		p = &(*p)->next;
	if (*p)
		*p = l->next;
}

static void save(struct mu_uplink *u, const struct mu_client_info *info)
{
	struct mu_saved_session s = { 0 };
	struct mu_err err;

	s.session = info->session;
	memcpy(s.password, info->password, sizeof s.password);
	s.last_zxid = info->last_zxid;
	s.tree_id = info->tree_id;
	s.brokers = mu_brokers_hash(u->brokers);
	snprintf(s.name, sizeof s.name, "%s",
	         u->former[0] ? u->former : u->name);
	if (s.session == u->saved.session && s.tree_id == u->saved.tree_id &&
	    strcmp(s.name, u->saved.name) == 0 &&
	    memcmp(s.password, u->saved.password, sizeof s.password) == 0)
		return;
	if (mu_session_save(u->runtime_dir, &s, &err)) {
		mu_log(MU_ERROR,
		       MSG("cannot keep the session for the next start"),
		       KS("reason", err.msg));
		return;
	}
	u->saved = s;
}

/* The broker has the last word on the timeout. */
static void check_timeout(struct mu_uplink *u, uint32_t negotiated_ms)
{
	if (negotiated_ms != u->timeout_ms && negotiated_ms != u->negotiated_ms)
		mu_log(MU_WARN,
		       MSG("the broker does not grant session_timeout_ms; what "
		           "it allows stands in its own configuration"),
		       KI("asked_ms", u->timeout_ms),
		       KI("granted_ms", negotiated_ms));
	u->negotiated_ms = negotiated_ms;
}

static void go_up(struct mu_uplink *u)
{
	struct mu_client_info info = { .size = sizeof info };
	struct mu_uplink_up up = { 0 };
	char session[24];

	mu_client_info(u->client, &info);
	up.new_handle = u->new_handle;
	up.new_tree = !u->told || info.tree_id != u->tree_id;
	up.lost_tree = up.new_tree && u->told;
	up.session = info.session;
	up.tree_id = info.tree_id;
	up.streams = u->streams = info.features >= FEATURES_SUBSCRIBE;
	snprintf(session, sizeof session, "0x%" PRIx64, (uint64_t)info.session);
	mu_log(MU_INFO, MSG("connected"), KS("broker", info.broker),
	       KS("session", session),
	       KS("resumed", info.resumed ? "yes" : "no"),
	       KI("timeout_ms", info.timeout_ms));
	check_timeout(u, info.timeout_ms);
	if (up.lost_tree)
		mu_log(MU_WARN, MSG("the broker came back with another tree"));
	mu_timer_disarm(u->trouble);
	u->up = true;
	u->zxid = 0;
	u->zxid_ms = mu_loop_now_ms(u->loop);
	u->again = false;
	u->told = true;
	u->new_handle = false;
	u->tree_id = info.tree_id;
	u->session = info.session;
	save(u, &info);
	for (struct mu_uplink_listener *l = u->listeners; l; l = l->next)
		if (l->on_up)
			l->on_up(l->arg, &up);
}

static void go_down(struct mu_uplink *u)
{
	if (!u->up)
		return;
	u->up = false;
	mu_timer_arm(u->trouble, TROUBLE_FIRST_MS, 0);
	for (struct mu_uplink_listener *l = u->listeners; l; l = l->next)
		if (l->on_down)
			l->on_down(l->arg);
}

static void on_state(struct mu_client *c, enum mu_client_state state, int why,
                     void *arg)
{
	struct mu_uplink *u = arg;

	(void)c;
	if (u->silent)
		return;
	if (state == MU_CLIENT_CONNECTED) {
		go_down(u); /* a link went without our being told */
		go_up(u);
		return;
	}
	if (u->up)
		mu_log(MU_WARN, MSG("the connection to the broker was lost"),
		       KS("reason", mu_client_strerror(why)));
	go_down(u);
	if (state != MU_CLIENT_CONNECTING)
		u->ended = true;
	u->unheard = state == MU_CLIENT_EXPIRED && why == MU_ETIMEDOUT;
}

static void on_event(struct mu_client *c, const struct mu_watch_event *e,
                     void *arg)
{
	struct mu_uplink *u = arg;

	(void)c;
	for (struct mu_uplink_listener *l = u->silent ? NULL : u->listeners; l;
	     l = l->next)
		if (l->on_event)
			l->on_event(l->arg, e);
}

static void on_change(struct mu_client *c, const struct mu_change *change,
                      void *arg)
{
	struct mu_uplink *u = arg;
	struct mu_uplink_listener *l = u->silent ? NULL : u->listeners;

	(void)c;
	while (l && (!l->on_change || l->subscription != change->id))
		l = l->next;
	if (l)
		l->on_change(l->arg, change);
}

/* ---- the handle ---- */

static void drop(struct mu_uplink *u)
{
	mu_poll_free(u->poll);
	u->poll = NULL;
	u->fd = -1;
	mu_client_free(u->client);
	u->client = NULL;
}

/* The library has run: the handle may be dead. */
static void processed(struct mu_uplink *u)
{
	if (!u->ended)
		return;
	/* A broker that was away all that time has the session still. */
	if (u->unheard && u->saved.session) {
		if (!u->again)
			mu_log(MU_WARN,
			       MSG("no broker was heard of for longer than the "
			           "session's timeout; asking for it again"));
		u->again = true;
		drop(u);
		mu_uplink_fail_all(u);
		begin(u);
		return;
	}
	mu_log(MU_WARN, MSG("the session has expired; starting a new one"));
	drop(u);
	mu_uplink_fail_all(u);
	u->saved = (struct mu_saved_session){ 0 };
	u->former[0] = '\0'; /* its node went with the session */
	mu_session_forget(u->runtime_dir);
	begin(u);
}

static void process(struct mu_uplink *u)
{
	if (!u->client || u->processing)
		return;
	u->processing = true;
	mu_client_process(u->client);
	u->processing = false;
	processed(u);
}

/* Without a broker for a while: say what was tried and why it failed. Waiting
 * for no time at all is how the library is asked for that sentence; it stands
 * behind the time that was waited. */
static void on_trouble(void *arg)
{
	struct mu_uplink *u = arg;
	struct mu_err err = { 0 };
	const char *why = NULL;
	int rc = MU_ECONNLOSS;

	if (u->client && !u->processing) {
		u->processing = true;
		rc = mu_client_wait(u->client, 0, &err);
		u->processing = false;
		processed(u);
	}
	if (rc == 0 || u->up)
		return;
	if (rc == MU_ETIMEDOUT)
		why = strstr(err.msg, " ms: ");
	mu_timer_arm(u->trouble, why ? TROUBLE_AGAIN_MS : TROUBLE_FIRST_MS, 0);
	if (why)
		mu_log(MU_WARN, MSG("no broker can be reached; trying again"),
		       KS("reason", why + strlen(" ms: ")),
		       KS("brokers", u->brokers));
}

static void on_readable(void *arg, int events)
{
	(void)events;
	process(arg);
}

static void on_timer(void *arg)
{
	struct mu_uplink *u = arg;

	if (u->client)
		process(u);
	else
		begin(u);
}

/* At the end of each turn: a request made in it may have changed when the
 * library wants to run, or even on what it waits. */
static void on_turn(void *arg)
{
	struct mu_uplink *u = arg;
	int fd;

	if (!u->client)
		return;
	mu_timer_arm(u->timer, (uint64_t)mu_client_timeout_ms(u->client), 0);
	fd = mu_client_fd(u->client);
	if (fd == u->fd)
		return;
	mu_poll_free(u->poll);
	u->poll = NULL;
	u->fd = -1;
	if (fd < 0 || mu_poll_new(u->loop, fd, on_readable, u, &u->poll))
		return; /* the timer is there still */
	mu_poll_set(u->poll, MU_POLL_READ);
	u->fd = fd;
}

static int make(struct mu_uplink *u, struct mu_err *err)
{
	struct mu_client_options o = { .size = sizeof o };
	int rc;

	o.brokers = u->brokers;
	o.timeout_ms = u->timeout_ms;
	o.session = u->saved.session;
	memcpy(o.password, u->saved.password, sizeof o.password);
	o.last_zxid = u->saved.last_zxid;
	o.on_state = on_state;
	o.on_event = on_event;
	o.on_change = on_change;
	o.arg = u;
	u->ended = false;
	u->new_handle = true;
	rc = mu_client_new(&o, &u->client, err);
	if (rc)
		u->client = NULL;
	return rc;
}

static void begin(struct mu_uplink *u)
{
	struct mu_err err = { 0 };

	if (!make(u, &err))
		return;
	mu_log(MU_ERROR, MSG("cannot start a session; trying again"),
	       KS("reason", err.msg));
	mu_timer_arm(u->timer, RETRY_MS, 0);
}

static void load(struct mu_uplink *u)
{
	struct mu_err err;
	int rc = mu_session_load(u->runtime_dir, &u->saved, &err);

	if (rc && rc != MU_ENONODE)
		mu_log(MU_WARN, MSG("the kept session cannot be used"),
		       KS("reason", err.msg));
	if (!rc && u->saved.brokers != mu_brokers_hash(u->brokers)) {
		mu_log(MU_INFO, MSG("the brokers are other ones; starting a "
		                    "new session"));
		u->saved = (struct mu_saved_session){ 0 };
	}
	if (u->saved.session && strcmp(u->saved.name, u->name) != 0)
		memcpy(u->former, u->saved.name, sizeof u->former);
}

int mu_uplink_new(const struct mu_uplink_options *o, struct mu_uplink **out,
                  struct mu_err *err)
{
	struct mu_uplink *u = mu_alloc(sizeof *u);
	int rc;

	if (!u)
		return mu_err(err, MU_ENOMEM, "out of memory");
	u->loop = o->loop;
	u->brokers = o->brokers;
	u->runtime_dir = o->runtime_dir;
	u->timeout_ms = o->timeout_ms;
	u->name = o->name;
	u->fd = -1;
	load(u);
	rc = mu_timer_new(u->loop, on_timer, u, &u->timer);
	if (!rc)
		rc = mu_timer_new(u->loop, on_trouble, u, &u->trouble);
	if (!rc)
		rc = mu_after_new(u->loop, on_turn, u, &u->after);
	if (rc)
		rc = mu_err(err, rc, "out of memory");
	else
		rc = make(u, err);
	if (rc) {
		mu_uplink_free(u);
		return rc;
	}
	mu_after_set(u->after, true, false);
	mu_timer_arm(u->trouble, TROUBLE_FIRST_MS, 0);
	*out = u;
	return 0;
}

void mu_uplink_free(struct mu_uplink *u)
{
	if (!u)
		return;
	u->silent = true;
	drop(u);
	mu_uplink_fail_all(u);
	if (u->timer)
		mu_timer_free(u->timer);
	mu_timer_free(u->trouble);
	if (u->after)
		mu_after_free(u->after);
	mu_free(u);
}

bool mu_uplink_is_up(const struct mu_uplink *u)
{
	return u->up;
}

bool mu_uplink_now(const struct mu_uplink *u, struct mu_uplink_up *up)
{
	*up = (struct mu_uplink_up){ .new_handle = true,
		                     .new_tree = true,
		                     .session = u->session,
		                     .tree_id = u->tree_id,
		                     .streams = u->streams };
	return u->up;
}

int64_t mu_uplink_session(const struct mu_uplink *u)
{
	return u->session;
}

const char *mu_uplink_former(const struct mu_uplink *u)
{
	return u->former[0] ? u->former : NULL;
}

void mu_uplink_forget_former(struct mu_uplink *u)
{
	struct mu_client_info info = { .size = sizeof info };

	u->former[0] = '\0';
	if (!u->up)
		return; /* the next connection keeps the new name */
	mu_client_info(u->client, &info);
	save(u, &info);
}

struct mu_client *mu_uplink_last_words(struct mu_uplink *u)
{
	u->silent = true;
	return u->up ? u->client : NULL;
}

void mu_uplink_closed(struct mu_uplink *u)
{
	u->saved = (struct mu_saved_session){ 0 };
	mu_session_forget(u->runtime_dir);
}
