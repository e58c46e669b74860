#include "walk.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define PIPELINE 200u /* under the limit of requests without an answer */

/* The walk in flight. Nodes are appended and asked about in one order, and the
 * answers come in that order too: their number is the place of their node. */
struct walking {
	struct walk *w;
	uint32_t depth;
	size_t asked, answered;
	int rc;
};

static int node_add(struct walk *w, char *path, uint32_t depth)
{
	if (!path)
		return MU_ENOMEM;
	if (w->count == w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		struct walk_node *node = realloc(w->node, room * sizeof *node);

		if (!node) {
			free(path);
			return MU_ENOMEM;
		}
		w->node = node;
		w->room = room;
	}
	w->node[w->count++] = (struct walk_node){ path, depth, { 0 } };
	return 0;
}

static void answered(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct walking *g = arg;
	struct walk *w = g->w;
	size_t index = g->answered++;

	(void)c;
	if (r->rc == MU_ENONODE && index > 0) {
		/* Marked by an empty path, swept out at the end. */
		w->node[index].path[0] = '\0';
		return;
	}
	if (r->rc) {
		g->rc = r->rc;
		return;
	}
	if (r->stat)
		w->node[index].stat = *r->stat;
	if (w->node[index].depth == g->depth)
		return;
	for (size_t i = 0; i < r->count && g->rc == 0; i++)
		g->rc = node_add(w,
		                 cli_join(w->node[index].path, r->children[i]),
		                 w->node[index].depth + 1);
}

static int ask_next(struct cli *cli, struct walking *g)
{
	return mu_client_children(cli->client, g->w->node[g->asked++].path,
	                          false, answered, g);
}

/* '/' sorts below all else, so that a node comes just before its children. */
int walk_order(const char *a, const char *b)
{
	const unsigned char *p = (const void *)a, *q = (const void *)b;

	while (*p && *p == *q) {
		p++;
		q++;
	}
	if (*p == *q)
		return 0;
	if (!*p || !*q)
		return *p ? 1 : -1;
	if (*p == '/' || *q == '/')
		return *p == '/' ? -1 : 1;
	return *p < *q ? -1 : 1;
}

static int node_order(const void *a, const void *b)
{
	return walk_order(((const struct walk_node *)a)->path,
	                  ((const struct walk_node *)b)->path);
}

static void sweep(struct walk *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->count; i++) {
		if (w->node[i].path[0])
			w->node[kept++] = w->node[i];
		else
			free(w->node[i].path);
	}
	w->count = kept;
	qsort(w->node, w->count, sizeof *w->node, node_order);
}

int walk_tree(struct cli *cli, const char *top, uint32_t depth,
              struct walk *out)
{
	struct walking g = { .w = out, .depth = depth };
	struct cli_progress progress = { 0, 0 };

	*out = (struct walk){ 0 };
	g.rc = node_add(out, strdup(top), 0);
	while (g.rc == 0 && g.answered < out->count) {
		int rc = 0;

		while (rc == 0 && g.asked < out->count &&
		       g.asked - g.answered < PIPELINE)
			rc = ask_next(cli, &g);
		if (rc == 0)
			rc = cli_turn(cli, &progress, g.answered);
		if (g.rc == 0)
			g.rc = rc;
	}
	if (g.rc == 0) {
		sweep(out);
		return 0;
	}
	if (g.answered < g.asked) {
		/* Answers that are still out must not find the walk gone. */
		mu_client_free(cli->client);
		cli->client = NULL;
	}
	walk_free(out);
	return g.rc;
}

void walk_free(struct walk *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->node[i].path);
	free(w->node);
	*w = (struct walk){ 0 };
}

bool walk_is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	if (len == 1)
		return true;
	return strncmp(path, top, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}
