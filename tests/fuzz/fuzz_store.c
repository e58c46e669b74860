/*
 * fuzz_store.c - a store among hostile peers, a late journal and an odd clock.
 *
 * The input is a list of steps, each of three bytes (what, which link, a
 * number) and what that step needs beyond them. After every step the store must
 * keep its own promises, and on each link zxids only grow and replies keep the
 * order of requests. At the end the durable commands, replayed, make the same
 * tree. Limits are small, so that they are met.
 */
#include "command.h"
#include "fuzz.h"
#include "store.h"

#define LINKS 5u
#define COMMANDS_MAX 512u

struct world_link {
	uint32_t number; /* 0: none */
	bool shaken;     /* a handshake was sent: xids are ours from now on */
	bool raw;        /* not all of them: a record had its own */
	int32_t xid, answered;
	int64_t zxid, event_zxid;
};

struct known_session {
	int64_t id;
	uint8_t password[MU_PASSWORD_LEN];
};

static struct world {
	struct mu_store *s;
	struct mu_when now;
	struct mu_in in; /* the steps */
	struct world_link link[LINKS];
	uint32_t next_number;
	struct known_session session[8];
	uint32_t sessions;
	uint64_t logged;
	struct mu_buf record;
	struct mu_buf journal; /* durable or not: framed commands */
	size_t ends[COMMANDS_MAX + 1];
} world;

static uint8_t take(struct world *w)
{
	return mu_in_left(&w->in) ? *w->in.at++ : 0;
}

/* Any function of the bytes will do. */
static void short_hash(const void *bytes, size_t len, uint8_t hash[20])
{
	memset(hash, 0, 20);
	for (size_t i = 0; i < len; i++)
		hash[i % 20] =
			(uint8_t)(hash[i % 20] ^ ((const uint8_t *)bytes)[i]);
}

static struct mu_store_config small_limits(void)
{
	return (struct mu_store_config){
		.hash_key = { 7 },
		.epoch = 1,
		.tree_id = 5,
		.tick_ms = 50,
		.session_timeout_min_ms = 100,
		.session_timeout_max_ms = 1000,
		.handshake_timeout_ms = 300,
		.packet_max = 400,
		.reply_max = 200,
		.outstanding_max = 3,
		.sessions_max = 6,
		.links_max = LINKS,
		.watches_max = 9,
		.watch_bytes_max = 60,
		.path_max = 24,
		.subscriptions_per_link_max = 3,
		.change_log_max = 6,
		.change_log_bytes = 2000,
		.container_check_interval_ms = 100,
		.ttl_nodes = true,
		.enforce_quota = true,
		.sha1 = short_hash,
	};
}

/* ---- what comes out ---- */

static struct world_link *link_of(struct world *w, uint32_t number)
{
	for (size_t i = 0; i < LINKS; i++)
		if (w->link[i].number == number)
			return &w->link[i];
	return NULL;
}

static void keep_session(struct world *w, const struct mu_connect_response *r)
{
	struct known_session *k = &w->session[w->sessions++ % 8];

	if (!r->session)
		return;
	MU_BUG_ON(r->timeout_ms < 100 || r->timeout_ms > 1000);
	k->id = r->session;
	memcpy(k->password, r->password.at, MU_PASSWORD_LEN);
}

/* What catching up tells is of long ago: it has no place among the rest. */
static void check_change(const struct mu_reply_header *h, struct mu_in body)
{
	struct mu_change_event e;

	MU_BUG_ON(mu_get_change_event(&body, &e) || mu_in_left(&body));
	MU_BUG_ON(h->err || h->zxid != e.zxid || e.n < 0 ||
	          mu_path_check(e.path, NULL));
	MU_BUG_ON(e.prev_zxid > e.zxid ||
	          (e.prev_zxid == e.zxid && e.prev_n >= e.n));
	MU_BUG_ON(e.data.at && (int32_t)e.data.len != e.stat.data_len);
}

static void check_order(struct world_link *l, const struct mu_reply_header *h)
{
	if (h->zxid ==
	    0) /* of an auth packet, which has no place in the order */
		return;
	if (h->xid == MU_XID_NOTIFICATION && h->zxid != -1) {
		MU_BUG_ON(h->zxid < l->zxid || h->zxid < l->event_zxid);
		l->event_zxid = h->zxid;
	} else if (h->zxid != -1) {
		MU_BUG_ON(h->zxid < l->zxid || h->zxid < l->event_zxid);
		l->zxid = h->zxid;
	}
	if (h->xid <= 0 || l->raw)
		return;
	MU_BUG_ON(h->xid != l->answered + 1);
	l->answered = h->xid;
}

static void deliver(struct world *w, uint32_t number, const uint8_t *bytes,
                    size_t len)
{
	struct world_link *l = link_of(w, number);
	struct mu_in in = mu_in_of(bytes, len);
	struct mu_connect_response r;
	struct mu_reply_header h;
	struct mu_str rec;
	int more;

	while ((more = mu_frame_next(&in, &rec)) == 1) {
		struct mu_in one = mu_in_of(rec.at, rec.len);

		if (!l)
			continue;
		if (l->zxid == 0) { /* nothing came before the welcome */
			MU_BUG_ON(mu_get_connect_response(&one, &r));
			keep_session(w, &r);
			l->zxid = 1;
			continue;
		}
		MU_BUG_ON(mu_get_reply_header(&one, &h));
		if (h.xid == MU_XID_CHANGE)
			check_change(&h, one);
		else
			check_order(l, &h);
	}
	MU_BUG_ON(more);
}

static void keep_command(struct world *w, const struct mu_effect *e)
{
	MU_BUG_ON(e->index != w->logged + 1);
	w->logged = e->index;
	if (e->index > COMMANDS_MAX)
		return;
	w->journal.len = w->ends[e->index - 1];
	mu_buf_put(&w->journal, e->bytes, e->len);
	w->ends[e->index] = w->journal.len;
}

static void drain(struct world *w)
{
	struct mu_effect e;

	while (mu_store_effect(w->s, &e)) {
		if (e.kind == MU_FX_LOG)
			keep_command(w, &e);
		else if (e.kind == MU_FX_SEND)
			deliver(w, e.link, e.bytes, e.len);
		else if (e.kind == MU_FX_CLOSE && link_of(w, e.link))
			link_of(w, e.link)->number = 0;
		for (size_t i = 0; i < e.link_count; i++)
			deliver(w, e.links[i], e.bytes, e.len);
	}
}

/* ---- what goes in ---- */

static void hand_in(struct world *w, struct world_link *l)
{
	static const uint8_t dice[256] = { 1, 2, 3 };

	MU_BUG_ON(mu_buf_failed(&w->record));
	mu_store_entropy(w->s, dice, mu_store_entropy_wanted(w->s));
	mu_store_receive(w->s, l->number, w->record.data, w->record.len,
	                 w->now);
}

/* A session of its own (0), one that was given, or one with a wrong password. */
static void shake(struct world *w, struct world_link *l, uint8_t number)
{
	const struct known_session *k = &w->session[number % 8];
	struct mu_connect_request q = {
		.protocol = number & 1,
		.timeout_ms = (int32_t)((uint32_t)number << 24 | number * 8u),
		.has_read_only = number & 2,
	};

	if (number & 0x80) {
		q.session = k->id;
		q.password = (struct mu_str){ (const char *)k->password,
			                      MU_PASSWORD_LEN };
		q.password.len -= number == 0xff;
	}
	if (l->shaken)
		l->raw = true; /* a second one is a strange request */
	l->shaken = true;
	mu_put_connect_request(&w->record, &q);
	hand_in(w, l);
}

static void raw(struct world *w, struct world_link *l, uint8_t number)
{
	size_t len = mu_in_left(&w->in);

	if (len > number)
		len = number;
	mu_buf_put(&w->record, w->in.at, len);
	w->in.at += len;
	l->raw = true;
	l->shaken = true;
	hand_in(w, l);
}

static struct mu_str a_path(struct world *w)
{
	static const char *const paths[] = {
		"/",   "/a",  "/a/b",       "/a/b/c", "/b",
		"/a/", "/b/", "/zookeeper", "a",      "/b/d",
	};

	return mu_str_of(paths[take(w) % (sizeof paths / sizeof paths[0])]);
}

/* Data up to most of a reply, so that some are too large for one. */
static struct mu_str some_data(struct world *w)
{
	static const char zeroes[255];
	uint8_t len = take(w);

	return (struct mu_str){ len == 0xff ? NULL : zeroes, len };
}

static void put_sub(struct world *w, int32_t op)
{
	if (op == MU_OP_CREATE || op == MU_OP_CREATE2 ||
	    op == MU_OP_CREATE_CONTAINER || op == MU_OP_CREATE_TTL) {
		struct mu_create_request r = { .path = a_path(w),
			                       .data = some_data(w),
			                       .acl = mu_acl_open(),
			                       .mode = take(w) % 5 };

		if (op == MU_OP_CREATE_TTL) {
			r.mode += MU_MODE_PERSISTENT_TTL;
			r.ttl_ms = take(w);
		}

		mu_put_create(&w->record, op, &r);
	} else if (op == MU_OP_SET_DATA) {
		struct mu_set_data_request r = { a_path(w), some_data(w),
			                         (int8_t)take(w) };

		mu_put_set_data(&w->record, &r);
	} else { /* delete, check; others have the same shape, or are wrong */
		struct mu_delete_request r = { a_path(w), (int8_t)take(w) };

		mu_put_delete(&w->record, &r);
	}
}

static void put_multi(struct world *w)
{
	static const int32_t ops[] = { MU_OP_CREATE,   MU_OP_DELETE,
		                       MU_OP_SET_DATA, MU_OP_CHECK,
		                       MU_OP_CREATE2,  MU_OP_GET_DATA };

	for (unsigned n = take(w) % 5; n > 0; n--) {
		int32_t op = ops[take(w) % 6];

		mu_put_multi_header(&w->record, op, false, -1);
		put_sub(w, op);
	}
	mu_put_multi_header(&w->record, -1, true, -1);
}

/* One path in the lists that the bits choose. */
static void put_lists(struct world *w, bool two)
{
	uint8_t bits = take(w);
	int64_t rel = ((int64_t)1 << 32) + take(w);
	struct mu_vec none = { 0 }, one;
	struct mu_buf path = { 0 };

	mu_put_str(&path, a_path(w));
	one = (struct mu_vec){ 1, path.data, path.len };
	mu_put_set_watches(&w->record, two,
	                   &(struct mu_set_watches){
				   .relative_zxid = rel,
				   .data = bits & 1 ? one : none,
				   .exist = bits & 2 ? one : none,
				   .child = bits & 4 ? one : none,
				   .persistent = bits & 8 ? one : none,
				   .recursive = bits & 16 ? one : none,
			   });
	mu_buf_fini(&path);
}

/* One entry: the world's, or of all identities, or of one. */
static void ask_set_acl(struct world *w)
{
	static const struct mu_acl entries[] = {
		{ 0, { "world", 5 }, { "anyone", 6 } },
		{ 0, { "auth", 4 }, { "", 0 } },
		{ 0, { "digest", 6 }, { "a:b", 3 } },
		{ 0, { "ip", 2 }, { "::/0", 4 } },
	};
	struct mu_set_acl_request r = { .path = a_path(w) };
	struct mu_acl entry = entries[take(w) % 4];
	struct mu_buf acl = { 0 };

	entry.perms = take(w) % 32;
	mu_put_acl(&acl, &entry);
	r.acl = (struct mu_vec){ 1, acl.data, acl.len };
	r.version = (int8_t)take(w);
	mu_put_set_acl(&w->record, &r);
	mu_buf_fini(&acl);
}

static void ask_auth(struct world *w)
{
	uint8_t bits = take(w);
	struct mu_auth_packet r = {
		.scheme = bits % 8 ? MU_STR("digest") : MU_STR("other"),
		.auth = a_path(w),
	};

	mu_put_auth(&w->record, &r);
}

static void ask_subscribe(struct world *w)
{
	struct mu_subscribe_request r = { .id = take(w) % 4 };
	uint8_t zxid, n;

	r.path = a_path(w);
	r.mode = take(w) % 5 - 1;
	zxid = take(w);
	n = take(w);
	r.zxid = zxid == 0xff   ? -1
	         : zxid == 0xfe ? INT64_MAX
	                        : ((int64_t)1 << 32) + zxid;
	r.n = n == 127 ? MU_CHANGE_N_END : (int8_t)n;
	mu_put_subscribe(&w->record, &r);
}

static void put_body(struct world *w, int32_t op)
{
	struct mu_watches_request watches = { 0 };
	struct mu_path_watch_request read = { 0 };
	struct mu_add_watch_request add = { 0 };

	switch (op) {
	case MU_OP_MULTI:
		put_multi(w);
		break;
	case MU_OP_SET_WATCHES:
	case MU_OP_SET_WATCHES2:
		put_lists(w, op == MU_OP_SET_WATCHES2);
		break;
	case MU_OP_EXISTS:
	case MU_OP_GET_DATA:
	case MU_OP_GET_CHILDREN:
	case MU_OP_GET_CHILDREN2:
		read = (struct mu_path_watch_request){ a_path(w), take(w) & 1 };
		mu_put_path_watch(&w->record, &read);
		break;
	case MU_OP_ADD_WATCH:
		add = (struct mu_add_watch_request){ a_path(w), take(w) % 3 };
		mu_put_add_watch(&w->record, &add);
		break;
	case MU_OP_SET_ACL:
		ask_set_acl(w);
		break;
	case MU_OP_AUTH:
		ask_auth(w);
		break;
	case MU_OP_CHECK_WATCHES:
	case MU_OP_REMOVE_WATCHES:
		watches = (struct mu_watches_request){ a_path(w), take(w) % 7 };
		mu_put_watches(&w->record, &watches);
		break;
	case MU_OP_SUBSCRIBE:
		ask_subscribe(w);
		break;
	case MU_OP_UNSUBSCRIBE:
		mu_put_int(&w->record, take(w) % 4);
		break;
	default:
		put_sub(w, op);
	}
}

static int32_t next_xid(struct world_link *l, int32_t op)
{
	if (op == MU_OP_PING)
		return MU_XID_PING;
	return op == MU_OP_AUTH ? MU_XID_AUTH : ++l->xid;
}

static void request(struct world *w, struct world_link *l, uint8_t number)
{
	int32_t op = number % 24 ? number % 24 : (int8_t)take(w);

	if (number >= 200)
		op = 100 + number % 8;
	else if (number >= 193)
		op = MU_OP_SUBSCRIBE + number % 2;
	mu_put_request_header(&w->record, next_xid(l, op), op);
	put_body(w, op);
	if (!l->shaken) {
		l->shaken = true; /* it was taken for a handshake */
		l->raw = true;
	}
	hand_in(w, l);
}

static void oversize(struct world *w, struct world_link *l, uint8_t number)
{
	mu_put_request_header(&w->record, ++l->xid, number);
	mu_store_oversize(w->s, l->number, w->record.data, number % 10, w->now);
	l->raw |= number % 10 < 8 || !l->shaken;
}

/* ---- steps ---- */

static void open_link(struct world *w, struct world_link *l)
{
	if (l->number)
		return;
	*l = (struct world_link){ .number = ++w->next_number };
	if (mu_store_link_open(w->s, l->number, "fuzz", w->now))
		l->number = 0;
}

static void be_durable(struct world *w, uint8_t number)
{
	struct mu_store_stats st;
	uint64_t index;

	drain(w);
	mu_store_stats(w->s, &st);
	MU_BUG_ON(st.logged != w->logged);
	index = st.applied + number;
	if (index > w->logged)
		index = w->logged;
	if (w->logged >= COMMANDS_MAX - 64)
		return;
	MU_BUG_ON(mu_store_durable(w->s, index));
}

static void refuse(struct world *w)
{
	struct mu_store_stats st;

	mu_store_refused(w->s, MU_EIO);
	mu_store_stats(w->s, &st);
	MU_BUG_ON(st.logged != st.applied);
	w->logged = st.applied;
}

static void step(struct world *w)
{
	uint8_t what = take(w), which = take(w), number = take(w);
	struct world_link *l = &w->link[which % LINKS];

	mu_buf_reset(&w->record);
	w->now.wall_ms += (int8_t)number;
	switch (what % 12) {
	case 0:
		open_link(w, l);
		break;
	case 1:
		open_link(w, l);
		if (l->number)
			shake(w, l, number);
		break;
	case 2:
		if (l->number)
			raw(w, l, number);
		break;
	case 3:
		w->now.mono_ms += number;
		mu_store_tick(w->s, w->now);
		break;
	case 4:
		be_durable(w, number);
		break;
	case 5:
		refuse(w);
		break;
	case 6:
		mu_store_link_lost(w->s, l->number);
		l->number = 0;
		break;
	case 7:
		if (l->number)
			oversize(w, l, number);
		break;
	case 8: /* the clock moves, and nobody ticks */
		w->now.mono_ms += number;
		break;
	default:
		if (l->number)
			request(w, l, number);
	}
	mu_store_verify(w->s);
	if (!(which & 0x80))
		drain(w);
}

/* The same commands make the same tree. */
static void do_again(struct world *w, const struct mu_store_config *config)
{
	struct mu_store_stats was, is;
	struct mu_store *again;

	mu_store_stats(w->s, &was);
	MU_BUG_ON(mu_store_new(config, w->now, &again, NULL));
	for (uint64_t i = 1; i <= was.applied; i++)
		MU_BUG_ON(mu_store_replay(again,
		                          w->journal.data + w->ends[i - 1],
		                          w->ends[i] - w->ends[i - 1]));
	mu_store_verify(again);
	mu_store_stats(again, &is);
	MU_BUG_ON(is.zxid != was.zxid || is.nodes != was.nodes ||
	          is.tree_bytes != was.tree_bytes ||
	          is.ephemerals != was.ephemerals ||
	          is.changes != was.changes ||
	          is.change_bytes != was.change_bytes ||
	          is.sessions != was.sessions);
	mu_store_free(again);
}

int FUZZ_ENTRY(const uint8_t *bytes, size_t len);

int FUZZ_ENTRY(const uint8_t *bytes, size_t len)
{
	const struct mu_store_config config = small_limits();
	struct world *w = &world;

	*w = (struct world){ .now = { 1000, 1700000000000 },
		             .in = mu_in_of(bytes, len) };
	MU_BUG_ON(mu_store_new(&config, w->now, &w->s, NULL));
	while (mu_in_left(&w->in))
		step(w);
	drain(w);
	do_again(w, &config);
	mu_store_free(w->s);
	mu_buf_fini(&w->record);
	mu_buf_fini(&w->journal);
	return 0;
}
