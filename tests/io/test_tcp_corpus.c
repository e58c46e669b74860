/* The corpus of the TCP carrier's fuzz target, replayed; see tests/fuzz/replay.h. Its
 * sockets, clock and log are the target's own, so nothing of agent/io is linked. */
#include "../fuzz/replay.h"

#define FUZZ_ENTRY fuzz_tcp
#include "../fuzz/fuzz_tcp.c"

START_TEST(the_tcp_carrier_survives_its_corpus)
{
	ck_assert_uint_ge(replay(fuzz_tcp, CORPUS "/tcp"), 23);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tcp_corpus");
	TCase *tc = tcase_create("replay");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_tcp_carrier_survives_its_corpus);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
