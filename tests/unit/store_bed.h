/*
 * store_bed.h - a store with nothing around it: links are numbers, the journal
 * says "durable" when the test says so, time is what the test says it is.
 *
 * Records that the store sends are kept in one list, in the order in which they
 * came out, and taken from it link by link.
 */
#ifndef MU_TEST_STORE_BED_H
#define MU_TEST_STORE_BED_H

#include "bed.h"
#include "fault.h"

struct store_record {
	uint32_t link;
	bool taken, fanned;
	size_t len;
	uint8_t *bytes;
};

struct store_close {
	uint32_t link;
	enum mu_close_reason reason;
};

struct store_command {
	uint64_t index;
	size_t len;
	uint8_t *bytes;
};

struct store_bed {
	struct mu_store *s;
	struct mu_store_config config;
	struct mu_when now;
	bool slow; /* the journal waits for bed_durable */
	uint64_t logged;
	struct store_record *records;
	size_t record_count;
	struct store_close *closes;
	size_t close_count;
	struct store_command *commands;
	size_t command_count;
	size_t effects;
};
extern struct store_bed store;

void bed_forget(void);
void bed_effect(const struct mu_effect *e);
/* Take the effects out, without a word to the journal. */
void bed_drain(void);
void bed_durable(uint64_t index);
/* Take the effects out; unless the journal is slow, it answers at once. */
void bed_pump(void);
void bed_entropy(void);
void bed_tick(uint64_t ms);
/* Let time pass as a shell does that keeps its ticks. */
void bed_pass(uint64_t ms);
struct store_record *bed_peek(uint32_t link);
struct mu_store_stats bed_stats(void);

#endif /* MU_TEST_STORE_BED_H */
