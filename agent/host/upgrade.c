#include "upgrade.h"

#include "elffile.h"
#include "err.h"
#include "hosted_impl.h"
#include "log.h"
#include "mem.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define LAST_GASP_MS 1000u /* from its last word to its end */
#define REPORTS_MAX \
	(256u * 1024) /* bytes kept of a process that is not there yet */

/* What a file that was exchanged differs in. */
struct mark {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns;
};

enum step {
	STEP_NONE,
	STEP_INIT,  /* limit: it takes too long */
	STEP_READY, /* the old one is to end */
	STEP_FAILED /* limit: kill it */
};

struct mu_upgrade {
	struct mu_hosted *h;
	enum step step;
	struct mu_hosted_run *next;
	struct mark loaded; /* the file of the last process that was started */
	struct mark seen;   /* as it was when somebody looked last */
	struct mu_timer *quiet, *limit, *claim;
	uint64_t limit_ms; /* the time of init is over */
	uint64_t ready_ms;
	bool inherits;            /* nodes of a process before are there */
	bool told;                /* since then: how things stand */
	char why[MU_ERR_MSG_MAX]; /* it will not take the place */
	char bad[MU_ERR_MSG_MAX]; /* the file as it is now cannot be loaded */
	/* What the one to come has said: */
	struct mu_chan_ready said;
	bool woken;
	bool gone; /* it has ended; its last words are being read */
	struct mu_buf reports;
};

static uint64_t now_ms(const struct mu_upgrade *u)
{
	return mu_loop_now_ms(u->h->o.loop);
}

static const char *name_of(const struct mu_upgrade *u)
{
	return u->h->conf->name;
}

/* ---- the file ---- */

static struct mark mark_of(const struct mu_upgrade *u,
                           char file[MU_PLUGIN_FILE_MAX])
{
	struct mark m;
	struct stat st;

	memset(&m, 0, sizeof m); /* to be compared as bytes */
	mu_instance_conf_file(u->h->conf, u->h->o.agent, file);
	if (stat(file, &st))
		return m;
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.size = (uint64_t)st.st_size;
	m.mtime_s = st.st_mtim.tv_sec;
	m.mtime_ns = st.st_mtim.tv_nsec;
	return m;
}

static bool is_same(const struct mark *a, const struct mark *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* What was said of a file that is another by now. */
static void forget_bad(struct mu_upgrade *u)
{
	if (!u->bad[0])
		return;
	u->bad[0] = '\0';
	if (u->h->state == HOSTED_READY)
		mu_hosted_tell_health(u->h);
}

void mu_upgrade_look(struct mu_upgrade *u)
{
	char file[MU_PLUGIN_FILE_MAX];
	struct mark now = mark_of(u, file);

	if (u->h->stop || is_same(&now, &u->seen))
		return;
	u->seen = now;
	forget_bad(u);
	/* Not there for now, as packages do it; or it is the old one again. */
	if (now.ino == 0 || is_same(&now, &u->loaded))
		mu_timer_disarm(u->quiet);
	else
		mu_timer_arm(u->quiet, MU_UPGRADE_QUIET_MS, 0);
}

/* Whatever is started next finds out for itself. */
static bool has_process(const struct mu_upgrade *u)
{
	return u->h->state == HOSTED_STARTING || u->h->state == HOSTED_READY;
}

static void on_bad(struct mu_upgrade *u, const char *reason)
{
	mu_log(MU_WARN,
	       MSG(has_process(u)
	                   ? "upgrade refused: the plugin's file has changed, "
	                     "and is not one that can be loaded; the instance "
	                     "is as before until it changes again"
	                   : "the plugin's file has changed, and is not one "
	                     "that can be loaded"),
	       KS("instance", name_of(u)), KS("reason", reason));
	if (!has_process(u))
		return;
	mu_format(u->bad, sizeof u->bad, "%s", reason);
	if (u->h->state == HOSTED_READY)
		mu_hosted_tell_health(u->h);
}

static void on_quiet(void *arg)
{
	struct mu_upgrade *u = arg;
	char file[MU_PLUGIN_FILE_MAX];
	struct mark now = mark_of(u, file);
	struct mu_err err;

	if (!is_same(&now, &u->seen)) {
		mu_upgrade_look(u);
	} else if (mu_elffile_check(file, &err)) {
		on_bad(u, err.msg);
	} else {
		mu_upgrade_begin(u, "its plugin's file has changed");
	}
}

/* ---- refused ---- */

/* The process is gone, or was never there. */
static void refused(struct mu_upgrade *u)
{
	mu_log(MU_ERROR,
	       MSG(u->h->state == HOSTED_ENDING
	                   ? "upgrade refused; the process that the instance "
	                     "has is on its way out, and another is started "
	                     "then"
	                   : "upgrade refused; the instance goes on with the "
	                     "process that it has"),
	       KS("instance", name_of(u)), KS("reason", u->why));
	if (u->h->state == HOSTED_READY)
		mu_hosted_tell_health(u->h);
}

const char *mu_upgrade_refusal(const struct mu_upgrade *u)
{
	if (u->bad[0])
		return u->bad;
	return u->next ? "" : u->why;
}

void mu_upgrade_drop(struct mu_upgrade *u)
{
	u->step = STEP_NONE;
	mu_timer_disarm(u->limit);
	mu_buf_fini(&u->reports);
	u->woken = u->gone = false;
	if (!u->next)
		return;
	mu_hosted_unspawn(u->next);
	u->next = NULL;
	mu_ephemerals_end_next(u->h->o.ephemerals, name_of(u));
}

/* It has that long to go by itself. */
static void failed(struct mu_upgrade *u, uint64_t ms)
{
	u->step = STEP_FAILED;
	mu_timer_arm(u->limit, ms, 0);
}

static void on_limit(void *arg)
{
	struct mu_upgrade *u = arg;

	if (u->step == STEP_INIT)
		mu_format(u->why, sizeof u->why,
		          "init took longer than deadline_ms, %lld ms; its "
		          "process group was killed",
		          (long long)u->h->conf->deadline_ms);
	u->step = STEP_FAILED;
	mu_proc_kill(u->next->proc, SIGKILL);
}

void mu_upgrade_pipe_end(struct mu_upgrade *u, int rc)
{
	if (rc && !u->why[0])
		mu_hosted_wrong(u->why, sizeof u->why, rc);
	failed(u, rc ? 0 : LAST_GASP_MS);
}

void mu_upgrade_exit(struct mu_upgrade *u, int status, int signum)
{
	const char *last;
	char how[100];
	size_t len;

	u->gone = true;
	mu_pipe_drain(u->next->pipe);
	mu_printed_end(u->next->printed);
	last = mu_printed_last(u->next->printed);
	mu_hosted_how(how, sizeof how, status, signum);
	if (!u->why[0])
		mu_format(u->why, sizeof u->why, "%s %s", how,
		          u->said.version ? "before it was given anything"
		                          : "in init");
	len = strlen(u->why);
	if (last[0])
		mu_format(u->why + len, sizeof u->why - len,
		          "; it printed last: %s", last);
	mu_hosted_tell_refused(u->next);
	mu_upgrade_drop(u);
	refused(u);
}

/* ---- begun ---- */

static void start(struct mu_upgrade *u)
{
	struct mu_hosted *h = u->h;
	char file[MU_PLUGIN_FILE_MAX];
	struct mu_err err;
	int rc;

	u->seen = u->loaded = mark_of(u, file);
	u->why[0] = u->bad[0] = '\0';
	u->said = (struct mu_chan_ready){ 0 };
	rc = mu_hosted_spawn(h, &u->next, &err);
	if (rc) {
		mu_format(u->why, sizeof u->why, "%s", err.msg);
		refused(u);
		return;
	}
	u->step = STEP_INIT;
	u->limit_ms = now_ms(u) + (uint64_t)h->conf->deadline_ms;
	mu_timer_arm(u->limit, (uint64_t)h->conf->deadline_ms, 0);
	rc = mu_hosted_say_start(u->next);
	if (rc)
		mu_upgrade_pipe_end(u, rc);
}

void mu_upgrade_begin(struct mu_upgrade *u, const char *why)
{
	struct mu_hosted *h = u->h;

	mu_timer_disarm(u->quiet);
	switch (h->state) {
	case HOSTED_WAITING:
	case HOSTED_QUARANTINED:
		mu_hosted_start_now(h, why);
		break;
	case HOSTED_STARTING:
	case HOSTED_READY:
		mu_log(MU_INFO,
		       MSG(u->next ? "the upgrade of the instance begins anew"
		                   : "upgrading the instance: a new process "
		                     "is started beside the one it has"),
		       KS("instance", name_of(u)), KS("because", why));
		mu_upgrade_drop(u);
		start(u);
		break;
	default:
		/* On its way out: whatever follows it loads the file anew, or,
		 * if that is loaded already, is looked at again then. */
		memset(&u->seen, 0, sizeof u->seen);
		break;
	}
}

void mu_upgrade_loads(struct mu_upgrade *u)
{
	char file[MU_PLUGIN_FILE_MAX];

	mu_upgrade_drop(u);
	mu_timer_disarm(u->quiet);
	u->why[0] = u->bad[0] = '\0';
	u->seen = u->loaded = mark_of(u, file);
}

/* ---- what it says ---- */

/* If the old one is idle, it is its turn to go. */
static void old_may_go(struct mu_upgrade *u)
{
	if (u->h->state == HOSTED_STARTING)
		mu_hosted_ask_to_stop(u->h); /* the new one was faster */
	else
		mu_hosted_next(u->h);
}

int mu_upgrade_ready(struct mu_upgrade *u, struct mu_in *in)
{
	struct mu_chan_ready m;

	if (mu_get_chan_ready(in, &m))
		return MU_EPROTO;
	if (u->step != STEP_INIT)
		return u->step == STEP_FAILED ? 0 : MU_EPROTO;
	if (mu_hosted_judge(&m, u->why, sizeof u->why)) {
		failed(u, LAST_GASP_MS);
		return 0;
	}
	if (u->gone)
		return 0; /* ready, and dead */
	u->said = m;
	u->said.plugin = u->said.reason = (struct mu_str){ 0 };
	u->step = STEP_READY;
	u->ready_ms = now_ms(u);
	mu_timer_disarm(u->limit);
	old_may_go(u);
	return 0;
}

/* It speaks of how things stand once it is there. */
int mu_upgrade_report(struct mu_upgrade *u, struct mu_in *in)
{
	struct mu_str all = { (const char *)in->at, (uint32_t)mu_in_left(in) };
	size_t before = u->reports.len;
	struct mu_chan_report m;

	if (mu_get_chan_report(in, &m))
		return MU_EPROTO;
	if (before + all.len > REPORTS_MAX)
		return MU_EPROTO;
	mu_put_str(&u->reports, all);
	if (!mu_buf_failed(&u->reports))
		return 0;
	mu_buf_cut(&u->reports, before);
	u->reports.failed = false;
	mu_log(MU_ERROR, MSG("a report was not taken"),
	       KS("instance", name_of(u)),
	       KS("reason", mu_err_text(MU_ENOMEM)));
	return 0;
}

int mu_upgrade_wake(struct mu_upgrade *u, const struct mu_in *in)
{
	if (mu_get_chan_end(in))
		return MU_EPROTO;
	u->woken = true;
	return 0;
}

void mu_upgrade_call_again(struct mu_upgrade *u)
{
	if (u->next)
		mu_hosted_run_call_again(u->next);
}

/* ---- in its place ---- */

bool mu_upgrade_is_on(const struct mu_upgrade *u)
{
	return u->step == STEP_INIT || u->step == STEP_READY;
}

bool mu_upgrade_is_due(const struct mu_upgrade *u)
{
	return u->step == STEP_READY;
}

static void replay_reports(struct mu_upgrade *u)
{
	struct mu_in in = mu_in_of(u->reports.data, u->reports.len);

	while (mu_in_left(&in) > 0) {
		struct mu_str one = mu_get_str(&in);
		struct mu_in record = mu_in_of(one.at, one.len);

		(void)mu_hosted_report(u->h, &record);
	}
	mu_buf_fini(&u->reports);
}

static void take_ready(struct mu_upgrade *u)
{
	struct mu_hosted *h = u->h;

	mu_log(MU_INFO, MSG("instance upgraded"), KS("instance", name_of(u)),
	       KI("pid", mu_proc_pid(h->run->proc)),
	       KI("exchange_ms", now_ms(u) - u->ready_ms));
	mu_hosted_turns_begin(h, &u->said);
	if (u->woken)
		(void)mu_hosted_wake(h);
	u->woken = false;
	replay_reports(u);
	mu_hosted_on_ready(h, &u->said);
}

bool mu_upgrade_take(struct mu_upgrade *u, const char *why)
{
	struct mu_hosted *h = u->h;
	uint64_t now = now_ms(u);
	bool ready = u->step == STEP_READY;

	if (!mu_upgrade_is_on(u))
		return false;
	if (why[0])
		mu_log(MU_WARN,
		       MSG("the process before did not end well; the new one "
		           "takes its place"),
		       KS("instance", name_of(u)), KS("reason", why));
	h->run = u->next;
	u->next = NULL;
	u->step = STEP_NONE;
	u->inherits = true;
	u->told = false;
	mu_timer_disarm(u->limit);
	mu_timer_arm(u->claim, MU_UPGRADE_CLAIM_LAST_MS, 0);
	h->failures = 0;
	mu_hosted_starts(h, u->limit_ms > now ? u->limit_ms - now : 0);
	if (ready) {
		take_ready(u);
	} else {
		mu_hosted_tell(h, "starting", "");
		replay_reports(u); /* of its init, so far */
	}
	/* It may have changed again meanwhile. */
	mu_upgrade_look(u);
	return true;
}

/* ---- nodes that the old one has made ---- */

void mu_upgrade_told(struct mu_upgrade *u)
{
	if (u->inherits && !u->told)
		mu_timer_arm(u->claim, MU_UPGRADE_CLAIM_MS, 0);
	u->told = true;
}

static void on_claim(void *arg)
{
	struct mu_upgrade *u = arg;

	u->inherits = false;
	mu_ephemerals_settle(u->h->o.ephemerals, name_of(u));
}

/* ---- life ---- */

int mu_upgrade_new(struct mu_hosted *h, struct mu_upgrade **out)
{
	struct mu_upgrade *u = mu_alloc(sizeof *u);
	int rc;

	if (!u)
		return MU_ENOMEM;
	u->h = h;
	u->inherits = mu_ephemerals_has_left(h->o.ephemerals, h->conf->name);
	rc = mu_timer_new(h->o.loop, on_quiet, u, &u->quiet);
	if (!rc)
		rc = mu_timer_new(h->o.loop, on_limit, u, &u->limit);
	if (!rc)
		rc = mu_timer_new(h->o.loop, on_claim, u, &u->claim);
	if (rc) {
		mu_upgrade_free(u);
		return rc;
	}
	if (u->inherits) /* from an agent before this one */
		mu_timer_arm(u->claim, MU_UPGRADE_CLAIM_LAST_MS, 0);
	*out = u;
	return 0;
}

void mu_upgrade_free(struct mu_upgrade *u)
{
	if (!u)
		return;
	if (u->next)
		mu_upgrade_drop(u);
	mu_timer_free(u->quiet);
	mu_timer_free(u->limit);
	mu_timer_free(u->claim);
	mu_buf_fini(&u->reports);
	mu_free(u);
}
