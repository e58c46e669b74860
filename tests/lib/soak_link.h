/*
 * soak_link.h - a session for the soak's writers: one request at a time, waited
 * for as long as it takes. Belongs to one thread.
 */
#ifndef MU_TEST_SOAK_LINK_H
#define MU_TEST_SOAK_LINK_H

#include <muster/client.h>

#define SOAK_OPS_MAX 8u

struct soak_answer {
	int rc;       /* MU_ECONNLOSS, MU_EEXPIRED: it may have been done */
	int64_t zxid; /* of the write */
	struct mu_stat stat[SOAK_OPS_MAX]; /* of each set and create */
};

struct soak_link {
	struct mu_client *c;
	char url[256];
	uint32_t timeout_ms;
	size_t ops;
	bool done;
	struct soak_answer a;
};

void soak_link_open(struct soak_link *l, const char *url, uint32_t timeout_ms);
/* Without a goodbye: its ephemerals stay until the timeout. */
void soak_link_drop(struct soak_link *l);
/* The session is closed, or dropped where that cannot be confirmed. */
void soak_link_close(struct soak_link *l);

/* One operation, or several as a multi. */
const struct soak_answer *
soak_link_do(struct soak_link *l, const struct mu_multi_op *ops, size_t count);
/* The Stat of a node: 0 or MU_ENONODE, asked for until one of them comes. A
 * session that has expired is replaced. */
int soak_link_look(struct soak_link *l, const char *path, struct mu_stat *out);
/* Keep the session alive for so long. */
void soak_link_idle(struct soak_link *l, uint32_t ms);

#endif /* MU_TEST_SOAK_LINK_H */
