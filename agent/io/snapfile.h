/*
 * snapfile.h - snapshots as files: snapshot-<index, 20 digits> in the data
 * directory. Synchronous, over struct mu_disk; no thread, no clock.
 *
 * A file of that name is whole: it was written under a name ending in .tmp,
 * synced, renamed, and the directory synced. Nothing here changes or removes a
 * snapshot, save mu_snapfile_purge, which the newest always survives.
 */
#ifndef MU_IO_SNAPFILE_H
#define MU_IO_SNAPFILE_H

#include "disk.h"
#include "snapshot.h"

#define MU_SNAPFILE_NAME_MAX 64u /* bytes, with the final NUL */

/* "snapshot-00000000000000000042" */
void mu_snapfile_name(uint64_t index, char out[MU_SNAPFILE_NAME_MAX]);
/* False: that is not the name of a snapshot. */
bool mu_snapfile_index(const char *name, uint64_t *index);

/* Called now and then, with bytes done and in all. */
typedef void mu_progress_fn(void *arg, uint64_t done, uint64_t total);

/* Write the state of s; a snapshot of the same index is replaced. *bytes is its
 * size. On error nothing of it is left, as far as the disk lets us, and others
 * are as they were: MU_ENOSPACE (no room, no quota, read-only), MU_EIO,
 * MU_ENOMEM. Syncs every few MiB, so that the journal's syncs, on the same disk,
 * do not wait for all of it. */
int mu_snapfile_write(struct mu_disk *d, const struct mu_store *s,
                      uint64_t *bytes, struct mu_err *err);

/* Read all of it. *info (may be NULL) is what its head says. deep: make a tree
 * of it too, with `config`; else only look at the bytes (mu_snapload_new).
 * MU_EDATA (damaged: says where), MU_EUNIMPLEMENTED (a newer version wrote it),
 * MU_ENONODE (no such file), MU_EIO, MU_ENOMEM. */
int mu_snapfile_check(struct mu_disk *d, uint64_t index,
                      const struct mu_store_config *deep,
                      struct mu_snapshot_info *info, struct mu_err *err);

/* All that are there, by name only, newest first. *list is freed with mu_free;
 * NULL where *count is 0. MU_EIO, MU_ENOMEM. */
int mu_snapfile_list(struct mu_disk *d, uint64_t **list, size_t *count,
                     struct mu_err *err);

struct mu_snapfile_load {
	const struct mu_store_config *config;
	struct mu_when when;
	/* Has the journal all commands after `index`? Asked before an older one
	 * than the newest is taken. NULL: no. */
	bool (*reaches)(void *arg, uint64_t index);
	/* A snapshot is passed over; why, as a sentence. NULL allowed. */
	void (*passed)(void *arg, const char *why);
	mu_progress_fn *progress; /* NULL allowed; at least every 16 MiB */
	void *arg;
};

/* Make a store of the newest snapshot that is good; *info is what its head says.
 * 0 and *out NULL: there is no snapshot. A damaged or unreadable one is passed
 * over for the one before it if the journal reaches back that far, the last one
 * for none at all if the journal reaches back to its beginning (index 0); else
 * MU_EDATA, with what to do. MU_EUNIMPLEMENTED (a newer version wrote it),
 * MU_ENOMEM and MU_EINVAL (config) stop at once. */
int mu_snapfile_load(struct mu_disk *d, const struct mu_snapfile_load *how,
                     struct mu_store **out, struct mu_snapshot_info *info,
                     struct mu_err *err);

/* Remove all but the newest `keep` (at least 1). *oldest: the index of the
 * oldest that is left; 0 while there are fewer than `keep`, for then the journal
 * before them is the other way back. MU_EIO, MU_ENOMEM. */
int mu_snapfile_purge(struct mu_disk *d, uint32_t keep, uint64_t *oldest,
                      struct mu_err *err);

struct mu_snapfile_taken {
	uint64_t index, bytes;
	uint64_t oldest; /* as mu_snapfile_purge */
};

/* All that taking one is: write it (unless one of that index is there and
 * good), read it back and check it, and only then remove the older ones but for
 * `keep` in all. Errors as of write and check; then no older one was touched,
 * and the new one is gone if it was not good. */
int mu_snapfile_take(struct mu_disk *d, const struct mu_store *s, uint32_t keep,
                     struct mu_snapfile_taken *out, struct mu_err *err);

/* At start: remove what is left of unfinished ones. MU_EIO, MU_ENOMEM. */
int mu_snapfile_clean(struct mu_disk *d, struct mu_err *err);

#endif /* MU_IO_SNAPFILE_H */
