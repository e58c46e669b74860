/*
 * words.h - ZooKeeper's four-letter words: what they answer. Rule 82.
 *
 * The texts are those of ZooKeeper 3.9 where somebody may read them by program;
 * counters that have no meaning here are left out. A word answers once, so that
 * all of it is in memory: it is cut at reply_max. The loop's thread owns it.
 */
#ifndef MU_BROKER_WORDS_H
#define MU_BROKER_WORDS_H

#include "native.h"
#include "options.h"
#include "store.h"
#include "tcp.h"

#define MU_WORDS_VERSION "3.9.0-muster-" MU_VERSION

/* What is looked at; all borrowed. */
struct mu_words {
	const struct mu_broker_options *options;
	const struct mu_store *store;
	struct mu_tcp *tcp; /* its counters can be reset */
	const struct mu_native *native;
	const char *address;            /* the first of listen_zookeeper */
	uint64_t started_ms, now_ms;    /* times of the loop */
	int64_t wall_ms;                /* since 1970 */
	int64_t trace_mask;             /* kept for gtmk, means nothing */
	uint64_t requests_0, replies_0; /* when srst was called */
	uint64_t http_second;           /* in which the log last told of HTTP */
};

/* How many bytes belong to the word that begins so: 0 if there is no such word,
 * whether allowed or not. */
size_t mu_words_len(const uint8_t first[4]);
/* Is it a word, or "*"? */
bool mu_words_is_known(const char *word);

/* Append the answer to the word at p, mu_words_len of bytes; one that is not
 * allowed says so. Memory: see buf.h. */
void mu_words_answer(struct mu_words *w, const uint8_t *p, struct mu_buf *out);

#endif /* MU_BROKER_WORDS_H */
