/* A backup takes the place of an empty tree. */
#include "restore.h"

#include "clock.h"
#include "epoch.h"
#include "err.h"
#include "files.h"
#include "mem.h"
#include "segments.h"
#include "snapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMING "restore.tmp"
#define PLACED "restore"
#define UPLOAD "upload"
#define CHUNK 65536u      /* bytes read at a time */
#define EPOCHS (1u << 30) /* that a snapshot can be of */

static int place(char out[PATH_MAX], const char *dir, const char *name,
                 struct mu_err *err)
{
	if (strlen(dir) + strlen(name) + 2 > PATH_MAX)
		return mu_err(err, MU_EIO, "the name %.64s... is too long",
		              dir);
	mu_format(out, PATH_MAX, "%s/%s", dir, name);
	return 0;
}

static int refused(const char *what, const char *path, int number,
                   struct mu_err *err)
{
	const bool full = number == ENOSPC || number == EDQUOT ||
	                  number == EROFS || number == EFBIG;

	return mu_err(err, full ? MU_ENOSPACE : MU_EIO, "cannot %s %.200s: %s",
	              what, path, strerror(number));
}

/* ---- directories ------------------------------------------------------------------- */

static int unlink_any(void *arg, const char *name)
{
	struct mu_disk *d = arg;

	return d->unlink(d, name);
}

/* Remove a directory of ours and the files in it; not there is fine. */
static void remove_dir(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct mu_disk *d;

	if (place(path, dir, name, NULL) || access(path, F_OK) ||
	    mu_disk_open(path, &d, NULL))
		return;
	d->list(d, unlink_any, d);
	d->free(d);
	rmdir(path);
}

static int open_dir(const char *dir, const char *name, struct mu_disk **out,
                    struct mu_err *err)
{
	char path[PATH_MAX];
	int rc = place(path, dir, name, err);

	return rc ? rc : mu_disk_open(path, out, err);
}

/* ---- the bytes come ------------------------------------------------------------------ */

int mu_restore_begin(const char *dir, int *fd, struct mu_err *err)
{
	char path[PATH_MAX];
	int rc;

	mu_restore_drop(dir);
	rc = place(path, dir, COMING, err);
	rc = rc ? rc : mu_dir_make(path, 0750, err);
	rc = rc ? rc : place(path, dir, COMING "/" UPLOAD, err);
	if (rc)
		return rc;
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (*fd >= 0)
		return 0;
	rc = refused("make", path, errno, err);
	mu_restore_drop(dir);
	return rc;
}

void mu_restore_drop(const char *dir)
{
	remove_dir(dir, COMING);
}

/* ---- a tree is made of them ------------------------------------------------------------ */

static int feed(struct mu_disk *d, int fd, struct mu_snapload *l,
                struct mu_err *err)
{
	uint8_t chunk[CHUNK];
	uint64_t at = 0;

	for (;;) {
		ssize_t got = d->read(d, fd, chunk, sizeof chunk, at);
		int rc;

		if (got < 0)
			return refused("read", UPLOAD, (int)-got, err);
		if (got == 0)
			return 0;
		rc = mu_snapload_feed(l, chunk, (size_t)got, err);
		if (rc)
			return rc;
		at += (uint64_t)got;
	}
}

static int load(struct mu_disk *d, const struct mu_store_config *config,
                struct mu_store **out, struct mu_snapshot_info *info,
                struct mu_err *err)
{
	const struct mu_when when = { mu_clock_mono_ms(), mu_clock_wall_ms() };
	struct mu_snapload *l = NULL;
	int fd = d->open(d, UPLOAD, false), rc;
	int64_t size;

	if (fd < 0)
		return refused("open", UPLOAD, -fd, err);
	size = d->size(d, fd);
	rc = mu_snapload_new(config, when, size > 0 ? (uint64_t)size : 0, &l,
	                     err);
	rc = rc ? rc : feed(d, fd, l, err);
	rc = rc ? rc : mu_snapload_done(l, out, err);
	if (!rc)
		*info = *mu_snapload_info(l);
	mu_snapload_free(l);
	d->close(d, fd);
	return rc;
}

static uint32_t epoch_after(const struct mu_snapshot_info *info)
{
	return (uint32_t)((uint64_t)info->zxid >> 32) + MU_RESTORE_EPOCHS;
}

/* Its snapshot, of another tree, alone in DIR/restore.tmp. */
static int convert(struct mu_disk *d, const struct mu_store_config *config,
                   struct mu_snapshot_info *info, struct mu_err *err)
{
	struct mu_store *store = NULL;
	int64_t tree_id = 0;
	uint64_t bytes;
	int rc = load(d, config, &store, info, err);

	if (rc)
		return rc;
	if (epoch_after(info) >= EPOCHS) {
		mu_store_free(store);
		return mu_err(err, MU_EDATA,
		              "it is in epoch %lu, behind which there are too "
		              "few: no broker could start with it",
		              (unsigned long)((uint64_t)info->zxid >> 32));
	}
	while (tree_id == 0 || tree_id == info->tree_id)
		mu_clock_random(&tree_id, sizeof tree_id);
	mu_store_set_tree_id(store, tree_id);
	rc = d->unlink(d, UPLOAD) ? MU_EIO : 0;
	if (rc)
		mu_err(err, rc, "cannot remove %s", UPLOAD);
	rc = rc ? rc : mu_snapfile_write(d, store, &bytes, err);
	mu_store_free(store);
	return rc;
}

static int put_in_place(const char *dir, struct mu_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct mu_disk *d = NULL;
	int rc;

	remove_dir(dir, PLACED);
	rc = place(from, dir, COMING, err);
	rc = rc ? rc : place(to, dir, PLACED, err);
	rc = rc ? rc : mu_disk_open(dir, &d, err);
	if (rc)
		return rc;
	if (rename(from, to)) {
		rc = refused("rename", from, errno, err);
	} else {
		rc = d->sync_dir(d);
		if (rc) {
			rc = refused("sync", dir, -rc, err);
			remove_dir(dir, PLACED);
		}
	}
	d->free(d);
	return rc;
}

int mu_restore_end(const char *dir, const struct mu_store_config *config,
                   struct mu_snapshot_info *info, struct mu_err *err)
{
	struct mu_disk *d;
	int rc = open_dir(dir, COMING, &d, err);

	if (rc)
		return rc;
	rc = convert(d, config, info, err);
	d->free(d);
	rc = rc ? rc : put_in_place(dir, err);
	if (rc)
		mu_restore_drop(dir);
	return rc;
}

/* ---- at the start ---------------------------------------------------------------------- */

/* One of a tree's files, and its name. */
static int on_state(void *arg, const char *name)
{
	uint64_t index;

	if (!mu_snapfile_index(name, &index) &&
	    strncmp(name, MU_SEGMENT_NAME, strlen(MU_SEGMENT_NAME)))
		return 0;
	mu_format(arg, NAME_MAX + 1, "%s", name);
	return 1;
}

/* One at a time: a directory that changes is listed anew. */
static int unlink_state(struct mu_disk *d)
{
	char name[NAME_MAX + 1];
	int rc;

	while ((rc = d->list(d, on_state, name)) == 1) {
		rc = d->unlink(d, name);
		if (rc)
			return rc;
	}
	return rc;
}

/* Is the snapshot that waits a good one? */
static int judge(struct mu_disk *from, const char *dir, uint64_t index,
                 struct mu_snapshot_info *info, struct mu_err *err)
{
	struct mu_err why = { 0 };
	int rc = mu_snapfile_check(from, index, NULL, info, &why);

	return rc ? mu_err(err, rc,
	                   "the backup that was to be restored: %.350s; remove "
	                   "%.100s/" PLACED " to start without it",
	                   why.msg, dir)
	          : 0;
}

/* No epoch of the tree that was backed up may come again. */
static int leap(struct mu_disk *from, const char *dir, uint64_t index,
                struct mu_err *err)
{
	struct mu_snapshot_info info;
	uint32_t epoch;
	int rc = judge(from, dir, index, &info, err);

	return rc ? rc : mu_epoch_raise(dir, epoch_after(&info), &epoch, err);
}

/* All that was there is gone, on disk, before the new one is there; and the new
 * one is on disk in one place only before anybody adds to it. */
static int swap(struct mu_disk *from, struct mu_disk *to, const char *old,
                const char *new)
{
	int rc = unlink_state(to);

	rc = rc ? rc : to->sync_dir(to);
	if (rc)
		return rc;
	if (rename(old, new))
		return -errno;
	rc = to->sync_dir(to);
	return rc ? rc : from->sync_dir(from);
}

static int replace_all(struct mu_disk *from, const char *dir, uint64_t index,
                       struct mu_err *err)
{
	char name[MU_SNAPFILE_NAME_MAX], old[PATH_MAX], new[PATH_MAX];
	struct mu_disk *to = NULL;
	int rc = leap(from, dir, index, err);

	mu_snapfile_name(index, name);
	rc = rc ? rc : mu_disk_open(dir, &to, err);
	rc = rc ? rc : place(old, dir, PLACED, err);
	rc = rc ? rc : place(new, dir, name, err);
	if (rc)
		goto out;
	mu_format(old + strlen(old), sizeof old - strlen(old), "/%s", name);
	rc = swap(from, to, old, new);
	if (rc)
		rc = refused("put in place", name, -rc, err);
out:
	if (to)
		to->free(to);
	return rc;
}

/* The snapshot that waits: *from NULL if none does, else to be freed. */
static int look(const char *dir, struct mu_disk **from, uint64_t *index,
                struct mu_err *err)
{
	char path[PATH_MAX];
	uint64_t *list = NULL;
	size_t count = 0;
	int rc = place(path, dir, PLACED, err);

	*from = NULL;
	if (rc || access(path, F_OK))
		return rc;
	rc = mu_disk_open(path, from, err);
	rc = rc ? rc : mu_snapfile_list(*from, &list, &count, err);
	if (count > 0)
		*index = list[0];
	mu_free(list);
	if (*from && (rc || count == 0)) {
		(*from)->free(*from);
		*from = NULL;
	}
	return rc;
}

int mu_restore_finish(const char *dir, bool *done, struct mu_err *err)
{
	struct mu_disk *from;
	uint64_t index;
	int rc = look(dir, &from, &index, err);

	*done = false;
	mu_restore_drop(dir);
	if (from) {
		rc = replace_all(from, dir, index, err);
		from->free(from);
		*done = !rc;
	}
	if (!rc)
		remove_dir(dir, PLACED);
	return rc;
}

int mu_restore_look(const char *dir, bool *waits, struct mu_err *err)
{
	struct mu_snapshot_info info;
	struct mu_disk *from;
	uint64_t index;
	int rc = look(dir, &from, &index, err);

	*waits = from != NULL;
	if (from) {
		rc = judge(from, dir, index, &info, err);
		from->free(from);
	}
	return rc;
}
