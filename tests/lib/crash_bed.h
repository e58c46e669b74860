/*
 * crash_bed.h - a broker under crash_shim.so, with its data and the shim's work
 * in a cluster's directory.
 */
#ifndef MU_TEST_CRASH_BED_H
#define MU_TEST_CRASH_BED_H

#include "cluster.h"
#include "crash_plan.h"

struct crash_bed {
	struct cluster k;
	struct crash c;
	char data[CLUSTER_PATH_MAX + 16]; /* the broker's data directory */
	uint16_t port;                    /* of its plain TCP listener, or 0 */
};

/* Make the directories and the broker.conf, with `more` in it. notes: a loss of
 * power will be played. tcp: it listens for ZooKeeper's clients. */
void crash_bed_open(struct crash_bed *b, bool notes, bool tcp,
                    const char *more);
/* Write the broker.conf again. */
void crash_bed_conf(struct crash_bed *b, const char *more);
/* Start the broker under the plan as it is now, and wait until it listens or is
 * dead: false. */
bool crash_bed_start(struct crash_bed *b);
/* Wait until it has ended by itself: as `exit` of struct run. */
int crash_bed_end(struct crash_bed *b);
/* Stop it if it runs, and remove everything. */
void crash_bed_close(struct crash_bed *b);

#endif /* MU_TEST_CRASH_BED_H */
