#include "body.h"

#include "event_rows.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

char *body_base64(const void *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *in = p;
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;

	for (size_t i = 0; text && i < len; i += 3) {
		uint32_t b = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			b |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			b |= in[i + 2];
		*out++ = digits[b >> 18];
		*out++ = digits[b >> 12 & 63];
		*out++ = i + 1 < len ? digits[b >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[b & 63] : '=';
	}
	if (text)
		*out = '\0';
	return text;
}

/* Set one; a value that is NULL (no memory) sets *bad. */
static void set(json_t *o, const char *key, json_t *value, bool *bad)
{
	if (json_object_set_new_nocheck(o, key, value))
		*bad = true;
}

/* A text of the host's or the agent's; bytes that are no UTF-8 in it are not
 * for JSON. */
static json_t *text_new(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("?");
}

/* The value as it is if that is UTF-8, otherwise in base64. */
static void set_data(json_t *o, const struct mu_event *e, bool *bad)
{
	size_t len = e->data_len > 0 ? (size_t)e->data_len : 0;
	json_t *text = NULL;
	char *code;

	if (e->data_len < 0) {
		set(o, "encoding", json_null(), bad);
		set(o, "data", json_null(), bad);
		return;
	}
	text = json_stringn(e->data ? e->data : "", len);
	set(o, "encoding", json_string(text ? "text" : "base64"), bad);
	if (!text) {
		code = body_base64(e->data, len);
		text = code ? json_string(code) : NULL;
		free(code);
	}
	set(o, "data", text, bad);
}

/* Null where the event does not tell. */
static void set_known(json_t *o, const char *key, const char *text, bool *bad)
{
	set(o, key, text ? text_new(text) : json_null(), bad);
}

/* Who did it, and how. The number of a session is too large for the numbers
 * that many readers of JSON have. */
static void set_author(json_t *o, const struct mu_event *e, bool *bad)
{
	const char *author = event_author(e);
	char session[24];

	snprintf(session, sizeof session, "0x%" PRIx64,
	         (uint64_t)event_author_session(e));
	set_known(o, "cause", event_cause(e), bad);
	set_known(o, "session", author ? session : NULL, bad);
	set_known(o, "author", author, bad);
}

static json_t *member_new(const struct mu_member *m, bool *bad)
{
	json_t *o, *labels;

	if (!m)
		return json_null();
	o = json_object();
	labels = json_loads(m->labels, 0, NULL);
	set(o, "name", text_new(m->name), bad);
	set(o, "id", text_new(m->id), bad);
	set(o, "address", text_new(m->address), bad);
	set(o, "port", json_integer(m->port), bad);
	set(o, "version", text_new(m->version), bad);
	set(o, "state", text_new(m->state), bad);
	set(o, "labels", labels ? labels : json_object(), bad);
	return o;
}

char *body_new(const struct mu_host *h, const struct mu_event *e)
{
	json_t *o = json_object();
	char id[48], *text = NULL;
	bool bad = false;

	snprintf(id, sizeof id, "0x%" PRIx64 "/%" PRId32, (uint64_t)e->zxid,
	         e->n);
	set(o, "id", json_string(id), &bad);
	set(o, "type", json_string(event_word(e->type)), &bad);
	set(o, "path", text_new(e->path), &bad);
	set(o, "zxid", json_integer(e->zxid), &bad);
	set(o, "n", json_integer(e->n), &bad);
	set(o, "version",
	    e->stat ? json_integer(e->stat->version) : json_null(), &bad);
	set(o, "count", json_integer(e->count), &bad);
	set(o, "attempt", json_integer(e->attempt), &bad);
	set(o, "again", json_boolean(e->flags & MU_EVENT_AGAIN), &bad);
	set(o, "coalesced", json_boolean(e->flags & MU_EVENT_COALESCED), &bad);
	set(o, "overflow", json_boolean(e->flags & MU_EVENT_OVERFLOW), &bad);
	set(o, "stale", json_boolean(e->flags & MU_EVENT_STALE), &bad);
	set_author(o, e, &bad);
	set(o, "instance", text_new(h->instance), &bad);
	set(o, "host", text_new(h->member), &bad);
	set(o, "member", member_new(e->member, &bad), &bad);
	set_data(o, e, &bad);
	if (!bad)
		text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}
