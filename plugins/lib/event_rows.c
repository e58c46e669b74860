#include "event_rows.h"

#include "fail.h"
#include "typed.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint32_t off_by_default[] = { MU_EVENT_PRESENT,
	                                   MU_EVENT_MEMBER_PRESENT,
	                                   MU_EVENT_CONNECTED,
	                                   MU_EVENT_DISCONNECTED };

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

int event_rows_read(const struct mu_host *h, const char *key,
                    bool wants[EVENT_ROWS], struct mu_err *err)
{
	const char **words = NULL;
	int rc = typed_list(h, key, &words, err);

	for (size_t i = 0; i < EVENT_ROWS; i++)
		wants[i] = !words;
	for (size_t i = 0; i < COUNT(off_by_default); i++)
		wants[event_row_of_type(off_by_default[i])] = false;
	for (size_t i = 0; rc == 0 && words && words[i]; i++) {
		size_t row = event_row_of_word(words[i]);

		if (row < EVENT_ROWS)
			wants[row] = true;
		else
			rc = fail(err, MU_ECONFIG,
			          "%s: \"%.60s\" is no event; there are "
			          "present, created, deleted, changed, "
			          "children, member-present, joined, left, "
			          "failed, member-changed, connected and "
			          "disconnected",
			          key, words[i]);
	}
	free(words);
	return rc;
}

const char *event_word(uint32_t type)
{
	size_t i = event_row_of_type(type);

	return i < EVENT_ROWS ? event_rows[i].word : "unknown";
}

static const char *cause_word(int32_t cause)
{
	switch (cause) {
#define CAUSE_CASE(name, number, word) \
	case name: \
		return word;
		MU_CAUSE_MAP(CAUSE_CASE)
#undef CAUSE_CASE
	default:
		return "unknown";
	}
}

const char *event_cause(const struct mu_event *e)
{
	/* A request is always somebody's; what the broker does is not. */
	if (!MU_HAS(e, struct mu_event, author) ||
	    (e->author_session == 0 && e->cause == MU_BY_REQUEST))
		return NULL;
	return cause_word(e->cause);
}

int64_t event_author_session(const struct mu_event *e)
{
	return MU_HAS(e, struct mu_event, author) ? e->author_session : 0;
}

const char *event_author(const struct mu_event *e)
{
	return event_author_session(e) ? e->author : NULL;
}
