/* cmd_import.c - muster import: make the tree as a file of `muster export` says. */
#include "cli.h"
#include "commands.h"
#include "plan.h"

#include "json.h"
#include "tty.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20u /* deletes shown before asking */

static bool agreed(struct cli *cli, const struct plan *p)
{
	char question[128];
	size_t shown = 0, all = p->count[PLAN_DELETE];

	if (all == 0 || cli_given(cli, "yes"))
		return true;
	for (size_t i = 0; i < p->ops && shown < SHOWN_MAX; i++)
		if (p->op[i].what == PLAN_DELETE) {
			fprintf(stderr, "  %s\n", p->op[i].path);
			shown++;
		}
	if (all > shown)
		fprintf(stderr, "  ... and %zu more\n", all - shown);
	snprintf(question, sizeof question, "Delete %zu node%s?", all,
	         all == 1 ? "" : "s");
	if (mu_tty_ask(question))
		return true;
	cli_fail(cli, MU_EINVAL,
	         "nothing was changed; --yes deletes without asking");
	return false;
}

/* ---- printing -------------------------------------------------------------------- */

static int change_fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct plan_op *op = &((const struct plan *)rows)->op[i];

	if (mu_json_set_str(o, "change", plan_word(op->what)) ||
	    mu_json_set_str(o, "path", op->path))
		return MU_ENOMEM;
	return 0;
}

static int print_json(struct cli *cli, const struct plan *p, bool dry)
{
	struct mu_json *o = mu_json_object();

	if (mu_json_set_bool(o, "dry_run", dry) ||
	    mu_json_set_int(o, "created", (int64_t)p->count[PLAN_CREATE]) ||
	    mu_json_set_int(o, "set", (int64_t)p->count[PLAN_SET]) ||
	    mu_json_set_int(o, "acl", (int64_t)p->count[PLAN_ACL]) ||
	    mu_json_set_int(o, "deleted", (int64_t)p->count[PLAN_DELETE]) ||
	    mu_json_set_int(o, "same", (int64_t)p->same) ||
	    (dry && mu_json_set(o, "changes",
	                        cli_json_rows(p, p->ops, change_fill)))) {
		mu_json_free(o);
		return cli_fail(cli, MU_ENOMEM, NULL);
	}
	return cli_print_json(cli, o);
}

static int print_done(struct cli *cli, const struct plan *p, bool dry)
{
	if (p->ephemeral > 0)
		fprintf(stderr,
		        "muster import: %zu ephemeral node%s not in the file "
		        "left alone\n",
		        p->ephemeral, p->ephemeral == 1 ? "" : "s");
	if (cli->json)
		return print_json(cli, p, dry);
	for (size_t i = 0; dry && i < p->ops; i++)
		printf("%s %s\n", plan_word(p->op[i].what), p->op[i].path);
	printf("%s%zu created, %zu set, %zu given another ACL, %zu deleted, "
	       "%zu as they were\n",
	       dry ? "would be: " : "", p->count[PLAN_CREATE],
	       p->count[PLAN_SET], p->count[PLAN_ACL], p->count[PLAN_DELETE],
	       p->same);
	return CLI_OK;
}

/* ---- the command ------------------------------------------------------------------- */

static int import(struct cli *cli, const struct nodefile *f)
{
	bool dry = cli_given(cli, "dry-run") != NULL;
	struct plan p;
	int rc = cli_connect(cli);

	if (rc == CLI_OK)
		rc = plan_make(cli, f, cli_given(cli, "delete") != NULL,
		               cli_given(cli, "cas") != NULL, &p);
	if (rc)
		return rc;
	if (!dry && !agreed(cli, &p))
		rc = CLI_FAILED;
	else if (!dry)
		rc = plan_carry_out(&p);
	if (rc == CLI_OK)
		rc = print_done(cli, &p, dry);
	plan_free(&p);
	return rc;
}

/* --at PATH, judged as a path argument is. */
static const char *path_at(struct cli *cli, char *given)
{
	struct cli look = *cli;

	look.argc = 1;
	look.argv = &given;
	return cli_path(&look, 0);
}

int cmd_import(struct cli *cli)
{
	const char *file = cli->argc == 1 ? cli->argv[0] : "-";
	const char *given = cli_given(cli, "at"), *at = NULL;
	char *copy = given ? strdup(given) : NULL;
	struct nodefile f;
	int rc;

	if (given && !copy)
		return cli_fail(cli, MU_ENOMEM, NULL);
	if (copy) {
		at = path_at(cli, copy);
		if (!at || walk_is_below(at, "/zookeeper")) {
			free(copy);
			return at ? cli_usage(cli, "/zookeeper is the server's "
			                           "own")
			          : CLI_USAGE;
		}
	}
	rc = nodefile_read(cli, file, at, &f);
	if (rc == CLI_OK) {
		rc = import(cli, &f);
		nodefile_free(&f);
	}
	free(copy);
	return rc;
}
