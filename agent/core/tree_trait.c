/* tree_trait.c - what few nodes have: owners, ACLs, an end of their own. */
#include "tree_node.h"

#include "bug.h"

/* ---- traits ---- */

static uint64_t trait_hash(const struct mu_tree *t, const struct mu_trait *r)
{
	const uint32_t key[3] = { r->owner, r->acl, r->aversion };

	return mu_hash(t->key, 0, key, sizeof key);
}

static uint64_t by_trait_hash(const void *arg, uint32_t id)
{
	return trait_hash(arg, mu_tree_trait(arg, id));
}

static uint32_t *by_trait_next(const void *arg, uint32_t id)
{
	return &mu_tree_trait(arg, id)->hash_next;
}

static const struct mu_table_ops by_trait = { by_trait_hash, by_trait_next };

static bool same(const struct mu_trait *a, const struct mu_trait *b)
{
	return a->owner == b->owner && a->acl == b->acl &&
	       a->aversion == b->aversion;
}

/* The trait as it is wanted, made if there is none; owner and ACL are counted
 * by it. 0: memory is out. */
static uint32_t trait_get(struct mu_tree *t, const struct mu_trait *want)
{
	uint64_t hash = trait_hash(t, want);
	uint32_t id = mu_table_first(&t->by_trait, hash);

	while (id && !same(mu_tree_trait(t, id), want))
		id = mu_tree_trait(t, id)->hash_next;
	if (id) {
		/* It counts its owner and its ACL already. */
		mu_tree_owner_unref(t, want->owner);
		mu_acls_unref(&t->acls, want->acl);
		return id;
	}
	id = mu_slab_new(&t->traits);
	if (!id)
		return 0;
	*mu_tree_trait(t, id) = *want;
	mu_table_insert(&t->by_trait, hash, id);
	return id;
}

int mu_tree_trait_ref(struct mu_tree *t, int64_t owner,
                      const struct mu_vec *acl, uint32_t aversion,
                      uint32_t *trait)
{
	struct mu_trait want = { .aversion = aversion };
	uint32_t id;

	if (!owner && !aversion && mu_acl_is_open(acl)) {
		*trait = 0;
		return 0;
	}
	if (owner && mu_tree_owner_ref(t, owner, &want.owner))
		return MU_ENOMEM;
	if (mu_acls_ref(&t->acls, acl, &want.acl))
		goto undo_owner;
	id = trait_get(t, &want);
	if (!id)
		goto undo_acl;
	mu_tree_trait_again(t, id);
	*trait = id;
	return 0;

undo_acl:
	mu_acls_unref(&t->acls, want.acl);
undo_owner:
	mu_tree_owner_unref(t, want.owner);
	return MU_ENOMEM;
}

void mu_tree_trait_again(struct mu_tree *t, uint32_t trait)
{
	mu_tree_trait(t, trait)->refs++;
}

void mu_tree_trait_unref(struct mu_tree *t, uint32_t trait)
{
	struct mu_trait *r;

	if (!trait)
		return;
	r = mu_tree_trait(t, trait);
	MU_BUG_ON(r->refs == 0);
	if (--r->refs > 0)
		return;
	mu_table_remove(&t->by_trait, trait_hash(t, r), trait);
	mu_tree_owner_unref(t, r->owner);
	mu_acls_unref(&t->acls, r->acl);
	mu_slab_free(&t->traits, trait);
}

/* ---- mortals: found by slot to look at each, by node to let one go ---- */

static struct mu_mortal *mortal_cell(const struct mu_tree *t, uint32_t slot)
{
	return mu_slab_at(&t->mortals, slot);
}

static uint64_t node_hash(const struct mu_tree *t, mu_node_id id)
{
	return mu_hash(t->key, id, "", 0);
}

static uint64_t by_mortal_hash(const void *arg, uint32_t slot)
{
	return node_hash(arg, mortal_cell(arg, slot)->node);
}

static uint32_t *by_mortal_next(const void *arg, uint32_t slot)
{
	return &mortal_cell(arg, slot)->hash_next;
}

static const struct mu_table_ops by_mortal = { by_mortal_hash, by_mortal_next };

static bool is_mortal(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->trait &&
	       mu_owner_is_mortal(mu_tree_owner(t, id));
}

int mu_tree_mortal_add(struct mu_tree *t, mu_node_id id)
{
	uint32_t slot;

	if (!is_mortal(t, id))
		return 0;
	slot = mu_slab_new(&t->mortals);
	if (!slot)
		return MU_ENOMEM;
	mortal_cell(t, slot)->node = id;
	mu_table_insert(&t->by_mortal, node_hash(t, id), slot);
	return 0;
}

void mu_tree_mortal_drop(struct mu_tree *t, mu_node_id id)
{
	uint32_t slot;

	if (!is_mortal(t, id))
		return;
	slot = mu_table_first(&t->by_mortal, node_hash(t, id));
	while (mortal_cell(t, slot)->node != id)
		slot = mortal_cell(t, slot)->hash_next;
	mu_table_remove(&t->by_mortal, node_hash(t, id), slot);
	mortal_cell(t, slot)->node = MU_NODE_NONE;
	mu_slab_free(&t->mortals, slot);
}

uint32_t mu_tree_mortal_slots(const struct mu_tree *t)
{
	return t->mortals.fresh - 1;
}

mu_node_id mu_tree_mortal_at(const struct mu_tree *t, uint32_t slot)
{
	return mortal_cell(t, slot)->node;
}

/* ---- the whole ---- */

int mu_tree_traits_init(struct mu_tree *t)
{
	mu_slab_init(&t->traits, sizeof(struct mu_trait));
	mu_slab_init(&t->mortals, sizeof(struct mu_mortal));
	if (mu_table_init(&t->by_trait, &by_trait, t) ||
	    mu_table_init(&t->by_mortal, &by_mortal, t))
		return MU_ENOMEM;
	return mu_acls_init(&t->acls, t->key);
}

void mu_tree_traits_fini(struct mu_tree *t)
{
	mu_table_fini(&t->by_trait);
	mu_table_fini(&t->by_mortal);
	mu_slab_fini(&t->traits);
	mu_slab_fini(&t->mortals);
	mu_acls_fini(&t->acls);
}
