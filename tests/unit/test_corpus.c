/*
 * The corpus of the fuzz targets, replayed: each file, each of its beginnings,
 * and each of its bytes changed in turn. A target ends the process where a
 * codec, the store or the link breaks its word, and Check tells of it.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define CORPUS MU_SOURCE "/tests/fuzz/corpus"
#define INPUT_MAX 4096

typedef int target_fn(const uint8_t *bytes, size_t len);

/* In memory of exactly its size, so that a sanitizer sees a read past it. */
static void feed(target_fn *target, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	ck_assert_int_eq(target(copy, len), 0);
	free(copy);
}

static void feed_all_forms(target_fn *target, uint8_t *bytes, size_t len)
{
	static const uint8_t turn[] = { 0x01, 0x7f, 0x80, 0xff };

	for (size_t n = 0; n <= len; n++)
		feed(target, bytes, n);
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < sizeof turn; k++) {
			bytes[i] ^= turn[k];
			feed(target, bytes, len);
			bytes[i] ^= turn[k];
		}
	}
}

static size_t read_input(const char *dir, const char *name, uint8_t *bytes)
{
	char path[1024];
	FILE *f;
	size_t len;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "cannot open %s", path);
	len = fread(bytes, 1, INPUT_MAX, f);
	fclose(f);
	ck_assert_msg(len > 0 && len < INPUT_MAX, "%s: %zu bytes", path, len);
	return len;
}

static size_t replay(target_fn *target, const char *dir)
{
	uint8_t bytes[INPUT_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *d = opendir(dir);

	ck_assert_msg(d != NULL, "cannot open %s", dir);
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		feed_all_forms(target, bytes,
		               read_input(dir, entry->d_name, bytes));
		count++;
	}
	closedir(d);
	return count;
}

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
	ck_assert_uint_ge(replay(fuzz_link, CORPUS "/link"), 10);
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
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
