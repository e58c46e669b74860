#include "states.h"

#include "err.h"
#include "json.h"
#include "mem.h"

#include <string.h>

/* A character of more than one byte is not cut in half. */
static void put_text(struct mu_state *at, const char *text)
{
	size_t len = strlen(text);

	if (len >= sizeof at->text) {
		len = sizeof at->text - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(at->text, text, len);
	at->text[len] = '\0';
}

static struct mu_state *state_new(const char *name)
{
	struct mu_state *at = mu_alloc(sizeof *at + strlen(name) + 1);

	if (!at)
		return NULL;
	at->name = (char *)(at + 1);
	memcpy(at->name, name, strlen(name) + 1);
	return at;
}

static bool take_away(struct mu_state **link)
{
	struct mu_state *at = *link;

	*link = at->next;
	mu_free(at);
	return true;
}

bool mu_states_set(struct mu_states *s, const char *name, const char *text)
{
	struct mu_state **link = &s->first, *at;
	char before[MU_STATE_MAX];
	bool found;

	while (*link && strcmp((*link)->name, name) < 0)
		link = &(*link)->next;
	found = *link && strcmp((*link)->name, name) == 0;
	if (!text)
		return found && take_away(link);
	at = found ? *link : state_new(name);
	if (!at)
		return false;
	if (!found) {
		at->next = *link;
		*link = at;
	}
	memcpy(before, at->text, sizeof before);
	put_text(at, text);
	return !found || strcmp(before, at->text) != 0;
}

bool mu_states_is_quarantined(const struct mu_states *s, const char *name)
{
	static const char word[] = "quarantined";
	const struct mu_state *at = s->first;

	while (at && strcmp(at->name, name) != 0)
		at = at->next;
	return at && strncmp(at->text, word, sizeof word - 1) == 0;
}

struct mu_json *mu_states_json(const struct mu_states *s)
{
	struct mu_json *o = mu_json_object();
	int rc = o ? 0 : MU_ENOMEM;

	for (const struct mu_state *at = s->first; at && !rc; at = at->next)
		rc = mu_json_set_data(o, at->name, at->text,
		                      (int32_t)strlen(at->text));
	if (!rc)
		return o;
	mu_json_free(o);
	return NULL;
}

void mu_states_wipe(struct mu_states *s)
{
	while (s->first)
		(void)take_away(&s->first);
}
