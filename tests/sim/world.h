/*
 * world.h - one seed's worth of chance, a clock that moves only when the next
 * thing happens, what has been seen, and the first promise that was broken.
 *
 * Nothing here asks the real clock or real dice: the same seed makes the same
 * run, on every machine.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <muster/types.h>

#include <stdio.h>

#define WORLD_TRACE_LINES 40u
#define WORLD_TRACE_LEN 160u

/* Something that is due. `a` and `b` are for the function. */
typedef void world_fn(void *arg, uint32_t a, uint32_t b);

struct world_event {
	uint64_t at_ms, turn; /* in this order */
	world_fn *fn;
	void *arg;
	uint32_t a, b;
};

/* What was seen how often, to be sure that a run is about something. */
struct world_counts {
	uint64_t events, caught_up, replies, lost, failed, expired, resumed,
		refused, crashes, stalls, snapshots, returned;
	/* Of subscribers; went_on: without a gap; anew: over a restart. */
	uint64_t changes, went_on, went_on_anew, gaps;
};

struct world {
	uint64_t seed, random;
	uint64_t now_ms;
	uint64_t turn; /* of the event that was queued last */
	uint64_t steps;
	struct world_event *events; /* owned; a heap, the next one first */
	size_t count, room;
	char trace[WORLD_TRACE_LINES][WORLD_TRACE_LEN]; /* a ring */
	uint64_t traced;                                /* lines in all */
	uint64_t fingerprint;                           /* of all of them */
	struct world_counts counts;
	char failure[512]; /* "" while every promise was kept */
};

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);

uint64_t world_random(struct world *w);
uint32_t world_below(struct world *w, uint32_t n); /* 0 if n is 0 */
uint32_t world_between(struct world *w, uint32_t low, uint32_t high);
bool world_chance(struct world *w, uint32_t permille);

/* Queue fn(arg, a, b). Those of one moment happen in the order of queuing; a
 * time that has passed means now. */
void world_at(struct world *w, uint64_t at_ms, world_fn *fn, void *arg,
              uint32_t a, uint32_t b);

/* Let the next thing happen, if it is due by until_ms; else the clock goes
 * there and there is none: false. */
bool world_step(struct world *w, uint64_t until_ms);

/* One line of what happened. */
void world_trace(struct world *w, const char *fmt, ...) MU_PRINTF(2, 3);

/* A promise was broken. The first one is kept. */
void world_fail(struct world *w, const char *fmt, ...) MU_PRINTF(2, 3);
bool world_has_failed(const struct world *w);

/* Seed, failure and the last lines. */
void world_dump(const struct world *w, FILE *to);

#endif /* SIM_WORLD_H */
