#include "nodefile.h"

#include "cli.h"
#include "walk.h"

#include "err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 20u /* faults */

struct reading {
	struct cli *cli;
	struct nodefile *file;
	size_t faults;
	int rc; /* 0, or an exit code that ends it */
};

static void fault(struct reading *g, size_t line, const char *sentence)
{
	char text[1024];

	if (++g->faults > SHOWN_MAX)
		return;
	snprintf(text, sizeof text, "%.400s, line %zu: %s", g->file->name, line,
	         sentence);
	cli_fail(g->cli, MU_EDATA, text);
}

static void no_memory(struct reading *g)
{
	g->rc = cli_fail(g->cli, MU_ENOMEM, NULL);
}

/* ---- reading ------------------------------------------------------------------- */

static int add(struct nodefile *f, const struct nodeline *n)
{
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct nodeline *node = realloc(f->node, room * sizeof *node);

		if (!node)
			return MU_ENOMEM;
		f->node = node;
		f->room = room;
	}
	f->node[f->count++] = *n;
	return 0;
}

static void take_line(struct reading *g, const char *text, size_t len,
                      size_t line)
{
	struct nodeline n;
	struct mu_err err;
	int rc = nodeline_parse(text, len, &n, &err);

	if (rc == MU_ENOMEM) {
		no_memory(g);
		return;
	}
	if (rc) {
		fault(g, line, err.msg);
		return;
	}
	n.line = line;
	if (!g->file->top)
		g->file->top = strdup(n.path);
	if (g->file->top && add(g->file, &n) == 0)
		return;
	nodeline_fini(&n);
	no_memory(g);
}

static bool is_blank(const char *text, size_t len)
{
	return strspn(text, " \t\r\n") == len;
}

static void read_lines(struct reading *g, FILE *in)
{
	char *text = NULL, why[MU_ERR_MSG_MAX];
	size_t room = 0, line = 0;
	ssize_t len;

	errno = 0;
	while (g->rc == 0 && (len = getline(&text, &room, in)) >= 0) {
		line++;
		if (!is_blank(text, (size_t)len))
			take_line(g, text, (size_t)len, line);
	}
	free(text);
	if (g->rc || feof(in))
		return;
	mu_format(why, sizeof why, "cannot read %.300s: %s", g->file->name,
	          strerror(errno));
	g->rc = cli_fail(g->cli, errno == ENOMEM ? MU_ENOMEM : MU_EIO, why);
}

/* ---- what spans more than one line ----------------------------------------------- */

/* /top/a/b below `at` is /at/a/b. NULL: no memory. */
static char *moved(const char *path, const char *top, const char *at)
{
	const char *rest = path + (top[1] ? strlen(top) : 0);
	char *out;

	if (!rest[0] || !rest[1])
		rest = "";
	if (!at[1]) /* below the root */
		return strdup(rest[0] ? rest : "/");
	out = malloc(strlen(at) + strlen(rest) + 1);
	if (out)
		sprintf(out, "%s%s", at, rest);
	return out;
}

static void move_all(struct reading *g, const char *at)
{
	struct nodefile *f = g->file;

	for (size_t i = 0; i < f->count && g->rc == 0; i++) {
		struct nodeline *n = &f->node[i];
		char *path;

		if (!walk_is_below(n->path, f->top)) {
			fault(g, n->line,
			      "not below the node of the first line, so --at "
			      "does not say where it goes");
			continue;
		}
		path = moved(n->path, f->top, at);
		if (!path) {
			no_memory(g);
			return;
		}
		free(n->path);
		n->path = path;
	}
	free(f->top);
	f->top = strdup(at);
	if (!f->top)
		no_memory(g);
}

static int node_order(const void *a, const void *b)
{
	const struct nodeline *p = a, *q = b;
	int c = walk_order(p->path, q->path);

	return c ? c : p->line < q->line ? -1 : 1;
}

static void sort(struct reading *g)
{
	struct nodefile *f = g->file;
	char why[MU_ERR_MSG_MAX];

	if (f->count > 0)
		qsort(f->node, f->count, sizeof *f->node, node_order);
	for (size_t i = 1; i < f->count; i++) {
		if (strcmp(f->node[i].path, f->node[i - 1].path) != 0)
			continue;
		mu_format(why, sizeof why, "%.300s is in line %zu already",
		          f->node[i].path, f->node[i - 1].line);
		fault(g, f->node[i].line, why);
	}
}

static int judge(struct reading *g)
{
	char more[64];

	if (g->rc)
		return g->rc;
	if (g->faults > SHOWN_MAX) {
		snprintf(more, sizeof more, "... and %zu more",
		         g->faults - SHOWN_MAX);
		cli_fail(g->cli, MU_EDATA, more);
	}
	if (g->faults > 0)
		return cli_fail(g->cli, MU_EDATA,
		                "the file is not sound; nothing was changed");
	if (g->file->count == 0)
		return cli_fail(g->cli, MU_EDATA, "there is no node in it");
	return CLI_OK;
}

int nodefile_read(struct cli *cli, const char *file, const char *at,
                  struct nodefile *out)
{
	bool is_stdin = strcmp(file, "-") == 0;
	struct reading g = { .cli = cli, .file = out };
	FILE *in = is_stdin ? stdin : fopen(file, "rb");
	char why[MU_ERR_MSG_MAX];
	int rc;

	*out = (struct nodefile){ .name = is_stdin ? "standard input" : file };
	if (!in) {
		mu_format(why, sizeof why, "cannot open %.300s: %s", file,
		          strerror(errno));
		return cli_fail(cli, MU_EIO, why);
	}
	read_lines(&g, in);
	if (!is_stdin)
		fclose(in);
	if (g.rc == 0 && at && out->top)
		move_all(&g, at);
	if (g.rc == 0)
		sort(&g);
	rc = judge(&g);
	if (rc)
		nodefile_free(out);
	return rc;
}

void nodefile_free(struct nodefile *f)
{
	for (size_t i = 0; i < f->count; i++)
		nodeline_fini(&f->node[i]);
	free(f->node);
	free(f->top);
	*f = (struct nodefile){ 0 };
}

/* The place of the first node that does not come before the path. */
static size_t place_of(const struct nodefile *f, const char *path)
{
	size_t from = 0, to = f->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (walk_order(f->node[mid].path, path) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct nodeline *nodefile_find(const struct nodefile *f, const char *path)
{
	size_t i = place_of(f, path);

	if (i < f->count && strcmp(f->node[i].path, path) == 0)
		return &f->node[i];
	return NULL;
}

bool nodefile_has_below(const struct nodefile *f, const char *path)
{
	size_t i = place_of(f, path);

	return i < f->count && walk_is_below(f->node[i].path, path);
}
