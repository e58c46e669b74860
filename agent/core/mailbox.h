/*
 * mailbox.h - the events that wait for one instance.
 *
 * Pure. In order; one is out at a time, until it is acknowledged. What was not
 * handled is given again, unless a newer event of the same kind and path waits:
 * that one then stands for both. Kinds are: a node's value (present, created,
 * deleted, changed), its list of children, a member, the connection, a gap.
 *
 * Bounded: from queue_max events on, a newer event takes the place of the one
 * of its kind and path (at its own place in the order, with the older one's old
 * value, the sum of the counts and MU_EVENT_OVERFLOW), so that the newest of
 * each path is kept. Only as many different paths as MU_MAILBOX_PATHS_MAX, or
 * values of MU_MAILBOX_BYTES_MAX, are refused: the caller must then come back
 * with the state of things. Nothing is dropped unsaid.
 */
#ifndef MU_CORE_MAILBOX_H
#define MU_CORE_MAILBOX_H

#include "chan.h"

#define MU_MAILBOX_PATHS_MAX 100000u
#define MU_MAILBOX_BYTES_MAX (64u * 1024 * 1024)

#define MU_BACKOFF_FIRST_MS 100u
#define MU_BACKOFF_LAST_MS 60000u

/* What to wait before attempt `n` + 1 after `n` failures: 0, 100, 200, 400 ...
 * 60,000 ms. */
uint32_t mu_backoff_ms(uint32_t n);

struct mu_mailbox;

struct mu_mailbox *mu_mailbox_new(uint32_t queue_max); /* NULL: no memory */
void mu_mailbox_free(struct mu_mailbox *b);            /* NULL is allowed */

/* Append an event (copied; seq, attempt and AGAIN are the mailbox's own).
 * MU_EFULL, MU_ENOMEM: nothing has changed. */
int mu_mailbox_put(struct mu_mailbox *b, const struct mu_chan_event *e);

/* The event to give now: it is out from now on. NULL: none waits, one is out,
 * or the time is not there yet. Borrowed until ack or lost. */
const struct mu_chan_event *mu_mailbox_give(struct mu_mailbox *b,
                                            uint64_t now_ms);

/* The instance has answered the event that is out. rc 0: handled. Else it is
 * given again after mu_backoff_ms, with the next attempt number and AGAIN.
 * MU_EPROTO: no event with this seq is out; nothing has changed. */
int mu_mailbox_ack(struct mu_mailbox *b, uint64_t seq, int rc, uint64_t now_ms);

/* The instance ended without an answer: as a failure, to be given again as soon
 * as there is someone to give it to. */
void mu_mailbox_lost(struct mu_mailbox *b);

/* Time at which mu_mailbox_give has something; UINT64_MAX: not before the next
 * put, ack or lost. */
uint64_t mu_mailbox_due_ms(const struct mu_mailbox *b);

bool mu_mailbox_is_out(const struct mu_mailbox *b);
/* The event that is out, borrowed until ack, lost or clear; NULL: none is. */
const struct mu_chan_event *mu_mailbox_out(const struct mu_mailbox *b);

/* Empty it, of the event that is out too. If that one, or the first, was given
 * and not handled, and the same (type, path, zxid) is put again before the next
 * clear, then it goes on with AGAIN and the next attempt number. */
void mu_mailbox_clear(struct mu_mailbox *b);
/* Empty it likewise, and know of nothing that was tried: what comes from now on
 * speaks of other things, be its paths and zxids the same. */
void mu_mailbox_drop(struct mu_mailbox *b);

/* Drop the first event if it was given and not handled, is not out, and `to`
 * holds one of its kind and path, which then stands for both. */
void mu_mailbox_yield(struct mu_mailbox *b, const struct mu_mailbox *to);

size_t mu_mailbox_count(const struct mu_mailbox *b); /* the one out included */

#endif /* MU_CORE_MAILBOX_H */
