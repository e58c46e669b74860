/*
 * soak_writer.h - the soak's writers: threads that change the tree and put each
 * change into the journal, with its zxid and its place in the transaction. What
 * became of a write whose answer was lost they find out from the tree.
 *
 *     /soak, /soak/s1 ...   a writer each, with nodes below of its own: creates,
 *                           sets, deletes, multis with several changes of one
 *                           path; values below and above 4 KiB
 *     /soak/e               ephemerals of sessions that are closed, or die
 *     /members              members that come, change, leave and fail
 */
#ifndef MU_TEST_SOAK_WRITER_H
#define MU_TEST_SOAK_WRITER_H

#include "crash_plan.h"
#include "soak_journal.h"

#include <pthread.h>
#include <stdatomic.h>

#define SOAK_TOP "/soak"
#define SOAK_WRITERS 4 /* the first one at SOAK_TOP itself */
#define SOAK_NODES 8   /* of each */
#define SOAK_END_MEMBER "/members/soak-end"

struct soak_writer;

struct soak_thread {
	pthread_t thread;
	struct soak_writer *w;
	int number;
	struct dice dice;
	/* What was done; its own until it has ended */
	unsigned writes, multis, lost_answers, lost_done;
	unsigned ephemerals, stays;
};

struct soak_writer {
	char url[256];
	struct soak_journal *j;
	uint32_t pause_us; /* between two writes of a writer, on the average */
	atomic_bool stop;
	struct soak_thread thread[SOAK_WRITERS + 2];
	pthread_mutex_t lock;
	char why[400]; /* "": all is well; else a writer could not go on */
};

/* Make the folders. The broker is up, and stays so. */
void soak_writer_open(struct soak_writer *w, struct soak_journal *j,
                      const char *url, uint64_t seed, uint32_t pause_us);
void soak_writer_start(struct soak_writer *w);
/* What goes on is brought to its end. The broker is up, and stays so. Then the
 * last ones are written: a value of SOAK_TOP, and SOAK_END_MEMBER. */
void soak_writer_stop(struct soak_writer *w);
/* All threads' together. */
struct soak_thread soak_writer_sum(const struct soak_writer *w);

/* For the threads. */
__attribute__((format(printf, 2, 3))) void
soak_writer_fail(struct soak_writer *w, const char *fmt, ...);
void *soak_members_run(void *thread);
void *soak_ephemerals_run(void *thread);

#endif /* MU_TEST_SOAK_WRITER_H */
