/* Reading the journal at start, and what is done about damage. */
#include "bug.h"
#include "err.h"
#include "mem.h"
#include "segments_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PROGRESS_RECORDS 4096u
#define LOST "lost-"
#define LOST_MAX 1000u /* copies with the same name */

/* ---- one file ------------------------------------------------------------------- */

/* All its bytes, to be freed with mu_free. */
static int file_read(struct mu_segments *s, const char *name, size_t len,
                     uint8_t **out, struct mu_err *err)
{
	uint8_t *bytes = mu_alloc(len);
	size_t got = 0;
	ssize_t n = 1;
	int fd;

	if (!bytes)
		return mu_err(err, MU_ENOMEM, "no memory left to read %s",
		              name);
	fd = s->disk->open(s->disk, name, false);
	if (fd < 0) {
		mu_free(bytes);
		return mu_segments_refused(err, fd, "open", name);
	}
	while (got < len && n > 0) {
		n = s->disk->read(s->disk, fd, bytes + got, len - got, got);
		if (n > 0)
			got += (size_t)n;
	}
	s->disk->close(s->disk, fd);
	if (got == len) {
		*out = bytes;
		return 0;
	}
	mu_free(bytes);
	return mu_segments_refused(err, n < 0 ? (int)n : -EIO, "read", name);
}

/* ---- replay --------------------------------------------------------------------- */

struct replay {
	struct mu_segments *s;
	uint64_t after;
	mu_journal_each *each;
	void *arg;
	uint64_t done, all; /* bytes, for progress */
	struct mu_log_scan scan;
	uint8_t *bytes; /* owned; of the file that is read */
};

static void progress(const struct replay *r, uint64_t done)
{
	const struct mu_segments_config *c = &r->s->config;

	if (c->progress)
		c->progress(c->progress_arg, done, r->all);
}

/* The records of one file below `before`; *found says what stands behind. */
static int walk(struct replay *r, uint64_t before, enum mu_log_found *found,
                struct mu_err *err)
{
	struct mu_segments *s = r->s;
	struct mu_log_record rec;
	uint64_t seen = 0;

	*found = MU_LOG_END;
	while (r->scan.next < before) {
		int rc;

		*found = mu_log_next(&r->scan, &rec);
		if (*found != MU_LOG_RECORD_FOUND)
			return 0;
		if (++seen % PROGRESS_RECORDS == 0)
			progress(r, r->done + r->scan.at);
		if (rec.index <= r->after)
			continue;
		rc = r->each(r->arg, rec.index, rec.bytes, rec.len, err);
		if (rc)
			return rc;
		s->found.records++;
		s->found.bytes += rec.len;
	}
	return 0;
}

static int damaged(struct replay *r, size_t i, enum mu_log_found found,
                   struct mu_err *err)
{
	struct mu_segments *s = r->s;
	struct mu_segments_damage *d = &s->damage;
	const struct mu_log_scan *scan = &r->scan;

	s->damaged = true;
	*d = (struct mu_segments_damage){ .index = scan->next,
		                          .files = s->count - 1 - i };
	mu_segment_name(d->file, s->list[i].first);
	d->offset = found == MU_LOG_END ? scan->end : scan->at;
	d->cut = scan->end;
	if (found == MU_LOG_END)
		return mu_err(err, MU_EDATA,
		              "%s ends with index %" PRIu64 " (offset %" PRIu64
		              "), but the next segment begins with %" PRIu64
		              ": commands are missing" MU_SEGMENT_ADVICE,
		              d->file, d->index - 1, d->offset,
		              s->list[i + 1].first);
	d->records = scan->after;
	d->last = scan->last;
	return mu_err(err, MU_EDATA,
	              "%s is damaged: at offset %" PRIu64
	              " the command with index %" PRIu64
	              " was durable, but now %s" MU_SEGMENT_ADVICE,
	              d->file, d->offset, d->index, scan->why);
}

static void torn(struct mu_segments *s, const struct mu_log_scan *scan)
{
	const struct mu_segment *last = &s->list[s->count - 1];

	mu_segment_name(s->found.torn_file, last->first);
	s->found.torn_offset = scan->end;
	s->found.torn_bytes = last->bytes - scan->end;
	s->found.torn_index = scan->next;
}

/* The offset of the first record of which no other says that it was durable. */
static size_t doubtful(const struct replay *r)
{
	const struct mu_segment *seg = &r->s->list[r->s->count - 1];
	struct mu_log_record rec;
	struct mu_log_scan scan;
	size_t at = MU_LOG_HEAD;

	mu_log_scan(&scan, &seg->head, r->bytes, seg->bytes);
	while (scan.next <= r->scan.durable &&
	       mu_log_next(&scan, &rec) == MU_LOG_RECORD_FOUND)
		at = scan.end;
	return at;
}

/* What was read may be in memory alone: the broker was killed before its sync, or
 * the sync failed, after which the system takes for clean what it never wrote.
 * So the records in doubt are written again before they are synced. */
static int write_again(const struct replay *r, int fd, const char *name,
                       struct mu_err *err)
{
	const size_t from = doubtful(r);
	const int rc = mu_segments_put(r->s, fd, r->bytes + from,
	                               r->scan.end - from, from);

	if (rc < 0)
		return mu_segments_refused(err, rc, "write", name);
	return mu_segments_sync(r->s, fd, name, err);
}

/* The last segment is cut behind its last record, and marked. */
static int finish_last(const struct replay *r, struct mu_err *err)
{
	struct mu_segments *s = r->s;
	struct mu_segment *seg = &s->list[s->count - 1];
	char name[MU_SEGMENT_NAME_MAX];
	int fd, rc;

	mu_segment_name(name, seg->first);
	fd = s->disk->open(s->disk, name, true);
	if (fd < 0)
		return mu_segments_refused(err, fd, "open", name);
	rc = write_again(r, fd, name, err);
	if (rc == 0)
		rc = mu_segments_seal(s, seg, fd, r->scan.end, r->scan.next - 1,
		                      err);
	s->disk->close(s->disk, fd);
	if (rc)
		return rc;
	seg->bytes = r->scan.end + MU_LOG_RECORD;
	return mu_segments_sync_dir(s, err);
}

static int replay_one(struct replay *r, size_t i, struct mu_err *err)
{
	struct mu_segments *s = r->s;
	const struct mu_segment *seg = &s->list[i];
	const bool last = i + 1 == s->count;
	const uint64_t before = last ? UINT64_MAX : seg[1].first;
	char name[MU_SEGMENT_NAME_MAX];
	enum mu_log_found found;
	int rc;

	mu_free(r->bytes);
	r->bytes = NULL;
	mu_segment_name(name, seg->first);
	rc = file_read(s, name, seg->bytes, &r->bytes, err);
	if (rc)
		return rc;
	mu_log_scan(&r->scan, &seg->head, r->bytes, seg->bytes);
	rc = walk(r, before, &found, err);
	if (rc == 0 && found == MU_LOG_BAD)
		rc = damaged(r, i, found, err);
	else if (rc == 0 && !last && r->scan.next < before)
		rc = damaged(r, i, found, err);
	else if (rc == 0 && found == MU_LOG_TORN)
		torn(s, &r->scan);
	r->done += seg->bytes;
	progress(r, r->done);
	return rc;
}

/* The last segment in which after + 1 may be. */
static size_t start_at(const struct mu_segments *s, uint64_t after)
{
	size_t i = s->count;

	while (i > 1 && s->list[i - 1].first > after + 1)
		i--;
	return i - 1;
}

static int replay_all(struct replay *r, struct mu_err *err)
{
	struct mu_segments *s = r->s;
	const size_t from = start_at(s, r->after);

	for (size_t i = from; i < s->count; i++)
		r->all += s->list[i].bytes;
	for (size_t i = from; i < s->count; i++) {
		int rc = replay_one(r, i, err);

		if (rc)
			return rc;
	}
	s->durable = r->scan.next - 1;
	if (s->durable < r->after)
		s->durable = r->after;
	return s->config.look_only ? 0 : finish_last(r, err);
}

int mu_segments_replay(struct mu_segments *s, uint64_t after,
                       mu_journal_each *each, void *arg, struct mu_err *err)
{
	struct replay r = { .s = s, .after = after, .each = each, .arg = arg };
	int rc;

	MU_BUG_ON(s->replayed || s->damaged);
	s->durable = after;
	s->found.segments = s->count;
	if (s->count == 0) {
		s->replayed = true;
		return 0;
	}
	s->found.first = s->list[0].first;
	if (s->found.first > after + 1)
		return mu_err(err, MU_EDATA,
		              "the journal begins with index %" PRIu64
		              ", but the commands from %" PRIu64
		              " on are needed: put the missing files back from "
		              "a backup",
		              s->found.first, after + 1);
	rc = replay_all(&r, err);
	mu_free(r.bytes);
	s->replayed = rc == 0;
	return rc;
}

void mu_segments_found(const struct mu_segments *s,
                       struct mu_segments_found *out)
{
	*out = s->found;
}

/* ---- damage --------------------------------------------------------------------- */

static size_t damaged_at(const struct mu_segments *s)
{
	return s->count - 1 - (size_t)s->damage.files;
}

/* Count what is still good in a file, whatever is wrong in between. */
static void count_file(struct mu_segments *s, const struct mu_segment *seg)
{
	struct mu_segments_damage *d = &s->damage;
	char name[MU_SEGMENT_NAME_MAX];
	struct mu_log_head head = { .first = seg->first };
	struct mu_log_record rec;
	struct mu_log_scan scan;
	uint64_t last = 0;
	uint8_t *bytes;

	mu_segment_name(name, seg->first);
	if (seg->bytes < MU_LOG_HEAD ||
	    file_read(s, name, seg->bytes, &bytes, NULL))
		return;
	/* A damaged head has most likely kept its checksum. */
	for (unsigned i = 0; i < 4; i++)
		head.crc |= (uint32_t)bytes[MU_LOG_HEAD - 4 + i] << 8 * i;
	mu_log_scan(&scan, &head, bytes, seg->bytes);
	while (mu_log_next(&scan, &rec) == MU_LOG_RECORD_FOUND)
		last = rec.index;
	d->records += scan.next - seg->first + scan.after;
	if (scan.last > last)
		last = scan.last;
	if (last > d->last)
		d->last = last;
	mu_free(bytes);
}

bool mu_segments_damage(struct mu_segments *s, struct mu_segments_damage *out)
{
	if (!s->damaged)
		return false;
	if (!s->counted) {
		for (size_t i = damaged_at(s) + (s->damage.offset > 0);
		     i < s->count; i++)
			count_file(s, &s->list[i]);
		s->counted = true;
	}
	*out = s->damage;
	return true;
}

/* ---- repair --------------------------------------------------------------------- */

/* A name under which nothing lies yet. */
static int lost_name(struct mu_segments *s, const char *name,
                     char out[MU_SEGMENT_NAME_MAX], struct mu_err *err)
{
	mu_format(out, MU_SEGMENT_NAME_MAX, LOST "%s", name);
	for (unsigned n = 1; n < LOST_MAX; n++) {
		const int fd = s->disk->open(s->disk, out, false);

		if (fd == -ENOENT)
			return 0;
		if (fd < 0)
			return mu_segments_refused(err, fd, "look for", out);
		s->disk->close(s->disk, fd);
		mu_format(out, MU_SEGMENT_NAME_MAX, LOST "%s.%u", name, n);
	}
	return mu_err(err, MU_EIO, "there are too many files like %s", out);
}

static int copy_aside(struct mu_segments *s, const struct mu_segment *seg,
                      const char *name, struct mu_err *err)
{
	char lost[MU_SEGMENT_NAME_MAX];
	uint8_t *bytes;
	int fd, rc = lost_name(s, name, lost, err);

	if (rc)
		return rc;
	rc = file_read(s, name, seg->bytes, &bytes, err);
	if (rc)
		return rc;
	fd = s->disk->create(s->disk, lost);
	if (fd < 0) {
		rc = mu_segments_refused(err, fd, "make", lost);
		goto undo_read;
	}
	rc = mu_segments_put(s, fd, bytes, seg->bytes, 0);
	if (rc < 0)
		rc = mu_segments_refused(err, rc, "write", lost);
	else
		rc = mu_segments_sync(s, fd, lost, err);
	s->disk->close(s->disk, fd);
undo_read:
	mu_free(bytes);
	return rc;
}

static int put_aside(struct mu_segments *s, struct mu_err *err)
{
	char name[MU_SEGMENT_NAME_MAX], lost[MU_SEGMENT_NAME_MAX];
	int rc;

	mu_segment_name(name, s->list[s->count - 1].first);
	rc = lost_name(s, name, lost, err);
	if (rc)
		return rc;
	rc = s->disk->rename(s->disk, name, lost);
	if (rc < 0)
		return mu_segments_refused(err, rc, "put aside", name);
	s->count--;
	return 0;
}

/* Later files go first, the last of them before the others: at whatever point
 * this ends, what is left is a journal with the same damage. */
static int later_aside(struct mu_segments *s, struct mu_err *err)
{
	while (s->damage.files > 0) {
		const int rc = put_aside(s, err);

		if (rc)
			return rc;
		s->damage.files--;
	}
	return mu_segments_sync_dir(s, err);
}

/* A file whose head is damaged stays, with a new one and empty: it goes on
 * superseding what the file before it has from that index on. */
static int cut(struct mu_segments *s, struct mu_segment *seg, const char *name,
               struct mu_err *err)
{
	const uint64_t end =
		s->damage.offset == 0 ? MU_LOG_HEAD : s->damage.cut;
	uint8_t head[MU_LOG_HEAD];
	int rc, fd = s->disk->open(s->disk, name, true);

	if (fd < 0)
		return mu_segments_refused(err, fd, "open", name);
	rc = 0;
	if (s->damage.offset == 0) {
		seg->head.tree_id = s->config.tree_id;
		seg->head.first = seg->first;
		seg->head.term = s->config.term;
		mu_log_head_encode(head, &seg->head);
		rc = mu_segments_put(s, fd, head, sizeof head, 0);
		if (rc < 0)
			rc = mu_segments_refused(err, rc, "write", name);
	}
	if (rc == 0)
		rc = mu_segments_seal(s, seg, fd, end, s->damage.index - 1,
		                      err);
	s->disk->close(s->disk, fd);
	return rc;
}

int mu_segments_repair(struct mu_segments *s, struct mu_err *err)
{
	struct mu_segment *seg = &s->list[damaged_at(s)];
	char name[MU_SEGMENT_NAME_MAX];
	int rc;

	MU_BUG_ON(!s->damaged || s->config.look_only);
	rc = later_aside(s, err);
	if (rc)
		return rc;
	if (s->config.tree_id ==
	    0) { /* then nothing good is before it either */
		rc = put_aside(s, err);
		return rc ? rc : mu_segments_sync_dir(s, err);
	}
	mu_segment_name(name, seg->first);
	rc = copy_aside(s, seg, name, err);
	return rc ? rc : cut(s, seg, name, err);
}
