/* cmd_status.c - muster status: the broker, and which host runs what. */
#include "cli.h"
#include "commands.h"
#include "listed.h"
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

/* One host's report as a row. */
static bool report_row(struct table *t, const char *instance,
                       const struct listed *l, size_t i, bool alive)
{
	struct mu_json *j = listed_json(l, i);
	const char *said = mu_json_get_str(j, "state", "unreadable");
	char state[64], version[24], when[32];
	const char *cells[] = {
		instance,
		state,
		l->name[i],
		mu_json_get_str(j, "path", ""),
		version,
		when,
		mu_json_get_str(j, "reason", ""),
	};
	bool ok;

	snprintf(state, sizeof state, "%s%s%s", alive ? "" : "stale (", said,
	         alive ? "" : ")");
	snprintf(version, sizeof version, "-");
	if (j)
		snprintf(version, sizeof version, "%" PRId64,
		         mu_json_get_int(j, "version", -1));
	cli_time(when, sizeof when, l->value[i].stat.mtime);
	ok = table_row(t, cells, state_colour(state));
	mu_json_free(j);
	return ok;
}

static int report_json(struct mu_json *a, const char *instance,
                       const struct listed *l, size_t i, bool alive)
{
	struct mu_json *o = mu_json_object();
	struct mu_json *record = listed_json(l, i);

	if (mu_json_set_str(o, "instance", instance) ||
	    mu_json_set_str(o, "host", l->name[i]) ||
	    mu_json_set_bool(o, "stale", !alive)) {
		mu_json_free(record);
		mu_json_free(o);
		return MU_ENOMEM;
	}
	if (record && mu_json_set(o, "report", record)) {
		mu_json_free(o);
		return MU_ENOMEM;
	}
	return mu_json_add(a, o);
}

/* All reports of one instance, into the table or the array. Errors have been
 * printed. */
static int instance_add(struct cli *cli, const char *instance,
                        const struct listed *members, struct table *t,
                        struct mu_json *a)
{
	char *path = cli_join("/applied", instance);
	struct listed l = { 0 };
	int rc = path ? 0 : MU_ENOMEM;

	if (rc == 0)
		rc = cli->argc == 1 ? listed_read(cli, path, false, &l)
		                    : listed_read_any(cli, path, &l);
	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		bool alive = listed_find(members, l.name[i]) >= 0;

		if (l.rc[i])
			continue;
		if (a)
			rc = report_json(a, instance, &l, i, alive);
		else if (!report_row(t, instance, &l, i, alive))
			rc = MU_ENOMEM;
		if (rc)
			cli_fail(cli, rc, NULL);
	}
	listed_free(&l);
	free(path);
	return rc;
}

static int instances_add(struct cli *cli, const struct listed *members,
                         struct table *t, struct mu_json *a)
{
	struct mu_names names = { NULL, 0, { 0 } };
	struct mu_err err = { 0, "" };
	int rc;

	if (cli->argc == 1)
		return instance_add(cli, cli->argv[0], members, t, a);
	rc = mu_client_children_sync(cli->client, "/applied", &names,
	                             cli->timeout_ms, &err);
	if (rc == MU_ENONODE)
		return 0;
	if (rc)
		cli_fail(cli, rc, err.msg);
	for (size_t i = 0; rc == 0 && i < names.count; i++)
		rc = instance_add(cli, names.names[i], members, t, a);
	mu_names_free(&names);
	return rc;
}

static int print_plain(struct cli *cli, const struct broker_view *b,
                       const struct listed *members)
{
	static const char *const heads[] = { "INSTANCE", "STATE",   "HOST",
		                             "PATH",     "VERSION", "WHEN",
		                             "REASON",   NULL };
	struct table *t = table_new(heads, cli->colour);
	int rc;

	if (!t)
		return cli_fail(cli, MU_ENOMEM, NULL);
	rc = instances_add(cli, members, t, NULL);
	if (rc == 0) {
		broker_print(b, members);
		if (table_rows(t) > 0) {
			putchar('\n');
			table_print(t);
		}
	}
	table_free(t);
	return rc ? cli_exit_of(rc) : CLI_OK;
}

static int print_json(struct cli *cli, const struct broker_view *b,
                      const struct listed *members)
{
	struct mu_json *o = broker_json(b, members);
	struct mu_json *a = mu_json_array();
	int rc = o && a ? 0 : MU_ENOMEM;

	if (rc)
		cli_fail(cli, rc, NULL);
	else
		rc = instances_add(cli, members, NULL, a);
	if (rc) {
		mu_json_free(a);
		mu_json_free(o);
		return cli_exit_of(rc);
	}
	if (mu_json_set(o, "applied", a)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

int cmd_status(struct cli *cli)
{
	struct broker_view b = { .round_trip_ms = 0 };
	struct listed members;
	int rc = cli_connect(cli);

	if (rc == CLI_OK)
		rc = broker_read(cli, &b);
	if (rc)
		return rc;
	rc = listed_read_any(cli, "/members", &members);
	if (rc)
		return cli_exit_of(rc);
	rc = cli->json ? print_json(cli, &b, &members)
	               : print_plain(cli, &b, &members);
	listed_free(&members);
	return rc;
}
