/*
 * pipe.h - the agent's end of the channel to a runner: whole frames, both ways,
 * never waiting. Lives on the loop's thread.
 *
 * Bounded in all that a runner can drive: so many frames are handled at a time,
 * then nothing is read for a few milliseconds, so that one that talks without end
 * is held up by its own channel and not the agent by it.
 */
#ifndef MU_HOST_PIPE_H
#define MU_HOST_PIPE_H

#include "chan.h"
#include "loop.h"

#define MU_PIPE_OUT_MAX (2u * MU_CHAN_FRAME_MAX) /* bytes not yet taken */
#define MU_PIPE_LAST_MAX (4u * 1024 * 1024)
#define MU_PIPE_FRAMES 64u /* handled at a time, then the pipe rests */
#define MU_PIPE_LAST_FRAMES 4096u

struct mu_pipe;

/* Make a pair of sockets: ours becomes the pipe, *theirs is for the child, to be
 * closed by the caller once it was handed over. on_frame: a whole record, type
 * first, borrowed; not 0: it made no sense, and the pipe ends. on_end: once;
 * rc 0: the other end closed, MU_EPROTO, MU_ETOOBIG, MU_EIO. Neither may free
 * the pipe. MU_EIO, MU_ENOMEM. */
int mu_pipe_new(struct mu_loop *loop,
                int (*on_frame)(void *arg, struct mu_str record),
                void (*on_end)(void *arg, int rc), void *arg,
                struct mu_pipe **out, int *theirs, struct mu_err *err);
void mu_pipe_free(struct mu_pipe *p); /* NULL is allowed */

/* The other end is dead: read what it said last, up to MU_PIPE_LAST_MAX bytes and
 * MU_PIPE_LAST_FRAMES frames. */
void mu_pipe_drain(struct mu_pipe *p);

/* Append frames here, then send. */
struct mu_buf *mu_pipe_out(struct mu_pipe *p);
/* MU_ENOMEM: what was appended since the last send is dropped. MU_EFULL: the
 * runner does not read. MU_EGONE: the pipe has ended. */
int mu_pipe_send(struct mu_pipe *p);

#endif /* MU_HOST_PIPE_H */
