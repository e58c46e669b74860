/*
 * files.h - small files that must be whole: read one, replace one atomically.
 */
#ifndef MU_IO_FILES_H
#define MU_IO_FILES_H

#include <muster/types.h>

/* Read all of a file of at most `max` bytes; *out is freed with mu_free and has
 * a NUL after its *len bytes. MU_ENONODE (not there), MU_ETOOBIG, MU_EIO,
 * MU_ENOMEM. */
int mu_file_read(const char *path, size_t max, char **out, size_t *len,
                 struct mu_err *err);
/* Replace: temporary file in the same directory, exactly this mode, fsync,
 * rename, fsync of the directory. A symbolic link is replaced, not followed.
 * MU_EIO: the old file is as it was, and nothing is left beside it; save when
 * the last fsync alone fails: then the new one is in place, but may not outlive
 * a crash. */
int mu_file_replace(const char *path, const void *p, size_t len, unsigned mode,
                    struct mu_err *err);
/* Make a directory and what is missing above it, all with this mode (less the
 * umask). One that is there is left as it is. MU_EIO. */
int mu_dir_make(const char *path, unsigned mode, struct mu_err *err);
/* Open (creating, 0600) and lock a file for as long as the descriptor lives; it
 * then holds our pid. MU_EFULL: somebody else holds it, with his pid; MU_EIO. */
int mu_file_lock(const char *path, int *fd, struct mu_err *err);

#endif /* MU_IO_FILES_H */
