/*
 * Subscriptions through the client library and a whole broker, over both of its
 * carriers: what a subscriber that keeps to client.h is told, whatever happens to
 * its connections and to the broker. The broker runs in this process, a turn of
 * its loop for each turn of the clients.
 */
#include "data_kit.h"
#include "log.h"
#include "loop.h"
#include "program.h"
#include "server.h"

#include <muster/client.h>

#define DEADLINE_MS 60000u
#define SEEN_MAX 20000
#define WRITES 200

static struct mu_broker_options options;
static struct mu_loop *loop;
static struct mu_timer *ticker;
static struct mu_server *server;
static struct mu_err err;
static char url[2][128];
static const char *more; /* of the configuration */

/* One change, as it was told. */
struct seen {
	struct mu_change e;
	struct mu_stat stat;
	char path[64];
	char data[32];
	char origin[64];
};

/* A subscriber by the book. */
static struct watcher {
	struct mu_client *c;
	struct mu_client_options o;
	struct mu_subscribe what;
	int64_t prev_zxid;
	int32_t prev_n;
	struct seen *seen;
	size_t count;
	unsigned answers, mores, gaps;
	struct mu_subscribed last;
} w;

static struct mu_client *author;

/* ---- the broker --------------------------------------------------------------- */

static void on_tick(void *arg)
{
	(void)arg;
	mu_loop_stop(loop);
}

static void begin(void)
{
	ck_assert_msg(mu_server_new(loop, &options, &server, &err) == 0, "%s",
	              err.msg);
}

static void turn(void)
{
	mu_loop_run(loop);
	ck_assert(!mu_server_failed(server));
	if (w.c)
		mu_client_process(w.c);
	if (author)
		mu_client_process(author);
}

#define UNTIL(condition) \
	do { \
		uint64_t end_ = mu_clock_mono_ms() + DEADLINE_MS; \
		while (!(condition)) { \
			ck_assert_msg(mu_clock_mono_ms() < end_, \
			              "never: " #condition); \
			turn(); \
		} \
	} while (0)

static void restart(void)
{
	mu_server_free(server);
	begin();
}

/* ---- the subscriber ------------------------------------------------------------- */

static bool is_above(int64_t zxid, int32_t n, int64_t than, int32_t than_n)
{
	return zxid > than || (zxid == than && n > than_n);
}

static void on_change(struct mu_client *c, const struct mu_change *e, void *arg)
{
	struct seen *s = &w.seen[w.count++];

	ck_assert_ptr_eq(c, w.c);
	ck_assert_ptr_eq(arg, &w);
	ck_assert_uint_lt(w.count, SEEN_MAX);
	ck_assert_int_eq(e->id, w.what.id);
	ck_assert_int_eq(e->prev_zxid, w.prev_zxid);
	ck_assert_int_eq(e->prev_n, w.prev_n);
	ck_assert(is_above(e->zxid, e->n, w.what.zxid, w.what.n));
	s->e = *e;
	s->stat = *e->stat;
	snprintf(s->path, sizeof s->path, "%s", e->path);
	snprintf(s->origin, sizeof s->origin, "%s", e->origin);
	snprintf(s->data, sizeof s->data, "%.*s", e->len < 0 ? 0 : (int)e->len,
	         e->len < 0 ? "" : (const char *)e->data);
	w.what.zxid = w.prev_zxid = e->zxid;
	w.what.n = w.prev_n = e->n;
}

static void subscribe(void);

static void on_subscribed(struct mu_client *c, const struct mu_result *r,
                          void *arg)
{
	const struct mu_subscribed *s = r->subscribed;
	const bool from_now = w.what.zxid == -1;

	(void)c, (void)arg;
	if (r->rc) {
		ck_assert_int_eq(r->rc, MU_ECONNLOSS);
		return;
	}
	w.answers++;
	w.last = *s;
	w.what.zxid = s->zxid;
	w.what.n = s->n;
	if (s->state != MU_SUBSCRIBED_LIVE || from_now) {
		w.prev_zxid = s->zxid;
		w.prev_n = s->n;
	}
	w.gaps += s->state == MU_SUBSCRIBED_GAP;
	if (s->state != MU_SUBSCRIBED_MORE)
		return;
	w.mores++;
	subscribe();
}

static void subscribe(void)
{
	int rc;

	w.what.id++;
	w.prev_zxid = w.what.zxid;
	w.prev_n = w.what.n;
	rc = mu_client_subscribe(w.c, &w.what, on_subscribed, &w);
	ck_assert_msg(rc == 0 || rc == MU_ECONNLOSS, "%d", rc);
}

static void on_state(struct mu_client *c, enum mu_client_state state, int why,
                     void *arg)
{
	(void)why, (void)arg;
	w.c = c;
	if (state == MU_CLIENT_CONNECTED)
		subscribe();
}

static void watcher_make(void)
{
	ck_assert_msg(mu_client_new(&w.o, &w.c, &err) == 0, "%s", err.msg);
}

/* Subscribe from now, and wait until it stands. */
static void watch(const char *path, enum mu_subscribe_mode mode)
{
	w.what.path = path;
	w.what.mode = mode;
	watcher_make();
	UNTIL(w.answers);
	ck_assert_int_eq(w.last.state, MU_SUBSCRIBED_LIVE);
}

/* Its connection ends, with the handle; another goes on with the session. */
static void watcher_leave(void)
{
	struct mu_client_info i = { .size = sizeof i };

	mu_client_info(w.c, &i);
	w.o.session = i.session;
	w.o.last_zxid = i.last_zxid;
	memcpy(w.o.password, i.password, sizeof i.password);
	mu_client_free(w.c);
	w.c = NULL;
}

/* All that the author has done was told. */
static void catch_up(void)
{
	const unsigned before = w.answers;

	if (!w.c)
		watcher_make();
	else
		subscribe();
	UNTIL(w.answers > before && w.last.state != MU_SUBSCRIBED_MORE);
}

/* ---- the author ------------------------------------------------------------------- */

static int done_rc;
static int64_t done_zxid;
static bool is_done;

static void on_done(struct mu_client *c, const struct mu_result *r, void *arg)
{
	(void)c, (void)arg;
	done_rc = r->rc;
	done_zxid = r->zxid;
	is_done = true;
}

/* Ask, again where the connection went, and wait for the answer. */
#define DO(call) \
	do { \
		is_done = false; \
		ck_assert_int_eq(call, 0); \
		UNTIL(is_done); \
	} while (done_rc == MU_ECONNLOSS)

#define ck_do(call) \
	do { \
		DO(call); \
		ck_assert_int_eq(done_rc, 0); \
	} while (0)

static void create(const char *path, const char *value, unsigned flags)
{
	ck_do(mu_client_create(author, path, value, (int32_t)strlen(value),
	                       flags, on_done, NULL));
}

static void set(const char *path, const char *value)
{
	ck_do(mu_client_set(author, path, value, (int32_t)strlen(value), -1,
	                    on_done, NULL));
}

static void delete (const char *path)
{
	ck_do(mu_client_delete(author, path, -1, on_done, NULL));
}

static int64_t author_session(void)
{
	struct mu_client_info i = { .size = sizeof i };

	mu_client_info(author, &i);
	return i.session;
}

/* ---- fixture ------------------------------------------------------------------------ */

static void author_make(uint32_t timeout_ms)
{
	struct mu_client_options o = { .size = sizeof o,
		                       .brokers = url[0],
		                       .timeout_ms = timeout_ms };

	ck_assert_int_eq(mu_client_new(&o, &author, &err), 0);
	UNTIL(author_session());
}

static void setup_with(int carrier)
{
	char text[900];
	uint16_t port;

	memset(&err, 0, sizeof err);
	mu_log_level(MU_ERROR);
	kit_dir_make();
	ports_free(&port, 1);
	snprintf(url[0], sizeof url[0], "ipc://%s", kit_path("sock"));
	snprintf(url[1], sizeof url[1], "zookeeper://127.0.0.1:%u",
	         (unsigned)port);
	snprintf(text, sizeof text,
	         "listen = [ \"%s\" ];\n"
	         "listen_zookeeper = [ \"127.0.0.1:%u\" ];\n"
	         "control = \"%s\";\ndata_dir = \"%s\";\ntick_ms = 5;\n"
	         "session_timeout_min_ms = 100;\n"
	         "container_check_interval_ms = 20;\n%s",
	         url[0], (unsigned)port, kit_path("ctl"), kit_path("data"),
	         more ? more : "");
	ck_assert_msg(mu_broker_options_parse("test", text, &options, &err) ==
	                      0,
	              "%s", err.msg);
	ck_assert_int_eq(mu_loop_new(&loop, &err), 0);
	ck_assert_int_eq(mu_timer_new(loop, on_tick, NULL, &ticker), 0);
	mu_timer_arm(ticker, 1, 1);
	begin();
	w = (struct watcher){
		.o = { .size = sizeof w.o,
		       .brokers = url[carrier],
		       .timeout_ms = 20000,
		       .on_change = on_change,
		       .on_state = on_state,
		       .arg = &w },
		.what = { .size = sizeof w.what, .zxid = -1 },
		.seen = calloc(SEEN_MAX, sizeof *w.seen),
	};
	ck_assert_ptr_nonnull(w.seen);
	author_make(20000);
}

static void setup_native(void)
{
	more = NULL;
	setup_with(0);
}

static void setup_tcp(void)
{
	more = NULL;
	setup_with(1);
}

/* A log so short that it reaches back to nothing much. */
static void setup_short(void)
{
	more = "change_log_max = 3;\n";
	setup_with(0);
}

/* Little may wait for a link. */
static void setup_narrow_native(void)
{
	more = "outbox_max = 1048576;\n";
	setup_with(0);
}

static void setup_narrow_tcp(void)
{
	more = "outbox_max = 1048576;\n";
	setup_with(1);
}

static void teardown(void)
{
	mu_client_free(w.c);
	mu_client_free(author);
	w.c = author = NULL;
	free(w.seen);
	mu_server_free(server);
	mu_timer_free(ticker);
	mu_loop_free(loop);
	mu_broker_options_fini(&options);
	kit_dir_remove();
}

/* ---- what is told --------------------------------------------------------------------- */

/* The i-th that was told. */
static const struct seen *ck_seen(size_t i, enum mu_watch_event_type type,
                                  const char *path, const char *data)
{
	UNTIL(w.count > i);
	ck_assert_str_eq(w.seen[i].path, path);
	ck_assert_int_eq(w.seen[i].e.type, type);
	ck_assert_str_eq(w.seen[i].data, data);
	return &w.seen[i];
}

START_TEST(each_change_comes_with_value_stat_and_author)
{
	const struct seen *s;

	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "one", 0);
	set("/a", "two");
	delete ("/a");
	s = ck_seen(0, MU_WATCH_CREATED, "/a", "one");
	ck_assert_int_eq(s->stat.version, 0);
	ck_assert_int_eq(s->stat.czxid, s->e.zxid);
	s = ck_seen(1, MU_WATCH_DATA_CHANGED, "/a", "two");
	ck_assert_int_eq(s->stat.version, 1);
	ck_assert_int_eq(s->stat.mzxid, s->e.zxid);
	ck_seen(2, MU_WATCH_DELETED, "/a", "two");
	for (size_t i = 0; i < 3; i++) {
		ck_assert(w.seen[i].e.whole);
		ck_assert_int_eq(w.seen[i].e.cause, MU_BY_REQUEST);
		ck_assert_int_eq(w.seen[i].e.session, author_session());
	}
	catch_up();
	ck_assert_uint_eq(w.count, 3);
}
END_TEST

START_TEST(a_mode_says_how_deep)
{
	static const size_t told[] = { [MU_SUBSCRIBE_EXACT] = 2,
		                       [MU_SUBSCRIBE_CHILDREN] = 3,
		                       [MU_SUBSCRIBE_SUBTREE] = 4 };

	create("/a", "", 0);
	watch("/a", (enum mu_subscribe_mode)_i);
	create("/a/b", "", 0);
	create("/a/b/c", "", 0);
	create("/ab", "", 0);
	set("/a", "last");
	catch_up();
	ck_assert_uint_eq(w.count, told[_i]);
	ck_assert_str_eq(w.seen[w.count - 1].data, "last");
	for (size_t i = 0; i < w.count; i++) {
		const struct seen *s = &w.seen[i];

		if (s->e.type != MU_WATCH_CHILDREN_CHANGED)
			continue;
		ck_assert_str_eq(s->path, "/a");
		ck_assert_int_eq(s->stat.num_children, 1);
		ck_assert_int_eq(s->e.len, -1);
	}
}
END_TEST

START_TEST(a_multi_tells_each_value_that_a_node_had)
{
	const struct mu_multi_op ops[] = {
		{ MU_OPKIND_CREATE, "/a", "0", 1, -1, 0 },
		{ MU_OPKIND_SET, "/a", "1", 1, -1, 0 },
		{ MU_OPKIND_SET, "/a", "2", 1, -1, 0 },
		{ MU_OPKIND_DELETE, "/a", NULL, -1, -1, 0 },
	};
	const struct seen *s = w.seen;

	watch("/a", MU_SUBSCRIBE_EXACT);
	ck_do(mu_client_multi(author, ops, 4, on_done, NULL));
	ck_seen(0, MU_WATCH_CREATED, "/a", "0");
	ck_seen(1, MU_WATCH_DATA_CHANGED, "/a", "1");
	ck_seen(2, MU_WATCH_DATA_CHANGED, "/a", "2");
	ck_seen(3, MU_WATCH_DELETED, "/a", "2");
	for (size_t i = 1; i < 4; i++) {
		ck_assert_int_eq(s[i].e.zxid, s[0].e.zxid);
		ck_assert_int_gt(s[i].e.n, s[i - 1].e.n);
	}
}
END_TEST

START_TEST(a_value_of_4_KiB_comes_along_and_one_byte_more_does_not)
{
	static char value[4097 + 1];

	memset(value, 'x', 4097);
	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", value, 0);
	value[4096] = '\0';
	set("/a", value);
	UNTIL(w.count == 2);
	ck_assert(!w.seen[0].e.whole);
	ck_assert_int_eq(w.seen[0].e.len, -1);
	ck_assert_int_eq(w.seen[0].stat.data_len, 4097);
	ck_assert(w.seen[1].e.whole);
	ck_assert_int_eq(w.seen[1].e.len, 4096);
}
END_TEST

static void make_ttl_node(void)
{
	const struct mu_create_options o = {
		.size = sizeof o, .path = "/t", .len = -1, .ttl_ms = 1
	};

	ck_do(mu_client_create_with(author, &o, on_done, NULL));
}

START_TEST(a_cause_tells_the_end_of_a_session_from_a_request)
{
	const struct seen *s;
	int64_t session;

	watch("/", MU_SUBSCRIBE_SUBTREE);
	make_ttl_node();
	UNTIL(w.count == 4);
	ck_assert_int_eq(w.seen[2].e.type, MU_WATCH_DELETED);
	ck_assert_int_eq(w.seen[2].e.cause, MU_BY_TTL);
	w.count = 0;
	create("/e", "closed", MU_CREATE_EPHEMERAL);
	session = author_session();
	is_done = false;
	mu_client_close(author, 0);
	mu_client_free(author);
	author = NULL;
	UNTIL(w.count == 4);
	s = ck_seen(2, MU_WATCH_DELETED, "/e", "closed");
	ck_assert_int_eq(s->e.session, session);
	ck_assert_str_eq(s->origin, w.seen[0].origin);
	ck_assert_int_eq(s->stat.ephemeral_owner, session);
	w.count = 0;
	author_make(100);
	create("/e", "expired", MU_CREATE_EPHEMERAL);
	session = author_session();
	mu_client_free(author);
	author = NULL;
	UNTIL(w.count == 4);
	s = ck_seen(2, MU_WATCH_DELETED, "/e", "expired");
	ck_assert_int_eq(s->e.cause, MU_BY_EXPIRY);
	ck_assert_int_eq(s->e.session, session);
}
END_TEST

static void on_read(struct mu_client *c, const struct mu_result *r, void *arg)
{
	(void)c, (void)arg;
	ck_assert_int_eq(r->rc, 0);
	ck_assert_uint_gt(w.count, 0);
	ck_assert_int_eq(w.seen[w.count - 1].stat.version, r->stat->version);
	ck_assert_int_eq(w.seen[w.count - 1].e.zxid, r->stat->mzxid);
	is_done = true;
}

START_TEST(a_change_comes_before_a_reply_that_shows_it)
{
	char value[16];

	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "", 0);
	for (int i = 0; i < 50; i++) {
		snprintf(value, sizeof value, "%d", i);
		ck_assert_int_eq(mu_client_set(author, "/a", value,
		                               (int32_t)strlen(value), -1, NULL,
		                               NULL),
		                 0);
		mu_client_process(author);
		is_done = false;
		ck_assert_int_eq(mu_client_get(w.c, "/a", false, on_read, NULL),
		                 0);
		UNTIL(is_done);
	}
}
END_TEST

START_TEST(below_a_chroot_paths_are_its_own)
{
	char with[140];

	create("/team", "", 0);
	snprintf(with, sizeof with, "%s%s", w.o.brokers,
	         w.o.brokers[0] == 'i' ? "#/team" : "/team");
	w.o.brokers = with;
	watch("/", MU_SUBSCRIBE_SUBTREE);
	create("/other", "", 0);
	create("/team/a", "mine", 0);
	ck_seen(0, MU_WATCH_CREATED, "/a", "mine");
	ck_seen(1, MU_WATCH_CHILDREN_CHANGED, "/", "");
}
END_TEST

START_TEST(after_unsubscribe_nothing_more_is_told)
{
	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "", 0);
	UNTIL(w.count == 1);
	is_done = false;
	ck_assert_int_eq(mu_client_unsubscribe(w.c, w.what.id, on_done, NULL),
	                 0);
	UNTIL(is_done);
	ck_assert_int_eq(done_rc, 0);
	set("/a", "unheard");
	is_done = false;
	ck_assert_int_eq(mu_client_unsubscribe(w.c, w.what.id, on_done, NULL),
	                 0);
	UNTIL(is_done);
	ck_assert_int_eq(done_rc, MU_ENOWATCHER);
	ck_assert_uint_eq(w.count, 1);
}
END_TEST

/* ---- what happened meanwhile -------------------------------------------------------------- */

START_TEST(what_happened_meanwhile_is_told_on_the_next_connection)
{
	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "0", 0);
	UNTIL(w.count == 1);
	watcher_leave();
	set("/a", "1");
	delete ("/a");
	create("/a", "3", 0);
	catch_up();
	ck_seen(1, MU_WATCH_DATA_CHANGED, "/a", "1");
	ck_seen(2, MU_WATCH_DELETED, "/a", "1");
	ck_seen(3, MU_WATCH_CREATED, "/a", "3");
	ck_assert_uint_eq(w.count, 4);
	ck_assert_uint_eq(w.gaps, 0);
}
END_TEST

START_TEST(what_happened_meanwhile_is_told_by_the_next_broker_too)
{
	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "0", 0);
	UNTIL(w.count == 1);
	watcher_leave();
	set("/a", "1");
	restart();
	set("/a", "2");
	catch_up();
	ck_seen(1, MU_WATCH_DATA_CHANGED, "/a", "1");
	ck_seen(2, MU_WATCH_DATA_CHANGED, "/a", "2");
	ck_assert_uint_eq(w.count, 3);
	ck_assert_uint_eq(w.gaps, 0);
}
END_TEST

START_TEST(far_more_than_goes_into_one_answer_is_told_in_parts)
{
	static char value[4096];
	const int many = 150; /* 600 KiB: more than two answers hold */

	memset(value, 'x', sizeof value);
	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "", 0);
	UNTIL(w.count == 1);
	watcher_leave();
	for (int i = 0; i < many; i++)
		ck_do(mu_client_set(author, "/a", value, sizeof value, -1,
		                    on_done, NULL));
	catch_up();
	ck_assert_uint_eq(w.count, 1 + (size_t)many);
	ck_assert_uint_ge(w.mores, 2);
	for (int i = 0; i < many; i++)
		ck_assert_int_eq(w.seen[1 + i].stat.version, 1 + i);
	set("/a", "live");
	ck_seen(1 + (size_t)many, MU_WATCH_DATA_CHANGED, "/a", "live");
}
END_TEST

/* ---- many on one connection ---- */

#define CROWD 60
#define CROWD_WRITES 150

static struct crowd {
	int64_t zxid, prev_zxid;
	int32_t n, prev_n;
	int told;
} crowd[CROWD];
static unsigned crowd_live, crowd_connected;

static void crowd_subscribe(struct mu_client *c, struct crowd *k);

static void on_crowd_subscribed(struct mu_client *c, const struct mu_result *r,
                                void *arg)
{
	struct crowd *k = arg;

	ck_assert_int_eq(r->rc, 0);
	ck_assert_int_ne(r->subscribed->state, MU_SUBSCRIBED_GAP);
	k->zxid = r->subscribed->zxid;
	k->n = r->subscribed->n;
	if (r->subscribed->state == MU_SUBSCRIBED_MORE)
		crowd_subscribe(c, k);
	else
		crowd_live++;
}

static void crowd_subscribe(struct mu_client *c, struct crowd *k)
{
	const struct mu_subscribe what = { .size = sizeof what,
		                           .id = (int32_t)(k - crowd),
		                           .path = "/a",
		                           .mode = MU_SUBSCRIBE_EXACT,
		                           .zxid = k->zxid,
		                           .n = k->n };

	k->prev_zxid = k->zxid;
	k->prev_n = k->n;
	ck_assert_int_eq(mu_client_subscribe(c, &what, on_crowd_subscribed, k),
	                 0);
}

static void on_crowd_change(struct mu_client *c, const struct mu_change *e,
                            void *arg)
{
	struct crowd *k = &crowd[e->id];

	(void)c, (void)arg;
	ck_assert_int_eq(e->prev_zxid, k->prev_zxid);
	ck_assert_int_eq(e->prev_n, k->prev_n);
	k->prev_zxid = e->zxid;
	k->prev_n = e->n;
	k->told++;
}

static void on_crowd_state(struct mu_client *c, enum mu_client_state state,
                           int why, void *arg)
{
	(void)why, (void)arg;
	if (state != MU_CLIENT_CONNECTED)
		return;
	crowd_connected++;
	for (int i = 0; i < CROWD; i++)
		crowd_subscribe(c, &crowd[i]);
}

START_TEST(many_that_catch_up_at_once_keep_their_connection)
{
	static char value[4096];

	create("/a", "", 0);
	w.o.on_change = on_crowd_change;
	w.o.on_state = on_crowd_state;
	crowd_live = crowd_connected = 0;
	for (int i = 0; i < CROWD; i++)
		crowd[i] = (struct crowd){ .zxid = done_zxid, .n = INT32_MAX };
	for (int i = 0; i < CROWD_WRITES; i++)
		ck_do(mu_client_set(author, "/a", value, sizeof value, -1,
		                    on_done, NULL));
	watcher_make();
	UNTIL(crowd_live == CROWD);
	ck_assert_uint_eq(crowd_connected, 1);
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(crowd[i].told, CROWD_WRITES);
}
END_TEST

START_TEST(what_the_log_does_not_hold_any_more_is_a_gap)
{
	int64_t from;

	watch("/a", MU_SUBSCRIBE_EXACT);
	create("/a", "0", 0);
	UNTIL(w.count == 1);
	from = w.what.zxid;
	watcher_leave();
	for (int i = 0; i < 4; i++)
		set("/a", "lost");
	catch_up();
	ck_assert_uint_eq(w.gaps, 1);
	ck_assert_uint_eq(w.count, 1);
	ck_assert_int_ge(w.last.from, from);
	ck_assert_int_gt(w.last.to, w.last.from);
	ck_assert_int_eq(w.last.n, INT32_MAX);
	set("/a", "live");
	ck_seen(1, MU_WATCH_DATA_CHANGED, "/a", "live");
}
END_TEST

/* The number of the write is the value; a restart or a loss of the connection may
 * come at any time. */
START_TEST(every_write_is_told_once_and_in_order_whatever_happens)
{
	uint32_t dice = 1;
	unsigned losses = 0, restarts = 0;
	char value[16];

	create("/a", "", 0);
	watch("/a", MU_SUBSCRIBE_EXACT);
	for (int i = 0; i < WRITES; i++) {
		snprintf(value, sizeof value, "%d", i);
		set("/a", value);
		dice = dice * 1664525u + 1013904223u;
		if ((dice >> 24) < 40 && w.c) {
			watcher_leave();
			losses++;
		} else if ((dice >> 24) < 80 && !w.c) {
			watcher_make();
		} else if ((dice >> 24) > 252) {
			restart();
			restarts++;
		}
	}
	catch_up();
	UNTIL(w.count >= WRITES);
	ck_assert_uint_eq(w.count, WRITES);
	for (int i = 0; i < WRITES; i++) {
		snprintf(value, sizeof value, "%d", i);
		ck_assert_str_eq(w.seen[i].data, value);
	}
	ck_assert_uint_eq(w.gaps, 0);
	ck_assert_uint_gt(losses, 10);
	ck_assert_uint_gt(restarts, 0);
}
END_TEST

static TCase *new_case(Suite *s, const char *name, void (*up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, up, teardown);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_both(Suite *s, const char *name, void (*up)(void))
{
	TCase *tc = new_case(s, name, up);

	tcase_add_test(tc, each_change_comes_with_value_stat_and_author);
	tcase_add_loop_test(tc, a_mode_says_how_deep, 0, 3);
	tcase_add_test(tc, a_multi_tells_each_value_that_a_node_had);
	tcase_add_test(tc,
	               a_value_of_4_KiB_comes_along_and_one_byte_more_does_not);
	tcase_add_test(tc, a_cause_tells_the_end_of_a_session_from_a_request);
	tcase_add_test(tc, a_change_comes_before_a_reply_that_shows_it);
	tcase_add_test(tc, below_a_chroot_paths_are_its_own);
	tcase_add_test(tc, after_unsubscribe_nothing_more_is_told);
	tcase_add_test(tc,
	               what_happened_meanwhile_is_told_on_the_next_connection);
	tcase_add_test(tc,
	               what_happened_meanwhile_is_told_by_the_next_broker_too);
	tcase_add_test(tc, far_more_than_goes_into_one_answer_is_told_in_parts);
	tcase_add_test(tc,
	               every_write_is_told_once_and_in_order_whatever_happens);
}

int main(void)
{
	Suite *s = suite_create("client, subscriptions");
	TCase *tc = new_case(s, "short log", setup_short);
	SRunner *sr;
	int failed;

	add_both(s, "native", setup_native);
	add_both(s, "tcp", setup_tcp);
	tcase_add_test(tc, what_the_log_does_not_hold_any_more_is_a_gap);
	tc = new_case(s, "narrow native", setup_narrow_native);
	tcase_add_test(tc, many_that_catch_up_at_once_keep_their_connection);
	tc = new_case(s, "narrow tcp", setup_narrow_tcp);
	tcase_add_test(tc, many_that_catch_up_at_once_keep_their_connection);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
