/* cmd_version.c - muster version. Asks no broker. */
#include "cli.h"
#include "commands.h"

#include "json.h"

int cmd_version(struct cli *cli)
{
	struct mu_json *o;

	if (!cli->json) {
		printf("muster %s\n", mu_client_version());
		return CLI_OK;
	}
	o = mu_json_object();
	if (mu_json_set_str(o, "version", mu_client_version())) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}
