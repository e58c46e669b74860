/*
 * tcp.h - the plain TCP carrier: ZooKeeper's framing on one side, numbered links
 * on the other. Rules 3, 4, 41, 46, 92, 96.
 *
 * What a link sends is split into records and handed to the owner; what the owner
 * sends gathers and leaves in one write a turn. A link that does not read what it
 * asked for is not read either: its requests wait in the kernel, and then in the
 * peer. What begins with a four-letter word in place of a length is answered by
 * the owner and ended.
 *
 * Plain TCP cannot say why a link ends, so a cut is a close, counted and logged.
 * The loop's thread owns it.
 */
#ifndef MU_BROKER_TCP_H
#define MU_BROKER_TCP_H

#include "tcpsock.h"

struct mu_tcp;
struct mu_buf;

/* Numbers of links are one space for all carriers: this bit is set in those of
 * TCP, and in no other. */
#define MU_LINK_TCP 0x80000000u

#define MU_TCP_READ_MAX 65536u /* bytes read from one link in a turn */
#define MU_TCP_ACCEPT_MAX 64u  /* connections taken in a turn */
#define MU_TCP_QUIET_BYTES \
	131072u                /* more than this waits for a link: it is not
                                      read until half of it has gone */
#define MU_TCP_LINGER_MS 1000u /* for the peer to close after our last words */
#define MU_TCP_WORD_MAX 12u    /* bytes: "stmk" and its number */

/* All have a config key of the same name. */
struct mu_tcp_limits {
	uint32_t packet_max; /* bytes of a record; beyond it the link is cut */
	uint32_t reply_max;  /* bytes of a record sent */
	uint32_t outbox_max; /* bytes waiting for a link */
	uint32_t outbox_stall_ms;
	uint32_t links_per_address_max; /* 0: any number */
};

/* Why the carrier itself ended a link. X(name, word for logs and counters) */
#define MU_TCP_CUT_MAP(X) \
	X(MU_TCP_CUT_LEFT, "left") \
	X(MU_TCP_CUT_GONE, "gone") \
	X(MU_TCP_CUT_WORD, "four-letter word") \
	X(MU_TCP_CUT_OVERFLOW, "outbox full") \
	X(MU_TCP_CUT_STALLED, "stopped reading") \
	X(MU_TCP_CUT_LENGTH, "no record, or one over packet_max") \
	X(MU_TCP_CUT_TOO_MANY, "too many links: links_max") \
	X(MU_TCP_CUT_CROWDED, \
	  "too many links from one address: links_per_address_max") \
	X(MU_TCP_CUT_MEMORY, "out of memory")

enum mu_tcp_cut {
#define MU_TCP_CUT_ENUM(name, word) name,
	MU_TCP_CUT_MAP(MU_TCP_CUT_ENUM)
#undef MU_TCP_CUT_ENUM
		MU_TCP_CUT_COUNT
};
const char *mu_tcp_cut_word(enum mu_tcp_cut reason);

/* All may call send, fanout and end, which never call back. */
struct mu_tcp_owner {
	/* A link came up. On error it is closed at once, without `lost`. */
	int (*open)(void *arg, uint32_t link, const char *origin);
	/* Would a record of `len` bytes be taken now, rather than refused for
	 * those of this link that wait? If not, it is offered again later. */
	bool (*takes)(void *arg, uint32_t link, size_t len);
	/* A record, without its length; borrowed. */
	void (*record)(void *arg, uint32_t link, const void *p, size_t len);
	/* Is this the first 4 bytes of a word's text? How many bytes belong to
	 * it: 0 if it is none, 4 to MU_TCP_WORD_MAX. */
	size_t (*word_len)(void *arg, const uint8_t first[4]);
	/* Append the answer to a word, after `lost` of its link. */
	void (*word)(void *arg, uint32_t link, const uint8_t *p,
	             struct mu_buf *out);
	/* The carrier ended the link; nothing of it comes after. */
	void (*lost)(void *arg, uint32_t link);
	void *arg;
};

/* key: random. MU_ENOMEM. */
int mu_tcp_open(struct mu_loop *loop, const struct mu_tcp_limits *limits,
                const uint8_t key[16], const struct mu_tcp_owner *owner,
                struct mu_tcp **out, struct mu_err *err);
/* Try to send what waits, and close all. NULL is allowed. */
void mu_tcp_close(struct mu_tcp *t);
/* As mu_tcplisten_open; *actual gets the address with its real port. */
int mu_tcp_listen(struct mu_tcp *t, const char *address, const char **actual,
                  struct mu_err *err);

/* Go on with links that had to wait: for their turn, for the outbox, for the
 * owner. Once a turn of the loop, before the flush. */
void mu_tcp_turn(struct mu_tcp *t);
/* Is there more for mu_tcp_turn to do now? */
bool mu_tcp_has_more(const struct mu_tcp *t);

/* Framed records to a link, or the same to many; they leave with the next
 * flush. Numbers that are not ours are ignored. */
void mu_tcp_send(struct mu_tcp *t, uint32_t link, const void *p, size_t len);
void mu_tcp_fanout(struct mu_tcp *t, const uint32_t *links, size_t count,
                   const void *p, size_t len);
/* Does more wait for the link than half of what may? */
bool mu_tcp_is_busy(const struct mu_tcp *t, uint32_t link);
/* Close after what was sent; the peer is not heard any more. */
void mu_tcp_end(struct mu_tcp *t, uint32_t link);
/* Send what gathered in this turn. */
void mu_tcp_flush(struct mu_tcp *t);
/* Time passed: cut links that take nothing. */
void mu_tcp_tick(struct mu_tcp *t);

/* Limits may change while running; packet_max is not looked at. */
void mu_tcp_configure(struct mu_tcp *t, const struct mu_tcp_limits *limits);

struct mu_tcp_stats {
	uint32_t links;
	uint32_t waiting; /* that do not take what is sent to them */
	uint32_t paused;  /* that are not read */
	uint64_t waiting_bytes;
	uint64_t records_in, records_out, bytes_in, bytes_out;
	uint64_t latency_count, latency_sum_ms, latency_min_ms, latency_max_ms;
	uint64_t cut[MU_TCP_CUT_COUNT];
};
void mu_tcp_stats(const struct mu_tcp *t, struct mu_tcp_stats *out);
/* Forget counters: of the whole (but for `cut`), or of every link. */
void mu_tcp_stats_reset(struct mu_tcp *t);
void mu_tcp_links_reset(struct mu_tcp *t);

struct mu_tcp_count {
	uint64_t records_in, records_out;
	uint64_t latency_count, latency_sum_ms, latency_min_ms, latency_max_ms;
	uint64_t last_latency_ms, last_reply_ms; /* a time of the loop */
	int32_t last_op, last_xid;
	int64_t last_zxid;
};
struct mu_tcp_link_info {
	uint32_t link;
	const char *where;  /* "127.0.0.1:40123" */
	bool greeted;       /* it has sent a record */
	bool interested;    /* it is read */
	uint64_t opened_ms; /* a time of the loop */
	size_t waiting_bytes;
	const struct mu_tcp_count *count;
};
/* Visit all links, oldest first; `each` must not change any. */
void mu_tcp_each(const struct mu_tcp *t,
                 void (*each)(void *arg, const struct mu_tcp_link_info *info),
                 void *arg);

#endif /* MU_BROKER_TCP_H */
