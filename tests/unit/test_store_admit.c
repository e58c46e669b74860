/* Is there room: the limits that store.h names for what waits, for the tree and for
 * a path, each at the limit and one past it, and the code of a refused command. */
#include "snapshot_kit.h"
#include "store_bed.h"

static void open_with(uint64_t waiting_max, uint64_t max_data)
{
	struct mu_store_config config = bed_config();

	config.waiting_max = waiting_max;
	config.max_data = max_data;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
	bed_forget();
}

/* ---- what waits ---- */

START_TEST(what_waits_for_the_journal_is_counted_and_given_back)
{
	uint64_t one;

	open_with(0, 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "0123456789", 0));
	one = bed_stats().waiting_bytes;
	ck_assert_uint_gt(one, 10);
	bed_ask(2, MU_OP_CREATE, q_create("/b", "0123456789", 0));
	ck_assert_uint_eq(bed_stats().waiting_bytes, 2 * one);
	bed_ask(2, MU_OP_EXISTS, q_path("/b", false));
	ck_assert_uint_gt(bed_stats().waiting_bytes, 2 * one);
	mu_store_verify(store.s);
	bed_durable(store.logged);
	ck_assert_uint_eq(bed_stats().waiting_bytes, 0);
}
END_TEST

START_TEST(one_link_cannot_fill_the_room_of_all_past_the_limit)
{
	uint64_t one;

	open_with(0, 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "0123456789", 0));
	one = bed_stats().waiting_bytes;
	bed_close();

	open_with(3 * one, 0); /* a request is shorter than its command */
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "0123456789", 0));
	bed_ask(1, MU_OP_CREATE, q_create("/b", "0123456789", 0));
	bed_ask(1, MU_OP_CREATE, q_create("/c", "0123456789", 0));
	ck_assert_uint_eq(bed_stats().throttled, 0);
	ck_assert_uint_eq(bed_stats().waiting_bytes, 3 * one);
	ck_assert(!mu_store_link_takes(store.s, 2, 1));
	bed_ask(2, MU_OP_CREATE, q_create("/d", "0123456789", 0));
	ck_assert_int_eq(bed_reply(2).err, MU_ETHROTTLED);
	/* who has nothing to wait for is served */
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/", false)), 0);
	bed_durable(store.logged);
	ck_assert(mu_store_link_takes(store.s, 2, 1));
	store.slow = false;
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE, q_create("/d", "x", 0)), 0);
}
END_TEST

START_TEST(a_request_larger_than_the_room_of_all_is_taken_alone)
{
	open_with(1, 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "0123456789", 0));
	bed_ask(2, MU_OP_CREATE, q_create("/b", "0123456789", 0));
	ck_assert_int_eq(bed_reply(2).err, MU_ETHROTTLED);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

START_TEST(links_that_end_give_their_room_back)
{
	open_with(0, 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	bed_ask(1, MU_OP_EXISTS, q_path("/a", false));
	bed_lost(1);
	mu_store_verify(store.s);
	bed_durable(store.logged);
	mu_store_verify(store.s);
	ck_assert_uint_eq(bed_stats().waiting_bytes, 0);
}
END_TEST

START_TEST(refused_commands_give_their_room_back_and_say_why)
{
	open_with(0, 0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "x", 0));
	mu_store_refused(store.s, MU_ENOSPACE);
	bed_drain();
	mu_store_verify(store.s);
	ck_assert_int_eq(bed_reply(1).err, MU_ENOSPACE);
	ck_assert_uint_eq(bed_stats().waiting_bytes, 0);
}
END_TEST

/* ---- the tree ---- */

static uint64_t memory(void)
{
	return bed_stats().tree_memory;
}

/* What a node takes, told the long way; see mu_tree_memory. */
static uint64_t cost(const char *path, const char *data)
{
	return MU_NODE_COST + strlen(path) + strlen(data);
}

START_TEST(a_node_fits_up_to_the_limit_and_not_one_byte_past_it)
{
	uint64_t empty;

	open_with(0, 0);
	empty = memory();
	bed_close();

	open_with(0, empty + cost("/a", "1234"));
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a", "12345", 0)),
	                 MU_EMAXDATA);
	ck_assert_uint_eq(store.command_count, 0); /* nothing was logged */
	ck_assert_uint_eq(bed_stats().over_max_data, 1);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/a", "1234", 0)),
	                 0);
}
END_TEST

static void fill(void)
{
	uint64_t empty;

	open_with(0, 0);
	empty = memory();
	bed_close();
	open_with(0, empty + cost("/a", "1234"));
	bed_make(1, "/a", "1234");
	bed_forget();
}

START_TEST(at_the_limit_a_delete_goes_through_and_makes_room)
{
	fill();
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/b", "1234", 0)),
	                 MU_EMAXDATA);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/a", -1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_CREATE, q_create("/b", "1234", 0)),
	                 0);
}
END_TEST

START_TEST(at_the_limit_data_may_be_replaced_by_what_is_no_larger)
{
	fill();
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "12345", -1)),
	                 MU_EMAXDATA);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "4321", -1)),
	                 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SET_DATA, q_set("/a", "", -1)), 0);
	ck_assert_int_eq(
		bed_err(1, MU_OP_SET_DATA, q_set("a//", "1234567", -1)),
		MU_EMAXDATA);
}
END_TEST

START_TEST(at_the_limit_a_multi_is_refused_whole_if_it_adds_anything)
{
	fill();
	q_none();
	q_sub(MU_OP_CHECK, "/a", NULL, -1);
	q_sub(MU_OP_DELETE, "/a", NULL, -1);
	q_sub(MU_OP_CREATE, "/b", "x", 0);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EMAXDATA);
	ck_assert_uint_eq(store.command_count, 0);
	q_none();
	q_sub(MU_OP_CHECK, "/a", NULL, -1);
	q_sub(MU_OP_SET_DATA, "/a", "0000", -1);
	q_sub(MU_OP_DELETE, "/a", NULL, -1);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), 0);
}
END_TEST

START_TEST(what_is_on_its_way_to_the_disk_counts_too)
{
	uint64_t empty;

	open_with(0, 0);
	empty = memory();
	bed_close();
	open_with(0, empty + 2 * cost("/a", "1234"));
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create("/a", "1234", 0));
	bed_ask(2, MU_OP_CREATE, q_create("/b", "1234", 0));
	ck_assert_int_eq(bed_reply(2).err, MU_EMAXDATA);
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_uint_le(memory(), store.config.max_data);
}
END_TEST

START_TEST(sessions_come_and_go_at_the_limit)
{
	fill();
	ck_assert_int_ne(bed_connect(3), 0);
	ck_assert_int_eq(bed_err(3, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path("/a", true)), 0);
}
END_TEST

/* ---- the length of a path ---- */

#define LONGEST 100u

static void open_with_paths(uint32_t path_max)
{
	struct mu_store_config config = bed_config();

	config.path_max = path_max;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
}

/* A path of so many bytes, with names that begin with this; good until the next
 * but three. */
static const char *path_of(size_t len, char c)
{
	static char paths[4][LONGEST * 4];
	static unsigned next;
	char *p = paths[next++ % 4];

	memset(p, c, len);
	p[0] = '/';
	p[len] = '\0';
	return p;
}

static int create(int32_t op, const char *path, int32_t mode)
{
	struct mu_create_request r = bed_create_request(path, "x", mode);

	r.ttl_ms = 1000;
	mu_buf_reset(&bed.q);
	mu_put_create(&bed.q, op, &r);
	return bed_err(1, op, &bed.q);
}

/* number: what is added to the path that is asked for. */
static const struct {
	int32_t op, mode;
	size_t number;
} kinds[] = {
	{ MU_OP_CREATE, MU_MODE_PERSISTENT, 0 },
	{ MU_OP_CREATE, MU_MODE_EPHEMERAL, 0 },
	{ MU_OP_CREATE, MU_MODE_PERSISTENT_SEQUENTIAL, 10 },
	{ MU_OP_CREATE, MU_MODE_CONTAINER, 0 },
	{ MU_OP_CREATE2, MU_MODE_PERSISTENT, 0 },
	{ MU_OP_CREATE2, MU_MODE_EPHEMERAL_SEQUENTIAL, 10 },
	{ MU_OP_CREATE_CONTAINER, MU_MODE_CONTAINER, 0 },
	{ MU_OP_CREATE_TTL, MU_MODE_PERSISTENT_TTL, 0 },
	{ MU_OP_CREATE_TTL, MU_MODE_PERSISTENT_SEQUENTIAL_TTL, 10 },
};

static void assert_made_up_to_the_limit(int32_t op, int32_t mode, size_t n)
{
	const uint64_t refused = bed_stats().over_path_max;
	const uint64_t logged = bed_stats().logged;

	ck_assert_int_eq(create(op, path_of(n + 1, 'a'), mode), MU_EINVAL);
	ck_assert_uint_eq(bed_stats().logged, logged);
	ck_assert_uint_eq(bed_stats().over_path_max, refused + 1);
	ck_assert_int_eq(create(op, path_of(n, 'a'), mode), 0);
	ck_assert_uint_eq(bed_stats().over_path_max, refused + 1);
}

START_TEST(a_node_of_any_kind_has_a_path_up_to_the_limit)
{
	for (size_t i = 0; i < BED_COUNT(kinds); i++) {
		open_with_paths(LONGEST);
		assert_made_up_to_the_limit(kinds[i].op, kinds[i].mode,
		                            LONGEST - kinds[i].number);
		bed_close();
	}
	bed_open();
}
END_TEST

static int multi_of(size_t len)
{
	q_none();
	q_sub(MU_OP_CREATE, "/b", "x", 0);
	q_sub(MU_OP_CREATE, path_of(len, 'c'), "x", 0);
	q_sub(MU_OP_DELETE, "/b", NULL, -1);
	return bed_err(1, MU_OP_MULTI, q_end());
}

START_TEST(a_multi_is_refused_whole_for_one_path)
{
	uint64_t logged;

	open_with_paths(LONGEST);
	logged = bed_stats().logged;
	ck_assert_int_eq(multi_of(LONGEST + 1), MU_EINVAL);
	ck_assert_uint_eq(bed_stats().logged, logged);
	ck_assert_int_eq(multi_of(LONGEST), 0);
}
END_TEST

START_TEST(a_path_too_long_is_said_before_a_tree_too_full)
{
	struct mu_store_config config = bed_config();

	config.path_max = LONGEST;
	config.max_data = 1;
	bed_open_with(&config);
	bed_connect(1);
	ck_assert_int_eq(create(MU_OP_CREATE, path_of(LONGEST + 1, 'a'), 0),
	                 MU_EINVAL);
	ck_assert_int_eq(create(MU_OP_CREATE, path_of(LONGEST, 'a'), 0),
	                 MU_EMAXDATA);
	ck_assert_uint_eq(bed_stats().over_path_max, 1);
	ck_assert_uint_eq(bed_stats().over_max_data, 1);
}
END_TEST

static int set_watches(const char *data, const char *exist, const char *child)
{
	return bed_err(1, MU_OP_SET_WATCHES,
	               q_set_watches(1, LIST(data), LIST(exist), LIST(child)));
}

START_TEST(a_watch_of_any_kind_has_a_path_up_to_the_limit)
{
	const char *fits = path_of(LONGEST, 'a');
	const char *over = path_of(LONGEST + 1, 'a');

	open_with_paths(LONGEST);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path(over, true)),
	                 MU_EINVAL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch(over, 0)),
	                 MU_EINVAL);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch(over, 1)),
	                 MU_EINVAL);
	ck_assert_uint_eq(bed_stats().over_path_max, 3);
	ck_assert_uint_eq(bed_stats().watches, 0);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path(fits, true)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch(fits, 0)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_ADD_WATCH, q_add_watch(fits, 1)), 0);
	ck_assert_uint_eq(bed_stats().over_path_max, 3);
}
END_TEST

/* A client whose link was lost would else come back to nothing, again and again,
 * or without all it watched. */
START_TEST(a_watch_that_a_client_had_stays_over_its_links)
{
	const char *over = path_of(LONGEST + 1, 'a');

	open_with_paths(LONGEST);
	ck_assert_int_eq(set_watches(NULL, over, NULL), 0);
	ck_assert_uint_eq(bed_stats().watches, 1);
	ck_assert_uint_eq(bed_stats().over_path_max, 0);
	bed_ask(1, MU_OP_SET_WATCHES,
	        q_set_watches(1, LIST("/gone"), LIST(over), LIST(NULL)));
	bed_event(1, MU_NODE_DELETED, "/gone");
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

START_TEST(a_subscription_has_a_path_up_to_the_limit)
{
	open_with_paths(LONGEST);
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE,
	                         q_subscribe(1, path_of(LONGEST + 1, 'a'),
	                                     MU_SUBSCRIBE_SUBTREE, -1, 0)),
	                 MU_EINVAL);
	ck_assert_uint_eq(bed_stats().subscriptions, 0);
	ck_assert_int_eq(bed_err(1, MU_OP_SUBSCRIBE,
	                         q_subscribe(1, path_of(LONGEST, 'a'),
	                                     MU_SUBSCRIBE_SUBTREE, -1, 0)),
	                 0);
}
END_TEST

START_TEST(a_question_that_leaves_nothing_may_have_any_path)
{
	const char *over = path_of(LONGEST + 1, 'a');

	open_with_paths(LONGEST);
	ck_assert_int_eq(bed_err(1, MU_OP_EXISTS, q_path(over, false)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(1, MU_OP_GET_DATA, q_path(over, true)),
	                 MU_ENONODE); /* rule 29 */
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete(over, -1)),
	                 MU_ENONODE);
	ck_assert_uint_eq(bed_stats().over_path_max, 0);
}
END_TEST

/* A tree from before there was a limit, with nodes past it. */
static void make_old(const char *old)
{
	open_with_paths(0);
	bed_make(1, old, "1234");
	ck_assert_int_eq(create(MU_OP_CREATE2, path_of(LONGEST * 2, 'e'),
	                        MU_MODE_EPHEMERAL),
	                 0);
}

static void limit_paths(void)
{
	struct mu_store_config config = store.config;

	config.path_max = LONGEST;
	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
}

START_TEST(nodes_from_before_the_limit_are_read_written_and_deleted)
{
	const char *old = path_of(LONGEST * 3, 'a');
	const char *own = path_of(LONGEST * 2, 'e');

	make_old(old);
	limit_paths();
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path(old, false)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_CHILDREN, q_path(old, false)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_GET_DATA, q_path(old, true)),
	                 MU_EINVAL); /* but not watched */
	ck_assert_int_eq(bed_err(2, MU_OP_SET_DATA, q_set(old, "x", -1)), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_DELETE, q_delete(old, -1)), 0);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path(own, false)),
	                 MU_ENONODE);
}
END_TEST

START_TEST(what_is_on_its_way_to_the_disk_is_applied_when_the_limit_comes)
{
	open_with_paths(0);
	store.slow = true;
	bed_ask(1, MU_OP_CREATE, q_create(path_of(LONGEST + 1, 'a'), "x", 0));
	limit_paths();
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
}
END_TEST

static void assert_has(const struct mu_store *s, const char *path)
{
	ck_assert_uint_ne(mu_tree_find(mu_store_tree(s), mu_str_of(path)),
	                  MU_NODE_NONE);
}

START_TEST(a_journal_from_before_the_limit_is_replayed)
{
	const char *old = path_of(LONGEST * 3, 'a');
	struct mu_store_config config = bed_config();
	struct mu_store *s;

	make_old(old);
	bed_make(1, "/end", "x");
	config.path_max = LONGEST;
	ck_assert_int_eq(mu_store_new(&config, store.now, &s, NULL), 0);
	for (size_t i = 0; i < store.command_count; i++)
		ck_assert_int_eq(mu_store_replay(s, store.commands[i].bytes,
		                                 store.commands[i].len),
		                 0);
	assert_has(s, old);
	assert_has(s, "/end");
	mu_store_free(s);
}
END_TEST

START_TEST(a_snapshot_from_before_the_limit_is_loaded)
{
	const char *old = path_of(LONGEST * 3, 'a');
	struct mu_store_config config = bed_config();
	struct mu_store *s;
	struct bytes image;

	make_old(old);
	image = snapshot_of(store.s);
	config.path_max = LONGEST;
	ck_assert_int_eq(
		load_pieces(image.at, image.len, image.len, &config, &s, NULL),
		0);
	assert_has(s, old);
	mu_store_verify(s);
	mu_store_free(s);
	free(image.at);
}
END_TEST

/* ---- what one session has ---- */

#define EACH (MU_NODE_COST + 2u) /* an ephemeral like /a */

static void open_with_ephemerals(uint64_t max)
{
	struct mu_store_config config = bed_config();

	config.session_ephemeral_bytes_max = max;
	bed_open_with(&config);
	bed_connect(1);
	bed_connect(2);
}

static int own(const char *path)
{
	return create(MU_OP_CREATE, path, MU_MODE_EPHEMERAL);
}

START_TEST(a_session_has_ephemerals_up_to_the_limit)
{
	open_with_ephemerals(2 * EACH);
	ck_assert_int_eq(own("/a"), 0);
	ck_assert_int_eq(own("/bc"), MU_EQUOTA);
	ck_assert_int_eq(own("/b"), 0);
	ck_assert_int_eq(own("/c"), MU_EQUOTA);
	ck_assert_uint_eq(bed_stats().over_ephemeral_bytes, 2);
	ck_assert_uint_eq(bed_stats().ephemerals, 2);
	/* What is not its own is not meant, nor who else there is. */
	ck_assert_int_eq(create(MU_OP_CREATE, "/c", MU_MODE_PERSISTENT), 0);
	ck_assert_int_eq(create(MU_OP_CREATE, "/d", MU_MODE_CONTAINER), 0);
	ck_assert_int_eq(bed_err(2, MU_OP_CREATE,
	                         q_create("/e", "x", MU_MODE_EPHEMERAL)),
	                 0);
	ck_assert_int_eq(bed_err(1, MU_OP_DELETE, q_delete("/a", -1)), 0);
	ck_assert_int_eq(own("/f"), 0);
	mu_store_verify(store.s);
}
END_TEST

START_TEST(an_ephemeral_counts_with_all_of_its_path_and_its_number)
{
	open_with_ephemerals(2 * MU_NODE_COST + 5 + 15);
	bed_make(1, "/dir", "");
	ck_assert_int_eq(own("/dir/a"), 0);
	ck_assert_int_eq(
		create(MU_OP_CREATE, "/dir/", MU_MODE_EPHEMERAL_SEQUENTIAL),
		MU_EQUOTA);
	ck_assert_int_eq(
		create(MU_OP_CREATE, "/abc", MU_MODE_EPHEMERAL_SEQUENTIAL), 0);
	mu_store_verify(store.s);
}
END_TEST

START_TEST(all_ephemerals_of_a_multi_count_and_none_of_one_that_fails)
{
	open_with_ephemerals(2 * EACH);
	q_none();
	for (const char *p = "/a\0/b\0/c\0"; p[0]; p += 3)
		q_sub(MU_OP_CREATE, p, "x", MU_MODE_EPHEMERAL);
	ck_assert_int_eq(bed_err(1, MU_OP_MULTI, q_end()), MU_EQUOTA);
	ck_assert_uint_eq(bed_stats().ephemerals, 0);
	for (int i = 0; i < 3; i++) {
		q_none();
		q_sub(MU_OP_CREATE, "/a", "x", MU_MODE_EPHEMERAL);
		q_sub(MU_OP_DELETE, "/none", NULL, -1);
		bed_ask(1, MU_OP_MULTI, q_end());
		bed_forget();
	}
	ck_assert_int_eq(own("/a"), 0);
	ck_assert_int_eq(own("/b"), 0);
	mu_store_verify(store.s);
}
END_TEST

START_TEST(ephemerals_on_their_way_to_the_disk_count_too)
{
	open_with_ephemerals(3 * EACH);
	store.slow = true;
	for (const char *p = "/a\0/b\0/c\0/d\0"; p[0]; p += 3)
		bed_ask(1, MU_OP_CREATE, q_create(p, "x", MU_MODE_EPHEMERAL));
	bed_durable(store.logged);
	ck_assert_int_eq(bed_reply(1).err, 0);
	ck_assert_uint_gt(bed_stats().over_ephemeral_bytes, 0);
	ck_assert_uint_le(bed_stats().ephemerals, 3);
}
END_TEST

START_TEST(ephemerals_from_before_the_limit_stay_and_count)
{
	struct mu_store_config config;
	struct bytes image;
	struct mu_store *s;

	open_with_ephemerals(0);
	ck_assert_int_eq(own("/a"), 0);
	ck_assert_int_eq(own("/b"), 0);
	image = snapshot_of(store.s);
	config = store.config;
	config.session_ephemeral_bytes_max = EACH;
	ck_assert_int_eq(
		load_pieces(image.at, image.len, image.len, &config, &s, NULL),
		0);
	assert_has(s, "/a");
	assert_has(s, "/b");
	mu_store_verify(s); /* they are counted */
	mu_store_free(s);
	free(image.at);

	ck_assert_int_eq(mu_store_reconfigure(store.s, &config, NULL), 0);
	ck_assert_int_eq(own("/c"), MU_EQUOTA);
	ck_assert_int_eq(bed_err(1, MU_OP_CLOSE_SESSION, q_none()), 0);
	ck_assert_uint_eq(bed_stats().ephemerals, 0);
	mu_store_verify(store.s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_waits_for_the_journal_is_counted_and_given_back,
		one_link_cannot_fill_the_room_of_all_past_the_limit,
		a_request_larger_than_the_room_of_all_is_taken_alone,
		links_that_end_give_their_room_back,
		refused_commands_give_their_room_back_and_say_why,
		a_node_fits_up_to_the_limit_and_not_one_byte_past_it,
		at_the_limit_a_delete_goes_through_and_makes_room,
		at_the_limit_data_may_be_replaced_by_what_is_no_larger,
		at_the_limit_a_multi_is_refused_whole_if_it_adds_anything,
		what_is_on_its_way_to_the_disk_counts_too,
		sessions_come_and_go_at_the_limit,
		a_node_of_any_kind_has_a_path_up_to_the_limit,
		a_multi_is_refused_whole_for_one_path,
		a_path_too_long_is_said_before_a_tree_too_full,
		a_watch_of_any_kind_has_a_path_up_to_the_limit,
		a_watch_that_a_client_had_stays_over_its_links,
		a_subscription_has_a_path_up_to_the_limit,
		a_question_that_leaves_nothing_may_have_any_path,
		nodes_from_before_the_limit_are_read_written_and_deleted,
		what_is_on_its_way_to_the_disk_is_applied_when_the_limit_comes,
		a_journal_from_before_the_limit_is_replayed,
		a_snapshot_from_before_the_limit_is_loaded,
		a_session_has_ephemerals_up_to_the_limit,
		an_ephemeral_counts_with_all_of_its_path_and_its_number,
		all_ephemerals_of_a_multi_count_and_none_of_one_that_fails,
		ephemerals_on_their_way_to_the_disk_count_too,
		ephemerals_from_before_the_limit_stay_and_count,
	};

	return bed_run("store: admit", tests, sizeof tests / sizeof tests[0],
	               NULL, bed_close);
}
