#include "applied.h"

#include "clock.h"
#include "err.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "notice.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 512u /* names of an instance and a host are shorter */
#define IN_FORCE "in_force"
#define ALSO "also_in_force"

/* A node that an instance has put in force. */
struct applied_node {
	struct applied_node *next;
	int64_t zxid;
	int32_t version;
	char path[];
};

/* What an instance has put in force last. An agent that was started again finds it
 * in the record that it left. */
struct known {
	struct known *next;
	struct mu_json *in_force; /* NULL: not known */
	bool looked;              /* at that record, or there is no need */
	/* Each node that was put in force since it was begun, the last one
	 * first, and that is there. */
	struct applied_node *nodes;
	char instance[];
};

struct mu_applied {
	struct mu_notices *notices;
	const char *member;
	struct known *known;
};

static const char *const state_word[] = {
	[MU_REPORT_APPLIED] = "applied",
	[MU_REPORT_REJECTED] = "rejected",
	[MU_REPORT_FAILED] = "failed",
};

static void path_of(char out[PATH_ROOM], const struct mu_applied *a,
                    const char *instance)
{
	mu_format(out, PATH_ROOM, "/applied/%s/%s", instance, a->member);
}

/* ---- what is in force ---- */

static struct known **link_of(struct mu_applied *a, const char *instance)
{
	struct known **link = &a->known;

	while (*link && strcmp((*link)->instance, instance) != 0)
		link = &(*link)->next;
	return link;
}

static struct known *known_of(struct mu_applied *a, const char *instance)
{
	struct known **link = link_of(a, instance);

	if (!*link) {
		*link = mu_alloc(sizeof **link + strlen(instance) + 1);
		if (*link)
			memcpy((*link)->instance, instance,
			       strlen(instance) + 1);
	}
	return *link;
}

static void forget_nodes(struct known *k)
{
	while (k->nodes) {
		struct applied_node *n = k->nodes;

		k->nodes = n->next;
		mu_free(n);
	}
}

static void forget(struct known **link)
{
	struct known *k = *link;

	if (!k)
		return;
	*link = k->next;
	forget_nodes(k);
	mu_json_free(k->in_force);
	mu_free(k);
}

/* Of a report that says so, what it has put in force. NULL: no memory. */
static struct mu_json *in_force_of(const struct mu_json *report)
{
	static const char *const numbers[] = { "zxid", "version", "at" };
	static const char *const texts[] = { "path", "digest" };
	struct mu_json *o = mu_json_object();
	int rc = o ? 0 : MU_ENOMEM;

	for (size_t i = 0; !rc && i < sizeof texts / sizeof *texts; i++)
		rc = mu_json_set_str(o, texts[i],
		                     mu_json_get_str(report, texts[i], ""));
	for (size_t i = 0; !rc && i < sizeof numbers / sizeof *numbers; i++)
		rc = mu_json_set_int(o, numbers[i],
		                     mu_json_get_int(report, numbers[i], -1));
	if (!rc)
		return o;
	mu_json_free(o);
	return NULL;
}

/* What the record of an agent before this one says of it. NULL: nothing. */
static struct mu_json *in_force_before(struct mu_str was)
{
	struct mu_json *record = NULL, *out = NULL;
	const struct mu_json *told;

	if (!was.at || mu_json_parse(was.at, was.len, &record, NULL))
		return NULL;
	told = mu_json_get_object(record, IN_FORCE);
	if (told)
		out = in_force_of(told);
	else if (strcmp(mu_json_get_str(record, "state", ""),
	                state_word[MU_REPORT_APPLIED]) == 0)
		out = in_force_of(record);
	mu_json_free(record);
	return out;
}

/* ---- which other nodes are ---- */

/* NULL: no memory. */
static struct applied_node *node_new(const struct mu_chan_report *r)
{
	struct applied_node *n = mu_alloc(sizeof *n + r->path.len + 1);

	if (!n)
		return NULL;
	n->zxid = r->zxid;
	n->version = r->version;
	memcpy(n->path, r->path.at, r->path.len);
	return n;
}

/* `n` (taken over) is what its node is at now; beyond the limit the one that was
 * put in force longest ago is forgotten. */
static void take_node(struct known *k, struct applied_node *n)
{
	struct applied_node **link = &k->nodes;
	size_t count = 0;

	n->next = k->nodes;
	k->nodes = n;
	while (*link) {
		struct applied_node *at = *link;
		bool old = at != n && strcmp(at->path, n->path) == 0;
		bool gone = at == n && n->version < 0;

		if (!old && !gone && ++count <= MU_APPLIED_NODES_MAX) {
			link = &at->next;
			continue;
		}
		*link = at->next;
		if (at != n)
			mu_free(at);
	}
	if (n->version < 0)
		mu_free(n);
}

static int add_node(struct mu_json *list, const struct applied_node *n)
{
	struct mu_json *o = mu_json_object();
	int rc = mu_json_set_data(o, "path", n->path, (int32_t)strlen(n->path));

	rc = rc ? rc : mu_json_set_int(o, "zxid", n->zxid);
	rc = rc ? rc : mu_json_set_int(o, "version", n->version);
	if (!rc)
		return mu_json_add(list, o);
	mu_json_free(o);
	return rc;
}

/* Those beside the one that the report tells of as in force anyway. */
static int set_also(struct mu_json *report, const struct known *k)
{
	const char *but =
		k->in_force ? mu_json_get_str(k->in_force, "path", "") : "";
	struct mu_json *list = mu_json_array();
	int rc = list ? 0 : MU_ENOMEM;

	for (const struct applied_node *n = k->nodes; n && !rc; n = n->next)
		if (strcmp(n->path, but) != 0 &&
		    mu_json_count(list) < MU_APPLIED_NODES_MAX - 1)
			rc = add_node(list, n);
	if (!rc && mu_json_count(list) > 0)
		return mu_json_set(report, ALSO, list);
	mu_json_free(list);
	return rc;
}

/* The text of a report with what is in force; NULL: no memory. */
static char *whole_text(struct mu_json *report, const struct known *k)
{
	if (k->in_force && mu_json_set_copy(report, IN_FORCE, k->in_force))
		return NULL;
	return set_also(report, k) ? NULL : mu_json_text(report);
}

static char *on_found(void *arg, const char *text, struct mu_str was)
{
	struct known *k = arg;
	struct mu_json *report = NULL;
	char *more = NULL;

	k->looked = true;
	if (!k->in_force)
		k->in_force = in_force_before(was);
	if (k->in_force &&
	    mu_json_parse(text, strlen(text), &report, NULL) == 0)
		more = whole_text(report, k);
	mu_json_free(report);
	return more;
}

/* ---- reports ---- */

/* NULL: no memory. */
static struct mu_json *encode(const struct mu_chan_report *r)
{
	struct mu_json *o = mu_json_object();
	int rc;

	rc = mu_json_set_data(o, "path", r->path.at, (int32_t)r->path.len);
	rc = rc ? rc : mu_json_set_int(o, "zxid", r->zxid);
	rc = rc ? rc : mu_json_set_int(o, "version", r->version);
	rc = rc ? rc
	        : mu_json_set_data(o, "digest", r->digest.at,
	                           (int32_t)r->digest.len);
	rc = rc ? rc : mu_json_set_str(o, "state", state_word[r->state]);
	rc = rc ? rc
	        : mu_json_set_data(o, "reason", r->reason.at,
	                           (int32_t)r->reason.len);
	rc = rc ? rc : mu_json_set_int(o, "at", mu_clock_wall_ms());
	if (!rc)
		return o;
	mu_json_free(o);
	return NULL;
}

/* Takes `report` over. good: it tells what is in force now. */
static int put(struct mu_applied *a, struct known *k, struct mu_json *report,
               bool good)
{
	struct mu_json *now = good ? in_force_of(report) : NULL;
	struct mu_json *before = k->in_force;
	char path[PATH_ROOM];
	struct mu_notice notice = { .path = path, .arg = k };

	path_of(path, a, k->instance);
	if (now)
		k->in_force = now;
	if (!good && !k->in_force && !k->looked)
		notice.on_found = on_found;
	if (now || !good)
		notice.text = whole_text(report, k);
	mu_json_free(report);
	if (notice.text && mu_notices_put(a->notices, &notice) == 0) {
		if (now)
			mu_json_free(before);
		return 0;
	}
	if (now)
		mu_json_free(now);
	k->in_force = before;
	free(notice.text);
	return MU_ENOMEM;
}

/* The same of one that tells what is in force. What is no path of a node is not
 * remembered beside others. */
static int put_good(struct mu_applied *a, struct known *k,
                    struct mu_json *report, const struct mu_chan_report *r)
{
	bool is_path = mu_path_check(r->path, NULL) == 0;
	struct applied_node *node = is_path ? node_new(r) : NULL;
	int rc;

	if (is_path && !node) {
		mu_json_free(report);
		return MU_ENOMEM;
	}
	rc = put(a, k, report, true);
	if (rc)
		mu_free(node);
	else if (node)
		take_node(k, node);
	return rc;
}

int mu_applied_report(struct mu_applied *a, const char *instance,
                      const struct mu_chan_report *r)
{
	struct mu_chan_report whole = *r;
	struct mu_json *report;
	struct known *k;

	if (r->path.len > MU_REPORT_TEXT_MAX ||
	    r->digest.len > MU_REPORT_TEXT_MAX ||
	    r->reason.len > MU_REPORT_TEXT_MAX)
		return MU_ETOOBIG;
	if (r->state < 0 || r->state > MU_REPORT_FAILED)
		return MU_EPROTO;
	if (!whole.path.at)
		whole.path = MU_STR("");
	if (!whole.digest.at)
		whole.digest = MU_STR("");
	if (!whole.reason.at)
		whole.reason = MU_STR("");
	k = known_of(a, instance);
	report = k ? encode(&whole) : NULL;
	if (!report)
		return MU_ENOMEM;
	if (whole.state != MU_REPORT_APPLIED)
		return put(a, k, report, false);
	return put_good(a, k, report, &whole);
}

void mu_applied_begin(struct mu_applied *a, const char *instance)
{
	struct known **link = link_of(a, instance);

	if (*link)
		forget_nodes(*link);
}

void mu_applied_remove(struct mu_applied *a, const char *instance)
{
	struct known **link = link_of(a, instance);
	char path[PATH_ROOM];

	path_of(path, a, instance);
	if (*link)
		mu_notices_forget(a->notices, *link);
	forget(link);
	if (mu_notices_remove(a->notices, path))
		mu_log(MU_WARN,
		       MSG("the report of an instance that is no more cannot "
		           "be deleted; delete its node by hand"),
		       KS("path", path),
		       KS("reason", mu_client_strerror(MU_ENOMEM)));
}

int mu_applied_new(struct mu_loop *loop, struct mu_uplink *uplink,
                   const char *member, struct mu_applied **out)
{
	struct mu_applied *a = mu_alloc(sizeof *a);

	if (!a)
		return MU_ENOMEM;
	a->member = member;
	if (mu_notices_new(loop, uplink, "a report", &a->notices)) {
		mu_free(a);
		return MU_ENOMEM;
	}
	*out = a;
	return 0;
}

void mu_applied_free(struct mu_applied *a)
{
	if (!a)
		return;
	mu_notices_free(a->notices);
	while (a->known)
		forget(&a->known);
	mu_free(a);
}
