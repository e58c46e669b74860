/*
 * tcpsock.h - TCP that others connect to (libuv): a listener, and the connections
 * that it takes.
 *
 * All of it belongs to the loop's thread. Reading is told, writing is tried: what
 * the kernel does not take at once stays the caller's, but for one piece that is
 * lent until there is room for it. A handle may be closed from inside any
 * callback; after that none is called, but `release` for what was lent.
 */
#ifndef MU_IO_TCPSOCK_H
#define MU_IO_TCPSOCK_H

#include "loop.h"

struct mu_tcplisten;
struct mu_tcpsock;

#define MU_TCP_ADDRESS_MAX 64u /* bytes, with the final NUL */
#define MU_TCP_SPANS_MAX 64u   /* pieces of one write */

/* "127.0.0.1:2181", "[::1]:2181", "localhost:2181" (IPv4); port * takes a free
 * one. `waiting` is called when somebody has connected: take it with
 * mu_tcplisten_accept, at once or later; until then nobody else is let in.
 * MU_EINVAL: not such an address; MU_EIO: in use, not permitted; MU_ENOMEM. Each
 * with a sentence that begins with the address. */
int mu_tcplisten_open(struct mu_loop *l, const char *address,
                      mu_loop_fn *waiting, void *arg, struct mu_tcplisten **out,
                      struct mu_err *err);
void mu_tcplisten_close(struct mu_tcplisten *t); /* NULL is allowed */
/* The same with its real port, "127.0.0.1:40123". Borrowed. */
const char *mu_tcplisten_address(const struct mu_tcplisten *t);

/* What a connection tells; one struct serves many, and must live as long as they
 * do. `buffer` too: what was read lies in it during `data`. */
struct mu_tcpsock_owner {
	void (*data)(void *arg, const uint8_t *p, size_t len);
	/* The peer will send no more (rc 0), or the connection is broken
	 * (MU_EGONE). Told once; nothing is read after it. */
	void (*ended)(void *arg, int rc);
	/* What was lent has gone: write on. */
	void (*writable)(void *arg);
	uint8_t *buffer; /* owned by the owner */
	size_t buffer_len;
};

/* Where a connection comes from. */
struct mu_tcpsock_peer {
	uint8_t ip[16];                 /* IPv4: ::ffff:a.b.c.d */
	char host[MU_TCP_ADDRESS_MAX];  /* "127.0.0.1", "::1" */
	char where[MU_TCP_ADDRESS_MAX]; /* "127.0.0.1:40123", "[::1]:40123" */
};

/* Take the connection that waits; it does not read yet. MU_EAGAIN: none waits;
 * MU_ENOMEM: it goes on waiting; MU_EIO: it has gone. peer may be NULL. */
int mu_tcplisten_accept(struct mu_tcplisten *t,
                        const struct mu_tcpsock_owner *owner, void *arg,
                        struct mu_tcpsock **out, struct mu_tcpsock_peer *peer);

/* Read, or not. */
void mu_tcpsock_read(struct mu_tcpsock *t, bool on);

struct mu_tcpsock_span {
	const void *at;
	size_t len;
};
/* Write what the kernel takes now of `count` pieces (1 to MU_TCP_SPANS_MAX):
 * *written bytes. MU_EAGAIN: nothing now; MU_EGONE. Not while a piece is lent. */
int mu_tcpsock_write(struct mu_tcpsock *t, const struct mu_tcpsock_span *pieces,
                     unsigned count, size_t *written);
/* Lend bytes to be written when there is room; `release(kept)` is called when
 * they are not needed any more, then `writable`, or `ended`. One at a time.
 * MU_ENOMEM, MU_EGONE: nothing was lent. */
int mu_tcpsock_lend(struct mu_tcpsock *t, const void *p, size_t len,
                    void (*release)(void *kept), void *kept);
/* Bytes of what is lent that have not gone yet. */
size_t mu_tcpsock_unsent(const struct mu_tcpsock *t);

/* Tell the peer that nothing more comes; it may still be read. */
void mu_tcpsock_finish(struct mu_tcpsock *t);
/* Close at once. NULL is allowed. */
void mu_tcpsock_close(struct mu_tcpsock *t);

#endif /* MU_IO_TCPSOCK_H */
