/* zk_table.h - the figures, as rows: ZooKeeper beside Muster, and how many times
 * better Muster is. */
#ifndef MU_BENCH_ZK_TABLE_H
#define MU_BENCH_ZK_TABLE_H

#include <stdbool.h>
#include <stdio.h>

enum zk_side_id { ZOOKEEPER, MUSTER, ZK_SIDES };

enum zk_unit { ZK_RATE, ZK_MS, ZK_MIB }; /* of the first, more is better */

struct zk_row {
	const char *what; /* copied */
	enum zk_unit unit;
	double value[ZK_SIDES];
	double target; /* times better; 0: none is set */
	bool durable;  /* ZooKeeper's figure waits for the disk */
};

/* A heading: what the rows after it are, and how they are measured. */
void zk_table_group(const char *how);
void zk_table_row(const struct zk_row *row);
/* is_durable: Muster keeps its tree too. */
void zk_table_print(FILE *out, bool is_durable);

#endif /* MU_BENCH_ZK_TABLE_H */
