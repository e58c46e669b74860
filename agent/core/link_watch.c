#include "link_impl.h"

#include "bug.h"
#include "hash.h"
#include "mem.h"
#include "watch.h"

#include <string.h>

#define ROOM_MIN 16u /* buckets */
#define KINDS 5u

#define DATA MU_BOOK(MU_LW_DATA)
#define EXIST MU_BOOK(MU_LW_EXIST)
#define CHILD MU_BOOK(MU_LW_CHILD)
#define PERSISTENT MU_BOOK(MU_LW_PERSISTENT)
#define RECURSIVE MU_BOOK(MU_LW_RECURSIVE)
#define LASTING (PERSISTENT | RECURSIVE)

/* Which one-shot watches an event spends (rules 30 and 37). */
static unsigned spent_by(int32_t event)
{
	switch (event) {
	case MU_NODE_CREATED:
	case MU_NODE_DATA_CHANGED:
		return DATA | EXIST;
	case MU_NODE_DELETED:
		return DATA | EXIST | CHILD;
	case MU_NODE_CHILDREN_CHANGED:
		return CHILD;
	default:
		return 0;
	}
}

int mu_book_init(struct mu_book *b, const uint8_t key[16])
{
	struct mu_book_entry **buckets = mu_alloc(ROOM_MIN * sizeof *buckets);

	if (!buckets)
		return MU_ENOMEM;
	*b = (struct mu_book){ .buckets = buckets, .room = ROOM_MIN };
	memcpy(b->key, key, sizeof b->key);
	return 0;
}

void mu_book_fini(struct mu_book *b)
{
	while (b->first) {
		struct mu_book_entry *e = b->first;

		b->first = e->next;
		mu_free(e);
	}
	mu_free(b->buckets);
	*b = (struct mu_book){ 0 };
}

struct mu_book_entry *mu_book_entry_new(struct mu_str path)
{
	struct mu_book_entry *e = mu_alloc(sizeof *e + path.len);

	if (!e)
		return NULL;
	e->len = path.len;
	memcpy(e->path, path.at, path.len);
	return e;
}

static uint64_t hash_of(const struct mu_book *b, struct mu_str path)
{
	return mu_hash(b->key, 0, path.at, path.len);
}

static struct mu_book_entry **bucket_of(const struct mu_book *b, uint64_t hash)
{
	return &b->buckets[hash & (b->room - 1)];
}

static struct mu_book_entry *find(const struct mu_book *b, struct mu_str path)
{
	uint64_t hash = hash_of(b, path);
	struct mu_book_entry *e = *bucket_of(b, hash);

	while (e && !(e->hash == hash && e->len == path.len &&
	              memcmp(e->path, path.at, path.len) == 0))
		e = e->chain;
	return e;
}

/* Without memory the chains just get longer. */
static void widen(struct mu_book *b)
{
	struct mu_book_entry **wider;

	if (b->paths < b->room || b->room > UINT32_MAX / 4)
		return;
	wider = mu_alloc((size_t)b->room * 2 * sizeof *wider);
	if (!wider)
		return;
	mu_free(b->buckets);
	b->buckets = wider;
	b->room *= 2;
	for (struct mu_book_entry *e = b->first; e; e = e->next) {
		struct mu_book_entry **head = bucket_of(b, e->hash);

		e->chain = *head;
		*head = e;
	}
}

static void insert(struct mu_book *b, struct mu_book_entry *e)
{
	struct mu_book_entry **head;

	widen(b);
	e->hash = hash_of(b, (struct mu_str){ e->path, e->len });
	head = bucket_of(b, e->hash);
	e->chain = *head;
	*head = e;
	e->next = NULL;
	e->prev = b->last;
	if (b->last)
		b->last->next = e;
	else
		b->first = e;
	b->last = e;
	b->paths++;
}

static void erase(struct mu_book *b, struct mu_book_entry *e)
{
	struct mu_book_entry **at = bucket_of(b, e->hash);

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	if (e->prev)
		e->prev->next = e->next;
	else
		b->first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		b->last = e->prev;
	b->paths--;
	mu_free(e);
}

static uint32_t count_of(unsigned kinds)
{
	uint32_t n = 0;

	for (; kinds; kinds &= kinds - 1)
		n++;
	return n;
}

static uint32_t has(unsigned kinds, unsigned any)
{
	return (kinds & any) ? 1 : 0;
}

static void set_kinds(struct mu_book *b, struct mu_book_entry *e,
                      unsigned kinds)
{
	b->watches += count_of(kinds) - count_of(e->kinds);
	b->recursive += has(kinds, RECURSIVE) - has(e->kinds, RECURSIVE);
	b->lasting += has(kinds, LASTING) - has(e->kinds, LASTING);
	e->kinds = kinds;
	if (!kinds)
		erase(b, e);
}

void mu_book_enter(struct mu_book *b, struct mu_book_entry *e, unsigned kind)
{
	struct mu_book_entry *old = find(b, (struct mu_str){ e->path, e->len });

	if (old)
		mu_free(e);
	else
		insert(b, old = e);
	set_kinds(b, old, old->kinds | kind);
}

void mu_book_leave(struct mu_book *b, struct mu_str path, unsigned kind)
{
	struct mu_book_entry *e = find(b, path);

	if (e)
		set_kinds(b, e, e->kinds & ~kind);
}

unsigned mu_book_kinds(const struct mu_book *b, struct mu_str path)
{
	const struct mu_book_entry *e = find(b, path);

	return e ? e->kinds : 0;
}

/* A recursive watch on the path or above it; rule 34: it is never told of
 * children. */
static bool wants_recursive(const struct mu_book *b, struct mu_str path)
{
	const struct mu_book_entry *e = find(b, path);

	while (!(e && (e->kinds & RECURSIVE)) && path.len > 1) {
		path = mu_path_parent(path);
		e = find(b, path);
	}
	return e && (e->kinds & RECURSIVE);
}

bool mu_book_wants(const struct mu_book *b, struct mu_str path, int32_t event)
{
	const struct mu_book_entry *e;
	unsigned spent = spent_by(event);

	if (!spent)
		return false;
	e = find(b, path);
	if (e && (e->kinds & (spent | PERSISTENT)))
		return true;
	return event != MU_NODE_CHILDREN_CHANGED && b->recursive &&
	       wants_recursive(b, path);
}

void mu_book_spend(struct mu_book *b, struct mu_str path, int32_t event)
{
	mu_book_leave(b, path, spent_by(event));
}

/* ---- batches ---- */

struct mu_book_walk mu_book_walk_of(const struct mu_book *b)
{
	return (struct mu_book_walk){ .at = b->first };
}

/* The next watch of the walk; false at the end. */
static bool walk_peek(struct mu_book_walk *walk)
{
	while (walk->at) {
		while (walk->kind < KINDS &&
		       !(walk->at->kinds & MU_BOOK(walk->kind)))
			walk->kind++;
		if (walk->kind < KINDS)
			return true;
		*walk = (struct mu_book_walk){ .at = walk->at->next };
	}
	return false;
}

/* Request header, relative zxid, and the counts of the vectors. */
static size_t bare_bytes(bool two)
{
	return 8 + 8 + 4 * (two ? 5u : 3u);
}

/* Fill the vectors until the batch is full; at least one watch goes in. */
static void gather(struct mu_book_walk *walk, bool two, struct mu_buf lists[],
                   int32_t counts[])
{
	size_t used = bare_bytes(two);
	bool any = false;

	while (walk_peek(walk)) {
		const struct mu_book_entry *e = walk->at;
		size_t need = 4 + (size_t)e->len;

		if (any && used + need > MU_BOOK_BATCH_MAX)
			return;
		mu_put_str(&lists[walk->kind],
		           (struct mu_str){ e->path, e->len });
		counts[walk->kind]++;
		used += need;
		any = true;
		walk->kind++;
	}
}

static struct mu_vec vec_of(const struct mu_buf *list, int32_t count)
{
	return (struct mu_vec){ count, list->data, list->len };
}

int mu_book_batch(struct mu_book_walk *walk, bool two, int64_t relative_zxid,
                  struct mu_buf *out)
{
	struct mu_buf lists[KINDS] = { 0 };
	int32_t counts[KINDS] = { 0 };
	bool failed = false;

	if (!walk_peek(walk))
		return 0;
	gather(walk, two, lists, counts);
	mu_put_set_watches(out, two,
	                   &(struct mu_set_watches){
				   .relative_zxid = relative_zxid,
				   .data = vec_of(&lists[0], counts[0]),
				   .exist = vec_of(&lists[1], counts[1]),
				   .child = vec_of(&lists[2], counts[2]),
				   .persistent = vec_of(&lists[3], counts[3]),
				   .recursive = vec_of(&lists[4], counts[4]),
			   });
	for (unsigned i = 0; i < KINDS; i++) {
		failed |= mu_buf_failed(&lists[i]);
		mu_buf_fini(&lists[i]);
	}
	return failed || mu_buf_failed(out) ? MU_ENOMEM : 1;
}
