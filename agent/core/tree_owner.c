/* tree_owner.c - whose a node is: the ephemerals of each session, as lists. */
#include "tree_load.h"
#include "tree_node.h"

#include "bug.h"

bool mu_owner_is_mortal(int64_t value)
{
	return value == MU_OWNER_CONTAINER ||
	       (uint64_t)value >> 56 == (uint64_t)MU_OWNER_TTL >> 56;
}

bool mu_owner_is_session(int64_t value)
{
	return value != 0 && !mu_owner_is_mortal(value);
}

static struct mu_owner *owner_at(const struct mu_tree *t, uint32_t owner)
{
	return mu_slab_at(&t->owners, owner);
}

static uint64_t value_hash(const struct mu_tree *t, int64_t value)
{
	return mu_hash(t->key, (uint64_t)value, "", 0);
}

static uint64_t table_hash(const void *arg, uint32_t id)
{
	return value_hash(arg, owner_at(arg, id)->value);
}

static uint32_t *table_next(const void *arg, uint32_t id)
{
	return &owner_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_owner = { table_hash, table_next };

int mu_tree_owners_init(struct mu_tree *t)
{
	mu_slab_init(&t->owners, sizeof(struct mu_owner));
	return mu_table_init(&t->by_owner, &by_owner, t);
}

void mu_tree_owners_fini(struct mu_tree *t)
{
	mu_table_fini(&t->by_owner);
	mu_slab_fini(&t->owners);
}

static uint32_t owner_find(const struct mu_tree *t, int64_t value)
{
	uint32_t id = mu_table_first(&t->by_owner, value_hash(t, value));

	while (id && owner_at(t, id)->value != value)
		id = owner_at(t, id)->hash_next;
	return id;
}

int mu_tree_owner_ref(struct mu_tree *t, int64_t value, uint32_t *owner)
{
	uint32_t id = owner_find(t, value);

	if (!id) {
		id = mu_slab_new(&t->owners);
		if (!id)
			return MU_ENOMEM;
		owner_at(t, id)->value = value;
		mu_table_insert(&t->by_owner, value_hash(t, value), id);
	}
	owner_at(t, id)->refs++;
	*owner = id;
	return 0;
}

void mu_tree_owner_unref(struct mu_tree *t, uint32_t owner)
{
	struct mu_owner *o;

	if (!owner)
		return;
	o = owner_at(t, owner);
	MU_BUG_ON(o->refs == 0);
	if (--o->refs > 0)
		return;
	MU_BUG_ON(o->count > 0 || o->first != MU_NODE_NONE);
	mu_table_remove(&t->by_owner, value_hash(t, o->value), owner);
	mu_slab_free(&t->owners, owner);
}

int64_t mu_tree_owner_value(const struct mu_tree *t, uint32_t owner)
{
	return owner ? owner_at(t, owner)->value : 0;
}

bool mu_tree_is_ephemeral(const struct mu_tree *t, const struct mu_node *n)
{
	return n->trait &&
	       mu_owner_is_session(mu_tree_owner_value(t, mu_node_owner(t, n)));
}

/* Its parents are there as long as it has a place, and have their names. */
static uint64_t path_len(const struct mu_tree *t, mu_node_id id)
{
	uint64_t len = 0;

	for (; id != MU_NODE_ROOT; id = mu_tree_node(t, id)->parent)
		len += 1u + mu_tree_node(t, id)->name_len;
	return len;
}

void mu_tree_own(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);

	if (!mu_tree_is_ephemeral(t, n))
		return;
	n->own_prev = MU_NODE_NONE;
	n->own_next = owner_at(t, mu_node_owner(t, n))->first;
	mu_tree_own_back(t, id);
}

bool mu_tree_is_owned(const struct mu_tree *t, mu_node_id id)
{
	const struct mu_node *n = mu_tree_node(t, id);

	return mu_tree_is_ephemeral(t, n) &&
	       (n->own_prev || owner_at(t, mu_node_owner(t, n))->first == id);
}

void mu_tree_own_back(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);
	struct mu_owner *o;

	if (!mu_tree_is_ephemeral(t, n))
		return;
	o = owner_at(t, mu_node_owner(t, n));
	if (n->own_prev)
		mu_tree_node(t, n->own_prev)->own_next = id;
	else
		o->first = id;
	if (n->own_next)
		mu_tree_node(t, n->own_next)->own_prev = id;
	o->count++;
	o->bytes += path_len(t, id);
	t->ephemerals++;
}

void mu_tree_disown(struct mu_tree *t, mu_node_id id)
{
	struct mu_node *n = mu_tree_node(t, id);
	struct mu_owner *o;

	if (!mu_tree_is_ephemeral(t, n))
		return;
	o = owner_at(t, mu_node_owner(t, n));
	if (n->own_prev)
		mu_tree_node(t, n->own_prev)->own_next = n->own_next;
	else
		o->first = n->own_next;
	if (n->own_next)
		mu_tree_node(t, n->own_next)->own_prev = n->own_prev;
	o->count--;
	o->bytes -= path_len(t, id);
	t->ephemerals--;
}

int mu_tree_owned(const struct mu_tree *t, int64_t owner,
                  int (*each)(void *arg, mu_node_id id), void *arg)
{
	uint32_t o = owner_find(t, owner);
	mu_node_id id = o ? owner_at(t, o)->first : MU_NODE_NONE;
	int rc = 0;

	for (; id && rc == 0; id = mu_tree_node(t, id)->own_next)
		rc = each(arg, id);
	return rc;
}

mu_node_id mu_tree_owned_last(const struct mu_tree *t, int64_t owner)
{
	uint32_t o = owner_find(t, owner);
	mu_node_id id = o ? owner_at(t, o)->first : MU_NODE_NONE;

	while (id && mu_tree_node(t, id)->own_next)
		id = mu_tree_node(t, id)->own_next;
	return id;
}

uint32_t mu_tree_owned_count(const struct mu_tree *t, int64_t owner)
{
	uint32_t o = owner_find(t, owner);

	return o ? owner_at(t, o)->count : 0;
}

uint64_t mu_tree_owned_bytes(const struct mu_tree *t, int64_t owner)
{
	uint32_t o = owner_find(t, owner);

	return o ? owner_at(t, o)->bytes : 0;
}
