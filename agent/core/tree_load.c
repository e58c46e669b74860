/* tree_load.c - a tree node by node, out and in. */
#include "tree_load.h"

#include "acl.h"
#include "buf.h"
#include "bug.h"
#include "mem.h"
#include "tree_change.h"

#include <string.h>

/* ---- out ---- */

uint32_t mu_tree_node_top(const struct mu_tree *t)
{
	return t->nodes.fresh;
}

uint32_t mu_tree_trait_top(const struct mu_tree *t)
{
	return t->traits.fresh;
}

mu_node_id mu_tree_load_next(const struct mu_tree *t, mu_node_id id,
                             uint32_t *up)
{
	mu_node_id last = mu_tree_first(t, id), next;

	*up = 0;
	if (last) {
		while ((next = mu_tree_next(t, last)))
			last = next;
		return last;
	}
	for (; id != MU_NODE_ROOT; id = mu_tree_parent(t, id)) {
		++*up;
		if (mu_tree_node(t, id)->sib_prev)
			return mu_tree_node(t, id)->sib_prev;
	}
	return MU_NODE_NONE;
}

void mu_tree_row(const struct mu_tree *t, mu_node_id id,
                 struct mu_tree_row *row, uint32_t *trait)
{
	const struct mu_node *n = mu_tree_node(t, id);
	const uint8_t *payload = mu_node_payload(n);

	*row = (struct mu_tree_row){
		.name = { (const char *)payload, n->name_len },
		.data = payload + n->name_len,
		.data_len = n->data_len,
		.version = n->version,
		.creates = mu_tree_is_ephemeral(t, n) ? 0 : n->creates,
		.czxid = n->czxid,
		.mzxid = n->mzxid,
		.pzxid = n->pzxid,
		.ctime = mu_time_join(n->ctime_high, n->ctime_low),
		.mtime = mu_time_join(n->mtime_high, n->mtime_low),
	};
	*trait = n->trait;
}

void mu_tree_shared(const struct mu_tree *t, uint32_t trait,
                    struct mu_tree_shared *out)
{
	const struct mu_trait *r = mu_tree_trait(t, trait);

	out->owner = mu_tree_owner_value(t, r->owner);
	out->acl = mu_acls_get(&t->acls, r->acl);
	out->aversion = r->aversion;
}

mu_node_id mu_tree_owned_before(const struct mu_tree *t, mu_node_id id)
{
	return mu_tree_node(t, id)->own_prev;
}

/* ---- in: what nodes share ---- */

struct mu_tree *mu_tree_load_new(const uint8_t key[16], uint32_t nodes)
{
	struct mu_tree *t = mu_tree_bare(key);

	if (t)
		mu_table_reserve(&t->by_name, nodes);
	return t;
}

int mu_tree_load_shared(struct mu_tree *t, const struct mu_tree_shared *shared,
                        uint32_t *trait)
{
	if (shared->acl.count <= 0)
		return MU_EDATA;
	if (mu_tree_trait_ref(t, shared->owner, &shared->acl, shared->aversion,
	                      trait))
		return MU_ENOMEM;
	return *trait ? 0 : MU_EDATA;
}

void mu_tree_load_let_go(struct mu_tree *t, uint32_t trait)
{
	mu_tree_trait_unref(t, trait);
	mu_acls_sweep(&t->acls);
}

/* ---- in: nodes ---- */

/* Most names: nothing in them that needs a closer look. */
static bool is_plain(struct mu_str name)
{
	if (name.len == 0 || name.at[0] == '.')
		return false;
	for (uint32_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] > 0x7e || name.at[i] == '/')
			return false;
	return true;
}

int mu_tree_name_check(struct mu_str name)
{
	struct mu_buf path = { 0 };
	int rc = MU_ENOMEM;

	if (is_plain(name))
		return 0;
	if (name.len == 0 || memchr(name.at, '/', name.len))
		return MU_EDATA;
	mu_buf_put(&path, "/", 1);
	mu_buf_put(&path, name.at, name.len);
	if (!mu_buf_failed(&path))
		rc = mu_path_check((struct mu_str){ (const char *)path.data,
		                                    (uint32_t)path.len },
		                   NULL)
		             ? MU_EDATA
		             : 0;
	mu_buf_fini(&path);
	return rc;
}

static int refuse(const char **why, const char *what)
{
	*why = what;
	return MU_EDATA;
}

static int check_row(const struct mu_tree *t, const struct mu_tree_row *row,
                     uint32_t trait, const char **why)
{
	const struct mu_node as = { .trait = trait };

	if (row->ctime != mu_time_clamp(row->ctime) ||
	    row->mtime != mu_time_clamp(row->mtime))
		return refuse(why, "a time that no node has");
	if (row->creates && mu_tree_is_ephemeral(t, &as))
		return refuse(why, "an ephemeral that has had children");
	return 0;
}

static int check_place(const struct mu_tree *t, mu_node_id parent,
                       struct mu_str name, const char **why)
{
	int rc;

	if (parent == MU_NODE_NONE) {
		MU_BUG_ON(t->count > 0);
		return name.len ? refuse(why, "a root that has a name") : 0;
	}
	rc = mu_tree_name_check(name);
	if (rc)
		return rc == MU_EDATA ? refuse(why, "a name that no node has")
		                      : rc;
	if (mu_tree_is_ephemeral(t, mu_tree_node(t, parent)))
		return refuse(why, "a child of an ephemeral");
	return 0;
}

static bool is_taken(const struct mu_tree *t, uint64_t hash, mu_node_id parent,
                     struct mu_str name)
{
	mu_node_id id = mu_table_first(&t->by_name, hash);
	const struct mu_node *n;

	for (; id; id = n->hash_next) {
		n = mu_tree_node(t, id);
		if (n->parent == parent && n->name_len == name.len &&
		    memcmp(mu_node_payload(n), name.at, name.len) == 0)
			return true;
	}
	return false;
}

static void fill(struct mu_node *n, const struct mu_tree_row *row)
{
	n->name_len = row->name.len;
	n->data_len = row->data_len;
	n->version = row->version;
	n->czxid = row->czxid;
	n->mzxid = row->mzxid;
	n->pzxid = row->pzxid;
	n->ctime_high = mu_time_high(row->ctime);
	n->ctime_low = mu_time_low(row->ctime);
	n->mtime_high = mu_time_high(row->mtime);
	n->mtime_low = mu_time_low(row->mtime);
}

static mu_node_id make(struct mu_tree *t, const struct mu_tree_row *row,
                       uint32_t trait)
{
	mu_node_id id = mu_slab_new(&t->nodes);
	struct mu_node *n;

	if (!id)
		return MU_NODE_NONE;
	n = mu_tree_node(t, id);
	if (mu_tree_payload_new(&n->payload, row->name, row->data,
	                        row->data_len))
		goto undo_cell;
	fill(n, row);
	n->trait = trait;
	if (trait && mu_tree_mortal_add(t, id))
		goto undo_payload;
	if (trait)
		mu_tree_trait_again(t, trait);
	if (!mu_tree_is_ephemeral(t, n))
		n->creates = row->creates;
	return id;

undo_payload:
	mu_tree_payload_free(n);
undo_cell:
	mu_slab_free(&t->nodes, id);
	return MU_NODE_NONE;
}

/* First among its siblings. */
static void place(struct mu_tree *t, mu_node_id id, mu_node_id parent,
                  uint64_t hash)
{
	struct mu_node *n = mu_tree_node(t, id);
	struct mu_node *p = mu_tree_node(t, parent);

	n->parent = parent;
	n->sib_next = p->first;
	if (p->first)
		mu_tree_node(t, p->first)->sib_prev = id;
	p->first = id;
	p->children++;
	mu_table_insert(&t->by_name, hash, id);
}

int mu_tree_load_node(struct mu_tree *t, mu_node_id parent,
                      const struct mu_tree_row *row, uint32_t trait,
                      const char **why)
{
	uint64_t hash = mu_hash(t->key, parent, row->name.at, row->name.len);
	int rc = check_place(t, parent, row->name, why);
	mu_node_id id;

	if (!rc)
		rc = check_row(t, row, trait, why);
	if (rc)
		return rc;
	if (parent && is_taken(t, hash, parent, row->name))
		return refuse(why, "a name twice");
	id = make(t, row, trait);
	if (!id)
		return MU_ENOMEM;
	t->count++;
	t->bytes += mu_payload_len(row->name.len, row->data_len);
	if (parent)
		place(t, id, parent, hash);
	return 0;
}

int mu_tree_load_own(struct mu_tree *t, mu_node_id id, int64_t owner)
{
	if (id == MU_NODE_NONE || id > t->count ||
	    mu_tree_owner(t, id) != owner || !mu_owner_is_session(owner) ||
	    mu_tree_is_owned(t, id))
		return MU_EDATA;
	mu_tree_own(t, id);
	return 0;
}

/* ---- in: the whole ---- */

/* Where mu_tree_new puts those of rule 73, and what nobody can take from them:
 * they are the oldest of their siblings and belong to nobody. */
static const struct {
	const char *path;
	mu_node_id id; /* 0: any */
} special[] = {
	{ "/", MU_NODE_ROOT },
	{ "/zookeeper", 2 },
	{ "/zookeeper/quota", MU_NODE_QUOTA },
	{ "/zookeeper/config", MU_NODE_NONE },
};

static bool is_special_whole(const struct mu_tree *t, size_t i)
{
	mu_node_id id = mu_tree_find(t, mu_str_of(special[i].path));

	return id && (!special[i].id || id == special[i].id) &&
	       mu_tree_owner(t, id) == 0;
}

int mu_tree_load_done(const struct mu_tree *t, const char **why)
{
	uint32_t ephemerals = 0;

	if (t->count == 0)
		return refuse(why, "no nodes");
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (!is_special_whole(t, i))
			return refuse(why, "no /zookeeper as it must be");
	for (mu_node_id id = MU_NODE_ROOT; id <= t->count; id++)
		ephemerals += mu_tree_is_ephemeral(t, mu_tree_node(t, id));
	if (ephemerals != t->ephemerals)
		return refuse(why, "an ephemeral that no session has");
	return 0;
}
