/* The contract of agent/core/heap.h. */
#include "heap.h"

#include "fault.h"

#include <check.h>
#include <muster/types.h>
#include <signal.h>
#include <stdlib.h>

#define IDS 500u

static struct mu_heap h;
static uint32_t at[IDS];

static void moved(const void *arg, uint32_t id, uint32_t place)
{
	ck_assert_ptr_eq(arg, &h);
	at[id] = place;
}

static void setup(void)
{
	mu_heap_init(&h, moved, &h);
	ck_assert_int_eq(mu_heap_reserve(&h, IDS), 0);
	srand(1);
}

static void teardown(void)
{
	mu_heap_fini(&h);
}

static void assert_is_a_heap(void)
{
	for (uint32_t i = 0; i < h.len; i++) {
		ck_assert_uint_eq(at[h.entry[i].id], i);
		if (i > 0)
			ck_assert_uint_le(h.entry[(i - 1) / 2].key,
			                  h.entry[i].key);
	}
}

static void fill(void)
{
	for (uint32_t i = 0; i < IDS; i++)
		mu_heap_push(&h, (uint64_t)rand() % 100, i);
	assert_is_a_heap();
}

START_TEST(the_least_key_is_on_top)
{
	uint64_t last = 0;

	fill();
	for (uint32_t n = IDS; n > 0; n--) {
		ck_assert_uint_eq(h.len, n);
		ck_assert_uint_ge(h.entry[0].key, last);
		last = h.entry[0].key;
		mu_heap_remove(&h, 0);
		assert_is_a_heap();
	}
}
END_TEST

START_TEST(any_id_can_be_taken_out)
{
	fill();
	for (uint32_t i = 0; i < IDS; i++) {
		mu_heap_remove(&h, at[i]);
		assert_is_a_heap();
	}
	ck_assert_uint_eq(h.len, 0);
}
END_TEST

START_TEST(a_key_may_grow_and_shrink)
{
	fill();
	for (uint32_t i = 0; i < IDS; i++) {
		uint64_t key = (uint64_t)rand() % 200;

		mu_heap_rekey(&h, at[i], key);
		ck_assert_uint_eq(h.entry[at[i]].key, key);
		assert_is_a_heap();
	}
}
END_TEST

START_TEST(reserving_what_there_is_asks_for_nothing)
{
	uint32_t room = h.room;

	fault_alloc_at(0);
	ck_assert_int_eq(mu_heap_reserve(&h, room), 0);
	ck_assert(!fault_alloc_off());
}
END_TEST

START_TEST(a_refused_reserve_changes_nothing)
{
	uint32_t room = h.room;

	fill();
	fault_alloc_at(0);
	ck_assert_int_eq(mu_heap_reserve(&h, room + 1), MU_ENOMEM);
	ck_assert(fault_alloc_off());
	ck_assert_uint_eq(h.room, room);
	assert_is_a_heap();
	ck_assert_int_eq(mu_heap_reserve(&h, UINT32_MAX), MU_ENOMEM);
}
END_TEST

START_TEST(pushing_without_room_is_a_bug)
{
	h.len = h.room;
	mu_heap_push(&h, 1, 0);
}
END_TEST

START_TEST(removing_what_is_not_there_is_a_bug)
{
	mu_heap_remove(&h, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("heap");
	TCase *c = tcase_create("heap");
	SRunner *r;
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, the_least_key_is_on_top);
	tcase_add_test(c, any_id_can_be_taken_out);
	tcase_add_test(c, a_key_may_grow_and_shrink);
	tcase_add_test(c, reserving_what_there_is_asks_for_nothing);
	tcase_add_test(c, a_refused_reserve_changes_nothing);
	tcase_add_test_raise_signal(c, pushing_without_room_is_a_bug, SIGABRT);
	tcase_add_test_raise_signal(c, removing_what_is_not_there_is_a_bug,
	                            SIGABRT);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
