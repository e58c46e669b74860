#include "serve.h"

#include "err.h"
#include "instance.h"
#include "limits.h"
#include "rounds.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All that lives as long as the runner, and never goes: what the plugin left in
 * its exit handlers may still look at its host. */
struct runner {
	struct mu_channel *channel;
	struct mu_buf start; /* START's record: settings and names lie in it */
	struct mu_buf record;
	struct mu_settings settings;
	struct mu_instance instance;
	bool wake_said;  /* the next TICK answers it */
	unsigned rounds; /* 0: one instance, for its agent */
	char measured[MU_ROUNDS_TEXT_MAX];
};

static int trouble(const char *what)
{
	dprintf(STDERR_FILENO, "muster-runner: %s\n", what);
	return MU_RUNNER_TROUBLE;
}

static void say_ready(struct runner *r, int rc, const struct mu_err *err)
{
	struct mu_chan_ready m = {
		.version = MU_CHAN_VERSION,
		.rc = rc,
		.reason = mu_str_of(rc ? err->msg : r->measured),
		.plugin = mu_str_of(r->instance.plugin.name),
		.wants = r->instance.plugin.wants,
		.has_tick = r->instance.plugin.tick != NULL,
		.has_check = r->instance.plugin.check != NULL,
	};

	if (!m.plugin.at)
		m.plugin = MU_STR("");
	mu_put_chan_ready(mu_channel_begin(r->channel), &m);
	(void)mu_channel_send(r->channel);
}

/* START's fields, in the order in which they may be believed. */
static int read_start(struct runner *r, struct mu_chan_start *m,
                      struct mu_err *err)
{
	struct mu_in in = mu_in_of(r->start.data, r->start.len);

	if (mu_chan_type(&in) != MU_CHAN_START || mu_get_chan_start(&in, m))
		return mu_err(err, MU_EPROTO,
		              "the agent did not begin with START");
	if (m->version != MU_CHAN_VERSION)
		return mu_err(
			err, MU_EABI,
			"the agent speaks version %d of the channel, "
			"this muster-runner version %d; install both from "
			"the same package",
			(int)m->version, MU_CHAN_VERSION);
	if (mu_settings_load(&r->settings, &m->settings))
		return mu_err(err, MU_ENOMEM, "out of memory");
	return 0;
}

/* The loader tells a lack of memory in its own words; name the setting too. */
static int explain_load(int rc, uint32_t memory_max_mb, struct mu_err *err)
{
	struct mu_err said = *err;

	if (rc != MU_EIO || !memory_max_mb ||
	    (!strstr(said.msg, "failed to map segment") &&
	     !strstr(said.msg, "annot allocate memory")))
		return rc;
	return mu_err(err, rc,
	              "%.380s; memory_max_mb = %u of the instance is too small "
	              "to load it, raise it",
	              said.msg, (unsigned)memory_max_mb);
}

static int enclose(const struct mu_chan_start *m, pid_t parent,
                   struct mu_err *err)
{
	struct mu_limits l = { .memory_max_mb = m->memory_max_mb,
		               .files_max = m->files_max,
		               .processes_max = m->processes_max,
		               .user = mu_text_end(m->user),
		               .group = mu_text_end(m->group),
		               .work_dir = mu_text_end(m->work_dir) };
	int rc = mu_limits_enclose(parent, err);

	return rc ? rc : mu_limits_set(&l, parent, err);
}

/* From START to a plugin that has been initialised. Nothing of the plugin is
 * even loaded before the limits stand, for constructors are plugin code. */
static int boot(struct runner *r, pid_t parent, struct mu_err *err)
{
	struct mu_instance *i = &r->instance;
	struct mu_chan_start m;
	const char *file;
	int rc;

	rc = read_start(r, &m, err);
	if (rc)
		return rc;
	file = mu_text_end(m.plugin_file);
	mu_hostcalls_init(&i->calls, r->channel, &r->settings,
	                  mu_text_end(m.instance), mu_text_end(m.member));
	i->cpu_max_s = m.cpu_max_s;
	rc = enclose(&m, parent, err);
	if (rc)
		return rc;
	mu_limits_allow_cpu(i->cpu_max_s);
	rc = explain_load(mu_instance_load(i, file, err), m.memory_max_mb, err);
	if (rc == 0 && r->rounds)
		return mu_rounds(i, r->rounds, r->measured, err);
	return rc ? rc : mu_instance_start(i, err);
}

static void acknowledge(struct runner *r, uint64_t seq, int rc,
                        const struct mu_err *err)
{
	struct mu_chan_ack ack = { seq, rc, mu_str_of(rc ? err->msg : "") };

	mu_put_chan_ack(mu_channel_begin(r->channel), &ack);
	if (mu_channel_send(r->channel))
		r->channel->gone = true; /* unanswered is as good as ended */
}

/* Each of these: false if the record makes no sense. */

static bool handle_event(struct runner *r, struct mu_in *in)
{
	struct mu_chan_event e;
	struct mu_err err;

	if (mu_get_chan_event(in, &e))
		return false;
	acknowledge(r, e.seq, mu_instance_event(&r->instance, &e, &err), &err);
	return true;
}

static bool handle_tick(struct runner *r, struct mu_in *in)
{
	struct mu_chan_tick m;
	struct mu_err err;

	if (mu_get_chan_tick(in, &m) || !r->instance.plugin.tick)
		return false;
	r->wake_said = false;
	acknowledge(r, m.seq, mu_instance_tick(&r->instance, &err), &err);
	return true;
}

static bool handle_check(struct runner *r, struct mu_in *in)
{
	struct mu_chan_check m;
	struct mu_err err;

	if (mu_get_chan_check(in, &m) || !r->instance.plugin.check)
		return false;
	acknowledge(r, m.seq, mu_instance_check(&r->instance, &err), &err);
	return true;
}

/* One frame from the agent; false if it made no sense. */
static bool handle_record(struct runner *r)
{
	struct mu_in in = mu_in_of(r->record.data, r->record.len);

	switch (mu_chan_type(&in)) {
	case MU_CHAN_EVENT:
		return handle_event(r, &in);
	case MU_CHAN_TICK:
		return handle_tick(r, &in);
	case MU_CHAN_CHECK:
		return handle_check(r, &in);
	case MU_CHAN_RESULT: /* of a call that was given up */
		return true;
	case MU_CHAN_STOP:
		return mu_hostcalls_stop(&r->instance.calls, &in) == 0;
	default:
		return false;
	}
}

static void say_wake(struct runner *r)
{
	if (!mu_hostcalls_take_wake(&r->instance.calls))
		return;
	mu_put_chan_wake(mu_channel_begin(r->channel));
	r->wake_said = mu_channel_send(r->channel) == 0;
	if (!r->wake_said)
		r->channel->gone = true; /* it would never be heard of */
}

/* The next frame of the agent; until then, hear who calls wake. */
static int next_record(struct runner *r)
{
	const struct mu_hostcalls *h = &r->instance.calls;

	while (mu_channel_wait_or(r->channel, r->wake_said ? -1 : h->wake_fd))
		say_wake(r);
	return mu_channel_read(r->channel, MU_CHANNEL_FOREVER, &r->record);
}

static int loop(struct runner *r)
{
	while (!r->instance.calls.stopped) {
		int rc = next_record(r);

		if (rc == MU_EGONE)
			return MU_RUNNER_DONE;
		if (rc)
			return trouble("no memory for an event; raise "
			               "memory_max_mb of the instance");
		if (!handle_record(r))
			return trouble("a frame of the agent does not decode");
	}
	return MU_RUNNER_DONE;
}

int mu_serve(struct mu_channel *c, pid_t parent, unsigned rounds)
{
	static struct runner r;
	struct mu_err err;
	int code, rc;

	r.channel = c;
	r.rounds = rounds;
	rc = mu_channel_read(c, MU_CHANNEL_FOREVER, &r.start);
	if (rc)
		return rc == MU_EGONE ? MU_RUNNER_DONE
		                      : trouble("no memory for START");
	rc = boot(&r, parent, &err);
	if (rc)
		mu_limits_lift_memory();
	say_ready(&r, rc, &err);
	if (rc == 0 && rounds)
		return MU_RUNNER_DONE; /* each has ended with its fini */
	code = rc ? MU_RUNNER_REFUSED : loop(&r);
	/* Without its agent there is nobody left to wait for fini. */
	if (c->gone)
		_exit(code);
	if (code == MU_RUNNER_DONE)
		mu_instance_end(&r.instance);
	return code;
}
