/*
 * log.h - one line of logfmt to stderr for each thing worth saying.
 *
 *     mu_log(MU_INFO, MSG("listening"), KS("url", url), KI("port", port));
 *     ts=2026-11-22T11:30:00.123Z level=info msg=listening url=tcp://... port=7400
 *
 * Values are quoted and escaped where needed, so that no outsider's bytes can
 * forge a line. When stderr is the journal (JOURNAL_STREAM matches it) a line
 * begins with "<6>" and the like and has no ts. Lines over 4 KiB are cut
 * and show it with "...". Any thread may log; a line is one write(2). Never waits,
 * never fails: a line that stderr cannot take now is dropped, and the next one
 * says lost_lines=N. errno is kept.
 */
#ifndef MU_IO_LOG_H
#define MU_IO_LOG_H

#include <muster/types.h>

struct mu_kv {
	const char *key;  /* NULL ends the list */
	const char *text; /* or NULL, then number */
	int64_t number;
};

/* A NULL text is written as "". */
static inline struct mu_kv mu_kv_text(const char *key, const char *text)
{
	return (struct mu_kv){ key, text ? text : "", 0 };
}

#define MSG(text) ((struct mu_kv){ "msg", (text), 0 })
#define KS(key, text) mu_kv_text((key), (text))
#define KI(key, number) ((struct mu_kv){ (key), NULL, (int64_t)(number) })

#define mu_log(level, ...) \
	mu_log_write((level), \
	             (const struct mu_kv[]){ __VA_ARGS__, { NULL, NULL, 0 } })

void mu_log_write(enum mu_level level, const struct mu_kv *kv);

/* Once, at start: program's name (in each line as prog=), lines above `level`
 * are not written. */
void mu_log_open(const char *program, enum mu_level level);
void mu_log_level(enum mu_level level);
bool mu_log_wants(enum mu_level level);
/* "error" ... "debug"; -1 for another word. */
int mu_log_level_by_word(const char *word);

#endif /* MU_IO_LOG_H */
