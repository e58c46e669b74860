/* cmd_stat.c - muster stat: the Stat of a node. */
#include "cli.h"
#include "commands.h"

#include "json.h"

#include <inttypes.h>

static int print_json(struct cli *cli, const char *path,
                      const struct mu_stat *s)
{
	struct mu_json *o = mu_json_object();

	if (mu_json_set_str(o, "path", path) || cli_json_stat(o, s)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

/* ZooKeeper's names and order (rule 54), as zkCli prints them. */
static void print_plain(const struct mu_stat *s)
{
	char ctime[32], mtime[32];

	cli_time(ctime, sizeof ctime, s->ctime);
	cli_time(mtime, sizeof mtime, s->mtime);
	printf("cZxid          0x%" PRIx64 "\n", (uint64_t)s->czxid);
	printf("ctime          %s\n", ctime);
	printf("mZxid          0x%" PRIx64 "\n", (uint64_t)s->mzxid);
	printf("mtime          %s\n", mtime);
	printf("pZxid          0x%" PRIx64 "\n", (uint64_t)s->pzxid);
	printf("version        %" PRId32 "\n", s->version);
	printf("cversion       %" PRId32 "\n", s->cversion);
	printf("aclVersion     %" PRId32 "\n", s->aversion);
	printf("ephemeralOwner 0x%" PRIx64 "\n", (uint64_t)s->ephemeral_owner);
	printf("dataLength     %" PRId32 "\n", s->data_len);
	printf("numChildren    %" PRId32 "\n", s->num_children);
}

int cmd_stat(struct cli *cli)
{
	struct mu_stat s;
	struct mu_err err = { 0, "" };
	const char *path = cli_path(cli, 0);
	int rc;

	if (!path)
		return CLI_USAGE;
	rc = cli_connect(cli);
	if (rc)
		return rc;
	rc = mu_client_exists_sync(cli->client, path, &s, cli->timeout_ms,
	                           &err);
	if (rc)
		return cli_fail(cli, rc, err.msg);
	if (cli->json)
		return print_json(cli, path, &s);
	print_plain(&s);
	return CLI_OK;
}
