/*
 * fake_disk.h - a directory in memory that fails, tears and forgets on request.
 *
 * It is a struct mu_disk. What was not synced may be lost at a crash, page by
 * page and in any order; names made, renamed or removed since the last sync_dir
 * are kept up to some point only. Any thread may use it, one call at a time.
 */
#ifndef MU_TEST_FAKE_DISK_H
#define MU_TEST_FAKE_DISK_H

#include "disk.h"

#define FAKE_PAGE \
	512u /* bytes that reach the disk or not; a torn one in part */

enum fake_op {
	FAKE_CREATE,
	FAKE_OPEN,
	FAKE_SIZE,
	FAKE_READ,
	FAKE_WRITE,
	FAKE_ALLOCATE,
	FAKE_TRUNCATE,
	FAKE_SYNC,
	FAKE_RENAME,
	FAKE_UNLINK,
	FAKE_SYNC_DIR,
	FAKE_LIST,
	FAKE_OPS
};
#define FAKE_ALL ((1u << FAKE_OPS) - 1)
#define FAKE_BIT(op) (1u << (op))

/* An empty directory. Aborts where memory is out, here and in all calls. */
struct mu_disk *fake_disk_new(void);

/* ---- what goes wrong ---- */

/* The k-th call from now (counting from 0) among those whose bit is in `ops`
 * gives -error; `and_on`: so do all later ones. One plan at a time. A sync that
 * fails has written nothing, and a later one does not write it either. */
void fake_disk_fail_at(struct mu_disk *d, unsigned k, unsigned ops, int error,
                       bool and_on);
/* The k-th write from now takes `len` bytes of what it is given. */
void fake_disk_short_at(struct mu_disk *d, unsigned k, size_t len);
/* The k-th call from now among all is the last that happens, a write at most in
 * part: it and all later ones give -EIO until fake_disk_crash. */
void fake_disk_dead_at(struct mu_disk *d, unsigned k);
/* No plan; what was read-only or full is so no more. True if the plan came to
 * its turn. */
bool fake_disk_mend(struct mu_disk *d);
/* Bytes of all files together; UINT64_MAX: no limit. -ENOSPC beyond. */
void fake_disk_space(struct mu_disk *d, uint64_t bytes);
void fake_disk_read_only(struct mu_disk *d, bool on); /* -EROFS */
/* Called before each call, without a lock: it may wait. NULL: nobody. */
void fake_disk_before(struct mu_disk *d, void (*before)(void *, enum fake_op),
                      void *arg);
/* Calls so far among those whose bit is in `ops`. */
unsigned fake_disk_calls(struct mu_disk *d, unsigned ops);

/* ---- what a crash leaves ---- */

/* The process dies: descriptors are gone; `seed` says what else is: 0: nothing
 * (only the process died), FAKE_LOSE_ALL: everything that was not synced; other
 * numbers: dice for each page and name. Plans are forgotten. */
#define FAKE_LOSE_ALL UINT64_MAX
void fake_disk_crash(struct mu_disk *d, uint64_t seed);
/* A copy of what is there, with what is synced; no plans, no descriptors. */
struct mu_disk *fake_disk_copy(struct mu_disk *d);

/* ---- looking and meddling, behind the back of whoever uses it ---- */

/* The file's bytes, borrowed until the next call; NULL: there is none. */
uint8_t *fake_disk_file(struct mu_disk *d, const char *name, size_t *len);
/* Set a file's length, synced and all; it must be there. */
void fake_disk_cut(struct mu_disk *d, const char *name, size_t len);
/* Make the file, synced and all, or replace it. */
void fake_disk_put(struct mu_disk *d, const char *name, const void *p,
                   size_t len);
unsigned fake_disk_count(struct mu_disk *d); /* names there are */
/* Descriptors that are open: 0 when all were closed. */
unsigned fake_disk_descriptors(struct mu_disk *d);

#endif /* MU_TEST_FAKE_DISK_H */
