/* chan_records.h - every record of chan.h as a row: its type, how it is read,
 * and written again. For the fuzz target and for the unit test. */
#ifndef MU_TEST_CHAN_RECORDS_H
#define MU_TEST_CHAN_RECORDS_H

#include "chan.h"

union chan_any {
	struct mu_chan_start start;
	struct mu_chan_event event;
	struct mu_chan_result result;
	struct mu_chan_ready ready;
	struct mu_chan_ack ack;
	struct mu_chan_log log;
	struct mu_chan_call call;
	struct mu_chan_report report;
	struct mu_chan_tick tick;
	struct mu_chan_check check;
};

#define CHAN_RECORD_MAP(X) \
	X(start, MU_CHAN_START) \
	X(event, MU_CHAN_EVENT) \
	X(result, MU_CHAN_RESULT) \
	X(ready, MU_CHAN_READY) \
	X(ack, MU_CHAN_ACK) \
	X(log, MU_CHAN_LOG) \
	X(call, MU_CHAN_CALL) \
	X(report, MU_CHAN_REPORT) \
	X(tick, MU_CHAN_TICK) \
	X(check, MU_CHAN_CHECK)

#define RECORD(name, type) \
	static int get_chan_##name(struct mu_in *in, union chan_any *m) \
	{ \
		return mu_get_chan_##name(in, &m->name); \
	} \
	static void put_chan_##name(struct mu_buf *b, const union chan_any *m) \
	{ \
		mu_put_chan_##name(b, &m->name); \
	}
CHAN_RECORD_MAP(RECORD)
#undef RECORD

static const struct chan_record {
	int32_t type;
	const char *name;
	int (*get)(struct mu_in *in, union chan_any *m);
	void (*put)(struct mu_buf *b, const union chan_any *m);
} chan_records[] = {
#define RECORD_ROW(name, type) \
	{ type, #name, get_chan_##name, put_chan_##name },
	CHAN_RECORD_MAP(RECORD_ROW)
#undef RECORD_ROW
};

#define CHAN_RECORD_COUNT (sizeof chan_records / sizeof chan_records[0])

/* NULL for STOP and WAKE, which have no fields, and for a type that is not known. */
static inline const struct chan_record *chan_record_of(int32_t type)
{
	for (size_t i = 0; i < CHAN_RECORD_COUNT; i++)
		if (chan_records[i].type == type)
			return &chan_records[i];
	return NULL;
}

/* True for what another build wrote: of such a record only the version was
 * read, so that it cannot be written again. */
static inline bool chan_is_foreign(int32_t type, const union chan_any *m)
{
	if (type == MU_CHAN_START)
		return m->start.version != MU_CHAN_VERSION;
	return type == MU_CHAN_READY && m->ready.version != MU_CHAN_VERSION;
}

#endif
