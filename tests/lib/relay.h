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

/* What relays have done so far; in memory that their processes share. */
struct relay_count {
	volatile unsigned taken; /* connections that were passed on */
	volatile unsigned cut;   /* by relay_cut */
	volatile unsigned asked; /* times that relay_cut was done */
};

struct relay_count *relay_count_new(void);
void relay_count_free(struct relay_count *count);

/* The same, and it counts. */
void relay_start_counting(struct program *p, uint16_t *port, uint16_t to,
                          struct relay_count *count);

/* Cut all of its connections, in the midst of what is under way; it listens on.
 * Does not wait for that: count->asked tells. */
void relay_cut(const struct program *p);

#endif /* MU_TEST_RELAY_H */
