/* cmd_create.c - muster create: make a node. */
#include "cli.h"
#include "commands.h"
#include "parents.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

static int print_made(struct cli *cli, const char *path)
{
	struct mu_json *o;

	if (!cli->json) {
		puts(path);
		fflush(stdout);
		return CLI_OK;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "path", path)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

/* An ephemeral lives as long as its session: hold it until a signal comes. */
static int hold(struct cli *cli)
{
	int rc = cli_pump(cli, NULL);

	return rc ? cli_fail(cli, rc,
	                     "the session has expired, and the node "
	                     "with it")
	          : CLI_OK;
}

/* It is not the node that is missing, but one above it. */
static int no_parent(struct cli *cli, const char *path)
{
	char text[512];

	snprintf(text, sizeof text,
	         "%.400s has no parent yet; add --parents to make what is "
	         "missing above it",
	         path);
	return cli_fail(cli, MU_ENONODE, text);
}

static int create(struct cli *cli, const char *path, const void *data,
                  int32_t len)
{
	unsigned flags = MU_CREATE_PERSISTENT;
	bool parents = cli_given(cli, "parents") != NULL;
	bool ephemeral = cli_given(cli, "ephemeral") != NULL;
	size_t room = strlen(path) + 16;
	char *made = malloc(room);
	struct mu_err err = { 0, "" };
	int rc = made ? 0 : MU_ENOMEM;

	if (cli_given(cli, "sequential"))
		flags |= MU_CREATE_SEQUENTIAL;
	if (ephemeral)
		flags |= MU_CREATE_EPHEMERAL;
	if (rc == 0 && parents)
		rc = parents_make(cli, path, &err);
	if (rc == 0)
		rc = mu_client_create_sync(cli->client, path, data, len, flags,
		                           made, room, cli->timeout_ms, &err);
	/* As mkdir -p: no error, but a value is never dropped unsaid. */
	if (rc == MU_EEXISTS && parents && !ephemeral && len < 0) {
		snprintf(made, room, "%s", path);
		rc = 0;
	}
	if (rc == MU_ENONODE)
		rc = no_parent(cli, path);
	else
		rc = rc ? cli_fail(cli, rc, err.msg) : print_made(cli, made);
	if (rc == CLI_OK && ephemeral)
		rc = hold(cli);
	free(made);
	return rc;
}

int cmd_create(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	int32_t len;
	void *data;
	int rc;

	if (!path)
		return CLI_USAGE;
	rc = cli_value(cli, 1, &data, &len);
	if (rc)
		return rc;
	rc = cli_connect(cli);
	if (rc == CLI_OK)
		rc = create(cli, path, data, len);
	free(data);
	return rc;
}
