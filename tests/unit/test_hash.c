/* The contract of agent/core/hash.h. */
#include "hash.h"

#include "fault.h"

#include <check.h>
#include <muster/types.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define THINGS 50000u

static const uint8_t key[MU_HASH_KEY] = { 0, 1, 2,  3,  4,  5,  6,  7,
	                                  8, 9, 10, 11, 12, 13, 14, 15 };

/* The key of thing i is i itself. */
static uint32_t next[THINGS + 1];
static unsigned hashed; /* calls of hash_of by the table */
static bool same;       /* all things fall together */

static uint64_t hash(uint32_t id)
{
	return same ? 7 : mu_hash(key, id, "", 0);
}

static uint64_t hash_of(const void *arg, uint32_t id)
{
	(void)arg;
	hashed++;
	return hash(id);
}

static uint32_t *next_of(const void *arg, uint32_t id)
{
	ck_assert_ptr_eq(arg, next);
	return &next[id];
}

static const struct mu_table_ops ops = { hash_of, next_of };
static struct mu_table t;

static void setup(void)
{
	ck_assert_int_eq(mu_table_init(&t, &ops, next), 0);
}

static void teardown(void)
{
	fault_alloc_off();
	mu_table_fini(&t);
}

static bool holds(uint32_t id, unsigned *steps)
{
	uint32_t at = mu_table_first(&t, hash(id));

	for (; at && at != id; at = next[at])
		++*steps;
	return at == id;
}

static void insert_all(void)
{
	for (uint32_t id = 1; id <= THINGS; id++)
		mu_table_insert(&t, hash(id), id);
	ck_assert_uint_eq(t.count, THINGS);
}

/* SipHash-1-3 of the bytes 0, 1, 2.. under the key above, worked out by another
 * program, which gives the vector of the SipHash paper for 2-4. `extra` stands
 * for the first eight bytes. */
START_TEST(the_hash_is_siphash_1_3)
{
	static const struct {
		size_t len;
		uint64_t want;
	} vector[] = {
		{ 8, 0x369095118d299a8eu },  { 9, 0x25a48eb36c063de4u },
		{ 15, 0xd320d86d2a519956u }, { 16, 0xcc4fdd1a7d908b66u },
		{ 17, 0x9cf2689063dbd80cu }, { 31, 0x2370dd1f8c21d1bcu },
		{ 40, 0xc1d2363299e41531u }, { 63, 0x9d199062b7bbb3a8u },
	};
	uint8_t in[64];
	uint64_t extra = 0;

	for (unsigned i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	for (unsigned i = 0; i < 8; i++)
		extra |= (uint64_t)i << (8 * i);
	for (size_t i = 0; i < sizeof vector / sizeof vector[0]; i++)
		ck_assert_uint_eq(
			mu_hash(key, extra, in + 8, vector[i].len - 8),
			vector[i].want);
}
END_TEST

START_TEST(key_extra_and_bytes_all_count)
{
	static const uint8_t other[MU_HASH_KEY] = { 1 };
	uint64_t h = mu_hash(key, 1, "abc", 3);

	ck_assert_uint_ne(h, mu_hash(other, 1, "abc", 3));
	ck_assert_uint_ne(h, mu_hash(key, 2, "abc", 3));
	ck_assert_uint_ne(h, mu_hash(key, 1, "abd", 3));
	ck_assert_uint_ne(h, mu_hash(key, 1, "ab", 2));
	ck_assert_uint_ne(mu_hash(key, 1, "a\0", 2), mu_hash(key, 1, "a", 1));
	ck_assert_uint_eq(h, mu_hash(key, 1, "abc", 3));
}
END_TEST

START_TEST(what_was_inserted_is_found_until_it_is_removed)
{
	unsigned steps = 0;

	insert_all();
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert(holds(id, &steps));
	for (uint32_t id = 1; id <= THINGS; id += 2)
		mu_table_remove(&t, hash(id), id);
	ck_assert_uint_eq(t.count, THINGS / 2);
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert_int_eq(holds(id, &steps), id % 2 == 0);
}
END_TEST

START_TEST(chains_stay_short)
{
	unsigned steps = 0;

	insert_all();
	for (uint32_t id = 1; id <= THINGS; id++)
		holds(id, &steps);
	/* Half the load of 1.5 would be met on average, if all were even. */
	ck_assert_uint_lt(steps, THINGS * 3 / 2);
	ck_assert_uint_gt(t.buckets, THINGS / 2);
}
END_TEST

START_TEST(no_insert_moves_more_than_one_chain)
{
	unsigned most = 0;

	for (uint32_t id = 1; id <= THINGS; id++) {
		hashed = 0;
		mu_table_insert(&t, hash(id), id);
		most = hashed > most ? hashed : most;
	}
	ck_assert_uint_gt(most, 0);
	ck_assert_uint_lt(most, 32);
}
END_TEST

START_TEST(things_that_fall_together_are_all_kept)
{
	unsigned steps = 0;

	same = true;
	for (uint32_t id = 1; id <= 500; id++)
		mu_table_insert(&t, hash(id), id);
	ck_assert(holds(1, &steps));
	ck_assert(holds(500, &steps));
	for (uint32_t id = 1; id <= 500; id++)
		mu_table_remove(&t, hash(id), id);
	ck_assert_uint_eq(mu_table_first(&t, 7), 0);
}
END_TEST

START_TEST(an_insert_succeeds_without_memory_and_growth_catches_up)
{
	unsigned steps = 0;

	for (uint32_t id = 1; id <= THINGS; id++) {
		if (id <= THINGS / 2)
			fault_alloc_at(0);
		mu_table_insert(&t, hash(id), id);
		fault_alloc_off();
		if (id == THINGS / 2)
			ck_assert_uint_eq(t.buckets, MU_TABLE_SEGMENT);
	}
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert(holds(id, &steps));
	ck_assert_uint_gt(t.buckets, THINGS / 3);
}
END_TEST

START_TEST(a_refused_list_of_segments_is_only_a_delay)
{
	uint32_t id = 1;

	/* The fifth segment needs a longer list: refuse the one, then the
	 * other, at the insert that wants them. */
	while (t.segments < 4 || t.count / 3 < t.buckets / 2 ||
	       t.buckets < 4 * MU_TABLE_SEGMENT) {
		mu_table_insert(&t, hash(id), id);
		id++;
	}
	for (unsigned k = 0; k < 2; k++) {
		fault_alloc_at(k);
		mu_table_insert(&t, hash(id), id);
		id++;
		ck_assert(fault_alloc_off());
		ck_assert_uint_eq(t.segments, 4);
	}
	mu_table_insert(&t, hash(id), id);
	ck_assert_uint_eq(t.segments, 5);
}
END_TEST

START_TEST(a_table_that_was_reserved_does_not_grow_and_finds_all)
{
	unsigned steps = 0;
	uint32_t buckets;

	mu_table_reserve(&t, THINGS);
	buckets = t.buckets;
	ck_assert_uint_ge(buckets, THINGS / 3 * 2);
	insert_all();
	ck_assert_uint_eq(t.buckets, buckets);
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert(holds(id, &steps));
	ck_assert_uint_lt(steps, 2 * THINGS);
}
END_TEST

START_TEST(what_memory_does_not_reserve_grows_later)
{
	unsigned steps = 0;

	fault_alloc_at(0);
	mu_table_reserve(&t, THINGS);
	ck_assert(fault_alloc_off());
	ck_assert_uint_eq(t.buckets, MU_TABLE_SEGMENT);
	insert_all();
	ck_assert_uint_gt(t.buckets, THINGS / 3);
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert(holds(id, &steps));
}
END_TEST

static uint32_t visits[THINGS + 1];

static void visit(void *arg, uint32_t id)
{
	++*(uint32_t *)arg;
	visits[id]++;
}

START_TEST(each_visits_all_once)
{
	uint32_t n = 0;

	insert_all();
	mu_table_each(&t, visit, &n);
	ck_assert_uint_eq(n, THINGS);
	for (uint32_t id = 1; id <= THINGS; id++)
		ck_assert_uint_eq(visits[id], 1);
}
END_TEST

START_TEST(a_table_without_memory_may_be_finished)
{
	struct mu_table u;
	uint32_t n = 0;

	for (unsigned k = 0; k < 2; k++) {
		fault_alloc_at(k);
		ck_assert_int_eq(mu_table_init(&u, &ops, next), MU_ENOMEM);
		ck_assert(fault_alloc_off());
		mu_table_each(&u, visit, &n);
		mu_table_fini(&u);
	}
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(removing_what_is_not_held_is_a_bug)
{
	mu_table_remove(&t, hash(1), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hash");
	TCase *c = tcase_create("hash");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, the_hash_is_siphash_1_3);
	tcase_add_test(c, key_extra_and_bytes_all_count);
	tcase_add_test(c, what_was_inserted_is_found_until_it_is_removed);
	tcase_add_test(c, chains_stay_short);
	tcase_add_test(c, no_insert_moves_more_than_one_chain);
	tcase_add_test(c, things_that_fall_together_are_all_kept);
	tcase_add_test(c,
	               an_insert_succeeds_without_memory_and_growth_catches_up);
	tcase_add_test(c, a_refused_list_of_segments_is_only_a_delay);
	tcase_add_test(c,
	               a_table_that_was_reserved_does_not_grow_and_finds_all);
	tcase_add_test(c, what_memory_does_not_reserve_grows_later);
	tcase_add_test(c, each_visits_all_once);
	tcase_add_test(c, a_table_without_memory_may_be_finished);
	tcase_add_test_raise_signal(c, removing_what_is_not_held_is_a_bug,
	                            SIGABRT);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
