/* How it is, as JSON: numbers, each beside the limit that it is held to. */
#include "server_impl.h"

#include "err.h"
#include "json.h"
#include "loop.h"

#include <unistd.h>

static void add_id(struct mu_json *o, const char *key, int64_t id)
{
	char text[20];

	mu_format(text, sizeof text, "0x%lx", (unsigned long)id);
	mu_json_set_str(o, key, text);
}

static void add_count(struct mu_json *o, const char *key, uint64_t n)
{
	mu_json_set_int(o, key, (int64_t)n);
}

static void add_limit(struct mu_json *o, const char *key, uint64_t used,
                      int64_t max)
{
	struct mu_json *pair = mu_json_object();

	add_count(pair, "used", used);
	mu_json_set_int(pair, "max", max);
	mu_json_set(o, key, pair);
}

static void add_store(struct mu_json *o, const struct mu_server *s)
{
	const struct mu_broker_options *opt = s->options;
	struct mu_store_stats st;

	mu_store_stats(s->store, &st);
	add_id(o, "tree_id", mu_store_tree_id(s->store));
	add_id(o, "zxid", st.zxid);
	add_count(o, "epoch", s->config.epoch);
	add_count(o, "index", st.applied);
	add_count(o, "nodes", st.nodes);
	add_count(o, "ephemerals", st.ephemerals);
	add_limit(o, "sessions", st.sessions, opt->sessions_max);
	add_limit(o, "links", st.links, opt->links_max);
	add_limit(o, "watches", st.watches, opt->watches_max);
	add_limit(o, "data_bytes", st.tree_memory, opt->max_data);
	add_limit(o, "waiting_bytes", st.waiting_bytes, opt->waiting_max);
	add_count(o, "requests", st.requests);
	add_count(o, "replies", st.replies);
	add_count(o, "events", st.events);
	add_count(o, "throttled", st.throttled);
	add_count(o, "over_max_data", st.over_max_data);
	add_count(o, "expired", st.expired);
	add_count(o, "stalled_ms", st.stalled_ms);
}

static struct mu_json *carriers(const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_native_stats nt;
	struct mu_tcp_stats tt;

	mu_native_stats(s->native, &nt);
	mu_tcp_stats(s->tcp, &tt);
	add_count(o, "native_links", nt.links);
	add_count(o, "native_parked_bytes", nt.parked_bytes);
	add_count(o, "tcp_links", tt.links);
	add_count(o, "tcp_waiting_bytes", tt.waiting_bytes);
	mu_json_set_int(o, "outbox_max", s->options->outbox_max);
	return o;
}

static struct mu_json *journal(const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_journal_stats st;
	struct mu_err err = { 0 };

	s->journal->stats(s->journal, &st);
	mu_json_set_bool(o, "keeps", s->journal->keeps);
	add_count(o, "segments", st.segments);
	add_count(o, "disk_bytes", st.disk_bytes);
	add_count(o, "batches", st.batches);
	add_count(o, "syncs", st.syncs);
	add_count(o, "sync_last_us", st.sync_last_us);
	add_count(o, "sync_max_us", st.sync_max_us);
	add_count(o, "waiting_bytes", st.waiting_bytes);
	if (s->journal->trouble(s->journal, &err))
		mu_json_set_str(o, "trouble", err.msg);
	return o;
}

static struct mu_json *snapshots(const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	struct mu_snapshots_status st;

	mu_snapshots_status(s->snapshots, &st);
	mu_json_set_bool(o, "running", st.running);
	add_count(o, "taken", st.taken);
	add_count(o, "failed", st.failed);
	add_count(o, "index", st.index);
	mu_json_set_int(o, "wall_ms", st.wall_ms);
	add_count(o, "bytes", st.bytes);
	add_count(o, "took_ms", st.took_ms);
	add_count(o, "fork_us_max", st.fork_us_max);
	if (st.trouble[0])
		mu_json_set_str(o, "trouble", st.trouble);
	return o;
}

char *mu_server_status(const struct mu_server *s)
{
	struct mu_json *o = mu_json_object();
	char *text;

	mu_json_set_str(o, "version", MU_VERSION);
	mu_json_set_int(o, "pid", getpid());
	add_count(o, "uptime_ms",
	          mu_loop_now_ms(s->loop) - s->words.started_ms);
	mu_json_set_str(o, "state", s->trouble ? "read-only" : "ready");
	mu_json_set_str(o, "data_dir", s->options->data_dir);
	add_store(o, s);
	mu_json_set(o, "carriers", carriers(s));
	mu_json_set(o, "journal", journal(s));
	if (s->snapshots)
		mu_json_set(o, "snapshot", snapshots(s));
	text = mu_json_text(o);
	mu_json_free(o);
	return text;
}
