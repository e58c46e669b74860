/* A small tree with a history, a broker that tells of it by subscription, and
 * the link between the two and a mirror. For test_mirror_stream.c and
 * test_mirror_random.c. */
#ifndef MIRROR_BED_H
#define MIRROR_BED_H

#include "mirror.h"

#define BED_HISTORY 4096
#define BED_NODES 16
#define BED_QUEUE 4096

struct bed_node {
	char path[24]; /* "": free */
	char data[24];
	struct mu_stat stat;
};

/* One change as it was, with its value. */
struct bed_change {
	int type;
	struct mu_mirror_at at;
	char path[24], data[24];
	struct mu_stat stat;
};

/* What is on its way to the mirror. */
struct bed_message {
	enum { BED_CHANGE, BED_REPLY, BED_READ } kind;
	int sub;    /* of which subscription */
	int change; /* index in the history */
	struct mu_mirror_at at, prev;
	enum mu_mirror_state state;
	uint32_t id;
	int rc;
	int64_t zxid;
	struct bed_node node;
	char names[BED_NODES][24];
	size_t count;
};

/* What is on its way to the broker: reads, and one subscription. */
struct bed_request {
	int sub; /* 0: a read */
	struct mu_mirror_at from;
	uint32_t id;
	enum mu_mirror_what what;
	char path[24];
};

struct bed {
	struct bed_node node[BED_NODES];
	int changes;
	int64_t zxid;
	int32_t n;
	int64_t floor;      /* the log reaches back to here */
	int part;           /* changes told by one catching up */
	size_t whole_max;   /* longer values do not come with their change */
	const char *hidden; /* whose deletion is not ours to know; or NULL */
	const char *top;
	enum mu_mirror_mode mode;
	/* The broker's side of the link. */
	int told; /* history told on the live subscription; -1: none */
	int sub;  /* the live one */
	struct mu_mirror_at prev;
	int in_head, in_tail, out_head, out_tail;
	/* The mirror's. */
	struct mu_mirror *m;
	int asked; /* the last subscription */
	int gaps;  /* that the broker told of */
	/* Not cleared, for their sizes. */
	struct bed_request in[BED_QUEUE];
	struct bed_message out[BED_QUEUE];
	struct bed_change history[BED_HISTORY];
};

/* An empty tree of zxid 10; the mirror stays. */
void bed_init(struct bed *b, const char *top, enum mu_mirror_mode mode);

/* One transaction is one zxid: bed_begin, then any number of the others, which
 * say false where the tree does not allow it. */
void bed_begin(struct bed *b);
bool bed_make(struct bed *b, const char *path, const char *data);
bool bed_edit(struct bed *b, const char *path, const char *data);
bool bed_drop(struct bed *b, const char *path);
struct bed_node *bed_at(struct bed *b, const char *path);
bool bed_covers(const struct bed *b, int type, const char *path);

/* The mirror comes up with a new link, and asks for a subscription. */
int bed_up(struct bed *b, bool fresh);
/* It goes down, with all that was on its way. */
void bed_down(struct bed *b);
/* Hand what the mirror wants to read to the broker. */
void bed_pump(struct bed *b);
/* The broker serves one request; false: there is none. */
bool bed_serve(struct bed *b);
/* The mirror gets one message; false: there is none. What it said is in *rc. */
bool bed_deliver(struct bed *b, int *rc);
/* All of it, until nothing moves. */
int bed_run(struct bed *b);

#endif /* MIRROR_BED_H */
