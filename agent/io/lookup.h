/*
 * lookup.h - the addresses of a host, found without making the caller wait.
 *
 * A name is asked for in a helper thread that blocks all signals; those who ask
 * for the same name while the answer is under way share it, so that a name
 * server which hangs costs one thread a name. A numeric address needs no thread.
 * Any thread may call; a lookup belongs to the one that started it.
 */
#ifndef MU_IO_LOOKUP_H
#define MU_IO_LOOKUP_H

#include <muster/types.h>

#define MU_LOOKUP_HOST_MAX 256u /* bytes of a name, with the final NUL */

struct addrinfo;
struct mu_lookup;

/* Begin. IPv6 addresses are written without brackets. MU_EINVAL (the name is
 * too long), MU_EIO (no thread, no descriptor), MU_ENOMEM. */
int mu_lookup_start(const char *host, uint16_t port, struct mu_lookup **out,
                    struct mu_err *err);

/* Becomes, and stays, readable when there is an answer. Good until the end; not
 * to be read. */
int mu_lookup_fd(const struct mu_lookup *l);

/* 0 and the addresses, at least one, borrowed until the end; MU_EAGAIN: not
 * yet; MU_EIO: the name has none, with a sentence that names it. */
int mu_lookup_result(struct mu_lookup *l, const struct addrinfo **out,
                     struct mu_err *err);

/* Be done with it, answered or not. NULL is allowed. */
void mu_lookup_end(struct mu_lookup *l);

#endif /* MU_IO_LOOKUP_H */
