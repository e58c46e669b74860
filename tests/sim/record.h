/* record.h - what clients ask and are told, put down for linear.h. */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include "history.h"
#include "linear.h"

/* Where a request's operations are. */
struct recorded {
	size_t first;
	uint32_t count;
};

struct recorder {
	struct linear linear;
	struct history *history; /* for the numbers of paths */
};

void recorder_init(struct recorder *r, struct history *h);
void recorder_fini(struct recorder *r);

struct recorded record_ask(struct recorder *r, int32_t op, uint32_t path,
                           const void *body, size_t len);

/* The broker answered, and it was no excuse. session: who asked. */
void record_answer(struct recorder *r, const struct recorded *q, int32_t op,
                   int rc, int64_t zxid, int64_t session,
                   const struct mu_str *body);

/* At the end of a run. Fails the world. */
void recorder_check(struct recorder *r);

#endif /* SIM_RECORD_H */
