/* cmd_rm.c - muster rm: delete a node, or a whole subtree after asking. */
#include "cli.h"
#include "commands.h"
#include "walk.h"

#include "json.h"
#include "tty.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20u /* paths shown before asking */
#define BATCH 100u    /* deletes in one transaction */

static int print_done(struct cli *cli, const char *path, size_t count)
{
	struct mu_json *o;

	if (!cli->json)
		return CLI_OK;
	o = mu_json_object();
	if (mu_json_set_str(o, "path", path) ||
	    mu_json_set_int(o, "deleted", (int64_t)count)) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

static int remove_one(struct cli *cli, const char *path, int32_t version)
{
	struct mu_err err = { 0, "" };
	char text[512];
	int rc = mu_client_delete_sync(cli->client, path, version,
	                               cli->timeout_ms, &err);

	if (rc == 0)
		return print_done(cli, path, 1);
	if (rc != MU_ENOTEMPTY)
		return cli_fail(cli, rc, err.msg);
	snprintf(text, sizeof text, "%s has children; rm -r deletes them too",
	         path);
	return cli_fail(cli, rc, text);
}

static bool agreed(struct cli *cli, const struct walk *w)
{
	char question[128];

	if (cli_given(cli, "yes"))
		return true;
	for (size_t i = 0; i < w->count && i < SHOWN_MAX; i++)
		fprintf(stderr, "  %s%s\n", w->node[i].path,
		        w->node[i].stat.ephemeral_owner ? "  (ephemeral)" : "");
	if (w->count > SHOWN_MAX)
		fprintf(stderr, "  ... and %zu more\n", w->count - SHOWN_MAX);
	snprintf(question, sizeof question, "Delete %zu node%s?", w->count,
	         w->count == 1 ? "" : "s");
	if (mu_tty_ask(question))
		return true;
	cli_fail(cli, MU_EINVAL,
	         "nothing was deleted; --yes deletes without asking");
	return false;
}

/* What is still to be deleted: node[0] to node[left - 1]. */
struct removal {
	const struct walk *w;
	size_t left;
	const char *at; /* where it failed */
};

/* The last `n` nodes in one transaction: children before their parents. */
static int remove_together(struct cli *cli, struct removal *m, size_t n)
{
	struct mu_multi_op ops[BATCH];
	size_t failed = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		ops[i] = (struct mu_multi_op){
			.kind = MU_OPKIND_DELETE,
			.path = m->w->node[m->left - 1 - i].path,
			.len = -1,
			.version = -1,
		};
	rc = mu_client_multi_sync(cli->client, ops, n, &failed, cli->timeout_ms,
	                          NULL);
	if (rc == 0)
		m->left -= n;
	else
		m->at = ops[failed].path;
	return rc;
}

/* The same one by one: some have gone by themselves. */
static int remove_singly(struct cli *cli, struct removal *m, size_t n)
{
	int rc = 0;

	for (; n > 0 && rc == 0; n--) {
		m->at = m->w->node[m->left - 1].path;
		rc = mu_client_delete_sync(cli->client, m->at, -1,
		                           cli->timeout_ms, NULL);
		if (rc == MU_ENONODE)
			rc = 0;
		if (rc == 0)
			m->left--;
	}
	return rc;
}

static int remove_all(struct cli *cli, const struct walk *w)
{
	struct removal m = { .w = w, .left = w->count, .at = "" };
	bool tell = mu_tty_is(2) && w->count > 10 * BATCH;
	char text[MU_ERR_MSG_MAX];
	int rc = 0;

	while (rc == 0 && m.left > 0) {
		size_t n = m.left < BATCH ? m.left : BATCH;

		rc = remove_together(cli, &m, n);
		if (rc == MU_ENONODE || rc == MU_ETOOBIG)
			rc = remove_singly(cli, &m, n);
		if (tell)
			fprintf(stderr, "\r%zu of %zu", w->count - m.left,
			        w->count);
	}
	if (tell)
		fputc('\n', stderr);
	if (rc == 0)
		return CLI_OK;
	snprintf(text, sizeof text, "%zu of %zu deleted, then %.200s: %s",
	         w->count - m.left, w->count, m.at, mu_client_strerror(rc));
	return cli_fail(cli, rc, text);
}

static int remove_tree(struct cli *cli, const char *path)
{
	struct walk w;
	int rc = walk_tree(cli, path, UINT32_MAX, &w);

	if (rc)
		return cli_fail_at(cli, rc, path);
	rc = agreed(cli, &w) ? remove_all(cli, &w) : CLI_FAILED;
	if (rc == CLI_OK)
		rc = print_done(cli, path, w.count);
	walk_free(&w);
	return rc;
}

int cmd_rm(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	bool tree = cli_given(cli, "recursive") != NULL;
	int64_t version;
	int rc;

	if (!path ||
	    !cli_given_number(cli, "if-version", 0, INT32_MAX, -1, &version))
		return CLI_USAGE;
	if (tree && version >= 0)
		return cli_usage(cli, "--if-version goes with one node only");
	if (strcmp(path, "/") == 0 || strcmp(path, "/zookeeper") == 0)
		return cli_usage(cli,
		                 "%s cannot be deleted: it belongs to the "
		                 "broker; name what is to go below it",
		                 path);
	rc = cli_connect(cli);
	if (rc)
		return rc;
	return tree ? remove_tree(cli, path)
	            : remove_one(cli, path, (int32_t)version);
}
