/* event_rows.h - the events of muster/plugin.h as rows: number and word. */
#ifndef MU_PLUGINS_EVENT_ROWS_H
#define MU_PLUGINS_EVENT_ROWS_H

#include <muster/plugin.h>

#define EVENT_ONE(name, number, word) +1
/* How many there are. */
enum { EVENT_ROWS = 0 MU_EVENT_MAP(EVENT_ONE) };
#undef EVENT_ONE

struct event_row {
	uint32_t type;
	const char *word;
};
extern const struct event_row event_rows[EVENT_ROWS];

/* The row of an event, EVENT_ROWS if there is none. */
size_t event_row_of_type(uint32_t type);
size_t event_row_of_word(const char *word);

/* Which events a list of words in the settings wants, by row. Without the list:
 * all but present, member-present, connected and disconnected, which tell of no
 * change. MU_ECONFIG, MU_ENOMEM. */
int event_rows_read(const struct mu_host *h, const char *key,
                    bool wants[EVENT_ROWS], struct mu_err *err);

/* "joined"; "unknown" for what has no row. */
const char *event_word(uint32_t type);

/* How it came about: "request", "expiry", ...; "unknown" for a cause that is not
 * in muster/types.h. NULL where the event does not tell: of an older agent, or
 * because nobody did it. */
const char *event_cause(const struct mu_event *e);

/* The session that did it, 0 if the event does not tell. */
int64_t event_author_session(const struct mu_event *e);

/* Where that session came from; NULL if the event does not tell of a session. */
const char *event_author(const struct mu_event *e);

#endif /* MU_PLUGINS_EVENT_ROWS_H */
