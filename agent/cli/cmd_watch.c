/* cmd_watch.c - muster watch: print each change of a node until stopped. */
#include "cli.h"
#include "commands.h"
#include "table.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 86400000u /* a watch waits for its broker */
#define ASKED_MAX 200u /* under the limit of requests without an answer */

struct line;

struct watching {
	struct cli *cli;
	int64_t left; /* events to print; -1: without end */
	bool done;
	bool was_lost;
	/* Lines in the order of their events; the first `asked` of them wait
	 * for an answer, the others for their turn to ask. */
	struct line *first, **end;
	struct line *next_to_ask;
	size_t asked;
};

static const char *event_word(enum mu_watch_event_type type)
{
	switch (type) {
	case MU_WATCH_CREATED:
		return "created";
	case MU_WATCH_DELETED:
		return "deleted";
	case MU_WATCH_DATA_CHANGED:
		return "changed";
	default:
		return "children";
	}
}

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One event on its way to be printed: what the node is like now is asked for,
 * so that the line can tell the version. */
struct line {
	struct line *next;
	struct watching *w;
	enum mu_watch_event_type type;
	int64_t zxid;
	char path[]; /* NUL-terminated */
};

static void print_plain(const struct line *l, const struct mu_result *r)
{
	bool colour = l->w->cli->colour;
	enum table_colour c = l->type == MU_WATCH_CREATED   ? TABLE_GREEN
	                      : l->type == MU_WATCH_DELETED ? TABLE_RED
	                                                    : TABLE_YELLOW;
	char when[32];

	cli_time(when, sizeof when, wall_ms());
	printf("%s  %s%-8s%s  ", when, table_paint(colour, c),
	       event_word(l->type), table_plain(colour));
	table_safe(l->path, strlen(l->path));
	if (r->rc == 0 && r->stat && l->type == MU_WATCH_CHILDREN_CHANGED)
		printf("  %" PRId32 " children", r->stat->num_children);
	else if (r->rc == 0 && r->stat && l->type != MU_WATCH_DELETED)
		printf("  version %" PRId32 ", %" PRId32 " bytes",
		       r->stat->version, r->stat->data_len);
	putchar('\n');
	fflush(stdout);
}

static void print_json(const struct line *l, const struct mu_result *r)
{
	struct mu_json *o = mu_json_object();
	int rc;

	rc = mu_json_set_int(o, "time", wall_ms()) ||
	     mu_json_set_str(o, "event", event_word(l->type)) ||
	     mu_json_set_str(o, "path", l->path) ||
	     mu_json_set_int(o, "zxid", l->zxid);
	if (!rc && r->rc == 0 && r->stat && l->type != MU_WATCH_DELETED)
		rc = mu_json_set_data(o, "data", r->data, r->len) ||
		     mu_json_set_int(o, "version", r->stat->version);
	if (rc) {
		mu_json_free(o);
		cli_fail(l->w->cli, MU_ENOMEM, NULL);
		return;
	}
	cli_print_json(l->w->cli, o);
}

static struct line *line_take(struct watching *w)
{
	struct line *l = w->first;

	w->first = l->next;
	if (w->end == &l->next)
		w->end = &w->first;
	if (w->next_to_ask == l)
		w->next_to_ask = l->next;
	return l;
}

static void line_print(struct watching *w, const struct line *l,
                       const struct mu_result *r)
{
	if (w->done)
		return;
	if (w->cli->json)
		print_json(l, r);
	else
		print_plain(l, r);
	if (w->left > 0 && --w->left == 0)
		w->done = true;
	if (ferror(stdout))
		w->done = true;
}

static void ask_next(struct watching *w);

/* Answers come in the order of the requests: this one is for the first line. */
static void answered(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct watching *w = arg;
	struct line *l = line_take(w);

	(void)c;
	w->asked--;
	line_print(w, l, r);
	free(l);
	ask_next(w);
}

/* Where asking fails, lines are printed without what the node is like, but
 * never before those ahead of them. */
static void ask_next(struct watching *w)
{
	static const struct mu_result unknown = { .rc = MU_ECONNLOSS };

	while (w->next_to_ask && !w->done && w->asked < ASKED_MAX) {
		struct line *l = w->next_to_ask;

		if (mu_client_get(w->cli->client, l->path, false, answered,
		                  w) == 0) {
			w->next_to_ask = l->next;
			w->asked++;
			continue;
		}
		if (w->asked > 0)
			return;
		l = line_take(w);
		line_print(w, l, &unknown);
		free(l);
	}
}

static void on_event(struct cli *cli, const struct mu_watch_event *e)
{
	struct watching *w = cli->arg;
	size_t len = strlen(e->path);
	struct line *l = malloc(sizeof *l + len + 1);

	if (!l) {
		cli_fail(cli, MU_ENOMEM, "out of memory: an event is lost");
		return;
	}
	*l = (struct line){ NULL, w, e->type, e->zxid };
	memcpy(l->path, e->path, len + 1);
	*w->end = l;
	w->end = &l->next;
	if (!w->next_to_ask)
		w->next_to_ask = l;
	ask_next(w);
}

static void on_state(struct cli *cli, enum mu_client_state state, int why)
{
	struct watching *w = cli->arg;

	if (state == MU_CLIENT_CONNECTING && !w->was_lost) {
		w->was_lost = true;
		fprintf(stderr,
		        "muster watch: disconnected (%s), trying again\n",
		        mu_client_strerror(why));
	} else if (state == MU_CLIENT_CONNECTED && w->was_lost) {
		w->was_lost = false;
		fprintf(stderr, "muster watch: connected again; changes in "
		                "between were not seen\n");
	}
}

static int arm(struct cli *cli, const char *path, struct mu_err *err)
{
	enum mu_addwatch_mode mode = cli_given(cli, "recursive")
	                                     ? MU_ADDWATCH_RECURSIVE
	                                     : MU_ADDWATCH_PERSISTENT;

	return mu_client_add_watch_sync(cli->client, path, mode,
	                                cli->timeout_ms, err);
}

/* The session is gone and with it the watch: begin a new one, for as long as it
 * takes. */
static int start_again(struct cli *cli, const char *path)
{
	const uint32_t timeout_ms = cli->timeout_ms;
	struct mu_err err = { 0, "" };
	int rc = MU_ECONNLOSS;

	fprintf(stderr, "muster watch: the session has expired; starting a new "
	                "one\n");
	while (cli_exit_of(rc) == CLI_NO_BROKER) {
		mu_client_free(cli->client);
		cli->client = NULL;
		cli->timeout_ms = PATIENCE_MS;
		rc = cli_connect(cli);
		cli->timeout_ms = timeout_ms;
		if (rc)
			return rc;
		rc = arm(cli, path, &err);
	}
	return rc ? cli_fail(cli, rc, err.msg) : CLI_OK;
}

static int watch(struct cli *cli, const char *path, const bool *done)
{
	struct mu_err err = { 0, "" };
	int rc = arm(cli, path, &err);

	if (rc)
		return cli_fail(cli, rc, err.msg);
	while (!*done) {
		if (cli_pump(cli, done) == 0)
			return CLI_OK;
		rc = start_again(cli, path);
		if (rc)
			return rc;
	}
	return CLI_OK;
}

int cmd_watch(struct cli *cli)
{
	struct watching w = { .cli = cli, .end = &w.first };
	const char *path = cli_path(cli, 0);
	int rc;

	if (!path || !cli_given_number(cli, "count", 1, INT32_MAX, -1, &w.left))
		return CLI_USAGE;
	cli->arg = &w;
	rc = cli_connect(cli);
	if (rc)
		return rc;
	cli->on_event = on_event;
	cli->on_state = on_state;
	rc = watch(cli, path, &w.done);
	/* Closing still answers requests: here, while there is a `w`. */
	w.done = true;
	cli->on_state = NULL;
	cli_disconnect(cli);
	while (w.first)
		free(line_take(&w));
	return rc;
}
