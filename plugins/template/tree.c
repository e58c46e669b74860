#include "tree.h"

#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MS 5000u /* to read a node */
#define MEMBERS "/members"
#define TOLD "told"

/* Which value of a node it is. */
struct known {
	int64_t zxid;
	int32_t version;
};

static int no_memory(struct mu_err *err)
{
	return fail(err, MU_ENOMEM, "out of memory");
}

/* The name of a node right below `parent`; NULL: it is elsewhere. */
static const char *name_below(const char *parent, const char *path)
{
	size_t len = strcmp(parent, "/") == 0 ? 0 : strlen(parent);

	if (strncmp(path, parent, len) != 0 || path[len] != '/' ||
	    path[len + 1] == '\0' || strchr(path + len + 1, '/'))
		return NULL;
	return path + len + 1;
}

const struct tree_source *tree_source_of(const struct tree *t, const char *path)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct tree_source *s = &t->sources[i];

		if (s->children ? name_below(s->path, path) != NULL
		                : strcmp(s->path, path) == 0)
			return s;
	}
	return NULL;
}

bool tree_is_concerned(const struct tree *t, const struct mu_event *e)
{
	switch (e->type) {
	case MU_EVENT_PRESENT:
	case MU_EVENT_CREATED:
	case MU_EVENT_CHANGED:
	case MU_EVENT_DELETED:
		return tree_source_of(t, e->path) != NULL;
	default:
		return t->members && e->member;
	}
}

/* ---- items ---- */

/* An item of a value; NULL: no memory. */
static json_t *item_new(const struct known *k, const void *data, int32_t len,
                        bool json)
{
	json_t *item = json_object(), *value = NULL;
	json_error_t why;

	if (len < 0)
		len = 0;
	if (json)
		value = json_loadb(data ? data : "", (size_t)len,
		                   JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (json && !value)
		(void)json_object_set_new_nocheck(
			item, "problem", json_string_nocheck(why.text));
	if (!json || !value)
		value = json_stringn_nocheck(data ? data : "", (size_t)len);
	if (json_object_set_new_nocheck(item, "zxid", json_integer(k->zxid)) |
	    json_object_set_new_nocheck(item, "version",
	                                json_integer(k->version)) |
	    json_object_set_new_nocheck(item, "value", value)) {
		json_decref(item);
		return NULL;
	}
	return item;
}

/* The members' record, and what an event says of one, as templates see it. That
 * an agent is "leaving" may mean that it restarts, which no event tells: that
 * is not shown. */
static json_t *member_new(const char *name, int64_t zxid, json_t *record,
                          const struct mu_host *h)
{
	static const char *const texts[] = { "id", "address", "version",
		                             "state" };
	json_t *m = json_object(), *labels = json_object_get(record, "labels");
	json_t *port = json_object_get(record, "port");
	int bad = 0;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *text =
			json_string_value(json_object_get(record, texts[i]));

		if (!text || strcmp(text, "leaving") == 0)
			text = strcmp(texts[i], "state") == 0 ? "up" : "";
		bad |= json_object_set_new_nocheck(m, texts[i],
		                                   json_string_nocheck(text));
	}
	bad |= json_object_set_new_nocheck(m, "name",
	                                   json_string_nocheck(name));
	bad |= json_object_set_new_nocheck(
		m, "port", json_integer(json_integer_value(port)));
	bad |= json_object_set_new_nocheck(m, "labels",
	                                   json_is_object(labels)
	                                           ? json_deep_copy(labels)
	                                           : json_object());
	bad |= json_object_set_new_nocheck(
		m, "self", json_boolean(strcmp(name, h->member) == 0));
	if (bad) {
		json_decref(m);
		return NULL;
	}
	return json_pack("{sIso}", "zxid", (json_int_t)zxid, "value", m);
}

static json_t *member_of_event(const struct mu_event *e,
                               const struct mu_host *h, int64_t zxid)
{
	const struct mu_member *m = e->member;
	json_t *labels = json_loads(m->labels, 0, NULL), *item;
	json_t *record = json_object();

	(void)json_object_set_new_nocheck(record, "id",
	                                  json_string_nocheck(m->id));
	(void)json_object_set_new_nocheck(record, "address",
	                                  json_string_nocheck(m->address));
	(void)json_object_set_new_nocheck(record, "version",
	                                  json_string_nocheck(m->version));
	(void)json_object_set_new_nocheck(record, "state",
	                                  json_string_nocheck(m->state));
	(void)json_object_set_new_nocheck(record, "port",
	                                  json_integer(m->port));
	if (labels)
		(void)json_object_set_new_nocheck(record, "labels", labels);
	item = member_new(m->name, zxid, record, h);
	json_decref(record);
	return item;
}

/* ---- from events ---- */

static bool is_gone(const struct mu_event *e)
{
	return e->type == MU_EVENT_DELETED || e->type == MU_EVENT_MEMBER_LEFT ||
	       e->type == MU_EVENT_MEMBER_FAILED;
}

static json_int_t zxid_of(const json_t *item)
{
	return json_integer_value(json_object_get(item, "zxid"));
}

static json_int_t version_of(const json_t *item)
{
	return json_integer_value(json_object_get(item, "version"));
}

/* Put a new item (taken over; NULL: no memory) in the place of `old`; of the
 * very same value the old one stays, told as it is. */
static int put(struct tree *t, const char *path, const json_t *old,
               json_t *item, bool *changed, struct mu_err *err)
{
	if (!item)
		return no_memory(err);
	*changed = !old || !json_equal(json_object_get(old, "value"),
	                               json_object_get(item, "value"));
	if (!*changed && zxid_of(old) == zxid_of(item) &&
	    version_of(old) == version_of(item)) {
		json_decref(item);
		return 0;
	}
	if (json_object_set_new_nocheck(t->items, path, item))
		return no_memory(err);
	return 0;
}

/* What an event of `path` says, put in. */
static int merge(struct tree *t, const struct mu_event *e, const char *path,
                 bool *changed, struct mu_err *err)
{
	const json_t *old = json_object_get(t->items, path);
	struct known k = { e->zxid, e->stat ? e->stat->version : 0 };

	if (e->stat && !is_gone(e) && e->stat->mzxid > k.zxid)
		k.zxid = e->stat->mzxid;
	/* Older than what was read; what was read after a broken connection may
	 * have a zxid that is not its own. */
	if (old && k.zxid < zxid_of(old) && !(e->flags & MU_EVENT_COALESCED))
		return 0;
	if (is_gone(e)) {
		*changed = old != NULL;
		(void)json_object_del(t->items, path);
		return 0;
	}
	if (e->member)
		return put(t, path, old, member_of_event(e, t->host, k.zxid),
		           changed, err);
	if (!e->stat)
		return 0; /* gone since: the deletion comes next */
	return put(t, path, old,
	           item_new(&k, e->data, e->data_len,
	                    tree_source_of(t, path)->json),
	           changed, err);
}

int tree_merge(struct tree *t, const struct mu_event *e, bool *changed,
               struct mu_err *err)
{
	char *path;
	int rc;

	*changed = false;
	if (!e->member)
		return merge(t, e, e->path, changed, err);
	if (asprintf(&path, MEMBERS "/%s", e->member->name) < 0)
		return no_memory(err);
	rc = merge(t, e, path, changed, err);
	free(path);
	return rc;
}

/* ---- from the broker ---- */

/* Read a node into `items`; one that is not there is no error. */
static int load_node(const struct tree *t, const char *path,
                     const struct tree_source *s, json_t *items,
                     struct mu_err *err)
{
	const void *data;
	struct mu_stat stat;
	int32_t len;
	json_t *item, *record;
	int rc = t->host->get(t->host, path, &data, &len, &stat, READ_MS, err);

	if (rc)
		return rc == MU_ENONODE ? 0 : rc;
	if (s) {
		item = item_new(&(struct known){ stat.mzxid, stat.version },
		                data, len, s->json);
	} else {
		record = json_loadb(data ? data : "", len > 0 ? (size_t)len : 0,
		                    0, NULL);
		item = member_new(name_below(MEMBERS, path), stat.mzxid, record,
		                  t->host);
		json_decref(record);
	}
	if (!item || json_object_set_new_nocheck(items, path, item))
		return no_memory(err);
	return 0;
}

/* Read the nodes below `parent`. s NULL: the members. */
static int load_below(const struct tree *t, const char *parent,
                      const struct tree_source *s, json_t *items,
                      struct mu_err *err)
{
	const char *const *names;
	size_t count = 0;
	json_t *list;
	int rc = t->host->children(t->host, parent, &names, &count, READ_MS,
	                           err);

	if (rc)
		return rc == MU_ENONODE ? 0 : rc;
	/* The names are lent until the next call only. */
	list = json_array();
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, json_string_nocheck(names[i])))
			rc = no_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const json_t *name = json_array_get(list, i);
		char *path;

		if (asprintf(&path, "%s/%s",
		             strcmp(parent, "/") == 0 ? "" : parent,
		             json_string_value(name)) < 0) {
			rc = no_memory(err);
			break;
		}
		rc = load_node(t, path, s, items, err);
		free(path);
	}
	json_decref(list);
	return rc;
}

int tree_load(struct tree *t, struct mu_err *err)
{
	json_t *items = json_object();
	int rc = items ? 0 : no_memory(err);

	for (size_t i = 0; rc == 0 && i < t->count; i++) {
		const struct tree_source *s = &t->sources[i];

		rc = s->children ? load_below(t, s->path, s, items, err)
		                 : load_node(t, s->path, s, items, err);
	}
	if (rc == 0 && t->members)
		rc = load_below(t, MEMBERS, NULL, items, err);
	if (rc) {
		json_decref(items);
		return rc;
	}
	json_decref(t->items);
	t->items = items;
	return 0;
}

/* ---- for reports ---- */

bool tree_known(const struct tree *t, const char *path, int64_t *zxid,
                int32_t *version)
{
	const json_t *item = json_object_get(t->items, path);

	if (!item)
		return false;
	*zxid = zxid_of(item);
	*version = (int32_t)version_of(item);
	return true;
}

static void tell_some(const struct tree *t, bool children, const char *but,
                      void (*tell)(void *arg, const char *path), void *arg)
{
	size_t left = children ? TREE_TOLD_MAX : t->count;
	const char *path;
	json_t *item;

	json_object_foreach(t->items, path, item)
	{
		const struct tree_source *s = tree_source_of(t, path);

		if (!s || s->children != children ||
		    json_object_get(item, TOLD))
			continue;
		(void)json_object_set_new_nocheck(item, TOLD, json_true());
		if (left == 0 || (but && strcmp(path, but) == 0))
			continue;
		left--;
		tell(arg, path);
	}
}

void tree_tell(struct tree *t, const char *but,
               void (*tell)(void *arg, const char *path), void *arg)
{
	tell_some(t, true, but, tell, arg);
	tell_some(t, false, but, tell, arg);
}

/* ---- for templates ---- */

const char *tree_text(const struct tree *t, const struct tree_source *s,
                      size_t *len)
{
	const json_t *value =
		json_object_get(json_object_get(t->items, s->path), "value");

	*len = json_string_length(value);
	return json_string_value(value);
}

static int check_problem(const char *path, const json_t *item,
                         struct mu_err *err)
{
	const char *why = json_string_value(json_object_get(item, "problem"));

	return why ? fail(err, MU_EDATA, "%.200s is not JSON: %.200s", path,
	                  why)
	           : 0;
}

/* What a list shows of an item: the value itself if that is an object, with the
 * node's name unless it has a `name`; NULL: no memory. */
static json_t *entry_new(const char *name, const json_t *item)
{
	json_t *value = json_object_get(item, "value"), *entry;

	entry = json_is_object(value) ? json_copy(value) : json_object();
	if (!json_is_object(value))
		(void)json_object_set_nocheck(entry, "value", value);
	if (!json_object_get(entry, "name"))
		(void)json_object_set_new_nocheck(entry, "name",
		                                  json_string_nocheck(name));
	return entry;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths right below `parent`, sorted; to be freed; NULL: no memory. */
static const char **paths_below(const struct tree *t, const char *parent,
                                size_t *count)
{
	const char **paths =
		calloc(json_object_size(t->items) + 1, sizeof *paths);
	const char *path;
	json_t *item;

	*count = 0;
	if (!paths)
		return NULL;
	json_object_foreach(t->items, path, item) if (name_below(parent, path))
		paths[(*count)++] = path;
	qsort(paths, *count, sizeof *paths, by_path);
	return paths;
}

static int add_list(const struct tree *t, const char *name, const char *parent,
                    json_t *data, struct mu_err *err)
{
	size_t count;
	const char **paths = paths_below(t, parent, &count);
	json_t *list = json_array();
	int rc = paths && list ? 0 : no_memory(err);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		const json_t *item = json_object_get(t->items, paths[i]);
		json_t *entry = entry_new(name_below(parent, paths[i]), item);

		rc = check_problem(paths[i], item, err);
		(void)json_object_set_new_nocheck(entry, "first",
		                                  json_boolean(i == 0));
		(void)json_object_set_new_nocheck(entry, "last",
		                                  json_boolean(i + 1 == count));
		if (json_array_append_new(list, entry) && rc == 0)
			rc = no_memory(err);
	}
	free(paths);
	if (json_object_set_new_nocheck(data, name, list) && rc == 0)
		rc = no_memory(err);
	return rc;
}

static int add_node(const struct tree *t, const struct tree_source *s,
                    json_t *data, struct mu_err *err)
{
	const json_t *item = json_object_get(t->items, s->path);
	int rc;

	if (!item)
		return s->optional ? 0
		                   : fail(err, MU_EDATA,
		                          "%.200s is not there; the files are "
		                          "left as they are",
		                          s->path);
	rc = check_problem(s->path, item, err);
	if (rc)
		return rc;
	if (json_object_set_nocheck(data, s->name,
	                            json_object_get(item, "value")))
		return no_memory(err);
	return 0;
}

int tree_data(const struct tree *t, json_t **out, struct mu_err *err)
{
	json_t *data = json_object();
	int rc = 0;

	if (json_object_set_new_nocheck(data, "host",
	                                json_string_nocheck(t->host->member)) ||
	    json_object_set_new_nocheck(data, "instance",
	                                json_string_nocheck(t->host->instance)))
		rc = no_memory(err);
	for (size_t i = 0; rc == 0 && i < t->count; i++) {
		const struct tree_source *s = &t->sources[i];

		rc = s->children ? add_list(t, s->name, s->path, data, err)
		                 : add_node(t, s, data, err);
	}
	if (rc == 0 && t->members)
		rc = add_list(t, "members", MEMBERS, data, err);
	if (rc)
		json_decref(data);
	else
		*out = data;
	return rc;
}
