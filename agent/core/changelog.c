#include "changelog.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define ROOM_MIN 64u
/* What the allocator takes beside what it is asked for. */
#define OVERHEAD 16u

/* ---- one change: int type, int entries of the ACL (-1: open), their bytes, the
 * tail; the last two as strings ---- */

size_t mu_noted_begin(struct mu_buf *b, enum mu_node_event type,
                      const struct mu_vec *acl)
{
	size_t begin;

	mu_put_int(b, (int32_t)type);
	mu_put_int(b, acl ? acl->count : -1);
	mu_put_data(b, acl ? acl->at : NULL, acl ? (int32_t)acl->len : -1);
	begin = b->len;
	mu_put_int(b, 0);
	return begin;
}

void mu_noted_end(struct mu_buf *b, size_t begin)
{
	mu_frame_end(b, begin);
}

bool mu_noted_next(struct mu_in *walk, struct mu_noted *out)
{
	struct mu_str acl;
	struct mu_in tail;

	if (mu_in_left(walk) == 0)
		return false;
	out->type = (enum mu_node_event)mu_get_int(walk);
	out->acl.count = mu_get_int(walk);
	out->open = out->acl.count < 0;
	acl = mu_get_str(walk);
	out->acl.at = (const uint8_t *)acl.at;
	out->acl.len = acl.len;
	out->tail = mu_get_str(walk);
	tail = mu_in_of(out->tail.at, out->tail.len);
	out->path = mu_get_str(&tail);
	MU_BUG_ON(!mu_in_ok(walk) || !mu_in_ok(&tail));
	return true;
}

/* ---- the ring ---- */

/* One transaction. */
struct part {
	int64_t zxid;
	uint32_t count;
	size_t len;
	uint8_t bytes[];
};

struct mu_changelog {
	struct part **ring; /* owned; number & (room - 1) */
	size_t room;        /* a power of two, or 0 */
	uint64_t first,
		next; /* parts are numbered; those in between are held */
	uint32_t count, count_max;
	uint64_t bytes, bytes_max;
	int64_t floor; /* all behind (floor, floor_n) is here */
	int32_t floor_n;
	int64_t last;       /* the last transaction that changed anything */
	int32_t last_count; /* how much; -1: not known */
};

struct mu_changelog *mu_changelog_new(void)
{
	struct mu_changelog *l = mu_alloc(sizeof *l);

	if (l)
		l->floor_n = -1;
	return l;
}

static struct part **slot(const struct mu_changelog *l, uint64_t number)
{
	return &l->ring[number & (l->room - 1)];
}

static uint64_t cost_of(size_t len)
{
	return sizeof(struct part) + sizeof(struct part *) + OVERHEAD + len;
}

/* The oldest goes. */
static void drop_first(struct mu_changelog *l)
{
	struct part *p = *slot(l, l->first++);

	l->count -= p->count;
	l->bytes -= cost_of(p->len);
	l->floor = p->zxid;
	l->floor_n = (int32_t)(p->count - 1);
	mu_free(p);
}

static void drop_all(struct mu_changelog *l)
{
	while (l->first < l->next)
		drop_first(l);
}

void mu_changelog_free(struct mu_changelog *l)
{
	if (!l)
		return;
	drop_all(l);
	mu_free(l->ring);
	mu_free(l);
}

/* Until this much more would fit. */
static void make_room(struct mu_changelog *l, uint32_t count, uint64_t cost)
{
	while (l->first < l->next && (l->count_max - l->count < count ||
	                              l->bytes_max - l->bytes < cost))
		drop_first(l);
}

void mu_changelog_limit(struct mu_changelog *l, uint32_t changes,
                        uint64_t bytes)
{
	while (l->first < l->next && (l->count > changes || l->bytes > bytes))
		drop_first(l);
	l->count_max = changes;
	l->bytes_max = bytes;
}

bool mu_changelog_keeps(const struct mu_changelog *l)
{
	return l->count_max > 0 && l->bytes_max > 0;
}

void mu_changelog_start(struct mu_changelog *l, int64_t zxid, int32_t n)
{
	drop_all(l);
	l->floor = l->last = zxid;
	l->floor_n = n;
	l->last_count = n == MU_CHANGE_N_END ? -1 : n + 1;
}

static int reserve(struct mu_changelog *l)
{
	size_t room = l->room ? l->room * 2 : ROOM_MIN;
	struct part **ring;

	if (l->next - l->first < l->room)
		return 0;
	ring = mu_alloc(room * sizeof(struct part *));
	if (!ring)
		return MU_ENOMEM;
	for (uint64_t i = l->first; i < l->next; i++)
		ring[i & (room - 1)] = *slot(l, i);
	mu_free(l->ring);
	l->ring = ring;
	l->room = room;
	return 0;
}

/* NULL: by the limits or by memory there is no room, and the log is empty. */
static struct part *part_new(struct mu_changelog *l, uint32_t count, size_t len)
{
	uint64_t cost = cost_of(len);
	struct part *p = NULL;

	if (count <= l->count_max && cost <= l->bytes_max) {
		make_room(l, count, cost);
		/* All of it is written: it need not be zeroed first. */
		p = reserve(l) ? NULL : mu_realloc(NULL, sizeof *p + len);
	}
	if (!p)
		drop_all(l);
	return p;
}

void mu_changelog_add(struct mu_changelog *l, int64_t zxid, uint32_t count,
                      const void *bytes, size_t len)
{
	struct part *p;

	if (count == 0)
		return;
	MU_BUG_ON(zxid <= l->last || count > INT32_MAX);
	l->last = zxid;
	l->last_count = (int32_t)count;
	p = part_new(l, count, len);
	if (!p) {
		l->floor = zxid;
		l->floor_n = (int32_t)(count - 1);
		return;
	}
	p->zxid = zxid;
	p->count = count;
	p->len = len;
	memcpy(p->bytes, bytes, len);
	*slot(l, l->next++) = p;
	l->count += count;
	l->bytes += cost_of(len);
}

/* ---- looking ---- */

bool mu_changelog_reaches(const struct mu_changelog *l, int64_t zxid, int32_t n)
{
	return zxid > l->floor || (zxid == l->floor && n >= l->floor_n);
}

int32_t mu_changelog_of(const struct mu_changelog *l, int64_t zxid)
{
	if (zxid > l->last)
		return 0;
	return zxid == l->last ? l->last_count : -1;
}

int64_t mu_changelog_floor(const struct mu_changelog *l, int32_t *n)
{
	if (n)
		*n = l->floor_n;
	return l->floor;
}

uint32_t mu_changelog_count(const struct mu_changelog *l)
{
	return l->count;
}

uint64_t mu_changelog_bytes(const struct mu_changelog *l)
{
	return l->bytes;
}

/* The first part whose zxid is not below. */
static uint64_t find_part(const struct mu_changelog *l, int64_t zxid)
{
	uint64_t low = l->first, high = l->next;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if ((*slot(l, mid))->zxid < zxid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void enter(struct mu_changelog_walk *w)
{
	const struct part *p = *slot(w->l, w->at);

	w->in = mu_in_of(p->bytes, p->len);
}

void mu_changelog_seek(const struct mu_changelog *l, int64_t zxid, int32_t n,
                       struct mu_changelog_walk *w)
{
	struct mu_noted c;

	*w = (struct mu_changelog_walk){
		.l = l, .at = find_part(l, zxid), .zxid = zxid, .n = n
	};
	if (w->at == l->next)
		return;
	enter(w);
	if ((*slot(l, w->at))->zxid != zxid)
		return;
	while (n-- >= 0 && mu_noted_next(&w->in, &c))
		;
}

bool mu_changelog_next(struct mu_changelog_walk *w, struct mu_noted *out)
{
	int64_t zxid;

	if (w->at == w->l->next)
		return false;
	while (!mu_noted_next(&w->in, out)) {
		if (++w->at == w->l->next)
			return false;
		enter(w);
	}
	zxid = (*slot(w->l, w->at))->zxid;
	w->n = zxid == w->zxid ? w->n + 1 : 0;
	w->zxid = zxid;
	return true;
}
