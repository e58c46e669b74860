#include "crash_writer.h"

#include <muster/client.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define NAMES 12u  /* n0 ... in each folder */
#define MORTALS 4u /* ephemerals of a session */
#define QUEUED 10u /* numbered nodes that a slot keeps */
#define TURN_MS 20
#define LONG_TTL_MS (3600 * 1000)
#define READS 2u

/* ---- words ------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void wrong(struct crash_writer *w,
                                                        const char *fmt, ...)
{
	va_list ap;

	if (w->why[0])
		return; /* the first tells most */
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof w->why, fmt, ap);
	va_end(ap);
}

static void path_of(const struct crash_slot *s, const char *name, bool in_queue,
                    char out[128])
{
	if (in_queue)
		snprintf(out, 128, "/w/q/%s", name);
	else
		snprintf(out, 128, "/w/s%u%s%s", s->model.slot,
		         name[0] ? "/" : "", name);
}

/* ---- answers ---------------------------------------------------------------------- */

static void saw_zxid(struct crash_writer *w, int64_t zxid)
{
	if (zxid > w->zxid)
		w->zxid = zxid;
}

/* It is new, and must be above `floor`. */
static void saw_number(struct crash_writer *w, const char *name, int32_t floor)
{
	const char *dash = strrchr(name, '-');
	const int32_t number = dash ? (int32_t)atol(dash + 1) : -1;

	if (number < 0 || number >= (int32_t)CRASH_SEQS) {
		wrong(w, "%s has no sequence number", name);
		return;
	}
	if (w->seq_known[number / 8] >> number % 8 & 1)
		wrong(w, "sequence number %d was given twice: %s", number,
		      name);
	if (number <= floor)
		wrong(w, "%s: %d was known before the restart", name, floor);
	w->seq_known[number / 8] |= (uint8_t)(1 << number % 8);
	if (number > w->seq_top)
		w->seq_top = number;
}

/* What the answer tells about a node that the request made or set. */
static void take_part(struct crash_slot *s, const struct crash_op *op,
                      uint32_t part, const char *path,
                      const struct mu_stat *stat)
{
	const struct crash_part *p = &op->part[part];
	struct crash_model *m = &s->model;

	if (p->kind != PART_CREATE && p->kind != PART_SET)
		return;
	for (size_t i = 0; i < m->count; i++) {
		struct crash_node *n = &m->node[i];

		if (n->op != op->id || n->part != part)
			continue;
		if (p->in_queue && path && !n->name[0]) {
			snprintf(n->name, sizeof n->name, "%.39s",
			         strrchr(path, '/') + 1);
			saw_number(s->w, n->name, s->w->seq_floor);
		}
		if (!stat)
			continue;
		n->mzxid = stat->mzxid;
		n->czxid = stat->czxid;
		if (stat->mzxid <= m->last_zxid || stat->mzxid <= s->w->floor)
			wrong(s->w,
			      "slot %u, request %u: zxid %llx is not above "
			      "%llx of before",
			      m->slot, op->id, (unsigned long long)stat->mzxid,
			      (unsigned long long)(m->last_zxid > s->w->floor
			                                   ? m->last_zxid
			                                   : s->w->floor));
		if (stat->version != n->version)
			wrong(s->w, "slot %u, request %u: version %d, not %d",
			      m->slot, op->id, stat->version, n->version);
	}
}

static void take(struct crash_slot *s, const struct crash_op *op,
                 const struct mu_result *r)
{
	int64_t zxid = 0;

	if (!op->multi) {
		take_part(s, op, 0, r->path, r->stat);
		zxid = r->stat ? r->stat->mzxid : 0;
	}
	for (uint32_t i = 0; op->multi && i < op->parts && i < r->count; i++) {
		take_part(s, op, i, r->results[i].path, r->results[i].stat);
		if (r->results[i].stat)
			zxid = r->results[i].stat->mzxid;
	}
	if (zxid > s->model.last_zxid)
		s->model.last_zxid = zxid;
	saw_zxid(s->w, r->zxid);
	saw_zxid(s->w, zxid);
}

static bool is_refusal(int rc)
{
	return rc == MU_ENOSPACE || rc == MU_EIO || rc == MU_EMAXDATA ||
	       rc == MU_ETHROTTLED;
}

static void judge(struct crash_slot *s, const struct crash_op *op,
                  const struct mu_result *r)
{
	struct crash_writer *w = s->w;
	int expected;

	if (is_refusal(r->rc) && w->may_refuse) {
		w->refusals++;
		w->last_refusal = r->rc;
		return;
	}
	expected = crash_model_apply(&s->model, op);
	if (r->rc != expected)
		wrong(w, "slot %u, request %u: answered %d (%s), not %d (%s)",
		      s->model.slot, op->id, r->rc, mu_client_strerror(r->rc),
		      expected, mu_client_strerror(expected));
	w->acks++;
	w->total_acks++;
	if (r->rc == 0)
		take(s, op, r);
}

static void on_done(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct crash_slot *s = arg;

	(void)c;
	if (r->rc == MU_ECONNLOSS || r->rc == MU_EEXPIRED ||
	    r->rc == MU_ECLOSED) {
		s->unknown++;
		return;
	}
	if (s->unknown) {
		wrong(s->w, "slot %u: an answer behind requests without one",
		      s->model.slot);
		return;
	}
	judge(s, &s->op[0], r);
	memmove(&s->op[0], &s->op[1], --s->ops * sizeof s->op[0]);
}

static void on_read(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct crash_writer *w = arg;
	struct crash_seen seen = { .damaged = true };

	(void)c;
	w->reading--;
	if (r->rc)
		return;
	w->reads++;
	if (!crash_data_parse(r->data, r->len, &seen) ||
	    seen.slot >= CRASH_SLOTS)
		wrong(w, "the reader was given damaged data");
	else if (seen.op > w->slot[seen.slot].model.witnessed)
		w->slot[seen.slot].model.witnessed = seen.op;
}

/* ---- requests ------------------------------------------------------------------------ */

static uint32_t some_len(struct dice *d)
{
	return CRASH_DATA_MIN +
	       dice_below(d, dice_chance(d, 10)
	                             ? CRASH_DATA_MAX - CRASH_DATA_MIN + 1
	                             : 600);
}

static void some_name(struct crash_slot *s, struct crash_part *p)
{
	snprintf(p->name, sizeof p->name, "n%u",
	         dice_below(&s->w->dice, NAMES));
}

static void plan_set(struct crash_slot *s, struct crash_part *p)
{
	const struct crash_node *n;

	p->kind = PART_SET;
	some_name(s, p);
	n = crash_model_find(&s->model, p->name, false);
	p->version = n && dice_chance(&s->w->dice, 30) ? n->version : -1;
}

static void plan_create(struct crash_slot *s, struct crash_part *p)
{
	p->kind = PART_CREATE;
	some_name(s, p);
}

static void plan_delete(struct crash_slot *s, struct crash_part *p)
{
	p->kind = PART_DELETE;
	p->version = -1;
	some_name(s, p);
}

/* With a version that no node comes to. */
static void plan_wrong_check(struct crash_slot *s, struct crash_part *p)
{
	p->kind = PART_CHECK;
	p->version = 1 << 30;
	some_name(s, p);
}

static void plan_ephemeral(struct crash_slot *s, struct crash_part *p)
{
	p->kind = dice_chance(&s->w->dice, 60) ? PART_CREATE : PART_DELETE;
	p->ephemeral = true;
	p->version = -1;
	snprintf(p->name, sizeof p->name, "e%u-%u", s->incarnation,
	         dice_below(&s->w->dice, MORTALS));
}

/* Make one, or delete one whose name is known. */
static void plan_numbered(struct crash_slot *s, struct crash_part *p)
{
	const struct crash_node *known = NULL;
	uint32_t all = 0;

	for (size_t i = 0; i < s->model.count; i++) {
		all += s->model.node[i].in_queue;
		if (s->model.node[i].in_queue && s->model.node[i].name[0] &&
		    dice_chance(&s->w->dice, 50))
			known = &s->model.node[i];
	}
	p->in_queue = true;
	p->version = -1;
	p->kind = PART_CREATE;
	snprintf(p->name, sizeof p->name, "s%u-", s->model.slot);
	if (known && all >= QUEUED) {
		p->kind = PART_DELETE;
		strcpy(p->name, known->name);
	}
}

static void plan_part(struct crash_slot *s, struct crash_part *p)
{
	static const struct {
		uint32_t percent;
		void (*plan)(struct crash_slot *s, struct crash_part *p);
	} kinds[] = {
		{ 35, plan_set },        { 60, plan_create },
		{ 72, plan_delete },     { 88, plan_numbered },
		{ 100, plan_ephemeral },
	};
	const uint32_t of_100 = dice_below(&s->w->dice, 100);
	size_t i = 0;

	while (kinds[i].percent <= of_100)
		i++;
	kinds[i].plan(s, p);
	p->len = some_len(&s->w->dice);
}

static void plan(struct crash_slot *s, struct crash_op *op)
{
	struct dice *d = &s->w->dice;

	*op = (struct crash_op){ .id = ++s->next_id,
		                 .session = s->session,
		                 .parts = 1 };
	op->multi = dice_chance(d, 20);
	if (op->multi)
		op->parts = 2 + dice_below(d, CRASH_PARTS - 1);
	for (uint32_t i = 0; i < op->parts; i++)
		plan_part(s, &op->part[i]);
	if (op->multi && dice_chance(d, 30))
		plan_wrong_check(s, &op->part[op->parts - 1]);
	if (!op->multi && op->part[0].kind == PART_CREATE &&
	    !op->part[0].in_queue && !op->part[0].ephemeral)
		op->part[0].ttl = dice_chance(d, 30);
}

static unsigned flags_of(const struct crash_part *p)
{
	return (p->ephemeral ? MU_CREATE_EPHEMERAL : 0u) |
	       (p->in_queue ? MU_CREATE_SEQUENTIAL : 0u);
}

static int send_multi(struct crash_slot *s, const struct crash_op *op)
{
	static const enum mu_op_kind kinds[] = {
		[PART_CREATE] = MU_OPKIND_CREATE,
		[PART_SET] = MU_OPKIND_SET,
		[PART_DELETE] = MU_OPKIND_DELETE,
		[PART_CHECK] = MU_OPKIND_CHECK,
	};
	static char path[CRASH_PARTS][128], data[CRASH_PARTS][CRASH_DATA_MAX];
	struct mu_multi_op m[CRASH_PARTS];

	for (uint32_t i = 0; i < op->parts; i++) {
		const struct crash_part *p = &op->part[i];

		path_of(s, p->name, p->in_queue, path[i]);
		m[i] = (struct mu_multi_op){ .kind = kinds[p->kind],
			                     .path = path[i],
			                     .version = p->version };
		if (p->kind != PART_CREATE && p->kind != PART_SET)
			continue;
		crash_data(s->model.slot, op, i, data[i]);
		m[i].data = data[i];
		m[i].len = (int32_t)p->len;
		m[i].flags = p->kind == PART_CREATE ? flags_of(p) : 0;
	}
	return mu_client_multi(s->c, m, op->parts, on_done, s);
}

static int send_one(struct crash_slot *s, const struct crash_op *op)
{
	const struct crash_part *p = &op->part[0];
	char path[128], data[CRASH_DATA_MAX];
	struct mu_create_options o = { .size = sizeof o, .path = path };

	path_of(s, p->name, p->in_queue, path);
	if (p->kind == PART_DELETE)
		return mu_client_delete(s->c, path, p->version, on_done, s);
	crash_data(s->model.slot, op, 0, data);
	if (p->kind == PART_SET)
		return mu_client_set(s->c, path, data, (int32_t)p->len,
		                     p->version, on_done, s);
	o.data = data;
	o.len = (int32_t)p->len;
	o.flags = flags_of(p);
	o.ttl_ms = p->ttl ? LONG_TTL_MS : 0;
	return mu_client_create_with(s->c, &o, on_done, s);
}

static enum mu_client_state state_of(const struct mu_client *c)
{
	struct mu_client_info info = { .size = sizeof info };

	mu_client_info(c, &info);
	return info.state;
}

static bool send_next(struct crash_slot *s)
{
	struct crash_op *op = &s->op[s->ops];

	if (!s->c || s->unknown || s->ops == CRASH_DEPTH ||
	    state_of(s->c) != MU_CLIENT_CONNECTED)
		return false;
	plan(s, op);
	/* First: an answer may come from inside. */
	s->ops++;
	ck_assert_int_eq(op->multi ? send_multi(s, op) : send_one(s, op), 0);
	return true;
}

static void read_next(struct crash_writer *w)
{
	char path[128];

	if (w->reading >= READS || state_of(w->reader) != MU_CLIENT_CONNECTED)
		return;
	snprintf(path, sizeof path, "/w/s%u/n%u",
	         dice_below(&w->dice, CRASH_SLOTS),
	         dice_below(&w->dice, NAMES));
	w->reading++;
	ck_assert_int_eq(mu_client_get(w->reader, path, false, on_read, w), 0);
}

/* Does not collect it: its exit code is the test's. */
static bool is_alive(const struct program *broker)
{
	siginfo_t info = { 0 };

	return broker->pid > 0 &&
	       waitid(P_PID, (id_t)broker->pid, &info,
	              WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

/* ---- turns ------------------------------------------------------------------------------ */

static void turn(struct crash_writer *w)
{
	struct pollfd p[CRASH_SLOTS + 1];
	struct mu_client *c[CRASH_SLOTS + 1];
	nfds_t count = 0;
	int wait = TURN_MS;

	for (size_t i = 0; i <= CRASH_SLOTS; i++) {
		struct mu_client *one =
			i < CRASH_SLOTS ? w->slot[i].c : w->reader;

		if (!one)
			continue;
		c[count] = one;
		p[count] = (struct pollfd){ mu_client_fd(one), POLLIN, 0 };
		if (mu_client_timeout_ms(one) < wait)
			wait = mu_client_timeout_ms(one);
		count++;
	}
	poll(p, count, wait);
	for (nfds_t i = 0; i < count; i++)
		mu_client_process(c[i]);
}

static uint32_t outstanding(const struct crash_writer *w)
{
	uint32_t n = 0;

	for (size_t i = 0; i < CRASH_SLOTS; i++)
		n += w->slot[i].ops - w->slot[i].unknown;
	return n;
}

/* The broker is dead: what was answered is taken, the rest is unknown. */
static bool drain(struct crash_writer *w)
{
	const int64_t until = now_ms() + WAIT_MS;

	while (outstanding(w) && now_ms() < until && !w->why[0])
		turn(w);
	if (outstanding(w))
		wrong(w, "a client does not notice that its broker is dead");
	return false;
}

bool crash_writer_run(struct crash_writer *w, struct program *broker,
                      uint32_t ops, uint32_t kill_at)
{
	const int64_t until = now_ms() + 3 * WAIT_MS;

	w->acks = w->refusals = w->reads = 0;
	while ((ops || outstanding(w)) && !w->why[0]) {
		for (size_t i = 0; i < CRASH_SLOTS; i++)
			while (ops && dice_chance(&w->dice, 70) &&
			       send_next(&w->slot[i]))
				ops--;
		read_next(w);
		turn(w);
		if (kill_at && w->acks >= kill_at && is_alive(broker)) {
			program_signal(broker, SIGKILL);
			kill_at = 0;
		}
		if (!is_alive(broker))
			return drain(w);
		if (now_ms() >= until)
			wrong(w, "%u requests are not answered",
			      outstanding(w));
	}
	return !w->why[0];
}

/* ---- sessions ----------------------------------------------------------------------------- */

static struct mu_client *client_new(const struct crash_writer *w,
                                    struct mu_client_options *o)
{
	struct mu_client *c;
	struct mu_err err = { 0, "" };

	o->size = sizeof *o;
	o->brokers = w->url;
	ck_assert_msg(mu_client_new(o, &c, &err) == 0, "%s", err.msg);
	return c;
}

static void slot_open(struct crash_slot *s)
{
	struct mu_client_options o = { .timeout_ms = CRASH_TIMEOUT_MS };

	if (s->model.slot == CRASH_MORTAL)
		o.timeout_ms = CRASH_MORTAL_MS;
	s->incarnation++;
	s->was_up = false;
	s->session = 0;
	s->c = client_new(s->w, &o);
}

/* A fresh handle connects at once; the old one after a while by itself. */
static void slot_resume(struct crash_slot *s)
{
	struct mu_client_info info = { .size = sizeof info };
	struct mu_client_options o = { .timeout_ms = CRASH_TIMEOUT_MS };

	if (!s->c) {
		slot_open(s);
		return;
	}
	mu_client_info(s->c, &info);
	if (dice_chance(&s->w->dice, 10))
		return;
	mu_client_free(s->c);
	s->unknown = s->ops;
	if (!s->was_up) {
		slot_open(s);
		return;
	}
	if (s->model.slot == CRASH_MORTAL)
		o.timeout_ms = CRASH_MORTAL_MS;
	o.session = info.session;
	o.last_zxid = info.last_zxid;
	memcpy(o.password, info.password, sizeof o.password);
	s->c = client_new(s->w, &o);
}

static bool slot_is_up(struct crash_slot *s)
{
	struct mu_client_info info = { .size = sizeof info };
	struct crash_writer *w = s->w;

	mu_client_info(s->c, &info);
	if (info.state == MU_CLIENT_EXPIRED) {
		if (s->model.slot != CRASH_MORTAL)
			wrong(w, "slot %u: its session was lost",
			      s->model.slot);
		/* The client may have given it up before the broker does. */
		crash_model_end_session(&s->model, s->session, false);
		mu_client_free(s->c);
		s->unknown = s->ops;
		slot_open(s);
		return false;
	}
	if (info.state != MU_CLIENT_CONNECTED)
		return false;
	if (s->was_up && info.session != s->session)
		wrong(w, "slot %u: it was given another session",
		      s->model.slot);
	if (w->tree_id && info.tree_id != w->tree_id)
		wrong(w, "the broker has another tree");
	w->tree_id = info.tree_id;
	s->session = info.session;
	s->was_up = true;
	return true;
}

bool crash_writer_connect(struct crash_writer *w, struct program *broker)
{
	struct mu_client_options o = { .timeout_ms = CRASH_TIMEOUT_MS };
	const int64_t until = now_ms() + WAIT_MS;
	bool up = false;

	w->floor = w->zxid;
	w->seq_floor = w->seq_top;
	w->restarts++;
	for (size_t i = 0; i < CRASH_SLOTS; i++)
		slot_resume(&w->slot[i]);
	mu_client_free(w->reader);
	w->reading = 0;
	w->reader = client_new(w, &o);
	while (!up && !w->why[0]) {
		turn(w);
		up = state_of(w->reader) == MU_CLIENT_CONNECTED;
		for (size_t i = 0; i < CRASH_SLOTS; i++)
			up &= slot_is_up(&w->slot[i]);
		if (!is_alive(broker))
			return false;
		if (now_ms() >= until)
			wrong(w, "the clients do not come back");
	}
	return !w->why[0];
}

void crash_writer_let_die(struct crash_writer *w)
{
	struct crash_slot *s = &w->slot[CRASH_MORTAL];
	int rc = -1;

	if (!s->c || s->ops || s->model.count > CRASH_NODES / 2)
		return;
	if (dice_chance(&w->dice, 30))
		rc = mu_client_close(s->c, 1000);
	mu_client_free(s->c);
	s->c = NULL;
	crash_model_end_session(&s->model, s->session, rc == 0);
	w->deaths++;
}

/* ---- looking ---------------------------------------------------------------------------------- */

/* A synchronous call did not work: is it worth another try? */
static bool again(struct crash_writer *w, struct program *broker,
                  const char *path, int rc, int64_t until)
{
	if (!is_alive(broker))
		return false;
	if ((rc == MU_ETIMEDOUT || rc == MU_ECONNLOSS) && now_ms() < until)
		return true;
	wrong(w, "%s cannot be read: %s", path, mu_client_strerror(rc));
	return false;
}

static bool read_names(struct crash_writer *w, struct program *broker,
                       const char *path, struct mu_names *out)
{
	const int64_t until = now_ms() + WAIT_MS;
	int rc;

	do
		rc = mu_client_children_sync(w->reader, path, out, 1000, NULL);
	while (rc && again(w, broker, path, rc, until));
	return rc == 0;
}

/* Gone is no failure: *there says so. */
static bool read_node(struct crash_writer *w, struct program *broker,
                      const char *path, struct crash_seen *out, bool *there)
{
	const int64_t until = now_ms() + WAIT_MS;
	struct mu_value v;
	int rc;

	do
		rc = mu_client_get_sync(w->reader, path, &v, 1000, NULL);
	while (rc && rc != MU_ENONODE && again(w, broker, path, rc, until));
	*there = rc == 0;
	if (rc == 0) {
		crash_data_parse(v.data, v.len, out);
		out->stat = v.stat;
		saw_zxid(w, v.stat.mzxid);
		mu_value_free(&v);
	}
	return rc == 0 || rc == MU_ENONODE;
}

/* Those of the names that are this slot's, appended to the view. */
static bool view_add(struct crash_slot *s, struct program *broker,
                     const struct mu_names *names, bool in_queue,
                     struct crash_view *v)
{
	char path[128], mine[16];
	bool there;

	snprintf(mine, sizeof mine, "s%u-", s->model.slot);
	for (size_t i = 0; i < names->count; i++) {
		struct crash_seen seen = { .in_queue = in_queue };

		if (in_queue && strncmp(names->names[i], mine, strlen(mine)))
			continue;
		snprintf(seen.name, sizeof seen.name, "%.39s", names->names[i]);
		path_of(s, seen.name, in_queue, path);
		if (!read_node(s->w, broker, path, &seen, &there))
			return false;
		if (!there)
			continue;
		v->seen = realloc(v->seen, (v->count + 1) * sizeof seen);
		ck_assert_ptr_nonnull(v->seen);
		v->seen[v->count++] = seen;
	}
	return true;
}

/* Numbers that came with requests without an answer. */
static void learn_numbers(struct crash_slot *s)
{
	for (size_t i = 0; i < s->model.count; i++) {
		const struct crash_node *n = &s->model.node[i];

		for (uint32_t k = 0; n->in_queue && k < s->ops; k++)
			if (s->op[k].id == n->made_op)
				saw_number(s->w, n->name, -1);
	}
}

static bool check_slot(struct crash_slot *s, struct program *broker,
                       const struct mu_names *queue)
{
	struct crash_view v = { NULL, 0, { 0 } };
	struct mu_names names;
	char path[128], why[CRASH_WHY];
	bool read;
	int kept;

	path_of(s, "", false, path);
	if (!read_names(s->w, broker, path, &names))
		return false;
	v.folder = names.stat;
	read = view_add(s, broker, &names, false, &v) &&
	       view_add(s, broker, queue, true, &v);
	mu_names_free(&names);
	if (read) {
		kept = crash_model_resolve(&s->model, s->op, s->ops, &v, why);
		if (kept < 0)
			wrong(s->w, "%s", why);
		else
			s->w->total_kept += (uint32_t)kept;
		s->w->total_unknown += s->ops;
		learn_numbers(s);
		s->ops = s->unknown = 0;
	}
	free(v.seen);
	return read && !s->w->why[0];
}

bool crash_writer_check(struct crash_writer *w, struct program *broker)
{
	struct mu_names queue;
	bool good = true;

	if (!read_names(w, broker, "/w/q", &queue))
		return false;
	for (size_t i = 0; i < CRASH_SLOTS && good; i++)
		good = check_slot(&w->slot[i], broker, &queue);
	mu_names_free(&queue);
	return good;
}

bool crash_writer_dead_are_gone(struct crash_writer *w)
{
	const struct crash_model *m = &w->slot[CRASH_MORTAL].model;

	for (size_t i = 0; i < m->count; i++)
		if (m->node[i].ghost)
			return false;
	return true;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

void crash_writer_open(struct crash_writer *w, const char *url, uint64_t seed)
{
	struct mu_client_options o = { .timeout_ms = CRASH_TIMEOUT_MS };
	struct mu_err err = { 0, "" };
	char path[128] = "/w/q";

	memset(w, 0, sizeof *w);
	snprintf(w->url, sizeof w->url, "%.255s", url);
	w->dice.state = seed;
	w->seq_top = w->seq_floor = -1;
	w->reader = client_new(w, &o);
	ck_assert_msg(mu_client_wait(w->reader, WAIT_MS, &err) == 0, "%s",
	              err.msg);
	ck_assert_int_eq(mu_client_create_sync(w->reader, "/w", NULL, -1, 0,
	                                       NULL, 0, WAIT_MS, NULL),
	                 0);
	ck_assert_int_eq(mu_client_create_sync(w->reader, path, NULL, -1, 0,
	                                       NULL, 0, WAIT_MS, NULL),
	                 0);
	for (uint32_t i = 0; i < CRASH_SLOTS; i++) {
		w->slot[i].w = w;
		w->slot[i].model.slot = i;
		path_of(&w->slot[i], "", false, path);
		ck_assert_int_eq(mu_client_create_sync(w->reader, path, NULL,
		                                       -1, 0, NULL, 0, WAIT_MS,
		                                       NULL),
		                 0);
	}
}

void crash_writer_close(struct crash_writer *w)
{
	for (size_t i = 0; i < CRASH_SLOTS; i++)
		mu_client_free(w->slot[i].c);
	mu_client_free(w->reader);
	w->reader = NULL;
}
