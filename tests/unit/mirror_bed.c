#include "mirror_bed.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* ---- the tree ---- */

struct bed_node *bed_at(struct bed *b, const char *path)
{
	for (int i = 0; i < BED_NODES; i++)
		if (b->node[i].path[0] && strcmp(b->node[i].path, path) == 0)
			return &b->node[i];
	return NULL;
}

static struct bed_node *parent_of(struct bed *b, const char *path)
{
	struct mu_str p = mu_path_parent(mu_str_of(path));
	char text[24];

	snprintf(text, sizeof text, "%.*s", (int)p.len, p.at);
	return bed_at(b, text);
}

bool bed_covers(const struct bed *b, int type, const char *path)
{
	struct mu_str p = mu_str_of(path), top = mu_str_of(b->top);

	if (type == MU_EVENT_CHILDREN || b->mode == MU_MIRROR_EXACT)
		return mu_str_eq(p, top);
	if (mu_str_eq(p, top) || b->mode == MU_MIRROR_SUBTREE)
		return mu_path_is_within(p, top);
	return p.len > 1 && mu_str_eq(mu_path_parent(p), top);
}

static bool is_ours(const struct bed *b, int type, const char *path)
{
	return bed_covers(b, type, path) &&
	       !(type == MU_EVENT_DELETED && b->hidden &&
	         strcmp(path, b->hidden) == 0);
}

static struct bed_message *send_to_mirror(struct bed *b)
{
	if (b->out_head == b->out_tail)
		b->out_head = b->out_tail = 0;
	ck_assert_int_lt(b->out_tail, BED_QUEUE);
	b->out[b->out_tail] = (struct bed_message){ 0 };
	return &b->out[b->out_tail++];
}

static void tell(struct bed *b, int change, int sub)
{
	struct bed_message *msg = send_to_mirror(b);

	msg->kind = BED_CHANGE;
	msg->sub = sub;
	msg->change = change;
	msg->prev = b->prev;
	b->prev = b->history[change].at;
}

static void note(struct bed *b, int type, const struct bed_node *n)
{
	struct bed_change *c = &b->history[b->changes];

	ck_assert_int_lt(b->changes, BED_HISTORY);
	*c = (struct bed_change){ .type = type, .at = { b->zxid, b->n++ } };
	c->stat = n->stat;
	memcpy(c->path, n->path, sizeof c->path);
	if (type != MU_EVENT_CHILDREN)
		memcpy(c->data, n->data, sizeof c->data);
	if (b->told >= 0 && is_ours(b, type, c->path))
		tell(b, b->changes, b->sub);
	b->changes++;
}

void bed_begin(struct bed *b)
{
	b->zxid++;
	b->n = 0;
}

static void family(struct bed *b, struct bed_node *p, int by)
{
	p->stat.num_children += by;
	p->stat.cversion++;
	p->stat.pzxid = b->zxid;
	note(b, MU_EVENT_CHILDREN, p);
}

static void put_data(struct bed_node *n, const char *data)
{
	snprintf(n->data, sizeof n->data, "%s", data);
	n->stat.data_len = (int32_t)strlen(n->data);
}

bool bed_make(struct bed *b, const char *path, const char *data)
{
	struct bed_node *p = parent_of(b, path), *n = b->node;

	if (!p || bed_at(b, path))
		return false;
	while (n->path[0])
		n++;
	*n = (struct bed_node){
		.stat = { .czxid = b->zxid, .mzxid = b->zxid, .pzxid = b->zxid }
	};
	snprintf(n->path, sizeof n->path, "%s", path);
	put_data(n, data);
	note(b, MU_EVENT_CREATED, n);
	family(b, p, 1);
	return true;
}

bool bed_edit(struct bed *b, const char *path, const char *data)
{
	struct bed_node *n = bed_at(b, path);

	if (!n)
		return false;
	put_data(n, data);
	n->stat.mzxid = b->zxid;
	n->stat.version++;
	note(b, MU_EVENT_CHANGED, n);
	return true;
}

bool bed_drop(struct bed *b, const char *path)
{
	struct bed_node *n = bed_at(b, path), was;

	if (!n || n->stat.num_children || !path[1])
		return false;
	was = *n;
	n->path[0] = '\0';
	note(b, MU_EVENT_DELETED, &was);
	family(b, parent_of(b, path), -1);
	return true;
}

void bed_init(struct bed *b, const char *top, enum mu_mirror_mode mode)
{
	struct mu_mirror *m = b->m;

	memset(b, 0, offsetof(struct bed, in));
	b->m = m;
	b->top = top;
	b->mode = mode;
	b->part = BED_HISTORY;
	b->whole_max = 20;
	b->told = -1;
	b->zxid = 10;
	snprintf(b->node[0].path, sizeof b->node[0].path, "/");
}

/* ---- the link ---- */

static struct bed_request *ask(struct bed *b)
{
	if (b->in_head == b->in_tail)
		b->in_head = b->in_tail = 0;
	ck_assert_int_lt(b->in_tail, BED_QUEUE);
	return &b->in[b->in_tail++];
}

int bed_up(struct bed *b, bool fresh)
{
	struct mu_mirror_at from;
	int rc = mu_mirror_subscribe(b->m, fresh, &from);

	if (!rc)
		*ask(b) =
			(struct bed_request){ .sub = ++b->asked, .from = from };
	return rc;
}

void bed_down(struct bed *b)
{
	b->in_head = b->in_tail = 0;
	b->out_head = b->out_tail = 0;
	b->told = -1;
	if (b->m)
		mu_mirror_stop(b->m);
}

void bed_pump(struct bed *b)
{
	struct mu_mirror_read read;

	while (mu_mirror_read_next(b->m, &read)) {
		struct bed_request *r = ask(b);

		*r = (struct bed_request){ .id = read.id, .what = read.what };
		snprintf(r->path, sizeof r->path, "%s", read.path);
	}
}

static bool is_known(struct mu_mirror_at from, const struct bed_change *c)
{
	return c->at.zxid != from.zxid ? c->at.zxid < from.zxid
	                               : c->at.n <= from.n;
}

static void reply(struct bed *b, int sub, enum mu_mirror_state state,
                  struct mu_mirror_at at)
{
	struct bed_message *msg = send_to_mirror(b);

	msg->kind = BED_REPLY;
	msg->sub = sub;
	msg->state = state;
	msg->at = at;
	msg->zxid = b->zxid;
	b->told = state == MU_MIRROR_MORE ? -1 : b->changes;
	b->sub = sub;
}

static void subscribe(struct bed *b, const struct bed_request *r)
{
	struct mu_mirror_at now = { b->zxid, INT32_MAX };
	int said = 0;

	b->told = -1;
	if (r->from.zxid >= 0 && r->from.zxid < b->floor) {
		b->gaps++;
		b->prev = now;
		reply(b, r->sub, MU_MIRROR_GAP_FOUND, now);
		return;
	}
	b->prev = r->from.zxid < 0 ? now : r->from;
	for (int i = 0; r->from.zxid >= 0 && i < b->changes; i++) {
		const struct bed_change *c = &b->history[i];

		if (is_known(r->from, c))
			continue;
		if (is_ours(b, c->type, c->path))
			tell(b, i, r->sub);
		if (++said == b->part) {
			reply(b, r->sub, MU_MIRROR_MORE, c->at);
			return;
		}
	}
	reply(b, r->sub, MU_MIRROR_LIVE, now);
}

static void read_for(struct bed *b, const struct bed_request *r)
{
	struct bed_message *msg = send_to_mirror(b);
	const struct bed_node *n = bed_at(b, r->path);

	msg->kind = BED_READ;
	msg->id = r->id;
	msg->zxid = b->zxid;
	msg->rc = n ? 0 : MU_ENONODE;
	if (!n)
		return;
	msg->node = *n;
	for (int i = 0; i < BED_NODES; i++) {
		const char *path = b->node[i].path;

		if (path[0] && path[1] && parent_of(b, path) == n)
			snprintf(msg->names[msg->count++], 24, "%s",
			         strrchr(path, '/') + 1);
	}
}

bool bed_serve(struct bed *b)
{
	struct bed_request r;

	if (b->in_head == b->in_tail)
		return false;
	r = b->in[b->in_head++];
	if (r.sub)
		subscribe(b, &r);
	else
		read_for(b, &r);
	return true;
}

/* ---- the mirror ---- */

static int deliver_change(struct bed *b, const struct bed_message *msg)
{
	const struct bed_change *c = &b->history[msg->change];
	size_t len = strlen(c->data);
	/* Overwritten after the call, so that a borrowed text that was kept
	 * shows. */
	char data[24], path[24];
	struct mu_mirror_change change = { .type = c->type,
		                           .zxid = c->at.zxid,
		                           .n = c->at.n,
		                           .whole = len <= b->whole_max,
		                           .stat = &c->stat,
		                           .cause = 0,
		                           .session = c->at.zxid * 2,
		                           .origin = MU_STR("o") };
	int rc;

	memcpy(data, c->data, sizeof data);
	memcpy(path, c->path, sizeof path);
	change.path = mu_str_of(path);
	if (change.whole && c->type != MU_EVENT_CHILDREN)
		change.data = mu_str_of(data);
	ck_assert(mu_mirror_expects(b->m, msg->prev));
	rc = mu_mirror_change(b->m, &change);
	memset(data, '#', sizeof data);
	memset(path, '#', sizeof path);
	return rc;
}

static int deliver_read(struct bed *b, const struct bed_message *msg)
{
	const char *names[BED_NODES];
	struct mu_mirror_answer a = { .rc = msg->rc, .zxid = msg->zxid };

	if (msg->rc == 0) {
		a.data = mu_str_of(msg->node.data);
		a.stat = &msg->node.stat;
		for (size_t i = 0; i < msg->count; i++)
			names[i] = msg->names[i];
		a.names = names;
		a.count = msg->count;
	}
	return mu_mirror_read_done(b->m, msg->id, &a);
}

bool bed_deliver(struct bed *b, int *rc)
{
	const struct bed_message *msg = &b->out[b->out_head];

	*rc = 0;
	if (b->out_head == b->out_tail)
		return false;
	b->out_head++;
	if (msg->kind == BED_READ)
		*rc = deliver_read(b, msg);
	else if (msg->sub != b->asked)
		return true; /* of one that was given up */
	else if (msg->kind == BED_CHANGE)
		*rc = deliver_change(b, msg);
	else
		*rc = mu_mirror_subscribed(b->m, msg->state, msg->at);
	if (!*rc && mu_mirror_wants_more(b->m))
		*rc = bed_up(b, false);
	return true;
}

int bed_run(struct bed *b)
{
	bool moved = true;
	int rc = 0;

	while (moved && !rc) {
		bed_pump(b);
		moved = bed_serve(b);
		while (!rc && bed_deliver(b, &rc)) {
			moved = true;
			bed_pump(b);
		}
	}
	return rc;
}
