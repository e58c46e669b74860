/*
 * listed.h - the children of a node with what they hold, read at once.
 *
 * The layout of /members/<host> and /applied/<instance>/<host> is JSON. What
 * does not parse is shown as such, never trusted.
 */
#ifndef MU_CLI_LISTED_H
#define MU_CLI_LISTED_H

#include <muster/client.h>

struct cli;
struct mu_json;

struct listed {
	char **name; /* sorted by byte */
	char **path;
	struct mu_value *value;
	int *rc; /* of each; not 0: it went meanwhile */
	size_t count;
};

/* Read the children of `path`; stat_only: without their values. 0; or MU_E*,
 * a sentence has been printed then and *out is empty. */
int listed_read(struct cli *cli, const char *path, bool stat_only,
                struct listed *out);
/* The same, but a node that is missing gives an empty list. */
int listed_read_any(struct cli *cli, const char *path, struct listed *out);
void listed_free(struct listed *l);
/* The place of a name; -1. */
int listed_find(const struct listed *l, const char *name);

/* A value's JSON object, or NULL if it is none. */
struct mu_json *listed_json(const struct listed *l, size_t i);

#endif /* MU_CLI_LISTED_H */
