#include "snapfile.h"

#include "buf.h"
#include "err.h"
#include "mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "snapshot-"
#define DIGITS 20u
#define TMP ".tmp"
#define READ_BYTES (1u << 20)
#define SYNC_BYTES (8u << 20)

/* ---- names ---- */

void mu_snapfile_name(uint64_t index, char out[MU_SNAPFILE_NAME_MAX])
{
	snprintf(out, MU_SNAPFILE_NAME_MAX, PREFIX "%0*" PRIu64, (int)DIGITS,
	         index);
}

bool mu_snapfile_index(const char *name, uint64_t *index)
{
	char again[MU_SNAPFILE_NAME_MAX];
	char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	*index = strtoull(name + strlen(PREFIX), &end, 10);
	mu_snapfile_name(*index, again);
	return strcmp(name, again) == 0;
}

static bool is_unfinished(const char *name)
{
	char whole[MU_SNAPFILE_NAME_MAX];
	size_t len = strlen(name);
	uint64_t index;

	if (len <= strlen(TMP) || len >= sizeof whole ||
	    strcmp(name + len - strlen(TMP), TMP) != 0)
		return false;
	memcpy(whole, name, len - strlen(TMP));
	whole[len - strlen(TMP)] = '\0';
	return mu_snapfile_index(whole, &index);
}

/* ---- errors ---- */

static int disk_error(struct mu_err *err, const char *verb, const char *name,
                      int64_t rc)
{
	int number = (int)-rc;
	bool full = number == ENOSPC || number == EDQUOT || number == EROFS ||
	            number == EFBIG;

	return mu_err(err, full ? MU_ENOSPACE : MU_EIO, "cannot %s %s: %s",
	              verb, name, strerror(number));
}

/* ---- writing ---- */

struct out {
	struct mu_disk *d;
	const char *name;
	int fd;
	uint64_t at, synced;
	struct mu_err *err;
};

static int put(void *arg, const void *bytes, size_t len)
{
	struct out *o = arg;
	const uint8_t *p = bytes;
	int rc = 0;

	while (len > 0) {
		ssize_t n = o->d->write(o->d, o->fd, p, len, o->at);

		if (n <= 0)
			return disk_error(o->err, "write", o->name,
			                  n ? n : -EIO);
		p += n;
		len -= (size_t)n;
		o->at += (uint64_t)n;
	}
	if (o->at - o->synced >= SYNC_BYTES) {
		rc = o->d->sync(o->d, o->fd);
		o->synced = o->at;
	}
	return rc ? disk_error(o->err, "sync", o->name, rc) : 0;
}

static int write_tmp(struct mu_disk *d, const struct mu_store *s,
                     const char *tmp, uint64_t *bytes, struct mu_err *err)
{
	struct out o = { .d = d, .name = tmp, .err = err };
	int rc;

	d->unlink(d, tmp); /* of a child that was killed */
	o.fd = d->create(d, tmp);
	if (o.fd < 0)
		return disk_error(err, "make", tmp, o.fd);
	rc = mu_snapshot_write(s, put, &o);
	if (rc == MU_ENOMEM)
		mu_err(err, rc, "no memory for writing a snapshot");
	if (!rc) {
		rc = d->sync(d, o.fd);
		if (rc)
			rc = disk_error(err, "sync", tmp, rc);
	}
	d->close(d, o.fd);
	*bytes = o.at;
	return rc;
}

static int put_in_place(struct mu_disk *d, const char *tmp, const char *name,
                        struct mu_err *err)
{
	int rc = d->rename(d, tmp, name);

	if (rc)
		return disk_error(err, "rename", tmp, rc);
	rc = d->sync_dir(d);
	if (!rc)
		return 0;
	d->unlink(d, name);
	return disk_error(err, "sync the directory of", name, rc);
}

int mu_snapfile_write(struct mu_disk *d, const struct mu_store *s,
                      uint64_t *bytes, struct mu_err *err)
{
	char name[MU_SNAPFILE_NAME_MAX], tmp[MU_SNAPFILE_NAME_MAX];
	int rc;

	mu_snapfile_name(mu_store_index(s), name);
	mu_snapfile_name(mu_store_index(s), tmp);
	memcpy(tmp + strlen(tmp), TMP, sizeof TMP);
	rc = write_tmp(d, s, tmp, bytes, err);
	if (!rc)
		rc = put_in_place(d, tmp, name, err);
	if (rc)
		d->unlink(d, tmp);
	return rc;
}

/* ---- reading ---- */

/* What is wanted of a file, and what came of it. */
struct in {
	struct mu_disk *d;
	uint64_t index;
	const struct mu_store_config *config; /* NULL: only look */
	struct mu_when when;
	mu_progress_fn *progress;
	void *arg;
	struct mu_store *store;
	struct mu_snapshot_info info;
};

static int feed_all(struct in *in, int fd, uint64_t total,
                    struct mu_snapload *l, struct mu_err *err)
{
	uint8_t *bytes = mu_alloc(READ_BYTES);
	uint64_t at = 0;
	ssize_t n = 0;
	int rc = 0;

	if (!bytes)
		return mu_err(err, MU_ENOMEM, "no memory for reading");
	while (!rc && (n = in->d->read(in->d, fd, bytes, READ_BYTES, at)) > 0) {
		rc = mu_snapload_feed(l, bytes, (size_t)n, err);
		at += (uint64_t)n;
		if (!rc && in->progress)
			in->progress(in->arg, at, total);
	}
	mu_free(bytes);
	if (n < 0)
		return mu_err(err, MU_EIO, "byte %llu cannot be read: %s",
		              (unsigned long long)at, strerror((int)-n));
	return rc;
}

static int read_open(struct in *in, int fd, struct mu_err *err)
{
	int64_t total = in->d->size(in->d, fd);
	struct mu_snapload *l;
	int rc;

	if (total < 0)
		return mu_err(err, MU_EIO, "its size cannot be read: %s",
		              strerror((int)-total));
	rc = mu_snapload_new(in->config, in->when, (uint64_t)total, &l, err);
	if (rc)
		return rc;
	rc = feed_all(in, fd, (uint64_t)total, l, err);
	if (!rc)
		rc = mu_snapload_done(l, in->config ? &in->store : NULL, err);
	if (!rc)
		in->info = *mu_snapload_info(l);
	mu_snapload_free(l);
	if (rc || in->info.index == in->index)
		return rc;
	mu_store_free(in->store);
	in->store = NULL;
	return mu_err(err, MU_EDATA, "it is one of index %llu under its name",
	              (unsigned long long)in->info.index);
}

static int read_file(struct in *in, struct mu_err *err)
{
	char name[MU_SNAPFILE_NAME_MAX];
	struct mu_err why = { 0 };
	int fd, rc;

	mu_snapfile_name(in->index, name);
	fd = in->d->open(in->d, name, false);
	if (fd < 0)
		return mu_err(err, fd == -ENOENT ? MU_ENONODE : MU_EIO,
		              "cannot open %s: %s", name, strerror(-fd));
	rc = read_open(in, fd, &why);
	in->d->close(in->d, fd);
	return rc ? mu_err(err, rc, "%s: %s", name, why.msg) : 0;
}

int mu_snapfile_check(struct mu_disk *d, uint64_t index,
                      const struct mu_store_config *deep,
                      struct mu_snapshot_info *info, struct mu_err *err)
{
	struct in in = { .d = d, .index = index, .config = deep };
	int rc = read_file(&in, err);

	mu_store_free(in.store);
	if (!rc && info)
		*info = in.info;
	return rc;
}

/* ---- all of them ---- */

static int keep_index(void *arg, const char *name)
{
	struct mu_buf *b = arg;
	uint64_t index;

	if (mu_snapfile_index(name, &index))
		mu_buf_put(b, &index, sizeof index);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? 1 : x > y ? -1 : 0;
}

int mu_snapfile_list(struct mu_disk *d, uint64_t **list, size_t *count,
                     struct mu_err *err)
{
	struct mu_buf b = { 0 };
	uint8_t *bytes;
	int rc = d->list(d, keep_index, &b);

	if (!rc && mu_buf_failed(&b))
		rc = -ENOMEM;
	if (rc) {
		mu_buf_fini(&b);
		return rc == -ENOMEM
		               ? mu_err(err, MU_ENOMEM, "no memory for names")
		               : disk_error(err, "list", "the directory", rc);
	}
	*count = b.len / sizeof **list;
	if (*count)
		qsort(b.data, *count, sizeof **list, newest_first);
	mu_buf_take(&b, &bytes);
	*list = (uint64_t *)(void *)bytes;
	return 0;
}

/* ---- the newest that is good ---- */

static bool stops(int rc)
{
	return rc == MU_EUNIMPLEMENTED || rc == MU_ENOMEM || rc == MU_EINVAL;
}

/* `bad` says what is wrong with the last one that was tried; `next` would be
 * the one to begin with instead, 0 for none. */
static int pass_over(const struct mu_snapfile_load *how,
                     const struct mu_err *bad, uint64_t next,
                     struct mu_err *err)
{
	char name[MU_SNAPFILE_NAME_MAX];

	if (how->reaches && how->reaches(how->arg, next)) {
		if (how->passed)
			how->passed(how->arg, bad->msg);
		return 0;
	}
	mu_snapfile_name(next, name);
	return mu_err(err, MU_EDATA,
	              "%.300s; the journal does not reach back to %s: put "
	              "that file back from a copy, or begin with an empty "
	              "directory and a backup",
	              bad->msg, next ? name : "its beginning");
}

int mu_snapfile_load(struct mu_disk *d, const struct mu_snapfile_load *how,
                     struct mu_store **out, struct mu_snapshot_info *info,
                     struct mu_err *err)
{
	struct in in = { .d = d,
		         .config = how->config,
		         .when = how->when,
		         .progress = how->progress,
		         .arg = how->arg };
	struct mu_err why = { 0 };
	uint64_t *list = NULL;
	size_t count = 0;
	int rc = mu_snapfile_list(d, &list, &count, err);

	*out = NULL;
	for (size_t i = 0; !rc && i < count && !in.store; i++) {
		in.index = list[i];
		rc = read_file(&in, &why);
		if (stops(rc))
			mu_err(err, rc, "%s", why.msg);
		else if (rc)
			rc = pass_over(how, &why,
			               i + 1 < count ? list[i + 1] : 0, err);
	}
	mu_free(list);
	if (rc)
		return rc;
	*out = in.store;
	if (in.store)
		*info = in.info;
	return 0;
}

/* ---- less of them ---- */

static int remove_one(struct mu_disk *d, const char *name, struct mu_err *err)
{
	int rc = d->unlink(d, name);

	return rc && rc != -ENOENT ? disk_error(err, "remove", name, rc) : 0;
}

static int remove_index(struct mu_disk *d, uint64_t index, struct mu_err *err)
{
	char name[MU_SNAPFILE_NAME_MAX];

	mu_snapfile_name(index, name);
	return remove_one(d, name, err);
}

static int sync_names(struct mu_disk *d, struct mu_err *err)
{
	int rc = d->sync_dir(d);

	return rc ? disk_error(err, "sync", "the directory", rc) : 0;
}

int mu_snapfile_purge(struct mu_disk *d, uint32_t keep, uint64_t *oldest,
                      struct mu_err *err)
{
	uint64_t *list;
	size_t count;
	int rc = mu_snapfile_list(d, &list, &count, err);

	if (rc)
		return rc;
	if (keep == 0)
		keep = 1;
	*oldest = count >= keep ? list[keep - 1] : 0;
	/* The oldest first: what is left never has a gap. */
	for (size_t i = count; i > keep && !rc; i--)
		rc = remove_index(d, list[i - 1], err);
	if (!rc && count > keep)
		rc = sync_names(d, err);
	mu_free(list);
	return rc;
}

static int keep_name(void *arg, const char *name)
{
	struct mu_buf *b = arg;

	if (is_unfinished(name))
		mu_buf_put(b, name, strlen(name) + 1);
	return 0;
}

int mu_snapfile_clean(struct mu_disk *d, struct mu_err *err)
{
	struct mu_buf names = { 0 };
	int rc = d->list(d, keep_name, &names);

	if (rc)
		rc = disk_error(err, "list", "the directory", rc);
	else if (mu_buf_failed(&names))
		rc = mu_err(err, MU_ENOMEM, "no memory for names");
	for (size_t at = 0; !rc && at < names.len;) {
		const char *name = (const char *)names.data + at;

		rc = remove_one(d, name, err);
		at += strlen(name) + 1;
	}
	if (!rc && names.len)
		rc = sync_names(d, err);
	mu_buf_fini(&names);
	return rc;
}

/* ---- taking one ---- */

/* Is there one of this index that is good already? *bytes: its size. */
static bool is_there(struct mu_disk *d, uint64_t index, uint64_t *bytes)
{
	char name[MU_SNAPFILE_NAME_MAX];
	struct mu_err ignored;
	int64_t size = -1;
	int fd;

	mu_snapfile_name(index, name);
	fd = d->open(d, name, false);
	if (fd >= 0) {
		size = d->size(d, fd);
		d->close(d, fd);
	}
	*bytes = (uint64_t)size;
	return size >= 0 &&
	       mu_snapfile_check(d, index, NULL, NULL, &ignored) == 0;
}

int mu_snapfile_take(struct mu_disk *d, const struct mu_store *s, uint32_t keep,
                     struct mu_snapfile_taken *out, struct mu_err *err)
{
	struct mu_err why = { 0 };
	int rc;

	*out = (struct mu_snapfile_taken){ .index = mu_store_index(s) };
	(void)mu_snapfile_clean(d,
	                        NULL); /* it may make the room for this one */
	if (!is_there(d, out->index, &out->bytes)) {
		rc = mu_snapfile_write(d, s, &out->bytes, err);
		if (rc)
			return rc;
		rc = mu_snapfile_check(d, out->index, NULL, NULL, &why);
		if (rc) {
			remove_index(d, out->index, NULL);
			return mu_err(err, rc,
			              "what was written does not read back: %s",
			              why.msg);
		}
	}
	return mu_snapfile_purge(d, keep, &out->oldest, err);
}
