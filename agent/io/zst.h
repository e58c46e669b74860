/*
 * zst.h - zstd, in pieces of any size; the one file that includes <zstd.h> is
 * zst.c. A packed stream is one frame that tells the length of what is in it and
 * ends with a checksum of that.
 */
#ifndef MU_IO_ZST_H
#define MU_IO_ZST_H

#include <muster/types.h>

struct mu_zst;

#define MU_ZST_HEAD 18u /* bytes from which the length can be told */

/* Takes bytes in their order; what it gives other than 0 ends the call, which
 * gives it on. */
typedef int mu_zst_sink_fn(void *arg, const void *bytes, size_t len);

/* To pack exactly `total` bytes. MU_ENOMEM. */
int mu_zst_pack_new(uint64_t total, struct mu_zst **out);
/* To unpack one frame. MU_ENOMEM. */
int mu_zst_unpack_new(struct mu_zst **out);
void mu_zst_free(struct mu_zst *z); /* NULL is allowed */

/* The next bytes. After an error only free may follow. Unpacking, MU_EDATA: not
 * zstd, damaged, or there is something behind the frame. Packing, MU_EDATA: more
 * than was said. MU_ENOMEM. */
int mu_zst_feed(struct mu_zst *z, const void *p, size_t len,
                mu_zst_sink_fn *sink, void *arg, struct mu_err *err);
/* There are no more. Packing: the rest goes to the sink; MU_EDATA: fewer bytes
 * than was said. Unpacking: MU_EDATA if the frame is not at its end. */
int mu_zst_done(struct mu_zst *z, mu_zst_sink_fn *sink, void *arg,
                struct mu_err *err);

/* How many bytes are in the frame that begins so (`len` at least MU_ZST_HEAD, or
 * the whole frame). MU_EDATA: no frame, or one that does not tell. */
int mu_zst_total(const void *head, size_t len, uint64_t *total,
                 struct mu_err *err);

#endif /* MU_IO_ZST_H */
