/*
 * sim.h - a whole cluster in one process: one broker, several clients, the
 * network between them, chance and time. The core is the real one; the shell
 * around it is made of this folder.
 *
 *   world      chance, clock, queue of what is due, trace, first failure
 *   net        wires: ordered and lossless while they live, cut at any moment
 *   platter    a directory that forgets what was not synced
 *   storage    the real journal and snapshots on it
 *   broker     a store and its shell; stalls, crashes, restarts
 *   client     a link machine and an application that asks at random
 *   history    what has really happened
 *   subscriber a client that subscribes, and what it may be told
 *   invariant  what each client may be told, given what has happened
 *   record     what each client asked and was told...
 *   linear     ...and whether that is one history, whatever has happened
 *   sim        the knobs of a run, its faults, its end
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "broker.h"
#include "client.h"
#include "net.h"
#include "subscriber.h"

#define SIM_CLIENTS_MAX 8u
#define SIM_SUBSCRIBERS 2u /* their numbers are behind those of clients */

/* What goes wrong. X(name, word for the trace) */
#define SIM_FAULT_MAP(X) \
	X(SIM_CUT, "cut") \
	X(SIM_HALF_OPEN, "half open") \
	X(SIM_ISOLATE, "isolate") \
	X(SIM_SLOW_NET, "slow network") \
	X(SIM_STALL_BROKER, "stall broker") \
	X(SIM_STALL_CLIENT, "stall client") \
	X(SIM_SLOW_JOURNAL, "slow journal") \
	X(SIM_DISK_FULL, "disk full") \
	X(SIM_DISK_BROKEN, "disk refuses") \
	X(SIM_DISK_LIES, "sync fails") \
	X(SIM_KILL, "kill broker") \
	X(SIM_POWER, "power lost") \
	X(SIM_DOOM, "broker will die in a disk call") \
	X(SIM_WIPE, "crash, nothing kept")

enum sim_fault {
#define SIM_FAULT_ENUM(name, word) name,
	SIM_FAULT_MAP(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
		SIM_FAULT_COUNT
};

/* Mistakes that the shell makes on purpose, so that the invariants can be seen
 * to notice them. */
enum sim_plant {
	SIM_PLANT_NONE,
	SIM_PLANT_DROP_EVENT,   /* one event in 20 is not delivered */
	SIM_PLANT_DOUBLE_EVENT, /* is delivered twice */
	SIM_PLANT_REPLY_FIRST,  /* comes after the reply behind it */
	SIM_PLANT_SWAP_REPLIES, /* two replies change places */
	SIM_PLANT_STALE_READ,   /* a reply names a zxid that is not its own */
	SIM_PLANT_DROP_PINGS,   /* what one client sends is thrown away */
	SIM_PLANT_NO_TICK,      /* the store is not told that time passes */
	SIM_PLANT_LOSE_WRITES,  /* the disk says that it synced, and did not */
	SIM_PLANT_DROP_CHANGE,  /* as with events, a change event */
	SIM_PLANT_DOUBLE_CHANGE,
	SIM_PLANT_SPOIL_CHANGE, /* its last byte is another */
};

struct sim_knobs {
	const char *name;
	uint32_t clients;
	uint32_t trouble_ms;        /* of virtual time, then all is healed */
	uint32_t pause_max_ms;      /* between two acts of a client */
	uint32_t delay_max_ms;      /* of a message */
	uint32_t fault_every_ms;    /* on average; 0: none */
	uint32_t snapshot_every_ms; /* likewise */
	uint8_t weight[SIM_FAULT_COUNT];
	enum sim_plant plant;
};

struct sim {
	struct world world;
	struct history history;
	struct recorder recorder;
	struct net net;
	struct broker broker;
	struct client clients[SIM_CLIENTS_MAX];
	struct subscriber subscribers[SIM_SUBSCRIBERS];
	struct sim_knobs knobs;
	bool healed;
	bool closing;            /* nobody comes back */
	uint32_t values;         /* that were written, so that all differ */
	uint32_t delay_max_ms;   /* now */
	uint32_t journal_max_ms; /* now */
};

/* Run one seed to its end. False: a promise was broken; see s->world. Then
 * sim_fini in any case. */
bool sim_run(struct sim *s, const struct sim_knobs *knobs, uint64_t seed);
void sim_fini(struct sim *s);

/* What was broken, the last steps, and how to play it again. */
void sim_dump(const struct sim *s, FILE *to);

/* The one that runs now, for a handler of SIGABRT (mu_bug); or NULL. */
extern struct sim *sim_running;

#endif /* SIM_SIM_H */
