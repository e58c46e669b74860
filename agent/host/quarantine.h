/*
 * quarantine.h - how often an instance has failed of late, and when that is too
 * often. Pure: time comes in; memory is all it asks for.
 *
 * A failure is what harms or hangs: a crash, a deadline that passed, nonsense on
 * the channel. One that is told (an init that says no, an event that was not
 * handled) is none: such an instance does no harm, and is tried again with a
 * pause that grows.
 */
#ifndef MU_HOST_QUARANTINE_H
#define MU_HOST_QUARANTINE_H

#include <muster/types.h>

struct mu_quarantine;

/* After `failures` of them within window_ms it is on. 0: never. NULL: no memory.
 */
struct mu_quarantine *mu_quarantine_new(uint32_t failures, uint64_t window_ms);
void mu_quarantine_free(struct mu_quarantine *q); /* NULL is allowed */

/* It failed. True: it is on from now. */
bool mu_quarantine_failed(struct mu_quarantine *q, uint64_t now_ms);
bool mu_quarantine_is_on(const struct mu_quarantine *q);
/* Failures that lie in the window; while it is on, those that led to it. */
uint32_t mu_quarantine_count(const struct mu_quarantine *q, uint64_t now_ms);
/* Off, and all failures are forgotten. */
void mu_quarantine_lift(struct mu_quarantine *q);

#endif /* MU_HOST_QUARANTINE_H */
