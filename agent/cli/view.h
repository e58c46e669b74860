/*
 * view.h - a part of the tree as it is now, kept up to date by watches.
 *
 * A view covers tops: a node and so many levels below it. Read once, it is what
 * `muster status` shows; followed, it is read again where events say that
 * something has changed, and as a whole after a connection was lost: nothing is
 * asked for by the clock. Values are JSON as agents write it; what is none is
 * kept as such, never trusted.
 */
#ifndef MU_CLI_VIEW_H
#define MU_CLI_VIEW_H

#include <muster/client.h>

struct cli;
struct mu_json;
struct view;

struct view_node {
	char *path;
	bool there; /* always, but for the top itself */
	struct mu_stat stat;
	struct mu_json *json; /* NULL: no JSON object, or not asked for */
};

/* follow: leave watches; the handle's callbacks are the view's from then on.
 * NULL when memory is out. */
struct view *view_new(struct cli *cli, bool follow);
void view_free(struct view *v); /* NULL is allowed */

/* Cover `path` and `depth` levels below. With depth 0 the Stat alone. One that is
 * covered so already is no error. 0 or MU_ENOMEM. */
int view_add(struct view *v, const char *path, unsigned depth);

/* Read what is not known, or not any more. 0; MU_E*: of the view nothing is to be
 * used before a later call gives 0. */
int view_read(struct view *v);

/* Wait until there is something to read, or the connection goes or comes. 0;
 * MU_ETIMEDOUT: it is until_ms (of view_clock_ms; -1: never); else the session is
 * at its end: view_restart. */
int view_wait(struct view *v, int64_t until_ms);
int64_t view_clock_ms(void); /* CLOCK_MONOTONIC */

/* Is there no connection now? */
bool view_is_lost(const struct view *v);

/* Begin a new session, waiting for a broker until until_ms; watches are left
 * again, and all is to be read. An exit code; a sentence has been printed. */
int view_restart(struct view *v, int64_t until_ms);

/* Is the path, of a node that is there or not, covered? */
bool view_covers(const struct view *v, const char *path);

/* A node that is covered, or NULL. Nodes are valid until the next view_read. */
const struct view_node *view_find(const struct view *v, const char *path);

/* The nodes in the order of their paths: those whose path begins with `prefix`
 * ("/members/") are *count from the one returned on. */
const struct view_node *view_below(const struct view *v, const char *prefix,
                                   size_t *count);

#endif /* MU_CLI_VIEW_H */
