/* standing_show.c - a standing in words and as JSON; see standing.h. */
#include "standing.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
#define STANDING_WORD(name, word) word,
	STANDING_MAP(STANDING_WORD)
#undef STANDING_WORD
};

size_t said_len(const char *text)
{
	static const char begins[] = " (MU_E";
	const char *at = strrchr(text, '(');
	size_t n;

	if (!at || at == text ||
	    strncmp(at - 1, begins, sizeof begins - 1) != 0)
		return strlen(text);
	n = strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_?");
	return strcmp(at + 1 + n, ")") == 0 ? (size_t)(at - 1 - text)
	                                    : strlen(text);
}

void standing_word(const struct standing *s, char *out, size_t room)
{
	const char *word = words[s->state];

	if (!s->is_member && s->state == STANDING_BEHIND)
		word = words[STANDING_APPLIED];
	snprintf(out, room, "%s%s%s", s->is_member ? "" : "stale (", word,
	         s->is_member ? "" : ")");
}

int standing_json(struct mu_json *o, const struct standing *s)
{
	int rc;

	rc = mu_json_set_str(o, "instance", s->instance);
	rc = rc ? rc : mu_json_set_str(o, "host", s->host);
	rc = rc ? rc : mu_json_set_bool(o, "stale", !s->is_member);
	rc = rc ? rc : mu_json_set_int(o, "node_version", s->node_version);
	if (rc == 0 && s->record)
		rc = mu_json_set_copy(o, "report", s->record);
	rc = rc ? rc : mu_json_set_str(o, "state", words[s->state]);
	rc = rc ? rc : mu_json_set_bool(o, "current", s->is_current);
	rc = rc ? rc : mu_json_set_str(o, "path", s->path);
	rc = rc ? rc : mu_json_set_int(o, "node_zxid", s->node_zxid);
	rc = rc ? rc : mu_json_set_int(o, "since", s->since_ms);
	rc = rc ? rc : mu_json_set_str(o, "reason", s->reason);
	rc = rc ? rc
	        : mu_json_set_int(o, "version_in_force", s->in_force.version);
	return rc ? rc : mu_json_set_int(o, "version_tried", s->tried);
}
