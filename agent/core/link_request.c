#include "link_impl.h"

#include "bug.h"
#include "mem.h"

#define HEADER_BYTES 8u

static void req_free(struct mu_link_req *r)
{
	mu_free(r->watch);
	mu_buf_fini(&r->done.own);
	mu_free(r);
}

static struct mu_link_req *
req_new(int32_t op, const struct mu_link_watch *watch, uint64_t cookie)
{
	struct mu_link_req *r = mu_alloc(sizeof *r);

	if (!r)
		return NULL;
	r->done.pub.kind = MU_LA_DONE;
	r->done.pub.op = op;
	r->done.pub.cookie = cookie;
	r->done.pub.zxid = -1;
	if (!watch || !watch->path.at)
		return r;
	r->watch_kind = (int)watch->kind;
	r->watch = mu_book_entry_new(watch->path);
	if (r->watch)
		return r;
	mu_free(r);
	return NULL;
}

/* xids count from 1 and wrap to 1: the negative ones have meanings (rule 15),
 * and 0 means not sent. */
static int32_t xid_after(int32_t xid)
{
	return xid == INT32_MAX ? 1 : xid + 1;
}

/* Send at once; the body is not kept then. */
static int req_send(struct mu_link *l, struct mu_link_req *r, const void *body,
                    size_t len)
{
	int32_t xid = xid_after(l->xid);
	int rc = mu_link_send(l, xid, r->done.pub.op, body, len);
	int last = mu_link_watch_byte(l, r);

	if (rc)
		return rc;
	if (last >= 0)
		mu_link_amend(l, (uint8_t)last);
	r->xid = l->xid = xid;
	return 0;
}

static int req_keep(struct mu_link_req *r, const void *body, size_t len)
{
	mu_buf_put(&r->done.own, body, len);
	return mu_buf_failed(&r->done.own) ? MU_ENOMEM : 0;
}

static void req_append(struct mu_link *l, struct mu_link_req *r)
{
	*l->reqs_end = r;
	l->reqs_end = &r->next;
	if (!r->xid && !l->unsent)
		l->unsent = r;
}

static struct mu_link_req *req_take(struct mu_link *l)
{
	struct mu_link_req *r = l->reqs;

	l->reqs = r->next;
	if (!l->reqs)
		l->reqs_end = &l->reqs;
	if (l->unsent == r)
		l->unsent = r->next;
	return r;
}

static int ask(struct mu_link *l, int32_t op, const void *body, size_t len,
               const struct mu_link_watch *watch, uint64_t cookie)
{
	struct mu_link_req *r = req_new(op, watch, cookie);
	int rc;

	if (!r)
		return MU_ENOMEM;
	rc = l->state == MU_LINK_CONNECTED ? req_send(l, r, body, len)
	                                   : req_keep(r, body, len);
	if (rc) {
		req_free(r);
		return rc;
	}
	req_append(l, r);
	return 0;
}

/* May this be asked of the link as it is now? An operation that a server does
 * not know would end the link (rule 18). */
static int refuse(const struct mu_link *l, int32_t op)
{
	if (l->state == MU_LINK_EXPIRED)
		return MU_EEXPIRED;
	if (l->state == MU_LINK_CLOSED || l->closing)
		return MU_ECLOSED;
	if (op != MU_OP_SUBSCRIBE && op != MU_OP_UNSUBSCRIBE)
		return 0;
	if (l->state != MU_LINK_CONNECTED)
		return MU_ECONNLOSS;
	return l->features < MU_FEATURES_SUBSCRIBE ? MU_EUNIMPLEMENTED : 0;
}

int mu_link_request(struct mu_link *l, int32_t op, const void *body, size_t len,
                    const struct mu_link_watch *watch, uint64_t cookie,
                    uint64_t now_ms)
{
	int rc = refuse(l, op);

	if (rc)
		return rc;
	if (l->outstanding >= l->config.outstanding_max)
		return MU_EFULL;
	if (len > l->config.packet_max ||
	    len + HEADER_BYTES > l->config.packet_max)
		return MU_ETOOBIG;
	l->now_ms = now_ms;
	rc = ask(l, op, body, len, watch, cookie);
	if (!rc)
		l->outstanding++;
	return rc;
}

void mu_link_close(struct mu_link *l, uint64_t now_ms)
{
	bool nothing;

	if (l->state == MU_LINK_EXPIRED || l->state == MU_LINK_CLOSED ||
	    l->closing)
		return;
	l->now_ms = now_ms;
	if (l->state == MU_LINK_CONNECTED) {
		int rc = ask(l, MU_OP_CLOSE_SESSION, NULL, 0, NULL, 0);

		l->closing = true;
		if (rc)
			mu_link_lose(l, rc);
		return;
	}
	/* Before a first ConnectRequest there is no session to be left. */
	nothing = l->session == 0 && l->state != MU_LINK_HANDSHAKE;
	mu_link_step(l, MU_LI_CLOSE, nothing ? 0 : MU_ECONNLOSS);
}

int mu_link_flush(struct mu_link *l)
{
	while (l->unsent) {
		struct mu_link_req *r = l->unsent;
		int rc = req_send(l, r, r->done.own.data, r->done.own.len);

		if (rc)
			return rc;
		mu_buf_fini(&r->done.own);
		l->unsent = r->next;
	}
	return 0;
}

/* The DONE of a request is the request itself, so it is never lost for want of
 * memory. */
static void req_done(struct mu_link *l, struct mu_link_req *r, int rc)
{
	mu_free(r->watch);
	r->watch = NULL;
	r->done.pub.rc = rc;
	l->outstanding--;
	mu_link_push_node(l, &r->done);
}

void mu_link_fail_all(struct mu_link *l, int rc)
{
	while (l->reqs) {
		struct mu_link_req *r = req_take(l);

		if (r->done.pub.op == MU_OP_CLOSE_SESSION) {
			req_free(r);
			continue;
		}
		mu_buf_fini(&r->done.own);
		req_done(l, r, rc);
	}
}

/* Rule 29: what the reply says was left. */
static void enter_watch(struct mu_link *l, struct mu_link_req *r, int err)
{
	int kind = r->watch_kind;

	if (!r->watch)
		return;
	if (err && !(err == MU_ENONODE && kind == MU_LW_EXIST))
		return;
	if (!err && kind == MU_LW_EXIST)
		kind = MU_LW_DATA;
	mu_book_enter(&l->book, r->watch, MU_BOOK(kind));
	r->watch = NULL;
}

int mu_link_answer(struct mu_link *l, const struct mu_reply_header *h,
                   const void *body, size_t len)
{
	struct mu_link_req *r = l->reqs;

	if (!r || r->xid == 0 || r->xid != h->xid)
		return MU_EPROTO;
	if (r->done.pub.op == MU_OP_CLOSE_SESSION) {
		req_free(req_take(l));
		mu_link_step(l, MU_LI_BYE, h->err);
		return 0;
	}
	if (req_keep(r, body, len))
		return MU_ENOMEM;
	if (h->zxid > l->last_zxid)
		l->last_zxid = h->zxid;
	(void)req_take(l);
	enter_watch(l, r, h->err);
	r->done.pub.zxid = h->zxid;
	req_done(l, r, h->err);
	return 0;
}

void mu_link_requests_fini(struct mu_link *l)
{
	while (l->reqs)
		req_free(req_take(l));
}
