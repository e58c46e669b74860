/* zk_redis.h - Redis in the setting its own benchmark likes, for a sense of scale. */
#ifndef MU_BENCH_ZK_REDIS_H
#define MU_BENCH_ZK_REDIS_H

#include <stdbool.h>

/* redis-benchmark, 50 clients, pipeline 32, 100 bytes, every SET on the disk before
 * its answer (appendfsync always), the data below `dir`: per second. False: Redis is
 * not installed, and a line on standard output says so. */
bool zk_redis_measure(const char *dir, double *get, double *set);

#endif /* MU_BENCH_ZK_REDIS_H */
