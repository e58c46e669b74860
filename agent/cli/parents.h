/* parents.h - make a node together with the parents that are missing. */
#ifndef MU_CLI_PARENTS_H
#define MU_CLI_PARENTS_H

#include <muster/client.h>

struct cli;

/* Make the parents of `path` that are missing, with null data; that they are
 * there already is no error. 0 or MU_E*. */
int parents_make(struct cli *cli, const char *path, struct mu_err *err);

/* Make `path` with its parents, or set it if it came to be meanwhile. */
int parents_create(struct cli *cli, const char *path, const void *data,
                   int32_t len, struct mu_stat *stat, struct mu_err *err);

#endif /* MU_CLI_PARENTS_H */
