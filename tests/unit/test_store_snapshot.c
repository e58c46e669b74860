/*
 * A store that came out of a snapshot is the store that did not, for all that
 * anybody can see. Random clients write to one; snapshots of it are taken at
 * random moments, restored with other hash keys, and given the commands that
 * come after. At the end all of them write the same snapshot; and from then on
 * the same sessions on the same links get the same bytes from both: replies,
 * events and their order, commands, the ends of links.
 */
#include "snapshot_kit.h"
#include "store_bed.h"

#include "session.h"
#include "store_impl.h"

#define CLIENTS 5
#define FOLLOWERS 6
#define STEPS 400
#define STEPS_TOGETHER 250
#define SEEDS 24
#define LINKS 40u
#define FIRST_LINK 5000u /* of the time together */

static const char *const paths[] = {
	"/a",     "/a/x",
	"/a/y",   "/a/x/z",
	"/b",     "/b/longer-name",
	"/b/q-",  "/c",
	"/c/d",   "/c/d/e",
	"/a/n-",  "/m0",
	"/m1",    "/m2",
	"/a/m-",  "/t",
	"/t/u",   "/box",
	"/box/i", "/zookeeper/config",
};
#define PATHS (sizeof paths / sizeof paths[0])

static struct client {
	uint32_t link; /* 0: none */
	bool up;
	int64_t session;
	uint8_t password[MU_PASSWORD_LEN];
} clients[CLIENTS];

static struct follower {
	struct mu_store *s;
	uint64_t index;
} followers[FOLLOWERS];
static size_t follower_count;

static uint64_t seed;
static uint32_t next_link;

static uint32_t dice(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* ---- what clients ask ---- */

static const char *any_path(void)
{
	return paths[dice(PATHS)];
}

static const char *any_data(void)
{
	static const char *const data[] = { NULL, "", "1", "12345678",
		                            "a longer text than that" };

	return data[dice(5)];
}

static const struct mu_buf *q_any_acl(void)
{
	static const char *const ids[] = { "10.0.0.7", "10.0.0.0/8",
		                           "10.0.0.7/32" };

	if (dice(3) == 0)
		return q_set_acl(any_path(), mu_acl_open(), -1);
	return q_set_acl(any_path(), acl_of(31, "ip", ids[dice(3)]), -1);
}

static const struct mu_buf *q_mortal(int32_t *op)
{
	const char *path = dice(2) ? "/t" : "/box";
	struct mu_create_request r = bed_create_request(
		path, "", dice(2) ? MU_MODE_CONTAINER : MU_MODE_PERSISTENT_TTL);

	*op = r.mode == MU_MODE_CONTAINER ? MU_OP_CREATE_CONTAINER
	                                  : MU_OP_CREATE_TTL;
	r.ttl_ms = r.mode == MU_MODE_CONTAINER ? 0 : 1 + dice(2000);
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, *op, &r);
	return &bed.q;
}

static const struct mu_buf *q_multi(void)
{
	q_none();
	q_sub(MU_OP_CREATE, "/m0", "0", MU_MODE_EPHEMERAL);
	q_sub(MU_OP_CREATE, "/a/m-", "s", MU_MODE_EPHEMERAL_SEQUENTIAL);
	q_sub(MU_OP_CREATE, "/m2", "2", (int32_t)dice(2));
	if (dice(2))
		q_sub(MU_OP_DELETE, "/m0", NULL, -1);
	q_sub(MU_OP_CREATE, "/m1", "1", MU_MODE_EPHEMERAL);
	if (dice(3) == 0)
		q_sub(MU_OP_CHECK, "/nowhere", NULL, -1);
	return q_end();
}

static const struct mu_buf *q_any(int32_t *op)
{
	switch (dice(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		*op = MU_OP_CREATE;
		return q_create(any_path(), any_data(), (int32_t)dice(4));
	case 4:
	case 5:
		*op = MU_OP_DELETE;
		return q_delete(any_path(), (int32_t)dice(3) - 1);
	case 6:
	case 7:
		*op = MU_OP_SET_DATA;
		return q_set(any_path(), any_data(), (int32_t)dice(3) - 1);
	case 8:
		*op = MU_OP_SET_ACL;
		return q_any_acl();
	case 9:
		return q_mortal(op);
	case 10:
		*op = MU_OP_MULTI;
		return q_multi();
	case 11:
		*op = MU_OP_GET_CHILDREN2;
		return q_path(dice(3) ? any_path() : "/", dice(2));
	case 12:
		*op = MU_OP_GET_DATA;
		return q_path(any_path(), dice(2));
	case 13:
		*op = MU_OP_EXISTS;
		return q_path(any_path(), dice(2));
	case 14:
		*op = MU_OP_GET_EPHEMERALS;
		return q_path("/", false);
	default:
		*op = MU_OP_ADD_WATCH;
		return q_add_watch(any_path(), (int32_t)dice(2));
	}
}

/* ---- the store that lives on ---- */

static void settle(void)
{
	bed_drain();
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &clients[i];
		struct mu_connect_response w;
		struct mu_in in;

		if (!c->link)
			continue;
		if (!c->up && bed_peek(c->link)) {
			in = bed_take(c->link);
			ck_assert_int_eq(mu_get_connect_response(&in, &w), 0);
			c->up = true;
			c->session = w.session;
			memcpy(c->password, w.password.at, sizeof c->password);
		}
		if (!bed_is_open(c->link))
			c->link = 0;
	}
}

static void connect_client(struct client *c)
{
	struct mu_connect_request q = bed_hello();

	q.timeout_ms = 500 + (int32_t)dice(3000);
	if (c->session && dice(2)) {
		q.session = c->session;
		q.password = (struct mu_str){ (const char *)c->password,
			                      MU_PASSWORD_LEN };
	}
	c->link = ++next_link;
	c->up = false;
	bed_link(c->link);
	bed_shake(c->link, &q);
}

static void make_durable(uint32_t some)
{
	uint64_t applied = bed_stats().applied;

	if (store.logged > applied)
		bed_durable(applied + 1 + some % (store.logged - applied));
}

static void catch_up(struct follower *f)
{
	const uint64_t applied = bed_stats().applied;

	for (; f->index < applied; f->index++)
		ck_assert_int_eq(mu_store_replay(f->s,
		                                 store.commands[f->index].bytes,
		                                 store.commands[f->index].len),
		                 0);
}

/* Of the store itself, or of one that came out of a snapshot. */
static void take_snapshot(void)
{
	const struct mu_store *of = store.s;
	struct follower *f = &followers[follower_count];
	struct bytes b;

	if (follower_count == FOLLOWERS)
		return;
	if (follower_count && dice(3) == 0)
		of = followers[dice((uint32_t)follower_count)].s;
	b = snapshot_of(of);
	follower_count++;
	f->s = restored(&b, (uint8_t)dice(256));
	f->index = mu_store_index(f->s);
	ck_assert_uint_eq(f->index, mu_store_index(of));
	free(b.at);
}

static void step(void)
{
	struct client *c = &clients[dice(CLIENTS)];
	uint32_t what = dice(100);
	const struct mu_buf *body;
	int32_t op;

	if (what < 25) {
		make_durable(dice(1000));
	} else if (what < 28) {
		bed_tick(10 + dice(400));
	} else if (what < 30) {
		take_snapshot();
	} else if (what < 31 && follower_count) {
		catch_up(&followers[dice((uint32_t)follower_count)]);
	} else if (!c->link || what < 33) {
		connect_client(c);
	} else if (what < 34 && c->up) {
		bed_ask(c->link, MU_OP_CLOSE_SESSION, q_none());
	} else {
		body = q_any(&op);
		bed_ask(c->link, op, body);
	}
	settle();
}

static void assert_all_alike(void)
{
	struct bytes want = snapshot_of(store.s);

	for (size_t i = 0; i < follower_count; i++) {
		struct bytes b;

		catch_up(&followers[i]);
		mu_store_verify(followers[i].s);
		b = snapshot_of(followers[i].s);
		assert_same_bytes(&want, &b);
		free(b.at);
	}
	free(want.at);
}

/* ---- two stores, the same links ---- */

/* What came out for one link, and how it ended. */
struct heard {
	struct mu_buf bytes;
	int ended; /* 1 + reason; 0: not */
};

static struct side {
	struct mu_store *s;
	struct heard heard[LINKS];
	struct mu_buf log;
	uint64_t logged;
} sides[2];

static struct heard *heard_by(struct side *side, uint32_t link)
{
	ck_assert_uint_ge(link, FIRST_LINK);
	ck_assert_uint_lt(link, FIRST_LINK + LINKS);
	return &side->heard[link - FIRST_LINK];
}

static void listen(struct side *side)
{
	struct mu_effect e;

	while (mu_store_effect(side->s, &e)) {
		if (e.kind == MU_FX_SEND)
			mu_buf_put(&heard_by(side, e.link)->bytes, e.bytes,
			           e.len);
		for (size_t i = 0; e.kind == MU_FX_FANOUT && i < e.link_count;
		     i++)
			mu_buf_put(&heard_by(side, e.links[i])->bytes, e.bytes,
			           e.len);
		if (e.kind == MU_FX_CLOSE)
			heard_by(side, e.link)->ended = 1 + (int)e.reason;
		if (e.kind == MU_FX_LOG) {
			mu_buf_put(&side->log, &e.index, sizeof e.index);
			mu_buf_put(&side->log, e.bytes, e.len);
			side->logged = e.index;
		}
	}
	mu_store_verify(side->s);
}

static void assert_same_buf(const struct mu_buf *a, const struct mu_buf *b)
{
	ck_assert_uint_eq(a->len, b->len);
	if (a->len)
		ck_assert_mem_eq(a->data, b->data, a->len);
}

static void compare_sides(void)
{
	for (size_t i = 0; i < LINKS; i++) {
		assert_same_buf(&sides[0].heard[i].bytes,
		                &sides[1].heard[i].bytes);
		ck_assert_int_eq(sides[0].heard[i].ended,
		                 sides[1].heard[i].ended);
	}
	assert_same_buf(&sides[0].log, &sides[1].log);
}

static void receive_both(uint32_t link, const void *bytes, size_t len)
{
	uint8_t entropy[256];

	for (size_t i = 0; i < sizeof entropy; i++)
		entropy[i] = (uint8_t)dice(256);
	for (size_t i = 0; i < 2; i++) {
		mu_store_entropy(sides[i].s, entropy,
		                 mu_store_entropy_wanted(sides[i].s));
		mu_store_receive(sides[i].s, link, bytes, len, store.now);
		listen(&sides[i]);
	}
}

static void ask_both(uint32_t link, int32_t op, const struct mu_buf *body)
{
	uint8_t *record;
	size_t len = bed_record(++bed.xid, op, body, &record);

	receive_both(link, record, len);
	free(record);
}

static void resume_both(uint32_t link, int64_t id, const uint8_t *password)
{
	struct mu_connect_request q = bed_hello();
	struct mu_buf b = { 0 };

	q.timeout_ms = 60000;
	q.session = id;
	q.password = (struct mu_str){ (const char *)password,
		                      id ? MU_PASSWORD_LEN : 0 };
	mu_put_connect_request(&b, &q);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(mu_store_link_open(sides[i].s, link,
		                                    "10.0.0.7:1", store.now),
		                 0);
	receive_both(link, b.data, b.len);
	mu_buf_fini(&b);
}

static void durable_both(uint32_t some)
{
	const uint64_t applied = mu_store_index(sides[0].s);
	const uint64_t logged = sides[0].logged;

	if (logged <= applied)
		return;
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(
			mu_store_durable(sides[i].s,
		                         applied + 1 +
		                                 some % (logged - applied)),
			0);
		listen(&sides[i]);
	}
}

struct known {
	int64_t id;
	uint8_t password[MU_PASSWORD_LEN];
};

struct knowing {
	struct known session[LINKS / 2];
	size_t count;
};

static void know(void *arg, struct mu_session *session)
{
	struct knowing *k = arg;

	if (k->count == LINKS / 2)
		return;
	k->session[k->count].id = session->id;
	memcpy(k->session[k->count++].password, session->password,
	       MU_PASSWORD_LEN);
}

static void begin_both(struct mu_store *other)
{
	struct knowing k = { .count = 0 };

	memset(sides, 0, sizeof sides);
	sides[0].s = store.s;
	sides[1].s = other;
	store.s->pool_len = 0; /* random bytes are nobody's state */
	for (size_t i = 0; i < 2; i++) {
		mu_store_begin(sides[i].s, 1, store.now);
		sides[i].logged = mu_store_index(sides[i].s);
	}
	mu_sessions_each(mu_store_sessions(store.s), know, &k);
	for (size_t i = 0; i < k.count; i++)
		resume_both(FIRST_LINK + (uint32_t)i, k.session[i].id,
		            k.session[i].password);
	for (; k.count < LINKS / 2; k.count++)
		resume_both(FIRST_LINK + (uint32_t)k.count, 0, NULL);
	durable_both(UINT32_MAX - 1);
}

static void end_both(void)
{
	size_t heard = 0;
	struct bytes x, y;

	while (sides[0].logged > mu_store_index(sides[0].s))
		durable_both(0);
	compare_sides();
	for (size_t l = 0; l < LINKS; l++)
		heard += sides[0].heard[l].bytes.len;
	ck_assert_uint_gt(heard, 4000);
	ck_assert_uint_gt(sides[0].log.len, 4000);
	x = snapshot_of(sides[0].s);
	y = snapshot_of(sides[1].s);
	assert_same_bytes(&x, &y);
	free(x.at);
	free(y.at);
	for (size_t i = 0; i < 2; i++) {
		for (size_t l = 0; l < LINKS; l++)
			mu_buf_fini(&sides[i].heard[l].bytes);
		mu_buf_fini(&sides[i].log);
	}
}

static void go_on_together(struct mu_store *other)
{
	int32_t op;

	begin_both(other);
	for (int i = 0; i < STEPS_TOGETHER; i++) {
		uint32_t link = FIRST_LINK + dice(LINKS / 2);
		const struct mu_buf *body = q_any(&op);

		if (dice(4) == 0)
			durable_both(dice(100));
		else if (dice(40) == 0)
			ask_both(link, MU_OP_CLOSE_SESSION, q_none());
		else
			ask_both(link, op, body);
		if (i % 50 == 0)
			compare_sides();
	}
	end_both();
}

/* ---- the whole ---- */

static void lose_all_links(void)
{
	for (uint32_t link = 1; link <= next_link; link++)
		bed_lost(link);
	bed_drain();
}

START_TEST(a_restored_store_cannot_be_told_from_the_one_that_lived_on)
{
	struct mu_store_config config = bed_config();
	size_t i;

	seed = (uint64_t)_i * 6007 + 5;
	config.container_check_interval_ms = 100;
	config.ttl_nodes = true;
	bed_open_with(&config);
	store.slow = true;
	take_snapshot(); /* of nothing yet */
	for (i = 0; i < STEPS; i++)
		step();
	while (bed_stats().applied < store.logged)
		make_durable(UINT32_MAX - 1);
	settle();
	ck_assert_uint_gt(follower_count, 2);
	assert_all_alike();
	lose_all_links();
	/* Which of several that are due goes first is not promised. */
	config.container_check_interval_ms = 0;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	i = dice((uint32_t)follower_count);
	config.tree_id = mu_store_tree_id(followers[i].s);
	ck_assert_int_eq(mu_store_reconfigure(followers[i].s, &config, NULL),
	                 0);
	go_on_together(followers[i].s);
	for (i = 0; i < follower_count; i++)
		mu_store_free(followers[i].s);
	bed_close();
}
END_TEST

START_TEST(what_is_logged_and_not_yet_applied_is_not_in_a_snapshot)
{
	struct bytes before, after;

	bed_open();
	bed_connect(1);
	bed_make(1, "/a", "x");
	before = snapshot_of(store.s);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/b", "y", 0));
	after = snapshot_of(store.s);
	ck_assert_uint_gt(store.logged, mu_store_index(store.s));
	assert_same_bytes(&before, &after);
	free(before.at);
	free(after.at);
	bed_close();
}
END_TEST

/* A timeout that a client asked for when it came back is not in the journal, so
 * it is not in a snapshot either. */
START_TEST(a_snapshot_has_the_timeouts_that_sessions_were_made_with)
{
	struct bytes before, after;
	struct mu_connect_request q;
	int64_t session;

	bed_open();
	session = bed_connect_for(1, 3000);
	before = snapshot_of(store.s);
	q = bed_hello();
	q.timeout_ms = 9000;
	q.session = session;
	q.password =
		(struct mu_str){ (const char *)bed.password, MU_PASSWORD_LEN };
	bed_link(2);
	bed_shake(2, &q);
	ck_assert_int_eq(bed_welcome(2).timeout_ms, 9000);
	after = snapshot_of(store.s);
	assert_same_bytes(&before, &after);
	free(before.at);
	free(after.at);
	bed_close();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store: snapshot");
	TCase *tc = tcase_create("alike");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(
		tc, a_restored_store_cannot_be_told_from_the_one_that_lived_on,
		0, SEEDS);
	tcase_add_test(tc,
	               what_is_logged_and_not_yet_applied_is_not_in_a_snapshot);
	tcase_add_test(
		tc, a_snapshot_has_the_timeouts_that_sessions_were_made_with);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
