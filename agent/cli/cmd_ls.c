/* cmd_ls.c - muster ls: the children of a node. */
#include "cli.h"
#include "commands.h"
#include "listed.h"
#include "table.h"

#include "json.h"
#include "tty.h"

#include <inttypes.h>
#include <stdlib.h>

static bool add_row(struct table *t, const char *name, const struct mu_stat *s)
{
	char version[16], bytes[16], children[16], when[32], owner[24] = "";
	const char *cells[] = { name, version, bytes, children, when, owner };

	snprintf(version, sizeof version, "%" PRId32, s->version);
	snprintf(bytes, sizeof bytes, "%" PRId32, s->data_len);
	snprintf(children, sizeof children, "%" PRId32, s->num_children);
	cli_time(when, sizeof when, s->mtime);
	if (s->ephemeral_owner)
		snprintf(owner, sizeof owner, "0x%" PRIx64,
		         (uint64_t)s->ephemeral_owner);
	return table_row(t, cells, TABLE_PLAIN);
}

static int print_long(struct cli *cli, const struct listed *l)
{
	static const char *const heads[] = { "NAME",     "VERSION", "BYTES",
		                             "CHILDREN", "CHANGED", "OWNER",
		                             NULL };
	struct table *t = table_new(heads, cli->colour);
	bool ok = t != NULL;

	for (size_t i = 0; ok && i < l->count; i++)
		if (l->rc[i] == 0)
			ok = add_row(t, l->name[i], &l->value[i].stat);
	if (ok)
		table_print(t);
	table_free(t);
	return ok ? CLI_OK : cli_fail(cli, MU_ENOMEM, NULL);
}

static int fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct listed *l = rows;
	int rc;

	if (l->rc[i])
		return 1;
	rc = mu_json_set_str(o, "name", l->name[i]);
	return rc ? rc : cli_json_stat(o, &l->value[i].stat);
}

/* The protocol has no pages: a listing that is too large for one reply cannot be
 * had in parts. So say how many they are, and what to do. */
static int too_many(struct cli *cli, const char *path)
{
	char text[5000];
	struct mu_stat s;

	if (mu_client_exists_sync(cli->client, path, &s, cli->timeout_ms, NULL))
		return cli_exit_of(MU_ETOOBIG);
	snprintf(text, sizeof text,
	         "%.4096s has %" PRId32
	         " children, and the protocol lists all of a node or nothing. "
	         "Raise reply_max in broker.conf (64 MiB unless set; SIGHUP "
	         "reads it again), or put them below several nodes; each can "
	         "be read by its name all the while",
	         path, s.num_children);
	return cli_fail(cli, MU_ETOOBIG, text);
}

static int list_long(struct cli *cli, const char *path)
{
	struct listed l;
	int rc = listed_read(cli, path, true, &l);

	if (rc == MU_ETOOBIG)
		return too_many(cli, path);
	if (rc)
		return cli_exit_of(rc);
	rc = cli->json ? cli_print_rows(cli, &l, l.count, fill)
	               : print_long(cli, &l);
	listed_free(&l);
	return rc;
}

static int print_names_json(struct cli *cli, const struct mu_names *names)
{
	struct mu_json *a = mu_json_array();
	int rc = a ? 0 : MU_ENOMEM;

	for (size_t i = 0; i < names->count && rc == 0; i++)
		rc = mu_json_add_str(a, names->names[i]);
	if (rc == 0)
		return cli_print_json(cli, a);
	mu_json_free(a);
	return cli_fail(cli, rc, NULL);
}

static int list_names(struct cli *cli, const char *path)
{
	struct mu_names names = { NULL, 0, { 0 } };
	struct mu_err err = { 0, "" };
	int rc = mu_client_children_sync(cli->client, path, &names,
	                                 cli->timeout_ms, &err);

	if (rc)
		cli_fail(cli, rc, err.msg);
	if (rc == MU_ETOOBIG)
		return too_many(cli, path);
	if (rc)
		return cli_exit_of(rc);
	if (cli->json)
		rc = print_names_json(cli, &names);
	else
		table_names(names.names, names.count,
		            mu_tty_is(1) ? mu_tty_width(1) : 0);
	mu_names_free(&names);
	return rc;
}

int cmd_ls(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	int rc;

	if (!path)
		return CLI_USAGE;
	rc = cli_connect(cli);
	if (rc)
		return rc;
	return cli_given(cli, "long") ? list_long(cli, path)
	                              : list_names(cli, path);
}
