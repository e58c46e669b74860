/*
 * replay.h - the corpus of a fuzz target in an ordinary test: each file, each of
 * its beginnings, and each of its bytes changed in turn.
 */
#ifndef MU_TEST_REPLAY_H
#define MU_TEST_REPLAY_H

#include <check.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS MU_SOURCE "/tests/fuzz/corpus"
#define INPUT_MAX 4096

typedef int target_fn(const uint8_t *bytes, size_t len);

/* In memory of exactly its size, so that a sanitizer sees a read past it. */
static inline void feed(target_fn *target, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	ck_assert_int_eq(target(copy, len), 0);
	free(copy);
}

static inline void feed_all_forms(target_fn *target, uint8_t *bytes, size_t len)
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

static inline size_t read_input(const char *dir, const char *name,
                                uint8_t *bytes)
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

static inline size_t replay(target_fn *target, const char *dir)
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

#endif /* MU_TEST_REPLAY_H */
