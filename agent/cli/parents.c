#include "parents.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

int parents_make(struct cli *cli, const char *path, struct mu_err *err)
{
	char *part = strdup(path);
	int rc = part ? 0 : MU_ENOMEM;

	if (rc)
		return rc;
	for (char *p = strchr(part + 1, '/'); p && rc == 0;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		rc = mu_client_create_sync(cli->client, part, NULL, -1,
		                           MU_CREATE_PERSISTENT, NULL, 0,
		                           cli->timeout_ms, err);
		if (rc == MU_EEXISTS)
			rc = 0;
		*p = '/';
	}
	free(part);
	return rc;
}

int parents_create(struct cli *cli, const char *path, const void *data,
                   int32_t len, struct mu_stat *stat, struct mu_err *err)
{
	int rc = parents_make(cli, path, err);

	if (rc)
		return rc;
	rc = mu_client_create_sync(cli->client, path, data, len,
	                           MU_CREATE_PERSISTENT, NULL, 0,
	                           cli->timeout_ms, err);
	if (rc == MU_EEXISTS)
		return mu_client_set_sync(cli->client, path, data, len, -1,
		                          stat, cli->timeout_ms, err);
	if (rc)
		return rc;
	return mu_client_exists_sync(cli->client, path, stat, cli->timeout_ms,
	                             err);
}
