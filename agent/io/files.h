/*
 * files.h - small files that must be whole: read one, replace one atomically.
 */
#ifndef MU_IO_FILES_H
#define MU_IO_FILES_H

#include <muster/types.h>

/* Read all of a file of at most `max` bytes; *out is freed with mu_free and has
 * a NUL after its *len bytes. MU_ENONODE (not there), MU_ETOOBIG, MU_EIO. */
int mu_file_read(const char *path, size_t max, char **out, size_t *len,
                 struct mu_err *err);
/* Replace: temporary file in the same directory, mode, fsync, rename, fsync of
 * the directory. On error the old file is as it was. MU_EIO. */
int mu_file_replace(const char *path, const void *p, size_t len, unsigned mode,
                    struct mu_err *err);
/* Make a directory and what is missing above it. MU_EIO. */
int mu_dir_make(const char *path, unsigned mode, struct mu_err *err);
/* Open (creating) and lock a file for as long as the descriptor lives.
 * MU_EFULL: somebody else holds it; MU_EIO. */
int mu_file_lock(const char *path, int *fd, struct mu_err *err);

#endif /* MU_IO_FILES_H */
