/* cmd_tree.c - muster tree: draw a node and all below it. */
#include "cli.h"
#include "commands.h"
#include "table.h"
#include "walk.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 1000

/* Is there a later node at this depth before the branch ends? */
static bool has_later_sibling(const struct walk *w, size_t i, uint32_t depth)
{
	for (size_t j = i + 1; j < w->count && w->node[j].depth >= depth; j++)
		if (w->node[j].depth == depth)
			return true;
	return false;
}

static void draw_node(const struct cli *cli, const struct walk *w, size_t i,
                      bool *open)
{
	const struct walk_node *n = &w->node[i];
	const char *slash = strrchr(n->path, '/');
	const char *name = n->depth == 0 ? n->path : slash + 1;
	bool ephemeral = n->stat.ephemeral_owner != 0;
	enum table_colour c = ephemeral              ? TABLE_GREEN
	                      : n->stat.num_children ? TABLE_BLUE
	                                             : TABLE_PLAIN;

	for (uint32_t d = 1; d < n->depth; d++)
		fputs(open[d] ? "│   " : "    ", stdout);
	if (n->depth > 0) {
		open[n->depth] = has_later_sibling(w, i, n->depth);
		fputs(open[n->depth] ? "├── " : "└── ", stdout);
	}
	fputs(table_paint(cli->colour, c), stdout);
	table_safe(name, strlen(name));
	if (ephemeral)
		putchar('*');
	fputs(table_plain(cli->colour && c != TABLE_PLAIN), stdout);
	if (n->stat.data_len > 0)
		printf("  (%" PRId32 " byte%s, version %" PRId32 ")",
		       n->stat.data_len, n->stat.data_len == 1 ? "" : "s",
		       n->stat.version);
	putchar('\n');
}

static int draw(struct cli *cli, const struct walk *w)
{
	bool *open = calloc(DEPTH_MAX + 2, sizeof *open);

	if (!open)
		return cli_fail(cli, MU_ENOMEM, NULL);
	for (size_t i = 0; i < w->count; i++)
		draw_node(cli, w, i, open);
	free(open);
	return CLI_OK;
}

static int fill(struct mu_json *o, const void *rows, size_t i)
{
	const struct walk *w = rows;
	int rc = mu_json_set_str(o, "path", w->node[i].path);

	return rc ? rc : cli_json_stat(o, &w->node[i].stat);
}

int cmd_tree(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	int64_t depth;
	struct walk w;
	int rc;

	if (!path ||
	    !cli_given_number(cli, "depth", 0, DEPTH_MAX, DEPTH_MAX, &depth))
		return CLI_USAGE;
	rc = cli_connect(cli);
	if (rc)
		return rc;
	rc = walk_tree(cli, path, (uint32_t)depth, &w);
	if (rc)
		return cli_fail_at(cli, rc, path);
	rc = cli->json ? cli_print_rows(cli, &w, w.count, fill) : draw(cli, &w);
	walk_free(&w);
	return rc;
}
