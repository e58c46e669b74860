/*
 * tcpconn.h - one TCP connection to a host, made without waiting. Raw sockets:
 * who has no loop of ours can use it.
 *
 * The host's addresses, IPv6 and IPv4, are tried one after another from a
 * random one on; each has MU_TCPCONN_ADDRESS_MS at most. One thread owns a
 * connection.
 */
#ifndef MU_IO_TCPCONN_H
#define MU_IO_TCPCONN_H

#include <muster/types.h>

#define MU_TCPCONN_ADDRESS_MS 1000u

struct iovec;
struct mu_tcpconn;

/* Begin to connect. An IPv6 address has no brackets. limit_ms: for all of it,
 * the name's lookup included. MU_EINVAL, MU_EIO, MU_ENOMEM, with a sentence. */
int mu_tcpconn_open(const char *host, uint16_t port, uint32_t limit_ms,
                    struct mu_tcpconn **out, struct mu_err *err);
/* NULL is allowed. */
void mu_tcpconn_close(struct mu_tcpconn *c);

/* Readable when there is something to do: a step on the way to the connection;
 * then when bytes came, and when there is room for what writev left. Good until
 * close, to be watched for reading. */
int mu_tcpconn_fd(const struct mu_tcpconn *c);

/* Go on connecting: 0: it is open; MU_EAGAIN: not yet; MU_ETIMEDOUT, MU_EIO: it
 * never will be, and mu_tcpconn_why says why. */
int mu_tcpconn_step(struct mu_tcpconn *c);

/* Of an open connection. Bytes that came, at most `room`: 0 and their number,
 * at least 1; MU_EAGAIN: none; MU_EGONE: the peer has closed, or the connection
 * broke (then mu_tcpconn_why says why). */
int mu_tcpconn_read(struct mu_tcpconn *c, void *out, size_t room, size_t *got);

/* Write as much as goes: 0 and how many bytes of it went, which may be none. If
 * not all, the descriptor tells when there is room again. MU_EGONE. */
int mu_tcpconn_writev(struct mu_tcpconn *c, const struct iovec *pieces,
                      int count, size_t *took);

/* Why it failed: a sentence with host, port and the system's words. "" if it
 * did not fail, and where the peer just closed or reset the connection. */
const char *mu_tcpconn_why(const struct mu_tcpconn *c);

#endif /* MU_IO_TCPCONN_H */
