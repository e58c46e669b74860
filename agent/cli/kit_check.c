/* kit_check.c - muster plugin check: judge a plugin. First by its file alone; then
 * a runner loads it and begins and ends it many times. Nothing of it runs in this
 * process. */
#include "cli.h"
#include "kit.h"
#include "kit_elf.h"
#include "kit_host.h"
#include "table.h"

#include "abi.h"
#include "err.h"
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_DEFAULT 50
#define ROUNDS_MAX 10000 /* as rounds.h of the runner has it */
/* A round that leaves less than this leaks no block of malloc. */
#define LEAK_BYTES 16
#define WORDS 600u

struct checking {
	struct cli *cli;
	struct kit_plugin plugin;
	struct kit_tree tree;
	struct mu_json *findings; /* for --json */
	unsigned errors, warnings;
	unsigned rounds;
	char first_warning[4096]; /* that init logged; "": none yet */
	bool warned_all;
};

/* ---- findings ---- */

static void find(struct checking *c, const char *level, const char *what,
                 const char *todo)
{
	struct mu_json *o;

	if (strcmp(level, "error") == 0)
		c->errors++;
	else if (strcmp(level, "warning") == 0)
		c->warnings++;
	if (!c->cli->json) {
		printf("%s: ", level);
		table_safe(what, strlen(what));
		putchar('\n');
		if (todo)
			printf("    to do: %s\n", todo);
		fflush(stdout);
		return;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "level", level) ||
	    mu_json_set_data(o, "finding", what, (int32_t)strlen(what)) ||
	    (todo && mu_json_set_str(o, "to_do", todo)))
		mu_json_free(o);
	else
		(void)mu_json_add(c->findings, o);
}

static void MU_PRINTF(4, 5) find_so(struct checking *c, const char *level,
                                    const char *todo, const char *fmt, ...)
{
	char text[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	find(c, level, text, todo);
}

/* What it does in init is of no interest here, but for its warnings: the runner
 * tells there of settings that nobody reads. Each round says the same again. */
static void note(void *arg, const char *what, const char *text)
{
	struct checking *c = arg;

	if (c->warned_all || strcmp(what, "log warn") != 0)
		return;
	if (strcmp(c->first_warning, text) == 0) {
		c->warned_all = true;
		return;
	}
	if (!c->first_warning[0])
		mu_format(c->first_warning, sizeof c->first_warning, "%s",
		          text);
	find_so(c, "warning", "see whether that is meant", "in init: %.400s",
	        text);
}

/* ---- the file ---- */

static const char todo_export[] =
	"define it: const struct mu_plugin mu_plugin = { ... }; see "
	"muster/plugin.h; in C++ as extern \"C\"";

static const char *const revision_words[MU_PLUGIN_REVISION + 2] = {
	[1] = "revision 1: without tick and check",
	[2] = "revision 2",
	[3] = "newer than this muster, which uses what it knows of it",
};

static void check_abi(struct checking *c, const struct kit_elf *e)
{
	const char *file = c->plugin.file;

	if (!e->has_symbol)
		find_so(c, "error", todo_export,
		        "%.300s has no symbol mu_plugin", file);
	else if (!e->is_object)
		find_so(c, "error", todo_export,
		        "%.300s: its mu_plugin is a function or the like, not "
		        "a constant",
		        file);
	else if (!e->has_head)
		find_so(c, "error", todo_export,
		        "%.300s: its mu_plugin has %" PRIu64
		        " bytes, too few for a struct mu_plugin",
		        file, e->symbol_size);
	else if (e->abi != MU_PLUGIN_ABI)
		find_so(c, "error",
		        "compile it again with this version's "
		        "muster/plugin.h, and .abi = MU_PLUGIN_ABI",
		        "%.300s is built for plugin ABI %u, this muster has "
		        "%u",
		        file, (unsigned)e->abi, MU_PLUGIN_ABI);
	else if (e->size > e->symbol_size)
		find_so(c, "error", "set .size = sizeof(struct mu_plugin)",
		        "%.300s says that its mu_plugin has %u bytes, and "
		        "%" PRIu64 " are there",
		        file, (unsigned)e->size, e->symbol_size);
	else if (mu_abi_revision(e->size) == 0)
		find_so(c, "error", "set .size = sizeof(struct mu_plugin)",
		        "%.300s says that its mu_plugin has %u bytes, as in no "
		        "published muster/plugin.h",
		        file, (unsigned)e->size);
	else
		find_so(c, "ok", NULL, "mu_plugin: ABI %u, %u bytes (%s)",
		        (unsigned)e->abi, (unsigned)e->size,
		        revision_words[mu_abi_revision(e->size)]);
}

/* False: there is no use in loading it. */
static bool check_file(struct checking *c)
{
	struct kit_elf e;
	struct mu_err err = { 0, "" };
	int rc = kit_elf_look(c->plugin.file, &e, &err);

	if (rc) {
		find(c, "error", err.msg,
		     rc == MU_ENONODE
		             ? "name a file that is there and that you may read"
		             : "build it anew: cc -shared -fPIC $(pkg-config "
		               "--cflags "
		               "muster) -o NAME.so NAME.c");
		return false;
	}
	check_abi(c, &e);
	if (e.extra)
		find_so(c, "warning",
		        "make them static, or compile with "
		        "-fvisibility=hidden: mu_plugin alone is looked for, "
		        "and other names may clash with those of libraries",
		        "it exports %u more name%s: %s%s", e.extra,
		        e.extra == 1 ? "" : "s", e.extras,
		        e.extra > 8 ? ", ..." : "");
	return c->errors == 0;
}

/* ---- in a runner ---- */

/* What to do about the way it said no. */
static const char *todo_of(const struct kit_step *s)
{
	if (s->outcome == KIT_LATE)
		return "let init and fini end sooner; or give a longer "
		       "--timeout, which is for all rounds, or fewer --rounds";
	if (s->outcome == KIT_TROUBLE)
		return "keep off descriptors that the plugin did not open";
	if (s->outcome == KIT_ENDED)
		return "look at its constructors, init and fini: a debugger "
		       "on muster-runner, or print to standard error";
	if (strstr(s->why, "undefined symbol"))
		return "link with the library that has it (-l...), or define "
		       "it";
	if (strstr(s->why, "cannot open shared object"))
		return "install the library that it needs, or link without it";
	if (s->rc == MU_ECONFIG)
		return "give the settings that it wants, with --settings FILE";
	if (s->rc == MU_EINVAL)
		return "fill in .name (as its file), .init, .event and .fini "
		       "of mu_plugin";
	return "mend what the sentence names; settings come with --settings "
	       "FILE";
}

static void find_leak(struct checking *c, int64_t left, const char *what,
                      const char *todo)
{
	if (left > 0)
		find_so(c, "error", todo,
		        "init and fini, %u times, left %" PRId64 " %s behind",
		        c->rounds, left, what);
}

static void check_leaks(struct checking *c, const char *measured)
{
	int64_t bytes = 0, fds = 0, threads = 0;
	unsigned before = c->errors;

	if (sscanf(measured,
	           "bytes %" SCNd64 " fds %" SCNd64 " threads %" SCNd64, &bytes,
	           &fds, &threads) != 3) {
		find(c, "error", "muster-runner did not count leaks",
		     "use muster and muster-runner of one version");
		return;
	}
	find_leak(c, bytes / LEAK_BYTES >= c->rounds ? bytes : 0,
	          "bytes of memory", "free in fini what init has made");
	find_leak(c, fds, "open descriptors",
	          "close in fini what init has opened");
	find_leak(c, threads, "threads", "join in fini what init has started");
	if (c->errors == before)
		find_so(c, "ok", NULL,
		        "init and fini, %u times, leave nothing behind",
		        c->rounds);
}

/* What it has beyond what each plugin must have. */
static void tell_parts(struct checking *c, const struct kit_host *h)
{
	uint32_t strange = h->wants & ~(uint32_t)(MU_WANT_GAP | MU_WANT_NEWEST);
	char parts[80];

	if (strange)
		find_so(c, "warning",
		        "or together what enum mu_plugin_wants has",
		        "it wants 0x%x, which this muster does not know",
		        (unsigned)strange);
	mu_format(parts, sizeof parts, "%s%s%s%s", h->has_tick ? ", tick" : "",
	          h->has_check ? ", check" : "",
	          h->wants & MU_WANT_GAP ? ", events of gaps" : "",
	          h->wants & MU_WANT_NEWEST ? ", the newest of each path only"
	                                    : "");
	if (parts[0])
		find_so(c, "ok", NULL, "it has%s", parts + 1);
}

static void judge(struct checking *c, const struct kit_step *s,
                  const struct kit_host *h)
{
	if (s->outcome == KIT_HANDLED) {
		find(c, "ok", "it loads, and its init says yes", NULL);
		tell_parts(c, h);
		check_leaks(c, h->measured);
		return;
	}
	find_so(c, "error", todo_of(s), "%s%s",
	        s->outcome == KIT_REFUSED ? ""
	                                  : "when loaded, begun and ended: ",
	        s->why);
}

static int check_running(struct checking *c, const char *runner)
{
	static struct kit_host host;
	struct kit_host_options o = { .runner = runner,
		                      .instance = c->plugin.name,
		                      .plugin = c->plugin.file,
		                      .settings = cli_given(c->cli, "settings"),
		                      .rounds = c->rounds,
		                      .timeout_ms = c->cli->timeout_ms,
		                      .tree = &c->tree,
		                      .note = note,
		                      .arg = c };
	struct mu_err err = { 0, "" };
	struct kit_step step;
	int rc = kit_host_init(&host, &o, &step, &err);

	if (rc)
		return cli_fail(c->cli, rc, err.msg);
	judge(c, &step, &host);
	kit_host_fini(&host);
	kit_tree_fini(&c->tree);
	return CLI_OK;
}

/* ---- the verdict ---- */

static int sum_up(struct checking *c)
{
	struct mu_json *o;
	int rc;

	if (!c->cli->json) {
		printf("%s: %u error%s, %u warning%s\n",
		       c->errors ? "not fit to run" : "fit to run", c->errors,
		       c->errors == 1 ? "" : "s", c->warnings,
		       c->warnings == 1 ? "" : "s");
		return c->errors ? CLI_FAILED : CLI_OK;
	}
	o = mu_json_object();
	rc = mu_json_set_str(o, "file", c->plugin.file) ||
	     mu_json_set_bool(o, "fit", c->errors == 0) ||
	     mu_json_set_int(o, "errors", c->errors) ||
	     mu_json_set_int(o, "warnings", c->warnings) ||
	     mu_json_set_copy(o, "findings", c->findings);
	if (rc) {
		mu_json_free(o);
		return cli_fail(c->cli, MU_ENOMEM, NULL);
	}
	rc = cli_print_json(c->cli, o);
	return rc ? rc : c->errors ? CLI_FAILED : CLI_OK;
}

int kit_check(struct cli *cli)
{
	static char runner[KIT_PLACE_MAX];
	static struct checking c;
	int64_t rounds;
	int rc;

	c = (struct checking){ .cli = cli };
	if (!cli_given_number(cli, "rounds", 1, ROUNDS_MAX, ROUNDS_DEFAULT,
	                      &rounds))
		return CLI_USAGE;
	c.rounds = (unsigned)rounds;
	rc = kit_plugin_of(cli, &c.plugin);
	if (rc == CLI_OK)
		rc = kit_runner_place(cli, runner);
	if (rc)
		return rc;
	c.findings = mu_json_array();
	if (!c.findings)
		return cli_fail(cli, MU_ENOMEM, NULL);
	if (check_file(&c))
		rc = check_running(&c, runner);
	if (rc == CLI_OK)
		rc = sum_up(&c);
	mu_json_free(c.findings);
	return rc;
}
