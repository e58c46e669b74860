/*
 * channel.h - the runner's end of the channel to its agent: whole frames over
 * a blocking stream socket. The runner's one thread uses it.
 *
 * The agent may end at any moment: then `gone` is set and stays, reads and
 * writes give MU_EGONE, and a callback that is under way can come to its end.
 */
#ifndef MU_RUNNER_CHANNEL_H
#define MU_RUNNER_CHANNEL_H

#include "buf.h"

#include <muster/types.h>

struct mu_channel {
	int fd;
	bool gone;         /* end of file, or a broken frame */
	struct mu_buf in;  /* received, from the start of a frame */
	struct mu_buf out; /* the frame being made */
};

/*
 * Take over the channel that the agent left on descriptor `fd`: it moves to a
 * high number that no plugin hits by habit, closed on exec, and `fd` is free.
 * It stays open until the process ends. MU_EIO with a sentence if `fd` is no
 * stream socket.
 */
int mu_channel_open(struct mu_channel *c, int fd, struct mu_err *err);

/* Move a descriptor of our own to such a number too, closed on exec; `fd` is
 * closed in any case. -1: it cannot be. */
int mu_channel_high(int fd);

/*
 * Wait until there is something for mu_channel_read: false; or until `fd` has
 * something to read: true. It may be -1. True too if `fd` is of no use any more,
 * so that the caller finds out.
 */
bool mu_channel_wait_or(const struct mu_channel *c, int fd);

#define MU_CHANNEL_FOREVER UINT64_MAX

/*
 * Wait for the next frame and move its record to *rec, replacing what was there
 * (on error *rec is empty). One byte after the record is there too, a NUL, so
 * that its last text can be made a C string in place. deadline_ms is a time of
 * mu_clock_mono_ms, or MU_CHANNEL_FOREVER. MU_ETIMEDOUT, MU_EGONE, MU_ENOMEM.
 */
int mu_channel_read(struct mu_channel *c, uint64_t deadline_ms,
                    struct mu_buf *rec);

/*
 * Put one frame into the buffer that begin gives, then send it. On error nothing
 * was sent: MU_ENOMEM (while the frame was put together), MU_ETOOBIG (over
 * MU_CHAN_FRAME_MAX), MU_EGONE.
 */
struct mu_buf *mu_channel_begin(struct mu_channel *c);
int mu_channel_send(struct mu_channel *c);

#endif /* MU_RUNNER_CHANNEL_H */
