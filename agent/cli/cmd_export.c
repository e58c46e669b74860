/* cmd_export.c - muster export: a node and all below it as lines of JSON. */
#include "cli.h"
#include "commands.h"
#include "nodeline.h"
#include "pipeline.h"
#include "walk.h"

#include "err.h"
#include "json.h"
#include "savefile.h"
#include "tty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_NODES 1000u /* held in memory at a time, and at least one */
#define CHUNK_BYTES (16u << 20)
#define FILE_MODE 0600 /* it may hold what an ACL protects */

/* A node of the chunk in hand. */
struct got {
	const struct walk_node *node;
	struct mu_json *line; /* NULL: it has gone meanwhile */
};

struct exporting {
	struct cli *cli;
	FILE *out;
	bool with_acl;
	struct got *got; /* CHUNK_NODES */
	size_t count;
	size_t written, ephemeral, gone;
	const char *at; /* where it failed */
	const char *why;
};

/* ---- one chunk ------------------------------------------------------------------ */

static int fill_line(struct mu_json *o, const char *path,
                     const struct mu_result *r)
{
	if (mu_json_set_str(o, "path", path) ||
	    mu_json_set_data(o, "data", r->data, r->data ? r->len : -1) ||
	    mu_json_set_int(o, "version", r->stat->version) ||
	    mu_json_set_int(o, "mzxid", r->stat->mzxid) ||
	    mu_json_set_int(o, "mtime", r->stat->mtime))
		return MU_ENOMEM;
	return 0;
}

static int got_data(size_t i, const struct mu_result *r, void *arg)
{
	struct exporting *x = arg;
	struct got *g = &x->got[i];

	if (r->rc == MU_ENONODE || (r->rc == 0 && r->stat->ephemeral_owner))
		return 0; /* gone since it was listed, or another node now */
	x->at = g->node->path;
	if (r->rc)
		return r->rc;
	g->line = mu_json_object();
	return fill_line(g->line, g->node->path, r);
}

static int ask_data(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
                    void *done_arg)
{
	const struct exporting *x = arg;

	return mu_client_get(cli->client, x->got[i].node->path, false, done,
	                     done_arg);
}

static size_t data_bytes(size_t i, void *arg)
{
	const struct exporting *x = arg;

	return (size_t)x->got[i].node->stat.data_len;
}

static int got_acl(size_t i, const struct mu_result *r, void *arg)
{
	struct exporting *x = arg;
	struct got *g = &x->got[i];

	if (!g->line || r->rc == MU_ENONODE)
		return 0;
	x->at = g->node->path;
	if (r->rc)
		return r->rc;
	if (nodeline_acl_is_open(r->acl, r->count))
		return 0;
	if (nodeline_acl_is_masked(r->acl, r->count)) {
		x->why = "its ACL is shown without the hashes, for you may not "
			 "change it; --no-acl leaves ACLs out";
		return MU_ENOAUTH;
	}
	return mu_json_set(g->line, "acl", nodeline_acl_json(r->acl, r->count));
}

static int ask_acl(struct cli *cli, size_t i, void *arg, mu_done_fn *done,
                   void *done_arg)
{
	const struct exporting *x = arg;

	return mu_client_get_acl(cli->client, x->got[i].node->path, done,
	                         done_arg);
}

static int print_chunk(struct exporting *x)
{
	for (size_t i = 0; i < x->count; i++) {
		char *text;

		if (!x->got[i].line) {
			x->gone++;
			continue;
		}
		text = mu_json_text(x->got[i].line);
		if (!text)
			return MU_ENOMEM;
		fputs(text, x->out);
		fputc('\n', x->out);
		free(text);
		x->written++;
	}
	return ferror(x->out) ? MU_EIO : 0;
}

static int chunk(struct exporting *x)
{
	struct pipeline p = { .count = x->count,
		              .ask = ask_data,
		              .answer = got_data,
		              .bytes = data_bytes,
		              .arg = x };
	int rc = pipeline_run(x->cli, &p);

	p.ask = ask_acl;
	p.answer = got_acl;
	p.bytes = NULL;
	if (rc == 0 && x->with_acl)
		rc = pipeline_run(x->cli, &p);
	if (rc == 0)
		rc = print_chunk(x);
	for (size_t i = 0; i < x->count; i++)
		if (x->got[i].line)
			mu_json_free(x->got[i].line);
	x->count = 0;
	return rc;
}

/* ---- all of them ------------------------------------------------------------------ */

static bool is_servers_own(const struct walk_node *n)
{
	return walk_is_below(n->path, "/zookeeper");
}

static int write_nodes(struct exporting *x, const struct walk *w)
{
	bool tell = mu_tty_is(2) && w->count > CHUNK_NODES;
	size_t bytes = 0;
	int rc = 0;

	for (size_t i = 0; i < w->count && rc == 0; i++) {
		const struct walk_node *n = &w->node[i];

		if (is_servers_own(n))
			continue;
		if (n->stat.ephemeral_owner) {
			x->ephemeral++;
			continue;
		}
		x->got[x->count++] = (struct got){ n, NULL };
		bytes += (size_t)n->stat.data_len;
		if (x->count < CHUNK_NODES && bytes < CHUNK_BYTES)
			continue;
		bytes = 0;
		rc = chunk(x);
		if (tell)
			fprintf(stderr, "\r%zu of %zu", i + 1, w->count);
	}
	if (rc == 0 && x->count > 0)
		rc = chunk(x);
	if (tell)
		fputc('\n', stderr);
	return rc;
}

static void tell(const struct exporting *x)
{
	if (x->ephemeral > 0)
		fprintf(stderr,
		        "muster export: %zu ephemeral node%s left out\n",
		        x->ephemeral, x->ephemeral == 1 ? "" : "s");
	if (x->gone > 0)
		fprintf(stderr,
		        "muster export: %zu node%s went meanwhile, left out\n",
		        x->gone, x->gone == 1 ? "" : "s");
}

static int failed(const struct exporting *x, int rc)
{
	char text[MU_ERR_MSG_MAX];

	if (rc == MU_EIO)
		return cli_fail(x->cli, rc, "the output cannot be written");
	mu_format(text, sizeof text, "%.300s: %s", x->at ? x->at : "export",
	          x->why ? x->why : mu_client_strerror(rc));
	return cli_fail(x->cli, rc, text);
}

static int export_to(struct cli *cli, const char *path, FILE *out)
{
	struct exporting x = { .cli = cli,
		               .out = out,
		               .with_acl = !cli_given(cli, "no-acl") };
	struct walk w;
	int rc = walk_tree(cli, path, UINT32_MAX, &w);

	if (rc)
		return cli_fail_at(cli, rc, path);
	if (w.node[0].stat.ephemeral_owner) {
		walk_free(&w);
		return cli_usage(cli,
		                 "%s is ephemeral: it goes with its "
		                 "session and is not exported",
		                 path);
	}
	x.got = calloc(CHUNK_NODES, sizeof *x.got);
	rc = x.got ? write_nodes(&x, &w) : MU_ENOMEM;
	rc = rc ? failed(&x, rc) : CLI_OK;
	if (rc == CLI_OK)
		tell(&x);
	free(x.got);
	walk_free(&w);
	return rc;
}

static int export_to_file(struct cli *cli, const char *path, const char *file)
{
	struct mu_savefile *s;
	struct mu_err err;
	int fd, rc = mu_savefile_open(file, true, FILE_MODE, &s, &err);
	FILE *out;

	if (rc)
		return cli_fail(cli, rc, err.msg);
	fd = dup(mu_savefile_fd(s));
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!out) {
		mu_savefile_abort(s);
		return cli_fail(cli, MU_EIO, strerror(errno));
	}
	rc = export_to(cli, path, out);
	if (fclose(out) && rc == CLI_OK) {
		mu_format(err.msg, sizeof err.msg, "cannot write %.300s: %s",
		          file, strerror(errno));
		rc = cli_fail(cli, MU_EIO, err.msg);
	}
	if (rc) {
		mu_savefile_abort(s);
		return rc;
	}
	rc = mu_savefile_commit(s, &err);
	return rc ? cli_fail(cli, rc, err.msg) : CLI_OK;
}

int cmd_export(struct cli *cli)
{
	const char *path = cli_path(cli, 0);
	const char *file = cli_given(cli, "output");
	int rc;

	if (!path)
		return CLI_USAGE;
	if (walk_is_below(path, "/zookeeper"))
		return cli_usage(cli,
		                 "%s is the server's own: it is not "
		                 "exported",
		                 path);
	rc = cli_connect(cli);
	if (rc)
		return rc;
	if (!file || strcmp(file, "-") == 0)
		return export_to(cli, path, stdout);
	return export_to_file(cli, path, file);
}
