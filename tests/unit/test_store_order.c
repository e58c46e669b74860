/* Who waits for whom, what is refused in its turn, and the journal: rules 15,
 * 16, 68, and what store.h says of effects, limits, replay and refusal. */
#include "store_bed.h"

static void setup(void)
{
	bed_open();
	bed_connect(1);
	bed_connect(2);
	bed_forget();
}

static uint64_t make(uint32_t link, const char *path)
{
	bed_ask(link, MU_OP_CREATE, q_create(path, "x", 0));
	return store.logged;
}

START_TEST(rule16_a_ping_does_not_wait_for_a_slow_disk)
{
	store.slow = true;
	make(1, "/a");
	bed_send(1, MU_XID_PING, MU_OP_PING, q_none());
	bed_want(1, MU_XID_PING, 0);
	bed_quiet(1);
}
END_TEST

START_TEST(rule16_an_oversize_record_is_answered_in_its_turn)
{
	uint8_t head[8] = { 0, 0, 0, 2, 0, 0, 0, 5 };

	store.slow = true;
	bed_send(1, 1, MU_OP_CREATE, q_create("/a", "x", 0));
	mu_store_oversize(store.s, 1, head, sizeof head, store.now);
	bed_pump();
	bed_quiet(1);
	bed_durable(store.logged);
	bed_want(1, 1, 0);
	bed_want(1, 2, MU_ETOOBIG);
	bed_quiet(1);
}
END_TEST

START_TEST(a_read_waits_for_its_own_write_and_for_nobody_elses)
{
	store.slow = true;
	make(1, "/a");
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/a", false)),
	                 MU_ENONODE);
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false));
	bed_quiet(1);
	make(2, "/b");
	bed_durable(store.logged - 1);
	bed_reply(1); /* create */
	ck_assert_int_eq(bed_reply(1).err, 0);
	bed_quiet(2);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(2).err, 0);
}
END_TEST

START_TEST(nobody_reads_what_is_not_durable)
{
	int64_t before = bed_stats().zxid;

	store.slow = true;
	make(1, "/a");
	ck_assert_int_eq(bed_stats().zxid, before);
	ck_assert_uint_eq(bed_stats().logged, bed_stats().applied + 1);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_stats().zxid, before + 1);
}
END_TEST

START_TEST(rule68_sync_waits_for_all_that_was_logged_before_it)
{
	store.slow = true;
	make(1, "/a");
	bed_ask(2, MU_OP_SYNC, q_sync("/"));
	bed_ask(2, MU_OP_EXISTS, q_path("/a", false));
	make(1, "/later");
	bed_quiet(2);
	bed_durable(store.logged - 1);
	ck_assert_int_eq(bed_reply(2).err, 0);
	ck_assert_int_eq(bed_reply(2).err, 0);
}
END_TEST

START_TEST(rule18_the_last_words_come_in_their_turn)
{
	struct bed_reply r;

	store.slow = true;
	make(1, "/a");
	bed_ask(1, 999, q_none());
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false)); /* not read any more */
	bed_ask(1, MU_OP_CREATE, q_create("/b", "", 0));
	ck_assert_uint_eq(store.logged, 3);
	bed_quiet(1);
	ck_assert(bed_is_open(1));
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	r = bed_reply(1);
	ck_assert_int_eq(r.err, MU_EUNIMPLEMENTED);
	ck_assert_int_eq(r.zxid, -1);
	bed_quiet(1);
	ck_assert(bed_is_closed(1, MU_CLOSE_UNKNOWN_OP));
}
END_TEST

static void limit_outstanding(uint32_t n)
{
	store.config.outstanding_max = n;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
}

START_TEST(requests_past_the_limit_are_throttled_in_their_turn)
{
	limit_outstanding(3);
	store.slow = true;
	make(1, "/a");
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false));
	make(1, "/b");
	make(1, "/c");                                 /* the fourth */
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false)); /* the fifth */
	ck_assert_uint_eq(store.logged - bed_stats().applied, 2);
	bed_durable(store.logged);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, MU_ETHROTTLED);
	ck_assert_int_eq(bed_reply(1).err, MU_ETHROTTLED);
	ck_assert_uint_eq(bed_stats().throttled, 2);
	make(1, "/d"); /* there is room again */
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

START_TEST(a_link_that_never_stops_asking_is_cut)
{
	limit_outstanding(3);
	store.slow = true;
	for (int i = 0; i < 24; i++)
		make(1, "/a");
	ck_assert(bed_is_open(1));
	make(1, "/a");
	ck_assert(bed_is_closed(1, MU_CLOSE_FLOODED));
	bed_durable(store.logged);
	bed_quiet(1);
}
END_TEST

START_TEST(waiting_requests_hold_a_bounded_number_of_bytes)
{
	char big[1001];
	int throttled = 0;

	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	store.config.packet_max = 2000; /* 16 of them: 32,000 bytes */
	limit_outstanding(1000);
	store.slow = true;
	for (int i = 0; i < 64; i++)
		bed_ask(1, MU_OP_SET_DATA, q_set("/", big, -1));
	ck_assert_uint_lt(store.logged, 2 + 32);
	ck_assert_uint_gt(store.logged, 2 + 16);
	bed_durable(store.logged);
	while (bed_peek(1))
		throttled += bed_reply(1).err == MU_ETHROTTLED;
	ck_assert_int_gt(throttled, 32);
}
END_TEST

START_TEST(reads_that_waited_are_answered_up_to_a_bound)
{
	int ok = 0, throttled = 0;

	bed_ask(2, MU_OP_SET_DATA, q_set("/", "0123456789", -1));
	store.config.reply_max = 300;
	limit_outstanding(100);
	store.slow = true;
	make(1, "/a");
	for (int i = 0; i < 20; i++)
		bed_ask(1, MU_OP_GET_DATA, q_path("/", false));
	bed_durable(store.logged);
	while (bed_peek(1)) {
		int err = bed_reply(1).err;

		ok += err == 0;
		throttled += err == MU_ETHROTTLED;
	}
	ck_assert_int_eq(ok + throttled, 21);
	ck_assert_int_gt(ok, 2);
	ck_assert_int_lt(ok, 6);
}
END_TEST

/* Many links at once: what one command sets free is bounded as a whole. */
START_TEST(reads_of_all_links_that_waited_are_answered_up_to_a_bound)
{
	int ok = 0, throttled = 0;

	bed_ask(2, MU_OP_SET_DATA, q_set("/", "0123456789", -1));
	store.config.reply_max = 300;
	limit_outstanding(100);
	store.slow = true;
	make(1, "/a");
	for (uint32_t link = 10; link < 60; link++) {
		store.slow = false;
		bed_connect(link);
	}
	store.slow = true;
	make(1, "/b");
	for (uint32_t link = 10; link < 60; link++) {
		bed_ask(link, MU_OP_SYNC, q_sync("/"));
		bed_ask(link, MU_OP_GET_DATA, q_path("/", false));
		bed_ask(link, MU_OP_GET_DATA, q_path("/", false));
	}
	bed_durable(store.logged);
	for (uint32_t link = 10; link < 60; link++) {
		for (int i = 0; i < 3; i++) {
			int err = bed_reply(link).err;

			ok += err == 0;
			throttled += err == MU_ETHROTTLED;
		}
		bed_quiet(link);
	}
	ck_assert_int_eq(ok + throttled, 150);
	ck_assert_int_gt(ok, 10); /* 4 replies' bytes */
	ck_assert_int_lt(ok, 50);
	/* The next command has the whole again. */
	store.slow = false;
	ck_assert_int_eq(bed_err(10, MU_OP_GET_DATA, q_path("/", false)), 0);
}
END_TEST

START_TEST(early_records_are_bounded_too)
{
	struct mu_connect_request q = bed_hello();

	limit_outstanding(3);
	store.slow = true;
	bed_link(3);
	bed_shake(3, &q);
	bed_ask(3, MU_OP_EXISTS, q_path("/", false));
	bed_ask(3, MU_OP_EXISTS, q_path("/", false));
	ck_assert(bed_is_open(3));
	bed_ask(3, MU_OP_EXISTS, q_path("/", false));
	ck_assert(bed_is_closed(3, MU_CLOSE_FLOODED));
	bed_durable(store.logged); /* the session is made all the same */
	ck_assert_uint_eq(bed_stats().sessions, 3);
}
END_TEST

START_TEST(an_oversize_record_is_answered_in_its_turn)
{
	uint8_t head[12] = { 0, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4 };
	struct mu_connect_request q = bed_hello();

	mu_store_oversize(store.s, 1, head, sizeof head, store.now);
	bed_pump();
	bed_want(1, 9, MU_ETOOBIG);
	ck_assert_uint_eq(bed_stats().oversize, 1);
	mu_store_oversize(store.s, 1, head, 7, store.now);
	bed_pump();
	ck_assert(bed_is_closed(1, MU_CLOSE_MALFORMED));
	store.slow = true;
	bed_link(3);
	bed_shake(3, &q);
	mu_store_oversize(store.s, 3, head, sizeof head, store.now);
	bed_quiet(3);
	bed_durable(store.logged);
	bed_welcome(3);
	bed_want(3, 9, MU_ETOOBIG);
}
END_TEST

/* ---- the journal says no ---- */

START_TEST(refused_commands_are_forgotten_and_answered)
{
	int64_t zxid;

	store.slow = true;
	make(1, "/kept");
	make(1, "/lost");
	bed_ask(1, MU_OP_EXISTS, q_path("/lost", false));
	make(2, "/lost");
	bed_ask(2, MU_OP_SYNC, q_sync("/"));
	bed_durable(store.logged - 2);
	zxid = bed_stats().zxid;
	mu_store_refused(store.s, MU_EIO);
	bed_drain();
	mu_store_verify(store.s);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_int_eq(bed_reply(1).err, MU_EIO);
	ck_assert_int_eq(bed_reply(1).err, MU_ENONODE);
	ck_assert_int_eq(bed_reply(2).err, MU_EIO);
	ck_assert_int_eq(bed_reply(2).err, 0);
	ck_assert_int_eq(bed_stats().zxid, zxid);
	/* indices and zxids go on without a gap */
	store.logged -= 2;
	store.slow = false;
	ck_assert_int_eq(bed_do(1, MU_OP_CREATE, q_create("/lost", "", 0)).zxid,
	                 zxid + 1);
}
END_TEST

START_TEST(a_refused_handshake_ends_its_link)
{
	struct mu_connect_request q = bed_hello();
	struct mu_connect_response refused;

	store.slow = true;
	bed_link(3);
	bed_shake(3, &q);
	bed_ask(3, MU_OP_EXISTS, q_path("/", false));
	mu_store_refused(store.s, MU_EIO);
	bed_drain();
	mu_store_verify(store.s);
	refused = bed_welcome(3); /* ours, and told why */
	ck_assert_int_eq(refused.protocol, MU_EIO);
	ck_assert_int_eq(refused.session, 0);
	bed_quiet(3);
	ck_assert(bed_is_closed(3, MU_CLOSE_JOURNAL));
	ck_assert_uint_eq(bed_stats().sessions, 2);
}
END_TEST

START_TEST(a_refused_close_leaves_a_session_that_will_expire)
{
	store.slow = true;
	bed_ask(1, MU_OP_CLOSE_SESSION, q_none());
	mu_store_refused(store.s, MU_EIO);
	bed_drain();
	ck_assert_int_eq(bed_reply(1).err, MU_EIO);
	store.logged--;
	store.slow = false;
	bed_tick(50);
	ck_assert(bed_is_closed(1, MU_CLOSE_EXPIRED));
	ck_assert(bed_is_open(2));
}
END_TEST

START_TEST(log_effects_of_refused_commands_are_taken_back)
{
	struct mu_effect e;
	uint8_t *bytes;
	size_t len = bed_record(1, MU_OP_CREATE, q_create("/a", "", 0), &bytes);

	mu_store_receive(store.s, 1, bytes, len, store.now);
	mu_store_refused(store.s, MU_EIO);
	free(bytes);
	ck_assert(mu_store_effect(store.s, &e));
	ck_assert_int_eq(e.kind, MU_FX_SEND); /* MU_EIO, and no LOG */
	ck_assert(!mu_store_effect(store.s, &e));
}
END_TEST

/* ---- effects ---- */

START_TEST(effects_gather_until_they_are_taken)
{
	uint8_t *bytes;
	size_t len = bed_record(1, MU_OP_PING, q_none(), &bytes);
	struct mu_effect e;

	for (int i = 0; i < 3; i++)
		mu_store_receive(store.s, 1, bytes, len, store.now);
	mu_store_receive(store.s, 2, bytes, len, store.now);
	mu_store_receive(store.s, 1, bytes, len, store.now);
	free(bytes);
	ck_assert(mu_store_effect(store.s, &e)); /* three records in one */
	ck_assert_uint_eq(e.link, 1);
	ck_assert_uint_eq(e.len, 3 * 20);
	ck_assert(mu_store_effect(store.s, &e));
	ck_assert_uint_eq(e.link, 2);
	ck_assert(mu_store_effect(store.s, &e));
	ck_assert_uint_eq(e.link, 1);
	ck_assert(!mu_store_effect(store.s, &e));
}
END_TEST

START_TEST(a_close_comes_after_what_was_sent_to_the_link)
{
	uint8_t *bytes;
	size_t len = bed_record(1, 999, q_none(), &bytes);
	struct mu_effect e;

	mu_store_receive(store.s, 1, bytes, len, store.now);
	free(bytes);
	ck_assert(mu_store_effect(store.s, &e));
	ck_assert_int_eq(e.kind, MU_FX_SEND);
	ck_assert(mu_store_effect(store.s, &e));
	ck_assert_int_eq(e.kind, MU_FX_CLOSE);
	ck_assert_uint_eq(e.link, 1);
	ck_assert(!mu_store_effect(store.s, &e));
}
END_TEST

START_TEST(a_steady_read_allocates_nothing)
{
	uint8_t *bytes;
	size_t len =
		bed_record(1, MU_OP_GET_CHILDREN2, q_path("/", false), &bytes);
	struct mu_effect e;

	for (int i = 0; i < 100; i++) {
		if (i == 1)
			fault_alloc_at(0);
		mu_store_receive(store.s, 1, bytes, len, store.now);
		while (mu_store_effect(store.s, &e))
			ck_assert_int_eq(e.kind, MU_FX_SEND);
	}
	ck_assert_int_eq(fault_alloc_off(), 0);
	free(bytes);
}
END_TEST

/* What a burst made large is given back, and the store works as before. */
START_TEST(a_burst_of_effects_leaves_no_trace)
{
	static char big[900 * 1024];
	uint8_t *bytes;
	size_t len = bed_record(MU_XID_PING, MU_OP_PING, q_none(), &bytes);
	struct mu_effect e;
	unsigned sends = 0;

	for (int i = 0; i < 5000; i++)
		mu_store_receive(store.s, 1 + (uint32_t)(i & 1), bytes, len,
		                 store.now);
	free(bytes);
	while (mu_store_effect(store.s, &e))
		sends++;
	ck_assert_uint_eq(sends, 5000);
	memset(big, 'x', sizeof big - 1);
	bed_make(1, "/big", big);
	for (int i = 0; i < 3; i++) {
		struct bed_reply r =
			bed_do(2, MU_OP_GET_DATA, q_path("/big", false));

		ck_assert_uint_eq(mu_get_str(&r.body).len, sizeof big - 1);
	}
	bed_make(1, "/small", "x");
	ck_assert_int_eq(bed_stat(2, "/small").data_len, 1);
}
END_TEST

/* Past what is kept of the array of links between two calls. */
/* The carrier takes no more than reply_max at once: what is joined must not be
 * more than what each of its parts may be. */
START_TEST(joined_replies_do_not_pass_the_limit_of_one)
{
	static char data[65001];
	struct mu_effect e;
	size_t bytes = 0;

	memset(data, 'x', sizeof data - 1);
	bed_ask(2, MU_OP_SET_DATA, q_set("/", data, -1));
	store.config.reply_max = 65000 + 200;
	limit_outstanding(100);
	store.slow = true;
	make(1, "/a");
	for (int i = 0; i < 5; i++)
		bed_ask(1, MU_OP_EXISTS, q_path("/", false));
	bed_ask(1, MU_OP_GET_DATA, q_path("/", false));
	ck_assert_int_eq(mu_store_durable(store.s, store.logged), 0);
	while (mu_store_effect(store.s, &e)) {
		ck_assert_uint_le(e.len, store.config.reply_max);
		bytes += e.len;
	}
	ck_assert_uint_gt(bytes, store.config.reply_max);
}
END_TEST

START_TEST(a_wide_fanout_tells_everybody)
{
	store.config.links_max = store.config.sessions_max = 6000;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &store.config, NULL), 0);
	for (uint32_t link = 10; link < 5010; link++) {
		struct mu_connect_request q = bed_hello();
		uint8_t *bytes;
		struct mu_effect e;
		size_t len = bed_record(1, MU_OP_ADD_WATCH, q_add_watch("/", 0),
		                        &bytes);

		bed_entropy();
		bed_link(link);
		mu_buf_reset(&bed.q);
		mu_put_connect_request(&bed.q, &q);
		mu_store_receive(store.s, link, bed.q.data, bed.q.len,
		                 store.now);
		mu_store_receive(store.s, link, bytes, len, store.now);
		while (mu_store_effect(store.s, &e))
			store.logged = e.index ? e.index : store.logged;
		ck_assert_int_eq(mu_store_durable(store.s, store.logged), 0);
		while (mu_store_effect(store.s, &e))
			;
		free(bytes);
	}
	ck_assert_uint_eq(bed_stats().watches, 5000);
	for (int i = 0; i < 2; i++) {
		bed_forget();
		bed_ask(1, MU_OP_SET_DATA, q_set("/", "x", -1));
		ck_assert_uint_eq(store.record_count, 5001);
	}
}
END_TEST

START_TEST(a_store_is_freed_with_all_that_is_in_flight)
{
	struct mu_connect_request q = bed_hello();

	store.slow = true;
	for (int i = 0; i < 200; i++) /* past the first ring */
		make(1, "/a");
	bed_ask(2, MU_OP_SYNC, q_sync("/"));
	bed_link(3);
	bed_shake(3, &q);
	bed_ask(3, MU_OP_EXISTS, q_path("/", false));
}
END_TEST

START_TEST(a_long_batch_is_applied_in_order)
{
	store.slow = true;
	for (int i = 0; i < 300; i++)
		make(1, i ? "/a" : "/b");
	bed_durable(50);
	for (int i = 0; i < 300; i++)
		make(1, "/a");
	bed_durable(store.logged);
	for (int i = 0; i < 600; i++)
		ck_assert_int_eq(bed_reply(1).xid, i + 1);
	bed_quiet(1);
}
END_TEST

/* ---- replay ---- */

static uint64_t hash_tree(const struct mu_tree *t, mu_node_id id)
{
	struct mu_str name = mu_tree_name(t, id);
	struct mu_stat stat;
	uint64_t h = 1469598103934665603u, kids = 0;
	const uint8_t *data;
	int32_t len;

	mu_tree_stat(t, id, &stat);
	data = mu_tree_data(t, id, &len);
#define MIX(v) (h = (h ^ (uint64_t)(v)) * 1099511628211u)
	for (uint32_t i = 0; i < name.len; i++)
		MIX(name.at[i]);
	for (int32_t i = 0; i < len; i++)
		MIX(data[i]);
	MIX(stat.czxid), MIX(stat.mzxid), MIX(stat.ctime), MIX(stat.mtime);
	MIX(stat.version), MIX(stat.cversion), MIX(stat.ephemeral_owner);
	MIX(stat.pzxid), MIX(len);
	for (mu_node_id c = mu_tree_first(t, id); c; c = mu_tree_next(t, c))
		kids += hash_tree(t, c); /* in any order */
	MIX(kids);
#undef MIX
	return h;
}

static void replay_into(struct mu_store *s)
{
	for (size_t i = 0; i < store.command_count; i++)
		ck_assert_int_eq(mu_store_replay(s, store.commands[i].bytes,
		                                 store.commands[i].len),
		                 0);
}

/* A fresh store, this epoch or the next, after all commands of this one. */
static void assert_replays(uint32_t epoch)
{
	struct mu_store_config config = store.config;
	struct mu_store_stats a = bed_stats(), b;
	struct mu_effect e;
	struct mu_store *s;

	config.epoch = epoch;
	memset(config.hash_key, 0x5a, sizeof config.hash_key);
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, NULL), 0);
	replay_into(s);
	mu_store_verify(s);
	mu_store_stats(s, &b);
	ck_assert_uint_eq(hash_tree(mu_store_tree(s), MU_NODE_ROOT),
	                  hash_tree(mu_store_tree(store.s), MU_NODE_ROOT));
	ck_assert_int_eq(b.zxid, epoch == store.config.epoch
	                                 ? a.zxid
	                                 : (int64_t)epoch << 32);
	ck_assert_uint_eq(a.sessions, b.sessions);
	ck_assert_uint_eq(a.applied, b.applied);
	ck_assert_uint_eq(a.ephemerals, b.ephemerals);
	ck_assert(!mu_store_effect(s, &e));
	mu_store_free(s);
}

static void make_history(void)
{
	bed_close();
	bed_open();
	bed_connect(1);
	bed_connect(2);
	make(1, "/a");
	bed_tick(50);
	bed_ask(1, MU_OP_CREATE, q_create("/a/e-", "x", 3));
	bed_ask(2, MU_OP_CREATE, q_create("/f", "x", 1));
	bed_ask(2, MU_OP_DELETE, q_delete("/none", -1));
	q_none();
	q_sub(MU_OP_SET_DATA, "/a", "y", 0);
	q_sub(MU_OP_CHECK, "/a", NULL, 9);
	bed_ask(1, MU_OP_MULTI, q_end());
	q_none();
	q_sub(MU_OP_SET_DATA, "/a", "z", 0);
	q_sub(MU_OP_CREATE, "/a/b", NULL, 0);
	bed_ask(1, MU_OP_MULTI, q_end());
	bed_ask(2, MU_OP_CLOSE_SESSION, q_none());
}

START_TEST(the_same_commands_make_the_same_tree_and_zxids)
{
	make_history();
	assert_replays(1);
	assert_replays(2);
}
END_TEST

START_TEST(a_replayed_session_is_resumed_with_a_full_timeout)
{
	struct mu_store_config config = bed_config();
	uint8_t password[16];
	struct mu_store *s, *first;
	int64_t session;

	bed_close();
	bed_open();
	session = bed_connect(1);
	memcpy(password, bed.password, sizeof password);
	store.now.mono_ms += 1000000;
	config.epoch = 2;
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, NULL), 0);
	replay_into(s);
	first = store.s;
	store.s = s;
	bed_pass(2999);
	memcpy(bed.password, password, sizeof password);
	bed_resume(5, session);
	ck_assert_int_eq(bed_welcome(5).session, session);
	ck_assert_int_eq(bed_do(5, MU_OP_CREATE, q_create("/n", "", 0)).zxid,
	                 (2ll << 32) + 1);
	ck_assert_int_ne(bed_connect(6), session);
	mu_store_free(first);
}
END_TEST

START_TEST(what_is_no_command_is_not_replayed)
{
	struct mu_store_stats before = bed_stats(), after;
	struct mu_command c = { .zxid = before.zxid + 1, .type = 99 };
	struct mu_buf b = { 0 };

	ck_assert_int_eq(mu_store_replay(store.s, "junk", 4), MU_EDATA);
	mu_put_command(&b, &c);
	ck_assert_int_eq(mu_store_replay(store.s, b.data, b.len), MU_EDATA);
	mu_buf_fini(&b);
	after = bed_stats();
	ck_assert_int_eq(after.zxid, before.zxid);
	ck_assert_uint_eq(after.applied, before.applied);
	mu_store_verify(store.s);
}
END_TEST

START_TEST(a_command_is_not_replayed_twice)
{
	struct mu_store *s;

	make_history();
	ck_assert_int_eq(mu_store_new(&store.config, store.now, &s, NULL), 0);
	replay_into(s);
	ck_assert_int_eq(mu_store_replay(s, store.commands[0].bytes,
	                                 store.commands[0].len),
	                 MU_EDATA);
	mu_store_free(s);
}
END_TEST

START_TEST(wall_time_in_commands_never_decreases)
{
	struct mu_stat a, b;

	make(1, "/a");
	store.now.wall_ms -= 100000;
	make(1, "/b");
	bed_forget();
	a = bed_stat(1, "/a");
	b = bed_stat(1, "/b");
	ck_assert_int_ge(b.ctime, a.ctime);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule16_a_ping_does_not_wait_for_a_slow_disk,
		rule16_an_oversize_record_is_answered_in_its_turn,
		a_read_waits_for_its_own_write_and_for_nobody_elses,
		nobody_reads_what_is_not_durable,
		rule68_sync_waits_for_all_that_was_logged_before_it,
		rule18_the_last_words_come_in_their_turn,
		requests_past_the_limit_are_throttled_in_their_turn,
		a_link_that_never_stops_asking_is_cut,
		waiting_requests_hold_a_bounded_number_of_bytes,
		reads_that_waited_are_answered_up_to_a_bound,
		reads_of_all_links_that_waited_are_answered_up_to_a_bound,
		early_records_are_bounded_too,
		an_oversize_record_is_answered_in_its_turn,
		refused_commands_are_forgotten_and_answered,
		a_refused_handshake_ends_its_link,
		a_refused_close_leaves_a_session_that_will_expire,
		log_effects_of_refused_commands_are_taken_back,
		effects_gather_until_they_are_taken,
		a_close_comes_after_what_was_sent_to_the_link,
		a_steady_read_allocates_nothing,
		a_burst_of_effects_leaves_no_trace,
		joined_replies_do_not_pass_the_limit_of_one,
		a_wide_fanout_tells_everybody,
		a_store_is_freed_with_all_that_is_in_flight,
		a_long_batch_is_applied_in_order,
		the_same_commands_make_the_same_tree_and_zxids,
		a_replayed_session_is_resumed_with_a_full_timeout,
		what_is_no_command_is_not_replayed,
		a_command_is_not_replayed_twice,
		wall_time_in_commands_never_decreases,
	};

	return bed_run("store: order", tests, sizeof tests / sizeof tests[0],
	               setup, bed_close);
}
