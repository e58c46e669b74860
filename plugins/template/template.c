/*
 * template - render files from several nodes and the members, and keep the
 * service that reads them informed.
 *
 *     nodes = (      # what templates may speak of; watch each of them
 *       { name = "port"; path = "/config/web/port"; },
 *       { name = "limits"; path = "/config/web/limits";
 *         json = true;         # its value is JSON: {{limits.rate}}
 *         optional = true; },  # may be missing; else the files stay as they are
 *       { name = "backends"; path = "/services/web";
 *         children = true;     # a list of the nodes below it; watch children
 *         json = true; }       # whose values are JSON: {{port}} of each
 *     );
 *     members = true;          # the list of members; with members = true of
 *                              # the instance
 *     files = (
 *       { template = "/etc/muster/web.conf.mustache"; # a file of this host, or
 *         node = "text";       # instead, a node of the above that holds it
 *         file = "/etc/web/web.conf"; # absolute; a symbolic link is replaced
 *         mode = "0644";
 *         check = "web --check %f"; }  # optional; %f: the new bytes, in a file
 *     );
 *     reload = "systemctl reload web"; # optional
 *     timeout_ms = 8000;       # of each command; all of them, and the reload of
 *                              # the old files, should fit the deadline
 *
 * Templates are Mustache, with nothing escaped and without partials: {{port}};
 * {{#backends}} ... {{/backends}} for each, with name and value, or, where json
 * is true and the value is an object, name and what that has; {{#members}} with
 * name, address, port, id, version, state, labels (labels.zone) and self (true
 * for this host).
 * Of each list's items first and last are true for one: {{^last}},{{/last}}.
 * {{host}} is this host, {{instance}} the instance. true and false serve
 * sections; what is not there is empty, and skips its section. Lists are sorted
 * by name.
 *
 * All files are put in force as one: none takes its place before all are
 * checked, and when the reload fails all old ones come back. Meanwhile
 * <file>.muster-new and <file>.muster-old lie beside each, and .muster-pending
 * beside the first. A check finds the name of its new file in MUSTER_FILE, and
 * those of all in MUSTER_NEW_1, ...; the reload finds the first file's in
 * MUSTER_FILE. An edit by hand is kept in <file>.muster-hand. What was put in
 * force is noted in the instance's working directory, in-force.<instance>.
 * Whatever did not work is tried again when the agent gives the event again, with
 * everything read afresh, for what mends it may be another node. A template file
 * is read for each rendering, but not watched. How it went is reported on the node
 * that has changed; once all is in force, on each other node whose value is new
 * there, too. A change of the members is reported on the node of the last report.
 */
#include <muster/plugin.h>

#include "fail.h"
#include "fileset.h"
#include "mustache.h"
#include "tree.h"
#include "typed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS \
	8000 /* three of them fit the default deadline of a callback */
#define TEMPLATE_MAX (1024u * 1024) /* bytes */

/* Where a template comes from: one of both. */
struct origin {
	const char *file; /* the host's */
	const struct tree_source *node;
};

struct template
{
	const struct mu_host *host;
	struct tree tree;
	struct origin origins[MU_FILESET_MAX];
	struct mu_fileset_file files[MU_FILESET_MAX];
	struct mu_fileset set;
	bool loaded; /* everything was read once */
	bool failed; /* what is known is not in force */
	char *last;  /* the node that an event told of last; NULL: none yet */
	char digest[24];
};

/* ---- rendering ---- */

/* The text of a template, to be freed. */
static int read_template(const struct template *t, const struct origin *o,
                         struct mu_filecopy *out, struct mu_err *err)
{
	const char *text;
	int rc;

	if (o->file) {
		rc = mu_filecopy_read(o->file, TEMPLATE_MAX, out, err);
		if (rc == 0 && !out->exists)
			rc = fail(err, MU_EIO,
			          "the template %.300s is not there", o->file);
		return rc;
	}
	*out = (struct mu_filecopy){ .exists = true };
	text = tree_text(&t->tree, o->node, &out->len);
	if (!text)
		return fail(err, MU_EDATA,
		            "the template %.200s is not there; the files are "
		            "left as they are",
		            o->node->path);
	out->bytes = malloc(out->len + 1);
	if (!out->bytes)
		return fail(err, MU_ENOMEM, "out of memory");
	memcpy(out->bytes, text, out->len);
	return 0;
}

static int render_one(const struct template *t, size_t i, const json_t *data,
                      struct mu_file_value *out, struct mu_err *err)
{
	const struct origin *o = &t->origins[i];
	struct mu_filecopy text;
	struct mu_err why;
	char *bytes;
	int rc = read_template(t, o, &text, err);

	if (rc)
		return rc;
	rc = mustache_render(text.bytes, text.len, data, &bytes, &out->len,
	                     &why);
	mu_filecopy_fini(&text);
	if (rc)
		return fail(err, rc, "template %.200s: %.250s",
		            o->file ? o->file : o->node->path, why.msg);
	out->bytes = bytes;
	return 0;
}

static void free_values(const struct template *t, struct mu_file_value *values)
{
	for (size_t i = 0; i < t->set.count; i++)
		free((void *)values[i].bytes);
}

/* All files' new bytes, to be freed; on error too. */
static int render(const struct template *t, const json_t *data,
                  struct mu_file_value *values, struct mu_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->set.count; i++)
		rc = render_one(t, i, data, &values[i], err);
	return rc;
}

/* Of one file its CRC-32C; of several that of theirs, in order. */
static void note_digest(struct template *t, const struct mu_file_value *values)
{
	uint32_t crc[MU_FILESET_MAX], all;

	for (size_t i = 0; i < t->set.count; i++)
		crc[i] = mu_filecopy_crc32c(values[i].bytes, values[i].len);
	all = t->set.count == 1
	              ? crc[0]
	              : mu_filecopy_crc32c(crc, t->set.count * sizeof crc[0]);
	snprintf(t->digest, sizeof t->digest, "crc32c:%08" PRIx32, all);
}

/* ---- events ---- */

/* Which value of a node is spoken of. */
struct about {
	const char *path;
	int64_t zxid;
	int32_t version; /* -1: the node is not there */
};

static const char *single_node(const struct template *t)
{
	for (size_t i = 0; i < t->tree.count; i++)
		if (!t->tree.sources[i].children)
			return t->tree.sources[i].path;
	return NULL;
}

/* What the report of an event is about. A member takes no node's place: its
 * change is told with the node that was reported on last. */
static struct about about_of(const struct template *t, const struct mu_event *e)
{
	const char *node = t->last ? t->last : single_node(t);
	struct about a = { e->member && node ? node : e->path, e->zxid, -1 };

	(void)tree_known(&t->tree, a.path, &a.zxid, &a.version);
	return a;
}

static void report(const struct template *t, const struct about *a,
                   enum mu_report_state state, const char *reason)
{
	struct mu_report r = { .path = a->path,
		               .zxid = a->zxid,
		               .version = a->version,
		               .digest = t->digest,
		               .state = state,
		               .reason = reason };
	struct mu_err err;

	if (t->host->report(t->host, &r, &err))
		t->host->log(t->host, MU_WARN, "the report is lost: %s",
		             err.msg);
}

static void tell(void *arg, const char *path)
{
	const struct template *t = arg;
	struct about a = { path, 0, -1 };

	(void)tree_known(&t->tree, path, &a.zxid, &a.version);
	report(t, &a, MU_REPORT_APPLIED, "");
}

/* Without memory the one before it stays. */
static void note_last(struct template *t, const char *path)
{
	char *copy =
		t->last && strcmp(t->last, path) == 0 ? NULL : strdup(path);

	if (!copy)
		return;
	free(t->last);
	t->last = copy;
}

/* Report on all nodes whose values are in force by now and were not told yet, and
 * last on the one that the event is about. */
static void report_in_force(struct template *t, const struct mu_event *e)
{
	struct about a = about_of(t, e);

	tree_tell(&t->tree, a.path, tell, t);
	report(t, &a, MU_REPORT_APPLIED, "");
}

static void report_trouble(const struct template *t, const struct mu_event *e,
                           enum mu_report_state state, const char *reason)
{
	struct about a = about_of(t, e);

	report(t, &a, state, reason);
}

/* The event brought no news, but somebody may wait for just this node. */
static void report_unchanged(struct template *t, const struct mu_event *e)
{
	struct about a = about_of(t, e);

	tree_tell(&t->tree, NULL, tell, t);
	if (a.version < 0 && e->type == MU_EVENT_DELETED)
		report(t, &a, MU_REPORT_APPLIED, "");
}

/* Render, and put in force. */
static int apply(struct template *t, const json_t *data, bool *changed,
                 enum mu_report_state *state, struct mu_err *err)
{
	struct mu_file_value values[MU_FILESET_MAX] = { { NULL, 0 } };
	int rc = render(t, data, values, err);

	if (rc == 0) {
		note_digest(t, values);
		rc = mu_fileset_apply(&t->set, values, changed, state, err);
	}
	free_values(t, values);
	return rc;
}

/* Bring the files to what is known now, and report. */
static int update(struct template *t, const struct mu_event *e,
                  struct mu_err *err)
{
	enum mu_report_state state = MU_REPORT_REJECTED;
	const struct mu_host *h = t->host;
	bool changed = false, wrong;
	json_t *data = NULL;
	int rc = tree_data(&t->tree, &data, err);

	/* A node that is missing, or is not JSON: only another value can help,
	 * and brings another event. */
	wrong = rc == MU_EDATA;
	t->digest[0] = '\0';
	if (rc == 0)
		rc = apply(t, data, &changed, &state, err);
	json_decref(data);
	t->failed = rc != 0;
	if (rc)
		report_trouble(t, e, state, err->msg);
	else
		report_in_force(t, e);
	if (rc == 0 && changed)
		h->log(h, MU_INFO, "%s%s rendered anew for %s",
		       t->files[0].file,
		       t->set.count > 1 ? " and the other files are" : " is",
		       e->path);
	if (wrong)
		h->log(h, MU_WARN, "%s", err->msg);
	return wrong ? 0 : rc;
}

/* What the agent remembers comes node by node, and nothing tells when a list is
 * whole: no file is rendered from that. */
static int not_loaded(int rc, struct mu_err *err)
{
	struct mu_err why = *err;

	if (rc != MU_ECONNLOSS)
		return rc;
	return fail(err, rc,
	            "there is no broker to read from; the files stay as they "
	            "were rendered last: %.300s",
	            why.msg);
}

static int template_event(void *self, const struct mu_event *e,
                          struct mu_err *err)
{
	struct template *t = self;
	bool changed;
	int rc;

	if (!tree_is_concerned(&t->tree, e))
		return 0;
	if (!e->member)
		note_last(t, e->path);
	rc = tree_merge(&t->tree, e, &changed, err);
	if (rc)
		return rc;
	if (!t->loaded || t->failed) {
		rc = tree_load(&t->tree, err);
		if (rc && !t->loaded)
			return not_loaded(rc, err);
		t->loaded = true;
	} else if (!changed) {
		report_unchanged(t, e);
		return 0;
	}
	return update(t, e, err);
}

/* ---- settings ---- */

static int text_at(const struct mu_host *h, const char *list, int i,
                   const char *key, const char **out, struct mu_err *err)
{
	char name[64];

	snprintf(name, sizeof name, "%s[%d].%s", list, i, key);
	return typed_text(h, name, out, err);
}

static int flag_at(const struct mu_host *h, const char *list, int i,
                   const char *key, bool *out, struct mu_err *err)
{
	char name[64];

	snprintf(name, sizeof name, "%s[%d].%s", list, i, key);
	return typed_flag(h, name, out, err);
}

static bool is_below_members(const struct tree_source *s)
{
	return strncmp(s->path, "/members", 8) == 0 &&
	       (s->path[8] == '\0' || s->path[8] == '/');
}

/* A source beside those before it: two may not take the same node. */
static int check_source(const struct tree *t, const struct tree_source *s,
                        int i, struct mu_err *err)
{
	if (!s->name || !s->name[0] || strchr(s->name, '.'))
		return fail(err, MU_ECONFIG,
		            "nodes[%d] needs `name`: that of a variable, "
		            "without a dot",
		            i);
	if (!s->path || s->path[0] != '/')
		return fail(err, MU_ECONFIG,
		            "nodes[%d] needs `path`: the node to follow", i);
	for (size_t k = 0; k < t->count; k++)
		if (strcmp(t->sources[k].name, s->name) == 0)
			return fail(err, MU_ECONFIG,
			            "nodes: two have the name \"%.60s\"",
			            s->name);
	if (strcmp(s->name, "host") == 0 || strcmp(s->name, "instance") == 0 ||
	    strcmp(s->name, "members") == 0)
		return fail(err, MU_ECONFIG,
		            "nodes[%d]: the name \"%s\" is taken", i, s->name);
	if (t->members && is_below_members(s))
		return fail(err, MU_ECONFIG,
		            "nodes[%d]: %.200s comes with `members`", i,
		            s->path);
	return 0;
}

static int check_overlap(const struct tree *t, struct mu_err *err)
{
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->count; k++) {
			const struct tree_source *a = &t->sources[i],
						 *b = &t->sources[k];
			bool same = a->children == b->children &&
			            strcmp(a->path, b->path) == 0;

			if (i == k)
				continue;
			if (same ||
			    (!a->children && tree_source_of(t, a->path) != a))
				return fail(err, MU_ECONFIG,
				            "nodes: %.200s is in two of them",
				            a->path);
		}
	return 0;
}

static int read_sources(struct template *t, struct mu_err *err)
{
	const struct mu_host *h = t->host;
	int n = h->setting_count(h, "nodes"), rc = 0;

	if (n > (int)TREE_SOURCES_MAX)
		return fail(err, MU_ECONFIG, "nodes has more than %u",
		            TREE_SOURCES_MAX);
	for (int i = 0; i < n; i++) {
		struct tree_source s = { NULL, NULL, false, false, false };

		rc = text_at(h, "nodes", i, "name", &s.name, err);
		rc = rc ? rc : text_at(h, "nodes", i, "path", &s.path, err);
		rc = rc ? rc
		        : flag_at(h, "nodes", i, "children", &s.children, err);
		rc = rc ? rc : flag_at(h, "nodes", i, "json", &s.json, err);
		rc = rc ? rc
		        : flag_at(h, "nodes", i, "optional", &s.optional, err);
		rc = rc ? rc : check_source(&t->tree, &s, i, err);
		if (rc)
			return rc;
		t->tree.sources[t->tree.count++] = s;
	}
	return check_overlap(&t->tree, err);
}

/* The node with this name that can hold a template; NULL: none. */
static const struct tree_source *find_source(const struct tree *t,
                                             const char *name)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct tree_source *s = &t->sources[i];

		if (strcmp(s->name, name) == 0 && !s->children && !s->json)
			return s;
	}
	return NULL;
}

static int read_origin(struct template *t, int i, struct mu_err *err)
{
	const char *node = NULL;
	struct origin *o = &t->origins[i];
	int rc = text_at(t->host, "files", i, "template", &o->file, err);

	if (rc == 0)
		rc = text_at(t->host, "files", i, "node", &node, err);
	if (rc)
		return rc;
	if (!o->file == !node || (o->file && o->file[0] != '/'))
		return fail(err, MU_ECONFIG,
		            "files[%d] needs `template`, an absolute name of a "
		            "file, or `node`, and not both",
		            i);
	if (!node)
		return 0;
	o->node = find_source(&t->tree, node);
	if (!o->node)
		return fail(err, MU_ECONFIG,
		            "files[%d].node = \"%.60s\" is none of `nodes` "
		            "that is a single text",
		            i, node);
	return 0;
}

static int read_file(struct template *t, int i, struct mu_err *err)
{
	struct mu_fileset_file *f = &t->files[i];
	char mode[32];
	int rc = text_at(t->host, "files", i, "file", &f->file, err);

	f->mode = 0644;
	snprintf(mode, sizeof mode, "files[%d].mode", i);
	rc = rc ? rc : text_at(t->host, "files", i, "check", &f->check, err);
	rc = rc ? rc : typed_mode(t->host, mode, &f->mode, err);
	rc = rc ? rc : read_origin(t, i, err);
	if (rc)
		return rc;
	if (!f->file || f->file[0] != '/')
		return fail(err, MU_ECONFIG,
		            "files[%d] needs `file`: the absolute name of the "
		            "file to keep",
		            i);
	for (int k = 0; k < i; k++)
		if (strcmp(t->files[k].file, f->file) == 0)
			return fail(err, MU_ECONFIG,
			            "files: %.200s is in two of them", f->file);
	return 0;
}

static int read_settings(struct template *t, struct mu_err *err)
{
	const struct mu_host *h = t->host;
	int n = h->setting_count(h, "files"), rc;

	if (n < 1 || n > (int)MU_FILESET_MAX)
		return fail(err, MU_ECONFIG,
		            "template needs `files`: a list of 1 to %u groups",
		            MU_FILESET_MAX);
	rc = typed_flag(h, "members", &t->tree.members, err);
	rc = rc ? rc : read_sources(t, err);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = read_file(t, i, err);
	t->set = (struct mu_fileset){ .host = h,
		                      .files = t->files,
		                      .count = (size_t)n,
		                      .timeout_ms = TIMEOUT_MS };
	rc = rc ? rc : typed_text(h, "reload", &t->set.reload, err);
	rc = rc ? rc : typed_ms(h, "timeout_ms", &t->set.timeout_ms, err);
	if (rc == 0 && !t->tree.members && t->tree.count == 0)
		rc = fail(err, MU_ECONFIG,
		          "template needs `nodes` or `members`: what it "
		          "renders files from");
	return rc;
}

static void template_fini(void *self)
{
	struct template *t = self;

	mu_fileset_fini(&t->set);
	json_decref(t->tree.items);
	free(t->last);
	free(t);
}

static int template_init(const struct mu_host *h, void **self,
                         struct mu_err *err)
{
	struct template *t = calloc(1, sizeof *t);
	int rc;

	if (!t)
		return fail(err, MU_ENOMEM, "out of memory");
	t->host = t->tree.host = h;
	t->tree.items = json_object();
	rc = t->tree.items ? read_settings(t, err)
	                   : fail(err, MU_ENOMEM, "out of memory");
	if (rc == 0)
		rc = mu_fileset_init(&t->set, err);
	if (rc)
		template_fini(t);
	else
		*self = t;
	return rc;
}

MU_EXPORT const struct mu_plugin mu_plugin = {
	.abi = MU_PLUGIN_ABI,
	.size = sizeof(struct mu_plugin),
	.name = "template",
	.help = "renders files from several nodes and the members",
	.init = template_init,
	.event = template_event,
	.fini = template_fini,
	.wants = MU_WANT_NEWEST,
};
