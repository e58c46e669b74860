/*
 * savefile.h - a file that is written in pieces and appears whole or not at all.
 *
 * The bytes go to a temporary file beside it, through the descriptor; it takes
 * the name when all is written and synced. Given up, nothing is left.
 */
#ifndef MU_IO_SAVEFILE_H
#define MU_IO_SAVEFILE_H

#include <muster/types.h>

struct mu_savefile;

/* replace: a file of that name may be there, and is replaced at the commit; else
 * MU_EEXISTS, now or then. MU_EIO, MU_ENOMEM; each with a sentence. */
int mu_savefile_open(const char *path, bool replace, unsigned mode,
                     struct mu_savefile **out, struct mu_err *err);
/* For writing and reading; stays the file's. */
int mu_savefile_fd(const struct mu_savefile *s);
/* Sync, give it its name, sync the directory. Lets the handle go in any case.
 * MU_EIO, MU_EEXISTS: nothing is left; save when the last sync alone fails: then
 * the file is in place, but may not outlive a crash. */
int mu_savefile_commit(struct mu_savefile *s, struct mu_err *err);
/* Give it up. NULL is allowed. */
void mu_savefile_abort(struct mu_savefile *s);

#endif /* MU_IO_SAVEFILE_H */
