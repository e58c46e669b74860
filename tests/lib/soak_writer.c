#include "soak_writer.h"

#include "soak_link.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>

#define LONG_MS 60000u
#define VALUE_MAX 20000u

/* What a writer knows of a node of its own. */
struct node {
	char path[SOAK_PATH_MAX];
	bool there;
	int32_t version;
};

struct slot {
	struct soak_thread *t;
	struct soak_link link;
	struct node parent, node[SOAK_NODES];
	/* The write that is under way, and what it will have changed. */
	struct mu_multi_op op[SOAK_OPS_MAX];
	struct node *of[SOAK_OPS_MAX];
	size_t ops;
	char value[SOAK_OPS_MAX][VALUE_MAX];
};

void soak_writer_fail(struct soak_writer *w, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&w->lock);
	va_start(ap, fmt);
	if (!w->why[0])
		vsnprintf(w->why, sizeof w->why, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&w->lock);
	atomic_store(&w->stop, true);
}

/* ---- what to write ---- */

static uint32_t a_length(struct dice *d)
{
	switch (dice_below(d, 12)) {
	case 0:
		return 4094 + dice_below(d, 5); /* about what comes along */
	case 1:
		return dice_below(d, VALUE_MAX);
	case 2:
		return 0;
	default:
		return dice_below(d, 200);
	}
}

static void add(struct slot *s, enum mu_op_kind kind, struct node *n)
{
	struct dice *d = &s->t->dice;
	size_t i = s->ops++;
	struct mu_multi_op *op = &s->op[i];

	*op = (struct mu_multi_op){
		.kind = kind, .path = n->path, .version = -1, .len = -1
	};
	s->of[i] = n;
	if (kind == MU_OPKIND_DELETE || dice_chance(d, 2))
		return; /* no value */
	op->len = (int32_t)a_length(d);
	for (int32_t k = 0; k < op->len; k += 8) {
		uint64_t bits = dice(d);

		memcpy(s->value[i] + k, &bits,
		       op->len - k < 8 ? (size_t)(op->len - k) : 8);
	}
	op->data = s->value[i];
}

/* Something that can be done to a node which is there, or not. */
static enum mu_op_kind a_kind(struct dice *d, bool there)
{
	if (!there)
		return MU_OPKIND_CREATE;
	return dice_chance(d, 20) ? MU_OPKIND_DELETE : MU_OPKIND_SET;
}

/* Several changes, most of them of few nodes; the parent's value is the last, by
 * which it can be told whether all of it was done. */
static void choose_multi(struct slot *s)
{
	struct dice *d = &s->t->dice;
	uint32_t first = dice_below(d, SOAK_NODES),
		 count = 1 + dice_below(d, 6);
	bool there[2];

	there[0] = s->node[first].there;
	there[1] = s->node[(first + 1) % SOAK_NODES].there;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t k = dice_chance(d, 30);
		enum mu_op_kind kind = a_kind(d, there[k]);

		add(s, kind, &s->node[(first + k) % SOAK_NODES]);
		there[k] = kind != MU_OPKIND_DELETE;
	}
	add(s, MU_OPKIND_SET, &s->parent);
	s->t->multis++;
}

static void choose(struct slot *s)
{
	struct dice *d = &s->t->dice;
	struct node *n = &s->node[dice_below(d, SOAK_NODES)];

	s->ops = 0;
	if (dice_chance(d, 25))
		choose_multi(s);
	else if (dice_chance(d, 5))
		add(s, MU_OPKIND_SET, &s->parent);
	else
		add(s, a_kind(d, n->there), n);
}

/* ---- what was written ---- */

static void put(struct slot *s, const char *path, unsigned type, int64_t zxid,
                int32_t n, const struct mu_multi_op *op)
{
	struct soak_entry e = {
		.type = type, .zxid = zxid, .n = n, .len = op ? op->len : -1
	};

	e.digest = soak_digest(op ? op->data : NULL, e.len);
	soak_journal_put(s->t->w->j, path, &e);
}

/* It was done, under this zxid: n as the broker counts. */
static void record(struct slot *s, int64_t zxid)
{
	int32_t n = 0;

	for (size_t i = 0; i < s->ops; i++) {
		const struct mu_multi_op *op = &s->op[i];
		struct node *of = s->of[i];

		if (op->kind == MU_OPKIND_SET) {
			put(s, of->path, MU_EVENT_CHANGED, zxid, n++, op);
			of->version++;
			continue;
		}
		of->there = op->kind == MU_OPKIND_CREATE;
		of->version = 0;
		put(s, of->path,
		    of->there ? MU_EVENT_CREATED : MU_EVENT_DELETED, zxid, n++,
		    of->there ? op : NULL);
		put(s, s->parent.path, MU_EVENT_CHILDREN, zxid, n++, NULL);
	}
	s->t->writes++;
}

/* The answer was lost: was the last of the operations done, and when? 0: no. */
static int64_t find_out(struct slot *s)
{
	const struct mu_multi_op *op = &s->op[s->ops - 1];
	const struct node *of = s->of[s->ops - 1];
	struct mu_stat stat;
	int rc = soak_link_look(&s->link, of->path, &stat);

	if (op->kind == MU_OPKIND_CREATE)
		return rc ? 0 : stat.czxid;
	if (op->kind == MU_OPKIND_DELETE) {
		if (rc == 0)
			return 0;
		/* Nobody else has children here. */
		rc = soak_link_look(&s->link, s->parent.path, &stat);
		return rc ? 0 : stat.pzxid;
	}
	if (rc) {
		soak_writer_fail(s->t->w, "%s is gone", of->path);
		return 0;
	}
	if (stat.version == of->version)
		return 0;
	if (stat.version != of->version + 1)
		soak_writer_fail(s->t->w, "%s has version %d behind %d",
		                 of->path, stat.version, of->version);
	return stat.mzxid;
}

static int64_t zxid_of(const struct slot *s, const struct soak_answer *a)
{
	const struct mu_stat *last = &a->stat[s->ops - 1];
	enum mu_op_kind kind = s->op[s->ops - 1].kind;

	if (kind == MU_OPKIND_SET)
		return last->mzxid;
	return kind == MU_OPKIND_CREATE ? last->czxid : a->zxid;
}

static bool is_lost(int rc)
{
	return rc == MU_ECONNLOSS || rc == MU_EEXPIRED;
}

static void write_one(struct slot *s)
{
	const struct soak_answer *a;
	int64_t zxid;

	choose(s);
	a = soak_link_do(&s->link, s->op, s->ops);
	if (a->rc && !is_lost(a->rc)) {
		soak_writer_fail(s->t->w, "a write of %s: %s", s->of[0]->path,
		                 mu_client_strerror(a->rc));
		return;
	}
	if (a->rc == 0) {
		record(s, zxid_of(s, a));
		return;
	}
	s->t->lost_answers++;
	zxid = find_out(s);
	s->t->lost_done += zxid > 0;
	if (zxid > 0)
		record(s, zxid);
}

/* ---- a writer ---- */

static void name_nodes(struct slot *s)
{
	int k = s->t->number;

	s->parent.there = true;
	if (k == 0)
		snprintf(s->parent.path, sizeof s->parent.path, SOAK_TOP);
	else
		snprintf(s->parent.path, sizeof s->parent.path, SOAK_TOP "/s%d",
		         k);
	for (int i = 0; i < SOAK_NODES; i++)
		snprintf(s->node[i].path, sizeof s->node[i].path, "%.64s/n%d",
		         s->parent.path, i);
}

static void *run_slot(void *arg)
{
	struct soak_thread *t = arg;
	struct slot *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->t = t;
	name_nodes(s);
	soak_link_open(&s->link, t->w->url, LONG_MS);
	while (!atomic_load(&t->w->stop)) {
		uint32_t pause = dice_below(&t->dice, 2 * t->w->pause_us + 1);

		write_one(s);
		/* In bursts, and not. */
		if (!dice_chance(&t->dice, 60))
			soak_link_idle(&s->link, pause * 5 / 2 / 1000);
	}
	soak_link_close(&s->link);
	free(s);
	return NULL;
}

/* ---- all of them ---- */

/* A folder; or a node that is written while all is quiet. */
static void make(struct soak_writer *w, struct soak_link *l, const char *path,
                 bool told)
{
	struct mu_multi_op op = { .kind = MU_OPKIND_CREATE,
		                  .path = path,
		                  .len = -1 };
	const struct soak_answer *a = soak_link_do(l, &op, 1);
	struct soak_entry e = { .type = MU_EVENT_CREATED, .len = -1 };

	ck_assert_msg(a->rc == 0 || (a->rc == MU_EEXISTS && !told), "%s: %s",
	              path, mu_client_strerror(a->rc));
	e.zxid = a->stat[0].czxid;
	if (told)
		soak_journal_put(w->j, path, &e);
}

void soak_writer_open(struct soak_writer *w, struct soak_journal *j,
                      const char *url, uint64_t seed, uint32_t pause_us)
{
	struct dice d = { seed };
	struct soak_link l;
	char path[SOAK_PATH_MAX];

	memset(w, 0, sizeof *w);
	w->j = j;
	w->pause_us = pause_us;
	pthread_mutex_init(&w->lock, NULL);
	snprintf(w->url, sizeof w->url, "%s", url);
	soak_link_open(&l, url, LONG_MS);
	make(w, &l, "/members", false);
	make(w, &l, "/left", false);
	make(w, &l, SOAK_TOP, true);
	make(w, &l, SOAK_TOP "/e", true);
	for (int i = 1; i < SOAK_WRITERS; i++) {
		snprintf(path, sizeof path, SOAK_TOP "/s%d", i);
		make(w, &l, path, true);
	}
	soak_link_close(&l);
	for (int i = 0; i < SOAK_WRITERS + 2; i++) {
		w->thread[i].w = w;
		w->thread[i].number = i;
		w->thread[i].dice.state = dice(&d);
	}
}

void soak_writer_start(struct soak_writer *w)
{
	for (int i = 0; i < SOAK_WRITERS + 2; i++) {
		void *(*run)(void *) = i < SOAK_WRITERS    ? run_slot
		                       : i == SOAK_WRITERS ? soak_ephemerals_run
		                                           : soak_members_run;

		ck_assert_int_eq(pthread_create(&w->thread[i].thread, NULL, run,
		                                &w->thread[i]),
		                 0);
	}
}

static void write_last(struct soak_writer *w, const char *path,
                       enum mu_op_kind kind, unsigned type)
{
	struct mu_multi_op op = { .kind = kind,
		                  .path = path,
		                  .data = "{}",
		                  .len = 2,
		                  .version = -1 };
	struct soak_entry e = { .type = type, .len = 2 };
	const struct soak_answer *a;
	struct soak_link l;

	soak_link_open(&l, w->url, LONG_MS);
	a = soak_link_do(&l, &op, 1);
	if (a->rc)
		soak_writer_fail(w, "the last write of %s: %s", path,
		                 mu_client_strerror(a->rc));
	e.zxid = a->stat[0].mzxid;
	e.digest = soak_digest("{}", 2);
	soak_journal_put(w->j, path, &e);
	soak_link_close(&l);
}

void soak_writer_stop(struct soak_writer *w)
{
	atomic_store(&w->stop, true);
	for (int i = 0; i < SOAK_WRITERS + 2; i++)
		pthread_join(w->thread[i].thread, NULL);
	write_last(w, SOAK_TOP, MU_OPKIND_SET, MU_EVENT_CHANGED);
	write_last(w, SOAK_END_MEMBER, MU_OPKIND_CREATE,
	           MU_EVENT_MEMBER_JOINED);
	pthread_mutex_destroy(&w->lock);
}

struct soak_thread soak_writer_sum(const struct soak_writer *w)
{
	struct soak_thread sum = { .number = 0 };

	for (int i = 0; i < SOAK_WRITERS + 2; i++) {
		const struct soak_thread *t = &w->thread[i];

		sum.writes += t->writes;
		sum.multis += t->multis;
		sum.lost_answers += t->lost_answers;
		sum.lost_done += t->lost_done;
		sum.ephemerals += t->ephemerals;
		sum.stays += t->stays;
	}
	return sum;
}
