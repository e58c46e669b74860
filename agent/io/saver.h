/*
 * saver.h - small whole files of one directory, written by a thread of their
 * own, so that a disk that is slow or says no holds up nobody.
 *
 * The owner's thread hands over bytes; the thread writes them as mu_file_replace
 * does. Only the newest of each name counts. What the disk refuses is tried
 * again every second with what is newest then; the log tells once that it
 * refuses, and once that it takes files again. The thread is made with the first
 * file and blocks all signals.
 */
#ifndef MU_IO_SAVER_H
#define MU_IO_SAVER_H

#include <muster/types.h>

struct mu_saver;

/* Called by the thread before bytes are written, for what is dear: a checksum. */
typedef void mu_saver_fn(uint8_t *bytes, size_t len);

/* Files of `dir`, which need not be there before the first is written. finish
 * may be NULL. MU_ENOMEM. */
int mu_saver_new(const char *dir, mu_saver_fn *finish, struct mu_saver **out);

/* Write `name` some time soon. The bytes (of mu_alloc) are taken over, also on
 * error. MU_ENOMEM, MU_ETOOBIG (the name): nothing has changed. */
int mu_saver_put(struct mu_saver *s, const char *name, uint8_t *bytes,
                 size_t len);
/* Remove it, after what was put before; one that is not there is no trouble.
 * Errors as of mu_saver_put. */
int mu_saver_remove(struct mu_saver *s, const char *name);

/* Wait for the thread, at most so long. True: all is done, and on the disk. False:
 * the time was over, or the disk has refused something that is still to do. */
bool mu_saver_flush(struct mu_saver *s, uint32_t limit_ms);

/* What was not begun is dropped. Does not wait for a disk that hangs: the thread
 * then keeps what it needs. NULL is allowed. */
void mu_saver_free(struct mu_saver *s);

#endif /* MU_IO_SAVER_H */
