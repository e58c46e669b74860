/* What snapshot.h says, sentence by sentence. */
#include "snapshot_kit.h"

#include "crc.h"
#include "fault.h"
#include "session.h"
#include "snapshot_impl.h"
#include "tree.h"

static struct script sample;
static struct bytes image; /* of the sample */
static struct mu_err err;

static void setup(void)
{
	script_open(&sample, kit_store(1));
	say_sample(&sample);
	image = snapshot_of(sample.s);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	free(image.at);
	script_close(&sample);
}

/* ---- there and back ---- */

static void assert_same_stats(const struct mu_store *a,
                              const struct mu_store *b)
{
	struct mu_store_stats x, y;

	mu_store_stats(a, &x);
	mu_store_stats(b, &y);
	ck_assert_int_eq(x.zxid, y.zxid);
	ck_assert_uint_eq(x.applied, y.applied);
	ck_assert_uint_eq(x.logged, y.logged);
	ck_assert_uint_eq(x.nodes, y.nodes);
	ck_assert_uint_eq(x.ephemerals, y.ephemerals);
	ck_assert_uint_eq(x.sessions, y.sessions);
	ck_assert_uint_eq(x.tree_bytes, y.tree_bytes);
	ck_assert_uint_eq(x.tree_memory, y.tree_memory);
	ck_assert_uint_eq(mu_store_index(a), mu_store_index(b));
	ck_assert_int_eq(mu_store_tree_id(a), mu_store_tree_id(b));
}

START_TEST(what_is_written_comes_back_and_is_written_the_same)
{
	struct mu_store *s = restored(&image, 1);
	struct bytes again = snapshot_of(s);

	assert_same_stats(sample.s, s);
	assert_same_bytes(&image, &again);
	free(again.at);
	mu_store_free(s);
}
END_TEST

START_TEST(an_empty_store_comes_back_empty)
{
	struct mu_store *a = kit_store(1), *b;
	struct bytes first = snapshot_of(a), again;

	b = restored(&first, 2);
	again = snapshot_of(b);
	assert_same_stats(a, b);
	assert_same_bytes(&first, &again);
	free(first.at);
	free(again.at);
	mu_store_free(a);
	mu_store_free(b);
}
END_TEST

START_TEST(the_bytes_depend_on_the_commands_alone)
{
	struct mu_store *other = kit_store(200), *third = restored(&image, 90);
	struct bytes x, y;

	replay_all(&sample, other, 0);
	x = snapshot_of(other);
	y = snapshot_of(third);
	assert_same_bytes(&image, &x);
	assert_same_bytes(&image, &y);
	free(x.at);
	free(y.at);
	mu_store_free(other);
	mu_store_free(third);
}
END_TEST

static int64_t one_session;
static uint32_t found_timeout;

static void find_timeout(void *arg, struct mu_session *s)
{
	(void)arg;
	if (s->id == one_session)
		found_timeout = s->timeout_ms;
}

START_TEST(sessions_have_the_timeouts_that_they_were_made_with)
{
	struct mu_store *s = restored(&image, 1);

	one_session = 0x100000000000012;
	mu_sessions_each(mu_store_sessions(s), find_timeout, NULL);
	ck_assert_uint_eq(found_timeout, 700);
	one_session = 0x100000000000013;
	mu_sessions_each(mu_store_sessions(s), find_timeout, NULL);
	ck_assert_uint_eq(found_timeout, 60000);
	mu_store_free(s);
}
END_TEST

/* Closing it deletes them one after the other: each leaves its mark. */
START_TEST(the_ephemerals_of_a_session_are_in_the_same_order)
{
	struct mu_store *s = restored(&image, 1);
	struct bytes x, y;

	say_create(&sample, 0, "/after", "", 0, 0);
	say_close(&sample, 0x100000000000011);
	replay_all(&sample, s, sample.count - 2);
	x = snapshot_of(sample.s);
	y = snapshot_of(s);
	assert_same_bytes(&x, &y);
	free(x.at);
	free(y.at);
	mu_store_free(s);
}
END_TEST

static void append_path(void *arg, const struct mu_tree *t, mu_node_id id)
{
	mu_tree_path(t, id, arg);
	mu_buf_put(arg, " ", 1);
}

static struct mu_buf children_of(const struct mu_store *s, const char *path)
{
	const struct mu_tree *t = mu_store_tree(s);
	mu_node_id id = mu_tree_find(t, mu_str_of(path));
	struct mu_buf b = { 0 };

	for (id = mu_tree_first(t, id); id; id = mu_tree_next(t, id))
		append_path(&b, t, id);
	return b;
}

START_TEST(children_are_in_the_same_order)
{
	static const char *const paths[] = { "/", "/a", "/a/near", "/zookeeper",
		                             "/box" };
	struct mu_store *s = restored(&image, 66);

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct mu_buf a = children_of(sample.s, paths[i]);
		struct mu_buf b = children_of(s, paths[i]);

		ck_assert_uint_eq(a.len, b.len);
		if (a.len)
			ck_assert_mem_eq(a.data, b.data, a.len);
		mu_buf_fini(&a);
		mu_buf_fini(&b);
	}
	mu_store_free(s);
}
END_TEST

struct order {
	const struct mu_tree *t;
	struct mu_buf b;
};

static int note_owned(void *arg, mu_node_id id)
{
	struct order *o = arg;

	append_path(&o->b, o->t, id);
	return 0;
}

START_TEST(ephemerals_made_under_one_zxid_are_in_the_same_order)
{
	struct mu_store *s = restored(&image, 66);
	struct order a = { .t = mu_store_tree(sample.s) };
	struct order b = { .t = mu_store_tree(s) };

	mu_tree_owned(a.t, 0x100000000000011, note_owned, &a);
	mu_tree_owned(b.t, 0x100000000000011, note_owned, &b);
	mu_buf_put(&a.b, "", 1);
	mu_buf_put(&b.b, "", 1);
	ck_assert_str_eq((char *)a.b.data, "/a/near/e3 /m4 /m3 /m2 /m0 /a/e1 ");
	ck_assert_str_eq((char *)a.b.data, (char *)b.b.data);
	mu_buf_fini(&a.b);
	mu_buf_fini(&b.b);
	mu_store_free(s);
}
END_TEST

START_TEST(the_head_says_what_is_in_it)
{
	struct mu_snapshot_info now, head;

	mu_snapshot_info_of(sample.s, &now);
	ck_assert_int_eq(mu_snapshot_head(image.at, &head, &err), 0);
	ck_assert_uint_eq(head.version, MU_SNAPSHOT_VERSION);
	ck_assert_uint_eq(head.index, sample.count);
	ck_assert_uint_eq(head.term, 1);
	ck_assert_int_eq(head.tree_id, 77);
	ck_assert_int_eq(head.zxid, sample.zxid);
	ck_assert_int_eq(head.wall_ms, sample.time_ms);
	ck_assert_int_eq(head.next_session, 0x100000000000014);
	ck_assert_uint_eq(head.sessions, 3);
	ck_assert_uint_eq(head.ephemerals, 7);
	ck_assert_uint_eq(head.nodes, now.nodes);
	ck_assert_uint_eq(head.tree_bytes, now.tree_bytes);
}
END_TEST

START_TEST(bytes_may_come_in_pieces_of_any_size)
{
	static const size_t pieces[] = { 1, 7, 16, 127, 128, 129, 1000 };
	struct mu_store_config config = kit_config(3);

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct mu_store *s;
		struct bytes again;

		ck_assert_int_eq(load_pieces(image.at, image.len, pieces[i],
		                             &config, &s, &err),
		                 0);
		again = snapshot_of(s);
		assert_same_bytes(&image, &again);
		free(again.at);
		mu_store_free(s);
	}
}
END_TEST

START_TEST(only_looking_needs_no_config_and_makes_no_store)
{
	struct mu_store *s = sample.s;

	ck_assert_int_eq(load_pieces(image.at, image.len, 50, NULL, &s, &err),
	                 0);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(load_pieces(image.at, image.len, 50, NULL, NULL, &err),
	                 0);
}
END_TEST

START_TEST(what_the_head_said_is_known_once_it_was_fed)
{
	struct mu_snapload *l;

	ck_assert_int_eq(mu_snapload_new(NULL, kit_now, 0, &l, &err), 0);
	ck_assert_int_eq(mu_snapload_feed(l, image.at, 127, &err), 0);
	ck_assert_ptr_null(mu_snapload_info(l));
	ck_assert_int_eq(mu_snapload_feed(l, image.at + 127, 1, &err), 0);
	ck_assert_uint_eq(mu_snapload_info(l)->index, sample.count);
	mu_snapload_free(l);
	mu_snapload_free(NULL);
}
END_TEST

START_TEST(a_config_that_no_store_takes_is_refused)
{
	struct mu_store_config config = kit_config(3);
	struct mu_store *s;

	config.tick_ms = 0;
	ck_assert_int_eq(
		load_pieces(image.at, image.len, image.len, &config, &s, &err),
		MU_EINVAL);
}
END_TEST

/* ---- beginning afterwards ---- */

static void tick_to(struct mu_store *s, uint64_t from_ms, uint64_t to_ms)
{
	struct mu_effect e;

	for (; from_ms <= to_ms; from_ms += 50) {
		mu_store_tick(s, (struct mu_when){ from_ms, 0 });
		while (mu_store_effect(s, &e))
			;
	}
}

START_TEST(sessions_have_a_full_timeout_from_the_beginning_on)
{
	struct mu_store *s = restored(&image, 1);
	struct mu_store_stats st;

	mu_store_begin(s, 7, (struct mu_when){ 1000000, 5 });
	tick_to(s, 1000050, 1000699);
	mu_store_stats(s, &st);
	ck_assert_uint_eq(st.logged, st.applied);
	tick_to(s, 1000700, 1000800);
	mu_store_stats(s, &st);
	ck_assert_uint_eq(st.logged, st.applied + 1); /* its end */
	mu_store_verify(s);
	mu_store_free(s);
}
END_TEST

START_TEST(no_new_zxid_lies_below_the_epoch)
{
	struct mu_store *s = restored(&image, 1);
	struct mu_store_stats st;

	mu_store_begin(s, 7, kit_now);
	mu_store_stats(s, &st);
	ck_assert_int_eq(st.zxid, INT64_C(7) << 32);
	mu_store_verify(s);
	mu_store_begin(s, 3, kit_now); /* nor below what was */
	mu_store_stats(s, &st);
	ck_assert_int_eq(st.zxid, INT64_C(7) << 32);
	mu_store_free(s);
}
END_TEST

START_TEST(the_replay_goes_on_where_the_snapshot_ends)
{
	struct mu_store *s = restored(&image, 1);
	const uint32_t before = sample.count;
	struct bytes x, y;

	/* What it has already is refused, by its zxid. */
	sample.zxid--;
	say_begin(&sample, MU_OP_CLOSE_SESSION, 0x100000000000011);
	mu_put_close_session(&sample.command, MU_CAUSE_CLIENT);
	ck_assert_int_eq(
		mu_store_replay(s, sample.command.data, sample.command.len),
		MU_EDATA);
	say_close(&sample, 0x100000000000012);
	say_set(&sample, "/a", "later");
	say_session(&sample, 0x100000000000099, 1000);
	replay_all(&sample, s, before);
	x = snapshot_of(sample.s);
	y = snapshot_of(s);
	assert_same_bytes(&x, &y);
	free(x.at);
	free(y.at);
	mu_store_free(s);
}
END_TEST

/* ---- writing ---- */

START_TEST(a_sink_that_refuses_ends_the_writing)
{
	for (int k = 0;; k++) {
		struct bytes b = { .refuse_at = k };
		int rc = mu_snapshot_write(sample.s, keep_bytes, &b);

		free(b.at);
		if (rc == 0) {
			ck_assert_int_ge(k, 5);
			break;
		}
		ck_assert_int_eq(rc, -77);
	}
}
END_TEST

START_TEST(memory_is_taken_before_the_first_byte_is_written)
{
	unsigned k = 0;
	int rc;

	do {
		struct bytes b = { .refuse_at = -1 };

		fault_alloc_at(k++);
		rc = mu_snapshot_write(sample.s, keep_bytes, &b);
		if (fault_alloc_off()) {
			ck_assert_int_eq(rc, MU_ENOMEM);
			ck_assert_uint_eq(b.calls, 0);
		} else {
			ck_assert_int_eq(rc, 0);
			assert_same_bytes(&image, &b);
		}
		free(b.at);
	} while (rc);
	ck_assert_uint_gt(k, 4);
}
END_TEST

START_TEST(without_memory_nothing_is_loaded)
{
	struct mu_store_config config = kit_config(3);
	unsigned k = 0;
	int rc;

	do {
		struct mu_store *s = NULL;

		fault_alloc_at(k++);
		rc = load_pieces(image.at, image.len, 100, &config, &s, &err);
		if (fault_alloc_off()) {
			/* More buckets are only a wish. */
			if (rc)
				ck_assert_int_eq(rc, MU_ENOMEM);
			else
				rc = 1;
		} else {
			ck_assert_int_eq(rc, 0);
		}
		mu_store_free(s);
	} while (rc);
	ck_assert_uint_gt(k, 20);
}
END_TEST

/* How many bytes of payload the block of records at `at` has. */
static uint32_t payload_at(const struct bytes *b, size_t at)
{
	return mu_snap_get32(b->at + at + 4);
}

static struct bytes image_of_one(int32_t len)
{
	struct mu_store *s = kit_store(1);
	char *data = calloc(1, (size_t)len);
	struct script c;
	struct bytes b;

	script_open(&c, s);
	say_create(&c, 0, "/big", data, len, 0);
	b = snapshot_of(s);
	script_close(&c);
	free(data);
	return b;
}

START_TEST(a_record_too_long_for_a_block_has_one_of_its_own)
{
	const uint32_t others = payload_at(&image, MU_SNAPSHOT_HEAD);
	const int32_t fit = MU_SNAPSHOT_BLOCK;
	struct bytes b = image_of_one(fit * 2);
	const uint32_t first = payload_at(&b, MU_SNAPSHOT_HEAD);
	size_t second = MU_SNAPSHOT_HEAD + MU_SNAP_BLOCK_HEAD + first;
	const uint32_t numbers = payload_at(&b, second) - 2 * (uint32_t)fit;
	struct mu_store *s = restored(&b, 4);

	ck_assert_uint_gt(others, first);
	mu_store_free(s);
	free(b.at);
	/* The record fills a block of its own to the last byte. */
	b = image_of_one(fit - (int32_t)numbers);
	ck_assert_uint_eq(payload_at(&b, second), (uint32_t)fit);
	mu_store_free(restored(&b, 4));
	free(b.at);
	/* Both in one, to the last byte, and one byte more. */
	b = image_of_one(fit - (int32_t)(numbers + first));
	ck_assert_uint_eq(payload_at(&b, MU_SNAPSHOT_HEAD), (uint32_t)fit);
	mu_store_free(restored(&b, 4));
	free(b.at);
	b = image_of_one(fit - (int32_t)(numbers + first) + 1);
	ck_assert_uint_eq(payload_at(&b, MU_SNAPSHOT_HEAD), first);
	mu_store_free(restored(&b, 4));
	free(b.at);
}
END_TEST

/* ---- damage ---- */

START_TEST(a_snapshot_cut_anywhere_is_refused)
{
	struct mu_store_config config = kit_config(3);

	for (size_t n = 0; n < image.len; n++) {
		struct mu_store *s = NULL;

		ck_assert_int_eq(
			load_pieces(image.at, n, n ? n : 1, &config, &s, &err),
			MU_EDATA);
		ck_assert_int_eq(load_pieces(image.at, n, 11, NULL, NULL, &err),
		                 MU_EDATA);
		ck_assert_ptr_nonnull(strstr(err.msg, "too early"));
	}
}
END_TEST

START_TEST(every_bit_that_flips_is_found)
{
	struct mu_store_config config = kit_config(3);

	for (size_t i = 0; i < image.len * 8; i++) {
		struct mu_store *s = NULL;

		image.at[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_int_eq(load_pieces(image.at, image.len, image.len,
		                             &config, &s, &err),
		                 MU_EDATA);
		ck_assert_int_eq(load_pieces(image.at, image.len, image.len,
		                             NULL, NULL, &err),
		                 MU_EDATA);
		image.at[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}
END_TEST

START_TEST(damage_is_told_with_where_it_stands)
{
	image.at[MU_SNAPSHOT_HEAD + 40] ^= 1;
	ck_assert_int_eq(load_pieces(image.at, image.len, 9, NULL, NULL, &err),
	                 MU_EDATA);
	ck_assert_str_eq(err.msg,
	                 "the block at byte 128 is damaged (checksum)");
}
END_TEST

static void seal_head(uint8_t *head)
{
	mu_snap_put32(head + MU_SNAP_CRC_AT,
	              mu_crc32c(0, head, MU_SNAP_CRC_AT));
}

START_TEST(a_newer_version_is_refused_with_a_sentence)
{
	struct mu_store *s;
	struct mu_store_config config = kit_config(3);

	mu_snap_put32(image.at + 8, MU_SNAPSHOT_VERSION + 1);
	seal_head(image.at);
	ck_assert_int_eq(
		load_pieces(image.at, image.len, 60, &config, &s, &err),
		MU_EUNIMPLEMENTED);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer muster-broker"));
	ck_assert_ptr_nonnull(strstr(err.msg, "format 2, this one knows 1"));
}
END_TEST

START_TEST(bytes_behind_the_end_are_refused)
{
	image.at = realloc(image.at, image.len + 1);
	image.at[image.len] = 0;
	ck_assert_int_eq(load_pieces(image.at, image.len + 1, image.len + 1,
	                             NULL, NULL, &err),
	                 MU_EDATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "behind its end"));
}
END_TEST

/* Whole blocks that go missing, or come twice, have good checksums. */
START_TEST(a_block_that_is_missing_or_comes_twice_is_refused)
{
	const size_t len =
		MU_SNAP_BLOCK_HEAD + payload_at(&image, MU_SNAPSHOT_HEAD);
	uint8_t *twice = malloc(image.len + len);

	memcpy(twice, image.at, MU_SNAPSHOT_HEAD + len);
	memcpy(twice + MU_SNAPSHOT_HEAD + len, image.at + MU_SNAPSHOT_HEAD,
	       image.len - MU_SNAPSHOT_HEAD);
	ck_assert_int_eq(load_pieces(twice, image.len + len, image.len, NULL,
	                             NULL, &err),
	                 MU_EDATA);
	memmove(image.at + MU_SNAPSHOT_HEAD, image.at + MU_SNAPSHOT_HEAD + len,
	        image.len - MU_SNAPSHOT_HEAD - len);
	ck_assert_int_eq(load_pieces(image.at, image.len - len, image.len, NULL,
	                             NULL, &err),
	                 MU_EDATA);
	free(twice);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_written_comes_back_and_is_written_the_same);
	tcase_add_test(tc, an_empty_store_comes_back_empty);
	tcase_add_test(tc, the_bytes_depend_on_the_commands_alone);
	tcase_add_test(tc, sessions_have_the_timeouts_that_they_were_made_with);
	tcase_add_test(tc, the_ephemerals_of_a_session_are_in_the_same_order);
	tcase_add_test(tc, children_are_in_the_same_order);
	tcase_add_test(tc,
	               ephemerals_made_under_one_zxid_are_in_the_same_order);
	tcase_add_test(tc, the_head_says_what_is_in_it);
	tcase_add_test(tc, bytes_may_come_in_pieces_of_any_size);
	tcase_add_test(tc, only_looking_needs_no_config_and_makes_no_store);
	tcase_add_test(tc, what_the_head_said_is_known_once_it_was_fed);
	tcase_add_test(tc, a_config_that_no_store_takes_is_refused);
	tcase_add_test(tc, sessions_have_a_full_timeout_from_the_beginning_on);
	tcase_add_test(tc, no_new_zxid_lies_below_the_epoch);
	tcase_add_test(tc, the_replay_goes_on_where_the_snapshot_ends);
	tcase_add_test(tc, a_sink_that_refuses_ends_the_writing);
	tcase_add_test(tc, memory_is_taken_before_the_first_byte_is_written);
	tcase_add_test(tc, without_memory_nothing_is_loaded);
	tcase_add_test(tc, a_record_too_long_for_a_block_has_one_of_its_own);
	tcase_add_test(tc, a_snapshot_cut_anywhere_is_refused);
	tcase_add_test(tc, every_bit_that_flips_is_found);
	tcase_add_test(tc, damage_is_told_with_where_it_stands);
	tcase_add_test(tc, a_newer_version_is_refused_with_a_sentence);
	tcase_add_test(tc, bytes_behind_the_end_are_refused);
	tcase_add_test(tc, a_block_that_is_missing_or_comes_twice_is_refused);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
