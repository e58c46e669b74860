/*
 * tcp_out.h - what is still to be written to one TCP link, in order and bounded.
 *
 * Records gather in one buffer; bytes that go to many links are shared, and stand
 * as pieces of their own. The loop's thread owns it. With nothing in it it holds
 * MU_TCP_OUT_KEEP bytes at most.
 */
#ifndef MU_BROKER_TCP_OUT_H
#define MU_BROKER_TCP_OUT_H

#include "buf.h"
#include "tcpsock.h"

#define MU_TCP_OUT_KEEP 512u

/* Bytes with several owners. */
struct mu_blob {
	unsigned refs;
	size_t len;
	uint8_t *bytes; /* owned */
};
/* A copy; NULL when memory is out. */
struct mu_blob *mu_blob_new(const void *p, size_t len);
struct mu_blob *mu_blob_share(struct mu_blob *b);
void mu_blob_let_go(struct mu_blob *b); /* NULL is allowed */

struct mu_tcp_out {
	struct mu_blob **ring; /* whole pieces, oldest at head; owned */
	size_t room, head, count;
	size_t gone;          /* bytes of the oldest that have left */
	struct mu_buf gather; /* behind them */
	size_t bytes;         /* in all of them, what has left taken off */
};

struct mu_tcp_out_limits {
	size_t bytes_max; /* waiting */
	size_t reply_max; /* of one record where nothing waits */
};

/* An empty one is { 0 }. Fini, or forget all that is in it. */
void mu_tcp_out_fini(struct mu_tcp_out *o);

/* Append framed records (copied), or a share of a blob. MU_EFULL: over the
 * limits; MU_ENOMEM. On error nothing was appended. */
int mu_tcp_out_put(struct mu_tcp_out *o, const struct mu_tcp_out_limits *limits,
                   const void *p, size_t len);
int mu_tcp_out_share(struct mu_tcp_out *o,
                     const struct mu_tcp_out_limits *limits, struct mu_blob *b);

/* Write as much as the kernel takes. 0: all of it has left. MU_EAGAIN: the rest
 * waits, and the first piece of it has been lent to the socket: go on when that
 * says writable, with mu_tcp_out_lent_is_gone first. MU_EGONE, MU_ENOMEM. */
int mu_tcp_out_flush(struct mu_tcp_out *o, struct mu_tcpsock *to);
void mu_tcp_out_lent_is_gone(struct mu_tcp_out *o);

#endif /* MU_BROKER_TCP_OUT_H */
