#include "watchlines.h"

#include "table.h"

#include "json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASKED_MAX 200u /* under the limit of requests without an answer */

enum kind { OF_WATCH, OF_CHANGE, OF_GAP };

struct watch_line {
	struct watch_line *next;
	struct watch_lines *w;
	enum kind kind;
	bool asks; /* it cannot be printed before its answer */
	enum mu_watch_event_type type;
	int64_t zxid, to; /* to: of a gap, which begins at zxid */
	int32_t n, cause;
	int64_t session;
	bool known; /* stat is */
	struct mu_stat stat;
	bool has_data;
	const void *data;
	int32_t len;        /* of data; -1: null */
	const char *origin; /* as data, behind the path, or borrowed */
	char path[];        /* NUL-terminated */
};

static const struct {
	const char *word;
	enum table_colour colour;
} types[] = {
	[MU_WATCH_CREATED] = { "created", TABLE_GREEN },
	[MU_WATCH_DELETED] = { "deleted", TABLE_RED },
	[MU_WATCH_DATA_CHANGED] = { "changed", TABLE_YELLOW },
	[MU_WATCH_CHILDREN_CHANGED] = { "children", TABLE_YELLOW },
};

static const char *word_of(const struct watch_line *l)
{
	return l->kind == OF_GAP ? "gap" : types[l->type].word;
}

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- printing ---- */

static void print_full(const struct watch_line *l)
{
	if (l->zxid > 0)
		printf("  zxid 0x%" PRIx64, (uint64_t)l->zxid);
	if (l->kind != OF_CHANGE)
		return;
	printf(".%" PRId32 ", %s", l->n, mu_client_cause_word(l->cause));
	if (l->session)
		printf(", session 0x%" PRIx64, (uint64_t)l->session);
	if (l->origin[0]) {
		printf(" of ");
		table_safe(l->origin, strlen(l->origin));
	}
}

static void print_gap(const struct watch_line *l)
{
	if (l->zxid == 0 && l->to == 0)
		printf("  the broker has another tree: all may have changed");
	else
		printf("  changes of the zxids 0x%" PRIx64 " to 0x%" PRIx64
		       " may be missing",
		       (uint64_t)l->zxid, (uint64_t)l->to);
}

static void print_plain(const struct watch_line *l)
{
	const bool colour = l->w->cli->colour;
	char when[32];

	cli_time(when, sizeof when, wall_ms());
	printf("%s  %s%-8s%s  ", when,
	       table_paint(colour, l->kind == OF_GAP ? TABLE_RED
	                                             : types[l->type].colour),
	       word_of(l), table_plain(colour));
	table_safe(l->path, strlen(l->path));
	if (l->kind == OF_GAP)
		print_gap(l);
	else if (l->known && l->type == MU_WATCH_CHILDREN_CHANGED)
		printf("  %" PRId32 " children", l->stat.num_children);
	else if (l->known && l->type != MU_WATCH_DELETED)
		printf("  version %" PRId32 ", %" PRId32 " bytes",
		       l->stat.version, l->stat.data_len);
	if (l->w->full && l->kind != OF_GAP)
		print_full(l);
	putchar('\n');
	fflush(stdout);
}

static int set_gap(struct mu_json *o, const struct watch_line *l)
{
	if (l->zxid == 0 && l->to == 0)
		return 0;
	return mu_json_set_int(o, "from", l->zxid) ||
	       mu_json_set_int(o, "to", l->to);
}

static int set_author(struct mu_json *o, const struct watch_line *l)
{
	return mu_json_set_int(o, "n", l->n) ||
	       mu_json_set_str(o, "cause", mu_client_cause_word(l->cause)) ||
	       mu_json_set_int(o, "session", l->session) ||
	       mu_json_set_str(o, "origin", l->origin);
}

static int set_node(struct mu_json *o, const struct watch_line *l)
{
	int rc = 0;

	if (l->kind == OF_CHANGE && l->type == MU_WATCH_CHILDREN_CHANGED)
		rc = mu_json_set_int(o, "children", l->stat.num_children);
	else if (l->has_data)
		rc = mu_json_set_data(o, "data", l->data, l->len);
	else
		rc = mu_json_set_int(o, "data_length", l->stat.data_len);
	return rc || mu_json_set_int(o, "version", l->stat.version);
}

static int set_all(struct mu_json *o, const struct watch_line *l)
{
	int rc = mu_json_set_int(o, "time", wall_ms()) ||
	         mu_json_set_str(o, "event", word_of(l)) ||
	         mu_json_set_str(o, "path", l->path);

	if (rc || l->kind == OF_GAP)
		return rc || set_gap(o, l);
	rc = mu_json_set_int(o, "zxid", l->zxid) ||
	     (l->kind == OF_CHANGE && set_author(o, l));
	if (rc || !l->known || l->type == MU_WATCH_DELETED)
		return rc;
	return set_node(o, l);
}

static void print_json(const struct watch_line *l)
{
	struct mu_json *o = mu_json_object();

	if (!o || set_all(o, l)) {
		mu_json_free(o);
		cli_fail(l->w->cli, MU_ENOMEM, NULL);
		return;
	}
	cli_print_json(l->w->cli, o);
}

static void print(struct watch_lines *w, const struct watch_line *l)
{
	if (w->done)
		return;
	if (w->cli->json)
		print_json(l);
	else
		print_plain(l);
	if (l->kind != OF_GAP && w->left > 0 && --w->left == 0)
		w->done = true;
	if (ferror(stdout))
		w->done = true;
}

/* ---- the queue ---- */

static struct watch_line *take(struct watch_lines *w)
{
	struct watch_line *l = w->first;

	w->first = l->next;
	if (w->end == &l->next)
		w->end = &w->first;
	if (w->next_to_ask == l)
		w->next_to_ask = l->next;
	return l;
}

static void print_first(struct watch_lines *w)
{
	struct watch_line *l = take(w);

	print(w, l);
	free(l);
}

static bool is_same(const struct mu_stat *a, const struct mu_stat *b)
{
	return a->mzxid == b->mzxid && a->version == b->version;
}

/* The value of a change is the one that was asked for if nobody has set another
 * meanwhile. */
static void take_answer(struct watch_line *l, const struct mu_result *r)
{
	if (r->rc || !r->stat ||
	    (l->kind == OF_CHANGE && !is_same(r->stat, &l->stat)))
		return;
	l->known = l->has_data = true;
	l->stat = *r->stat;
	l->data = r->data;
	l->len = r->len;
}

static void go_on(struct watch_lines *w);

/* Answers come in the order of the requests, and lines that ask nothing do not
 * stay in front: this one is for the first line. */
static void answered(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct watch_lines *w = arg;

	(void)c;
	w->asked--;
	if (!w->first)
		return; /* dropped */
	take_answer(w->first, r);
	print_first(w);
	go_on(w);
}

/* Ask for as many as may be asked about at a time; false if the next cannot be
 * asked about. */
static bool ask(struct watch_lines *w)
{
	while (w->next_to_ask && !w->done && w->asked < ASKED_MAX) {
		struct watch_line *l = w->next_to_ask;

		if (l->asks) {
			if (mu_client_get(w->cli->client, l->path, false,
			                  answered, w))
				return false;
			w->asked++;
		}
		w->next_to_ask = l->next;
	}
	return true;
}

/* Print what can be printed. Where asking fails, lines are printed without what
 * the node is like, but never before those ahead of them. */
static void go_on(struct watch_lines *w)
{
	bool can_ask;

	do {
		while (w->first && !w->first->asks)
			print_first(w);
		can_ask = ask(w);
		if (!can_ask && w->asked == 0)
			print_first(w);
	} while (!can_ask && w->asked == 0);
}

static void add(struct watch_lines *w, struct watch_line *l)
{
	l->w = w;
	*w->end = l;
	w->end = &l->next;
	if (!w->next_to_ask)
		w->next_to_ask = l;
	go_on(w);
}

/* With room for `more` bytes behind the path; NULL after saying so. */
static struct watch_line *line_new(struct watch_lines *w, enum kind kind,
                                   const char *path, size_t more)
{
	const size_t len = strlen(path) + 1;
	struct watch_line *l = calloc(1, sizeof *l + len + more);

	if (!l) {
		cli_fail(w->cli, MU_ENOMEM, "out of memory: an event is lost");
		return NULL;
	}
	l->kind = kind;
	l->origin = "";
	l->len = -1;
	memcpy(l->path, path, len);
	return l;
}

/* ---- what came ---- */

void watch_lines_init(struct watch_lines *w, struct cli *cli)
{
	*w = (struct watch_lines){ .cli = cli, .left = -1, .end = &w->first };
}

void watch_lines_event(struct watch_lines *w, const struct mu_watch_event *e)
{
	struct watch_line *l = line_new(w, OF_WATCH, e->path, 0);

	if (!l)
		return;
	l->asks = true;
	l->type = e->type;
	l->zxid = e->zxid;
	add(w, l);
}

void watch_lines_change(struct watch_lines *w, const struct mu_change *e)
{
	const size_t origin = strlen(e->origin) + 1;
	const size_t len = e->len > 0 ? (size_t)e->len : 0;
	struct watch_line *l = line_new(w, OF_CHANGE, e->path, origin + len);
	char *at;

	if (!l)
		return;
	l->type = e->type;
	l->zxid = e->zxid;
	l->n = e->n;
	l->cause = e->cause;
	l->session = e->session;
	l->known = true;
	l->stat = *e->stat;
	at = l->path + strlen(l->path) + 1;
	l->origin = memcpy(at, e->origin, origin);
	l->data = len ? memcpy(at + origin, e->data, len) : at;
	l->len = e->len;
	l->has_data = e->whole;
	/* Only JSON shows values. */
	l->asks = w->cli->json && !e->whole &&
	          (e->type == MU_WATCH_CREATED ||
	           e->type == MU_WATCH_DATA_CHANGED);
	add(w, l);
}

void watch_lines_gap(struct watch_lines *w, const char *path, int64_t from,
                     int64_t to)
{
	struct watch_line *l = line_new(w, OF_GAP, path, 0);

	if (!l)
		return;
	l->zxid = from;
	l->to = to;
	add(w, l);
}

void watch_lines_drop(struct watch_lines *w)
{
	while (w->first)
		free(take(w));
}
