#include "kit_events.h"

#include "err.h"
#include "json.h"
#include "mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (8u << 20)
#define LINES_MAX 1000000u
#define VALUE_MAX (1 << 20) /* bytes: no broker has a larger one */
#define PATH_LEN_MAX 4096u

/* ---- the keys ---- */

enum key_kind {
	KEY_TEXT,
	KEY_NUMBER,
	KEY_VALUE,
	KEY_MEMBER,
	KEY_FLAGS,
	KEY_CAUSE,
};
enum { ON_NODE = 1, ON_EVENT = 2, ON_CALL = 4 };

static const struct key_row {
	const char *key;
	enum key_kind kind;
	unsigned on;
	int64_t max; /* of a number; from 0 on, or from -1 */
	int64_t min;
} key_rows[] = {
	{ "node", KEY_TEXT, ON_NODE, 0, 0 },
	{ "event", KEY_TEXT, ON_EVENT, 0, 0 },
	{ "call", KEY_TEXT, ON_CALL, 0, 0 },
	{ "path", KEY_TEXT, ON_EVENT, 0, 0 },
	{ "cause", KEY_CAUSE, ON_EVENT, 0, 0 },
	{ "author", KEY_TEXT, ON_EVENT, 0, 0 },
	{ "author_session", KEY_NUMBER, ON_EVENT, INT64_MAX, INT64_MIN },
	{ "data", KEY_VALUE, ON_NODE | ON_EVENT, 0, 0 },
	{ "data_base64", KEY_VALUE, ON_NODE | ON_EVENT, 0, 0 },
	{ "member", KEY_MEMBER, ON_EVENT, 0, 0 },
	{ "flags", KEY_FLAGS, ON_EVENT, 0, 0 },
	{ "zxid", KEY_NUMBER, ON_EVENT, INT64_MAX, 0 },
	{ "n", KEY_NUMBER, ON_EVENT, INT32_MAX, 0 },
	{ "count", KEY_NUMBER, ON_EVENT, UINT32_MAX, 1 },
	{ "attempt", KEY_NUMBER, ON_EVENT, UINT32_MAX, 1 },
	{ "czxid", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX, INT64_MIN },
	{ "mzxid", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX, INT64_MIN },
	{ "pzxid", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX, INT64_MIN },
	{ "ctime", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX, INT64_MIN },
	{ "mtime", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX, INT64_MIN },
	{ "version", KEY_NUMBER, ON_NODE | ON_EVENT, INT32_MAX, INT32_MIN },
	{ "cversion", KEY_NUMBER, ON_NODE | ON_EVENT, INT32_MAX, INT32_MIN },
	{ "aversion", KEY_NUMBER, ON_NODE | ON_EVENT, INT32_MAX, INT32_MIN },
	{ "ephemeral_owner", KEY_NUMBER, ON_NODE | ON_EVENT, INT64_MAX,
	  INT64_MIN },
};

static const struct {
	const char *word;
	uint32_t flag;
} flag_rows[] = {
	{ "again", MU_EVENT_AGAIN },       { "coalesced", MU_EVENT_COALESCED },
	{ "overflow", MU_EVENT_OVERFLOW }, { "stale", MU_EVENT_STALE },
	{ "renewed", MU_EVENT_RENEWED },
};

static const struct {
	const char *word;
	int32_t cause;
} cause_rows[] = {
#define CAUSE_ROW(name, number, word) { word, number },
	MU_CAUSE_MAP(CAUSE_ROW)
#undef CAUSE_ROW
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The flag of a word; 0: there is none. */
static uint32_t flag_of(const char *word)
{
	for (size_t i = 0; word && i < COUNT(flag_rows); i++)
		if (strcmp(flag_rows[i].word, word) == 0)
			return flag_rows[i].flag;
	return 0;
}

/* The cause of a word; -1: there is none. */
static int32_t cause_of(const char *word)
{
	for (size_t i = 0; word && i < COUNT(cause_rows); i++)
		if (strcmp(cause_rows[i].word, word) == 0)
			return cause_rows[i].cause;
	return -1;
}

/* ---- checking a line ---- */

struct checking {
	const struct mu_json *line;
	unsigned on;
	struct mu_err *err;
};

static bool is_number(const struct mu_json *o, const char *key, int64_t min,
                      int64_t max)
{
	int64_t v = mu_json_get_int(o, key, 0);

	/* Another type gives the fallback, and so two of them. */
	return v == mu_json_get_int(o, key, 1) && v >= min && v <= max;
}

static bool flags_are_good(const struct mu_json *o)
{
	const struct mu_json *a = mu_json_get_array(o, "flags");

	for (size_t i = 0; a && i < mu_json_count(a); i++)
		if (!flag_of(mu_json_text_of(mu_json_at(a, i))))
			return false;
	return a != NULL;
}

static bool is_path(const char *text, struct mu_err *err)
{
	return text && mu_path_check(mu_str_of(text), err) == 0;
}

static const char *fault_of(const struct mu_json *line,
                            const struct key_row *row, const struct mu_json *v)
{
	const char *name;

	switch (row->kind) {
	case KEY_TEXT:
		return mu_json_text_of(v) ? NULL : "must be a text";
	case KEY_NUMBER:
		return is_number(line, row->key, row->min, row->max)
		               ? NULL
		               : "must be a whole number in its range";
	case KEY_FLAGS:
		return flags_are_good(line)
		               ? NULL
		               : "must be a list of \"again\", \"coalesced\", "
		                 "\"overflow\", \"stale\", \"renewed\"";
	case KEY_CAUSE:
		return cause_of(mu_json_text_of(v)) >= 0
		               ? NULL
		               : "must be \"request\", \"close\", \"expiry\" "
		                 "or \"ttl\"";
	case KEY_MEMBER:
		name = mu_json_is_object(v) ? mu_json_get_str(v, "name", NULL)
		                            : NULL;
		return name && name[0] && !strchr(name, '/')
		               ? NULL
		               : "must be an object with the member's \"name\"";
	default:
		return NULL; /* its own check is in mu_json_get_data */
	}
}

static int check_key(void *arg, const char *key, const struct mu_json *v)
{
	struct checking *c = arg;
	const char *fault;
	size_t i = 0;

	while (i < COUNT(key_rows) && strcmp(key_rows[i].key, key) != 0)
		i++;
	/* What follows from the rest, but stands in every Stat. */
	if (strcmp(key, "data_length") == 0 || strcmp(key, "children") == 0)
		return 0;
	if (i == COUNT(key_rows) || !(key_rows[i].on & c->on))
		return mu_err(c->err, MU_EDATA,
		              "\"%.100s\" is no key of such a line", key);
	fault = fault_of(c->line, &key_rows[i], v);
	return fault ? mu_err(c->err, MU_EDATA, "\"%s\" %s", key, fault) : 0;
}

static bool is_of_member(int type)
{
	return type >= MU_EVENT_MEMBER_PRESENT &&
	       type <= MU_EVENT_MEMBER_CHANGED;
}

static bool is_of_node(int type)
{
	return type >= MU_EVENT_PRESENT && type <= MU_EVENT_CHILDREN;
}

/* The member of an event: an object. mu_json has no getter for one. */
static int keep_member(void *arg, const char *key, const struct mu_json *v)
{
	const struct mu_json **out = arg;

	if (strcmp(key, "member") == 0)
		*out = v;
	return 0;
}

static const struct mu_json *member_of(const struct mu_json *line)
{
	const struct mu_json *member = NULL;

	(void)mu_json_each(line, keep_member, &member);
	return member;
}

/* What must be there, by the kind of the event. */
static int check_whole(const struct mu_json *j, int type, struct mu_err *err)
{
	const char *path = mu_json_get_str(j, type < 0 ? "node" : "path", NULL);
	struct mu_err why = { 0, "" };
	void *data = NULL;
	int32_t len;
	int rc;

	if ((type < 0 || is_of_node(type)) && !path)
		return mu_err(err, MU_EDATA, "\"path\" is missing");
	if (path && path[0] && !is_path(path, &why))
		return mu_err(err, MU_EDATA, "%.400s", why.msg);
	if (path && strlen(path) > PATH_LEN_MAX)
		return mu_err(err, MU_EDATA, "the path is over %u bytes",
		              PATH_LEN_MAX);
	if (is_of_member(type) && !member_of(j))
		return mu_err(err, MU_EDATA, "\"member\" is missing");
	rc = mu_json_get_data(j, "data", &data, &len, &why);
	mu_free(data);
	if (rc && rc != MU_ENONODE)
		return mu_err(err, rc, "\"data\": %.400s", why.msg);
	if (rc == 0 && len > VALUE_MAX)
		return mu_err(err, MU_EDATA,
		              "\"data\" is over 1 MiB, more than a node holds");
	return 0;
}

/* What kind of line it is, and of which event or call. */
static int check_kind(struct kit_line *l, unsigned *on, struct mu_err *err)
{
	const struct mu_json *j = l->json;
	const char *event = mu_json_get_str(j, "event", "");
	const char *call = mu_json_get_str(j, "call", "");
	int kinds = mu_json_has(j, "event") + mu_json_has(j, "node") +
	            mu_json_has(j, "call");

	if (!mu_json_is_object(j) || kinds != 1)
		return mu_err(err, MU_EDATA,
		              "a line is an object with either \"event\", "
		              "\"node\" or \"call\"");
	l->type = KIT_LINE_NODE;
	*on = ON_NODE;
	if (mu_json_has(j, "call")) {
		*on = ON_CALL;
		l->type = strcmp(call, "tick") == 0 ? KIT_LINE_TICK
		                                    : KIT_LINE_CHECK;
		if (l->type == KIT_LINE_CHECK && strcmp(call, "check") != 0)
			return mu_err(err, MU_EDATA,
			              "\"%.60s\" is no call; \"tick\" or "
			              "\"check\"",
			              call);
	} else if (mu_json_has(j, "event")) {
		*on = ON_EVENT;
		l->type = mu_event_by_word(mu_str_of(event));
		if (l->type < 0)
			return mu_err(
				err, MU_EDATA,
				"\"%.60s\" is no event; one of plugin.h's "
				"words: present, created, changed, "
				"deleted, children, joined, ...",
				event);
	}
	return 0;
}

static int check(struct kit_line *l, struct mu_err *err)
{
	struct checking c = { l->json, 0, err };
	int rc = check_kind(l, &c.on, err);

	rc = rc ? rc : mu_json_each(l->json, check_key, &c);
	if (rc || c.on == ON_CALL)
		return rc;
	return check_whole(l->json, l->type, err);
}

/* ---- the file ---- */

static int add(struct kit_events *e, struct mu_json *json, unsigned number,
               struct mu_err *err)
{
	struct kit_line l = { json, number, KIT_LINE_NODE };
	int rc;

	if (e->count == e->room) {
		size_t room = e->room ? 2 * e->room : 64;
		struct kit_line *more =
			room > LINES_MAX
				? NULL
				: realloc(e->line, room * sizeof *more);

		if (!more)
			return mu_err(err,
			              room > LINES_MAX ? MU_ETOOBIG : MU_ENOMEM,
			              "too many lines");
		e->line = more;
		e->room = room;
	}
	rc = check(&l, err);
	if (rc == 0)
		e->line[e->count++] = l;
	return rc;
}

static bool says_nothing(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0' || text[0] == '#';
}

static int read_line(struct kit_events *e, const char *text, size_t len,
                     unsigned number, struct mu_err *err)
{
	struct mu_json *j = NULL;
	int rc;

	if (len > LINE_MAX_BYTES)
		return mu_err(err, MU_ETOOBIG, "the line is over 8 MiB");
	if (says_nothing(text))
		return 0;
	rc = mu_json_parse_line(text, len, &j, err);
	if (rc)
		return rc;
	rc = add(e, j, number, err);
	if (rc)
		mu_json_free(j);
	return rc;
}

int kit_events_read(FILE *in, const char *name, struct kit_events *out,
                    struct mu_err *err)
{
	struct mu_err why = { 0, "" };
	char *text = NULL;
	size_t room = 0;
	unsigned number = 0;
	ssize_t len;
	int rc = 0;

	*out = (struct kit_events){ 0 };
	while (rc == 0 && (len = getline(&text, &room, in)) >= 0)
		rc = read_line(out, text, (size_t)len, ++number, &why);
	if (rc)
		mu_err(err, rc, "%.200s:%u: %.280s", name, number, why.msg);
	else if (ferror(in))
		rc = mu_err(err, MU_EIO, "cannot read %.300s: %s", name,
		            strerror(errno));
	free(text);
	if (rc)
		kit_events_free(out);
	return rc;
}

void kit_events_free(struct kit_events *e)
{
	for (size_t i = 0; i < e->count; i++)
		mu_json_free(e->line[i].json);
	free(e->line);
	*e = (struct kit_events){ 0 };
}

/* ---- playing a line ---- */

void kit_event_wipe(struct kit_event *e)
{
	free(e->path);
	free(e->labels);
	mu_free(e->data);
	free(e->old_data);
	*e = (struct kit_event){ 0 };
}

/* The Stat that the node has after this line: what the line gives, and what
 * follows from the node before and the transaction. */
static struct mu_stat stat_after(const struct mu_json *j,
                                 const struct kit_node *was, int64_t zxid,
                                 bool is_set)
{
	struct mu_stat s = { .czxid = zxid, .mzxid = zxid, .pzxid = zxid };

	if (was) {
		s = was->stat;
		if (is_set) {
			s.mzxid = zxid;
			s.version++;
		}
	}
	s.czxid = mu_json_get_int(j, "czxid", s.czxid);
	s.mzxid = mu_json_get_int(j, "mzxid", s.mzxid);
	s.pzxid = mu_json_get_int(j, "pzxid", s.pzxid);
	s.ctime = mu_json_get_int(j, "ctime", s.ctime);
	s.mtime = mu_json_get_int(j, "mtime", s.mtime);
	s.version = (int32_t)mu_json_get_int(j, "version", s.version);
	s.cversion = (int32_t)mu_json_get_int(j, "cversion", s.cversion);
	s.aversion = (int32_t)mu_json_get_int(j, "aversion", s.aversion);
	s.ephemeral_owner =
		mu_json_get_int(j, "ephemeral_owner", s.ephemeral_owner);
	return s;
}

/* Put the line's node into the tree. */
static int put_node(const struct mu_json *j, int type, const char *path,
                    struct kit_tree *t)
{
	const struct kit_node *was = kit_tree_find(t, path);
	struct mu_stat stat =
		stat_after(j, was, t->zxid, type == MU_EVENT_CHANGED);
	void *data = NULL;
	int32_t len = -1;
	int rc = mu_json_get_data(j, "data", &data, &len, NULL);

	if (rc == MU_ENONODE && was && was->len >= 0) {
		len = was->len; /* a line without "data" leaves it */
		data = mu_alloc((size_t)len + 1);
		if (data)
			memcpy(data, was->data, (size_t)len);
		rc = data ? 0 : MU_ENOMEM;
	}
	if (rc == 0 || rc == MU_ENONODE)
		rc = kit_tree_put(t, path, data, len, &stat);
	mu_free(data);
	return rc;
}

static int copy_of(const void *p, int32_t len, void **out, struct mu_str *str)
{
	if (len < 0)
		return 0;
	*out = malloc((size_t)len + 1);
	if (!*out)
		return MU_ENOMEM;
	if (len > 0)
		memcpy(*out, p, (size_t)len);
	*str = (struct mu_str){ *out, (uint32_t)len };
	return 0;
}

/* An event's node, before and after. */
static int play_node(const struct kit_line *l, struct kit_tree *t,
                     struct kit_event *out)
{
	const struct kit_node *n = kit_tree_find(t, out->path);
	int rc = 0;

	if (n && (l->type == MU_EVENT_CHANGED || l->type == MU_EVENT_DELETED))
		rc = copy_of(n->data, n->len, &out->old_data, &out->e.old_data);
	if (rc)
		return rc;
	if (l->type == MU_EVENT_DELETED) {
		kit_tree_remove(t, out->path);
		return 0;
	}
	rc = put_node(l->json, l->type, out->path, t);
	n = kit_tree_find(t, out->path);
	if (rc || !n)
		return rc ? rc : MU_ENOMEM;
	out->e.has_stat = true;
	out->e.stat = n->stat;
	/* mu_alloc: as what came out of JSON. */
	out->data = n->len < 0 ? NULL : mu_alloc((size_t)n->len + 1);
	if (n->len < 0)
		return 0;
	if (!out->data)
		return MU_ENOMEM;
	memcpy(out->data, n->data, (size_t)n->len);
	out->e.data = (struct mu_str){ out->data, (uint32_t)n->len };
	return 0;
}

/* A member: its fields, and its record in the tree. */
static int play_member(const struct kit_line *l, struct kit_tree *t,
                       struct kit_event *out)
{
	const struct mu_json *m = member_of(l->json);
	struct mu_chan_event *e = &out->e;
	struct mu_stat stat = { .czxid = e->zxid, .mzxid = e->zxid };
	bool gone = l->type == MU_EVENT_MEMBER_LEFT ||
	            l->type == MU_EVENT_MEMBER_FAILED;
	int64_t port = mu_json_get_int(m, "port", 0);
	char *text = mu_json_get_text(l->json, "member");
	int rc = text ? 0 : MU_ENOMEM;

	out->labels = mu_json_get_text(m, "labels");
	e->has_member = true;
	e->name = mu_str_of(mu_json_get_str(m, "name", ""));
	e->id = mu_str_of(mu_json_get_str(m, "id", ""));
	e->address = mu_str_of(mu_json_get_str(m, "address", ""));
	e->port = port > 0 && port < 65536 ? (uint32_t)port : 0;
	e->version = mu_str_of(mu_json_get_str(m, "version", ""));
	e->boot_id = mu_str_of(mu_json_get_str(m, "boot_id", ""));
	e->state = mu_str_of(mu_json_get_str(m, "state", "up"));
	e->labels = mu_str_of(out->labels ? out->labels : "{}");
	e->started_ms = mu_json_get_int(m, "started", 0);
	e->czxid = mu_json_get_int(m, "czxid", e->zxid);
	if (rc == 0 && gone)
		kit_tree_remove(t, out->path);
	else if (rc == 0)
		rc = kit_tree_put(t, out->path, text, (int32_t)strlen(text),
		                  &stat);
	free(text);
	return rc;
}

static char *path_of(const struct kit_line *l)
{
	const char *path = mu_json_get_str(l->json, "path", "");
	const char *name;
	size_t room;
	char *out;

	if (!is_of_member(l->type) || path[0])
		return strdup(path);
	name = mu_json_get_str(member_of(l->json), "name", "");
	room = sizeof "/members/" + strlen(name);
	out = malloc(room);
	if (out)
		snprintf(out, room, "/members/%s", name);
	return out;
}

int kit_line_play(const struct kit_line *l, struct kit_tree *t,
                  struct kit_event *out)
{
	const struct mu_json *flags = mu_json_get_array(l->json, "flags");
	struct mu_chan_event *e = &out->e;

	*out = (struct kit_event){ 0 };
	if (l->type < KIT_LINE_NODE)
		return 0;
	if (l->type == KIT_LINE_NODE)
		return put_node(l->json, l->type,
		                mu_json_get_str(l->json, "node", "/"), t);
	out->path = path_of(l);
	if (!out->path)
		return MU_ENOMEM;
	e->type = (uint32_t)l->type;
	e->path = mu_str_of(out->path);
	e->zxid = mu_json_get_int(l->json, "zxid", t->zxid + 1);
	t->zxid = e->zxid;
	e->n = (int32_t)mu_json_get_int(l->json, "n", 0);
	e->count = (uint32_t)mu_json_get_int(l->json, "count", 1);
	e->attempt = (uint32_t)mu_json_get_int(l->json, "attempt", 1);
	e->cause = cause_of(mu_json_get_str(l->json, "cause", "request"));
	e->author_session = mu_json_get_int(l->json, "author_session", 0);
	e->author = mu_str_of(mu_json_get_str(l->json, "author", ""));
	for (size_t i = 0; flags && i < mu_json_count(flags); i++)
		e->flags |= flag_of(mu_json_text_of(mu_json_at(flags, i)));
	if (is_of_node(l->type))
		return play_node(l, t, out);
	return is_of_member(l->type) ? play_member(l, t, out) : 0;
}
