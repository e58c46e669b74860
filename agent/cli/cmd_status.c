/* cmd_status.c - muster status: the broker, alarms, and which host runs what. */
#include "cli.h"
#include "commands.h"
#include "standing.h"
#include "table.h"

#include "json.h"
#include "tty.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMBERS "/members/"
#define ALARMS "/alarms/"
#define DIGEST_SHOWN 16   /* bytes */
#define REASON_ROOM 1024u /* more than agents write */

struct broker_view {
	struct mu_client_info info;
	double round_trip_ms;
};

struct status {
	const char *instance; /* NULL: all */
	struct broker_view broker;
	struct view *view;
	struct standings standings;
	size_t members;
};

/* ---- the broker ---- */

static int broker_read(struct cli *cli, struct broker_view *b,
                       struct mu_err *err)
{
	struct timespec from, to;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &from);
	rc = mu_client_sync_sync(cli->client, "/", cli->timeout_ms, err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (rc)
		return rc;
	b->round_trip_ms = (double)(to.tv_sec - from.tv_sec) * 1e3 +
	                   (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	b->info.size = sizeof b->info;
	mu_client_info(cli->client, &b->info);
	return 0;
}

static void broker_print(const struct broker_view *b, size_t members)
{
	printf("broker    %s\n", b->info.broker);
	if (b->info.features > 0)
		printf("speaks    Muster %" PRId32 ", tree %016" PRIx64 "\n",
		       b->info.features, (uint64_t)b->info.tree_id);
	else
		printf("speaks    ZooKeeper\n");
	printf("zxid      0x%" PRIx64 "\n", (uint64_t)b->info.last_zxid);
	printf("answered  in %.2f ms\n", b->round_trip_ms);
	printf("members   %zu\n", members);
}

static struct mu_json *broker_json(const struct broker_view *b, size_t members)
{
	struct mu_json *o = mu_json_object();
	char tree[20];

	snprintf(tree, sizeof tree, "%016" PRIx64, (uint64_t)b->info.tree_id);
	if (mu_json_set_str(o, "broker", b->info.broker) ||
	    mu_json_set_int(o, "features", b->info.features) ||
	    mu_json_set_str(o, "tree_id", tree) ||
	    mu_json_set_int(o, "zxid", b->info.last_zxid) ||
	    mu_json_set_int(o, "round_trip_us",
	                    (int64_t)(b->round_trip_ms * 1e3)) ||
	    mu_json_set_int(o, "members", (int64_t)members)) {
		mu_json_free(o);
		return NULL;
	}
	return o;
}

/* ---- alarms ---- */

/* A kind without a value is but the parent of its alarms. */
static bool is_alarm(const struct view_node *n)
{
	return strchr(n->path + strlen(ALARMS), '/') || n->stat.data_len > 0;
}

static bool alarm_row(struct table *t, const struct view_node *n)
{
	char since[32];
	const char *cells[] = { n->path + strlen(ALARMS), since,
		                mu_json_get_str(n->json, "reason", "") };

	cli_time(since, sizeof since,
	         mu_json_get_int(n->json, "since", n->stat.ctime));
	return table_row(t, cells, TABLE_RED);
}

static int alarms_print(const struct cli *cli, const struct view *v)
{
	static const char *const heads[] = { "ALARM", "SINCE", "REASON", NULL };
	struct table *t = table_new(heads, cli->colour);
	size_t count, shown = 0;
	const struct view_node *n = view_below(v, ALARMS, &count);
	bool ok = t != NULL;

	for (; ok && count > 0; count--, n++) {
		if (!is_alarm(n))
			continue;
		ok = alarm_row(t, n);
		shown++;
	}
	if (ok && shown > 0) {
		putchar('\n');
		table_print(t);
	}
	table_free(t);
	return ok ? 0 : MU_ENOMEM;
}

static int alarm_fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct view_node *n = (const struct view_node *)rows + i;

	if (!is_alarm(n))
		return 1;
	if (mu_json_set_str(o, "name", n->path + strlen(ALARMS)) ||
	    mu_json_set_int(o, "since",
	                    mu_json_get_int(n->json, "since", n->stat.ctime)))
		return MU_ENOMEM;
	return n->json ? mu_json_set_copy(o, "alarm", n->json) : 0;
}

/* ---- who runs what ---- */

static enum table_colour colour_of(const struct standing *s)
{
	if (!s->is_member)
		return TABLE_YELLOW;
	return s->state == STANDING_APPLIED ? TABLE_GREEN : TABLE_RED;
}

static void version_text(char *out, size_t room, int64_t version)
{
	if (version == STANDING_GONE)
		snprintf(out, room, "gone");
	else if (version < 0)
		snprintf(out, room, "-");
	else
		snprintf(out, room, "%" PRId64, version);
}

static void zxid_text(char *out, size_t room, int64_t zxid)
{
	if (zxid > 0)
		snprintf(out, room, "0x%" PRIx64, (uint64_t)zxid);
	else
		snprintf(out, room, "-");
}

/* What it says, without the code at its end; in `room` if that is cut off. */
static const char *reason_text(const struct standing *s, char room[REASON_ROOM])
{
	size_t len = said_len(s->reason);

	if (s->reason[len] == '\0')
		return s->reason;
	snprintf(room, REASON_ROOM, "%.*s", (int)len, s->reason);
	return room;
}

/* Those of one instance are shown with zxid and digest, too. */
static const char *const heads_all[] = { "INSTANCE", "STATE", "HOST", "PATH",
	                                 "VERSION",  "TRIED", "NODE", "SINCE",
	                                 "REASON",   NULL };
static const char *const heads_one[] = { "INSTANCE", "STATE", "HOST",   "PATH",
	                                 "VERSION",  "TRIED", "NODE",   "ZXID",
	                                 "DIGEST",   "SINCE", "REASON", NULL };

static bool standing_row(struct table *t, const struct standing *s, bool one)
{
	const struct standing_version *v = &s->in_force;
	char state[64], version[24], tried[24], node[24], since[32], zxid[24];
	char digest[24], said[REASON_ROOM];
	const char *reason = reason_text(s, said);
	const char *all[] = { s->instance, state, s->host, s->path, version,
		              tried,       node,  since,   reason };
	const char *more[] = { s->instance, state, s->host, s->path,
		               version,     tried, node,    zxid,
		               digest,      since, reason };

	standing_word(s, state, sizeof state);
	version_text(version, sizeof version, v->version);
	version_text(tried, sizeof tried, s->tried);
	version_text(node, sizeof node, s->node_version);
	zxid_text(zxid, sizeof zxid, v->zxid);
	snprintf(digest, sizeof digest, "%.*s", DIGEST_SHOWN,
	         v->digest[0] ? v->digest : "-");
	cli_time(since, sizeof since, s->since_ms);
	return table_row(t, one ? more : all, colour_of(s));
}

static size_t count_current(const struct standings *list, size_t *live)
{
	size_t current = 0;

	*live = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct standing *s = &list->at[i];

		*live += s->is_member;
		current += s->is_member && s->state == STANDING_APPLIED;
	}
	return current;
}

static int standings_print(const struct cli *cli, const struct status *st)
{
	bool one = st->instance != NULL;
	struct table *t = table_new(one ? heads_one : heads_all, cli->colour);
	bool ok = t != NULL;

	for (size_t i = 0; ok && i < st->standings.count; i++)
		ok = standing_row(t, &st->standings.at[i], one);
	if (ok && st->standings.count > 0)
		table_print(t);
	table_free(t);
	return ok ? 0 : MU_ENOMEM;
}

static void print_count(const struct standings *list)
{
	size_t live, current = count_current(list, &live), silent = 0;

	for (size_t i = 0; i < list->count; i++)
		silent += list->at[i].state == STANDING_SILENT;
	if (silent > 0)
		printf("\nno host has reported, %zu %s it\n", silent,
		       silent == 1 ? "runs" : "run");
	else
		printf("\napplied by %zu of %zu live\n", current, live);
}

static int print_plain(const struct cli *cli, const struct status *st)
{
	int rc;

	if (st->instance) {
		rc = standings_print(cli, st);
		print_count(&st->standings);
		return rc;
	}
	broker_print(&st->broker, st->members);
	rc = alarms_print(cli, st->view);
	if (rc == 0 && st->standings.count > 0) {
		putchar('\n');
		rc = standings_print(cli, st);
	}
	return rc;
}

static int standing_fill(struct mu_json *o, const void *rows, size_t i)
{
	return standing_json(o, (const struct standing *)rows + i);
}

/* Takes `a` over. */
static int set_rows(struct mu_json *o, const char *key, struct mu_json *a)
{
	return a ? mu_json_set(o, key, a) : MU_ENOMEM;
}

static int print_json(struct cli *cli, const struct status *st)
{
	struct mu_json *o = broker_json(&st->broker, st->members);
	size_t count;
	const struct view_node *alarms = view_below(st->view, ALARMS, &count);
	int rc = o ? 0 : MU_ENOMEM;

	if (rc == 0)
		rc = set_rows(o, "applied",
		              cli_json_rows(st->standings.at,
		                            st->standings.count,
		                            standing_fill));
	if (rc == 0)
		rc = set_rows(o, "alarms",
		              cli_json_rows(alarms, count, alarm_fill));
	if (rc == 0)
		return cli_print_json(cli, o);
	mu_json_free(o);
	return rc;
}

static int print(struct cli *cli, const struct status *st)
{
	return cli->json ? print_json(cli, st) : print_plain(cli, st);
}

/* ---- the command ---- */

static int read_all(struct cli *cli, struct status *st, struct mu_err *err)
{
	int rc = broker_read(cli, &st->broker, err);

	standings_free(&st->standings);
	if (rc == 0)
		rc = standings_read(st->view, st->instance, &st->standings);
	if (rc == 0)
		view_below(st->view, MEMBERS, &st->members);
	return rc;
}

static int nowhere(struct cli *cli, const char *instance)
{
	char text[512];

	snprintf(text, sizeof text,
	         "no host has an instance \"%.64s\": /applied/%.64s has no "
	         "reports, and no member speaks of it; `muster members --json` "
	         "shows the instances of each host",
	         instance, instance);
	return cli_fail(cli, MU_ENONODE, text);
}

/* With an instance: have all that are there applied it? */
static int verdict(const struct status *st)
{
	size_t live, current = count_current(&st->standings, &live);

	if (!st->instance)
		return CLI_OK;
	return live > 0 && current == live ? CLI_OK : CLI_FAILED;
}

static int show_once(struct cli *cli, struct status *st)
{
	struct mu_err err = { 0, "" };
	int rc = read_all(cli, st, &err);

	if (rc)
		return cli_fail(cli, rc, err.msg);
	if (st->instance && st->standings.count == 0)
		return nowhere(cli, st->instance);
	rc = print(cli, st);
	return rc ? cli_fail(cli, rc, NULL) : verdict(st);
}

static bool is_of_the_link(int rc)
{
	return cli_exit_of(rc) == CLI_NO_BROKER;
}

/* The picture again at each change, until a signal ends it. */
static int show_on(struct cli *cli, struct status *st)
{
	bool screen = !cli->json && mu_tty_is(1);
	int rc = 0;

	while (!ferror(stdout)) {
		struct mu_err err = { 0, "" };

		rc = read_all(cli, st, &err);
		if (rc && !is_of_the_link(rc))
			return cli_fail(cli, rc, err.msg);
		if (rc == 0) {
			fputs(screen ? "\033[H\033[2J" : "", stdout);
			rc = print(cli, st);
			fputs(cli->json || screen ? "" : "\n", stdout);
			fflush(stdout);
		} else {
			fputs("muster status: the broker is away; waiting for "
			      "it\n",
			      stderr);
		}
		rc = view_wait(st->view, -1);
		if (rc && (rc = view_restart(st->view, -1)))
			return rc;
	}
	return CLI_FAILED;
}

int cmd_status(struct cli *cli)
{
	struct status st = { .instance = cli->argc == 1 ? cli->argv[0] : NULL };
	bool watch = cli_given(cli, "watch") != NULL;
	int rc;

	if (st.instance && !cli_is_word(st.instance))
		return cli_usage(cli,
		                 "\"%s\" is no name of an instance: letters, "
		                 "digits and -_.",
		                 st.instance);
	rc = cli_connect(cli);
	if (rc)
		return rc;
	st.view = view_new(cli, watch);
	if (!st.view || standings_cover(st.view, st.instance))
		rc = cli_fail(cli, MU_ENOMEM, NULL);
	else
		rc = watch ? show_on(cli, &st) : show_once(cli, &st);
	standings_free(&st.standings);
	view_free(st.view);
	return rc;
}
