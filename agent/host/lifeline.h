/*
 * lifeline.h - what a worker tells its supervisor: one byte a word, through a
 * pipe. On the worker's loop; a word that the pipe cannot take is dropped.
 */
#ifndef MU_HOST_LIFELINE_H
#define MU_HOST_LIFELINE_H

#include "loop.h"

enum mu_lifeline_word {
	MU_LIFELINE_BEAT = 'b',     /* the loop turns */
	MU_LIFELINE_READY = 'r',    /* it does its work */
	MU_LIFELINE_FAREWELL = 'f', /* the loop has ended; no more beats */
};

struct mu_lifeline;

/* Beats at once and then every_ms. The descriptor stays the caller's. MU_ENOMEM. */
int mu_lifeline_new(struct mu_loop *l, int fd, uint32_t every_ms,
                    struct mu_lifeline **out);
void mu_lifeline_say(struct mu_lifeline *l, enum mu_lifeline_word word);
void mu_lifeline_free(struct mu_lifeline *l); /* NULL is allowed */

#endif /* MU_HOST_LIFELINE_H */
