/*
 * linear.h - were all answers those of one register a path, each changed at one
 * moment between question and answer?
 *
 * It knows nothing of the broker: only what each client asked and when, and what
 * it was told and when. The zxids that come with the answers are taken as a
 * witness: they say in which order all has happened. The witness is then held
 * against
 *
 *   real time   what was asked after an answer had come is ordered behind it;
 *               no two writes have one zxid
 *   values      each register, walked in that order, goes from what one answer
 *               showed to what the next one shows by writes alone, and versions
 *               count them
 *
 * A write that was never answered (link lost, session over, journal refused) may
 * have happened, at any time after it was asked, at most once, and a multi whole
 * or not at all. What no write can explain was lost, taken back or made up.
 * Ephemeral nodes and those that were made in an unknown way may go by themselves.
 *
 * So a history passes where a search over all orders (Wing and Gong) would find
 * the one that the zxids name, in time n log n.
 */
#ifndef SIM_LINEAR_H
#define SIM_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum linear_kind {
	LINEAR_READ, /* or a write that failed: it shows what was there */
	LINEAR_CREATE,
	LINEAR_SET,
	LINEAR_DELETE,
	LINEAR_SEVERAL, /* of a multi, on one path: shows what they left */
	LINEAR_ORDER,   /* says nothing of a path: only its moment counts */
};

/* Values below this are written more than once: it does not follow from one that
 * was seen whose it was. All others are written once. */
#define LINEAR_COMMON 16u

/* What an answer shows of its path. */
struct linear_shown {
	bool exists;
	bool has_value, has_stat; /* are those known? */
	uint64_t value;           /* a fingerprint of the data */
	int32_t version;
	int64_t czxid, mzxid, owner; /* mzxid 0: not known */
};

struct linear_op {
	enum linear_kind kind;
	uint32_t request; /* those of one multi share it */
	uint32_t path;    /* 0: none */
	uint32_t stem;    /* a name that ends in digits: the path before them */
	uint32_t
		parent; /* of a sequential create: whose count it takes; or 0 */
	int32_t number; /* and what it was; told by its answer */
	bool write;     /* its zxid is its own */
	uint64_t value; /* that it writes */

	int64_t zxid;             /* its answer's; 0: there was none */
	uint64_t asked, answered; /* stamps; answered 0: never */
	int64_t low; /* the largest zxid told before it was asked */
	struct linear_shown shown;
	int64_t bound; /* not answered, but seen to have happened: when */
};

#define LINEAR_RESETS_MAX 64u

struct linear {
	struct linear_op *ops; /* owned */
	size_t count, room;
	uint64_t stamp;
	int64_t high; /* the largest zxid told */
	uint32_t requests;
	int64_t resets[LINEAR_RESETS_MAX];
	size_t reset_count;
	size_t bad; /* after a check: the op that cannot be; or count */
};

void linear_init(struct linear *l);
void linear_fini(struct linear *l);

/* A number for a request that is about to be asked. */
uint32_t linear_request(struct linear *l);

/* It is asked: `op` has all fields up to the value. Returns where it is kept. */
size_t linear_ask(struct linear *l, const struct linear_op *op);

/* It is answered. `kind` and `path` as they turned out: LINEAR_READ for a write
 * that failed, the name that the broker gave; shown may be NULL for DELETE and
 * ORDER. */
struct linear_op *linear_answer(struct linear *l, size_t at,
                                enum linear_kind kind, int64_t zxid,
                                const struct linear_shown *shown);

/* The broker has lost its tree, as a fresh one may: nothing is there after this
 * zxid. */
void linear_reset(struct linear *l, int64_t zxid);

/* For the texts of paths. */
typedef const char *linear_name(const void *arg, uint32_t path);

/* Is there such an order? If not, `why` is a sentence. Sorts the ops: by path
 * and zxid if a register is wrong, then `bad` is where. */
bool linear_check(struct linear *l, linear_name *name, const void *arg,
                  char why[256]);

#endif /* SIM_LINEAR_H */
