/* tree_verify.c - the promises that a tree makes to itself, checked. */
#include "bug.h"
#include "tree_node.h"

/* What is found by walking, to be compared with what is counted. */
struct tally {
	uint32_t nodes;
	uint32_t ephemerals;
	uint64_t bytes;
	uint32_t mortals;
};

static void check_ephemeral(const struct mu_tree *t, mu_node_id id)
{
	const struct mu_node *n = mu_tree_node(t, id);

	MU_BUG_ON(mu_tree_owned_count(t, mu_tree_owner(t, id)) == 0);
	if (n->own_next) {
		const struct mu_node *next = mu_tree_node(t, n->own_next);

		MU_BUG_ON(next->own_prev != id);
		MU_BUG_ON(mu_node_owner(t, next) != mu_node_owner(t, n));
	}
	MU_BUG_ON(n->own_prev && mu_tree_node(t, n->own_prev)->own_next != id);
}

struct owned {
	const struct mu_tree *t;
	uint32_t count;
	uint64_t bytes; /* of paths */
};

static int count_one(void *arg, mu_node_id id)
{
	struct owned *o = arg;

	o->count++;
	for (; id != MU_NODE_ROOT; id = mu_tree_parent(o->t, id))
		o->bytes += 1u + mu_tree_name(o->t, id).len;
	return 0;
}

/* A node that may have children: its list has as many as it says, each of
 * which names it and the one before. */
static void check_children(const struct mu_tree *t, mu_node_id id)
{
	mu_node_id prev = MU_NODE_NONE, c = mu_tree_first(t, id);
	uint32_t count = 0;

	for (; c; prev = c, c = mu_tree_next(t, c)) {
		MU_BUG_ON(mu_tree_node(t, c)->parent != id);
		MU_BUG_ON(mu_tree_node(t, c)->sib_prev != prev);
		count++;
	}
	MU_BUG_ON(count != mu_tree_children(t, id));
}

static void check_node(const struct mu_tree *t, mu_node_id id,
                       struct tally *tally)
{
	const struct mu_node *n = mu_tree_node(t, id);
	struct owned owned = { t, 0, 0 };

	MU_BUG_ON(n->data_len < -1);
	MU_BUG_ON(id != MU_NODE_ROOT &&
	          mu_tree_child(t, n->parent, mu_tree_name(t, id)) != id);
	check_children(t, id);
	tally->nodes++;
	tally->bytes += n->name_len;
	if (n->data_len > 0)
		tally->bytes += (uint32_t)n->data_len;
	tally->mortals += mu_owner_is_mortal(mu_tree_owner(t, id));
	if (!mu_tree_is_ephemeral(t, n))
		return;
	tally->ephemerals++;
	check_ephemeral(t, id);
	/* The whole list once, from its first. */
	if (!n->own_prev) {
		mu_tree_owned(t, mu_tree_owner(t, id), count_one, &owned);
		MU_BUG_ON(owned.count !=
		          mu_tree_owned_count(t, mu_tree_owner(t, id)));
		MU_BUG_ON(owned.bytes !=
		          mu_tree_owned_bytes(t, mu_tree_owner(t, id)));
	}
}

void mu_tree_verify(const struct mu_tree *t)
{
	struct tally found = { 0 };
	mu_node_id id = MU_NODE_ROOT;
	uint32_t detached = 0;

	for (; id; id = mu_tree_walk(t, id, MU_NODE_ROOT))
		check_node(t, id, &found);
	for (size_t i = 0; i < t->undos; i++)
		detached += t->undo[i].kind == MU_UNDO_DELETE;
	MU_BUG_ON(t->undos > 0 && !t->open);
	MU_BUG_ON(found.nodes != t->count);
	MU_BUG_ON(found.nodes - 1 != t->by_name.count);
	MU_BUG_ON(found.nodes + detached != t->nodes.used);
	MU_BUG_ON(found.ephemerals != t->ephemerals);
	MU_BUG_ON(found.bytes != t->bytes);
	MU_BUG_ON(t->owners.used != t->by_owner.count);
	MU_BUG_ON(t->traits.used != t->by_trait.count);
	MU_BUG_ON(t->mortals.used != t->by_mortal.count);
	MU_BUG_ON(found.mortals > t->mortals.used);
	MU_BUG_ON(!t->open && found.mortals != t->mortals.used);
}
