/*
 * crash_plan.h - the test's side of crash_shim.so: a program started under the
 * shim, and what a loss of power leaves of its directory.
 *
 *     struct crash c;
 *     crash_open(&c, data_dir, work_dir, true);
 *     crash_arm(&c, CRASH_KILL_BEFORE, CRASH_ALL, 17);
 *     crash_preload(&c, true);
 *     ... start the program ...
 *     crash_preload(&c, false);
 *     ... it ends by SIGKILL ...
 *     crash_lose_power(&c, seed);
 *     crash_close(&c);
 *
 * What was not synced stays known over restarts of the program: a byte that a
 * killed program wrote is read by the next one, and still lost with the power.
 */
#ifndef MU_TEST_CRASH_PLAN_H
#define MU_TEST_CRASH_PLAN_H

#include "crash_shim.h"

#include <stdbool.h>
#include <stddef.h>

struct crash {
	struct crash_plan *plan;
	char file[CRASH_DIR_MAX];
};

/* `dir` and `work` are there, on one file system; `work` is the shim's: the plan,
 * and with `notes` what a loss of power needs. */
void crash_open(struct crash *c, const char *dir, const char *work, bool notes);
void crash_close(struct crash *c);

/* Set the plan for the next start, and all counts to 0. */
void crash_arm(struct crash *c, enum crash_act act, uint32_t mask, uint32_t at);
/* Change it under a running program: numbers from here on; `act` at once and for
 * as long as it says nothing else. */
void crash_now(struct crash *c, enum crash_act act, uint32_t mask, int error);
/* Whether what is started from now on is under the shim. */
void crash_preload(const struct crash *c, bool on);

/* The program is dead: wait until its child is. */
void crash_wait_child(const struct crash *c);

/* "kill before rename of journal-1.tmp (call 17)"; static. */
const char *crash_hit(const struct crash *c);

/* "rename" */
const char *crash_call_word(enum crash_call call);

struct crash_loss {
	size_t writes, names; /* that were not synced */
	size_t lost;          /* of them: wholly or in part */
};

/* Bring the directory to a state in which a loss of power may leave it: what was
 * synced is there; of the rest `seed` says what. No program may run in it. */
struct crash_loss crash_lose_power(struct crash *c, uint64_t seed);

/* ---- dice ---- */

struct dice {
	uint64_t state;
};

uint64_t dice(struct dice *d);
/* 0 ... below - 1 */
uint32_t dice_below(struct dice *d, uint32_t below);
/* `percent` times of 100. */
bool dice_chance(struct dice *d, uint32_t percent);

#endif /* MU_TEST_CRASH_PLAN_H */
