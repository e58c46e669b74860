/*
 * dirwatch.h - hear that something in a directory has changed (inotify). A hint,
 * no more: what a symbolic link points to elsewhere, or another machine does on a
 * shared disk, is not heard of.
 */
#ifndef MU_IO_DIRWATCH_H
#define MU_IO_DIRWATCH_H

#include "loop.h"

struct mu_dirwatch;

/* fn: files of some directory were made, written and closed, or moved there since
 * it was called last. Must not free the watch. MU_EIO, MU_ENOMEM. */
int mu_dirwatch_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                    struct mu_dirwatch **out, struct mu_err *err);
/* Watch this one too; twice counts once. MU_EIO. */
int mu_dirwatch_add(struct mu_dirwatch *w, const char *dir, struct mu_err *err);
void mu_dirwatch_free(struct mu_dirwatch *w); /* NULL is allowed */

#endif /* MU_IO_DIRWATCH_H */
