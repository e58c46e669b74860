/* cmd_members.c - muster members: the hosts that answer the roll call. */
#include "cli.h"
#include "commands.h"
#include "listed.h"
#include "standing.h"
#include "table.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TROUBLE_ROOM 512u

/* "web quarantined: reason": what is not as it should be, of the instances and
 * checks that a record tells of. */
static int add_trouble(void *arg, const char *name, const struct mu_json *value)
{
	static const char *const good[] = { "ready", "starting", "ok", "" };
	const char *said = mu_json_text_of(value);
	char *out = arg;
	size_t len = strlen(out);

	for (size_t i = 0; said && i < sizeof good / sizeof good[0]; i++)
		if (strcmp(said, good[i]) == 0)
			return 0;
	if (said)
		snprintf(out + len, TROUBLE_ROOM - len, "%s%s %.*s",
		         len ? "; " : "", name, (int)said_len(said), said);
	return 0;
}

static int find_trouble(void *arg, const char *key, const struct mu_json *value)
{
	bool tells =
		strcmp(key, "instances") == 0 || strcmp(key, "checks") == 0;

	return tells && mu_json_is_object(value)
	               ? mu_json_each(value, add_trouble, arg)
	               : 0;
}

static bool add_row(struct table *t, const struct listed *l, size_t i)
{
	struct mu_json *j = listed_json(l, i);
	const char *state = mu_json_get_str(j, "state", "unreadable");
	const char *address = mu_json_get_str(j, "address", "");
	int64_t port = mu_json_get_int(j, "port", 0);
	char *labels = j ? mu_json_get_text(j, "labels") : NULL;
	char where[160], since[32], trouble[TROUBLE_ROOM] = "";
	bool ok;

	if (port > 0)
		snprintf(where, sizeof where, "%s:%" PRId64, address, port);
	else
		snprintf(where, sizeof where, "%s", address);
	if (j)
		mu_json_each(j, find_trouble, trouble);
	cli_time(since, sizeof since, l->value[i].stat.ctime);
	{
		const char *cells[] = { l->name[i],
			                state,
			                since,
			                where,
			                mu_json_get_str(j, "version", ""),
			                labels ? labels : "",
			                trouble };

		ok = table_row(t, cells,
		               strcmp(state, "up") == 0 && !trouble[0]
		                       ? TABLE_GREEN
		                       : TABLE_YELLOW);
	}
	free(labels);
	mu_json_free(j);
	return ok;
}

static int print_plain(struct cli *cli, const struct listed *l)
{
	static const char *const heads[] = { "NAME",    "STATE",   "SINCE",
		                             "ADDRESS", "VERSION", "LABELS",
		                             "TROUBLE", NULL };
	struct table *t;
	bool ok;

	if (l->count == 0) {
		fprintf(stderr, "muster members: none\n");
		return CLI_OK;
	}
	t = table_new(heads, cli->colour);
	ok = t != NULL;
	for (size_t i = 0; ok && i < l->count; i++)
		if (l->rc[i] == 0)
			ok = add_row(t, l, i);
	if (ok)
		table_print(t);
	table_free(t);
	return ok ? CLI_OK : cli_fail(cli, MU_ENOMEM, NULL);
}

/* The record as the agent wrote it, with the name and what the tree knows. */
static int fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct listed *l = rows;
	struct mu_json *record;

	if (l->rc[i])
		return 1;
	if (mu_json_set_str(o, "name", l->name[i]) ||
	    mu_json_set_int(o, "czxid", l->value[i].stat.czxid) ||
	    mu_json_set_int(o, "since", l->value[i].stat.ctime))
		return MU_ENOMEM;
	record = listed_json(l, i);
	return record ? mu_json_set(o, "record", record) : 0;
}

int cmd_members(struct cli *cli)
{
	struct listed l;
	int rc = cli_connect(cli);

	if (rc)
		return rc;
	rc = listed_read_any(cli, "/members", &l);
	if (rc)
		return cli_exit_of(rc);
	rc = cli->json ? cli_print_rows(cli, &l, l.count, fill)
	               : print_plain(cli, &l);
	listed_free(&l);
	return rc;
}
