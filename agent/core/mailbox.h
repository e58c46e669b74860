/*
 * mailbox.h - the events that wait for one instance.
 *
 * Pure. In order; one is out at a time, until it is acknowledged. What was not
 * handled is given again, unless a newer event of the same kind and path waits:
 * that one then stands for both. Not so when a process ended with it for the
 * first time: it may have had other reasons, and the event is not to blame. Kinds are: a node's value (present, created,
 * deleted, changed), its list of children, a member, the connection, a gap.
 *
 * Bounded: from queue_max events on, a newer event takes the place of the one
 * of its kind and path (at its own place in the order, with the older one's old
 * value, the sum of the counts and MU_EVENT_OVERFLOW), so that the newest of
 * each path is kept. Only as many different paths as MU_MAILBOX_PATHS_MAX, or
 * values of MU_MAILBOX_BYTES_MAX, are refused: the caller must then come back
 * with the state of things. Nothing is dropped unsaid.
 *
 * Where the newest of each path is enough (mu_mailbox_want_newest), the same
 * happens to the event that is to be given next, however few wait: without
 * MU_EVENT_OVERFLOW, for it was asked for; the count tells. One that has come
 * behind those of other paths so is given when its turn comes, be there newer ones.
 *
 * Events are of sources (`source`: a watch, the members), each with positions of
 * its own, and the mailbox tells how far each was handled. Events of two sources
 * never stand for each other. What took the place of others comes behind them, and
 * positions between the two are not told: a source that goes on from one that was
 * told here finds them all again.
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

/* Called with a position of a source when all of its events up to there were
 * handled. Must not call the mailbox. */
typedef void mu_mailbox_fn(void *arg, int32_t source, int64_t zxid, int32_t n);

/* Tell fn of positions of the sources 0 ... sources - 1; others have none. Once,
 * while the mailbox is empty. MU_ENOMEM: nothing has changed. */
int mu_mailbox_track(struct mu_mailbox *b, int32_t sources, mu_mailbox_fn *fn,
                     void *arg);

/* All events of this source up to (zxid, n) were put: tell fn when the last of
 * its events that wait is handled; now, if none waits. */
void mu_mailbox_position(struct mu_mailbox *b, int32_t source, int64_t zxid,
                         int32_t n);

/* All events of this source that were put are those up to (zxid, n), which is told
 * when the last of them is handled. False: none waits, or no position came with or
 * behind the last one. */
bool mu_mailbox_put_up_to(const struct mu_mailbox *b, int32_t source,
                          int64_t *zxid, int32_t *n);
/* True if events of this source wait, or are out. */
bool mu_mailbox_waits(const struct mu_mailbox *b, int32_t source);

/* True if events of this source were handled that lie behind the last position
 * which fn was told: whoever goes on from there is given them again. */
bool mu_mailbox_is_ahead(const struct mu_mailbox *b, int32_t source);

/* Append an event (copied; seq and attempt are the mailbox's own). With AGAIN:
 * it may have been given before, by somebody who knows no more of it; its first
 * attempt here is then the second.
 * MU_EFULL, MU_ENOMEM: nothing has changed. */
int mu_mailbox_put(struct mu_mailbox *b, const struct mu_chan_event *e);

/* From now on: is the newest event of each kind and path enough? At first it is
 * not. The one that is out is not touched. */
void mu_mailbox_want_newest(struct mu_mailbox *b, bool newest);

/* The event to give now: it is out from now on. NULL: none waits, one is out,
 * or the time is not there yet. Borrowed until ack or lost. */
const struct mu_chan_event *mu_mailbox_give(struct mu_mailbox *b,
                                            uint64_t now_ms);

/* The instance has answered the event that is out. rc 0: handled. Else it is
 * given again after mu_backoff_ms, with the next attempt number and AGAIN.
 * MU_EPROTO: no event with this seq is out; nothing has changed. */
int mu_mailbox_ack(struct mu_mailbox *b, uint64_t seq, int rc, uint64_t now_ms);

/* There is a broker again: what was not handled for want of one (MU_ECONNLOSS) is
 * due now. */
void mu_mailbox_linked(struct mu_mailbox *b);

/* The instance ended without an answer: as a failure, to be given again as soon
 * as there is someone to give it to; a newer one takes its place only from the
 * second time on. */
void mu_mailbox_lost(struct mu_mailbox *b);

/* Time at which mu_mailbox_give has something; UINT64_MAX: not before the next
 * put, ack or lost. */
uint64_t mu_mailbox_due_ms(const struct mu_mailbox *b);

bool mu_mailbox_is_out(const struct mu_mailbox *b);
/* The event that is out, borrowed until ack, lost or clear; NULL: none is. */
const struct mu_chan_event *mu_mailbox_out(const struct mu_mailbox *b);

/* The first event, if it was given and not handled: what another life of the
 * agent needs to know of it. */
struct mu_mailbox_failure {
	const struct mu_chan_event *e; /* NULL: there is none */
	uint32_t attempts;             /* how often it was given */
	bool yields; /* to a newer one: it was refused, or has ended its process
	                more than once */
};
/* Borrowed until the next call that changes something. The one that is out counts
 * as given. */
struct mu_mailbox_failure mu_mailbox_failed(const struct mu_mailbox *b);
/* An event (its source, type, path, zxid and n count) failed so before this
 * mailbox was made. When it is put, it goes on with AGAIN and the next attempt
 * number. MU_ENOMEM. */
int mu_mailbox_tried(struct mu_mailbox *b, const struct mu_mailbox_failure *f);

/* Empty it, of the event that is out too. If that one, or the first, was given
 * and not handled, and the same (source, type, path, zxid, n) is put again
 * before the next clear, then it goes on with AGAIN and the next attempt number.
 * Positions of what waited are forgotten. */
void mu_mailbox_clear(struct mu_mailbox *b);
/* Empty it likewise, and know of nothing that was tried: what comes from now on
 * speaks of other things, be its paths and zxids the same. */
void mu_mailbox_drop(struct mu_mailbox *b);

/* Drop the first event if it was given and not handled (not for a single end of
 * the instance), is not out, and `to` holds one of its kind and path, which then stands for both. */
void mu_mailbox_yield(struct mu_mailbox *b, const struct mu_mailbox *to);

size_t mu_mailbox_count(const struct mu_mailbox *b); /* the one out included */

#endif /* MU_CORE_MAILBOX_H */
