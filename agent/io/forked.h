/*
 * forked.h - a child that has our memory as it is at this moment, for work on it
 * that must not hold the loop.
 *
 * The child has blocked signals, a low priority, no descriptor from 3 up but one
 * that it is given, and dies with us. It must not touch the loop, nor anything
 * that another thread of ours may have locked (memory is fine: glibc sees to
 * it). We watch it through a pidfd and never wait for it; SIGCHLD must not be
 * ignored. The loop's thread owns the handle.
 */
#ifndef MU_IO_FORKED_H
#define MU_IO_FORKED_H

#include <muster/types.h>

struct mu_loop;
struct mu_forked;

struct mu_forked_options {
	int (*work)(void *arg); /* in the child; what it exits with, 0 to 255 */
	int keep_fd;            /* -1: none; in the child it is 3 */
	/* Once, in a later turn; status is the exit's, or minus the signal; 255:
	 * it could not begin, or how it ended is not known. May free the handle.
	 */
	void (*ended)(void *arg, int status);
	void *arg; /* of both */
};

/* *held_us: for how long the fork held us. MU_EIO, MU_ENOMEM. */
int mu_forked_start(struct mu_loop *l, const struct mu_forked_options *o,
                    struct mu_forked **out, uint64_t *held_us,
                    struct mu_err *err);
void mu_forked_kill(struct mu_forked *f);
/* Kills it if it is at work, and waits for its end, which is not told any more.
 * NULL is allowed. */
void mu_forked_free(struct mu_forked *f);

#endif /* MU_IO_FORKED_H */
