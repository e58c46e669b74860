/*
 * plan.h - what an import has to do: the file held against the tree.
 *
 * A plan is made without changing anything, shown, and then carried out. Creates
 * and sets come parents first, then ACLs and deletes children first.
 */
#ifndef MU_CLI_PLAN_H
#define MU_CLI_PLAN_H

#include "nodefile.h"
#include "walk.h"

enum plan_what { PLAN_CREATE, PLAN_SET, PLAN_ACL, PLAN_DELETE, PLAN_WHATS };

struct plan_op {
	enum plan_what what;
	const char *path;
	struct nodeline *node; /* NULL: of a delete */
};

struct plan {
	struct cli *cli;
	const struct nodefile *file;
	bool cas; /* sets go by the version in the file */
	struct plan_op *op;
	size_t ops, room;
	size_t count[PLAN_WHATS];
	size_t same;      /* nodes that are as they should be */
	size_t ephemeral; /* not in the file, and left alone with their parents */
	struct walk walk; /* for deletes */
	size_t done;      /* of ops, carried out */
};

/* Read the tree and make the plan; with_delete: nodes below the file's top that
 * it does not have are to go. An exit code; a sentence has been printed, and the
 * plan is empty, unless it is CLI_OK. */
int plan_make(struct cli *cli, const struct nodefile *file, bool with_delete,
              bool cas, struct plan *out);
/* An exit code; a sentence has been printed unless it is CLI_OK. */
int plan_carry_out(struct plan *p);
void plan_free(struct plan *p);

/* "create", "set", "acl", "delete" */
const char *plan_word(enum plan_what what);

#endif /* MU_CLI_PLAN_H */
