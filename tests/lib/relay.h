/*
 * relay.h - a process that stands before a TCP server and passes bytes on. A
 * test stops and starts it as if it were the server: the connections are cut and
 * refused, or hang, while the server behind it runs on.
 */
#ifndef MU_TEST_RELAY_H
#define MU_TEST_RELAY_H

#include "program.h"

/* Listen on 127.0.0.1, *port (0: any, and the one taken is put there), and pass
 * on to port `to` of 127.0.0.1. Listens when this returns. SIGTERM ends it with
 * 0; it dies with the test's process. */
void relay_start(struct program *p, uint16_t *port, uint16_t to);

#endif /* MU_TEST_RELAY_H */
