#include "plan.h"

#include "cli.h"
#include "parents.h"
#include "pipeline.h"

#include "err.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *plan_word(enum plan_what what)
{
	static const char *const words[] = { "create", "set", "acl", "delete" };

	return words[what];
}

static int op_add(struct plan *p, enum plan_what what, const char *path,
                  struct nodeline *node)
{
	if (p->ops == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct plan_op *op = realloc(p->op, room * sizeof *op);

		if (!op)
			return MU_ENOMEM;
		p->op = op;
		p->room = room;
	}
	p->op[p->ops++] = (struct plan_op){ what, path, node };
	p->count[what]++;
	return 0;
}

/* "FILE, line 3: /a: why" */
static int fail_at_line(const struct plan *p, int rc, const struct nodeline *n,
                        const char *why)
{
	char text[MU_ERR_MSG_MAX];

	mu_format(text, sizeof text, "%.100s, line %zu: %.200s: %.160s",
	          p->file->name, n->line, n->path, why);
	return cli_fail(p->cli, rc, text);
}

/* ---- the file held against the tree ------------------------------------------------ */

/* What is known of each node while it is compared. */
struct comparing {
	struct plan *p;
	struct seen {
		bool there, differs, acl_differs;
	} * seen;
	struct nodeline **with_acl; /* those that are there and say an ACL */
	size_t with_acl_count;
	const struct nodeline *at; /* where it failed */
	const char *why;
	char text[128];
};

static size_t file_bytes(size_t i, void *arg)
{
	const struct comparing *g = arg;

	return g->p->file->node[i].len > 0 ? (size_t)g->p->file->node[i].len
	                                   : 0;
}

static int ask_data(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
                    void *done_arg)
{
	struct comparing *g = arg;
	int rc = mu_client_get(cli->client, g->p->file->node[i].path, false,
	                       done, done_arg);

	if (rc)
		g->at = &g->p->file->node[i];
	return rc;
}

static bool data_is(const struct nodeline *n, const struct mu_result *r)
{
	int32_t len = r->data ? r->len : -1;

	return n->len == len &&
	       (len <= 0 || memcmp(n->data, r->data, (size_t)len) == 0);
}

/* May the set be made by the version in the file? 0, or why not. */
static int check_version(struct comparing *g, const struct nodeline *n,
                         const struct mu_stat *s)
{
	if (!g->p->cas || s->version == n->version)
		return 0;
	if (n->version < 0) {
		g->why = "--cas wants a \"version\" in the file";
		return MU_EDATA;
	}
	mu_format(g->text, sizeof g->text,
	          "it is at version %" PRId32 ", not %" PRId64
	          ": somebody changed it; export it again",
	          s->version, n->version);
	g->why = g->text;
	return MU_EBADVERSION;
}

static int got_data(size_t i, const struct mu_result *r, void *arg)
{
	struct comparing *g = arg;
	struct nodeline *n = &g->p->file->node[i];

	if (r->rc == MU_ENONODE)
		return 0;
	g->at = n;
	if (r->rc)
		return r->rc;
	if (r->stat->ephemeral_owner) {
		g->why = "an ephemeral node is there";
		return MU_EEXISTS;
	}
	g->seen[i].there = true;
	g->seen[i].differs = !data_is(n, r);
	if (n->acl_count)
		g->with_acl[g->with_acl_count++] = n;
	return g->seen[i].differs ? check_version(g, n, r->stat) : 0;
}

static int ask_acl(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
                   void *done_arg)
{
	const struct comparing *g = arg;

	return mu_client_get_acl(cli->client, g->with_acl[i]->path, done,
	                         done_arg);
}

static int got_acl(size_t i, const struct mu_result *r, void *arg)
{
	struct comparing *g = arg;
	const struct nodeline *n = g->with_acl[i];

	if (r->rc) {
		g->at = n;
		return r->rc;
	}
	g->seen[n - g->p->file->node].acl_differs =
		!nodeline_acl_is_same(n->acl, n->acl_count, r->acl, r->count);
	return 0;
}

/* Parents first; ACLs last and children first, for a parent's new ACL may forbid
 * what is still to be done below it. */
static int list_ops(const struct comparing *g)
{
	struct plan *p = g->p;
	int rc = 0;

	for (size_t i = 0; i < p->file->count && rc == 0; i++) {
		struct nodeline *n = &p->file->node[i];

		if (!g->seen[i].there)
			rc = op_add(p, PLAN_CREATE, n->path, n);
		else if (g->seen[i].differs)
			rc = op_add(p, PLAN_SET, n->path, n);
		else if (!g->seen[i].acl_differs)
			p->same++;
	}
	for (size_t i = p->file->count; i > 0 && rc == 0; i--) {
		struct nodeline *n = &p->file->node[i - 1];

		if (g->seen[i - 1].acl_differs)
			rc = op_add(p, PLAN_ACL, n->path, n);
	}
	return rc;
}

static int compare(struct plan *p, struct comparing *g)
{
	struct pipeline look = { .count = p->file->count,
		                 .ask = ask_data,
		                 .answer = got_data,
		                 .bytes = file_bytes,
		                 .arg = g,
		                 .doing = "compared" };
	int rc = pipeline_run(p->cli, &look);

	if (rc == 0) {
		look.count = g->with_acl_count;
		look.ask = ask_acl;
		look.answer = got_acl;
		look.bytes = NULL;
		rc = pipeline_run(p->cli, &look);
	}
	return rc ? rc : list_ops(g);
}

/* ---- what is not in the file -------------------------------------------------------- */

/* An ephemeral stays, and so does what it hangs on. */
static void keep_ephemerals(struct plan *p)
{
	struct walk *w = &p->walk;
	const char *kept = NULL;

	for (size_t i = w->count; i > 0; i--) {
		struct walk_node *n = &w->node[i - 1];

		if (n->stat.ephemeral_owner) {
			p->ephemeral++;
			kept = n->path;
		} else if (!kept || !walk_is_below(kept, n->path)) {
			continue;
		}
		n->depth = UINT32_MAX; /* stays */
	}
}

/* A node that has one of the file below it stays. */
static int list_delete(struct plan *p, const struct walk_node *n)
{
	if (n->depth == UINT32_MAX || nodefile_find(p->file, n->path) ||
	    nodefile_has_below(p->file, n->path) ||
	    walk_is_below(n->path, "/zookeeper"))
		return 0;
	return op_add(p, PLAN_DELETE, n->path, NULL);
}

static int list_deletes(struct plan *p)
{
	int rc = walk_tree(p->cli, p->file->top, UINT32_MAX, &p->walk);

	if (rc)
		return rc;
	keep_ephemerals(p);
	for (size_t i = p->walk.count; i > 1 && rc == 0; i--)
		rc = list_delete(p, &p->walk.node[i - 1]);
	return rc;
}

static bool top_is_there(const struct comparing *g)
{
	const struct nodeline *top = nodefile_find(g->p->file, g->p->file->top);

	return top && g->seen[top - g->p->file->node].there;
}

static int plan_fail(struct plan *p, const struct comparing *g, int rc)
{
	if (g->at)
		return fail_at_line(p, rc, g->at,
		                    g->why ? g->why : mu_client_strerror(rc));
	return cli_fail(p->cli, rc, NULL);
}

int plan_make(struct cli *cli, const struct nodefile *file, bool with_delete,
              bool cas, struct plan *out)
{
	struct comparing g = { .p = out };
	int rc = MU_ENOMEM;

	*out = (struct plan){ .cli = cli, .file = file, .cas = cas };
	g.seen = calloc(file->count, sizeof *g.seen);
	g.with_acl = calloc(file->count, sizeof *g.with_acl);
	if (g.seen && g.with_acl)
		rc = compare(out, &g);
	if (rc == 0 && with_delete && top_is_there(&g))
		rc = list_deletes(out);
	rc = rc ? plan_fail(out, &g, rc) : CLI_OK;
	free(g.seen);
	free(g.with_acl);
	if (rc)
		plan_free(out);
	return rc;
}

void plan_free(struct plan *p)
{
	free(p->op);
	walk_free(&p->walk);
	*p = (struct plan){ 0 };
}

/* ---- carrying it out ------------------------------------------------------------------ */

static int create(struct cli *cli, const struct nodeline *n, mu_done_fn *done,
                  void *done_arg)
{
	struct mu_create_options o = {
		.size = sizeof o,
		.path = n->path,
		.data = n->data,
		.len = n->len,
		.flags = n->container ? MU_CREATE_CONTAINER
		                      : MU_CREATE_PERSISTENT,
		.acl = n->acl,
		.acl_count = n->acl_count,
		.ttl_ms = n->ttl_ms,
	};

	return mu_client_create_with(cli->client, &o, done, done_arg);
}

static int ask_op(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
                  void *done_arg)
{
	const struct plan *p = arg;
	const struct nodeline *n = p->op[i].node;

	switch (p->op[i].what) {
	case PLAN_CREATE:
		return create(cli, n, done, done_arg);
	case PLAN_SET:
		return mu_client_set(cli->client, n->path, n->data, n->len,
		                     p->cas ? (int32_t)n->version : -1, done,
		                     done_arg);
	case PLAN_ACL:
		return mu_client_set_acl(cli->client, n->path, n->acl,
		                         n->acl_count, -1, done, done_arg);
	default:
		return mu_client_delete(cli->client, p->op[i].path, -1, done,
		                        done_arg);
	}
}

static int got_op(size_t i, const struct mu_result *r, void *arg)
{
	struct plan *p = arg;

	if (r->rc && !(p->op[i].what == PLAN_DELETE && r->rc == MU_ENONODE))
		return r->rc;
	if (p->done == i) /* what follows a failure is not told */
		p->done++;
	return 0;
}

static size_t op_bytes(size_t i, void *arg)
{
	const struct nodeline *n = ((const struct plan *)arg)->op[i].node;

	return n && n->len > 0 ? (size_t)n->len : 0;
}

/* Parents that neither the file nor the tree has. */
static int make_parents(struct plan *p, struct mu_err *err)
{
	const char *last = NULL; /* the node whose parent was made last */
	int rc = 0;

	for (size_t i = 0; i < p->ops && rc == 0; i++) {
		const char *path = p->op[i].path, *slash;
		char *parent;

		if (p->op[i].what != PLAN_CREATE || !path[1])
			continue;
		slash = strrchr(path, '/');
		if (slash == path ||
		    (last &&
		     strncmp(last, path, (size_t)(slash - path) + 1) == 0))
			continue;
		parent = strndup(path, (size_t)(slash - path));
		if (!parent)
			return MU_ENOMEM;
		if (!nodefile_find(p->file, parent)) {
			rc = parents_make(p->cli, path, err);
			last = path;
		}
		free(parent);
	}
	return rc;
}

int plan_carry_out(struct plan *p)
{
	struct pipeline work = { .count = p->ops,
		                 .ask = ask_op,
		                 .answer = got_op,
		                 .bytes = op_bytes,
		                 .arg = p,
		                 .doing = "done" };
	struct mu_err err = { 0, "" };
	char text[MU_ERR_MSG_MAX], line[32] = "";
	const struct plan_op *o;
	int rc = make_parents(p, &err);

	if (rc)
		return cli_fail(p->cli, rc, err.msg);
	rc = pipeline_run(p->cli, &work);
	if (rc == 0)
		return CLI_OK;
	o = &p->op[p->done < p->ops ? p->done : p->ops - 1];
	if (o->node)
		mu_format(line, sizeof line, ", line %zu", o->node->line);
	mu_format(text, sizeof text,
	          "%zu of %zu changes made, then %.100s%s: %s %.200s: %s",
	          p->done, p->ops, p->file->name, line, plan_word(o->what),
	          o->path, mu_client_strerror(rc));
	return cli_fail(p->cli, rc, text);
}
