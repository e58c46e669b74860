#include "hash.h"

#include "bug.h"
#include "mem.h"

#include <muster/types.h>

#include <string.h>

/* ---- SipHash-1-3 (Aumasson and Bernstein) ---------------------------------- */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* Eight bytes, the first lowest: the same on every machine. Written so that
 * compilers make one load of it. */
static uint64_t load_word(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
	       (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

/* The same of fewer. */
static uint64_t load_rest(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t mu_hash(const uint8_t key[MU_HASH_KEY], uint64_t extra, const void *p,
                 size_t len)
{
	uint64_t k0 = load_word(key), k1 = load_word(key + 8);
	struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
		         k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	const uint8_t *at = p;
	size_t left = len;

	sip_word(&s, extra);
	for (; left >= 8; at += 8, left -= 8)
		sip_word(&s, load_word(at));
	sip_word(&s, load_rest(at, left) | (uint64_t)(len + 8) << 56);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* ---- the table --------------------------------------------------------------- */

#define ROOM_MIN 4u
#define BUCKETS_MAX (1u << 31)

static int segment_add(struct mu_table *t)
{
	uint32_t room = t->room ? t->room * 2 : ROOM_MIN;
	uint32_t **segment = t->segment;

	if (t->segments == t->room) {
		segment = mu_realloc(t->segment, room * sizeof *segment);
		if (!segment)
			return MU_ENOMEM;
		t->segment = segment;
		t->room = room;
	}
	segment[t->segments] = mu_alloc(MU_TABLE_SEGMENT * sizeof(uint32_t));
	if (!segment[t->segments])
		return MU_ENOMEM;
	t->segments++;
	return 0;
}

int mu_table_init(struct mu_table *t, const struct mu_table_ops *ops,
                  const void *arg)
{
	*t = (struct mu_table){ .ops = ops, .arg = arg };
	if (segment_add(t))
		return MU_ENOMEM;
	t->buckets = MU_TABLE_SEGMENT;
	t->top_mask = MU_TABLE_SEGMENT - 1;
	return 0;
}

void mu_table_fini(struct mu_table *t)
{
	for (uint32_t i = 0; i < t->segments; i++)
		mu_free(t->segment[i]);
	mu_free(t->segment);
	*t = (struct mu_table){ 0 };
}

static uint32_t *head(const struct mu_table *t, uint32_t bucket)
{
	return &t->segment[bucket / MU_TABLE_SEGMENT]
	                  [bucket % MU_TABLE_SEGMENT];
}

static uint32_t *chain(const struct mu_table *t, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & t->top_mask;

	/* Not split off yet: still with the bucket that it will come from. */
	return head(t, i < t->buckets ? i : i & t->top_mask >> 1);
}

/* Make one bucket more, with what belongs there of the bucket below. */
static void split(struct mu_table *t)
{
	uint32_t made = t->buckets, mask = t->top_mask;
	uint32_t *from, *to;

	if (made == BUCKETS_MAX)
		return;
	if (made / MU_TABLE_SEGMENT == t->segments && segment_add(t))
		return;
	if (made > mask)
		mask = mask << 1 | 1;
	from = head(t, made & mask >> 1);
	to = head(t, made);
	while (*from) {
		uint32_t id = *from;
		uint32_t *next = t->ops->next(t->arg, id);

		if (((uint32_t)t->ops->hash(t->arg, id) & mask) == made) {
			*from = *next;
			*next = *to;
			*to = id;
		} else {
			from = next;
		}
	}
	t->buckets++;
	t->top_mask = mask;
}

void mu_table_reserve(struct mu_table *t, uint32_t n)
{
	uint32_t want = n / 3 * 2;

	MU_BUG_ON(t->count > 0);
	if (want > BUCKETS_MAX)
		want = BUCKETS_MAX;
	while (t->buckets < want) {
		if (t->buckets / MU_TABLE_SEGMENT == t->segments &&
		    segment_add(t))
			return;
		t->buckets += MU_TABLE_SEGMENT;
		while (t->top_mask < t->buckets - 1)
			t->top_mask = t->top_mask << 1 | 1;
	}
}

uint32_t mu_table_first(const struct mu_table *t, uint64_t hash)
{
	return *chain(t, hash);
}

void mu_table_insert(struct mu_table *t, uint64_t hash, uint32_t id)
{
	uint32_t *at;

	/* Three ids to two buckets; one split an insert keeps up with that. */
	if (t->count / 3 >= t->buckets / 2)
		split(t);
	at = chain(t, hash);
	*t->ops->next(t->arg, id) = *at;
	*at = id;
	t->count++;
}

void mu_table_remove(struct mu_table *t, uint64_t hash, uint32_t id)
{
	uint32_t *at = chain(t, hash);

	while (*at != id) {
		MU_BUG_ON(*at == 0);
		at = t->ops->next(t->arg, *at);
	}
	*at = *t->ops->next(t->arg, id);
	t->count--;
}

void mu_table_each(const struct mu_table *t,
                   void (*each)(void *arg, uint32_t id), void *arg)
{
	for (uint32_t i = 0; i < t->buckets; i++)
		for (uint32_t id = *head(t, i); id;
		     id = *t->ops->next(t->arg, id))
			each(arg, id);
}
