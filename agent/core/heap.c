#include "heap.h"

#include "bug.h"
#include "mem.h"

#include <muster/types.h>

#define ROOM_MIN 64u

void mu_heap_init(struct mu_heap *h,
                  void (*moved)(const void *arg, uint32_t id, uint32_t at),
                  const void *arg)
{
	*h = (struct mu_heap){ .moved = moved, .arg = arg };
}

void mu_heap_fini(struct mu_heap *h)
{
	mu_free(h->entry);
	h->entry = NULL;
	h->len = h->room = 0;
}

int mu_heap_reserve(struct mu_heap *h, uint32_t n)
{
	uint64_t room = h->room ? h->room : ROOM_MIN;
	struct mu_heap_entry *entry;

	if (n <= h->room)
		return 0;
	while (room < n)
		room *= 2;
	if (room > UINT32_MAX)
		return MU_ENOMEM;
	entry = mu_realloc(h->entry, (size_t)room * sizeof *entry);
	if (!entry)
		return MU_ENOMEM;
	h->entry = entry;
	h->room = (uint32_t)room;
	return 0;
}

static void place(struct mu_heap *h, uint32_t at, struct mu_heap_entry e)
{
	h->entry[at] = e;
	h->moved(h->arg, e.id, at);
}

/* entry[at] is a hole: put `e` there, or where it belongs above. */
static void sift_up(struct mu_heap *h, uint32_t at, struct mu_heap_entry e)
{
	while (at > 0 && e.key < h->entry[(at - 1) / 2].key) {
		place(h, at, h->entry[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(h, at, e);
}

/* As sift_up, below. */
static void sift_down(struct mu_heap *h, uint32_t at, struct mu_heap_entry e)
{
	for (;;) {
		uint32_t child = at * 2 + 1;

		if (child >= h->len)
			break;
		if (child + 1 < h->len &&
		    h->entry[child + 1].key < h->entry[child].key)
			child++;
		if (h->entry[child].key >= e.key)
			break;
		place(h, at, h->entry[child]);
		at = child;
	}
	place(h, at, e);
}

static void fill(struct mu_heap *h, uint32_t at, struct mu_heap_entry e)
{
	if (at > 0 && e.key < h->entry[(at - 1) / 2].key)
		sift_up(h, at, e);
	else
		sift_down(h, at, e);
}

void mu_heap_push(struct mu_heap *h, uint64_t key, uint32_t id)
{
	MU_BUG_ON(h->len == h->room);
	h->len++;
	sift_up(h, h->len - 1, (struct mu_heap_entry){ key, id });
}

void mu_heap_rekey(struct mu_heap *h, uint32_t at, uint64_t key)
{
	MU_BUG_ON(at >= h->len);
	fill(h, at, (struct mu_heap_entry){ key, h->entry[at].id });
}

void mu_heap_remove(struct mu_heap *h, uint32_t at)
{
	MU_BUG_ON(at >= h->len);
	h->len--;
	if (at < h->len)
		fill(h, at, h->entry[h->len]);
}
