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

/* "joined"; "unknown" for what has no row. */
const char *event_word(uint32_t type);

#endif /* MU_PLUGINS_EVENT_ROWS_H */
