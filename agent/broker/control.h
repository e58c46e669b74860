/*
 * control.h - the broker's control socket: a unix socket for its administrator,
 * who is root or the user that the broker runs as.
 *
 * A connection is one request, a line, and its answer:
 *
 *     status              the broker's numbers, as JSON
 *     snapshot            take one now
 *     verify              check the data directory, and the store
 *     backup              take a snapshot, and send it
 *     restore LENGTH      take these bytes of a snapshot; they are sent once the
 *                         line "ready" has come
 *
 *     progress TEXT       any number of these before the answer; one each second
 *                         while the broker is at work, so that silence is an end
 *     ok LENGTH           and so many bytes
 *     error CODE SENTENCE of muster/types.h
 *
 * The loop's thread owns all of it, and nobody is waited for: who reads or sends
 * slowly delays only himself, and is cut off when he does nothing for too long.
 */
#ifndef MU_BROKER_CONTROL_H
#define MU_BROKER_CONTROL_H

#include "loop.h"

struct mu_control;

#define MU_CONTROL_CONNECTIONS_MAX 16u
#define MU_CONTROL_LINE_MAX 256u /* bytes, with its '\n' */

/*
 * Who does the work. Each but status is given the number of a job. It fails at
 * once (an MU_E* with a sentence, which is the answer), or returns 0 and the
 * answer is given by mu_control_done or mu_control_give: in the call itself, or
 * any time later.
 */
struct mu_control_owner {
	/* Freed with free; NULL: memory is out. */
	char *(*status)(void *arg);
	int (*snapshot)(void *arg, uint64_t job, struct mu_err *err);
	int (*verify)(void *arg, uint64_t job, struct mu_err *err);
	/* Answered by mu_control_give. */
	int (*backup)(void *arg, uint64_t job, struct mu_err *err);
	/* May `len` bytes come? *fd: where they are to be written, from its
	 * place on; stays the owner's, until restore_end. */
	int (*restore_begin)(void *arg, uint64_t job, uint64_t len, int *fd,
	                     struct mu_err *err);
	/* Called once after each restore_begin that gave 0. whole: all have been
	 * written; else they will not come, what it returns is not looked at
	 * and nobody waits for an answer. */
	int (*restore_end)(void *arg, uint64_t job, bool whole,
	                   struct mu_err *err);
	void *arg;
};

struct mu_control_config {
	const char *path; /* absolute; copied */
	/* 0 is 10,000, 60,000 and 1,000. */
	uint32_t line_ms; /* for the line */
	uint32_t idle_ms; /* for a peer that takes or sends nothing */
	uint32_t tick_ms; /* how often progress is told, and these looked at */
};

/* Listen. *owner is copied. As mu_unix_listen; MU_ENOMEM. */
int mu_control_open(struct mu_loop *loop,
                    const struct mu_control_config *config,
                    const struct mu_control_owner *owner,
                    struct mu_control **out, struct mu_err *err);
/* Cut all connections off, end unfinished restores, remove the socket. NULL is
 * allowed. Not from inside the owner's functions. */
void mu_control_close(struct mu_control *c);

/* Answer a job: rc 0, then `text` ("" allowed) is the answer's bytes; or MU_E*
 * and a sentence. One whose peer has gone is answered in vain. */
void mu_control_done(struct mu_control *c, uint64_t job, int rc,
                     const char *text);
/* Answer a job with all bytes of an open file, which is taken over and closed.
 * It must not change any more; it may be unlinked. */
void mu_control_give(struct mu_control *c, uint64_t job, int fd);
/* Say how far it is; the next of these lines, not one of its own. */
void mu_control_progress(struct mu_control *c, uint64_t job, const char *text);

struct mu_control_stats {
	uint32_t connections;
	uint64_t taken;             /* connections, since it was opened */
	uint64_t requests, refused; /* refused: of strangers, and when full */
};
void mu_control_stats(const struct mu_control *c, struct mu_control_stats *out);

#endif /* MU_BROKER_CONTROL_H */
