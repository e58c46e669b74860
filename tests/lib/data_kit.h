/*
 * data_kit.h - a data directory made by hand: snapshots and a journal of the
 * commands of a script (snapshot_kit.h), whole or with something wrong.
 */
#ifndef MU_TEST_DATA_KIT_H
#define MU_TEST_DATA_KIT_H

#include "snapshot_kit.h"

#include "clock.h"
#include "logrec.h"
#include "mem.h"
#include "segments.h"
#include "snapfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char kit_dir[64];

static inline void kit_dir_make(void)
{
	strcpy(kit_dir, "/tmp/muster-data-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(kit_dir));
}

static inline void kit_dir_remove(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", kit_dir);
	ck_assert_int_eq(system(command), 0);
}

/* Good until the fourth call after. */
static inline const char *kit_path(const char *name)
{
	static char path[4][400];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof path[0], "%s/%s", kit_dir, name);
	return out;
}

static inline bool kit_has(const char *name)
{
	return access(kit_path(name), F_OK) == 0;
}

/* Names that begin so; the first of them, by strcmp, in `first` if not NULL. */
static inline unsigned kit_count(const char *prefix, char first[256])
{
	DIR *d = opendir(kit_dir);
	unsigned count = 0;

	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (first && (count == 0 || strcmp(e->d_name, first) < 0))
			strcpy(first, e->d_name);
		count++;
	}
	closedir(d);
	return count;
}

static inline off_t kit_size(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(kit_path(name), &st), 0);
	return st.st_size;
}

/* Turn some bits of a byte. */
static inline void kit_spoil(const char *name, off_t at, uint8_t bits)
{
	int fd = open(kit_path(name), O_RDWR);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= bits;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static inline struct mu_disk *kit_disk(const char *dir)
{
	struct mu_disk *d;

	ck_assert_int_eq(mu_disk_open(dir, &d, NULL), 0);
	return d;
}

static inline void kit_snapshot_in(const char *dir, const struct mu_store *s)
{
	struct mu_disk *d = kit_disk(dir);
	struct mu_err err = { 0 };
	uint64_t bytes;

	ck_assert_msg(mu_snapfile_write(d, s, &bytes, &err) == 0, "%s",
	              err.msg);
	d->free(d);
}

static inline void kit_snapshot(const struct mu_store *s)
{
	kit_snapshot_in(kit_dir, s);
}

static inline int kit_ignore(void *arg, uint64_t index, const void *bytes,
                             size_t len, struct mu_err *err)
{
	(void)arg, (void)index, (void)bytes, (void)len, (void)err;
	return 0;
}

/* The script's commands from..to (counted from 1), one batch each, in segments of
 * the least size; behind what is there. */
static inline void kit_journal(const struct script *c, int64_t tree_id,
                               uint64_t from, uint64_t to)
{
	const struct mu_segments_config how = { .segment_bytes =
		                                        MU_SEGMENT_BYTES_MIN,
		                                .tree_id = tree_id };
	struct mu_disk *d = kit_disk(kit_dir);
	const uint8_t *at = c->all.data;
	struct mu_segments *s;
	struct mu_buf b = { 0 };
	struct mu_err err = { 0 };
	uint32_t len;

	ck_assert_uint_le(to, c->count);
	ck_assert_msg(mu_segments_open(d, &how, &s, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(
		mu_segments_replay(s, from - 1, kit_ignore, NULL, &err), 0);
	for (uint64_t i = 1; i <= to; i++, at += sizeof len + len) {
		memcpy(&len, at, sizeof len);
		if (i < from)
			continue;
		mu_buf_reset(&b);
		ck_assert_int_eq(mu_log_put(&b, 1, i, at + sizeof len, len), 0);
		ck_assert_msg(mu_segments_write(s, b.data, b.len, &err) == 0,
		              "%s", err.msg);
	}
	ck_assert_int_eq(mu_segments_finish(s, &err), 0);
	mu_buf_fini(&b);
	mu_segments_free(s);
	d->free(d);
}

/* Eight bytes in the middle of a snapshot. */
static inline void kit_spoil_snapshot(uint64_t index)
{
	char name[MU_SNAPFILE_NAME_MAX];

	mu_snapfile_name(index, name);
	kit_spoil(name, kit_size(name) / 2, 8);
}

/* What is said on a descriptor, from here to kit_hear: in a file. */
static inline int kit_listen(int fd)
{
	char path[] = "/tmp/muster-said-XXXXXX";
	int file = mkstemp(path), kept = dup(fd);

	ck_assert(file >= 0 && kept >= 0);
	unlink(path);
	fflush(stdout);
	ck_assert_int_eq(dup2(file, fd), fd);
	close(file);
	return kept;
}

/* free() it. */
static inline char *kit_hear(int fd, int kept)
{
	off_t len;
	char *text;

	fflush(stdout);
	len = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)len + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(fd, text, (size_t)len, 0), len);
	ck_assert_int_eq(dup2(kept, fd), fd);
	close(kept);
	return text;
}

#define kit_says(all, text) \
	ck_assert_msg(strstr(all, text) != NULL, "no \"%s\" in \"%s\"", text, \
	              all)

#endif /* MU_TEST_DATA_KIT_H */
