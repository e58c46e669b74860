#include "kit_host.h"

#include "clock.h"
#include "conffile.h"
#include "err.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MEMORY_MAX_MB 256u /* as an instance that is not configured */
#define FILES_MAX 256u
#define SETTINGS_MAX (1024u * 1024) /* bytes, as with an agent */
#define TEXT_ROOM 4096u
#define LAST_GASP_MS \
	2000u /* from the end of the channel to that of a process */

/* ---- how it went ---- */

static int64_t grown_since(const struct kit_host *h, int64_t before)
{
	int64_t now = kit_runner_memory(&h->runner);

	return before < 0 || now < 0 ? 0 : now - before;
}

/* The process is gone, or goes: say how. */
static void note_end(struct kit_host *h, struct kit_step *s)
{
	bool came =
		kit_runner_wait(&h->runner, mu_clock_mono_ms() + LAST_GASP_MS);
	int status = h->runner.status;

	s->outcome = KIT_ENDED;
	if (!came)
		mu_format(s->why, sizeof s->why,
		          "it closed its channel and went on; killed");
	else if (WIFSIGNALED(status))
		mu_format(s->why, sizeof s->why,
		          "its process was ended by signal %d (%s)",
		          WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		mu_format(s->why, sizeof s->why,
		          "its process exited with status %d",
		          WEXITSTATUS(status));
}

static void note_trouble(struct kit_host *h, int rc, struct kit_step *s)
{
	if (rc == MU_EGONE) {
		note_end(h, s);
		return;
	}
	if (rc == MU_ETIMEDOUT) {
		s->outcome = KIT_LATE;
		mu_format(s->why, sizeof s->why,
		          "it took longer than %u ms (--timeout); its process "
		          "group was killed",
		          (unsigned)h->o.timeout_ms);
	} else {
		s->outcome = KIT_TROUBLE;
		mu_format(s->why, sizeof s->why,
		          "its runner said what makes no sense: %s",
		          mu_err_text(rc));
	}
	(void)kit_runner_wait(&h->runner, 0);
}

static void note_answer(int rc, struct mu_str reason, struct kit_step *s)
{
	if (rc == 0)
		return;
	s->outcome = KIT_REFUSED;
	s->rc = rc;
	mu_format(s->why, sizeof s->why, "%.*s",
	          reason.at ? (int)reason.len : 0, reason.at ? reason.at : "");
	if (!s->why[0])
		mu_format(s->why, sizeof s->why, "%s", mu_err_text(rc));
}

/* ---- what it says and asks ---- */

static void tell(const struct kit_host *h, const char *what, struct mu_str more,
                 const char *text)
{
	char line[TEXT_ROOM];

	if (!h->o.note)
		return;
	mu_format(line, sizeof line, "%s%s%.*s", what, more.len ? " " : "",
	          more.at ? (int)more.len : 0, more.at ? more.at : "");
	h->o.note(h->o.arg, line, text);
}

static int take_log(struct kit_host *h, struct mu_in *in)
{
	static const char *const words[] = { "log error", "log warn",
		                             "log info", "log debug" };
	struct mu_chan_log m;
	char text[TEXT_ROOM];

	if (mu_get_chan_log(in, &m))
		return MU_EPROTO;
	mu_format(text, sizeof text, "%.*s", m.text.at ? (int)m.text.len : 0,
	          m.text.at ? m.text.at : "");
	tell(h, words[m.level], (struct mu_str){ 0 }, text);
	return 0;
}

static int take_call(struct kit_host *h, struct mu_in *in)
{
	static const char *const words[] = {
		[MU_CALL_GET] = "get",       [MU_CALL_CHILDREN] = "children",
		[MU_CALL_SET] = "set",       [MU_CALL_CREATE] = "create",
		[MU_CALL_DELETE] = "remove",
	};
	struct mu_chan_call m;
	int rc;

	if (mu_get_chan_call(in, &m))
		return MU_EPROTO;
	rc = kit_tree_answer(h->o.tree, &m, &h->runner.out);
	tell(h, words[m.op], m.path, rc ? mu_err_text(rc) : "done");
	return kit_runner_send(&h->runner);
}

static int take_report(struct kit_host *h, struct mu_in *in)
{
	static const char *const words[] = { "applied", "rejected", "failed" };
	struct mu_chan_report m;
	char text[TEXT_ROOM];

	if (mu_get_chan_report(in, &m))
		return MU_EPROTO;
	mu_format(text, sizeof text, "%s%s%.*s", words[m.state],
	          m.reason.len ? ": " : "", m.reason.at ? (int)m.reason.len : 0,
	          m.reason.at ? m.reason.at : "");
	tell(h, "report", m.path, text);
	return 0;
}

/* Serve it until a record of the type that is waited for comes: 0 and *in behind
 * that; else a code. */
static int serve(struct kit_host *h, int32_t type, struct mu_in *in)
{
	uint64_t until = mu_clock_mono_ms() + h->o.timeout_ms;
	struct mu_str rec;
	int32_t got;
	int rc = 0;

	while (rc == 0) {
		rc = kit_runner_read(&h->runner, until, &rec);
		if (rc)
			return rc;
		*in = mu_in_of(rec.at, rec.len);
		got = mu_chan_type(in);
		if (got == type)
			return 0;
		/* WAKE comes when it comes, which is no figure to compare:
		 * ticks are given where the file has them. */
		rc = got == MU_CHAN_LOG      ? take_log(h, in)
		     : got == MU_CHAN_WAKE   ? mu_get_chan_end(in)
		     : got == MU_CHAN_CALL   ? take_call(h, in)
		     : got == MU_CHAN_REPORT ? take_report(h, in)
		                             : MU_EPROTO;
	}
	return rc;
}

/* ---- settings ---- */

struct flat {
	struct mu_buf bytes;
	int32_t count;
};

static int add_setting(void *arg, const char *key, int type, const char *text,
                       int64_t number)
{
	struct flat *f = arg;
	struct mu_setting s = { mu_str_of(key), (enum mu_setting_type)type,
		                mu_str_of(text ? text : ""), number };

	mu_put_setting(&f->bytes, &s);
	f->count++;
	if (mu_buf_failed(&f->bytes))
		return MU_ENOMEM;
	return f->bytes.len > SETTINGS_MAX ? MU_ETOOBIG : 0;
}

static int read_settings(const char *file, struct flat *out, struct mu_err *err)
{
	struct mu_conf *conf;
	int rc;

	if (!file)
		return 0;
	rc = mu_conf_open(file, &conf, err);
	if (rc)
		return rc;
	rc = mu_conf_walk(mu_conf_root(conf), add_setting, out);
	mu_conf_close(conf);
	return rc ? mu_err(err, rc, "%.300s: %s", file, mu_err_text(rc)) : 0;
}

/* ---- callbacks ---- */

static int say_start(struct kit_host *h, const struct flat *settings)
{
	struct mu_chan_start m = {
		.version = MU_CHAN_VERSION,
		.instance = mu_str_of(h->o.instance),
		.member = MU_STR("localhost"),
		.plugin_file = mu_str_of(h->o.plugin),
		.memory_max_mb = MEMORY_MAX_MB,
		.files_max = FILES_MAX,
		.settings = { settings->count, settings->bytes.data,
		              settings->bytes.len },
	};

	mu_put_chan_start(&h->runner.out, &m);
	return kit_runner_send(&h->runner);
}

static void take_ready(struct kit_host *h, struct mu_in *in, struct kit_step *s)
{
	struct mu_chan_ready m;

	if (mu_get_chan_ready(in, &m)) {
		note_trouble(h, MU_EPROTO, s);
	} else if (m.version != MU_CHAN_VERSION) {
		s->outcome = KIT_TROUBLE;
		mu_format(s->why, sizeof s->why,
		          "muster-runner speaks version %d of the channel, "
		          "muster %d; use both of one version",
		          (int)m.version, MU_CHAN_VERSION);
	} else if (m.rc) {
		note_answer(m.rc, m.reason, s);
	} else {
		mu_format(h->measured, sizeof h->measured, "%.*s",
		          m.reason.at ? (int)m.reason.len : 0,
		          m.reason.at ? m.reason.at : "");
		h->wants = m.wants;
		h->has_tick = m.has_tick;
		h->has_check = m.has_check;
	}
}

int kit_host_init(struct kit_host *h, const struct kit_host_options *o,
                  struct kit_step *step, struct mu_err *err)
{
	char rounds[32];
	const char *argv[4] = { o->runner, o->instance, NULL, NULL };
	struct flat settings = { 0 };
	uint64_t began;
	struct mu_in in;
	int rc;

	*h = (struct kit_host){ .o = *o };
	*step = (struct kit_step){ 0 };
	if (o->rounds) {
		mu_format(rounds, sizeof rounds, "--rounds=%u", o->rounds);
		argv[1] = rounds;
		argv[2] = o->instance;
	}
	rc = read_settings(o->settings, &settings, err);
	if (rc == 0)
		rc = kit_runner_start(&h->runner, argv, err);
	if (rc) {
		mu_buf_fini(&settings.bytes);
		return rc;
	}
	began = mu_clock_mono_us();
	rc = say_start(h, &settings);
	mu_buf_fini(&settings.bytes);
	/* Gone already: what it said before is told all the same. */
	if (rc == 0 || rc == MU_EGONE)
		rc = serve(h, MU_CHAN_READY, &in);
	step->us = (int64_t)(mu_clock_mono_us() - began);
	if (rc)
		note_trouble(h, rc, step);
	else
		take_ready(h, &in, step);
	step->grown = grown_since(h, 0);
	return 0;
}

/* Send what was put, and measure until its ACK. */
static void call(struct kit_host *h, struct kit_step *step)
{
	int64_t before = kit_runner_memory(&h->runner);
	long files = kit_runner_files(&h->runner);
	struct mu_chan_ack ack;
	uint64_t began = mu_clock_mono_us();
	struct mu_in in;
	int rc;

	*step = (struct kit_step){ 0 };
	rc = kit_runner_send(&h->runner);
	if (rc == 0 || rc == MU_EGONE)
		rc = serve(h, MU_CHAN_ACK, &in);
	step->us = (int64_t)(mu_clock_mono_us() - began);
	if (rc == 0 && (mu_get_chan_ack(&in, &ack) || ack.seq != h->seq))
		rc = MU_EPROTO;
	if (rc)
		note_trouble(h, rc, step);
	else
		note_answer(ack.rc, ack.reason, step);
	step->grown = grown_since(h, before);
	if (h->runner.pid)
		step->files = kit_runner_files(&h->runner) - files;
}

void kit_host_event(struct kit_host *h, const struct mu_chan_event *e,
                    struct kit_step *step)
{
	struct mu_chan_event out = *e;

	out.seq = ++h->seq;
	mu_put_chan_event(&h->runner.out, &out);
	call(h, step);
}

void kit_host_turn(struct kit_host *h, int32_t type, struct kit_step *step)
{
	bool is_tick = type == MU_CHAN_TICK;

	if (!(is_tick ? h->has_tick : h->has_check)) {
		*step = (struct kit_step){ 0 };
		note_answer(MU_EUNIMPLEMENTED,
		            mu_str_of(is_tick ? "the plugin has no tick"
		                              : "the plugin has no check"),
		            step);
		return;
	}
	h->seq++;
	if (is_tick)
		mu_put_chan_tick(&h->runner.out,
		                 &(struct mu_chan_tick){ h->seq });
	else
		mu_put_chan_check(&h->runner.out,
		                  &(struct mu_chan_check){ h->seq });
	call(h, step);
}

/* It says what it has to say and closes the channel; -1 is a type of no record. */
void kit_host_stop(struct kit_host *h, struct kit_step *step)
{
	uint64_t began = mu_clock_mono_us();
	struct mu_in in;
	int rc;

	*step = (struct kit_step){ 0 };
	mu_put_chan_stop(&h->runner.out,
	                 &(struct mu_chan_stop){ .removed = false });
	rc = kit_runner_send(&h->runner);
	if (rc == 0 || rc == MU_EGONE)
		rc = serve(h, -1, &in);
	step->us = (int64_t)(mu_clock_mono_us() - began);
	if (rc != MU_EGONE) {
		note_trouble(h, rc, step);
		return;
	}
	note_end(h, step);
	if (WIFEXITED(h->runner.status) && WEXITSTATUS(h->runner.status) == 0) {
		step->outcome = KIT_HANDLED;
		step->why[0] = '\0';
	}
}

void kit_host_fini(struct kit_host *h)
{
	kit_runner_fini(&h->runner);
}
