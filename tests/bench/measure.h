/* measure.h - what every bench needs: the clock, an end with a sentence, and what
 * to say of many samples. */
#ifndef MU_BENCH_MEASURE_H
#define MU_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns(void);

/* Print "bench: " and why, and end the program. */
_Noreturn void stop(const char *what);

/* For qsort, of int64_t. */
int order(const void *a, const void *b);
/* Of sorted samples: 0 the least, 0.5 the median, 1 the most. */
double part(const int64_t *sorted, size_t n, double p);

#endif /* MU_BENCH_MEASURE_H */
