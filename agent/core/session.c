#include "session.h"

#include "bug.h"
#include "hash.h"
#include "heap.h"
#include "mem.h"
#include "slab.h"

#include <string.h>

/* A session and its place. `s` comes first, so that a struct mu_session of
 * ours is a cell. */
struct cell {
	struct mu_session s;
	uint64_t deadline; /* on the table's clock; the heap may lag behind */
	uint32_t self;     /* id of this cell */
	uint32_t hash_next;
	uint32_t at; /* 1 + place in the heap; 0: not in it */
};

_Static_assert(sizeof(struct cell) + sizeof(struct mu_heap_entry) <= 1000,
               "a session costs more than 1 KiB");

struct mu_sessions {
	uint8_t key[MU_HASH_KEY];
	uint32_t max;
	struct mu_slab cells;
	struct mu_table by_id;
	struct mu_heap deadlines; /* has room for every session */
	uint64_t stalled_ms;      /* by how much the clock is behind */
};

static struct cell *cell_at(const struct mu_sessions *s, uint32_t id)
{
	return mu_slab_at(&s->cells, id);
}

static struct cell *cell_of(struct mu_session *session)
{
	return (struct cell *)session;
}

static uint64_t id_hash(const struct mu_sessions *s, int64_t id)
{
	return mu_hash(s->key, (uint64_t)id, "", 0);
}

static uint64_t table_hash(const void *arg, uint32_t id)
{
	return id_hash(arg, cell_at(arg, id)->s.id);
}

static uint32_t *table_next(const void *arg, uint32_t id)
{
	return &cell_at(arg, id)->hash_next;
}

static const struct mu_table_ops by_id = { table_hash, table_next };

static void moved(const void *arg, uint32_t id, uint32_t at)
{
	cell_at(arg, id)->at = at + 1;
}

struct mu_sessions *mu_sessions_new(const uint8_t key[16], uint32_t max)
{
	struct mu_sessions *s = mu_alloc(sizeof *s);

	if (!s)
		return NULL;
	memcpy(s->key, key, sizeof s->key);
	s->max = max;
	mu_slab_init(&s->cells, sizeof(struct cell));
	mu_heap_init(&s->deadlines, moved, s);
	if (mu_table_init(&s->by_id, &by_id, s)) {
		mu_sessions_free(s);
		return NULL;
	}
	return s;
}

void mu_sessions_free(struct mu_sessions *s)
{
	if (!s)
		return;
	mu_heap_fini(&s->deadlines);
	mu_table_fini(&s->by_id);
	mu_slab_fini(&s->cells);
	mu_free(s);
}

/* ---- deadlines --------------------------------------------------------------- */

/* The table's clock: what has passed, without the stalls. */
static uint64_t clock_ms(const struct mu_sessions *s, uint64_t now_ms)
{
	return now_ms > s->stalled_ms ? now_ms - s->stalled_ms : 0;
}

static void leave_heap(struct mu_sessions *s, struct cell *c)
{
	if (c->at)
		mu_heap_remove(&s->deadlines, c->at - 1);
	c->at = 0;
}

/* Later deadlines wait until the session comes up; an earlier one, of a
 * timeout that was made shorter, cannot. */
static void deadline_set(struct mu_sessions *s, struct cell *c,
                         uint64_t deadline)
{
	c->deadline = deadline;
	if (c->at && deadline < s->deadlines.entry[c->at - 1].key)
		mu_heap_rekey(&s->deadlines, c->at - 1, deadline);
}

void mu_sessions_touch(struct mu_sessions *s, struct mu_session *session,
                       uint64_t now_ms)
{
	deadline_set(s, cell_of(session),
	             clock_ms(s, now_ms) + session->timeout_ms);
}

uint64_t mu_session_left_ms(const struct mu_sessions *s,
                            const struct mu_session *session, uint64_t now_ms)
{
	const struct cell *c = (const struct cell *)session;
	const uint64_t clock = clock_ms(s, now_ms);

	return c->deadline > clock ? c->deadline - clock : 0;
}

void mu_sessions_stalled(struct mu_sessions *s, uint64_t ms)
{
	s->stalled_ms += ms;
}

struct mu_session *mu_sessions_expire(struct mu_sessions *s, uint64_t now_ms)
{
	uint64_t clock = clock_ms(s, now_ms);

	while (s->deadlines.len > 0 && s->deadlines.entry[0].key <= clock) {
		struct cell *c = cell_at(s, s->deadlines.entry[0].id);

		if (c->deadline > s->deadlines.entry[0].key) {
			mu_heap_rekey(&s->deadlines, 0, c->deadline);
			continue;
		}
		leave_heap(s, c);
		if (c->s.closing)
			continue;
		c->s.closing = true;
		return &c->s;
	}
	return NULL;
}

void mu_sessions_unexpire(struct mu_sessions *s, struct mu_session *session,
                          uint64_t now_ms)
{
	struct cell *c = cell_of(session);

	session->closing = false;
	leave_heap(s, c);
	c->deadline = clock_ms(s, now_ms);
	mu_heap_push(&s->deadlines, c->deadline, c->self);
}

/* ---- the table ----------------------------------------------------------------- */

int mu_sessions_add(struct mu_sessions *s, int64_t id,
                    const uint8_t password[MU_PASSWORD_LEN],
                    uint32_t timeout_ms, uint64_t now_ms,
                    struct mu_session **out)
{
	uint32_t self;
	struct cell *c;

	if (mu_sessions_find(s, id))
		return MU_EEXISTS;
	if (s->cells.used >= s->max)
		return MU_EFULL;
	if (mu_heap_reserve(&s->deadlines, s->cells.used + 1))
		return MU_ENOMEM;
	self = mu_slab_new(&s->cells);
	if (!self)
		return MU_ENOMEM;
	c = cell_at(s, self);
	c->self = self;
	c->s.id = id;
	c->s.timeout_ms = c->s.made_timeout_ms = timeout_ms;
	memcpy(c->s.password, password, MU_PASSWORD_LEN);
	mu_table_insert(&s->by_id, id_hash(s, id), self);
	c->deadline = clock_ms(s, now_ms) + timeout_ms;
	mu_heap_push(&s->deadlines, c->deadline, self);
	*out = &c->s;
	return 0;
}

struct mu_session *mu_sessions_find(const struct mu_sessions *s, int64_t id)
{
	uint32_t i = mu_table_first(&s->by_id, id_hash(s, id));

	while (i && cell_at(s, i)->s.id != id)
		i = cell_at(s, i)->hash_next;
	return i ? &cell_at(s, i)->s : NULL;
}

void mu_sessions_remove(struct mu_sessions *s, struct mu_session *session)
{
	struct cell *c = cell_of(session);

	leave_heap(s, c);
	mu_table_remove(&s->by_id, id_hash(s, session->id), c->self);
	mu_slab_free(&s->cells, c->self);
}

uint32_t mu_sessions_count(const struct mu_sessions *s)
{
	return s->cells.used;
}

struct visit {
	const struct mu_sessions *s;
	void (*each)(void *arg, struct mu_session *);
	void *arg;
};

static void visit_one(void *arg, uint32_t id)
{
	const struct visit *v = arg;

	v->each(v->arg, &cell_at(v->s, id)->s);
}

void mu_sessions_each(const struct mu_sessions *s,
                      void (*each)(void *arg, struct mu_session *), void *arg)
{
	struct visit v = { s, each, arg };

	mu_table_each(&s->by_id, visit_one, &v);
}

bool mu_session_password_is(const struct mu_session *session,
                            const uint8_t *password, size_t len)
{
	unsigned differ = 0;

	if (len != MU_PASSWORD_LEN)
		return false;
	for (size_t i = 0; i < MU_PASSWORD_LEN; i++)
		differ |= (unsigned)(session->password[i] ^ password[i]);
	return differ == 0;
}
