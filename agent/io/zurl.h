/*
 * zurl.h - what can be said about an address before libzmq gets it, for libzmq
 * finds out late, or not at all. Part of zsock.
 */
#ifndef MU_IO_ZURL_H
#define MU_IO_ZURL_H

#include <muster/types.h>

#define MU_ZURL_MAX 256u /* bytes, with the final NUL */

/* "tcp://" or "ipc://", and not too long. */
bool mu_zurl_is_ours(const char *url);
/* One of ours. Must its host be looked up? */
bool mu_zurl_has_name(const char *url);
/* One of ours. A port from 1 to 65535; for ipc: a path. */
bool mu_zurl_has_port(const char *url);
/* An ipc address: 0 if libzmq may listen there; MU_EIO with a sentence if
 * somebody does, or if the path is something else than a socket. */
int mu_zurl_ipc_is_free(const char *url, struct mu_err *err);

#endif /* MU_IO_ZURL_H */
