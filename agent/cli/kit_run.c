/* kit_run.c - muster plugin run: replay recorded events to a plugin, without a
 * broker, and show how each callback went. */
#include "cli.h"
#include "kit.h"
#include "kit_events.h"
#include "kit_host.h"
#include "table.h"

#include "err.h"
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct running {
	struct cli *cli;
	bool figures;
	struct kit_host host;
	struct kit_tree tree;
	struct mu_json *notes; /* of the callback under way, for --json */
	unsigned handled, failed;
	int64_t slowest_us;
	char slowest[128];
	int64_t grown; /* by events: what it did not give back */
};

/* Of --json; for people all but the first are "failed". */
static const char *const outcome_words[] = {
	[KIT_HANDLED] = "handled",  [KIT_REFUSED] = "failed",
	[KIT_LATE] = "late",        [KIT_ENDED] = "ended",
	[KIT_TROUBLE] = "nonsense",
};

/* ---- printing ---- */

static void safely(const char *text)
{
	table_safe(text, strlen(text));
}

static void note(void *arg, const char *what, const char *text)
{
	struct running *r = arg;
	struct mu_json *o;

	if (!r->cli->json) {
		printf("    ");
		safely(what);
		printf(": ");
		safely(text);
		putchar('\n');
		return;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "what", what) ||
	    mu_json_set_data(o, "text", text, (int32_t)strlen(text)))
		mu_json_free(o);
	else
		(void)mu_json_add(r->notes, o);
}

static void begin(struct running *r, const char *title)
{
	if (r->cli->json) {
		r->notes = mu_json_array();
		return;
	}
	safely(title);
	putchar('\n');
}

static int print_json(struct running *r, const char *title,
                      const struct kit_step *s)
{
	struct mu_json *o = mu_json_object();
	int rc = mu_json_set_data(o, "callback", title, (int32_t)strlen(title));

	rc = rc ? rc : mu_json_set_str(o, "outcome", outcome_words[s->outcome]);
	if (!rc && s->outcome == KIT_REFUSED)
		rc = mu_json_set_int(o, "code", s->rc);
	if (!rc && s->why[0])
		rc = mu_json_set_data(o, "reason", s->why,
		                      (int32_t)strlen(s->why));
	if (!rc && r->figures)
		rc = mu_json_set_int(o, "us", s->us) ||
		     mu_json_set_int(o, "grown_bytes", s->grown) ||
		     mu_json_set_int(o, "grown_files", s->files);
	rc = rc ? rc : mu_json_set_copy(o, "notes", r->notes);
	mu_json_free(r->notes);
	r->notes = NULL;
	if (!rc)
		return cli_print_json(r->cli, o);
	mu_json_free(o);
	return cli_fail(r->cli, MU_ENOMEM, NULL);
}

static void print_plain(const struct running *r, const struct kit_step *s)
{
	printf("    %s", s->outcome == KIT_HANDLED ? "handled" : "failed");
	if (s->outcome == KIT_REFUSED)
		printf(", %s", mu_err_name(s->rc));
	if (s->why[0]) {
		printf(": ");
		safely(s->why);
	}
	if (r->figures)
		printf(", %" PRId64 " us, %+" PRId64 " KiB", s->us,
		       s->grown / 1024);
	if (r->figures && s->files)
		printf(", %+ld open files", s->files);
	putchar('\n');
	fflush(stdout);
}

/* Count it and show it. */
static int end(struct running *r, const char *title, const struct kit_step *s)
{
	if (s->outcome == KIT_HANDLED)
		r->handled++;
	else
		r->failed++;
	if (s->us > r->slowest_us) {
		r->slowest_us = s->us;
		mu_format(r->slowest, sizeof r->slowest, "%s", title);
	}
	if (r->cli->json)
		return print_json(r, title, s);
	print_plain(r, s);
	return CLI_OK;
}

static int sum_up(struct running *r)
{
	struct mu_json *o;

	if (!r->cli->json) {
		printf("%u callback%s handled, %u failed", r->handled,
		       r->handled == 1 ? "" : "s", r->failed);
		if (r->figures) {
			printf("; slowest %" PRId64 " us (", r->slowest_us);
			safely(r->slowest);
			printf("); events grew it by %" PRId64 " KiB",
			       r->grown / 1024);
		}
		putchar('\n');
		return r->failed ? CLI_FAILED : CLI_OK;
	}
	o = mu_json_object();
	if (mu_json_set_int(o, "handled", r->handled) ||
	    mu_json_set_int(o, "failed", r->failed) ||
	    (r->figures && (mu_json_set_int(o, "slowest_us", r->slowest_us) ||
	                    mu_json_set_int(o, "grown_bytes", r->grown)))) {
		mu_json_free(o);
		return cli_fail(r->cli, MU_ENOMEM, NULL);
	}
	if (cli_print_json(r->cli, o))
		return CLI_FAILED;
	return r->failed ? CLI_FAILED : CLI_OK;
}

/* ---- replaying ---- */

static void title_of(const struct kit_line *l, const struct mu_chan_event *e,
                     char *out, size_t room)
{
	if (l->type < 0)
		mu_format(out, room, "%s",
		          l->type == KIT_LINE_TICK ? "tick" : "check");
	else
		mu_format(out, room, "%s%s%.*s", mu_event_word(e->type),
		          e->path.len ? " " : "", (int)e->path.len, e->path.at);
}

/* An agent keeps from a plugin what that does not know of. */
static bool is_told(const struct running *r, const struct kit_line *l)
{
	if (l->type == MU_EVENT_GAP)
		return r->host.wants & MU_WANT_GAP;
	return l->type != KIT_LINE_NODE;
}

static bool is_gone(const struct kit_step *s)
{
	return s->outcome != KIT_HANDLED && s->outcome != KIT_REFUSED;
}

/* One line. False: the process is gone, or we are out of memory. */
static bool play(struct running *r, const struct kit_line *l, int *rc)
{
	struct kit_event event;
	struct kit_step step = { 0 };
	char title[512];

	*rc = kit_line_play(l, &r->tree, &event);
	if (*rc)
		*rc = cli_fail(r->cli, *rc, NULL);
	if (*rc == CLI_OK && is_told(r, l)) {
		title_of(l, &event.e, title, sizeof title);
		begin(r, title);
		if (l->type >= 0)
			kit_host_event(&r->host, &event.e, &step);
		else
			kit_host_turn(&r->host,
			              l->type == KIT_LINE_TICK ? MU_CHAN_TICK
			                                       : MU_CHAN_CHECK,
			              &step);
		if (!is_gone(&step))
			r->grown += step.grown;
		*rc = end(r, title, &step);
	}
	kit_event_wipe(&event);
	return *rc == CLI_OK && !is_gone(&step);
}

/* The nodes ahead of the first event are there when init is called. */
static int replay(struct running *r, const struct kit_events *events,
                  const struct kit_host_options *o)
{
	struct kit_step step;
	struct mu_err err = { 0, "" };
	size_t i = 0;
	bool lives = true;
	int rc = CLI_OK;

	while (lives && i < events->count &&
	       events->line[i].type == KIT_LINE_NODE)
		lives = play(r, &events->line[i++], &rc);
	if (rc)
		return rc;
	begin(r, "init");
	rc = kit_host_init(&r->host, o, &step, &err);
	if (rc) {
		mu_json_free(r->notes);
		return cli_fail(r->cli, rc, err.msg);
	}
	rc = end(r, "init", &step);
	lives = rc == CLI_OK && step.outcome == KIT_HANDLED;
	for (; lives && i < events->count; i++)
		lives = play(r, &events->line[i], &rc);
	if (lives) {
		begin(r, "fini");
		kit_host_stop(&r->host, &step);
		rc = end(r, "fini", &step);
	} else if (rc == CLI_OK && i < events->count) {
		fprintf(stderr,
		        "muster plugin: stopped there; the file goes on at "
		        "line %u\n",
		        events->line[i].number);
	}
	kit_host_fini(&r->host);
	return rc ? rc : sum_up(r);
}

static int read_events(struct cli *cli, struct kit_events *out)
{
	const char *file = cli_given(cli, "events");
	struct mu_err err = { 0, "" };
	FILE *in;
	int rc;

	if (!file)
		return cli_usage(cli, "which events? --events FILE");
	in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (!in) {
		mu_err(&err, MU_EIO, "cannot open %.300s: %s", file,
		       strerror(errno));
		return cli_fail(cli, MU_EIO, err.msg);
	}
	rc = kit_events_read(in, file, out, &err);
	if (in != stdin)
		fclose(in);
	return rc ? cli_fail(cli, rc, err.msg) : CLI_OK;
}

int kit_run(struct cli *cli)
{
	static char runner[KIT_PLACE_MAX];
	static struct kit_plugin plugin;
	struct running *r = calloc(1, sizeof *r);
	struct kit_host_options o = { .runner = runner,
		                      .instance = plugin.name,
		                      .plugin = plugin.file,
		                      .settings = cli_given(cli, "settings"),
		                      .timeout_ms = cli->timeout_ms,
		                      .note = note,
		                      .arg = r };
	struct kit_events events = { 0 };
	int rc = r ? kit_plugin_of(cli, &plugin)
	           : cli_fail(cli, MU_ENOMEM, NULL);

	if (rc == CLI_OK)
		rc = kit_runner_place(cli, runner);
	if (rc == CLI_OK)
		rc = read_events(cli, &events);
	if (rc == CLI_OK) {
		r->cli = cli;
		r->figures = !cli_given(cli, "no-figures");
		o.tree = &r->tree;
		rc = replay(r, &events, &o);
		kit_tree_fini(&r->tree);
	}
	kit_events_free(&events);
	free(r);
	return rc;
}
