#include "mirror_table.h"

#include "bug.h"
#include "mem.h"

#include <string.h>

#define SLOTS_FIRST 16u

static uint32_t hash_of(struct mu_str path)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < path.len; i++)
		h = (h ^ (uint8_t)path.at[i]) * 16777619u;
	return h ^ (h >> 15);
}

struct mu_mirror_node *mu_mirror_node_new(struct mu_str path,
                                          struct mu_str data,
                                          const struct mu_stat *stat)
{
	struct mu_mirror_node *n = mu_alloc(sizeof *n + path.len + 1);
	char *copy = NULL;

	if (!n)
		return NULL;
	if (data.at) {
		copy = mu_alloc((size_t)data.len + 1);
		if (!copy) {
			mu_free(n);
			return NULL;
		}
		memcpy(copy, data.at, data.len);
	}
	n->data = (struct mu_str){ copy, copy ? data.len : 0 };
	if (stat) {
		n->stat = *stat;
		n->at_zxid = stat->mzxid;
		n->at_n = INT32_MAX;
	}
	n->hash = hash_of(path);
	n->len = path.len;
	memcpy(n->path, path.at, path.len);
	return n;
}

void mu_mirror_node_free(struct mu_mirror_node *n)
{
	if (!n)
		return;
	mu_free((void *)n->data.at);
	mu_free(n);
}

static bool is_at(const struct mu_mirror_node *n, uint32_t hash,
                  struct mu_str path)
{
	return n->hash == hash && n->len == path.len &&
	       memcmp(n->path, path.at, path.len) == 0;
}

struct mu_mirror_node *mu_mirror_table_find(const struct mu_mirror_table *t,
                                            struct mu_str path)
{
	uint32_t hash = hash_of(path);
	struct mu_mirror_node *n;

	if (!t->slot)
		return NULL;
	n = t->slot[hash & (t->slots - 1)];
	while (n && !is_at(n, hash, path))
		n = n->next;
	return n;
}

int mu_mirror_table_reserve(struct mu_mirror_table *t)
{
	uint32_t slots = t->slots ? t->slots * 2 : SLOTS_FIRST;
	struct mu_mirror_node **slot;

	if (t->count < t->slots)
		return 0;
	slot = mu_alloc(slots * sizeof *slot);
	if (!slot)
		return MU_ENOMEM;
	for (uint32_t i = 0; i < t->slots; i++) {
		while (t->slot[i]) {
			struct mu_mirror_node *n = t->slot[i];

			t->slot[i] = n->next;
			n->next = slot[n->hash & (slots - 1)];
			slot[n->hash & (slots - 1)] = n;
		}
	}
	mu_free(t->slot);
	t->slot = slot;
	t->slots = slots;
	return 0;
}

void mu_mirror_table_put(struct mu_mirror_table *t, struct mu_mirror_node *n)
{
	struct mu_str path = { n->path, n->len };
	struct mu_mirror_node *old = mu_mirror_table_find(t, path);

	if (old) {
		mu_mirror_table_take(t, old);
		mu_mirror_node_free(old);
	}
	MU_BUG_ON(t->count >= t->slots);
	n->next = t->slot[n->hash & (t->slots - 1)];
	t->slot[n->hash & (t->slots - 1)] = n;
	t->count++;
	t->bytes += n->data.len;
}

void mu_mirror_table_take(struct mu_mirror_table *t, struct mu_mirror_node *n)
{
	struct mu_mirror_node **p = &t->slot[n->hash & (t->slots - 1)];

	while (*p != n) {
		MU_BUG_ON(!*p);
		p = &(*p)->next;
	}
	*p = n->next;
	n->next = NULL;
	t->count--;
	t->bytes -= n->data.len;
}

void mu_mirror_table_clear(struct mu_mirror_table *t)
{
	for (uint32_t i = 0; i < t->slots; i++) {
		while (t->slot[i]) {
			struct mu_mirror_node *n = t->slot[i];

			t->slot[i] = n->next;
			mu_mirror_node_free(n);
		}
	}
	mu_free(t->slot);
	*t = (struct mu_mirror_table){ 0 };
}

struct mu_mirror_node *mu_mirror_table_next(const struct mu_mirror_table *t,
                                            const struct mu_mirror_node *n)
{
	uint32_t i = 0;

	if (n && n->next)
		return n->next;
	if (n)
		i = (n->hash & (t->slots - 1)) + 1;
	while (i < t->slots && !t->slot[i])
		i++;
	return i < t->slots ? t->slot[i] : NULL;
}
