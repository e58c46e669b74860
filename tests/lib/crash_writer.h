/*
 * crash_writer.h - writers that keep a journal of their own about a broker that
 * is killed again and again, and say when it has lost, doubled, halved or
 * invented something.
 *
 * Each of CRASH_SLOTS writers has a session; a fifth reads what they wrote. The
 * last one's sessions are mortal: they are left without a goodbye now and then,
 * and their ephemerals must go with the timeout.
 *
 *     crash_writer_open(&w, url, seed);            the broker is up
 *     for (;;) {
 *             ok = crash_writer_connect(&w, &broker) &&
 *                  crash_writer_check(&w, &broker) &&
 *                  crash_writer_run(&w, &broker, 300, 120);
 *             if (!ok && w.why[0]) ... something is wrong
 *             ... the broker is dead, or killed now; start it again
 *     }
 *     crash_writer_close(&w);
 *
 * Calls give false where the broker died under them, or with a sentence in why.
 * They do not collect it: its exit code is the test's.
 */
#ifndef MU_TEST_CRASH_WRITER_H
#define MU_TEST_CRASH_WRITER_H

#include "crash_model.h"
#include "crash_plan.h"
#include "program.h"

#define CRASH_SLOTS 4u
#define CRASH_MORTAL (CRASH_SLOTS - 1)
#define CRASH_DEPTH 12u   /* requests of a slot without an answer */
#define CRASH_SEQS 65536u /* sequence numbers that are looked at */
#define CRASH_TIMEOUT_MS 40000u
#define CRASH_MORTAL_MS 2000u

struct mu_client;
struct crash_writer;

struct crash_slot {
	struct crash_writer *w;
	struct mu_client *c;
	struct crash_model model;
	struct crash_op op[CRASH_DEPTH]; /* in order, the oldest first */
	uint32_t ops;
	uint32_t unknown; /* so many of them ended with the connection */
	uint32_t next_id, incarnation;
	int64_t session; /* 0: none yet */
	bool was_up;
};

struct crash_writer {
	struct crash_slot slot[CRASH_SLOTS];
	struct mu_client *reader;
	uint32_t reading; /* reads without an answer */
	char url[256];
	struct dice dice;
	bool may_refuse; /* MU_ENOSPACE, MU_EIO, MU_EMAXDATA are answers */
	int64_t tree_id;
	int64_t zxid;      /* highest that is known */
	int64_t floor;     /* that, at the last restart */
	int32_t seq_floor; /* highest sequence number, at the last restart */
	int32_t seq_top;
	uint8_t seq_known[CRASH_SEQS / 8];
	uint32_t acks, refusals, reads; /* since the last connect */
	uint32_t total_acks, total_unknown, total_kept, restarts, deaths;
	int last_refusal;
	char why[CRASH_WHY + 100]; /* "": all is well */
};

/* Make the folders: the broker is up, and nobody kills it. */
void crash_writer_open(struct crash_writer *w, const char *url, uint64_t seed);
void crash_writer_close(struct crash_writer *w);

/* The broker was started: resume the sessions. */
bool crash_writer_connect(struct crash_writer *w, struct program *broker);
/* Read all, and compare. */
bool crash_writer_check(struct crash_writer *w, struct program *broker);
/* Send `ops` requests and wait for the answers; with kill_at > 0 the broker is
 * killed after so many. False: it is dead. */
bool crash_writer_run(struct crash_writer *w, struct program *broker,
                      uint32_t ops, uint32_t kill_at);
/* The mortal session dies without a goodbye. */
void crash_writer_let_die(struct crash_writer *w);
/* Are all nodes of dead sessions gone? Looks once. */
bool crash_writer_dead_are_gone(struct crash_writer *w);

#endif /* MU_TEST_CRASH_WRITER_H */
