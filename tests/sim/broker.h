/*
 * broker.h - a real store and the shell around it: it hands in what the wires
 * and the journal bring, carries the effects out, and tells the history of each
 * command that is applied.
 */
#ifndef SIM_BROKER_H
#define SIM_BROKER_H

#include "store.h"

#include "history.h"
#include "storage.h"

struct sim;

#define BROKER_TICK_MS 50u
#define BROKER_TOUCHED_MAX 64u

struct broker {
	struct sim *sim;
	struct mu_store *store; /* NULL while it is down */
	struct storage storage;
	struct mu_store_config config;
	uint32_t boot; /* counts its starts and its crashes */
	uint32_t epoch;
	int64_t tree_id;
	int64_t wall_ms;  /* offset of its wall clock; may be set back */
	int64_t zxid;     /* the store's, as last seen */
	uint64_t told_ms; /* the store was last told the time */
	uint64_t stalled_until_ms;
	uint64_t turns;
	uint32_t touched[BROKER_TOUCHED_MAX]; /* wires with something to send */
	uint32_t touched_count;
};

void broker_init(struct broker *b, struct sim *s);
void broker_fini(struct broker *b);
bool broker_is_up(const struct broker *b);

/* From the wires. broker_arrived: something is at its door, and is handed in
 * when it is awake. */
void broker_arrived(struct broker *b, uint32_t wire);
void broker_hear(struct broker *b, uint32_t wire, const void *message,
                 size_t len);
void broker_lost(struct broker *b, uint32_t wire);

/* Take a snapshot now. */
void broker_snapshot(struct broker *b);

/* Faults. After a crash it comes up again by itself: with what was durable, and
 * perhaps some more that nobody was told of; or with an empty tree. */
enum broker_end {
	BROKER_KILLED,    /* what was written is there, synced or not */
	BROKER_POWERLESS, /* what was synced is there */
	BROKER_WIPED,     /* nothing is */
};
void broker_stall(struct broker *b, uint32_t ms);
void broker_crash(struct broker *b, enum broker_end end);
/* It dies at one of the next calls of the disk. */
void broker_doom(struct broker *b);
/* Until broker_disk_well: no room, or every write is refused. */
void broker_disk_ill(struct broker *b, bool full);
void broker_disk_well(struct broker *b);
/* The next sync fails. */
void broker_disk_lies(struct broker *b);

#endif /* SIM_BROKER_H */
