/*
 * soak_bed.h - the soak's cluster: a broker, and two agents that reach it through
 * relays, each with three instances that write down what they are told; and what
 * is done to all of them, chosen by a seed.
 *
 *     all     SOAK_TOP and all below, a queue that holds everything
 *     tight   the same, slow, with a queue of 8
 *     roll    the members, and SOAK_TOP/s1 alone
 */
#ifndef MU_TEST_SOAK_BED_H
#define MU_TEST_SOAK_BED_H

#include "cluster.h"
#include "crash_plan.h"
#include "relay.h"
#include "soak_check.h"

#define SOAK_AGENTS 2
#define SOAK_INSTANCES 3

enum soak_victim {
	SOAK_BROKER,
	SOAK_RUNNER,
	SOAK_WORKER,
	SOAK_SUPERVISOR,
	SOAK_VICTIMS,
};

struct soak_agent {
	struct cluster_agent a;
	struct program relay;
	struct relay_count *count;
	uint16_t port;
	unsigned taken; /* of count, at the last cut */
};

struct soak_bed {
	struct cluster c;
	struct soak_agent agent[SOAK_AGENTS];
	uint16_t port; /* of the broker */
	struct dice dice;
	bool small; /* the broker remembers few changes now */
	/* What was done */
	unsigned cuts, kills, killed[SOAK_VICTIMS], small_logs;
};

extern const char *const soak_instance_name[SOAK_INSTANCES];
extern const struct soak_scope soak_instance_scope[SOAK_INSTANCES];

/* The broker is up, agents are not. */
void soak_bed_open(struct soak_bed *b, uint64_t seed);
void soak_bed_close(struct soak_bed *b);
/* Both agents, until each instance was told of what is there. */
void soak_bed_start_agents(struct soak_bed *b);

/* One disconnect, of an agent that is connected: what was to be said meanwhile is
 * cut in two. False: none came to be connected within WAIT_MS. */
bool soak_bed_cut(struct soak_bed *b);
/* kill -9 of something, and what a service manager would do then. */
void soak_bed_kill(struct soak_bed *b);
/* A random pause, up to so long. */
void soak_bed_pause(struct soak_bed *b, uint32_t ms);

/* Where an instance writes. Static text, overwritten by the next call. */
const char *soak_bed_record(const struct soak_bed *b, int agent, int instance);

#endif /* MU_TEST_SOAK_BED_H */
