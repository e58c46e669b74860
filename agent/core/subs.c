#include "subs.h"

#include "bug.h"
#include "hash.h"
#include "mem.h"
#include "slab.h"

#include <string.h>

#define MODES 3

/* A path to which somebody has subscribed. */
struct spot {
	char *path; /* owned */
	uint32_t len;
	uint32_t hash_next;
	uint32_t first[MODES], last[MODES]; /* by mode, oldest first */
};

/* A link that has subscribed to something. */
struct holder {
	uint32_t link;
	uint32_t hash_next;
	uint32_t first; /* its subscriptions */
	uint32_t count; /* of these */
	int64_t zxid;   /* the transaction of which it was told last */
	uint64_t told;  /* bytes */
};

struct mu_subs {
	uint8_t key[MU_HASH_KEY];
	struct mu_slab spots, holders, subs;
	struct mu_table by_path, by_link, by_id;
	uint32_t count[MODES];
	uint64_t path_bytes;
};

/* ---- the three tables ---- */

static struct spot *spot_at(const struct mu_subs *t, uint32_t id)
{
	return mu_slab_at(&t->spots, id);
}

static struct holder *holder_at(const struct mu_subs *t, uint32_t id)
{
	return mu_slab_at(&t->holders, id);
}

static struct mu_sub *sub_at(const struct mu_subs *t, uint32_t id)
{
	return mu_slab_at(&t->subs, id);
}

static uint64_t path_hash(const struct mu_subs *t, struct mu_str path)
{
	return mu_hash(t->key, 0, path.at, path.len);
}

static uint64_t link_hash(const struct mu_subs *t, uint32_t link)
{
	return mu_hash(t->key, link, "", 0);
}

/* The number is the client's: it must not make them fall together. */
static uint64_t id_hash(const struct mu_subs *t, uint32_t link, int32_t id)
{
	return mu_hash(t->key, (uint64_t)link << 32 | (uint32_t)id, "", 0);
}

static struct mu_str spot_path(const struct spot *s)
{
	return (struct mu_str){ s->path, s->len };
}

static uint64_t spot_hash_of(const void *arg, uint32_t id)
{
	return path_hash(arg, spot_path(spot_at(arg, id)));
}

static uint64_t holder_hash_of(const void *arg, uint32_t id)
{
	return link_hash(arg, holder_at(arg, id)->link);
}

static uint64_t sub_hash_of(const void *arg, uint32_t id)
{
	const struct mu_sub *s = sub_at(arg, id);

	return id_hash(arg, s->link, s->id);
}

static uint32_t *spot_next_of(const void *arg, uint32_t id)
{
	return &spot_at(arg, id)->hash_next;
}

static uint32_t *holder_next_of(const void *arg, uint32_t id)
{
	return &holder_at(arg, id)->hash_next;
}

static uint32_t *sub_next_of(const void *arg, uint32_t id)
{
	return &sub_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_path = { spot_hash_of, spot_next_of };
static const struct mu_table_ops by_link = { holder_hash_of, holder_next_of };
static const struct mu_table_ops by_id = { sub_hash_of, sub_next_of };

static uint32_t spot_find(const struct mu_subs *t, struct mu_str path)
{
	uint32_t id = mu_table_first(&t->by_path, path_hash(t, path));

	while (id && !mu_str_eq(spot_path(spot_at(t, id)), path))
		id = spot_at(t, id)->hash_next;
	return id;
}

static uint32_t holder_find(const struct mu_subs *t, uint32_t link)
{
	uint32_t id = mu_table_first(&t->by_link, link_hash(t, link));

	while (id && holder_at(t, id)->link != link)
		id = holder_at(t, id)->hash_next;
	return id;
}

static uint32_t sub_find(const struct mu_subs *t, uint32_t link, int32_t id)
{
	uint32_t at = mu_table_first(&t->by_id, id_hash(t, link, id));

	while (at && (sub_at(t, at)->link != link || sub_at(t, at)->id != id))
		at = sub_at(t, at)->hash_next;
	return at;
}

/* ---- the whole ---- */

struct mu_subs *mu_subs_new(const uint8_t key[16])
{
	struct mu_subs *t = mu_alloc(sizeof *t);

	if (!t)
		return NULL;
	memcpy(t->key, key, sizeof t->key);
	mu_slab_init(&t->spots, sizeof(struct spot));
	mu_slab_init(&t->holders, sizeof(struct holder));
	mu_slab_init(&t->subs, sizeof(struct mu_sub));
	if (mu_table_init(&t->by_path, &by_path, t) ||
	    mu_table_init(&t->by_link, &by_link, t) ||
	    mu_table_init(&t->by_id, &by_id, t)) {
		mu_subs_free(t);
		return NULL;
	}
	return t;
}

static void spot_path_free(void *arg, uint32_t id)
{
	mu_free(spot_at(arg, id)->path);
}

void mu_subs_free(struct mu_subs *t)
{
	if (!t)
		return;
	mu_table_each(&t->by_path, spot_path_free, t);
	mu_table_fini(&t->by_path);
	mu_table_fini(&t->by_link);
	mu_table_fini(&t->by_id);
	mu_slab_fini(&t->spots);
	mu_slab_fini(&t->holders);
	mu_slab_fini(&t->subs);
	mu_free(t);
}

uint64_t mu_subs_add_told(struct mu_subs *t, const struct mu_sub *sub,
                          int64_t zxid, size_t len)
{
	struct holder *h = holder_at(t, sub->holder);

	if (h->zxid != zxid)
		h->told = 0;
	h->zxid = zxid;
	h->told += len;
	return h->told;
}

uint32_t mu_subs_count(const struct mu_subs *t)
{
	return t->subs.used;
}

uint64_t mu_subs_path_bytes(const struct mu_subs *t)
{
	return t->path_bytes;
}

uint32_t mu_subs_link_count(const struct mu_subs *t, uint32_t link)
{
	uint32_t holder = holder_find(t, link);

	return holder ? holder_at(t, holder)->count : 0;
}

/* ---- adding and removing ---- */

/* The path's record, made if there is none; 0: memory is out. */
static uint32_t spot_get(struct mu_subs *t, struct mu_str path)
{
	uint32_t id = spot_find(t, path);
	char *copy;

	if (id)
		return id;
	copy = mu_alloc(path.len);
	if (!copy)
		return 0;
	id = mu_slab_new(&t->spots);
	if (!id) {
		mu_free(copy);
		return 0;
	}
	memcpy(copy, path.at, path.len);
	spot_at(t, id)->path = copy;
	spot_at(t, id)->len = path.len;
	mu_table_insert(&t->by_path, path_hash(t, path), id);
	t->path_bytes += path.len;
	return id;
}

static void spot_drop_if_idle(struct mu_subs *t, uint32_t id)
{
	struct spot *s = spot_at(t, id);

	for (int mode = 0; mode < MODES; mode++)
		if (s->first[mode])
			return;
	mu_table_remove(&t->by_path, path_hash(t, spot_path(s)), id);
	t->path_bytes -= s->len;
	mu_free(s->path);
	mu_slab_free(&t->spots, id);
}

/* The link's record, made if there is none; 0: memory is out. */
static uint32_t holder_get(struct mu_subs *t, uint32_t link)
{
	uint32_t id = holder_find(t, link);

	if (id)
		return id;
	id = mu_slab_new(&t->holders);
	if (!id)
		return 0;
	holder_at(t, id)->link = link;
	mu_table_insert(&t->by_link, link_hash(t, link), id);
	return id;
}

static void holder_drop_if_idle(struct mu_subs *t, uint32_t id)
{
	struct holder *h = holder_at(t, id);

	if (h->count)
		return;
	mu_table_remove(&t->by_link, link_hash(t, h->link), id);
	mu_slab_free(&t->holders, id);
}

/* Last of the path's in its mode, first of the link's. */
static void enlist(struct mu_subs *t, uint32_t at)
{
	struct mu_sub *s = sub_at(t, at);
	struct spot *spot = spot_at(t, s->spot);
	struct holder *h = holder_at(t, s->holder);
	uint32_t last = spot->last[s->mode];

	s->spot_prev = last;
	*(last ? &sub_at(t, last)->spot_next : &spot->first[s->mode]) = at;
	spot->last[s->mode] = at;
	s->link_next = h->first;
	if (h->first)
		sub_at(t, h->first)->link_prev = at;
	h->first = at;
	h->count++;
	t->count[s->mode]++;
	mu_table_insert(&t->by_id, id_hash(t, s->link, s->id), at);
}

static void delist(struct mu_subs *t, uint32_t at)
{
	struct mu_sub *s = sub_at(t, at);
	struct spot *spot = spot_at(t, s->spot);
	struct holder *h = holder_at(t, s->holder);

	mu_table_remove(&t->by_id, id_hash(t, s->link, s->id), at);
	*(s->spot_prev ? &sub_at(t, s->spot_prev)->spot_next
	               : &spot->first[s->mode]) = s->spot_next;
	*(s->spot_next ? &sub_at(t, s->spot_next)->spot_prev
	               : &spot->last[s->mode]) = s->spot_prev;
	*(s->link_prev ? &sub_at(t, s->link_prev)->link_next : &h->first) =
		s->link_next;
	if (s->link_next)
		sub_at(t, s->link_next)->link_prev = s->link_prev;
	h->count--;
	t->count[s->mode]--;
}

int mu_subs_add(struct mu_subs *t, uint32_t link, int32_t id,
                struct mu_str path, enum mu_subscribe_mode mode,
                struct mu_sub **out)
{
	uint32_t at;
	struct mu_sub *s;

	MU_BUG_ON((unsigned)mode >= MODES || sub_find(t, link, id));
	at = mu_slab_new(&t->subs);
	if (!at)
		return MU_ENOMEM;
	s = sub_at(t, at);
	s->spot = spot_get(t, path);
	if (!s->spot)
		goto undo_sub;
	s->holder = holder_get(t, link);
	if (!s->holder)
		goto undo_spot;
	s->link = link;
	s->id = id;
	s->mode = (int32_t)mode;
	enlist(t, at);
	*out = s;
	return 0;

undo_spot:
	spot_drop_if_idle(t, s->spot);
undo_sub:
	mu_slab_free(&t->subs, at);
	return MU_ENOMEM;
}

struct mu_sub *mu_subs_find(const struct mu_subs *t, uint32_t link, int32_t id)
{
	uint32_t at = sub_find(t, link, id);

	return at ? sub_at(t, at) : NULL;
}

static void remove_at(struct mu_subs *t, uint32_t at)
{
	struct mu_sub *s = sub_at(t, at);

	delist(t, at);
	spot_drop_if_idle(t, s->spot);
	holder_drop_if_idle(t, s->holder);
	mu_slab_free(&t->subs, at);
}

void mu_subs_remove(struct mu_subs *t, struct mu_sub *sub)
{
	remove_at(t, sub_find(t, sub->link, sub->id));
}

void mu_subs_drop_link(struct mu_subs *t, uint32_t link)
{
	uint32_t holder = holder_find(t, link);
	uint32_t at = holder ? holder_at(t, holder)->first : 0;
	uint32_t next;

	for (; at; at = next) {
		next = sub_at(t, at)->link_next;
		remove_at(t, at);
	}
}

/* ---- a change ---- */

bool mu_sub_fits(enum mu_subscribe_mode mode, struct mu_str top,
                 enum mu_node_event event, struct mu_str path)
{
	if (mu_str_eq(path, top))
		return true;
	if (event == MU_NODE_CHILDREN_CHANGED || mode == MU_SUBSCRIBE_EXACT ||
	    path.len == 1)
		return false;
	return mode == MU_SUBSCRIBE_SUBTREE
	               ? mu_path_is_within(path, top)
	               : mu_str_eq(mu_path_parent(path), top);
}

/* Which modes are told at which level: the least of them. */
static const int least_mode[] = { MU_SUBSCRIBE_EXACT, MU_SUBSCRIBE_CHILDREN,
	                          MU_SUBSCRIBE_SUBTREE };

static void stand(struct mu_subs_walk *w)
{
	w->mode = least_mode[w->level];
	w->spot = spot_find(w->t, w->path);
	w->next = w->spot ? spot_at(w->t, w->spot)->first[w->mode] : 0;
}

void mu_subs_match(const struct mu_subs *t, struct mu_str path,
                   enum mu_node_event event, struct mu_subs_walk *w)
{
	*w = (struct mu_subs_walk){ .t = t, .path = path, .event = event };
	stand(w);
}

/* To the next mode of this path, or else to the path above; false at the end. */
static bool climb(struct mu_subs_walk *w)
{
	const struct mu_subs *t = w->t;

	if (w->spot && w->mode < MODES - 1) {
		w->next = spot_at(t, w->spot)->first[++w->mode];
		return true;
	}
	if (w->event == MU_NODE_CHILDREN_CHANGED || w->path.len == 1 ||
	    !(t->count[MU_SUBSCRIBE_SUBTREE] ||
	      (w->level == 0 && t->count[MU_SUBSCRIBE_CHILDREN])))
		return false;
	w->path = mu_path_parent(w->path);
	w->level += w->level < 2;
	stand(w);
	return true;
}

struct mu_sub *mu_subs_next(struct mu_subs_walk *w)
{
	struct mu_sub *s;

	while (!w->next)
		if (!climb(w))
			return NULL;
	s = sub_at(w->t, w->next);
	w->next = s->spot_next;
	return s;
}
