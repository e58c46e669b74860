/* Writes through the door: rules 27, 51 to 67, 73, 95, 96. */
#include "store_bed.h"

static void setup(void)
{
	bed_open();
	bed_connect(1);
}

START_TEST(rule52_a_session_uses_up_a_zxid_to_begin_and_one_to_end)
{
	int64_t before = bed_stats().zxid;

	bed_connect(2);
	ck_assert_int_eq(bed_stats().zxid, before + 1);
	bed_do(2, MU_OP_CLOSE_SESSION, q_none());
	ck_assert_int_eq(bed_stats().zxid, before + 2);
	bed_connect(3);
	bed_lost(3);
	bed_pass(3000);
	bed_pass(50);
	ck_assert_int_eq(bed_stats().zxid, before + 4 + 1); /* link 1 too */
}
END_TEST

START_TEST(rule54_a_stat_says_who_made_and_changed_the_node)
{
	struct bed_reply r = bed_do(1, MU_OP_CREATE, q_create("/a", "abc", 0));
	int64_t made_at = r.zxid, made_ms = store.now.wall_ms;
	struct mu_stat stat;

	bed_tick(50);
	r = bed_do(1, MU_OP_SET_DATA, q_set("/a", "abcde", -1));
	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(mu_in_left(&r.body), 68);
	mu_get_stat(&r.body, &stat);
	ck_assert_int_eq(stat.czxid, made_at);
	ck_assert_int_eq(stat.mzxid, r.zxid);
	ck_assert_int_eq(stat.ctime, made_ms);
	ck_assert_int_eq(stat.mtime, made_ms + 50);
	ck_assert_int_eq(stat.version, 1);
	ck_assert_int_eq(stat.data_len, 5);
	ck_assert_int_eq(stat.pzxid, made_at);
	ck_assert_int_eq(stat.aversion, 0);
}
END_TEST

/* ---- multi ---- */

START_TEST(rule67_nobody_reads_half_a_multi)
{
	bed_connect(2);
	store.slow = true;
	q_none();
	q_sub(MU_OP_CREATE, "/a", "x", 0);
	q_sub(MU_OP_CREATE, "/b", "y", 0);
	bed_ask(1, MU_OP_MULTI, q_end());
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/a", true)),
	                 MU_ENONODE);
	ck_assert_int_eq(bed_err(2, MU_OP_EXISTS, q_path("/b", true)),
	                 MU_ENONODE);
	bed_durable(store.logged);
	bed_event(2, MU_NODE_CREATED, "/a");
	bed_event(2, MU_NODE_CREATED, "/b");
	bed_want(1, bed.xid - 2, 0);
	ck_assert_int_eq(bed_stat(2, "/a").czxid, bed_stat(2, "/b").czxid);
}
END_TEST

START_TEST(bytes_after_a_record_are_allowed_and_not_logged)
{
	size_t clean, dirty;

	bed_ask(1, MU_OP_DELETE, q_delete("/none", 5));
	clean = store.commands[store.command_count - 1].len;
	q_delete("/none", 5);
	mu_put_long(&bed.q, 42);
	bed_ask(1, MU_OP_DELETE, &bed.q);
	dirty = store.commands[store.command_count - 1].len;
	ck_assert_uint_eq(clean, dirty);
}
END_TEST

START_TEST(a_zxid_counter_that_is_used_up_carries_into_the_epoch)
{
	struct mu_command c = { .zxid = (1ll << 32) | 0xffffffff,
		                .type = MU_OP_SET_DATA };
	struct mu_set_data_request q = { MU_STR("/"), MU_STR("x"), -1 };
	struct mu_buf b = { 0 };

	bed_close();
	bed_open();
	mu_put_command(&b, &c);
	mu_put_set_data(&b, &q);
	ck_assert_int_eq(mu_store_replay(store.s, b.data, b.len), 0);
	mu_buf_fini(&b);
	store.logged = 1;
	bed_connect(1);
	ck_assert_int_eq(bed_stats().zxid, 2ll << 32);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rule52_a_session_uses_up_a_zxid_to_begin_and_one_to_end,
		rule54_a_stat_says_who_made_and_changed_the_node,
		rule67_nobody_reads_half_a_multi,
		bytes_after_a_record_are_allowed_and_not_logged,
		a_zxid_counter_that_is_used_up_carries_into_the_epoch,
	};

	return bed_run("store: writes", tests, sizeof tests / sizeof tests[0],
	               setup, bed_close);
}
