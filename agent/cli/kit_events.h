/*
 * kit_events.h - the file that `muster plugin run` replays and `muster plugin
 * record` writes: JSON, a line for each thing; empty lines and those that begin
 * with # say nothing.
 *
 *     {"node":"/config/web","data":"a=1"}
 *     {"event":"present","path":"/config/web"}
 *     {"event":"changed","path":"/config/web","data":"a=2"}
 *     {"event":"joined","member":{"name":"web2","address":"10.0.0.2"}}
 *     {"call":"tick"}
 *
 * A "node" line puts a node into the tree that get, children and set of the plugin
 * meet, and tells nobody. An "event" line is an event, by its word of plugin.h; it
 * changes the tree first, as it did in the cluster it was recorded in. Both may
 * give fields of the Stat (version, mzxid, ...), an event also zxid, n, count,
 * attempt, flags (of "again", "coalesced", "overflow", "stale", "renewed"), cause
 * ("request", "close", "expiry", "ttl"), author and author_session. What is left
 * out follows from the tree. A "call" line is a "tick" or a "check": they come
 * where the file has them, whatever the plugin asks for. A key that is none of
 * these is an error.
 */
#ifndef MU_CLI_KIT_EVENTS_H
#define MU_CLI_KIT_EVENTS_H

#include "kit_tree.h"

#include <stdio.h>

struct mu_json;

struct kit_line {
	struct mu_json *json;
	unsigned number; /* in its file */
	int type;        /* enum mu_event_type, or one of these: */
};

enum { KIT_LINE_NODE = -1, KIT_LINE_TICK = -2, KIT_LINE_CHECK = -3 };

struct kit_events {
	struct kit_line *line;
	size_t count, room;
};

/* Read and check the whole of it. On error *out is empty and *err says the line
 * and what is wrong with it: MU_EDATA; MU_ETOOBIG (a line, or the number of them);
 * MU_EIO; MU_ENOMEM. `name` stands for the file. */
int kit_events_read(FILE *in, const char *name, struct kit_events *out,
                    struct mu_err *err);
void kit_events_free(struct kit_events *e);

/* An event as it goes to a runner, and what it borrows from. */
struct kit_event {
	struct mu_chan_event e;
	char *path, *labels;
	void *data, *old_data;
};
void kit_event_wipe(struct kit_event *e);

/* Do to the tree what the line says. For an event fill *out (wipe it in any case);
 * for the others *out is empty. MU_ENOMEM. */
int kit_line_play(const struct kit_line *l, struct kit_tree *t,
                  struct kit_event *out);

#endif /* MU_CLI_KIT_EVENTS_H */
