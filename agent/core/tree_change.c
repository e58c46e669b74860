/* tree_change.c - transactions: changes, and how each is undone. */
#include "tree_change.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define UNDO_MIN 16u
#define UNDO_KEPT 1024u /* entries; more are given back after a transaction */

/* ---- a node by itself ---------------------------------------------------------- */

int mu_tree_payload_new(union mu_payload *out, struct mu_str name,
                        const void *data, int32_t len)
{
	size_t n = mu_payload_len(name.len, len);
	union mu_payload made = { { 0 } };
	uint8_t *at = made.near;

	if (n > MU_NEAR) {
		at = made.far = mu_alloc(n);
		if (!at)
			return MU_ENOMEM;
	}
	if (name.len)
		memcpy(at, name.at, name.len);
	if (n > name.len)
		memcpy(at + name.len, data, n - name.len);
	*out = made;
	return 0;
}

static void payload_free(union mu_payload payload, size_t len)
{
	if (len > MU_NEAR)
		mu_free(payload.far);
}

static size_t node_bytes(const struct mu_node *n)
{
	return mu_payload_len(n->name_len, n->data_len);
}

void mu_tree_payload_free(const struct mu_node *n)
{
	payload_free(n->payload, node_bytes(n));
}

static int64_t node_mtime(const struct mu_node *n)
{
	return mu_time_join(n->mtime_high, n->mtime_low);
}

static void node_set_mtime(struct mu_node *n, int64_t ms)
{
	n->mtime_high = mu_time_high(ms);
	n->mtime_low = mu_time_low(ms);
}

mu_node_id mu_tree_node_new(struct mu_tree *t, mu_node_id parent,
                            struct mu_str name, const void *data, int32_t len,
                            int64_t owner, const struct mu_stamp *stamp)
{
	mu_node_id id = mu_slab_new(&t->nodes);
	const struct mu_vec open = mu_acl_open();
	struct mu_node *n;

	if (!id)
		return MU_NODE_NONE;
	n = mu_tree_node(t, id);
	if (mu_tree_payload_new(&n->payload, name, data, len))
		goto undo_cell;
	n->name_len = name.len;
	n->data_len = len < 0 ? -1 : len;
	if (owner && mu_tree_trait_ref(t, owner, &open, 0, &n->trait))
		goto undo_payload;
	if (mu_tree_mortal_add(t, id))
		goto undo_trait;
	n->parent = parent;
	n->czxid = n->mzxid = n->pzxid = stamp->zxid;
	n->ctime_high = mu_time_high(stamp->time_ms);
	n->ctime_low = mu_time_low(stamp->time_ms);
	node_set_mtime(n, stamp->time_ms);
	return id;

undo_trait:
	mu_tree_trait_unref(t, n->trait);
undo_payload:
	mu_tree_payload_free(n);
undo_cell:
	mu_slab_free(&t->nodes, id);
	return MU_NODE_NONE;
}

static void node_free(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);

	mu_tree_payload_free(n);
	mu_tree_mortal_drop(t, id);
	mu_tree_trait_unref(t, n->trait);
	mu_slab_free(&t->nodes, id);
}

/* ---- its place ------------------------------------------------------------------- */

static uint64_t place_hash(const struct mu_tree *t, const struct mu_node *n)
{
	return mu_hash(t->key, n->parent, mu_node_payload(n), n->name_len);
}

/* Make the neighbours that a node names name it, and count it. */
static void link_in(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);
	struct mu_node *parent = mu_tree_node(t, n->parent);

	if (n->sib_prev)
		mu_tree_node(t, n->sib_prev)->sib_next = id;
	else
		parent->first = id;
	if (n->sib_next)
		mu_tree_node(t, n->sib_next)->sib_prev = id;
	parent->children++;
	mu_table_insert(&t->by_name, place_hash(t, n), id);
	t->count++;
	t->bytes += node_bytes(n);
}

void mu_tree_attach(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);

	n->sib_prev = MU_NODE_NONE;
	n->sib_next = mu_tree_node(t, n->parent)->first;
	link_in(t, id);
	mu_tree_own(t, id);
}

/* Back to where detach found it. */
static void reattach(struct mu_tree *t, mu_node_id id)
{
	link_in(t, id);
	mu_tree_own_back(t, id);
}

/* Out of all lists; its own links stay as they are. */
static void detach(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);
	struct mu_node *parent = mu_tree_node(t, n->parent);

	mu_tree_disown(t, id);
	mu_table_remove(&t->by_name, place_hash(t, n), id);
	if (n->sib_prev)
		mu_tree_node(t, n->sib_prev)->sib_next = n->sib_next;
	else
		parent->first = n->sib_next;
	if (n->sib_next)
		mu_tree_node(t, n->sib_next)->sib_prev = n->sib_prev;
	parent->children--;
	t->count--;
	t->bytes -= node_bytes(n);
}

/* ---- transactions ------------------------------------------------------------------ */

void mu_tree_begin(struct mu_tree *t)
{
	MU_BUG_ON(t->open);
	mu_acls_sweep(&t->acls);
	t->open = true;
}

/* Room for one more entry, before anything is changed. */
static int undo_reserve(struct mu_tree *t)
{
	size_t room = t->undo_room ? t->undo_room * 2 : UNDO_MIN;
	struct mu_undo *undo;

	MU_BUG_ON(!t->open);
	if (t->undos < t->undo_room)
		return 0;
	undo = mu_realloc(t->undo, room * sizeof *undo);
	if (!undo)
		return MU_ENOMEM;
	t->undo = undo;
	t->undo_room = room;
	return 0;
}

static void undo_add(struct mu_tree *t, struct mu_undo u)
{
	t->undo[t->undos++] = u;
}

static void undo_end(struct mu_tree *t)
{
	t->undos = 0;
	t->open = false;
	if (t->undo_room > UNDO_KEPT) {
		mu_free(t->undo);
		t->undo = NULL;
		t->undo_room = 0;
	}
}

static void forget(struct mu_tree *t, const struct mu_undo *u)
{
	if (u->kind == MU_UNDO_DELETE)
		node_free(t, u->id);
	else if (u->kind == MU_UNDO_TRAIT)
		mu_tree_trait_unref(t, u->trait);
	else if (u->kind == MU_UNDO_SET)
		payload_free(u->payload,
		             mu_payload_len(mu_tree_node(t, u->id)->name_len,
		                            u->data_len));
}

void mu_tree_commit(struct mu_tree *t)
{
	MU_BUG_ON(!t->open);
	for (size_t i = 0; i < t->undos; i++)
		forget(t, &t->undo[i]);
	undo_end(t);
}

static void undo_create(struct mu_tree *t, const struct mu_undo *u)
{
	struct mu_node *parent;

	parent = mu_tree_node(t, mu_tree_parent(t, u->id));
	detach(t, u->id);
	parent->pzxid = u->zxid;
	parent->creates--;
	node_free(t, u->id);
}

static void undo_delete(struct mu_tree *t, const struct mu_undo *u)
{
	reattach(t, u->id);
	mu_tree_node(t, mu_tree_parent(t, u->id))->pzxid = u->zxid;
}

/* Move from one payload to another of the same name. */
static void payload_swap(struct mu_tree *t, struct mu_node *n,
                         union mu_payload payload, int32_t len)
{
	t->bytes -= node_bytes(n);
	n->payload = payload;
	n->data_len = len;
	t->bytes += node_bytes(n);
}

static void undo_set(struct mu_tree *t, const struct mu_undo *u)
{
	struct mu_node *n = mu_tree_node(t, u->id);

	mu_tree_payload_free(n);
	payload_swap(t, n, u->payload, u->data_len);
	n->mzxid = u->zxid;
	node_set_mtime(n, u->mtime);
	n->version = u->version;
}

static void undo_trait(struct mu_tree *t, const struct mu_undo *u)
{
	struct mu_node *n = mu_tree_node(t, u->id);

	mu_tree_trait_unref(t, n->trait);
	n->trait = u->trait;
}

void mu_tree_rollback(struct mu_tree *t)
{
	static void (*const by_kind[])(struct mu_tree *,
	                               const struct mu_undo *) = {
		[MU_UNDO_CREATE] = undo_create,
		[MU_UNDO_DELETE] = undo_delete,
		[MU_UNDO_SET] = undo_set,
		[MU_UNDO_TRAIT] = undo_trait,
	};

	MU_BUG_ON(!t->open);
	for (size_t i = t->undos; i > 0; i--)
		by_kind[t->undo[i - 1].kind](t, &t->undo[i - 1]);
	undo_end(t);
}

/* ---- changes ----------------------------------------------------------------------- */

int mu_tree_create(struct mu_tree *t, mu_node_id parent, struct mu_str name,
                   const void *data, int32_t len, int64_t owner,
                   const struct mu_stamp *stamp, mu_node_id *id)
{
	struct mu_node *p = mu_tree_node(t, parent);
	mu_node_id made;

	if (mu_tree_is_ephemeral(t, p))
		return MU_ENOCHILDREN;
	if (mu_tree_child(t, parent, name))
		return MU_EEXISTS;
	if (undo_reserve(t))
		return MU_ENOMEM;
	made = mu_tree_node_new(t, parent, name, data, len, owner, stamp);
	if (!made)
		return MU_ENOMEM;
	mu_tree_attach(t, made);
	undo_add(t, (struct mu_undo){ .kind = MU_UNDO_CREATE,
	                              .id = made,
	                              .zxid = p->pzxid });
	p->creates++;
	p->pzxid = stamp->zxid;
	*id = made;
	return 0;
}

int mu_tree_delete(struct mu_tree *t, mu_node_id id,
                   const struct mu_stamp *stamp)
{
	struct mu_node *p;

	MU_BUG_ON(id == MU_NODE_ROOT);
	if (mu_tree_children(t, id))
		return MU_ENOTEMPTY;
	if (undo_reserve(t))
		return MU_ENOMEM;
	p = mu_tree_node(t, mu_tree_parent(t, id));
	detach(t, id);
	undo_add(t, (struct mu_undo){ .kind = MU_UNDO_DELETE,
	                              .id = id,
	                              .zxid = p->pzxid });
	p->pzxid = stamp->zxid;
	return 0;
}

int mu_tree_put_text(struct mu_tree *t, mu_node_id id, const void *data,
                     int32_t len)
{
	struct mu_node *n = mu_tree_node(t, id);
	union mu_payload payload;

	if (undo_reserve(t) ||
	    mu_tree_payload_new(&payload, mu_tree_name(t, id), data, len))
		return MU_ENOMEM;
	undo_add(t, (struct mu_undo){ .kind = MU_UNDO_SET,
	                              .id = id,
	                              .zxid = n->mzxid,
	                              .mtime = node_mtime(n),
	                              .payload = n->payload,
	                              .data_len = n->data_len,
	                              .version = n->version });
	payload_swap(t, n, payload, len < 0 ? -1 : len);
	return 0;
}

int mu_tree_set(struct mu_tree *t, mu_node_id id, const void *data, int32_t len,
                const struct mu_stamp *stamp)
{
	struct mu_node *n = mu_tree_node(t, id);

	if (mu_tree_put_text(t, id, data, len))
		return MU_ENOMEM;
	n->version = mu_version_next(n->version);
	n->mzxid = stamp->zxid;
	node_set_mtime(n, stamp->time_ms);
	return 0;
}

int mu_tree_put_acl(struct mu_tree *t, mu_node_id id, const struct mu_vec *acl,
                    int32_t aversion)
{
	struct mu_node *n = mu_tree_node(t, id);
	uint32_t trait;

	if (undo_reserve(t) || mu_tree_trait_ref(t, mu_tree_owner(t, id), acl,
	                                         (uint32_t)aversion, &trait))
		return MU_ENOMEM;
	undo_add(t, (struct mu_undo){ .kind = MU_UNDO_TRAIT,
	                              .id = id,
	                              .trait = n->trait });
	n->trait = trait;
	return 0;
}
