/* Is there room: the limits that store.h names for what waits and for the tree,
 * each at the limit and one past it, and the code of a refused command. */
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
	};

	return bed_run("store: admit", tests, sizeof tests / sizeof tests[0],
	               NULL, bed_close);
}
