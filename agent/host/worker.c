#include "worker.h"

#include "agent_options.h"
#include "clock.h"
#include "err.h"
#include "files.h"
#include "identity.h"
#include "lifeline.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "member.h"
#include "plugins.h"
#include "roster.h"
#include "uplink.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BEATS 8u            /* within silence_max_ms */
#define LAST_WORDS_MS 1000u /* for each request of the farewell */

struct worker {
	const char *file; /* NULL: the defaults */
	const struct mu_agent_conf *conf;
	struct mu_instance_confs instances; /* until they are started */
	struct mu_loop *loop;
	struct mu_uplink *uplink;
	struct mu_plugins *plugins;
	struct mu_roster *roster;
	struct mu_signal *signal[4];
	char id[MU_ID_LEN + 1];
	char boot_id[64];
	struct mu_lifeline *line;
	bool ending, leave;
};

/* ---- the end ---- */

static void on_all_stopped(void *arg)
{
	struct worker *w = arg;

	mu_loop_stop(w->loop);
}

static void end(struct worker *w)
{
	if (w->ending)
		return;
	w->ending = true;
	mu_log(MU_INFO, MSG(w->leave ? "leaving" : "ending"));
	mu_plugins_stop(w->plugins, w->leave);
}

static void on_end(void *arg)
{
	end(arg);
}

static void on_leave(void *arg)
{
	struct worker *w = arg;

	w->leave = true;
	end(w);
}

/* Outside of the loop: all instances have ended. */
static void farewell(struct worker *w)
{
	struct mu_err err, why;
	int rc = w->leave ? mu_roster_leave(w->roster, LAST_WORDS_MS, &err)
	                  : mu_roster_say_leaving(w->roster, LAST_WORDS_MS,
	                                          &err);

	/* Those who never saw it miss nothing. */
	if (rc && rc != MU_ENONODE && mu_roster_was_registered(w->roster))
		mu_log(MU_WARN,
		       MSG("the others could not be told that this host goes "
		           "on purpose"),
		       KS("reason", err.msg));
	if (w->leave &&
	    mu_leave_say(w->conf->runtime_dir, rc ? err.msg : NULL, &why))
		mu_log(MU_WARN, MSG("cannot tell --leave how it went"),
		       KS("reason", why.msg));
}

/* ---- the start ---- */

bool mu_worker_lacks_conf_dir(const struct mu_agent_conf *conf, char *text,
                              size_t room)
{
	if (access(conf->conf_dir, F_OK) == 0)
		return false;
	snprintf(text, room, "conf_dir %.400s is not there: no plugins",
	         conf->conf_dir);
	return true;
}

static void warn_without_conf_dir(const struct worker *w)
{
	char text[MU_ERR_MSG_MAX];

	if (!mu_worker_lacks_conf_dir(w->conf, text, sizeof text))
		return;
	mu_log(MU_WARN, MSG(text));
}

static void say_kept(void *arg, const struct mu_conf_row *row)
{
	(void)arg;
	if (!row->reloadable)
		mu_log(MU_WARN,
		       MSG("a changed key takes effect at the next start"),
		       KS("key", row->key));
}

/* Both files are read before anything changes. */
static int read_again(struct worker *w, struct mu_instance_confs *confs,
                      struct mu_err *err)
{
	struct mu_agent_conf fresh;
	int rc = mu_agent_conf_load(w->file, &fresh, err);

	if (rc)
		return rc;
	rc = mu_instance_confs_load(w->conf->conf_dir, confs, err);
	if (!rc) {
		mu_log_level((enum mu_level)fresh.level);
		mu_agent_conf_diff(w->conf, &fresh, say_kept, NULL);
	}
	mu_agent_conf_wipe(&fresh);
	return rc;
}

static void on_reload(void *arg)
{
	struct worker *w = arg;
	struct mu_instance_confs confs;
	struct mu_err err;

	if (w->ending)
		return;
	if (read_again(w, &confs, &err)) {
		mu_log(MU_ERROR,
		       MSG("the new configuration is not used; all goes on as "
		           "before"),
		       KS("reason", err.msg));
		return;
	}
	warn_without_conf_dir(w);
	mu_log(MU_INFO, MSG("configuration read again"),
	       KI("instances", confs.count));
	mu_plugins_apply(w->plugins, &confs);
}

static int catch_signals(struct worker *w)
{
	static const struct {
		int signum;
		mu_loop_fn *fn;
	} rows[] = {
		{ SIGTERM, on_end },
		{ SIGINT, on_end },
		{ SIGUSR2, on_leave },
		{ SIGHUP, on_reload },
	};
	sigset_t none;
	int rc = 0;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !rc; i++)
		rc = mu_signal_new(w->loop, rows[i].signum, rows[i].fn, w,
		                   &w->signal[i]);
	/* What came before is taken now. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return rc;
}

static void read_boot_id(struct worker *w)
{
	char *text;
	size_t len;

	if (mu_file_read("/proc/sys/kernel/random/boot_id",
	                 sizeof w->boot_id - 1, &text, &len, NULL))
		return;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	memcpy(w->boot_id, text, len);
	w->boot_id[len] = '\0';
	mu_free(text);
}

static int open_session(struct worker *w, struct mu_err *err)
{
	struct mu_uplink_options u = { w->loop, w->conf->broker_urls,
		                       w->conf->runtime_dir,
		                       (uint32_t)w->conf->session_timeout_ms,
		                       w->conf->name };

	return mu_uplink_new(&u, &w->uplink, err);
}

static int open_parts(struct worker *w)
{
	struct mu_plugins_options p = { .loop = w->loop,
		                        .uplink = w->uplink,
		                        .agent = w->conf,
		                        .on_stopped = on_all_stopped,
		                        .arg = w };
	struct mu_member self = { .size = sizeof self };
	int rc;

	self.name = w->conf->name;
	self.id = w->id;
	self.address = w->conf->address;
	self.port = (uint32_t)w->conf->port;
	self.version = MU_VERSION;
	self.boot_id = w->boot_id;
	self.started_ms = mu_clock_wall_ms();
	self.state = MU_MEMBER_UP;
	self.labels = w->conf->labels;
	rc = mu_roster_new(w->loop, w->uplink, &self, &w->roster);
	p.roster = w->roster;
	return rc ? rc : mu_plugins_new(&p, &w->plugins);
}

static int open_all(struct worker *w, const struct mu_worker_options *o,
                    struct mu_err *err)
{
	int rc = mu_loop_new(&w->loop, err);

	if (!rc && catch_signals(w))
		rc = mu_err(err, MU_EIO, "signals cannot be caught");
	if (!rc)
		rc = mu_lifeline_new(w->loop, o->line,
		                     (uint32_t)w->conf->silence_max_ms / BEATS,
		                     &w->line);
	if (!rc)
		rc = mu_identity_load(w->conf->state_dir, w->id, err);
	if (!rc)
		rc = open_session(w, err);
	if (rc)
		return rc;
	read_boot_id(w);
	rc = open_parts(w);
	return rc ? mu_err(err, rc, "the agent cannot start: %s",
	                   mu_err_text(rc))
	          : 0;
}

static void close_all(struct worker *w)
{
	for (size_t i = 0; i < sizeof w->signal / sizeof w->signal[0]; i++)
		if (w->signal[i])
			mu_signal_free(w->signal[i]);
	mu_plugins_free(w->plugins);
	mu_roster_free(w->roster);
	mu_uplink_free(w->uplink);
	mu_lifeline_free(w->line);
	mu_loop_free(w->loop);
	mu_instance_confs_wipe(&w->instances);
}

/* The supervisor has kept the configuration that ran; of what stands in the file
 * now as much takes effect as at a SIGHUP. */
static void take_level(const struct worker *w)
{
	struct mu_agent_conf fresh;
	struct mu_err err;

	if (mu_agent_conf_load(w->file, &fresh, &err)) {
		mu_log(MU_ERROR,
		       MSG("the configuration has become wrong; going on with "
		           "the one that was in force"),
		       KS("reason", err.msg));
		return;
	}
	mu_log_level((enum mu_level)fresh.level);
	mu_agent_conf_diff(w->conf, &fresh, say_kept, NULL);
	mu_agent_conf_wipe(&fresh);
}

static void work(struct worker *w)
{
	mu_log(MU_INFO, MSG("agent started"), KS("version", MU_VERSION),
	       KS("name", w->conf->name), KS("id", w->id),
	       KS("brokers", w->conf->broker_urls),
	       KI("instances", w->instances.count));
	warn_without_conf_dir(w);
	mu_plugins_apply(w->plugins, &w->instances);
	/* Ready as a service: it does its work with the broker away, too. */
	mu_lifeline_say(w->line, MU_LIFELINE_READY);
	mu_loop_run(w->loop);
	mu_lifeline_say(w->line, MU_LIFELINE_FAREWELL);
	farewell(w);
}

int mu_worker_run(const struct mu_worker_options *o)
{
	struct worker w = { .file = o->file, .conf = o->conf };
	struct mu_err err;
	int rc = mu_instance_confs_load(o->conf->conf_dir, &w.instances, &err);

	if (rc) {
		fprintf(stderr, "muster-agent: %s\n", err.msg);
		return rc == MU_ENOMEM ? MU_AGENT_FAILED : MU_AGENT_CONFIG;
	}
	mu_log_open("muster-agent", (enum mu_level)o->conf->level);
	if (o->again)
		take_level(&w);
	if (open_all(&w, o, &err)) {
		mu_log(MU_ERROR, MSG("cannot start"), KS("reason", err.msg));
		close_all(&w);
		return MU_AGENT_FAILED;
	}
	work(&w);
	close_all(&w);
	mu_log(MU_INFO, MSG("agent ended"));
	return MU_AGENT_GOOD;
}
