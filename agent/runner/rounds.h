/*
 * rounds.h - begin and end an instance many times in one process, and count what
 * that leaves behind. For `muster plugin check`, which starts a runner with
 * --rounds=N; an agent never does.
 */
#ifndef MU_RUNNER_ROUNDS_H
#define MU_RUNNER_ROUNDS_H

#include "instance.h"

#define MU_ROUNDS_MAX 10000u
#define MU_ROUNDS_TEXT_MAX 160u

/* The N of "--rounds=N"; 0: it is something else. */
unsigned mu_rounds_asked(const char *arg);

/*
 * init and fini, `rounds` times, after a few that are not counted: what is made
 * once for good is no leak. Then writes to `text` what all of them together left:
 * "bytes B fds F threads T", B of malloc. Ends with the first init that fails,
 * with its code and a sentence that says which it was, if not the first.
 */
int mu_rounds(struct mu_instance *i, unsigned rounds,
              char text[MU_ROUNDS_TEXT_MAX], struct mu_err *err);

#endif /* MU_RUNNER_ROUNDS_H */
