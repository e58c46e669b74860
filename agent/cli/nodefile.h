/* nodefile.h - a whole file of nodelines, read and checked before anything else. */
#ifndef MU_CLI_NODEFILE_H
#define MU_CLI_NODEFILE_H

#include "nodeline.h"

struct cli;

struct nodefile {
	const char *name;      /* for sentences */
	struct nodeline *node; /* by walk_order */
	size_t count, room;
	char *top; /* the node of the first line; NULL: there is none */
};

/* Read `file` ("-": standard input). at: where the node of the first line is to
 * stand, and all others, which must be below it, with it; NULL: where they were.
 * An exit code; anything but CLI_OK: each fault has been printed with its line,
 * and *out is empty. */
int nodefile_read(struct cli *cli, const char *file, const char *at,
                  struct nodefile *out);
void nodefile_free(struct nodefile *f);
/* The node of this path; NULL. */
struct nodeline *nodefile_find(const struct nodefile *f, const char *path);

/* Is there a node below this path? */
bool nodefile_has_below(const struct nodefile *f, const char *path);

#endif /* MU_CLI_NODEFILE_H */
