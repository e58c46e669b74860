/*
 * loop_until.h - run a loop until something is so.
 */
#ifndef MU_TEST_LOOP_UNTIL_H
#define MU_TEST_LOOP_UNTIL_H

#include "loop.h"
#include "program.h"

struct loop_until {
	struct mu_loop *loop;
	bool (*is)(void);
	int64_t end_ms;
};

static inline void loop_until_tick(void *arg)
{
	struct loop_until *u = arg;

	if (u->is() || now_ms() > u->end_ms)
		mu_loop_stop(u->loop);
}

/* True: it is so, and no turn is half done. False: not within WAIT_MS. The rest
 * of the turn in which it came to be so can take it back; then this goes on.
 * A timer that fault.h refuses is asked for again. */
static inline bool loop_until(struct mu_loop *loop, bool (*is)(void))
{
	struct loop_until u = { loop, is, now_ms() + WAIT_MS };
	struct mu_timer *tick;

	while (mu_timer_new(loop, loop_until_tick, &u, &tick))
		continue;
	mu_timer_arm(tick, 1, 1);
	do
		mu_loop_run(loop);
	while (!is() && now_ms() <= u.end_ms);
	mu_timer_free(tick);
	return is();
}

#endif
