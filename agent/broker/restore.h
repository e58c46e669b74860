/*
 * restore.h - a backup takes the place of an empty tree, so that a crash at any
 * point leaves the one or the other whole.
 *
 *     DIR/restore.tmp/     the bytes as they come; then the snapshot made of them
 *     DIR/restore/         the same under its last name: from here on it counts
 *
 * At the next start what stands in DIR/restore takes the place of all that is in
 * DIR. The restored tree is another tree than the one that was backed up (a new
 * tree id), in an epoch far behind any that the other can have seen, so that
 * clients of both are not told to go back in time (rule 9).
 */
#ifndef MU_BROKER_RESTORE_H
#define MU_BROKER_RESTORE_H

#include "snapshot.h"

#define MU_RESTORE_EPOCHS 1024u /* left out */

/* Where the bytes are to be written: an empty file in DIR/restore.tmp. What was
 * there is removed. MU_EIO, MU_ENOSPACE: nothing is left. */
int mu_restore_begin(const char *dir, int *fd, struct mu_err *err);
/* They will not come. */
void mu_restore_drop(const char *dir);
/* All have come: read them, make a tree of them, put its snapshot in place.
 * config as mu_snapload_new. On error nothing is left. MU_EDATA, MU_EUNIMPLEMENTED
 * (a newer version), MU_ENOSPACE, MU_EIO, MU_ENOMEM, each with a sentence. */
int mu_restore_end(const char *dir, const struct mu_store_config *config,
                   struct mu_snapshot_info *info, struct mu_err *err);

/* At the start, with the directory locked: if a restored snapshot waits, let it
 * take the place of all others. *done: it did. MU_EIO, MU_ENOSPACE, MU_ENOMEM;
 * MU_EDATA, MU_EUNIMPLEMENTED (a newer version): it is not good, and the rest of
 * the directory is as it was. */
int mu_restore_finish(const char *dir, bool *done, struct mu_err *err);

/* *waits: the next start would do that. Changes nothing. Errors as there. */
int mu_restore_look(const char *dir, bool *waits, struct mu_err *err);

#endif /* MU_BROKER_RESTORE_H */
