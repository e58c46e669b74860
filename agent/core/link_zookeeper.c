/*
 * link_zookeeper.c - watches on one path that disturb one another in a ZooKeeper
 * before 3.9 (rule 35, ZOOKEEPER-4466), made to live side by side.
 *
 * There a path has one mode for each connection: the watch that comes later
 * takes the place of the earlier. Persistent behind recursive ends what was told
 * from below, recursive behind persistent ends what was told of children, and a
 * one-shot watch makes a lasting one end with the first event. So, wherever the
 * server is not a broker of ours:
 *
 *  - beside a recursive watch a persistent one is asked for as recursive too,
 *    and "children changed" is made from what is told of the children;
 *  - a one-shot watch is not asked for where a lasting one tells the same; the
 *    book (link_watch.c) knows that it is to be told once.
 *
 * setWatches2 needs no care: the server takes its lists in such an order that
 * the recursive watch wins.
 */
#include "link_impl.h"

#include "watch.h"

#define PERSISTENT MU_BOOK(MU_LW_PERSISTENT)
#define RECURSIVE MU_BOOK(MU_LW_RECURSIVE)
#define BOTH (PERSISTENT | RECURSIVE)

/* What stands on the path, or will once the requests before r are answered. */
static unsigned standing(const struct mu_link *l, const struct mu_link_req *r)
{
	struct mu_str path = { r->watch->path, r->watch->len };
	unsigned kinds = mu_book_kinds(&l->book, path);

	for (const struct mu_link_req *q = l->reqs; q && q != r; q = q->next) {
		if (!q->watch)
			continue;
		if (mu_str_eq(path,
		              (struct mu_str){ q->watch->path, q->watch->len }))
			kinds |= MU_BOOK(q->watch_kind);
	}
	return kinds;
}

int mu_link_watch_byte(const struct mu_link *l, const struct mu_link_req *r)
{
	unsigned kinds;

	if (l->features != 0 || !r->watch)
		return -1;
	kinds = standing(l, r);
	switch (r->watch_kind) {
	case MU_LW_PERSISTENT:
		return kinds & RECURSIVE ? MU_LW_RECURSIVE - MU_LW_PERSISTENT
		                         : -1;
	case MU_LW_DATA:
	case MU_LW_EXIST:
		return kinds & BOTH ? 0 : -1;
	case MU_LW_CHILD:
		return kinds & PERSISTENT ? 0 : -1;
	default:
		return -1;
	}
}

static bool has_both(const struct mu_link *l, struct mu_str path)
{
	return (mu_book_kinds(&l->book, path) & BOTH) == BOTH;
}

bool mu_link_hides_children(const struct mu_link *l, int32_t event,
                            struct mu_str path, struct mu_str *parent)
{
	if (l->features != 0 || path.len < 2 ||
	    (event != MU_NODE_CREATED && event != MU_NODE_DELETED))
		return false;
	*parent = mu_path_parent(path);
	return has_both(l, *parent);
}

/* 3.9 keeps both watches. What comes while the watches are armed again is told
 * of what was missed, and by nobody else. */
bool mu_link_tells_twice(const struct mu_link *l, int32_t event,
                         struct mu_str path)
{
	return l->features == 0 && l->state == MU_LINK_CONNECTED &&
	       event == MU_NODE_CHILDREN_CHANGED && has_both(l, path);
}
