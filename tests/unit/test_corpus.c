/*
 * The corpus of the fuzz targets of the core, replayed. A target ends the process
 * where a codec, the store or the link breaks its word, and Check tells of it.
 */
#include "../fuzz/replay.h"

#define FUZZ_ENTRY fuzz_proto
#include "../fuzz/fuzz_proto.c"
#undef FUZZ_ENTRY
#define FUZZ_ENTRY fuzz_chan
#include "../fuzz/fuzz_chan.c"
#undef FUZZ_ENTRY
#define FUZZ_ENTRY fuzz_store
#include "../fuzz/fuzz_store.c"
#undef FUZZ_ENTRY
#define FUZZ_ENTRY fuzz_link
#include "../fuzz/fuzz_link.c"
#undef FUZZ_ENTRY
#define FUZZ_ENTRY fuzz_snapshot
#include "../fuzz/fuzz_snapshot.c"

START_TEST(the_protocol_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_proto, CORPUS "/proto"), RECORD_COUNT);
}
END_TEST

START_TEST(the_channel_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_chan, CORPUS "/chan"), CHAN_RECORD_COUNT);
}
END_TEST

START_TEST(the_store_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_store, CORPUS "/store"), 12);
}
END_TEST

START_TEST(the_link_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_link, CORPUS "/link"), 14);
}
END_TEST

START_TEST(the_snapshot_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_snapshot, CORPUS "/snapshot"), 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("corpus");
	TCase *tc = tcase_create("replay");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_protocol_survives_its_corpus);
	tcase_add_test(tc, the_channel_survives_its_corpus);
	tcase_add_test(tc, the_store_survives_its_corpus);
	tcase_add_test(tc, the_link_survives_its_corpus);
	tcase_add_test(tc, the_snapshot_survives_its_corpus);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
