/*
 * server.h - the broker: one loop, one store, one journal, the carriers.
 *
 * The calling thread is the loop's, and owns all of it.
 */
#ifndef MU_BROKER_SERVER_H
#define MU_BROKER_SERVER_H

#include "options.h"

struct mu_server;
struct mu_loop;

/* Open the data directory and listen. `o` is borrowed for as long as the server
 * lives. Errors, each with a sentence: MU_EIO, MU_EDATA, MU_EFULL (the data
 * directory belongs to another broker), MU_EINVAL, MU_ENOMEM. */
int mu_server_new(struct mu_loop *loop, const struct mu_broker_options *o,
                  struct mu_server **out, struct mu_err *err);
/* Goodbye to all links. NULL is allowed. */
void mu_server_free(struct mu_server *s);

/* *o has changed where a row is reloadable. MU_EINVAL, MU_ENOMEM: the limits
 * are as they were. */
int mu_server_reconfigure(struct mu_server *s, struct mu_err *err);

/* The addresses with their real ports, one a line. Borrowed. */
const char *mu_server_addresses(const struct mu_server *s);

/* One line of numbers to the log. */
void mu_server_log_stats(const struct mu_server *s);

/* True if the loop was stopped to begin anew, with a new server. */
bool mu_server_wants_again(const struct mu_server *s);

/* True if it cannot go on: the loop was stopped, and the log says why. */
bool mu_server_failed(const struct mu_server *s);

#endif /* MU_BROKER_SERVER_H */
