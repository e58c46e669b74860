/*
 * crash_model.h - what one writer knows about its own part of the tree, and
 * whether a tree that was found after a crash can be.
 *
 * A writer has a folder /w/s<slot> that nobody else writes, and nodes with a
 * sequence number in /w/q, which all share. Its requests are carried out in
 * their order; so what is found after a crash must be what is known to be done,
 * and of the requests without an answer a first part: all of each, or nothing.
 *
 * The data of each node name the request that wrote them: "s2.117.0 ......".
 */
#ifndef MU_TEST_CRASH_MODEL_H
#define MU_TEST_CRASH_MODEL_H

#include <muster/types.h>

#define CRASH_PARTS 4u
#define CRASH_NODES 96u
#define CRASH_NODE_NAME 40u
#define CRASH_DEAD 8u
#define CRASH_WHY 400u
#define CRASH_DATA_MAX 4096u
#define CRASH_DATA_MIN 32u

enum crash_part_kind { PART_CREATE, PART_SET, PART_DELETE, PART_CHECK };

struct crash_part {
	enum crash_part_kind kind;
	char name[CRASH_NODE_NAME]; /* in the folder; of /w/q: `in_queue` */
	bool in_queue;              /* create: the broker numbers it */
	bool ephemeral;             /* create */
	bool ttl;                   /* create: with a long time to live */
	int32_t version;            /* set, delete, check; -1: any */
	uint32_t len;               /* of the data */
};

struct crash_op {
	uint32_t id; /* counts from 1 in its slot */
	int64_t session;
	uint32_t parts; /* more than one: a multi */
	bool multi;
	struct crash_part part[CRASH_PARTS];
};

struct crash_node {
	char name[CRASH_NODE_NAME]; /* "": numbered, and not known how */
	bool in_queue;
	uint32_t made_op, made_part; /* who created it */
	uint32_t op, part, len;      /* who wrote its data */
	int32_t version;
	int64_t owner;        /* session; 0: none */
	bool ghost;           /* its owner is dead or dying: it may be gone */
	int64_t czxid, mzxid; /* 0: not known */
};

struct crash_model {
	uint32_t slot;
	struct crash_node node[CRASH_NODES];
	size_t count;
	uint32_t creates;   /* ever, in the folder */
	int64_t last_zxid;  /* of what is known to be done */
	uint32_t witnessed; /* somebody has read the effect of this request */
	int64_t dead[CRASH_DEAD]; /* the last sessions that ended */
	uint32_t deaths;
};

/* A node as found. */
struct crash_seen {
	char name[CRASH_NODE_NAME];
	bool in_queue;
	bool damaged; /* the data are nothing that a writer wrote */
	uint32_t slot, op, part, len;
	struct mu_stat stat;
};

struct crash_view {
	struct crash_seen *seen; /* of one slot: folder, and its own in /w/q */
	size_t count;
	struct mu_stat folder;
};

/* The data that a part of a request writes: exactly len bytes. */
void crash_data(uint32_t slot, const struct crash_op *op, uint32_t part,
                char out[CRASH_DATA_MAX]);
/* The reverse; false: damaged. */
bool crash_data_parse(const void *data, int32_t len, struct crash_seen *out);

struct crash_node *crash_model_find(struct crash_model *m, const char *name,
                                    bool in_queue);
/* Carry out a request as the broker must: its code; changed only by 0. */
int crash_model_apply(struct crash_model *m, const struct crash_op *op);
/* The session is over, and (certain) known to be; else its nodes are ghosts. */
void crash_model_end_session(struct crash_model *m, int64_t session,
                             bool certain);

/* How many of the requests without an answer were carried out, by what is found:
 * 0 ... count, and *m is what was found; or -1, and why says what is wrong. */
int crash_model_resolve(struct crash_model *m, const struct crash_op *unknown,
                        size_t count, const struct crash_view *view,
                        char why[CRASH_WHY]);

#endif /* MU_TEST_CRASH_MODEL_H */
