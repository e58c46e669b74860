/* Subscriptions where it takes more than the wire to see: restarts, snapshots,
 * memory that runs out, who shares whose bytes. */
#include "snapshot_kit.h"
#include "store_bed.h"

#include "changelog.h"
#include "store_impl.h"

#define EXACT MU_SUBSCRIBE_EXACT
#define SUBTREE MU_SUBSCRIBE_SUBTREE

static int64_t set(const char *path)
{
	return bed_set(2, path, "x");
}

/* ---- live ---- */

START_TEST(what_is_the_same_for_many_is_sent_as_one)
{
	size_t effects;

	bed_make(2, "/a", "");
	for (uint32_t link = 3; link < 13; link++) {
		bed_connect(link);
		bed_subscribe(link, 1, "/a", EXACT, -1, 0);
	}
	set("/a"); /* they began at different times */
	for (uint32_t link = 3; link < 13; link++)
		bed_change(link);
	effects = store.effects;
	set("/a");
	ck_assert_uint_eq(store.effects - effects, 3); /* log, told, answer */
	for (uint32_t link = 3; link < 13; link++) {
		ck_assert(bed_peek(link)->fanned);
		bed_change(link);
	}
}
END_TEST

START_TEST(many_with_many_pasts_are_told_each_its_own)
{
	enum { LINKS = 40, EACH = 20 };
	int64_t began[LINKS * EACH];

	bed_make(2, "/a", "");
	for (uint32_t link = 0; link < LINKS; link++)
		bed_connect(10 + link);
	for (int32_t i = 0; i < LINKS * EACH; i++) {
		if (i % 7 == 0)
			bed_make(2, i % 2 ? "/o" : "/p", "");
		if (i % 14 == 7) {
			bed_err(2, MU_OP_DELETE, q_delete("/o", -1));
			bed_err(2, MU_OP_DELETE, q_delete("/p", -1));
		}
		began[i] = bed_subscribe(10 + (uint32_t)i % LINKS, i / LINKS,
		                         "/a", EXACT, -1, 0)
		                   .zxid;
	}
	for (int round = 0; round < 2; round++) {
		int64_t zxid = set("/a");

		for (uint32_t link = 0; link < LINKS; link++)
			for (int32_t id = 0; id < EACH; id++) {
				struct mu_change_event e =
					bed_change(10 + link);
				int64_t *prev =
					&began[e.id * LINKS + (int32_t)link];

				ck_assert_int_eq(e.zxid, zxid);
				ck_assert_int_eq(e.prev_zxid, *prev);
				*prev = zxid;
			}
	}
	for (uint32_t link = 0; link < LINKS; link++)
		bed_quiet(10 + link);
}
END_TEST

START_TEST(nothing_is_captured_that_nobody_wants)
{
	struct mu_store_config config = bed_config();
	uint64_t bare;

	bed_close();
	config.change_log_max = 0;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
	bed_make(2, "/a", "");
	bare = store.s->outcome.events.len;
	ck_assert(!store.s->outcome.capture);
	bed_subscribe(1, 1, "/elsewhere", EXACT, -1, 0);
	bed_err(2, MU_OP_DELETE, q_delete("/a", -1));
	ck_assert(store.s->outcome.capture);
	ck_assert_uint_gt(store.s->outcome.events.len, bare);
	bed_lost(1);
	set("/");
	ck_assert(!store.s->outcome.capture);
}
END_TEST

/* Each may be small, and all together be too much to hold twice. */
START_TEST(one_transaction_captures_so_much_data_and_no_more)
{
	enum { SETS = 2500 };
	static char data[4001];
	unsigned whole = 0;

	memset(data, 'd', sizeof data - 1);
	bed_make(2, "/a", "");
	for (int i = 0; i < SETS; i++) {
		char path[20];

		mu_format(path, sizeof path, "/a/%d", i);
		bed_make(2, path, data);
	}
	bed_subscribe(1, 1, "/a", SUBTREE, -1, 0);
	q_none();
	for (int i = 0; i < SETS; i++) {
		char path[20];

		mu_format(path, sizeof path, "/a/%d", i);
		q_sub(MU_OP_DELETE, path, NULL, -1);
	}
	ck_assert_int_eq(bed_err(2, MU_OP_MULTI, q_end()), 0);
	ck_assert_uint_lt(store.s->outcome.events.len,
	                  MU_CHANGE_EVENTS_MAX + 1024 * 1024);
	for (int i = 0; i < SETS; i++) {
		struct mu_change_event e = bed_change(1);

		ck_assert_int_eq(e.type, MU_NODE_DELETED);
		ck_assert_int_eq(e.stat.data_len, 4000);
		ck_assert_int_eq(e.whole, e.data.at != NULL);
		ck_assert(!e.whole || whole == (unsigned)i);
		whole += e.whole == 1;
		ck_assert_int_eq(bed_change(1).type, MU_NODE_CHILDREN_CHANGED);
	}
	ck_assert_uint_gt(whole * 4000, MU_CHANGE_EVENTS_MAX / 2);
	ck_assert_uint_lt(whole, SETS);
}
END_TEST

/* ---- too much ---- */

/* A change of `big` is told in so many bytes: its name is as long as that takes. */
#define TOLD_BYTES 65536u
#define TOLD_MOST (MU_TOLD_MAX / TOLD_BYTES)

static char big[TOLD_BYTES];

/* Links from 3 on that have `each` subscriptions to `big`, and a writer that has
 * asked to change it. Where they begin. */
static int64_t crowd(uint32_t links, uint32_t each)
{
	struct mu_store_config config = bed_config();
	size_t less;

	bed_close();
	config.reply_max = 4096;
	config.subscriptions_per_link_max = each;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
	bed_make(2, "/a", "");
	bed_subscribe(1, 1, "/a", EXACT, -1, 0);
	set("/a");
	less = 4 + bed_peek(1)->len - strlen("/a"); /* with its frame */
	bed_lost(1);
	memset(big, 'b', TOLD_BYTES - less);
	big[0] = '/';
	big[TOLD_BYTES - less] = '\0';
	bed_make(2, big, "");
	for (uint32_t link = 3; link < 3 + links; link++) {
		bed_connect(link);
		for (uint32_t id = 1; id <= each; id++)
			bed_subscribe(link, (int32_t)id, big, EXACT, -1, 0);
	}
	store.slow = true;
	bed_ask(2, MU_OP_SET_DATA, q_set(big, "x", -1));
	return bed_counts().zxid;
}

static void all_are_told(uint32_t link, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(bed_change(link).type, MU_NODE_DATA_CHANGED);
	bed_quiet(link);
}

START_TEST(one_link_is_told_so_much_of_one_transaction)
{
	crowd(1, TOLD_MOST);
	bed_durable(store.logged);
	ck_assert(bed_is_open(3));
	all_are_told(3, TOLD_MOST);
}
END_TEST

START_TEST(one_that_would_be_told_more_is_ended_and_goes_on_later)
{
	int64_t zxid, before = crowd(1, TOLD_MOST + 1);

	bed_durable(store.logged);
	ck_assert(bed_is_closed(3, MU_CLOSE_TOLD));
	ck_assert_uint_eq(bed_stats().subscriptions, 0);
	mu_store_verify(store.s);
	bed_want(2, bed.xid, 0);
	zxid = bed_counts().zxid;
	store.slow = false;
	bed_connect(4);
	bed_ask(4, MU_OP_SUBSCRIBE,
	        q_subscribe(1, big, EXACT, before, MU_CHANGE_N_END));
	ck_assert_int_eq(bed_change(4).zxid, zxid);
	ck_assert_int_eq(bed_subscribed(4).state, MU_SUBSCRIBED_LIVE);
}
END_TEST

START_TEST(all_links_are_told_so_much_at_once)
{
	const uint32_t last = 3 + MU_TOLD_ALL_FACTOR;

	crowd(MU_TOLD_ALL_FACTOR + 1, TOLD_MOST);
	bed_durable(store.logged);
	for (uint32_t link = 3; link < last; link++) {
		ck_assert(bed_is_open(link));
		all_are_told(link, TOLD_MOST);
	}
	ck_assert(bed_is_closed(last, MU_CLOSE_TOLD));
	bed_quiet(last);
	mu_store_verify(store.s);
}
END_TEST

/* 500 operations of a few bytes each; each is told with 4 KiB, to each. */
START_TEST(a_small_request_does_not_take_all_memory)
{
	enum { NODES = 500, SUBS = 50 };
	static char data[4001];

	memset(data, 'd', sizeof data - 1);
	bed_make(2, "/a", "");
	q_none();
	for (int i = 0; i < NODES; i++) {
		char path[20];

		mu_format(path, sizeof path, "/a/%d", i);
		bed_make(2, path, data);
	}
	for (int32_t id = 1; id <= SUBS; id++)
		bed_subscribe(1, id, "/a", SUBTREE, -1, 0);
	q_none();
	for (int i = 0; i < NODES; i++) {
		char path[20];

		mu_format(path, sizeof path, "/a/%d", i);
		q_sub(MU_OP_DELETE, path, NULL, -1);
	}
	store.slow = true;
	bed_ask(2, MU_OP_MULTI, q_end());
	ck_assert_int_eq(mu_store_durable(store.s, store.logged), 0);
	ck_assert_uint_lt(store.s->fx.bytes.len,
	                  bed_config().reply_max + MU_TOLD_MAX);
	store.slow = false;
	bed_drain();
	ck_assert(bed_is_closed(1, MU_CLOSE_TOLD));
	bed_want(2, bed.xid, 0);
}
END_TEST

static uint32_t busy_link;

static bool is_busy(void *arg, uint32_t link)
{
	ck_assert_ptr_eq(arg, &busy_link);
	return link == busy_link;
}

START_TEST(who_has_much_to_take_is_told_to_ask_again)
{
	int64_t before, other;
	struct mu_subscribe_reply r;

	bed_make(2, "/a", "");
	before = set("/a");
	bed_make(2, "/b", "");
	other = bed_counts().zxid;
	set("/a");
	mu_store_on_busy(store.s, is_busy, &busy_link);
	busy_link = 1;
	/* What is not for it is passed over all the same. */
	r = bed_subscribe(1, 1, "/a", EXACT, before, 0);
	ck_assert_int_eq(r.state, MU_SUBSCRIBED_MORE);
	ck_assert_int_eq(r.zxid, other);
	ck_assert_int_eq(r.n, 1); /* created, and children of "/" */
	ck_assert_uint_eq(bed_stats().subscriptions, 0);
	/* Who has nothing to catch up, and anybody else, is not held up. */
	r = bed_subscribe(1, 1, "/c", EXACT, before, 0);
	ck_assert_int_eq(r.state, MU_SUBSCRIBED_LIVE);
	bed_ask(2, MU_OP_SUBSCRIBE, q_subscribe(1, "/a", EXACT, before, 0));
	bed_change(2);
	ck_assert_int_eq(bed_subscribed(2).state, MU_SUBSCRIBED_LIVE);
	busy_link = 0;
	bed_ask(1, MU_OP_SUBSCRIBE, q_subscribe(2, "/a", EXACT, other, 1));
	bed_change(1);
	ck_assert_int_eq(bed_subscribed(1).state, MU_SUBSCRIBED_LIVE);
}
END_TEST

/* Behind a write that takes its time. */
START_TEST(many_that_are_answered_at_once_are_not_all_caught_up_at_once)
{
	enum { WRITES = 100, SUBS = 40 }; /* 400 KiB to catch up for each */
	static char data[4001];
	int64_t before;

	memset(data, 'd', sizeof data - 1);
	bed_make(2, "/a", "");
	before = bed_counts().zxid;
	for (int i = 0; i < WRITES; i++)
		bed_err(2, MU_OP_SET_DATA, q_set("/a", data, -1));
	store.slow = true;
	bed_ask(1, MU_OP_SET_DATA, q_set("/a", data, -1));
	for (int32_t id = 1; id <= SUBS; id++)
		bed_ask(1, MU_OP_SUBSCRIBE,
		        q_subscribe(id, "/a", EXACT, before, MU_CHANGE_N_END));
	ck_assert_int_eq(mu_store_durable(store.s, store.logged), 0);
	ck_assert_uint_lt(store.s->fx.bytes.len, 10 * MU_SUBSCRIBE_BYTES);
	ck_assert_uint_gt(store.s->fx.bytes.len, 8 * MU_SUBSCRIBE_BYTES);
	store.slow = false;
	bed_drain();
}
END_TEST

START_TEST(the_counters_tell_how_it_is)
{
	struct mu_store_stats before = bed_stats(), now;

	bed_make(2, "/a", "");
	bed_subscribe(1, 1, "/a", EXACT, -1, 0);
	set("/a");
	bed_change(1);
	bed_subscribe(1, 2, "/a", EXACT, INT64_MAX, 0);
	now = bed_stats();
	ck_assert_uint_eq(now.subscriptions, 2);
	ck_assert_uint_eq(now.change_events - before.change_events, 1);
	ck_assert_uint_eq(now.events - before.events, 1);
	ck_assert_uint_eq(now.gaps - before.gaps, 1);
	ck_assert_uint_eq(now.changes - before.changes, 3);
	ck_assert_uint_gt(now.change_bytes, before.change_bytes);
	ck_assert_int_eq(now.change_floor, (int64_t)1 << 32);
}
END_TEST

START_TEST(limits_may_change_while_running)
{
	struct mu_store_config config = bed_config();
	int64_t zxid;

	bed_make(2, "/a", "");
	zxid = set("/a");
	set("/a");
	config.change_log_max = 1;
	config.subscriptions_per_link_max = 1;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_uint_eq(bed_stats().changes, 1);
	ck_assert_int_eq(bed_stats().change_floor, zxid);
	bed_subscribe(1, 1, "/a", EXACT, -1, 0);
	ck_assert_int_eq(
		bed_err(1, MU_OP_SUBSCRIBE, q_subscribe(2, "/a", EXACT, -1, 0)),
		MU_EFULL);
	config.subscriptions_per_link_max = 0;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_int_eq(
		bed_err(2, MU_OP_SUBSCRIBE, q_subscribe(2, "/a", EXACT, -1, 0)),
		MU_EFULL);
	set("/a"); /* what stands stands */
	bed_change(1);
}
END_TEST

/* ---- restarts ---- */

/* The commands of this life, given to a store that begins with this epoch; from
 * the snapshot of another on, if there is one. */
static void restart_as(const struct bytes *snapshot, uint32_t epoch)
{
	struct store_command *commands = store.commands;
	size_t count = store.command_count;
	struct mu_store *s;
	struct mu_err err;
	struct mu_store_config config = bed_config();

	if (snapshot)
		ck_assert_int_eq(load_pieces(snapshot->at, snapshot->len,
		                             snapshot->len, &config, &s, &err),
		                 0);
	else
		ck_assert_int_eq(mu_store_new(&config, store.now, &s, &err), 0);
	for (size_t i = 0; i < count; i++)
		if (commands[i].index > mu_store_index(s))
			ck_assert_int_eq(mu_store_replay(s, commands[i].bytes,
			                                 commands[i].len),
			                 0);
	mu_store_begin(s, epoch, store.now);
	mu_store_free(store.s);
	store.s = s;
	bed_connect(11);
	bed_connect(12);
}

static void restart(const struct bytes *snapshot)
{
	restart_as(snapshot, 2);
}

static int state_of(int64_t zxid, int32_t n, unsigned *events)
{
	struct mu_in in;
	struct mu_reply_header h;
	struct mu_subscribe_reply r;

	bed_ask(11, MU_OP_SUBSCRIBE, q_subscribe(1, "/a", EXACT, zxid, n));
	for (*events = 0;; ++*events) {
		in = bed_take(11);
		ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
		if (h.xid != MU_XID_CHANGE)
			break;
	}
	ck_assert_int_eq(h.err, 0);
	ck_assert_int_eq(mu_get_subscribe_reply(&in, &r), 0);
	return r.state;
}

START_TEST(a_replay_fills_the_log_back_to_the_beginning)
{
	unsigned events;
	int64_t zxid;

	bed_make(2, "/a", "");
	zxid = set("/a");
	set("/a");
	restart(NULL);
	/* As the first session was made. */
	ck_assert_int_eq(state_of(((int64_t)1 << 32) + 1, -1, &events),
	                 MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 3);
	/* Of whatever was before there was this tree, it has no part. */
	ck_assert_int_eq(state_of(((int64_t)1 << 32) - 1, 0, &events),
	                 MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(state_of(0, -1, &events), MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(state_of(zxid, 0, &events), MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 1);
}
END_TEST

START_TEST(a_replayed_change_is_told_as_it_was_told_live)
{
	struct mu_in live[5], later;

	bed_subscribe(1, 1, "/a", SUBTREE, -1, 0);
	bed_make(2, "/a", "1");
	bed_connect_for(3, 300);
	bed_err(3, MU_OP_CREATE, q_create("/a/e", "v", 1));
	bed_lost(3);
	bed_pass(1000); /* its session expires */
	for (int i = 0; i < 5; i++)
		live[i] = bed_take(1);
	restart(NULL);
	bed_ask(11, MU_OP_SUBSCRIBE,
	        q_subscribe(1, "/a", SUBTREE, (int64_t)1 << 32, -1));
	for (int i = 0; i < 5; i++) {
		later = bed_take(11);
		ck_assert_uint_eq(mu_in_left(&later), mu_in_left(&live[i]));
		/* The first of them began elsewhere. */
		if (i > 0)
			ck_assert_mem_eq(later.at, live[i].at,
			                 mu_in_left(&later));
	}
	bed_subscribed(11);
	bed_quiet(11);
}
END_TEST

START_TEST(a_snapshot_is_where_the_log_begins)
{
	struct bytes snapshot;
	unsigned events;
	int64_t at;

	bed_make(2, "/a", "");
	at = set("/a");
	snapshot = snapshot_of(store.s);
	set("/a");
	set("/a");
	restart(&snapshot);
	/* All that the last transaction in it did was told, and is known so. */
	ck_assert_int_eq(state_of(at, 0, &events), MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 2);
	ck_assert_int_eq(state_of(at, -1, &events), MU_SUBSCRIBED_GAP);
	ck_assert_uint_eq(events, 0);
	ck_assert_int_eq(state_of(at - 1, 1, &events), MU_SUBSCRIBED_GAP);
	free(snapshot.at);
}
END_TEST

START_TEST(
	a_snapshot_that_does_not_say_how_much_its_last_change_was_is_not_trusted)
{
	struct mu_snapshot_info info;
	struct mu_store_config config = bed_config();
	struct mu_store *s;

	bed_make(2, "/a", "");
	mu_snapshot_info_of(store.s, &info);
	ck_assert_int_eq(info.changes, 2);
	set("/a");
	mu_snapshot_info_of(store.s, &info);
	ck_assert_int_eq(info.changes, 1);
	bed_connect(5);
	mu_snapshot_info_of(store.s, &info);
	ck_assert_int_eq(info.changes, 0);
	info.changes = -1;
	ck_assert_int_eq(mu_store_bare(&config, store.now, &info, 10, &s, NULL),
	                 0);
	ck_assert(!mu_changelog_reaches(s->changes, info.zxid, 1000));
	ck_assert(mu_changelog_reaches(s->changes, info.zxid, MU_CHANGE_N_END));
	ck_assert(mu_changelog_reaches(s->changes, info.zxid + 1, -1));
	mu_store_free(s);
}
END_TEST

START_TEST(what_was_never_ours_is_a_gap_after_a_restart)
{
	unsigned events;
	int64_t last;

	bed_make(2, "/a", "");
	last = set("/a");
	restart(NULL);
	ck_assert_int_eq(state_of(last, 0, &events), MU_SUBSCRIBED_LIVE);
	/* Of the same epoch, and we have never heard of it. */
	ck_assert_int_eq(state_of(last + 1, 0, &events), MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(state_of(((int64_t)2 << 32) - 1, 0, &events),
	                 MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(state_of((int64_t)2 << 32, 0, &events),
	                 MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 0);
}
END_TEST

/* Who subscribed in it has the position with which it began. */
START_TEST(a_life_in_which_nothing_happened_is_ours_all_the_same)
{
	unsigned events;

	bed_make(2, "/a", "");
	set("/a");
	restart_as(NULL, 3);
	ck_assert_int_eq(state_of((int64_t)2 << 32, MU_CHANGE_N_END, &events),
	                 MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 0);
	/* But what happened in it, if anything did, has not come down to us. */
	ck_assert_int_eq(state_of(((int64_t)2 << 32) + 1, 0, &events),
	                 MU_SUBSCRIBED_GAP);
	bed_err(12, MU_OP_SET_DATA, q_set("/a", "x", -1));
	bed_change(11);
	ck_assert_int_eq(state_of((int64_t)2 << 32, MU_CHANGE_N_END, &events),
	                 MU_SUBSCRIBED_LIVE);
	ck_assert_uint_eq(events, 1);
}
END_TEST

START_TEST(a_store_without_a_past_has_no_part_in_another)
{
	unsigned events;

	bed_forget();
	store.logged = 0;
	restart(NULL);
	ck_assert_int_eq(state_of(((int64_t)1 << 32) + 5, 0, &events),
	                 MU_SUBSCRIBED_GAP);
	ck_assert_int_eq(state_of(-1, 0, &events), MU_SUBSCRIBED_LIVE);
}
END_TEST

/* ---- memory ---- */

/* Follow link 1, number 1: all events that come are of one story. */
struct story {
	int64_t zxid;
	int32_t n;
	unsigned events;
	int32_t err; /* of the answer; 1: there was none */
	struct mu_subscribe_reply answer;
};

static void follow(struct story *y)
{
	y->err = 1;
	while (bed_peek(1)) {
		struct mu_in in = bed_take(1);
		struct mu_reply_header h;
		struct mu_change_event e;

		ck_assert_int_eq(mu_get_reply_header(&in, &h), 0);
		if (h.xid != MU_XID_CHANGE) {
			y->err = h.err;
			if (!h.err)
				ck_assert_int_eq(
					mu_get_subscribe_reply(&in, &y->answer),
					0);
			continue;
		}
		ck_assert_int_eq(mu_get_change_event(&in, &e), 0);
		ck_assert_int_eq(e.prev_zxid, y->zxid);
		ck_assert_int_eq(e.prev_n, y->n);
		y->zxid = e.zxid;
		y->n = e.n;
		y->events++;
	}
}

START_TEST(asking_survives_the_loss_of_any_allocation)
{
	unsigned refusals = 0;

	bed_close(); /* one of its own each time */
	for (unsigned k = 0;; k++) {
		struct story y = { 0 };
		uint8_t *bytes;
		size_t len;
		int reached;

		bed_open_two();
		bed_make(2, "/a", "1");
		y.zxid = bed_counts().zxid;
		y.n = MU_CHANGE_N_END;
		set("/a");
		set("/a");
		len = bed_record(++bed.xid, MU_OP_SUBSCRIBE,
		                 q_subscribe(1, "/a", EXACT, y.zxid, y.n),
		                 &bytes);
		fault_alloc_at(k);
		mu_store_receive(store.s, 1, bytes, len, store.now);
		reached = fault_alloc_off();
		free(bytes);
		bed_pump();
		follow(&y);
		ck_assert(bed_is_open(1) || bed_is_closed(1, MU_CLOSE_MEMORY));
		if (bed_is_open(1)) {
			/* An answer, and what it says is so. */
			ck_assert_int_ne(y.err, 1);
			ck_assert(y.err == 0 || y.err == MU_ENOMEM);
			ck_assert(y.err || y.events == 2 ||
			          y.answer.state == MU_SUBSCRIBED_MORE);
			bed_ask(1, MU_OP_SUBSCRIBE,
			        q_subscribe(1, "/a", EXACT, y.zxid, y.n));
			follow(&y);
			ck_assert_int_eq(y.events, 2);
			set("/a");
			follow(&y);
			ck_assert_int_eq(y.events, 3);
		}
		set("/a");
		bed_close();
		if (!reached)
			break;
		refusals++;
	}
	ck_assert_uint_ge(refusals, 3);
	bed_open_two();
}
END_TEST

/* Nobody misses an event and is kept: his link ends, or it is told. */
START_TEST(telling_survives_the_loss_of_any_allocation)
{
	unsigned fatal = 0, ended = 0;

	bed_close(); /* one of its own each time */
	for (unsigned k = 0;; k++) {
		int rc, reached;

		bed_open_two();
		bed_make(2, "/a", "1");
		bed_subscribe(1, 1, "/a", EXACT, -1, 0);
		for (int32_t id = 2; id < 300; id++)
			bed_subscribe(1, id, "/", SUBTREE, -1, 0);
		/* Its own part of the effects is not there yet. */
		mu_fx_fini(&store.s->fx);
		store.slow = true;
		bed_ask(2, MU_OP_SET_DATA, q_set("/a", "2", -1));
		mu_fx_fini(&store.s->fx);
		fault_alloc_at(k);
		rc = mu_store_durable(store.s, store.logged);
		reached = fault_alloc_off();
		if (rc) {
			fatal++;
			bed_close();
			continue;
		}
		store.slow = false;
		bed_drain();
		mu_store_verify(store.s);
		if (bed_is_closed(1, MU_CLOSE_MEMORY)) {
			ended++;
			ck_assert_uint_eq(bed_stats().subscriptions, 0);
		} else {
			ck_assert(bed_is_open(1));
			ck_assert_int_eq(bed_change(1).id, 1);
			for (int32_t id = 2; id < 300; id++)
				ck_assert_int_eq(bed_change(1).id, id);
		}
		if (bed_is_open(2))
			bed_want(2, bed.xid, 0);
		bed_close();
		if (!reached)
			break;
	}
	ck_assert_uint_ge(ended, 2);
	ck_assert_uint_ge(fatal, 1);
	bed_open_two();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_is_the_same_for_many_is_sent_as_one,
		many_with_many_pasts_are_told_each_its_own,
		nothing_is_captured_that_nobody_wants,
		one_transaction_captures_so_much_data_and_no_more,
		one_link_is_told_so_much_of_one_transaction,
		one_that_would_be_told_more_is_ended_and_goes_on_later,
		all_links_are_told_so_much_at_once,
		a_small_request_does_not_take_all_memory,
		who_has_much_to_take_is_told_to_ask_again,
		many_that_are_answered_at_once_are_not_all_caught_up_at_once,
		the_counters_tell_how_it_is,
		limits_may_change_while_running,
		a_replay_fills_the_log_back_to_the_beginning,
		a_replayed_change_is_told_as_it_was_told_live,
		a_snapshot_is_where_the_log_begins,
		a_snapshot_that_does_not_say_how_much_its_last_change_was_is_not_trusted,
		what_was_never_ours_is_a_gap_after_a_restart,
		a_life_in_which_nothing_happened_is_ours_all_the_same,
		a_store_without_a_past_has_no_part_in_another,
		asking_survives_the_loss_of_any_allocation,
		telling_survives_the_loss_of_any_allocation,
	};

	return bed_run("store: subscriptions", tests, BED_COUNT(tests),
	               bed_open_two, bed_close);
}
