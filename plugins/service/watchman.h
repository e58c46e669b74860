/*
 * watchman.h - a thread that sits by a process and a clock, and wakes the
 * instance when the one ends or the other is due. It does nothing else: what
 * that means is for the instance's own thread to find out.
 */
#ifndef MU_SERVICE_WATCHMAN_H
#define MU_SERVICE_WATCHMAN_H

#include <muster/plugin.h>

struct watchman;

/* MU_ENOMEM, MU_EIO. */
int watchman_start(const struct mu_host *h, struct watchman **out,
                   struct mu_err *err);
void watchman_stop(struct watchman *w); /* NULL is allowed */

/* Sit by this pidfd (-1: none), which must stay open until it is another one,
 * and wake the instance in `ms` at the latest. Each wakes it once. */
void watchman_set(struct watchman *w, int fd, uint32_t ms);

#endif /* MU_SERVICE_WATCHMAN_H */
