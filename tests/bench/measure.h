/* measure.h - what every bench needs: to be run, the clock, an end with a sentence,
 * and what to say of many samples. */
#ifndef MU_BENCH_MEASURE_H
#define MU_BENCH_MEASURE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

/* Run the one test that a bench is: without a fork, for the helpers of tests/lib
 * speak through Check. The exit status of the program. */
int bench_run(const char *name, const TTest *figures);

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns(void);

/* Print "bench: " and why, and end the program. */
_Noreturn void stop(const char *what);

/* A line on standard error, with the seconds since the first one. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For qsort, of int64_t. */
int order(const void *a, const void *b);
/* Of sorted samples: 0 the least, 0.5 the median, 1 the most. */
double part(const int64_t *sorted, size_t n, double p);

#endif /* MU_BENCH_MEASURE_H */
