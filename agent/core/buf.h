/*
 * buf.h - bytes that grow at the end.
 *
 * Pure. A failed allocation is remembered: later calls do nothing, and the
 * writer asks once, at the end, with mu_buf_failed(). So an encoder of twenty
 * fields has one check and not twenty. The owner's thread alone touches it.
 */
#ifndef MU_CORE_BUF_H
#define MU_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mu_buf {
	uint8_t *data; /* owned; NULL while nothing was written */
	size_t len;    /* bytes in use */
	size_t room;   /* bytes allocated */
	bool failed;   /* an allocation was refused since the last reset */
};

/* An empty buffer is { 0 }; it owns nothing. */
void mu_buf_init(struct mu_buf *b);

/* Free the bytes; the buffer is empty and may be used again. */
void mu_buf_fini(struct mu_buf *b);

/* Forget the contents and a failure, keep the memory. */
void mu_buf_reset(struct mu_buf *b);

/* True if an allocation was refused since init or reset: the contents are then
 * short and must not be used. */
bool mu_buf_failed(const struct mu_buf *b);

/* Make sure that `n` more bytes fit. 0 or MU_ENOMEM (also remembered). */
int mu_buf_reserve(struct mu_buf *b, size_t n);

/* Append `n` bytes (copied). `p` may be NULL when n is 0. */
void mu_buf_put(struct mu_buf *b, const void *p, size_t n);

/* Append `n` bytes for the caller to fill in; NULL when memory is out. Borrowed
 * until the next call that appends. */
uint8_t *mu_buf_grow(struct mu_buf *b, size_t n);

/* Drop the first `n` bytes, which must be there. Moves the rest. */
void mu_buf_drop(struct mu_buf *b, size_t n);

/* Cut back to `len` bytes, which must not be more than there are. */
void mu_buf_cut(struct mu_buf *b, size_t len);

/* Hand the bytes over: *out is the caller's, to be freed with mu_free; the
 * buffer is empty again. Returns their number. */
size_t mu_buf_take(struct mu_buf *b, uint8_t **out);

#endif /* MU_CORE_BUF_H */
