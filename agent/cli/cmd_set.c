/* cmd_set.c - muster set: change the value of a node. */
#include "cli.h"
#include "commands.h"
#include "parents.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>

static int print_done(struct cli *cli, const char *path,
                      const struct mu_stat *s)
{
	struct mu_json *o;

	if (!cli->json) {
		printf("%s version %" PRId32 "\n", path, s->version);
		return CLI_OK;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "path", path) ||
	    mu_json_set_int(o, "version", s->version) ||
	    mu_json_set_int(o, "zxid", s->mzxid)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

static int no_such_node(struct cli *cli, const char *path)
{
	char text[512];

	snprintf(text, sizeof text,
	         "%s does not exist; add --create to make it", path);
	return cli_fail(cli, MU_ENONODE, text);
}

static int changed_meanwhile(struct cli *cli, const char *path, int64_t want)
{
	struct mu_stat s;
	char text[512];

	if (mu_client_exists_sync(cli->client, path, &s, cli->timeout_ms, NULL))
		return cli_fail(cli, MU_EBADVERSION, NULL);
	snprintf(text, sizeof text,
	         "%s is at version %" PRId32 ", not %" PRId64
	         ": somebody changed it. Read it again, then set --if-version "
	         "%" PRId32,
	         path, s.version, want, s.version);
	return cli_fail(cli, MU_EBADVERSION, text);
}

int cmd_set(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	bool create = cli_given(cli, "create") != NULL;
	struct mu_stat stat = { 0 };
	struct mu_err err = { 0, "" };
	int64_t version;
	int32_t len;
	void *data;
	int rc;

	if (!path ||
	    !cli_given_number(cli, "if-version", 0, INT32_MAX, -1, &version))
		return CLI_USAGE;
	if (create && version >= 0)
		return cli_usage(cli, "--create and --if-version do not go "
		                      "together");
	rc = cli_value(cli, 1, &data, &len);
	if (rc)
		return rc;
	if (len < 0)
		return cli_usage(cli, "which value? give it, or --file FILE");
	rc = cli_connect(cli);
	if (rc)
		goto out;
	rc = mu_client_set_sync(cli->client, path, data, len, (int32_t)version,
	                        &stat, cli->timeout_ms, &err);
	if (rc == MU_ENONODE && create)
		rc = parents_create(cli, path, data, len, &stat, &err);
	if (rc == 0)
		rc = print_done(cli, path, &stat);
	else if (rc == MU_ENONODE)
		rc = no_such_node(cli, path);
	else if (rc == MU_EBADVERSION)
		rc = changed_meanwhile(cli, path, version);
	else
		rc = cli_fail(cli, rc, err.msg);
out:
	free(data);
	return rc;
}
