/* cmd_get.c - muster get: print the value of a node. */
#include "cli.h"
#include "commands.h"

#include "json.h"
#include "tty.h"

static int print_json(struct cli *cli, const char *path,
                      const struct mu_value *v)
{
	struct mu_json *o = mu_json_object();

	if (mu_json_set_str(o, "path", path) ||
	    mu_json_set_data(o, "data", v->data, v->len) ||
	    cli_json_stat(o, &v->stat)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

int cmd_get(struct cli *cli)
{
	struct mu_value v = { NULL, -1, { 0 } };
	struct mu_err err = { 0, "" };
	const char *path = cli_path(cli, 0);
	int rc;

	if (!path)
		return CLI_USAGE;
	rc = cli_connect(cli);
	if (rc)
		return rc;
	rc = mu_client_get_sync(cli->client, path, &v, cli->timeout_ms, &err);
	if (rc)
		return cli_fail(cli, rc, err.msg);
	if (cli->json) {
		rc = print_json(cli, path, &v);
	} else if (v.len > 0) {
		const char *text = v.data;

		fwrite(text, 1, (size_t)v.len, stdout);
		/* A prompt should not end up on the value's last line. */
		if (mu_tty_is(1) && text[v.len - 1] != '\n')
			putchar('\n');
	}
	mu_value_free(&v);
	return rc;
}
