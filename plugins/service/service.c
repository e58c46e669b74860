/*
 * service - hold /services/<service>/<host> while a service lives.
 *
 * One of these three says what the service is:
 *     unit = "nginx.service";     # a unit of systemd
 *     pid_file = "/run/x.pid";    # a file with the number of its process
 *     command = ["/usr/bin/x"];   # a command, started and looked after here; it
 *                                 # needs restart = true, outlives the plugin and
 *                                 # is found again
 *
 * The others may be left out, and are then what "default" says:
 *     service = "web";            # the name; default: that of the instance
 *     address = "10.0.0.7";       # told in the node; default: ""
 *     port = 80;                  # likewise; default: 0
 *     value = "...";              # what the node holds; default: JSON with
 *                                 # "host", "address", "port" and "pid"
 *     restart = true;             # start it when it does not run, and when it
 *                                 # ends, with 0.1 s in between, doubling to
 *                                 # 30 s; default: false, it is watched only
 *     restart_max = 3;            # at most so many times; default: 5
 *     restart_window_s = 60;      # in this time; default: 600
 *     start = "service x start";  # of pid_file, for restart: how; default: none
 *     stop_ms = 1000;             # of command: it is ended with the instance,
 *                                 # by SIGTERM, and after that long by SIGKILL;
 *                                 # default: 3000
 *     output = "/var/log/x.log";  # of command: where what it prints is added;
 *                                 # default: nowhere
 *     poll_ms = 500;              # how often to look for another main process;
 *                                 # default: 2000
 *     timeout_ms = 2000;          # of systemctl and of start; default: 5000
 *     systemctl = "/bin/systemctl"; # default: "systemctl", found in PATH
 *
 * A command lives on when the agent ends, and when the plugin's file or other
 * settings change. It is ended, with its process group, when another `command`, or
 * a unit or pid_file, takes its place, and when the instance is taken out of the
 * configuration of an agent that runs: stop_ms is to be below the instance's
 * deadline_ms and the agent's stop_grace_ms. Where an instance is taken out while
 * the agent or its process does not run, nobody is there to do so.
 *
 * Of the instance: connection = true, so that the node is made again after the
 * agent's session expired (without it that takes up to 30 s).
 *
 * A process is watched through its pidfd, which tells its end at once, be it a
 * child of ours or not. What pid_file names is remembered: once that process has
 * ended, or the host was started anew, another one with its number is not taken
 * for it, until the file is written again. A file that is seen for the first time
 * is believed, whatever its time: clocks are set.
 */
#include <muster/plugin.h>

#include "fail.h"
#include "source.h"
#include "typed.h"
#include "watchman.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASK_MS 5000u    /* for each request to the broker */
#define RETRY_MS 1000u  /* after the broker could not be asked */
#define LOOK_MS 50u     /* after it fell, doubling to poll_ms */
#define VERIFY_MS 30000 /* is the node still there? */
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_LAST_MS 30000u
#define HEALTHY_MS 60000 /* after that long the back-off begins anew */
#define PATH_MAX_LEN 1024
#define RESTARTS_MAX 100u

struct restarts {
	bool wanted;
	uint32_t max, window_s;
	int64_t at_ms[RESTARTS_MAX]; /* the last ones, a ring */
	uint32_t count;              /* ever */
	uint32_t in_a_row;
	int64_t next_ms; /* not before */
	bool spent;      /* the log has said so */
};

struct service {
	const struct mu_host *host;
	struct source source;
	struct watchman *watchman;
	struct process process;
	const char *value, *address;
	uint32_t port, poll_ms, look_ms;
	char top[PATH_MAX_LEN]; /* /services/<service> */
	char path[2 * PATH_MAX_LEN];
	bool published, stale; /* stale: it may be there and must not */
	int failing;   /* what the log has told of the broker; 0: well */
	int64_t up_ms; /* since when it runs */
	int64_t verified_ms;
	struct restarts restarts;
	char why[MU_ERR_MSG_MAX]; /* it does not run */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the node ---- */

static int32_t make_value(const struct service *s, char *out, size_t room)
{
	int n;

	if (s->value)
		n = snprintf(out, room, "%s", s->value);
	else
		n = snprintf(out, room,
		             "{\"host\": \"%s\", \"address\": \"%s\", "
		             "\"port\": %" PRIu32 ", \"pid\": %d}",
		             s->host->member, s->address, s->port,
		             (int)s->process.pid);
	return n < (int)room ? n : (int32_t)room - 1;
}

static int create(struct service *s, struct mu_err *err)
{
	const struct mu_host *h = s->host;
	char value[4096];
	int32_t len = make_value(s, value, sizeof value);
	int rc = h->create(h, s->path, value, len, MU_PLUGIN_EPHEMERAL, ASK_MS,
	                   err);

	if (rc != MU_ENONODE)
		return rc;
	rc = h->create(h, "/services", NULL, -1, 0, ASK_MS, err);
	if (rc == 0 || rc == MU_EEXISTS)
		rc = h->create(h, s->top, NULL, -1, 0, ASK_MS, err);
	if (rc && rc != MU_EEXISTS)
		return rc;
	return h->create(h, s->path, value, len, MU_PLUGIN_EPHEMERAL, ASK_MS,
	                 err);
}

/* Is the node that is there of the session that our agent has now? */
static bool is_ours(struct service *s)
{
	const struct mu_host *h = s->host;
	struct mu_stat node = { 0 }, member = { 0 };
	char path[PATH_MAX_LEN];
	const void *data;
	int32_t len;

	snprintf(path, sizeof path, "/members/%s", h->member);
	return h->get(h, s->path, &data, &len, &node, ASK_MS, NULL) == 0 &&
	       h->get(h, path, &data, &len, &member, ASK_MS, NULL) == 0 &&
	       node.ephemeral_owner &&
	       node.ephemeral_owner == member.ephemeral_owner;
}

/* One of a process of this instance before: its value is made ours, or, where it
 * would go with a session that is over, the node. */
static int take_over(struct service *s, struct mu_err *err)
{
	const struct mu_host *h = s->host;
	char value[4096];
	int rc;

	if (is_ours(s))
		return h->set(h, s->path, value,
		              make_value(s, value, sizeof value), -1, ASK_MS,
		              err);
	rc = h->remove(h, s->path, -1, ASK_MS, err);
	return rc && rc != MU_ENONODE ? rc : create(s, err);
}

static void complain(struct service *s, const char *what, int rc,
                     const struct mu_err *err)
{
	if (s->failing == rc)
		return;
	s->failing = rc;
	/* Nothing went wrong: at a start the agent is often not connected yet. */
	if (rc == MU_ECONNLOSS)
		s->host->log(s->host, MU_INFO,
		             "%s %s before there is a broker; trying again",
		             what, s->path);
	else
		s->host->log(s->host, MU_WARN, "%s %s: %s; trying again", what,
		             s->path, err->msg);
}

static void publish(struct service *s)
{
	struct mu_err err;
	int rc = create(s, &err);

	if (rc == MU_EEXISTS)
		rc = take_over(s, &err);
	if (rc) {
		complain(s, "cannot make", rc, &err);
		return;
	}
	s->host->log(s->host, MU_INFO, "%s is there: process %d", s->path,
	             (int)s->process.pid);
	s->published = true;
	s->failing = 0;
	s->stale = false;
	s->verified_ms = now_ms();
}

static void withdraw(struct service *s)
{
	struct mu_err err;
	int rc = s->host->remove(s->host, s->path, -1, ASK_MS, &err);

	s->published = false;
	s->stale = rc && rc != MU_ENONODE;
	if (s->stale)
		complain(s, "cannot take away", rc, &err);
	else
		s->failing = 0;
}

/* Somebody may have taken it away. */
static void verify(struct service *s)
{
	const void *data;
	int32_t len;

	if (now_ms() - s->verified_ms < VERIFY_MS)
		return;
	s->verified_ms = now_ms();
	if (s->host->get(s->host, s->path, &data, &len, NULL, ASK_MS, NULL) ==
	    MU_ENONODE)
		s->published = false;
}

/* ---- the process ---- */

static void rose(struct service *s, struct process *p)
{
	process_close(&s->process);
	s->process = *p;
	s->up_ms = now_ms();
	s->look_ms = LOOK_MS;
	s->why[0] = '\0';
	s->restarts.spent = false;
}

static void fell(struct service *s, const char *how)
{
	withdraw(s);
	if (now_ms() - s->up_ms >= HEALTHY_MS)
		s->restarts.in_a_row = 0;
	process_close(&s->process);
	snprintf(s->why, sizeof s->why, "%s", how);
	s->host->log(s->host, MU_WARN, "%s; %s is gone", how, s->path);
}

static bool may_restart(struct service *s)
{
	struct restarts *r = &s->restarts;
	int64_t since = now_ms() - (int64_t)r->window_s * 1000;
	uint32_t recent = 0, most = r->count;

	if (!r->wanted || now_ms() < r->next_ms)
		return false;
	if (most > RESTARTS_MAX)
		most = RESTARTS_MAX;
	for (uint32_t i = 0; i < most; i++)
		recent += r->at_ms[i] > since;
	if (recent < r->max)
		return true;
	if (!r->spent)
		s->host->log(s->host, MU_ERROR,
		             "it was started %" PRIu32 " times in %" PRIu32
		             " s (restart_max, restart_window_s) and does not "
		             "stay; not started again for now: %s",
		             recent, r->window_s, s->why);
	r->spent = true;
	return false;
}

static void restart(struct service *s)
{
	struct restarts *r = &s->restarts;
	uint32_t wait_ms = BACKOFF_LAST_MS;
	struct mu_err err;

	if (r->in_a_row < 9)
		wait_ms = BACKOFF_FIRST_MS << r->in_a_row;
	if (wait_ms > BACKOFF_LAST_MS)
		wait_ms = BACKOFF_LAST_MS;
	r->in_a_row++;
	r->at_ms[r->count++ % RESTARTS_MAX] = now_ms();
	r->next_ms = now_ms() + wait_ms;
	if (source_start(&s->source, &err)) {
		snprintf(s->why, sizeof s->why, "%s", err.msg);
		s->host->log(s->host, MU_ERROR, "cannot start it: %s", err.msg);
		return;
	}
	s->host->log(s->host, MU_INFO, "started");
}

/* Nobody will look after the command any more. A callback, with its deadline. */
static void end_command(struct service *s)
{
	const struct mu_host *h = s->host;
	struct mu_err err;
	bool killed;
	pid_t pid;
	int rc = source_end(&s->source, &pid, &killed, &err);

	if (rc == MU_ENONODE)
		return;
	if (rc)
		h->log(h, MU_WARN, "the command may still run: %s", err.msg);
	else if (killed)
		h->log(h, MU_WARN,
		       "the command, process %d, did not end within stop_ms, "
		       "%" PRIu32 " ms, and was killed",
		       (int)pid, s->source.stop_ms);
	else
		h->log(h, MU_INFO, "the command, process %d, is ended",
		       (int)pid);
}

/* It does not run, or did not when we last looked. */
static void look(struct service *s)
{
	struct process p;
	struct mu_err err;
	int rc;

	if (source_is_other(&s->source))
		end_command(s);
	rc = source_find(&s->source, &p, &err);
	if (rc == MU_ENONODE && may_restart(s)) {
		restart(s);
		rc = source_find(&s->source, &p, &err);
	}
	if (rc == 0) {
		rose(s, &p);
		return;
	}
	if (!s->why[0])
		s->host->log(s->host, MU_WARN, "the service does not run: %s",
		             err.msg);
	if (!s->why[0] || rc != MU_ENONODE)
		snprintf(s->why, sizeof s->why, "%s", err.msg);
}

/* It runs; is it still the process that the unit or the file names? */
static void follow(struct service *s)
{
	struct process p;
	struct mu_err unused;

	if (!source_may_move(&s->source) ||
	    source_find(&s->source, &p, &unused))
		return;
	if (p.pid == s->process.pid && p.started == s->process.started) {
		process_close(&p);
		return;
	}
	rose(s, &p);
	s->published = false; /* with another number in it */
}

/* ---- the plugin ---- */

static uint32_t next_ms(struct service *s)
{
	uint32_t ms = s->look_ms;

	if (s->stale || (process_is_held(&s->process) && !s->published))
		return RETRY_MS;
	if (process_is_held(&s->process))
		return s->poll_ms;
	if (s->look_ms < s->poll_ms)
		s->look_ms = ms * 2 < s->poll_ms ? ms * 2 : s->poll_ms;
	return ms;
}

static int service_tick(void *self, struct mu_err *err)
{
	struct service *s = self;
	bool stale = s->stale; /* from an earlier tick */
	char how[256];

	(void)err;
	if (process_is_held(&s->process)) {
		if (process_has_ended(&s->process, how, sizeof how))
			fell(s, how);
		else
			follow(s);
	}
	if (!process_is_held(&s->process))
		look(s);
	if (process_is_held(&s->process) && s->published)
		verify(s);
	if (process_is_held(&s->process) && !s->published)
		publish(s);
	else if (stale)
		withdraw(s);
	watchman_set(s->watchman, s->process.fd, next_ms(s));
	return 0;
}

static int service_event(void *self, const struct mu_event *e,
                         struct mu_err *err)
{
	struct service *s = self;

	(void)err;
	if (e->type != MU_EVENT_CONNECTED)
		return 0;
	if (e->flags & MU_EVENT_RENEWED)
		s->published = false;
	s->verified_ms = 0;
	s->host->wake(s->host);
	return 0;
}

static int service_check(void *self, struct mu_err *err)
{
	const struct service *s = self;

	if (!process_is_held(&s->process))
		return fail(err, MU_EGONE, "the service does not run: %.400s",
		            s->why);
	if (!s->published)
		return fail(err, MU_EIO, "%.400s could not be made", s->path);
	return 0;
}

/* It stands in JSON and in a path. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
			return false;
	return true;
}

static int read_names(struct service *s, struct mu_err *err)
{
	const struct mu_host *h = s->host;
	const char *name = h->instance;
	int rc = typed_text(h, "service", &name, err);

	if (!rc)
		rc = typed_text(h, "value", &s->value, err);
	s->address = "";
	if (!rc)
		rc = typed_text(h, "address", &s->address, err);
	if (!rc)
		rc = typed_number(h, "port", 65535, &s->port, err);
	if (rc)
		return rc;
	if (!*name || strlen(name) > 255 || strchr(name, '/') ||
	    !is_plain(name))
		return fail(err, MU_ECONFIG,
		            "service \"%.100s\" must be 1 to 255 bytes without "
		            "a slash",
		            name);
	if (!is_plain(s->address))
		return fail(err, MU_ECONFIG,
		            "address \"%.100s\" has a quote or a backslash",
		            s->address);
	snprintf(s->top, sizeof s->top, "/services/%s", name);
	snprintf(s->path, sizeof s->path, "%s/%s", s->top, h->member);
	return 0;
}

static int read_numbers(struct service *s, struct mu_err *err)
{
	const struct mu_host *h = s->host;
	struct restarts *r = &s->restarts;
	int rc;

	s->poll_ms = 2000;
	s->look_ms = LOOK_MS;
	r->max = 5;
	r->window_s = 600;
	rc = typed_ms(h, "poll_ms", &s->poll_ms, err);
	if (!rc)
		rc = typed_flag(h, "restart", &r->wanted, err);
	if (!rc)
		rc = typed_number(h, "restart_max", RESTARTS_MAX, &r->max, err);
	if (!rc)
		rc = typed_number(h, "restart_window_s", 86400, &r->window_s,
		                  err);
	return rc;
}

static int service_init(const struct mu_host *h, void **self,
                        struct mu_err *err)
{
	struct service *s;
	int rc;

	if (!MU_HAS(h, struct mu_host, wake))
		return fail(err, MU_EABI,
		            "this agent is too old for service: it has no "
		            "create and no wake");
	s = calloc(1, sizeof *s);
	if (!s)
		return fail(err, MU_ENOMEM, "out of memory");
	s->host = h;
	s->process.fd = -1;
	s->stale = true; /* one before this may have left the node */
	rc = read_names(s, err);
	if (!rc)
		rc = read_numbers(s, err);
	if (!rc)
		rc = source_init(&s->source, h, err);
	if (!rc)
		rc = watchman_start(h, &s->watchman, err);
	if (rc) {
		source_fini(&s->source);
		free(s);
		return rc;
	}
	h->wake(h);
	*self = s;
	return 0;
}

/* The node is the agent's to take away; a command lives on for the next process,
 * if there is to be one. */
static void service_fini(void *self)
{
	struct service *s = self;

	watchman_stop(s->watchman);
	if (MU_HAS(s->host, struct mu_host, is_removed) &&
	    s->host->is_removed(s->host))
		end_command(s);
	process_close(&s->process);
	source_fini(&s->source);
	free(s);
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "service",
	.help = "holds a node while a service of this host lives",
	.init = service_init,
	.event = service_event,
	.fini = service_fini,
	.tick = service_tick,
	.check = service_check,
};
