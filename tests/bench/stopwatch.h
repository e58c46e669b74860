/* stopwatch.h - what the stopwatch plugin sends to the benchmark. */
#ifndef MU_BENCH_STOPWATCH_H
#define MU_BENCH_STOPWATCH_H

#include <stdint.h>

struct stopwatch_lap {
	uint32_t type; /* enum mu_event_type */
	int64_t at_ns; /* CLOCK_MONOTONIC when the callback ran */
	int64_t value; /* the node's value, if it has 8 bytes */
};

#endif /* MU_BENCH_STOPWATCH_H */
