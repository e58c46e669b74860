/* tree.c - making a tree, finding nodes and reading them. What changes a tree
 * is in tree_change.c. */
#include "tree.h"

#include "buf.h"
#include "bug.h"
#include "mem.h"
#include "tree_change.h"

#include <string.h>

static uint64_t name_hash(const struct mu_tree *t, mu_node_id parent,
                          struct mu_str name)
{
	return mu_hash(t->key, parent, name.at, name.len);
}

static struct mu_str node_name(const struct mu_node *n)
{
	return (struct mu_str){ (const char *)mu_node_payload(n), n->name_len };
}

static uint64_t table_hash(const void *arg, uint32_t id)
{
	const struct mu_node *n = mu_tree_node(arg, id);

	return name_hash(arg, n->parent, node_name(n));
}

static uint32_t *table_next(const void *arg, uint32_t id)
{
	return &mu_tree_node(arg, id)->hash_next;
}

static const struct mu_table_ops by_name = { table_hash, table_next };

/* Rule 73. The order matters: each stands behind its parent. */
static const struct {
	const char *parent, *name;
} special[] = {
	{ "/", "zookeeper" },
	{ "/zookeeper", "quota" },
	{ "/zookeeper", "config" },
};

/* clang-format off */
static const uint8_t read_acl[] = {
	0, 0, 0, 1,                               /* perms */
	0, 0, 0, 5, 'w', 'o', 'r', 'l', 'd',      /* scheme */
	0, 0, 0, 6, 'a', 'n', 'y', 'o', 'n', 'e', /* id */
};
/* clang-format on */

/* Special nodes have empty data, and are not counted as creates. */
static int special_add(struct mu_tree *t)
{
	static const struct mu_stamp never = { 0, 0 };
	const struct mu_vec acl = { 1, read_acl, sizeof read_acl };
	mu_node_id parent, id = MU_NODE_NONE;

	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		parent = mu_tree_find(t, mu_str_of(special[i].parent));
		id = mu_tree_node_new(t, parent, mu_str_of(special[i].name), "",
		                      0, 0, &never);
		if (!id)
			return MU_ENOMEM;
		mu_tree_attach(t, id);
	}
	/* As ZooKeeper makes it: to be read only, its ACL's version at -1. */
	return mu_tree_trait_ref(t, 0, &acl, UINT32_MAX,
	                         &mu_tree_node(t, id)->trait);
}

static int root_add(struct mu_tree *t)
{
	static const struct mu_stamp never = { 0, 0 };
	mu_node_id id;

	id = mu_tree_node_new(t, MU_NODE_NONE, MU_STR(""), "", 0, 0, &never);
	if (!id)
		return MU_ENOMEM;
	MU_BUG_ON(id != MU_NODE_ROOT);
	t->count = 1;
	return 0;
}

struct mu_tree *mu_tree_bare(const uint8_t key[16])
{
	struct mu_tree *t = mu_alloc(sizeof *t);

	if (!t)
		return NULL;
	memcpy(t->key, key, sizeof t->key);
	mu_slab_init(&t->nodes, sizeof(struct mu_node));
	if (mu_table_init(&t->by_name, &by_name, t) || mu_tree_owners_init(t) ||
	    mu_tree_traits_init(t)) {
		mu_tree_free(t);
		return NULL;
	}
	return t;
}

struct mu_tree *mu_tree_new(const uint8_t key[16])
{
	struct mu_tree *t = mu_tree_bare(key);

	if (t && (root_add(t) || special_add(t))) {
		mu_tree_free(t);
		return NULL;
	}
	return t;
}

static void payload_free(void *arg, uint32_t id)
{
	mu_tree_payload_free(mu_tree_node(arg, id));
}

void mu_tree_free(struct mu_tree *t)
{
	if (!t)
		return;
	if (t->open)
		mu_tree_rollback(t);
	mu_table_each(&t->by_name, payload_free, t);
	if (t->count > 0)
		payload_free(t, MU_NODE_ROOT);
	mu_free(t->undo);
	mu_table_fini(&t->by_name);
	mu_slab_fini(&t->nodes);
	mu_tree_traits_fini(t);
	mu_tree_owners_fini(t);
	mu_free(t);
}

mu_node_id mu_tree_child(const struct mu_tree *t, mu_node_id parent,
                         struct mu_str name)
{
	mu_node_id id = mu_table_first(&t->by_name, name_hash(t, parent, name));
	const struct mu_node *n;

	for (; id; id = n->hash_next) {
		n = mu_tree_node(t, id);
		if (n->parent == parent && mu_str_eq(node_name(n), name))
			break;
	}
	return id;
}

mu_node_id mu_tree_find(const struct mu_tree *t, struct mu_str path)
{
	mu_node_id id = MU_NODE_ROOT;
	struct mu_str part;

	while (id && mu_path_step(&path, &part))
		id = mu_tree_child(t, id, part);
	return id;
}

mu_node_id mu_tree_first(const struct mu_tree *t, mu_node_id parent)
{
	const struct mu_node *n = mu_tree_node(t, parent);

	return mu_tree_is_ephemeral(t, n) ? MU_NODE_NONE : n->first;
}

mu_node_id mu_tree_next(const struct mu_tree *t, mu_node_id child)
{
	return mu_tree_node(t, child)->sib_next;
}

mu_node_id mu_tree_parent(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->parent;
}

struct mu_str mu_tree_name(const struct mu_tree *t, mu_node_id id)
{
	return node_name(mu_tree_node(t, id));
}

void mu_tree_path(const struct mu_tree *t, mu_node_id id, struct mu_buf *out)
{
	const struct mu_node *n;
	size_t len = 0;
	uint8_t *end;

	if (id == MU_NODE_ROOT) {
		mu_buf_put(out, "/", 1);
		return;
	}
	for (mu_node_id i = id; i != MU_NODE_ROOT; i = mu_tree_parent(t, i))
		len += 1 + mu_tree_name(t, i).len;
	end = mu_buf_grow(out, len);
	if (!end)
		return;
	for (end += len; id != MU_NODE_ROOT; id = n->parent) {
		n = mu_tree_node(t, id);
		end -= n->name_len;
		memcpy(end, mu_node_payload(n), n->name_len);
		*--end = '/';
	}
}

const uint8_t *mu_tree_data(const struct mu_tree *t, mu_node_id id,
                            int32_t *len)
{
	const struct mu_node *n = mu_tree_node(t, id);

	*len = n->data_len;
	return n->data_len < 0 ? NULL : mu_node_payload(n) + n->name_len;
}

void mu_tree_stat(const struct mu_tree *t, mu_node_id id, struct mu_stat *stat)
{
	const struct mu_node *n = mu_tree_node(t, id);
	bool ephemeral = mu_tree_is_ephemeral(t, n);
	uint32_t children = ephemeral ? 0 : n->children;
	uint32_t creates = ephemeral ? 0 : n->creates;

	*stat = (struct mu_stat){
		.czxid = n->czxid,
		.mzxid = n->mzxid,
		.pzxid = n->pzxid,
		.ctime = mu_time_join(n->ctime_high, n->ctime_low),
		.mtime = mu_time_join(n->mtime_high, n->mtime_low),
		.version = (int32_t)n->version,
		.cversion = (int32_t)(creates * 2 - children),
		.aversion = mu_tree_aversion(t, id),
		.ephemeral_owner = ephemeral ? mu_tree_owner(t, id) : 0,
		.data_len = n->data_len < 0 ? 0 : n->data_len,
		.num_children = (int32_t)children,
	};
}

int64_t mu_tree_owner(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_owner_value(t, mu_node_owner(t, mu_tree_node(t, id)));
}

uint32_t mu_tree_acl_id(const struct mu_tree *t, mu_node_id id)
{
	uint32_t trait = mu_tree_node(t, id)->trait;

	return trait ? mu_tree_trait(t, trait)->acl : MU_ACL_OPEN;
}

struct mu_vec mu_tree_acl_at(const struct mu_tree *t, uint32_t acl)
{
	return mu_acls_get(&t->acls, acl);
}

struct mu_vec mu_tree_acl(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_acl_at(t, mu_tree_acl_id(t, id));
}

bool mu_tree_is_open(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_acl_id(t, id) == MU_ACL_OPEN;
}

int32_t mu_tree_aversion(const struct mu_tree *t, mu_node_id id)
{
	uint32_t trait = mu_tree_node(t, id)->trait;

	return trait ? (int32_t)mu_tree_trait(t, trait)->aversion : 0;
}

int64_t mu_tree_mtime(const struct mu_tree *t, mu_node_id id)
{
	const struct mu_node *n = mu_tree_node(t, id);

	return mu_time_join(n->mtime_high, n->mtime_low);
}

int64_t mu_tree_czxid(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->czxid;
}

mu_node_id mu_tree_walk(const struct mu_tree *t, mu_node_id id, mu_node_id top)
{
	if (mu_tree_first(t, id))
		return mu_tree_first(t, id);
	while (id != top && !mu_tree_next(t, id))
		id = mu_tree_parent(t, id);
	return id == top ? MU_NODE_NONE : mu_tree_next(t, id);
}

int32_t mu_tree_version(const struct mu_tree *t, mu_node_id id)
{
	return (int32_t)mu_tree_node(t, id)->version;
}

int32_t mu_tree_creates(const struct mu_tree *t, mu_node_id id)
{
	const struct mu_node *n = mu_tree_node(t, id);

	return mu_tree_is_ephemeral(t, n) ? 0 : (int32_t)n->creates;
}

int64_t mu_tree_mzxid(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->mzxid;
}

int64_t mu_tree_pzxid(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->pzxid;
}

uint32_t mu_tree_children(const struct mu_tree *t, mu_node_id id)
{
	const struct mu_node *n = mu_tree_node(t, id);

	return mu_tree_is_ephemeral(t, n) ? 0 : n->children;
}

uint32_t mu_tree_count(const struct mu_tree *t)
{
	/* ZooKeeper counts a node "" beside the root. */
	return t->count + 1;
}

uint64_t mu_tree_bytes(const struct mu_tree *t)
{
	return t->bytes;
}

uint64_t mu_tree_memory(const struct mu_tree *t)
{
	return (uint64_t)mu_tree_count(t) * MU_NODE_COST + mu_tree_bytes(t);
}

uint32_t mu_tree_ephemerals(const struct mu_tree *t)
{
	return t->ephemerals;
}
