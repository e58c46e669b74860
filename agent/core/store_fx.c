/* The queue of effects: items that point into one buffer of bytes and one array
 * of links, so that in steady state nothing is allocated. */
#include "store_impl.h"

#include "mem.h"

#include <string.h>

#define ITEMS_KEEP 4096u      /* items and links kept when all is told */
#define JOIN_MAX (64u * 1024) /* bytes: effects are not joined past it */
#define ROOM_MIN 64u
#define LINKS_BACK 4u /* fanouts whose links are used again */

void mu_fx_fini(struct mu_fx *fx)
{
	mu_free(fx->items);
	mu_free(fx->links);
	mu_buf_fini(&fx->bytes);
	*fx = (struct mu_fx){ 0 };
}

void mu_fx_start(struct mu_fx *fx)
{
	if (fx->head < fx->count)
		return;
	fx->head = fx->count = fx->link_count = 0;
	mu_buf_reset(&fx->bytes);
	if (fx->bytes.room > MU_STORE_KEEP)
		mu_buf_fini(&fx->bytes);
	if (fx->room > ITEMS_KEEP) {
		mu_free(fx->items);
		fx->items = NULL;
		fx->room = 0;
	}
	if (fx->link_room > ITEMS_KEEP) {
		mu_free(fx->links);
		fx->links = NULL;
		fx->link_room = 0;
	}
}

/* Room for n more of `size` bytes each. NULL: refused, and all as before. */
static void *grown(void *array, size_t count, size_t *room, size_t n,
                   size_t size)
{
	size_t want = *room ? *room : ROOM_MIN;
	void *more;

	if (array && n <= *room - count)
		return array;
	while (want - count < n)
		want *= 2;
	more = mu_realloc(array, want * size);
	if (more)
		*room = want;
	return more;
}

int mu_fx_reserve(struct mu_fx *fx)
{
	void *items =
		grown(fx->items, fx->count, &fx->room, 1, sizeof *fx->items);

	if (!items)
		return MU_ENOMEM;
	fx->items = items;
	return 0;
}

size_t mu_fx_begin(struct mu_fx *fx)
{
	return mu_frame_begin(&fx->bytes);
}

void mu_fx_undo(struct mu_fx *fx, size_t mark)
{
	mu_buf_cut(&fx->bytes, mark);
	fx->bytes.failed = false;
}

/* The item at the end of the queue, if `len` bytes may still be added to it. */
static struct mu_fx_item *open_item(struct mu_fx *fx, int kind, size_t len)
{
	struct mu_fx_item *last;

	if (fx->head == fx->count)
		return NULL;
	last = &fx->items[fx->count - 1];
	return last->kind == kind && last->len + len <= JOIN_MAX ? last : NULL;
}

static int add(struct mu_fx *fx, const struct mu_fx_item *item)
{
	if (mu_fx_reserve(fx))
		return MU_ENOMEM;
	fx->items[fx->count++] = *item;
	return 0;
}

int mu_fx_send(struct mu_fx *fx, size_t mark, uint32_t link)
{
	struct mu_fx_item *last =
		open_item(fx, MU_FX_SEND, fx->bytes.len - mark);
	struct mu_fx_item item = { .kind = MU_FX_SEND,
		                   .link = link,
		                   .from = mark,
		                   .len = fx->bytes.len - mark };

	if (mu_buf_failed(&fx->bytes))
		goto undo;
	mu_frame_end(&fx->bytes, mark);
	if (last && last->link == link) {
		last->len += item.len;
		return 0;
	}
	if (!add(fx, &item))
		return 0;
undo:
	mu_fx_undo(fx, mark);
	return MU_ENOMEM;
}

static bool same_links(const struct mu_fx *fx, const struct mu_fx_item *item,
                       const uint32_t *links, size_t count)
{
	return item->link_count == count &&
	       memcmp(fx->links + item->links_from, links,
	              count * sizeof *links) == 0;
}

/* Where these links stand already, in one of the last few fanouts: events of a
 * large change alternate between a node's watchers and its parent's. */
static bool find_links(const struct mu_fx *fx, const uint32_t *links,
                       size_t count, size_t *from)
{
	size_t i = fx->count;

	for (unsigned n = 0; n < LINKS_BACK && i > fx->head; n++)
		if (fx->items[--i].kind == MU_FX_FANOUT &&
		    same_links(fx, &fx->items[i], links, count)) {
			*from = fx->items[i].links_from;
			return true;
		}
	return false;
}

static int put_links(struct mu_fx *fx, const uint32_t *links, size_t count)
{
	void *room = grown(fx->links, fx->link_count, &fx->link_room, count,
	                   sizeof *fx->links);

	if (!room)
		return MU_ENOMEM;
	fx->links = room;
	memcpy(fx->links + fx->link_count, links, count * sizeof *links);
	fx->link_count += count;
	return 0;
}

int mu_fx_fanout(struct mu_fx *fx, size_t mark, const uint32_t *links,
                 size_t count)
{
	struct mu_fx_item *last =
		open_item(fx, MU_FX_FANOUT, fx->bytes.len - mark);
	struct mu_fx_item item = { .kind = MU_FX_FANOUT,
		                   .from = mark,
		                   .len = fx->bytes.len - mark,
		                   .links_from = fx->link_count,
		                   .link_count = count };

	if (mu_buf_failed(&fx->bytes))
		goto undo;
	mu_frame_end(&fx->bytes, mark);
	if (last && same_links(fx, last, links, count)) {
		last->len += item.len;
		return 0;
	}
	if (!find_links(fx, links, count, &item.links_from) &&
	    put_links(fx, links, count))
		goto undo;
	if (!add(fx, &item))
		return 0;
undo:
	mu_fx_undo(fx, mark);
	return MU_ENOMEM;
}

void mu_fx_log(struct mu_fx *fx, uint64_t index)
{
	struct mu_fx_item item = { .kind = MU_FX_LOG, .index = index };

	fx->items[fx->count++] = item;
}

void mu_fx_forget(struct mu_fx *fx, uint64_t index)
{
	for (size_t i = fx->head; i < fx->count; i++)
		if (fx->items[i].kind == MU_FX_LOG &&
		    fx->items[i].index > index)
			fx->items[i].kind = MU_FX_DROPPED;
}
