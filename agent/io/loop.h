/*
 * loop.h - one thread's event loop; <uv.h> is included by loop.c and proc.c only
 * (over loop_uv.h). Callbacks run on the loop's thread. A handle may be freed
 * from inside any callback, its own included; after that its callback is not
 * called again. Its memory goes at a later turn.
 */
#ifndef MU_IO_LOOP_H
#define MU_IO_LOOP_H

#include <muster/types.h>

struct mu_loop;
struct mu_timer;
struct mu_poll;
struct mu_signal;
struct mu_after;

typedef void mu_loop_fn(void *arg);

/* MU_ENOMEM, MU_EIO. */
int mu_loop_new(struct mu_loop **out, struct mu_err *err);
/* All handles must have been freed. Waits, 2 s at most, for the end of processes
 * that were let go. NULL is allowed. */
void mu_loop_free(struct mu_loop *l);
/* Run until mu_loop_stop, or until nothing is left that could call it: no armed
 * timer, watched descriptor, signal, process or after. */
void mu_loop_run(struct mu_loop *l);
void mu_loop_stop(struct mu_loop *l);
/* CLOCK_MONOTONIC in ms, as of the start of this turn; the delays of timers that
 * are armed in this turn count from there. */
uint64_t mu_loop_now_ms(const struct mu_loop *l);

/* A timer, not yet armed. Arming an armed one moves it. repeat_ms 0: fires once.
 * Delay 0 fires at the next turn. MU_ENOMEM. */
int mu_timer_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                 struct mu_timer **out);
void mu_timer_arm(struct mu_timer *t, uint64_t delay_ms, uint64_t repeat_ms);
void mu_timer_disarm(struct mu_timer *t);
bool mu_timer_armed(const struct mu_timer *t);
void mu_timer_free(struct mu_timer *t); /* NULL is allowed */

/* Watch a descriptor that somebody else owns and keeps open until the poll is
 * freed; it is made non-blocking. Nothing is watched before mu_poll_set. An error
 * on the descriptor is told as both events, once: the next read or write says
 * what it is, and mu_poll_set watches again. MU_ENOMEM; MU_EIO: a descriptor that
 * cannot be watched (closed, an ordinary file, watched already). */
enum { MU_POLL_READ = 1, MU_POLL_WRITE = 2 };
int mu_poll_new(struct mu_loop *l, int fd, void (*fn)(void *arg, int events),
                void *arg, struct mu_poll **out);
void mu_poll_set(struct mu_poll *p, int events); /* 0: none */
void mu_poll_free(struct mu_poll *p);

/* A signal, by its number, at once. MU_ENOMEM; MU_EIO: it cannot be caught. */
int mu_signal_new(struct mu_loop *l, int signum, mu_loop_fn *fn, void *arg,
                  struct mu_signal **out);
void mu_signal_free(struct mu_signal *s);

/* Runs fn once each turn, before waiting, while on; keeps the loop from
 * waiting at all when `spin` is set. For "flush at the end of the turn". Made
 * off. MU_ENOMEM. */
int mu_after_new(struct mu_loop *l, mu_loop_fn *fn, void *arg,
                 struct mu_after **out);
void mu_after_set(struct mu_after *a, bool on, bool spin);
void mu_after_free(struct mu_after *a);

#endif /* MU_IO_LOOP_H */
