/* words_lists.c - the words that list links, sessions and watches. */
#include "words_impl.h"

#include "proto.h"
#include "session.h"
#include "tree.h"
#include "watch.h"

/* ---- links ------------------------------------------------------------------------ */

/* "[1]": the events that the server waits for on it: 1 to read, 0 for none. */
static void say_link(struct mu_say *s, const struct mu_tcp_link_info *i,
                     const struct mu_store_link *l)
{
	mu_say(s, " /%s[%d](queued=%u,recved=%llu,sent=%llu", i->where,
	       i->interested ? 1 : 0, (unsigned)l->waiting,
	       (unsigned long long)i->count->records_in,
	       (unsigned long long)i->count->records_out);
}

static void stat_link(void *arg, const struct mu_tcp_link_info *i)
{
	struct mu_say *s = arg;
	struct mu_store_link l = { 0 };

	mu_store_link_look(s->w->store, i->link, &l);
	say_link(s, i, &l);
	mu_say(s, ")\n");
}

void mu_word_stat_links(struct mu_say *s)
{
	mu_tcp_each(s->w->tcp, stat_link, s);
}

/* ZooKeeper's short names of operations. */
static const char *op_short(int32_t op)
{
	static const struct {
		int32_t op;
		const char *word;
	} names[] = {
		{ MU_OP_NOTIFICATION, "NOTI" },  { MU_OP_CREATE, "CREA" },
		{ MU_OP_CREATE2, "CREA" },       { MU_OP_DELETE, "DELE" },
		{ MU_OP_EXISTS, "EXIS" },        { MU_OP_GET_DATA, "GETD" },
		{ MU_OP_SET_DATA, "SETD" },      { MU_OP_GET_ACL, "GETA" },
		{ MU_OP_SET_ACL, "SETA" },       { MU_OP_GET_CHILDREN, "GETC" },
		{ MU_OP_GET_CHILDREN2, "GETC" }, { MU_OP_SYNC, "SYNC" },
		{ MU_OP_PING, "PING" },          { MU_OP_MULTI, "MULT" },
		{ MU_OP_CLOSE_SESSION, "CLOS" }, { MU_OP_SET_WATCHES, "SETW" },
		{ MU_OP_SET_WATCHES2, "SETW" },  { MU_OP_ADD_WATCH, "ADDW" },
		{ MU_OP_AUTH, "AUTH" },
	};
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (names[i].op == op)
			return names[i].word;
	}
	return "NA";
}

static void cons_link(void *arg, const struct mu_tcp_link_info *i)
{
	struct mu_say *s = arg;
	const struct mu_words *w = s->w;
	const struct mu_tcp_count *c = i->count;
	struct mu_store_link l = { 0 };

	mu_store_link_look(w->store, i->link, &l);
	say_link(s, i, &l);
	if (l.session) {
		mu_say(s,
		       ",sid=0x%llx,lop=%s,est=%lld,to=%u,lcxid=0x%x,"
		       "lzxid=0x%llx,lresp=%llu,llat=%llu",
		       (unsigned long long)l.session, op_short(c->last_op),
		       (long long)w->wall_ms -
		               (long long)(w->now_ms - i->opened_ms),
		       (unsigned)l.timeout_ms, (unsigned)c->last_xid,
		       (unsigned long long)c->last_zxid,
		       (unsigned long long)c->last_reply_ms,
		       (unsigned long long)c->last_latency_ms);
		mu_say(s, ",minlat=%llu,avglat=%llu,maxlat=%llu",
		       (unsigned long long)c->latency_min_ms,
		       (unsigned long long)(c->latency_count
		                                    ? c->latency_sum_ms /
		                                              c->latency_count
		                                    : 0),
		       (unsigned long long)c->latency_max_ms);
	}
	mu_say(s, ")\n");
}

void mu_word_cons(struct mu_say *s)
{
	mu_tcp_each(s->w->tcp, cons_link, s);
	mu_say(s, "\n");
}

/* ---- sessions ------------------------------------------------------------------------- */

static void say_session(struct mu_say *s, int64_t id)
{
	mu_say(s, "0x%llx", (unsigned long long)id);
}

static void say_node(struct mu_say *s, mu_node_id id)
{
	const struct mu_tree *t = mu_store_tree(s->w->store);
	struct mu_buf path = { 0 };

	mu_tree_path(t, id, &path);
	mu_say(s, "\t");
	if (!mu_buf_failed(&path))
		mu_say_text(s, path.data, path.len);
	mu_say(s, "\n");
	mu_buf_fini(&path);
}

static void dump_session(void *arg, struct mu_session *session)
{
	struct mu_say *s = arg;
	const uint64_t left = mu_session_left_ms(mu_store_sessions(s->w->store),
	                                         session, s->w->now_ms);

	mu_say(s, "1 expire at ");
	mu_say_date(s, s->w->wall_ms + (int64_t)left);
	mu_say(s, ":\n\t");
	say_session(s, session->id);
	mu_say(s, "\n");
}

static int dump_node(void *arg, mu_node_id id)
{
	struct mu_say *s = arg;

	say_node(s, id);
	return s->cut;
}

static void dump_owner(void *arg, struct mu_session *session)
{
	struct mu_say *s = arg;
	const struct mu_tree *t = mu_store_tree(s->w->store);

	if (mu_tree_owned_count(t, session->id) == 0)
		return;
	say_session(s, session->id);
	mu_say(s, ":\n");
	mu_tree_owned(t, session->id, dump_node, s);
}

struct owners {
	const struct mu_tree *tree;
	unsigned count;
};

static void count_owner(void *arg, struct mu_session *session)
{
	struct owners *o = arg;

	o->count += mu_tree_owned_count(o->tree, session->id) > 0;
}

static void dump_link(void *arg, const struct mu_tcp_link_info *i)
{
	struct mu_say *s = arg;
	struct mu_store_link l = { 0 };

	mu_store_link_look(s->w->store, i->link, &l);
	mu_say(s, "\tip: /%s sessionId: ", i->where);
	say_session(s, l.session);
	mu_say(s, "\n");
}

void mu_word_dump(struct mu_say *s)
{
	const struct mu_sessions *all = mu_store_sessions(s->w->store);
	const unsigned n = mu_sessions_count(all);
	struct owners o = { mu_store_tree(s->w->store), 0 };
	struct mu_tcp_stats tcp;

	mu_say(s, "SessionTracker dump:\nSession Sets (%u)/(%u):\n", n, n);
	mu_sessions_each(all, dump_session, s);
	mu_sessions_each(all, count_owner, &o);
	mu_say(s, "ephemeral nodes dump:\nSessions with Ephemerals (%u):\n",
	       o.count);
	mu_sessions_each(all, dump_owner, s);
	mu_tcp_stats(s->w->tcp, &tcp);
	mu_say(s, "Connections dump:\nConnections Sets (1)/(%u):\n",
	       (unsigned)tcp.links);
	mu_tcp_each(s->w->tcp, dump_link, s);
}

/* ---- watches ---------------------------------------------------------------------------- */

void mu_word_wchs(struct mu_say *s)
{
	const struct mu_watches *w = mu_store_watches(s->w->store);

	mu_say(s, "%u connections watching %u paths\nTotal watches:%u\n",
	       (unsigned)mu_watches_links(w),
	       (unsigned)mu_watches_path_count(w),
	       (unsigned)mu_watches_count(w));
}

static void say_path_of(void *arg, struct mu_str path, uint32_t link,
                        unsigned kinds)
{
	struct mu_say *s = arg;

	(void)link, (void)kinds;
	mu_say(s, "\t");
	mu_say_text(s, path.at, path.len);
	mu_say(s, "\n");
}

static void wchc_session(void *arg, struct mu_session *session)
{
	struct mu_say *s = arg;
	const struct mu_watches *w = mu_store_watches(s->w->store);

	if (!session->link || !mu_watches_link_count(w, session->link))
		return;
	say_session(s, session->id);
	mu_say(s, "\n");
	mu_watches_each_of(w, session->link, say_path_of, s);
}

void mu_word_wchc(struct mu_say *s)
{
	mu_sessions_each(mu_store_sessions(s->w->store), wchc_session, s);
	mu_say(s, "\n");
}

struct by_path {
	struct mu_say *s;
	const char *last; /* the path that was said: borrowed, and compared
	                     only */
};

static void wchp_watch(void *arg, struct mu_str path, uint32_t link,
                       unsigned kinds)
{
	struct by_path *b = arg;
	struct mu_store_link l = { 0 };

	(void)kinds;
	if (path.at != b->last) {
		mu_say_text(b->s, path.at, path.len);
		mu_say(b->s, "\n");
	}
	b->last = path.at;
	mu_store_link_look(b->s->w->store, link, &l);
	mu_say(b->s, "\t");
	say_session(b->s, l.session);
	mu_say(b->s, "\n");
}

void mu_word_wchp(struct mu_say *s)
{
	struct by_path b = { s, NULL };

	mu_watches_each(mu_store_watches(s->w->store), wchp_watch, &b);
	mu_say(s, "\n");
}
