/* What the parts of the agent ask the broker over its uplink. */
#include "uplink_impl.h"

#include "mem.h"

static void pending_free(struct mu_pending *p)
{
	*p->prev = p->next;
	if (p->next)
		p->next->prev = p->prev;
	p->u->outstanding--;
	mu_free(p);
}

static void on_done(struct mu_client *c, const struct mu_result *r, void *arg)
{
	struct mu_pending p = *(struct mu_pending *)arg;

	(void)c;
	pending_free(arg);
	if (r->zxid > p.u->zxid)
		p.u->zxid = r->zxid;
	p.u->zxid_ms = mu_loop_now_ms(p.u->loop);
	if (p.done && !p.u->silent)
		p.done(p.owner, p.tag, r);
}

static int subscribe_on(struct mu_client *c, const struct mu_uplink_request *r,
                        struct mu_pending *p)
{
	struct mu_subscribe s = { .size = sizeof s,
		                  .id = r->subscription,
		                  .path = r->path,
		                  .mode = (enum mu_subscribe_mode)r->flags,
		                  .zxid = r->zxid,
		                  .n = r->n };

	return mu_client_subscribe(c, &s, on_done, p);
}

static int send_on(struct mu_client *c, const struct mu_uplink_request *r,
                   struct mu_pending *p)
{
	switch (r->op) {
	case MU_UP_GET:
		return mu_client_get(c, r->path, false, on_done, p);
	case MU_UP_CHILDREN:
		return mu_client_children(c, r->path, false, on_done, p);
	case MU_UP_CREATE:
		return mu_client_create(c, r->path, r->data, r->len, r->flags,
		                        on_done, p);
	case MU_UP_SET:
		return mu_client_set(c, r->path, r->data, r->len, r->version,
		                     on_done, p);
	case MU_UP_DELETE:
		return mu_client_delete(c, r->path, r->version, on_done, p);
	case MU_UP_MULTI:
		return mu_client_multi(c, r->ops, r->count, on_done, p);
	case MU_UP_ADD_WATCH:
		return mu_client_add_watch(c, r->path,
		                           (enum mu_addwatch_mode)r->flags,
		                           on_done, p);
	case MU_UP_SUBSCRIBE:
		return subscribe_on(c, r, p);
	case MU_UP_UNSUBSCRIBE:
		return mu_client_unsubscribe(c, r->subscription, on_done, p);
	}
	return MU_EUNIMPLEMENTED;
}

int mu_uplink_send(struct mu_uplink *u, const struct mu_uplink_request *r)
{
	struct mu_pending *p;
	int rc;

	if (!u->up)
		return MU_ECONNLOSS;
	p = mu_alloc(sizeof *p);
	if (!p)
		return MU_ENOMEM;
	p->u = u;
	p->done = r->done;
	p->owner = r->owner;
	p->tag = r->tag;
	p->next = u->pending;
	if (p->next)
		p->next->prev = &p->next;
	p->prev = &u->pending;
	u->pending = p;
	u->outstanding++;
	rc = send_on(u->client, r, p);
	if (rc)
		pending_free(p);
	return rc;
}

void mu_uplink_forget(struct mu_uplink *u, const void *owner)
{
	for (struct mu_pending *p = u->pending; p; p = p->next)
		if (p->owner == owner)
			p->done = NULL;
}

void mu_uplink_fail_all(struct mu_uplink *u)
{
	struct mu_result r = { .size = sizeof r, .rc = MU_EEXPIRED };

	while (u->pending)
		on_done(NULL, &r, u->pending);
}

uint32_t mu_uplink_outstanding(const struct mu_uplink *u)
{
	return u->outstanding;
}

/* ---- subscriptions ---- */

int32_t mu_uplink_new_subscription(struct mu_uplink *u)
{
	u->subscription =
		u->subscription == INT32_MAX ? 1 : u->subscription + 1;
	return u->subscription;
}

int64_t mu_uplink_zxid(const struct mu_uplink *u)
{
	return u->zxid;
}

void mu_uplink_ask_zxid(struct mu_uplink *u, uint64_t older_ms)
{
	struct mu_uplink_request r = { .op = MU_UP_GET, .path = "/" };
	uint64_t now = mu_loop_now_ms(u->loop);

	if (now - u->zxid_ms >= older_ms && mu_uplink_send(u, &r) == 0)
		u->zxid_ms = now;
}
