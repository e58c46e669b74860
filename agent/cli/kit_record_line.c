/* kit_record_line.c - what happened as lines of a file, see kit_events.h. What
 * changed and who left is decided by the same core that an agent has. */
#include "kit_record_impl.h"

#include "chan.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

static int write_line(struct recording *r, struct mu_json *o)
{
	char *text = mu_json_text(o);

	mu_json_free(o);
	if (!text)
		return MU_ENOMEM;
	fputs(text, r->out);
	fputc('\n', r->out);
	free(text);
	if (fflush(r->out) || ferror(r->out))
		return MU_EIO;
	r->written++;
	return 0;
}

static int set_flags(struct mu_json *o, uint32_t flags)
{
	struct mu_json *a;

	if (!(flags & MU_EVENT_COALESCED))
		return 0; /* the others are the mailbox's */
	a = mu_json_array();
	if (a && mu_json_add_str(a, "coalesced") == 0)
		return mu_json_set(o, "flags", a);
	mu_json_free(a);
	return MU_ENOMEM;
}

/* Of an event of either kind. */
struct head {
	uint32_t type, flags, count;
	int64_t zxid;
	int32_t n;
	bool exact;
	int cause;
	int64_t session;
	struct mu_str origin;
};

/* One that only a later broker knows has no word in such a file. */
static const char *cause_word(int cause)
{
	return cause >= MU_BY_REQUEST && cause <= MU_BY_TTL
	               ? mu_client_cause_word(cause)
	               : NULL;
}

/* Which change it was, and whose: known of what the broker told as it was. */
static int set_author(struct mu_json *o, const struct head *h)
{
	const char *cause = cause_word(h->cause);
	int rc = mu_json_set_int(o, "n", h->n);

	if (!rc && cause)
		rc = mu_json_set_str(o, "cause", cause);
	if (!rc && h->session)
		rc = mu_json_set_int(o, "author_session", h->session);
	if (!rc && h->origin.at)
		rc = mu_json_set_data(o, "author", h->origin.at,
		                      (int32_t)h->origin.len);
	return rc;
}

static struct mu_json *line_of(const struct head *h)
{
	struct mu_json *o = mu_json_object();
	int rc = mu_json_set_str(o, "event", mu_event_word(h->type));

	/* A server before 3.9 does not tell the zxid: -1. */
	if (!rc && h->zxid >= 0)
		rc = mu_json_set_int(o, "zxid", h->zxid);
	if (!rc && h->exact)
		rc = set_author(o, h);
	if (!rc && h->count > 1)
		rc = mu_json_set_int(o, "count", h->count);
	rc = rc ? rc : set_flags(o, h->flags);
	if (!rc)
		return o;
	mu_json_free(o);
	return NULL;
}

int record_change(void *arg, const struct mu_mirror_event *e)
{
	const struct head h = { e->type,  e->flags, e->count,   e->zxid,  e->n,
		                e->exact, e->cause, e->session, e->origin };
	struct watcher *w = arg;
	struct mu_json *o = line_of(&h);
	char *path = strndup(e->path.at, e->path.len);
	int rc = path ? mu_json_set_str(o, "path", path) : MU_ENOMEM;

	free(path);
	if (!rc && e->stat && e->type != MU_EVENT_CHILDREN)
		rc = mu_json_set_data(o, "data", e->data.at,
		                      e->data.at ? (int32_t)e->data.len : -1);
	if (!rc && e->stat)
		rc = cli_json_stat(o, e->stat);
	if (!rc)
		rc = write_line(w->r, o);
	else
		mu_json_free(o);
	record_fail(w->r, rc, "an event cannot be written");
	return rc;
}

/* ---- members ---- */

static int set_member(struct mu_json *o, const struct mu_member *m)
{
	struct mu_json *member = mu_json_object(), *labels = NULL;
	int rc = mu_json_set_str(member, "name", m->name) ||
	         mu_json_set_str(member, "id", m->id) ||
	         mu_json_set_str(member, "address", m->address) ||
	         mu_json_set_int(member, "port", m->port) ||
	         mu_json_set_str(member, "version", m->version) ||
	         mu_json_set_str(member, "boot_id", m->boot_id) ||
	         mu_json_set_int(member, "started", m->started_ms) ||
	         mu_json_set_str(member, "state", m->state) ||
	         mu_json_set_int(member, "czxid", m->czxid);

	if (!rc &&
	    mu_json_parse(m->labels, strlen(m->labels), &labels, NULL) == 0)
		rc = mu_json_set(member, "labels", labels);
	if (!rc)
		return mu_json_set(o, "member", member);
	mu_json_free(member);
	return MU_ENOMEM;
}

void record_member(void *arg, const struct mu_roll_event *e)
{
	const struct head h = { e->type,  e->flags, e->count,   e->zxid,  e->n,
		                e->exact, e->cause, e->session, e->origin };
	struct recording *r = arg;
	struct mu_json *o = line_of(&h);
	int rc = o ? 0 : MU_ENOMEM;

	if (!rc && e->type == MU_EVENT_GAP)
		rc = mu_json_set_str(o, "path", MEMBERS);
	else if (!rc)
		rc = set_member(o, e->member);
	if (!rc)
		rc = write_line(r, o);
	else
		mu_json_free(o);
	record_fail(r, rc, "an event cannot be written");
}

static void on_left(struct mu_client *c, const struct mu_result *res,
                    void *arg);

/* Did it leave or fail? /left/NAME says. */
void record_ask_left(struct recording *r)
{
	const char *name = mu_roll_question(r->roll);
	char *path;
	int rc;

	if (!name)
		return;
	path = cli_join("/left", name);
	rc = path ? mu_client_get(r->cli->client, path, false, on_left, r)
	          : MU_ENOMEM;
	free(path);
	record_fail(r, rc, "/left cannot be read");
}

static void on_left(struct mu_client *c, const struct mu_result *res, void *arg)
{
	struct recording *r = arg;
	struct mu_str left = { 0 };

	(void)c;
	if (r->rc)
		return;
	if (res->rc == MU_ECONNLOSS) {
		mu_roll_ask_again(r->roll); /* once it is connected again */
		return;
	}
	if (res->rc && res->rc != MU_ENONODE) {
		record_fail(r, res->rc, "/left cannot be read");
		return;
	}
	if (res->rc == 0 && res->len > 0)
		left = (struct mu_str){ res->data, (uint32_t)res->len };
	mu_roll_answer(r->roll, left);
	record_ask_left(r);
}

/* The record of /members/NAME; one that cannot be read has its name alone. */
int record_member_node(void *arg, const struct mu_mirror_event *e)
{
	struct watcher *w = arg;
	struct mu_str name = mu_path_name(e->path);
	struct mu_member m = { .size = sizeof m };
	struct mu_roll_change c = { .type = e->type,
		                    .flags = e->flags,
		                    .count = e->count,
		                    .zxid = e->zxid,
		                    .member = &m,
		                    .n = e->n,
		                    .exact = e->exact,
		                    .past = e->past,
		                    .cause = e->cause,
		                    .session = e->session,
		                    .origin = e->origin };
	const struct mu_str data = e->stat ? e->data : e->old_data;
	const struct mu_stat *stat = e->stat ? e->stat : e->last;
	struct mu_json *j = NULL;
	char *text, *labels;
	int rc;

	if (e->type != MU_MIRROR_GAP && (e->type == MU_EVENT_CHILDREN ||
	                                 mu_str_eq(e->path, MU_STR(MEMBERS))))
		return 0;
	if (data.at)
		(void)mu_json_parse(data.at, data.len, &j, NULL);
	text = strndup(name.at, name.len);
	labels = j ? mu_json_get_text(j, "labels") : NULL;
	m.name = text;
	m.id = mu_json_get_str(j, "id", "");
	m.address = mu_json_get_str(j, "address", "");
	m.port = (uint32_t)mu_json_get_int(j, "port", 0);
	m.version = mu_json_get_str(j, "version", "");
	m.boot_id = mu_json_get_str(j, "boot_id", "");
	m.state = mu_json_get_str(j, "state", "");
	m.started_ms = mu_json_get_int(j, "started", 0);
	m.labels = labels && labels[0] == '{' ? labels : "{}";
	m.czxid = stat ? stat->czxid : 0;
	rc = text ? mu_roll_change(w->r->roll, &c) : MU_ENOMEM;
	free(labels);
	free(text);
	mu_json_free(j);
	record_fail(w->r, rc, MEMBERS);
	if (!rc)
		record_ask_left(w->r);
	return rc;
}
