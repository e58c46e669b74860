/*
 * native.h - the ZeroMQ carrier: peers of a ROUTER on one side, numbered links
 * on the other.
 *
 * What a link's peer sends is split into records and handed to the owner; what
 * the owner sends gathers in the link's outbox and leaves at the end of the
 * turn. ROUTER can neither close one peer nor make it wait, so a link ends with
 * an empty message each way, or is cut with a reason that is counted and
 * logged; from then on its peer is not heard. The loop's thread owns it.
 */
#ifndef MU_BROKER_NATIVE_H
#define MU_BROKER_NATIVE_H

#include <muster/types.h>

struct mu_native;

#define MU_NATIVE_TURN_MESSAGES 512u  /* read in one turn */
#define MU_NATIVE_TURN_BYTES 1048576u /* or this many */
#define MU_NATIVE_MESSAGE_PACKETS 4u  /* ZMQ_MAXMSGSIZE, in packet_max */
#define MU_NATIVE_ENDED_MAX 4096u     /* peers remembered as ended */
#define MU_NATIVE_OVERSIZE_HEAD 64u   /* bytes shown of a record too large */

/* All have a config key of the same name. */
struct mu_native_limits {
	uint32_t packet_max; /* bytes of a record; read once, by open */
	uint32_t reply_max;  /* bytes of a record sent */
	uint32_t outbox_max; /* bytes parked for a link */
	uint32_t outbox_stall_ms;
	uint32_t links_max;
};

/* Why the carrier itself ended a link. X(name, word for logs and counters) */
#define MU_CUT_MAP(X) \
	X(MU_CUT_LEFT, "left") \
	X(MU_CUT_GONE, "gone") \
	X(MU_CUT_OVERFLOW, "outbox full") \
	X(MU_CUT_STALLED, "stopped reading") \
	X(MU_CUT_MALFORMED, "malformed message") \
	X(MU_CUT_PARTS, "message of several parts") \
	X(MU_CUT_OWN_ID, "chose its own routing id") \
	X(MU_CUT_TOO_MANY, "too many links: links_max") \
	X(MU_CUT_MEMORY, "out of memory")

enum mu_cut {
#define MU_CUT_ENUM(name, word) name,
	MU_CUT_MAP(MU_CUT_ENUM)
#undef MU_CUT_ENUM
		MU_CUT_COUNT
};
const char *mu_cut_word(enum mu_cut reason);

/* Called from within read, flush and retry; all may call send, fanout and end,
 * and none of those three calls back. */
struct mu_native_owner {
	/* A link came up. On error it is ended at once, without `lost`. */
	int (*open)(void *arg, uint32_t link, const char *origin);
	/* A record, without its length; borrowed. */
	void (*record)(void *arg, uint32_t link, const void *p, size_t len);
	/* The start of a record over packet_max. */
	void (*oversize)(void *arg, uint32_t link, const void *head,
	                 size_t len);
	/* The carrier ended the link; nothing of it comes after. */
	void (*lost)(void *arg, uint32_t link);
	void *arg;
};

/* Errors: MU_EIO, MU_ENOMEM. */
int mu_native_open(const struct mu_native_limits *limits,
                   const struct mu_native_owner *owner, struct mu_native **out,
                   struct mu_err *err);
/* NULL is allowed. */
void mu_native_close(struct mu_native *n);
/* Say goodbye to every link, without calling the owner, and let the close wait
 * up to linger_ms for that; only mu_native_close may follow. */
void mu_native_goodbye(struct mu_native *n, unsigned linger_ms);

/* As mu_zsock_bind. */
int mu_native_listen(struct mu_native *n, const char *url, char *actual,
                     size_t room, struct mu_err *err);
/* Edge-triggered: see mu_native_readable. */
int mu_native_fd(const struct mu_native *n);
/* It became readable. */
void mu_native_wake(struct mu_native *n);
/* Is there anything to read? To be asked before waiting for fd. */
bool mu_native_readable(struct mu_native *n);
/* Read until there is nothing left, or a turn's share was read. */
void mu_native_read(struct mu_native *n, uint64_t now_ms);

/* Framed records to a link, or the same to many; they leave with the next
 * flush. Unknown links and links that have ended are ignored. */
void mu_native_send(struct mu_native *n, uint32_t link, const void *p,
                    size_t len);
void mu_native_fanout(struct mu_native *n, const uint32_t *links, size_t count,
                      const void *p, size_t len);
/* After what was sent, say goodbye; the peer is not heard any more. */
void mu_native_end(struct mu_native *n, uint32_t link);

/* Send what gathered in this turn. A link that does not take it is parked. */
void mu_native_flush(struct mu_native *n, uint64_t now_ms);
/* Try the parked ones again, and cut those that made no progress for too long.
 * Call it every MU_NATIVE_RETRY_MS while some are. */
#define MU_NATIVE_RETRY_MS 10u
void mu_native_retry(struct mu_native *n, uint64_t now_ms);
bool mu_native_has_parked(const struct mu_native *n);
/* Does more wait for the link than half of what may? */
bool mu_native_is_busy(const struct mu_native *n, uint32_t link);

/* Limits may change while running; packet_max is not looked at. */
void mu_native_configure(struct mu_native *n,
                         const struct mu_native_limits *limits);

struct mu_native_stats {
	uint32_t links, parked; /* links that wait to be sent to */
	uint64_t parked_bytes;
	uint64_t messages_in, messages_out;
	uint64_t cut[MU_CUT_COUNT];
};
void mu_native_stats(const struct mu_native *n, struct mu_native_stats *out);

#endif /* MU_BROKER_NATIVE_H */
