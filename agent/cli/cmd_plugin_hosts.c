/*
 * cmd_plugin_hosts.c - the verbs of muster plugin that speak to the agents of a
 * cluster: release from quarantine, reload.
 *
 * Both are nodes: an agent takes its instance out of quarantine when the alarm is
 * deleted, and exchanges the runner when /reload/<instance> is set.
 */
#include "cli.h"
#include "kit.h"
#include "listed.h"
#include "parents.h"
#include "standing.h"
#include "table.h"

#include "err.h"
#include "json.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUARANTINE "/alarms/quarantine"
#define RELOAD "/reload"
#define MEMBERS "/members"
/* An agent that began says within a second which instances it has. */
#define NAMED_MS 2000

static int bad_name(struct cli *cli, const char *instance)
{
	return cli_usage(cli,
	                 "\"%s\" is no name of an instance: letters, digits "
	                 "and -_.",
	                 instance);
}

/* ---- release ---- */

struct release {
	struct cli *cli;
	const char *instance, *host; /* NULL: any */
	struct listed alarms;
};

/* Is the alarm about what was asked for? */
static bool is_meant(const struct release *g, size_t i)
{
	const char *name = g->alarms.name[i], *host = alarm_host(name);
	size_t len = host ? (size_t)(host - name) - 1 : 0;

	if (!host || g->alarms.rc[i])
		return false;
	if (g->instance &&
	    (strncmp(name, g->instance, len) != 0 || g->instance[len] != '\0'))
		return false;
	return !g->host || strcmp(host, g->host) == 0;
}

static bool list_row(struct table *t, const struct release *g, size_t i)
{
	const char *name = g->alarms.name[i], *host = alarm_host(name);
	struct mu_json *j = listed_json(&g->alarms, i);
	char since[32], failures[24], instance[256];
	const char *cells[] = { instance, host, since, failures,
		                mu_json_get_str(j, "reason", "") };
	bool ok;

	mu_format(instance, sizeof instance, "%.*s", (int)(host - name) - 1,
	          name);
	cli_time(since, sizeof since,
	         mu_json_get_int(j, "since", g->alarms.value[i].stat.ctime));
	mu_format(failures, sizeof failures, "%lld",
	          (long long)mu_json_get_int(j, "failures", 0));
	ok = table_row(t, cells, TABLE_RED);
	mu_json_free(j);
	return ok;
}

static int list_plain(const struct release *g)
{
	static const char *const heads[] = { "INSTANCE", "HOST",   "SINCE",
		                             "FAILURES", "REASON", NULL };
	struct table *t = table_new(heads, g->cli->colour);
	size_t shown = 0;
	bool ok = t != NULL;

	for (size_t i = 0; ok && i < g->alarms.count; i++) {
		if (!is_meant(g, i))
			continue;
		ok = list_row(t, g, i);
		shown++;
	}
	if (ok && shown)
		table_print(t);
	else if (ok)
		fputs("muster plugin: nothing is in quarantine\n", stderr);
	table_free(t);
	return ok ? CLI_OK : cli_fail(g->cli, MU_ENOMEM, NULL);
}

static int alarm_fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct release *g = rows;
	const char *name = g->alarms.name[i], *host = alarm_host(name);
	struct mu_json *j;

	if (!is_meant(g, i))
		return 1;
	if (mu_json_set_data(o, "instance", name, (int32_t)(host - name) - 1) ||
	    mu_json_set_str(o, "host", host))
		return MU_ENOMEM;
	j = listed_json(&g->alarms, i);
	return j ? mu_json_set(o, "alarm", j) : 0;
}

static int nothing(const struct release *g)
{
	char text[512];

	mu_format(text, sizeof text,
	          "%s is in quarantine on %s%s: nothing to release; `muster "
	          "plugin release` lists what is",
	          g->instance, g->host ? g->host : "no host",
	          g->host ? " no longer, or never was" : "");
	return cli_fail(g->cli, MU_ENONODE, text);
}

static int release_one(const struct release *g, size_t i)
{
	struct mu_err err = { 0, "" };
	int rc = mu_client_delete_sync(g->cli->client, g->alarms.path[i], -1,
	                               g->cli->timeout_ms, &err);

	if (rc && rc != MU_ENONODE) /* its agent may have been faster */
		return cli_fail(g->cli, rc, err.msg);
	if (!g->cli->json)
		printf("%s is released on %s\n", g->instance,
		       alarm_host(g->alarms.name[i]));
	return CLI_OK;
}

static int release(const struct release *g)
{
	size_t released = 0;
	int rc = CLI_OK;

	for (size_t i = 0; rc == CLI_OK && i < g->alarms.count; i++) {
		if (!is_meant(g, i))
			continue;
		rc = release_one(g, i);
		released++;
	}
	if (rc)
		return rc;
	if (released == 0)
		return nothing(g);
	return g->cli->json
	               ? cli_print_rows(g->cli, g, g->alarms.count, alarm_fill)
	               : CLI_OK;
}

int hosts_release(struct cli *cli)
{
	struct release g = { .cli = cli, .host = cli_given(cli, "host") };
	int rc;

	if (cli->argc > 1)
		g.instance = cli->argv[1];
	if (g.instance && !cli_is_word(g.instance))
		return bad_name(cli, g.instance);
	rc = cli_connect(cli);
	if (rc)
		return rc;
	rc = listed_read_any(cli, QUARANTINE, &g.alarms);
	if (rc)
		return cli_exit_of(rc);
	if (g.instance)
		rc = release(&g);
	else
		rc = cli->json ? cli_print_rows(cli, &g, g.alarms.count,
		                                alarm_fill)
		               : list_plain(&g);
	listed_free(&g.alarms);
	return rc;
}

/* ---- reload ---- */

/* Who asks, for the logs of those who are asked. */
static void signature(char *out, size_t room)
{
	const struct passwd *who = getpwuid(getuid());
	char host[256] = "";

	if (gethostname(host, sizeof host - 1))
		host[0] = '\0';
	if (who)
		mu_format(out, room, "%s@%s", who->pw_name, host);
	else
		mu_format(out, room, "%lu@%s", (unsigned long)getuid(), host);
}

static char *request_text(const char *host)
{
	struct mu_json *o = mu_json_object();
	struct timespec now;
	char by[320], *text = NULL;

	clock_gettime(CLOCK_REALTIME, &now);
	signature(by, sizeof by);
	if (mu_json_set_data(o, "host", host, (int32_t)strlen(host)) == 0 &&
	    mu_json_set_int(o, "at_ms",
	                    (int64_t)now.tv_sec * 1000 +
	                            now.tv_nsec / 1000000) == 0 &&
	    mu_json_set_data(o, "by", by, (int32_t)strlen(by)) == 0)
		text = mu_json_text(o);
	mu_json_free(o);
	return text;
}

/* Who has the instance, as far as the tree tells: what members say of themselves,
 * and, of hosts that are away, what they have left: reports and alarms. */
struct holders {
	size_t live, away;
	bool unsure; /* a member names no instance: it may have begun just now */
};

static int note_instance(void *arg, const char *key, const struct mu_json *v)
{
	(void)arg, (void)key, (void)v;
	return 1;
}

static bool names_none(const struct view *v, const char *host)
{
	size_t count;
	const struct view_node *n = view_below(v, MEMBERS "/", &count);

	for (; count > 0; count--, n++) {
		const struct mu_json *all;

		if (host && strcmp(n->path + sizeof MEMBERS, host) != 0)
			continue;
		all = mu_json_get_object(n->json, "instances");
		if (!all || !mu_json_each(all, note_instance, NULL))
			return true;
	}
	return false;
}

static int look(struct view *v, const char *instance, const char *host,
                struct holders *out)
{
	struct standings list = { 0 };
	int rc = standings_read(v, instance, &list);

	*out = (struct holders){ 0 };
	for (size_t i = 0; rc == 0 && i < list.count; i++) {
		if (host && strcmp(list.at[i].host, host) != 0)
			continue;
		if (list.at[i].is_member)
			out->live++;
		else
			out->away++;
	}
	if (rc == 0)
		out->unsure = names_none(v, host);
	standings_free(&list);
	return rc;
}

/* Of an instance that nobody speaks of it is waited for those who may be about to
 * say what they have. */
static int find_holders(struct cli *cli, const char *instance, const char *host,
                        struct holders *out)
{
	int64_t until = view_clock_ms() + NAMED_MS;
	struct view *v = view_new(cli, true);
	int rc = v ? standings_cover(v, instance) : MU_ENOMEM;

	if (rc == 0)
		rc = look(v, instance, host, out);
	while (rc == 0 && out->live + out->away == 0 && out->unsure) {
		rc = view_wait(v, until);
		if (rc == 0)
			rc = look(v, instance, host, out);
	}
	view_free(v);
	return rc == MU_ETIMEDOUT && view_clock_ms() >= until ? 0 : rc;
}

static int nobody(struct cli *cli, const char *instance, const char *host)
{
	char text[MU_ERR_MSG_MAX];

	if (host)
		mu_format(text, sizeof text,
		          "%.100s has no instance \"%.100s\": neither a member "
		          "nor a report in /applied says so; `muster status "
		          "%.100s` shows which hosts have it",
		          host, instance, instance);
	else
		mu_format(
			text, sizeof text,
			"no host has an instance \"%.100s\": neither a member "
			"nor a report in /applied names it; `muster members "
			"--json` shows the instances of each host",
			instance);
	return cli_fail(cli, MU_ENONODE, text);
}

static int print_request(struct cli *cli, const char *instance,
                         const char *host, const struct holders *who,
                         const struct mu_stat *stat)
{
	struct mu_json *o;

	if (who->live == 0)
		fputs("muster plugin: warning: who has it is no member now: an "
		      "agent that is cut off hears of it when it is back, one "
		      "that starts loads the file as it is then\n",
		      stderr);
	if (!cli->json) {
		printf("%s is to be reloaded %s%s\n", instance,
		       host ? "on " : "on all its hosts", host ? host : "");
		return CLI_OK;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "instance", instance) == 0 &&
	    mu_json_set_str(o, "host", host ? host : "") == 0 &&
	    mu_json_set_int(o, "zxid", stat->mzxid) == 0 &&
	    mu_json_set_int(o, "hosts", (int64_t)who->live) == 0 &&
	    mu_json_set_int(o, "away", (int64_t)who->away) == 0)
		return cli_print_json(cli, o);
	mu_json_free(o);
	return cli_fail(cli, MU_ENOMEM, NULL);
}

static int write_request(struct cli *cli, const char *path, const char *host,
                         struct mu_stat *stat, struct mu_err *err)
{
	char *text = request_text(host ? host : "");
	int rc;

	if (!text)
		return mu_err(err, MU_ENOMEM, "out of memory");
	rc = mu_client_set_sync(cli->client, path, text, (int32_t)strlen(text),
	                        -1, stat, cli->timeout_ms, err);
	if (rc == MU_ENONODE)
		rc = parents_create(cli, path, text, (int32_t)strlen(text),
		                    stat, err);
	free(text);
	return rc;
}

static int request(struct cli *cli, const char *instance, const char *host,
                   const struct holders *who)
{
	struct mu_stat stat = { 0 };
	struct mu_err err = { 0, "" };
	char *path = cli_join(RELOAD, instance);
	int rc = path ? write_request(cli, path, host, &stat, &err) : MU_ENOMEM;

	free(path);
	return rc ? cli_fail(cli, rc, err.msg)
	          : print_request(cli, instance, host, who, &stat);
}

int hosts_reload(struct cli *cli)
{
	const char *instance = cli->argv[1], *host = cli_given(cli, "host");
	struct holders who = { 0 };
	int rc;

	if (!cli_is_word(instance))
		return bad_name(cli, instance);
	if (host && !host[0])
		return cli_usage(cli, "--host wants the name of a member");
	rc = cli_connect(cli);
	if (rc)
		return rc;
	rc = find_holders(cli, instance, host, &who);
	if (rc)
		return cli_fail(cli, rc, NULL);
	if (who.live + who.away == 0)
		return nobody(cli, instance, host);
	return request(cli, instance, host, &who);
}
