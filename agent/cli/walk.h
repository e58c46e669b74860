/* walk.h - list a node and all below it. */
#ifndef MU_CLI_WALK_H
#define MU_CLI_WALK_H

#include <muster/client.h>

struct cli;

struct walk_node {
	char *path;
	uint32_t depth; /* 0: the top */
	struct mu_stat stat;
};

struct walk {
	struct walk_node *node; /* parents before their children */
	size_t count, room;
};

/* Visit `top` and what is below it, at most `depth` levels; nodes that vanish
 * meanwhile are left out. Requests go out in a pipeline. 0, or MU_E*: *out is
 * then empty and, where answers are still out, the handle gone. */
int walk_tree(struct cli *cli, const char *top, uint32_t depth,
              struct walk *out);
void walk_free(struct walk *w);

/* The order of two paths: parents before their children, each subtree together. */
int walk_order(const char *a, const char *b);
/* Is `path` the node `top`, or below it? */
bool walk_is_below(const char *path, const char *top);

#endif /* MU_CLI_WALK_H */
