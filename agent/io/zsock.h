/*
 * zsock.h - ZeroMQ sockets; the one file that includes <zmq.h> is zsock.c.
 *
 * What ZooKeeper's promises need and ZeroMQ hides is restored here (design
 * section 4, rules 88 to 94): one DEALER is one link, without automatic
 * reconnect; a ROUTER never drops silently. Everything is DONTWAIT. A socket
 * belongs to one thread. libzmq's own I/O thread blocks all signals.
 *
 * The descriptor of a socket is edge-triggered: when it is readable, call
 * mu_zsock_events and go on until it says nothing is left; look again after
 * every send.
 */
#ifndef MU_IO_ZSOCK_H
#define MU_IO_ZSOCK_H

#include <muster/types.h>

struct mu_zsock;

/* A peer of a ROUTER: bytes made by ZeroMQ, never by a peer; good for one
 * connection and never given again while the socket lives. */
struct mu_zpeer {
	uint8_t len;
	uint8_t bytes[32];
};

/* A received message, or bytes shared by many sends. */
struct mu_zmsg {
	_Alignas(16) unsigned char opaque[64];
};
void mu_zmsg_init(struct mu_zmsg *m);
void mu_zmsg_fini(struct mu_zmsg *m);
const void *mu_zmsg_data(struct mu_zmsg *m);
size_t mu_zmsg_len(const struct mu_zmsg *m);
/* Fill an initialised message with a copy of the bytes. MU_ENOMEM. */
int mu_zmsg_copy_in(struct mu_zmsg *m, const void *p, size_t len);
/* Another reference to the same bytes (zmq_msg_copy); dst is initialised. */
int mu_zmsg_share(struct mu_zmsg *dst, struct mu_zmsg *src);
/* Where a received message came from: "127.0.0.1"; for ipc "localhost" and who,
 * ":uid:gid:pid", where the system tells; else "". Borrowed. */
const char *mu_zmsg_origin(struct mu_zmsg *m);

#define MU_ZSOCK_HWM 64 /* messages, each way */

/* A ROUTER with ROUTER_MANDATORY, HWM as above, linger 0, IPv4 and IPv6.
 * message_max: bytes; beyond it libzmq cuts the peer (ZMQ_MAXMSGSIZE). */
int mu_zsock_router_open(struct mu_zsock **out, size_t message_max,
                         struct mu_err *err);

/* "tcp://127.0.0.1:7400", "tcp://127.0.0.1:*", "ipc:///path". *actual, if not
 * NULL, gets the endpoint with its port. Errors say which address and why:
 * MU_EINVAL, MU_EIO (in use, not permitted). An ipc socket file that nobody
 * listens on any more is replaced; one that is in use is refused. */
int mu_zsock_bind(struct mu_zsock *z, const char *url, char *actual,
                  size_t room, struct mu_err *err);

/* A DEALER for one link to one address: reconnect off, linger 0, with a
 * monitor. Returns at once; a name is looked up by libzmq's thread, as IPv4 (an
 * IPv6 address stands in brackets). MU_EINVAL, MU_EIO. */
int mu_zsock_dealer_open(struct mu_zsock **out, const char *url,
                         size_t message_max, struct mu_err *err);

/* Close at once (linger 0). NULL is allowed. libzmq's threads end with the last
 * socket of the process. */
void mu_zsock_close(struct mu_zsock *z);

/* Let the close wait up to `ms` for what was sent to leave: for goodbyes. */
void mu_zsock_linger(struct mu_zsock *z, unsigned ms);

/* To poll for input. A dealer's covers its monitor too (it is an epoll
 * descriptor). */
int mu_zsock_fd(const struct mu_zsock *z);

enum { MU_ZSOCK_READABLE = 1, MU_ZSOCK_UP = 2, MU_ZSOCK_LOST = 4 };
/* What there is: a message to receive; for a dealer also: the connection came
 * up, or was lost or refused (once each). 0: nothing until fd is readable. */
int mu_zsock_events(struct mu_zsock *z);

/* Receive one message into an initialised *m (its old bytes are let go). 0,
 * MU_EAGAIN, MU_EIO. A message of several parts: all but the last are dropped
 * and MU_EPROTO comes back, with *from set. So does a message from a peer that
 * chose its own routing id (from->len is 0 if it does not fit): such an id may
 * come again on another connection. from: ROUTER only, else NULL. */
int mu_zsock_recv(struct mu_zsock *z, struct mu_zpeer *from, struct mu_zmsg *m);

/* Send; m's bytes are given away on success and kept on error. to: ROUTER
 * only. MU_EAGAIN (the queue to that peer is full; stays so after the peer left
 * until mu_zsock_events was asked), MU_EGONE (no such peer). */
int mu_zsock_send(struct mu_zsock *z, const struct mu_zpeer *to,
                  struct mu_zmsg *m);

/* libzmq's version, "4.3.4". */
const char *mu_zsock_version(void);

#endif /* MU_IO_ZSOCK_H */
