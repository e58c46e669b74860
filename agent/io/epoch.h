/*
 * epoch.h - the lock of a data directory, and the number that grows with each
 * start of its broker.
 */
#ifndef MU_IO_EPOCH_H
#define MU_IO_EPOCH_H

#include <muster/types.h>

#define MU_EPOCH_VERSION 1 /* of the file DIR/epoch */

/* Make DIR if it is missing (mode 0750) and lock it against a second broker by
 * DIR/lock, for as long as the descriptor *fd lives. MU_EFULL: another process
 * holds it; MU_EIO. */
int mu_data_lock(const char *dir, int *fd, struct mu_err *err);

/* Raise the epoch in DIR/epoch by one, to at_least if that is more (temp, fsync,
 * rename, fsync of the directory; a version line in front; a newer version is
 * refused). The first is 1, or at_least. Errors: MU_EIO, MU_EDATA (the file is
 * damaged, or the epoch cannot grow: says what to do), MU_ENOMEM. */
int mu_epoch_raise(const char *dir, uint32_t at_least, uint32_t *epoch,
                   struct mu_err *err);

/* The one in DIR/epoch; 0: there is none yet. Changes nothing. Errors as above. */
int mu_epoch_look(const char *dir, uint32_t *epoch, struct mu_err *err);

#endif /* MU_IO_EPOCH_H */
