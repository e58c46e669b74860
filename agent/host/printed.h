/*
 * printed.h - what the process of an instance writes to its standard output and
 * error: a pipe, read by the agent, each line of it a line of the log under the
 * instance's name; and what its plugin says to be logged. Lives on the loop's
 * thread.
 *
 * Bounded in all that a plugin can drive: so many lines a second are logged, the
 * rest is counted, and the log says how many; so many bytes are read at a time,
 * with a pause, so that one that floods is held up by its own pipe and not by
 * the agent.
 */
#ifndef MU_HOST_PRINTED_H
#define MU_HOST_PRINTED_H

#include "log.h"
#include "loop.h"

#define MU_PRINTED_LINE_MAX 1000u /* bytes; longer ones are broken */

struct mu_printed;

/* Lines that are logged in a second. */
struct mu_printed_limits {
	uint32_t printed, said;
};

/* Make the pipe; *theirs is the end for the child, to be closed by the caller
 * once it was handed over. instance: borrowed. MU_EIO, MU_ENOMEM. */
int mu_printed_new(struct mu_loop *loop, const char *instance,
                   const struct mu_printed_limits *limits,
                   struct mu_printed **out, int *theirs, struct mu_err *err);
/* NULL is allowed. */
void mu_printed_free(struct mu_printed *p);

/* A line by host->log, under the instance's name. One below the log's level does
 * not count. */
void mu_printed_say(struct mu_printed *p, enum mu_level level,
                    const char *text);

/* The process has ended: log what is still in the pipe, a last line without its
 * end as well, and how many lines were dropped. What children that outlived it
 * write from now on is read by nobody. */
void mu_printed_end(struct mu_printed *p);

/* After mu_printed_end: the last line of all that came within a second of the
 * end, which often says why; "": none did. */
const char *mu_printed_last(const struct mu_printed *p);

#endif /* MU_HOST_PRINTED_H */
