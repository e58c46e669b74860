/* words_impl.h - what words*.c share, and nobody else includes. */
#ifndef MU_BROKER_WORDS_IMPL_H
#define MU_BROKER_WORDS_IMPL_H

#include "words.h"

#include "buf.h"

/* An answer in the making. */
struct mu_say {
	struct mu_words *w;
	struct mu_buf *out;
	const uint8_t *arg; /* what follows the word */
	bool cut;           /* at reply_max */
};

void mu_say(struct mu_say *s, const char *fmt, ...) MU_PRINTF(2, 3);
/* A text of any length. */
void mu_say_text(struct mu_say *s, const void *p, size_t len);
/* "Sun Nov 22 13:07:29 UTC 2026" */
void mu_say_date(struct mu_say *s, int64_t wall_ms);

/* words_lists.c */
void mu_word_stat_links(struct mu_say *s);
void mu_word_cons(struct mu_say *s);
void mu_word_dump(struct mu_say *s);
void mu_word_wchs(struct mu_say *s);
void mu_word_wchc(struct mu_say *s);
void mu_word_wchp(struct mu_say *s);

/* words_server.c */
void mu_word_srvr(struct mu_say *s);
void mu_word_stat(struct mu_say *s);
void mu_word_conf(struct mu_say *s);
void mu_word_dirs(struct mu_say *s);
void mu_word_envi(struct mu_say *s);
void mu_word_mntr(struct mu_say *s);

#endif /* MU_BROKER_WORDS_IMPL_H */
