/*
 * exec - run a command for chosen events.
 *
 *     command = "logger \"$MUSTER_MEMBER is gone\"";  # run by /bin/sh -c; or
 *     command = ["/usr/bin/notify", "--urgent"];      # a list, without a shell
 *     events = ["left", "failed"];   # default: all but present, member-present,
 *                                    # connected and disconnected
 *     members = ["web1", "web2"];    # of member events, only these; default all
 *     timeout_ms = 10000;            # then its whole process group is killed
 *     retry = false;                 # true: a command that fails is run again
 *
 * A text in place of the list of events or members is a list of one.
 * The node's data is on standard input; the event is in the environment:
 *     MUSTER_EVENT       "changed", "failed", ...: the words of `events`
 *     MUSTER_PATH        the node, or that of the member
 *     MUSTER_ZXID        of the change
 *     MUSTER_VERSION     of the node; empty where there is none
 *     MUSTER_COUNT       how many events this one stands for
 *     MUSTER_ATTEMPT     which try it is, from 1
 *     MUSTER_AGAIN       1: it may have been handled before; else 0
 *     MUSTER_STALE       1: as the agent remembers it, for its broker is away;
 *                        else 0
 *     MUSTER_CAUSE       "request", "close", "expiry" or "ttl"; empty where it
 *                        is not told, as of what is present, or by an older agent
 *     MUSTER_AUTHOR      whose session did it, or ended: "tcp:ADDRESS" or
 *                        "ipc:UID:GID:PID", as the broker saw it; empty where it
 *                        is not told
 *     MUSTER_INSTANCE, MUSTER_HOST   whose plugin this is, and where
 *     MUSTER_MEMBER, MUSTER_MEMBER_ADDRESS, MUSTER_MEMBER_PORT,
 *     MUSTER_MEMBER_ID   the member it is about; empty unless it is about one
 * A command that fails is logged, and the event counts as handled, unless
 * `retry`.
 */
#include <muster/plugin.h>

#include "command.h"
#include "event_rows.h"
#include "fail.h"
#include "typed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define VARS_MAX 20u

struct exec {
	const struct mu_host *host;
	const char *shell;      /* text for the shell; NULL: argv */
	const char **argv;      /* owned, ends in NULL */
	bool wants[EVENT_ROWS]; /* by row of event_rows */
	const char **members;   /* owned, ends in NULL; NULL: all */
	uint32_t timeout_ms;
	bool retry;
};

/* ---- settings ---- */

static int read_command(struct exec *x, struct mu_err *err)
{
	int rc;

	if (x->host->setting_count(x->host, "command") >= 0)
		rc = typed_list(x->host, "command", &x->argv, err);
	else
		rc = typed_text(x->host, "command", &x->shell, err);
	if (rc)
		return rc;
	if (x->argv ? !x->argv[0] : !x->shell)
		return fail(err, MU_ECONFIG,
		            "exec needs `command`: a text for the shell, or a "
		            "list of a program and its arguments");
	return 0;
}

static int read_rest(struct exec *x, struct mu_err *err)
{
	const struct mu_host *h = x->host;
	int rc;

	x->timeout_ms = TIMEOUT_MS;
	rc = typed_ms(h, "timeout_ms", &x->timeout_ms, err);
	if (rc == 0)
		rc = typed_flag(h, "retry", &x->retry, err);
	return rc ? rc : typed_list(h, "members", &x->members, err);
}

static void exec_fini(void *self)
{
	struct exec *x = self;

	free(x->argv);
	free(x->members);
	free(x);
}

static int exec_init(const struct mu_host *h, void **self, struct mu_err *err)
{
	struct exec *x = calloc(1, sizeof *x);
	int rc;

	if (!x)
		return fail(err, MU_ENOMEM, "out of memory");
	x->host = h;
	rc = read_command(x, err);
	if (rc == 0)
		rc = event_rows_read(h, "events", x->wants, err);
	if (rc == 0)
		rc = read_rest(x, err);
	if (rc)
		exec_fini(x);
	else
		*self = x;
	return rc;
}

/* ---- events ---- */

struct env {
	char *vars[VARS_MAX + 1]; /* owned, ends in NULL */
	size_t count;
	bool failed; /* out of memory */
};

static void add(struct env *env, const char *fmt, ...) MU_PRINTF(2, 3);

static void add(struct env *env, const char *fmt, ...)
{
	va_list ap;

	if (env->failed || env->count == VARS_MAX) {
		env->failed = true;
		return;
	}
	va_start(ap, fmt);
	env->failed = vasprintf(&env->vars[env->count], fmt, ap) < 0;
	va_end(ap);
	if (env->failed)
		env->vars[env->count] = NULL;
	else
		env->count++;
}

static void free_env(struct env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->vars[i]);
}

/* What a command can know of its event. Those of a member are empty but for
 * member events, the version but where there is a node. */
static void make_env(struct env *env, const struct exec *x,
                     const struct mu_event *e, const char *word)
{
	static const struct mu_member nobody = { .name = "",
		                                 .address = "",
		                                 .id = "" };
	const struct mu_member *m = e->member ? e->member : &nobody;
	const char *cause = event_cause(e), *author = event_author(e);

	*env = (struct env){ { NULL }, 0, false };
	add(env, "MUSTER_EVENT=%s", word);
	add(env, "MUSTER_PATH=%s", e->path);
	add(env, "MUSTER_ZXID=%" PRId64, e->zxid);
	if (e->stat)
		add(env, "MUSTER_VERSION=%" PRId32, e->stat->version);
	else
		add(env, "MUSTER_VERSION=");
	add(env, "MUSTER_COUNT=%" PRIu32, e->count);
	add(env, "MUSTER_ATTEMPT=%" PRIu32, e->attempt);
	add(env, "MUSTER_AGAIN=%d", e->flags & MU_EVENT_AGAIN ? 1 : 0);
	add(env, "MUSTER_STALE=%d", e->flags & MU_EVENT_STALE ? 1 : 0);
	add(env, "MUSTER_CAUSE=%s", cause ? cause : "");
	add(env, "MUSTER_AUTHOR=%s", author ? author : "");
	add(env, "MUSTER_INSTANCE=%s", x->host->instance);
	add(env, "MUSTER_HOST=%s", x->host->member);
	add(env, "MUSTER_MEMBER=%s", m->name);
	add(env, "MUSTER_MEMBER_ADDRESS=%s", m->address);
	add(env, "MUSTER_MEMBER_ID=%s", m->id);
	if (m->port)
		add(env, "MUSTER_MEMBER_PORT=%" PRIu32, m->port);
	else
		add(env, "MUSTER_MEMBER_PORT=");
}

static bool is_wanted(const struct exec *x, const struct mu_event *e,
                      size_t row)
{
	if (row == EVENT_ROWS || !x->wants[row])
		return false;
	if (!e->member || !x->members)
		return true;
	for (size_t i = 0; x->members[i]; i++)
		if (strcmp(x->members[i], e->member->name) == 0)
			return true;
	return false;
}

/* Run the command: 0 if it ended well. */
static int run(const struct exec *x, const struct mu_event *e,
               const struct env *env, const char *word, struct mu_err *err)
{
	struct mu_command c = { .argv = x->argv,
		                .env = (const char *const *)env->vars,
		                .input = e->data,
		                .input_len = e->data_len,
		                .timeout_ms = x->timeout_ms };
	struct mu_command_end end;
	const char *whose = e->member ? e->member->name : e->path;
	char how[200];
	int rc;

	rc = x->shell ? mu_command_run_shell(x->shell, &c, &end, err)
	              : mu_command_run(&c, &end, err);
	if (rc)
		return rc;
	mu_command_describe(&end, x->shell ? x->shell : x->argv[0], how,
	                    sizeof how);
	if (!mu_command_is_good(&end))
		return fail(err, MU_ESYSTEM, "command for %s %s: %s", word,
		            whose, how);
	x->host->log(x->host, MU_INFO, "command for %s %s: %s", word, whose,
	             how);
	return 0;
}

static int exec_event(void *self, const struct mu_event *e, struct mu_err *err)
{
	const struct exec *x = self;
	size_t row = event_row_of_type(e->type);
	struct env env;
	int rc;

	if (!is_wanted(x, e, row))
		return 0;
	make_env(&env, x, e, event_rows[row].word);
	if (env.failed)
		rc = fail(err, MU_ENOMEM, "out of memory");
	else
		rc = run(x, e, &env, event_rows[row].word, err);
	free_env(&env);
	if (rc == 0 || x->retry)
		return rc;
	x->host->log(x->host, MU_WARN, "%s", err->msg);
	return 0;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "exec",
	.help = "runs a command for chosen events",
	.init = exec_init,
	.event = exec_event,
	.fini = exec_fini,
};
