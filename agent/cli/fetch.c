/* fetch.c - read many nodes at once: requests go out in a pipeline. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define PIPELINE 200u /* under the limit of requests without an answer */

/* Answers come in the order of the requests, so their number is their place. */
struct fetch {
	struct mu_value *values;
	int *rcs;
	size_t done;
};

static void fetched(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct fetch *f = arg;
	size_t i = f->done++;
	struct mu_value *v = &f->values[i];

	(void)c;
	f->rcs[i] = r->rc;
	if (r->rc)
		return;
	if (r->stat)
		v->stat = *r->stat;
	v->len = r->data ? r->len : -1;
	if (v->len < 0)
		return;
	v->data = malloc((size_t)v->len + 1);
	if (!v->data) {
		f->rcs[i] = MU_ENOMEM;
		return;
	}
	memcpy(v->data, r->data, (size_t)v->len);
	((char *)v->data)[v->len] = '\0';
}

static int ask(struct cli *cli, const char *path, bool stat_only,
               struct fetch *f)
{
	return stat_only
	               ? mu_client_exists(cli->client, path, false, fetched, f)
	               : mu_client_get(cli->client, path, false, fetched, f);
}

int cli_fetch(struct cli *cli, char *const *paths, size_t count, bool stat_only,
              struct mu_value *values, int *rcs)
{
	struct fetch f = { values, rcs, 0 };
	struct cli_progress progress = { 0, 0 };
	size_t sent = 0;
	int rc = 0;

	while (rc == 0 && f.done < count) {
		while (rc == 0 && sent < count && sent - f.done < PIPELINE)
			rc = ask(cli, paths[sent++], stat_only, &f);
		if (rc == 0)
			rc = cli_turn(cli, &progress, f.done);
	}
	if (rc == 0)
		return 0;
	/* Answers that are still out must not find their place gone. */
	mu_client_free(cli->client);
	cli->client = NULL;
	return rc;
}
