#include "segments.h"

#include "bug.h"
#include "err.h"
#include "mem.h"
#include "segments_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_DIGITS 20
#define TEMP ".tmp"

/* ---- what went wrong ------------------------------------------------------------ */

static int code_of(int rc)
{
	switch (-rc) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
		return MU_ENOSPACE;
	case ENOMEM:
		return MU_ENOMEM;
	default:
		return MU_EIO;
	}
}

int mu_segments_refused(struct mu_err *err, int rc, const char *doing,
                        const char *name)
{
	return mu_err(err, code_of(rc), "cannot %s %s: %s", doing, name,
	              strerror(-rc));
}

int mu_segments_lied(struct mu_segments *s, struct mu_err *err, int rc,
                     const char *name)
{
	s->lied = true;
	mu_err(&s->lie, MU_EDATA,
	       "fdatasync of %s failed (%s): what is on the disk is not known "
	       "any more; look at the disk, then start again",
	       name, strerror(-rc));
	return mu_err(err, MU_EDATA, "%s", s->lie.msg);
}

static int still_lies(const struct mu_segments *s, struct mu_err *err)
{
	return mu_err(err, MU_EDATA, "%s", s->lie.msg);
}

int mu_segments_sync(struct mu_segments *s, int fd, const char *name,
                     struct mu_err *err)
{
	const int rc = s->disk->sync(s->disk, fd);

	s->syncs++;
	return rc < 0 ? mu_segments_lied(s, err, rc, name) : 0;
}

int mu_segments_sync_dir(struct mu_segments *s, struct mu_err *err)
{
	const int rc = s->disk->sync_dir(s->disk);

	return rc < 0 ? mu_segments_lied(s, err, rc, "the data directory") : 0;
}

/* ---- names ---------------------------------------------------------------------- */

void mu_segment_name(char out[MU_SEGMENT_NAME_MAX], uint64_t first)
{
	mu_format(out, MU_SEGMENT_NAME_MAX, MU_SEGMENT_NAME "%0*" PRIu64,
	          NAME_DIGITS, first);
}

/* The first index that a name tells; 0: it is not the name of a segment. */
static uint64_t name_first(const char *name, const char **rest)
{
	const size_t front = strlen(MU_SEGMENT_NAME);
	uint64_t first = 0;

	if (strncmp(name, MU_SEGMENT_NAME, front) != 0)
		return 0;
	for (size_t i = 0; i < NAME_DIGITS; i++) {
		const char c = name[front + i];

		if (c < '0' || c > '9' ||
		    first > (UINT64_MAX - (uint64_t)(c - '0')) / 10)
			return 0;
		first = first * 10 + (uint64_t)(c - '0');
	}
	*rest = name + front + NAME_DIGITS;
	return first;
}

/* ---- opening -------------------------------------------------------------------- */

static int list_add(struct mu_segments *s, uint64_t first)
{
	if (s->count == s->room) {
		const size_t room = s->room ? s->room * 2 : 16;
		struct mu_segment *list =
			mu_realloc(s->list, room * sizeof *list);

		if (!list)
			return MU_ENOMEM;
		s->list = list;
		s->room = room;
	}
	s->list[s->count++] = (struct mu_segment){ .first = first };
	return 0;
}

static int on_name(void *arg, const char *name)
{
	struct mu_segments *s = arg;
	const char *rest = "";
	const uint64_t first = name_first(name, &rest);

	return first > 0 && rest[0] == '\0' ? list_add(s, first) : 0;
}

/* Unfinished ones, one at a time: a directory that changes is listed anew. */
static int on_temp(void *arg, const char *name)
{
	const char *rest = "";

	if (name_first(name, &rest) == 0 || strcmp(rest, TEMP) != 0)
		return 0;
	mu_format(arg, MU_SEGMENT_NAME_MAX, "%s", name);
	return 1;
}

static int temps_remove(struct mu_segments *s, struct mu_err *err)
{
	char name[MU_SEGMENT_NAME_MAX];
	int rc;

	while ((rc = s->disk->list(s->disk, on_temp, name)) == 1) {
		rc = s->disk->unlink(s->disk, name);
		if (rc < 0)
			return mu_segments_refused(err, rc, "remove", name);
	}
	return rc < 0 ? mu_segments_refused(err, rc, "list",
	                                    "the data directory")
	              : 0;
}

static int by_first(const void *a, const void *b)
{
	const uint64_t x = ((const struct mu_segment *)a)->first;
	const uint64_t y = ((const struct mu_segment *)b)->first;

	return x < y ? -1 : x > y;
}

static int head_read(struct mu_segments *s, struct mu_segment *seg,
                     const char *name, uint8_t head[MU_LOG_HEAD],
                     struct mu_err *err)
{
	ssize_t got = 0;
	int64_t size;
	int fd = s->disk->open(s->disk, name, false);

	if (fd < 0)
		return mu_segments_refused(err, fd, "open", name);
	size = s->disk->size(s->disk, fd);
	if (size >= MU_LOG_HEAD)
		got = s->disk->read(s->disk, fd, head, MU_LOG_HEAD, 0);
	s->disk->close(s->disk, fd);
	if (size < 0 || got < 0)
		return mu_segments_refused(err, (int)(size < 0 ? size : got),
		                           "read", name);
	if (got < (ssize_t)MU_LOG_HEAD)
		memset(head, 0, MU_LOG_HEAD); /* no magic */
	seg->bytes = (uint64_t)size;
	return 0;
}

/* A damaged head is told and remembered. */
static int head_check(struct mu_segments *s, size_t i, struct mu_err *err)
{
	struct mu_segment *seg = &s->list[i];
	char name[MU_SEGMENT_NAME_MAX];
	uint8_t head[MU_LOG_HEAD];
	struct mu_err why = { 0 };
	int rc;

	mu_segment_name(name, seg->first);
	rc = head_read(s, seg, name, head, err);
	if (rc)
		return rc;
	rc = mu_log_head_decode(head, &seg->head, &why);
	if (rc == MU_EABI)
		return mu_err(err, MU_EDATA, "%s %s", name, why.msg);
	if (rc == 0 && seg->head.first != seg->first) {
		mu_err(&why, MU_EDATA, "begins with index %" PRIu64,
		       seg->head.first);
		rc = MU_EDATA;
	}
	if (rc) {
		s->damaged = true;
		memcpy(s->damage.file, name, sizeof name);
		s->damage.index = seg->first;
		s->damage.files = s->count - 1 - i;
		return mu_err(err, MU_EDATA,
		              "%s %s (offset 0, index %" PRIu64
		              ")" MU_SEGMENT_ADVICE,
		              name, why.msg, seg->first);
	}
	if (s->config.tree_id == 0)
		s->config.tree_id = seg->head.tree_id;
	if (s->config.tree_id != seg->head.tree_id)
		return mu_err(err, MU_EDATA,
		              "%s belongs to another tree: two brokers' files "
		              "are mixed in this directory",
		              name);
	return 0;
}

/* Behind a damaged head: for repair, what the others say, as far as they can. */
static void heads_behind(struct mu_segments *s, size_t i)
{
	for (; i < s->count; i++) {
		struct mu_segment *seg = &s->list[i];
		char name[MU_SEGMENT_NAME_MAX];
		uint8_t head[MU_LOG_HEAD];

		mu_segment_name(name, seg->first);
		if (head_read(s, seg, name, head, NULL) == 0 &&
		    mu_log_head_decode(head, &seg->head, NULL) == 0 &&
		    s->config.tree_id == 0)
			s->config.tree_id = seg->head.tree_id;
	}
}

static int find(struct mu_segments *s, struct mu_err *err)
{
	int rc = 0;

	if (!s->config.look_only)
		rc = temps_remove(s, err);
	if (rc)
		return rc;
	rc = s->disk->list(s->disk, on_name, s);
	if (rc == MU_ENOMEM)
		return mu_err(err, rc, "no memory left for the journal");
	if (rc < 0)
		return mu_segments_refused(err, rc, "list",
		                           "the data directory");
	if (s->count > 0)
		qsort(s->list, s->count, sizeof *s->list, by_first);
	for (size_t i = 0; i < s->count && rc == 0; i++) {
		rc = head_check(s, i, err);
		if (s->damaged)
			heads_behind(s, i + 1);
	}
	return rc;
}

int mu_segments_open(struct mu_disk *disk,
                     const struct mu_segments_config *config,
                     struct mu_segments **out, struct mu_err *err)
{
	struct mu_segments *s = mu_alloc(sizeof *s);
	int rc;

	*out = NULL;
	if (!s)
		return mu_err(err, MU_ENOMEM, "no memory left for the journal");
	s->disk = disk;
	s->config = *config;
	s->fd = -1;
	if (s->config.segment_bytes == 0)
		s->config.segment_bytes = MU_SEGMENT_BYTES;
	if (s->config.segment_bytes < MU_SEGMENT_BYTES_MIN)
		s->config.segment_bytes = MU_SEGMENT_BYTES_MIN;
	if (s->config.term == 0)
		s->config.term = 1;
	s->zeros = mu_alloc(MU_SEGMENT_AHEAD);
	rc = s->zeros
	             ? find(s, err)
	             : mu_err(err, MU_ENOMEM, "no memory left for the journal");
	if (rc && !s->damaged)
		mu_segments_free(s);
	else
		*out = s;
	return rc;
}

void mu_segments_free(struct mu_segments *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		s->disk->close(s->disk, s->fd);
	mu_free(s->zeros);
	mu_free(s->list);
	mu_free(s);
}

int64_t mu_segments_tree_id(const struct mu_segments *s)
{
	return s->config.tree_id;
}

void mu_segments_set_tree_id(struct mu_segments *s, int64_t tree_id)
{
	MU_BUG_ON(s->count > 0);
	s->config.tree_id = tree_id;
}

uint64_t mu_segments_durable(const struct mu_segments *s)
{
	return s->durable;
}

/* ---- finishing one -------------------------------------------------------------- */

int mu_segments_put(struct mu_segments *s, int fd, const void *p, size_t len,
                    uint64_t at)
{
	const uint8_t *from = p;

	while (len > 0) {
		ssize_t n = s->disk->write(s->disk, fd, from, len, at);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int mu_segments_seal(struct mu_segments *s, const struct mu_segment *seg,
                     int fd, uint64_t end, uint64_t last, struct mu_err *err)
{
	char name[MU_SEGMENT_NAME_MAX];
	uint8_t mark[MU_LOG_RECORD];
	int rc;

	mu_segment_name(name, seg->first);
	mu_log_mark(mark, s->config.term, last, seg->head.crc);
	rc = mu_segments_put(s, fd, mark, sizeof mark, end);
	if (rc == 0)
		rc = s->disk->truncate(s->disk, fd, end + sizeof mark);
	if (rc < 0) /* then without a mark */
		rc = s->disk->truncate(s->disk, fd, end);
	if (rc < 0)
		return mu_segments_refused(err, rc, "cut", name);
	return mu_segments_sync(s, fd, name, err);
}

static void leave(struct mu_segments *s)
{
	if (s->fd >= 0)
		s->disk->close(s->disk, s->fd);
	s->fd = -1;
}

int mu_segments_finish(struct mu_segments *s, struct mu_err *err)
{
	struct mu_segment *seg;
	int rc;

	if (s->lied)
		return still_lies(s, err);
	if (s->fd < 0)
		return 0;
	seg = &s->list[s->count - 1];
	rc = mu_segments_seal(s, seg, s->fd, s->at, s->durable, err);
	if (rc == 0)
		seg->bytes = s->at + MU_LOG_RECORD;
	leave(s);
	return rc;
}

/* ---- beginning one -------------------------------------------------------------- */

static int fill_new(struct mu_segments *s, struct mu_segment *seg, int fd,
                    const char *name, struct mu_err *err)
{
	uint8_t head[MU_LOG_HEAD];
	int rc = s->disk->allocate(s->disk, fd, seg->bytes);

	if (rc < 0)
		return mu_segments_refused(err, rc, "make room for", name);
	mu_log_head_encode(head, &seg->head);
	rc = mu_segments_put(s, fd, head, sizeof head, 0);
	if (rc < 0)
		return mu_segments_refused(err, rc, "write", name);
	return mu_segments_sync(s, fd, name, err);
}

/* One that begins where the last does has nothing durable in it: the new one
 * takes its name and its place. */
static void list_put(struct mu_segments *s, const struct mu_segment *seg)
{
	if (s->count > 0 && s->list[s->count - 1].first == seg->first)
		s->count--;
	s->list[s->count++] = *seg;
}

/* Give it its name. A rename whose sync failed may or may not be there. */
static int publish(struct mu_segments *s, const char *temp, const char *name,
                   struct mu_err *err)
{
	const int rc = s->disk->rename(s->disk, temp, name);

	if (rc < 0)
		return mu_segments_refused(err, rc, "name", name);
	return mu_segments_sync_dir(s, err);
}

/* A new segment that begins behind what is durable and has room for a first
 * record of `size` bytes. */
static int roll(struct mu_segments *s, size_t size, struct mu_err *err)
{
	const uint64_t need = MU_LOG_HEAD + (uint64_t)size + MU_LOG_RECORD;
	struct mu_segment seg = { .first = s->durable + 1 };
	char name[MU_SEGMENT_NAME_MAX], temp[MU_SEGMENT_NAME_MAX];
	int fd, rc;

	leave(s);
	if (list_add(s, 0))
		return mu_err(err, MU_ENOMEM, "no memory left for the journal");
	s->count--; /* room is all that was wanted */
	seg.bytes =
		need > s->config.segment_bytes ? need : s->config.segment_bytes;
	seg.head = (struct mu_log_head){ .tree_id = s->config.tree_id,
		                         .first = seg.first,
		                         .term = s->config.term };
	mu_segment_name(name, seg.first);
	mu_format(temp, sizeof temp, "%s" TEMP, name);
	s->disk->unlink(s->disk, temp); /* what a failure left */
	fd = s->disk->create(s->disk, temp);
	if (fd < 0)
		return mu_segments_refused(err, fd, "make", temp);
	rc = fill_new(s, &seg, fd, temp, err);
	if (rc == 0)
		rc = publish(s, temp, name, err);
	if (rc)
		goto undo_create;
	list_put(s, &seg);
	s->fd = fd;
	s->at = s->zeroed = MU_LOG_HEAD;
	return 0;
undo_create:
	s->disk->close(s->disk, fd);
	if (!s->lied)
		s->disk->unlink(s->disk, temp);
	return rc;
}

/* ---- writing -------------------------------------------------------------------- */

/* Only ever a help: what it does not do, the next write does. */
static void write_ahead(struct mu_segments *s, size_t len)
{
	const uint64_t end = s->list[s->count - 1].bytes, from = s->at + len;
	const uint64_t left = end - from;
	ssize_t n;

	if (from <= s->zeroed || len > MU_SEGMENT_AHEAD / 4)
		return;
	n = s->disk->write(s->disk, s->fd, s->zeros,
	                   left < MU_SEGMENT_AHEAD ? left : MU_SEGMENT_AHEAD,
	                   from);
	s->zeroed = n > 0 ? from + (uint64_t)n : from;
}

/* What was not durable must not come back at the next start. If the disk does
 * not take that either, the segment that follows supersedes it. */
static void take_back(struct mu_segments *s)
{
	struct mu_err why;
	struct mu_segment *seg = &s->list[s->count - 1];

	if (!s->lied &&
	    mu_segments_seal(s, seg, s->fd, s->at, s->durable, &why) == 0)
		seg->bytes = s->at + MU_LOG_RECORD;
	leave(s);
}

/* Records that fit into the segment being written. */
static int write_here(struct mu_segments *s, uint8_t *records, size_t len,
                      struct mu_err *err)
{
	const struct mu_segment *seg = &s->list[s->count - 1];
	char name[MU_SEGMENT_NAME_MAX];
	int rc;

	mu_segment_name(name, seg->first);
	mu_log_seal(records, len, seg->head.crc, s->durable);
	rc = mu_segments_put(s, s->fd, records, len, s->at);
	if (rc < 0) {
		rc = mu_segments_refused(err, rc, "write", name);
		take_back(s);
		if (s->lied)
			rc = still_lies(s, err);
		return rc;
	}
	write_ahead(s, len);
	s->writes++;
	s->bytes += len;
	rc = mu_segments_sync(s, s->fd, name, err);
	if (rc)
		leave(s);
	else
		s->at += len;
	return rc;
}

int mu_segments_write(struct mu_segments *s, uint8_t *records, size_t len,
                      struct mu_err *err)
{
	int rc;

	MU_BUG_ON(!s->replayed || s->config.look_only);
	while (len > 0) {
		uint64_t count = 0, room = 0;
		size_t size, fit = 0;

		if (s->lied)
			return still_lies(s, err);
		MU_BUG_ON(mu_log_first(records, &size) != s->durable + 1);
		if (s->fd >= 0) {
			room = s->list[s->count - 1].bytes - s->at -
			       MU_LOG_RECORD;
			fit = mu_log_fit(records, len, room, &count);
		}
		rc = fit == 0 ? roll(s, size, err)
		              : write_here(s, records, fit, err);
		if (rc)
			return rc;
		s->durable += count;
		records += fit;
		len -= fit;
	}
	return 0;
}

int mu_segments_mend(struct mu_segments *s, struct mu_err *err)
{
	if (s->lied)
		return still_lies(s, err);
	return s->fd >= 0 ? 0 : roll(s, 0, err);
}

/* ---- those not needed any more -------------------------------------------------- */

int mu_segments_purge(struct mu_segments *s, uint64_t upto, struct mu_err *err)
{
	size_t gone = 0;
	int rc = 0;

	if (s->lied)
		return still_lies(s, err);
	while (gone + 1 < s->count && s->list[gone + 1].first <= upto + 1) {
		char name[MU_SEGMENT_NAME_MAX];

		mu_segment_name(name, s->list[gone].first);
		rc = s->disk->unlink(s->disk, name);
		if (rc < 0 && rc != -ENOENT) {
			mu_segments_refused(err, rc, "remove", name);
			break;
		}
		rc = 0;
		gone++;
	}
	if (gone > 0) {
		s->count -= gone;
		memmove(s->list, s->list + gone, s->count * sizeof *s->list);
		if (mu_segments_sync_dir(s, err))
			return MU_EDATA;
	}
	return rc < 0 ? MU_EIO : 0;
}

void mu_segments_stats(const struct mu_segments *s,
                       struct mu_segments_stats *out)
{
	*out = (struct mu_segments_stats){
		.segments = s->count,
		.first = s->count > 0 ? s->list[0].first : 0,
		.writes = s->writes,
		.syncs = s->syncs,
		.bytes = s->bytes,
	};
	for (size_t i = 0; i < s->count; i++)
		out->disk_bytes += s->list[i].bytes;
}
