/*
 * filecopy.h - whole files as a plugin that keeps one up to date handles them:
 * what returns with 0 is on the disk, and survives a loss of power.
 */
#ifndef MU_PLUGINS_FILECOPY_H
#define MU_PLUGINS_FILECOPY_H

#include <muster/types.h>

#include <sys/stat.h>

struct mu_filecopy {
	bool exists;
	char *bytes; /* owned; NULL if it does not exist */
	size_t len;
	struct stat st;
};

/* Read a file; one that is not there is no error. MU_EIO (also for what is no
 * regular file), MU_ENOMEM, MU_ETOOBIG (over `max` bytes). */
int mu_filecopy_read(const char *path, size_t max, struct mu_filecopy *out,
                     struct mu_err *err);
void mu_filecopy_fini(struct mu_filecopy *f);

/* Make a new file in place of whatever bears that name, and sync it; its
 * directory is not synced. The owner becomes that of `like` where we may set
 * it; NULL: ours. On error no file of that name is left. MU_EIO. */
int mu_filecopy_write(const char *path, const void *p, size_t len, mode_t mode,
                      const struct stat *like, struct mu_err *err);

/* Rename over `to`; or remove, where a file that is not there is no error; or
 * neither. Then sync the directory of the path. MU_EIO. */
int mu_filecopy_rename(const char *from, const char *to, struct mu_err *err);
int mu_filecopy_remove(const char *path, struct mu_err *err);
int mu_filecopy_sync_dir(const char *path, struct mu_err *err);

/* CRC-32C (Castagnoli), as of iSCSI: 0xe3069283 for "123456789". */
uint32_t mu_filecopy_crc32c(const void *p, size_t len);

#endif /* MU_PLUGINS_FILECOPY_H */
