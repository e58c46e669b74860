#include "event_rows.h"

#include <string.h>

const struct event_row event_rows[EVENT_ROWS] = {
#define EVENT_ROW(name, number, word) { number, word },
	MU_EVENT_MAP(EVENT_ROW)
#undef EVENT_ROW
};

size_t event_row_of_type(uint32_t type)
{
	size_t i = 0;

	while (i < EVENT_ROWS && event_rows[i].type != type)
		i++;
	return i;
}

size_t event_row_of_word(const char *word)
{
	size_t i = 0;

	while (i < EVENT_ROWS && strcmp(event_rows[i].word, word) != 0)
		i++;
	return i;
}

const char *event_word(uint32_t type)
{
	size_t i = event_row_of_type(type);

	return i < EVENT_ROWS ? event_rows[i].word : "unknown";
}
