/* cmd_status.c - muster status: the broker, and which host runs what. */
#include "cli.h"
#include "commands.h"
#include "listed.h"
#include "reports.h"
#include "table.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct broker_view {
	struct mu_client_info info;
	double round_trip_ms;
};

static int broker_read(struct cli *cli, struct broker_view *b)
{
	struct timespec from, to;
	struct mu_err err = { 0, "" };
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &from);
	rc = mu_client_sync_sync(cli->client, "/", cli->timeout_ms, &err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (rc)
		return cli_fail(cli, rc, err.msg);
	b->round_trip_ms = (double)(to.tv_sec - from.tv_sec) * 1e3 +
	                   (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	b->info.size = sizeof b->info;
	mu_client_info(cli->client, &b->info);
	return CLI_OK;
}

static void broker_print(const struct broker_view *b, const struct listed *m)
{
	printf("broker    %s\n", b->info.broker);
	if (b->info.features > 0)
		printf("speaks    Muster %" PRId32 ", tree %016" PRIx64 "\n",
		       b->info.features, (uint64_t)b->info.tree_id);
	else
		printf("speaks    ZooKeeper\n");
	printf("zxid      0x%" PRIx64 "\n", (uint64_t)b->info.last_zxid);
	printf("answered  in %.2f ms\n", b->round_trip_ms);
	printf("members   %zu\n", m->count);
}

static struct mu_json *broker_json(const struct broker_view *b,
                                   const struct listed *m)
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
	    mu_json_set_int(o, "members", (int64_t)m->count)) {
		mu_json_free(o);
		return NULL;
	}
	return o;
}

static enum table_colour state_colour(const char *state)
{
	if (strcmp(state, "applied") == 0)
		return TABLE_GREEN;
	return strncmp(state, "stale", 5) == 0 ? TABLE_YELLOW : TABLE_RED;
}

/* "7" of "9": what the host reported, and where the node is now. */
static void version_text(char *out, size_t room, int64_t version)
{
	if (version == REPORT_GONE)
		snprintf(out, room, "gone");
	else if (version < 0)
		snprintf(out, room, "-");
	else
		snprintf(out, room, "%" PRId64, version);
}

static bool report_row(struct table *t, const struct report *r)
{
	const char *said = mu_json_get_str(r->record, "state", "unreadable");
	char state[64], version[24], node[24], when[32];
	const char *cells[] = {
		r->instance, state,
		r->host,     mu_json_get_str(r->record, "path", ""),
		version,     node,
		when,        mu_json_get_str(r->record, "reason", ""),
	};

	snprintf(state, sizeof state, "%s%s%s", r->alive ? "" : "stale (", said,
	         r->alive ? "" : ")");
	version_text(version, sizeof version, r->version);
	version_text(node, sizeof node, r->node_version);
	cli_time(when, sizeof when, r->written_ms);
	return table_row(t, cells, state_colour(state));
}

static int report_fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct report *r = &((const struct reports *)rows)->report[i];

	if (mu_json_set_str(o, "instance", r->instance) ||
	    mu_json_set_str(o, "host", r->host) ||
	    mu_json_set_bool(o, "stale", !r->alive) ||
	    mu_json_set_int(o, "node_version", r->node_version))
		return MU_ENOMEM;
	return r->record ? mu_json_set_copy(o, "report", r->record) : 0;
}

static int print_plain(struct cli *cli, const struct broker_view *b,
                       const struct listed *members, const struct reports *rs)
{
	static const char *const heads[] = { "INSTANCE", "STATE",   "HOST",
		                             "PATH",     "VERSION", "NODE",
		                             "WHEN",     "REASON",  NULL };
	struct table *t = table_new(heads, cli->colour);
	bool ok = t != NULL;

	for (size_t i = 0; ok && i < rs->count; i++)
		ok = report_row(t, &rs->report[i]);
	if (ok) {
		broker_print(b, members);
		if (rs->count > 0) {
			putchar('\n');
			table_print(t);
		}
	}
	table_free(t);
	return ok ? CLI_OK : cli_fail(cli, MU_ENOMEM, NULL);
}

static int print_json(struct cli *cli, const struct broker_view *b,
                      const struct listed *members, const struct reports *rs)
{
	struct mu_json *o = broker_json(b, members);
	struct mu_json *a = cli_json_rows(rs, rs->count, report_fill);

	if (o && a && mu_json_set(o, "applied", a) == 0)
		return cli_print_json(cli, o);
	if (!o)
		mu_json_free(a);
	mu_json_free(o);
	return cli_fail(cli, MU_ENOMEM, NULL);
}

int cmd_status(struct cli *cli)
{
	const char *instance = cli->argc == 1 ? cli->argv[0] : NULL;
	struct broker_view b = { .round_trip_ms = 0 };
	struct listed members;
	struct reports rs;
	int rc = cli_connect(cli);

	if (rc == CLI_OK)
		rc = broker_read(cli, &b);
	if (rc)
		return rc;
	rc = listed_read_any(cli, "/members", &members);
	if (rc)
		return cli_exit_of(rc);
	rc = reports_read(cli, instance, &members, &rs);
	if (rc == 0)
		rc = cli->json ? print_json(cli, &b, &members, &rs)
		               : print_plain(cli, &b, &members, &rs);
	else
		rc = cli_exit_of(rc);
	reports_free(&rs);
	listed_free(&members);
	return rc;
}
