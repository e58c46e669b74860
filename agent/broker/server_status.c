/* How it is, as JSON: numbers, each beside the limit that it is held to. */
#include "server_impl.h"

#include "err.h"
#include "json.h"
#include "loop.h"

#include <unistd.h>

/* A number; with a limit, it is {"used": n, "max": max}. */
struct row {
	const char *key;
	uint64_t n;
	int64_t max;
};
#define NO_LIMIT (-1)

/* Not 0: memory is out. As all here. */
static int add_pair(struct mu_json *o, const struct row *r)
{
	struct mu_json *pair = mu_json_object();
	int rc = mu_json_set_int(pair, "used", (int64_t)r->n);

	rc = rc ? rc : mu_json_set_int(pair, "max", r->max);
	return mu_json_set(o, r->key, pair) || rc;
}

static int add_rows(struct mu_json *o, const struct row *r, size_t count)
{
	int rc = 0;

	for (; count > 0 && !rc; count--, r++)
		rc = r->max != NO_LIMIT
		             ? add_pair(o, r)
		             : mu_json_set_int(o, r->key, (int64_t)r->n);
	return rc;
}
#define ADD_ROWS(o, rows) add_rows(o, rows, sizeof(rows) / sizeof *(rows))

static int add_id(struct mu_json *o, const char *key, int64_t id)
{
	char text[20];

	mu_format(text, sizeof text, "0x%lx", (unsigned long)id);
	return mu_json_set_str(o, key, text);
}

static int add_store(struct mu_json *o, const struct mu_server *s)
{
	const struct mu_broker_options *opt = s->options;
	struct mu_store_stats st;
	int rc;

	mu_store_stats(s->store, &st);
	const struct row rows[] = {
		{ "epoch", s->config.epoch, NO_LIMIT },
		{ "index", st.applied, NO_LIMIT },
		{ "nodes", st.nodes, NO_LIMIT },
		{ "ephemerals", st.ephemerals, NO_LIMIT },
		{ "sessions", st.sessions, opt->sessions_max },
		{ "links", st.links, opt->links_max },
		{ "watches", st.watches, opt->watches_max },
		{ "watch_bytes", st.watch_bytes, opt->watch_bytes_max },
		{ "subscriptions", st.subscriptions, NO_LIMIT },
		{ "data_bytes", st.tree_memory, opt->max_data },
		{ "waiting_bytes", st.waiting_bytes, opt->waiting_max },
		{ "requests", st.requests, NO_LIMIT },
		{ "replies", st.replies, NO_LIMIT },
		{ "events", st.events, NO_LIMIT },
		{ "change_events", st.change_events, NO_LIMIT },
		{ "gaps", st.gaps, NO_LIMIT },
		{ "change_log", st.changes, opt->change_log_max },
		{ "change_log_bytes", st.change_bytes, opt->change_log_bytes },
		{ "throttled", st.throttled, NO_LIMIT },
		{ "over_max_data", st.over_max_data, NO_LIMIT },
		{ "expired", st.expired, NO_LIMIT },
		{ "stalled_ms", st.stalled_ms, NO_LIMIT },
		{ "over_path_max", st.over_path_max, NO_LIMIT },
		{ "over_ephemeral_bytes", st.over_ephemeral_bytes, NO_LIMIT },
	};

	rc = add_id(o, "tree_id", mu_store_tree_id(s->store));
	rc = rc ? rc : add_id(o, "zxid", st.zxid);
	rc = rc ? rc : add_id(o, "change_floor", st.change_floor);
	return rc ? rc : ADD_ROWS(o, rows);
}

static int add_carriers(struct mu_json *all, const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_control_stats ct = { 0 };
	struct mu_native_stats nt;
	struct mu_tcp_stats tt;
	int rc;

	mu_native_stats(s->native, &nt);
	mu_tcp_stats(s->tcp, &tt);
	if (s->control)
		mu_control_stats(s->control, &ct);
	const struct row rows[] = {
		{ "native_links", nt.links, NO_LIMIT },
		{ "native_parked_bytes", nt.parked_bytes, NO_LIMIT },
		{ "tcp_links", tt.links, NO_LIMIT },
		{ "tcp_waiting_bytes", tt.waiting_bytes, NO_LIMIT },
		{ "outbox_max", (uint64_t)s->options->outbox_max, NO_LIMIT },
		{ "control", ct.connections, MU_CONTROL_CONNECTIONS_MAX },
	};

	rc = ADD_ROWS(o, rows);
	return mu_json_set(all, "carriers", o) || rc;
}

static int add_journal(struct mu_json *all, const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_journal_stats st;
	struct mu_err err = { 0 };
	int rc;

	s->journal->stats(s->journal, &st);
	const struct row rows[] = {
		{ "segments", st.segments, NO_LIMIT },
		{ "disk_bytes", st.disk_bytes, NO_LIMIT },
		{ "batches", st.batches, NO_LIMIT },
		{ "syncs", st.syncs, NO_LIMIT },
		{ "sync_last_us", st.sync_last_us, NO_LIMIT },
		{ "sync_max_us", st.sync_max_us, NO_LIMIT },
		{ "waiting_bytes", st.waiting_bytes, (int64_t)st.waiting_max },
	};

	rc = mu_json_set_bool(o, "keeps", s->journal->keeps);
	rc = rc ? rc : ADD_ROWS(o, rows);
	if (!rc && s->journal->trouble(s->journal, &err))
		rc = mu_json_set_str(o, "trouble", err.msg);
	return mu_json_set(all, "journal", o) || rc;
}

static int add_snapshots(struct mu_json *all, const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_snapshots_status st;
	int rc;

	mu_snapshots_status(s->snapshots, &st);
	const struct row rows[] = {
		{ "taken", st.taken, NO_LIMIT },
		{ "failed", st.failed, NO_LIMIT },
		{ "index", st.index, NO_LIMIT },
		{ "wall_ms", (uint64_t)st.wall_ms, NO_LIMIT },
		{ "bytes", st.bytes, NO_LIMIT },
		{ "took_ms", st.took_ms, NO_LIMIT },
		{ "fork_us_max", st.fork_us_max, NO_LIMIT },
		{ "retry_ms", st.retry_ms, NO_LIMIT },
	};

	rc = mu_json_set_bool(o, "running", st.running);
	rc = rc ? rc : ADD_ROWS(o, rows);
	if (!rc && st.trouble[0])
		rc = mu_json_set_str(o, "trouble", st.trouble);
	return mu_json_set(all, "snapshot", o) || rc;
}

static int add_all(struct mu_json *o, const struct mu_server *s)
{
	int rc = mu_json_set_str(o, "version", MU_VERSION);

	rc = rc ? rc : mu_json_set_int(o, "pid", getpid());
	rc = rc ? rc
	        : mu_json_set_int(o, "uptime_ms",
	                          (int64_t)(mu_loop_now_ms(s->loop) -
	                                    s->words.started_ms));
	rc = rc ? rc
	        : mu_json_set_str(o, "state",
	                          s->trouble ? "read-only" : "ready");
	rc = rc ? rc : mu_json_set_str(o, "data_dir", s->options->data_dir);
	rc = rc ? rc : add_store(o, s);
	rc = rc ? rc : add_carriers(o, s);
	rc = rc ? rc : add_journal(o, s);
	return rc || !s->snapshots ? rc : add_snapshots(o, s);
}

char *mu_server_status(const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	char *text = add_all(o, s) ? NULL : mu_json_text(o);

	mu_json_free(o);
	return text;
}
