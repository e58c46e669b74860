#include "watch.h"

#include "bug.h"
#include "hash.h"
#include "mem.h"
#include "slab.h"

#include <string.h>

#define KINDS_ALL \
	(MU_WATCH_DATA | MU_WATCH_CHILD | MU_WATCH_PERSISTENT | \
	 MU_WATCH_RECURSIVE)
#define TOLD_MIN 16u

/* A path on which somebody has registered. */
struct spot {
	char *path; /* owned */
	uint32_t len;
	uint32_t hash_next;
	uint32_t first, last; /* registrations, oldest first */
};

/* A link that has registered somewhere. */
struct watcher {
	uint64_t told; /* number of the last trigger that told it */
	uint32_t link;
	uint32_t hash_next;
	uint32_t first; /* registrations */
	uint32_t count; /* of these */
};

/* What one link wants of one path. */
struct reg {
	uint32_t hash_next;
	uint32_t spot, watcher;
	uint32_t spot_next, spot_prev;
	uint32_t link_next, link_prev;
	uint32_t kinds;
};

struct mu_watches {
	uint8_t key[MU_HASH_KEY];
	uint32_t max;
	struct mu_slab spots, watchers, regs;
	struct mu_table by_path, by_link, by_both;
	uint32_t recursive; /* registrations that have this kind */
	uint64_t path_bytes;
	uint64_t trigger;   /* number of the last */
	uint32_t *told;     /* owned; the links that a trigger found */
	uint32_t told_room; /* never less than there are watchers */
};

/* ---- the three tables ------------------------------------------------------- */

static struct spot *spot_at(const struct mu_watches *w, uint32_t id)
{
	return mu_slab_at(&w->spots, id);
}

static struct watcher *watcher_at(const struct mu_watches *w, uint32_t id)
{
	return mu_slab_at(&w->watchers, id);
}

static struct reg *reg_at(const struct mu_watches *w, uint32_t id)
{
	return mu_slab_at(&w->regs, id);
}

static uint64_t path_hash(const struct mu_watches *w, struct mu_str path)
{
	return mu_hash(w->key, 0, path.at, path.len);
}

static uint64_t link_hash(const struct mu_watches *w, uint32_t link)
{
	return mu_hash(w->key, link, "", 0);
}

static uint64_t both_hash(const struct mu_watches *w, uint32_t spot,
                          uint32_t watcher)
{
	return mu_hash(w->key, (uint64_t)spot << 32 | watcher, "", 0);
}

static struct mu_str spot_path(const struct spot *s)
{
	return (struct mu_str){ s->path, s->len };
}

static uint64_t spot_hash(const void *arg, uint32_t id)
{
	return path_hash(arg, spot_path(spot_at(arg, id)));
}

static uint64_t watcher_hash(const void *arg, uint32_t id)
{
	return link_hash(arg, watcher_at(arg, id)->link);
}

static uint64_t reg_hash(const void *arg, uint32_t id)
{
	const struct reg *r = reg_at(arg, id);

	return both_hash(arg, r->spot, r->watcher);
}

static uint32_t *spot_next(const void *arg, uint32_t id)
{
	return &spot_at(arg, id)->hash_next;
}

static uint32_t *watcher_next(const void *arg, uint32_t id)
{
	return &watcher_at(arg, id)->hash_next;
}

static uint32_t *reg_next(const void *arg, uint32_t id)
{
	return &reg_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_path = { spot_hash, spot_next };
static const struct mu_table_ops by_link = { watcher_hash, watcher_next };
static const struct mu_table_ops by_both = { reg_hash, reg_next };

static uint32_t spot_find(const struct mu_watches *w, struct mu_str path)
{
	uint32_t id = mu_table_first(&w->by_path, path_hash(w, path));

	while (id && !mu_str_eq(spot_path(spot_at(w, id)), path))
		id = spot_at(w, id)->hash_next;
	return id;
}

static uint32_t watcher_find(const struct mu_watches *w, uint32_t link)
{
	uint32_t id = mu_table_first(&w->by_link, link_hash(w, link));

	while (id && watcher_at(w, id)->link != link)
		id = watcher_at(w, id)->hash_next;
	return id;
}

static uint32_t reg_find(const struct mu_watches *w, uint32_t link,
                         struct mu_str path)
{
	uint32_t spot = spot_find(w, path);
	uint32_t watcher = spot ? watcher_find(w, link) : 0;
	uint32_t id;

	if (!watcher)
		return 0;
	id = mu_table_first(&w->by_both, both_hash(w, spot, watcher));
	while (id && (reg_at(w, id)->spot != spot ||
	              reg_at(w, id)->watcher != watcher))
		id = reg_at(w, id)->hash_next;
	return id;
}

/* ---- the whole ---------------------------------------------------------------- */

struct mu_watches *mu_watches_new(const uint8_t key[16], uint32_t max)
{
	struct mu_watches *w = mu_alloc(sizeof *w);

	if (!w)
		return NULL;
	memcpy(w->key, key, sizeof w->key);
	w->max = max;
	mu_slab_init(&w->spots, sizeof(struct spot));
	mu_slab_init(&w->watchers, sizeof(struct watcher));
	mu_slab_init(&w->regs, sizeof(struct reg));
	if (mu_table_init(&w->by_path, &by_path, w) ||
	    mu_table_init(&w->by_link, &by_link, w) ||
	    mu_table_init(&w->by_both, &by_both, w)) {
		mu_watches_free(w);
		return NULL;
	}
	return w;
}

static void spot_path_free(void *arg, uint32_t id)
{
	mu_free(spot_at(arg, id)->path);
}

void mu_watches_free(struct mu_watches *w)
{
	if (!w)
		return;
	mu_table_each(&w->by_path, spot_path_free, w);
	mu_table_fini(&w->by_path);
	mu_table_fini(&w->by_link);
	mu_table_fini(&w->by_both);
	mu_slab_fini(&w->spots);
	mu_slab_fini(&w->watchers);
	mu_slab_fini(&w->regs);
	mu_free(w->told);
	mu_free(w);
}

/* ---- registering ----------------------------------------------------------------- */

/* The path's record, made if there is none; 0: memory is out. */
static uint32_t spot_get(struct mu_watches *w, struct mu_str path)
{
	uint32_t id = spot_find(w, path);
	char *copy;

	if (id)
		return id;
	copy = mu_alloc(path.len);
	if (!copy)
		return 0;
	id = mu_slab_new(&w->spots);
	if (!id) {
		mu_free(copy);
		return 0;
	}
	memcpy(copy, path.at, path.len);
	spot_at(w, id)->path = copy;
	spot_at(w, id)->len = path.len;
	mu_table_insert(&w->by_path, path_hash(w, path), id);
	w->path_bytes += path.len;
	return id;
}

static void spot_drop_if_idle(struct mu_watches *w, uint32_t id)
{
	struct spot *s = spot_at(w, id);

	if (s->first)
		return;
	mu_table_remove(&w->by_path, path_hash(w, spot_path(s)), id);
	w->path_bytes -= s->len;
	mu_free(s->path);
	mu_slab_free(&w->spots, id);
}

/* Room to tell one watcher more. */
static int told_reserve(struct mu_watches *w)
{
	uint32_t room = w->told_room ? w->told_room * 2 : TOLD_MIN;
	uint32_t *told;

	if (w->watchers.used < w->told_room)
		return 0;
	told = mu_realloc(w->told, room * sizeof *told);
	if (!told)
		return MU_ENOMEM;
	w->told = told;
	w->told_room = room;
	return 0;
}

/* The link's record, made if there is none; 0: memory is out. */
static uint32_t watcher_get(struct mu_watches *w, uint32_t link)
{
	uint32_t id = watcher_find(w, link);

	if (id)
		return id;
	if (told_reserve(w))
		return 0;
	id = mu_slab_new(&w->watchers);
	if (!id)
		return 0;
	watcher_at(w, id)->link = link;
	mu_table_insert(&w->by_link, link_hash(w, link), id);
	return id;
}

static void watcher_drop_if_idle(struct mu_watches *w, uint32_t id)
{
	struct watcher *p = watcher_at(w, id);

	if (p->count)
		return;
	mu_table_remove(&w->by_link, link_hash(w, p->link), id);
	mu_slab_free(&w->watchers, id);
}

/* Last of the path's, first of the link's. */
static void reg_link(struct mu_watches *w, uint32_t id)
{
	struct reg *r = reg_at(w, id);
	struct spot *s = spot_at(w, r->spot);
	struct watcher *p = watcher_at(w, r->watcher);

	r->spot_prev = s->last;
	if (s->last)
		reg_at(w, s->last)->spot_next = id;
	else
		s->first = id;
	s->last = id;
	r->link_next = p->first;
	if (p->first)
		reg_at(w, p->first)->link_prev = id;
	p->first = id;
	p->count++;
	mu_table_insert(&w->by_both, both_hash(w, r->spot, r->watcher), id);
}

static void reg_unlink(struct mu_watches *w, uint32_t id)
{
	struct reg *r = reg_at(w, id);
	struct spot *s = spot_at(w, r->spot);
	struct watcher *p = watcher_at(w, r->watcher);

	mu_table_remove(&w->by_both, both_hash(w, r->spot, r->watcher), id);
	if (r->spot_prev)
		reg_at(w, r->spot_prev)->spot_next = r->spot_next;
	else
		s->first = r->spot_next;
	if (r->spot_next)
		reg_at(w, r->spot_next)->spot_prev = r->spot_prev;
	else
		s->last = r->spot_prev;
	if (r->link_prev)
		reg_at(w, r->link_prev)->link_next = r->link_next;
	else
		p->first = r->link_next;
	if (r->link_next)
		reg_at(w, r->link_next)->link_prev = r->link_prev;
	p->count--;
}

static void kinds_set(struct mu_watches *w, struct reg *r, unsigned kinds)
{
	w->recursive -= (r->kinds & MU_WATCH_RECURSIVE) != 0;
	r->kinds = kinds;
	w->recursive += (r->kinds & MU_WATCH_RECURSIVE) != 0;
}

/* Take kinds away, and with the last of them the registration. */
static void kinds_drop(struct mu_watches *w, uint32_t id, unsigned kinds)
{
	struct reg *r = reg_at(w, id);

	kinds_set(w, r, r->kinds & ~kinds);
	if (r->kinds)
		return;
	reg_unlink(w, id);
	spot_drop_if_idle(w, r->spot);
	watcher_drop_if_idle(w, r->watcher);
	mu_slab_free(&w->regs, id);
}

static int reg_new(struct mu_watches *w, uint32_t link, struct mu_str path,
                   unsigned kinds)
{
	uint32_t id = mu_slab_new(&w->regs);
	struct reg *r;

	if (!id)
		return MU_ENOMEM;
	r = reg_at(w, id);
	r->spot = spot_get(w, path);
	if (!r->spot)
		goto undo_reg;
	r->watcher = watcher_get(w, link);
	if (!r->watcher)
		goto undo_spot;
	reg_link(w, id);
	kinds_set(w, r, kinds);
	return 0;

undo_spot:
	spot_drop_if_idle(w, r->spot);
undo_reg:
	mu_slab_free(&w->regs, id);
	return MU_ENOMEM;
}

int mu_watches_add(struct mu_watches *w, uint32_t link, struct mu_str path,
                   unsigned kinds)
{
	uint32_t id = reg_find(w, link, path);

	MU_BUG_ON(kinds == 0 || (kinds & ~(unsigned)KINDS_ALL));
	if (!id && w->regs.used >= w->max)
		return MU_EFULL;
	if (!id)
		return reg_new(w, link, path, kinds);
	kinds_set(w, reg_at(w, id), reg_at(w, id)->kinds | kinds);
	return 0;
}

int mu_watches_remove(struct mu_watches *w, uint32_t link, struct mu_str path,
                      unsigned kinds)
{
	uint32_t id = reg_find(w, link, path);

	if (!id || !(reg_at(w, id)->kinds & kinds))
		return MU_ENOWATCHER;
	kinds_drop(w, id, kinds);
	return 0;
}

unsigned mu_watches_held(const struct mu_watches *w, uint32_t link,
                         struct mu_str path)
{
	uint32_t id = reg_find(w, link, path);

	return id ? reg_at(w, id)->kinds : 0;
}

void mu_watches_drop_link(struct mu_watches *w, uint32_t link)
{
	uint32_t watcher = watcher_find(w, link);
	uint32_t id = watcher ? watcher_at(w, watcher)->first : 0;
	uint32_t next;

	for (; id; id = next) {
		next = reg_at(w, id)->link_next;
		kinds_drop(w, id, KINDS_ALL);
	}
}

/* ---- a change ---------------------------------------------------------------------- */

/* Which kinds on the path itself are told, and which of them it uses up. Above
 * the path recursive ones alone are told, and of no change to children. */
static const struct {
	unsigned tells, uses;
} events[] = {
	[MU_NODE_CREATED] = { MU_WATCH_DATA | MU_WATCH_PERSISTENT |
	                              MU_WATCH_RECURSIVE,
	                      MU_WATCH_DATA },
	[MU_NODE_DELETED] = { KINDS_ALL, MU_WATCH_DATA | MU_WATCH_CHILD },
	[MU_NODE_DATA_CHANGED] = { MU_WATCH_DATA | MU_WATCH_PERSISTENT |
	                                   MU_WATCH_RECURSIVE,
	                           MU_WATCH_DATA },
	[MU_NODE_CHILDREN_CHANGED] = { MU_WATCH_CHILD | MU_WATCH_PERSISTENT,
	                               MU_WATCH_CHILD },
};

/* Tell who is registered on one path for one of the kinds `tells`, each link
 * once a trigger, and take the kinds `uses` away. */
static size_t tell(struct mu_watches *w, struct mu_str path, unsigned tells,
                   unsigned uses, size_t count)
{
	uint32_t spot = spot_find(w, path);
	uint32_t id = spot ? spot_at(w, spot)->first : 0;
	uint32_t next;

	for (; id; id = next) {
		struct reg *r = reg_at(w, id);
		struct watcher *p = watcher_at(w, r->watcher);

		next = r->spot_next;
		if (!(r->kinds & tells))
			continue;
		if (p->told != w->trigger) {
			p->told = w->trigger;
			w->told[count++] = p->link;
		}
		if (r->kinds & uses)
			kinds_drop(w, id, uses);
	}
	return count;
}

size_t mu_watches_trigger(struct mu_watches *w, struct mu_str path,
                          enum mu_node_event event, const uint32_t **links)
{
	bool climbs = events[event].tells & MU_WATCH_RECURSIVE;
	size_t count;

	w->trigger++;
	count = tell(w, path, events[event].tells, events[event].uses, 0);
	while (climbs && w->recursive > 0 && path.len > 1) {
		path = mu_path_parent(path);
		count = tell(w, path, MU_WATCH_RECURSIVE, 0, count);
	}
	*links = w->told;
	return count;
}

uint32_t mu_watches_count(const struct mu_watches *w)
{
	return w->regs.used;
}

uint64_t mu_watches_path_bytes(const struct mu_watches *w)
{
	return w->path_bytes;
}

uint32_t mu_watches_path_count(const struct mu_watches *w)
{
	return w->spots.used;
}

uint32_t mu_watches_link_count(const struct mu_watches *w, uint32_t link)
{
	uint32_t id = watcher_find(w, link);

	return id ? watcher_at(w, id)->count : 0;
}

/* ---- looking ------------------------------------------------------------------------ */

uint32_t mu_watches_links(const struct mu_watches *w)
{
	return w->watchers.used;
}

struct visit {
	const struct mu_watches *w;
	mu_watches_fn *each;
	void *arg;
};

static void visit_reg(const struct visit *v, uint32_t id)
{
	const struct reg *r = reg_at(v->w, id);

	v->each(v->arg, spot_path(spot_at(v->w, r->spot)),
	        watcher_at(v->w, r->watcher)->link, r->kinds);
}

static void visit_spot(void *arg, uint32_t spot)
{
	const struct visit *v = arg;
	uint32_t id;

	for (id = spot_at(v->w, spot)->first; id;
	     id = reg_at(v->w, id)->spot_next)
		visit_reg(v, id);
}

void mu_watches_each(const struct mu_watches *w, mu_watches_fn *each, void *arg)
{
	struct visit v = { w, each, arg };

	mu_table_each(&w->by_path, visit_spot, &v);
}

void mu_watches_each_of(const struct mu_watches *w, uint32_t link,
                        mu_watches_fn *each, void *arg)
{
	const uint32_t watcher = watcher_find(w, link);
	const struct visit v = { w, each, arg };
	uint32_t id = watcher ? watcher_at(w, watcher)->first : 0;

	for (; id; id = reg_at(w, id)->link_next)
		visit_reg(&v, id);
}
