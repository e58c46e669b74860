/* standing.c - see standing.h. */
#include "standing.h"

#include "cli.h"

#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

#define APPLIED "/applied"
#define MEMBERS "/members"
#define ALARMS "/alarms"
#define QUARANTINE ALARMS "/quarantine"

const char *alarm_host(const char *name)
{
	const char *at = strchr(name, '@');

	return at && at > name && at[1] ? at + 1 : NULL;
}

int standings_cover(struct view *v, const char *instance)
{
	char *path;
	int rc = view_add(v, MEMBERS, 1);

	if (rc == 0)
		rc = instance ? view_add(v, QUARANTINE, 1)
		              : view_add(v, ALARMS, 2);
	if (rc)
		return rc;
	if (!instance)
		return view_add(v, APPLIED, 2);
	path = cli_join(APPLIED, instance);
	rc = path ? view_add(v, path, 1) : MU_ENOMEM;
	free(path);
	return rc;
}

/* ---- the list ---- */

static struct standing *add(struct standings *list, const char *instance,
                            size_t len, const char *host)
{
	struct standing *s;

	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;

		s = realloc(list->at, room * sizeof *s);
		if (!s)
			return NULL;
		list->at = s;
		list->room = room;
	}
	s = &list->at[list->count];
	*s = (struct standing){ .instance = strndup(instance, len),
		                .host = host,
		                .state = STANDING_NONE,
		                .path = "",
		                .version = STANDING_UNKNOWN,
		                .tried = STANDING_UNKNOWN,
		                .in_force = { STANDING_UNKNOWN, 0, "" },
		                .node_version = STANDING_UNKNOWN,
		                .reason = "" };
	if (!s->instance)
		return NULL;
	list->count++;
	return s;
}

void standings_free(struct standings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->at[i].instance);
	free(list->at);
	*list = (struct standings){ 0 };
}

static int order(const void *a, const void *b)
{
	const struct standing *x = a, *y = b;
	int d = strcmp(x->instance, y->instance);

	return d ? d : strcmp(x->host, y->host);
}

/* Those added from now on are not found by find(). */
static void sort(struct standings *list)
{
	if (list->count)
		qsort(list->at, list->count, sizeof *list->at, order);
	list->sorted = list->count;
}

static int order_of(const struct standing *s, const char *instance, size_t len,
                    const char *host)
{
	int d = strncmp(s->instance, instance, len);

	if (d == 0 && s->instance[len])
		d = 1;
	return d ? d : strcmp(s->host, host);
}

static struct standing *find(const struct standings *list, const char *instance,
                             size_t len, const char *host)
{
	size_t low = 0, high = list->sorted;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = order_of(&list->at[mid], instance, len, host);

		if (d == 0)
			return &list->at[mid];
		if (d < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static const struct view_node *member_of(const struct view *v, const char *host)
{
	char *path = cli_join(MEMBERS, host);
	const struct view_node *n = path ? view_find(v, path) : NULL;

	free(path);
	return n;
}

/* ---- reports ---- */

/* A version below 0 was of a node that is gone. */
static struct standing_version version_of(const struct mu_json *j)
{
	int64_t version = mu_json_get_int(j, "version", STANDING_UNKNOWN);

	return (struct standing_version){
		version < 0 && mu_json_has(j, "version") ? STANDING_GONE
							 : version,
		mu_json_get_int(j, "zxid", 0), mu_json_get_str(j, "digest", "")
	};
}

/* What was refused has left in force what the agent noted beside it; of another
 * node that is no version of this one. */
static void take_versions(struct standing *s, const struct mu_json *record)
{
	const struct mu_json *before = mu_json_get_object(record, "in_force");

	if (s->says_applied) {
		s->in_force = version_of(record);
		return;
	}
	s->tried = version_of(record).version;
	if (before && strcmp(mu_json_get_str(before, "path", ""), s->path) == 0)
		s->in_force = version_of(before);
}

/* What a record that speaks of another node says of this one: that it is in force,
 * too. NULL: nothing. */
static const struct mu_json *also_of(const struct mu_json *record,
                                     const char *path)
{
	const struct mu_json *last = mu_json_get_object(record, "in_force");
	const struct mu_json *list = mu_json_get_array(record, "also_in_force");
	size_t count = list ? mu_json_count(list) : 0;

	if (last && strcmp(mu_json_get_str(last, "path", ""), path) == 0)
		return last;
	for (size_t i = 0; i < count; i++) {
		const struct mu_json *j = mu_json_at(list, i);

		if (strcmp(mu_json_get_str(j, "path", ""), path) == 0)
			return j;
	}
	return NULL;
}

/* Of several nodes the newest report names one; the standing is to be about this
 * one, if the record knows it. */
static void turn_to(struct standing *s, const char *about)
{
	const struct mu_json *also;

	if (strcmp(s->path, about) == 0)
		return;
	also = also_of(s->record, about);
	if (!also)
		return;
	s->state = STANDING_APPLIED;
	s->says_applied = true;
	s->path = about;
	s->in_force = version_of(also);
	s->version = mu_json_get_int(also, "version", STANDING_UNKNOWN);
	s->zxid = s->in_force.zxid;
	s->tried = STANDING_UNKNOWN;
	s->reason = "";
}

static void take_record(struct standing *s, const struct view_node *n)
{
	static const struct {
		const char *word;
		enum standing_state state;
	} rows[] = {
		{ "applied", STANDING_APPLIED },
		{ "rejected", STANDING_REJECTED },
		{ "failed", STANDING_FAILED },
	};
	const char *word = mu_json_get_str(n->json, "state", "");

	s->record = n->json;
	s->state = STANDING_UNREADABLE;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(word, rows[i].word) == 0)
			s->state = rows[i].state;
	s->says_applied = s->state == STANDING_APPLIED;
	s->path = mu_json_get_str(n->json, "path", "");
	s->version = mu_json_get_int(n->json, "version", STANDING_UNKNOWN);
	s->zxid = mu_json_get_int(n->json, "zxid", 0);
	s->reason = mu_json_get_str(n->json, "reason", "");
	s->since_ms = n->stat.mtime;
	take_versions(s, n->json);
}

/* /applied/<instance>/<host> */
static int add_reports(const struct view *v, const char *only,
                       const char *about, struct standings *list)
{
	size_t count;
	const struct view_node *n = view_below(v, APPLIED "/", &count);

	for (; count > 0; count--, n++) {
		const char *instance = n->path + sizeof APPLIED;
		const char *slash = strchr(instance, '/');
		struct standing *s;

		if (!slash)
			continue;
		if (only &&
		    (strncmp(only, instance, (size_t)(slash - instance)) != 0 ||
		     only[slash - instance] != '\0'))
			continue;
		s = add(list, instance, (size_t)(slash - instance), slash + 1);
		if (!s)
			return MU_ENOMEM;
		take_record(s, n);
		if (about)
			turn_to(s, about);
		s->is_member = member_of(v, s->host) != NULL;
	}
	return 0;
}

/* ---- what members say, and alarms ---- */

struct hearing {
	const char *only;
	const struct view_node *member;
	struct standings *list;
};

/* One of "instances" in a member's record: "ready", "quarantined: reason". */
static int hear(void *arg, const char *instance, const struct mu_json *value)
{
	static const char quarantined[] = "quarantined";
	const struct hearing *h = arg;
	const char *host = h->member->path + sizeof MEMBERS;
	const char *said = mu_json_text_of(value);
	struct standing *s;

	if (h->only && strcmp(h->only, instance) != 0)
		return 0;
	s = find(h->list, instance, strlen(instance), host);
	if (!s) {
		s = add(h->list, instance, strlen(instance), host);
		if (!s)
			return MU_ENOMEM;
		s->is_member = true;
		s->since_ms = h->member->stat.ctime;
		s->reason = said ? said : "";
	}
	if (!said || strncmp(said, quarantined, sizeof quarantined - 1) != 0)
		return 0;
	s->state = STANDING_QUARANTINED;
	s->reason = said + sizeof quarantined - 1;
	s->reason += strspn(s->reason, ": ");
	return 0;
}

static int hear_record(void *arg, const char *key, const struct mu_json *value)
{
	if (strcmp(key, "instances") != 0 || !mu_json_is_object(value))
		return 0;
	return mu_json_each(value, hear, arg);
}

static int hear_members(const struct view *v, const char *only,
                        struct standings *list)
{
	size_t count;
	const struct view_node *n = view_below(v, MEMBERS "/", &count);
	int rc = 0;

	for (; count > 0 && rc == 0; count--, n++) {
		struct hearing h = { only, n, list };

		if (n->json)
			rc = mu_json_each(n->json, hear_record, &h);
	}
	return rc;
}

static int hear_alarms(const struct view *v, const char *only,
                       struct standings *list)
{
	size_t count;
	const struct view_node *n = view_below(v, QUARANTINE "/", &count);

	for (; count > 0; count--, n++) {
		const char *name = n->path + sizeof QUARANTINE;
		const char *host = alarm_host(name);
		size_t len = host ? (size_t)(host - name) - 1 : 0;
		struct standing *s;

		if (!host || (only && (strncmp(only, name, len) != 0 ||
		                       only[len] != '\0')))
			continue;
		s = find(list, name, len, host);
		if (!s)
			s = add(list, name, len, host);
		if (!s)
			return MU_ENOMEM;
		s->is_member = member_of(v, host) != NULL;
		s->state = STANDING_QUARANTINED;
		s->reason = mu_json_get_str(n->json, "reason", s->reason);
		s->since_ms = mu_json_get_int(n->json, "since", n->stat.ctime);
	}
	return 0;
}

/* ---- the nodes ---- */

/* What all of these speak of; "" where that is not one path. But where one speaks
 * of what was asked for, that is it. */
static const char *common_path(const struct standings *list, size_t from,
                               size_t to, const char *about)
{
	const char *path = "";
	bool many = false;

	for (size_t i = from; i < to; i++) {
		const struct standing *s = &list->at[i];

		if (!s->path[0])
			continue;
		if (about && strcmp(about, s->path) == 0)
			return about;
		many = many || (path[0] && strcmp(path, s->path) != 0);
		path = s->path;
	}
	return many ? "" : path;
}

/* What has not reported is about what the others of its instance speak of. Sets it
 * for those from `from` up to `to`. */
static void guess_path(struct standings *list, size_t from, size_t to,
                       const char *about)
{
	const char *path = common_path(list, from, to, about);

	for (size_t i = from; i < to; i++)
		if (!list->at[i].record)
			list->at[i].path = path;
}

static bool is_spoken_of(const struct standings *list, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (list->at[i].record)
			return true;
	return false;
}

/* Its host says that it runs, or soon will. */
static bool is_content(const struct standing *s)
{
	return !s->reason[0] || strcmp(s->reason, "ready") == 0 ||
	       strcmp(s->reason, "starting") == 0;
}

/* Not every plugin reports: an instance of which nothing but good is known is left
 * out unless it was asked for. */
static size_t keep_trouble(struct standings *list, size_t from, size_t to,
                           size_t kept)
{
	for (size_t i = from; i < to; i++) {
		if (list->at[i].state == STANDING_NONE &&
		    is_content(&list->at[i]))
			free(list->at[i].instance);
		else
			list->at[kept++] = list->at[i];
	}
	return kept;
}

static size_t keep_all(struct standings *list, size_t from, size_t to,
                       size_t kept)
{
	memmove(list->at + kept, list->at + from,
	        (to - from) * sizeof *list->at);
	return kept + (to - from);
}

/* Perhaps they never will: not every plugin has anything to report. */
static void note_silent(struct standings *list, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct standing *s = &list->at[i];
		bool runs = strncmp(s->reason, "ready", 5) == 0 ||
		            strncmp(s->reason, "unwell", 6) == 0;

		if (s->state != STANDING_NONE || !runs)
			continue;
		s->state = STANDING_SILENT;
		if (strcmp(s->reason, "ready") == 0)
			s->reason = "ready; no host has reported, and not "
				    "every plugin does";
	}
}

static void look_at_each_instance(struct standings *list, const char *only,
                                  const char *about)
{
	size_t kept = 0, to;

	for (size_t from = 0; from < list->count; from = to) {
		const char *instance = list->at[from].instance;
		size_t before = kept;
		bool all, told;

		for (to = from + 1; to < list->count; to++)
			if (strcmp(list->at[to].instance, instance) != 0)
				break;
		guess_path(list, from, to, about);
		told = is_spoken_of(list, from, to);
		all = only || told;
		kept = (all ? keep_all : keep_trouble)(list, from, to, kept);
		if (!told)
			note_silent(list, before, kept);
	}
	list->count = kept;
}

/* More of them than are covered: 1. */
static int cover_nodes(struct view *v, const struct standings *list)
{
	int more = 0;

	for (size_t i = 0; i < list->count; i++) {
		const char *path = list->at[i].path;

		if (mu_path_check(mu_str_of(path), NULL) ||
		    view_covers(v, path))
			continue;
		if (view_add(v, path, 0))
			return MU_ENOMEM;
		more = 1;
	}
	return more;
}

/* Of one incarnation of a node a version is one value. */
static bool is_current(const struct standing *s, const struct view_node *n)
{
	if (!s->says_applied)
		return false;
	if (!n)
		return s->node_version == STANDING_GONE && s->version < 0;
	return s->version == n->stat.version && s->zxid >= n->stat.czxid;
}

static void hold_against(struct standing *s, const struct view *v)
{
	const struct view_node *n = view_find(v, s->path);

	if (n && !n->there)
		n = NULL;
	if (n) {
		s->node_version = n->stat.version;
		s->node_zxid = n->stat.mzxid;
	} else if (view_covers(v, s->path)) {
		s->node_version = STANDING_GONE;
	}
	s->is_current = is_current(s, n);
	if (s->state == STANDING_APPLIED && !s->is_current)
		s->state = STANDING_BEHIND;
}

static int judge(const struct view *v, const char *only, const char *about,
                 struct standings *list)
{
	int rc = add_reports(v, only, about, list);

	sort(list);
	if (rc == 0)
		rc = hear_members(v, only, list);
	sort(list);
	if (rc == 0)
		rc = hear_alarms(v, only, list);
	sort(list);
	look_at_each_instance(list, only, about);
	for (size_t i = 0; i < list->count; i++)
		hold_against(&list->at[i], v);
	return rc;
}

/* Which nodes are spoken of is known only from the records: read twice. */
int standings_read_about(struct view *v, const char *only, const char *about,
                         struct standings *out)
{
	int rc;

	*out = (struct standings){ 0 };
	do {
		standings_free(out);
		rc = view_read(v);
		if (rc == 0)
			rc = judge(v, only, about, out);
		if (rc == 0)
			rc = cover_nodes(v, out);
	} while (rc == 1);
	return rc;
}

int standings_read(struct view *v, const char *only, struct standings *out)
{
	return standings_read_about(v, only, NULL, out);
}
