#include "link_impl.h"

#include "bug.h"
#include "mem.h"

static bool queue_is_empty(const struct mu_link *l)
{
	return !l->actions;
}

void mu_link_push_node(struct mu_link *l, struct mu_link_node *n)
{
	n->next = NULL;
	*l->actions_end = n;
	l->actions_end = &n->next;
	l->last_send = n->pub.kind == MU_LA_SEND ? n : NULL;
}

void mu_link_push(struct mu_link *l, enum mu_link_action_kind kind, int rc)
{
	size_t i = 0;
	struct mu_link_node *n;

	MU_BUG_ON(kind == MU_LA_OPEN && !queue_is_empty(l));
	while (i < MU_LINK_FIXED && l->fixed_used[i])
		i++;
	MU_BUG_ON(i == MU_LINK_FIXED);
	l->fixed_used[i] = true;
	n = &l->fixed[i];
	*n = (struct mu_link_node){ .fixed = true };
	n->pub.kind = kind;
	n->pub.rc = rc;
	n->pub.state = l->state;
	n->pub.host = l->host;
	mu_link_push_node(l, n);
}

static void node_free(struct mu_link *l, struct mu_link_node *n)
{
	if (!n)
		return;
	mu_buf_fini(&n->own);
	if (n->fixed)
		l->fixed_used[n - l->fixed] = false;
	else
		mu_free(n);
}

static struct mu_link_node *node_new(enum mu_link_action_kind kind)
{
	struct mu_link_node *n = mu_alloc(sizeof *n);

	if (n)
		n->pub.kind = kind;
	return n;
}

int mu_link_push_event(struct mu_link *l, int32_t event, int64_t zxid,
                       struct mu_str path)
{
	struct mu_link_node *n = node_new(MU_LA_EVENT);

	if (!n)
		return MU_ENOMEM;
	mu_buf_put(&n->own, path.at, path.len);
	mu_buf_put(&n->own, "", 1);
	if (mu_buf_failed(&n->own)) {
		node_free(l, n);
		return MU_ENOMEM;
	}
	n->pub.event = event;
	n->pub.zxid = zxid;
	n->pub.path = (struct mu_str){ (const char *)n->own.data, path.len };
	mu_link_push_node(l, n);
	return 0;
}

/* One piece of memory: the struct, then its texts and its data. */
static void put_change(struct mu_buf *b, const struct mu_change_event *e)
{
	struct mu_change_event *own;
	char *at;

	if (mu_buf_reserve(b, sizeof *e + e->path.len + e->origin.len +
	                              e->data.len + 2))
		return;
	mu_buf_put(b, e, sizeof *e);
	mu_buf_put(b, e->path.at, e->path.len);
	mu_buf_put(b, "", 1);
	mu_buf_put(b, e->origin.at, e->origin.len);
	mu_buf_put(b, "", 1);
	mu_buf_put(b, e->data.at, e->data.len);
	own = (void *)b->data;
	at = (char *)(own + 1);
	own->path.at = at;
	own->origin.at = at += e->path.len + 1;
	if (e->data.at)
		own->data.at = at + e->origin.len + 1;
}

int mu_link_push_change(struct mu_link *l, int64_t zxid,
                        const struct mu_change_event *e)
{
	struct mu_link_node *n = node_new(MU_LA_CHANGE);

	if (!n)
		return MU_ENOMEM;
	put_change(&n->own, e);
	if (mu_buf_failed(&n->own)) {
		node_free(l, n);
		return MU_ENOMEM;
	}
	n->pub.zxid = zxid;
	n->pub.change = (const void *)n->own.data;
	mu_link_push_node(l, n);
	return 0;
}

/* The SEND that `need` more bytes go into: the last one if they fit, or a new
 * one that is not in the queue yet. NULL when memory is out; nothing has
 * changed then, for a buffer that failed is a copy. */
static struct mu_link_node *send_room(struct mu_link *l, size_t need)
{
	struct mu_link_node *n = l->last_send;
	bool fits = n && n->own.len + need <= MU_LINK_GATHER_MAX;
	struct mu_buf grown = { 0 };

	if (fits)
		grown = n->own;
	else
		n = node_new(MU_LA_SEND);
	if (!n)
		return NULL;
	if (mu_buf_reserve(&grown, need)) {
		if (!fits)
			node_free(l, n);
		return NULL;
	}
	n->own = grown;
	return n;
}

int mu_link_send(struct mu_link *l, int32_t xid, int32_t op, const void *body,
                 size_t len)
{
	struct mu_link_node *n = send_room(l, 4 + 8 + len);
	size_t begin;

	if (!n)
		return MU_ENOMEM;
	begin = mu_frame_begin(&n->own);
	if (xid)
		mu_put_request_header(&n->own, xid, op);
	mu_buf_put(&n->own, body, len);
	mu_frame_end(&n->own, begin);
	MU_BUG_ON(mu_buf_failed(&n->own));
	if (n != l->last_send)
		mu_link_push_node(l, n);
	l->sent_ms = l->now_ms;
	return 0;
}

void mu_link_amend(struct mu_link *l, uint8_t last)
{
	struct mu_buf *b = &l->last_send->own;

	b->data[b->len - 1] = last;
}

void mu_link_unsend(struct mu_link *l)
{
	struct mu_link_node **at = &l->actions;

	while (*at) {
		struct mu_link_node *n = *at;

		if (n->pub.kind != MU_LA_SEND) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		node_free(l, n);
	}
	l->actions_end = at;
	l->last_send = NULL;
}

bool mu_link_action(struct mu_link *l, struct mu_link_action *out)
{
	struct mu_link_node *n = l->actions;

	node_free(l, l->taken);
	l->taken = n;
	if (!n)
		return false;
	l->actions = n->next;
	if (!l->actions)
		l->actions_end = &l->actions;
	if (n == l->last_send)
		l->last_send = NULL;
	if (n->pub.kind == MU_LA_OPEN)
		l->carrier = true;
	if (n->pub.kind == MU_LA_SHUT)
		l->carrier = false;
	*out = n->pub;
	if (n->pub.kind == MU_LA_SEND || n->pub.kind == MU_LA_DONE) {
		out->bytes = n->own.data;
		out->len = n->own.len;
	}
	return true;
}

void *mu_link_take_bytes(struct mu_link *l)
{
	uint8_t *bytes = NULL;

	if (l->taken)
		(void)mu_buf_take(&l->taken->own, &bytes);
	return bytes;
}

void mu_link_queue_fini(struct mu_link *l)
{
	node_free(l, l->taken);
	while (l->actions) {
		struct mu_link_node *n = l->actions;

		l->actions = n->next;
		node_free(l, n);
	}
}
