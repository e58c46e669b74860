#include "acl_table.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

struct cell {
	uint32_t hash_next;
	uint32_t refs;
	uint32_t idle_next;
	bool idle;         /* in the list of those to be swept */
	struct mu_vec acl; /* its bytes are owned */
};

static struct cell *cell_at(const struct mu_acls *t, uint32_t id)
{
	return mu_slab_at(&t->cells, id);
}

static uint64_t acl_hash(const struct mu_acls *t, const struct mu_vec *acl)
{
	return mu_hash(t->key, (uint32_t)acl->count, acl->at, acl->len);
}

static uint64_t table_hash(const void *arg, uint32_t id)
{
	return acl_hash(arg, &cell_at(arg, id)->acl);
}

static uint32_t *table_next(const void *arg, uint32_t id)
{
	return &cell_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_bytes = { table_hash, table_next };

int mu_acls_init(struct mu_acls *t, const uint8_t *key)
{
	t->key = key;
	t->idle = 0;
	mu_slab_init(&t->cells, sizeof(struct cell));
	return mu_table_init(&t->by_bytes, &by_bytes, t);
}

static void bytes_free(void *arg, uint32_t id)
{
	mu_free((void *)cell_at(arg, id)->acl.at);
}

void mu_acls_fini(struct mu_acls *t)
{
	mu_table_each(&t->by_bytes, bytes_free, t);
	mu_table_fini(&t->by_bytes);
	mu_slab_fini(&t->cells);
}

static bool same(const struct mu_vec *a, const struct mu_vec *b)
{
	return a->count == b->count && a->len == b->len &&
	       memcmp(a->at, b->at, a->len) == 0;
}

static int add(struct mu_acls *t, const struct mu_vec *acl, uint32_t *id)
{
	uint8_t *bytes = mu_alloc(acl->len);

	if (!bytes)
		return MU_ENOMEM;
	*id = mu_slab_new(&t->cells);
	if (!*id) {
		mu_free(bytes);
		return MU_ENOMEM;
	}
	memcpy(bytes, acl->at, acl->len);
	cell_at(t, *id)->acl = (struct mu_vec){ acl->count, bytes, acl->len };
	mu_table_insert(&t->by_bytes, acl_hash(t, acl), *id);
	return 0;
}

int mu_acls_ref(struct mu_acls *t, const struct mu_vec *acl, uint32_t *id)
{
	uint32_t found;

	MU_BUG_ON(acl->count <= 0);
	if (mu_acl_is_open(acl)) {
		*id = MU_ACL_OPEN;
		return 0;
	}
	found = mu_table_first(&t->by_bytes, acl_hash(t, acl));
	while (found && !same(&cell_at(t, found)->acl, acl))
		found = cell_at(t, found)->hash_next;
	if (!found && add(t, acl, &found))
		return MU_ENOMEM;
	cell_at(t, found)->refs++;
	*id = found;
	return 0;
}

void mu_acls_unref(struct mu_acls *t, uint32_t id)
{
	struct cell *c;

	if (id == MU_ACL_OPEN)
		return;
	c = cell_at(t, id);
	MU_BUG_ON(c->refs == 0);
	if (--c->refs > 0 || c->idle)
		return;
	c->idle = true;
	c->idle_next = t->idle;
	t->idle = id;
}

void mu_acls_sweep(struct mu_acls *t)
{
	while (t->idle) {
		uint32_t id = t->idle;
		struct cell *c = cell_at(t, id);

		t->idle = c->idle_next;
		c->idle = false;
		if (c->refs > 0) /* it came back */
			continue;
		mu_table_remove(&t->by_bytes, acl_hash(t, &c->acl), id);
		mu_free((void *)c->acl.at);
		mu_slab_free(&t->cells, id);
	}
}

struct mu_vec mu_acls_get(const struct mu_acls *t, uint32_t id)
{
	return id == MU_ACL_OPEN ? mu_acl_open() : cell_at(t, id)->acl;
}
