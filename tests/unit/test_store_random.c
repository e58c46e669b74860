/*
 * Many clients at random, and a journal that answers late, in part, or not at
 * all. After every step: replies keep the order of requests, zxids only grow,
 * and no answer shows a change whose event the link has not seen yet (rules 16,
 * 17, 32). At the end the same commands make the same tree.
 */
#include "store_bed.h"

#define CLIENTS 6
#define STEPS 500
#define SEEDS 30
#define ASKED_MAX 4096

static const char *const paths[] = { "/a", "/b", "/a/x", "/a/y", "/b/x" };
#define PATHS (sizeof paths / sizeof paths[0])

struct asked {
	int32_t xid, op;
	size_t path;
};

static struct client {
	uint32_t link; /* 0: none */
	bool up;       /* the response has come */
	int64_t session;
	uint8_t password[16];
	struct asked asked[ASKED_MAX];
	size_t first, count;
	int64_t zxid;        /* of the last reply */
	int64_t event_zxid;  /* of the last event */
	int64_t watch_since; /* 0: its watch on all is not armed yet */
	int64_t seen[PATHS]; /* zxid of the last event for each path */
} clients[CLIENTS];

static uint64_t seed;
static uint32_t next_link;
static int64_t applied_zxid;
static unsigned long events_seen, shown;

static uint32_t dice(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static void forget_link(struct client *c)
{
	c->link = 0;
	c->up = false;
	c->first = c->count = 0;
	c->zxid = c->event_zxid = c->watch_since = 0;
	memset(c->seen, 0, sizeof c->seen);
}

static struct client *client_of(uint32_t link)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].link == link)
			return &clients[i];
	return NULL;
}

/* ---- what came ---- */

static void on_event(struct client *c, const struct mu_reply_header *h,
                     struct mu_in *in)
{
	struct mu_watcher_event e;

	ck_assert_int_eq(mu_get_watcher_event(in, &e), 0);
	ck_assert_int_ge(h->zxid, c->event_zxid);
	ck_assert_int_ge(h->zxid, c->zxid);
	c->event_zxid = h->zxid;
	events_seen++;
	for (size_t i = 0; i < PATHS; i++)
		if (e.type != MU_NODE_CHILDREN_CHANGED &&
		    mu_str_eq(e.path, mu_str_of(paths[i])))
			c->seen[i] = h->zxid;
}

static void check_shown(struct client *c, const struct asked *a,
                        struct mu_in *in)
{
	struct mu_stat stat;

	if (!c->watch_since)
		return;
	if (a->op == MU_OP_GET_DATA)
		mu_get_str(in);
	else if (a->op != MU_OP_EXISTS && a->op != MU_OP_SET_DATA)
		return;
	ck_assert_int_eq(mu_get_stat(in, &stat), 0);
	if (stat.mzxid > c->watch_since) {
		ck_assert_int_eq(c->seen[a->path], stat.mzxid);
		shown++;
	}
}

static void on_reply(struct client *c, const struct mu_reply_header *h,
                     struct mu_in *in)
{
	struct asked *a;

	ck_assert_uint_gt(c->count, 0);
	a = &c->asked[c->first++];
	c->count--;
	ck_assert_int_eq(h->xid, a->xid);
	ck_assert_int_ge(h->zxid, c->zxid);
	ck_assert_int_ge(h->zxid, c->event_zxid);
	c->zxid = h->zxid;
	if (h->err)
		return;
	if (a->op == MU_OP_ADD_WATCH)
		c->watch_since = h->zxid;
	check_shown(c, a, in);
}

static void on_record(struct client *c, const struct store_record *r)
{
	struct mu_in in = mu_in_of(r->bytes, r->len);
	struct mu_reply_header h;

	if (!c->up) {
		struct mu_connect_response w;

		ck_assert_int_eq(mu_get_connect_response(&in, &w), 0);
		c->up = true;
		c->session = w.session;
		memcpy(c->password, w.password.at, sizeof c->password);
		return;
	}
	ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
	if (h.xid == MU_XID_NOTIFICATION)
		on_event(c, &h, &in);
	else if (h.xid != MU_XID_PING)
		on_reply(c, &h, &in);
}

static void settle(void)
{
	bed_drain();
	mu_store_verify(store.s);
	ck_assert_int_ge(bed_stats().zxid, applied_zxid);
	applied_zxid = bed_stats().zxid;
	for (size_t i = 0; i < store.record_count; i++) {
		struct client *c = client_of(store.records[i].link);

		if (c)
			on_record(c, &store.records[i]);
		free(store.records[i].bytes);
	}
	for (size_t i = 0; i < store.close_count; i++) {
		struct client *c = client_of(store.closes[i].link);

		if (c)
			forget_link(c);
	}
	free(store.records);
	free(store.closes);
	store.records = NULL;
	store.closes = NULL;
	store.record_count = store.close_count = 0;
}

/* ---- what is done ---- */

static void ask(struct client *c, int32_t op, size_t path,
                const struct mu_buf *body)
{
	if (c->first + c->count == ASKED_MAX)
		return;
	c->asked[c->first + c->count++] = (struct asked){ ++bed.xid, op, path };
	bed_send(c->link, bed.xid, op, body);
}

static void ask_any(struct client *c)
{
	size_t i = dice(PATHS);
	const char *p = paths[i];

	switch (dice(12)) {
	case 0:
	case 1:
		ask(c, MU_OP_CREATE, i, q_create(p, "v", (int32_t)dice(2)));
		break;
	case 2:
		ask(c, MU_OP_CREATE2, i,
		    q_create(p, "v", 2 + (int32_t)dice(2)));
		break;
	case 3:
		ask(c, MU_OP_DELETE, i, q_delete(p, (int32_t)dice(3) - 1));
		break;
	case 4:
	case 5:
		ask(c, MU_OP_SET_DATA, i, q_set(p, "w", (int32_t)dice(4) - 1));
		break;
	case 6:
		q_none();
		q_sub(MU_OP_SET_DATA, p, "m", -1);
		q_sub(MU_OP_CREATE, "/a/x", "m", 0);
		q_sub(MU_OP_CHECK, "/b", NULL, (int32_t)dice(2) - 1);
		ask(c, MU_OP_MULTI, i, q_end());
		break;
	case 7:
		ask(c, MU_OP_SYNC, i, q_sync(p));
		break;
	case 8:
		ask(c, MU_OP_EXISTS, i, q_path(p, dice(2)));
		break;
	case 9:
		ask(c, MU_OP_GET_CHILDREN2, i, q_path(p, dice(2)));
		break;
	case 10:
		ask(c, MU_OP_CREATE, i, q_none()); /* does not decode */
		break;
	default:
		ask(c, MU_OP_GET_DATA, i, q_path(p, dice(2)));
		break;
	}
}

static void connect_client(struct client *c)
{
	struct mu_connect_request q = bed_hello();

	q.timeout_ms = 2000;
	if (c->session && dice(3)) {
		q.session = c->session;
		q.password = (struct mu_str){ (const char *)c->password, 16 };
	}
	forget_link(c);
	c->link = ++next_link;
	bed_link(c->link);
	bed_shake(c->link, &q);
	settle();
	if (c->link) /* sent before the response has come */
		ask(c, MU_OP_ADD_WATCH, 0, q_add_watch("/", 1));
}

/* The journal says no: what it had not yet taken never was. */
static void refuse(void)
{
	uint64_t applied;

	settle();
	applied = bed_stats().applied;
	while (store.logged > applied) {
		free(store.commands[--store.command_count].bytes);
		store.logged--;
	}
	mu_store_refused(store.s, MU_EIO);
}

static void make_durable(uint64_t some)
{
	uint64_t applied = bed_stats().applied;

	if (store.logged > applied)
		bed_durable(applied + 1 + some % (store.logged - applied));
}

static void step(void)
{
	struct client *c = &clients[dice(CLIENTS)];
	uint32_t what = dice(100);

	if (what < 25) {
		make_durable(dice(1000));
	} else if (what < 27) {
		bed_tick(10 + dice(600));
	} else if (what < 28 && dice(3) == 0) {
		refuse();
	} else if (!c->link) {
		connect_client(c);
	} else if (what < 30) {
		bed_lost(c->link);
		forget_link(c);
	} else if (what < 31) {
		connect_client(c); /* its old link is cut, or left to die */
	} else if (what < 32 && c->up) {
		ask(c, MU_OP_CLOSE_SESSION, 0, q_none());
	} else {
		ask_any(c);
	}
	settle();
}

static uint64_t hash_of(const struct mu_store *s)
{
	const struct mu_tree *t = mu_store_tree(s);
	uint64_t sum = 0;

	for (size_t i = 0; i < PATHS; i++) {
		mu_node_id id = mu_tree_find(t, mu_str_of(paths[i]));
		struct mu_stat stat;

		if (!id)
			continue;
		mu_tree_stat(t, id, &stat);
		sum = sum * 31 + (uint64_t)stat.mzxid;
		sum = sum * 31 + (uint64_t)stat.pzxid;
		sum = sum * 31 + (uint64_t)stat.czxid;
		sum = sum * 31 + (uint64_t)stat.ephemeral_owner;
		sum = sum * 31 + (uint64_t)stat.num_children;
		sum = sum * 31 + (uint64_t)(uint32_t)stat.cversion;
	}
	return sum;
}

static void assert_replays(void)
{
	struct mu_store_stats a, b;
	struct mu_store *s;

	ck_assert_int_eq(mu_store_new(&store.config, store.now, &s, NULL), 0);
	for (size_t i = 0; i < store.command_count; i++)
		ck_assert_int_eq(mu_store_replay(s, store.commands[i].bytes,
		                                 store.commands[i].len),
		                 0);
	mu_store_verify(s);
	a = bed_stats();
	mu_store_stats(s, &b);
	ck_assert_int_eq(a.zxid, b.zxid);
	ck_assert_uint_eq(a.nodes, b.nodes);
	ck_assert_uint_eq(a.ephemerals, b.ephemerals);
	ck_assert_uint_eq(a.sessions, b.sessions);
	ck_assert_uint_eq(a.tree_bytes, b.tree_bytes);
	ck_assert_uint_eq(hash_of(store.s), hash_of(s));
	mu_store_free(s);
}

START_TEST(rule32_order_holds_whatever_happens)
{
	struct mu_store_config config = bed_config();

	seed = (uint64_t)_i * 7919 + 1;
	config.outstanding_max = 20;
	bed_open_with(&config);
	store.slow = true;
	for (int i = 0; i < STEPS; i++)
		step();
	while (bed_stats().applied < store.logged) {
		make_durable(UINT32_MAX);
		settle();
	}
	for (size_t i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(clients[i].count, 0);
	ck_assert_uint_gt(events_seen, 20);
	ck_assert_uint_gt(shown, 5);
	assert_replays();
	bed_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store: at random");
	TCase *tc = tcase_create("order");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, rule32_order_holds_whatever_happens, 0, SEEDS);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
